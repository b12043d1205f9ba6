from libc.stdint cimport int32_t, int64_t, uint32_t

cdef extern from "include/floor.h" nogil:
    ctypedef struct Floor "skxmr_floor":
        float share
        float most
        int is_relative

cdef class WeightsWriter:
    cdef Floor floor
    cdef int simd_level
    # Of the current parent: its features, and the blocks of its children.
    cdef const int32_t[::1] features, sources
    cdef const float[::1] scales
    cdef int64_t n_features, n_blocks
    cdef uint32_t[::1] bits
    cdef float[::1] kept
    cdef int64_t[::1] next_kept
    # Of all parents so far.
    cdef readonly int64_t n_runs, n_weights, n_found
    cdef int32_t[::1] run_features
    cdef int64_t[::1] run_offsets
    cdef int32_t[::1] children
    cdef float[::1] weights
    # Owners of the arrays above, which lengthen them.
    cdef object growing_bits, growing_kept, growing_next_kept
    cdef object growing_features, growing_offsets, growing_children, growing_weights

    cdef int _lengthen_bits(self, int64_t length) except -1
    cdef int _lengthen_kept(self, int64_t length, int64_t size) except -1
    cdef int _lengthen_next_kept(self, int64_t length) except -1
    cdef int _lengthen_runs(self, int64_t length) except -1
    cdef int _lengthen_weights(self, int64_t length) except -1
    cdef int start(
        self, const int32_t[::1] features, const int32_t[::1] sources,
        const float[::1] scales, int64_t n_features, int64_t n_blocks,
    ) except -1 nogil
    cdef int keep(
        self, int64_t block, const float* weights, const float* duals, int width,
        int n_children,
    ) except -1 nogil
    cdef int write(self, int lanes, int32_t first_child) except -1 nogil
