"""Compiled and parallel counting give the results of plain counting."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from ngram_twins import (
    SENTENCES,
    attempt,
    check_chars,
    each,
    same_as_sklearn,
    same_matrix,
    texts,
    word_parameters,
)
from sklearn.base import clone

from skxmr.text import (
    WordNgramTfidf,
)
from skxmr.text._counting import Cutting, Tokenising

pytestmark = pytest.mark.kernels


@settings(deadline=None, max_examples=100)
@given(train=texts, test=texts, parameters=word_parameters)
def test_compiled_words_equal_plain_words(train, test, parameters):
    # A group makes the pattern one that the compiled code does not know.
    parameters |= {"smooth_idf": True, "stop_words": None}
    for pattern in [r"\b\w\w+\b", r"(?u)\b\w+\b", r"\w+", r"\w\w+"]:
        compiled = WordNgramTfidf(**parameters | {"token_pattern": pattern})
        grouped = "(?u)(" + pattern.removeprefix("(?u)") + ")"
        plain = WordNgramTfidf(**parameters | {"token_pattern": grouped})
        X, error = attempt(compiled.fit_transform, train)
        X_plain, plain_error = attempt(plain.fit_transform, train)
        assert isinstance(compiled._make_cutting(), Cutting)
        assert isinstance(plain._make_cutting(), Tokenising)
        assert str(error) == str(plain_error)
        if error is None:
            same_matrix(X, X_plain)
            assert compiled.vocabulary_ == plain.vocabulary_
            same_matrix(compiled.transform(test), plain.transform(test))


@each
@pytest.mark.parametrize("most", [1, 40, 700])
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.parametrize("parameters", [{}, {"vocabulary": ["the", "ja", "#"]}])
def test_parts_make_the_whole(transformer, most, n_jobs, parameters, monkeypatch):
    whole = transformer(ngram_range=(1, 3), **parameters)
    expected = whole.fit_transform(SENTENCES)
    monkeypatch.setattr("skxmr.text._counting.MOST_CHARACTERS", most)
    parts = transformer(ngram_range=(1, 3), n_jobs=n_jobs, **parameters)
    same_matrix(parts.fit_transform(SENTENCES), expected)
    assert parts.vocabulary_ == whole.vocabulary_
    same_matrix(parts.transform(SENTENCES), expected)
    same_matrix(parts.fit(SENTENCES).transform(SENTENCES), expected)


def test_parts_make_the_whole_for_a_tokenizer(monkeypatch):
    whole = WordNgramTfidf(tokenizer=str.split, token_pattern=None)
    expected = whole.fit_transform(SENTENCES)
    monkeypatch.setattr("skxmr.text._counting.MOST_CHARACTERS", 100)
    parts = clone(whole).set_params(n_jobs=2)
    same_matrix(parts.fit_transform(SENTENCES), expected)
    assert parts.vocabulary_ == whole.vocabulary_


def test_long_texts():
    rng = np.random.default_rng(0)
    words = [f"wörd{i}" for i in range(3000)]
    documents = [
        " ".join(rng.choice(words, size=50_000)),
        "x" * 100_000 + " " + "y" * 70_000,
        "й" * 100_000,
        "𐐀a" * 50_000,
        "one short one",
    ]
    same_as_sklearn({"ngram_range": (1, 2)}, documents, documents)
    same_as_sklearn({"ngram_range": (1, 2), "binary": True}, documents, documents)
    check_chars(documents, documents, 3, 4)


# One text at a time


@each
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"ngram_range": (1, 4), "norm": "l1"},
        {"use_idf": False, "norm": None, "dtype": np.float64},
        {"strip_accents": "unicode", "min_df": 2, "max_features": 10},
        {"preprocessor": str.upper},
    ],
    ids=str,
)
def test_transform_one_equals_transform(transformer, parameters):
    vectorizer = transformer(**parameters).fit(SENTENCES)
    X = vectorizer.transform([*SENTENCES, "the the the the the the"])
    for i, text in enumerate([*SENTENCES, "the the the the the the"]):
        indices, values = vectorizer.transform_one(text)
        assert indices.dtype == np.int32
        assert values.dtype == X.dtype
        entries = slice(X.indptr[i], X.indptr[i + 1])
        np.testing.assert_array_equal(indices, X.indices[entries])
        np.testing.assert_array_equal(values, X.data[entries])


@each
def test_threads_share_a_fitted_model(transformer):
    vectorizer = transformer(ngram_range=(1, 3)).fit(SENTENCES)
    expected = [vectorizer.transform_one(text) for text in SENTENCES]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            found = list(pool.map(vectorizer.transform_one, SENTENCES * 4))
            for got, wanted in zip(found, expected * 4, strict=True):
                np.testing.assert_array_equal(got[0], wanted[0])
                np.testing.assert_array_equal(got[1], wanted[1])


@each
@pytest.mark.parametrize("text", [None, b"bytes", 3, ["a list"]])
def test_transform_one_refuses_what_is_no_text(transformer, text):
    with pytest.raises(TypeError, match="str"):
        transformer().fit(SENTENCES).transform_one(text)
