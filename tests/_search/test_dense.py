"""Dense rows: in training and search, they give what the same rows give as CSR."""

import itertools
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from skxmr._cython._workspace import Workspace
from twins import (
    assert_found,
    compress,
    levels_from_dense,
    random_levels,
    random_tree,
    search_twin,
    train_level,
    weights_to_dense,
)

from skxmr import KMeansTree, LabelTree, XRLinearClassifier
from skxmr._inputs._features import validate_features
from skxmr._search import _beam_search as search_module
from skxmr._search._beam_search import beam_search, search_one
from skxmr._search._layout import SearchLayout
from skxmr._search._weights_by_node import NODE_WEIGHTS_VERSION, NodeWeights
from skxmr._training import _items, _tasks
from skxmr._training._solver import SolverParameters
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

pytestmark = pytest.mark.kernels

TRANSFORMS = ["sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"]
LOSSES = ["squared_hinge", "hinge", "log_loss"]
N_FEATURES = 7


def rows_of(X):
    return DenseRows(np.ascontiguousarray(X, dtype=np.float32))


def assert_same_arrays(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# Search


def lay_out(tree, levels, n_features=N_FEATURES):
    weights = levels_from_dense(tree, levels)
    return SearchLayout.from_levels(tree, weights, n_features, by_node=True)


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tree = random_tree(rng)
    levels = random_levels(
        tree, rng, draw(st.sampled_from([0.25, 1.0, 100.0])), N_FEATURES
    )
    X = rng.integers(-2, 3, size=(draw(st.integers(0, 20)), N_FEATURES))
    return tree, levels, X.astype(np.float32)


@settings(deadline=None, max_examples=150)
@given(problems(), st.integers(1, 40), st.integers(1, 12), st.sampled_from(TRANSFORMS))
def test_search_agrees_with_its_twin(problem, k, beam_width, transform):
    tree, levels, X = problem
    columns, scores = beam_search(
        rows_of(X),
        lay_out(tree, levels),
        k=k,
        beam_width=beam_width,
        score_transform=transform,
    )
    assert columns.shape == scores.shape == (len(X), k)
    for i, x in enumerate(X.astype(np.float64)):
        expected = search_twin(
            x, tree, levels, k=k, beam_width=beam_width, transform=transform
        )
        assert_found(columns[i], scores[i], expected)


def embeddings(n_rows, n_features, n_groups, n_labels, seed=0):
    """Two levels of pruned random weights, and random rows."""
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.choice(np.arange(1, n_labels), n_groups - 1, replace=False))
    tree = LabelTree(
        [[0, n_groups], np.concatenate([[0], ends, [n_labels]])],
        rng.permutation(n_labels),
    )
    levels = []
    for size in tree.level_sizes[1:]:
        W = rng.normal(size=(n_features, size)) / np.sqrt(n_features)
        W[np.abs(W) < 0.1] = 0
        levels.append((W.astype(np.float32), rng.normal(size=size).astype(np.float32)))
    return tree, levels, rng.normal(size=(n_rows, n_features)).astype(np.float32)


WIDE = {"k": 15, "beam_width": 6, "score_transform": "l3-hinge"}


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 90),
    st.integers(2, 20),
    st.sampled_from(TRANSFORMS),
)
def test_dense_and_compressed_rows_find_the_same_to_the_bit(
    seed, n_rows, n_features, n_groups, transform
):
    tree, levels, X = embeddings(n_rows, n_features, n_groups, 150, seed)
    layout = lay_out(tree, levels, n_features)
    arguments = WIDE | {"score_transform": transform}
    assert_same_arrays(
        beam_search(rows_of(X), layout, **arguments),
        beam_search(compress(X), layout, **arguments),
    )


def test_search_does_not_depend_on_the_instructions(monkeypatch):
    tree, levels, X = embeddings(50, 60, 8, 100)
    layout = lay_out(tree, levels, 60)
    expected = beam_search(rows_of(X), layout, **WIDE)
    for n_levels in range(1, len(search_module.SIMD_LEVELS) + 1):
        with monkeypatch.context() as patch:
            patch.setattr(
                search_module, "SIMD_LEVELS", search_module.SIMD_LEVELS[:n_levels]
            )
            assert_same_arrays(beam_search(rows_of(X), layout, **WIDE), expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("n_nodes", [1, 100, 10_000])
def test_search_does_not_depend_on_how_it_is_cut(monkeypatch, n_nodes, n_jobs):
    tree, levels, X = embeddings(300, 30, 8, 100)
    layout = lay_out(tree, levels, 30)
    expected = beam_search(rows_of(X), layout, **WIDE)
    monkeypatch.setattr(search_module, "_NODES_OF_A_BLOCK", n_nodes)
    monkeypatch.setattr(search_module, "_MIN_ROWS_OF_A_TASK", 16)
    found = beam_search(rows_of(X), layout, **WIDE, n_jobs=n_jobs)
    assert_same_arrays(found, expected)


def test_without_weights_by_node_rows_are_compressed():
    tree, levels, X = embeddings(10, 30, 8, 100)
    plain = SearchLayout.from_levels(tree, levels_from_dense(tree, levels), 30)
    assert plain.by_node is None
    assert_same_arrays(
        beam_search(rows_of(X), plain, **WIDE),
        beam_search(rows_of(X), lay_out(tree, levels, 30), **WIDE),
    )


def test_features_beyond_16_bits():
    n_features = 2**16 + 3
    used = np.array([0, 5, 2**16 - 1, 2**16, 2**16 + 2])
    tree, levels, X = embeddings(20, len(used), 4, 30)
    wide_levels = []
    for W, intercepts in levels:
        wide = np.zeros((n_features, W.shape[1]), dtype=np.float32)
        wide[used] = W
        wide_levels.append((wide, intercepts))
    wide_X = np.ones((20, n_features), dtype=np.float32)
    wide_X[:, used] = X
    layout = lay_out(tree, wide_levels, n_features)
    assert layout.by_node.features.dtype == np.int32
    narrow = lay_out(tree, levels, len(used))
    assert narrow.by_node.features.dtype == np.uint16
    assert_same_arrays(
        beam_search(rows_of(wide_X), layout, **WIDE),
        beam_search(rows_of(X), narrow, **WIDE),
    )


@pytest.mark.parametrize("beam_width", [1, 4, None])
def test_one_dense_row(beam_width):
    tree, levels, X = embeddings(5, 30, 8, 100)
    layout = lay_out(tree, levels, 30)
    arguments = WIDE | {"beam_width": beam_width}
    columns, scores = beam_search(compress(X), layout, **arguments)
    for i, x in enumerate(X):
        found = search_one(layout, None, x, **arguments, as_logs=True)
        assert_same_arrays(found, (columns[i], scores[i]))


@pytest.mark.parametrize("n_values", [0, 29, 31])
def test_a_row_of_another_length_is_refused(n_values):
    tree, levels, _ = embeddings(5, 30, 8, 100)
    row = np.ones(n_values, dtype=np.float32)
    with pytest.raises(ValueError, match=f"has {n_values} features; expected 30"):
        search_one(lay_out(tree, levels, 30), None, row, **WIDE)


@settings(deadline=None, max_examples=50)
@given(problems())
def test_weights_by_node_are_the_columns_of_the_weights(problem):
    tree, levels, _ = problem
    by_node = NodeWeights.from_levels(tree, levels_from_dense(tree, levels), N_FEATURES)
    W = np.hstack([W for W, _ in levels])
    expected = sparse.csc_array(W)
    np.testing.assert_array_equal(by_node.node_offsets, expected.indptr)
    np.testing.assert_array_equal(by_node.features, expected.indices)
    np.testing.assert_array_equal(by_node.weights, expected.data)


# Training


def random_level(seed, n_rows=150, n_features=25):
    """Several parents; some entries of X are 0, and one column is."""
    rng = np.random.default_rng(seed)
    child_offsets = np.array([0, 2 * _items.N_LANES + 3, 2 * _items.N_LANES + 9])
    X = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    X[rng.random(X.shape) < 0.2] = 0
    X[:, 3] = 0
    Y = rng.random((n_rows, child_offsets[-1])) < 0.1
    parents = np.stack(
        [Y[:, a:b].any(axis=1) for a, b in itertools.pairwise(child_offsets)], axis=1
    )
    targets = LevelTargets(
        child_offsets,
        Compressed.from_sparse(sparse.csc_array(parents.astype(np.float32))),
        Compressed.from_sparse(sparse.csc_array(Y.astype(np.float32))),
    )
    return X, targets


def make_problem(loss="squared_hinge", **changes):
    values = {
        "loss": loss,
        "positive_cost": 1.0,
        "negative_cost": 1.0,
        "bias": 1.0,
        "tol": 0.01,
        "max_iter": 200,
        "weight_floor": 0.0,
        "seed": 5,
    }
    return SolverParameters(**(values | changes))


def assert_same_results(one, other):
    assert_same_arrays(vars(one.weights).values(), vars(other.weights).values())
    assert (one.n_iter, one.n_trained, one.n_unconverged) == (
        other.n_iter,
        other.n_trained,
        other.n_unconverged,
    )


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(LOSSES),
    st.booleans(),
    st.integers(1, 40),
)
def test_dense_and_compressed_rows_train_the_same(
    seed, loss, fit_intercept, n_features
):
    X, targets = random_level(seed, n_rows=30, n_features=max(4, n_features))
    # Enough sweeps for differences of rounding to shrink, not grow.
    problem = make_problem(loss, bias=float(fit_intercept), max_iter=60, tol=1e-9)
    dense = train_level(rows_of(X), targets, problem)
    sparse_rows = train_level(compress(X), targets, problem)
    for weights, other in zip(
        (
            weights_to_dense(dense.weights, targets.child_offsets, X.shape[1]),
            dense.weights.intercepts,
        ),
        (
            weights_to_dense(sparse_rows.weights, targets.child_offsets, X.shape[1]),
            sparse_rows.weights.intercepts,
        ),
        strict=True,
    ):
        np.testing.assert_allclose(weights, other, atol=2e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_training_does_not_depend_on_the_instructions(monkeypatch, loss):
    X, targets = random_level(1)
    expected = train_level(rows_of(X), targets, make_problem(loss))
    for n_levels in range(1, len(_tasks.SIMD_LEVELS) + 1):
        with monkeypatch.context() as patch:
            patch.setattr(_tasks, "SIMD_LEVELS", _tasks.SIMD_LEVELS[:n_levels])
            found = train_level(rows_of(X), targets, make_problem(loss))
        assert_same_results(found, expected)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 40))
def test_products_of_rows(seed, n_rows, n_features):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, n_features)).astype(np.float32)
    rows = rng.integers(50, size=n_rows, dtype=np.int32)
    found = np.zeros((len(_tasks.SIMD_LEVELS), n_rows, n_rows), dtype=np.float32)
    for level, gram in enumerate(found):
        training_rows = _tasks.DenseTrainingRows(
            X, Workspace(np.empty), most_rows=n_rows, most_margins=n_rows
        )
        gram[:] = np.reshape(training_rows.multiply(rows, level), gram.shape)
    np.testing.assert_allclose(found[0], X[rows] @ X[rows].T, atol=1e-4)
    assert (found == found[0]).all()
    assert (found[0] == found[0].T).all()


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("n_features", [33, 64])
def test_products_of_rows_save_work_but_change_nothing(monkeypatch, loss, n_features):
    X, targets = random_level(6, n_rows=30, n_features=n_features)
    problem = make_problem(loss, max_iter=50, tol=1e-9)
    made = []

    def make(*arguments, **arrays):
        made.append(kernel(*arguments, **arrays))
        return made[-1]

    kernel = _tasks.DenseTrainingRows
    monkeypatch.setattr(_tasks, "DenseTrainingRows", make)
    multiplied = train_level(rows_of(X), targets, problem)
    assert sum(rows.n_multiplied for rows in made) == targets.rows.n_vectors
    for n_levels in range(1, len(_tasks.SIMD_LEVELS)):
        with monkeypatch.context() as patch:
            patch.setattr(_tasks, "SIMD_LEVELS", _tasks.SIMD_LEVELS[:n_levels])
            assert_same_results(train_level(rows_of(X), targets, problem), multiplied)
    made.clear()
    monkeypatch.setattr(_tasks, "_MOST_MULTIPLIED", 0)
    plain = train_level(rows_of(X), targets, problem)
    assert [rows.n_multiplied for rows in made] == [0]
    one, other = multiplied.weights, plain.weights
    np.testing.assert_allclose(one.intercepts, other.intercepts, atol=1e-4)
    np.testing.assert_allclose(
        weights_to_dense(one, targets.child_offsets, n_features),
        weights_to_dense(other, targets.child_offsets, n_features),
        atol=1e-4,
    )


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_training_does_not_depend_on_the_backend(monkeypatch, backend):
    monkeypatch.setattr(_items, "_TASK_WORK", 3000)
    X, targets = random_level(2)
    expected = train_level(rows_of(X), targets, make_problem())
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = train_level(rows_of(X), targets, make_problem())
    assert_same_results(found, expected)


def test_training_reads_the_array_as_it_is():
    X, targets = random_level(3, n_rows=4000, n_features=400)
    rows = rows_of(X)
    rows.values.setflags(write=False)
    targets = LevelTargets(
        np.array([0, 1]),
        targets.rows.between(0, 1),
        targets.positives.between(0, 1),
    )
    problem = make_problem(max_iter=2)
    tracemalloc.start()
    train_level(rows, targets, problem)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 4


def test_no_features_at_all():
    X, targets = random_level(4)
    nothing = rows_of(X[:, :0])
    result = train_level(nothing, targets, make_problem())
    assert_same_results(
        result, train_level(compress(np.zeros_like(X)), targets, make_problem())
    )
    assert weights_to_dense(result.weights, targets.child_offsets, 1).sum() == 0


# The estimator


def make_data(n_labels=60, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_labels, 24))
    labels = rng.integers(n_labels, size=400)
    X = centres[labels] + 0.3 * rng.normal(size=(400, 24))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    Y = np.zeros((400, n_labels), dtype=int)
    Y[np.arange(400), labels] = 1
    return X.astype(np.float32), sparse.csr_array(Y)


def fit(X, Y, **parameters):
    settings = {"indexer": KMeansTree(4, 5, random_state=0), "random_state": 0}
    return XRLinearClassifier(**(settings | parameters)).fit(X, Y)


@pytest.mark.parametrize("negative_sampling", ["parents", "matcher", "both"])
@pytest.mark.parametrize("fitted_on", [np.asarray, sparse.csr_array])
def test_estimators_rank_the_same_from_dense_and_from_sparse(
    fitted_on, negative_sampling
):
    X, Y = make_data()
    model = fit(fitted_on(X), Y, negative_sampling=negative_sampling, n_trees=2)
    expected = model.rank(sparse.csr_array(X), 5)
    assert_same_arrays(model.rank(X, 5), expected)
    assert_same_arrays(model.rank(np.asfortranarray(X.astype(float)), 5), expected)
    assert_same_arrays(
        model.prune(0.4).rank(X, 5), model.prune(0.4).rank(sparse.csr_array(X), 5)
    )
    for i in (0, 7):
        assert_same_arrays(
            model.rank_one(None, X[i], 5), (expected[0][i], expected[1][i])
        )
    assert (expected[0][:, 0] == Y.toarray().argmax(axis=1)).mean() > 0.9


def test_estimators_fitted_on_dense_and_on_sparse_are_the_same():
    X, Y = make_data()
    Q = X[:50] + np.float32(0.01)
    columns, scores = fit(X, Y, label_vectors=np.eye(60)).rank(Q)
    expected = fit(sparse.csr_array(X), Y, label_vectors=np.eye(60)).rank(Q)
    np.testing.assert_array_equal(columns, expected[0])
    # Dense rows are swept two by two, which rounds otherwise.
    np.testing.assert_allclose(scores, expected[1], rtol=1e-4)


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
def test_weights_by_node_are_counted_pruned_and_optional():
    X, Y = make_data()
    dense, plain = fit(X, Y), fit(sparse.csr_array(X), Y)
    (layout,) = dense.layouts_
    by_node = layout.by_node
    assert plain.layouts_[0].by_node is None
    assert by_node.nbytes == sum(
        a.nbytes for a in (by_node.node_offsets, by_node.features, by_node.weights)
    )
    tree_nbytes = sum(a.nbytes for a in vars(layout).values() if np.ndim(a))
    assert dense.nbytes_ == tree_nbytes + by_node.nbytes
    pruned = dense.prune(0.5, threshold_unit="absolute").layouts_[0].by_node
    kept = np.abs(by_node.weights) >= 0.5
    assert 0 < kept.sum() < len(kept)
    np.testing.assert_array_equal(pruned.weights, by_node.weights[kept])
    assert plain.prune(0.5).layouts_[0].by_node is None


def test_a_mapped_model_ranks_the_same(tmp_path):
    X, Y = make_data()
    model = fit(X, Y)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode="r")
    by_node = loaded.layouts_[0].by_node
    assert isinstance(by_node.weights, np.memmap)
    assert_same_arrays(loaded.rank(X), model.rank(X))


def test_skops_trusts_a_model_of_dense_rows(tmp_path):
    skops_io = pytest.importorskip("skops.io")
    from skxmr.persistence import TRUSTED_TYPES

    X, Y = make_data()
    model = fit(X, Y)
    skops_io.dump(model, tmp_path / "model")
    loaded = skops_io.load(tmp_path / "model", trusted=TRUSTED_TYPES)
    assert_same_arrays(loaded.rank(X), model.rank(X))


def test_a_newer_version_is_refused():
    X, Y = make_data()
    model = fit(X, Y)
    model.layouts_[0].by_node.version = NODE_WEIGHTS_VERSION + 1
    saved = pickle.dumps(model)
    with pytest.raises(ValueError, match=r"newer skxmr .* Upgrade skxmr"):
        pickle.loads(saved)


# What comes in


def test_dense_rows_are_the_users_own_array():
    X, Y = make_data()
    model = fit(X, Y)
    rows = validate_features(model, X, model._state.features)
    assert isinstance(rows, DenseRows)
    assert np.shares_memory(rows.values, X)
    others = X.astype(np.float64), np.asfortranarray(X), X[::-1][::-1], X.tolist()
    for other in others:
        rows = validate_features(model, other, model._state.features)
        assert rows.values.flags.c_contiguous
        assert rows.values.dtype == np.float32
        np.testing.assert_array_equal(rows.values, X)


def test_mostly_empty_arrays_are_compressed():
    X, Y = make_data()
    model = fit(X, Y)
    X[np.random.default_rng(0).random(X.shape) < 0.8] = 0
    rows = validate_features(model, X, model._state.features)
    assert isinstance(rows, Compressed)
    np.testing.assert_array_equal(rows.to_csr().toarray(), X)


def test_dense_rows_have_the_interface_of_compressed_ones():
    X, _ = make_data()
    dense, compressed = rows_of(X), compress(X)
    assert (dense.n_vectors, dense.length) == (compressed.n_vectors, compressed.length)
    np.testing.assert_array_equal(dense.sizes, compressed.sizes)
    for one, other in (
        (dense, compressed),
        (dense.between(3, 9), compressed.between(3, 9)),
        (dense.take(np.array([5, 1])), compressed.take(np.array([5, 1]))),
    ):
        np.testing.assert_array_equal(one.to_matrix(), other.to_matrix().toarray())
        assert_same_arrays(one.to_compressed()[:3], other[:3])
    assert np.shares_memory(dense.between(3, 9).values, dense.values)


def test_weights_are_saved_once():
    X, Y = make_data()
    model = fit(X, Y)
    saved = pickle.dumps(model)
    sparse_answers = model.rank(sparse.csr_array(X))
    assert model.layouts_[0].held_by_feature is None
    assert len(pickle.dumps(model)) == len(saved)
    loaded = pickle.loads(saved)
    assert_same_arrays(loaded.rank(sparse.csr_array(X)), sparse_answers)


@given(problems())
def test_weights_by_node_are_given_back(problem):
    tree, dense_levels, _ = problem
    expected = levels_from_dense(tree, dense_levels)
    for one, other in zip(
        lay_out(tree, dense_levels).to_levels(), expected, strict=True
    ):
        for name, array in vars(one).items():
            np.testing.assert_array_equal(array, getattr(other, name), strict=True)


def test_wrong_dense_rows_are_refused():
    X, Y = make_data()
    model = fit(X, Y)
    with pytest.raises(ValueError, match=f"has 3 features; expected {X.shape[1]}"):
        model.rank_one(None, np.ones(3, dtype=np.float32), 5)
    with pytest.raises(TypeError, match=r"values is an array of float64"):
        model.rank_one(None, X[0].astype(np.float64), 5)
    with pytest.raises(TypeError, match=r"values is of type list"):
        model.rank_one(None, X[0].tolist(), 5)
    with pytest.raises(ValueError, match="The 'beam_width' parameter"):
        model.set_params(beam_width=0).rank_one(None, X[0], 5)


def test_threads_share_a_model_of_dense_rows():
    X, Y = make_data()
    model = fit(X, Y)
    columns, scores = model.rank(X, 5)

    def ask(row):
        found = model.rank_one(None, X[row % len(X)], 5)
        return row % len(X), found, model.rank(X, 5)

    with ThreadPoolExecutor(8) as threads:
        for row, found, all_found in threads.map(ask, range(200)):
            assert_same_arrays(found, (columns[row], scores[row]))
            assert_same_arrays(all_found, (columns, scores))
