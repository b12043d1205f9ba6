"""Prunes fitted models, and remembers at what they were pruned."""

from dataclasses import replace
from numbers import Real

from skxmr.layout import SearchLayout
from skxmr.pruning import THRESHOLD_UNITS, check_threshold, prune

__all__ = ["prune_layout", "prune_state", "pruned_at"]


def pruned_at(threshold, unit):
    """Tell below what a new model's weights were dropped, in each unit.

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
    """Drop more of the weights of a fitted classifier.

    Which weights are left does not depend on the order in which a model is pruned in
    two units: an absolute threshold drops the largest weight of a node only with all
    the others.

    Parameters
    ----------
    state : ClassifierState
        Left as it is.
    threshold : float
    unit : {"relative", "absolute"}

    Returns
    -------
    ClassifierState

    Raises
    ------
    TypeError
        If `threshold` is no number.
    ValueError
        If `unit` is no unit, or `threshold` no threshold in it, or one below which
        weights were dropped already.
    """
    _check(state, threshold, unit)
    if threshold == state.pruned_at[unit]:
        # Those of half precision may have been rounded to less.
        return state
    layouts = [
        prune_layout(tree, layout, threshold, unit)
        for tree, layout in zip(state.trees, state.layouts, strict=True)
    ]
    dropped = state.pruned_at | {unit: float(threshold)}
    return replace(state, layouts=layouts, pruned_at=dropped)


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


def prune_layout(tree, layout, threshold, unit):
    """Drop more of the weights of one tree.

    Parameters
    ----------
    tree : LabelTree
    layout : SearchLayout
        Left as it is.
    threshold : float
    unit : {"relative", "absolute"}

    Returns
    -------
    SearchLayout
    """
    return SearchLayout.from_levels(
        tree,
        [prune(weights, threshold, unit) for weights in layout.to_levels()],
        layout.n_features,
        by_node=layout.by_node is not None,
        weight_precision=layout.weight_precision,
    )
