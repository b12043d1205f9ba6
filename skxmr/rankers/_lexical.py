"""Lexical ranking of labels by BM25."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from types import NoneType
from typing import ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator

from skxmr._base._documentation import Documented
from skxmr._base._ranking_classifier import RankingClassifier
from skxmr._base._state import from_state, reads, snapshot, writes
from skxmr._inputs._by_label import LabelTexts
from skxmr._inputs._class_labels import exact_target
from skxmr._inputs._documents import check_documents_or_files
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._label_choice import mask_of_choice
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._target_texts import read_label_texts
from skxmr._inputs._validation import (
    Interval,
    check_documents,
    check_k,
    check_lengths,
    check_structure,
    fit_context,
)
from skxmr._lexical._analysis import check_analyzers
from skxmr._lexical._building import CountedTexts, Indexing
from skxmr._lexical._expansion import Expansion
from skxmr._lexical._searching import LexicalSearch
from skxmr._lexical._state import LexicalState
from skxmr._lexical._weights import check_field_weights, check_label_weights
from skxmr._search._subset import MakesSubsets
from skxmr._targets import read_target
from skxmr._utils._loaded_state import CheckedWhenLoaded
from skxmr._utils._typing import (
    ArrayLike,
    Matrix,
    MatrixLike,
    Ranking,
    SomeLabels,
    Texts,
)
from skxmr.rankers._lexical_changes import ChangesLabels
from skxmr.rankers._lexical_words import ExplainsWords
from skxmr.ranking import LabelSubset, RowFactors, RowSubset

__all__ = ["LexicalRanker"]


class LexicalRanker(
    Documented,
    CheckedWhenLoaded,
    ChangesLabels,
    ExplainsWords,
    MakesSubsets,
    RankingClassifier,
    BaseEstimator,
):
    """Rank labels by the words that they share with a text (BM25).

    An inverted index of the labels' own texts and of the training texts of each label,
    without any training. The score of a label is [1]_

        sum over fields f and terms t of the query:
        w(f) ln(1 + (N - df + 0.5) / (df + 0.5)) tf (k1 + 1) / (tf + k1 (1 - b + b l))

    with the number tf of the term's occurrences in the label's field, the number df of
    labels of N that have it there, and the length l of the field in terms, relative to
    the mean. Searches are exact: labels that cannot be among the best k are not scored,
    but none is missed.

    Parameters
    ----------
    analyzer : {"word", "char"} or sequence of these, default="word"
        The terms: words, or trigrams of characters within words, which find misspelt
        and joined words too. The scores of several analyzers are added. Texts are
        normalised first, as by the default vectorizer of `TextRetriever`. Scripts
        without spaces between words, and Hangul, are cut into pairs of adjacent
        letters. Words with digits or punctuation inside also count as their parts, and
        as joined parts: "10mm" as "10", "mm" and "10mm", just as "10 mm"; "tea-pot" as
        "tea", "pot" and, for words, "teapot".
    token_filter : callable, default=None
        Takes the words of a text, a list of str, and returns those to index and to
        search for, such as stems or additional synonyms. Use a function of a module, so
        that the ranker can be pickled.
    k1 : float, default=1.2
        How soon further occurrences of a term stop adding to the score, at most 1e6; 0
        ignores their number.
    b : float, default=0.75
        How much long texts are penalised, from 0 to 1.
    correct_spelling : bool, default=False
        Whether a word that no label has stands for the words that are one edit away (an
        inserted, deleted or replaced character, or two adjacent ones swapped), at most
        10, the most frequent ones. They count 0.8 of a word. Words of fewer than four
        characters are not corrected.
    prefix : bool, default=False
        Whether the last word, unless a space follows it, also stands for the words that
        begin so, at most 64, the most frequent ones: for search as one types.
    field_weights : sequence of float, default=None
        The weights w(f), up to 1e15: one for each text of a label, in their order,
        optionally followed by one for the training texts, which is 1 otherwise. None
        weights all the same.
    n_candidates : int, default=100
        The number of labels per text that `predict`, `predict_proba` and
        `decision_function` score.
    decision_threshold : float, default=0.5
        For indicator targets, `predict` returns the labels whose score by
        `predict_proba` is above it.
    n_jobs : int, default=None
        The number of threads, as in joblib. Results do not depend on it.
    verbose : int, default=0
        Whether the progress of `fit` is printed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the names of the labels, if rows of names or
        a data frame were given; or the column indices of an indicator.

    See Also
    --------
    NeighborRanker : Ranks by nearest training rows, for any features.
    TextRetriever : Learns from training texts.

    Notes
    -----
    `correct_spelling`, `prefix`, `field_weights`, `n_candidates` and
    `decision_threshold` take effect when they are set; other parameters at the next
    `fit`.

    References
    ----------
    .. [1] S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25
       and Beyond", Foundations and Trends in Information Retrieval 3, 2009.

    Examples
    --------
    Without any training texts:

    >>> import numpy as np
    >>> from skxmr import LexicalRanker
    >>> names = ["green tea", "black tea with lemon", "rye bread"]
    >>> ranker = LexicalRanker().fit([], np.zeros((0, 3)), label_texts=names)
    >>> columns, scores = ranker.rank(["tea with lemon"], k=3)
    >>> columns
    array([[ 1,  0, -1]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "analyzer": [str, "array-like"],
        "token_filter": [callable, None],
        "k1": [Interval(Real, 0, 1e6, closed="both")],
        "b": [Interval(Real, 0, 1, closed="both")],
        "correct_spelling": ["boolean"],
        "prefix": ["boolean"],
        "field_weights": ["array-like", None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "decision_threshold": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    _scores_exceed_1 = True  # those of `rank`; see `RankFusion`
    _search_parameters = (
        "correct_spelling",
        "prefix",
        "field_weights",
        "n_candidates",
        "decision_threshold",
        "n_jobs",
    )

    def __init__(
        self,
        analyzer: str | Sequence[str] = "word",
        *,
        token_filter: Callable | None = None,
        k1: float = 1.2,
        b: float = 0.75,
        correct_spelling: bool = False,
        prefix: bool = False,
        field_weights: Sequence[float] | None = None,
        n_candidates: int = 100,
        decision_threshold: float = 0.5,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.analyzer = analyzer
        self.token_filter = token_filter
        self.k1 = k1
        self.b = b
        self.correct_spelling = correct_spelling
        self.prefix = prefix
        self.field_weights = field_weights
        self.n_candidates = n_candidates
        self.decision_threshold = decision_threshold
        self.n_jobs = n_jobs
        self.verbose = verbose

    classes_ = from_state("classes", "Classes, names of labels, or column numbers.")

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        texts: Texts,
        y: MatrixLike,
        *,
        label_texts: Texts | Iterable | Mapping | LabelTexts | None = None,
    ) -> Self:
        """Index the texts of labels.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The training texts, which are one more field of their labels. May be empty.
            Those from `skxmr.streaming.load_texts` need not fit in memory.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1; or a list, tuple or set of label names for each
            row, such as ``[["web", "api"], ["django"]]``; or class labels of any type.
            The columns of a data frame name the labels.
        label_texts : iterable of length n_labels of (str or sequence of str), data \
                frame, mapping or LabelTexts, default=None
            The texts of each label, as in `TextRetriever.fit`. Each text of a label is
            a field with statistics of its own.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is invalid, the arguments do not match, or no text has a
            term.
        TypeError
            If a text is not a string.
        """
        texts = check_documents_or_files(texts, "texts")
        y, names = read_columns(y)
        y = check_structure(exact_target(y), "y")
        check_lengths(texts, y)
        fields, classes = None, None
        if label_texts is not None:
            fields, y, classes = read_label_texts(label_texts, y, names)
            if names is not None and classes is not None:
                names, classes = classes, None
        elif not texts:
            raise ValueError(
                "There are neither texts nor label_texts; expected at least one text."
            )
        target, Y = read_target(self, y, classes, names)
        counted = self._count(fields, texts, Y.shape[1])
        self._state = self._index(counted, target, Y)
        return self

    def _count(self, fields, texts, n_labels):
        """Count the terms of the texts of labels and of the training texts."""
        return CountedTexts.of(fields, texts, n_labels, self._indexing())

    def _index(self, counted, target, Y):
        """Index labels by counted texts; return the state."""
        terms, index = counted.build_index(Y, self._indexing())
        check_field_weights(self.field_weights, terms.field_names)
        return LexicalState(target, KnownClasses.of(target.classes), terms, index)

    def _indexing(self):
        analyzers = check_analyzers(self.analyzer)
        return Indexing(analyzers, self.token_filter, self.k1, self.b, self.n_jobs)

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if not self.__sklearn_is_fitted__():
            return
        self._state.check("LexicalRanker")

    def _subset_of(self, state, allowed, excluded):
        mask = mask_of_choice(len(state.classes), allowed, excluded)
        return LabelSubset((state,), mask, members=(mask.astype(np.float32),))

    @reads
    def rank(
        self,
        X: MatrixLike | Texts,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
        label_weights: ArrayLike | None = None,
    ) -> Ranking:
        """Find the best k labels of each text.

        Parameters
        ----------
        X : iterable of str of length n_samples
            The queries.
        k : int, default=10
            The number of labels per text.
        allowed : LabelSubset, iterable of labels, or sparse matrix of shape \
                (n_samples, n_labels), default=None
            The labels to rank: the result of `subset`, which is fast, or labels or a
            mask as `subset` takes them; or a mask of the labels of each text. None
            allows all.
        excluded : iterable of labels, or sparse matrix of shape (n_samples, n_labels),\
                default=None
            Labels that are not ranked, for all texts or for each.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels in these arguments that the estimator does not know raise an
            error or are ignored.
        label_weights : array-like of shape (n_labels,), default=None
            Factors of the scores, such as popularity: numbers from 0 to 1e15. They are
            part of the search, so that the best k are exact. A column of a data frame
            whose index holds the labels is read by that index.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
            Columns of y, or indices into `classes_`, best first; of equal scores, the
            smaller one. -1 if fewer labels share a term with the text.
        scores : ndarray of shape (n_samples, k), float32
            BM25, above 0; 0 if fewer labels are found.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X is a single string, a label does not exist, or `k` is not
            positive, or so large that the arrays do not fit in memory.
        TypeError
            If one of the texts is not a string.
        """
        k = check_k(k, "LexicalRanker.rank")
        search, texts = self._search(), check_documents(X, "X")
        factors = self._factors(allowed, excluded, unknown, label_weights, len(texts))
        return search.rank(texts, k, *factors)

    def _pair_scorer(self, X):
        texts = check_documents(X, "X")
        return len(texts), partial(self._search().score, texts)

    def rank_one(
        self,
        text: str,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
        label_weights: ArrayLike | None = None,
    ) -> Ranking:
        """Find the best k labels of one text, with little overhead.

        Parameters
        ----------
        text : str
            The query.
        k : int, default=10
            The number of labels.
        allowed : LabelSubset, or iterable of labels, default=None
            As in `rank`.
        excluded : iterable of labels, default=None
            As in `rank`.
        unknown : {"raise", "ignore"}, default="raise"
            As in `rank`.
        label_weights : array-like of shape (n_labels,), default=None
            As in `rank`.

        Returns
        -------
        columns : ndarray of shape (k,), int64
            The row that `rank` returns.
        scores : ndarray of shape (k,), float32

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a label does not exist, or `k` is not positive.
        TypeError
            If `text` is not a string.
        """
        # Without `reads`, whose overhead matters at microseconds per text.
        k = check_k(k, "LexicalRanker.rank_one")
        if type(text) is not str:
            (text,) = check_documents([text], "text")
        if allowed is None and excluded is None and label_weights is None:
            return self._search().rank_one(text, k)
        ranker = snapshot(self)
        factors = ranker._factors(allowed, excluded, unknown, label_weights)
        return ranker._search().rank_one(text, k, *factors)

    @reads
    def decision_function(self, X: MatrixLike | Texts) -> Matrix:
        """Return the BM25 scores of the best `n_candidates` labels.

        Parameters
        ----------
        X : iterable of str of length n_samples
            The queries.

        Returns
        -------
        csr_matrix, csr_array or ndarray of shape (n_samples, n_labels)
            0 for all other labels. For an indicator, sparse if y was, float32. For
            class labels dense float64; for two classes of shape (n_samples,), the score
            of the second minus that of the first.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X is a single string.
        TypeError
            If one of the texts is not a string.
        """
        found = self._search().rank(check_documents(X, "X"), int(self.n_candidates))
        return self._state.target.from_scores(*found)

    def _factors(self, allowed, excluded, unknown, label_weights, n_rows=None):
        """Return factors of the scores from 0 to 1, or None, and their scale."""
        subset = self._restricted(allowed, excluded, unknown, n_rows=n_rows)
        factors, scale = None, 1.0
        if isinstance(subset, RowSubset):
            factors = RowFactors.of(self._alive(subset))
        elif subset is not None:
            subset.check_owner((self._state,))
            (factors,) = subset.members
        if label_weights is not None:
            weights, scale = check_label_weights(label_weights, self._state.known)
            if isinstance(factors, RowFactors):
                factors = factors.times(weights)
            else:
                factors = weights if factors is None else weights * factors
        return factors, scale

    def _alive(self, subset):
        """Check that this ranker made the subset of all rows, if there is one."""
        if subset.subset is not None:
            subset.subset.check_owner((self._state,))
        return subset

    def _search(self):
        """Return the search of the fitted index with the current parameters."""
        state, settings = self._fitted(), self._settings()
        made = state.last_search(settings)
        if made is None:
            ranker = snapshot(self)
            settings, made = ranker._settings(), ranker._checked_settings(state)
            if isinstance(ranker.field_weights, (tuple, NoneType)):  # else mutable
                state.keep_search(settings, made)
        return LexicalSearch(state, *made)

    def _settings(self):
        return [getattr(self, name) for name in self._search_parameters]

    def _checked_settings(self, state):
        """Return the expansion, the weights of fields and the number of threads."""
        self._check_search_parameters()
        names = state.terms.field_names
        weights = check_field_weights(self.field_weights, names).astype(np.float32)
        expansion = Expansion.of(self.correct_spelling, self.prefix, state.terms)
        return expansion, weights, self.n_jobs

    def _shortlists(self, X):
        search = self._search()
        return search.shortlists(check_documents(X, "X"), int(self.n_candidates))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags
