"""Texts, sessions and counts from any container, with what data frames miss."""

from collections import Counter, deque
from decimal import Decimal
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skxmr import (
    CharNgramTfidf,
    LexicalRanker,
    PrefixWeightedCharTfidf,
    QueryCompleter,
    TextRetriever,
    WordNgramTfidf,
    metrics,
)
from skxmr._inputs._columns import is_missing
from skxmr.baselines import BigramCompleter, PopularCompleter

TEXTS = ["red apple", "green apple", "smart phone", "phone case"]
CLASSES = ["fruit", "fruit", "phone", "case"]

COLUMNS = {
    "list": list,
    "tuple": tuple,
    "generator": lambda texts: (text for text in texts),
    "keys of a dict": lambda texts: dict.fromkeys(texts).keys(),
    "values of a dict": lambda texts: dict(enumerate(texts)).values(),
    "deque": deque,
    "array": np.array,
    "array of objects": lambda texts: np.array(texts, dtype=object),
    "StringDType": lambda texts: np.array(texts, dtype=np.dtypes.StringDType()),
    "Series": pd.Series,
    "Series with an index": lambda texts: pd.Series(texts, index=list("dcba")),
    "Series of string": lambda texts: pd.Series(texts, dtype="string"),
    "Series of Arrow": lambda texts: pd.Series(texts, dtype="string[pyarrow]"),
    "Series of categories": lambda texts: pd.Series(texts).astype("category"),
    "Index": pd.Index,
    "polars": pl.Series,
    "polars, categories": lambda texts: pl.Series(texts, dtype=pl.Categorical),
    "Arrow": pa.array,
    "Arrow, chunked": lambda texts: pa.chunked_array([texts[:2], texts[2:]]),
    "Arrow, dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "list of Arrow's scalars": lambda texts: list(pa.array(texts)),
}

columns = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)

MISSING = {
    "None": None,
    "NaN": np.nan,
    "NaN of float32": np.float32("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "NaT of NumPy": np.datetime64("NaT"),
    "NaN of decimal": Decimal("NaN"),
    "signalling NaN": Decimal("sNaN"),
    "masked": np.ma.masked,
    "null": pa.scalar(None),
    "null string": pa.scalar(None, pa.string()),
}

COLUMNS_THAT_MISS_ONE = {
    "list": list,
    "array": lambda texts: np.array(texts, dtype=object),
    "Series": pd.Series,
    "Series of objects": lambda texts: pd.Series(texts, dtype=object),
    "Series of string": lambda texts: pd.Series(texts, dtype="string"),
    "Series of Arrow": lambda texts: pd.Series(texts, dtype="string[pyarrow]"),
    "Series of Arrow's type": lambda texts: pd.Series(
        texts, dtype=pd.ArrowDtype(pa.string())
    ),
    "Series of categories": lambda texts: pd.Series(texts).astype("category"),
    "polars": pl.Series,
    "Arrow": pa.array,
    "Arrow, chunked": lambda texts: pa.chunked_array([texts[:1], texts[1:]]),
}

columns_that_miss_one = pytest.mark.parametrize(
    "column", COLUMNS_THAT_MISS_ONE.values(), ids=COLUMNS_THAT_MISS_ONE
)

COMPLETERS = {
    "popular": PopularCompleter(),
    "bigram": BigramCompleter(),
    "learned": QueryCompleter(random_state=0),
}
completers = pytest.mark.parametrize("completer", COMPLETERS.values(), ids=COMPLETERS)


@cache
def retriever():
    return TextRetriever().fit(TEXTS, CLASSES)


@cache
def lexical():
    return LexicalRanker().fit(TEXTS, CLASSES)


# Functions that take texts, with the argument that their messages name.
TEXT_DOORS = {
    "word n-grams": ("raw_documents", WordNgramTfidf().fit_transform),
    "words, fit": ("raw_documents", WordNgramTfidf().fit),
    "words, transform": (
        "raw_documents",
        lambda texts: WordNgramTfidf().fit(TEXTS).transform(texts),
    ),
    "character n-grams": ("raw_documents", CharNgramTfidf().fit),
    "weighted characters": ("raw_documents", PrefixWeightedCharTfidf().fit),
    "lexical": ("texts", lambda texts: LexicalRanker().fit(texts, CLASSES)),
    "lexical, rank": ("X", lambda texts: lexical().rank(texts)),
    "lexical, predict": ("X", lambda texts: lexical().predict(texts)),
    "retriever": ("texts", lambda texts: TextRetriever().fit(texts, CLASSES)),
    "retriever, batch": ("texts", lambda texts: retriever().search_batch(texts)),
    "retriever, predict": ("texts", lambda texts: retriever().predict(texts)),
    "completer": ("queries", lambda texts: PopularCompleter().fit(None, texts)),
    "completer, learned": ("queries", lambda texts: QueryCompleter().fit(None, texts)),
    "completer, update": (
        "queries",
        lambda texts: QueryCompleter().fit(None, TEXTS).update(None, texts),
    ),
    "completer, batch": (
        "prefixes",
        lambda texts: PopularCompleter().fit(None, TEXTS).complete_batch(texts),
    ),
    "completer, score": (
        "queries",
        lambda texts: PopularCompleter().fit(None, TEXTS).score(None, texts),
    ),
    "metric": ("truths", lambda texts: metrics.completion_ranks(texts, [TEXTS] * 4)),
}
text_doors = pytest.mark.parametrize(
    ("name", "door"), TEXT_DOORS.values(), ids=TEXT_DOORS
)


@pytest.mark.parametrize("value", MISSING.values(), ids=MISSING)
def test_what_is_missing(value):
    assert is_missing(value)


@pytest.mark.parametrize(
    "value",
    ["", " ", "nan", "None", 0, 0.0, False, b"", [], [np.nan], np.array([np.nan]),
     np.datetime64("2020-01-01"), pd.Timestamp("2020-01-01"), pa.scalar("a"),
     pytest.param(object(), id="object")],
    ids=repr,
)  # fmt: skip
def test_what_is_not_missing(value):
    assert not is_missing(value)


# Texts


@columns
def test_texts_from_any_column(column):
    expected = WordNgramTfidf().fit_transform(TEXTS)
    found = WordNgramTfidf().fit_transform(column(TEXTS))
    assert (found != expected).nnz == 0
    retriever = TextRetriever().fit(column(TEXTS), CLASSES)
    assert retriever.search("apple", k=1)[0][0] == "fruit"
    assert retriever.predict(column(TEXTS)).tolist() == CLASSES
    ranker = LexicalRanker().fit(column(TEXTS), CLASSES)
    assert ranker.predict(column(TEXTS)).tolist() == CLASSES
    completer = PopularCompleter().fit(None, column(TEXTS))
    assert completer.queries_ == sorted(TEXTS)
    assert all(type(query) is str or query in TEXTS for query in completer.queries_)
    batch = completer.complete_batch(column(TEXTS))
    assert [found[0][0] for found in batch] == TEXTS
    ranks = metrics.completion_ranks(column(TEXTS), [TEXTS] * 4)
    assert ranks.tolist() == [1, 2, 3, 4]


@text_doors
@columns_that_miss_one
def test_a_missing_text_is_refused_with_its_row(name, door, column):
    texts = column([TEXTS[0], TEXTS[1], None, TEXTS[3]])
    message = rf"{name}(\[2\] must be a str| must be strings, got .* in row 2).*missing"
    with pytest.raises(ValueError, match=message):
        door(texts)
    with pytest.raises(TypeError, match=message):
        door(texts)


UNORDERED = {
    "set": set,
    "frozenset": frozenset,
    "dict": lambda texts: dict.fromkeys(texts, "x"),
}


@text_doors
@pytest.mark.parametrize("container", UNORDERED.values(), ids=UNORDERED)
def test_texts_without_an_order_are_refused(name, door, container):
    texts = container(TEXTS)
    with pytest.raises(
        (ValueError, TypeError), match=rf"{name}.*{type(texts).__name__}"
    ):
        door(texts)


@text_doors
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_data_frame_is_no_column(name, door, frame):
    with pytest.raises(ValueError, match=f"{name} must have one dimension"):
        door(frame({"text": TEXTS}))


# Sessions

PREVIOUS = ["bread", None, "jam", None, "bread"]
QUERIES = ["butter", "milk", "toast", "tea", "butter"]

SESSIONS = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "keys": lambda texts: dict.fromkeys(texts).keys(),
    "array": lambda texts: np.array(texts, dtype=object),
    "array of str": np.array,
    "StringDType": lambda texts: np.array(texts, dtype=np.dtypes.StringDType()),
    "Series": pd.Series,
    "Series with an index": lambda texts: pd.Series(texts, index=[1, 0]),
    "polars": pl.Series,
    "Arrow": pa.array,
    "Arrow's scalar": lambda texts: pa.array([texts])[0],
}


@completers
@columns_that_miss_one
def test_a_missing_session_says_that_nothing_was_asked(completer, column):
    expected = completer.fit(PREVIOUS, QUERIES)
    answers = [expected.complete("t", previous="jam"), expected.complete("", "bread")]
    sessions = [text or "" for text in PREVIOUS]
    assert completer.fit(sessions, QUERIES).complete("t", "jam") == answers[0]
    completer.fit(column(PREVIOUS), QUERIES)
    assert completer.complete("t", previous="jam") == answers[0]
    assert completer.complete("", previous="bread") == answers[1]
    batch = completer.complete_batch([""] * 5, column(PREVIOUS))
    assert batch == completer.complete_batch([""] * 5, sessions)
    assert completer.score(column(PREVIOUS), QUERIES) == completer.score(
        sessions, QUERIES
    )


@completers
@pytest.mark.parametrize("value", MISSING.values(), ids=MISSING)
def test_missing_values_of_any_kind_in_previous(completer, value):
    completer.fit(["bread", "bread", value], ["butter", "milk", "tea"])
    assert completer.complete("", previous=value) == completer.complete("")
    assert completer.complete("", [value, "bread"]) == completer.complete("", "bread")
    assert completer.complete("", ["bread", value]) == completer.complete("", "bread")
    assert completer.complete("", [value, value]) == completer.complete("")


@completers
@pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS)
def test_sessions_in_any_container(completer, session):
    before = [["eggs", "bread"], ["jam", "bread"], ["bread", "jam"]]
    queries = ["butter", "butter", "toast"]
    expected = completer.fit(before, queries).complete("", previous=["eggs", "jam"])
    expected_batch = completer.complete_batch(["", ""], before[1:])
    completer.fit([session(one) for one in before], queries)
    assert completer.complete("", previous=session(["eggs", "jam"])) == expected
    found = completer.complete_batch(["", ""], map(session, before[1:]))
    assert found == expected_batch


@completers
@pytest.mark.parametrize(
    "column",
    [
        pl.Series,
        pa.array,
        lambda rows: pa.chunked_array([rows[:1], rows[1:]]),
        lambda rows: pd.Series(rows, dtype=pd.ArrowDtype(pa.list_(pa.string()))),
        pd.Series,
        lambda rows: pd.Series(
            [None if row is None else np.array(row) for row in rows]
        ),
    ],
    ids=["polars", "Arrow", "chunked", "Series of Arrow", "Series", "Series of arrays"],
)
def test_columns_of_lists(completer, column):
    rows = [["eggs", "bread"], None, [], ["bread", None], ["jam"]]
    expected = completer.fit(
        [["eggs", "bread"], "", "", ["bread"], "jam"], QUERIES
    ).complete_batch([""] * 3, ["bread", "jam", ""])
    completer.fit(column(rows), QUERIES)
    assert completer.complete_batch([""] * 3, ["bread", "jam", ""]) == expected
    assert completer.complete_batch([""] * 5, column(rows)) == completer.complete_batch(
        [""] * 5, [row or "" for row in rows]
    )


def test_rows_of_an_array_are_sessions():
    completer = QueryCompleter(random_state=0)
    queries, asked = ["butter", "toast"], ["eggs", "bread"]
    expected = completer.fit([asked, ["jam"]], queries).complete("", asked)
    rows = np.array([asked, [None, "jam"]], dtype=object)
    assert completer.fit(rows, queries).complete("", np.array(asked)) == expected


@completers
@pytest.mark.parametrize(
    "previous",
    [
        {"bread", "jam"},
        frozenset(["bread", "jam"]),
        {"bread": 1, "jam": 2},
        Counter(["bread", "jam"]),
        pd.DataFrame({"one": ["bread", "jam"], "two": ["a", "b"]}),
        pl.DataFrame({"one": ["bread", "jam"], "two": ["a", "b"]}),
    ],
    ids=["set", "frozenset", "dict", "Counter", "DataFrame", "polars.DataFrame"],
)
def test_sessions_without_an_order_are_refused(completer, previous):
    completer.fit(None, ["tea", "toast"])
    for call in (
        lambda: completer.fit(previous, ["butter", "milk"]),
        lambda: completer.fit([previous, ""], ["butter", "milk"]),
        lambda: completer.complete_batch(["", ""], previous),
        lambda: completer.complete("t", previous=previous),
    ):
        with pytest.raises((ValueError, TypeError), match="previous"):
            call()
    assert completer.queries_ == ["tea", "toast"]


# Counts

TALLY = {"tea": 3, "toast": 1, "milk": 2}
TALLIES = {
    "dict": lambda: TALLY,
    "Counter": lambda: Counter(TALLY),
    "value_counts": lambda: pd.Series(Counter(TALLY).elements()).value_counts(),
    "value_counts of string": lambda: pd.Series(
        list(Counter(TALLY).elements()), dtype="string[pyarrow]"
    ).value_counts(),
    "value_counts of categories": lambda: (
        pd.Series(Counter(TALLY).elements()).astype("category").value_counts()
    ),
    "floats": lambda: pd.Series(TALLY, dtype=float),
}
tallies = pytest.mark.parametrize("tally", TALLIES.values(), ids=TALLIES)


@completers
@tallies
def test_counts_of_queries_count(completer, tally):
    completer.fit(None, tally())
    assert dict(zip(completer.queries_, completer.counts_, strict=True)) == TALLY
    listed = completer.fit(None, list(Counter(TALLY).elements())).complete("")
    assert completer.fit(None, tally()).complete("") == listed


@tallies
def test_an_update_takes_counts_of_queries(tally):
    completer = QueryCompleter().fit(None, list(TALLY))
    completer.update(None, tally())
    expected = {query: count + 1 for query, count in TALLY.items()}
    assert dict(zip(completer.queries_, completer.counts_, strict=True)) == expected


@completers
def test_a_score_weighs_queries_by_their_counts(completer):
    completer.fit(None, ["tea"])
    assert completer.score(None, ["tea", "unknown"]) == 0.5
    assert completer.score(None, {"tea": 3, "unknown": 1}) == 0.75


@completers
@tallies
def test_nothing_goes_beside_counts_of_queries(completer, tally):
    completer.fit(None, ["known"])
    with pytest.raises(ValueError, match="expected counts=None, since counts"):
        completer.fit(None, tally(), counts=[1, 2, 3])
    with pytest.raises(ValueError, match="expected previous=None, since previous"):
        completer.fit(["a", "b", "c"], tally())
    assert completer.queries_ == ["known"]


@completers
@pytest.mark.parametrize(
    ("tally", "message"),
    [
        ({"tea": 0}, "counts must be positive"),
        (Counter(tea=-1), "counts must be positive"),
        ({"tea": np.nan}, "counts contains NaN"),
        ({"tea": None}, "got a dict with None for 'tea'"),
        ({"tea": "three"}, "got a dict with 'three' for 'tea'"),
        ({1: 2}, r"queries\[0\] must be a str; got 1"),
        ({None: 2}, r"queries\[0\] must be a str.*missing"),
        (
            pd.Series([2, 1], index=["tea", None]),
            r"queries\[1\] must be a str.*missing",
        ),
        (pd.Series([2, 1]), r"queries\[0\] must be a str"),
    ],
    ids=str,
)
def test_bad_counts_of_queries(completer, tally, message):
    with pytest.raises((ValueError, TypeError), match=message):
        completer.fit(None, tally)


# Metrics


@pytest.mark.parametrize(
    "rows",
    [
        pl.Series([["a", "b"], ["b"]]),
        pa.array([["a", "b"], ["b"]]),
        pd.Series([np.array(["a", "b"]), ["b"]]),
        np.array([["a", "b"], ["b", "c"]]),
        [pd.Series(["a", "b"]), pl.Series(["b"])],
    ],
    ids=["polars", "Arrow", "Series", "array", "list of Series"],
)
def test_suggestions_in_any_container(rows):
    assert metrics.completion_ranks(["b", "b"], rows).tolist() == [2, 1]


@pytest.mark.parametrize("row", [{"a", "b"}, {"a": 0.5}, None, np.nan, pd.NA])
def test_suggestions_without_an_order_are_refused(row):
    with pytest.raises((ValueError, TypeError), match=r"suggestions.*(\[1\]|row 1)"):
        metrics.completion_ranks(["a", "b"], [["a"], row])
