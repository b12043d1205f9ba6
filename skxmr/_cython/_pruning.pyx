"""Keeps the weights that matter: one pass to count them, one to copy them."""

from libc.stdint cimport int32_t, int64_t
from libc.math cimport fabsf

from skxmr._cython._placing cimport Floor

cdef extern from "include/keep.h" nogil:
    bint is_kept "skxmr_is_kept"(float weight, float floor)
    float floor_of "skxmr_floor_of"(Floor floor, float largest)


cdef void _find_floors(
    const int32_t[::1] children, const float[::1] weights, int64_t start, int64_t stop,
    Floor floor, float[::1] floors,
) noexcept nogil:
    """Find the smallest magnitude that is kept of each child of one parent."""
    cdef int64_t entry, child, n_children = 0
    for entry in range(start, stop):
        n_children = max(n_children, <int64_t>children[entry] + 1)
    for child in range(n_children):
        floors[child] = 0
    if floor.is_relative:
        for entry in range(start, stop):
            child = children[entry]
            if fabsf(weights[entry]) > floors[child]:
                floors[child] = fabsf(weights[entry])
    for child in range(n_children):
        floors[child] = floor_of(floor, floors[child])


def count_kept(
    const int64_t[::1] row_offsets,  # IN (n_parents + 1,)
    const int64_t[::1] run_offsets,  # IN (n_rows + 1,)
    const int32_t[::1] children,     # IN (nnz,)
    const float[::1] weights,        # IN (nnz,)
    float threshold,
    bint is_relative,                # whether it is a share of the child's largest
    float most,                      # of the largest that counts
    float[::1] floors,               # SCRATCH, of the children of any parent
    int64_t[::1] kept,               # OUT (n_rows,)
    unsigned char[::1] mask,         # OUT (nnz,): 1 where a weight is kept
):
    """Find the weights that are large enough, and count those of each run."""
    cdef int64_t parent, row, entry, count
    cdef Floor floor
    floor.share, floor.most, floor.is_relative = threshold, most, is_relative
    with nogil:
        for parent in range(row_offsets.shape[0] - 1):
            _find_floors(
                children, weights, run_offsets[row_offsets[parent]],
                run_offsets[row_offsets[parent + 1]], floor, floors,
            )
            for row in range(row_offsets[parent], row_offsets[parent + 1]):
                count = 0
                for entry in range(run_offsets[row], run_offsets[row + 1]):
                    mask[entry] = is_kept(weights[entry], floors[children[entry]])
                    count += mask[entry]
                kept[row] = count
