"""The results of independent searches of all shards, combined."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from skxmr._inputs._validation import check_k
from skxmr._targets import scores_from_logs
from skxmr._utils._padding import check_size, pad_ranking
from skxmr._utils._sparse_structure import refuse_sparse
from skxmr._utils._typing import Ranking
from skxmr.ranking import best_k

__all__ = ["merge"]


def merge(found: Iterable[tuple], k: int = 10) -> Ranking:
    """Combine the results of independent searches of all shards.

    Parameters
    ----------
    found : iterable of (columns, log_scores)
        As returned by `TreeShard.search` of all shards for the same rows. Each label is
        in one shard only.
    k : int, default=10
        The number of labels per row.

    Returns
    -------
    columns : ndarray of shape (n_rows, k), int64
        The best labels; ties are broken by column index; -1 if there are fewer.
    scores : ndarray of shape (n_rows, k), float32
        As returned by `XRLinearClassifier.rank`.

    See Also
    --------
    ShardedRanker : Gives the result of the whole model with any beam.

    Notes
    -----
    The result is that of the whole model if ``beam_width=None``, or if the beam is so
    wide that no node is dropped. Otherwise see `ShardedRanker`. In an ensemble, a label
    is in different shards for different trees, so that only `ShardedRanker` gives
    correct scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.sharding import merge
    >>> one = np.array([[4, 2]]), np.log([[0.75, 0.25]])
    >>> other = np.array([[7, -1]]), np.array([[np.log(0.5), -np.inf]])
    >>> columns, scores = merge([one, other], k=4)
    >>> columns.tolist()
    [[4, 7, 2, -1]]
    >>> scores.tolist()
    [[0.75, 0.5, 0.25, 0.0]]
    """
    k = check_k(k, "merge")
    refuse_sparse(found, "found", "an iterable of (columns, log_scores)")
    columns, log_scores = map(np.hstack, zip(*found, strict=True))
    n_found = check_size(len(columns), k, columns.shape[1])
    columns, log_scores = best_k(columns, log_scores, n_found)
    return pad_ranking(columns, scores_from_logs(columns, log_scores), k)
