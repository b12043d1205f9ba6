"""Several texts of a label, their weights, and pieces of them, as rows of training."""

import pickle
from itertools import combinations
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import skxmr
from skxmr import (
    KMeansTree,
    LabelTexts,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr.metrics import recall_at_k_scorer
from skxmr.persistence import load, save
from skxmr.text._pieces import draw_pieces

TEXTS = ["red apple", "smart phone", "green car", "apple tree"]
CLASSES = ["fruit", "phone", "car", "fruit"]
# In the order of the classes.
FIELDS = [
    ("cars", "to drive on the road"),
    ("fruit", ""),
    (" ", "to talk, or to type"),
]
LABELS = ["car", "fruit", "phone"]
NAMES = ["cars", "fruit", "to talk, or to type"]
ROWS = [
    (0, "cars", 0),
    (0, "to drive on the road", 1),
    (1, "fruit", 0),
    (2, "to talk, or to type", 1),
]
Y = np.array([[one == label for label in LABELS] for one in CLASSES], dtype=np.int8)


def frame(fields=FIELDS, **parameters):
    return pd.DataFrame(fields, columns=["name", "summary"], **parameters)


BY_POSITION = {
    "tuples": FIELDS,
    "lists": [list(one) for one in FIELDS],
    "a tuple of tuples": tuple(FIELDS),
    "an array": np.array(FIELDS),
    "an array of objects": np.array(FIELDS, dtype=object),
    "arrays": [np.array(one) for one in FIELDS],
    "Series": [pd.Series(one) for one in FIELDS],
    "a Series of tuples": pd.Series(FIELDS),
    "a Series of lists of Arrow": pd.Series(
        pa.array([list(one) for one in FIELDS]),
        dtype=pd.ArrowDtype(pa.list_(pa.string())),
    ),
    "pandas": frame(),
    "pandas, of string": frame(dtype="string"),
    "pandas, of Arrow": frame(dtype="string[pyarrow]"),
    "pandas, categories": frame(dtype="category"),
    "pandas, default index of a part": frame([("x", "y"), *FIELDS])[1:],
    "polars": pl.DataFrame(FIELDS, orient="row"),
    "a polars Series of lists": pl.Series([list(one) for one in FIELDS]),
    "an Arrow table": pa.Table.from_pandas(frame()),
    "Arrow lists": pa.array([list(one) for one in FIELDS]),
    "a generator": lambda: (one for one in FIELDS),
    "None for blank": [("cars", FIELDS[0][1]), ("fruit", None), (None, FIELDS[2][1])],
    "NaN for blank": frame([FIELDS[0], ("fruit", np.nan), (pd.NA, FIELDS[2][1])]),
    "masked for blank": np.ma.array(
        [FIELDS[0], ("fruit", "x"), ("x", FIELDS[2][1])],
        mask=[(False, False), (False, True), (True, False)],
    ),
    "null for blank": pl.DataFrame(
        [FIELDS[0], ("fruit", None), (None, FIELDS[2][1])], orient="row"
    ),
    "ragged": [FIELDS[0], ("fruit",), FIELDS[2]],
    "strings among them": [FIELDS[0], "fruit", FIELDS[2]],
}
BY_LABEL = {
    "dict": dict(zip(LABELS, FIELDS, strict=True)),
    "dict in another order": dict(zip(LABELS[::-1], FIELDS[::-1], strict=True)),
    "dict of lists": {
        label: list(one) for label, one in zip(LABELS, FIELDS, strict=True)
    },
    "proxy": MappingProxyType(dict(zip(LABELS, FIELDS, strict=True))),
    "strings among them": {"car": FIELDS[0], "fruit": "fruit", "phone": FIELDS[2]},
    "pandas": frame(index=LABELS)[::-1],
    "a Series": pd.Series(FIELDS, index=LABELS)[::-1],
    "LabelTexts": LabelTexts(dict(zip(LABELS, FIELDS, strict=True))),
    "LabelTexts of a frame": LabelTexts(frame(index=LABELS)[::-1]),
    "LabelTexts of a Series": LabelTexts(pd.Series(FIELDS, index=LABELS)),
    "LabelTexts, missing": LabelTexts(
        frame([FIELDS[0], ("fruit", np.nan), (None, FIELDS[2][1])], index=LABELS)
    ),
    "LabelTexts, ragged": LabelTexts(
        {"fruit": "fruit", "phone": FIELDS[2], "car": FIELDS[0], "boat": []}
    ),
}
TARGETS = {
    "classes": CLASSES,
    "sparse": sparse.csr_array(Y),
    "dense": Y,
    "frame": pd.DataFrame(Y, columns=LABELS),
}
targets = pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)


class Recorder(BaseEstimator):
    """A vectorizer and a classifier that keep what they are given."""

    seen: ClassVar[dict] = {}

    def fit(self, X, y, *, relevance=None):
        Recorder.seen |= {"y": y, "relevance": relevance}
        self.classes_ = np.unique(y) if np.ndim(y) == 1 else np.arange(y.shape[1])
        return self

    def rank(self, X, k=10):
        return np.zeros((X.shape[0], k), int), np.zeros((X.shape[0], k))

    def fit_transform(self, texts):
        Recorder.seen = {"texts": texts}
        return self.transform(texts)

    def transform(self, texts):
        return sparse.csr_array((len(texts), 3))


def rows_of(y, label_texts, relevance=None, **parameters):
    """List the rows that labels add: of each, the label, text and relevance."""
    if callable(label_texts):
        label_texts = label_texts()
    parameters = {"label_text_weight": 1.0} | parameters
    retriever = TextRetriever(Recorder(), Recorder(), **parameters)
    retriever.fit(TEXTS, y, label_texts=label_texts, relevance=relevance)
    seen = Recorder.seen
    texts, y, relevance = seen["texts"], seen["y"], seen["relevance"]
    assert texts[: len(TEXTS)] == TEXTS
    rows = range(len(TEXTS), len(texts))
    if np.ndim(y) == 1:
        labels = np.searchsorted(retriever.classes_, y[len(TEXTS) :])
        weights = np.ones(len(texts)) if relevance is None else relevance
        weights = np.asarray(weights)[len(TEXTS) :].tolist()
    else:
        dense = y.toarray() if sparse.issparse(y) else np.asarray(y)
        assert dense.dtype == Y.dtype
        assert (dense[len(TEXTS) :].sum(axis=1) == 1).all()
        labels = dense[len(TEXTS) :].argmax(axis=1)
        weights = np.ones(len(rows))
        if relevance is not None:
            weights = relevance.toarray()[rows, labels]
            assert relevance.nnz == dense.sum()
        weights = weights.tolist()
    names = retriever.label_texts_
    return list(zip(labels.tolist(), texts[len(TEXTS) :], weights, strict=True)), names


@targets
@pytest.mark.parametrize("given", BY_POSITION.values(), ids=BY_POSITION)
def test_each_text_that_is_not_blank_is_a_row(y, given):
    rows, names = rows_of(y, given, label_text_weight=[4, 0.5])
    assert rows == [(label, text, [4, 0.5][field]) for label, text, field in ROWS]
    assert [name.strip() for name in names] == NAMES
    rows, _ = rows_of(y, given)
    assert rows == [(label, text, 1) for label, text, _ in ROWS]
    rows, _ = rows_of(y, given, label_text_weight=3)
    assert rows == [(label, text, 3) for label, text, _ in ROWS]


@pytest.mark.parametrize("y", [CLASSES, TARGETS["frame"]], ids=["classes", "frame"])
@pytest.mark.parametrize("given", BY_LABEL.values(), ids=BY_LABEL)
def test_fields_by_label(y, given):
    rows, names = rows_of(y, given, label_text_weight=(4, 0.5))
    assert rows == [(label, text, [4, 0.5][field]) for label, text, field in ROWS]
    assert names == NAMES


@pytest.mark.parametrize("make", [dict, LabelTexts, pd.Series])
def test_fields_by_number_of_a_column(make):
    given = make(dict(enumerate(FIELDS)))
    rows, names = rows_of(Y, given, label_text_weight=np.array([4.0, 0.5]))
    assert rows == [(label, text, [4, 0.5][field]) for label, text, field in ROWS]
    assert names == NAMES


def test_single_texts_are_no_sequences_of_letters():
    for given in (["cars", "fruit", "phone"], dict(zip(LABELS, "cfp", strict=True))):
        rows, names = rows_of(CLASSES, given)
        texts = list(given.values()) if isinstance(given, dict) else given
        assert rows == [(i, text, 1) for i, text in enumerate(texts)]
        assert names == texts


def test_texts_weigh_more_by_default_where_labels_can_be_weighed():
    rows, _ = rows_of(CLASSES, LABELS, label_text_weight="auto")
    assert rows == [(0, "car", 8.0), (1, "fruit", 8.0), (2, "phone", 8.0)]
    assert TextRetriever().label_text_weight == "auto"
    nearest = XRLinearClassifier(
        KMeansTree(2, 2), ranker=KNeighborsClassifier(n_neighbors=1)
    )
    fusion = RankFusion([("a", XRLinearClassifier()), ("b", NeighborRanker())])
    for classifier in (NeighborRanker(), fusion, nearest):
        given = {"classifier": classifier, "random_state": 0}
        alike = TextRetriever(**given, label_text_weight=1.0)
        found = [
            one.fit(TEXTS, CLASSES, label_texts=LABELS).search("an apple")
            for one in (TextRetriever(**given), alike)
        ]
        assert found[0] == found[1] != []


def test_labels_without_any_text():
    rows, names = rows_of(CLASSES, [(), ("", " "), ["", "phone"]])
    assert rows == [(2, "phone", 1)]
    assert names == ["", "", "phone"]
    rows, names = rows_of(CLASSES, [[], [], []], label_text_weight=[])
    assert rows == []
    assert names == [""] * 3


@pytest.mark.parametrize(
    "relevance", [np.array([1.0, 2, 3, 4]), sparse.csr_array(Y * 2.5)]
)
def test_fields_beside_a_relevance(relevance):
    y = CLASSES if relevance.ndim == 1 else Y
    rows, _ = rows_of(y, FIELDS, relevance, label_text_weight=[4, 0.5])
    assert rows == [(label, text, [4, 0.5][field]) for label, text, field in ROWS]
    given = Recorder.seen["relevance"]
    if relevance.ndim == 1:
        assert given[:4].tolist() == relevance.tolist()
    else:
        assert (given[:4].toarray() == relevance.toarray()).all()


# What is refused

MIXED = [("a", "b"), "c", None]


@pytest.mark.parametrize("y", [CLASSES, Y], ids=["classes", "indicator"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            [("a", 3), "b", "c"],
            r"label_texts\[0\]\[1\] must be a str; got 3 of type int",
        ),
        ([("a", b"x"), "b", "c"], r"label_texts\[0\]\[1\] must be a str; got b'x'"),
        (
            [("a", ("b",)), "b", "c"],
            r"label_texts\[0\]\[1\] must be a str; got \('b',\)",
        ),
        (["a", b"x", "c"], r"label_texts\[1\] must be a str; got b'x' of type bytes"),
        (["a", {"x"}, "c"], r"label_texts\[1\] must be a str; got {'x'} of type set"),
        (["a", {"x": "y"}, "c"], r"label_texts\[1\] must be a str; got {'x': 'y'}"),
        (["a", 7, "c"], r"label_texts\[1\] must be a str; got 7.*list or tuple"),
        (["a", np.array(7), "c"], r"label_texts\[1\] must be a str; got array\(7\)"),
        (["a", np.array([["x"]]), "c"], r"label_texts\[1\] must be a str; got array"),
        (MIXED, r"label_texts\[2\] must be a str; got None.*the text is missing"),
        ([*MIXED[:2], np.nan], r"label_texts\[2\] must be a str; got nan.*is missing"),
        (frame()[:2], "label_texts has 2 texts; expected 3"),
        (frame().to_numpy()[:2], "label_texts has 2 texts; expected 3"),
        (frame().assign(price=1.5), r"label_texts\[0\]\[2\] must be a str; got 1.5"),
        (pl.DataFrame({"a": [1, 2, 3]}), r"label_texts\[0\]\[0\] must be a str; got 1"),
        (np.array([[["a"]] * 3] * 3), r"label_texts must have one dimension"),
        pytest.param({*LABELS}, "label_texts must be a sequence.*got a set", id="set"),
        (sparse.eye_array(3), "label_texts must have one dimension.*of shape"),
        (pl.LazyFrame({"a": LABELS}), "label_texts must be an iterable of str"),
    ],
    ids=str,
)
def test_what_are_no_texts(y, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        TextRetriever().fit(TEXTS, y, label_texts=given)


def test_a_frame_whose_index_lacks_labels():
    given = frame(index=["car", "fruit", "boat"])
    message = "a DataFrame with an index that lacks 1 of the 3 labels, such as 'phone'"
    with pytest.raises(ValueError, match=message):
        TextRetriever().fit(TEXTS, CLASSES, label_texts=given)
    with pytest.raises(ValueError, match="'car' more than once"):
        TextRetriever().fit(TEXTS, CLASSES, label_texts=frame(index=["car"] * 3))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (frame(), "must be a mapping.*got a DataFrame"),
        (pl.DataFrame(FIELDS, orient="row"), "must be a mapping.*got a DataFrame"),
        (FIELDS, "must be a mapping.*got a list"),
        ({"car": ("a", 3)}, r"texts\['car'\]\[1\] must be a str; got 3"),
        ({"car": {"a"}}, r"texts\['car'\] must be a str; got {'a'}"),
        (frame(index=[*"aba"]), "'a' more than once"),
    ],
    ids=str,
)
def test_what_are_no_label_texts(texts, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LabelTexts(texts)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0], "label_text_weight has 1 weights; expected 2, one for each field"),
        ([1, 2, 3], "label_text_weight has 3 weights; expected 2, one for each field"),
        ([], "label_text_weight has 0 weights; expected 2"),
        ([1, 0], r"label_text_weight\[1\] must be a positive number; got 0"),
        ([1, -2.0], r"label_text_weight\[1\] must be a positive number; got -2.0"),
        ([1, np.nan], r"label_text_weight\[1\] must be a positive number; got nan"),
        ([1, np.inf], r"label_text_weight\[1\] must be a positive number; got inf"),
        ([True, 1], r"label_text_weight\[0\] must be a positive number; got True"),
        ([1, "2"], r"label_text_weight\[1\] must be a positive number; got '2'"),
        ([None, 2], r"label_text_weight\[0\] must be a positive number; got None"),
        (np.ones((2, 1)), "label_text_weight must be a number, or a sequence of one"),
        (0, "label_text_weight"),
        (-1.0, "label_text_weight"),
        (np.inf, "label_text_weight"),
        ("12", "label_text_weight"),
        (None, "label_text_weight"),
        ({1.0, 2.0}, "label_text_weight"),
        ({0: 1.0, 1: 2.0}, "label_text_weight"),
    ],
    ids=str,
)
def test_weights_that_are_refused(weight, message):
    retriever = TextRetriever(label_text_weight=weight)
    with pytest.raises(ValueError, match=message):
        retriever.fit(TEXTS, CLASSES, label_texts=FIELDS)
    # Whether there are texts or not, as far as one can tell.
    if "weights; expected" not in message:
        with pytest.raises(ValueError, match="label_text_weight"):
            retriever.fit(TEXTS, CLASSES)
    assert not hasattr(retriever, "classes_")


def test_a_weight_of_single_texts():
    rows, _ = rows_of(CLASSES, LABELS, label_text_weight=[2])
    assert rows == [(i, label, 2) for i, label in enumerate(LABELS)]
    with pytest.raises(ValueError, match="has 2 weights; expected 1"):
        rows_of(CLASSES, LABELS, label_text_weight=[2, 2])


@pytest.mark.parametrize("n_pieces", [-1, 1.5, "2", None])
def test_pieces_that_are_refused(n_pieces):
    with pytest.raises(ValueError, match="The 'text_pieces' parameter"):
        TextRetriever(text_pieces=n_pieces).fit(TEXTS, CLASSES)


def test_weights_take_a_classifier_that_knows_them():
    retriever = TextRetriever(classifier=NeighborRanker(), label_text_weight=[1, 2])
    with pytest.raises(ValueError, match="takes a classifier whose fit knows"):
        retriever.fit(TEXTS, CLASSES, label_texts=FIELDS)
    retriever.set_params(label_text_weight=[1, 1.0], text_pieces=1)
    assert (
        retriever.fit(TEXTS, CLASSES, label_texts=FIELDS).search("drive")[0][0] == "car"
    )


# Pieces


LONG = "one two, - three FOUR five"
WORDS = ["one", "two,", "three", "FOUR", "five"]


@targets
def test_pieces_are_rows_of_the_weight_of_their_field(y):
    given = [("a short name", LONG), (LONG, ""), ("x", "")]
    rows, _ = rows_of(y, given, label_text_weight=[2, 3], text_pieces=4, random_state=0)
    whole = [(0, "a short name", 2), (0, LONG, 3), (1, LONG, 2), (2, "x", 2)]
    assert rows[: len(whole)] == whole
    pieces = rows[len(whole) :]
    possible = set(map(" ".join, combinations(WORDS, 3)))
    assert {text for _, text, _ in pieces} <= possible
    assert {(label, weight) for label, _, weight in pieces} == {(0, 3), (1, 2)}
    for label in (0, 1):
        of_label = [text for one, text, _ in pieces if one == label]
        assert len(of_label) == len(set(of_label))
        assert 2 <= len(of_label) <= 4


def test_pieces_are_drawn_alike_from_texts_and_from_their_words():
    fields = [(" ".join(WORDS), "a b c d", "too few words")] * 4000
    drawn = list(draw_pieces(fields, 3, 0))
    first = [(field, piece) for _, field, piece in drawn]
    assert {field for field, _ in first} == {0, 1}
    share = np.mean([field for field, _ in first])
    # The ten pieces of the first text are less often the same than the four others.
    assert 0.4 < share < 0.5
    for field, n_all in ((0, 10), (1, 4)):
        counts = np.unique(
            [piece for of, piece in first if of == field], return_counts=True
        )[1]
        assert len(counts) == n_all
        assert counts.max() < 1.25 * counts.min()
    labels = [label for label, _, _ in drawn]
    assert labels == sorted(labels)
    assert set(labels) == set(range(4000))


def test_every_piece_of_a_short_text_is_found_and_none_twice():
    drawn = list(draw_pieces([("a b c d",), ("a b c",), ("",), ()], 200, 1))
    assert {label for label, _, _ in drawn} == {0}
    assert sorted(piece for _, _, piece in drawn) == [
        "a b c",
        "a b d",
        "a c d",
        "b c d",
    ]


def test_words_are_what_has_a_letter_or_digit():
    assert list(draw_pieces([("one - two & three",)], 5, 0)) == []
    drawn = {piece for _, _, piece in draw_pieces([("a\u3000b\tc\n-  d!",)], 50, 0)}
    assert drawn == {"a b c", "a b d!", "a c d!", "b c d!"}


def test_pieces_depend_on_the_seed_alone():
    given = [(LONG, LONG[::-1]), (LONG,), ("x",)]

    def drawn(seed, n_jobs=None):
        how = {"text_pieces": 2, "random_state": seed, "n_jobs": n_jobs}
        return rows_of(CLASSES, given, **how)[0]

    assert drawn(0) == drawn(0) == drawn(0, 2) == drawn(np.int64(0), 3)
    assert drawn(0) != drawn(1)
    assert drawn(np.random.RandomState(2)) == drawn(np.random.RandomState(2))
    assert any(drawn(None) != drawn(None) for _ in range(9))
    # Those of a label do not depend on the texts of others.
    others = [(LONG, LONG[::-1]), ("y",), (LONG,)]
    rows = rows_of(CLASSES, others, text_pieces=2, random_state=0)[0]
    assert [row for row in rows if row[0] == 0] == [
        row for row in drawn(0) if row[0] == 0
    ]


def test_no_pieces_without_texts_of_labels():
    retriever = TextRetriever(Recorder(), Recorder(), text_pieces=3)
    retriever.fit(TEXTS, CLASSES)
    assert Recorder.seen["texts"] == TEXTS


# Whole models


def make(**parameters):
    return TextRetriever(
        classifier=XRLinearClassifier(KMeansTree(2, 1)), random_state=0, **parameters
    )


@targets
def test_labels_are_found_by_each_of_their_texts(y):
    retriever = make(label_text_weight=4.0).fit(TEXTS, y, label_texts=FIELDS)
    labels = LABELS if np.ndim(y) == 1 or hasattr(y, "columns") else range(3)
    for label, name, queries in zip(
        labels,
        NAMES,
        [("cars", "drive"), ("fruit", "tree"), ("talk", "type")],
        strict=True,
    ):
        for query in queries:
            assert retriever.search(query, 1)[0][:2] == (label, name)
    again = pickle.loads(pickle.dumps(retriever))
    assert again.search("talk") == retriever.search("talk")
    assert again.label_texts_ == NAMES
    assert clone(retriever).get_params()["label_text_weight"] == 4.0


def test_label_texts_of_a_mapped_model_stay_in_its_file(tmp_path):
    y = np.arange(len(TEXTS)) % len(NAMES)
    retriever = TextRetriever().fit(TEXTS, y, label_texts=NAMES)
    save(retriever, tmp_path / "model")
    mapped = load(tmp_path / "model", mmap_mode="r")
    assert isinstance(mapped.label_texts_.text, np.memmap)
    assert isinstance(mapped.label_texts_.offsets, np.memmap)
    assert mapped.label_texts_ == NAMES
    assert mapped.search("talk") == retriever.search("talk")
    assert np.array(mapped.label_texts_).tolist() == NAMES
    again = TextRetriever().fit(TEXTS, y, label_texts=mapped.label_texts_)
    assert again.label_texts_ == mapped.label_texts_


def test_one_field_is_the_same_as_single_texts():
    single = make(label_text_weight=2.0).fit(TEXTS, CLASSES, label_texts=LABELS)
    fields = make(label_text_weight=[2]).fit(
        TEXTS, CLASSES, label_texts=[(label,) for label in LABELS]
    )
    for query in TEXTS:
        assert single.search(query) == fields.search(query)


def test_parameters_are_kept_as_they_were_given():
    weights = [1.0, 2.0]
    retriever = TextRetriever(label_text_weight=weights, text_pieces=2)
    assert retriever.get_params(deep=False)["label_text_weight"] is weights
    assert clone(retriever).label_text_weight == weights
    assert "label_text_weight=[1.0, 2.0], text_pieces=2" in repr(retriever)
    retriever.fit(TEXTS, CLASSES, label_texts=FIELDS)
    assert retriever.label_text_weight is weights


def test_classes_without_rows_are_learnt_from_any_field():
    known = dict(zip(LABELS, FIELDS, strict=True))
    texts = LabelTexts(known | {"boat": ("", "sail the sea"), "plane": ("", None)})
    retriever = make().fit(TEXTS, CLASSES, label_texts=texts)
    assert retriever.classes_.tolist() == ["boat", *LABELS]
    assert retriever.search("sail", 1)[0][:2] == ("boat", "sail the sea")
    # Weights are those of all fields that there are, in whatever fold.
    texts = LabelTexts({"car": "cars", "boat": ("", "", "sail")})
    make(label_text_weight=[1, 2, 3]).fit(TEXTS, CLASSES, label_texts=texts)
    with pytest.raises(ValueError, match="has 2 weights; expected 3"):
        make(label_text_weight=[1, 2]).fit(TEXTS, CLASSES, label_texts=texts)
    with pytest.raises(ValueError, match="has 2 weights; expected 3"):
        make(label_text_weight=[1, 2]).fit(
            TEXTS, Y, label_texts=LabelTexts({0: "cars", 9: ("", "", "sail")})
        )


@pytest.mark.parametrize("make", [dict, MappingProxyType, pd.Series, LabelTexts])
@pytest.mark.parametrize("kind", [TextRetriever, LexicalRanker])
def test_without_rows_the_labels_are_those_that_have_texts(kind, make):
    texts = make({"t": "black tea", "b": "rye bread"})
    for y in ([], np.array([], dtype=object)):
        model = kind().fit([], y, label_texts=texts)
        assert model.classes_.tolist() == ["b", "t"]
        assert skxmr.rank(model, ["tea"], k=1)[0].tolist() == [[1]]


def test_with_rows_a_mapping_has_their_labels_only():
    with pytest.raises(ValueError, match="for labels that there are not: 1, such as"):
        TextRetriever().fit(["tea"], ["t"], label_texts={"t": "tea", "b": "rye"})


@pytest.mark.parametrize("kind", ["classes", "indicator", "frame"])
def test_cross_validation_cuts_no_fields(kind):
    y = {"classes": CLASSES, "indicator": Y, "frame": TARGETS["frame"]}[kind]
    y = y * 3 if kind == "classes" else np.vstack([y] * 3)
    texts = LabelTexts(frame(index=[0, 1, 2] if kind == "indicator" else LABELS))
    if kind == "frame":
        y = pd.DataFrame(y, columns=LABELS)
    rows = TEXTS * 3
    scores = cross_val_score(
        make(label_text_weight=[4, 1], text_pieces=1),
        rows,
        y,
        params={"label_texts": texts},
        cv=KFold(3),
        scoring=recall_at_k_scorer(1),
        error_score="raise",
    )
    assert scores.tolist() == [1.0] * 3
    search = GridSearchCV(
        make(),
        {"label_text_weight": [1.0, [4.0, 1.0]], "text_pieces": [0, 2]},
        cv=KFold(2),
        scoring=recall_at_k_scorer(1),
        error_score="raise",
    ).fit(rows, y, label_texts=texts)
    assert search.best_estimator_.label_texts_ == NAMES


def test_indexers_group_labels_by_the_names_shown():
    texts = LabelTexts({0: ("", "beta"), 1: ("alpha", "x"), 2: "gamma"})
    tree = TrieTreeHybrid(trie_depth=1).fit(label_names=texts).tree_
    expected = TrieTreeHybrid(trie_depth=1).fit(label_names=["beta", "alpha", "gamma"])
    assert tree.to_text() == expected.tree_.to_text()
    X = WordNgramTfidf().fit_transform(TEXTS)
    model = XRLinearClassifier(TrieTreeHybrid(trie_depth=1), random_state=0)
    model.fit(X, Y, label_names=texts)
    assert model.trees_[0].to_text() == expected.tree_.to_text()
    with pytest.raises(
        (ValueError, TypeError), match=r"label_names\[0\] must be a str"
    ):
        TrieTreeHybrid().fit(label_names=[("a", "b"), ("c", "d")])


def test_label_texts_of_fields_as_a_dict():
    texts = LabelTexts({"a": ["x", None], "b": "y", "c": None, "d": pd.Series(["z"])})
    assert texts.to_dict() == {"a": ("x", ""), "b": "y", "d": ("z",)}
    assert repr(texts) == "LabelTexts(3 labels)"
    assert pickle.loads(pickle.dumps(texts)).to_dict() == texts.to_dict()
