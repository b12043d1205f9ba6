"""Averages the scores of several trees over the same labels."""

import os

import numpy as np

from skxmr._cython._ensembles import average

__all__ = ["average_trees"]

# Of the hash of columns: nobody can choose columns that all meet in the table.
_FACTOR = int.from_bytes(os.urandom(8), "little") | 1


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
    together = np.hstack(columns)
    n_samples, n_entries = together.shape
    log_slots = n_entries.bit_length() + 1  # less than half of them are taken
    best = np.empty((n_samples, k), dtype=np.int64)
    best_scores = np.empty((n_samples, k))
    average(
        together,
        np.hstack(log_scores),
        len(columns),
        log_slots,
        _FACTOR,
        np.empty(2**log_slots, dtype=np.int32),
        np.empty(n_entries, dtype=np.int64),
        np.empty(n_entries),
        best,
        best_scores,
    )
    return best, best_scores
