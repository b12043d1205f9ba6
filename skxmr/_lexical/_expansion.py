"""Words of a query that stand for others: misspelt ones, and beginnings of words."""

from typing import Any, NamedTuple

import numpy as np

from skxmr._inputs._columns import InvalidInputError
from skxmr._lexical._added_terms import AddedVocabulary
from skxmr._lexical._analysis import TokenFilter
from skxmr._lexical._spelling import SpellingIndex
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr.text._vocabulary import find_terms
from skxmr.text._word_forms import is_unspaced, written_words

__all__ = ["Expansion", "WordExpansion"]

# A corrected word counts less than one that was typed as it is.
_WEIGHT_OF_CORRECTION = 0.8
_MOST_CORRECTIONS = 10
_MOST_COMPLETIONS = 64
_NOTHING = np.empty(0, dtype=np.int32), np.empty(0)


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

    @classmethod
    def of(cls, corrects, completes, terms):
        """Return which words are expanded; None for none.

        Parameters
        ----------
        corrects, completes : bool
        terms : IndexedTerms

        Raises
        ------
        InvalidInputError
            If words are not among the terms.
        """
        if not (corrects or completes):
            return None
        if terms.word_expansion is None:
            raise InvalidInputError(
                f"correct_spelling and prefix need the analyzer 'word'; the ranker was "
                f"fitted with analyzer={terms.analyzers!r}."
            )
        return cls(corrects, completes)


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
        The number N of the inverse document frequencies.
    first_term : int
        The number of the first word as a term of the index.

    Attributes
    ----------
    added : AddedVocabulary or None
        Words that came later; None for none. Here, their numbers follow those of the
        vocabulary.
    """

    added: Any

    def __init__(self, counter, spelling, counts, n_labels, first_term):
        self.counter = counter
        self.spelling = spelling
        self.counts = counts
        self.n_labels = n_labels
        self.first_term = first_term
        self.added = None

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("WordExpansion"):
            self._check_arrays()

    @classmethod
    def of(cls, counter, counts, n_labels, first_term):
        """Make the expansion of a fitted counter."""
        spelling = SpellingIndex.of(counter._fitted().terms)
        return cls(counter, spelling, counts, n_labels, first_term)

    def with_added(self, added):
        """Return the same with other added words."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, added=added)
        return changed

    @property
    def _has_added(self):
        return self.added is not None and len(self.added) > 0

    def cut(self, text):
        """Return the words of a text."""
        (text,) = self.counter._fitted().cutting.normalise([text])
        return text.split()

    def words(self, text):
        """Return the words of a text, and the number of each; -1 if it is unknown."""
        words = self.cut(text)
        return words, self._find(words).tolist()

    def _find(self, words):
        """Return the number of each word; -1 if it is unknown."""
        numbers = find_terms(words, self.counter._fitted().terms)
        unknown = np.flatnonzero(numbers < 0)
        if self._has_added and len(unknown):
            of_added = find_terms([words[i] for i in unknown], self.added.vocabulary)
            is_found = of_added >= 0
            numbers[unknown[is_found]] = len(self.counts) + of_added[is_found]
        return numbers

    def _terms_of(self, numbers):
        """Return the numbers of words as terms of the index."""
        terms = numbers + np.int32(self.first_term)
        if not self._has_added:
            return terms
        is_added = numbers >= len(self.counts)
        if not is_added.any():
            return terms
        terms[is_added] = self.added.numbers[numbers[is_added] - len(self.counts)]
        return terms

    def _counts_of(self, numbers):
        """Return how many labels have each of some words."""
        if not self._has_added:
            return self.counts[numbers].astype(np.int64)
        counts = np.empty(len(numbers), dtype=np.int64)
        is_added = numbers >= len(self.counts)
        counts[~is_added] = self.counts[numbers[~is_added]]
        counts[is_added] = self.added.counts[numbers[is_added] - len(self.counts)]
        return counts

    def expand(self, text, expansion):
        """Find the words that stand for words of a text.

        Parameters
        ----------
        text : str
        expansion : Expansion

        Returns
        -------
        terms : ndarray of int32
            As those of the index.
        counts : ndarray of float32
            What each counts as, relative to a word of the query.
        """
        words, numbers = self.words(text)
        last = len(words) - 1 if expansion.completes and text[-1:].strip() else -1
        terms: list = []
        counts: list = []
        for position, (word, number) in enumerate(zip(words, numbers, strict=True)):
            found, weights = _NOTHING
            if position == last:
                found, weights = self._completions(word, number)
            if number < 0 and expansion.corrects and not len(found):
                found = self._corrections(word)
                weights = np.full(len(found), _WEIGHT_OF_CORRECTION)
            if len(found):
                terms.append(found)
                counts.append(weights)
        if not terms:
            terms, counts = [_NOTHING[0]], [_NOTHING[1]]
        found = self._terms_of(np.concatenate(terms))
        return found, np.concatenate(counts).astype(np.float32)

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
            word if number >= 0 or is_unspaced(word) else self._correct_one(word)
            for word, number in zip(words, self._find(words).tolist(), strict=True)
        ]
        return None if corrected == words else " ".join(corrected)

    def _correct_one(self, word):
        """Return the most frequent word that is one edit away, or the word itself."""
        numbers = self._corrections(word)
        if not len(numbers):
            return word
        best, n_words = int(numbers[0]), len(self.counts)
        if best < n_words:
            return self.spelling.vocabulary[best]
        return self.added.vocabulary[best - n_words]

    def _corrections(self, word):
        """Find the most frequent of the words that are one edit away."""
        near, _ = self.spelling.near(word, self.counts, _MOST_CORRECTIONS)
        if not self._has_added:
            return near
        added, _ = self.added.spelling.near(word, self.added.counts, _MOST_CORRECTIONS)
        if not len(added):
            return near
        both = np.concatenate([near, added + np.int32(len(self.counts))])
        return both[self._most_frequent(both, _MOST_CORRECTIONS)]

    def _completions(self, prefix, number):
        """Find the most frequent words that begin with a prefix, but not itself.

        They are weighed as if they were one word with the prefix, so that rare ones are
        no better matches: each gets the inverse document frequency of all together.
        """
        words = np.arange(*self.spelling.with_prefix(prefix), dtype=np.int32)
        if self._has_added:
            added = np.arange(*self.added.spelling.with_prefix(prefix), dtype=np.int32)
            words = np.concatenate([words, added + np.int32(len(self.counts))])
        words = words[words != number]
        words = words[self._most_frequent(words, _MOST_COMPLETIONS)]
        counts = self._counts_of(words).astype(np.float64)
        total = counts.sum()
        if number >= 0:
            total += self._counts_of(np.array([number]))[0]
        return words, self._idf(total) / self._idf(counts)

    def _most_frequent(self, words, most):
        """Return the positions of the most frequent words; of equal ones, the older."""
        # Positions in the sorted vocabulary change as words are added to it.
        keys = self._terms_of(words), -self._counts_of(words)
        return np.lexsort(keys)[:most]

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
        if type(self.first_term) is not int or self.first_term < 0:
            refuse(f"{name}.first_term", f"is {self.first_term!r:.40}")
        if not isinstance(self.added, AddedVocabulary | None):
            refuse(f"{name}.added", f"is a {type(self.added).__name__}")
        if to_be_read(self.counts) and (self.counts < 0).any():
            refuse(f"{name}.counts", "has negative numbers")
