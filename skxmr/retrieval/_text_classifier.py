"""Classifiers of texts: a fitted vectorizer, then a fitted classifier."""

from __future__ import annotations

from skxmr._base._default_stages import DefaultStages
from skxmr._base._ranking_classifier import Classifier
from skxmr._base._state import Stateful, reads
from skxmr._inputs._validation import check_documents
from skxmr._utils._typing import Matrix, Texts

__all__ = ["TextClassifier"]


class TextClassifier(Stateful, Classifier, DefaultStages):
    """A classifier whose predictions are those of its classifier of features.

    Its stages are `vectorizer` and `classifier`, its state has the fitted clones
    `vectorizing` and `ranking` and the transformer `lean`, and it has a parameter
    `n_jobs`.
    """

    n_jobs: int | None

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
        return self._apply("predict", check_documents(texts, "texts"))

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
            As `XRLinearClassifier.predict_proba` returns them. With label texts and
            ``fusion="learned"``, scores estimate the probability that a label is
            relevant; otherwise they order labels and are no probabilities.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If `texts` is a single string.
        TypeError
            If one of the texts is not a string.
        """
        return self._apply("predict_proba", check_documents(texts, "texts"))

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
        return self._apply("decision_function", check_documents(texts, "texts"))

    def _apply(self, method, texts):
        """Call a method of the classifier with the features of texts."""
        classifier = self._following_classifier(self._ready())
        return getattr(classifier, method)(self._transform(texts))

    def _transform(self, texts):
        """Return the features of texts."""
        state = self._fitted()
        vectorizer = state.vectorizing.following(
            self._stage_or_default("vectorizer"), self.n_jobs
        )
        return state.lean.transform(texts, vectorizer)

    def _following_classifier(self, state):
        """Return the classifier with parameters that were set since fit."""
        return state.ranking.following(
            self._stage_or_default("classifier"), self.n_jobs
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags
