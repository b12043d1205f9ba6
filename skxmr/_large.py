"""Large arrays straight from the system, so that they go back to it at once."""

import mmap
from math import prod

import numpy as np

__all__ = ["LARGE", "empty", "map_memory", "view_memory"]

# Below, the pages that the system clears anew cost more than they are worth.
LARGE = 2**20
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
    if n_bytes < LARGE:
        return np.empty(shape, dtype=dtype)
    return view_memory(map_memory(n_bytes), shape, dtype)


def map_memory(n_bytes):
    """Take memory from the system, which gives it page by page as it is written."""
    memory = mmap.mmap(-1, n_bytes, **_PRIVATE)
    if n_bytes >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def view_memory(memory, shape, dtype):
    """Make an array of the first bytes of mapped memory."""
    n_items = prod(map(int, shape)) if isinstance(shape, tuple) else int(shape)
    # joblib would take an array whose base is a map for one that a file backs.
    return np.frombuffer(memoryview(memory), dtype=dtype, count=n_items).reshape(shape)
