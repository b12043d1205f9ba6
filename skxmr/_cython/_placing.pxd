from libc.stdint cimport int32_t, int64_t, uint32_t

cdef extern from "include/keep.h" nogil:
    ctypedef struct Floor "skxmr_floor":
        float share
        float most
        int is_relative

cdef class Placer:
    # Of one parent's features and blocks of children.
    cdef int64_t n_features, n_blocks
    cdef uint32_t[::1] bits
    cdef float[::1] kept
    cdef int64_t[::1] next_kept
    # Of all parents so far.
    cdef readonly int64_t n_runs, n_weights, n_found
    cdef int32_t[::1] features
    cdef int64_t[::1] run_offsets
    cdef int32_t[::1] children
    cdef float[::1] weights
    # What gives each of the arrays more room.
    cdef object bits_room, kept_room, features_room, offsets_room, children_room
    cdef object weights_room

    cdef int _make_room_for_bits(self, int64_t length) except -1
    cdef int _make_room_for_kept(self, int64_t length, int64_t size) except -1
    cdef int _make_room_for_runs(self, int64_t length) except -1
    cdef int _make_room_for_weights(self, int64_t length) except -1
    cdef int start(self, int64_t n_features, int64_t n_blocks) except -1 nogil
    cdef int keep(
        self, int64_t block, const float* weights, const float* duals, int width,
        int n_children, const int32_t[::1] sources, const float[::1] scales,
        Floor floor, int level,
    ) except -1 nogil
    cdef int place(
        self, const int32_t[::1] features, int lanes, int32_t first_child
    ) except -1 nogil
