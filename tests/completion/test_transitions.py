import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skxmr.completion._transitions import (
    Transitions,
    count_transitions,
    reversed_links,
    smooth,
)


def random_counts(seed, n_rows=12, n_queries=9, density=0.4):
    random = np.random.RandomState(seed)
    counts = random.poisson(1, (n_rows, n_queries)) * (
        random.random_sample((n_rows, n_queries)) < density
    )
    return sparse.csr_array(counts.astype(np.float64))


def test_sessions_are_counted_and_older_queries_count_less():
    rows = {}
    counts = count_transitions(
        [("a",), ("a", "b"), (), ("b", "a")],
        np.array([0, 1, 2, 1]),
        np.array([1.0, 2.0, 5.0, 1.0]),
        rows,
        n_queries=3,
        decay=0.5,
    )
    assert rows == {"a": 0, "b": 1}
    assert counts.toarray().tolist() == [[1, 2 * 0.5 + 1, 0], [0, 2 + 0.5, 0]]


def test_links_are_turned_round():
    rows, keys = {"a": 0, "x": 1, "c": 2}, ["a", "b", "c"]
    counts = sparse.csr_array(np.array([[0.0, 4, 3], [1, 0, 2], [5, 0, 0]]))
    # Of the pairs of which both are queries and come first: a to c, c to a.
    expected = [[0, 0, 5], [0, 0, 0], [3, 0, 0]]
    assert reversed_links(counts, rows, keys).toarray().tolist() == expected


def similarities(counts):
    n_rows, _ = counts.shape
    idf = np.log(1 + n_rows / (1 + (counts > 0).sum(axis=0)))
    vectors = np.sqrt(counts) * idf
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, 0)
    return alike


def smooth_twin(counts, n_neighbors, weight):
    """The same, dense and row by row."""
    counts = counts.toarray()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    alike = similarities(counts)
    smoothed = counts.copy()
    for row, similarity in enumerate(alike):
        nearest = np.argsort(-similarity, kind="stable")[:n_neighbors]
        strength = similarity[nearest]
        if strength.sum() > 0:
            smoothed[row] += weight * (strength / strength.sum()) @ shares[nearest]
    return smoothed


def are_clear(counts, n_neighbors):
    """Tell of which rows no two are equally near, so that the last digit decides."""
    nearest = -np.sort(-similarities(counts.toarray()), axis=1)
    if n_neighbors >= nearest.shape[1]:
        return np.ones(len(nearest), dtype=bool)
    last, next_one = nearest[:, n_neighbors - 1], nearest[:, n_neighbors]
    return (last - next_one > 1e-9) | (last < 1e-9)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20), st.sampled_from([0.5, 10.0]))
def test_smoothing_equals_a_slow_twin(seed, n_neighbors, weight):
    counts = random_counts(seed)
    smoothed = smooth(
        counts, n_neighbors=n_neighbors, weight=weight, most_transitions=9
    )
    expected = smooth_twin(counts, n_neighbors, weight)
    clear = are_clear(counts, n_neighbors)
    np.testing.assert_allclose(smoothed.toarray()[clear], expected[clear], atol=1e-12)
    np.testing.assert_allclose(smoothed.sum(), expected.sum())


def test_smoothing_keeps_the_counts_and_the_largest_of_what_it_adds():
    counts = random_counts(3)
    smoothed = smooth(counts, n_neighbors=5, weight=2.0, most_transitions=2).toarray()
    counts = counts.toarray()
    assert (smoothed >= counts).all()
    added = smoothed - counts
    assert (added > 0).sum(axis=1).max() == 2
    whole = smooth_twin(sparse.csr_array(counts), 5, 2.0) - counts
    largest = np.sort(whole, axis=1)[:, -2:].sum(axis=1)
    np.testing.assert_allclose(added.sum(axis=1), largest)


@pytest.mark.parametrize("off", [{"n_neighbors": 0}, {"weight": 0}])
def test_smoothing_can_be_left_out(off):
    counts = random_counts(0)
    arguments = {"n_neighbors": 3, "weight": 1.0, "most_transitions": 5} | off
    assert smooth(counts, **arguments) is counts


def make_transitions():
    counts = np.array([[1.0, 0, 2, 3, 0], [0, 4, 0, 0, 5]])
    return Transitions.of({"a": 0, "b": 1}, sparse.csr_array(counts))


@pytest.mark.parametrize(
    ("session", "ranges", "expected"),
    [
        (("a",), [[0, 5]], [(0, [0, 2, 3], [1, 2, 3])]),
        (("a",), [[1, 3]], [(0, [2], [2])]),
        (("a",), [[1, 2]], []),
        (("a",), [], []),
        (("a", "b"), [[0, 4]], [(0, [1], [4]), (1, [0, 2, 3], [1, 2, 3])]),
        (("a", "x"), [[0, 1], [3, 5]], [(1, [0, 3], [1, 3])]),
        (("x",), [[0, 5]], []),
        ((), [[0, 5]], []),
        (("a",) + ("x",) * 16, [[0, 5]], []),
    ],
)
def test_what_followed_a_session(session, ranges, expected):
    ranges = np.array(ranges, dtype=np.int64).reshape(-1, 2)
    found = make_transitions().after(session, ranges)
    found = [(age, ranks.tolist(), weights.tolist()) for age, ranks, weights in found]
    assert found == expected


def test_totals_add_up():
    transitions = make_transitions()
    assert transitions.total_after(("a", "b"), 0.5) == 9 + 0.5 * 6
    assert transitions.total_after(("x",), 0.5) == 0


def test_counts_are_added_to_old_and_new_rows():
    transitions = make_transitions()
    sum_of_both = transitions.with_pairs(["a", "c", "a"], [2, 0, 2], [0.5, 7.0, 0.5])
    expected = [[1, 0, 3, 3, 0], [0, 4, 0, 0, 5], [7, 0, 0, 0, 0]]
    everything = np.array([[0, 5]])
    for one in (sum_of_both, sum_of_both.compacted(None, 5)):
        for row, total, name in zip(expected, [7, 9, 7], "abc", strict=True):
            ((_, ranks, weights),) = one.after((name,), everything)
            assert ranks.tolist() == np.flatnonzero(row).tolist()
            assert weights.tolist() == [count for count in row if count]
            assert one.total_after((name,), 0.5) == total
    compact = sum_of_both.compacted(None, 5)
    assert compact.counts.to_csr().toarray().tolist() == expected
    assert compact.totals.tolist() == [7, 9, 7]
    assert compact.with_pairs([], [], []) is compact
    assert transitions.totals.tolist() == [6, 9]
