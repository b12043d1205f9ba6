"""Monotone maps from scores to probabilities."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

__all__ = ["LabelMaps", "LogisticMap", "StepMap", "fit_maps"]

# Scores below it, which products of many levels reach, differ in no probability.
_LEAST = np.finfo(np.float32).tiny
_MOST = np.nextafter(np.float32(1), np.float32(0))
# Practically without regularisation.
_LARGEST_C = 1e10


@dataclass(frozen=True)
class StepMap:
    """A function that is linear between given scores, and constant outside.

    Parameters
    ----------
    scores : ndarray of shape (n_points,), float64
        Ascending.
    values : ndarray of shape (n_points,), float64
        Not descending.
    """

    scores: np.ndarray
    values: np.ndarray

    def __call__(self, scores):
        """Return the value of each score, float64."""
        return np.interp(scores, self.scores, self.values)


@dataclass(frozen=True)
class LogisticMap:
    """The logistic function of a linear function.

    Parameters
    ----------
    slope : float
        Positive.
    intercept : float
    takes_odds : bool
        Whether the linear function is one of the score's log odds, not of the score.
    """

    slope: float
    intercept: float
    takes_odds: bool

    def __call__(self, scores):
        """Return the value of each score, float64."""
        inputs = log_odds(scores) if self.takes_odds else scores
        return expit(self.slope * inputs + self.intercept)


@dataclass(frozen=True)
class LabelMaps:
    """One map for the scores of all labels, or one for each group of labels.

    Parameters
    ----------
    maps : list of StepMap or LogisticMap
    group_of_label : ndarray of shape (n_labels,), int32, or None
        None if there is one map.
    """

    maps: list
    group_of_label: np.ndarray | None

    def calibrate(self, columns, scores, k):
        """Map the scores of a ranking, and keep the best labels.

        Parameters
        ----------
        columns : ndarray of shape (n_samples, any), int64
            Best first; -1 where there is none.
        scores : ndarray of the same shape
        k : int

        Returns
        -------
        columns : ndarray of shape (n_samples, at most k), int64
            In the same order, if there is one map.
        scores : ndarray of the same shape, float32
            Above 0 and below 1, but 0 where there is none.
        """
        is_found = columns >= 0
        values = np.zeros(columns.shape, dtype=np.float32)
        if self.group_of_label is None:
            values[is_found] = self._within(self.maps[0], scores[is_found])
            return columns[:, :k], values[:, :k]
        groups = np.where(is_found, self.group_of_label[columns], -1)
        for group, of_group in enumerate(self.maps):
            is_here = groups == group
            values[is_here] = self._within(of_group, scores[is_here])
        order = np.argsort(-values, axis=1, kind="stable")[:, :k]
        columns = np.take_along_axis(columns, order, axis=1)
        return columns, np.take_along_axis(values, order, axis=1)

    @staticmethod
    def _within(of_group, scores):
        # Scores of 0 and 1 would be no candidates, or no probabilities in a sum.
        return np.clip(of_group(scores.astype(np.float64)), _LEAST, _MOST)


def fit_maps(pairs, method, n_groups):
    """Fit one map for all labels, or one for each group of similar frequency.

    Parameters
    ----------
    pairs : ScoredPairs
    method : {"isotonic", "sigmoid", "temperature"}
    n_groups : int

    Returns
    -------
    LabelMaps
    """
    if n_groups == 1:
        return LabelMaps([fit_map(pairs.scores, pairs.is_true, method)], None)
    groups = _groups_of_frequency(pairs, n_groups)
    of_pair = groups[pairs.columns]
    maps = []
    for group in range(int(groups.max()) + 1):
        is_here = of_pair == group
        maps.append(fit_map(pairs.scores[is_here], pairs.is_true[is_here], method))
    return LabelMaps(maps, groups)


def _groups_of_frequency(pairs, n_groups):
    """Divide labels by their number of rows, so that groups have as many pairs."""
    frequencies, of_label = np.unique(pairs.n_true_of_labels, return_inverse=True)
    n_pairs = np.bincount(of_label[pairs.columns], minlength=frequencies.size)
    middle = np.cumsum(n_pairs) - n_pairs / 2
    groups = np.floor(middle * n_groups / max(1, n_pairs.sum())).astype(np.int64)
    present = np.unique(np.minimum(groups, n_groups - 1), return_inverse=True)[1]
    return present[of_label].astype(np.int32)


def fit_map(scores, is_true, method):
    """Fit a map to scored pairs.

    Parameters
    ----------
    scores : ndarray of shape (n_pairs,), float64
    is_true : ndarray of shape (n_pairs,), bool
    method : {"isotonic", "sigmoid", "temperature"}

    Returns
    -------
    StepMap or LogisticMap
        A constant, if all pairs or none are true, or if true pairs do not have the
        higher scores.
    """
    share = float(is_true.mean()) if is_true.size else 0.0
    constant = StepMap(np.zeros(1), np.full(1, share))
    if share in (0.0, 1.0):
        return constant
    if method == "isotonic":
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        fitted.fit(scores, is_true.astype(np.float64))
        return StepMap(fitted.X_thresholds_, fitted.y_thresholds_)
    takes_odds = bool(scores.min() >= 0 and scores.max() <= 1)
    inputs = log_odds(scores) if takes_odds else scores
    fitted = LogisticRegression(
        C=_LARGEST_C, fit_intercept=method == "sigmoid", solver="newton-cholesky"
    )
    fitted.fit(inputs[:, np.newaxis], is_true)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        return constant
    return LogisticMap(slope, float(np.ravel(fitted.intercept_)[0]), takes_odds)


def log_odds(scores):
    """Return log(s / (1 - s)) of scores from 0 to 1, float64; finite."""
    bounded = np.clip(scores, np.float64(_LEAST), np.float64(_MOST))
    return np.log(bounded) - np.log1p(-bounded)
