"""Large arrays in memory-mapped pages, which are returned to the system at once."""

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

# For smaller arrays, clearing pages costs more than it saves.
LARGE = 2**20
# From this size on, huge pages are cleared faster, as in NumPy.
_HUGE = 2**22
# Private mappings: a forked process does not change them. Windows has no fork, and no
# flags.
_PRIVATE = (
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
    if hasattr(mmap, "MAP_PRIVATE")
    else {}
)


def empty(shape, dtype):
    """Make an array like `numpy.empty` that returns its memory when it is deleted.

    Allocators keep memory that threads free, tens of megabytes each, for the same
    thread; it would add to that of the next stage of a fit.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype

    Returns
    -------
    ndarray
        In C order, aligned to a cache line if it is large.
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    n_bytes = prod(map(int, shape)) * np.dtype(dtype).itemsize
    if n_bytes < LARGE:
        return np.empty(shape, dtype=dtype)
    return view_memory(map_memory(n_bytes), shape, dtype)


def map_memory(n_bytes):
    """Map anonymous memory, which the system allocates page by page when it is written.

    Raises
    ------
    MemoryError
        If there is not enough; with the requested size, as from `numpy.empty`.
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
    """Format a number of bytes."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB")):
        if n_bytes >= 1000**power:
            return f"{n_bytes / 1000**power:,.1f} {unit}"
    return f"{n_bytes / 1000:,.1f} kB"


def use_huge_pages(memory, n_used):
    """Request huge pages if the size is large enough."""
    if n_used >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)


def view_memory(memory, shape, dtype):
    """Make an array of the first bytes of mapped memory."""
    n_items = prod(map(int, shape)) if isinstance(shape, tuple) else int(shape)
    # joblib would treat an array whose base is a map as one that is backed by a file.
    return np.frombuffer(memoryview(memory), dtype=dtype, count=n_items).reshape(shape)


def is_mapped(array):
    """Return whether an array is memory-mapped from a file by NumPy.

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
    """Make an array like `empty`, in a file if a given array is in one.

    Data are mapped from a file if there is no memory for a copy. The file has no name
    and is deleted with the array; it is in the folder of Python's `tempfile`, in
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
        If the disk does not have enough space.
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    n_bytes = prod(map(int, shape)) * np.dtype(dtype).itemsize
    if n_bytes < LARGE or not is_mapped(source):
        return empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        # The space is reserved, since writing to a mapped page without space kills the
        # process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        else:
            file.truncate(n_bytes)
        memory = mmap.mmap(file.fileno(), n_bytes)
    return np.frombuffer(memoryview(memory), dtype=dtype).reshape(shape)
