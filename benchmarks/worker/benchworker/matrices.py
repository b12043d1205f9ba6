"""Reading of the matrices and texts that processes share."""

import json
from pathlib import Path

import numpy as np
import scipy.sparse as sp


def read(folder, part):
    """Read a dense array, a csr_matrix, as older systems need it, or strings."""
    texts = Path(folder, f"{part}.json")
    if texts.exists():
        return np.array(json.loads(texts.read_text(encoding="utf-8")), dtype=object)
    dense = Path(folder, f"{part}.npy")
    if dense.exists():
        return np.load(dense)
    matrix = sp.csr_matrix(sp.load_npz(Path(folder, f"{part}.npz")))
    matrix.has_sorted_indices = True
    return matrix


def row_slice(X, row):
    """One row of a sparse matrix as (indices, values)."""
    start, end = X.indptr[row : row + 2]
    return X.indices[start:end], X.data[start:end]


def best_columns(scores, k):
    """Columns of the k largest entries of each CSR row, ties by column, else -1."""
    scores = sp.csr_matrix(scores)
    n = scores.shape[0]
    rows = np.repeat(np.arange(n), np.diff(scores.indptr))
    order = np.lexsort((scores.indices, -scores.data, rows))
    rank = np.arange(len(rows)) - scores.indptr[rows]
    kept = rank < k
    columns = np.full((n, k), -1, dtype=np.int64)
    columns[rows[kept], rank[kept]] = scores.indices[order][kept]
    return columns
