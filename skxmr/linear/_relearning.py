"""Relearning: a fit that starts from an earlier one and keeps its tree."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
from scipy import sparse

from skxmr._base._state import Stateful, from_state, writes
from skxmr._inputs._by_label import Labels, check_label_names
from skxmr._inputs._features import validate_features_and_target
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._negatives import check_negatives
from skxmr._search._beam_search import beam_search
from skxmr._search._layout import SearchLayout
from skxmr._targets import align_rows, make_target
from skxmr._training._centering import (
    center_label_vectors,
    center_rows,
    undo_centering,
)
from skxmr._training._regularization import Regularization
from skxmr._training._warm_start import TrainingRecord, WarmStart
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.linear._fitting import retrain_tree
from skxmr.linear._problem import Problem
from skxmr.tree._growth import GrownTree, grow_tree, largest_leaf
from skxmr.tree._kmeans_tree import KMeansTree
from skxmr.tree._label_vectors import canonical_label_vectors, pifa, vectors_in_order

__all__ = [
    "Relearning",
    "TrainingState",
    "check_relearning",
    "count_nodes",
    "kept_problem",
    "relearn",
    "training_state",
]

# A leaf with more than so many times the labels of the largest one is split.
_MOST_GROWTH = 2

_BEAM_WIDTH = 10


@dataclass(frozen=True)
class TrainingState:
    """What `XRLinearClassifier.fit` starts from with ``warm_start=True``.

    It has the dual variables of all training rows, and the weights of all nodes before
    pruning to `threshold`: several times the size of the model. It can be pickled, and
    given to a model that was loaded without it by
    `XRLinearClassifier.set_training_state`.
    """

    records: tuple[TrainingRecord, ...]


def training_state(trained):
    """Collect the records of the trees, or return None."""
    records = tuple(one.record for one in trained)
    return None if None in records else TrainingState(records)


class Relearning(Stateful):
    """The part of `XRLinearClassifier` for fits with a warm start."""

    warm_start: bool

    relearning_ = from_state(
        "relearning", "The nodes that were kept, solved again or new.", optional=True
    )
    training_state_ = from_state(
        "training", "What the next warm start starts from.", optional=True
    )

    def _starts_warm(self):
        return self.warm_start and self.__sklearn_is_fitted__()

    @writes
    def set_training_state(self, training_state: TrainingState) -> Self:
        """Set what the next fit with a warm start starts from.

        Models are saved without it. To go on with one that was loaded, save its
        `training_state_` too, with pickle or joblib, and give it back to the model.

        Parameters
        ----------
        training_state : TrainingState
            The `training_state_` of this model before it was saved. The training state
            of an earlier fit of this model is possible too: more nodes are then solved
            again.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        TypeError
            If it is no `TrainingState`.
        ValueError
            If it is of another model: of trees of another shape.
        """
        state = self._fitted()
        if not isinstance(training_state, TrainingState):
            raise TypeError(
                f"training_state must be a TrainingState; got a "
                f"{type(training_state).__name__}."
            )
        shapes = [one.tree.level_sizes[:-2] for one in training_state.records]
        expected = [tree.level_sizes[:-2] for tree in state.trees]
        if shapes != expected:
            raise ValueError(
                f"training_state has trees with {shapes} nodes above the leaves; this "
                f"model's have {expected}."
            )
        self._state = replace(state, training=training_state)
        return self


def check_relearning(classifier, custom):
    """Raise ValueError for parameters that `warm_start=True` does not support.

    Parameters
    ----------
    classifier : XRLinearClassifier
    custom : CustomStages
    """
    if not classifier.warm_start:
        return
    if custom:
        raise ValueError(
            "warm_start=True supports no custom stages; leave matcher and ranker out, "
            "or set warm_start=False."
        )
    if classifier.negative_sampling != "parents":
        raise ValueError(
            f"warm_start=True supports negative_sampling='parents' only, as other "
            f"negatives change with the models above; got "
            f"{classifier.negative_sampling!r}."
        )


def kept_problem(classifier, arguments):
    """Make the problem of a fit in the labels and the scale of the earlier one.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Fitted.
    arguments : FitArguments

    Returns
    -------
    Problem
    """
    state = classifier._state.compacted
    _check_model(state, classifier)
    given, names = read_columns(arguments.y)
    X, y, features = validate_features_and_target(classifier, arguments.X, given)
    _check_features(state, features, X)
    target, Y = make_target(y, arguments.relevance, names)
    of_y = target
    target, known, Y = _in_known_columns(state, target, Y)
    negatives = check_negatives(arguments.negatives, of_y, known, Y)
    labels = Labels.of_target(target, given, X.n_vectors)
    names = check_label_names(arguments.label_names, labels)
    vectors = canonical_label_vectors(
        vectors_in_order(classifier.label_vectors, labels)
    )
    return Problem(
        target,
        known,
        features,
        X,
        center_rows(X, state.centering),
        Y,
        negatives,
        target.names if names is None else names,
        center_label_vectors(vectors, state.centering, X.length),
        state.centering,
        _kept_regularization(classifier, state),
        _kept_prior_weight(classifier, state),
    )


def _check_model(state, classifier):
    if state.C is None or any(state.stages):
        raise ValueError(
            "warm_start=True can go on from a model of linear stages that fit has "
            "trained; this one was imported or has custom stages. Set "
            "warm_start=False."
        )
    if classifier.n_trees != len(state.trees):
        raise ValueError(
            f"n_trees={classifier.n_trees}, but warm_start=True keeps the "
            f"{len(state.trees)} trees of the earlier fit."
        )


def _check_features(state, features, X):
    before, names = state.n_features, state.feature_names
    is_longer = names is None and features.n_features >= before
    has_same = features.n_features == before and (
        names is None or features.names is None or np.array_equal(names, features.names)
    )
    if not (is_longer or has_same):
        raise ValueError(
            f"X has {features.n_features} features; warm_start=True expects the "
            f"{before} of the earlier fit in their order, possibly followed by more if "
            f"they have no names."
        )
    is_dense, was_dense = isinstance(X, DenseRows), state.layouts[0].by_node is not None
    if is_dense != was_dense:
        formats = "sparse", "dense"
        raise ValueError(
            f"X is {formats[is_dense]}; warm_start=True expects it to be "
            f"{formats[was_dense]}, as in the earlier fit."
        )


def _in_known_columns(state, target, Y):
    """Put labels into the columns of the earlier fit, new ones last."""
    known, Y = align_rows(state.target, state.known, target, Y)
    return target.with_labels(known), known, Y


def _kept_prior_weight(classifier, state):
    given = classifier.prior_weight
    return state.prior_weight if given == "fit" else float(given)


def _kept_regularization(classifier, state):
    """Return the regularisation in the scale of the earlier fit."""
    length = 1 / state.unit_weight
    is_scaled = classifier.C == "scale"
    return Regularization(
        float(state.C if is_scaled else classifier.C),
        float(classifier.fit_intercept * (length if is_scaled else 1)),
        _kept_prior_weight(classifier, state) / length,
        float(state.unit_weight),
    )


def relearn(classifier, problem, all_settings):
    """Train all trees of a classifier from its present state.

    Parameters
    ----------
    classifier : XRLinearClassifier
    problem : Problem
    all_settings : list of TrainingSettings
        Of each tree.

    Returns
    -------
    list of TrainedTree
    """
    state = classifier._state.compacted
    records = [None] * len(state.trees)
    if state.training is not None:
        records = state.training.records
    Y = Compressed.from_sparse(problem.Y)
    trained = []
    for number, settings in enumerate(all_settings):
        record = records[number]
        grown = _grow(state, number, record, problem, classifier.n_jobs)
        trained.append(
            retrain_tree(
                problem.X,
                Y,
                problem.negatives,
                settings,
                WarmStart(_from_record(grown, record, state.trees[number]), record),
                classifier.n_jobs,
                classifier.verbose,
            )
        )
    return trained


def _from_record(grown, record, tree):
    """Return where nodes come from in the tree of the record.

    It is another one if labels were added since: these are unknown to the record.
    """
    if record is None or record.tree is tree:
        return grown
    before = record.tree
    origins = [
        np.arange(size) if size == was else np.full(size, -1)
        for size, was in zip(tree.level_sizes, before.level_sizes, strict=True)
    ]
    node_of = np.full(max(before.n_labels, tree.n_labels), -1)
    node_of[before.labels] = np.arange(before.n_labels)
    origins[-1] = node_of[tree.labels]
    return grown._replace(
        origins=tuple(
            np.where(nodes < 0, -1, first[nodes])
            for first, nodes in zip(origins, grown.origins, strict=True)
        )
    )


def _grow(state, number, record, problem, n_jobs):
    """Add the new labels to a tree."""
    tree, layout = state.trees[number], state.layouts[number]
    new = np.arange(tree.n_labels, len(problem.known))
    if not len(new):
        return GrownTree.unchanged(tree)
    usual = largest_leaf(tree) if record is None else record.most_labels
    leaves = _find_leaves(tree, layout, _vectors_of(new, problem), n_jobs)
    split = partial(_split, problem=problem, usual=usual)
    return grow_tree(tree, leaves, _MOST_GROWTH * usual, split)


def _vectors_of(labels, problem):
    """Return the vectors of labels in the space of X, dense or sparse as that is."""
    rows = problem.given.to_matrix()
    vectors = pifa(rows, problem.Y[:, labels])
    given = problem.label_vectors
    given = given[1] if isinstance(given, tuple) else given
    if isinstance(given, str) or given.shape[1] != rows.shape[1]:
        return vectors
    has_rows = np.bincount(problem.Y.indices, minlength=problem.Y.shape[1])[labels] > 0
    own = undo_centering(given[labels], problem.centering)
    if sparse.issparse(vectors):
        is_used = sparse.diags_array((~has_rows).astype(np.float32))
        return sparse.csr_array(vectors + is_used @ sparse.csr_array(own))
    own = own.toarray() if sparse.issparse(own) else own
    return np.where(has_rows[:, np.newaxis], vectors, own)


def _find_leaves(tree, layout, vectors, n_jobs):
    """Find the leaf that the beam search likes best for each vector."""
    if tree.depth == 1:
        return np.zeros(vectors.shape[0], dtype=np.int64)
    upper = SearchLayout.from_levels(
        tree,
        layout.to_levels(tree.depth - 1),
        vectors.shape[1],
        by_node=layout.by_node is not None,
    )
    if sparse.issparse(vectors):
        rows = Compressed.from_sparse(sparse.csr_array(vectors).astype(np.float32))
    else:
        rows = DenseRows(np.ascontiguousarray(vectors, dtype=np.float32))
    nodes, _ = beam_search(
        rows,
        upper,
        k=1,
        beam_width=_BEAM_WIDTH,
        score_transform="l4-hinge",
        wanted="nodes",
        n_jobs=n_jobs,
    )
    smallest = int(tree.n_children(tree.depth - 1).argmin())
    return np.where(nodes[:, 0] < 0, smallest, nodes[:, 0])


def _split(labels, problem, usual):
    """Split the labels of a leaf into parts of the usual size."""
    n_parts = -(-len(labels) // usual)
    vectors = pifa(problem.given.to_matrix(), problem.Y[:, labels])
    indexer = KMeansTree(n_parts, -(-len(labels) // n_parts), random_state=0)
    parts = indexer.fit(vectors).tree_
    offsets = parts.leaf_ranges(1)
    return np.split(labels[parts.labels], offsets[1:-1])


def count_nodes(trained):
    """Make the table of nodes that were kept, solved again, or are new.

    Parameters
    ----------
    trained : list of TrainedTree

    Returns
    -------
    dict of str to ndarray, or None
        None if dual variables were not kept.
    """
    if any(one.counts is None for one in trained):
        return None
    counts = np.concatenate([one.counts for one in trained])
    depths = [len(one.counts) for one in trained]
    return {
        "tree": np.repeat(np.arange(len(trained)), depths),
        "level": np.concatenate([np.arange(1, depth + 1) for depth in depths]),
        "n_kept": counts[:, 0],
        "n_solved": counts[:, 1],
        "n_new": counts[:, 2],
    }
