"""The weights of a trained tree by feature, as the search for sparse queries reads."""

from itertools import pairwise

import numpy as np

from skxmr._cython._layout import list_parents, split_runs
from skxmr._cython._loaded_state import check_runs
from skxmr._cython._search_inputs import POSTINGS_OF_MARK
from skxmr._search._sorting_by_feature import as_bits, size_of_entry, sort_by_feature
from skxmr._search._weights import LinearWeights
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
_NO_POSTING = -1, 0, 0


class FeatureWeights:
    """The weights of all nodes of a tree, sorted by feature.

    A *posting* is one feature of one parent, with a run of (child, weight) pairs.
    Postings are sorted by feature and then by parent, runs in the same order, and the
    pairs of each run by child. First come *listed* features, of few parents, whose
    parents are in a list; then features of many parents, with a bit for each parent.
    Two bitmaps with ranks lead from a feature to its postings. All arrays can be
    read-only and memory-mapped.

    Parameters
    ----------
    n_features : int
        Number of features of X.
    kept_features : ndarray of shape (n_kept,), int32
        If few of very many features are used: these, ascending; the bitmaps then hold
        indices into this array. If empty, they hold the features themselves.
    words : ndarray of shape (n_words, 4), uint64
        64 bits for 64 features, 1 for listed ones; the number of listed features
        before them; and both again for features with bits.
    posting_starts : ndarray of shape (n_listed_features + 1,), uint32
        The first posting of each listed feature, and the end.
    parents : ndarray of shape (n_listed,), uint16 or int32
        The parent of each posting of a listed feature, numbered among all nodes;
        ascending within a feature.
    blocks : ndarray of shape (n_with_bits, n_parents / 64, rounded up, 2), uint64
        For each feature with bits: 64 bits for 64 parents, 1 for those that use it;
        beside them, the first posting of these, plus 2**32 times its first weight.
    run_marks : ndarray of shape (n_listed / 8, rounded up), uint32
        The first weight of every 8th posting of listed features. The start of another
        run is the sum of the lengths from there, or from the first posting of a block.
    run_lengths : ndarray of shape (n_postings,), uint8 or int32
        The number of weights of each posting, less one.
    entries : ndarray of uint8
        The bytes of each run: its children, of the type of `run_lengths` and numbered
        from their parent's first, then its weights. So a search waits for memory once.
    weight_precision : {"float32", "float16"}
        The type of the weights.
    """

    def __init__(
        self,
        n_features,
        kept_features,
        words,
        posting_starts,
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
        self.posting_starts = posting_starts
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
        arrays = sort_by_feature(child_offsets, levels, n_features, weight_precision)
        return cls(n_features, **arrays, weight_precision=weight_precision)

    @property
    def n_weights(self):
        """Number of stored weights."""
        return len(self.entries) // self.entry_size

    @property
    def entry_size(self):
        """Bytes of a child and a weight."""
        return size_of_entry(self.run_lengths, self.weight_precision)

    @property
    def children(self):
        """The child of each weight, numbered from its parent's first: a copy."""
        return self._split_runs()[0]

    @property
    def weights(self):
        """All weights, in the order of their postings: a copy."""
        return self._split_runs()[1]

    def _split_runs(self):
        children = np.empty(self.n_weights, dtype=self.run_lengths.dtype)
        weights = np.empty(self.n_weights, dtype=self.weight_precision)
        split_runs(self.run_lengths, self.entries, children, as_bits(weights))
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
        """Return the weights of each level.

        Parameters
        ----------
        child_offsets, intercepts : ndarray
            As in `SearchLayout`.
        level_starts : ndarray
            As in `SearchLayout`; fewer for the first levels alone.

        Returns
        -------
        list of LinearWeights
        """
        run_offsets = np.zeros(len(self.run_lengths) + 1, dtype=np.int64)
        np.cumsum(self.run_lengths, out=run_offsets[1:])
        run_offsets += np.arange(len(run_offsets))
        children, weights = self._split_runs()
        runs = Compressed(run_offsets, children, weights, 0)
        features, parents = self._features_of_postings(), self._parents_of_postings()
        wanted = np.flatnonzero(parents < level_starts[-1])
        # Merge listed features and those with bits, which both ascend.
        by_feature = wanted[np.argsort(features[wanted], kind="stable")]
        # Stable: the features of each parent stay ascending.
        by_parent = by_feature[np.argsort(parents[by_feature], kind="stable")]
        posting_offsets = np.searchsorted(
            parents[by_parent], np.arange(level_starts[-1] + 1)
        ).astype(np.int64)
        levels = []
        for first, stop in pairwise(level_starts):
            offsets = posting_offsets[first : stop + 1]
            postings = by_parent[offsets[0] : offsets[-1]]
            taken = runs.take(postings)
            levels.append(
                LinearWeights(
                    offsets - offsets[0],
                    features[postings],
                    taken.offsets,
                    taken.indices.astype(np.int32),
                    taken.values.astype(np.float32),
                    intercepts[child_offsets[first] - 1 : child_offsets[stop] - 1],
                )
            )
        return levels

    def _features_of_postings(self):
        listed, with_bits = (
            self._features_in(np.ascontiguousarray(self.words[:, i])) for i in (0, 2)
        )
        firsts = self.blocks[:, 0, 1] & _MAX_UINT32
        ends = np.append(firsts, len(self.run_lengths)).astype(np.int64)
        return np.concatenate(
            [
                np.repeat(listed, np.diff(self.posting_starts)),
                np.repeat(with_bits, np.diff(ends)),
            ]
        )

    def _features_in(self, bits):
        used = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
        used = used.astype(np.int32)
        return self.kept_features[used] if len(self.kept_features) else used

    def _parents_of_postings(self):
        parents = np.empty(len(self.run_lengths), dtype=self.parents.dtype)
        parents[: len(self.parents)] = self.parents
        list_parents(self.blocks, parents[len(self.parents) :])
        return parents

    def unmapped(self):
        """Return the same weights in arrays that share the memory.

        Items and slices of `numpy.memmap` take ten times as long as those of an array.

        Returns
        -------
        FeatureWeights
        """
        return FeatureWeights(
            **{
                name: np.asarray(value) if isinstance(value, np.ndarray) else value
                for name, value in vars(self).items()
            }
        )

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
        posting, first, start = self._posting_of(feature, parent)
        entry_size, n = self.entry_size, 0
        if posting >= 0:
            *before, last = self.run_lengths[first : posting + 1].tolist()
            start = (start + sum(before) + len(before)) * entry_size
            n = last + 1
        entries = self.entries[start : start + n * entry_size]
        n_bytes = n * self.run_lengths.itemsize
        return (
            np.frombuffer(entries[:n_bytes].tobytes(), self.run_lengths.dtype),
            np.frombuffer(entries[n_bytes:].tobytes(), self.weight_precision),
        )

    def _posting_of(self, feature, parent):
        """Find a posting, one at or before it, and the first weight of that one.

        The posting is -1 if there is none.
        """
        number = feature
        if len(self.kept_features):
            kept = self.kept_features
            number = int(np.searchsorted(kept, feature))
            if number == len(kept) or kept[number] != feature:
                return _NO_POSTING
        word = self.words[number // _BITS].tolist()
        bit = number % _BITS
        if word[0] >> bit & 1:
            return self._listed_posting(_rank(word[0], word[1], bit), parent)
        if word[2] >> bit & 1:
            return self._posting_of_block(_rank(word[2], word[3], bit), parent)
        return _NO_POSTING

    def _listed_posting(self, used, parent):
        first, stop = self.posting_starts[used : used + 2].tolist()
        posting = first + int(np.searchsorted(self.parents[first:stop], parent))
        if posting == stop or self.parents[posting] != parent:
            return _NO_POSTING
        mark = posting // POSTINGS_OF_MARK
        return posting, mark * POSTINGS_OF_MARK, int(self.run_marks[mark])

    def _posting_of_block(self, used, parent):
        bits, starts = self.blocks[used, parent // _BITS].tolist()
        if not bits >> parent % _BITS & 1:
            return _NO_POSTING
        first = starts & _MAX_UINT32
        return _rank(bits, first, parent % _BITS), first, starts >> 32


def _rank(bits, before, bit):
    """Count the ones before a bit."""
    return before + (bits & ((1 << bit) - 1)).bit_count()


# Checks of loaded arrays
# -----------------------


def _check_weight_types(layout, weights):
    """Check types, shapes and sizes, which are known without reading."""

    def check(name, *dtypes, shape=(None,)):
        array = getattr(weights, name)
        check_shape(array, dtypes, shape, f"FeatureWeights.{name}")
        return len(array)

    # Features that came after the base have no weights in it.
    if not 0 < weights.n_features <= layout.n_features:
        refuse(
            "FeatureWeights.n_features",
            f"is {weights.n_features!r:.40}; expected 1 to {layout.n_features}",
        )
    n_parents = len(layout.child_offsets) - 1
    n_used = check("kept_features", np.int32) or weights.n_features
    check("words", np.uint64, shape=(-(-n_used // _BITS), 4))
    check("posting_starts", np.uint32)
    n_listed = check("parents", np.uint16, np.int32)
    check("blocks", np.uint64, shape=(None, -(-n_parents // _BITS), 2))
    n_postings = check("run_lengths", np.uint8, np.int32)
    if n_postings < n_listed:
        refuse(
            "FeatureWeights.run_lengths", f"has {n_postings} for {n_listed} postings"
        )
    check("run_marks", np.uint32, shape=(-(-n_listed // POSTINGS_OF_MARK),))
    if weights.weight_precision != layout.weight_precision:
        refuse(
            "FeatureWeights.weight_precision",
            f"is {weights.weight_precision!r:.40}; expected {layout.weight_precision}",
        )
    n_bytes = check("entries", np.uint8)
    if n_bytes % weights.entry_size or n_bytes < n_postings * weights.entry_size:
        refuse(
            "FeatureWeights.entries", f"has {n_bytes} bytes for {n_postings} postings"
        )


def _check_features(weights):
    """Check the bitmaps: they must number the features that have postings."""
    kept, words = weights.kept_features, weights.words
    if len(kept):
        check_range(kept, 0, weights.n_features, "FeatureWeights.kept_features")
        check_ascending(kept, kept[0], kept[-1], "FeatureWeights.kept_features")
    n_bits = len(kept) or weights.n_features
    for bits, n_used in (
        (0, len(weights.posting_starts) - 1),
        (2, len(weights.blocks)),
    ):
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
    check_ascending(
        weights.posting_starts, 0, n_listed, "FeatureWeights.posting_starts"
    )


def _check_runs(layout, weights):
    """Check that all postings and weights belong to existing nodes."""
    wrong, posting, is_finite = check_runs(
        weights.posting_starts,
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
            f"has weights that are NaN or infinite at posting {posting}; "
            f"expected finite ones",
        )
    if wrong:
        refuse(f"FeatureWeights.{wrong}", f"does not fit the tree at posting {posting}")
