"""The fitted state of a lexical ranker."""

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

    @property
    def classes(self):
        """The labels by column."""
        return self.known.classes

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        terms, n_labels = self.terms, self.index.n_labels
        if not len(self.known) == self.target.n_labels == n_labels:
            refuse(f"{owner}.classes_", f"has other than {n_labels} labels")
        if terms.n_terms != self.index.n_terms:
            refuse(f"{owner}.index", "has the postings of other terms")
        if len(terms.field_names) != self.index.n_fields:
            refuse(f"{owner}.index", f"has not the fields {terms.field_names!r:.60}")
        expansion = terms.word_expansion
        if expansion is not None and expansion.n_labels != n_labels:
            refuse("WordExpansion.n_labels", f"is not the number of labels, {n_labels}")
