"""Balanced, hierarchical k-means: which labels go to which leaf."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skxmr._cython._cpu import SIMD_LEVELS
from skxmr._cython._kmeans import (
    begin_cut,
    cut_to_leaves,
    follow_scores,
    score_rows,
)
from skxmr._large import empty
from skxmr._parallel import count_threads, current_stop, run_tasks
from skxmr._sharing import Work

__all__ = ["Plan", "Rule", "Segment", "arrange", "bisect"]

# Of the instructions that this machine has, the best.
_LEVEL = len(SIMD_LEVELS) - 1

# Labels of a leaf: fewer make the level above wide, more take longer to score.
_USUAL_LEAF = 100


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
        """Plan the shallowest tree, whose levels are as even as can be.

        A narrow level in front of a wide one loses labels and saves little: the number
        of levels comes first, then the factor that is enough for so many.

        Parameters
        ----------
        n_labels : int
        branching_factor : int
            Most groups that a group is cut into.
        max_leaf_size : int or "auto"
            Most labels of a leaf. "auto" is 100, or so many, up to `branching_factor`,
            that one level of groups is enough.
        """
        branching_factor = int(branching_factor)
        if max_leaf_size == "auto":
            one_level = -(-n_labels // branching_factor)
            is_enough = _USUAL_LEAF < one_level <= branching_factor
            max_leaf_size = one_level if is_enough else _USUAL_LEAF
        n_leaves = -(-n_labels // int(max_leaf_size))
        n_levels = _count_digits(n_leaves - 1, branching_factor)
        factor = 2
        while n_levels and factor**n_levels < n_leaves:
            factor += 1
        # Only the top level has fewer groups than it might.
        top = -(-n_leaves // factor ** max(0, n_levels - 1))
        return cls(n_labels, tuple(top * factor**level for level in range(n_levels)))

    @property
    def n_leaves(self):
        """How many groups the lowest level has, empty ones included."""
        return self.n_groups[-1] if self.n_groups else 1

    def group_sizes(self):
        """Count the leaves of a group of each level, from the top down."""
        return self.n_leaves // np.array(self.n_groups, dtype=np.int64)

    def start(self, leaf):
        """Place of a leaf's first label in the order of the labels."""
        return leaf * self.n_labels // self.n_leaves

    def middle(self, first, stop):
        """Leaf at which to cut a range of leaves, between groups of one level."""
        sizes = self.group_sizes().tolist()
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


def _count_digits(number, base):
    """Count the digits of a number, none of 0."""
    n_digits = 0
    while number > 0:
        number //= base
        n_digits += 1
    return n_digits


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
    is_prepared: bool = False  # whether the vectors are

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
        Of the same vectors, and with rules that differ in their seeds only.
    n_jobs : int or None

    Returns
    -------
    list of ndarray of int64
        The labels of each segment.
    """
    arranged = [segment.labels.copy() for segment in segments]
    # What is yet to be cut, and where it stands.
    parts = [
        (segment, result)
        for segment, result in zip(segments, arranged, strict=True)
        if segment.is_wide
    ]
    n_threads = count_threads(n_jobs)
    if n_threads:
        work = Work(n_threads)
        work.add(0, partial(_start, parts, work))
        run_tasks(work.do, work, n_jobs=n_jobs)
    else:
        _arrange_in_rounds(_prepare(parts, Work()), n_jobs)
    return arranged


def _start(parts, work):
    """Add the parts to what is to be done by threads."""
    for segment, result in _prepare(parts, work):
        work.add(len(result), partial(_arrange_part, segment, result, work))


def _arrange_part(segment, result, work):
    """Arrange a segment, and let its halves be arranged."""
    labels = _arrange_segment(segment, work)
    result[:] = labels
    for half, place in _parts_of(segment, labels, result):
        work.add(len(place), partial(_arrange_part, half, place, work))


def _arrange_in_rounds(parts, n_jobs):
    """Cut all segments, then their halves, wherever tasks run."""
    while parts:
        ordered = run_tasks(
            _arrange_segment, (segment for segment, _ in parts), n_jobs=n_jobs
        )
        uncut = []
        for (segment, result), labels in zip(parts, ordered, strict=True):
            result[:] = labels
            uncut += _parts_of(segment, labels, result)
        parts = uncut


def _parts_of(segment, labels, result):
    """Give what is left to be cut of a segment whose labels have been ordered."""
    if not segment.is_large:
        return []
    first, second = segment.cut(labels)
    n_first = len(first.labels)
    parts = (first, result[:n_first]), (second, result[n_first:])
    return [part for part in parts if part[0].is_wide]


def _prepare(parts, work):
    """Prepare the vectors where segments are large, which read them again and again."""
    if not any(segment.is_large for segment, _ in parts):
        return parts
    segment = parts[0][0]
    vectors = segment.vectors.prepared(segment.rule.spherical, work)
    if vectors is None:
        return parts
    return [
        (segment._replace(vectors=vectors, is_prepared=True), result)
        for segment, result in parts
    ]


def _arrange_segment(segment, work=None):
    """Order the labels of a segment: of a large one cut it once, else to its leaves."""
    if len(segment.labels) < 2:
        return segment.labels
    rows = _rows_of(segment)
    if not segment.is_large:
        return segment.labels[_order_of_leaves(segment, rows)]
    plan = segment.plan
    middle = plan.middle(segment.first, segment.stop)
    n_first = plan.start(middle) - plan.start(segment.first)
    sides = np.ones(len(segment.labels), dtype=np.uint8)
    if n_first:
        centres = _first_centres(segment)
        bisect(rows, centres, n_first, segment.rule, sides, work or Work())
    return np.concatenate([segment.labels[sides == side] for side in (0, 1)])


def _rows_of(segment):
    """Give the rows of a segment, of unit length if only directions matter."""
    vectors = segment.vectors
    if segment.is_prepared and segment.is_large and vectors.lie_well(segment.rows):
        return vectors.view(segment.rows)
    own = vectors.take(segment.rows)
    if segment.rule.spherical and not segment.is_prepared:
        own.normalize()
    return own.view()


def bisect(rows, centres, n_first, rule, sides, work):
    """Cut rows in two by balanced 2-means.

    Parameters
    ----------
    rows : Rows
    centres : (int, int)
        Two different rows to begin with.
    n_first : int
        How many rows side 0 gets.
    rule : Rule
    sides : ndarray of shape (n_rows,), uint8, ones
        Is filled with the side of each row.
    work : Work
        Whose threads may help.
    """
    n_rows = len(sides)
    max_moved = int(rule.tol * n_rows)
    sums = np.zeros((2, rows.length))
    products = np.empty((2, n_rows))
    keys = np.empty((2, n_rows), dtype=np.uint64)
    moved = np.empty(n_rows, dtype=np.int64)
    stop = current_stop()
    parts = rows.parts(work.n_threads)
    entries = rows.entries
    first_centre, second_centre = centres
    second_centre = begin_cut(*entries, first_centre, second_centre, sums)

    def score(is_first, part):
        score_rows(*entries, sums, *part, is_first, _LEVEL, stop, products)

    for iteration in range(rule.max_iter):
        is_first = iteration == 0
        work.do_each(partial(score, is_first), parts)
        if stop[0]:
            return
        n_moved = follow_scores(
            *entries,
            first_centre,
            second_centre,
            n_first,
            max_moved,
            rule.spherical,
            is_first,
            sums,
            products,
            keys,
            moved,
            sides,
        )
        if not is_first and n_moved <= max_moved:
            return


def _order_of_leaves(segment, rows):
    """Cut rows down to the leaves and return them in the order of those."""
    plan, rule = segment.plan, segment.rule
    n_rows = len(segment.labels)
    starts, stops, indices, values = rows.entries
    table = np.empty((2, 3, n_rows), dtype=np.int64)
    table[0] = starts, stops, np.arange(n_rows)
    is_sparse = indices is not None
    order = np.empty(n_rows, dtype=np.int64)
    cut_to_leaves(
        table,
        indices,
        values,
        empty(len(indices), np.int32) if is_sparse else None,
        empty(len(values), values.dtype) if is_sparse else None,
        segment.first,
        segment.stop,
        plan.n_labels,
        plan.group_sizes(),
        plan.n_leaves,
        rule.seed,
        rule.max_iter,
        rule.tol,
        rule.spherical,
        _LEVEL,
        current_stop(),
        np.empty((2, rows.length)),
        np.empty((2, n_rows)),
        np.empty((2, n_rows), dtype=np.uint64),
        np.empty(n_rows, dtype=np.int64),
        np.empty(n_rows, dtype=np.uint8),
        np.empty(rows.length, dtype=np.int32),
        order,
    )
    return order


def _first_centres(segment):
    """Draw two different rows; depends on the place in the tree, not on tasks."""
    n_rows = len(segment.labels)
    place = [segment.rule.seed, segment.first, segment.stop]
    drawn = np.random.SeedSequence(place).generate_state(2, np.uint64)
    one = int(drawn[0]) % n_rows
    other = int(drawn[1]) % (n_rows - 1)
    return one, other + (other >= one)
