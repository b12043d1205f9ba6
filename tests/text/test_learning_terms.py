"""Vectorizers that learn terms after fit: known columns stay, later ones follow."""

import copy
import pickle

import numpy as np
import pytest
from ngram_twins import SENTENCES
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer

from skxmr.text import CharNgramTfidf, PrefixWeightedCharTfidf, WordNgramTfidf
from skxmr.text._later_terms import GrownTransformer
from skxmr.text._learning_terms import learn_texts
from skxmr.text._single import LeanTransformer
from skxmr.text._word_forms import normalize_words

# Characters without a lower case of their own stay capital.
pytestmark = pytest.mark.filterwarnings("ignore:vocabulary holds upper-case")

KNOWN = [*SENTENCES, "green tea", "green bread and green tea"]
LATER = ["oolong tea, oolong", "kefir", "green kefir with oolong", "", "ÄÖÜ straße"]
LAST = ["a kefir of the last day", "green tea", "sourdough bread 東京"]
TEXTS = [*KNOWN, *LATER, *LAST, "nothing of these: zzz", "  ", "\ud800"]

VECTORIZERS = {
    "words": WordNgramTfidf(ngram_range=(1, 2)),
    "double": WordNgramTfidf(dtype=np.float64),
    "sublinear": WordNgramTfidf(sublinear_tf=True, smooth_idf=False),
    "stop words": WordNgramTfidf(stop_words="english", norm="l1"),
    "all lengths": CharNgramTfidf(ngram_range=(1, 2**40), norm=None),
    "in Python": WordNgramTfidf(tokenizer=str.split, token_pattern=None),
    "no idf": PrefixWeightedCharTfidf(use_idf=False),
    "normalised": WordNgramTfidf(preprocessor=normalize_words, binary=True),
}
UNION = make_union(VECTORIZERS["words"], CharNgramTfidf(), VECTORIZERS["no idf"])


def fitted(vectorizer):
    vectorizer = copy.deepcopy(vectorizer)
    whole = vectorizer
    while isinstance(vectorizer, FrozenEstimator):
        vectorizer = vectorizer.estimator
    vectorizer.fit(KNOWN)
    return LeanTransformer(whole)


def twin(vectorizer, *batches):
    """Fit to the known terms and those of each batch, with the weights of then."""
    before = copy.deepcopy(vectorizer).fit(KNOWN)
    terms, idf = before.get_feature_names_out().tolist(), before.idf_
    for texts in batches:
        after = copy.deepcopy(vectorizer).fit(texts)
        counted = copy.deepcopy(vectorizer).set_params(norm=None).fit(texts)
        new = [term for term in after.get_feature_names_out() if term not in terms]
        terms = terms + new
        if idf is None:
            continue
        present = counted.transform(texts)
        columns = [counted.vocabulary_[term] for term in new]
        frequency = (present[:, columns] > 0).sum(axis=0)
        smooth = vectorizer.smooth_idf
        ratio = (len(KNOWN) + smooth) / (np.asarray(frequency).ravel() + smooth)
        idf = np.concatenate([idf, (np.log(ratio) + 1).astype(idf.dtype)])
    whole = copy.deepcopy(vectorizer).set_params(vocabulary=terms, smooth_idf=True)
    whole.fit(KNOWN)
    if idf is not None:
        whole._state.weighting.idf = idf
    return whole


def dense(rows):
    return sparse.csr_array(rows).toarray()


def assert_single_texts_are_rows(transformer, rows):
    for i, text in enumerate(TEXTS):
        indices, values = transformer.transform_one(text)
        row = sparse.csr_array(rows[[i]], dtype=np.float32)
        row.sort_indices()
        np.testing.assert_array_equal(indices, row.indices)
        np.testing.assert_array_equal(values, row.data)
        assert (indices.dtype, values.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize("name", VECTORIZERS)
def test_features_are_those_of_a_larger_vocabulary(name):
    transformer = fitted(VECTORIZERS[name])
    for batches in ([LATER], [LATER, LAST]):
        transformer, features = learn_texts(transformer, batches[-1])
        expected = twin(VECTORIZERS[name], *batches)
        rows = transformer.transform(TEXTS)
        np.testing.assert_allclose(
            dense(rows), dense(expected.transform(TEXTS)), rtol=1e-6
        )
        assert transformer.n_features == rows.shape[1]
        names = transformer.names_of(np.arange(rows.shape[1]))
        assert names == expected.get_feature_names_out().tolist()
        # Those that were learned with the terms are the same to the bit.
        np.testing.assert_array_equal(
            dense(features), dense(transformer.transform(batches[-1]))
        )
        assert_single_texts_are_rows(transformer, rows)


def test_later_columns_follow_all_parts_of_a_union():
    known = fitted(UNION)
    width = known.n_features
    before = dense(known.transform(TEXTS))
    transformer, features = learn_texts(known, LATER)
    rows = transformer.transform(TEXTS)
    assert features.shape == (len(LATER), transformer.n_features)
    assert_single_texts_are_rows(transformer, rows)
    has_later = np.diff(rows[:, width:].indptr) > 0
    assert 0 < has_later.sum() < len(TEXTS)
    np.testing.assert_array_equal(dense(rows)[~has_later, :width], before[~has_later])
    names = transformer.get_feature_names_out()
    expected = known.vectorizer.get_feature_names_out().tolist()
    assert names[:width].tolist() == expected
    assert "wordngramtfidf__oolong" in names[width:]
    assert "charngramtfidf__kef" in names[width:]
    assert transformer.names_of(np.array([width, 0])) == [names[width], names[0]]
    # Each part by itself is as in its own twin.
    words = twin(UNION.transformer_list[0][1], LATER)
    of_words = [str(name).startswith("word") for name in names]
    np.testing.assert_allclose(
        dense(rows)[:, of_words], dense(words.transform(TEXTS)), rtol=1e-6
    )


def test_what_was_learned_stays():
    first, _ = learn_texts(fitted(UNION), LATER)
    before = dense(first.transform(LATER))
    second, _ = learn_texts(first, LAST)
    assert second.n_features > first.n_features
    np.testing.assert_array_equal(
        dense(second.transform(LATER))[:, : first.n_features], before
    )
    np.testing.assert_array_equal(dense(first.transform(LATER)), before)
    same, features = learn_texts(second, [*LATER, *LAST, *KNOWN])
    assert same is second
    assert features.shape == (len([*LATER, *LAST, *KNOWN]), second.n_features)
    loaded = pickle.loads(pickle.dumps(second))
    np.testing.assert_array_equal(
        dense(loaded.transform(TEXTS)), dense(second.transform(TEXTS))
    )


def test_bounds_of_document_frequencies_hold_for_later_terms():
    vectorizer = WordNgramTfidf(min_df=2, max_df=3)
    known = fitted(vectorizer)
    texts = ["once", "twice", "twice", *["often"] * 4]
    grown, features = learn_texts(known, texts)
    assert grown.names_of(np.arange(known.n_features, grown.n_features)) == ["twice"]
    assert np.diff(features.indptr).tolist() == [0, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "vectorizer",
    [
        TfidfVectorizer(),
        WordNgramTfidf(vocabulary=["green", "tea"]),
        WordNgramTfidf(max_features=3),
        FrozenEstimator(WordNgramTfidf()),
        make_pipeline(WordNgramTfidf(), Normalizer()),
    ],
)
def test_other_vectorizers_stay(vectorizer):
    known = fitted(vectorizer)
    same, features = learn_texts(known, LATER)
    assert same is known
    np.testing.assert_array_equal(dense(features), dense(known.transform(LATER)))


def test_parts_that_cannot_learn_stay():
    class Lengths(WordNgramTfidf):
        def transform_one(self, text):
            return super().transform_one(text)

    known = fitted(make_union(Lengths(), CharNgramTfidf()))
    grown, features = learn_texts(known, LATER)
    assert isinstance(grown, GrownTransformer)
    assert grown.later[0] is None
    rows = grown.transform(TEXTS)
    assert_single_texts_are_rows(grown, rows)
    width = len(known.parts[0].vocabulary_)
    np.testing.assert_array_equal(
        dense(rows)[:, :width], dense(known.parts[0].transform(TEXTS))
    )
    np.testing.assert_array_equal(dense(features), dense(grown.transform(LATER)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: state["later"].pop(), "has 2 for 3 parts"),
        (lambda state: state.update(n_features=9), "is not each column after"),
    ],
)
def test_damaged_terms_are_refused(damage, message):
    grown, _ = learn_texts(fitted(UNION), LATER)
    state = {**grown.__getstate__(), "later": list(grown.later)}
    damage(state)
    with pytest.raises(ValueError, match=message):
        object.__new__(GrownTransformer).__setstate__(state)
