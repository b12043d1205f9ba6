"""Labels that are added and removed, and how they are looked up."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skxmr import LexicalRanker, TextRetriever, XRLinearClassifier, rank
from skxmr._inputs._class_labels import exact_labels
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._label_choice import check_choice, check_labels, in_order_of_classes

NAMES = st.text("abc", min_size=1, max_size=3)


@given(
    first=st.sets(NAMES, min_size=1, max_size=6),
    changes=st.lists(st.tuples(st.booleans(), st.sets(NAMES, max_size=4)), max_size=6),
    asked=st.lists(NAMES, min_size=1, max_size=9),
)
def test_labels_are_found_as_a_dict_finds_them(first, changes, asked):
    known = KnownClasses(np.unique(sorted(first)))
    column_of = {label: column for column, label in enumerate(sorted(first))}
    for is_addition, labels in changes:
        if is_addition:
            added = sorted(labels - set(column_of), reverse=True)
            start = len(known)
            known = known.with_classes(added, len(added))
            column_of.update((one, start + i) for i, one in enumerate(added))
        else:
            removed = [column_of.pop(one) for one in labels & set(column_of)]
            known = known.without(np.array(removed, dtype=np.int64))
        known = pickle.loads(pickle.dumps(known))
    expected = [column_of.get(label, -1) for label in asked]
    assert known.find(exact_labels(asked, "labels")).tolist() == expected
    assert known.n_alive == len(column_of)
    for label, column in column_of.items():
        assert known.classes[column] == label


def test_columns_of_an_indicator_are_never_given_out_again():
    known = KnownClasses(np.arange(3)).without(np.array([1])).with_columns(2)
    assert known.classes.tolist() == [0, 1, 2, 3, 4]
    assert known.find(np.array([0, 1, 4, 5])).tolist() == [0, -1, 4, -1]
    assert known.without(np.array([4])).removed.tolist() == [1, 4]
    assert known.removed.tolist() == [1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["tea", "x"], "labels holds 'tea', which is a label already"),
        (["x", "x"], "labels has the label 'x' more than once"),
        (["x"], "labels has 1 labels; expected 2, one for each text"),
        ([1, 2], "labels"),
        (["x", None], "labels"),
        ("xy", "labels must be a sequence of labels"),
        ({"x", "y"}, "labels must be a sequence of labels"),
    ],
)
def test_labels_that_cannot_be_added_are_refused(labels, message):
    known = KnownClasses(np.array(["rye", "tea"]))
    with pytest.raises((ValueError, TypeError), match=message):
        known.with_classes(labels, 2)
    assert known.classes.tolist() == ["rye", "tea"]


def test_numbers_are_no_names_and_names_no_numbers():
    with pytest.raises((ValueError, TypeError), match="labels"):
        KnownClasses(np.array([3, 5])).with_classes(["x"], 1)
    grown = KnownClasses(np.array([3, 5])).with_classes([4, 2**40], 2)
    assert grown.classes.tolist() == [3, 5, 4, 2**40]
    assert grown.find(np.array([2**40, 4])).tolist() == [3, 2]


def test_longer_names_are_kept_whole():
    known = KnownClasses(np.array(["a", "b"])).with_classes(["long name"], 1)
    assert known.classes.tolist() == ["a", "b", "long name"]


def test_removed_labels_are_unknown_to_a_choice():
    known = KnownClasses(np.array(["a", "b", "c"])).without(np.array([1]))
    allowed, excluded = check_choice(known, ["a", "b"], ["c"], "ignore")
    assert allowed.tolist() == [0]
    assert excluded.tolist() == [1, 2]
    with pytest.raises(ValueError, match="allowed holds 'b', which is no label"):
        check_labels(["b"], known, "allowed")
    mask = np.ones(3, dtype=bool)
    assert check_choice(known, mask, None)[1].tolist() == [1]


def test_an_index_may_lack_removed_labels():
    known = KnownClasses(np.array(["a", "b", "c"])).without(np.array([1]))
    known = known.with_classes(["A"], 1)
    column = pd.Series([3.0, 1.0, 2.0], index=["c", "A", "a"])
    assert in_order_of_classes(column, known, "w").tolist() == [2.0, 0.0, 3.0, 1.0]
    with pytest.raises(ValueError, match="lacks the label 'A'"):
        in_order_of_classes(column.drop("A"), known, "w")


@pytest.mark.parametrize("unknown", ["raise", "ignore"])
def test_removed_labels_may_be_excluded(unknown):
    known = KnownClasses(np.array(["a", "b", "c"])).without(np.array([1]))
    _, excluded = check_choice(known, None, ["b", "c"], unknown)
    assert excluded.tolist() == [1, 2]
    back = known.with_classes(["b"], 1)
    assert check_choice(back, None, ["b"])[1].tolist() == [1, 3]
    with pytest.raises(ValueError, match="excluded holds 'd', which is no label"):
        check_choice(known, None, ["d"])


@pytest.mark.parametrize("y", [["a", "b", "c"], [["a"], ["b"], ["c"]]])
def test_every_search_leaves_out_what_is_gone(y):
    texts = ["green tea", "black tea", "rye bread"]
    retriever = TextRetriever(random_state=0).fit(texts, y, label_texts=texts)
    retriever.remove_labels(["b"])
    ranker = LexicalRanker().fit(texts, ["a", "b", "c"]).remove_labels(["b"])
    for model in (retriever, ranker):
        columns, _ = model.rank(["tea"], 3, excluded=["b", "c"])
        assert columns[0].tolist()[:2] == [0, -1]
    subset = retriever.subset(excluded=["b", "c"])
    for how in ({"excluded": ["b", "c"]}, {"allowed": subset}):
        assert [found.label for found in retriever.search("tea", **how)] == ["a"]
        assert retriever.search_batch(["tea"], **how)[0][0].tolist()[:2] == [0, -1]
    classifier = XRLinearClassifier(random_state=0)
    classifier.fit(np.eye(3), ["a", "b", "c"]).remove_labels(["b"])
    assert classifier.rank(np.eye(3), 3, excluded={"b"})[0].tolist()[1][2] == -1
    assert 1 not in rank(classifier, np.eye(3), 3, excluded=["b"])[0]
