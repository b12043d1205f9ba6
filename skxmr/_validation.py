"""Every check of input; the only room that imports scikit-learn's private names."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import _fit_context as fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = [
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "check_is_fitted",
    "check_k",
    "check_propensities",
    "fit_context",
    "public_csr",
    "validate_data",
    "validate_parameter_constraints",
]


def check_k(k, caller):
    """Refuse a number of labels to retrieve that is not a positive integer.

    Parameters
    ----------
    k : object
        What the user gave.
    caller : str
        Name of the user's function, for the message.

    Raises
    ------
    InvalidParameterError
        Where `k` is anything else; both a ValueError and a TypeError.
    """
    at_least_one = Interval(Integral, 1, None, closed="left")
    validate_parameter_constraints({"k": [at_least_one]}, {"k": k}, caller)


def check_propensities(propensities):
    """Check propensities of labels and return them as an array.

    Parameters
    ----------
    propensities : array-like of shape (n_labels,)

    Returns
    -------
    ndarray of shape (n_labels,), float64

    Raises
    ------
    ValueError
        If they are not 1-D, none, not numbers, or not in (0, 1].
    """
    propensities = check_array(
        propensities, dtype=np.float64, ensure_2d=False, input_name="propensities"
    )
    if propensities.ndim != 1:
        raise ValueError(
            "propensities must have the shape (n_labels,), got an array of shape "
            f"{propensities.shape}."
        )
    lowest, highest = propensities.min(), propensities.max()
    if lowest <= 0 or highest > 1:
        raise ValueError(
            "propensities must be probabilities in (0, 1], got values from "
            f"{lowest} to {highest}."
        )
    return propensities


def public_csr(X):
    """Give a CSR array the sparse interface that scikit-learn's configuration asks.

    Parameters
    ----------
    X : csr_array or csr_matrix

    Returns
    -------
    csr_array or csr_matrix
        `csr_array` where ``sparse_interface="sparray"`` is configured
        (scikit-learn 1.9 and newer), else `csr_matrix`, scikit-learn's default.
    """
    interface = get_config().get("sparse_interface", "spmatrix")
    wanted = sparse.csr_array if interface == "sparray" else sparse.csr_matrix
    return X if isinstance(X, wanted) else wanted(X)
