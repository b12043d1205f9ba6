"""Trains the linear models of a tree, level by level.

The item of work is one parent and some of its children: every child is one binary
problem on the parent's rows. Items are grouped into tasks by the amount of work, never
by the number of workers, and the random numbers of an item depend on its parent only.
So a model does not depend on `n_jobs` or on the backend.
"""

from contextlib import closing
from itertools import chain

import numpy as np

from skxmr._cython._cluster_vectors import count_features
from skxmr._memory._scratch import WorkspacePool
from skxmr._parallel._parallel import iterate_tasks
from skxmr._parallel._progress import step
from skxmr._training._items import group_items, list_items
from skxmr._training._results import assemble
from skxmr._training._tasks import make_task, train_task
from skxmr._utils._dense import DenseRows

__all__ = ["train_levels", "untrained_level"]


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
    groups = [group_items(list_items(X, targets)) for targets in levels]
    tasks = (
        make_task(X, targets, items, solver, most_columns)
        for targets, solver, grouped in zip(levels, solvers, groups, strict=True)
        for items in grouped
    )
    work = [int(items.work.sum()) for items in chain.from_iterable(groups)]
    done = iterate_tasks(train_task, tasks, n_jobs=n_jobs, shared=(WorkspacePool(),))
    with closing(done), step("training", sum(work)) as advance:
        trained = _reported(done, work, advance)
        # Assembled as results come, so that no weights are in memory twice.
        return [
            assemble(zip(grouped, trained, strict=False), targets)
            for grouped, targets in zip(groups, levels, strict=True)
        ]


def _reported(results, work, advance):
    """Yield results, and report the work of each; keep no reference to them."""
    for amount, result in zip(work, results, strict=False):
        advance(amount)
        yield result
        del result


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
    return assemble((), targets)
