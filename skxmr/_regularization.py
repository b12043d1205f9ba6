"""How strongly the linear models are regularised, in units of the data."""

from typing import NamedTuple

import numpy as np

from skxmr._dense import DenseRows

__all__ = ["Regularization", "resolve_regularization", "usual_length"]

# Rows that are shorter have no prior mean: 1 / their squared length is too large for
# float32, in which a mean is a sum of rows.
_SHORTEST = 1e-15


class Regularization(NamedTuple):
    """What draws the weights of a node together, for rows of a given length.

    Parameters
    ----------
    C : float
        Inverse strength of the L2 regularisation.
    bias : float
        Value of the constant feature whose weight is the intercept; 0 for none.
    prior_length : float
        Length of the prior mean of a label's weights.
    unit_weight : float
        The weight that gives a margin of 1 to a row of the root mean squared length
        that has its feature alone.
    """

    C: float
    bias: float
    prior_length: float
    unit_weight: float


def resolve_regularization(X, C, prior_weight, *, fit_intercept):
    """Resolve the parameters of an estimator for the rows that it is fitted on.

    Rows that are s times as long want 1 / s^2 of the C, a constant feature s times as
    large and a prior mean of 1 / s of the length, for the same margins.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    C : float or "scale"
        "scale" stands for 1 / the mean squared length of the rows, beside a constant
        feature of the root of that length. Beside a number the constant is 1, as in
        liblinear.
    prior_weight : float
        Largest margin that the prior mean gives to a row of the root mean squared
        length.
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
    """Compute the root mean squared length of rows.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row

    Returns
    -------
    float
        1 if all entries are 0: the rest of fit works for such rows, too.
    """
    length = np.sqrt(_square_sum(X) / max(1, X.n_vectors))
    # Rounded, so that it does not depend on the order of the sum: the same rows may be
    # dense or sparse.
    return float(np.float32(length)) or float(length) or 1.0


def _square_sum(X):
    """Sum the squares of all entries in double precision, some at a time."""
    values = X.values.reshape(-1) if isinstance(X, DenseRows) else X.values
    parts = (values[start : start + 2**20] for start in range(0, len(values), 2**20))
    return sum(float(np.square(part, dtype=np.float64).sum()) for part in parts)
