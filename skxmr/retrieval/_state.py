"""The fitted state of a retriever."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from skxmr._base._fitted_clone import FittedClone
from skxmr._fusion._evidence import ALL_FEATURES, LabelEvidence
from skxmr._fusion._log_linear import LogLinear
from skxmr._inputs._class_labels import list_labels
from skxmr._inputs._known_classes import KnownClasses
from skxmr._targets import NamedTarget
from skxmr._utils._loaded_state import refuse
from skxmr._utils._packed_texts import PackedTexts
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.text._later_terms import GrownTransformer
from skxmr.text._single import LeanTransformer

__all__ = ["Fusion", "RetrieverState"]

_NO_FEATURES = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)


@dataclass(frozen=True)
class Fusion:
    """What a `TextRetriever` has learned about lexical search.

    Parameters
    ----------
    ranking : FittedClone
        The fitted `LexicalRanker`.
    evidence : LabelEvidence
    log_linear : LogLinear
        The score of candidates by model and words.
    with_embeddings : LogLinear or None
        The score by model, words and embeddings; None if labels have no embeddings.
    """

    ranking: FittedClone
    evidence: LabelEvidence
    log_linear: LogLinear
    with_embeddings: LogLinear | None = None

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("lexical_search", None)
        return state

    @cached_property
    def lexical_search(self):
        """The search of the lexical ranker, with parameters as in fit."""
        return self.ranking.estimator._search()

    @property
    def target(self):
        """The form of predictions."""
        return self.evidence.lexical.target

    def score(self, has_encoder):
        """Return the score of candidates, by embeddings too if there are any."""
        if has_encoder and self.with_embeddings is not None:
            return self.with_embeddings
        return self.log_linear

    def prepare(self):
        """Make what the first search would make."""
        with self.lexical_search.state.index.searchers.lend():
            pass
        with self.evidence.scorers.lend():
            pass

    def check(self, n_labels, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if len(self.evidence.names) != n_labels:
            refuse(f"{owner}.lexical_ranker_", f"has other than {n_labels} labels")
        if self.ranking.estimator._state is not self.evidence.lexical:
            refuse(f"{owner}.lexical_ranker_", "is not what was fused")
        self.log_linear.check(f"{owner}.fusion")
        if (self.with_embeddings is None) != (self.evidence.embeddings is None):
            refuse(f"{owner}.fusion", "has embeddings without weights, or weights only")
        if self.with_embeddings is not None:
            self.with_embeddings.check(f"{owner}.fusion", ALL_FEATURES)


@dataclass(frozen=True)
class RetrieverState:
    """The fitted state of a `TextRetriever`.

    Parameters
    ----------
    vectorizing : FittedClone
        The fitted vectorizer.
    lean : LeanTransformer or GrownTransformer
        The same with the terms that came later, for single texts too.
    ranking : FittedClone
        The fitted classifier.
    known : KnownClasses
    label_texts : PackedTexts of length n_labels, or None
    fusion : Fusion or None
    renames : bool, default=False
        Whether labels are names of the columns of an indicator, which the classifier
        calls by their indices.
    """

    vectorizing: FittedClone
    lean: LeanTransformer | GrownTransformer
    ranking: FittedClone
    known: KnownClasses
    label_texts: PackedTexts | None
    fusion: Fusion | None
    renames: bool = False

    @property
    def classes(self):
        """The labels by column."""
        return self.known.classes

    @property
    def target(self):
        """The form of further labels; the classifier is one of skxmr."""
        if self.renames:
            return NamedTarget(self.known, is_sparse=True, dtype=np.dtype(np.int64))
        return self.classifier._state.target

    @property
    def vectorizer(self):
        """The fitted vectorizer."""
        return self.vectorizing.estimator

    @property
    def transformer(self):
        """The vectorizer with the terms that came later."""
        return self.vectorizer if isinstance(self.lean, LeanTransformer) else self.lean

    @property
    def classifier(self):
        """The fitted classifier."""
        return self.ranking.estimator

    @property
    def lexical_ranker(self):
        """The fitted lexical ranker, or None."""
        return None if self.fusion is None else self.fusion.ranking.estimator

    def renamed(self, names):
        """Return the same with names of the columns of an indicator.

        Parameters
        ----------
        names : ndarray of shape (n_labels,)
        """
        return replace(self, known=KnownClasses.of(names), renames=True)

    def describe(self, columns):
        """Return the labels of some columns and their names, as lists."""
        labels = list_labels(self.classes[columns])
        return labels, self.names(columns, labels)

    def names(self, columns, labels):
        """Return the names of the labels of some columns; None if they have none."""
        if self.label_texts is None:
            return [label if isinstance(label, str) else None for label in labels]
        names = self.label_texts.take(columns)
        if all(names):
            return names
        return [
            label if not name and isinstance(label, str) else name
            for name, label in zip(names, labels, strict=True)
        ]

    def prepare(self):
        """Make what the first search would make, so that it is as fast as the others.

        Returns
        -------
        RetrieverState
            The same.
        """
        _ = self.classes
        if isinstance(self.classifier, XRLinearClassifier):
            self.classifier.rank_one(*_NO_FEATURES, 1)
        if self.fusion is not None:
            self.fusion.prepare()
        return self

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        n_labels = len(self.classifier.classes_)
        if len(self.known) != n_labels:
            refuse(f"{owner}.classes_", f"has other than {n_labels} labels")
        n_features = getattr(self.classifier, "n_features_in_", self.lean.n_features)
        if n_features != self.lean.n_features:
            refuse(f"{owner}.classifier_", f"has {n_features} features")
        if self.fusion is not None:
            self.fusion.check(n_labels, owner)
        texts = self.label_texts
        if texts is None:
            return
        if not isinstance(texts, PackedTexts):
            refuse(f"{owner}.label_texts_", f"is a {type(texts).__name__}")
        if len(texts) != n_labels:
            refuse(f"{owner}.label_texts_", f"has other than {n_labels} texts")
