"""Pairs of a row and a candidate label, and their features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.preprocessing import normalize
from sklearn.utils import check_array

from skxmr._base._documentation import Documented
from skxmr._base._state import Stateful, from_state, reads, writes
from skxmr._inputs._target_kinds import indicator_pattern
from skxmr._inputs._validation import check_structure
from skxmr._utils._sparse_structure import refuse_sparse
from skxmr._utils._typing import MatrixLike

__all__ = ["CandidateFeatures", "Candidates"]

# Pairs whose similarity is computed at a time.
_PAIRS_AT_ONCE = 2**16


@dataclass(frozen=True)
class Candidates:
    """Pairs of a row and a candidate label.

    Sorted by row, and best first within each row.

    Parameters
    ----------
    rows : ndarray of shape (n_pairs,), int64
        Index of the row of X.
    columns : ndarray of shape (n_pairs,), int64
        Index of the label: a column of y, or an index into the sorted classes.
    scores : ndarray of shape (n_pairs,), float64
        The score from the ranker, between 0 and 1.
    ranks : ndarray of shape (n_pairs,), int64
        The rank of the label in the row's ranking, from 1.

    See Also
    --------
    skxmr.Reranker : Passes them to its `features`.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.rankers._candidates import Candidates
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
        """Build the pairs of a ranking.

        Parameters
        ----------
        columns : ndarray of shape (n_samples, k), int64
            As `skxmr.rank` returns them, filled up with -1.
        scores : ndarray of shape (n_samples, k)
            Their scores.

        Returns
        -------
        Candidates

        Raises
        ------
        ValueError
            If the arrays differ in shape or are not 2-D.
        """
        for given, name in ((columns, "columns"), (scores, "scores")):
            refuse_sparse(given, name, "an ndarray")
        columns, scores = np.asarray(columns), np.asarray(scores)
        if columns.ndim != 2 or columns.shape != scores.shape:
            raise ValueError(
                f"columns and scores must have one shape (n_samples, k); got "
                f"{columns.shape} and {scores.shape}."
            )
        rows, positions = np.nonzero(columns >= 0)
        found = scores[rows, positions].astype(np.float64)
        return cls(rows, columns[rows, positions], found, positions + 1)


@dataclass(frozen=True)
class CandidateState:
    """The fitted state of `CandidateFeatures`.

    Parameters
    ----------
    counts : ndarray of shape (n_labels,), int64
    centroids : csr_array of shape (n_labels, n_features) or None
    """

    counts: NDArray
    centroids: sparse.csr_array | None


class CandidateFeatures(Documented, Stateful, BaseEstimator):
    """Features of pairs of a row and a candidate.

    The columns are

    0. the logarithm of the ranker's score;
    1. the same minus that of the row's best candidate;
    2. 1 / rank;
    3. log(1 + number of training rows that have the label);
    4. if X is a numeric matrix: the cosine of the row and of the sum of the
       label's normalised training rows.

    For other features, write a subclass or a class with the same methods.

    Attributes
    ----------
    counts_ : ndarray of shape (n_labels,), int64
        The number of training rows that have each label.
    centroids_ : csr_array of shape (n_labels, n_features) or None
        The sum of each label's rows, scaled to unit length; None if X is not a matrix.

    See Also
    --------
    Reranker : Uses the features.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.rankers._candidates import CandidateFeatures, Candidates
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
        """Count the labels, and sum their rows.

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
        """Compute the features of candidates.

        Parameters
        ----------
        X : as for `fit`
            The rows of the candidates.
        candidates : Candidates
            The pairs.

        Returns
        -------
        ndarray of shape (n_pairs, 5), or (n_pairs, 4) where X is no matrix, float64
        """
        state = self._fitted()
        # Logarithms in double precision: those of single precision differ between CPUs.
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
    """Sum the rows of each label, scaled to unit length: sorted CSR.

    SciPy's product allocates memory for all columns, so only used columns are passed.
    """
    used, positions = np.unique(rows.indices, return_inverse=True)
    narrow = sparse.csr_array(
        (rows.data, positions, rows.indptr), shape=(rows.shape[0], len(used))
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
    """CSR array of the rows, scaled to unit length; None if X is not numeric."""
    X = check_structure(X, "X")
    if not sparse.issparse(X):
        X = np.asarray(X)
        if X.ndim != 2 or X.dtype.kind not in "fiub":
            return None
    checked = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])
    return sparse.csr_array(normalize(checked))
