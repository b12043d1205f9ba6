"""Propensities of labels, and the metrics that they weight."""

from numbers import Real

import numpy as np
from scipy import sparse

from skxmr._inputs._class_labels import exact_target
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._validation import (
    Interval,
    check_propensities,
    validate_parameter_constraints,
)
from skxmr.metrics._hits import find_hits, indicator_csr
from skxmr.metrics._ranking import discounted

__all__ = [
    "propensities",
    "propensity_scored_ndcg_at_k",
    "propensity_scored_precision_at_k",
    "propensity_scored_recall_at_k",
]


def propensity_scored_precision_at_k(
    y_true, scores, k=5, *, propensities, classes=None
):
    r"""Propensity-scored precision at k, normalised: PSP@k.

    .. math::

       PSP@k = \frac{\sum_{i=1}^{n} \sum_{j=1}^{k} [r_j \in y] / p_{r_j}}
       {\sum_{i=1}^{n} \max_{s \subseteq y, |s| \le k} \sum_{l \in s} 1 / p_l}

    where :math:`p_l` is the propensity of label l: the probability that it is observed
    in a row for which it is relevant. The denominator is the value of an ideal ranking,
    so that the maximum is 1. This is the normalised form, which the Extreme
    Classification Repository reports [2]_ (both sums are over the whole data set).

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.
    propensities : array-like of shape (n_labels,)
        The propensity of each column, in (0, 1], estimated on the training set: see
        `propensities`. Classes of a 1-D `y_true` beyond these columns, and -1, get the
        smallest propensity, as the rarest labels.
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
    propensities : Estimates propensities from training data.
    precision_at_k : The same without weights.
    propensity_scored_precision_at_k_scorer : For model selection.

    References
    ----------
    .. [1] H. Jain, Y. Prabhu and M. Varma, "Extreme multi-label loss functions for
       recommendation, tagging, ranking & other missing label applications", KDD 2016.
    .. [2] K. Bhatia et al., "The extreme classification repository: multi-label
       datasets and code", 2016, http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> from skxmr.metrics import propensity_scored_precision_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[0, 1], [1, 0]]
    >>> p = [0.5, 0.5, 0.5, 0.25]  # (2 + 2) of (4 + 2)
    >>> round(
    ...     propensity_scored_precision_at_k(y_true, columns, k=1, propensities=p), 4
    ... )
    0.6667
    """
    gained, best, _ = _weighted_gains(
        "precision", y_true, scores, k, propensities, classes
    )
    return _ratio(gained.sum(), best.sum())


def propensity_scored_recall_at_k(y_true, scores, k=5, *, propensities, classes=None):
    r"""Propensity-scored recall at k, normalised: PSR@k.

    .. math::

       PSR@k = \frac{\sum_{i=1}^{n} \frac{1}{|y|} \sum_{j=1}^{k} [r_j \in y] / p_{r_j}}
       {\sum_{i=1}^{n} \frac{1}{|y|} \max_{s \subseteq y, |s| \le k}
       \sum_{l \in s} 1 / p_l}

    where :math:`p_l` is the propensity of label l. The denominator is the value of an
    ideal ranking, as in `propensity_scored_precision_at_k`; without it, values can be
    above 1. A row without true labels adds nothing to either sum.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.
    propensities : array-like of shape (n_labels,)
        The propensity of each column, in (0, 1], estimated on the training set: see
        `propensities`. Classes of a 1-D `y_true` beyond these columns, and -1, get the
        smallest propensity, as the rarest labels.
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
    propensities : Estimates propensities from training data.
    recall_at_k : The same without weights.
    propensity_scored_recall_at_k_scorer : For model selection.

    References
    ----------
    .. [1] H. Jain, Y. Prabhu and M. Varma, "Extreme multi-label loss functions for
       recommendation, tagging, ranking & other missing label applications", KDD 2016.

    Examples
    --------
    >>> from skxmr.metrics import propensity_scored_recall_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[0, 1], [1, 0]]
    >>> p = [0.5, 0.5, 0.5, 0.25]  # (2 / 2 + 2) of (4 / 2 + 2)
    >>> propensity_scored_recall_at_k(y_true, columns, k=1, propensities=p)
    0.75
    """
    gained, best, n_true = _weighted_gains(
        "recall", y_true, scores, k, propensities, classes
    )
    n_true = np.maximum(n_true, 1)
    return _ratio(
        (gained.sum(axis=1) / n_true).sum(), (best.sum(axis=1) / n_true).sum()
    )


def propensity_scored_ndcg_at_k(y_true, scores, k=5, *, propensities, classes=None):
    r"""Propensity-scored nDCG at k, normalised: PSnDCG@k.

    .. math::

       PSnDCG@k = \frac{\sum_{i=1}^{n} \frac{1}{N_i}
       \sum_{j=1}^{k} \frac{[r_j \in y]}{p_{r_j} \log_2(j + 1)}}
       {\sum_{i=1}^{n} \frac{1}{N_i}
       \max_s \sum_{j=1}^{k} \frac{[s_j \in y]}{p_{s_j} \log_2(j + 1)}},
       \qquad N_i = \sum_{j=1}^{\min(k, |y|)} \frac{1}{\log_2(j + 1)}

    where :math:`p_l` is the propensity of label l and the maximum is over all rankings
    s: the denominator is the value of an ideal ranking, as in
    `propensity_scored_precision_at_k`. A row without true labels adds nothing to either
    sum. Labels count as true or not: grades are not used.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.
    propensities : array-like of shape (n_labels,)
        The propensity of each column, in (0, 1], estimated on the training set: see
        `propensities`. Classes of a 1-D `y_true` beyond these columns, and -1, get the
        smallest propensity, as the rarest labels.
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
    propensities : Estimates propensities from training data.
    ndcg_at_k : The same without weights.
    propensity_scored_ndcg_at_k_scorer : For model selection.

    References
    ----------
    .. [1] H. Jain, Y. Prabhu and M. Varma, "Extreme multi-label loss functions for
       recommendation, tagging, ranking & other missing label applications", KDD 2016.

    Examples
    --------
    >>> from skxmr.metrics import propensity_scored_ndcg_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[0, 1], [1, 0]]
    >>> p = [0.5, 0.5, 0.5, 0.25]  # (2 + 2) of (4 + 2)
    >>> round(propensity_scored_ndcg_at_k(y_true, columns, k=1, propensities=p), 4)
    0.6667
    """
    gained, best, n_true = _weighted_gains(
        "ndcg", y_true, scores, k, propensities, classes
    )
    true_ranks = np.arange(best.shape[1]) < n_true[:, np.newaxis]
    shares = 1 / np.maximum(discounted(true_ranks.astype(np.float64)), 1)
    return _ratio(shares @ discounted(gained), shares @ discounted(best))


def _weighted_gains(metric, y_true, scores, k, propensities, classes):
    """Weight hits by inverse propensities.

    Returns
    -------
    gained, best : ndarray of shape (n_samples, at most k), float64
        What the retrieved labels gain, and an ideal ranking.
    n_true : ndarray of shape (n_samples,), int64
    """
    p = check_propensities(propensities)
    caller = f"propensity_scored_{metric}_at_k"
    hits = find_hits(y_true, scores, k, caller, p.size, classes)
    _check_reach(p, hits, classes)
    weights = 1 / np.append(p, p.min())  # the last one for classes beyond the columns
    gained, best = hits.gains(weights[np.minimum(hits.truth.indices, p.size)])
    return gained, best, hits.n_true


def _ratio(gained, best):
    return float(gained / best) if best > 0 else 0.0


def _check_reach(p, hits, classes):
    """Raise ValueError if propensities do not match the number of columns."""
    if classes is not None:
        fits = len(classes) == p.size > hits.columns.max()
    elif hits.has_classes:
        fits = hits.columns.max() < p.size
    else:
        fits = hits.truth.shape[1] == p.size
    if not fits:
        raise ValueError(
            "propensities must hold one value for each column that y_true or scores "
            f"refers to, got {p.size}."
        )


def propensities(Y, a=0.55, b=1.5):
    r"""Estimate the propensity of each label from its frequency.

    .. math::

       p_l = \frac{1}{1 + C (N_l + b)^{-a}}, \qquad C = (\ln N - 1) (b + 1)^a

    where :math:`N_l` of the :math:`N` rows have label l [1]_. The authors fitted a and
    b to data: 0.5 and 0.4 for Wikipedia, 0.6 and 2.6 for Amazon's products, 0.55 and
    1.5 otherwise. With fewer than three rows, C would be negative; it is then 0, and
    all propensities are 1.

    Parameters
    ----------
    Y : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        Labels of the training rows: an indicator, rows of label names, or class labels
        of one type.
    a : float, default=0.55
        Controls how much more often rare labels are missing than frequent ones;
        non-negative.
    b : float, default=1.5
        Smooths the estimate for the rarest labels; positive.

    Returns
    -------
    ndarray of shape (n_labels,), float64
        In (0, 1], in the order of the columns of `Y`; for names and class labels, in
        ascending order, that of the ``classes_`` of a classifier fitted on them.

    Raises
    ------
    ValueError
        If `Y` is invalid, or `a` or `b` is out of range.

    See Also
    --------
    propensity_scored_precision_at_k : Uses propensities.

    References
    ----------
    .. [1] H. Jain, Y. Prabhu and M. Varma, "Extreme multi-label loss functions for
       recommendation, tagging, ranking & other missing label applications", KDD 2016.

    Examples
    --------
    >>> from skxmr.metrics import propensities
    >>> propensities([[1, 0], [1, 0], [1, 1]]).round(3)
    array([0.933, 0.91 ])
    >>> queries = ["shoes", "shoes", "red shoes"]
    >>> p = dict(zip(np.unique(queries), propensities(queries)))
    """
    validate_parameter_constraints(
        {
            "a": [Interval(Real, 0, None, closed="left")],
            "b": [Interval(Real, 0, None, closed="neither")],
        },
        {"a": a, "b": b},
        caller_name="propensities",
    )
    Y = exact_target(read_columns(Y, "Y").y, "Y")
    if np.ndim(Y) == 1 and not sparse.issparse(Y):
        n_samples, counts = len(Y), np.unique(Y, return_counts=True)[1]
    else:
        Y = indicator_csr(Y, "Y")
        n_samples = Y.shape[0]
        counts = np.bincount(Y.indices, minlength=Y.shape[1])
    if n_samples == 0:
        raise ValueError("Y must have at least one row, got none.")
    return propensities_of_counts(counts, n_samples, a, b)


def propensities_of_counts(counts, n_samples, a=0.55, b=1.5):
    """Estimate propensities as `propensities` does.

    Parameters
    ----------
    counts : ndarray of shape (n_labels,)
        The number of rows that have each label.
    n_samples : int
        The number of rows, at least 1.
    a, b : float
        As in `propensities`.

    Returns
    -------
    ndarray of shape (n_labels,), float64
    """
    c = max(np.log(n_samples) - 1, 0) * (b + 1) ** a
    return 1 / (1 + c * (counts + b) ** -a)
