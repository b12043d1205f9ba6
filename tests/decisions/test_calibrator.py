"""Probabilities by maps that are fitted to held-out rows."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skxmr import (
    KMeansTree,
    LabelThresholdCV,
    NeighborRanker,
    RankFusion,
    SparseCalibrator,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
    rank,
)
from skxmr.decisions._pairs import ScoredPairs
from skxmr.decisions._score_maps import fit_map, fit_maps, log_odds
from skxmr.metrics import expected_calibration_error

RNG = np.random.default_rng(0)
X = RNG.random((300, 6)).astype(np.float32)
Y = (X[:, [0, 1, 2, 3, 0]] + RNG.normal(0, 0.3, (300, 5)) > [0.7] * 4 + [0.95]).astype(
    int
)
WORDS = np.array(["red", "green", "blue", "round", "square", "small"])
TEXTS = [" ".join(WORDS[row > 0.6]) for row in X]
LINEAR = XRLinearClassifier(KMeansTree(2, 2), random_state=0)
METHODS = ("isotonic", "sigmoid", "temperature")
CV = KFold(3, shuffle=True, random_state=1)

ESTIMATORS = {
    "linear": (LINEAR, X),
    "pipeline": (make_pipeline(WordNgramTfidf(), LINEAR), TEXTS),
    "retriever": (TextRetriever(classifier=LINEAR, random_state=0), TEXTS),
    "fusion": (RankFusion([("linear", LINEAR), ("near", NeighborRanker())]), X),
    "scikit-learn": (OneVsRestClassifier(LogisticRegression()), X),
    "decisions": (OneVsRestClassifier(LinearSVC()), X),
}
estimators = pytest.mark.parametrize("name", ESTIMATORS)
methods = pytest.mark.parametrize("method", METHODS)


def dense(matrix):
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def take(data, rows):
    return data[rows] if hasattr(data, "shape") else [data[row] for row in rows]


def held_out(estimator, data, k):
    """Scores and truth of the first k labels of each held-out row."""
    scores, truth = [], []
    for train, test in CV.split(X):
        fitted = clone(estimator).fit(take(data, train), Y[train])
        for row, found in zip(
            test, zip(*rank(fitted, take(data, test), k), strict=True), strict=True
        ):
            for column, score in zip(*found, strict=True):
                if column >= 0:
                    scores.append(float(score))
                    truth.append(Y[row, column])
    return np.array(scores), np.array(truth)


def slow_map(scores, truth, method):
    if method == "isotonic":
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        return fitted.fit(scores, truth).predict
    odds = log_odds if scores.min() >= 0 and scores.max() <= 1 else np.asarray
    fitted = LogisticRegression(
        C=1e10, fit_intercept=method == "sigmoid", tol=1e-10, max_iter=10_000
    )
    fitted.fit(odds(scores)[:, np.newaxis], truth)
    return lambda new: fitted.predict_proba(odds(new)[:, np.newaxis])[:, 1]


@estimators
@methods
def test_scores_are_mapped_as_held_out_rows_say(name, method):
    estimator, data = ESTIMATORS[name]
    model = SparseCalibrator(estimator, method=method, k=3, cv=CV).fit(data, Y)
    mapped = slow_map(*held_out(estimator, data, 3), method)
    plain = clone(estimator).fit(data, Y)
    columns, scores = rank(plain, data, 5)
    expected = np.where(
        columns >= 0, mapped(scores.ravel().astype(float)).reshape(scores.shape), 0
    )
    found = model.rank(data, 5)
    np.testing.assert_array_equal(found[0], columns)
    np.testing.assert_allclose(found[1], expected, atol=1e-4)
    assert (np.diff(found[1], axis=1) <= 0).all()
    probabilities = dense(model.predict_proba(data))
    rows, places = np.nonzero(columns >= 0)
    np.testing.assert_allclose(
        probabilities[rows, columns[rows, places]], found[1][rows, places], rtol=1e-5
    )
    np.testing.assert_array_equal(dense(model.predict(data)), probabilities > 0.5)


@methods
def test_probabilities_of_other_rows_are_calibrated(method):
    rng = np.random.default_rng(1)
    rows = rng.random((4000, 6)).astype(np.float32)
    odds = 6 * (rows[:, [0, 1, 2, 3]] - 0.6)
    truth = (rng.random((4000, 4)) < 1 / (1 + np.exp(-odds))).astype(int)
    model = SparseCalibrator(LINEAR, method=method, k=4, cv=3, random_state=0)
    model.fit(rows[:2000], truth[:2000])
    new = rows[2000:], truth[2000:]
    before = rank(model.estimator_, new[0], 4)
    errors = [
        expected_calibration_error(new[1], ranking, k=4)
        for ranking in (before, model.rank(new[0], 4))
    ]
    # The scores of this loss are no logistic function.
    assert errors[1] < (0.03 if method == "isotonic" else 0.06)
    assert errors[1] < errors[0] / 2


def test_groups_of_labels_are_ranked_by_their_probabilities():
    model = SparseCalibrator(LINEAR, n_groups=3, k=5, cv=CV).fit(X, Y)
    columns, scores = model.rank(X, 5)
    assert (np.diff(scores, axis=1) <= 0).all()
    before = rank(model.estimator_, X, 5)[0]
    assert (columns != before).any()
    np.testing.assert_array_equal(np.sort(columns), np.sort(before))
    np.testing.assert_array_equal(model.rank(X, 2)[0], columns[:, :2])
    probabilities = model.predict_proba(sparse.csr_array(X))
    rows = np.arange(len(X))[:, np.newaxis]
    np.testing.assert_allclose(dense(probabilities)[rows, columns], scores, rtol=1e-5)


def test_groups_have_maps_of_their_own():
    rng = np.random.default_rng(0)
    n_true = np.array([1, 1, 2, 50, 60, 400])
    columns = rng.integers(0, 6, (500, 3))
    pairs = ScoredPairs(
        rows=np.repeat(np.arange(500), 3),
        columns=columns.ravel(),
        scores=rng.random(1500),
        is_true=rng.random(1500) < n_true[columns.ravel()] / 500,
        n_true_of_rows=np.ones(500, dtype=int),
        n_true_of_labels=n_true,
    )
    maps = fit_maps(pairs, "isotonic", 3)
    assert maps.group_of_label.tolist() == [0, 0, 1, 1, 2, 2]
    for group in range(3):
        is_here = maps.group_of_label[pairs.columns] == group
        expected = fit_map(pairs.scores[is_here], pairs.is_true[is_here], "isotonic")
        scores = rng.random(20)
        np.testing.assert_array_equal(maps.maps[group](scores), expected(scores))
    # Labels of one frequency cannot be told apart.
    assert len(fit_maps(pairs, "isotonic", 100).maps) <= 5


@methods
@pytest.mark.parametrize("truth", [[], [0, 0, 0], [1, 1, 1], [1, 0, 0]])
def test_little_to_learn_from(method, truth):
    truth = np.array(truth, dtype=bool)
    scores = np.linspace(0.1, 0.9, 3)[: truth.size]
    mapped = fit_map(scores, truth, method)
    values = mapped(np.linspace(-1, 2, 7))
    share = truth.mean() if truth.size else 0
    np.testing.assert_allclose(values, share)


@methods
def test_class_labels(method):
    y = np.array(["a", "b", "c"])[Y[:, 0] + Y[:, 1]]
    model = SparseCalibrator(LINEAR, method=method, cv=3, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert (model.predict(X) == y).mean() > 0.5
    assert model.classes_.tolist() == ["a", "b", "c"]
    y = y != "a"
    two = SparseCalibrator(GaussianNB(), method=method, cv=3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(two.predict(X), GaussianNB().fit(X, y).predict(X))


def test_prefit_and_frozen_estimators():
    fitted = clone(LINEAR).fit(X[:150], Y[:150])
    prefit = SparseCalibrator(fitted, cv="prefit", refit=False).fit(X[150:], Y[150:])
    frozen = SparseCalibrator(FrozenEstimator(fitted), cv=3).fit(X[150:], Y[150:])
    assert prefit.estimator_ is fitted
    np.testing.assert_allclose(frozen.rank(X)[1], prefit.rank(X)[1])


@pytest.mark.parametrize("wrap", [SparseCalibrator, LabelThresholdCV])
@pytest.mark.parametrize(
    ("own", "message"),
    [
        (["a", "b"], "fitted to 2 classes; expected the 3 of y"),
        (["a", "b", "d"], "fitted to other classes than those of y, such as 'd'"),
    ],
)
def test_an_estimator_of_other_classes_is_refused(wrap, own, message):
    fitted = GaussianNB().fit(X, np.resize(own, 300))
    y = np.resize(["a", "b", "c"], 300)
    with pytest.raises(ValueError, match=message):
        wrap(fitted, cv="prefit", refit=False).fit(X, y)
    split = [(np.arange(0, 300, 3), np.arange(1, 300))]  # one class
    with pytest.raises(ValueError, match="fitted to 1 classes; expected the 3 of y"):
        wrap(GaussianNB(), cv=split, refit=False).fit(X, y)


def test_thresholds_can_be_tuned_on_top():
    unpruned = clone(LINEAR).set_params(threshold=0)
    model = LabelThresholdCV(SparseCalibrator(unpruned, cv=2), cv=2, random_state=0)
    assert 0 < model.fit(X, Y).predict(X).sum() < Y.size


def test_labels_are_restricted():
    model = SparseCalibrator(LINEAR, cv=2, random_state=0).fit(X, Y)
    columns, scores = model.rank(X, 5, allowed=[1, 3])
    expected = rank(model.estimator_, X, 5, allowed=[1, 3])
    np.testing.assert_array_equal(columns, expected[0])
    assert (scores[columns < 0] == 0).all()


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"cv": "prefit"}, ValueError, "refit cannot be True"),
        ({"cv": "prefit", "refit": False}, NotFittedError, "not fitted"),
        ({"cv": 3, "refit": False}, ValueError, "refit=False needs a single split"),
        ({"method": "beta"}, ValueError, "'method' parameter of SparseCalibrator"),
        ({"k": 0}, ValueError, "'k' parameter"),
        ({"n_groups": 0}, ValueError, "'n_groups' parameter"),
        ({"n_candidates": 0}, ValueError, "'n_candidates' parameter"),
        ({"decision_threshold": 2}, ValueError, "'decision_threshold' parameter"),
    ],
)
def test_invalid_parameters(parameters, error, message):
    model = SparseCalibrator(**{"estimator": LINEAR} | parameters)
    with pytest.raises(error, match=message):
        model.fit(X, Y)
    assert not hasattr(model, "estimator_")
