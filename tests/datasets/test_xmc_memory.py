"""Reading the Extreme Classification Repository's text format block by block."""

import gzip
import io
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import dump_svmlight_file
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

from skxmr._cython import _xmc as kernel
from skxmr.datasets import load_xmc

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_lines_may_cross_blocks(monkeypatch, chunk):
    monkeypatch.setattr("skxmr.datasets._xmc.CHUNK_BYTES", chunk)
    X, Y = load_bytes(SMALL)
    assert_array_equal(X.toarray(), np.array(SMALL_X, dtype=np.float32))
    assert_array_equal(Y.toarray(), SMALL_Y)
    with pytest.raises(ValueError, match=r"line 4: got 'x'"):
        load_bytes(SMALL.replace(b"\n3", b"\nx"))


def test_agrees_with_scikit_learn_on_many_blocks(tmp_path):
    X, Y = random_data(n_rows=10_000)
    path = tmp_path / "data.svmlight"
    dump_svmlight_file(X, Y, str(path), multilabel=True)
    body = path.read_bytes().split(b"\n")
    rows = b"\n".join(line for line in body if not line.startswith(b"#"))
    again_X, again_Y = load_bytes(b"10000 1000 200\n" + rows)
    assert_same(again_X, X)
    assert_same(again_Y, Y)


def test_memory_is_that_of_the_result():
    row = b"1,2,3 " + b" ".join(b"%d:0.123" % i for i in range(0, 200, 2)) + b"\n"
    text = b"20000 200 4\n" + 20_000 * row
    stream = gzip.compress(text, 1)
    tracemalloc.start()
    X, Y = load_bytes(stream)
    now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    held = sum(a.nbytes for m in (X, Y) for a in (m.data, m.indices, m.indptr))
    assert held > 16e6
    assert now < 1.01 * held + 1e6
    # The least is the result, an eighth, and a few blocks with their bounds.
    assert peak < 1.15 * held + 8e6


def test_a_long_line_takes_no_more_than_its_result():
    n = 1_000_000
    row = b",".join(b"%d" % i for i in range(n)) + b" "
    row += b" ".join(b"%d:1" % i for i in range(n)) + b"\n"
    text = io.BytesIO(b"2 %d %d\n" % (n, n) + row + b"7 7:0.5\n")
    (X, Y), peak = peak_of(load_xmc, text)
    assert X.nnz == Y.nnz == n + 1
    assert (X.indices[:n] == np.arange(n)).all()
    assert (Y.indices[:n] == np.arange(n)).all()
    held = sum(a.nbytes for m in (X, Y) for a in (m.data, m.indices, m.indptr))
    assert len(row) > 15e6
    assert peak < 1.15 * held + 8e6


HUGE = 1 << 24


@pytest.mark.parametrize("before", [b"", b"1", b"0,1 ", b"1 1:0."], ids=repr)
@pytest.mark.parametrize("compress", [bytes, *COMPRESSORS.values()])
def test_an_endless_number_is_refused_early(before, compress):
    text = io.BytesIO(compress(b"2 2 2\n0 0:1\n" + before + HUGE * b"0"))

    def load():
        with pytest.raises(ValueError, match=r"line 3: got .* number of at most"):
            load_xmc(text)

    _, peak = peak_of(load)
    assert peak < 13e6  # most of it is the dictionary of xz


@pytest.mark.parametrize("start", [b"", b"1 2 3"])
def test_an_endless_header_is_refused_early(start):
    text = io.BytesIO(start + HUGE * b" ")

    def load():
        with pytest.raises(ValueError, match="expected the numbers of rows"):
            load_xmc(text)

    _, peak = peak_of(load)
    assert peak < HUGE / 4


def test_endless_blanks_take_no_memory():
    blanks = HUGE * b" "
    text = io.BytesIO(b"2 2 2\n0" + blanks + b"1:2" + blanks + b"\n1 0:1\n" + blanks)
    (X, Y), peak = peak_of(load_xmc, text)
    assert_array_equal(X.toarray(), [[0, 2], [1, 0]])
    assert_array_equal(Y.toarray(), [[1, 0], [0, 1]])
    assert peak < HUGE / 4


@pytest.mark.parametrize("rows", [b"", b"0 0:1\n"])
def test_header_does_not_allocate(rows):
    text = f"{2**63 - 1} {LARGEST} {LARGEST}\n".encode() + rows
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"expected {2**63 - 1} rows"):
        load_bytes(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


def test_parser_refuses_arrays_without_room():
    def parse(text, n_labels=2, n_features=2, unfinished=(0, 0)):
        matrices = SimpleNamespace(
            unfinished=np.array(unfinished, dtype=np.int64),
            n_labels=9,
            n_features=9,
            base=0,
            has_labels=True,
            n_rows=0,
            label_count=0,
            feature_count=0,
            label_offsets=np.zeros(2, dtype=np.int64),
            labels=np.zeros(n_labels, dtype=np.int32),
            feature_offsets=np.zeros(2, dtype=np.int64),
            features=np.zeros(n_features, dtype=np.int32),
            values=np.zeros(n_features, dtype=np.float32),
        )
        return kernel.parse_rows(text, matrices, 1)

    assert parse(b"1\n")[1:3] == (1, 2)
    with pytest.raises(ValueError, match="must end with a newline"):
        parse(b"1 1:1")
    with pytest.raises(ValueError, match="must end with a newline"):
        parse(b"")
    with pytest.raises(ValueError, match="too small"):
        parse(b"1 1:1\n")
    for unfinished in ((0,), (3, 0), (-1, 0)):
        with pytest.raises(ValueError, match="too small"):
            parse(b"1\n", unfinished=unfinished)
