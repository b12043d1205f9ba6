"""Retrievers of parts that are fitted already, and frozen parts."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union

from skxmr import (
    CharNgramTfidf,
    NeighborRanker,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)

TEXTS = ["red apple", "green apple", "smart phone", "phone case", "leather case"] * 2
Y = np.eye(5, dtype=int)[[0, 1, 2, 3, 3] * 2]
NAMES = ["fuji", "granny smith", "android", "cover", "unsold kettle"]


def parts(y=Y, vectorizer=None):
    vectorizer = vectorizer or make_union(WordNgramTfidf(), CharNgramTfidf())
    vectorizer.fit(TEXTS)
    classifier = XRLinearClassifier(random_state=0)
    return vectorizer, classifier.fit(vectorizer.transform(TEXTS), y)


def test_the_model_alone_ranks_as_its_parts():
    vectorizer, classifier = parts()
    retriever = TextRetriever.from_fitted(vectorizer, classifier)
    expected = classifier.rank(vectorizer.transform(["apple case"]), k=4)
    found = retriever.rank(["apple case"], k=4)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert retriever.label_texts_ is None
    assert retriever.get_params()["vectorizer"] is vectorizer


@pytest.mark.parametrize("has_classes", [False, True])
def test_label_texts_are_searched_too(has_classes):
    y = np.array(list("abcde"))[[0, 1, 2, 3, 4] * 2] if has_classes else Y
    vectorizer, classifier = parts(y)
    names = dict(zip("abcde", NAMES, strict=True)) if has_classes else NAMES
    retriever = TextRetriever.from_fitted(vectorizer, classifier, names)
    label = "e" if has_classes else 4
    assert retriever.search("kettle", k=1)[0][:2] == (label, "unsold kettle")
    assert retriever.search("apples red", k=1)[0][0] == ("a" if has_classes else 0)
    assert retriever.predict_proba(["kettle"]).shape == (1, 5)
    again = pickle.loads(pickle.dumps(retriever))
    assert again.search("kettle") == retriever.search("kettle")


def test_later_fits_of_the_parts_change_nothing():
    vectorizer, classifier = parts()
    retriever = TextRetriever.from_fitted(vectorizer, classifier, NAMES)
    before = retriever.search("red apple")
    classifier.fit(vectorizer.transform(TEXTS), Y[:, ::-1])
    vectorizer.fit(["other words"])
    assert retriever.search("red apple") == before


def test_parameters_of_search_take_effect():
    vectorizer, classifier = parts()
    retriever = TextRetriever.from_fitted(vectorizer, classifier, NAMES)
    assert retriever.search("kettle", k=1)[0][0] == 4
    assert retriever.set_params(fusion=None).search("kettle", k=1)[0][0] != 4
    assert retriever.set_params(classifier__beam_width=1).search("apple", k=9)


def test_parts_that_do_not_fit_together_are_refused():
    vectorizer, classifier = parts()
    with pytest.raises(NotFittedError):
        TextRetriever.from_fitted(vectorizer, XRLinearClassifier())
    with pytest.raises(NotFittedError):
        TextRetriever.from_fitted(WordNgramTfidf(), classifier)
    with pytest.raises(ValueError, match="vectorizer has 7 features, and classifier"):
        TextRetriever.from_fitted(WordNgramTfidf().fit(TEXTS), classifier)
    with pytest.raises(ValueError, match="label_texts has 2 texts; expected 5"):
        TextRetriever.from_fitted(vectorizer, classifier, ["one", "two"])
    with pytest.raises(TypeError, match="'classifier' parameter of TextRetriever"):
        TextRetriever.from_fitted(vectorizer, LogisticRegression())


def test_a_ranker_of_unknown_target_has_no_label_texts():
    class Custom(LogisticRegression):
        def rank(self, X, k):
            best = np.argsort(-self.predict_proba(X))[:, :k]
            return best, np.ones(best.shape)

    vectorizer = WordNgramTfidf().fit(TEXTS)
    custom = Custom().fit(vectorizer.transform(TEXTS), list("aabcc") * 2)
    assert TextRetriever.from_fitted(vectorizer, custom).search("apple", k=1)
    with pytest.raises(TypeError, match="classifier must be an XRLinearClassifier or"):
        TextRetriever.from_fitted(vectorizer, custom, ["a", "b", "c"])
    neighbors = NeighborRanker().fit(vectorizer.transform(TEXTS), list("aabcc") * 2)
    retriever = TextRetriever.from_fitted(vectorizer, neighbors, ["kettle", "b", "c"])
    assert retriever.search("kettle", k=1)[0][0] == "a"


@pytest.mark.parametrize(
    "vectorizer",
    [
        make_union(WordNgramTfidf(), CharNgramTfidf()),
        WordNgramTfidf(),
        TfidfVectorizer(),
    ],
)
def test_a_frozen_vectorizer_keeps_its_features(vectorizer):
    frozen = FrozenEstimator(clone(vectorizer).fit(TEXTS))
    retriever = TextRetriever(frozen, random_state=0)
    retriever.fit(TEXTS[:3], Y[:3, :3], label_texts=NAMES[:3])
    width = frozen.transform([""]).shape[1]
    assert retriever.classifier_.n_features_in_ == width
    columns, scores = retriever.search_batch(["leather phone"], k=2)
    found = retriever.search("leather phone", k=2)
    assert [column for column, _, _ in found] == columns[columns >= 0].tolist()
    assert [score for _, _, score in found] == scores[scores > 0].tolist()


def test_a_union_may_have_a_frozen_part():
    union = make_union(FrozenEstimator(WordNgramTfidf().fit(TEXTS)), CharNgramTfidf())
    retriever = TextRetriever(union, random_state=0).fit(TEXTS, Y)
    assert retriever.search("apple", k=1)[0][0] in (0, 1)


def test_a_frozen_classifier_is_not_fitted_again():
    vectorizer, classifier = parts()
    frozen = FrozenEstimator(classifier)
    retriever = TextRetriever(FrozenEstimator(vectorizer), frozen)
    retriever.fit(TEXTS, Y, label_texts=NAMES)
    assert retriever.classifier_.estimator is classifier
    assert retriever.search("kettle", k=1)[0][1] == "unsold kettle"
