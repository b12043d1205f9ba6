"""Growth of a label tree: new labels in given leaves, and leaves that are split."""

from typing import NamedTuple

import numpy as np

from skxmr.tree._label_tree import LabelTree

__all__ = ["GrownTree", "grow_tree", "largest_leaf"]


class GrownTree(NamedTuple):
    """A tree that has grown, and where its nodes come from.

    Parameters
    ----------
    tree : LabelTree
    origins : tuple of ndarray of int64
        For each level from the root down, the node of the earlier tree that each node
        was, -1 for new ones.
    """

    tree: LabelTree
    origins: tuple

    @classmethod
    def unchanged(cls, tree):
        """Make the trivial case: no new labels."""
        return cls(tree, tuple(np.arange(size) for size in tree.level_sizes))


def largest_leaf(tree):
    """Return the largest number of labels of a leaf."""
    return int(tree.n_children(tree.depth - 1).max())


def grow_tree(tree, leaves, most_labels, split):
    """Add labels to a tree, and split leaves that become too large.

    Parameters
    ----------
    tree : LabelTree
        Unchanged.
    leaves : ndarray of shape (n_new,), int64
        The leaf, a node of level ``depth - 1``, of each new label; these are numbered
        from `tree.n_labels`.
    most_labels : int
        A leaf that has got new labels, and has more labels than this, is split into
        siblings. Never the root.
    split : callable
        Takes the labels of a leaf; returns them as a list of arrays, one for each part.

    Returns
    -------
    GrownTree
        Nodes keep their order among their siblings, and new ones follow them.
    """
    if not len(leaves):
        return GrownTree.unchanged(tree)
    depth = tree.depth
    groups = _enlarged(tree, leaves)
    parts: list[np.ndarray] = []
    first_parts = np.zeros(len(groups), dtype=np.int64)
    has_grown = np.bincount(leaves, minlength=len(groups)) > 0
    for leaf, labels in enumerate(groups):
        first_parts[leaf] = len(parts)
        is_large = depth > 1 and has_grown[leaf] and len(labels) > most_labels
        parts += split(labels) if is_large else [labels]
    is_first = np.isin(np.arange(len(parts)), first_parts)
    leaf_origins = np.where(is_first, np.cumsum(is_first) - 1, -1)
    owners = tree.parents(depth - 1)[np.cumsum(is_first) - 1]
    # Among the parts with the same parent, new ones come last.
    order = np.lexsort((np.arange(len(parts)), ~is_first, owners))
    labels = np.concatenate([parts[part] for part in order])
    sizes = np.array([len(parts[part]) for part in order])
    child_offsets = list(tree.child_offsets)
    child_offsets[-1] = _offsets(sizes)
    if depth > 1:
        counts = np.bincount(owners, minlength=tree.level_sizes[depth - 2])
        child_offsets[-2] = _offsets(counts)
    node_of = np.full(len(labels), -1)
    node_of[tree.labels] = np.arange(tree.n_labels)
    return GrownTree(
        LabelTree(child_offsets, labels),
        (
            *(np.arange(size) for size in tree.level_sizes[: depth - 1]),
            leaf_origins[order],
            node_of[labels],
        ),
    )


def _enlarged(tree, leaves):
    """List the labels of each leaf, the new ones last."""
    offsets = tree.child_offsets[-1]
    nodes = np.concatenate([tree.parents(tree.depth), leaves])
    labels = np.concatenate(
        [tree.labels, tree.n_labels + np.arange(len(leaves), dtype=tree.labels.dtype)]
    )
    order = np.argsort(nodes, kind="stable")
    counts = np.diff(offsets) + np.bincount(leaves, minlength=len(offsets) - 1)
    return np.split(labels[order], np.cumsum(counts)[:-1])


def _offsets(sizes):
    return np.concatenate([[0], np.cumsum(sizes)])
