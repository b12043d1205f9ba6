"""Word n-grams equal those of TfidfVectorizer."""

import sys
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from ngram_twins import (
    same_as_sklearn,
    texts,
    word_parameters,
)
from sklearn.feature_extraction.text import (
    TfidfVectorizer,
)

from skxmr.text import (
    WordNgramTfidf,
)

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"ngram_range": (1, 2)},
        {"ngram_range": (1, 3)},
        {"ngram_range": (2, 2)},
        {"ngram_range": (2, 5)},
        {"ngram_range": (40, 50)},
        {"min_df": 2},
        {"min_df": 0.1, "max_df": 0.3},
        {"max_df": 2, "ngram_range": (1, 2)},
        {"min_df": 30},
        {"min_df": 3, "max_df": 2},
        {"max_features": 5},
        {"max_features": 7, "min_df": 2, "ngram_range": (1, 2)},
        {"max_features": 7, "binary": True},
        {"max_features": 100_000},
        {"vocabulary": ["the", "house", "of the", "nowhere"]},
        {"vocabulary": ["the", "house", "of the", "nope"], "ngram_range": (1, 2)},
        {"vocabulary": {"the": 1, "house": 0, "日本語のテキスト": 2}},
        pytest.param({"vocabulary": {"the", "house", "история"}}, id="set"),
        {"vocabulary": ["", " ", "two  blanks", "x", "the\0", "\ud800"]},
        {"lowercase": False},
        {"strip_accents": "ascii"},
        {"strip_accents": "unicode"},
        {"strip_accents": "unicode", "lowercase": False},
        {"strip_accents": str.swapcase},
        {"token_pattern": r"(?u)\b\w+\b"},
        {"token_pattern": r"\b\w+\b", "ngram_range": (1, 2)},
        {"token_pattern": r"\b\w\w+\b"},
        {"token_pattern": r"(?u)\w+"},
        {"token_pattern": r"(?a)\b\w\w+\b"},
        {"token_pattern": r"\S+"},
        {"token_pattern": r"\w(\w+)"},
        {"token_pattern": r".", "ngram_range": (1, 3)},
        {"token_pattern": r"z*"},
        {"stop_words": ["the", "of", "ja"]},
        {"stop_words": ["the", "of", "ja"], "ngram_range": (1, 2)},
        {"stop_words": "english", "ngram_range": (1, 2)},
        {"stop_words": []},
        {"tokenizer": str.split, "token_pattern": None},
        {"tokenizer": list, "token_pattern": None, "ngram_range": (2, 3)},
        {"tokenizer": str.split, "token_pattern": None, "stop_words": ["the"]},
        {"preprocessor": str.upper, "ngram_range": (1, 2)},
        {"preprocessor": str.casefold, "strip_accents": "ascii"},
        {"norm": "l1"},
        {"norm": None},
        {"use_idf": False},
        {"use_idf": False, "norm": None},
        {"smooth_idf": False},
        {"smooth_idf": False, "vocabulary": ["the", "house"]},
        {"sublinear_tf": True},
        {"binary": True},
        {"binary": True, "use_idf": False, "norm": None},
        {"dtype": np.float64, "ngram_range": (1, 2), "sublinear_tf": True},
    ],
    ids=str,
)
def test_words_equal_sklearn(parameters):
    same_as_sklearn(parameters)


@pytest.mark.parametrize("smooth_idf", [True, False])
def test_logarithms_are_rounded_once(smooth_idf):
    """Taken in double precision, so that no processor gets other bits."""
    train = [" ".join(f"w{j}" for j in range(1, 900) if i % j == 0) for i in range(900)]
    ours = WordNgramTfidf(smooth_idf=smooth_idf, sublinear_tf=True, norm=None)
    ours.fit(train)
    for number, word in enumerate(ours.get_feature_names_out()):
        in_documents = len(range(0, 900, int(word[1:])))
        idf = log((900 + smooth_idf) / (in_documents + smooth_idf)) + 1
        assert ours.idf_[number] == np.float32(idf)
    for n_times in range(1, 200):
        found = ours.transform(["w1 " * n_times]).data[0]
        expected = np.float32(log(n_times) + 1) * ours.idf_[ours.vocabulary_["w1"]]
        assert found == expected


@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
@settings(deadline=None, max_examples=150)
@given(train=texts, test=texts, parameters=word_parameters)
def test_words_equal_sklearn_on_random_texts(train, test, parameters):
    if "vocabulary" in parameters:
        parameters["smooth_idf"] = True  # else theirs can hold infinities
    same_as_sklearn(parameters, train, test)


def test_every_word_character_is_one():
    # One document for each character that there is.
    characters = "".join(map(chr, range(sys.maxunicode + 1)))
    documents = [
        " ".join(f"{c}x" for c in characters[i : i + 4096])
        for i in range(0, len(characters), 4096)
    ]
    for pattern in [r"(?u)\b\w\w+\b", r"\b\w+\b"]:
        ours = WordNgramTfidf(lowercase=False, token_pattern=pattern).fit(documents)
        theirs = TfidfVectorizer(lowercase=False, token_pattern=pattern).fit(documents)
        assert ours.get_feature_names_out().tolist() == (
            theirs.get_feature_names_out().tolist()
        )
