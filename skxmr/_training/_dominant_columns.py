"""Detection of columns of X on a much larger scale than all others.

Regularisation treats all features the same, so their scale determines their influence.
With a price of 10,000 next to TF-IDF values, all rows are nearly parallel: training
hardly converges, and the other features have no influence.
"""

import numpy as np

from skxmr._utils._dense import DenseRows

__all__ = ["describe_dominant_columns", "dominant_columns"]

# At most this many columns account for nearly all of the squared length of all rows ...
_MOST_COLUMNS = 3
_SHARE = 0.95
# ... and their entries are this many times as large as those of the median column.
_RATIO = 10


def dominant_columns(X):
    """Find columns that dominate all others.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row

    Returns
    -------
    ndarray of int
        At most three, the largest first; empty if there are none.
    """
    columns = None
    if not isinstance(X, DenseRows) and X.length > len(X.indices):
        # Work must not grow with features that do not occur.
        columns = np.unique(X.indices)
        X = X.keep_indices(columns)
    dominant = _dominant(*_column_squares(X))
    return dominant if columns is None else columns[dominant]


def _dominant(squares, counts):
    used = np.flatnonzero(squares)
    if len(used) < 2:
        return used[:0]
    sizes = np.sqrt(squares[used] / counts[used])
    order = np.argsort(-squares[used], kind="stable")[:_MOST_COLUMNS]
    large = order[sizes[order] > _RATIO * np.median(sizes)]
    if squares[used[large]].sum() < _SHARE * squares.sum():
        return used[:0]
    return used[large]


def _column_squares(X):
    """Compute the sum of squares and the number of non-zeros of each column."""
    if isinstance(X, DenseRows):
        squares = np.einsum("ij,ij->j", X.values, X.values, dtype=np.float64)
        return squares, np.maximum(1, np.count_nonzero(X.values, axis=0))
    squares, counts = np.zeros(X.length), np.zeros(X.length, dtype=np.int64)
    # In blocks: squares need twice the bytes. Each has as many entries as there are
    # columns.
    step = max(2**20, X.length)
    for start in range(0, len(X.indices), step):
        some = slice(start, start + step)
        values = np.square(X.values[some], dtype=np.float64)
        squares += np.bincount(X.indices[some], values, X.length)
        counts += np.bincount(X.indices[some], minlength=X.length)
    return squares, np.maximum(1, counts)


def describe_dominant_columns(X, features):
    """Describe the columns that dominate all others, with advice.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    features : Features

    Returns
    -------
    str
        Empty if there are none.
    """
    columns = dominant_columns(X)
    if not len(columns):
        return ""
    names = columns.tolist()
    if features.names is not None:
        names = [features.names[column] for column in names]
    listed = ", ".join(repr(name) for name in names)
    what = "column" if len(names) == 1 else "columns"
    return (
        f"Entries of {what} {listed} of X are so large that all others hardly count; "
        f"scale X, as by sklearn.preprocessing.MaxAbsScaler or StandardScaler."
    )
