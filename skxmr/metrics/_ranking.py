"""The ranking metrics of `skxmr.metrics`, which describes their arguments."""

import numpy as np

from skxmr.metrics._averages import check_average, count_by_label, mean_ratio
from skxmr.metrics._hits import find_hits

__all__ = [
    "coverage_at_k",
    "discounted",
    "ndcg_at_k",
    "precision_at_k",
    "recall_at_k",
    "reciprocal_rank_at_k",
]


def precision_at_k(y_true, scores, k=5, *, average="samples", classes=None):
    r"""Precision at k: the share of true labels among the first k.

    .. math:: P@k = \frac{1}{n} \sum_{i=1}^{n} \frac{1}{k} \sum_{j=1}^{k} [r_j \in y]

    The sum is divided by k even if fewer labels are retrieved or true. The macro
    average is the mean over labels: of the rows where a label is among the first k, the
    share that have it.

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
    average : {"samples", "macro"}, default="samples"
        The mean over rows, or over labels. With an indicator, these are all columns,
        where a label that does not occur counts as 0, as in scikit-learn. With a 1-D
        `y_true`, they are the labels that are true or retrieved in some row.
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
    recall_at_k : Divides by the number of true labels.
    f1_at_k : The harmonic mean of precision and recall.
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
    check_average(average, ("samples", "macro"), "precision_at_k")
    hits = find_hits(y_true, scores, k, "precision_at_k", classes=classes)
    if average == "macro":
        n_hits, n_retrieved, _ = count_by_label(hits)
        return mean_ratio(n_hits, n_retrieved)
    return int(hits.is_hit.sum()) / (hits.n_samples * hits.k)


def recall_at_k(y_true, scores, k=5, *, average="samples", classes=None):
    r"""Recall at k: the share of a row's true labels that are among the first k.

    .. math:: R@k = \frac{1}{n} \sum_{i=1}^{n} \frac{1}{|y|} \sum_{j=1}^{k} [r_j \in y]

    A row without true labels counts as 0. With one true label per row, this is
    `sklearn.metrics.top_k_accuracy_score`. The macro average is the mean over labels:
    of the rows that have a label, the share where it is among the first k.

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
    average : {"samples", "macro"}, default="samples"
        The mean over rows, or over labels. With an indicator, these are all columns,
        where a label that does not occur counts as 0, as in scikit-learn. With a 1-D
        `y_true`, they are the labels that are true or retrieved in some row.
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
    check_average(average, ("samples", "macro"), "recall_at_k")
    hits = find_hits(y_true, scores, k, "recall_at_k", classes=classes)
    if average == "macro":
        n_hits, _, n_true = count_by_label(hits)
        return mean_ratio(n_hits, n_true)
    n_hits = hits.is_hit.sum(axis=1)
    return float(np.mean(n_hits / np.maximum(hits.n_true, 1)))


def ndcg_at_k(y_true, scores, k=5, *, classes=None):
    r"""Normalised discounted cumulative gain of the first k labels: nDCG@k.

    .. math::

       nDCG@k = \frac{1}{n} \sum_{i=1}^{n}
       \frac{\sum_{j=1}^{k} g_{r_j} / \log_2(j + 1)}
       {\max_s \sum_{j=1}^{k} g_{s_j} / \log_2(j + 1)}

    where :math:`g_l` is the grade of label l in the row: 1 if the label is true and 0
    otherwise, or any other value that `y_true` has for it. The maximum is over all
    rankings s: it is reached by the labels in the order of their grades. A row without
    true labels counts as 0. Without ties in the scores, this is
    `sklearn.metrics.ndcg_score`, which averages over ties. For exponential gains,
    :math:`2^g - 1`, transform the grades before.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        True labels: an indicator, non-negative grades, or one column index per row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.
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
    hits = find_hits(y_true, scores, k, "ndcg_at_k", classes=classes)
    gains, best = hits.gains(hits.truth.data)
    ideal = discounted(best)
    return float(np.mean(discounted(gains) / np.where(ideal > 0, ideal, 1)))


def discounted(gains):
    """Sum the gains of each row, divided by the logarithm of their rank.

    Parameters
    ----------
    gains : ndarray of shape (n_samples, any), float64

    Returns
    -------
    ndarray of shape (n_samples,), float64
    """
    return gains @ (1 / np.log2(np.arange(2, gains.shape[1] + 2)))


def reciprocal_rank_at_k(y_true, scores, k=5, *, classes=None):
    r"""Mean reciprocal rank of the first true label: MRR@k.

    .. math:: MRR@k = \frac{1}{n} \sum_{i=1}^{n} \max_{j \le k} \frac{[r_j \in y]}{j}

    A row with no true label among its first k counts as 0.

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
    hits = find_hits(y_true, scores, k, "reciprocal_rank_at_k", classes=classes)
    ranks = np.arange(1, hits.is_hit.shape[1] + 1)
    return float(np.mean((hits.is_hit / ranks).max(axis=1)))


def coverage_at_k(y_true, scores, k=5, *, classes=None):
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
        True labels: an indicator, one column index per row, or a set of column
        indices for each row.
    scores : array-like or sparse matrix, or a pair of arrays
        The ranking: ``(columns, scores)`` or ``columns`` as returned by `skxmr.rank`,
        or a matrix of non-negative float scores of shape (n_samples, n_labels).
    k : int, default=5
        The number of labels to evaluate, at least 1.
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
    hits = find_hits(y_true, scores, k, "coverage_at_k", classes=classes)
    n_occurring = np.unique(hits.truth.indices).size
    n_covered = np.unique(hits.columns[hits.is_hit]).size
    return n_covered / max(n_occurring, 1)
