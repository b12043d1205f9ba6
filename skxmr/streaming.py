"""Matrices and rankings in files, for data larger than memory.

`save_csr` writes a sparse matrix to a folder in batches of rows; `load_csr` returns it
as a `scipy.sparse.csr_array` whose arrays are memory-mapped. An estimator is fitted on
such X and y as on any other; X is not copied into memory. `rank_batches` ranks the
labels of one batch of rows after another, and `save_rankings` writes the rankings to
files.
"""

import os
from collections.abc import Iterable, Iterator
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import sparse

from skxmr._base._fitted_clone import detached
from skxmr._inputs._validation import check_k, check_structure
from skxmr._utils._npy import growing_npys
from skxmr._utils._sparse_structure import check_offsets, refuse_sparse, rows_between
from skxmr._utils._typing import Ranking, SomeLabels
from skxmr.ranking import LabelSubset, rank

__all__ = [
    "load_csr",
    "rank_batches",
    "row_batches",
    "save_csr",
    "save_rankings",
]

_MAX_INT32 = np.iinfo(np.int32).max


def row_batches(X: Any, n_rows: int = 10_000) -> Iterator:
    """Iterate over X in batches of consecutive rows.

    Parameters
    ----------
    X : array, sparse matrix or sequence
        A memory-mapped CSR matrix is read batch by batch; other sparse formats are
        converted at once.
    n_rows : int, default=10_000
        Number of rows per batch; the last batch may have fewer.

    Returns
    -------
    iterator
        Slices of X.

    Raises
    ------
    ValueError
        If `n_rows` is not a positive integer.

    See Also
    --------
    rank_batches : Ranks the labels of batches.

    Examples
    --------
    >>> from skxmr.streaming import row_batches
    >>> list(row_batches(["one", "two", "three"], n_rows=2))
    [['one', 'two'], ['three']]
    """
    if isinstance(n_rows, bool) or not isinstance(n_rows, Integral) or n_rows < 1:
        raise ValueError(f"n_rows={n_rows!r} must be a positive integer.")
    n_rows = int(n_rows)
    total = X.shape[0] if hasattr(X, "shape") else len(X)
    take = _rows_of_csr(X) if sparse.issparse(X) else X.__getitem__
    return (take(slice(start, start + n_rows)) for start in range(0, total, n_rows))


def _rows_of_csr(X):
    """Return a function that checks and copies consecutive rows."""
    if X.format == "csr":
        check_offsets(X, "X")
    else:
        X = check_structure(X, "X").tocsr()
    return lambda rows: check_structure(rows_between(X, rows.start, rows.stop), "X")


def rank_batches(
    estimator: Any,
    batches: Iterable,
    k: int = 10,
    *,
    allowed: LabelSubset | SomeLabels | None = None,
    excluded: SomeLabels | None = None,
    unknown: Literal["raise", "ignore"] = "raise",
) -> Iterator[Ranking]:
    """Rank the labels of one batch of rows after another.

    Only one batch and its ranking are in memory at a time.

    Parameters
    ----------
    estimator : object
        As for `skxmr.rank`: a fitted estimator or `Pipeline`. Fitting it again does not
        affect batches that are still to come.
    batches : iterable
        Batches of rows as the estimator's input, see `row_batches`. A few thousand rows
        are a good size; with `n_jobs`, each batch is divided among the workers.
    k : int, default=10
        The number of labels per row.
    allowed, excluded : LabelSubset or iterable of labels, default=None
        The labels to rank, as in `skxmr.rank`; all by default.
    unknown : {"raise", "ignore"}, default="raise"
        Whether labels that the estimator does not know raise an error or are ignored.

    Returns
    -------
    iterator of (columns, scores)
        Arrays of shape (n_rows, k) for each batch, as returned by `skxmr.rank`.

    Raises
    ------
    TypeError
        If the estimator cannot rank.
    ValueError
        If `k` is not a positive integer.

    See Also
    --------
    save_rankings : Writes rankings to files.

    Notes
    -----
    On a Dask cluster, every batch sends the model to the workers, unless it was sent
    before:
    ``with joblib.parallel_config(backend="dask", scatter=classifier.layouts_)``.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.streaming import rank_batches, row_batches
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> classifier = XRLinearClassifier(random_state=0, C=0.01).fit(X, Y)
    >>> for columns, scores in rank_batches(classifier, row_batches(X, 60), k=2):
    ...     print(columns.shape)
    (60, 2)
    (40, 2)
    """
    k = check_k(k, "rank_batches")
    refuse_sparse(batches, "batches", "an iterable of batches of rows")
    estimator = detached(estimator)  # the same fitted state for all batches
    checked = (check_structure(batch, "batches") for batch in batches)
    choice = {"allowed": allowed, "excluded": excluded, "unknown": unknown}
    return (rank(estimator, batch, k, **choice) for batch in checked)


def save_rankings(rankings: Iterable[Ranking], folder: str | os.PathLike) -> int:
    """Write rankings to files, batch by batch.

    Parameters
    ----------
    rankings : iterable of (columns, scores)
        Arrays of shape (n_rows, k) with the same k, as yielded by `rank_batches`.
    folder : str or path-like
        Created if it does not exist. ``columns.npy`` and ``scores.npy`` in it are
        replaced when all rankings are written; read them with
        ``numpy.load(path, mmap_mode="r")``.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    ValueError
        If the batches differ in their number of columns or their dtype, or there are
        none.
    OSError
        If the files cannot be written; earlier files are then unchanged.

    See Also
    --------
    rank_batches : Ranks the labels of batches.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skxmr.streaming import save_rankings
    >>> rankings = [(np.array([[3, 1]]), np.array([[0.9, 0.5]]))] * 3
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     n_rows = save_rankings(rankings, folder)
    ...     np.load(folder + "/columns.npy").shape
    (3, 2)
    """
    refuse_sparse(rankings, "rankings", "an iterable of (columns, scores)")
    with growing_npys(folder, ("columns", "scores")) as (columns, scores):
        for some_columns, some_scores in rankings:
            columns.append(np.asarray(some_columns))
            scores.append(np.asarray(some_scores))
    return len(columns)


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
