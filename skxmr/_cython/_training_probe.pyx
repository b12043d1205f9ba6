"""Finds the child with the largest margin for some training rows of each parent.

Called on each block right after it was trained, since the weights of a whole level
before pruning are never held at a time.
"""

from libc.stdint cimport int32_t, int64_t

from skxmr._cython._solver cimport MAX_LANES, Row, index_of, row_of
from skxmr._cython._sorted cimport lower_bound


cdef class Probe:
    """Finds the best children of some rows by all weights.

    Parameters
    ----------
    offsets : ndarray of shape (n_parents + 1,), int64
    rows : ndarray of int32
        Of each parent, ascending.
    best : ndarray of int32, filled with -1
        Gets, for each item and each row of its parent, the child with the largest
        margin, the first of those with equal ones. Counted from the parent's first.
    margins : ndarray of float64
        Gets their margins.
    """

    def __init__(
        self, const int64_t[::1] offsets, const int32_t[::1] rows, *,
        int32_t[::1] best, double[::1] margins,
    ):
        self.offsets, self.rows, self.best, self.margins = offsets, rows, best, margins
        # Rows of the items before the current one.
        self.n_done = 0

    cdef void add_block(
        self, ChildRange children, const Rows* rows, const Block* block,
        const int32_t* samples,
    ) noexcept nogil:
        """Compare the children of a trained block with the best so far."""
        cdef int64_t row, position, i = 0, start = self.offsets[children.parent]
        for row in range(start, self.offsets[children.parent + 1]):
            i = lower_bound(samples, i, block.n_rows, self.rows[row])
            if i == block.n_rows or samples[i] != self.rows[row]:
                continue
            position = self.n_done + row - start
            _raise_best(
                children, rows, block, i, &self.best[position], &self.margins[position]
            )

    cdef void finish_item(self, int64_t parent) noexcept nogil:
        self.n_done += self.offsets[parent + 1] - self.offsets[parent]


cdef void _raise_best(
    ChildRange children, const Rows* rows, const Block* block, int64_t i,
    int32_t* best, double* largest,
) noexcept nogil:
    """Take the child with a row's largest margin, if it exceeds that of the best."""
    cdef int64_t entry, lane, lanes = block.n_lanes
    cdef double[MAX_LANES] margins
    cdef const float* weights
    cdef const float* duals = &block.duals[i * lanes]
    cdef Row row = row_of(rows, i, rows.dense != NULL)
    # The weights of features that no other row has are the dual variable times the row.
    cdef double value, unshared = rows.unshared[i] if rows.dense == NULL else 0
    for lane in range(lanes):
        margins[lane] = block.intercepts[lane] + unshared * duals[lane]
    for entry in range(row.size):
        value = row.values[entry]
        weights = &block.weights[index_of(&row, entry) * lanes]
        for lane in range(lanes):
            margins[lane] += value * weights[lane]
    for lane in range(children.n_children):
        if best[0] < 0 or margins[lane] > largest[0]:
            largest[0] = margins[lane]
            best[0] = children.first_child + <int32_t>lane
