"""Changes of what a completer knows, as new states that share the unchanged parts."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skxmr.completion._living_index import LivingIndex
from skxmr.completion._query_ids import ColumnIds, Names
from skxmr.completion._query_log import QueryLog

__all__ = ["PairWeights", "compacted", "with_log", "with_queries", "without_queries"]

# The number of half-lives after which all counts are halved so often: they are float32,
# in which 2 ** 128 overflows.
_MOST_EXCESS = 64
# By then, nothing is left of any count.
_MOST_HALVINGS = 5000


class PairWeights(NamedTuple):
    """How much each transition of a log counts.

    Parameters
    ----------
    decay : float
        The factor for each step back in a session.
    reversed : float
        The weight of a transition in reverse order.
    """

    decay: float
    reversed: float


def with_log(state, log: QueryLog, pair_weights: PairWeights):
    """Add a log of known and unknown queries.

    Parameters
    ----------
    state : QueryState
    log : QueryLog
    pair_weights : PairWeights

    Returns
    -------
    QueryState
    """
    if not log.keys:
        return replace(state, n_added=0)
    if state.ages is not None:
        state, log = _aged(state, log)
    index, ids = LivingIndex.of(state.index).plus(log.keys, log.query_counts)
    is_new = ids >= state.n_ids
    names = [log.names[i] for i in np.flatnonzero(is_new).tolist()]
    pairs = _pairs(state, log, ids, pair_weights)
    return replace(
        state,
        names=Names.with_more(state.names, names) if names else state.names,
        index=index,
        transitions=state.transitions.with_pairs(*pairs),
        n_added=len(names),
    )


def _aged(state, log):
    """Weigh the counts of a log by their times; those without are of now."""
    times = np.float64(state.ages.now) if log.times is None else log.times
    state = replace(state, ages=state.ages.until(times))
    if state.ages.excess > _MOST_EXCESS:
        state = _halved(state, state.ages.excess)
    return state, log._replace(counts=log.counts * state.ages.weights(times))


def _pairs(state, log, ids, pair_weights):
    """List the transitions of a log, and those in reverse order.

    Returns
    -------
    sessions : list of str
        The previous query of each pair.
    queries : list of int
        The id of the query of each.
    weights : list of float
    """
    sessions, queries, weights = [], [], []
    for session, one, count in zip(
        log.sessions, ids[log.ranks].tolist(), log.counts.tolist(), strict=True
    ):
        weight = count
        for previous in reversed(session):
            sessions.append(previous)
            queries.append(one)
            weights.append(weight)
            weight *= pair_weights.decay
    if pair_weights.reversed == 0:
        return sessions, queries, weights
    return _with_reversed(state, log, ids, pair_weights, (sessions, queries, weights))


def _with_reversed(state, log, ids, pair_weights, pairs):
    """Add the pairs in reverse order of queries that have both a row and an id."""
    sessions, queries, weights = pairs
    normalizer, transitions = state.normalizer, state.transitions
    # The text of a query is that of its row, if there is one.
    texts = {
        number: key if key.isascii() else normalizer.text(name)
        for number, key, name in zip(ids.tolist(), log.keys, log.names, strict=True)
    }
    rows = set(sessions)
    # What has a row now, or had one before.
    has_row = {
        one: text in rows or transitions.has_row(text) for one, text in texts.items()
    }
    known = dict(zip(log.keys, ids.tolist(), strict=True))
    for previous, query, weight in list(zip(sessions, queries, weights, strict=True)):
        if has_row[query]:
            key = normalizer.spell(previous)
            number = known[key] if key in known else state.index.rank_of(key)
            if number >= 0:
                sessions.append(texts[query])
                queries.append(number)
                weights.append(weight * pair_weights.reversed)
    return sessions, queries, weights


def with_queries(state, log: QueryLog):
    """Add queries, also those that were removed.

    Parameters
    ----------
    state : QueryState
    log : QueryLog

    Returns
    -------
    QueryState
    """
    added = set(log.keys)
    removed = tuple(key for key in state.removed if key not in added)
    return with_log(replace(state, removed=removed), log, PairWeights(1.0, 0.0))


def without_queries(state, keys):
    """Remove queries.

    Parameters
    ----------
    state : QueryState
    keys : tuple of str

    Returns
    -------
    QueryState
    """
    index = LivingIndex.of(state.index)
    ids = np.array(sorted(map(index.rank_of, keys)), dtype=np.int64)
    return replace(
        state,
        index=index.without(ids[ids >= 0]),
        removed=tuple(sorted({*keys, *state.removed})),
    )


def compacted(state):
    """Merge what changed with what was fitted; results remain the same."""
    if state.ages is not None and state.ages.excess > 0:
        state = _halved(state, state.ages.excess)
    index = state.index
    if not isinstance(index, LivingIndex):
        return replace(state, transitions=state.transitions.compacted(None, len(index)))
    ids = index.renumbered()
    columns = state.columns
    if state.ranker is not None:
        columns = columns or ColumnIds(np.arange(state.ranker.n_queries, dtype="i4"))
        columns = columns.renumbered(ids)
    return replace(
        state,
        names=[state.names[number] for number in index.order.tolist()],
        index=index.merged(),
        columns=columns,
        transitions=state.transitions.compacted(ids, len(index)),
    )


def _halved(state, times):
    """Halve all counts several times, which is exact; results remain the same."""
    factor = float(np.ldexp(1.0, -min(times, _MOST_HALVINGS)))
    return replace(
        state,
        index=state.index.scaled(factor),
        transitions=state.transitions.scaled(factor),
        ages=state.ages.halved(times),
    )
