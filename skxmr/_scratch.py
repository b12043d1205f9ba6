"""Memory that tasks use one after another.

Memory straight from the system has to be cleared by it, page by page; and arrays that
lie in one large page are found faster than those in many small ones.
"""

from contextlib import contextmanager

import numpy as np

from skxmr._large import empty

__all__ = ["Scratch", "ScratchPool", "bytes_of", "carve"]

# Arrays start with a cache line.
_LINE = 64


class Scratch:
    """Memory for one task at a time; whoever takes it clears it."""

    def __init__(self):
        self._memory = np.empty(0, dtype=np.uint8)
        self._kept = {}

    def take(self, needs):
        """Give uninitialised arrays; those that were taken before are no longer valid.

        Parameters
        ----------
        needs : dict of str to (int, dtype)
            Sizes and types by name.

        Returns
        -------
        dict of str to ndarray
        """
        n_bytes = bytes_of(needs)
        if len(self._memory) < n_bytes:
            self.give_back()
            self._memory = _aligned(n_bytes)
        return carve(self._memory, needs)

    def give_back(self):
        """Let the memory go: later tasks will need less."""
        self._memory = np.empty(0, dtype=np.uint8)

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


def bytes_of(needs):
    """Tell how much memory `carve` takes for these arrays.

    Parameters
    ----------
    needs : dict of str to (int, dtype)
    """
    return sum(_padded(size, dtype) for size, dtype in needs.values())


def carve(memory, needs):
    """Cut arrays out of memory, one after another.

    Parameters
    ----------
    memory : ndarray of shape (n_bytes,), uint8
        From the start of a cache line on.
    needs : dict of str to (int, dtype)

    Returns
    -------
    dict of str to ndarray
    """
    arrays, start = {}, 0
    for name, (size, dtype) in needs.items():
        stop = start + int(size) * np.dtype(dtype).itemsize
        arrays[name] = memory[start:stop].view(dtype)
        start += _padded(size, dtype)
    return arrays


def _padded(size, dtype):
    return -(-int(size) * np.dtype(dtype).itemsize // _LINE) * _LINE


def _aligned(n_bytes):
    memory = empty(n_bytes + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + n_bytes]
