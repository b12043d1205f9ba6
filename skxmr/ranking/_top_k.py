"""The largest scores of each row."""

import numpy as np
from scipy import sparse

from skxmr._inputs._validation import check_structure
from skxmr._utils._padding import check_size, pad_ranking

__all__ = ["best_k", "scores_to_csr", "top_k", "top_k_signed"]


def top_k(scores, k):
    """Find the `k` largest non-zero scores of each row.

    Parameters
    ----------
    scores : ndarray or sparse matrix of shape (n_samples, n_labels)
        Finite; a label with a score of 0, stored or not, is not found.
    k : int
        At least 1.

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first; ties are broken by column index; filled up with -1.
    top_scores : ndarray of shape (n_samples, k), float32 or float64
    """
    scores = check_structure(scores, "scores")
    n_found = check_size(scores.shape[0], k, scores.shape[1])
    columns, top_scores = _largest(scores, n_found)
    return pad_ranking(columns, top_scores, k)


def top_k_signed(scores, k):
    """Find the `k` largest scores of each row, whatever their sign.

    Parameters and results are those of `top_k`, except that a score of 0 in an ndarray
    is found like any other.
    """
    if sparse.issparse(scores):  # not stored is not found
        return top_k(scores, k)
    n_found = check_size(scores.shape[0], k, scores.shape[1])
    leading = _leading(scores, n_found)
    columns, top_scores = _top_k_of_mask(scores, leading, n_found)
    return pad_ranking(columns, top_scores, k)


def _leading(scores, k):
    """Mark the scores (2-D ndarray) that reach their row's k-th highest."""
    n_labels = scores.shape[1]
    if k >= n_labels:
        return np.ones(scores.shape, dtype=bool)
    kth = np.partition(scores, n_labels - k, axis=1)[:, n_labels - k]
    return scores >= kth[:, np.newaxis]


def _top_k_of_mask(scores, mask, k):
    rows, columns = np.nonzero(mask)
    return _to_rankings(rows, columns, scores[rows, columns], (scores.shape[0], k))


def _to_rankings(rows, columns, scores, shape):
    """Arrange entries, sorted by row and column, as arrays of shape (n_samples, k)."""
    n_samples, k = shape
    top_columns = np.full(shape, -1, dtype=np.int64)
    top_scores = np.zeros(shape, dtype=scores.dtype)
    counts = np.bincount(rows, minlength=n_samples)
    starts = np.cumsum(counts) - counts
    # Rows of similar length are sorted together: much faster than one sort of all
    # entries, and padding to a power of two at most doubles their number.
    widths = 2 ** np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)
    for width in np.unique(widths[counts > 0]):
        members = np.flatnonzero((widths == width) & (counts > 0))
        ends = counts[members, np.newaxis]
        positions = np.arange(width)
        entries = np.minimum(starts[members, np.newaxis] + positions, rows.size - 1)
        padded = np.where(positions < ends, scores[entries], -np.inf)
        # Stable, so that ties keep the order of their columns.
        order = np.argsort(-padded, axis=1, kind="stable")[:, :k]
        best, found = np.take_along_axis(entries, order, axis=1), order < ends
        top_columns[members, : best.shape[1]] = np.where(found, columns[best], -1)
        top_scores[members, : best.shape[1]] = np.where(found, scores[best], 0)
    return top_columns, top_scores


def best_k(columns, log_scores, k):
    """Keep the best `k` entries of each row's shortlist.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, any), int64
        In any order, without duplicates; filled up with -1.
    log_scores : ndarray of the same shape, float64
        Columns with -inf are not found.
    k : int

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first, ties broken by column; filled up with -1.
    log_scores : ndarray of shape (n_samples, k), float64
        -inf where the column is -1.
    """
    columns = np.where(np.isneginf(log_scores), -1, columns)
    order = np.lexsort((columns, -log_scores), axis=1)[:, :k]
    best = np.full((len(columns), k), -1, dtype=np.int64)
    best_scores = np.full((len(columns), k), -np.inf)
    best[:, : order.shape[1]] = np.take_along_axis(columns, order, axis=1)
    best_scores[:, : order.shape[1]] = np.take_along_axis(log_scores, order, axis=1)
    return best, best_scores


def scores_to_csr(columns, scores, n_columns):
    """Put rankings into a sparse matrix.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, any), int64
        Without duplicates in a row; entries of -1 are left out.
    scores : ndarray of the same shape
    n_columns : int

    Returns
    -------
    csr_array of shape (n_samples, n_columns), of the dtype of scores
        With sorted indices.
    """
    found = columns >= 0
    offsets = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
    matrix = sparse.csr_array(
        (scores[found], columns[found], offsets), shape=(len(columns), n_columns)
    )
    matrix.sort_indices()
    return matrix


def _largest(scores, k):
    """Find the `k` largest non-zero scores of each row, for k of at most n_labels."""
    if not sparse.issparse(scores):
        found = scores != 0
        leading = _leading(np.where(found, scores, -np.inf), k)
        return _top_k_of_mask(scores, leading & found, k)
    scores = sparse.csr_array(scores)
    if not scores.has_canonical_format:
        scores = scores.copy()  # the caller's matrix is not modified
        scores.sum_duplicates()
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    found = scores.data != 0
    entries = rows[found], scores.indices[found], scores.data[found]
    return _to_rankings(*entries, (scores.shape[0], k))
