from libc.stdint cimport int32_t, int64_t

from skxmr._cython._solver cimport Block, Rows

cdef struct ChildRange:
    int64_t parent
    int32_t first_child       # counted from the parent's first
    int64_t n_children

cdef class Probe:
    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] rows
    cdef int32_t[::1] best
    cdef double[::1] margins
    cdef int64_t n_done

    cdef void add_block(
        self, ChildRange children, const Rows* rows, const Block* block,
        const int32_t* samples,
    ) noexcept nogil
    cdef void finish_item(self, int64_t parent) noexcept nogil
