"""What the searchers share: memory that calls take and give back, and addresses."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc

cdef enum:
    KEPT_SCRATCH = 1 << 22   # bytes: larger scratch is not kept from call to call


cdef inline void* take(int64_t n_items, size_t size, int64_t* n_bytes) except NULL:
    """Take cleared memory, to be freed, and count it."""
    cdef void* memory = calloc(max(n_items, 1), size)
    if memory == NULL:
        raise MemoryError(f"No memory for a search: {n_items * size} bytes.")
    n_bytes[0] += n_items * size
    return memory


cdef inline const void* address_of_bytes(const uint8_t[::1] array):
    return &array[0] if array.shape[0] else NULL


cdef inline const void* address_of_shorts(const uint16_t[::1] array):
    return &array[0] if array.shape[0] else NULL


cdef inline const void* address_of_ints(const int32_t[::1] array):
    return &array[0] if array.shape[0] else NULL
