"""Trained levels, assembled from the results of tasks."""

from dataclasses import dataclass

import numpy as np

from skxmr._search._weights import LinearWeights, WeightsBuilder
from skxmr._training._probing import ProbeAssembly

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
    """

    weights: LinearWeights
    n_iter: int
    n_trained: int
    n_unconverged: int
    n_found: int = 0
    best: np.ndarray | None = None


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
    n_iter = n_trained = n_unconverged = n_found = 0
    for items, trained in done:
        children = items.children(targets.child_offsets)
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
