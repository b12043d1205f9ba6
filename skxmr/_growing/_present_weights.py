"""The present weights of some nodes, for some features."""

import numpy as np
from scipy import sparse

from skxmr._utils._compressed import Compressed

__all__ = ["present_weights"]


def present_weights(layout, parents, wanted):
    """Collect the weights of the children of some parents.

    Parameters
    ----------
    layout : SearchLayout
        Without a delta.
    parents : ndarray of shape (n_parents,), int64
        Ascending, of one level.
    wanted : csr_array of shape (n_parents, n_features)
        Stored for the features whose weights are wanted. Where the layout holds weights
        by node, all are returned.

    Returns
    -------
    csr_array of shape (n_children, n_features), float32
        Of all children of the first parent, then of those of the next, and so on.
    """
    n_children = np.diff(layout.child_offsets)[parents]
    firsts = np.cumsum(n_children) - n_children
    if layout.by_node is not None:
        nodes = np.repeat(layout.child_offsets[parents] - 1 - firsts, n_children)
        nodes += np.arange(len(nodes))
        held = layout.by_node
        taken = Compressed(held.node_offsets, held.features, held.weights, 0)
        taken = taken.take(nodes)
        indices, values, offsets = taken.indices, taken.values, taken.offsets
        return sparse.csr_array(
            (values, indices.astype(np.int32), offsets),
            shape=(len(nodes), layout.n_features),
        )
    level = int(np.searchsorted(layout.level_starts, parents[0], side="right")) - 1
    weights = layout.to_levels()[level]
    first = int(layout.level_starts[level])
    numbers = np.arange(len(weights.features))
    postings = Compressed(weights.posting_offsets, weights.features, numbers, 0)
    taken = postings.take(parents - first)
    owners = np.repeat(np.arange(len(parents)), taken.sizes)
    stride = layout.n_features
    codes = np.repeat(np.arange(len(parents)), np.diff(wanted.indptr)) * stride
    is_wanted = np.isin(owners * stride + taken.indices, codes + wanted.indices)
    owners, features = owners[is_wanted], taken.indices[is_wanted]
    runs = Compressed(weights.run_offsets, weights.children, weights.weights, 0)
    runs = runs.take(taken.values[is_wanted])
    children = np.repeat(firsts[owners], runs.sizes) + runs.indices
    return sparse.csr_array(
        (runs.values, (children, np.repeat(features, runs.sizes))),
        shape=(int(n_children.sum()), stride),
    )
