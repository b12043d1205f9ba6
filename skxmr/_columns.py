"""Columns of data: lists, arrays and columns of data frames, as lists of objects.

Nothing is imported to tell them apart: a container is judged by what it offers.
"""

from collections.abc import ItemsView, Iterable, KeysView, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

__all__ = [
    "InvalidInputError",
    "as_list",
    "is_missing",
    "is_unordered",
    "refuse_unordered",
    "session_texts",
    "without_scalars",
]


class InvalidInputError(ValueError, TypeError):
    """A container, or something in it, that is not what an argument takes.

    Both a ValueError and a TypeError, as scikit-learn's ``InvalidParameterError`` is:
    whether a missing value is of a wrong type or a wrong value is a matter of taste.
    """


def is_missing(value):
    """Tell whether a value is a data frame's way to say that there is none.

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
    if hasattr(value, "as_py"):  # a scalar of Arrow
        return is_missing(value.as_py())
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither equal to itself nor different
        return type(value).__name__ == "NAType"
    except ArithmeticError:  # a signalling NaN of decimal
        return True


def is_unordered(values):
    """Tell whether the items of a container have no order of their own."""
    if isinstance(values, Mapping):
        return True
    # The views of a dict are sets, too, and have its order.
    has_order = isinstance(values, (KeysView, ItemsView, Sequence))
    return isinstance(values, AbstractSet) and not has_order


def refuse_unordered(values, name, expected):
    """Refuse a set, whose order is arbitrary, and a mapping, whose keys would be read.

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
    """List the items of a container that has one dimension and an order.

    Parameters
    ----------
    values : iterable
        A list or tuple, an array, a column of a data frame, a generator and so on.
    name : str
        What to call it in messages.
    expected : str
        What it should be, for messages: "an iterable of ...".

    Returns
    -------
    list
        A new one. Scalars of Arrow are Python objects; a missing value is whatever
        the container has for it.

    Raises
    ------
    ValueError
        If it is a single string, or has more or fewer dimensions than one.
    TypeError
        If it is no iterable.
    InvalidInputError
        If it is a set or a mapping: a ValueError and a TypeError.
    """
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
    if hasattr(values, "to_pylist"):  # of Arrow
        return values.to_pylist()
    return without_scalars(list(values))


def without_scalars(items):
    """Replace the scalars of Arrow in a list by the Python objects that they stand for.

    Parameters
    ----------
    items : list

    Returns
    -------
    list
        The same, where there are none.
    """
    # By type, for there may be millions of items.
    if not any(hasattr(kind, "as_py") for kind in set(map(type, items))):
        return items
    return [item.as_py() if hasattr(item, "as_py") else item for item in items]


def session_texts(session, name):
    """List what was asked in one session.

    Parameters
    ----------
    session : iterable of str, or a missing value
        The newest last. Missing values in it are left out.
    name : str
        What to call it in messages.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If it is no such container, or one of its items no `str`.
    """
    if is_missing(session):
        return []
    if hasattr(session, "as_py"):  # a scalar of Arrow
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
