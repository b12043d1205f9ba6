"""Searches restricted to a subset of the labels: the nodes that they may enter."""

from __future__ import annotations

from typing import Literal

import numpy as np

from skxmr._base._state import reads
from skxmr._cython._subset import RowLabels, allow_ranges, forbid
from skxmr._inputs._known_classes import known_classes
from skxmr._inputs._label_choice import check_choice
from skxmr._utils._typing import SomeLabels
from skxmr.ranking import (
    LabelSubset,
    has_row_masks,
    resolve_row_subset,
    resolve_subset,
)

__all__ = [
    "LabelNodes",
    "MakesSubsets",
]


class LabelNodes:
    """The nodes of the labels of a laid-out tree, and the nodes above them.

    Parameters
    ----------
    layout : SearchLayout
    labels : ndarray of shape (n_labels,), int64, default=None
        The label of each node of the last level, numbered from 0. None stands for
        ``layout.labels``.

    Attributes
    ----------
    nodes : ndarray of shape (n_labels,), int32
        The node of each label (column), as the layout numbers nodes.
    parents : ndarray of shape (n_nodes,), int32
        The parent of each node; of the root, itself.
    never_found : ndarray of int64
        Columns of the labels that no training row has.
    """

    def __init__(self, layout, labels=None):
        self.child_offsets = layout.child_offsets
        self.n_added = 0
        if layout.delta is not None:
            self._extend(layout.base.label_nodes, layout)
            return
        labels = layout.labels if labels is None else labels
        self.nodes = np.empty(layout.n_labels, dtype=np.int32)
        first = int(layout.level_starts[-1])
        self.nodes[labels] = np.arange(first, first + layout.n_labels)
        n_children = np.diff(layout.child_offsets)
        parents = np.repeat(np.arange(len(n_children), dtype=np.int32), n_children)
        self.parents = np.concatenate([np.zeros(1, dtype=np.int32), parents])
        self.never_found = np.flatnonzero(layout.intercepts[self.nodes - 1] == -np.inf)

    def _extend(self, base, layout):
        """Start from the nodes of a layout without its delta.

        Added labels are numbered as nodes after all others.
        """
        delta = layout.delta
        self.n_added = delta.n_added
        added = len(base.parents) + np.arange(self.n_added, dtype=np.int32)
        self.nodes = np.concatenate([base.nodes, added], dtype=np.int32)
        self.parents = np.concatenate([base.parents, delta.added_parents])
        changes = [one for one in delta.parents.values() if len(one.labels)]
        columns = np.concatenate([*(c.labels for c in changes), base.never_found[:0]])
        intercepts = np.concatenate(
            [*(c.intercepts for c in changes), layout.intercepts[:0]]
        )
        is_never = intercepts == -np.inf
        never = np.setdiff1d(base.never_found, columns[~is_never])
        self.never_found = np.union1d(never, columns[is_never]).astype(np.int64)

    def allow_all(self):
        """Return a set bit for each node: node i has bit i % 64 of word i // 64."""
        return np.full(-(-len(self.parents) // 64), ~np.uint64(0))

    def allow(self, ranges):
        """Mark the nodes that lead to the labels in some ranges of columns.

        Parameters
        ----------
        ranges : ndarray of shape (n_ranges, 2), int64
            First column of a range, and the one after its last.

        Returns
        -------
        ndarray of uint64, or None
            A bit for each node. None where the ranges hold all labels.
        """
        if len(ranges) == 1 and ranges[0, 1] - ranges[0, 0] == len(self.nodes):
            return None
        allowed = np.zeros(-(-len(self.parents) // 64), dtype=np.uint64)
        allow_ranges(ranges, self.nodes, self.parents, allowed)
        return allowed

    def forbid(self, columns, allowed):
        """Clear the bits of labels, in place, and of nodes that now lead to none.

        Parameters
        ----------
        columns : ndarray of int64
        allowed : ndarray of uint64
        """
        forbid(columns, self.nodes, self.parents, self.child_offsets, allowed)
        if not self.n_added:
            return
        # The kernel does not know the added labels as children of their parents.
        first = len(self.parents) - self.n_added
        nodes = first + np.arange(self.n_added)
        is_allowed = allowed[nodes >> 6] >> (nodes & 63).astype(np.uint64) & np.uint64(
            1
        )
        nodes = nodes[is_allowed != 0]
        while nodes.any():
            nodes = np.unique(self.parents[nodes])
            bits = np.uint64(1) << (nodes & 63).astype(np.uint64)
            np.bitwise_or.at(allowed, nodes >> 6, bits)

    def bits(self, allowed, excluded):
        """Mark the nodes that a search among some labels may enter.

        Parameters
        ----------
        allowed : ndarray of int64, ascending, or None for all
        excluded : ndarray of int64
            Columns of labels.

        Returns
        -------
        ndarray of uint64
            A bit for each node.
        """
        bits = None
        if allowed is not None:
            bits = self.allow(np.stack([allowed, allowed + 1], axis=1))
        if bits is None:
            bits = self.allow_all()
        # A node that leads only to labels that are never found would waste a position
        # of the beam.
        self.forbid(np.concatenate([excluded, self.never_found]), bits)
        return bits

    def of_rows(self, offsets, columns, base=None):
        """Bind the labels that each row may find, or may not, for one search.

        Parameters
        ----------
        offsets : ndarray of shape (n_rows + 1,), int64
        columns : ndarray of int32
            Ascending within a row.
        base : ndarray of uint64, default=None
            None: rows find these labels only. Otherwise the nodes that all rows may
            enter, as `bits` returns them; rows do not find their labels.

        Returns
        -------
        RowLabels
        """
        if base is None:
            bits = np.zeros(-(-len(self.parents) // 64), dtype=np.uint64)
        else:
            bits = base.copy()
        # The added labels are not known as children of their parents.
        children = None if self.n_added else self.child_offsets
        tree = self.nodes, self.parents, children
        return RowLabels(offsets, columns, *tree, base, bits)


class MakesSubsets:
    """Mixin for estimators that can rank some of their labels only.

    The state that they learn has `classes`; `_subset_of` makes the subset.
    """

    @reads
    def subset(
        self,
        allowed: SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        *,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> LabelSubset:
        """Make a set of allowed labels that searches can be restricted to.

        Making it takes time that grows with the number of labels; any number of
        searches can use it.

        Parameters
        ----------
        allowed : iterable of labels, or of bool of length n_labels, default=None
            Columns of an indicator, or classes, in any container such as a list, a set
            or a column of a data frame; or a boolean mask. None allows all labels.
        excluded : iterable of labels, or of bool of length n_labels, default=None
            Labels to remove from the allowed ones; some may have been removed already.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that the estimator does not know raise an error or are
            ignored, for example if a catalogue has changed since the fit.

        Returns
        -------
        LabelSubset
            To be passed to this estimator as `allowed`, until it is fitted again.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a label does not exist, or the argument is not an iterable of labels.
        """
        state = self._fitted()  # type: ignore[attr-defined]
        return self._subset_of(
            state, *check_choice(known_classes(state), allowed, excluded, unknown)
        )

    def _subset_of(self, state, allowed, excluded):
        """Make a subset from the columns that `check_choice` returns."""
        raise NotImplementedError

    def _restricted(self, allowed, excluded, unknown, *, n_rows=None):
        """Return the subset of a search, or of each of its rows; None for all labels.

        Without `n_rows`, as for a single row, a mask of rows is refused.
        """
        if n_rows is None or not has_row_masks(allowed, excluded):
            return resolve_subset(self.subset, allowed, excluded, unknown)
        known = known_classes(self._fitted())  # type: ignore[attr-defined]
        return resolve_row_subset(
            self.subset, known, n_rows, allowed, excluded, unknown
        )
