"""Weights of estimators, learned from rows that these were not fitted to."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone

from skxmr._fusion._calibration import fit_calibration
from skxmr._fusion._held_out import held_out_folds
from skxmr._fusion._softmax import fit_softmax
from skxmr._inputs._class_labels import find_columns
from skxmr._inputs._validation import take_rows
from skxmr._targets import ClassTarget, IndicatorTarget
from skxmr.rankers._fusion_weights import (
    FEATURES,
    LearnedWeights,
    learned_features,
)
from skxmr.rankers._listings import Listings
from skxmr.ranking import final_estimator, rank

__all__ = ["TrainingRows", "learn_weights"]


class TrainingRows(NamedTuple):
    """The data that estimators are fitted to.

    Parameters
    ----------
    X : csr_array, array-like, data frame or list of n_samples rows
    y : ndarray or csr_array
        The labels that the estimators are fitted to.
    Y : csr_array of shape (n_samples, n_labels)
        The same as an indicator.
    target : IndicatorTarget or ClassTarget
    """

    X: Any
    y: Any
    Y: sparse.csr_array
    target: IndicatorTarget | ClassTarget


def learn_weights(estimators, data, n_candidates, random):
    """Learn the weights of estimators out of fold.

    Parameters
    ----------
    estimators : list of estimator
        Clones of them are fitted.
    data : TrainingRows
    n_candidates : int
    random : RandomState

    Returns
    -------
    LearnedWeights or None
        None if there is nothing to learn from: too few rows, or no true label of a
        held-out row that any estimator lists.
    """
    parts = [
        (fold[1], _rank_held_out(estimators, data, fold, n_candidates))
        for fold in held_out_folds(data.X, random)
        if _can_be_fitted(data.Y[fold[0]], data.target)
    ]
    if not parts:
        return None
    held_out, rankings = zip(*parts, strict=True)
    of_members = [
        tuple(map(np.concatenate, zip(*parts_of_member, strict=True)))
        for parts_of_member in zip(*rankings, strict=True)
    ]
    listings = Listings.of(of_members, data.target.n_labels)
    is_positive = _are_positive(listings, data.Y[np.concatenate(held_out)])
    if not is_positive.any():
        return None
    return _fit_listings(listings, is_positive, len(estimators))


def _can_be_fitted(Y, target):
    """Return whether the training rows of a fold have several classes."""
    return isinstance(target, IndicatorTarget) or len(np.unique(Y.indices)) > 1


def _rank_held_out(estimators, data, fold, n_candidates):
    """Fit to the training rows of a fold, and rank those that are held out."""
    train, held_out = fold
    seen, unseen = take_rows(data.X, train), take_rows(data.X, held_out)
    rankings = []
    for estimator in estimators:
        fitted = clone(estimator).fit(seen, take_rows(data.y, train))
        columns, scores = rank(fitted, unseen, n_candidates)
        known = final_estimator(fitted).classes_
        # A list has an item for each column of an indicator.
        if not isinstance(known, list):
            columns = _of_all_classes(columns, known, data.target.labels_of_indicator)
        rankings.append((columns, scores))
    return rankings


def _of_all_classes(columns, known, classes):
    """Convert indices into the classes of a fold to indices into all classes."""
    if np.array_equal(known, classes):
        return columns
    positions = find_columns(np.asarray(known), classes)
    return np.where(columns >= 0, positions[columns], -1)


def _are_positive(listings, Y):
    """Return which candidates are true labels of their rows."""
    rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    pairs = listings.rows * Y.shape[1] + listings.columns
    return np.isin(pairs, rows * Y.shape[1] + Y.indices)


def _fit_listings(listings, is_positive, n_members):
    """Fit the weights and the calibration to the candidates of held-out rows."""
    lowest = np.full(n_members, np.inf)
    np.minimum.at(lowest, listings.members, listings.scores)
    is_log = lowest > 0
    features = np.zeros((len(listings.columns), n_members, len(FEATURES)))
    values = learned_features(listings, is_log)
    features[listings.candidates, listings.members] = values
    features = features.reshape(len(features), -1)
    weights = fit_softmax(features, is_positive, listings.offsets)
    weights = weights.reshape(n_members, len(FEATURES))
    learned = LearnedWeights(weights, is_log, np.array([0.0, 1.0]))
    sums = learned.sums(listings)
    calibration = fit_calibration(sums, is_positive, listings.offsets)
    return replace(learned, calibration=np.array(calibration))
