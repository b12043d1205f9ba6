"""One thing for each label, from any container: by label or by position."""

from collections import OrderedDict
from types import MappingProxyType

import numpy as np
import pandas as pd
import polars as pl
import pytest
from one_per_label import (
    BY_CLASS,
    BY_NUMBER,
    CLASSES,
    FRAME,
    IN_COLUMNS,
    IN_ORDER,
    OTHER_INDEX,
    TEXTS,
    Y,
    by_label,
    by_position,
    names_given,
    readers,
)
from scipy import sparse

from skxmr import (
    LabelTexts,
    LexicalRanker,
)


@readers
@by_position
def test_by_position(read, make):
    assert read(CLASSES, make(IN_ORDER)) == IN_ORDER
    assert read(Y, make(IN_COLUMNS)) == IN_COLUMNS
    assert read(sparse.csr_array(Y), make(IN_COLUMNS)) == IN_COLUMNS
    assert read(FRAME, make(IN_COLUMNS)) == IN_COLUMNS


@readers
@by_label
def test_by_class(read, make):
    assert read(CLASSES, make(BY_CLASS)) == IN_ORDER
    assert read(pd.Series(CLASSES), make(BY_CLASS)) == IN_ORDER
    assert read(np.array(CLASSES, dtype=object), make(BY_CLASS)) == IN_ORDER


@readers
@by_label
def test_by_name_of_a_column(read, make):
    assert read(FRAME, make(BY_CLASS)) == IN_COLUMNS
    assert read(pl.from_pandas(FRAME), make(BY_CLASS)) == IN_COLUMNS


@readers
@pytest.mark.parametrize("make", [dict, OrderedDict, MappingProxyType, LabelTexts])
def test_by_number_of_a_column(read, make):
    for y in (Y, Y.tolist(), sparse.csr_array(Y), pd.DataFrame(Y), FRAME):
        assert read(y, make(BY_NUMBER)) == IN_COLUMNS
    floats = {float(number): text for number, text in BY_NUMBER.items()}
    scalars = {np.int64(number): text for number, text in BY_NUMBER.items()}
    assert read(Y, make(floats)) == read(Y, make(scalars)) == IN_COLUMNS


@readers
@pytest.mark.parametrize("index", OTHER_INDEX.values(), ids=OTHER_INDEX)
def test_an_index_beside_labels_without_names(read, index):
    assert read(Y, pd.Series(IN_COLUMNS, index=index)) == IN_COLUMNS


@readers
@pytest.mark.parametrize("index", OTHER_INDEX.values(), ids=OTHER_INDEX)
def test_an_index_of_something_else_beside_classes(read, index):
    texts = pd.Series(IN_ORDER, index=index)
    message = "more than once" if len(set(index)) < 3 else "lacks 3 of the 3 labels"
    for y in (CLASSES, FRAME):
        with pytest.raises((ValueError, TypeError), match=message):
            read(y, texts)


@by_position
def test_words_by_position(make):
    of_classes = LexicalRanker().fit(TEXTS, CLASSES, label_texts=make(IN_ORDER))
    assert of_classes.predict(IN_ORDER).tolist() == sorted(BY_CLASS)
    for y in (Y, sparse.csr_array(Y), FRAME):
        ranker = LexicalRanker().fit(TEXTS, y, label_texts=make(IN_COLUMNS))
        assert ranker.rank(IN_COLUMNS, 1)[0].ravel().tolist() == [0, 1, 2]


@by_label
def test_words_by_label(make):
    ranker = LexicalRanker().fit(TEXTS, CLASSES, label_texts=make(BY_CLASS))
    assert ranker.predict(IN_ORDER).tolist() == sorted(BY_CLASS)
    for y in (FRAME, pl.from_pandas(FRAME)):
        ranker = LexicalRanker().fit(TEXTS, y, label_texts=make(BY_CLASS))
        assert ranker.rank(IN_COLUMNS, 1)[0].ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_words_of_the_columns_of_a_data_frame(frame):
    fields = frame({"name": IN_ORDER, "more": ["wheels", None, ""]})
    ranker = LexicalRanker(field_weights=[1.0, 2.0]).fit(
        TEXTS, CLASSES, label_texts=fields
    )
    assert ranker.predict([*IN_ORDER, "wheels"]).tolist() == [*sorted(BY_CLASS), "car"]
    assert {one.field for one in ranker.explain("wheels", "car").terms} == {"text 1"}


@readers
def test_classes_that_are_numbers(read):
    """A default index numbers items; another that holds all classes names them."""
    y = [30, 20, 10, 30]
    expected = ["ten", "twenty", "thirty"]
    assert read(y, pd.Series(expected)) == expected
    assert read(y, {30: "thirty", 10: "ten", 20: "twenty"}) == expected
    by_index = pd.Series(["twenty", "thirty", "ten"], index=[20, 30, 10])
    assert read(y, by_index) == expected
    big = 2**60
    y = [big + 1, big, big + 2, big]
    assert read(y, {big + 2: "c", big: "a", big + 1: "b"}) == ["a", "b", "c"]
    assert read(pd.Series(y, dtype="Int64"), pd.Series({
        big + 2: "c", big: "a", big + 1: "b"
    })) == ["a", "b", "c"]  # fmt: skip


@readers
def test_classes_that_are_dates(read):
    days = np.array(["2020-01-02", "2020-01-01", "2020-01-03"], dtype="M8[D]")
    y = days[[0, 1, 2, 0]]
    texts = pd.Series(["second", "first", "third"], index=pd.DatetimeIndex(days))
    assert read(y, texts) == ["first", "second", "third"]
    assert read(y.astype("M8[ns]"), texts) == ["first", "second", "third"]
    assert read(y, dict(zip(days, texts, strict=True))) == ["first", "second", "third"]


REFUSED = {
    "set": (set(IN_ORDER), "got a set whose items have no order"),
    "frozenset": (frozenset(IN_ORDER), "got a frozenset whose items have no order"),
    "too few": (IN_ORDER[:2], r"has 2 \w+; expected 3, one for each label"),
    "too many": ([*IN_ORDER, "x"], r"has 4 \w+; expected 3.*as many \w+ as rows"),
    "too few in a Series": (pd.Series(IN_ORDER[:2]), r"has 2 \w+; expected 3"),
    "lacking": ({"car": "cars", "fruit": "x"}, "a dict that lacks 1 of the 3.*'phone'"),
    "others": (
        BY_CLASS | {"boat": "x"},
        "labels that there are not: 1, such as 'boat'",
    ),
    "lacking in a Series": (
        pd.Series({"car": "cars", "fruit": "x"}),
        "a Series with an index that lacks 1 of the 3 labels, such as 'phone'",
    ),
    "others in a Series": (
        pd.Series(BY_CLASS | {"boat": "x"}),
        "labels that there are not: 1, such as 'boat'",
    ),
    "numbers beside classes": (BY_NUMBER, "a dict that lacks 3 of the 3 labels"),
}


@readers
@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_names_what_does(read, given, message):
    with pytest.raises(
        (ValueError, TypeError), match=f"{message}.*skxmr.LabelTexts may"
    ):
        read(CLASSES, given)


@pytest.mark.parametrize(
    "table", [pd.DataFrame({"text": IN_ORDER}), np.array([IN_ORDER])], ids=type
)
def test_a_table_is_no_sequence_of_names(table):
    with pytest.raises(ValueError, match=f"label_names.*got a {type(table).__name__}"):
        names_given(CLASSES, table)


@readers
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("abc", "got a (single )?str"),
        (b"abc", "got a (single )?bytes"),
        (3, "int"),
        (BY_CLASS | {"car": None}, r"\[0\]"),
        (pd.Series(BY_CLASS | {"car": None}), r"\[0\].*missing"),
        ([*IN_ORDER[:2], None], r"\[2\].*missing"),
        ([*IN_ORDER[:2], np.nan], r"\[2\].*missing"),
        (pl.Series([*IN_ORDER[:2], None]), r"\[2\].*missing"),
        (pd.Series(["x", "y", "z"], ["car", "car", "phone"]), "'car' more than once"),
    ],
    ids=str,
)
def test_what_is_no_text_for_each_label(read, given, message):
    with pytest.raises(
        (ValueError, TypeError), match=rf"label_(names|texts).*{message}"
    ):
        read(CLASSES, given)
