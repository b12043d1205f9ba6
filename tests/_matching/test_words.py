"""Queries that have some words, against a slow twin."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skxmr._cython._word_matching import WordPostings

from skxmr._matching._words import WordIndex
from skxmr.completion._query_ids import gaps, within_both

pytestmark = pytest.mark.kernels

# Few letters, so that words begin alike; one of a script without spaces, one accent.
letters = st.sampled_from("ab1 - 日本\u0301")
texts = st.text(letters, max_size=9)
keys_of = st.lists(texts, min_size=1, max_size=30, unique=True).map(sorted)


def cut(text):
    """Cut a text into words."""
    for one in "-":
        text = text.replace(one, " ")
    return text.split()


def beginnings(word):
    """List the parts of a word from where a word may begin."""
    for i, letter in enumerate(word):
        is_after = i and word[:i].rstrip("\u0301")[-1:] in ("日", "本")
        if i == 0 or letter in "日本" or (is_after and letter != "\u0301"):
            yield word[i:]


def has_words(key, prefix):
    """Tell whether a key has all words of a prefix."""
    parts = [part for word in cut(key) for part in beginnings(word)]
    typed = cut(prefix)
    return bool(typed) and all(
        any(
            part.startswith(word)
            if set(word) & set("日本") or (last and prefix.endswith(word))
            else part == word
            for part in parts
        )
        for word, last in zip(typed, [False] * (len(typed) - 1) + [True], strict=True)
    )


def make_ranges(bounds, n):
    marks = sorted({min(one, n) for one in bounds})
    return np.array(list(zip(marks[::2], marks[1::2], strict=False)), np.int64).reshape(
        -1, 2
    )


@settings(deadline=None, max_examples=300)
@given(
    keys=keys_of,
    prefix=texts,
    bounds=st.lists(st.integers(0, 30), max_size=6),
    k=st.sampled_from([1, 2, 5, 40]),
    data=st.data(),
)
@example(["a b", "b a", "ba"], "b a", [0, 3], 5, None)
@example(["日本 a", "本a"], "本a", [0, 2], 5, None)
def test_best_and_matches_equal_a_slow_twin(keys, prefix, bounds, k, data):
    n = len(keys)
    counts = np.ones(n)
    if data is not None:
        some = st.sampled_from([1.0, 2.0, 3.5])
        counts = np.array(data.draw(st.lists(some, min_size=n, max_size=n)))
    index, allowed = WordIndex(keys, counts), make_ranges(bounds, n)
    sought = index.seek(prefix)
    wanted = [has_words(key, prefix) for key in keys]
    assert index.matches(sought, np.arange(n)).tolist() == wanted
    inside = [rank for a, b in allowed.tolist() for rank in range(a, b)]
    ranked = sorted((-counts[rank], rank) for rank in inside if wanted[rank])
    best = index.best(sought, allowed, k).tolist()
    assert best == [rank for _, rank in ranked[:k]]


def test_many_queries_of_a_word_come_by_count():
    random = np.random.default_rng(0)
    keys = sorted({f"q{i} w{i % 7} x{i % 3} of {i % 50}" for i in range(5000)})
    counts = random.zipf(1.5, len(keys)).astype(float)
    index = WordIndex(keys, counts)
    for prefix in ("w", "x1 w3 ", "q", "of", "of w2 x", "w2 w3", "4 x"):
        wanted = [rank for rank, key in enumerate(keys) if has_words(key, prefix)]
        ranked = sorted((-counts[rank], rank) for rank in wanted)
        for allowed in ([[0, len(keys)]], [[10, 20], [40, 4000]], [[7, 9]]):
            inside = [
                rank for _, rank in ranked if any(a <= rank < b for a, b in allowed)
            ]
            for k in (10, 100):
                best = index.best(index.seek(prefix), np.array(allowed), k)
                assert best.tolist() == inside[:k]


def test_invalid_arguments_are_refused():
    one = np.zeros(1, dtype=np.int32)
    offsets = np.array([0, 1])
    postings = WordPostings(offsets, one, one, one, one, offsets, one)
    allowed, k = np.array([[0, 1]]), (np.zeros(1, np.int64), np.zeros(1))
    best = np.zeros(1, np.int64)
    assert postings.best(np.array([[0, 1, 0]]), allowed, *k, best) == 1
    for sought in ([[0, 2, 0]], [[-1, 1, 0]], [[1, 0, 0]]):
        with pytest.raises(ValueError, match="sought does not exist"):
            postings.best(np.array(sought), allowed, *k, best)
    with pytest.raises(ValueError, match="three columns"):
        postings.matches(np.array([[0, 1]]), best, np.zeros(1, np.uint8))
    for bad in ([[0, 2]], [[-1, 1]]):
        with pytest.raises(ValueError, match="beyond the queries"):
            postings.best(np.array([[0, 1, 0]]), np.array(bad), *k, best)
    with pytest.raises(ValueError, match="no query with such a number"):
        postings.matches(np.array([[0, 1, 0]]), np.array([1]), np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="as long as queries"):
        postings.matches(np.array([[0, 1, 0]]), np.array([0]), np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match="shorter than best"):
        postings.best(np.array([[0, 1, 0]]), allowed, *k, np.zeros(2, np.int64))


@given(st.lists(st.integers(0, 12), max_size=8), st.lists(st.integers(0, 12)))
def test_ranges_in_common_and_gaps(one, other):
    def numbers(ranges):
        return {i for a, b in ranges.tolist() for i in range(a, b)}

    first, second = make_ranges(one, 12), make_ranges(other, 12)
    assert numbers(within_both(first, second)) == numbers(first) & numbers(second)
    assert numbers(gaps(first, 12)) == set(range(12)) - numbers(first)
