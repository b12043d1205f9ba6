"""Estimators that group labels into a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skxmr._base._documentation import Documented
from skxmr._base._state import Stateful, from_state, writes
from skxmr._inputs._features import Features, features_of, stand_in
from skxmr._inputs._validation import (
    Interval,
    StrOptions,
    check_structure,
    fit_context,
    validate_data,
)
from skxmr._utils._typing import MatrixLike
from skxmr.tree._bisection import Rule
from skxmr.tree._cluster_vectors import vectors_of
from skxmr.tree._clustering import Plan, Segment, arrange
from skxmr.tree._label_tree import LabelTree

__all__ = ["IndexerState", "KMeansTree"]

_MAX_INT32 = np.iinfo(np.int32).max


@dataclass(frozen=True)
class IndexerState:
    """The fitted state of an indexer.

    Parameters
    ----------
    tree : LabelTree
    features : Features or None
        Of the label vectors; None if there are none.
    """

    tree: LabelTree
    features: Features | None = None

    @property
    def n_features(self):
        """Number of features, or None."""
        return None if self.features is None else self.features.n_features

    @property
    def feature_names(self):
        """Names of features, or None."""
        return None if self.features is None else self.features.names


class KMeansTree(Documented, Stateful, BaseEstimator):
    """Group labels by balanced, hierarchical k-means.

    Every group of a level is split into `branching_factor` groups whose sizes differ by
    at most one label, by repeated bisection. Each bisection is a balanced 2-means:
    labels are sorted along the line through two centres and split at the position that
    the sizes require. The centres of more than 32,768 labels are found in a sample of
    16,384 of them. The tree is as shallow as `branching_factor` and `max_leaf_size`
    allow, and its levels are as even as this number of levels allows.

    Parameters
    ----------
    branching_factor : int, default=1024
        Maximum number of children of a node. Siblings are trained and scored together,
        so wide levels are cheap, while each additional level may lose relevant labels.
    max_leaf_size : int or "auto", default="auto"
        Maximum number of labels of a leaf. "auto" is 100, or as many as needed, up to
        `branching_factor`, for a single level of groups.
    max_iter : int, default=20
        Maximum number of iterations of a bisection.
    tol : float, default=1e-3
        A bisection stops when an iteration moves at most this share of its labels.
    spherical : bool, default=True
        Whether to use only the direction of vectors (cosine similarity). Otherwise
        distances are Euclidean.
    n_jobs : int, default=None
        Number of parallel jobs; the tree does not depend on it.
    verbose : int, default=0
        Whether the progress of `fit` is printed.
    random_state : int, RandomState instance or None, default=None
        Draws the first two centres of every bisection.

    Attributes
    ----------
    tree_ : LabelTree
        The label tree. The labels of a leaf are in ascending order.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only if the vectors have feature
        names that are all strings.

    See Also
    --------
    TrieTreeHybrid : Groups labels by their first characters, then by k-means.
    XRLinearClassifier : Uses the tree.

    References
    ----------
    .. [1] H.-F. Yu, K. Zhong, J. Zhang, W.-C. Chang and I. S. Dhillon, "PECOS:
       Prediction for Enormous and Correlated Output Spaces", arXiv 2010.05878.
    .. [2] Y. Prabhu et al., "Parabel: Partitioned Label Trees for Extreme
       Classification with Application to Dynamic Search Advertising", WWW 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr import KMeansTree
    >>> directions = np.array([[1, 0], [0, 1], [2, 0.1], [0.1, 1]])
    >>> indexer = KMeansTree(branching_factor=2, max_leaf_size=2, random_state=0)
    >>> print(indexer.fit(directions).tree_.to_text())
    root (4 labels)
    ├── 0 (2 labels)
    │   ├── label 1
    │   └── label 3
    └── 1 (2 labels)
        ├── label 0
        └── label 2
    """

    _parameter_constraints: ClassVar[dict] = {
        "branching_factor": [Interval(Integral, 2, None, closed="left")],
        "max_leaf_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "max_iter": [Interval(Integral, 1, _MAX_INT32, closed="both")],
        "tol": [Interval(Real, 0, 1, closed="both")],
        "spherical": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        branching_factor=1024,
        max_leaf_size="auto",
        *,
        max_iter=20,
        tol=1e-3,
        spherical=True,
        n_jobs=None,
        verbose=0,
        random_state=None,
    ):
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.max_iter = max_iter
        self.tol = tol
        self.spherical = spherical
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    tree_ = from_state("tree", "The tree over the labels.")
    n_features_in_ = from_state(
        "n_features", "Number of features seen during fit.", optional=True
    )
    feature_names_in_ = from_state(
        "feature_names", "Names of features seen during fit.", optional=True
    )

    @writes
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        Z: MatrixLike,
        y: None = None,  # noqa: ARG002 - scikit-learn's interface
        *,
        label_names: Sequence[str] | None = None,  # noqa: ARG002 - that of indexers
    ) -> Self:
        """Group the labels.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_labels, n_features)
            One vector per label. A vector of zeros is allowed.
        y : None
            Ignored; for compatibility with scikit-learn.
        label_names : sequence of str of shape (n_labels,), default=None
            Ignored; for compatibility with other indexers.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If Z is not 2-D, or contains NaN or infinity.
        """
        probe = stand_in(self)
        checked = validate_data(
            probe,
            check_structure(Z, "Z"),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
        )
        plan = Plan.of(checked.shape[0], self.branching_factor, self.max_leaf_size)
        rule = Rule(
            self.max_iter,
            float(self.tol),
            bool(self.spherical),
            seed=int(check_random_state(self.random_state).randint(_MAX_INT32)),
        )
        labels = np.arange(plan.n_labels)
        segment = Segment.of(vectors_of(checked), labels, plan, rule)
        (labels,) = arrange([segment], self.n_jobs)
        tree = LabelTree.from_starts(plan.starts(), labels)
        self._state = IndexerState(tree, features_of(probe))
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
