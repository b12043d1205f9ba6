"""The stages of a retriever: their defaults, and the fit of its classifier."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_union
from sklearn.utils.validation import has_fit_parameter

from skxmr._utils._csr_files import take_rows_beside
from skxmr.rankers._lexical import LexicalRanker
from skxmr.stages._stages import takes_relevance
from skxmr.text._single import fit_transform_large
from skxmr.text._vectorizers import CharNgramTfidf, WordNgramTfidf
from skxmr.text._word_forms import normalize_characters, normalize_words

__all__ = [
    "Stages",
    "TrainingRows",
    "TrainingTexts",
    "default_lexical_ranker",
    "default_vectorizer",
    "resolve_text_weight",
]

# What a classifier may take beside rows and labels, for messages.
_FURTHER = {
    "relevance": "relevance, or a label_text_weight other than 1, takes",
    "negatives": "negatives take",
}

# The weight of label texts where "auto" is given.
_TEXT_WEIGHT = 8.0


def default_vectorizer():
    """Make the vectorizer of word 1- and 2-grams and character trigrams."""
    return make_union(
        WordNgramTfidf(
            ngram_range=(1, 2),
            token_pattern=r"\S+",
            preprocessor=normalize_words,
        ),
        CharNgramTfidf(ngram_range=(3, 3), preprocessor=normalize_characters),
    )


def resolve_text_weight(weight, classifier):
    """Replace "auto" by the training weight of label texts for a classifier."""
    if isinstance(weight, str):
        return _TEXT_WEIGHT if takes_relevance(classifier) else 1.0
    return weight


def default_lexical_ranker():
    """Make the ranker of words that corrects unknown ones."""
    return LexicalRanker(correct_spelling=True)


class Stages(NamedTuple):
    """Stages that are not fitted yet.

    Parameters
    ----------
    vectorizer, classifier : estimator
    lexical_ranker : LexicalRanker
    seed : int or None
        The seed that they were given.
    """

    vectorizer: Any
    classifier: Any
    lexical_ranker: LexicalRanker
    seed: int | None


class TrainingTexts(NamedTuple):
    """The texts that the stages are fitted to: those of the user, then of labels.

    Parameters
    ----------
    texts : list of str of length n_rows
    y : sparse matrix or ndarray of n_rows rows
    relevance : csr_array, ndarray or None
    negatives : csr_array of shape (n_rows, n_labels), or None, default=None
    """

    texts: list
    y: Any
    relevance: Any
    negatives: Any = None

    def fit_vectorizer(self, vectorizer):
        """Fit a vectorizer in place, and return the rows for the classifier."""
        X = fit_transform_large(vectorizer, self.texts)
        return TrainingRows(X, self.y, self.relevance, self.negatives)


class TrainingRows(NamedTuple):
    """The rows that a classifier is fitted to: the texts, then those of labels.

    Parameters
    ----------
    X : matrix of shape (n_rows, n_features)
    y : sparse matrix or ndarray of n_rows rows
    relevance : csr_array, ndarray or None
    negatives : csr_array of shape (n_rows, n_labels), or None
    """

    X: Any
    y: Any
    relevance: Any
    negatives: Any

    def take(self, rows):
        """Return some of the rows."""
        return TrainingRows(*(_take(part, rows) for part in self))

    def fit(self, classifier):
        """Fit a clone of a classifier to the rows, and return it.

        Raises
        ------
        ValueError
            If there are relevance or negatives, and the classifier does not support
            them.
        """
        given = {
            name: getattr(self, name)
            for name in _FURTHER
            if getattr(self, name) is not None
        }
        for name, meaning in _FURTHER.items():
            if name in given and not has_fit_parameter(classifier, name):
                raise ValueError(
                    f"{meaning} a classifier whose fit knows {name}; got "
                    f"{classifier!r:.80}."
                )
        return clone(classifier).fit(self.X, self.y, **given)


def _take(part, rows):
    if part is None:
        return None
    if sparse.issparse(part):
        return take_rows_beside(part.tocsr(), rows)
    return np.asarray(part)[rows]
