"""Functions that make scorers of ranking metrics for scikit-learn's model selection."""

from collections.abc import Mapping

from skxmr._inputs._by_label import labels_of_index
from skxmr.metrics._averages import AVERAGES, check_average, f1_at_k
from skxmr.metrics._propensities import (
    propensity_scored_ndcg_at_k,
    propensity_scored_precision_at_k,
    propensity_scored_recall_at_k,
)
from skxmr.metrics._ranking import (
    coverage_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)
from skxmr.metrics._scorer_classes import (
    AverageScorer,
    ClassPropensityScorer,
    PropensityScorer,
    RankingScorer,
)

__all__ = [
    "coverage_at_k_scorer",
    "f1_at_k_scorer",
    "ndcg_at_k_scorer",
    "precision_at_k_scorer",
    "propensity_scored_ndcg_at_k_scorer",
    "propensity_scored_precision_at_k_scorer",
    "propensity_scored_recall_at_k_scorer",
    "recall_at_k_scorer",
    "reciprocal_rank_at_k_scorer",
]


def precision_at_k_scorer(k=5, *, average="samples"):
    """Make a scorer of `precision_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.
    average : {"samples", "macro"}, default="samples"
        The mean over rows, or over labels.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; it can be pickled. It uses `skxmr.rank`, so that it
        never stores a score for every label. `y` is a label indicator, or class labels
        of any type, where a class that is not in the training data has no hit.

    Raises
    ------
    ValueError
        If `k` is not a positive integer, or `average` is another value.

    See Also
    --------
    precision_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import precision_at_k_scorer
    >>> precision_at_k_scorer(1)
    precision_at_k_scorer(1)
    """
    check_average(average, ("samples", "macro"), "precision_at_k_scorer")
    if average == "samples":
        return RankingScorer(precision_at_k, k)
    return AverageScorer(precision_at_k, k, average)


def recall_at_k_scorer(k=5, *, average="samples"):
    """Make a scorer of `recall_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.
    average : {"samples", "macro"}, default="samples"
        The mean over rows, or over labels.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer, or `average` is another value.

    See Also
    --------
    recall_at_k : The metric.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, KFold
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skxmr.metrics import recall_at_k_scorer
    >>> X = [[0.0], [0.1], [0.2], [0.3], [5.0], [5.1], [5.2], [5.3]]
    >>> y = ["shoes", "boots", "shoes", "boots", "lamp", "bulb", "lamp", "bulb"]
    >>> search = GridSearchCV(
    ...     KNeighborsClassifier(),
    ...     {"n_neighbors": [1, 3]},
    ...     scoring=recall_at_k_scorer(2),
    ...     cv=KFold(8, shuffle=True, random_state=0),
    ... ).fit(X, y)
    >>> search.best_params_
    {'n_neighbors': 3}
    """
    check_average(average, ("samples", "macro"), "recall_at_k_scorer")
    if average == "samples":
        return RankingScorer(recall_at_k, k)
    return AverageScorer(recall_at_k, k, average)


def f1_at_k_scorer(k=5, *, average="micro"):
    """Make a scorer of `f1_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.
    average : {"micro", "macro", "samples"}, default="micro"
        What the mean is over.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer, or `average` is another value.

    See Also
    --------
    f1_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import f1_at_k_scorer
    >>> f1_at_k_scorer(3, average="macro")
    f1_at_k_scorer(3, average='macro')
    """
    check_average(average, AVERAGES, "f1_at_k_scorer")
    return AverageScorer(f1_at_k, k, average)


def ndcg_at_k_scorer(k=5):
    """Make a scorer of `ndcg_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer.

    See Also
    --------
    ndcg_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import ndcg_at_k_scorer
    >>> ndcg_at_k_scorer(10)
    ndcg_at_k_scorer(10)
    """
    return RankingScorer(ndcg_at_k, k)


def reciprocal_rank_at_k_scorer(k=5):
    """Make a scorer of `reciprocal_rank_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer.

    See Also
    --------
    reciprocal_rank_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import reciprocal_rank_at_k_scorer
    >>> reciprocal_rank_at_k_scorer(10)
    reciprocal_rank_at_k_scorer(10)
    """
    return RankingScorer(reciprocal_rank_at_k, k)


def coverage_at_k_scorer(k=5):
    """Make a scorer of `coverage_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer.

    See Also
    --------
    coverage_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import coverage_at_k_scorer
    >>> coverage_at_k_scorer(10)
    coverage_at_k_scorer(10)
    """
    return RankingScorer(coverage_at_k, k)


def propensity_scored_precision_at_k_scorer(k=5, *, propensities):
    """Make a scorer of `propensity_scored_precision_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.
    propensities : array-like of shape (n_labels,) or mapping
        An array, by column, if `y` is a label indicator. If `y` has class labels, a
        mapping from class to propensity or a Series whose index are the classes, since
        ``classes_`` differ from fold to fold; other classes get the smallest
        propensity.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer.

    See Also
    --------
    propensity_scored_precision_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import propensities, propensity_scored_precision_at_k_scorer
    >>> Y = [[1, 0], [1, 0], [1, 1]]
    >>> propensity_scored_precision_at_k_scorer(1, propensities=propensities(Y))
    propensity_scored_precision_at_k_scorer(1, propensities=<2 labels>)
    """
    return _propensity_scorer(propensity_scored_precision_at_k, k, propensities)


def propensity_scored_recall_at_k_scorer(k=5, *, propensities):
    """Make a scorer of `propensity_scored_recall_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.
    propensities : array-like of shape (n_labels,) or mapping
        As in `propensity_scored_precision_at_k_scorer`.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer.

    See Also
    --------
    propensity_scored_recall_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import propensities, propensity_scored_recall_at_k_scorer
    >>> Y = [[1, 0], [1, 0], [1, 1]]
    >>> propensity_scored_recall_at_k_scorer(1, propensities=propensities(Y))
    propensity_scored_recall_at_k_scorer(1, propensities=<2 labels>)
    """
    return _propensity_scorer(propensity_scored_recall_at_k, k, propensities)


def propensity_scored_ndcg_at_k_scorer(k=5, *, propensities):
    """Make a scorer of `propensity_scored_ndcg_at_k` for model selection.

    Parameters
    ----------
    k : int, default=5
        The number of labels to evaluate, at least 1.
    propensities : array-like of shape (n_labels,) or mapping
        As in `propensity_scored_precision_at_k_scorer`.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``; see `precision_at_k_scorer`.

    Raises
    ------
    ValueError
        If `k` is not a positive integer.

    See Also
    --------
    propensity_scored_ndcg_at_k : The metric.

    Examples
    --------
    >>> from skxmr.metrics import propensities, propensity_scored_ndcg_at_k_scorer
    >>> Y = [[1, 0], [1, 0], [1, 1]]
    >>> propensity_scored_ndcg_at_k_scorer(1, propensities=propensities(Y))
    propensity_scored_ndcg_at_k_scorer(1, propensities=<2 labels>)
    """
    return _propensity_scorer(propensity_scored_ndcg_at_k, k, propensities)


def _propensity_scorer(metric, k, propensities):
    labels = labels_of_index(propensities)
    # An index with duplicates does not identify labels.
    if labels is None or len(set(labels)) < len(labels):
        return PropensityScorer(metric, k, propensities)
    is_mapping = isinstance(propensities, Mapping)
    values = propensities.values() if is_mapping else propensities
    by_label = dict(zip(labels, values, strict=True))
    return ClassPropensityScorer(metric, k, by_label, is_ordered=not is_mapping)
