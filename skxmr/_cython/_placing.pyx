"""Keeps the larger weights of trained children, in the order in which they are stored.

Blocks of children are trained one after another, each with the weights of all features
of its parent; stored are all children's weights of one feature, then of the next.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "include/keep.h" nogil:
    int64_t keep_lanes "skxmr_keep"(
        const float* weights, const float* duals, int width, const int32_t* sources,
        const float* scales, int64_t n_features, float floor, uint32_t lanes, int level,
        uint32_t* bits, int64_t stride, float* kept
    )
    int lowest_bit "skxmr_lowest_bit"(uint64_t bits)


cdef class Placer:
    """Takes the weights of one parent after another."""

    def __init__(
        self,
        uint32_t[::1] bits,        # SCRATCH (n_features * n_blocks,) of any parent
        float[::1] kept,           # SCRATCH (n_features * n_blocks * lanes,)
        int64_t[::1] next_kept,    # SCRATCH (n_blocks + 1,)
        int32_t[::1] features,     # OUT (n_runs,)
        int64_t[::1] run_offsets,  # OUT (n_runs + 1,)
        int32_t[::1] children,     # OUT (n_weights,)
        float[::1] weights,        # OUT (n_weights,)
    ):
        self.bits, self.kept, self.next_kept = bits, kept, next_kept
        self.features, self.run_offsets = features, run_offsets
        self.children, self.weights = children, weights
        self.n_runs = self.n_weights = 0
        self.run_offsets[0] = 0

    def add(
        self,
        const float[:, :, ::1] weights,  # IN (n_blocks, n_columns, lanes)
        const float[:, :, ::1] duals,    # IN (n_blocks, n_rows, lanes)
        const int32_t[::1] sources,      # IN (n_features,): column c or row -1 - r
        const float[::1] scales,         # IN (n_features,)
        const int32_t[::1] features,     # IN (n_features,), ascending
        float floor,                     # magnitude of the smallest weight kept
        int level,                       # of instructions
        int32_t first_child,
        int64_t n_children,              # lanes beyond them are padding
    ):
        """Take the weights of one parent whose blocks have all been trained."""
        cdef int64_t block
        cdef int lanes = <int>weights.shape[2]
        with nogil:
            self.start(features.shape[0], weights.shape[0])
            for block in range(weights.shape[0]):
                self.keep(
                    block, &weights[block, 0, 0], &duals[block, 0, 0],
                    lanes, min(lanes, <int>(n_children - block * lanes)), sources,
                    scales, floor, level,
                )
            self.place(features, lanes, first_child)

    cdef void start(self, int64_t n_features, int64_t n_blocks) noexcept nogil:
        self.n_features, self.n_blocks = n_features, n_blocks
        self.next_kept[0] = 0

    cdef void keep(
        self, int64_t block, const float* weights, const float* duals, int width,
        int n_children, const int32_t[::1] sources, const float[::1] scales,
        float floor, int level,
    ) noexcept nogil:
        """Keep a block's weights of magnitude `floor` or more, but none of 0.

        A feature's weights are those of its column times its scale; of one that a
        single row has, the row's signed dual variables times its scale. Lanes from
        `n_children` on are padding, of which nothing is kept.
        """
        cdef uint32_t lanes = <uint32_t>((<uint64_t>1 << n_children) - 1)
        cdef int64_t first = self.next_kept[block]
        self.next_kept[block + 1] = first
        if self.n_features:
            self.next_kept[block + 1] += keep_lanes(
                weights, duals, width, &sources[0], &scales[0], self.n_features, floor,
                lanes, level, &self.bits[block], self.n_blocks, &self.kept[first],
            )

    cdef void place(
        self, const int32_t[::1] features, int lanes, int32_t first_child
    ) noexcept nogil:
        """Put the weights of all blocks of a parent together, feature by feature."""
        cdef int64_t i, block, position = self.n_weights, before
        cdef uint32_t bits
        cdef int32_t child
        for i in range(self.n_features):
            before = position
            for block in range(self.n_blocks):
                bits = self.bits[i * self.n_blocks + block]
                child = first_child + <int32_t>(block * lanes)
                while bits:
                    self.children[position] = child + lowest_bit(bits)
                    self.weights[position] = self.kept[self.next_kept[block]]
                    bits &= bits - 1
                    self.next_kept[block] += 1
                    position += 1
            if position > before:
                self.features[self.n_runs] = features[i]
                self.n_runs += 1
                self.run_offsets[self.n_runs] = position
        self.n_weights = position
