"""Beam search, and the compact layout of a trained tree that it reads."""

from dataclasses import dataclass, replace

import numpy as np

from skxmr._cython._search import TRANSFORMS
from skxmr._cython._search import search as _search
from skxmr._parallel import run_tasks, split_rows
from skxmr.weights import LinearWeights

__all__ = ["LAYOUT_VERSION", "SearchLayout", "beam_search"]

# Raised when the arrays of SearchLayout change their meaning.
LAYOUT_VERSION = 1

_MIN_ROWS_OF_A_TASK = 64


class SearchLayout:
    """A label tree and the weights of its nodes, as plain arrays.

    Nodes are numbered level by level, the root 0, children of one node
    consecutively. All arrays can be read-only and memory-mapped.

    Parameters
    ----------
    child_offsets : ndarray of shape (n_parents + 1,), int64
        The children of node i are ``child_offsets[i]`` to ``child_offsets[i + 1]``.
    level_starts : ndarray of shape (n_levels + 1,), int64
        First node of each level, the root's included.
    labels : ndarray of shape (n_labels,), int32
        Column of each node of the last level.
    weights : LinearWeights
        Of the children of all nodes, in order.
    """

    def __init__(self, child_offsets, level_starts, labels, weights):
        self.version = LAYOUT_VERSION
        self.child_offsets = child_offsets
        self.level_starts = level_starts
        self.labels = labels
        self.weights = weights

    @classmethod
    def from_levels(cls, tree, levels):
        """Lay out a tree, or its upper levels, with their weights.

        Parameters
        ----------
        tree : LabelTree
        levels : sequence of LinearWeights
            Of the first levels of the tree, or of all.

        Returns
        -------
        SearchLayout
        """
        sizes = tree.level_sizes[: len(levels) + 1]
        level_starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        offsets = [
            tree.child_offsets[level] + level_starts[level + 1]
            for level in range(len(levels))
        ]
        # The last offset of each level is the first of the next.
        child_offsets = np.concatenate(
            [*(level[:-1] for level in offsets[:-1]), offsets[-1]]
        )
        return cls(
            child_offsets,
            level_starts,
            np.ascontiguousarray(tree.labels, dtype=np.int32),
            LinearWeights.concatenate(levels),
        )

    def __setstate__(self, state):
        version = state.get("version", 0)
        if version > LAYOUT_VERSION:
            raise ValueError(
                f"This model was saved with layout version {version}, by a newer "
                f"skxmr than this one, which reads layouts up to version "
                f"{LAYOUT_VERSION}. Upgrade skxmr to load it."
            )
        self.__dict__.update(state)

    @property
    def n_levels(self):
        """Number of levels below the root."""
        return len(self.level_starts) - 1

    @property
    def n_labels(self):
        """Number of labels."""
        return len(self.labels)

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        arrays = (self.child_offsets, self.level_starts, self.labels)
        return sum(array.nbytes for array in arrays) + self.weights.nbytes

    @property
    def widest_level(self):
        """The number of nodes of the largest level."""
        n_nodes = len(self.weights.intercepts) + 1
        return int(np.diff(np.append(self.level_starts, n_nodes)).max())

    def most_reached(self, beam_width):
        """Count the labels that a search of that width reaches at most."""
        if beam_width is None or self.n_levels == 1:
            return self.n_labels
        n_children = np.diff(self.child_offsets[self.level_starts[-2] :])
        return min(self.n_labels, beam_width * int(n_children.max()))

    def with_weights(self, weights):
        """Give the same tree other weights.

        Parameters
        ----------
        weights : LinearWeights

        Returns
        -------
        SearchLayout
        """
        return type(self)(self.child_offsets, self.level_starts, self.labels, weights)


@dataclass(frozen=True)
class _Task:
    """Some rows to search for."""

    X: object
    layout: SearchLayout
    k: int
    beam_width: int
    score_transform: str
    names: np.ndarray

    def detached(self):
        return self


def beam_search(
    X, layout, *, k, beam_width, score_transform, wanted="labels", n_jobs=None
):
    """Find the best labels, or nodes of the last level, for each row.

    From the root down, the children of the `beam_width` best nodes of a level are
    scored: the log score of a child is its parent's plus the logarithm of its
    transformed margin. A label that no training row has is never found. Of equal
    scores the label with the smaller column comes first.

    Parameters
    ----------
    X : Compressed, a vector for each row
    layout : SearchLayout
    k : int
        The most labels of a row.
    beam_width : int or None
        The most nodes kept at a level; None keeps all, which makes the search
        exact.
    score_transform : {"sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"}
        ``l<p>-hinge`` scores a margin m by exp(-max(0, 1 - m)^p).
    wanted : {"labels", "nodes"}
        Whether columns of labels or, for a layout of upper levels only, nodes of
        its last level (counted from 0) are returned.
    n_jobs : int or None

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first; -1 where fewer than k are found.
    log_scores : ndarray of shape (n_samples, k), float64
        Logarithms of the scores; -inf where fewer than k are found.
    """
    task = _Task(
        X,
        layout,
        k,
        layout.widest_level if beam_width is None else beam_width,
        score_transform,
        layout.labels if wanted == "labels" else np.empty(0, dtype=np.int32),
    )
    slices = split_rows(X.n_vectors, n_jobs=n_jobs, min_rows=_MIN_ROWS_OF_A_TASK)
    if len(slices) <= 1:
        return _search_task(task)
    tasks = (replace(task, X=X.between(rows.start, rows.stop)) for rows in slices)
    columns, scores = zip(*run_tasks(_search_task, tasks, n_jobs=n_jobs), strict=True)
    return np.concatenate(columns), np.concatenate(scores)


def _search_task(task):
    layout, weights = task.layout, task.layout.weights
    beam_width = min(task.beam_width, layout.widest_level)
    columns = np.empty((task.X.n_vectors, task.k), dtype=np.int64)
    scores = np.empty((task.X.n_vectors, task.k), dtype=np.float64)
    _search(
        task.X.offsets,
        task.X.indices,
        task.X.values,
        layout.child_offsets,
        layout.level_starts,
        weights.row_offsets,
        weights.features,
        weights.run_offsets,
        weights.children,
        weights.weights,
        weights.intercepts,
        task.names,
        TRANSFORMS[task.score_transform],
        layout.n_levels,
        np.empty((2, beam_width), dtype=np.int64),
        np.empty((2, beam_width), dtype=np.int64),
        np.empty((2, beam_width), dtype=np.float64),
        np.empty(int(np.diff(layout.child_offsets).max()), dtype=np.float64),
        columns,
        scores,
    )
    return columns, scores
