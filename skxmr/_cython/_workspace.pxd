from libc.stdint cimport int64_t, uint8_t

cdef enum:
    CACHE_LINE = 64

cdef class Arena:
    cdef object memory
    cdef readonly int64_t n_bytes

    cpdef object take(self, int64_t n_items, str dtype)

cdef class Buffer:
    cdef object allocate
    cdef uint8_t[::1] bytes
    cdef readonly object memory
    cdef readonly int64_t n_bytes

    cpdef int reserve(self, int64_t n_bytes) except -1
    cpdef int release(self) except -1

cdef class Workspace:
    cdef object allocate
    cdef readonly Buffer rows, shared
    cdef dict tables

    cdef object empty(self, int64_t n_items, str dtype)
