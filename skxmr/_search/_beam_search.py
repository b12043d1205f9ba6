"""Beam search over laid-out trees."""

import os
from dataclasses import dataclass, replace

import numpy as np

from skxmr._cython._cpu import SIMD_LEVELS
from skxmr._cython._ensembles import TreeAverager
from skxmr._cython._search_inputs import TRANSFORMS, BeamOptions, StartNodes
from skxmr._parallel._parallel import current_stop, run_tasks, split_rows
from skxmr._search._row_labels import RowLabels
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = ["average_trees", "beam_search", "search_one", "search_trees"]

# Tasks take about ten milliseconds, since joblib needs some time to start threads. The
# time of a row grows with the number of labels that it finds.
_MIN_ROWS_OF_A_TASK = 1024
_MIN_LABELS_OF_A_TASK = 2**17

# The number of dense rows per block: enough that several visit the same node, and few
# enough for the cache; fewer for wide beams, whose buffers are larger.
_BLOCK = 512
_NODES_OF_A_BLOCK = 2**17

# Multiplier of the hash of columns, random so that collisions cannot be provoked.
_HASH_FACTOR = int.from_bytes(os.urandom(8), "little") | 1


@dataclass(frozen=True)
class _Task:
    """Rows, and the options of their search."""

    X: Compressed | DenseRows
    k: int
    beam_width: int
    score_transform: str
    wants_labels: bool = True
    allowed: np.ndarray | None = None
    start: tuple | None = None
    last_level: int | None = None
    among: RowLabels | None = None

    def between(self, rows):
        """Return a slice of the rows."""
        start, among = self.start, self.among
        if start is not None:
            level, nodes, log_scores = start
            start = level, nodes[rows], log_scores[rows]
        if among is not None:
            among = among.between(rows.start, rows.stop)
        X = self.X.between(rows.start, rows.stop)
        return replace(self, X=X, start=start, among=among)

    @property
    def is_whole(self):
        """Whether all rows start at the root and may find all labels."""
        return self.allowed is None and self.start is None and self.among is None

    def options(self):
        """Return the options of the kernel."""
        return BeamOptions(
            self.beam_width,
            TRANSFORMS[self.score_transform],
            wants_labels=self.wants_labels,
            allowed=self.allowed,
            last_level=-1 if self.last_level is None else self.last_level,
        )


def beam_search(
    X,
    layout,
    *,
    k,
    beam_width,
    score_transform,
    wanted="labels",
    start=None,
    allowed=None,
    among=None,
    n_jobs=None,
):
    """Find the best labels, or nodes of the last level, for each row.

    From the root down, the children of the `beam_width` best nodes of a level are
    scored: the log score of a child is its parent's plus the logarithm of its
    transformed margin. A label that no training row has is never found. Of equal
    scores the label with the smaller column comes first.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
        Dense rows are searched by ``layout.by_node``, or compressed where that is
        None, with the same results.
    layout : SearchLayout
    k : int
        The most labels of a row.
    beam_width : int or None
        The most nodes kept at a level; None keeps all, which makes the search
        exact.
    score_transform : {"sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"}
        ``l<p>-hinge`` scores a margin m by exp(-max(0, 1 - m)^p).
    wanted : {"labels", "nodes", "parents"}
        Whether columns of labels are returned; or nodes of the last level (counted from
        0), for a layout of upper levels only; or nodes of the last level but one, the
        parents of labels.
    start : (level, nodes, log_scores), or None
        Where the search starts: the level of some nodes, 0 for the root; the nodes,
        different ones and counted in their level, as int64 of shape (n_samples,
        any), best first, -1 where there are fewer; and their log scores, as float64.
        What the layout holds of the levels down to these nodes is not read, and
        dense rows are compressed. None starts at the root.
    allowed : ndarray of uint64, or None
        A bit for each node, as in `search_one`. Dense rows are then compressed.
    among : RowLabels, or None
        In place of `allowed`, what each row may find, or may not. Rows that may find
        their labels only are searched exactly, whatever `beam_width`: the beam holds
        all nodes above these labels.
    n_jobs : int or None

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first; -1 where fewer than k are found.
    log_scores : ndarray of shape (n_samples, k), float64
        Logarithms of the scores; -inf where fewer than k are found.
    """
    width = _width(layout, beam_width)
    if among is not None and among.base is None:
        width = max(1, min(among.most, layout.widest_level))
    task = _Task(
        X,
        k,
        width,
        score_transform,
        wanted == "labels",
        allowed,
        start,
        layout.n_levels - 1 if wanted == "parents" else None,
        among,
    )
    min_rows = max(1, min(_MIN_ROWS_OF_A_TASK, _MIN_LABELS_OF_A_TASK // k))
    slices = split_rows(X.n_vectors, n_jobs=n_jobs, min_rows=min_rows)
    if len(slices) <= 1:
        return _search_task(task, layout)
    tasks = (task.between(rows) for rows in slices)
    found = run_tasks(_search_task, tasks, n_jobs=n_jobs, shared=(layout,))
    columns, scores = zip(*found, strict=True)
    return np.concatenate(columns), np.concatenate(scores)


def _search_task(task, layout):
    X, start = task.X, None
    columns = np.empty((X.n_vectors, task.k), dtype=np.int64)
    log_scores = np.empty((X.n_vectors, task.k), dtype=np.float64)
    if isinstance(X, DenseRows):
        if layout.by_node is not None and task.is_whole:
            layout.dense_searcher.search(
                X.values,
                task.options(),
                max(1, min(_BLOCK, X.n_vectors, _NODES_OF_A_BLOCK // task.beam_width)),
                len(SIMD_LEVELS) - 1,
                columns,
                log_scores,
                current_stop(),
            )
            return columns, log_scores
        X = X.to_compressed()
    if task.start is not None:
        level, nodes, node_scores = task.start
        start = StartNodes(level, layout.n_levels, nodes, node_scores)
    layout.searcher.search(
        X.offsets,
        X.indices,
        X.values,
        task.options(),
        start,
        columns,
        log_scores,
        current_stop(),
        None if task.among is None else task.among.bind(layout),
    )
    return columns, log_scores


def _width(layout, beam_width):
    """Return a beam width that the tree can fill; None keeps all nodes."""
    if beam_width is None or beam_width > layout.widest_level:
        return layout.widest_level
    return int(beam_width)


# One row
# -------


def search_one(
    layout,
    indices,
    values,
    *,
    k,
    beam_width,
    score_transform,
    allowed=None,
    as_logs=False,
):
    """Find the best labels of one row, with little overhead beside the kernel.

    Parameters
    ----------
    layout : SearchLayout
    indices : ndarray of shape (nnz,), int32, or None
        None for a dense row.
    values : ndarray of shape (nnz,), float32
    k, beam_width, score_transform
        As in `beam_search`.
    allowed : ndarray of shape (n_words,), uint64, or None
        A bit for each node as the layout numbers them, level by level, the root 0:
        node i is bit ``i % 64`` of word ``i // 64``. Nodes whose bit is not set are
        never scored, followed or returned. None allows all.
    as_logs : bool, default=False
        Whether logarithms of the scores are returned, with -inf where fewer than k
        are found.

    Returns
    -------
    columns : ndarray of shape (k,), int64
        -1 where fewer than k are found.
    scores : ndarray of shape (k,), float32; or float64 for logarithms
        As `skxmr.targets.scores_from_logs` makes them; 0 where fewer are found.

    Raises
    ------
    TypeError
        If `indices` or `values` are of another type.
    ValueError
        If `allowed` has no bit for some node.

    Notes
    -----
    A dense row is searched for by the weights by node, or compressed where the layout
    does not hold these or not all nodes are allowed.
    """
    columns = np.empty(k, dtype=np.int64)
    scores = np.empty(k, dtype=np.float64 if as_logs else np.float32)
    out = (columns, scores, None) if as_logs else (columns, None, scores)
    how = _width(layout, beam_width), TRANSFORMS[score_transform]
    try:
        if indices is None and layout.by_node is not None and allowed is None:
            layout.dense_searcher.search_one(values, *how, *out)
            return columns, scores
        if indices is None:
            _, indices, values, _ = DenseRows(values[np.newaxis]).to_compressed()
        layout.searcher.search_one(indices, values, *how, allowed, *out)
    except (AttributeError, TypeError, ValueError):
        _check_row(indices, values)
        raise
    return columns, scores


def _check_row(indices, values):
    """Explain why a kernel refused the arrays of a row."""
    arrays = [("values", values, "float32")]
    if indices is not None:
        arrays.insert(0, ("indices", indices, "int32"))
    for name, array, expected in arrays:
        if not isinstance(array, np.ndarray):
            raise TypeError(
                f"{name} is of type {type(array).__name__}; expected an ndarray of "
                f"{expected}."
            )
        if array.dtype != expected or array.ndim != 1:
            raise TypeError(
                f"{name} is an array of {array.dtype} and of shape {array.shape}; "
                f"expected one of {expected} and of shape (nnz,). Convert it with "
                f"{name}.astype('{expected}')."
            )


# Several trees
# -------------


def search_trees(search, trees, k, n_candidates=0):
    """Search several trees and average the scores that they give.

    Parameters
    ----------
    search : callable
        ``search(tree, k)`` returns the best columns in a tree and their log scores,
        each of shape (n_samples, k), or (k,) for one row.
    trees : sequence
        What identifies each tree to `search`.
    k : int
        How many labels to keep for each row.
    n_candidates : int, default=0
        How many labels each of several trees has to find, if more than k: the best of
        the average are not the best of each tree.

    Returns
    -------
    columns, log_scores : ndarray
        As `average_trees` returns them.
    """
    wanted = k if len(trees) == 1 else max(k, n_candidates)
    columns, log_scores = zip(*(search(tree, wanted) for tree in trees), strict=True)
    return average_trees(columns, log_scores, k)


def average_trees(columns, log_scores, k):
    """Average the scores of several shortlists of each row and keep the best.

    A label that a tree did not find has the score 0 there (as in Parabel, Prabhu et
    al., WWW 2018).

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_samples, n_candidates), int64
        Of each tree; -1 where fewer are found. Of shape (n_candidates,) for one row.
    log_scores : sequence of ndarray of the same shapes, float64
    k : int

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64; or (k,) for one row
        Best first, of equal ones the smaller column; -1 where fewer are found.
    log_scores : ndarray of the same shape, float64
    """
    if len(columns) == 1:
        return columns[0][..., :k], log_scores[0][..., :k]
    together = np.concatenate(columns, axis=-1)
    best = np.empty((*together.shape[:-1], k), dtype=np.int64)
    best_scores = np.empty(best.shape)
    TreeAverager(together.shape[-1], _HASH_FACTOR).average(
        np.atleast_2d(together),
        np.atleast_2d(np.concatenate(log_scores, axis=-1)),
        len(columns),
        np.atleast_2d(best),
        np.atleast_2d(best_scores),
    )
    return best, best_scores
