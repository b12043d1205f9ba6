"""Compressed sparse rows or columns with the index dtypes of the kernels."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._memory._large import empty_beside

__all__ = ["Compressed"]


class Compressed(NamedTuple):
    """Vectors of a sparse matrix (its rows in CSR, its columns in CSC).

    In SciPy's arrays, offsets and indices have the same dtype; kernels use int64
    offsets and int32 indices for all sizes.

    Parameters
    ----------
    offsets : ndarray of shape (n_vectors + 1,), int64
    indices : ndarray of shape (nnz,), int32
    values : ndarray of shape (nnz,), float32
    length : int
        The number of entries of a vector, stored or not.
    """

    offsets: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    length: int

    @classmethod
    def from_sparse(cls, matrix):
        """Wrap a CSR (rows) or CSC (columns) array; copies only to change dtypes."""
        return cls(
            offsets=np.ascontiguousarray(matrix.indptr, dtype=np.int64),
            indices=_as_type(matrix.indices, np.int32),
            values=_as_type(matrix.data, np.float32),
            length=matrix.shape[1] if matrix.format == "csr" else matrix.shape[0],
        )

    def to_matrix(self):
        """Return the vectors as the rows of a matrix."""
        return self.to_csr()

    def to_csr(self):
        """Return the vectors as the rows of a CSR array, without copying entries."""
        # SciPy would convert the indices to the dtype of the offsets.
        fits = self.offsets[-1] <= np.iinfo(np.int32).max
        offsets = self.offsets.astype(np.int32) if fits else self.offsets
        return sparse.csr_array(
            (self.values, self.indices, offsets),
            shape=(self.n_vectors, self.length),
        )

    @property
    def n_vectors(self):
        """Number of vectors."""
        return len(self.offsets) - 1

    @property
    def sizes(self):
        """Number of stored entries of each vector."""
        return np.diff(self.offsets)

    def between(self, start, stop):
        """Vectors `start` to `stop`, without copying entries."""
        first, last = self.offsets[start], self.offsets[stop]
        return Compressed(
            self.offsets[start : stop + 1] - first,
            self.indices[first:last],
            self.values[first:last],
            self.length,
        )

    def take(self, vectors):
        """Copy the given vectors, in the given order."""
        sizes = self.sizes[vectors]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        entries = np.arange(offsets[-1]) + np.repeat(
            self.offsets[vectors] - offsets[:-1], sizes
        )
        return Compressed(
            offsets, self.indices[entries], self.values[entries], self.length
        )

    def keep_indices(self, kept):
        """Renumber the indices by position in `kept`, which contains all of them."""
        return Compressed(
            self.offsets,
            np.searchsorted(kept, self.indices).astype(np.int32),
            self.values,
            len(kept),
        )


def _as_type(array, dtype):
    """Convert a vector to a dtype; the copy of a memory-mapped one is in a file too."""
    if array.dtype == dtype:
        return np.ascontiguousarray(array)
    copy = empty_beside(array, len(array), dtype)
    copy[:] = array
    return copy
