"""The texts of the labels of a target."""

import numpy as np
from scipy import sparse

from skxmr._inputs._by_label import (
    Labels,
    LabelTexts,
    fields_by_label,
    labels_of_index,
)
from skxmr._inputs._class_labels import concatenate_labels, exact_labels
from skxmr._inputs._label_fields import is_blank, name_of
from skxmr._inputs._validation import column_or_1d

__all__ = ["read_label_texts"]


def read_label_texts(label_texts, y, names=None):
    """Read the texts of each label.

    Parameters
    ----------
    label_texts : iterable, data frame, mapping or LabelTexts
        As passed by the user.
    y : indicator of shape (n_samples, n_labels), or ndarray of class labels
        As returned by `exact_target`.
    names : ndarray of shape (n_labels,), default=None
        The names of the columns of an indicator, as `read_columns` returns them.

    Returns
    -------
    fields : LabelFields
        In the order of the labels.
    y : as it came, or ndarray of shape (n_samples,)
        Class labels in a single column become a vector; an indicator made of rows of
        names gets columns for labels without rows.
    classes : ndarray of shape (n_labels,), or None
        The classes of class labels, ascending, including those without rows that have a
        text in `LabelTexts`, or in a mapping if there are no rows at all; the same for
        rows of names.

    Raises
    ------
    ValueError, TypeError
        If a label has no text, a text has no label, or the order is arbitrary.
    """
    if y is None:
        raise ValueError(
            "The labels of label_texts need y to be passed, but the target y is None."
        )
    shape = np.shape(y)
    # Without rows there are no class labels in a column: it is that of one label.
    if not sparse.issparse(y) and len(shape) == 2 and shape[1] == 1 and shape[0]:
        y = column_or_1d(y, warn=True)
    if names is not None and sparse.issparse(y):
        return _of_named_rows(label_texts, y, names)
    if len(shape) == 2 and np.ndim(y) == 2:
        return fields_by_label(label_texts, Labels.of_indicator(y)), y, None
    classes = np.unique(y)
    if not shape[0] and labels_of_index(label_texts) is not None:
        label_texts = LabelTexts(label_texts)  # nothing but the texts has labels
    if isinstance(label_texts, LabelTexts):
        classes = _with_classes_of(label_texts, classes)
    labels = Labels.of_classes(classes, shape[0])
    return fields_by_label(label_texts, labels), y, classes


def _of_named_rows(label_texts, y, names):
    classes = names
    if isinstance(label_texts, LabelTexts):
        classes = _with_classes_of(label_texts, names)
        columns = np.searchsorted(classes, names)
        shape = y.shape[0], len(classes)
        y = sparse.csr_array((y.data, columns[y.indices], y.indptr), shape=shape)
    labels = Labels.of_classes(classes, y.shape[0])
    return fields_by_label(label_texts, labels), y, classes


def _with_classes_of(label_texts, classes):
    """Add the classes without rows that have a text."""
    fields = label_texts._fields().items()
    named = [label for label, texts in fields if not is_blank(name_of(texts))]
    if not named:
        return classes
    named = exact_labels(named, "label_texts")
    return np.unique(concatenate_labels(classes, named, "y with label_texts"))
