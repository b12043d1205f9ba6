"""Features of texts as if a vectorizer had not been fitted to them."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_union

from skxmr import CharNgramTfidf, WordNgramTfidf
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
