"""Exact conversion of class labels of any type from any container.

NumPy and scikit-learn convert mixed types: integers with a missing value become floats,
numbers with strings become strings, and integers of different signedness are compared
as floats. Each of these may turn two labels into one.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from numbers import Integral, Real

import numpy as np
from scipy import sparse

from skxmr._inputs._columns import (
    InvalidInputError,
    is_missing,
    refuse_unordered,
    without_scalars,
)

__all__ = [
    "array_of_column",
    "concatenate_labels",
    "exact_labels",
    "exact_target",
    "find_columns",
    "is_row",
    "list_labels",
    "list_target",
]

_EXPECTED = "an indicator, or class labels in a container that has an order"
_NEVER_MISSING = {str, np.str_, int, bool, np.bool_, np.int64, np.int32, bytes}


def exact_target(y, name="y"):
    """Convert class labels to an array without changing them.

    Parameters
    ----------
    y : object
        The argument of the user.
    name : str, default="y"
        Name of the argument, for messages.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, 1), or object
        Class labels as an array of a NumPy dtype that represents them exactly, or of
        objects. An indicator, or an invalid target, is returned unchanged.

    Raises
    ------
    ValueError, TypeError
        If a label is missing, if labels are of several types or of one that cannot be
        sorted, or if `y` is a set or a mapping.
    """
    if y is None or sparse.issparse(y) or isinstance(y, (str, bytes, np.matrix)):
        return y
    refuse_unordered(y, name, _EXPECTED)
    if not hasattr(y, "__array__"):
        return _target_of_items(y, name)
    shape = getattr(y, "shape", (0,))
    if len(shape) > 1 and shape[1:] != (1,):
        return y
    array = array_of_column(y, name)
    if array.ndim == 1:
        return exact_labels(array, name)
    if array.ndim == 2 and array.shape[1] == 1:
        return exact_labels(array[:, 0], name)[:, np.newaxis]
    return y


def exact_labels(labels, name):
    """Convert a list or a vector of labels to an array without changing them.

    Parameters
    ----------
    labels : list, or ndarray of shape (n_labels,)
    name : str
        Name of the argument, for messages.

    Returns
    -------
    ndarray of shape (n_labels,)

    Raises
    ------
    ValueError, TypeError
        As in `exact_target`.
    """
    if isinstance(labels, np.ndarray):
        kind = labels.dtype.kind
        if kind not in "OTS":
            if kind in "fmM":
                _refuse_missing_numbers(labels, name)
            return labels
        return _exact(labels.tolist(), name, text_dtype=object)
    return _exact(labels, name, text_dtype=None)


def concatenate_labels(first, second, name):
    """Concatenate two arrays of labels without changing them.

    Parameters
    ----------
    first, second : ndarray of shape (any,)
        As returned by `exact_labels`.
    name : str
        Name of the argument, for messages.

    Returns
    -------
    ndarray of shape (any,)

    Raises
    ------
    TypeError
        If the labels of both cannot be sorted.
    """
    if first.dtype == second.dtype or first.dtype.kind == second.dtype.kind == "U":
        both = np.concatenate([first, second])
        return both if both.dtype != object else exact_labels(both, name)
    labels = _array_of_objects([*list_labels(first), *list_labels(second)])
    return exact_labels(labels, name)


def list_labels(labels):
    """List labels as Python objects; dates stay NumPy's, which are more precise.

    Parameters
    ----------
    labels : ndarray of shape (n_labels,)

    Returns
    -------
    list
    """
    return list(labels) if labels.dtype.kind in "mM" else labels.tolist()


def list_target(y, name="y"):
    """List class labels as Python objects, so that equal ones have equal hashes.

    Labels may be of several types, including None, since they are looked up and not
    sorted.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, 1)
    name : str, default="y"
        Name of the argument, for messages.

    Returns
    -------
    list

    Raises
    ------
    ValueError, TypeError
        If a label is missing, or `y` is a set or a mapping.
    """
    refuse_unordered(y, name, _EXPECTED)
    if hasattr(y, "__array__"):
        labels = list_labels(np.ravel(array_of_column(y, name)))
    else:
        labels = without_scalars(list(y))
    types = set(map(type, labels)) - {type(None)}
    if not types <= _NEVER_MISSING:
        _refuse_missing(labels, types, name)
    return labels


def find_columns(labels, classes):
    """Find the positions of labels among classes by exact comparison.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        As returned by `exact_labels`.
    classes : ndarray of shape (n_classes,)
        Ascending.

    Returns
    -------
    ndarray of shape (n,), int64
        -1 for labels that are not among the classes.

    Raises
    ------
    TypeError
        If labels and classes cannot be compared.
    """
    if len(labels) == 0 or len(classes) == 0:
        return np.full(len(labels), -1, dtype=np.int64)
    labels, is_possible = _of_one_type(labels, classes)
    if labels.dtype == object:
        classes = classes.astype(object)
    positions = np.searchsorted(classes, labels)
    positions = np.minimum(positions, len(classes) - 1)
    found = np.asarray(classes[positions] == labels, dtype=bool) & is_possible
    return np.where(found, positions, -1)


def _target_of_items(y, name):
    """Read a target in a Python container."""
    if not isinstance(y, Iterable):
        return y
    items = y if isinstance(y, (list, tuple)) else list(y)
    # Rows of an indicator, or sequences of labels, which scikit-learn does not support.
    if any(map(is_row, items[:1])):
        return items
    return _exact(without_scalars(list(items)), name, text_dtype=None)


def is_row(item):
    """Return whether an item is a vector or sequence, and not a label."""
    is_text = isinstance(item, (str, bytes))
    return not is_text and (isinstance(item, Sequence) or np.ndim(item) > 0)


def array_of_column(y, name):
    """Convert a column to an array, of objects if NumPy has no such type.

    Parameters
    ----------
    y : array-like
    name : str
        Name of the argument, for messages.

    Returns
    -------
    ndarray

    Raises
    ------
    InvalidInputError
        If an entry is masked.
    """
    _refuse_masked(y, name)
    if hasattr(y, "to_pylist") or (hasattr(y, "to_list") and not hasattr(y, "iloc")):
        # Arrow and polars return NumPy dates without their time zone, and no 128-bit
        # integers.
        kind = str(getattr(y, "dtype", getattr(y, "type", "")))
        if any(mark in kind for mark in ("time_zone='", "tz=", "128")):
            values = y.to_pylist() if hasattr(y, "to_pylist") else y.to_list()
            return _array_of_objects(values)
    return np.asarray(y)


def _refuse_masked(y, name):
    if isinstance(y, np.ma.MaskedArray) and np.ma.getmaskarray(y).any():
        rows = np.flatnonzero(np.ma.getmaskarray(y).reshape(len(y), -1).any(axis=1))
        raise InvalidInputError(
            f"{name}[{rows[0]}] is masked; expected a label, or an indicator, in every "
            f"row."
        )


def _refuse_missing_numbers(labels, name):
    missing = np.isnan(labels) if labels.dtype.kind == "f" else np.isnat(labels)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise InvalidInputError(
            f"{name} contains NaN: {name}[{row}] is missing; expected a class label in "
            f"every row."
        )


def _exact(values, name, text_dtype):
    """Convert Python objects to an array that represents each exactly."""
    types = set(map(type, values))
    if not types <= _NEVER_MISSING:
        _refuse_missing(values, types, name)
    if _are(types, (bytes, bytearray)):
        raise TypeError(
            f"{name}: labels represented as bytes are not supported; decode them."
        )
    if _are(types, str):
        return _of_texts(values, text_dtype)
    if _are(types, (bool, np.bool_)):
        return np.array(values, dtype=bool)
    # NumPy considers its time spans to be integers.
    if not types.isdisjoint({np.datetime64, np.timedelta64}):
        return _of_times(values, types, name)
    if _are(types, (Integral, np.bool_)):
        return _of_integers(values)
    if _are(types, (float, np.floating, Integral, np.bool_)):
        return _of_numbers(values)
    _check_sortable(values, types, name)
    return _array_of_objects(values)


def _are(types, kinds):
    return bool(types) and all(issubclass(one, kinds) for one in types)


def _type_names(types):
    return " and ".join(sorted(one.__name__ for one in types))


def _refuse_missing(values, types, name):
    for row, value in enumerate(values):
        if is_missing(value) and type(value) in types:
            shown = "NaN" if isinstance(value, Real) else repr(value)
            raise InvalidInputError(
                f"{name} contains {shown}: {name}[{row}] is missing; expected class "
                f"labels of one type, all strings or all numbers; got "
                f"{_type_names(types)}."
            )


def _of_texts(values, text_dtype):
    # NumPy's fixed-width strings lose trailing NUL characters.
    if text_dtype is object or any(text.endswith("\0") for text in values):
        return _array_of_objects([str(text) for text in values])
    return np.array(values)


def _of_times(values, types, name):
    if len(types) > 1:
        raise _several_types(types, name)
    return np.array(values)


def _of_integers(values):
    numbers = [int(value) for value in values]
    for dtype in (np.int64, np.uint64):
        try:
            return np.array(numbers, dtype=dtype)
        except OverflowError:
            continue
    return _array_of_objects(numbers)


def _of_numbers(values):
    """Return floats if they represent the integers among them exactly."""
    numbers = [value.item() if hasattr(value, "item") else value for value in values]
    try:
        floats = np.array(numbers, dtype=np.float64)
    except OverflowError:
        return _array_of_objects(numbers)
    same = all(
        one == other for one, other in zip(floats.tolist(), numbers, strict=True)
    )
    return floats if same else _array_of_objects(numbers)


def _array_of_objects(values):
    return np.fromiter(values, dtype=object, count=len(values))


def _check_sortable(values, types, name):
    if any(issubclass(one, AbstractSet) for one in types):  # no total order
        raise ValueError(f"Unknown label type: {name} holds sets.")
    try:
        set(values)
        sorted(values)
    except TypeError as error:
        if len(types) == 1:
            raise ValueError(
                f"Unknown label type: unknown. {name} must be an indicator, or class "
                f"labels that can be hashed and sorted; got some of type "
                f"{_type_names(types)}."
            ) from error
        raise _several_types(types, name) from error


def _several_types(types, name):
    return TypeError(
        f"{name} must hold class labels of one type, all strings or all numbers; got "
        f"{_type_names(types)}."
    )


def _of_one_type(labels, classes):
    """Convert labels to the dtype of the classes without changing them.

    Returns
    -------
    labels : ndarray
        Of the dtype of the classes, or of objects.
    is_possible : ndarray of bool, or bool
        Which labels this dtype can represent; others are not among the classes.
    """
    kinds = labels.dtype.kind + classes.dtype.kind
    if labels.dtype == classes.dtype or kinds in ("UU", "OO"):
        return labels, True
    if all(kind in "biuf" for kind in kinds):
        return _cast_numbers(labels, classes.dtype)
    if kinds == "OU" and all(isinstance(label, str) for label in labels):
        # There may be many classes; they are not converted for a few labels.
        fits = np.array([not label.endswith("\0") for label in labels], dtype=bool)
        return labels.astype(np.str_), fits
    if kinds in ("MM", "mm"):
        return labels, True
    if "O" not in kinds:
        return np.zeros(len(labels), dtype=classes.dtype), False
    if kinds in ("OM", "Om"):  # such as pandas Timestamps
        return labels.astype(classes.dtype), True
    return labels.astype(object), True


def _cast_numbers(labels, dtype):
    if dtype.kind == "b" or labels.dtype.kind == "b":
        labels = labels.astype(np.int64) if labels.dtype.kind == "b" else labels
        dtype = np.dtype(np.int64) if dtype.kind == "b" else dtype
    possible = np.ones(len(labels), dtype=bool)
    if labels.dtype.kind == "f" and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        possible = (labels >= limits.min) & (labels < float(limits.max) + 1)
        labels = np.where(possible, labels, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = labels.astype(dtype)
        # Converted back to detect losses, including the sign of an overflow.
        same = (cast.astype(labels.dtype) == labels) & ((cast < 0) == (labels < 0))
    return cast, possible & same
