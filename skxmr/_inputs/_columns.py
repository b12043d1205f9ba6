"""Conversion of columns of data (lists, arrays, columns of data frames) to lists.

No data frame library is imported: containers are recognised by their methods.
"""

from collections.abc import ItemsView, Iterable, KeysView, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

__all__ = [
    "InvalidInputError",
    "as_list",
    "is_missing",
    "is_unordered",
    "refuse_other_than_column",
    "refuse_unordered",
    "session_texts",
    "without_scalars",
]


class InvalidInputError(ValueError, TypeError):
    """An invalid container, or an invalid item in it.

    Both a ValueError and a TypeError, like scikit-learn's ``InvalidParameterError``,
    since a missing value may be seen as a wrong type or as a wrong value.
    """


def is_missing(value):
    """Return whether a value is a data frame's missing value.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
        True for None, NaN, NaT, `pandas.NA` and a masked entry.
    """
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, (str, bytes, int)) or hasattr(value, "__len__"):
        return False
    if hasattr(value, "as_py"):  # an Arrow scalar
        return is_missing(value.as_py())
    try:
        return bool(value != value)
    except TypeError:  # comparisons of pandas.NA have no truth value
        return type(value).__name__ == "NAType"
    except ArithmeticError:  # a signalling NaN of decimal
        return True


def is_unordered(values):
    """Return whether the items of a container have no order."""
    if isinstance(values, Mapping):
        return True
    # The views of a dict are sets too, and have its order.
    has_order = isinstance(values, (KeysView, ItemsView, Sequence))
    return isinstance(values, AbstractSet) and not has_order


def refuse_unordered(values, name, expected):
    """Raise an error for a set, whose order is arbitrary, and for a mapping.

    Raises
    ------
    InvalidInputError
        A ValueError and a TypeError.
    """
    if isinstance(values, Mapping):
        raise InvalidInputError(
            f"{name} must be {expected}; got a {type(values).__name__}, of which only "
            f"the keys would be read. Give its keys or values as a list."
        )
    if is_unordered(values):
        raise InvalidInputError(
            f"{name} must be {expected}; got a {type(values).__name__}, whose items "
            f"have no order. Put them in a list."
        )


def as_list(values, name, expected):
    """List the items of a 1-D, ordered container.

    Parameters
    ----------
    values : iterable
        A list or tuple, an array, a column of a data frame, a generator and so on.
    name : str
        Name of the argument, for messages.
    expected : str
        The expected type, for messages: "an iterable of ...".

    Returns
    -------
    list
        A new list. Arrow scalars are converted to Python objects; missing values are
        those of the container.

    Raises
    ------
    ValueError
        If it is a single string, or not 1-D.
    TypeError
        If it is not an iterable.
    InvalidInputError
        If it is a set or a mapping: a ValueError and a TypeError.
    """
    refuse_other_than_column(values, name, expected)
    if hasattr(values, "to_pylist"):  # Arrow
        return values.to_pylist()
    return without_scalars(list(values))


def refuse_other_than_column(values, name, expected):
    """Raise an error for what is not a 1-D, ordered iterable, as `as_list` does."""
    if isinstance(values, (str, bytes, bytearray)):
        raise ValueError(
            f"{name} must be {expected}; got a single {type(values).__name__}. Put it "
            f"in a list."
        )
    refuse_unordered(values, name, expected)
    shape = getattr(values, "shape", (0,))
    if len(shape) != 1:
        # Iterating over a data frame would yield the names of its columns.
        raise ValueError(
            f"{name} must have one dimension, like a list of str or one column "
            f"of a data frame; got {type(values).__name__} of shape {shape}."
        )
    if not isinstance(values, Iterable):
        raise TypeError(f"{name} must be {expected}; got {type(values).__name__}.")


def without_scalars(items):
    """Convert the Arrow scalars in a list to Python objects.

    Parameters
    ----------
    items : list

    Returns
    -------
    list
        The same list if there are none.
    """
    # By type, since there may be millions of items.
    if not any(hasattr(kind, "as_py") for kind in set(map(type, items))):
        return items
    return [item.as_py() if hasattr(item, "as_py") else item for item in items]


def session_texts(session, name):
    """List the queries of a session.

    Parameters
    ----------
    session : iterable of str, or a missing value
        The newest last. Missing values are removed.
    name : str
        Name of the argument, for messages.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If it is not such a container, or an item is not a `str`.
    """
    if is_missing(session):
        return []
    if hasattr(session, "as_py"):  # an Arrow scalar
        session = session.as_py()
        if isinstance(session, str):
            return [session]
    readable = isinstance(session, Iterable) and not is_unordered(session)
    if isinstance(session, (bytes, bytearray)) or not readable:
        raise TypeError(
            f"{name} must be a str, or a list or tuple of str, newest last; "
            f"got {session!r:.50} of type {type(session).__name__}."
        )
    texts = as_list(session, name, "a str, or a list or tuple of str, newest last")
    for position, text in enumerate(texts):
        if not isinstance(text, str) and not is_missing(text):
            raise TypeError(
                f"{name}[{position}] must be a str; "
                f"got {text!r:.50} of type {type(text).__name__}."
            )
    return [text for text in texts if isinstance(text, str)]
