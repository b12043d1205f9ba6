import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, KFold

import skxmr
from skxmr import TextRetriever, XRLinearClassifier
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
    with pytest.raises(TypeError, match="text must be a string; got a list"):
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
    retriever = TextRetriever(classifier=XRLinearClassifier(random_state=0))
    retriever.fit(places.data, places.target, label_texts=places.target_names)
    for spelling in ("Londn", "Лондон", "Londyn"):
        names = [name for _, name, _ in retriever.search(spelling, k=5)]
        assert "London" in names
