"""Character n-grams equal those of a slow implementation."""

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ngram_twins import (
    SENTENCES,
    char_ngrams,
    check_chars,
    same_matrix,
    texts,
)
from sklearn.feature_extraction.text import (
    TfidfVectorizer,
    strip_accents_ascii,
    strip_accents_unicode,
)

from skxmr.text import (
    CharNgramTfidf,
)

pytestmark = pytest.mark.kernels


def test_char_ngrams_by_hand():
    vectorizer = CharNgramTfidf().fit(["Echo ab a"])
    assert list(vectorizer.vocabulary_) == ["a#", "ab#", "cho", "ech", "ho#"]
    vectorizer = CharNgramTfidf(ngram_range=(1, 2)).fit(["ab"])
    assert list(vectorizer.vocabulary_) == ["#", "a", "ab", "b", "b#"]


def test_a_hash_in_the_text_is_a_character():
    vectorizer = CharNgramTfidf().fit(["a#b # ##"])
    assert list(vectorizer.vocabulary_) == ["##", "###", "#b#", "a#b"]


def test_a_short_word_counts_once_whatever_the_range():
    vectorizer = CharNgramTfidf(ngram_range=(2, 5), norm=None, use_idf=False)
    X = vectorizer.fit_transform(["a", "abc"])
    assert list(vectorizer.vocabulary_) == [
        "a#",
        "ab",
        "abc",
        "abc#",
        "bc",
        "bc#",
        "c#",
    ]
    assert set(X.data) == {1.0}


@pytest.mark.parametrize(
    "ngram_range", [(1, 1), (3, 3), (1, 3), (2, 5), (4, 4), (9, 20)]
)
@pytest.mark.parametrize("sublinear_tf", [True, False])
@pytest.mark.parametrize("smooth_idf", [True, False])
def test_chars_equal_the_slow_twin(ngram_range, sublinear_tf, smooth_idf):
    check_chars(
        SENTENCES,
        [*SENTENCES[::2], "unseen ŵords"],
        *ngram_range,
        sublinear_tf=sublinear_tf,
        smooth_idf=smooth_idf,
    )


@settings(deadline=None, max_examples=150)
@given(train=texts, test=texts, low=st.integers(1, 4), more=st.integers(0, 3))
def test_chars_equal_the_slow_twin_on_random_texts(train, test, low, more):
    check_chars(train, test, low, low + more)


@pytest.mark.parametrize(
    ("parameters", "normalise"),
    [
        ({"lowercase": False}, str),
        ({"strip_accents": "unicode"}, lambda s: strip_accents_unicode(s.lower())),
        ({"strip_accents": "ascii"}, lambda s: strip_accents_ascii(s.lower())),
        ({"strip_accents": str.title}, lambda s: s.lower().title()),
        ({"preprocessor": str.upper, "strip_accents": "ascii"}, str.upper),
    ],
    ids=["case kept", "unicode", "ascii", "function", "preprocessor"],
)
def test_chars_are_normalised_first(parameters, normalise):
    normalised = [normalise(sentence) for sentence in SENTENCES]
    ours = CharNgramTfidf(**parameters)
    plain = CharNgramTfidf(lowercase=False)
    same_matrix(ours.fit_transform(SENTENCES), plain.fit_transform(normalised))
    assert ours.vocabulary_ == plain.vocabulary_


@pytest.mark.parametrize(
    "parameters",
    [
        {"min_df": 3},
        {"max_df": 0.2, "ngram_range": (2, 3)},
        {"max_features": 20},
        {
            "vocabulary": ["the", "he#", "русск", "ый#", "\ud800#"],
            "ngram_range": (2, 6),
        },
        {"norm": "l1"},
        {"norm": None, "binary": True},
        {"use_idf": False},
    ],
    ids=str,
)
def test_char_parameters_mean_what_they_mean_in_sklearn(parameters):
    theirs = dict(parameters)
    low, high = theirs.pop("ngram_range", (3, 3))
    theirs = TfidfVectorizer(
        analyzer=lambda text: char_ngrams(text.lower(), low, high),
        dtype=np.float32,
        lowercase=False,
        **theirs,
    )
    ours = CharNgramTfidf(**parameters)
    same_matrix(
        ours.fit_transform(SENTENCES), theirs.fit_transform(SENTENCES), rtol=3e-7
    )
    same_matrix(ours.transform(SENTENCES), theirs.transform(SENTENCES), rtol=3e-7)
    assert ours.vocabulary_ == theirs.vocabulary_


def test_strings_that_share_their_bytes_differ():
    # The same code units in strings of one, two and four bytes a character.
    documents = ["ab", "ab \u4e00", "ab \U00010400", "ab é"]
    vectorizer = CharNgramTfidf(norm=None, use_idf=False).fit(documents)
    X = vectorizer.transform(documents).toarray()
    assert (X[:, vectorizer.vocabulary_["ab#"]] == 1).all()


def test_every_white_space_divides():
    spaces = [chr(i) for i in range(sys.maxunicode + 1) if chr(i).isspace()]
    documents = [f"ab{space}cd" for space in spaces]
    vectorizer = CharNgramTfidf().fit(documents)
    assert list(vectorizer.vocabulary_) == ["ab#", "cd#"]
    assert unicodedata.name(spaces[-1]) == "IDEOGRAPHIC SPACE"
