"""Decisions by thresholds that are tuned on held-out rows."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skxmr import (
    KMeansTree,
    LabelTexts,
    LabelThresholdCV,
    NeighborRanker,
    RankFusion,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
    rank,
)

RNG = np.random.default_rng(0)
X = RNG.random((120, 6)).astype(np.float32)
Y = (X[:, [0, 1, 2, 3, 0]] + RNG.normal(0, 0.2, (120, 5)) > [0.7] * 4 + [0.95]).astype(
    int
)
WORDS = np.array(["red", "green", "blue", "round", "square", "small"])
TEXTS = [" ".join(WORDS[row > 0.6]) for row in X]
NAMES = ["red", "green", "blue", "round", "dark red"]
LINEAR = XRLinearClassifier(KMeansTree(2, 2), random_state=0)
TEXT_TAGGER = TextRetriever(classifier=LINEAR, random_state=0)
SCORINGS = {"f1_micro": None, "f1_macro": 0, "f1_samples": 1}  # axes of sums

ESTIMATORS = {
    "linear": (LINEAR, X),
    "pipeline": (make_pipeline(WordNgramTfidf(), LINEAR), TEXTS),
    "retriever": (TEXT_TAGGER, TEXTS),
    "fusion": (RankFusion([("linear", LINEAR), ("near", NeighborRanker())]), X),
    "scikit-learn": (OneVsRestClassifier(LogisticRegression()), X),
    "decisions": (OneVsRestClassifier(LinearSVC()), X),
}
estimators = pytest.mark.parametrize("name", ESTIMATORS)


def dense(matrix):
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def f1(Y, found, scoring):
    axis = SCORINGS[scoring]
    n = Y.sum(axis=axis) + found.sum(axis=axis)
    return np.mean(2 * (Y * found).sum(axis=axis) / np.maximum(n, 1))


def take(data, rows):
    return data[rows] if hasattr(data, "shape") else [data[row] for row in rows]


@estimators
@pytest.mark.parametrize("scoring", SCORINGS)
def test_no_other_threshold_is_better_on_held_out_rows(name, scoring):
    estimator, data = ESTIMATORS[name]
    cv = KFold(3, shuffle=True, random_state=1)
    tuned = LabelThresholdCV(estimator, scoring=scoring, thresholds="global", cv=cv)
    tuned.fit(data, Y)
    scores = np.full(Y.shape, -np.inf)
    for train, test in cv.split(X):
        fitted = clone(estimator).fit(take(data, train), Y[train])
        columns, values = rank(fitted, take(data, test), 5)
        rows, places = np.nonzero(columns >= 0)
        scores[test[rows], columns[rows, places]] = values[rows, places]
    tried = [f1(Y, (scores >= t).astype(int), scoring) for t in np.unique(scores)[1:]]
    assert tuned.best_score_ == pytest.approx(max(tried))
    chosen = (scores >= tuned.best_threshold_).astype(int)
    assert f1(Y, chosen, scoring) == pytest.approx(tuned.best_score_)
    assert tuned.thresholds_ is None


@estimators
@pytest.mark.parametrize("kind", ["global", "per_label", "relative", "expected_count"])
def test_predict_takes_what_reaches_the_thresholds(name, kind):
    if name == "decisions" and kind in ("relative", "expected_count"):
        return
    estimator, data = ESTIMATORS[name]
    tuned = LabelThresholdCV(estimator, thresholds=kind, cv=2, random_state=0)
    tuned.fit(data, sparse.csr_array(Y) if name != "scikit-learn" else Y)
    found = tuned.predict(data)
    assert sparse.issparse(found) == (name != "scikit-learn")
    expected = np.zeros(Y.shape, dtype=int)
    for row, (columns, scores) in enumerate(zip(*tuned.rank(data, 5), strict=True)):
        total = scores.sum(dtype=float)
        for place, (column, score) in enumerate(zip(columns, scores, strict=True)):
            threshold, value = tuned.best_threshold_, float(score)
            if kind == "per_label":
                threshold = tuned.thresholds_[column]
            if kind == "expected_count":
                value = total / (place + 0.5)
            if kind == "relative":
                value = float(score) / (float(scores[0]) or 1)
            if column >= 0 and value >= threshold:
                expected[row, column] = 1
    np.testing.assert_array_equal(dense(found), expected)
    assert 0 < expected.sum() < expected.size


def test_auto_takes_a_threshold_for_each_label_for_micro_and_macro_f1():
    for scoring in ("f1_micro", "f1_macro"):
        fits = [
            LabelThresholdCV(
                LINEAR, scoring=scoring, thresholds=kind, cv=2, random_state=0
            ).fit(X, Y)
            for kind in ("auto", "per_label")
        ]
        assert fits[0].kind_ == "per_label"
        np.testing.assert_array_equal(fits[0].thresholds_, fits[1].thresholds_)


@pytest.mark.parametrize("name", ["linear", "decisions"])
def test_auto_takes_the_best_of_held_out_rows_for_f1_by_row(name):
    kinds = ["global", "relative", "expected_count"] if name == "linear" else ["global"]
    fits = {
        kind: LabelThresholdCV(
            ESTIMATORS[name][0],
            scoring="f1_samples",
            thresholds=kind,
            cv=2,
            random_state=0,
        ).fit(X, Y)
        for kind in (*kinds, "auto")
    }
    best = max(kinds, key=lambda kind: fits[kind].best_score_)
    assert fits["auto"].kind_ == best
    assert fits["auto"].best_score_ == fits[best].best_score_
    assert fits["auto"].thresholds_ is None


@pytest.mark.parametrize("name", ["linear", "pipeline", "retriever"])
def test_a_frozen_estimator_is_not_fitted_again(name):
    estimator, data = ESTIMATORS[name]
    fitted = clone(estimator).fit(take(data, np.arange(80)), Y[:80])
    rest = take(data, np.arange(80, 120))
    prefit = LabelThresholdCV(fitted, cv="prefit", refit=False).fit(rest, Y[80:])
    frozen = LabelThresholdCV(FrozenEstimator(fitted), cv=4).fit(rest, Y[80:])
    assert frozen.best_score_ == pytest.approx(prefit.best_score_)
    np.testing.assert_array_equal(dense(frozen.predict(data)), prefit.predict(data))
    np.testing.assert_array_equal(frozen.rank(data), rank(fitted, data))


class OfGroups(ClassifierMixin, BaseEstimator):
    """Records the metadata that it gets."""

    def fit(self, X, y, sample_weight=None):
        assert sample_weight is not None
        assert len(sample_weight) == len(X)
        self.inner_ = LogisticRegression().fit(X, y, sample_weight=sample_weight)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)


def test_metadata_is_routed_to_the_estimator_and_the_splitter():
    weights, groups = RNG.random(120), np.arange(120) // 30
    with config_context(enable_metadata_routing=True):
        estimator = OfGroups().set_fit_request(sample_weight=True)
        tuned = LabelThresholdCV(estimator, cv=GroupKFold(4))
        tuned.fit(X, Y[:, 0], sample_weight=weights, groups=groups)
        folds = list(GroupKFold(4).split(X, groups=groups))
        expected = LabelThresholdCV(estimator, cv=folds)
        expected.fit(X, Y[:, 0], sample_weight=weights)
        assert tuned.best_threshold_ == expected.best_threshold_
        with pytest.raises(TypeError, match="unexpected argument"):
            tuned.fit(X, Y[:, 0], other=weights)
        linear = clone(LINEAR).set_fit_request(relevance=True)
        LabelThresholdCV(linear, cv=2).fit(X, Y, relevance=weights)


def test_two_classes():
    y = np.where(Y[:, 0], "yes", "no")
    cv = StratifiedKFold(3)
    base = LogisticRegression(C=0.1)
    tuned = LabelThresholdCV(base, cv=cv).fit(X, y)
    held_out = cross_val_predict(base, X, y, cv=cv, method="predict_proba")[:, 1]
    tried = [f1_score(y == "yes", held_out >= t) for t in np.unique(held_out)]
    assert tuned.best_score_ == pytest.approx(max(tried))
    is_yes = tuned.predict_proba(X)[:, 1] >= tuned.best_threshold_
    np.testing.assert_array_equal(tuned.predict(X), np.where(is_yes, "yes", "no"))
    np.testing.assert_array_equal(tuned.decision_function(X) > 0, is_yes)
    assert tuned.classes_.tolist() == ["no", "yes"]


def test_more_than_two_classes_are_predicted_as_by_the_estimator():
    y = Y[:, 0] + Y[:, 1]
    tuned = LabelThresholdCV(LogisticRegression()).fit(X, y)
    plain = LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(tuned.predict(X), plain.predict(X))
    assert tuned.best_threshold_ is None
    assert tuned.best_score_ is None


def test_prefit_and_a_single_split():
    fitted = clone(LINEAR).fit(X[:80], Y[:80])
    prefit = LabelThresholdCV(fitted, cv="prefit", refit=False).fit(X[80:], Y[80:])
    assert prefit.estimator_ is fitted
    split = [(np.arange(80), np.arange(80, 120))]
    single = LabelThresholdCV(LINEAR, cv=split, refit=False).fit(X, Y)
    assert single.best_threshold_ == prefit.best_threshold_
    np.testing.assert_array_equal(single.predict(X), prefit.predict(X))
    refitted = LabelThresholdCV(LINEAR, cv=split).fit(X, Y)
    assert refitted.best_threshold_ == single.best_threshold_
    expected = clone(LINEAR).fit(X, Y)
    np.testing.assert_array_equal(refitted.rank(X)[1], expected.rank(X)[1])


def test_texts_of_labels_reach_every_fold():
    titles = LabelTexts(dict(enumerate(NAMES)))
    cv = KFold(2, shuffle=True, random_state=0)
    tuned = LabelThresholdCV(TEXT_TAGGER, cv=cv, random_state=0)
    tuned.fit(TEXTS, Y, label_texts=titles)
    plain = clone(TEXT_TAGGER).fit(TEXTS, Y, label_texts=titles)
    np.testing.assert_array_equal(tuned.rank(TEXTS, 5), plain.rank(TEXTS, 5))


def test_arguments_of_rows_are_divided():
    class Weighted(ClassifierMixin, BaseEstimator):
        def fit(self, X, y, *, row_weights=None, name=None):
            assert len(row_weights) == len(X)
            assert name == "a"
            self.inner_ = LogisticRegression().fit(X, y, sample_weight=row_weights)
            self.classes_ = self.inner_.classes_
            return self

        def predict(self, X):
            return self.inner_.predict(X)

        def predict_proba(self, X):
            return self.inner_.predict_proba(X)

    weights = RNG.random(120)
    tuned = LabelThresholdCV(Weighted(), cv=2, random_state=0)
    for same in (weights, weights.tolist()):
        tuned.fit(X, Y[:, 0], row_weights=same, name="a")


def test_parameters_of_prediction_act_after_fit():
    tuned = LabelThresholdCV(LINEAR, cv=2, random_state=0).fit(X, Y)
    one = clone(LINEAR).set_params(beam_width=1).fit(X, Y)
    tuned.set_params(estimator__beam_width=1, n_candidates=1)
    np.testing.assert_array_equal(tuned.rank(X, 5), one.rank(X, 5))
    assert (tuned.predict(X).sum(axis=1) <= 1).all()


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_results_do_not_depend_on_n_jobs(n_jobs):
    one, other = (
        LabelThresholdCV(LINEAR, thresholds="per_label", n_jobs=n, random_state=0).fit(
            X, Y
        )
        for n in (1, n_jobs)
    )
    np.testing.assert_array_equal(one.thresholds_, other.thresholds_)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"cv": "prefit"}, ValueError, "refit cannot be True"),
        ({"cv": "prefit", "refit": False}, NotFittedError, "not fitted"),
        ({"cv": 3, "refit": False}, ValueError, "refit=False needs a single split"),
        (
            {"thresholds": "per_label", "scoring": "f1_samples"},
            ValueError,
            "cannot maximise scoring='f1_samples'",
        ),
        ({"scoring": "f1"}, ValueError, "'scoring' parameter of LabelThresholdCV"),
        ({"thresholds": 0.5}, ValueError, "'thresholds' parameter"),
        ({"smoothing": -1}, ValueError, "'smoothing' parameter"),
        ({"n_candidates": 0}, ValueError, "'n_candidates' parameter"),
        ({"cv": 1.5}, ValueError, "'cv' parameter"),
        ({"refit": None}, ValueError, "'refit' parameter"),
        ({"estimator": 3}, ValueError, "'estimator' parameter"),
    ],
)
def test_invalid_parameters(parameters, error, message):
    model = LabelThresholdCV(**{"estimator": LINEAR} | parameters)
    with pytest.raises(error, match=message):
        model.fit(X, Y)
    assert not hasattr(model, "best_threshold_")


def test_signed_scores_do_not_add_up():
    model = LabelThresholdCV(
        OneVsRestClassifier(LinearSVC()), thresholds="expected_count", cv=2
    )
    with pytest.raises(ValueError, match="not negative; estimator gives"):
        model.fit(X, Y)


def test_a_prefit_estimator_of_other_labels():
    fitted = LINEAR.__class__().fit(X, Y)
    with pytest.raises(ValueError, match="y has 2 columns; expected those"):
        LabelThresholdCV(fitted, cv="prefit", refit=False).fit(X, Y[:, :2])


class Constant(ClassifierMixin, BaseEstimator):
    """Ranks the row's own number and the nine after it, among many labels."""

    def fit(self, X, y):
        self.classes_ = np.arange(y.shape[1])
        return self

    def predict(self, X):
        raise NotImplementedError

    def rank(self, X, k):
        columns = np.full((X.shape[0], k), -1)
        columns[:, :10] = X[:, :1] + np.arange(10)
        scores = np.where(columns >= 0, 1 / (2 + np.arange(k)), 0)
        return columns, scores


@pytest.mark.parametrize("kind", ["global", "per_label", "relative", "expected_count"])
def test_no_array_of_rows_by_labels_is_made(kind):
    n_samples, n_labels = 10_000, 200_000
    rows = np.arange(n_samples)[:, np.newaxis]
    indptr, ones = np.arange(n_samples + 1), np.ones(n_samples)
    truth = sparse.csr_array((ones, rows[:, 0], indptr), shape=(n_samples, n_labels))
    model = LabelThresholdCV(Constant(), thresholds=kind, cv=0.5, random_state=0)
    tracemalloc.start()
    found = model.fit(rows, truth).predict(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found != truth).nnz == 0
    # One bit for each row and label would be 250 MB.
    assert peak < 120e6


@pytest.mark.parametrize("thresholds", ["global", "relative", "per_label"])
def test_labels_with_a_single_row_are_told(thresholds):
    X = sparse.eye_array(12, format="csr", dtype=np.float32)
    Y = sparse.eye_array(12, format="csr", dtype=np.int64)
    tuned = LabelThresholdCV(
        XRLinearClassifier(random_state=0), thresholds=thresholds, cv=3
    )
    with pytest.warns(UserWarning, match="No label of the held-out rows") as caught:
        tuned.fit(X, Y)
    assert caught[0].filename == __file__
    assert tuned.best_score_ == 0
