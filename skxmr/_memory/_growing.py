"""Arrays that grow at their end, for results of unknown length."""

import numpy as np

from skxmr._memory._large import LARGE, empty, map_memory, use_huge_pages, view_memory

__all__ = ["GrowingArray"]


class GrowingArray:
    """1-D array of unknown length.

    Keeping all parts until the last one, and then concatenating them, would need twice
    the memory.

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
        """Append an array."""
        size = self._size + len(part)
        if size > len(self._buffer):
            # Memory that is never written is not allocated.
            self._enlarge(2 * size)
        self._buffer[self._size : size] = part
        self._size = size

    def lengthen(self, length, size):
        """Make space for a number of items, for kernels that write them.

        The array that was returned before must not be referenced any more, otherwise it
        is copied.

        Parameters
        ----------
        length : int
            The number of items that the array must have space for.
        size : int
            The maximum number of items that are kept, from the first.

        Returns
        -------
        ndarray of shape (at least length,)
        """
        self._size = min(size, len(self._buffer))
        if length > len(self._buffer):
            self._enlarge(max(length, 2 * len(self._buffer)))
        return self._buffer

    def cut(self, size):
        """Set the number of items in the array that `lengthen` returned."""
        self._size = size
        return self.finish()

    def finish(self):
        """Return the array, truncated to its length; it cannot grow afterwards."""
        if self._fit(self._size):
            array = self._buffer
        else:
            # Copied, so that the unused memory is released.
            array = empty(self._size, self._buffer.dtype)
            array[:] = self._buffer[: self._size]
        del self._buffer, self._map
        return array

    def _enlarge(self, length):
        """Make space; the items stay in place or are copied."""
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
        """Resize the memory in place; return whether the system supports it."""
        if self._map is None:
            return False
        dtype, before = self._buffer.dtype, len(self._buffer)
        # There must be no references to memory that moves.
        del self._buffer
        try:
            self._map.resize(max(1, length * dtype.itemsize))
            use_huge_pages(self._map, self._size * dtype.itemsize)
        except (OSError, SystemError, ValueError, BufferError):
            # Not all systems support it, and it fails if there is no memory left.
            self._buffer = view_memory(self._map, before, dtype)
            return False
        self._buffer = view_memory(self._map, length, dtype)
        return True
