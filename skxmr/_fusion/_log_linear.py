"""A log-linear score of candidate labels, and its calibrated probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skxmr._fusion._calibration import best_of_rows, fit_logistic, log_odds
from skxmr._fusion._evidence import ALL_FEATURES, FEATURES, Candidates
from skxmr._fusion._softmax import fit_softmax, log_softmax
from skxmr._utils._loaded_state import check_finite, check_vector

__all__ = ["LogLinear"]

# Chosen on products and subjects with no training texts and with 600, among weights
# like those that are learned from many.
_DEFAULT_WEIGHTS = {
    "model": 0.25,
    "reached": 3.0,
    "text": 0.1,
    "log_training": 1.0,
    "text_gain": 1.0,
    "text_coverage": 3.0,
    "similarity": 10.0,
    "same_name": 3.0,
    "cosine": 10.0,
}
# Evidence for a label never counts against it. Held-out texts would have it so where
# most labels have a single text: those of the held-out ones have none left. A label
# whose name was typed comes first, however few of the held-out texts are names.
_LOWEST_WEIGHTS = {
    "log_text": -np.inf,  # makes up for "text_gain"
    "containment": -np.inf,  # makes up for the length of names
    "same_name": _DEFAULT_WEIGHTS["same_name"],
}
_LOWEST = np.array([_LOWEST_WEIGHTS.get(name, 0.0) for name in ALL_FEATURES])

_LOG_COUNT = FEATURES.index("log_count")
# How the logarithm of a propensity depends on that of a count.
_PROPENSITY_SLOPE = 0.55

_DEFAULT_CALIBRATION = (0.0, 1.0, 0.0)


@dataclass(frozen=True)
class LogLinear:
    """Weights of features, and the map from their sums to probabilities.

    The probability of a candidate with the sum s of weighted features is

        1 / (1 + exp(-(a + b log(q / (1 - q)) + c t)))

    with t the logarithm of the sum of exp(s) over all candidates of the text, and
    q = exp(s - t): a logistic regression whose first feature compares the candidate
    with the others, and whose second tells whether there is a good one at all.

    Parameters
    ----------
    weights : ndarray of shape (n_features,), float64
        Of `FEATURES`, or of `ALL_FEATURES`.
    calibration : ndarray of shape (3,), float64
        a, b and c; b is positive.
    """

    weights: NDArray
    calibration: NDArray

    @classmethod
    def fit(cls, candidates: Candidates, is_positive: NDArray) -> Self:
        """Fit weights and probabilities to candidates.

        Parameters
        ----------
        candidates : Candidates
        is_positive : ndarray of shape (n_candidates,), bool

        Returns
        -------
        LogLinear
        """
        offsets, _, features = candidates
        lowest = _LOWEST[: features.shape[1]]
        weights = fit_softmax(features, is_positive, offsets, lowest)
        sums = np.einsum("ij,j->i", features, weights)
        log_shares = log_softmax(sums, offsets)
        best = best_of_rows(sums, offsets)
        totals = (sums - log_shares)[best]
        inputs = np.stack([log_odds(log_shares[best]), totals], axis=1)
        return cls(weights, fit_logistic(inputs, is_positive[best]))

    @classmethod
    def default(cls, features=FEATURES) -> Self:
        """Return the weights that are used where none can be learned.

        Parameters
        ----------
        features : tuple of str, default=FEATURES
            `FEATURES` or `ALL_FEATURES`.

        Returns
        -------
        LogLinear
        """
        weights = [_DEFAULT_WEIGHTS.get(name, 0.0) for name in features]
        return cls(np.array(weights), np.array(_DEFAULT_CALIBRATION))

    def with_propensities(self, exponent):
        """Weigh labels by a power of their inverse propensities.

        Of labels with few of many rows, these are in proportion to N^-0.55, where N is
        the number of the label's training texts (Jain et al., KDD 2016). So the sum of
        a label changes by -0.55 times `exponent` times its "log_count".

        Parameters
        ----------
        exponent : float

        Returns
        -------
        LogLinear
        """
        if not exponent:
            return self
        weights = self.weights.copy()
        weights[_LOG_COUNT] -= _PROPENSITY_SLOPE * exponent
        return replace(self, weights=weights)

    @property
    def by_feature(self):
        """The weights by the names of features."""
        return dict(zip(ALL_FEATURES, self.weights.tolist(), strict=False))

    def check(self, owner, features=FEATURES):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        sizes = {"weights": len(features), "calibration": 3}
        for name, size in sizes.items():
            values = getattr(self, name)
            check_vector(values, (np.float64,), size, f"{owner}.{name}")
            check_finite(values, f"{owner}.{name}")
