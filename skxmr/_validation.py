"""Every check of input; the only room that imports scikit-learn's private names."""

from scipy import sparse
from sklearn import get_config
from sklearn.base import _fit_context as fit_context
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
    "fit_context",
    "public_csr",
    "validate_data",
    "validate_parameter_constraints",
]


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
