"""Averages the scores of several trees over the same labels."""

import numpy as np

__all__ = ["average_trees"]


def average_trees(columns, log_scores, k):
    """Average the scores of several shortlists of each row and keep the best.

    A label that a tree did not find has the score 0 there (as in Parabel, Prabhu et
    al., WWW 2018).

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_samples, n_candidates), int64
        Of each tree; -1 where fewer are found.
    log_scores : sequence of ndarray of shape (n_samples, n_candidates), float64
    k : int

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first, of equal ones the smaller column; -1 where fewer are found.
    log_scores : ndarray of shape (n_samples, k), float64
    """
    if len(columns) == 1:
        return columns[0][:, :k], log_scores[0][:, :k]
    n_samples, n_trees = len(columns[0]), len(columns)
    rows, columns, log_scores = _entries(np.hstack(columns), np.hstack(log_scores))
    first = _starts(rows) | _starts(columns)
    if first.any():
        log_scores = np.logaddexp.reduceat(log_scores, np.flatnonzero(first))
    rows, columns = rows[first], columns[first]

    order = np.lexsort((columns, -log_scores, rows))
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    kept = order[place < k]
    cells = rows[kept], place[place < k]
    best = np.full((n_samples, k), -1, dtype=np.int64)
    best[cells] = columns[kept]
    best_scores = np.full((n_samples, k), -np.inf)
    best_scores[cells] = log_scores[kept] - np.log(n_trees)
    return best, best_scores


def _entries(columns, log_scores):
    """List what was found as (row, column, score), by row and then by column."""
    rows, places = np.nonzero(columns >= 0)
    columns, log_scores = columns[rows, places], log_scores[rows, places]
    order = np.lexsort((columns, rows))
    return rows[order], columns[order], log_scores[order]


def _starts(values):
    """Mark the entries that differ from the one before."""
    return np.concatenate([np.ones(min(1, len(values)), bool), np.diff(values) != 0])
