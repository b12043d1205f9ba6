"""Trains the linear models of a tree, level by level.

The item of work is one parent and some of its children: every child is one binary
problem on the parent's rows. Items are put into tasks by the amount of work, never
by the number of workers, and each draws its random numbers from its own seed, so a
model does not depend on where or how parallel it was trained.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, groupby

import numpy as np

from skxmr._compressed import Compressed
from skxmr._cython._training import (
    LEVELS,
    LOSSES,
    N_LANES,
    count_runs,
    fill_gram,
    lanes_for,
    place_kept,
    solve_children,
    solve_dense_children,
    square_norms,
)
from skxmr._dense import DenseRows
from skxmr._large import empty
from skxmr._parallel import current_stop, iterate_tasks
from skxmr.compaction import CompactRows, FeatureScratch, compact
from skxmr.weights import LinearWeights, WeightsBuilder

__all__ = [
    "LevelResult",
    "LevelTargets",
    "Problem",
    "train_levels",
    "untrained_level",
]

# A task of this many (non-zero, block of children) pairs takes about ten milliseconds:
# long beside its overhead, short beside a level.
_TASK_WORK = 500_000

# The products of so many dense rows take four megabytes.
_MOST_MULTIPLIED = 1024

_64_BITS = 2**64 - 1


@dataclass(frozen=True)
class Problem:
    """What is minimised for each child, and how far.

    Minimises ``|w|^2 / 2 + sum_i cost_i * loss(y_i * (w.x_i + b))``, the intercept
    b being regularised like a weight, as in liblinear.

    Parameters
    ----------
    loss : {"squared_hinge", "hinge", "log_loss"}
    positive_cost, negative_cost : float
        C times the weight of the row's side.
    fit_intercept : bool
    tol : float
        Sweeps end when the violations seen in one differ by this much at most.
    max_iter : int
        Most sweeps over the rows.
    weight_floor : float
        Weights of a smaller magnitude are not returned.
    seed : int
        Of the random orders of rows; each parent's own is derived from it.
    """

    loss: str
    positive_cost: float
    negative_cost: float
    fit_intercept: bool
    tol: float
    max_iter: int
    weight_floor: float
    seed: int


@dataclass(frozen=True)
class LevelTargets:
    """The training rows of each parent, and the right rows of each of its children.

    Parameters
    ----------
    child_offsets : ndarray of shape (n_parents + 1,), int64
        The children of each parent among the level's nodes.
    rows : Compressed, a vector for each parent
        The parent's training rows, ascending. Value 1 where a child that is not
        right is wrong (a negative), 0 where it is to be left out.
    positives : Compressed, a vector for each child
        The rows where the child is right, ascending, all among its parent's; the
        value is their relevance (1 where all are equal).
    """

    child_offsets: np.ndarray
    rows: Compressed
    positives: Compressed

    def between(self, start, stop):
        """Parents `start` to `stop`, and their children."""
        children = self.child_offsets[start : stop + 1]
        return LevelTargets(
            children - children[0],
            self.rows.between(start, stop),
            self.positives.between(children[0], children[-1]),
        )


@dataclass(frozen=True)
class LevelResult:
    """A trained level: its weights, and how the training went.

    Parameters
    ----------
    weights : LinearWeights
    n_iter : int
        Most sweeps that any child took.
    n_trained : int
        How many children there was something to learn for.
    n_unconverged : int
        How many of them stopped at ``max_iter``.
    """

    weights: LinearWeights
    n_iter: int
    n_trained: int
    n_unconverged: int


@dataclass(frozen=True)
class _Item:
    """One parent, and the range of its children to train (from 0)."""

    parent: int
    start: int
    stop: int
    work: int


@dataclass(frozen=True)
class _Task:
    """Some items of work, with the targets of their parents and no others."""

    X: Compressed | DenseRows
    targets: LevelTargets
    first_parent: int
    items: tuple
    problem: Problem

    def detached(self):
        """Carry only the rows that the items train on."""
        used = np.unique(self.targets.rows.indices)
        targets = LevelTargets(
            self.targets.child_offsets,
            self.targets.rows.keep_indices(used),
            self.targets.positives.keep_indices(used),
        )
        return replace(self, X=self.X.take(used), targets=targets)


@dataclass(frozen=True)
class _ItemResult:
    """The models of an item's children: one parent's weights, sweeps, convergence."""

    weights: LinearWeights
    n_sweeps: np.ndarray
    converged: np.ndarray


def train_levels(X, levels, problems, *, n_jobs=None):
    """Train the models of all nodes of some levels, all in one go.

    Levels do not wait for each other: a level of few parents, of which each is much
    work, keeps some workers busy and the others take the next.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each training row
    levels : sequence of LevelTargets
    problems : sequence of Problem, one for each level
    n_jobs : int or None

    Returns
    -------
    list of LevelResult
    """
    items = [_list_items(X, targets) for targets in levels]
    tasks = (
        _Task(X, targets.between(first, last + 1), first, group, problem)
        for targets, problem, listed in zip(levels, problems, items, strict=True)
        for first, last, group in _group_items(listed)
    )
    with closing(iterate_tasks(_train_task, tasks, n_jobs=n_jobs)) as done:
        # Put in place as they come: nothing is held twice.
        results = chain.from_iterable(done)
        return [
            _assemble(zip(listed, results, strict=False), targets)
            for listed, targets in zip(items, levels, strict=True)
        ]


def untrained_level(targets):
    """Make a level without weights, whose nodes others score.

    Parameters
    ----------
    targets : LevelTargets

    Returns
    -------
    LevelResult
        Every node holds, but those that no row has.
    """
    return _assemble((), targets)


def _list_items(X, targets):
    """List the parents with something to learn, split where they are much work."""
    n_rows = targets.rows.sizes
    n_right = targets.positives.sizes
    parents = np.repeat(np.arange(len(n_rows)), np.diff(targets.child_offsets))
    taught = (n_right > 0) & (n_right < n_rows[parents])
    sums = np.concatenate([[0], np.cumsum(X.sizes[targets.rows.indices])])
    nonzeros = sums[targets.rows.offsets[1:]] - sums[targets.rows.offsets[:-1]]

    items = []
    for parent in np.unique(parents[taught]).tolist():
        n_children = int(np.diff(targets.child_offsets[parent : parent + 2])[0])
        block_work = int(nonzeros[parent] + n_rows[parent])
        step = N_LANES * max(1, _TASK_WORK // max(1, block_work))
        for start in range(0, n_children, step):
            stop = min(start + step, n_children)
            work = block_work * -(-(stop - start) // N_LANES)
            items.append(_Item(parent, start, stop, work))
    return items


def _group_items(items):
    """Consecutive items, as many as make a task of the right amount of work."""
    group: list[_Item] = []
    work = 0
    for item in items:
        if group and work + item.work > _TASK_WORK:
            yield group[0].parent, group[-1].parent, tuple(group)
            group, work = [], 0
        group.append(item)
        work += item.work
    if group:
        yield group[0].parent, group[-1].parent, tuple(group)


def _train_task(task):
    """Train the items of a task; the unit that joblib sends to a worker."""
    of_features = FeatureScratch.of(task.X.length)
    gather = _point_at if isinstance(task.X, DenseRows) else _gather
    results, gathered, last_parent = [], None, -1
    stop, scratch = current_stop(), _Scratch()
    for item in task.items:
        if stop[0]:
            break
        if item.parent != last_parent:
            rows = task.targets.rows.between(*_one(item.parent - task.first_parent))
            gathered = gather(task.X, rows.indices, task.problem, of_features)
            last_parent = item.parent
        results.append(_train_item(task, item, rows, gathered, scratch, stop))
    return results


def _one(place):
    return place, place + 1


class _Scratch:
    """Memory that the items of a task use one after another, each cleared by its user.

    Memory straight from the system has to be cleared by it, page by page.
    """

    def __init__(self):
        self._memory = {}

    def take(self, name, shape, dtype):
        """Give uninitialised memory, from the start of a cache line on."""
        n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < n_bytes:
            self._memory[name] = memory = _aligned(n_bytes)
        return memory[:n_bytes].view(dtype).reshape(shape)


def _aligned(n_bytes):
    memory = empty(n_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + n_bytes]


@dataclass(frozen=True)
class _SparseRows:
    """A parent's rows, compacted."""

    compact: CompactRows

    @property
    def n_columns(self):
        return self.compact.n_columns

    @property
    def features(self):
        return self.compact.features

    @property
    def models(self):
        return self.compact.sources, self.compact.scales

    def solve(self, take, lanes, *arguments):  # noqa: ARG002 - called as below
        rows = self.compact
        solve_children(
            rows.offsets, rows.columns, rows.values, rows.own, rows.norms, *arguments
        )


@dataclass(frozen=True)
class _PointedRows:
    """A parent's rows among the dense rows of all: they need no gathering."""

    values: np.ndarray
    norms: np.ndarray
    gram: np.ndarray

    @property
    def n_columns(self):
        return self.values.shape[1]

    @property
    def features(self):
        return np.arange(self.n_columns, dtype=np.int32)

    @property
    def models(self):
        return self.features, np.ones(self.n_columns, dtype=np.float32)

    def solve(self, take, lanes, *arguments):
        margins = take("margins", (len(self.gram), lanes), np.float32)
        solve_dense_children(self.values, self.gram, margins, self.norms, *arguments)


def _point_at(X, rows, problem, of_features):  # noqa: ARG001 - called as _gather is
    norms = np.empty(len(rows), dtype=np.float32)
    square_norms(X.values, rows, problem.fit_intercept, norms)
    # Rows fewer than features have fewer products than entries.
    are_few = len(rows) <= min(X.length, _MOST_MULTIPLIED)
    n_multiplied = len(rows) if are_few and problem.loss != "log_loss" else 0
    gram = np.empty((n_multiplied, n_multiplied), dtype=np.float32)
    fill_gram(X.values, rows, len(LEVELS) - 1, gram)
    return _PointedRows(X.values, norms, gram)


def _gather(X, rows, problem, of_features):
    return _SparseRows(compact(X, rows, problem.fit_intercept, of_features))


def _train_item(task, item, rows, gathered, scratch, stop):
    """Solve an item's children, block by block, and keep their weights sparse."""
    problem = task.problem
    n_rows, n_columns = len(rows.indices), gathered.n_columns
    first = task.targets.child_offsets[item.parent - task.first_parent] + item.start
    n_children = item.stop - item.start
    right = task.targets.positives.between(first, first + n_children)
    n_blocks = -(-n_children // N_LANES)
    n_used, lanes = len(gathered.features), lanes_for(n_children)
    take = scratch.take
    kept_bits = take("bits", (n_used, n_blocks), np.uint32)
    # What is never written takes no memory.
    kept = take("kept", n_used * n_blocks * N_LANES, np.float32)
    kept_offsets = np.zeros(n_blocks + 1, dtype=np.int64)
    intercepts = np.empty(n_blocks * N_LANES, dtype=np.float32)
    n_sweeps = np.zeros(n_blocks * N_LANES, dtype=np.int32)
    converged = np.zeros(n_blocks * N_LANES, dtype=np.uint8)
    gathered.solve(
        take,
        lanes,
        rows.indices,
        rows.values * np.float32(problem.negative_cost),
        right.offsets,
        right.indices,
        right.values * np.float32(problem.positive_cost),
        LOSSES[problem.loss],
        problem.fit_intercept,
        problem.tol,
        problem.max_iter,
        _seed(problem.seed, item.parent),
        len(LEVELS) - 1,
        stop,
        problem.weight_floor,
        *gathered.models,
        take("order", n_rows, np.int32),
        take("narrow", lanes // 2 * (2 * n_rows + n_columns), np.float32),
        take("costs", (n_rows, lanes), np.float32),
        take("duals", (n_rows, lanes), np.float32),
        take("weights", (n_columns, lanes), np.float32),
        kept_bits,
        kept,
        kept_offsets,
        intercepts,
        n_sweeps,
        converged,
    )
    if stop[0]:
        return None
    return _ItemResult(
        _place(
            gathered.features,
            kept_bits,
            kept,
            kept_offsets,
            item.start,
            intercepts[:n_children],
        ),
        n_sweeps[:n_children],
        converged[:n_children],
    )


def _seed(seed, parent):
    """Seed of one parent's random orders: SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = (seed + (parent + 1) * 0x9E3779B97F4A7C15) & _64_BITS
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _64_BITS
    return z ^ (z >> 31)


def _place(distinct, kept_bits, kept, kept_offsets, first_child, intercepts):
    """Put the kept weights of an item's blocks together, feature by feature."""
    n_runs, n_kept = count_runs(kept_bits), kept_offsets[-1]
    features = np.empty(n_runs, dtype=np.int32)
    run_offsets = np.empty(n_runs + 1, dtype=np.int64)
    children = empty(n_kept, np.int32)
    weights = empty(n_kept, np.float32)
    place_kept(
        distinct,
        kept_bits,
        kept,
        kept_offsets[:-1],
        first_child,
        features,
        run_offsets,
        children,
        weights,
    )
    return LinearWeights(
        row_offsets=np.array([0, n_runs], dtype=np.int64),
        features=features,
        run_offsets=run_offsets,
        children=children,
        weights=weights,
        intercepts=intercepts,
    )


def _assemble(trained, targets):
    """Put the trained parents, in order, beside those that had nothing to learn.

    Parameters
    ----------
    trained : iterable of (_Item, _ItemResult)
    targets : LevelTargets
    """
    intercepts = np.where(targets.positives.sizes > 0, np.inf, -np.inf)
    intercepts = intercepts.astype(np.float32)
    n_rows = np.zeros(targets.rows.n_vectors, dtype=np.int64)
    builder = WeightsBuilder()
    n_iter = n_trained = n_unconverged = 0
    for parent, pairs in groupby(trained, key=lambda pair: pair[0].parent):
        parts = []
        for item, result in pairs:
            first = targets.child_offsets[parent]
            children = slice(first + item.start, first + item.stop)
            intercepts[children] = result.weights.intercepts
            n_iter = max(n_iter, int(result.n_sweeps.max()))
            n_trained += int((result.n_sweeps > 0).sum())
            n_unconverged += int((result.converged == 0).sum())
            parts.append(result.weights)
        chunk = LinearWeights.merge_siblings(parts)
        n_rows[parent] = len(chunk.features)
        builder.append(chunk)
    weights = builder.finish(n_rows, intercepts)
    return LevelResult(weights, n_iter, n_trained, n_unconverged)
