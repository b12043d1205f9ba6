"""Scored pairs of a row and a label, some of which are chosen."""

from dataclasses import dataclass, replace

import numpy as np

from skxmr.metrics._hits import positions_in

__all__ = ["ScoredPairs", "relative_scores", "shares_of_scores"]


@dataclass(frozen=True)
class ScoredPairs:
    """The candidates of rows, with their scores, and which of them are true.

    Attributes
    ----------
    rows, columns : ndarray of shape (n_pairs,), int64
        Ordered by row, and by rank within a row.
    scores : ndarray of shape (n_pairs,), float64
    is_true : ndarray of shape (n_pairs,), bool
    n_true_of_rows : ndarray of shape (n_samples,), int64
        The true labels of each row, candidates or not.
    n_true_of_labels : ndarray of shape (n_labels,), int64
        The rows of each label.
    """

    rows: np.ndarray
    columns: np.ndarray
    scores: np.ndarray
    is_true: np.ndarray
    n_true_of_rows: np.ndarray
    n_true_of_labels: np.ndarray

    @classmethod
    def of_ranking(cls, columns, scores, Y):
        """Take the pairs of a ranking.

        Parameters
        ----------
        columns : ndarray of shape (n_samples, k), int64
            As `skxmr.rank` returns them.
        scores : ndarray of shape (n_samples, k)
        Y : csr_array of shape (n_samples, n_labels), canonical
            True labels are stored.

        Returns
        -------
        ScoredPairs
        """
        rows, ranks = np.nonzero(columns >= 0)
        is_true = positions_in(Y, columns) >= 0
        return cls(
            rows=rows,
            columns=columns[rows, ranks],
            scores=scores[rows, ranks].astype(np.float64),
            is_true=is_true[rows, ranks],
            n_true_of_rows=np.diff(Y.indptr).astype(np.int64),
            n_true_of_labels=np.bincount(Y.indices, minlength=Y.shape[1]),
        )

    def rescored(self, rescore):
        """Replace the scores by a function of each row's scores.

        Parameters
        ----------
        rescore : callable
            Takes an array of shape (n_samples, k) with the scores of each row, best
            first, 0 where there is none; returns one of its shape.

        Returns
        -------
        ScoredPairs
        """
        starts = np.searchsorted(self.rows, np.arange(self.n_true_of_rows.size))
        ranks = np.arange(self.rows.size) - starts[self.rows]
        scores = np.zeros((starts.size, int(ranks.max(initial=-1)) + 1))
        scores[self.rows, ranks] = self.scores
        return replace(self, scores=rescore(scores)[self.rows, ranks])

    @classmethod
    def concatenate(cls, parts):
        """Join the pairs of several sets of rows.

        Parameters
        ----------
        parts : list of ScoredPairs
            With the same labels; at least one.

        Returns
        -------
        ScoredPairs
        """
        sizes = [part.n_true_of_rows.size for part in parts]
        starts = np.cumsum([0, *sizes[:-1]])
        pairs = zip(parts, starts, strict=True)
        return cls(
            rows=np.concatenate([part.rows + start for part, start in pairs]),
            columns=np.concatenate([part.columns for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            is_true=np.concatenate([part.is_true for part in parts]),
            n_true_of_rows=np.concatenate([part.n_true_of_rows for part in parts]),
            n_true_of_labels=sum(part.n_true_of_labels for part in parts),
        )


def shares_of_scores(scores):
    """Divide the sum of a row's probabilities by the rank of each label.

    The labels with a share of at least 1 are as many as the probabilities add up to,
    rounded: with a sum of s, the label of rank j, from 0, has s / (j + 1/2).

    Parameters
    ----------
    scores : ndarray of shape (n_samples, k)
        Probabilities, best first, 0 where no label is found.

    Returns
    -------
    ndarray of shape (n_samples, k), float64
    """
    sums = scores.sum(axis=1, dtype=np.float64, keepdims=True)
    return sums / (np.arange(scores.shape[1]) + 0.5)


def relative_scores(scores):
    """Divide the scores of each row by the highest one.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, k)
        Not negative, best first, 0 where no label is found.

    Returns
    -------
    ndarray of shape (n_samples, k), float64
    """
    if not scores.shape[1]:
        return scores.astype(np.float64)
    highest = scores[:, :1].astype(np.float64)
    return scores / np.where(highest > 0, highest, 1)
