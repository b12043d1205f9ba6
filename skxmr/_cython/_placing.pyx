"""Keeps the larger weights of trained children, in the order in which they are stored.

Blocks of children are trained one after another, each with the weights of all features
of its parent; stored are all children's weights of one feature, then of the next.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "include/keep.h" nogil:
    int64_t keep_lanes "skxmr_keep"(
        const float* weights, const float* duals, int width, const int32_t* sources,
        const float* scales, int64_t n_features, Floor floor, uint32_t lanes, int level,
        uint32_t* bits, int64_t stride, float* kept, int64_t* n_found
    )
    int lowest_bit "skxmr_lowest_bit"(uint64_t bits)


cdef class Placer:
    """Takes the weights of one parent after another."""

    def __init__(
        self,
        make_room,                 # of a dtype: `skxmr._growing.GrowingArray`
        int64_t[::1] next_kept,    # SCRATCH (n_blocks + 1,) of any parent
    ):
        # What could be written is many times what is: room is made as it is needed.
        self.bits_room, self.kept_room = make_room("u4"), make_room("f4")
        self.features_room, self.offsets_room = make_room("i4"), make_room("i8")
        self.children_room, self.weights_room = make_room("i4"), make_room("f4")
        self.next_kept = next_kept
        self.n_runs = self.n_weights = self.n_found = 0
        self._make_room_for_bits(0)
        self._make_room_for_kept(0, 0)
        self._make_room_for_runs(0)
        self._make_room_for_weights(0)
        self.run_offsets[0] = 0

    # Whoever grows an array must be its only holder.

    cdef int _make_room_for_bits(self, int64_t length) except -1:
        self.bits = None
        self.bits = self.bits_room.lengthen(length, 0)
        return 0

    cdef int _make_room_for_kept(self, int64_t length, int64_t size) except -1:
        self.kept = None
        self.kept = self.kept_room.lengthen(length, size)
        return 0

    cdef int _make_room_for_runs(self, int64_t length) except -1:
        self.features = None
        self.run_offsets = None
        self.features = self.features_room.lengthen(length, self.n_runs)
        self.run_offsets = self.offsets_room.lengthen(length + 1, self.n_runs + 1)
        return 0

    cdef int _make_room_for_weights(self, int64_t length) except -1:
        self.children = None
        self.weights = None
        self.children = self.children_room.lengthen(length, self.n_weights)
        self.weights = self.weights_room.lengthen(length, self.n_weights)
        return 0

    def finish(self):
        """Give all that was kept; nothing can be added any more.

        Returns
        -------
        features, run_offsets, children, weights : ndarray
        """
        self.features = None
        self.run_offsets = None
        self.children = None
        self.weights = None
        return (
            self.features_room.cut(self.n_runs),
            self.offsets_room.cut(self.n_runs + 1),
            self.children_room.cut(self.n_weights),
            self.weights_room.cut(self.n_weights),
        )

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
        bint is_relative=False,          # whether `floor` is a share of the largest
        float most=INFINITY,             # of the largest that counts
    ):
        """Take the weights of one parent whose blocks have all been trained."""
        cdef int64_t block
        cdef int lanes = <int>weights.shape[2]
        cdef Floor kept
        kept.share, kept.most, kept.is_relative = floor, most, is_relative
        with nogil:
            self.start(features.shape[0], weights.shape[0])
            for block in range(weights.shape[0]):
                self.keep(
                    block, &weights[block, 0, 0], &duals[block, 0, 0],
                    lanes, min(lanes, <int>(n_children - block * lanes)), sources,
                    scales, kept, level,
                )
            self.place(features, lanes, first_child)

    cdef int start(self, int64_t n_features, int64_t n_blocks) except -1 nogil:
        """Begin with the next parent, which has at most as many blocks as any."""
        self.n_features, self.n_blocks = n_features, n_blocks
        self.next_kept[0] = 0
        if self.bits.shape[0] < n_features * n_blocks:
            with gil:
                self._make_room_for_bits(n_features * n_blocks)
        return 0

    cdef int keep(
        self, int64_t block, const float* weights, const float* duals, int width,
        int n_children, const int32_t[::1] sources, const float[::1] scales,
        Floor floor, int level,
    ) except -1 nogil:
        """Keep a block's weights of a magnitude as `floor` says, but none of 0.

        A feature's weights are those of its column times its scale; of one that a
        single row has, the row's signed dual variables times its scale. Lanes from
        `n_children` on are padding, of which nothing is kept.
        """
        cdef uint32_t lanes = <uint32_t>((<uint64_t>1 << n_children) - 1)
        cdef int64_t first = self.next_kept[block]
        cdef int64_t most = first + self.n_features * width
        if self.kept.shape[0] < most:
            with gil:
                self._make_room_for_kept(most, first)
        self.next_kept[block + 1] = first
        if self.n_features:
            self.next_kept[block + 1] += keep_lanes(
                weights, duals, width, &sources[0], &scales[0], self.n_features, floor,
                lanes, level, &self.bits[block], self.n_blocks, &self.kept[first],
                &self.n_found,
            )
        return 0

    cdef int place(
        self, const int32_t[::1] features, int lanes, int32_t first_child
    ) except -1 nogil:
        """Put the weights of all blocks of a parent together, feature by feature."""
        cdef int64_t i, block, position = self.n_weights, before
        cdef int64_t n_weights = position + self.next_kept[self.n_blocks]
        cdef uint32_t bits
        cdef int32_t child
        cdef int64_t n_runs = self.n_runs + self.n_features
        # Each by its own length: they do not grow at the same times.
        if self.features.shape[0] < n_runs or self.run_offsets.shape[0] <= n_runs:
            with gil:
                self._make_room_for_runs(n_runs)
        if self.children.shape[0] < n_weights or self.weights.shape[0] < n_weights:
            with gil:
                self._make_room_for_weights(n_weights)
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
        return 0
