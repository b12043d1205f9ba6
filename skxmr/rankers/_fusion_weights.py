"""Scores of the labels that several estimators list, by given or learned weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skxmr._fusion._calibration import calibrate
from skxmr._utils._loaded_state import check_finite, check_shape, check_vector

__all__ = ["FEATURES", "GivenWeights", "LearnedWeights", "learned_features"]

FEATURES = ("log_score", "relative_score", "reciprocal_rank", "listed")
"""The features of a label that an estimator lists, for learned weights."""

_NAME = "RankFusion.fusion_weights_"
_LEAST_SCORE = float(np.finfo(np.float32).tiny)


class _Weights:
    """Weights of features of the entries of listings.

    They have the names of `features`, `coefficients` of shape (n_members, n_features),
    and a method `values_of` that returns an array of shape (n_entries, n_features).
    """

    features: Any
    coefficients: Any

    def values_of(self, listings):
        """Return the features of each entry."""
        raise NotImplementedError

    def named(self):
        """Return the weights of each estimator by feature."""
        rows = self.coefficients.tolist()
        return [dict(zip(self.features, row, strict=True)) for row in rows]

    def sums(self, listings):
        """Return the weighted sum of the features of each candidate."""
        weights = self.coefficients[listings.members]
        return listings.sum(np.einsum("ij,ij->i", weights, self.values_of(listings)))


@dataclass(frozen=True)
class GivenWeights(_Weights):
    """Weights of scores or reciprocal ranks.

    Parameters
    ----------
    method : {"mean", "reciprocal_rank"}
    weights : ndarray of shape (n_members,), float64
    rank_constant : float
    is_relative : ndarray of shape (n_members,), bool
        Whether the scores of an estimator are divided by the best of the row.
    """

    method: str
    weights: np.ndarray
    rank_constant: float
    is_relative: np.ndarray

    @property
    def features(self):
        """The name of the only feature."""
        return ("score",) if self.method == "mean" else ("reciprocal_rank",)

    @property
    def coefficients(self):
        """The weights, of shape (n_members, 1)."""
        return self.weights[:, np.newaxis]

    def values_of(self, listings):
        """Return the score or the reciprocal rank of each entry."""
        if self.method == "reciprocal_rank":
            values = (self.rank_constant + 1) / (self.rank_constant + listings.ranks)
        else:
            is_relative = self.is_relative[listings.members] & (listings.best > 0)
            values = listings.scores / np.where(is_relative, listings.best, 1)
        return values[:, np.newaxis]

    def score(self, listings):
        """Return the score of each candidate."""
        return self.sums(listings)


@dataclass(frozen=True)
class LearnedWeights(_Weights):
    """Weights of a log-linear model of the candidates of a row.

    Parameters
    ----------
    coefficients : ndarray of shape (n_members, n_features), float64
    is_log : ndarray of shape (n_members,), bool
        See `learned_features`.
    calibration : ndarray of shape (2,), float64
        Intercept and slope; see `fit_calibration`.
    """

    coefficients: np.ndarray
    is_log: np.ndarray
    calibration: np.ndarray

    features = FEATURES

    def values_of(self, listings):
        """Return the features of each entry."""
        return learned_features(listings, self.is_log)

    def score(self, listings):
        """Return the probability of each candidate."""
        return calibrate(self.sums(listings), listings.offsets, *self.calibration)

    def check(self, n_members):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        shape = (n_members, len(FEATURES))
        check_shape(self.coefficients, (np.float64,), shape, _NAME)
        check_vector(self.is_log, (np.bool_,), n_members, _NAME)
        check_vector(self.calibration, (np.float64,), 2, _NAME)
        check_finite(self.coefficients, _NAME)
        check_finite(self.calibration, _NAME)


def learned_features(listings, is_log):
    """Compute `FEATURES` of each entry.

    Parameters
    ----------
    listings : Listings
    is_log : ndarray of shape (n_members,), bool
        Whether the scores of an estimator are positive. Otherwise, they are taken for
        logarithms themselves, as those of a decision function.

    Returns
    -------
    ndarray of shape (n_entries, n_features), float64
    """
    is_log = is_log[listings.members]
    logs, best = (
        np.where(is_log, np.log(np.maximum(scores, _LEAST_SCORE)), scores)
        for scores in (listings.scores, listings.best)
    )
    # The scores of other rows than those of fit may have another sign.
    relative = np.exp(np.minimum(logs - best, 0))
    return np.stack([logs, relative, 1 / listings.ranks, np.ones(len(logs))], axis=1)
