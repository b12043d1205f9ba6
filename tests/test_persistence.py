"""Saved and loaded models answer as before, and need no more memory than they read."""

import functools
import importlib
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from encoders import encode
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler
from toy_data import make_multilabel

import skxmr
from skxmr import (
    CharNgramTfidf,
    KMeansTree,
    LabelThresholdCV,
    LabelTree,
    LexicalRanker,
    NeighborRanker,
    PrefixWeightedCharTfidf,
    QueryCompleter,
    RankFusion,
    Reranker,
    SparseCalibrator,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
)
from skxmr._embeddings import _codes
from skxmr._inputs._features import Features
from skxmr._inputs._known_classes import KnownClasses
from skxmr._search._layout import LAYOUT_VERSION, SearchLayout
from skxmr._search._model_pruning import pruned_at
from skxmr._search._weights import LinearWeights
from skxmr._targets import IndicatorTarget
from skxmr._utils._packed_texts import PackedTexts
from skxmr.baselines import BigramCompleter, PopularCompleter
from skxmr.linear._state import ClassifierState
from skxmr.persistence import TRUSTED_TYPES, load, save, save_changes
from skxmr.stages import FittedStages

N_LABELS = 12
X, DENSE_Y = make_multilabel(80, N_LABELS)
CLASSES = np.array([f"class {i}" for i in range(N_LABELS)])
Y = sparse.csr_array(DENSE_Y)
CODES = np.arange(80) % N_LABELS
TARGETS = {
    "sparse": Y,
    "dense": DENSE_Y,
    "integers": CODES,
    "strings": CLASSES[CODES],
    "objects": CLASSES[CODES].astype(object),
}
TEXTS = [
    " ".join(f"word{feature}" for feature in row.nonzero()[0])
    for row in X.toarray() > 0.2
]


def make_classifier(**parameters):
    defaults = {"indexer": KMeansTree(3, 4), "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


MODELS = {
    "classifier": (make_classifier(), X),
    "dense": (make_classifier(), X.toarray() + np.float32(0.5)),
    "two trees": (
        make_classifier(n_trees=2, random_state=np.random.RandomState(0)),
        X,
    ),
    "label vectors": (
        make_classifier(label_vectors=sparse.eye_array(N_LABELS, format="csr")),
        X,
    ),
    "propensities": (make_classifier(propensity_weight=1.0), X),
    "pipeline": (make_pipeline(MaxAbsScaler(), make_classifier()), X),
    "pipeline of texts": (
        make_pipeline(
            make_union(WordNgramTfidf(), CharNgramTfidf()), make_classifier()
        ),
        TEXTS,
    ),
    "fusion": (
        RankFusion([("linear", make_classifier()), ("near", NeighborRanker())]),
        X,
    ),
    "own stages": (
        make_classifier(matcher=RidgeClassifier(), ranker=LogisticRegression()),
        X,
    ),
    "reranker": (
        Reranker(make_classifier(), LogisticRegression(), random_state=0),
        X,
    ),
    "calibrator": (
        SparseCalibrator(make_classifier(), n_groups=2, cv=2, random_state=0),
        X,
    ),
    "sigmoid": (
        SparseCalibrator(make_classifier(), method="sigmoid", cv=2, random_state=0),
        X,
    ),
    "thresholds": (
        LabelThresholdCV(
            make_classifier(), thresholds="per_label", cv=2, random_state=0
        ),
        X,
    ),
    "retriever": (TextRetriever(classifier=make_classifier()), TEXTS),
    "lexical": (LexicalRanker(["word", "char"], correct_spelling=True), TEXTS),
}


def through_pickle(model, path):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


def through_mapped_joblib(model, path):
    joblib.dump(model, path)
    return joblib.load(path, mmap_mode="r")


def through_folder(model, path):
    """Twice: the model shares all with its base, then the loaded one with the file."""
    path.mkdir()
    save(model, path)
    save_changes(model, path)
    loaded = load(path, mmap_mode="r")
    save_changes(loaded, path)
    assert max(one.stat().st_size for one in path.glob("*/delta*")) < 60_000
    return load(path)


def through_skops(model, path):
    skops.io.dump(model, path)
    return skops.io.load(path, trusted=TRUSTED_TYPES)


WAYS = [
    through_pickle,
    through_joblib,
    through_mapped_joblib,
    through_folder,
    through_skops,
]
ways = pytest.mark.parametrize("save_and_load", WAYS, ids=lambda way: way.__name__)


def answers(model, data):
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            yield getattr(model, method)(data)
    yield from skxmr.rank(model, data, 5)
    if isinstance(model, TextRetriever):
        yield model.search(data[0])


def assert_equal_answers(one, other, data):
    for found, expected in zip(answers(one, data), answers(other, data), strict=True):
        assert type(found) is type(expected)
        if isinstance(found, list):
            assert found == expected
        else:
            np.testing.assert_array_equal(dense(found), dense(expected), strict=True)


def dense(answer):
    return answer.toarray() if sparse.issparse(answer) else answer


@functools.cache
def fitted(kind, target):
    model, data = MODELS[kind]
    return clone(model).fit(data, TARGETS[target]), data


@ways
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", MODELS)
def test_a_loaded_model_gives_the_same_answers(kind, target, save_and_load, tmp_path):
    model, data = fitted(kind, target)
    assert_equal_answers(save_and_load(model, tmp_path / "model"), model, data)


@functools.cache
def fitted_learned_fusion():
    """Fit to enough rows to learn the weights of the estimators."""
    model = clone(MODELS["fusion"][0]).set_params(weights="fit", random_state=0)
    rows = sparse.vstack([X, 2 * X, 3 * X], format="csr")
    return model.fit(rows, sparse.vstack([Y] * 3, format="csr"))


@ways
def test_a_loaded_fusion_has_its_learned_weights(save_and_load, tmp_path):
    model = fitted_learned_fusion()
    loaded = save_and_load(model, tmp_path / "model")
    assert loaded.fusion_weights_ == model.fusion_weights_
    assert_equal_answers(loaded, model, X)


@functools.cache
def fitted_to_dense_rows():
    """Fit to enough rows with dense features that training centres them."""
    rows = np.random.default_rng(0).random((100, 16), dtype=np.float32) + 1
    model = make_classifier().fit(rows, np.arange(100) % 5)
    assert model._state.centering is not None
    return model, rows


@ways
def test_a_loaded_model_of_dense_rows_gives_the_same_answers(save_and_load, tmp_path):
    model, rows = fitted_to_dense_rows()
    assert_equal_answers(save_and_load(model, tmp_path / "model"), model, rows)


# What groups labels by their names wants classes that are strings.
OF_STRINGS = {
    "trie": make_pipeline(
        PrefixWeightedCharTfidf(), make_classifier(indexer=TrieTreeHybrid(7, 3, 4))
    ),
}


@functools.cache
def fitted_to_strings(kind):
    return clone(OF_STRINGS[kind]).fit(TEXTS, TARGETS["strings"])


@ways
@pytest.mark.parametrize("kind", OF_STRINGS)
def test_a_loaded_model_of_strings_gives_the_same_answers(
    kind, save_and_load, tmp_path
):
    model = fitted_to_strings(kind)
    assert_equal_answers(save_and_load(model, tmp_path / "model"), model, TEXTS)


@functools.cache
def fitted_with_names():
    retriever = TextRetriever(classifier=make_classifier())
    return retriever.fit(TEXTS, Y, label_texts=CLASSES.tolist())


@functools.cache
def fitted_with_embeddings():
    """Without the encoder, which is not a type of this package."""
    retriever = TextRetriever(classifier=make_classifier(), encoder=encode)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_codes, "LEAST_CODED", 1)
        retriever.fit(TEXTS, Y, label_texts=CLASSES.tolist())
    return retriever.set_params(encoder=None)


@ways
def test_a_loaded_retriever_has_the_embeddings_of_labels(save_and_load, tmp_path):
    model = fitted_with_embeddings()
    loaded = save_and_load(model, tmp_path / "model")
    assert_equal_answers(loaded, model, TEXTS)
    loaded.set_params(encoder=encode)
    with_encoder = clone(model).set_params(encoder=encode)
    with_encoder.fit(TEXTS, Y, label_texts=CLASSES.tolist())
    assert_equal_answers(loaded, with_encoder, [*TEXTS, "clas 3", "zzz"])


@ways
def test_a_loaded_retriever_gives_the_same_names(save_and_load, tmp_path):
    model = fitted_with_names()
    loaded = save_and_load(model, tmp_path / "model")
    assert_equal_answers(loaded, model, TEXTS)
    assert loaded.label_texts_ == model.label_texts_ == CLASSES.tolist()


COMPLETERS = {
    "popular": PopularCompleter(),
    "bigram": BigramCompleter(),
    "counts": QueryCompleter(classifier_weight=0),
    "all": QueryCompleter(random_state=0),
}


@functools.cache
def fitted_completer(kind):
    return clone(COMPLETERS[kind]).fit(CLASSES[CODES].tolist(), TEXTS)


@functools.cache
def changed_completer():
    model = clone(COMPLETERS["all"]).fit(CLASSES[CODES].tolist(), TEXTS)
    model.partial_fit(["class 3", "another"], ["word1 and more", TEXTS[0]])
    return model.remove([TEXTS[1]])


@functools.cache
def compacted_completer():
    return changed_completer.__wrapped__().compact()


@functools.cache
def aging_completer():
    model = QueryCompleter(classifier_weight=0, half_life=2.0)
    model.fit(CLASSES[CODES].tolist(), TEXTS, when=0)
    return model.partial_fit(["class 3", "another"], ["word1 and more"] * 2, when=7)


@ways
@pytest.mark.parametrize(
    "make", [changed_completer, compacted_completer, aging_completer]
)
def test_a_loaded_completer_is_changed_as_before(make, save_and_load, tmp_path):
    model = make()
    loaded = save_and_load(model, tmp_path / "model")
    for prefix in ("", "w", "word1"):
        for previous in ("class 3", "another"):
            answer = model.complete(prefix, previous)
            assert answer
            assert loaded.complete(prefix, previous) == answer


@ways
@pytest.mark.parametrize("kind", COMPLETERS)
def test_a_loaded_completer_gives_the_same_answers(kind, save_and_load, tmp_path):
    model = fitted_completer(kind)
    loaded = save_and_load(model, tmp_path / "model")
    for prefix in ("", "w", "word1"):
        answer = model.complete(prefix, "class 3")
        assert answer
        assert loaded.complete(prefix, "class 3") == answer


@ways
def test_a_loaded_model_can_be_fitted_again(save_and_load, tmp_path):
    model = make_classifier().fit(X[:50], Y[:50])
    loaded = save_and_load(model, tmp_path / "model").fit(X, Y)
    assert_equal_answers(loaded, model.fit(X, Y), X)


@ways
def test_a_loaded_retriever_still_knows_the_names(save_and_load, tmp_path):
    names = [f"word{i} of label {i}" for i in range(N_LABELS)]
    model = TextRetriever().fit(TEXTS, Y, label_texts=names)
    loaded = save_and_load(model, tmp_path / "model")
    assert loaded.search("word3 label", 4) == model.search("word3 label", 4)
    assert loaded.search("word3 label", 1)[0][1] in names


@ways
def test_a_loaded_model_can_be_pruned_and_measured(save_and_load, tmp_path):
    model = make_classifier(threshold=0.05).fit(X, Y)
    loaded = save_and_load(model, tmp_path / "model")
    assert loaded.n_weights_ == model.n_weights_
    assert loaded.nbytes_ == model.nbytes_
    assert loaded.trees_ == model.trees_
    assert_equal_answers(loaded.prune(0.3), model.prune(0.3), X)
    with pytest.raises(ValueError, match=r"below 0\.05"):
        loaded.prune(0.01)


# Memory maps


def arrays_of(classifier):
    for tree, layout in zip(classifier.trees_, classifier.layouts_, strict=True):
        yield from (*tree.child_offsets, tree.labels)
        # An empty array has nothing to map.
        for part in (layout, layout.held_by_feature):
            yield from (a for a in vars(part).values() if np.size(a) and np.ndim(a))


def test_mapped_arrays_are_views_of_the_file(tmp_path):
    model = make_classifier().fit(X, Y)
    loaded = through_mapped_joblib(model, tmp_path / "model")
    for array in arrays_of(loaded):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
        assert array.filename == str(tmp_path / "model")


N_GROUPS, GROUP_SIZE, N_FEATURES, FEATURES_OF_GROUP = 1000, 100, 5000, 150


def make_big_model():
    """A classifier of 100,000 labels and 15 million weights that nobody trained."""
    n_labels, n_rows = N_GROUPS * GROUP_SIZE, N_GROUPS * FEATURES_OF_GROUP
    tree = LabelTree(
        [[0, N_GROUPS], np.arange(N_GROUPS + 1) * GROUP_SIZE], np.arange(n_labels)
    )
    top = LinearWeights(
        posting_offsets=np.array([0, 1]),
        features=np.zeros(1, dtype=np.int32),
        run_offsets=np.array([0, N_GROUPS]),
        children=np.arange(N_GROUPS, dtype=np.int32),
        weights=np.linspace(0, 1, N_GROUPS, dtype=np.float32),
        intercepts=np.zeros(N_GROUPS, dtype=np.float32),
    )
    step = N_FEATURES // FEATURES_OF_GROUP
    bottom = LinearWeights(
        posting_offsets=np.arange(N_GROUPS + 1) * FEATURES_OF_GROUP,
        features=np.tile(np.arange(FEATURES_OF_GROUP, dtype=np.int32) * step, N_GROUPS),
        run_offsets=np.arange(n_rows + 1) * GROUP_SIZE,
        children=np.tile(np.arange(GROUP_SIZE, dtype=np.int32), n_rows),
        weights=np.full(n_rows * GROUP_SIZE, 0.5, dtype=np.float32),
        intercepts=np.zeros(n_labels, dtype=np.float32),
    )
    model = XRLinearClassifier()
    layout = SearchLayout.from_levels(tree, [top, bottom], N_FEATURES)
    target = IndicatorTarget(n_labels, True, np.dtype(np.int64))
    model._state = ClassifierState(
        target=target,
        known=KnownClasses(target.classes),
        features=Features(N_FEATURES),
        n_iter=1,
        trees=[tree],
        layouts=[layout],
        stages=[FittedStages()],
        pruned_at=pruned_at(0.1, "relative"),
        C=None,
    )
    return model


ASK_A_MAPPED_MODEL = """
import sys
import joblib, numpy as np, psutil
from scipy import sparse
import skxmr, skxmr.linear._classifier

resident = psutil.Process().memory_info().rss
model = joblib.load(sys.argv[1], mmap_mode="r")
row = sparse.csr_array(([1.0, 1.0], [0, 99], [0, 2]), shape=(1, model.n_features_in_))
columns, scores = skxmr.rank(model, row, 3)
assert columns.tolist() == [[99900, 99901, 99902]], columns
proba = model.predict_proba(row)
assert proba.nnz == 100
print(psutil.Process().memory_info().rss - resident)
"""


def test_a_mapped_model_needs_the_memory_of_what_is_read(tmp_path):
    model = make_big_model()
    path = tmp_path / "model"
    joblib.dump(model, path)
    assert path.stat().st_size > model.nbytes_ > 100e6
    asked = subprocess.run(
        [sys.executable, "-c", ASK_A_MAPPED_MODEL, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert int(asked.stdout) < 0.15 * model.nbytes_


SERVE_A_MAPPED_MODEL = """
import sys
import numpy as np
import skxmr, skxmr.linear._classifier
from scipy import sparse
from skxmr.persistence import load

model = load(sys.argv[1], mmap_mode="r")
random = np.random.default_rng(0)
rows = random.random((300, model.n_features_in_), dtype=np.float32)
rows = sparse.csr_array(rows * (random.random(rows.shape) < 0.05))
skxmr.rank(model.set_params(beam_width=None), rows, 3)
print("served", flush=True)
sys.stdin.readline()
"""


def memory_of_file(pid, path):
    """Resident bytes of a mapped file: all, and this process's share of them."""
    resident = share = 0
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        name, *rest = line.split()
        if "-" in name:
            inside = line.endswith(str(path))
        elif inside and name in ("Rss:", "Pss:"):
            resident += 1024 * int(rest[0]) * (name == "Rss:")
            share += 1024 * int(rest[0]) * (name == "Pss:")
    return resident, share


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_share_the_memory_of_a_mapped_model(tmp_path):
    path = tmp_path / "model"
    model = make_big_model()
    save(model, path)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SERVE_A_MAPPED_MODEL, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == b"served\n"
        memory = [memory_of_file(process.pid, path) for process in processes]
    finally:
        for process in processes:
            process.communicate(b"\n")
    resident, shares = zip(*memory, strict=True)
    assert min(resident) > 0.5 * model.nbytes_
    # Together they have one copy of it, not two.
    assert sum(shares) < 1.1 * max(resident)


# Whom to trust


def with_added_labels():
    ranker = LexicalRanker().fit(["tea", "rye"], [0, 1], label_texts=["tea", "rye"])
    ranker.add_labels(["oolong"], labels=[2])
    names = PackedTexts.of(["tea", "rye"]).appended(["oolong"])
    return ranker.remove_labels([0]), names


def test_trusted_types_are_all_there_and_all_needed(tmp_path):
    models = [fitted(kind, target)[0] for kind in MODELS for target in TARGETS]
    models += [fitted_to_strings(kind) for kind in OF_STRINGS]
    models += [fitted_completer(kind) for kind in COMPLETERS]
    models += [fitted_with_names(), KMeansTree(2, 2).fit(X), changed_completer()]
    models += [compacted_completer(), aging_completer()]
    models += [fitted_learned_fusion(), fitted_with_embeddings()]
    models += [fitted_to_dense_rows()[0], with_added_labels()]
    classifier = fitted("classifier", "sparse")[0]
    classifier.add_labels(X[:2])
    models.append(classifier)
    retriever = fitted("retriever", "sparse")[0]
    retriever.partial_fit(
        ["a word of later"],
        sparse.csr_array(([1], ([0], [0])), shape=(1, len(retriever.classes_))),
    )
    models.append(retriever)
    names = [["even"] if row % 2 else ["odd", "row"] for row in range(X.shape[0])]
    models.append(make_classifier().fit(X, names))
    needed = set()
    for model in models:
        skops.io.dump(model, tmp_path / "model")
        needed |= set(skops.io.get_untrusted_types(file=tmp_path / "model"))
    assert needed == set(TRUSTED_TYPES)
    assert sorted(TRUSTED_TYPES) == TRUSTED_TYPES


def test_trusted_types_cover_what_is_public():
    public = {getattr(skxmr, name) for name in skxmr.__all__}
    classes = {one for one in public if isinstance(one, type)}
    trusted = set()
    for path in TRUSTED_TYPES:
        module, _, name = path.rpartition(".")
        trusted.add(getattr(importlib.import_module(module), name))
    # Arguments and results of methods, and warnings, are in no fitted estimator.
    apart = {
        skxmr.Candidates,
        skxmr.Explanation,
        skxmr.LabelSubset,
        skxmr.SearchResult,
        skxmr.SearchResults,
        skxmr.Completion,
        skxmr.LabelTexts,
        skxmr.PruningWarning,
    }
    assert classes - apart <= trusted


def test_skops_asks_for_trust(tmp_path):
    skops.io.dump(make_classifier().fit(X, DENSE_Y), tmp_path / "model")
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        skops.io.load(tmp_path / "model")


# Models of a newer version

TOO_NEW = (
    rf"saved with layout version {LAYOUT_VERSION + 1}, by a newer skxmr than this one, "
    rf"which reads layouts up to version {LAYOUT_VERSION}\. Upgrade skxmr to load it\."
)


@ways
@pytest.mark.parametrize("of_texts", [False, True])
def test_a_newer_layout_is_refused(save_and_load, of_texts, tmp_path):
    model = make_classifier()
    if of_texts:
        model = TextRetriever(classifier=model).fit(TEXTS, DENSE_Y)
        classifier = model.classifier_
    else:
        classifier = model.fit(X, DENSE_Y)
    classifier.layouts_[0].version = LAYOUT_VERSION + 1
    with pytest.raises(ValueError, match=TOO_NEW):
        save_and_load(model, tmp_path / "model")


def test_the_layout_says_its_version(tmp_path):
    model = make_classifier().fit(X, DENSE_Y)
    assert model.layouts_[0].version == LAYOUT_VERSION
    skops.io.dump(model, tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "model") as archive:
        assert b"SearchLayout" in archive.read("schema.json")


def test_an_estimator_saved_before_a_parameter_was_added_has_its_default():
    model = TextRetriever().fit(["a b", "c d"], ["x", "y"])
    state = model.__getstate__()
    for name in ("random_state", "n_jobs", "verbose", "text_pieces"):
        del state[name]
    older = TextRetriever.__new__(TextRetriever)
    older.__setstate__(state)
    assert repr(older) == repr(model)
    assert older.search("a") == model.search("a")
    assert older.rank(["c"], 2)[0].tolist() == [[1, 0]]
