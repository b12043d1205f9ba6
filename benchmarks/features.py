"""Features of texts, by scikit-learn only, so as to favour no system."""

import re

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

WORDS = r"\b\w+\b"
WORD = re.compile(WORDS)


def word_trigrams(text):
    """Trigrams inside each white-space word, whose end is marked with ``#``.

    A word of one character gives one n-gram: the word with its mark.

    >>> word_trigrams("Echo a")
    ['ech', 'cho', 'ho#', 'a#']
    """
    grams = []
    for word in text.lower().split():
        marked = word + "#"
        grams.extend(marked[i : i + 3] for i in range(max(1, len(marked) - 2)))
    return grams


def words(train, test, **options):
    """TF-IDF of words and pairs of words."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), dtype=np.float32, **options)
    return vectorizer.fit_transform(train), vectorizer.transform(test)


def words_and_trigrams(train, test):
    """Words, pairs and character trigrams side by side; rows have unit length.

    Some systems normalise rows themselves, and would solve a different problem if the
    rows did not have unit length.
    """
    parts = [
        TfidfVectorizer(ngram_range=(1, 2), token_pattern=WORDS, dtype=np.float32),
        TfidfVectorizer(analyzer=word_trigrams, dtype=np.float32),
    ]
    X_train = sp.hstack([part.fit_transform(train) for part in parts], format="csr")
    X_test = sp.hstack([part.transform(test) for part in parts], format="csr")
    return normalize(X_train), normalize(X_test)


def embedded(X_train, X_test, n_features=384):
    """Dense rows of unit length, in place of sentence embeddings."""
    svd = TruncatedSVD(n_features, n_iter=2, random_state=0)
    return normalize(svd.fit_transform(X_train)), normalize(svd.transform(X_test))
