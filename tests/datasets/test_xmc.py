"""The Extreme Classification Repository's text format: read, written, refused."""

import bz2
import gzip
import io
import lzma
import os
import re
import tracemalloc
import zipfile
from decimal import Decimal, localcontext
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import config_context, get_config
from sklearn.datasets import dump_svmlight_file
from twins import random_sparse

from skxmr._cython import _xmc as kernel
from skxmr.datasets import dump_xmc, load_xmc

pytestmark = pytest.mark.kernels

SMALL = b"3 5 4\n0,2 1:0.5 4:2\n 0:1.25\n3\n"
SMALL_X = [[0, 0.5, 0, 0, 2], [1.25, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
SMALL_Y = [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
COMPRESSORS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
LARGEST = 2**31 - 1


def load_bytes(text, **options):
    return load_xmc(io.BytesIO(text), **options)


def load_slowly(text, base=0):
    """Parse as the format is described; the twin of the compiled parser."""
    lines = text.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n")
    header = re.fullmatch(rb"[ \t]*(\d+)[ \t]+(\d+)[ \t]+(\d+)[ \t]*\r?", lines[0])
    if not header:
        raise ValueError("no header")
    n, d, n_labels = map(int, header.groups())
    if max(d, n_labels) > LARGEST or b"".join(lines[n + 1 :]).strip(b" \t\r"):
        raise ValueError("too large or too long")
    X, Y = [], []
    while len(lines) > 1 and lines[-1] in (b"", b"\r"):
        lines.pop()
    for line in lines[1 : n + 1]:
        joined = re.sub(rb",[ \t]+", b",", line.removesuffix(b"\r"))
        fields = re.split(rb"[ \t]+", joined)
        Y.append({index(label, n_labels, base) for label in split_labels(fields[0])})
        row = {}
        for field in fields[1:]:
            if field:
                feature, value = field.split(b":")
                feature = index(feature, d, base)
                if feature in row or not NUMBER.fullmatch(value):
                    raise ValueError("repeated, or no number")
                row[feature] = as_float32(value)
        X.append(row)
    if len(X) != n:
        raise ValueError("too few rows")
    return X, Y


def split_labels(field):
    return field.split(b",") if field else []


def index(digits, size, base):
    if not re.fullmatch(rb"\d+", digits) or not 0 <= int(digits) - base < size:
        raise ValueError("no column")
    return int(digits) - base


def as_float32(text):
    with np.errstate(over="ignore"):
        value = np.float32(float(text))
    if not np.isfinite(value):
        raise ValueError("not finite")
    return value


def outcome(load, text):
    """Rows as dicts and sets, or ValueError."""
    try:
        X, Y = load(text)
    except ValueError:
        return ValueError
    if load is load_slowly:
        return [{f: v.tobytes() for f, v in row.items()} for row in X], Y
    assert X.has_canonical_format
    assert Y.has_canonical_format
    return (
        [
            {int(f): v.tobytes() for f, v in zip(*entries(X, row), strict=True)}
            for row in range(X.shape[0])
        ],
        [set(entries(Y, row)[0].tolist()) for row in range(Y.shape[0])],
    )


def entries(matrix, row):
    window = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[window], matrix.data[window]


def assert_same(one, other):
    """Same format, shape, entries and bits."""
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    assert_array_equal(one.indptr, other.indptr)
    assert_array_equal(one.indices, other.indices)
    assert one.data.tobytes() == other.data.tobytes()


def random_data(n_rows=300, n_features=1000, n_labels=200, seed=0):
    rng = np.random.default_rng(seed)
    X = random_sparse(rng, (n_rows, n_features), density=0.02)
    Y = (random_sparse(rng, (n_rows, n_labels), density=0.01) != 0).astype(np.int32)
    return X, Y


def test_reads_what_the_format_says():
    X, Y = load_bytes(SMALL)
    assert X.dtype == np.float32
    assert Y.dtype == np.int32
    assert_array_equal(X.toarray(), np.array(SMALL_X, dtype=np.float32))
    assert_array_equal(Y.toarray(), SMALL_Y)


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace(b"\n", b"\r\n"),
        SMALL[:-1],
        SMALL.replace(b"\n", b"\r\n")[:-1],
        SMALL + b"\n \r\n\t\n",
        b"\xef\xbb\xbf" + SMALL,
        SMALL.replace(b"0,2", b"0, 2"),
        SMALL.replace(b"0,2", b"2,\t  0, 0"),
        SMALL.replace(b" ", b"\t"),
        SMALL.replace(b"2\n", b"2  \t\n"),
        SMALL.replace(b" 4:2", b"   4:2"),
        b" 3\t5  4 \n" + SMALL.partition(b"\n")[2],
        SMALL.replace(b"1:0.5 4:2", b"4:2 1:0.5"),
        SMALL.replace(b"0,2 ", b"2,0,2,2 "),
        SMALL.replace(b"4:2", b"004:+02.00e0"),
    ],
    ids=repr,
)
def test_variants_of_the_text_mean_the_same(text):
    X, Y = load_bytes(text)
    expected_X, expected_Y = load_bytes(SMALL)
    assert_same(X, expected_X)
    assert_same(Y, expected_Y)


@pytest.mark.parametrize("text", [b"0 5 3\n", b"0 5 3", b"0 0 0\n\n"])
def test_no_rows(text):
    X, Y = load_bytes(text)
    expected = tuple(map(int, text.split()))
    assert (X.shape[0], X.shape[1], Y.shape[1]) == expected
    assert X.nnz == Y.nnz == 0


def test_lines_without_anything_are_rows():
    X, Y = load_bytes(b"4 2 2\n\n \n1\n \n")
    assert X.nnz == 0
    assert_array_equal(Y.toarray(), [[0, 0], [0, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\n\n", b"\r\n\n\r\n"])
def test_lines_of_nothing_at_the_end_are_no_rows(blank, monkeypatch):
    for size in (2, 5, 1 << 18):
        monkeypatch.setattr("skxmr.datasets._xmc.CHUNK_BYTES", size)
        X, Y = load_bytes(SMALL + blank)
        assert X.shape == (3, 5)
        cut = SMALL.removesuffix(b"3\n")
        message = r"line 4: got the end .* after 2 rows, expected 3 .* one space\)"
        with pytest.raises(ValueError, match=message):
            load_bytes(cut + blank)
        with pytest.raises(ValueError, match="after 0 rows, expected 3"):
            load_bytes(b"3 5 4\n" + blank)
        # A row without anything is a line of one space, as it is written.
        X, Y = load_bytes(cut + b" \n" + blank)
        assert X.shape == (3, 5)
        assert Y[[2]].nnz == 0
        with pytest.raises(ValueError, match="after 2 rows, expected 3"):
            load_bytes(cut)


def test_empty_rows_at_the_end_are_written_and_read(tmp_path):
    dump_xmc(np.zeros((2, 3)), np.zeros((2, 4)), tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == b"2 3 4\n \n \n"
    assert load_xmc(tmp_path / "data")[0].shape == (2, 3)


# Two files

FEATURES = b"3 5\n1:0.5 4:2\n0:1.25\n\n"
LABELS = b"3 4\n0:1 2:1.0\n\n3:1e0\n"


@pytest.mark.parametrize("change", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("features", "labels"),
    [
        (FEATURES, LABELS),
        (FEATURES.replace(b"\n", b"\r\n"), LABELS + b"\n \n"),
        (b"\xef\xbb\xbf" + FEATURES, LABELS.replace(b"3:", b" 1:0 3:")),
        (FEATURES.replace(b"1:0.5 4:2", b"4:2\t1:0.5 "), LABELS[:-1]),
    ],
)
def test_features_and_labels_in_two_files(features, labels, change, tmp_path):
    path = tmp_path / "trn_X_Y.txt"
    path.write_bytes(change(labels))
    X, Y = load_xmc(io.BytesIO(change(features)), path)
    expected_X, expected_Y = load_bytes(SMALL)
    assert_same(X, expected_X)
    assert_same(Y, expected_Y)


def test_two_files_numbered_from_one():
    features, labels = io.BytesIO(b"1 2\n2:3\n"), io.BytesIO(b"1 2\n1:1\n")
    X, Y = load_xmc(features, labels, zero_based=False)
    assert X.toarray().tolist() == [[0, 3]]
    assert Y.toarray().tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (FEATURES, None, r"line 1: got '3 5', .* load_xmc\('trn_X_Xf.txt', 'trn_X_Y"),
        (SMALL, LABELS, r"line 1: got '3 5 4', .*: pass no labels"),
        (FEATURES, SMALL, r"line 1: got '3 5 4', .*: pass no labels"),
        (FEATURES, b"2 4\n0:1\n\n", r"has 2 rows; expected 3, as many as the file of"),
        (FEATURES, LABELS[:-6], r"line 4: got the end .* after 2 rows, expected 3"),
        (FEATURES[:-1], LABELS, r"line 4: got the end .* after 2 rows, expected 3"),
        (FEATURES, LABELS.replace(b"1e0", b"0.5"), r"line 4: got the value 0.5 of a"),
        (FEATURES, LABELS.replace(b"3:1", b"4:1"), r"line 4: got '4:1e0', expected"),
        (FEATURES, LABELS.replace(b"2:1", b"0:1"), r"line 2: got the feature 0 twice"),
        (FEATURES, LABELS.replace(b"0:1", b"0"), r"line 2: got '0', expected a feat"),
    ],
)
def test_two_files_that_are_wrong(features, labels, message):
    with pytest.raises(ValueError, match=message):
        load_xmc(io.BytesIO(features), None if labels is None else io.BytesIO(labels))


# What else is like it


def test_like_formats_are_refused_with_a_remedy():
    for text in (b"0,2 1:0.5 4:2\n3 0:1\n", b"1 1:0.5 2:1\n", b"+1 3:1\n"):
        with pytest.raises(ValueError, match=r"load_svmlight_file\(path, multilabel"):
            load_bytes(text)
    for encoding in ("utf-16-le", "utf-16-be"):
        text = ("\ufeff" + SMALL.decode()).encode(encoding)
        with pytest.raises(ValueError, match="is in UTF-16; expected ASCII or UTF-8"):
            load_bytes(text)


def archive(files, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as written:
        for name, text in files.items():
            written.writestr(name, text)
    return buffer.getvalue()


class Pipe(io.RawIOBase):
    """Bytes that cannot be read twice."""

    def __init__(self, data):
        self.source = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.source.readinto(buffer)


def test_archives_of_one_file(tmp_path):
    data = archive({"Bibtex/": b"", "Bibtex/data.txt": SMALL, "__MACOSX/._data": b"x"})
    path = tmp_path / "Bibtex.zip"
    path.write_bytes(data)
    opened = io.BytesIO(b"junk" + data)
    opened.seek(4)
    for source in (path, io.BytesIO(data), opened, Pipe(data)):
        X, Y = load_xmc(source)
        assert_array_equal(X.toarray(), np.array(SMALL_X, dtype=np.float32))
        assert_array_equal(Y.toarray(), SMALL_Y)
    with zipfile.ZipFile(path) as parts, parts.open("Bibtex/data.txt") as part:
        assert load_xmc(part)[0].shape == (3, 5)


def test_archives_that_are_wrong(tmp_path):
    both = archive({"train.txt": SMALL, "test.txt": SMALL})
    with pytest.raises(ValueError, match=r"of 2 files, \['train.txt', 'test.txt'\]"):
        load_bytes(both)
    with pytest.raises(ValueError, match=r"of 0 files"):
        load_bytes(archive({}))
    one = archive({"train.txt": SMALL * 50})
    path = tmp_path / "damaged.zip"
    locked = bytearray(archive({"train.txt": SMALL}))
    locked[6] |= 1  # says that a password is wanted
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    for data in (one[:40], one[:-30], one.replace(one[50:55], b"abcde"), bytes(locked)):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"damaged.zip: the compressed data are"):
            load_xmc(path)


def test_columns_numbered_from_one():
    text = b"2 5 4\n1,3 2:0.5 5:2\n 1:1.25\n"
    X, Y = load_bytes(text, zero_based=False)
    assert_array_equal(X.toarray(), np.array(SMALL_X[:2], dtype=np.float32))
    assert_array_equal(Y.toarray(), SMALL_Y[:2])
    with pytest.raises(ValueError, match=r"line 2: got '5:2'.* from 0 to 4"):
        load_bytes(text)
    with pytest.raises(ValueError, match=r"line 2: got '0,2'.* from 1 to 4"):
        load_bytes(SMALL, zero_based=False)


def test_largest_columns_cost_nothing():
    text = f"1 {LARGEST} {LARGEST}\n{LARGEST - 1} {LARGEST - 1}:1\n".encode()
    X, Y = load_bytes(text)
    assert X.shape == Y.shape == (1, LARGEST)
    assert X.indices.tolist() == Y.indices.tolist() == [LARGEST - 1]


def test_stored_zeros_and_their_signs_stay(tmp_path):
    X, Y = load_bytes(b"1 3 0\n 0:0 1:-0.0 2:0e9999\n")
    assert X.data.tolist() == [0, 0, 0]
    assert np.signbit(X.data).tolist() == [False, True, False]
    dump_xmc(X, Y, tmp_path / "zeros.txt")
    assert (tmp_path / "zeros.txt").read_bytes() == b"1 3 0\n 0:0 1:-0 2:0\n"


def test_output_has_the_configured_interface():
    assert sparse.isspmatrix_csr(load_bytes(SMALL)[0])
    if "sparse_interface" not in get_config():
        pytest.skip("this scikit-learn gives sparse matrices alone")
    with config_context(sparse_interface="sparray"):
        for matrix in load_bytes(SMALL):
            assert isinstance(matrix, sparse.csr_array)


# Where from


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
        assert path.read_bytes() == SMALL
        assert_array_equal(load_xmc(kind)[1].toarray(), SMALL_Y)
        path.unlink()


def test_file_objects_are_read_from_where_they_stand_and_left_open(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"junk" + SMALL)
    with path.open("rb") as file:
        file.seek(4)
        X, _ = load_xmc(file)
        assert not file.closed
    assert X.shape == (3, 5)


def test_a_pipe_that_gives_little_at_a_time():
    class Pipe:
        def __init__(self, data):
            self.rest = data

        def read(self, size):
            size = min(size, 7)
            data, self.rest = self.rest[:size], self.rest[size:]
            return data

    for content in (SMALL, gzip.compress(SMALL)):
        assert_same(load_xmc(Pipe(content))[0], load_bytes(SMALL)[0])


def test_what_is_no_file():
    for source in (3, None, SMALL_X):
        with pytest.raises(TypeError, match=r"^path must be a path or a file object"):
            load_xmc(source)
    with pytest.raises(TypeError, match=r"opened in binary mode.* gave str"):
        load_xmc(io.StringIO(SMALL.decode()))


def test_system_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_xmc(tmp_path / "absent.txt")
    with pytest.raises(IsADirectoryError):
        load_xmc(tmp_path)
    with pytest.raises(FileNotFoundError):
        dump_xmc(SMALL_X, SMALL_Y, tmp_path / "absent" / "data.txt")


# Blocks


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_lines_may_cross_blocks(monkeypatch, chunk):
    monkeypatch.setattr("skxmr.datasets._xmc.CHUNK_BYTES", chunk)
    X, Y = load_bytes(SMALL)
    assert_array_equal(X.toarray(), np.array(SMALL_X, dtype=np.float32))
    assert_array_equal(Y.toarray(), SMALL_Y)
    with pytest.raises(ValueError, match=r"line 4: got 'x'"):
        load_bytes(SMALL.replace(b"\n3", b"\nx"))


def test_rows_longer_than_a_block(monkeypatch, tmp_path):
    monkeypatch.setattr("skxmr.datasets._xmc.CHUNK_BYTES", 16)
    X, Y = random_data()
    dump_xmc(X, Y, tmp_path / "data.txt")
    again_X, again_Y = load_xmc(tmp_path / "data.txt")
    assert_same(again_X, X)
    assert_same(again_Y, Y)


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


def peak_of(function, *arguments):
    tracemalloc.start()
    try:
        result = function(*arguments)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


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


# Numbers


def assert_read_as_python_does(text):
    X, _ = load_bytes(f"1 1 0\n 0:{text}\n".encode())
    assert X.data.tobytes() == np.float32(float(text)).tobytes()


signs = st.sampled_from(["", "-", "+"])
digits = st.text("0123456789", min_size=1, max_size=50)
mantissas = st.one_of(
    digits,
    st.builds("{}.".format, digits),
    st.builds(".{}".format, digits),
    st.builds("{}.{}".format, digits, digits),
)
exponents = st.one_of(
    st.just(""),
    st.builds("e{}".format, st.integers(-80, 38)),
    st.builds("E+{}".format, st.integers(0, 20)),
    st.builds("e-{:04d}".format, st.integers(0, 9999)),
)


@settings(max_examples=300, deadline=None)
@given(sign=signs, mantissa=mantissas, exponent=exponents)
@example(sign="-", mantissa="0." + 400 * "0" + "1", exponent="e400")
@example(sign="", mantissa="1" + 400 * "0", exponent="e-400")
@example(sign="", mantissa="16777217", exponent="")
@example(sign="", mantissa="9007199791611905", exponent="")
@example(sign="", mantissa="0", exponent="e99999999999999999999999")
@example(sign="", mantissa="1", exponent="e-99999999999999999999999")
def test_decimal_numbers(sign, mantissa, exponent):
    text = sign + mantissa + exponent
    with np.errstate(over="ignore"):
        finite = np.isfinite(np.float32(float(text)))
    if finite:
        assert_read_as_python_does(text)
    else:
        with pytest.raises(ValueError, match="line 2: got '0:"):
            load_bytes(f"1 1 0\n 0:{text}\n".encode())


@settings(max_examples=300, deadline=None)
@given(
    value=st.floats(width=32, allow_nan=False, allow_infinity=False),
    nudge=st.sampled_from(["-1e-60", "-1e-25", "-1e-17", "0", "1e-17", "1e-25"]),
    n_digits=st.integers(1, 200),
)
def test_numbers_between_two_floats(value, nudge, n_digits):
    """Ties, and what float64 takes for ties, must be rounded as Python does."""
    with np.errstate(over="ignore"):
        above = np.nextafter(np.float32(value), np.float32(np.inf))
    if np.isfinite(above):
        with localcontext(prec=300):  # enough for the middle to be exact
            middle = (Decimal(float(value)) + Decimal(float(above))) / 2
            text = f"{middle + abs(middle) * Decimal(nudge):.{n_digits}e}"
        if abs(float(text)) <= float(np.finfo(np.float32).max):
            assert_read_as_python_does(text)


def test_edge_of_float32():
    assert_read_as_python_does("3.4028235677973362e38")
    assert_read_as_python_does("1e-46")
    assert_read_as_python_does("7.0064923216240854e-46")
    for text in ("3.4028235677973366e38", "-1e39", "1e400", "1" + 500 * "0"):
        with pytest.raises(ValueError, match="in the range of float32"):
            load_bytes(f"1 1 0\n 0:{text}\n".encode())


def written(values, tmp_path):
    """Texts of the values as dump_xmc writes them."""
    X = sparse.csr_array(np.asarray(values, dtype=np.float32).reshape(-1, 1))
    path = tmp_path / "numbers.txt"
    dump_xmc(X, np.zeros((X.shape[0], 0)), path)
    assert_same(load_xmc(path)[0], X)
    return [
        line.partition(":")[2]
        for line in path.read_text(encoding="utf-8").splitlines()[1:]
        if line
    ]


def significant(text):
    return text.lower().partition("e")[0].replace(".", "").strip("-0")


def nasty_floats():
    rng = np.random.default_rng(0)
    bits = rng.integers(1, 0x7F800000, 30_000).astype(np.uint32)
    subnormal = rng.integers(1, 0x800000, 5_000).astype(np.uint32)
    near = np.arange(1, 255, dtype=np.uint32) << 23
    few_digits = np.array([float(f"{i}e{i % 70 - 40}") for i in range(1, 5_000)])
    every = [bits, subnormal, near, near - 1, near + 1, np.arange(1, 2_000)]
    values = np.concatenate([a.astype(np.uint32) for a in every]).view(np.float32)
    return np.concatenate([values, few_digits.astype(np.float32)])


def test_numbers_come_back_and_are_short(tmp_path):
    values = nasty_floats()
    texts = written(np.concatenate([values, -values]), tmp_path)
    shortest = [np.format_float_scientific(value) for value in values]
    # A digit more for a few powers of two, which are nearer to the float below.
    spare = np.frexp(values)[0] == 0.5
    for text, short, more in zip(texts, shortest, spare, strict=False):
        assert len(significant(text)) <= len(significant(short)) + more, (text, short)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (100, "100"),
        (123456789, "123456790"),
        (1e9, "1e9"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (0.000125, "0.000125"),
        (0.0000125, "1.25e-5"),
        (16777216, "16777216"),
        (3.4028235e38, "3.4028235e38"),
        (1.17549435e-38, "1.1754944e-38"),
        (1e-45, "1e-45"),
        (1 / 3, "0.33333334"),
    ],
)
def test_numbers_read_well(tmp_path, value, text):
    assert written([value], tmp_path) == [text]


# What is wrong, and where


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", r"line 1: got 'an empty file', expected the numbers of rows, features"),
        (b"\n", r"line 1: got '', expected the numbers"),
        (b"3 5\n", r"line 1: got '3 5', expected"),
        (b"3 5 4 1\n", r"line 1: got '3 5 4 1', expected"),
        (b"3 -5 4\n", r"line 1: got '3 -5 4', expected"),
        (b"3 5 4.0\n", r"line 1: got '3 5 4\.0', expected"),
        (b"0,2 1:0.5\n", r"line 1: got '0,2 1:0\.5', expected"),
        (b"1 5 2147483648\n", r"the latter two at most 2147483647"),
        (b"9223372036854775808 5 4\n", r"line 1: got '9223372036854775808 5 4'"),
        (b"9" * 10_000, r"line 1: got '9{40}'\.\.\., expected"),
        (b"\xef\xbb\xbf1 1\n\n", r"line 1: got '1 1', expected"),
        (b"1 \xef\xbb\xbf1 1\n\n", r"line 1: got '1 \\ufeff1 1', expected"),
        (b"2 5 4\n0 1:1\n", r"line 3: got the end of the file after 1 rows, exp.* 2 r"),
        (b"1 5 4\n0 1:1\n0\n", r"line 3: got one more row, expected the end, .* 1 row"),
        (b"0 5 4\n0 1:1\n", r"line 2: got one more row"),
        (b"1 5 4\n0,4 1:1\n", r"line 2: got '4', expected a label, .* 0 to 3, .* 4 l"),
        (b"1 5 4\n-1 1:1\n", r"line 2: got '-1', expected a label"),
        (b"1 5 4\n1:1\n", r"line 2: got '1:1', .*without labels starts with a space"),
        (b"1 5 4\n0, 1:1\n", r"line 2: got '1:1', expected a label"),
        (b"1 5 4\n0, \n", r"line 2: got '', expected a label"),
        (b"1 5 4\n0 ,1 1:1\n", r"line 2: got ',1', expected a feature"),
        (b"1 5 4\n0,,1 1:1\n", r"line 2: got ',1', expected a label"),
        (b"1 5 4\nx\n", r"line 2: got 'x', expected a label"),
        (
            b"1 5 4\n" + b"9" * 99 + b"\n",
            r"line 2: got '9{40}'\.\.\., expected a label",
        ),
        (
            b"1 5 4\n 5:1\n",
            r"line 2: got '5:1', .* from 0 to 4, .* promises 5 features",
        ),
        (b"1 5 4\n -1:1\n", r"line 2: got '-1:1', expected a feature"),
        (b"1 5 4\n 18446744073709551617:1\n", r"line 2: got '18446744073709551617:1'"),
        (b"1 5 4\n 1\n", r"line 2: got '1', expected a feature and its value"),
        (b"1 5 4\n 1 :2\n", r"line 2: got '1', expected a feature and its value"),
        (b"1 5 4\n 1:\n", r"line 2: got '1:', .*the value a finite decimal number"),
        (b"1 5 4\n 1: 2\n", r"line 2: got '1:', .*the value a finite decimal number"),
        (b"1 5 4\n 1:nan\n", r"line 2: got '1:nan', .*the value a finite"),
        (b"1 5 4\n 1:-inf\n", r"line 2: got '1:-inf', .*the value a finite"),
        (b"1 5 4\n 1:1e39\n", r"line 2: got '1:1e39', .*range of float32"),
        (b"1 5 4\n 1:1e\n", r"line 2: got '1:1e', .*the value a finite"),
        (b"1 5 4\n 1:.\n", r"line 2: got '1:\.', .*the value a finite"),
        (b"1 5 4\n 1:0x10\n", r"line 2: got '1:0x10', .*the value a finite"),
        (b"1 5 4\n 1:1_0\n", r"line 2: got '1:1_0', .*the value a finite"),
        (b"1 5 4\n 1:1,5\n", r"line 2: got '1:1,5', .*the value a finite"),
        (b"1 5 4\n 1:1:1\n", r"line 2: got '1:1:1', .*the value a finite"),
        (b"1 5 4\n 1:1\r2:1\n", r"line 2: got '', expected a feature"),
        (b"1 5 4\n 1:1\x002:1\n", r"line 2: got '1:1\\x002:1'"),
        (b"1 5 4\n \xff\n", r"line 2: got '\\\\xff', expected a feature"),
        (b"2 5 4\n\n 3:1 1:1 3:0\n", r"line 3: got the feature 3 twice"),
        (b"2 5 4\n 1:1\n 1:1 1:1\n", r"line 3: got the feature 1 twice"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_errors_name_file_line_and_what_was_expected(tmp_path, text, message):
    path = tmp_path / "some.txt"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_xmc(path)
    assert str(caught.value).startswith(f"{path}, line ")


@pytest.mark.parametrize("ending", COMPRESSORS)
def test_damaged_compressed_data(tmp_path, ending):
    X, Y = random_data()
    path = tmp_path / f"data{ending}"
    dump_xmc(X, Y, path)
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
    for damaged in (content[:middle], content[:-3], flipped):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^.*data\.\w+(: the compressed|, line)"):
            load_xmc(path)
    path.write_bytes(content[:middle])
    with pytest.raises(
        ValueError, match=f"{re.escape(str(path))}: the compressed data"
    ):
        load_xmc(path)


lines = st.builds(
    "{}{}{}".format,
    st.lists(st.integers(0, 9).map(str), max_size=3).map(",".join),
    st.sampled_from([" ", " ", " ", "  ", "\t", ""]),
    st.lists(
        st.builds(
            "{}:{}".format,
            st.integers(0, 9),
            st.one_of(
                st.integers(-99, 99), st.floats(-9, 9), st.sampled_from(["1e38", ".5"])
            ),
        ),
        max_size=4,
    ).map(" ".join),
)
mutations = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 2),
        st.one_of(
            st.binary(min_size=1, max_size=1),
            st.sampled_from([bytes([byte]) for byte in b"0123456789:,. \t\r\n-+eE_xn"]),
        ),
    ),
    max_size=4,
)


def mutate(text, mutations):
    text = bytearray(text)
    for position, width, new in mutations:
        text[position : position + width] = new
    return bytes(text)


@settings(max_examples=500, deadline=None)
@given(
    rows=st.lists(lines, max_size=4),
    end=st.sampled_from(["\n", "\n", "\r\n"]),
    mutations=mutations,
)
def test_agrees_with_the_twin_on_mutated_text(rows, end, mutations):
    """Whatever comes: the same rows, or ValueError from both."""
    text = end.join([f"{len(rows)} 10 10", *rows, ""]).encode()
    text = mutate(text, mutations)
    expected = outcome(load_slowly, text)
    assert outcome(load_bytes, text) == expected, text
    # Cut within rows, after any word.
    for chunk in (1, 2, 5):
        with mock.patch("skxmr.datasets._xmc.CHUNK_BYTES", chunk):
            assert outcome(load_bytes, text) == expected, (chunk, text)


@settings(max_examples=100, deadline=None)
@given(ending=st.sampled_from(list(COMPRESSORS)), mutations=mutations)
def test_mutated_compressed_data_give_nothing_but_value_errors(ending, mutations):
    content = mutate(COMPRESSORS[ending](SMALL), mutations)
    try:
        X, Y = load_bytes(content)
    except ValueError:
        return
    assert X.shape[0] == Y.shape[0]


# Round trips and what dump_xmc refuses


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
    assert path.read_bytes() == SMALL


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
        ([[1e39]], [[1]], "X holds values beyond the range of float32"),
        (sparse.csr_array([[1e39]]), [[1]], "X holds values beyond the range"),
        ([[1.0]], [[2]], "Y must be an indicator matrix"),
        ([[1.0]], [[0.5]], "Y must be an indicator matrix"),
        ([[1.0]], [[-1]], "Y must be an indicator matrix"),
        ([[1.0]], [[np.nan]], "Y contains NaN"),
        ([[1.0], [2.0]], [[1]], "X and Y must have as many rows, got 2 and 1"),
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

    def fail(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("skxmr.datasets._xmc.format_rows", fail)
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


# The kernels by themselves


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


def test_writer_stops_where_a_row_might_not_fit():
    offsets = np.array([0, 1, 2], dtype=np.int64)
    columns, values = np.zeros(2, dtype=np.int32), np.ones(2, dtype=np.float32)
    bound = kernel.bound_bytes(offsets, offsets)
    for size, expected in ((bound - 1, 0), (bound, 1), (2 * bound, 2)):
        text = np.full(size, 255, dtype=np.uint8)
        row, n_bytes = kernel.format_rows(
            0, 0, offsets, columns, offsets, columns, values, text
        )
        assert (row, n_bytes) == (expected, 6 * expected)
        assert text[:n_bytes].tobytes() == expected * b"0 0:1\n"
        assert (text[n_bytes:] == 255).all()


def test_longest_numbers_fit_their_bound(tmp_path):
    column = LARGEST - 1
    value = np.float32(-1.1754944e-38) * np.float32(0.123456)
    X = sparse.csr_array(([value], ([0], [column])), shape=(1, LARGEST))
    Y = sparse.csr_array(([1], ([0], [column])), shape=(1, LARGEST))
    dump_xmc(X, Y, tmp_path / "data.txt", zero_based=False)
    line = (tmp_path / "data.txt").read_bytes().splitlines()[1] + b"\n"
    offsets = np.array([0, 1], dtype=np.int64)
    assert len(line) <= kernel.bound_bytes(offsets, offsets)
    assert_same(load_xmc(tmp_path / "data.txt", zero_based=False)[0], X)
