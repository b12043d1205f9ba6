"""The two kinds of target: what fit learns from them and what comes out again."""

import numpy as np
from scipy import sparse

from skxmr._validation import (
    check_relevance,
    indicator_pattern,
    public_csr,
    target_kind,
)
from skxmr.foresight import foresee

__all__ = [
    "ClassTarget",
    "IndicatorTarget",
    "logs_of_scores",
    "make_target",
    "scores_from_logs",
]


_LEAST_FOUND = np.finfo(np.float32).tiny
_MOST_FOUND = np.nextafter(np.float32(1), np.float32(0))


def make_target(y, relevance):
    """Tell which kind of target y is, and what there is to learn.

    Parameters
    ----------
    y : ndarray or csr_array
        As scikit-learn's checks return it.
    relevance : sparse matrix, array-like or None

    Returns
    -------
    target : IndicatorTarget or ClassTarget
    Y : csr_array of shape (n_samples, n_labels), float32, canonical
        Stored where a row has a label, with its relevance.
    """
    target: IndicatorTarget | ClassTarget
    kind, y = target_kind(y)
    if kind == "indicator":
        target = IndicatorTarget(y.shape[1], sparse.issparse(y), y.dtype)
        pattern = indicator_pattern(y)
    else:
        classes, codes = np.unique(y, return_inverse=True)
        target = ClassTarget(classes)
        pattern = sparse.csr_array(
            (np.ones(len(y), dtype=np.float32), codes, np.arange(len(y) + 1)),
            shape=(len(y), len(classes)),
        )
    return target, check_relevance(relevance, pattern)


def scores_from_logs(columns, log_scores):
    """Turn logarithms of scores into scores.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, k), int64
    log_scores : ndarray of shape (n_samples, k), float64

    Returns
    -------
    ndarray of shape (n_samples, k), float32
        Above 0 and below 1 for whatever was found, as scikit-learn expects of
        probabilities of labels; 0 where nothing was found.
    """
    scores = np.exp(log_scores).astype(np.float32)
    scores = np.minimum(np.maximum(scores, _LEAST_FOUND), _MOST_FOUND)
    scores[columns < 0] = 0
    return scores


def logs_of_scores(columns, scores):
    """Turn scores into logarithms, as a target takes them.

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


class IndicatorTarget:
    """A sparse or dense indicator matrix: any number of labels a row.

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

    # Columns have no names of their own.
    names = None

    @property
    def classes(self):
        """Columns of the indicator."""
        return np.arange(self.n_labels)

    def predict(self, shortlist, decision_threshold):
        """Mark the labels whose score is above the threshold.

        Parameters
        ----------
        shortlist : callable
            Gives (columns, log_scores) of the best candidates, or of the k best.
        decision_threshold : float

        Returns
        -------
        csr_array, csr_matrix or ndarray of shape (n_samples, n_labels)
        """
        columns, log_scores = shortlist()
        scores = scores_from_logs(columns, log_scores)
        columns = np.where(scores > decision_threshold, columns, -1)
        return self._matrix(columns, np.ones(columns.shape, dtype=self.dtype))

    def predict_proba(self, shortlist):
        """Return the scores of the candidates, 0 for all other labels."""
        columns, log_scores = shortlist()
        return self._matrix(columns, scores_from_logs(columns, log_scores))

    decision_function = predict_proba

    def _matrix(self, columns, values):
        if not self.is_sparse:
            _foresee_dense(len(columns), self.n_labels, values.itemsize)
        found = columns >= 0
        offsets = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
        matrix = sparse.csr_array(
            (values[found], columns[found], offsets),
            shape=(len(columns), self.n_labels),
        )
        matrix.sort_indices()
        return public_csr(matrix) if self.is_sparse else matrix.toarray()


class ClassTarget:
    """1-D class labels: exactly one class a row.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    """

    def __init__(self, classes):
        self.classes = classes

    @property
    def names(self):
        """The classes: they are the names of the labels."""
        return self.classes

    @property
    def n_labels(self):
        """Number of classes."""
        return len(self.classes)

    def predict(self, shortlist, decision_threshold):  # noqa: ARG002 - one always wins
        """Return the class with the highest score.

        Parameters
        ----------
        shortlist : callable
            Gives (columns, log_scores) of the best candidates, or of the k best.
        decision_threshold : float
            Of no effect: one class always wins.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        columns, _ = _one_always(*shortlist(1))
        return self.classes[columns[:, 0]]

    def predict_proba(self, shortlist):
        """Return the candidates' scores, scaled to sum to 1 in each row."""
        columns, log_scores = _one_always(*shortlist())
        _foresee_dense(len(columns), self.n_labels + 1, 8)
        # Relative to the best, so that no row sums to 0.
        scores = np.exp(log_scores - log_scores[:, :1])
        scores /= scores.sum(axis=1, keepdims=True)
        dense = np.zeros((len(columns), self.n_labels + 1))
        # Column -1, for what was not found, is the one that is cut off.
        np.put_along_axis(dense, columns, scores, axis=1)
        return dense[:, :-1]

    def decision_function(self, shortlist):
        """Return scores by class; for two classes, second minus first."""
        scores = self.predict_proba(shortlist)
        return scores[:, 1] - scores[:, 0] if self.n_labels == 2 else scores


def _foresee_dense(n_rows, n_labels, n_bytes):
    foresee(
        n_rows * n_labels * n_bytes,
        f"A dense array of {n_rows} rows and {n_labels} labels",
        "Predict fewer rows at a time, or use rank, which makes none.",
    )


def _one_always(columns, log_scores):
    """Let the first class win where none is found."""
    nothing = columns[:, 0] < 0
    if nothing.any():
        columns, log_scores = columns.copy(), log_scores.copy()
        columns[nothing, 0] = 0
        log_scores[nothing, 0] = 0
    return columns, log_scores
