"""KMeansTree and its kernels against a slow twin, and the promises that it makes."""

import functools
import itertools
import operator
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from skxmr._cython._clustering import Bisection, score_rows
from skxmr._cython._cpu import SIMD_LEVELS
from twins import random_sparse

from skxmr import KMeansTree
from skxmr._parallel._sharing import Work
from skxmr.tree import _clustering
from skxmr.tree._cluster_vectors import DenseVectors, SparseVectors, parts_of
from skxmr.tree._clustering import Plan, Rule, Segment, arrange

pytestmark = pytest.mark.kernels


def add_up(numbers):
    """Add from left to right; `sum` corrects its rounding in newer Pythons."""
    return functools.reduce(operator.add, numbers, 0.0)


def slow_sparse_product(row, sums):
    """Add up every fourth product, then those sums, as the kernel promises."""
    products = list(map(operator.mul, row, sums))
    whole = len(products) - len(products) % 4
    lanes = [products[lane:whole:4] for lane in range(4)]
    lanes[0] += products[whole:]
    one, two, three, four = map(add_up, lanes)
    return (one + two) + (three + four)


def slow_dense_product(row, sums):
    """Add up every sixteenth product, then those sums in halves."""
    products = list(map(operator.mul, row, sums))
    lanes = [add_up(products[lane::16]) for lane in range(16)]
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = list(map(operator.add, lanes[:half], lanes[half:]))
    return lanes[0]


def slow_bisect(Z, centres, n_first, max_iter, max_moved, spherical):
    """Balanced 2-means by sorting."""
    first, second = centres
    following = [*range(second, len(Z)), *range(second)]
    different = [row for row in following if (Z[row] != Z[first]).any()]
    scores = Z @ (Z[first] - Z[different[0] if different else second])
    sides = np.ones(len(Z), dtype=int)
    for iteration in range(max_iter):
        # Of equal scores the first row comes first.
        best = np.argsort(-scores, kind="stable")[:n_first]
        before, sides = sides, np.ones(len(Z), dtype=int)
        sides[best] = 0
        if iteration > 0 and (sides != before).sum() <= max_moved:
            break
        sums = [Z[sides == side].sum(axis=0) for side in (0, 1)]
        sizes = [(sides == side).sum() for side in (0, 1)]
        if spherical:
            sizes = [np.sqrt(vector @ vector) for vector in sums]
        scores = slow_scores(Z, sums, sizes)
    return sides.tolist()


def slow_scores(Z, sums, sizes):
    """Score along the line from one centre, a sum by its size, to the other.

    Scaled so that the first sum has the weight 1; a centre of size 0 does not count.
    """
    if not sizes[1]:
        return Z @ sums[0]
    if not sizes[0]:
        return -(Z @ sums[1])
    share = sizes[0] / (sizes[0] + sizes[1])
    return Z @ sums[0] - share * (Z @ (sums[0] + sums[1]))


def bisect(vectors, centres, n_first, max_iter=50, max_moved=0, spherical=True):
    rows = vectors.view()
    n_rows = len(rows.starts)
    # No less than the least share of rows that is that many.
    rule = Rule(max_iter, (max_moved + 0.5) / n_rows, spherical, 0)
    return _clustering.bisect(rows, centres, n_first, rule, Work())


@st.composite
def matrices(draw, values=(0, 0, 0, -1.25, 0.5, 1.0, 3.0), min_rows=2):
    """Sums of these values are exact in any order; rows repeat, or are empty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_features = draw(st.integers(min_rows, 14)), draw(st.integers(1, 9))
    Z = rng.choice(values, (n_rows, n_features))
    if draw(st.booleans()):
        Z = Z[rng.integers(0, n_rows, n_rows)]
    return Z.astype(draw(st.sampled_from([np.float32, np.float64])))


@given(
    matrices(), st.data(), st.booleans(), st.integers(1, 6), st.sampled_from([0, 0, 2])
)
def test_bisection_equals_its_twin(Z, data, spherical, max_iter, max_moved):
    row = st.integers(0, len(Z) - 1)
    centres = data.draw(row), data.draw(row)
    n_first = data.draw(st.integers(1, len(Z) - 1))
    rules = n_first, max_iter, max_moved, spherical
    expected = slow_bisect(Z.astype(np.float64), centres, *rules)
    for vectors in (SparseVectors.of(sparse.csr_array(Z)), DenseVectors(Z)):
        assert bisect(vectors, centres, *rules).tolist() == expected


@given(
    st.integers(1, 70),
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_products_are_the_same_at_all_levels(n_features, seed, dtype, is_sparse):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(5, n_features)).astype(dtype)
    vectors = SparseVectors.of(sparse.csr_array(Z)) if is_sparse else DenseVectors(Z)
    sums = rng.normal(size=(2, n_features))
    slow_product = slow_sparse_product if is_sparse else slow_dense_product
    expected = [[slow_product(row, one) for row in Z.tolist()] for one in sums.tolist()]
    for level in range(len(SIMD_LEVELS)):
        bisection = Bisection(
            vectors.view(),
            np.empty,
            spherical=True,
            simd_level=level,
            stop=np.zeros(1, dtype=np.uint8),
        )
        np.asarray(bisection.sums)[:] = sums
        for part in ((0, 2), (2, 5)):
            score_rows(bisection, *part)
        assert np.asarray(bisection.products).tolist() == expected


@pytest.mark.parametrize("n_copies", [2, 4, 16])
@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_array])
def test_equal_vectors_are_told_from_others(n_copies, as_given):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        kinds = rng.permutation(np.repeat([0, 1], n_copies))
        Z = as_given(np.array([[0.3, 0.1], [0.1, 0.7]])[kinds] * rng.random())
        tree = KMeansTree(2, n_copies, random_state=seed).fit(Z).tree_
        assert len(set(kinds[tree.labels[:n_copies]])) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spherical", [False, True])
@given(st.integers(0, 2**32 - 1))
@example(1471625)  # one side is of zero vectors alone
def test_bisection_ends_where_no_row_wants_to_move(spherical, dtype, seed):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(rng.integers(2, 60), rng.integers(1, 20))).astype(dtype)
    Z[rng.random(Z.shape) < 0.5] = 0
    n_first = int(rng.integers(1, len(Z)))
    for vectors in (SparseVectors.of(sparse.csr_array(Z)), DenseVectors(Z)):
        sides = bisect(vectors, (0, 1), n_first, 1000, 0, spherical)
        assert (sides == 0).sum() == n_first
        means = [Z[sides == side].mean(axis=0, dtype=np.float64) for side in (0, 1)]
        if spherical:
            means = [mean / (np.linalg.norm(mean) or 1) for mean in means]
        scores = Z @ (means[0] - means[1])
        assert scores[sides == 0].min() >= scores[sides == 1].max() - 1e-5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_bisection_survives_what_validation_keeps_out(value):
    Z = np.ones((9, 3))
    Z[4, 1] = value
    for vectors in (SparseVectors.of(sparse.csr_array(Z)), DenseVectors(Z)):
        for spherical in (False, True):
            assert bisect(vectors, (0, 4), 5, spherical=spherical).sum() == 4


@pytest.mark.parametrize("order", ["up", "down", "equal", "random", "organ pipe"])
def test_selection_takes_linear_time_and_the_right_rows(order):
    """One feature: rows are sorted along it, so the cut is known."""
    n = 100_000
    Z = np.arange(1, n + 1, dtype=np.float64)
    Z = {
        "up": Z,
        "down": Z[::-1],
        "equal": np.ones(n),
        "random": np.random.default_rng(0).permutation(Z),
        "organ pipe": np.concatenate([Z[::2], Z[::-2]]),
    }[order].copy()
    sides = bisect(DenseVectors(Z[:, None]), (0, n - 1), n // 3, spherical=False)
    if order == "equal":
        expected = np.arange(n) >= n // 3
    else:
        best_first = Z if Z[0] > Z[-1] else -Z
        expected = np.argsort(np.argsort(-best_first, kind="stable")) >= n // 3
    assert_array_equal(sides, expected)


@given(matrices(), st.data())
def test_gathered_rows_have_no_empty_feature(Z, data):
    rows = data.draw(st.lists(st.integers(0, len(Z) - 1), min_size=1))
    taken = SparseVectors.of(sparse.csr_array(Z)).take(np.array(rows))
    assert taken.values.dtype == Z.dtype
    found, wanted = taken.to_csr().toarray(), Z[rows]
    # The columns are the same but for their order.
    used = wanted[:, wanted.any(axis=0)]
    assert sorted(map(tuple, found.T)) == sorted(map(tuple, used.T))
    first_seen = [np.flatnonzero(column)[0] for column in found.T]
    assert first_seen == sorted(first_seen)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
@given(matrices())
def test_normalized_rows(scale, Z):
    expected = Z.astype(np.float64)
    norms = np.linalg.norm(expected, axis=1, keepdims=True)
    expected = np.divide(expected, norms, out=np.zeros_like(expected), where=norms > 0)
    dtype = np.float32 if 1e-38 < scale < 1e38 else np.float64
    scaled = sparse.csr_array((Z.astype(np.float64) * scale).astype(dtype))
    for vectors in (SparseVectors.of(scaled), DenseVectors(scaled.toarray())):
        own = vectors.take(np.arange(len(Z)))
        own.normalize()
        if isinstance(own, DenseVectors):
            assert_allclose(own.rows, expected, rtol=1e-6)
        else:
            data = SparseVectors.of(sparse.csr_array(expected)).values
            assert_allclose(own.values, data, rtol=1e-6)


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
@given(matrices(min_rows=1), st.integers(2, 5), st.integers(1, 3), st.integers(0, 99))
def test_tree_does_not_depend_on_tasks(spherical, Z, branching_factor, size, seed):
    plan = Plan.of(len(Z), branching_factor, size)
    labels = np.arange(len(Z))
    rule = Rule(20, 0.0, spherical, seed)
    for vectors in (SparseVectors.of(sparse.csr_array(Z)), DenseVectors(Z)):
        orders = [
            arrange([Segment.of(vectors, labels, plan, limited)], None)[0]
            for limited in (rule._replace(labels_per_task=n) for n in (1, 4, 100))
        ]
        assert_array_equal(orders[0], orders[1])
        assert_array_equal(orders[0], orders[2])


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


def test_kernels_take_read_only_arrays():
    Z = SparseVectors.of(sparse.csr_array(np.eye(3)))
    for array in Z[:3]:
        array.setflags(write=False)
    assert bisect(Z, (0, 1), 1).sum() == 2


# Vectors made ready to be read again and again
# ---------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("spherical", [False, True])
@given(matrices(), st.integers(1, 60))
def test_prepared_vectors_are_the_same(spherical, n_threads, Z, n_copies):
    Z = np.hstack([Z, np.zeros((len(Z), 20))])[:, :: -1 if n_copies % 2 else 1]
    Z = np.tile(np.ascontiguousarray(Z), (n_copies, 1))
    norms = np.linalg.norm(Z, axis=1, keepdims=True)
    expected = Z / np.where(norms > 0, norms, 1) if spherical else Z
    work = Work(n_threads)
    own = SparseVectors.of(sparse.csr_array(Z)).prepared(spherical, work)
    found = own.to_csr().toarray()
    # The columns are the same but for their order.
    used, wanted = found[:, found.any(axis=0)], expected[:, expected.any(axis=0)]
    assert_allclose(sorted(used.T.tolist()), sorted(wanted.T.tolist()), rtol=1e-6)
    counts = (found != 0).sum(axis=0)
    lengths = [int(count).bit_length() for count in counts]
    assert 2 * Z.shape[1] > np.count_nonzero(Z) or lengths == sorted(lengths)[::-1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_of_unit_length_are_not_copied(dtype):
    Z = np.random.default_rng(0).normal(size=(30, 7)).astype(dtype)
    Z[3] = 0
    vectors = SparseVectors.of(sparse.csr_array(Z))
    scaled = vectors.prepared(True, Work())
    assert not np.shares_memory(values_of(scaled), values_of(vectors))
    # What has been scaled once stays as it is.
    again = scaled.prepared(True, Work())
    assert np.shares_memory(values_of(again), values_of(scaled))
    as_they_are = vectors.prepared(False, Work())
    assert np.shares_memory(values_of(as_they_are), values_of(vectors))
    dense = DenseVectors(Z)
    assert dense.prepared(False, Work()) is dense
    assert dense.prepared(True, Work()) is None
    dense.normalize()
    assert dense.prepared(True, Work()) is dense


def values_of(vectors):
    return vectors.view().values


@given(st.lists(st.integers(0, 10) | st.just(2**19), min_size=1), st.integers(1, 4))
def test_parts_are_all_vectors(sizes, n_threads):
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    parts = parts_of(offsets, n_threads)
    assert [row for part in parts for row in range(*part)] == list(range(len(sizes)))
    assert len(parts) <= 4 * n_threads + 1
    assert all(first < stop for first, stop in parts)
