import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twins import begins, least_edits, letters_of

from skxmr._cython import _completion as kernel
from skxmr._matching._sorted_keys import combining_classes
from skxmr.completion._prefix_index import PrefixIndex
from skxmr.text._normalization import END_OF_KEY

pytestmark = pytest.mark.kernels

# Few letters, so that queries begin alike; some that sort beyond the others.
letters = st.sampled_from("ab 12\u0301\u0302\u0323\0\U0010ffff")
texts = st.text(letters, max_size=6)
prefixes = st.builds(str.__add__, texts, st.sampled_from(["", "", " "]))
queries = st.lists(texts, min_size=1, max_size=40, unique=True)


def make_index(keys):
    keys = sorted(keys)
    counts = np.array([1.0 + len(key) % 3 for key in keys])
    return PrefixIndex(keys, counts)


def ranks_in(ranges):
    return [rank for start, stop in ranges.tolist() for rank in range(start, stop)]


@given(queries, prefixes)
def test_find_gives_what_starts_with_the_prefix(keys, prefix):
    index = make_index(keys)
    wanted = [i for i, key in enumerate(index.keys) if is_beginning(prefix, key)]
    assert ranks_in(index.find(prefix)) == wanted
    assert index.mass(index.find(prefix)) == index.counts[wanted].sum()


def is_beginning(prefix, key):
    if prefix.endswith(" "):
        return f"{key} ".startswith((prefix, prefix[:-1] + END_OF_KEY))
    typed, letters = letters_of(prefix), letters_of(key)
    if not typed:
        return True
    n = len(typed)
    return (
        letters[: n - 1] == typed[:-1]
        and len(letters) >= n
        and begins(typed[-1], letters[n - 1])
    )


@given(
    st.lists(st.text("ab12 -/", max_size=6), min_size=1, max_size=30, unique=True),
    st.text("ab12 -/", max_size=5),
)
@example(["t-shirt red", "t shirt", "tshirts", "ts", "a"], "tshirt")
@example(["t-shirt red", "t shirt", "tshirts", "t-shirt", "ts", "a"], "tshirt ")
@example(["1 -2", "1 2", "1-2 a"], "1 -2")
@example(["1.2", "a 12", "a-1", "a 1 2", "a-1/2", "a-1-2"], "a1/2")
def test_find_joined_equals_a_slow_twin(keys, prefix):
    index = make_index(keys)
    wanted = [rank for rank, key in enumerate(index.keys) if begins_joined(prefix, key)]
    ranges = index.find_joined(prefix)
    assert ranks_in(ranges) == wanted
    assert (np.diff(ranges.ravel()) >= 0).all()


def begins_joined(prefix, key):
    """Whether some beginning of a key has the letters of a prefix."""
    letters = letters_and_numbers(prefix)
    return bool(letters) and any(
        letters_and_numbers(key[:end]) == letters
        and (not prefix.endswith(" ") or key[end : end + 1] in ("", *" -/"))
        for end in range(len(key) + 1)
    )


def letters_and_numbers(text):
    """Remove what joins words, except between digits."""
    parts = re.split("([ /-]+)", text)
    for i in range(1, len(parts), 2):
        if not (parts[i - 1][-1:].isdigit() and parts[i + 1][:1].isdigit()):
            parts[i] = ""
    return "".join(parts)


@settings(deadline=None, max_examples=400)
@given(queries, prefixes, st.integers(1, 3))
@example(["ba\u0301c"], "a\u0301bc", 1)
@example(["a\u0301e\u0302b"], "e\u0302a\u0301b", 1)
@example(["a\u0327\u0301b"], "a\u0301", 1)
@example(["ab 12", "ab 13", "ab 122", "ab 1"], "ab 12", 2)
@example(["\u0323\u0301"], "\u0301", 1)
@example(["a128", "a12", "a12b"], "a12b", 1)
def test_find_near_equals_a_slow_twin(keys, prefix, most_edits):
    index = make_index(keys)
    ranges, edits = index.find_near(prefix, most_edits)
    found = {
        rank: n
        for (start, stop), n in zip(ranges.tolist(), edits.tolist(), strict=True)
        for rank in range(start, stop)
    }
    assert len(found) == len(ranks_in(ranges))  # no rank twice
    every = {rank: least_edits(prefix, key) for rank, key in enumerate(index.keys)}
    assert found == {rank: n for rank, n in every.items() if n <= most_edits}
    exact = [rank for rank, n in found.items() if n == 0]
    assert exact == ranks_in(index.find(prefix))


def test_find_near_makes_room_for_many_ranges():
    # Of what begins with the same character, one is near and one is not.
    keys = [chr(0x100 + i) + end for i in range(200) for end in ("ab", "zz")]
    index = make_index(keys)
    ranges, edits = index.find_near("qab", 1)
    assert ranks_in(ranges) == list(range(0, 400, 2))
    assert edits.tolist() == [1] * 200


def test_find_near_takes_long_prefixes():
    index = make_index(["a" * 5000, "b"])
    assert ranks_in(index.find_near("a" * 4999 + "b", 2)[0]) == [0]
    assert ranks_in(index.find_near("a" * 10_000, 2)[0]) == []


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=900),
    st.lists(st.integers(0, 900), max_size=6),
    st.integers(1, 12),
)
def test_most_frequent_equals_a_slow_twin(counts, bounds, k):
    keys = [f"{i:04d}" for i in range(len(counts))]
    index = PrefixIndex(keys, np.array(counts, dtype=np.float64))
    bounds = sorted(min(bound, len(keys)) for bound in bounds)
    ranges = np.array(bounds[: len(bounds) // 2 * 2], dtype=np.int64).reshape(-1, 2)
    expected = sorted(ranks_in(ranges), key=lambda rank: (-counts[rank], rank))[:k]
    assert index.most_frequent(ranges, k).tolist() == expected


@given(queries, texts)
def test_rank_of(keys, key):
    index = make_index(keys)
    wanted = index.keys.index(key) if key in keys else -1
    assert index.rank_of(key) == wanted


def test_letters_of_very_many_accents_are_compared():
    accents = "\u0301" * 500
    index = make_index([f"ea{accents}b", f"e{accents}ab", "ead"])
    assert index.find_near("eab", 1)[0].tolist() == [[0, 3]]
    ranges, edits = index.find_near(f"e{accents}ab", 1)
    assert (ranges.tolist(), edits.tolist()) == ([[2, 3]], [0])
    assert ranks_in(index.find(f"ea{accents}")) == [1]


@given(texts.map(lambda text: text.strip(" ")).filter(bool), texts)
def test_a_blank_at_the_end_needs_whole_words(words, more):
    complete = {words, f"{words} {more}", words + END_OF_KEY + more}
    index = make_index([*complete, f"{words}x{more}", f"{words}\0{more}"])
    found = [index.keys[rank] for rank in ranks_in(index.find(f"{words} "))]
    assert found == sorted(complete)


# Kernels


@st.composite
def weighted_lists(draw):
    n_queries = draw(st.integers(1, 30))
    weights = st.integers(0, 8)
    lists = [
        (
            np.array(ranks, dtype=np.int32),
            np.array([draw(weights) for _ in ranks], dtype=np.float32),
        )
        for ranks in draw(
            st.lists(
                st.lists(st.integers(0, n_queries - 1), unique=True).map(sorted),
                max_size=5,
            )
        )
    ]
    prior = np.array([draw(weights) for _ in range(n_queries)], dtype=np.float64)
    factors = np.array([draw(weights) for _ in lists], dtype=np.float64)
    return lists, factors, prior


@given(weighted_lists(), st.integers(0, 3), st.integers(1, 8))
def test_best_of_sums_equals_a_slow_twin(given_lists, prior_factor, k):
    lists, factors, prior = given_lists
    best, scores = np.empty(k, dtype=np.int64), np.empty(k)
    cursors = np.empty(len(lists), dtype=np.int64)
    n_found = kernel.best_of_sums(
        lists, factors, prior, prior_factor, cursors, best, scores
    )
    sums = {}
    for (ranks, weights), factor in zip(lists, factors, strict=True):
        for rank, weight in zip(ranks.tolist(), weights.tolist(), strict=True):
            sums.setdefault(rank, prior_factor * prior[rank])
            sums[rank] += factor * weight
    expected = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:k]
    assert list(zip(best[:n_found], scores[:n_found], strict=True)) == expected


def test_best_of_sums_refuses_what_does_not_fit():
    def run(ranks, weights, k=2, n_scores=2, n_lists=1):
        one = np.array(ranks, dtype=np.int32), np.array(weights, dtype=np.float32)
        kernel.best_of_sums(
            [one] * n_lists,
            np.ones(n_lists),
            np.ones(3),
            1.0,
            np.empty(n_lists, dtype=np.int64),
            np.empty(k, dtype=np.int64),
            np.empty(n_scores),
        )

    with pytest.raises(ValueError, match="no query has"):
        run([0, 3], [1, 1])
    with pytest.raises(ValueError, match="no query has"):
        run([-1, 2], [1, 1])
    with pytest.raises(ValueError, match="as many weights"):
        run([0, 1], [1])
    with pytest.raises(ValueError, match="one length"):
        run([0], [1], n_scores=1)
    with pytest.raises(ValueError, match="more lists"):
        run([0], [1], n_lists=65)


def test_kernels_refuse_ranges_beyond_the_queries():
    ranges = np.array([[0, 4]])
    values, best = np.ones(3), np.empty(2, dtype=np.int64)
    with pytest.raises(ValueError, match="beyond"):
        kernel.best_in_ranges(ranges, values, np.ones(1), np.empty(2), best)
    with pytest.raises(ValueError, match="fewer blocks"):
        kernel.best_in_ranges(ranges, np.ones(300), np.ones(1), np.empty(2), best)


def test_find_near_refuses_small_scratch():
    index = make_index(["ab", "b"])
    arguments = {
        "typed": np.array([97, 98], dtype=np.uint32),
        "letters": np.empty(3 * kernel.SIZE_OF_LETTER, dtype=np.uint8),
        "codes": index.codes,
        "offsets": index.offsets,
        "classes": combining_classes(),
        "most_edits": 1,
        "whole_words": False,
        "band": np.empty((2, 5, 3), dtype=np.int32),
        "path": np.empty((5, 6), dtype=np.int64),
        "ranges": np.empty((4, 2), dtype=np.int64),
        "edits": np.empty(4, dtype=np.int64),
    }

    def run(**changed):
        return kernel.find_near(**{**arguments, **changed})

    assert run() == 2
    small = {
        "band": (arguments["band"][:1], arguments["band"][:, :4].copy()),
        "path": (arguments["path"][:1], arguments["path"][:, :5].copy()),
        "letters": (arguments["letters"][:-1],),
    }
    for name, arrays in small.items():
        for array in arrays:
            with pytest.raises(ValueError, match="scratch is too small"):
                run(**{name: array})
    with pytest.raises(ValueError, match="scratch is too small for so many"):
        run(most_edits=2)
    with pytest.raises(ValueError, match="edits must be as long as ranges"):
        run(edits=arguments["edits"][:3])
    with pytest.raises(ValueError, match="fewer code points"):
        run(codes=index.codes[:2])
    shallow = {"band": np.empty((2, 2, 3), dtype=np.int32)}
    assert run(**shallow, path=arguments["path"][:2]) == -1
