"""Weights of the score that are fitted to held-out queries."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skxmr import QueryCompleter
from skxmr.completion._query_log import read_log
from skxmr.completion._transitions import TransitionLearner, smooth
from skxmr.completion._weights import (
    _CHOICES,
    DEFAULT_WEIGHTS,
    _hold_out,
    _Trials,
    choose_weights,
)
from skxmr.text._normalization import Normalizer

GIVEN = {"reversed_weight": 0.2, "smoothing": 0.0, "popularity_weight": 1.0}
NONE_GIVEN = dict.fromkeys(DEFAULT_WEIGHTS)


def make_sessions(n_asked=1500, seed=0):
    """Sessions of which the first query, two steps back, decides what follows."""
    random = np.random.RandomState(seed)
    sessions, queries = [], []
    for _ in range(n_asked):
        first = random.randint(40)
        sessions.append([f"first {first}", f"then {random.randint(3)}"])
        queries.append(f"query {(first * 7 + random.randint(3)) % 40}")
    return sessions, queries


def make_couples(n_asked=4000, seed=0):
    """Pairs in any order of queries that belong together, among pairs of any two."""
    random = np.random.RandomState(seed)
    pairs = random.randint(1200, size=(n_asked, 2))
    couples = random.random_sample(n_asked) < 0.5
    pairs[couples, 1] = pairs[couples, 0] ^ 1
    names = np.array([f"item {i * 7 % 1200}" for i in range(1200)])[pairs]
    return names[:, 0], names[:, 1]


def make_completer(**parameters):
    return QueryCompleter(classifier_weight=0, **parameters)


def test_older_queries_get_weight_if_they_decide():
    log = make_sessions()
    completer = make_completer().fit(*log)
    assert completer.weights_["decay"] == 0.8
    assert completer.score(*make_sessions(300, seed=1)) > make_completer(decay=0.1).fit(
        *log
    ).score(*make_sessions(300, seed=1))


def test_the_reverse_order_gets_weight_if_order_says_nothing():
    assert make_completer().fit(*make_couples()).weights_["reversed_weight"] >= 0.6


def test_what_is_given_is_not_fitted():
    given = {"decay": 0.25, "reversed_weight": 0.5, "smoothing": 4}
    completer = make_completer(**given).fit(*make_sessions())
    assert completer.weights_ | given == completer.weights_
    assert make_completer(popularity_weight=7, **given).fit(
        *make_sessions()
    ).weights_ == {**given, "popularity_weight": 7}


@pytest.mark.parametrize(
    "log",
    [
        ([[]] * 1500, ["tea"] * 1500),
        make_sessions(50),
        ([["a"]] * 1500, [f"query {i}" for i in range(1500)]),
    ],
    ids=["no sessions", "few pairs", "each query once"],
)
def test_logs_that_say_nothing_get_the_defaults(log):
    assert make_completer().fit(*log).weights_ == DEFAULT_WEIGHTS


def test_fitted_weights_are_those_of_a_completer_to_which_they_are_given():
    log = make_sessions()
    fitted = make_completer().fit(*log)
    given = make_completer(**fitted.weights_).fit(*log)
    for session in log[0][:50]:
        assert fitted.complete("q", session) == given.complete("q", session)
    more = make_sessions(200, seed=2)
    fitted.partial_fit(*more)
    given.partial_fit(*more)
    copied = pickle.loads(pickle.dumps(fitted))
    assert copied.weights_ == given.weights_ == fitted.weights_
    for session in log[0][:50]:
        expected = given.complete("q", session)
        assert fitted.complete("q", session) == expected
        assert copied.complete("q", session) == expected


def test_weights_can_be_replaced_after_the_fit():
    completer = make_completer().fit(*make_sessions())
    session = ["first 1", "then 1"]
    before = completer.complete("q", session)
    assert completer.set_params(decay=0.0).complete("q", session) != before
    assert completer.set_params(decay=None).complete("q", session) == before


def test_weights_are_those_of_counted_pairs():
    sessions, queries = make_sessions()
    counts = np.arange(len(queries)) % 3 + 1
    repeated = [
        [one for one, n in zip(column, counts.tolist(), strict=True) for _ in range(n)]
        for column in (sessions, queries)
    ]
    counted = make_completer().fit(sessions, queries, counts=counts).weights_
    assert counted == make_completer().fit(*repeated).weights_ != DEFAULT_WEIGHTS


logs = st.lists(
    st.tuples(st.lists(st.sampled_from("abc"), max_size=2), st.sampled_from("uvw")),
    min_size=100,
    max_size=300,
)


@settings(deadline=None, max_examples=50)
@given(logs, st.floats(0.5, 50))
def test_held_out_pairs_and_the_others_are_the_whole_log(pairs, count):
    sessions, queries = zip(*pairs, strict=True)
    counts = np.full(len(pairs), count)
    log = read_log(sessions, queries, counts, Normalizer(None, None)).merged()
    held_out = _hold_out(log)
    if held_out is None:
        return
    assert all(held_out.sessions)
    assert (held_out.counts > 0).all()
    assert (held_out.log.counts > 0).all()
    assert (held_out.log.query_counts[held_out.ranks] > 0).all()
    whole = np.bincount(log.ranks, log.counts)
    parts = held_out.log.query_counts + np.bincount(
        held_out.ranks, held_out.counts, len(log.keys)
    )
    # What is not known without its held-out part is left out.
    known = held_out.log.query_counts > 0
    np.testing.assert_allclose(parts[known], whole[known])


def test_trials_give_the_ranks_of_a_completer_without_the_held_out_pairs():
    normalizer = Normalizer(None, None)
    log = read_log(*make_sessions(), None, normalizer).merged()
    held_out = _hold_out(log)
    weights = {"decay": 0.3, **GIVEN, "smoothing": 3.0}
    trials = _Trials(held_out, TransitionLearner(normalizer, 20, 100))
    found = trials._complete_all(weights)
    rest = held_out.log
    completer = make_completer(n_neighbors=20, max_transitions=100, **weights)
    completer.fit(
        list(map(list, rest.sessions)),
        [rest.names[rank] for rank in rest.ranks],
        counts=rest.counts,
    )
    expected = np.zeros(len(found))
    n_drawn = np.bincount(trials._pairs)
    for pair, ranges in zip(trials._pairs.tolist(), trials._ranges, strict=True):
        # All ranges of this log are of one prefix.
        first, last = log.keys[ranges[0, 0]], log.keys[ranges[-1, 1] - 1]
        n = next(
            (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
            min(len(first), len(last)),
        )
        names = [
            name for name, _ in completer.complete(first[:n], held_out.sessions[pair])
        ]
        true = log.names[held_out.ranks[pair]]
        expected[pair] += 1 / (names.index(true) + 1) if true in names else 0
    np.testing.assert_allclose(found, expected / n_drawn)


def test_a_choice_is_one_of_the_values_and_always_the_same():
    learner = TransitionLearner(Normalizer(None, None), 20, 100)
    log = read_log(*make_couples(), None, learner.normalizer).merged()
    weights = choose_weights(log, learner, NONE_GIVEN)
    assert weights == choose_weights(log, learner, NONE_GIVEN)
    assert list(weights) == list(DEFAULT_WEIGHTS)
    for name, value in weights.items():
        assert value in _CHOICES[name]
        assert DEFAULT_WEIGHTS[name] in _CHOICES[name]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.sets(st.integers(0, 19)))
def test_some_rows_are_smoothed_as_among_all(seed, chosen):
    counts = sparse.random_array(
        (20, 12), density=0.3, rng=np.random.default_rng(seed), format="csr"
    )
    options = {"n_neighbors": 3, "weight": 2.0, "most_transitions": 5}
    rows = np.array(sorted(chosen), dtype=np.int64)
    found = smooth(counts, **options, rows=rows).toarray()
    np.testing.assert_array_equal(
        found[rows], smooth(counts, **options)[rows].toarray()
    )
    others = np.setdiff1d(np.arange(20), rows)
    if len(rows) and counts.nnz:
        assert not found[others].any()


@pytest.mark.parametrize(
    "weights",
    [{}, {**DEFAULT_WEIGHTS, "decay": -1.0}, {**DEFAULT_WEIGHTS, "decay": "x"}],
)
def test_weights_of_loaded_completers_are_checked(weights):
    completer = make_completer().fit(["tea"])
    object.__setattr__(completer._state, "weights", weights)
    with pytest.raises(ValueError, match="weights_"):
        pickle.loads(pickle.dumps(completer))
