"""The arguments of `add_labels` and `remove_labels`."""

from collections.abc import Mapping, Sized

from skxmr._inputs._by_label import (
    Labels,
    LabelTexts,
    fields_by_label,
    labels_of_index,
)
from skxmr._inputs._columns import as_list
from skxmr._inputs._label_choice import check_labels

__all__ = ["read_added_texts", "read_removed"]


def read_added_texts(label_texts, labels, known, is_indicator):
    """Read the texts of labels that are to be added, and the labels.

    Parameters
    ----------
    label_texts : iterable of (str or sequence of str), data frame, mapping or \
            LabelTexts
        As passed by the user. Keys of a mapping, or an index that is not the default
        one, are the labels, or the columns that an indicator gets.
    labels : iterable of labels, or None
        As passed by the user.
    known : KnownClasses
    is_indicator : bool

    Returns
    -------
    fields : LabelFields
        In the order of the columns.
    known : KnownClasses
        With the added labels.

    Raises
    ------
    ValueError, TypeError
        If a text or a label is invalid, if there are no labels although those of y have
        names, or labels although they have not, or if a label is known.
    """
    if isinstance(label_texts, LabelTexts):
        label_texts = label_texts.to_dict()
    if is_indicator:
        if labels is not None:
            raise ValueError(
                "labels must be None: the model was fitted to an indicator, whose "
                "added labels get the next columns."
            )
        fields = fields_by_label(label_texts, _next_columns(label_texts, known))
        return fields, known.with_columns(len(fields.texts))
    if labels is None:
        labels = labels_of_index(label_texts)
    if labels is None:
        raise ValueError(
            "labels is None; expected a class label for each text, as the model was "
            "fitted to class labels."
        )
    labels = as_list(labels, "labels", "a sequence of labels, one for each text")
    _check_lengths(label_texts, labels)
    named = Labels(len(labels), labels, has_numbers=False)
    fields = fields_by_label(label_texts, named)
    return fields, known.with_classes(labels, len(fields.texts))


def _check_lengths(label_texts, labels):
    is_sequence = isinstance(label_texts, Sized) and not isinstance(
        label_texts, str | bytes | Mapping
    )
    if is_sequence and len(label_texts) != len(labels):
        raise ValueError(
            f"label_texts has {len(label_texts)} texts; expected {len(labels)}, one "
            f"for each of labels."
        )


def _next_columns(label_texts, known):
    """Return the labels of texts that get the next columns of an indicator."""
    keys = labels_of_index(label_texts)
    if keys is None:
        return Labels(None)
    columns = list(range(len(known), len(known) + len(keys)))
    return Labels(len(keys), columns, has_numbers=False)


def read_removed(labels, known):
    """Read the labels that are to be removed.

    Parameters
    ----------
    labels : iterable of labels, or of bool of length n_labels
        As passed by the user.
    known : KnownClasses

    Returns
    -------
    columns : ndarray of int64
    known : KnownClasses
        Without them.

    Raises
    ------
    ValueError
        If one is unknown, or was removed before; or if no label would be left.
    """
    columns = check_labels(labels, known, "labels")
    if len(columns) and len(columns) == known.n_alive:
        raise ValueError(
            f"labels holds all of the {known.n_alive} labels; expected to leave at "
            f"least one."
        )
    return columns, known.without(columns)
