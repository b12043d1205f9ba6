"""Checks the postings of loaded weights in one pass, before other kernels use them."""

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


cdef struct Postings:
    int64_t n_parents
    int64_t n_weights
    int64_t n_postings
    int64_t next           # the one to be checked next
    int64_t start          # its first weight
    const int64_t* child_offsets
    const uint8_t* entries
    bint is_half


def check_runs(
    const uint32_t[::1] posting_starts,     # IN (n_listed + 1,): ascending from 0
    const parent_t[::1] parents,        # IN (n_listed_postings,)
    const uint32_t[::1] run_marks,      # IN (n_listed_postings / 8, rounded up)
    const uint64_t[:, :, ::1] blocks,   # IN (n_with_bits, n_parents / 64, 2)
    const child_t[::1] run_lengths,     # IN (n_postings,)
    const uint8_t[::1] entries,         # IN, of each run: children, then weights
    bint is_half,                       # are weights of half precision
    const int64_t[::1] child_offsets,   # IN (n_parents + 1,): ascending
):
    """Find the first array of `FeatureWeights` that is inconsistent, and where.

    Returns
    -------
    wrong : str
        Empty if all arrays are consistent.
    posting : int
    is_finite : bool
        False if the entries have a weight that is NaN or infinite.
    """
    cdef Postings postings
    cdef int64_t n_listed = parents.shape[0]
    cdef Wrong wrong
    if posting_starts[posting_starts.shape[0] - 1] != n_listed:
        return "posting_starts", 0, True
    if run_marks.shape[0] << LOG_POSTINGS_OF_MARK < n_listed:
        return "run_marks", 0, True
    if run_lengths.shape[0] < n_listed:
        return "run_lengths", 0, True
    postings.n_parents = child_offsets.shape[0] - 1
    postings.n_weights = entries.shape[0] // (
        <int64_t>sizeof(child_t) + (2 if is_half else 4)
    )
    postings.entries = &entries[0] if entries.shape[0] else NULL
    postings.is_half = is_half
    postings.n_postings = run_lengths.shape[0]
    postings.next = postings.start = 0
    postings.child_offsets = &child_offsets[0]
    with nogil:
        wrong = check_listed(&postings, posting_starts, parents, run_marks, run_lengths)
        if wrong == NOTHING:
            wrong = check_blocks(&postings, blocks, run_lengths)
    if wrong == NOTHING and postings.next != postings.n_postings:
        wrong = RUN_LENGTHS
    if wrong == NOTHING and postings.start != postings.n_weights:
        wrong = ENTRIES
    return NAMES[<int>wrong], postings.next, wrong != NUMBERS


cdef Wrong check_listed(
    Postings* postings, const uint32_t[::1] posting_starts,
    const parent_t[::1] parents, const uint32_t[::1] run_marks,
    const child_t[::1] run_lengths,
) noexcept nogil:
    """Check the postings of features whose parents are listed."""
    cdef int64_t feature, parent, before
    cdef Wrong wrong
    for feature in range(posting_starts.shape[0] - 1):
        before = -1
        while postings.next < posting_starts[feature + 1]:
            parent = parents[postings.next]
            if not before < parent < postings.n_parents:
                return PARENTS
            before = parent
            if not postings.next & ((1 << LOG_POSTINGS_OF_MARK) - 1):
                if run_marks[postings.next >> LOG_POSTINGS_OF_MARK] != postings.start:
                    return RUN_MARKS
            wrong = check_run(postings, parent, run_lengths)
            if wrong != NOTHING:
                return wrong
    return NOTHING


cdef Wrong check_blocks(
    Postings* postings, const uint64_t[:, :, ::1] blocks,
    const child_t[::1] run_lengths,
) noexcept nogil:
    """Check the postings of features that have a bit for each parent."""
    cdef int64_t feature, block, bit
    cdef uint64_t bits, starts
    cdef Wrong wrong
    for feature in range(blocks.shape[0]):
        for block in range(blocks.shape[1]):
            bits = blocks[feature, block, 0]
            starts = <uint64_t>postings.next | <uint64_t>postings.start << 32
            if blocks[feature, block, 1] != starts:
                return BLOCKS
            for bit in range(64):
                if not (bits >> bit) & 1:
                    continue
                if (
                    64 * block + bit >= postings.n_parents
                    or postings.next >= postings.n_postings
                ):
                    return BLOCKS
                wrong = check_run(postings, 64 * block + bit, run_lengths)
                if wrong != NOTHING:
                    return wrong
    return NOTHING


cdef inline Wrong check_run(
    Postings* postings, int64_t parent, const child_t[::1] run_lengths
) noexcept nogil:
    """Check the next posting; its stored length is its number of weights less one."""
    cdef int64_t length = run_lengths[postings.next]
    cdef int64_t n_children = (
        postings.child_offsets[parent + 1] - postings.child_offsets[parent]
    )
    cdef const uint8_t* run = postings.entries
    cdef bint is_finite
    if (
        length < 0
        or length >= n_children
        or length >= postings.n_weights - postings.start
    ):
        return RUN_LENGTHS
    length += 1
    run += postings.start * (<int64_t>sizeof(child_t) + (2 if postings.is_half else 4))
    if not are_children(run, length, n_children, run_lengths[postings.next]):
        return ENTRIES
    run += length * sizeof(child_t)
    if postings.is_half:
        is_finite = are_finite(run, length, <uint16_t>HALF_NOT_FINITE)
    else:
        is_finite = are_finite(run, length, <uint32_t>NOT_FINITE)
    if not is_finite:
        return NUMBERS
    postings.start += length
    postings.next += 1
    return NOTHING


cdef inline bint are_children(
    const uint8_t* run, int64_t n, int64_t n_children, child_t child
) noexcept nogil:
    """Whether n children, of the type of `child`, ascend and are all below n_children.
    """
    cdef int64_t i, before = -1
    cdef bint fits = True
    # Branch-free, since nearly all runs are valid.
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
