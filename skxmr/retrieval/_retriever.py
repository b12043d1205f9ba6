"""Retrieval of named labels for texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skxmr._base._documentation import Documented
from skxmr._base._fitted_clone import FittedClone
from skxmr._base._stage_settings import with_settings
from skxmr._base._state import from_state, reads, writes
from skxmr._embeddings._encoding import Encoder
from skxmr._embeddings._searching import EmbeddingSearch
from skxmr._inputs._by_label import LabelTexts
from skxmr._inputs._class_labels import exact_target
from skxmr._inputs._documents import check_documents_or_files
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._negatives import check_negatives, with_empty_rows
from skxmr._inputs._target_texts import read_label_texts
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_documents,
    check_k,
    check_lengths,
    check_structure,
    fit_context,
)
from skxmr._search._explanation import Explanation
from skxmr._targets import read_target
from skxmr._utils._loaded_state import CheckedWhenLoaded
from skxmr._utils._packed_texts import PackedTexts
from skxmr._utils._padding import check_size, pad_ranking
from skxmr._utils._typing import ArrayLike, MatrixLike, SomeLabels, Texts
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.rankers._lexical import LexicalRanker
from skxmr.ranking import LabelSubset, Pairs, SearchResult, SearchResults
from skxmr.retrieval._assembling import assemble
from skxmr.retrieval._changes import (
    in_known_columns,
    in_known_names,
    refitted,
    starting_warm,
)
from skxmr.retrieval._explaining import explain_fused, explain_text
from skxmr.retrieval._fitting import (
    Stages,
    TrainingTexts,
    default_lexical_ranker,
    default_vectorizer,
    resolve_text_weight,
)
from skxmr.retrieval._fused_explanation import FusedExplanation
from skxmr.retrieval._fused_fitting import TextRows, fit_both
from skxmr.retrieval._fused_search import FusedSearch
from skxmr.retrieval._label_texts import (
    check_field_weights,
    make_own_rows,
    with_own_rows,
)
from skxmr.retrieval._living import LivingRetriever
from skxmr.retrieval._pages import Page
from skxmr.retrieval._searching import ModelSearch, choose, make_subset
from skxmr.retrieval._state import RetrieverState
from skxmr.retrieval._text_classifier import TextClassifier
from skxmr.text._single import LeanTransformer

__all__ = ["TextRetriever"]

_MAX_INT32 = np.iinfo(np.int32).max


class TextRetriever(
    Documented, CheckedWhenLoaded, LivingRetriever, TextClassifier, BaseEstimator
):
    """Find labels for texts: products for queries, subjects for titles.

    Features are word and character n-grams with TF-IDF weights, and labels are ranked
    by an `XRLinearClassifier`, after Chang et al. [1]_. If labels have texts, each text
    is an additional training row for its label, which often improves the ranking more
    than anything else.

    Parameters
    ----------
    vectorizer : transformer, default=None
        Transforms texts into sparse features. None stands for word 1- and 2-grams and
        character trigrams of normalised texts: case, Unicode form (NFKC), full width,
        invisible characters, and the variants of apostrophes, quotation marks and
        dashes make no difference; accents do. Words are cut as in `LexicalRanker`. A
        custom vectorizer gets the texts unchanged.
    classifier : estimator, default=None
        Ranks labels: an `XRLinearClassifier`, or any estimator with a method
        ``rank(X, k)``, such as `RankFusion` or `Reranker`. None stands for
        ``XRLinearClassifier()``.
        Restricted searches and explanations need a classifier
        that supports them.
    lexical_ranker : LexicalRanker, default=None
        Searches the texts of labels, joined, and their training texts by words, where
        there are label texts. None stands for ``LexicalRanker(correct_spelling=True)``.
        If its `field_weights` is None, the weight of training texts is learned.
    encoder : callable or transformer, default=None
        Turns a list of n texts into their embeddings, a dense array of shape (n, d), of
        any length: a function such as ``SentenceTransformer(...).encode``, or a fitted
        transformer, by its method ``transform``. Where labels have texts, these are
        encoded in `fit`, each search encodes its text, and both are compared; see
        Notes. Another encoder of the same embeddings takes effect at once. None takes
        effect at once too; without an encoder in `fit`, labels have no embeddings.
    encoder_labels : callable or transformer, default=None
        Encodes the texts of labels, if that takes another call than `encoder`. None
        encodes both alike.
    encoder_search : {"approximate", "exact"}, default="approximate"
        How the labels of the largest cosines are found. "exact" compares the text with
        all labels. "approximate" does so up to 4,095 labels; with more, it first
        chooses some hundred by coded embeddings, which is faster. It takes effect at
        once.
    fusion : {"learned"} or None, default="learned"
        How the scores of the classifier and of the lexical ranker are combined, where
        there are label texts; see Notes. None ranks by the classifier alone; it takes
        effect at once, but without it in `fit`, there is no lexical ranker.
    propensity_weight : float, default=0.0
        Weighs the fused score of a label by this power of its inverse propensity, in
        proportion to (1 + N)^-0.55 for N training texts [3]_. 0 weighs all labels
        alike; larger values favour rare labels. It takes effect at once. Without a
        fused score it has no effect: set that of the classifier.
    label_text_weight : "auto", float or sequence of float, default="auto"
        The weight of a label's own texts in training, relative to other rows. A
        sequence has one weight for each field of ``label_texts``. Weights other than 1
        need a classifier that takes ``relevance``. "auto" is 8, or 1 for a classifier
        that does not.
    text_pieces : int, default=0
        The number of pseudo-queries that are drawn for each label: three words, in
        their order, of one of its texts of at least four words. Each is an additional
        training row with the weight of its text; duplicates of a label are removed.
    random_state : int, RandomState instance or None, default=None
        Seeds the drawing of pseudo-queries and of held-out texts, and all nested stages
        whose `random_state` is None. An integer is passed on unchanged to the
        classifier. None leaves the stages unchanged, and holds out the same texts in
        each fit.
    n_jobs : int, default=None
        Number of parallel jobs of fit and prediction, for stages whose own is None.
        Neither models nor predictions depend on it.
    verbose : int, default=0
        Whether the progress of `fit` is printed: of counting words, encoding label
        texts, grouping labels and training, with the time that is left. A terminal
        with tqdm shows a bar. Passed on to stages whose `verbose` is 0.
    warm_start : bool, default=False
        Whether `fit` goes on from the earlier one, for a catalogue that changes: see
        Notes. Takes an `XRLinearClassifier`, whose own `warm_start` is set.

    Attributes
    ----------
    vectorizer_ : transformer
        The fitted vectorizer. Once `add_labels` or `partial_fit` have learned new
        terms, a transformer to its features and those of the new terms, which follow.
    classifier_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the names of the labels, if rows of names or
        a data frame were given; or the column indices of an indicator.
    lexical_ranker_ : LexicalRanker
        The fitted lexical ranker, where there is one.
    refit_due_ : bool
        Whether the classifier's tree has aged by changes, so that another fit would
        pay; see `XRLinearClassifier`.
    fusion_weights_ : dict of str to float
        The weights of the features of the fused score, where there is one; see Notes.
    label_texts_ : sequence of str of length n_labels, or None
        The names of the labels: the first non-blank text of each. It is equal to a
        list, but stores the texts in two arrays, which `skxmr.persistence.load` can
        leave in the file; ``list(label_texts_)`` copies them.

    See Also
    --------
    XRLinearClassifier : The classifier, for any features.
    LexicalRanker : Search by words alone.

    Notes
    -----
    Where labels have texts, the candidates for a text are the best 100 labels of the
    classifier and the best 100 of the lexical ranker. Each is described by

    - "model", the logarithm of the classifier's score, and "reached", 1 if it found the
      label;
    - "text" and "training", the BM25 scores of the label's own and training texts;
      "log_text" and "log_training", the logarithms of 1 + these; and "text_gain", that
      of the factor by which its own text raises 1 + the score of its training texts;
    - "text_coverage" and "training_coverage", the shares of the text's terms that these
      fields have, weighed by inverse document frequency;
    - "similarity", the cosine of the character trigrams of the text and the label's
      name, "containment", the share of the name's trigrams that the text has, and
      "same_name", 1 if both have the same words;
    - "log_count", the logarithm of 1 + the number of the label's training texts.

    With an `encoder`, the 100 labels of the largest cosines of the embeddings are
    candidates too, and all are described by

    - "cosine", the cosine of the text and of the label's texts, joined, less that of
      the text and the average label, in units in which the own text of a label has
      about 1; 0 for labels without text.

    Their weighted sum ranks the candidates. The weights (`fusion_weights_`) are those
    of a conditional logistic regression [2]_, on at most 2,000 distinct training texts
    that neither stage was fitted to; then both are fitted to all texts. Only "log_text"
    and "containment" may have negative weights, and that of "same_name" is at least 3,
    so that a label whose name was typed comes first. If the held-out texts are at most
    one in a hundred rows, the classifier remains without them, and only the lexical
    ranker has them. With more than 262,144 labels, an `XRLinearClassifier` without an
    `indexer` has a tree of at most 512 children per node, made by 5 iterations of
    k-means, and the default ``tol=0.3``: it is trained in a fraction of the time. With
    fewer than 800 distinct texts, the weights are constants.

    A logistic regression on the same texts turns the sums into the probabilities that
    `search` returns. They compare the candidates: in a search among some of the labels,
    the scores of these are higher.

    The search for the largest cosines is exact up to 4,095 labels. Among more, 200 that
    are compared exactly are chosen by codes of 4 bits of the first 160 principal
    components, which miss some of the best 100 whose cosines hardly differ; the cosines
    of candidates are exact. The vectors of labels are stored in half precision.

    The embeddings find labels for texts without known terms too. Their scores may be
    low; ``min_score`` leaves such labels out. With ``set_params(encoder=None)``, the
    scores are those of a retriever without an encoder, whose weights are learned too.

    `add_labels`, `remove_labels` and `partial_fit` change a fitted retriever without
    another fit, in time of the change. Statistics of `fit`, such as document
    frequencies, remain, so that scores of other labels do.

    With ``warm_start=True``, another `fit` takes **all present texts and label texts**.
    The vectorizer, the weights of the fused score and the classifier's tree remain, and
    of the classifier only nodes that are not optimal any more are solved again (see
    `XRLinearClassifier`); texts are indexed anew. Labels keep their columns: new ones
    follow, and labels that have neither texts nor rows any more are not found. Terms
    that no text of the first fit had are learned, by all vectorizers that
    `partial_fit` teaches new terms. `refit_due_` tells when a fit with
    ``warm_start=False`` would pay.

    An encoder is called with at most 256 texts, that of `search` with one. A fit
    encodes each distinct text of labels once, and the held-out texts; blank texts are
    not encoded. A function that caches results, as `joblib.Memory` makes one, saves
    encoding label texts again in the next fit. `clone` forgets what a transformer has
    learned, unless it is in a ``FrozenEstimator`` of scikit-learn. As the function of a
    `FunctionTransformer`, an encoder is pickled with the estimator: set it to None
    before if it is large or a lambda, and again after loading.

    References
    ----------
    .. [1] W.-C. Chang et al., "Extreme Multi-label Learning for Semantic Matching in
       Product Search", KDD 2021, arXiv 2106.12657.
    .. [2] D. McFadden, "Conditional logit analysis of qualitative choice behavior",
       Frontiers in Econometrics, 1974.
    .. [3] H. Jain, Y. Prabhu and M. Varma, "Extreme multi-label loss functions for
       recommendation, tagging, ranking & other missing label applications", KDD 2016.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> offers = ["red apple", "green apple", "apple phone", "smart phone case"]
    >>> products = ["fruit", "fruit", "phone", "case"]
    >>> retriever = TextRetriever().fit(offers, products)
    >>> [name for _, name, _ in retriever.search("apples, fresh and red", k=1)]
    ['fruit']
    """

    _parameter_constraints: ClassVar[dict] = {
        "vectorizer": [HasMethods(["fit", "transform"]), None],
        "classifier": [HasMethods(["fit", "rank"]), None],
        "lexical_ranker": [LexicalRanker, None],
        "encoder": [callable, HasMethods("transform"), None],
        "encoder_labels": [callable, HasMethods("transform"), None],
        "encoder_search": [StrOptions({"approximate", "exact"})],
        "fusion": [StrOptions({"learned"}), None],
        "propensity_weight": [Interval(Real, 0, None, closed="left")],
        "label_text_weight": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
            "array-like",
        ],
        "text_pieces": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
    }

    _search_parameters = (
        "encoder",
        "encoder_search",
        "fusion",
        "propensity_weight",
        "n_jobs",
    )
    _stage_parameters = ("vectorizer", "classifier", "lexical_ranker")
    _default_stages: ClassVar[dict] = {
        "vectorizer": default_vectorizer,
        "classifier": XRLinearClassifier,
        "lexical_ranker": default_lexical_ranker,
    }
    _hands_on = ("random_state", "n_jobs", "verbose")

    def __init__(
        self,
        vectorizer=None,
        classifier=None,
        *,
        lexical_ranker=None,
        encoder=None,
        encoder_labels=None,
        encoder_search="approximate",
        fusion="learned",
        propensity_weight=0.0,
        label_text_weight="auto",
        text_pieces=0,
        random_state=None,
        n_jobs=None,
        verbose=0,
        warm_start=False,
    ):
        self.vectorizer = vectorizer
        self.classifier = classifier
        self.lexical_ranker = lexical_ranker
        self.encoder = encoder
        self.encoder_labels = encoder_labels
        self.encoder_search = encoder_search
        self.fusion = fusion
        self.propensity_weight = propensity_weight
        self.label_text_weight = label_text_weight
        self.text_pieces = text_pieces
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.warm_start = warm_start

    vectorizer_ = from_state("transformer", "The fitted vectorizer.")
    classifier_ = from_state("classifier", "The fitted classifier.")
    lexical_ranker_ = from_state(
        "lexical_ranker", "The fitted lexical ranker.", optional=True
    )
    classes_ = from_state("classes", "Classes, names of labels, or column numbers.")
    label_texts_ = from_state("label_texts", "The names of the labels, or None.")

    @property
    def refit_due_(self):
        """Whether the classifier's tree has aged, so that another fit would pay."""
        return self._fitted().classifier.refit_due_

    @property
    def fusion_weights_(self):
        """The weights of the fused score by feature."""
        fusion = self._fitted().fusion
        if fusion is None:
            raise AttributeError("TextRetriever was fitted without fusion_weights.")
        return fusion.score(self.encoder is not None).by_feature

    @classmethod
    def from_fitted(
        cls,
        vectorizer: Any,
        classifier: Any,
        label_texts: Texts | Iterable | Mapping | LabelTexts | None = None,
    ) -> Self:
        """Assemble a retriever of parts that are fitted already.

        Parameters
        ----------
        vectorizer : transformer
            A fitted transformer from texts to features.
        classifier : estimator
            Fitted to such features, with a method ``rank(X, k)``.
        label_texts : iterable of length n_labels of (str or sequence of str), data \
                frame, mapping or LabelTexts, default=None
            As in `fit`. If given, the classifier must be one of skxmr, and labels are
            searched by words too; the weights of the common score are constants.

        Returns
        -------
        TextRetriever
            Fitted. Later fits of the parts do not affect it if they are estimators of
            skxmr. Its own `fit` fits clones of them: pass a ``FrozenEstimator`` of
            scikit-learn as `vectorizer` to keep the features.

        Raises
        ------
        NotFittedError
            If a part is not fitted.
        ValueError
            If the classifier was fitted to other features, or a text is invalid.
        TypeError
            If a part lacks a method, or a text is not a string.

        Examples
        --------
        >>> from skxmr import TextRetriever, WordNgramTfidf, XRLinearClassifier
        >>> texts = ["red apple", "green apple", "smart phone"]
        >>> vectorizer = WordNgramTfidf().fit(texts)
        >>> classifier = XRLinearClassifier()
        >>> classifier = classifier.fit(vectorizer.transform(texts), [0, 0, 1])
        >>> names = ["fruit", "telephones"]
        >>> retriever = TextRetriever.from_fitted(vectorizer, classifier, names)
        >>> [name for _, name, _ in retriever.search("apple", k=1)]
        ['fruit']
        """
        assembled = cls(vectorizer, classifier)
        assembled._validate_params()
        ranker = assembled._make_stages().lexical_ranker
        assembled._state = assemble(vectorizer, classifier, ranker, label_texts)
        return assembled

    # The stages are validated by their own fits.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        texts: Texts,
        y: MatrixLike,
        *,
        label_texts: Texts | Iterable | Mapping | LabelTexts | None = None,
        relevance: MatrixLike | None = None,
        negatives: MatrixLike | Sequence | None = None,
    ) -> Self:
        """Fit to texts and their labels.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The training texts. Those from `skxmr.streaming.load_texts` need not fit in
            memory.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1; or a list, tuple or set of label names for each
            row, such as ``[["web", "api"], ["django"]]``; or class labels of any type.
            The columns of a data frame name the labels.
        label_texts : iterable of length n_labels of (str or sequence of str), data \
                frame, mapping or LabelTexts, default=None
            A text for each label: its name and, if not blank, an additional training
            row, so that labels without other rows can be found too. In the order of the
            columns, or of the sorted classes of a 1-D y; or a mapping from class or
            column index (or name, of a data frame) to text. An index that holds all
            labels is read as a mapping.

            A label may have several texts, its fields: a sequence of `str`, or a row of
            a data frame or of an array of shape (n_labels, n_fields). Each non-blank
            text is an additional training row, and the first of these is the label's
            name. Missing values (None, NaN) in a sequence or row are ignored, but a
            missing text or sequence is an error.

            `LabelTexts` may have more or fewer labels, and is not split in
            cross-validation. A label that it lacks has no text; with a 1-D y, a label
            without rows is trained on its texts alone. If there are no rows, a mapping
            or an index of labels does the same: ``fit([], [], label_texts=texts)``
            makes a search among the texts.
        relevance : sparse matrix of y's shape, or array-like of shape (n_samples,), \
                default=None
            The weight of each label of a text in training: a positive number for each
            entry of y, or one for all labels of each text. None weights all the same.
        negatives : sparse matrix of shape (n_samples, n_labels), or sequence of \
                length n_samples, default=None
            Labels that each text was shown and did not choose, such as products that
            were displayed for a query and not clicked, from which the classifier learns
            (see `XRLinearClassifier.fit`). In the columns of `y`, or of the sorted
            classes of `y` and `label_texts`: any number above 0 for a negative. Or a
            list, tuple or set of labels for each text; those that are not known are
            ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an argument is invalid, or the arguments do not match.
        TypeError
            If a text is not a string.
        """
        documents = check_documents_or_files(texts, "texts")
        y, columns = read_columns(y)
        y = check_structure(exact_target(y), "y")
        relevance = check_structure(relevance, "relevance")
        stages = self._make_stages()
        text_weight = resolve_text_weight(self.label_text_weight, stages.classifier)
        check_field_weights(text_weight)
        kept, text_rows = self._kept(columns), None
        if label_texts is not None:
            check_lengths(documents, y)
            fields, y, classes = read_label_texts(label_texts, y, columns)
            if columns is not None and classes is not None:
                columns, classes = classes, None
            target, Y = read_target(self, y, classes, columns)
            text_rows = TextRows(documents, target, Y, fields)
            if kept is not None:
                fields, text_rows = in_known_columns(kept, text_rows)
            negatives = self._read_negatives(negatives, y, classes, columns)
            if kept is not None and kept.renames:
                fields = text_rows.fields
                kept, *rows = in_known_names(kept, columns, y, relevance, negatives)
                y, relevance, negatives = rows
            own = make_own_rows(fields, text_weight, self.text_pieces, stages.seed)
            documents, y, relevance = with_own_rows(
                documents, y, own, classes, relevance
            )
            negatives = with_empty_rows(negatives, len(documents))
        elif columns is not None:
            # The names of a data frame are not for the classifier.
            y = y if sparse.issparse(y) else np.asarray(y)
            negatives = self._read_negatives(negatives, y, None, columns)
            if kept is not None:
                kept, *rows = in_known_names(kept, columns, y, relevance, negatives)
                y, relevance, negatives = rows
        documents = TrainingTexts(documents, y, relevance, negatives)
        state = self._fit(stages, documents, text_rows, kept)
        is_renamed = columns is None or kept is not None
        self._state = state if is_renamed else state.renamed(columns)
        return self

    def _read_negatives(self, negatives, y, classes, columns):
        """Return the negatives in the columns of y, or of all classes."""
        if negatives is None:
            return None
        target, Y = read_target(self, y, classes, columns)
        return check_negatives(negatives, target, KnownClasses.of(target.classes), Y)

    def _kept(self, columns):
        """Return the state that a fit goes on from, or None."""
        if not self.warm_start:
            return None
        state = self._state if self.__sklearn_is_fitted__() else None
        if state is not None and state.renames != (columns is not None):
            kinds = (
                "without names of columns",
                "with names of columns, or rows of names",
            )
            raise ValueError(
                f"warm_start=True takes a y as before: {kinds[state.renames]}; this "
                f"one is {kinds[not state.renames]}."
            )
        return state

    def _fit(self, stages, documents, text_rows, kept):
        """Fit all stages, and return the state."""
        names = None
        if text_rows is not None:
            names = PackedTexts.of(text_rows.fields.names())
            if self.fusion is None:
                text_rows = None
            elif self.encoder is not None:
                encoders = self.encoder, self.encoder_labels
                exact = self.encoder_search == "exact"
                text_rows = text_rows.encoded(*encoders, exact, self.verbose)
        if kept is not None:
            return refitted(kept, stages, documents, text_rows, names)
        if text_rows is None:
            rows = documents.fit_vectorizer(stages.vectorizer)
            classifier, fusion = rows.fit(stages.classifier), None
        else:
            classifier, fusion = fit_both(stages, documents, text_rows)
        return RetrieverState(
            vectorizing=FittedClone.of(stages.vectorizer),
            lean=LeanTransformer(stages.vectorizer),
            ranking=FittedClone.of(classifier),
            known=KnownClasses(classifier.classes_),
            label_texts=names,
            fusion=fusion,
        )

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if self.__sklearn_is_fitted__():
            self._state.check(type(self).__name__)

    def _make_stages(self):
        """Clone the stages or their defaults, and set parameters that they leave open.

        Returns
        -------
        Stages
        """
        seed = self.random_state
        if seed is not None and not isinstance(seed, Integral):
            seed = int(check_random_state(seed).randint(_MAX_INT32))
        vectorizer, classifier, lexical_ranker = (
            with_settings(
                self._clone_stage(name),
                seed=seed,
                n_jobs=self.n_jobs,
                verbose=self.verbose,
            )
            for name in self._stage_parameters
        )
        if self.warm_start:
            classifier = starting_warm(classifier)
        return Stages(vectorizer, classifier, lexical_ranker, seed)

    @reads
    def subset(
        self,
        allowed: SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        *,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> LabelSubset:
        """Make a set of allowed labels that searches can be restricted to.

        Parameters
        ----------
        allowed : iterable of labels, or of bool of length n_labels, default=None
            Columns of an indicator, or classes, in any container such as a list, a set
            or a column of a data frame; or a boolean mask. None allows all labels.
        excluded : iterable of labels, or of bool of length n_labels, default=None
            Labels to remove from the allowed ones; some may have been removed already.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that the classifier does not know raise an error or are
            ignored, for example if a catalogue has changed since the fit.

        Returns
        -------
        LabelSubset
            To be passed to `search` and `search_batch` as `allowed`, any number of
            times, until the next fit.

        Raises
        ------
        ValueError
            If a label does not exist.
        TypeError
            If the classifier cannot search a subset of the labels.
        """
        return make_subset(self._fitted(), allowed, excluded, unknown)

    def search(
        self,
        text: str,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
        label_weights: ArrayLike | None = None,
        min_score: float = 0.0,
        offset: int = 0,
    ) -> list[SearchResult]:
        """Find the best labels for a text.

        Parameters
        ----------
        text : str
            The input of the search.
        k : int, default=10
            The maximum number of labels.
        allowed : LabelSubset, or iterable of labels, default=None
            The labels to which the search is restricted: the result of `subset`, which
            is fast, or labels or a mask as `subset` takes them. Others are not
            returned, and take no space in the beam.
        excluded : iterable of labels, default=None
            Labels to exclude from the results.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that the classifier does not know raise an error or are
            ignored.
        label_weights : array-like of shape (n_labels,), default=None
            Factors of the scores, such as popularity or margin: numbers from 0 to 1e15.
            A column of a data frame whose index holds the labels is read by that index.
            They weigh the search by words too, and all candidates before the best are
            chosen.
        min_score : float, default=0.0
            Labels with a lower score are left out.
        offset : int, default=0
            How many of the best labels are skipped, such as those of earlier pages.

        Returns
        -------
        list of SearchResult
            Named tuples (label, name, score), best first; empty if no term of the text
            is known. `label` is a column index of an indicator, the name of a column,
            or a class; `name` is its text, if `label_texts` was given to fit, otherwise
            the label if it is a string, or None; `score` is a float between 0 and 1,
            times the label's weight. With `fusion` and label texts, the score is an
            estimate of the probability that the label is relevant, learned from
            held-out texts. Otherwise it orders labels and is no probability: see
            `XRLinearClassifier.predict_proba`.

        Raises
        ------
        TypeError
            If `text` is not a string, or `k` or `offset` not an integer.
        ValueError
            If `k` is less than 1, a label does not exist, or `label_weights`,
            `min_score` or `offset` is out of its range.
        """
        # `reads` and scikit-learn's validation of arguments are skipped: they take as
        # long as the search.
        state = self._ready()
        if type(k) is not int or k < 1:
            k = check_k(k, "TextRetriever.search")
        if not isinstance(text, str):
            raise TypeError(
                f"text must be a string; got {type(text).__name__}. Use "
                f"search_batch for several texts."
            )
        n_labels = len(state.known)
        page = Page.of(k, offset, min_score, label_weights, state.known)
        choice = choose(state, allowed, excluded, unknown)
        found = self._searching(state).rank_one(
            text, page.n_wanted(n_labels), choice.weighed(page.label_weights)
        )
        (columns,), (scores,) = page.of_ranking(*found)
        if -1 in columns.tolist():
            columns = columns[columns >= 0]
        return list(map(SearchResult, *state.describe(columns), scores.tolist()))

    @reads
    def search_batch(
        self,
        texts: Texts,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
        label_weights: ArrayLike | None = None,
        min_score: float = 0.0,
        offset: int = 0,
    ) -> SearchResults:
        """Find the best labels for many texts.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The input of the search.
        k : int, default=10
            The maximum number of labels per text.
        allowed : LabelSubset, iterable of labels, or sparse matrix of shape \
                (n_samples, n_labels), default=None
            The labels to which the search is restricted, as in `search`; or a mask of
            the labels of each text, sparse or an ndarray of bool, which are all scored.
        excluded : iterable of labels, or sparse matrix of shape (n_samples, n_labels),\
                default=None
            Labels to exclude from the results of all texts, or of each.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that the classifier does not know raise an error or are
            ignored.
        label_weights : array-like of shape (n_labels,), default=None
            As in `search`.
        min_score : float, default=0.0
            As in `search`.
        offset : int, default=0
            As in `search`.

        Returns
        -------
        SearchResults
            The tuple (columns, scores), whose method ``by_text()`` returns for each
            text what `search` does, with names.

            columns : ndarray of shape (n_samples, k), int64
                Columns of y, or indices into `classes_`, best first; -1 if fewer are
                found.
            scores : ndarray of shape (n_samples, k), float32
                As in `search`, between 0 and 1; 0 if fewer are found.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `texts` is a single string, `k` is not positive, or another argument is
            out of its range.
        TypeError
            If one of the texts is not a string.
        """
        state = self._ready()
        k = check_k(k, "TextRetriever.search_batch")
        n_labels = len(state.known)
        page = Page.of(k, offset, min_score, label_weights, state.known)
        documents = check_documents(texts, "texts")
        choice = choose(state, allowed, excluded, unknown, len(documents))
        check_size(len(documents), k, n_labels)
        found = self._searching(state).rank(
            documents,
            self._transform(documents),
            page.n_wanted(n_labels),
            choice.weighed(page.label_weights),
        )
        columns, scores = page.of_ranking(*found)
        columns, scores = pad_ranking(columns, scores, k)
        return SearchResults(columns, scores, state.describe)

    rank = search_batch

    @reads
    def score_pairs(
        self,
        texts: Texts,
        rows: ArrayLike,
        labels: ArrayLike,
        *,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> NDArray:
        """Score given pairs of a text and a label.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The input of the search.
        rows : array-like of shape (n_pairs,), int
            The text of each pair, in any order.
        labels : array-like of shape (n_pairs,)
            The label of each pair: columns of an indicator, or classes or names.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that are unknown, or were removed, raise an error or have the
            score 0.

        Returns
        -------
        ndarray of shape (n_pairs,), float32
            With `fusion` and label texts, the score of `explain`: that of `rank` for a
            label that one of the searches finds; another one is scored by its words as
            one more candidate. Otherwise the exact score of the classifier, whether or
            not its beam reaches the label.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `texts` is a single string, a row or a label does not exist, or there are
            not as many rows as labels.
        TypeError
            If one of the texts is not a string, or the classifier cannot score pairs.
        """
        state, documents = self._ready(), check_documents(texts, "texts")
        shape = len(documents), len(state.known)
        pairs = Pairs.of(rows, labels, shape, state.known, unknown)
        X = self._transform(documents)
        return pairs.spread(self._searching(state).score(documents, X, pairs.among))

    @reads
    def explain(
        self, text: str, label: object, *, tree: int = 0
    ) -> Explanation | FusedExplanation:
        """Explain the score of a label by features, words and nodes of the tree.

        Parameters
        ----------
        text : str
            The input of the search.
        label : object
            A column index of an indicator, or a class, whether or not a search finds
            it.
        tree : int, default=0
            The index of the classifier's tree.

        Returns
        -------
        FusedExplanation
            Where labels have texts: the features that sum to the score, and the
            explanations of the classifier and of the lexical ranker. Use ``print`` to
            show it.
        Explanation
            Otherwise, or with ``fusion=None``. For each node: the n-grams and weights
            that sum to its margin, its transformed score, and the product of the scores
            so far. The last product is the score that the classifier gives the label if
            the beam reaches it.

        Raises
        ------
        TypeError
            If `text` is not a string.
        ValueError
            If the label or the tree does not exist, or the classifier has nonlinear
            stages.
        """
        search = self._searching(self._ready())
        explain = explain_text if isinstance(search, ModelSearch) else explain_fused
        return explain(search, text, label, tree)

    @reads
    def did_you_mean(self, text: str) -> str | None:
        """Correct the words of a text that no label has.

        Parameters
        ----------
        text : str
            The input of a search.

        Returns
        -------
        str or None
            The normalised words of the text, with each unknown one replaced by the most
            frequent word of labels and training texts that is one edit away, if there
            is one; None if nothing is replaced.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        TypeError
            If `text` is not a string.
        ValueError
            If there is no lexical ranker, as the retriever was fitted without label
            texts or with ``fusion=None``.
        """
        ranker = self._fitted().lexical_ranker
        if ranker is None:
            raise ValueError(
                "did_you_mean needs a lexical ranker; fit with label_texts and "
                "fusion='learned'."
            )
        return ranker.did_you_mean(text)

    def _searching(self, state):
        """Return the search with current parameters of prediction."""
        model = ModelSearch(state, self._following_classifier(state))
        if state.fusion is None or self.fusion is None:
            return model
        fusion = state.fusion
        ranker = fusion.ranking.following(
            self._stage_or_default("lexical_ranker"), self.n_jobs
        )
        is_as_fitted = ranker is fusion.ranking.estimator
        lexical = fusion.lexical_search if is_as_fitted else ranker._search()
        by_embedding, embeddings = None, fusion.evidence.embeddings
        if self.encoder is not None and embeddings is not None:
            encoder, exact = Encoder(self.encoder, "encoder"), self.encoder_search
            by_embedding = EmbeddingSearch(encoder, embeddings, exact == "exact")
        weight = float(self.propensity_weight)
        return FusedSearch(model, lexical, fusion, self.n_jobs, by_embedding, weight)

    def _apply(self, method, texts):
        state = self._ready()
        search = self._searching(state)
        if isinstance(search, ModelSearch):
            return super()._apply(method, texts)
        shortlists = search.shortlists(texts, self._transform(texts))
        target = state.fusion.target
        if method == "predict":
            threshold = getattr(search.model.classifier, "decision_threshold", 0.5)
            return target.predict(shortlists, threshold)
        return getattr(target, method)(shortlists)
