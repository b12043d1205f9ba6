"""Trains the linear models of a tree, level by level.

The item of work is one parent and some of its children: every child is one binary
problem on the parent's rows. Items are grouped into tasks by the amount of work, never
by the number of workers, and the random numbers of an item depend on its parent only.
So a model does not depend on `n_jobs` or on the backend.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from skxmr._cython._cluster_vectors import count_features
from skxmr._cython._cpu import SIMD_LEVELS
from skxmr._cython._placing import WeightsWriter
from skxmr._cython._solver import N_LANES
from skxmr._cython._training import Items, Results, Task, train_items
from skxmr._cython._training_rows import DenseTrainingRows, SparseTrainingRows
from skxmr._memory._growing import GrowingArray
from skxmr._memory._scratch import WorkspacePool
from skxmr._parallel._parallel import current_stop, iterate_tasks
from skxmr._search._weights import LinearWeights, WeightsBuilder
from skxmr._training._compaction import make_compactor
from skxmr._training._probing import ProbeAssembly, ProbeTask
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = [
    "LevelResult",
    "LevelTargets",
    "SolverParameters",
    "train_levels",
    "untrained_level",
]

# A task of this many (non-zero, block of children) pairs takes about ten milliseconds:
# much longer than its overhead, much shorter than a level.
_TASK_WORK = 500_000

# Each task compacts the rows of its parents, which takes as long as a few sweeps of a
# block: the tasks of a large parent train at least so many blocks.
_FEWEST_BLOCKS = 4

# The products of all pairs of so many dense rows take four megabytes.
_MOST_MULTIPLIED = 1024

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class SolverParameters:
    """What the solver minimises for each child, and when it stops.

    The objective is ``|w - m|^2 / 2 + sum_i cost_i * loss(y_i * (w.x_i + b))``. As in
    liblinear, the intercept b is the weight of a constant feature, and regularized.

    Parameters
    ----------
    loss : {"squared_hinge", "hinge", "log_loss"}
    positive_cost, negative_cost : float
        C times the weight of positive or of negative rows.
    bias : float
        Value of the constant feature of the intercept; 0 for no intercept.
    tol : float
        Sweeps end when the largest and the smallest violation in a sweep differ by at
        most this, or when a sweep contributes at most (tol / 2)^2 of the decrease of
        the objective so far.
    max_iter : int
        The maximum number of sweeps over the rows.
    weight_floor : float
        Weights of a smaller magnitude are not returned.
    seed : int
        Of the random orders of rows. The seed of each parent is derived from it.
    prior_length : float, default=0.0
        Length of the prior mean m, which has the direction of the weighted sum of the
        rows in `LevelTargets.priors`.
    floor_unit : {"absolute", "relative"}, default="absolute"
        "relative": `weight_floor` is a share of the largest magnitude among the weights
        of the same child.
    unit_weight : float, default=inf
        Upper limit of that magnitude.
    """

    loss: str
    positive_cost: float
    negative_cost: float
    bias: float
    tol: float
    max_iter: int
    weight_floor: float
    seed: int
    prior_length: float = 0.0
    floor_unit: str = "absolute"
    unit_weight: float = np.inf


@dataclass(frozen=True)
class LevelTargets:
    """The training rows of each parent, and the positive rows of each of its children.

    Parameters
    ----------
    child_offsets : ndarray of shape (n_parents + 1,), int64
        The range of each parent's children among the nodes of the level.
    rows : Compressed, a vector for each parent
        The parent's training rows, ascending. The value is 1 where children without
        the row have it as a negative, 0 where they leave it out.
    positives : Compressed, a vector for each child
        The positive rows of the child, ascending, all among its parent's; the value is
        their relevance (1 where all are equal).
    given_priors : Compressed, a vector for each child, or None
        The rows, among its parent's, whose weighted sum is the direction of the prior
        mean of the child's weights. None: the positive rows.
    probed : Compressed, a vector for each parent, or None
        Some of its rows, for which the child with the largest margin is recorded.
    """

    child_offsets: np.ndarray
    rows: Compressed
    positives: Compressed
    given_priors: Compressed | None = None
    probed: Compressed | None = None

    @property
    def priors(self):
        """The rows whose weighted sum is the prior mean of each child's weights."""
        return self.positives if self.given_priors is None else self.given_priors

    def between(self, start, stop):
        """Return the targets of parents `start` to `stop`."""
        children = self.child_offsets[start : stop + 1]
        return LevelTargets(
            children - children[0],
            self.rows.between(start, stop),
            self.positives.between(children[0], children[-1]),
            None
            if self.given_priors is None
            else self.given_priors.between(children[0], children[-1]),
            None if self.probed is None else self.probed.between(start, stop),
        )

    def keep_rows(self, kept):
        """Renumber the rows by their position in `kept`, which contains all of them."""
        given_priors, probed = (
            None if one is None else one.keep_indices(kept)
            for one in (self.given_priors, self.probed)
        )
        return LevelTargets(
            self.child_offsets,
            self.rows.keep_indices(kept),
            self.positives.keep_indices(kept),
            given_priors,
            probed,
        )


@dataclass(frozen=True)
class LevelResult:
    """A trained level: its weights, and how the training went.

    Parameters
    ----------
    weights : LinearWeights
    n_iter : int
        The largest number of sweeps of any child.
    n_trained : int
        The number of children with something to learn.
    n_unconverged : int
        The number of those that stopped at ``max_iter``.
    n_found : int
        The number of weights that are not 0, including those below the floor.
    best : ndarray of int32, or None
        For the rows in `LevelTargets.probed`, the children with the largest margin.
    """

    weights: LinearWeights
    n_iter: int
    n_trained: int
    n_unconverged: int
    n_found: int = 0
    best: np.ndarray | None = None


@dataclass(frozen=True)
class _Items:
    """Parents, and for each of them a range of its children to train.

    A parent with much work has several items, with consecutive ranges.

    Parameters
    ----------
    parents, starts, stops : ndarray of shape (n_items,), int64
        The children are counted from the parent's first.
    n_entries : ndarray of shape (n_items,), int64
        The number of entries of the parent's rows.
    work : ndarray of shape (n_items,), int64
        (Non-zero or row, block of children) pairs.
    """

    parents: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    n_entries: np.ndarray
    work: np.ndarray

    def between(self, start, stop):
        return _Items(*(array[start:stop] for array in vars(self).values()))


@dataclass(frozen=True)
class _Task:
    """Some items of work, with the targets of their parents and no others."""

    X: Compressed | DenseRows
    targets: LevelTargets
    first_parent: int
    items: _Items
    solver: SolverParameters
    most_columns: int

    def detached(self):
        """Reduce X to the rows that the items train on."""
        used = np.unique(self.targets.rows.indices)
        return replace(self, X=self.X.take(used), targets=self.targets.keep_rows(used))


@dataclass(frozen=True)
class _Trained:
    """The models of the items of a task, each item as a parent."""

    weights: LinearWeights
    n_sweeps: np.ndarray
    converged: np.ndarray
    n_found: int
    found: tuple | None


def train_levels(X, levels, solvers, *, n_jobs=None):
    """Train the models of all nodes of some levels.

    Levels do not wait for each other: while a level with few, large parents occupies
    some workers, the others continue with the next level.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each training row
    levels : sequence of LevelTargets
    solvers : sequence of SolverParameters, one for each level
    n_jobs : int or None

    Returns
    -------
    list of LevelResult
    """
    most_columns = _most_columns(X)
    groups = [_group_items(_list_items(X, targets)) for targets in levels]
    tasks = (
        _make_task(X, targets, items, solver, most_columns)
        for targets, solver, grouped in zip(levels, solvers, groups, strict=True)
        for items in grouped
    )
    done = iterate_tasks(_train_task, tasks, n_jobs=n_jobs, shared=(WorkspacePool(),))
    with closing(done):
        # Assembled as results come, so that no weights are in memory twice.
        return [
            _assemble(zip(grouped, done, strict=False), targets)
            for grouped, targets in zip(groups, levels, strict=True)
        ]


def _make_task(X, targets, items, solver, most_columns):
    first = int(items.parents[0])
    some = targets.between(first, int(items.parents[-1]) + 1)
    return _Task(X, some, first, items, solver, most_columns)


def _most_columns(X):
    """Count the features of two rows or more, which alone have a column if compact."""
    if isinstance(X, DenseRows):
        return X.length
    counts = np.zeros(X.length, dtype=np.int32)
    count_features(X.indices, counts)
    return int(np.count_nonzero(counts > 1))


def untrained_level(targets):
    """Make a level without weights, whose nodes are scored by other models.

    Parameters
    ----------
    targets : LevelTargets

    Returns
    -------
    LevelResult
        Intercepts of +inf, and of -inf for nodes without positive rows.
    """
    return _assemble((), targets)


def _list_items(X, targets):
    """List the parents with something to learn, split if they are much work."""
    n_rows = targets.rows.sizes
    n_positive = targets.positives.sizes
    n_children = np.diff(targets.child_offsets)
    owners = np.repeat(np.arange(len(n_rows)), n_children)
    trained = np.unique(owners[(n_positive > 0) & (n_positive < n_rows[owners])])
    sums = np.concatenate([[0], np.cumsum(X.sizes[targets.rows.indices])])
    n_entries = np.diff(sums[targets.rows.offsets])[trained]
    n_children = n_children[trained]

    block_work = n_entries + n_rows[trained]
    n_blocks = np.maximum(_FEWEST_BLOCKS, _TASK_WORK // np.maximum(1, block_work))
    most = N_LANES * n_blocks
    n_items = -(-n_children // most)
    which = np.repeat(np.arange(len(trained)), n_items)
    number = np.arange(len(which)) - (np.cumsum(n_items) - n_items)[which]
    starts = number * most[which]
    stops = np.minimum(starts + most[which], n_children[which])
    work = block_work[which] * -(-(stops - starts) // N_LANES)
    return _Items(trained[which], starts, stops, n_entries[which], work)


def _group_items(items):
    """Group consecutive items into tasks of about equal work."""
    cuts, total = [0], 0
    for i, work in enumerate(items.work.tolist()):
        if total and total + work > _TASK_WORK:
            cuts.append(i)
            total = 0
        total += work
    cuts.append(len(items.work))
    return [items.between(*cut) for cut in pairwise(cuts) if cut[0] < cut[1]]


def _train_task(task, pool):
    """Train the items of a task: the function that joblib calls in a worker."""
    with pool.lend() as workspace:
        trained = _train(task, workspace)
        if task.items.work.sum() > _TASK_WORK:
            workspace.release()
    return trained


def _train(task, workspace):
    """Train all items in the memory of a workspace."""
    items, solver = task.items, task.solver
    parents = items.parents - task.first_parent
    kernel_items = Items(
        parents=parents,
        starts=items.starts,
        stops=items.stops,
        seeds=_seeds(solver.seed, items.parents),
    )
    level = len(SIMD_LEVELS) - 1
    writer = WeightsWriter(
        GrowingArray,
        floor=solver.weight_floor,
        is_relative=solver.floor_unit == "relative",
        most=solver.unit_weight,
        simd_level=level,
    )
    probe = None
    if task.targets.probed is not None:
        probe = ProbeTask(task.targets.probed, parents)
    n_children = int((items.stops - items.starts).sum())
    arrays: dict[str, np.ndarray] = {
        "run_counts": np.zeros(len(parents), dtype=np.int64),
        "intercepts": np.empty(n_children, dtype=np.float32),
        "n_sweeps": np.empty(n_children, dtype=np.int32),
        "converged": np.empty(n_children, dtype=np.uint8),
    }
    train_items(
        Task(kernel_items, task.targets, solver, simd_level=level),
        _training_rows(task, workspace),
        workspace,
        Results(writer, None if probe is None else probe.kernel, **arrays),
        current_stop(),
    )
    offsets = np.concatenate([[0], np.cumsum(arrays["run_counts"])])
    features, run_offsets, children, values = writer.finish()
    return _Trained(
        LinearWeights(
            offsets, features, run_offsets, children, values, arrays["intercepts"]
        ),
        arrays["n_sweeps"],
        arrays["converged"],
        writer.n_found,
        None if probe is None else (probe.best, probe.margins),
    )


def _training_rows(task, workspace):
    """Make the object that prepares the rows of a task's parents for the solver."""
    X = task.X
    n_rows = int(task.targets.rows.sizes.max())
    if not isinstance(X, DenseRows):
        n_entries = int(task.items.n_entries.max())
        compactor = make_compactor(X, workspace, n_rows=n_rows, n_entries=n_entries)
        # Each column is of two rows at least.
        n_columns = min(n_entries // 2, task.most_columns)
        return SparseTrainingRows(compactor, n_columns)
    # Fewer rows than features have fewer products than entries. Not for the logistic
    # loss, whose weights would suffer too much from rounding.
    is_logistic = task.solver.loss == "log_loss"
    most = 0 if is_logistic else min(X.length, _MOST_MULTIPLIED)
    return DenseTrainingRows(
        X.values, workspace, most_rows=n_rows, most_margins=min(n_rows, most)
    )


def _seeds(seed, parents):
    """Derive the parents' seeds: SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = np.uint64(seed) + (parents + 1).astype(np.uint64) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _assemble(done, targets):
    """Assemble a level from the trained items, which come in order.

    Parameters
    ----------
    done : iterable of (_Items, _Trained)
    targets : LevelTargets
    """
    intercepts = np.where(targets.positives.sizes > 0, np.inf, -np.inf)
    intercepts = intercepts.astype(np.float32)
    assembly = _Assembly(targets.child_offsets)
    probe = None if targets.probed is None else ProbeAssembly(targets.probed)
    n_iter = n_trained = n_unconverged = n_found = 0
    for items, trained in done:
        children = _spread(targets.child_offsets[items.parents] + items.starts, items)
        intercepts[children] = trained.weights.intercepts
        n_iter = max(n_iter, int(trained.n_sweeps.max()))
        n_trained += int((trained.n_sweeps > 0).sum())
        n_unconverged += int((trained.converged == 0).sum())
        n_found += trained.n_found
        assembly.append(items, trained.weights)
        if probe is not None:
            probe.append(items.parents, *trained.found)
    return LevelResult(
        assembly.finish(intercepts),
        n_iter,
        n_trained,
        n_unconverged,
        n_found,
        None if probe is None else probe.finish(),
    )


def _spread(firsts, items):
    """List the children of all items, given the first of each item."""
    sizes = items.stops - items.starts
    return np.arange(sizes.sum()) + np.repeat(firsts - np.cumsum(sizes) + sizes, sizes)


class _Assembly:
    """Concatenates the weights of parents, and merges those of split parents."""

    def __init__(self, child_offsets):
        self._n_children = np.diff(child_offsets)
        self._n_rows = np.zeros(len(self._n_children), dtype=np.int64)
        self._builder = WeightsBuilder()
        self._parts = []

    def append(self, items, weights):
        """Append the next items, each given as a parent."""
        wanted = self._n_children[items.parents]
        start = 0
        for part in np.flatnonzero(items.stops - items.starts < wanted).tolist():
            self._append_whole(items, weights, start, part)
            start = part + 1
            self._parts.append(weights.between(part, start))
            if items.stops[part] == wanted[part]:
                merged = LinearWeights.merge_siblings(self._parts)
                self._n_rows[items.parents[part]] = len(merged.features)
                self._builder.append(merged)
                self._parts = []
        self._append_whole(items, weights, start, len(wanted))

    def _append_whole(self, items, weights, start, stop):
        if start < stop:
            some = weights.between(start, stop)
            self._n_rows[items.parents[start:stop]] = np.diff(some.row_offsets)
            self._builder.append(some)

    def finish(self, intercepts):
        """Return the weights of the level."""
        return self._builder.finish(self._n_rows, intercepts)
