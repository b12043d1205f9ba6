"""Changes of a fitted completer, without another fit."""

from __future__ import annotations

from typing import Any, Literal, Self

from skxmr._base._state import from_state, merges, writes
from skxmr._inputs._columns import InvalidInputError
from skxmr._utils._typing import ArrayLike, Texts
from skxmr.completion._base import Sessions
from skxmr.completion._changes import (
    PairWeights,
    compacted,
    with_log,
    with_queries,
    without_queries,
)
from skxmr.completion._choice import find_ranks
from skxmr.completion._query_log import check_when, read_log

__all__ = ["LivingCompleter"]


class LivingCompleter:
    """Mixin of `QueryCompleter`: queries come and go after `fit`.

    Each change makes a new state. Completions in other threads never wait, and use the
    state of before until the change is complete.
    """

    _state: Any
    _fitted: Any
    _change: Any
    fit: Any
    _weight: Any
    __sklearn_is_fitted__: Any

    n_added_ = from_state("n_added", "How many queries the last change added.")

    @writes
    def partial_fit(
        self,
        previous: Sessions | Texts,
        queries: Texts | None = None,
        *,
        counts: ArrayLike | None = None,
        when: ArrayLike | None = None,
    ) -> Self:
        """Learn from further queries, known or not.

        Their counts and transitions are added, and unknown queries become known, except
        those that `remove` has removed. The classifier and the smoothing over similar
        queries are not trained again: that takes `fit`.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            The previous queries of each query, as in `fit`. A single argument is
            `queries`.
        queries : iterable of str of length n_asked, or mapping from str to number
            The queries; or their counts, as a `Counter` or the result of pandas'
            ``value_counts``. Blank queries are left out.
        counts : array-like of shape (n_asked,), default=None
            How often each pair occurred. None counts each once.
        when : float or array-like of shape (n_asked,), default=None
            With `half_life`, the time of all queries, or of each, in its unit, as in
            `fit`; it may be before that of earlier calls. None without.

        Returns
        -------
        self
            `n_added_` is the number of queries that were not known. If the completer is
            not fitted, this is `fit`.

        Raises
        ------
        ValueError
            If lengths differ, a count is not positive, or `when` is missing with
            `half_life` or given without. The completer is then unchanged.
        TypeError
            If a query or a previous query is not a string. The completer is then
            unchanged.

        Examples
        --------
        >>> from skxmr import QueryCompleter
        >>> completer = QueryCompleter().fit(["green tea", "toast"])
        >>> completer = completer.partial_fit(["toast"], ["Green tomatoes"])
        >>> completer.n_added_
        1
        >>> [query for query, _ in completer.complete("gr", previous="toast")]
        ['Green tomatoes', 'green tea']
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(previous, queries, counts=counts, when=when)
        state = self._fitted()
        check_when(when, None if state.ages is None else state.ages.half_life)
        log = read_log(
            previous,
            queries,
            counts,
            state.normalizer,
            leave_out=frozenset(state.removed),
            when=when,
        )
        weights = PairWeights(
            float(self._weight("decay")), float(self._weight("reversed_weight"))
        )
        self._change(with_log, log, weights)
        return self

    @writes
    def update(
        self,
        previous: Sessions | Texts,
        queries: Texts | None = None,
        *,
        counts: ArrayLike | None = None,
        when: ArrayLike | None = None,
    ) -> Self:
        """Learn from further queries: another name of `partial_fit`.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            The previous queries of each query, as in `fit`. A single argument is
            `queries`.
        queries : iterable of str of length n_asked, or mapping from str to number
            The queries, as in `partial_fit`.
        counts : array-like of shape (n_asked,), default=None
            How often each pair occurred. None counts each once.
        when : float or array-like of shape (n_asked,), default=None
            As in `partial_fit`.

        Returns
        -------
        self
            `n_added_` is the number of queries that were not known.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError, TypeError
            As in `partial_fit`.
        """
        self._fitted()
        return self.partial_fit(previous, queries, counts=counts, when=when)

    @writes
    def add(self, queries: Texts, *, counts: ArrayLike | None = None) -> Self:
        """Add queries, also those that were removed.

        Parameters
        ----------
        queries : iterable of str of length n_asked, or mapping from str to number
            The queries, or their counts, as in `partial_fit`. Counts of queries that
            are known already are increased. With `half_life`, they are of the newest
            time.
        counts : array-like of shape (n_asked,), default=None
            The count of each. None counts each once.

        Returns
        -------
        self
            `n_added_` is the number of queries that were not known.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If lengths differ or a count is not positive.
        TypeError
            If a query is not a string.
        """
        state = self._fitted()
        nothing: frozenset = frozenset()
        log = read_log(None, queries, counts, state.normalizer, leave_out=nothing)
        self._change(with_queries, log)
        return self

    @writes
    def remove(
        self, queries: Texts, *, unknown: Literal["raise", "ignore"] = "raise"
    ) -> Self:
        """Remove queries: they are never returned again, until `add` adds them.

        Later logs that contain them do not add them. As previous queries, they still
        tell what follows.

        Parameters
        ----------
        queries : iterable of str, or of bool of length n_queries
            Compared as prefixes are: any spelling removes the query. Or a mask.
        unknown : {"raise", "ignore"}, default="raise"
            Whether queries that are not known raise an error or are ignored.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a query is not known, or none would be left.
        TypeError
            If a query is not a string.
        """
        state = self._fitted()
        ranks = find_ranks(state, queries, "queries", unknown)
        if len(ranks) == len(state.index):
            raise InvalidInputError(
                f"queries has all {len(ranks)} known queries; expected that at least "
                f"one is left."
            )
        if len(ranks):
            keys = tuple(map(state.index.key_of, ranks.tolist()))
            self._change(without_queries, keys)
        return self

    @merges
    def compact(self) -> Self:
        """Merge the changes since `fit` with what was learned before.

        Results remain the same; after very many changes, further changes and
        completions become faster, and the model smaller. Changes and completions in
        other threads go on meanwhile.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If called before `fit`.
        """
        self._state = compacted(self._fitted())
        return self
