"""Terms that came after those of the fitted counters, with added texts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skxmr._lexical._spelling import SpellingIndex
from skxmr._utils._insertion import Insertion
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_list,
    check_permutation,
    check_vector,
    refuse,
)
from skxmr.text._counting import count_all
from skxmr.text._row_counting import count_row, row_counter_of
from skxmr.text._vocabulary import LaterVocabulary, find_terms

__all__ = ["AddedTerms", "AddedVocabulary", "TermCounts"]


class TermCounts(NamedTuple):
    """The terms of texts, by one analyzer.

    Parameters
    ----------
    ends : ndarray of shape (n_texts,), int64
        The end of the entries of each text in the other two arrays.
    terms : ndarray of shape (n_entries,), int32
        Each once per text.
    counts : ndarray of shape (n_entries,), int32
    """

    ends: NDArray
    terms: NDArray
    counts: NDArray


class AddedVocabulary:
    """The added terms of one analyzer.

    Parameters
    ----------
    spelling : SpellingIndex
        Of the terms, sorted by their characters.
    numbers : ndarray of shape (n_terms,), int32
        The number of each as a term of the index.
    counts : ndarray of shape (n_terms,), int32
        How many added labels have each, added over fields.
    """

    def __init__(self, spelling, numbers, counts):
        self.spelling = spelling
        self.numbers = numbers
        self.counts = counts

    @classmethod
    def empty(cls):
        """Make one without terms."""
        return cls(
            SpellingIndex.of(LaterVocabulary.of([])),
            np.empty(0, dtype=np.int32),
            np.empty(0, dtype=np.int32),
        )

    def __len__(self):
        return len(self.numbers)

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("AddedVocabulary"):
            self._check_arrays()

    @property
    def vocabulary(self):
        """The terms, sorted."""
        return self.spelling.vocabulary

    def count(self, texts, cutting):
        """Count the added terms of texts.

        Parameters
        ----------
        texts : list of str
        cutting : Cutting or Tokenising

        Returns
        -------
        TermCounts
        """
        rows = cutting.count(texts, self.vocabulary)
        return TermCounts(rows.ends, self.numbers[rows.indices], rows.counts)

    def with_terms(self, terms, n_labels, first):
        """Add terms.

        Parameters
        ----------
        terms : list of str
            Distinct and sorted; none of a fitted counter.
        n_labels : ndarray of shape (n_terms,), int64
            How many added labels have each.
        first : int
            The number of the first term that is new.

        Returns
        -------
        added : AddedVocabulary
        numbers : ndarray of shape (n_terms,), int32
            The number of each of the terms.
        """
        positions = find_terms(terms, self.vocabulary)
        is_new = positions < 0
        known = positions[~is_new]
        numbers = np.empty(len(terms), dtype=np.int32)
        numbers[~is_new] = self.numbers[known]
        numbers[is_new] = first + np.arange(is_new.sum())
        counts = self.counts.copy()
        counts[known] += n_labels[~is_new].astype(np.int32)
        if not is_new.any():
            return AddedVocabulary(self.spelling, self.numbers, counts), numbers
        new = [terms[i] for i in np.flatnonzero(is_new)]
        spelling, at = self.spelling.with_terms(new)
        insert = Insertion(len(self), at)
        added = AddedVocabulary(
            spelling,
            insert(self.numbers, numbers[is_new]),
            insert(counts, n_labels[is_new]),
        )
        return added, numbers

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name = "AddedVocabulary"
        if not isinstance(self.spelling, SpellingIndex):
            refuse(f"{name}.spelling", f"is a {type(self.spelling).__name__}")
        n_terms = len(self.spelling.vocabulary)
        check_vector(self.numbers, (np.int32,), n_terms, f"{name}.numbers")
        check_vector(self.counts, (np.int32,), n_terms, f"{name}.counts")
        if (self.counts < 0).any():
            refuse(f"{name}.counts", "has negative numbers")


class AddedTerms:
    """The terms that came after those of the fitted counters.

    Parameters
    ----------
    n_fitted : int
        The number of terms of the counters; the numbers of added ones follow.
    vocabularies : list of AddedVocabulary
        Of each analyzer.
    """

    def __init__(self, n_fitted, vocabularies):
        self.n_fitted = n_fitted
        self.vocabularies = vocabularies
        self._for_single = None

    def __getstate__(self):
        return {"n_fitted": self.n_fitted, "vocabularies": self.vocabularies}

    def __setstate__(self, state):
        self.__dict__.update(state, _for_single=None)
        with as_value_errors("AddedTerms"):
            self._check_arrays()

    def __len__(self):
        return sum(map(len, self.vocabularies))

    def learn(self, texts, counters):
        """Count the terms of texts, and add those that are new.

        Parameters
        ----------
        texts : list of str
        counters : list of vectorizer
            The fitted counter of each analyzer.

        Returns
        -------
        added : AddedTerms
        counted : list of TermCounts
            By each analyzer.
        """
        starts = np.cumsum([0, *(len(one._fitted().terms) for one in counters)])
        n_terms, vocabularies, counted = self.n_fitted + len(self), [], []
        for counter, start, before in zip(
            counters, starts[:-1].tolist(), self.vocabularies, strict=True
        ):
            state = counter._fitted()
            terms, rows = count_all(texts, state.cutting)
            numbers = find_terms(terms, state.terms)
            is_unknown = numbers < 0
            numbers += np.int32(start)
            n_labels = np.bincount(rows.indices, minlength=len(terms))[is_unknown]
            unknown = [terms[i] for i in np.flatnonzero(is_unknown)]
            added, numbers[is_unknown] = before.with_terms(unknown, n_labels, n_terms)
            n_terms = max(n_terms, int(numbers.max(initial=-1)) + 1)
            vocabularies.append(added)
            counted.append(TermCounts(rows.ends, numbers[rows.indices], rows.counts))
        return AddedTerms(self.n_fitted, vocabularies), counted

    def matrix(self, texts, counters):
        """Count the added terms of texts.

        Parameters
        ----------
        texts : list of str
        counters : list of vectorizer

        Returns
        -------
        csr_array of shape (n_texts, n_added), float32
            With sorted indices.
        """
        shape = len(texts), len(self)
        total = sparse.csr_array(shape, dtype=np.float32)
        for counter, added in zip(counters, self.vocabularies, strict=True):
            if len(added):
                rows = added.count(texts, counter._fitted().cutting)
                offsets = np.concatenate([[0], rows.ends])
                columns = rows.terms - np.int32(self.n_fitted)
                counts = rows.counts.astype(np.float32)
                total += sparse.csr_array((counts, columns, offsets), shape=shape)
        total.sort_indices()
        return total

    def of_text(self, text, counters):
        """Count the added terms of one text, without the overhead of `matrix`.

        Returns
        -------
        terms : ndarray of int32
            Ascending.
        counts : ndarray of float32
        """
        prepared, starts, numbers = self._for_single or self.prepare(counters)
        if None in prepared:  # cut in Python
            row = self.matrix([text], counters)
            return row.indices.astype(np.int32) + np.int32(self.n_fitted), row.data
        indices, counts, _ = count_row(text, prepared, starts)
        if not len(indices):
            return indices, counts
        terms = numbers[indices]
        order = np.argsort(terms)
        return terms[order], counts[order]

    def prepare(self, counters):
        """Prepare the terms for `of_text`."""
        states = [counter._fitted() for counter in counters]
        prepared = [
            row_counter_of(state.cutting, added.vocabulary, state.weighting)
            for state, added in zip(states, self.vocabularies, strict=True)
        ]
        sizes = list(map(len, self.vocabularies))
        starts = np.cumsum([0, *sizes[:-1]]).tolist()
        numbers = np.concatenate([one.numbers for one in self.vocabularies])
        self._for_single = prepared, starts, numbers
        return self._for_single

    def describe(self, number):
        """Return the index of the analyzer and the text of a term."""
        for analyzer, added in enumerate(self.vocabularies):
            position = np.flatnonzero(added.numbers == number)
            if len(position):
                return analyzer, added.vocabulary[position[0]]
        raise IndexError(f"there is no term {number}")

    def _check_arrays(self):
        """Raise ValueError if the attributes of a loaded model are not consistent."""
        n_analyzers = len(self.vocabularies)
        name = "AddedTerms.vocabularies"
        check_list(self.vocabularies, AddedVocabulary, n_analyzers, name)
        numbers = np.concatenate([one.numbers for one in self.vocabularies])
        check_permutation(numbers - self.n_fitted, f"{name} numbers")
