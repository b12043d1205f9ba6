"""The terms of queries."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.pipeline import FeatureUnion

from skxmr._lexical._added_terms import AddedTerms, AddedVocabulary
from skxmr._lexical._analysis import COUNTERS
from skxmr._utils._loaded_state import as_value_errors, check_list, refuse
from skxmr.text._single import LeanTransformer, transform_texts

__all__ = ["IndexedTerms", "Queries"]


class Queries(NamedTuple):
    """The terms of queries; a task of the search.

    Parameters
    ----------
    offsets : ndarray of shape (n_queries + 1,), int64
        The start of each query in the other two.
    terms : ndarray of int32
    counts : ndarray of float32
        How often the query has the term.
    """

    offsets: np.ndarray
    terms: np.ndarray
    counts: np.ndarray

    @property
    def n_queries(self):
        """Number of queries."""
        return len(self.offsets) - 1

    def part(self, start, stop):
        """Return some consecutive queries."""
        offsets = self.offsets[start : stop + 1]
        entries = slice(offsets[0], offsets[-1])
        return Queries(offsets - offsets[0], self.terms[entries], self.counts[entries])


class IndexedTerms:
    """The terms of an index.

    Parameters
    ----------
    analyzers : list of str
    counter : vectorizer
        The fitted counter of the terms, a `FeatureUnion` for several analyzers.
    field_names : list of str
    word_expansion : WordExpansion or None
        None if words are not among the terms.

    Attributes
    ----------
    added : AddedTerms or None
        Terms that came later; None for none.
    """

    def __init__(self, analyzers, counter, field_names, word_expansion):
        self.analyzers = analyzers
        self.counter = counter
        self.field_names = field_names
        self.word_expansion = word_expansion
        self.added = None
        self.lean = LeanTransformer(counter)

    def __getstate__(self):
        # Its columns are those of the counter, whose state is checked.
        state = self.__dict__.copy()
        del state["lean"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("IndexedTerms"):
            self._check_arrays()
            self.lean = LeanTransformer(self.counter)

    def _check_arrays(self):
        """Raise ValueError if the attributes of a loaded model are not consistent."""
        name, analyzers, expansion = "IndexedTerms", self.analyzers, self.word_expansion
        check_list(self.field_names, str, len(self.field_names), f"{name}.field_names")
        counters = [self.counter]
        if isinstance(self.counter, FeatureUnion):
            counters = [counter for _, counter in self.counter.transformer_list]
        kinds = [COUNTERS[analyzer] for analyzer in analyzers]
        if [type(counter) for counter in counters] != kinds:
            refuse(f"{name}.counter", f"is {self.counter!r:.60}, not of {analyzers!r}")
        words = None
        if "word" in analyzers:
            words = counters[analyzers.index("word")]._fitted().terms
        if (words is None) != (expansion is None):
            refuse(f"{name}.word_expansion", f"is {expansion!r:.60} of {analyzers!r}")
        if words is not None and len(expansion.counts) != len(words):
            refuse(f"{name}.word_expansion", f"has other than {len(words)} words")
        self._check_added(sum(len(counter._fitted().terms) for counter in counters))

    def _check_added(self, n_fitted):
        name, added = "IndexedTerms.added", self.added
        if added is None:
            return
        if not isinstance(added, AddedTerms) or added.n_fitted != n_fitted:
            refuse(name, f"is not what was added to {n_fitted} terms")
        if len(added.vocabularies) != len(self.analyzers):
            refuse(name, f"has not the terms of {self.analyzers!r}")

    def learn(self, texts):
        """Count the terms of texts, and add those that are new.

        Parameters
        ----------
        texts : list of str

        Returns
        -------
        terms : IndexedTerms
        counted : list of TermCounts
            By each analyzer.
        """
        added = self.added
        if added is None:
            vocabularies = [AddedVocabulary.empty() for _ in self.analyzers]
            added = AddedTerms(self.lean.n_features, vocabularies)
        added, counted = added.learn(texts, self._counters)
        expansion = self.word_expansion
        if expansion is not None:
            of_words = added.vocabularies[self.analyzers.index("word")]
            expansion = expansion.with_added(of_words)
        return self._changed(added=added, word_expansion=expansion), counted

    def prepare(self):
        """Prepare the added terms for single texts."""
        if self.added is not None:
            self.added.prepare(self._counters)

    def with_field(self, name):
        """Return the same with another field, the last one."""
        return self._changed(field_names=[*self.field_names, name])

    def _changed(self, **attributes):
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **attributes)
        return changed

    def analyzers_of(self, terms):
        """Return the index of the analyzer of each term.

        Parameters
        ----------
        terms : ndarray of shape (n,), int

        Returns
        -------
        ndarray of shape (n,), int64
        """
        found = np.searchsorted(self._starts, terms, side="right") - 1
        if self.added is not None and len(self.analyzers) > 1:
            for analyzer, added in enumerate(self.added.vocabularies):
                found[np.isin(terms, added.numbers)] = analyzer
        return found

    @property
    def n_terms(self):
        """Number of terms of all analyzers."""
        return self.lean.n_features + (0 if self.added is None else len(self.added))

    def of_texts(self, texts, expansion=None):
        """Count the terms of several texts.

        Parameters
        ----------
        texts : list of str
        expansion : Expansion, default=None
            Which words are expanded; None for none.

        Returns
        -------
        Queries
        """
        if expansion is not None and texts:
            queries = [self.of_text(text, expansion) for text in texts]
            sizes = [len(query.terms) for query in queries]
            return Queries(
                np.concatenate([[0], np.cumsum(sizes)]),
                np.concatenate([query.terms for query in queries]),
                np.concatenate([query.counts for query in queries]),
            )
        counts = sparse.csr_array(transform_texts(self.counter, texts))
        if self.added is not None and texts:
            added = self.added.matrix(texts, self._counters)
            counts = sparse.hstack([counts, added], format="csr")
        return Queries(
            counts.indptr.astype(np.int64, copy=False),
            counts.indices.astype(np.int32, copy=False),
            counts.data.astype(np.float32, copy=False),
        )

    def of_text(self, text, expansion=None):
        """Count the terms of one text, without the overhead of `of_texts`.

        Parameters
        ----------
        text : str
        expansion : Expansion, default=None
            Which words are expanded; None for none.

        Returns
        -------
        Queries
        """
        terms, counts, n_unknown = self.lean.count_one(text)
        if self.added is not None and len(self.added) and n_unknown != 0:
            added = self.added.of_text(text, self._counters)
            terms = np.concatenate([terms, added[0]])
            counts = np.concatenate([counts, added[1]])
        if expansion is not None and (expansion.completes or n_unknown != 0):
            more = self.word_expansion.expand(text, expansion)
            if len(more[0]):
                terms = np.concatenate([terms, more[0]])
                counts = np.concatenate([counts, more[1]])
        return Queries(np.array([0, len(terms)], dtype=np.int64), terms, counts)

    @property
    def _starts(self):
        return self.lean.starts or [0]

    @property
    def _counters(self):
        return self.lean.parts or [self.counter]

    def describe(self, term):
        """Return the analyzer and the text of a term."""
        if self.added is not None and term >= self.added.n_fitted:
            analyzer, word = self.added.describe(term)
            return self.analyzers[analyzer], word
        starts = self._starts
        part = int(np.searchsorted(starts, term, side="right")) - 1
        terms = self._counters[part]._fitted().terms
        return self.analyzers[part], terms[term - starts[part]]
