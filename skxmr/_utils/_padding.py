"""Padding of rankings if there are fewer than k labels."""

import numpy as np

from skxmr._utils._foresight import SMALL, foresee

__all__ = ["check_size", "pad_ranking"]

# A column index and a score.
_ENTRY_BYTES = 8 + 4

# With more padding than this, k is assumed to be an error.
_MOST_PADDING = 2**32


def check_size(n_rows, k, n_labels):
    """Raise an error for a ranking that does not fit in memory, before the search.

    Parameters
    ----------
    n_rows : int
    k : int
        The requested number of labels.
    n_labels : int
        The number of all labels.

    Returns
    -------
    int
        The smaller of both.

    Raises
    ------
    ValueError
        If nearly all of a huge ranking would be padding.
    MemoryError
        If the ranking needs more memory than there is.
    """
    n_bytes = n_rows * k * _ENTRY_BYTES
    if n_bytes > SMALL:
        _check_memory(n_bytes, n_rows, k, n_labels)
    return min(k, n_labels)


def _check_memory(n_bytes, n_rows, k, n_labels):
    if n_rows * (k - n_labels) * _ENTRY_BYTES > _MOST_PADDING:
        raise ValueError(
            f"k={k} is far more than the {n_labels} labels that there are; a ranking "
            f"of {n_rows} rows would be {n_bytes / 1e9:,.1f} GB of padding. Give a k "
            f"up to {n_labels}."
        )
    foresee(
        n_bytes,
        f"A ranking of {n_rows} rows with k={k}",
        "Lower k, or rank fewer rows at a time (skxmr.streaming.rank_batches).",
    )


def pad_ranking(columns, scores, k):
    """Pad a ranking to k entries per row with column -1 and score 0.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, at most k) or (at most k,), int64
    scores : ndarray of the same shape
    k : int

    Returns
    -------
    columns : ndarray of shape (n_rows, k) or (k,), int64
    scores : ndarray of the same shape, of the same dtype
    """
    n_found = columns.shape[-1]
    if n_found == k:
        return columns, scores
    shape = (*columns.shape[:-1], k)
    wide_columns = np.full(shape, -1, dtype=np.int64)
    wide_scores = np.zeros(shape, dtype=scores.dtype)
    wide_columns[..., :n_found] = columns
    wide_scores[..., :n_found] = scores
    return wide_columns, wide_scores
