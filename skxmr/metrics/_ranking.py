"""The ranking metrics of `skxmr.metrics`, which describes their arguments."""

from numbers import Real

import numpy as np
from scipy import sparse

from skxmr._inputs._class_labels import exact_target
from skxmr._inputs._validation import (
    Interval,
    check_propensities,
    validate_parameter_constraints,
)
from skxmr.metrics._hits import find_hits, indicator_csr
from skxmr.ranking import top_k

__all__ = [
    "coverage_at_k",
    "ndcg_at_k",
    "precision_at_k",
    "propensities",
    "propensity_scored_precision_at_k",
    "recall_at_k",
    "reciprocal_rank_at_k",
]


def precision_at_k(y_true, scores, k=5):
    r"""Precision at k: the share of true labels among the first k.

    .. math:: P@k = \frac{1}{n} \sum_{i=1}^{n} \frac{1}{k} \sum_{j=1}^{k} [r_j \in y]

    The sum is divided by k even if fewer labels are retrieved or true.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.

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
    recall_at_k : Divides by the number of true labels.
    ndcg_at_k : Discounts hits by their rank.
    precision_at_k_scorer : For model selection.

    References
    ----------
    .. [1] K. Bhatia et al., "The extreme classification repository: multi-label
       datasets and code", 2016, http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> from skxmr.metrics import precision_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[3, 1], [1, 0]]
    >>> precision_at_k(y_true, columns, k=1)
    1.0
    >>> precision_at_k(y_true, columns, k=2)
    0.5
    """
    hits = find_hits(y_true, scores, k, "precision_at_k")
    return int(hits.is_hit.sum()) / (hits.n_samples * hits.k)


def recall_at_k(y_true, scores, k=5):
    r"""Recall at k: the share of a row's true labels that are among the first k.

    .. math:: R@k = \frac{1}{n} \sum_{i=1}^{n} \frac{1}{|y|} \sum_{j=1}^{k} [r_j \in y]

    A row without true labels counts as 0. With one true label per row, this is
    `sklearn.metrics.top_k_accuracy_score`.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.

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
    precision_at_k : Divides by k.
    coverage_at_k : The share of labels that are found at all.
    recall_at_k_scorer : For model selection.

    References
    ----------
    .. [1] C. D. Manning, P. Raghavan and H. Schütze, "Introduction to information
       retrieval", chapter 8, Cambridge University Press, 2008.

    Examples
    --------
    >>> from skxmr.metrics import recall_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[3, 1], [1, 0]]
    >>> recall_at_k(y_true, columns, k=1)
    0.75
    """
    hits = find_hits(y_true, scores, k, "recall_at_k")
    n_hits = hits.is_hit.sum(axis=1)
    return float(np.mean(n_hits / np.maximum(hits.n_true, 1)))


def ndcg_at_k(y_true, scores, k=5):
    r"""Normalised discounted cumulative gain of the first k labels: nDCG@k.

    .. math::

       nDCG@k = \frac{1}{n} \sum_{i=1}^{n}
       \frac{\sum_{j=1}^{k} [r_j \in y] / \log_2(j + 1)}
       {\sum_{j=1}^{\min(k, |y|)} 1 / \log_2(j + 1)}

    A row without true labels counts as 0. Without ties, this is
    `sklearn.metrics.ndcg_score`, which averages over ties.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.

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
    sklearn.metrics.ndcg_score : The same for dense arrays.
    reciprocal_rank_at_k : Uses the first hit only.
    ndcg_at_k_scorer : For model selection.

    References
    ----------
    .. [1] K. Järvelin and J. Kekäläinen, "Cumulated gain-based evaluation of IR
       techniques", ACM Transactions on Information Systems 20(4), 2002.

    Examples
    --------
    >>> from skxmr.metrics import ndcg_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[3, 1], [0, 1]]
    >>> round(ndcg_at_k(y_true, columns, k=2), 4)
    0.622
    """
    hits = find_hits(y_true, scores, k, "ndcg_at_k")
    n_counted = np.minimum(hits.n_true, min(hits.k, hits.truth.shape[1]))
    n_ranks = max(hits.is_hit.shape[1], n_counted.max())
    discounts = 1 / np.log2(np.arange(2, n_ranks + 2))
    gains = hits.is_hit @ discounts[: hits.is_hit.shape[1]]
    best = np.cumsum(discounts)[np.maximum(n_counted, 1) - 1]
    return float(np.mean(gains / best))


def reciprocal_rank_at_k(y_true, scores, k=5):
    r"""Mean reciprocal rank of the first true label: MRR@k.

    .. math:: MRR@k = \frac{1}{n} \sum_{i=1}^{n} \max_{j \le k} \frac{[r_j \in y]}{j}

    A row with no true label among its first k counts as 0.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.

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
    ndcg_at_k : Uses all hits, discounted by rank.
    completion_reciprocal_rank : The same for completions.
    reciprocal_rank_at_k_scorer : For model selection.

    References
    ----------
    .. [1] E. M. Voorhees, "The TREC-8 question answering track report", TREC 1999.

    Examples
    --------
    >>> from skxmr.metrics import reciprocal_rank_at_k
    >>> y_true = [[1, 0, 0, 1], [0, 1, 0, 0]]
    >>> columns = [[3, 1], [0, 1]]
    >>> reciprocal_rank_at_k(y_true, columns, k=2)
    0.75
    """
    hits = find_hits(y_true, scores, k, "reciprocal_rank_at_k")
    ranks = np.arange(1, hits.is_hit.shape[1] + 1)
    return float(np.mean((hits.is_hit / ranks).max(axis=1)))


def coverage_at_k(y_true, scores, k=5):
    r"""Coverage at k: the share of distinct true labels that are found in a row.

    .. math::

       C@k = \frac{\left|\bigcup_{i=1}^{n} \{r_1, \ldots, r_k\} \cap y\right|}
       {\left|\bigcup_{i=1}^{n} y\right|}

    Each label counts once, whatever its frequency: a label that is true for some row is
    covered if it is among the first k of at least one row for which it is true. Class
    -1 of a 1-D `y_true` counts as one label.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.

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
    recall_at_k : The share of true labels that are found, per row.
    propensity_scored_precision_at_k : Weights rare labels more.
    coverage_at_k_scorer : For model selection.

    References
    ----------
    .. [1] E. Schultheis, M. Wydmuch, W. Kotłowski, R. Babbar and K. Dembczyński,
       "Generalized test utilities for long-tail performance in extreme multi-label
       classification", NeurIPS 2023.

    Examples
    --------
    >>> from skxmr.metrics import coverage_at_k
    >>> y_true = [[1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    >>> columns = [[0, 1], [0, 3], [0, 2]]
    >>> round(coverage_at_k(y_true, columns, k=2), 4)  # 0, of 0, 1 and 3
    0.3333
    """
    hits = find_hits(y_true, scores, k, "coverage_at_k")
    n_occurring = np.unique(hits.truth.indices).size
    n_covered = np.unique(hits.columns[hits.is_hit]).size
    return n_covered / max(n_occurring, 1)


def propensity_scored_precision_at_k(y_true, scores, k=5, *, propensities):
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
    p = check_propensities(propensities)
    hits = find_hits(y_true, scores, k, "propensity_scored_precision_at_k", p.size)
    _check_reach(p, hits, np.ndim(y_true))
    weights = 1 / np.append(p, p.min())  # the last one for classes beyond the columns
    gained = weights[hits.columns[hits.is_hit]].sum()
    truth = hits.truth
    true_weights = weights[np.minimum(truth.indices, p.size)]
    weighted = sparse.csr_array(
        (true_weights, truth.indices, truth.indptr), truth.shape
    )
    best = top_k(weighted, min(hits.k, max(int(hits.n_true.max()), 1)))[1].sum()
    return float(gained / best) if best > 0 else 0.0


def _check_reach(p, hits, y_ndim):
    """Raise ValueError if propensities do not match the number of columns."""
    fits = hits.columns.max() < p.size if y_ndim == 1 else hits.truth.shape[1] == p.size
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
        Labels of the training rows: an indicator, or class labels of one type.
    a : float, default=0.55
        Controls how much more often rare labels are missing than frequent ones;
        non-negative.
    b : float, default=1.5
        Smooths the estimate for the rarest labels; positive.

    Returns
    -------
    ndarray of shape (n_labels,), float64
        In (0, 1], in the order of the columns of `Y`; for class labels, in the order of
        ``numpy.unique(Y)``, that is of the ``classes_`` of a classifier fitted on them.

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
    Y = exact_target(Y, "Y")
    if np.ndim(Y) == 1 and not sparse.issparse(Y):
        n_samples, counts = len(Y), np.unique(Y, return_counts=True)[1]
    else:
        Y = indicator_csr(Y, "Y")
        n_samples = Y.shape[0]
        counts = np.bincount(Y.indices, minlength=Y.shape[1])
    if n_samples == 0:
        raise ValueError("Y must have at least one row, got none.")
    c = max(np.log(n_samples) - 1, 0) * (b + 1) ** a
    return 1 / (1 + c * (counts + b) ** -a)
