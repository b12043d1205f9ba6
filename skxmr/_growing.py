"""Arrays that grow at their end, for results that come bit by bit."""

import numpy as np

from skxmr._large import empty

__all__ = ["GrowingArray"]


class GrowingArray:
    """One-dimensional array of which nobody knows how long it will be.

    Holding all parts until the last has come, and then joining them, would take the
    memory twice.

    Parameters
    ----------
    dtype : dtype
    """

    def __init__(self, dtype):
        self._buffer = np.empty(0, dtype=dtype)
        self._size = 0

    def __len__(self):
        return self._size

    def append(self, part):
        """Copy an array to the end."""
        size = self._size + len(part)
        if size > len(self._buffer):
            # What is never written takes no memory.
            buffer = empty(2 * size, self._buffer.dtype)
            buffer[: self._size] = self._buffer[: self._size]
            self._buffer = buffer
        self._buffer[self._size : size] = part
        self._size = size

    def finish(self):
        """Give the array, cut to its length; nothing can be appended any more."""
        array = empty(self._size, self._buffer.dtype)
        array[:] = self._buffer[: self._size]
        del self._buffer
        return array
