"""Scores weighed by the inverse propensities of their labels."""

import pickle

import numpy as np
import pytest
from fitted_classifiers import SMALL_TREE, make_data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skxmr import XRLinearClassifier, sharding
from skxmr.interop import load_pecos, save_pecos
from skxmr.linear._propensity import LabelCounts
from skxmr.metrics import propensities

X, Y = make_data()
# Labels of very different frequencies.
Y = sparse.csr_array(Y.toarray() * (np.arange(300)[:, None] % (1 + np.arange(20)) == 0))
X, Y = X[np.diff(Y.indptr) > 0], sparse.csr_array(Y[np.diff(Y.indptr) > 0])


def fit(X=X, Y=Y, **parameters):
    given = {"indexer": SMALL_TREE, "random_state": 0, "propensity_weight": 1.0}
    return XRLinearClassifier(**given | parameters).fit(X, Y)


def factors(Y, exponent):
    """Inverse propensities, relative to that of a label without rows."""
    without = sparse.hstack([Y, sparse.csr_array((Y.shape[0], 1))]).astype(int)
    p = propensities(without)
    return (p[-1] / p[:-1]) ** exponent


def assert_weighed(classifier, exponent, counted, X=X):
    """Compare with the scores of all candidates, multiplied."""
    plain = clone(classifier).set_params(propensity_weight=0)
    plain._state = classifier._state
    scores = plain.predict_proba(X).toarray() * factors(counted, exponent)
    columns, found = classifier.rank(X, 5)
    for row in range(X.shape[0]):
        best = np.lexsort((np.arange(scores.shape[1]), -scores[row]))[:5]
        np.testing.assert_allclose(found[row], scores[row, best], rtol=1e-5)
        np.testing.assert_allclose(scores[row, columns[row]], found[row], rtol=1e-5)
    np.testing.assert_allclose(
        classifier.predict_proba(X).toarray(), scores, rtol=1e-5, atol=1e-30
    )


@pytest.mark.parametrize("exponent", [0.5, 1, 3])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"n_trees": 2}, {"max_candidates": 7}, {"ranker": LogisticRegression()}],
    ids=str,
)
def test_scores_are_multiplied(exponent, parameters):
    classifier = fit(propensity_weight=exponent, **parameters)
    assert_weighed(classifier, exponent, Y)


@given(st.integers(0, 10**6), st.floats(0, 5), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_the_best_are_those_of_a_loop(seed, exponent, k):
    random = np.random.default_rng(seed)
    counts = LabelCounts(int(random.integers(1, 10**6)), random.integers(0, 5, 8))
    columns = np.stack([random.permutation(12) for _ in range(3)])  # 8 to 11 are new
    log_scores = random.choice([0.0, -1.0, -2.0], (3, 12))
    is_missing = random.random((3, 12)) < 0.2
    columns[is_missing], log_scores[is_missing] = -1, -np.inf
    best, found = counts.best(columns, log_scores, exponent, k)
    n = counts.n_rows
    c = max(np.log(n) - 1, 0) * 2.5**0.55
    for row in range(3):
        expected = []
        for column, score in zip(columns[row], log_scores[row], strict=True):
            count = counts.counts[column] if 0 <= column < 8 else 0
            inverse = [1 + c * (each + 1.5) ** -0.55 for each in (count, 0)]
            weighed = score + exponent * np.log(inverse[0] / inverse[1])
            expected.append((-weighed, column))
        np.testing.assert_allclose(-found[row], sorted(one for one, _ in expected)[:k])
        weighed = {column: -score for score, column in expected if column >= 0}
        for column, score in zip(best[row], found[row], strict=True):
            if column >= 0:
                np.testing.assert_allclose(weighed[column], score)
        assert len(set(best[row]) - {-1}) == np.count_nonzero(best[row] >= 0)


def test_one_row_is_ranked_as_many():
    for parameters in ({}, {"n_trees": 2}):
        classifier = fit(propensity_weight=2.0, **parameters)
        columns, scores = classifier.rank(X, 5)
        for row in range(20):
            some = slice(X.indptr[row], X.indptr[row + 1])
            found = classifier.rank_one(X.indices[some], X.data[some], 5)
            np.testing.assert_array_equal(found[0], columns[row])
            np.testing.assert_array_equal(found[1], scores[row])
            allowed = classifier.subset([1, 2, 3])
            found = classifier.rank_one(
                X.indices[some], X.data[some], 2, allowed=allowed
            )
            expected = classifier.rank(X[[row]], 2, allowed=allowed)
            np.testing.assert_array_equal(found[0], expected[0][0])


@pytest.mark.parametrize("n_trees", [1, 2])
def test_given_pairs_and_labels_of_each_row(n_trees):
    classifier = fit(propensity_weight=2.0, n_trees=n_trees, beam_width=None)
    columns, scores = classifier.rank(X, 20)
    rows = np.repeat(np.arange(X.shape[0]), 20)
    is_found = columns.ravel() >= 0
    pairs = rows[is_found], columns.ravel()[is_found]
    found = classifier.score_pairs(X, *pairs)
    np.testing.assert_allclose(found, scores.ravel()[is_found], rtol=1e-6)
    mask = sparse.csr_array(np.random.default_rng(0).random(Y.shape) < 0.4)
    among, weighed = classifier.rank(X, 3, allowed=mask)
    for row in range(X.shape[0]):
        allowed = [one for one in columns[row] if one >= 0 and mask[row, one]][:3]
        assert among[row].tolist() == allowed + [-1] * (3 - len(allowed))
        expected = classifier.score_pairs(X, [row] * len(allowed), allowed)
        np.testing.assert_allclose(weighed[row, : len(allowed)], expected, rtol=1e-6)


def test_it_takes_effect_at_once():
    classifier = fit()
    for exponent in (0.0, 2.0, 1.0):
        classifier.set_params(propensity_weight=exponent)
        expected = fit(propensity_weight=exponent).rank(X, 5)
        np.testing.assert_array_equal(classifier.rank(X, 5)[1], expected[1])
    counts = Y.sum(axis=0)
    columns = [classifier.set_params(propensity_weight=w).rank(X, 1)[0] for w in (0, 5)]
    assert counts[columns[1]].mean() < counts[columns[0]].mean()


@pytest.mark.parametrize("method", ["rank", "predict", "predict_proba"])
def test_labels_must_have_been_counted(method, tmp_path):
    plain = fit(propensity_weight=0.0).set_params(propensity_weight=1.0)
    save_pecos(fit(propensity_weight=0.0), tmp_path / "model")
    foreign = load_pecos(tmp_path / "model").set_params(propensity_weight=1.0)
    for classifier in (plain, foreign):
        with pytest.raises(ValueError, match=r"needs a fit with a propensity_weight"):
            getattr(classifier, method)(X, *[3] * (method == "rank"))


def test_further_rows_and_labels_are_counted():
    half = slice(0, 80)
    classifier = fit(X[half], Y[half])
    assert_weighed(classifier, 1, Y[half])
    classifier.partial_fit(X[80:], Y[80:])
    assert_weighed(classifier, 1, Y)
    classifier.add_labels(X[:2])
    wider = sparse.hstack([Y, sparse.csr_array((Y.shape[0], 2))], format="csr")
    assert_weighed(classifier, 1, wider)
    further = sparse.hstack([Y[:20], sparse.eye_array(20, 3)], format="csr")
    wider = sparse.hstack([Y, sparse.csr_array((Y.shape[0], 3))], format="csr")
    classifier.partial_fit(X[:20], further.astype(int))
    assert_weighed(classifier, 1, sparse.vstack([wider, further], format="csr"))
    classifier.remove_labels([0])
    assert_weighed(classifier, 1, sparse.vstack([wider, further], format="csr"))


def test_warm_start_counts_present_rows():
    classifier = fit(warm_start=True).fit(X[:100], Y[:100])
    assert_weighed(classifier, 1, Y[:100])


def test_class_labels():
    y = np.minimum(np.random.default_rng(0).geometric(0.25, X.shape[0]), 15)
    plain, weighed = (fit(Y=y, propensity_weight=w) for w in (0.0, 3.0))
    np.testing.assert_allclose(weighed.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    first = [one.predict(X) for one in (plain, weighed)]
    assert first[1].mean() > first[0].mean()  # larger numbers are rarer


def test_training_does_not_depend_on_it(tmp_path):
    """Without counts, fitted arrays and saved models are as before."""
    plain, weighed = fit(propensity_weight=0.0), fit()
    assert plain._state.counts is None
    for one, other in zip(plain.layouts_, weighed.layouts_, strict=True):
        np.testing.assert_array_equal(one.intercepts, other.intercepts)
    cached = {"memory": tmp_path, "weight_floor": 0.0, "threshold": 0.0}
    one, other = (fit(propensity_weight=w, **cached) for w in (1.0, 2.0))
    assert_weighed(one, 1, Y)
    assert_weighed(other, 2, Y)


def test_shards_do_not_know_counts():
    with pytest.raises(ValueError, match="propensity_weight"):
        sharding.split(fit(), 2)


def test_it_is_kept_when_saved():
    classifier = fit(X[:80], Y[:80])
    classifier.rank(X, 2)
    again = pickle.loads(pickle.dumps(classifier)).partial_fit(X[80:], Y[80:])
    assert_weighed(again, 1, Y)


@pytest.mark.parametrize(
    ("n_rows", "counts"),
    [(0, np.ones(20, dtype=int)), (3, np.ones(21, dtype=int)), (3, -np.ones(20, int))],
)
def test_a_damaged_model_is_refused(n_rows, counts):
    with pytest.raises(ValueError, match="counts"):
        LabelCounts(n_rows, counts).check(20, "XRLinearClassifier.counts")
