"""Query logs, from which completers learn."""

from collections.abc import Mapping
from numbers import Number
from typing import NamedTuple

import numpy as np

from skxmr._inputs._by_label import Labels, in_order_of_labels, labels_of_index
from skxmr._inputs._columns import InvalidInputError, refuse_unordered
from skxmr._inputs._validation import check_counts, check_documents
from skxmr.completion._sessions import check_sessions

__all__ = ["QueryLog", "check_when", "read_log"]


class QueryLog(NamedTuple):
    """Queries and their previous queries.

    Parameters
    ----------
    keys : list of str
        The distinct keys of the queries, sorted; the position of a key is its rank.
    names : list of str
        The most frequent spelling of each.
    sessions : list of tuple of str
        The previous queries, normalised, the newest last.
    ranks : ndarray of shape (n_asked,), int64
        The rank of the query that followed.
    counts : ndarray of shape (n_asked,), float64
        How often it did.
    times : ndarray of shape (n_asked,), float64, or None, default=None
        When it did.
    """

    keys: list
    names: list
    sessions: list
    ranks: np.ndarray
    counts: np.ndarray
    times: np.ndarray | None = None

    @property
    def query_counts(self):
        """The count of each query, by rank."""
        return np.bincount(self.ranks, self.counts, minlength=len(self.keys))

    def merged(self):
        """Merge entries with the same session and query, and add their counts."""
        indices: dict[tuple, int] = {}
        pairs = zip(self.sessions, self.ranks.tolist(), strict=True)
        numbers = [indices.setdefault(pair, len(indices)) for pair in pairs]
        sessions, ranks = zip(*indices, strict=True)
        counts = np.bincount(numbers, self.counts)
        return self._replace(
            sessions=list(sessions),
            ranks=np.array(ranks, dtype=np.int64),
            counts=counts,
            times=None,
        )


def read_log(previous, queries, counts, normalizer, leave_out=None, *, when=None):
    """Validate and normalise a log; blank queries are left out.

    Parameters
    ----------
    previous, queries, counts
        As passed to the completers.
    normalizer : Normalizer
    leave_out : frozenset of str, or None, default=None
        Keys of further queries that are left out. None if one query at least must be
        left.
    when : float, array-like of shape (n_asked,) or None, default=None
        The time of all queries, or of each.

    Raises
    ------
    ValueError
        If lengths differ, a time is not finite, or no query is left.
    TypeError
        If a query or a previous query is not a string.
    """
    queries, sessions, counts = _read(previous, queries, counts, normalizer)
    times = None if when is None else _check_times(when, len(queries))
    spellings: dict[str, list] = {}
    for query, count in zip(queries, counts.tolist(), strict=True):
        written = spellings.get(query)
        if written is None:
            written = spellings[query] = [normalizer.key(query), 0.0]
        written[1] += count
    names: dict[str, tuple] = {}
    for query, (key, count) in spellings.items():
        # The most frequent spelling; ties are broken in alphabetical order.
        if key and (key not in names or (-count, query) < names[key]):
            names[key] = (-count, query)
    for key in leave_out or ():
        names.pop(key, None)
    if not names and leave_out is None:
        raise ValueError(
            f"queries holds {len(queries)} texts, all of them blank after "
            f"normalisation; expected at least one that is not."
        )
    keys = sorted(names)
    rank_of = {key: rank for rank, key in enumerate(keys)}
    ranks = [rank_of.get(spellings[query][0], -1) for query in queries]
    return QueryLog(
        keys,
        [" ".join(names[key][1].split()) for key in keys],
        *_known_only(sessions, ranks, counts, times),
    )


def _read(previous, queries, counts, normalizer):
    """Validate queries, previous queries and counts."""
    if queries is None:  # the only argument
        previous, queries = None, previous
    tally = _tally_of(queries)
    if tally is not None:
        _refuse_beside_tally(previous, counts, type(queries).__name__)
        queries, counts = tally
    index = labels_of_index(queries)
    queries = check_documents(queries, "queries")
    sessions = check_sessions(previous, len(queries), normalizer.text)
    counts = _counts_in_order(counts, queries, index)
    return queries, sessions, check_counts(counts, len(queries))


def _counts_in_order(counts, queries, index):
    """Return counts in the order of the queries that are their keys or index."""
    keys = labels_of_index(counts)
    if keys is None:
        refuse_unordered(counts, "counts", "a count for each of queries")
    if keys is None or keys in (queries, index):
        return counts
    if not isinstance(counts, Mapping) and not set(queries) <= set(keys):
        return counts  # indexed by row
    if len(set(queries)) < len(queries):
        raise InvalidInputError(
            "counts is indexed by query, and queries has duplicates; expected a count"
            " for each in their order, or counts=None and queries as a mapping from "
            "query to count."
        )
    labels = Labels(len(queries), queries, has_numbers=False)
    return in_order_of_labels(counts, labels, "counts", "counts")


def _tally_of(queries):
    """Split a mapping or a column of counts into queries and counts.

    Returns
    -------
    (list, list) or None
        For a mapping from query to count, such as a `Counter`, and for a column of
        numbers whose index are the queries, as ``value_counts`` returns it.
    """
    if isinstance(queries, Mapping):
        for query, count in queries.items():
            if not isinstance(count, Number):
                raise InvalidInputError(
                    f"queries must be an iterable of str, or a mapping from query to "
                    f"count; got a {type(queries).__name__} with {count!r:.50} for "
                    f"{query!r:.50}."
                )
        return list(queries.keys()), list(queries.values())
    index = getattr(queries, "index", None)
    if index is None or callable(index) or np.ndim(queries) != 1:
        return None
    if type(index).__name__ == "RangeIndex":
        return None
    values = list(queries)
    if values and all(isinstance(value, Number) for value in values):
        return list(index), values
    return None


def _refuse_beside_tally(previous, counts, kind):
    for given, name in ((previous, "previous"), (counts, "counts")):
        if given is not None:
            raise InvalidInputError(
                f"queries is a {kind} of queries and their counts; expected "
                f"{name}=None, since {name} cannot be matched to the queries. Pass "
                f"queries as a list instead."
            )


def check_when(when, half_life):
    """Raise InvalidInputError unless there are times if, and only if, counts age."""
    if (when is None) == (half_life is None):
        return
    expected = "None, since half_life is None"
    if half_life is not None:
        expected = f"the time of the queries, in the unit of half_life={half_life}"
    raise InvalidInputError(f"when is {when!r:.50}; expected {expected}.")


def _check_times(when, n_queries):
    """Return the time of each query."""
    times = np.asarray(when)
    if times.dtype.kind not in "iuf" or not np.isfinite(times).all():
        raise InvalidInputError(
            f"when must be a finite number, or one for each of queries, in the unit of "
            f"half_life; got {when!r:.50}."
        )
    if times.shape not in ((), (n_queries,)):
        raise InvalidInputError(
            f"when has the shape {times.shape}; expected a number, or ({n_queries},), "
            f"one for each of queries."
        )
    return np.broadcast_to(times.astype(np.float64), n_queries)


def _known_only(sessions, ranks, counts, times):
    ranks = np.array(ranks, dtype=np.int64)
    known = np.flatnonzero(ranks >= 0)
    if len(known) < len(ranks):
        sessions = [sessions[i] for i in known.tolist()]
    times = None if times is None else times[known]
    return sessions, ranks[known], counts[known], times
