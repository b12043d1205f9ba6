"""Searches restricted to a subset of the labels: the nodes that they may enter."""

import numpy as np

from skxmr._cython._restriction import allow_ranges, forbid

__all__ = ["LabelNodes", "LabelSubset"]


class LabelNodes:
    """Where the labels are in a laid-out tree, and the nodes above them.

    Parameters
    ----------
    layout : SearchLayout

    Attributes
    ----------
    nodes : ndarray of shape (n_labels,), int32
        The node of each label (column), as the layout numbers nodes.
    parents : ndarray of shape (n_nodes,), int32
        The parent of each node; of the root, itself.
    never_found : ndarray of int64
        Columns of the labels that no training row has.
    """

    def __init__(self, layout):
        self.nodes = np.empty(layout.n_labels, dtype=np.int32)
        first = int(layout.level_starts[-1])
        self.nodes[layout.labels] = np.arange(first, first + layout.n_labels)
        self.child_offsets = layout.child_offsets
        n_children = np.diff(layout.child_offsets)
        parents = np.repeat(np.arange(len(n_children), dtype=np.int32), n_children)
        self.parents = np.concatenate([np.zeros(1, dtype=np.int32), parents])
        self.never_found = np.flatnonzero(layout.intercepts[self.nodes - 1] == -np.inf)

    def allow_all(self):
        """Give a set bit to each node: node i's is bit i % 64 of word i // 64."""
        return np.full(-(-len(self.parents) // 64), ~np.uint64(0))

    def allow(self, ranges):
        """Mark the nodes that lead to the labels in some ranges of columns.

        Parameters
        ----------
        ranges : ndarray of shape (n_ranges, 2), int64
            First column of a range, and the one beyond its last.

        Returns
        -------
        ndarray of uint64, or None
            A bit for each node. None where the ranges hold all labels.
        """
        if len(ranges) == 1 and ranges[0, 1] - ranges[0, 0] == len(self.nodes):
            return None
        allowed = np.zeros(-(-len(self.parents) // 64), dtype=np.uint64)
        allow_ranges(ranges, self.nodes, self.parents, allowed)
        return allowed

    def forbid(self, columns, allowed):
        """Clear the bits of labels, in place, and of nodes that lead to none any more.

        Parameters
        ----------
        columns : ndarray of int64
        allowed : ndarray of uint64
        """
        forbid(columns, self.nodes, self.parents, self.child_offsets, allowed)


class LabelSubset:
    """A subset of the labels of a fitted classifier, for restricted searches.

    Made by `XRLinearClassifier.subset` or `TextRetriever.subset`. It can only be used
    with the classifier that made it. It is immutable, and many threads can use it.

    Parameters
    ----------
    layouts : sequence of SearchLayout
        The layout of each tree.
    allowed : ndarray of int64 or None
        Columns, ascending; None for all.
    excluded : ndarray of int64
        Columns.

    Attributes
    ----------
    bits : tuple of ndarray of uint64
        For each tree, a bit for each node: whether it leads to an allowed label.

    See Also
    --------
    skxmr.XRLinearClassifier.subset : Makes a subset.
    skxmr.TextRetriever.subset : Makes a subset.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> texts = ["green tea", "black tea", "rye bread"]
    >>> retriever = TextRetriever().fit(texts, ["green", "black", "rye"])
    >>> drinks = retriever.subset(allowed=["black", "green"])
    >>> [label for label, _, _ in retriever.search("green bread", allowed=drinks)]
    ['green', 'black']
    """

    def __init__(self, layouts, allowed, excluded):
        self.bits = tuple(_bits(layout, allowed, excluded) for layout in layouts)
        self._layouts = tuple(layouts)

    def bits_for(self, layouts):
        """Return the bits, if they belong to the given trees.

        Parameters
        ----------
        layouts : sequence of SearchLayout
            Of a fitted classifier.

        Returns
        -------
        tuple of ndarray of uint64
            For each tree, a bit for each node: whether it leads to an allowed label.

        Raises
        ------
        ValueError
            If they belong to other trees.
        """
        same = len(layouts) == len(self._layouts) and all(
            one is other for one, other in zip(layouts, self._layouts, strict=True)
        )
        if not same:
            raise ValueError(
                "The subset of labels was made by another classifier, or before this "
                "one was fitted again; make it anew."
            )
        return self.bits


def _bits(layout, allowed, excluded):
    nodes = layout.label_nodes
    bits = None
    if allowed is not None:
        bits = nodes.allow(np.stack([allowed, allowed + 1], axis=1))
    if bits is None:
        bits = nodes.allow_all()
    # A node that leads only to labels that are never found would waste a position
    # of the beam.
    nodes.forbid(np.concatenate([excluded, nodes.never_found]), bits)
    return bits
