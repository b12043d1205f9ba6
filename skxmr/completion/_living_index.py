"""Index of known queries that come and go: a fitted one, and what changed since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skxmr._cython._completion import CountChanges, best_of_sums
from skxmr._utils._loaded_state import check_vector, refuse, to_be_read
from skxmr.completion._prefix_index import PrefixIndex, best_of, block_best_of
from skxmr.completion._query_ids import runs, without_ranges

__all__ = ["ChangedCounts", "LivingIndex"]

_NOBODY = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class ChangedCounts:
    """Counts of the queries whose count is another than in the fitted index.

    Parameters
    ----------
    ids : ndarray of shape (n_changed,), int64
        Ascending.
    counts : ndarray of shape (n_changed,), float64
    before : ndarray of shape (n_changed,), float64
        Their counts in the fitted index, 0 for queries that were added.
    """

    ids: NDArray
    counts: NDArray
    before: NDArray

    def __getstate__(self):
        return {"ids": self.ids, "counts": self.counts, "before": self.before}

    @cached_property
    def cumulated(self):
        """Sums of the differences of the first 0, 1, 2, ... of them."""
        return np.concatenate([[0.0], np.cumsum(self.counts - self.before)])

    @cached_property
    def block_best(self):
        """The largest count of each block."""
        return block_best_of(self.counts)

    def plus(self, ids, counts, fitted_counts) -> Self:
        """Add counts.

        Parameters
        ----------
        ids : ndarray of int64
            Ascending.
        counts : ndarray of float64
        fitted_counts : ndarray of float64
            The counts in the fitted index.
        """
        places = np.searchsorted(self.ids, ids)
        is_there = np.zeros(len(ids), dtype=bool)
        inside = places < len(self.ids)
        is_there[inside] = self.ids[places[inside]] == ids[inside]
        summed = self.counts.copy()
        summed[places[is_there]] += counts[is_there]
        new = ids[~is_there]
        before = np.zeros(len(new))
        is_fitted = new < len(fitted_counts)
        before[is_fitted] = fitted_counts[new[is_fitted]]
        return type(self)(
            np.insert(self.ids, places[~is_there], new),
            np.insert(summed, places[~is_there], before + counts[~is_there]),
            np.insert(self.before, places[~is_there], before),
        )


@dataclass(frozen=True)
class LivingIndex:
    """A fitted index, and the queries that were added, asked and removed since.

    It has the methods of `PrefixIndex`, but for the *id* of a query in place of its
    rank: the rank in the fitted index, or the next free number. So a change needs time
    that depends on the number of changes, not on that of all queries, and what is
    learned of a query need not be renumbered. Ids are never given out again.

    Parameters
    ----------
    fitted : PrefixIndex
    added : PrefixIndex or None
        The added queries that were not removed.
    added_ids : ndarray of shape (n_added,), int64
        Of the queries of `added`, in their order.
    places : ndarray of shape (n_added,), int64
        The rank in `fitted` before which each of these belongs.
    changed : ChangedCounts
        Of all queries with another count than in `fitted`, so of all added ones.
    removed : ndarray of shape (n_removed,), int64
        The ids of the fitted queries that were removed, ascending.
    n_ids : int
        The number of ids that were given out.
    """

    fitted: PrefixIndex
    added: PrefixIndex | None
    added_ids: NDArray
    places: NDArray
    changed: ChangedCounts
    removed: NDArray
    n_ids: int

    @classmethod
    def of(cls, index) -> LivingIndex:
        """Return an index as a living one."""
        if isinstance(index, LivingIndex):
            return index
        nothing = ChangedCounts(_NOBODY, np.empty(0), np.empty(0))
        return cls(index, None, _NOBODY, _NOBODY, nothing, _NOBODY, len(index))

    def __getstate__(self):
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def check(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name, n_fitted = "LivingIndex", len(self.fitted)
        if type(self.n_ids) is not int or self.n_ids < n_fitted:
            refuse(f"{name}.n_ids", "is less than the number of fitted queries")
        n_added = 0 if self.added is None else len(self.added)
        check_vector(self.added_ids, (np.int64,), n_added, f"{name}.added_ids")
        check_vector(self.places, (np.int64,), n_added, f"{name}.places")
        check_vector(self.removed, (np.int64,), None, f"{name}.removed")
        ids, counts = self.changed.ids, self.changed.counts
        check_vector(ids, (np.int64,), None, f"{name}.changed.ids")
        for array in (counts, self.changed.before):
            check_vector(array, (np.float64,), len(ids), f"{name}.changed.counts")
        if not to_be_read(self.added_ids, self.removed, ids, counts):
            return
        for array, first, beyond in (
            (np.sort(self.added_ids), n_fitted, self.n_ids),
            (self.removed, 0, n_fitted),
            (ids, 0, self.n_ids),
        ):
            if (np.diff(array, prepend=first - 1, append=beyond) <= 0).any():
                refuse(f"{name}", f"has ids that do not ascend from {first}")
        if not (np.isfinite(counts).all() and (counts > 0).all()):
            refuse(f"{name}.changed.counts", "has counts that are not positive")
        if (np.diff(self.places, prepend=0, append=n_fitted) < 0).any():
            refuse(f"{name}.places", f"do not ascend from 0 to {n_fitted}")
        if not np.isin(self.added_ids, ids).all():
            refuse(f"{name}.changed.ids", "lacks ids of added queries")

    def __len__(self):
        return len(self.fitted) - len(self.removed) + len(self.added_ids)

    # What queries are there

    @cached_property
    def order(self):
        """The ids of all queries in alphabetical order."""
        present = np.delete(np.arange(len(self.fitted)), self.removed)
        positions = np.searchsorted(present, self.places)
        return np.insert(present, positions, self.added_ids)

    @property
    def keys(self):
        """The keys in alphabetical order."""
        return list(map(self.key_of, self.order.tolist()))

    @property
    def counts(self):
        """The counts in alphabetical order."""
        return self.counts_of(self.order)

    @cached_property
    def _added_keys(self):
        keys = [] if self.added is None else self.added.keys
        return dict(zip(self.added_ids.tolist(), keys, strict=True))

    def key_of(self, number):
        """Return the key of the query with an id."""
        if number < len(self.fitted):
            return self.fitted.keys[number]
        return self._added_keys[number]

    def rank_of(self, key):
        """Find the id of the query with a key; -1 if it is not known."""
        number = self.fitted.rank_of(key)
        if number >= 0 and not self._is_removed(number):
            return number
        place = -1 if self.added is None else self.added.rank_of(key)
        return -1 if place < 0 else int(self.added_ids[place])

    def _is_removed(self, number):
        if not len(self.removed):
            return False
        place = int(np.searchsorted(self.removed, number))
        return place < len(self.removed) and self.removed[place] == number

    # What matches

    def find(self, prefix):
        """Find the ids of queries that start with a prefix, as `PrefixIndex.find`."""
        return self._both(lambda index: index.find(prefix))

    def find_joined(self, prefix):
        """Find ids as `PrefixIndex.find_joined` finds ranks."""
        return self._both(lambda index: index.find_joined(prefix))

    def find_near(self, prefix, most_edits):
        """Find ids as `PrefixIndex.find_near` finds ranks."""
        found = [
            (index, *index.find_near(prefix, most_edits))
            for index in (self.fitted, self.added)
            if index is not None
        ]
        ranges, edits = [], []
        for n in range(most_edits + 1):
            near = {id(index): some[n_edits == n] for index, some, n_edits in found}
            ranges.append(self._both(lambda index, near=near: near[id(index)]))
            edits.append(np.full(len(ranges[-1]), n))
        return np.concatenate(ranges), np.concatenate(edits)

    def _both(self, find):
        """Find ranges of ranks in both indexes, and return them as ranges of ids."""
        ranges = find(self.fitted)
        if len(self.removed):
            ranges = without_ranges(ranges, self.removed)
        if self.added is None:
            return ranges
        found = [self.added_ids[a:b] for a, b in find(self.added).tolist()]
        if not found:
            return ranges
        return np.concatenate([ranges, runs(np.sort(np.concatenate(found)))])

    # Counts

    def counts_of(self, ids):
        """Return the counts of queries."""
        counts = np.zeros(len(ids))
        is_fitted = ids < len(self.fitted)
        counts[is_fitted] = self.fitted.counts[ids[is_fitted]]
        places = np.searchsorted(self.changed.ids, ids)
        places = np.minimum(places, max(len(self.changed.ids) - 1, 0))
        if len(self.changed.ids):
            is_changed = self.changed.ids[places] == ids
            counts[is_changed] = self.changed.counts[places[is_changed]]
        return counts

    @cached_property
    def total(self):
        """The sum of all counts."""
        return self.mass(self.find(""))

    def mass(self, ranges):
        """Return the sum of the counts of the queries in some ranges of ids."""
        changed = self.changed
        bounds = np.searchsorted(changed.ids, ranges)
        differences = changed.cumulated[bounds[:, 1]] - changed.cumulated[bounds[:, 0]]
        cumulated = self.fitted.cumulated
        within = np.minimum(ranges, len(self.fitted))
        fitted = cumulated[within[:, 1]] - cumulated[within[:, 0]]
        return float(fitted.sum() + differences.sum())

    @property
    def fitted_counts(self):
        """The counts before all changes, by rank in the fitted index."""
        return self.fitted.counts

    @cached_property
    def count_changes(self):
        """The changes of the counts, as kernels read them."""
        # Of queries with equal counts, the alphabetically first is better: the added
        # ones have numbers between those of the fitted ones.
        n_fitted, stride = len(self.fitted), len(self.added_ids) + 1
        ties = np.zeros(self.n_ids - n_fitted, dtype=np.int64)
        ties[self.added_ids - n_fitted] = self.places * stride + np.arange(stride - 1)
        return CountChanges(self.changed.ids, self.changed.counts, ties, stride)

    def most_frequent(self, ranges, k):
        """Find the ids of the k most frequent queries in some ranges, best first.

        Ties are broken in alphabetical order.

        Returns
        -------
        ndarray of shape (at most k,), int64
        """
        # Counts only grow: whoever is among the best now was so before, or has changed.
        k = min(k, len(self))
        fitted = ranges[ranges[:, 0] < len(self.fitted)]
        before = self.fitted.most_frequent(fitted, k)
        changed = self.changed
        bounds = np.searchsorted(changed.ids, ranges)
        found = best_of(changed.counts, changed.block_best, bounds, k)
        # Of equal counts only so many are in `found`, in the order of ids: all of the
        # added ones with the last of these counts may be better in alphabetical order.
        if len(found) == k:
            least = changed.counts[found[-1]]
            inside = np.concatenate([np.arange(a, b) for a, b in bounds.tolist()])
            found = np.union1d(found, inside[changed.counts[inside] == least])
        ids = np.union1d(before, changed.ids[found])
        return self._best(ids, k)

    def seek_words(self, prefix):
        """Find the words that queries must have, in the fitted and the added ones."""
        indexes = [self.fitted, self.added]
        return [None if one is None else one.seek_words(prefix) for one in indexes]

    def have_words(self, sought, ids):
        """Tell which queries have the words that `seek_words` found."""
        of_fitted, of_added = sought
        found = np.zeros(len(ids), dtype=bool)
        is_fitted = ids < len(self.fitted)
        found[is_fitted] = self.fitted.have_words(of_fitted, ids[is_fitted])
        if self.added is not None:
            order, ordered = self._added_order
            places = order[np.searchsorted(ordered, ids[~is_fitted])]
            found[~is_fitted] = self.added.have_words(of_added, places)
        return found

    @cached_property
    def _added_order(self):
        """The positions of added queries by id, and these ids."""
        order = np.argsort(self.added_ids)
        return order, self.added_ids[order]

    def most_frequent_with(self, sought, ranges, k):
        """Find as `most_frequent`, of the queries that have some words."""
        k, n_fitted = min(k, len(self)), len(self.fitted)
        fitted = np.minimum(ranges[ranges[:, 0] < n_fitted], n_fitted)
        before = self.fitted.most_frequent_with(sought[0], fitted, k)
        # Counts only grow: others than these have changed, and have as many counts.
        changed = self.changed
        bounds = np.searchsorted(changed.ids, ranges)
        parts = [np.arange(start, stop) for start, stop in bounds.tolist()]
        inside = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        if len(before) == k:
            least = self.fitted.counts[before].min(initial=np.inf)
            inside = inside[changed.counts[inside] >= least]
        ids = changed.ids[inside]
        return self._best(np.union1d(before, ids[self.have_words(sought, ids)]), k)

    def _best(self, ids, k):
        """Sort queries by count, equal ones in alphabetical order."""
        best, counts = np.empty((2, k), dtype=np.int64), np.empty(k)
        listed = [(ids.astype(np.int32), np.zeros(len(ids), dtype=np.float32))]
        n_found = best_of_sums(
            listed,
            np.zeros(1),
            self.fitted_counts,
            1.0,
            np.empty(1, dtype=np.int64),
            best[0],
            counts,
            self.count_changes,
            best[1],
        )
        return best[0, :n_found]

    # Changes

    def plus(self, keys, counts):
        """Add counts of queries, known or not.

        Parameters
        ----------
        keys : list of str
            Sorted.
        counts : ndarray of shape (n_keys,), float64

        Returns
        -------
        index : LivingIndex
        ids : ndarray of shape (n_keys,), int64
            The ids of the queries; new ones have those from `n_ids` on, in order.
        """
        ids = np.array([self.rank_of(key) for key in keys], dtype=np.int64)
        new = np.flatnonzero(ids < 0)
        ids[new] = np.arange(self.n_ids, self.n_ids + len(new))
        order = np.argsort(ids)
        changed = self.changed.plus(ids[order], counts[order], self.fitted.counts)
        index = replace(self, changed=changed, n_ids=self.n_ids + len(new))
        if len(new):
            new_keys = [keys[i] for i in new.tolist()]
            index = index._with_added(new_keys, counts[new], ids[new])
        return index, ids

    def _with_added(self, keys, counts, ids):
        """Return an index with further keys, which are sorted."""
        places = np.array([self.fitted.place_of(key) for key in keys], dtype=np.int64)
        if self.added is None:
            added = PrefixIndex(keys, counts)
            return replace(self, added=added, added_ids=ids, places=places)
        before = np.array([self.added.place_of(key) for key in keys], dtype=np.int64)
        return replace(
            self,
            added=self.added.inserted(before.tolist(), keys, counts),
            added_ids=np.insert(self.added_ids, before, ids),
            places=np.insert(self.places, before, places),
        )

    def without(self, ids):
        """Return an index without the queries of some ids, which ascend."""
        removed = np.union1d(self.removed, ids[ids < len(self.fitted)])
        is_out = np.isin(self.added_ids, ids)
        added = None if is_out.all() else self.added
        if added is not None and is_out.any():
            added = added.without(np.flatnonzero(is_out))
        return replace(
            self,
            added=added,
            added_ids=self.added_ids[~is_out],
            places=self.places[~is_out],
            removed=removed,
        )

    def scaled(self, factor):
        """Return an index with all counts multiplied by a factor; none becomes 0."""
        changed, tiny = self.changed, np.finfo(np.float64).tiny
        counts = np.maximum(changed.counts * factor, tiny)
        # As in the fitted index, and 0 for added queries.
        before = np.where(
            changed.before > 0, np.maximum(changed.before * factor, tiny), 0
        )
        return replace(
            self,
            fitted=self.fitted.scaled(factor),
            added=None if self.added is None else self.added.scaled(factor),
            changed=ChangedCounts(changed.ids, counts, before),
        )

    def merged(self):
        """Return an index of the same queries that were all fitted."""
        merged = PrefixIndex(self.keys, self.counts)
        if self.fitted.has_words:
            merged.index_words()
        return merged

    def renumbered(self):
        """Return the rank in `merged` by id, -1 for queries that were removed."""
        ranks = np.full(self.n_ids, -1, dtype=np.int32)
        ranks[self.order] = np.arange(len(self), dtype=np.int32)
        return ranks
