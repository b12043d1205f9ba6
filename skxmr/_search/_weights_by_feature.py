"""The weights of a trained tree by feature, as the search for sparse queries reads."""

from itertools import pairwise

import numpy as np

from skxmr._cython._integrity import check_runs
from skxmr._cython._layout import (
    LevelRuns,
    count_postings,
    fill_blocks,
    list_parents,
    place_postings,
    place_runs,
    split_runs,
    start_runs,
)
from skxmr._cython._search_inputs import POSTINGS_OF_MARK
from skxmr._search._weights import LinearWeights, with_precision
from skxmr._utils._compressed import Compressed
from skxmr._utils._loaded_state import (
    check_ascending,
    check_range,
    check_shape,
    refuse,
    to_be_read,
)

__all__ = ["FeatureWeights"]

_MAX_UINT32 = 2**32 - 1
_BITS = 64
_NO_ROW = -1, 0, 0

# A feature of many parents has bits for all, if those are not larger than its parents'
# numbers so many times: bits are looked up, numbers are read through.
_GROWTH_OF_BITS = 2


class FeatureWeights:
    """The weights of all nodes of a tree, sorted by feature.

    A *row* is one feature of one parent, with a run of (child, weight) pairs. The rows
    of one feature lie together, by parent; the runs lie in the order of the rows, the
    pairs of each by child. Features of few parents come first, with the numbers of
    their parents in a list; then those of many parents, with a bit for each parent. Two
    bitmaps with ranks lead from a feature to its rows. All arrays can be read-only and
    memory-mapped.

    Parameters
    ----------
    n_features : int
        Number of features of X.
    kept_features : ndarray of shape (n_kept,), int32
        Where few of very many features are used: those, ascending; bitmaps then hold
        places in this array. Empty: bitmaps hold features themselves.
    words : ndarray of shape (n_words, 4), uint64
        64 bits for 64 features, 1 for those with listed parents; how many such there
        are before; and both again for those with bits.
    row_starts : ndarray of shape (n_listed + 1,), uint32
        The first row of each feature with listed parents, and the end.
    parents : ndarray of shape (n_listed_rows,), uint16 or int32
        The parent of each such row, counted among all nodes; ascending in a feature.
    blocks : ndarray of shape (n_with_bits, n_parents / 64, rounded up, 2), uint64
        For each feature with bits: 64 bits for 64 parents, 1 for those that use it;
        beside them, the first row of these, and 2**32 times its first weight.
    run_marks : ndarray of shape (n_listed_rows / 8, rounded up), uint32
        The first weight of every 8th row of features with listed parents: from there,
        as from the first row of a block, lengths add up.
    run_lengths : ndarray of shape (n_rows,), uint8 or int32
        How many weights each row has, less one.
    entries : ndarray of uint8
        The bytes of each run: its children, each of the type of `run_lengths`, counted
        from their parent's first; then its weights. So a search waits for one place in
        memory.
    weight_precision : {"float32", "float16"}
        The type of the weights.
    """

    def __init__(
        self,
        n_features,
        kept_features,
        words,
        row_starts,
        parents,
        blocks,
        run_marks,
        run_lengths,
        entries,
        weight_precision,
    ):
        self.n_features = n_features
        self.kept_features = kept_features
        self.words = words
        self.row_starts = row_starts
        self.parents = parents
        self.blocks = blocks
        self.run_marks = run_marks
        self.run_lengths = run_lengths
        self.entries = entries
        self.weight_precision = weight_precision

    @classmethod
    def from_levels(cls, child_offsets, levels, n_features, weight_precision):
        """Sort the weights by feature, then parent, then child.

        Parameters
        ----------
        child_offsets : ndarray of shape (n_parents + 1,), int64
        levels : sequence of LinearWeights
        n_features : int
        weight_precision : {"float32", "float16"}

        Returns
        -------
        FeatureWeights

        Raises
        ------
        OverflowError
            If there are 2**32 weights or more.
        """
        n_weights = sum(level.n_weights for level in levels)
        if n_weights > _MAX_UINT32:
            raise OverflowError(
                f"The tree has {n_weights} weights; expected {_MAX_UINT32} at most. "
                f"Raise threshold to drop more of them."
            )
        most_children = int(np.diff(child_offsets).max())
        n_parents = len(child_offsets) - 1
        child_type = np.uint8 if most_children <= 2**8 else np.int32
        parent_type = np.uint16 if n_parents <= 2**16 else np.int32
        kept_features = _kept_features(levels, n_features)
        numbers = [_numbered(level.features, kept_features) for level in levels]
        counts = _count_rows(numbers, len(kept_features) or n_features)
        listed, with_bits = _divide(counts, n_parents, np.dtype(parent_type).itemsize)
        row_starts = _row_starts(counts, listed, with_bits)
        n_rows, n_listed_rows = int(row_starts[-1]), int(row_starts[len(listed)])

        cursors = np.zeros(len(counts), dtype=np.uint32)
        cursors[np.concatenate([listed, with_bits])] = row_starts[:-1]
        parents = np.empty(n_rows, dtype=parent_type)
        run_lengths = np.empty(n_rows, dtype=child_type)
        places = _place_rows(levels, numbers, cursors, parents, run_lengths)
        starts = np.empty(n_rows, dtype=np.uint32)
        start_runs(run_lengths, starts)
        entries = np.empty(
            n_weights * _entry_size(run_lengths, weight_precision), dtype=np.uint8
        )
        for level, placed in zip(levels, places, strict=True):
            place_runs(
                LevelRuns(level.row_offsets, level.run_offsets, level.children),
                _as_bits(with_precision(level.weights, weight_precision)),
                placed,
                starts,
                run_lengths,
                entries,
            )
        blocks = np.zeros((len(with_bits), -(-n_parents // _BITS), 2), dtype=np.uint64)
        fill_blocks(row_starts[len(listed) :], parents, starts, n_weights, blocks)
        return cls(
            n_features,
            kept_features,
            np.hstack([_bitmap(part, len(counts)) for part in (listed, with_bits)]),
            row_starts[: len(listed) + 1].copy(),
            parents[:n_listed_rows].copy(),
            blocks,
            starts[:n_listed_rows:POSTINGS_OF_MARK].copy(),
            run_lengths,
            entries,
            weight_precision,
        )

    @property
    def n_weights(self):
        """Number of stored weights."""
        return len(self.entries) // self.entry_size

    @property
    def entry_size(self):
        """Bytes of a child and a weight."""
        return _entry_size(self.run_lengths, self.weight_precision)

    @property
    def children(self):
        """Which child of its parent each weight is for, from 0: a copy."""
        return self._apart()[0]

    @property
    def weights(self):
        """All weights, in the order of their rows: a copy."""
        return self._apart()[1]

    def _apart(self):
        children = np.empty(self.n_weights, dtype=self.run_lengths.dtype)
        weights = np.empty(self.n_weights, dtype=self.weight_precision)
        split_runs(self.run_lengths, self.entries, children, _as_bits(weights))
        return children, weights

    def check_fits(self, layout):
        """Check the arrays of a loaded model, and how they fit the nodes of a layout.

        Parameters
        ----------
        layout : SearchLayout
        """
        _check_weight_types(layout, self)
        if to_be_read(*(a for a in vars(self).values() if isinstance(a, np.ndarray))):
            _check_features(self)
            _check_runs(layout, self)

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return sum(
            part.nbytes for part in vars(self).values() if isinstance(part, np.ndarray)
        )

    def to_levels(self, child_offsets, level_starts, intercepts):
        """Give the weights back, level by level.

        Parameters
        ----------
        child_offsets, level_starts, intercepts : ndarray
            As in `SearchLayout`.

        Returns
        -------
        list of LinearWeights
        """
        run_offsets = np.zeros(len(self.run_lengths) + 1, dtype=np.int64)
        np.cumsum(self.run_lengths, out=run_offsets[1:])
        run_offsets += np.arange(len(run_offsets))
        children, weights = self._apart()
        runs = Compressed(run_offsets, children, weights, 0)
        features, parents = self._features_of_rows(), self._parents_of_rows()
        # Listed features and those with bits ascend: two runs to be merged.
        by_feature = np.argsort(features, kind="stable")
        # Stable: the features of each parent stay ascending.
        by_parent = by_feature[np.argsort(parents[by_feature], kind="stable")]
        row_offsets = np.searchsorted(
            parents[by_parent], np.arange(len(child_offsets))
        ).astype(np.int64)
        levels = []
        for first, stop in pairwise(level_starts):
            offsets = row_offsets[first : stop + 1]
            rows = by_parent[offsets[0] : offsets[-1]]
            taken = runs.take(rows)
            levels.append(
                LinearWeights(
                    offsets - offsets[0],
                    features[rows],
                    taken.offsets,
                    taken.indices.astype(np.int32),
                    taken.values.astype(np.float32),
                    intercepts[child_offsets[first] - 1 : child_offsets[stop] - 1],
                )
            )
        return levels

    def _features_of_rows(self):
        listed, with_bits = (
            self._features_in(np.ascontiguousarray(self.words[:, i])) for i in (0, 2)
        )
        firsts = self.blocks[:, 0, 1] & _MAX_UINT32
        ends = np.append(firsts, len(self.run_lengths)).astype(np.int64)
        return np.concatenate(
            [
                np.repeat(listed, np.diff(self.row_starts)),
                np.repeat(with_bits, np.diff(ends)),
            ]
        )

    def _features_in(self, bits):
        used = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
        used = used.astype(np.int32)
        return self.kept_features[used] if len(self.kept_features) else used

    def _parents_of_rows(self):
        parents = np.empty(len(self.run_lengths), dtype=self.parents.dtype)
        parents[: len(self.parents)] = self.parents
        list_parents(self.blocks, parents[len(self.parents) :])
        return parents

    def run_of(self, feature, parent):
        """Find the weights of a feature in the models of a parent's children.

        Parameters
        ----------
        feature, parent : int

        Returns
        -------
        children : ndarray of shape (n,), uint8 or int32
            Ascending, counted from the parent's first.
        weights : ndarray of shape (n,), float32 or float16
        """
        row, first, start = self._row_of(feature, parent)
        lengths = self.run_lengths[first : row + 1].astype(np.int64) + 1
        n = lengths[-1] if row >= 0 else 0
        start = (start + int(lengths[:-1].sum())) * self.entry_size
        entries = self.entries[start : start + n * self.entry_size]
        n_bytes = n * self.run_lengths.itemsize
        return (
            np.frombuffer(entries[:n_bytes].tobytes(), self.run_lengths.dtype),
            np.frombuffer(entries[n_bytes:].tobytes(), self.weight_precision),
        )

    def _row_of(self, feature, parent):
        """Find a row; and one at or before it, and where its run starts.

        The row is -1 where there is none.
        """
        place = feature
        if len(self.kept_features):
            place = int(np.searchsorted(self.kept_features, feature))
            if place == len(self.kept_features) or self.kept_features[place] != feature:
                return _NO_ROW
        word = self.words[place // _BITS].tolist()
        bit = place % _BITS
        if word[0] >> bit & 1:
            return self._listed_row(_rank(word[0], word[1], bit), parent)
        if word[2] >> bit & 1:
            return self._row_of_block(_rank(word[2], word[3], bit), parent)
        return _NO_ROW

    def _listed_row(self, used, parent):
        first, stop = self.row_starts[used : used + 2].tolist()
        row = first + int(np.searchsorted(self.parents[first:stop], parent))
        if row == stop or self.parents[row] != parent:
            return _NO_ROW
        mark = row // POSTINGS_OF_MARK
        return row, mark * POSTINGS_OF_MARK, int(self.run_marks[mark])

    def _row_of_block(self, used, parent):
        bits, starts = self.blocks[used, parent // _BITS].tolist()
        if not bits >> parent % _BITS & 1:
            return _NO_ROW
        first = starts & _MAX_UINT32
        return _rank(bits, first, parent % _BITS), first, starts >> 32


def _rank(bits, before, bit):
    """Count the ones before a bit."""
    return before + (bits & ((1 << bit) - 1)).bit_count()


def _entry_size(run_lengths, weight_precision):
    """Count the bytes of a child and a weight; children have the type of lengths."""
    return run_lengths.itemsize + np.dtype(weight_precision).itemsize


def _as_bits(weights):
    """Show halves to kernels, which know no such type."""
    return weights.view(np.uint16) if weights.itemsize == 2 else weights


def _numbered(features, kept_features):
    """Give features their numbers in the bitmaps."""
    if len(kept_features) == 0:
        return features
    return np.searchsorted(kept_features, features).astype(np.int32)


def _count_rows(numbers, n_used):
    """Count the rows of each feature, all levels together."""
    counts = np.zeros(n_used, dtype=np.uint32)
    for features in numbers:
        count_postings(features, counts)
    return counts


def _divide(counts, n_parents, bytes_of_parent):
    """List the features of few parents, and those of many."""
    bytes_of_bits = 16 * -(-n_parents // _BITS)
    bytes_of_list = counts.astype(np.int64) * bytes_of_parent
    has_bits = bytes_of_bits <= _GROWTH_OF_BITS * bytes_of_list
    return np.flatnonzero((counts > 0) & ~has_bits), np.flatnonzero(has_bits)


def _row_starts(counts, listed, with_bits):
    """Find the first row of each used feature, and the end."""
    row_starts = np.zeros(len(listed) + len(with_bits) + 1, dtype=np.uint32)
    np.cumsum(counts[np.concatenate([listed, with_bits])], out=row_starts[1:])
    return row_starts


def _place_rows(levels, numbers, cursors, parents, run_lengths):
    """Fill `parents` and `run_lengths`; give the places of each level's rows."""
    first_parent, places = 0, []
    for level, features in zip(levels, numbers, strict=True):
        placed = np.empty(len(features), dtype=np.uint32)
        place_postings(
            LevelRuns(level.row_offsets, level.run_offsets, level.children),
            features,
            first_parent,
            cursors,
            parents,
            run_lengths,
            placed,
        )
        first_parent += level.n_parents
        places.append(placed)
    return places


def _bitmap(used, n_features):
    """Bits of the features used, 64 a word, beside the number of ones before each."""
    n_words = -(-n_features // _BITS)
    padded = np.zeros(n_words * _BITS, dtype=bool)
    padded[used] = True
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


# Checks of loaded arrays
# -----------------------


def _check_weight_types(layout, weights):
    """Check types, shapes and sizes, which are known without reading."""

    def check(name, *dtypes, shape=(None,)):
        array = getattr(weights, name)
        check_shape(array, dtypes, shape, f"FeatureWeights.{name}")
        return len(array)

    if weights.n_features != layout.n_features:
        refuse("FeatureWeights.n_features", f"is not {layout.n_features}")
    n_parents = len(layout.child_offsets) - 1
    n_used = check("kept_features", np.int32) or layout.n_features
    check("words", np.uint64, shape=(-(-n_used // _BITS), 4))
    check("row_starts", np.uint32)
    n_listed = check("parents", np.uint16, np.int32)
    check("blocks", np.uint64, shape=(None, -(-n_parents // _BITS), 2))
    n_rows = check("run_lengths", np.uint8, np.int32)
    if n_rows < n_listed:
        refuse("FeatureWeights.run_lengths", f"has {n_rows} for {n_listed} rows")
    check("run_marks", np.uint32, shape=(-(-n_listed // POSTINGS_OF_MARK),))
    if weights.weight_precision != layout.weight_precision:
        refuse(
            "FeatureWeights.weight_precision",
            f"is {weights.weight_precision!r:.40}; expected {layout.weight_precision}",
        )
    n_bytes = check("entries", np.uint8)
    if n_bytes % weights.entry_size or n_bytes < n_rows * weights.entry_size:
        refuse("FeatureWeights.entries", f"has {n_bytes} bytes for {n_rows} rows")


def _check_features(weights):
    """Check the bitmaps: they must number the features that have rows."""
    kept, words = weights.kept_features, weights.words
    if len(kept):
        check_range(kept, 0, weights.n_features, "FeatureWeights.kept_features")
        check_ascending(kept, kept[0], kept[-1], "FeatureWeights.kept_features")
    n_bits = len(kept) or weights.n_features
    for bits, n_used in ((0, len(weights.row_starts) - 1), (2, len(weights.blocks))):
        ones = np.bitwise_count(words[:, bits]).astype(np.uint64)
        before = np.concatenate([[np.uint64(0)], np.cumsum(ones, dtype=np.uint64)])
        if not np.array_equal(words[:, bits + 1], before[:-1]):
            refuse("FeatureWeights.words", "has ranks that its bits do not have")
        beyond = int(words[-1, bits]) >> (n_bits - 1) % _BITS >> 1
        if beyond or int(before[-1]) != n_used:
            refuse(
                "FeatureWeights.words",
                f"has bits of {int(before[-1])} features; expected {n_used} below "
                f"{n_bits}",
            )
    if (words[:, 0] & words[:, 2]).any():
        refuse("FeatureWeights.words", "has a feature twice")
    n_listed = len(weights.parents)
    check_ascending(weights.row_starts, 0, n_listed, "FeatureWeights.row_starts")


def _check_runs(layout, weights):
    """Check that all rows and weights are those of nodes that there are."""
    wrong, row, is_finite = check_runs(
        weights.row_starts,
        weights.parents,
        weights.run_marks,
        weights.blocks,
        weights.run_lengths,
        weights.entries,
        weights.weight_precision == "float16",
        layout.child_offsets,
    )
    if not is_finite:
        refuse(
            "FeatureWeights.entries",
            f"has weights that are NaN or infinite at row {row}; expected finite ones",
        )
    if wrong:
        refuse(f"FeatureWeights.{wrong}", f"does not fit the tree at row {row}")
