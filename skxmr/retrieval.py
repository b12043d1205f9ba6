"""From text to labels with names: the first application."""

from numbers import Real
from typing import Self

from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import make_union
from sklearn.utils.validation import has_fit_parameter

from skxmr._class_labels import exact_target, list_labels
from skxmr._documentation import Documented
from skxmr._integrity import CheckedWhenLoaded, check_list, refuse
from skxmr._typing import ArrayLike, Matrix, MatrixLike, Ranking, Texts
from skxmr._validation import (
    HasMethods,
    Interval,
    check_documents,
    check_is_fitted,
    check_k,
    check_labels,
    fit_context,
    public_csr,
)
from skxmr.classifier import XRLinearClassifier
from skxmr.explanation import Explanation, explain_label
from skxmr.label_texts import with_label_texts
from skxmr.lean import LeanTransformer
from skxmr.restriction import LabelSubset
from skxmr.stages import refuse_own_stages
from skxmr.text import CharNgramTfidf, WordNgramTfidf

__all__ = ["TextRetriever"]


class TextRetriever(Documented, CheckedWhenLoaded, ClassifierMixin, BaseEstimator):
    """Find labels for texts: products for queries, subjects for titles.

    Texts become word and character n-grams with TF-IDF weights, labels are ranked by
    an `XRLinearClassifier`; after Chang et al. [1]_. A label's own text, where there
    is one, is one more training row for it, which often is worth more than anything
    else.

    Parameters
    ----------
    vectorizer : transformer, default=None
        Turns texts into sparse features. None stands for word 1- and 2-grams beside
        character trigrams.
    classifier : estimator, default=None
        Ranks labels: an `XRLinearClassifier`, or anything else with a method
        ``rank(X, k)``, such as `RankFusion` or `Reranker`. None stands for
        ``XRLinearClassifier()``. Searches among some labels, and explanations, take
        one that can do that.
    label_text_weight : float, default=1.0
        How much a label's own text weighs in training, beside a text that has it.
        More, 4 to 16 say, can be better by far where labels have few texts. Other
        weights than 1 take a classifier that knows ``relevance``.

    Attributes
    ----------
    vectorizer_ : transformer
        The fitted vectorizer.
    classifier_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the column numbers of an indicator.
    label_texts_ : list of str or None
        The texts of the labels, as given to fit.

    See Also
    --------
    XRLinearClassifier : The classifier, for features of any kind.

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

    _parameter_constraints: dict = {  # noqa: RUF012 - scikit-learn's way
        "vectorizer": [HasMethods(["fit_transform", "transform"]), None],
        "classifier": [HasMethods(["fit", "rank"]), None],
        "label_text_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, vectorizer=None, classifier=None, *, label_text_weight=1.0):
        self.vectorizer = vectorizer
        self.classifier = classifier
        self.label_text_weight = label_text_weight

    # The stages are validated by their own fits.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        texts: Texts,
        y: MatrixLike,
        *,
        label_texts: Texts | None = None,
        relevance: MatrixLike | None = None,
    ) -> Self:
        """Learn from texts and their labels.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            Texts with known labels.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1, or class labels of any type.
        label_texts : sequence of str of shape (n_labels,), default=None
            A text for each label: its name, and (unless empty) one more training row
            for it: so that a label without any other can be found too. For 1-D y, in
            the order of the sorted classes.
        relevance : sparse matrix of y's shape, or array-like of shape (n_samples,), \
                default=None
            How much each label of a text weighs in training: a positive number
            wherever y has a label (for 1-D y, of each text). None weighs all alike.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If arguments are malformed or do not fit together.
        TypeError
            If a text is no string.
        """
        texts, y = check_documents(texts, "texts"), exact_target(y)
        names = None
        if label_texts is not None:
            names = check_documents(label_texts, "label_texts")
            texts, y, relevance = with_label_texts(
                texts, y, names, relevance, self.label_text_weight
            )
        vectorizer = self._make_vectorizer()
        classifier = self._make_classifier()
        X = vectorizer.fit_transform(texts)
        if relevance is None:
            classifier.fit(X, y)
        else:
            _check_weighs(classifier)
            classifier.fit(X, y, relevance=relevance)
        learned = {
            "vectorizer_": vectorizer,
            "classifier_": classifier,
            "classes_": classifier.classes_,
            "label_texts_": names,
            "_lean": LeanTransformer(vectorizer),
        }
        # In one step, so that a fit that is interrupted leaves all as it was.
        self.__dict__ = vars(self) | learned
        return self

    def _check_arrays(self):
        """Refuse what a damaged file may have brought."""
        if not hasattr(self, "label_texts_"):
            return
        n_labels = len(self.classifier_.classes_)
        if len(self.classes_) != n_labels:
            refuse("TextRetriever.classes_", f"has other than {n_labels} labels")
        if self.label_texts_ is not None:
            check_list(self.label_texts_, str, n_labels, "TextRetriever.label_texts_")

    def _make_vectorizer(self):
        if self.vectorizer is not None:
            return clone(self.vectorizer)
        return make_union(
            WordNgramTfidf(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"),
            CharNgramTfidf(ngram_range=(3, 3)),
        )

    def _make_classifier(self):
        if self.classifier is not None:
            return clone(self.classifier)
        return XRLinearClassifier()

    def subset(
        self, allowed: ArrayLike | None = None, excluded: ArrayLike | None = None
    ) -> LabelSubset:
        """Choose labels to search among: those in stock, say, or those not blocked.

        Parameters
        ----------
        allowed : array-like of labels, or of bool of shape (n_labels,), default=None
            Columns of an indicator, or classes; or a mask of them. None allows all.
        excluded : array-like of labels, or of bool of shape (n_labels,), default=None
            Labels that are left out of those allowed.

        Returns
        -------
        LabelSubset
            To be passed to `search` and `search_batch` as `allowed`, as often as one
            likes, until the next fit.

        Raises
        ------
        ValueError
            If there is no such label.
        TypeError
            If `classifier` cannot search among some labels.
        """
        check_is_fitted(self)
        if not hasattr(self.classifier_, "subset"):
            raise TypeError(
                f"classifier must have a method subset for searches among some labels; "
                f"got a {type(self.classifier_).__name__}."
            )
        return self.classifier_.subset(allowed, excluded)

    def _subset(self, allowed, excluded):
        """Make a subset of what a search was given; None for all labels."""
        if allowed is None and excluded is None:
            return None
        if isinstance(allowed, LabelSubset):
            if excluded is not None:
                raise ValueError(
                    "excluded is given beside a subset that is made already; give both "
                    "to the method subset."
                )
            return allowed
        return self.subset(allowed, excluded)

    def search(
        self,
        text: str,
        k: int = 10,
        *,
        allowed: LabelSubset | ArrayLike | None = None,
        excluded: ArrayLike | None = None,
    ) -> list[tuple]:
        """Find the best labels for one text.

        Parameters
        ----------
        text : str
            What to find labels for.
        k : int, default=10
            The most labels to find.
        allowed : LabelSubset, or array-like of labels, default=None
            The labels to search among: what `subset` makes, which is fast, or labels
            or a mask as it takes them. No other is returned, nor takes a place in the
            beam.
        excluded : array-like of labels, default=None
            Labels that are not to be found.

        Returns
        -------
        list of (label, name, score)
            Best first. `label` is a column number of an indicator, or a class; `name`
            its text, where `label_texts` was given to fit, or else the class, or
            None; `score` a float between 0 and 1.

        Raises
        ------
        TypeError
            If `text` is no string, or `k` no integer.
        ValueError
            If `k` is less than 1, or there is no such label.
        """
        # The checks of scikit-learn cost as much as the search.
        if not hasattr(self, "classifier_"):
            check_is_fitted(self)
        if type(k) is not int or k < 1:
            check_k(k, "TextRetriever.search")
        if not isinstance(text, str):
            raise TypeError(
                f"text must be a string; got a {type(text).__name__}. Many texts go "
                f"to search_batch."
            )
        features = self._lean.transform_one(text)
        subset = self._subset(allowed, excluded)
        columns, scores = self._rank_one(features, k, subset)
        columns = columns[columns >= 0]
        labels = list_labels(self.classes_[columns])
        return list(
            zip(labels, self._names(columns, labels), scores.tolist(), strict=False)
        )

    def _rank_one(self, features, k, subset):
        restricted = {} if subset is None else {"subset": subset}
        if hasattr(self.classifier_, "rank_one"):
            return self.classifier_.rank_one(*features, k, **restricted)
        indices, values = features
        ends, shape = [0, len(indices)], (1, self._lean.n_features)
        row = public_csr(sparse.csr_array((values, indices, ends), shape=shape))
        columns, scores = self.classifier_.rank(row, k, **restricted)
        return columns[0], scores[0]

    def _names(self, columns, labels):
        if self.label_texts_ is not None:
            return [self.label_texts_[column] for column in columns.tolist()]
        return [label if isinstance(label, str) else None for label in labels]

    def search_batch(
        self,
        texts: Texts,
        k: int = 10,
        *,
        allowed: LabelSubset | ArrayLike | None = None,
        excluded: ArrayLike | None = None,
    ) -> Ranking:
        """Find the best labels for many texts.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            What to find labels for.
        k : int, default=10
            The most labels to find for each.
        allowed : LabelSubset, or array-like of labels, default=None
            The labels to search among, as in `search`.
        excluded : array-like of labels, default=None
            Labels that are not to be found.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
            Columns of y, or indices into `classes_`, best first; -1 where fewer are
            found.
        scores : ndarray of shape (n_samples, k), float32
            Between 0 and 1; 0 where fewer are found.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `texts` is a single string, or `k` is not positive.
        TypeError
            If one of the texts is no string.
        """
        check_k(k, "TextRetriever.search_batch")
        X = self._transform(texts)
        subset = self._subset(allowed, excluded)
        if subset is None:
            return self.classifier_.rank(X, k)
        return self.classifier_.rank(X, k, subset=subset)

    rank = search_batch

    def explain(self, text: str, label: object, *, tree: int = 0) -> Explanation:
        """Explain the score of a label: node by node along the path to it.

        Parameters
        ----------
        text : str
            What the label is found for, or is not.
        label : object
            A column of an indicator, or a class.
        tree : int, default=0
            Which of several trees.

        Returns
        -------
        Explanation
            For each node: the n-grams and weights that sum to its margin, its
            transformed score, and the product of scores so far; the last is what
            `search` gives the label, if its beam reaches it. ``print`` shows it.

        Raises
        ------
        TypeError
            If `text` is no string.
        ValueError
            If there is no such label or tree, or the classifier is not linear
            throughout.
        """
        check_is_fitted(self)
        (text,) = check_documents([text], "text")
        columns = check_labels([label], self.classes_, "label")
        classifier = self.classifier_
        refuse_own_stages(classifier, "explain")
        if not 0 <= tree < len(classifier.layouts_):
            raise ValueError(
                f"tree={tree!r}; expected a number from 0 to "
                f"{len(classifier.layouts_) - 1}."
            )
        (name,) = self._names(columns, [label])
        return explain_label(
            classifier.layouts_[tree],
            self._lean.transform_one(text),
            int(columns[0]),
            score_transform=classifier.score_transform,
            label=label,
            name=name,
            feature_names=_feature_names(self.vectorizer_),
        )

    def predict(self, texts: Texts) -> Matrix:
        """Predict labels.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            What to find labels for.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.predict` returns them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `texts` is a single string.
        TypeError
            If one of the texts is no string.
        """
        X = self._transform(texts)
        return self.classifier_.predict(X)

    def predict_proba(self, texts: Texts) -> Matrix:
        """Return the scores of the labels that the search reaches.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            What to find labels for.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.predict_proba` returns them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `texts` is a single string.
        TypeError
            If one of the texts is no string.
        """
        X = self._transform(texts)
        return self.classifier_.predict_proba(X)

    def decision_function(self, texts: Texts) -> Matrix:
        """Return the scores of the labels that the search reaches.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            What to find labels for.

        Returns
        -------
        csr_matrix, csr_array or ndarray
            As `XRLinearClassifier.decision_function` returns them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `texts` is a single string.
        TypeError
            If one of the texts is no string.
        """
        X = self._transform(texts)
        return self.classifier_.decision_function(X)

    def _transform(self, texts):
        check_is_fitted(self)
        return self.vectorizer_.transform(check_documents(texts, "texts"))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags


def _check_weighs(classifier):
    """Refuse weights of labels where they would end in a message about arguments."""
    if not has_fit_parameter(classifier, "relevance"):
        raise ValueError(
            f"relevance, or a label_text_weight other than 1, takes a classifier whose "
            f"fit knows relevance; got {classifier!r:.80}."
        )


def _feature_names(vectorizer):
    """Names of features; None for a vectorizer that has none."""
    try:
        return vectorizer.get_feature_names_out()
    except AttributeError:  # of a pipeline's step, too
        return None
