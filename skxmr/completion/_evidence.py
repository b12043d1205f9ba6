"""Selection of the best matching queries by the sum of several weights."""

import numpy as np

from skxmr._cython._completion import best_of_sums

__all__ = ["Evidence", "WordMatches", "best_shares", "best_suggestions"]


class WordMatches:
    """An index, of which only the queries that have some words count.

    Parameters
    ----------
    index : PrefixIndex or LivingIndex
    prefix : str
        As made by `Normalizer.prefix`.
    """

    def __init__(self, index, prefix):
        self.fitted_counts = index.fitted_counts
        self.count_changes = index.count_changes
        self._index = index
        self._sought = index.seek_words(prefix)

    def most_frequent(self, ranges, k):
        """Find the k most frequent ones in some ranges, best first."""
        return self._index.most_frequent_with(self._sought, ranges, k)

    def mass(self, ranges):  # noqa: ARG002
        """Return 0: not known without finding all of them."""
        return 0.0

    def among(self, ids, weights):
        """Return the ids that have the words, and their weights."""
        found = self._index.have_words(self._sought, ids.astype(np.int64))
        return ids[found], weights[found]


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
