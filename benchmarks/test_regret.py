"""Tests of the benchmark of regret: its arithmetic, its settings, and one small run."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.completion.tasks import Pairs
from benchmarks.regret.__main__ import measure
from benchmarks.regret.report import regrets, show
from benchmarks.regret.settings import BEYOND, DEFAULT, FIELD, SETTINGS, Settings
from benchmarks.regret.tasks import Rows, Sessions


def record(first, ten, **costs):
    numbers = {"fit_s": 1.0, "query_s": 1.0, "weights": 10} | costs
    return {"0": numbers | {"quality": [first, ten]}}


RESULTS = {
    "one": {
        FIELD: record(10.0, 30.0),
        DEFAULT: record(20.0, 40.0, weights=20),
        BEYOND[0]: record(50.0, 90.0),
    },
    "two": {FIELD: record(40.0, 60.0), DEFAULT: record(39.0, 59.0, weights=5)},
}


def test_regret_is_the_distance_to_the_best_rival():
    found = regrets(RESULTS)
    assert found[DEFAULT] == {"one": 0.0, "two": 1.0}
    assert found[FIELD] == {"one": 10.0, "two": 0.0}
    # What costs more than is allowed is no rival.
    assert found[BEYOND[0]] == {"one": -40.0}


def test_table_has_means_and_costs():
    lines = show(RESULTS).splitlines()
    (row,) = (line for line in lines if line.startswith(f"| {DEFAULT}"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [DEFAULT, "0.0", "1.0", "0.50", "1.0", "1.00", "1.00", "1.00"]


def test_each_setting_makes_a_classifier():
    for settings in SETTINGS.values():
        for is_completing in (False, True):
            classifier = settings.make_classifier(
                is_completing=is_completing, seed=3, n_jobs=1
            )
            assert classifier.random_state == 3
            assert (classifier.max_iter == 1000) == is_completing


def test_changes_keep_the_rest():
    changed = SETTINGS[FIELD].with_changes(C=2.0, tree={"max_leaf_size": 5})
    assert changed.classifier == SETTINGS[FIELD].classifier | {"C": 2.0}
    assert changed.tree == {"branching_factor": 16, "max_leaf_size": 5}
    assert changed.label_text_weight == 1.0


@pytest.mark.parametrize("kind", ["rows", "sessions"])
def test_small_tasks_are_measured(kind):
    names = [f"tea {number}" for number in range(12)]
    if kind == "rows":
        eye = sp.eye_array(12, format="csr")
        task = Rows(
            sp.vstack([eye, eye], format="csr"), sp.vstack([eye, eye]), eye, eye, 12
        )
    else:
        pairs = Pairs(names * 4, (names[1:] + names[:1]) * 4)
        task = Sessions(pairs, pairs)
    found = measure(task, Settings(label_text_weight=2.0), seed=0, n_jobs=1)
    assert np.mean(found["quality"]) > 50
    assert found["weights"] > 0
