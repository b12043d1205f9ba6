"""Scores of given pairs by any fitted estimator, also within pipelines and searches."""

from functools import partial

import numpy as np

from skxmr._inputs._validation import check_structure
from skxmr.ranking._rank import descend, transformed
from skxmr.ranking._scores import pair_scorer_of_scores

__all__ = ["score_pairs"]


def score_pairs(estimator, X, rows, labels, *, unknown="raise"):
    """Score given pairs of a row and a label.

    For candidates that another system has found, such as a search engine, or for the
    pairs of a log. The estimator may be within a `Pipeline`, a search such as
    `GridSearchCV`, a `FrozenEstimator`, or any nesting of them.

    Parameters
    ----------
    estimator : object
        A fitted estimator: one with a method ``score_pairs(X, rows, labels)``, such as
        `XRLinearClassifier`, which scores these pairs only; or a `Pipeline` or a search
        that leads to one; or any other scikit-learn classifier that `rank` takes, which
        scores all labels of blocks of rows.
    X : array-like, sparse matrix or list of str, of n_samples rows
        The input of the estimator; the earlier steps of a pipeline transform it.
    rows : array-like of shape (n_pairs,), int
        The row of X of each pair, in any order.
    labels : array-like of shape (n_pairs,)
        The label of each pair: columns of an indicator, or classes or names.
    unknown : {"raise", "ignore"}, default="raise"
        Whether labels that the estimator does not know, or that were removed, raise an
        error or have the score 0.

    Returns
    -------
    ndarray of shape (n_pairs,), float32 or float64
        The scores with which `rank` finds these labels, or would find them if its
        search reached them. The scores of one estimator can be compared.

    Raises
    ------
    TypeError
        If `estimator` cannot score pairs.
    ValueError
        If a row or a label does not exist, or there are not as many rows as labels.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    skxmr.rank : Ranks the labels of each row, on demand among the candidates of a mask.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier, score_pairs
    >>> X = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    >>> Y = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
    >>> scores = score_pairs(model, X, rows=[0, 0, 2], labels=[0, 1, 2])
    >>> bool(scores[0] > scores[1])
    True
    """
    transformers, final = descend(estimator)
    how = {} if unknown == "raise" else {"unknown": unknown}
    if callable(getattr(final, "score_pairs", None)) and not isinstance(final, type):
        score = partial(final.score_pairs, **how)
    elif hasattr(final, "rank"):
        raise TypeError(
            f"estimator must have a method score_pairs, or be a classifier with "
            f"predict_proba or decision_function; {type(final).__name__} has its own "
            f"method rank instead."
        )
    else:
        score = partial(pair_scorer_of_scores(final, estimator), unknown=unknown)
    scores = np.asarray(
        score(transformed(check_structure(X, "X"), transformers), rows, labels)
    )
    if scores.shape != np.shape(rows) or scores.dtype.kind != "f":
        raise ValueError(
            f"{type(final).__name__}.score_pairs must return a score for each pair, of "
            f"shape {np.shape(rows)}; got an array of {scores.dtype} and of shape "
            f"{scores.shape}."
        )
    return scores
