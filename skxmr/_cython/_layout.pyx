"""Puts the weights of all levels in the order in which the search reads them."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

# Rows whose place in memory is asked for before it is needed: they lie anywhere.
cdef enum:
    AHEAD = 12

ctypedef fused child_t:
    uint8_t
    int32_t

ctypedef fused parent_t:
    uint16_t
    int32_t

# uint16 are the bits of half-precision numbers.
ctypedef fused weight_t:
    float
    uint16_t


def count_rows(
    const int32_t[::1] features,   # IN (n_rows,): of one level
    uint32_t[::1] counts,          # IN and OUT (n_features,)
):
    """Count the rows of each feature."""
    cdef int64_t row
    with nogil:
        for row in range(features.shape[0]):
            counts[features[row]] += 1


def place_rows(
    const int64_t[::1] row_offsets,  # IN (n_parents + 1,): the rows of each parent
    const int32_t[::1] features,     # IN (n_rows,): of one level
    const int64_t[::1] run_offsets,  # IN (n_rows + 1,)
    int64_t first_parent,
    uint32_t[::1] cursors,           # IN and OUT (n_features,): the next place of each
    parent_t[::1] parents,           # OUT, by place
    child_t[::1] run_lengths,        # OUT, by place: less one
    uint32_t[::1] places,            # OUT (n_rows,)
):
    """Give each row its place: by feature, and of one feature by parent.

    Levels are to come one after the other, so that parents ascend.
    """
    cdef int64_t parent, row
    cdef uint32_t place
    with nogil:
        for parent in range(row_offsets.shape[0] - 1):
            for row in range(row_offsets[parent], row_offsets[parent + 1]):
                place = cursors[features[row]]
                cursors[features[row]] += 1
                places[row] = place
                parents[place] = <parent_t>(first_parent + parent)
                run_lengths[place] = <child_t>(
                    run_offsets[row + 1] - run_offsets[row] - 1
                )


def start_runs(
    const child_t[::1] run_lengths,  # IN (n_rows,): less one
    uint32_t[::1] starts,            # OUT (n_rows,)
):
    """Add up the lengths of runs, to where each begins."""
    cdef int64_t row
    cdef uint32_t start = 0
    with nogil:
        for row in range(run_lengths.shape[0]):
            starts[row] = start
            start += <uint32_t>run_lengths[row] + 1


def place_runs(
    const int64_t[::1] run_offsets,  # IN (n_rows + 1,): of one level
    const int32_t[::1] children,     # IN (n_weights,)
    const weight_t[::1] weights,     # IN (n_weights,)
    const uint32_t[::1] places,      # IN (n_rows,)
    const uint32_t[::1] starts,      # IN, by place: where the run begins
    const child_t[::1] run_lengths,  # IN, by place: of the type of children
    uint8_t[::1] entries,            # OUT: of each run, children before weights
):
    """Copy each run of (child, weight) pairs to its place."""
    cdef int64_t row, first, n, ahead, n_rows = places.shape[0]
    cdef size_t size = sizeof(child_t) + sizeof(weight_t)
    with nogil:
        for row in range(n_rows):
            if row + 2 * AHEAD < n_rows:
                prefetch(&starts[places[row + 2 * AHEAD]])
                ahead = starts[places[row + AHEAD]]
                prefetch(&entries[ahead * size])
            first = run_offsets[row]
            n = run_offsets[row + 1] - first
            if n:
                copy_run(
                    &children[first], &weights[first], n, run_lengths[0],
                    &entries[starts[places[row]] * size],
                )


cdef inline void copy_run(
    const int32_t* children, const weight_t* weights, int64_t n, child_t child,
    uint8_t* entries,
) noexcept nogil:
    """Write a run; `child` is of the type of what is written."""
    cdef int64_t i
    for i in range(n):
        child = <child_t>children[i]
        memcpy(entries, &child, sizeof(child_t))
        entries += sizeof(child_t)
    memcpy(entries, weights, n * sizeof(weight_t))


def split_runs(
    const child_t[::1] run_lengths,  # IN (n_rows,): less one
    const uint8_t[::1] entries,      # IN: of each run, children before weights
    child_t[::1] children,           # OUT (n_weights,)
    weight_t[::1] weights,           # OUT (n_weights,)
):
    """Take the children and the weights of all runs apart."""
    cdef int64_t row, n, start = 0
    cdef const uint8_t* entry
    with nogil:
        for row in range(run_lengths.shape[0]):
            n = <int64_t>run_lengths[row] + 1
            entry = &entries[start * <int64_t>(sizeof(child_t) + sizeof(weight_t))]
            memcpy(&children[start], entry, n * sizeof(child_t))
            memcpy(&weights[start], entry + n * sizeof(child_t), n * sizeof(weight_t))
            start += n


def fill_blocks(
    const uint32_t[::1] row_starts,  # IN (n_features + 1,): the rows of each
    const parent_t[::1] parents,     # IN, by row
    const uint32_t[::1] starts,      # IN, by row: where its run begins
    uint32_t n_weights,
    uint64_t[:, :, ::1] blocks,      # IN, all 0, and OUT (n_features, n_blocks, 2)
):
    """Set the bits of parents, and note the first row and weight of each 64."""
    cdef int64_t feature, block
    cdef uint64_t row, start
    with nogil:
        for feature in range(blocks.shape[0]):
            row = row_starts[feature]
            for block in range(blocks.shape[1]):
                start = starts[row] if row < <uint64_t>starts.shape[0] else n_weights
                blocks[feature, block, 1] = row | start << 32
                while row < row_starts[feature + 1] and parents[row] >> 6 == block:
                    blocks[feature, block, 0] |= <uint64_t>1 << (parents[row] & 63)
                    row += 1


def list_parents(
    const uint64_t[:, :, ::1] blocks,  # IN (n_features, n_blocks, 2)
    parent_t[::1] parents,             # OUT, by row
):
    """Turn the bits of parents into their numbers."""
    cdef int64_t feature, block, bit, row = 0
    with nogil:
        for feature in range(blocks.shape[0]):
            for block in range(blocks.shape[1]):
                for bit in range(64):
                    if (blocks[feature, block, 0] >> bit) & 1:
                        parents[row] = <parent_t>(64 * block + bit)
                        row += 1
