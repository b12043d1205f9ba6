"""Candidates ranked again: what is learnt from, and what comes out."""

import pickle

import numpy as np
import pytest
from custom_indexers import TwoLevels
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, normalize
from toy_data import make_multilabel

import skxmr
from skxmr import (
    CandidateFeatures,
    NeighborRanker,
    Reranker,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.metrics import recall_at_k, recall_at_k_scorer
from skxmr.rankers._candidates import Candidates

X, DENSE_Y = make_multilabel(90)
Y = sparse.csr_array(DENSE_Y)
CLASSES = np.array([f"class {i:02d}" for i in DENSE_Y.argmax(axis=1)])


def scores_only(X, candidates):
    return np.log(candidates.scores)[:, np.newaxis]


def make_reranker(**parameters):
    defaults = {
        "ranker": NeighborRanker(5),
        "final_estimator": LogisticRegression(),
        "n_candidates": 6,
        "cv": 3,
        "random_state": 0,
    }
    return Reranker(**defaults | parameters)


class Sees(BaseEstimator):
    """Ranks a row's first label first if it has seen the row, and last if not."""

    def fit(self, X, y):
        self.classes_ = np.arange(y.shape[1])
        self.seen_ = {row.tobytes() for row in X}
        return self

    def rank(self, X, k=10):
        columns = np.tile(np.arange(k), (len(X), 1))
        seen = [row.tobytes() in self.seen_ for row in X]
        return columns, np.where(seen, 0.9, 0.1)[:, np.newaxis] * np.ones(k)


# What it learns from


def test_candidates_come_from_rankers_that_have_not_seen_the_row():
    rows = np.arange(60.0).reshape(30, 2)
    noted = []

    def features(X, candidates):
        noted.append((X.copy(), candidates))
        return scores_only(X, candidates)

    model = make_reranker(ranker=Sees(), features=features, n_candidates=4)
    model.fit(rows, DENSE_Y[:30, :4])
    assert len(noted) == 3  # once a fold
    assert all((candidates.scores == 0.1).all() for _, candidates in noted)
    learnt = np.concatenate([rows for rows, _ in noted])
    np.testing.assert_array_equal(np.sort(learnt[:, 0]), rows[:, 0])
    model.rank(rows)
    assert (noted[-1][1].scores == 0.9).all()  # the final ranker has seen all


def test_the_final_estimator_learns_which_candidates_are_right():
    folds = PredefinedSplit(np.arange(90) % 2)
    model = make_reranker(cv=folds, features=scores_only).fit(X, Y)
    described, is_right = [], []
    for train, test in folds.split():
        ranker = NeighborRanker(5).fit(X[train], Y[train])
        found = Candidates.of_ranking(*ranker.rank(X[test], 6))
        described.append(scores_only(None, found))
        is_right.append(DENSE_Y[test][found.rows, found.columns])
    expected = LogisticRegression().fit(
        np.concatenate(described), np.concatenate(is_right)
    )
    np.testing.assert_allclose(model.final_estimator_.coef_, expected.coef_)
    candidates = Candidates.of_ranking(*model.ranker_.rank(X, 6))
    scores = np.zeros(Y.shape)
    scores[candidates.rows, candidates.columns] = expected.predict_proba(
        scores_only(None, candidates)
    )[:, 1]
    np.testing.assert_allclose(model.predict_proba(X).toarray(), scores, rtol=1e-5)
    columns, found = model.rank(X, 8)
    assert (columns[:, 6:] == -1).all()
    np.testing.assert_allclose(
        found[:, :6], -np.sort(-scores, axis=1)[:, :6], rtol=1e-5
    )


def test_a_fitted_ranker():
    ranker = NeighborRanker(5).fit(X[:45], Y[:45])
    model = make_reranker(ranker=ranker, cv="prefit").fit(X[45:], Y[45:])
    assert model.ranker_ is ranker
    candidates = Candidates.of_ranking(*ranker.rank(X, 6))
    features = CandidateFeatures().fit(X[45:], Y[45:])
    scores = model.final_estimator_.predict_proba(features.transform(X, candidates))
    found = model.predict_proba(X).toarray()[candidates.rows, candidates.columns]
    np.testing.assert_allclose(found, scores[:, 1], rtol=1e-5)


def test_features_of_candidates():
    features = CandidateFeatures().fit(X, Y)
    candidates = Candidates.of_ranking(
        np.array([[3, 1, -1], [0, 5, 7]]), np.array([[0.5, 0.2, 0], [0.9, 0.1, 0.05]])
    )
    described = features.transform(X[:2], candidates)
    directions = normalize(DENSE_Y.T @ normalize(X.toarray()))
    rows = X.toarray()
    for pair, (row, column, score, best, rank) in enumerate(
        [
            (0, 3, 0.5, 0.5, 1),
            (0, 1, 0.2, 0.5, 2),
            (1, 0, 0.9, 0.9, 1),
            (1, 5, 0.1, 0.9, 2),
            (1, 7, 0.05, 0.9, 3),
        ]
    ):
        expected = [
            np.log(score),
            np.log(score / best),
            1 / rank,
            np.log1p(DENSE_Y[:, column].sum()),
            rows[row] @ directions[column],
        ]
        np.testing.assert_allclose(described[pair], expected, rtol=1e-5)
    texts = CandidateFeatures().fit(["a"] * 90, Y)
    np.testing.assert_allclose(texts.transform(["a"] * 2, candidates), described[:, :4])


class Fitted(BaseEstimator):
    """A custom transformer with sparse features."""

    def fit(self, X, Y):
        self.shape_ = X.shape[0], Y.shape
        return self

    def transform(self, X, candidates):
        return sparse.csr_array(np.eye(12)[candidates.columns])


def test_own_transformers_are_cloned_and_fitted_to_the_folds():
    features = Fitted()
    model = make_reranker(features=features).fit(X, CLASSES)
    assert not hasattr(features, "shape_")
    # Columns are those of all classes, also where a fold lacks some.
    assert model.features_.shape_ == (90, (90, len(model.classes_)))
    assert model.final_estimator_.coef_.shape == (1, 12)


def test_classes_that_a_fold_lacks():
    y = CLASSES.copy()
    y[0], y[89] = "only here", "a class of its own"
    model = make_reranker(cv=KFold(2)).fit(X, y)
    assert set(model.predict(X)) <= set(y)
    found = model.rank(X, 3)[0]
    assert (model.classes_[found[:, 0]] == y).mean() > 0.4
    ranker = NeighborRanker(5).fit(X[:60], y[:60])
    prefit = make_reranker(ranker=ranker, cv="prefit").fit(X[60:], CLASSES[60:])
    assert set(prefit.classes_) == set(CLASSES[60:])
    assert "only here" not in prefit.predict(X)


# What comes out


@pytest.mark.parametrize(
    "final", [LogisticRegression(), RidgeClassifier(), LinearRegression()], ids=repr
)
def test_scores_of_final_estimators(final):
    model = make_reranker(final_estimator=final, features=scores_only).fit(X, Y)
    candidates = Candidates.of_ranking(*model.ranker_.rank(X, 6))
    described, fitted = scores_only(None, candidates), model.final_estimator_
    expected = {
        "LogisticRegression": lambda: fitted.predict_proba(described)[:, 1],
        "RidgeClassifier": lambda: (
            1 / (1 + np.exp(-fitted.decision_function(described)))
        ),
        "LinearRegression": lambda: np.clip(fitted.predict(described), 1e-30, 1),
    }[type(final).__name__]()
    found = model.predict_proba(X).toarray()[candidates.rows, candidates.columns]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-12)
    assert (found > 0).all()
    assert (found < 1).all()


@pytest.mark.parametrize("y", [Y, DENSE_Y, CLASSES], ids=["sparse", "dense", "1-D"])
def test_kinds_of_target(y):
    model = make_reranker().fit(X, y)
    plain = model.ranker_
    for method in ("predict", "predict_proba"):
        found, like = getattr(model, method)(X), getattr(plain, method)(X)
        assert type(found) is type(like)
        assert found.shape == like.shape
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.rank(X, 4), model.rank(X, 4))
    np.testing.assert_array_equal(clone(model).fit(X, y).rank(X, 4), model.rank(X, 4))
    parallel = clone(model).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(parallel.rank(X, 4), model.rank(X, 4))


def test_equal_scores_keep_the_order_of_the_ranker():
    def nothing(X, candidates):
        return np.zeros((len(candidates), 1))

    model = make_reranker(features=nothing).fit(X, Y)
    np.testing.assert_array_equal(model.rank(X, 6)[0], model.ranker_.rank(X, 6)[0])


def test_searches_among_some_labels():
    model = make_reranker(ranker=XRLinearClassifier(max_iter=500)).fit(X, Y)
    columns, _ = model.rank(X, 3, allowed=model.subset([1, 2, 3, 4], excluded=[2]))
    assert set(columns.ravel().tolist()) <= {-1, 1, 3, 4}
    everything = Reranker(XRLinearClassifier(), cv="prefit", n_candidates=12)
    assert hasattr(everything, "subset")
    assert not hasattr(Reranker(Sees()), "subset")


def test_it_helps_where_the_ranker_is_wrong():
    # `Sees` ranks all labels in the order of their columns.
    rows = X.toarray()
    model = make_reranker(ranker=Sees(), n_candidates=12).fit(rows[:60], DENSE_Y[:60])
    found = [
        recall_at_k(DENSE_Y[60:], one.rank(rows[60:], 3), 3)
        for one in (model, model.ranker_)
    ]
    assert found[0] > found[1] + 0.1


def test_texts_and_pipelines_and_parameters():
    texts = [f"word{i % 12} word{i % 7}" for i in range(84)]
    labels = [f"label {i % 12:02d}" for i in range(84)]
    ranker = make_pipeline(WordNgramTfidf(), NeighborRanker())
    outside = make_reranker(ranker=ranker).fit(texts, labels)
    assert (outside.predict(texts) == labels).mean() > 0.5
    inside = TextRetriever(WordNgramTfidf(), make_reranker()).fit(texts, labels)
    columns, scores = inside.search_batch(texts[:4], 3)
    for row in range(4):
        found = inside.search(texts[row], 3)
        assert [label for label, _, _ in found] == inside.classes_[
            columns[row]
        ].tolist()
        np.testing.assert_allclose([score for *_, score in found], scores[row])
    search = GridSearchCV(
        outside,
        {"ranker__neighborranker__n_neighbors": [1, 5], "final_estimator__C": [0.1, 1]},
        scoring=recall_at_k_scorer(1),
        cv=KFold(2),
        error_score="raise",
    ).fit(texts, labels)
    assert search.best_score_ > 0.5


def test_a_search_over_the_final_estimator_trains_rankers_once(tmp_path):
    log = tmp_path / "fits"
    ranker = XRLinearClassifier(
        TwoLevels(log=str(log)), memory=tmp_path / "cache", max_iter=500
    )
    GridSearchCV(
        make_pipeline(MaxAbsScaler(), make_reranker(ranker=ranker)),
        {"reranker__final_estimator__C": [0.1, 1.0, 10.0]},
        scoring=recall_at_k_scorer(1),
        cv=KFold(2),
        error_score="raise",
    ).fit(X, Y)
    # Three folds and the whole, for each of two folds and the refit.
    assert len(log.read_text(encoding="utf-8").splitlines()) == 3 * (3 + 1)


def test_all_candidates_right_leave_the_order():
    model = make_reranker(n_candidates=1).fit(np.eye(6), np.ones((6, 3), dtype=int))
    assert model.final_estimator_ is None
    np.testing.assert_allclose(
        model.rank(np.eye(6), 1)[1], model.ranker_.rank(np.eye(6), 1)[1]
    )


# What is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ranker": "linear"}, "'ranker' parameter"),
        ({"final_estimator": 3}, "'final_estimator' parameter"),
        ({"features": "all"}, "'features' parameter"),
        ({"n_candidates": 0}, "'n_candidates' parameter"),
        ({"cv": "loo"}, "'cv' parameter"),
        ({"features": lambda X, found: np.ones(3)}, r"features must .* shape \(3,\)"),
        ({"features": lambda X, found: np.ones((2, 1))}, r"got the shape \(2, 1\)"),
        (
            {"features": lambda X, found: np.full((len(found), 1), np.inf)},
            "features contains infinity",
        ),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_reranker(**parameters).fit(X, Y)


def test_nothing_right_is_nothing_to_learn():
    class Wrong(Sees):
        def rank(self, X, k=10):
            columns = np.full((len(X), k), -1)
            columns[:, 0] = 11
            return columns, np.ones((len(X), k)) * (columns >= 0)

    y = DENSE_Y.copy()
    y[:, 11] = 0
    with pytest.raises(ValueError, match=r"None of the 90 candidates .* is a true"):
        make_reranker(ranker=Wrong()).fit(X.toarray(), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make_reranker().fit(X, Y[:5])


def test_ranks_through_a_pipeline():
    pipeline = make_pipeline(MaxAbsScaler(), make_reranker()).fit(X, Y)
    columns, _ = skxmr.rank(pipeline, X, 3)
    expected = pipeline[-1].rank(pipeline[0].transform(X), 3)[0]
    np.testing.assert_array_equal(columns, expected)
