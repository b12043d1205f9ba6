"""Matrices, texts and rankings in files, for data larger than memory.

`save_csr` writes a sparse matrix to a folder in batches of rows; `load_csr` returns it
as a `scipy.sparse.csr_array` whose arrays are memory-mapped. An estimator is fitted on
such X and y as on any other; X is not copied into memory. `save_texts` and `load_texts`
do the same for texts, to which a `TextRetriever` is fitted. `rank_batches` ranks the
labels of one batch of rows after another, and `save_rankings` writes the rankings to
files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import sparse

from skxmr._base._fitted_clone import detached
from skxmr._inputs._documents import iterate_documents
from skxmr._inputs._validation import check_k, check_structure
from skxmr._utils._csr_files import load_csr, save_csr
from skxmr._utils._npy import growing_npys
from skxmr._utils._packed_texts import PackedTexts
from skxmr._utils._sparse_structure import check_offsets, refuse_sparse, rows_between
from skxmr._utils._typing import Ranking, SomeLabels, Texts
from skxmr.ranking import LabelSubset, rank

__all__ = [
    "load_csr",
    "load_texts",
    "rank_batches",
    "row_batches",
    "save_csr",
    "save_rankings",
    "save_texts",
]

# Texts that are written at a time.
_N_TEXTS = 4096


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


def save_texts(texts: Texts, folder: str | os.PathLike) -> int:
    """Write texts to a folder, one after another.

    Parameters
    ----------
    texts : iterable of str
        Such as a generator, or an open text file with a text per line. Read once; only
        a few thousand are in memory at a time.
    folder : str or path-like
        Created if it does not exist. ``text.npy``, all texts in UTF-8, and
        ``offsets.npy`` in it are replaced when all texts are written.

    Returns
    -------
    int
        The number of texts.

    Raises
    ------
    ValueError, TypeError
        If `texts` is a single string, or one of the texts is not a string; earlier
        files are then unchanged.
    OSError
        If the files cannot be written; earlier files are then unchanged.

    See Also
    --------
    load_texts : Memory-maps the files.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr.streaming import load_texts, save_texts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_texts((f"text {i}" for i in range(1000)), folder)
    ...     load_texts(folder)[998:]
    1000
    ['text 998', 'text 999']
    """
    given = iterate_documents(texts, "texts")
    with growing_npys(folder, ("text", "offsets")) as (text, offsets):
        text.append(np.empty(0, dtype=np.uint8))
        offsets.append(np.zeros(1, dtype=np.int64))
        while some := list(islice(given, _N_TEXTS)):
            packed = PackedTexts.of(some)
            offsets.append(packed.offsets[1:] + len(text))
            text.append(packed.text)
    return len(offsets) - 1


def load_texts(folder: str | os.PathLike) -> PackedTexts:
    """Open texts written by `save_texts`.

    Parameters
    ----------
    folder : str or path-like
        The folder of their files.

    Returns
    -------
    sequence of str
        Memory-mapped: texts are read and decoded when they are accessed, and it can be
        iterated over any number of times. Vectorizers read it in blocks.
        `TextRetriever.fit` and `LexicalRanker.fit` also write what they make of the
        texts, features and counts, to temporary files.

    Raises
    ------
    OSError
        If a file is missing or cannot be read.
    ValueError
        If the files are not consistent with each other.

    See Also
    --------
    save_texts : Writes the files.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import WordNgramTfidf
    >>> from skxmr.streaming import load_texts, save_texts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     n_texts = save_texts(["a red apple", "green tea"], folder)
    ...     WordNgramTfidf().fit_transform(load_texts(folder)).shape
    (2, 4)
    """
    folder = Path(folder)
    text, offsets = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("text", "offsets")
    )
    whole = (
        text.dtype == np.uint8
        and offsets.dtype == np.int64
        and text.ndim == offsets.ndim == 1
        and len(offsets) > 0
        and offsets[0] == 0
        and offsets[-1] == len(text)
    )
    if not whole:
        raise ValueError(
            f"The files in {folder} are not consistent: {len(offsets) - 1} texts up to "
            f"byte {offsets[-1:].tolist()}, and {len(text)} bytes of {text.dtype}."
        )
    return PackedTexts(text, offsets)
