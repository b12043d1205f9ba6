"""The fitted state of a lexical ranker."""

import operator
from dataclasses import dataclass

from skxmr._inputs._known_classes import KnownClasses
from skxmr._lexical._index import LexicalIndex
from skxmr._lexical._terms import IndexedTerms
from skxmr._targets import ClassTarget, IndicatorTarget
from skxmr._utils._loaded_state import refuse

__all__ = ["LexicalState"]


@dataclass(frozen=True)
class LexicalState:
    """The fitted state of a `LexicalRanker`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    known : KnownClasses
    terms : IndexedTerms
    index : LexicalIndex
    """

    target: IndicatorTarget | ClassTarget
    known: KnownClasses
    terms: IndexedTerms
    index: LexicalIndex

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_last_search", None)
        return state

    @property
    def classes(self):
        """The labels by column."""
        return self.known.classes

    def last_search(self, settings):
        """Return what `keep_search` kept for the very same settings, or None."""
        kept = self.__dict__.get("_last_search")
        if kept is not None and all(map(operator.is_, kept[0], settings)):
            return kept[1]
        return None

    def keep_search(self, settings, made):
        """Keep what was made of the settings of a search, for the next one."""
        # In one assignment, for threads that search with other settings.
        self.__dict__["_last_search"] = settings, made

    def prepare(self):
        """Prepare for searches what the first one would prepare; return the state."""
        _ = self.index.for_kernels
        self.terms.prepare()
        return self

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        terms, index = self.terms, self.index
        n_labels = index.n_labels
        if not len(self.known) == self.target.n_labels == n_labels:
            refuse(f"{owner}.classes_", f"has other than {n_labels} labels")
        n_fitted, n_terms = index.statistics.n_terms, terms.n_terms
        added = terms.added
        fits = n_fitted == n_terms - (0 if added is None else len(added))
        if not (fits and n_fitted <= index.n_terms <= n_terms):
            refuse(f"{owner}.index", "has the postings of other terms")
        if len(terms.field_names) != index.n_fields:
            refuse(f"{owner}.index", f"has not the fields {terms.field_names!r:.60}")
        shape = len(terms.analyzers), index.n_fields
        if index.statistics.mean_lengths.shape != shape:
            refuse(f"{owner}.index", f"has statistics other than of {shape}")
        if index.delta is not None:
            index.delta.check(n_terms * index.n_fields, n_labels)
        expansion, n_counted = terms.word_expansion, index.statistics.n_labels
        if expansion is not None and expansion.n_labels != n_counted:
            refuse(
                "WordExpansion.n_labels", f"is not the number of labels, {n_counted}"
            )
