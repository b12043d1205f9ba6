"""Propensities of labels, and the metric that they weight."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from skxmr import metrics

Y_TRUE = np.array([[1, 0, 1], [0, 1, 0]])
SCORES = np.array([[0.1, 0.2, 0.0], [0.0, 0.0, 0.3]])
COLUMNS = np.array([[1, 0], [2, -1]])
NAN = np.where(SCORES == 0, np.nan, SCORES)


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
