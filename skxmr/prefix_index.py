"""Known queries in the order of their characters: those with a prefix lie together."""

from bisect import bisect_left
from itertools import pairwise

import numpy as np

from skxmr._cython._completion import BLOCK, best_in_ranges, find_near
from skxmr._integrity import (
    as_value_errors,
    check_finite,
    check_list,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._version import refuse_newer

__all__ = ["PREFIX_INDEX_VERSION", "PrefixIndex"]

# Raise it when the attributes of PrefixIndex come to mean something else.
PREFIX_INDEX_VERSION = 1


class PrefixIndex:
    """Folded queries, sorted, and how often each was asked.

    The place of a query in that order is its *rank*.

    Parameters
    ----------
    keys : list of str
        Different, folded and sorted.
    counts : ndarray of shape (n_queries,), float64
        By rank.
    """

    def __init__(self, keys, counts):
        self.version = PREFIX_INDEX_VERSION
        self.keys = keys
        self.codes, self.offsets = _code_points(keys)
        self._set_counts(counts)

    def __setstate__(self, state):
        refuse_newer(state, PREFIX_INDEX_VERSION, "This completer")
        self.__dict__.update(state)
        with as_value_errors("PrefixIndex"):
            self._check_arrays()

    def _check_arrays(self):
        """Refuse what a damaged file may have brought."""
        keys, n_queries = self.keys, len(self.keys)
        check_list(keys, str, n_queries, "PrefixIndex.keys")
        if not all(one < other for one, other in pairwise(keys)):
            refuse("PrefixIndex.keys", "is not sorted, or repeats a query")
        made = PrefixIndex.__new__(PrefixIndex)
        made.codes, made.offsets = _code_points(keys)
        check_vector(self.counts, (np.float64,), n_queries, "PrefixIndex.counts")
        if to_be_read(self.counts):
            check_finite(self.counts, "PrefixIndex.counts")
            if self.counts.min(initial=1) <= 0:
                refuse("PrefixIndex.counts", "has counts that are not positive")
        made._set_counts(self.counts)
        for name, expected in vars(made).items():
            array = getattr(self, name)
            check_vector(array, (expected.dtype,), len(expected), f"PrefixIndex.{name}")
            if to_be_read(array) and not np.array_equal(array, expected):
                refuse(f"PrefixIndex.{name}", "is not what its keys and counts make")

    def __len__(self):
        return len(self.keys)

    def _set_counts(self, counts):
        self.counts = counts
        self.block_best = np.maximum.reduceat(counts, np.arange(0, len(counts), BLOCK))
        self.cumulated = np.concatenate([[0.0], np.cumsum(counts)])

    def with_counts(self, counts):
        """Make an index of the same queries with other counts."""
        index = PrefixIndex.__new__(PrefixIndex)
        index.__dict__.update(vars(self))
        index._set_counts(counts)
        return index

    def rank_of(self, key):
        """Find the rank of a folded query; -1 if it is not known."""
        rank = bisect_left(self.keys, key)
        return rank if rank < len(self.keys) and self.keys[rank] == key else -1

    @property
    def total(self):
        """How often queries were asked, all together."""
        return float(self.cumulated[-1])

    def find(self, prefix):
        """Find the queries that start with a folded prefix.

        Returns
        -------
        ndarray of shape (n_ranges, 2), int64
            First rank of a range and the one beyond the last: one range or none.
        """
        start = bisect_left(self.keys, prefix)
        stop = len(self.keys)
        if prefix:
            length = len(prefix)
            stop = bisect_left(
                self.keys, True, lo=start, key=lambda key: key[:length] != prefix
            )
        return np.array([[start, stop]] if start < stop else [], np.int64).reshape(
            -1, 2
        )

    def find_near(self, prefix, most_edits):
        """Find the queries of which a beginning is near to a folded prefix.

        Parameters
        ----------
        prefix : str
        most_edits : int
            Most characters inserted, left out or replaced; 1 at least.

        Returns
        -------
        ranges : ndarray of shape (n_ranges, 2), int64
        edits : ndarray of shape (n_ranges,), int64
        """
        typed, _ = _code_points([prefix])
        depth = len(typed) + most_edits + 2
        band = np.empty((depth, 2 * most_edits + 1), dtype=np.int32)
        path = np.empty((depth, 3), dtype=np.int64)
        room, needed = 0, 64
        while needed > room:
            room = needed
            ranges = np.empty((room, 2), dtype=np.int64)
            edits = np.empty(room, dtype=np.int64)
            needed = find_near(
                typed, self.codes, self.offsets, most_edits, band, path, ranges, edits
            )
        return ranges[:needed], edits[:needed]

    def mass(self, ranges):
        """Add up the counts of the queries in some ranges."""
        return float(
            (self.cumulated[ranges[:, 1]] - self.cumulated[ranges[:, 0]]).sum()
        )

    def most_frequent(self, ranges, k):
        """List the ranks of the k most frequent queries in some ranges, best first.

        Of equally frequent ones, the first in alphabetical order comes first.

        Returns
        -------
        ndarray of shape (at most k,), int64
        """
        best = np.empty(min(k, len(self.keys)), dtype=np.int64)
        n_found = best_in_ranges(
            ranges, self.counts, self.block_best, np.empty(len(best)), best
        )
        return best[:n_found]


def _code_points(texts):
    """Code points of texts, one after the other, and where each text begins."""
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(joined, dtype="<u4").astype(np.uint32), offsets
