"""Which part of a ranking is returned: from where on, how much, and how good."""

from __future__ import annotations

from numbers import Integral, Real
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skxmr._lexical._weights import check_label_weights

__all__ = ["Page", "lacks_terms", "nothing_found"]


class Page(NamedTuple):
    """A part of a ranking.

    Parameters
    ----------
    k : int
        The number of labels.
    offset : int, default=0
        How many of the best labels are skipped.
    min_score : float, default=0.0
        Labels of a lower score are left out.
    label_weights : ndarray of shape (n_labels,), float32, or None, default=None
        Factors of the scores, from 0 to 1.
    scale : float, default=1.0
        Another factor, of all scores.
    """

    k: int
    offset: int = 0
    min_score: float = 0.0
    label_weights: NDArray | None = None
    scale: float = 1.0

    @classmethod
    def of(cls, k, offset, min_score, label_weights, known) -> Self:
        """Validate the arguments of a search.

        Raises
        ------
        ValueError, TypeError
            If one is invalid.
        """
        is_plain = type(offset) is int and type(min_score) is float
        if is_plain and label_weights is None and offset >= 0 and min_score >= 0:
            return cls(k, offset, min_score)
        if isinstance(offset, bool) or not isinstance(offset, Integral):
            raise TypeError(f"offset must be an int; got {offset!r:.50}.")
        if offset < 0:
            raise ValueError(f"offset={offset}; expected a number from 0.")
        if isinstance(min_score, bool) or not isinstance(min_score, Real):
            raise TypeError(f"min_score must be a number; got {min_score!r:.50}.")
        if not float(min_score) >= 0:
            raise ValueError(f"min_score={min_score}; expected a number from 0.")
        weights, scale = None, 1.0
        if label_weights is not None:
            weights, scale = check_label_weights(label_weights, known)
        return cls(k, int(offset), float(min_score), weights, scale)

    def n_wanted(self, n_labels):
        """Return the number of labels to be ranked."""
        return min(self.k + self.offset, n_labels)

    def of_ranking(self, columns, scores):
        """Weigh a ranking, and cut the part out.

        Parameters
        ----------
        columns : ndarray of shape (n_texts, at least n_wanted), int64
        scores : ndarray of the same shape

        Returns
        -------
        columns : ndarray of shape (n_texts, at most k), int64
        scores : ndarray of the same shape
        """
        if self.label_weights is not None:
            weights = self.label_weights * np.float32(self.scale)
            columns, scores = _weighed(columns, scores, weights)
        if self.offset or columns.shape[1] > self.k:
            part = slice(self.offset, self.offset + self.k)
            columns, scores = columns[:, part], scores[:, part]
        if self.min_score > 0:
            return nothing_found(columns, scores, scores < self.min_score)
        return columns, scores


def lacks_terms(X):
    """Return which rows of features are empty.

    Parameters
    ----------
    X : matrix of shape (n_texts, n_features)

    Returns
    -------
    ndarray of shape (n_texts,), bool
    """
    if sparse.issparse(X):
        return np.diff(sparse.csr_array(X).indptr) == 0
    return ~np.asarray(X).any(axis=1)


def nothing_found(columns, scores, is_missing):
    """Mark entries of a ranking as not found.

    Parameters
    ----------
    columns : ndarray of shape (n_texts, k), int64
    scores : ndarray of shape (n_texts, k)
    is_missing : ndarray of shape (n_texts,) or (n_texts, k), bool

    Returns
    -------
    columns : ndarray of shape (n_texts, k), int64
        -1 where missing.
    scores : ndarray of shape (n_texts, k)
        0 where missing.
    """
    if not is_missing.any():
        return columns, scores
    if is_missing.ndim == 1:
        is_missing = is_missing[:, np.newaxis]
    zero = scores.dtype.type(0)
    return np.where(is_missing, -1, columns), np.where(is_missing, zero, scores)


def _weighed(columns, scores, weights):
    """Multiply scores by the weights of labels, and sort each row again."""
    scores = (scores * weights[columns]).astype(scores.dtype)
    is_missing = (columns < 0) | (scores <= 0)
    columns, scores = nothing_found(columns, scores, is_missing)
    # Of equal scores, the smaller column comes first.
    keys = np.where(is_missing, np.inf, columns), -scores
    order = np.lexsort(keys, axis=1)
    columns = np.take_along_axis(columns, order, axis=1)
    return columns, np.take_along_axis(scores, order, axis=1)
