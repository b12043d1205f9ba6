"""Vectors of labels, and the search for the largest products, beside plain NumPy."""

import pickle

import numpy as np
import pytest
from encoders import Recorded, encode
from hypothesis import given
from hypothesis import strategies as st
from skxmr._cython._cpu import SIMD_LEVELS
from skxmr._cython._embedding_search import HALVES_LEVEL, EmbeddingSearcher

from skxmr._embeddings._encoding import Encoder
from skxmr._embeddings._label_embeddings import LabelEmbeddings

TEXTS = [f"{first} {second}" for first in "abcdefgh" for second in ("tea", "bread")]


def expected_vectors(encoded):
    """Differences from the mean, divided by their mean squared length."""
    units = encoded / np.linalg.norm(encoded, axis=1, keepdims=True)
    centred = units - units.mean(axis=0)
    return centred / np.mean(np.sum(centred**2, axis=1))


def make(n_labels, length, seed=0):
    random = np.random.default_rng(seed)
    return LabelEmbeddings(random.normal(size=(n_labels, length)).astype(np.float16))


def expected_labels(embeddings, query, k, factors=None, scale=1.0):
    """Sort by the sums, those of labels that are not found last."""
    sums = embeddings.vectors.astype(np.float64) @ query.astype(np.float64)
    sums[~embeddings.vectors.any(axis=1)] = -np.inf
    if not query.any():
        sums[:] = -np.inf
    if factors is not None:
        with np.errstate(divide="ignore"):
            sums = sums + scale * np.log(factors.astype(np.float64))
    order = np.argsort(-sums, kind="stable")[:k]
    return np.where(sums[order] == -np.inf, -1, order), sums[order]


def assert_found(embeddings, queries, k, *weights):
    found = embeddings.find(queries, k, *weights)
    for query, labels in zip(queries, found, strict=True):
        expected, sums = expected_labels(embeddings, query, k, *weights)
        assert ((labels < 0) == (expected < 0)).all()
        known = labels[labels >= 0]
        assert len(set(known.tolist())) == len(known)
        every, of_every = expected_labels(
            embeddings, query, len(embeddings.vectors), *weights
        )
        sum_of = dict(zip(every.tolist(), of_every.tolist(), strict=True))
        # In the order of the sums, but for those that differ by rounding.
        np.testing.assert_allclose(
            [sum_of[label] for label in known.tolist()],
            sums[: len(known)],
            rtol=1e-4,
            atol=1e-4,
        )


def test_vectors_are_centred_and_scaled():
    embeddings = LabelEmbeddings.encode(TEXTS, Encoder(encode, "encoder"))
    assert embeddings.vectors.dtype == np.float16
    expected = expected_vectors(encode(TEXTS))
    np.testing.assert_allclose(embeddings.vectors, expected, rtol=1e-3, atol=1e-4)
    units = encode(TEXTS) / np.linalg.norm(encode(TEXTS), axis=1, keepdims=True)
    own = np.sum(units * embeddings.vectors, axis=1)
    assert own.mean() == pytest.approx(1, rel=1e-3)


def test_equal_texts_are_encoded_once_and_blank_ones_never():
    recorded = Recorded()
    texts = ["tea", "", "rye bread", "tea", " "]
    embeddings = LabelEmbeddings.encode(texts, Encoder(recorded, "encoder"))
    assert recorded.calls == [["tea", "rye bread"]]
    assert embeddings.vectors.any(axis=1).tolist() == [True, False, True, True, False]
    assert (embeddings.vectors[0] == embeddings.vectors[3]).all()
    of_texts = ["tea", "rye bread", "tea"]
    expected = expected_vectors(encode(of_texts))
    np.testing.assert_allclose(embeddings.vectors[[0, 2, 3]], expected, rtol=2e-3)
    assert LabelEmbeddings.encode(["", " "], Encoder(recorded, "encoder")) is None


def test_a_label_whose_vector_is_zero_has_none():
    def encode_words(texts):
        return np.array([[float("tea" in text), "rye" in text] for text in texts])

    texts = ["tea", "rye bread", "soap"]
    embeddings = LabelEmbeddings.encode(texts, Encoder(encode_words, "encoder"))
    np.testing.assert_allclose(embeddings.vectors, [[1, -1], [-1, 1], [0, 0]])
    query = np.array([[1, 0]], dtype=np.float32)
    assert embeddings.find(query, 3).tolist() == [[0, 1, -1]]


def test_equal_labels_have_no_differences():
    """A single label, or a constant encoder."""
    for texts in (["tea"], ["tea", "bread"]):
        encoder = Encoder(lambda some: np.ones((len(some), 3)), "encoder")
        embeddings = LabelEmbeddings.encode(texts, encoder)
        assert not embeddings.vectors.any()
        assert (embeddings.find(np.ones((1, 3), dtype=np.float32), 2) == -1).all()


def test_progress_is_printed(capsys):
    LabelEmbeddings.encode(TEXTS, Encoder(encode, "encoder"))
    assert capsys.readouterr().out == ""
    LabelEmbeddings.encode(TEXTS, Encoder(encode, "encoder"), verbose=1)
    assert capsys.readouterr().out == "[skxmr] encoding: 16 label texts (0.0 s)\n"


@pytest.mark.kernels
@given(
    n_labels=st.integers(1, 300),
    length=st.integers(1, 100),
    k=st.integers(1, 40),
    seed=st.integers(0, 10),
)
def test_search_finds_the_largest_products(n_labels, length, k, seed):
    embeddings, k = make(n_labels, length, seed), min(k, n_labels)
    random = np.random.default_rng(seed)
    embeddings.vectors[random.random(n_labels) < 0.1] = 0
    queries = random.normal(size=(3, length)).astype(np.float32)
    queries[1] = 0
    assert_found(embeddings, queries, k)
    factors = random.random(n_labels).astype(np.float32)
    factors[random.random(n_labels) < 0.3] = 0
    assert_found(embeddings, queries, k, factors, 0.5)


@pytest.mark.kernels
def test_all_levels_of_instructions_give_the_same_bits():
    random = np.random.default_rng(1)
    for length in (1, 31, 32, 33, 384, 415):
        halves = random.normal(size=(50, length)).astype(np.float16)
        halves[::7] *= np.float16(1e-5)  # also subnormal numbers
        queries = random.normal(size=(2, length)).astype(np.float32)
        results = []
        for level in range(min(HALVES_LEVEL + 1, len(SIMD_LEVELS))):
            labels, scores = np.empty((2, 50), dtype=np.int64), np.empty((2, 50))
            searcher = EmbeddingSearcher(halves.view(np.uint16), level)
            searcher.find(queries, None, 1.0, labels, scores, None)
            results.append((labels, scores))
            products = np.take_along_axis(
                queries.astype(np.float64) @ halves.T.astype(np.float64), labels, 1
            )
            np.testing.assert_allclose(scores, products, rtol=1e-4, atol=1e-5)
        for labels, scores in results[1:]:
            np.testing.assert_array_equal(labels, results[0][0])
            np.testing.assert_array_equal(scores, results[0][1])


def test_equal_products_are_in_the_order_of_labels():
    embeddings = LabelEmbeddings(np.ones((200, 5), dtype=np.float16))
    found = embeddings.find(np.ones((1, 5), dtype=np.float32), 150)
    assert found.tolist() == [list(range(150))]


def test_results_do_not_depend_on_threads_and_other_queries():
    embeddings = make(500, 20)
    queries = np.random.default_rng(2).normal(size=(300, 20)).astype(np.float32)
    found = embeddings.find(queries, 12)
    np.testing.assert_array_equal(embeddings.find(queries, 12, n_jobs=2), found)
    for row in (0, 100, 299):
        np.testing.assert_array_equal(
            embeddings.find(queries[row : row + 1], 12)[0], found[row]
        )
    assert embeddings.find(queries[:0], 12).shape == (0, 12)


def test_kernel_refuses_arrays_that_do_not_match():
    embeddings = make(10, 4)
    with pytest.raises(ValueError, match="queries have 5 entries; expected 4"):
        embeddings.find(np.ones((1, 5), dtype=np.float32), 3)
    factors = np.ones(9, dtype=np.float32)
    with pytest.raises(ValueError, match="factors has 9 entries; expected 10"):
        embeddings.find(np.ones((1, 4), dtype=np.float32), 3, factors)


@pytest.mark.parametrize(
    "vectors",
    [
        None,
        np.zeros(3, dtype=np.float16),
        np.zeros((3, 0), dtype=np.float16),
        np.zeros((3, 4), dtype=np.float32),
        np.full((3, 4), np.nan, dtype=np.float16),
        np.zeros((4, 3), dtype=np.float16).T,
    ],
)
def test_damaged_vectors_are_refused(vectors):
    embeddings = make(3, 4)
    embeddings.find(np.ones((1, 4), dtype=np.float32), 2)
    assert (pickle.loads(pickle.dumps(embeddings)).vectors == embeddings.vectors).all()
    embeddings.vectors = vectors
    with pytest.raises(ValueError, match=r"damaged: .*LabelEmbeddings"):
        pickle.loads(pickle.dumps(embeddings))


def test_vectors_of_more_labels_have_the_mean_of_those_in_fit():
    texts = [f"word{i} tea" for i in range(20)]
    known = LabelEmbeddings.encode(texts, Encoder(encode, "encoder"))
    encoder = Recorded()
    added = ["word3 tea", "  ", "rye bread", "word3 tea"]
    grown = known.with_labels(added, Encoder(encoder, "encoder_labels"))
    assert encoder.calls == [["word3 tea", "rye bread"]]
    np.testing.assert_array_equal(grown.vectors[:20], known.vectors)
    np.testing.assert_array_equal(grown.vectors[[20, 23]], known.vectors[[3, 3]])
    assert not grown.vectors[21].any()
    rye = Encoder(encode, "encoder").of(["rye bread"])
    mean = known.mean
    expected = (rye[0] - mean) / (1 - mean @ mean)
    np.testing.assert_allclose(grown.vectors[22], expected, rtol=1e-3)
    assert grown.find(rye, 1).tolist() == [[22]]
    assert pickle.loads(pickle.dumps(grown)).find(rye, 1).tolist() == [[22]]


def test_more_labels_without_text_call_no_encoder():
    known = LabelEmbeddings.encode(["green tea", "rye"], Encoder(encode, "encoder"))
    encoder = Recorded()
    grown = known.with_labels(["", " "], Encoder(encoder, "encoder"))
    assert encoder.calls == []
    assert grown.vectors.shape == (4, known.length)
