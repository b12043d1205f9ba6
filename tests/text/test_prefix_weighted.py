"""Character n-grams that weigh by position, against their formula said slowly."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skxmr import PrefixWeightedCharTfidf

texts = st.lists(
    st.text(
        st.one_of(st.sampled_from("abAB \t\n"), st.characters(exclude_categories=[])),
        max_size=12,
    ),
    min_size=1,
    max_size=8,
)


def folded(text):
    """Make white space one blank, and none in front."""
    words = text.split()
    return " ".join(words) + (" " if words and text[-1].isspace() else "")


def weighted_ngrams(text, low, high, position):
    """Add up 1 / (1 + start) for each n-gram: {n-gram: tf}."""
    found = {}
    for n in range(low, high + 1):
        for start in range(len(text) - n + 1):
            before = text[:start]
            if position == "word":
                before = before.rpartition(" ")[2]
            ngram = text[start : start + n]
            found[ngram] = found.get(ngram, 0) + 1 / (1 + len(before))
    return found


def tfidf(train, test, low, high, position):
    counted = [weighted_ngrams(folded(t.lower()), low, high, position) for t in train]
    names = sorted({ngram for row in counted for ngram in row})
    df = {name: sum(name in row for row in counted) for name in names}
    X = np.zeros((len(test), len(names)))
    for i, text in enumerate(test):
        row = weighted_ngrams(folded(text.lower()), low, high, position)
        for j, name in enumerate(names):
            idf = log((1 + len(train)) / (1 + df[name])) + 1
            X[i, j] = row.get(name, 0) * idf
        X[i] /= sqrt((X[i] ** 2).sum()) or 1
    return names, X


@settings(deadline=None, max_examples=150)
@given(
    train=texts,
    test=texts,
    ngram_range=st.sampled_from([(1, 1), (1, 3), (2, 3), (3, 5)]),
    position=st.sampled_from(["text", "word"]),
)
def test_values_are_those_of_the_formula(train, test, ngram_range, position):
    names, expected = tfidf(train, test, *ngram_range, position)
    vectorizer = PrefixWeightedCharTfidf(ngram_range=ngram_range, position=position)
    if not names:
        with pytest.raises(ValueError, match="empty vocabulary"):
            vectorizer.fit(train)
        return
    fitted = vectorizer.fit_transform(train)
    assert vectorizer.get_feature_names_out().tolist() == names
    found = vectorizer.transform(test)
    assert found.has_canonical_format
    np.testing.assert_allclose(found.toarray(), expected, rtol=2e-6, atol=1e-7)
    # Both ways of counting add up in the same order.
    again = vectorizer.transform(train)
    np.testing.assert_array_equal(fitted.indices, again.indices)
    np.testing.assert_array_equal(fitted.data, again.data)
    for i, text in enumerate(test):
        columns, values = vectorizer.transform_one(text)
        np.testing.assert_array_equal(columns, found[[i]].indices)
        np.testing.assert_array_equal(values, found[[i]].data)


def test_by_hand():
    vectorizer = PrefixWeightedCharTfidf(
        ngram_range=(2, 2), use_idf=False, norm=None
    ).fit(["banana"])
    assert dict(
        zip(
            vectorizer.get_feature_names_out(),
            vectorizer.transform(["banana"]).toarray()[0].tolist(),
            strict=True,
        )
    ) == pytest.approx({"an": 1 / 2 + 1 / 4, "ba": 1, "na": 1 / 3 + 1 / 5})


def test_words_begin_anew_where_position_says_so():
    parameters = {"ngram_range": (1, 1), "use_idf": False, "norm": None}
    X = PrefixWeightedCharTfidf(position="word", **parameters).fit_transform(["ab b"])
    np.testing.assert_allclose(X.toarray(), [[1 / 3, 1, 1 / 2 + 1]], rtol=1e-6)
    X = PrefixWeightedCharTfidf(position="text", **parameters).fit_transform(["ab b"])
    np.testing.assert_allclose(X.toarray(), [[1 / 3, 1, 1 / 2 + 1 / 4]], rtol=1e-6)


def test_white_space_is_folded_but_the_end_of_a_word_is_kept():
    vectorizer = PrefixWeightedCharTfidf().fit(["new york "])
    rows = vectorizer.transform([" new\t\n york  ", "NEW YORK ", "new york"]).toarray()
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[1] != rows[2]).any()


def test_more_entries_than_foreseen():
    # Many n-grams a character: the arrays of rows must grow, and undo what they had.
    texts = ["abcdefghijklmnopqrstuvwxyz" * 4, "zyx" * 50]
    vectorizer = PrefixWeightedCharTfidf(ngram_range=(1, 30), use_idf=False, norm=None)
    X = vectorizer.fit_transform(texts)
    expected = weighted_ngrams(texts[0], 1, 30, "text")
    found = dict(
        zip(
            vectorizer.get_feature_names_out()[X[[0]].indices], X[[0]].data, strict=True
        )
    )
    assert found == pytest.approx(expected, rel=1e-5)


def test_most_frequent_are_those_of_most_documents():
    vectorizer = PrefixWeightedCharTfidf(ngram_range=(1, 1), max_features=1)
    vectorizer.fit(["aaaa", "b", "b"])
    assert list(vectorizer.vocabulary_) == ["b"]


def test_jobs_change_nothing():
    texts = [f"text {i} of many {i * i}" for i in range(30_000)]
    one = PrefixWeightedCharTfidf().fit_transform(texts)
    two = PrefixWeightedCharTfidf(n_jobs=2).fit_transform(texts)
    np.testing.assert_array_equal(one.data, two.data)
    np.testing.assert_array_equal(one.indices, two.indices)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"position": "letter"}, "'position' parameter"),
        ({"position": None}, "'position' parameter"),
        ({"ngram_range": (3, 1)}, "ngram_range must be"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        PrefixWeightedCharTfidf(**parameters).fit(["a"])
