"""Weights of fields and of labels."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from numbers import Real

import numpy as np

from skxmr._inputs._columns import InvalidInputError
from skxmr._inputs._label_choice import in_order_of_classes
from skxmr._lexical._building import TRAINING

__all__ = ["check_field_weights", "check_label_weights"]

# With larger weights, single precision would not hold their products.
_MOST = 1e15


def check_field_weights(weights, field_names):
    """Return the weight of each field.

    Parameters
    ----------
    weights : sequence of float, or None
        One for each text of a label, and optionally one for training texts.
    field_names : list of str

    Returns
    -------
    ndarray of shape (n_fields,), float64

    Raises
    ------
    InvalidInputError
        A ValueError and a TypeError, if a weight is not a number from 0 to 1e15, if all
        are 0, or if their number is wrong.
    """
    if weights is None:
        return np.ones(len(field_names))
    given = np.array(_listed_weights(weights), dtype=np.float64)
    n_of_labels = sum(name != TRAINING for name in field_names)
    if n_of_labels < len(field_names) and len(given) == n_of_labels:
        given = np.append(given, 1.0)
    if len(given) != len(field_names):
        raise InvalidInputError(
            f"field_weights has {len(given)} weights; expected {len(field_names)}, for "
            f"the fields {', '.join(field_names)}."
        )
    if not given.astype(np.float32).any():
        raise InvalidInputError("field_weights are all 0; expected a positive one.")
    return given


def _listed_weights(weights):
    if isinstance(weights, (str, AbstractSet, Mapping)) or not np.iterable(weights):
        raise InvalidInputError(
            f"field_weights must be a sequence of numbers; got {weights!r:.50}."
        )
    weights = list(weights)
    for position, one in enumerate(weights):
        is_number = isinstance(one, Real) and not isinstance(one, (bool, np.bool_))
        if not (is_number and 0 <= one <= _MOST):
            raise InvalidInputError(
                f"field_weights[{position}] must be a number from 0 to {_MOST:g}; got "
                f"{one!r:.50}."
            )
    return weights


def check_label_weights(weights, known):
    """Return weights of labels from 0 to 1, and their scale.

    Parameters
    ----------
    weights : array-like of shape (n_labels,)
        Numbers from 0 to 1e15. A column with an index of labels is read by it.
    known : KnownClasses

    Returns
    -------
    weights : ndarray of shape (n_labels,), float32
    scale : float
        The largest weight, by which they were divided.

    Raises
    ------
    InvalidInputError
        A ValueError and a TypeError, if they are something else.
    """
    n_labels = len(known)
    given = _as_numbers(in_order_of_classes(weights, known, "label_weights"))
    if given.shape != (n_labels,):
        raise InvalidInputError(
            f"label_weights has the shape {given.shape}; expected ({n_labels},), one "
            f"weight for each label."
        )
    strange = ~((given >= 0) & (given <= _MOST))
    if strange.any():
        label = int(np.flatnonzero(strange)[0])
        raise InvalidInputError(
            f"label_weights[{label}] is {given[label]}; expected a number from 0 to "
            f"{_MOST:g}."
        )
    scale = float(given.max(initial=0.0))
    if scale == 0:
        return given.astype(np.float32), 1.0
    return (given / scale).astype(np.float32), scale


def _as_numbers(weights):
    try:
        given = np.asarray(weights)
        if given.dtype.kind in "biufO":
            return given.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise InvalidInputError(f"label_weights must be numbers; got {weights!r:.50}.")
