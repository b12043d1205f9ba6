"""Encoders that keep their last results."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from encoders import Recorded, encode
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer

from skxmr import TextRetriever, WordNgramTfidf
from skxmr.retrieval import CachedEncoder

TEXTS = ["red apple", "green pear", "red apple", "phone", "phone case"]


def texts_of(recorded):
    return [text for call in recorded.calls for text in call]


def test_the_same_vectors_and_each_text_once():
    recorded = Recorded()
    cached = CachedEncoder(recorded)
    for _ in range(2):
        np.testing.assert_array_equal(cached(TEXTS), encode(TEXTS))
    np.testing.assert_array_equal(cached(iter(TEXTS[3:])), encode(TEXTS[3:]))
    assert recorded.calls == [["red apple", "green pear", "phone", "phone case"]]
    assert cached(["new"]).shape == (1, 48)
    assert recorded.calls[1:] == [["new"]]


def test_no_texts():
    empty = CachedEncoder(lambda texts: np.zeros((len(texts), 3), dtype=np.float32))
    assert empty([]).shape == (0, 3)


def test_results_are_not_shared():
    cached = CachedEncoder(encode)
    cached(TEXTS)[:] = 0
    np.testing.assert_array_equal(cached(TEXTS), encode(TEXTS))


@pytest.mark.parametrize("max_texts", [1, 2, 3, None])
def test_the_texts_that_were_used_last_are_kept(max_texts):
    recorded = Recorded()
    cached = CachedEncoder(recorded, max_texts)
    for text in "abcacdbaabbcc":
        cached([text])
    kept, expected = [], []
    for text in "abcacdbaabbcc":
        if text in kept:
            kept.remove(text)
        else:
            expected.append(text)
        kept = [*kept, text][-(max_texts or 100) :]
    assert texts_of(recorded) == expected
    assert len(cached._known) == len(kept)


def test_more_texts_at_once_than_are_kept():
    cached = CachedEncoder(encode, 2)
    np.testing.assert_array_equal(cached(TEXTS), encode(TEXTS))
    assert list(cached._known) == TEXTS[3:]


def test_copies_are_the_same_object():
    cached = CachedEncoder(encode)
    assert clone(cached) is copy.copy(cached) is copy.deepcopy(cached) is cached
    assert clone(FunctionTransformer(cached)).func is cached


def test_pickled_without_results():
    cached = CachedEncoder(encode, 7)
    cached(TEXTS)
    again = pickle.loads(pickle.dumps(cached))
    assert again.max_texts == 7
    assert not again._known
    np.testing.assert_array_equal(again(TEXTS), encode(TEXTS))


def test_transformers():
    svd = make_pipeline(HashingVectorizer(n_features=64), TruncatedSVD(2)).fit(TEXTS)
    cached = CachedEncoder(svd)
    np.testing.assert_array_equal(cached(TEXTS[3:]), svd.transform(TEXTS[3:]))


def test_threads():
    cached = CachedEncoder(encode, 3)
    texts = [f"text {i % 7}" for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: cached([text])[0], texts))
    np.testing.assert_array_equal(found, encode(texts))
    assert len(cached._known) == 3


@pytest.mark.parametrize(
    "result",
    [np.zeros(5), np.zeros((3, 2)), sparse.csr_array(np.eye(4)), None, [1, 2, 3, 4]],
)
def test_other_results_are_refused(result):
    cached = CachedEncoder(lambda _: result)
    with pytest.raises(ValueError, match=r"encode returned a .* for 4 texts"):
        cached(TEXTS)
    assert not cached._known


@pytest.mark.parametrize("encoder", [None, "name", 3])
def test_other_encoders_are_refused(encoder):
    with pytest.raises(TypeError, match="encode must be a function"):
        CachedEncoder(encoder)


@pytest.mark.parametrize("max_texts", [0, -1, 1.5, "1", True])
def test_other_numbers_are_refused(max_texts):
    with pytest.raises(ValueError, match=f"max_texts={max_texts!r} must be"):
        CachedEncoder(encode, max_texts)


def test_a_retriever_encodes_each_text_once():
    recorded = Recorded()
    cached = CachedEncoder(recorded, None)
    names = [f"{a}{b} {c}" for a in "pqrs" for b in "aeiou" for c in ("tea", "cup")]
    labels = np.random.default_rng(0).integers(len(names), size=900)
    texts = [f"{names[label]} {row}" for row, label in enumerate(labels)]
    both = make_union(WordNgramTfidf(), FunctionTransformer(cached))
    retriever = TextRetriever(both, encoder=cached, random_state=0)
    retriever.fit(texts, np.eye(len(names), dtype=int)[labels], label_texts=names)
    encoded = texts_of(recorded)
    assert len(encoded) == len(set(encoded))
    assert set(encoded) >= set(texts) | set(names)
    recorded.calls.clear()
    retriever.search("pa tea, please")
    assert recorded.calls == [["pa tea, please"]]
    retriever.search_batch(["qe cup!", "ro cup!", "qe cup!"])
    assert recorded.calls[1:] == [["qe cup!", "ro cup!"]]
