"""Arrays that grow at their end, for results that come bit by bit."""

import numpy as np

from skxmr._large import LARGE, empty, map_memory, use_huge_pages, view_memory

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
        self._map = None
        self._buffer = np.empty(0, dtype=dtype)
        self._size = 0

    def __len__(self):
        return self._size

    def append(self, part):
        """Copy an array to the end."""
        size = self._size + len(part)
        if size > len(self._buffer):
            # What is never written takes no memory.
            self._enlarge(2 * size)
        self._buffer[self._size : size] = part
        self._size = size

    def lengthen(self, length, size):
        """Make room for so many items: for kernels, which write them themselves.

        Nobody may hold the array that was given before, or it is copied.

        Parameters
        ----------
        length : int
            How many items the array must have room for.
        size : int
            How many of the first items are kept, if there are as many.

        Returns
        -------
        ndarray of shape (at least length,)
        """
        self._size = min(size, len(self._buffer))
        if length > len(self._buffer):
            self._enlarge(max(length, 2 * len(self._buffer)))
        return self._buffer

    def cut(self, size):
        """Finish with so many items in the array that `lengthen` gave."""
        self._size = size
        return self.finish()

    def finish(self):
        """Give the array, cut to its length; nothing can be appended any more."""
        if self._fit(self._size):
            array = self._buffer
        else:
            # Copied, lest its memory be kept that nobody sees.
            array = empty(self._size, self._buffer.dtype)
            array[:] = self._buffer[: self._size]
        del self._buffer, self._map
        return array

    def _enlarge(self, length):
        """Make room; what there is stays where it is or is copied."""
        dtype = self._buffer.dtype
        if length * dtype.itemsize < LARGE:
            buffer = np.empty(length, dtype)
        elif self._fit(length):
            return
        else:
            self._map = map_memory(length * dtype.itemsize)
            buffer = view_memory(self._map, length, dtype)
        buffer[: self._size] = self._buffer[: self._size]
        self._buffer = buffer

    def _fit(self, length):
        """Let the system lengthen or shorten the memory; tells whether it can."""
        if self._map is None:
            return False
        dtype, before = self._buffer.dtype, len(self._buffer)
        # Nobody may look at memory that moves.
        del self._buffer
        try:
            self._map.resize(max(1, length * dtype.itemsize))
            use_huge_pages(self._map, self._size * dtype.itemsize)
        except (OSError, SystemError, ValueError, BufferError):
            # Not every system can, and none if there is no memory left.
            self._buffer = view_memory(self._map, before, dtype)
            return False
        self._buffer = view_memory(self._map, length, dtype)
        return True
