"""F1 of decisions, its intervals, and a small run."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold

from benchmarks.decisions import own
from benchmarks.decisions.__main__ import DEFAULT, judge, main
from benchmarks.decisions.evaluation import MEASURES, Counts, difference
from benchmarks.decisions.peers import PEERS, as_indicator
from benchmarks.decisions.tasks import draw_labels, read_problem
from benchmarks.problem import Problem
from benchmarks.retrieval.tasks import Task
from benchmarks.test_retrieval import write_files
from skxmr import LabelThresholdCV

RNG = np.random.default_rng(0)
LABELS = RNG.random((200, 12)) < 0.2
LABELS[np.arange(200), RNG.integers(0, 12, 200)] = True
TRUE = sp.csr_array(LABELS.astype(np.float32))
FLIPPED = sp.csr_array(np.abs(TRUE.toarray() - (RNG.random((200, 12)) < 0.1)))


@pytest.mark.parametrize("measure", MEASURES)
def test_f1_is_that_of_scikit_learn(measure):
    average = measure.removeprefix("f1_")
    expected = f1_score(TRUE, FLIPPED, average=average, zero_division=0)
    assert Counts(FLIPPED, TRUE).f1(measure) == pytest.approx(100 * expected)
    weights = RNG.integers(0, 3, 200)
    repeated = np.repeat(np.arange(200), weights)
    expected = f1_score(
        TRUE[repeated], FLIPPED[repeated], average=average, zero_division=0
    )
    found = Counts(FLIPPED, TRUE).f1(measure, weights.astype(float))
    assert found == pytest.approx(100 * expected)


def test_labels_without_test_rows_do_not_count_in_macro_f1():
    wide = [
        sp.hstack([one, np.zeros((200, 5))], format="csr") for one in (FLIPPED, TRUE)
    ]
    expected = Counts(FLIPPED, TRUE).f1("f1_macro")
    assert Counts(*wide).f1("f1_macro") == pytest.approx(expected)


def test_rows_and_their_labels_are_described():
    chosen = sp.csr_array([[1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]])
    described = Counts(chosen, chosen).describe()
    assert described == {"labels_per_row": 1.0, "without": 25.0}


@pytest.mark.parametrize("measure", MEASURES)
def test_intervals_are_around_the_difference(measure):
    better, worse = Counts(TRUE, TRUE), Counts(FLIPPED, TRUE)
    mean, low, high = difference([better], [worse], measure, n_resamples=200)
    assert mean == pytest.approx(100 - worse.f1(measure))
    assert 0 < low < mean < high < 2 * mean
    assert difference([worse], [worse], measure, n_resamples=20) == [0.0, 0.0, 0.0]
    two = difference([better, worse], [worse, worse], measure, n_resamples=20)
    assert two[0] == pytest.approx(mean / 2)


def test_the_default_is_what_auto_takes():
    X = sp.csr_array(RNG.random((200, 8)), dtype=np.float32)
    for measure, kind in DEFAULT.items():
        tuned = LabelThresholdCV(own.classifier(0, 1), scoring=measure, cv=2)
        found = tuned.fit(X, TRUE).kind_
        assert found == kind if kind == "per_label" else found in own.KINDS


def test_decisions_become_an_indicator():
    found = as_indicator(np.array([[2, 0], [-1, -1], [1, -1]]), 4)
    expected = [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    np.testing.assert_array_equal(found.toarray(), expected)


def test_drawn_labels_keep_their_rows():
    texts = [str(row) for row in range(200)]
    names = [[str(label)] for label in range(12)]
    Y = TRUE.tolil()
    Y[:, 3] = 0
    Y = sp.csr_array(Y)
    part = draw_labels(Task("part", texts, Y, texts[:50], Y[:50], names), 4)
    columns = [int(name) for (name,) in part.label_texts]
    assert len(columns) == 4
    assert 3 not in columns  # no row has it
    for rows, labels in ((part.texts, part.Y), (part.test_texts, part.Y_test)):
        numbers = [int(text) for text in rows]
        np.testing.assert_array_equal(
            labels.toarray(), Y.toarray()[np.ix_(numbers, columns)]
        )
        assert labels.sum(axis=1).min() > 0


def test_own_decisions_are_those_of_the_estimator():
    X = sp.csr_array(RNG.random((150, 8)), dtype=np.float32)
    problem = Problem("small", X[:100], TRUE[:100], X[100:], TRUE[100:150])
    decided = own.decide_all(problem, seed=0, threads=1, n_folds=3)
    assert list(decided) == ["0.5", *own.KINDS]
    folds = KFold(3, shuffle=True, random_state=0)
    for kind in own.KINDS:
        model = LabelThresholdCV(
            own.classifier(0, 1), scoring="f1_macro", thresholds=kind, cv=folds
        )
        expected = model.fit(X[:100], TRUE[:100]).predict(X[100:])
        assert (decided[kind].chosen["f1_macro"] != expected).nnz == 0
    assert "f1_samples" not in decided["per_label"].chosen
    found = judge({key: [one] for key, one in decided.items()}, TRUE[100:150], 10)
    assert found["systems"]["0.5"]["f1_micro"] <= found["systems"]["global"]["f1_micro"]
    assert "f1_samples" in found["paired"]["default minus global"]


def test_peers_have_workers_and_pinned_requirements():
    for peer in PEERS.values():
        assert peer.system.worker.exists()
        text = Path(peer.system.folder, "requirements.txt").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert all("==" in line for line in lines)


def test_online_thresholds_are_half_of_f1_so_far(monkeypatch):
    monkeypatch.syspath_prepend(PEERS["napkinXC"].system.folder)
    online = importlib.import_module("online")
    scored = [[(0, 0.9), (1, 0.4)], [(1, 0.6)], [(0, 0.55), (1, 0.52)]]
    true = [{0, 2}, set(), {1}]
    # From 10 / 20: chosen 0 of 2 true, then 1 of 0 true, then both of 1 true.
    assert online.tune_one(scored, true) == pytest.approx(12 / 27)
    first, second, third = online.tune_each(scored, true, 3)
    assert first == pytest.approx(11 / 23)
    assert second == pytest.approx(11 / 23)
    assert third == pytest.approx(10 / 21)
    columns = online.above(scored, np.array([0.6, 0.5, 0.5]), 2)
    np.testing.assert_array_equal(columns, [[0, -1], [1, -1], [1, -1]])


def write_subjects(folder):
    """Titles of two words each, whose subjects these are."""
    words = ["tea", "cup", "pot", "leaf", "milk", "bag"]
    titles = [
        f"{a} {b}\t{words.index(a)} {words.index(b)}" for a in words for b in words
    ]
    labels = [f"{i}\t{word}" for i, word in enumerate(words)]
    write_files(folder, {"labels": labels, "train": titles * 3, "test": titles})


def test_small_run(tmp_path, monkeypatch, capsys):
    write_subjects(tmp_path / "subjects")
    monkeypatch.setenv("SKXMR_DATA", str(tmp_path))
    assert read_problem("subjects", 4).Y_train.shape[1] == 4
    assert read_problem("subjects", tuning=True).Y_test.shape == (11, 6)
    cache = tmp_path / "cache"
    options = ["--problems", "subjects", "places", "--peers", "LibMultiLabel"]
    main([*options, "--resamples", "10", "--cache", str(cache)])
    content = json.loads((cache / "decisions.json").read_text(encoding="utf-8"))
    assert list(content["problems"]) == ["subjects"]
    systems = content["problems"]["subjects"]["systems"]
    assert list(systems) == ["0.5", *own.KINDS, "LibMultiLabel"]
    for kind in own.KINDS:
        assert systems[kind]["f1_micro"] > 80
        assert systems[kind]["train_cpu_s"] > systems["0.5"]["train_cpu_s"] > 0
    assert "--labels" in systems["LibMultiLabel"]["error"]
    shown = " ".join(capsys.readouterr().out.split())
    assert "| thresholds | micro F1 | macro F1 | F1 by row |" in shown
    assert "| default minus 0.5 |" in shown
    assert "**LibMultiLabel not measured**" in shown
    assert "places not measured" in shown
