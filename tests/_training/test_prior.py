"""Weights that start at a prior mean: what is minimised, and where it is."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.preprocessing import normalize
from training_problems import make_problem, one_parent, random_data, smooth_objective
from twins import compress, train_level, weights_to_dense

from skxmr._training import _tasks
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

LOSSES = ["squared_hinge", "hinge", "log_loss"]
KINDS = {
    "sparse": compress,
    "dense": lambda X: DenseRows(np.ascontiguousarray(X, dtype=np.float32)),
}


def prior_means(X, Y, length):
    return length * normalize(Y.T @ X)


def train(rows, targets, problem):
    result = train_level(rows, targets, problem)
    W = weights_to_dense(result.weights, targets.child_offsets, rows.length)
    return W.T, result.weights.intercepts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
@pytest.mark.parametrize("length", [0.5, 2.0])
def test_optimum_of_the_shifted_problem(kind, loss, length):
    X, Y = random_data(3, n_rows=60, n_features=40)
    problem = make_problem(
        loss, positive_cost=0.7, negative_cost=0.7, prior_length=length
    )
    W, intercepts = train(KINDS[kind](X), one_parent(Y), problem)
    for child, mean in enumerate(prior_means(X, Y, length)):
        signs = np.where(Y[:, child] > 0, 1, -1)
        arguments = (mean, X, signs, 0.7, loss)
        best = minimize(
            smooth_objective, np.zeros(41), arguments, jac=True, tol=1e-10
        ).fun
        found, _ = smooth_objective(
            np.append(W[child], intercepts[child]).astype(float), *arguments
        )
        assert best <= found + 1e-6 <= best * (1 + 1e-4) + 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_rows", [12, 400])
def test_without_costs_the_weights_are_the_prior_mean(kind, loss, n_rows):
    # Few rows: many features that one row alone has, and others in a fixed ratio.
    X, Y = random_data(5, n_rows=n_rows, n_features=60, n_children=37)
    X[:, 7] = 3 * X[:, 6]
    problem = make_problem(
        loss, positive_cost=1e-9, negative_cost=1e-9, max_iter=3, prior_length=1.5
    )
    W, _ = train(KINDS[kind](X), one_parent(Y), problem)
    np.testing.assert_allclose(W, prior_means(X, Y, 1.5), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_relevance_weighs_the_rows_of_the_mean(kind):
    X, Y = random_data(6, n_rows=50)
    Y *= np.random.default_rng(0).uniform(0.5, 4, Y.shape).astype(np.float32)
    problem = make_problem(positive_cost=1e-9, negative_cost=1e-9, prior_length=1.0)
    W, _ = train(KINDS[kind](X), one_parent(Y), problem)
    np.testing.assert_allclose(W, prior_means(X, Y, 1.0), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_nobody_trains_on_give_a_mean_to_labels_without_rows(kind):
    rng = np.random.default_rng(1)
    X, Y = random_data(2, n_rows=40, n_features=25, n_children=4)
    Y[:, 3] = 0
    own = rng.random((4, 25)).astype(np.float32)
    base = one_parent(np.vstack([Y, np.zeros((4, 4), dtype=np.float32)]))
    sampled = np.append(np.ones(40), np.zeros(4)).astype(np.float32)
    targets = LevelTargets(
        base.child_offsets,
        base.rows._replace(values=sampled),
        base.positives,
        Compressed(
            np.arange(5),
            np.arange(40, 44, dtype=np.int32),
            np.ones(4, dtype=np.float32),
            44,
        ),
    )
    problem = make_problem(positive_cost=1e-9, negative_cost=1e-9, prior_length=2.0)
    W, intercepts = train(KINDS[kind](np.vstack([X, own])), targets, problem)
    np.testing.assert_allclose(W, 2 * normalize(own), atol=1e-5)
    assert np.isfinite(intercepts).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_means_do_not_depend_on_neighbours_or_instructions(monkeypatch, loss):
    X, Y = random_data(8, n_rows=90, n_children=45)
    problem = make_problem(loss, tol=0.05, max_iter=30, prior_length=1.0)
    W, intercepts = train(compress(X), one_parent(Y), problem)
    alone, alone_intercepts = train(compress(X), one_parent(Y[:, 7:8]), problem)
    np.testing.assert_array_equal(alone[0], W[7])
    assert alone_intercepts[0] == intercepts[7]
    monkeypatch.setattr(_tasks, "SIMD_LEVELS", _tasks.SIMD_LEVELS[:1])
    baseline, _ = train(compress(X), one_parent(Y), problem)
    np.testing.assert_array_equal(baseline, W)


def test_children_with_nothing_to_learn_have_no_weights():
    X, Y = random_data(9)
    Y[:, 0] = 1
    Y[:, 1] = 0
    W, intercepts = train(compress(X), one_parent(Y), make_problem(prior_length=1.0))
    assert not W[:2].any()
    assert intercepts[:2].tolist() == [np.inf, -np.inf]
