"""Selection of the training rows of nodes: positives and negatives."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._inputs._negatives import with_empty_rows
from skxmr._search._beam_search import beam_search
from skxmr._search._layout import SearchLayout
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.ranking import scores_to_csr

__all__ = ["FoundRows", "level_targets", "matched_rows", "shown_rows"]


# Rows that are searched in a few tenths of a second.
_ROWS_AT_ONCE = 16_384


class FoundRows(NamedTuple):
    """Rows that are negatives of the children of a parent although they lack it.

    Parameters
    ----------
    matched : csr_array of shape (n_samples, n_parents), or None, default=None
        The rows for which the matcher reaches each parent.
    shown : csr_array of shape (n_samples, n_parents), or None, default=None
        The rows that were shown a label below each parent, and did not choose it.
    """

    matched: sparse.csr_array | None = None
    shown: sparse.csr_array | None = None


def level_targets(tree, level, parents, children, found, *, negative_sampling):
    """Make the training targets of the nodes of one level.

    Parameters
    ----------
    tree : LabelTree
    level : int
        From 1, the children of the root.
    parents, children : csr_array of shape (n_samples, nodes of the level)
        Targets of the level above and of this one.
    found : FoundRows
        Rows that become negatives without having the parent.
    negative_sampling : {"parents", "matcher", "both"}
        The negatives of a child: other rows that have the parent, those for which the
        matcher reaches it, or both. To these come the rows that were shown a label
        below the parent.

    Returns
    -------
    LevelTargets
    """
    rows = _mark(parents, 1.0)
    if negative_sampling != "parents" and found.matched is not None:
        right = _mark(parents, 1.0 if negative_sampling == "both" else 0.0)
        rows = _union(_mark(found.matched, 1.0), right)
    if found.shown is not None:
        rows = _union(rows, _mark(found.shown, 1.0))
    return LevelTargets(
        child_offsets=tree.child_offsets[level - 1],
        rows=Compressed.from_sparse(rows.tocsc()),
        positives=Compressed.from_sparse(children.tocsc()),
    )


def shown_rows(tree, negatives, n_rows):
    """Find the rows that were shown a label below each parent.

    Parameters
    ----------
    tree : LabelTree
    negatives : csr_array of shape (n_samples, n_labels), bool, or None
        The labels that each row was shown and did not choose.
    n_rows : int
        Of all training rows; the further ones were shown nothing.

    Returns
    -------
    list of csr_array of shape (n_rows, n_parents), or of None
        Of each level from 1 on. None where all rows are training rows: of the root.
    """
    if negatives is None:
        return [None] * tree.depth
    return [None, *tree.roll_up(with_empty_rows(negatives, n_rows))[:-1]]


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
