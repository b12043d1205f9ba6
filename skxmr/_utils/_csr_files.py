"""Sparse matrices in files, written in batches of rows and memory-mapped."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import sparse

from skxmr._memory._large import is_mapped
from skxmr._utils._npy import growing_npys
from skxmr._utils._sparse_structure import check_structure, refuse_sparse

__all__ = ["load_csr", "save_csr", "take_rows_beside", "temporary_csr"]

_MAX_INT32 = np.iinfo(np.int32).max
# Rows that are copied at a time.
_N_ROWS = 10_000


def save_csr(batches: Iterable, folder: str | os.PathLike) -> tuple[int, int]:
    """Write a sparse matrix to a folder in batches of rows.

    Parameters
    ----------
    batches : iterable of sparse matrix of shape (any, n_columns)
        Consecutive rows of the same dtype: float32 for features, which estimators do
        not copy, and a small dtype such as int8 for an indicator. Pass ``[matrix]`` to
        write a whole matrix.
    folder : str or path-like
        Created if it does not exist. ``data.npy``, ``indices.npy``, ``indptr.npy`` and
        ``shape.npy`` in it, the arrays of a CSR matrix, are replaced when all rows are
        written.

    Returns
    -------
    tuple of int
        The shape of the matrix.

    Raises
    ------
    ValueError
        If the batches differ in their number of columns or their dtype, or there are
        none.
    OSError
        If the files cannot be written; earlier files are then unchanged.

    See Also
    --------
    load_csr : Memory-maps the files.
    skxmr.datasets.load_xmc : Reads the text format of the XMC repository.

    Notes
    -----
    Column indices are int32, that is 8 bytes per entry together with float32 values.
    From 2**31 entries on they are int64, because SciPy requires the same dtype for
    indices and offsets.

    Examples
    --------
    >>> import tempfile
    >>> from scipy.sparse import random_array
    >>> from skxmr.streaming import load_csr, row_batches, save_csr
    >>> X = random_array((1000, 50), format="csr", dtype="float32")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_csr(row_batches(X, 300), folder)
    ...     (load_csr(folder) != X).nnz
    (1000, 50)
    0
    """
    refuse_sparse(batches, "batches", "an iterable of batches of rows")
    names = ("data", "indices", "indptr", "shape")
    with growing_npys(folder, names) as (data, indices, indptr, shape):
        indptr.append(np.zeros(1, dtype=np.int64))
        n_columns = None
        for batch in batches:
            rows = _canonical(batch, n_columns)
            n_columns = rows.shape[1]
            indptr.append(rows.indptr[1:].astype(np.int64) + len(data))
            data.append(rows.data)
            indices.append(rows.indices.astype(np.int32, copy=False))
        if len(data) > _MAX_INT32:
            indices.widen(np.int64)
        n_rows = len(indptr) - 1
        shape.append(np.array([n_rows, n_columns or 0], dtype=np.int64))
    return n_rows, n_columns or 0


def _canonical(batch, n_columns):
    """Convert a batch to CSR with sorted columns and without duplicates."""
    if not sparse.issparse(batch):
        raise TypeError(
            f"batches must yield sparse matrices; got a {type(batch).__name__}."
        )
    rows = sparse.csr_array(check_structure(batch, "batches"))
    if n_columns not in (None, rows.shape[1]):
        raise ValueError(
            f"A batch has {rows.shape[1]} columns; expected {n_columns}, as before."
        )
    if rows.shape[1] > _MAX_INT32:
        raise ValueError(
            f"A batch has {rows.shape[1]} columns; expected {_MAX_INT32} at most."
        )
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def load_csr(
    folder: str | os.PathLike, *, mmap_mode: Literal["r", "c"] | None = "r"
) -> sparse.csr_array:
    """Open a matrix written by `save_csr`.

    Parameters
    ----------
    folder : str or path-like
        The folder of its files.
    mmap_mode : {"r", "c"}, default="r"
        "r" memory-maps the entries: they are read when they are needed, and the system
        may evict them from memory. "c" allows changes in memory only. None reads all
        entries.

    Returns
    -------
    csr_array of shape (n_rows, n_columns)

    Raises
    ------
    OSError
        If a file is missing or cannot be read.
    ValueError
        If the files are not consistent with each other.

    See Also
    --------
    save_csr : Writes the files.

    Examples
    --------
    >>> import tempfile
    >>> from scipy.sparse import eye_array
    >>> from skxmr.streaming import load_csr, save_csr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shape = save_csr([eye_array(3, format="csr", dtype="float32")], folder)
    ...     load_csr(folder)[2].toarray().tolist()
    [0.0, 0.0, 1.0]
    """
    if mmap_mode not in (None, "r", "c"):
        raise ValueError(f"mmap_mode={mmap_mode!r} must be 'r', 'c' or None.")
    folder = Path(folder)
    data, indices = (
        np.load(folder / f"{name}.npy", mmap_mode=mmap_mode)
        for name in ("data", "indices")
    )
    indptr, shape = (np.load(folder / f"{name}.npy") for name in ("indptr", "shape"))
    whole = (
        shape.shape == (2,)
        and len(indptr) == shape[0] + 1
        and indptr[-1] == len(data) == len(indices)
    )
    if not whole:
        raise ValueError(
            f"The files in {folder} are not consistent: {len(indptr) - 1} rows of "
            f"{indptr[-1]} entries, of which there are {len(data)} with "
            f"{len(indices)} columns; the shape is {shape.tolist()}."
        )
    return sparse.csr_array(
        (data, indices, indptr.astype(indices.dtype)), shape=tuple(shape.tolist())
    )


def temporary_csr(batches: Iterable) -> sparse.csr_array:
    """Write a matrix to temporary files, and open it.

    Parameters
    ----------
    batches : iterable of sparse matrix
        As for `save_csr`.

    Returns
    -------
    csr_array
        Memory-mapped. The files are in the folder of Python's `tempfile`, and deleted
        with the matrix.
    """
    folder = tempfile.mkdtemp(prefix="skxmr-")
    try:
        save_csr(batches, folder)
        matrix = load_csr(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    entries = matrix.data
    while isinstance(entries, np.ndarray) and entries.base is not None:
        entries = entries.base
    # Of the map, which lives as long as any view of the entries.
    weakref.finalize(entries, shutil.rmtree, folder, ignore_errors=True)
    return matrix


def take_rows_beside(matrix, rows):
    """Return some rows of a CSR matrix, in temporary files if the matrix is mapped.

    Parameters
    ----------
    matrix : csr_array or csr_matrix
    rows : ndarray of int64
    """
    if not is_mapped(matrix.data):
        return matrix[rows]
    return temporary_csr(
        matrix[rows[start : start + _N_ROWS]]
        for start in range(0, max(1, len(rows)), _N_ROWS)
    )
