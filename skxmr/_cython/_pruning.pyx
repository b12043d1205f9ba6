"""Finds the weights that pruning keeps, in one pass over the weights of each parent."""

from libc.math cimport INFINITY, fabsf
from libc.stdint cimport int32_t, int64_t, uint8_t

from skxmr._cython._placing cimport Floor

cdef extern from "include/floor.h" nogil:
    bint is_kept "skxmr_is_kept"(float weight, float floor)
    float floor_of "skxmr_floor_of"(Floor floor, float largest)


cdef class Weights:
    """The weights of a level, feature by feature: of `skxmr.weights.LinearWeights`."""

    cdef const int64_t[::1] posting_offsets, run_offsets
    cdef const int32_t[::1] children
    cdef const float[::1] weights

    def __init__(self, weights):
        self.posting_offsets = weights.posting_offsets
        self.run_offsets = weights.run_offsets
        self.children, self.weights = weights.children, weights.weights


def count_kept(
    Weights weights,
    float[::1] floors,               # SCRATCH, of the children of any parent
    int64_t[::1] kept,               # OUT (n_rows,)
    uint8_t[::1] mask,               # OUT (nnz,): 1 where a weight is kept
    *,
    float threshold,
    bint is_relative,                # whether it is a share of the child's largest
    float most=INFINITY,             # of the largest that counts
):
    """Mark the weights that are large enough, and count them for each feature."""
    cdef int64_t parent, row
    cdef Floor floor
    floor.share, floor.most, floor.is_relative = threshold, most, is_relative
    with nogil:
        for parent in range(weights.posting_offsets.shape[0] - 1):
            _find_floors(weights, parent, floor, floors)
            for row in range(
                weights.posting_offsets[parent], weights.posting_offsets[parent + 1]
            ):
                kept[row] = _mark_kept(weights, row, floors, mask)


cdef void _find_floors(
    Weights weights, int64_t parent, Floor floor, float[::1] floors
) noexcept nogil:
    """Find the smallest magnitude that is kept of each child of one parent."""
    cdef int64_t entry, child, n_children = 0
    cdef int64_t start = weights.run_offsets[weights.posting_offsets[parent]]
    cdef int64_t stop = weights.run_offsets[weights.posting_offsets[parent + 1]]
    for entry in range(start, stop):
        n_children = max(n_children, <int64_t>weights.children[entry] + 1)
    for child in range(n_children):
        floors[child] = 0
    if floor.is_relative:
        for entry in range(start, stop):
            child = weights.children[entry]
            if fabsf(weights.weights[entry]) > floors[child]:
                floors[child] = fabsf(weights.weights[entry])
    for child in range(n_children):
        floors[child] = floor_of(floor, floors[child])


cdef int64_t _mark_kept(
    Weights weights, int64_t row, const float[::1] floors, uint8_t[::1] mask
) noexcept nogil:
    """Mark the weights of one feature that are kept; return how many are."""
    cdef int64_t entry, count = 0
    for entry in range(weights.run_offsets[row], weights.run_offsets[row + 1]):
        mask[entry] = is_kept(weights.weights[entry], floors[weights.children[entry]])
        count += mask[entry]
    return count
