"""Writes the larger weights of trained children in the order in which they are stored.

Blocks of children are trained one after another, each giving the weights of all
features of the parent. The stored order is by feature: the weights of all children for
one feature are a run, followed by that of the next feature.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "include/keep.h" nogil:
    ctypedef struct BlockWeights "skxmr_block_weights":
        const float* weights
        const float* duals
        int width
        uint32_t lanes
        const int32_t* sources
        const float* scales
        int64_t n_features

    int64_t keep_weights "skxmr_keep"(
        BlockWeights block, Floor floor, int level, uint32_t* bits, int64_t stride,
        float* kept, int64_t* n_found
    )
    int lowest_bit "skxmr_lowest_bit"(uint64_t bits)


cdef class WeightsWriter:
    """Takes the weights of one parent after another.

    Parameters
    ----------
    make_array : callable
        Makes a growing array of a dtype, such as `skxmr._memory._growing.GrowingArray`.
        Only a small share of the weights is kept, so memory is allocated on demand.
    floor : float
        Weights of a smaller magnitude are dropped, and all of 0.
    is_relative : bool
        Whether `floor` is a share, at most 1, of the largest magnitude among the
        weights of the same child.
    most : float
        Of that magnitude no more counts.
    simd_level : int
        Index into `SIMD_LEVELS`.

    Attributes
    ----------
    n_runs, n_weights : int
        How many runs and weights are kept so far.
    n_found : int
        How many weights were not 0.
    """

    def __init__(
        self, make_array, *, float floor=0, bint is_relative=False,
        float most=INFINITY, int simd_level=0,
    ):
        self.floor.share, self.floor.most = floor, most
        self.floor.is_relative, self.simd_level = is_relative, simd_level
        self.growing_bits, self.growing_kept = make_array("u4"), make_array("f4")
        self.growing_next_kept = make_array("i8")
        self.growing_features, self.growing_offsets = make_array("i4"), make_array("i8")
        self.growing_children = make_array("i4")
        self.growing_weights = make_array("f4")
        self.n_runs = self.n_weights = self.n_found = 0
        self._lengthen_bits(0)
        self._lengthen_kept(0, 0)
        self._lengthen_next_kept(1)
        self._lengthen_runs(0)
        self._lengthen_weights(0)
        self.run_offsets[0] = 0

    # An array can be lengthened in place only if no view of it is left.

    cdef int _lengthen_bits(self, int64_t length) except -1:
        self.bits = None
        self.bits = self.growing_bits.lengthen(length, 0)
        return 0

    cdef int _lengthen_kept(self, int64_t length, int64_t size) except -1:
        self.kept = None
        self.kept = self.growing_kept.lengthen(length, size)
        return 0

    cdef int _lengthen_next_kept(self, int64_t length) except -1:
        self.next_kept = None
        self.next_kept = self.growing_next_kept.lengthen(length, 0)
        return 0

    cdef int _lengthen_runs(self, int64_t length) except -1:
        self.run_features = None
        self.run_offsets = None
        self.run_features = self.growing_features.lengthen(length, self.n_runs)
        self.run_offsets = self.growing_offsets.lengthen(length + 1, self.n_runs + 1)
        return 0

    cdef int _lengthen_weights(self, int64_t length) except -1:
        self.children = None
        self.weights = None
        self.children = self.growing_children.lengthen(length, self.n_weights)
        self.weights = self.growing_weights.lengthen(length, self.n_weights)
        return 0

    def finish(self):
        """Return all that was kept; nothing can be added any more.

        Returns
        -------
        features : ndarray of shape (n_runs,), int32
        run_offsets : ndarray of shape (n_runs + 1,), int64
        children : ndarray of shape (n_weights,), int32
        weights : ndarray of shape (n_weights,), float32
        """
        self.run_features = None
        self.run_offsets = None
        self.children = None
        self.weights = None
        return (
            self.growing_features.cut(self.n_runs),
            self.growing_offsets.cut(self.n_runs + 1),
            self.growing_children.cut(self.n_weights),
            self.growing_weights.cut(self.n_weights),
        )

    def add(
        self,
        const float[:, :, ::1] weights,  # IN (n_blocks, n_columns, lanes)
        const float[:, :, ::1] duals,    # IN (n_blocks, n_rows, lanes)
        *,
        const int32_t[::1] features,     # IN (n_features,), ascending
        const int32_t[::1] sources,      # IN (n_features,): column c or row -1 - r
        const float[::1] scales,         # IN (n_features,)
        int32_t first_child,
        int64_t n_children,              # lanes beyond them are padding
    ):
        """Take the weights of one parent whose blocks have all been trained."""
        cdef int64_t block
        cdef int lanes = <int>weights.shape[2]
        with nogil:
            self.start(features, sources, scales, features.shape[0], weights.shape[0])
            for block in range(weights.shape[0]):
                self.keep(
                    block, &weights[block, 0, 0], &duals[block, 0, 0], lanes,
                    min(lanes, <int>(n_children - block * lanes)),
                )
            self.write(lanes, first_child)

    cdef int start(
        self, const int32_t[::1] features, const int32_t[::1] sources,
        const float[::1] scales, int64_t n_features, int64_t n_blocks,
    ) except -1 nogil:
        """Begin with the next parent."""
        self.features, self.sources, self.scales = features, sources, scales
        self.n_features, self.n_blocks = n_features, n_blocks
        if self.bits.shape[0] < n_features * n_blocks:
            with gil:
                self._lengthen_bits(n_features * n_blocks)
        if self.next_kept.shape[0] <= n_blocks:
            with gil:
                self._lengthen_next_kept(n_blocks + 1)
        self.next_kept[0] = 0
        return 0

    cdef int keep(
        self, int64_t block, const float* weights, const float* duals, int width,
        int n_children,
    ) except -1 nogil:
        """Keep the larger weights of one block, the next of the parent.

        Lanes from `n_children` on are padding, of which nothing is kept.
        """
        cdef BlockWeights one
        cdef int64_t first = self.next_kept[block]
        cdef int64_t most = first + self.n_features * width
        if self.kept.shape[0] < most:
            with gil:
                self._lengthen_kept(most, first)
        self.next_kept[block + 1] = first
        if self.n_features == 0:
            return 0
        one.weights, one.duals, one.width = weights, duals, width
        one.lanes = <uint32_t>((<uint64_t>1 << n_children) - 1)
        one.sources, one.scales = &self.sources[0], &self.scales[0]
        one.n_features = self.n_features
        self.next_kept[block + 1] += keep_weights(
            one, self.floor, self.simd_level, &self.bits[block], self.n_blocks,
            &self.kept[first], &self.n_found,
        )
        return 0

    cdef int write(self, int lanes, int32_t first_child) except -1 nogil:
        """Write the kept weights of all blocks of the parent, feature by feature."""
        cdef int64_t i, block, position = self.n_weights, before
        cdef int64_t n_weights = position + self.next_kept[self.n_blocks]
        cdef uint32_t bits
        cdef int32_t child
        cdef int64_t n_runs = self.n_runs + self.n_features
        # Each by its own length: the two arrays do not grow at the same time.
        if self.run_features.shape[0] < n_runs or self.run_offsets.shape[0] <= n_runs:
            with gil:
                self._lengthen_runs(n_runs)
        if self.children.shape[0] < n_weights or self.weights.shape[0] < n_weights:
            with gil:
                self._lengthen_weights(n_weights)
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
                self.run_features[self.n_runs] = self.features[i]
                self.n_runs += 1
                self.run_offsets[self.n_runs] = position
        self.n_weights = position
        return 0
