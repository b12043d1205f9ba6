"""Features of one text are the row of the same text among many."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ngram_twins import SENTENCES
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_union

from skxmr.text import CharNgramTfidf, PrefixWeightedCharTfidf, WordNgramTfidf
from skxmr.text._single import LeanTransformer, transform_texts
from skxmr.text._word_forms import normalize_characters, normalize_words

pytestmark = pytest.mark.kernels

TEXTS = [
    *SENTENCES,
    "",
    "  ",
    "10mm A12/3 tea-pot",
    "ÄÖÜ STRASSE straße",
    "İstanbul ДОМ 東京都",
    "\ud800 lone \udfff surrogates",
    "unknown" * 50,
    np.str_("numpy words"),
]

VECTORIZERS = {
    "words": lambda: WordNgramTfidf(ngram_range=(1, 2), token_pattern=r"\S+"),
    "double": lambda: WordNgramTfidf(dtype=np.float64),
    "sublinear": lambda: WordNgramTfidf(sublinear_tf=True),
    "stop words": lambda: WordNgramTfidf(stop_words="english", norm="l1"),
    "all lengths": lambda: CharNgramTfidf(ngram_range=(1, 2**40), norm=None),
    "in Python": lambda: WordNgramTfidf(tokenizer=str.split, token_pattern=None),
    "union": lambda: make_union(
        WordNgramTfidf(preprocessor=normalize_words, ngram_range=(1, 2)),
        CharNgramTfidf(preprocessor=normalize_characters, binary=True),
        PrefixWeightedCharTfidf(use_idf=False),
    ),
    "partly in Python": lambda: make_union(
        CharNgramTfidf(), WordNgramTfidf(dtype=np.float64)
    ),
    "other": lambda: make_union(CharNgramTfidf(), TfidfVectorizer()),
}


@pytest.mark.parametrize("name", VECTORIZERS)
def test_one_text_equals_a_row(name):
    vectorizer = VECTORIZERS[name]().fit(TEXTS[::2])
    lean = LeanTransformer(vectorizer)
    X = transform_texts(vectorizer, TEXTS)
    for i, text in enumerate(TEXTS):
        entries = slice(X.indptr[i], X.indptr[i + 1])
        indices, values = lean.transform_one(text)
        assert indices.dtype == np.int32
        assert values.dtype == np.float32
        np.testing.assert_array_equal(indices, X.indices[entries])
        np.testing.assert_array_equal(values, X.data[entries].astype(np.float32))


def test_unknown_words_are_counted():
    words = WordNgramTfidf(token_pattern=r"\S+", preprocessor=normalize_words)
    lean = LeanTransformer(words.fit(["green tea", "東京都", "\ud800 tea"]))
    assert lean.count_one("green tea tea")[2] == 0
    assert lean.count_one("gren tea gren")[2] == 2
    assert lean.count_one("東京 x")[2] == 1
    assert LeanTransformer(TfidfVectorizer().fit(["tea"])).count_one("x")[2] is None


def test_a_subclass_is_asked_itself():
    class Other(WordNgramTfidf):
        def transform_one(self, text):
            return super().transform_one(text + " tea")

    lean = LeanTransformer(Other(norm=None, use_idf=False).fit(["green tea"]))
    assert lean.transform_one("green")[1].tolist() == [1, 1]


def test_a_new_fit_is_followed():
    lean = LeanTransformer(WordNgramTfidf(norm=None, use_idf=False).fit(["green tea"]))
    lean.vectorizer.fit(["black tea", "bread"])
    assert lean.transform_one("tea bread")[0].tolist() == [1, 2]


def test_threads_share_a_transformer():
    lean = LeanTransformer(VECTORIZERS["union"]().fit(SENTENCES))
    expected = list(map(lean.transform_one, TEXTS))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lean.transform_one, TEXTS * 5))
    for got, wanted in zip(found, expected * 5, strict=True):
        np.testing.assert_array_equal(got[0], wanted[0])
        np.testing.assert_array_equal(got[1], wanted[1])


@pytest.mark.parametrize("text", [None, b"bytes", 3, ["a list"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(TypeError, match="expected str"):
        LeanTransformer(WordNgramTfidf().fit(SENTENCES)).transform_one(text)


def test_a_preprocessor_must_return_a_text():
    words = WordNgramTfidf(preprocessor=str.lower).fit(SENTENCES)
    words._state.cutting.normaliser.preprocessor = len
    with pytest.raises(TypeError, match="expected str"):
        LeanTransformer(words).transform_one("tea")
