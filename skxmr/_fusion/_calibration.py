"""Probabilities of candidates from those of a softmax, by a logistic map."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from skxmr._cython._candidates import HIGHEST_LOG_SHARE
from skxmr._fusion._softmax import log_softmax

__all__ = [
    "best_of_rows",
    "calibrate",
    "fit_calibration",
    "fit_logistic",
    "log_odds",
]

# Candidates of each row that the map is fitted to: those that are shown.
_N_FIRST = 10

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
    best = best_of_rows(scores, offsets)
    if not len(best):
        return 0.0, 1.0
    inputs = log_odds(log_softmax(scores, offsets)[best])[:, np.newaxis]
    intercept, slope = fit_logistic(inputs, is_positive[best]).tolist()
    return intercept, slope


def fit_logistic(inputs, is_positive):
    """Fit a logistic regression that is near the identity.

    Parameters
    ----------
    inputs : ndarray of shape (n_candidates, n_inputs), float64
        The first are log odds.
    is_positive : ndarray of shape (n_candidates,), bool

    Returns
    -------
    ndarray of shape (1 + n_inputs,), float64
        The intercept and the slopes, the first of which is positive.
    """
    identity = np.zeros(1 + inputs.shape[1])
    identity[1] = 1
    inputs = np.insert(inputs, 0, 1, axis=1)

    def loss(line):
        # Without BLAS, whose sums depend on its number of threads.
        margins = np.einsum("ij,j->i", inputs, line)
        residuals = expit(margins) - is_positive
        away = line - identity
        gradient = np.einsum("i,ij->j", residuals, inputs) + _PENALTY * away
        value = np.sum(np.logaddexp(0, margins) - is_positive * margins)
        return value + 0.5 * _PENALTY * np.sum(away**2), gradient

    lowest = np.full(len(identity), -np.inf)
    lowest[1] = _LEAST_SLOPE
    bounds = [(bound, None) for bound in lowest]
    return minimize(loss, identity, jac=True, method="L-BFGS-B", bounds=bounds).x


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
    margins = intercept + slope * log_odds(log_softmax(scores, offsets))
    return np.maximum(expit(margins), np.finfo(np.float64).tiny)


def log_odds(log_probabilities):
    """Return log odds of probabilities, which are cut off near 1."""
    logs = np.minimum(log_probabilities, HIGHEST_LOG_SHARE)
    return logs - np.log(-np.expm1(logs))


def best_of_rows(scores, offsets):
    """Return the positions of the first 10 candidates of each row, best first."""
    sizes = np.diff(offsets)
    # Stable: ties are in the order of the candidates.
    order = np.lexsort((-scores, np.repeat(np.arange(len(sizes)), sizes)))
    ranks = np.arange(len(scores)) - np.repeat(offsets[:-1], sizes)
    return order[ranks < _N_FIRST]
