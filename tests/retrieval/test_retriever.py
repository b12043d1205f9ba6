import re
import unicodedata
from copy import copy
from functools import cache, partial

import numpy as np
import pytest
from custom_indexers import TwoLevels
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

import skxmr
from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    NeighborRanker,
    RankFusion,
    Reranker,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.datasets import load_places, load_subjects
from skxmr.metrics import recall_at_k, recall_at_k_scorer

PRODUCTS = ["red apple", "green pear", "smart phone", "phone case", "unsold thing"]
OFFERS = [
    ("an apple, red and ripe", [0]),
    ("red apples from the garden", [0]),
    ("pears, green", [1]),
    ("smartphone 64 GB", [2]),
    ("phone with a case", [2, 3]),
    ("leather case", [3]),
    ("case for phones", [3]),
]
TEXTS = [text for text, _ in OFFERS]


def indicator():
    Y = np.zeros((len(OFFERS), len(PRODUCTS)), dtype=np.int8)
    for row, (_, columns) in enumerate(OFFERS):
        Y[row, columns] = 1
    return Y


@pytest.fixture(scope="module")
def retriever():
    return TextRetriever().fit(TEXTS, indicator(), label_texts=PRODUCTS)


def test_search_gives_labels_names_and_scores(retriever):
    found = retriever.search("a red apple", k=3)
    assert len(found) == 3
    assert found[0][:2] == (0, "red apple")
    scores = [score for _, _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    assert [type(part) for part in found[0]] == [int, str, float]


def test_search_agrees_with_batch_and_rank(retriever):
    columns, scores = retriever.search_batch(TEXTS, k=4)
    again = skxmr.rank(retriever, TEXTS, k=4)
    np.testing.assert_array_equal(columns, again[0])
    np.testing.assert_array_equal(scores, again[1])
    for text, row, row_scores in zip(TEXTS, columns, scores, strict=True):
        found = retriever.search(text, k=4)
        assert [column for column, _, _ in found] == row[row >= 0].tolist()
        assert [score for _, _, score in found] == row_scores[row >= 0].tolist()


def test_a_label_without_rows_is_found_by_its_text(retriever):
    assert retriever.search("some unsold thing", k=1)[0][:2] == (4, "unsold thing")
    plain = TextRetriever().fit(TEXTS, indicator())
    assert 4 not in [column for column, _, _ in plain.search("unsold thing", k=5)]


def test_names_are_missing_where_none_were_given():
    plain = TextRetriever().fit(TEXTS, sparse.csr_array(indicator()))
    assert plain.search("red apple", k=1)[0][:2] == (0, None)


def test_classes_are_their_own_names():
    y = ["fruit", "fruit", "fruit", "device", "device", "box", "box"]
    retriever = TextRetriever().fit(TEXTS, y)
    assert retriever.search("green pears", k=1)[0][:2] == ("fruit", "fruit")
    assert type(retriever.search("green pears", k=1)[0][0]) is str
    texts = ["a box", "gadget or device", "fruit of a tree"]
    named = TextRetriever().fit(TEXTS, y, label_texts=texts)
    assert named.search("gadget", k=1)[0][:2] == ("device", "gadget or device")


def test_empty_label_texts_train_nothing():
    texts = ["", " ", *PRODUCTS[2:]]
    retriever = TextRetriever().fit(TEXTS, indicator(), label_texts=texts)
    n_rows = len(OFFERS) + 3
    assert retriever.label_texts_ == texts
    weights = retriever.vectorizer_.transformer_list[0][1].idf_
    # A word of one text only has the largest idf, ln((1 + n) / 2) + 1.
    assert weights.max() == pytest.approx(np.log((1 + n_rows) / 2) + 1)


def test_searches_of_nothing_known(retriever):
    for text in ("", "   ", "ζωή", "\ud800", "x" * 100_000):
        assert isinstance(retriever.search(text), list)


def test_own_stages():
    retriever = TextRetriever(
        vectorizer=TfidfVectorizer(),
        classifier=XRLinearClassifier(beam_width=None, threshold=0),
    )
    retriever.fit(TEXTS, indicator(), label_texts=PRODUCTS)
    assert retriever.search("leather", k=1)[0][1] == "phone case"
    assert not hasattr(retriever.vectorizer, "vocabulary_")


VECTORIZERS = {
    "of scikit-learn": TfidfVectorizer(),
    "pipeline": make_pipeline(TfidfVectorizer(), MaxAbsScaler()),
    "dense": make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0)),
    "without names": make_pipeline(
        TfidfVectorizer(), FunctionTransformer(accept_sparse=True)
    ),
    "weighted union": FeatureUnion(
        [("words", WordNgramTfidf()), ("characters", CharNgramTfidf())],
        transformer_weights={"characters": 0.5},
    ),
}


@pytest.mark.parametrize("kind", VECTORIZERS)
def test_own_vectorizers(kind):
    classifier = XRLinearClassifier(random_state=0, max_iter=1000)
    retriever = TextRetriever(VECTORIZERS[kind], classifier)
    retriever.fit(TEXTS, indicator(), label_texts=PRODUCTS)
    columns, scores = retriever.search_batch(TEXTS, 4)
    for row, text in enumerate(TEXTS):
        found = retriever.search(text, 4)
        assert [label for label, _, _ in found] == columns[row].tolist()
        np.testing.assert_allclose([one[2] for one in found], scores[row], rtol=1e-5)
        for label, _, score in found:
            explained = retriever.explain(text, label)
            assert explained.score == pytest.approx(score, rel=1e-4)


OTHERS = {
    "fusion": RankFusion(
        [("linear", XRLinearClassifier(random_state=0)), ("near", NeighborRanker())]
    ),
    "neighbours": NeighborRanker(),
    "again": Reranker(NeighborRanker(), LogisticRegression(), cv=2, random_state=0),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_classifiers(kind):
    retriever = TextRetriever(classifier=OTHERS[kind])
    retriever.fit(TEXTS, indicator(), label_texts=PRODUCTS)
    columns, scores = retriever.search_batch(TEXTS, 3)
    for row, text in enumerate(TEXTS):
        found = retriever.search(text, 3)
        n_found = (columns[row] >= 0).sum()
        assert [label for label, _, _ in found] == columns[row][:n_found].tolist()
        np.testing.assert_allclose(
            [score for _, _, score in found], scores[row][:n_found], rtol=1e-5
        )
        assert all(name == PRODUCTS[label] for label, name, _ in found)
    assert retriever.explain("apple", 0).model is None
    retriever.set_params(fusion=None)
    with pytest.raises(ValueError, match="explain wants the linear models of an XRLin"):
        retriever.explain("apple", 0)
    assert [label for label, _, _ in retriever.search("apple", allowed=[0])] == [0]
    retriever.set_params(label_text_weight=2.0)
    with pytest.raises(ValueError, match="a classifier whose fit knows relevance"):
        retriever.fit(TEXTS, indicator(), label_texts=PRODUCTS)


def test_weights_of_label_texts_are_relevance():
    classifier = XRLinearClassifier(random_state=0)
    weighted = TextRetriever(classifier=classifier, label_text_weight=5.0)
    weighted.fit(TEXTS, indicator(), label_texts=PRODUCTS)
    rows = weighted.vectorizer_.transform(TEXTS + PRODUCTS)
    relevance = np.vstack([indicator(), 5.0 * np.eye(len(PRODUCTS))])
    expected = clone(classifier).fit(rows, relevance > 0, relevance=relevance)
    found = weighted.classifier_.rank(rows, 5)
    np.testing.assert_array_equal(found, expected.rank(rows, 5))
    plain = TextRetriever(classifier=classifier).fit(
        TEXTS, indicator(), label_texts=PRODUCTS
    )
    assert (plain.classifier_.rank(rows, 5)[1] != found[1]).any()


def test_a_search_over_a_retriever_trains_once_a_fold(tmp_path):
    log = tmp_path / "fits"
    classifier = XRLinearClassifier(
        TwoLevels(2, log=str(log)), memory=tmp_path / "cache", max_iter=1000
    )
    search = GridSearchCV(
        TextRetriever(classifier=classifier),
        {
            "classifier__beam_width": [1, 3],
            "classifier__threshold": [0.05, 0.3],
            "classifier__max_candidates": [2, 5],
            "classifier__score_transform": ["l2-hinge", "l3-hinge"],
        },
        scoring=recall_at_k_scorer(2),
        cv=KFold(2),
        error_score="raise",
    )
    search.fit(TEXTS, sparse.csr_array(indicator()), label_texts=PRODUCTS)
    assert len(search.cv_results_["params"]) == 16
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2 + 1
    search.set_params(param_grid={"vectorizer": [CharNgramTfidf(), WordNgramTfidf()]})
    search.fit(TEXTS, sparse.csr_array(indicator()), label_texts=PRODUCTS)
    # Other features train again: two of them on two folds, and the refit.
    assert len(log.read_text(encoding="utf-8").splitlines()) == 3 + 2 * 2 + 1


@pytest.mark.parametrize("kind", ["indicator", "classes"])
def test_searches_among_allowed_labels_are_exact(kind):
    random = np.random.RandomState(0)
    words = [f"w{i}" for i in range(30)]
    texts = [" ".join(random.choice(words, 4)) for _ in range(200)]
    labels = np.arange(200) % 40
    y = labels if kind == "classes" else np.eye(40, dtype=int)[labels]
    retriever = TextRetriever(
        classifier=XRLinearClassifier(KMeansTree(3, 4), beam_width=None, random_state=0)
    ).fit(texts, y)
    allowed, excluded = random.choice(40, 15, replace=False).tolist(), [3, 7, 11]
    wanted = [label for label in allowed if label not in excluded]
    for text in texts[:20]:
        everything = retriever.search(text, 40)
        expected = [found for found in everything if found[0] in wanted]
        assert (
            retriever.search(text, 40, allowed=allowed, excluded=excluded) == expected
        )
        without = [found for found in everything if found[0] not in excluded]
        assert retriever.search(text, 40, excluded=excluded) == without
    # With one label allowed, the narrowest beam leads there.
    retriever.classifier_.set_params(beam_width=1)
    for label in range(40):
        assert [found[0] for found in retriever.search(texts[0], allowed=[label])] == [
            label
        ]


def test_parameters_tune():
    search = GridSearchCV(
        TextRetriever(classifier=XRLinearClassifier(random_state=0)),
        {"classifier__beam_width": [1, 10]},
        scoring=recall_at_k_scorer(2),
        cv=KFold(2),
        error_score="raise",
    )
    search.fit(TEXTS, sparse.csr_array(indicator()))
    assert 0 < search.best_score_ <= 1
    assert clone(search.best_estimator_).get_params()["classifier__beam_width"] in (
        1,
        10,
    )


def test_predictions_are_those_of_the_classifier(retriever):
    retriever = copy(retriever).set_params(fusion=None)
    features = retriever.vectorizer_.transform(TEXTS)
    for method in ("predict", "predict_proba", "decision_function"):
        found = getattr(retriever, method)(TEXTS)
        expected = getattr(retriever.classifier_, method)(features)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("one text", [1]), ValueError, "texts must be an iterable of str"),
        (([1, 2], [0, 1]), TypeError, r"texts\[0\] must be a str"),
        ((TEXTS, [0, 1]), ValueError, "inconsistent numbers of samples"),
    ],
)
def test_bad_texts(arguments, error, message):
    with pytest.raises(error, match=message):
        TextRetriever().fit(*arguments)


def test_bad_label_texts():
    with pytest.raises(ValueError, match=r"label_texts has 2 texts; expected 5"):
        TextRetriever().fit(TEXTS, indicator(), label_texts=["a", "b"])
    with pytest.raises(TypeError, match=r"label_texts\[4\] must be a str"):
        TextRetriever().fit(TEXTS, indicator(), label_texts=[*PRODUCTS[:4], None])


def test_bad_searches(retriever):
    with pytest.raises(TypeError, match="text must be a string; got list"):
        retriever.search(["one", "two"])
    for k in (0, -1, 2.5, "ten"):
        with pytest.raises(ValueError, match="'k' parameter"):
            retriever.search("phone", k=k)


def test_real_titles():
    train, test = load_subjects(subset="train"), load_subjects(subset="test")
    retriever = TextRetriever(classifier=XRLinearClassifier(random_state=0))
    retriever.fit(
        train.data[:8000], train.target[:8000], label_texts=train.target_names
    )
    found = retriever.search_batch(test.data[:500], k=10)
    assert recall_at_k(test.target[:500], found, k=10) > 0.3


def test_real_places_in_any_spelling():
    places = load_places()
    retriever = TextRetriever(classifier=XRLinearClassifier(random_state=1))
    retriever.fit(places.data, places.target, label_texts=places.target_names)
    for spelling in ("Londn", "Лондон", "Londyn"):
        names = [name for _, name, _ in retriever.search(spelling, k=5)]
        assert "London" in names


# ruff: noqa: RUF001 - letters that look like others are the point
def full_width(text):
    return "".join(
        chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else "\u3000" if one == " " else one
        for one in text
    )


@pytest.fixture(scope="module")
def places():
    places = load_places(subset="all")
    korean = [i for i, name in enumerate(places.data) if re.search("[가-힣]", name)]
    latin = [i for i, name in enumerate(places.data) if name.isascii()]
    return places, np.array(korean[:150] + latin[:150])


@pytest.mark.parametrize(
    "change",
    [
        partial(unicodedata.normalize, "NFD"),
        partial(unicodedata.normalize, "NFKD"),
        full_width,
        str.upper,
        lambda text: "\ufeff" + "\u200b".join(text),
    ],
    ids=["NFD", "NFKD", "full width", "upper case", "invisible"],
)
def test_equivalent_texts_find_the_same(places, change):
    places, rows = places
    texts = [places.data[row] for row in rows]
    changed = [change(text) for text in texts]
    assert changed != texts
    expected = fitted_to_places().search_batch(texts, 3)
    found = fitted_to_places().search_batch(changed, 3)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    lean = fitted_to_places().search(changed[0], 3)
    assert [column for column, _, _ in lean] == expected[0][0].tolist()
    # And they are the right ones.
    right = places.target[rows][np.arange(len(rows))[:, None], expected[0]]
    assert right.sum() >= 295


@cache
def fitted_to_places():
    places = load_places(subset="all")
    names = [unicodedata.normalize("NFD", name) for name in places.target_names]
    return TextRetriever().fit(places.data, places.target, label_texts=names)


def test_own_vectorizers_get_texts_as_they_are():
    seen = []

    def listen(texts):
        seen.extend(texts)
        return np.array([[len(text), 1.0] for text in texts])

    texts, names = ["Cafe\u0301", "ＴＥＡ"], ["Café ", "tea’"]
    retriever = TextRetriever(FunctionTransformer(listen))
    retriever.fit(texts, np.eye(2, dtype=int), label_texts=names)
    assert seen[:4] == texts + names
    assert retriever.label_texts_ == names
