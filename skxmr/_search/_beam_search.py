"""Beam search over a laid-out tree."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from skxmr._cython._cpu import SIMD_LEVELS
from skxmr._cython._search import TRANSFORMS
from skxmr._parallel._parallel import current_stop, run_tasks, split_rows
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = ["beam_search", "rank_one", "search_one"]

# Some ten milliseconds of work: joblib takes some to start threads. Rows for which many
# labels are wanted take longer.
_MIN_ROWS_OF_A_TASK = 1024
_MIN_LABELS_OF_A_TASK = 2**17

# So many dense queries are searched for at a time: enough to have several for a node,
# few enough for the cache; and fewer where wide beams would take much memory.
_BLOCK = 512
_PLACES_OF_A_BLOCK = 2**17


@dataclass(frozen=True)
class _Task:
    """Some rows to search for."""

    X: Compressed | DenseRows
    k: int
    beam_width: int
    score_transform: str
    wants_labels: bool = True
    allowed: np.ndarray | None = None
    start: tuple | None = None

    def between(self, rows):
        """Give a slice of the rows."""
        start = self.start
        if start is not None:
            level, nodes, log_scores = start
            start = level, nodes[rows], log_scores[rows]
        return replace(self, X=self.X.between(rows.start, rows.stop), start=start)

    def detached(self):
        """Carry the rows, as they are; the layout goes to each worker once."""
        return self


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
    start : (level, nodes, log_scores), or None
        Where the search starts: the level of some nodes, 0 for the root; the nodes,
        different ones and counted in their level, as int64 of shape (n_samples,
        any), best first, -1 where there are fewer; and their log scores, as float64.
        What the layout holds of the levels down to these nodes is not read, and
        dense rows are compressed. None starts at the root.
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
        k,
        _width(layout, beam_width),
        score_transform,
        wanted == "labels",
        allowed,
        start,
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
    X = task.X
    if isinstance(X, DenseRows):
        if layout.by_node is not None and task.allowed is None and task.start is None:
            return _run_dense(task, layout)
        X = X.to_compressed()
    columns = np.empty((X.n_vectors, task.k), dtype=np.int64)
    scores = np.empty((X.n_vectors, task.k), dtype=np.float64)
    searcher = layout.searcher
    search = searcher.search
    if task.start is not None:
        level, *nodes_and_scores = task.start
        search = partial(
            searcher.search_between, level, layout.n_levels, *nodes_and_scores
        )
    search(
        X.offsets,
        X.indices,
        X.values,
        task.beam_width,
        TRANSFORMS[task.score_transform],
        task.wants_labels,
        task.allowed,
        columns,
        scores,
        current_stop(),
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
    TypeError
        If `indices` or `values` are of another type.
    ValueError
        If `allowed` has no bit for some node.
    """
    beam_width = _width(layout, beam_width)
    try:
        return _search_row(
            layout, indices, values, k, beam_width, score_transform, allowed
        )
    except (AttributeError, TypeError, ValueError):
        _check_row(indices, values)
        raise


def _search_row(layout, indices, values, k, beam_width, score_transform, allowed):
    if indices is None and layout.by_node is not None and allowed is None:
        rows = DenseRows(values[np.newaxis])
        return _run_dense(_Task(rows, k, beam_width, score_transform), layout)
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
    """Find the best labels of one row and their scores, for serving.

    Parameters
    ----------
    layout, indices, values, k, beam_width, score_transform
        As in `search_one`; a dense row needs a layout with weights by node.

    Returns
    -------
    columns : ndarray of shape (k,), int64
    scores : ndarray of shape (k,), float32
        As `skxmr._targets.scores_from_logs` makes them.

    Raises
    ------
    TypeError
        If `indices` or `values` are of another type.
    """
    columns = np.empty(k, dtype=np.int64)
    scores = np.empty(k, dtype=np.float32)
    beam_width = _width(layout, beam_width)
    rest = beam_width, TRANSFORMS[score_transform], columns, scores
    try:
        if indices is None:
            layout.dense_searcher.rank_one(values, *rest)
        else:
            layout.searcher.rank_one(indices, values, *rest)
    except (TypeError, ValueError):
        _check_row(indices, values)
        raise
    return columns, scores


def _width(layout, beam_width):
    """Give a beam no more room than the tree can fill; None keeps all."""
    if beam_width is None or beam_width > layout.widest_level:
        return layout.widest_level
    return int(beam_width)


def _check_row(indices, values):
    """Say what is wrong with the arrays of a row, once a kernel refused them."""
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


def _run_dense(task, layout):
    """Search for dense rows by node."""
    n_rows, k = task.X.n_vectors, task.k
    beam_width = task.beam_width
    columns = np.empty((n_rows, k), dtype=np.int64)
    scores = np.empty((n_rows, k), dtype=np.float64)
    layout.dense_searcher.search(
        task.X.values,
        beam_width,
        max(1, min(_BLOCK, n_rows, _PLACES_OF_A_BLOCK // beam_width)),
        TRANSFORMS[task.score_transform],
        len(SIMD_LEVELS) - 1,
        task.wants_labels,
        columns,
        scores,
        current_stop(),
    )
    return columns, scores
