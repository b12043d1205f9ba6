"""Rankings put together, and the nearest rows."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

import skxmr
from skxmr import (
    NeighborRanker,
    RankFusion,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.datasets import load_subjects
from skxmr.metrics import recall_at_k, recall_at_k_scorer

TEXTS = ["red apple", "green apple", "smart phone", "phone case", "laptop case", "red"]
CLASSES = ["fruit", "fruit", "phone", "case", "case", "colour"]
Y = sparse.csr_array(
    np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [0, 0, 1]])
)


class Fixed(ClassifierMixin, BaseEstimator):
    """Ranks as it is told, whatever comes."""

    def __init__(self, columns=(), scores=()):
        self.columns = columns
        self.scores = scores

    def fit(self, X, y):
        self.classes_ = np.arange(y.shape[1])
        return self

    def rank(self, X, k=10):
        found = np.full((len(X), k), -1), np.zeros((len(X), k))
        for array, values in zip(found, (self.columns, self.scores), strict=True):
            array[:, : len(values)] = list(values)[:k]
        return found


def fuse(**parameters):
    one = Fixed((2, 0), (0.9, 0.5))
    other = Fixed((0, 1), (0.8, 0.7))
    return RankFusion([("one", one), ("other", other)], **parameters).fit(
        np.zeros((6, 1)), Y
    )


@pytest.mark.parametrize(
    ("parameters", "columns", "scores"),
    [
        ({}, [0, 2, 1], [0.65, 0.45, 0.35]),
        ({"weights": [1, 3]}, [0, 1, 2], [0.725, 0.525, 0.225]),
        ({"weights": [1, 0]}, [2, 0, -1], [0.9, 0.5, 0]),
        (
            {"method": "reciprocal_rank"},
            [0, 2, 1],
            [(61 / 62 + 1) / 2, 1 / 2, 61 / 62 / 2],
        ),
        (
            {"method": "reciprocal_rank", "rank_constant": 0},
            [0, 2, 1],
            [3 / 4, 1 / 2, 1 / 4],
        ),
    ],
)
def test_what_is_added_up(parameters, columns, scores):
    found, found_scores = fuse(**parameters).rank(np.zeros((2, 1)), k=3)
    assert found.tolist() == [columns] * 2
    np.testing.assert_allclose(found_scores, [scores] * 2)


def test_each_is_asked_for_enough():
    fusion = fuse(n_candidates=1, weights=[1, 0])
    assert fusion.rank(np.zeros((1, 1)), k=2)[0].tolist() == [[2, 0]]
    assert fusion.predict_proba(np.zeros((1, 1))).nnz == 1


def make_members():
    return [
        ("retriever", TextRetriever(classifier=XRLinearClassifier(random_state=0))),
        ("lexical", make_pipeline(WordNgramTfidf(), NeighborRanker())),
    ]


@pytest.mark.parametrize("y", [Y, Y.toarray(), CLASSES], ids=["sparse", "dense", "1-D"])
def test_texts_and_all_kinds_of_target(y):
    fusion = RankFusion(make_members()).fit(TEXTS, y)
    columns, _ = skxmr.rank(fusion, TEXTS, k=2)
    assert columns.shape == (6, 2)
    predicted = fusion.predict(TEXTS)
    assert type(predicted) is type(fusion.estimators_[0].predict(TEXTS))
    assert predicted.shape == np.shape(y)
    proba = fusion.predict_proba(TEXTS)
    assert sparse.issparse(proba) == sparse.issparse(y)
    if isinstance(y, list):
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert (predicted == np.array(CLASSES)).mean() > 0.8


def test_nothing_alike_finds_what_is_frequent():
    model = make_pipeline(WordNgramTfidf(), NeighborRanker()).fit(TEXTS, CLASSES)
    columns, scores = skxmr.rank(model, ["unheard of"], k=2)
    assert model.classes_[columns[0]].tolist() == ["case", "fruit"]
    assert (scores > 0).all()
    assert model.predict(["unheard of"]).tolist() == ["case"]


def test_neighbours_vote_by_how_near_they_are():
    X = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    model = NeighborRanker(n_neighbors=2).fit(X, ["a", "b", "c"])
    columns, scores = model.rank(np.array([[2.0, 0.0]]), 3)
    assert columns.tolist() == [[0, 1, 2]]
    shares = (np.array([1.0, 0.8, 0.0]) + 0.01 / 4) / 1.81
    np.testing.assert_allclose(scores[0], shares, rtol=1e-6)


def test_many_rows_are_ranked_in_parts():
    random = np.random.RandomState(0)
    X = sparse.csr_array(sparse.random(1500, 40, 0.1, random_state=random))
    y = random.randint(30, size=1500)
    model = NeighborRanker().fit(X, y)
    whole = model.rank(X, 5)
    part = model.rank(X[700:710], 5)
    np.testing.assert_array_equal(whole[0][700:710], part[0])


def test_members_tune_by_their_names():
    search = GridSearchCV(
        RankFusion(make_members()),
        {
            "method": ["mean", "reciprocal_rank"],
            "lexical__neighborranker__n_neighbors": [1, 5],
        },
        scoring=recall_at_k_scorer(2),
        cv=KFold(2),
        error_score="raise",
    ).fit(TEXTS * 2, np.array(CLASSES * 2))
    assert "lexical__neighborranker__n_neighbors" in search.best_params_
    fusion = clone(search.best_estimator_).set_params(lexical="drop me")
    assert dict(fusion.estimators)["lexical"] == "drop me"


@pytest.mark.parametrize("method", ["mean", "reciprocal_rank"])
def test_fusions_pickle_and_clone(method):
    fusion = RankFusion(make_members(), method=method).fit(TEXTS, Y)
    again = pickle.loads(pickle.dumps(fusion))
    np.testing.assert_array_equal(again.rank(TEXTS, 3), fusion.rank(TEXTS, 3))
    copied = clone(fusion)
    assert not hasattr(copied, "estimators_")
    np.testing.assert_array_equal(
        copied.fit(TEXTS, Y).rank(TEXTS, 3), fusion.rank(TEXTS, 3)
    )
    proba = fusion.predict_proba(TEXTS)
    assert proba.nnz < Y.shape[0] * Y.shape[1] or (proba.data > 0).all()
    columns, scores = fusion.rank(TEXTS, 3)
    for row in range(len(TEXTS)):
        for column, score in zip(columns[row], scores[row], strict=True):
            if column >= 0:
                assert proba[row, column] == pytest.approx(score, rel=1e-6)


def test_an_unfitted_fusion_says_so():
    with pytest.raises(NotFittedError, match="RankFusion instance is not fitted"):
        RankFusion(make_members()).rank(TEXTS)


def test_both_together_are_better_than_either():
    train, test = load_subjects(subset="train"), load_subjects(subset="test")
    texts, target = train.data[:4000], train.target[:4000]
    fusion = RankFusion(make_members()).fit(texts, target)
    judged, truth = test.data[:800], test.target[:800]

    def recall(estimator):
        return recall_at_k(truth, skxmr.rank(estimator, judged, 10), 10)

    apart = [recall(estimator) for estimator in fusion.estimators_]
    assert recall(fusion) > max(apart)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimators": []}, "estimators is empty"),
        ({"estimators": [("a", Fixed()), ("a", Fixed())]}, "not unique"),
        ({"weights": [1]}, r"weights has the shape \(1,\); expected \(2,\)"),
        ({"weights": [-1, 2]}, "weights must not be negative"),
        ({"weights": [0, 0]}, "one at least positive"),
        ({"method": "max"}, "'method' parameter"),
        ({"rank_constant": -1}, "'rank_constant' parameter"),
        ({"n_candidates": 0}, "'n_candidates' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    given = {"estimators": [("a", Fixed()), ("b", Fixed())]} | parameters
    with pytest.raises(ValueError, match=message):
        RankFusion(**given).fit(np.zeros((6, 1)), Y)


def test_lengths_that_differ():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RankFusion(make_members()).fit(TEXTS, CLASSES[:3])
