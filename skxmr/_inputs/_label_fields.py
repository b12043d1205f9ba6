"""The texts of labels, of one or several fields, such as name and description."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from skxmr._inputs._columns import InvalidInputError, as_list, is_missing, is_unordered

__all__ = [
    "LabelFields",
    "is_blank",
    "is_table",
    "name_of",
    "read_fields",
    "table_rows",
]


# Methods of data frames of pandas, polars and Arrow, none of which is imported here.
_OF_FRAMES = ("iloc", "get_columns", "column_names")


class LabelFields(NamedTuple):
    """The texts of all labels.

    Parameters
    ----------
    texts : list of tuple of str
        The texts of each label, by field, blank if missing. Lengths may differ.
    n_fields : int
        The maximum number of fields, also over labels that a target lacks.
    """

    texts: list
    n_fields: int

    def names(self):
        """Return the name of each label: its first non-blank text."""
        return list(map(name_of, self.texts))

    def joined(self):
        """Return all texts of each label as one; blank if it has none."""
        return [" ".join(filter(None, texts)) for texts in self.texts]


def is_blank(text):
    """Return whether a text is blank."""
    return not text.strip()


def name_of(fields):
    """Return the first non-blank text; the first item if there is none."""
    named = (text for text in fields if not is_blank(text))
    return next(named, fields[0] if fields else "")


def read_fields(item, name):
    """Read the texts of one label.

    Parameters
    ----------
    item : str, or sequence of str
        Missing values (None, NaN) in a sequence are blank texts.
    name : str
        Name of the argument, for messages.

    Returns
    -------
    tuple of str

    Raises
    ------
    InvalidInputError
        If it is missing, not a sequence, or contains something other than texts.
    """
    if isinstance(item, str):
        return (item,)
    if type(item) in (tuple, list) and set(map(type, item)) == {str}:
        return tuple(item)  # the checks below take several times as long
    if is_missing(item):
        raise InvalidInputError(
            f"{name} must be a str; got {item!r:.50} of type {type(item).__name__}: "
            f"the text is missing."
        )
    is_sequence = hasattr(item, "__iter__") and len(getattr(item, "shape", (0,))) == 1
    is_ordered = not isinstance(item, Mapping) and not is_unordered(item)
    if isinstance(item, (bytes, bytearray)) or not (is_sequence and is_ordered):
        raise _no_text(item, name)
    texts = as_list(item, name, "a str or a sequence of str")
    fields = ["" if is_missing(text) else text for text in texts]
    for position, text in enumerate(fields):
        if not isinstance(text, str):
            raise _no_text(text, f"{name}[{position}]", is_field=True)
    return tuple(fields)


def _no_text(item, name, *, is_field=False):
    hint = "" if is_field else " Several texts of a label go into a list or tuple."
    return InvalidInputError(
        f"{name} must be a str; got {item!r:.50} of type {type(item).__name__}.{hint}"
    )


def is_table(container):
    """Return whether a container has rows and columns: an array or a data frame."""
    if len(getattr(container, "shape", ())) != 2:
        return False
    is_frame = any(hasattr(container, name) for name in _OF_FRAMES)
    return is_frame or isinstance(container, np.ndarray)


def table_rows(table):
    """Return the rows of a 2-D array or of a data frame.

    Parameters
    ----------
    table : ndarray or data frame of shape (n_labels, n_fields)

    Returns
    -------
    list of sequence
    """
    if isinstance(table, np.ndarray):
        return table.tolist()  # masked items become None
    if hasattr(table, "iloc"):
        columns = [table.iloc[:, i] for i in range(table.shape[1])]
    elif hasattr(table, "get_columns"):  # polars
        columns = table.get_columns()
    else:  # Arrow
        columns = table.columns
    if not len(columns):
        return [()] * table.shape[0]
    return list(zip(*(as_list(one, "a column", "") for one in columns), strict=True))
