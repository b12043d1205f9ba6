"""Makes the training rows of one parent small before its children are trained."""

from dataclasses import dataclass

import numpy as np

from skxmr._cython._compaction import (
    check_ratios,
    find_leaders,
    find_places,
    list_features,
    number_columns,
    write_rows,
)
from skxmr._large import empty_beside

__all__ = ["CompactRows", "compact"]


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
    places : ndarray of shape (n_features,), int32
        Where among `features` is each that `sources` and `scales` tell of: they are
        in the order in which the rows name them, near to that of the columns.
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
    places: np.ndarray
    sources: np.ndarray
    scales: np.ndarray


def compact(X, rows, fit_intercept, numbers):
    """Gather rows and compact them.

    Parameters
    ----------
    X : Compressed, a vector for each sample
    rows : ndarray of shape (n_rows,), int32
    fit_intercept : bool
    numbers : ndarray of shape (X.length,), int32
        Scratch: all -1, and -1 again at the end.

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
        numbers,
        offsets,
        entries,
        norms,
        found,
        first_rows,
        firsts,
        hashes,
    )
    firsts = firsts[:n_found]
    leaders, columns, sources, places = np.empty((4, n_found), dtype=np.int32)
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
    features = np.sort(found[:n_found])
    find_places(features, numbers, places)
    return CompactRows(
        offsets,
        entries[:n_left],
        values[:n_left],
        own,
        norms,
        n_columns,
        features,
        places,
        sources,
        scales,
    )
