"""Rankings by any fitted estimator, also within pipelines and searches."""

import inspect
from functools import partial

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skxmr._inputs._validation import check_k, check_structure
from skxmr.ranking._scores import ranker_of_scores

__all__ = ["descend", "final_estimator", "rank", "transformed"]


def rank(estimator, X, k=10, *, allowed=None, excluded=None, unknown="raise"):
    """Find the `k` labels with the highest scores for each row, best first.

    The estimator may be within a `Pipeline`, a search such as `GridSearchCV`, a
    `FrozenEstimator`, or any nesting of them.

    Parameters
    ----------
    estimator : object
        A fitted estimator. Either it has a method ``rank(X, k)``, such as
        `XRLinearClassifier`, which computes only ``n_samples x k`` numbers; or it is a
        `Pipeline` or a search whose final estimator can rank; or it is any other
        scikit-learn classifier with ``predict_proba`` or, otherwise,
        ``decision_function``. The last kind scores all labels, mostly in a dense array,
        and is called with blocks of rows.
    X : array-like, sparse matrix or list of str, of n_samples rows
        The input of the estimator; the earlier steps of a pipeline transform it.
    k : int, default=10
        How many labels to retrieve for each row, at least 1.
    allowed : LabelSubset, iterable of labels, or sparse matrix of shape \
            (n_samples, n_labels), default=None
        The labels to rank, as columns of an indicator or classes, or a mask of them. An
        estimator that makes subsets by a method ``subset`` takes these as well. A
        sparse mask, or an ndarray of bool, of shape (n_samples, n_labels) allows each
        row labels of its own. None allows all.
    excluded : iterable of labels, or sparse matrix of shape (n_samples, n_labels), \
            default=None
        Labels that are not ranked, in all rows or in each.
    unknown : {"raise", "ignore"}, default="raise"
        Whether labels in these arguments that the estimator does not know raise an
        error or are ignored.

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Columns of the indicator `Y` of fit, or indices into ``classes_`` for 1-D class
        labels; filled up with -1 if fewer than `k` labels are found. Ties are broken by
        column index. A label with a probability of 0 is not found; with a decision
        function, all labels are found.
    scores : ndarray of shape (n_samples, k), float32 or float64
        Their scores, highest first; 0 where the column is -1.

    Raises
    ------
    TypeError
        If `estimator` cannot rank, or its method `rank` cannot restrict the labels.
    ValueError
        If `k` is not a positive integer, a label does not exist, or the estimator's
        scores are invalid.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    XRLinearClassifier.rank : The method of the classifier.
    skxmr.metrics : Evaluation of rankings.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skxmr.ranking import rank
    >>> X = [[0.0], [1.0], [2.0], [10.0]]
    >>> Y = [[1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    >>> neighbors = KNeighborsClassifier(n_neighbors=2)
    >>> model = make_pipeline(StandardScaler(), neighbors).fit(X, Y)
    >>> columns, scores = rank(model, [[0.4], [7.0]], k=3)
    >>> columns
    array([[ 0,  3, -1],
           [ 1,  2,  3]])
    >>> scores
    array([[1. , 0.5, 0. ],
           [0.5, 0.5, 0.5]])
    """
    k = check_k(k, "rank")
    transformers, final = descend(estimator)
    choice = _given(allowed=allowed, excluded=excluded)
    if choice and unknown != "raise":
        choice["unknown"] = unknown
    if not isinstance(final, type) and callable(getattr(final, "rank", None)):
        _check_takes(final, choice)
        ranked = partial(final.rank, **choice)
    else:
        ranked = partial(ranker_of_scores(final, estimator), **choice)
    X = transformed(check_structure(X, "X"), transformers)
    return _checked(ranked(X, k), k, final)


def final_estimator(estimator):
    """Follow pipelines, searches and `FrozenEstimator` down to what ranks.

    Parameters
    ----------
    estimator : object
        As for `rank`.

    Returns
    -------
    object
        The estimator whose columns `rank` returns, and whose ``classes_`` they index.
    """
    return descend(estimator)[1]


def transformed(X, transformers):
    """Apply the earlier steps of a pipeline.

    Parameters
    ----------
    X : matrix or list of str
    transformers : list of estimator

    Returns
    -------
    The input of the estimator that ranks.
    """
    for transformer in transformers:
        name = f"{type(transformer).__name__}.transform"
        X = check_structure(transformer.transform(X), name)
    return X


def descend(estimator):
    """List the transformers on the way to the estimator that ranks, and that one.

    Parameters
    ----------
    estimator : object
        As for `rank`.

    Returns
    -------
    transformers : list
        Fitted steps of pipelines, in the order in which X goes through them.
    estimator : object
    """
    transformers = []
    final = estimator
    while not hasattr(final, "rank"):
        if isinstance(final, Pipeline):
            *steps, (_, final) = final.steps
            transformers += [
                step for _, step in steps if step is not None and step != "passthrough"
            ]
        elif isinstance(final, FrozenEstimator):
            final = final.estimator
        elif hasattr(final, "best_estimator_"):
            final = final.best_estimator_
        else:
            break
    return transformers, final


def _given(**arguments):
    return {name: value for name, value in arguments.items() if value is not None}


def _check_takes(final, choice):
    """Raise TypeError if a custom method `rank` cannot restrict the labels."""
    parameters = inspect.signature(final.rank).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    for name in choice:
        if name not in parameters:
            raise TypeError(
                f"{type(final).__name__}.rank has no argument {name}; it ranks all "
                f"labels."
            )


def _checked(ranked, k, final):
    """Validate the shapes and dtypes of what a method `rank` returned."""
    columns, scores = map(np.asarray, ranked)
    if columns.ndim != 2 or columns.shape != scores.shape or columns.shape[1] != k:
        raise ValueError(
            f"{type(final).__name__}.rank must return columns and scores of shape "
            f"(n_samples, {k}), got {columns.shape} and {scores.shape}."
        )
    if columns.dtype.kind not in "iu":
        raise ValueError(
            f"{type(final).__name__}.rank must return integer columns, "
            f"got {columns.dtype}."
        )
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)
    return columns.astype(np.int64, copy=False), scores
