"""The problem that a fit solves: its arguments, validated rows, and their scale."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skxmr._inputs._by_label import LabelTexts
from skxmr._inputs._features import Features
from skxmr._inputs._known_classes import KnownClasses
from skxmr._search._centering import Centering
from skxmr._targets import ClassTarget, IndicatorTarget
from skxmr._training._regularization import Regularization
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.linear._propensity import LabelCounts

__all__ = ["FitArguments", "Problem"]


class FitArguments(NamedTuple):
    """The arguments of `XRLinearClassifier.fit`, as the user gave them."""

    X: Any
    y: Any
    relevance: Any
    negatives: Any
    label_names: Any


class Problem(NamedTuple):
    """What a classifier is fitted to.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    known : KnownClasses
    features : Features
    given : Compressed or DenseRows, a vector for each row
    X : Compressed or DenseRows
        The same rows after centring.
    Y : csr_array of shape (n_samples, n_labels)
        Relevance.
    negatives : csr_array of shape (n_samples, n_labels), bool, or None
        As returned by `check_negatives`.
    label_names : sequence of str, LabelTexts or None
    label_vectors : str, ndarray, csr_array or pair
        As returned by `canonical_label_vectors`, after centring.
    centering : Centering or None
    regularization : Regularization
    prior_weight : float
    counts : LabelCounts or None
        Of the labels; None if they are not needed.
    """

    target: IndicatorTarget | ClassTarget
    known: KnownClasses
    features: Features
    given: Compressed | DenseRows
    X: Compressed | DenseRows
    Y: sparse.csr_array
    negatives: sparse.csr_array | None
    label_names: np.ndarray | list | LabelTexts | None
    label_vectors: object
    centering: Centering | None
    regularization: Regularization
    prior_weight: float
    counts: LabelCounts | None = None
