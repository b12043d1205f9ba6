"""Tests of the benchmark of sizes."""

import sys

import scipy.sparse as sp

from benchmarks import sizes
from benchmarks.retrieval.tasks import Task

NAMES = ["red sofa", "blue lamp", "green rug", "white shelf", "grey desk", "oak bed"]


def make_catalogue():
    Y = sp.eye_array(6, format="csr")
    fields = [[name, f"a {name}"] for name in NAMES]
    return Task("catalogue", NAMES, Y, NAMES[::-1], Y[::-1], fields, None)


def test_measures(monkeypatch):
    monkeypatch.setattr(sizes, "read_catalogue", make_catalogue)
    monkeypatch.setattr(sys, "path", [str(sizes.WORKER), *sys.path])
    found = sizes.measure(4, 1)
    assert found.keys() == sizes.COLUMNS.keys()
    assert (found["labels"], found["rows"]) == (4, 4)
    assert min(found.values()) >= 0
    assert found["file_mb"] > 0


def test_numbers_have_two_digits():
    numbers = 0.1234, 9.87, 10.4, 841_378
    assert [sizes.shown(one) for one in numbers] == ["0.12", "9.9", "10", "841,378"]
