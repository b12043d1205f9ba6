"""Weights of candidates fitted by a softmax over each row."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize

from skxmr._fusion._softmax import _loss, _Problem, fit_softmax, log_softmax


def random_candidates(seed, n_rows, n_features, *, most=12):
    """Candidates of rows, some without any, some with none or several positives."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(0, most, n_rows)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    features = generator.normal(size=(offsets[-1], n_features))
    features *= 10.0 ** generator.integers(-3, 4, n_features)
    features += 100 * generator.normal(size=n_features)
    return features, generator.random(offsets[-1]) < 0.15, offsets


def drawn_by(weights, features, offsets, seed):
    """Draw one positive of each row by the softmax of the true weights."""
    generator = np.random.default_rng(seed)
    is_positive = np.zeros(len(features), dtype=bool)
    for start, end in pairwise(offsets):
        if end > start:
            odds = np.exp(features[start:end] @ weights)
            drawn = generator.choice(end - start, p=odds / odds.sum())
            is_positive[start + drawn] = True
    return is_positive


def slow_weights(features, is_positive, offsets):
    """Minimise the penalised loss row by row, without a gradient of our own."""
    rows = [
        (features[start:end], is_positive[start:end])
        for start, end in pairwise(offsets)
        if is_positive[start:end].any()
    ]
    centred = np.concatenate([x - x.mean(axis=0) for x, _ in rows])
    scales = np.sqrt((centred**2).mean(axis=0))

    def loss(weights):
        total = 0.5 * weights @ weights
        for x, positive in rows:
            scores = (x - x.mean(axis=0)) / scales @ weights
            probabilities = np.exp(scores) / np.exp(scores).sum()
            total -= np.log(probabilities[positive]).mean()
        return total

    found = minimize(loss, np.zeros(features.shape[1]), method="BFGS", tol=1e-9)
    return found.x / scales


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_of_a_slow_optimisation(seed):
    candidates = random_candidates(seed, n_rows=60, n_features=3)
    np.testing.assert_allclose(
        fit_softmax(*candidates), slow_weights(*candidates), rtol=1e-3, atol=1e-9
    )


def test_gradient_is_that_of_the_loss():
    problem = _Problem.of(*random_candidates(0, n_rows=50, n_features=4))
    for seed in range(5):
        weights = np.random.default_rng(seed).normal(size=4)
        error = check_grad(
            lambda w: _loss(w, problem)[0], lambda w: _loss(w, problem)[1], weights
        )
        assert error < 1e-4


def test_true_weights_are_found():
    weights = np.array([1.5, -0.5, 0.0])
    generator = np.random.default_rng(0)
    offsets = np.arange(0, 40_001, 10)
    features = generator.normal(size=(40_000, 3))
    is_positive = drawn_by(weights, features, offsets, 1)
    found = fit_softmax(features, is_positive, offsets)
    np.testing.assert_allclose(found, weights, atol=0.1)


def test_weights_are_those_of_the_features_as_given():
    features, is_positive, offsets = random_candidates(2, n_rows=80, n_features=3)
    weights = fit_softmax(features, is_positive, offsets)
    scales, shifts = np.array([1e-4, 1.0, 1e5]), np.array([5.0, 0.0, -1e6])
    scaled = fit_softmax(features * scales + shifts, is_positive, offsets)
    np.testing.assert_allclose(scaled * scales, weights, rtol=1e-4, atol=1e-9)


def test_feature_that_is_constant_in_rows_has_no_weight():
    features, is_positive, offsets = random_candidates(3, n_rows=60, n_features=2)
    of_row = np.repeat(np.random.default_rng(0).random(60), np.diff(offsets))
    constant = np.column_stack([features, of_row, np.full(len(features), 0.1)])
    weights = fit_softmax(constant, is_positive, offsets)
    np.testing.assert_allclose(
        weights[:2], fit_softmax(features, is_positive, offsets), rtol=1e-5
    )
    assert weights[2:].tolist() == [0, 0]


def test_rows_without_positives_do_not_count():
    features, is_positive, offsets = random_candidates(4, n_rows=50, n_features=3)
    weights = fit_softmax(features, is_positive, offsets)
    more = np.concatenate([features, 1e6 + features[:7]])
    with_more = fit_softmax(
        more,
        np.concatenate([is_positive, np.zeros(7, dtype=bool)]),
        np.concatenate([[0, 0], offsets[1:], [len(more), len(more), len(more)]]),
    )
    assert with_more.tolist() == weights.tolist()


@pytest.mark.parametrize("offsets", [[0], [0, 0], [0, 0, 3], [0, 3, 3]])
def test_without_a_positive_all_weights_are_0(offsets):
    n_candidates = offsets[-1]
    features = np.random.default_rng(0).random((n_candidates, 2))
    none = np.zeros(n_candidates, dtype=bool)
    assert fit_softmax(features, none, np.array(offsets)).tolist() == [0, 0]


@pytest.mark.parametrize("offsets", [[0, 1, 2, 3], [0, 3]])
def test_rows_without_a_choice_give_no_weight(offsets):
    features = np.random.default_rng(0).random((3, 2))
    every = np.ones(3, dtype=bool)
    weights = fit_softmax(features, every, np.array(offsets))
    np.testing.assert_allclose(weights, 0, atol=1e-6)


def test_separable_rows_have_finite_weights():
    features = np.tile([[1.0], [0.0]], (200, 1))
    is_positive = features[:, 0] == 1
    (weight,) = fit_softmax(features, is_positive, np.arange(0, 401, 2))
    assert 5 < weight < 20


def test_arguments_are_not_changed():
    candidates = random_candidates(5, n_rows=20, n_features=2)
    copies = [one.copy() for one in candidates]
    for one in candidates:
        one.flags.writeable = False
    fit_softmax(*candidates)
    for one, copy in zip(candidates, copies, strict=True):
        np.testing.assert_array_equal(one, copy)


def test_log_softmax_of_rows():
    scores = np.array([1.0, 2.0, 1000.0, 0.0, -1000.0])
    logs = log_softmax(scores, np.array([0, 0, 2, 2, 5, 5]))
    odds = np.exp([1.0, 2.0])
    np.testing.assert_allclose(logs[:2], np.log(odds / odds.sum()))
    np.testing.assert_allclose(logs[2:], [0, -1000, -2000])
    assert log_softmax(np.zeros(0), np.array([0, 0])).tolist() == []


def test_weights_have_lower_bounds():
    random = np.random.default_rng(0)
    features = random.normal(size=(4000, 3))
    features[:, 2] = 1.0
    offsets = np.arange(0, 4001, 10)
    best = (features[:, 0] - features[:, 1]).reshape(-1, 10).argmax(axis=1)
    is_positive = np.zeros(4000, dtype=bool)
    is_positive[offsets[:-1] + best] = True
    free = fit_softmax(features, is_positive, offsets)
    assert free[0] > 1
    assert free[1] < -1
    assert free[2] == 0
    lowest = np.array([-np.inf, -0.5, 3.0])
    bounded = fit_softmax(features, is_positive, offsets, lowest)
    assert bounded[0] > 1
    np.testing.assert_allclose(bounded[1:], [-0.5, 3.0])
    none = fit_softmax(features, ~np.ones(4000, dtype=bool), offsets, lowest)
    np.testing.assert_array_equal(none, [0, 0, 3])
