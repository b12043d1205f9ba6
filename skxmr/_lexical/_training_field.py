"""The field of training texts, as it grows with further texts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skxmr._lexical._delta import IndexDelta, NewPostings
from skxmr._lexical._index import LexicalStatistics

__all__ = ["counts_of_labels", "with_counts", "with_training_field"]


def counts_of_labels(counted, Y, n_terms):
    """Add the counts of the texts of each label.

    Parameters
    ----------
    counted : list of TermCounts
        By each analyzer.
    Y : csr_array of shape (n_texts, n_labels)
    n_terms : int
        Of all analyzers.

    Returns
    -------
    csr_array of shape (n_labels, n_terms), int64
    """
    shape = Y.shape[0], n_terms
    total = sparse.csr_array(shape, dtype=np.int64)
    for rows in counted:
        offsets = np.concatenate([[0], rows.ends])
        counts = rows.counts.astype(np.int64)
        total += sparse.csr_array((counts, rows.terms, offsets), shape=shape)
    pattern = sparse.csr_array(Y, dtype=np.int64)
    pattern.data[:] = 1
    return sparse.csr_array(pattern.T @ total)


def with_training_field(index, counts, terms):
    """Add a field of training texts, the last one, to an index without postings of it.

    There are no statistics of this field. Its mean lengths are those of the labels that
    now get texts, and the document frequencies those of the other fields: of each term,
    the largest one.

    Parameters
    ----------
    index : LexicalIndex
    counts : csr_array of shape (n_changed, n_terms), int64
        Of the first texts.
    terms : IndexedTerms

    Returns
    -------
    LexicalIndex
    """
    n_before, statistics = index.n_fields, index.statistics
    by_term = np.arange(index.n_terms * n_before).reshape(-1, n_before)
    offsets = np.empty((index.n_terms, n_before + 1), dtype=np.int64)
    offsets[:, :-1] = index.offsets[:-1].reshape(-1, n_before)
    offsets[:, -1] = index.offsets[n_before::n_before]
    frequencies = np.zeros(offsets.shape, dtype=np.int32)
    frequencies[:, :-1] = index.without_delta().frequencies_of(by_term)
    frequencies[:, -1] = frequencies[:, :-1].max(axis=1, initial=0)
    frequencies[statistics.n_terms :, -1] = 0  # counted, as of any added term
    peaks = np.zeros(offsets.shape, dtype=np.float32)
    peaks[:, :-1] = index.peaks.reshape(-1, n_before)
    delta = index.delta
    if delta is not None:
        term, field = np.divmod(delta.numbers, n_before)
        delta = delta.renumbered(term * (n_before + 1) + field)
    lengths = _lengths(counts, terms)
    means = lengths.sum(axis=0) / np.maximum((lengths > 0).sum(axis=0), 1)
    return index.changed(
        offsets=np.append(offsets.ravel(), index.offsets[-1]),
        frequencies=frequencies.ravel(),
        peaks=peaks.ravel(),
        delta=delta,
        n_fields=n_before + 1,
        statistics=LexicalStatistics(
            statistics.n_labels,
            statistics.n_terms,
            np.column_stack([statistics.mean_lengths, means]),
            statistics.k1,
            statistics.b,
        ),
    )


def with_counts(index, columns, counts, terms):
    """Add counts to the field of training texts, the last one.

    Parameters
    ----------
    index : LexicalIndex
    columns : ndarray of shape (n_changed,), int64
        Labels, ascending.
    counts : csr_array of shape (n_changed, n_terms), int64
        What is added to the counts of each.
    terms : IndexedTerms

    Returns
    -------
    LexicalIndex
    """
    before = _counts_before(index, columns, counts.shape)
    new = _postings(index, columns, sparse.csr_array(before + counts), terms)
    numbers, sizes = np.unique(new.numbers, return_counts=True)
    lists = _Lists.of(index, numbers).without(columns, index.n_labels)
    # Labels that have a term now, and had it not before.
    n_before = np.bincount(before.indices, minlength=counts.shape[1])
    n_new = sizes - n_before[numbers // index.n_fields]
    first_counted = index.statistics.n_terms * index.n_fields
    frequencies = index.frequencies_of(numbers)
    frequencies += np.where(numbers >= first_counted, n_new, 0)
    starts = np.cumsum(sizes) - sizes
    peaks = index.peaks_of(numbers)
    if len(numbers):
        peaks = np.maximum(peaks, np.maximum.reduceat(new.values, starts))
    merged = lists.with_postings(new)
    replaced = IndexDelta(
        numbers,
        np.append(np.searchsorted(merged.numbers, numbers), len(merged.numbers)),
        merged.labels,
        merged.counts,
        merged.values,
        peaks,
        frequencies.astype(np.int32),
        np.ones(len(numbers), dtype=np.uint8),
    )
    delta = index.delta or IndexDelta.empty()
    return index.changed(delta=delta.replaced_by(replaced))


def _lengths(counts, terms):
    """Return the number of terms of each label by analyzer."""
    n_analyzers = len(terms.analyzers)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    cells = rows * n_analyzers + terms.analyzers_of(counts.indices)
    shape = counts.shape[0], n_analyzers
    lengths = np.bincount(cells, counts.data, minlength=shape[0] * shape[1])
    return lengths.astype(np.int64).reshape(shape)


def _postings(index, columns, counts, terms):
    """Return the postings of labels in the field of training texts."""
    rows = np.repeat(np.arange(len(columns)), np.diff(counts.indptr))
    analyzers = terms.analyzers_of(counts.indices)
    lengths = _lengths(counts, terms)[rows, analyzers]
    field = index.n_fields - 1
    return NewPostings.sorted(
        counts.indices.astype(np.int64) * index.n_fields + field,
        columns[rows].astype(np.int32),
        counts.data.astype(np.int32),
        index.statistics.values(counts.data, lengths, analyzers, field),
    )


def _counts_before(index, columns, shape):
    """Return the counts of labels in the field of training texts so far."""
    is_wanted = np.zeros(index.n_labels, dtype=bool)
    is_wanted[columns] = True
    places = np.flatnonzero(is_wanted[index.labels])
    found = [np.searchsorted(index.offsets, places, side="right") - 1]
    if index.delta is not None:
        places = np.flatnonzero(is_wanted[index.delta.labels])
        of_delta = np.searchsorted(index.delta.offsets, places, side="right") - 1
        found.append(index.delta.numbers[of_delta])
    numbers = np.unique(np.concatenate(found))
    of_field = numbers % index.n_fields == index.n_fields - 1
    lists = _Lists.of(index, numbers[of_field])
    is_wanted = is_wanted[lists.labels]
    rows = np.searchsorted(columns, lists.labels[is_wanted])
    terms = lists.numbers[is_wanted] // index.n_fields
    counts = lists.counts[is_wanted].astype(np.int64)
    return sparse.csr_array((counts, (rows, terms)), shape=shape)


class _Lists(NamedTuple):
    """All postings of some lists, by list and label.

    Parameters
    ----------
    numbers : ndarray of shape (n_postings,), int64
        The list of each posting.
    labels, counts : ndarray of shape (n_postings,), int32
    values : ndarray of shape (n_postings,), float32
    """

    numbers: NDArray
    labels: NDArray
    counts: NDArray
    values: NDArray

    @classmethod
    def of(cls, index, numbers):
        """Read lists of an index and of its delta.

        Parameters
        ----------
        index : LexicalIndex
        numbers : ndarray of int64
            Ascending.
        """
        delta = index.delta or IndexDelta.empty()
        positions, is_changed = delta.find(numbers)
        positions = positions[is_changed]
        is_replaced = is_changed.copy()
        is_replaced[is_changed] = delta.replaces[positions] > 0
        here = numbers[(numbers < len(index.peaks)) & ~is_replaced]
        entries, of_base = _entries(index.offsets, here)
        codes = index.codes[entries]
        base = cls(
            here[of_base],
            index.labels[entries],
            index.table_counts[codes],
            index.table[codes],
        )
        entries, of_delta = _entries(delta.offsets, positions)
        added = cls(
            numbers[is_changed][of_delta],
            delta.labels[entries],
            delta.counts[entries],
            delta.values[entries],
        )
        return base.with_postings(added)

    def without(self, labels, n_labels):
        """Leave out the postings of some labels."""
        is_kept = np.ones(n_labels, dtype=bool)
        is_kept[labels] = False
        is_kept = is_kept[self.labels]
        return _Lists(*(array[is_kept] for array in self))

    def with_postings(self, others):
        """Add postings of other labels, by list and label."""
        if not len(others.numbers):
            return self
        both = [np.concatenate(pair) for pair in zip(self, others, strict=True)]
        # Two ascending runs, which a stable sort merges in linear time.
        keys = both[0] << 32 | both[1]
        order = np.argsort(keys, kind="stable")
        return _Lists(*(array[order] for array in both))


def _entries(offsets, lists):
    """Return the positions of the postings of lists, and the index of each list."""
    starts, sizes = offsets[lists], offsets[lists + 1] - offsets[lists]
    of_list = np.repeat(np.arange(len(lists)), sizes)
    shifts = starts - (np.cumsum(sizes) - sizes)
    return np.arange(len(of_list)) + shifts[of_list], of_list
