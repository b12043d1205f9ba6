"""Labels that a user chooses to search among, or to leave out."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from numbers import Number, Real

import numpy as np
from scipy import sparse

from skxmr._inputs._class_labels import array_of_column, exact_labels, is_row
from skxmr._inputs._columns import as_list, is_missing, without_scalars

__all__ = [
    "check_choice",
    "check_labels",
    "find_labels",
    "in_order_of_classes",
    "mask_of_choice",
]


def check_labels(labels, known, name, unknown="raise"):
    """Find the columns of labels.

    Parameters
    ----------
    labels : iterable
        Labels of the kind of the known ones, in any order and any container; or an
        ordered one of bool, one for each column. A column of bool with an index of
        labels, such as pandas has, is read by that index.
    known : KnownClasses
    name : str
        What to call them in messages.
    unknown : {"raise", "ignore"}, default="raise"
        What happens to labels that are unknown or removed.

    Returns
    -------
    ndarray of int64
        Columns, ascending, each once.

    Raises
    ------
    ValueError
        If one is unknown and not to be ignored, if none is even of the type of the
        known ones, or if what came is no iterable of labels.
    """
    classes = known.classes
    _check_unknown(unknown)
    array = _as_array(labels, name)
    if array.dtype == bool and classes.dtype != bool and len(array):
        index = _index_of(labels)
        if index is None:
            return _columns_of_mask(array, classes, name)
        array = index[array]
    elif classes.dtype != bool:
        _refuse_mask_with_missing_values(array, name)
    columns = _find_columns(array, known, name, unknown)
    return np.unique(columns[columns >= 0])


def find_labels(labels, known, name, unknown="raise"):
    """Find the column of each label, in their order.

    Parameters
    ----------
    labels : iterable
        Labels of the kind of the known ones, in an ordered container; any of them may
        be there several times.
    known : KnownClasses
    name : str
        What to call them in messages.
    unknown : {"raise", "ignore"}, default="raise"
        What happens to labels that are unknown or removed.

    Returns
    -------
    ndarray of int64
        A column for each label; -1 for those that are ignored.

    Raises
    ------
    ValueError
        As by `check_labels`; also if they are a mask, or have no order.
    """
    _check_unknown(unknown)
    if isinstance(labels, (Mapping, AbstractSet)):
        raise ValueError(
            f"{name} is a {type(labels).__name__}; expected labels in an order."
        )
    array = _as_array(labels, name)
    if array.dtype == bool and known.classes.dtype != bool and len(array):
        raise ValueError(f"{name} is a mask of booleans; expected labels.")
    return _find_columns(array, known, name, unknown)


def _find_columns(array, known, name, unknown):
    """Find the columns of labels in an array of one type, -1 for unknown ones."""
    classes = known.classes
    if len(array) == 0:
        return np.empty(0, dtype=np.int64)
    fits = _fits(array, classes)
    found = np.full(len(array), -1)
    if fits.any():
        found[fits] = known.find(_typed(array[fits]))
    if unknown == "raise" and (found < 0).any():
        label = array[found < 0].tolist()[0]
        raise ValueError(
            f"{name} holds {label!r:.50}, which is no label of this classifier."
        )
    if not fits.any():
        raise ValueError(
            f"{name} holds labels like {array.tolist()[0]!r:.50}; expected some like "
            f"{classes.tolist()[0]!r:.50}."
        )
    return found


def _check_unknown(unknown):
    if not isinstance(unknown, str) or unknown not in ("raise", "ignore"):
        raise ValueError(f"unknown={unknown!r:.50}; expected 'raise' or 'ignore'.")


def check_choice(known, allowed, excluded, unknown="raise"):
    """Find the columns of the labels that a search may return, and may not.

    Parameters
    ----------
    known : KnownClasses
    allowed, excluded : iterable of labels or None
        As `MakesSubsets.subset` takes them. Removed labels may be excluded.
    unknown : {"raise", "ignore"}, default="raise"

    Returns
    -------
    allowed : ndarray of int64, or None for all
    excluded : ndarray of int64
        Removed labels too.
    """
    columns, removed = None, known.removed
    if allowed is not None:
        columns = check_labels(allowed, known, "allowed", unknown)
    if excluded is not None:
        # Excluding what was removed is no error: it may have been removed just now.
        excluded = check_labels(excluded, known.ever_known, "excluded", unknown)
        removed = np.union1d(excluded, removed)
    return columns, removed


def mask_of_choice(n_labels, allowed, excluded):
    """Mark the labels that a search may return.

    Parameters
    ----------
    n_labels : int
    allowed, excluded : ndarray of int64
        As `check_choice` returns them.

    Returns
    -------
    ndarray of shape (n_labels,), bool
    """
    mask = np.full(n_labels, allowed is None)
    if allowed is not None:
        mask[allowed] = True
    mask[excluded] = False
    return mask


def in_order_of_classes(values, known, name):
    """Bring a column of values with an index of labels into the order of the labels.

    Parameters
    ----------
    values : array-like
        Numbers. Other columns, and those with the default index, are in that order.
    known : KnownClasses
    name : str
        What to call them in messages.

    Returns
    -------
    array-like
        An ndarray of shape (n_labels,), 0 for removed labels, or the values as they
        came.

    Raises
    ------
    ValueError
        If the index lacks a label, or holds one twice. Others are ignored.
    """
    index = _index_of(values)
    if index is None:
        return values
    fits = np.flatnonzero(_fits(index, known.classes))
    columns = known.find(_typed(index[fits]))
    is_known = columns >= 0
    positions = np.full(len(known), -1)
    positions[columns[is_known]] = fits[is_known]
    is_lacking = positions < 0
    is_lacking[known.removed] = False
    if is_lacking.any():
        label = known.classes[is_lacking].tolist()[0]
        raise ValueError(f"{name} has an index that lacks the label {label!r:.50}.")
    if is_known.sum() > known.n_alive:
        raise ValueError(f"{name} has an index that holds a label twice.")
    return np.where(positions >= 0, np.asarray(values)[positions], 0)


# Containers
# ----------


def _as_array(labels, name):
    """Make a vector of labels: of objects, unless all are of one type."""
    if isinstance(labels, (str, bytes, bytearray)):
        raise ValueError(
            f"{name} must be an iterable of labels; got the single "
            f"{type(labels).__name__} {labels!r:.50}. Put it in a list."
        )
    _refuse_booleans_without_order(labels, name)
    is_array = hasattr(labels, "__array__") or isinstance(labels, range)
    if not is_array and isinstance(labels, Iterable) and not sparse.issparse(labels):
        labels = without_scalars(list(labels))
        if not labels or not is_row(labels[0]):
            return _objects(labels, name)
    array = array_of_column(labels, name)
    if array.ndim == 0:
        raise ValueError(f"{name} must be an iterable of labels; got {labels!r:.50}.")
    if array.ndim != 1:
        raise ValueError(
            f"{name} must be a vector of labels; got the shape {array.shape}."
        )
    # What NumPy could not convert, and strings of a type of their own.
    if array.dtype.kind in "OT":
        return _objects(array.tolist(), name)
    if array.dtype.kind in "fmM" and (array != array).any():
        # Beside what is missing, integers have become floats.
        return _objects(as_list(labels, name, "an iterable of labels"), name)
    return array


def _refuse_booleans_without_order(labels, name):
    values = labels.values() if isinstance(labels, Mapping) else labels
    if not isinstance(labels, (Mapping, AbstractSet)):
        return
    if len(labels) and all(isinstance(one, (bool, np.bool_)) for one in values):
        raise ValueError(
            f"{name} is a {type(labels).__name__} of booleans; expected labels, or a "
            f"mask in the order of the labels."
        )


def _refuse_mask_with_missing_values(array, name):
    if array.dtype != object:
        return
    is_boolean = [isinstance(one, (bool, np.bool_)) for one in array]
    if any(is_boolean) and all(map(is_missing, array[np.invert(is_boolean)])):
        raise ValueError(
            f"{name} is a mask with missing values; replace them with True or False."
        )


def _objects(labels, name):
    """Make an array of one type if they are of one, without a conversion of any."""
    types = set(map(type, labels))
    if bool in types and not types <= {bool, np.bool_}:  # not to become numbers
        return np.fromiter(labels, dtype=object, count=len(labels))
    for kinds in (str, (bool, np.bool_), (np.datetime64, np.timedelta64), Real):
        alike = types and all(issubclass(one, kinds) for one in types)
        if alike and not any(map(is_missing, labels)):
            return exact_labels(labels, name)
    return np.fromiter(labels, dtype=object, count=len(labels))


def _typed(array):
    return _objects(array.tolist(), "labels") if array.dtype == object else array


def _index_of(labels):
    """Give the labels that a column of a data frame is indexed by, if it is."""
    index = getattr(labels, "index", None)
    if index is None or callable(index):
        return None
    index = _objects(np.asarray(index).tolist(), "the index")
    by_position = index.dtype.kind in "iu" and np.array_equal(
        index, np.arange(len(index))
    )
    return None if by_position else index


def _columns_of_mask(mask, classes, name):
    if len(mask) != len(classes):
        raise ValueError(
            f"{name} is a mask of {len(mask)} labels; expected {len(classes)}."
        )
    return np.flatnonzero(mask)


# Labels
# ------


def _fits(array, classes):
    """Mark the labels of a type that classes can be compared with."""
    kind, wanted = array.dtype.kind, classes.dtype.kind
    if kind != "O" and wanted != "O":
        groups = ("UT", "iuf", "b", "M", "m")
        alike = any(kind in group and wanted in group for group in groups)
        return np.full(len(array), alike)
    expected = _type_of_classes(classes)
    return np.array([_is_one(label, expected) for label in array.tolist()], dtype=bool)


def _type_of_classes(classes):
    if classes.dtype.kind in "iuf":
        return Number
    first = classes[:1].tolist()[0]
    is_number = isinstance(first, Number) and not isinstance(first, bool)
    return Number if is_number else type(first)


def _is_one(label, expected):
    is_boolean = isinstance(label, (bool, np.bool_))
    # A Timestamp of pandas is a datetime, and either may stand for the other.
    is_alike = isinstance(label, expected) or issubclass(expected, type(label))
    return is_alike and is_boolean == (expected is bool)
