"""Pruning of a fitted classifier, and ensembles of trees."""

from dataclasses import replace

import numpy as np
import pytest
from fitted_classifiers import (
    assert_same_model,
    brute_force_log_scores,
    fit,
    make_data,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from twins import weights_to_dense

from skxmr import XRLinearClassifier
from skxmr._search._beam_search import average_trees

# Pruning


def test_prune_equals_fitting_with_that_threshold():
    X, Y = make_data()
    loose, tight = fit(X, Y, threshold=0.05), fit(X, Y, threshold=0.4)
    pruned = loose.prune(0.4)
    assert_same_model(pruned, tight)
    assert pruned.threshold == 0.4
    assert loose.threshold == 0.05
    assert pruned.n_weights_ < loose.n_weights_
    assert pruned.nbytes_ < loose.nbytes_
    whole = dense_levels(fit(X, Y, threshold=0))
    # A margin of 1 for a row of the root mean squared length with this feature alone.
    unit_weight = 1 / np.sqrt((X.toarray() ** 2).sum(axis=1).mean())
    for kept, weights in zip(dense_levels(pruned), whole, strict=True):
        largest = np.abs(weights).max(axis=0)
        assert (largest > unit_weight).any()
        floors = np.float32(0.4) * np.minimum(largest, np.float32(unit_weight))
        expected = np.where(np.abs(weights) >= floors, weights, 0)
        np.testing.assert_array_equal(kept, expected)


def dense_levels(model):
    tree, layout = model.trees_[0], model.layouts_[0]
    return [
        weights_to_dense(weights, offsets, layout.n_features)
        for weights, offsets in zip(layout.to_levels(), tree.child_offsets, strict=True)
    ]


@pytest.mark.parametrize("unit", ["relative", "absolute"])
def test_pruning_at_what_was_pruned_at_changes_nothing(unit):
    """Half precision rounds some weights below what they were pruned at."""
    X, Y = make_data()
    model = fit(X, Y, weight_precision="float16", threshold_unit=unit)
    assert model.prune(model.threshold).layouts_ is model.layouts_


def test_an_absolute_threshold_is_one_for_all_weights():
    X, Y = make_data()
    whole = fit(X, Y, threshold=0)
    for model in (
        fit(X, Y, threshold=0.4, threshold_unit="absolute"),
        whole.prune(0.4, threshold_unit="absolute"),
        whole.set_params(threshold_unit="absolute").prune(0.4),
    ):
        assert (model.threshold, model.threshold_unit) == (0.4, "absolute")
        weights = model.layouts_[0].by_feature.weights
        all_of_them = whole.layouts_[0].by_feature.weights
        np.testing.assert_array_equal(
            np.sort(weights), np.sort(all_of_them[np.abs(all_of_them) >= 0.4])
        )


def test_a_model_is_pruned_in_both_units():
    X, Y = make_data()
    model = fit(X, Y, threshold=0.05)
    one = model.prune(0.3, threshold_unit="absolute").prune(
        0.2, threshold_unit="relative"
    )
    other = model.prune(0.2).prune(0.3, threshold_unit="absolute")
    assert_same_model(one, other)
    assert 0 < one.n_weights_ < model.n_weights_
    for pruned in (one, other):
        with pytest.raises(ValueError, match=r"threshold=0\.1 is below 0\.2"):
            pruned.prune(0.1, threshold_unit="relative")
        with pytest.raises(ValueError, match=r"threshold=0\.2 is below 0\.3"):
            pruned.prune(0.2, threshold_unit="absolute")


def test_the_unit_of_features_does_not_change_what_is_kept():
    X, Y = make_data()
    expected, *scaled = (
        fit(X * np.float32(2.0**power), Y, C="scale") for power in (0, -8, 8)
    )
    for model in scaled:
        for one, other in zip(
            model.layouts_[0].to_levels(),
            expected.layouts_[0].to_levels(),
            strict=True,
        ):
            np.testing.assert_array_equal(one.features, other.features)
            np.testing.assert_array_equal(one.children, other.children)


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
@pytest.mark.parametrize("name", ["threshold", "weight_floor"])
def test_a_relative_threshold_is_a_share(name):
    X, Y = make_data()
    match = rf"{name}=1\.5 must be between 0 and 1.*threshold_unit='relative'"
    with pytest.raises(ValueError, match=match):
        fit(X, Y, **{name: 1.5})
    fit(X, Y, **{name: 1.5}, threshold_unit="absolute")
    with pytest.raises(ValueError, match=r"threshold=1\.5 must be between 0 and 1"):
        fit(X, Y).prune(1.5)
    with pytest.raises(ValueError, match=r"threshold_unit='percent' must be one of"):
        fit(X, Y).prune(0.5, threshold_unit="percent")


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
def test_the_largest_weight_of_each_node_stays():
    X, Y = make_data()
    for kept, whole in zip(
        dense_levels(fit(X, Y, threshold=1)),
        dense_levels(fit(X, Y, threshold=0)),
        strict=True,
    ):
        largest = np.abs(whole).max(axis=0)
        np.testing.assert_array_equal(np.abs(kept).max(axis=0), largest)
        assert np.count_nonzero(kept) < np.count_nonzero(whole)


def test_prune_cannot_bring_weights_back():
    X, Y = make_data()
    with pytest.raises(ValueError, match=r"threshold=0\.05 is below 0\.1"):
        fit(X, Y).prune(0.05)
    with pytest.raises(ValueError, match="threshold=nan"):
        fit(X, Y).prune(float("nan"))
    with pytest.raises(TypeError, match="threshold must be a number"):
        fit(X, Y).prune("much")
    with pytest.raises(NotFittedError):
        XRLinearClassifier().prune(1)


def test_size_of_the_model():
    X, Y = make_data()
    classifier = fit(X, Y)
    by_feature = classifier.layouts_[0].by_feature
    assert classifier.n_weights_ == len(by_feature.weights) > 0
    assert classifier.nbytes_ > by_feature.entries.nbytes


# Ensembles


def test_trees_are_averaged():
    X, Y = make_data(n_classes=40)
    everything = {"beam_width": None, "max_candidates": None}
    ensemble = fit(X, Y, n_trees=3, **everything)
    scores = np.mean(
        [np.exp(brute_force_log_scores(single_tree(ensemble, i), X)) for i in range(3)],
        axis=0,
    )
    np.testing.assert_allclose(ensemble.predict_proba(X).toarray(), scores, atol=1e-6)
    assert ensemble.trees_[0] != ensemble.trees_[1]


def single_tree(ensemble, i):
    state = ensemble._state
    parts = {name: [getattr(state, name)[i]] for name in ("trees", "layouts", "stages")}
    single = clone(ensemble)
    single._state = replace(state, **parts)
    return single


def test_average_of_shortlists():
    columns = [np.array([[3, 1], [0, -1]]), np.array([[1, 2], [-1, -1]])]
    scores = [np.array([[0.5, 0.4], [0.8, 0]]), np.array([[0.6, 0.5], [0, 0]])]
    with np.errstate(divide="ignore"):
        best, log_scores = average_trees(columns, [np.log(s) for s in scores], 3)
    # Labels 2 and 3 tie: the smaller comes first.
    assert best.tolist() == [[1, 2, 3], [0, -1, -1]]
    np.testing.assert_allclose(
        np.exp(log_scores), [[0.5, 0.25, 0.25], [0.4, 0, 0]], rtol=1e-12
    )


def test_average_of_nothing():
    nothing = np.full((2, 3), -1), np.full((2, 3), -np.inf)
    best, log_scores = average_trees(*zip(nothing, nothing, strict=True), 2)
    assert (best == -1).all()
    assert np.isneginf(log_scores).all()
