"""Linear scores of candidates, fitted by a softmax over those of each row."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

__all__ = ["fit_softmax", "log_softmax"]

# Of the squared weights of standardised features: the strength of one row.
_PENALTY = 1.0

# A spread within rows of this share of the values is rounding error.
_LEAST_SPREAD = 1e-10

_SOLVER = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7}


def fit_softmax(features, is_positive, offsets, lowest=None):
    """Fit weights by which the positive candidates of each row have high probabilities.

    The probability of a candidate is exp(w·x) divided by the sum over the candidates of
    its row: conditional logistic regression [1]_ with an L2 penalty. A row with several
    positives counts as one row, divided among them. Rows without candidates or without
    positives are left out.

    Parameters
    ----------
    features : ndarray of shape (n_candidates, n_features), float64
        Finite, of any scale.
    is_positive : ndarray of shape (n_candidates,), bool
    offsets : ndarray of shape (n_rows + 1,), int64
        Row i has the candidates from ``offsets[i]`` up to ``offsets[i + 1]``.
    lowest : ndarray of shape (n_features,), float64, default=None
        Lower bounds of the weights; None for none.

    Returns
    -------
    ndarray of shape (n_features,), float64
        Weights of the features as given; 0, or the lower bound if it is larger, for a
        feature that is constant in every row, and for all if no row has a positive.

    References
    ----------
    .. [1] D. McFadden, "Conditional logit analysis of qualitative choice behavior",
       Frontiers in Econometrics, 1974.
    """
    problem = _Problem.of(features, is_positive, offsets)
    initial, bounds = np.zeros(features.shape[1]), None
    if lowest is None:
        lowest = np.full(features.shape[1], -np.inf)
    if not len(problem.starts):
        return np.maximum(initial, lowest)
    scales = problem.inverse_scales
    if np.isfinite(lowest).any():
        varies = scales > 0
        bounds = np.divide(lowest, scales, where=varies, out=np.full(len(scales), 0.0))
        initial = np.maximum(initial, bounds)
        bounds = [(bound, None) for bound in bounds]
    found = minimize(
        _loss,
        initial,
        (problem,),
        "L-BFGS-B",
        jac=True,
        bounds=bounds,
        options=_SOLVER,
    )
    return np.maximum(found.x * scales, lowest)


def log_softmax(scores, offsets):
    """Return the logarithm of the softmax over the candidates of each row.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,), float64
        Finite.
    offsets : ndarray of shape (n_rows + 1,), int64

    Returns
    -------
    ndarray of shape (n_candidates,), float64
        At most 0; the exponentials of a row sum to 1.
    """
    sizes = np.diff(offsets)
    starts = offsets[:-1][sizes > 0]  # reduceat would count empty rows as one candidate
    return _log_softmax(scores, starts, sizes[sizes > 0])


def _log_softmax(scores, starts, sizes):
    if not len(starts):
        return np.zeros(0)
    scores = scores - np.repeat(np.maximum.reduceat(scores, starts), sizes)
    return scores - np.repeat(np.log(np.add.reduceat(np.exp(scores), starts)), sizes)


class _Problem(NamedTuple):
    """The rows with a positive, and their candidates.

    Parameters
    ----------
    features : ndarray of shape (n_candidates, n_features)
        The difference from the mean of the row, divided by the standard deviation
        within rows; 0 for features that are constant in every row.
    inverse_scales : ndarray of shape (n_features,)
        One divided by these standard deviations; 0 for constant features.
    targets : ndarray of shape (n_candidates,)
        The sum over a row is 1.
    starts : ndarray of shape (n_rows,)
    sizes : ndarray of shape (n_rows,)
        All at least 1.
    """

    features: np.ndarray
    inverse_scales: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, features, is_positive, offsets):
        """Select the rows and standardise the features."""
        sizes = np.diff(offsets)
        n_positive = np.diff(np.concatenate([[0], np.cumsum(is_positive)])[offsets])
        counts = n_positive > 0
        kept = np.repeat(counts, sizes)
        sizes, n_positive = sizes[counts], n_positive[counts]
        starts = np.cumsum(sizes) - sizes
        features, inverse_scales = _standardised(features[kept], starts, sizes)
        targets = is_positive[kept] / np.repeat(n_positive, sizes)
        return cls(features, inverse_scales, targets, starts, sizes)


def _standardised(features, starts, sizes):
    """Return the features by their means and spread within rows, and the factors."""
    if not len(starts):
        return features, np.zeros(features.shape[1])
    largest = np.abs(features).max(axis=0)
    sums = np.add.reduceat(features, starts, axis=0)
    features = features - np.repeat(sums / sizes[:, np.newaxis], sizes, axis=0)
    spread = np.sqrt(np.mean(features**2, axis=0))
    varies = spread > _LEAST_SPREAD * largest
    inverse_scales = np.divide(1, spread, where=varies, out=np.zeros(len(spread)))
    return features * inverse_scales, inverse_scales


def _loss(weights, problem):
    """Return the penalised negative log likelihood of the weights, and its gradient."""
    # Without BLAS, whose sums depend on its number of threads.
    scores = np.einsum("ij,j->i", problem.features, weights)
    logs = _log_softmax(scores, problem.starts, problem.sizes)
    residuals = np.exp(logs) - problem.targets
    gradient = np.einsum("i,ij->j", residuals, problem.features) + _PENALTY * weights
    loss = 0.5 * _PENALTY * np.sum(weights**2) - np.sum(problem.targets * logs)
    return loss, gradient
