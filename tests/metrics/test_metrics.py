import doctest
import math
import pickle
import tracemalloc
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    label_ranking_average_precision_score,
    ndcg_score,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skxmr import metrics
from skxmr.metrics import _calibration, _completion, _ranking, _scorers
from skxmr.ranking import rank, top_k

METRICS = {
    "precision_at_k": metrics.precision_at_k,
    "recall_at_k": metrics.recall_at_k,
    "ndcg_at_k": metrics.ndcg_at_k,
    "reciprocal_rank_at_k": metrics.reciprocal_rank_at_k,
    "coverage_at_k": metrics.coverage_at_k,
}
SPARSE_FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


# The definitions, row by row: `truths` holds a set for each row, `rankings` a list.


def slow_precision(truths, rankings, k):
    shares = [
        sum(r in y for r in row[:k]) / k
        for y, row in zip(truths, rankings, strict=True)
    ]
    return sum(shares) / len(truths)


def slow_recall(truths, rankings, k):
    shares = [
        sum(r in y for r in row[:k]) / len(y) if y else 0
        for y, row in zip(truths, rankings, strict=True)
    ]
    return sum(shares) / len(truths)


def slow_ndcg(truths, rankings, k):
    total = 0
    for y, row in zip(truths, rankings, strict=True):
        gain = sum(1 / math.log2(j + 2) for j, r in enumerate(row[:k]) if r in y)
        best = sum(1 / math.log2(j + 2) for j in range(min(k, len(y))))
        total += gain / best if y else 0
    return total / len(truths)


def slow_reciprocal_rank(truths, rankings, k):
    total = 0
    for y, row in zip(truths, rankings, strict=True):
        hits = [j for j, r in enumerate(row[:k]) if r in y]
        total += 1 / (hits[0] + 1) if hits else 0
    return total / len(truths)


def slow_coverage(truths, rankings, k):
    found = {
        r for y, row in zip(truths, rankings, strict=True) for r in row[:k] if r in y
    }
    return len(found) / max(len(set().union(*truths)), 1)


def slow_psp(truths, rankings, k, p):
    gained = best = 0
    for y, row in zip(truths, rankings, strict=True):
        gained += sum(1 / p[r] for r in row[:k] if r in y)
        best += sum(sorted((1 / p[label] for label in y), reverse=True)[:k])
    return gained / best if best else 0


DEFINITIONS = {
    "precision_at_k": slow_precision,
    "recall_at_k": slow_recall,
    "ndcg_at_k": slow_ndcg,
    "reciprocal_rank_at_k": slow_reciprocal_rank,
    "coverage_at_k": slow_coverage,
}


def sets_of(Y):
    return [set(np.flatnonzero(row).tolist()) for row in Y]


def ranked(scores):
    """All columns of each row with a score, best first."""
    return [
        sorted((j for j in range(len(row)) if row[j] > 0), key=lambda j: (-row[j], j))
        for row in scores
    ]


def padded(rankings, width):
    columns = np.full((len(rankings), width), -1)
    for i, row in enumerate(rankings):
        columns[i, : len(row)] = row[:width]
    return columns


def propensities_of(n_labels):
    return 1 / (2.0 + np.arange(n_labels) % 3)


def assert_all_metrics(y_true, scores, k, truths, rankings, p):
    for name, metric in METRICS.items():
        value = metric(y_true, scores, k)
        assert type(value) is float
        assert value == pytest.approx(DEFINITIONS[name](truths, rankings, k)), name
    value = metrics.propensity_scored_precision_at_k(y_true, scores, k, propensities=p)
    assert type(value) is float
    assert value == pytest.approx(slow_psp(truths, rankings, k, p))


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
        psp = metrics.propensity_scored_precision_at_k(y, ranking, k, propensities=p)
        assert psp == pytest.approx(slow_psp(truths, rankings, k, p_beyond))


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


def test_a_perfect_ranking_has_psp_1():
    rng = np.random.default_rng(0)
    Y = (rng.random((50, 8)) < 0.3).astype(int)
    p = rng.uniform(0.1, 1, size=8)
    score = partial(metrics.propensity_scored_precision_at_k, Y, propensities=p)
    for k in (1, 3, 8, 20):
        assert score(Y / p, k) == pytest.approx(1)
    assert score(Y * p, 1) < 1


# Propensities.


def test_propensities_are_those_of_the_paper():
    rng = np.random.default_rng(0)
    Y = (rng.random((200, 5)) < [0.9, 0.5, 0.1, 0.01, 0]).astype(int)
    for a, b in [(0.55, 1.5), (0.5, 0.4), (0.6, 2.6)]:
        c = (math.log(200) - 1) * (b + 1) ** a
        expected = [1 / (1 + c * math.exp(-a * math.log(n + b))) for n in Y.sum(axis=0)]
        for same in (Y, sparse.csc_matrix(Y), sparse.coo_array(Y)):
            np.testing.assert_allclose(metrics.propensities(same, a, b), expected)
    np.testing.assert_array_equal(
        metrics.propensities(Y), metrics.propensities(Y, 0.55, 1.5)
    )


def test_propensities_of_classes():
    y = ["b", "a", "b", "c"]
    Y = [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    expected = metrics.propensities(Y)
    for same in (y, np.array(y), np.array(y, dtype=object), pd.Series(y)):
        np.testing.assert_array_equal(metrics.propensities(same), expected)


@given(
    shape=hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    a=st.floats(0, 3),
    b=st.floats(0.1, 10),
)
def test_propensities_are_probabilities(shape, a, b):
    p = metrics.propensities(np.ones(shape), a, b)
    assert ((p > 0) & (p <= 1)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": -1}, "'a' parameter of propensities"),
        ({"a": math.nan}, "'a' parameter of propensities"),
        ({"b": 0}, "'b' parameter of propensities"),
        ({"b": "1"}, "'b' parameter of propensities"),
        ({"Y": [[-1, 1]]}, "Y must be an indicator of 0 and 1, got -1"),
        ({"Y": [[np.nan, 1]]}, "Y contains NaN"),
        ({"Y": []}, "Y must have at least one row"),
    ],
)
def test_bad_propensities_are_not_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        metrics.propensities(**({"Y": [[1, 0]]} | arguments))


# Input that is refused.

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
        metrics.propensity_scored_precision_at_k(
            y_true, scores, 2, propensities=[0.5, 0.5, 0.5]
        )


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
    ("p", "message"),
    [
        ([0.5, 0.5], "one value for each column"),
        ([0.5, 0.5, 0.0], r"in \(0, 1\], got values from 0.0"),
        ([0.5, 0.5, 1.5], r"in \(0, 1\], got values from 0.5 to 1.5"),
        ([0.5, 0.5, np.nan], "propensities contains NaN"),
        ([[0.5, 0.5, 0.5]], r"shape \(n_labels,\)"),
        ("abc", "propensities|numeric|convert"),
    ],
)
def test_malformed_propensities(p, message):
    with pytest.raises(ValueError, match=message):
        metrics.propensity_scored_precision_at_k(Y_TRUE, SCORES, 2, propensities=p)


def test_an_unknown_class_has_the_smallest_propensity_wherever_others_are():
    score = metrics.propensity_scored_precision_at_k
    p = [0.5, 0.25, 0.5, 0.5]
    # Row 0 gains 2; 2 and 4 were there.
    assert score([0, -1], [[0], [0]], 1, propensities=p) == pytest.approx(2 / 6)
    assert score([0, 9], [[0], [0]], 1, propensities=p) == pytest.approx(2 / 6)


def test_propensities_must_reach_to_the_columns_of_a_ranking():
    with pytest.raises(ValueError, match="one value for each column"):
        metrics.propensity_scored_precision_at_k(
            [0, 1], [[0], [2]], 1, propensities=[0.5, 0.5]
        )


# Scorers.


class NeighborRanker(ClassifierMixin, BaseEstimator):
    """Ranks the labels of the nearest training rows; classes may be of any type."""

    def __init__(self, n_neighbors=3):
        self.n_neighbors = n_neighbors

    def fit(self, X, y, *, relevance=None):
        self.X_ = np.asarray(X)
        if sparse.issparse(y) or np.ndim(y) == 2:
            self.Y_ = np.asarray(y.todense() if sparse.issparse(y) else y)
            self.classes_ = np.arange(self.Y_.shape[1])
            return self
        y = list(y)
        # np.unique cannot sort numbers among strings.
        distinct = sorted(set(y), key=lambda label: (type(label).__name__, label))
        self.classes_ = np.empty(len(distinct), dtype=object)
        self.classes_[:] = distinct
        self.Y_ = np.array([[label == c for c in distinct] for label in y])
        return self

    def rank(self, X, k):
        distances = np.abs(np.asarray(X)[:, np.newaxis, :] - self.X_).sum(axis=2)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, : self.n_neighbors]
        return top_k(self.Y_[nearest].mean(axis=1), k)


RNG = np.random.default_rng(0)
X = RNG.integers(0, 3, size=(40, 3)).astype(float)
Y = (RNG.random((40, 6)) < np.where(X[:, [0, 0, 1, 1, 2, 2]] > 1, 0.7, 0.1)).astype(int)
# Every third class occurs once: unseen where its row is held out.
CODES = np.where(np.arange(40) % 3 == 0, np.arange(40), X[:, 0].astype(int))
NAMES = [f"query {code}" for code in CODES]
MIXED = np.empty(40, dtype=object)
MIXED[:] = [
    None if code == 0 else int(code) if code % 2 else f"q{code}" for code in CODES
]
PSP = metrics.propensities(Y)

SCORERS = {name: getattr(metrics, f"{name}_scorer") for name in METRICS}


def held_out_score(definition, y, k, n_neighbors):
    """Mean over five folds by the slow definitions, class for class."""
    values = []
    for train, test in KFold(5).split(X):
        model = NeighborRanker(n_neighbors).fit(X[train], [y[i] for i in train])
        columns, _ = model.rank(X[test], k)
        rankings = [[model.classes_[c] for c in row if c >= 0] for row in columns]
        values.append(definition([{y[i]} for i in test], rankings, k))
    return np.mean(values)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "container",
    [np.asarray, sparse.csr_matrix, sparse.csr_array, pd.DataFrame],
    ids=lambda c: c.__name__,
)
def test_grid_search_on_labels(name, container):
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), NeighborRanker()),
        {"neighborranker__n_neighbors": [1, 5]},
        scoring=SCORERS[name](2),
        cv=KFold(5),
        error_score="raise",
    ).fit(X, container(Y))
    for n_neighbors, value in zip(
        [1, 5], search.cv_results_["mean_test_score"], strict=True
    ):
        folds = []
        for train, test in KFold(5).split(X):
            model = NeighborRanker(n_neighbors).fit(X[train], Y[train])
            rankings = [[c for c in row if c >= 0] for row in model.rank(X[test], 2)[0]]
            folds.append(DEFINITIONS[name](sets_of(Y[test]), rankings, 2))
        assert value == pytest.approx(np.mean(folds))
    assert SCORERS[name](2)(search, X, container(Y)) == pytest.approx(
        METRICS[name](Y, rank(search, X, 2), 2)
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "y",
    [
        CODES,
        CODES.astype(np.float32),
        NAMES,
        np.array(NAMES),
        np.array(NAMES, dtype=object),
        pd.Series(NAMES, index=np.arange(40)[::-1]),
        pd.Series(NAMES, dtype="category"),
        MIXED,
        MIXED.tolist(),
        CODES > 1,
    ],
    ids=["int", "float", "list", "U", "O", "series", "categorical", "mixed", "ml", "b"],
)
def test_grid_search_on_classes(name, y):
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), NeighborRanker()),
        {"neighborranker__n_neighbors": [1, 5]},
        scoring=SCORERS[name](2),
        cv=KFold(5),
        error_score="raise",
    ).fit(X, y)
    plain = list(y)
    expected = [held_out_score(DEFINITIONS[name], plain, 2, n) for n in (1, 5)]
    assert search.cv_results_["mean_test_score"] == pytest.approx(expected)


def test_classes_of_other_classifiers():
    model = make_pipeline(FunctionTransformer(), LogisticRegression())
    model.fit(X, np.array(NAMES))
    value = metrics.recall_at_k_scorer(1)(model, X, NAMES)
    assert value == pytest.approx(model.score(X, NAMES))
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    value = metrics.ndcg_at_k_scorer(3)(model, X, Y)
    assert value == pytest.approx(ndcg_score(Y, model.predict_proba(X), k=3))


def test_one_column_of_classes_is_a_list_of_classes():
    model = NeighborRanker().fit(X, NAMES)
    scorer = metrics.recall_at_k_scorer(3)
    one_column = np.array(NAMES)[:, np.newaxis]
    assert scorer(model, X, one_column) == scorer(model, X, NAMES)
    assert scorer(model, X, pd.DataFrame(one_column)) == scorer(model, X, NAMES)


def test_each_unseen_class_is_a_label_of_its_own():
    model = NeighborRanker(1).fit([[0.0], [1.0]], ["a", "b"])
    y = ["a", "new", "newer", "newer", 3]
    for name, expected in [("coverage_at_k", 1 / 4), ("recall_at_k", 1 / 5)]:
        assert SCORERS[name](1)(model, np.zeros((5, 1)), y) == pytest.approx(expected)


def test_nothing_known_is_no_error():
    model = NeighborRanker().fit(X, NAMES)
    for make in SCORERS.values():
        assert make(2)(model, X, np.arange(40)) == 0.0


def test_classes_need_an_estimator_that_has_them():
    class Nameless(BaseEstimator):
        def rank(self, X, k):
            return np.zeros((len(X), k), int), np.zeros((len(X), k))

    with pytest.raises(TypeError, match=r"must have classes_.*got Nameless"):
        metrics.recall_at_k_scorer(1)(Nameless(), X, NAMES)


def test_propensities_by_column():
    scorer = metrics.propensity_scored_precision_at_k_scorer(2, propensities=PSP)
    model = NeighborRanker().fit(X, Y)
    expected = metrics.propensity_scored_precision_at_k(
        Y, rank(model, X, 2), 2, propensities=PSP
    )
    for same in (Y, sparse.csr_matrix(Y)):
        assert scorer(model, X, same) == expected
    with pytest.raises(ValueError, match="must be a dict from class to propensity"):
        scorer(NeighborRanker().fit(X, NAMES), X, NAMES)


def test_propensities_by_class():
    p = dict(zip(np.unique(NAMES), metrics.propensities(NAMES), strict=True))
    scorer = metrics.propensity_scored_precision_at_k_scorer(2, propensities=p)
    train, test = np.arange(30), np.arange(30, 40)
    names = np.array(NAMES)
    model = NeighborRanker().fit(X[train], names[train])
    rankings = [
        [model.classes_[c] for c in row if c >= 0] for row in model.rank(X[test], 2)[0]
    ]
    truths = [{name} for name in names[test]]
    assert not {*names[test]} <= {*names[train]}
    expected = slow_psp(truths, rankings, 2, p)
    assert 0 < expected < 1
    assert scorer(model, X[test], names[test]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="must be an array by column"):
        scorer(NeighborRanker().fit(X, Y), X, Y)


def test_a_class_without_a_propensity_has_the_smallest():
    model = NeighborRanker(1).fit([[0.0], [1.0]], ["a", "b"])
    p = {"a": 0.5, "b": 0.25}
    scorer = metrics.propensity_scored_precision_at_k_scorer(1, propensities=p)
    # "a" gains 2 of the 2 + 4 there were.
    assert scorer(model, [[0.0], [0.0]], ["a", "new"]) == pytest.approx(2 / 6)


def test_a_scorer_keeps_propensities_of_its_own():
    p, by_class = PSP.copy(), {"a": 0.5}
    make = metrics.propensity_scored_precision_at_k_scorer
    scorers = make(2, propensities=p), make(2, propensities=by_class)
    p[:], by_class["a"] = 1, 1
    np.testing.assert_array_equal(scorers[0].propensities, PSP)
    assert scorers[1].propensities == {"a": 0.5}


@pytest.mark.parametrize("p", [[], [0.0], {"a": 2.0}, {}, {"a": "x"}, [[0.5]]])
def test_scorers_refuse_malformed_propensities(p):
    with pytest.raises(ValueError, match=r"propensities|minimum of 1|float"):
        metrics.propensity_scored_precision_at_k_scorer(1, propensities=p)


ALL_SCORERS = [
    *(make(10) for make in SCORERS.values()),
    metrics.propensity_scored_precision_at_k_scorer(10, propensities=PSP),
    metrics.propensity_scored_precision_at_k_scorer(10, propensities={"a": 0.5}),
]


@pytest.mark.parametrize("scorer", ALL_SCORERS, ids=repr)
def test_scorers_are_values(scorer):
    same = pickle.loads(pickle.dumps(scorer))
    assert same == scorer
    assert hash(same) == hash(scorer)
    assert repr(same) == repr(scorer)
    assert [other == scorer for other in ALL_SCORERS].count(True) == 1
    assert type(scorer)(*vars(scorer).values()) == scorer
    assert scorer != scorer.metric
    copied = clone(GridSearchCV(NeighborRanker(), {}, scoring=scorer)).scoring
    assert copied == scorer


def test_scorers_of_other_k_or_propensities_differ():
    assert metrics.recall_at_k_scorer(5) != metrics.recall_at_k_scorer(10)
    assert metrics.recall_at_k_scorer() == metrics.recall_at_k_scorer(5)
    make = partial(metrics.propensity_scored_precision_at_k_scorer, 5)
    assert make(propensities=PSP) != make(propensities=PSP**2)
    assert make(propensities={"a": 0.5}) != make(propensities={"a": 0.25})
    assert make(propensities=PSP) == make(propensities=PSP.tolist())


def test_repr_is_how_to_make_it():
    assert repr(metrics.recall_at_k_scorer(10)) == "recall_at_k_scorer(10)"
    for scorer in ALL_SCORERS[:-2]:
        assert eval(repr(scorer), vars(metrics)) == scorer
    assert repr(ALL_SCORERS[-1]) == (
        "propensity_scored_precision_at_k_scorer(10, propensities=<1 classes>)"
    )


@pytest.mark.parametrize("routing", [False, True])
def test_several_metrics_with_and_without_metadata_routing(routing):
    scoring = {"recall": SCORERS["recall_at_k"](3), "ndcg": SCORERS["ndcg_at_k"](3)}
    relevance = np.ones(40)
    with sklearn.config_context(enable_metadata_routing=routing):
        model, parameters = NeighborRanker(), {"relevance": relevance}
        if routing:
            model.set_fit_request(relevance=True)
        search = GridSearchCV(
            model,
            {"n_neighbors": [1, 5]},
            scoring=scoring,
            refit="ndcg",
            cv=KFold(3),
            error_score="raise",
        ).fit(X, sparse.csr_matrix(Y), **parameters)
        single = GridSearchCV(
            model, {"n_neighbors": [1, 5]}, scoring=scoring["recall"], cv=KFold(3)
        ).fit(X, sparse.csr_matrix(Y), **parameters)
        best = search.score(X, sparse.csr_matrix(Y))
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_recall"], single.cv_results_["mean_test_score"]
    )
    assert best == scoring["ndcg"](search.best_estimator_, X, Y)


def test_cross_validate():
    found = cross_validate(
        NeighborRanker(), X, Y, scoring=metrics.recall_at_k_scorer(2), cv=KFold(4)
    )
    assert found["test_score"].shape == (4,)
    assert (found["test_score"] > 0).all()


class Constant(BaseEstimator):
    """Ranks the row's own number and the nine after it, among many classes."""

    def __init__(self, classes):
        self.classes_ = classes

    def rank(self, X, k):
        columns = X[:, :1] + np.arange(k)
        return columns, np.ones(columns.shape, dtype=np.float32)


@pytest.mark.parametrize("kind", ["strings", "integers", "indicator"])
def test_scoring_never_holds_rows_by_classes(kind):
    n_samples, n_classes, k = 20_000, 100_000, 10
    truth = np.arange(n_samples) + 3
    numbers = np.arange(n_classes)
    classes = numbers.astype("U6") if kind == "strings" else numbers
    y, p = classes[truth], dict.fromkeys(classes[:100].tolist(), 0.5)
    if kind == "indicator":
        indptr, ones = np.arange(n_samples + 1), np.ones(n_samples)
        y = sparse.csr_array((ones, truth, indptr), shape=(n_samples, n_classes))
        p = np.full(n_classes, 0.5)
    model, rows = Constant(classes), np.arange(n_samples)[:, np.newaxis]
    scorers = [make(k) for make in SCORERS.values()]
    scorers.append(metrics.propensity_scored_precision_at_k_scorer(k, propensities=p))
    tracemalloc.start()
    values = [scorer(model, rows, y) for scorer in scorers]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values == pytest.approx([0.1, 1, 1 / math.log2(5), 0.25, 1, 1])
    # One bit for each row and class would be 250 MB.
    assert peak < 60e6


@pytest.mark.parametrize("module", [_ranking, _scorers])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_everything_public_is_in_all():
    assert set(metrics.__all__) == {
        *METRICS,
        *(f"{name}_scorer" for name in METRICS),
        "propensities",
        "propensity_scored_precision_at_k",
        "propensity_scored_precision_at_k_scorer",
        *_calibration.__all__,
        *_completion.__all__,
    }
