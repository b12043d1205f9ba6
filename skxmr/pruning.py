"""Drops small weights: a smaller, faster model at some cost of accuracy."""

import numpy as np

from skxmr._cython._pruning import any_dropped, copy_kept, count_kept
from skxmr.weights import LinearWeights

__all__ = ["prune"]


def prune(weights, threshold):
    """Keep the weights of magnitude `threshold` or more, and all intercepts.

    Chang et al. (arXiv 2106.12657) prune the trained weights of every node with
    one threshold.

    Parameters
    ----------
    weights : LinearWeights
        Left as it is.
    threshold : float
        Not negative.

    Returns
    -------
    LinearWeights
    """
    if not any_dropped(weights.weights, threshold):
        return weights
    kept = np.empty(len(weights.features), dtype=np.int64)
    count_kept(weights.run_offsets, weights.weights, threshold, kept)
    n_kept = int(kept.sum())
    children = np.empty(n_kept, dtype=np.int32)
    values = np.empty(n_kept, dtype=np.float32)
    copy_kept(weights.children, weights.weights, threshold, children, values)
    used = kept > 0
    rows_before = np.concatenate([[0], np.cumsum(used)])
    return LinearWeights(
        row_offsets=rows_before[weights.row_offsets],
        features=weights.features[used],
        run_offsets=np.concatenate([[0], np.cumsum(kept[used])]),
        children=children,
        weights=values,
        intercepts=weights.intercepts,
    )
