"""Types of the public functions."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

__all__ = ["ArrayLike", "Matrix", "MatrixLike", "Ranking", "SomeLabels", "Texts"]

MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix
Matrix: TypeAlias = NDArray | sparse.csr_array | sparse.csr_matrix
Texts: TypeAlias = Iterable[str] | Sequence[str]
SomeLabels: TypeAlias = Iterable | ArrayLike

# Columns (int64) and scores (float), both of shape (n_samples, k).
Ranking: TypeAlias = tuple[NDArray[np.int64], NDArray[np.floating]]
