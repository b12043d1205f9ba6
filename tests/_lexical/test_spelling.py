"""The terms near a word, and those with a prefix, equal those of a slow search."""

import bisect
import itertools
import pickle
import random

import joblib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skxmr._cython._spelling import MOST_ADDED, TermSearcher
from twins import string_alignment

from skxmr._lexical._spelling import SpellingIndex
from skxmr.persistence import check_arrays
from skxmr.text._vocabulary import Vocabulary

pytestmark = pytest.mark.kernels

# Few letters, so that many are an edit apart; of one to four bytes, some of which begin
# or end with the same bytes.
LETTERS = "ab\0\xe9\xe8\u0169\u20ac\ud800\udc00\U00010400\U0010ffff"
letters = st.sampled_from(LETTERS)
texts = st.one_of(st.text(letters, max_size=7), st.text("ab", max_size=9))
vocabularies = st.lists(texts, max_size=60, unique=True).map(sorted)


def make_index(terms):
    return SpellingIndex.of(Vocabulary.of(terms))


def most_frequent(terms, word, counts, most):
    near = [i for i, term in enumerate(terms) if string_alignment(term, word) == 1]
    return sorted(near, key=lambda i: (-counts[i], i))[:most]


def find_near(index, word, counts, most=100, short_range=256, middle=None):
    """Call the kernel with a word of any length."""
    terms, data = index.vocabulary, word.encode("utf-8", "surrogatepass")
    if middle is None:
        middle = len(word[: len(word) // 2].encode("utf-8", "surrogatepass"))
    best = np.empty(most, dtype=np.int64)
    searcher = TermSearcher(
        terms.text, terms.offsets, index.reversed_order, short_range
    )
    n_found = searcher.near(
        np.frombuffer(data, dtype=np.uint8),
        middle,
        counts,
        np.empty(len(data) + MOST_ADDED, dtype=np.uint8),
        np.empty(most),
        best,
    )
    return best[:n_found].tolist()


@given(vocabularies, texts)
@example(["ab"], "ba")
@example(["aabb"], "abab")
@example(["a", "aa", "aaa"], "aa")
@example(["", "a"], "")
@example(["ab\xe9b", "ab\xe9\xe8", "ab\xe9"], "ab\xe8")
@example(["\xe9ab", "b\xe9ab", "b\u0169ab"], "\u0169ab")
@example(["\u0169\u20acab"], "\u20ac\u0169ab")
def test_near_equals_a_slow_twin(terms, word):
    terms = sorted(terms)
    index = make_index(terms)
    counts = np.array([len(term) % 3 for term in terms], dtype=np.int32)
    expected = most_frequent(terms, word, counts, 100)
    # Ranges of any length are divided into groups, and groups are searched.
    for short_range in (0, 16, 1024):
        assert find_near(index, word, counts, short_range=short_range) == expected
    found, distances = index.near(word, counts)
    assert found.dtype == distances.dtype == np.int32
    assert distances.tolist() == [1] * len(found)
    assert found.tolist() == (expected[:10] if len(word) >= 4 else [])


@settings(max_examples=20)
@given(st.lists(letters, min_size=2, max_size=3, unique=True), st.data())
def test_near_in_long_ranges_equals_a_slow_twin(alphabet, data):
    # All words of a few letters: groups are as long as they can be.
    terms = sorted(
        "".join(word)
        for length in range(7 if len(alphabet) == 2 else 6)
        for word in itertools.product(alphabet, repeat=length)
    )
    dropped = data.draw(st.sets(st.sampled_from(terms)))
    terms = [term for term in terms if term not in dropped]
    index = make_index(terms)
    counts = np.arange(len(terms), dtype=np.int64) % 5
    for _ in range(5):
        word = data.draw(st.text(st.sampled_from([*alphabet, "x"]), max_size=8))
        expected = most_frequent(terms, word, counts, 100)
        for short_range in (0, 16):
            assert find_near(index, word, counts, short_range=short_range) == expected


@pytest.mark.parametrize("most", [0, 1, 3, 10, 40])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_the_most_frequent_are_kept(most, dtype):
    terms = sorted(["abcd", *(f"abcd{chr(97 + i)}" for i in range(26))])
    counts = np.array([3, 1, 2**31 - 1] * 9, dtype=dtype)
    index = make_index(terms)
    found, distances = index.near("abcd", counts, most)
    assert found.tolist() == most_frequent(terms, "abcd", counts, most)
    assert len(distances) == len(found) == min(most, 26)


def test_a_term_is_not_near_itself():
    index = make_index(["abcd", "abce"])
    assert index.near("abcd", np.ones(2, dtype=np.int32))[0].tolist() == [1]


def test_short_words_have_no_near_terms():
    terms = ["ab", "abc", "abcd", "abd"]
    index, counts = make_index(terms), np.ones(4, dtype=np.int32)
    assert index.min_length == 4
    for word in ("", "a", "ab", "abc", "éüß"):
        assert index.near(word, counts)[0].tolist() == []
    assert index.near("abcx", counts)[0].tolist() == [1, 2]


@given(vocabularies, texts)
@example(["\U0010ffff"], "\U0010ffff")
def test_prefixes_equal_a_slow_twin(terms, prefix):
    first, last = make_index(terms).with_prefix(prefix)
    expected = [term for term in terms if term.startswith(prefix)]
    assert 0 <= first <= last <= len(terms)
    assert terms[first:last] == expected


@given(vocabularies)
def test_the_order_is_that_of_the_reversed_terms(terms):
    order = make_index(terms).reversed_order
    data = [term.encode("utf-8", "surrogatepass")[::-1] for term in terms]
    assert order.dtype == np.int32
    assert order.tolist() == sorted(range(len(terms)), key=data.__getitem__)


def test_long_words_and_long_terms():
    terms = sorted(["a" * 5000, "a" * 4998 + "b", "b" * 300, "\u20ac" * 100])
    index, counts = make_index(terms), np.ones(4, dtype=np.int32)
    assert index.near("a" * 4999, counts)[0].tolist() == [0, 1]
    assert index.near("a" * 100_000, counts)[0].tolist() == []
    assert index.near("\u20ac" * 99 + "x", counts)[0].tolist() == [3]
    assert index.with_prefix("a" * 4999) == (0, 1)


def test_terms_that_are_not_sorted_are_refused():
    with pytest.raises(ValueError, match="must be sorted"):
        make_index(["b", "a"])


def test_unknown_words_are_corrected():
    index = make_index(["sear", "search", "searches", "starch"])
    counts = np.array([1, 3, 9, 3], dtype=np.int32)
    for word, corrected in [
        ("sear", "sear"),  # known
        ("saerch", "search"),
        ("searc", "search"),  # more frequent than "sear"
        ("stearch", "search"),  # as frequent as "starch", and before it
        ("serches", "searches"),
        ("hello", "hello"),
        ("sea", "sea"),  # too short
        ("", ""),
    ]:
        assert index.correct([word, word], counts) == [corrected, corrected]
    assert make_index([]).correct(["saerch", ""], counts[:0]) == ["saerch", ""]


@given(vocabularies, st.lists(texts, max_size=5))
def test_corrections_equal_a_slow_twin(terms, words):
    counts = np.array([len(term) % 3 for term in terms], dtype=np.int64)
    expected = []
    for word in words:
        near = most_frequent(terms, word, counts, 1) if len(word) >= 4 else []
        expected.append(word if word in terms or not near else terms[near[0]])
    assert make_index(terms).correct(words, counts) == expected


# Saved models


def test_pickles_are_the_same_index(tmp_path):
    terms = sorted({"".join(random.Random(i).choices("abc", k=6)) for i in range(300)})
    index, counts = make_index(terms), np.arange(len(terms), dtype=np.int32)
    again = pickle.loads(pickle.dumps(index))
    assert pickle.dumps(again) == pickle.dumps(make_index(terms))
    joblib.dump(index, tmp_path / "index")
    mapped = joblib.load(tmp_path / "index", mmap_mode="r")
    check_arrays(mapped)
    for word in ("abcabc", "aaaa", "xabcab"):
        expected = index.near(word, counts)[0].tolist()
        assert again.near(word, counts)[0].tolist() == expected
        assert mapped.near(word, counts)[0].tolist() == expected
        assert mapped.with_prefix(word[:3]) == index.with_prefix(word[:3])


def swapped(array):
    array = array.copy()
    array[[0, 1]] = array[[1, 0]]
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda order: order[:-1], r"reversed_order has the shape \(2,\)"),
        (lambda order: order.astype(np.int64), "reversed_order has the dtype int64"),
        (lambda order: order.tolist(), "reversed_order is a list"),
        (lambda order: order + 1, "reversed_order holds 1 to 3; expected 0 to 2"),
        (lambda order: order - 1, "reversed_order holds -1 to 1; expected 0 to 2"),
        (lambda order: order * 0, "does not hold its terms in order"),
        (swapped, "does not hold its terms in order"),
    ],
)
def test_damaged_orders_are_refused(change, message):
    index = make_index(["ab", "ba", "bb"])
    index.reversed_order = change(index.reversed_order)
    with pytest.raises(ValueError, match=f"loaded model is damaged: .*{message}"):
        pickle.loads(pickle.dumps(index))


def test_other_vocabularies_are_refused():
    index = make_index(["ab", "ba", "bb"])
    index.vocabulary = Vocabulary.of(["bb", "ba", "ab"])
    with pytest.raises(ValueError, match="does not hold its terms in order"):
        pickle.loads(pickle.dumps(index))
    index.vocabulary = None
    with pytest.raises(ValueError, match=r"SpellingIndex\.vocabulary is a NoneType"):
        pickle.loads(pickle.dumps(index))
    del index.vocabulary
    with pytest.raises(ValueError, match="attribute of SpellingIndex is missing"):
        pickle.loads(pickle.dumps(index))


def test_an_index_of_a_newer_version_is_refused():
    index = make_index(["a"])
    index.version += 1
    with pytest.raises(ValueError, match=r"layout version 2.*Upgrade skxmr"):
        pickle.loads(pickle.dumps(index))


# Whatever the arrays hold, the kernel stays inside them


@settings(max_examples=300)
@given(st.data())
def test_altered_arrays_are_survived(data):
    terms = sorted({*data.draw(vocabularies), "", "ab", "aba"})
    index = make_index(terms)
    counts = np.arange(len(index.vocabulary), dtype=np.int64)
    wild = st.one_of(st.integers(-3, 70), st.integers(-(2**63), 2**63 - 1))
    for array in (index.vocabulary.offsets, index.reversed_order):
        for i in data.draw(st.sets(st.sampled_from(range(len(array))))):
            array[i] = (
                data.draw(wild) % 2**31 if array.itemsize == 4 else data.draw(wild)
            )
    n_bytes = len(index.vocabulary.text)
    index.vocabulary.text = np.frombuffer(
        data.draw(st.binary(max_size=n_bytes)), dtype=np.uint8
    )
    word = data.draw(texts)
    middle = data.draw(st.integers(0, len(word.encode("utf-8", "surrogatepass"))))
    for short_range in (0, 16, 1024):
        found = find_near(index, word, counts, 100, short_range, middle)
        assert all(0 <= term < len(counts) for term in found)
    first, last = index.with_prefix(word)
    assert 0 <= first <= last <= len(counts)


def test_arrays_that_do_not_fit_are_refused():
    index, counts = make_index(["ab", "cd"]), np.ones(2, dtype=np.int32)
    terms = index.vocabulary
    for offsets, order in [
        (terms.offsets[:0], index.reversed_order[:0]),
        (terms.offsets, index.reversed_order[:1]),
    ]:
        with pytest.raises(ValueError, match="the terms do not fit together"):
            TermSearcher(terms.text, offsets, order)
    searcher = TermSearcher(terms.text, terms.offsets, index.reversed_order)
    word, two = np.zeros(4, dtype=np.uint8), np.empty(2, dtype=np.int64)
    scratch = np.empty(8, dtype=np.uint8)
    for arguments in [
        (word, 5, counts, scratch, np.empty(2), two),
        (word, -1, counts, scratch, np.empty(2), two),
        (word, 2, counts[:1], scratch, np.empty(2), two),
        (word, 2, counts, scratch[:7], np.empty(2), two),
        (word, 2, counts, scratch, np.empty(1), two),
    ]:
        with pytest.raises(ValueError, match="the word do not fit together"):
            searcher.near(*arguments)


@settings(deadline=None)
@given(vocabularies, st.data())
def test_terms_are_added_in_both_orders(terms, data):
    is_new = data.draw(
        st.lists(st.booleans(), min_size=len(terms), max_size=len(terms))
    )
    new = [term for term, one in zip(terms, is_new, strict=True) if one]
    old = [term for term, one in zip(terms, is_new, strict=True) if not one]
    before = make_index(old)
    index, at = before.with_terms(new)
    assert index.vocabulary == terms
    np.testing.assert_array_equal(
        index.reversed_order, make_index(terms).reversed_order
    )
    assert index.vocabulary.numbers() == {term: i for i, term in enumerate(terms)}
    assert at.tolist() == [bisect.bisect(old, term) for term in new]
    assert before.vocabulary == old
