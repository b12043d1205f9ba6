from libc.stdint cimport int32_t, int64_t

cdef class DualWriter:
    cdef int64_t n_children, n_duals
    cdef int64_t[::1] counts
    cdef int32_t[::1] rows
    cdef float[::1] values
    cdef object growing_rows, growing_values

    cdef int _lengthen(self, int64_t length) except -1
    cdef int keep(
        self, const float* duals, int64_t n_lanes, int64_t n_children,
        const int32_t* rows, int64_t n_rows,
    ) except -1 nogil
