"""Completion by words in any order and at any place."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skxmr import QueryCompleter

WORDS = ["jazz", "jam", "history", "of", "phone", "smart", "ja"]


def make_completer(**parameters):
    options = {"classifier_weight": 0, "n_neighbors": 0, "decay": 0.5}
    return QueryCompleter(
        reversed_weight=0, popularity_weight=1.0, match="words", **options, **parameters
    )


def names(completions):
    return [query for query, _ in completions]


def test_words_are_found_in_any_order_and_at_any_place():
    completer = QueryCompleter(match="words").fit(
        ["smart phone", "Phone case", "History of Jazz", "history of rock", "T-shirt"]
    )
    assert names(completer.complete("phone")) == ["Phone case", "smart phone"]
    assert names(completer.complete("JAZZ hist")) == ["History of Jazz"]
    assert names(completer.complete("of hist")) == [
        "History of Jazz",
        "history of rock",
    ]
    assert names(completer.complete("shirt")) == ["T-shirt"]
    assert completer.complete("hist jazz") == []  # "hist" is a complete word here
    assert completer.complete("phon ") == completer.complete("hone") == []
    assert names(completer.complete("jazz", match="prefix")) == []


@pytest.mark.parametrize(
    ("query", "typed"),
    [
        ("東京ラーメン", "ラーメ"),
        ("東京ラーメン", "東京 メン"),
        ("日本phone", "phon"),
        ("กินข้าวผัด", "ข้าว"),
        ("서울 특별시", "특별"),
        ("서울특별시", "특별"),
        ("pão de queijo", "pão que"),
        ("tarte à la crème", "la cre"),
        ("tarte à la crème", "crè"),
        ("новая книга", "КНИ"),
        ("قميص أحمر", "أحم"),
        ("ガラス の 仮面", "仮"),
    ],
)
def test_words_of_any_script(query, typed):
    completer = QueryCompleter(match="words").fit([query, "zzz"])
    assert names(completer.complete(typed)) == [query]


def test_those_with_the_prefix_come_first_with_the_same_scores():
    counts = {"tea": 1, "tea cup": 2, "green tea": 99, "black tea": 50, "team": 3}
    completer = QueryCompleter(match="words").fit(counts)
    by_prefix = completer.complete("tea", match="prefix")
    found = completer.complete("tea")
    assert found[:3] == by_prefix
    assert names(found[3:]) == ["green tea", "black tea"]
    assert completer.complete("tea", k=2) == by_prefix[:2]
    assert completer.complete("tea", k=4) == found[:4]


def test_sessions_order_what_has_the_words():
    previous = ["camping"] * 3 + [None] * 5
    queries = ["gas stove"] * 3 + ["wood stove"] * 5
    completer = make_completer().fit(previous, queries)
    assert names(completer.complete("stove")) == ["wood stove", "gas stove"]
    assert names(completer.complete("stove", "camping")) == ["gas stove", "wood stove"]


def test_the_classifier_ranks_those_with_the_prefix():
    previous = ["camping", "camping", "kitchen", "kitchen"] * 5
    queries = ["stove gas", "gas stove", "stove top", "wood stove"] * 5
    completer = QueryCompleter(match="words", random_state=0).fit(previous, queries)
    by_prefix = completer.complete("stove", "kitchen", match="prefix")
    found = completer.complete("stove", "kitchen")
    assert found[:2] == by_prefix
    assert names(found[2:]) == ["wood stove", "gas stove"]


class SlowCompleter:
    """Counts and transitions in dictionaries."""

    def __init__(self):
        self.counts, self.pairs = {}, {}

    def learn(self, log):
        for previous, query in log:
            self.counts[query] = self.counts.get(query, 0) + 1
            if previous:
                pair = previous, query
                self.pairs[pair] = self.pairs.get(pair, 0) + 1

    def complete(self, prefix, previous, left_out):
        total = sum(self.counts.values())
        ranked = []
        for query, count in self.counts.items():
            if query in left_out:
                continue
            words, typed = query.split(), prefix.split()
            if query.startswith(prefix):
                tier = 0
            elif set(typed[:-1]) <= set(words) and any(
                word.startswith(typed[-1]) for word in words
            ):
                tier = 1
            else:
                continue
            weight = count / total + self.pairs.get((previous, query), 0)
            ranked.append((tier, -weight, query))
        return [query for _, _, query in sorted(ranked)]


queries = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
logs = st.lists(
    st.tuples(st.sampled_from(["", *WORDS]), queries), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=150)
@given(
    start=logs,
    changes=st.lists(st.sampled_from(["learn", "remove", "compact", "pickle"])),
    prefix=st.sampled_from(["ja", "jazz h", "of ja", "phone", "smart phone", "h"]),
    previous=st.sampled_from(["", "jazz", "of"]),
    k=st.sampled_from([1, 2, 99]),
    data=st.data(),
)
def test_changing_completers_equal_a_slow_twin(
    start, changes, prefix, previous, k, data
):
    slow, completer = SlowCompleter(), make_completer()
    slow.learn(start)
    completer.fit(*zip(*start, strict=True))
    for change in changes:
        if change == "learn":
            log = data.draw(logs)
            log = [pair for pair in log if pair[1] not in completer._state.removed]
            slow.learn(log)
            completer.partial_fit([one for one, _ in log], [one for _, one in log])
        elif change == "remove" and len(slow.counts) > 1:
            query = data.draw(st.sampled_from(sorted(slow.counts)))
            del slow.counts[query]
            slow.pairs = {p: n for p, n in slow.pairs.items() if p[1] != query}
            completer.remove([query])
        elif change == "compact":
            completer.compact()
        elif change == "pickle":
            completer = pickle.loads(pickle.dumps(completer))
        left_out = data.draw(st.sets(st.sampled_from(sorted(slow.counts))))
        found = completer.complete(prefix, previous, k, excluded=left_out)
        assert names(found) == slow.complete(prefix, previous, left_out)[:k]
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)
        allowed = set(slow.counts) - left_out
        assert completer.complete(prefix, previous, k, allowed=allowed) == found


def test_the_index_of_words_is_not_saved_and_survives_compact():
    completer = QueryCompleter(match="words").fit(["smart phone", "tea"])
    assert completer.index_.has_words
    plain = QueryCompleter().fit(["smart phone", "tea"])
    assert not plain.index_.has_words
    again = pickle.loads(pickle.dumps(completer))
    assert not again.index_.has_words
    assert again.complete("phone") == completer.complete("phone") != []
    again.add(["old phone"]).compact()
    assert again.index_.has_words
    assert names(again.complete("phone")) == ["old phone", "smart phone"]
