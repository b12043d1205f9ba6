"""Completion by counts, as a baseline for other completers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from skxmr._base._state import writes
from skxmr._inputs._validation import fit_context
from skxmr._utils._loaded_state import refuse
from skxmr._utils._typing import ArrayLike, Texts
from skxmr.completion._base import Completer, CompleterState, Sessions
from skxmr.completion._evidence import Evidence, best_shares
from skxmr.completion._prefix_index import PrefixIndex
from skxmr.completion._query_log import read_log
from skxmr.completion._transitions import Transitions, count_transitions

__all__ = ["BigramCompleter", "PopularCompleter"]


class PopularCompleter(Completer):
    """Complete a prefix to the most frequent queries that start with it.

    Previous queries are accepted and ignored.

    Parameters
    ----------
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        Whether accents are removed for comparisons, as in `skxmr.QueryCompleter`.
    preprocessor : callable, default=None
        Replaces the normalisation of queries, as in `skxmr.QueryCompleter`.

    Attributes
    ----------
    queries_ : list of str
        The known queries in alphabetical order, in their most frequent spelling.
    counts_ : ndarray of shape (n_queries,), float64
        The count of each query.

    See Also
    --------
    BigramCompleter : Ranks by transitions from the previous query too.
    skxmr.QueryCompleter : Combines counts with a classifier.

    Examples
    --------
    >>> from skxmr.baselines import PopularCompleter
    >>> completer = PopularCompleter().fit(None, ["tea", "toast", "tea"])
    >>> [(query, round(score, 2)) for query, score in completer.complete("t", k=2)]
    [('tea', 0.67), ('toast', 0.33)]
    """

    def __init__(
        self,
        *,
        strip_accents: str | Callable[[str], str] | None = None,
        preprocessor: Callable[[str], str] | None = None,
    ):
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, previous: Sessions, queries: Texts, *, counts: ArrayLike | None = None
    ) -> Self:
        """Count the queries.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            Ignored; for compatibility with the other completers.
        queries : iterable of str of length n_asked, or mapping from str to number
            The queries; or their counts, as a `Counter` or the result of pandas'
            ``value_counts``.
        counts : array-like of shape (n_asked,), default=None
            How often each pair occurred. None counts each once.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ, a count is not positive, or all queries are blank.
        TypeError
            If a query or a previous query is not a string.
        """
        normalizer = self._make_normalizer()
        log = read_log(previous, queries, counts, normalizer)
        index = PrefixIndex(log.keys, log.query_counts)
        self._state = CompleterState(log.names, index, normalizer)
        return self

    def _suggest(self, prefix, session, k, subset=None, match=None):  # noqa: ARG002
        index = self._state.index
        ranges = index.find(prefix)
        ranges = ranges if subset is None else subset.within(ranges)
        evidence = Evidence(index, ranges, prior=1.0)
        return best_shares(evidence, k)


@dataclass(frozen=True)
class BigramState(CompleterState):
    """The fitted state of a `BigramCompleter`.

    Parameters
    ----------
    names, index, normalizer
        As in `CompleterState`.
    transitions : Transitions
    prior : float
        The weight of one count of a query, less than that of any transition.
    """

    transitions: Transitions
    prior: float

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        super().check(owner)
        self.transitions.check(len(self.index))
        if not (isinstance(self.prior, float) and 0 < self.prior < float("inf")):
            refuse(f"{owner}.prior", f"is {self.prior!r:.40}")


class BigramCompleter(Completer):
    """Complete a prefix to the most frequent next queries, then to popular ones.

    The queries that followed the newest previous query come first, in the order of
    their number of transitions; the others follow in the order of their counts.

    Parameters
    ----------
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        Whether accents are removed for comparisons, as in `skxmr.QueryCompleter`.
    preprocessor : callable, default=None
        Replaces the normalisation of queries, as in `skxmr.QueryCompleter`.

    Attributes
    ----------
    queries_ : list of str
        The known queries in alphabetical order, in their most frequent spelling.
    counts_ : ndarray of shape (n_queries,), float64
        The count of each query.

    See Also
    --------
    PopularCompleter : Ranks by counts of queries only.
    skxmr.QueryCompleter : Combines counts with a classifier.

    Examples
    --------
    >>> from skxmr.baselines import BigramCompleter
    >>> completer = BigramCompleter().fit(["milk", "jam", ""], ["tea", "toast", "tea"])
    >>> [query for query, _ in completer.complete("t", previous="jam")]
    ['toast', 'tea']
    """

    def __init__(
        self,
        *,
        strip_accents: str | Callable[[str], str] | None = None,
        preprocessor: Callable[[str], str] | None = None,
    ):
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, previous: Sessions, queries: Texts, *, counts: ArrayLike | None = None
    ) -> Self:
        """Count queries and transitions.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            The previous query of each query; of several, only the newest is used.
        queries : iterable of str of length n_asked, or mapping from str to number
            The queries; or their counts, as a `Counter` or the result of pandas'
            ``value_counts``.
        counts : array-like of shape (n_asked,), default=None
            How often each pair occurred. None counts each once.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ, a count is not positive, or all queries are blank.
        TypeError
            If a query or a previous query is not a string.
        """
        normalizer = self._make_normalizer()
        log = read_log(previous, queries, counts, normalizer)
        index = PrefixIndex(log.keys, log.query_counts)
        newest = [session[-1:] for session in log.sessions]
        rows: dict[str, int] = {}
        followed = count_transitions(
            newest, log.ranks, log.counts, rows, len(log.keys), decay=1.0
        )
        # The weight of all counts together is less than that of the rarest transition.
        least = followed.data.min(initial=1.0)
        self._state = BigramState(
            log.names,
            index,
            normalizer,
            Transitions.of(rows, followed),
            float(least / (2 * index.counts.sum())),
        )
        return self

    def _suggest(self, prefix, session, k, subset=None, match=None):  # noqa: ARG002
        state = self._state
        ranges = state.index.find(prefix)
        ranges = ranges if subset is None else subset.within(ranges)
        evidence = Evidence(state.index, ranges, state.prior)
        for _, ranks, weights in state.transitions.after(session[-1:], ranges):
            evidence.add(ranks, weights, 1.0)
        return best_shares(evidence, k)
