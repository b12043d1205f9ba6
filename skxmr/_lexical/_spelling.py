"""Search of the terms of a vocabulary by edit distance, and by prefix."""

from functools import cached_property

import numpy as np

from skxmr._cython._spelling import MOST_ADDED, TermSearcher
from skxmr._cython._vocabulary import sort_terms
from skxmr._utils._insertion import Insertion
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_range,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._utils._packed_texts import PackedTexts
from skxmr._version import refuse_newer
from skxmr.text._vocabulary import Vocabulary

__all__ = ["SPELLING_VERSION", "SpellingIndex"]

# Increase this when the meaning of an attribute of SpellingIndex changes.
SPELLING_VERSION = 1


def _encode(text):
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)


def _reversed_order(vocabulary):
    """Sort the terms of a vocabulary by their reversed bytes.

    Returns
    -------
    ndarray of shape (n_terms,), int32
    """
    # In the reversed text, the reversed terms follow each other, the last one first.
    n_terms = len(vocabulary)
    text = vocabulary.text[::-1].copy()
    offsets = len(text) - vocabulary.offsets[::-1]
    order = np.arange(n_terms)
    sort_terms(text, offsets, order, np.empty((n_terms, 4), dtype=np.uint64))
    return (n_terms - 1 - order).astype(np.int32)


class SpellingIndex:
    """The terms of a vocabulary by their first and by their last characters.

    Parameters
    ----------
    vocabulary : Vocabulary
        Its terms are sorted by their characters.
    reversed_order : ndarray of shape (n_terms,), int32
        The numbers of the terms, sorted by the reversed bytes of their UTF-8: all terms
        with the same end are next to each other.

    Attributes
    ----------
    min_length : int
        The number of characters of the shortest word that has near terms. With fewer,
        most words are an edit apart.
    """

    min_length = 4

    def __init__(self, vocabulary, reversed_order):
        self.version = SPELLING_VERSION
        self.vocabulary = vocabulary
        self.reversed_order = reversed_order

    @classmethod
    def of(cls, vocabulary):
        """Index the terms of a vocabulary.

        Parameters
        ----------
        vocabulary : Vocabulary

        Returns
        -------
        SpellingIndex

        Raises
        ------
        ValueError
            If the terms are not sorted.
        """
        index = cls(vocabulary, _reversed_order(vocabulary))
        if not index._searcher.are_sorted():
            raise ValueError("The terms of the vocabulary must be sorted.")
        return index

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_searcher", None)
        return state

    def with_terms(self, terms):
        """Add terms.

        Parameters
        ----------
        terms : list of str
            Distinct and sorted; none is in the vocabulary.

        Returns
        -------
        SpellingIndex
        at : ndarray of shape (n_new,), int64
            The rank of the term before which each is inserted.
        """
        new, old = PackedTexts.of(terms), self.vocabulary
        at, at_end = np.empty((2, len(terms)), dtype=np.int64)
        searcher = self._searcher
        searcher.find_ranks(new.text, new.offsets, False, at)
        searcher.find_ranks(new.text, new.offsets, True, at_end)
        sizes = np.diff(new.offsets)
        insert = Insertion(len(old.text), np.repeat(old.offsets[at], sizes))
        text = insert(old.text, new.text)
        sizes = Insertion(len(old), at)(np.diff(old.offsets), sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        ends = _reversed_order(new)
        # Old ranks grow by the number of terms inserted before them.
        shifted = self.reversed_order + np.searchsorted(
            at, self.reversed_order, side="right"
        )
        insert = Insertion(len(old), at_end[ends])
        order = insert(shifted.astype(np.int32), (at + np.arange(len(at)))[ends])
        return type(self)(type(old).from_arrays(text, offsets), order), at

    def __setstate__(self, state):
        refuse_newer(state, SPELLING_VERSION, "This spelling index")
        self.__dict__.update(state)
        with as_value_errors("SpellingIndex"):
            self._check_arrays()

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        terms, order = self.vocabulary, self.reversed_order
        if not isinstance(terms, Vocabulary):
            refuse("SpellingIndex.vocabulary", f"is a {type(terms).__name__}")
        check_vector(order, (np.int32,), len(terms), "SpellingIndex.reversed_order")
        if to_be_read(order, *terms.arrays()):
            check_range(order, 0, len(terms), "SpellingIndex.reversed_order")
            if not self._searcher.are_sorted():
                refuse("SpellingIndex", "does not hold its terms in order")

    @cached_property
    def _searcher(self):
        terms = self.vocabulary
        return TermSearcher(terms.text, terms.offsets, self.reversed_order)

    def with_prefix(self, prefix):
        """Find the terms that begin with a prefix.

        Parameters
        ----------
        prefix : str

        Returns
        -------
        first, last : int
            They are the terms from `first` up to, but not including, `last`.
        """
        return self._searcher.with_prefix(_encode(prefix))

    def near(self, word, counts, most=10):
        """Find the most frequent of the terms that are nearest to a word, but not it.

        The distance is the number of edits in the optimal string alignment: an edit
        inserts, deletes or replaces a character, or swaps two adjacent ones. Only terms
        at a distance of 1 are found.

        Parameters
        ----------
        word : str
            One of fewer than `min_length` characters has no near terms.
        counts : ndarray of shape (n_terms,), int32 or int64
            How frequent each term is.
        most : int
            Number of terms at most.

        Returns
        -------
        terms : ndarray of shape (n_found,), int32
            By descending count; of equal counts, the smaller number first.
        distances : ndarray of shape (n_found,), int32
        """
        n_found, best = 0, np.empty(most, dtype=np.int64)
        if len(word) >= self.min_length:
            data = _encode(word)
            n_found = self._searcher.near(
                data,
                len(_encode(word[: len(word) // 2])),
                counts,
                np.empty(len(data) + MOST_ADDED, dtype=np.uint8),
                np.empty(most),
                best,
            )
        return best[:n_found].astype(np.int32), np.ones(n_found, dtype=np.int32)

    def correct(self, words, counts):
        """Replace each unknown word by the most frequent of the terms nearest to it.

        Parameters
        ----------
        words : iterable of str
        counts : ndarray of shape (n_terms,), int32 or int64
            How frequent each term is.

        Returns
        -------
        list of str
            Terms of the vocabulary, and the words that have no near terms.
        """
        return [self._correct_one(word, counts) for word in words]

    def _correct_one(self, word, counts):
        first, last = self.with_prefix(word)
        # A known word precedes all others that begin with it.
        if first < last and self.vocabulary[first] == word:
            return word
        terms, _ = self.near(word, counts, most=1)
        return self.vocabulary[terms[0]] if len(terms) else word
