"""Drops small weights: a smaller, faster model at some cost of accuracy."""

from typing import NamedTuple

import numpy as np

from skxmr._cython._pruning import Weights, count_kept
from skxmr._search._weights import LinearWeights

__all__ = ["THRESHOLD_UNITS", "Pruning", "check_threshold", "prune"]

# A relative threshold is a multiple of the node's largest absolute weight; an absolute
# one is a number.
THRESHOLD_UNITS = ("relative", "absolute")


class Pruning(NamedTuple):
    """The thresholds at which a model was pruned, for further weights.

    Parameters
    ----------
    relative, absolute : float
    unit_weight : float
        As for `prune`.
    """

    relative: float
    absolute: float
    unit_weight: float

    def floors(self, largest):
        """Return the magnitude that the weights of each node must have.

        Parameters
        ----------
        largest : ndarray of shape (n_nodes,)
            The largest magnitude among the weights of each node.

        Returns
        -------
        ndarray of shape (n_nodes,)
        """
        share = self.relative * np.minimum(largest, self.unit_weight)
        return np.maximum(share, self.absolute)


def check_threshold(name, value, unit):
    """Raise an error if a relative threshold is more than 1.

    Parameters
    ----------
    name : str
        The name of the parameter.
    value : float
        Not negative.
    unit : {"relative", "absolute"}

    Raises
    ------
    ValueError
    """
    if unit == "relative" and not 0 <= value <= 1:
        raise ValueError(
            f"{name}={value} must be between 0 and 1, a share of the largest weight of "
            f"each node, since threshold_unit='relative'. For a threshold on the "
            f"magnitude of weights, set threshold_unit='absolute'."
        )


def prune(weights, threshold, unit, unit_weight=np.inf):
    """Keep the large weights of each node, and all intercepts.

    Chang et al. (arXiv 2106.12657) prune the trained weights of every node with
    one threshold. A share of each node's largest weight does not depend on the unit of
    the features, and never drops all weights of a node. But where a few weights are
    very large, a share of them may exceed weights that matter for margins of about 1:
    so the largest weight is limited to the one that gives such a margin.

    Parameters
    ----------
    weights : LinearWeights
        Not modified.
    threshold : float
        Weights of a smaller magnitude are dropped. Not negative.
    unit : {"relative", "absolute"}
        Whether `threshold` is a share, at most 1, of the largest magnitude among the
        weights of the same node.
    unit_weight : float, default=inf
        The weight that gives a margin of 1 to a row of the usual length with no other
        feature. The largest magnitude of a node is limited to it.

    Returns
    -------
    LinearWeights
    """
    kept = np.empty(len(weights.features), dtype=np.int64)
    mask = np.empty(weights.n_weights, dtype=np.bool_)
    count_kept(
        Weights(weights),
        np.empty(weights.children.max(initial=-1) + 1, dtype=np.float32),
        kept,
        mask.view(np.uint8),
        threshold=threshold,
        is_relative=unit == "relative",
        most=unit_weight,
    )
    if mask.all():
        return weights
    used = kept > 0
    rows_before = np.concatenate([[0], np.cumsum(used)])
    return LinearWeights(
        posting_offsets=rows_before[weights.posting_offsets],
        features=weights.features[used],
        run_offsets=np.concatenate([[0], np.cumsum(kept[used])]),
        children=weights.children[mask],
        weights=weights.weights[mask],
        intercepts=weights.intercepts,
    )
