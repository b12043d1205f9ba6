"""From text to labels with names: the first application."""

from typing import Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import make_union

from skxmr._typing import Matrix, MatrixLike, Ranking, Texts
from skxmr._validation import (
    HasMethods,
    check_documents,
    check_is_fitted,
    check_k,
    fit_context,
)
from skxmr.classifier import XRLinearClassifier
from skxmr.lean import LeanTransformer
from skxmr.text import CharNgramTfidf, WordNgramTfidf

__all__ = ["TextRetriever"]


class TextRetriever(ClassifierMixin, BaseEstimator):
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
        Ranks labels. None stands for ``XRLinearClassifier()``.

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
        "classifier": [HasMethods(["fit", "rank", "rank_one"]), None],
    }

    def __init__(self, vectorizer=None, classifier=None):
        self.vectorizer = vectorizer
        self.classifier = classifier

    # The stages are validated by their own fits.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, texts: Texts, y: MatrixLike, *, label_texts: Texts | None = None
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
            for it. For 1-D y, in the order of the sorted classes.

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
        texts = check_documents(texts, "texts")
        names = None
        if label_texts is not None:
            names = check_documents(label_texts, "label_texts")
            texts, y = _with_label_rows(texts, y, names)
        vectorizer = self._make_vectorizer()
        classifier = self._make_classifier()
        classifier.fit(vectorizer.fit_transform(texts), y)
        self.vectorizer_ = vectorizer
        self.classifier_ = classifier
        self.classes_ = classifier.classes_
        self.label_texts_ = names
        self._lean = LeanTransformer(vectorizer)
        return self

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

    def search(self, text: str, k: int = 10) -> list[tuple]:
        """Find the best labels for one text.

        Parameters
        ----------
        text : str
            What to find labels for.
        k : int, default=10
            The most labels to find.

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
            If `k` is less than 1.
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
        columns, scores = self.classifier_.rank_one(*self._lean.transform_one(text), k)
        columns = columns[columns >= 0]
        labels = self.classes_[columns].tolist()
        return list(
            zip(labels, self._names(columns, labels), scores.tolist(), strict=False)
        )

    def _names(self, columns, labels):
        if self.label_texts_ is not None:
            return [self.label_texts_[column] for column in columns.tolist()]
        return [label if isinstance(label, str) else None for label in labels]

    def search_batch(self, texts: Texts, k: int = 10) -> Ranking:
        """Find the best labels for many texts.

        Parameters
        ----------
        texts : iterable of str of length n_samples
            What to find labels for.
        k : int, default=10
            The most labels to find for each.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
            Columns of y, or indices into `classes_`, best first; -1 where fewer are
            found.
        scores : ndarray of shape (n_samples, k), float32
            Between 0 and 1; 0 where fewer are found.
        """
        check_k(k, "TextRetriever.search_batch")
        X = self._transform(texts)
        return self.classifier_.rank(X, k)

    rank = search_batch

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


def _with_label_rows(texts, y, label_texts):
    """Add each label's text that is not empty as one more row for that label."""
    shape = np.shape(y)
    labels = np.arange(shape[1]) if len(shape) == 2 else np.unique(y)
    if len(label_texts) != len(labels):
        raise ValueError(
            f"label_texts has {len(label_texts)} texts; expected {len(labels)}, one "
            f"for each label of y."
        )
    named = np.array([bool(text.strip()) for text in label_texts])
    texts = [*texts, *(text for text in label_texts if text.strip())]
    if len(shape) == 1:
        return texts, np.concatenate([y, labels[named]])
    own = sparse.eye_array(len(labels), dtype=np.int8, format="csr")[named]
    if sparse.issparse(y):
        return texts, sparse.vstack([y, own.astype(y.dtype)], format="csr")
    return texts, np.vstack([y, own.toarray()])
