"""Which of the known queries may be returned."""

from collections.abc import Set as AbstractSet

import numpy as np

from skxmr._inputs._columns import InvalidInputError, as_list
from skxmr._inputs._documents import check_documents
from skxmr.completion._query_ids import gaps, runs, within_both, without_ranges

__all__ = ["QuerySubset", "choose_queries", "find_ranks"]


class QuerySubset:
    """A subset of the known queries of a completer, made by its method ``subset``.

    It is immutable, and many threads can use it.

    Parameters
    ----------
    index : PrefixIndex
        Of all known queries.
    ranges : ndarray of shape (n_ranges, 2), int64
        First rank of each range of allowed queries, and last rank plus one, ascending.
    """

    def __init__(self, index, ranges):
        self._index = index
        self._ranges = ranges

    def ranges_of(self, index):
        """Return the ranges; raise ValueError if they are not those of an index."""
        if index is not self._index:
            raise ValueError(
                "The subset of queries was made by another completer, or before this "
                "one was changed; make it anew."
            )
        return self._ranges

    def within(self, ranges):
        """Return the parts of ascending ranges that are allowed."""
        return within_both(self._ranges, ranges)

    def beside(self, ranges):
        """Return the parts outside of ascending ranges that are allowed."""
        return within_both(self._ranges, gaps(ranges, self._index.n_ids))


def choose_queries(state, allowed, excluded, unknown):
    """Read the queries to which completions are restricted.

    Parameters
    ----------
    state : CompleterState
    allowed : QuerySubset, iterable of str or of bool, or None
    excluded : iterable of str or of bool, or None
    unknown : {"raise", "ignore"}

    Returns
    -------
    QuerySubset or None
        None if all are allowed.

    Raises
    ------
    ValueError, TypeError
        As `find_ranks`, and for a subset of another completer.
    """
    if allowed is None and excluded is None:
        return None
    index = state.index
    if isinstance(allowed, QuerySubset):
        ranges = allowed.ranges_of(index)
    elif allowed is None:
        ranges = index.find("")
    else:
        ranges = runs(find_ranks(state, allowed, "allowed", unknown))
    if excluded is not None:
        out = find_ranks(state, excluded, "excluded", unknown)
        ranges = without_ranges(ranges, out)
    return QuerySubset(index, ranges)


def find_ranks(state, queries, name, unknown):
    """Return the ranks of queries.

    Parameters
    ----------
    state : CompleterState
    queries : iterable of str, or of bool of length n_queries
        In any spelling that is equal after normalisation; or a mask.
    name : str
        Name of the argument, for messages.
    unknown : {"raise", "ignore"}

    Returns
    -------
    ndarray of int64
        Ascending, each once.

    Raises
    ------
    InvalidInputError
        A ValueError and a TypeError, if a query is not known, a mask has another
        length, or `unknown` is neither.
    ValueError, TypeError
        If it is a single text, or an item is not a `str`.
    """
    if unknown not in ("raise", "ignore"):
        raise InvalidInputError(
            f"unknown must be 'raise' or 'ignore'; got {unknown!r:.50}."
        )
    if isinstance(queries, AbstractSet):
        queries = list(queries)
    items = as_list(queries, name, "an iterable of str, or a mask")
    if items and all(isinstance(one, (bool, np.bool_)) for one in items):
        if len(items) != len(state.index):
            raise InvalidInputError(
                f"{name} is a mask of {len(items)} items; expected one for each of the "
                f"{len(state.index)} known queries."
            )
        return np.sort(state.index.order[np.flatnonzero(items)])
    texts = check_documents(items, name)
    key, rank_of = state.normalizer.key, state.index.rank_of
    ranks = np.array([rank_of(key(text)) for text in texts], dtype=np.int64)
    if unknown == "raise" and (ranks < 0).any():
        which = int(np.argmin(ranks))
        raise InvalidInputError(
            f"{name}[{which}] is {texts[which]!r:.50}, which is not a known query; "
            f"unknown='ignore' leaves such queries out."
        )
    return np.unique(ranks[ranks >= 0])
