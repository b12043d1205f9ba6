"""Regularisation parameters in units of the data."""

from typing import NamedTuple

import numpy as np

from skxmr._utils._dense import DenseRows

__all__ = ["Regularization", "resolve_regularization", "usual_length"]

# Shorter rows have no prior mean: 1 / their squared length overflows float32, in which
# a mean is a sum of rows.
_SHORTEST = 1e-15


class Regularization(NamedTuple):
    """The regularisation of a node, for rows of a given length.

    Parameters
    ----------
    C : float
        Inverse strength of the L2 regularisation.
    bias : float
        Value of the constant feature whose weight is the intercept; 0 for none.
    prior_length : float
        Length of the prior mean of a label's weights.
    unit_weight : float
        The weight that gives a margin of 1 on a row of root mean square length with
        this feature alone.
    """

    C: float
    bias: float
    prior_length: float
    unit_weight: float


def resolve_regularization(X, C, prior_weight, *, fit_intercept):
    """Resolve the parameters of an estimator for its training rows.

    For the same margins, rows that are s times as long need 1 / s^2 of C, a constant
    feature that is s times as large, and a prior mean of 1 / s of the length.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    C : float or "scale"
        "scale" stands for 1 / the mean squared length of the rows, with a constant
        feature of the root of that mean. For a number, the constant feature is 1, as in
        liblinear.
    prior_weight : float
        The largest margin of the prior mean on rows of root mean square length.
    fit_intercept : bool

    Returns
    -------
    Regularization
    """
    length = usual_length(X)
    prior_length = prior_weight / length if length > _SHORTEST else 0.0
    bias = fit_intercept
    if C == "scale":
        C, bias = length**-2, fit_intercept * length
    return Regularization(float(C), float(bias), float(prior_length), float(1 / length))


def usual_length(X):
    """Compute the root mean square length of rows.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row

    Returns
    -------
    float
        1 if all entries are 0, so that such rows can be fitted.
    """
    length = np.sqrt(_square_sum(X) / max(1, X.n_vectors))
    # Rounded, so that it does not depend on the order of the sum: dense and sparse rows
    # give the same.
    return float(np.float32(length)) or float(length) or 1.0


def _square_sum(X):
    """Sum the squares of all entries in double precision, in blocks."""
    values = X.values.reshape(-1) if isinstance(X, DenseRows) else X.values
    parts = (values[start : start + 2**20] for start in range(0, len(values), 2**20))
    return sum(float(np.square(part, dtype=np.float64).sum()) for part in parts)
