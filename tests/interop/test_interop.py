"""Models are read from PECOS and written for it."""

import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from platforms import may_link
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, normalize
from twins import levels_from_dense, random_levels, random_tree

from skxmr import TrieTreeHybrid, XRLinearClassifier
from skxmr._search._layout import SearchLayout
from skxmr._search._model_pruning import pruned_at
from skxmr.interop import load_pecos, save_pecos
from skxmr.linear._state import imported_state

DATA = Path(__file__).parents[1] / "data"
MODELS = ["pecos-one-level", "pecos-deep", "pecos-unbiased", "pecos-constrained"]
TRANSFORMS = ["sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"]


@pytest.fixture(scope="module")
def classifier():
    X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    return XRLinearClassifier(random_state=0).fit(normalize(X), Y)


# Models that PECOS wrote
# -----------------------


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_pecos(name, container):
    classifier = load_pecos(DATA / name)
    with np.load(DATA / f"{name}.npz") as expected:
        columns, scores = classifier.rank(container(expected["queries"]), k=10)
        np.testing.assert_allclose(scores, expected["scores"], atol=1e-5)
        np.testing.assert_array_equal(columns, expected["columns"])


def test_parameters_are_those_of_pecos():
    classifier = load_pecos(DATA / "pecos-deep")
    assert classifier.score_transform == "l2-hinge"
    assert classifier.beam_width == 3
    assert classifier.max_candidates == 10
    assert classifier.n_features_in_ == 12
    assert classifier.trees_[0].level_sizes == (1, 3, 4, 5, 14)
    assert 0.05 <= classifier.threshold < 0.06
    assert classifier.threshold_unit == "absolute"
    np.testing.assert_array_equal(classifier.classes_, np.arange(14))


def test_what_a_fitted_classifier_can_do():
    classifier = load_pecos(str(DATA / "pecos-deep"))
    with np.load(DATA / "pecos-deep.npz") as expected:
        X = sparse.csr_array(expected["queries"])
    columns, scores = classifier.rank(X)
    assert sparse.issparse(classifier.predict(X))
    proba = classifier.predict_proba(X).toarray()
    np.testing.assert_allclose(proba[0, columns[0]], scores[0])
    one = classifier.rank_one(X.indices[: X.indptr[1]], X.data[: X.indptr[1]])
    np.testing.assert_array_equal(one[0], columns[0])
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.rank(X)[1], scores)
    assert classifier.prune(0.5).n_weights_ < classifier.n_weights_
    with pytest.raises(ValueError, match="dropped already"):
        classifier.prune(0.01)
    # A share of each node's largest weight: nothing was dropped by it yet.
    few = classifier.prune(0.01, threshold_unit="relative").prune(0.9)
    assert 0 < few.n_weights_ < classifier.n_weights_


def test_labels_in_no_cluster_are_never_found():
    classifier = load_pecos(DATA / "pecos-constrained")
    classifier.set_params(beam_width=None, max_candidates=None)
    columns, _ = classifier.rank(np.ones((1, 12)), k=14)
    assert sorted(columns[0, :7]) == [0, 2, 3, 5, 6, 11, 12]
    assert (columns[0, 7:] == -1).all()


# There and back
# --------------


def make_fitted(tree, levels, n_features, score_transform):
    """A classifier of given weights, without training."""
    classifier = XRLinearClassifier(score_transform=score_transform)
    layout = SearchLayout.from_levels(tree, levels, n_features)
    classifier._state = imported_state(tree, layout, pruned_at(0, "absolute"))
    return classifier


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.sampled_from(TRANSFORMS), st.integers(1, 40))
def test_round_trip(tmp_path_factory, seed, score_transform, beam_width):
    rng = np.random.default_rng(seed)
    n_features = int(rng.integers(1, 9))
    tree = random_tree(rng)
    dense = random_levels(tree, rng, 0.5, n_features)
    levels = levels_from_dense(tree, dense)
    classifier = make_fitted(tree, levels, n_features, score_transform)
    classifier.beam_width = beam_width
    X = rng.random((5, n_features)).astype(np.float32)

    folder = tmp_path_factory.mktemp("round") / "model"
    save_pecos(classifier, folder)
    try:
        again = load_pecos(folder)
    except ValueError:
        # Nodes all of whose children are never found are no clusters of PECOS.
        assume(not any(np.isneginf(level.intercepts).any() for level in levels))
        raise
    columns, scores = classifier.rank(X, k=tree.n_labels)
    columns_again, scores_again = again.rank(X, k=tree.n_labels)
    np.testing.assert_allclose(scores_again, scores, rtol=1e-6)
    np.testing.assert_array_equal(columns_again >= 0, columns >= 0)
    again.beam_width = classifier.beam_width = None
    columns = classifier.rank(X, k=tree.n_labels)[0]
    np.testing.assert_array_equal(again.rank(X, k=tree.n_labels)[0], columns)


def test_same_arrays_there_and_back(classifier, tmp_path):
    save_pecos(classifier, tmp_path / "model")
    again = load_pecos(tmp_path / "model")
    assert again.trees_ == classifier.trees_
    for name, array in vars(classifier.layouts_[0]).items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(getattr(again.layouts_[0], name), array)


@pytest.mark.parametrize("name", MODELS)
def test_written_again_as_pecos_wrote_it(name, tmp_path):
    """The weights and clusters of PECOS's files, the bias made 1."""
    save_pecos(load_pecos(DATA / name), tmp_path / "model")
    for written in sorted((tmp_path / "model").glob("ranker/*.model")):
        original = DATA / name / "ranker" / written.name
        # Elsewhere nodes are numbered anew, or left out as none reaches them.
        if name in ("pecos-one-level", "pecos-unbiased"):
            C = sparse.load_npz(written / "C.npz")
            assert (sparse.load_npz(original / "C.npz") != C).nnz == 0
            W = sparse.load_npz(original / "W.npz").toarray()
            bias = json.loads((original / "param.json").read_text(encoding="utf-8"))[
                "bias"
            ]
            W = np.vstack(
                [W[:12], W[12:] * bias, np.zeros((int(bias <= 0), W.shape[1]))]
            )
            np.testing.assert_allclose(
                sparse.load_npz(written / "W.npz").toarray(), W, rtol=1e-6
            )
        params = [
            json.loads((f / "param.json").read_text(encoding="utf-8"))
            for f in (written, original)
        ]
        assert params[0]["pred_kwargs"] == params[1]["pred_kwargs"]
        assert params[0].keys() == params[1].keys()
        assert params[0]["__meta__"] == params[1]["__meta__"]
    for file in ["param.json", "ranker/param.json"]:
        written = json.loads((tmp_path / "model" / file).read_text(encoding="utf-8"))
        expected = json.loads((DATA / name / file).read_text(encoding="utf-8"))
        assert written["__meta__"] == expected["__meta__"]
        assert written.keys() == expected.keys()


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
@pytest.mark.parametrize(
    "parameters",
    [
        {"beam_width": None, "max_candidates": None},
        {"weight_precision": "float16"},
        {"threshold": 100.0, "threshold_unit": "absolute"},
        {"indexer": TrieTreeHybrid()},
        {"fit_intercept": False},
    ],
    ids=str,
)
def test_parameters_there_and_back(parameters, tmp_path):
    X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    X = normalize(X)
    names = [f"{number:b}" for number in range(20)]
    classifier = XRLinearClassifier(random_state=0, **parameters)
    classifier.fit(X, Y, label_names=names)
    save_pecos(classifier, tmp_path / "model")
    again = load_pecos(tmp_path / "model")
    columns, scores = classifier.rank(X)
    np.testing.assert_array_equal(again.rank(X)[0], columns)
    np.testing.assert_allclose(again.rank(X)[1], scores, rtol=1e-6)


def test_class_labels_are_written_as_columns(tmp_path):
    X = np.eye(3)
    classifier = XRLinearClassifier(random_state=0).fit(X, ["ant", "bee", "cat"])
    save_pecos(classifier, tmp_path / "model")
    columns, _ = load_pecos(tmp_path / "model").rank(X, k=1)
    assert classifier.classes_[columns[:, 0]].tolist() == ["ant", "bee", "cat"]


def test_labels_without_rows_are_never_found(tmp_path):
    X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    Y[:, [3, 19]] = 0
    classifier = XRLinearClassifier(beam_width=None, random_state=0)
    classifier.fit(normalize(X), Y)
    save_pecos(classifier, tmp_path / "model")
    columns, _ = load_pecos(tmp_path / "model").rank(X, k=20)
    assert not {3, 19} & set(columns.ravel())
    np.testing.assert_array_equal(columns, classifier.rank(X, k=20)[0])


# What cannot be written
# ----------------------


def test_save_refuses(classifier, tmp_path):
    X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    with pytest.raises(ValueError, match="has 2 trees; a PECOS model has one"):
        save_pecos(XRLinearClassifier(n_trees=2).fit(normalize(X), Y), tmp_path / "m")
    with pytest.raises(NotFittedError):
        save_pecos(XRLinearClassifier(), tmp_path / "m")
    with pytest.raises(TypeError, match="an XRLinearClassifier; got a Pipeline"):
        save_pecos(make_pipeline(Normalizer(), classifier), tmp_path / "m")
    with pytest.raises(FileNotFoundError):
        save_pecos(classifier, tmp_path / "nowhere" / "m")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_propensities_are_refused(tmp_path):
    X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    classifier = XRLinearClassifier(propensity_weight=0.5, random_state=0).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"with propensity_weight=0\.5\. Set it to 0\."
    ):
        save_pecos(classifier, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    save_pecos(classifier.set_params(propensity_weight=0.0), tmp_path / "model")


@may_link
def test_save_overwrites_nothing(classifier, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder" / "part").write_text("mine", encoding="utf-8")
    for name in ["folder", "file", "link"]:
        with pytest.raises(FileExistsError, match="exists already"):
            save_pecos(classifier, tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder", "link"}
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_failed_save_leaves_nothing(classifier, tmp_path, monkeypatch):
    save_npz = sparse.save_npz
    calls = []

    def full_disk(*args, **kwargs):
        calls.append(args)
        if len(calls) > 1:
            raise OSError("No space left on device")
        save_npz(*args, **kwargs)

    monkeypatch.setattr(sparse, "save_npz", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_pecos(classifier, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_save_leaves_no_half_model(tmp_path):
    script = """
import os, signal, sys
from scipy import sparse
from skxmr.interop import load_pecos, save_pecos
sparse.save_npz = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
save_pecos(load_pecos(sys.argv[1]), sys.argv[2])
"""
    arguments = [str(DATA / "pecos-deep"), str(tmp_path / "model")]
    done = subprocess.run([sys.executable, "-c", script, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "model").exists()


# The slow twin
# -------------


@pytest.mark.parametrize("name", MODELS)
def test_exact_search_by_dense_matrices(name):
    """Scores from the files, without tree, layout or kernels."""
    with np.load(DATA / f"{name}.npz") as expected:
        X = expected["queries"]
    scores = np.ones((len(X), 1))
    for number in range(len(list((DATA / name / "ranker").glob("*.model")))):
        level = DATA / name / "ranker" / f"{number}.model"
        settings = json.loads((level / "param.json").read_text(encoding="utf-8"))
        W = sparse.load_npz(level / "W.npz").toarray()
        C = sparse.load_npz(level / "C.npz").toarray()
        bias = np.full((len(X), int(settings["bias"] > 0)), settings["bias"])
        margins = np.hstack([X, bias]) @ W
        transform = settings["pred_kwargs"]["post_processor"]
        if transform == "sigmoid":
            factors = 1 / (1 + np.exp(-margins))
        else:
            factors = np.exp(-(np.maximum(0, 1 - margins) ** int(transform[1])))
        scores = (scores @ C.T) * factors
    classifier = load_pecos(DATA / name)
    classifier.set_params(beam_width=None, max_candidates=None)
    np.testing.assert_allclose(classifier.predict_proba(X).toarray(), scores, atol=1e-5)
