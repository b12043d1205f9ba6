"""Trained levels, assembled from the results of tasks."""

from dataclasses import dataclass

import numpy as np

from skxmr._memory._growing import GrowingArray
from skxmr._search._weights import LinearWeights, WeightsBuilder
from skxmr._training._probing import ProbeAssembly
from skxmr._utils._compressed import Compressed

__all__ = ["LevelResult", "assemble"]


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
    n_sweeps : ndarray of shape (n_children,), int32, or None
        Of each child; 0 for those that were not trained.
    duals : Compressed, a vector for each child, or None
        The dual variables, with the signs of their rows, if they were kept.
    measures : ndarray of shape (n_children, 4), float32, or None
        Of the last sweep of each child: the largest and the smallest violation, twice
        what it gained, and twice what all sweeps did. 0 for those not trained.
    """

    weights: LinearWeights
    n_iter: int
    n_trained: int
    n_unconverged: int
    n_found: int = 0
    best: np.ndarray | None = None
    n_sweeps: np.ndarray | None = None
    duals: Compressed | None = None
    measures: np.ndarray | None = None


def assemble(done, targets):
    """Assemble a level from the trained items, which come in order.

    Parameters
    ----------
    done : iterable of (Items, Trained)
    targets : LevelTargets

    Returns
    -------
    LevelResult
    """
    intercepts = np.where(targets.positives.sizes > 0, np.inf, -np.inf)
    intercepts = intercepts.astype(np.float32)
    assembly = _Assembly(targets.child_offsets)
    probe = None if targets.probed is None else ProbeAssembly(targets.probed)
    n_sweeps = np.zeros(len(intercepts), dtype=np.int32)
    measures = np.zeros((len(intercepts), 4), dtype=np.float32)
    duals = _DualAssembly(len(intercepts), targets.rows.length)
    n_unconverged = n_found = 0
    for items, trained in done:
        children = items.children(targets.child_offsets)
        intercepts[children] = trained.weights.intercepts
        n_sweeps[children] = trained.n_sweeps
        measures[children] = trained.measures
        duals.append(children, trained.duals)
        n_unconverged += int((trained.converged == 0).sum())
        n_found += trained.n_found
        assembly.append(items, trained.weights)
        if probe is not None:
            probe.append(items.parents, *trained.found)
    return LevelResult(
        assembly.finish(intercepts),
        int(n_sweeps.max(initial=0)),
        int((n_sweeps > 0).sum()),
        n_unconverged,
        n_found,
        None if probe is None else probe.finish(),
        n_sweeps,
        duals.finish(),
        measures,
    )


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
            self._n_rows[items.parents[start:stop]] = np.diff(some.posting_offsets)
            self._builder.append(some)

    def finish(self, intercepts):
        """Return the weights of the level."""
        return self._builder.finish(self._n_rows, intercepts)


class _DualAssembly:
    """Concatenates the dual variables of the children of a level, if they are kept."""

    def __init__(self, n_children, n_rows):
        self._counts = np.zeros(n_children, dtype=np.int64)
        self._rows, self._values = GrowingArray(np.int32), GrowingArray(np.float32)
        self._n_rows = n_rows
        self._are_kept = False

    def append(self, children, duals):
        """Append the dual variables of the next children."""
        if duals is not None:
            self._are_kept = True
            self._counts[children] = duals.sizes
            self._rows.append(duals.indices)
            self._values.append(duals.values)

    def finish(self):
        """Return all of them, or None."""
        if not self._are_kept:
            return None
        offsets = np.concatenate([[0], np.cumsum(self._counts)])
        return Compressed(
            offsets, self._rows.finish(), self._values.finish(), self._n_rows
        )
