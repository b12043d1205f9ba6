"""Names that are taken are those that `get_feature_names_out` returns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from skxmr import (
    CharNgramTfidf,
    PrefixWeightedCharTfidf,
    TextRetriever,
    WordNgramTfidf,
)
from skxmr.text._feature_names import lazy_feature_names
from skxmr.text._ngram_tfidf import NgramTfidf

TEXTS = ["green tea", "black tea", "rye bread", "thé vert", "茶 \ud800", "tea_1 ab"]
LABELS = [0, 0, 1, 0, 0, 1]
COLUMNS = np.array(["title", "query"])


class Numbered(WordNgramTfidf):
    """A vectorizer with other names."""

    def get_feature_names_out(self, input_features=None):
        return np.array([f"word {i}" for i in range(len(self.vocabulary_))])


class Renaming(FeatureUnion):
    def get_feature_names_out(self, input_features=None):
        return super().get_feature_names_out()[::-1]


class Lengths(TransformerMixin, BaseEstimator):
    """A vectorizer without names."""

    def fit(self, texts, y=None):
        return self

    def transform(self, texts):
        return np.array([[len(text), 1] for text in texts])


def words():
    return WordNgramTfidf(ngram_range=(1, 2))


def to_frame(texts):
    columns = {"title": list(texts), "query": [text[:5] for text in texts]}
    return pd.DataFrame(columns, dtype=object)  # Arrow takes no surrogates


LAZY = {
    "words": words(),
    "characters": CharNgramTfidf(),
    "prefixes": PrefixWeightedCharTfidf(),
    "given": WordNgramTfidf(vocabulary=["tea", "bread", "rye"]),
    "union": make_union(words(), CharNgramTfidf()),
    "nested": make_union(
        words(), make_union(CharNgramTfidf(ngram_range=(1, 2)), words())
    ),
    "weighted": FeatureUnion(
        [("a", words()), ("b", CharNgramTfidf())], transformer_weights={"a": 2.0}
    ),
    "dropped": FeatureUnion(
        [("a", words()), ("b", "drop"), ("c", PrefixWeightedCharTfidf())]
    ),
    "not prefixed": FeatureUnion(
        [("a", words()), ("b", CharNgramTfidf(ngram_range=(9, 9)))],
        verbose_feature_names_out=False,
    ),
    "pipeline": make_pipeline(words(), MaxAbsScaler()),
    "passed through": Pipeline(
        [("a", words()), ("b", "passthrough"), ("c", None), ("d", MaxAbsScaler())]
    ),
    "pipeline of one": make_pipeline(CharNgramTfidf()),
    "union of pipelines": make_union(
        make_pipeline(words(), MaxAbsScaler()), CharNgramTfidf()
    ),
    "pipeline of a union": make_pipeline(
        make_union(words(), CharNgramTfidf()), MaxAbsScaler(), MaxAbsScaler()
    ),
}
OTHERS = {
    "scikit-learn's": TfidfVectorizer(),
    "union with scikit-learn's": make_union(words(), TfidfVectorizer(), words()),
    "other names": Numbered(),
    "union of other names": make_union(Numbered(), words()),
    "union of another class": Renaming([("a", words()), ("b", CharNgramTfidf())]),
    "selection": make_pipeline(words(), SelectKBest(k=4)),
    "projection": make_pipeline(words(), TruncatedSVD(2, random_state=0)),
    "columns": make_pipeline(
        FunctionTransformer(to_frame, feature_names_out=lambda *_: COLUMNS),
        ColumnTransformer([("a", words(), "title"), ("b", words(), "query")]),
    ),
}
NAMELESS = {
    "hashes": HashingVectorizer(n_features=8),
    "lengths": Lengths(),
    "union with lengths": make_union(words(), Lengths()),
    "pipeline of lengths": make_pipeline(Lengths(), MaxAbsScaler()),
    "columns": make_pipeline(
        FunctionTransformer(to_frame),
        ColumnTransformer([("a", words(), "title"), ("b", words(), "query")]),
    ),
}


@pytest.mark.parametrize("kind", [*LAZY, *OTHERS])
def test_names_are_those_of_get_feature_names_out(kind):
    vectorizer = (LAZY | OTHERS)[kind].fit(TEXTS, LABELS)
    expected = [str(name) for name in vectorizer.get_feature_names_out()]
    names = lazy_feature_names(vectorizer)
    assert len(names) == len(expected) == vectorizer.transform(TEXTS).shape[1]
    every = np.arange(len(expected), dtype=np.int32)
    assert names.take(every) == expected
    assert names.take(every[::-2]) == expected[::-2]
    assert names.take(every[:0]) == []
    assert all(type(name) is str for name in names.take(every))


@pytest.mark.parametrize("kind", NAMELESS)
def test_without_names_there_is_an_attribute_error(kind):
    vectorizer = NAMELESS[kind].fit(TEXTS, LABELS)
    with pytest.raises(AttributeError):
        vectorizer.get_feature_names_out()
    with pytest.raises(AttributeError):
        lazy_feature_names(vectorizer)


def test_equal_names_of_a_union_without_prefixes_are_taken():
    union = FeatureUnion(
        [("a", WordNgramTfidf()), ("b", WordNgramTfidf())],
        verbose_feature_names_out=False,
    ).fit(TEXTS)
    with pytest.raises(ValueError, match="not unique"):
        union.get_feature_names_out()
    words = WordNgramTfidf().fit(TEXTS).get_feature_names_out().tolist()
    names = lazy_feature_names(union)
    assert names.take(np.arange(len(names))) == 2 * words


def test_names_of_one_fitted_vectorizer():
    vectorizer = words().fit(TEXTS)
    vectorizer.get_feature_names_out = lambda: ["a"] * len(vectorizer.vocabulary_)
    assert lazy_feature_names(vectorizer).take([0, 1]) == ["a", "a"]


@pytest.mark.parametrize("kind", LAZY)
def test_an_explanation_does_not_make_all_names(kind, monkeypatch):
    retriever = TextRetriever(LAZY[kind]).fit(TEXTS, np.eye(len(TEXTS), dtype=int))
    names = retriever.vectorizer_.get_feature_names_out()

    for owner in (NgramTfidf, FeatureUnion, Pipeline):

        def refuse(*_):
            raise AssertionError("all names were made")

        monkeypatch.setattr(owner, "get_feature_names_out", refuse)
    terms = [
        term
        for label, text in enumerate(TEXTS)
        for node in retriever.explain(text, label).path
        for term in node.terms
    ]
    assert terms
    assert all(term.name == names[term.feature] for term in terms)
