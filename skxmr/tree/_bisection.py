"""Splits vectors in two by balanced 2-means."""

from typing import NamedTuple

import numpy as np

from skxmr._cython._clustering import (
    Bisection,
    begin_along,
    begin_cut,
    cut_once,
    follow_scores,
    line_of,
    score_rows,
)
from skxmr._cython._cpu import SIMD_LEVELS
from skxmr._memory._large import empty
from skxmr._parallel._parallel import current_stop

__all__ = ["Rule", "bisect", "bisect_at", "bisection_of"]

# The best instruction set of this machine.
_SIMD_LEVEL = len(SIMD_LEVELS) - 1


class Rule(NamedTuple):
    """Parameters of the splits; the tree depends on all but `labels_per_task`.

    A segment of at most `labels_per_task` labels is one task, down to its leaves; each
    split of a larger one is a separate task. None takes what suits the number of
    threads. More than `2 * sample_size` labels are split by a sample of them.
    """

    max_iter: int
    tol: float
    spherical: bool
    seed: int
    labels_per_task: int | None = None
    sample_size: int = 2**14

    def with_seed_of(self, place):
        """Return the rule for another tree, with its own seed."""
        (seed,) = np.random.SeedSequence([self.seed, place]).generate_state(1)
        return self._replace(seed=int(seed))

    @property
    def most_without_sample(self):
        """The largest number of labels that are split without a sample."""
        return 2 * self.sample_size


def bisect_at(rows, place, n_first, rule, work):
    """Split rows in two; two rows of them, or of a sample, are the initial centres.

    Parameters
    ----------
    rows : Rows
    place : (int, int)
        The position in the tree, which together with the seed determines what is drawn.
    n_first : int
        The number of rows on side 0.
    rule : Rule
    work : Work
        The work whose threads may help.

    Returns
    -------
    ndarray of shape (n_rows,), uint8
        The side of each row.
    """
    n_rows = len(rows.starts)
    if n_rows <= rule.most_without_sample:
        return bisect(rows, _first_centres(place, n_rows, rule), n_first, rule, work)
    sample = rows.some(_sampled(place, n_rows, rule))
    share = n_first * rule.sample_size // n_rows
    share = max(1, min(share, rule.sample_size - 1))
    centres = _first_centres(place, rule.sample_size, rule)
    line = _line_between(_bisected(sample, centres, share, rule, work))
    bisection = bisection_of(rows, rule)
    begin_along(bisection, n_first, line)
    parts = rows.parts(work.n_threads)
    work.do_each(lambda part: score_rows(bisection, *part), parts)
    cut_once(bisection)
    return np.asarray(bisection.sides)


def bisect(rows, centres, n_first, rule, work):
    """Split rows in two by balanced 2-means of all of them.

    Parameters
    ----------
    rows : Rows
    centres : (int, int)
        Two different rows as the initial centres.
    n_first : int
        The number of rows on side 0.
    rule : Rule
    work : Work
        The work whose threads may help.

    Returns
    -------
    ndarray of shape (n_rows,), uint8
        The side of each row.
    """
    return np.asarray(_bisected(rows, centres, n_first, rule, work).sides)


def _bisected(rows, centres, n_first, rule, work):
    """Split rows in two; the result has the sums of both sides."""
    bisection = bisection_of(rows, rule)
    max_moved = int(rule.tol * len(rows.starts))
    parts = rows.parts(work.n_threads)
    begin_cut(bisection, n_first, *centres)
    for iteration in range(rule.max_iter):
        work.do_each(lambda part: score_rows(bisection, *part), parts)
        n_moved = follow_scores(bisection)
        if iteration and n_moved <= max_moved:
            break
    return bisection


def bisection_of(rows, rule):
    """Return the memory for splitting rows."""
    return Bisection(
        rows,
        empty,
        spherical=rule.spherical,
        simd_level=_SIMD_LEVEL,
        stop=current_stop(),
    )


def _line_between(bisection):
    """Return the direction from the centre of side 1 to that of side 0, scaled."""
    # By the present sums.
    score_rows(bisection, 0, len(bisection.sides))
    line = np.empty(bisection.sums.shape[1])
    line_of(bisection, line)
    return line


def _sampled(place, n_rows, rule):
    """Draw a row of each of as many equal ranges as the sample has rows."""
    drawn = _draw(place, rule, rule.sample_size)
    starts = np.arange(rule.sample_size + 1) * n_rows // rule.sample_size
    return starts[:-1] + (drawn % np.diff(starts).astype(np.uint64)).astype(np.int64)


def _first_centres(place, n_rows, rule):
    """Draw two different rows."""
    one, other = (int(number) for number in _draw(place, rule, 2))
    one, other = one % n_rows, other % (n_rows - 1)
    return one, other + (other >= one)


def _draw(place, rule, n):
    """Draw numbers that depend on the position in the tree, not on tasks."""
    return np.random.SeedSequence([rule.seed, *place]).generate_state(n, np.uint64)
