"""Writer of the Extreme Classification Repository's text format."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.datasets import dump_svmlight_file
from sklearn.utils import check_array

from skxmr._inputs._validation import check_structure
from skxmr._utils._compressed import Compressed
from skxmr._utils._files import replacing
from skxmr._utils._typing import MatrixLike
from skxmr.datasets._xmc import LARGEST_COLUMN_COUNT

__all__ = ["dump_xmc"]

# The approximate number of entries that are copied at a time.
BLOCK_ENTRIES = 1 << 16


def dump_xmc(
    X: MatrixLike,
    Y: MatrixLike,
    path: str | bytes | os.PathLike,
    *,
    zero_based: bool = True,
) -> None:
    r"""Write a data set in the Extreme Classification Repository's text format.

    After the header line, rows are written by
    :func:`sklearn.datasets.dump_svmlight_file`. `load_xmc` describes the format, and
    reads back the same float32 values. An existing file is only replaced when the new
    one is complete.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_rows, n_features)
        Finite numbers, rounded to float32. Stored zeros are written.
    Y : {array-like, sparse matrix} of shape (n_rows, n_labels)
        The indicator of the labels: zeros and ones.
    path : str, bytes or path-like
        The file to write. Compressed if its name ends in ``.gz``, ``.bz2`` or
        ``.xz``.
    zero_based : bool, default=True
        Whether to number columns from 0, as in the repository, or from 1.

    Raises
    ------
    ValueError
        If X has values that are NaN or not finite as float32, if Y is not an indicator
        matrix, if their numbers of rows differ, or if one has 2**31 or more columns.
    OSError
        If the file cannot be written.

    See Also
    --------
    load_xmc : Reads this format.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skxmr.datasets import dump_xmc
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "train.txt")
    ...     dump_xmc([[0, 0.5], [0.1, 0]], [[1, 0, 1], [0, 0, 0]], path)
    ...     path.read_text()
    '2 2 3\n0,2 1:0.5\n 0:0.1\n'
    """
    X, Y = _as_features(X), _as_indicator(Y)
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"X and Y must have the same number of rows, got {X.shape[0]} and "
            f"{Y.shape[0]}"
        )
    header = f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}\n"
    name = os.fsdecode(path)
    with replacing(name) as raw, _compressing(raw, name) as file:
        file.write(header.encode())
        _write_rows(file, X, Y, zero_based=zero_based)


def _as_features(X):
    """Check X, and convert it to a canonical CSR array of float32, not in place."""
    X = _as_canonical_csr(X, "X")
    with np.errstate(over="ignore"):
        X = X.astype(np.float32, copy=False)
    if not np.isfinite(X.data).all():
        raise ValueError("X has values beyond the range of float32")
    return X


def _as_indicator(Y):
    """Check Y, and convert it to a canonical CSR array of ones, not in place."""
    Y = _as_canonical_csr(Y, "Y")
    if not np.isin(Y.data, (0, 1)).all():
        raise ValueError("Y must be an indicator matrix of zeros and ones")
    if Y.data.all():
        return Y
    Y = Y.copy()
    Y.eliminate_zeros()
    return Y


def _as_canonical_csr(matrix, name):
    """Check a matrix, and convert it to a CSR array, sorted and without duplicates."""
    # scikit-learn checks the sum of the entries, which may overflow or be inf - inf.
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = check_array(
            check_structure(matrix, name),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name=name,
        )
    if matrix.shape[1] > LARGEST_COLUMN_COUNT:
        raise ValueError(
            f"{name} must have at most {LARGEST_COLUMN_COUNT} columns, got "
            f"{matrix.shape[1]}"
        )
    matrix = sparse.csr_array(matrix)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def _write_rows(file, X, Y, *, zero_based):
    """Write rows in blocks, since each block is copied."""
    features, labels = Compressed.from_sparse(X), Compressed.from_sparse(Y)
    n_entries = features.offsets + labels.offsets
    starts = np.searchsorted(n_entries, np.arange(0, n_entries[-1], BLOCK_ENTRIES))
    for start, end in pairwise(np.unique([0, *starts, X.shape[0]]).tolist()):
        block = _block(features, start, end)
        block.data = _shorten(block.data)
        # scikit-learn applies zero_based to the features only.
        dump_svmlight_file(
            block,
            _block(labels, start, end, shift=0 if zero_based else 1),
            file,
            zero_based=zero_based,
            multilabel=True,
        )


def _block(rows, start, end, *, shift=0):
    """Copy some rows, as scikit-learn wants them: writable, int32, with a column."""
    first, last = rows.offsets[start], rows.offsets[end]
    indices = rows.indices[first:last] + np.int32(shift)
    offsets = (rows.offsets[start : end + 1] - first).astype(np.int32)
    shape = end - start, int(indices.max(initial=0)) + 1
    return sparse.csr_array((rows.values[first:last], indices, offsets), shape=shape)


def _shorten(values):
    """Convert float32 to float64 with as few digits as read back as the same float32.

    scikit-learn writes 16 digits, which would be 0.1000000014901161 instead of 0.1.
    """
    exact = values.astype(np.float64)
    shortest = exact
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exponents = np.floor(np.log10(np.abs(exact)))
        for n_digits in (9, 8, 7, 6):
            scale = 10.0 ** (n_digits - 1 - exponents)
            rounded = np.rint(exact * scale) / scale
            is_same = rounded.astype(np.float32) == values
            shortest = np.where(is_same, rounded, shortest)
    return shortest


def _compressing(raw, name):
    """Wrap a file for the compression that the suffix of its name stands for."""
    match Path(name).suffix.lower():
        case ".gz":
            # Without name and time: equal data give equal bytes.
            return gzip.GzipFile("", "wb", 6, raw, mtime=0)
        case ".bz2":
            return bz2.open(raw, "wb")
        case ".xz":
            return lzma.open(raw, "wb")
    return nullcontext(raw)
