"""Merging the delta of a layout into new arrays."""

from itertools import pairwise

import numpy as np

from skxmr._search._weights import LinearWeights
from skxmr._search._weights_by_feature import FeatureWeights
from skxmr._search._weights_by_node import NodeWeights
from skxmr._utils._compressed import Compressed
from skxmr.tree._label_tree import LabelTree

__all__ = ["merge_delta", "tree_of"]


def merge_delta(layout):
    """Merge the delta of a layout into new arrays, which find the same to the bit.

    Removed labels keep their nodes, without weights.

    Parameters
    ----------
    layout : SearchLayout

    Returns
    -------
    SearchLayout
        Without a delta.
    """
    merged = _Merged(layout)
    return merged.by_feature() if layout.by_node is None else merged.by_node()


def tree_of(layout):
    """Return the tree of a layout without a delta.

    Parameters
    ----------
    layout : SearchLayout

    Returns
    -------
    LabelTree
    """
    offsets = [
        layout.child_offsets[first : stop + 1] - layout.child_offsets[first]
        for first, stop in pairwise(layout.level_starts.tolist())
    ]
    return LabelTree(offsets, layout.labels)


class _Merged:
    """The nodes of a layout with its delta, and where they come from.

    Children of one parent keep their numbers; added ones follow them.
    """

    def __init__(self, layout):
        self.layout = layout
        self.parents = layout.delta.parents
        self.last_parent = int(layout.level_starts[-2])
        n_children = np.diff(layout.child_offsets)
        before = n_children.copy()
        for parent, one in self.parents.items():
            n_children[parent] = one.n_children
        self.n_before, self.n_children = before, n_children
        # The first child of each parent, numbered from 0 without the root.
        self.firsts = np.concatenate([[0], np.cumsum(n_children)])
        self.intercepts = np.empty(self.firsts[-1], dtype=np.float32)
        self.labels = np.empty(layout.n_labels, dtype=np.int32)
        self._copy_base()
        for parent, one in self.parents.items():
            first, stop = self.firsts[parent : parent + 2].tolist()
            self.intercepts[first:stop] = one.intercepts
            start = first - self.firsts[self.last_parent]
            if parent >= self.last_parent:
                self.labels[start : start + one.n_children] = one.labels

    def _copy_base(self):
        nodes = self.nodes_of_base()
        self.intercepts[nodes] = self.layout.intercepts
        last = nodes[int(self.layout.level_starts[-1]) - 1 :]
        self.labels[last - self.firsts[self.last_parent]] = self.layout.labels

    def nodes_of_base(self):
        """Return the new number of each node of the base, without the root."""
        shifts = self.firsts[:-1] - (self.layout.child_offsets[:-1] - 1)
        return np.arange(len(self.layout.intercepts)) + np.repeat(shifts, self.n_before)

    def _nodes(self):
        """Return the arrays of nodes of a layout."""
        offsets = np.append(self.firsts[:-1] + 1, len(self.intercepts) + 1)
        return offsets, self.layout.level_starts, self.labels, self.intercepts

    def by_node(self):
        """Lay out the weights by node."""
        layout = self.layout
        held, nodes = layout.by_node, self.nodes_of_base()
        rows = Compressed(held.node_offsets, held.features, held.weights, 0)
        sizes = np.zeros(len(self.intercepts), dtype=np.int64)
        sizes[nodes] = rows.sizes
        changed, parts = self._changed_nodes()
        sizes[changed] = [len(part[0]) for part in parts]
        sizes[self.intercepts == -np.inf] = 0
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        features = np.empty(offsets[-1], dtype=held.features.dtype)
        weights = np.empty(offsets[-1], dtype=np.float32)
        is_kept = sizes[nodes] > 0
        is_kept[np.isin(nodes, changed)] = False
        taken = rows.take(np.flatnonzero(is_kept))
        at = np.arange(len(taken.indices)) + np.repeat(
            offsets[nodes[is_kept]] - taken.offsets[:-1], taken.sizes
        )
        features[at], weights[at] = taken.indices, taken.values
        for node, (its_features, its_weights) in zip(changed, parts, strict=True):
            if sizes[node]:
                at = slice(offsets[node], offsets[node + 1])
                features[at], weights[at] = its_features, its_weights
        return type(layout)(
            layout.n_features,
            *self._nodes(),
            layout.weight_precision,
            None,
            NodeWeights(offsets, features, weights),
        )

    def _changed_nodes(self):
        nodes, parts = [], []
        for parent, one in self.parents.items():
            keys, offsets, _, items, weights = one.weights
            nodes.append(self.firsts[parent] + keys)
            for first, stop in pairwise(offsets.tolist()):
                parts.append((items[first:stop], weights[first:stop]))
        return np.concatenate([np.empty(0, dtype=np.int64), *nodes]), parts

    def by_feature(self):
        """Lay out the weights by feature."""
        layout = self.layout
        levels = []
        for level, weights in enumerate(layout.base.to_levels()):
            first, stop = layout.level_starts[level : level + 2].tolist()
            some = slice(self.firsts[first], self.firsts[stop])
            changes = {
                parent - first: one.weights
                for parent, one in self.parents.items()
                if first <= parent < stop
            }
            merged = _merge_level(
                weights, changes, self.intercepts[some], self.n_children[first:stop]
            )
            levels.append(merged)
        nodes = self._nodes()
        held = FeatureWeights.from_levels(
            nodes[0], levels, layout.n_features, layout.weight_precision
        )
        precision = layout.weight_precision
        return type(layout)(layout.n_features, *nodes, precision, held, None)


def _merge_level(weights, changes, intercepts, n_children):
    """Merge the changes of some parents of a level into its postings."""
    stride = 1 + int(weights.features.max(initial=0))
    stride = max([stride, *(1 + int(c.keys.max(initial=0)) for c in changes.values())])
    parents = np.repeat(np.arange(weights.n_parents), np.diff(weights.posting_offsets))
    codes = parents * stride + weights.features
    added = _all_changes(changes, stride)
    is_kept = np.ones(len(codes), dtype=bool)
    replaced, is_there = _find(added.codes[added.replaces != 0], codes)
    is_kept[replaced[is_there]] = False
    runs = Compressed(weights.run_offsets, weights.children, weights.weights, 0)
    runs, codes = runs.take(np.flatnonzero(is_kept)), codes[is_kept]
    together, at, at_added = _united(codes, added.codes)
    sizes = np.zeros(len(together), dtype=np.int64)
    sizes[at] = runs.sizes
    sizes[at_added] += added.runs.sizes
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    children = np.empty(offsets[-1], dtype=np.int32)
    values = np.empty(offsets[-1], dtype=np.float32)
    # Added children have higher numbers than those of the base.
    starts = offsets[at_added + 1] - added.runs.sizes
    for part, firsts in ((runs, offsets[at]), (added.runs, starts)):
        positions = np.arange(len(part.indices)) + np.repeat(
            firsts - part.offsets[:-1], part.sizes
        )
        children[positions], values[positions] = part.indices, part.values
    merged = LinearWeights(
        np.searchsorted(together, np.arange(weights.n_parents + 1) * stride),
        (together % stride).astype(np.int32),
        offsets,
        children,
        values,
        intercepts,
    )
    return _without_dropped(merged, n_children)


def _find(some, codes):
    """Return where each code is among ascending ones, or would be; and if it is."""
    at = np.searchsorted(codes, some)
    is_there = at < len(codes)
    is_there[is_there] = codes[at[is_there]] == some[is_there]
    return at, is_there


def _united(codes, added):
    """Unite ascending codes, many and few, without sorting the many.

    Returns
    -------
    together : ndarray of int64
        Ascending, each once.
    at, at_added : ndarray of int64
        Where the codes of each are.
    """
    at_added, is_there = _find(added, codes)
    positions = at_added[~is_there]
    n_before = np.cumsum(np.bincount(positions, minlength=len(codes) + 1))
    at = np.arange(len(codes)) + n_before[:-1]
    n_inserted = np.cumsum(~is_there) - ~is_there
    return np.insert(codes, positions, added[~is_there]), at, at_added + n_inserted


class _AllChanges:
    """The changes of all parents of a level, by (parent, feature)."""

    def __init__(self, codes, replaces, runs):
        self.codes, self.replaces, self.runs = codes, replaces, runs


def _all_changes(changes, stride):
    parents = sorted(changes)
    parts = [changes[parent] for parent in parents]
    codes = [
        parent * stride + one.keys.astype(np.int64)
        for parent, one in zip(parents, parts, strict=True)
    ]
    sizes = _joined([np.diff(one.offsets) for one in parts], np.int64)
    return _AllChanges(
        _joined(codes, np.int64),
        _joined([one.replaces for one in parts], np.uint8),
        Compressed(
            np.concatenate([[0], np.cumsum(sizes)]),
            _joined([one.items for one in parts], np.int32),
            _joined([one.weights for one in parts], np.float32),
            0,
        ),
    )


def _joined(arrays, dtype):
    return np.concatenate([*arrays, np.empty(0, dtype=dtype)], dtype=dtype)


def _without_dropped(weights, n_children):
    """Drop the weights of children that are never found, and empty postings."""
    is_dropped = weights.intercepts == -np.inf
    sizes = np.diff(weights.run_offsets)
    if not is_dropped.any() and sizes.all():
        return weights
    firsts = np.cumsum(n_children) - n_children
    owners = np.repeat(firsts, np.diff(weights.posting_offsets))
    kept = ~is_dropped[np.repeat(owners, sizes) + weights.children]
    ends = np.concatenate([[0], np.cumsum(kept)])[weights.run_offsets]
    used = np.diff(ends) > 0
    before = np.concatenate([[0], np.cumsum(used)])
    return LinearWeights(
        before[weights.posting_offsets],
        weights.features[used],
        np.append(ends[:-1][used], ends[-1]),
        weights.children[kept],
        weights.weights[kept],
        weights.intercepts,
    )
