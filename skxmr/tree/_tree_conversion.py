"""The arrays of a label tree, made from other descriptions of the tree."""

import numpy as np

from skxmr._utils._sparse_structure import refuse_sparse
from skxmr.tree._tree_arrays import (
    check_parents,
    in_order_of_nodes,
    integer_vector,
    inverse,
    only_columns,
)

__all__ = ["arrays_of_cluster_chain", "arrays_of_parents", "arrays_of_starts"]


def arrays_of_parents(parents):
    """Return `child_offsets` and `labels`, as `LabelTree.from_parents` needs them."""
    parents = in_order_of_nodes(parents)
    parent = integer_vector(parents, "parents").astype(np.int64, copy=False)
    root = check_parents(parent)
    # The children of node p, ascending: by_parent[starts[p]:starts[p + 1]].
    by_parent = np.argsort(parent, kind="stable")[1:]
    n_children = np.bincount(parent[by_parent], minlength=parent.shape[0])
    starts = np.concatenate(([0], np.cumsum(n_children)))
    is_label = n_children == 0
    level = np.array([root])
    n_seen = 1
    child_offsets: list[np.ndarray] = []
    while not child_offsets or not is_label[level].all():
        # A label that is not on the last level becomes its own child.
        counts = np.where(is_label[level], 1, n_children[level])
        offsets = np.concatenate(([0], np.cumsum(counts)))
        below = np.repeat(level, counts)
        has_children = ~is_label[below]
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        below[has_children] = by_parent[(starts[below] + within)[has_children]]
        child_offsets.append(offsets)
        level = below
        n_seen += int(has_children.sum())
    if n_seen != parent.shape[0]:
        raise ValueError(
            f"parents has a cycle: {parent.shape[0] - n_seen} of its "
            f"{parent.shape[0]} nodes cannot be reached from the root ({root})."
        )
    label_of_node = np.cumsum(is_label) - 1
    return child_offsets, label_of_node[level]


def arrays_of_cluster_chain(chain):
    """Return the arrays that `LabelTree.from_cluster_chain` needs."""
    refuse_sparse(chain, "chain", "a sequence of sparse matrices")
    if len(chain) == 0:
        raise ValueError("chain is empty; expected one matrix at least.")
    rank = np.zeros(1, dtype=np.int64)  # of each node of the level above
    child_offsets = []
    order = rank
    for position, matrix in enumerate(chain):
        parent = rank[only_columns(matrix, rank.shape[0], f"chain[{position}]")]
        n_children = np.bincount(parent, minlength=rank.shape[0])
        if not n_children.all():
            childless = int(np.flatnonzero(n_children[rank] == 0)[0])
            raise ValueError(
                f"chain[{position}] has no entry in column {childless}; every "
                "node needs a child."
            )
        child_offsets.append(np.concatenate(([0], np.cumsum(n_children))))
        order = np.argsort(parent, kind="stable")
        rank = inverse(order)
    return child_offsets, order


def arrays_of_starts(starts, labels):
    """Return the arrays that `LabelTree.from_starts` needs."""
    refuse_sparse(starts, "starts", "a sequence of vectors")
    leaves = integer_vector(labels, "labels")
    above = np.zeros(1, dtype=np.int64)
    child_offsets = []
    for level, given in enumerate([*starts, np.arange(len(leaves))]):
        below = integer_vector(given, f"starts[{level}]")
        if not np.isin(above, below).all() or (np.diff(below) <= 0).any():
            raise ValueError(
                f"starts[{level}] must ascend from 0 and include the starts of the "
                f"level above."
            )
        child_offsets.append(np.append(np.searchsorted(below, above), len(below)))
        above = below
    return child_offsets, leaves
