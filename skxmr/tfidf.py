"""TF-IDF: which n-grams to keep, and what they weigh."""

from numbers import Integral

import numpy as np

from skxmr._cython import _ngrams as kernel

__all__ = ["Weighting", "inverse_document_frequency", "select_terms"]

NORMS = {None: 0, "l1": 1, "l2": 2}


def select_terms(
    terms, n_documents, *, min_df, max_df, max_features, by_documents, dtype
):
    """Choose the n-grams that become columns.

    Parameters
    ----------
    terms : GrowingTerms
    n_documents : int
    min_df, max_df : int or float
        Fewest and most documents that hold the n-gram: a number, or a share.
    max_features : int or None
        How many of them to choose, at most: those that occur most often.
    by_documents : bool
        Whether an n-gram counts only once in a document.
    dtype : dtype
        In which to count occurrences, so that ties are those of scikit-learn.

    Returns
    -------
    ndarray of shape (n_kept,), int64
        Their numbers, in the order of their characters.

    Raises
    ------
    ValueError
        If there is nothing to choose from, or nothing is left.
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
        # The same sort of the same numbers as scikit-learn's, so the same of ties.
        most = (-total[order].astype(dtype)).argsort()[:max_features]
        order = order[np.sort(most)]
    return order


def inverse_document_frequency(frequency, n_documents, *, smooth, dtype):
    """Weigh n-grams by the documents that hold them.

    Parameters
    ----------
    frequency : ndarray of shape (n_terms,), int64
        How many documents hold each.
    n_documents : int
    smooth : bool
        Whether to count one more document that holds every n-gram.
    dtype : dtype

    Returns
    -------
    ndarray of shape (n_terms,), `dtype`
        ln(N / df) + 1.
    """
    # In double precision, then rounded: NumPy's logarithm of single precision differs
    # between processors.
    ratio = (n_documents + smooth) / (frequency + smooth).astype(np.float64)
    return (np.log(ratio) + 1).astype(dtype)


class Weighting:
    """Turns counts into TF-IDF values.

    Parameters
    ----------
    idf : ndarray of shape (n_terms,), `dtype`, or None
        Weights of the terms, if any.
    norm : {"l1", "l2"} or None
    sublinear_tf, binary : bool
        Whether to take 1 + ln(tf), or 1, for tf.
    dtype : {"float32", "float64"}
    """

    def __init__(self, *, idf, norm, sublinear_tf, binary, dtype):
        self.idf = idf
        self.norm = norm
        self.sublinear_tf = sublinear_tf
        self.binary = binary
        self.dtype = dtype

    def values(self, rows):
        """Weigh the entries of rows.

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
            # As for the inverse document frequency.
            values = (np.log(values, dtype=np.float64) + 1).astype(self.dtype)
        weights = values[:0] if self.idf is None else self.idf
        kernel.scale(rows.ends, rows.indices, weights, NORMS[self.norm], values)
        return values
