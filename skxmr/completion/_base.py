"""Base class of the completers."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from skxmr._base._documentation import Documented
from skxmr._base._state import Stateful, from_state, reads
from skxmr._inputs._columns import InvalidInputError
from skxmr._inputs._validation import StrOptions, check_documents, check_k
from skxmr._matching._prefixes import draw_prefixes
from skxmr._utils._loaded_state import CheckedWhenLoaded, check_list, refuse
from skxmr._utils._typing import Texts
from skxmr.completion._choice import QuerySubset, choose_queries
from skxmr.completion._living_index import LivingIndex
from skxmr.completion._prefix_index import PrefixIndex
from skxmr.completion._query_ids import Names
from skxmr.completion._query_log import read_log
from skxmr.completion._sessions import check_sessions, read_session
from skxmr.ranking import Completion
from skxmr.text._normalization import Normalizer, stem_of

__all__ = ["Completer", "CompleterState", "Completions", "Session", "Sessions"]

Session: TypeAlias = str | Iterable[str] | None
Sessions: TypeAlias = Iterable[Session] | None
Completions: TypeAlias = list[Completion]


@dataclass(frozen=True)
class CompleterState:
    """The fitted state of a completer.

    Parameters
    ----------
    names : list of str
        The known queries by rank, in their most frequent spelling. In a changed
        completer they are `Names`, by id.
    index : PrefixIndex or LivingIndex
        Their keys and counts.
    normalizer : Normalizer
        The normalisation that made the keys; it is also applied to prefixes.
    """

    names: list
    index: PrefixIndex
    normalizer: Normalizer

    @property
    def n_ids(self):
        """The number of ids that were given out."""
        return len(self.names)

    @property
    def queries(self):
        """The names in alphabetical order."""
        if not isinstance(self.index, LivingIndex):
            return list(self.names)
        return [self.names[number] for number in self.index.order.tolist()]

    @property
    def counts(self):
        """The count of each query."""
        return self.index.counts

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent.

        Parameters
        ----------
        owner : str
            Class name of the completer, for messages.
        """
        index, names = self.index, self.names
        if isinstance(index, LivingIndex):
            index.check()
            n_fitted, n_ids = len(index.fitted), index.n_ids
            if isinstance(names, Names):
                check_list(names.added, str, n_ids - n_fitted, f"{owner}.queries_")
                names = names.fitted
            elif n_ids > n_fitted:
                refuse(f"{owner}.queries_", "lacks the queries that were added")
        elif isinstance(index, PrefixIndex):
            n_fitted = len(index)
        else:
            refuse(f"{owner}.index_", f"is a {type(index).__name__}")
        check_list(names, str, n_fitted, f"{owner}.queries_")
        if not isinstance(self.normalizer, Normalizer):
            refuse(f"{owner}.normalizer", f"is a {type(self.normalizer).__name__}")


class Completer(
    Documented, Stateful, CheckedWhenLoaded, BaseEstimator, metaclass=ABCMeta
):
    """Base class of completers; a subclass fits and ranks known queries."""

    strip_accents: str | Callable[[str], str] | None
    preprocessor: Callable[[str], str] | None

    # How queries may match what was typed.
    _matches: ClassVar[tuple[str, ...]] = ("prefix",)

    _parameter_constraints: ClassVar[dict] = {
        "strip_accents": [StrOptions({"ascii", "unicode"}), None, callable],
        "preprocessor": [callable, None],
    }

    queries_ = from_state("queries", "The known queries, in alphabetical order.")
    index_ = from_state("index", "Their keys, and how often each was asked.")
    counts_ = from_state("counts", "How often each of `queries_` was asked.")

    # Texts are data, not metadata to route.
    __metadata_request__fit: ClassVar[dict] = {"previous": UNUSED, "queries": UNUSED}

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if self.__sklearn_is_fitted__():
            self._state.check(type(self).__name__)

    def _make_normalizer(self):
        return Normalizer(self.strip_accents, self.preprocessor)

    @abstractmethod
    def _suggest(self, prefix, session, k, subset=None, match=None):
        """Find the k best known queries for a normalised prefix and session.

        Of all queries, or of those of a `QuerySubset`; `match` is one of `_matches`, or
        None for the completer's own.

        Returns
        -------
        ranks : ndarray of shape (at most k,), int64
            Best first, without duplicates.
        scores : ndarray of the same shape, float64
        """

    @reads
    def subset(
        self,
        allowed: Iterable | None = None,
        excluded: Iterable | None = None,
        *,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> QuerySubset:
        """Make a set of allowed queries that completions can be restricted to.

        Parameters
        ----------
        allowed : iterable of str, or of bool of length n_queries, default=None
            Queries in any spelling that is equal after normalisation, or a mask of
            `queries_`. None allows all.
        excluded : iterable of str, or of bool of length n_queries, default=None
            Queries to remove from the allowed ones.
        unknown : {"raise", "ignore"}, default="raise"
            Whether queries that are not known raise an error or are ignored.

        Returns
        -------
        QuerySubset
            To be passed to `complete` and `complete_batch` as `allowed`, any number of
            times, until the completer is fitted again or changed.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a query is not known, or a mask has another length.
        TypeError
            If a query is not a string.
        """
        state = self._ready()
        excluded = [] if allowed is None and excluded is None else excluded
        return choose_queries(state, allowed, excluded, unknown)

    @reads
    def complete(
        self,
        prefix: str,
        previous: Session = "",
        k: int = 10,
        *,
        allowed: QuerySubset | Iterable | None = None,
        excluded: Iterable | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
        match: str | None = None,
    ) -> Completions:
        """Complete a prefix.

        Parameters
        ----------
        prefix : str
            The prefix that has been typed. White space at its end means that a word
            ends there: "milk " is completed to "milk" and "milk chocolate", not to
            "milkshake".
        previous : str, or list, tuple or array of str, default=""
            The previous query, or several, the newest last. Missing values (None, NaN)
            are ignored.
        k : int, default=10
            The maximum number of completions.
        allowed : QuerySubset, or iterable of str or bool, default=None
            The queries that may be returned: the result of `subset`, which is fast, or
            queries or a mask as `subset` takes them.
        excluded : iterable of str or bool, default=None
            Queries that are not returned, in any spelling that is equal after
            normalisation; others that match take their place.
        unknown : {"raise", "ignore"}, default="raise"
            Whether queries in these arguments that are not known raise an error or are
            ignored.
        match : str or None, default=None
            Which queries match, for this call: a value of the parameter `match` of
            `QueryCompleter`. None stands for that parameter. Completers without it
            match by "prefix" only.

        Returns
        -------
        list of Completion
            Named tuples (query, score), best first, without duplicates; k of them if at
            least k known queries match and are allowed.

        Raises
        ------
        TypeError
            If `prefix` or a previous query is not a string, or `k` not an integer.
        ValueError
            If `k` is less than 1, a query is not known, or `match` is no way to match.
        """
        # scikit-learn's validation is skipped: it takes as long as the search.
        self._ready()
        if type(k) is not int or k < 1:
            k = check_k(k, f"{type(self).__name__}.complete")
        if not isinstance(prefix, str):
            raise TypeError(
                f"prefix must be a str; got {prefix!r:.50} of type "
                f"{type(prefix).__name__}. Use complete_batch for several prefixes."
            )
        self._check_match(match)
        normalizer = self._state.normalizer
        session = read_session(previous, normalizer.text)
        subset = choose_queries(self._state, allowed, excluded, unknown)
        return self._named(normalizer.prefix(prefix), session, k, subset, match)

    @reads
    def complete_batch(
        self,
        prefixes: Texts,
        previous: Sessions = None,
        k: int = 10,
        *,
        allowed: QuerySubset | Iterable | None = None,
        excluded: Iterable | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
        match: str | None = None,
    ) -> list[Completions]:
        """Complete many prefixes.

        Parameters
        ----------
        prefixes : iterable of str of length n_prefixes
            The prefixes.
        previous : iterable of (str, or list, tuple or array of str), or None, \
                default=None
            The previous queries of each, as in `complete`.
        k : int, default=10
            The maximum number of completions for each.
        allowed, excluded : QuerySubset, or iterable of str or bool, default=None
            The queries that may be returned, as in `complete`.
        unknown : {"raise", "ignore"}, default="raise"
            As in `complete`.
        match : str or None, default=None
            As in `complete`.

        Returns
        -------
        list of list of Completion
            The completions of each prefix, as `complete` returns them.

        Raises
        ------
        TypeError, ValueError
            As in `complete`; also if lengths differ.
        """
        self._ready()
        k = check_k(k, f"{type(self).__name__}.complete_batch")
        self._check_match(match)
        typed = check_documents(prefixes, "prefixes")
        normalizer = self._state.normalizer
        sessions = check_sessions(previous, len(typed), normalizer.text, "prefixes")
        subset = choose_queries(self._state, allowed, excluded, unknown)
        return [
            self._named(normalizer.prefix(prefix), session, k, subset, match)
            for prefix, session in zip(typed, sessions, strict=True)
        ]

    @reads
    def score(self, previous: Sessions, queries: Texts) -> float:
        """Compute the mean reciprocal rank at 10 of completing prefixes of queries.

        One prefix of each query is drawn, always the same one; short ones are more
        frequent. A query that is not known counts as 0.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            The previous queries of each query, as in `complete`.
        queries : iterable of str of length n_asked, or mapping from str to number
            The true queries; or their counts, as a `Counter`.

        Returns
        -------
        float
            In [0, 1], higher is better.

        Raises
        ------
        ValueError
            If lengths differ, or all queries are blank.
        TypeError
            If a query or a previous query is not a string.
        """
        self._ready()
        log = read_log(previous, queries, None, self._state.normalizer)
        lengths = np.array([len(stem_of(key)) for key in log.keys])[log.ranks]
        _, lengths = draw_prefixes(lengths, 1, np.random.RandomState(0))
        gained = 0.0
        for session, rank, length, count in zip(
            log.sessions,
            log.ranks.tolist(),
            lengths.tolist(),
            log.counts.tolist(),
            strict=True,
        ):
            query = log.keys[rank]
            ranks, _ = self._suggest(query[:length], session, 10)
            positions = np.flatnonzero(ranks == self._state.index.rank_of(query))
            gained += count * float((1 / (positions + 1)).sum())
        return gained / float(log.counts.sum())

    def _check_match(self, match):
        if match is None or (isinstance(match, str) and match in self._matches):
            return
        kinds = ", ".join(map(repr, self._matches))
        raise InvalidInputError(
            f"match of {type(self).__name__}.complete must be None or one of {kinds}; "
            f"got {match!r:.50}."
        )

    def _named(self, prefix, session, k, subset, match):
        names = self._state.names
        ranks, scores = self._suggest(
            prefix, session, min(k, len(self._state.index)), subset, match
        )
        return [
            Completion(names[rank], score)
            for rank, score in zip(ranks.tolist(), scores.tolist(), strict=True)
        ]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags
