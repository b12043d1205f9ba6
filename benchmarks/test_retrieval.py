"""Tests of the benchmark of retrieval: its arithmetic, and one small run."""

import gzip
import json

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.jobs import SETTINGS
from benchmarks.quality import ndcg
from benchmarks.retrieval.__main__ import main
from benchmarks.retrieval.evaluation import N_ASKED, evaluate
from benchmarks.retrieval.report import Results, numbers_of, ratios
from benchmarks.retrieval.systems import ALL, CONTENDERS, LEXICAL, NEURAL
from benchmarks.retrieval.tasks import FORMS, Task, draw, write

Y = sp.csr_array(np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1]], dtype=np.float32))
TASK = Task("small", ["Red tea", "Tea", "x"], Y, ["tea"], Y[:1], ["Red", "Tea", "X"])


def padded(*rows):
    columns = np.full((len(rows), N_ASKED), -1)
    for row, found in enumerate(rows):
        columns[row, : len(found)] = found
    return columns


def test_quality_of_three_rows():
    found = evaluate(padded([0], [0, 2, 1], []), Y)
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


def test_tuning_never_sees_the_test():
    n = 40
    labels = sp.eye_array(n, format="csr")
    texts = [f"text {row}" for row in range(n)]
    task = Task("rows", texts, labels, ["secret"], labels[:1], texts)
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
    fitted = {"fit_s": 5.0, "facts": {"text_s": 2.0}, "peak_added": 1, "disk_bytes": 2}
    keys = ("batch_s_1", "single_p50_s", "single_p99_s", "model_bytes")
    found = numbers_of(fitted, dict.fromkeys(keys, 1.0), {})
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


def write_data(folder):
    """Teas in ten colours, each in eleven products, as the data's folder has them."""
    folder.mkdir()
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
    for part, lines in files.items():
        with gzip.open(folder / f"{part}.tsv.gz", "wt", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)


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
