"""Tests of the benchmark of negatives that were shown."""

import numpy as np
import scipy.sparse as sp

from benchmarks.negatives import compare, show, wrong_answers
from benchmarks.regret.tasks import Rows


def make_rows():
    random = np.random.default_rng(0)
    labels = random.integers(8, size=120)
    X = np.eye(8)[labels] + random.random((120, 8))
    X, Y = sp.csr_array(X), sp.csr_array(np.eye(8)[labels])
    return Rows(X[:100], Y[:100], X[100:], Y[100:], n_label_rows=20)


def test_wrong_answers_are_no_labels_and_of_no_label_text():
    rows = make_rows()
    shown = wrong_answers(rows, 3)
    assert shown.shape == rows.Y.shape
    assert shown.multiply(rows.Y).nnz == 0
    assert shown[80:].nnz == 0
    assert 2 * 80 <= shown.nnz <= 3 * 80


def test_fits_are_compared_with_one_without():
    found = compare(make_rows(), [1, 3], n_seeds=2, n_jobs=1)
    assert list(found) == [0, 1, 3]
    assert found[0]["differences"] == [None, None]
    for n_shown in (1, 3):
        for now, before, one in zip(
            found[n_shown]["quality"],
            found[0]["quality"],
            found[n_shown]["differences"],
            strict=True,
        ):
            assert np.isclose(now - before, one["mean"])
            assert one["low"] <= one["mean"] <= one["high"]
    lines = list(show("a task", found))
    assert len(lines) == 3
    assert lines[1].startswith("a task: 1 shown | ")
