"""The kernel of the inverted index against sums of dense arrays, with many ties."""

import numpy as np
import pytest
from scipy import sparse
from skxmr._cython._inverted_index import IndexSearcher, InvertedIndex

N_LABELS = 40_000


def make_index(random, n_terms, values):
    """Lists of very different lengths, and their dense form."""
    sizes = (N_LABELS * random.random(n_terms) ** 6).astype(int)
    sizes[-2:] = 0, N_LABELS
    labels = [np.sort(random.choice(N_LABELS, size, replace=False)) for size in sizes]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    stored = random.choice(values, offsets[-1]).astype(np.float32)
    shape = (n_terms, N_LABELS)
    dense = sparse.csr_array((stored, np.concatenate(labels), offsets), shape).toarray()
    peaks = np.maximum(dense.max(axis=1), stored.min()).astype(np.float32)
    labels = np.concatenate(labels).astype(np.int32)
    index = InvertedIndex(offsets, labels, peaks, 1, N_LABELS)
    return index.with_values(stored, bool(stored.min() < 0)), dense


def find(index, terms, counts, k, label_weights=None):
    labels, scores = np.empty((1, k), dtype=np.int64), np.empty((1, k))
    IndexSearcher(index).find(
        np.array([0, len(terms)]),
        terms.astype(np.int32),
        counts.astype(np.float32),
        np.ones(1, dtype=np.float32),
        label_weights,
        labels,
        scores,
    )
    return labels[0], scores[0]


def best(scores, k):
    order = np.argsort(-scores, kind="stable")[:k]
    order = order[scores[order] > 0]
    padding = k - len(order)
    return (
        np.pad(order, (0, padding), constant_values=-1),
        np.pad(scores[order], (0, padding), constant_values=-np.inf),
    )


# Sums of a few eighths are exact, whatever the order: ties are ties.
@pytest.mark.parametrize("k", [1, 10, 300, N_LABELS])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("values", [[1], [0.5, 1, 1.5], [0, 0.25, 2], [-1, 0.5, 1]])
def test_best_labels_and_ties(values, is_weighted, k):
    random = np.random.default_rng(len(values) + k)
    index, dense = make_index(random, 60, values)
    weights = None
    if is_weighted:
        weights = random.choice([0, 0.5, 1], N_LABELS).astype(np.float32)
    for size in [1, 2, 3, 5, 8, 60] if k < N_LABELS else [3]:
        terms = random.choice(60, size, replace=False)
        counts = random.choice([0.5, 1, 2, 4], size)
        expected = counts @ dense[terms]
        if is_weighted:
            expected = expected * weights
        found = find(index, terms, counts, k, weights)
        for one, other in zip(found, best(expected, k), strict=True):
            np.testing.assert_array_equal(one, other)


def test_queries_of_negative_values():
    random = np.random.default_rng(0)
    index, dense = make_index(random, 30, [0.5, 1, 2])
    for _ in range(20):
        terms = random.choice(30, 5, replace=False)
        counts = random.choice([-1, 1, 2], 5)
        found = find(index, terms, counts, 10)
        for one, other in zip(found, best(counts @ dense[terms], 10), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_search_ends_once_no_label_can_be_better():
    labels = np.tile(np.arange(N_LABELS, dtype=np.int32), 2)
    offsets = np.array([0, N_LABELS, 2 * N_LABELS])
    index = InvertedIndex(offsets, labels, np.ones(2, np.float32), 1, N_LABELS)
    searcher = IndexSearcher(
        index.with_values(np.ones(2 * N_LABELS, np.float32), False)
    )
    found, scores = np.empty((1, 5), dtype=np.int64), np.empty((1, 5))
    terms = np.arange(2, dtype=np.int32)
    one = np.ones(1, np.float32)
    searcher.find(
        np.array([0, 2]), terms, np.ones(2, np.float32), one, None, found, scores
    )
    assert found.tolist() == [[0, 1, 2, 3, 4]]
    assert searcher.n_read < 5_000
