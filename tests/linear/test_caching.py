"""What is trained once, and what again, where `memory` is set."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from custom_indexers import TwoLevels
from scipy import sparse
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - as it asks
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from toy_data import make_multilabel
from twins import assert_same_layout

from skxmr import KMeansTree, XRLinearClassifier
from skxmr.linear._caching import cached_call
from skxmr.metrics import recall_at_k_scorer

MEMORIES = {
    "str": str,
    "path": Path,
    "joblib": lambda path: joblib.Memory(path, verbose=0),
    "mapped": lambda path: joblib.Memory(path, mmap_mode="r", verbose=0),
}
SEARCH_GRID = {
    "beam_width": [1, 5],
    "threshold": [0.05, 0.2],
    "max_candidates": [5],
    "score_transform": ["l2-hinge", "l3-hinge"],
    "decision_threshold": [0.2],
}


def make_data(n_samples=90, n_classes=12):
    X, Y = make_multilabel(n_samples, n_classes)
    return X, sparse.csr_array(Y)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "fits"


def n_fits(log):
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def make_classifier(log, memory, **parameters):
    defaults = {"random_state": 0, "max_iter": 500}
    return XRLinearClassifier(
        TwoLevels(log=str(log)), memory=memory, **defaults | parameters
    )


def assert_same_weights(one, other):
    for a, b in zip(one.layouts_, other.layouts_, strict=True):
        assert_same_layout(a, b)


# How often a search trains


@pytest.mark.parametrize(
    ("make_memory", "random_state"),
    [(make_memory, 0) for make_memory in MEMORIES.values()] + [(str, None)],
    ids=[*MEMORIES, "without a seed"],
)
def test_a_search_trains_once_per_fold_and_once_for_the_refit(
    make_memory, random_state, tmp_path, log
):
    X, Y = make_data()
    memory = make_memory(tmp_path / "cache")
    classifier = make_classifier(log, memory, random_state=random_state)
    search = GridSearchCV(
        classifier, SEARCH_GRID, scoring=recall_at_k_scorer(3), cv=KFold(3)
    ).fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert n_fits(log) == 3 + 1
    assert set(search.cv_results_["mean_test_score"]) > {search.best_score_}
    search.fit(X, Y)
    assert n_fits(log) == 3 + 1


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_parallel_searches_train_as_often(backend, tmp_path, log):
    X, Y = make_data()
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier(log, tmp_path / "cache"))
    grid = {f"xrlinearclassifier__{name}": SEARCH_GRID[name] for name in SEARCH_GRID}
    search = GridSearchCV(
        pipeline, grid, scoring=recall_at_k_scorer(3), cv=KFold(3), n_jobs=2
    )
    with joblib.parallel_config(backend=backend):
        search.fit(X, Y)
    assert n_fits(log) == 3 + 1


@pytest.mark.parametrize(("n_jobs", "backend"), [(1, "loky"), (2, "threading")])
def test_halving_searches_train_once_for_each_amount_of_rows(
    n_jobs, backend, tmp_path, log
):
    X, Y = make_data()
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier(log, tmp_path / "cache"))
    grid = {f"xrlinearclassifier__{name}": SEARCH_GRID[name] for name in SEARCH_GRID}
    search = HalvingGridSearchCV(
        pipeline,
        grid,
        scoring=recall_at_k_scorer(3),
        cv=KFold(3, shuffle=True, random_state=0),
        min_resources=30,
        factor=2,
        random_state=0,
        n_jobs=n_jobs,
        error_score="raise",
    )
    with joblib.parallel_config(backend=backend):
        search.fit(X, Y)
    assert search.n_resources_ == [30, 60]
    assert n_fits(log) == 3 + 3 + 1


def test_features_and_trees_train_again_and_only_they(tmp_path, log):
    X, Y = make_data()
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier(log, tmp_path / "cache"))
    grid = {
        "maxabsscaler": [MaxAbsScaler(), "passthrough"],
        "xrlinearclassifier__indexer__group_size": [2, 5],
        "xrlinearclassifier__beam_width": [1, 5],
    }
    search = GridSearchCV(
        pipeline, grid, scoring=recall_at_k_scorer(3), cv=KFold(3), error_score="raise"
    ).fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert n_fits(log) == 4 * 3 + 1


def test_each_tree_is_cached_by_itself(tmp_path, log):
    X, Y = make_data()
    make_classifier(log, tmp_path / "cache", n_trees=2).fit(X, Y)
    assert n_fits(log) == 2
    make_classifier(log, tmp_path / "cache", n_trees=3).fit(X, Y)
    assert n_fits(log) == 3


def test_the_number_of_workers_does_not_matter(tmp_path, log, capsys):
    X, Y = make_data()
    for parameters in ({}, {"n_jobs": 2}, {"verbose": 1}):
        make_classifier(log, tmp_path / "cache", **parameters).fit(X, Y)
    assert n_fits(log) == 1
    assert capsys.readouterr().out == ""


# What it depends on

LABEL_VECTORS = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
CHANGES = {
    "random_state": {"random_state": 1},
    "C": {"C": 2.0},
    "C of liblinear": {"C": 1.5},
    "prior_weight": {"prior_weight": 0.5},
    "positive_weight": {"positive_weight": 2.0},
    "negative_weight": {"negative_weight": 2.0},
    "loss": {"loss": "hinge"},
    "fit_intercept": {"fit_intercept": False},
    "tol": {"tol": 0.05},
    "max_iter": {"max_iter": 999},
    "negative_sampling": {"negative_sampling": "both"},
    "negative_beam_width": {"negative_beam_width": 11},
    "weight_floor": {"weight_floor": 0.02},
    "threshold_unit": {"threshold_unit": "absolute"},
    "label_vectors": {"label_vectors": LABEL_VECTORS},
    "pair of label_vectors": {"label_vectors": ("pifa", LABEL_VECTORS)},
    "indexer": {"indexer__group_size": 4},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_what_training_depends_on_trains_again(changes, tmp_path, log):
    X, Y = make_data()
    make_classifier(log, tmp_path / "cache").fit(X, Y)
    make_classifier(log, tmp_path / "cache").set_params(**changes).fit(X, Y)
    assert n_fits(log) == 2


def test_other_data_train_again(tmp_path, log):
    X, Y = make_data()
    classifier = make_classifier(log, tmp_path / "cache").fit(X, Y)
    relevance = Y.astype(np.float32) * 2
    names = [f"label {i}" for i in range(12)]
    classifier.fit(X, Y, relevance=relevance)
    classifier.fit(X, Y, label_names=names)
    classifier.fit(X, Y, label_names=[*names[:-1], "another"])
    classifier.fit(X * np.float32(2), Y)
    classifier.fit(X, sparse.csr_array(Y.toarray()[:, ::-1]))
    assert n_fits(log) == 6
    classifier.fit(X, Y, label_names=names, relevance=Y)  # all alike, as without
    classifier.fit(X, Y, label_names=["".join(name) for name in names])
    assert n_fits(log) == 6


def test_another_version_trains_again(tmp_path, log, monkeypatch):
    X, Y = make_data()
    make_classifier(log, tmp_path / "cache").fit(X, Y)
    monkeypatch.setattr("skxmr.linear._classifier.__version__", "1000.0")
    make_classifier(log, tmp_path / "cache").fit(X, Y)
    assert n_fits(log) == 2


def test_containers_do_not_matter(tmp_path, log):
    X, Y = make_data()
    classifier = make_classifier(log, tmp_path / "cache")
    for other in (X, X.astype(np.float64), sparse.csr_matrix(X)):
        classifier.fit(other, Y)
    for other in (Y.toarray(), Y.tocsc(), Y.astype(bool), sparse.csr_matrix(Y)):
        classifier.fit(X, other)
    assert n_fits(log) == 1


def test_dense_features_are_cached_apart_and_whatever_their_order(tmp_path, log):
    X, Y = make_data()
    X = X.toarray() + np.float32(0.5)
    classifier = make_classifier(log, tmp_path / "cache")
    for other in (X, X.astype(np.float64), np.asfortranarray(X)):
        classifier.fit(other, Y)
    assert n_fits(log) == 1


def test_sparse_label_vectors_do_not_depend_on_what_scipy_remembers(tmp_path, log):
    X, Y = make_data()
    vectors = sparse.csr_array(LABEL_VECTORS)
    inspected = vectors.copy()
    assert inspected.has_canonical_format  # and now it says so in an attribute
    unsorted = sparse.csr_array(
        (vectors.data[::-1], vectors.indices[::-1], vectors.indptr), vectors.shape
    )[::-1]
    wide = vectors.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(int)
    for other in (vectors, inspected, unsorted, wide, vectors.tocsc(), vectors * 1.0):
        make_classifier(log, tmp_path / "cache", label_vectors=other).fit(X, Y)
        pair = ("pifa", other)
        make_classifier(log, tmp_path / "cache", label_vectors=pair).fit(X, Y)
    assert n_fits(log) == 2


def test_memory_mapped_arguments_do_not_matter(tmp_path, log):
    X, Y = make_data()
    names = np.array([f"label {i}" for i in range(12)])
    joblib.dump((LABEL_VECTORS, names), tmp_path / "arrays")
    mapped = joblib.load(tmp_path / "arrays", mmap_mode="r")
    assert all(isinstance(array, np.memmap) for array in mapped)
    for label_vectors, label_names in ((LABEL_VECTORS, names), mapped):
        make_classifier(log, tmp_path / "cache", label_vectors=label_vectors).fit(
            X, Y, label_names=label_names
        )
    assert n_fits(log) == 1


# What comes out


@pytest.mark.parametrize("make_memory", MEMORIES.values(), ids=MEMORIES)
@pytest.mark.parametrize("negative_sampling", ["parents", "both"])
def test_the_model_is_the_same_with_and_without(
    make_memory, negative_sampling, tmp_path
):
    X, Y = make_data()
    parameters = {
        "indexer": KMeansTree(2, 3),
        "random_state": 3,
        "negative_sampling": negative_sampling,
        "n_trees": 2,
    }
    expected = XRLinearClassifier(**parameters).fit(X, Y)
    memory = make_memory(tmp_path / "cache")
    for _ in range(2):  # trained, then loaded
        found = XRLinearClassifier(memory=memory, **parameters).fit(X, Y)
        assert_same_weights(found, expected)
        assert found.trees_ == expected.trees_
        assert found.n_iter_ == expected.n_iter_
        np.testing.assert_array_equal(found.rank(X)[0], expected.rank(X)[0])


def test_a_threshold_below_the_floor_is_refused(tmp_path, log):
    X, Y = make_data()
    parameters = {"threshold": 0.05, "weight_floor": 0.1}
    classifier = make_classifier(log, tmp_path / "cache", **parameters)
    with pytest.raises(ValueError, match=r"threshold=0\.05 is below weight_floor=0\.1"):
        classifier.fit(X, Y)
    assert n_fits(log) == 0
    make_classifier(log, None, **parameters).fit(X, Y)
    make_classifier(log, joblib.Memory(None), **parameters).fit(X, Y)
    make_classifier(log, tmp_path / "cache", **parameters | {"threshold": 0.1}).fit(
        X, Y
    )


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
def test_weights_are_kept_down_to_the_floor_only(tmp_path):
    X, Y = make_data(n_samples=400, n_classes=60)
    n_weights, sizes = [], []
    for i, floor in enumerate([0.0, 0.1, 10.0]):
        classifier = XRLinearClassifier(
            memory=tmp_path / str(i),
            threshold=10.0,
            threshold_unit="absolute",
            weight_floor=floor,
            random_state=0,
        ).fit(X, Y)
        n_weights.append(
            XRLinearClassifier(
                threshold=floor, threshold_unit="absolute", random_state=0
            )
            .fit(X, Y)
            .n_weights_
        )
        files = (tmp_path / str(i)).rglob("*.pkl")
        sizes.append(sum(file.stat().st_size for file in files))
        assert classifier.n_weights_ == 0
    for i in range(2):
        dropped = n_weights[i] - n_weights[i + 1]
        # A weight and its child take 8 bytes; arrays start at multiples of 16.
        assert sizes[i] - sizes[i + 1] >= 8 * dropped - 16 > 0


def test_nothing_of_the_data_is_kept(tmp_path):
    X, Y = make_data()
    names = [f"secret {i}" for i in range(12)]
    XRLinearClassifier(memory=tmp_path, random_state=0).fit(X, Y, label_names=names)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"secret" in path.read_bytes()]


# One at a time


def slowly(label, log):
    """Note the call, and take so long that others come meanwhile."""
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(f"{label}\n")
    time.sleep(0.2)
    return label


def test_several_that_ask_at_once_train_once(tmp_path, log):
    memory = joblib.Memory(tmp_path / "cache", verbose=0)

    def call(label):
        return cached_call(memory, slowly, {"label": label}, {"log": log})

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, "aaaa")) == ["a"] * 4
    assert n_fits(log) == 1


def meet(label, barrier):
    barrier.wait()
    return label


def test_different_models_train_side_by_side(tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    barrier = threading.Barrier(2, timeout=60)

    def call(label):
        return cached_call(memory, meet, {"label": label}, {"barrier": barrier})

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(call, "ab")) == ["a", "b"]


def fails_once(log):
    with Path(log).open("a", encoding="utf-8") as file:
        file.write("called\n")
    if n_fits(Path(log)) == 1:
        raise KeyboardInterrupt
    return "done"


def test_an_interrupted_training_frees_the_lock_and_is_not_kept(tmp_path, log):
    memory = joblib.Memory(tmp_path / "cache", verbose=0)
    for _ in range(3):
        try:
            result = cached_call(memory, fails_once, {"log": str(log)}, {})
        except KeyboardInterrupt:
            result = "interrupted"
    assert result == "done"
    assert n_fits(log) == 2
