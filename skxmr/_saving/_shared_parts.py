"""Pickles of changed models without the parts that are saved already.

A change of a model makes a new state, which shares the arrays and objects that it does
not change. In a pickle, each of these is the number of the part in the base: the
position in the order in which pickling visits the parts. Other arrays are listed
beside the pickle, to be stored as changes of those of the change before.
"""

import io
import pickle
import weakref
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator

from skxmr._saving._array_changes import can_store

__all__ = ["SharedParts"]


class SharedParts(NamedTuple):
    """The parts of a model that was saved or loaded.

    Parameters
    ----------
    references : list of weakref
        To the parts of the base, in order: what no model holds is not kept alive.
    descriptions : list of str
        Of the type of each, and the dtype and shape of an array.
    """

    references: list
    descriptions: list

    @classmethod
    def of(cls, model: Any) -> Self:
        """List the parts of a model."""
        lister = _Lister(io.BytesIO(), protocol=pickle.HIGHEST_PROTOCOL)
        lister.dump(model)
        found = lister.found
        return cls(list(map(weakref.ref, found)), list(map(_description, found)))

    def dump(self, model: Any, file: Any) -> list:
        """Pickle a model without these parts and without arrays.

        Parameters
        ----------
        model : object
        file : binary file object

        Returns
        -------
        list of ndarray
            The arrays that are no parts.
        """
        numbers: dict[int, int] = {}
        for number, reference in enumerate(self.references):
            part = reference()
            if part is not None:
                numbers.setdefault(id(part), number)
        writer = _Writer(file, numbers, len(self.references))
        writer.dump(model)
        return writer.arrays

    def load(self, file: Any, arrays: list) -> Any:
        """Load what `dump` has written, with these parts.

        Parameters
        ----------
        file : binary file object
        arrays : list of ndarray
            That `dump` has returned.

        Returns
        -------
        object
        """
        parts = [reference() for reference in self.references]
        return _Reader(file, parts, arrays).load()


def _is_part(obj):
    """Return whether an object is an array, or one of those that no change modifies.

    These are the states of estimators and what they consist of, in this package. The
    parameters and the state of an estimator can be set.
    """
    if isinstance(obj, np.ndarray):
        return True
    kind = type(obj)
    is_own = kind.__module__.startswith("skxmr.") and not isinstance(obj, BaseEstimator)
    return is_own and kind.__weakrefoffset__ > 0


def _description(part):
    name = type(part).__name__
    if isinstance(part, np.ndarray):
        # A mapped array is a part like that which was saved.
        return f"ndarray {part.dtype.str} {part.shape}"
    return name


class _Lister(pickle.Pickler):
    """Lists parts; of arrays it writes nothing."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.found: list = []

    def persistent_id(self, obj):
        if not _is_part(obj):
            return None
        self.found.append(obj)
        return 0 if isinstance(obj, np.ndarray) else None


class _Writer(pickle.Pickler):
    """Writes the number of each part of the base, and lists other arrays."""

    def __init__(self, file, numbers, n_parts):
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.numbers = numbers
        self.n_parts = n_parts
        self.arrays: list = []  # kept alive, so that their ids remain theirs
        self.positions: dict[int, int] = {}

    def persistent_id(self, obj):
        if not _is_part(obj):
            return None
        number = self.numbers.get(id(obj))
        if number is not None:
            return number
        if type(obj) is not np.ndarray or not can_store(obj):
            return None
        position = self.positions.setdefault(id(obj), len(self.arrays))
        if position == len(self.arrays):
            self.arrays.append(obj)
        return self.n_parts + position


class _Reader(pickle.Unpickler):
    """Replaces numbers by parts of the base, and then by the other arrays."""

    def __init__(self, file, parts, arrays):
        super().__init__(file)
        self.parts = [*parts, *arrays]

    def persistent_load(self, pid):
        if not isinstance(pid, int) or not 0 <= pid < len(self.parts):
            raise pickle.UnpicklingError(f"there is no part {pid!r:.20} in the base")
        return self.parts[pid]
