"""Retrieval of named labels for texts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_union
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from skxmr._base._default_stages import DefaultStages
from skxmr._base._documentation import Documented
from skxmr._base._fitted_clone import FittedClone
from skxmr._base._ranking_classifier import Classifier
from skxmr._base._stage_settings import with_settings
from skxmr._base._state import Stateful, from_state, reads, writes
from skxmr._inputs._by_label import LabelTexts
from skxmr._inputs._class_labels import exact_target, list_labels
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_documents,
    check_k,
    check_labels,
    check_lengths,
    check_structure,
    fit_context,
    public_csr,
)
from skxmr._search._explanation import Explanation, explain_label
from skxmr._utils._loaded_state import CheckedWhenLoaded, check_list, refuse
from skxmr._utils._typing import Matrix, MatrixLike, Ranking, SomeLabels, Texts
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.ranking import LabelSubset, resolve_subset
from skxmr.retrieval._label_texts import (
    check_field_weights,
    make_own_rows,
    read_label_texts,
    with_own_rows,
)
from skxmr.stages._stages import refuse_custom_stages, takes_relevance
from skxmr.text._normalization import normalize_text
from skxmr.text._single import LeanTransformer, fit_transform_texts, transform_texts
from skxmr.text._vectorizers import CharNgramTfidf, WordNgramTfidf

__all__ = ["TextRetriever"]

_MAX_INT32 = np.iinfo(np.int32).max


@dataclass(frozen=True)
class RetrieverState:
    """The fitted state of a `TextRetriever`.

    Parameters
    ----------
    vectorizing : FittedClone
        The fitted vectorizer.
    lean : LeanTransformer
        The same, for single texts.
    ranking : FittedClone
        The fitted classifier.
    classes : ndarray of shape (n_labels,)
    label_texts : list of str or None
    """

    vectorizing: FittedClone
    lean: LeanTransformer
    ranking: FittedClone
    classes: NDArray
    label_texts: list | None

    @property
    def vectorizer(self):
        """The fitted vectorizer."""
        return self.vectorizing.estimator

    @property
    def classifier(self):
        """The fitted classifier."""
        return self.ranking.estimator

    def names(self, columns, labels):
        """Return the names of the labels of some columns; None if they have none."""
        if self.label_texts is not None:
            return [self.label_texts[column] for column in columns.tolist()]
        return [label if isinstance(label, str) else None for label in labels]


def _default_vectorizer():
    return make_union(
        WordNgramTfidf(
            ngram_range=(1, 2),
            token_pattern=r"(?u)\b\w+\b",
            preprocessor=normalize_text,
        ),
        CharNgramTfidf(ngram_range=(3, 3), preprocessor=normalize_text),
    )


class TextRetriever(
    Documented, Stateful, CheckedWhenLoaded, Classifier, DefaultStages, BaseEstimator
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
        dashes make no difference; accents do. A custom vectorizer gets the texts
        unchanged.
    classifier : estimator, default=None
        Ranks labels: an `XRLinearClassifier`, or any estimator with a method
        ``rank(X, k)``, such as `RankFusion` or `Reranker`. None stands for
        ``XRLinearClassifier()``. Restricted searches and explanations need a classifier
        that supports them.
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
        Seeds the drawing of pseudo-queries, and all nested stages whose `random_state`
        is None. An integer is passed on unchanged to the classifier. None leaves the
        stages unchanged.
    n_jobs : int, default=None
        Number of parallel jobs of fit and prediction, for stages whose own is None.
        Neither models nor predictions depend on it.
    verbose : int, default=0
        Passed on to stages whose `verbose` is 0.

    Attributes
    ----------
    vectorizer_ : transformer
        The fitted vectorizer.
    classifier_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target, or the column indices of an indicator.
    label_texts_ : list of str or None
        The names of the labels: the first non-blank text of each.

    See Also
    --------
    XRLinearClassifier : The classifier, for any features.

    References
    ----------
    .. [1] W.-C. Chang et al., "Extreme Multi-label Learning for Semantic Matching in
       Product Search", KDD 2021, arXiv 2106.12657.

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
        "vectorizer": [HasMethods(["fit_transform", "transform"]), None],
        "classifier": [HasMethods(["fit", "rank"]), None],
        "label_text_weight": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
            "array-like",
        ],
        "text_pieces": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    _search_parameters = ("n_jobs",)
    _stage_parameters = ("vectorizer", "classifier")
    _default_stages: ClassVar[dict] = {
        "vectorizer": _default_vectorizer,
        "classifier": XRLinearClassifier,
    }
    _hands_on = ("random_state", "n_jobs", "verbose")

    def __init__(
        self,
        vectorizer=None,
        classifier=None,
        *,
        label_text_weight="auto",
        text_pieces=0,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.vectorizer = vectorizer
        self.classifier = classifier
        self.label_text_weight = label_text_weight
        self.text_pieces = text_pieces
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    vectorizer_ = from_state("vectorizer", "The fitted vectorizer.")
    classifier_ = from_state("classifier", "The fitted classifier.")
    classes_ = from_state("classes", "Class labels, or column numbers of an indicator.")
    label_texts_ = from_state("label_texts", "The names of the labels, or None.")

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
    ) -> Self:
        """Fit to texts and their labels.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The training texts.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1, or class labels of any type.
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
            without rows is trained on its texts alone.
        relevance : sparse matrix of y's shape, or array-like of shape (n_samples,), \
                default=None
            The weight of each label of a text in training: a positive number for each
            entry of y, or one for all labels of each text. None weights all the same.

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
        texts = check_documents(texts, "texts")
        y = check_structure(exact_target(y), "y")
        relevance = check_structure(relevance, "relevance")
        vectorizer, classifier, seed = self._make_stages()
        text_weight, names = self._text_weight(classifier), None
        check_field_weights(text_weight)
        if label_texts is not None:
            check_lengths(texts, y)
            fields, y, classes = read_label_texts(label_texts, y)
            names = fields.names()
            own = make_own_rows(fields, text_weight, self.text_pieces, seed)
            texts, y, relevance = with_own_rows(texts, y, own, classes, relevance)
        X = fit_transform_texts(vectorizer, texts)
        if relevance is None:
            classifier.fit(X, y)
        else:
            _check_weighs(classifier)
            classifier.fit(X, y, relevance=relevance)
        self._state = RetrieverState(
            vectorizing=FittedClone.of(vectorizer),
            lean=LeanTransformer(vectorizer),
            ranking=FittedClone.of(classifier),
            classes=classifier.classes_,
            label_texts=names,
        )
        return self

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if not self.__sklearn_is_fitted__():
            return
        state = self._state
        n_labels = len(state.classifier.classes_)
        if len(state.classes) != n_labels:
            refuse("TextRetriever.classes_", f"has other than {n_labels} labels")
        if state.label_texts is not None:
            check_list(state.label_texts, str, n_labels, "TextRetriever.label_texts_")

    def _make_stages(self):
        """Clone the stages or their defaults, and set parameters that they leave open.

        Returns
        -------
        vectorizer, classifier : estimator
        seed : int or None
            The seed that they were given.
        """
        seed = self.random_state
        if seed is not None and not isinstance(seed, Integral):
            seed = int(check_random_state(seed).randint(_MAX_INT32))
        vectorizer, classifier = (
            with_settings(
                self._clone_stage(name),
                seed=seed,
                n_jobs=self.n_jobs,
                verbose=self.verbose,
            )
            for name in self._stage_parameters
        )
        return vectorizer, classifier, seed

    def _text_weight(self, classifier):
        """Return the training weight of label texts for a classifier."""
        if isinstance(self.label_text_weight, str):
            return 8.0 if takes_relevance(classifier) else 1.0
        return self.label_text_weight

    def _following_classifier(self, state):
        """Return the classifier with parameters that were set since fit."""
        return state.ranking.following(
            self._stage_or_default("classifier"), self.n_jobs
        )

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
            Labels to remove from the allowed ones.
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
        return _make_subset(self._fitted().classifier)(
            allowed, excluded, unknown=unknown
        )

    def search(
        self,
        text: str,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> list[tuple]:
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

        Returns
        -------
        list of (label, name, score)
            Best first. `label` is a column index of an indicator, or a class; `name` is
            its text, if `label_texts` was given to fit, otherwise the class, or None;
            `score` is a float between 0 and 1.

        Raises
        ------
        TypeError
            If `text` is not a string, or `k` not an integer.
        ValueError
            If `k` is less than 1, or a label does not exist.
        """
        # `reads` and scikit-learn's validation are skipped: they take as long as the
        # search.
        state = self._fitted()
        if type(k) is not int or k < 1:
            k = check_k(k, "TextRetriever.search")
        if not isinstance(text, str):
            raise TypeError(
                f"text must be a string; got {type(text).__name__}. Use "
                f"search_batch for several texts."
            )
        features = state.lean.transform_one(text)
        classifier = self._following_classifier(state)
        subset = _find_subset(classifier, allowed, excluded, unknown)
        k = min(k, len(state.classes))
        columns, scores = _rank_one(state, classifier, features, k, subset)
        columns = columns[columns >= 0]
        labels = list_labels(state.classes[columns])
        return list(
            zip(labels, state.names(columns, labels), scores.tolist(), strict=False)
        )

    @reads
    def search_batch(
        self,
        texts: Texts,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> Ranking:
        """Find the best labels for many texts.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The input of the search.
        k : int, default=10
            The maximum number of labels per text.
        allowed : LabelSubset, or iterable of labels, default=None
            The labels to which the search is restricted, as in `search`.
        excluded : iterable of labels, default=None
            Labels to exclude from the results.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that the classifier does not know raise an error or are
            ignored.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
            Columns of y, or indices into `classes_`, best first; -1 if fewer are found.
        scores : ndarray of shape (n_samples, k), float32
            Between 0 and 1; 0 if fewer are found.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `texts` is a single string, or `k` is not positive.
        TypeError
            If one of the texts is not a string.
        """
        k = check_k(k, "TextRetriever.search_batch")
        X, classifier = self._transform(texts)
        subset = _find_subset(classifier, allowed, excluded, unknown)
        if subset is None:
            return classifier.rank(X, k)
        return classifier.rank(X, k, allowed=subset)

    rank = search_batch

    @reads
    def explain(self, text: str, label: object, *, tree: int = 0) -> Explanation:
        """Explain the score of a label by the nodes on the path to it.

        Parameters
        ----------
        text : str
            The input of the search.
        label : object
            A column index of an indicator, or a class, whether or not a search finds
            it.
        tree : int, default=0
            The index of the tree.

        Returns
        -------
        Explanation
            For each node: the n-grams and weights that sum to its margin, its
            transformed score, and the product of the scores so far. The last product is
            the score that `search` gives the label if the beam reaches it. Use
            ``print`` to show it.

        Raises
        ------
        TypeError
            If `text` is not a string.
        ValueError
            If the label or the tree does not exist, or the classifier has nonlinear
            stages.
        """
        state = self._fitted()
        (text,) = check_documents([text], "text")
        columns = check_labels([label], state.classes, "label")
        classifier = self._following_classifier(state)
        refuse_custom_stages(classifier, "explain")
        _, _, score_transform = classifier._searching()
        is_number = isinstance(tree, Integral) and not isinstance(tree, bool)
        if not (is_number and 0 <= tree < len(classifier.layouts_)):
            raise ValueError(
                f"tree={tree!r}; expected a number from 0 to "
                f"{len(classifier.layouts_) - 1}."
            )
        (name,) = state.names(columns, [label])
        return explain_label(
            classifier.layouts_[tree],
            state.lean.transform_one(text),
            int(columns[0]),
            score_transform=score_transform,
            label=label,
            name=name,
            feature_names=_feature_names(state.vectorizer),
        )

    @reads
    def predict(self, texts: Texts) -> Matrix:
        """Predict labels.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The input of the search.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.predict` returns them.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `texts` is a single string.
        TypeError
            If one of the texts is not a string.
        """
        X, classifier = self._transform(texts)
        return classifier.predict(X)

    @reads
    def predict_proba(self, texts: Texts) -> Matrix:
        """Return the scores of the labels that the search reaches.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The input of the search.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.predict_proba` returns them.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `texts` is a single string.
        TypeError
            If one of the texts is not a string.
        """
        X, classifier = self._transform(texts)
        return classifier.predict_proba(X)

    @reads
    def decision_function(self, texts: Texts) -> Matrix:
        """Return the scores of the labels that the search reaches.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            The input of the search.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.decision_function` returns them.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `texts` is a single string.
        TypeError
            If one of the texts is not a string.
        """
        X, classifier = self._transform(texts)
        return classifier.decision_function(X)

    def _transform(self, texts):
        """Return the features of texts, and the classifier to use."""
        state = self._ready()
        vectorizer = state.vectorizing.following(
            self._stage_or_default("vectorizer"), self.n_jobs
        )
        X = transform_texts(vectorizer, check_documents(texts, "texts"))
        return X, self._following_classifier(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags


def _check_weighs(classifier):
    """Raise a clear error for weights that the classifier does not support."""
    if not has_fit_parameter(classifier, "relevance"):
        raise ValueError(
            f"relevance, or a label_text_weight other than 1, takes a classifier whose "
            f"fit knows relevance; got {classifier!r:.80}."
        )


def _make_subset(classifier):
    """Return the method of a classifier that makes subsets."""
    if not hasattr(classifier, "subset"):
        raise TypeError(
            f"classifier must have a method subset to restrict a search; "
            f"got a {type(classifier).__name__}."
        )
    return classifier.subset


def _find_subset(classifier, allowed, excluded, unknown):
    """Return the subset of a search; None for all labels."""
    if allowed is None and excluded is None:
        return None
    return resolve_subset(_make_subset(classifier), allowed, excluded, unknown)


def _rank_one(state, classifier, features, k, subset):
    """Rank the labels for the features of one text."""
    restricted = {} if subset is None else {"allowed": subset}
    if hasattr(classifier, "rank_one"):
        return classifier.rank_one(*features, k, **restricted)
    indices, values = features
    ends, shape = [0, len(indices)], (1, state.lean.n_features)
    row = public_csr(sparse.csr_array((values, indices, ends), shape=shape))
    columns, scores = classifier.rank(row, k, **restricted)
    return columns[0], scores[0]


def _feature_names(vectorizer):
    """Return names of features; None if the vectorizer has none."""
    try:
        return vectorizer.get_feature_names_out()
    except AttributeError:  # also of a pipeline's step
        return None
