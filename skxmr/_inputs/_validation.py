"""Validation of input; the only module that imports private names of scikit-learn."""

from functools import cache, wraps
from inspect import signature
from numbers import Integral
from os import PathLike, fspath
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import _fit_context
from sklearn.utils import Tags, column_or_1d, get_tags
from sklearn.utils import _safe_indexing as take_rows
from sklearn.utils import check_consistent_length as check_lengths
from sklearn.utils._param_validation import (
    HasMethods,
    Options,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils.metaestimators import _BaseComposition as Composition
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from sklearn.utils.validation import check_memory as _check_memory

from skxmr._inputs._by_label import Labels, in_order_of_labels
from skxmr._inputs._class_labels import exact_target
from skxmr._inputs._columns import InvalidInputError, as_list, is_missing
from skxmr._inputs._label_choice import check_labels
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr._utils._sparse_structure import check_structure

__all__ = [
    "Composition",
    "Features",
    "HasMethods",
    "Interval",
    "Options",
    "RealNotInt",
    "StrOptions",
    "check_counts",
    "check_documents",
    "check_is_fitted",
    "check_k",
    "check_labels",
    "check_lengths",
    "check_memory",
    "check_precision",
    "check_propensities",
    "check_relevance",
    "check_structure",
    "check_weights",
    "check_width",
    "column_or_1d",
    "features_of",
    "fit_context",
    "indicator_pattern",
    "public_csr",
    "stand_in",
    "take_rows",
    "target_kind",
    "validate_data",
    "validate_features",
    "validate_features_and_target",
    "validate_parameter_constraints",
    "validate_target",
]

# Parameters with weights of samples, named in the error for scikit-learn's
# sample_weight.
_WEIGHTS_OF_ROWS = {
    "relevance": "the weight of each row's labels",
    "counts": "how often each query was asked",
}

_MAX_INT32 = np.iinfo(np.int32).max

# Dense X with a smaller share of non-zeros is converted to sparse: the kernels for
# dense rows would mostly multiply zeros.
_LEAST_DENSITY = 0.25


def fit_context(*, prefer_skip_nested_validation):
    """Decorate a fit method to validate the estimator's parameters.

    A `sample_weight` raises an error that names the parameter to use. It is not a
    parameter of fit, because scikit-learn requires that a weight of 2 is equivalent to
    repeating the sample, which a randomised solver with a tolerance cannot guarantee.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        Whether nested estimators need not validate their parameters.

    Returns
    -------
    callable
        The decorator.
    """

    def decorate(fit):
        checked = _fit_context(
            prefer_skip_nested_validation=prefer_skip_nested_validation
        )(fit)
        accepted = signature(fit).parameters

        @wraps(fit)
        def fit_without_sample_weight(estimator, *arguments, **named):
            if "sample_weight" in named:
                _refuse_sample_weight(estimator, accepted)
            return checked(estimator, *arguments, **named)

        return fit_without_sample_weight

    return decorate


def _refuse_sample_weight(estimator, accepted):
    instead = [
        f" Give {name}, {meaning}, of shape (n_samples,)."
        for name, meaning in _WEIGHTS_OF_ROWS.items()
        if name in accepted
    ]
    raise TypeError(
        f"{type(estimator).__name__}.fit takes no sample_weight.{''.join(instead)}"
    )


class Interval(_Interval):
    """An interval of numbers that excludes booleans.

    scikit-learn's interval accepts booleans, which are integers in Python.
    """

    def is_satisfied_by(self, val):
        """Return whether a value is in the interval."""
        return not isinstance(val, (bool, np.bool_)) and super().is_satisfied_by(val)


def check_k(k, caller):
    """Validate a number of labels: a positive integer.

    Parameters
    ----------
    k : object
        The argument of the user.
    caller : str
        Name of the public function, for the message.

    Returns
    -------
    int
        A Python int, which does not overflow, unlike NumPy's small integers.

    Raises
    ------
    InvalidParameterError
        If `k` is anything else; both a ValueError and a TypeError.
    """
    at_least_one = Interval(Integral, 1, None, closed="left")
    validate_parameter_constraints({"k": [at_least_one]}, {"k": k}, caller)
    return int(k)


def check_weights(weights, names):
    """Validate the weights of estimators.

    Parameters
    ----------
    weights : array-like of shape (n_weights,), mapping from name to weight, or None
        None weights all the same.
    names : list of str
        The names of the estimators.

    Returns
    -------
    ndarray of shape (n_weights,), float64
        Normalised to a sum of 1.

    Raises
    ------
    ValueError
        If their number differs, or one is negative, or none is positive.
    """
    n_weights = len(names)
    if weights is None:
        return np.full(n_weights, 1 / n_weights)
    labels = Labels(n_weights, list(names), has_numbers=False)
    weights = in_order_of_labels(weights, labels, "weights", "numbers")
    checked = check_array(
        weights, dtype=np.float64, ensure_2d=False, input_name="weights"
    )
    if checked.shape != (n_weights,):
        raise ValueError(
            f"weights has the shape {checked.shape}; expected ({n_weights},), one for "
            f"each estimator."
        )
    if (checked < 0).any() or checked.sum() == 0:
        raise ValueError(
            f"weights must not be negative, and one at least positive; got "
            f"{checked.tolist()}."
        )
    return checked / checked.sum()


def check_propensities(propensities):
    """Validate propensities of labels and return them as an array.

    Parameters
    ----------
    propensities : array-like of shape (n_labels,), or mapping
        A mapping is from column index to propensity.

    Returns
    -------
    ndarray of shape (n_labels,), float64

    Raises
    ------
    ValueError
        If they are not 1-D, empty, not numeric, or not in (0, 1].
    """
    propensities = in_order_of_labels(
        propensities, Labels(None), "propensities", "numbers"
    )
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
    """Convert a CSR array to scikit-learn's configured sparse interface.

    Parameters
    ----------
    X : csr_array or csr_matrix

    Returns
    -------
    csr_array or csr_matrix
        `csr_array` with ``sparse_interface="sparray"`` (scikit-learn 1.9 and newer),
        otherwise `csr_matrix`, scikit-learn's default.
    """
    interface = get_config().get("sparse_interface", "spmatrix")
    wanted = sparse.csr_array if interface == "sparray" else sparse.csr_matrix
    return X if isinstance(X, wanted) else wanted(X)


def check_memory(memory):
    """Make a `joblib.Memory` of the parameter `memory`, which may be a path."""
    return _check_memory(fspath(memory) if isinstance(memory, PathLike) else memory)


# Features
# --------


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


def validate_features(estimator, X, features):
    """Validate X in prediction, against the features of fit.

    Parameters
    ----------
    estimator : estimator
    X : object
        The argument of the user.
    features : Features

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


# Targets
# -------


def target_kind(y):
    """Return whether y is an indicator or class labels.

    Parameters
    ----------
    y : ndarray or sparse matrix, as `validate_features_and_target` returns it

    Returns
    -------
    kind : {"indicator", "classes"}
    y : csr_array or ndarray
        Class labels as a 1-D array.

    Raises
    ------
    ValueError
        If y is neither.
    """
    if sparse.issparse(y):
        if y.ndim == 2:
            return "indicator", y
        raise ValueError(
            f"y is a sparse array of shape {y.shape}; expected an indicator of shape "
            f"(n_samples, n_labels), or class labels in a dense array."
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    kind = _type_of_target(y)
    if kind == "multilabel-indicator":
        return "indicator", y
    if kind in ("binary", "multiclass"):
        return "classes", y
    raise ValueError(
        f"Unknown label type: {kind}. y must be an indicator of 0 and 1, sparse or "
        f"dense, of shape (n_samples, n_labels), or class labels of shape "
        f"(n_samples,). Weights of labels go into the argument relevance of fit."
    )


def _type_of_target(y):
    """Return the type of a target as scikit-learn does, also for object labels.

    scikit-learn supports no objects except strings.
    """
    if y.ndim != 1 or y.dtype != object or isinstance(y[0], str):
        return type_of_target(y, input_name="y")
    fractions = (one for one in y.tolist() if isinstance(one, float) and one % 1)
    return "continuous" if any(fractions) else "multiclass"


def indicator_pattern(y):
    """Validate a sparse or dense indicator and return its pattern.

    Returns
    -------
    csr_array of float32, canonical
        1 for each label of y; nothing else is stored.

    Raises
    ------
    ValueError
        If y has values other than 0 and 1, or no 1.
    """
    y = sparse.csr_array(y)
    check_width(y, "y", "labels")
    strange = (y.data != 0) & (y.data != 1)
    if strange.any():
        raise ValueError(
            f"y must hold only 0 and 1 to be an indicator; got "
            f"{y.data[strange][0].item()!r}. Weights of labels go into the argument "
            f"relevance of fit."
        )
    pattern = sparse.csr_array(
        (y.data.astype(np.float32), y.indices, y.indptr), shape=y.shape, copy=True
    )
    pattern.sum_duplicates()
    pattern.eliminate_zeros()
    pattern.data[:] = 1
    if pattern.nnz == 0:
        raise ValueError(
            f"y of shape {y.shape} holds no label at all; expected one at least."
        )
    return pattern


def check_relevance(relevance, pattern):
    """Validate the weights of labels and align them with the labels.

    Parameters
    ----------
    relevance : sparse matrix or array-like, or None
        Of shape (n_samples, n_labels); or (n_samples,), one weight for all labels of a
        row.
    pattern : csr_array of shape (n_samples, n_labels), canonical
        The labels of y.

    Returns
    -------
    csr_array of the same pattern, float32

    Raises
    ------
    ValueError
        If shapes differ, or a weight is not positive and finite, is missing, or is at a
        position without a label.
    """
    if relevance is None:
        return pattern
    with np.errstate(over="ignore"):  # overflows become infinite, which is an error
        checked = check_array(
            check_structure(relevance, "relevance"),
            accept_sparse="csr",
            dtype=np.float32,
            ensure_2d=False,
            input_name="relevance",
        )
    weighted = pattern.copy()
    if checked.shape == (pattern.shape[0],):
        weighted.data = np.repeat(checked, np.diff(pattern.indptr))
    else:
        weighted.data = _relevance_of_labels(checked, pattern)
    if (weighted.data <= 0).any():
        raise ValueError(
            f"relevance must be positive wherever y has a label; got "
            f"{weighted.data[weighted.data <= 0][0]}."
        )
    return weighted


def _relevance_of_labels(relevance, pattern):
    if relevance.shape != pattern.shape:
        raise ValueError(
            f"relevance has the shape {relevance.shape}; expected {pattern.shape}, "
            f"rows by labels, or ({pattern.shape[0]},), one weight for each row."
        )
    relevance = sparse.csr_array(relevance, copy=True)
    relevance.sum_duplicates()
    relevance.eliminate_zeros()
    same = (
        relevance.nnz == pattern.nnz
        and np.array_equal(relevance.indptr, pattern.indptr)
        and np.array_equal(relevance.indices, pattern.indices)
    )
    if not same:
        raise ValueError(
            f"relevance must be positive wherever y has a label and 0 elsewhere; "
            f"got {relevance.nnz} weights that are not 0, in other places than the "
            f"{pattern.nnz} labels of y."
        )
    return relevance.data


def check_precision(X, Y, costs, bias):
    """Raise ValueError if training in single precision would overflow or underflow.

    Parameters
    ----------
    X : Compressed or DenseRows
        A vector for each row.
    Y : csr_array of shape (n_samples, n_labels)
        Stored for each label of a row, with its relevance.
    costs : pair of float
        C times the weights of positive and of negative rows.
    bias : float
        Value of the constant feature.

    Raises
    ------
    ValueError
        If a cost is too small for float32, or if margins might overflow.
    """
    single = np.finfo(np.float32)
    positive_cost, negative_cost = costs
    lowest = min(positive_cost * float(Y.data.min()), negative_cost)
    highest = max(positive_cost * float(Y.data.max()), negative_cost)
    if lowest < float(single.tiny):
        raise ValueError(
            f"C times weights and relevance gets down to {lowest:.3g}, too small for "
            f"float32; raise C, positive_weight, negative_weight or relevance."
        )
    largest = max(X.values.max(initial=0).item(), -X.values.min(initial=0).item())
    squared_length = bias**2 + int(X.sizes.max()) * largest * largest
    # Dual variables are at most the costs, so margins are at most this.
    if X.n_vectors * max(1.0, highest) * squared_length > float(single.max):
        raise ValueError(
            f"X gets up to {largest:.3g}, C times weights and relevance to "
            f"{highest:.3g}: together too large for training in float32. Scale X, or "
            f"lower C, positive_weight, negative_weight or relevance."
        )


# Texts
# -----


def check_documents(documents, name="raw_documents"):
    """Convert an iterable of texts to a list of `str`.

    Parameters
    ----------
    documents : iterable of str
    name : str, default="raw_documents"
        Name of the argument, for messages.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If `documents` is a single text or has more than one dimension.
    TypeError
        If it is not an iterable, or an item is not a `str`.
    InvalidInputError
        If a text is missing, or `documents` is a set or a mapping: a ValueError and a
        TypeError.
    """
    documents = as_list(documents, name, "an iterable of str, one per document")
    for position, document in enumerate(documents):
        if not isinstance(document, str):
            message = (
                f"{name}[{position}] must be a str; got {document!r:.50} of type "
                f"{type(document).__name__}"
            )
            if is_missing(document):
                raise InvalidInputError(f"{message}: the text is missing.")
            raise TypeError(f"{message}.")
    return documents


def check_counts(counts, n_queries):
    """Validate the counts of queries.

    Parameters
    ----------
    counts : array-like of shape (n_queries,), or None
        None counts each once.
    n_queries : int

    Returns
    -------
    ndarray of shape (n_queries,), float64

    Raises
    ------
    If their number differs, or one is not positive and finite.
        If there are more or fewer, or one is not positive and finite.
    """
    if counts is None:
        return np.ones(n_queries)
    checked = check_array(
        counts, dtype=np.float64, ensure_2d=False, input_name="counts", copy=True
    )
    if checked.shape != (n_queries,):
        raise ValueError(
            f"counts has the shape {checked.shape}; expected ({n_queries},), a number "
            f"for each of queries."
        )
    if (checked <= 0).any():
        raise ValueError(f"counts must be positive; got {checked.min()}.")
    return checked
