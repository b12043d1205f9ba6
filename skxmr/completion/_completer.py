"""Session-aware auto-completion."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state

from skxmr._base._default_stages import DefaultStages
from skxmr._base._stage_settings import with_settings
from skxmr._base._state import from_state, writes
from skxmr._inputs._validation import HasMethods, Interval, StrOptions, fit_context
from skxmr._matching._prefixes import draw_prefixes
from skxmr._parallel._progress import note, step
from skxmr._utils._loaded_state import check_list, refuse
from skxmr._utils._typing import ArrayLike, Texts
from skxmr.completion._base import Completer, CompleterState, Sessions
from skxmr.completion._choice import QuerySubset
from skxmr.completion._evidence import Evidence, WordMatches, best_suggestions
from skxmr.completion._forward_decay import ForwardDecay
from skxmr.completion._living import LivingCompleter
from skxmr.completion._living_index import LivingIndex
from skxmr.completion._prefix_classifier import PrefixRanker
from skxmr.completion._prefix_index import PrefixIndex, count_letters
from skxmr.completion._query_ids import (
    ColumnIds,
    NameList,
    Names,
    without_overlaps,
)
from skxmr.completion._query_log import check_when, read_log
from skxmr.completion._transitions import TransitionLearner, Transitions
from skxmr.completion._weights import DEFAULT_WEIGHTS, choose_weights
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.text._normalization import stem_of
from skxmr.text._vectorizers import PrefixWeightedCharTfidf, WordNgramTfidf
from skxmr.text._word_forms import normalize_words, written_words
from skxmr.tree._trie_tree import TrieTreeHybrid

__all__ = ["QueryCompleter"]

_MAX_INT32 = np.iinfo(np.int32).max
_TINY = np.finfo(np.float64).tiny

_MATCHES = ("prefix", "fuzzy", "words")

# Lengths of the prefix from which one edit, or two, are allowed.
_CHARACTERS_FOR_EDITS = (3, 6)


@dataclass(frozen=True)
class QueryState(CompleterState):
    """The fitted state of a `QueryCompleter`.

    Parameters
    ----------
    names, index, normalizer
        As in `CompleterState`.
    transitions : Transitions
    ranker : PrefixRanker or None
    weights : dict of str to float
        The given and the fitted weights of the score.
    columns : ColumnIds or None, default=None
        The ids of the queries that the ranker was fitted to; None if they are its
        columns.
    removed : tuple of str, default=()
        The keys of removed queries, sorted.
    n_added : int, default=0
        The number of queries that the last change added.
    ages : ForwardDecay or None, default=None
        How counts lose weight; None if they do not.
    """

    transitions: Transitions
    ranker: PrefixRanker | None
    weights: dict
    columns: ColumnIds | None = None
    removed: tuple = ()
    n_added: int = 0
    ages: ForwardDecay | None = None

    def __post_init__(self):
        # An object of its own, which changed states share.
        if not isinstance(self.names, (NameList, Names)):
            object.__setattr__(self, "names", NameList(self.names))

    @property
    def classifier(self):
        """The fitted classifier, or None."""
        return None if self.ranker is None else self.ranker.classifier

    @property
    def counts(self):
        """What is left of the count of each query."""
        counts = self.index.counts
        return counts if self.ages is None else counts * self.share

    @property
    def share(self):
        """What stored counts have to be multiplied by."""
        return 1.0 if self.ages is None else self.ages.share

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        super().check(owner)
        if self.ages is not None:
            if not isinstance(self.ages, ForwardDecay):
                refuse(f"{owner}.ages", f"is a {type(self.ages).__name__}")
            self.ages.check(owner)
        has_changed = isinstance(self.index, LivingIndex)
        self.transitions.check(self.n_ids, n_least=0 if has_changed else None)
        if self.columns is not None:
            if not isinstance(self.columns, ColumnIds):
                refuse(f"{owner}.columns", f"is a {type(self.columns).__name__}")
            self.columns.check(self.n_ids)
        if self.ranker is not None:
            self._check_columns(self.ranker.n_queries, owner)
        check_list(list(self.removed), str, len(self.removed), f"{owner}.removed")
        self._check_weights(owner)

    def _check_weights(self, owner):
        if list(self.weights) != list(DEFAULT_WEIGHTS):
            refuse(f"{owner}.weights_", f"has other keys than {list(DEFAULT_WEIGHTS)}")
        if not all(type(one) is float and one >= 0 for one in self.weights.values()):
            refuse(f"{owner}.weights_", "has a value that is not a float of 0 or more")

    def _check_columns(self, n_ranked, owner):
        expected = len(self.index)
        if self.columns is not None:
            expected = len(self.columns.ids)
        elif isinstance(self.index, LivingIndex):
            expected = len(self.index.fitted)
        if n_ranked != expected:
            refuse(f"{owner}.classifier_", f"ranks {n_ranked}; expected {expected}")


def _default_classifier():
    return XRLinearClassifier(indexer=TrieTreeHybrid(), max_iter=1000)


def _words():
    return WordNgramTfidf(token_pattern=r"\S+", preprocessor=normalize_words)


class QueryCompleter(LivingCompleter, DefaultStages, Completer):
    r"""Complete queries as they are typed, given the previous queries.

    The score of a query combines three sources, after Yadav et al. [1]_: how often it
    followed the previous query and similar ones; the scores of an `XRLinearClassifier`
    on the words of the previous queries and the characters of the prefix, whose tree is
    a trie with k-means below; and the popularity of the query.

    Only known queries that match the prefix are scored: the beam search enters only
    nodes that lead to one of them, and no results are filtered out afterwards. So k
    completions are returned if at least k known queries match, each once.

    Queries and prefixes are normalised before they are compared. Case, Unicode form
    (NFKC), full width, white space, invisible characters, and the variants of
    apostrophes, quotation marks, dashes and digits make no difference. Hangul is
    compared letter by letter. Accents make a difference unless `strip_accents` is set,
    but the last letter of a prefix also matches with an accent. Queries that are equal
    after normalisation are one query, returned in its most frequent spelling.

    Parameters
    ----------
    classifier : XRLinearClassifier, default=None
        Ranks queries, which are its labels. None stands for
        ``XRLinearClassifier(indexer=TrieTreeHybrid(), max_iter=1000)``.
    previous_vectorizer : transformer, default=None
        Transforms the previous queries, joined to one text, into features of the
        classifier. None stands for `WordNgramTfidf` on single words, cut as in
        `LexicalRanker`.
    prefix_vectorizer : transformer, default=None
        Transforms the prefix into features of the classifier; it has no effect on which
        queries match. None stands for ``PrefixWeightedCharTfidf()``.
    match : {"prefix", "fuzzy", "words"}, default="prefix"
        Which known queries match; `complete` can choose it for each call.

        "prefix": those that start with the prefix.

        "words": after these, those that have all words of the prefix, in any order and
        at any place. The last word may be incomplete: "jazz hist" is completed to
        "History of jazz". Where words are not separated by spaces, such as in Chinese
        and Thai, a word begins at each letter.

        "fuzzy": also those whose beginning differs from the prefix by one edit, if it
        has three characters or more, or two edits, if it has six or more. An edit
        inserts, deletes or replaces a character, or swaps two adjacent ones. Numbers
        are never edited, and a letter with its accents is one character.

        In all of these, if no query starts with the prefix, those match that differ
        from it only in how words are joined, by spaces, hyphens, apostrophes, slashes,
        full stops, "&", "+" or "_": "tshirt" is completed to "t-shirt".
    edit_weight : float, default=0.01
        The factor by which each edit multiplies the weight of a query, greater than 0
        and at most 1. The default is about the rate of mistyped letters. Of queries of
        equal weight, those with fewer edits come first.
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        Whether accents are removed before queries, prefixes and sessions are compared,
        as in scikit-learn: "unicode" removes combining marks, so that "sao" matches
        "São Paulo"; "ascii" keeps only ASCII characters, and leaves out queries without
        any. A callable takes a text that is otherwise normalised and returns a `str`.
        Its result for a prefix of a query must be a prefix of its result for the query.
    preprocessor : callable, default=None
        Takes a text and returns the `str` by which it is compared. It replaces the
        normalisation except that of white space. Its results must preserve prefixes, as
        those of `strip_accents`.
    prefixes_per_query : int or "all", default=4
        The number of prefixes of each pair of session and query on which the classifier
        is trained, in addition to the empty one. Short ones are sampled more often,
        since they are typed on the way to each longer one.
    classifier_weight : float, default=5.0
        The weight of the classifier's scores, in units of counts: that many
        observations of the next query. 0 leaves the classifier out.
    popularity_weight : float or None, default=None
        The weight of the popularity of queries, in units of counts. None: the value
        with the best completions of a held-out part of the log, see `weights_`.
    n_neighbors : int, default=200
        The number of nearest neighbours, the previous queries with the most similar
        transitions, over which counts are smoothed. 0 disables smoothing.
    smoothing : float or None, default=None
        The number of counts that the neighbours add to those of each previous query.
        None: fitted, as `popularity_weight`.
    reversed_weight : float or None, default=None
        The weight of a transition in reverse order: 0 if users rarely return to queries
        that they asked before, 1 if the order says nothing. None: fitted, as
        `popularity_weight`.
    decay : float or None, default=None
        The factor by which the weight of a previous query decreases with each step back
        in the session: small if only the newest query matters, near 1 if older ones
        matter as much. None: fitted, as `popularity_weight`.
    max_transitions : int, default=1000
        The maximum number of transitions that smoothing adds to a previous query.
    half_life : float or None, default=None
        The time in which counts of queries and transitions lose half of their weight,
        in any unit, for example days. `fit` and `partial_fit` then need the times of
        queries, `when`, in the same unit. None: counts keep their weight.
    n_jobs : int, default=None
        The number of parallel jobs of fit, also for stages whose own is None. The
        result does not depend on it.
    verbose : int, default=0
        Whether the progress of `fit` is printed.
    random_state : int, RandomState instance or None, default=None
        Seeds the sampling of prefixes, and the stages whose own is None.

    Attributes
    ----------
    queries_ : list of str
        The known queries in alphabetical order, in their most frequent spelling.
    counts_ : ndarray of shape (n_queries,), float64
        The count of each query; with `half_life`, what is left of it at the newest
        time.
    classifier_ : XRLinearClassifier or None
        The fitted classifier; its columns are the positions in `queries_` at the time
        of the fit. None if `classifier_weight` is 0 or no query has a previous one.
    weights_ : dict of str to float
        The values of `decay`, `reversed_weight`, `smoothing` and `popularity_weight`
        that were given or fitted.
    n_added_ : int
        The number of queries that the last change after the fit added.

    See Also
    --------
    skxmr.baselines.BigramCompleter : Completion by counts alone.
    TrieTreeHybrid : The default tree of the classifier.

    Notes
    -----
    Given a session s and a prefix t, a query q that matches t has the score

    .. math:: \frac{c(q | s) + a \, P(q) + b \, P(t | s) \, f(q | s, t)}
        {\sum_{r \text{ matches } t} \dots}

    of the sum over all matching queries r, where c are the counts of transitions from
    s, smoothed over neighbours; P(q) is the share of q in all queries, and a is the
    `popularity_weight`; f are the classifier's scores, scaled to sum to 1, b is the
    `classifier_weight`, and P(t | s) is the share of the queries that match t in
    :math:`c + a P`.

    Weights that are None are fitted first, if at least about 1,000 queries have
    previous ones: a tenth of the log, at most 2,000 pairs, is held out, and one weight
    after the other moves from its default (0.1 for `decay`, 0.2 for `reversed_weight`,
    10 for `smoothing`, 1 for `popularity_weight`) through a few values, as long as the
    mean reciprocal rank of the held-out queries, among the first ten completions of
    three prefixes of each, grows by more than twice the standard error of the gain. The
    classifier takes no part in this.

    A fitted completer can be used by many threads at the same time, also while
    `partial_fit`, `add` and `remove` change it.

    References
    ----------
    .. [1] N. Yadav, R. Sen, D. N. Hill, A. Mazumdar and I. S. Dhillon,
       "Session-Aware Query Auto-completion using Extreme Multi-label Ranking",
       KDD 2021, arXiv 2012.07654.

    Examples
    --------
    >>> from skxmr import QueryCompleter
    >>> completer = QueryCompleter().fit(["milk", "butter", "butter", "butter knife"])
    >>> [query for query, _ in completer.complete("b")]
    ['butter', 'butter knife']
    >>> previous = ["bread", "bread", "bread", "garden", None]
    >>> queries = ["butter", "butter", "butter knife", "butterfly", "milk"]
    >>> completer = QueryCompleter(random_state=0).fit(previous, queries)
    >>> [query for query, _ in completer.complete("b", previous="bread")]
    ['butter', 'butter knife', 'butterfly']
    >>> [query for query, _ in completer.complete("BUTT", previous="garden", k=2)]
    ['butterfly', 'butter']
    """

    transitions_ = from_state("transitions", "How often each query followed another.")
    weights_ = from_state("weights", "The weights, given or fitted.")
    ranker_ = from_state("ranker", "What ranks queries by the classifier, or None.")
    classifier_ = from_state("classifier", "The fitted classifier, or None.")

    _parameter_constraints: ClassVar[dict] = {
        **Completer._parameter_constraints,
        "classifier": [XRLinearClassifier, None],
        "previous_vectorizer": [HasMethods(["fit_transform", "transform"]), None],
        "prefix_vectorizer": [HasMethods(["fit_transform", "transform"]), None],
        "match": [StrOptions(set(_MATCHES))],
        "edit_weight": [Interval(Real, 0, 1, closed="right")],
        "prefixes_per_query": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"all"}),
        ],
        "classifier_weight": [Interval(Real, 0, None, closed="left")],
        "popularity_weight": [Interval(Real, 0, None, closed="neither"), None],
        "n_neighbors": [Interval(Integral, 0, None, closed="left")],
        "smoothing": [Interval(Real, 0, None, closed="left"), None],
        "reversed_weight": [Interval(Real, 0, None, closed="left"), None],
        "decay": [Interval(Real, 0, 1, closed="both"), None],
        "max_transitions": [Interval(Integral, 1, None, closed="left")],
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    _matches = _MATCHES
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
        classifier=None,
        *,
        previous_vectorizer=None,
        prefix_vectorizer=None,
        match="prefix",
        edit_weight=0.01,
        strip_accents=None,
        preprocessor=None,
        prefixes_per_query=4,
        classifier_weight=5.0,
        popularity_weight=None,
        n_neighbors=200,
        smoothing=None,
        reversed_weight=None,
        decay=None,
        max_transitions=1000,
        half_life=None,
        n_jobs=None,
        verbose=0,
        random_state=None,
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
        self.max_transitions = max_transitions
        self.half_life = half_life
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    # The stages are validated by their own fits.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        previous: Sessions | Texts,
        queries: Texts | None = None,
        *,
        counts: ArrayLike | None = None,
        when: ArrayLike | None = None,
    ) -> Self:
        """Fit to queries: ``fit(queries)``, or ``fit(previous, queries)``.

        Parameters
        ----------
        previous : iterable of (str, or list, tuple or array of str), or None
            The previous query of each query, or several, the newest last. Blank or
            missing values (None, NaN) mean that there was none; None for all if no
            previous queries are known. A single argument is `queries`.
        queries : iterable of str of length n_asked, or mapping from str to number
            The queries; or their counts, as a `Counter` or the result of pandas'
            ``value_counts``. Blank queries are left out.
        counts : array-like of shape (n_asked,), default=None
            How often each pair occurred. None counts each once.
        when : float or array-like of shape (n_asked,), default=None
            With `half_life`, the time of all queries, or of each, in its unit: for
            example days since any date. None without.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ, a count is not positive, all queries are blank, or `when`
            is missing with `half_life` or given without.
        TypeError
            If a query or a previous query is not a string.
        """
        normalizer = self._make_normalizer()
        with step("reading the query log"):
            check_when(when, self.half_life)
            log = read_log(previous, queries, counts, normalizer, when=when)
            log, ages = self._aged(log)
            log = log.merged()
        note(f"{len(log.keys):,} different queries")
        learner = TransitionLearner(normalizer, self.n_neighbors, self.max_transitions)
        with step("fitting weights"):
            given = {name: getattr(self, name) for name in DEFAULT_WEIGHTS}
            weights = choose_weights(log, learner, given)
        with step("counting transitions"):
            transitions = learner.learn(log, weights)
        ranker = self._train(log)
        with step("indexing prefixes"):
            index = PrefixIndex(log.keys, log.query_counts)
            if self.match == "words":
                index.index_words()
        self._state = QueryState(
            log.names, index, normalizer, transitions, ranker, weights, ages=ages
        )
        return self

    def _aged(self, log):
        """Weigh the counts of a log by their times, relative to the newest."""
        if self.half_life is None:
            return log, None
        newest = float(log.times.max())
        ages = ForwardDecay(float(self.half_life), newest, newest)
        return log._replace(counts=log.counts * ages.weights(log.times)), ages

    def _train(self, log):
        """Train the classifier, if there are sessions to learn from."""
        if self.classifier_weight == 0 or not any(log.sessions):
            return None
        if self.previous_vectorizer is None and not _have_words(log.sessions):
            return None
        random = check_random_state(self.random_state)
        seed = int(random.randint(_MAX_INT32))
        lengths = np.array([len(stem_of(key)) for key in log.keys])[log.ranks]
        drawn_from, lengths = draw_prefixes(lengths, self.prefixes_per_query, random)
        # The empty prefix of every query.
        drawn_from = np.concatenate([drawn_from, np.arange(len(log.ranks))])
        lengths = np.concatenate([lengths, np.zeros(len(log.ranks), dtype=np.int64)])
        return PrefixRanker.learn(
            log,
            drawn_from,
            lengths,
            previous_vectorizer=self._make_stage("previous_vectorizer", seed),
            prefix_vectorizer=self._make_stage("prefix_vectorizer", seed),
            classifier=self._make_stage("classifier", seed),
        )

    def _make_stage(self, name, seed):
        """Clone a stage or its default, and set parameters that it leaves open."""
        return with_settings(self._clone_stage(name), seed=seed, n_jobs=self.n_jobs)

    def _suggest(self, prefix, session, k, subset=None, match=None):
        match = self.match if match is None else match
        if match == "words":
            return self._suggest_by_words(prefix, session, k, subset)
        if match == "prefix":
            ranges = _allowed(self._find(prefix), subset)
            ranks, weights, total = self._suggest_among(ranges, prefix, session, k)
            return ranks, weights / max(total, _TINY)
        found = self._find_near(prefix)
        groups = [
            (edits, *self._suggest_among(_allowed(ranges, subset), prefix, session, k))
            for edits, ranges in found
        ]
        return _best_of_groups(groups, self.edit_weight, k)

    def _suggest_by_words(self, prefix, session, k, subset):
        """Find the queries that start with a prefix, and then others by their words."""
        index = self._state.index
        ranges = _allowed(self._find(prefix), subset)
        first, weights, total = self._suggest_among(ranges, prefix, session, k)
        scores = weights / max(total, _TINY)
        if len(first) == k:
            return first, scores
        subset = QuerySubset(index, index.find("")) if subset is None else subset
        matches, others = WordMatches(index, prefix), subset.beside(ranges)
        evidence = self._evidence(matches, others, session)
        ranks, weights = best_suggestions(evidence, k - len(first))
        # All that start with the prefix are among the first: no other is above them.
        highest = scores.min(initial=1.0) / self._weight_of_all(session)
        return np.append(first, ranks), np.append(scores, weights * highest)

    def _find(self, prefix):
        """Find the ranges of matching queries."""
        index = self._state.index
        ranges = index.find(prefix)
        return ranges if len(ranges) else index.find_joined(prefix)

    def _find_near(self, prefix):
        """Find the ranges of matching queries for each number of edits."""
        n_letters = count_letters(prefix)
        most_edits = sum(n_letters >= n for n in _CHARACTERS_FOR_EDITS)
        if most_edits == 0:
            return [(0, self._find(prefix))]
        ranges, edits = self._state.index.find_near(prefix, most_edits)
        near = [ranges[edits == n] for n in range(most_edits + 1)]
        if not len(near[0]):
            joined = self._state.index.find_joined(prefix)
            near = [joined, *(without_overlaps(some, joined) for some in near[1:])]
        return list(enumerate(near))

    def _suggest_among(self, ranges, prefix, session, k):
        """Find the best queries in some ranges of ranks.

        Returns
        -------
        ranks : ndarray of shape (at most k,), int64
            Best first.
        weights : ndarray of the same shape, float64
        total : float
            The weight of all queries in the ranges.
        """
        evidence = self._evidence(self._state.index, ranges, session)
        ranks, shares = self._rank_by_classifier(ranges, prefix, session, k)
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

    def _evidence(self, index, ranges, session):
        """Collect counts and transitions of the queries in some ranges.

        Parameters
        ----------
        index : PrefixIndex, LivingIndex or WordMatches
        """
        state, decay, share = self._state, self._weight("decay"), self._state.share
        prior = self._weight("popularity_weight") / state.index.total
        evidence = Evidence(index, ranges, prior)
        for age, ranks, weights in state.transitions.after(session, ranges):
            entries = ranks, weights
            if isinstance(index, WordMatches):
                entries = index.among(ranks, weights)
            evidence.add(*entries, share * decay**age)
        return evidence

    def _rank_by_classifier(self, ranges, prefix, session, k):
        """Return ranks and shares of the best queries, none without a session.

        Then only the counts of queries are known.
        """
        state = self._state
        nothing = np.empty(0, dtype=np.int64), np.empty(0)
        if not session or state.ranker is None or self.classifier_weight == 0:
            return nothing
        if state.columns is not None:
            ranges = state.columns.columns(ranges)
        elif isinstance(state.index, LivingIndex):
            ranges = ranges[ranges[:, 0] < state.ranker.n_queries]
            ranges = np.minimum(ranges, state.ranker.n_queries)
        if not len(ranges):
            return nothing
        classifier = self._stage_or_default("classifier")
        columns, shares = state.ranker.rank(
            prefix, session, ranges, k, classifier, self.n_jobs
        )
        known = state.columns
        return columns if known is None else known.ids[columns], shares

    def _weight_of_all(self, session):
        """Return the weight of all queries, whatever the prefix."""
        decay = self._weight("decay")
        followed = self._state.transitions.total_after(session, decay)
        followed *= self._state.share
        return self._weight("popularity_weight") + followed

    def _weight(self, name):
        """Return a parameter, or what was fitted if it is None."""
        value = getattr(self, name)
        return self._state.weights[name] if value is None else value


def _allowed(ranges, subset):
    return ranges if subset is None else subset.within(ranges)


def _have_words(sessions):
    return any(written_words(text) for session in sessions for text in session)


def _best_of_groups(groups, edit_weight, k):
    """Merge the best queries of several numbers of edits.

    Parameters
    ----------
    groups : list of (edits, ranks, weights, total)
        For each number of edits, the weights of the best queries and of all of them.
    edit_weight : float
        The factor for each edit.
    k : int

    Returns
    -------
    ranks : ndarray of shape (at most k,), int64
        Best first; ties are broken by fewer edits.
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
