"""The kinds of target, and the conversion of results to their form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skxmr._inputs._features import validate_target
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._target_kinds import check_relevance, indicator_pattern, target_kind
from skxmr._inputs._validation import public_csr
from skxmr._memory._growing import GrowingArray
from skxmr._utils._foresight import foresee
from skxmr.ranking import scores_to_csr

__all__ = [
    "ClassTarget",
    "IndicatorTarget",
    "NamedTarget",
    "Shortlists",
    "align_rows",
    "empty_target",
    "logs_of_scores",
    "make_target",
    "read_target",
    "scores_from_logs",
    "with_classes",
]


_MAX_INT32 = np.iinfo(np.int32).max

_LEAST_FOUND = np.finfo(np.float32).tiny
_MOST_FOUND = np.nextafter(np.float32(1), np.float32(0))


def make_target(y, relevance, names=None):
    """Make the target and the training labels of y.

    Parameters
    ----------
    y : ndarray or csr_array
        As scikit-learn's validation returns it.
    relevance : sparse matrix, array-like or None
    names : ndarray of shape (n_labels,), default=None
        The names of the columns of an indicator, as `read_columns` returns them.

    Returns
    -------
    target : IndicatorTarget or ClassTarget
    Y : csr_array of shape (n_samples, n_labels), float32, canonical
        Stored for each label of a row, with its relevance.
    """
    target: IndicatorTarget | ClassTarget
    kind, y = target_kind(y)
    if kind == "indicator":
        form = sparse.issparse(y), y.dtype
        if names is None:
            target = IndicatorTarget(y.shape[1], *form)
        else:
            target = NamedTarget(KnownClasses.of(names), *form)
        pattern = indicator_pattern(y)
    else:
        classes, codes = np.unique(y, return_inverse=True)
        target = ClassTarget(classes)
        pattern = sparse.csr_array(
            (np.ones(len(y), dtype=np.float32), codes, np.arange(len(y) + 1)),
            shape=(len(y), len(classes)),
        )
    return target, check_relevance(relevance, pattern)


def with_classes(target, Y, classes):
    """Add classes that no row has.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    Y : csr_array of shape (n_samples, n_labels)
    classes : ndarray, or None for no change
        Ascending; includes those of the target.

    Returns
    -------
    target, Y
        The same with a column for each of `classes`.
    """
    if classes is None or len(classes) == target.n_labels:
        return target, Y
    columns = np.searchsorted(classes, target.classes)
    shape = (Y.shape[0], len(classes))
    return target.with_labels(KnownClasses(classes)), sparse.csr_array(
        (Y.data, columns[Y.indices], Y.indptr), shape=shape
    )


def read_target(estimator, y, classes, names=None):
    """Validate y, and make the target and the training labels of it.

    Parameters
    ----------
    estimator : estimator
        Named in messages.
    y : indicator of shape (n_samples, n_labels), or class labels
        May have no rows.
    classes : ndarray or None
        Classes that no row has are among them.
    names : ndarray of shape (n_labels,), default=None
        As for `make_target`.

    Returns
    -------
    target : IndicatorTarget or ClassTarget
    Y : csr_array of shape (n_samples, n_labels), float32
    """
    if np.ndim(y) and not np.shape(y)[0]:
        return empty_target(y, classes, names)
    target, Y = make_target(validate_target(estimator, y), None, names)
    return with_classes(target, Y, classes)


def align_rows(target, known, of_rows, Y):
    """Bring the columns of further rows into the order of the known labels.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
        That of the model.
    known : KnownClasses
    of_rows : IndicatorTarget or ClassTarget
        That of the rows.
    Y : csr_array of shape (n_rows, n_labels of the rows)

    Returns
    -------
    known : KnownClasses
        With labels that only the rows have, which follow the others.
    Y : csr_array of shape (n_rows, n_labels)

    Raises
    ------
    ValueError
        If the targets are of two kinds, an indicator has fewer columns than labels were
        ever known, or a row has a removed label.
    """
    if type(of_rows) is not type(target):
        raise ValueError(
            f"y has {of_rows.described}; expected {target.described}, as before."
        )
    if of_rows.names is None:
        n_new = of_rows.n_labels - len(known)
        if n_new < 0:
            raise ValueError(
                f"y has {of_rows.n_labels} columns; expected {len(known)} or more, one "
                f"for each label that was ever known."
            )
        _refuse_removed(known, np.isin(known.removed, Y.indices))
        return (known.with_columns(n_new) if n_new else known), Y
    columns = known.find(of_rows.classes)
    new = of_rows.classes[columns < 0]
    _refuse_removed(known, np.isin(known.classes[known.removed], new))
    columns[columns < 0] = len(known) + np.arange(len(new))
    if len(new):
        known = known.with_classes(new, len(new), "y")
    shape = Y.shape[0], len(known)
    aligned = sparse.csr_array((Y.data, columns[Y.indices], Y.indptr), shape=shape)
    aligned.sort_indices()
    return known, aligned


def _refuse_removed(known, is_used):
    if is_used.any():
        label = known.classes[known.removed[is_used][:1]].tolist()[0]
        raise ValueError(f"y has the label {label!r:.50}, which was removed.")


def empty_target(y, classes, names=None):
    """Make the target of a y without rows.

    Parameters
    ----------
    y : ndarray or sparse matrix of shape (0, n_labels), or of shape (0,)
    classes : ndarray or None
        The classes of a 1-D y.
    names : ndarray of shape (n_labels,), default=None
        As for `make_target`.

    Returns
    -------
    target : IndicatorTarget or ClassTarget
    Y : csr_array of shape (0, n_labels), float32
    """
    if classes is not None:
        return ClassTarget(classes), sparse.csr_array((0, len(classes)), dtype="f4")
    is_sparse = sparse.issparse(y)
    dtype = y.dtype if is_sparse else np.asarray(y).dtype
    if dtype.kind not in "biuf":  # such as of a data frame without rows
        dtype = np.dtype(np.float64)
    target: IndicatorTarget = IndicatorTarget(y.shape[1], is_sparse, dtype)
    if names is not None:
        target = NamedTarget(KnownClasses.of(names), is_sparse, dtype)
    return target, sparse.csr_array(y.shape, dtype=np.float32)


def scores_from_logs(columns, log_scores):
    """Convert logarithms of scores to scores.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, k), int64
    log_scores : ndarray of shape (n_samples, k), float64

    Returns
    -------
    ndarray of shape (n_samples, k), float32
        Above 0 and below 1 for labels that were found, as scikit-learn expects of
        probabilities; 0 if nothing was found.
    """
    scores = np.exp(log_scores).astype(np.float32)
    scores = np.minimum(np.maximum(scores, _LEAST_FOUND), _MOST_FOUND)
    scores[columns < 0] = 0
    return scores


def logs_of_scores(columns, scores):
    """Convert scores to logarithms for a target.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, k), int64
    scores : ndarray of shape (n_samples, k)

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
    log_scores : ndarray of shape (n_samples, k), float64
    """
    with np.errstate(divide="ignore"):
        return columns, np.log(scores, dtype=np.float64)


@dataclass(frozen=True)
class Shortlists:
    """The best candidates of each row, computed in blocks of rows.

    Results mostly keep only a few of the candidates, so that those of all rows should
    not be in memory at a time.

    Parameters
    ----------
    n_rows : int
    find : callable
        Takes the number of labels per row, or None for all with a score; yields
        (columns, log_scores) of each block, arrays of shape (rows of the block, any):
        best first, filled up with -1 and -inf.
    """

    n_rows: int
    find: Callable


class IndicatorTarget:
    """A sparse or dense indicator matrix: any number of labels per row.

    Parameters
    ----------
    n_labels : int
    is_sparse : bool
    dtype : dtype
    """

    def __init__(self, n_labels, is_sparse, dtype):
        self.n_labels = n_labels
        self.is_sparse = is_sparse
        self.dtype = dtype

    described = "an indicator"

    @property
    def names(self) -> NDArray | None:
        """None: columns have no names."""
        return None

    def with_labels(self, known):
        """Return the target of a model whose labels have changed.

        Parameters
        ----------
        known : KnownClasses
        """
        return IndicatorTarget(len(known), self.is_sparse, self.dtype)

    @property
    def classes(self):
        """Column indices of the indicator."""
        return np.arange(self.n_labels)

    @property
    def labels_of_indicator(self):
        """The labels of an estimator that was fitted to the indicator itself."""
        return np.arange(self.n_labels)

    def predict(self, shortlists, decision_threshold):
        """Return the labels whose score is above the threshold.

        Parameters
        ----------
        shortlists : Shortlists
        decision_threshold : float

        Returns
        -------
        csr_array, csr_matrix or ndarray of shape (n_samples, n_labels)
        """

        def marked(columns, log_scores):
            scores = scores_from_logs(columns, log_scores)
            columns = np.where(scores > decision_threshold, columns, -1)
            return columns, np.ones(columns.shape, dtype=self.dtype)

        return self._matrix(shortlists, marked, self.dtype)

    def predict_proba(self, shortlists):
        """Return the scores of the candidates, 0 for all other labels."""

        def scored(columns, log_scores):
            return columns, scores_from_logs(columns, log_scores)

        return self._matrix(shortlists, scored, np.float32)

    decision_function = predict_proba

    def from_scores(self, columns, scores):
        """Put a ranking's scores into a matrix as they are; -1 stands for no label."""
        make = self._sparse_matrix if self.is_sparse else self._dense_matrix
        return make(len(columns), [(columns, scores)], np.float32)

    def _matrix(self, shortlists, values_of, dtype):
        """Make a matrix of the columns and values of all blocks."""
        blocks = (values_of(*found) for found in shortlists.find(None))
        make = self._sparse_matrix if self.is_sparse else self._dense_matrix
        return make(shortlists.n_rows, blocks, dtype)

    def _dense_matrix(self, n_rows, blocks, dtype):
        _foresee_dense(n_rows, self.n_labels, np.dtype(dtype).itemsize)
        matrix = np.zeros((n_rows, self.n_labels), dtype=dtype)
        start = 0
        for columns, values in blocks:
            rows, positions = np.nonzero(columns >= 0)
            found = columns[rows, positions]
            matrix[start + rows, found] = values[rows, positions]
            start += len(columns)
        return matrix

    def _sparse_matrix(self, n_rows, blocks, dtype):
        offsets = GrowingArray(np.int64)
        offsets.append(np.zeros(1))
        indices, data = GrowingArray(np.int32), GrowingArray(dtype)
        for columns, values in blocks:
            block = scores_to_csr(columns, values, self.n_labels)
            offsets.append(len(indices) + block.indptr[1:].astype(np.int64))
            indices.append(block.indices)
            data.append(block.data)
        indptr, columns = offsets.finish(), indices.finish()
        if len(columns) <= _MAX_INT32:
            indptr = indptr.astype(np.int32)
        matrix = sparse.csr_array(
            (data.finish(), columns, indptr), shape=(n_rows, self.n_labels)
        )
        matrix.has_sorted_indices = True
        return public_csr(matrix)


class NamedTarget(IndicatorTarget):
    """An indicator whose columns have names: rows of names, or a data frame.

    Parameters
    ----------
    known : KnownClasses
        The names.
    is_sparse : bool
    dtype : dtype
    """

    described = "rows of label names, or an indicator with named columns"

    def __init__(self, known, is_sparse, dtype):
        super().__init__(len(known), is_sparse, dtype)
        self._known = known

    def with_labels(self, known):
        """Return the target of a model whose labels have changed.

        Parameters
        ----------
        known : KnownClasses
        """
        return NamedTarget(known, self.is_sparse, self.dtype)

    @property
    def classes(self):
        """The names by column, also removed ones."""
        return self._known.classes

    @property
    def names(self):
        """The names of the columns."""
        return self.classes


class ClassTarget:
    """1-D class labels: exactly one class per row.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    """

    described = "class labels"

    def __init__(self, classes):
        self._known = KnownClasses(classes)

    def with_labels(self, known):
        """Return the target of a model whose labels have changed.

        Parameters
        ----------
        known : KnownClasses
        """
        # Without a copy of all classes in one array, which a saved change would hold.
        changed = object.__new__(type(self))
        changed._known = known
        return changed

    @property
    def classes(self):
        """The classes by column, also removed ones."""
        return self._known.classes

    @property
    def fallback(self):
        """The column of the class that is predicted where none is found."""
        removed = self._known.removed
        gaps = np.flatnonzero(removed != np.arange(len(removed)))
        return int(gaps[0]) if len(gaps) else len(removed)

    @property
    def names(self):
        """The classes, which are the names of the labels."""
        return self.classes

    @property
    def labels_of_indicator(self):
        """The labels of an estimator that was fitted to the class labels."""
        return self.classes

    @property
    def n_labels(self):
        """Number of classes."""
        return len(self._known)

    def predict(self, shortlists, decision_threshold):  # noqa: ARG002 - one always wins
        """Return the class with the highest score.

        Parameters
        ----------
        shortlists : Shortlists
        decision_threshold : float
            Ignored: one class is always predicted.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        blocks = (
            _one_always(*found, fallback=self.fallback)[0]
            for found in shortlists.find(1)
        )
        best = np.concatenate([columns[:, 0] for columns in blocks])
        return self.classes[best]

    def predict_proba(self, shortlists):
        """Return the candidates' scores, scaled to sum to 1 in each row."""
        n_rows, n_labels = shortlists.n_rows, self.n_labels
        _foresee_dense(n_rows, n_labels, 8)
        dense = np.zeros((n_rows, n_labels))
        start = 0
        for found in shortlists.find(None):
            columns, log_scores = _one_always(*found, fallback=self.fallback)
            # Relative to the best, so that no row sums to 0.
            scores = np.exp(log_scores - log_scores[:, :1])
            scores /= scores.sum(axis=1, keepdims=True)
            rows, positions = np.nonzero(columns >= 0)
            dense[start + rows, columns[rows, positions]] = scores[rows, positions]
            start += len(columns)
        return dense

    def decision_function(self, shortlists):
        """Return scores by class; for two classes, second minus first."""
        return self._signed(self.predict_proba(shortlists))

    def from_scores(self, columns, scores):
        """Put a ranking's scores by class, 0 for others; see `decision_function`."""
        _foresee_dense(len(columns), self.n_labels, 8)
        dense = np.zeros((len(columns), self.n_labels))
        rows, places = np.nonzero(columns >= 0)
        dense[rows, columns[rows, places]] = scores[rows, places]
        return self._signed(dense)

    def _signed(self, scores):
        return scores[:, 1] - scores[:, 0] if self.n_labels == 2 else scores


def _foresee_dense(n_rows, n_labels, n_bytes):
    foresee(
        n_rows * n_labels * n_bytes,
        f"A dense array of {n_rows} rows and {n_labels} labels",
        "Predict fewer rows at a time, or use rank, which makes none.",
    )


def _one_always(columns, log_scores, *, fallback):
    """Use one of the classes where none is found."""
    nothing = columns[:, 0] < 0
    if nothing.any():
        columns, log_scores = columns.copy(), log_scores.copy()
        columns[nothing, 0] = fallback
        log_scores[nothing, 0] = 0
    return columns, log_scores
