"""The present weights of some nodes, for some features.

They are looked up where searches look them up, so that this takes time of what is asked
for: the model is neither read as a whole nor compacted.
"""

import numpy as np
from scipy import sparse

from skxmr._growing._changes import current_parent
from skxmr._utils._compressed import Compressed

__all__ = ["present_weights"]


def present_weights(layout, parents, wanted):
    """Collect the weights of the children of some parents.

    Parameters
    ----------
    layout : SearchLayout
        Also with a delta.
    parents : ndarray of shape (n_parents,), int64
        Ascending, of one level.
    wanted : csr_array of shape (n_parents, n_features), or None
        Stored for the features whose weights are wanted. Where the layout holds weights
        by node, all are returned.

    Returns
    -------
    csr_array of shape (n_children, n_features), float32
        Of all children of the first parent, then of those of the next, and so on. A
        child that is never found has none.
    """
    changes = [current_parent(layout, parent) for parent in parents.tolist()]
    offsets = np.cumsum([0, *(one.n_children for one in changes)])
    if layout.by_node is not None:
        return _from_nodes(layout, parents, changes, offsets)
    owners = np.repeat(np.arange(len(parents)), np.diff(wanted.indptr))
    pairs = parents[owners], wanted.indices.astype(np.int32)
    reader = layout.run_reader
    most = reader.count(*pairs)
    counts = np.empty(len(owners), dtype=np.int64)
    children = np.empty(most, dtype=np.int32)
    weights = np.empty(most, dtype=np.float32)
    n_read = reader.read(*pairs, counts, children, weights)
    rows = np.repeat(offsets[owners], counts) + children[:n_read]
    return sparse.csr_array(
        (weights[:n_read], (rows, np.repeat(pairs[1], counts))),
        shape=(int(offsets[-1]), layout.n_features),
    )


def _from_nodes(layout, parents, changes, offsets):
    """Collect the weights of nodes that have them one after another."""
    held = layout.by_node
    stored = Compressed(held.node_offsets, held.features, held.weights, 0)
    n_base = np.diff(layout.child_offsets)[parents]
    firsts = layout.child_offsets[parents] - 1
    # The rows of `stored` for the children of the base; -1 for added ones.
    numbers = np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
    is_base = numbers < np.repeat(n_base, np.diff(offsets))
    nodes = np.where(is_base, numbers + np.repeat(firsts, np.diff(offsets)), -1)
    replaced = [
        first + one.weights.keys
        for first, one in zip(offsets[:-1], changes, strict=True)
    ]
    nodes[np.concatenate(replaced)] = -1
    intercepts = np.concatenate([one.intercepts for one in changes])
    nodes[intercepts == -np.inf] = -1
    taken = stored.take(nodes[nodes >= 0])
    parts = [(np.flatnonzero(nodes >= 0), taken)]
    for rows, one in zip(replaced, changes, strict=True):
        keys = one.weights
        parts.append((rows, Compressed(keys.offsets, keys.items, keys.weights, 0)))
    rows = np.concatenate([np.repeat(rows, part.sizes) for rows, part in parts])
    features = np.concatenate([part.indices for _, part in parts])
    values = np.concatenate([part.values for _, part in parts])
    is_found = intercepts[rows] != -np.inf
    return sparse.csr_array(
        (values[is_found], (rows[is_found], features[is_found].astype(np.int32))),
        shape=(int(offsets[-1]), layout.n_features),
    )
