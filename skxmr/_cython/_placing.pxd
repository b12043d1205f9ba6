from libc.stdint cimport int32_t, int64_t, uint32_t

cdef class Placer:
    # Of one parent's features and blocks of children.
    cdef int64_t n_features, n_blocks
    cdef uint32_t[::1] bits
    cdef float[::1] kept
    cdef int64_t[::1] next_kept
    # Of all parents so far.
    cdef readonly int64_t n_runs, n_weights
    cdef readonly int32_t[::1] features
    cdef readonly int64_t[::1] run_offsets
    cdef readonly int32_t[::1] children
    cdef readonly float[::1] weights

    cdef void start(self, int64_t n_features, int64_t n_blocks) noexcept nogil
    cdef void keep(
        self, int64_t block, const float* weights, const float* duals, int width,
        int n_children, const int32_t[::1] sources, const float[::1] scales,
        float floor, int level,
    ) noexcept nogil
    cdef void place(
        self, const int32_t[::1] features, int lanes, int32_t first_child
    ) noexcept nogil
