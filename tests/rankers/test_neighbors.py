"""Search of nearest neighbours: exact with and without negative values, and pruned."""

import pickle
import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from twins import nearest_neighbor_scores

from skxmr import NeighborRanker


def zipf_matrix(n_rows, n_columns, size, seed):
    """Frequent and rare features, so that a search skips some of the frequent ones."""
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(1, n_columns + 1)
    columns = random.choice(n_columns, n_rows * size, p=shares / shares.sum())
    rows = np.repeat(np.arange(n_rows), size)
    values = random.random(n_rows * size) + 0.1
    matrix = sparse.csr_array((values, (rows, columns)), shape=(n_rows, n_columns))
    return matrix.astype(np.float32)


def with_signs(matrix, seed):
    signed = matrix.copy()
    signed.data *= np.random.default_rng(seed).choice([-1, 1], len(signed.data))
    return signed


def check_scores(model, known, labels, queries, n_neighbors):
    columns, scores = model.rank(queries, labels.shape[1])
    expected = nearest_neighbor_scores(
        known.toarray(), labels.toarray(), queries.toarray(), n_neighbors
    )
    found = np.zeros_like(expected)
    rows, positions = np.nonzero(columns >= 0)
    found[rows, columns[rows, positions]] = scores[rows, positions]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_neighbors", [1, 10, 40])
@pytest.mark.parametrize("signed", ["neither", "known", "queries", "both"])
def test_neighbors_of_signed_and_unsigned_features(signed, n_neighbors):
    known, queries = zipf_matrix(3_000, 200, 12, 0), zipf_matrix(40, 200, 8, 1)
    if signed in ("known", "both"):
        known = with_signs(known, 2)
    if signed in ("queries", "both"):
        queries = with_signs(queries, 3)
    labels = sparse.csr_array(sparse.random(3_000, 30, 0.05, random_state=4) > 0)
    model = NeighborRanker(n_neighbors).fit(known, labels.astype(int))
    assert model._state.is_signed == (signed in ("known", "both"))
    check_scores(model, known, labels, queries, n_neighbors)


def test_frequent_features_are_not_read_where_rare_ones_decide():
    known = sparse.lil_array((20_020, 2), dtype=np.float32)
    known[:, 0] = 0.01
    known[20_000:, 1] = 1
    model = NeighborRanker().fit(known, np.arange(20_020) // 10_010)
    columns, _ = model.rank(np.array([[0.1, 1.0]]), 1)
    assert columns.tolist() == [[1]]
    with model._state.searchers.lend() as searcher:
        assert searcher.n_read < 1_000


def test_single_rows_reuse_the_buffers_of_the_search():
    n_rows = 200_000
    known = sparse.csr_array(
        (np.ones(n_rows), (np.arange(n_rows), np.arange(n_rows) % 1_000))
    )
    model = NeighborRanker().fit(known, np.arange(n_rows) % 2)
    row = known[[5]]
    model.rank(row)
    tracemalloc.start()
    try:
        model.rank(row)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < n_rows


def test_the_pool_of_searchers_is_not_saved():
    known = zipf_matrix(50, 20, 3, 0)
    model = NeighborRanker().fit(known, np.arange(50) % 3)
    expected = model.rank(known)
    loaded = pickle.loads(pickle.dumps(model))
    assert "searchers" not in loaded._state.__dict__
    for found, one in zip(loaded.rank(known), expected, strict=True):
        np.testing.assert_array_equal(found, one)
