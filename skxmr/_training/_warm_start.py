"""Training that starts at the dual variables of an earlier fit.

The weights of a node are its prior mean plus the sum of its rows, each times a dual
variable. So the dual variables of the rows that are still there are a feasible start
for the present rows, whatever has changed, and the violations that the first sweep
measures are exact. (Dual variables computed from margins, in turn, would not give the
weights again unless these were optimal.) Rows are recognised by their content, since
they may come in any order.

Most nodes need no sweep. A parent whose rows and targets have not changed has the same
problem as before. Of the children of other parents, those are kept that have the same
positive rows and prior mean, lost no row with a dual variable, and whose new rows
violate them so little that a sweep would have ended: the violations and gains of their
last sweep are known, and those of the new rows are added to them. All others are
solved, packed into blocks without the ones that are kept.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skxmr._cython._warm_start import EarlierNodes, carry_duals, merge_children
from skxmr._search._weights import LinearWeights
from skxmr._training._row_keys import LevelKeys, RowKeys, match_rows
from skxmr._training._solver import SolverParameters
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.tree._growth import GrownTree
from skxmr.tree._label_tree import LabelTree

__all__ = ["TrainingRecord", "WarmLevels", "WarmStart"]

# Parents that are checked between two chances to interrupt.
_PARENTS = 256


def _carry_duals(duals, origins, row_after):
    """Move dual variables to present nodes and rows.

    Parameters
    ----------
    duals : Compressed, a vector for each earlier node
    origins : ndarray of shape (n_nodes,), int64
        The earlier node of each present one, or -1.
    row_after : (ndarray of shape (n_rows_before,), int)
        The present row of each earlier one, or -1; and the number of present rows.

    Returns
    -------
    Compressed, a vector for each present node
    """
    rows, n_rows = row_after
    n_entries = int(duals.sizes[origins[origins >= 0]].sum())
    offsets = np.zeros(len(origins) + 1, dtype=np.int64)
    indices = np.empty(n_entries, dtype=np.int32)
    values = np.empty(n_entries, dtype=np.float32)
    for node in carry_duals(duals, origins, rows, offsets, indices, values):
        some = slice(offsets[node], offsets[node + 1])
        order = np.argsort(indices[some])
        indices[some], values[some] = indices[some][order], values[some][order]
    return Compressed(offsets, indices[: offsets[-1]], values[: offsets[-1]], n_rows)


def _select(vectors, is_chosen):
    """Keep the entries of some indices."""
    kept = is_chosen[vectors.indices]
    n_before = np.concatenate([[0], np.cumsum(kept)])
    return vectors._replace(
        offsets=n_before[vectors.offsets],
        indices=vectors.indices[kept],
        values=vectors.values[kept],
    )


@dataclass(frozen=True)
class TrainingRecord:
    """What a later fit of a tree starts from.

    Parameters
    ----------
    tree : LabelTree
    solver : SolverParameters
    levels : tuple of LinearWeights
        Of each level from 1 on, as returned by the training.
    duals : tuple of Compressed, a vector for each node of the level
        The dual variables of the node's rows, with the signs of the rows.
    measures : tuple of ndarray of shape (n_nodes, 4), float32
        Of each level, as in `LevelResult`.
    keys : tuple of LevelKeys
        Of each level.
    rows : RowKeys
        Of all training rows, and rows that are prior means.
    most_labels : int
        The largest leaf of the tree when it was built.
    """

    tree: LabelTree
    solver: SolverParameters
    levels: tuple
    duals: tuple
    measures: tuple
    keys: tuple
    rows: RowKeys
    most_labels: int

    def is_for(self, solver):
        """Return whether these parameters make the same problems and weights."""
        return replace(self.solver, seed=0) == replace(solver, seed=0)


@dataclass(frozen=True)
class WarmStart:
    """An earlier training, and the tree as it is now.

    Parameters
    ----------
    grown : GrownTree
    record : TrainingRecord or None
        None: all nodes are trained from dual variables of 0.
    """

    grown: GrownTree
    record: TrainingRecord | None


class WarmLevels:
    """The levels of one tree, trained from an earlier state where there is one.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    levels : list of LevelTargets
        Of all levels from 1 on.
    keys : RowKeys
        Of the rows.
    solvers : list of SolverParameters
        Of the same levels.
    start : WarmStart or None

    Attributes
    ----------
    levels : list of LevelTargets
        With the children that have to be solved alone, and the dual variables to start
        from.
    """

    def __init__(self, X, levels, keys, solvers, start):
        self._level_keys = tuple(LevelKeys.of(one, keys.features) for one in levels)
        self.levels, self._solver = levels, solvers[-1]
        self._keys, self._start, self._kept = keys, start, None
        record = None if start is None else start.record
        if record is None:
            return
        row_after, is_same = match_rows(record.rows, keys)
        is_new = np.ones(len(keys.all), dtype=bool)
        is_new[row_after[row_after >= 0]] = False
        is_changed = np.ones(len(keys.all), dtype=bool)
        is_changed[row_after[is_same]] = False
        self._kept = []
        for number, (targets, level_keys, solver) in enumerate(
            zip(levels, self._level_keys, solvers, strict=True)
        ):
            origins = start.grown.origins[number : number + 2]
            duals = _carry_duals(
                record.duals[number], origins[1], (row_after, len(keys.all))
            )
            started = replace(
                targets, duals=duals, new_rows=_select(targets.rows, is_new)
            )
            kept = KeptChildren(record, number, started, origins)
            if record.is_for(self._solver):
                kept.find(X, level_keys, is_changed, solver)
            self._kept.append(kept)
        self.levels = [kept.others for kept in self._kept]

    def complete(self, results):
        """Insert the children that were kept into the trained levels.

        Parameters
        ----------
        results : list of LevelResult

        Returns
        -------
        list of LevelResult
        """
        if self._kept is None:
            return results
        return [
            kept.insert(result)
            for kept, result in zip(self._kept, results, strict=True)
        ]

    def record(self, tree, results, most_labels):
        """Return what a later fit starts from.

        Parameters
        ----------
        tree : LabelTree
        results : list of LevelResult
            Of all levels, complete.
        most_labels : int

        Returns
        -------
        TrainingRecord
        """
        return TrainingRecord(
            tree,
            self._solver,
            tuple(one.weights for one in results),
            tuple(one.duals for one in results),
            tuple(one.measures for one in results),
            self._level_keys,
            self._keys,
            most_labels,
        )

    def counts(self, results):
        """Count the nodes of each level that were kept, solved again, or are new.

        Parameters
        ----------
        results : list of LevelResult
            Complete.

        Returns
        -------
        ndarray of shape (n_levels, 3), int64
            A node is kept if it was not solved, has no weights, or was optimal in the
            first sweep.
        """
        counts = np.zeros((len(results), 3), dtype=np.int64)
        for level, result in enumerate(results):
            is_new = np.ones(len(result.n_sweeps), dtype=bool)
            if self._start is not None:
                is_new = self._start.grown.origins[level + 1] < 0
            n_free = 0 if self._kept is None else 1
            is_solved = ~is_new & (result.n_sweeps > n_free)
            n_new, n_solved = is_new.sum(), is_solved.sum()
            counts[level] = len(is_new) - n_new - n_solved, n_solved, n_new
        return counts


class PlacedChildren(NamedTuple):
    """Weights of children, and their places among the children of merged parents.

    Parameters
    ----------
    weights : LinearWeights
    child_offsets : ndarray of shape (n_parents + 1,), int64
        Of the children of each parent.
    numbers : ndarray of shape (n_children,), int32
        The number of each child in its merged parent; -1 for those that are left out.
        Ascending within a parent, but for these.
    """

    weights: LinearWeights
    child_offsets: np.ndarray
    numbers: np.ndarray


class KeptChildren:
    """The children of one level that need not be solved again: at first, none.

    Parameters
    ----------
    record : TrainingRecord
    number : int
        Of the level, from 0, the children of the root.
    targets : LevelTargets
        Of all children, with the dual variables to start from.
    origins : pair of ndarray of int64
        The earlier node of each parent and of each child, or -1.
    """

    def __init__(self, record, number, targets, origins):
        self._record, self._number = record, number
        self._targets, self._origins = targets, origins
        self._is_solved = np.ones(len(origins[1]), dtype=bool)
        self._measures = np.zeros((len(origins[1]), 4), dtype=np.float32)

    def find(self, X, keys, is_changed, solver):
        """Find the children that can be kept.

        Parameters
        ----------
        X : Compressed or DenseRows, a vector for each row
        keys : LevelKeys
            Of the present problems.
        is_changed : ndarray of shape (n_rows,), bool
            Rows without an earlier one that has the same entries and labels.
        solver : SolverParameters
            Of the level.
        """
        before, targets = self._record.keys[self._number], self._targets
        parents, children = self._origins
        owners = self._owners()
        is_same = ~self._are_elsewhere(owners)
        is_same &= before.children[children] == keys.children
        self._measures[is_same] = self._record.measures[self._number][children[is_same]]
        n_positive = targets.positives.sizes
        is_unchanged = (parents >= 0) & (before.parents[parents] == keys.parents)
        needs_nothing = is_same & (is_unchanged[owners] | (n_positive == 0))
        is_solved = ~is_same
        sizes = self._record.duals[self._number].sizes[children]
        is_solved |= sizes != targets.duals.sizes
        is_solved |= (self._measures[:, 3] == 0) | (
            n_positive == targets.rows.sizes[owners]
        )
        if isinstance(X, DenseRows) or solver.loss == "log_loss":
            # Every row has a dual variable in logistic regression.
            is_solved[:] = True
        else:
            is_solved |= needs_nothing
            is_solved = self._check(X, is_changed, solver, is_solved)
        self._is_solved = is_solved & ~needs_nothing

    def _owners(self):
        offsets = self._targets.child_offsets
        return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))

    def _are_elsewhere(self, owners):
        """Return which children are new, have a new parent or another order."""
        parents, children = self._origins
        offsets = self._record.tree.child_offsets[self._number]
        parents = parents[owners]
        are = (children < 0) | (parents < 0)
        are |= (children < offsets[parents]) | (children >= offsets[parents + 1])
        there = np.flatnonzero(~are)
        falls = there[1:][
            (np.diff(children[there]) <= 0) & (np.diff(owners[there]) == 0)
        ]
        return are | np.isin(owners, owners[falls])

    def _check(self, X, is_changed, solver, is_solved):
        """Solve those that are not optimal on the present rows."""
        targets = self._targets
        changed_rows = _select(targets.rows, is_changed)
        n_rows, n_children = targets.rows.length, len(is_solved)
        nodes = EarlierNodes(
            X,
            targets,
            changed_rows,
            solver,
            measures=self._measures,
            is_solved=is_solved.view(np.uint8),
            features=np.zeros(X.length, dtype=np.float32),
            products=np.zeros(n_rows, dtype=np.float32),
            row_values=np.zeros(n_rows, dtype=np.float32),
            of_parent=np.full(n_rows, -1),
            of_child=np.full(n_rows, -1),
            scales=np.full(n_children, -1, dtype=np.float32),
        )
        n_parents = len(targets.child_offsets) - 1
        for start in range(0, n_parents, _PARENTS):
            nodes.check(start, min(start + _PARENTS, n_parents))
        return is_solved

    @property
    def others(self):
        """The targets of the children that are not kept."""
        if self._is_solved.all():
            return self._targets
        chosen = np.flatnonzero(self._is_solved)
        targets = self._targets
        given_priors = targets.given_priors
        return replace(
            targets,
            child_offsets=self._solved_offsets(),
            positives=targets.positives.take(chosen),
            given_priors=None if given_priors is None else given_priors.take(chosen),
            duals=targets.duals.take(chosen),
        )

    def _solved_offsets(self):
        n_before = np.concatenate([[0], np.cumsum(self._is_solved)])
        return n_before[self._targets.child_offsets]

    def insert(self, result):
        """Insert the children that are kept between the others.

        Parameters
        ----------
        result : LevelResult
            Of `others`.

        Returns
        -------
        LevelResult
        """
        is_solved = self._is_solved
        if is_solved.all():
            return result
        before = self._record.levels[self._number]
        intercepts = before.intercepts[self._origins[1]]
        intercepts[is_solved] = result.weights.intercepts
        n_sweeps = np.zeros(len(is_solved), dtype=np.int32)
        n_sweeps[is_solved] = result.n_sweeps
        self._measures[is_solved] = result.measures
        return replace(
            result,
            weights=self._merge(before, result.weights, intercepts),
            n_sweeps=n_sweeps,
            measures=self._measures,
            duals=_choose(is_solved, result.duals, self._targets.duals),
        )

    def _merge(self, before, solved, intercepts):
        """Merge the weights of the children that are kept and of the others."""
        offsets = self._targets.child_offsets
        local = np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
        local = local.astype(np.int32)
        is_solved, (parents, children) = self._is_solved, self._origins
        numbers = np.full(len(before.intercepts), -1, dtype=np.int32)
        numbers[children[~is_solved]] = local[~is_solved]
        before_offsets = self._record.tree.child_offsets[self._number]
        return merge_placed(
            parents,
            PlacedChildren(before, before_offsets, numbers),
            PlacedChildren(solved, self._solved_offsets(), local[is_solved]),
            intercepts,
        )


def merge_placed(origins, kept, solved, intercepts):
    """Return the weights of children that were kept and of those that were solved.

    Parameters
    ----------
    origins : ndarray of shape (n_parents,), int64
        The parent in `kept` of each parent, or -1.
    kept, solved : PlacedChildren
        Kept ones of the earlier parents, solved ones of the present parents.
    intercepts : ndarray of shape (n_children,), float32
        Of all children.

    Returns
    -------
    LinearWeights
    """
    n_postings = len(kept.weights.features) + len(solved.weights.features)
    n_weights = kept.weights.n_weights + solved.weights.n_weights
    room = LinearWeights(
        np.zeros(len(origins) + 1, dtype=np.int64),
        np.empty(n_postings, dtype=np.int32),
        np.zeros(n_postings + 1, dtype=np.int64),
        np.empty(n_weights, dtype=np.int32),
        np.empty(n_weights, dtype=np.float32),
        intercepts,
    )
    n_postings, n_weights = merge_children(origins, kept, solved, room)
    return LinearWeights(
        room.posting_offsets,
        room.features[:n_postings],
        room.run_offsets[: n_postings + 1],
        room.children[:n_weights],
        room.weights[:n_weights],
        intercepts,
    )


def _choose(is_first, first, second):
    """Take each vector from those of the first that has it, or from the second."""
    if first is None:  # nothing was trained
        return second
    both = Compressed(
        np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        np.concatenate([first.indices, second.indices]),
        np.concatenate([first.values, second.values]),
        first.length,
    )
    numbers = np.arange(len(is_first)) + first.n_vectors
    numbers[is_first] = np.arange(first.n_vectors)
    return both.take(numbers)
