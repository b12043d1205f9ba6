"""Selection of the best matching queries by the sum of several weights."""

import numpy as np

from skxmr._cython._completion import best_of_sums

__all__ = ["Evidence", "best_shares", "best_suggestions"]


class Evidence:
    """Weights of the queries in some ranges of ranks.

    The weight of a query is the sum of its weights in several lists and of `prior`
    times its count.

    Parameters
    ----------
    index : PrefixIndex
    ranges : ndarray of shape (n_ranges, 2), int64
    prior : float
    """

    def __init__(self, index, ranges, prior):
        self.index = index
        self.ranges = ranges
        self.prior = prior
        self.lists = []
        self.factors = []
        self.total = prior * index.mass(ranges)

    def add(self, ranks, weights, factor):
        """Add a list: ranks (int32, ascending) and weights (float32) times a factor."""
        self.lists.append((ranks, weights))
        self.factors.append(factor)
        self.total += factor * float(weights.sum(dtype=np.float64))


def best_suggestions(evidence, k):
    """Find the queries with the largest weights.

    If fewer than k queries are in any list, the most frequent others follow.

    Parameters
    ----------
    evidence : Evidence
    k : int

    Returns
    -------
    ranks : ndarray of shape (at most k,), int64
        Best first; ties are broken in alphabetical order.
    weights : ndarray of the same shape, float64
    """
    popular = evidence.index.most_frequent(evidence.ranges, k)
    if len(popular) == 0:
        return popular, np.empty(0)
    filling = np.sort(popular).astype(np.int32)
    lists = [*evidence.lists, (filling, np.zeros(len(filling), dtype=np.float32))]
    best, weights = np.empty(len(popular), dtype=np.int64), np.empty(len(popular))
    best_of_sums(
        lists,
        np.array([*evidence.factors, 0.0]),
        evidence.index.fitted_counts,
        evidence.prior,
        np.empty(len(lists), dtype=np.int64),
        best,
        weights,
        evidence.index.count_changes,
        np.empty(len(best), dtype=np.int64),
    )
    return best, weights


def best_shares(evidence, k):
    """Find the queries with the largest weights, and their shares of all weight."""
    ranks, weights = best_suggestions(evidence, k)
    return ranks, weights / evidence.total if len(ranks) else weights
