"""Tests of the benchmark of completers: its arithmetic, and one small run."""

import gzip
import json

import numpy as np
import pytest

from benchmarks.completion.__main__ import main
from benchmarks.completion.evaluation import check, evaluate
from benchmarks.completion.matching import Judge, count_matches
from benchmarks.completion.names import NAME_SYSTEMS, coverage, make_prefixes
from benchmarks.completion.systems import SYSTEMS
from benchmarks.completion.tasks import (
    Calls,
    Pairs,
    draw_training_prefixes,
    make_calls,
    split_for_tuning,
)

PAIRS = Pairs(["tea", "tea", "milk"], ["sugar", "su", "a"])


def test_calls_are_prefixes_of_every_row():
    calls = make_calls(PAIRS)
    assert set(calls.groups) == {"1", "2", "3", "5", "uniform"}
    assert len(calls.prefixes) == len(calls.rows) == 5 * len(PAIRS)
    for row, prefix in zip(calls.rows, calls.prefixes, strict=True):
        assert prefix
        assert PAIRS.queries[row].startswith(prefix)
    of_three = [
        p for p, g in zip(calls.prefixes, calls.groups, strict=True) if g == "3"
    ]
    assert of_three == ["sug", "su", "a"]
    assert make_calls(PAIRS).prefixes == calls.prefixes


def test_training_prefixes_are_distinct_and_short_ones_frequent():
    pairs = Pairs(["x"] * 500, ["abcdefgh"] * 500)
    rows, lengths = draw_training_prefixes(pairs)
    assert len(set(zip(rows, lengths, strict=True))) == len(rows)
    assert set(rows) == set(range(500))
    counts = np.bincount(lengths)
    assert counts[0] == 0
    assert len(counts) == 9
    assert counts[1] > counts[4] > counts[8] > 0


def test_tuning_is_judged_by_the_last_pairs():
    pairs = Pairs(list("abcdefghijklmnopqrst"), list("ABCDEFGHIJKLMNOPQRST"))
    train, last = split_for_tuning(pairs)
    assert (len(train), last.previous) == (17, ["r", "s", "t"])


def test_matches_are_counted_by_code_point():
    known = sorted(["tea", "tee", "t\U0001f375", "u", "ä"])
    prefixes = ["t", "te", "tea", "x", "", "ä"]
    counts = [sum(q.startswith(p) for q in known) for p in prefixes]
    assert count_matches(prefixes, known) == counts


def test_evaluation_of_three_calls():
    train = Pairs(["x"] * 4, ["tea", "tea", "toast", "milk"])
    test = Pairs(["x"] * 3, ["tea", "toast", "tomato"])
    calls = Calls(np.arange(3), np.array(["uniform"] * 3), ["t", "t", "to"])
    columns = np.full((3, 10), -1)
    columns[0, 0] = 1  # "tea", and "toast" is missing
    columns[1, :2] = 1, 2
    columns[2, 0] = 2
    found = evaluate(columns, ["milk", "tea", "toast"], train, test, calls)
    assert found["MRR@10"] == {"uniform": 0.5}
    assert found["success@10"] == {"uniform": pytest.approx(2 / 3)}
    assert found["MRR@10 by frequency"] == {0: 0.0, 1: 0.5, 2: 1.0}
    assert found["short"] == pytest.approx(1 / 3)
    assert found["short of k"] == 0.0


@pytest.mark.parametrize("found", [["tea", "tea"], ["milk"]])
def test_what_is_no_completion_is_refused(found):
    with pytest.raises(ValueError, match="suggested"):
        check([found], ["te"], ["milk", "tea"])


def test_coverage_counts_every_kind_of_fault():
    names = ["milk", "tea", "tee", "toast"]
    prefixes = ["te", "te", "te", "m"]
    answers = np.full((4, 10), -1)
    answers[0, :2] = 1, 2
    answers[1, :2] = 1, 1
    answers[2, :2] = 0, 3
    exact = coverage(answers, names, prefixes, ["milk"], "prefix")
    assert exact == {"short": 0, "wrong": 1, "twice": 1, "blocked": 1}
    near = coverage(answers, names, prefixes, [], "fuzzy")
    assert near == {"short": 1, "wrong": 1, "twice": 1, "blocked": 0}


@pytest.mark.parametrize(
    ("match", "prefix", "right", "wrong"),
    [
        ("prefix", "tea", ["tea", "teapot"], ["green tea", "te"]),
        ("prefix", "tea ", ["tea", "tea pot"], ["teapot"]),
        ("prefix", "dü", ["düne"], ["dune"]),
        ("prefix", "hd", ["h.d."], ["had"]),
        ("prefix", "a12/3", ["a-12/3 b"], ["a-1/23", "a 12 3"]),
        ("prefix", "1.2", [], ["12", "1 2"]),
        ("words", "jazz hist", ["history of jazz", "jazz history"], ["jazzy history"]),
        ("words", "phone", ["smart phone", "i-phone"], ["telephone"]),
        ("words", "ラーメ", ["東京ラーメン"], ["東京"]),
        ("words", "cre", ["à la crème"], ["cr"]),
        ("fuzzy", "bread", ["bread", "braed", "bead roll"], ["beard oil", "bed"]),
        ("fuzzy", "iphone 12", ["ihpone 12 pro"], ["iphone 13", "iphone 1"]),
        ("fuzzy", "te", ["tea"], ["toe"]),
    ],
)
def test_what_may_be_returned(match, prefix, right, wrong):
    judge = Judge(sorted(right + wrong), match)
    assert all(judge.is_right(name, prefix) for name in right)
    assert not any(judge.is_right(name, prefix) for name in wrong)


def test_how_many_names_are_expected():
    names = sorted(["tea", "green tea", "tea cup", "green cup", "teal"])
    expected = {"prefix": 3, "fuzzy": 3, "words": 4}
    for match, n in expected.items():
        assert Judge(names, match).n_expected("tea", frozenset()) == n
        assert Judge(names, match).n_expected("tea", frozenset(["tea"])) == n - 1
    assert Judge(names, "words").n_expected("green c", frozenset()) == 1
    assert Judge(names, "words").n_expected("x", frozenset()) == 0


def test_prefixes_of_names_are_of_all_lengths():
    names = ["milk", "tea", "toasted bread"]
    prefixes, groups = make_prefixes(names, np.array([1, 1, 5]), n_calls=500)
    assert set(groups.tolist()) == {0, 1, 2, 3, 5}
    assert all(any(n.startswith(p) for n in names) and p for p in prefixes)
    assert all(len(p) <= n for p, n in zip(prefixes, groups, strict=True) if n)


def test_names_of_systems_have_workers():
    for system in [*SYSTEMS.values(), *NAME_SYSTEMS.values()]:
        assert system.script.exists()
        assert system.requirements is None or system.requirements.exists()


def test_small_run(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "article_paths"
    folder.mkdir()
    for part, n_rows in [("train", 60), ("test", 9)]:
        titles = ["Tea", "Toast", "Tomato", "Milk", "Tea  time"]
        lines = [
            f"{i}\t{i}\t{titles[i % 5]}\t{titles[(i + 1) % 5]}\tMilk\n"
            for i in range(n_rows)
        ]
        with gzip.open(folder / f"{part}.tsv.gz", "wt", encoding="utf-8") as file:
            file.writelines(lines)
    monkeypatch.setenv("SKXMR_DATA", str(tmp_path))
    cache = tmp_path / "cache"
    systems = ["bigram", "hybrid 2"]
    main(["--tasks", "article_paths", "--systems", *systems, "--cache", str(cache)])
    assert "short of k" in capsys.readouterr().out
    records = json.loads((cache / "completion.json").read_text())["tasks"]
    by_name = {(r["system"], r["variant"]): r for r in records["article_paths"]}
    assert set(by_name) == {
        ("bigram", "default"),
        *(("hybrid 2", variant) for variant in ("blended", "alone", "filtered")),
    }
    for name, record in by_name.items():
        assert record["quality"]["MRR@10"]["uniform"] > 0.9, name
        assert record["times"]["disk_bytes"] > 0
    assert by_name["bigram", "default"]["quality"]["short"] == 0


def test_small_run_with_names(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with gzip.open(folder / "labels.tsv.gz", "wt", encoding="utf-8") as file:
        file.writelines(f"package-{i * 7919 % 3000}\tabout it\n" for i in range(3000))
    monkeypatch.setenv("SKXMR_DATA", str(tmp_path))
    cache = str(tmp_path / "cache")
    systems = ["skxmr", "sorted list"]
    options = ["--calls", "500", "--systems", *systems, "--cache", cache]
    main(["--tasks", "catalogue", *options])
    assert "10,000 new names" in capsys.readouterr().out
    content = json.loads((tmp_path / "cache" / "completion.json").read_text())
    for record in content["tasks"]["catalogue"]:
        assert set(record["all"].values()) == {0}
        assert record["n_answers"] == 500
        assert record["disk_bytes"] > 0
