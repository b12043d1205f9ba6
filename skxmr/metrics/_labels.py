"""Labels as column indices."""

import numpy as np
from scipy import sparse

from skxmr._inputs._class_labels import list_target
from skxmr._inputs._named_columns import named_rows

__all__ = ["columns_of_labels", "is_indicator"]


def is_indicator(y):
    """Return whether y is a label indicator and not a column of class labels."""
    if sparse.issparse(y):
        return True
    shape = np.shape(y)
    return len(shape) > 1 and shape[1] != 1


def columns_of_labels(y_true, classes):
    """Look labels up among the classes of an estimator.

    Parameters
    ----------
    y_true : array-like
        Rows of label names, or class labels. An indicator is returned as it came.
    classes : array-like of shape (n_labels,), or None
        The label of each column. None if `y_true` holds no labels, which returns it as
        it came.

    Returns
    -------
    csr_array of shape (n_samples, n_labels or more), or ndarray of shape (n_samples,)
        An indicator, or column indices. Each label that is not among the classes gets
        a further column.
    """
    if classes is None:
        return y_true
    known = list_target(classes, "classes")
    column_of = {label: column for column, label in enumerate(known)}
    if len(column_of) < len(known):
        raise ValueError("classes has a label more than once.")
    rows, y_true = named_rows(y_true, "y_true")
    if rows is not None:
        return rows.columns_of(column_of)
    if is_indicator(y_true):
        return y_true
    labels = list_target(y_true, "y_true")
    columns = (column_of.setdefault(label, len(column_of)) for label in labels)
    return np.fromiter(columns, dtype=np.int64, count=len(labels))
