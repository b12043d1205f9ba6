"""Models that are changed, fitted and searched while a thread compacts them."""

import threading

import numpy as np
import pytest

from skxmr import LexicalRanker, TextRetriever, XRLinearClassifier
from skxmr._base._state import merges

pytestmark = pytest.mark.usefixtures("restless")

MERGED = ["retriever", "lexical", "classifier"]


def living(kind):
    names = ["green tea", "black tea", "rye bread", "red wine"]
    if kind == "classifier":
        return XRLinearClassifier(random_state=0).fit(
            np.eye(12, dtype=np.float32), np.eye(12, dtype=np.int8)
        )
    nothing = np.zeros((0, 4))
    if kind == "lexical":
        return LexicalRanker().fit([], nothing, label_texts=names)
    return TextRetriever(random_state=0).fit([], nothing, label_texts=names)


def additions(kind, n=2):
    if kind == "classifier":
        return np.random.default_rng(0).random((n, 12), dtype=np.float32)
    return ["oolong infusion", "kefir"][:n]


def results(model):
    if isinstance(model, XRLinearClassifier):
        return model.rank(np.eye(12, dtype=np.float32), 5)
    return model.rank(["oolong", "green tea", "kefir bread"], 5)


def merge_while(model, change, monkeypatch):
    """Compact a model; call `change` when the merged state is made, not yet used."""
    kind = type(model)
    made = kind.compact.__wrapped__

    def making(snapshot):
        made(snapshot)
        thread = threading.Thread(target=change)
        thread.start()
        thread.join(60)  # with the writers' lock, it would wait for the end
        assert not thread.is_alive()

    monkeypatch.setattr(kind, "compact", merges(making))
    model.compact()
    monkeypatch.undo()


@pytest.mark.parametrize("kind", MERGED)
def test_what_changes_during_a_compaction_is_kept(kind, monkeypatch):
    model, expected = living(kind), living(kind)
    for one in (model, expected):
        one.add_labels(additions(kind))
    before = model._state

    def change(one=model):
        n_labels = len(one.classes_)
        one.remove_labels([n_labels - 1])
        one.add_labels(additions(kind, 1))
        rows = additions(kind, 1)
        one.partial_fit(rows, np.eye(1, n_labels + 2, 1, dtype=np.int8))
        assert one._state is not before

    merge_while(model, change, monkeypatch)
    change(expected)
    assert model.classes_.tolist() == expected.classes_.tolist()
    for found, wanted in zip(results(model), results(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)
    # Nothing is recorded any more, and further changes are kept.
    for one in (model, expected):
        one.add_labels(additions(kind, 1))
        one.compact()
    for found, wanted in zip(results(model), results(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", MERGED)
def test_a_fit_during_a_compaction_remains(kind, monkeypatch):
    model = living(kind)
    model.add_labels(additions(kind))

    def refit():
        if kind == "classifier":
            model.fit(np.eye(12, dtype=np.float32), np.eye(12, dtype=np.int8))
        else:
            model.fit([], np.zeros((0, 2)), label_texts=["new", "old"])
        model.add_labels(additions(kind, 1))

    merge_while(model, refit, monkeypatch)
    assert len(model.classes_) == (13 if kind == "classifier" else 3)


def test_an_error_while_merging_changes_nothing(monkeypatch):
    model = living("lexical")
    model.add_labels(["oolong"])
    state = model._state

    def making(snapshot):
        raise ValueError("no")

    monkeypatch.setattr(LexicalRanker, "compact", merges(making))
    with pytest.raises(ValueError, match="no"):
        model.compact()
    monkeypatch.undo()
    assert model._state is state
    assert model.compact().add_labels(["kefir"]).tolist() == [5]


def test_writers_and_readers_go_on_while_a_thread_compacts():
    model = living("retriever")
    stop = threading.Event()

    def compact():
        while not stop.is_set():
            model.compact()

    thread = threading.Thread(target=compact)
    thread.start()
    try:
        for number in range(30):
            (column,) = model.add_labels([f"label{number} kefir"]).tolist()
            assert model.search(f"label{number}", k=1)[0][0] == column
    finally:
        stop.set()
        thread.join()
    assert len(model.classes_) == 34
