"""Training of known nodes on further rows, with their present weights as prior means.

The kernels take a prior mean as a sum of rows, so the present weights of each node
become a row, which is no training row. The intercept is the weight of one more feature.
Only weights of features that the rows have can change.

Few rows know little of what the present weights know. Intercepts would become the share
of each node in these rows, so that they are held; and nodes above the labels, whose
weights are of many rows, move less.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._cython._relearning import align
from skxmr._growing._changes import Entries, change_parents, current_parent
from skxmr._growing._present_weights import present_weights
from skxmr._search._centering import Centering
from skxmr._search._pruning import Pruning
from skxmr._search._weights import with_precision
from skxmr._training._levels import train_levels
from skxmr._training._solver import SolverParameters
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = ["Relearning", "relearn"]

# A relative change of a weight that is only due to rounding.
_ROUNDING = 1e-5

# The feature of the intercept, so small that its weight, which is regularised like the
# others, hardly changes the intercept.
_CONSTANT = 0.01
# The cost of rows above the labels, relative to that of the labels.
_COST_ABOVE = 0.3


@dataclass(frozen=True)
class Relearning:
    """What training on further rows depends on, beside the rows.

    Parameters
    ----------
    solver : SolverParameters
        Without a floor, with the bias of the intercept.
    pruning : Pruning
        The thresholds below which new weights are dropped.
    centering : Centering or None
        That of the present weights.
    n_jobs : int or None
    """

    solver: SolverParameters
    pruning: Pruning
    centering: Centering | None
    n_jobs: int | None


class _Pairs(NamedTuple):
    """Pairs of a row and one of its nodes.

    Parameters
    ----------
    rows, parents, children : ndarray of int64
        Ascending by (parent, child, row).
    values : ndarray of float32
        Relevance.
    """

    rows: np.ndarray
    parents: np.ndarray
    children: np.ndarray
    values: np.ndarray


def relearn(layout, X, targets, relearning):
    """Train the nodes that some rows reach, from their present weights on.

    Parameters
    ----------
    layout : SearchLayout
        Unchanged.
    X : Compressed or DenseRows, a vector for each row
        Centred as the rows of the present weights were.
    targets : pair of csr_array of shape (n_samples, n_labels)
        Relevance, and the labels that the rows were shown and did not choose; None
        instead of the second if there are none.
    relearning : Relearning

    Returns
    -------
    SearchLayout
        With a delta.
    """
    Y, shown = targets
    shown = sparse.csr_array(Y.shape, dtype=bool) if shown is None else shown
    levels = zip(_all_levels(layout, Y), _all_levels(layout, shown), strict=True)
    for level, (pairs, shown_pairs) in enumerate(levels, start=1):
        if len(pairs.rows):
            problem = _Problem.of(layout, X, pairs, shown_pairs)
            layout = _relearn_level(layout, X, problem, level, relearning)
    return layout


def _all_levels(layout, Y):
    """List the pairs of each level, from that below the root on."""
    levels = [_pairs_of_labels(layout, Y)]
    while len(levels) < layout.n_levels:
        levels.insert(0, _pairs_above(layout, levels[0]))
    return levels


def _pairs_of_labels(layout, Y):
    rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    parents, children = layout.parents_of(Y.indices.astype(np.int64))
    return _sorted_pairs(rows, parents, children, Y.data)


def _pairs_above(layout, pairs):
    """Return the pairs of rows and parents; the relevance is that of the best child."""
    parents = layout.base.label_nodes.parents[pairs.parents].astype(np.int64)
    children = pairs.parents - layout.child_offsets[parents]
    return _sorted_pairs(pairs.rows, parents, children, pairs.values)


def _sorted_pairs(rows, parents, children, values):
    order = np.lexsort((rows, children, parents))
    found = [array[order] for array in (rows, parents, children, values)]
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = np.any([np.diff(array) != 0 for array in found[:3]], axis=0)
    firsts = np.flatnonzero(is_first)
    best = np.maximum.reduceat(found[3], firsts) if len(firsts) else found[3]
    rows, parents, children = (array[firsts] for array in found[:3])
    return _Pairs(rows, parents, children, best.astype(np.float32))


def _relearn_level(layout, X, problem, level, relearning):
    """Train the children of the parents that the rows of a level reach."""
    solver = relearning.solver
    seed = int(np.random.SeedSequence([solver.seed, level]).generate_state(1)[0])
    share = 1.0 if level == layout.n_levels else _COST_ABOVE
    solver = replace(
        solver,
        positive_cost=solver.positive_cost * share,
        negative_cost=solver.negative_cost * share,
        seed=seed,
        bias=0.0,
        n_training_rows=X.n_vectors,
    )
    constant = _CONSTANT if relearning.solver.bias else 0.0
    means = relearning.centering
    started = _started(problem)
    n_children = len(started)
    children, features = problem.present.tocoo().coords
    weights = problem.present.data
    shifts = _products_with_means(children, features, weights, n_children, means)
    # Of training, where features have the weight of their block.
    present = _times(problem.present, means, -1)
    rows = _with_priors(X, present, started + shifts, constant)
    n_jobs = relearning.n_jobs
    (result,) = train_levels(rows, [problem.targets], [solver], n_jobs=n_jobs)
    trained = _by_child(result.weights, problem.offsets, X.length + 1)
    after = _times(trained[:, : X.length], means, 1)
    aligned = _Aligned.of(problem.present, after)
    chosen = _choose(aligned, problem, relearning, layout)
    intercepts = started
    if constant:
        weights = trained[:, [X.length]].toarray().ravel()
        intercepts = weights * constant - _products_with_means(
            chosen.owners, chosen.features, chosen.after, n_children, means
        )
    is_kept = np.isclose(intercepts, started, rtol=_ROUNDING, atol=_ROUNDING)
    intercepts = np.where(is_kept | ~problem.is_trained, problem.intercepts, intercepts)
    return layout.with_delta(_changes(layout, problem, chosen, intercepts))


class _Problem(NamedTuple):
    """The nodes of one level that are trained, and their targets.

    Parameters
    ----------
    parents : ndarray of shape (n_parents,), int64
        Ascending.
    offsets : ndarray of shape (n_parents + 1,), int64
        The children of each, numbered one parent after another.
    intercepts : ndarray of shape (n_children,), float32
        The present ones.
    is_trained : ndarray of shape (n_children,), bool
    present : csr_array of shape (n_children, n_features)
        The present weights for the features of the parent's rows.
    targets : LevelTargets
    """

    parents: np.ndarray
    offsets: np.ndarray
    intercepts: np.ndarray
    is_trained: np.ndarray
    present: sparse.csr_array
    targets: LevelTargets

    @property
    def owners(self):
        """The parent of each child, as an index into `parents`."""
        return np.repeat(np.arange(len(self.parents)), np.diff(self.offsets))

    @classmethod
    def of(cls, layout, X, pairs, shown):
        """Collect the problem of a level.

        Parameters
        ----------
        layout : SearchLayout
        X : Compressed or DenseRows, a vector for each row
        pairs : _Pairs
            Of rows and their nodes.
        shown : _Pairs
            Of rows and nodes with a label that they were shown: the parents of these
            nodes get the rows too.
        """
        parents, owners = np.unique(
            np.concatenate([pairs.parents, shown.parents]), return_inverse=True
        )
        of_rows = np.concatenate([pairs.rows, shown.rows])
        ones = np.ones(len(owners), dtype=np.float32)
        rows = sparse.csr_array(
            (ones, (owners, of_rows)), shape=(len(parents), X.n_vectors)
        )
        rows.data[:] = 1
        owners = owners[: len(pairs.rows)]
        before = [current_parent(layout, parent) for parent in parents.tolist()]
        offsets = np.cumsum([0, *(one.n_children for one in before)])
        intercepts = np.concatenate([one.intercepts for one in before])
        positives = sparse.csr_array(
            (pairs.values, (offsets[owners] + pairs.children, pairs.rows)),
            shape=(offsets[-1], X.n_vectors),
        )
        n_positive = np.diff(positives.indptr)
        n_rows = np.repeat(np.diff(rows.indptr), np.diff(offsets))
        # Where weights are by node, all are read.
        wanted = _features(X, rows) if layout.by_node is None else None
        is_removed = (intercepts == -np.inf) & (n_positive == 0)
        is_constant = (intercepts == np.inf) & (n_positive == n_rows)
        return cls(
            parents,
            offsets,
            intercepts,
            ~is_removed & ~is_constant,
            present_weights(layout, parents, wanted),
            _targets(offsets, rows, positives),
        )


def _features(X, rows):
    """Mark the features of each parent's rows."""
    pattern = (X.to_compressed() if isinstance(X, DenseRows) else X).to_csr()
    pattern = sparse.csr_array(
        (np.ones(len(pattern.data), dtype=np.float32), pattern.indices, pattern.indptr),
        shape=pattern.shape,
    )
    return sparse.csr_array(rows @ pattern)


def _targets(offsets, rows, positives):
    """Make the targets; the row of each child's present weights follows the others."""
    n_rows, n_children = rows.shape[1], int(offsets[-1])
    children = np.arange(n_children)
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    given = sparse.csr_array(
        (np.ones(n_children, dtype=np.float32), (owners, children)),
        shape=(len(offsets) - 1, n_children),
    )
    whole = Compressed.from_sparse(sparse.hstack([rows, given], format="csr"))
    is_given = whole.indices >= n_rows
    return LevelTargets(
        offsets.astype(np.int64),
        whole._replace(values=np.where(is_given, 0, 1).astype(np.float32)),
        Compressed.from_sparse(positives)._replace(length=n_rows + n_children),
        Compressed(
            np.arange(n_children + 1),
            (n_rows + children).astype(np.int32),
            np.ones(n_children, dtype=np.float32),
            n_rows + n_children,
        ),
    )


def _started(problem):
    """Return the intercepts that training starts from.

    That of a node without negative rows so far gives a margin of 1 to all rows.
    """
    started = problem.intercepts.astype(np.float64)
    started[started == np.inf] = 1.0
    started[started == -np.inf] = 0.0
    return started


def _products_with_means(children, features, weights, n_children, centering):
    """Compute the product of each child's weights and the means."""
    if centering is None:
        return 0.0
    products = weights * centering.means_of(features).astype(np.float64)
    return np.bincount(children, products, n_children)


def _times(weights, centering, power):
    """Multiply weights by powers of the factors that features have in training."""
    if centering is None or centering.block_weight == 1:
        return weights
    factors = centering.factors_of(weights.indices) ** power
    multiplied = weights.data * factors
    return sparse.csr_array(
        (multiplied, weights.indices, weights.indptr), shape=weights.shape
    )


def _with_priors(X, present, intercepts, bias):
    """Append the present weights to the rows, and the intercept's feature to all."""
    n_rows = X.n_vectors
    last = np.full(n_rows + present.shape[0], bias, dtype=np.float32)
    if bias:
        last[n_rows:] = intercepts / bias
    if isinstance(X, DenseRows):
        rows = np.concatenate([X.values, present.toarray()])
        return DenseRows(np.hstack([rows, last[:, np.newaxis]]).astype(np.float32))
    rows = sparse.vstack([X.to_csr(), present], format="csr")
    last = sparse.csr_array(last[:, np.newaxis])
    return Compressed.from_sparse(sparse.hstack([rows, last], format="csr"))


def _by_child(weights, offsets, n_features):
    """Make a matrix of the weights of all children."""
    n_postings = np.diff(weights.posting_offsets)
    sizes = np.diff(weights.run_offsets)
    firsts = np.repeat(np.repeat(offsets[:-1], n_postings), sizes)
    features = np.repeat(weights.features, sizes)
    return sparse.csr_array(
        (weights.weights, (firsts + weights.children, features)),
        shape=(int(offsets[-1]), n_features),
    )


class _Aligned(NamedTuple):
    """The weights of all children before and after a training.

    Parameters
    ----------
    owners : ndarray of shape (n_entries,), int64
        The child of each weight.
    features : ndarray of shape (n_entries,), int32
        Ascending for each child.
    before, after : ndarray of shape (n_entries,), float32
        0 for weights that are not stored.
    """

    owners: np.ndarray
    features: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @classmethod
    def of(cls, present, trained):
        """Lay two matrices side by side."""
        first, second = Compressed.from_sparse(present), Compressed.from_sparse(trained)
        most = len(first.indices) + len(second.indices)
        offsets = np.empty_like(first.offsets)
        features = np.empty(most, dtype=np.int32)
        values = np.empty((2, most), dtype=np.float32)
        n = align(*first[:3], *second[:3], offsets, features, values)
        owners = np.repeat(np.arange(first.n_vectors), np.diff(offsets))
        return cls(owners, features[:n], *values[:, :n])


def _choose(aligned, problem, relearning, layout):
    """Prune the weights that are new, and keep those that did not change."""
    before, after = aligned.before, aligned.after
    magnitudes = np.abs(after)
    if relearning.centering is not None:
        magnitudes = magnitudes / relearning.centering.factors_of(aligned.features)
    floors = _floors(magnitudes, aligned.owners, problem, relearning)
    is_large = magnitudes >= floors
    values = with_precision(after, layout.weight_precision).astype(np.float32)
    is_same = np.isclose(values, before, rtol=_ROUNDING, atol=0)
    is_kept = is_same | ~problem.is_trained[aligned.owners]
    values = np.where(is_kept, before, values)
    values[(before == 0) & ~is_large] = 0
    return aligned._replace(after=values)


def _floors(magnitudes, owners, problem, relearning):
    """Return the magnitude below which a new weight is dropped, for each entry."""
    largest = np.zeros(len(problem.intercepts))
    # Sorted by child, each of which has a range.
    firsts = np.flatnonzero(np.diff(owners, prepend=-1))
    if len(firsts):
        largest[owners[firsts]] = np.maximum.reduceat(magnitudes, firsts)
    return relearning.pruning.floors(largest)[owners]


def _changes(layout, problem, aligned, intercepts):
    """Put the weights that have changed into the delta."""
    owners = problem.owners[aligned.owners]
    keys, items = aligned.features, aligned.owners - problem.offsets[owners]
    if layout.by_node is not None:
        keys, items = items, keys
    codes = owners * np.int64(2**32) + keys
    replaced = np.unique(codes[aligned.before != aligned.after])
    is_taken = np.isin(codes, replaced) & (aligned.after != 0)
    entries = Entries(
        owners[is_taken],
        keys[is_taken].astype(np.int32),
        items[is_taken].astype(np.int32),
        aligned.after[is_taken],
    )
    return change_parents(
        layout,
        problem.parents,
        np.split(intercepts.astype(np.float32), problem.offsets[1:-1]),
        entries,
        (replaced >> 32, replaced & (2**32 - 1)),
    )
