"""The stages of a retriever: their defaults, and the fit of its classifier."""

from sklearn.pipeline import make_union
from sklearn.utils.validation import has_fit_parameter

from skxmr.stages._stages import takes_relevance
from skxmr.text._vectorizers import CharNgramTfidf, WordNgramTfidf
from skxmr.text._word_forms import normalize_characters, normalize_words

__all__ = ["default_vectorizer", "fit_classifier", "resolve_text_weight"]

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


def fit_classifier(classifier, X, y, relevance):
    """Fit a classifier, with relevance if there is any.

    Raises
    ------
    ValueError
        If there is relevance, and the classifier does not support it.
    """
    if relevance is None:
        classifier.fit(X, y)
        return
    if not has_fit_parameter(classifier, "relevance"):
        raise ValueError(
            f"relevance, or a label_text_weight other than 1, takes a classifier whose "
            f"fit knows relevance; got {classifier!r:.80}."
        )
    classifier.fit(X, y, relevance=relevance)
