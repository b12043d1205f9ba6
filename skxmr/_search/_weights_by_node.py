"""The weights of a trained tree node by node, as the search for dense queries reads."""

from itertools import pairwise

import numpy as np

from skxmr._cython._layout import count_by_node, order_by_node
from skxmr._search._weights import LinearWeights, with_precision
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_finite,
    check_range,
    check_rows_ascend,
    check_vector,
    to_be_read,
)
from skxmr._version import refuse_newer

__all__ = ["NODE_WEIGHTS_VERSION", "NodeWeights"]

# Raised when the arrays of NodeWeights change their meaning.
NODE_WEIGHTS_VERSION = 1


class NodeWeights:
    """The sparse weights of every node of a tree, one node after another.

    A sparse query looks up the few features that it has, so `FeatureWeights` sorts
    them by feature. A dense query has them all: for each node that it comes to, it
    reads that node's weights. This holds them in that order; the tree and the
    intercepts are those of the `SearchLayout`. All arrays can be read-only and
    memory-mapped.

    Parameters
    ----------
    node_offsets : ndarray of shape (n_nodes,), int64
        The weights of node i, counted from 0 without the root, are
        ``node_offsets[i]`` to ``node_offsets[i + 1]``.
    features : ndarray of shape (n_weights,), uint16 or int32
        The feature of each weight, ascending within a node.
    weights : ndarray of shape (n_weights,), float32
    """

    def __init__(self, node_offsets, features, weights):
        self.version = NODE_WEIGHTS_VERSION
        self.node_offsets = node_offsets
        self.features = features
        self.weights = weights

    @classmethod
    def from_levels(cls, tree, levels, n_features, weight_precision="float32"):
        """Sort the weights of a tree, or of its upper levels, by node.

        Parameters
        ----------
        tree : LabelTree
        levels : sequence of LinearWeights
            Of the first levels of the tree, or of all.
        n_features : int
        weight_precision : {"float32", "float16"}, default="float32"
            What the weights are rounded to; they are of float32 all the same.

        Returns
        -------
        NodeWeights
        """
        sizes = [len(level.intercepts) for level in levels]
        counts = np.zeros(sum(sizes), dtype=np.int64)
        starts = np.cumsum([0, *sizes])
        for i, level in enumerate(levels):
            count_by_node(
                level.runs(),
                tree.child_offsets[i],
                counts[starts[i] : starts[i + 1]],
            )
        offsets = np.concatenate([[0], np.cumsum(counts)])
        features = np.empty(
            offsets[-1], dtype=np.uint16 if n_features <= 2**16 else np.int32
        )
        weights = np.empty(offsets[-1], dtype=np.float32)
        cursors = offsets[:-1].copy()
        for i, level in enumerate(levels):
            order_by_node(
                level.runs(),
                level.features,
                level.weights,
                tree.child_offsets[i],
                cursors[starts[i] : starts[i + 1]],
                features,
                weights,
            )
        rounded = with_precision(weights, weight_precision)
        return cls(offsets, features, rounded.astype(np.float32, copy=False))

    def __setstate__(self, state):
        refuse_newer(state, NODE_WEIGHTS_VERSION, "The weights by node of this model")
        self.__dict__.update(state)
        with as_value_errors("NodeWeights"):
            self._check_arrays()

    def _check_arrays(self):
        """Check what does not depend on the layout."""
        offsets, features = self.node_offsets, self.features
        check_vector(offsets, (np.int64,), None, "NodeWeights.node_offsets")
        check_vector(features, (np.uint16, np.int32), None, "NodeWeights.features")
        size = len(features)
        check_vector(self.weights, (np.float32,), size, "NodeWeights.weights")
        if to_be_read(offsets, features, self.weights):
            name = "NodeWeights.node_offsets"
            check_ascending(offsets, 0, size, name, strictly=False)
            check_rows_ascend(offsets, features, "NodeWeights.features")
            check_finite(self.weights, "NodeWeights.weights")

    def check_fits(self, layout):
        """Check that the arrays fit the nodes and features of a layout.

        Parameters
        ----------
        layout : SearchLayout
        """
        n_nodes = len(layout.intercepts) + 1
        name = "NodeWeights.node_offsets"
        check_vector(self.node_offsets, (np.int64,), n_nodes, name)
        if to_be_read(self.features):
            check_range(self.features, 0, layout.n_features, "NodeWeights.features")

    @property
    def n_weights(self):
        """Number of stored weights."""
        return len(self.weights)

    def to_levels(self, child_offsets, level_starts, intercepts):
        """Return the weights of each level.

        Parameters
        ----------
        child_offsets, intercepts : ndarray
            As in `SearchLayout`.
        level_starts : ndarray
            As in `SearchLayout`; fewer for the first levels alone.

        Returns
        -------
        list of LinearWeights
        """
        return [
            self._level(child_offsets[first : stop + 1], intercepts)
            for first, stop in pairwise(level_starts)
        ]

    def _level(self, child_offsets, intercepts):
        """Return the weights of the children of consecutive parents."""
        first, stop = int(child_offsets[0]) - 1, int(child_offsets[-1]) - 1
        offsets = self.node_offsets[first : stop + 1]
        n_children = np.diff(child_offsets)
        counts = np.diff(offsets)
        parents = np.repeat(np.arange(len(n_children), dtype=np.int32), n_children)
        children = np.arange(first + 1, stop + 1) - child_offsets[parents]
        parents = np.repeat(parents, counts)
        features = self.features[offsets[0] : offsets[-1]].astype(np.int32)
        # Stable: the children of each run stay ascending.
        order = np.lexsort((features, parents))
        parents, features = parents[order], features[order]
        starts = np.flatnonzero(
            (np.diff(parents, prepend=-1) != 0) | (np.diff(features, prepend=-1) != 0)
        )
        posting_offsets = np.searchsorted(
            parents[starts], np.arange(len(n_children) + 1)
        )
        return LinearWeights(
            posting_offsets.astype(np.int64),
            features[starts],
            np.append(starts, len(features)).astype(np.int64),
            np.repeat(children, counts)[order].astype(np.int32),
            self.weights[offsets[0] : offsets[-1]][order].astype(np.float32),
            intercepts[first:stop],
        )

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return self.node_offsets.nbytes + self.features.nbytes + self.weights.nbytes
