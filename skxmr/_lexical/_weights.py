"""Weights of fields and of labels."""

from numbers import Real

import numpy as np

from skxmr._inputs._columns import InvalidInputError
from skxmr._lexical._building import TRAINING

__all__ = ["check_field_weights", "check_label_weights"]


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
        A ValueError and a TypeError, if a weight is negative or not a finite number, if
        all are 0, or if their number is wrong.
    """
    if weights is None:
        return np.ones(len(field_names))
    if np.ndim(weights) != 1:
        raise InvalidInputError(
            f"field_weights must be a sequence of numbers; got {weights!r:.50}."
        )
    for position, one in enumerate(weights):
        is_number = isinstance(one, Real) and not isinstance(one, (bool, np.bool_))
        if not (is_number and 0 <= one < float("inf")):
            raise InvalidInputError(
                f"field_weights[{position}] must be a number of 0 or more; got "
                f"{one!r:.50}."
            )
    given = np.array(weights, dtype=np.float64)
    n_of_labels = sum(name != TRAINING for name in field_names)
    if n_of_labels < len(field_names) and len(given) == n_of_labels:
        given = np.append(given, 1.0)
    if len(given) != len(field_names):
        raise InvalidInputError(
            f"field_weights has {len(given)} weights; expected {len(field_names)}, for "
            f"the fields {', '.join(field_names)}."
        )
    if not given.any():
        raise InvalidInputError("field_weights are all 0; expected a positive one.")
    return given


def check_label_weights(weights, n_labels):
    """Return weights of labels from 0 to 1, and their scale.

    Parameters
    ----------
    weights : array-like of shape (n_labels,)
        Numbers of 0 or more.
    n_labels : int

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
    try:
        given = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"label_weights must be numbers; got {weights!r:.50}."
        ) from error
    if given.shape != (n_labels,):
        raise InvalidInputError(
            f"label_weights has the shape {given.shape}; expected ({n_labels},), one "
            f"weight for each label."
        )
    strange = ~(np.isfinite(given) & (given >= 0))
    if strange.any():
        label = int(np.flatnonzero(strange)[0])
        raise InvalidInputError(
            f"label_weights[{label}] is {given[label]}; expected a finite number of 0 "
            f"or more."
        )
    scale = float(given.max(initial=0.0))
    if scale == 0:
        return given.astype(np.float32), 1.0
    return (given / scale).astype(np.float32), scale
