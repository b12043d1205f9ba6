"""Precision and recall over thresholds, against scikit-learn and the formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.metrics import precision_recall_curve
from slow_metrics import SPARSE_FORMATS

from skxmr.metrics import micro_precision_recall_curve
from skxmr.ranking import top_k


@st.composite
def truth_and_scores(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=7))
    Y = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))
    values = st.sampled_from([0.0, 0.0, 0.1, 0.25, 0.5, 1.0])
    return Y, draw(hnp.arrays(np.float64, shape, elements=values))


def slow_curve(Y, scores):
    thresholds = sorted(set(scores[scores > 0].tolist()))
    precision, recall = [], []
    for threshold in thresholds:
        chosen = scores >= threshold
        precision.append((chosen & (Y > 0)).sum() / chosen.sum())
        recall.append((chosen & (Y > 0)).sum() / max(1, (Y > 0).sum()))
    return [*precision, 1], [*recall, 0], thresholds


def assert_curve(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


@given(truth_and_scores(), st.sampled_from(SPARSE_FORMATS))
def test_agrees_with_its_twin(data, sparse_format):
    Y, scores = data
    expected = slow_curve(Y, scores)
    stored = sparse.coo_array(scores).asformat(sparse_format)
    ranking = top_k(scores, scores.shape[1])
    for form in (scores, stored, ranking):
        assert_curve(micro_precision_recall_curve(Y, form), expected)
    assert_curve(micro_precision_recall_curve(sparse.coo_array(Y), scores), expected)


@given(truth_and_scores())
def test_is_that_of_scikit_learn_above_0(data):
    Y, scores = data
    if not (Y.any() and scores.any()):
        return
    theirs = precision_recall_curve(Y.ravel(), scores.ravel())
    n_zero = int((theirs[2] == 0).sum())
    expected = [one[n_zero:] for one in theirs]
    assert_curve(micro_precision_recall_curve(Y, scores), expected)


def test_one_class_a_row_and_names():
    scores = np.array([[0.5, 0.2], [0.3, 0.4]])
    expected = slow_curve(np.array([[0, 1], [0, 0]]), scores)
    precision, recall, thresholds = micro_precision_recall_curve([1, -1], scores)
    assert thresholds.tolist() == expected[2]
    np.testing.assert_allclose(precision, expected[0])
    np.testing.assert_allclose(recall, np.array(expected[1]) / 2)  # -1 is never found
    for names in ([["b"], ["c"]], ["b", "c"]):
        found = micro_precision_recall_curve(names, scores, classes=["a", "b"])
        assert_curve(found, (precision, recall, thresholds))


def test_nothing_is_retrieved_or_true():
    nothing = sparse.csr_array((2, 3), dtype=float)
    precision, recall, thresholds = micro_precision_recall_curve(np.eye(2, 3), nothing)
    assert (precision.tolist(), recall.tolist(), thresholds.size) == ([1], [0], 0)
    _, recall, _ = micro_precision_recall_curve(np.zeros((2, 3)), np.eye(2, 3))
    assert recall.tolist() == [0, 0]


def test_stored_zeros_and_duplicates():
    scores = sparse.coo_array(([0.2, 0.2, 0.0], ([0, 0, 0], [1, 1, 0])), shape=(1, 2))
    for form in (scores, scores.tocsr()):
        _, recall, thresholds = micro_precision_recall_curve([[1, 1]], form)
        assert (recall.tolist(), thresholds.tolist()) == ([0.5, 0], [0.4])


def test_no_array_of_rows_times_labels_is_made():
    n_rows, n_labels = 20_000, 1_000_000
    rows, columns = np.arange(n_rows), np.arange(n_rows) * 7
    Y = sparse.coo_array((np.ones(n_rows), (rows, columns)), (n_rows, n_labels))
    scores = sparse.csr_array(Y) * 0.5
    precision, recall, _ = micro_precision_recall_curve(Y, scores)
    assert (precision.tolist(), recall.tolist()) == ([1, 1], [1, 0])


@pytest.mark.parametrize(
    ("y_true", "scores", "message"),
    [
        ([[1, 0]], [[1, 0]], "integers"),
        ([[1, 0]], [[-0.5, 0.1]], "negative"),
        ([[1, 0]], [[0.5, np.nan]], "NaN"),
        ([[1, 0]], [[0.5, 0.1, 0.2]], "columns"),
        ([[1, 0]], (), "tuple of 0"),
        ([[1, 0]], (np.array([[0, 1]]),), "tuple of 1"),
        ([[1, 0]], (np.array([[0, 1]]), np.array([[0.1, 0.5]])), "highest first"),
    ],
)
def test_malformed_input(y_true, scores, message):
    with pytest.raises(ValueError, match=message):
        micro_precision_recall_curve(y_true, scores)
