"""Texts, and what matrices of their n-grams have to equal."""

from collections import Counter
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import (
    TfidfVectorizer,
)

from skxmr.text import (
    CharNgramTfidf,
    PrefixWeightedCharTfidf,
    WordNgramTfidf,
)

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
