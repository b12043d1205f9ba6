"""The labels that several estimators list for the same rows."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skxmr._inputs._validation import public_csr
from skxmr.ranking import rank, top_k

__all__ = ["Listings", "best_candidates", "rank_row"]


@dataclass(frozen=True)
class Listings:
    """The labels that estimators list, as entries and as candidates.

    An entry is one label in the list of one estimator for one row; a candidate is a
    label that at least one estimator lists for the row.

    Parameters
    ----------
    offsets : ndarray of shape (n_rows + 1,), int64
        Row i has the candidates from ``offsets[i]`` up to ``offsets[i + 1]``.
    columns : ndarray of shape (n_candidates,), int64
        Ascending within a row.
    candidates : ndarray of shape (n_entries,), int64
        The candidate of each entry. Those of one candidate are in the order of the
        estimators.
    members : ndarray of shape (n_entries,), int64
        The index of the estimator.
    ranks : ndarray of shape (n_entries,), int64
        From 1.
    scores : ndarray of shape (n_entries,), float64
    best : ndarray of shape (n_entries,), float64
        The score of the first label that the estimator lists for the row.
    """

    offsets: np.ndarray
    columns: np.ndarray
    candidates: np.ndarray
    members: np.ndarray
    ranks: np.ndarray
    scores: np.ndarray
    best: np.ndarray

    @classmethod
    def of(cls, rankings, n_labels):
        """Collect the rankings of the same rows.

        Parameters
        ----------
        rankings : list of (columns, scores)
            Of each estimator, as `skxmr.rank` returns them.
        n_labels : int

        Returns
        -------
        Listings
        """
        columns = np.concatenate([found for found, _ in rankings], axis=1)
        scores = np.concatenate([scores for _, scores in rankings], axis=1)
        best = [scores[:, 0] for _, scores in rankings]
        widths = [found.shape[1] for found, _ in rankings]
        members = np.repeat(np.arange(len(rankings)), widths)
        ranks = np.concatenate([np.arange(1, width + 1) for width in widths])
        rows, positions = np.nonzero(columns >= 0)
        keys = rows * n_labels + columns[rows, positions]
        keys, candidates = np.unique(keys, return_inverse=True)
        starts = np.arange(len(columns) + 1) * n_labels
        return cls(
            offsets=np.searchsorted(keys, starts),
            columns=keys % n_labels,
            candidates=candidates,
            members=members[positions],
            ranks=ranks[positions],
            scores=scores[rows, positions].astype(np.float64),
            best=np.stack(best, axis=1)[rows, members[positions]].astype(np.float64),
        )

    @property
    def rows(self):
        """The row of each candidate."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def sum(self, values):
        """Sum values of the entries of each candidate, in the order of estimators.

        Parameters
        ----------
        values : ndarray of shape (n_entries,), float64

        Returns
        -------
        ndarray of shape (n_candidates,), float64
        """
        return np.bincount(self.candidates, values, len(self.columns))


def best_candidates(listings, scores, k, n_labels):
    """Return the candidates of each row with the highest scores.

    Parameters
    ----------
    listings : Listings
    scores : ndarray of shape (n_candidates,), float64
        Candidates with a score of 0 are left out.
    k : int
    n_labels : int

    Returns
    -------
    columns : ndarray of shape (n_rows, k), int64
        Best first, ties broken by column; filled up with -1.
    scores : ndarray of shape (n_rows, k), float64
        0 where the column is -1.
    """
    n_rows = len(listings.offsets) - 1
    if n_rows == 1:  # with little overhead
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] != 0][:k]
        columns, best = np.full((1, k), -1, dtype=np.int64), np.zeros((1, k))
        columns[0, : len(order)] = listings.columns[order]
        best[0, : len(order)] = scores[order]
        return columns, best
    entries = scores, listings.columns, listings.offsets
    return top_k(sparse.csr_array(entries, shape=(n_rows, n_labels)), k)


def rank_row(estimator, features, k, allowed):
    """Rank the labels for a single row.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator, called by ``rank_one`` if it has that.
    features : tuple of str, or of ndarray or None and ndarray
        A text; or indices, or None for a dense row, and values.
    k : int
    allowed : LabelSubset, iterable of labels or None

    Returns
    -------
    columns, scores : ndarray of shape (1, k)
    """
    if hasattr(estimator, "rank_one"):
        restricted = {} if allowed is None else {"allowed": allowed}
        columns, scores = estimator.rank_one(*features, k=k, **restricted)
        return columns[np.newaxis], scores[np.newaxis]
    return rank(estimator, _as_rows(estimator, features), k, allowed=allowed)


def _as_rows(estimator, features):
    """Make the input of a method `rank` with a single row."""
    if len(features) == 1:
        return list(features)
    indices, values = features
    if indices is None:
        return values[np.newaxis]
    entries = values, indices, np.array([0, len(indices)])
    shape = (1, estimator.n_features_in_)
    return public_csr(sparse.csr_array(entries, shape=shape))
