import itertools
import pickle

import joblib
import numpy as np
import pytest
from guarded import Guarded
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC
from skxmr._cython._placing import WeightsWriter
from skxmr._cython._solver import N_LANES
from skxmr._cython._workspace import Workspace
from training_problems import make_problem, one_parent, random_data
from twins import (
    compress,
    objective,
    random_sparse,
    train_level,
    weights_to_dense,
)

from skxmr._memory._growing import GrowingArray
from skxmr._memory._scratch import WorkspacePool
from skxmr._search._weights import LinearWeights
from skxmr._training import _items, _tasks
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

pytestmark = pytest.mark.kernels

LOSSES = ["squared_hinge", "hinge", "log_loss"]


def train_dense(X, Y, problem, **arguments):
    targets = one_parent(Y, **arguments)
    result = train_level(compress(X), targets, problem)
    W = weights_to_dense(result.weights, targets.child_offsets, X.shape[1])
    return W, result.weights.intercepts, result


def liblinear(X, y, loss, C, *, fit_intercept, sample_weight=None):
    if loss == "log_loss":
        model = LogisticRegression(
            solver="liblinear",
            C=C,
            tol=1e-10,
            max_iter=100_000,
            fit_intercept=fit_intercept,
        )
    else:
        model = LinearSVC(
            loss=loss,
            C=C,
            tol=1e-7,
            max_iter=1_000_000,
            dual=True,
            fit_intercept=fit_intercept,
            random_state=0,
        )
    model.fit(X, y > 0, sample_weight=sample_weight)
    return model.coef_[0], float(np.ravel(model.intercept_)[0])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [0.05, 1.0, 20.0])
def test_objective_equals_that_of_liblinear(loss, fit_intercept, C):
    X, Y = random_data(seed=1)
    problem = make_problem(
        loss, positive_cost=C, negative_cost=C, bias=float(fit_intercept)
    )
    W, intercepts, result = train_dense(X, Y, problem)
    assert result.n_unconverged == 0
    for child in range(Y.shape[1]):
        y = 2 * Y[:, child] - 1
        w, b = liblinear(X, y, loss, C, fit_intercept=fit_intercept)
        costs = np.full(len(X), C)
        expected = objective(w, b, X, y, costs, loss)
        found = objective(W[:, child], intercepts[child], X, y, costs, loss)
        assert found == pytest.approx(expected, rel=1e-3)
        assert fit_intercept or intercepts[child] == 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("load", [load_breast_cancer, load_digits])
def test_objective_on_real_data(loss, load):
    X, y = load(return_X_y=True)
    X = normalize(X)
    Y = (y[:, None] == np.unique(y)).astype(np.float32)
    W, intercepts, _ = train_dense(X, Y, make_problem(loss))
    signs = 2 * Y[:, 0] - 1
    w, b = liblinear(X, signs, loss, 1.0, fit_intercept=True)
    costs = np.ones(len(X))
    expected = objective(w, b, X, signs, costs, loss)
    found = objective(W[:, 0], intercepts[0], X, signs, costs, loss)
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_costs_of_sides_and_relevance(loss):
    X, Y = random_data(seed=2)
    rng = np.random.default_rng(0)
    relevance = np.where(Y > 0, rng.uniform(0.1, 4.0, size=Y.shape), 0)
    problem = make_problem(loss, positive_cost=3.0, negative_cost=0.5)
    W, intercepts, _ = train_dense(X, relevance.astype(np.float32), problem)
    for child in range(Y.shape[1]):
        y = 2 * Y[:, child] - 1
        costs = np.where(y > 0, 3.0 * relevance[:, child], 0.5)
        w, b = liblinear(X, y, loss, 1.0, fit_intercept=True, sample_weight=costs)
        expected = objective(w, b, X, y, costs, loss)
        found = objective(W[:, child], intercepts[child], X, y, costs, loss)
        assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_left_out_are_no_negatives(loss):
    X, Y = random_data(seed=3)
    sampled = np.arange(len(X)) % 3 > 0
    W, intercepts, _ = train_dense(X, Y, make_problem(loss), sampled=sampled)
    for child in range(Y.shape[1]):
        used = sampled | (Y[:, child] > 0)
        expected_W, expected_intercepts, _ = train_dense(
            X[used], Y[used][:, [child]], make_problem(loss)
        )
        np.testing.assert_allclose(W[:, child], expected_W[:, 0], atol=2e-3)
        assert intercepts[child] == pytest.approx(expected_intercepts[0], abs=2e-3)


# The twin: one child after another, one row after another.


class SplitMix:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def shuffle(self, order):
        for i in range(len(order) - 1, 0, -1):
            j = ((self.next() >> 32) * (i + 1)) >> 32
            order[i], order[j] = order[j], order[i]


def train_one_twin(X, y, problem):
    X = np.column_stack([X, np.full(len(X), problem.bias)])
    w = np.zeros(X.shape[1])
    duals = np.zeros(len(X))
    costs = np.where(y > 0, problem.positive_cost, problem.negative_cost)
    diagonal = np.zeros(len(X)) if problem.loss == "hinge" else 0.5 / costs
    bounds = costs if problem.loss == "hinge" else np.full(len(X), np.inf)
    order, random = list(range(len(X))), SplitMix(SplitMix(problem.seed).next())
    sweep, gains = 0, []
    while sweep < problem.max_iter:
        sweep += 1
        random.shuffle(order)
        violations, gain = [], 0.0
        for i in order:
            gradient = y[i] * (X[i] @ w) - 1 + diagonal[i] * duals[i]
            at_low, at_high = duals[i] <= 0, duals[i] >= bounds[i]
            lowest = 0 if at_high else -np.inf
            highest = 0 if at_low else np.inf
            violations.append(min(max(gradient, lowest), highest))
            curvature = max(X[i] @ X[i] + diagonal[i], 1e-12)
            dual = min(max(duals[i] - gradient / curvature, 0), bounds[i])
            gain += curvature * (dual - duals[i]) ** 2
            w += (dual - duals[i]) * y[i] * X[i]
            duals[i] = dual
        gains.append(gain)
        if max(0, *violations) - min(0, *violations) <= problem.tol:
            return w[:-1], w[-1], sweep, "violations"
        if gain <= (problem.tol / 2) ** 2 * sum(gains):
            return w[:-1], w[-1], sweep, "objective"
    return w[:-1], w[-1], sweep, "limit"


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["squared_hinge", "hinge"]),
    st.booleans(),
    st.integers(1, 6),
)
def test_descent_agrees_with_its_twin(seed, loss, fit_intercept, max_iter):
    X, Y = random_data(seed, n_rows=15, n_features=8, n_children=3)
    problem = make_problem(loss, bias=float(fit_intercept), max_iter=max_iter, tol=1e-9)
    W, intercepts, _ = train_dense(X, Y, problem)
    for child in range(Y.shape[1]):
        w, b, *_ = train_one_twin(X.astype(float), 2 * Y[:, child] - 1, problem)
        np.testing.assert_allclose(W[:, child], w, atol=1e-4)
        assert intercepts[child] == pytest.approx(b, abs=1e-4)


@pytest.mark.parametrize(
    ("n_rows", "tol", "end"), [(80, 0.1, "objective"), (5, 0.03, "violations")]
)
def test_sweeps_end_at_the_tolerance(n_rows, tol, end):
    X, Y = random_data(seed=4, n_rows=n_rows, n_children=1)
    loose = make_problem(tol=tol)
    _, _, result = train_dense(X, Y, loose)
    *_, sweeps, ended_by = train_one_twin(X.astype(float), 2 * Y[:, 0] - 1, loose)
    assert ended_by == end
    assert result.n_iter == sweeps < 100


def test_unconverged_nodes_are_counted():
    X, Y = random_data(seed=4, n_children=3)
    _, _, result = train_dense(X, Y, make_problem(max_iter=1, tol=1e-8))
    assert (result.n_iter, result.n_trained, result.n_unconverged) == (1, 3, 3)


# Constant nodes


def test_nodes_with_nothing_to_learn():
    X, Y = random_data(seed=6, n_children=4)
    Y[:, 1], Y[:, 2] = 0, 1
    W, intercepts, result = train_dense(X, Y, make_problem())
    assert np.isneginf(intercepts[1])
    assert np.isposinf(intercepts[2])
    assert not W[:, 1:3].any()
    assert np.isfinite(intercepts[[0, 3]]).all()
    assert result.n_trained == 2


def test_single_children_cost_nothing():
    n_nodes = 5
    eye = Compressed.from_sparse(sparse.csc_array(np.eye(n_nodes, dtype=np.float32)))
    targets = LevelTargets(np.arange(n_nodes + 1), eye, eye)
    result = train_level(compress(np.eye(n_nodes)), targets, make_problem())
    assert (result.n_iter, result.n_trained) == (0, 0)
    assert result.weights.n_weights == 0
    assert np.isposinf(result.weights.intercepts).all()


def test_empty_rows_and_no_intercept():
    X, Y = np.zeros((4, 3)), np.array([[1, 0], [0, 1], [1, 0], [0, 1.0]])
    for loss in LOSSES:
        W, intercepts, _ = train_dense(X, Y, make_problem(loss, bias=0.0, max_iter=50))
        assert not W.any()
        assert not intercepts.any()


# Independence of how the work is cut


def random_level(seed):
    """Several parents, of which the first has several blocks of children."""
    rng = np.random.default_rng(seed)
    child_offsets = np.array([0, 2 * N_LANES + 3, 2 * N_LANES + 4, 3 * N_LANES])
    X = random_sparse(rng, (200, 50), density=0.1)
    Y = rng.random((200, child_offsets[-1])) < 0.08
    parents = np.stack(
        [Y[:, a:b].any(axis=1) for a, b in itertools.pairwise(child_offsets)],
        axis=1,
    )
    targets = LevelTargets(
        child_offsets,
        Compressed.from_sparse(sparse.csc_array(parents.astype(np.float32))),
        Compressed.from_sparse(sparse.csc_array(Y.astype(np.float32))),
    )
    return compress(X), targets


def assert_same_weights(one, other):
    for name, array in vars(one).items():
        np.testing.assert_array_equal(array, getattr(other, name), strict=True)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("task_work", [1, 3000, 10**9])
@pytest.mark.parametrize("unit", ["relative", "absolute"])
def test_weights_do_not_depend_on_how_work_is_cut(monkeypatch, loss, task_work, unit):
    X, targets = random_level(seed=7)
    problem = make_problem(loss, tol=0.1, weight_floor=0.05, floor_unit=unit)
    expected = train_level(X, targets, problem)
    monkeypatch.setattr(_items, "_TASK_WORK", task_work)
    found = train_level(X, targets, problem)
    assert_same_weights(found.weights, expected.weights)
    assert found.n_iter == expected.n_iter


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_weights_do_not_depend_on_the_backend(monkeypatch, backend):
    monkeypatch.setattr(_items, "_TASK_WORK", 3000)
    X, targets = random_level(seed=8)
    problem = make_problem(tol=0.1)
    expected = train_level(X, targets, problem)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = train_level(X, targets, problem)
    assert_same_weights(found.weights, expected.weights)


def test_a_detached_task_carries_only_its_rows():
    X, targets = random_level(seed=9)
    items = _items.list_items(X, targets).between(1, 2)
    one = targets.between(*(items.parents[0] + [0, 1]))
    assert 0 < len(one.rows.indices) < X.n_vectors
    task = _tasks.make_task(X, targets, items, make_problem(), X.length)
    detached, pool = pickle.loads(pickle.dumps((task.detached(), WorkspacePool())))
    assert detached.X.n_vectors == len(one.rows.indices)
    assert_same_weights(
        _tasks.train_task(detached, pool).weights,
        _tasks.train_task(task, pool).weights,
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_weights_do_not_depend_on_the_instructions(monkeypatch, loss, floor):
    X, targets = random_level(seed=14)
    problem = make_problem(loss, tol=0.01, weight_floor=floor, floor_unit="relative")
    expected = train_level(X, targets, problem)
    for n_levels in range(1, len(_tasks.SIMD_LEVELS) + 1):
        monkeypatch.setattr(_tasks, "SIMD_LEVELS", _tasks.SIMD_LEVELS[:n_levels])
        found = train_level(X, targets, problem)
        assert_same_weights(found.weights, expected.weights)
        assert found.n_iter == expected.n_iter
        monkeypatch.undo()


def test_a_lane_does_not_depend_on_its_neighbours():
    X, Y = random_data(seed=10, n_children=N_LANES + 2)
    problem = make_problem(tol=0.1)
    W, intercepts, _ = train_dense(X, Y, problem)
    for child in (0, N_LANES - 1, N_LANES + 1):
        alone, intercept, _ = train_dense(X, Y[:, [child]], problem)
        np.testing.assert_array_equal(W[:, child], alone[:, 0])
        assert intercepts[child] == intercept[0]


# Storage


@pytest.mark.parametrize(
    ("unit", "unit_weight"),
    [("absolute", np.inf), ("relative", np.inf), ("relative", 0.5)],
)
def test_weights_below_the_floor_are_dropped(unit, unit_weight):
    X, Y = random_data(seed=11, n_children=N_LANES + 1)
    full, _, _ = train_dense(X, Y, make_problem(tol=0.1))
    problem = make_problem(
        tol=0.1, weight_floor=0.2, floor_unit=unit, unit_weight=unit_weight
    )
    floored, _, result = train_dense(X, Y, problem)
    largest = np.abs(full).max(axis=0) if unit == "relative" else np.float32(1)
    largest = np.minimum(largest, np.float32(unit_weight))
    floors = np.float32(0.2) * largest
    np.testing.assert_array_equal(floored, np.where(np.abs(full) >= floors, full, 0))
    assert np.count_nonzero(floored) < np.count_nonzero(full)
    weights = result.weights
    assert weights.n_weights == np.count_nonzero(floored)
    assert (np.diff(weights.run_offsets) > 0).all()
    assert (np.diff(weights.features) > 0).all()
    assert weights.features.dtype == weights.children.dtype == np.int32
    assert weights.posting_offsets.dtype == weights.run_offsets.dtype == np.int64
    assert weights.weights.dtype == weights.intercepts.dtype == np.float32


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([4, 8, 16, 32]),
    st.sampled_from([0, 0.3, 1]),
    st.booleans(),
    st.integers(0, len(_tasks.SIMD_LEVELS) - 1),
)
def test_kept_weights_stand_by_feature(seed, lanes, floor, is_relative, level):
    rng = np.random.default_rng(seed)
    writer = WeightsWriter(
        GrowingArray, floor=floor, is_relative=is_relative, simd_level=level
    )
    rows = []
    # Two parents, whose weights follow each other.
    for _ in range(2):
        n_features, n_columns, n_rows = rng.integers(0, 30), 5, 4
        n_blocks, first_child = rng.integers(1, 4), rng.integers(9)
        both = rng.normal(size=(n_blocks, n_columns + n_rows, lanes))
        both = (both * (rng.random(both.shape) < rng.choice([0.01, 0.3, 1]))).astype(
            "f4"
        )
        weights, duals = (
            both[:, :n_columns].copy(),
            both[:, : n_columns - 1 : -1].copy(),
        )
        sources = rng.integers(-n_rows, n_columns, size=n_features, dtype=np.int32)
        scales = rng.normal(size=n_features).astype(np.float32)
        features = np.sort(rng.choice(99, n_features, replace=False)).astype(np.int32)
        # The last lanes are padding, whatever they hold.
        n_children = rng.integers((n_blocks - 1) * lanes, n_blocks * lanes) + 1
        writer.add(
            weights,
            duals,
            features=features,
            sources=sources,
            scales=scales,
            first_child=first_child,
            n_children=n_children,
        )
        # Row -1 - r of both together is row r of the duals.
        W = both[:, sources].transpose(1, 0, 2).reshape(n_features, n_blocks * lanes)
        W *= scales[:, None]
        W[:, n_children:] = 0
        floors = np.full(W.shape[1], np.float32(floor))
        if is_relative:
            floors *= np.abs(W).max(axis=0, initial=0)
        for feature, kept in zip(features, W, strict=True):
            (children,) = np.nonzero((np.abs(kept) >= floors) & (kept != 0))
            if len(children):
                rows.append((feature, children + first_child, kept[children]))
    assert writer.n_runs == len(rows)
    assert writer.n_weights == sum(len(children) for _, children, _ in rows)
    found_features, offsets, found_children, found = writer.finish()
    assert len(offsets) == len(rows) + 1
    for run, (feature, children, kept) in enumerate(rows):
        mine = slice(offsets[run], offsets[run + 1])
        assert found_features[run] == feature
        np.testing.assert_array_equal(found_children[mine], children)
        np.testing.assert_array_equal(found[mine], kept)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(1, 70)), min_size=1, max_size=40
    ),
    st.sampled_from([1.0, 0.2]),
    st.integers(0, len(_tasks.SIMD_LEVELS) - 1),
)
def test_room_grows_for_parent_after_parent(parents, share, level):
    """Each array grows by its own length; none is written beyond its end."""
    Guarded.behind.clear()
    rng = np.random.default_rng(len(parents))
    writer = WeightsWriter(Guarded, simd_level=level)
    rows = []
    for n_features, n_children in parents:
        n_blocks = -(-n_children // 32)
        weights = rng.random((n_blocks, n_features, 32), dtype=np.float32) + 1
        weights[rng.random(weights.shape) > share] = 0
        writer.add(
            weights,
            np.zeros((n_blocks, 1, 32), np.float32),
            features=np.arange(n_features, dtype=np.int32),
            sources=np.arange(n_features, dtype=np.int32),
            scales=np.ones(n_features, np.float32),
            first_child=0,
            n_children=n_children,
        )
        wide = weights.transpose(1, 0, 2).reshape(n_features, -1)[:, :n_children]
        rows += [(i, row) for i, row in enumerate(wide) if row.any()]
    features, offsets, children, found = writer.finish()
    Guarded.check()
    assert features.tolist() == [feature for feature, _ in rows]
    lengths = [np.count_nonzero(row) for _, row in rows]
    np.testing.assert_array_equal(offsets, np.cumsum([0, *lengths]))
    expected = [np.flatnonzero(row) for _, row in rows]
    np.testing.assert_array_equal(children, np.concatenate([*expected, []]))
    values = [row[row != 0] for _, row in rows]
    np.testing.assert_array_equal(found, np.concatenate([*values, []]))


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(2, 60), st.integers(1, 70)), min_size=1, max_size=6),
    st.booleans(),
    st.sampled_from([0.0, 1.0]),
)
def test_memory_is_laid_out_for_the_largest_parent(seed, sizes, is_dense, prior_length):
    """Whatever the order of parents: nothing grows later, or is written behind it."""
    rng = np.random.default_rng(seed)
    n_features = int(rng.integers(1, 40))
    X = rng.normal(size=(60, n_features)) * (rng.random((60, n_features)) < 0.5)
    X = X.astype(np.float32)
    child_offsets = np.cumsum([0] + [n_children for _, n_children in sizes])
    rows, children = np.zeros((60, len(sizes))), np.zeros((60, child_offsets[-1]))
    for parent, (n_rows, n_children) in enumerate(sizes):
        mine = rng.choice(60, n_rows, replace=False)
        rows[mine, parent] = 1
        some = rng.random((n_rows, n_children)) < 0.3
        children[mine, child_offsets[parent] : child_offsets[parent + 1]] = some
    targets = LevelTargets(
        child_offsets,
        Compressed.from_sparse(sparse.csc_array(rows)),
        Compressed.from_sparse(sparse.csc_array(children)),
    )
    X = DenseRows(X) if is_dense else compress(X)
    solver = make_problem(tol=0.1, max_iter=5, prior_length=prior_length)
    (items,) = _items.group_items(_items.list_items(X, targets)) or [None]
    if items is None:
        return
    guarded, sizes_taken = [], []

    def allocate(n_items, dtype):
        memory = np.full(n_items + 4096, 77, dtype=dtype)
        guarded.append(memory[n_items:])
        sizes_taken.append(n_items)
        return memory[:n_items]

    task = _tasks.make_task(X, targets, items, solver, n_features)
    trained = _tasks._train(task, Workspace(allocate))
    assert all((behind == 77).all() for behind in guarded)
    # Rows, blocks with and without margins, and what prepares rows; the tables.
    assert len(sizes_taken) <= (3 if is_dense else 4 + 3)
    intercepts = []
    for i in range(len(items.parents)):
        alone = _tasks.make_task(X, targets, items.between(i, i + 1), solver, 99)
        found = _tasks._train(alone, Workspace(np.empty)).weights
        intercepts += found.intercepts.tolist()
        expected = trained.weights.between(i, i + 1)
        found.intercepts = expected.intercepts
        assert_same_weights(found, expected)
    assert intercepts == trained.weights.intercepts.tolist()


def test_parts_of_one_parent_merge():
    X, targets = random_level(seed=12)
    whole = train_level(X, targets.between(0, 1), make_problem(tol=0.1)).weights
    parts = []
    for start in range(0, len(whole.intercepts), 10):
        mine = (whole.children >= start) & (whole.children < start + 10)
        counts = np.add.reduceat(mine, whole.run_offsets[:-1])
        used = counts > 0
        parts.append(
            LinearWeights(
                np.array([0, used.sum()]),
                whole.features[used],
                np.concatenate([[0], np.cumsum(counts[used])]),
                whole.children[mine],
                whole.weights[mine],
                whole.intercepts[start : start + 10],
            )
        )
    assert_same_weights(LinearWeights.merge_siblings(parts), whole)


def test_read_only_input():
    X, targets = random_level(seed=13)
    arrays = [
        *X[:3],
        *targets.rows[:3],
        *targets.positives[:3],
        targets.child_offsets,
    ]
    for array in arrays:
        array.setflags(write=False)
    train_level(X, targets, make_problem(tol=0.1))
