"""Recall of labels by how frequent they are in training."""

from collections.abc import Mapping

import numpy as np

from skxmr._inputs._class_labels import list_target
from skxmr.metrics._completion import frequency_bins
from skxmr.metrics._hits import find_hits

__all__ = ["counts_by_column", "recall_by_frequency"]


def recall_by_frequency(y_true, scores, counts, k=5, *, classes=None):
    r"""Recall at k of the labels of each bin of training frequencies.

    .. math:: R_b@k = \frac{\sum_i |\{r_{i1}, \ldots, r_{ik}\} \cap y_i \cap L_b|}
        {\sum_i |y_i \cap L_b|}

    where :math:`L_b` are the labels whose number of training rows is in bin b of
    `frequency_bins`: 0, 1, 2-3, 4-10, 11-30, 31-100 and so on. A mean over all labels
    or rows hides that a model never finds its rare labels.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, one column index per row, or a set of column
        indices for each row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    counts : array-like of shape (n_labels,), int, or mapping
        The number of training rows of each column: ``Y_train.sum(axis=0)`` of an
        indicator. With `classes`, it may also map labels to their counts, such as a
        `collections.Counter`; others have 0. True labels beyond the columns have 0.
    k : int, default=5
        The number of labels to evaluate, at least 1.
    classes : array-like of shape (n_labels,), default=None
        The label of each column, if `y_true` holds labels.

    Returns
    -------
    frequencies : ndarray of shape (n_bins,), int64
        The lowest count of each bin with true labels, ascending.
    recalls : ndarray of shape (n_bins,), float64
        The share of the bin's true labels that are found.
    n_true : ndarray of shape (n_bins,), int64
        The number of pairs of a row and one of its true labels in the bin.

    Raises
    ------
    ValueError
        If an argument is invalid, or the arguments do not match; see `skxmr.metrics`.

    See Also
    --------
    RecallByFrequencyDisplay : Plots it.
    frequency_bins : The bins.
    recall_at_k : The mean over rows, or over labels.

    Examples
    --------
    >>> from skxmr.metrics import recall_by_frequency
    >>> y_true = [[1, 0, 0, 1], [1, 1, 0, 0]]
    >>> columns = [[0, 1], [0, 2]]
    >>> frequencies, recalls, n_true = recall_by_frequency(
    ...     y_true, columns, counts=[7, 3, 3, 2], k=2
    ... )
    >>> frequencies.tolist(), recalls.tolist(), n_true.tolist()
    ([2, 4], [0.0, 1.0], [2, 2])
    """
    counts = counts_by_column(counts, classes)
    hits = find_hits(
        y_true, scores, k, "recall_by_frequency", len(counts), classes=classes
    )
    n_columns = hits.truth.shape[1]
    is_open = hits.has_classes or classes is not None  # has columns for unseen labels
    if hits.columns.max() >= len(counts) or (not is_open and n_columns != len(counts)):
        raise ValueError(
            f"counts must hold one number for each column that y_true or scores refers "
            f"to, got {len(counts)}."
        )
    padded = np.zeros(max(n_columns, len(counts)), dtype=np.int64)
    padded[: len(counts)] = counts
    bins = frequency_bins(padded)
    true_bins = bins[hits.truth.indices]
    found_bins = bins[hits.columns[hits.is_hit]]
    frequencies, n_true = np.unique(true_bins, return_counts=True)
    n_found = np.searchsorted(np.sort(found_bins), frequencies, side="right")
    n_found = np.diff(n_found, prepend=0)
    return frequencies, n_found / np.maximum(n_true, 1), n_true


def counts_by_column(counts, classes):
    """Return the number of training rows of each column.

    Parameters
    ----------
    counts : array-like of shape (n_labels,), or mapping
    classes : array-like of shape (n_labels,), or None
        The label of each column.

    Returns
    -------
    ndarray of shape (n_labels,), int64

    Raises
    ------
    ValueError
        If `counts` are no counts, or not one for each class.
    """
    if isinstance(counts, Mapping):
        if classes is None:
            raise ValueError(
                "counts maps labels to counts, so classes must tell the label of each "
                "column; or pass an array, by column."
            )
        by_label = counts
        counts = [by_label.get(one, 0) for one in list_target(classes, "classes")]
    counts = np.asarray(counts)
    if counts.ndim == 2 and len(counts) == 1:  # the sum of a sparse matrix
        counts = counts[0]
    whole = counts.ndim == 1 and counts.size > 0 and counts.dtype.kind in "iufb"
    if not (whole and (counts >= 0).all() and (counts == np.floor(counts)).all()):
        raise ValueError(
            f"counts must be non-negative whole numbers of shape (n_labels,), got the "
            f"shape {counts.shape} and {counts.dtype}."
        )
    if classes is not None and len(classes) != len(counts):
        raise ValueError(
            f"counts must hold one number for each of the {len(classes)} classes, got "
            f"{len(counts)}."
        )
    return counts.astype(np.int64)
