"""Tests of the benchmark of retrieval: its arithmetic, and one small run."""

import gzip
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.jobs import SETTINGS
from benchmarks.quality import ndcg
from benchmarks.retrieval import __main__ as command
from benchmarks.retrieval.__main__ import main
from benchmarks.retrieval.evaluation import (
    KEPT,
    N_ASKED,
    compare,
    evaluate,
    evaluate_kinds,
    measure_rows,
)
from benchmarks.retrieval.kinds import KINDS, infer_kind
from benchmarks.retrieval.report import (
    TIMES,
    Results,
    numbers_of,
    ratios,
    show_below,
)
from benchmarks.retrieval.systems import ALL, CONTENDERS, LEXICAL, NEURAL, PART
from benchmarks.retrieval.tasks import FORMS, Task, draw, read_task, write

Y = sp.csr_array(np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1]], dtype=np.float32))
NAMES = [["Red"], ["Tea"], ["X"]]
TASK = Task("small", ["Red tea", "Tea", "x"], Y, ["tea"], Y[:1], NAMES)


def padded(*rows):
    columns = np.full((len(rows), N_ASKED), -1)
    for row, found in enumerate(rows):
        columns[row, : len(found)] = found
    return columns


def test_quality_of_three_rows():
    found = evaluate(measure_rows(padded([0], [0, 2, 1], []), Y))
    assert found["R@1"] == pytest.approx(100 / 3)
    assert found["R@10"] == found["R@100"] == pytest.approx(100 * 2 / 3)
    assert found["P@1"] == pytest.approx(100 / 3)
    assert found["P@3"] == pytest.approx(100 * (1 / 3 + 2 / 3) / 3)
    second = (1 / np.log2(3) + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert found["nDCG@10"] == pytest.approx(100 * (1 + second) / 3)


def test_ndcg_of_more_labels_than_places_can_be_one():
    found = np.ones((1, 10), dtype=bool)
    assert ndcg(found, np.array([25]), 10)[0] == pytest.approx(1.0)


def test_label_rows_come_last_and_have_their_own_label():
    task = TASK.with_label_rows()
    assert task.texts == ["Red tea", "Tea", "x", "Red", "Tea", "X"]
    np.testing.assert_array_equal(task.Y[3:].toarray(), np.eye(3))
    np.testing.assert_array_equal(task.Y[:3].toarray(), Y.toarray())


def test_fields_of_a_label_are_joined():
    task = replace(TASK, label_texts=[["Red", "a colour"], ["Tea", "b"], ["X", ""]])
    assert task.with_label_rows().texts[3:] == ["Red a colour", "Tea b", "X "]
    split = task.with_label_rows("\t").texts[3:]
    assert [row.split("\t") for row in split] == task.label_texts


def test_without_training_texts_only_label_rows_remain():
    task = TASK.cut(rows=0).with_label_rows()
    assert task.texts == ["Red", "Tea", "X"]
    np.testing.assert_array_equal(task.Y.toarray(), np.eye(3))


def test_kinds_of_queries_are_inferred():
    fields = "red-tea", "The finest tea, in red bags"
    assert infer_kind("Red tea", *fields) == "name"
    assert infer_kind("tea bags", *fields) == "words"
    assert infer_kind("bags tea", *fields) == "shuffled"
    assert infer_kind("red tae", *fields) == "name typo"
    assert infer_kind("rde tea", *fields) == "name typo"
    assert infer_kind("finest bgas", *fields) == "typo"
    assert infer_kind("in red bgas", *fields) == "typo"
    assert infer_kind("redtae", "redtea", "Tea") == "name typo"


def test_kinds_are_measured_apart():
    task = replace(
        TASK,
        test_texts=["red", "tea", "x", "tea"],
        Y_test=sp.csr_array(np.eye(3)[[0, 1, 2, 1]]),
        kinds=["name", "name", "words", "name"],
        label_texts=[["Red", ""], ["tea", ""], ["x", ""]],
    )
    columns = padded([0], [0, 1], [1], [])
    found = evaluate_kinds(columns, measure_rows(columns, task.Y_test), task)
    assert found == {
        "words": 0.0,
        "name": pytest.approx(200 / 3),
        "name first": pytest.approx(100 / 3),
    }
    # Names with the same words cannot be told apart by a query.
    task = replace(task, label_texts=[["TEA", ""], ["tea", ""], ["x", ""]])
    found = evaluate_kinds(columns, measure_rows(columns, task.Y_test), task)
    assert found["name first"] == pytest.approx(200 / 3)
    assert evaluate_kinds(columns, {}, TASK) == {}


def test_fewer_labels_keep_their_rows_and_queries():
    task = replace(TASK, test_texts=["tea", "x"], Y_test=Y[[0, 2]])
    two = task.cut_labels(2)
    assert len(two.label_texts) == two.Y.shape[1] == 2
    for texts, labels, whole, Y_whole in (
        (two.texts, two.Y, task.texts, Y),
        (two.test_texts, two.Y_test, task.test_texts, task.Y_test),
    ):
        assert texts  # of a query, at least, whose labels are drawn first
        for text, row in zip(texts, labels.toarray(), strict=True):
            named = [NAMES[i] for i in Y_whole[[whole.index(text)]].indices]
            assert [two.label_texts[i] for i in np.flatnonzero(row)] == named
    assert task.cut_labels(9).texts == task.texts


def test_systems_are_compared_on_the_rows_of_both():
    rng = np.random.default_rng(0)
    shape = (len(KEPT), 400)
    first = 100.0 * rng.integers(0, 2, shape)
    second = first - 100.0 * (rng.random(shape) < 0.1)
    kinds = ["words"] * 300 + ["name"] * 100
    found = compare(first, second, kinds)
    assert list(found) == [*KEPT, "words", "name"]
    mean, low, high = found["R@10"]
    differences = (first - second)[KEPT.index("R@10")]
    assert mean == pytest.approx(differences.mean())
    half = 1.96 * differences.std() / np.sqrt(400)
    assert mean - low == pytest.approx(half, rel=0.15)
    assert high - mean == pytest.approx(half, rel=0.15)
    second[:, 300:] = np.nan
    found = compare(first, second, kinds)
    assert list(found) == [*KEPT, "words"]
    assert found["R@10"] == pytest.approx(found["words"], abs=0.5)


def test_tuning_never_sees_the_test():
    n = 40
    labels = sp.eye_array(n, format="csr")
    texts = [f"text {row}" for row in range(n)]
    names = [[text] for text in texts]
    task = Task("rows", texts, labels, ["secret"], labels[:1], names)
    split = task.split_for_tuning()
    assert len(split.test_texts) == 4
    assert sorted(split.texts + split.test_texts) == sorted(texts)
    for texts, Y_part in ((split.texts, split.Y), (split.test_texts, split.Y_test)):
        assert [f"text {column}" for column in Y_part.indices] == texts


def test_a_sample_is_drawn_from_all_rows():
    assert draw(5, None).tolist() == draw(5, 9).tolist() == [0, 1, 2, 3, 4]
    some = draw(10_000, 100)
    assert len(set(some.tolist())) == 100
    assert 4_000 < some.mean() < 6_000


def test_cut_keeps_rows_and_labels_together():
    cut = TASK.cut(rows=2)
    for text, row in zip(cut.texts, cut.Y.toarray(), strict=True):
        place = TASK.texts.index(text)
        np.testing.assert_array_equal(row, Y.toarray()[place])
    assert cut.label_texts == TASK.label_texts


def test_only_whole_intervals_below_zero_are_below():
    paired = {
        "bm25": {"R@10": [-1.0, -2.0, -0.5], "P@1": [-1.0, -2.0, 0.5]},
        "pecos": {"R@10": [1.0, 0.5, 2.0]},
    }
    (line,) = show_below("skxmr", paired)
    assert line == "- skxmr is below: R@10 of bm25 (-1.00 [-2.00, -0.50])"
    assert show_below("skxmr", {"pecos": paired["pecos"]}) == [
        "- skxmr is below: none of them"
    ]
    assert show_below("skxmr", {}) == []


def test_words_and_trigrams_are_told_apart():
    train, _ = FORMS["words and trigrams"](TASK)
    assert train[1] == "tea ~tea ~ea#"
    train, _ = FORMS["words"](TASK)
    assert train[0] == "red tea"


def test_texts_are_written_as_a_worker_reads_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend("benchmarks/worker")
    matrices = pytest.importorskip("benchworker.matrices")
    write(TASK, "texts", tmp_path)
    assert matrices.read(tmp_path, "X_train").tolist() == TASK.texts
    np.testing.assert_array_equal(
        matrices.read(tmp_path, "Y_train").toarray(), Y.toarray()
    )


def test_contenders_have_workers_and_known_problems():
    for name, contender in CONTENDERS.items():
        assert contender.system.worker.exists(), name
        assert contender.form in FORMS
        assert set(contender.problems) <= set(ALL)
        told = contender.job_settings("products", 7, {"C": 2.0})
        assert told["C"] == 2.0
        assert told["beam_width"] == SETTINGS["beam_width"]
        assert told["label_rows"] == (7 if contender.label_texts else 0)
        assert contender.label_texts or contender.training_texts
    assert set(LEXICAL + NEURAL) <= set(CONTENDERS)


def numbers(recall, seconds):
    return {"numbers": {"R@10": recall, "train_s": seconds}}


def test_ratios_are_those_of_the_best_of_each_kind():
    records = {
        "skxmr": numbers(90.0, 2.0),
        "bm25": numbers(30.0, 0.1),
        "neighbors": numbers(60.0, 0.1),
        "neural": numbers(45.0, 12.0),
        "neural, no label texts": {"error": "no wheel"},
    }
    lines = ratios(records)
    assert [line.split(" (")[0] for line in lines] == [
        "- recall@10, skxmr / neural: 2.00",
        "- training, neural / skxmr: 6.0",
        "- recall@10, skxmr / neighbors: 1.50",
    ]
    assert ratios({"bm25": numbers(30.0, 0.1)}) == []


def test_training_is_timed_without_the_texts():
    fitted = {
        "fit_s": 5.0,
        "fit_cpu_s": 6.0,
        "facts": {"text_s": 2.0},
        "peak_added": 1,
        "disk_bytes": 2,
    }
    keys = (*TIMES, "model_bytes")
    found = numbers_of(fitted, dict.fromkeys(keys, 1.0), {})
    assert found["fit_cpu_s"] == 6.0
    assert (found["text_s"], found["train_s"]) == (2.0, 3.0)
    found = numbers_of(fitted | {"facts": {}}, dict.fromkeys(keys, 1.0), {})
    assert (found["text_s"], found["train_s"]) == (None, 5.0)


def test_results_of_other_sizes_are_not_mixed(tmp_path):
    path = tmp_path / "file.json"
    results = Results(path, {})
    results.section("places", {"rows": 5})["systems"]["bm25"] = {}
    results.write()
    again = Results(path, {})
    assert "bm25" in again.section("places", {"rows": 5})["systems"]
    assert again.section("places", {"rows": 6})["systems"] == {}


def test_rows_of_other_measures_are_not_compared(tmp_path):
    results = Results(tmp_path / "file.json", {})
    assert results.read_rows("places", "bm25") is None
    results.write_rows("places", "bm25", np.zeros((len(KEPT), 4)))
    assert results.read_rows("places", "bm25").shape == (len(KEPT), 4)
    results.write_rows("places", "bm25", np.zeros((2, 4)))
    assert results.read_rows("places", "bm25") is None


def write_files(folder, files):
    folder.mkdir()
    for part, lines in files.items():
        with gzip.open(folder / f"{part}.tsv.gz", "wt", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)


def write_data(folder):
    """Teas in ten colours, each in eleven products, as the data's folder has them."""
    colours = [
        "red",
        "green",
        "blue",
        "black",
        "white",
        "yellow",
        "brown",
        "grey",
        "pink",
        "violet",
    ]
    files = {
        "labels": [f"p{i}\t{c} tea\tdrinks" for i, c in enumerate(colours * 11)],
        "train": [
            f"{i}\t{c} tea in bags {i}\tp{i}\t1\tdrinks"
            for i, c in enumerate(colours * 11)
        ],
        "test": [f"{i}\t{c} teas {i}\tp{i}\t1\tdrinks" for i, c in enumerate(colours)],
    }
    write_files(folder, files)


def write_catalogue(folder):
    """Forty packages in the form of the data's folder, with queries of all kinds."""
    things = ["parser", "server", "client", "viewer", "plugin"]
    formats = ["json", "xml", "yaml", "toml", "csv", "html", "pdf", "sql"]
    pairs = [(a, b) for a in formats for b in things]
    labels = [f"{a}-{b}\tA small {b} of {a} files" for a, b in pairs]
    queries = {
        "words": [f"{b} {a} files" for a, b in pairs],
        "shuffled": [f"files {b} {a}" for a, b in pairs],
        "typo": [f"{b} {a} flies" for a, b in pairs],
        "nametypo": [f"{a} {b}r" for a, b in pairs],
        "name": [f"{a} {b}" for a, b in pairs],
    }
    # Every other label has training queries, and the others have the test's.
    train = [f"{q[i]}\t{i}" for q in queries.values() for i in range(0, 40, 2)]
    test = [
        f"{kind}\t{texts[i]}\t{i}\t0"
        for kind, texts in queries.items()
        for i in range(1, 40, 2)
    ]
    write_files(folder, {"labels": labels, "train": train, "test": test})


def test_kinds_follow_the_queries_of_the_catalogue(tmp_path, monkeypatch):
    write_catalogue(tmp_path / "catalogue")
    monkeypatch.setenv("SKXMR_DATA", str(tmp_path))
    task = read_task("catalogue")
    assert (len(task.texts), len(task.test_texts)) == (100, 100)
    assert task.label_texts[1] == ["json-server", "A small server of json files"]
    assert {kind: task.kinds.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 20)
    # Mixed, so that a few of the first queries have several kinds.
    assert len(set(task.kinds[:10])) > 2
    for part in (task.cut(queries=30), task.split_for_tuning()):
        labels = [task.label_texts[column] for column in part.Y_test.indices]
        assert len(part.kinds) == len(part.test_texts) == len(labels)
        for kind, text, fields in zip(part.kinds, part.test_texts, labels, strict=True):
            assert infer_kind(text, *fields) == kind


def test_small_run_on_the_catalogue(tmp_path, monkeypatch, capsys):
    write_catalogue(tmp_path / "catalogue")
    monkeypatch.setenv("SKXMR_DATA", str(tmp_path))
    cache = tmp_path / "cache"
    options = ["--problems", "catalogue", "--cache", str(cache), "--single-rows", "5"]
    monkeypatch.setitem(PART, "catalogue", 60)
    lexical = "skxmr lexical", "skxmr lexical, label texts only"
    main([*options, "--systems", "skxmr", *lexical, "neighbors"])
    content = json.loads((cache / "retrieval.json").read_text())
    section = content["problems"]["catalogue"]
    for name, record in section["systems"].items():
        assert list(record["kinds"]) == [*KINDS, "name first"], name
        assert 50 < record["kinds"]["name"] <= 100
        numbers = record["numbers"]
        assert 0 < numbers["single_cpu_p50_s"] <= numbers["single_cpu_p99_s"] < 1
        assert 0 < numbers["fit_cpu_s"] < 60
    assert list(section["paired"]) == [*lexical, "neighbors"]
    mean, low, high = section["paired"]["neighbors"]["R@10"]
    assert low <= mean <= high
    shown = " ".join(capsys.readouterr().out.split())
    assert "| system | words | shuffled | typo | name typo | name | name first |" in (
        shown
    )
    assert "| skxmr minus | R@1 | R@10 | R@100 | P@1 | P@3 | P@5 | words" in shown
    assert "- skxmr is below: " in shown


def test_small_run_and_its_continuation(tmp_path, monkeypatch, capsys):
    write_data(tmp_path / "products")
    monkeypatch.setenv("SKXMR_DATA", str(tmp_path))
    cache = tmp_path / "cache"
    common = ["--problems", "products", "--cache", str(cache), "--single-rows", "5"]
    main([*common, "--systems", "skxmr"])
    first = json.loads((cache / "retrieval.json").read_text())["problems"]["products"]
    main([*common, "--systems", "skxmr", "neighbors", "--missing"])
    section = json.loads((cache / "retrieval.json").read_text())["problems"]["products"]
    assert list(section["systems"]) == ["skxmr", "neighbors"]
    assert section["systems"]["skxmr"] == first["systems"]["skxmr"]
    for name, record in section["systems"].items():
        assert record["numbers"]["R@10"] > 90, name
        assert 0 < record["numbers"]["train_s"] < 60
        assert record["numbers"]["text_s"] > 0
    assert "recall@10, skxmr / neighbors" in capsys.readouterr().out


ENCODER = """
from benchworker.encoding import serve


def make():
    def encode(texts, are_queries):
        with open("{log}", "a") as file:
            file.write(f"{len(texts)} {are_queries}\\n")
        return [[text.count(letter) for letter in "aeiknrsu"] for text in texts]

    return encode


serve(make)
"""


def test_small_run_with_an_encoder(tmp_path, monkeypatch, capsys):
    write_data(tmp_path / "products")
    script, log = tmp_path / "encode.py", tmp_path / "log"
    script.write_text(ENCODER.replace("{log}", str(log)))
    settings = {
        "python": sys.executable,
        "script": str(script),
        "folder": str(tmp_path / "vectors"),
    }
    monkeypatch.setattr(command, "encoder_settings", lambda *_: {"encoder": settings})
    monkeypatch.setenv("SKXMR_DATA", str(tmp_path))
    options = ["--problems", "products", "--cache", str(tmp_path), "--encoder", "glove"]
    options += ["--single-rows", "5"]
    names = ["skxmr + encoder", "cosine", "words + cosine"]
    main([*options, "--systems", *names])
    content = json.loads((tmp_path / "retrieval.json").read_text())
    section = content["problems"]["products"]
    recalls = {name: r["numbers"]["R@10"] for name, r in section["systems"].items()}
    assert list(recalls) == names
    assert recalls["skxmr + encoder"] > 90
    assert list(section["paired_encoding"]) == ["cosine", "words + cosine"]
    assert section["paired"] == {}
    assert "skxmr + encoder minus" in capsys.readouterr().out
    # Ten texts of labels and ten queries, each once for all systems, and the training
    # text by which the lengths of both encoders' vectors are compared.
    calls = [line.split() for line in log.read_text().splitlines()]
    assert sum(int(n) for n, are_queries in calls if are_queries == "False") == 10
    assert sum(int(n) for n, are_queries in calls if are_queries == "True") == 11


def test_systems_with_vectors_need_an_encoder():
    with pytest.raises(SystemExit):
        main(["--systems", "cosine"])
