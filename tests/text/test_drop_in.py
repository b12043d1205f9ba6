"""What users of TfidfVectorizer reach for, beyond its own tests."""

import io

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer

from skxmr.text import CharNgramTfidf, PrefixWeightedCharTfidf, WordNgramTfidf

TEXTS = ["a wide screen", "the wide, wide world", "", "wide é"]
KINDS = [WordNgramTfidf, CharNgramTfidf, PrefixWeightedCharTfidf]
each = pytest.mark.parametrize("kind", KINDS)


@each
def test_terms_of_rows(kind):
    vectorizer = kind()
    X = vectorizer.fit_transform(TEXTS)
    names = vectorizer.get_feature_names_out()
    for given in (X, X.tocsc(), X.toarray()):
        rows = vectorizer.inverse_transform(given)
        assert len(rows) == len(TEXTS)
        for row, values in zip(rows, X.toarray(), strict=True):
            assert row.tolist() == names[values > 0].tolist()
    assert vectorizer.inverse_transform(X[:0]) == []
    X.data[:] = 0  # stored, but not there
    assert not any(map(len, vectorizer.inverse_transform(X)))
    with pytest.raises(ValueError, match=f"expected {len(names)}"):
        vectorizer.inverse_transform(X[:, 1:])
    with pytest.raises(NotFittedError):
        kind().inverse_transform(X)


@each
def test_idf_can_be_set(kind):
    fitted = kind().fit(TEXTS)
    expected = fitted.transform(TEXTS).toarray()
    copy = kind(vocabulary=fitted.vocabulary_)
    copy.idf_ = fitted.idf_.tolist()
    np.testing.assert_array_equal(copy.transform(TEXTS).toarray(), expected)
    assert copy.idf_.dtype == np.float32
    idf = fitted.idf_.copy()
    copy.idf_ = np.ones(len(idf))
    assert (fitted.idf_ == idf).all()
    ones = kind(vocabulary=fitted.vocabulary_, use_idf=False)
    np.testing.assert_allclose(
        copy.transform(TEXTS).toarray(), ones.fit(TEXTS).transform(TEXTS).toarray()
    )
    assert (
        copy.transform_one("wide")[1].tolist() == copy.transform(["wide"]).data.tolist()
    )


def test_idf_that_cannot_be_set():
    fitted = WordNgramTfidf().fit(TEXTS)
    n_terms, before = len(fitted.idf_), fitted.idf_.copy()
    for bad in ([1.0], np.ones((n_terms, 1)), np.full(n_terms, np.nan), "x"):
        with pytest.raises(ValueError, match=r"idf_ must|could not convert"):
            fitted.idf_ = bad
    assert (fitted.idf_ == before).all()
    with pytest.raises(ValueError, match="cannot be set"):
        WordNgramTfidf(use_idf=False).fit(TEXTS).idf_ = before
    with pytest.raises(NotFittedError):
        WordNgramTfidf().idf_ = before


@each
@pytest.mark.parametrize("dtype", [int, np.int32, np.uint8])
def test_integer_dtypes_are_cast(kind, dtype):
    with pytest.warns(UserWarning, match="'dtype' should be used"):
        X = kind(dtype=dtype).fit_transform(TEXTS)
    expected = kind(dtype=np.float64).fit_transform(TEXTS)
    assert X.dtype == np.float64
    assert (expected != X).nnz == 0


def test_stop_words_that_no_token_matches_are_warned_of():
    vectorizer = WordNgramTfidf(stop_words=["you've", "AND"])
    with pytest.warns(UserWarning, match=r"tokens \['and', 've', 'you'\] not in"):
        vectorizer.fit(TEXTS)
    assert vectorizer.get_stop_words() == {"you've", "AND"}
    assert WordNgramTfidf().get_stop_words() is None


def test_a_pattern_without_effect_is_warned_of():
    with pytest.warns(UserWarning, match="'token_pattern' will not be used"):
        WordNgramTfidf(tokenizer=str.split, token_pattern=r"\w+").fit(TEXTS)
    WordNgramTfidf(tokenizer=str.split).fit(TEXTS)  # the default has not been set


def test_analyzers_are_those_of_scikit_learn():
    settings = {"ngram_range": (1, 2), "strip_accents": "ascii"}
    ours, theirs = WordNgramTfidf(**settings), TfidfVectorizer(**settings)
    for name in ("build_analyzer", "build_preprocessor", "build_tokenizer"):
        one, other = getattr(ours, name)(), getattr(theirs, name)()
        assert [one(text) for text in TEXTS] == [other(text) for text in TEXTS]


def test_documents_in_files(tmp_path):
    paths = []
    for i, text in enumerate(TEXTS):
        paths.append(tmp_path / f"{i}.txt")
        paths[-1].write_text(text, encoding="utf-8")
    expected = WordNgramTfidf().fit_transform(TEXTS).toarray()
    by_path = WordNgramTfidf(input="filename")
    assert (by_path.fit_transform(paths).toarray() == expected).all()
    assert (by_path.transform(map(str, paths)).toarray() == expected).all()
    by_file = WordNgramTfidf(input="file")
    texts = map(io.StringIO, TEXTS)
    assert (by_file.fit_transform(texts).toarray() == expected).all()
    binary = [io.BytesIO(text.encode()) for text in TEXTS]
    assert (by_file.transform(binary).toarray() == expected).all()
    with pytest.raises(FileNotFoundError):
        by_path.transform(["missing.txt"])
    with pytest.raises(AttributeError, match="read"):
        by_file.transform(["a text"])
    for one in ("a path", paths[0]):
        with pytest.raises(ValueError, match="several documents"):
            by_path.fit(one)
    with pytest.raises(ValueError, match="'input' parameter"):
        WordNgramTfidf(input="url").fit(TEXTS)
