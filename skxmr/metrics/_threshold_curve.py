"""Precision and recall of all pairs of a row and a label, over thresholds."""

import numpy as np
from scipy import sparse

from skxmr.metrics._hits import find_hits, positions_of_keys

__all__ = ["micro_average_precision", "micro_precision_recall_curve"]


def micro_precision_recall_curve(y_true, scores, *, classes=None):
    r"""Micro-averaged precision and recall for each threshold of sparse scores.

    All pairs of a row and a label are taken together. At a threshold t, the pairs with
    a score of at least t are predicted:

    .. math:: P(t) = \frac{\sum_{i,l} [s_{il} \ge t] [l \in y_i]}
        {\sum_{i,l} [s_{il} \ge t]}, \qquad
        R(t) = \frac{\sum_{i,l} [s_{il} \ge t] [l \in y_i]}{\sum_i |y_i|}

    This is `sklearn.metrics.precision_recall_curve` of the flattened arrays, without
    the threshold of 0, at which every label of every row would be predicted. Time and
    memory grow with the number of scores, not with rows times labels. Since the labels
    that are not retrieved have no score, the recall ends below 1.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, one column index per row, or a set of column
        indices for each row.
    scores : array-like or sparse matrix, or a pair of arrays
        A matrix of non-negative float scores of shape (n_samples, n_labels), or the
        pair ``(columns, scores)`` as returned by `skxmr.rank`. 0 means not retrieved.
    classes : array-like of shape (n_labels,), default=None
        The label of each column, if `y_true` holds labels.

    Returns
    -------
    precision, recall : ndarray of shape (n_thresholds + 1,), float64
        For each threshold; the last ones are 1 and 0, for no prediction.
    thresholds : ndarray of shape (n_thresholds,), float32 or float64
        The distinct scores, ascending.

    Raises
    ------
    ValueError
        If an argument is invalid, or the arguments do not match; see `skxmr.metrics`.

    See Also
    --------
    MicroPrecisionRecallDisplay : Plots the curve.
    skxmr.LabelThresholdCV : Chooses a threshold on held-out rows.

    Examples
    --------
    >>> from skxmr.metrics import micro_precision_recall_curve
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> scores = [[0.9, 0.2, 0.0, 0.8], [0.3, 0.2, 0.0, 0.0]]
    >>> precision, recall, thresholds = micro_precision_recall_curve(y_true, scores)
    >>> thresholds.tolist()
    [0.2, 0.3, 0.8, 0.9]
    >>> precision.round(2).tolist(), recall.round(2).tolist()
    ([0.6, 0.67, 1.0, 1.0, 1.0], [1.0, 0.67, 0.67, 0.33, 0.0])
    """
    values, is_true, n_true = _scored_pairs(y_true, scores, classes)
    order = np.argsort(-values, kind="stable")
    values = values[order]
    # The last pair of each score: all those before it are predicted with it.
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], values.size > 0))
    n_hits = np.cumsum(is_true[order])[ends]
    precision = n_hits / (ends + 1)
    recall = n_hits / max(n_true, 1)
    return (
        np.append(precision[::-1], 1.0),
        np.append(recall[::-1], 0.0),
        values[ends][::-1],
    )


def micro_average_precision(precision, recall):
    """Sum precisions, each times the recall that its threshold adds.

    Parameters
    ----------
    precision, recall : ndarray of shape (n_thresholds + 1,)
        As from `micro_precision_recall_curve`.

    Returns
    -------
    float
        As `sklearn.metrics.average_precision_score` defines it, where labels that are
        not retrieved add nothing.
    """
    return float(-np.sum(np.diff(recall) * precision[:-1])) + 0.0


def _scored_pairs(y_true, scores, classes):
    """List the scores of all retrieved pairs of a row and a label.

    Returns
    -------
    values : ndarray of shape (n_pairs,)
    is_true : ndarray of shape (n_pairs,), bool
    n_true : int
        The number of true pairs, retrieved or not.
    """
    caller = "micro_precision_recall_curve"
    is_pair = isinstance(scores, tuple)
    if not is_pair and not sparse.issparse(scores):
        scores = np.asarray(scores)
        if scores.dtype.kind in "iu":
            raise ValueError(
                "scores are integers, which are read as columns without scores; "
                "expected the pair (columns, scores), or a matrix of floats."
            )
    width = np.shape(scores[0])[-1:] if is_pair and scores else ()
    hits = find_hits(y_true, scores, max((1, *width)), caller, classes=classes)
    n_true = hits.truth.nnz
    if is_pair:
        is_found = hits.columns >= 0
        return np.asarray(scores[1])[is_found], hits.is_hit[is_found], n_true
    matrix = sparse.csr_array(scores, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    keys = rows * hits.truth.shape[1] + matrix.indices
    return matrix.data, positions_of_keys(hits.truth, keys) >= 0, n_true
