"""Blocks of rows, to bound the memory of work on many rows."""

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse

from skxmr._inputs._validation import check_structure, take_rows

__all__ = ["RowBlocks", "split_by_size", "split_by_sizes", "with_rows"]

# Entries of a block per worker: 8 MB of column indices and scores.
_ENTRIES = 2**19


def split_by_size(n_rows, row_size, n_jobs=None):
    """Divide rows into consecutive slices of a bounded number of entries.

    Parameters
    ----------
    n_rows : int
    row_size : int
        The number of entries per row while its block is processed.
    n_jobs : int or None, default=None
        Blocks grow with the number of workers that share one.

    Returns
    -------
    list of slice
        At least one, even if there are no rows.
    """
    step = max(1, _ENTRIES * effective_n_jobs(n_jobs) // max(1, row_size))
    starts = range(0, max(1, n_rows), step)
    return [slice(start, min(start + step, n_rows)) for start in starts]


def split_by_sizes(sizes):
    """Divide rows of different numbers of entries into consecutive slices.

    Parameters
    ----------
    sizes : ndarray of shape (n_rows,), int64
        Entries of each row. A block, padded to its longest row, is within the bound, or
        is a single row.

    Yields
    ------
    slice
    """
    waiting = [slice(0, len(sizes))]
    while waiting:
        rows = waiting.pop()
        n_rows = rows.stop - rows.start
        if n_rows > 1 and n_rows * sizes[rows].max() > _ENTRIES:
            middle = rows.start + n_rows // 2
            waiting += [slice(middle, rows.stop), slice(rows.start, middle)]
        else:
            yield rows


class RowBlocks:
    """The input of an estimator, divided into blocks of rows.

    Parameters
    ----------
    X : array-like, data frame, sparse matrix or iterable
        An iterable without a length is converted to a list. Input without rows, such as
        a single string, is one block, for which the estimator raises an error.
    """

    def __init__(self, X):
        X = check_structure(X, "X")
        if not hasattr(X, "shape") and not hasattr(X, "__len__"):
            X = np.asarray(X) if hasattr(X, "__array__") else list(X)
        self._X = X
        self.n_rows = _count_rows(X)

    def split(self, row_size):
        """Yield the blocks.

        Parameters
        ----------
        row_size : int
            As in `split_by_size`.

        Yields
        ------
        The same kind of data; `X` itself if it is a single block.
        """
        slices = split_by_size(self.n_rows, row_size)
        if len(slices) == 1:
            yield self._X
            return
        X = self._X.tocsr() if sparse.issparse(self._X) else self._X
        for rows in slices:
            yield take_rows(X, rows)


def with_rows(X):
    """Convert X to something whose rows can be selected.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix

    Returns
    -------
    The same kind of data; a sparse matrix as CSR, other objects as an ndarray.
    """
    if sparse.issparse(X):
        return X.tocsr()
    return X if hasattr(X, "__getitem__") else np.asarray(X)


def _count_rows(X):
    if isinstance(X, str):
        return 1
    shape = getattr(X, "shape", None)
    if shape is None:
        return len(X)
    return shape[0] if len(shape) else 1
