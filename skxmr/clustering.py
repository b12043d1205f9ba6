"""Balanced, hierarchical k-means: which labels go to which leaf."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skxmr._compressed import Compressed
from skxmr._cython._kmeans import (
    bisect_dense,
    bisect_sparse,
    gather_rows,
    normalize_rows,
)
from skxmr._large import empty
from skxmr._parallel import current_stop, run_tasks

__all__ = ["Plan", "Rule", "Segment", "arrange", "vectors_of"]


# The shape of the tree, known before any vector is looked at
# -----------------------------------------------------------


class Plan(NamedTuple):
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
        """How many groups the lowest level has, empty ones included."""
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

    def starts(self):
        """Find the place of the first label of each group, level by level.

        Groups that are empty are left out.
        """
        return [
            np.unique(np.arange(n_groups, dtype=np.int64) * self.n_labels // n_groups)
            for n_groups in self.n_groups
        ]


# The order of the labels
# -----------------------


class Rule(NamedTuple):
    """How to cut; all but `labels_per_task`, the tree depends on.

    A segment of `labels_per_task` labels at most is one task, down to its last cut;
    each cut of a larger one is a task of its own.
    """

    max_iter: int
    tol: float
    spherical: bool
    seed: int
    labels_per_task: int = 2048

    def with_seed_of(self, place):
        """Give the rule for one of several trees, which draws for itself."""
        (seed,) = np.random.SeedSequence([self.seed, place]).generate_state(1)
        return self._replace(seed=int(seed))


class Segment(NamedTuple):
    """A run of leaves, to be cut, and the labels that they are to have, ascending.

    `labels` are names only: `rows` says where their vectors are.
    """

    vectors: Any  # SparseVectors, DenseVectors or what else has `take`
    rows: np.ndarray
    labels: np.ndarray
    first: int
    stop: int
    plan: Plan
    rule: Rule

    @classmethod
    def of(cls, vectors, labels, plan, rule):
        """Make the segment of all leaves of a plan, for labels whose rows these are."""
        return cls(vectors, labels, labels, 0, plan.n_leaves, plan, rule)

    @property
    def is_wide(self):
        """Whether there are leaves to be told apart."""
        return self.stop - self.first > 1

    @property
    def is_large(self):
        """Whether to cut it once in a task, not down to its leaves."""
        return len(self.labels) > self.rule.labels_per_task

    def cut(self, labels):
        """Give its two halves, whose labels stand one after the other."""
        plan = self.plan
        middle = plan.middle(self.first, self.stop)
        n_first = plan.start(middle) - plan.start(self.first)
        rows = self.rows[np.searchsorted(self.labels, labels)]
        return (
            self._replace(rows=rows[:n_first], labels=labels[:n_first], stop=middle),
            self._replace(rows=rows[n_first:], labels=labels[n_first:], first=middle),
        )

    def detached(self):
        """Reduce the vectors to those of the segment."""
        return self._replace(
            vectors=self.vectors.take(self.rows), rows=np.arange(len(self.rows))
        )


def arrange(segments, n_jobs):
    """Put the labels of segments in the order of their leaves.

    Parameters
    ----------
    segments : list of Segment
    n_jobs : int or None

    Returns
    -------
    list of ndarray of int64
        The labels of each segment.
    """
    arranged = [segment.labels.copy() for segment in segments]
    # What is yet to be cut: of which segment, from which of its labels on, and what.
    uncut = [(i, 0, segment) for i, segment in enumerate(segments) if segment.is_wide]
    while uncut:
        ordered = run_tasks(
            _arrange_segment, (task[2] for task in uncut), n_jobs=n_jobs
        )
        parts = []
        for (i, start, segment), labels in zip(uncut, ordered, strict=True):
            arranged[i][start : start + len(labels)] = labels
            if segment.is_large:
                first, second = segment.cut(labels)
                parts += [(i, start, first), (i, start + len(first.labels), second)]
        uncut = [part for part in parts if part[2].is_wide]
    return arranged


def _arrange_segment(segment):
    """Order the labels of a segment: of a large one cut it once, else to its leaves."""
    segment = segment.detached()
    if segment.rule.spherical:
        segment.vectors.normalize()
    if segment.is_large:
        return np.concatenate([half.labels for half in _halves(segment)])
    return _arrange_to_leaves(segment)


def _arrange_to_leaves(segment):
    """Order the labels of a segment, whose vectors are its own."""
    if not segment.is_wide or len(segment.labels) < 2:
        return segment.labels
    ordered = []
    for half in _halves(segment):
        if half.is_wide:
            half = half.detached()  # noqa: PLW2901
        ordered.append(_arrange_to_leaves(half))
    return np.concatenate(ordered)


def _halves(segment):
    """Cut a segment, whose vectors are its own, in two that share them."""
    middle = segment.plan.middle(segment.first, segment.stop)
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
    n_first = segment.plan.start(middle) - segment.plan.start(segment.first)
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
        current_stop(),
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


def vectors_of(Z):
    """Give the rows of a sparse or dense matrix as vectors to cluster."""
    return SparseVectors.of(Z) if sparse.issparse(Z) else DenseVectors(Z)


class SparseVectors(Compressed):
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
        indices = empty(offsets[-1], np.int32)
        values = empty(offsets[-1], self.values.dtype)
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
        return SparseVectors(offsets, indices, values, length)

    def normalize(self):
        normalize_rows(self.offsets, self.values)

    def bisect(self, *arguments):
        bisect_sparse(self.offsets, self.indices, self.values, *arguments)


class DenseVectors(NamedTuple):
    """Rows of a dense matrix."""

    rows: np.ndarray

    @property
    def length(self):
        return self.rows.shape[1]

    def to_matrix(self):
        return self.rows

    def take(self, vectors):
        return DenseVectors(self.rows[vectors])

    def normalize(self):
        offsets = np.arange(self.rows.shape[0] + 1, dtype=np.int64) * self.length
        normalize_rows(offsets, self.rows.reshape(-1))

    def bisect(self, *arguments):
        bisect_dense(self.rows, *arguments)
