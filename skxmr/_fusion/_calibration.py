"""Probabilities of candidates from those of a softmax, by a logistic map."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from skxmr._fusion._softmax import log_softmax

__all__ = ["calibrate", "fit_calibration"]

# Candidates of each row that the map is fitted to: those that are shown.
_N_FIRST = 10

# Thousands of rows cannot distinguish higher probabilities. Without a limit, a single
# candidate, whose softmax is 1, would have infinite log odds.
_HIGHEST = np.log1p(-1e-3)

# Positive, so that the order of candidates does not change.
_LEAST_SLOPE = 0.01

# Of the squared differences from the identity.
_PENALTY = 1e-3


def fit_calibration(scores, is_positive, offsets):
    """Fit the map from the softmax of candidates to the probability that each is true.

    A softmax shares 1 among the candidates of a row, but there may be several positives
    or none. The map is a logistic regression on the log odds, as of Platt [1]_, fitted
    to the first 10 candidates of each row.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,), float64
        Linear scores, of which the softmax is taken.
    is_positive : ndarray of shape (n_candidates,), bool
    offsets : ndarray of shape (n_rows + 1,), int64
        Row i has the candidates from ``offsets[i]`` up to ``offsets[i + 1]``.

    Returns
    -------
    intercept, slope : float
        The slope is positive. The identity, (0, 1), if there are no candidates.

    References
    ----------
    .. [1] J. Platt, "Probabilistic outputs for support vector machines and comparisons
       to regularized likelihood methods", Advances in Large Margin Classifiers, 1999.
    """
    first = _ranks(scores, offsets) < _N_FIRST
    log_odds = _log_odds(log_softmax(scores, offsets)[first])
    if not len(log_odds):
        return 0.0, 1.0
    positive = is_positive[first].astype(np.float64)

    def loss(line):
        margins = line[0] + line[1] * log_odds
        residuals = expit(margins) - positive
        away = line - (0, 1)
        gradient = np.array([residuals.sum(), np.sum(residuals * log_odds)])
        value = np.sum(np.logaddexp(0, margins) - positive * margins)
        return value + 0.5 * _PENALTY * np.sum(away**2), gradient + _PENALTY * away

    bounds = [(None, None), (_LEAST_SLOPE, None)]
    found = minimize(loss, [0.0, 1.0], jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def calibrate(scores, offsets, intercept, slope):
    """Return the probability that each candidate is true.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,), float64
        Linear scores.
    offsets : ndarray of shape (n_rows + 1,), int64
    intercept, slope : float
        As returned by `fit_calibration`.

    Returns
    -------
    ndarray of shape (n_candidates,), float64
        Above 0; in the order of the scores within each row.
    """
    margins = intercept + slope * _log_odds(log_softmax(scores, offsets))
    return np.maximum(expit(margins), np.finfo(np.float64).tiny)


def _log_odds(log_probabilities):
    logs = np.minimum(log_probabilities, _HIGHEST)
    return logs - np.log(-np.expm1(logs))


def _ranks(scores, offsets):
    """Return the position of each candidate in its row, best first, from 0."""
    sizes = np.diff(offsets)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    ranks = np.empty(len(scores), dtype=np.int64)
    # Stable: ties are in the order of the candidates.
    order = np.lexsort((-scores, rows))
    ranks[order] = np.arange(len(scores)) - np.repeat(offsets[:-1], sizes)
    return ranks
