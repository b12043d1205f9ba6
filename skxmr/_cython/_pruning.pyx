"""Keeps the weights that matter: one pass to count them, one to copy them."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "include/keep.h" nogil:
    bint is_kept "skxmr_is_kept"(float weight, float floor)


def any_dropped(
    const float[::1] weights,        # IN (nnz,)
    float threshold,
):
    """Tell whether any weight is not of magnitude `threshold` or more."""
    cdef int64_t entry
    cdef bint found = False
    with nogil:
        for entry in range(weights.shape[0]):
            if not is_kept(weights[entry], threshold):
                found = True
                break
    return found


def count_kept(
    const int64_t[::1] run_offsets,  # IN (n_rows + 1,)
    const float[::1] weights,        # IN (nnz,)
    float threshold,
    int64_t[::1] kept,               # OUT (n_rows,)
):
    """Count, in each run, the weights of magnitude `threshold` or more."""
    cdef int64_t row, entry, count
    with nogil:
        for row in range(run_offsets.shape[0] - 1):
            count = 0
            for entry in range(run_offsets[row], run_offsets[row + 1]):
                count += is_kept(weights[entry], threshold)
            kept[row] = count


def copy_kept(
    const int32_t[::1] children,     # IN (nnz,)
    const float[::1] weights,        # IN (nnz,)
    float threshold,
    int32_t[::1] kept_children,      # OUT (n_kept,)
    float[::1] kept_weights,         # OUT (n_kept,)
):
    """Copy the entries that `count_kept` counted, in their order."""
    cdef int64_t entry, position = 0
    with nogil:
        for entry in range(weights.shape[0]):
            if is_kept(weights[entry], threshold):
                kept_children[position] = children[entry]
                kept_weights[position] = weights[entry]
                position += 1
