"""Models split at the first level of their trees into shards.

`split` splits a fitted classifier into shards: the subtrees of some adjacent nodes of
the first level, with their weights. Each shard is saved and loaded separately, for
example on different machines if none has enough memory for the whole model.
`ShardedRanker` queries all shards and returns exactly the labels and scores of the
whole classifier.

A beam search keeps the best nodes of each level *over all shards*. Independent searches
of the shards, each with its own beam, would follow other nodes. `ShardedRanker` instead
proceeds level by level: it passes each shard the nodes of the beam that belong to it;
the shard scores their children and returns the best, at most as many as the beam width;
and the best of all shards are the next beam. This takes one exchange per level, so
three to five per ranking.

One exchange is enough with `TreeShard.search` and `merge`: every shard searches with
the beam width of the whole model, and the best labels of all are kept. With
``beam_width=None``, the result is that of the whole model. Otherwise the search scores
more nodes than the whole model does, and mostly finds the same and sometimes better
labels, without a guarantee.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from skxmr._base._documentation import Documented
from skxmr._base._state import Stateful, from_state, reads, snapshot
from skxmr._cython._search_inputs import TRANSFORMS, BeamOptions, StartNodes
from skxmr._inputs._features import Features, validate_features
from skxmr._inputs._validation import check_is_fitted, check_k
from skxmr._search._beam_search import beam_search, search_trees
from skxmr._search._layout import SearchLayout
from skxmr._search._weights import LinearWeights
from skxmr._targets import scores_from_logs
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr._utils._padding import check_size, pad_ranking
from skxmr._utils._sparse_structure import check_rows, refuse_sparse
from skxmr._utils._typing import MatrixLike, Ranking
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.ranking import best_k

__all__ = ["ShardedRanker", "TreeShard", "merge", "split"]

# The number of rows per search, which bounds the size of an exchange.
_ROWS_AT_ONCE = 4096


def split(classifier: XRLinearClassifier, n_shards: int) -> list["TreeShard"]:
    """Split a classifier at the first level of its trees.

    Parameters
    ----------
    classifier : XRLinearClassifier
        A fitted classifier. Its `beam_width`, `max_candidates` and `score_transform`
        are kept.
    n_shards : int
        At most the number of nodes of the first level. Shards have about equal numbers
        of weights, as far as nodes allow.

    Returns
    -------
    list of TreeShard
        To be saved separately, with `skxmr.persistence.save`. Each shard of an ensemble
        has a part of every tree.

    Raises
    ------
    ValueError
        If there are fewer nodes than shards.
    TypeError
        If it is not an `XRLinearClassifier`.
    NotFittedError
        If the classifier is not fitted.

    See Also
    --------
    ShardedRanker : Queries all shards.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from skxmr import KMeansTree, XRLinearClassifier
    >>> from skxmr.sharding import ShardedRanker, split
    >>> X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    >>> classifier = XRLinearClassifier(KMeansTree(4, 2), C=0.01, random_state=0)
    >>> shards = split(classifier.fit(X, Y), n_shards=2)
    >>> columns, scores = ShardedRanker(shards).rank(X, k=5)
    >>> bool((columns == classifier.rank(X, k=5)[0]).all())
    True
    """
    if not isinstance(classifier, XRLinearClassifier):
        raise TypeError(
            f"classifier must be an XRLinearClassifier; got a "
            f"{type(classifier).__name__}."
        )
    classifier = snapshot(classifier)
    check_is_fitted(classifier)
    if isinstance(n_shards, bool) or not isinstance(n_shards, Integral) or n_shards < 1:
        raise ValueError(f"n_shards={n_shards!r} must be a positive integer.")
    n_shards = int(n_shards)
    parts = [
        _split_tree(tree, layout, n_shards)
        for tree, layout in zip(classifier.trees_, classifier.layouts_, strict=True)
    ]
    description = _Description(
        n_features=classifier.n_features_in_,
        feature_names=getattr(classifier, "feature_names_in_", None),
        n_labels=len(classifier.classes_),
        level_sizes=[tree.level_sizes for tree in classifier.trees_],
        beam_width=classifier.beam_width,
        n_candidates=classifier._n_candidates(),
        score_transform=classifier.score_transform,
    )
    return [
        TreeShard(
            description._asdict(),
            [layout for layout, _ in of_trees],
            [first_nodes for _, first_nodes in of_trees],
        )
        for of_trees in zip(*parts, strict=True)
    ]


class _Description(NamedTuple):
    """The attributes of the whole model that a ranker needs."""

    n_features: int
    feature_names: np.ndarray | None
    n_labels: int
    level_sizes: list
    beam_width: int | None
    n_candidates: int
    score_transform: str


# Splitting
# -------


def _split_tree(tree, layout, n_shards):
    """Split a tree; return each shard's layout and its first node in each level."""
    levels = layout.to_levels()
    cuts = _cuts(tree, levels, n_shards)
    return [
        _shard_of(tree, layout, levels, start, stop) for start, stop in pairwise(cuts)
    ]


def _cuts(tree, levels, n_shards):
    """Divide the nodes of the first level so that shards have about equal weights."""
    n_nodes = tree.level_sizes[1]
    if n_shards > n_nodes:
        raise ValueError(
            f"n_shards={n_shards} is more than the {n_nodes} nodes of the first level "
            f"of the tree; expected {n_nodes} at most."
        )
    work = np.ones(n_nodes)
    bounds = np.arange(n_nodes + 1)
    for offsets, level in zip(tree.child_offsets[1:], levels[1:], strict=True):
        first_weights = level.run_offsets[level.posting_offsets[bounds]]
        work += np.diff(first_weights)
        bounds = offsets[bounds]
    before = np.concatenate([[0], np.cumsum(work)])
    wanted = before[-1] * np.arange(1, n_shards) / n_shards
    cuts = [0]
    for i, place in enumerate(np.searchsorted(before, wanted).tolist(), start=1):
        # At least one node for each shard, including the remaining ones.
        cuts.append(min(max(place, cuts[-1] + 1), n_nodes - (n_shards - i)))
    return [*cuts, n_nodes]


def _shard_of(tree, layout, levels, start, stop):
    """Lay out the subtrees of some nodes of the first level."""
    bounds = [(0, 1), (start, stop)]
    for offsets in tree.child_offsets[1:]:
        bounds.append(tuple(offsets[list(bounds[-1])].tolist()))
    part = _Part(
        level_sizes=tuple(last - first for first, last in bounds),
        child_offsets=[np.array([0, stop - start])]
        + [
            offsets[first : last + 1] - offsets[first]
            for offsets, (first, last) in zip(
                tree.child_offsets[1:], bounds[1:-1], strict=True
            )
        ],
        labels=layout.labels[slice(*bounds[-1])],
    )
    weights = [_children_of_root(levels[0], start, stop)]
    weights += [
        _parents_of(level, *of_parents, *of_children)
        for level, of_parents, of_children in zip(
            levels[1:], bounds[1:-1], bounds[2:], strict=True
        )
    ]
    shard = SearchLayout.from_levels(
        part, weights, layout.n_features, weight_precision=layout.weight_precision
    )
    return shard, [first for first, _ in bounds]


class _Part(NamedTuple):
    """The attributes of a tree that a layout needs."""

    level_sizes: tuple
    child_offsets: list
    labels: np.ndarray


def _children_of_root(level, start, stop):
    """Keep the weights of some children of the root."""
    kept = (level.children >= start) & (level.children < stop)
    before = np.concatenate([[0], np.cumsum(kept)])
    lengths = np.diff(before[level.run_offsets])
    used = lengths > 0
    return LinearWeights(
        posting_offsets=np.array([0, used.sum()]),
        features=level.features[used],
        run_offsets=np.concatenate([[0], np.cumsum(lengths[used])]),
        children=(level.children[kept] - start).astype(np.int32),
        weights=level.weights[kept],
        intercepts=level.intercepts[start:stop],
    )


def _parents_of(level, first_parent, last_parent, first_child, last_child):
    """Keep the weights of the children of some parents."""
    posting_offsets = level.posting_offsets[first_parent : last_parent + 1]
    rows = slice(posting_offsets[0], posting_offsets[-1])
    run_offsets = level.run_offsets[posting_offsets[0] : posting_offsets[-1] + 1]
    entries = slice(run_offsets[0], run_offsets[-1])
    return LinearWeights(
        posting_offsets=posting_offsets - posting_offsets[0],
        features=level.features[rows],
        run_offsets=run_offsets - run_offsets[0],
        children=level.children[entries],
        weights=level.weights[entries],
        intercepts=level.intercepts[first_child:last_child],
    )


# Searching
# ---------


class TreeShard:
    """Some subtrees of a classifier's trees with their weights, for one server.

    Made by `split`. Shards can be pickled, and memory-mapped by
    `skxmr.persistence.load`.

    Parameters
    ----------
    description : dict
        The attributes of the whole model that a ranker needs.
    layouts : list of SearchLayout
        For each tree, its root and the subtrees; the labels are columns of the whole
        model.
    first_nodes : list of list of int
        For each tree and level, the number of the shard's first node in the whole tree.

    See Also
    --------
    ShardedRanker : Queries all shards of a classifier.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from skxmr import KMeansTree, XRLinearClassifier
    >>> from skxmr.sharding import split
    >>> X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    >>> classifier = XRLinearClassifier(KMeansTree(4, 2), C=0.01, random_state=0)
    >>> [shard.n_labels for shard in split(classifier.fit(X, Y), n_shards=3)]
    [6, 7, 7]
    """

    def __init__(self, description, layouts, first_nodes):
        self.description = description
        self.layouts = layouts
        self.first_nodes = first_nodes

    def __repr__(self):
        return f"{type(self).__name__}({self.n_labels} labels, {self.nbytes} bytes)"

    @property
    def n_labels(self) -> int:
        """Number of labels of the shard in each tree."""
        return self.layouts[0].n_labels

    @property
    def nbytes(self) -> int:
        """Size in bytes of the arrays that searches read."""
        return sum(layout.nbytes for layout in self.layouts)

    def describe(self) -> dict:
        """Return the attributes of the whole model, and this shard's position.

        Returns
        -------
        dict
        """
        ranges = [
            list(zip(firsts, np.add(firsts, layout.level_sizes).tolist(), strict=True))
            for firsts, layout in zip(self.first_nodes, self.layouts, strict=True)
        ]
        return {**self.description, "ranges": ranges}

    def expand(self, tree, level, X, nodes, node_scores, k):
        """Find the best children of some nodes: one exchange of a search.

        Parameters
        ----------
        tree, level : int
            The index of the tree, and the level of the nodes, from 0, the root.
        X : tuple of ndarray
            The rows, as the offsets (int64), indices (int32) and values (float32) of a
            CSR matrix.
        nodes : ndarray of shape (n_rows, any), int64
            For each row, the nodes of the beam that belong to this shard, numbered as
            in the whole tree, best first, filled up with -1.
        node_scores : ndarray of the same shape, float64
            Their log scores.
        k : int
            The maximum number of children to return.

        Returns
        -------
        children : ndarray of shape (n_rows, k), int64
            The best children, numbered as in the whole tree; on the last level, columns
            of labels. Filled up with -1.
        scores : ndarray of shape (n_rows, k), float64
            Their log scores, filled up with -inf.

        Raises
        ------
        ValueError
            If nodes do not belong to this shard, or X does not consist of CSR rows.
        """
        layout, firsts = self.layouts[tree], self.first_nodes[tree]
        X = check_rows(X, layout.n_features, "X")
        if len(X[0]) != len(nodes) + 1:
            raise ValueError(
                f"X has {len(X[0]) - 1} rows; expected {len(nodes)}, as nodes has."
            )
        k = check_k(k, "TreeShard.expand")
        k = max(1, min(k, layout.level_sizes[level + 1]))
        children = np.empty((len(nodes), k), dtype=np.int64)
        scores = np.empty((len(nodes), k), dtype=np.float64)
        own_nodes = np.where(nodes < 0, -1, nodes - firsts[level])
        layout.searcher.search(
            *X,
            BeamOptions(
                nodes.shape[1], TRANSFORMS[self.description["score_transform"]]
            ),
            StartNodes(level, level + 1, own_nodes, node_scores),
            children,
            scores,
        )
        if level + 1 < layout.n_levels:
            children[children >= 0] += firsts[level + 1]
        return children, scores

    def search(self, X, k: int = 10):
        """Search this shard alone, with the beam width of the whole model.

        Parameters
        ----------
        X : tuple of ndarray
            As in `expand`.
        k : int, default=10
            The number of labels per row.

        Returns
        -------
        columns : ndarray of shape (n_rows, k), int64
        log_scores : ndarray of shape (n_rows, k), float64
            To be combined by `merge`.
        """
        k = check_k(k, "TreeShard.search")
        described = _described(self.description)
        offsets, indices, values = check_rows(X, described.n_features, "X")
        rows = Compressed(offsets, indices, values, described.n_features)
        n_found = check_size(rows.n_vectors, k, described.n_labels)

        def search(layout, k):
            return beam_search(
                rows,
                layout,
                k=k,
                beam_width=described.beam_width,
                score_transform=described.score_transform,
            )

        columns, log_scores = search_trees(
            search, self.layouts, n_found, described.n_candidates
        )
        columns, log_scores = pad_ranking(columns, log_scores, k)
        log_scores[columns < 0] = -np.inf
        return columns, log_scores


def _described(description):
    return _Description(*(description[name] for name in _Description._fields))


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


class _Shards(NamedTuple):
    """The shards of a classifier and their descriptions."""

    shards: Sequence
    whole: _Description
    ranges: list

    @classmethod
    def ask(cls, shards):
        """Request the descriptions of shards, and check that all shards are there."""
        described = [shard.describe() for shard in shards]
        if not described:
            raise ValueError("shards is empty; expected all shards of a classifier.")
        whole = _described(described[0])
        ranges = [one["ranges"] for one in described]
        _check_complete(whole, ranges)
        return cls(shards, whole, ranges)

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


class ShardedRanker(Documented, Stateful, BaseEstimator):
    """Rank labels over all shards exactly as the whole classifier does.

    Parameters
    ----------
    shards : sequence
        All shards of one classifier, in order: `TreeShard`, or any object with its
        methods ``describe`` and ``expand``, such as proxies of a
        `multiprocessing.managers.BaseManager` in another process or on another machine.
        They are queried in parallel threads.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    n_labels_ : int
        Number of labels.

    See Also
    --------
    split : Makes the shards.

    Notes
    -----
    For each level and tree, a shard receives the rows and at most ``beam_width`` nodes
    with their scores per row, and returns at most as many, of 16 bytes each.

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
        self._state = _Shards.ask(shards)

    n_features_in_ = from_state("n_features", "Number of features.")
    feature_names_in_ = from_state("feature_names", "Their names.", optional=True)
    n_labels_ = from_state("n_labels", "Number of labels.")

    @reads
    def rank(self, X: MatrixLike, k: int = 10) -> Ranking:
        """Find the best k labels of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        k : int, default=10
            The number of labels per row.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
        scores : ndarray of shape (n_samples, k), float32
            As returned by `XRLinearClassifier.rank` of the whole model.
        """
        k = check_k(k, "ShardedRanker.rank")
        whole = self._state.whole
        features = Features(whole.n_features, whole.feature_names)
        X = validate_features(self, X, features)
        if isinstance(X, DenseRows):
            X = X.to_compressed()
        n_found = check_size(X.n_vectors, k, whole.n_labels)
        parts = [(np.empty((0, n_found), np.int64), np.empty((0, n_found)))]
        with ThreadPoolExecutor(len(self.shards)) as pool:
            for start in range(0, X.n_vectors, _ROWS_AT_ONCE):
                rows = X.between(start, min(start + _ROWS_AT_ONCE, X.n_vectors))
                search = partial(self._search, pool, rows[:3])
                trees = range(len(whole.level_sizes))
                parts.append(search_trees(search, trees, n_found, whole.n_candidates))
        columns, log_scores = map(np.concatenate, zip(*parts, strict=True))
        return pad_ranking(columns, scores_from_logs(columns, log_scores), k)

    def _search(self, pool, X, tree, k):
        """Search one tree, level by level, with a beam over all shards."""
        n_rows = len(X[0]) - 1
        state = self._state
        sizes = state.whole.level_sizes[tree]
        nodes = np.zeros((n_rows, 1), dtype=np.int64)
        scores = np.zeros((n_rows, 1), dtype=np.float64)
        width = int(state.whole.beam_width or max(sizes))
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
                )
                for shard, ranges in zip(state.shards, state.ranges, strict=True)
            ]
            found = [one.result() for one in asked]
            nodes, scores = map(np.hstack, zip(*found, strict=True))
            nodes, scores = best_k(nodes, scores, k_of_level)
        return nodes, scores


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
