"""Which nodes of a tree a search may enter, for searches among some labels only."""

import numpy as np

from skxmr._cython._completion import allow_ranges

__all__ = ["LabelPlaces"]


class LabelPlaces:
    """Where the labels stand in a laid-out tree, and what is above them.

    Parameters
    ----------
    nodes : ndarray of shape (n_labels,), int32
        The node of each label (column), as the layout numbers nodes.
    parents : ndarray of shape (n_nodes,), int32
        The parent of each node; of the root, itself.
    """

    def __init__(self, nodes, parents):
        self.nodes = nodes
        self.parents = parents

    @classmethod
    def of_layout(cls, layout):
        """Find the places of the labels of a `SearchLayout`."""
        nodes = np.empty(layout.n_labels, dtype=np.int32)
        first = int(layout.level_starts[-1])
        nodes[layout.labels] = np.arange(first, first + layout.n_labels)
        n_children = np.diff(layout.child_offsets)
        parents = np.repeat(np.arange(len(n_children), dtype=np.int32), n_children)
        return cls(nodes, np.concatenate([np.zeros(1, dtype=np.int32), parents]))

    def allow(self, ranges):
        """Mark the nodes that lead to the labels in some ranges of columns.

        Parameters
        ----------
        ranges : ndarray of shape (n_ranges, 2), int64
            First column of a range, and the one beyond its last.

        Returns
        -------
        ndarray of uint64, or None
            A bit for each node: node i's is bit i % 64 of word i // 64. None where
            the ranges hold all labels.
        """
        if len(ranges) == 1 and ranges[0, 1] - ranges[0, 0] == len(self.nodes):
            return None
        allowed = np.zeros(-(-len(self.parents) // 64), dtype=np.uint64)
        allow_ranges(ranges, self.nodes, self.parents, allowed)
        return allowed
