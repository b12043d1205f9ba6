"""Puts the weights of all levels in the order in which the searches read them.

A *posting* is one feature of one parent, with a run of (child, weight) pairs; see
`LinearWeights` for those of a level, `FeatureWeights` and `NodeWeights` for the order.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from skxmr._cython._search_inputs cimport child_t, parent_t

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

cdef enum:
    AHEAD = 12  # postings, prefetched since they lie anywhere in memory

# uint16 are the bits of half-precision numbers.
ctypedef fused weight_t:
    float
    uint16_t

# Features of nodes are numbered by 16 bits where those are enough.
ctypedef fused feature_t:
    uint16_t
    int32_t


cdef class LevelRuns:
    """The postings of one level, as `LinearWeights` holds them, without the weights.
    """

    cdef const int64_t[::1] posting_offsets
    cdef const int64_t[::1] run_offsets
    cdef const int32_t[::1] children

    def __init__(
        self,
        const int64_t[::1] posting_offsets,  # IN (n_parents + 1,)
        const int64_t[::1] run_offsets,      # IN (n_postings + 1,)
        const int32_t[::1] children,         # IN (n_weights,), counted in their parent
    ):
        self.posting_offsets = posting_offsets
        self.run_offsets = run_offsets
        self.children = children


# By feature
# ----------

def count_postings(
    const int32_t[::1] features,   # IN (n_postings,): of one level
    uint32_t[::1] counts,          # IN and OUT (n_features,)
):
    """Count the postings of each feature."""
    cdef int64_t posting
    with nogil:
        for posting in range(features.shape[0]):
            counts[features[posting]] += 1


def place_postings(
    LevelRuns level not None,        # IN
    const int32_t[::1] features,     # IN (n_postings,): of one level
    int64_t first_parent,
    uint32_t[::1] cursors,           # IN and OUT (n_features,): next position of each
    parent_t[::1] parents,           # OUT, by position
    child_t[::1] run_lengths,        # OUT, by position: less one
    uint32_t[::1] positions,         # OUT (n_postings,)
):
    """Give each posting its position: by feature, and of one feature by parent.

    Levels are to come one after the other, so that parents ascend.
    """
    cdef int64_t parent, posting
    cdef uint32_t position
    cdef const int64_t[::1] posting_offsets = level.posting_offsets
    cdef const int64_t[::1] run_offsets = level.run_offsets
    with nogil:
        for parent in range(posting_offsets.shape[0] - 1):
            for posting in range(posting_offsets[parent], posting_offsets[parent + 1]):
                position = cursors[features[posting]]
                cursors[features[posting]] += 1
                positions[posting] = position
                parents[position] = <parent_t>(first_parent + parent)
                run_lengths[position] = <child_t>(
                    run_offsets[posting + 1] - run_offsets[posting] - 1
                )


def start_runs(
    const child_t[::1] run_lengths,  # IN (n_postings,): less one
    uint32_t[::1] starts,            # OUT (n_postings,)
):
    """Add up the lengths of runs, to where each begins."""
    cdef int64_t posting
    cdef uint32_t start = 0
    with nogil:
        for posting in range(run_lengths.shape[0]):
            starts[posting] = start
            start += <uint32_t>run_lengths[posting] + 1


def place_runs(
    LevelRuns level not None,        # IN
    const weight_t[::1] weights,     # IN (n_weights,)
    const uint32_t[::1] positions,   # IN (n_postings,)
    const uint32_t[::1] starts,      # IN, by position: where the run begins
    const child_t[::1] run_lengths,  # IN, by position: of the type of children
    uint8_t[::1] entries,            # OUT: of each run, children before weights
):
    """Copy each run of (child, weight) pairs to its position."""
    cdef int64_t posting, first, n, ahead, n_postings = positions.shape[0]
    cdef size_t size = sizeof(child_t) + sizeof(weight_t)
    cdef const int64_t[::1] run_offsets = level.run_offsets
    cdef const int32_t[::1] children = level.children
    with nogil:
        for posting in range(n_postings):
            if posting + 2 * AHEAD < n_postings:
                prefetch(&starts[positions[posting + 2 * AHEAD]])
                ahead = starts[positions[posting + AHEAD]]
                prefetch(&entries[ahead * size])
            first = run_offsets[posting]
            n = run_offsets[posting + 1] - first
            if n:
                copy_run(
                    &children[first], &weights[first], n, run_lengths[0],
                    &entries[starts[positions[posting]] * size],
                )


cdef inline void copy_run(
    const int32_t* children, const weight_t* weights, int64_t n, child_t child,
    uint8_t* entries,
) noexcept nogil:
    """Write a run; the type of `child` is the type written."""
    cdef int64_t i
    for i in range(n):
        child = <child_t>children[i]
        memcpy(entries, &child, sizeof(child_t))
        entries += sizeof(child_t)
    memcpy(entries, weights, n * sizeof(weight_t))


def split_runs(
    const child_t[::1] run_lengths,  # IN (n_postings,): less one
    const uint8_t[::1] entries,      # IN: of each run, children before weights
    child_t[::1] children,           # OUT (n_weights,)
    weight_t[::1] weights,           # OUT (n_weights,)
):
    """Separate the children and the weights of all runs."""
    cdef int64_t posting, n, start = 0
    cdef const uint8_t* entry
    with nogil:
        for posting in range(run_lengths.shape[0]):
            n = <int64_t>run_lengths[posting] + 1
            entry = &entries[start * <int64_t>(sizeof(child_t) + sizeof(weight_t))]
            memcpy(&children[start], entry, n * sizeof(child_t))
            memcpy(&weights[start], entry + n * sizeof(child_t), n * sizeof(weight_t))
            start += n


def fill_blocks(
    const uint32_t[::1] posting_starts,  # IN (n_features + 1,): the postings of each
    const parent_t[::1] parents,         # IN (n_postings,)
    const uint32_t[::1] starts,          # IN (n_postings,): where its run begins
    uint32_t n_weights,
    uint64_t[:, :, ::1] blocks,          # IN, zeros, and OUT (n_features, n_blocks, 2)
):
    """Set the bits of parents, and store the first posting and weight of each 64."""
    cdef int64_t feature, block
    cdef uint64_t posting, start
    with nogil:
        for feature in range(blocks.shape[0]):
            posting = posting_starts[feature]
            for block in range(blocks.shape[1]):
                start = n_weights
                if posting < <uint64_t>starts.shape[0]:
                    start = starts[posting]
                blocks[feature, block, 1] = posting | start << 32
                while (
                    posting < posting_starts[feature + 1]
                    and parents[posting] >> 6 == block
                ):
                    blocks[feature, block, 0] |= <uint64_t>1 << (parents[posting] & 63)
                    posting += 1


def list_parents(
    const uint64_t[:, :, ::1] blocks,  # IN (n_features, n_blocks, 2)
    parent_t[::1] parents,             # OUT (n_postings,)
):
    """Turn the bits of parents into their numbers."""
    cdef int64_t feature, block, bit, posting = 0
    with nogil:
        for feature in range(blocks.shape[0]):
            for block in range(blocks.shape[1]):
                for bit in range(64):
                    if (blocks[feature, block, 0] >> bit) & 1:
                        parents[posting] = <parent_t>(64 * block + bit)
                        posting += 1


# By node
# -------

def count_by_node(
    LevelRuns level not None,          # IN
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,): children in their level
    int64_t[::1] counts,               # IN and OUT (n_children,)
):
    """Add the number of its weights to each node's count."""
    cdef int64_t parent, entry
    cdef const int64_t[::1] posting_offsets = level.posting_offsets
    cdef const int64_t[::1] run_offsets = level.run_offsets
    cdef const int32_t[::1] children = level.children
    with nogil:
        for parent in range(posting_offsets.shape[0] - 1):
            for entry in range(
                run_offsets[posting_offsets[parent]],
                run_offsets[posting_offsets[parent + 1]],
            ):
                counts[child_offsets[parent] + children[entry]] += 1


def order_by_node(
    LevelRuns level not None,          # IN
    const int32_t[::1] row_features,   # IN (n_postings,), ascending in a parent
    const float[::1] weights,          # IN (n_weights,)
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,): children in their level
    int64_t[::1] cursors,              # IN and OUT (n_children,): where each begins
    feature_t[::1] features,           # OUT: of each node, ascending
    float[::1] ordered,                # OUT: of each node, the weights
):
    """Put the weights of each node one after another."""
    cdef int64_t parent, posting, entry, child, position
    cdef const int64_t[::1] posting_offsets = level.posting_offsets
    cdef const int64_t[::1] run_offsets = level.run_offsets
    cdef const int32_t[::1] children = level.children
    with nogil:
        for parent in range(posting_offsets.shape[0] - 1):
            for posting in range(posting_offsets[parent], posting_offsets[parent + 1]):
                for entry in range(run_offsets[posting], run_offsets[posting + 1]):
                    child = child_offsets[parent] + children[entry]
                    position = cursors[child]
                    cursors[child] = position + 1
                    features[position] = <feature_t>row_features[posting]
                    ordered[position] = weights[entry]
