"""Searching sorted arrays."""

from libc.stdint cimport int32_t, int64_t


cdef inline int64_t lower_bound(
    const int32_t* values, int64_t start, int64_t stop, int32_t wanted
) noexcept nogil:
    """Return the first index whose value is not smaller than the wanted one."""
    cdef int64_t step = 1, middle
    # Gallop: successive values are found near each other.
    while start + step < stop and values[start + step] < wanted:
        start += step
        step *= 2
    stop = min(stop, start + step)
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start
