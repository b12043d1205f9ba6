"""Makes the training rows of one parent small before its children are trained."""

from dataclasses import dataclass

import numpy as np

from skxmr._cython._compaction import (
    check_ratios,
    find_leaders,
    list_features,
    number_columns,
    order_features,
    write_rows,
)
from skxmr._large import empty_beside

__all__ = ["CompactRows", "FeatureScratch", "compact"]


@dataclass(frozen=True)
class FeatureScratch:
    """What compacting needs of each feature, used again for parent after parent.

    Parameters
    ----------
    numbers : ndarray of shape (n_features,), int32
        All -1, and -1 again when rows are compact.
    words : ndarray of shape (n_features / 64,), uint64
        Zeros, and zeros again.
    summary : ndarray of shape (n_words / 64,), uint64
        Zeros, and zeros again.
    """

    numbers: np.ndarray
    words: np.ndarray
    summary: np.ndarray

    @classmethod
    def of(cls, n_features):
        """Make scratch for so many features."""
        n_words = -(-n_features // 64)
        return cls(
            np.full(n_features, -1, dtype=np.int32),
            np.zeros(n_words, dtype=np.uint64),
            np.zeros(-(-n_words // 64), dtype=np.uint64),
        )


@dataclass(frozen=True)
class CompactRows:
    """Rows of a sparse matrix by the fewest columns that say the same.

    Features in a fixed ratio share a column; those that one row alone has are only
    counted in its `own`. For the models of the features, see `sources` and `scales`.

    Parameters
    ----------
    offsets : ndarray of shape (n_rows + 1,), int64
    columns : ndarray of shape (nnz,), int32
    values : ndarray of shape (nnz,), float32
    own : ndarray of shape (n_rows,), float32
        Squared norm of what a row alone has.
    norms : ndarray of shape (n_rows,), float32
        Squared norm of all that a row has, the intercept's 1 included.
    n_columns : int
    features : ndarray of shape (n_features,), int32
        Those that any of the rows has, ascending.
    sources : ndarray of shape (n_features,), int32
        The column of each, or, as ``-1 - row``, the row that alone has it.
    scales : ndarray of shape (n_features,), float32
        Its weight is this times its column's, or its row's signed dual variable.
    """

    offsets: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    own: np.ndarray
    norms: np.ndarray
    n_columns: int
    features: np.ndarray
    sources: np.ndarray
    scales: np.ndarray


def compact(X, rows, fit_intercept, scratch):
    """Gather rows and compact them.

    Parameters
    ----------
    X : Compressed, a vector for each sample
    rows : ndarray of shape (n_rows,), int32
    fit_intercept : bool
    scratch : FeatureScratch
        Of the features of X.

    Returns
    -------
    CompactRows
    """
    n_rows = len(rows)
    n_entries = int((X.offsets[rows + 1] - X.offsets[rows]).sum())
    matrix = (X.offsets, X.indices, X.values)
    offsets = np.empty(n_rows + 1, dtype=np.int64)
    # As large as X where all rows are asked for.
    entries = empty_beside(X.values, n_entries, np.int32)
    values = empty_beside(X.values, n_entries, np.float32)
    most = min(n_entries, X.length)
    found, first_rows = np.empty((2, most), dtype=np.int32)
    firsts = np.empty(most, dtype=np.float32)
    hashes = np.empty(most, dtype=np.uint64)
    norms, own = np.empty((2, n_rows), dtype=np.float32)
    n_found = list_features(
        *matrix,
        rows,
        fit_intercept,
        scratch.numbers,
        offsets,
        entries,
        norms,
        found,
        first_rows,
        firsts,
        hashes,
    )
    firsts = firsts[:n_found]
    leaders, columns, sources = np.empty((3, n_found), dtype=np.int32)
    table = np.full(2 << n_found.bit_length(), -1, dtype=np.int32)
    find_leaders(first_rows[:n_found], firsts, hashes[:n_found], table, leaders)
    check_ratios(X.offsets, X.values, rows, offsets, entries, firsts, values, leaders)
    scales = np.empty(n_found, dtype=np.float32)
    n_columns = number_columns(firsts, leaders, np.empty(n_found), columns, scales)
    n_left = write_rows(
        X.offsets,
        X.values,
        rows,
        leaders,
        columns,
        scales,
        sources,
        offsets,
        entries,
        values,
        own,
    )
    features, ordered_sources = np.empty((2, n_found), dtype=np.int32)
    ordered_scales = np.empty(n_found, dtype=np.float32)
    order_features(
        found[:n_found],
        scratch.numbers,
        scratch.words,
        scratch.summary,
        sources,
        scales,
        features,
        ordered_sources,
        ordered_scales,
    )
    return CompactRows(
        offsets,
        entries[:n_left],
        values[:n_left],
        own,
        norms,
        n_columns,
        features,
        ordered_sources,
        ordered_scales,
    )
