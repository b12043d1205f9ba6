"""Writing the Extreme Classification Repository's text format."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from xmc_texts import (
    COMPRESSORS,
    LARGEST,
    SMALL,
    SMALL_X,
    SMALL_Y,
    assert_same,
    load_bytes,
    peak_of,
    random_data,
)

from skxmr.datasets import dump_xmc, load_xmc

pytestmark = pytest.mark.kernels

# scikit-learn's writer separates labels and features even if there are no features.
WRITTEN = SMALL.replace(b"\n3\n", b"\n3 \n")


def test_empty_rows_at_the_end_are_written_and_read(tmp_path):
    dump_xmc(np.zeros((2, 3)), np.zeros((2, 4)), tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == b"2 3 4\n \n \n"
    assert load_xmc(tmp_path / "data")[0].shape == (2, 3)


def test_stored_zeros_and_their_signs_stay(tmp_path):
    X, Y = load_bytes(b"1 3 0\n 0:0 1:-0.0 2:0e9999\n")
    assert X.data.tolist() == [0, 0, 0]
    assert np.signbit(X.data).tolist() == [False, True, False]
    dump_xmc(X, Y, tmp_path / "zeros.txt")
    assert (tmp_path / "zeros.txt").read_bytes() == b"1 3 0\n 0:0 1:-0 2:0\n"


@pytest.mark.parametrize("ending", ["", *COMPRESSORS])
def test_reads_and_writes_compressed_files(tmp_path, ending):
    X, Y = random_data()
    path = tmp_path / f"data.txt{ending}"
    dump_xmc(X, Y, path)
    content = path.read_bytes()
    dump_xmc(X, Y, tmp_path / "plain.txt")
    plain = (tmp_path / "plain.txt").read_bytes()
    if ending:
        assert len(content) < len(plain)
        assert COMPRESSORS[ending](b"")[:2] == content[:2]
    path.rename(tmp_path / "content_tells")
    for source in (tmp_path / "content_tells", io.BytesIO(content)):
        again_X, again_Y = load_xmc(source)
        assert_same(again_X, X)
        assert_same(again_Y, Y)


def test_writes_the_same_bytes_every_time(tmp_path):
    X, Y = random_data()
    first, second = tmp_path / "a.gz", tmp_path / "b.gz"
    dump_xmc(X, Y, first)
    dump_xmc(X, Y, second)
    assert first.read_bytes() == second.read_bytes()


def test_kinds_of_path(tmp_path):
    path = tmp_path / "dätä.txt"
    for kind in (path, str(path), os.fsencode(path)):
        dump_xmc(SMALL_X, SMALL_Y, kind)
        assert path.read_bytes() == WRITTEN
        assert_array_equal(load_xmc(kind)[1].toarray(), SMALL_Y)
        path.unlink()


def test_rows_longer_than_a_block(monkeypatch, tmp_path):
    X, Y = random_data()
    dump_xmc(X, Y, tmp_path / "whole.txt")
    monkeypatch.setattr("skxmr.datasets._xmc.CHUNK_BYTES", 16)
    monkeypatch.setattr("skxmr.datasets._xmc_writing.BLOCK_ENTRIES", 10)
    dump_xmc(X, Y, tmp_path / "data.txt")
    assert (tmp_path / "data.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()
    again_X, again_Y = load_xmc(tmp_path / "data.txt")
    assert_same(again_X, X)
    assert_same(again_Y, Y)


@st.composite
def data_sets(draw):
    n_rows = draw(st.integers(0, 6))
    n_features, n_labels = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False)

    def matrix(n_columns, values, dtype):
        cells = st.lists(
            values, min_size=n_rows * n_columns, max_size=n_rows * n_columns
        )
        return np.array(draw(cells), dtype=dtype).reshape(n_rows, n_columns)

    X = matrix(n_features, st.one_of(st.just(0.0), floats), np.float32)
    return X, matrix(n_labels, st.integers(0, 1), np.int32)


@settings(deadline=None)
@given(data=data_sets(), zero_based=st.booleans())
def test_round_trip(tmp_path_factory, data, zero_based):
    X, Y = data
    path = tmp_path_factory.getbasetemp() / "round_trip.txt"
    dump_xmc(X, Y, path, zero_based=zero_based)
    again_X, again_Y = load_xmc(path, zero_based=zero_based)
    assert_same(again_X, sparse.csr_array(X))
    assert_same(again_Y, sparse.csr_array(Y))


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        list,
        sparse.csr_array,
        sparse.csr_matrix,
        sparse.csc_array,
        sparse.coo_array,
        lambda a: sparse.csr_array(np.asarray(a, dtype=np.float64)),
    ],
)
def test_kinds_of_matrices(tmp_path, convert):
    path = tmp_path / "data.txt"
    dump_xmc(convert(SMALL_X), convert(SMALL_Y), path)
    assert path.read_bytes() == WRITTEN


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float16])
def test_kinds_of_numbers(tmp_path, dtype):
    path = tmp_path / "data.txt"
    dump_xmc(np.eye(2, dtype=dtype), np.eye(2, dtype=dtype), path)
    assert path.read_bytes() == b"2 2 2\n0 0:1\n1 1:1\n"


def test_long_indices_and_read_only_arrays(tmp_path):
    X, Y = random_data()
    long = []
    for matrix in (X, Y):
        copy = matrix.copy()
        copy.indices, copy.indptr = copy.indices.astype("i8"), copy.indptr.astype("i8")
        for array in (copy.data, copy.indices, copy.indptr):
            array.setflags(write=False)
        long.append(copy)
    dump_xmc(*long, tmp_path / "long.txt")
    dump_xmc(X, Y, tmp_path / "short.txt")
    assert (tmp_path / "long.txt").read_bytes() == (tmp_path / "short.txt").read_bytes()


def test_what_is_not_canonical_is_made_so_in_a_copy(tmp_path):
    data, columns = np.array([1.0, 2, 4]), np.array([3, 1, 3])
    X = sparse.csr_array((data, columns, np.array([0, 3])), shape=(1, 5))
    Y = sparse.csr_array(
        (np.array([1, 0, 1]), np.array([2, 1, 0]), np.array([0, 3])), shape=(1, 3)
    )
    dump_xmc(X, Y, tmp_path / "data.txt")
    assert (tmp_path / "data.txt").read_bytes() == b"1 5 3\n0,2 1:2 3:5\n"
    assert X.data.tolist() == [1, 2, 4]
    assert X.indices.tolist() == [3, 1, 3]
    assert Y.data.tolist() == [1, 0, 1]
    assert Y.indices.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        ([[np.nan]], [[1]], "X contains NaN"),
        ([[np.inf]], [[1]], "X contains infinity"),
        ([[1e39]], [[1]], "X has values beyond the range of float32"),
        (sparse.csr_array([[1e39]]), [[1]], "X has values beyond the range"),
        ([[1.0]], [[2]], "Y must be an indicator matrix"),
        ([[1.0]], [[0.5]], "Y must be an indicator matrix"),
        ([[1.0]], [[-1]], "Y must be an indicator matrix"),
        ([[1.0]], [[np.nan]], "Y contains NaN"),
        (
            [[1.0], [2.0]],
            [[1]],
            "X and Y must have the same number of rows, got 2 and 1",
        ),
        ([[1.0]], [1], "Expected 2D array, got 1D array"),
        ([["a"]], [[1]], "could not convert string"),
        (sparse.csr_array((1, 2**31)), [[1]], "X must have at most 2147483647 columns"),
        ([[1.0]], sparse.csr_array((1, 2**31)), "Y must have at most 2147483647 col"),
    ],
)
def test_refusals_leave_the_earlier_file_whole(tmp_path, X, Y, message):
    path = tmp_path / "data.txt"
    path.write_bytes(SMALL)
    with pytest.raises(ValueError, match=message):
        dump_xmc(X, Y, path)
    assert path.read_bytes() == SMALL
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["", *COMPRESSORS])
def test_a_failure_while_writing_leaves_the_earlier_file_whole(
    tmp_path, monkeypatch, ending
):
    path = tmp_path / f"data{ending}"
    dump_xmc(SMALL_X, SMALL_Y, path)
    before = path.read_bytes()

    def fail(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("skxmr.datasets._xmc_writing.dump_svmlight_file", fail)
    with pytest.raises(KeyboardInterrupt):
        dump_xmc(SMALL_X, SMALL_Y, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_files_are_replaced(tmp_path):
    with pytest.raises(OSError, match="is not a regular file"):
        dump_xmc(SMALL_X, SMALL_Y, tmp_path)
    if Path(os.devnull).exists():
        with pytest.raises(OSError, match="is not a regular file"):
            dump_xmc(SMALL_X, SMALL_Y, os.devnull)


def test_the_last_of_most_columns(tmp_path):
    column = LARGEST - 1
    value = np.float32(-1.1754944e-38) * np.float32(0.123456)
    X = sparse.csr_array(([value], ([0], [column])), shape=(1, LARGEST))
    Y = sparse.csr_array(([1], ([0], [column])), shape=(1, LARGEST))
    dump_xmc(X, Y, tmp_path / "data.txt", zero_based=False)
    again_X, again_Y = load_xmc(tmp_path / "data.txt", zero_based=False)
    assert_same(again_X, X)
    assert_same(again_Y, Y.astype(np.int32))


def test_blocks_bound_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("skxmr.datasets._xmc_writing.BLOCK_ENTRIES", 1000)
    X, Y = random_data(n_rows=3000)
    _, peak = peak_of(dump_xmc, X, Y, tmp_path / "data.txt")
    assert X.nnz > 50_000
    assert peak < 12 * X.nnz
