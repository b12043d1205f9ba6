"""Metrics of rankings equal their definitions and those of scikit-learn."""

import doctest
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.metrics import (
    label_ranking_average_precision_score,
    ndcg_score,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)
from slow_metrics import (
    DEFINITIONS,
    METRICS,
    PROPENSITY_METRICS,
    SPARSE_FORMATS,
    padded,
    propensities_of,
    ranked,
    sets_of,
    slow_graded_ndcg,
)

from skxmr import metrics
from skxmr.metrics import (
    _averages,
    _calibration,
    _completion,
    _label_frequency,
    _propensities,
    _ranking,
    _scorers,
    _threshold_curve,
)


def assert_all_metrics(y_true, scores, k, truths, rankings, p):
    for name, metric in METRICS.items():
        value = metric(y_true, scores, k)
        assert type(value) is float
        assert value == pytest.approx(DEFINITIONS[name](truths, rankings, k)), name
    for name, definition in PROPENSITY_METRICS.items():
        value = getattr(metrics, name)(y_true, scores, k, propensities=p)
        assert type(value) is float
        assert value == pytest.approx(definition(truths, rankings, k, p)), name


@st.composite
def truth_and_scores(draw):
    """Dense truth and scores of few distinct values, so that many are equal."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=7))
    Y = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))
    values = st.sampled_from([0.0, 0.0, 0.1, 0.25, 0.5, 1.0])
    return Y, draw(hnp.arrays(np.float64, shape, elements=values))


@given(data=truth_and_scores(), k=st.integers(1, 9))
def test_the_definitions_hold(data, k):
    Y, scores = data
    p = propensities_of(Y.shape[1])
    assert_all_metrics(Y, scores, k, sets_of(Y), ranked(scores), p)


@given(
    data=truth_and_scores(),
    k=st.integers(1, 9),
    truth_format=st.sampled_from(SPARSE_FORMATS),
    score_format=st.sampled_from(SPARSE_FORMATS),
)
def test_every_sparse_format(data, k, truth_format, score_format):
    Y, scores = data
    sparse_Y = sparse.coo_matrix(Y).asformat(truth_format)
    sparse_scores = sparse.coo_array(scores.astype(np.float32)).asformat(score_format)
    p = propensities_of(Y.shape[1])
    assert_all_metrics(sparse_Y, sparse_scores, k, sets_of(Y), ranked(scores), p)


@given(data=truth_and_scores(), k=st.integers(1, 9), extra=st.integers(0, 3))
def test_columns_of_a_ranking(data, k, extra):
    Y, scores = data
    p = propensities_of(Y.shape[1])
    width = k + extra
    columns, top = padded(ranked(scores), width), np.sort(scores, axis=1)[:, ::-1]
    top = np.pad(top, ((0, 0), (0, width)))[:, :width]
    for ranking in (columns, (columns, top), (columns.astype(np.int32), top.tolist())):
        assert_all_metrics(Y, ranking, k, sets_of(Y), ranked(scores), p)


@given(data=truth_and_scores(), k=st.integers(1, 9), draw=st.data())
def test_one_class_a_row(data, k, draw):
    _, scores = data
    n_samples, n_labels = scores.shape
    p = propensities_of(n_labels)
    elements = st.integers(-1, n_labels - 1)
    y = draw.draw(hnp.arrays(np.int32, n_samples, elements=elements))
    # A class without a column is a label like any other, of the smallest propensity.
    truths = [{int(label) if label >= 0 else n_labels} for label in y]
    p_beyond = [*p, p.min()]
    rankings = ranked(scores)
    for ranking in (scores, sparse.csc_array(scores), padded(rankings, k)):
        for name, metric in METRICS.items():
            expected = DEFINITIONS[name](truths, rankings, k)
            assert metric(y, ranking, k) == pytest.approx(expected), name
        for name, definition in PROPENSITY_METRICS.items():
            value = getattr(metrics, name)(y, ranking, k, propensities=p)
            expected = definition(truths, rankings, k, p_beyond)
            assert value == pytest.approx(expected), name


def test_k_is_5_unless_given():
    Y, columns = [[0] * 4 + [1, 1]], [[0, 1, 2, 3, 4, 5]]
    assert metrics.recall_at_k(Y, columns) == 0.5


# Against scikit-learn, on scores without equal ones.


@st.composite
def untied(draw):
    n_samples, n_labels = draw(st.tuples(st.integers(1, 8), st.integers(3, 8)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.permuted(np.tile(np.arange(1.0, n_labels + 1), (n_samples, 1)), axis=1)
    return rng.integers(0, 2, size=scores.shape), scores, rng


@given(data=untied(), k=st.integers(1, 10))
def test_ndcg_is_that_of_scikit_learn(data, k):
    Y, scores, _ = data
    assert metrics.ndcg_at_k(Y, scores, k) == pytest.approx(ndcg_score(Y, scores, k=k))


@st.composite
def grades_and_scores(draw):
    Y, scores = draw(truth_and_scores())
    values = st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0, 3.0])
    return draw(hnp.arrays(np.float64, Y.shape, elements=values)), scores


@given(
    data=grades_and_scores(),
    k=st.integers(1, 9),
    truth_format=st.sampled_from(SPARSE_FORMATS),
)
def test_ndcg_of_grades(data, k, truth_format):
    grades, scores = data
    expected = slow_graded_ndcg(grades.tolist(), ranked(scores), k)
    for same in (grades, sparse.coo_array(grades).asformat(truth_format)):
        assert metrics.ndcg_at_k(same, scores, k) == pytest.approx(expected)


@given(data=untied(), k=st.integers(1, 10))
def test_ndcg_of_grades_is_that_of_scikit_learn(data, k):
    Y, scores, rng = data
    grades = Y * rng.integers(1, 5, size=Y.shape)
    expected = ndcg_score(grades, scores, k=k)
    assert metrics.ndcg_at_k(grades, scores, k) == pytest.approx(expected)
    exact = metrics.ndcg_at_k(sparse.csr_array(grades), scores, k)
    assert exact == pytest.approx(expected)


def test_the_largest_of_duplicate_grades_counts():
    values, indices, indptr = [1.0, 3.0, 2.0, 0.0], [2, 0, 2, 1], [0, 4]
    messy = sparse.csr_array((values, indices, indptr), shape=(1, 3))
    for columns in ([[0, 2]], [[2, 1]]):
        expected = metrics.ndcg_at_k([[3.0, 0.0, 2.0]], columns, 2)
        assert metrics.ndcg_at_k(messy, columns, 2) == expected
    np.testing.assert_array_equal(messy.data, values)


@pytest.mark.parametrize("name", [n for n in METRICS if n != "ndcg_at_k"])
def test_other_metrics_ignore_grades(name):
    Y, columns = np.array([[1, 0, 1], [0, 1, 0]]), [[2, 1], [0, 1]]
    assert METRICS[name](Y * [5, 2, 0.5], columns, 2) == METRICS[name](Y, columns, 2)


@given(data=untied())
def test_precision_and_recall_are_those_of_scikit_learn(data):
    Y, scores, rng = data
    k = int(rng.integers(1, Y.shape[1] + 1))
    Y_pred = (scores > Y.shape[1] - k).astype(int)
    options = {"average": "samples", "zero_division": 0}
    precision, recall = (
        score(Y, Y_pred, **options) for score in (precision_score, recall_score)
    )
    assert metrics.precision_at_k(Y, scores, k) == pytest.approx(precision)
    assert metrics.recall_at_k(Y, scores, k) == pytest.approx(recall)


@given(data=untied())
def test_recall_of_one_class_a_row_is_top_k_accuracy(data):
    Y, scores, rng = data
    n_labels = Y.shape[1]
    y, k = rng.integers(0, n_labels, size=len(Y)), int(rng.integers(1, n_labels))
    expected = top_k_accuracy_score(y, scores, k=k, labels=np.arange(n_labels))
    assert metrics.recall_at_k(y, scores, k) == pytest.approx(expected)
    one_hot = np.eye(n_labels, dtype=int)[y]
    expected = label_ranking_average_precision_score(one_hot, scores)
    assert metrics.reciprocal_rank_at_k(y, scores, n_labels) == pytest.approx(expected)


# What counts as true.


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_explicit_zeros_and_duplicates(metric):
    data, indices, indptr = [1, 0, 1, 1, 1, 0], [2, 0, 1, 2, 0, 1], [0, 4, 6]
    columns = [[0, 2], [1, 0]]
    for dtype in (np.int8, bool, np.float64):
        values = np.array(data, dtype=dtype)
        messy = sparse.csr_array((values, indices, indptr), shape=(2, 3))
        expected = metric([[0, 1, 1], [1, 0, 0]], columns, 2)
        assert metric(messy, columns, 2) == expected
        assert metric(sparse.coo_array(messy), columns, 2) == expected
        np.testing.assert_array_equal(messy.indices, indices)
        np.testing.assert_array_equal(messy.data, values)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_containers(metric):
    Y, scores = np.array([[1, 0, 1], [0, 1, 1]]), np.array([[0.1, 0.3, 0.5]] * 2)
    expected = metric(Y, scores, 2)
    big = sparse.csr_array(Y)
    big.indices, big.indptr = big.indices.astype(np.int64), big.indptr.astype(np.int64)
    for y_true in (Y.tolist(), Y.astype(bool), pd.DataFrame(Y), pl.DataFrame(Y), big):
        assert metric(y_true, scores, 2) == expected
    for same in (scores.tolist(), pd.DataFrame(scores), np.asfortranarray(scores)):
        assert metric(Y, same, 2) == expected
    classes = [2, 1]
    for y_true in (np.array(classes, np.uint8), pd.Series(classes), pl.Series(classes)):
        assert metric(y_true, scores, 2) == metric(classes, scores, 2)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_rows_without_true_labels_count_as_none(metric):
    alone = metric([[1, 0]], [[0, 1]], 1)
    beside_empty = metric([[1, 0], [0, 0]], [[0, 1], [0, 1]], 1)
    # Coverage is a share of labels, not of rows.
    assert beside_empty == (alone if metric is metrics.coverage_at_k else alone / 2)
    assert metric(sparse.csr_array((2, 3)), np.ones((2, 3)), 2) == 0.0


def test_coverage_is_of_labels_found_in_their_own_rows():
    Y = [[1, 0, 0], [0, 1, 0]]
    assert metrics.coverage_at_k(Y, [[1], [0]], 1) == 0.0
    assert metrics.coverage_at_k(Y, [[0], [0]], 1) == 0.5
    assert metrics.coverage_at_k([4, 4, 4, 2], [[4], [1], [1], [1]], 1) == 0.5


@pytest.mark.parametrize("name", PROPENSITY_METRICS)
def test_a_perfect_ranking_has_psp_1(name):
    rng = np.random.default_rng(0)
    Y = (rng.random((50, 8)) < 0.3).astype(int)
    p = rng.uniform(0.1, 1, size=8)
    score = partial(getattr(metrics, name), Y, propensities=p)
    for k in (1, 3, 8, 20):
        assert score(Y / p, k) == pytest.approx(1)
    assert score(Y * p, 1) < 1


Y_TRUE = np.array([[1, 0, 1], [0, 1, 0]])
SCORES = np.array([[0.1, 0.2, 0.0], [0.0, 0.0, 0.3]])
COLUMNS = np.array([[1, 0], [2, -1]])
NAN = np.where(SCORES == 0, np.nan, SCORES)


@pytest.mark.parametrize(
    ("y_true", "scores", "message"),
    [
        (Y_TRUE[:1], SCORES, "same number of rows, got 1 and 2"),
        (Y_TRUE[:1], COLUMNS, "same number of rows, got 1 and 2"),
        (Y_TRUE[:, :2], SCORES, "same number of columns, got 2 and 3"),
        (Y_TRUE[:, :2], COLUMNS, "below the 2 columns of y_true, got 2"),
        (-Y_TRUE, SCORES, "y_true must be an indicator of 0 and 1, got -1"),
        (sparse.csr_array(-Y_TRUE), SCORES, "y_true must be an indicator"),
        (Y_TRUE * np.nan, SCORES, "y_true contains NaN"),
        (np.array([["a"], ["b"]]), SCORES, "y_true|numeric"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "0 sample"),
        (np.zeros((2, 0)), SCORES, "0 feature"),
        (np.ones((2, 3, 1)), SCORES, "dim 3"),
        (np.array(["a", "b"]), SCORES, "1-D, must hold column indices.*got <U1"),
        (np.array([0.0, 1.0]), SCORES, "1-D, must hold column indices.*got float64"),
        ([True, False], SCORES, "1-D, must hold column indices.*got bool"),
        ([0, -2], SCORES, "got -2"),
        ([0, 3], SCORES, "indices of scores' 3 columns, got 3"),
        (np.array([], int), COLUMNS, "at least one row"),
        ([0, 1, 2], SCORES, "same number of rows, got 3 and 2"),
        (Y_TRUE, NAN, "scores contains NaN"),
        (Y_TRUE, sparse.csr_array(NAN), "scores contains NaN"),
        (Y_TRUE, np.where(SCORES > 0, np.inf, 0), "scores contains infinity"),
        (Y_TRUE, -SCORES, "scores must not be negative.*Got -0.3"),
        (Y_TRUE, sparse.coo_matrix(-SCORES), "scores must not be negative"),
        (Y_TRUE, SCORES[0], "1D array"),
        (Y_TRUE, (COLUMNS,), "a tuple of 1"),
        (Y_TRUE, (COLUMNS, SCORES), r"one shape, got \(2, 2\) and \(2, 3\)"),
        (Y_TRUE, (SCORES, SCORES), "must be integers, got float64"),
        (Y_TRUE, (COLUMNS, COLUMNS * np.nan), "must not hold NaN"),
        (Y_TRUE, (COLUMNS, COLUMNS[:, ::-1]), "highest first"),
        (Y_TRUE, COLUMNS[0], r"shape \(n_samples, k\)"),
        (Y_TRUE, COLUMNS[:, :0], r"shape \(n_samples, k\)"),
        (Y_TRUE, COLUMNS - 1, "or -1 for none, got -2"),
        (Y_TRUE, [[1, 0], [-1, 2]], "go on after a -1"),
        (Y_TRUE, Y_TRUE, "repeat in a row.*one of floats"),
        (Y_TRUE, COLUMNS[:, :1], "first 2 columns of each row for k=2, got 1"),
        ([0, 1], COLUMNS[:, :1], "first 2 columns of each row for k=2, got 1"),
    ],
)
def test_malformed_input(y_true, scores, message):
    for metric in METRICS.values():
        with pytest.raises(ValueError, match=message):
            metric(y_true, scores, 2)
    with pytest.raises(ValueError, match=message):
        metrics.f1_at_k(y_true, scores, 2)
    for name in PROPENSITY_METRICS:
        with pytest.raises(ValueError, match=message):
            getattr(metrics, name)(y_true, scores, 2, propensities=[0.5, 0.5, 0.5])


@pytest.mark.parametrize("k", [0, -3, 1.0, "1", None])
def test_k_must_be_a_positive_integer(k):
    for name, metric in METRICS.items():
        with pytest.raises(ValueError, match=f"'k' parameter of {name} must be an int"):
            metric(Y_TRUE, SCORES, k)
        with pytest.raises(ValueError, match=f"'k' parameter of {name}_scorer must"):
            getattr(metrics, f"{name}_scorer")(k)


def test_fewer_columns_than_k_where_no_more_were_found():
    complete = [[2, 1, 0], [1, 0, 2]]
    assert metrics.recall_at_k(Y_TRUE, complete, 10) == 1
    all_end_early = [[2, -1], [1, -1]]
    assert metrics.recall_at_k(Y_TRUE, all_end_early, 10) == 0.75
    assert metrics.recall_at_k([2, 0], all_end_early, 10) == 0.5


@pytest.mark.parametrize(
    "module",
    [_averages, _label_frequency, _propensities, _ranking, _scorers, _threshold_curve],
)
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_everything_public_is_in_all():
    assert set(metrics.__all__) == {
        *METRICS,
        *(f"{name}_scorer" for name in METRICS),
        *PROPENSITY_METRICS,
        *(f"{name}_scorer" for name in PROPENSITY_METRICS),
        "f1_at_k",
        "f1_at_k_scorer",
        "propensities",
        *_calibration.__all__,
        *_completion.__all__,
        "micro_precision_recall_curve",
        "recall_by_frequency",
        "MetricAtKDisplay",
        "MicroPrecisionRecallDisplay",
        "RecallByFrequencyDisplay",
        "ReliabilityDisplay",
    }
