import pickle
import sys
import unicodedata
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import log, sqrt

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import (
    TfidfVectorizer,
    strip_accents_ascii,
    strip_accents_unicode,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler

from skxmr.text import (
    CharNgramTfidf,
    PrefixWeightedCharTfidf,
    WordNgramTfidf,
)
from skxmr.text._counting import Cutting, Tokenising

pytestmark = pytest.mark.kernels

# ruff: noqa: RUF001 - letters that look like others are the point
SENTENCES = [
    "The house of widows : an oral history",
    "Teaching orienteering, the second edition (2nd ed.)",
    "the widows of the house and the house of the widows",
    "Öljylämpun äärellä ja yöjunassa Åbohon",
    "öljylämppu, yöjuna & äärettömyys -- Ö-luokka",
    "Äänestäjät äänestävät, äänestämättä jättäneet eivät",
    "Русская литература и история русской литературы",
    "ёлка Ёлка ЁЛКА, й и́ и\u0306",
    "中文分词很难 中文 分词",
    "日本語のテキスト、カタカナ ｶﾀｶﾅ ひらがな",
    "한국어 텍스트 형태소",
    "اللغة العربية جميلة جداً العَرَبِيَّة",
    "हिन्दी में क्षेत्र और संस्कृति की किताबें",
    "עברית שָׁלוֹם עולם",
    "Ελληνικά ΟΔΥΣΣΕΥΣ ΣΑΣ Σ. ΑΣ' ΑΣ",
    "İstanbul ISPARTA ıssız İİ",
    "Straße STRASSE ﬁne ﬃ ẞ ŉ ǰ",
    "naïve café cafe\u0301 Ångström Å \u212b",
    "emoji 😀 👩‍👩‍👧‍👦 word😀word 🇫🇮 ☃️",
    "𝐁𝐨𝐥𝐝 𝓼𝓬𝓻𝓲𝓹𝓽 𐐀𐐁𐐨 𠀀𠀁",
    "snake_case __init__ a_b _ x1 ² ½ ٣٤ Ⅷ ①②",
    "nul\0nul \0 \0\0 a\0b",
    "lone \ud800 sur\udfffrogate \udc80\udc80",
    "tabs\tand\nnew\r\nlines\u2028and\u3000wide\xa0no-break\x1fsep\x85nel",
    "zero\u200bwidth\u200djoin\ufeffbom soft\u00adhyphen",
    "#hash tag# a#b ## C# c",
    "a bb ccc dddd eeeee",
    "THE THE THE the tHe",
    "1984 3.14 1,000 0x1F 64GB",
    "ªº ǅ ǈ ʰ ꙮ ⅷ",
    "",
    " ",
    " \t\n\u2003 ",
    "!",
    "?! ... --",
    "x",
]
TRANSFORMERS = [WordNgramTfidf, CharNgramTfidf, PrefixWeightedCharTfidf]
each = pytest.mark.parametrize("transformer", TRANSFORMERS)
counting = pytest.mark.parametrize("transformer", [WordNgramTfidf, CharNgramTfidf])


def char_ngrams(text, low, high):
    """Say again, slowly, what an n-gram inside a marked word is."""
    found = []
    for word in text.split():
        marked = [*word, "#"]
        for n in range(low, high + 1):
            starts = range(len(marked) - n + 1)
            found.extend("".join(marked[i : i + n]) for i in starts)
        if len(marked) < low:
            found.append("".join(marked))
    return found


def char_tfidf(train, test, low, high, *, sublinear_tf=False, smooth_idf=True):
    """Character n-gram TF-IDF, by the formula: a list of {n-gram: value} a text."""
    train = [Counter(char_ngrams(text.lower(), low, high)) for text in train]
    df = Counter(ngram for counts in train for ngram in counts)
    n, extra = len(train) + smooth_idf, int(smooth_idf)
    rows = []
    for text in test:
        counts = Counter(char_ngrams(text.lower(), low, high))
        row = {
            ngram: (1 + log(tf) if sublinear_tf else tf)
            * (1 + log(n / (df[ngram] + extra)))
            for ngram, tf in counts.items()
            if df[ngram]
        }
        length = sqrt(sum(value * value for value in row.values()))
        rows.append({ngram: value / length for ngram, value in row.items()})
    return sorted(df), rows


def same_matrix(ours, theirs, *, rtol=0.0):
    """Assert that two CSR matrices have the same entries, stored the same way."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert ours.has_canonical_format
    theirs = theirs.copy()
    theirs.sort_indices()
    np.testing.assert_array_equal(ours.indptr, theirs.indptr)
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_allclose(ours.data, theirs.data, rtol=rtol)


def same_as_sklearn(parameters, train=SENTENCES, test=SENTENCES):
    """Assert that words come out as TfidfVectorizer makes them."""
    parameters = {"dtype": np.float32, **parameters}
    theirs, their_error = attempt(TfidfVectorizer(**parameters).fit, train)
    ours, our_error = attempt(WordNgramTfidf(**parameters).fit, train)
    assert (their_error is None) == (our_error is None), (their_error, our_error)
    if our_error is not None:
        assert type(our_error) is type(their_error)
        return
    assert ours.vocabulary_ == theirs.vocabulary_
    assert (
        ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    )
    # Their logarithm has the precision of the result and depends on the processor, and
    # their fit_transform adds up in another order: the last digit may differ.
    rtol = 4 * np.finfo(parameters["dtype"]).eps
    if ours.use_idf:
        assert ours.idf_.dtype == parameters["dtype"]
        np.testing.assert_allclose(ours.idf_, theirs.idf_, rtol=rtol)
    same_matrix(ours.transform(test), theirs.transform(test), rtol=rtol)
    again = clone(ours)
    same_matrix(again.fit_transform(train), theirs.fit_transform(train), rtol=rtol)
    same_matrix(again.transform(test), ours.transform(test))


def attempt(function, *arguments):
    try:
        return function(*arguments), None
    except ValueError as error:
        return None, error


# Words against TfidfVectorizer


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


texts = st.lists(
    st.one_of(
        st.text(st.sampled_from("aAbB _#.é\u0301Σ\U00010400\ud800\0\n"), max_size=30),
        st.text(max_size=20),
        st.text(st.characters(), max_size=20),  # with surrogates
        st.sampled_from(SENTENCES),
    ),
    min_size=1,
    max_size=8,
)
word_parameters = st.fixed_dictionaries(
    {},
    optional={
        "ngram_range": st.tuples(st.integers(1, 3), st.integers(0, 3)).map(
            lambda pair: (pair[0], pair[0] + pair[1])
        ),
        "min_df": st.sampled_from([1, 2, 0.2]),
        "max_df": st.sampled_from([1.0, 0.7, 3]),
        "max_features": st.integers(1, 10),
        "vocabulary": st.sets(st.sampled_from(["a", "b", "aa", "aa bb", "_a"])),
        "lowercase": st.booleans(),
        "strip_accents": st.sampled_from([None, "ascii", "unicode"]),
        "token_pattern": st.sampled_from(
            [r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"\b\w+\b", r"\S\S"]
        ),
        "stop_words": st.sampled_from([None, ["a", "aa", "b"]]),
        "norm": st.sampled_from(["l1", "l2", None]),
        "use_idf": st.booleans(),
        "smooth_idf": st.booleans(),
        "sublinear_tf": st.booleans(),
        "binary": st.booleans(),
        "dtype": st.sampled_from([np.float32, np.float64]),
    },
)


@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
@settings(deadline=None, max_examples=150)
@given(train=texts, test=texts, parameters=word_parameters)
def test_words_equal_sklearn_on_random_texts(train, test, parameters):
    if "vocabulary" in parameters:
        parameters["smooth_idf"] = True  # else theirs can hold infinities
    same_as_sklearn(parameters, train, test)


# Characters against the slow twin


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


def check_chars(train, test, low, high, **parameters):
    ours, error = attempt(
        CharNgramTfidf(ngram_range=(low, high), dtype=np.float64, **parameters).fit,
        train,
    )
    names, rows = char_tfidf(train, test, low, high, **parameters)
    if not names:
        assert "empty vocabulary" in str(error)
        return
    assert ours.get_feature_names_out().tolist() == names
    assert ours.vocabulary_ == {name: i for i, name in enumerate(names)}
    for X in [
        ours.transform(test),
        ours.set_params(dtype=np.float32).fit(train).transform(test),
    ]:
        assert X.has_canonical_format
        assert X.dtype == ours.dtype or X.dtype == np.float64
        for i, row in enumerate(rows):
            entries = slice(X.indptr[i], X.indptr[i + 1])
            columns = [ours.vocabulary_[ngram] for ngram in sorted(row)]
            np.testing.assert_array_equal(X.indices[entries], columns)
            values = [row[ngram] for ngram in sorted(row)]
            np.testing.assert_allclose(X.data[entries], values, rtol=1e-6)


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


# The compiled code against the plain one, which its tests above hold to scikit-learn's


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


# Contracts


@each
@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        iter,
        lambda texts: (text for text in texts),
        lambda texts: np.array(texts, dtype=object),
        np.array,
        pd.Series,
        lambda texts: pd.Series(texts, index=range(5, 5 + len(texts)), dtype="string"),
        pl.Series,
    ],
)
def test_containers(transformer, container):
    # NumPy's strings cannot end in NUL, and polars' hold no surrogates.
    sentences = [s for s in SENTENCES if "\ud800" not in s]
    expected = transformer().fit_transform(sentences)
    same_matrix(transformer().fit_transform(container(sentences)), expected)
    fitted = transformer().fit(container(sentences))
    same_matrix(fitted.transform(container(sentences)), expected)


@each
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
@pytest.mark.parametrize(
    ("documents", "error", "message"),
    [
        (
            "one text",
            ValueError,
            "raw_documents must be an iterable of str.*single str",
        ),
        (b"bytes", ValueError, "raw_documents.*single bytes"),
        (None, TypeError, "raw_documents.*NoneType"),
        (3, TypeError, "raw_documents.*int"),
        (["a", None], TypeError, r"raw_documents\[1\] must be a str; got None"),
        (["a", "b", np.nan], TypeError, r"raw_documents\[2\].*nan of type float"),
        ([b"a"], TypeError, r"raw_documents\[0\].*b'a' of type bytes"),
        ([["a"]], TypeError, r"raw_documents\[0\].*list"),
        (pd.Series(["a", None]), TypeError, r"raw_documents\[1\]"),
        (pl.Series(["a", None]), TypeError, r"raw_documents\[1\].*None"),
        (pd.DataFrame({"text": ["a"]}), ValueError, "one dimension.*DataFrame"),
        (pl.DataFrame({"text": ["a"]}), ValueError, "one dimension.*DataFrame"),
        (np.array([["a"]]), ValueError, r"one dimension.*\(1, 1\)"),
        (np.array("a"), ValueError, "one dimension"),
    ],
    ids=str,
)
def test_bad_documents(transformer, method, documents, error, message):
    vectorizer = transformer().fit(SENTENCES)
    with pytest.raises(error, match=message):
        getattr(vectorizer, method)(documents)
    # Nothing is half-changed.
    same_matrix(vectorizer.transform(SENTENCES), transformer().fit_transform(SENTENCES))


@each
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ngram_range": (2, 1)}, "ngram_range"),
        ({"ngram_range": (0, 1)}, "ngram_range"),
        ({"ngram_range": (1,)}, "ngram_range"),
        ({"ngram_range": (1, 2, 3)}, "ngram_range"),
        ({"ngram_range": (1.0, 2)}, "ngram_range"),
        ({"ngram_range": [1, 2]}, "ngram_range"),
        ({"min_df": -1}, "min_df"),
        ({"min_df": 1.5}, "min_df"),
        ({"max_df": 0}, "max_df"),
        ({"max_features": 0}, "max_features"),
        ({"vocabulary": []}, "empty vocabulary"),
        ({"vocabulary": {}}, "empty vocabulary"),
        ({"vocabulary": ["a", "b", "a"]}, "Duplicate term in vocabulary: 'a'"),
        ({"vocabulary": {"a": 0, "b": 2}}, "vocabulary.*0 to 1"),
        ({"vocabulary": {"a": 0, "b": 0}}, "vocabulary.*0 to 1"),
        ({"vocabulary": 3}, "vocabulary"),
        ({"lowercase": "yes"}, "lowercase"),
        ({"strip_accents": "utf"}, "strip_accents"),
        ({"preprocessor": "lower"}, "preprocessor"),
        ({"norm": "l3"}, "norm"),
        ({"use_idf": None}, "use_idf"),
        ({"smooth_idf": 2}, "smooth_idf"),
        ({"dtype": np.int32}, "dtype must be float32 or float64"),
        ({"dtype": np.float16}, "dtype must be float32 or float64"),
        ({"n_jobs": "all"}, "n_jobs"),
    ],
    ids=str,
)
def test_bad_parameters(transformer, parameters, message):
    vectorizer = transformer(**parameters)
    with pytest.raises(ValueError, match=message):
        vectorizer.fit(SENTENCES)
    with pytest.raises(ValueError, match=message):
        vectorizer.fit_transform(SENTENCES)
    with pytest.raises(NotFittedError):
        vectorizer.transform(SENTENCES)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"token_pattern": None}, ValueError, "token_pattern"),
        ({"token_pattern": r"(\w)(\w)"}, ValueError, "More than 1 capturing group"),
        ({"stop_words": "finnish"}, ValueError, "stop_words"),
        ({"tokenizer": "split"}, ValueError, "tokenizer"),
        ({"vocabulary": [1, 2]}, TypeError, "vocabulary"),
    ],
    ids=str,
)
def test_bad_word_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        WordNgramTfidf(**parameters).fit(SENTENCES)


@each
@pytest.mark.parametrize("documents", [[], [""], [" ", "\n"]])
def test_no_ngram_at_all(transformer, documents):
    with pytest.raises(ValueError, match="empty vocabulary"):
        transformer().fit(documents)


@counting
@pytest.mark.parametrize("parameter", ["sublinear_tf", "binary"])
def test_bad_parameters_of_counts(transformer, parameter):
    with pytest.raises(ValueError, match=parameter):
        transformer(**{parameter: "no"}).fit(SENTENCES)


@counting
@pytest.mark.parametrize("parameter", ["sublinear_tf", "binary"])
def test_transform_one_equals_transform_of_counts(transformer, parameter):
    vectorizer = transformer(ngram_range=(1, 4), norm=None, **{parameter: True})
    X = vectorizer.fit_transform(SENTENCES)
    for sentence, row in zip(SENTENCES, X, strict=True):
        np.testing.assert_array_equal(vectorizer.transform_one(sentence)[1], row.data)


@each
def test_no_ngram_left(transformer):
    with pytest.raises(ValueError, match="no terms remain"):
        transformer(min_df=2).fit(["six", "kuu"])
    with pytest.raises(ValueError, match=r"max_df.*min_df"):
        transformer(min_df=3, max_df=1).fit(["six", "kuu"])


@each
def test_a_term_without_a_finite_weight(transformer):
    vectorizer = transformer(vocabulary=["the", "nowhere"], smooth_idf=False)
    with pytest.raises(ValueError, match=r"smooth_idf=False.*'nowhere'"):
        vectorizer.fit(["the the"])
    with pytest.raises(ValueError, match="no document"):
        transformer(vocabulary=["the"]).fit([])


@each
def test_a_vocabulary_that_lower_case_cannot_match(transformer):
    with pytest.warns(UserWarning, match="upper-case"):
        transformer(vocabulary=["Abc"]).fit(SENTENCES)


def test_stop_words_that_the_tokens_cannot_match():
    with pytest.warns(UserWarning, match="stop_words may be inconsistent"):
        vectorizer = WordNgramTfidf(stop_words=["don't"]).fit(SENTENCES)
    vectorizer.transform(SENTENCES)


@each
def test_not_fitted(transformer):
    vectorizer = transformer(vocabulary=["abc"])
    for use in [
        lambda: vectorizer.transform(SENTENCES),
        vectorizer.get_feature_names_out,
        lambda: vectorizer.vocabulary_,
    ]:
        with pytest.raises(NotFittedError, match=transformer.__name__):
            use()


@each
def test_fit_returns_self_and_leaves_parameters_alone(transformer):
    parameters = {"vocabulary": {"the": 0, "ab": 1}, "ngram_range": (1, 2)}
    vectorizer = transformer(**parameters)
    before = {**vectorizer.get_params()}
    assert vectorizer.fit(SENTENCES) is vectorizer
    assert vectorizer.get_params() == before
    assert vectorizer.fixed_vocabulary_
    assert parameters["vocabulary"] == {"the": 0, "ab": 1}
    copy = clone(vectorizer)
    assert copy.get_params() == before
    with pytest.raises(NotFittedError):
        copy.transform(SENTENCES)


@each
def test_input_is_not_changed(transformer):
    sentences = list(SENTENCES)
    transformer().fit(sentences).transform(sentences)
    assert sentences == SENTENCES


@each
def test_refit_forgets(transformer):
    vectorizer = transformer().fit(["something else altogether"])
    assert "something"[:3] in "".join(vectorizer.vocabulary_)
    vectorizer.set_params(use_idf=False).fit(SENTENCES)
    expected = transformer(use_idf=False).fit(SENTENCES)
    assert vectorizer.vocabulary_ == expected.vocabulary_
    assert vectorizer.idf_ is None
    same_matrix(vectorizer.transform(SENTENCES), expected.transform(SENTENCES))


@each
@pytest.mark.parametrize("n_jobs", [2, 3, -1])
def test_the_result_does_not_depend_on_n_jobs(transformer, n_jobs):
    sentences = SENTENCES * 20
    one = transformer(ngram_range=(1, 3))
    many = transformer(ngram_range=(1, 3), n_jobs=n_jobs)
    same_matrix(many.fit_transform(sentences), one.fit_transform(sentences))
    same_matrix(many.transform(sentences), one.transform(sentences))
    assert many.vocabulary_ == one.vocabulary_


@each
def test_processes_give_the_same(transformer):
    one = transformer(ngram_range=(1, 2)).fit(SENTENCES * 20)
    many = transformer(ngram_range=(1, 2), n_jobs=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skxmr.text._counting.MOST_CHARACTERS", 20_000)
        with joblib.parallel_config(backend="loky"):
            X = many.fit_transform(SENTENCES * 20)
            same_matrix(many.transform(SENTENCES * 20), X)
    same_matrix(one.transform(SENTENCES * 20), X)
    assert many.vocabulary_ == one.vocabulary_


@each
def test_a_failed_fit_leaves_the_estimator_as_it_was(transformer):
    vectorizer = transformer().fit(SENTENCES)
    expected = vectorizer.transform(SENTENCES)

    def fail(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vectorizer.set_params(preprocessor=fail).fit(["another text"])
    same_matrix(vectorizer.transform(SENTENCES), expected)


@each
def test_pickle(transformer, tmp_path):
    vectorizer = transformer(ngram_range=(1, 3), strip_accents="unicode").fit(SENTENCES)
    expected = vectorizer.transform(SENTENCES)
    before = pickle.dumps(vectorizer)
    assert len(vectorizer.vocabulary_) == expected.shape[1]
    assert len(pickle.dumps(vectorizer)) == len(before)  # the dict stays behind
    path = tmp_path / "model.joblib"
    joblib.dump(vectorizer, path)
    for copy in [
        pickle.loads(before),
        pickle.loads(pickle.dumps(vectorizer, protocol=2)),
        joblib.load(path),
        joblib.load(path, mmap_mode="r"),
    ]:
        same_matrix(copy.transform(SENTENCES), expected)
        assert copy.vocabulary_ == vectorizer.vocabulary_


@each
def test_skops(transformer):
    skops = pytest.importorskip("skops.io")
    sentences = [s for s in SENTENCES if "\ud800" not in s]
    vectorizer = transformer().fit(sentences)
    dump = skops.dumps(vectorizer)
    untrusted = skops.get_untrusted_types(data=dump)
    assert all(name.startswith("skxmr.") for name in untrusted)
    copy = skops.loads(dump, trusted=untrusted)
    same_matrix(copy.transform(sentences), vectorizer.transform(sentences))
    assert copy.vocabulary_ == vectorizer.vocabulary_


@each
def test_dtype_is_kept(transformer):
    for dtype in [np.float32, np.float64]:
        vectorizer = transformer(dtype=dtype).fit(SENTENCES)
        assert vectorizer.idf_.dtype == dtype
        assert vectorizer.transform(SENTENCES).dtype == dtype
        assert vectorizer.fit_transform(SENTENCES).dtype == dtype
        named = transformer(dtype=np.dtype(dtype).name)
        assert named.fit_transform(SENTENCES).dtype == dtype
    assert transformer().fit_transform(SENTENCES).dtype == np.float32


@each
def test_sparse_interface_follows_the_configuration(transformer):
    vectorizer = transformer()
    assert isinstance(vectorizer.fit_transform(SENTENCES), sparse.csr_matrix)
    if "sparse_interface" in sklearn.get_config():
        with sklearn.config_context(sparse_interface="sparray"):
            assert isinstance(vectorizer.fit_transform(SENTENCES), sparse.csr_array)
            assert isinstance(vectorizer.transform(SENTENCES), sparse.csr_array)


@each
def test_indices_are_int32(transformer):
    X = transformer().fit_transform(SENTENCES)
    assert X.indices.dtype == np.int32
    assert transformer().fit(SENTENCES).transform([]).shape == (0, X.shape[1])


@each
def test_tags_and_output(transformer):
    tags = transformer().__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert not hasattr(transformer(), "set_output")  # pandas frames are not sparse
    names = transformer().fit(SENTENCES).get_feature_names_out()
    assert names.dtype == object
    assert all(isinstance(name, str) for name in names)


@each
def test_in_a_union_a_pipeline_and_a_column_transformer(transformer):
    sentences = SENTENCES[:20]
    single = transformer().fit(sentences)
    union = make_union(*(made() for made in TRANSFORMERS))
    pipeline = make_pipeline(union, MaxAbsScaler()).fit(sentences)
    assert pipeline.transform(sentences).shape[0] == len(sentences)
    prefix = transformer.__name__.lower() + "__"
    names = [n for n in union.get_feature_names_out() if n.startswith(prefix)]
    assert names == [prefix + name for name in single.get_feature_names_out()]
    for frame in [
        pd.DataFrame({"title": sentences, "n": range(20)}),
        pl.DataFrame({"title": sentences, "n": range(20)}),
    ]:
        columns = ColumnTransformer([("title", transformer(), "title")])
        same_matrix(
            sparse.csr_matrix(columns.fit_transform(frame)),
            single.transform(sentences),
        )


def test_strings_that_share_their_bytes_differ():
    # The same code units in strings of one, two and four bytes a character.
    documents = ["ab", "ab \u4e00", "ab \U00010400", "ab é"]
    vectorizer = CharNgramTfidf(norm=None, use_idf=False).fit(documents)
    X = vectorizer.transform(documents).toarray()
    assert (X[:, vectorizer.vocabulary_["ab#"]] == 1).all()


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


def test_every_white_space_divides():
    spaces = [chr(i) for i in range(sys.maxunicode + 1) if chr(i).isspace()]
    documents = [f"ab{space}cd" for space in spaces]
    vectorizer = CharNgramTfidf().fit(documents)
    assert list(vectorizer.vocabulary_) == ["ab#", "cd#"]
    assert unicodedata.name(spaces[-1]) == "IDEOGRAPHIC SPACE"
