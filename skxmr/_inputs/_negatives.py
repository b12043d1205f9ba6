"""Labels that rows were shown and that were not chosen: the argument `negatives`."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array

from skxmr._inputs._class_labels import exact_labels, list_labels
from skxmr._inputs._named_columns import named_rows, read_columns
from skxmr._utils._sparse_structure import check_structure

__all__ = ["check_negatives", "take_negatives", "with_empty_rows"]


def check_negatives(negatives, target, known, Y):
    """Validate negatives, and bring them into the columns of the known labels.

    Parameters
    ----------
    negatives : object
        The argument of the user: a sparse or dense matrix of shape (n_samples,
        n_labels) whose columns are those of y, or the sorted classes of a 1-D y, with
        non-zero values for negatives; a data frame with the names of labels as its
        columns; or a list, tuple or set of labels for each row. None: there are none.
    target : IndicatorTarget or ClassTarget
        That of y.
    known : KnownClasses
        The labels by column; with those of y.
    Y : csr_array of shape (n_samples, len(known)), canonical
        The labels of the rows.

    Returns
    -------
    csr_array of shape (n_samples, len(known)), bool, canonical; or None
        True for each negative, nothing else is stored. None if there are none. Removed
        labels, and labels that are not known, are left out: they are never found.

    Raises
    ------
    ValueError
        If shapes differ, values are negative or not finite, no label at all is known,
        or a row has a label both in y and among its negatives.
    """
    if negatives is None:
        return None
    negatives = check_structure(negatives, "negatives")
    if sparse.issparse(negatives):
        rows, names = None, None
    else:
        rows, negatives = named_rows(negatives, "negatives")
        if rows is None:
            negatives, names = read_columns(negatives, "negatives")
    if rows is not None:
        _check_length(len(rows.sizes), Y)
        found = _of_names(rows, known)
    else:
        columns = _columns_of(target, known) if names is None else _find(names, known)
        found = _of_matrix(negatives, columns, Y)
    found = _canonical(found, known)
    if not found.nnz:
        return None
    _refuse_positives(found, Y, known)
    return found


def take_negatives(negatives, rows):
    """Return the negatives of some rows.

    Parameters
    ----------
    negatives : csr_array or None
    rows : ndarray of int

    Returns
    -------
    csr_array or None
    """
    return None if negatives is None else sparse.csr_array(negatives[rows])


def with_empty_rows(negatives, n_rows):
    """Append rows without negatives.

    Parameters
    ----------
    negatives : csr_array of shape (n_samples, n_labels), or None
    n_rows : int
        At least n_samples.

    Returns
    -------
    csr_array of shape (n_rows, n_labels), or None
    """
    if negatives is None:
        return None
    n_added = n_rows - negatives.shape[0]
    offsets = np.append(negatives.indptr, [negatives.indptr[-1]] * n_added)
    return sparse.csr_array(
        (negatives.data, negatives.indices, offsets), shape=(n_rows, negatives.shape[1])
    )


def _check_length(n_rows, Y):
    if n_rows != Y.shape[0]:
        raise ValueError(
            f"negatives has {n_rows} rows; expected {Y.shape[0]}, as y has."
        )


def _of_names(rows, known):
    """Make a matrix of rows of labels."""
    numbers: dict = {}
    of_names = rows.columns_of(numbers)
    distinct = list(dict.fromkeys(rows.names))
    columns = _find(exact_labels(distinct, "negatives"), known)
    return _renumbered(of_names, columns, len(known))


def _find(labels, known):
    """Find the columns of labels; an error if there are some, and none is known."""
    columns = known.ever_known.find(labels)
    if len(columns) and (columns < 0).all():
        raise ValueError(
            f"negatives holds no label of y, but {list_labels(labels)[0]!r:.50}; "
            f"expected labels like {list_labels(known.classes[:1])[0]!r:.50}."
        )
    return columns


def _columns_of(target, known):
    """Return the known columns of the columns of y."""
    if target.names is None:
        return np.arange(target.n_labels)
    return known.find(target.classes)


def _of_matrix(negatives, columns, Y):
    """Validate a matrix, and return it in the known columns."""
    checked = check_array(
        negatives,
        accept_sparse="csr",
        dtype="numeric",
        ensure_2d=False,
        ensure_min_features=0,
        ensure_min_samples=0,
        input_name="negatives",
    )
    shape = Y.shape[0], len(columns)
    if checked.shape != shape:
        raise ValueError(
            f"negatives has the shape {checked.shape}; expected {shape}, rows by "
            f"labels, or a list, tuple or set of labels for each row."
        )
    matrix = sparse.csr_array(checked)
    if (matrix.data < 0).any():
        raise ValueError(
            f"negatives must hold 0 or a positive number for each label; got "
            f"{matrix.data[matrix.data < 0][0].item()!r}."
        )
    return _renumbered(matrix, columns, Y.shape[1])


def _renumbered(matrix, columns, n_columns):
    """Move entries that are not 0 to other columns; drop those without one, -1."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    found = columns[matrix.indices] if len(columns) else matrix.indices
    is_kept = (matrix.data != 0) & (found >= 0)
    return sparse.coo_array(
        (np.ones(is_kept.sum(), dtype=bool), (rows[is_kept], found[is_kept])),
        shape=(matrix.shape[0], n_columns),
    )


def _canonical(found, known):
    """Sort entries, each once, and drop those of removed labels."""
    rows, columns = found.coords
    is_kept = ~np.isin(columns, known.removed)
    found = sparse.csr_array(
        (found.data[is_kept], (rows[is_kept], columns[is_kept])), shape=found.shape
    )
    found.sum_duplicates()
    return found


def _refuse_positives(found, Y, known):
    """Raise ValueError if a row has a label both in y and among its negatives."""
    pattern = sparse.csr_array(
        (np.ones(Y.nnz, dtype=bool), Y.indices, Y.indptr), shape=Y.shape
    )
    both = sparse.coo_array(found.multiply(pattern))
    if both.nnz:
        row, column = (int(numbers[0]) for numbers in both.coords)
        label = list_labels(known.classes[[column]])[0]
        raise ValueError(
            f"negatives must not hold labels of y; row {row} has the label "
            f"{label!r:.50} in both."
        )
