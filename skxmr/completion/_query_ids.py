"""Numbers of queries that stay when others come and go."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skxmr._utils._loaded_state import check_vector, refuse, to_be_read

__all__ = ["QueryIds", "without_ranges"]


@dataclass(frozen=True)
class QueryIds:
    """The id of each query: its rank at the time of the fit, or the next free number.

    Ranks change when queries are added and removed. What is learned of a query is
    stored by its id, so that it need not be renumbered. Ids are never given out again.

    Parameters
    ----------
    ids : ndarray of shape (n_queries,), int32
        By rank.
    ranks : ndarray of shape (n_ids,), int32
        By id; -1 for queries that were removed.
    """

    ids: NDArray
    ranks: NDArray

    def __getstate__(self):
        return {"ids": self.ids, "ranks": self.ranks}

    @classmethod
    def of_fit(cls, n_queries) -> Self:
        """Return the ids of queries that are as they were fitted."""
        return cls(
            np.arange(n_queries, dtype=np.int32), np.arange(n_queries, dtype="i4")
        )

    def check(self, n_queries):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        check_vector(self.ids, (np.int32,), n_queries, "QueryIds.ids")
        check_vector(self.ranks, (np.int32,), None, "QueryIds.ranks")
        if to_be_read(self.ids, self.ranks):
            n_ids = len(self.ranks)
            in_range = self.ids.min(initial=0) >= 0 and self.ids.max(initial=0) < n_ids
            if not in_range or not np.array_equal(
                self.ranks, _ranks_of(self.ids, n_ids)
            ):
                refuse("QueryIds.ranks", "is not the inverse of ids")

    def inserted(self, positions):
        """Give the next ids to queries that are inserted before some ranks.

        Parameters
        ----------
        positions : ndarray of shape (n_new,), int64
            Ascending.
        """
        n_ids = len(self.ranks) + len(positions)
        new = np.arange(len(self.ranks), n_ids, dtype=np.int32)
        ids = np.insert(self.ids, positions, new)
        return QueryIds(ids, _ranks_of(ids, n_ids))

    def without(self, ranks):
        """Take the queries of some ranks away."""
        ids = np.delete(self.ids, ranks)
        return QueryIds(ids, _ranks_of(ids, len(self.ranks)))

    def ranked(self, ids, weights):
        """Return ranks (int32, ascending) and weights of queries that are present.

        Parameters
        ----------
        ids : ndarray of shape (n_entries,), int32
        weights : ndarray of shape (n_entries,), float32
        """
        ranks = self.ranks[ids]
        order = np.argsort(ranks, kind="stable")
        order = order[np.searchsorted(ranks, 0, sorter=order) :]
        return ranks[order], weights[order]

    @cached_property
    def _present(self):
        """The ids that have a rank, and these."""
        present = np.flatnonzero(self.ranks >= 0)
        return present, self.ranks[present]

    def columns(self, ranges, n_columns):
        """Return the ranges of ids below some number that are in ranges of ranks.

        Parameters
        ----------
        ranges : ndarray of shape (n_ranges, 2), int64
        n_columns : int

        Returns
        -------
        ndarray of shape (n_found, 2), int64
            Ascending: at the time of the fit, ids and ranks had the same order.
        """
        kept, ranks = self._present
        n_kept = int(np.searchsorted(kept, n_columns))
        bounds = np.searchsorted(ranks[:n_kept], ranges)
        parts = [kept[start:stop] for start, stop in bounds.tolist()]
        columns = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        starts = np.flatnonzero(np.diff(columns, prepend=-2) != 1)
        stops = np.append(starts[1:], len(columns))[: len(starts)]
        return np.column_stack([columns[starts], columns[stops - 1] + 1])


def _ranks_of(ids, n_ids):
    ranks = np.full(n_ids, -1, dtype=np.int32)
    ranks[ids] = np.arange(len(ids), dtype=np.int32)
    return ranks


def without_ranges(ranges, excluded):
    """Leave some ranks out of ranges.

    Parameters
    ----------
    ranges : ndarray of shape (n_ranges, 2), int64
        Ascending, and without overlaps.
    excluded : ndarray of shape (n_excluded,), int64
        Ascending.

    Returns
    -------
    ndarray of shape (n_found, 2), int64
    """
    parts = []
    for start, stop in ranges.tolist():
        first, last = np.searchsorted(excluded, [start, stop])
        inside = excluded[first:last]
        part = np.empty((len(inside) + 1, 2), dtype=np.int64)
        part[0, 0], part[1:, 0] = start, inside + 1
        part[-1, 1], part[:-1, 1] = stop, inside
        parts.append(part)
    found = np.concatenate([np.empty((0, 2), dtype=np.int64), *parts])
    return found[found[:, 0] < found[:, 1]]
