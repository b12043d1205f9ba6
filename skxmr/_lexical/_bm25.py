"""The BM25 index of counts."""

import numpy as np
from scipy import sparse

from skxmr._lexical._index import LexicalIndex, LexicalStatistics, bm25_values

__all__ = ["IndexBuilder"]

_MOST_INT32 = np.iinfo(np.int32).max
_MOST_NARROW = 1 << 16
# Pairs of count and length up to this product are listed without sorting.
_MOST_MARKS = 1 << 24


class IndexBuilder:
    """Builds an index of the counts of terms in the fields of labels.

    The value of a term that occurs `count` times in a field of a label is
    (k1 + 1) count / (count + k1 (1 - b + b length / mean length)), where the length is
    the total count of all terms of the same analyzer in the field [1]_.

    Parameters
    ----------
    n_fields, n_labels : int
    k1, b : float

    References
    ----------
    .. [1] S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25
       and Beyond", Foundations and Trends in Information Retrieval 3, 2009.
    """

    def __init__(self, n_fields, n_labels, k1, b):
        self.n_fields = n_fields
        self.n_labels = n_labels
        self.k1 = k1
        self.b = b
        self._sizes, self._labels, self._codes = [], [], []
        self._tables, self._counts, self._means = [], [], []
        self._n_codes = 0

    def add(self, fields):
        """Add the terms of one analyzer.

        Parameters
        ----------
        fields : list of csr_array of shape (n_labels, n_terms)
            The counts in each field.

        Returns
        -------
        ndarray of shape (n_terms,), int32
            The number of labels that have each term, added over fields.
        """
        parts = [self._field(counts) for counts in fields]
        # The sizes of the lists of postings, by term and field.
        sizes = np.stack([part[0] for part in parts], axis=1)
        self._sizes.append(sizes.ravel())
        self._labels.append(_interleave([part[1] for part in parts], sizes))
        self._codes.append(_interleave([part[2] for part in parts], sizes))
        return np.minimum(sizes.sum(axis=1), _MOST_INT32).astype(np.int32)

    def _field(self, counts):
        """Return the sizes, labels and codes of the postings of a field."""
        by_term = sparse.csc_array(counts)
        sizes = np.diff(by_term.indptr).astype(np.int64)
        lengths = np.asarray(counts.sum(axis=1), dtype=np.int64).ravel()
        labels = by_term.indices.astype(np.int32, copy=False)
        pairs = by_term.data.astype(np.int64) * (lengths.max(initial=0) + 1)
        pairs += lengths[labels]
        distinct, codes = _encode(pairs)
        times, length = np.divmod(distinct, lengths.max(initial=0) + 1)
        self._means.append(lengths.mean() if len(lengths) else 0.0)
        self._tables.append(
            bm25_values(times, length, self._means[-1], self.k1, self.b)
        )
        self._counts.append(times)
        codes += self._n_codes
        self._n_codes += len(distinct)
        return sizes, labels, codes

    def build(self):
        """Return the index of all terms, in the order in which they were added.

        Returns
        -------
        LexicalIndex
        """
        sizes = np.concatenate(self._sizes)
        offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes, out=offsets[1:])
        codes = np.concatenate(self._codes)
        if self._n_codes <= _MOST_NARROW:
            codes = codes.astype(np.uint16)
        table = np.concatenate(self._tables).astype(np.float32)
        peaks = np.zeros(len(sizes), dtype=np.float32)
        if len(codes):
            occurs = sizes > 0
            peaks[occurs] = np.maximum.reduceat(table[codes], offsets[:-1][occurs])
        return LexicalIndex(
            offsets,
            np.concatenate(self._labels),
            codes,
            table,
            np.concatenate(self._counts).astype(np.int32),
            peaks,
            self.n_fields,
            self.n_labels,
            self._statistics(),
        )

    def _statistics(self):
        means = np.array(self._means, dtype=np.float64).reshape(-1, self.n_fields)
        n_terms = sum(map(len, self._sizes)) // self.n_fields
        return LexicalStatistics(self.n_labels, n_terms, means, self.k1, self.b)


def _interleave(fields, sizes):
    """Bring the postings of each term together, field after field.

    Parameters
    ----------
    fields : list of ndarray of shape (n_postings of the field,)
        By term.
    sizes : ndarray of shape (n_terms, n_fields)

    Returns
    -------
    ndarray of shape (n_postings,)
    """
    if len(fields) == 1:
        return fields[0]
    starts = np.cumsum(sizes.ravel()).reshape(sizes.shape) - sizes
    merged = np.empty(sizes.sum(), dtype=fields[0].dtype)
    for field, items in enumerate(fields):
        of_field = sizes[:, field]
        shifts = starts[:, field] - (np.cumsum(of_field) - of_field)
        merged[np.arange(len(items)) + np.repeat(shifts, of_field)] = items
    return merged


def _encode(pairs):
    """Return the distinct values, ascending, and the index of each among them."""
    most = int(pairs.max(initial=0)) + 1
    if most > _MOST_MARKS:
        distinct, codes = np.unique(pairs, return_inverse=True)
        return distinct, codes.astype(np.uint32)
    occurs = np.zeros(most, dtype=bool)
    occurs[pairs] = True
    distinct = np.flatnonzero(occurs)
    numbers = np.zeros(most, dtype=np.uint32)
    numbers[distinct] = np.arange(len(distinct), dtype=np.uint32)
    return distinct, numbers[pairs]
