"""Training that starts at the dual variables of an earlier fit.

The weights of a node are its prior mean plus the sum of its rows, each times a dual
variable. So the dual variables of the rows that are still there are a feasible start
for the present rows, whatever has changed, and the violations that the first sweep
measures are exact. (Dual variables computed from margins, in turn, would not give the
weights again unless these were optimal.) Rows are recognised by their content, since
they may come in any order.

A parent whose rows and targets have not changed has the same problem as before: its
children keep their weights without any work.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from skxmr._search._weights import WeightsBuilder
from skxmr._training._solver import SolverParameters
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.tree._growth import GrownTree
from skxmr.tree._label_tree import LabelTree

__all__ = ["RowKeys", "TrainingRecord", "WarmLevels", "WarmStart", "row_keys"]

# Entries that are hashed at a time.
_BLOCK = 2**20

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class RowKeys:
    """Hashes by which rows are recognised.

    Parameters
    ----------
    features : ndarray of shape (n_rows,), uint64
        Of the entries of X.
    all : ndarray of shape (n_rows,), uint64
        Of the entries of X and of the labels.
    """

    features: np.ndarray
    all: np.ndarray


def row_keys(X, Y):
    """Hash the content of rows.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : csr_array of shape (n_trained_rows, n_labels)
        Relevance of the first rows; the others, which are prior means, have no labels.

    Returns
    -------
    RowKeys
    """
    features = _hash_dense(X.values) if isinstance(X, DenseRows) else _hash_rows(X)
    labels = _hash_rows(Compressed.from_sparse(Y))
    both = features.copy()
    both[: len(labels)] ^= _mix(labels + np.uint64(1))
    return RowKeys(features, both)


def _hash_rows(vectors):
    """Hash sparse vectors; the order of the entries does not matter."""
    hashes = np.zeros(vectors.n_vectors, dtype=np.uint64)
    for start, stop in _blocks(vectors.offsets):
        first, last = vectors.offsets[start], vectors.offsets[stop]
        bits = _bits(vectors.values[first:last])
        terms = _mix(
            bits | vectors.indices[first:last].astype(np.uint64) << np.uint64(32)
        )
        hashes[start:stop] = _sums(terms, vectors.offsets[start : stop + 1] - first)
    return hashes


def _blocks(offsets):
    """Split vectors into ranges with about equal numbers of entries."""
    ends = np.arange(_BLOCK, offsets[-1] + _BLOCK, _BLOCK)
    stops = np.searchsorted(offsets, ends, side="left")
    cuts = np.unique(np.concatenate([[0], np.minimum(stops, len(offsets) - 1)]))
    if cuts[-1] < len(offsets) - 1:
        cuts = np.append(cuts, len(offsets) - 1)
    return pairwise(cuts.tolist())


def _hash_dense(values):
    hashes = np.empty(len(values), dtype=np.uint64)
    columns = np.arange(values.shape[1], dtype=np.uint64) << np.uint64(32)
    step = max(1, _BLOCK // max(1, values.shape[1]))
    for start in range(0, len(values), step):
        bits = _bits(values[start : start + step])
        hashes[start : start + step] = _mix(bits | columns).sum(axis=1, dtype=np.uint64)
    return hashes


def _bits(values):
    """Return the bits of float32 numbers, with a single zero."""
    return (values + np.float32(0)).view(np.uint32).astype(np.uint64)


def _sums(terms, offsets):
    """Sum consecutive terms, modulo 2^64."""
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms)])
    return sums[offsets[1:]] - sums[offsets[:-1]]


def _mix(z):
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = (z + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def match_rows(before, now):
    """Find each earlier row among the present ones.

    Parameters
    ----------
    before, now : RowKeys

    Returns
    -------
    ndarray of shape (n_rows_before,), int64
        The present row with the same entries and, if there is one, the same labels; a
        different one for each; -1 for rows that are gone or have other entries.
    """
    found = np.full(len(before.all), -1)
    _match(
        before.all, now.all, np.arange(len(before.all)), np.arange(len(now.all)), found
    )
    lost = np.flatnonzero(found < 0)
    is_free = np.ones(len(now.all), dtype=bool)
    is_free[found[found >= 0]] = False
    free = np.flatnonzero(is_free)
    _match(before.features[lost], now.features[free], lost, free, found)
    return found


def _match(first, second, first_rows, second_rows, found):
    _, i, j = np.intersect1d(
        _distinct(first), _distinct(second), assume_unique=True, return_indices=True
    )
    found[first_rows[i]] = second_rows[j]


def _distinct(keys):
    """Make keys differ from all before with the same value."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    positions = np.arange(len(keys))
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(keys)]
    firsts = np.maximum.accumulate(np.where(is_first, positions, 0))
    distinct = np.empty_like(keys)
    distinct[order] = ordered + (positions - firsts).astype(np.uint64) * _GOLDEN
    return distinct


def parent_keys(targets, keys):
    """Hash the problem of each parent: its rows, and the targets of its children.

    Parameters
    ----------
    targets : LevelTargets
    keys : ndarray of shape (n_rows,), uint64
        Hashes of the entries of the rows.

    Returns
    -------
    ndarray of shape (n_parents,), uint64
        Neither the order of the rows nor other parents matter.
    """
    offsets = targets.child_offsets
    n_children = np.diff(offsets)
    hashes = _hash_entries(targets.rows, keys, 1)
    numbers = np.arange(offsets[-1]) - np.repeat(offsets[:-1], n_children)
    for salt, vectors in ((2, targets.positives), (3, targets.given_priors)):
        if vectors is not None:
            children = _mix(
                _hash_entries(vectors, keys, salt) ^ _mix(numbers.astype(np.uint64))
            )
            hashes = hashes + _sums(children, offsets)
    return _mix(hashes) + n_children.astype(np.uint64)


def _hash_entries(vectors, keys, salt):
    """Hash vectors of rows with their values."""
    terms = _mix(keys[vectors.indices] ^ (_bits(vectors.values) << np.uint64(salt)))
    return _sums(terms, vectors.offsets)


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
    sizes = np.where(origins < 0, 0, duals.sizes[origins])
    taken = duals.take(origins[sizes > 0])
    rows = rows[taken.indices]
    nodes = np.repeat(np.flatnonzero(sizes), sizes[sizes > 0])
    is_kept = rows >= 0
    rows, nodes, values = rows[is_kept], nodes[is_kept], taken.values[is_kept]
    _sort_where_needed(nodes, rows, values)
    counts = np.bincount(nodes, minlength=len(origins))
    return Compressed(
        np.concatenate([[0], np.cumsum(counts)]), rows.astype(np.int32), values, n_rows
    )


def _sort_where_needed(nodes, rows, values):
    """Sort the rows of each node in place, if they do not ascend."""
    falls = np.flatnonzero((nodes[1:] == nodes[:-1]) & (rows[1:] < rows[:-1]))
    if len(falls):
        is_unsorted = np.zeros(nodes[-1] + 1, dtype=bool)
        is_unsorted[nodes[falls]] = True
        entries = np.flatnonzero(is_unsorted[nodes])
        order = entries[np.lexsort((rows[entries], nodes[entries]))]
        rows[entries], values[entries] = rows[order], values[order]


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
    parent_keys : tuple of ndarray of uint64
        Hashes of the problems of the parents of each level.
    rows : RowKeys
        Of all training rows, and rows that are prior means.
    most_labels : int
        The largest leaf of the tree when it was built.
    """

    tree: LabelTree
    solver: SolverParameters
    levels: tuple
    duals: tuple
    parent_keys: tuple
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
    levels : list of LevelTargets
        Of all levels from 1 on.
    keys : RowKeys
        Of the present rows.
    solver : SolverParameters
    start : WarmStart or None

    Attributes
    ----------
    levels : list of LevelTargets
        With the dual variables to start from.
    is_changed : list of ndarray of shape (n_parents,), bool, or None
        The parents in each level whose children have to be visited.
    """

    def __init__(self, levels, keys, solver, start):
        self.parent_keys = tuple(parent_keys(one, keys.features) for one in levels)
        self.levels, self.is_changed = levels, None
        self._keys, self._solver, self._start = keys, solver, start
        record = self._record = None if start is None else start.record
        if record is None:
            return
        origins = start.grown.origins
        row_after = match_rows(record.rows, keys), len(keys.all)
        is_new = np.ones(len(keys.all), dtype=bool)
        is_new[row_after[0][row_after[0] >= 0]] = False
        self.levels = [
            replace(
                one,
                duals=_carry_duals(duals, nodes, row_after),
                new_rows=_select(one.rows, is_new),
            )
            for one, duals, nodes in zip(levels, record.duals, origins[1:], strict=True)
        ]
        can_keep = record.is_for(solver)
        self.is_changed = [
            (nodes < 0) | (before[nodes] != now) | (not can_keep)
            for before, now, nodes in zip(
                record.parent_keys, self.parent_keys, origins[:-1], strict=True
            )
        ]

    def complete(self, results):
        """Insert the children of unchanged parents into the trained levels.

        Parameters
        ----------
        results : list of LevelResult

        Returns
        -------
        list of LevelResult
        """
        if self._record is None:
            return results
        return [
            _keep_unchanged(result, self._record, level, self)
            for level, result in enumerate(results)
        ]

    def record(self, tree, results, most_labels):
        """Return what a later fit starts from.

        Parameters
        ----------
        tree : LabelTree
        results : list of LevelResult
            Of all levels.
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
            self.parent_keys,
            self._keys,
            most_labels,
        )

    def counts(self, results):
        """Count the nodes of each level that were kept, solved again, or are new.

        Parameters
        ----------
        results : list of LevelResult

        Returns
        -------
        ndarray of shape (n_levels, 3), int64
            A node is kept if it was not visited, has no weights, or was optimal in the
            first sweep.
        """
        counts = np.zeros((len(results), 3), dtype=np.int64)
        for level, result in enumerate(results):
            is_new = np.ones(len(result.n_sweeps), dtype=bool)
            if self._start is not None:
                is_new = self._start.grown.origins[level + 1] < 0
            n_free = 0 if self._record is None else 1
            is_solved = ~is_new & (result.n_sweeps > n_free)
            n_new, n_solved = is_new.sum(), is_solved.sum()
            counts[level] = len(is_new) - n_new - n_solved, n_solved, n_new
        return counts


def _keep_unchanged(result, record, level, warm):
    """Insert the children of unchanged parents into one level.

    Parameters
    ----------
    result : LevelResult
        Without weights for the children of unchanged parents.
    record : TrainingRecord
    level : int
        From 0, the children of the root.
    warm : WarmLevels

    Returns
    -------
    LevelResult
    """
    targets, is_changed = warm.levels[level], warm.is_changed[level]
    origins = warm._start.grown.origins[level]
    weights, before = record.levels[level], record.tree.child_offsets[level]
    offsets = targets.child_offsets
    builder = WeightsBuilder()
    n_postings = np.zeros(len(origins), dtype=np.int64)
    intercepts = result.weights.intercepts.copy()
    for start, stop in _runs(np.where(is_changed, -1, origins)):
        if is_changed[start]:
            some = result.weights.between(start, stop)
        else:
            first, last = int(origins[start]), int(origins[start]) + stop - start
            some = weights.between(first, last)
            old = slice(before[first], before[last])
            intercepts[offsets[start] : offsets[stop]] = weights.intercepts[old]
        n_postings[start:stop] = np.diff(some.posting_offsets)
        builder.append(some)
    is_new = np.repeat(is_changed, np.diff(offsets))
    return replace(
        result,
        weights=builder.finish(n_postings, intercepts),
        duals=_choose(is_new, result.duals, targets.duals),
    )


def _choose(is_first, first, second):
    """Take each vector from the first or the second of two."""
    if first is None:  # nothing was trained
        return second
    both = Compressed(
        np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        np.concatenate([first.indices, second.indices]),
        np.concatenate([first.values, second.values]),
        first.length,
    )
    numbers = np.arange(len(is_first))
    return both.take(np.where(is_first, numbers, numbers + len(is_first)))


def _runs(origins):
    """Split into ranges of -1, and of consecutive numbers."""
    steps = np.diff(origins)
    are_new = (origins[1:] < 0) & (origins[:-1] < 0)
    is_cut = ~(are_new | ((steps == 1) & (origins[:-1] >= 0)))
    cuts = np.concatenate([[0], np.flatnonzero(is_cut) + 1, [len(origins)]]).tolist()
    return pairwise(cuts)
