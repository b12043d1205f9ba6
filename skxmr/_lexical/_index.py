"""An inverted index: for each term and field, the labels that have it."""

from functools import cached_property, partial

import numpy as np

from skxmr._cython import _inverted_index as kernel
from skxmr._lexical._delta import IndexDelta
from skxmr._parallel._parallel import current_stop
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_finite,
    check_range,
    check_rows_ascend,
    check_shape,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._utils._pool import Pool

__all__ = ["LexicalIndex", "LexicalStatistics", "bm25_values"]


def bm25_values(counts, lengths, mean, k1, b):
    """Return the values of postings, without inverse document frequencies.

    Parameters
    ----------
    counts : ndarray of shape (n_postings,), int64
        How often the term occurs in the field of the label.
    lengths : ndarray of shape (n_postings,), int64
        The number of terms of the field.
    mean : float, or ndarray of shape (n_postings,)
        The mean length of the field; 0 takes all lengths for the mean.
    k1, b : float

    Returns
    -------
    ndarray of shape (n_postings,), float64
    """
    mean = np.where(mean > 0, mean, np.maximum(lengths, 1))
    return (k1 + 1) * counts / (counts + k1 * (1 - b + b * lengths / mean))


class LexicalStatistics:
    """The statistics of the texts that an index was built of.

    They do not change when labels are added or removed, so that the scores of all other
    labels stay the same.

    Parameters
    ----------
    n_labels : int
        The number N of the inverse document frequencies.
    n_terms : int
        The number of terms whose document frequencies are those of these texts.
    mean_lengths : ndarray of shape (n_analyzers, n_fields), float64
    k1, b : float
    """

    def __init__(self, n_labels, n_terms, mean_lengths, k1, b):
        self.n_labels = n_labels
        self.n_terms = n_terms
        self.mean_lengths = mean_lengths
        self.k1 = k1
        self.b = b

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("LexicalStatistics"):
            self._check_arrays()

    def values(self, counts, lengths, analyzer, fields):
        """Return the values of postings of an analyzer.

        Parameters
        ----------
        counts, lengths : ndarray of shape (n_postings,), int64
        analyzer : int
        fields : ndarray of shape (n_postings,), int64

        Returns
        -------
        ndarray of shape (n_postings,), float32
        """
        means = self.mean_lengths[analyzer, fields]
        return bm25_values(counts, lengths, means, self.k1, self.b).astype(np.float32)

    def _check_arrays(self):
        """Raise ValueError if the attributes of a loaded model are not consistent."""
        name = "LexicalStatistics"
        for size in ("n_labels", "n_terms"):
            value = getattr(self, size)
            if type(value) is not int or value < 0:
                refuse(f"{name}.{size}", f"is {value!r:.40}; expected an int")
        check_shape(
            self.mean_lengths, (np.float64,), (None, None), f"{name}.mean_lengths"
        )
        check_finite(self.mean_lengths, f"{name}.mean_lengths")
        if not (0 <= self.k1 <= 1e6 and 0 <= self.b <= 1):
            refuse(f"{name}.k1 and b", f"are {self.k1!r:.40} and {self.b!r:.40}")


class LexicalIndex:
    """The postings of terms in the fields of labels, as plain arrays.

    The score of a label is the sum of the values of its postings, each times the
    inverse document frequency of the term in the field. Few different values occur,
    so that postings hold codes, which are indices into a table of values.

    Labels that were added later have their postings in a delta, until `compacted`.

    Parameters
    ----------
    offsets : ndarray of shape (n_terms * n_fields + 1,), int64
        The start of the postings of each term in each field.
    labels : ndarray of shape (n_postings,), int32
        The labels that have the term in the field, ascending in each list.
    codes : ndarray of shape (n_postings,), uint16 or uint32
    table : ndarray of shape (n_codes,), float32
        The value of each code.
    table_counts : ndarray of shape (n_codes,), int32
        How often the term occurs in the field, for each code.
    peaks : ndarray of shape (n_terms * n_fields,), float32
        At least the largest value of each list.
    n_fields, n_labels : int
        Labels include those of the delta, and removed ones.
    statistics : LexicalStatistics

    Attributes
    ----------
    frequencies : ndarray of shape (n_terms * n_fields,), int32, or None
        The document frequencies; None for the lengths of the lists.
    delta : IndexDelta or None
    removed : ndarray of int64
        Labels that are not found, ascending.
    """

    def __init__(
        self,
        offsets,
        labels,
        codes,
        table,
        table_counts,
        peaks,
        n_fields,
        n_labels,
        statistics,
    ):
        self.offsets = offsets
        self.labels = labels
        self.codes = codes
        self.table = table
        self.table_counts = table_counts
        self.peaks = peaks
        self.n_fields = n_fields
        self.n_labels = n_labels
        self.statistics = statistics
        self.frequencies = None
        self.delta = None
        self.removed = np.empty(0, dtype=np.int64)

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("for_kernels", None)
        state.pop("searchers", None)
        return state

    def changed(self, **attributes):
        """Return the same index with other attributes."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__getstate__(), **attributes)
        return changed

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("LexicalIndex"):
            self._check_arrays()

    def without_delta(self):
        """Return the index as it was when it was built or last compacted."""
        return self.changed(delta=None)

    @property
    def n_terms(self):
        """Number of terms that have lists outside the delta."""
        return (len(self.offsets) - 1) // self.n_fields

    @cached_property
    def for_kernels(self):
        """The same index for kernels."""
        index = kernel.InvertedIndex(
            self.offsets,
            self.labels,
            self.peaks,
            self.n_fields,
            self.statistics.n_labels,
        )
        index = index.with_codes(self.codes, self.table)
        if self.frequencies is not None:
            index = index.with_frequencies(self.frequencies)
        if self.delta is not None:
            index = index.with_delta(*self.delta.for_kernels())
        if len(self.removed):
            bits = np.zeros(-(-self.n_labels // 8), dtype=np.uint8)
            of_labels = (1 << (self.removed & 7)).astype(np.uint8)
            np.bitwise_or.at(bits, self.removed >> 3, of_labels)
            index = index.without(bits)
        return index

    @cached_property
    def searchers(self):
        """The pool of searchers."""
        return Pool(partial(kernel.IndexSearcher, self.for_kernels))

    def inverse_document_frequency(self, term, field):
        """Return ln(1 + (N - df + 0.5) / (df + 0.5))."""
        return float(self._idf(np.array([term * self.n_fields + field]))[0])

    def _idf(self, numbers):
        n_labels = self.statistics.n_labels
        df = np.minimum(self.frequencies_of(numbers), n_labels)
        return np.log1p((n_labels - df + 0.5) / (df + 0.5))

    def frequencies_of(self, numbers):
        """Return the document frequencies of some lists.

        Parameters
        ----------
        numbers : ndarray of int64
            Of any shape: term * n_fields + field.

        Returns
        -------
        ndarray of int64
        """
        found, is_here = np.zeros(numbers.shape, dtype=np.int64), self._has(numbers)
        here = numbers[is_here]
        if self.frequencies is not None:
            found[is_here] = self.frequencies[here]
        else:
            found[is_here] = self.offsets[here + 1] - self.offsets[here]
        if self.delta is not None:
            positions, is_changed = self.delta.find(numbers)
            found[is_changed] = self.delta.frequencies[positions[is_changed]]
        return found

    def peaks_of(self, numbers):
        """Return the largest values of some lists, as `frequencies_of`."""
        found, is_here = np.zeros(numbers.shape, dtype=np.float32), self._has(numbers)
        found[is_here] = self.peaks[numbers[is_here]]
        if self.delta is not None:
            positions, is_changed = self.delta.find(numbers)
            added = self.delta.peaks[positions[is_changed]]
            found[is_changed] = np.maximum(found[is_changed], added)
        return found

    def _has(self, numbers):
        return numbers < len(self.peaks)

    def posting(self, term, field, label):
        """Return the count and the value of a term in a field of a label; or None."""
        number, is_replaced = term * self.n_fields + field, False
        if self.delta is not None:
            entries, is_replaced = self.delta.of_list(number)
            found = _find(self.delta.labels, entries, label)
            if found is not None:
                delta = self.delta
                return int(delta.counts[found]), float(delta.values[found])
        if is_replaced or number >= len(self.peaks):
            return None
        entries = slice(self.offsets[number], self.offsets[number + 1])
        found = _find(self.labels, entries, label)
        if found is None:
            return None
        code = self.codes[found]
        return int(self.table_counts[code]), float(self.table[code])

    def bounds(self, queries, field_weights):
        """Return a bound on the scores of each query.

        Parameters
        ----------
        queries : Queries
        field_weights : ndarray of shape (n_fields,)

        Returns
        -------
        ndarray of shape (n_queries,), float64
        """
        lists = queries.terms[:, np.newaxis] * np.int64(self.n_fields)
        lists = lists + np.arange(self.n_fields)
        peaks = self._idf(lists) * self.peaks_of(lists)
        terms = peaks @ field_weights.astype(np.float64)
        # Each sum by itself, so that it does not depend on the queries before.
        rows = np.repeat(np.arange(queries.n_queries), np.diff(queries.offsets))
        return np.bincount(rows, terms * queries.counts, minlength=queries.n_queries)

    def find(self, queries, k, field_weights, label_weights=None):
        """Find the labels of highest scores for several queries.

        Parameters
        ----------
        queries : Queries
        k : int
        field_weights : ndarray of shape (n_fields,), float32
        label_weights : ndarray of shape (n_labels,), float32, default=None
            Between 0 and 1: factors of the scores.

        Returns
        -------
        labels : ndarray of shape (n_queries, k), int64
            Best first; -1 where fewer are found.
        scores : ndarray of shape (n_queries, k), float64
            -inf where fewer are found.
        """
        labels = np.empty((queries.n_queries, k), dtype=np.int64)
        scores = np.empty((queries.n_queries, k))
        with self.searchers.lend() as searcher:
            searcher.find(
                *queries, field_weights, label_weights, labels, scores, current_stop()
            )
        return labels, scores

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name, n_lists = "LexicalIndex", len(self.offsets) - 1
        for size in ("n_fields", "n_labels"):
            value = getattr(self, size)
            if type(value) is not int or value < 0:
                refuse(f"{name}.{size}", f"is {value!r:.40}; expected an int")
        if not (self.n_fields >= 1 and n_lists % self.n_fields == 0):
            refuse(f"{name}.n_fields", f"is {self.n_fields!r} for {n_lists} lists")
        check_vector(self.offsets, (np.int64,), None, f"{name}.offsets")
        check_vector(self.labels, (np.int32,), None, f"{name}.labels")
        n_postings, n_codes = len(self.labels), len(self.table)
        check_vector(self.codes, (np.uint16, np.uint32), n_postings, f"{name}.codes")
        check_vector(self.table, (np.float32,), None, f"{name}.table")
        check_vector(self.table_counts, (np.int32,), n_codes, f"{name}.table_counts")
        check_vector(self.peaks, (np.float32,), n_lists, f"{name}.peaks")
        self._check_changes(n_lists)
        if to_be_read(self.offsets, self.labels, self.codes):
            offsets = self.offsets
            check_ascending(offsets, 0, n_postings, f"{name}.offsets", strictly=False)
            check_range(self.labels, 0, self.n_labels, f"{name}.labels")
            check_rows_ascend(offsets, self.labels, f"{name}.labels")
            check_range(self.codes, 0, n_codes, f"{name}.codes")
        if to_be_read(self.table, self.peaks):
            check_finite(self.table, f"{name}.table")
            check_finite(self.peaks, f"{name}.peaks")
            if (self.table <= 0).any() or (self.peaks < 0).any():
                refuse(f"{name}.table", "has a value that is not positive")

    def _check_changes(self, n_lists):
        name, statistics = "LexicalIndex", self.statistics
        if not isinstance(statistics, LexicalStatistics):
            refuse(f"{name}.statistics", f"is a {type(statistics).__name__}")
        if self.frequencies is not None:
            check_vector(self.frequencies, (np.int32,), n_lists, f"{name}.frequencies")
        check_vector(self.removed, (np.int64,), None, f"{name}.removed")
        check_range(self.removed, 0, self.n_labels, f"{name}.removed")
        if self.delta is not None and not isinstance(self.delta, IndexDelta):
            refuse(f"{name}.delta", f"is a {type(self.delta).__name__}")


def _find(labels, entries, label):
    """Return the position of a label in an ascending part of an array, or None."""
    found = entries.start + np.searchsorted(labels[entries], label)
    return found if found < entries.stop and labels[found] == label else None
