"""Numbers of the Extreme Classification Repository's text format."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse
from xmc_texts import assert_same, load_bytes

from skxmr.datasets import dump_xmc, load_xmc

pytestmark = pytest.mark.kernels


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
    shortest = [np.format_float_scientific(value) for value in [*values, *-values]]
    # Of some, scikit-learn writes the 16 digits of the nearest float64.
    n_digits, fewest = (
        np.array([len(significant(t)) for t in each]) for each in (texts, shortest)
    )
    assert n_digits.sum() < 1.2 * fewest.sum()
    assert (n_digits == fewest).mean() > 0.8


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (100, "100"),
        (123456789, "123456790"),
        (1e9, "1000000000"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (0.000125, "0.000125"),
        (0.0000125, "1.25e-05"),
        (16777216, "16777216"),
        (3.4028235e38, "3.4028235e+38"),
        (1.17549435e-38, "1.1754944e-38"),
        (1e-45, "1.4013e-45"),
        (1 / 3, "0.33333334"),
    ],
)
def test_numbers_read_well(tmp_path, value, text):
    assert written([value], tmp_path) == [text]
