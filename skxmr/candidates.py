"""Candidates that a ranker found, and what is known of a row and a candidate."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.preprocessing import normalize
from sklearn.utils import check_array

from skxmr._documentation import Documented
from skxmr._sparse_structure import refuse_sparse
from skxmr._state import Stateful, from_state, reads, writes
from skxmr._typing import MatrixLike
from skxmr._validation import check_structure, indicator_pattern

__all__ = ["CandidateFeatures", "Candidates"]

# Pairs whose similarity is computed at a time.
_PAIRS_AT_ONCE = 2**16


@dataclass(frozen=True)
class Candidates:
    """Pairs of a row and a label that a ranker found for it.

    Row by row, and in each row the best first.

    Parameters
    ----------
    rows : ndarray of shape (n_pairs,), int64
        Which row of X.
    columns : ndarray of shape (n_pairs,), int64
        Which label: a column of y, or an index into the sorted classes.
    scores : ndarray of shape (n_pairs,), float64
        The score that the ranker gave, between 0 and 1.
    ranks : ndarray of shape (n_pairs,), int64
        The place in the row's ranking, from 1.

    See Also
    --------
    skxmr.Reranker : Passes them to its `features`.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.candidates import Candidates
    >>> columns, scores = np.array([[4, 2], [3, -1]]), np.array([[0.9, 0.2], [0.5, 0]])
    >>> found = Candidates.of_ranking(columns, scores)
    >>> found.rows.tolist(), found.columns.tolist(), found.ranks.tolist()
    ([0, 0, 1], [4, 2, 3], [1, 2, 1])
    """

    rows: NDArray
    columns: NDArray
    scores: NDArray
    ranks: NDArray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of_ranking(cls, columns: NDArray, scores: NDArray) -> Self:
        """List what a ranking found.

        Parameters
        ----------
        columns : ndarray of shape (n_samples, k), int64
            As `skxmr.rank` returns them; -1 where nothing is found.
        scores : ndarray of shape (n_samples, k)
            Their scores.

        Returns
        -------
        Candidates

        Raises
        ------
        ValueError
            If the arrays differ in shape or have not two dimensions.
        """
        for given, name in ((columns, "columns"), (scores, "scores")):
            refuse_sparse(given, name, "an ndarray")
        columns, scores = np.asarray(columns), np.asarray(scores)
        if columns.ndim != 2 or columns.shape != scores.shape:
            raise ValueError(
                f"columns and scores must have one shape (n_samples, k); got "
                f"{columns.shape} and {scores.shape}."
            )
        rows, places = np.nonzero(columns >= 0)
        found = scores[rows, places].astype(np.float64)
        return cls(rows, columns[rows, places], found, places + 1)


@dataclass(frozen=True)
class CandidateState:
    """What `CandidateFeatures` have learned.

    Parameters
    ----------
    counts : ndarray of shape (n_labels,), int64
    centroids : csr_array of shape (n_labels, n_features) or None
    """

    counts: NDArray
    centroids: sparse.csr_array | None


class CandidateFeatures(Documented, Stateful, BaseEstimator):
    """Describe pairs of a row and a candidate by numbers.

    The columns are

    0. the logarithm of the ranker's score;
    1. the same, less that of the row's best candidate;
    2. 1 / rank;
    3. log(1 + number of training rows that have the label);
    4. where X is a matrix of numbers: the cosine of the row and of the sum of the
       label's normalised training rows.

    For other features, write a class like this one, or a subclass.

    Attributes
    ----------
    counts_ : ndarray of shape (n_labels,), int64
        How many training rows have each label.
    centroids_ : csr_array of shape (n_labels, n_features) or None
        The direction of the sum of each label's rows; None where X is no matrix.

    See Also
    --------
    Reranker : Ranks candidates again by such features.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.candidates import CandidateFeatures, Candidates
    >>> X, Y = np.eye(3), np.array([[1, 0], [0, 1], [0, 1]])
    >>> found = Candidates.of_ranking(np.array([[1, 0]]), np.array([[0.5, 0.1]]))
    >>> CandidateFeatures().fit(X, Y).transform(X[:1], found).round(2)
    array([[-0.69,  0.  ,  1.  ,  1.1 ,  0.  ],
           [-2.3 , -1.61,  0.5 ,  0.69,  1.  ]])
    """

    counts_ = from_state("counts", "How many training rows have each label.")
    centroids_ = from_state("centroids", "Directions of the labels' rows, or None.")

    @writes
    def fit(self, X: Any, Y: MatrixLike) -> Self:
        """Count the labels, and sum up their rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            Training rows.
        Y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of their labels.

        Returns
        -------
        self
        """
        Y = indicator_pattern(check_structure(Y, "Y"))
        rows = _unit_rows(X)
        counts = np.bincount(Y.indices, minlength=Y.shape[1])
        centroids = None
        if rows is not None:
            centroids = _centroids(Y, rows)
        self._state = CandidateState(counts, centroids)
        return self

    @reads
    def transform(self, X: Any, candidates: Candidates) -> NDArray:
        """Describe candidates.

        Parameters
        ----------
        X : as for `fit`
            The rows that candidates were found for.
        candidates : Candidates
            The pairs to describe.

        Returns
        -------
        ndarray of shape (n_pairs, 5), or (n_pairs, 4) where X is no matrix, float64
        """
        state = self._fitted()
        # NumPy's logarithm of single precision differs between processors.
        scores = np.maximum(candidates.scores, np.finfo(np.float32).tiny)
        logs = np.log(scores, dtype=np.float64)
        best = np.full(1 + candidates.rows.max(initial=0), -np.inf)
        np.maximum.at(best, candidates.rows, logs)
        described = [
            logs,
            logs - best[candidates.rows],
            1 / candidates.ranks,
            np.log1p(state.counts[candidates.columns]),
        ]
        if state.centroids is not None:
            rows = _unit_rows(X)
            described.append(_similarity(rows, state.centroids, candidates))
        return np.column_stack(described)


def _centroids(Y, rows):
    """Sum up the rows of each label, scaled to unit length: sorted CSR.

    SciPy's product takes memory for all columns: it gets those that are used.
    """
    used, places = np.unique(rows.indices, return_inverse=True)
    narrow = sparse.csr_array(
        (rows.data, places, rows.indptr), shape=(rows.shape[0], len(used))
    )
    sums = sparse.csr_array(normalize(sparse.csr_array(Y.T) @ narrow))
    sums.sort_indices()
    return sparse.csr_array(
        (sums.data, used[sums.indices], sums.indptr),
        shape=(Y.shape[1], rows.shape[1]),
    )


def _similarity(rows, centroids, candidates):
    similarity = np.empty(len(candidates))
    for start in range(0, len(candidates), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        of_labels = centroids[candidates.columns[part]]
        products = rows[candidates.rows[part]].multiply(of_labels)
        similarity[part] = products.sum(axis=1)
    return similarity


def _unit_rows(X):
    """CSR array of the rows, each of length 1; None if X has no numbers."""
    X = check_structure(X, "X")
    if not sparse.issparse(X):
        X = np.asarray(X)
        if X.ndim != 2 or X.dtype.kind not in "fiub":
            return None
    checked = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])
    return sparse.csr_array(normalize(checked))
