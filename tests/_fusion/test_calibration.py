"""Probabilities of candidates from those of a softmax."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skxmr._fusion._calibration import calibrate, fit_calibration
from skxmr._fusion._softmax import log_softmax

N_ROWS = 3000
OFFSETS = np.arange(0, N_ROWS * 5 + 1, 5)


def scores_and_truth(intercept, slope):
    """Candidates that are true by a logistic function of the log odds of a softmax."""
    generator = np.random.default_rng(0)
    scores = generator.normal(size=OFFSETS[-1]) * 2
    probabilities = np.exp(log_softmax(scores, OFFSETS))
    log_odds = np.log(probabilities / (1 - probabilities))
    chances = expit(intercept + slope * log_odds)
    return scores, generator.random(len(scores)) < chances, chances


@pytest.mark.parametrize(("intercept", "slope"), [(0, 1), (-1, 0.7), (0.5, 1.5)])
def test_true_map_is_found(intercept, slope):
    scores, is_positive, chances = scores_and_truth(intercept, slope)
    fitted = fit_calibration(scores, is_positive, OFFSETS)
    np.testing.assert_allclose(fitted, (intercept, slope), atol=0.15)
    probabilities = calibrate(scores, OFFSETS, *fitted)
    np.testing.assert_allclose(probabilities, chances, atol=0.03)


def test_map_is_a_logistic_regression_on_the_first_ten():
    generator = np.random.default_rng(1)
    offsets = np.arange(0, 401, 20)
    scores = generator.normal(size=400)
    is_positive = generator.random(400) < expit(scores - 1)
    first = np.concatenate(
        [start + np.argsort(-scores[start : start + 20])[:10] for start in offsets[:-1]]
    )
    probabilities = np.exp(log_softmax(scores, offsets))[first]
    log_odds = np.log(probabilities / (1 - probabilities))
    slow = LogisticRegression(C=np.inf, tol=1e-10)
    slow.fit(log_odds[:, np.newaxis], is_positive[first])
    intercept, slope = fit_calibration(scores, is_positive, offsets)
    assert intercept == pytest.approx(slow.intercept_[0], abs=0.01)
    assert slope == pytest.approx(slow.coef_[0, 0], abs=0.01)


def test_order_does_not_change():
    scores, is_positive, _ = scores_and_truth(0, 1)
    fitted = fit_calibration(scores, ~is_positive, OFFSETS)
    assert fitted[1] > 0
    probabilities = calibrate(scores, OFFSETS, *fitted)
    by_score = np.argsort(scores.reshape(-1, 5), axis=1)
    by_probability = np.argsort(probabilities.reshape(-1, 5), axis=1)
    np.testing.assert_array_equal(by_score, by_probability)


def test_extreme_scores_have_probabilities_above_0_and_at_most_1():
    scores, offsets = np.array([1e4, 0.0, -1e4, 7.0]), np.array([0, 3, 4])
    probabilities = calibrate(scores, offsets, -1.0, 2.0)
    assert (probabilities > 0).all()
    assert (probabilities <= 1).all()
    # A single candidate is as probable as one that is far ahead of the others.
    assert probabilities[0] == probabilities[3]


@pytest.mark.parametrize("value", [True, False])
def test_candidates_that_are_all_alike_give_a_finite_map(value):
    scores, _, _ = scores_and_truth(0, 1)
    fitted = fit_calibration(scores, np.full(len(scores), value), OFFSETS)
    probabilities = calibrate(scores, OFFSETS, *fitted)
    assert np.isfinite(fitted).all()
    assert (probabilities.mean() > 0.9) == value
    assert (probabilities.mean() < 0.1) != value


def test_without_candidates_the_map_is_the_identity():
    none = np.zeros(0)
    assert fit_calibration(none, none.astype(bool), np.zeros(3, int)) == (0, 1)
