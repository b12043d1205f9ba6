"""One pass over the rows of weights that were loaded, before others believe them."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from skxmr._cython._search_inputs cimport LOG_POSTINGS_OF_MARK, child_t, parent_t

# The bits of floats and of halves.
ctypedef fused weight_t:
    uint32_t
    uint16_t

cdef enum:
    NOT_FINITE = 0x7F800000        # from these bits on, the sign apart
    HALF_NOT_FINITE = 0x7C00


cdef enum Wrong:
    NOTHING
    PARENTS
    RUN_LENGTHS
    RUN_MARKS
    BLOCKS
    ENTRIES
    NUMBERS

NAMES = ["", "parents", "run_lengths", "run_marks", "blocks", "entries", "entries"]


cdef struct Rows:
    int64_t n_parents
    int64_t n_weights
    int64_t n_rows
    int64_t row            # the one to be checked next
    int64_t start          # its first weight
    const int64_t* child_offsets
    const uint8_t* entries
    bint is_half


def check_runs(
    const uint32_t[::1] row_starts,     # IN (n_listed + 1,): ascending from 0
    const parent_t[::1] parents,        # IN (n_listed_rows,)
    const uint32_t[::1] run_marks,      # IN (n_listed_rows / 8, rounded up)
    const uint64_t[:, :, ::1] blocks,   # IN (n_with_bits, n_parents / 64, 2)
    const child_t[::1] run_lengths,     # IN (n_rows,)
    const uint8_t[::1] entries,         # IN, of each run: children, then weights
    bint is_half,                       # are weights of half precision
    const int64_t[::1] child_offsets,   # IN (n_parents + 1,): ascending
):
    """Tell which array of `FeatureWeights` is wrong first, and at which row.

    Returns
    -------
    wrong : str
        Empty where all fit.
    row : int
    is_finite : bool
        False where the entries have a weight that is not.
    """
    cdef Rows rows
    cdef int64_t n_listed = parents.shape[0]
    cdef Wrong wrong
    if row_starts[row_starts.shape[0] - 1] != n_listed:
        return "row_starts", 0, True
    if run_marks.shape[0] << LOG_POSTINGS_OF_MARK < n_listed:
        return "run_marks", 0, True
    if run_lengths.shape[0] < n_listed:
        return "run_lengths", 0, True
    rows.n_parents = child_offsets.shape[0] - 1
    rows.n_weights = entries.shape[0] // (
        <int64_t>sizeof(child_t) + (2 if is_half else 4)
    )
    rows.entries = &entries[0] if entries.shape[0] else NULL
    rows.is_half = is_half
    rows.n_rows = run_lengths.shape[0]
    rows.row = rows.start = 0
    rows.child_offsets = &child_offsets[0]
    with nogil:
        wrong = check_listed(&rows, row_starts, parents, run_marks, run_lengths)
        if wrong == NOTHING:
            wrong = check_blocks(&rows, blocks, run_lengths)
    if wrong == NOTHING and rows.row != rows.n_rows:
        wrong = RUN_LENGTHS
    if wrong == NOTHING and rows.start != rows.n_weights:
        wrong = ENTRIES
    return NAMES[<int>wrong], rows.row, wrong != NUMBERS


cdef Wrong check_listed(
    Rows* rows, const uint32_t[::1] row_starts, const parent_t[::1] parents,
    const uint32_t[::1] run_marks, const child_t[::1] run_lengths,
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
            if not rows.row & ((1 << LOG_POSTINGS_OF_MARK) - 1):
                if run_marks[rows.row >> LOG_POSTINGS_OF_MARK] != rows.start:
                    return RUN_MARKS
            wrong = check_run(rows, parent, run_lengths)
            if wrong != NOTHING:
                return wrong
    return NOTHING


cdef Wrong check_blocks(
    Rows* rows, const uint64_t[:, :, ::1] blocks, const child_t[::1] run_lengths,
) noexcept nogil:
    """Check the rows of features that have a bit for each parent."""
    cdef int64_t feature, block, bit
    cdef uint64_t bits, starts
    cdef Wrong wrong
    for feature in range(blocks.shape[0]):
        for block in range(blocks.shape[1]):
            bits = blocks[feature, block, 0]
            starts = <uint64_t>rows.row | <uint64_t>rows.start << 32
            if blocks[feature, block, 1] != starts:
                return BLOCKS
            for bit in range(64):
                if not (bits >> bit) & 1:
                    continue
                if 64 * block + bit >= rows.n_parents or rows.row >= rows.n_rows:
                    return BLOCKS
                wrong = check_run(rows, 64 * block + bit, run_lengths)
                if wrong != NOTHING:
                    return wrong
    return NOTHING


cdef inline Wrong check_run(
    Rows* rows, int64_t parent, const child_t[::1] run_lengths
) noexcept nogil:
    """Check one row, and go to the next; its length is one less than it has weights."""
    cdef int64_t length = run_lengths[rows.row]
    cdef int64_t n_children = (
        rows.child_offsets[parent + 1] - rows.child_offsets[parent]
    )
    cdef const uint8_t* run = rows.entries
    cdef bint is_finite
    if length < 0 or length >= n_children or length >= rows.n_weights - rows.start:
        return RUN_LENGTHS
    length += 1
    run += rows.start * (<int64_t>sizeof(child_t) + (2 if rows.is_half else 4))
    if not are_children(run, length, n_children, run_lengths[rows.row]):
        return ENTRIES
    run += length * sizeof(child_t)
    if rows.is_half:
        is_finite = are_finite(run, length, <uint16_t>HALF_NOT_FINITE)
    else:
        is_finite = are_finite(run, length, <uint32_t>NOT_FINITE)
    if not is_finite:
        return NUMBERS
    rows.start += length
    rows.row += 1
    return NOTHING


cdef inline bint are_children(
    const uint8_t* run, int64_t n, int64_t n_children, child_t child
) noexcept nogil:
    """Whether n children of the type of `child` ascend, and are fewer than all."""
    cdef int64_t i, before = -1
    cdef bint fits = True
    # Without a branch: mostly all is well.
    for i in range(n):
        memcpy(&child, run + i * <int64_t>sizeof(child_t), sizeof(child_t))
        fits &= before < child
        before = child
    return fits and before < n_children


cdef inline bint are_finite(
    const uint8_t* weights, int64_t n, weight_t not_finite
) noexcept nogil:
    cdef int64_t i
    cdef weight_t bits
    cdef bint fits = True
    for i in range(n):
        memcpy(&bits, weights + i * <int64_t>sizeof(weight_t), sizeof(weight_t))
        fits &= (bits & ((<weight_t>1 << (8 * sizeof(weight_t) - 1)) - 1)) < not_finite
    return fits
