"""A retriever of parts that are fitted already."""

import numpy as np
from scipy import sparse
from sklearn.frozen import FrozenEstimator

from skxmr._base._fitted_clone import FittedClone, detached
from skxmr._inputs._by_label import Labels, fields_by_label
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._validation import check_is_fitted
from skxmr._targets import ClassTarget, IndicatorTarget
from skxmr._utils._packed_texts import PackedTexts
from skxmr.ranking import final_estimator
from skxmr.retrieval._fused_fitting import TextRows, fuse_fitted
from skxmr.retrieval._state import RetrieverState
from skxmr.text._single import LeanTransformer

__all__ = ["assemble"]


def assemble(vectorizer, classifier, lexical_ranker, label_texts):
    """Make the state of a retriever of fitted parts.

    Parameters
    ----------
    vectorizer : transformer
        Fitted.
    classifier : estimator
        Fitted to features of the vectorizer.
    lexical_ranker : LexicalRanker
        Not fitted; a clone is fitted to the texts of labels.
    label_texts : iterable, data frame, mapping, LabelTexts or None
        As in `TextRetriever.fit`.

    Returns
    -------
    RetrieverState

    Raises
    ------
    NotFittedError, ValueError, TypeError
        If a part is not fitted, the features do not match, or the texts are invalid.
    """
    classifier = detached(_thawed(classifier))
    vectorizer = detached(vectorizer)
    check_is_fitted(vectorizer)
    check_is_fitted(classifier)
    lean = LeanTransformer(vectorizer)
    n_expected = getattr(classifier, "n_features_in_", lean.n_features)
    if lean.n_features != n_expected:
        raise ValueError(
            f"vectorizer has {lean.n_features} features, and classifier was fitted to "
            f"{n_expected}; expected a classifier that was fitted to its features."
        )
    names, fusion = None, None
    if label_texts is not None:
        target = _target_of(classifier)
        of_labels = Labels.of_target(target, None, 0)
        fields = fields_by_label(label_texts, of_labels)
        names = PackedTexts.of(fields.names())
        Y = sparse.csr_array((0, target.n_labels), dtype=np.float32)
        fusion = fuse_fitted(lexical_ranker, TextRows([], target, Y, fields))
    return RetrieverState(
        vectorizing=FittedClone.of(vectorizer),
        lean=lean,
        ranking=FittedClone.of(classifier),
        known=KnownClasses(classifier.classes_),
        label_texts=names,
        fusion=fusion,
    )


def _thawed(classifier):
    """Return the estimator of a `FrozenEstimator`, and any other one itself."""
    while isinstance(classifier, FrozenEstimator):
        classifier = classifier.estimator
    return classifier


def _target_of(classifier):
    """Return the kind of target that a classifier was fitted to."""
    state = getattr(final_estimator(classifier), "_state", None)
    target = getattr(state, "target", None)
    if isinstance(target, (ClassTarget, IndicatorTarget)):
        return target
    raise TypeError(
        f"classifier must be an XRLinearClassifier or another ranker of skxmr, of "
        f"which the kind of its target is known, if there are label_texts; got a "
        f"{type(classifier).__name__}."
    )
