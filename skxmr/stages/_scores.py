"""Scores of custom classifiers, as logarithms of scores between 0 and 1."""

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite

from skxmr._inputs._validation import check_structure, public_csr

__all__ = [
    "check_scoring",
    "log_scores_of_columns",
    "log_scores_of_yes",
    "log_transform",
    "rows_for",
]


def check_scoring(estimator, name):
    """Raise an error for an estimator without scores, before training.

    Parameters
    ----------
    estimator : estimator
    name : str
        Name of its parameter.

    Raises
    ------
    TypeError
        If it has neither ``predict_proba`` nor ``decision_function``.
    """
    if not (hasattr(estimator, "predict_proba") or _decides(estimator)):
        raise TypeError(
            f"{name} must have predict_proba or decision_function; got "
            f"{estimator!r:.80} without them."
        )


def _decides(estimator):
    return hasattr(estimator, "decision_function")


def rows_for(X, is_dense):
    """Convert rows to the format in which an estimator was fitted.

    Parameters
    ----------
    X : Compressed or DenseRows
    is_dense : bool

    Returns
    -------
    ndarray, csr_matrix or csr_array
    """
    matrix = X.to_matrix()
    if is_dense:
        return matrix.toarray() if sparse.issparse(matrix) else matrix
    return public_csr(sparse.csr_array(matrix))


def log_transform(margins, transform):
    """Convert margins to logarithms of scores.

    Parameters
    ----------
    margins : ndarray of float64
    transform : {"sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"}

    Returns
    -------
    ndarray of float64
        Of 1 / (1 + exp(-m)), or of exp(-max(0, 1 - m)^p).
    """
    if transform == "sigmoid":
        return -np.logaddexp(0, -margins)
    return -(np.maximum(0, 1 - margins) ** int(transform[1]))


def log_scores_of_columns(estimator, X, n_columns, transform, name):
    """Score the columns of a multilabel target.

    Parameters
    ----------
    estimator : estimator
        Fitted on an indicator.
    X : ndarray or sparse matrix of shape (n_samples, n_features)
    n_columns : int
    transform : str
        For decision values, if there are no probabilities.
    name : str
        Name of the estimator's parameter.

    Returns
    -------
    ndarray of shape (n_samples, n_columns), float64
        -inf if the score is 0 or not stored.

    Raises
    ------
    ValueError
        If the number of columns differs, or the scores are invalid.
    """
    shape = (X.shape[0], n_columns)
    if hasattr(estimator, "predict_proba"):
        given = estimator.predict_proba(X)
        if isinstance(given, list):  # one array per label, as from random forests
            given = _side_by_side(given, estimator)
        method = f"{name}.predict_proba"
        given = _filled(given, 0.0, method)
        return _logs(_checked(given, shape, method, estimator), method)
    method = f"{name}.decision_function"
    given = _filled(estimator.decision_function(X), -np.inf, method)
    return log_transform(_checked(given, shape, method, estimator), transform)


def _side_by_side(given, estimator):
    all_classes = getattr(estimator, "classes_", [None] * len(given))
    return np.column_stack(
        [
            _of_yes(np.asarray(one), classes)
            for one, classes in zip(given, all_classes, strict=True)
        ]
    )


def log_scores_of_yes(estimator, X, transform, name):
    """Score class 1 of a target of 0 and 1.

    Parameters
    ----------
    estimator, X, transform, name
        As in `log_scores_of_columns`.

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError
        If there is not one score per row, or the scores are invalid.
    """
    shape = (X.shape[0],)
    if hasattr(estimator, "predict_proba"):
        method = f"{name}.predict_proba"
        given = np.asarray(_filled(estimator.predict_proba(X), 0.0, method))
        classes = getattr(estimator, "classes_", np.arange(2))
        if given.shape != (X.shape[0], len(classes)):
            raise _wrong_shape(given, (X.shape[0], len(classes)), method, estimator)
        given = _of_yes(given, classes)
        return _logs(_checked(given, shape, method, estimator), method)
    method = f"{name}.decision_function"
    given = _filled(estimator.decision_function(X), -np.inf, method)
    return log_transform(_checked(given, shape, method, estimator), transform)


def _of_yes(probabilities, classes):
    """Take the column of class 1, or 0 if there is none."""
    if classes is None:
        return probabilities[:, -1]
    return probabilities[:, np.asarray(classes) == 1].sum(axis=1)


def _filled(given, missing, method):
    """Convert a sparse result to dense, filled with `missing`."""
    if not sparse.issparse(given):
        return given
    given = sparse.coo_array(check_structure(given, method))
    filled = np.full(given.shape, missing)
    filled[given.row, given.col] = given.data
    return filled


def _checked(given, shape, method, estimator):
    given = np.asarray(given)
    if given.shape != shape:
        raise _wrong_shape(given, shape, method, estimator)
    given = given.astype(np.float64)
    if np.isnan(given).any() or (given == np.inf).any():
        assert_all_finite(given, input_name=method, estimator_name=_name(estimator))
    return given


def _wrong_shape(given, shape, method, estimator):
    return ValueError(
        f"{method} must give an array of shape {shape}; {_name(estimator)} gave one of "
        f"shape {given.shape}."
    )


def _name(estimator):
    return type(estimator).__name__


def _logs(probabilities, method):
    lowest, highest = probabilities.min(initial=0), probabilities.max(initial=0)
    # A sum of rounded shares may be slightly above 1.
    if lowest < 0 or highest > 1 + 1e-6:
        raise ValueError(
            f"{method} must give probabilities from 0 to 1; got values from "
            f"{lowest:.6g} to {highest:.6g}."
        )
    with np.errstate(divide="ignore"):
        return np.log(np.minimum(probabilities, 1.0))
