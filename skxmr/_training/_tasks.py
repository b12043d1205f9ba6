"""Training tasks: the items of work that a worker gets at a time."""

from dataclasses import dataclass, replace

import numpy as np

from skxmr._cython import _training as kernel
from skxmr._cython._cpu import SIMD_LEVELS
from skxmr._cython._dual_writer import DualWriter
from skxmr._cython._placing import WeightsWriter
from skxmr._cython._training_rows import DenseTrainingRows, SparseTrainingRows
from skxmr._memory._growing import GrowingArray
from skxmr._parallel._parallel import current_stop
from skxmr._search._weights import LinearWeights
from skxmr._training._compaction import make_compactor
from skxmr._training._items import Items
from skxmr._training._probing import ProbeTask
from skxmr._training._solver import SolverParameters
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = ["Task", "Trained", "make_task", "train_task"]

# The products of all pairs of so many dense rows take four megabytes.
_MOST_MULTIPLIED = 1024

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Task:
    """Some items of work, with the targets of their parents and no others.

    `row_numbers` has the row of each row of X before `detached`; None: the same.
    """

    X: Compressed | DenseRows
    targets: LevelTargets
    first_parent: int
    items: Items
    solver: SolverParameters
    most_columns: int
    row_numbers: np.ndarray | None = None

    def detached(self):
        """Reduce X to the rows that the items train on."""
        used = np.unique(self.targets.rows.indices)
        return replace(
            self,
            X=self.X.take(used),
            targets=self.targets.keep_rows(used),
            row_numbers=used,
        )


@dataclass(frozen=True)
class Trained:
    """The models of the items of a task, each item as a parent."""

    weights: LinearWeights
    n_sweeps: np.ndarray
    measures: np.ndarray
    converged: np.ndarray
    n_found: int
    found: tuple | None
    duals: Compressed | None


def make_task(X, targets, items, solver, most_columns):
    """Make the task of training some items of a level.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each training row
    targets : LevelTargets
        Of the level.
    items : Items
    solver : SolverParameters
    most_columns : int
        An upper bound of the columns of compact rows.

    Returns
    -------
    Task
    """
    first = int(items.parents[0])
    some = targets.between(first, int(items.parents[-1]) + 1)
    return Task(X, some, first, items, solver, most_columns)


def train_task(task, pool):
    """Train the items of a task: the function that joblib calls in a worker.

    Parameters
    ----------
    task : Task
    pool : WorkspacePool

    Returns
    -------
    Trained
    """
    with pool.lend() as workspace:
        trained = _train(task, workspace)
        if task.items.are_large:
            workspace.release()
    return trained


def _train(task, workspace):
    """Train all items in the memory of a workspace."""
    items, solver = task.items, task.solver
    parents = items.parents - task.first_parent
    kernel_items = kernel.Items(
        parents=parents,
        starts=items.starts,
        stops=items.stops,
        seeds=_seeds(solver.seed, items.parents),
    )
    level = len(SIMD_LEVELS) - 1
    writer = _weights_writer(solver, level)
    probe = None
    if task.targets.probed is not None:
        probe = ProbeTask(task.targets.probed, parents)
    n_children = int((items.stops - items.starts).sum())
    arrays: dict[str, np.ndarray] = {
        "run_counts": np.zeros(len(parents), dtype=np.int64),
        "intercepts": np.empty(n_children, dtype=np.float32),
        "n_sweeps": np.empty(n_children, dtype=np.int32),
        "measures": np.zeros((n_children, 4), dtype=np.float32),
        "converged": np.empty(n_children, dtype=np.uint8),
    }
    n_duals = np.zeros(n_children, dtype=np.int64)
    dual_writer = DualWriter(GrowingArray, n_duals) if solver.keeps_duals else None
    kernel.train_items(
        kernel.Task(kernel_items, task.targets, solver, simd_level=level),
        _training_rows(task, workspace),
        workspace,
        kernel.Results(
            writer, None if probe is None else probe.kernel, dual_writer, **arrays
        ),
        current_stop(),
    )
    offsets = np.concatenate([[0], np.cumsum(arrays["run_counts"])])
    features, run_offsets, children, values = writer.finish()
    return Trained(
        LinearWeights(
            offsets, features, run_offsets, children, values, arrays["intercepts"]
        ),
        arrays["n_sweeps"],
        arrays["measures"],
        arrays["converged"],
        writer.n_found,
        None if probe is None else (probe.best, probe.margins),
        None if dual_writer is None else _duals(dual_writer, n_duals, task),
    )


def _duals(writer, counts, task):
    """Return the dual variables that were kept, a vector for each child."""
    offsets = np.concatenate([[0], np.cumsum(counts)])
    rows, values = writer.finish()
    if task.row_numbers is not None:
        rows = task.row_numbers[rows]
    return Compressed(offsets, rows, values, task.targets.rows.length)


def _weights_writer(solver, simd_level):
    return WeightsWriter(
        GrowingArray,
        floor=solver.weight_floor,
        is_relative=solver.floor_unit == "relative",
        most=solver.unit_weight,
        simd_level=simd_level,
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
