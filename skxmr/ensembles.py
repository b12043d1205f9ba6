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
    n_trees = len(columns)
    columns, log_scores = np.hstack(columns), np.hstack(log_scores)
    order = np.argsort(columns, axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    log_scores = np.take_along_axis(log_scores, order, axis=1)
    # Sorted by column, a label's scores of all trees are neighbours: add them up at
    # the first of them.
    for shift in range(1, n_trees):
        same = columns[:, shift:] == columns[:, :-shift]
        first = np.ones_like(columns, dtype=bool)
        first[:, 1:] = columns[:, 1:] != columns[:, :-1]
        added = np.logaddexp(log_scores[:, :-shift], log_scores[:, shift:])
        target = log_scores[:, :-shift]
        np.copyto(target, added, where=same & first[:, :-shift])
    repeated = np.zeros_like(columns, dtype=bool)
    repeated[:, 1:] = columns[:, 1:] == columns[:, :-1]
    log_scores[repeated] = -np.inf
    columns[np.isneginf(log_scores)] = -1
    log_scores -= np.log(n_trees)
    best = np.lexsort((columns, -log_scores), axis=1)[:, :k]
    return (
        np.take_along_axis(columns, best, axis=1),
        np.take_along_axis(log_scores, best, axis=1),
    )
