"""Log-linear scores and their probabilities."""

import numpy as np
import pytest

from skxmr._fusion._evidence import FEATURES, Candidates
from skxmr._fusion._log_linear import LogLinear

N_ROWS, N_EACH = 1500, 12


def simulate(weights, share_with_label, seed=0):
    """Rows of which some have a label, drawn by a softmax among the candidates."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(N_ROWS, N_EACH, len(FEATURES)))
    sums = features @ weights
    odds = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    is_positive = np.zeros((N_ROWS, N_EACH), dtype=bool)
    for row, shares in enumerate(odds):
        if random.random() < share_with_label:
            is_positive[row, random.choice(N_EACH, p=shares)] = True
    offsets = np.arange(N_ROWS + 1) * N_EACH
    columns = np.tile(np.arange(N_EACH), N_ROWS)
    candidates = Candidates(offsets, columns, features.reshape(-1, len(FEATURES)))
    return candidates, is_positive.ravel()


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_weights_are_recovered_and_probabilities_calibrated(share):
    weights = np.linspace(0.1, 1, len(FEATURES))
    weights[FEATURES.index("log_text")] = -1
    weights[FEATURES.index("same_name")] = 3
    candidates, is_positive = simulate(weights, share)
    fitted = LogLinear.fit(candidates, is_positive)
    np.testing.assert_allclose(fitted.weights, weights, atol=0.3)
    intercept, slope, of_total = fitted.calibration
    sums = (candidates.features @ fitted.weights).reshape(N_ROWS, N_EACH)
    totals = np.log(np.exp(sums).sum(axis=1, keepdims=True))
    shares = np.exp(sums - totals)
    margins = intercept + slope * np.log(shares / (1 - shares)) + of_total * totals
    found = 1 / (1 + np.exp(-margins))
    best = found.max(axis=1)
    hits = is_positive.reshape(N_ROWS, N_EACH)[np.arange(N_ROWS), found.argmax(axis=1)]
    assert abs(best.mean() - hits.mean()) < 0.02
    confident = best > np.median(best)
    assert abs(best[confident].mean() - hits[confident].mean()) < 0.06


def test_evidence_that_held_out_labels_lack_does_not_count_against_others():
    """The labels of held-out texts have lost a training text, the others have not."""
    candidates, is_positive = simulate(np.zeros(len(FEATURES)), 1.0)
    evidence = ["training", "log_training", "training_coverage", "log_count"]
    for name in evidence:
        column = candidates.features[:, FEATURES.index(name)]
        column[:] = np.where(is_positive, 0, np.abs(column))
    named = dict(
        zip(FEATURES, LogLinear.fit(candidates, is_positive).weights, strict=True)
    )
    assert [named[name] for name in evidence] == [0, 0, 0, 0]
    assert named["same_name"] >= 3


def test_default_prefers_found_and_similar_labels():
    default = LogLinear.default()
    named = dict(zip(FEATURES, default.weights, strict=True))
    assert min(named.values()) == 0
    for name in ("model", "reached", "text", "similarity", "same_name"):
        assert named[name] > 0


def test_damaged_arrays_are_refused():
    default = LogLinear.default()
    with pytest.raises(ValueError, match=r"x\.weights"):
        LogLinear(default.weights[1:], default.calibration).check("x")
    with pytest.raises(ValueError, match=r"x\.calibration"):
        LogLinear(default.weights, np.array([0, 1, np.nan])).check("x")
