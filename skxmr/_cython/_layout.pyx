"""Puts the runs of weights in the order in which the search reads them."""

from libc.stdint cimport int32_t, int64_t, uint8_t

ctypedef fused child_t:
    uint8_t
    int32_t


def place_runs(
    const int64_t[::1] run_offsets,  # IN (n_rows + 1,)
    const int32_t[::1] children,     # IN (n_weights,)
    const float[::1] weights,        # IN (n_weights,)
    const int64_t[::1] places,       # IN (n_rows,): where each run begins
    child_t[::1] placed_children,    # OUT
    float[::1] placed_weights,       # OUT
):
    """Copy each run of (child, weight) pairs to its place."""
    cdef int64_t row, entry, shift
    with nogil:
        for row in range(places.shape[0]):
            shift = places[row] - run_offsets[row]
            for entry in range(run_offsets[row], run_offsets[row + 1]):
                placed_children[entry + shift] = <child_t>children[entry]
                placed_weights[entry + shift] = weights[entry]
