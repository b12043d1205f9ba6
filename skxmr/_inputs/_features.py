"""Features: their names, their number, and rows in the form that kernels take."""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import validate_data

from skxmr._inputs._class_labels import exact_target
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr._utils._sparse_structure import check_structure

__all__ = [
    "Features",
    "check_width",
    "features_of",
    "stand_in",
    "validate_features",
    "validate_features_and_target",
    "validate_target",
]


# Dense X with a smaller share of non-zeros is converted to sparse: the kernels for
# dense rows would mostly multiply zeros.
_LEAST_DENSITY = 0.25

_MAX_INT32 = np.iinfo(np.int32).max


class Features(NamedTuple):
    """The features of X in fit.

    Parameters
    ----------
    n_features : int
    names : ndarray of shape (n_features,), object, or None
    """

    n_features: int
    names: np.ndarray | None = None


class _StandIn:
    """An object on which scikit-learn's validation of X sets attributes."""

    _tags: Tags
    n_features_in_: int
    feature_names_in_: np.ndarray

    def __sklearn_tags__(self):
        return self._tags


@cache
def _stand_in_named(name):
    return type(name, (_StandIn,), {})


def stand_in(estimator, features=None):
    """Make an object that replaces an estimator in scikit-learn's validation of X.

    Parameters
    ----------
    estimator : estimator
        Its class is named in messages; it is unchanged.
    features : Features or None
        The features that X must have; None in fit.

    Returns
    -------
    object
    """
    probe = _stand_in_named(type(estimator).__name__)()
    probe._tags = get_tags(estimator)
    if features is not None:
        probe.n_features_in_ = features.n_features
        if features.names is not None:
            probe.feature_names_in_ = features.names
    return probe


def features_of(probe):
    """Return the features that scikit-learn's validation has recorded.

    Parameters
    ----------
    probe : object
        Made by `stand_in`.

    Returns
    -------
    Features
    """
    return Features(probe.n_features_in_, getattr(probe, "feature_names_in_", None))


def validate_features(estimator, X, features, least=1):
    """Validate X in prediction, against the features of fit.

    Parameters
    ----------
    estimator : estimator
    X : object
        The argument of the user.
    features : Features
    least : int, default=1
        The number of rows that there must be.

    Returns
    -------
    Compressed or DenseRows
        A vector for each row.
    """
    X = check_structure(X, "X")
    with np.errstate(over="ignore"):  # overflows become infinite, which is an error
        X = validate_data(
            stand_in(estimator, features),
            X,
            accept_sparse="csr",
            dtype=np.float32,
            order="C",
            reset=False,
            ensure_min_samples=least,
        )
    return _rows(X)


def validate_features_and_target(estimator, X, y):
    """Validate X and y in fit, without changing the estimator.

    Returns
    -------
    rows : Compressed or DenseRows
        A vector for each row of X.
    y : ndarray or csr_array
        As scikit-learn's validation returns it.
    features : Features
        To be stored when the fit has succeeded.
    """
    X, y = check_structure(X, "X"), check_structure(exact_target(y), "y")
    probe = stand_in(estimator)
    with np.errstate(over="ignore"):
        X, y = validate_data(
            probe,
            X,
            y,
            accept_sparse="csr",
            dtype=np.float32,
            order="C",
            multi_output=True,
        )
    return _rows(X), y, features_of(probe)


def validate_target(estimator, y):
    """Validate y alone, for estimators whose X other estimators validate."""
    y = check_structure(exact_target(y), "y")
    return validate_data(stand_in(estimator), X="no_validation", y=y, multi_output=True)


def check_width(matrix, name, columns):
    """Raise ValueError for more columns than int32 can index.

    Parameters
    ----------
    matrix : ndarray or sparse matrix
    name : str
        The argument's name, for the message.
    columns : str
        What a column is, for the message.

    Raises
    ------
    ValueError
    """
    if matrix.shape[1] > _MAX_INT32:
        raise ValueError(
            f"{name} has {matrix.shape[1]} {columns}; expected {_MAX_INT32} "
            f"(2**31 - 1) at most."
        )


def _rows(X):
    check_width(X, "X", "features")
    if not sparse.issparse(X):
        if np.count_nonzero(X) >= _LEAST_DENSITY * X.size:
            return DenseRows(np.ascontiguousarray(X))
        return Compressed.from_sparse(sparse.csr_array(X))
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return Compressed.from_sparse(X)
