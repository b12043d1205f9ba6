"""One pass over the rows of a layout that was loaded, before others believe them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

ctypedef fused parent_t:
    uint16_t
    int32_t

ctypedef fused child_t:
    uint8_t
    int32_t

cdef enum:
    LOG_ROWS_OF_MARK = 3

ROWS_OF_MARK = 1 << LOG_ROWS_OF_MARK


cdef enum Wrong:
    NOTHING
    PARENTS
    RUN_LENGTHS
    RUN_MARKS
    CHILDREN


cdef struct Rows:
    int64_t n_parents
    int64_t n_weights
    int64_t start          # first weight of the next row
    const uint32_t* marks
    const int64_t* child_offsets


def check_runs(
    const uint32_t[::1] row_starts,    # IN (n_used + 1,): ascending from 0
    const parent_t[::1] parents,       # IN (n_rows,)
    const child_t[::1] run_lengths,    # IN (n_rows,)
    const uint32_t[::1] run_marks,     # IN (n_rows / 8, rounded up)
    const child_t[::1] children,       # IN (n_weights,)
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,): ascending
):
    """Tell which array of a `SearchLayout` is wrong first, and at which row.

    Returns
    -------
    wrong : str
        Empty where all fit.
    row : int
    """
    cdef Rows rows
    cdef int64_t feature, row = 0, n_rows = parents.shape[0]
    cdef int64_t parent, before
    cdef Wrong wrong = NOTHING
    if run_lengths.shape[0] != n_rows or row_starts[row_starts.shape[0] - 1] != n_rows:
        return "run_lengths", 0
    if run_marks.shape[0] << LOG_ROWS_OF_MARK < n_rows:
        return "run_marks", 0
    if n_rows == 0:
        return ("children" if children.shape[0] else ""), 0
    rows.n_parents = child_offsets.shape[0] - 1
    rows.n_weights = children.shape[0]
    rows.start = 0
    rows.marks = &run_marks[0]
    rows.child_offsets = &child_offsets[0]
    with nogil:
        for feature in range(row_starts.shape[0] - 1):
            before = -1
            while row < row_starts[feature + 1]:
                parent = parents[row]
                if not before < parent < rows.n_parents:
                    wrong = PARENTS
                    break
                before = parent
                wrong = check_run(&rows, row, parent, run_lengths[row], children)
                if wrong != NOTHING:
                    break
                row += 1
            if wrong != NOTHING:
                break
    if wrong == NOTHING and rows.start != rows.n_weights:
        wrong = CHILDREN
    names = ["", "parents", "run_lengths", "run_marks", "children"]
    return names[<int>wrong], row


cdef inline Wrong check_run(
    Rows* rows, int64_t row, int64_t parent, int64_t length, const child_t[::1] children
) noexcept nogil:
    """Check one row; its length is one less than it has weights."""
    cdef int64_t entry, before = -1, child
    cdef int64_t n_children = (
        rows.child_offsets[parent + 1] - rows.child_offsets[parent]
    )
    cdef bint fits = True
    if not row & ((1 << LOG_ROWS_OF_MARK) - 1):
        if rows.marks[row >> LOG_ROWS_OF_MARK] != rows.start:
            return RUN_MARKS
    if length < 0 or length >= n_children or length >= rows.n_weights - rows.start:
        return RUN_LENGTHS
    # Without a branch: mostly all is well.
    for entry in range(rows.start, rows.start + length + 1):
        child = children[entry]
        fits &= before < child
        before = child
    if not fits or before >= n_children:
        return CHILDREN
    rows.start += length + 1
    return NOTHING
