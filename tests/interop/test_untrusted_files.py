"""Folders of PECOS from strangers are refused, and harm nothing."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platforms import may_link
from scipy import sparse

from skxmr.interop import load_pecos

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def folder(tmp_path):
    """A model of three levels that a test can damage."""
    return Path(shutil.copytree(DATA / "pecos-deep", tmp_path / "model"))


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
