"""The kinds of target, and the relevance of its labels."""

import numpy as np
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array

from skxmr._inputs._features import check_width
from skxmr._inputs._named_columns import BINARIZER
from skxmr._utils._sparse_structure import check_structure

__all__ = ["check_relevance", "indicator_pattern", "target_kind"]


def target_kind(y):
    """Return whether y is an indicator or class labels.

    Parameters
    ----------
    y : ndarray or sparse matrix, as `validate_features_and_target` returns it

    Returns
    -------
    kind : {"indicator", "classes"}
    y : csr_array or ndarray
        Class labels as a 1-D array.

    Raises
    ------
    ValueError
        If y is neither.
    """
    if sparse.issparse(y):
        if y.ndim == 2:
            return "indicator", y
        raise ValueError(
            f"y is a sparse array of shape {y.shape}; expected an indicator of shape "
            f"(n_samples, n_labels), or class labels in a dense array."
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    kind = _type_of_target(y)
    if kind == "multilabel-indicator":
        return "indicator", y
    if kind in ("binary", "multiclass"):
        return "classes", y
    raise ValueError(
        f"Unknown label type: {kind}. y must be an indicator of 0 and 1, sparse or "
        f"dense, of shape (n_samples, n_labels), as {BINARIZER} makes it; a list, "
        f"tuple or set of names for each row; or class labels of shape (n_samples,). "
        f"Weights of labels go into the argument relevance of fit."
    )


def _type_of_target(y):
    """Return the type of a target as scikit-learn does, also for object labels.

    scikit-learn supports no objects except strings.
    """
    if y.ndim != 1 or y.dtype != object or isinstance(y[0], str):
        return type_of_target(y, input_name="y")
    fractions = (one for one in y.tolist() if isinstance(one, float) and one % 1)
    return "continuous" if any(fractions) else "multiclass"


def indicator_pattern(y):
    """Validate a sparse or dense indicator and return its pattern.

    Returns
    -------
    csr_array of float32, canonical
        1 for each label of y; nothing else is stored.

    Raises
    ------
    ValueError
        If y has values other than 0 and 1, or no 1.
    """
    y = sparse.csr_array(y)
    check_width(y, "y", "labels")
    strange = (y.data != 0) & (y.data != 1)
    if strange.any():
        raise ValueError(
            f"y must hold only 0 and 1 to be an indicator; got "
            f"{y.data[strange][0].item()!r}. Weights of labels go into the argument "
            f"relevance of fit. Labels in rows are encoded by {BINARIZER}."
        )
    pattern = sparse.csr_array(
        (y.data.astype(np.float32), y.indices, y.indptr), shape=y.shape, copy=True
    )
    pattern.sum_duplicates()
    pattern.eliminate_zeros()
    pattern.data[:] = 1
    if pattern.nnz == 0:
        raise ValueError(
            f"y of shape {y.shape} holds no label at all; expected one at least."
        )
    return pattern


def check_relevance(relevance, pattern):
    """Validate the weights of labels and align them with the labels.

    Parameters
    ----------
    relevance : sparse matrix or array-like, or None
        Of shape (n_samples, n_labels); or (n_samples,), one weight for all labels of a
        row.
    pattern : csr_array of shape (n_samples, n_labels), canonical
        The labels of y.

    Returns
    -------
    csr_array of the same pattern, float32

    Raises
    ------
    ValueError
        If shapes differ, or a weight is not positive and finite, is missing, or is at a
        position without a label.
    """
    if relevance is None:
        return pattern
    with np.errstate(over="ignore"):  # overflows become infinite, which is an error
        checked = check_array(
            check_structure(relevance, "relevance"),
            accept_sparse="csr",
            dtype=np.float32,
            ensure_2d=False,
            input_name="relevance",
        )
    weighted = pattern.copy()
    if checked.shape == (pattern.shape[0],):
        weighted.data = np.repeat(checked, np.diff(pattern.indptr))
    else:
        weighted.data = _relevance_of_labels(checked, pattern)
    if (weighted.data <= 0).any():
        raise ValueError(
            f"relevance must be positive wherever y has a label; got "
            f"{weighted.data[weighted.data <= 0][0]}."
        )
    return weighted


def _relevance_of_labels(relevance, pattern):
    if relevance.shape != pattern.shape:
        raise ValueError(
            f"relevance has the shape {relevance.shape}; expected {pattern.shape}, "
            f"rows by labels, or ({pattern.shape[0]},), one weight for each row."
        )
    relevance = sparse.csr_array(relevance, copy=True)
    relevance.sum_duplicates()
    relevance.eliminate_zeros()
    same = (
        relevance.nnz == pattern.nnz
        and np.array_equal(relevance.indptr, pattern.indptr)
        and np.array_equal(relevance.indices, pattern.indices)
    )
    if not same:
        raise ValueError(
            f"relevance must be positive wherever y has a label and 0 elsewhere; "
            f"got {relevance.nnz} weights that are not 0, at other positions than the "
            f"{pattern.nnz} labels of y."
        )
    return relevance.data
