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


def columns_of_labels(y, classes, name="y_true"):
    """Look labels up among the classes of an estimator.

    Parameters
    ----------
    y : array-like
        Rows of label names, or class labels. An indicator is returned as it came.
    classes : array-like of shape (n_labels,), or None
        The label of each column. None if `y` holds no labels, which returns it as it
        came.
    name : str, default="y_true"
        What to call it in messages.

    Returns
    -------
    csr_array of shape (n_samples, n_labels or more), or ndarray of shape (n_samples,)
        An indicator, or column indices. Each label that is not among the classes gets
        a further column.
    """
    if classes is None:
        return y
    known = list_target(classes, "classes")
    column_of = {label: column for column, label in enumerate(known)}
    if len(column_of) < len(known):
        raise ValueError("classes has a label more than once.")
    rows, y = named_rows(y, name)
    if rows is not None:
        return rows.columns_of(column_of)
    if is_indicator(y):
        return y
    labels = list_target(y, name)
    columns = (column_of.setdefault(label, len(column_of)) for label in labels)
    return np.fromiter(columns, dtype=np.int64, count=len(labels))
