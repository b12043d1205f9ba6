"""Averages what several trees find for each row."""

from libc.math cimport INFINITY, exp, log, log1p
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from skxmr._cython._beam cimport Heap, push, sort


def average(
    const int64_t[:, ::1] columns,     # IN (n_samples, any); -1 is none
    const double[:, ::1] log_scores,   # IN of the same shape
    int64_t n_trees,
    int log_slots,                     # at least one slot for each column, and one more
    uint64_t factor,                   # odd, of the hash: no result depends on it
    int32_t[::1] slots,                # SCRATCH (2**log_slots,)
    int64_t[::1] distinct,             # SCRATCH (any,)
    double[::1] sums,                  # SCRATCH (any,)
    int64_t[:, ::1] best,              # OUT (n_samples, k); -1 where none is found
    double[:, ::1] best_scores,        # OUT (n_samples, k): logarithms; -inf there
):
    """Add up the scores of each column in a row, and keep the best k columns."""
    cdef int64_t row, i, n_distinct
    cdef double share = log(<double>n_trees)
    cdef Heap found
    found.capacity = best.shape[1]
    if found.capacity == 0:
        return
    with nogil:
        for row in range(columns.shape[0]):
            memset(&slots[0], 0, slots.shape[0] * sizeof(int32_t))
            n_distinct = add_up(
                columns[row], log_scores[row], log_slots, factor, slots, distinct, sums
            )
            # What is found is kept by key only: both may share their memory.
            found.nodes = found.keys = &best[row, 0]
            found.scores = &best_scores[row, 0]
            found.size = 0
            for i in range(n_distinct):
                push(&found, distinct[i], distinct[i], sums[i] - share)
            sort(&found)
            for i in range(found.size, found.capacity):
                found.keys[i] = -1
                found.scores[i] = -INFINITY


cdef int64_t add_up(
    const int64_t[::1] columns, const double[::1] log_scores, int log_slots,
    uint64_t factor, int32_t[::1] slots, int64_t[::1] distinct, double[::1] sums,
) noexcept nogil:
    """List the columns once each, with the logarithms of their summed scores."""
    cdef int64_t i, slot, place, n_distinct = 0, last = slots.shape[0] - 1
    for i in range(columns.shape[0]):
        if columns[i] < 0:
            continue
        # Multiplicative hashing; a slot that is taken sends on to the next.
        slot = <int64_t>((<uint64_t>columns[i] * factor) >> (64 - log_slots))
        while slots[slot] != 0 and distinct[slots[slot] - 1] != columns[i]:
            slot = (slot + 1) & last
        place = slots[slot] - 1
        if place < 0:
            distinct[n_distinct] = columns[i]
            sums[n_distinct] = log_scores[i]
            n_distinct += 1
            slots[slot] = <int32_t>n_distinct
        else:
            sums[place] = add_logs(sums[place], log_scores[i])
    return n_distinct


cdef inline double add_logs(double first, double second) noexcept nogil:
    """The logarithm of the sum of two numbers whose logarithms are given."""
    cdef double larger = max(first, second)
    if larger == -INFINITY:
        return larger
    return larger + log1p(exp(min(first, second) - larger))
