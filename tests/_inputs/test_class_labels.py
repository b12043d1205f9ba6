"""Class labels of any type, from any container, come out as they went in."""

import datetime as dt
import uuid
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score

from skxmr import (
    KMeansTree,
    LabelThresholdCV,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    Reranker,
    SparseCalibrator,
    TextRetriever,
    XRLinearClassifier,
    metrics,
)
from skxmr._inputs._class_labels import exact_labels, exact_target, find_columns

BIG = 2**60  # neighbours of it are one float
N_COPIES = 4
TEXTS = ["red apple", "green pear", "smart phone"] * N_COPIES
X = np.tile(np.eye(3), (N_COPIES, 1))


def repeat(*labels):
    return list(labels) * N_COPIES


BIG_LABELS = repeat(BIG + 1, BIG, BIG + 2)
WORDS = repeat("b", "a", "c")
DATES = repeat(*(dt.date(2020, 1, day) for day in (2, 1, 3)))
UTC = dt.UTC
TIMES = repeat(*(dt.datetime(2020, 1, 1, 0, 0, s, 1, tzinfo=UTC) for s in (2, 1, 3)))
NANOSECONDS = np.array([BIG + 1, BIG, BIG + 2] * N_COPIES).astype("M8[ns]")


def objects(labels):
    return np.array([*labels, None], dtype=object)[:-1]


# What is given as y, and the labels that it holds.
TARGETS = {
    "list": (BIG_LABELS, BIG_LABELS),
    "tuple": (tuple(BIG_LABELS), BIG_LABELS),
    "array": (np.array(BIG_LABELS), BIG_LABELS),
    "objects": (objects(BIG_LABELS), BIG_LABELS),
    "column": (np.array(BIG_LABELS), BIG_LABELS),
    "Series": (pd.Series(BIG_LABELS), BIG_LABELS),
    "Int64": (pd.Series(BIG_LABELS, dtype="Int64"), BIG_LABELS),
    "UInt64": (pd.Series(BIG_LABELS, dtype="UInt64"), BIG_LABELS),
    "int64[pyarrow]": (pd.Series(BIG_LABELS, dtype="int64[pyarrow]"), BIG_LABELS),
    "Series with an index": (
        pd.Series(BIG_LABELS, range(12, 0, -1), dtype="Int64"),
        BIG_LABELS,
    ),
    "categories": (pd.Series(BIG_LABELS).astype("category"), BIG_LABELS),
    "Categorical": (pd.Categorical(BIG_LABELS), BIG_LABELS),
    "Index": (pd.Index(BIG_LABELS), BIG_LABELS),
    "polars": (pl.Series(BIG_LABELS), BIG_LABELS),
    "polars, unsigned": (pl.Series(BIG_LABELS, dtype=pl.UInt64), BIG_LABELS),
    "polars, 128 bits": (pl.Series(BIG_LABELS, dtype=pl.Int128), BIG_LABELS),
    "Arrow": (pa.array(BIG_LABELS), BIG_LABELS),
    "Arrow, chunked": (pa.chunked_array([BIG_LABELS[:5], BIG_LABELS[5:]]), BIG_LABELS),
    "Arrow's scalars": (list(pa.array(BIG_LABELS)), BIG_LABELS),
    "NumPy's scalars": (repeat(np.int64(BIG), np.uint64(BIG + 1), BIG + 2),) * 2,
    "signed and unsigned": (repeat(2**63 + 1, -1, 2**63),) * 2,
    "beyond 64 bits": (repeat(2**70, -(2**70), 1),) * 2,
    "integers and a float": (repeat(BIG + 1, 1.0, BIG),) * 2,
    "small integers and a float": (repeat(2, 1.0, 3),) * 2,
    "booleans": (repeat(True, False, False),) * 2,
    "boolean": (
        pd.Series(repeat(True, False, False), dtype="boolean"),
        repeat(True, False, False),
    ),
    "strings": (WORDS, WORDS),
    "StringDType": (np.array(WORDS, dtype=np.dtypes.StringDType()), WORDS),
    "string": (pd.Series(WORDS, dtype="string"), WORDS),
    "string[pyarrow]": (pd.Series(WORDS, dtype="string[pyarrow]"), WORDS),
    "string categories": (pd.Series(WORDS).astype("category"), WORDS),
    "polars, strings": (pl.Series(WORDS), WORDS),
    "polars, categories": (pl.Series(WORDS, dtype=pl.Categorical), WORDS),
    "polars, enumeration": (pl.Series(WORDS, dtype=pl.Enum(["c", "b", "a"])), WORDS),
    "Arrow, dictionary": (pa.array(WORDS).dictionary_encode(), WORDS),
    "NUL at the end": (repeat("a\0", "a", "a\0\0"),) * 2,
    "'nan' and 'None'": (repeat("nan", "None", "<NA>"),) * 2,
    "decimals": (repeat(Decimal("1.10"), Decimal("1.1") + 1, Decimal(3)),) * 2,
    "Arrow, decimals": (
        pa.array(repeat(Decimal("1.1"), Decimal("1.2"), Decimal("1.3"))),
        repeat(Decimal("1.1"), Decimal("1.2"), Decimal("1.3")),
    ),
    "fractions": (repeat(Fraction(1, 3), Fraction(2, 3), Fraction(1)),) * 2,
    "dates": (DATES, DATES),
    "datetime64": (np.array(DATES, dtype="M8[D]"), list(np.array(DATES, "M8[D]"))),
    "nanoseconds": (NANOSECONDS, list(NANOSECONDS)),
    "list of datetime64": (list(NANOSECONDS), list(NANOSECONDS)),
    "Series of nanoseconds": (pd.Series(NANOSECONDS), list(NANOSECONDS)),
    "polars, nanoseconds": (pl.Series(NANOSECONDS), list(NANOSECONDS)),
    "Arrow, nanoseconds": (pa.array(NANOSECONDS), list(NANOSECONDS)),
    "timedelta64": (NANOSECONDS.astype("m8[ns]"), list(NANOSECONDS.astype("m8[ns]"))),
    "times of a zone": (pd.Series(pd.DatetimeIndex(TIMES)), TIMES),
    "polars, times of a zone": (pl.Series(TIMES), TIMES),
    "Arrow, times of a zone": (pa.array(TIMES), TIMES),
    "UUIDs": (repeat(uuid.UUID(int=1), uuid.UUID(int=0), uuid.UUID(int=2)),) * 2,
    "tuples": (objects(repeat((1, "b"), (1, "a"), (2, "a"))),) * 2,
}
targets = pytest.mark.parametrize(("y", "labels"), TARGETS.values(), ids=TARGETS)

LINEAR = XRLinearClassifier(KMeansTree(2, 2), random_state=0)
CLASSIFIERS = {
    "linear": LINEAR,
    "neighbors": NeighborRanker(n_neighbors=2),
    "fusion": RankFusion([("linear", LINEAR), ("neighbors", NeighborRanker(2))]),
    "thresholds": LabelThresholdCV(LINEAR, cv=2, random_state=0),
    "calibrator": SparseCalibrator(LINEAR, cv=2, random_state=0),
    "reranker": Reranker(LINEAR, LogisticRegression(), random_state=0),
}
classifiers = pytest.mark.parametrize(
    "classifier", CLASSIFIERS.values(), ids=CLASSIFIERS
)


def kind_of(label):
    """Integers are no floats, booleans no integers, strings no numbers."""
    kinds = {
        "boolean": (bool, np.bool_),
        "integer": (int, np.integer),
        "float": (float, np.floating),
        "string": str,
    }
    return next(
        (name for name, one in kinds.items() if isinstance(label, one)), "other"
    )


def assert_the_very(found, expected):
    """Equal, and of the same kind but where integers stand beside floats."""
    assert list(found) == list(expected)
    kinds = set(map(kind_of, expected))
    if kinds != {"integer", "float"}:
        assert set(map(kind_of, found)) == kinds


@classifiers
@targets
def test_labels_come_out_as_they_went_in(classifier, y, labels):
    fitted = clone(classifier).fit(X, y)
    assert_the_very(fitted.classes_, sorted(set(labels)))
    assert_the_very(fitted.predict(X), labels)
    scorer = metrics.precision_at_k_scorer(1)
    assert scorer(fitted, X, y) == 1.0


@targets
def test_a_retriever_finds_the_very_labels(y, labels):
    retriever = TextRetriever().fit(TEXTS, y)
    assert_the_very(retriever.predict(TEXTS), labels)
    found = [retriever.search(text, k=1)[0][0] for text in TEXTS]
    assert_the_very(found, labels)


@targets
def test_a_lexical_ranker_finds_the_very_labels(y, labels):
    classes = sorted(set(labels))
    names = [f"name{i}" for i in range(len(classes))]
    ranker = LexicalRanker().fit(TEXTS, y, label_texts=names)
    assert_the_very(ranker.classes_, classes)
    assert_the_very(ranker.predict(TEXTS), labels)
    assert metrics.precision_at_k_scorer(1)(ranker, TEXTS, y) == 1.0
    found = ranker.classes_[[ranker.rank_one(name, 1)[0][0] for name in names]]
    assert_the_very(found, classes)
    if isinstance(labels[0], tuple):
        return  # a list of tuples is no vector of labels
    for column, label in enumerate(classes):
        assert ranker.rank(TEXTS, 1, allowed=[label])[0].max() == column
        assert column not in ranker.rank(TEXTS, excluded=[label])[0]
        assert ranker.explain(names[column], label).label == label


@targets
def test_labels_that_were_found_can_be_asked_for(y, labels):
    if isinstance(labels[0], tuple):
        pytest.skip("a list of tuples is no vector of labels")
    retriever = TextRetriever().fit(TEXTS, y)
    for text, label in zip(TEXTS[:3], labels[:3], strict=True):
        found = retriever.search(text, k=1)[0][0]
        for asked in (found, label):
            again = retriever.search(text, k=3, allowed=[asked])
            assert [one for one, _, _ in again] == [label]
            others = retriever.search(text, k=3, excluded=[asked])
            assert label not in [one for one, _, _ in others]
            assert retriever.explain(text, asked).label == label
    everything = retriever.search(TEXTS[0], k=3, allowed=y)
    assert everything == retriever.search(TEXTS[0], k=3)


@targets
def test_label_texts_keep_the_labels(y, labels):
    classes = sorted(set(labels))
    texts = [f"name {i}" for i in range(len(classes))]
    retriever = TextRetriever().fit(TEXTS, y, label_texts=texts)
    assert_the_very(retriever.classes_, classes)
    for text, label in zip(TEXTS[:3], labels[:3], strict=True):
        found, name, _ = retriever.search(text, k=1)[0]
        assert (found, name) == (label, texts[classes.index(label)])


@targets
def test_propensities_count_the_very_labels(y, labels):
    classes = sorted(set(labels))
    numbers = [classes.index(label) for label in labels]
    np.testing.assert_array_equal(
        metrics.propensities(y), metrics.propensities(numbers)
    )


def test_a_score_compares_exactly():
    """As floats, all labels of both were one."""
    fitted = NeighborRanker(2).fit(X, BIG_LABELS)
    wrong = [label ^ 1 for label in BIG_LABELS]
    for y in (wrong, pd.Series(wrong, dtype="Int64"), np.array(wrong, dtype=np.uint64)):
        expected = np.mean(np.array(wrong) == fitted.predict(X))
        assert expected < 1
        assert fitted.score(X, y) == expected
        assert metrics.precision_at_k_scorer(1)(fitted, X, y) == expected


def test_a_score_weighs_rows():
    fitted = NeighborRanker(2).fit(X[:6], WORDS[:6])
    y = [*WORDS[:5], "other"]
    assert fitted.score(X[:6], y) == pytest.approx(5 / 6)
    weights = [1, 1, 1, 1, 1, 5]
    assert fitted.score(X[:6], y, sample_weight=weights) == pytest.approx(0.5)


def test_a_search_over_folds_of_nullable_integers():
    y = pd.Series(BIG_LABELS, dtype="Int64", index=range(12, 0, -1))
    for classifier in CLASSIFIERS.values():
        scores = cross_val_score(classifier, X, y, cv=KFold(2), error_score="raise")
        assert scores.tolist() == [1.0, 1.0]


# Missing

MISSING = {
    "Int64": pd.Series([BIG, None, BIG + 1] * N_COPIES, dtype="Int64"),
    "int64[pyarrow]": pd.Series([BIG, None, 1] * N_COPIES, dtype="int64[pyarrow]"),
    "floats": np.array([1.0, np.nan, 2.0] * N_COPIES),
    "list of floats": [1, np.nan, 2] * N_COPIES,
    "NaN in a list": ["a", np.nan, "b"] * N_COPIES,
    "NaN among objects": np.array(["a", np.nan, "b"] * N_COPIES, dtype=object),
    "None in a list": ["a", None, "b"] * N_COPIES,
    "None beside numbers": [1, None, 2] * N_COPIES,
    "only None": [None] * 12,
    "Series": pd.Series(["a", None, "b"] * N_COPIES),
    "Series of objects": pd.Series(["a", None, "b"] * N_COPIES, dtype=object),
    "string": pd.Series(["a", pd.NA, "b"] * N_COPIES, dtype="string"),
    "categories": pd.Series(["a", None, "b"] * N_COPIES).astype("category"),
    "numbers as categories": pd.Series([1, None, 2] * N_COPIES).astype("category"),
    "boolean": pd.Series([True, None, False] * N_COPIES, dtype="boolean"),
    "polars": pl.Series([BIG, None, 1] * N_COPIES),
    "polars, strings": pl.Series(["a", None, "b"] * N_COPIES),
    "Arrow": pa.array([BIG, None, 1] * N_COPIES),
    "Arrow, strings": pa.array(["a", None, "b"] * N_COPIES),
    "NaT": np.array(["2020-01-01", "NaT", "2021-01-01"] * N_COPIES, dtype="M8[D]"),
    "NaT in pandas": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-01-01"] * 4)),
    "StringDType": np.array(
        ["a", None, "b"] * N_COPIES, dtype=np.dtypes.StringDType(na_object=None)
    ),
    "decimals": [Decimal(1), Decimal("NaN"), Decimal(2)] * N_COPIES,
    "one column": pd.DataFrame({"id": pd.array([BIG, None, 1] * 4, dtype="Int64")}),
    "masked": np.ma.array([1, 2, 3] * N_COPIES, mask=[0, 1, 0] * N_COPIES),
}
missing = pytest.mark.parametrize("y", MISSING.values(), ids=MISSING)


@classifiers
@missing
def test_a_missing_label_is_refused_with_its_row(classifier, y):
    row = 0 if isinstance(y, list) and y[0] is None else 1
    with pytest.raises(
        (ValueError, TypeError), match=rf"y\[{row}\] is (missing|masked)"
    ):
        clone(classifier).fit(X, y)


@missing
def test_a_retriever_refuses_a_missing_label(y):
    with pytest.raises((ValueError, TypeError), match=r"y\[[01]\] is (missing|masked)"):
        TextRetriever().fit(TEXTS, y)


@missing
def test_a_lexical_ranker_refuses_a_missing_label(y):
    with pytest.raises((ValueError, TypeError), match=r"y\[[01]\] is (missing|masked)"):
        LexicalRanker().fit(TEXTS, y)


@missing
def test_propensities_refuse_a_missing_label(y):
    with pytest.raises((ValueError, TypeError), match=r"Y\[[01]\] is (missing|masked)"):
        metrics.propensities(y)


@pytest.mark.parametrize(
    "y", [np.array([1.0, np.nan]), pd.Series([1, None], dtype="Int64")]
)
def test_scorers_refuse_a_missing_label(y):
    fitted = NeighborRanker(1).fit(X[:3], [1, 2, 3])
    for score in (fitted.score, lambda X, y: metrics.ndcg_at_k_scorer(1)(fitted, X, y)):
        with pytest.raises(ValueError, match=r"y\[1\] is missing"):
            score(X[:2], y)


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series([BIG + 3, None], dtype="Int64"),
        pd.Series([BIG + 3, None], dtype="int64[pyarrow]"),
        pl.Series([BIG + 3, None]),
        pa.array([BIG + 3, None]),
        [BIG + 3, None],
        [BIG + 3, np.nan],
    ],
    ids=["Int64", "int64[pyarrow]", "polars", "Arrow", "None", "NaN"],
)
def test_labels_beside_a_missing_one_are_asked_for_exactly(labels):
    """As a float, another label would be found."""
    classifier = clone(LINEAR).fit(X, BIG_LABELS)
    with pytest.raises(ValueError, match="which is no label"):
        classifier.subset(labels)
    subset = classifier.subset(excluded=labels, unknown="ignore")
    assert set(classifier.rank(X, 3, allowed=subset)[0].ravel()) == {0, 1, 2}
    subset = classifier.subset([*labels, BIG + 1], unknown="ignore")
    assert set(classifier.rank(X, 1, allowed=subset)[0].ravel()) <= {1}


# Refused

REFUSED = {
    "set": ({"a", "b", "c"}, r"got a set, whose items have no order"),
    "frozenset": (frozenset("abc"), r"got a frozenset, whose items have no order"),
    "dict": ({0: "a", 1: "b", 2: "c"}, r"got a dict, of which only the keys"),
    "Counter": (Counter("abc"), r"got a Counter, of which only the keys"),
    "numbers beside strings": ([1, "a", 2], "of one type.*got int and str"),
    "strings beside a number": (["a", "b", 2.0], "of one type.*got float and str"),
    "bytes": ([b"a", b"b", b"c"], "represented as bytes"),
    "array of bytes": (np.array([b"a", b"b", b"c"]), "represented as bytes"),
    "Arrow, bytes": (pa.array([b"a", b"b", b"c"]), "represented as bytes"),
    "fractions of floats": ([1.5, 2.5, 3.0], "Unknown label type: continuous"),
    "fraction beside big": ([BIG + 1, 2.5, 3.0], "Unknown label type: continuous"),
    "dicts": ([{}, {}, {}], "Unknown label type"),
    "objects": ([object(), object(), object()], "Unknown label type"),
    "dates and times": (
        [dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), 3],
        "of one type.*got date and datetime and int",
    ),
    "string": ("abc", "y"),
    "infinity": ([1.0, np.inf, 2.0], "infinity"),
}


@pytest.mark.parametrize(("y", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(
    ("estimator", "rows"),
    [(LINEAR, X[:3]), (TextRetriever(), TEXTS[:3])],
    ids=["X", "s"],
)
def test_what_is_no_class_label_is_refused(estimator, rows, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        clone(estimator).fit(rows, y)


def test_a_data_frame_of_one_column_is_class_labels():
    frame = pd.DataFrame({"id": pd.array(BIG_LABELS, dtype="Int64")})
    with pytest.warns(match="column-vector y was passed"):
        fitted = clone(LINEAR).fit(X, frame)
    assert_the_very(fitted.predict(X), BIG_LABELS)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_data_frame_is_an_indicator(frame):
    Y = np.tile(np.eye(3, dtype=int), (N_COPIES, 1))
    fitted = clone(LINEAR).fit(X, frame({f"label {i}": Y[:, i] for i in range(3)}))
    np.testing.assert_array_equal(fitted.predict(X), Y)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: dict.fromkeys(y).keys(),
        lambda y: dict(enumerate(y)).values(),
        iter,
    ],
    ids=["keys", "values", "iterator"],
)
def test_iterables_that_have_an_order(make):
    assert clone(LINEAR).fit(X[:3], make("bac")).predict(X[:3]).tolist() == list("bac")


# Looking up


@pytest.mark.parametrize(
    ("labels", "classes", "columns"),
    [
        ([BIG, BIG + 1, 2**63], np.array([BIG, BIG + 2], dtype=np.uint64), [0, -1, -1]),
        ([-1, 2**64 - 1], np.array([1, 2**64 - 1], dtype=np.uint64), [-1, 1]),
        ([2.0**53 + 2, 1.5], np.array([2**53 + 1, 2**53 + 2]), [1, -1]),
        ([2**53 + 1, 2**53], np.array([2.0**53]), [-1, 0]),
        ([2.0**63, 1e300, -np.inf], np.array([2**63 - 1]), [-1, -1, -1]),
        ([300, 44], np.array([44], dtype=np.uint8), [-1, 0]),
        ([True], np.array([0, 1]), [1]),
        ([1, 2], np.array([False, True]), [1, -1]),
        ([2**70, 1], np.array([1, 2]), [-1, 0]),
        ([Decimal(2)], np.array([1, 2]), [1]),
        (["a", "a\0"], np.array(["a", "b"]), [0, -1]),
        (["longer", "b"], np.array(["a", "b"]), [-1, 1]),
        (["b"], np.array(["a", "b"], dtype=object), [1]),
        (["a"], np.array([1, 2]), [-1]),
        ([1], np.array(["1"]), [-1]),
        ([pd.Timestamp("2020-01-01")], np.array(["2020-01-01"], dtype="M8[ns]"), [0]),
        ([np.datetime64("2020-01-01", "s")], np.array(["2020-01-01"], "M8[D]"), [0]),
        ([], np.array([1]), []),
    ],
    ids=str,
)
def test_columns_are_found_exactly(labels, classes, columns):
    found = find_columns(exact_labels(labels, "labels"), classes)
    assert found.tolist() == columns


def test_what_is_no_list_of_labels_is_left_alone():
    for y in (None, "abc", 3, [[1, 0], [0, 1]], np.eye(2)):
        assert exact_target(y) is y
