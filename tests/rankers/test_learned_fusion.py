"""Fusions whose weights are learned from held-out rows."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import skxmr
from skxmr import (
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.datasets import load_subjects
from skxmr.metrics import expected_calibration_error, recall_at_k

N_LABELS = 40
FEATURES = ["log_score", "relative_score", "reciprocal_rank", "listed"]


class Noisy(ClassifierMixin, BaseEstimator):
    """Lists the label that a row says, at first with a probability, and others."""

    def __init__(self, accuracy=0.5, seed=0, n_found=8):
        self.accuracy = accuracy
        self.seed = seed
        self.n_found = n_found

    def fit(self, X, y):
        is_indicator = np.ndim(y) == 2
        self.classes_ = np.arange(y.shape[1]) if is_indicator else np.unique(y)
        return self

    def rank(self, X, k=10, *, allowed=None):
        generator = np.random.default_rng(self.seed)
        n_labels = len(self.classes_)
        keys = generator.random((len(X), n_labels))
        is_right = generator.random(len(X)) < self.accuracy
        truth = np.searchsorted(self.classes_, np.asarray(X)[:, 0].astype(int))
        known = is_right & (truth < n_labels)
        keys[np.flatnonzero(known), truth[known]] = 2
        n_found = min(k, self.n_found, n_labels)
        columns = np.full((len(X), k), -1)
        columns[:, :n_found] = np.argsort(-keys, axis=1)[:, :n_found]
        scores = np.where(columns >= 0, 0.9 / np.arange(1, k + 1), 0)
        return columns, scores


def rows_of_classes(n_rows, seed=0):
    y = np.random.default_rng(seed).integers(0, N_LABELS, n_rows)
    return np.column_stack([y, np.arange(n_rows)]).astype(float), y


def indicator_of(y):
    return sparse.csr_array((np.ones(len(y)), (np.arange(len(y)), y)))


def fuse_noisy(accuracies=(0.9, 0.2), **parameters):
    members = [
        (f"accuracy {accuracy}", Noisy(accuracy, seed))
        for seed, accuracy in enumerate(accuracies)
    ]
    return RankFusion(members, weights="fit", random_state=0, **parameters)


def recall(truth, found):
    return recall_at_k(truth, found, 1)


def test_better_estimators_have_larger_weights():
    X, y = rows_of_classes(1000)
    test, truth = rows_of_classes(1000, seed=1)
    fusion = fuse_noisy().fit(X, y)
    weights = fusion.fusion_weights_
    assert list(weights) == ["accuracy 0.9", "accuracy 0.2"]
    good, bad = weights.values()
    assert list(good) == list(bad) == FEATURES
    assert good["reciprocal_rank"] > bad["reciprocal_rank"] > 0
    found = fusion.rank(test, 5)
    alone = [one.rank(test, 5) for one in fusion.estimators_]
    plain = clone(fusion).set_params(weights=None).fit(X, y).rank(test, 5)
    of_alone = [recall(truth, one) for one in alone]
    assert recall(truth, found) >= max(*of_alone, recall(truth, plain))


@pytest.mark.parametrize("is_indicator", [True, False])
def test_scores_are_probabilities(is_indicator):
    X, y = rows_of_classes(2000)
    test, truth = rows_of_classes(2000, seed=1)
    fusion = fuse_noisy((0.6, 0.5)).fit(X, indicator_of(y) if is_indicator else y)
    columns, scores = fusion.rank(test, 8)
    found = columns >= 0
    assert ((scores[found] > 0) & (scores[found] <= 1)).all()
    for before, after in pairwise(scores.T):
        assert (before >= after).all()
    assert expected_calibration_error(truth, (columns, scores), 5) < 0.02


def test_few_rows_give_equal_weights():
    X, y = rows_of_classes(199)
    fusion = fuse_noisy().fit(X, indicator_of(y))
    plain = fuse_noisy().set_params(weights=None).fit(X, indicator_of(y))
    assert fusion.fusion_weights_ == plain.fusion_weights_
    assert list(fusion.fusion_weights_.values()) == [{"score": 0.5}] * 2
    np.testing.assert_array_equal(fusion.rank(X, 3), plain.rank(X, 3))


def test_without_a_true_label_weights_are_equal():
    X, y = rows_of_classes(300)
    nobody = RankFusion([("none", Noisy(n_found=0))], weights="fit").fit(X, y)
    single = fuse_noisy().fit(X, np.zeros(300, dtype=int))
    for fusion in (nobody, single):
        for weights in fusion.fusion_weights_.values():
            assert list(weights) == ["score"]


def test_given_weights_have_names():
    X, y = rows_of_classes(10)
    fusion = fuse_noisy().set_params(weights=[1, 3], method="reciprocal_rank").fit(X, y)
    assert fusion.fusion_weights_ == {
        "accuracy 0.9": {"reciprocal_rank": 0.25},
        "accuracy 0.2": {"reciprocal_rank": 0.75},
    }


def test_weights_are_learned_by_fit_only():
    X, y = rows_of_classes(300)
    fusion = fuse_noisy().fit(X, y)
    learned, found = fusion.fusion_weights_, fusion.rank(X, 5)
    fusion.set_params(method="reciprocal_rank", rank_constant=1)
    np.testing.assert_array_equal(fusion.rank(X, 5), found)
    fusion.set_params(weights=[1, 1])
    assert fusion.rank(X, 5)[1].tolist() != found[1].tolist()
    fusion.set_params(weights="fit")
    assert fusion.fusion_weights_ == learned
    plain = clone(fusion).set_params(weights=None).fit(X, y)
    plain.set_params(weights="fit")
    with pytest.raises(ValueError, match="weights='fit' was set after fit"):
        plain.rank(X, 5)
    with pytest.raises(ValueError, match="'weights' parameter"):
        fuse_noisy().set_params(weights="learn").fit(X, y)


def test_seeds_make_fits_the_same():
    X, y = rows_of_classes(300)
    fits = [fuse_noisy().fit(X, y).fusion_weights_ for _ in range(2)]
    other = fuse_noisy().set_params(random_state=1).fit(X, y).fusion_weights_
    assert fits[0] == fits[1] != other


def test_estimators_are_not_fitted_to_the_rows_that_they_are_weighed_by():
    # The nearest neighbour of each row is the row itself, whose class is random.
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(400, 30)), generator.integers(0, 4, 400)
    X[np.arange(400), y] += 1.5
    X = np.concatenate([X, X])
    members = [
        ("memory", NeighborRanker(1)),
        ("model", LogisticRegression()),
    ]
    fusion = RankFusion(members, weights="fit", random_state=0).fit(X, np.tile(y, 2))
    test, truth = generator.normal(size=(1000, 30)), generator.integers(0, 4, 1000)
    test[np.arange(1000), truth] += 1.5
    recalls = {
        name: recall(truth, skxmr.rank(one, test, 1))
        for name, one in [*fusion.named_estimators_.items(), ("fused", fusion)]
    }
    assert recalls["memory"] < recalls["model"] - 0.05
    assert recalls["fused"] > recalls["model"] - 0.01


def test_negative_scores_are_not_logarithms():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(500, 20)), generator.integers(0, 5, 500)
    X[np.arange(500), y] += 2
    members = [("margins", LinearSVC()), ("near", NeighborRanker())]
    fusion = RankFusion(members, weights="fit", random_state=0).fit(X, y)
    assert fusion._state.learned.is_log.tolist() == [False, True]
    columns, scores = fusion.rank(X, 5)
    assert np.isfinite(scores).all()
    assert recall(y, (columns, scores)) > 0.8


def make_texts():
    train = load_subjects(subset="train")
    kept = np.asarray(train.target[:, :300].sum(axis=1)).ravel() > 0
    rows = np.flatnonzero(kept)[:600]
    return [train.data[row] for row in rows], train.target[rows][:, :300]


TEXTS, SUBJECTS = make_texts()


def fuse_texts(**parameters):
    members = [
        ("words", LexicalRanker()),
        ("near", make_pipeline(WordNgramTfidf(), NeighborRanker())),
        ("model", TextRetriever(classifier=XRLinearClassifier(random_state=0))),
    ]
    return RankFusion(members, weights="fit", random_state=0, **parameters)


@pytest.fixture(scope="module")
def fused_texts():
    return fuse_texts().fit(TEXTS[:500], SUBJECTS[:500])


def test_texts_on_different_scales(fused_texts):
    assert np.isfinite(fused_texts._state.learned.coefficients).all()
    found = fused_texts.rank(TEXTS[500:], 10)
    alone = [skxmr.rank(one, TEXTS[500:], 10) for one in fused_texts.estimators_]
    truth = SUBJECTS[500:]
    recalls = [recall_at_k(truth, one, 10) for one in alone]
    assert recall_at_k(truth, found, 10) > np.mean(recalls)


def test_predictions_are_those_of_rank(fused_texts):
    columns, scores = fused_texts.rank(TEXTS[500:520], 100)
    proba = fused_texts.predict_proba(TEXTS[500:520])
    assert sparse.issparse(proba)
    rows, positions = np.nonzero(columns >= 0)
    np.testing.assert_allclose(
        np.asarray(proba[rows, columns[rows, positions]]).ravel(),
        scores[rows, positions],
        rtol=1e-5,
    )
    assert proba.nnz == len(rows)
    predicted = fused_texts.predict(TEXTS[500:520])
    np.testing.assert_array_equal(predicted.toarray() > 0, proba.toarray() > 0.5)


def test_fusions_pickle_and_clone(fused_texts):
    again = pickle.loads(pickle.dumps(fused_texts))
    assert again.fusion_weights_ == fused_texts.fusion_weights_
    np.testing.assert_array_equal(
        again.rank(TEXTS[500:], 5), fused_texts.rank(TEXTS[500:], 5)
    )
    copied = clone(fused_texts)
    assert not hasattr(copied, "fusion_weights_")
    refitted = copied.fit(TEXTS[:500], SUBJECTS[:500])
    assert refitted.fusion_weights_ == fused_texts.fusion_weights_


def test_subsets_are_ranked_among_themselves(fused_texts):
    allowed = fused_texts.subset(range(0, 300, 2), excluded=[4])
    columns, scores = fused_texts.rank(TEXTS[500:520], 20, allowed=allowed)
    found = columns[columns >= 0]
    assert len(found)
    assert not (found % 2).any()
    assert 4 not in found
    again = fused_texts.rank(TEXTS[500:520], 20, allowed=range(0, 300, 2), excluded=[4])
    np.testing.assert_array_equal((columns, scores), again)
    ignored = fused_texts.rank(
        TEXTS[500:520],
        20,
        allowed=[*range(0, 300, 2), 999],
        excluded=[4],
        unknown="ignore",
    )
    np.testing.assert_array_equal((columns, scores), ignored)
