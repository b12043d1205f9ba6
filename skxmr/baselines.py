"""Completions that are counted, not learnt: what every completer has to beat."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from skxmr._integrity import refuse
from skxmr._state import writes
from skxmr._typing import ArrayLike, Texts
from skxmr._validation import fit_context
from skxmr.completers import Completer, CompleterState, Sessions
from skxmr.prefix_index import PrefixIndex
from skxmr.query_log import read_log
from skxmr.successors import Successors, count_successors
from skxmr.suggesting import Evidence, best_shares

__all__ = ["BigramCompleter", "PopularCompleter"]


class PopularCompleter(Completer):
    """Suggest the most frequent of the queries that start with the prefix.

    What was asked before is taken and makes no difference.

    Parameters
    ----------
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        Whether accents count in comparisons, as in `skxmr.QueryCompleter`.
    preprocessor : callable, default=None
        Compares queries by what it returns, as in `skxmr.QueryCompleter`.

    Attributes
    ----------
    queries_ : list of str
        The known queries, in alphabetical order, as they were written most often.
    counts_ : ndarray of shape (n_queries,), float64
        How often each was asked.

    See Also
    --------
    BigramCompleter : The most frequent after the previous query.
    skxmr.QueryCompleter : The completer to use.

    Examples
    --------
    >>> from skxmr.baselines import PopularCompleter
    >>> completer = PopularCompleter().fit(None, ["tea", "toast", "tea"])
    >>> completer.complete("t", k=2)
    [('tea', 0.666...), ('toast', 0.333...)]
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
            What was asked before each; of no effect here.
        queries : iterable of str of length n_asked, or mapping from str to number
            What was asked; or how often each was, as a `Counter` or pandas'
            ``value_counts`` has it.
        counts : array-like of shape (n_asked,), default=None
            How often. None counts each once.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ, a count is not positive, or all queries are blank.
        TypeError
            If something is no string.
        """
        normalizer = self._make_normalizer()
        log = read_log(previous, queries, counts, normalizer)
        index = PrefixIndex(log.keys, log.query_counts)
        self._state = CompleterState(log.names, index, normalizer)
        return self

    def _suggest(self, prefix, session, k):  # noqa: ARG002 - sessions do not matter
        index = self._state.index
        evidence = Evidence(index, index.find(prefix), prior=1.0)
        return best_shares(evidence, k)


@dataclass(frozen=True)
class BigramState(CompleterState):
    """What a `BigramCompleter` has learned.

    Parameters
    ----------
    names, index, normalizer
        As of any completer.
    successors : Successors
    prior : float
        The weight of having been asked once: less than that of the rarest pair.
    """

    successors: Successors
    prior: float

    def check(self, owner):
        """Raise ValueError where a damaged file brought what cannot be."""
        super().check(owner)
        self.successors.check(len(self.index))
        if not (isinstance(self.prior, float) and 0 < self.prior < float("inf")):
            refuse(f"{owner}.prior", f"is {self.prior!r:.40}")


class BigramCompleter(Completer):
    """Suggest what most often followed the previous query, then what is popular.

    Of the queries that start with the prefix, those come first that were asked after
    the newest previous query, the most frequent best; the others follow by how often
    they were asked at all.

    Parameters
    ----------
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        Whether accents count in comparisons, as in `skxmr.QueryCompleter`.
    preprocessor : callable, default=None
        Compares queries by what it returns, as in `skxmr.QueryCompleter`.

    Attributes
    ----------
    queries_ : list of str
        The known queries, in alphabetical order, as they were written most often.
    counts_ : ndarray of shape (n_queries,), float64
        How often each was asked.

    See Also
    --------
    PopularCompleter : Without the previous query.
    skxmr.QueryCompleter : The completer to use.

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
        """Count the queries, and what followed what.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            What was asked before each; of several, the newest counts.
        queries : iterable of str of length n_asked, or mapping from str to number
            What was asked; or how often each was, as a `Counter` or pandas'
            ``value_counts`` has it.
        counts : array-like of shape (n_asked,), default=None
            How often. None counts each once.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ, a count is not positive, or all queries are blank.
        TypeError
            If something is no string.
        """
        normalizer = self._make_normalizer()
        log = read_log(previous, queries, counts, normalizer)
        index = PrefixIndex(log.keys, log.query_counts)
        newest = [session[-1:] for session in log.sessions]
        rows: dict[str, int] = {}
        followed = count_successors(
            newest, log.ranks, log.counts, rows, len(log.keys), decay=1.0
        )
        # No popularity outweighs the rarest pair.
        least = followed.data.min(initial=1.0)
        self._state = BigramState(
            log.names,
            index,
            normalizer,
            Successors.of(rows, followed),
            float(least / (2 * index.counts.sum())),
        )
        return self

    def _suggest(self, prefix, session, k):
        state = self._state
        ranges = state.index.find(prefix)
        evidence = Evidence(state.index, ranges, state.prior)
        for _, ranks, weights in state.successors.after(session[-1:], ranges):
            evidence.add(ranks, weights, 1.0)
        return best_shares(evidence, k)
