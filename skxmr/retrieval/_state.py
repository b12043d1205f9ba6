"""The fitted state of a retriever."""

from dataclasses import dataclass

from numpy.typing import NDArray

from skxmr._base._fitted_clone import FittedClone
from skxmr._utils._loaded_state import refuse
from skxmr._utils._packed_texts import PackedTexts
from skxmr.text._single import LeanTransformer

__all__ = ["RetrieverState"]


@dataclass(frozen=True)
class RetrieverState:
    """The fitted state of a `TextRetriever`.

    Parameters
    ----------
    vectorizing : FittedClone
        The fitted vectorizer.
    lean : LeanTransformer
        The same, for single texts.
    ranking : FittedClone
        The fitted classifier.
    classes : ndarray of shape (n_labels,)
    label_texts : PackedTexts of length n_labels, or None
    """

    vectorizing: FittedClone
    lean: LeanTransformer
    ranking: FittedClone
    classes: NDArray
    label_texts: PackedTexts | None

    @property
    def vectorizer(self):
        """The fitted vectorizer."""
        return self.vectorizing.estimator

    @property
    def classifier(self):
        """The fitted classifier."""
        return self.ranking.estimator

    def names(self, columns, labels):
        """Return the names of the labels of some columns; None if they have none."""
        if self.label_texts is not None:
            return self.label_texts.take(columns)
        return [label if isinstance(label, str) else None for label in labels]

    def check(self, owner):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        n_labels = len(self.classifier.classes_)
        if len(self.classes) != n_labels:
            refuse(f"{owner}.classes_", f"has other than {n_labels} labels")
        texts = self.label_texts
        if texts is None:
            return
        if not isinstance(texts, PackedTexts):
            refuse(f"{owner}.label_texts_", f"is a {type(texts).__name__}")
        if len(texts) != n_labels:
            refuse(f"{owner}.label_texts_", f"has other than {n_labels} texts")
