"""Scorers: metrics of what an estimator ranks, as values that can be pickled."""

import numpy as np

from skxmr._base._fitted_clone import detached
from skxmr._inputs._by_label import Labels, in_order_of_labels
from skxmr._inputs._class_labels import list_target
from skxmr._inputs._named_columns import named_rows
from skxmr._inputs._validation import check_k, check_propensities, check_structure
from skxmr.metrics._labels import columns_of_labels, is_indicator
from skxmr.ranking import final_estimator, rank

__all__ = [
    "AverageScorer",
    "ClassPropensityScorer",
    "PropensityScorer",
    "RankingScorer",
    "classes_or_none",
    "scores_and_classes",
    "truth_and_ranking",
]


def truth_and_ranking(estimator, X, y, k):
    """Rank the labels of `X`, and look up the columns of the true ones.

    Parameters
    ----------
    estimator : object
        A fitted estimator that `skxmr.rank` supports.
    X : array-like, sparse matrix or list of str, of n_samples rows
    y : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
        A label indicator, rows of label names, or class labels of any type.
    k : int

    Returns
    -------
    y_true : csr_array of shape (n_samples, n_labels or more), or ndarray, or `y`
        An indicator, or one column index per row.
    ranking : (columns, scores)
    """
    estimator = detached(estimator)  # the same fitted state for both steps
    return _truth(estimator, y), rank(estimator, X, k)


def scores_and_classes(estimator, X, y):
    """Score the labels of `X`, and return the labels of the columns if `y` has names.

    Parameters
    ----------
    estimator : object
        A fitted estimator with ``predict_proba``.
    X, y
        As in `truth_and_ranking`.

    Returns
    -------
    scores : ndarray, or sparse matrix of shape (n_samples, n_labels)
    classes : ndarray of shape (n_labels,), or None
        None if `y` is an indicator.

    Raises
    ------
    TypeError
        If the estimator has no ``predict_proba``.
    """
    estimator = detached(estimator)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"estimator must have predict_proba; got {type(estimator).__name__}, which "
            f"has not."
        )
    classes = None if _has_indicator(y) else _classes_of(estimator)
    return estimator.predict_proba(X), classes


def _truth(estimator, y):
    if _has_indicator(y):
        return y
    return columns_of_labels(y, _classes_of(estimator), "y")


def _has_indicator(y):
    """Return whether y is a label indicator: neither class labels nor rows of names."""
    rows, y = named_rows(check_structure(y, "y"), "y")
    return rows is None and is_indicator(y)


class RankingScorer:
    """Score an estimator by a metric of its first `k` labels.

    It can be pickled, and is equal to another one with the same metric and `k`. It uses
    memory for ``n_samples x k`` numbers, never for ``n_samples x n_labels``.

    Parameters
    ----------
    metric : callable
        A function of `skxmr.metrics`, called as ``metric(y_true, ranking, k)``.
    k : int
        The number of labels to rank for each row, at least 1.
    """

    def __init__(self, metric, k):
        self.metric = metric
        self.k = check_k(k, f"{metric.__name__}_scorer")

    def __call__(self, estimator, X, y):
        """Rank the labels of `X` and compare them with the true ones.

        Parameters
        ----------
        estimator : object
            A fitted estimator that `skxmr.rank` supports.
        X : array-like, sparse matrix or list of str, of n_samples rows
        y : array-like or sparse matrix of shape (n_samples, n_labels), or (n_samples,)
            A label indicator, rows of label names, or class labels of any type. A label
            that is not in the training data has no hit.

        Returns
        -------
        float
            Higher is better.
        """
        return self._compare(*truth_and_ranking(estimator, X, y, self.k))

    def _compare(self, y_true, ranking):
        return self.metric(y_true, ranking, self.k)

    def __eq__(self, other):
        return type(self) is type(other) and self._identity() == other._identity()

    def __hash__(self):
        return hash(self._identity())

    def __repr__(self):
        return f"{self.metric.__name__}_scorer({self._arguments()})"

    def _arguments(self):
        return repr(self.k)

    def _identity(self):
        return self.metric, self.k


class AverageScorer(RankingScorer):
    """Score by a metric that has several averages.

    Parameters
    ----------
    metric : callable
        Called as ``metric(y_true, ranking, k, average=...)``.
    k : int
        The number of labels to rank for each row, at least 1.
    average : str
        One of those that the metric has.
    """

    def __init__(self, metric, k, average):
        super().__init__(metric, k)
        self.average = average

    def _compare(self, y_true, ranking):
        return self.metric(y_true, ranking, self.k, average=self.average)

    def _arguments(self):
        return f"{self.k}, average={self.average!r}"

    def _identity(self):
        return self.metric, self.k, self.average


class PropensityScorer(RankingScorer):
    """Score by a metric that weights the columns of a label indicator.

    Parameters
    ----------
    metric : callable
        Called as ``metric(y_true, ranking, k, propensities=...)``.
    k : int
        The number of labels to rank for each row, at least 1.
    propensities : array-like of shape (n_labels,)
        By column, in (0, 1]; copied.
    """

    def __init__(self, metric, k, propensities):
        super().__init__(metric, k)
        self.propensities = check_propensities(propensities).copy()

    def __call__(self, estimator, X, y):
        """Rank the labels of `X` and compare them with the true ones.

        Parameters
        ----------
        estimator, X
            As in `RankingScorer`.
        y : array-like or sparse matrix of shape (n_samples, n_labels)

        Returns
        -------
        float
            Higher is better.

        Raises
        ------
        ValueError
            If `y` has class labels, whose columns differ from fold to fold.
        """
        y = check_structure(y, "y")
        if not _has_indicator(y):
            raise ValueError(
                "propensities must be a dict from class to propensity where y holds "
                "class labels, got an array."
            )
        ranking = rank(estimator, X, self.k)
        return self.metric(y, ranking, self.k, propensities=self.propensities)

    def __eq__(self, other):
        return super().__eq__(other) and np.array_equal(
            self.propensities, other.propensities
        )

    __hash__ = RankingScorer.__hash__

    def _arguments(self):
        return f"{self.k}, propensities=<{len(self.propensities)} labels>"


class ClassPropensityScorer(RankingScorer):
    """Score by a metric that weights class labels.

    Parameters
    ----------
    metric : callable
        Called as ``metric(y_true, ranking, k, propensities=...)``.
    k : int
        The number of labels to rank for each row, at least 1.
    propensities : mapping
        Maps labels to propensities in (0, 1]; copied. Other classes get the smallest
        one.
    is_ordered : bool, default=False
        Whether the labels are the columns of an indicator, in this order.
    """

    def __init__(self, metric, k, propensities, is_ordered=False):
        super().__init__(metric, k)
        check_propensities(list(propensities.values()))
        self.propensities = dict(propensities)
        self.is_ordered = is_ordered

    def __call__(self, estimator, X, y):
        """Rank the labels of `X` and compare them with the true ones.

        Parameters
        ----------
        estimator, X
            As in `RankingScorer`.
        y : array-like or sparse matrix of shape (n_samples,) or (n_samples, n_labels)
            Class labels, rows of label names, or an indicator.

        Returns
        -------
        float
            Higher is better.

        Raises
        ------
        ValueError
            If `y` is a label indicator, and the labels are not its columns.
        """
        y = check_structure(y, "y")
        if _has_indicator(y):
            ranking = rank(estimator, X, self.k)
            by_column = self._by_column(Labels.of_indicator(y))
            return self.metric(y, ranking, self.k, propensities=by_column)
        estimator = detached(estimator)
        names = _classes_and_others(y, estimator)
        rarest = min(self.propensities.values())
        by_column = [self.propensities.get(name, rarest) for name in names]
        ranking = rank(estimator, X, self.k)
        columns = columns_of_labels(y, names, "y")
        return self.metric(columns, ranking, self.k, propensities=by_column)

    def _by_column(self, labels):
        if self.is_ordered and labels.names is None:
            return list(self.propensities.values())
        try:
            return in_order_of_labels(
                self.propensities, labels, "propensities", "numbers"
            )
        except ValueError as error:
            raise ValueError(
                f"propensities must be an array by column where y is a label "
                f"indicator, or have its columns as labels. {error}"
            ) from error

    def __eq__(self, other):
        same = super().__eq__(other) and self.propensities == other.propensities
        return same and self.is_ordered == other.is_ordered

    __hash__ = RankingScorer.__hash__

    def _arguments(self):
        return f"{self.k}, propensities=<{len(self.propensities)} classes>"


def classes_or_none(estimator):
    """Return the labels of the columns that an estimator ranks; None if it has none."""
    return getattr(final_estimator(estimator), "classes_", None)


def _classes_of(estimator):
    """Return the labels of the columns that an estimator ranks."""
    final = final_estimator(estimator)
    if not hasattr(final, "classes_"):
        raise TypeError(
            "y holds class labels, so estimator must have classes_ to look them up in; "
            f"got {type(final).__name__}, which has none."
        )
    return final.classes_


def _classes_and_others(y, estimator):
    """List the classes of a fitted estimator, and further labels of a target.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Class labels of any hashable type, or rows of label names.
    estimator : object
        A fitted estimator; its pipelines and searches lead to one with ``classes_``.

    Returns
    -------
    list
    """
    rows, y = named_rows(y, "y")
    labels = list_target(y) if rows is None else rows.names
    classes = list_target(_classes_of(estimator), "classes_")
    return list(dict.fromkeys([*classes, *labels]))
