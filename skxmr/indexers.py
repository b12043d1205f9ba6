"""Estimators that group labels into a tree."""

import copy
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skxmr._compressed import Compressed
from skxmr._cython._kmeans import (
    bisect_dense,
    bisect_sparse,
    gather_rows,
    normalize_rows,
)
from skxmr._parallel import run_tasks
from skxmr._typing import MatrixLike
from skxmr._validation import Interval, fit_context, validate_data
from skxmr.tree import LabelTree

__all__ = ["KMeansTree"]

_MAX_INT32 = np.iinfo(np.int32).max


class KMeansTree(BaseEstimator):
    """Group labels by balanced, hierarchical k-means.

    Every group of a level is cut into `branching_factor` groups whose sizes differ by
    one label at most, by bisection after bisection, each of which is a balanced
    2-means: labels are sorted along the line through two centres and cut where the
    sizes ask for it. The tree is as shallow as `branching_factor` and
    `max_leaf_size` allow; where the top level needs fewer groups, it has fewer.

    Parameters
    ----------
    branching_factor : int, default=16
        Most groups that a group is cut into.
    max_leaf_size : int, default=100
        Most labels of a group of the lowest level.
    max_iter : int, default=20
        Most iterations of one bisection.
    tol : float, default=1e-3
        A bisection stops when the share of its labels that an iteration moves from
        one side to the other is no larger than this.
    spherical : bool, default=True
        Whether only the direction of vectors matters (cosine similarity). Otherwise
        distances are Euclidean.
    n_jobs : int, default=None
        Number of parallel jobs; the tree does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Picks the first two centres of every bisection.

    Attributes
    ----------
    tree_ : LabelTree
        The tree over the labels. Within a group of the lowest level, labels stand in
        ascending order.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only if the vectors have feature
        names that are all strings.

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

    _parameter_constraints: dict = {  # noqa: RUF012 - scikit-learn's way
        "branching_factor": [Interval(Integral, 2, None, closed="left")],
        "max_leaf_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, _MAX_INT32, closed="both")],
        "tol": [Interval(Real, 0, 1, closed="both")],
        "spherical": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        branching_factor=16,
        max_leaf_size=100,
        *,
        max_iter=20,
        tol=1e-3,
        spherical=True,
        n_jobs=None,
        random_state=None,
    ):
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.max_iter = max_iter
        self.tol = tol
        self.spherical = spherical
        self.n_jobs = n_jobs
        self.random_state = random_state

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
            A vector for each label. Labels with a vector of zeros are placed, too.
        y : None
            Ignored, present for scikit-learn's interface.
        label_names : sequence of str of shape (n_labels,), default=None
            Ignored, present for the interface of indexers.

        Returns
        -------
        self
        """
        checked = validate_data(
            copy.copy(self),
            Z,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
        )
        plan = _Plan.of(checked.shape[0], self.branching_factor, self.max_leaf_size)
        rule = _Rule(
            plan,
            self.max_iter,
            float(self.tol),
            bool(self.spherical),
            seed=int(check_random_state(self.random_state).randint(_MAX_INT32)),
        )
        of = _SparseVectors.of if sparse.issparse(checked) else _DenseVectors
        labels = _arrange(of(checked), rule, self.n_jobs)
        # Only now, so that a fit that is interrupted leaves all as it was.
        validate_data(self, Z, skip_check_array=True)
        self.tree_ = LabelTree(plan.child_offsets(), labels)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


# The shape of the tree, known before any vector is looked at
# -----------------------------------------------------------


class _Plan(NamedTuple):
    """The sizes of all groups: group i of m has the labels i*n // m to (i+1)*n // m.

    The groups of every level come together from those of the lowest, the leaves, so a
    group, or a run of neighbouring ones that is yet to be cut, is a range of leaves.

    Parameters
    ----------
    n_labels : int
    n_groups : tuple of int
        For each level of groups below the root; each divides the next. Some groups
        are empty if there are more of them than labels.
    """

    n_labels: int
    n_groups: tuple

    @classmethod
    def of(cls, n_labels, branching_factor, max_leaf_size):
        """Plan the shallowest tree."""
        n_leaves = -(-n_labels // max_leaf_size)
        below_one = 1  # leaves below one group of the level
        n_groups = []
        while below_one < n_leaves:
            n_groups.append(-(-n_leaves // below_one))
            below_one *= branching_factor
        # Only the top level has fewer groups than it might.
        top = n_groups[-1] if n_groups else 1
        levels = range(len(n_groups))
        return cls(n_labels, tuple(top * branching_factor**level for level in levels))

    @property
    def n_leaves(self):
        return self.n_groups[-1] if self.n_groups else 1

    def start(self, leaf):
        """Place of a leaf's first label in the order of the labels."""
        return leaf * self.n_labels // self.n_leaves

    def middle(self, first, stop):
        """Leaf at which to cut a range of leaves, between groups of one level."""
        sizes = (self.n_leaves // n_groups for n_groups in self.n_groups)
        leaves_per_group = next(size for size in sizes if size < stop - first)
        n_parts = (stop - first) // leaves_per_group
        return first + n_parts // 2 * leaves_per_group

    def child_offsets(self):
        """Describe the tree to `LabelTree`, without the groups that are empty."""
        starts = np.zeros(1, dtype=np.int64)
        for_each_level = []
        for n_groups in self.n_groups:
            groups = np.arange(n_groups, dtype=np.int64)
            below = np.unique(groups * self.n_labels // n_groups)
            for_each_level.append(np.append(np.searchsorted(below, starts), len(below)))
            starts = below
        return [*for_each_level, np.append(starts, self.n_labels)]


# The order of the labels
# -----------------------


class _Rule(NamedTuple):
    """How to cut; all but `labels_per_task`, the tree depends on.

    A segment of `labels_per_task` labels at most is one task, down to its last cut;
    each cut of a larger one is a task of its own.
    """

    plan: _Plan
    max_iter: int
    tol: float
    spherical: bool
    seed: int
    labels_per_task: int = 2048


class _Segment(NamedTuple):
    """A run of leaves, to be cut, and the labels that they are to have, ascending.

    `labels` are names only: `rows` says where their vectors are.
    """

    vectors: Any  # _SparseVectors or _DenseVectors
    rows: np.ndarray
    labels: np.ndarray
    first: int
    stop: int
    rule: _Rule

    def detached(self):
        """Reduce the vectors to those of the segment."""
        return self._replace(
            vectors=self.vectors.take(self.rows), rows=np.arange(len(self.rows))
        )


def _arrange(vectors, rule, n_jobs):
    """Put the labels in the order of the leaves.

    Returns
    -------
    ndarray of int64 of shape (n_labels,)
    """
    plan = rule.plan
    labels = np.arange(plan.n_labels)
    ranges = [(0, plan.n_leaves)] if plan.n_leaves > 1 else []
    while ranges:
        places = [slice(plan.start(first), plan.start(stop)) for first, stop in ranges]
        segments = (
            _Segment(vectors, labels[place], labels[place], *leaves, rule)
            for place, leaves in zip(places, ranges, strict=True)
        )
        arranged = run_tasks(_arrange_segment, segments, n_jobs=n_jobs)
        uncut = []
        for place, (first, stop), ordered in zip(places, ranges, arranged, strict=True):
            labels[place] = ordered
            if len(ordered) > rule.labels_per_task:
                middle = plan.middle(first, stop)
                uncut += [(first, middle), (middle, stop)]
        ranges = [(first, stop) for first, stop in uncut if stop - first > 1]
    return labels


def _arrange_segment(segment):
    """Order the labels of a segment: of a large one cut it once, else to its leaves."""
    segment = segment.detached()
    if segment.rule.spherical:
        segment.vectors.normalize()
    if len(segment.labels) > segment.rule.labels_per_task:
        return np.concatenate([half.labels for half in _halves(segment)])
    return _arrange_to_leaves(segment)


def _arrange_to_leaves(segment):
    """Order the labels of a segment, whose vectors are its own."""
    if segment.stop - segment.first == 1 or len(segment.labels) < 2:
        return segment.labels
    ordered = []
    for half in _halves(segment):
        if half.stop - half.first > 1:
            half = half.detached()  # noqa: PLW2901
        ordered.append(_arrange_to_leaves(half))
    return np.concatenate(ordered)


def _halves(segment):
    """Cut a segment, whose vectors are its own, in two that share them."""
    middle = segment.rule.plan.middle(segment.first, segment.stop)
    sides = _sides(segment, middle)
    leaves = (segment.first, middle), (middle, segment.stop)
    for side, (first, stop) in enumerate(leaves):
        rows = np.flatnonzero(sides == side)
        yield segment._replace(
            rows=rows, labels=segment.labels[rows], first=first, stop=stop
        )


def _sides(segment, middle):
    """Find out which rows go to the leaves before (0), which to those after (1)."""
    rule = segment.rule
    n_rows = len(segment.labels)
    n_first = rule.plan.start(middle) - rule.plan.start(segment.first)
    sides = np.ones(n_rows, dtype=np.uint8)
    if n_first == 0:
        return sides
    n_features = segment.vectors.length
    segment.vectors.bisect(
        *_first_centres(rule.seed, segment.first, segment.stop, n_rows),
        n_first,
        rule.max_iter,
        int(rule.tol * n_rows),
        rule.spherical,
        np.zeros((n_features, 2)),
        np.zeros(n_features),
        np.empty((2, n_rows), dtype=np.uint64),
        np.empty(n_rows, dtype=np.int64),
        sides,
    )
    return sides


def _first_centres(seed, first, stop, n_rows):
    """Draw two different rows; depends on the place in the tree, not on tasks."""
    drawn = np.random.SeedSequence([seed, first, stop]).generate_state(2, np.uint64)
    one = int(drawn[0]) % n_rows
    other = int(drawn[1]) % (n_rows - 1)
    return one, other + (other >= one)


# Vectors
# -------


class _SparseVectors(Compressed):
    """Rows of a sparse matrix."""

    @classmethod
    def of(cls, Z):
        Z = sparse.csr_array(Z)
        Z.check_format()
        if not Z.has_canonical_format:
            Z = Z.copy()
            Z.sum_duplicates()
        return cls(
            np.ascontiguousarray(Z.indptr, dtype=np.int64),
            np.ascontiguousarray(Z.indices, dtype=np.int32),
            np.ascontiguousarray(Z.data),
            Z.shape[1],
        )

    def take(self, vectors):
        """Copy rows, without the features that none of them has."""
        offsets = np.zeros(len(vectors) + 1, dtype=np.int64)
        np.cumsum(self.offsets[vectors + 1] - self.offsets[vectors], out=offsets[1:])
        indices = np.empty(offsets[-1], dtype=np.int32)
        values = np.empty(offsets[-1], dtype=self.values.dtype)
        numbers = np.zeros(self.length, dtype=np.int32)
        length = gather_rows(
            self.offsets,
            self.indices,
            self.values,
            vectors,
            numbers,
            offsets,
            indices,
            values,
        )
        return _SparseVectors(offsets, indices, values, length)

    def normalize(self):
        normalize_rows(self.offsets, self.values)

    def bisect(self, *arguments):
        bisect_sparse(self.offsets, self.indices, self.values, *arguments)


class _DenseVectors(NamedTuple):
    """Rows of a dense matrix."""

    rows: np.ndarray

    @property
    def length(self):
        return self.rows.shape[1]

    def take(self, vectors):
        return _DenseVectors(self.rows[vectors])

    def normalize(self):
        offsets = np.arange(self.rows.shape[0] + 1, dtype=np.int64) * self.length
        normalize_rows(offsets, self.rows.reshape(-1))

    def bisect(self, *arguments):
        bisect_dense(self.rows, *arguments)
