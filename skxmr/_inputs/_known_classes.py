"""The labels of a model by column, where labels may have been added and removed."""

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
from skxmr._utils._loaded_state import as_value_errors, check_vector, refuse

__all__ = ["KnownClasses", "known_classes"]


class KnownClasses:
    """The labels of a model, and the column of each.

    Immutable. Columns never change: those of added labels follow, and a removed label
    leaves its column unused. It may be added again, with a new column.

    Parameters
    ----------
    classes : ndarray of shape (n_labels,)
        The class labels of a 1-D target, or the column indices of an indicator, also of
        removed labels.
    n_sorted : int or None, default=None
        So many of the first ascend: those of the fit. None for all.
    is_removed : ndarray of shape (n_labels,), bool, or None, default=None
        None if no label was removed.
    """

    classes: NDArray
    is_removed: NDArray | None

    def __init__(self, classes: NDArray, n_sorted=None, is_removed=None):
        self.classes = classes
        self.n_sorted = len(classes) if n_sorted is None else n_sorted
        self.is_removed = is_removed

    def __getstate__(self):
        state = self.__dict__.copy()
        state.pop("_added", None)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("KnownClasses"):
            self._check()

    def _check(self):
        """Raise ValueError if a loaded object is not consistent."""
        n_labels = len(self.classes)
        if type(self.n_sorted) is not int or not 0 <= self.n_sorted <= n_labels:
            refuse("KnownClasses.n_sorted", f"is {self.n_sorted!r:.40}")
        if self.is_removed is not None:
            check_vector(self.is_removed, (bool,), n_labels, "KnownClasses.is_removed")

    def __len__(self):
        return len(self.classes)

    @property
    def n_alive(self):
        """Number of labels that were not removed."""
        n_removed = 0 if self.is_removed is None else int(self.is_removed.sum())
        return len(self.classes) - n_removed

    @property
    def removed(self):
        """The columns of removed labels, an ndarray of int64."""
        if self.is_removed is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self.is_removed)

    @cached_property
    def _added(self):
        """The added labels, ascending, and their columns; the last of equal ones."""
        added = self.classes[self.n_sorted :]
        order = np.argsort(added, kind="stable")
        ascending = added[order]
        is_last = np.ones(len(order), dtype=bool)
        is_last[:-1] = ascending[1:] != ascending[:-1]
        return ascending[is_last], order[is_last] + self.n_sorted

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
        columns = find_columns(labels, self.classes[: self.n_sorted])
        if self.n_sorted < len(self.classes):
            ascending, of_added = self._added
            found = find_columns(labels, ascending)
            columns = np.where(found >= 0, of_added[found], columns)
        if self.is_removed is not None:
            columns = np.where((columns >= 0) & self.is_removed[columns], -1, columns)
        return columns

    def with_columns(self, n_added) -> Self:
        """Return the same with more columns of an indicator."""
        classes = np.arange(len(self.classes) + n_added)
        return type(self)(classes, len(classes), self._grown_mask(n_added))

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
        classes = concatenate_labels(self.classes, given, name)
        self._refuse_other_type(classes, given, name)
        is_known = self.find(classes[len(self.classes) :]) >= 0
        if is_known.any():
            label = list_labels(given[is_known])[0]
            raise ValueError(f"{name} holds {label!r:.50}, which is a label already.")
        return type(self)(classes, self.n_sorted, self._grown_mask(n_added))

    def without(self, columns) -> Self:
        """Return the same after the removal of labels.

        Parameters
        ----------
        columns : ndarray of int64
        """
        is_removed = np.zeros(len(self.classes), dtype=bool)
        if self.is_removed is not None:
            is_removed[:] = self.is_removed
        is_removed[columns] = True
        return type(self)(self.classes, self.n_sorted, is_removed)

    def _grown_mask(self, n_added):
        if self.is_removed is None:
            return None
        return np.concatenate([self.is_removed, np.zeros(n_added, dtype=bool)])

    def _refuse_other_type(self, classes, given, name):
        """Refuse labels that changed the type of the known ones."""
        was, now = self.classes.dtype.kind, classes.dtype.kind
        if was != now and {was, now} != {"U", "O"}:
            raise InvalidInputError(
                f"{name} holds labels like {list_labels(given)[0]!r:.50}; expected "
                f"some like {list_labels(self.classes[:1])[0]!r:.50}."
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
        With an attribute `known`; or with ascending `classes`, if no labels are added
        or removed.

    Returns
    -------
    KnownClasses
    """
    known = getattr(state, "known", None)
    return KnownClasses(state.classes) if known is None else known
