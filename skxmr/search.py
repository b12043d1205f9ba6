"""Beam search over a laid-out tree."""

from dataclasses import dataclass, replace

import numpy as np

from skxmr._cython._dense_search import LEVELS, N_LANES, search_dense
from skxmr._cython._search import TRANSFORMS
from skxmr._dense import DenseRows
from skxmr._parallel import run_tasks, split_rows
from skxmr.layout import SearchLayout

__all__ = ["beam_search", "rank_one", "search_below", "search_one"]

# Some ten milliseconds of work: joblib takes some to start threads.
_MIN_ROWS_OF_A_TASK = 1024

# So many dense queries are searched for at a time: enough to have several for a node,
# few enough for the cache; and fewer where wide beams would take much memory.
_BLOCK = 512
_PLACES_OF_A_BLOCK = 2**17


@dataclass(frozen=True)
class _Task:
    """Some rows to search for."""

    X: object
    layout: SearchLayout
    k: int
    beam_width: int
    score_transform: str
    names: np.ndarray
    allowed: np.ndarray | None = None

    def detached(self):
        return self


def beam_search(
    X,
    layout,
    *,
    k,
    beam_width,
    score_transform,
    wanted="labels",
    allowed=None,
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
    wanted : {"labels", "nodes"}
        Whether columns of labels or, for a layout of upper levels only, nodes of
        its last level (counted from 0) are returned.
    allowed : ndarray of uint64, or None
        A bit for each node, as in `search_one`. Dense rows are then compressed.
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
        allowed,
    )
    slices = split_rows(X.n_vectors, n_jobs=n_jobs, min_rows=_MIN_ROWS_OF_A_TASK)
    if len(slices) <= 1:
        return _search_task(task)
    tasks = (replace(task, X=X.between(rows.start, rows.stop)) for rows in slices)
    columns, scores = zip(*run_tasks(_search_task, tasks, n_jobs=n_jobs), strict=True)
    return np.concatenate(columns), np.concatenate(scores)


def _search_task(task):
    X = task.X
    if isinstance(X, DenseRows):
        if task.layout.by_node is not None and task.allowed is None:
            return _run_dense(task)
        X = X.to_compressed()
    columns = np.empty((X.n_vectors, task.k), dtype=np.int64)
    scores = np.empty((X.n_vectors, task.k), dtype=np.float64)
    task.layout.searcher.search(
        X.offsets,
        X.indices,
        X.values,
        task.beam_width,
        TRANSFORMS[task.score_transform],
        len(task.names) > 0,
        task.allowed,
        columns,
        scores,
    )
    return columns, scores


def search_below(
    X,
    layout,
    start,
    *,
    k,
    beam_width,
    score_transform,
    wanted="labels",
    allowed=None,
    n_jobs=None,
):
    """Find the best labels for each row, from given nodes on, instead of the root.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
        Dense rows are compressed.
    layout : SearchLayout
        What it holds of the levels down to that of the nodes is not read.
    start : (level, nodes, log_scores)
        The level, 0 for the root; its nodes to start from, counted from 0, as int64
        of shape (n_samples, n_nodes), best first, -1 where there are fewer; and their
        log scores, as float64.
    k, beam_width, score_transform, wanted, allowed, n_jobs
        As in `beam_search`.

    Returns
    -------
    columns, log_scores : ndarray of shape (n_samples, k)
        As `beam_search` returns them.
    """
    names = layout.labels if wanted == "labels" else np.empty(0, dtype=np.int32)
    width = layout.widest_level if beam_width is None else beam_width
    task = _Task(X, layout, k, width, score_transform, names, allowed)
    slices = split_rows(X.n_vectors, n_jobs=n_jobs, min_rows=_MIN_ROWS_OF_A_TASK)
    level, nodes, log_scores = start
    tasks = (
        _TaskBelow(
            replace(task, X=X.between(rows.start, rows.stop)),
            (level, nodes[rows], log_scores[rows]),
        )
        for rows in slices
    )
    if len(slices) <= 1:
        return _search_task_below(_TaskBelow(task, start))
    found = run_tasks(_search_task_below, tasks, n_jobs=n_jobs)
    columns, scores = zip(*found, strict=True)
    return np.concatenate(columns), np.concatenate(scores)


@dataclass(frozen=True)
class _TaskBelow:
    """Some rows to search for, and where each starts."""

    task: _Task
    start: tuple

    def detached(self):
        return self


def _search_task_below(task_below):
    task, (level, nodes, node_scores) = task_below.task, task_below.start
    X = task.X.to_compressed() if isinstance(task.X, DenseRows) else task.X
    columns = np.empty((X.n_vectors, task.k), dtype=np.int64)
    scores = np.empty((X.n_vectors, task.k), dtype=np.float64)
    task.layout.searcher.search_below(
        X.offsets,
        X.indices,
        X.values,
        level,
        nodes,
        node_scores,
        task.beam_width,
        TRANSFORMS[task.score_transform],
        len(task.names) > 0,
        task.allowed,
        columns,
        scores,
    )
    return columns, scores


def search_one(
    layout, indices, values, *, k, beam_width, score_transform, allowed=None
):
    """Find the best labels of one row, with as little around the kernel as can be.

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
        never scored, followed or returned. None allows all. A dense row is
        compressed where not all are allowed.

    Returns
    -------
    columns : ndarray of shape (1, k), int64
    log_scores : ndarray of shape (1, k), float64

    Raises
    ------
    ValueError
        If `allowed` has no bit for some node.
    """
    if beam_width is None:
        beam_width = layout.widest_level
    if indices is None and layout.by_node is not None and allowed is None:
        rows = DenseRows(values[np.newaxis])
        return _run_dense(
            _Task(rows, layout, k, beam_width, score_transform, layout.labels)
        )
    if indices is None:
        _, indices, values, _ = DenseRows(values[np.newaxis]).to_compressed()
    columns = np.empty((1, k), dtype=np.int64)
    scores = np.empty((1, k), dtype=np.float64)
    layout.searcher.search_one(
        indices,
        values,
        beam_width,
        TRANSFORMS[score_transform],
        allowed,
        columns[0],
        scores[0],
    )
    return columns, scores


def rank_one(layout, indices, values, *, k, beam_width, score_transform):
    """Find the best labels of one sparse row and their scores, for serving.

    Parameters
    ----------
    layout, indices, values, k, beam_width, score_transform
        As in `search_one`.

    Returns
    -------
    columns : ndarray of shape (k,), int64
    scores : ndarray of shape (k,), float32
        As `skxmr.targets.scores_from_logs` makes them.
    """
    columns = np.empty(k, dtype=np.int64)
    scores = np.empty(k, dtype=np.float32)
    layout.searcher.rank_one(
        indices,
        values,
        layout.widest_level if beam_width is None else beam_width,
        TRANSFORMS[score_transform],
        columns,
        scores,
    )
    return columns, scores


def _run_dense(task):
    """Allocate and call the kernel for dense rows."""
    layout, by_node = task.layout, task.layout.by_node
    if task.X.length != layout.n_features:
        raise ValueError(
            f"A row has {task.X.length} features; expected {layout.n_features}."
        )
    n_rows, k = task.X.n_vectors, task.k
    beam_width = min(task.beam_width, layout.widest_level)
    block = min(_BLOCK, n_rows, max(1, _PLACES_OF_A_BLOCK // beam_width))
    columns = np.empty((n_rows, k), dtype=np.int64)
    scores = np.empty((n_rows, k), dtype=np.float64)
    beams = np.empty((2, 2, block, beam_width), dtype=np.int64)
    search_dense(
        task.X.values,
        layout.child_offsets,
        layout.level_starts,
        layout.intercepts,
        task.names,
        by_node.node_offsets,
        by_node.features,
        by_node.weights,
        TRANSFORMS[task.score_transform],
        len(LEVELS) - 1,
        beams[0],
        beams[1],
        np.empty((2, block, beam_width), dtype=np.float64),
        np.empty((3, block), dtype=np.int64),
        np.full(layout.widest_parents, -1, dtype=np.int64),
        np.empty((2, block * beam_width), dtype=np.int64),
        np.empty((task.X.length, N_LANES), dtype=np.float64),
        np.empty((layout.most_children, N_LANES), dtype=np.float64),
        np.empty(layout.most_children, dtype=np.float64),
        columns,
        scores,
    )
    return columns, scores
