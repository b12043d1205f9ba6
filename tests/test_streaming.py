"""Data larger than memory: mapped from files, read and written a batch at a time."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_watch import printed_by
from scipy import sparse
from sklearn.pipeline import make_pipeline
from twins import random_sparse

import skxmr
from skxmr import WordNgramTfidf, XRLinearClassifier
from skxmr._memory._large import empty_beside, is_mapped
from skxmr._utils import _csr_files
from skxmr.streaming import (
    load_csr,
    load_texts,
    rank_batches,
    row_batches,
    save_csr,
    save_rankings,
    save_texts,
)


def random_csr(n_rows, n_columns, density=0.1, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return random_sparse(rng, (n_rows, n_columns), density).astype(dtype)


def assert_same_csr(one, other):
    assert one.shape == other.shape
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.dtype == other.dtype


# Matrices in files


@settings(deadline=None)
@given(
    n_rows=st.integers(0, 30),
    size=st.integers(1, 40),
    density=st.floats(0, 1),
    dtype=st.sampled_from([np.float32, np.float64, np.int8, np.bool_]),
)
def test_a_matrix_comes_back(tmp_path_factory, n_rows, size, density, dtype):
    folder = tmp_path_factory.mktemp("matrix")
    X = random_csr(n_rows, 7, density).astype(dtype)
    X.sort_indices()
    batches = row_batches(X, size) if n_rows else [X]
    assert save_csr(batches, folder) == (n_rows, 7)
    assert_same_csr(load_csr(folder), X)
    assert_same_csr(load_csr(folder, mmap_mode=None), X)


def test_entries_are_mapped_and_read_only(tmp_path):
    X = random_csr(500, 40)
    save_csr([X], tmp_path)
    mapped = load_csr(tmp_path)
    for array in (mapped.data, mapped.indices):
        assert is_mapped(array)
        assert not array.flags.writeable
    assert not is_mapped(load_csr(tmp_path, mmap_mode=None).data)
    assert not is_mapped(X.data)


def test_very_many_entries_have_wide_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(_csr_files, "_MAX_INT32", 100)
    monkeypatch.setattr("skxmr._utils._npy._CHUNK", 7)
    X = random_csr(50, 40)
    save_csr(row_batches(X, 9), tmp_path)
    mapped = load_csr(tmp_path)
    assert mapped.indices.dtype == mapped.indptr.dtype == np.int64
    assert is_mapped(mapped.indices)
    assert_same_csr(mapped, X)


def test_rows_that_are_not_canonical(tmp_path):
    X = sparse.csr_array(
        (np.ones(3, np.float32), [2, 0, 2], [0, 3]), shape=(1, 3), copy=True
    )
    save_csr([X], tmp_path)
    assert load_csr(tmp_path).toarray().tolist() == [[1, 0, 2]]
    assert X.nnz == 3


def test_what_does_not_go_together_is_refused_and_nothing_written(tmp_path):
    X = random_csr(5, 4)
    save_csr([X], tmp_path)
    with pytest.raises(ValueError, match="has 3 columns; expected 4, as before"):
        save_csr([X, X[:, :3]], tmp_path)
    with pytest.raises(ValueError, match=r"data of a batch are float64 .* float32"):
        save_csr([X, X.astype(np.float64)], tmp_path)
    with pytest.raises(TypeError, match="sparse matrices; got a ndarray"):
        save_csr([X.toarray()], tmp_path)
    with pytest.raises(ValueError, match="There is no batch of data"):
        save_csr([], tmp_path)
    assert_same_csr(load_csr(tmp_path), X)
    assert len(list(tmp_path.iterdir())) == 4


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    save_csr([random_csr(5, 4)], tmp_path)
    np.save(tmp_path / "indptr.npy", np.arange(6))
    with pytest.raises(ValueError, match="are not consistent: 5 rows of 5 entries"):
        load_csr(tmp_path)
    with pytest.raises(ValueError, match=r"mmap_mode='r\+'"):
        load_csr(tmp_path, mmap_mode="r+")


@pytest.mark.parametrize("n_rows", [0, -1, 2.0, True, None])
def test_batches_have_rows(n_rows):
    with pytest.raises(ValueError, match=r"n_rows=.* must be a positive integer"):
        row_batches([1, 2], n_rows)


# Rankings


@pytest.fixture(scope="module")
def fitted():
    titles, Y = skxmr.datasets.load_subjects(return_X_y=True)
    model = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0))
    return model.fit(titles[:1000], Y[:1000]), titles[1000:1100]


@pytest.mark.parametrize("size", [1, 33, 1000])
def test_batches_are_ranked_as_the_whole(fitted, size, tmp_path):
    model, titles = fitted
    expected = skxmr.rank(model, titles, 4)
    parts = rank_batches(model, row_batches(titles, size), k=4)
    assert save_rankings(parts, tmp_path) == 100
    for name, array in zip(("columns", "scores"), expected, strict=True):
        written = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        np.testing.assert_array_equal(written, array, strict=True)


def test_a_batch_is_asked_for_when_the_one_before_is_done(fitted):
    model, titles = fitted
    asked = []

    def batches():
        for batch in row_batches(titles, 10):
            asked.append(len(batch))
            yield batch

    rankings = rank_batches(model, batches(), k=1)
    assert asked == []
    for n_batches, (columns, _) in enumerate(rankings, start=1):
        assert len(columns) == 10
        assert len(asked) == n_batches


def test_an_error_in_the_middle_leaves_earlier_rankings(fitted, tmp_path):
    model, titles = fitted
    save_rankings(rank_batches(model, [titles], k=2), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(TypeError, match="must be a str"):
        save_rankings(rank_batches(model, [titles, [1]], k=2), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(ValueError, match="k"):
        rank_batches(model, [titles], k=0)


# Memory


def test_what_lies_beside_a_mapped_array_is_mapped_too(tmp_path):
    np.save(tmp_path / "array.npy", np.arange(10))
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")
    for source, is_file in ((mapped[2:5], True), (np.arange(3), False)):
        array = empty_beside(source, (1000, 1000), np.float32)
        array[:] = 1
        assert array.sum() == 1e6
        if sys.platform == "linux":
            (line,) = [
                line
                for line in Path("/proc/self/maps")
                .read_text(encoding="utf-8")
                .splitlines()
                if _start(line) <= _address(array) < _end(line)
            ]
            assert is_file == line.endswith("(deleted)")


def _address(array):
    return array.__array_interface__["data"][0]


def _start(line):
    return int(line.partition("-")[0], 16)


def _end(line):
    return int(line.partition("-")[2].partition(" ")[0], 16)


FIT = """
import skxmr
from skxmr import XRLinearClassifier
from skxmr.streaming import load_csr, rank_batches, row_batches

folder = sys.argv[1]
# What is loaded at the first fit is no matter of the data.
small = load_csr(folder + "/small X"), load_csr(folder + "/small Y")
XRLinearClassifier(random_state=0, C=0.01).fit(*small)
mmap_mode = None if sys.argv[2] == "None" else sys.argv[2]
with Watch() as watch:
    X = load_csr(folder + "/X", mmap_mode=mmap_mode)
    Y = load_csr(folder + "/Y", mmap_mode=mmap_mode)
    model = XRLinearClassifier(random_state=0, C=0.01, threshold=0.2).fit(X, Y)
    for columns, _ in rank_batches(model, row_batches(X, 1000), k=5):
        pass
print(watch.added, model.n_weights_)
"""


def big_problem(rng, n_rows, n_labels=64, n_features=3000, n_entries=600):
    """Many rows of many features, and few labels."""
    columns = np.sort(
        rng.permuted(np.tile(np.arange(n_features, dtype=np.int32), (64, 1)), axis=1)[
            :, :n_entries
        ]
    )
    labels = np.arange(n_rows) % n_labels
    data = rng.random((n_rows, n_entries), dtype=np.float32)
    X = sparse.csr_array(
        (
            data.ravel(),
            columns[labels].ravel(),
            np.arange(n_rows + 1, dtype=np.int32) * n_entries,
        ),
        shape=(n_rows, n_features),
    )
    Y = sparse.csr_array(
        (np.ones(n_rows, np.int8), labels.astype(np.int32), np.arange(n_rows + 1)),
        shape=(n_rows, n_labels),
    )
    return X, Y


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_fit_and_rank_copy_nothing_that_is_mapped(tmp_path):
    """Memory that no file backs, at its peak: far less than X; without maps, more."""
    rng = np.random.default_rng(0)
    X, Y = big_problem(rng, 10_000)
    save_csr(row_batches(X, 5_000), tmp_path / "X")
    save_csr([Y], tmp_path / "Y")
    save_csr([X[:200]], tmp_path / "small X")
    save_csr([Y[:200]], tmp_path / "small Y")
    size = X.data.nbytes + X.indices.nbytes
    peaks, models = {}, {}
    for mmap_mode in ("r", "None"):
        peaks[mmap_mode], models[mmap_mode] = printed_by(FIT, tmp_path, mmap_mode)
    assert models["r"] == models["None"]
    assert peaks["None"] > 1.5 * size
    assert peaks["r"] < 0.5 * size


# Texts in files

some_texts = st.lists(st.text(st.characters(), max_size=6), max_size=30)


@settings(deadline=None)
@given(texts=some_texts)
def test_texts_come_back(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("texts")
    assert save_texts(iter(texts), folder) == len(texts)
    loaded = load_texts(folder)
    assert len(loaded) == len(texts)
    assert list(loaded) == texts
    assert loaded == texts
    assert loaded[1:3] == texts[1:3]
    if texts:
        assert is_mapped(loaded.text)
        assert loaded[-1] == texts[-1]


def test_an_invalid_text_leaves_earlier_files(tmp_path):
    save_texts(["one"], tmp_path)
    for bad, error in (("text", ValueError), ([1], TypeError), (None, TypeError)):
        with pytest.raises(error, match="texts"):
            save_texts(bad, tmp_path)
    assert list(load_texts(tmp_path)) == ["one"]


def test_files_of_texts_are_checked(tmp_path):
    save_texts(["one", "two"], tmp_path)
    np.save(tmp_path / "offsets.npy", np.array([0, 3, 9]))
    with pytest.raises(ValueError, match="not consistent: 2 texts up to byte"):
        load_texts(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_texts(tmp_path / "none")
