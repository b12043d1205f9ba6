"""Tests of the benchmark of propensity weights."""

import numpy as np
import scipy.sparse as sp

from benchmarks.propensity import compare, judge, show
from benchmarks.retrieval.tasks import Task
from skxmr.metrics import propensities, propensity_scored_precision_at_k


def test_measures_by_row_have_the_mean_of_the_metric():
    random = np.random.default_rng(0)
    Y = sp.csr_array((random.random((50, 12)) < 0.2).astype(np.int8))
    p = propensities((random.random((90, 12)) < np.linspace(0.1, 0.9, 12)).astype(int))
    columns = np.argsort(random.random((50, 12)), axis=1)[:, :10]
    found = judge(columns, Y, p)
    expected = propensity_scored_precision_at_k(Y, columns, k=1, propensities=p)
    assert np.isclose(found["PSP@1"].mean(), 100 * expected)


def test_weights_are_compared_with_none():
    random = np.random.default_rng(0)
    labels = np.minimum(random.geometric(0.3, 130), 12) - 1
    texts = [f"word{label} other{random.integers(9)}" for label in labels]
    Y = sp.csr_array(np.eye(12)[labels])
    names = [[f"name{label}"] for label in range(12)]
    task = Task("made", texts[:100], Y[:100], texts[100:], Y[100:], names)
    records = list(compare(task, [2.0], 1))
    assert [one["weight"] for one in records] == [0, 2, 0, 2]
    assert records[0]["differences"]["P@1"] == {"mean": 0, "low": 0, "high": 0}
    assert show("made", records[1]).startswith("made: retriever, 2 | P@1 ")
