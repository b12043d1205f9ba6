"""Reading the Extreme Classification Repository's text format."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import config_context, get_config
from xmc_texts import LARGEST, SMALL, SMALL_X, SMALL_Y, assert_same, load_bytes

from skxmr.datasets import dump_xmc, load_xmc

pytestmark = pytest.mark.kernels


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
        # A row without labels and features is written as a line of one space.
        X, Y = load_bytes(cut + b" \n" + blank)
        assert X.shape == (3, 5)
        assert Y[[2]].nnz == 0
        with pytest.raises(ValueError, match="after 2 rows, expected 3"):
            load_bytes(cut)


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
        (SMALL, LABELS, r"line 1: got '3 5 4', .*: do not pass labels"),
        (FEATURES, SMALL, r"line 1: got '3 5 4', .*: do not pass labels"),
        (FEATURES, b"2 4\n0:1\n\n", r"has 2 rows, expected 3 as in the file of"),
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


# Similar formats, and archives


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


def test_output_has_the_configured_interface():
    assert sparse.isspmatrix_csr(load_bytes(SMALL)[0])
    if "sparse_interface" not in get_config():
        pytest.skip("this scikit-learn gives sparse matrices alone")
    with config_context(sparse_interface="sparray"):
        for matrix in load_bytes(SMALL):
            assert isinstance(matrix, sparse.csr_array)


# Sources


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
