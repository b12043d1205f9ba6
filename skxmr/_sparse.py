"""What SciPy lacks: the largest entries of sparse rows."""

import numpy as np
from scipy import sparse

__all__ = ["keep_largest"]


def keep_largest(matrix, n_kept):
    """Keep the largest entries of each row; of equal ones, those that come first."""
    sizes = np.diff(matrix.indptr)
    if sizes.max(initial=0) <= n_kept:
        return matrix
    matrix.sort_indices()
    rows = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-matrix.data, rows))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], sizes)
    kept = np.sort(order[place < n_kept])
    offsets = np.concatenate([[0], np.cumsum(np.minimum(sizes, n_kept))])
    return sparse.csr_array(
        (matrix.data[kept], matrix.indices[kept], offsets), shape=matrix.shape
    )
