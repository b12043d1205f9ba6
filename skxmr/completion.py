"""Auto-completion that knows what was asked before: the second application."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state

from skxmr._default_stages import DefaultStages
from skxmr._integrity import refuse
from skxmr._normalization import stem_of
from skxmr._stage_settings import with_settings
from skxmr._state import from_state, writes
from skxmr._typing import ArrayLike, Texts
from skxmr._validation import (
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
)
from skxmr.classifier import XRLinearClassifier
from skxmr.completers import Completer, CompleterState, Sessions
from skxmr.prefix_index import PrefixIndex, count_letters
from skxmr.prefix_ranker import PrefixRanker
from skxmr.prefixes import draw_prefixes
from skxmr.query_log import read_known, read_log
from skxmr.successors import Successors, count_successors, reversed_links, smooth
from skxmr.suggesting import Evidence, best_suggestions
from skxmr.text import PrefixWeightedCharTfidf, WordNgramTfidf
from skxmr.tries import TrieTreeHybrid

__all__ = ["QueryCompleter"]

_MAX_INT32 = np.iinfo(np.int32).max
_TINY = np.finfo(np.float64).tiny

# Prefixes of at least so many characters may have one edit, or two.
_CHARACTERS_FOR_EDITS = (3, 6)


@dataclass(frozen=True)
class QueryState(CompleterState):
    """What a `QueryCompleter` has learned.

    Parameters
    ----------
    names, index, normalizer
        As of any completer.
    successors : Successors
    ranker : PrefixRanker or None
    """

    successors: Successors
    ranker: PrefixRanker | None

    @property
    def classifier(self):
        """The fitted classifier, or None."""
        return None if self.ranker is None else self.ranker.classifier

    def check(self, owner):
        """Raise ValueError where a damaged file brought what cannot be."""
        super().check(owner)
        n_queries = len(self.index)
        self.successors.check(n_queries)
        n_ranked = n_queries if self.ranker is None else len(self.classifier.classes_)
        if n_ranked != n_queries:
            refuse(f"{owner}.classifier_", f"ranks {n_ranked}; expected {n_queries}")


def _default_classifier():
    return XRLinearClassifier(indexer=TrieTreeHybrid(), max_iter=1000)


def _words():
    return WordNgramTfidf(token_pattern=r"(?u)\b\w+\b")


class QueryCompleter(DefaultStages, Completer):
    r"""Complete queries as they are typed, by what was asked before.

    Three sources are added up, and each counts where the others know little: how often
    a query followed the previous one and those like it; an `XRLinearClassifier` of the
    words of the previous queries and the characters typed so far, along a tree whose
    top is a trie, after Yadav et al. [1]_; and how often the query was asked at all.

    Only known queries that match what was typed are looked at, from the start: the
    beam search walks the nodes that lead to one, and nothing is filtered afterwards.
    So k suggestions come back wherever k known queries match, none of them twice.

    Queries and prefixes are normalised before they are compared. Case, Unicode form
    (NFKC), full width, the amount and kind of white space, characters that cannot be
    seen, and the shape of apostrophes, quotation marks, dashes and digits make no
    difference. Hangul is compared letter by letter, as it is typed. Accents count,
    unless `strip_accents` says otherwise; the last letter typed may still get one.
    Queries that are then the same are one, suggested as it was written most often.

    Parameters
    ----------
    classifier : XRLinearClassifier, default=None
        Ranks queries; its labels. None stands for
        ``XRLinearClassifier(indexer=TrieTreeHybrid(), max_iter=1000)``.
    previous_vectorizer : transformer, default=None
        Turns what was asked before, as one text, into features of the classifier.
        None stands for the single words of `WordNgramTfidf`.
    prefix_vectorizer : transformer, default=None
        Turns what has been typed into features; it has no say in what matches. None
        stands for ``PrefixWeightedCharTfidf()``.
    match : {"prefix", "fuzzy"}, default="prefix"
        Which known queries are suggested: those that start with what was typed
        ("prefix"), or also those that do so but for one edit (a character more, less
        or another, or two neighbours swapped) from three characters on, or two from
        six ("fuzzy"). A number is never edited, and a letter with its accents is one
        character.
    edit_weight : float, default=0.01
        How much each edit leaves of the weight of a query, greater than 0 and at most
        1. Letters are mistyped about once in a hundred. Of queries of the same weight
        those with fewer edits come first.
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        Whether accents count when queries, prefixes and sessions are compared, as in
        scikit-learn: "unicode" removes combining marks, so that "sao" finds "São
        Paulo"; "ascii" keeps ASCII characters only, and leaves out queries without
        any. A callable takes a text, otherwise normalised, and returns a `str`. What it
        makes of a beginning of a query has to begin what it makes of the query.
    preprocessor : callable, default=None
        Takes a text and returns a `str` by which it is compared, in place of all this
        normalisation but that of white space. The same holds for it.
    prefixes_per_query : int or "all", default=4
        On how many prefixes of each pair of session and query the classifier is
        trained, beside the empty one. Short ones are drawn more often: they are
        typed on the way to each longer one.
    classifier_weight : float, default=5.0
        What the classifier says of the next query weighs as much as having seen so
        many queries after the previous one. 0 leaves the classifier out.
    popularity_weight : float, default=1.0
        As much for how often queries were asked at all.
    n_neighbors : int, default=200
        From how many previous queries, those with the most similar successors, a
        previous query learns. 0 leaves them out.
    smoothing : float, default=10.0
        As many queries they add to those that were seen.
    reversed_weight : float, default=0.2
        What having seen one query after the other says of the other order. 0 suits
        queries that never come back to what was asked before.
    decay : float, default=0.1
        Of several previous queries, each counts so much of the one after it.
    max_successors : int, default=1000
        Most queries that a previous query learns of from its neighbours.
    n_jobs : int, default=None
        Number of parallel jobs of fit, also of stages that leave their own at None.
        The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws the prefixes, and seeds the stages that leave their own at None.

    Attributes
    ----------
    queries_ : list of str
        The known queries, in alphabetical order, as they were written most often.
    counts_ : ndarray of shape (n_queries,), float64
        How often each was asked.
    classifier_ : XRLinearClassifier or None
        The fitted classifier; its columns are the places in `queries_`. None for
        ``classifier_weight=0``, and where no query has anything before it.

    See Also
    --------
    skxmr.baselines.BigramCompleter : What is counted, and no more.
    TrieTreeHybrid : The tree.

    Notes
    -----
    Given a session s and a prefix t, a query q that matches t has the score

    .. math:: \frac{c(q | s) + a \, P(q) + b \, P(t | s) \, f(q | s, t)}
        {\sum_{r \text{ matches } t} \dots}

    of all that match, where c counts what followed s, with `smoothing` from its
    neighbours; P(q) is the share of q in all queries and a the `popularity_weight`; f
    are the classifier's scores, scaled to sum to 1, b is the `classifier_weight`, and
    P(t | s) the share of what matches t in :math:`c + a P`.

    One fitted completer answers many threads at once.

    References
    ----------
    .. [1] N. Yadav, R. Sen, D. N. Hill, A. Mazumdar and I. S. Dhillon,
       "Session-Aware Query Auto-completion using Extreme Multi-label Ranking",
       KDD 2021, arXiv 2012.07654.

    Examples
    --------
    >>> from skxmr import QueryCompleter
    >>> previous = ["bread", "bread", "bread", "garden", None]
    >>> queries = ["butter", "butter", "butter knife", "butterfly", "milk"]
    >>> completer = QueryCompleter(random_state=0).fit(previous, queries)
    >>> [query for query, _ in completer.complete("b", previous="bread")]
    ['butter', 'butter knife', 'butterfly']
    >>> [query for query, _ in completer.complete("BUTT", previous="garden", k=2)]
    ['butterfly', 'butter']
    """

    successors_ = from_state("successors", "How often each query followed another.")
    ranker_ = from_state("ranker", "What ranks queries by the classifier, or None.")
    classifier_ = from_state("classifier", "The fitted classifier, or None.")

    _parameter_constraints: ClassVar[dict] = {
        **Completer._parameter_constraints,
        "classifier": [XRLinearClassifier, None],
        "previous_vectorizer": [HasMethods(["fit_transform", "transform"]), None],
        "prefix_vectorizer": [HasMethods(["fit_transform", "transform"]), None],
        "match": [StrOptions({"prefix", "fuzzy"})],
        "edit_weight": [Interval(Real, 0, 1, closed="right")],
        "prefixes_per_query": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"all"}),
        ],
        "classifier_weight": [Interval(Real, 0, None, closed="left")],
        "popularity_weight": [Interval(Real, 0, None, closed="neither")],
        "n_neighbors": [Interval(Integral, 0, None, closed="left")],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "reversed_weight": [Interval(Real, 0, None, closed="left")],
        "decay": [Interval(Real, 0, 1, closed="both")],
        "max_successors": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    _search_parameters = (
        "match",
        "edit_weight",
        "classifier_weight",
        "popularity_weight",
        "decay",
    )
    _stage_parameters = ("classifier", "previous_vectorizer", "prefix_vectorizer")
    _default_stages: ClassVar[dict] = {
        "classifier": _default_classifier,
        "previous_vectorizer": _words,
        "prefix_vectorizer": PrefixWeightedCharTfidf,
    }
    _hands_on = ("random_state", "n_jobs")

    def __init__(
        self,
        classifier: XRLinearClassifier | None = None,
        *,
        previous_vectorizer: TransformerMixin | None = None,
        prefix_vectorizer: TransformerMixin | None = None,
        match: str = "prefix",
        edit_weight: float = 0.01,
        strip_accents: str | Callable[[str], str] | None = None,
        preprocessor: Callable[[str], str] | None = None,
        prefixes_per_query: int | str = 4,
        classifier_weight: float = 5.0,
        popularity_weight: float = 1.0,
        n_neighbors: int = 200,
        smoothing: float = 10.0,
        reversed_weight: float = 0.2,
        decay: float = 0.1,
        max_successors: int = 1000,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.classifier = classifier
        self.previous_vectorizer = previous_vectorizer
        self.prefix_vectorizer = prefix_vectorizer
        self.match = match
        self.edit_weight = edit_weight
        self.strip_accents = strip_accents
        self.preprocessor = preprocessor
        self.prefixes_per_query = prefixes_per_query
        self.classifier_weight = classifier_weight
        self.popularity_weight = popularity_weight
        self.n_neighbors = n_neighbors
        self.smoothing = smoothing
        self.reversed_weight = reversed_weight
        self.decay = decay
        self.max_successors = max_successors
        self.n_jobs = n_jobs
        self.random_state = random_state

    # The stages are validated by their own fits.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, previous: Sessions, queries: Texts, *, counts: ArrayLike | None = None
    ) -> Self:
        """Learn from what was asked, and from what came before it.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            What was asked before each query; of several, the newest last. A blank or
            a missing value (None, NaN) where nothing was; None for all where nothing
            is known.
        queries : iterable of str of length n_asked, or mapping from str to number
            What was asked; or how often each was, as a `Counter` or pandas'
            ``value_counts`` has it. Blank ones are left out.
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
        log = read_log(previous, queries, counts, normalizer).merged()
        successors = self._learn_successors(log, normalizer)
        ranker = self._train(log)
        index = PrefixIndex(log.keys, log.query_counts)
        self._state = QueryState(log.names, index, normalizer, successors, ranker)
        return self

    @writes
    def update(
        self, previous: Sessions, queries: Texts, *, counts: ArrayLike | None = None
    ) -> Self:
        """Fold in what was asked since, for queries that are known already.

        Counts are added: of queries and of what followed what. Queries that fit has
        not seen are left out; for them, and for the classifier to learn, fit again.
        Threads that are completing meanwhile see the counts of before or of after.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            What was asked before each query, as in `fit`.
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
            If lengths differ or a count is not positive. Nothing is changed then.
        TypeError
            If something is no string. Nothing is changed then.
        """
        state = self._fitted()
        index = state.index
        sessions, ranks, asked = read_known(
            previous, queries, counts, state.normalizer, index.rank_of
        )
        rows = dict(state.successors.rows)
        followed = count_successors(
            sessions, ranks, asked, rows, len(index), self.decay
        )
        followed = self._with_reversed(followed, rows, index.keys, state.normalizer)
        more = np.bincount(ranks, asked, minlength=len(index))
        # In one step, so that those who complete meanwhile see both or none.
        self._state = replace(
            state,
            successors=state.successors.plus(rows, followed),
            index=index.with_counts(index.counts + more),
        )
        return self

    def _with_reversed(self, followed, rows, keys, normalizer):
        """Count what followed what the other way round as well."""
        if self.reversed_weight == 0:
            return followed
        row_keys = list(map(normalizer.spell, rows))
        return followed + self.reversed_weight * reversed_links(
            followed, row_keys, keys
        )

    def _learn_successors(self, log, normalizer):
        rows: dict[str, int] = {}
        followed = count_successors(
            log.sessions, log.ranks, log.counts, rows, len(log.keys), self.decay
        )
        followed = self._with_reversed(followed, rows, log.keys, normalizer)
        smoothed = smooth(
            followed,
            n_neighbors=self.n_neighbors,
            weight=self.smoothing,
            most_successors=self.max_successors,
        )
        return Successors.of(rows, smoothed)

    def _train(self, log):
        """Train the classifier, where there is a session to learn from."""
        if self.classifier_weight == 0 or not any(log.sessions):
            return None
        if self.previous_vectorizer is None and not _have_words(log.sessions):
            return None
        random = check_random_state(self.random_state)
        seed = int(random.randint(_MAX_INT32))
        lengths = np.array([len(stem_of(key)) for key in log.keys])[log.ranks]
        places, lengths = draw_prefixes(lengths, self.prefixes_per_query, random)
        # And what comes before anything is typed.
        places = np.concatenate([places, np.arange(len(log.ranks))])
        lengths = np.concatenate([lengths, np.zeros(len(log.ranks), dtype=np.int64)])
        return PrefixRanker.learn(
            log,
            places,
            lengths,
            previous_vectorizer=self._make_stage("previous_vectorizer", seed),
            prefix_vectorizer=self._make_stage("prefix_vectorizer", seed),
            classifier=self._make_stage("classifier", seed),
        )

    def _make_stage(self, name, seed):
        """Clone a stage, or make its default, with settings where it has none."""
        return with_settings(self._clone_stage(name), seed=seed, n_jobs=self.n_jobs)

    def _suggest(self, prefix, session, k):
        if self.match == "prefix":
            ranges = self._state.index.find(prefix)
            ranks, weights, total = self._suggest_among(ranges, prefix, session, k)
            return ranks, weights / max(total, _TINY)
        found = self._find_near(prefix)
        groups = [
            (edits, *self._suggest_among(ranges, prefix, session, k))
            for edits, ranges in found
        ]
        return _best_of_groups(groups, self.edit_weight, k)

    def _find_near(self, prefix):
        """Find the ranges of queries at each number of edits."""
        n_letters = count_letters(prefix)
        most_edits = sum(n_letters >= n for n in _CHARACTERS_FOR_EDITS)
        if most_edits == 0:
            return [(0, self._state.index.find(prefix))]
        ranges, edits = self._state.index.find_near(prefix, most_edits)
        return [(n, ranges[edits == n]) for n in range(most_edits + 1)]

    def _suggest_among(self, ranges, prefix, session, k):
        """Find the best queries in some ranges.

        Returns
        -------
        ranks : ndarray of shape (at most k,), int64
            Best first.
        weights : ndarray of the same shape, float64
        total : float
            All the weight in the ranges.
        """
        state = self._state
        index = state.index
        evidence = Evidence(index, ranges, self.popularity_weight / index.total)
        for age, ranks, weights in state.successors.after(session, ranges):
            evidence.add(ranks, weights, self.decay**age)
        # Where nothing was asked before, counts of queries say all that there is.
        ranker = state.ranker if self.classifier_weight > 0 else None
        if session and ranker is not None and len(ranges):
            classifier = self._stage_or_default("classifier")
            ranks, shares = ranker.rank(
                prefix, session, ranges, k, classifier, self.n_jobs
            )
            if len(ranks):
                order = np.argsort(ranks)
                matching = evidence.total / self._weight_of_all(session)
                evidence.add(
                    ranks[order].astype(np.int32),
                    shares[order].astype(np.float32),
                    self.classifier_weight * matching,
                )
        ranks, weights = best_suggestions(evidence, k)
        return ranks, weights, evidence.total

    def _weight_of_all(self, session):
        """Add up all that speaks for any query, whatever is typed."""
        followed = self._state.successors.total_after(session, self.decay)
        return self.popularity_weight + followed


def _have_words(sessions):
    return any(re.search(r"\w", text) for session in sessions for text in session)


def _best_of_groups(groups, edit_weight, k):
    """Put the best of several groups of queries together.

    Parameters
    ----------
    groups : list of (edits, ranks, weights, total)
        The weights of the best queries at so many edits, and that of all of them.
    edit_weight : float
        Each edit multiplies by it.
    k : int

    Returns
    -------
    ranks : ndarray of shape (at most k,), int64
        Best first; of equal ones that of fewest edits.
    scores : ndarray of the same shape, float64
        Shares of the weight of all groups.
    """
    whole = sum(total * edit_weight**edits for edits, _, _, total in groups)
    ranks = np.concatenate([ranks for _, ranks, _, _ in groups])
    edits = np.concatenate([np.full(len(ranks), n) for n, ranks, _, _ in groups])
    weights = np.concatenate([weights for _, _, weights, _ in groups])
    scores = weights * np.power(edit_weight, edits, dtype=np.float64)
    best = np.lexsort((ranks, -weights, edits, -scores))[:k]
    return ranks[best], scores[best] / max(whole, _TINY)
