"""The ranker that searches all shards together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from skxmr._base._documentation import Documented
from skxmr._base._ranking_classifier import RanksLabels
from skxmr._base._state import from_state
from skxmr._inputs._features import Features, validate_features
from skxmr._search._beam_search import search_trees
from skxmr._search._subset import MakesSubsets
from skxmr._targets import scores_from_logs
from skxmr._utils._dense import DenseRows
from skxmr.ranking import LabelSubset, RowSubset, best_k, look_up
from skxmr.sharding._shard import Description, description_of

__all__ = ["ShardedRanker"]

# The number of rows per search, which bounds the size of an exchange.
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class _Shards:
    """The shards of a classifier and their descriptions.

    Parameters
    ----------
    shards : sequence
    whole : Description
    ranges : list
        For each shard, tree and level, the first node and the one after the last.
    names : ndarray of shape (n_labels,), or None
        The classes of a 1-D target.
    """

    shards: Sequence
    whole: Description
    ranges: list
    names: NDArray | None

    @classmethod
    def of(cls, shards):
        """Request the descriptions of shards, and check that all shards are there."""
        described = [shard.describe() for shard in shards]
        if not described:
            raise ValueError("shards is empty; expected all shards of a classifier.")
        whole = description_of(described[0])
        ranges = [one["ranges"] for one in described]
        _check_complete(whole, ranges)
        return cls(shards, whole, ranges, _names(whole.n_labels, described))

    @property
    def features(self):
        """Features of the classifier."""
        return Features(self.whole.n_features, self.whole.feature_names)

    @property
    def n_features(self):
        """Number of features."""
        return self.whole.n_features

    @property
    def feature_names(self):
        """Names of features, or None."""
        return self.whole.feature_names

    @property
    def n_labels(self):
        """Number of labels."""
        return self.whole.n_labels

    @property
    def classes(self):
        """Class labels, or column indices of an indicator."""
        # Ranking without restrictions does not need them.
        return np.arange(self.n_labels) if self.names is None else self.names


class ShardedRanker(Documented, MakesSubsets, RanksLabels, BaseEstimator):
    """Rank labels over all shards exactly as the whole classifier does.

    Parameters
    ----------
    shards : sequence
        All shards of one classifier, in order: `TreeShard`, or any object with its
        methods ``describe``, ``expand`` and, for restricted rankings, ``restrict``,
        such as proxies of a
        `multiprocessing.managers.BaseManager` in another process or on another machine.
        They are queried in parallel threads.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if the classifier was fitted with string column names.
    n_labels_ : int
        Number of labels.
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target, or the column indices of an indicator.

    See Also
    --------
    split : Makes the shards.

    Notes
    -----
    For each level and tree, a shard receives the rows and at most ``beam_width`` nodes
    with their scores per row, and returns at most as many, of 16 bytes each. A
    restricted ranking sends it one more bit for each node of its part of the tree.

    Examples
    --------
    A server of one shard, in its own process::

        from multiprocessing.managers import BaseManager
        from skxmr.persistence import load

        shard = load("shard-0", mmap_mode="r")
        BaseManager.register("shard", lambda: shard)
        manager = BaseManager(("0.0.0.0", 5000), authkey=secret)
        manager.get_server().serve_forever()

    And a client::

        BaseManager.register("shard")
        manager = BaseManager(("first.server", 5000), authkey=secret)
        manager.connect()
        ranker = ShardedRanker([manager.shard(), ...])
    """

    def __init__(self, shards: Sequence[Any]):
        self.shards = shards

    @property
    def shards(self) -> Sequence[Any]:
        """All shards; when set, they are queried for their descriptions."""
        return self._state.shards

    @shards.setter
    def shards(self, shards: Sequence[Any]) -> None:
        self._state = _Shards.of(shards)

    n_features_in_ = from_state("n_features", "Number of features.")
    feature_names_in_ = from_state("feature_names", "Their names.", optional=True)
    n_labels_ = from_state("n_labels", "Number of labels.")
    classes_ = from_state("classes", "Class labels, or column indices of an indicator.")

    def _n_labels(self):
        return self._state.n_labels

    def _rank_in_blocks(self, X, *choice):
        state = self._state
        X = validate_features(self, X, state.features)
        if isinstance(X, DenseRows):
            X = X.to_compressed()
        subset = self._restricted(*choice, n_rows=X.n_vectors)
        if isinstance(subset, RowSubset):
            return X.n_vectors, partial(self._rank_by_row, X, subset)
        bits = self._bits(subset)

        def find(k):
            trees = range(len(state.whole.level_sizes))
            with ThreadPoolExecutor(len(state.shards)) as pool:
                for start in range(0, X.n_vectors, _ROWS_AT_ONCE):
                    rows = X.between(start, min(start + _ROWS_AT_ONCE, X.n_vectors))
                    search = partial(self._search, pool, rows[:3], bits)
                    columns, log_scores = search_trees(
                        search, trees, k, state.whole.n_candidates
                    )
                    yield columns, scores_from_logs(columns, log_scores)

        return X.n_vectors, find

    def _subset_of(self, state, allowed, excluded):
        with ThreadPoolExecutor(len(state.shards)) as pool:
            bits = self._request_bits(pool, allowed, excluded)
        return LabelSubset(state.shards, members=bits)

    def _request_bits(self, pool, allowed, excluded):
        """Request from each shard the nodes of its trees that lead to some labels."""
        shards = self._state.shards
        asked = [pool.submit(shard.restrict, allowed, excluded) for shard in shards]
        return tuple(one.result() for one in asked)

    def _pair_scorer(self, X):
        X = validate_features(self, X, self._state.features)
        if isinstance(X, DenseRows):
            X = X.to_compressed()

        def score(among):
            ranked = self._rank_by_row(X, among, max(1, among.most))
            columns, scores = map(np.concatenate, zip(*ranked, strict=True))
            return look_up(among.offsets, among.columns, columns, scores)

        return X.n_vectors, score

    def _rank_by_row(self, X, subset, k):
        """Rank rows that are restricted one by one, each by requests of its own."""
        whole = self._state.whole
        trees, n_candidates = range(len(whole.level_sizes)), whole.n_candidates
        common = None if subset.subset is None else self._bits(subset.subset)
        with ThreadPoolExecutor(len(self._state.shards)) as pool:
            for row in range(X.n_vectors):
                marked = subset.columns[subset.offsets[row] : subset.offsets[row + 1]]
                marked, width = marked.astype(np.int64), None
                if subset.is_excluded:
                    bits = self._request_bits(pool, None, marked)
                    if common is not None:
                        bits = _both(bits, common)
                else:
                    bits = self._request_bits(pool, marked, marked[:0])
                    width = n_candidates = max(1, len(marked))
                rows = X.between(row, row + 1)[:3]
                search = partial(self._search, pool, rows, bits, width=width)
                columns, log_scores = search_trees(search, trees, k, n_candidates)
                yield columns, scores_from_logs(columns, log_scores)

    def _bits(self, subset):
        """Return for each shard the nodes of its trees that are allowed, or None."""
        shards = self._state.shards
        if subset is None:
            return [None] * len(shards)
        subset.check_owner(shards)
        return subset.members

    def _search(self, pool, X, bits, tree, k, width=None):
        """Search one tree, level by level, with a beam over all shards."""
        n_rows = len(X[0]) - 1
        state = self._state
        sizes = state.whole.level_sizes[tree]
        nodes = np.zeros((n_rows, 1), dtype=np.int64)
        scores = np.zeros((n_rows, 1), dtype=np.float64)
        width = int(width or state.whole.beam_width or max(sizes))
        for level in range(len(sizes) - 1):
            k_of_level = k if level == len(sizes) - 2 else min(width, sizes[level + 1])
            asked = [
                pool.submit(
                    shard.expand,
                    tree,
                    level,
                    X,
                    *_within(nodes, scores, *ranges[tree][level]),
                    k_of_level,
                    # Custom shards may not have the argument.
                    **({} if allowed is None else {"allowed": allowed[tree]}),
                )
                for shard, ranges, allowed in zip(
                    state.shards, state.ranges, bits, strict=True
                )
            ]
            found = [one.result() for one in asked]
            nodes, scores = map(np.hstack, zip(*found, strict=True))
            nodes, scores = best_k(nodes, scores, k_of_level)
        return nodes, scores


def _both(bits, others):
    """Return the nodes that are in both sets, for each shard and tree."""
    return tuple(
        [one & other for one, other in zip(*of_shard, strict=True)]
        for of_shard in zip(bits, others, strict=True)
    )


def _within(nodes, scores, start, stop):
    """Keep the nodes of a range in their order, filled up with -1."""
    inside = (nodes >= start) & (nodes < stop)
    width = max(1, int(inside.sum(axis=1).max(initial=0)))
    order = np.argsort(~inside, axis=1, kind="stable")[:, :width]
    kept = np.take_along_axis(inside, order, axis=1)
    return (
        np.where(kept, np.take_along_axis(nodes, order, axis=1), -1),
        np.where(kept, np.take_along_axis(scores, order, axis=1), -np.inf),
    )


def _check_complete(whole, ranges):
    """Raise ValueError unless these are all shards of one classifier, in order."""
    for tree, sizes in enumerate(whole.level_sizes):
        last_level = [of_shard[tree][-1] for of_shard in ranges]
        starts = [start for start, _ in last_level]
        stops = [stop for _, stop in last_level]
        if starts != [0, *stops[:-1]] or stops[-1] != sizes[-1]:
            raise ValueError(
                f"shards must be all shards of one classifier, in order; got the "
                f"labels {last_level} of {sizes[-1]} of tree {tree}."
            )


def _names(n_labels, described):
    """Put the classes of all shards into the order of columns."""
    if described[0]["classes"] is None:
        return None
    names = np.empty(n_labels, dtype=described[0]["classes"].dtype)
    for one in described:
        names[one["columns"]] = one["classes"]
    return names
