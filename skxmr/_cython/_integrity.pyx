"""One pass over the rows of weights that were loaded, before others believe them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

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
    BLOCKS
    CHILDREN

NAMES = ["", "parents", "run_lengths", "run_marks", "blocks", "children"]


cdef struct Rows:
    int64_t n_parents
    int64_t n_weights
    int64_t n_rows
    int64_t row            # the one to be checked next
    int64_t start          # its first weight
    const int64_t* child_offsets


def check_runs(
    const uint32_t[::1] row_starts,     # IN (n_listed + 1,): ascending from 0
    const parent_t[::1] parents,        # IN (n_listed_rows,)
    const uint32_t[::1] run_marks,      # IN (n_rows / 8, rounded up)
    const uint64_t[:, :, ::1] blocks,   # IN (n_with_bits, n_parents / 64, 2)
    const child_t[::1] run_lengths,     # IN (n_rows,)
    const child_t[::1] children,        # IN (n_weights,)
    const int64_t[::1] child_offsets,   # IN (n_parents + 1,): ascending
):
    """Tell which array of `FeatureWeights` is wrong first, and at which row.

    Returns
    -------
    wrong : str
        Empty where all fit.
    row : int
    """
    cdef Rows rows
    cdef int64_t n_listed = parents.shape[0]
    cdef Wrong wrong
    if row_starts[row_starts.shape[0] - 1] != n_listed:
        return "row_starts", 0
    if run_marks.shape[0] << LOG_ROWS_OF_MARK < run_lengths.shape[0]:
        return "run_marks", 0
    if run_lengths.shape[0] < n_listed:
        return "run_lengths", 0
    rows.n_parents = child_offsets.shape[0] - 1
    rows.n_weights = children.shape[0]
    rows.n_rows = run_lengths.shape[0]
    rows.row = rows.start = 0
    rows.child_offsets = &child_offsets[0]
    with nogil:
        wrong = check_listed(
            &rows, row_starts, parents, run_marks, run_lengths, children
        )
        if wrong == NOTHING:
            wrong = check_blocks(&rows, blocks, run_marks, run_lengths, children)
    if wrong == NOTHING and rows.row != rows.n_rows:
        wrong = RUN_LENGTHS
    if wrong == NOTHING and rows.start != rows.n_weights:
        wrong = CHILDREN
    return NAMES[<int>wrong], rows.row


cdef Wrong check_listed(
    Rows* rows, const uint32_t[::1] row_starts, const parent_t[::1] parents,
    const uint32_t[::1] run_marks, const child_t[::1] run_lengths,
    const child_t[::1] children,
) noexcept nogil:
    """Check the rows of features whose parents are listed."""
    cdef int64_t feature, parent, before
    cdef Wrong wrong
    for feature in range(row_starts.shape[0] - 1):
        before = -1
        while rows.row < row_starts[feature + 1]:
            parent = parents[rows.row]
            if not before < parent < rows.n_parents:
                return PARENTS
            before = parent
            wrong = check_run(rows, parent, run_marks, run_lengths, children)
            if wrong != NOTHING:
                return wrong
    return NOTHING


cdef Wrong check_blocks(
    Rows* rows, const uint64_t[:, :, ::1] blocks, const uint32_t[::1] run_marks,
    const child_t[::1] run_lengths, const child_t[::1] children,
) noexcept nogil:
    """Check the rows of features that have a bit for each parent."""
    cdef int64_t feature, block, bit
    cdef uint64_t bits
    cdef Wrong wrong
    for feature in range(blocks.shape[0]):
        for block in range(blocks.shape[1]):
            bits = blocks[feature, block, 0]
            if blocks[feature, block, 1] != <uint64_t>rows.row:
                return BLOCKS
            for bit in range(64):
                if not (bits >> bit) & 1:
                    continue
                if 64 * block + bit >= rows.n_parents or rows.row >= rows.n_rows:
                    return BLOCKS
                wrong = check_run(
                    rows, 64 * block + bit, run_marks, run_lengths, children
                )
                if wrong != NOTHING:
                    return wrong
    return NOTHING


cdef inline Wrong check_run(
    Rows* rows, int64_t parent, const uint32_t[::1] run_marks,
    const child_t[::1] run_lengths, const child_t[::1] children,
) noexcept nogil:
    """Check one row, and go to the next; its length is one less than it has weights."""
    cdef int64_t entry, before = -1, child, length = run_lengths[rows.row]
    cdef int64_t n_children = (
        rows.child_offsets[parent + 1] - rows.child_offsets[parent]
    )
    cdef bint fits = True
    if not rows.row & ((1 << LOG_ROWS_OF_MARK) - 1):
        if run_marks[rows.row >> LOG_ROWS_OF_MARK] != rows.start:
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
    rows.row += 1
    return NOTHING
