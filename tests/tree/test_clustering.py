"""The kernels of balanced k-means against slow twins."""

import functools
import operator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kmeans_inputs import matrices
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from skxmr._cython._clustering import Bisection, score_rows
from skxmr._cython._cpu import SIMD_LEVELS

from skxmr import KMeansTree
from skxmr._parallel._sharing import Work
from skxmr.tree import _bisection
from skxmr.tree._bisection import Rule
from skxmr.tree._cluster_vectors import DenseVectors, SparseVectors, parts_of

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
    return _bisection.bisect(rows, centres, n_first, rule, Work())


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


def slow_centres_of_sample(Z, sample, place, n_first, rule):
    """Return the sums of both sides of the sample, and their sizes."""
    own = Z[sample]
    share = max(1, min(n_first * len(own) // len(Z), len(own) - 1))
    centres = _bisection._first_centres(place, len(own), rule)
    max_moved = int(rule.tol * len(own))
    sides = slow_bisect(own, centres, share, rule.max_iter, max_moved, rule.spherical)
    sums = [own[np.array(sides) == side].sum(axis=0) for side in (0, 1)]
    if rule.spherical:
        return sums, [np.sqrt(vector @ vector) for vector in sums]
    return sums, [share, len(own) - share]


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_many_rows_are_split_by_the_centres_of_a_sample(seed, spherical):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(60, 5)) * (rng.random((60, 5)) < 0.7)
    rule = Rule(3, 0.1, spherical, seed, sample_size=int(rng.integers(4, 29)))
    n_first, place = int(rng.integers(1, 60)), (int(rng.integers(9)), 10)
    sample = _bisection._sampled(place, 60, rule)
    ranges = np.arange(rule.sample_size + 1) * 60 // rule.sample_size
    assert ((sample >= ranges[:-1]) & (sample < ranges[1:])).all()
    scores = slow_scores(Z, *slow_centres_of_sample(Z, sample, place, n_first, rule))
    expected = np.ones(60, dtype=int)
    expected[np.argsort(-scores, kind="stable")[:n_first]] = 0
    for vectors in (SparseVectors.of(sparse.csr_array(Z)), DenseVectors(Z)):
        for n_threads in (1, 3):
            work = Work(n_threads)
            sides = _bisection.bisect_at(vectors.view(), place, n_first, rule, work)
            assert_array_equal(sides, expected)


def test_equal_rows_are_split_by_a_sample():
    rule = Rule(3, 0.1, True, 0, sample_size=4)
    rows = DenseVectors(np.ones((20, 2))).view()
    sides = _bisection.bisect_at(rows, (0, 2), 7, rule, Work())
    assert sides.tolist() == [0] * 7 + [1] * 13


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


def test_kernels_take_read_only_arrays():
    Z = SparseVectors.of(sparse.csr_array(np.eye(3)))
    for array in Z[:3]:
        array.setflags(write=False)
    assert bisect(Z, (0, 1), 1).sum() == 2
