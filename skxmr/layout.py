"""The compact layout of a trained tree, as the search reads it."""

import numpy as np
from scipy import sparse

from skxmr._compressed import Compressed
from skxmr._cython._search import ROWS_OF_MARK
from skxmr._version import refuse_newer
from skxmr.node_weights import NodeWeights
from skxmr.weights import LinearWeights

__all__ = ["LAYOUT_VERSION", "SearchLayout"]

# Raised when the arrays of SearchLayout change their meaning.
LAYOUT_VERSION = 1

_MAX_UINT32 = np.iinfo(np.uint32).max
_BITS = 64

# The arrays that hold one level after another, in the order of the columns of `bases`.
_BASES = ("row_starts", "parents", "run_marks", "weights")


class SearchLayout:
    """A label tree and the weights of its nodes, laid out for the search.

    Nodes are numbered level by level, the root 0, children of one node
    consecutively. The weights of a level are sorted by feature, then by parent, then
    by child: a *row* is one feature of one parent, with a run of (child, weight)
    pairs. A bitmap with ranks leads from a feature to its rows. All arrays can be
    read-only and memory-mapped.

    Parameters
    ----------
    n_features : int
        Number of features of X.
    kept_features : ndarray of shape (n_kept,), int32
        Where few of very many features are used: those, ascending; bitmaps then hold
        places in this array. Empty: bitmaps hold features themselves.
    child_offsets : ndarray of shape (n_parents + 1,), int64
        The children of node i are ``child_offsets[i]`` to ``child_offsets[i + 1]``.
    level_starts : ndarray of shape (n_levels + 1,), int64
        First node of each level, the root's included.
    labels : ndarray of shape (n_labels,), int32
        Column of each node of the last level.
    bases : ndarray of shape (n_levels, 4), int64
        Where each level begins in `row_starts`, in `parents` and `run_lengths`, in
        `run_marks`, and in `children` and `weights`.
    words : ndarray of shape (n_levels, n_words, 2), uint64
        Of each level, 64 bits for 64 features, 1 for those used; beside them, how
        many are used before.
    row_starts : ndarray of uint32
        Of each level, the first row of each used feature, and the end.
    parents : ndarray of shape (n_rows,), uint16 or int32
        The parent of each row, counted in its level.
    run_lengths : ndarray of shape (n_rows,), uint8 or int32
        How many weights each row has, less one.
    run_marks : ndarray of uint32
        Of each level, the first weight of every 8th row: from there, lengths add up.
    children : ndarray of shape (n_weights,), uint8 or int32
        Which child of its parent, from 0.
    weights : ndarray of shape (n_weights,), float32
    intercepts : ndarray of shape (n_nodes - 1,), float32
        Of every node but the root; see `LinearWeights` for infinite ones.

    Attributes
    ----------
    by_node : NodeWeights or None
        The same weights for dense queries, where such are expected.
    """

    by_node = None

    def __init__(
        self,
        n_features,
        kept_features,
        child_offsets,
        level_starts,
        labels,
        bases,
        words,
        row_starts,
        parents,
        run_lengths,
        run_marks,
        children,
        weights,
        intercepts,
    ):
        self.version = LAYOUT_VERSION
        self.n_features = n_features
        self.kept_features = kept_features
        self.child_offsets = child_offsets
        self.level_starts = level_starts
        self.labels = labels
        self.bases = bases
        self.words = words
        self.row_starts = row_starts
        self.parents = parents
        self.run_lengths = run_lengths
        self.run_marks = run_marks
        self.children = children
        self.weights = weights
        self.intercepts = intercepts
        # What a search allocates by.
        sizes = self.level_sizes
        self.widest_level = max(sizes)
        self.widest_parents = max(sizes[:-1])
        self.most_children = int(np.diff(child_offsets).max())

    @classmethod
    def from_levels(cls, tree, levels, n_features, *, by_node=False):
        """Lay out a tree, or its upper levels, with their weights.

        Parameters
        ----------
        tree : LabelTree
        levels : sequence of LinearWeights
            Of the first levels of the tree, or of all.
        n_features : int
        by_node : bool, default=False
            Whether to hold the weights node by node as well, for dense queries.

        Returns
        -------
        SearchLayout

        Raises
        ------
        OverflowError
            If a level has 2**32 weights or more.
        """
        sizes = tree.level_sizes[: len(levels) + 1]
        level_starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        offsets = [
            tree.child_offsets[level] + level_starts[level + 1]
            for level in range(len(levels))
        ]
        most_children = max(int(np.diff(level).max()) for level in offsets)
        child_type = np.uint8 if most_children <= 2**8 else np.int32
        parent_type = np.uint16 if max(sizes[:-1]) <= 2**16 else np.int32
        kept = _kept_features(levels, n_features)
        sorted_levels = [_by_feature(level, kept, n_features) for level in levels]
        counts = [
            [len(getattr(level, name)) for name in _BASES] for level in sorted_levels
        ]
        bases = np.cumsum([[0] * len(_BASES), *counts[:-1]], axis=0, dtype=np.int64)

        def join(name):
            return np.concatenate([getattr(level, name) for level in sorted_levels])

        layout = cls(
            n_features,
            kept,
            # The last offset of each level is the first of the next.
            np.concatenate([*(level[:-1] for level in offsets[:-1]), offsets[-1]]),
            level_starts,
            np.ascontiguousarray(tree.labels, dtype=np.int32),
            bases,
            np.stack([level.words for level in sorted_levels]),
            join("row_starts"),
            join("parents").astype(parent_type),
            join("run_lengths").astype(child_type),
            join("run_marks"),
            join("children").astype(child_type),
            join("weights"),
            np.concatenate([level.intercepts for level in levels]),
        )
        if by_node:
            layout.by_node = NodeWeights.from_levels(tree, levels, n_features)
        return layout

    def __setstate__(self, state):
        refuse_newer(state, LAYOUT_VERSION, "This model")
        self.__dict__.update(state)

    def to_levels(self):
        """Give the weights back, level by level.

        Returns
        -------
        list of LinearWeights
        """
        return [self._level(level) for level in range(self.n_levels)]

    def _level(self, level):
        starts, rows, entries = (
            self._part(level, name) for name in ("row_starts", "parents", "weights")
        )
        n_parents = self.level_sizes[level]
        lengths = self.run_lengths[rows].astype(np.int64) + 1
        by_feature = sparse.csc_array(
            (
                np.arange(rows.stop - rows.start),
                self.parents[rows].astype(np.int32),
                self.row_starts[starts].astype(np.int64),
            ),
            shape=(n_parents, starts.stop - starts.start - 1),
        )
        by_parent = by_feature.tocsr()
        runs = Compressed(
            np.concatenate([[0], np.cumsum(lengths)]),
            self.children[entries].astype(np.int32),
            self.weights[entries],
            0,
        ).take(by_parent.data)
        return LinearWeights(
            by_parent.indptr.astype(np.int64),
            self._features(level)[by_parent.indices],
            runs.offsets,
            runs.indices,
            runs.values,
            self.intercepts[self.level_starts[level + 1] - 1 :][
                : self.level_sizes[level + 1]
            ],
        )

    def _part(self, level, name):
        """Slice of a level in the array of that name."""
        bases = self.bases[:, _BASES.index(name)]
        last = level + 1 == self.n_levels
        stop = len(getattr(self, name)) if last else int(bases[level + 1])
        return slice(int(bases[level]), stop)

    def _features(self, level):
        """List the features that a level uses, ascending."""
        bits = np.ascontiguousarray(self.words[level, :, 0]).view(np.uint8)
        used = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
        used = used.astype(np.int32)
        return self.kept_features[used] if len(self.kept_features) else used

    @property
    def level_sizes(self):
        """Number of nodes of each level, from the root down."""
        n_nodes = len(self.intercepts) + 1
        return np.diff(np.append(self.level_starts, n_nodes)).tolist()

    @property
    def n_levels(self):
        """Number of levels below the root."""
        return len(self.level_starts) - 1

    @property
    def n_labels(self):
        """Number of labels."""
        return len(self.labels)

    @property
    def n_weights(self):
        """Number of stored weights, intercepts not counted."""
        return len(self.weights)

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return sum(
            part.nbytes
            for part in vars(self).values()
            if isinstance(part, (np.ndarray, NodeWeights))
        )

    def most_reached(self, beam_width):
        """Count the labels that a search of that width reaches at most."""
        if beam_width is None or self.n_levels == 1:
            return self.n_labels
        n_children = np.diff(self.child_offsets[self.level_starts[-2] :])
        return min(self.n_labels, beam_width * int(n_children.max()))


class _SortedLevel:
    """The weights of one level by feature, then parent, then child."""

    def __init__(self, words, row_starts, parents, runs, weights):
        self.words = words
        self.row_starts = row_starts
        self.parents = parents
        self.run_lengths = np.diff(runs.offsets) - 1
        self.run_marks = runs.offsets[:-1:ROWS_OF_MARK].astype(np.uint32)
        self.children = runs.indices
        self.weights = runs.values
        self.intercepts = weights.intercepts


def _by_feature(weights, kept_features, n_features):
    if weights.n_weights > _MAX_UINT32:
        raise OverflowError(
            f"A level has {weights.n_weights} weights; expected {_MAX_UINT32} at "
            f"most. Raise threshold to drop more of them."
        )
    features = weights.features
    if len(kept_features):
        features = np.searchsorted(kept_features, features)
        n_features = len(kept_features)
    by_parent = sparse.csr_array(
        (np.arange(len(features)), features, weights.row_offsets),
        shape=(weights.n_parents, n_features),
    )
    by_feature = by_parent.tocsc()
    used = np.diff(by_feature.indptr) > 0
    runs = Compressed(weights.run_offsets, weights.children, weights.weights, 0).take(
        by_feature.data
    )
    starts = np.append(by_feature.indptr[:-1][used], len(features))
    return _SortedLevel(
        _bitmap(used),
        starts.astype(np.uint32),
        by_feature.indices.astype(np.int32),
        runs,
        weights,
    )


def _bitmap(used):
    """Bits of the features used, 64 a word, beside the number of ones before each."""
    n_words = -(-len(used) // _BITS)
    padded = np.zeros(n_words * _BITS, dtype=bool)
    padded[: len(used)] = used
    words = np.empty((n_words, 2), dtype=np.uint64)
    words[:, 0] = np.packbits(padded, bitorder="little").view(np.uint64)
    ones = padded.reshape(n_words, _BITS).sum(axis=1)
    words[:, 1] = np.cumsum(ones) - ones
    return words


def _kept_features(levels, n_features):
    """List the features that any level uses, if bitmaps of all would be a waste."""
    n_rows = sum(len(level.features) for level in levels)
    if n_features <= 32 * n_rows + 1024:
        return np.empty(0, dtype=np.int32)
    return np.unique(np.concatenate([level.features for level in levels]))
