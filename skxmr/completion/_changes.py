"""Changes of what a completer knows, as new states that share the unchanged parts."""

from bisect import bisect_left
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skxmr.completion._query_ids import QueryIds
from skxmr.completion._query_log import QueryLog

__all__ = ["PairWeights", "compacted", "with_log", "without_queries"]


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
    before = state.index
    known = np.array([before.rank_of(key) for key in log.keys], dtype=np.int64)
    counts, is_new = log.query_counts, known < 0
    index = before
    if not is_new.all():
        more = before.counts.copy()
        more[known[~is_new]] += counts[~is_new]
        index = before.with_counts(more)
    names, ids = state.names, state.ids
    if is_new.any():
        new = np.flatnonzero(is_new).tolist()
        keys = [log.keys[i] for i in new]
        positions = [bisect_left(before.keys, key) for key in keys]
        index = index.inserted(positions, keys, counts[is_new])
        names = _inserted(names, positions, [log.names[i] for i in new])
        ids = ids or QueryIds.of_fit(len(before))
        ids = ids.inserted(np.array(positions, dtype=np.int64))
    ranks = np.array([index.rank_of(key) for key in log.keys], dtype=np.int64)
    of_queries = ranks if ids is None else ids.ids[ranks]
    pairs = _pairs(state, log, of_queries, index, ids, pair_weights)
    return replace(
        state,
        names=names,
        index=index,
        ids=ids,
        transitions=state.transitions.with_pairs(*pairs),
        n_added=int(is_new.sum()),
    )


def _pairs(state, log, of_queries, index, ids, pair_weights):
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
        log.sessions, of_queries[log.ranks].tolist(), log.counts.tolist(), strict=True
    ):
        weight = count
        for previous in reversed(session):
            sessions.append(previous)
            queries.append(one)
            weights.append(weight)
            weight *= pair_weights.decay
    if pair_weights.reversed == 0:
        return sessions, queries, weights
    normalizer = state.normalizer
    # The text of a query is that of its row, if there is one.
    texts = dict(zip(of_queries.tolist(), map(normalizer.text, log.names), strict=True))
    have_rows = set(sessions)
    ranks = {one: index.rank_of(normalizer.spell(one)) for one in have_rows}
    for previous, query, weight in list(zip(sessions, queries, weights, strict=True)):
        rank, text = ranks[previous], texts[query]
        if rank >= 0 and (text in have_rows or state.transitions.has_row(text)):
            sessions.append(text)
            queries.append(rank if ids is None else int(ids.ids[rank]))
            weights.append(weight * pair_weights.reversed)
    return sessions, queries, weights


def _inserted(items, positions, new):
    """Insert items before some positions of a list, which ascend."""
    merged, last = [], 0
    for position, one in zip(positions, new, strict=True):
        merged += items[last:position]
        merged.append(one)
        last = position
    merged += items[last:]
    return merged


def without_queries(state, ranks):
    """Remove the queries of some ranks.

    Parameters
    ----------
    state : QueryState
    ranks : ndarray of int64
        Ascending.

    Returns
    -------
    QueryState
    """
    index = state.index
    removed = {index.keys[rank] for rank in ranks.tolist()}
    names, last = [], 0
    for rank in ranks.tolist():
        names += state.names[last:rank]
        last = rank + 1
    names += state.names[last:]
    return replace(
        state,
        names=names,
        index=index.without(ranks),
        ids=(state.ids or QueryIds.of_fit(len(index))).without(ranks),
        removed=tuple(sorted(removed.union(state.removed))),
    )


def compacted(state):
    """Merge changed transitions with the others; results remain the same."""
    n_ids = len(state.index) if state.ids is None else len(state.ids.ranks)
    return replace(state, transitions=state.transitions.compacted(n_ids))
