"""Selection of the training rows of nodes: positives and negatives."""

import numpy as np
from scipy import sparse

from skxmr._search._beam_search import beam_search
from skxmr._search._layout import SearchLayout
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.ranking import scores_to_csr

__all__ = ["level_targets", "matched_rows"]


# Rows that are searched in a few tenths of a second.
_ROWS_AT_ONCE = 16_384


def level_targets(tree, level, parents, children, matched, *, negative_sampling):
    """Make the training targets of the nodes of one level.

    Parameters
    ----------
    tree : LabelTree
    level : int
        From 1, the children of the root.
    parents, children : csr_array of shape (n_samples, nodes of the level)
        Targets of the level above and of this one.
    matched : csr_array of shape (n_samples, n_parents) or None
        The rows for which the matcher reaches each parent.
    negative_sampling : {"parents", "matcher", "both"}
        The negatives of a child: other rows that have the parent, those for which the
        matcher reaches it, or both.

    Returns
    -------
    LevelTargets
    """
    rows = parents
    if negative_sampling != "parents" and matched is not None:
        rows = _mark(matched, 1.0)
        right = _mark(parents, 1.0 if negative_sampling == "both" else 0.0)
        rows = _union(rows, right)
    else:
        rows = _mark(rows, 1.0)
    return LevelTargets(
        child_offsets=tree.child_offsets[level - 1],
        rows=Compressed.from_sparse(rows.tocsc()),
        positives=Compressed.from_sparse(children.tocsc()),
    )


def _mark(matrix, value):
    """Set all values of a pattern to the same number."""
    data = np.full(matrix.nnz, value, dtype=np.float32)
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _union(first, second):
    """Union of two patterns; the larger value of duplicates."""
    # SciPy drops zeros of a sum, which are entries here: shift the values.
    first, second = _shift(first, 1), _shift(second, 1)
    return _shift(first.maximum(second), -1)


def _shift(matrix, amount):
    return sparse.csr_array(
        (matrix.data + np.float32(amount), matrix.indices, matrix.indptr),
        shape=matrix.shape,
    )


def matched_rows(X, tree, levels, matcher=None, *, beam_width, score_transform, n_jobs):
    """Find the nodes that the matcher, trained so far, reaches for each row.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    tree : LabelTree
    levels : sequence of LinearWeights
        Of the first levels of the tree, unpruned.
    matcher : FittedMatcher or None
        Replaces one of these levels and those above.
    beam_width : int
    score_transform : str
    n_jobs : int or None

    Returns
    -------
    csr_array of shape (n_samples, nodes of the last of these levels), float32
    """
    n_nodes = tree.level_sizes[len(levels)]
    layout = SearchLayout.from_levels(
        tree, levels, X.length, by_node=isinstance(X, DenseRows)
    )
    how = {
        "k": min(beam_width, n_nodes),
        "beam_width": beam_width,
        "score_transform": score_transform,
        "wanted": "nodes",
        "n_jobs": n_jobs,
    }
    # In blocks, since a search cannot be interrupted.
    found_by_part = [
        _find_nodes(
            X.between(start, min(start + _ROWS_AT_ONCE, X.n_vectors)),
            layout,
            matcher,
            how,
        )
        for start in range(0, X.n_vectors, _ROWS_AT_ONCE)
    ]
    nodes = np.concatenate([nodes for nodes, _ in found_by_part])
    return scores_to_csr(nodes, np.ones(nodes.shape, dtype=np.float32), n_nodes)


def _find_nodes(X, layout, matcher, how):
    if matcher is None:
        return beam_search(X, layout, **how)
    found = matcher.match(X, how["beam_width"], how["score_transform"])
    if matcher.level == layout.n_levels:
        return found
    return beam_search(X, layout, start=(matcher.level, *found), **how)
