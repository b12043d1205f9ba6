"""Ids of queries: their names, their columns in a classifier, and ranges of ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skxmr._utils._loaded_state import check_vector, refuse, to_be_read

__all__ = [
    "ColumnIds",
    "NameList",
    "Names",
    "gaps",
    "runs",
    "within_both",
    "without_overlaps",
    "without_ranges",
]


class NameList(list):
    """The names of the queries of a fit: one object, which changed states share."""


class Names(Sequence):
    """The names of queries by id: a list from the fit, and those that were added.

    Parameters
    ----------
    fitted : NameList
    added : list of str
        Neither is ever modified.
    """

    def __init__(self, fitted, added):
        self.fitted = fitted
        self.added = added

    def __len__(self):
        return len(self.fitted) + len(self.added)

    def __getitem__(self, number):
        n_fitted = len(self.fitted)
        return (
            self.fitted[number] if number < n_fitted else self.added[number - n_fitted]
        )

    @classmethod
    def with_more(cls, names, more):
        """Return names with further ones."""
        if isinstance(names, Names):
            return cls(names.fitted, [*names.added, *more])
        return cls(names, list(more))


@dataclass(frozen=True)
class ColumnIds:
    """The id of the query of each column of a classifier.

    Compaction gives other ids to the queries, in the same order.

    Parameters
    ----------
    ids : ndarray of shape (n_columns,), int32
        -1 for queries that were removed.
    """

    ids: NDArray

    def __getstate__(self):
        return {"ids": self.ids}

    def check(self, n_ids):
        """Raise ValueError if the array of a loaded model is not consistent."""
        check_vector(self.ids, (np.int32,), None, "ColumnIds.ids")
        if to_be_read(self.ids):
            present = self.ids[self.ids >= 0]
            if (np.diff(present, prepend=-1, append=n_ids) <= 0).any():
                refuse("ColumnIds.ids", f"do not ascend from 0 to {n_ids - 1}")

    @cached_property
    def _present(self):
        """The columns that have an id, and these."""
        present = np.flatnonzero(self.ids >= 0)
        return present, self.ids[present]

    def columns(self, ranges):
        """Return the ranges of columns that are in ranges of ids.

        Parameters
        ----------
        ranges : ndarray of shape (n_ranges, 2), int64
            Ascending.
        """
        present, ids = self._present
        bounds = np.searchsorted(ids, ranges)
        parts = [present[start:stop] for start, stop in bounds.tolist()]
        columns = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        return runs(columns)

    def renumbered(self, ids):
        """Return the columns after queries got other ids, by the id before."""
        return ColumnIds(np.where(self.ids < 0, np.int32(-1), ids[self.ids]))


def runs(numbers):
    """Return the ranges of consecutive numbers.

    Parameters
    ----------
    numbers : ndarray of shape (n,), int64
        Ascending.

    Returns
    -------
    ndarray of shape (n_ranges, 2), int64
    """
    starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
    stops = np.append(starts[1:], len(numbers))[: len(starts)]
    return np.column_stack([numbers[starts], numbers[stops - 1] + 1])


def within_both(ranges, others):
    """Return what two lists of ranges have in common.

    Parameters
    ----------
    ranges, others : ndarray of shape (n_ranges, 2), int64
        Each ascending, and without overlaps of its own. A search for each of `others`.

    Returns
    -------
    ndarray of shape (n_found, 2), int64
    """
    starts, stops = ranges[:, 0], ranges[:, 1]
    parts = [np.empty((0, 2), dtype=np.int64)]
    for start, stop in others.tolist():
        first = np.searchsorted(stops, start, side="right")
        last = np.searchsorted(starts, stop, side="left")
        parts.append(np.clip(ranges[first:last], start, stop))
    return np.concatenate(parts)


def gaps(ranges, n_ids):
    """Return the ranges of the numbers from 0 to `n_ids` - 1 that are in no range."""
    starts, stops = np.append(0, ranges[:, 1]), np.append(ranges[:, 0], n_ids)
    found = np.column_stack([starts, stops])
    return found[found[:, 0] < found[:, 1]]


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


def without_overlaps(ranges, others):
    """Leave what other ranges hold out of ranges.

    Parameters
    ----------
    ranges, others : ndarray of shape (n_ranges, 2), int64
        Each ascending, and without overlaps of its own.

    Returns
    -------
    ndarray of shape (n_found, 2), int64
    """
    held = [np.arange(start, stop) for start, stop in others.tolist()]
    return without_ranges(ranges, np.concatenate(held)) if held else ranges
