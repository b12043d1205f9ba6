"""The thresholds with the best F1, compared with a trial of every threshold."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import f1_score

from skxmr.decisions._pairs import ScoredPairs, relative_scores, shares_of_scores
from skxmr.decisions._thresholds import best_global, best_per_label
from skxmr.ranking import top_k

AVERAGES = ("micro", "macro", "samples")


@st.composite
def problems(draw):
    """Truth, and scores of few distinct values; some labels are not found."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(2, 6)))
    Y = (rng.random(shape) < draw(st.sampled_from([0.1, 0.5]))).astype(int)
    scores = rng.choice([0.0, 0.0, 0.1, 0.3, 0.5, 0.9], size=shape)
    return Y, scores


def pairs_of(Y, scores):
    return ScoredPairs.of_ranking(*top_k(scores, scores.shape[1]), sparse.csr_array(Y))


def slow_f1(Y, scores, thresholds, average):
    chosen = (scores >= thresholds) & (scores > 0)
    return f1_score(Y, chosen.astype(int), average=average, zero_division=0)


@given(problem=problems(), average=st.sampled_from(AVERAGES))
def test_one_threshold(problem, average):
    Y, scores = problem
    found = best_global(pairs_of(Y, scores), average)
    tried = [slow_f1(Y, scores, t, average) for t in np.unique(scores[scores > 0])]
    assert found.score == pytest.approx(max([*tried, 0]))
    assert slow_f1(Y, scores, found.best, average) == pytest.approx(found.score)


@given(problem=problems())
def test_a_threshold_for_each_label(problem):
    Y, scores = problem
    pairs = pairs_of(Y, scores)
    found = best_per_label(pairs, "macro", 0)
    common = best_global(pairs, "macro").best
    best = []
    for y, of_label in zip(Y.T, scores.T, strict=True):
        tried = [*of_label[of_label > 0], common]
        chosen = [(of_label >= t) & (of_label > 0) for t in tried]
        best.append(max(2 * (y & c).sum() / max(y.sum() + c.sum(), 1) for c in chosen))
    assert found.score == pytest.approx(np.mean(best))
    assert slow_f1(Y, scores, found.by_label, "macro") == pytest.approx(found.score)


@given(problem=problems())
def test_thresholds_for_micro_f1_cannot_be_improved_one_by_one(problem):
    Y, scores = problem
    found = best_per_label(pairs_of(Y, scores), "micro", 0)
    value = slow_f1(Y, scores, found.by_label, "micro")
    assert value == pytest.approx(found.score)
    for label, of_label in enumerate(scores.T):
        for threshold in (*of_label[of_label > 0], 1.0):
            others = found.by_label.copy()
            others[label] = threshold
            assert slow_f1(Y, scores, others, "micro") <= value + 1e-12


def tried_thresholds(of_label, common):
    above = np.nextafter(of_label.max(), 1)
    return [common, *of_label[of_label > 0], *([above] if above > 0.1 else [])]


@given(problem=problems(), smoothing=st.floats(0.1, 20))
def test_smoothing_for_macro_f1_adds_rows_with_the_mean_f1(problem, smoothing):
    Y, scores = problem
    pairs = pairs_of(Y, scores)
    found = best_per_label(pairs, "macro", smoothing)
    if not (Y & (scores > 0)).any():
        return
    common = best_global(pairs, "macro").best
    for label, (y, of_label) in enumerate(zip(Y.T, scores.T, strict=True)):

        def value(t, of_label=of_label, y=y):
            chosen = (of_label >= t) & (of_label > 0)
            own = 2 * (y & chosen).sum() / max(y.sum() + chosen.sum(), 1)
            mean = slow_f1(Y, scores, t, "macro")
            return (y.sum() * own + smoothing * mean) / (y.sum() + smoothing)

        tried = tried_thresholds(of_label, common)
        assert found.by_label[label] in tried
        best = max(map(value, tried))
        assert value(found.by_label[label]) == pytest.approx(best, abs=1e-12)


@given(problem=problems(), smoothing=st.floats(0, 20))
def test_smoothing_for_micro_f1_adds_pairs_like_those_of_all(problem, smoothing):
    Y, scores = problem
    pairs = pairs_of(Y, scores)
    found = best_per_label(pairs, "micro", smoothing)
    if not (Y & (scores > 0)).any():
        return
    common = best_global(pairs, "micro").best
    best_f1, best = slow_f1(Y, scores, common, "micro"), np.full(Y.shape[1], common)
    while True:
        weight = smoothing / Y.sum()

        def value(label, t, f1=best_f1, weight=weight):
            all_of, own = (scores >= t) & (scores > 0), scores[:, label] >= t
            own &= scores[:, label] > 0
            hits = (Y[:, label] & own).sum() + weight * (Y & all_of).sum()
            return 2 * hits - f1 * (own.sum() + weight * all_of.sum())

        by_label = np.empty(Y.shape[1])
        for label, of_label in enumerate(scores.T):
            tried = sorted(tried_thresholds(of_label, common), reverse=True)
            by_label[label] = max(tried, key=partial(value, label))
        f1 = slow_f1(Y, scores, by_label, "micro")
        if f1 <= best_f1 + 1e-12:
            break
        best_f1, best = f1, by_label
    assert found.score == pytest.approx(best_f1)
    assert slow_f1(Y, scores, found.by_label, "micro") == pytest.approx(best_f1)
    assert best.shape == found.by_label.shape


def test_a_label_without_rows_has_the_threshold_of_all():
    rng = np.random.default_rng(0)
    scores = rng.random((200, 3))
    Y = (rng.random((200, 3)) < scores).astype(int)
    scores[:, 2], Y[:, 2] = 0, 0
    pairs = pairs_of(Y, scores)
    for average in ("micro", "macro"):
        found = best_per_label(pairs, average, 10)
        assert found.by_label[2] == found.best


def test_smoothing_brings_thresholds_together():
    rng = np.random.default_rng(0)
    scores = rng.random((100, 20))
    pairs = pairs_of((rng.random((100, 20)) < scores**2).astype(int), scores)
    spread = [np.ptp(best_per_label(pairs, "macro", m).by_label) for m in (0, 50, 1e6)]
    assert spread == sorted(spread, reverse=True)
    assert spread[0] > 2 * spread[2]


def test_relative_scores_choose_a_label_of_each_row_that_has_one():
    scores = np.array([[0.8, 0.4, 0.1], [0.02, 0.01, 0.0], [0.0, 0.0, 0.0]])
    expected = [[1, 0.5, 0.125], [1, 0.5, 0], [0, 0, 0]]
    np.testing.assert_allclose(relative_scores(scores), expected)
    assert relative_scores(np.empty((2, 0))).shape == (2, 0)


@given(problem=problems(), rescore=st.sampled_from([relative_scores, shares_of_scores]))
def test_scores_of_pairs_are_replaced_row_by_row(problem, rescore):
    Y, scores = problem
    columns, ranked = top_k(scores, scores.shape[1])
    expected = ScoredPairs.of_ranking(columns, rescore(ranked), sparse.csr_array(Y))
    found = pairs_of(Y, scores).rescored(rescore)
    np.testing.assert_array_equal(found.columns, expected.columns)
    np.testing.assert_allclose(found.scores, expected.scores)


def test_shares_count_as_many_labels_as_scores_add_up_to():
    rng = np.random.default_rng(0)
    scores = -np.sort(-rng.random((50, 8)), axis=1)
    counts = (shares_of_scores(scores) >= 1).sum(axis=1)
    np.testing.assert_array_equal(counts, np.minimum(np.rint(scores.sum(axis=1)), 8))


@pytest.mark.parametrize("average", AVERAGES)
def test_nothing_true_is_found(average):
    Y, scores = np.array([[1, 0], [0, 0]]), np.array([[0.0, 0.5], [0.2, 0.0]])
    found = best_global(pairs_of(Y, scores), average)
    assert found.score == 0
    assert found.best > 0.5
    if average != "samples":
        by_label = best_per_label(pairs_of(Y, scores), average, 1).by_label
        np.testing.assert_array_equal(by_label, [found.best] * 2)


def test_pairs_of_several_sets_of_rows():
    rng = np.random.default_rng(0)
    scores = rng.random((9, 4)) * (rng.random((9, 4)) < 0.5)
    Y = (rng.random((9, 4)) < 0.5).astype(int)
    whole = pairs_of(Y, scores)
    parts = [pairs_of(Y[rows], scores[rows]) for rows in (slice(4), slice(4, 9))]
    for one, other in zip(
        vars(whole).values(), vars(ScoredPairs.concatenate(parts)).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
