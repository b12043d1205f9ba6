"""Sorting of the entries of sparse rows: stable, by ranks and then by merging."""

from libc.stdint cimport INT32_MAX, int32_t, int64_t
from libc.string cimport memcpy, memset

from skxmr._cython._watch cimport Watch, must_end

cdef enum:
    RANKED = 64  # rows no longer than this are sorted by counting ranks


cdef inline void rank(
    const int32_t* keys, const int32_t* loads, int64_t size,
    int32_t* sorted_keys, int32_t* sorted_loads,  # OUT
) noexcept nogil:
    """Sort up to RANKED keys with their loads, by counting the smaller keys of each.

    Branch-free in the keys, so that nothing is mispredicted and the inner loop is
    vectorized.
    """
    cdef int32_t[RANKED] padded
    cdef int32_t[RANKED] equals   # how many keys of each rank were placed
    cdef int64_t i, j, rounded = (size + 7) // 8 * 8
    cdef int32_t key, position
    memcpy(padded, keys, size * sizeof(int32_t))
    for i in range(size, rounded):
        padded[i] = INT32_MAX
    memset(equals, 0, size * sizeof(int32_t))
    for i in range(size):
        key = padded[i]
        position = 0
        for j in range(rounded):
            position += padded[j] < key
        equals[position] += 1
        position += equals[position] - 1
        sorted_keys[position] = key
        sorted_loads[position] = loads[i]


cdef inline void merge(
    const int32_t* keys, const int32_t* loads, int64_t middle, int64_t size,
    int32_t* merged_keys, int32_t* merged_loads,  # OUT
) noexcept nogil:
    """Merge two sorted runs; of equal keys, those of the first run come first."""
    cdef int64_t left = 0, right = middle, i
    cdef bint from_left
    for i in range(size):
        from_left = right == size or (left < middle and keys[left] <= keys[right])
        merged_keys[i] = keys[left] if from_left else keys[right]
        merged_loads[i] = loads[left] if from_left else loads[right]
        left += from_left
        right += not from_left


cdef inline void sort_row(
    int32_t* keys, int32_t* loads, int64_t size,  # INOUT
    int32_t* spare_keys, int32_t* spare_loads,    # scratch of the same size
    Watch* watch,
) noexcept nogil:
    """Sort keys with their loads; their order is undefined if the watch has ended."""
    cdef int64_t start = 0, width = RANKED
    while start < size and not must_end(watch, RANKED):
        rank(
            keys + start, loads + start, min(width, size - start),
            spare_keys + start, spare_loads + start,
        )
        start += width
    memcpy(keys, spare_keys, size * sizeof(int32_t))
    memcpy(loads, spare_loads, size * sizeof(int32_t))
    while width < size:
        start = 0
        while start < size:
            if must_end(watch, min(2 * width, size - start)):
                return
            merge(
                keys + start, loads + start,
                min(width, size - start), min(2 * width, size - start),
                spare_keys + start, spare_loads + start,
            )
            start += 2 * width
        memcpy(keys, spare_keys, size * sizeof(int32_t))
        memcpy(loads, spare_loads, size * sizeof(int32_t))
        width *= 2
