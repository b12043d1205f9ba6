"""Recall by frequency, against the formula."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from slow_metrics import padded, ranked, sets_of

from skxmr.metrics import frequency_bins, recall_at_k, recall_by_frequency


def slow_recalls(truths, rankings, counts, k):
    found, true = Counter(), Counter()
    for y, row in zip(truths, rankings, strict=True):
        for label in y:
            true[int(frequency_bins([counts[label]])[0])] += 1
        for label in y & set(row[:k]):
            found[int(frequency_bins([counts[label]])[0])] += 1
    bins = sorted(true)
    return bins, [found[one] / true[one] for one in bins], [true[one] for one in bins]


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_agrees_with_its_twin(seed, k):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 8, size=2)
    Y = (rng.random(shape) < 0.4).astype(int)
    scores = rng.random(shape) * (rng.random(shape) < 0.6)
    counts = rng.integers(0, 40, size=shape[1])
    expected = slow_recalls(sets_of(Y), ranked(scores), counts, k)
    columns = padded(ranked(scores), k)
    for form in (scores, sparse.csr_array(scores), columns):
        for given_counts in (counts, counts[np.newaxis], counts.astype(float)):
            found = recall_by_frequency(Y, form, given_counts, k)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other)


def test_labels_of_one_bin_have_the_recall_of_one_class():
    y, columns = [0, 1, 2, -1], np.array([[0], [2], [2], [1]])
    frequencies, recalls, n_true = recall_by_frequency(y, columns, [5, 5, 5], 1)
    assert (frequencies.tolist(), n_true.tolist()) == ([0, 4], [1, 3])
    assert recalls.tolist() == [0, 2 / 3]
    assert recall_at_k(y, columns, 1) == (recalls * n_true).sum() / 4


def test_names_and_mappings():
    columns, classes = np.array([[0, 1], [1, 0]]), ["a", "b"]
    y = [["a", "new"], ["b"]]
    by_name = recall_by_frequency(y, columns, {"a": 3}, 1, classes=classes)
    by_column = recall_by_frequency(y, columns, [3, 0], 1, classes=classes)
    for one, other in zip(by_name, by_column, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [one.tolist() for one in by_name] == [[0, 2], [0.5, 1], [2, 1]]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1], "one number for each column"),
        ([1, 2, 3], "one number for each column"),
        ([1, -2], "non-negative"),
        ([1, 0.5], "whole"),
        ([1, np.nan], "whole"),
        (["a", "b"], "whole"),
        ([[1, 2], [1, 2]], "shape"),
        ([], "shape"),
        ({"a": 1}, "classes"),
    ],
)
def test_malformed_counts(counts, message):
    with pytest.raises(ValueError, match=message):
        recall_by_frequency([[1, 0]], np.array([[0, 1]]), counts, 1)
