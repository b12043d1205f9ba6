"""Metrics of how well scores are calibrated as probabilities."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skxmr._inputs._validation import (
    Interval,
    check_structure,
    validate_parameter_constraints,
)
from skxmr.metrics._hits import find_hits
from skxmr.metrics._labels import columns_of_labels
from skxmr.ranking import top_k

__all__ = ["expected_calibration_error", "reliability_curve"]


def reliability_curve(y_true, scores, k=5, *, bins=10, classes=None):
    r"""Share of true labels and mean score of each bin of scores.

    The bins are over pairs of a row and one of its first k retrieved labels. A
    reliability diagram plots the share of true labels against the mean score:
    calibrated probabilities are on the diagonal.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        Probabilities from 0 to 1: ``(columns, scores)`` as returned by `skxmr.rank`, or
        a matrix of shape (n_samples, n_labels).
    k : int or None, default=5
        The number of labels per row, or fewer if fewer are retrieved. None uses all
        pairs of a row and a label, where scores that are not stored are 0.
    bins : int or array-like of float of shape (n_bins + 1,), default=10
        The number of bins of equal width, or their ascending edges, from 0 to 1. A bin
        includes its upper edge; the first includes 0 too.
    classes : array-like of shape (n_labels,), default=None
        The label of each column, if `y_true` holds labels. Others have no score, and
        their pairs do not count.

    Returns
    -------
    true_shares : ndarray of shape (n_filled_bins,), float64
        The share of pairs whose label is true, for each bin that is not empty.
    mean_scores : ndarray of shape (n_filled_bins,), float64
        The mean score of its pairs.
    n_pairs : ndarray of shape (n_filled_bins,), int64
        The number of its pairs.

    Raises
    ------
    ValueError
        If an argument is invalid, or the arguments do not match, or if `k` is None and
        the number of labels is not known.

    See Also
    --------
    expected_calibration_error : A summary in one number.
    sklearn.calibration.calibration_curve : For a single label.

    Examples
    --------
    >>> from skxmr.metrics import reliability_curve
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> scores = [[0.9, 0.2, 0.0, 0.8], [0.3, 0.7, 0.0, 0.0]]
    >>> true_shares, mean_scores, n_pairs = reliability_curve(y_true, scores, bins=2)
    >>> true_shares.tolist(), mean_scores.round(2).tolist(), n_pairs.tolist()
    ([0.0, 1.0], [0.25, 0.8], [2, 3])
    """
    y_true = _known_labels(y_true, classes)
    n_true, totals, n_pairs = _sums(y_true, scores, k, bins, "reliability_curve")
    filled = n_pairs > 0
    n_pairs = n_pairs[filled]
    return n_true[filled] / n_pairs, totals[filled] / n_pairs, n_pairs


def expected_calibration_error(y_true, scores, k=5, *, bins=10, classes=None):
    r"""Mean absolute difference of scores and shares of true labels: ECE@k.

    .. math:: ECE@k = \sum_b \frac{|B_b|}{N} \left| \frac{1}{|B_b|} \sum_{(i, j) \in
        B_b} [j \in y_i] - \frac{1}{|B_b|} \sum_{(i, j) \in B_b} s_{ij} \right|

    over bins of the N pairs of a row and one of its first k labels, by their score
    [1]_. Over all pairs of a row and a label (``k=None``), the error is close to 0 for
    every model that gives most labels a score of 0 [2]_.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        Probabilities, as for `reliability_curve`.
    k : int or None, default=5
        The number of labels per row, or fewer if fewer are retrieved. None uses all
        pairs of a row and a label, where scores that are not stored are 0.
    bins : int or array-like of float of shape (n_bins + 1,), default=10
        The number of bins of equal width, or their ascending edges, from 0 to 1.
    classes : array-like of shape (n_labels,), default=None
        The label of each column, if `y_true` holds labels. Others have no score, and
        their pairs do not count.

    Returns
    -------
    float
        In [0, 1], lower is better; 0 if nothing is retrieved.

    Raises
    ------
    ValueError
        As in `reliability_curve`.

    See Also
    --------
    reliability_curve : The values of each bin.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern
       neural networks", ICML 2017, arXiv 1706.04599.
    .. [2] N. Ullah, E. Schultheis, J. Zhang and R. Babbar, "How well calibrated are
       extreme multi-label classifiers? An empirical analysis", KDD 2025,
       arXiv 2411.04276.

    Examples
    --------
    >>> from skxmr.metrics import expected_calibration_error
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> scores = [[0.9, 0.2, 0.0, 0.8], [0.3, 0.7, 0.0, 0.0]]
    >>> round(expected_calibration_error(y_true, scores, k=1, bins=2), 3)
    0.2
    """
    caller = "expected_calibration_error"
    y_true = _known_labels(y_true, classes)
    n_true, totals, n_pairs = _sums(y_true, scores, k, bins, caller)
    return float(np.abs(n_true - totals).sum() / max(1, n_pairs.sum()))


def _known_labels(y_true, classes):
    """Look labels up; pairs of a row and a label that is no class do not count."""
    if classes is None:
        return y_true
    columns = columns_of_labels(y_true, classes)
    if np.ndim(columns) > 1:
        return sparse.csr_array(columns)[:, : len(classes)]
    return np.where(columns < len(classes), columns, -1)


def _sums(y_true, scores, k, bins, caller):
    """Sum true labels, scores and pairs for each bin."""
    positive = Interval(Integral, 1, None, closed="left")
    validate_parameter_constraints({"k": [positive, None]}, {"k": k}, caller)
    k = None if k is None else int(k)
    inner = _inner_edges(bins)
    columns, values, n_labels = _retrieved(scores, k)
    n_labels = _count_labels(y_true, n_labels, k)
    hits = find_hits(y_true, (columns, values), columns.shape[1], caller, n_labels or 0)
    found = columns >= 0
    values = values[found].astype(np.float64)
    bin_of_pair = np.searchsorted(inner, values)
    n_bins = len(inner) + 1
    n_true = np.bincount(bin_of_pair, weights=hits.is_hit[found], minlength=n_bins)
    totals = np.bincount(bin_of_pair, weights=values, minlength=n_bins)
    n_pairs = np.bincount(bin_of_pair, minlength=n_bins)
    if k is None:  # all other labels have a score of 0
        n_true[0] += hits.n_true.sum() - hits.is_hit.sum()
        n_pairs[0] += hits.n_samples * n_labels - len(values)
    return n_true, totals, n_pairs


def _inner_edges(bins):
    """Return the edges between bins."""
    if np.ndim(bins) == 0:
        positive = Interval(Integral, 1, None, closed="left")
        validate_parameter_constraints({"bins": [positive]}, {"bins": bins}, "bins")
        return np.linspace(0, 1, int(bins) + 1)[1:-1]
    edges = check_array(bins, dtype=np.float64, ensure_2d=False, input_name="bins")
    rises = edges.ndim == 1 and (np.diff(edges) > 0).all()
    if not (rises and len(edges) > 1 and edges[0] == 0 and edges[-1] == 1):
        raise ValueError(
            f"bins must be a number of bins, or edges that rise from 0 to 1; got "
            f"{bins!r:.80}."
        )
    return edges[1:-1]


def _retrieved(scores, k):
    """Return the first columns and scores of each row, and the number of labels.

    Returns
    -------
    columns : ndarray of shape (n_samples, at most k), int64
    values : ndarray of that shape
    n_labels : int or None
    """
    n_labels = None
    if not isinstance(scores, tuple):
        scores = check_array(
            check_structure(scores, "scores"),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            input_name="scores",
        )
        n_labels = scores.shape[1]
        stored = np.diff(scores.indptr) if sparse.issparse(scores) else [n_labels]
        most = max(1, int(np.max(stored)))
        scores = top_k(scores, most if k is None else min(k, most))
    shapes = [np.shape(one) for one in scores]
    if len(shapes) != 2 or shapes[0] != shapes[1] or len(shapes[0]) != 2:
        raise ValueError(
            "scores must be a matrix, or the pair (columns, scores) that skxmr.rank "
            f"returns, of two arrays of one shape; got arrays of shapes {shapes}."
        )
    columns, values = map(np.asarray, scores)
    if k is not None:
        columns, values = columns[:, :k], values[:, :k]
    found = values[columns >= 0]
    if not ((found >= 0) & (found <= 1)).all():
        raise ValueError(
            f"scores must be probabilities from 0 to 1; got values from "
            f"{found.min():.6g} to {found.max():.6g}."
        )
    return columns, values, n_labels


def _count_labels(y_true, n_labels, k):
    """Return the number of labels, true or not; None if it is not needed."""
    shape = np.shape(y_true)
    if n_labels is not None and len(shape) == 2 and shape[1] != n_labels:
        raise ValueError(
            f"y_true and scores must have the same number of columns, got {shape[1]} "
            f"and {n_labels}."
        )
    if k is not None or n_labels is not None:
        return n_labels
    if len(shape) != 2:
        raise ValueError(
            "With k=None, all pairs of a row and a label count; give y_true as an "
            "indicator, or scores as a matrix, to say how many labels there are."
        )
    return shape[1]
