"""How texts are compared."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skxmr.text._normalization import END_OF_KEY, Normalizer, normalize_text

# ruff: noqa: RUF001 - letters that look like others are the point
PLAIN = Normalizer()
NORMALIZERS = [PLAIN, Normalizer("unicode"), Normalizer("ascii")]
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
normalizers = pytest.mark.parametrize(
    "normalizer", NORMALIZERS, ids=["plain", "unicode", "ascii"]
)
# Inch and its reverse are quotation marks here, two apostrophes to NFKC.
LOST_BY_COMPATIBILITY = set("\u2033\u2036")
# Code points whose property is not in Python's tables.
IGNORABLE = [
    *("\xad", "\u034f", "\u061c", "\u180e", "\u200b", "\u200c", "\u200d", "\u200e"),
    *("\u200f", "\u202e", "\u2060", "\u2066", "\u2069", "\u3164", "\ufe0f", "\ufeff"),
    *("\uffa0", "\U000e0001", "\U000e0041", "\U000e007f", "\U000e0100"),
]
# What is nasty in texts, many beside plain ones.
texts = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "abi iI'-3 \t\u3000İıßſéÅ\u0301\u0307\u0323\u0345ΐᾳﬃ½²ｆ３٣’‑ⅻ日\ud800"
        ),
        st.sampled_from("가각갂값과한국까ㄱㅏㅘㅋㄳ\u1100\u1161\u11a8\uffa1"),
        st.sampled_from("がｶﾞकि\u094dक्षொกำي\u064eآ"),
        st.sampled_from(IGNORABLE),
    ),
    max_size=8,
)


def all_characters():
    """List what Unicode assigns; of ideographs and Hangul, which are alike, some."""
    names = (unicodedata.name(one, "") for one in map(chr, range(sys.maxunicode + 1)))
    many = ("CJK UNIFIED", "HANGUL SYLLABLE", "TANGUT", "EGYPTIAN", "CUNEIFORM")
    return [
        chr(code)
        for code, name in enumerate(names)
        if (name and not name.startswith(many)) or code % 997 == 0 or code < 32
    ]


@normalizers
def test_every_character_is_normalised_once_and_for_all(normalizer):
    for one in all_characters():
        text = normalizer.text(one)
        assert normalizer.text(text) == text
        assert normalizer.key(text) == normalizer.key(one)
        assert normalizer.prefix(text) == normalizer.prefix(one).rstrip()


def test_forms_and_cases_of_every_character_are_the_same():
    for one in all_characters():
        variants = {one.upper(), one.lower(), one.title(), one.casefold()}
        if one not in LOST_BY_COMPATIBILITY:
            variants |= {unicodedata.normalize(form, one) for form in FORMS}
        assert {normalize_text(variant) for variant in variants} == {
            normalize_text(one)
        }


def test_every_decimal_digit_is_an_ascii_one():
    for one in map(chr, range(sys.maxunicode + 1)):
        if one.isdecimal():
            assert normalize_text(one) == str(unicodedata.decimal(one))


@given(texts)
def test_normalising_twice_changes_nothing(text):
    for normalizer in NORMALIZERS:
        once = normalizer.text(text)
        assert normalizer.text(once) == once
        assert once == " ".join(once.split())
        assert normalizer.key(once) == normalizer.key(text)
    assert PLAIN.text(text) == normalize_text(text)


@given(texts, st.sampled_from(FORMS), st.sampled_from([str.upper, str.casefold]))
def test_forms_and_cases_of_texts_are_the_same(text, form, change_case):
    if set(text).isdisjoint(LOST_BY_COMPATIBILITY):
        variant = unicodedata.normalize(form, change_case(text))
        assert normalize_text(variant) == normalize_text(text)
        assert PLAIN.key(variant) == PLAIN.key(text)


@given(texts, st.sampled_from(IGNORABLE), st.integers(0, 8))
def test_invisible_characters_change_nothing(text, ignorable, place):
    # Between a flag and its region they are what is seen of the region.
    with_it = text[:place] + ignorable + text[place:]
    assert normalize_text(with_it) == normalize_text(text)


@given(texts, texts)
@example("가ㄱ", "각")
@example("ㄱㅅ", "ㄳ")
@example("ㅗㅏ", "ㅘ")
@example("각ㅏ", "가가")
@example("\u1113\u1161", "\u1102\u1100\u1161")
def test_keys_are_the_same_only_where_texts_are(one, other):
    same = normalize_text(one) == normalize_text(other)
    assert (PLAIN.key(one) == PLAIN.key(other)) is same


@given(
    st.text("가각간갂갃과괘까한", min_size=1, max_size=6),
    st.text(" 가각ㄱㅅㅏ", max_size=4),
)
def test_syllables_are_told_apart_without_more(syllables, others):
    assert END_OF_KEY not in PLAIN.key(syllables)
    if normalize_text(syllables) != normalize_text(others):
        assert PLAIN.key(syllables) != PLAIN.key(others)
    assert PLAIN.key(others).split(END_OF_KEY)[0] == PLAIN.prefix(others).rstrip()


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("  New   York ", "new york"),
        ("STRASSE Straße", "strasse strasse"),
        ("ΟΔΟΣ οδος", "οδοσ οδοσ"),
        ("a\tb\n\u2003\u3000c\xa0\x85", "a b c"),
        (" \u2003\ufeff", ""),
        ("\ud800", "\ud800"),
        ("Cafe\u0301", "café"),
        ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"),
        ("i\u0327\u0307", "i\u0327"),
        ("ｉＰｈｏｎｅ　１２", "iphone 12"),
        ("ﬁre ﬂy", "fire fly"),
        ("rock’n’roll rock`n`roll rock´n´roll", "rock'n'roll " * 2 + "rock'n'roll"),
        ("Hawaiʻi l\u2032eau", "hawai'i l'eau"),
        ("T\u2011shirt t\u2013shirt t\u2212shirt", "t-shirt t-shirt t-shirt"),
        ("“15″ TV”", '"15" tv"'),
        ("آیفون ۱۲", "آیفون 12"),
        ("می\u200cخواهم", "میخواهم"),
        ("\u202emi\u200blk\ufeff", "milk"),
        ("co\xadop ❤\ufe0f", "coop ❤"),
        ("コーヒー", "コーヒー"),
        ("ｶﾞ", "ガ"),
        ("ㅎㅏㄴ", "하\u1102"),
        ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4\U000e0067\U000e007f"),
        ("Łódź søt", "łódź søt"),
    ],
)
def test_normalised_texts(text, normalised):
    assert normalize_text(text) == normalised


def test_accents_are_stripped_as_scikit_learn_strips_them():
    unicode, ascii_only = Normalizer("unicode"), Normalizer("ascii")
    assert unicode.text("São Paulo, Łódź søt") == "sao paulo, łodz søt"
    assert ascii_only.text("São Paulo, Łódź søt") == "sao paulo, odz st"
    assert unicode.text("한국 Überガ") == "한국 uberカ"
    assert ascii_only.text("日本\u2028café") == "cafe"
    assert ascii_only.key("日本") == ""
    assert unicode.prefix("Sã") == "sa"
    assert unicode.prefix("são ") == "sao "


def test_a_callable_strips_accents_of_composed_texts():
    normalizer = Normalizer(lambda text: text.replace("ü", "ue").replace("ø", "ö"))
    assert normalizer.text("Mu\u0308nchen") == "muenchen"
    assert normalizer.key("SØT") == "so\u0308t"
    assert normalizer.prefix(" Mü\u3000") == "mue "
    spaced = Normalizer(lambda text: text + " ")
    assert (spaced.prefix("a"), spaced.prefix("a "), spaced.prefix(" ")) == (
        "a",
        "a ",
        "",
    )


def test_a_preprocessor_decides_alone():
    normalizer = Normalizer(preprocessor=str.swapcase)
    assert normalizer.text(" É  한 ") == "é 한"
    assert normalizer.key("É한") == "é한"
    assert normalizer.prefix("ab ") == "AB "


@pytest.mark.parametrize("name", ["strip_accents", "preprocessor"])
def test_a_callable_that_returns_no_string_is_named(name):
    normalizer = Normalizer(**{name: len})
    for normalise in (normalizer.text, normalizer.key, normalizer.prefix):
        with pytest.raises(TypeError, match=f"{name} must return a str; got 1 of"):
            normalise("a")


# Hangul as it is typed: each step begins what it leads to.
@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (["ㅎ", "하", "한", "한ㄱ", "한구", "한국"], "한국"),
        (["ㅎ", "하", "한", "하나"], "하나"),
        (["ㄱ", "고", "과", "광", "과이"], "과이"),
        (["갑", "값", "갑시", "갑시다"], "갑시다"),
        (["일", "읽", "일그", "일금"], "일금"),
        (["\u1112", "\u1112\u1161", "\u1112\u1161\u11ab"], "한 국"),
        (["ﾡ", "ㄱㅏ", "갂", "가까"], "가까"),
    ],
)
def test_hangul_begins_with_each_step_of_typing(steps, text):
    for step in steps:
        assert PLAIN.key(text).startswith(PLAIN.prefix(step))


@pytest.mark.parametrize(
    ("typed", "text"), [("간", "각"), ("하나", "한국"), ("한 ", "하나"), ("까", "가까")]
)
def test_hangul_begins_with_nothing_else(typed, text):
    assert not PLAIN.key(text).startswith(PLAIN.prefix(typed))


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("milk ", "milk "),
        ("milk \u200b", "milk "),
        ("milk\xa0", "milk "),
        ("milk\u3000\t ", "milk "),
        ("milk\u200b", "milk"),
        (" \u3000\ufeff", ""),
        ("", ""),
        ("가ㄱ", "\u1100\u1161\u1100"),
    ],
)
def test_white_space_at_the_end_of_a_prefix(text, prefix):
    assert PLAIN.prefix(text) == prefix
