"""Queries that are added, asked and removed after the fit, against a slow model."""

import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from skxmr import QueryCompleter
from skxmr.completion._living_index import LivingIndex
from skxmr.completion._prefix_index import PrefixIndex
from skxmr.completion._query_ids import runs, without_ranges
from skxmr.persistence import load, save, save_changes

WORDS = ["tea", "teapot", "tea pot", "toast", "tee", "beer", "bread", "b", "tent 1"]
DECAY, REVERSED = 0.5, 0.25


class SlowCompleter:
    """Counts and transitions in dictionaries."""

    def __init__(self):
        self.counts, self.pairs, self.rows, self.removed = {}, {}, set(), set()

    def learn(self, previous, queries):
        kept = [
            (session, query)
            for session, query in zip(previous, queries, strict=True)
            if query not in self.removed
        ]
        for _, query in kept:
            self.counts[query] = self.counts.get(query, 0) + 1
        self.rows |= {one for session, _ in kept for one in session}
        for session, query in kept:
            for age, one in enumerate(reversed(session)):
                self._add(one, query, DECAY**age)
                if one in self.counts and query in self.rows:
                    self._add(query, one, REVERSED * DECAY**age)

    def _add(self, previous, query, weight):
        pair = previous, query
        self.pairs[pair] = self.pairs.get(pair, 0) + weight

    def remove(self, query):
        del self.counts[query]
        self.removed.add(query)
        self.pairs = {pair: w for pair, w in self.pairs.items() if pair[1] != query}

    def add(self, query):
        self.removed.discard(query)
        self.learn([()], [query])

    def complete(self, prefix, session):
        total = sum(self.counts.values())
        scores = {}
        for query, count in self.counts.items():
            if query.startswith(prefix):
                scores[query] = count / total
                for age, one in enumerate(reversed(session)):
                    scores[query] += DECAY**age * self.pairs.get((one, query), 0)
        whole = sum(scores.values())
        return {query: score / whole for query, score in scores.items()}


def make_completer(**parameters):
    options = {"classifier_weight": 0, "n_neighbors": 0, "decay": DECAY}
    return QueryCompleter(**options, reversed_weight=REVERSED, **parameters)


sessions = st.lists(st.sampled_from(WORDS), max_size=2).map(tuple)
logs = st.lists(st.tuples(sessions, st.sampled_from(WORDS)), max_size=4)
steps = st.one_of(
    st.tuples(st.just("learn"), logs),
    st.tuples(st.just("add"), st.sampled_from(WORDS)),
    st.tuples(st.just("remove"), st.sampled_from(WORDS)),
    st.tuples(st.sampled_from(["compact", "pickle"]), st.none()),
)


def change(completer, step, given):
    """Take a step, and return the completer; errors are those of `remove`."""
    if step == "learn":
        completer.partial_fit([one for one, _ in given], [one for _, one in given])
    elif step == "add":
        completer.add([given.upper()])
    elif step == "remove":
        completer.remove([given])
    elif step == "compact":
        completer.compact()
    return pickle.loads(pickle.dumps(completer)) if step == "pickle" else completer


def change_slowly(slow, step, given):
    """Take a step, and return whether it is possible."""
    if step == "learn":
        slow.learn([one for one, _ in given], [one for _, one in given])
    elif step == "add":
        slow.add(given)
    elif step == "remove":
        if given not in slow.counts or len(slow.counts) == 1:
            return False
        slow.remove(given)
    return True


@settings(deadline=None, max_examples=150)
@given(start=logs, sequence=st.lists(steps, max_size=8))
def test_sequences_of_changes_equal_a_slow_model(start, sequence):
    start = [((), "toast"), *start]
    slow, completer, plain = SlowCompleter(), make_completer(), make_completer()
    previous, queries = [one for one, _ in start], [one for _, one in start]
    slow.learn(previous, queries)
    completer.fit(previous, queries)
    plain.fit(previous, queries)
    for step, what in sequence:
        known = set(slow.counts)
        if change_slowly(slow, step, what):
            completer = change(completer, step, what)
            if step not in ("compact", "pickle"):
                change(plain, step, what)
                n_added = len(set(slow.counts) - known)
                assert step == "remove" or completer.n_added_ == n_added
        else:
            with pytest.raises(ValueError, match="queries"):
                change(completer, step, what)
    for session in [(), ("tea",), ("toast", "b")]:
        for prefix in ("", "t", "te", "b"):
            found = completer.complete(prefix, session, len(WORDS))
            # The same bits, whether or not changes were merged meanwhile.
            assert found == plain.complete(prefix, session, len(WORDS))
            expected = slow.complete(prefix, session)
            shown = {query.lower(): score for query, score in found}
            assert len(shown) == len(found)
            assert shown == pytest.approx(expected, rel=1e-5)
            scores = [score for _, score in found]
            assert scores == sorted(scores, reverse=True)
    assert [one.lower() for one in completer.queries_] == sorted(
        slow.counts, key=completer._state.normalizer.key
    )


def test_the_first_of_partial_fits_is_a_fit():
    log = ["a", "a", "b"], ["tea", "toast", "tin"]
    completer = make_completer().partial_fit(*log)
    assert completer.complete("t", "a") == make_completer().fit(*log).complete("t", "a")


@pytest.mark.parametrize(
    "queries",
    [
        ["tea", "tea", "toast"],
        Counter({"tea": 2, "toast": 1}),
        {"tea": 2, "toast": 1},
        pd.Series(["tea", "tea", "toast"]),
        pd.Series(["tea", "tea", "toast"]).value_counts(),
        iter(["tea", "tea", "toast"]),
    ],
    ids=lambda queries: type(queries).__name__,
)
def test_queries_alone_are_enough(queries):
    completer = QueryCompleter().fit(queries)
    expected = [("tea", pytest.approx(2 / 3)), ("toast", pytest.approx(1 / 3))]
    assert completer.complete("t") == expected
    assert completer.classifier_ is None


def test_no_queries_at_all():
    for queries in (None, [], [" "]):
        with pytest.raises((ValueError, TypeError), match="queries"):
            QueryCompleter().fit(queries)
    for change in ("add", "remove", "compact", "update"):
        with pytest.raises(NotFittedError):
            getattr(QueryCompleter(), change)(*[["tea"]] * (change != "compact"))


def test_the_classifier_ranks_what_it_knows():
    previous = ["bread", "bread", "garden", "garden", "tool"] * 20
    queries = ["butter", "butter knife", "butterfly", "bulb", "bolt"] * 20
    completer = QueryCompleter(random_state=0).fit(previous, queries)
    before = dict(completer.complete("b", "bread"))
    completer.add(["bacon", "button"])
    completer.remove(["butter knife"])
    after = completer.complete("b", "bread")
    shown = [query for query, _ in after]
    assert shown[0] == "butter"
    assert set(shown) == {"butter", "butterfly", "bulb", "bolt", "bacon", "button"}
    assert shown.index("butterfly") < shown.index("button")
    completer.remove(["bacon", "button"])
    completer.add({"butter knife": 20})
    again = dict(completer.complete("b", "bread"))
    assert set(again) == set(before)
    assert pickle.loads(pickle.dumps(completer)).complete("b") == completer.complete(
        "b"
    )


@pytest.mark.parametrize("match", ["prefix", "fuzzy"])
def test_removed_queries_never_come_back(match):
    completer = QueryCompleter(match=match).fit(["teapot", "tea", "toast", "tent"])
    completer.remove(["TEA  "])
    completer.update(["toast"], ["tea"])
    completer.partial_fit({"tea": 5, "teak": 1})
    assert completer.n_added_ == 1
    for prefix in ("", "t", "tea", "tee", "tea "):
        assert "tea" not in dict(completer.complete(prefix, "toast"))
    again = pickle.loads(pickle.dumps(completer)).compact().partial_fit(["tea"])
    assert "tea" not in dict(again.complete(""))
    again.add(["tea"])
    assert again.complete("tea ")[0][0] == "tea"
    assert len(completer.complete("t")) == 4


def test_invalid_changes_are_refused():
    completer = QueryCompleter().fit(["tea", "toast"])
    before = pickle.dumps(completer)
    with pytest.raises(ValueError, match=r"queries\[1\] is 'milk', which is not"):
        completer.remove(["tea", "milk"])
    with pytest.raises(ValueError, match="queries has all 2 known queries"):
        completer.remove(["tea", "toast", "Toast"])
    with pytest.raises(ValueError, match="unknown must be 'raise' or 'ignore'; got 'n"):
        completer.remove(["tea"], unknown="no")
    with pytest.raises(TypeError, match=r"queries\[0\] must be a str; got 3"):
        completer.remove([3])
    with pytest.raises(ValueError, match="queries must be an iterable of str"):
        completer.remove("tea")
    with pytest.raises(ValueError, match="counts must be positive; got -1"):
        completer.add(["milk"], counts=[-1])
    assert pickle.dumps(completer) == before
    completer.remove(["milk"], unknown="ignore")
    assert completer.queries_ == ["tea", "toast"]


def test_only_changes_are_saved(tmp_path):
    words = [f"tea {i}" for i in range(3000)]
    completer = make_completer().fit(words, words[::-1])
    (tmp_path / "model").mkdir()
    save(completer, tmp_path / "model")
    whole = sum(one.stat().st_size for one in (tmp_path / "model").rglob("*"))
    completer.partial_fit(["tea 1", "cup"], ["tea cup", "tea 2"]).remove(["tea 3"])
    before = set((tmp_path / "model").rglob("*"))
    save_changes(completer, tmp_path / "model")
    new = set((tmp_path / "model").rglob("*")) - before
    assert sum(one.stat().st_size for one in new) < whole / 20
    again = load(tmp_path / "model")
    assert again.queries_ == completer.queries_
    for previous in ("", "cup", "tea 1"):
        expected = completer.complete("tea", previous, 5)
        assert again.complete("tea", previous, 5) == expected
        assert again.compact().complete("tea", previous, 5) == expected


def test_changes_while_compacting_are_kept():
    completer = make_completer().fit([f"tea {i}" for i in range(2000)])

    def change(i):
        completer.partial_fit(["toast"], [f"coffee {i}"])
        completer.remove([f"tea {i}"])

    with ThreadPoolExecutor(2) as pool:
        merging = pool.submit(lambda: [completer.compact() for _ in range(10)])
        list(map(change, range(100)))
        merging.result()
    expected = {f"coffee {i}" for i in range(100)} | {
        f"tea {i}" for i in range(100, 2000)
    }
    assert set(completer.queries_) == expected
    assert len(completer.complete("coffee", "toast", 200)) == 100


def test_sixteen_readers_beside_a_writer():
    completer = QueryCompleter(classifier_weight=0).fit([f"tea {i}" for i in range(40)])

    def read(_):
        found = [query for query, _ in completer.complete("tea", "bread", 30)]
        assert len(set(found)) == 30
        return found

    with ThreadPoolExecutor(16) as pool:
        readings = [pool.submit(read, i) for i in range(400)]
        for i in range(40):
            completer.partial_fit(["bread"], [f"tea cup {i}"])
            completer.remove([f"tea {i}"])
        for reading in readings:
            reading.result()
    assert len(completer.queries_) == 40
    assert not {f"tea {i}" for i in range(40)} & set(completer.queries_)


@given(st.lists(st.integers(0, 30), max_size=8), st.sets(st.integers(0, 30)))
def test_ranges_without_others(bounds, excluded):
    bounds = sorted(bounds)
    ranges = np.array(bounds[: len(bounds) // 2 * 2], dtype=np.int64).reshape(-1, 2)
    wanted = [one for a, b in ranges.tolist() for one in range(a, b)]
    left = without_ranges(ranges, np.array(sorted(excluded), dtype=np.int64))
    found = [one for a, b in left.tolist() for one in range(a, b)]
    assert found == [one for one in wanted if one not in excluded]
    assert ranks_in(runs(np.array(sorted(excluded), dtype=np.int64))) == sorted(
        excluded
    )


def ranks_in(ranges):
    return [rank for start, stop in ranges.tolist() for rank in range(start, stop)]


# Few letters and counts, so that queries begin alike and are equally frequent.
keys = st.text("ab ", min_size=1, max_size=3).map(str.strip).filter(bool)
tallies = st.dictionaries(keys, st.integers(1, 3), max_size=6)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(keys, st.integers(1, 3), min_size=1, max_size=12),
    st.lists(st.tuples(tallies, st.sets(keys, max_size=3), st.booleans()), max_size=5),
)
def test_a_living_index_equals_one_of_all_queries(start, changes):
    now = dict(start)
    index = first = fitted_index(start)
    for more, fewer, merges in changes:
        listed = sorted(more)
        counts = np.array([more[key] for key in listed], dtype=np.float64)
        index, ids = LivingIndex.of(index).plus(listed, counts)
        assert [index.key_of(one) for one in ids.tolist()] == listed
        now = {key: now.get(key, 0) + more.get(key, 0) for key in {*now, *more}}
        gone = sorted(index.rank_of(key) for key in fewer & set(now))
        index = index.without(np.array(gone, dtype=np.int64))
        now = {key: count for key, count in now.items() if key not in fewer}
        index.check()
        if merges and now:
            index = index.merged()
    assert first.counts.tolist() == [start[key] for key in sorted(start)]
    if not now:
        return
    expected = fitted_index(now)
    assert index.keys == expected.keys
    assert index.counts.tolist() == expected.counts.tolist()
    assert index.total == expected.total
    for prefix in ("", "a", "ab", "b ", "aba"):
        ranges, wanted = index.find(prefix), expected.find(prefix)
        assert index.mass(ranges) == expected.mass(wanted)
        for k in (1, 2, 5):
            best = index.most_frequent(ranges, k).tolist()
            assert keys_of(index, best) == keys_of(
                expected, expected.most_frequent(wanted, k).tolist()
            )
    assert near(index) == near(expected)


def fitted_index(counts):
    listed = sorted(counts)
    return PrefixIndex(listed, np.array([counts[key] for key in listed], dtype=float))


def keys_of(index, ids):
    if isinstance(index, PrefixIndex):
        return [index.keys[one] for one in ids]
    return [index.key_of(one) for one in ids]


def near(index):
    ranges, edits = index.find_near("aab", 1)
    return sorted(
        (key, n)
        for one, n in zip(ranges, edits.tolist(), strict=True)
        for key in keys_of(index, ranks_in(one[np.newaxis]))
    )
