"""Candidates of a reranker: found, described by features, and scored."""

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_array

from skxmr._base._fitted_clone import detached
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._validation import check_structure, take_rows
from skxmr._targets import NamedTarget
from skxmr.rankers._candidates import Candidates
from skxmr.ranking import final_estimator as ranking_estimator
from skxmr.ranking import rank
from skxmr.stages._scores import log_scores_of_yes

__all__ = [
    "LEAST_LOG",
    "candidates_of_fold",
    "describe",
    "find_candidates",
    "fit_features",
    "fit_final",
    "labels_of_ranker",
    "score_candidates",
]

LEAST_LOG = float(np.log(np.finfo(np.float32).tiny))
"""Logarithm of the least score of a candidate, so that none is dropped."""


def candidates_of_fold(ranker, is_prefit, features, X, y, Y, fold, how):
    """Find candidates for the rows of a fold by a ranker not trained on them.

    Returns
    -------
    described : ndarray or csr_array of shape (n_pairs, n_pair_features)
    is_positive : ndarray of shape (n_pairs,), int8
    """
    train, test = fold
    seen = take_rows(X, train)
    if not is_prefit:
        ranker = clone(ranker).fit(seen, take_rows(y, train))
    features = fit_features(features, seen, Y[train])
    unseen = take_rows(X, test)
    candidates = Candidates.of_ranking(*find_candidates(ranker, unseen, how))
    described = describe(features, unseen, candidates)
    return described, are_positive(Y[test], candidates)


def fit_features(features, X, Y):
    """Fit a clone of a transformer; functions are not fitted."""
    return clone(features).fit(X, Y) if hasattr(features, "fit") else features


def labels_of_ranker(target, ranker):
    """Return the labels by which a ranker calls the columns of a target.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    ranker : estimator or None
        Fitted; None if it is fitted to the indicator. One that was fitted before may
        know the names of the columns.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    if ranker is None or not isinstance(target, NamedTarget):
        return target.labels_of_indicator
    known = getattr(ranking_estimator(ranker), "classes_", None)
    if not isinstance(known, np.ndarray):
        return target.labels_of_indicator
    has_names = known.dtype.kind not in "iu" or np.array_equal(known, target.classes)
    return target.classes if has_names else target.labels_of_indicator


def find_candidates(ranker, X, how, **restriction):
    """Rank, with columns over all classes, including those of other folds."""
    classes, n_candidates = how
    ranker = detached(ranker)  # a prefit ranker may be fitted again meanwhile
    columns, scores = rank(ranker, X, n_candidates, **restriction)
    known = ranking_estimator(ranker).classes_
    # A list has an item for each column of an indicator.
    if isinstance(known, list) or np.array_equal(known, classes):
        return columns, scores
    positions = KnownClasses.of(classes).find(np.asarray(known))
    return np.where(columns >= 0, positions[columns], -1), scores


def describe(features, X, candidates):
    """Compute and validate the features of pairs."""
    if hasattr(features, "transform"):
        described = features.transform(X, candidates)
    else:
        described = features(X, candidates)
    shape = np.shape(described)
    if len(shape) != 2 or shape[0] != len(candidates):
        raise ValueError(
            f"features must return an array of shape ({len(candidates)}, any), one row "
            f"per candidate; got the shape {shape}."
        )
    return check_array(
        check_structure(described, "features"),
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan",
        ensure_min_samples=0,
        input_name="features",
    )


def are_positive(Y, candidates):
    """Return which candidates are true labels of their rows."""
    n_labels = Y.shape[1]
    rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    pairs = candidates.rows * n_labels + candidates.columns
    return np.isin(pairs, rows * n_labels + Y.indices).astype(np.int8)


def fit_final(final, parts):
    """Fit the final estimator to the candidates of all folds.

    Parameters
    ----------
    final : estimator
    parts : list of (described, is_positive)
        As returned by `candidates_of_fold`.

    Returns
    -------
    estimator or None
        None if all candidates are true labels.

    Raises
    ------
    ValueError
        If none is.
    """
    described, labels = zip(*parts, strict=True)
    is_positive = np.concatenate(labels)
    if not is_positive.any():
        raise ValueError(
            f"None of the {len(is_positive)} candidates that ranker finds for the rows "
            f"of X is a true label; there is nothing to learn from."
        )
    return None if is_positive.all() else final.fit(_stack(described), is_positive)


def _stack(parts):
    if any(map(sparse.issparse, parts)):
        return sparse.vstack(parts, format="csr")
    return np.vstack(parts)


def score_candidates(final, described):
    """Score candidates; none is dropped, so that -inf does not occur."""
    if hasattr(final, "predict_proba") or hasattr(final, "decision_function"):
        logs = log_scores_of_yes(final, described, "sigmoid", "final_estimator")
        return np.maximum(logs, LEAST_LOG)
    predicted = np.asarray(final.predict(described), dtype=np.float64)
    if predicted.shape != (described.shape[0],) or np.isnan(predicted).any():
        raise ValueError(
            f"final_estimator.predict must return {described.shape[0]} numbers; got an "
            f"array of shape {predicted.shape}, or with NaN."
        )
    return np.log(np.clip(predicted, np.exp(LEAST_LOG), 1.0))
