"""Invalid texts in the Extreme Classification Repository's format."""

import re
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xmc_texts import COMPRESSORS, LARGEST, SMALL, load_bytes, random_data

from skxmr.datasets import dump_xmc, load_xmc

pytestmark = pytest.mark.kernels

NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


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
    lines = lines[: n + 1]
    while len(lines) > 1 and lines[-1] in (b"", b"\r"):
        lines.pop()
    for line in lines[1:]:
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
        (b"1 5 4\n0 1:1\n0\n", r"line 3: got one more row, expected the end .* 1 row"),
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
            r"line 2: got '5:1', .* from 0 to 4, .* says 5 features",
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
@example(rows=["", " "], end="\n", mutations=[])
@example(rows=[""], end="\n", mutations=[(9, 0, b" ")])
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
