"""Balanced, hierarchical k-means: the assignment of labels to leaves."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skxmr._cython._clustering import LeafRule, cut_to_leaves
from skxmr._parallel._parallel import count_threads, run_tasks
from skxmr._parallel._progress import step
from skxmr._parallel._sharing import Work
from skxmr.tree._bisection import Rule, bisect_at, bisection_of

__all__ = ["Plan", "Segment", "arrange"]

# Labels per leaf: smaller leaves make the level above wider, larger ones take longer to
# score.
_USUAL_LEAF = 100

# A task has as many labels as lets each of several threads have some tasks.
_TASKS_PER_THREAD = 4
_LEAST_PER_TASK = 2048


# The shape of the tree, which does not depend on the vectors
# -----------------------------------------------------------


class Plan(NamedTuple):
    """The sizes of all groups: group i of m has the labels i*n // m to (i+1)*n // m.

    The groups of each level are unions of adjacent groups of the lowest level, the
    leaves, so that a group, or a run of adjacent groups that is not split yet, is a
    range of leaves.

    Parameters
    ----------
    n_labels : int
    n_groups : tuple of int
        For each level of groups below the root; each divides the next. Some groups are
        empty if there are more groups than labels.
    """

    n_labels: int
    n_groups: tuple

    @classmethod
    def of(cls, n_labels, branching_factor, max_leaf_size):
        """Plan the tree with the fewest levels, as even as possible.

        A narrow level above a wide one may lose relevant labels and saves little time,
        so the number of levels is minimised first, then the number of children.

        Parameters
        ----------
        n_labels : int
        branching_factor : int
            Maximum number of children of a group.
        max_leaf_size : int or "auto"
            Maximum number of labels of a leaf. "auto" is 100, or as many as needed, up
            to `branching_factor`, for a single level of groups.
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
        # Only the top level has fewer groups than the maximum.
        top = -(-n_leaves // factor ** max(0, n_levels - 1))
        return cls(n_labels, tuple(top * factor**level for level in range(n_levels)))

    @property
    def n_leaves(self):
        """Number of groups of the lowest level, including empty ones."""
        return self.n_groups[-1] if self.n_groups else 1

    def group_sizes(self):
        """Return the number of leaves of a group, for each level from the top down."""
        return self.n_leaves // np.array(self.n_groups, dtype=np.int64)

    def start(self, leaf):
        """Position of a leaf's first label in the order of the labels."""
        return leaf * self.n_labels // self.n_leaves

    def middle(self, first, stop):
        """Find the leaf at which a range of leaves is split, between groups."""
        sizes = self.group_sizes().tolist()
        leaves_per_group = next(size for size in sizes if size < stop - first)
        n_parts = (stop - first) // leaves_per_group
        return first + n_parts // 2 * leaves_per_group

    def starts(self):
        """Find the position of the first label of each group, for each level.

        Empty groups are omitted.
        """
        return [
            np.unique(np.arange(n_groups, dtype=np.int64) * self.n_labels // n_groups)
            for n_groups in self.n_groups
        ]


def _count_digits(number, base):
    """Count the decimal digits of a number; 0 has none."""
    n_digits = 0
    while number > 0:
        number //= base
        n_digits += 1
    return n_digits


# The order of the labels
# -----------------------


class Segment(NamedTuple):
    """A range of leaves to be split, and their labels, ascending.

    `labels` only identify the labels: `rows` has the positions of their vectors.
    """

    vectors: Any  # SparseVectors, DenseVectors or another class with `take`
    rows: np.ndarray
    labels: np.ndarray
    first: int
    stop: int
    plan: Plan
    rule: Rule
    is_prepared: bool = False  # whether `vectors.prepared` was called

    @classmethod
    def of(cls, vectors, labels, plan, rule):
        """Make the segment of all leaves of a plan, for labels with the given rows."""
        return cls(vectors, labels, labels, 0, plan.n_leaves, plan, rule)

    @property
    def is_wide(self):
        """Whether there is more than one leaf."""
        return self.stop - self.first > 1

    @property
    def work(self):
        """The number of labels in all splits down to the leaves."""
        return len(self.labels) * (self.stop - self.first - 1).bit_length()

    @property
    def is_large(self):
        """Whether a task splits it only once, not down to its leaves."""
        rule = self.rule
        return len(self.labels) > min(rule.labels_per_task, rule.most_without_sample)

    def with_limit(self, labels_per_task):
        """Return the segment with this limit, unless its rule has one."""
        if self.rule.labels_per_task is not None:
            return self
        return self._replace(rule=self.rule._replace(labels_per_task=labels_per_task))

    def cut(self, labels):
        """Return its two halves; the labels of the first come first."""
        plan = self.plan
        middle = plan.middle(self.first, self.stop)
        n_first = plan.start(middle) - plan.start(self.first)
        rows = self.rows[np.searchsorted(self.labels, labels)]
        return (
            self._replace(rows=rows[:n_first], labels=labels[:n_first], stop=middle),
            self._replace(rows=rows[n_first:], labels=labels[n_first:], first=middle),
        )

    def detached(self):
        """Keep only the vectors of the segment."""
        return self._replace(
            vectors=self.vectors.take(self.rows), rows=np.arange(len(self.rows))
        )


def arrange(segments, n_jobs):
    """Sort the labels of segments by leaf.

    Parameters
    ----------
    segments : list of Segment
        With the same vectors, and rules that differ only in their seeds.
    n_jobs : int or None

    Returns
    -------
    list of ndarray of int64
        The labels of each segment.
    """
    arranged = [segment.labels.copy() for segment in segments]
    n_threads = count_threads(n_jobs)
    limit = _labels_per_task(sum(map(len, arranged)), n_threads)
    # Pending segments, and their positions in the result.
    parts = [
        (segment.with_limit(limit), result)
        for segment, result in zip(segments, arranged, strict=True)
        if segment.is_wide
    ]
    with step("grouping labels", sum(segment.work for segment, _ in parts)) as advance:
        if n_threads:
            work = Work(n_threads)
            work.add(0, partial(_start, parts, work, advance))
            run_tasks(work.do, work, n_jobs=n_jobs)
        else:
            _arrange_in_rounds(_prepare(parts, Work()), n_jobs, advance)
    return arranged


def _labels_per_task(n_labels, n_threads):
    """Return how many labels a task arranges; one thread copies no rows for others."""
    if n_threads == 1:
        return n_labels
    return max(_LEAST_PER_TASK, n_labels // (_TASKS_PER_THREAD * (n_threads or 8)))


def _start(parts, work, advance):
    """Add the parts to the work of the threads."""
    for segment, result in _prepare(parts, work):
        work.add(len(result), partial(_arrange_part, segment, result, work, advance))


def _arrange_part(segment, result, work, advance):
    """Sort a segment, and add its halves to the work."""
    labels = _arrange_segment(segment, work)
    result[:] = labels
    halves = _parts_of(segment, labels, result)
    for half, place in halves:
        work.add(len(place), partial(_arrange_part, half, place, work, advance))
    advance(segment.work - sum(half.work for half, _ in halves))


def _arrange_in_rounds(parts, n_jobs, advance):
    """Split all segments, then their halves, on any joblib backend."""
    while parts:
        ordered = run_tasks(
            _arrange_segment, (segment for segment, _ in parts), n_jobs=n_jobs
        )
        uncut = []
        for (segment, result), labels in zip(parts, ordered, strict=True):
            result[:] = labels
            halves = _parts_of(segment, labels, result)
            uncut += halves
            advance(segment.work - sum(half.work for half, _ in halves))
        parts = uncut


def _parts_of(segment, labels, result):
    """Return the parts of a sorted segment that are not split yet."""
    if not segment.is_large:
        return []
    first, second = segment.cut(labels)
    n_first = len(first.labels)
    parts = (first, result[:n_first]), (second, result[n_first:])
    return [part for part in parts if part[0].is_wide]


def _prepare(parts, work):
    """Prepare the vectors of large segments, which are read many times."""
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
    """Sort a segment: split a large one once, others down to their leaves."""
    if len(segment.labels) < 2:
        return segment.labels
    rows = _rows_of(segment)
    if not segment.is_large:
        return segment.labels[_order_of_leaves(segment, rows)]
    plan = segment.plan
    middle = plan.middle(segment.first, segment.stop)
    n_first = plan.start(middle) - plan.start(segment.first)
    if not n_first:
        return segment.labels
    rule, place = segment.rule, (segment.first, segment.stop)
    sides = bisect_at(rows, place, n_first, rule, work or Work())
    return np.concatenate([segment.labels[sides == side] for side in (0, 1)])


def _rows_of(segment):
    """Return the rows of a segment, scaled to unit length if spherical."""
    vectors = segment.vectors
    if segment.is_prepared and segment.is_large and vectors.lie_well(segment.rows):
        return vectors.view(segment.rows)
    own = vectors.take(segment.rows)
    if segment.rule.spherical and not segment.is_prepared:
        own.normalize()
    return own.view()


def _order_of_leaves(segment, rows):
    """Split rows down to the leaves, and return them sorted by leaf."""
    order = np.empty(len(segment.labels), dtype=np.int64)
    cut_to_leaves(
        bisection_of(rows, segment.rule),
        LeafRule(segment.plan, segment.rule),
        segment.first,
        segment.stop,
        order,
    )
    return order
