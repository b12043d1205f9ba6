"""F1 scores, and means over labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.metrics import f1_score, precision_score, recall_score
from slow_metrics import padded, ranked, sets_of, slow_f1, slow_macro

from skxmr import metrics

AVERAGES = ("micro", "macro", "samples")


@st.composite
def truth_and_scores(draw):
    """Dense truth and scores of few distinct values, so that many are equal."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=7))
    Y = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))
    values = st.sampled_from([0.0, 0.0, 0.1, 0.25, 0.5, 1.0])
    return Y, draw(hnp.arrays(np.float64, shape, elements=values))


def first_k(scores, k):
    """An indicator of the first k labels."""
    found = np.zeros(scores.shape, dtype=int)
    for i, row in enumerate(ranked(scores)):
        found[i, row[:k]] = 1
    return found


@given(data=truth_and_scores(), k=st.integers(1, 9))
def test_f1(data, k):
    Y, scores = data
    found, rankings = first_k(scores, k), ranked(scores)
    columns = padded(rankings, k)
    for average in AVERAGES:
        expected = slow_f1(sets_of(Y), rankings, k, average, range(Y.shape[1]))
        theirs = (
            f1_score(Y.reshape(len(Y), -1), found, average=average, zero_division=0)
            if Y.shape[1] > 1
            else expected
        )
        assert expected == pytest.approx(theirs)
        for ranking in (scores, sparse.csr_array(scores), columns):
            value = metrics.f1_at_k(Y, ranking, k, average=average)
            assert type(value) is float
            assert value == pytest.approx(expected)
        value = metrics.f1_at_k(sparse.coo_array(Y), scores, k, average=average)
        assert value == pytest.approx(expected)


@given(data=truth_and_scores(), k=st.integers(1, 9))
def test_macro_precision_and_recall(data, k):
    Y, scores = data
    found = first_k(scores, k)
    scikit_learn = {"precision_at_k": precision_score, "recall_at_k": recall_score}
    for name, score in scikit_learn.items():
        value = getattr(metrics, name)(Y, scores, k, average="macro")
        labels = range(Y.shape[1])
        expected = slow_macro(name, sets_of(Y), ranked(scores), k, labels)
        assert value == pytest.approx(expected)
        if Y.shape[1] > 1:
            theirs = score(Y, found, average="macro", zero_division=0)
            assert value == pytest.approx(theirs)


@given(data=truth_and_scores(), k=st.integers(1, 9), draw=st.data())
def test_one_class_a_row(data, k, draw):
    _, scores = data
    n_samples, n_labels = scores.shape
    elements = st.integers(-1, n_labels - 1)
    y = draw.draw(hnp.arrays(np.int32, n_samples, elements=elements))
    truths = [{int(label)} for label in y]  # -1 is a label like any other
    rankings = ranked(scores)
    occurring = set().union(*truths, *(row[:k] for row in rankings))
    for ranking in (scores, sparse.csc_array(scores), padded(rankings, k)):
        for average in AVERAGES:
            expected = slow_f1(truths, rankings, k, average, occurring)
            value = metrics.f1_at_k(y, ranking, k, average=average)
            assert value == pytest.approx(expected)
        for name in ("precision_at_k", "recall_at_k"):
            expected = slow_macro(name, truths, rankings, k, occurring)
            value = getattr(metrics, name)(y, ranking, k, average="macro")
            assert value == pytest.approx(expected)


def test_f1_of_classes_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, found = rng.integers(0, 5, size=(2, 40))
    for average in ("micro", "macro"):
        value = metrics.f1_at_k(y, found[:, np.newaxis], 1, average=average)
        assert value == pytest.approx(f1_score(y, found, average=average))


def test_by_hand():
    # Label 0: one hit, retrieved twice, true once. 1: retrieved once. 2: true once.
    Y, columns = [[1, 0, 0, 0], [0, 0, 1, 0]], [[0, 1], [0, -1]]
    assert metrics.f1_at_k(Y, columns, 2) == pytest.approx(2 / 5)
    f1 = metrics.f1_at_k(Y, columns, 2, average="macro")
    assert f1 == pytest.approx(2 / 3 / 4)
    f1 = metrics.f1_at_k(Y, columns, 2, average="samples")
    assert f1 == pytest.approx(2 / 3 / 2)
    assert metrics.precision_at_k(Y, columns, 2, average="macro") == 1 / 2 / 4
    assert metrics.recall_at_k(Y, columns, 2, average="macro") == 1 / 4


# By napkinXC 0.7.2, on the rows of `napkin_rows`, for k = 1, 3 and 5. Where it is
# installed, they are what `napkinxc.metrics.macro_f1_measure_at_k(Y, R, k=5)`,
# `psndcg_at_k(Y, R, 1 / p, k=5)` and so on return, with Y and R as lists of labels;
# for the other averages of F1, `micro_f1_measure(Y, R)` with the first k of each row.
NAPKINXC = {
    "precision_at_k macro": [0.120833333, 0.216738817, 0.258340563],
    "recall_at_k macro": [0.0842872405, 0.233908221, 0.486708893],
    "f1_at_k macro": [0.0847943723, 0.194285018, 0.312482716],
    "f1_at_k micro": [0.0952380952, 0.206060606, 0.328888889],
    "f1_at_k samples": [0.0877777778, 0.192063492, 0.323015873],
    "propensity_scored_precision_at_k": [0.105263158, 0.224899598, 0.492307692],
    "propensity_scored_recall_at_k": [0.0804911323, 0.187600644, 0.502745098],
    "propensity_scored_ndcg_at_k": [0.105263158, 0.166533411, 0.312784827],
}


def napkin_rows():
    rng = np.random.default_rng(7)
    truths = [rng.permutation(12)[: rng.integers(1, 5)] for _ in range(30)]
    rankings = np.array([rng.permutation(12)[:5] for _ in range(30)])
    Y = np.zeros((30, 12), dtype=int)
    for row, labels in enumerate(truths):
        Y[row, labels] = 1
    return Y, rankings, 1 / (1 + np.arange(12) % 4 / 2)


@pytest.mark.parametrize("name", NAPKINXC)
def test_values_of_napkinxc(name):
    Y, rankings, p = napkin_rows()
    metric, _, average = name.partition(" ")
    more = {"average": average} if average else {"propensities": p}
    values = [getattr(metrics, metric)(Y, rankings, k, **more) for k in (1, 3, 5)]
    np.testing.assert_allclose(values, NAPKINXC[name], rtol=1e-6)
