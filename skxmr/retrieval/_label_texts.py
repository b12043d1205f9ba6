"""Label texts as additional training rows."""

from __future__ import annotations

from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_random_state

from skxmr._inputs._class_labels import concatenate_labels
from skxmr._inputs._columns import InvalidInputError
from skxmr._inputs._label_fields import is_blank
from skxmr._inputs._target_kinds import indicator_pattern
from skxmr._utils._packed_texts import joined
from skxmr.text._pieces import draw_pieces

__all__ = [
    "OwnRows",
    "check_field_weights",
    "make_own_rows",
    "with_own_rows",
]

_MAX_INT32 = np.iinfo(np.int32).max


class OwnRows(NamedTuple):
    """Training rows made of label texts.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,), int64
        The label of each row.
    texts : list of str
    weights : ndarray of shape (n_rows,), float64
        The relevance of the label for the row.
    """

    labels: NDArray
    texts: list
    weights: NDArray


def check_field_weights(weight, n_fields=None):
    """Return the weight of each field.

    Parameters
    ----------
    weight : float or sequence of float
        One for all fields, or one for each.
    n_fields : int or None, default=None
        None if it is not known.

    Returns
    -------
    ndarray of shape (n_fields,), float64

    Raises
    ------
    InvalidInputError
        A ValueError and a TypeError, if a weight is not a positive number, or the
        number of weights is not that of the fields.
    """
    if isinstance(weight, Real):
        return np.full(n_fields or 0, float(weight))
    if np.ndim(weight) != 1:
        raise InvalidInputError(
            f"label_text_weight must be a number, or a sequence of one for each field; "
            f"got {weight!r:.50}."
        )
    for position, one in enumerate(weight):
        is_number = isinstance(one, Real) and not isinstance(one, (bool, np.bool_))
        if not (is_number and 0 < one < float("inf")):
            raise InvalidInputError(
                f"label_text_weight[{position}] must be a positive number; got "
                f"{one!r:.50}."
            )
    if n_fields is not None and len(weight) != n_fields:
        raise InvalidInputError(
            f"label_text_weight has {len(weight)} weights; expected {n_fields}, one "
            f"for each field of label_texts."
        )
    return np.array(weight, dtype=np.float64)


def make_own_rows(fields, weight, n_pieces, seed):
    """Make rows of the non-blank texts of labels, and of pieces of them.

    Parameters
    ----------
    fields : LabelFields
    weight : float or sequence of float
        The relevance of a label for its texts and their pieces.
    n_pieces : int
        The number of pieces that are drawn per label.
    seed : int or None
        None for a random seed.

    Returns
    -------
    OwnRows
        The texts of all labels, followed by the pieces of all.

    Raises
    ------
    InvalidInputError
        As in `check_field_weights`.
    """
    weights = check_field_weights(weight, fields.n_fields)
    labels, of_fields, texts = [], [], []
    for label, field, text in _own_texts(fields, n_pieces, seed):
        labels.append(label)
        of_fields.append(field)
        texts.append(text)
    return OwnRows(
        np.array(labels, dtype=np.int64),
        texts,
        weights[np.array(of_fields, dtype=np.int64)],
    )


def _own_texts(fields, n_pieces, seed):
    """Yield the label, the field and the text of each row."""
    for label, texts in enumerate(fields.texts):
        for field, text in enumerate(texts):
            if not is_blank(text):
                yield label, field, text
    if n_pieces:
        if seed is None:
            seed = int(check_random_state(None).randint(_MAX_INT32))
        yield from draw_pieces(fields.texts, n_pieces, seed)


def with_own_rows(texts, y, own, classes, relevance):
    """Append the rows made of label texts.

    Parameters
    ----------
    texts : list of str
    y : indicator of shape (n_samples, n_labels), or class labels
    own : OwnRows
    classes : ndarray of shape (n_labels,), or None
        For class labels, as returned by `read_label_texts`.
    relevance : sparse matrix, array-like or None
        For the labels of `texts`.

    Returns
    -------
    texts : list of str
    y : as it came
    relevance : csr_array, ndarray or None
        None if all weights are 1.

    Raises
    ------
    ValueError
        If relevance and y have different shapes.
    """
    shape = np.shape(y)
    if relevance is not None and np.shape(relevance) not in (shape, shape[:1]):
        raise ValueError(
            f"relevance has the shape {np.shape(relevance)}; expected that of y, "
            f"{shape}, or {shape[:1]}, one weight for each text."
        )
    texts = joined(texts, own.texts)
    are_weighed = relevance is not None or (own.weights != 1).any()
    if classes is not None:
        weights = _row_weights(relevance, shape[0], own) if are_weighed else None
        return texts, concatenate_labels(y, classes[own.labels], "y"), weights
    offsets = np.arange(len(own.labels) + 1)
    added = sparse.csr_array(
        (own.weights, own.labels, offsets), shape=(len(own.labels), shape[1])
    )
    weights = _label_weights(relevance, y, added) if are_weighed else None
    pattern = sparse.csr_array(
        (np.ones(added.nnz, dtype=np.int8), added.indices, added.indptr), added.shape
    )
    if sparse.issparse(y):
        y = sparse.vstack([y, pattern.astype(y.dtype)], format="csr")
    else:
        y = np.vstack([y, pattern.toarray()])
    return texts, y, weights


def _row_weights(relevance, n_rows, own):
    given = np.ones(n_rows) if relevance is None else np.asarray(relevance)
    return np.concatenate([given, own.weights])


def _label_weights(relevance, y, added):
    if not np.shape(y)[0]:
        relevance = sparse.csr_array(np.shape(y))
    elif relevance is None:
        relevance = indicator_pattern(y)
    elif np.ndim(relevance) == 1:
        of_rows = np.asarray(relevance, dtype=np.float64)
        pattern = indicator_pattern(y)
        weights = np.repeat(of_rows, np.diff(pattern.indptr))
        relevance = sparse.csr_array(
            (weights, pattern.indices, pattern.indptr), shape=pattern.shape
        )
    given = sparse.csr_array(relevance, dtype=np.float64)
    return sparse.vstack([given, added], format="csr")
