"""TF-IDF: selection of n-grams, and their weights."""

from numbers import Integral

import numpy as np

from skxmr._cython._tfidf import scale

__all__ = ["Weighting", "inverse_document_frequency", "select_terms"]

NORMS = {None: 0, "l1": 1, "l2": 2}


def select_terms(
    terms, n_documents, *, min_df, max_df, max_features, by_documents, dtype
):
    """Select the n-grams that become columns.

    Parameters
    ----------
    terms : GrowingVocabulary
    n_documents : int
    min_df, max_df : int or float
        Minimum and maximum number of documents with the n-gram, or their share.
    max_features : int or None
        Maximum number of n-grams, those with the most occurrences.
    by_documents : bool
        Whether to rank n-grams by documents instead of occurrences.
    dtype : dtype
        The dtype in which occurrences are counted, so that ties are those of
        scikit-learn.

    Returns
    -------
    ndarray of shape (n_kept,), int64
        Their numbers, in the order of their characters.

    Raises
    ------
    ValueError
        If there are no n-grams, or none is left.
    """
    if len(terms) == 0:
        raise ValueError(
            "empty vocabulary; perhaps the documents only contain stop words"
        )
    low = min_df if isinstance(min_df, Integral) else min_df * n_documents
    high = max_df if isinstance(max_df, Integral) else max_df * n_documents
    if high < low:
        raise ValueError(
            f"max_df corresponds to < documents than min_df: max_df={max_df} is {high} "
            f"and min_df={min_df} is {low} of the {n_documents} documents."
        )
    frequency = terms.document_counts[: len(terms)]
    order = np.flatnonzero((frequency >= low) & (frequency <= high))
    if len(order) == 0:
        raise ValueError(
            "After pruning, no terms remain. Try a lower min_df or a higher max_df."
        )
    order = terms.sort(order)
    if max_features is not None and len(order) > max_features:
        total = frequency if by_documents else terms.total_counts
        # The same sort of the same numbers as in scikit-learn, for the same order of
        # ties.
        most = (-total[order].astype(dtype)).argsort()[:max_features]
        order = order[np.sort(most)]
    return order


def inverse_document_frequency(frequency, n_documents, *, smooth, dtype):
    """Compute inverse document frequencies.

    Parameters
    ----------
    frequency : ndarray of shape (n_terms,), int64
        Number of documents with each n-gram.
    n_documents : int
    smooth : bool
        Whether to add 1 to all numbers of documents.
    dtype : dtype

    Returns
    -------
    ndarray of shape (n_terms,), `dtype`
        ln(N / df) + 1.
    """
    # In double precision, then rounded: NumPy's single-precision logarithm differs
    # between CPUs.
    ratio = (n_documents + smooth) / (frequency + smooth).astype(np.float64)
    return (np.log(ratio) + 1).astype(dtype)


class Weighting:
    """Converts counts to TF-IDF values.

    Parameters
    ----------
    idf : ndarray of shape (n_terms,), `dtype`, or None
        Inverse document frequencies of the terms, if used.
    norm : {"l1", "l2"} or None
    sublinear_tf, binary : bool
        Whether to replace tf by 1 + ln(tf), or by 1.
    dtype : {"float32", "float64"}
    """

    def __init__(self, *, idf, norm, sublinear_tf, binary, dtype):
        self.idf = idf
        self.norm = norm
        self.sublinear_tf = sublinear_tf
        self.binary = binary
        self.dtype = dtype

    def values(self, rows):
        """Compute the values of the entries of rows.

        Parameters
        ----------
        rows : Rows

        Returns
        -------
        ndarray of shape (n_entries,), `dtype`
        """
        if self.binary:
            values = np.ones(len(rows.counts), dtype=self.dtype)
        else:
            values = rows.counts.astype(self.dtype)
        if self.sublinear_tf:
            # In double precision, as for the inverse document frequency.
            values = (np.log(values, dtype=np.float64) + 1).astype(self.dtype)
        weights = values[:0] if self.idf is None else self.idf
        scale(rows.ends, rows.indices, weights, NORMS[self.norm], values)
        return values
