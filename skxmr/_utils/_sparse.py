"""Selection of the largest entries of sparse rows."""

from itertools import pairwise

import numpy as np
from scipy import sparse

__all__ = ["keep_largest"]


def keep_largest(matrix, n_kept):
    """Keep the largest entries of each row; ties are broken by position."""
    if np.diff(matrix.indptr).max(initial=0) <= n_kept:
        return matrix
    matrix = _drop_smaller(matrix, n_kept)
    matrix.sort_indices()
    sizes = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-matrix.data, rows))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], sizes)
    return _select(matrix, np.sort(order[place < n_kept]))


def _drop_smaller(matrix, n_kept):
    """Drop entries below the smallest that a row keeps, to avoid sorting all."""
    kept = np.ones(len(matrix.data), dtype=bool)
    for start, stop in pairwise(matrix.indptr.tolist()):
        if stop - start > n_kept:
            row = matrix.data[start:stop]
            kept[start:stop] = row >= np.partition(row, -n_kept)[-n_kept]
    return _select(matrix, np.flatnonzero(kept))


def _select(matrix, entries):
    """Make a matrix of some entries of another, in ascending order."""
    offsets = np.searchsorted(entries, matrix.indptr)
    return sparse.csr_array(
        (matrix.data[entries], matrix.indices[entries], offsets), shape=matrix.shape
    )
