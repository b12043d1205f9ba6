"""Words of a query that stand for others: misspelt ones, and beginnings of words."""

from typing import NamedTuple

import numpy as np

from skxmr._lexical._analysis import TokenFilter
from skxmr._lexical._spelling import SpellingIndex
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr.text._counting import Cutting
from skxmr.text._word_forms import is_unspaced, written_words

__all__ = ["Expansion", "WordExpansion"]

# A corrected word counts less than one that was typed as it is.
_WEIGHT_OF_CORRECTION = 0.8
_MOST_CORRECTIONS = 10
_MOST_COMPLETIONS = 64
# Words are not normalised twice.
_AS_THEY_ARE = Cutting(
    units="tokens", ngram_range=(1, 1), lowercase=False, normaliser=None
)


class Expansion(NamedTuple):
    """Which words of a query are expanded.

    Parameters
    ----------
    corrects : bool
        Unknown words stand for the words that are one edit away.
    completes : bool
        The last word, unless a space follows it, stands for the words that begin so.
    """

    corrects: bool
    completes: bool


class WordExpansion:
    """Finds words of a vocabulary for words that are misspelt or not complete.

    Parameters
    ----------
    counter : WordNgramTfidf
        The fitted counter of words.
    spelling : SpellingIndex
        Of its vocabulary.
    counts : ndarray of shape (n_words,), int32
        How many labels have each word.
    n_labels : int
    """

    def __init__(self, counter, spelling, counts, n_labels):
        self.counter = counter
        self.spelling = spelling
        self.counts = counts
        self.n_labels = n_labels

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("WordExpansion"):
            self._check_arrays()

    @classmethod
    def of(cls, counter, counts, n_labels):
        """Make the expansion of a fitted counter."""
        spelling = SpellingIndex.of(counter._fitted().terms)
        return cls(counter, spelling, counts, n_labels)

    def cut(self, text):
        """Return the words of a text."""
        (text,) = self.counter._fitted().cutting.normalise([text])
        return text.split()

    def words(self, text):
        """Return the words of a text, and the number of each; -1 if it is unknown."""
        state = self.counter._fitted()
        words = self.cut(text)
        if not words:
            return words, []
        numbers = np.full(len(words), -1)
        rows = _AS_THEY_ARE.count(words, state.terms)
        sizes = np.diff(rows.ends, prepend=0)
        numbers[sizes == 1] = rows.indices
        return words, numbers.tolist()

    def expand(self, text, expansion):
        """Find the words that stand for words of a text.

        Parameters
        ----------
        text : str
        expansion : Expansion

        Returns
        -------
        terms : ndarray of int32
        counts : ndarray of float32
            What each counts as, relative to a word of the query.
        """
        words, numbers = self.words(text)
        last = len(words) - 1 if expansion.completes and text[-1:].strip() else -1
        terms = [np.empty(0, dtype=np.int32)]
        counts = [np.empty(0)]
        for position, (word, number) in enumerate(zip(words, numbers, strict=True)):
            found, weights = np.empty(0, dtype=np.int32), np.empty(0)
            if position == last:
                found, weights = self._completions(word, number)
            if number < 0 and expansion.corrects and not len(found):
                found = self._corrections(word)
                weights = np.full(len(found), _WEIGHT_OF_CORRECTION)
            if len(found):
                terms.append(found)
                counts.append(weights)
        return np.concatenate(terms), np.concatenate(counts).astype(np.float32)

    def correct(self, text):
        """Replace each unknown word by the most frequent word one edit away.

        Returns
        -------
        str or None
            None if there is nothing to replace.
        """
        if isinstance(self.counter.preprocessor, TokenFilter):
            words, _ = self.words(text)
        else:
            words = written_words(text)
        # A run of a script without spaces is several terms, and not one misspelt word.
        corrected = [
            word if is_unspaced(word) else other
            for word, other in zip(
                words, self.spelling.correct(words, self.counts), strict=True
            )
        ]
        return None if corrected == words else " ".join(corrected)

    def _corrections(self, word):
        terms, _ = self.spelling.near(word, self.counts, _MOST_CORRECTIONS)
        return terms

    def _completions(self, prefix, number):
        """Find the most frequent words that begin with a prefix, but not itself.

        They are weighed as if they were one word with the prefix, so that rare ones are
        no better matches: each gets the inverse document frequency of all together.
        """
        terms = np.arange(*self.spelling.with_prefix(prefix), dtype=np.int32)
        terms = terms[terms != number]
        counts = self.counts[terms].astype(np.float64)
        best = np.argsort(-counts, kind="stable")[:_MOST_COMPLETIONS]
        terms, counts = terms[best], counts[best]
        total = counts.sum() + (self.counts[number] if number >= 0 else 0)
        return terms, self._idf(total) / self._idf(counts)

    def _idf(self, counts):
        # Counts are added over fields, and may exceed the number of labels.
        counts = np.minimum(counts, self.n_labels)
        return np.log1p((self.n_labels - counts + 0.5) / (counts + 0.5))

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        n_words, name = len(self.counter._fitted().terms), "WordExpansion"
        if not isinstance(self.spelling, SpellingIndex):
            refuse(f"{name}.spelling", f"is a {type(self.spelling).__name__}")
        if len(self.spelling.vocabulary) != n_words:
            refuse(f"{name}.spelling", f"has other than {n_words} words")
        check_vector(self.counts, (np.int32,), n_words, f"{name}.counts")
        if to_be_read(self.counts) and (self.counts < 0).any():
            refuse(f"{name}.counts", "has negative numbers")
