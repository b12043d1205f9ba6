"""Models go to PECOS and back; what strangers may have put in a folder is refused."""

import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import zipfile
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
from skxmr._inputs._features import Features
from skxmr._search._layout import SearchLayout
from skxmr._search._model_pruning import pruned_at
from skxmr._targets import IndicatorTarget
from skxmr.interop import load_pecos, save_pecos
from skxmr.linear._fitting import TrainedTree
from skxmr.linear._state import make_state

DATA = Path(__file__).parents[1] / "data"
MODELS = ["pecos-one-level", "pecos-deep", "pecos-unbiased", "pecos-constrained"]
TRANSFORMS = ["sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"]


@pytest.fixture
def folder(tmp_path):
    """A model of three levels that a test can damage."""
    return Path(shutil.copytree(DATA / "pecos-deep", tmp_path / "model"))


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
    trained = TrainedTree(tree, tuple(levels), 1, 1, 0)
    target = IndicatorTarget(tree.n_labels, True, np.dtype(np.int64))
    features = Features(n_features)
    classifier._state = make_state(
        target, features, [trained], [layout], pruned_at(0, "absolute")
    )
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


# What is refused
# ---------------


def edit_json(path, **changes):
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | changes), encoding="utf-8")


def edit_npz(path, **changes):
    """Write the arrays of a file again, some changed (bytes: as they are)."""
    with np.load(path) as parts:
        arrays = dict(parts) | changes
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            if isinstance(array, bytes):
                buffer.write(array)
            elif array is not None:
                np.save(buffer, array, allow_pickle=True)
            if array is not None:
                archive.writestr(f"{name}.npy", buffer.getvalue())


def npy(header, content=b""):
    header = header.encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


W0, C0, P0 = (f"ranker/0.model/{name}" for name in ("W.npz", "C.npz", "param.json"))
W3, C3, P3 = (f"ranker/3.model/{name}" for name in ("W.npz", "C.npz", "param.json"))


def assert_refused(folder, file, match):
    with pytest.raises(ValueError, match=match) as refusal:
        load_pecos(folder)
    assert str(Path(file)) in str(refusal.value)


@pytest.mark.parametrize("file", ["param.json", "ranker/param.json", P3, W3, C3])
def test_missing_and_strange_files(folder, file):
    path = folder / file
    content = path.read_bytes()
    path.write_bytes(b"")
    assert_refused(folder, file, "is no JSON file|is damaged")
    path.write_bytes(content[:-30])
    assert_refused(folder, file, "is no JSON file|is damaged")
    path.unlink()
    assert_refused(folder, file, "cannot be read, or is missing")
    path.mkdir()
    assert_refused(folder, file, "is no regular file")
    path.rmdir()


@may_link
@pytest.mark.parametrize("file", ["param.json", "ranker/param.json", P3, W3, C3])
def test_links_that_lead_astray(folder, file):
    path = folder / file
    content = path.read_bytes()
    path.unlink()
    path.symlink_to(path)
    assert_refused(folder, file, "cannot be read, or is missing")
    path.unlink()
    path.with_name("elsewhere").write_bytes(content)
    path.symlink_to("elsewhere")
    load_pecos(folder)
    path.unlink()
    (folder.parent / "outside").write_bytes(content)
    path.symlink_to(folder.parent / "outside")
    assert_refused(folder, file, "leads out of the folder")
    path.unlink()
    path.symlink_to("/dev/zero")
    assert_refused(folder, file, "leads out of the folder")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(folder):
    (folder / W0).unlink()
    os.mkfifo(folder / W0)
    assert_refused(folder, W0, "is no regular file")


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match="nowhere is no folder"):
        load_pecos(tmp_path / "nowhere")


@pytest.mark.parametrize("file", ["param.json", "ranker/param.json", P0])
@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[1, 2]", "holds a JSON list; expected an object"),
        ("{}", "lacks"),
        ("{'model': 1}", "is no JSON file"),
        ("\x00\xff", "is no JSON file"),
        ("[" * 100_000, "is no JSON file"),
        ('{"model": ' + "9" * 10_000 + "}", "is no JSON file"),
        (" " * 2_000_000, "is larger than"),
        ('{"__meta__": {"class_fullname": 5}, "model": 5}', "expected"),
        ('{"__meta__": 7, "model": "XTransformer"}', "expected"),
    ],
    ids=lambda value: value[:20],
)
def test_strange_json(folder, file, text, match):
    (folder / file).write_text(text, encoding="latin-1")
    assert_refused(folder, file, match)


@pytest.mark.parametrize(
    ("file", "changes", "match"),
    [
        ("param.json", {"__meta__": {"class_fullname": "x###XTransformer"}}, "XLinear"),
        ("ranker/param.json", {"model": "MLModel"}, "HierarchicalMLModel"),
        ("ranker/param.json", {"depth": 0}, "expected 1 to"),
        ("ranker/param.json", {"depth": True}, "expected an integer"),
        ("ranker/param.json", {"depth": 2.0}, "expected an integer"),
        ("ranker/param.json", {"depth": "../../x"}, "expected an integer"),
        ("ranker/param.json", {"depth": 10**30}, "expected 1 to"),
        ("ranker/param.json", {"depth": 3}, "'nr_codes': 5; expected 4"),
        ("ranker/param.json", {"nr_features": 13}, "expected 12"),
        ("ranker/param.json", {"is_mmap": True}, "memory-mapped"),
        (P0, {"is_mmap": 1}, "memory-mapped"),
        (P0, {"model": None}, "MLModel"),
        (P0, {"bias": float("nan")}, "expected a finite number"),
        (P0, {"bias": float("inf")}, "expected a finite number"),
        (P0, {"bias": 10**400}, "expected a finite number"),
        (P0, {"bias": 1e300}, "too large"),
        (P0, {"bias": "1"}, "expected a number"),
        (P0, {"bias": None}, "expected a number"),
        (P0, {"bias": 0}, "'nr_features': 12; expected 13"),
        (P0, {"nr_labels": -1}, "expected 0 to"),
        (P0, {"nr_codes": 2}, "expected 1"),
        (P0, {"pred_kwargs": []}, "expected an object"),
        (P0, {"pred_kwargs": {"only_topk": 3}}, "lacks 'post_processor'"),
    ],
    ids=str,
)
def test_wrong_settings(folder, file, changes, match):
    edit_json(folder / file, **changes)
    assert_refused(folder, file, match)


def test_more_levels_than_there_are(folder):
    edit_json(folder / "ranker/param.json", depth=2**31 - 1)
    assert_refused(folder, "ranker/4.model/param.json", "missing")


@pytest.mark.parametrize(
    "name", ["noop", "log-sigmoid", "log-l3-hinge", "l5-hinge", "SIGMOID", "x" * 999]
)
def test_post_processors_that_we_lack(folder, name):
    prediction = {"only_topk": 3, "post_processor": name}
    edit_json(folder / P0, pred_kwargs=prediction)
    assert_refused(folder, P0, "expected one of l1-hinge, .*, sigmoid")


@pytest.mark.parametrize(
    ("file", "prediction", "match"),
    [
        (P3, {"only_topk": 10, "post_processor": "sigmoid"}, "expected 'l2-hinge'"),
        ("ranker/1.model/param.json", {"only_topk": 5}, "'only_topk': 5; expected 3"),
        (P3, {"only_topk": 0}, "expected 1 to"),
        (P3, {"only_topk": None}, "expected an integer"),
    ],
    ids=str,
)
def test_levels_that_differ(folder, file, prediction, match):
    prediction = {"only_topk": 3, "post_processor": "l2-hinge"} | prediction
    edit_json(folder / file, pred_kwargs=prediction)
    assert_refused(folder, file, match)


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


PICKLED = np.array([Bomb()], dtype=object)
EVALUATED = npy("{'descr': __import__('os').mkdir('executed'), 'shape': ()}")
F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"


@pytest.mark.parametrize("file", [W0, C0, W3, C3])
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"data": PICKLED}, r"holds '\|O'; expected <f4"),
        ({"format": np.array(Bomb(), dtype=object)}, r"holds '\|O'"),
        ({"data": EVALUATED}, "a header that NumPy would not write"),
        ({"data": npy("(" * 60_000)}, "a header that NumPy would not write"),
        ({"data": npy(F4 % "-1,", b"1234")}, "a header that NumPy would not write"),
        ({"data": npy(F4 % "99999999999999,")}, "says that its shape is"),
        ({"data": npy(F4 % ("9" * 60))}, "says that its shape is"),
        ({"data": npy(F4 % ("99999, " * 9))}, "says that its shape is|would not write"),
        ({"data": b"\x93NUMPY\x03\x00"}, "is no NPY array of format"),
        ({"data": b""}, "is no NPY array of format"),
        ({"data": b"#!/bin/sh"}, "is no NPY array of format"),
        ({"data": None}, "lacks 'data.npy'"),
        ({"data": np.zeros(3)}, "holds '<f8'"),
        ({"data": np.zeros((2, 2), np.float32)}, "expected 1 dimensions"),
        ({"data": np.zeros(0, np.float32)}, "as many indices as values"),
        ({"indices": np.zeros(2, np.float32)}, "holds '<f4'"),
        ({"indptr": np.zeros(0, np.int32)}, "0 offsets"),
        ({"indptr": np.zeros(2**20, np.int64)}, "1048576 offsets"),
        ({"format": np.array(b"csr")}, "expected 'csc'"),
        ({"format": np.array("dia")}, "expected 'csc'"),
        ({"shape": np.array([2, 2, 2])}, "expected two numbers"),
        ({"shape": np.array([-1, 3])}, "expected two numbers"),
        ({"shape": np.array([2**40, 3])}, "expected two numbers"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_arrays_of_another_kind(folder, file, changes, match, monkeypatch):
    monkeypatch.chdir(folder)
    edit_npz(folder / file, **changes)
    assert_refused(folder, file, match)
    assert not (folder / "executed").exists()


def changed(array, position, value):
    array = array.copy()
    array[position] = value
    return array


@pytest.mark.parametrize("file", [W0, C0, W3, C3])
@pytest.mark.parametrize(
    ("part", "position", "value", "match"),
    [
        ("indices", 0, -1, "indices from -1 to"),
        ("indices", -1, 14, "has indices from 0 to|has the shape|expected 0 to"),
        ("indices", -1, 2**31 - 1, "to 2147483647; expected 0 to"),
        ("indptr", 0, 1, "offsets that do not ascend"),
        ("indptr", 0, -1, "offsets that do not ascend"),
        ("indptr", -1, 2**31 - 1, "offsets that do not ascend"),
        ("data", 0, np.nan, "NaN or infinite"),
        ("data", 0, np.inf, "NaN or infinite"),
        ("shape", 1, 50, "expected 51 offsets"),
        ("shape", 0, 0, "expected 0 to -1"),
    ],
)
def test_numbers_out_of_range(folder, file, part, position, value, match):
    with np.load(folder / file) as parts:
        array = changed(parts[part], position, value)
    edit_npz(folder / file, **{part: array})
    assert_refused(folder, file, match)


def test_offsets_that_go_back(folder):
    with np.load(folder / W3) as parts:
        indptr = parts["indptr"].copy()
    indptr[[3, 4]] = indptr[[4, 3]]
    edit_npz(folder / W3, indptr=indptr)
    assert_refused(folder, W3, "offsets that do not ascend")


def save_as(path, matrix):
    matrix = sparse.csc_matrix(matrix, dtype=np.float32)
    sparse.save_npz(path, matrix, compressed=False)


@pytest.mark.parametrize(
    ("file", "shape", "match"),
    [
        (C0, (3, 2), r"shape \(3, 2\); expected \(3, 1\)"),
        (C0, (4, 1), r"shape \(4, 1\); expected \(3, 1\)"),
        (C3, (14, 4), r"shape \(14, 4\); expected \(14, 5\)"),
        (C3, (0, 0), r"shape \(0, 0\); expected \(14, 5\)"),
        (W3, (0, 14), "a feature, a bias and a node at least"),
        (W3, (1, 14), "a feature, a bias and a node at least"),
        (W3, (13, 0), "a feature, a bias and a node at least"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(folder, file, shape, match):
    save_as(folder / file, np.zeros(shape))
    assert_refused(folder, file, match)


def test_levels_of_other_features(folder):
    save_as(folder / W3, np.ones((14, 14)))
    assert_refused(folder, P3, "'nr_features': 12; expected 13")
    edit_json(folder / P3, nr_features=13)
    edit_json(folder / "ranker/param.json", nr_features=13)
    assert_refused(folder, P3, "'nr_features': 13; expected 12")


def test_huge_declared_shape_takes_no_memory(tmp_path):
    folder = Path(shutil.copytree(DATA / "pecos-one-level", tmp_path / "model"))
    edit_npz(folder / W0, shape=np.array([2**31 - 1, 14]))
    edit_json(folder / P0, nr_features=2**31 - 2)
    edit_json(folder / "ranker/param.json", nr_features=2**31 - 2)
    classifier = load_pecos(folder)
    assert classifier.n_features_in_ == 2**31 - 2
    assert classifier.nbytes_ < 100_000
    # The last of 13 rows is no bias now.
    _, scores = classifier.rank_one(np.array([12], np.int32), np.ones(1, np.float32))
    assert len(set(scores)) > 1


def test_clusters_that_are_no_tree(folder):
    with np.load(folder / C3) as parts:
        indices, data = parts["indices"], parts["data"]
    edit_npz(folder / C3, indices=changed(indices, 0, indices[-1]))
    assert_refused(folder, C3, "2 entries in row 12; expected one at most")
    edit_npz(folder / C3, indices=indices, data=changed(data, 0, 0))
    assert_refused(folder, C3, "not positive")
    clusters = np.zeros((14, 5))
    clusters[:, 0] = 1
    save_as(folder / C3, clusters)
    assert_refused(folder, P3, "C.npz beside .* gives no child to a node")
    save_as(folder / "ranker/1.model/C.npz", np.zeros((4, 3)))
    assert_refused(folder, "ranker/1.model", "gives no child to a node")
    save_as(folder / C0, np.zeros((3, 1)))
    assert_refused(folder, P0, "gives no child to a node")


@pytest.mark.parametrize("row", [0, 12])
def test_a_weight_twice(folder, row):
    weights = sparse.load_npz(folder / W3)
    indices = changed(weights.indices, slice(0, 2), row)
    edit_npz(folder / W3, indices=indices)
    assert_refused(folder, "W.npz", "twice in a column")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_compressed_archives(folder, compression):
    """A thousand times larger when read: PECOS writes none and its C++ reads none."""
    with (
        np.load(folder / W0) as parts,
        zipfile.ZipFile(folder / "bomb", "w", compression) as archive,
    ):
        for name in parts:
            buffer = io.BytesIO()
            np.save(buffer, parts[name])
            archive.writestr(f"{name}.npy", buffer.getvalue())
    (folder / "bomb").replace(folder / W0)
    assert_refused(folder, W0, "is compressed or encrypted")


def test_members_twice_or_with_paths(folder):
    content = (folder / W0).read_bytes()
    with zipfile.ZipFile(folder / W0, "a") as archive:
        archive.writestr("../../escaped.npy", b"x")
        archive.writestr("/tmp/escaped.npy", b"x")
    load_pecos(folder)  # read by name, never unpacked
    assert not (folder.parent / "escaped.npy").exists()
    (folder / W0).write_bytes(content)
    with (
        zipfile.ZipFile(folder / W0, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("data.npy", b"x")
    assert_refused(folder, W0, "holds 'data.npy' more than once")


def test_members_larger_than_the_file(folder):
    content = bytearray((folder / W0).read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    for position in (20, 24):  # compressed and uncompressed size
        start = directory + position
        content[start : start + 4] = (2**31).to_bytes(4, "little")
    (folder / W0).write_bytes(bytes(content))
    assert_refused(folder, W0, "more than there are")


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from([W0, C0, W3, C3, P0, "ranker/param.json", "param.json"]),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4),
    st.integers(0, 3000),
)
def test_damaged_bytes(tmp_path_factory, file, edits, n_cut):
    """Any damage is refused, or does no harm."""
    original = DATA / "pecos-deep"
    content = bytearray((original / file).read_bytes())
    for position, value in edits:
        content[position % len(content)] = value
    if n_cut < 1000:
        content = content[: len(content) - n_cut % len(content)]
    folder = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(original, folder)
    (folder / file).write_bytes(bytes(content))
    refusal = classifier = None
    try:
        classifier = load_pecos(folder)
    except ValueError as error:
        refusal = str(error)
    shutil.rmtree(folder)
    if classifier is None:
        assert str(folder) in refusal
    else:
        X = np.ones((2, classifier.n_features_in_), dtype=np.float32)
        _, scores = classifier.rank(X)
        assert (scores >= 0).all()
        assert (scores <= 1).all()


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
