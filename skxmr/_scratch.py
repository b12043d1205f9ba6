"""Memory that tasks use one after another.

Memory straight from the system has to be cleared by it, page by page.
"""

from contextlib import contextmanager

import numpy as np

from skxmr._large import empty, empty_beside

__all__ = ["Scratch", "ScratchPool"]


class Scratch:
    """Memory under names, for one task at a time; whoever takes it clears it."""

    def __init__(self):
        self._memory = {}
        self._kept = {}

    def take(self, name, size, dtype, beside=None):
        """Give uninitialised memory, from the start of a cache line on.

        Parameters
        ----------
        name : str
            Memory taken under the same name before is no longer the taker's.
        size : int
            What is never written takes no memory.
        dtype : dtype
        beside : ndarray, default=None
            If it lies in a file, so does the memory.

        Returns
        -------
        ndarray of shape (size,), or (1,) in place of (0,)
        """
        n_bytes = max(1, int(size)) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < n_bytes:
            self._memory.pop(name, None)
            self._memory[name] = memory = _aligned(n_bytes, beside)
        return memory[:n_bytes].view(dtype)

    def keep(self, name, make):
        """Give what was made under this name before; it is as its user left it.

        Parameters
        ----------
        name : hashable
        make : callable
        """
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


class ScratchPool:
    """Scratch for as many tasks as run at a time. Only the empty pool travels."""

    def __init__(self):
        self._free = []

    def __reduce__(self):
        return ScratchPool, ()

    @contextmanager
    def lend(self):
        """Lend a scratch; after an error it is not used again."""
        try:
            scratch = self._free.pop()
        except IndexError:
            scratch = Scratch()
        yield scratch
        self._free.append(scratch)


def _aligned(n_bytes, beside):
    size = n_bytes + 64
    memory = (
        empty(size, np.uint8)
        if beside is None
        else empty_beside(beside, size, np.uint8)
    )
    start = -memory.ctypes.data % 64
    return memory[start : start + n_bytes]
