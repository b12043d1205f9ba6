"""What an `XRLinearClassifier` has learned."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from skxmr._growing._new_labels import LabelScale
from skxmr._inputs._features import Features
from skxmr._inputs._known_classes import KnownClasses
from skxmr._search._centering import Centering
from skxmr._search._merging import tree_of
from skxmr._targets import ClassTarget, IndicatorTarget
from skxmr._utils._loaded_state import refuse
from skxmr.linear._drift import is_refit_due, mean_leaf_size, relative_cohesion
from skxmr.linear._propensity import LabelCounts
from skxmr.linear._relearning import TrainingState, count_nodes, training_state
from skxmr.stages._stages import FittedStages

__all__ = ["ClassifierState", "imported_state", "make_state"]


@dataclass(frozen=True)
class ClassifierState:
    """The fitted state of an `XRLinearClassifier`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    known : KnownClasses
    features : Features
    n_iter : int
    trees : list of LabelTree
    layouts : list of SearchLayout
    stages : list of FittedStages
    pruned_at : dict of str to float
        For each `threshold_unit`, the threshold at which weights were pruned; 0 if none
        were.
    C : float or None
        None if it is not known, for models that other libraries have trained.
    samples : list of TrainingSample, default=None
        Training rows on which `prune` measures the loss. Never saved: None in a model
        that was loaded.
    unit_weight : float, default=inf
        The bound of the relative threshold, from the length of the training rows.
    centering : Centering, default=None
        The features that were centred in training.
    prior_weight : float, default=None
        That of training; None as for `C`.
    training : TrainingState, default=None
        What a fit with a warm start starts from. Never saved, as `samples`.
    relearning : dict of str to ndarray, default=None
        The nodes that were kept, solved again, or are new.
    scales : list of LabelScale, default=None
        The usual weights of labels in each tree. None if they were not measured.
    first_new : int, default=None
        The first of the features that came for the next change; None if none did.
    first_leaf_sizes : list of float, default=None
        The `mean_leaf_size` of each tree when it was built; None if it is not known.
    cohesions : list of float, default=None
        The `relative_cohesion` of each tree at a fit that kept it; None for new trees.
    counts : LabelCounts, default=None
        Of the rows so far, if scores are weighed by propensities.
    """

    target: IndicatorTarget | ClassTarget
    known: KnownClasses
    features: Features
    n_iter: int
    trees: list
    layouts: list
    stages: list
    pruned_at: dict
    C: float | None
    samples: list | None = None
    unit_weight: float = np.inf
    centering: Centering | None = None
    prior_weight: float | None = None
    training: TrainingState | None = None
    relearning: dict | None = None
    scales: list | None = None
    first_new: int | None = None
    first_leaf_sizes: list | None = None
    cohesions: list | None = None
    counts: LabelCounts | None = None

    def __getstate__(self):
        state = vars(self) | {"samples": None, "training": None}
        state.pop("compacted", None)
        return state

    @cached_property
    def compacted(self):
        """The same state with layouts that have no delta."""
        if all(layout.delta is None for layout in self.layouts):
            return self
        layouts = [layout.compacted for layout in self.layouts]
        trees = [tree_of(layout) for layout in layouts]
        return replace(self, layouts=layouts, trees=trees)

    def widened(self, n_features):
        """Return the same state for more features, which the next change brings.

        Parameters
        ----------
        n_features : int
            At least as many as before.

        Returns
        -------
        ClassifierState
        """
        if n_features == self.n_features:
            return self
        return replace(
            self,
            features=Features(n_features, self.features.names),
            layouts=[layout.widened(n_features) for layout in self.layouts],
            samples=None,
            first_new=self.n_features,
        )

    @property
    def compact_trees(self):
        """The trees with all labels."""
        return self.compacted.trees

    @property
    def compact_layouts(self):
        """The layouts without deltas."""
        return self.compacted.layouts

    @property
    def refit_due(self):
        """Whether a new tree would pay; None if it is not known."""
        if self.first_leaf_sizes is None:
            return None
        return is_refit_due(self.first_leaf_sizes, self.cohesions, self.layouts)

    @property
    def classes(self):
        """The labels by column."""
        return self.known.classes

    @property
    def n_features(self):
        """Number of features."""
        return self.features.n_features

    @property
    def feature_names(self):
        """Names of features, or None."""
        return self.features.names

    @property
    def block_weights(self):
        """The weight of dense features in training; None if it is not known."""
        if self.C is None:
            return None
        return 1.0 if self.centering is None else self.centering.block_weight

    @property
    def n_weights(self):
        """Number of stored weights without intercepts."""
        return sum(layout.n_weights for layout in self.layouts)

    @property
    def nbytes(self):
        """Size in bytes of the arrays that prediction reads."""
        return sum(layout.nbytes for layout in self.layouts)

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent.

        Parameters
        ----------
        owner : str
            The name of the estimator's class, for messages.
        """
        n_labels, n_trees = len(self.known), len(self.layouts)
        if not 0 < self.target.n_labels == n_labels:
            refuse(
                f"{owner}.classes_",
                f"has {n_labels} labels, not {self.target.n_labels}",
            )
        if not len(self.trees) == len(self.stages) == n_trees > 0:
            refuse(f"{owner}.layouts_", f"has {n_trees} trees")
        for tree, layout in zip(self.trees, self.layouts, strict=True):
            if layout.n_features != self.n_features or layout.n_labels != n_labels:
                refuse(f"{owner}.layouts_", "does not match the features and labels")
            layout.check_tree(tree)
        if self.counts is not None:
            self.counts.check(n_labels, f"{owner}.counts")
        if self.centering is not None:
            self.centering.check(self.n_features, f"{owner}.centering")


def imported_state(tree, layout, pruned_at):
    """Build the state of a model of linear stages that skxmr has not trained.

    Parameters
    ----------
    tree : LabelTree
    layout : SearchLayout
        Of this tree.
    pruned_at : dict of str to float

    Returns
    -------
    ClassifierState
        For sparse indicators.
    """
    target = IndicatorTarget(tree.n_labels, is_sparse=True, dtype=np.dtype(np.int64))
    return ClassifierState(
        target=target,
        known=KnownClasses(target.classes),
        features=Features(layout.n_features),
        n_iter=1,
        trees=[tree],
        layouts=[layout],
        stages=[FittedStages()],
        pruned_at=pruned_at,
        C=None,
    )


def make_state(problem, trained, layouts, pruned_at, samples=None, before=None):
    """Build the fitted state from the results of training.

    Parameters
    ----------
    problem : Problem
    trained : list of TrainedTree
    layouts : list of SearchLayout
        Of the same trees.
    pruned_at : dict of str to float
    samples : list of TrainingSample, default=None
    before : ClassifierState, default=None
        That of the fit whose trees were kept.

    Returns
    -------
    ClassifierState
    """
    sizes, cohesions = _drift(problem, [one.tree for one in trained], before)
    return ClassifierState(
        target=problem.target,
        known=problem.known,
        features=problem.features,
        n_iter=max(1, *(one.n_iter for one in trained)),
        trees=[one.tree for one in trained],
        layouts=layouts,
        stages=[one.stages for one in trained],
        pruned_at=pruned_at,
        C=problem.regularization.C,
        samples=samples,
        unit_weight=problem.regularization.unit_weight,
        centering=problem.centering,
        prior_weight=problem.prior_weight,
        training=training_state(trained),
        relearning=count_nodes(trained),
        # Of intercepts that are not yet shifted.
        scales=[
            LabelScale.of(one.levels[-1], None, problem.regularization.unit_weight)
            for one in trained
        ],
        first_leaf_sizes=sizes,
        cohesions=cohesions,
        counts=problem.counts,
    )


def _drift(problem, trees, before):
    """Return `first_leaf_sizes` and `cohesions` of trees that are new or were kept."""
    if before is None:
        return [mean_leaf_size(tree.n_children(tree.depth - 1)) for tree in trees], None
    rows = problem.X.to_matrix()
    cohesions = [relative_cohesion(tree, rows, problem.Y) for tree in trees]
    return before.first_leaf_sizes, cohesions
