"""Features of texts as if a vectorizer had not been fitted to them."""

import tracemalloc

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

from skxmr import CharNgramTfidf, WordNgramTfidf
from skxmr.retrieval import _held_out
from skxmr.retrieval._held_out import drop_unseen

OTHERS = ["green tea", "black tea leaves", "rye bread", "tea pot"]
OWN = ["green tae leaves", "unknown words", "tea tea bread", ""]


def seen_by_others(X):
    is_seen = np.zeros(X.shape[1], dtype=bool)
    is_seen[X[len(OWN) :].indices] = True
    return is_seen


@pytest.mark.parametrize("norm", ["l1", "l2", None])
@pytest.mark.parametrize("is_union", [True, False])
def test_rows_are_those_of_a_vectorizer_of_the_other_texts(norm, is_union):
    def make():
        words = WordNgramTfidf(ngram_range=(1, 2), use_idf=False, norm=norm)
        if not is_union:
            return words
        return make_union(words, CharNgramTfidf(use_idf=False, norm=norm))

    both, other = make(), make().fit(OTHERS)
    X = both.fit_transform([*OWN, *OTHERS]).tocsr()
    is_seen, kept = seen_by_others(X), X[: len(OWN)].toarray()
    found = drop_unseen(both, X[: len(OWN)], is_seen)
    names = both.get_feature_names_out()[is_seen].tolist()
    assert names == other.get_feature_names_out().tolist()
    expected = other.transform(OWN).toarray()
    np.testing.assert_allclose(found.toarray()[:, is_seen], expected, rtol=1e-6)
    assert not found.toarray()[:, ~is_seen].any()
    np.testing.assert_array_equal(X[: len(OWN)].toarray(), kept)


@pytest.mark.parametrize("kind", ["frozen", "given", "other", "part of other"])
def test_features_that_do_not_come_from_the_texts_stay(kind):
    texts = [*OWN, *OTHERS]
    vectorizer = {
        "frozen": lambda: FrozenEstimator(WordNgramTfidf().fit(texts)),
        "given": lambda: WordNgramTfidf(vocabulary=["green", "tae", "bread"]),
        "other": TfidfVectorizer,
        "part of other": lambda: make_union(WordNgramTfidf(), TfidfVectorizer()),
    }[kind]()
    X = vectorizer.fit(texts, None).transform(texts).tocsr()
    rows = X[: len(OWN)]
    assert drop_unseen(vectorizer, rows, seen_by_others(X)) is rows


def test_distinct_texts_are_found_without_keeping_them():
    random = np.random.default_rng(0)
    n_rows, length = 2_000, 5_000
    chosen = random.integers(n_rows, size=n_rows)

    def texts():
        for row, number in enumerate(chosen.tolist()):
            # Equal after normalisation.
            start = ("TEA", "te\uff41")[row % 2]
            yield f"{start} {number} " + "x" * length

    class Streamed:
        __len__ = chosen.__len__

        def __iter__(self):
            return texts()

    tracemalloc.start()
    first, of_distinct = _held_out._distinct(Streamed())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n_rows * length / 10
    numbers: dict = {}
    expected = [numbers.setdefault(number, len(numbers)) for number in chosen.tolist()]
    assert of_distinct.tolist() == expected
    assert first.tolist() == [expected.index(i) for i in range(len(numbers))]
