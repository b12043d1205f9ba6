"""Large arrays straight from the system, so that they go back to it at once."""

import errno
import mmap
import os
import tempfile
from math import prod

import numpy as np

__all__ = [
    "LARGE",
    "empty",
    "empty_beside",
    "in_words",
    "is_mapped",
    "map_memory",
    "use_huge_pages",
    "view_memory",
]

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
    """Take memory from the system, which gives it page by page as it is written.

    Raises
    ------
    MemoryError
        If there is not so much; as of `numpy.empty`, with what was wanted.
    """
    try:
        memory = mmap.mmap(-1, n_bytes, **_PRIVATE)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", errno.ENOMEM) != errno.ENOMEM:
            raise
        raise MemoryError(f"Unable to allocate {in_words(n_bytes)}") from error
    use_huge_pages(memory, n_bytes)
    return memory


def in_words(n_bytes):
    """Write a number of bytes for people."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB")):
        if n_bytes >= 1000**power:
            return f"{n_bytes / 1000**power:,.1f} {unit}"
    return f"{n_bytes / 1000:,.1f} kB"


def use_huge_pages(memory, n_used):
    """Ask for large pages if so many bytes are worth them."""
    if n_used >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)


def view_memory(memory, shape, dtype):
    """Make an array of the first bytes of mapped memory."""
    n_items = prod(map(int, shape)) if isinstance(shape, tuple) else int(shape)
    # joblib would take an array whose base is a map for one that a file backs.
    return np.frombuffer(memoryview(memory), dtype=dtype, count=n_items).reshape(shape)


def is_mapped(array):
    """Tell whether an array lies in a file that NumPy has mapped.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    bool
    """
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def empty_beside(source, shape, dtype):
    """Make an array like `empty`, in a file if another lies in one.

    Whoever maps data from a file has no memory for a copy of it. The file has no name
    and goes with the array; it lies where Python's `tempfile` puts files, in
    ``TMPDIR`` if that is set.

    Parameters
    ----------
    source : ndarray
    shape : int or tuple of int
    dtype : dtype

    Returns
    -------
    ndarray

    Raises
    ------
    OSError
        If the disk has no room for it.
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    n_bytes = prod(map(int, shape)) * np.dtype(dtype).itemsize
    if n_bytes < LARGE or not is_mapped(source):
        return empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        # A page that finds no room when it is written would kill the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        else:
            file.truncate(n_bytes)
        memory = mmap.mmap(file.fileno(), n_bytes)
    return np.frombuffer(memoryview(memory), dtype=dtype).reshape(shape)
