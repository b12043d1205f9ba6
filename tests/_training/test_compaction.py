from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skxmr._cython._workspace import Workspace
from twins import compress, objective, random_sparse, train_level, weights_to_dense

from skxmr._training import _compaction
from skxmr._training._compaction import make_compactor
from skxmr._training._solver import SolverParameters
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed

pytestmark = pytest.mark.kernels


class Compacted(NamedTuple):
    """What a compactor tells of some rows."""

    offsets: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    unshared: np.ndarray
    norms: np.ndarray
    n_columns: int
    features: np.ndarray
    sources: np.ndarray
    scales: np.ndarray


def compactor_of(X):
    return make_compactor(
        X, Workspace(np.empty), n_rows=X.n_vectors, n_entries=int(X.offsets[-1])
    )


def compact(X, rows, *, fit_intercept=False, compactor=None):
    compactor = compactor or compactor_of(X)
    compactor.compact(np.asarray(rows, dtype=np.int32), fit_intercept)
    n_rows, n_features = compactor.n_rows, compactor.n_features
    n_entries = compactor.offsets[n_rows]
    return Compacted(
        np.array(compactor.offsets[: n_rows + 1]),
        np.array(compactor.columns[:n_entries]),
        np.array(compactor.values[:n_entries]),
        np.array(compactor.unshared[:n_rows]),
        np.array(compactor.norms[:n_rows]),
        compactor.n_columns,
        np.array(compactor.features[:n_features]),
        np.array(compactor.sources[:n_features]),
        np.array(compactor.scales[:n_features]),
    )


def columns_to_dense(compacted):
    """The rows by their columns, of shape (n_rows, n_columns)."""
    n_rows = len(compacted.unshared)
    dense = np.zeros((n_rows, compacted.n_columns))
    rows = np.repeat(np.arange(n_rows), np.diff(compacted.offsets))
    dense[rows, compacted.columns] = compacted.values
    return dense


def features_of_duals(compacted, duals, n_features):
    """Weights of all features where `duals` are those of the rows."""
    by_column = columns_to_dense(compacted).T @ duals
    weights = np.zeros(n_features)
    for feature, source, scale in zip(
        compacted.features, compacted.sources, compacted.scales, strict=True
    ):
        model = by_column[source] if source >= 0 else duals[-1 - source]
        weights[feature] = scale * model
    return weights


def nasty_matrix(rng):
    """Features of one row, in fixed ratios, nearly so, empty, equal and opposite."""
    X = random_sparse(rng, (12, 9), density=rng.uniform(0.05, 0.6)).toarray()
    near = X[:, [3]] * (1 + 1e-3 * rng.random((12, 1)))
    return np.hstack([X, 2.5 * X[:, [1, 4]], -X[:, [2]], X[:, [5]], near]).astype("f4")


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_compact_rows_say_the_same(seed, fit_intercept):
    rng = np.random.default_rng(seed)
    X = nasty_matrix(rng)
    rows = np.flatnonzero(rng.random(len(X)) < 0.8)
    compacted = compact(compress(X), rows, fit_intercept=fit_intercept)
    some = X[rows].astype(float)

    # What a sweep reads of the rows is their products, and nothing else.
    products = columns_to_dense(compacted)
    products = products @ products.T + np.diag(compacted.unshared)
    np.testing.assert_allclose(products, some @ some.T, rtol=1e-5, atol=1e-6)
    norms = (some**2).sum(axis=1) + fit_intercept
    np.testing.assert_allclose(compacted.norms, norms, rtol=1e-6)
    duals = rng.normal(size=len(rows))
    weights = features_of_duals(compacted, duals, X.shape[1])
    np.testing.assert_allclose(weights, some.T @ duals, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        compacted.features, np.flatnonzero((some != 0).any(axis=0))
    )


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_one_parent_after_another_in_the_same_memory(seed):
    rng = np.random.default_rng(seed)
    X = compress(nasty_matrix(rng))
    compactor = compactor_of(X)
    for _ in range(4):
        rows = np.flatnonzero(rng.random(12) < rng.random())
        again = compact(X, rows, compactor=compactor)
        for found, expected in zip(again, compact(X, rows), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_features_in_a_fixed_ratio_share_a_column():
    x = np.array([[1], [2], [0], [4]])
    X = np.hstack([x, 3 * x, -x, x**2, x + 1, 2 * (x + 1)])
    compacted = compact(compress(X), np.arange(4))
    assert compacted.n_columns == 3
    assert compacted.sources.tolist() == [0, 0, 0, 1, 2, 2]
    np.testing.assert_allclose(
        columns_to_dense(compacted)[:, 0], x[:, 0] * np.sqrt(11), rtol=1e-6
    )


def test_features_of_one_row_take_no_column():
    X = np.array([[1, 2, 3, 0], [1, 0, 0, 4], [1, 0, 0, 0]])
    compacted = compact(compress(X), np.arange(3))
    assert compacted.n_columns == 1
    assert compacted.unshared.tolist() == [13, 16, 0]
    assert compacted.columns.tolist() == [0, 0, 0]


def test_stored_zeros_have_no_ratio():
    X = compress(np.ones((3, 3)))
    X.values[:] = [0, 0, 0, 1, 2, 5, 1, 3, 7]
    compacted = compact(X, np.arange(3))
    assert compacted.n_columns == 3
    expected = np.array([[0, 0, 0], [1, 2, 5], [1, 3, 7.0]])
    np.testing.assert_array_equal(columns_to_dense(compacted), expected)


@pytest.mark.parametrize("rows", [[], [2]])
def test_few_rows(rows):
    X = np.array([[1, 2], [1, 0], [0, 0]])
    compacted = compact(compress(X), rows)
    assert compacted.n_columns == len(compacted.features) == 0
    assert len(compacted.unshared) == len(rows)


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_models_of_compacted_rows_are_those_of_the_rows(loss, fit_intercept):
    rng = np.random.default_rng(3)
    X = np.vstack([nasty_matrix(rng) for _ in range(3)])
    Y = (rng.random((len(X), 3)) < 0.4).astype(np.float32)
    rows = Compressed(
        np.array([0, len(X)]),
        np.arange(len(X), dtype=np.int32),
        np.ones(len(X), dtype=np.float32),
        len(X),
    )
    children = compress(Y.T)
    targets = LevelTargets(np.array([0, 3]), rows, children)
    problem = SolverParameters(
        loss, 1.0, 1.0, float(fit_intercept), 1e-5, 10_000, 0.0, 7
    )
    result = train_level(compress(X), targets, problem)
    W = weights_to_dense(result.weights, targets.child_offsets, X.shape[1])
    for child in range(3):
        y, b = 2 * Y[:, child] - 1, result.weights.intercepts[child]

        def value(change, child=child, y=y, b=b):
            return objective(W[:, child] + change, b, X, y, np.ones(len(X)), loss)

        # The weights that belong to the features, not just some with their margins.
        for _ in range(20):
            change = 1e-3 * rng.normal(size=X.shape[1])
            assert value(change) > value(0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 63, 64, 65, 5000, 20_000]))
def test_features_stand_in_order_wherever_they_are(seed, n_features):
    rng = np.random.default_rng(seed)
    X = nasty_matrix(rng)
    places = rng.integers(n_features, size=X.shape[1])
    wide = np.zeros((len(X), n_features), dtype=np.float32)
    wide[:, places] = X
    compacted = compact(compress(wide), np.arange(len(X)))
    np.testing.assert_array_equal(compacted.features, np.flatnonzero(wide.any(axis=0)))
    duals = rng.normal(size=len(X))
    np.testing.assert_allclose(
        features_of_duals(compacted, duals, n_features),
        wide.T.astype(float) @ duals,
        rtol=1e-4,
        atol=1e-5,
    )


# The ends of float32's range


@pytest.mark.parametrize("scale", [1e-25, 1e-30])
def test_tiny_values_in_no_fixed_ratio_share_no_column(scale):
    X = compress(np.array([[1.0, 2.0], [1.0, 5.0], [1.0, 7.0]]) * scale)
    assert compact(X, [0, 1, 2]).n_columns == 2


@pytest.mark.parametrize("values", [(1e-30, 1e15), (1e15, 1e-30), (1e-38, 1e5)])
def test_values_far_apart_share_no_column(values):
    """Or else scales, or values divided by them, would be 0 or infinite."""
    X = compress(np.array([values, values, values]))
    compacted = compact(X, [0, 1, 2])
    assert compacted.n_columns == 2
    np.testing.assert_array_equal(compacted.scales, 1)
    np.testing.assert_array_equal(
        columns_to_dense(compacted), np.array([values] * 3, np.float32)
    )


def test_compaction_ends_early_when_nobody_waits(monkeypatch):
    entries = 1 << 23
    X = Compressed(
        np.array([0, entries // 2, entries]),
        np.tile(np.arange(entries // 2, dtype=np.int32), 2),
        np.ones(entries, dtype=np.float32),
        entries // 2,
    )
    monkeypatch.setattr(_compaction, "current_stop", lambda: np.ones(1, np.uint8))
    compactor = compactor_of(X)
    with pytest.raises(RuntimeError, match="task was cancelled"):
        compactor.compact(np.array([0, 1], dtype=np.int32), False)
    assert compactor.n_columns == 0
