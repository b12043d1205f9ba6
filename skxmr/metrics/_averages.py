"""Means over labels, and the F1 score of the first k labels."""

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skxmr._inputs._validation import validate_parameter_constraints
from skxmr.metrics._hits import find_hits

__all__ = ["AVERAGES", "check_average", "count_by_label", "f1_at_k", "mean_ratio"]

AVERAGES = ("micro", "macro", "samples")


def f1_at_k(y_true, scores, k=5, *, average="micro", classes=None):
    r"""F1 score at k: precision and recall of the first k labels in one number.

    .. math:: F1 = \frac{2 \sum_{i,l} [l \in y_i] [l \in R_i]}
        {\sum_{i,l} [l \in y_i] + \sum_{i,l} [l \in R_i]}

    where :math:`R_i` are the first k labels that are retrieved for row i, or fewer if
    fewer are retrieved. For "micro", the sums are over all rows i and labels l; for
    "macro", they are over the rows, and the score is the mean over labels; for
    "samples", they are over the labels, and the score is the mean over rows. 0 / 0
    counts as 0. This is `sklearn.metrics.f1_score` of the indicator of :math:`R`, and
    `f1_score` itself evaluates decisions that are not the first k of each row.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, one column index per row, or a set of column
        indices for each row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.
    average : {"micro", "macro", "samples"}, default="micro"
        What the mean is over. The labels of a macro average are all columns of an
        indicator, where a label that does not occur counts as 0; with a 1-D `y_true`,
        they are the labels that are true or retrieved in some row.
    classes : array-like of shape (n_labels,), default=None
        The label of each column, such as `classes_`: `y_true` then holds labels, in a
        list, tuple or set for each row, or one for each row. Those that are not among
        the classes are never hit.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If an argument is invalid, or the arguments do not match; see `skxmr.metrics`.

    See Also
    --------
    precision_at_k : The share of true labels among the first k.
    recall_at_k : The share of true labels that are found.
    f1_at_k_scorer : For model selection.

    Notes
    -----
    The micro average is dominated by frequent labels, and the macro average by rare
    ones, which most labels are [1]_.

    References
    ----------
    .. [1] E. Schultheis, M. Wydmuch, W. Kotłowski, R. Babbar and K. Dembczyński,
       "Generalized test utilities for long-tail performance in extreme multi-label
       classification", NeurIPS 2023.

    Examples
    --------
    >>> from skxmr.metrics import f1_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[3, 0], [1, 2]]
    >>> f1_at_k(y_true, columns, k=1)  # 2 hits, 3 true and 2 retrieved labels
    0.8
    >>> f1_at_k(y_true, columns, k=1, average="macro")  # 0, 1, 0 and 1
    0.5
    """
    check_average(average, AVERAGES, "f1_at_k")
    hits = find_hits(y_true, scores, k, "f1_at_k", classes=classes)
    if average == "macro":
        n_hits, n_retrieved, n_true = count_by_label(hits)
    else:
        n_hits = hits.is_hit.sum(axis=1)
        n_retrieved, n_true = (hits.columns >= 0).sum(axis=1), hits.n_true
    if average == "micro":
        n_hits, n_retrieved, n_true = n_hits.sum(), n_retrieved.sum(), n_true.sum()
    return mean_ratio(2 * n_hits, n_retrieved + n_true)


def check_average(average, accepted, caller):
    """Raise ValueError if `average` is not one of the accepted ones.

    Parameters
    ----------
    average : object
    accepted : tuple of str
    caller : str
        Name of the public function, for the message.

    Raises
    ------
    ValueError
    """
    validate_parameter_constraints(
        {"average": [StrOptions(set(accepted))]}, {"average": average}, caller
    )


def count_by_label(hits):
    """Count for each label the rows with hits, those where it is retrieved, and true.

    Parameters
    ----------
    hits : Hits

    Returns
    -------
    n_hits, n_retrieved, n_true : ndarray of shape (n_labels,), int64
        Of all columns of an indicator; where `hits` has one true label per row, of
        the labels that are true or retrieved in some row.
    """
    n_labels = hits.truth.shape[1]
    found = hits.columns[hits.columns >= 0]
    n_true = np.bincount(hits.truth.indices, minlength=n_labels)
    n_retrieved = np.bincount(found, minlength=n_labels)
    n_hits = np.bincount(hits.columns[hits.is_hit], minlength=n_labels)
    if not hits.has_classes:
        return n_hits, n_retrieved, n_true
    occur = n_true + n_retrieved > 0
    return n_hits[occur], n_retrieved[occur], n_true[occur]


def mean_ratio(numerators, denominators):
    """Average ratios, where 0 / 0 is 0.

    Parameters
    ----------
    numerators, denominators : int, or ndarray of shape (n,), int64

    Returns
    -------
    float
    """
    return float(np.mean(numerators / np.maximum(denominators, 1)))
