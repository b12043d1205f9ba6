"""The compact layout of a trained tree, as the search reads it."""

import numpy as np

from skxmr._compressed import Compressed
from skxmr._cython._layout import count_rows, place_rows, place_runs, start_runs
from skxmr._cython._search import ROWS_OF_MARK, Searcher
from skxmr._integrity import as_value_errors, check_layout
from skxmr._version import refuse_newer
from skxmr.node_weights import NodeWeights
from skxmr.restriction import LabelPlaces
from skxmr.weights import LinearWeights

__all__ = ["LAYOUT_VERSION", "SearchLayout"]

# Raised when the arrays of SearchLayout change their meaning.
LAYOUT_VERSION = 2

_MAX_UINT32 = np.iinfo(np.uint32).max
_BITS = 64


class SearchLayout:
    """A label tree and the weights of its nodes, laid out for the search.

    Nodes are numbered level by level, the root 0, children of one node
    consecutively. The weights of all levels are sorted by feature, then by parent,
    then by child: a *row* is one feature of one parent, with a run of (child, weight)
    pairs. A bitmap with ranks leads from a feature to its rows, which lie together.
    All arrays can be read-only and memory-mapped.

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
    words : ndarray of shape (n_words, 2), uint64
        64 bits for 64 features, 1 for those used; beside them, how many are used
        before.
    row_starts : ndarray of shape (n_used + 1,), uint32
        The first row of each used feature, and the end.
    parents : ndarray of shape (n_rows,), uint16 or int32
        The parent of each row, counted among all nodes; ascending in a feature.
    run_lengths : ndarray of shape (n_rows,), uint8 or int32
        How many weights each row has, less one.
    run_marks : ndarray of shape (n_rows / 8, rounded up), uint32
        The first weight of every 8th row: from there, lengths add up.
    children : ndarray of shape (n_weights,), uint8 or int32
        Which child of its parent, from 0.
    weights : ndarray of shape (n_weights,), float32 or float16
    intercepts : ndarray of shape (n_nodes - 1,), float32
        Of every node but the root; see `LinearWeights` for infinite ones.

    Attributes
    ----------
    by_node : NodeWeights or None
        The same weights for dense queries, where such are expected.
    """

    # These stay out of __dict__, which is what is saved and compared.
    __slots__ = ("__dict__", "__weakref__", "_places", "_searcher")

    _places: LabelPlaces

    _searcher: Searcher
    by_node = None

    def __init__(
        self,
        n_features,
        kept_features,
        child_offsets,
        level_starts,
        labels,
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
    def from_levels(
        cls, tree, levels, n_features, *, by_node=False, weight_precision="float32"
    ):
        """Lay out a tree, or its upper levels, with their weights.

        Parameters
        ----------
        tree : LabelTree
        levels : sequence of LinearWeights
            Of the first levels of the tree, or of all.
        n_features : int
        by_node : bool, default=False
            Whether to hold the weights node by node as well, for dense queries.
        weight_precision : {"float32", "float16"}, default="float32"
            The type of `weights`. Half precision keeps three digits of each; weights
            beyond its largest number, 65504, become that. Those for dense queries
            are rounded too, but not made smaller.

        Returns
        -------
        SearchLayout

        Raises
        ------
        OverflowError
            If there are 2**32 weights or more.
        """
        sizes = tree.level_sizes[: len(levels) + 1]
        level_starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        by_level = [
            tree.child_offsets[level] + level_starts[level + 1]
            for level in range(len(levels))
        ]
        # The last offset of each level is the first of the next.
        offsets = np.concatenate([*(one[:-1] for one in by_level[:-1]), by_level[-1]])
        kept = _kept_features(levels, n_features)
        layout = cls(
            n_features,
            kept,
            offsets,
            level_starts,
            np.ascontiguousarray(tree.labels, dtype=np.int32),
            intercepts=np.concatenate([level.intercepts for level in levels]),
            **_by_feature(levels, offsets, kept, n_features, weight_precision),
        )
        if by_node:
            if weight_precision != "float32":
                levels = layout.to_levels()  # the same rounded weights
            layout.by_node = NodeWeights.from_levels(tree, levels, n_features)
        return layout

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        refuse_newer(state, LAYOUT_VERSION, "This model")
        _refuse_older(state)
        self.__dict__.update(state)
        with as_value_errors("SearchLayout"):
            self._check_arrays()

    def _check_arrays(self):
        check_layout(self)

    def __sizeof__(self):
        # Dask asks, and sends what is large to each worker once.
        return object.__sizeof__(self) + self.nbytes

    @property
    def searcher(self):
        """What searches this layout; made at the first search, never saved."""
        try:
            return self._searcher
        except AttributeError:
            self._searcher = self._make_searcher()
            return self._searcher

    @property
    def places(self):
        """Where the labels stand; found at the first restricted search, never saved."""
        try:
            return self._places
        except AttributeError:
            self._places = LabelPlaces(self)
            return self._places

    def _make_searcher(self):
        return Searcher(
            self.n_features,
            self.kept_features,
            self.child_offsets,
            self.level_starts,
            self.labels,
            self.words,
            self.row_starts,
            self.parents,
            self.run_lengths,
            self.run_marks,
            self.children,
            self.weights,
            self.intercepts,
            widest_level=self.widest_level,
            most_children=self.most_children,
        )

    @property
    def weight_precision(self):
        """The type of the weights: "float32" or "float16"."""
        return self.weights.dtype.name

    def to_levels(self):
        """Give the weights back, level by level.

        Returns
        -------
        list of LinearWeights
        """
        run_offsets = np.zeros(len(self.parents) + 1, dtype=np.int64)
        np.cumsum(self.run_lengths, out=run_offsets[1:])
        run_offsets += np.arange(len(run_offsets))
        runs = Compressed(run_offsets, self.children, self.weights, 0)
        features = np.repeat(self._used_features(), np.diff(self.row_starts))
        # Stable: the features of each parent stay ascending.
        by_parent = np.argsort(self.parents, kind="stable")
        row_offsets = np.searchsorted(
            self.parents[by_parent], np.arange(len(self.child_offsets))
        )
        return [
            self._level(level, row_offsets, by_parent, features, runs)
            for level in range(self.n_levels)
        ]

    def _level(self, level, row_offsets, by_parent, features, runs):
        first, stop = self.level_starts[level : level + 2]
        row_offsets = row_offsets[first : stop + 1].astype(np.int64)
        rows = by_parent[row_offsets[0] : row_offsets[-1]]
        runs = runs.take(rows)
        return LinearWeights(
            row_offsets - row_offsets[0],
            features[rows],
            runs.offsets,
            runs.indices.astype(np.int32),
            runs.values.astype(np.float32),
            self.intercepts[stop - 1 :][: self.level_sizes[level + 1]],
        )

    def _used_features(self):
        """List the features that the tree uses, ascending."""
        bits = np.ascontiguousarray(self.words[:, 0]).view(np.uint8)
        used = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
        used = used.astype(np.int32)
        return self.kept_features[used] if len(self.kept_features) else used

    def rows_of(self, feature):
        """Give the first row of a feature, and the one beyond its last."""
        place = feature
        if len(self.kept_features):
            place = int(np.searchsorted(self.kept_features, feature))
            if place == len(self.kept_features) or self.kept_features[place] != feature:
                return 0, 0
        word, before = self.words[place // _BITS].tolist()
        bit = place % _BITS
        if not word >> bit & 1:
            return 0, 0
        used = before + (word & ((1 << bit) - 1)).bit_count()
        return int(self.row_starts[used]), int(self.row_starts[used + 1])

    def run_of(self, row):
        """Give the slice of a row's weights and children."""
        mark = row // ROWS_OF_MARK
        lengths = self.run_lengths[mark * ROWS_OF_MARK : row + 1].astype(np.int64) + 1
        start = int(self.run_marks[mark]) + int(lengths[:-1].sum())
        return slice(start, start + int(lengths[-1]))

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


def _refuse_older(state):
    version = state.get("version", 0)
    if version < LAYOUT_VERSION:
        raise ValueError(
            f"This model was saved with layout version {version}, which this skxmr "
            f"reads no more; expected version {LAYOUT_VERSION}. Fit it again."
        )


def _by_feature(levels, child_offsets, kept_features, n_features, weight_precision):
    """Sort the weights by feature, then parent, then child.

    Returns
    -------
    dict of str to ndarray
        The arrays of `SearchLayout` that hold rows and weights.
    """
    n_weights = sum(level.n_weights for level in levels)
    if n_weights > _MAX_UINT32:
        raise OverflowError(
            f"The tree has {n_weights} weights; expected {_MAX_UINT32} at most. Raise "
            f"threshold to drop more of them."
        )
    most_children = int(np.diff(child_offsets).max())
    child_type = np.uint8 if most_children <= 2**8 else np.int32
    parent_type = np.uint16 if len(child_offsets) - 1 <= 2**16 else np.int32
    numbers = [_numbered(level.features, kept_features) for level in levels]
    n_used = len(kept_features) or n_features
    row_starts = _count_rows(numbers, n_used)
    parents = np.empty(row_starts[-1], dtype=parent_type)
    run_lengths = np.empty(row_starts[-1], dtype=child_type)
    places = _place_rows(levels, numbers, row_starts, parents, run_lengths)
    starts = np.empty(row_starts[-1], dtype=np.uint32)
    start_runs(run_lengths, starts)
    children = np.empty(n_weights, dtype=child_type)
    weights = np.empty(n_weights, dtype=np.float32)
    for level, placed in zip(levels, places, strict=True):
        place_runs(
            level.run_offsets,
            level.children,
            level.weights,
            placed,
            starts,
            children,
            weights,
        )
    used = np.diff(row_starts) > 0
    return {
        "words": _bitmap(used),
        "row_starts": np.append(row_starts[:-1][used], row_starts[-1:]),
        "parents": parents,
        "run_lengths": run_lengths,
        "run_marks": starts[::ROWS_OF_MARK].copy(),
        "children": children,
        "weights": _with_precision(weights, weight_precision),
    }


def _numbered(features, kept_features):
    """Give features their numbers in the bitmaps."""
    if len(kept_features) == 0:
        return features
    return np.searchsorted(kept_features, features).astype(np.int32)


def _count_rows(numbers, n_used):
    """Find the first row of each feature, all levels together, and the end."""
    counts = np.zeros(n_used, dtype=np.uint32)
    for features in numbers:
        count_rows(features, counts)
    row_starts = np.zeros(n_used + 1, dtype=np.uint32)
    np.cumsum(counts, out=row_starts[1:])
    return row_starts


def _place_rows(levels, numbers, row_starts, parents, run_lengths):
    """Fill `parents` and `run_lengths`; give the places of each level's rows."""
    cursors = row_starts[:-1].copy()
    first_parent, places = 0, []
    for level, features in zip(levels, numbers, strict=True):
        placed = np.empty(len(features), dtype=np.uint32)
        place_rows(
            level.row_offsets,
            features,
            level.run_offsets,
            first_parent,
            cursors,
            parents,
            run_lengths,
            placed,
        )
        first_parent += level.n_parents
        places.append(placed)
    return places


def _with_precision(weights, precision):
    if precision == "float32":
        return weights
    largest = np.finfo(precision).max
    return np.clip(weights, -largest, largest).astype(precision)


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
