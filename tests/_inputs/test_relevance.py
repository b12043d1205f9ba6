"""Relevance: invalid values are refused, and rows and labels are weighted alike."""

import inspect

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.validation import has_fit_parameter
from small_problem import (
    CLASSES,
    DENSE_Y,
    N_LABELS,
    N_SAMPLES,
    TEXTS,
    X,
    Y,
    assert_refused,
    assert_same_answers,
    make_classifier,
)

import skxmr
from skxmr import KMeansTree, TextRetriever, XRLinearClassifier

ELSEWHERE = "relevance must be positive wherever y has a label and 0 elsewhere"
SHAPE = r"relevance has the shape \({}\); expected \(40, 6\), rows by labels, or"
BAD_RELEVANCE = {
    "negative": (Y * -1.0, "positive wherever y has a label; got -1.0"),
    "zero": (Y * 0.0, f"{ELSEWHERE}; got 0 weights"),
    "lost in float32": (Y * 1e-60, f"{ELSEWHERE}; got 0 weights"),
    "missing": (Y * (np.arange(40)[:, None] > 0), f"{ELSEWHERE}; got .* the 91 labels"),
    "elsewhere": (DENSE_Y + 1.0, f"{ELSEWHERE}; got 240 weights"),
    "NaN": (Y * np.nan, "relevance contains NaN"),
    "infinite": (Y * np.inf, "relevance contains infinity or a value too large"),
    "too large": (Y * 1e39, "relevance contains infinity or a value too large"),
    "nearly too large": (Y * 1e38, "too large for training in float32"),
    "fewer labels": (Y[:, :3], SHAPE.format("40, 3")),
    "fewer rows": (Y[:9], SHAPE.format("9, 6")),
    "one dimension": (np.ones(39), SHAPE.format("39,")),
    "one dimension, sparse": (
        sparse.coo_array(np.ones(40)),
        r"relevance is a sparse array of shape \(40,\)|1d sparse array",
    ),
    "three dimensions": (np.ones((2, 2, 2)), "array with dim 3"),
    "words": (np.full(Y.shape, "much"), "could not convert string to float"),
    "complex": (Y * 1j, "Complex data not supported"),
}


@pytest.mark.parametrize(
    ("relevance", "message"), BAD_RELEVANCE.values(), ids=BAD_RELEVANCE
)
def test_bad_relevance(relevance, message):
    assert_refused(
        lambda: make_classifier().fit(X, Y, relevance=relevance), ValueError, message
    )


@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        (np.ones(39), r"has the shape \(39,\); expected \(40, 3\).*or \(40,\)"),
        (np.ones((40, 1)), r"has the shape \(40, 1\); expected \(40, 3\).*or \(40,\)"),
        (-np.ones(40), "must be positive wherever y has a label; got -1.0"),
        (np.zeros(40), "must be positive wherever y has a label; got 0.0"),
        (np.full(40, np.nan), "relevance contains NaN"),
        (["much"] * 40, "could not convert string to float"),
    ],
)
def test_bad_relevance_of_classes(relevance, message):
    assert_refused(
        lambda: make_classifier().fit(X, CLASSES, relevance=relevance),
        ValueError,
        message,
    )


RELEVANCE_OF_ROWS = np.linspace(0.5, 4, N_SAMPLES)
SOME_WITHOUT = DENSE_Y * (np.arange(N_SAMPLES) % 4 > 0)[:, None]


@pytest.mark.parametrize(
    "y", [Y, DENSE_Y, SOME_WITHOUT, sparse.csc_array(SOME_WITHOUT)], ids=str
)
@pytest.mark.parametrize("container", [np.array, list, pd.Series, pl.Series])
def test_a_weight_for_each_row_is_that_of_all_its_labels(y, container):
    dense = y.toarray() if sparse.issparse(y) else y
    expected = make_classifier().fit(
        X, y, relevance=dense * RELEVANCE_OF_ROWS[:, np.newaxis]
    )
    found = make_classifier().fit(X, y, relevance=container(RELEVANCE_OF_ROWS))
    assert_same_answers(found, expected, X)
    unweighted = make_classifier().fit(X, y)
    assert (unweighted.rank(X, 4)[1] != found.rank(X, 4)[1]).any()


def test_a_weight_for_each_row_without_labels_may_be_anything_finite():
    weights = np.where(SOME_WITHOUT.any(axis=1), RELEVANCE_OF_ROWS, 0)
    expected = make_classifier().fit(X, SOME_WITHOUT, relevance=RELEVANCE_OF_ROWS)
    found = make_classifier().fit(X, SOME_WITHOUT, relevance=weights)
    assert_same_answers(found, expected, X)


@pytest.mark.parametrize(
    "y", [Y[:4], DENSE_Y[:4], list("abcd")], ids=["sparse", "dense", "classes"]
)
@pytest.mark.parametrize("weight", [1, 3])
def test_a_weight_for_each_text_beside_texts_of_labels(y, weight):
    weights, names = [0.5, 1, 2, 4], ["one", "two", "", "four", "five", "six"]
    names = names[: 4 if isinstance(y, list) else 6]
    given = weights
    if not isinstance(y, list):
        dense = y.toarray() if sparse.issparse(y) else y
        given = dense * np.array(weights)[:, None]
    found, expected = (
        TextRetriever(classifier=make_classifier(), label_text_weight=weight).fit(
            TEXTS, y, label_texts=names, relevance=one
        )
        for one in (weights, given)
    )
    assert found.search("red apple two") == expected.search("red apple two")
    with pytest.raises(ValueError, match=r"relevance has the shape \(3,\); expected"):
        found.fit(TEXTS, y, label_texts=names, relevance=weights[:3])


# There is no sample_weight


@pytest.mark.parametrize(
    ("estimator", "data", "instead"),
    [
        (XRLinearClassifier(), (X, Y), " Give relevance, .* of shape"),
        (TextRetriever(), (list("abcd"), list("abcd")), " Give relevance, .* of shape"),
        (skxmr.QueryCompleter(), (None, list("abcd")), " Give counts, .* of shape"),
        (skxmr.baselines.PopularCompleter(), (None, list("abcd")), " Give counts, "),
        (skxmr.NeighborRanker(), (X, Y), ""),
        (KMeansTree(), (X,), ""),
        (skxmr.WordNgramTfidf(), (["a text"],), ""),
    ],
    ids=lambda one: type(one).__name__,
)
def test_sample_weight_is_refused_with_what_to_give_instead(estimator, data, instead):
    name = type(estimator).__name__
    for weights in (np.ones(4), None):
        with pytest.raises(
            TypeError, match=rf"{name}.fit takes no sample_weight\.{instead}"
        ) as error:
            estimator.fit(*data, sample_weight=weights)
        assert bool(instead) == ("Give " in str(error.value))
    # Nothing else believes that it could be given.
    assert not has_fit_parameter(estimator, "sample_weight")
    assert "sample_weight" not in inspect.signature(estimator.fit).parameters
    with config_context(enable_metadata_routing=True):
        assert "sample_weight" not in estimator.get_metadata_routing().fit.requests


def test_sample_weight_through_a_pipeline():
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier())
    with pytest.raises(TypeError, match=r"takes no sample_weight\. Give relevance"):
        pipeline.fit(X, Y, xrlinearclassifier__sample_weight=np.ones(N_SAMPLES))
    pipeline.fit(X, Y, xrlinearclassifier__relevance=np.ones(N_SAMPLES))


def test_relevance_in_any_container():
    weights = DENSE_Y * np.linspace(0.5, 2, N_LABELS)
    expected = make_classifier().fit(X, Y, relevance=weights)
    for relevance in (
        sparse.csr_array(weights),
        sparse.coo_array(weights),
        sparse.csc_matrix(weights),
        weights.tolist(),
        pd.DataFrame(weights),
    ):
        found = make_classifier().fit(X, Y, relevance=relevance)
        assert_same_answers(found, expected, X)
