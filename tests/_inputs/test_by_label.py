"""One thing for each label, from any container: by label or by position."""

import pickle
from collections import Counter, OrderedDict
from types import MappingProxyType

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skxmr import (
    KMeansTree,
    LabelTexts,
    LabelTree,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    TextRetriever,
    TrieTreeHybrid,
    XRLinearClassifier,
    metrics,
)
from skxmr.baselines import PopularCompleter

TEXTS = ["red apple", "smart phone", "green car", "apple tree"]
CLASSES = ["fruit", "phone", "car", "fruit"]
BY_CLASS = {"phone": "phones to talk", "car": "cars to drive", "fruit": "fruit to eat"}
IN_ORDER = [BY_CLASS[name] for name in sorted(BY_CLASS)]
# The same labels as columns, in another order than that of the classes.
COLUMNS = ["phone", "fruit", "car"]
Y = np.array([[name == column for column in COLUMNS] for name in CLASSES], dtype=int)
FRAME = pd.DataFrame(Y, columns=COLUMNS)
BY_NUMBER = {2: "cars to drive", 0: "phones to talk", 1: "fruit to eat"}
IN_COLUMNS = [BY_CLASS[name] for name in COLUMNS]

BY_POSITION = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "objects": lambda items: np.array(items, dtype=object),
    "Series": pd.Series,
    "Series of string": lambda items: pd.Series(items, dtype="string"),
    "Series of Arrow": lambda items: pd.Series(items, dtype="string[pyarrow]"),
    "rest of a Series": lambda items: pd.Series(["x", "y", *items])[2:],
    "Index": pd.Index,
    "polars": pl.Series,
    "Arrow": pa.array,
    "values of a dict": lambda items: dict(enumerate(items)).values(),
    "keys of a dict": lambda items: dict.fromkeys(items).keys(),
}
BY_LABEL = {
    "dict": dict,
    "reversed": lambda items: dict(reversed(items.items())),
    "OrderedDict": OrderedDict,
    "proxy": MappingProxyType,
    "Series": pd.Series,
    "Series of string": lambda items: pd.Series(items, dtype="string"),
    "Series of Arrow": lambda items: pd.Series(items, dtype="string[pyarrow]"),
    "categories": lambda items: pd.Series(
        list(items.values()), index=pd.CategoricalIndex(list(items))
    ),
    "LabelTexts": LabelTexts,
    "LabelTexts of a Series": lambda items: LabelTexts(pd.Series(items)),
}
by_position = pytest.mark.parametrize("make", BY_POSITION.values(), ids=BY_POSITION)
by_label = pytest.mark.parametrize("make", BY_LABEL.values(), ids=BY_LABEL)

# Read by position, where a sequence is, and by nothing where labels have names.
OTHER_INDEX = {
    "numbers": [7, 8, 9],
    "strings": ["x", "y", "z"],
    "repeated": [1, 1, 1],
    "reversed": [2, 1, 0],
    "reversed range": range(2, -1, -1),
}


class Recorder(BaseEstimator):
    """An indexer that keeps what it is given."""

    seen: tuple

    def fit(self, Z, y=None, *, label_names=None):
        type(self).seen = Z, label_names
        self.tree_ = KMeansTree(2, 1, random_state=0).fit(Z).tree_
        return self


def names_given(y, label_names, **parameters):
    X = np.eye(4)[: len(CLASSES)]
    XRLinearClassifier(Recorder(), **parameters).fit(X, y, label_names=label_names)
    return list(Recorder.seen[1])


def texts_given(y, label_texts):
    retriever = TextRetriever().fit(TEXTS, y, label_texts=label_texts)
    found = {label: name for label, name, _ in retriever.search("to", k=3)}
    assert [found[label] for label in retriever.classes_] == retriever.label_texts_
    return retriever.label_texts_


readers = pytest.mark.parametrize("read", [names_given, texts_given])


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


# Trees


@by_position
def test_names_of_a_trie_by_position(make):
    names = ["beta", "alpha", "gamma"]
    expected = TrieTreeHybrid(1, random_state=0).fit(label_names=names).tree_
    assert (
        TrieTreeHybrid(1, random_state=0).fit(label_names=make(names)).tree_ == expected
    )
    assert expected.to_text(make(names)) == expected.to_text(names)


def test_names_of_a_trie_by_number():
    names = ["beta", "alpha", "gamma", "almond"]
    by_number = {2: "gamma", 0: "beta", 3: "almond", 1: "alpha"}
    expected = TrieTreeHybrid(1, random_state=0).fit(label_names=names).tree_
    for given in (by_number, LabelTexts(by_number), pd.Series(names, list("wxyz"))):
        tree = TrieTreeHybrid(1, random_state=0).fit(label_names=given).tree_
        assert tree == expected
        assert tree.to_text(given) == tree.to_text(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param({"a", "b"}, "got a set whose items have no order", id="set"),
        pytest.param(
            frozenset("ab"), "got a frozenset whose items have no order", id="frozenset"
        ),
        ({"a": 1, "b": 2}, "got a dict that lacks 2 of the 2 labels, such as 0"),
        ({1: "a", 2: "b"}, "got a dict that lacks 1 of the 2 labels, such as 0"),
        (Counter("ab"), "got a Counter that lacks 2"),
        (["a", None], r"label_names\[1\]"),
    ],
    ids=str,
)
def test_names_of_a_trie_that_are_refused(names, message):
    with pytest.raises((ValueError, TypeError), match=message):
        TrieTreeHybrid().fit(label_names=names)
    tree = KMeansTree(2, 1).fit(np.eye(2)).tree_
    with pytest.raises((ValueError, TypeError), match=message):
        tree.to_text(names)


def test_parents_by_node():
    parents = [-1, 0, 0, 1, 1]
    expected = LabelTree.from_parents(parents)
    shuffled = [3, 0, 4, 2, 1]
    series = pd.Series([parents[node] for node in shuffled], index=shuffled)
    assert LabelTree.from_parents(series) == expected
    assert LabelTree.from_parents(series.to_dict()) == expected
    assert LabelTree.from_parents(pd.Series(parents)) == expected
    with pytest.raises(ValueError, match="index that lacks 1 of the 5 labels"):
        LabelTree.from_parents(pd.Series(parents, index=[0, 1, 2, 3, 9]))


# Vectors

VECTORS = np.array([[1.0, 0.5, 0], [0, 1, 0.25], [0.125, 0, 1]])  # car, fruit, phone


def vectors_given(y, label_vectors):
    XRLinearClassifier(Recorder(), label_vectors=label_vectors).fit(np.eye(4), y)
    Z = Recorder.seen[0]
    return Z.toarray() if sparse.issparse(Z) else np.asarray(Z)


def test_vectors_by_position():
    for vectors in (VECTORS, VECTORS.tolist(), sparse.csr_array(VECTORS),
                    pd.DataFrame(VECTORS), pl.DataFrame(VECTORS)):  # fmt: skip
        np.testing.assert_array_equal(vectors_given(CLASSES, vectors), VECTORS)
        np.testing.assert_array_equal(vectors_given(Y, vectors), VECTORS)
    strange = pd.DataFrame(VECTORS, index=["x", "y", "z"])
    np.testing.assert_array_equal(vectors_given(Y, strange), VECTORS)


def test_vectors_by_label():
    names = ["phone", "boat", "car", "fruit"]
    rows = np.vstack([VECTORS[2], np.full(3, 9), VECTORS[:2]])
    frame = pd.DataFrame(rows, index=names)
    mapping = dict(zip(names, rows, strict=True))
    of_sparse = {name: sparse.csr_array([row]) for name, row in mapping.items()}
    for vectors in (frame, mapping, of_sparse):
        np.testing.assert_array_equal(vectors_given(CLASSES, vectors), VECTORS)
        np.testing.assert_array_equal(vectors_given(FRAME, vectors), VECTORS[[2, 1, 0]])
        pair = vectors_given(CLASSES, ("pifa", vectors))
        expected = vectors_given(CLASSES, ("pifa", VECTORS))
        np.testing.assert_allclose(pair, expected, rtol=1e-6)
    by_number = {2: VECTORS[2], 0: VECTORS[0], 1: VECTORS[1]}
    np.testing.assert_array_equal(vectors_given(Y, by_number), VECTORS)
    with pytest.raises(ValueError, match=r"lacks 1 of the 3 labels.*'fruit'"):
        vectors_given(CLASSES, frame[:3])
    with pytest.raises(ValueError, match="dict that lacks 3 of the 3 labels"):
        vectors_given(Y, mapping)


# Weights and propensities


def test_weights_by_name():
    members = [("one", NeighborRanker(1)), ("two", NeighborRanker(3))]
    X = np.eye(4) + 0.1

    def fit(weights):
        return RankFusion(members, weights=weights).fit(X, CLASSES).rank(X, 3)[1]

    expected = fit([3, 1])
    assert not np.array_equal(expected, fit([1, 3]))
    for weights in (
        {"two": 1, "one": 3},
        pd.Series({"two": 1, "one": 3}),
        pd.Series([3, 1]),
        np.array([3, 1]),
    ):
        np.testing.assert_array_equal(fit(weights), expected)
    for weights in (
        {"one": 3},
        {"one": 3, "two": 1, "six": 1},
        {3, 1},
        {"a": 1, "b": 2},
        pd.Series([3, 1], index=["a", "b"]),
    ):
        with pytest.raises((ValueError, TypeError), match="weights"):
            fit(weights)


def test_propensities_by_number():
    ranking = np.array([[1, 0], [0, 2]]), np.array([[0.9, 0.5], [0.9, 0.5]])
    truth = np.array([[1, 0, 0], [0, 0, 1]])
    p = [0.9, 0.5, 0.25]

    def score(propensities):
        return metrics.propensity_scored_precision_at_k(
            truth, ranking, 2, propensities=propensities
        )

    assert score({2: 0.25, 0: 0.9, 1: 0.5}) == score(p)
    assert score(pd.Series(p, index=["x", "y", "z"])) == score(p)
    for wrong in (
        {"a": 0.9, "b": 0.5, "c": 0.25},
        {1: 0.9, 2: 0.5, 3: 0.25},
        {0.9, 0.5},
    ):
        with pytest.raises((ValueError, TypeError), match="propensities"):
            score(wrong)


def test_a_scorer_takes_propensities_by_label():
    make = metrics.propensity_scored_precision_at_k_scorer
    X = np.eye(4) + 0.1
    p = {"phone": 0.9, "fruit": 0.5, "car": 0.25}
    of_classes = NeighborRanker(1).fit(X, CLASSES)
    wrong = [*CLASSES[:2], "fruit", "car"]
    expected = make(2, propensities=p)(of_classes, X, wrong)
    assert make(2, propensities=pd.Series(p))(of_classes, X, wrong) == expected
    of_columns = NeighborRanker(1).fit(X, Y)
    in_columns = [p[name] for name in COLUMNS]
    truth = Y[[0, 1, 3, 2]]
    expected = make(2, propensities=in_columns)(of_columns, X, truth)
    for given, y in [
        (p, pd.DataFrame(truth, columns=COLUMNS)),
        (pd.Series(p), pd.DataFrame(truth, columns=COLUMNS)),
        (pd.Series(p)[["car", "phone", "fruit"]], pd.DataFrame(truth, columns=COLUMNS)),
        (pd.Series(p), truth),
        (pd.Series(in_columns, index=[5, 5, 5]), truth),
        (dict(enumerate(in_columns)), truth),
        (dict(enumerate(in_columns)), sparse.csr_array(truth)),
    ]:
        assert make(2, propensities=given)(of_columns, X, y) == expected
    with pytest.raises(ValueError, match=r"an array by column.*lacks 3 of the 3"):
        make(2, propensities=p)(of_columns, X, truth)
    with pytest.raises((ValueError, TypeError), match="propensities"):
        make(2, propensities={0.5, 0.25})


def test_counts_by_query():
    queries, counts = ["b", "a", "c"], {"a": 1, "b": 2, "c": 3}
    for given in (
        counts,
        pd.Series(counts),
        pd.Series([2, 1, 3]),
        pd.Series([2, 1, 3], index=[7, 8, 9]),
        pd.Series([2, 1, 3], index=queries),
        pd.Series([2, 1, 3], index=["x", "y", "z"]),
    ):
        completer = PopularCompleter().fit(None, queries, counts=given)
        assert dict(zip(completer.queries_, completer.counts_, strict=True)) == counts
    # Rows of one data frame, whatever they are called.
    frame = pd.DataFrame({"query": queries, "count": [2, 1, 3]}, index=["c", "b", "a"])
    completer = PopularCompleter().fit(None, frame["query"], counts=frame["count"])
    assert dict(zip(completer.queries_, completer.counts_, strict=True)) == counts
    for wrong in ({"a": 1, "b": 2}, counts | {"d": 1}, {1, 2, 3}):
        with pytest.raises((ValueError, TypeError), match="counts"):
            PopularCompleter().fit(None, queries, counts=wrong)
    with pytest.raises(ValueError, match="queries has duplicates"):
        PopularCompleter().fit(None, ["a", "a", "b"], counts={"a": 1, "b": 2})


# Cross-validation

PLACES = ["alder", "birch", "cedar", "dogwood", "elm", "fir"]
ABOUT = [f"the {place} tree" for place in PLACES]
SHUFFLED = np.array([3, 0, 5, 1, 4, 2])
scorer = metrics.recall_at_k_scorer(1)
SPLITS = {
    "KFold": KFold(2),
    "shuffled": KFold(3, shuffle=True, random_state=0),
    "ShuffleSplit": ShuffleSplit(2, test_size=2, random_state=0),
}


@pytest.mark.parametrize("cv", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("kind", ["classes", "indicator", "data frame"])
def test_label_texts_that_no_fold_cuts(kind, cv):
    """As many labels as rows, each of one row: what a fold lacks has its text."""
    y, texts = {
        "classes": (np.array(PLACES)[SHUFFLED], dict(zip(PLACES, ABOUT, strict=True))),
        "indicator": (np.eye(6, dtype=int)[SHUFFLED], dict(enumerate(ABOUT))),
        "data frame": (
            pd.DataFrame(np.eye(6, dtype=int)[SHUFFLED], columns=PLACES),
            dict(zip(PLACES, ABOUT, strict=True)),
        ),
    }[kind]
    rows = [f"a {PLACES[i]}" for i in SHUFFLED]
    for given in (LabelTexts(texts), LabelTexts(dict(reversed(texts.items())))):
        results = cross_validate(
            TextRetriever(), rows, y, params={"label_texts": given}, cv=cv,
            scoring=scorer, error_score="raise",
        )  # fmt: skip
        assert (results["test_score"] == 1).all()


@pytest.mark.parametrize("kind", ["classes", "indicator"])
def test_a_search_and_its_refit(kind):
    y = np.array(PLACES)[SHUFFLED] if kind == "classes" else np.eye(6)[SHUFFLED]
    names = PLACES if kind == "classes" else range(6)
    rows = [f"a {PLACES[i]}" for i in SHUFFLED]
    pipeline = make_pipeline(FunctionTransformer(), TextRetriever())
    search = GridSearchCV(
        pipeline,
        {"textretriever__label_text_weight": [1, 4]},
        scoring=scorer,
        cv=KFold(2),
        error_score="raise",
    )
    texts = LabelTexts(dict(zip(names, ABOUT, strict=True)))
    search.fit(rows, y, textretriever__label_texts=texts)
    assert (search.cv_results_["mean_test_score"] == 1).all()
    assert search.best_estimator_[-1].label_texts_ == ABOUT


@pytest.mark.parametrize(
    "plain",
    [
        list,
        np.array,
        pd.Series,
        lambda texts: pd.Series(texts, index=list("uvwxyz")),
        lambda texts: dict(enumerate(texts)),
        pl.Series,
    ],
    ids=["list", "array", "Series", "Series with an index", "dict", "polars"],
)
def test_plain_texts_that_a_fold_cuts_are_refused(plain):
    with pytest.raises(ValueError, match=r"label_texts.*expected 6.*skxmr\.LabelTexts"):
        cross_validate(
            TextRetriever(), ABOUT, np.eye(6), params={"label_texts": plain(ABOUT)},
            cv=KFold(2), error_score="raise",
        )  # fmt: skip


def test_plain_texts_of_more_classes_than_a_fold_has_are_refused():
    for plain in (BY_CLASS, pd.Series(BY_CLASS), IN_ORDER):
        with pytest.raises(ValueError, match=r"label_texts.*skxmr\.LabelTexts"):
            cross_validate(
                TextRetriever(), TEXTS, CLASSES, params={"label_texts": plain},
                cv=KFold(2), error_score="raise",
            )  # fmt: skip


def test_names_that_no_fold_cuts():
    y, rows = np.eye(6)[SHUFFLED], np.eye(6)
    classifier = XRLinearClassifier(TrieTreeHybrid(1), random_state=0)
    names = LabelTexts(dict(enumerate(PLACES)))
    results = cross_validate(
        classifier, rows, y, params={"label_names": names}, cv=KFold(2),
        scoring=scorer, error_score="raise",
    )  # fmt: skip
    assert not np.isnan(results["test_score"]).any()
    with pytest.raises(ValueError, match=r"label_names.*skxmr\.LabelTexts"):
        cross_validate(
            classifier, rows, y, params={"label_names": PLACES}, cv=KFold(2),
            error_score="raise",
        )  # fmt: skip


def test_vectors_of_more_classes_than_a_fold_has():
    vectors = pd.DataFrame(np.eye(6), index=PLACES)
    classifier = XRLinearClassifier(label_vectors=vectors, random_state=0)
    y = np.array(PLACES)[SHUFFLED]
    found = cross_val_predict(clone(classifier), np.eye(6), y, cv=KFold(2))
    assert set(found) <= set(PLACES)


# LabelTexts


def test_label_texts_may_hold_fewer_labels():
    retriever = TextRetriever().fit(
        TEXTS, CLASSES, label_texts=LabelTexts({"car": "cars to drive"})
    )
    assert retriever.label_texts_ == ["cars to drive", "", ""]
    assert names_given(CLASSES, LabelTexts({"car": "x"})) == ["x", "", ""]
    assert texts_given_for(Y, {2: "x"}) == ["", "", "x"]


def texts_given_for(y, texts):
    retriever = TextRetriever().fit(TEXTS, y, label_texts=LabelTexts(texts))
    return retriever.label_texts_


def test_label_texts_may_hold_more_labels():
    more = BY_CLASS | {"boat": "boats to sail", "air": " "}
    assert names_given(CLASSES, LabelTexts(more)) == IN_ORDER
    assert texts_given_for(FRAME, more) == IN_COLUMNS
    assert texts_given_for(Y, BY_NUMBER | {3: "x", "boat": "y"}) == IN_COLUMNS
    # A class without rows is learnt from its text, if it has one.
    retriever = TextRetriever().fit(TEXTS, CLASSES, label_texts=LabelTexts(more))
    assert retriever.classes_.tolist() == ["boat", "car", "fruit", "phone"]
    assert retriever.search("sail", k=1)[0][:2] == ("boat", "boats to sail")


@readers
def test_label_texts_of_no_column(read):
    with pytest.raises(ValueError, match="none of the labels of y: expected some of"):
        read(Y, LabelTexts(BY_CLASS))


def test_label_texts_of_another_type_than_the_classes():
    with pytest.raises(TypeError, match=r"of one type.*got int and str"):
        TextRetriever().fit(TEXTS, CLASSES, label_texts=LabelTexts({1: "one"}))


def test_missing_texts_are_as_good_as_none():
    for value in (None, np.nan, pd.NA):
        assert LabelTexts({"a": "x", "b": value}).to_dict() == {"a": "x"}
    assert LabelTexts(pd.Series({"a": "x", "b": None})).to_dict() == {"a": "x"}


def test_label_texts_is_no_sequence():
    """Else scikit-learn would cut it."""
    texts = LabelTexts(BY_CLASS)
    for name in ("__len__", "__iter__", "__getitem__", "shape", "__array__"):
        assert not hasattr(texts, name)
    assert repr(texts) == "LabelTexts(3 labels)"
    assert pickle.loads(pickle.dumps(texts)).to_dict() == BY_CLASS
    copied = dict(BY_CLASS)
    texts = LabelTexts(copied)
    copied.clear()
    assert texts.to_dict() == BY_CLASS


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        (IN_ORDER, TypeError, "must be a mapping.*got a list"),
        (pd.Series(IN_ORDER), TypeError, "must be a mapping.*got a Series"),
        pytest.param(
            set(IN_ORDER), TypeError, "must be a mapping.*got a set", id="set"
        ),
        ("abc", TypeError, "must be a mapping.*got a str"),
        (None, TypeError, "must be a mapping.*got a NoneType"),
        ({"a": 3}, TypeError, r"texts\['a'\] must be a str; got 3"),
        ({"a": b"x"}, TypeError, r"texts\['a'\] must be a str; got b'x'"),
        ({None: "x"}, ValueError, "missing label, None"),
        ({np.nan: "x"}, ValueError, "missing label, nan"),
        (pd.Series(["x", "y"], ["a", "a"]), ValueError, "'a' more than once"),
    ],
    ids=str,
)
def test_what_is_no_mapping_of_texts(texts, error, message):
    with pytest.raises(error, match=message):
        LabelTexts(texts)
