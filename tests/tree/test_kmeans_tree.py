"""The shape of the trees of KMeansTree, their determinism, and its input."""

import itertools
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmeans_inputs import matrices
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from twins import random_sparse

from skxmr import KMeansTree
from skxmr.tree._bisection import Rule
from skxmr.tree._cluster_vectors import DenseVectors, SparseVectors
from skxmr.tree._clustering import Plan, Segment, arrange

pytestmark = pytest.mark.kernels


# The tree
# --------


def groups(tree, level):
    ranges = tree.leaf_ranges(level)
    return [set(tree.labels[a:b].tolist()) for a, b in itertools.pairwise(ranges)]


@pytest.mark.parametrize(
    ("n_labels", "level_sizes"),
    [
        (11_600, (1, 11, 121, 11_600)),
        (27_754, (1, 6, 42, 294, 27_754)),
        (100, (1, 100)),
        (101, (1, 2, 101)),
        (1_600, (1, 16, 1_600)),
        (1_601, (1, 4, 20, 1_601)),
        (1, (1, 1)),
    ],
)
def test_levels_of_the_tree_are_few_and_even(n_labels, level_sizes):
    Z = np.random.default_rng(0).normal(size=(n_labels, 2))
    tree = KMeansTree(16, 100, max_iter=1, random_state=0).fit(Z).tree_
    assert tree.level_sizes == level_sizes


@pytest.mark.parametrize(
    ("n_labels", "n_groups"),
    [
        (1, ()),
        (100, ()),
        (101, (2,)),
        (13_233, (133,)),
        (102_400, (1024,)),
        (102_401, (1014,)),  # leaves of 101
        (841_378, (1024,)),  # of 822
        (1024**2, (1024,)),  # of 1,024, as wide as the level above
        (1024**2 + 1, (102, 10_506)),  # of 100 again
        (100_000_000, (1000, 1_000_000)),
    ],
)
def test_shape_of_the_tree_by_default(n_labels, n_groups):
    default = KMeansTree()
    plan = Plan.of(n_labels, default.branching_factor, default.max_leaf_size)
    assert plan.n_groups == n_groups


def test_leaves_are_not_widened_beyond_narrow_levels():
    assert Plan.of(13_233, 16, "auto") == Plan.of(13_233, 16, 100)
    assert Plan.of(100, 2, "auto").n_leaves == 1


@settings(max_examples=40)
@given(
    st.integers(1, 200),
    st.integers(2, 9),
    st.integers(1, 20),
    st.integers(0, 2**31 - 1),
)
def test_every_group_keeps_its_measure(n_labels, branching_factor, max_leaf_size, seed):
    Z = np.random.default_rng(seed).integers(0, 3, (n_labels, 4))
    indexer = KMeansTree(branching_factor, max_leaf_size, random_state=seed)
    tree = indexer.fit(sparse.csr_array(Z, dtype=np.float64)).tree_
    assert sorted(tree.labels) == list(range(n_labels))
    n_leaves = -(-n_labels // max_leaf_size)
    depth = tree.depth - 1
    assert branching_factor**depth >= n_leaves
    assert depth == 0 or branching_factor ** (depth - 1) < n_leaves
    for level in range(tree.depth + 1):
        sizes = np.diff(tree.leaf_ranges(level))
        assert sizes.max() - sizes.min() <= 1
    for level in range(depth):
        assert tree.n_children(level).max() <= branching_factor
    assert tree.n_children(depth).max() <= max_leaf_size
    leaves = tree.leaf_ranges(depth)
    for first, stop in itertools.pairwise(leaves):
        assert (np.diff(tree.labels[first:stop]) > 0).all()


@settings(max_examples=40)
@given(st.permutations(range(24)), st.integers(0, 2**31 - 1))
def test_points_on_a_line_are_cut_into_quantiles(order, seed):
    Z = np.array(order, dtype=float)[:, None] - 7
    indexer = KMeansTree(4, 2, spherical=False, random_state=seed, max_iter=100)
    tree = indexer.fit(Z).tree_
    assert tree.level_sizes == (1, 3, 12, 24)
    for level, size in ((1, 8), (2, 2)):
        for group in groups(tree, level):
            ranks = sorted(order[label] for label in group)
            assert ranks == list(range(ranks[0], ranks[0] + size))
            # What was cut together is aligned with the quantiles above.
            assert level == 1 or ranks[0] % 2 == 0


def planted(n_groups, size, seed, density=0.3):
    """Labels of different groups share no feature."""
    rng = np.random.default_rng(seed)
    blocks = [
        sparse.csr_array(
            np.abs(rng.normal(size=(size, 30))) * (rng.random((size, 30)) < density)
            + np.eye(size, 30)
        )
        for _ in range(n_groups)
    ]
    Z = sparse.csr_array(sparse.block_diag(blocks))
    shuffled = rng.permutation(n_groups * size)
    return Z[shuffled], shuffled // size


def test_planted_groups_are_found():
    found = 0
    for seed in range(20):
        Z, group = planted(2, 40, seed)
        tree = KMeansTree(2, 40, random_state=seed).fit(Z).tree_
        found += all(len(set(group[list(own)])) == 1 for own in groups(tree, 1))
    assert found >= 18


def test_groups_are_tighter_than_chance():
    Z, _ = planted(10, 30, 0)
    Z = sparse.csr_array(Z / sparse.linalg.norm(Z, axis=1)[:, None])

    def cohesion(labels):
        runs = np.split(labels, 30)
        return sum(np.linalg.norm(Z[np.sort(run)].sum(axis=0)) for run in runs)

    tree = KMeansTree(30, 10, random_state=0).fit(Z).tree_
    assert tree.level_sizes == (1, 30, 300)
    assert cohesion(tree.labels) > 1.3 * cohesion(
        np.random.default_rng(0).permutation(300)
    )


@given(matrices(), st.integers(0, 2**31 - 1))
def test_spherical_means_that_length_does_not_count(Z, seed):
    scales = 2.0 ** np.random.default_rng(seed).integers(-3, 4, (len(Z), 1))
    indexer = KMeansTree(2, 2, random_state=seed)
    assert indexer.fit(Z).tree_ == clone(indexer).fit(Z * scales.astype(Z.dtype)).tree_


def test_length_counts_where_not_spherical():
    Z = np.array([[1.0], [9.0], [2.0], [8.0]])
    tree = KMeansTree(2, 2, spherical=False, random_state=0).fit(Z).tree_
    assert set(map(frozenset, groups(tree, 1))) == {
        frozenset({0, 2}),
        frozenset({1, 3}),
    }


def test_tolerance_stops_earlier():
    Z = np.random.default_rng(0).normal(size=(400, 5))
    trees = [
        KMeansTree(2, 200, tol=tol, max_iter=max_iter, random_state=0).fit(Z).tree_
        for tol, max_iter in ((1.0, 100), (0.0, 2), (0.0, 100))
    ]
    # With a tolerance of everything, two assignments are made.
    assert trees[0] == trees[1] != trees[2]


# Determinism
# -----------


def sparse_vectors(n_labels=5000, seed=0):
    rng = np.random.default_rng(seed)
    return random_sparse(rng, (n_labels, 300), density=0.03)


@pytest.mark.parametrize("densify", [False, True])
def test_tree_does_not_depend_on_jobs_or_backend(densify):
    Z = sparse_vectors()
    Z = Z[:3000].toarray() if densify else Z
    expected = KMeansTree(random_state=3).fit(Z).tree_
    assert KMeansTree(random_state=3, n_jobs=2).fit(Z).tree_ == expected
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            assert KMeansTree(random_state=3).fit(Z).tree_ == expected
    assert KMeansTree(random_state=4).fit(Z).tree_ != expected


@pytest.mark.parametrize("spherical", [False, True])
@settings(max_examples=40)
@given(
    matrices(min_rows=1),
    st.integers(2, 5),
    st.integers(1, 3),
    st.integers(0, 99),
    st.sampled_from([2, 3, 2**14]),
)
def test_tree_does_not_depend_on_tasks(
    spherical, Z, branching_factor, size, seed, sample_size
):
    plan = Plan.of(len(Z), branching_factor, size)
    labels = np.arange(len(Z))
    rule = Rule(20, 0.0, spherical, seed, sample_size=sample_size)
    for vectors in (SparseVectors.of(sparse.csr_array(Z)), DenseVectors(Z)):
        orders = [
            arrange([Segment.of(vectors, labels, plan, limited)], None)[0]
            for limited in (rule._replace(labels_per_task=n) for n in (1, 4, 100, None))
        ]
        for order in orders[1:]:
            assert_array_equal(order, orders[0])


def test_random_state():
    Z = sparse_vectors(300)
    fits = [
        KMeansTree(2, 30, random_state=random_state).fit(Z).tree_
        for random_state in (0, np.int64(0), np.random.RandomState(0))
    ]
    assert fits[0] == fits[1] == fits[2]
    generator = np.random.RandomState(0)
    indexer = KMeansTree(2, 30, random_state=generator)
    assert indexer.fit(Z).tree_ == fits[0]
    assert indexer.fit(Z).tree_ != fits[0]


# Input
# -----


def test_containers_make_no_difference():
    Z = sparse_vectors(400)
    expected = KMeansTree(4, 20, random_state=0).fit(Z).tree_
    wide = Z.copy()
    wide.indices, wide.indptr = (
        wide.indices.astype(np.int64),
        wide.indptr.astype(np.int64),
    )
    reversed_rows = Z.copy()
    for row in range(400):
        place = slice(*Z.indptr[row : row + 2])
        reversed_rows.indices[place] = Z.indices[place][::-1]
        reversed_rows.data[place] = Z.data[place][::-1]
    reversed_rows.has_sorted_indices = reversed_rows.has_canonical_format = False
    halves = sparse.csr_array(
        (np.repeat(Z.data / 2, 2), np.repeat(Z.indices, 2), Z.indptr * 2), shape=Z.shape
    )
    forms = [sparse.csr_matrix(Z), Z.tocsc(), Z.tocoo(), wide, reversed_rows, halves]
    for form in forms:
        before = form.copy()
        assert KMeansTree(4, 20, random_state=0).fit(form).tree_ == expected
        assert_array_equal(form.toarray(), before.toarray())
        if hasattr(form, "indices"):
            assert_array_equal(form.indices, before.indices)


def test_dense_and_sparse_agree():
    Z = np.random.default_rng(0).normal(size=(300, 12))
    for dtype in (np.float32, np.float64):
        indexer = KMeansTree(4, 20, random_state=0)
        expected = indexer.fit(Z.astype(dtype)).tree_
        given_sparse = sparse.csr_array(Z.astype(dtype))
        assert indexer.fit(given_sparse).tree_ == expected
        assert indexer.fit(np.asfortranarray(Z.astype(dtype))).tree_ == expected
        assert indexer.fit(Z.astype(dtype).tolist()).tree_.n_labels == 300


def test_memory_mapped_vectors(tmp_path):
    Z = sparse_vectors(400)
    for name, vectors in (("sparse", Z), ("dense", Z.toarray())):
        path = tmp_path / name
        joblib.dump(vectors, path)
        mapped = joblib.load(path, mmap_mode="r")
        indexer = KMeansTree(4, 20, random_state=0)
        assert indexer.fit(mapped).tree_ == indexer.fit(vectors).tree_


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("spherical", [False, True])
def test_labels_without_vectors_are_placed(kind, spherical):
    Z = sparse_vectors(60).toarray()
    Z[::2] = 0
    tree = KMeansTree(2, 7, spherical=spherical, random_state=0).fit(kind(Z)).tree_
    assert tree.level_sizes == (1, 2, 4, 8, 16, 60)
    assert tree.n_children(4).max() == 4
    nothing = KMeansTree(2, 2, spherical=spherical).fit(kind(np.zeros((7, 3)))).tree_
    # Nothing to tell them apart but their order.
    assert nothing.labels.tolist() == list(range(7))


def test_alike_labels_are_cut_by_their_order():
    tree = KMeansTree(2, 2, random_state=0).fit(np.ones((8, 3))).tree_
    assert tree.labels.tolist() == list(range(8))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"branching_factor": 1}, "'branching_factor' parameter"),
        ({"max_leaf_size": 0}, "'max_leaf_size' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"tol": -0.1}, "'tol' parameter"),
        ({"spherical": "yes"}, "'spherical' parameter"),
        ({"n_jobs": 0.5}, "'n_jobs' parameter"),
        ({"random_state": "a"}, "'random_state' parameter"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        KMeansTree(**parameters).fit(np.eye(3))


@pytest.mark.parametrize(
    ("Z", "message"),
    [
        ([[np.nan, 1]], "NaN"),
        (sparse.csr_array([[np.inf, 1]]), "infinity"),
        ([1.0, 2.0], "1D array"),
        (np.empty((0, 2)), "0 sample"),
        (np.empty((2, 0)), "0 feature"),
    ],
)
def test_vectors_are_checked(Z, message):
    indexer = KMeansTree(2, 2, random_state=0).fit(np.eye(3))
    before = pickle.dumps(indexer)
    with pytest.raises(ValueError, match=message):
        indexer.fit(Z)
    assert pickle.dumps(indexer) == before


def test_corrupt_matrix_is_refused():
    Z = sparse.csr_array(np.eye(3))
    Z.indices[1] = 77
    with pytest.raises(ValueError, match=r"ind(ices|ex values)"):
        KMeansTree(2, 2).fit(Z)


def test_interrupted_fit_changes_nothing(monkeypatch):
    indexer = KMeansTree(2, 2, random_state=0).fit(np.eye(3))
    before = pickle.dumps(indexer)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("skxmr.tree._clustering.cut_to_leaves", interrupt)
    with pytest.raises(KeyboardInterrupt):
        indexer.fit(np.eye(5))
    assert pickle.dumps(indexer) == before


def test_label_names_are_accepted():
    Z = np.eye(3)
    indexer = KMeansTree(2, 1, random_state=0)
    assert indexer.fit(Z, label_names=["a", "b", "c"]).tree_ == indexer.fit(Z).tree_


@parametrize_with_checks([KMeansTree(), KMeansTree(2, 2, spherical=False)])
def test_contract_of_scikit_learn(estimator, check):
    check(estimator)


@parametrize_with_checks([KMeansTree(2, 2)])
def test_contract_of_scikit_learn_with_sparse_arrays(estimator, check):
    try:
        context = config_context(sparse_interface="sparray")
    except TypeError:
        pytest.skip("this scikit-learn has no sparse_interface")
    with context:
        check(estimator)
