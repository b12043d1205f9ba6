"""What is found however it is spelled: normal forms, accents, blanks and slips."""

import pickle
import unicodedata
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from skxmr import QueryCompleter
from skxmr.baselines import BigramCompleter, PopularCompleter
from skxmr.text import PrefixWeightedCharTfidf
from skxmr.text._normalization import Normalizer, normalize_text

# ruff: noqa: RUF001 - letters that look like others are the point
FORMS = {
    "as it is": str,
    **{
        form: partial(unicodedata.normalize, form)
        for form in ("NFC", "NFD", "NFKC", "NFKD")
    },
    "upper case": str.upper,
    "full width": lambda text: text.translate(
        {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)} | {32: 0x3000}
    ),
    "invisible": "\u200b".join,
    "marked": lambda text: f"\ufeff\u202a{text}\u202c",
}
forms = pytest.mark.parametrize("form", FORMS)
QUERIES = [
    *("café crème", "cafe", "Caf\u00e9s", "São Paulo", "İstanbul", "ISPARTA", "ışık"),
    *("rock’n’roll", "T‑shirt", "ＴＶ ５５", "15″ laptop", "straße", "ﬁsh ﬂakes"),
    *(
        "한국",
        "하나",
        "과일 값",
        "서울특별시",
        "ㅋㅋ",
        "가ㄱ",
        "각",
        "ガラス",
        "カラス",
    ),
    *("می‌خواهم", "آیفون ۱۲", "क्षत्रिय", "ế ố ậ", "a\u0327\u0301b", "👩‍🚀 suit", "🏴"),
    *("milk", "milk chocolate", "milkshake", "milk\u3000tea", "ΟΔΟΣ", "ᾳδω", "x² y"),
]
texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("ab i İıßé' -3½ﬁ\u0301\u0302\u0307\u0323’‑日"),
        st.sampled_from("가각갂값과한국ㄱㅏㅘㅋㄳ\u1100\u1161\u11a8がｶﾞकिक्ष"),
    ),
    min_size=1,
    max_size=7,
)


def names(completions):
    return [query for query, _ in completions]


def popular(queries, **parameters):
    return PopularCompleter(**parameters).fit(None, queries)


# Normal forms


@forms
def test_queries_are_found_by_all_their_beginnings_in_all_forms(form):
    completer = popular(QUERIES)
    for query in QUERIES:
        shown = " ".join(query.split())
        typed = FORMS[form](query)
        if "″" in query and form in ("NFKC", "NFKD"):
            continue  # two apostrophes
        for end in range(len(typed) + 1):
            assert shown in names(completer.complete(typed[:end], k=100)), typed[:end]


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from([*FORMS]))
@example(["\u0323á"], "NFC")
@example(["l´eau"], "as it is")
def test_any_query_is_found_by_all_its_beginnings(queries, form):
    assume(any(map(normalize_text, queries)))
    # Where its accents are out of order, a iota subscript ends the letter too early;
    # compatibility forms of these are a blank and an accent, or two apostrophes.
    assume(not set("\u0345´\u1ffd\u2033\u2036") & set("".join(queries)))
    assume(not any("\u0345" in unicodedata.normalize("NFD", one) for one in queries))
    completer = popular(queries)
    for query in queries:
        key = Normalizer().key(query)
        typed = FORMS[form](query)
        for end in range(len(typed) + 1):
            found = names(completer.complete(typed[:end], k=100))
            assert len(set(found)) == len(found)
            assert not key or key in map(Normalizer().key, found), typed[:end]


@pytest.mark.parametrize("make", [PopularCompleter, BigramCompleter, QueryCompleter])
def test_spellings_are_one_query_and_their_counts_add_up(make):
    spellings = ["Cafe\u0301", "café", "Café", "Café", "\u200bＣＡＦÉ", "café "]
    previous = ["Ｎew  York", "new york", "NEW YORK", "new\u00a0york", "x", None]
    completer = make().fit(previous, spellings)
    # Both of "Café" and of "café" there are two; the first in alphabetical order.
    assert completer.queries_ == ["Café"]
    assert completer.counts_.tolist() == [6]
    for typed in ("caf", "cafe", "CAFE\u0301", "café", "ｃａｆé", "ca\u00adfé"):
        assert completer.complete(typed, "nEw\u3000york") == [("Café", 1.0)]
    assert completer.complete("cafè") == []


def test_sessions_are_compared_as_queries_are():
    previous = ["Cafe\u0301", "hôtel", "hôtel", "hôtel"]
    queries = ["tea", "toast", "toast", "toast"]
    for completer in (
        BigramCompleter(),
        QueryCompleter(classifier_weight=0, smoothing=0),
    ):
        completer.fit(previous, queries)
        for asked in ("café", "CAFÉ", "ｃafe\u0301"):
            assert names(completer.complete("t", asked)) == ["tea", "toast"]
    stripped = BigramCompleter(strip_accents="unicode").fit(previous, queries)
    assert names(stripped.complete("t", "cafe")) == ["tea", "toast"]


def test_pairs_in_the_other_order_are_found_in_any_spelling():
    completer = QueryCompleter(classifier_weight=0, smoothing=0, reversed_weight=1)
    previous = ["한국", "서울", "x", "x"]
    queries = ["서울", "나무", "하늘", unicodedata.normalize("NFD", "한국")]
    completer.fit(previous, queries, counts=[1, 1, 5, 1])
    assert normalize_text(names(completer.complete("하", "서울"))[0]) == "한국"
    completer.update(["하늘", "서울"], ["서울", "나무"], counts=[90, 1])
    assert names(completer.complete("하", "서울"))[0] == "하늘"


def test_updates_know_queries_in_any_spelling():
    completer = QueryCompleter(classifier_weight=0).fit(None, ["café", "가ㄱ", "각"])
    completer.update(None, ["CAFE\u0301", unicodedata.normalize("NFD", "각"), "cafe"])
    assert dict(zip(completer.queries_, completer.counts_, strict=True)) == {
        "café": 2,
        "가ㄱ": 1,
        "각": 2,
        "cafe": 1,
    }
    assert completer.n_added_ == 1


# Accents


@pytest.mark.parametrize("make", [PopularCompleter, BigramCompleter, QueryCompleter])
def test_accents_are_stripped_on_demand(make):
    log = [None] * 4, ["São Paulo", "São Paulo", "Sao Paulo", "santos"]
    assert names(make().fit(*log).complete("sao")) == ["Sao Paulo"]
    for accents in ("unicode", "ascii", str):
        completer = make(strip_accents=accents).fit(*log)
        if accents is str:  # strips nothing
            assert len(completer.queries_) == 3
            continue
        assert names(completer.complete("sao")) == ["São Paulo"]
        assert names(completer.complete("SÃO p")) == ["São Paulo"]
        assert completer.counts_.tolist() == [1, 3]


def test_accents_of_the_prefix_vectorizer_are_no_matter_of_matching():
    completer = QueryCompleter(
        prefix_vectorizer=PrefixWeightedCharTfidf(strip_accents="unicode")
    ).fit(["a", "b"], ["São Paulo", "santos"])
    assert completer.complete("sao", "a") == []
    assert names(completer.complete("são", "a")) == ["São Paulo"]


def test_callables_decide_what_is_the_same():
    german = popular(
        ["Müller", "Mueller", "Muller"],
        strip_accents=lambda text: text.replace("ü", "ue"),
    )
    assert german.queries_ == ["Mueller", "Muller"]
    assert names(german.complete("MÜ")) == ["Mueller"]
    exact = popular(["Tea", "tea", "TEA TIME"], preprocessor=str)
    assert names(exact.complete("T")) == ["TEA TIME", "Tea"]
    assert names(exact.complete("TEA ")) == ["TEA TIME"]
    with pytest.raises(TypeError, match="preprocessor must return a str; got 3"):
        popular(["tea"], preprocessor=len)
    assert PopularCompleter(strip_accents=str.lower).fit(None, ["É"]).complete("é")


def test_how_accents_are_compared_waits_for_the_next_fit():
    completer = popular(["São Paulo"])
    completer.set_params(strip_accents="unicode")
    assert completer.complete("sao") == []
    again = pickle.loads(pickle.dumps(completer))
    assert again.complete("são") == completer.complete("são") != []
    assert completer.fit(None, ["São Paulo"]).complete("sao")


def test_queries_of_which_nothing_is_left_are_blank():
    with pytest.raises(ValueError, match="all of them blank"):
        popular(["日本", "\u200b"], strip_accents="ascii")
    assert popular(["日本", "tea"], strip_accents="ascii").queries_ == ["tea"]


# Hangul


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ㅎ", ["하나", "한국", "학교"]),
        ("하", ["하나", "한국", "학교"]),
        ("\u1112\u1161", ["하나", "한국", "학교"]),
        ("한", ["하나", "한국"]),
        ("한ㄱ", ["한국"]),
        ("한구", ["한국"]),
        ("한 ", []),
        ("ㅎㅏㄴ", ["하나", "한국"]),
        ("ᄒ", ["하나", "한국", "학교"]),
        ("고", ["과일"]),
        ("항", []),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC"])
def test_half_a_syllable_is_enough(typed, found, form):
    queries = ["한국", "하나", "학교", "과일"]
    completer = popular([unicodedata.normalize("NFC", query) for query in queries])
    typed = unicodedata.normalize(form, typed)
    assert sorted(names(completer.complete(typed))) == sorted(found)
    stored = popular([unicodedata.normalize("NFD", query) for query in queries])
    assert len(stored.complete(typed)) == len(found)


def test_what_is_typed_alike_is_still_two_queries():
    completer = popular(["각", "가ㄱ", "ㄳ", "ㄱㅅ", "가구"])
    assert len(completer.queries_) == 5
    assert sorted(names(completer.complete("각"))) == ["가ㄱ", "가구", "각"]
    assert sorted(names(completer.complete("ㄳ "))) == ["ㄱㅅ", "ㄳ"]


# Blanks at the end


@pytest.mark.parametrize("match", ["prefix", "fuzzy"])
@pytest.mark.parametrize("make", [PopularCompleter, BigramCompleter, QueryCompleter])
@pytest.mark.parametrize(
    "blank", [" ", "  ", "\t", "\n", "\xa0", "\u3000", "\u2009 ", " \u200b", "\u2028"]
)
def test_a_blank_says_that_a_word_ends(make, match, blank):
    queries = ["milk", "milk\tchocolate", "milkshake", "milk-float", "milky way", "mi"]
    parameters = {"match": match} if make is QueryCompleter else {}
    completer = make(**parameters).fit(["a", "b"] * 3, queries)
    for previous in ("", "a"):
        found = names(completer.complete(f"Milk{blank}", previous))
        assert set(found[:2]) == {"milk", "milk chocolate"}
        assert "milkshake" not in found
        assert "milk-float" not in found
        if match == "prefix":
            assert len(found) == 2
        found = names(completer.complete(f"milk{blank}choc", previous))
        assert found == ["milk chocolate"]
        assert len(completer.complete(blank, previous)) == len(queries)


def test_slips_in_a_word_that_has_ended():
    queries = ["milk", "milk chocolate", "milkshake", "milkman round"]
    completer = QueryCompleter(match="fuzzy").fit(None, queries)
    assert names(completer.complete("mikl ")) == ["milk", "milk chocolate"]
    assert names(completer.complete("milkmen ")) == ["milkman round"]
    assert set(names(completer.complete("mikl"))) == set(queries)


def test_the_classifier_sees_no_blank_at_the_end():
    seen = []

    class Listening(PrefixWeightedCharTfidf):
        def fit_transform(self, raw_documents, y=None):
            seen.extend(raw_documents)
            return super().fit_transform(raw_documents, y)

    completer = QueryCompleter(
        prefix_vectorizer=Listening(), prefixes_per_query="all", random_state=0
    ).fit(["a", "b"], ["milk tea", "한 국"])
    assert {"milk", "milk t", "\u1112\u1161\u1102"} < set(seen)
    assert not any(prefix.endswith(" ") for prefix in seen)
    ranker = completer._state.ranker
    one, other = (ranker._features(prefix, ("a",)) for prefix in ("milk", "milk "))
    np.testing.assert_array_equal(one, other)


# Slips


def fuzzy(queries, **parameters):
    counts = queries if isinstance(queries, dict) else dict.fromkeys(queries, 1)
    completer = QueryCompleter(match="fuzzy", **parameters)
    return completer.fit(None, list(counts), counts=list(counts.values()))


PHONES = ["iphone 12", "iphone 13", "iphone 128 gb", "iphone 12s", "iphone", "ipad 12"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("iphone 12", ["iphone 12", "iphone 128 gb", "iphone 12s"]),
        ("iphone 12 ", ["iphone 12", "iphone 12s"]),
        ("iphnoe 12", ["iphone 12", "iphone 128 gb", "iphone 12s"]),
        ("iphone12", ["iphone 12", "iphone 128 gb", "iphone 12s"]),
        ("iphone 12x", ["iphone 12", "iphone 12s"]),
        ("iphone 14", []),
        ("iphone 21", []),
        ("iphone 1 2", []),
        ("iphone 1.2", []),
        ("ｉphone １２", ["iphone 12", "iphone 128 gb", "iphone 12s"]),
        ("iphome ١٣", ["iphone 13"]),
    ],
)
def test_numbers_are_never_edited(typed, found):
    suggested = names(fuzzy(PHONES).complete(typed))
    assert sorted(suggested) == sorted(found)


@pytest.mark.parametrize(
    ("query", "typed", "is_found"),
    [
        ("mp3 player", "mo3 pl", True),
        ("mp3 player", "mp4 pl", False),
        ("mp3 player", "mp pl", False),
        ("mp player", "mp3 pl", False),
        ("usb-c 3.1", "usb-c 3,1", False),
        ("usb-c 31", "usb-c 3.1", False),
        ("route 66", "rout 66", True),
        ("route 66", "routee66", True),
        ("10 x 15 frame", "10x15 f", True),
    ],
)
def test_edits_beside_numbers(query, typed, is_found):
    assert bool(fuzzy([query]).complete(typed)) is is_found


@pytest.mark.parametrize(
    ("query", "typed"),
    [
        ("the", "teh"),
        ("bread", "rbead"),
        ("café noir", "caéf"),
        ("äpfel", "päfel"),
        ("naïve", "naxve"),
        ("naïve", "nave"),
        ("naïve", "naíve"),
        ("ểxa", "xểa"),
        ("한국어", "한굯"),
        ("한국어", "핞국"),
    ],
)
def test_a_swap_or_a_letter_with_its_accents_is_one_edit(query, typed):
    for form in ("NFC", "NFD"):
        completer = fuzzy([unicodedata.normalize(form, query), "zzzz"], edit_weight=0.5)
        typed = unicodedata.normalize(form, typed)
        assert len(completer.complete(typed)) == 1


def test_other_joints_of_words_are_no_edits():
    queries = {"shirt": 3, "t-shirt": 3, "t shirts": 2, "tashirt": 3}
    found = fuzzy(queries, edit_weight=0.01).complete("tshirt")
    assert names(found) == ["t-shirt", "t shirts", "shirt", "tashirt"]
    assert found[2].score == pytest.approx(found[0].score * 0.01)


def test_an_exact_match_is_never_below_an_edited_one_of_like_evidence():
    queries = {"bat": 3, "bet": 3, "bett": 3, "beet": 3, "abet": 3}
    for weight in (1e-9, 0.01, 0.5, 1.0):
        found = fuzzy(queries, edit_weight=weight).complete("bet")
        assert names(found) == ["bet", "bett", "abet", "bat", "beet"]
        exact, edited = found[0][1], found[-1][1]
        assert edited == pytest.approx(exact * weight)


@settings(deadline=None)
@given(
    st.lists(st.text("abcé1 ", min_size=1, max_size=7), min_size=1, max_size=20),
    st.text("abcé1 ", min_size=3, max_size=7),
    st.sampled_from([0.01, 0.3, 1.0]),
)
@example(["aa", "aa a"], "aaa", 1.0)
def test_fuzzy_matches_begin_with_the_exact_ones(queries, typed, weight):
    assume(any(map(str.strip, queries)))
    keys = {Normalizer().key(query) for query in queries} - {""}
    completer = fuzzy(dict.fromkeys(keys, 2), edit_weight=weight)
    found = names(completer.complete(typed, k=100))
    completer.set_params(match="prefix")
    exact = names(completer.complete(typed, k=100))
    assert found[: len(exact)] == exact
    assert len(set(found)) == len(found)


def test_the_weight_of_an_edit_acts_at_once():
    completer = fuzzy({"bat": 50, "bet": 1})
    assert names(completer.complete("bet")) == ["bet", "bat"]
    completer.set_params(edit_weight=0.1)
    assert names(completer.complete("bet")) == ["bat", "bet"]
