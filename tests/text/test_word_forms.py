"""Which words of texts are equal, for search."""

from itertools import pairwise
from unicodedata import category

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skxmr._cython import _word_forms as kernel
from skxmr.text._normalization import normalize_text
from skxmr.text._word_forms import (
    is_unspaced,
    normalize_any,
    normalize_characters,
    normalize_words,
    spaced_words,
    written_words,
)

texts = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("abz 019-/.'_&+,(\t"),
        st.sampled_from("東京都タワーがひ한국ดิน์ລາວខ្មែမဝန်हिन्दीé\u0301。「・"),
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Wireless headphones", "wireless headphones"),
        ("a, b. (c)", "a b c"),
        # numbers and units
        ("10mm", "10 mm 10mm"),
        ("10 mm", "10 mm 10mm"),
        ("12 bottles of 5 in 1", "12 bottles of 5 in 1"),
        ("A12/3 valve", "a 12 a12 3 valve"),
        ("B-12/3 valve", "b12 b 12 3 valve"),
        ("KG49NAI", "kg 49 nai kg49 49nai kg49nai"),
        ("3.5", "3 5"),
        # joined words
        ("T-shirt", "tshirt t shirt"),
        ("men's", "mens men s"),
        ("Wi\u2011Fi", "wifi wi fi"),
        ("tea-pot", "teapot tea pot"),
        ("Öko-Tee", "ökotee öko tee"),
        ("mother-in-law", "motherin inlaw mother in law"),
        ("and/or", "and or"),
        ("hi-res2-pro", "res 2 hires 2pro hi res2 pro"),
        ("snake_case-name", "snake case name"),
        ("C++", "c"),
        # scripts without spaces between words
        ("東京都", "東京 京都"),
        ("東", "東"),
        ("東京タワー", "東京 京タ タワ ワー"),
        ("「東京」・大阪。", "東京 大阪"),
        ("iPhone手机12", "iphone 手机 12"),
        ("ｶﾞﾗｽ", "ガラ ラス"),
        ("서울 시청역", "서울 시청 청역"),
        ("ที่ดิน", "ที่ดิ ดิน"),
        ("ວຽງຈັນ", "ວຽ ຽງ ງຈັ ຈັນ"),
        ("ភូមិ", "ភូមិ"),
        ("មោងឫស្សី", "មោង ងឫ ឫស្ ស្សី"),
        ("မဝန်း", "မဝ ဝန်း"),
        # marks are parts of words
        ("कर्नेलगञ्ज गांव", "कर्नेलगञ्ज गांव"),
        ("שָׁלוֹם", "שָׁלוֹם"),
    ],
)
def test_words(text, words):
    assert normalize_words(text).split() == words.split()


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("T-shirt, 10mm", "t shirt 10 mm 10mm"),
        ("東京都, “Tower”", "東京 京都 tower"),
        ("ที่ดิน", "ที่ดิ ดิน"),
        ("Crème “brûlée”…", "crème brûlée"),
    ],
)
def test_characters(text, normalized):
    assert normalize_characters(text).split() == normalized.split()


@given(texts)
@example("a1b2c3")
@example("10 mm-a.b")
@example("0:V")
@example("東\u0301京 한a")
def test_forms_of_forms_are_nothing_new(text):
    words = normalize_words(text).split()
    for word in words:
        assert set(normalize_words(word).split()) <= set(words)
    words = normalize_characters(text).split()
    for word in words:
        assert set(normalize_characters(word).split()) <= set(words)


@given(texts)
def test_white_space_at_the_ends_and_case_make_no_difference(text):
    words = normalize_words(text).split()
    assert normalize_words(f" {text}\t").split() == words
    assert normalize_words(normalize_text(text)).split() == words


@given(texts)
@example("ß_1.2'x")
def test_words_remain_as_they_are_written(text):
    kept = [
        one
        for one in normalize_text(text)
        if one.isalnum() or category(one) in ("Mn", "Mc")
    ]
    assert "".join(written_words(text)) == "".join(kept)
    for part in text.split():
        found = normalize_words(part).split()
        for word in written_words(part):
            assert word in found or is_unspaced(word)


@given(st.lists(st.sampled_from("東京都タワー한국ดລខမ"), min_size=2, max_size=9))
def test_letters_of_unspaced_scripts_become_pairs(letters):
    pairs = list(map("".join, pairwise(letters)))
    assert normalize_words("".join(letters)).split() == pairs


def test_ascii_words_are_cut_at_what_is_not_alphanumeric():
    for code in range(33, 127):
        one = chr(code)
        if not one.isalnum():
            words = normalize_words(f"tea{one}pot{one}").split()
            assert words == ["teapot"] * (one == "-") + ["tea", "pot"]


ascii_texts = st.lists(
    st.one_of(
        st.characters(max_codepoint=127),
        st.sampled_from("aKm 019-/.'`_&+,(\t\x1c"),
        st.sampled_from([" kg", "10", " lbs", "a-b", "mm", "-", "tea", "pots"]),
    ),
    max_size=20,
).map("".join)


@pytest.mark.kernels
@given(ascii_texts, st.booleans())
@example("5 kg 6 m_ 7 mhz 8 kwh 9 inches", True)
@example("wi-fi tea-pots open-source abc_d e.abc abc1-de-4f", True)
@example("-".join("ab1" * 30), True)
@example("-".join(["a"] * 20), True)
@example("-".join(["a1"] * kernel.MOST_WORDS), True)
@example("-".join(["a1"] * (kernel.MOST_WORDS + 1)), True)
def test_kernel_makes_the_same_forms_of_ascii_texts(text, joins_letters):
    expected = normalize_any(text, joins_letters)
    assert kernel.normalize_ascii(text, joins_letters) == expected


def test_kernel_refuses_other_texts():
    with pytest.raises(ValueError, match="ASCII"):
        kernel.normalize_ascii("café", True)
    for text in (b"cafe", None, 5):
        with pytest.raises(TypeError, match="str"):
            kernel.normalize_ascii(text, True)


def test_kernel_takes_subclasses_of_str():
    assert kernel.normalize_ascii(np.str_("A12/3 Valve"), True) == "a 12 a12 3 valve"


@pytest.mark.parametrize("accent", ["", "é"])
def test_long_compounds_have_no_other_forms(accent):
    # Each form would be compared with all words.
    words = ["a1"] * 20_000 + ["b" + accent]
    assert normalize_words("-".join(words)) == " ".join(words)


@given(ascii_texts)
def test_kernel_writes_words_with_spaces_around(text):
    words = "".join(f" {word}" for word in written_words(text))
    assert spaced_words(text) == f"{words} ".encode() * bool(words)


def test_words_with_spaces_around_of_other_texts():
    assert spaced_words("Rye-Bread \ud800 Ä!") == b" rye bread \xc3\xa4 "
    assert spaced_words("é" * 3) == f" {'é' * 3} ".encode()
    assert spaced_words("。!") == b""
    assert spaced_words(np.str_("Rye")) == b" rye "
