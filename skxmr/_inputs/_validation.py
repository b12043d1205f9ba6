"""Checks of parameters and arguments, and what scikit-learn keeps private."""

from functools import wraps
from inspect import signature
from numbers import Integral
from os import PathLike, fspath

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing as take_rows
from sklearn.utils import check_consistent_length as check_lengths
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import (
    HasMethods,
    Options,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils.metaestimators import _BaseComposition as Composition
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from sklearn.utils.validation import check_memory as _check_memory

from skxmr._inputs._by_label import Labels, in_order_of_labels
from skxmr._inputs._documents import check_documents
from skxmr._inputs._label_choice import check_labels
from skxmr._parallel._progress import showing
from skxmr._utils._sparse_structure import check_structure

__all__ = [
    "Composition",
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
    "check_structure",
    "check_weights",
    "column_or_1d",
    "fit_context",
    "public_csr",
    "take_rows",
    "validate_data",
    "validate_parameter_constraints",
]

# Parameters with weights of samples, named in the error for scikit-learn's
# sample_weight.
_WEIGHTS_OF_ROWS = {
    "relevance": "the weight of each row's labels",
    "counts": "how often each query was asked",
}


def fit_context(*, prefer_skip_nested_validation):
    """Decorate a fit method to validate the estimator's parameters.

    Its progress is shown if the estimator has a parameter `verbose` that is not 0.

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
        # A meta-estimator passes it on, and the nested estimator takes or refuses it.
        passes_on = any(one.kind is one.VAR_KEYWORD for one in accepted.values())

        @wraps(fit)
        def fit_without_sample_weight(estimator, *arguments, **named):
            if "sample_weight" in named and not passes_on:
                _refuse_sample_weight(estimator, accepted)
            with showing(getattr(estimator, "verbose", 0)):
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
    if type(k) is int and k >= 1:  # without overhead for searches of single rows
        return k
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
