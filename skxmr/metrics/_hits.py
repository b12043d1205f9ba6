"""Hits: which of the first k columns of each row are true labels."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skxmr._inputs._class_labels import exact_labels, exact_target
from skxmr._inputs._features import check_width
from skxmr._inputs._named_columns import named_rows
from skxmr._inputs._validation import check_k, check_structure
from skxmr.metrics._labels import columns_of_labels
from skxmr.ranking import top_k

__all__ = [
    "Hits",
    "find_hits",
    "graded_csr",
    "indicator_csr",
    "positions_in",
    "positions_of_keys",
]


@dataclass(frozen=True)
class Hits:
    """The retrieved columns of each row, and which of them are true.

    Attributes
    ----------
    truth : csr_array of shape (n_samples, n_labels), float64
        The grade of each true label, 1 in an indicator; canonical, without zeros.
    columns : ndarray of shape (n_samples, at most k), int64
        Retrieved columns, best first, filled up with -1.
    entries : ndarray of shape (n_samples, at most k), int64
        The position of the column among the stored labels of `truth`; -1 if it is not a
        true label of its row.
    k : int
        The requested number of columns.
    has_classes : bool
        Whether `y_true` holds one column per row, so that `truth` may have more or
        fewer columns than there are labels.
    """

    truth: sparse.csr_array
    columns: np.ndarray
    entries: np.ndarray
    k: int
    has_classes: bool

    @property
    def is_hit(self):
        """Whether each column is a true label: bool array of shape (n_samples, any)."""
        return self.entries >= 0

    @property
    def n_samples(self):
        """The number of rows, including rows without true labels."""
        return self.truth.shape[0]

    @property
    def n_true(self):
        """The number of true labels of each row: int64 array of shape (n_samples,)."""
        return np.diff(self.truth.indptr)

    def gains(self, values):
        """Look up values of the hits, and those of an ideal ranking.

        Parameters
        ----------
        values : ndarray of shape (n_true_labels,), float64
            Positive; one for each stored label of `truth`.

        Returns
        -------
        gains : ndarray of shape (n_samples, at most k), float64
            The value of each hit, and 0 for other columns.
        best : ndarray of shape (n_samples, at most k), float64
            The largest values of each row, filled up with 0.
        """
        gains = np.append(values, 0.0)[self.entries]  # -1 is the last one
        weighted = sparse.csr_array(
            (values, self.truth.indices, self.truth.indptr), self.truth.shape
        )
        return gains, top_k(weighted, min(self.k, max(int(self.n_true.max()), 1)))[1]


def find_hits(y_true, scores, k, caller, n_labels=0, classes=None):
    """Validate the arguments of a metric and find the hits.

    Parameters
    ----------
    y_true, scores, k
        As in the functions of `skxmr.metrics`.
    caller : str
        Name of the public function, for messages.
    n_labels : int, default=0
        A lower bound of the number of columns; the other arguments may have more.
    classes : array-like of shape (n_labels,), default=None
        The label of each column, if `y_true` holds labels.

    Returns
    -------
    Hits

    Raises
    ------
    ValueError
        If an argument is invalid, or the arguments do not match.
    """
    k = check_k(k, caller)
    columns, n_columns = _ranked_columns(scores, k)
    given, y_true = y_true, columns_of_labels(y_true, classes)
    # Labels that are no classes have further columns.
    n_accepted = n_columns if y_true is given else None
    rows, y_true = named_rows(y_true, "y_true")
    has_classes = rows is None and _is_vector(y_true)
    least = max(n_labels, n_columns or 0, int(columns.max()) + 1)
    if rows is not None:
        truth = _truth_of_rows(rows, n_columns, least)
    elif has_classes:
        numbers = _check_classes(y_true, n_accepted)
        truth = _truth_of_classes(numbers, max(least, int(numbers.max()) + 1))
    else:
        truth = _truth_of_indicator(y_true, n_accepted)
        n_columns = truth.shape[1]
    if len(columns) != truth.shape[0]:
        raise ValueError(
            "y_true and scores must have the same number of rows, got "
            f"{truth.shape[0]} and {len(columns)}."
        )
    _check_columns_fit(columns, k, n_columns)
    columns = columns[:, :k]
    return Hits(truth, columns, positions_in(truth, columns), k, has_classes)


def indicator_csr(y, name):
    """Convert a label indicator to canonical CSR of bool: see `graded_csr`."""
    return graded_csr(y, name).astype(bool)


def graded_csr(y, name):
    """Convert a label indicator, or grades of labels, to canonical CSR.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples, n_labels)
        Non-negative; non-zero entries are true. Of duplicates, the largest counts.
    name : str
        Name of the argument, for messages.

    Returns
    -------
    csr_array of shape (n_samples, n_labels), float64
        Canonical and without explicit zeros; `y` is unchanged.
    """
    # Converting COO to CSR would sum up duplicates.
    y = check_array(
        check_structure(y, name), accept_sparse=["csr", "coo"], input_name=name
    )
    check_width(y, name, "columns")
    values = y.data if sparse.issparse(y) else y
    if values.min(initial=0) < 0:
        raise ValueError(f"{name} must be an indicator of 0 and 1, got {values.min()}.")
    if getattr(y, "format", None) == "coo" or not _is_canonical(y):
        y = _largest_of_duplicates(sparse.coo_array(y))
    grades = sparse.csr_array(y, dtype=np.float64, copy=True)
    grades.eliminate_zeros()
    return grades


def _is_canonical(y):
    return not sparse.issparse(y) or y.has_canonical_format


def _largest_of_duplicates(matrix):
    """Keep the largest of entries at the same position, in the order of positions."""
    rows, columns = matrix.coords
    order = np.lexsort((-matrix.data.astype(np.float64), columns, rows))
    rows, columns = rows[order], columns[order]
    first = np.ones(rows.size, dtype=bool)
    first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    kept = matrix.data[order][first], (rows[first], columns[first])
    return sparse.coo_array(kept, matrix.shape)


def _truth_of_indicator(y_true, n_columns):
    truth = graded_csr(y_true, "y_true")
    if n_columns not in (None, truth.shape[1]):
        raise ValueError(
            "y_true and scores must have the same number of columns, got "
            f"{truth.shape[1]} and {n_columns}."
        )
    return truth


def _check_classes(y_true, n_columns):
    """Validate one column index per row and return them as int64."""
    classes = np.asarray(exact_target(y_true, "y_true"))
    if classes.dtype.kind not in "iu":
        raise ValueError(
            "y_true, where it is 1-D, must hold column indices (integers), got "
            f"{classes.dtype}; a scorer of skxmr.metrics looks class labels up."
        )
    if classes.size == 0:
        raise ValueError("y_true must have at least one row, got none.")
    lowest, highest = classes.min(), classes.max()
    if lowest < -1:
        raise ValueError(
            "y_true must hold column indices, or -1 for a class without a column, "
            f"got {lowest}."
        )
    if n_columns is not None and highest >= n_columns:
        raise ValueError(
            f"y_true must hold indices of scores' {n_columns} columns, got {highest}."
        )
    return classes.astype(np.int64, copy=False)


def _is_vector(y_true):
    return np.ndim(y_true) == 1 and not sparse.issparse(y_true)


def _truth_of_rows(rows, n_columns, n_labels):
    """Make an indicator of sets of column indices."""
    columns = exact_labels(rows.names, "y_true") if rows.names else np.empty(0, int)
    if columns.dtype.kind not in "iu":
        raise ValueError(
            f"y_true has rows of label names, such as {rows.names[0]!r:.50}; pass "
            f"classes, the classes_ of the estimator, to look them up in."
        )
    lowest, highest = columns.min(initial=0), columns.max(initial=-1)
    if lowest < 0 or (n_columns is not None and highest >= n_columns):
        raise ValueError(
            f"y_true, where it has sets of numbers, must hold column indices from 0 to "
            f"{'' if n_columns is None else n_columns - 1}; got "
            f"{lowest if lowest < 0 else highest}."
        )
    n_labels = max(n_labels, int(highest) + 1)
    return rows.indicator_of(columns, n_labels).astype(np.float64)


def _truth_of_classes(classes, n_labels):
    """Make an indicator; -1 gets an additional column after the `n_labels` columns."""
    indices = np.where(classes < 0, n_labels, classes)
    indptr = np.arange(indices.size + 1)
    shape = indices.size, n_labels + 1
    return sparse.csr_array((np.ones(indices.size), indices, indptr), shape=shape)


def _ranked_columns(scores, k):
    """Return the columns, best first, and the number of labels if it is known."""
    if isinstance(scores, tuple):
        return _columns_of_pair(scores), None
    if not sparse.issparse(scores):
        scores = np.asarray(scores)
        if scores.dtype.kind in "iu":
            return _check_columns(scores), None
    scores = check_array(
        check_structure(scores, "scores"),
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        input_name="scores",
    )
    lowest = (scores.data if sparse.issparse(scores) else scores).min(initial=0)
    if lowest < 0:
        raise ValueError(
            "scores must not be negative, for 0 means not retrieved; pass the columns "
            f"that skxmr.rank finds by a signed score. Got {lowest}."
        )
    n_columns = scores.shape[1]
    return top_k(scores, min(k, n_columns))[0], n_columns


def _columns_of_pair(pair):
    if len(pair) != 2:
        raise ValueError(
            "scores must be a matrix, columns, or the pair (columns, scores) that "
            f"skxmr.rank returns, got a tuple of {len(pair)}."
        )
    columns, scores = map(np.asarray, pair)
    if columns.shape != scores.shape:
        raise ValueError(
            "scores, as a pair (columns, scores), must be two arrays of one shape, got "
            f"{columns.shape} and {scores.shape}."
        )
    columns = _check_columns(columns)
    if np.isnan(scores).any():
        raise ValueError("scores, in the pair (columns, scores), must not hold NaN.")
    if ((scores[:, 1:] > scores[:, :-1]) & (columns[:, 1:] >= 0)).any():
        raise ValueError(
            "scores, in the pair (columns, scores), must come highest first; got a row "
            "in which they rise."
        )
    return columns


def _check_columns(columns):
    """Validate ranked columns and return them as int64."""
    if columns.dtype.kind not in "iu":
        raise ValueError(
            f"columns, in the pair (columns, scores), must be integers, got "
            f"{columns.dtype}."
        )
    if columns.ndim != 2 or 0 in columns.shape:
        raise ValueError(
            "columns must have the shape (n_samples, k) with neither 0, got "
            f"{columns.shape}."
        )
    columns = columns.astype(np.int64, copy=False)
    if columns.min() < -1:
        raise ValueError(
            f"columns must be column indices, or -1 for none, got {columns.min()}."
        )
    if ((columns[:, 1:] >= 0) & (columns[:, :-1] < 0)).any():
        raise ValueError("columns must not go on after a -1, got a row that does.")
    ordered = np.sort(columns, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise ValueError(
            "columns must not repeat in a row, got a row where one does. (An array of "
            "integers is read as columns; make a score matrix one of floats.)"
        )
    return columns


def _check_columns_fit(columns, k, n_columns):
    highest = columns.max()
    if n_columns is not None and highest >= n_columns:
        raise ValueError(
            f"columns must be below the {n_columns} columns of y_true, got {highest}."
        )
    width = columns.shape[1]
    found_all = n_columns is not None and width >= n_columns
    if width < k and not found_all and (columns[:, -1] >= 0).any():
        raise ValueError(
            f"scores must hold the first {k} columns of each row for k={k}, got "
            f"{width}."
        )


def positions_in(truth, columns):
    """Find columns among the stored labels of their rows.

    Parameters
    ----------
    truth : csr_array of shape (n_samples, n_labels), canonical
    columns : ndarray of shape (n_samples, any), int64
        Filled up with -1.

    Returns
    -------
    ndarray of the shape of columns, int64
        Positions in ``truth.indices``; -1 where the column is not stored.
    """
    n_samples, n_labels = truth.shape
    keys = np.arange(n_samples)[:, np.newaxis] * n_labels + columns
    return np.where(columns >= 0, positions_of_keys(truth, keys), -1)


def positions_of_keys(truth, keys):
    """Find pairs of a row and a column among the stored labels.

    Parameters
    ----------
    truth : csr_array of shape (n_samples, n_labels), canonical
    keys : ndarray of int64
        Row times n_labels plus column.

    Returns
    -------
    ndarray of the shape of keys, int64
        Positions in ``truth.indices``; -1 where the pair is not stored.
    """
    n_samples, n_labels = truth.shape
    rows = np.repeat(np.arange(n_samples), np.diff(truth.indptr))
    true_keys = rows * n_labels + truth.indices
    positions = np.searchsorted(true_keys, keys)  # ascending, since it is canonical
    is_true = np.append(true_keys, -1)[positions] == keys
    return np.where(is_true, positions, -1)
