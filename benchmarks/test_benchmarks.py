"""Tests of the benchmarks' own arithmetic."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.features import word_trigrams
from benchmarks.paired import paired_difference
from benchmarks.quality import means, per_row
from benchmarks.report import markdown, ratios, summarise
from benchmarks.synthetic import make_problem, nearest_neighbour_precision


def plain_measures(columns, labels):
    """The definitions, one row at a time."""
    found = [column in labels for column in columns]
    precision = {f"P@{k}": sum(found[:k]) / k for k in (1, 3, 5)}
    return precision | {"R@10": sum(found[:10]) / max(1, len(labels))}


def test_quality_follows_the_definitions():
    rng = np.random.default_rng(0)
    Y = sp.csr_array((rng.random((200, 30)) < 0.1).astype(np.float32))
    columns = np.array([rng.permutation(30)[:10] for _ in range(200)])
    columns[::7, 4:] = -1
    columns[::11] = -1
    measured = per_row(columns, Y)
    for row in range(200):
        labels = set(Y.indices[Y.indptr[row] : Y.indptr[row + 1]])
        for name, value in plain_measures(columns[row], labels).items():
            assert measured[name][row] == pytest.approx(value), (row, name)


def test_quality_of_no_positives_is_zero():
    nothing = means(np.zeros((3, 10), dtype=int), sp.csr_array((3, 5)))
    assert set(nothing.values()) == {0.0}


def crossed(rng, seed_spread, row_spread, n_seeds=5, n_rows=400):
    """Differences with mean 0 that vary with the seed, the row and both."""
    return (
        rng.normal(0, seed_spread, (n_seeds, 1))
        + rng.normal(0, row_spread, (1, n_rows))
        + rng.normal(0, 1.0, (n_seeds, n_rows))
    )


@pytest.mark.parametrize("seed_spread", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("row_spread", [0.0, 2.0])
def test_interval_covers_the_true_difference(seed_spread, row_spread):
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        differences = crossed(rng, seed_spread, row_spread)
        found = paired_difference(differences, np.zeros_like(differences))
        covered += found.low <= 0.0 <= found.high
    assert 0.90 <= covered / 400 <= 0.995


def test_no_difference_has_an_empty_interval():
    same = np.ones((3, 10))
    found = paired_difference(same, same)
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


def test_synthetic_problem_is_repeatable_and_neither_easy_nor_hopeless():
    first = make_problem(3_000, 2_000, 200, n_test=300, seed=3)
    again = make_problem(3_000, 2_000, 200, n_test=300, seed=3)
    np.testing.assert_array_equal(first.X_train.data, again.X_train.data)
    np.testing.assert_array_equal(first.Y_test.indices, again.Y_test.indices)
    assert first.X_train.shape == (3_000, 2_000)
    assert first.Y_test.shape == (300, 200)
    assert np.diff(first.Y_train.indptr).min() >= 1
    assert 0.2 < nearest_neighbour_precision(first, 300) < 0.8


def test_trigrams_end_words_with_a_mark():
    assert word_trigrams("Echo a") == ["ech", "cho", "ho#", "a#"]


def record(system, repetition, **numbers):
    return {
        "system": system,
        "layout": "default",
        "repetition": repetition,
        "numbers": numbers,
    }


def test_summary_takes_medians_and_ratios_the_best_peer():
    records = [record("skxmr", i, fit_s=s) for i, s in enumerate((1.0, 9.0, 2.0))]
    records += [record("pecos", 0, fit_s=8.0), record("omikuji", 0, fit_s=6.0)]
    records[0]["numbers"]["P@1"], records[3]["numbers"]["P@1"] = 60.0, 61.0
    rows = summarise(records)
    assert rows[0]["numbers"]["fit_s"] == 2.0
    assert ratios(rows) == {"fit_s": 3.0, "P@1": -1.0}


def test_summary_keeps_the_reasons_of_failure():
    failed = {"system": "pecos", "layout": "x", "repetition": 0, "error": "no wheel"}
    row = summarise([failed])[0]
    assert row["errors"] == ["no wheel"]
    assert row["numbers"] == {}


def test_table_lines_up():
    lines = markdown(["system", "s"], [["a", "1.0"], ["longer", "10.0"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
