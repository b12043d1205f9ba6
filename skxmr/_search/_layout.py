"""The layout of a trained tree, as the search reads it."""

from functools import cached_property
from typing import Any

import numpy as np

from skxmr._cython._dense_search import DenseSearcher
from skxmr._cython._present_weights import RunReader
from skxmr._cython._search import HAS_LANES, Searcher
from skxmr._cython._search_inputs import (
    ChangeTable,
    FeatureIndex,
    ParentChange,
    Postings,
    TreeNodes,
)
from skxmr._search._merging import merge_delta
from skxmr._search._subset import LabelNodes
from skxmr._search._weights_by_feature import FeatureWeights
from skxmr._search._weights_by_node import NodeWeights
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_range,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._version import refuse_newer

__all__ = ["LAYOUT_VERSION", "SearchLayout"]

# Raised when the arrays of SearchLayout or FeatureWeights change their meaning.
LAYOUT_VERSION = 4


class SearchLayout:
    """A label tree and the weights of its nodes, laid out for the search.

    Nodes are numbered level by level, the root 0, children of one node
    consecutively. The weights are held once: by feature for sparse queries, or by
    node where dense ones are expected. All arrays can be read-only and memory-mapped.
    What searches derive from them is computed at the first need and never saved; two
    threads may compute it at once, with equal results.

    Parameters
    ----------
    n_features : int
        Number of features of X.
    child_offsets : ndarray of shape (n_parents + 1,), int64
        The children of node i are ``child_offsets[i]`` to ``child_offsets[i + 1]``.
    level_starts : ndarray of shape (n_levels + 1,), int64
        First node of each level, the root's included.
    labels : ndarray of shape (n_labels,), int32
        Column of each node of the last level.
    intercepts : ndarray of shape (n_nodes - 1,), float32
        Of every node but the root; see `LinearWeights` for infinite ones.
    weight_precision : {"float32", "float16"}
        What the weights are rounded to.
    held_by_feature : FeatureWeights or None
    by_node : NodeWeights or None
        None where the other is not.

    Attributes
    ----------
    delta : LayoutDelta or None
        Changes to these arrays, which are called the base where there are any.
    """

    delta: Any = None

    def __init__(
        self,
        n_features,
        child_offsets,
        level_starts,
        labels,
        intercepts,
        weight_precision,
        held_by_feature,
        by_node,
    ):
        self.version = LAYOUT_VERSION
        self.n_features = n_features
        self.child_offsets = child_offsets
        self.level_starts = level_starts
        self.labels = labels
        self.intercepts = intercepts
        self.weight_precision = weight_precision
        self.held_by_feature = held_by_feature
        self.by_node = by_node
        # The sizes of the buffers of a search.
        sizes = self.level_sizes
        self.widest_level = max(sizes)
        self.widest_parents = max(sizes[:-1])
        self.most_children = int(np.diff(child_offsets).max())

    @classmethod
    def from_levels(
        cls, tree, levels, n_features, *, by_node=False, weight_precision="float32"
    ):
        """Lay out a tree, or its upper levels, with their weights.

        Parameters
        ----------
        tree : LabelTree
        levels : sequence of LinearWeights
            Of the first levels of the tree, or of all.
        n_features : int
        by_node : bool, default=False
            Whether to hold the weights node by node, for dense queries. The first
            sparse query then sorts them by feature as well.
        weight_precision : {"float32", "float16"}, default="float32"
            The type of the weights. Half precision keeps three digits of each; weights
            beyond its largest number, 65504, become that. Those by node are rounded
            too, but not made smaller.

        Returns
        -------
        SearchLayout

        Raises
        ------
        OverflowError
            If weights are held by feature, and there are 2**32 or more.
        """
        sizes = tree.level_sizes[: len(levels) + 1]
        level_starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        by_level = [
            tree.child_offsets[level] + level_starts[level + 1]
            for level in range(len(levels))
        ]
        # The last offset of each level is the first of the next.
        offsets = np.concatenate([*(one[:-1] for one in by_level[:-1]), by_level[-1]])
        held_by_feature = held_by_node = None
        if by_node:
            held_by_node = NodeWeights.from_levels(
                tree, levels, n_features, weight_precision
            )
        else:
            held_by_feature = FeatureWeights.from_levels(
                offsets, levels, n_features, weight_precision
            )
        return cls(
            n_features,
            offsets,
            level_starts,
            np.ascontiguousarray(tree.labels, dtype=np.int32),
            np.concatenate([level.intercepts for level in levels]),
            weight_precision,
            held_by_feature,
            held_by_node,
        )

    def __getstate__(self):
        caches = {
            name
            for name, value in vars(SearchLayout).items()
            if isinstance(value, cached_property)
        }
        return {name: value for name, value in vars(self).items() if name not in caches}

    def __setstate__(self, state):
        refuse_newer(state, LAYOUT_VERSION, "This model")
        _refuse_older(state)
        with as_value_errors("SearchLayout"):
            self.__dict__.update(state)
            self._check_arrays()

    def _check_arrays(self):
        """Check the arrays, and how they fit together."""
        _check_types(self)
        arrays = self.child_offsets, self.level_starts, self.labels, self.intercepts
        if to_be_read(*arrays):
            _check_nodes(self)
        weights = self.held_by_feature
        if (weights is None) == (self.by_node is None):
            refuse("SearchLayout", "holds weights twice or not at all; expected once")
        if weights is None:
            self.by_node.check_fits(self)
        else:
            weights.check_fits(self)
        if self.delta is not None:
            self.delta.check_fits(self)

    def check_tree(self, tree):
        """Raise ValueError unless this is the layout of a tree.

        Parameters
        ----------
        tree : LabelTree
        """
        sizes = list(tree.level_sizes)
        if sizes != self.level_sizes:
            refuse(
                "SearchLayout",
                f"has levels of {self.level_sizes!r:.80}; expected {sizes!r:.80}, "
                f"those of its tree",
            )
        if not to_be_read(self.child_offsets, tree.labels):
            return
        starts = self.level_starts
        for level, offsets in enumerate(tree.child_offsets):
            stop = starts[level] + len(offsets) - 1
            found = self.child_offsets[starts[level] : stop] - starts[level + 1]
            if not np.array_equal(found, offsets[:-1]):
                refuse("SearchLayout.child_offsets", "is not that of its tree")
        if not np.array_equal(self.labels, tree.labels):
            refuse("SearchLayout.labels", "is not that of its tree")

    def __sizeof__(self):
        # Dask scatters large objects, so that each worker receives them once.
        return object.__sizeof__(self) + self.nbytes

    def with_delta(self, delta):
        """Return a layout of the same arrays with another delta.

        Parameters
        ----------
        delta : LayoutDelta or None

        Returns
        -------
        SearchLayout
        """
        if delta is None:
            return self.base
        changed = self._copied()
        changed.delta = delta
        changed.__dict__["_base"] = self.base
        return changed

    def widened(self, n_features):
        """Return a layout of the same arrays for more features, which have no weights.

        Parameters
        ----------
        n_features : int
            At least as many as before.

        Returns
        -------
        SearchLayout
        """
        if n_features == self.n_features:
            return self
        wider = self.base._copied()
        wider.n_features = n_features
        if "label_nodes" in vars(self.base):  # takes time of the whole layout
            wider.__dict__["label_nodes"] = self.base.label_nodes
        return wider.with_delta(self.delta)

    @property
    def base(self):
        """The same layout without its delta."""
        return self if self.delta is None else self._base

    @cached_property
    def _base(self):
        base = self._copied()
        base.delta = None
        return base

    def _copied(self):
        """Copy the layout without what is derived from its arrays."""
        copied = object.__new__(SearchLayout)
        copied.__dict__.update(self.__getstate__())
        return copied

    @cached_property
    def compacted(self):
        """The same layout with its delta merged into new arrays."""
        return self if self.delta is None else merge_delta(self)

    def relabelled(self, columns):
        """Return the layout with label i as ``columns[i]``, if it has no delta."""
        changed = self._copied()
        changed.labels = columns[self.labels].astype(np.int32)
        return changed

    def parents_of(self, columns):
        """Find the parents of labels.

        Parameters
        ----------
        columns : ndarray of int64

        Returns
        -------
        parents : ndarray of int64
            As the layout numbers nodes.
        children : ndarray of int64
            Which child of its parent each label is.
        """
        is_added = columns >= len(self.labels)
        found = self.base.label_nodes
        nodes = found.nodes[np.where(is_added, 0, columns)]
        parents = found.parents[nodes].astype(np.int64)
        children = nodes - self.child_offsets[parents]
        if is_added.any():
            added = columns[is_added] - len(self.labels)
            parents[is_added] = self.delta.added_parents[added]
            children[is_added] = self.delta.added_children[added]
        return parents, children

    @cached_property
    def by_feature(self):
        """The weights by feature, as held, or sorted from those by node.

        Those of the base, if there is a delta.
        """
        if self.delta is not None:
            return self.base.by_feature
        if self.held_by_feature is not None:
            return self.held_by_feature
        return FeatureWeights.from_levels(
            self.child_offsets,
            self.to_levels(),
            self.n_features,
            self.weight_precision,
        )

    @cached_property
    def searcher(self):
        """The kernel that searches for sparse rows."""
        if self._is_changed_by_node:
            return self.compacted.searcher
        return Searcher(
            self._bound_nodes(), *self._bound_weights(), has_lanes=HAS_LANES
        )

    @property
    def run_reader(self):
        """The kernel that reads single runs, with the delta, of weights by feature."""
        return RunReader(self._bound_nodes(), *self._bound_weights())

    def _bound_weights(self):
        """Bind the weights by feature for the kernels."""
        weights = self.by_feature
        return (
            FeatureIndex(
                weights.n_features,
                weights.kept_features,
                weights.words,
                weights.posting_starts,
            ),
            Postings(
                weights.parents,
                weights.blocks,
                weights.run_marks,
                weights.run_lengths,
                weights.entries,
                has_half_weights=self.weight_precision == "float16",
            ),
        )

    @cached_property
    def dense_searcher(self):
        """The kernel that searches for dense rows, where weights are held by node."""
        return DenseSearcher(
            self._bound_nodes(),
            self.by_node.node_offsets,
            self.by_node.features,
            self.by_node.weights,
            n_features=self.n_features,
        )

    @cached_property
    def label_nodes(self):
        """The nodes of the labels, for restricted searches."""
        if self._is_changed_by_node:
            return self.compacted.label_nodes
        return LabelNodes(self)

    @property
    def _is_changed_by_node(self):
        """Whether there is a delta that only searches for dense rows can read."""
        return self.delta is not None and self.by_node is not None

    def _changes(self):
        """Bind the delta for the kernels."""
        if self.delta is None:
            return None
        changes = {}
        for parent, one in self.delta.parents.items():
            if one.kernel is None:
                first, stop = self.child_offsets[parent : parent + 2].tolist()
                by_key = None
                if self.by_node is not None:
                    by_key = one.intercepts[one.weights.keys]
                one.kernel = ParentChange(
                    stop - first, one.intercepts, one.labels, one.weights, by_key
                )
            changes[parent] = one.kernel
        n_parents = len(self.child_offsets) - 1
        return ChangeTable(n_parents, self.delta.n_added, changes)

    def _bound_nodes(self):
        delta = self.delta
        most_changed = 0 if delta is None else delta.most_children
        return TreeNodes(
            self.child_offsets,
            self.level_starts,
            self.labels,
            self.intercepts,
            widest_level=self.widest_level,
            widest_parents=self.widest_parents,
            most_children=max(self.most_children, most_changed),
            changes=self._changes(),
        )

    def to_levels(self, n_levels=None):
        """Return the weights of each level.

        Parameters
        ----------
        n_levels : int, default=None
            The number of levels, from the children of the root down; None is all.

        Returns
        -------
        list of LinearWeights
        """
        held = self.held_by_feature if self.by_node is None else self.by_node
        starts = (
            self.level_starts if n_levels is None else self.level_starts[: n_levels + 1]
        )
        return held.to_levels(self.child_offsets, starts, self.intercepts)

    @property
    def level_sizes(self):
        """Number of nodes of each level, from the root down."""
        n_nodes = len(self.intercepts) + 1
        return np.diff(np.append(self.level_starts, n_nodes)).tolist()

    @property
    def n_levels(self):
        """Number of levels below the root."""
        return len(self.level_starts) - 1

    @property
    def n_labels(self):
        """Number of labels."""
        return len(self.labels) + (0 if self.delta is None else self.delta.n_added)

    @property
    def n_weights(self):
        """Number of stored weights, intercepts not counted."""
        held = self.held_by_feature if self.by_node is None else self.by_node
        n_changed = 0 if self.delta is None else self.delta.n_weights
        return held.n_weights + n_changed

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        n_changed = 0 if self.delta is None else self.delta.nbytes
        return n_changed + sum(
            part.nbytes
            for part in self.__getstate__().values()
            if isinstance(part, (np.ndarray, FeatureWeights, NodeWeights))
        )

    def most_reached(self, beam_width):
        """Return how many labels a search of a beam width can reach at most."""
        if beam_width is None or self.n_levels == 1:
            return self.n_labels
        return min(self.n_labels, int(beam_width) * self._most_labels)

    @cached_property
    def _most_labels(self):
        """The largest number of labels of a node."""
        n_children = np.diff(self.child_offsets[self.level_starts[-2] :])
        if self.delta is not None:
            first = int(self.level_starts[-2])
            for parent, one in self.delta.parents.items():
                if parent >= first:
                    n_children[parent - first] = one.n_children
        return int(n_children.max())


def _refuse_older(state):
    version = state.get("version", 0)
    if version < LAYOUT_VERSION:
        raise ValueError(
            f"This model was saved with layout version {version}, which this skxmr "
            f"no longer reads; expected version {LAYOUT_VERSION}. Fit it again."
        )


def _check_types(layout):
    """Check types, shapes and sizes, which are known without reading."""

    def size_of(name, dtype):
        array = getattr(layout, name)
        check_vector(array, (dtype,), None, f"SearchLayout.{name}")
        return len(array)

    if not 0 < layout.n_features < 2**31:
        refuse("SearchLayout.n_features", f"is {layout.n_features!r:.40}")
    if layout.weight_precision not in ("float32", "float16"):
        refuse("SearchLayout.weight_precision", f"is {layout.weight_precision!r:.40}")
    n_nodes = size_of("intercepts", np.float32) + 1
    n_levels = size_of("level_starts", np.int64) - 1
    if n_nodes < 2 or n_levels < 1:
        refuse("SearchLayout", f"has {n_nodes} nodes in {n_levels} levels below a root")
    n_parents = size_of("child_offsets", np.int64) - 1
    last = int(layout.level_starts[-1])
    if n_parents != last or not 1 <= last < n_nodes:
        refuse(
            "SearchLayout.child_offsets",
            f"has {n_parents + 1} entries for {last} nodes above the last level, of "
            f"{n_nodes} in all; expected one more than those",
        )
    n_labels = size_of("labels", np.int32)
    if n_labels < n_nodes - last:
        refuse("SearchLayout.labels", f"has {n_labels} for {n_nodes - last} nodes")


def _check_nodes(layout):
    """Check that the nodes are a tree, level by level."""
    starts, offsets = layout.level_starts, layout.child_offsets
    n_nodes = len(layout.intercepts) + 1
    check_ascending(offsets, 1, n_nodes, "SearchLayout.child_offsets")
    check_ascending(starts, 0, len(offsets) - 1, "SearchLayout.level_starts")
    if (offsets[starts[:-1]] != starts[1:]).any():
        refuse(
            "SearchLayout.level_starts",
            f"is {starts.tolist()!r:.80}; expected each level to start where the "
            f"children of the one above do",
        )
    # In a shard, labels are columns of the whole model, so no permutation.
    check_range(layout.labels, 0, 2**31, "SearchLayout.labels")
    if np.isnan(layout.intercepts).any():
        refuse("SearchLayout.intercepts", "has NaN; expected numbers")
    sizes = np.diff(starts, append=n_nodes)
    derived = {
        "widest_level": sizes.max(),
        "widest_parents": sizes[:-1].max(),
        "most_children": np.diff(offsets).max(),
    }
    for name, size in derived.items():
        if getattr(layout, name) != size:
            refuse(
                f"SearchLayout.{name}",
                f"is {getattr(layout, name)!r:.40}; expected {size}",
            )
