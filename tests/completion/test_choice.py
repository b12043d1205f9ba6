"""Completions of some of the queries: allowed ones, and without excluded ones."""

import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skxmr import QueryCompleter
from skxmr.baselines import BigramCompleter, PopularCompleter

QUERIES = [f"{a}{b}{c}" for a in ("tea", "toast") for b in (" ", "s ") for c in "abcé"]
PREVIOUS = [QUERIES[(7 * i) % len(QUERIES)] for i in range(len(QUERIES))]
COUNTS = [1 + (5 * i) % 7 for i in range(len(QUERIES))]
COMPLETERS = {
    "popular": PopularCompleter(),
    "bigram": BigramCompleter(),
    "counts": QueryCompleter(classifier_weight=0),
    "classifier": QueryCompleter(random_state=0),
    "fuzzy": QueryCompleter(random_state=0, match="fuzzy"),
    "words": QueryCompleter(classifier_weight=0, match="words"),
}
kinds = pytest.mark.parametrize("kind", COMPLETERS)


@functools.cache
def fitted(kind):
    return clone(COMPLETERS[kind]).fit(PREVIOUS, QUERIES, counts=COUNTS)


some = st.none() | st.sets(st.sampled_from(QUERIES))


@kinds
@settings(deadline=None, max_examples=40)
@given(
    allowed=some,
    excluded=some,
    prefix=st.sampled_from(["", "t", "tea", "teas ", "toast", "tost", "b", "a to"]),
    session=st.sampled_from(["", *QUERIES[:3]]),
    k=st.sampled_from([1, 3, 99]),
)
def test_others_take_the_place(kind, allowed, excluded, prefix, session, k):
    completer = fitted(kind)
    choice = {"allowed": allowed, "excluded": excluded}
    everything = completer.complete(prefix, session, 99)
    is_left = set(QUERIES if allowed is None else allowed) - (excluded or set())
    expected = [one for one in everything if one.query in is_left]
    found = completer.complete(prefix, session, k, **choice)
    assert len(found) == min(k, len(expected))
    assert len({one.query for one in found}) == len(found)
    assert {one.query for one in found} <= is_left
    if kind not in ("classifier", "fuzzy"):  # whose scores depend on the choice
        assert [one.query for one in found] == [one.query for one in expected[:k]]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) <= 1 + 1e-9 or kind in ("popular", "words")
    subset = completer.subset(**choice)
    assert completer.complete(prefix, session, k, allowed=subset) == found
    assert completer.complete_batch([prefix], [session], k, **choice) == [found]


@kinds
def test_containers_and_spellings(kind):
    completer = fitted(kind)
    expected = completer.complete("t", k=3, excluded=QUERIES[:4])
    is_excluded = [query in QUERIES[:4] for query in completer.queries_]
    for excluded in (
        tuple(QUERIES[:4]),
        set(QUERIES[:4]),
        iter(QUERIES[:4]),
        pd.Series(QUERIES[:4]),
        [query.upper() for query in QUERIES[:4]],
        [query.replace("t", "\uff54").replace(" ", "  ") for query in QUERIES[:4]],
        is_excluded,
        np.array(is_excluded),
    ):
        assert completer.complete("t", k=3, excluded=excluded) == expected
    allowed = [not one for one in is_excluded]
    assert completer.complete("t", k=3, allowed=allowed) == expected
    assert completer.complete("t", allowed=[]) == []
    assert completer.complete("t", excluded=[]) == completer.complete("t")
    assert completer.complete("t", excluded=[True] * len(allowed)) == []


@kinds
def test_thirty_of_the_best_are_excluded(kind):
    counts = {f"tea {i}": 100 - i for i in range(60)}
    completer = clone(COMPLETERS[kind]).fit(None, counts)
    best = [query for query, _ in completer.complete("tea", k=30)]
    others = completer.complete("tea", k=30, excluded=best)
    assert len(others) == 30
    assert not {query for query, _ in others} & set(best)


@kinds
def test_invalid_choices_are_refused(kind):
    completer = fitted(kind)
    for name in ("allowed", "excluded"):
        for bad, message in (
            (["milk"], rf"{name}\[0\] is 'milk', which is not a known query"),
            (["tea a", 3], rf"{name}\[1\] must be a str; got 3"),
            (
                "tea a",
                f"{name} must be an iterable of str, or a mask; got a single str",
            ),
            ([True], rf"{name} is a mask of 1 items; expected one for each of the 16"),
            (3, f"{name} must be an iterable of str, or a mask; got int"),
            ({"tea a": 1}, f"{name} must be an iterable of str"),
        ):
            with pytest.raises((ValueError, TypeError), match=message):
                completer.complete("t", **{name: bad})
    with pytest.raises(ValueError, match="unknown must be 'raise' or 'ignore'"):
        completer.complete("t", excluded=[], unknown="maybe")
    found = completer.complete("t", excluded=["milk", "tea a"], unknown="ignore", k=99)
    assert len(found) == len(QUERIES) - 1


def test_a_subset_is_of_one_state():
    completer = QueryCompleter().fit(["tea", "toast"])
    subset = completer.subset(excluded=["tea"])
    assert [one.query for one in completer.complete("t", allowed=subset)] == ["toast"]
    completer.add(["tin"])
    for other in (completer, QueryCompleter().fit(["tea", "toast"])):
        with pytest.raises(ValueError, match="subset of queries was made by another"):
            other.complete("t", allowed=subset)
    with pytest.raises(TypeError, match="excluded must be an iterable"):
        completer.complete("t", excluded=subset)


@kinds
def test_match_is_chosen_per_call(kind):
    completer = clone(COMPLETERS[kind]).fit(PREVIOUS, QUERIES, counts=COUNTS)
    for match in completer._matches:
        for prefix in ("t", "tost", "teas "):
            found = completer.complete(prefix, QUERIES[0], 99, match=match)
            batch = completer.complete_batch([prefix], [QUERIES[0]], 99, match=match)
            if "match" in completer.get_params():
                completer.set_params(match=match)
            assert found == completer.complete(prefix, QUERIES[0], 99) == batch[0]
    assert completer.complete("toast", match=None) == completer.complete("toast")
    for bad in ("other", 3, ["prefix"], True):
        for call in (completer.complete, completer.complete_batch):
            with pytest.raises(ValueError, match=r"match of .* must be None or one of"):
                call("t" if call == completer.complete else ["t"], match=bad)
