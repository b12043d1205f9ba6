"""The labels of a model by column, where labels may have been added and removed."""

from __future__ import annotations

from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skxmr._inputs._class_labels import (
    concatenate_labels,
    exact_labels,
    find_columns,
    list_labels,
)
from skxmr._inputs._columns import InvalidInputError, as_list
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_range,
    check_vector,
    refuse,
)

__all__ = ["KnownClasses", "known_classes"]


class KnownClasses:
    """The labels of a model, and the column of each.

    Immutable. Columns never change: those of added labels follow, and a removed label
    leaves its column unused. It may be added again, with a new column.

    Parameters
    ----------
    fitted : ndarray of shape (n_fitted,)
        The labels of the fit, ascending: classes of a 1-D target, or column indices of
        an indicator.
    added : ndarray of shape (n_added,), or None, default=None
        Those that were added since, in order.
    removed : ndarray of int64, or None, default=None
        The columns of removed labels, ascending.
    """

    fitted: NDArray
    removed: NDArray

    def __init__(self, fitted: NDArray, added=None, removed=None):
        self.fitted = fitted
        self.added = added
        self.removed = np.empty(0, dtype=np.int64) if removed is None else removed

    @classmethod
    def of(cls, classes) -> Self:
        """Make the labels of a fit from their array in the order of the columns.

        Parameters
        ----------
        classes : ndarray of shape (n_labels,)
            Each once. Columns of a data frame need not ascend.
        """
        if np.all(classes[1:] > classes[:-1]):
            return cls(classes)
        return cls(classes[:1], classes[1:])

    def __getstate__(self):
        return {name: getattr(self, name) for name in ("fitted", "added", "removed")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("KnownClasses"):
            self._check()

    def _check(self):
        """Raise ValueError if a loaded object is not consistent."""
        if self.added is not None and self.added.ndim != 1:
            refuse("KnownClasses.added", f"has the shape {self.added.shape}")
        check_vector(self.removed, (np.int64,), None, "KnownClasses.removed")
        if len(self.removed):
            first, last = self.removed[0], self.removed[-1]
            check_range(self.removed, 0, len(self), "KnownClasses.removed")
            check_ascending(self.removed, first, last, "KnownClasses.removed")

    def __len__(self):
        return len(self.fitted) + (0 if self.added is None else len(self.added))

    @cached_property
    def classes(self):
        """The labels by column, also removed ones."""
        if self.added is None:
            return self.fitted
        return np.concatenate([self.fitted, self.added])

    @property
    def n_alive(self):
        """Number of labels that were not removed."""
        return len(self) - len(self.removed)

    @cached_property
    def _ascending(self):
        """The added labels, ascending, and their columns; the last of equal ones."""
        order = np.argsort(self.added, kind="stable")
        ascending = self.added[order]
        is_last = np.ones(len(order), dtype=bool)
        is_last[:-1] = ascending[1:] != ascending[:-1]
        return ascending[is_last], order[is_last] + len(self.fitted)

    @cached_property
    def ever_known(self) -> Self:
        """The same with the labels that were removed, but for those that came back."""
        return type(self)(self.fitted, self.added)

    def find(self, labels):
        """Find the columns of labels by exact comparison.

        Parameters
        ----------
        labels : ndarray of shape (n,)
            As returned by `exact_labels`.

        Returns
        -------
        ndarray of shape (n,), int64
            -1 for labels that are unknown or removed.
        """
        columns = find_columns(labels, self.fitted)
        if self.added is not None:
            ascending, of_added = self._ascending
            found = find_columns(labels, ascending)
            columns = np.where(found >= 0, of_added[found], columns)
        return np.where(np.isin(columns, self.removed), -1, columns)

    def with_columns(self, n_added) -> Self:
        """Return the same with more columns of an indicator."""
        return self._with(np.arange(len(self), len(self) + n_added))

    def with_classes(self, labels, n_added, name="labels") -> Self:
        """Return the same with more class labels.

        Parameters
        ----------
        labels : iterable
            From the user.
        n_added : int
            Their expected number.
        name : str, default="labels"
            What to call them in messages.

        Returns
        -------
        KnownClasses

        Raises
        ------
        ValueError, TypeError
            If they are not so many labels of the type of the known ones, each once, or
            one is known.
        """
        expected = "a sequence of labels, one for each text"
        given = exact_labels(as_list(labels, name, expected), name)
        if len(given) != n_added:
            raise ValueError(
                f"{name} has {len(given)} labels; expected {n_added}, one for each "
                f"text."
            )
        if not n_added:
            return self
        self._refuse_repeats(given, name)
        added = concatenate_labels(self.fitted[:1], given, name)[1:]
        self._refuse_other_type(added, name)
        is_known = self.find(added) >= 0
        if is_known.any():
            label = list_labels(given[is_known])[0]
            raise ValueError(f"{name} holds {label!r:.50}, which is a label already.")
        return self._with(added)

    def _with(self, added):
        if self.added is not None:
            added = np.concatenate([self.added, added])
        return type(self)(self.fitted, added, self.removed)

    def without(self, columns) -> Self:
        """Return the same after the removal of labels.

        Parameters
        ----------
        columns : ndarray of int64
        """
        return type(self)(self.fitted, self.added, np.union1d(self.removed, columns))

    def _refuse_other_type(self, added, name):
        """Refuse labels of another type than the known ones."""
        known, kind = self.fitted.dtype.kind, added.dtype.kind
        if known != kind and {known, kind} != {"U", "O"}:
            raise InvalidInputError(
                f"{name} holds labels like {list_labels(added)[0]!r:.50}; expected "
                f"some like {list_labels(self.fitted[:1])[0]!r:.50}."
            )

    @staticmethod
    def _refuse_repeats(given, name):
        seen = set()
        for label in list_labels(given):
            if label in seen:
                raise ValueError(f"{name} has the label {label!r:.50} more than once.")
            seen.add(label)


def known_classes(state):
    """Return the labels of a fitted state.

    Parameters
    ----------
    state : object
        With an attribute `known`; or with `classes`, if no labels are added or removed.

    Returns
    -------
    KnownClasses
    """
    known = getattr(state, "known", None)
    return KnownClasses.of(state.classes) if known is None else known
