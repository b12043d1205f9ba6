"""Pruning of fitted models."""

from dataclasses import replace
from numbers import Real

from skxmr._search._centering import (
    for_given_rows,
    for_training,
    shift_intercepts,
)
from skxmr._search._layout import SearchLayout
from skxmr._search._pruning import THRESHOLD_UNITS, check_threshold
from skxmr._search._pruning_check import Reduction, measure, warn_of_loss

__all__ = ["lay_out_pruned", "prune_layout", "prune_state", "pruned_at"]


def pruned_at(threshold, unit):
    """Return the threshold in each unit at which a new model was pruned.

    Parameters
    ----------
    threshold : float
    unit : {"relative", "absolute"}

    Returns
    -------
    dict of str to float
    """
    return dict.fromkeys(THRESHOLD_UNITS, 0.0) | {unit: float(threshold)}


def prune_state(state, threshold, unit):
    """Prune the weights of a fitted classifier further.

    The result of pruning in both units does not depend on their order: an absolute
    threshold drops the largest weight of a node only with all others.

    Parameters
    ----------
    state : ClassifierState
        Unchanged.
    threshold : float
    unit : {"relative", "absolute"}

    Returns
    -------
    ClassifierState

    Raises
    ------
    TypeError
        If `threshold` is not a number.
    ValueError
        If `unit` is unknown, or `threshold` is out of range or below that of an earlier
        pruning.
    """
    _check(state, threshold, unit)
    if threshold == state.pruned_at[unit]:
        # Weights in half precision may have been rounded down.
        return state
    samples = state.samples or [None] * len(state.trees)
    precision = state.layouts[0].weight_precision
    reduction = Reduction(threshold, unit, precision, state.unit_weight)
    layouts, effects = zip(
        *(
            prune_layout(tree, layout, sample, reduction, state.centering)
            for tree, layout, sample in zip(
                state.trees, state.layouts, samples, strict=True
            )
        ),
        strict=True,
    )
    warn_of_loss(effects, reduction, stacklevel=4)
    dropped = state.pruned_at | {unit: float(threshold)}
    return replace(state, layouts=list(layouts), pruned_at=dropped)


def _check(state, threshold, unit):
    if isinstance(threshold, bool) or not isinstance(threshold, Real):
        raise TypeError(
            f"threshold must be a number; got {threshold!r}, a "
            f"{type(threshold).__name__}."
        )
    if not isinstance(unit, str) or unit not in THRESHOLD_UNITS:
        raise ValueError(
            f"threshold_unit={unit!r} must be one of {sorted(THRESHOLD_UNITS)}."
        )
    if not threshold >= state.pruned_at[unit]:
        raise ValueError(
            f"threshold={threshold} is below {state.pruned_at[unit]}, the {unit} "
            f"threshold below which this estimator's weights were dropped already."
        )
    check_threshold("threshold", threshold, unit)


def prune_layout(tree, layout, sample, reduction, centering=None):
    """Prune the weights of one tree further, and measure the loss.

    Parameters
    ----------
    tree : LabelTree
    layout : SearchLayout
        Unchanged.
    sample : TrainingSample or None
    reduction : Reduction
    centering : Centering, default=None
        That of training.

    Returns
    -------
    layout : SearchLayout
    effect : PruningEffect
    """
    levels = layout.to_levels()
    n_before = [weights.n_weights for weights in levels]
    if sample is not None:
        n_before = sample.n_found
    pruned = [reduction.prune(one) for one in for_training(levels, centering)]
    levels = shift_intercepts(
        tree,
        for_given_rows(pruned, centering),
        centering,
        precision=layout.weight_precision,
        before=levels,
    )
    smaller = SearchLayout.from_levels(
        tree,
        levels,
        layout.n_features,
        by_node=layout.by_node is not None,
        weight_precision=layout.weight_precision,
    )
    return smaller, measure(sample, tree, levels, smaller, n_before)


def lay_out_pruned(trained, sample, n_features, reduction, *, by_node, centering=None):
    """Prune and lay out a tree that was just trained, and measure the loss.

    Parameters
    ----------
    trained : TrainedTree
    sample : TrainingSample
    n_features : int
    reduction : Reduction
    by_node : bool
    centering : Centering, default=None
        That of the rows that it was trained on.

    Returns
    -------
    layout : SearchLayout
    effect : PruningEffect
    """
    pruned = [reduction.prune(weights) for weights in trained.levels]
    levels = shift_intercepts(
        trained.tree,
        for_given_rows(pruned, centering),
        centering,
        precision=reduction.precision,
    )
    layout = SearchLayout.from_levels(
        trained.tree,
        levels,
        n_features,
        by_node=by_node,
        weight_precision=reduction.precision,
    )
    return layout, measure(sample, trained.tree, levels, layout, trained.n_found)
