"""Scores beside what they claim: against scikit-learn, and pair by pair."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.calibration import calibration_curve
from twins import random_sparse

from skxmr.metrics import expected_calibration_error, reliability_curve
from skxmr.ranking import top_k


def slow_error(truth, scores, k, edges):
    """The formula, from dense arrays."""
    pairs = []
    for row, row_scores in zip(truth, scores, strict=True):
        columns = range(len(row))
        if k is not None:
            found = [column for column in columns if row_scores[column] > 0]
            columns = sorted(found, key=lambda column: (-row_scores[column], column))[
                :k
            ]
        pairs += [(row_scores[column], row[column]) for column in columns]
    error = 0
    for i, (lower, upper) in enumerate(pairwise(edges)):
        inside = [
            (score, is_true)
            for score, is_true in pairs
            if lower < score <= upper or (i == 0 and score == 0)
        ]
        if inside:
            mean, share = np.mean(inside, axis=0)
            error += len(inside) / len(pairs) * abs(share - mean)
    return error


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 8)), draw(st.integers(1, 7))
    truth = (rng.random(shape) < 0.4).astype(int)
    scores = rng.integers(0, 11, size=shape) / 10 * (rng.random(shape) < 0.6)
    return truth, scores


@settings(deadline=None, max_examples=50)
@given(problems(), st.sampled_from([None, 1, 3, 9]), st.integers(1, 7))
def test_agrees_with_its_twin(problem, k, n_bins):
    truth, scores = problem
    expected = slow_error(truth, scores, k, np.linspace(0, 1, n_bins + 1))
    stored = sparse.csr_array(scores)
    width = scores.shape[1] if k is None else k
    for form in (scores, stored, sparse.csc_matrix(scores), top_k(stored, width)):
        found = expected_calibration_error(truth, form, k, bins=n_bins)
        assert found == pytest.approx(expected, abs=1e-12)
    edges = [0, 0.05, 0.3, 1]
    assert expected_calibration_error(truth, stored, k, bins=edges) == pytest.approx(
        slow_error(truth, scores, k, edges), abs=1e-12
    )


@settings(deadline=None, max_examples=50)
@given(problems(), st.integers(1, 7))
def test_all_pairs_are_those_of_scikit_learn(problem, n_bins):
    truth, scores = problem
    shares, means, n_pairs = reliability_curve(
        truth, sparse.csr_array(scores), k=None, bins=n_bins
    )
    expected = calibration_curve(truth.ravel(), scores.ravel(), n_bins=n_bins)
    np.testing.assert_allclose(shares, expected[0])
    np.testing.assert_allclose(means, expected[1], atol=1e-12)
    assert n_pairs.sum() == truth.size


def test_the_curve_adds_up_to_the_error():
    rng = np.random.default_rng(0)
    scores = random_sparse(rng, (50, 400), density=0.05)
    truth = sparse.csr_array(rng.random((50, 400)) < scores.toarray() ** 2)
    for k in (1, 5, None):
        shares, means, n_pairs = reliability_curve(truth, scores, k)
        total = np.average(np.abs(shares - means), weights=n_pairs)
        assert expected_calibration_error(truth, scores, k) == pytest.approx(total)
        assert total > 0


def test_probabilities_are_calibrated_and_their_squares_are_not():
    rng = np.random.default_rng(0)
    scores = rng.random((4000, 5))
    truth = (rng.random(scores.shape) < scores).astype(int)
    assert expected_calibration_error(truth, scores) < 0.02
    assert expected_calibration_error(truth, scores**2) > 0.1


def test_a_missed_label_counts_where_all_pairs_do():
    truth, scores = [[1, 1, 0, 0]], sparse.csr_array([[1.0, 0, 0, 0]])
    assert expected_calibration_error(truth, scores) == 0
    assert expected_calibration_error(truth, scores, k=None) == 0.25
    pair = np.array([[0, -1]]), np.array([[1.0, 0]])
    assert expected_calibration_error(truth, pair, k=None) == 0.25


def test_one_column_index_a_row():
    scores = sparse.csr_array([[0.5, 0.5], [1.0, 0]])
    assert expected_calibration_error([1, 0], scores) == 0
    assert expected_calibration_error([-1, 0], scores, k=1) == 0.25
    assert expected_calibration_error(np.array([1, 0]), scores, k=None) == 0


def test_nothing_retrieved():
    nothing = sparse.csr_array((2, 3))
    assert expected_calibration_error(np.eye(2, 3), nothing) == 0
    assert [len(one) for one in reliability_curve(np.eye(2, 3), nothing)] == [0] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"scores": [[0.5, 1.5], [0, 0]]},
            r"from 0 to 1; got values from 0\.5 to 1\.5",
        ),
        ({"scores": [[0.5, -0.5], [0, 0]]}, r"from 0 to 1"),
        ({"scores": [[0.5, np.nan], [0, 0]]}, "NaN"),
        ({"scores": np.array([[1, 0], [0, 1]]), "bins": 0}, "'bins' parameter"),
        ({"bins": [0, 0.5]}, "edges that rise from 0 to 1"),
        ({"bins": [0, 0.7, 0.3, 1]}, "edges that rise from 0 to 1"),
        ({"k": 0}, "'k' parameter"),
        ({"scores": (np.zeros((2, 1)),)}, "or the pair"),
        ({"scores": (np.zeros((2, 1), int), np.zeros((2, 2)))}, "or the pair"),
        ({"scores": [[0.5, 0.1]]}, "same number of rows"),
        ({"scores": [[0.5], [0.1]]}, "same number of columns"),
        (
            {"k": None, "y_true": [0, 1], "scores": (np.eye(2, dtype=int), np.eye(2))},
            "With k=None",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    given = {"y_true": [[0, 1], [1, 0]], "scores": [[0.5, 0.1], [0, 0]]} | arguments
    for metric in (expected_calibration_error, reliability_curve):
        with pytest.raises(ValueError, match=message):
            metric(**given)
