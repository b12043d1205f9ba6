"""Targets whose columns have names: rows of label names, and data frames.

Rows of names, such as lists of tags, become the indicator that scikit-learn's
``MultiLabelBinarizer(sparse_output=True)`` makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skxmr._inputs._class_labels import array_of_column, exact_labels, exact_target
from skxmr._inputs._columns import InvalidInputError, is_missing

__all__ = [
    "BINARIZER",
    "NamedColumns",
    "NamedRows",
    "given_rows",
    "named_rows",
    "read_columns",
]

BINARIZER = "sklearn.preprocessing.MultiLabelBinarizer(sparse_output=True)"
"""What makes an indicator of other targets, for messages."""

_TEXTS = (str, bytes, bytearray)
_NO_ROWS = (Mapping, AbstractSet, *_TEXTS)
_EXPECTED = (
    "a list, tuple or set of label names for each row, an indicator, or class labels"
)


class NamedColumns(NamedTuple):
    """A target, and the names of its columns.

    Parameters
    ----------
    y : object
        A csr_array of int64 made of rows of names, or what came.
    names : ndarray of shape (n_labels,), or None
        In the order of the columns. None if they have no names, and for class labels.
    """

    y: Any
    names: NDArray | None


class NamedRows(NamedTuple):
    """The label names of each row.

    Parameters
    ----------
    names : list
        Those of all rows, one row after the other.
    sizes : ndarray of shape (n_rows,), int64
        The number of names of each row.
    """

    names: list
    sizes: NDArray

    def columns_of(self, column_of):
        """Look the names up.

        Parameters
        ----------
        column_of : mapping from name to column

        Returns
        -------
        csr_array of shape (n_rows, n_columns or more), int64
            1 for each label of a row. Each name without a column gets a further one.
        """
        column_of = dict(column_of)
        columns = self._coded(column_of)
        return self.indicator_of(columns, len(column_of))

    def binarized(self, name):
        """Make an indicator with a column for each name.

        Parameters
        ----------
        name : str
            Name of the argument, for messages.

        Returns
        -------
        NamedColumns
            The names ascending.
        """
        column_of: dict = {}
        columns = self._coded(column_of)
        classes = exact_labels(list(column_of), name)
        order = np.argsort(classes, kind="stable")
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = np.arange(len(order))
        return NamedColumns(
            self.indicator_of(ranks[columns], len(classes)), classes[order]
        )

    def _coded(self, column_of):
        """Return the column of each name; new ones get the next columns."""
        return np.fromiter(
            (column_of.setdefault(one, len(column_of)) for one in self.names),
            dtype=np.int64,
            count=len(self.names),
        )

    def indicator_of(self, columns, n_columns):
        """Make an indicator of the columns of the names.

        Parameters
        ----------
        columns : ndarray of shape (n_names,), int64
        n_columns : int

        Returns
        -------
        csr_array of shape (n_rows, n_columns), int64
        """
        offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        ones = np.ones(len(columns), dtype=np.int64)
        shape = len(self.sizes), n_columns
        indicator = sparse.csr_array((ones, columns, offsets), shape=shape)
        indicator.sum_duplicates()
        indicator.data[:] = 1  # a name counts once
        return indicator


def read_columns(y, name="y"):
    """Separate a target from the names of its columns.

    Parameters
    ----------
    y : object
        The argument of the user. A list, tuple, array or column of rows, each a list,
        tuple, set or array of label names; or a data frame with a column for each
        label. Other targets are returned as they came.
    name : str, default="y"
        Name of the argument, for messages.

    Returns
    -------
    NamedColumns

    Raises
    ------
    ValueError, TypeError
        If a row or a name is missing, if some rows are not containers of names, or if
        names are of several types or occur twice among the columns of a data frame.
    """
    if y is None or sparse.issparse(y) or isinstance(y, _TEXTS):
        return NamedColumns(y, None)
    names = _names_of_frame(y, name)
    if names is not None:
        return NamedColumns(y, names)
    rows, y = named_rows(y, name)
    if rows is None:
        return NamedColumns(y, None)
    if not rows.names:
        raise ValueError(
            f"{name} holds no label at all in {len(rows.sizes)} rows; expected one at "
            f"least."
        )
    return rows.binarized(name)


def given_rows(y, name="y"):
    """Return a target that can be read more than once.

    Parameters
    ----------
    y : object
        The argument of the user.
    name : str, default="y"
        Name of the argument, for messages.

    Returns
    -------
    object
        Class labels as `exact_target` returns them. An indicator, rows of names or an
        invalid target as it came; a list if it was an iterator.
    """
    rows, y = named_rows(y, name)
    return y if rows is not None else exact_target(y, name)


def named_rows(y, name):
    """Read rows of label names, if they are such.

    Rows of numbers in lists or tuples are those of an indicator; in sets, numbers are
    names.

    Parameters
    ----------
    y : object
    name : str
        Name of the argument, for messages.

    Returns
    -------
    rows : NamedRows or None
    y : object
        As it came; a list if it was an iterator.
    """
    rows, y = _listed(y, name)
    if rows is None or not any(map(_is_container, set(map(type, rows)))):
        return None, y
    if not _are_names(rows):
        _refuse_ragged(rows, name)
        return None, y
    for position, row in enumerate(rows):
        _check_row(row, f"{name}[{position}]")
    sizes = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    names = list(chain.from_iterable(map(_as_list, rows)))
    if any(map(_may_be_wrong, set(map(type, names)))):
        _refuse_wrong_names(rows, name)
    return NamedRows(names, sizes), y


def _listed(y, name):
    """List the rows of a target that may be one of names; None if it is not."""
    if sparse.issparse(y):
        return None, y
    if not hasattr(y, "__array__"):
        if not isinstance(y, Iterable) or isinstance(y, _NO_ROWS):
            return None, y
        y = y if isinstance(y, (list, tuple)) else list(y)
        return y, y
    if len(getattr(y, "shape", (0,))) != 1:
        return None, y
    if isinstance(getattr(y, "dtype", None), np.dtype) and y.dtype != object:
        return None, y
    array = array_of_column(y, name)
    return (None if array.dtype != object else list(array)), y


def _is_container(kind):
    if issubclass(kind, _TEXTS):
        return False
    return issubclass(kind, (Sequence, AbstractSet, np.ndarray))


def _are_names(rows):
    """Return whether rows hold names, and are not those of an indicator."""
    kinds = set(map(type, rows))
    if any(issubclass(kind, AbstractSet) for kind in kinds):
        return True
    for row in rows:
        # A nested array has no names; it is an invalid indicator.
        if _is_container(type(row)) and len(row):
            return isinstance(row[0], str)
    return True  # all are empty


def _refuse_ragged(rows, name):
    widths = {len(row) for row in rows if _is_container(type(row))}
    if len(widths) > 1:
        raise ValueError(
            f"{name} has rows of {min(widths)} to {max(widths)} numbers; expected an "
            f"indicator, with as many in each row. Where numbers are labels, put those "
            f"of each row into a set, or encode them by {BINARIZER}."
        )


def _check_row(row, where):
    if isinstance(row, Mapping) or not _is_container(type(row)):
        what = "is missing" if is_missing(row) else f"is of type {type(row).__name__}"
        raise InvalidInputError(
            f"{where} {what}: got {row!r:.50}; expected a list, tuple or set of label "
            f"names, as the other rows have, empty for no label."
        )
    if isinstance(row, np.ndarray) and row.ndim != 1:
        raise ValueError(
            f"{where} is an array of shape {row.shape}; expected a vector of names."
        )


def _as_list(row):
    return row.tolist() if isinstance(row, np.ndarray) else row


def _may_be_wrong(kind):
    return not issubclass(kind, (str, int, np.integer))


def _refuse_wrong_names(rows, name):
    for position, row in enumerate(rows):
        for one in _as_list(row):
            if is_missing(one):
                raise InvalidInputError(
                    f"{name}[{position}] holds a missing label, {one!r}."
                )
            if _is_container(type(one)) and not isinstance(one, tuple):
                raise ValueError(
                    f"{name}[{position}] holds {one!r:.50} of type "
                    f"{type(one).__name__}; expected {_EXPECTED}."
                )


def _names_of_frame(y, name):
    """Return the names of a data frame's columns; None for other containers."""
    # An Arrow table has the columns themselves under the name that others use for
    # names.
    columns = getattr(y, "column_names", getattr(y, "columns", None))
    shape: tuple = getattr(y, "shape", ())
    # A single column holds class labels.
    if columns is None or len(shape) != 2 or shape[1] < 2:
        return None
    names = exact_labels(list(columns), f"the columns of {name}")
    if names.dtype.kind in "iu" and np.array_equal(names, np.arange(len(names))):
        return None
    seen: set = set()
    for one in names.tolist():
        if one in seen:
            raise ValueError(f"{name} has several columns of the name {one!r:.50}.")
        seen.add(one)
    return names
