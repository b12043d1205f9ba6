"""Damaged models are refused when they are loaded, before a kernel reads them."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import skops.io
from damage import DAMAGED, altered_joblib, altered_skops, at, damaged, last_first
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.pipeline import make_pipeline

from skxmr import (
    KMeansTree,
    NeighborRanker,
    QueryCompleter,
    RankFusion,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr._inputs._known_classes import KnownClasses
from skxmr._utils._packed_texts import PackedTexts
from skxmr.persistence import TRUSTED_TYPES, check_arrays

N_LABELS = 12
X, DENSE_Y = make_multilabel_classification(
    80, 20, n_classes=N_LABELS, n_labels=2, random_state=0
)
X = (X / 10).astype(np.float32)
Y = sparse.csr_array(DENSE_Y)
TEXTS = [f"wörd{i % 7} wörd{i % 5} another{i % 3}" for i in range(80)]


def classifier(**parameters):
    defaults = {"indexer": KMeansTree(3, 2), "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


MODELS = {
    "sparse": lambda: classifier().fit(sparse.csr_array(X), Y),
    # One parent: its features have no bits.
    "listed": lambda: classifier(indexer=KMeansTree()).fit(sparse.csr_array(X), Y),
    "half": lambda: classifier(weight_precision="float16").fit(sparse.csr_array(X), Y),
    "dense": lambda: classifier().fit(X, Y),
    "near": lambda: NeighborRanker().fit(sparse.csr_array(X), Y),
    "words": lambda: WordNgramTfidf().fit(TEXTS),
    "completer": lambda: QueryCompleter(random_state=0).fit(TEXTS, TEXTS[::-1]),
    "kmeans": lambda: KMeansTree(3, 2).fit(X),
    "retriever": lambda: TextRetriever().fit(
        TEXTS, Y, label_texts=[f"name {i}" for i in range(N_LABELS)]
    ),
    "fusion": lambda: RankFusion([("near", NeighborRanker())]).fit(X, Y),
    "learned fusion": lambda: RankFusion(
        [("near", NeighborRanker())], weights="fit", random_state=0
    ).fit(np.concatenate([X, X**2, X**3]), sparse.vstack([Y, Y, Y])),
}


@pytest.fixture(scope="module")
def saved():
    """Return pickled models, so that each test damages a copy."""
    return {name: pickle.dumps(make()) for name, make in MODELS.items()}


def last_weight(entries, value):
    """Give a copy of the bytes of all runs with another weight at the end."""
    entries = np.array(entries)
    # The bytes of a half are those of a float32 that end it.
    number = np.float32(value).tobytes()
    entries[-4:] = np.frombuffer(number, np.uint8)
    return entries


def layout_of(model):
    return model.layouts_[0]


def weights_of(model):
    return model.layouts_[0].held_by_feature


# Of each: the model, where in it, the array, the change, and what is said of it.
DAMAGES = [
    ("sparse", layout_of, "child_offsets", lambda a: a[:-1], "child_offsets"),
    ("sparse", layout_of, "child_offsets", lambda a: at(a, 1, 10**6), "ascend"),
    ("sparse", layout_of, "child_offsets", lambda a: at(a, -1, 10**6), "expected 1 to"),
    ("sparse", layout_of, "child_offsets", lambda a: a.astype(float), "dtype float64"),
    ("sparse", layout_of, "level_starts", lambda a: at(a, 1, 2), "level_starts"),
    ("sparse", layout_of, "level_starts", lambda a: at(a, -1, 10**9), "child_offsets"),
    ("sparse", layout_of, "labels", lambda a: at(a, 0, -1), r"labels holds -1"),
    ("sparse", layout_of, "labels", lambda a: at(a, 0, a[1]), "labels is not that"),
    ("sparse", layout_of, "weight_precision", lambda _: "float16", "weight_precision"),
    ("sparse", layout_of, "held_by_feature", lambda _: None, "not at all"),
    ("sparse", weights_of, "blocks", lambda a: at(a, 0, 2**63), "blocks"),
    ("sparse", weights_of, "blocks", lambda a: at(a, 1, 2**40), "blocks"),
    ("sparse", weights_of, "blocks", lambda a: a[:, :, :1], "blocks has the shape"),
    ("sparse", layout_of, "labels", lambda a: a[:3], "labels has 3"),
    ("sparse", layout_of, "intercepts", lambda a: at(a, 0, np.nan), "intercepts"),
    ("sparse", layout_of, "widest_level", lambda _: 1, "widest_level is 1"),
    ("sparse", layout_of, "most_children", lambda _: 1, "most_children is 1"),
    ("sparse", layout_of, "n_features", lambda n: n + 10**6, "does not match the"),
    ("sparse", weights_of, "entries", lambda a: last_weight(a, np.inf), "NaN or inf"),
    ("half", weights_of, "entries", lambda a: last_weight(a, np.nan), "NaN or inf"),
    ("sparse", weights_of, "entries", lambda a: at(a, 0, 250), "entries does not"),
    ("sparse", weights_of, "entries", lambda a: a[:-1], "entries has"),
    ("half", weights_of, "weight_precision", lambda _: "float32", "weight_precision"),
    ("sparse", weights_of, "run_lengths", lambda a: at(a, 0, 200), "run_lengths"),
    ("sparse", weights_of, "run_lengths", lambda a: at(a, 0, a[0] ^ 1), "at posting"),
    ("listed", weights_of, "run_marks", lambda a: at(a, 1, 2**32 - 1), "run_marks"),
    ("listed", weights_of, "parents", lambda a: at(a, 3, 60_000), "parents"),
    (
        "listed",
        weights_of,
        "posting_starts",
        lambda a: at(a, 1, 2**31),
        "posting_starts",
    ),
    ("sparse", weights_of, "words", lambda a: at(a, 1, 5), "words"),
    ("sparse", weights_of, "words", lambda a: at(a, 0, 2**64 - 1), "words"),
    ("dense", lambda m: layout_of(m).by_node, "node_offsets", last_first, "node_off"),
    (
        "dense",
        lambda m: layout_of(m).by_node,
        "features",
        lambda a: at(a, -1, 60_000),
        r"NodeWeights\.features",
    ),
    (
        "near",
        lambda m: m._state.labels,
        "indices",
        lambda a: at(a, 0, 99),
        "labels.indices",
    ),
    (
        "near",
        lambda m: m._state.labels,
        "indptr",
        lambda a: at(a, 1, -5),
        "labels.indptr",
    ),
    (
        "near",
        lambda m: m._state,
        "rows_by_feature",
        lambda rows: rows._replace(values=rows.values[:-1]),
        "values has the shape",
    ),
    (
        "near",
        lambda m: m._state,
        "used_features",
        lambda a: a[::-1].copy(),
        "used_features goes",
    ),
    (
        "near",
        lambda m: m._state,
        "used_features",
        lambda a: a[:-1],
        "rows_by_feature.offsets",
    ),
    ("fusion", lambda m: m._state, "classes", lambda a: a[:-1], "RankFusion.classes_"),
    *(
        ("learned fusion", lambda m: m._state.learned, name, change, "fusion_weights_")
        for name, change in {
            "coefficients": lambda a: a[:, :-1].copy(),
            "is_log": lambda a: a.astype(np.int8),
            "calibration": lambda a: at(a, 0, np.nan),
        }.items()
    ),
    (
        "words",
        lambda m: m._state.terms,
        "offsets",
        lambda a: at(a, 1, 10**9),
        "offsets",
    ),
    ("words", lambda m: m._state.terms, "text", lambda a: at(a, 0, 255), "no UTF-8"),
    ("words", lambda m: m._state.terms, "slots", lambda a: a | 1, "slots is not"),
    ("words", lambda m: m._state.terms, "slots", lambda a: a[:-1], "slots"),
    (
        "words",
        lambda m: m._state.weighting,
        "idf",
        lambda a: a[:-1],
        "idf_ has the shape",
    ),
    (
        "words",
        lambda m: m._state.weighting,
        "idf",
        lambda a: at(a, 0, np.nan),
        "idf_ has",
    ),
    ("words", lambda m: m._state.cutting, "ngram_range", lambda _: (0, 1), "Cutting"),
    (
        "kmeans",
        lambda m: m._state.tree,
        "labels",
        lambda a: at(a, 0, 10**6),
        "labels runs",
    ),
    (
        "kmeans",
        lambda m: m.tree_,
        "child_offsets",
        lambda levels: (*levels[:-1], last_first(levels[-1])),
        r"child_offsets\[\d\]",
    ),
    ("completer", lambda m: m.index_, "codes", lambda a: a[:-1], "codes has the shape"),
    ("completer", lambda m: m.index_, "offsets", lambda a: at(a, 1, 999), "offsets"),
    ("completer", lambda m: m.index_, "counts", lambda a: -a, "counts that are not"),
    ("completer", lambda m: m.index_, "block_best", lambda a: a + 1, "block_best"),
    ("completer", lambda m: m.index_, "keys", lambda keys: keys[::-1], "not sorted"),
    ("completer", lambda m: m.index_, "keys", lambda keys: [1, *keys[1:]], "holds 1"),
    ("completer", lambda m: m._state, "names", lambda names: names[1:], "queries_"),
    (
        "completer",
        lambda m: m._state,
        "transitions",
        lambda s: s._replace(
            counts=s.counts._replace(indices=at(s.counts.indices, 1, -7))
        ),
        r"counts\.indices",
    ),
    (
        "completer",
        lambda m: m._state,
        "transitions",
        lambda s: s._replace(rows={**s.rows, "new": 10**6}),
        "Transitions",
    ),
    (
        "retriever",
        lambda m: m._state,
        "label_texts",
        lambda names: PackedTexts.of(names[1:]),
        "label_texts_ has other than 12 texts",
    ),
    ("retriever", lambda m: m._state, "label_texts", list, "label_texts_ is a list"),
    (
        "retriever",
        lambda m: m._state.label_texts,
        "text",
        lambda a: a | np.uint8(0x80),
        r"PackedTexts\.text is no UTF-8",
    ),
    (
        "retriever",
        lambda m: m._state.label_texts,
        "offsets",
        lambda a: at(a, 3, 10**6),
        r"PackedTexts\.offsets goes",
    ),
    (
        "retriever",
        lambda m: m.classifier_._state,
        "known",
        lambda known: KnownClasses(known.fitted[1:]),
        "classes_ has",
    ),
    (
        "retriever",
        lambda m: m.classifier_._state,
        "trees",
        lambda _: [],
        "layouts_ has",
    ),
]


@pytest.mark.parametrize(("kind", "where", "name", "change", "message"), DAMAGES)
def test_a_damaged_model_is_refused(saved, kind, where, name, change, message):
    model = damaged(pickle.loads(saved[kind]), where, name, change)
    with pytest.raises(ValueError, match=message) as caught:
        pickle.loads(pickle.dumps(model))
    # The constructor of a tree has different messages.
    assert str(caught.value).startswith(DAMAGED) or kind == "kmeans"


@pytest.mark.parametrize(
    ("kind", "where", "name"),
    [
        ("sparse", layout_of, "labels"),
        ("words", lambda m: m._state.terms, "slots"),
        ("kmeans", lambda m: m._state.tree, "labels"),
        ("completer", lambda m: m.index_, "counts"),
        ("near", lambda m: m._state, "target"),
        ("retriever", lambda m: m.classifier_._state, "known"),
    ],
)
def test_what_lacks_an_attribute_is_refused(saved, kind, where, name):
    model = pickle.loads(saved[kind])
    del vars(where(model))[name]
    with pytest.raises(ValueError, match=rf"{DAMAGED}an attribute .* missing.*{name}"):
        pickle.loads(pickle.dumps(model))


def test_arrays_must_be_contiguous(saved):
    layout = layout_of(pickle.loads(saved["sparse"]))
    strided = {"intercepts": np.repeat(layout.intercepts, 2)[::2]}
    with pytest.raises(ValueError, match="intercepts is not contiguous"):
        layout.__setstate__(vars(layout) | strided)


def test_a_layout_of_another_tree_is_refused(saved):
    model = pickle.loads(saved["sparse"])
    tree = model.trees_[0]
    model.trees_[0] = type(tree)(tree.child_offsets, tree.labels[::-1])
    with pytest.raises(ValueError, match=r"labels is not that of its tree"):
        pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("kind", MODELS)
def test_sound_models_are_taken(saved, kind):
    model = pickle.loads(saved[kind])
    check_arrays(model)
    check_arrays([{"a": make_pipeline(model)}])
    copy.deepcopy(model)


# Files whose contents were altered


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("sparse", "entries", lambda a: at(a, 0, 250)),
        ("sparse", "child_offsets", lambda a: at(a, 1, 10**9)),
        ("dense", "node_offsets", last_first),
        ("words", "slots", lambda a: a | np.uint64(1)),
        ("completer", "codes", lambda a: a[:-1]),
    ],
)
def test_an_altered_skops_file_is_refused(saved, kind, name, change):
    content = altered_skops(pickle.loads(saved[kind]), name, change)
    with pytest.raises(ValueError, match=DAMAGED + r".*" + name):
        skops.io.loads(content, trusted=TRUSTED_TYPES)


def test_an_altered_joblib_file_is_refused(saved, tmp_path):
    model = pickle.loads(saved["sparse"])
    entries = weights_of(model).entries
    altered_joblib(model, entries, lambda a: last_weight(a, np.nan), tmp_path / "model")
    with pytest.raises(ValueError, match=DAMAGED + r".*weights that are NaN"):
        joblib.load(tmp_path / "model")


def test_mapped_arrays_are_read_when_asked_for(saved, tmp_path):
    model = pickle.loads(saved["sparse"])
    entries = weights_of(model).entries
    altered_joblib(model, entries, lambda a: last_weight(a, np.nan), tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    with pytest.raises(ValueError, match=DAMAGED + r".*weights that are NaN"):
        check_arrays(mapped)
    joblib.dump(pickle.loads(saved["sparse"]), tmp_path / "sound")
    check_arrays(joblib.load(tmp_path / "sound", mmap_mode="r"))


def test_types_of_mapped_arrays_are_always_checked(saved, tmp_path):
    model = damaged(
        pickle.loads(saved["sparse"]), layout_of, "labels", lambda a: a.astype("i8")
    )
    joblib.dump(model, tmp_path / "model")
    with pytest.raises(ValueError, match=r"labels has the dtype int64"):
        joblib.load(tmp_path / "model", mmap_mode="r")
