"""A ranking problem as matrices, and its files, which processes share."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

PARTS = ("X_train", "Y_train", "X_test", "Y_test")


@dataclass(frozen=True)
class Problem:
    """Training and test matrices of one task.

    Attributes
    ----------
    name : str
    X_train, X_test : csr_array or ndarray of float32, (rows, features)
    Y_train, Y_test : csr_array of float32, (rows, labels), ones only
    """

    name: str
    X_train: sp.csr_array | np.ndarray
    Y_train: sp.csr_array
    X_test: sp.csr_array | np.ndarray
    Y_test: sp.csr_array

    def describe(self):
        """Sizes, as they go into the report."""
        rows, features = self.X_train.shape
        stored = getattr(self.X_train, "nnz", self.X_train.size)
        return {
            "train_rows": rows,
            "test_rows": self.X_test.shape[0],
            "features": features,
            "labels": self.Y_train.shape[1],
            "features_per_row": stored / rows,
            "labels_per_row": self.Y_train.nnz / rows,
            "dense": isinstance(self.X_train, np.ndarray),
        }

    def cut(self, rows=None, queries=None):
        """Keep the first training and test rows, and every column."""
        return Problem(
            self.name,
            self.X_train[:rows],
            self.Y_train[:rows],
            self.X_test[:queries],
            self.Y_test[:queries],
        )


def canonical(matrix):
    """Convert to float32 with sorted int32 indices, which every system can read."""
    if isinstance(matrix, np.ndarray):
        return np.ascontiguousarray(matrix, dtype=np.float32)
    matrix = sp.csr_array(matrix, dtype=np.float32)
    matrix.sum_duplicates()
    matrix.indices = matrix.indices.astype(np.int32, copy=False)
    return matrix


def save_problem(problem, folder):
    """Write the four matrices, or texts instead of X, to a new folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        matrix = getattr(problem, part)
        if isinstance(matrix, list):
            text = json.dumps(matrix, ensure_ascii=False)
            (folder / f"{part}.json").write_text(text, encoding="utf-8")
        elif isinstance(matrix, np.ndarray):
            np.save(folder / f"{part}.npy", matrix)
        else:
            sp.save_npz(folder / f"{part}.npz", matrix, compressed=False)
    return folder


def load_problem(folder, name):
    """Read what `save_problem` wrote."""
    folder = Path(folder)
    matrices = []
    for part in PARTS:
        dense = folder / f"{part}.npy"
        if dense.exists():
            matrices.append(np.load(dense))
        else:
            matrices.append(sp.csr_array(sp.load_npz(folder / f"{part}.npz")))
    return Problem(name, *matrices)
