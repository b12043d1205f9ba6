"""Held-out rows, from which weights of fitted estimators are learned."""

from hashlib import blake2b
from itertools import pairwise

import numpy as np
from scipy import sparse

__all__ = ["LEAST_ROWS", "held_out_folds"]

LEAST_ROWS = 200
"""The least number of distinct rows of which some are held out."""

_MOST_HELD_OUT = 2000
_N_FOLDS = 5


def held_out_folds(X, random):
    """Divide rows into those to fit to and those to learn weights from.

    A fifth of the distinct rows is held out at a time, until 2,000 or all were. All
    copies of a held-out row are left out of the training rows; the first is held out.

    Parameters
    ----------
    X : sparse matrix, array-like, data frame or list of n_samples rows
    random : RandomState

    Returns
    -------
    list of (train, held_out)
        Row indices, ascending. Empty if fewer than 200 rows are distinct.
    """
    codes, first_rows = _distinct(X)
    n_distinct = len(first_rows)
    if n_distinct < LEAST_ROWS:
        return []
    size = min(_MOST_HELD_OUT, n_distinct // _N_FOLDS)
    drawn = random.permutation(n_distinct)[: min(_MOST_HELD_OUT, size * _N_FOLDS)]
    folds = []
    for start in range(0, len(drawn), size):
        is_held_out = np.zeros(n_distinct, dtype=bool)
        is_held_out[drawn[start : start + size]] = True
        train = np.flatnonzero(~is_held_out[codes])
        folds.append((train, np.sort(first_rows[is_held_out])))
    return folds


def _distinct(X):
    """Return the number of each row among the distinct ones, and their first rows."""
    numbers: dict = {}
    found = [numbers.setdefault(key, len(numbers)) for key in _keys(X)]
    codes = np.array(found, dtype=np.int64)
    return codes, np.unique(codes, return_index=True)[1]


def _keys(X):
    """Yield a hashable key for each row; the same for equal rows."""
    if sparse.issparse(X):
        rows = _canonical(X)
        for start, end in pairwise(rows.indptr.tolist()):
            yield _digest(rows.indices[start:end], rows.data[start:end])
        return
    if np.ndim(X) > 1 and hasattr(X, "shape"):
        X = np.asarray(X)
        if X.dtype != object:
            yield from map(_digest, np.ascontiguousarray(X))
            return
    rows = X.tolist() if hasattr(X, "tolist") else list(X)
    for position, row in enumerate(rows):
        yield _hashable(row, position)


def _canonical(X):
    """Return rows with sorted indices and without zeros; X is not modified."""
    rows = sparse.csr_array(X)
    if not rows.has_canonical_format or not rows.data.all():
        rows = sparse.csr_array(rows, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def _digest(*arrays):
    # Rows may be long, and all keys are kept.
    digest = blake2b(digest_size=16)
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()


def _hashable(row, position):
    key = tuple(row) if isinstance(row, list) else row
    try:
        hash(key)
    except TypeError:  # as if distinct from all others
        return (_hashable, position)
    return key
