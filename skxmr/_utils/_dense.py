"""Dense rows, with the common interface of compressed ones."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._utils._compressed import Compressed

__all__ = ["DenseRows"]


class DenseRows(NamedTuple):
    """Rows of a dense matrix with mostly non-zero entries, such as embeddings.

    The array is the user's if possible: it is never modified.

    Parameters
    ----------
    values : ndarray of shape (n_vectors, length), float32, C-contiguous
    """

    values: np.ndarray

    @property
    def n_vectors(self):
        """Number of rows."""
        return self.values.shape[0]

    @property
    def length(self):
        """Number of entries of a row."""
        return self.values.shape[1]

    @property
    def sizes(self):
        """Number of stored entries of each row: all."""
        return np.full(self.n_vectors, self.length, dtype=np.int64)

    def to_matrix(self):
        """Return the rows as an array."""
        return self.values

    def to_compressed(self):
        """Copy all non-zeros into compressed rows."""
        return Compressed.from_sparse(sparse.csr_array(self.values))

    def between(self, start, stop):
        """Rows `start` to `stop`, without copying entries."""
        return DenseRows(self.values[start:stop])

    def take(self, vectors):
        """Copy the given rows, in the given order."""
        return DenseRows(self.values[vectors])
