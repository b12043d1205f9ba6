"""A classifier, split at the first level of its trees."""

from itertools import pairwise
from numbers import Integral
from typing import NamedTuple

import numpy as np

from skxmr._base._state import snapshot
from skxmr._inputs._validation import check_is_fitted
from skxmr._search._layout import SearchLayout
from skxmr._search._weights import LinearWeights
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.sharding._shard import Description, TreeShard

__all__ = ["split"]


def split(classifier: XRLinearClassifier, n_shards: int) -> list[TreeShard]:
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
    if classifier.propensity_weight:
        raise ValueError(
            f"Shards do not count labels, so that they cannot weigh scores by "
            f"propensities; got a classifier with propensity_weight="
            f"{classifier.propensity_weight}. Set it to 0."
        )
    n_shards = int(n_shards)
    parts = [
        _split_tree(tree, layout, n_shards)
        for tree, layout in zip(classifier.trees_, classifier.layouts_, strict=True)
    ]
    description = Description(
        n_features=classifier.n_features_in_,
        feature_names=getattr(classifier, "feature_names_in_", None),
        n_labels=len(classifier.classes_),
        level_sizes=[tree.level_sizes for tree in classifier.trees_],
        beam_width=classifier.beam_width,
        n_candidates=classifier._n_candidates(),
        score_transform=classifier.score_transform,
    )
    names = classifier._state.target.names
    return [
        TreeShard(
            description._asdict(),
            [layout for layout, _ in of_trees],
            [first_nodes for _, first_nodes in of_trees],
            None if names is None else names[of_trees[0][0].labels],
        )
        for of_trees in zip(*parts, strict=True)
    ]


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
    for i, cut in enumerate(np.searchsorted(before, wanted).tolist(), start=1):
        # At least one node for each shard, including the remaining ones.
        cuts.append(min(max(cut, cuts[-1] + 1), n_nodes - (n_shards - i)))
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
