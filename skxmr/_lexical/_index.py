"""An inverted index: for each term and field, the labels that have it."""

from functools import cached_property, partial

import numpy as np

from skxmr._cython import _inverted_index as kernel
from skxmr._parallel._parallel import current_stop
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_finite,
    check_range,
    check_rows_ascend,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._utils._pool import Pool

__all__ = ["LexicalIndex"]


class LexicalIndex:
    """The postings of terms in the fields of labels, as plain arrays.

    The score of a label is the sum of the values of its postings, each times the
    inverse document frequency of the term in the field. Few different values occur,
    so that postings hold codes, which are indices into a table of values.

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
        The largest value of each list.
    n_fields, n_labels : int
    """

    def __init__(
        self, offsets, labels, codes, table, table_counts, peaks, n_fields, n_labels
    ):
        self.offsets = offsets
        self.labels = labels
        self.codes = codes
        self.table = table
        self.table_counts = table_counts
        self.peaks = peaks
        self.n_fields = n_fields
        self.n_labels = n_labels

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("for_kernels", None)
        state.pop("searchers", None)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("LexicalIndex"):
            self._check_arrays()

    @property
    def n_terms(self):
        """Number of terms."""
        return (len(self.offsets) - 1) // self.n_fields

    @cached_property
    def for_kernels(self):
        """The same index for kernels."""
        index = kernel.InvertedIndex(
            self.offsets, self.labels, self.peaks, self.n_fields, self.n_labels
        )
        return index.with_codes(self.codes, self.table)

    @cached_property
    def searchers(self):
        """The pool of searchers."""
        return Pool(partial(kernel.IndexSearcher, self.for_kernels))

    def inverse_document_frequency(self, term, field):
        """Return ln(1 + (N - df + 0.5) / (df + 0.5))."""
        number = term * self.n_fields + field
        df = self.offsets[number + 1] - self.offsets[number]
        return float(np.log1p((self.n_labels - df + 0.5) / (df + 0.5)))

    def posting(self, term, field, label):
        """Return the count and the value of a term in a field of a label; or None."""
        number = term * self.n_fields + field
        start, stop = self.offsets[number], self.offsets[number + 1]
        found = start + np.searchsorted(self.labels[start:stop], label)
        if found == stop or self.labels[found] != label:
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
        df = self.offsets[lists + 1] - self.offsets[lists]
        idf = np.log1p((self.n_labels - df + 0.5) / (df + 0.5))
        terms = (idf * self.peaks[lists]) @ field_weights.astype(np.float64)
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
