from libc.stdint cimport int32_t, int64_t

cdef class Vectors:
    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] indices
    cdef const float[::1] values
    cdef readonly int64_t n_vectors, length
