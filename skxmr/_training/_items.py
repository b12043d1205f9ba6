"""The items of work of a level, and how they are grouped into tasks."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skxmr._cython._solver import N_LANES

__all__ = ["Items", "group_items", "list_items"]

# A task of this many (non-zero, block of children) pairs takes about ten milliseconds:
# much longer than its overhead, much shorter than a level.
_TASK_WORK = 500_000

# Each task compacts the rows of its parents, which takes as long as a few sweeps of a
# block: the tasks of a large parent train at least so many blocks.
_FEWEST_BLOCKS = 4


@dataclass(frozen=True)
class Items:
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
        """Items `start` to `stop`."""
        return Items(*(array[start:stop] for array in vars(self).values()))

    @property
    def are_large(self):
        """Whether they are more work than a task should be."""
        return self.work.sum() > _TASK_WORK

    def children(self, child_offsets):
        """List the children of all items among the nodes of the level."""
        sizes = self.stops - self.starts
        firsts = child_offsets[self.parents] + self.starts
        return np.arange(sizes.sum()) + np.repeat(
            firsts - np.cumsum(sizes) + sizes, sizes
        )


def list_items(X, targets):
    """List the parents with something to learn, split if they are much work.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each training row
    targets : LevelTargets

    Returns
    -------
    Items
    """
    n_rows = targets.rows.sizes
    n_positive = targets.positives.sizes
    n_children = np.diff(targets.child_offsets)
    owners = np.repeat(np.arange(len(n_rows)), n_children)
    # With given prior means, children without a positive row are trained too.
    has_target = (n_positive > 0) | (targets.priors.sizes > 0)
    is_trained = has_target & (n_positive < n_rows[owners])
    trained = np.unique(owners[is_trained])
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
    return Items(trained[which], starts, stops, n_entries[which], work)


def group_items(items):
    """Group consecutive items into tasks of about equal work.

    Parameters
    ----------
    items : Items

    Returns
    -------
    list of Items
    """
    cuts, total = [0], 0
    for i, work in enumerate(items.work.tolist()):
        if total and total + work > _TASK_WORK:
            cuts.append(i)
            total = 0
        total += work
    cuts.append(len(items.work))
    return [items.between(*cut) for cut in pairwise(cuts) if cut[0] < cut[1]]
