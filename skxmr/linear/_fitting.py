"""Tree building and training of all levels: the part of `fit` that is cached."""

import warnings
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skxmr._cython._memory import give_back_memory
from skxmr._parallel._progress import note, showing
from skxmr._search._pruning import prune
from skxmr._training._levels import train_levels, untrained_level
from skxmr._training._negatives import (
    FoundRows,
    level_targets,
    matched_rows,
    shown_rows,
)
from skxmr._training._priors import PriorRows, add_prior_rows, add_priors
from skxmr._training._probing import ProbedRows, RowPaths
from skxmr._training._row_keys import RowKeys, row_keys
from skxmr._training._solver import SolverParameters
from skxmr._training._warm_start import TrainingRecord, WarmLevels, WarmStart
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.stages._stages import CustomStages, FittedStages
from skxmr.tree._growth import largest_leaf
from skxmr.tree._label_tree import LabelTree
from skxmr.tree._label_vectors import make_label_vectors

__all__ = [
    "TrainedTree",
    "TrainingSettings",
    "retrain_tree",
    "train_tree",
    "warn_of_training",
]


@dataclass(frozen=True)
class TrainingSettings:
    """The parameters of an estimator that its trained weights depend on.

    Parameters
    ----------
    solver : SolverParameters
    label_vectors : str, array or pair
        As in `XRLinearClassifier`.
    negative_sampling : {"parents", "matcher", "both"}
    negative_beam_width : int
    custom : CustomStages
        The custom stages.
    """

    solver: SolverParameters
    label_vectors: object
    negative_sampling: str
    negative_beam_width: int
    custom: CustomStages = field(default_factory=CustomStages)


@dataclass(frozen=True)
class TrainedTree:
    """A tree, the weights of each of its levels, and statistics of the training.

    Parameters
    ----------
    tree : LabelTree
    levels : tuple of LinearWeights
    n_iter : int
        Maximum number of sweeps over all nodes.
    n_trained, n_unconverged : int
        Number of trained nodes, and of those that stopped at ``max_iter``.
    stages : FittedStages
        The fitted custom stages.
    n_found : tuple of int
        Number of weights of each level before pruning.
    probed : ProbedRows or None
    record : TrainingRecord or None
        What a later fit starts from, if dual variables are kept.
    counts : ndarray of shape (n_levels, 3), int64, or None
        As of `WarmLevels.counts`, if dual variables are kept.
    """

    tree: LabelTree
    levels: tuple
    n_iter: int
    n_trained: int
    n_unconverged: int
    stages: FittedStages = field(default_factory=FittedStages)
    n_found: tuple = ()
    probed: ProbedRows | None = None
    record: TrainingRecord | None = None
    counts: np.ndarray | None = None


class _Data(NamedTuple):
    """Training data of the levels: rows, targets and prior means.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
        The first rows are those of Y, possibly followed by rows that are prior means.
    Y : csr_array of shape (n_rows, n_labels)
    priors : PriorRows or None
    features : ndarray of int32, or None
        The original feature of each column of X; None if they are unchanged.
    keys : RowKeys or None
        Of the rows, if dual variables are kept.
    negatives : csr_array of shape (n_given_rows, n_labels), bool, or None
        Labels that the user's rows, the first ones, were shown and did not choose.
    start : WarmStart or None
    """

    X: Compressed | DenseRows
    Y: sparse.csr_array
    priors: PriorRows | None
    features: np.ndarray | None
    keys: RowKeys | None
    negatives: sparse.csr_array | None
    start: WarmStart | None = None

    @property
    def trained(self):
        """The training rows of X, those of Y."""
        return self.X.between(0, self.Y.shape[0])

    def shown(self, tree):
        """Find the rows that were shown a label below each parent, for each level."""
        return shown_rows(tree, self.negatives, self.Y.shape[0])

    @property
    def n_given(self):
        """Number of the user's rows, without rows made of label vectors."""
        return self.Y.shape[0] if self.priors is None else self.priors.first


def train_tree(
    X, Y, negatives, label_names, indexer, settings, version, n_jobs, verbose
):
    """Build the tree and train the models of all nodes.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : Compressed, a vector for each row
        Stored for positive labels, with their relevance.
    negatives : csr_array of shape (n_rows, n_labels), bool, or None
        As returned by `check_negatives`.
    label_names : sequence or None
        For indexers that group labels by name.
    indexer : estimator
        A clone of it is fitted.
    settings : TrainingSettings
    version : str
        Version of the package, so that results cached by other versions are not used.
    n_jobs : int or None
    verbose : int

    Returns
    -------
    TrainedTree
    """
    del version
    with showing(verbose):
        data = _prepare(X, Y, negatives, settings)
        tree = _index(data, label_names, indexer, settings, n_jobs)
        note(f"indexed {tree.n_labels:,} labels: levels of {tree.level_sizes}")
        # Release the label vectors, then the memory of training beyond its result.
        give_back_memory()
        trained = _train_levels(data, tree, settings, n_jobs)
        give_back_memory()
    return trained


def retrain_tree(X, Y, negatives, settings, start, n_jobs, verbose):
    """Train the models of a tree that was trained before.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
    Y : Compressed, a vector for each row
    negatives : csr_array or None
        As for `train_tree`.
    settings : TrainingSettings
    start : WarmStart
    n_jobs : int or None
    verbose : int

    Returns
    -------
    TrainedTree
        Without `probed`.
    """
    with showing(verbose):
        data = _prepare(X, Y, negatives, settings)._replace(start=start)
        trained = _train_levels(data, start.grown.tree, settings, n_jobs)
        give_back_memory()
    return trained


def _prepare(X, Y, negatives, settings):
    """Add prior rows, hash the rows, and drop unused features."""
    targets, priors = Y.to_csr(), None
    solver = settings.solver
    if solver.prior_length:
        # That of the first fit, so that vectors are recognised.
        length = 1 / solver.unit_weight if solver.keeps_duals else None
        X, targets, priors = add_prior_rows(X, targets, settings.label_vectors, length)
    keys = row_keys(X, targets, negatives) if solver.keeps_duals else None
    features = None
    if not settings.custom:  # these take rows unchanged in training and prediction
        X, features = _only_used_features(X)
    return _Data(X, targets, priors, features, keys, negatives)


def _index(data, label_names, indexer, settings, n_jobs):
    """Group the labels; their vectors are released on return."""
    indexer = _with_jobs(clone(indexer), n_jobs)
    Z = None
    if getattr(indexer, "needs_label_vectors", True):
        X = data.trained.to_matrix()
        Z = make_label_vectors(settings.label_vectors, X, data.Y, n_jobs)
    indexer.fit(Z, label_names=label_names)
    tree = getattr(indexer, "tree_", None)
    _check_tree(tree, data.Y.shape[1], indexer)
    return tree


def _only_used_features(X):
    """Drop unused features if they are the majority, so that work is bounded.

    Returns
    -------
    X : Compressed or DenseRows
    features : ndarray of int32, or None
        The original features; None if they are unchanged.
    """
    if isinstance(X, DenseRows) or X.length <= 4 * len(X.indices) + 2**16:
        return X, None
    features = np.unique(X.indices)
    return X.keep_indices(features), features


def _with_jobs(indexer, n_jobs):
    """Set `n_jobs` of an indexer whose own is None."""
    if indexer.get_params().get("n_jobs", 1) is None:
        indexer.set_params(n_jobs=n_jobs)
    return indexer


def _train_levels(data, tree, settings, n_jobs):
    train = (
        _train_at_once if settings.negative_sampling == "parents" else _train_one_by_one
    )
    matcher = settings.custom.fit_matcher(data.trained, data.Y, tree, n_jobs)
    paths = RowPaths(
        data.trained,
        data.n_given,
        tree,
        tree.roll_up(data.Y),
        settings.solver.seed,
    )
    results, last, warm = train(data, tree, paths, matcher, settings, n_jobs)
    if data.features is not None:
        for result in results:
            result.weights.features = data.features[result.weights.features]
    record = counts = None
    if warm is not None:
        results = warm.complete(results)
        counts = warm.counts(results)
        before = None if data.start is None else data.start.record
        most_labels = largest_leaf(tree) if before is None else before.most_labels
        record = warm.record(tree, results, most_labels)
    ranker = settings.custom.fit_ranker(data.trained, last, n_jobs)
    solver = settings.solver
    floor = solver.weight_floor, solver.floor_unit, solver.unit_weight
    return TrainedTree(
        tree,
        tuple(prune(result.weights, *floor) for result in results),
        n_iter=max(result.n_iter for result in results),
        n_trained=sum(result.n_trained for result in results),
        n_unconverged=sum(result.n_unconverged for result in results),
        stages=FittedStages(matcher, ranker),
        n_found=tuple(result.n_found for result in results),
        probed=paths.collect([result.best for result in results])
        if data.start is None
        else None,
        record=record,
        counts=counts,
    )


def _train_at_once(data, tree, paths, matcher, settings, n_jobs):  # noqa: ARG001
    """Train all levels together, possible if negatives are from the parents.

    Returns
    -------
    results : list of LevelResult
    last : LevelTargets
        Of the last level.
    warm : WarmLevels or None
        If dual variables are kept.
    """
    levels, solvers = [], []
    parents = _root(data.Y)
    for level, (children, shown) in _numbered(paths.rolled, data.shown(tree)):
        found = FoundRows(shown=shown)
        targets = level_targets(
            tree, level, parents, children, found, negative_sampling="parents"
        )
        levels.append(targets)
        solvers.append(_level_solver(settings.solver, level, tree))
        parents = children
    first, beyond = _linear_levels(tree, settings)
    linear = slice(first - 1, beyond - 1)
    results = [untrained_level(targets) for targets in levels]
    last = levels[-1]
    levels[-1] = _with_priors(last, tree, data)
    warm = None
    if data.keys is not None:
        warm = WarmLevels(data.X, levels, data.keys, solvers, data.start)
        levels = warm.levels
    if data.start is None:
        levels = [paths.mark(*numbered) for numbered in enumerate(levels, start=1)]
    results[linear] = train_levels(
        data.X, levels[linear], solvers[linear], n_jobs=n_jobs
    )
    for level in range(first, beyond):
        _note_level(level, tree, levels[level - 1], results[level - 1])
    return results, last, warm


def _linear_levels(tree, settings):
    """Return the first level with linear models, and the one after the last."""
    return settings.custom.first_linear(tree), settings.custom.beyond_linear(tree)


def _train_one_by_one(data, tree, paths, matcher, settings, n_jobs):
    """Train level by level: the levels above find the negatives of the next one.

    Returns the same as `_train_at_once`.
    """
    # The matcher that finds negatives is not pruned, and does not include the last
    # level.
    unpruned = replace(settings.solver, weight_floor=0.0)
    results: list = []
    parents = _root(data.Y)
    first, beyond = _linear_levels(tree, settings)
    for level, (children, shown) in _numbered(paths.rolled, data.shown(tree)):
        matched = None
        if level >= max(first, 2):
            weights = [result.weights for result in results]
            matched = _match(data.trained, tree, weights, matcher, settings, n_jobs)
        targets = level_targets(
            tree,
            level,
            parents,
            children,
            FoundRows(matched, shown),
            negative_sampling=settings.negative_sampling,
        )
        parents = children
        if not first <= level < beyond:
            results.append(untrained_level(targets))
            continue
        solver = unpruned if level < tree.depth else settings.solver
        solvers = [_level_solver(solver, level, tree)]
        whole = _with_priors(targets, tree, data) if level == tree.depth else targets
        marked = paths.mark(level, whole)
        results += train_levels(data.X, [marked], solvers, n_jobs=n_jobs)
        _note_level(level, tree, targets, results[-1])
    return results, targets, None


def _numbered(*of_levels):
    """Yield the number of each level, from 1 on, and what there is of it."""
    return enumerate(zip(*of_levels, strict=True), start=1)


def _with_priors(targets, tree, data):
    """Add given label vectors as prior means, if there are any."""
    return targets if data.priors is None else add_priors(targets, tree, data.priors)


def _root(Y):
    """Make the level above the first: one node with all rows."""
    return sparse.csr_array(np.ones((Y.shape[0], 1), dtype=np.float32))


def _level_solver(solver, level, tree):
    """Return the solver parameters of a level: its seed, and a prior only for labels.

    Nodes above the labels have many rows and gain nothing from a prior.
    """
    seed = int(np.random.SeedSequence([solver.seed, level]).generate_state(1)[0])
    prior_length = solver.prior_length if level == tree.depth else 0.0
    return replace(solver, seed=seed, prior_length=prior_length)


def _match(X, tree, weights, matcher, settings, n_jobs):
    """Find the rows for which the matcher reaches each parent."""
    is_logistic = settings.solver.loss == "log_loss"
    return matched_rows(
        X,
        tree,
        weights,
        matcher,
        beam_width=settings.negative_beam_width,
        score_transform="sigmoid" if is_logistic else "l3-hinge",
        n_jobs=n_jobs,
    )


def _check_tree(tree, n_labels, indexer):
    """Raise an error for an invalid tree of a custom indexer."""
    if not isinstance(tree, LabelTree):
        raise TypeError(
            f"indexer={indexer!r} set tree_ to a {type(tree).__name__}; expected a "
            f"LabelTree."
        )
    if tree.n_labels != n_labels:
        raise ValueError(
            f"indexer={indexer!r} built a tree over {tree.n_labels} labels; expected "
            f"one over the {n_labels} labels of y."
        )


def _note_level(level, tree, targets, result):
    """Report what was trained in a level."""
    note(
        f"level {level} of {tree.depth}: {tree.level_sizes[level]:,} nodes, "
        f"{result.n_trained:,} of them trained on {len(targets.rows.indices):,} rows "
        f"with {len(targets.positives.indices):,} labels: "
        f"{result.weights.n_weights:,} weights"
    )


def warn_of_training(trained, max_iter, dominant):
    """Warn of nodes that did not converge, and of dominant columns.

    Parameters
    ----------
    trained : list of TrainedTree
    max_iter : int
    dominant : str
        As returned by `describe_dominant_columns`; empty if there are none.

    Warns
    -----
    ConvergenceWarning
    UserWarning
        If there are dominant columns, although all nodes converged.
    """
    n_unconverged = sum(one.n_unconverged for one in trained)
    if n_unconverged:
        n_trained = sum(one.n_trained for one in trained)
        warnings.warn(
            f"{n_unconverged} of {n_trained} nodes did not converge in "
            f"max_iter={max_iter} sweeps. "
            + (dominant or "Increase max_iter or tol, or lower C."),
            ConvergenceWarning,
            stacklevel=6,
        )
    elif dominant:
        warnings.warn(dominant, UserWarning, stacklevel=6)
