"""Counts that lose weight with time, against a model that ages every count."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skxmr import QueryCompleter
from skxmr.completion._changes import _MOST_EXCESS
from skxmr.completion._forward_decay import ForwardDecay

WORDS = ["tea", "tee", "toast", "beer", "b"]
DECAY = 0.5


def make_completer(half_life, **parameters):
    options = {"classifier_weight": 0, "n_neighbors": 0, "decay": DECAY}
    options |= {"reversed_weight": 0, "popularity_weight": 1.0}
    return QueryCompleter(half_life=half_life, **(options | parameters))


class SlowCompleter:
    """A list of all events, each aged whenever it is asked."""

    def __init__(self, half_life):
        self.half_life, self.events, self.now = half_life, [], -np.inf

    def learn(self, log, times):
        for (session, query), time in zip(log, times, strict=True):
            self.events.append((session, query, time))
        self.now = max([self.now, *times])

    def counts(self):
        found = {}
        for _, query, time in self.events:
            found[query] = found.get(query, 0) + self.weight(time)
        return found

    def weight(self, time):
        return 0.5 ** ((self.now - time) / self.half_life)

    def complete(self, prefix, previous):
        counts = self.counts()
        total = sum(counts.values())
        scores = {q: n / total for q, n in counts.items() if q.startswith(prefix)}
        for session, query, time in self.events:
            if query in scores:
                for age, one in enumerate(reversed(session)):
                    scores[query] += (one == previous) * DECAY**age * self.weight(time)
        whole = sum(scores.values())
        return {query: score / whole for query, score in scores.items()}


sessions = st.lists(st.sampled_from(WORDS), max_size=2).map(tuple)
logs = st.lists(st.tuples(sessions, st.sampled_from(WORDS)), min_size=1, max_size=4)
ages = st.floats(-3, 20).map(lambda one: round(one, 2))


@settings(deadline=None, max_examples=150)
@given(
    start=logs,
    half_life=st.sampled_from([0.7, 1.0, 30.0]),
    batches=st.lists(st.tuples(logs, ages), max_size=5),
    others=st.lists(st.sampled_from(["compact", "pickle"]), max_size=5),
    data=st.data(),
)
def test_answers_equal_those_of_a_model_that_ages_all(
    start, half_life, batches, others, data
):
    slow, completer = SlowCompleter(half_life), make_completer(half_life)
    plain = make_completer(half_life)
    times = data.draw(st.lists(ages, min_size=len(start), max_size=len(start)))
    slow.learn(start, times)
    for one in (completer, plain):
        one.fit(*zip(*start, strict=True), when=times)
    for i, (log, time) in enumerate(batches):
        when = time if i % 2 else [time + n for n in range(len(log))]
        slow.learn(log, np.broadcast_to(when, len(log)).tolist())
        for one in (completer, plain):
            one.partial_fit(*zip(*log, strict=True), when=when)
        if i < len(others) and others[i] == "compact":
            completer.compact()
        elif i < len(others):
            completer = pickle.loads(pickle.dumps(completer))
    counts = dict(zip(completer.queries_, completer.counts_.tolist(), strict=True))
    assert counts == pytest.approx(slow.counts(), rel=1e-6)
    for prefix in ("", "t", "te", "b"):
        for previous in ("", "tea"):
            found = completer.complete(prefix, previous, 99)
            assert dict(found) == pytest.approx(
                slow.complete(prefix, previous), rel=1e-5
            )
            # The same, whether or not changes were merged.
            assert dict(plain.complete(prefix, previous, 99)) == pytest.approx(
                dict(found), rel=1e-6
            )


def test_counts_do_not_overflow_after_very_many_half_lives():
    completer = make_completer(1.0).fit(["x", "x"], ["tea", "toast"], when=0)
    for when in range(0, 5000, 7):
        completer.partial_fit(["x"], ["tee"], when=when)
        assert completer.complete("t", "x")[0].query == "tee" or when == 0
        assert completer._state.ages.excess <= _MOST_EXCESS
    assert completer.complete("t", "x", 3)[0].score == pytest.approx(1.0)
    assert np.isfinite(completer.counts_).all()
    assert completer.counts_.tolist()[1] == pytest.approx(1 / (1 - 2**-7))
    assert (completer.counts_ > 0).all()
    assert len(completer.compact().complete("t", "x")) == 3
    again = pickle.loads(pickle.dumps(completer))
    assert again.complete("t", "x") == completer.complete("t", "x")
    # A gap that is longer than what any float can hold.
    completer.partial_fit(["x"], ["toast"], when=1e300)
    assert completer.complete("t", "x")[0].query == "toast"
    completer.partial_fit(["x"], ["tea"], when=-1e7)
    assert completer.complete("t", "x")[0].query == "toast"


def test_added_queries_are_of_now():
    completer = make_completer(1.0).fit(["tea"], when=[0.0])
    completer.partial_fit(["tee"], when=3).add(["toast"])
    assert completer.counts_.tolist() == [0.125, 1, 1]


def test_times_are_needed_with_a_half_life_only():
    completer = make_completer(2.0)
    with pytest.raises(ValueError, match=r"when is None; expected the time of the"):
        completer.fit(["tea"])
    with pytest.raises(ValueError, match="when is 3; expected None, since half_life"):
        make_completer(None).fit(["tea"], when=3)
    completer.fit({"tea": 2, "toast": 1}, when=1)
    for call in (completer.partial_fit, completer.update, completer.fit):
        for bad in ("monday", [1.0, 2.0, 3.0], [[1.0]], np.nan, np.inf, [None], True):
            with pytest.raises(ValueError, match="when"):
                call(["tea"], when=bad)
        with pytest.raises(ValueError, match="when"):
            call(["tea"])
    assert completer.counts_.tolist() == [2, 1]
    assert completer.partial_fit({"tea": 3}, when=[3]).counts_.tolist() == [4, 0.5]
    # The half-life is that of the fit.
    completer.set_params(half_life=None)
    assert completer.partial_fit(["tea"], when=5).counts_.tolist() == [3, 0.25]


def test_what_a_damaged_clock_is_refused_for():
    completer = make_completer(2.0).fit(["tea"], when=1)
    for bad in (
        ForwardDecay(0.0, 1.0, 1.0),
        ForwardDecay(1.0, np.nan, 1.0),
        ForwardDecay(1.0, 1.0, 1.0, 0.5),
        "soon",
    ):
        object.__setattr__(completer._state, "ages", bad)
        with pytest.raises(ValueError, match="ages"):
            pickle.loads(pickle.dumps(completer))
