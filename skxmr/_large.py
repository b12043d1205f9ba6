"""Large arrays straight from the system, so that they go back to it at once."""

import mmap
from math import prod

import numpy as np

__all__ = ["empty"]

# Below, the pages that the system clears anew cost more than they are worth.
_LARGE = 2**20
# From here on, larger pages are cleared faster, as NumPy has found.
_HUGE = 2**22
# What a forked process writes is its own. Windows, which forks nothing, has no flags.
_PRIVATE = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
    if hasattr(mmap, "MAP_PRIVATE")
    else {}
)


def empty(shape, dtype):
    """Make an array like `numpy.empty`, but leave nothing behind when it goes.

    Allocators keep what threads free, tens of megabytes each, for the same thread;
    the next stage of a fit would come on top.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype

    Returns
    -------
    ndarray
        In C order, on a cache line's start if it is large.
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    n_bytes = prod(map(int, shape)) * np.dtype(dtype).itemsize
    if n_bytes < _LARGE:
        return np.empty(shape, dtype=dtype)
    memory = mmap.mmap(-1, n_bytes, **_PRIVATE)
    if n_bytes >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    # joblib would take an array whose base is a map for one that a file backs.
    return np.frombuffer(memoryview(memory), dtype=dtype).reshape(shape)
