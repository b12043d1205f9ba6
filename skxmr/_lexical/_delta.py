"""Postings that are added to an index without a copy of it, and their merging."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skxmr._utils._insertion import Insertion
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_finite,
    check_range,
    check_rows_ascend,
    check_vector,
    refuse,
)

__all__ = ["IndexDelta", "NewPostings", "compacted"]

_MOST_NARROW = 1 << 16


class NewPostings(NamedTuple):
    """Postings of labels that have none so far.

    Parameters
    ----------
    numbers : ndarray of shape (n_postings,), int64
        The list of each: term * n_fields + field. Ascending.
    labels : ndarray of shape (n_postings,), int32
        Ascending in each list.
    counts : ndarray of shape (n_postings,), int32
        How often the term occurs in the field.
    values : ndarray of shape (n_postings,), float32
    """

    numbers: NDArray
    labels: NDArray
    counts: NDArray
    values: NDArray

    @classmethod
    def sorted(cls, numbers, labels, counts, values):
        """Sort postings, whose labels ascend in each list, by list."""
        order = np.argsort(numbers, kind="stable")
        return cls(numbers[order], labels[order], counts[order], values[order])


class IndexDelta:
    """Postings that continue or replace some lists of a `LexicalIndex`.

    Parameters
    ----------
    numbers : ndarray of shape (n_lists,), int64
        The lists that have changed, ascending; also of terms that are new.
    offsets : ndarray of shape (n_lists + 1,), int64
        The start of the postings of each list.
    labels : ndarray of shape (n_postings,), int32
        Ascending in each list.
    counts : ndarray of shape (n_postings,), int32
        How often the term occurs in the field.
    values : ndarray of shape (n_postings,), float32
    peaks : ndarray of shape (n_lists,), float32
        At least the largest value of each list.
    frequencies : ndarray of shape (n_lists,), int32
        The document frequency of each list.
    replaces : ndarray of shape (n_lists,), uint8
        1 where the list replaces that of the index, 0 where it continues it.
    """

    def __init__(
        self, numbers, offsets, labels, counts, values, peaks, frequencies, replaces
    ):
        self.numbers = numbers
        self.offsets = offsets
        self.labels = labels
        self.counts = counts
        self.values = values
        self.peaks = peaks
        self.frequencies = frequencies
        self.replaces = replaces

    @classmethod
    def empty(cls):
        """Make a delta without postings."""
        return cls(
            np.empty(0, dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            np.empty(0, dtype=np.int32),
            np.empty(0, dtype=np.int32),
            np.empty(0, dtype=np.float32),
            np.empty(0, dtype=np.float32),
            np.empty(0, dtype=np.int32),
            np.empty(0, dtype=np.uint8),
        )

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("IndexDelta"):
            self._check_arrays()

    def for_kernels(self):
        """Return the arrays that `InvertedIndex.with_delta` takes."""
        return (
            self.numbers,
            self.offsets,
            self.labels,
            self.values,
            self.peaks,
            self.frequencies,
            self.replaces,
        )

    def find(self, numbers):
        """Find lists among those that have changed.

        Parameters
        ----------
        numbers : ndarray of int64

        Returns
        -------
        positions : ndarray of int64
        is_found : ndarray of bool
        """
        positions = np.searchsorted(self.numbers, numbers)
        positions = np.minimum(positions, max(0, len(self.numbers) - 1))
        if not len(self.numbers):
            return positions, np.zeros(np.shape(numbers), dtype=bool)
        return positions, self.numbers[positions] == numbers

    def of_list(self, number):
        """Return the postings of a list: where they are, and whether they replace."""
        position = int(np.searchsorted(self.numbers, number))
        if position == len(self.numbers) or self.numbers[position] != number:
            return slice(0, 0), False
        start, stop = self.offsets[position], self.offsets[position + 1]
        return slice(start, stop), bool(self.replaces[position])

    def with_postings(self, new, frequencies_of, first_counted):
        """Add postings of labels that are larger than all others.

        Parameters
        ----------
        new : NewPostings
        frequencies_of : callable
            Takes numbers of lists, and returns the document frequencies that they have
            in the index.
        first_counted : int
            The document frequencies of lists with this number or a larger one count the
            new labels too.

        Returns
        -------
        IndexDelta
        """
        numbers, starts = np.unique(new.numbers, return_index=True)
        sizes = np.diff(starts, append=len(new.numbers))
        _, is_known = self.find(numbers)
        delta = self._with_lists(numbers[~is_known], frequencies_of)
        places = np.searchsorted(delta.numbers, numbers)
        peaks, frequencies = delta.peaks, delta.frequencies
        if len(numbers):
            largest = np.maximum.reduceat(new.values, starts)
            peaks[places] = np.maximum(peaks[places], largest)
        frequencies[places] += np.where(numbers >= first_counted, sizes, 0).astype("i4")
        insert = Insertion(
            len(self.labels), np.repeat(delta.offsets[places + 1], sizes)
        )
        all_sizes = np.diff(delta.offsets)
        all_sizes[places] += sizes
        return IndexDelta(
            delta.numbers,
            np.concatenate([[0], np.cumsum(all_sizes)]),
            insert(self.labels, new.labels),
            insert(self.counts, new.counts),
            insert(self.values, new.values),
            peaks,
            frequencies,
            delta.replaces,
        )

    def _with_lists(self, numbers, frequencies_of):
        """Return copies of the arrays of lists with some more, which are empty."""
        at = np.searchsorted(self.numbers, numbers)
        insert = Insertion(len(self.numbers), at)
        zeros = np.zeros(len(numbers), dtype=np.int64)
        starts = insert(self.offsets[:-1], self.offsets[at])
        return IndexDelta(
            insert(self.numbers, numbers),
            np.append(starts, self.offsets[-1]),
            self.labels,
            self.counts,
            self.values,
            insert(self.peaks, zeros),
            insert(self.frequencies, frequencies_of(numbers)),
            insert(self.replaces, zeros),
        )

    def renumbered(self, numbers):
        """Return the same for other numbers of the lists, which ascend too."""
        return IndexDelta(
            numbers,
            self.offsets,
            self.labels,
            self.counts,
            self.values,
            self.peaks,
            self.frequencies,
            self.replaces,
        )

    def replaced_by(self, other):
        """Return the lists of another delta, and those of this one that it lacks."""
        _, is_replaced = other.find(self.numbers)
        kept = np.flatnonzero(~is_replaced)
        lists = np.concatenate(
            [kept, len(self.numbers) + np.arange(len(other.numbers))]
        )
        numbers = np.concatenate([self.numbers[kept], other.numbers])
        lists = lists[np.argsort(numbers, kind="stable")]
        sizes = np.concatenate([np.diff(self.offsets), np.diff(other.offsets)])
        starts = np.concatenate(
            [self.offsets[:-1], len(self.labels) + other.offsets[:-1]]
        )
        sizes, starts = sizes[lists], starts[lists]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        entries = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)

        def take(name, items):
            both = np.concatenate([getattr(self, name), getattr(other, name)])
            return both[items]

        return IndexDelta(
            take("numbers", lists),
            offsets,
            take("labels", entries),
            take("counts", entries),
            take("values", entries),
            take("peaks", lists),
            take("frequencies", lists),
            take("replaces", lists),
        )

    def check(self, n_lists, n_labels):
        """Raise ValueError if the delta does not fit an index."""
        check_range(self.numbers, 0, n_lists, "IndexDelta.numbers")
        check_range(self.labels, 0, n_labels, "IndexDelta.labels")

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name, numbers = "IndexDelta", self.numbers
        check_vector(numbers, (np.int64,), None, f"{name}.numbers")
        if (np.diff(numbers) <= 0).any():
            refuse(f"{name}.numbers", "does not ascend")
        n_lists, n_postings = len(numbers), len(self.labels)
        check_vector(self.offsets, (np.int64,), n_lists + 1, f"{name}.offsets")
        check_ascending(self.offsets, 0, n_postings, f"{name}.offsets", strictly=False)
        check_vector(self.labels, (np.int32,), None, f"{name}.labels")
        check_rows_ascend(self.offsets, self.labels, f"{name}.labels")
        check_vector(self.counts, (np.int32,), n_postings, f"{name}.counts")
        check_vector(self.values, (np.float32,), n_postings, f"{name}.values")
        check_vector(self.peaks, (np.float32,), n_lists, f"{name}.peaks")
        check_vector(self.frequencies, (np.int32,), n_lists, f"{name}.frequencies")
        check_vector(self.replaces, (np.uint8,), n_lists, f"{name}.replaces")
        check_finite(self.values, f"{name}.values")
        check_finite(self.peaks, f"{name}.peaks")
        if (self.values <= 0).any() or (self.frequencies < 0).any():
            refuse(name, "has a value that is not positive")


# Compaction
# ----------


class _Part(NamedTuple):
    """Some postings, by list.

    Parameters
    ----------
    sizes : ndarray of shape (n_lists,), int64
        The number of postings of each list.
    labels : ndarray of shape (n_postings,), int32
    codes : ndarray of shape (n_postings,), uint16 or uint32
    """

    sizes: NDArray
    labels: NDArray
    codes: NDArray


def compacted(index, n_terms):
    """Merge a delta into an index, and leave out the postings of removed labels.

    Parameters
    ----------
    index : LexicalIndex
        Its arrays are not changed.
    n_terms : int
        Number of terms, including those of the delta.

    Returns
    -------
    LexicalIndex
        It finds the same labels, with the same scores.
    """
    if index.delta is None and not len(index.removed):
        return index
    delta = index.delta or IndexDelta.empty()
    lists = np.arange(n_terms * index.n_fields)
    codes, table, table_counts = _encoded(index, delta)
    is_removed = np.zeros(index.n_labels, dtype=bool)
    is_removed[index.removed] = True
    kept = _kept_of_base(index, delta, is_removed, len(lists))
    added = _kept_of_delta(delta, codes, is_removed, len(lists))
    offsets = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum(kept.sizes + added.sizes, out=offsets[1:])
    labels = np.empty(offsets[-1], dtype=np.int32)
    is_narrow = index.codes.dtype == np.uint16 and len(table) <= _MOST_NARROW
    codes = np.empty(offsets[-1], dtype=np.uint16 if is_narrow else np.uint32)
    starts = offsets[:-1]
    for part in (kept, added):
        places = _places(part.sizes, starts)
        labels[places] = part.labels
        codes[places] = part.codes
        starts = starts + part.sizes
    return index.changed(
        offsets=offsets,
        labels=labels,
        codes=codes,
        table=table,
        table_counts=table_counts,
        # As before, even if the postings with the largest values have gone: the order
        # of peaks is that in which values are added, and sums are rounded.
        peaks=index.peaks_of(lists),
        frequencies=index.frequencies_of(lists).astype(np.int32),
        delta=None,
        removed=np.empty(0, dtype=np.int64),
    )


def _places(sizes, starts):
    """Return where the postings of consecutive lists belong."""
    shifts = starts - (np.cumsum(sizes) - sizes)
    return np.arange(sizes.sum()) + np.repeat(shifts, sizes)


def _encoded(index, delta):
    """Find the values of a delta in the table; return codes and the grown table."""
    known = _pairs(index.table_counts, index.table)
    wanted, inverse = np.unique(_pairs(delta.counts, delta.values), return_inverse=True)
    order = np.argsort(known, kind="stable")
    positions = np.searchsorted(known, wanted, sorter=order)
    codes = order[np.minimum(positions, len(order) - 1)]
    is_new = known[codes] != wanted
    codes[is_new] = len(known) + np.arange(is_new.sum())
    new = wanted[is_new]
    counts = (new >> np.uint64(32)).astype(np.int32)
    values = (new & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.float32)
    return (
        codes[inverse].astype(np.uint32),
        np.concatenate([index.table, values]),
        np.concatenate([index.table_counts, counts]),
    )


def _pairs(counts, values):
    """Return the bits of a count and a value of single precision as one number."""
    return counts.astype(np.uint64) << np.uint64(32) | values.view(np.uint32)


def _kept_of_base(index, delta, is_removed, n_lists):
    sizes = np.zeros(n_lists, dtype=np.int64)
    sizes[: len(index.peaks)] = np.diff(index.offsets)
    replaced = delta.numbers[delta.replaces > 0]
    replaced = replaced[replaced < len(index.peaks)]
    if not (len(replaced) or is_removed.any()):
        return _Part(sizes, index.labels, index.codes)
    is_kept = ~is_removed[index.labels]
    for number in replaced.tolist():
        is_kept[index.offsets[number] : index.offsets[number + 1]] = False
    sizes[: len(index.peaks)] = _count(is_kept, index.offsets)
    return _Part(sizes, index.labels[is_kept], index.codes[is_kept])


def _kept_of_delta(delta, codes, is_removed, n_lists):
    is_kept = ~is_removed[delta.labels]
    sizes = np.zeros(n_lists, dtype=np.int64)
    sizes[delta.numbers] = _count(is_kept, delta.offsets)
    return _Part(sizes, delta.labels[is_kept], codes[is_kept])


def _count(is_kept, offsets):
    """Return how many postings of each list are kept."""
    return np.diff(np.concatenate([[0], np.cumsum(is_kept)])[offsets])
