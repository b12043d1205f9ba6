"""The arguments of add_labels and remove_labels."""

import numpy as np
import pandas as pd
import pytest

from skxmr import LabelTexts
from skxmr._inputs._added_labels import read_added_texts, read_removed
from skxmr._inputs._known_classes import KnownClasses

COLUMNS = KnownClasses(np.arange(3))
NAMES = KnownClasses(np.array(["a", "b", "c"]))


def added(label_texts, labels=None, known=NAMES):
    fields, grown = read_added_texts(label_texts, labels, known, known is COLUMNS)
    return dict(zip(grown.classes[len(known) :].tolist(), fields.texts, strict=True))


def test_texts_of_an_indicator_get_the_next_columns():
    expected = {3: ("tea",), 4: ("bread", "rye")}
    texts = ["tea", ("bread", "rye")]
    assert added(texts, known=COLUMNS) == expected
    assert added(iter(texts), known=COLUMNS) == expected
    assert added({4: ("bread", "rye"), 3: "tea"}, known=COLUMNS) == expected
    frame = pd.DataFrame({"name": ["tea", "bread"], "text": [None, "rye"]})
    found = added(frame, known=COLUMNS)
    assert found == {3: ("tea", ""), 4: ("bread", "rye")}
    texts_by_column = LabelTexts({4: ("bread", "rye"), 3: "tea"})
    assert added(texts_by_column, known=COLUMNS) == expected
    assert added([], known=COLUMNS) == {}


def test_texts_of_classes_have_labels():
    expected = {"z": ("tea",), "d": ("bread",)}
    assert added(["tea", "bread"], ["z", "d"]) == expected
    assert added({"z": "tea", "d": "bread"}) == expected
    assert added({"d": "bread", "z": "tea"}, ["z", "d"]) == expected
    assert added(LabelTexts({"z": "tea", "d": "bread"})) == expected
    assert added(LabelTexts({"d": "bread", "z": "tea"}), ["z", "d"]) == expected
    series = pd.Series(["tea", "bread"], index=["z", "d"])
    assert added(series) == expected
    assert added(series.reset_index(drop=True), np.array(["z", "d"])) == expected


@pytest.mark.parametrize(
    ("label_texts", "labels", "known", "message"),
    [
        (["tea"], None, NAMES, "labels is None; expected a class label for each text"),
        (["tea"], ["x"], COLUMNS, "labels must be None"),
        (["tea"], ["a"], NAMES, "labels holds 'a', which is a label already"),
        (
            ["tea", "rye"],
            ["x"],
            NAMES,
            "has 2 texts; expected 1, one for each of labels",
        ),
        ("tea", ["x"], NAMES, "must be an iterable of str"),
        (["tea", "rye"], ["x"], NAMES, "label_texts has 2 texts; expected 1"),
        ({"x": "tea"}, ["y"], NAMES, "lacks 1 of the 1 labels"),
        ({7: "tea"}, None, COLUMNS, "lacks 1 of the 1 labels, such as 3"),
        ([None], ["x"], NAMES, "label_texts\\[0\\] must be a str"),
        ("tea", ["x"], NAMES, "label_texts"),
        ({"tea"}, ["x"], NAMES, "whose items have no order"),
    ],
)
def test_what_cannot_be_added_is_refused(label_texts, labels, known, message):
    with pytest.raises((ValueError, TypeError), match=message):
        added(label_texts, labels, known)


def test_labels_are_removed_once():
    columns, known = read_removed(["c", "a"], NAMES)
    assert columns.tolist() == [0, 2]
    assert known.removed.tolist() == [0, 2]
    with pytest.raises(ValueError, match="labels holds 'c', which is no label"):
        read_removed(["c"], known)
    with pytest.raises(ValueError, match="labels holds all of the 1 labels"):
        read_removed(["b"], known)
    assert read_removed([], known)[0].tolist() == []
    assert read_removed(np.array([True, False, False]), COLUMNS)[0].tolist() == [0]
