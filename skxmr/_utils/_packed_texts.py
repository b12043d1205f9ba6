"""Many texts as two arrays, which are memory-mapped instead of read.

A list of a million strings takes a second to unpickle, and its memory belongs to one
process. Two arrays open at once, and processes that map their file share the memory.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NoReturn, Self, overload

import numpy as np
from numpy.typing import NDArray

from skxmr._cython._packed_texts import decode_text, decode_texts
from skxmr._memory._large import is_mapped
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_vector,
    refuse,
    to_be_read,
)

__all__ = ["GrownTexts", "PackedTexts", "are_mapped", "joined"]

_N_SHOWN = 3
_N_PER_BLOCK = 4096  # texts that an iteration decodes at a time


def _encode(text):
    if not isinstance(text, str):
        raise TypeError(f"a text must be a str; got {text!r:.50}.")
    # Python strings may contain lone surrogates, which are not valid UTF-8.
    return text.encode("utf-8", "surrogatepass")


class PackedTexts(Sequence):
    """An immutable sequence of strings that are decoded when they are accessed.

    It is equal to a list of the same strings.

    Parameters
    ----------
    text : ndarray of shape (n_bytes,), uint8
        The concatenated texts in UTF-8, in which surrogates are allowed.
    offsets : ndarray of shape (n_texts + 1,), int64
        The start of each text, and the end of the last one.
    """

    text: NDArray
    offsets: NDArray

    def __init__(self, text: NDArray, offsets: NDArray):
        self.text = text
        self.offsets = offsets

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Pack texts.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        PackedTexts

        Raises
        ------
        TypeError
            If an item is not a string.
        """
        encoded = list(map(_encode, texts))
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum(list(map(len, encoded)), out=offsets[1:])
        return cls.from_arrays(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    @classmethod
    def from_arrays(cls, text: NDArray, offsets: NDArray) -> Self:
        """Make a sequence of texts that are packed.

        Parameters
        ----------
        text : ndarray of shape (n_bytes,), uint8
        offsets : ndarray of shape (n_texts + 1,), int64

        Returns
        -------
        PackedTexts
        """
        return cls(text, offsets)

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors(type(self).__name__):
            self._check_arrays()

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name = type(self).__name__
        check_vector(self.text, (np.uint8,), None, f"{name}.text")
        check_vector(self.offsets, (np.int64,), None, f"{name}.offsets")
        if len(self.offsets) == 0:
            refuse(f"{name}.offsets", f"is empty; expected 0 to {len(self.text)}")
        if to_be_read(self.text, self.offsets):
            check_ascending(
                self.offsets, 0, len(self.text), f"{name}.offsets", strictly=False
            )
            self._check_characters()

    def _check_characters(self):
        """Raise ValueError for invalid UTF-8, or texts that start in a character."""
        name, text, offsets = type(self).__name__, self.text, self.offsets
        try:
            text.tobytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            refuse(f"{name}.text", f"is no UTF-8 ({error.reason} at {error.start})")
        firsts = text[offsets[offsets < len(text)]]
        if ((firsts & 0xC0) == 0x80).any():
            refuse(f"{name}.offsets", "cuts a character in two")

    @property
    def is_mapped(self) -> bool:
        """Whether texts are memory-mapped from a file."""
        return is_mapped(self.text)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self))))
        try:
            return decode_text(self.text, self.offsets, index)
        except ValueError as error:
            self._refuse_contents(error)

    def __iter__(self):
        for start in range(0, len(self), _N_PER_BLOCK):
            yield from self.take(np.arange(start, min(start + _N_PER_BLOCK, len(self))))

    def take(self, indices: Sequence[int] | NDArray) -> list[str]:
        """Return some of the texts.

        Parameters
        ----------
        indices : array-like of shape (n_taken,), int

        Returns
        -------
        list of str

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        numbers = np.asarray(indices, dtype=np.int64)
        try:
            return decode_texts(self.text, self.offsets, numbers)
        except ValueError as error:
            self._refuse_contents(error)

    def _refuse_contents(self, error) -> NoReturn:
        refuse(type(self).__name__, f"holds a text that cannot be decoded ({error})")

    def appended(self, texts: Iterable[str]) -> GrownTexts:
        """Return the same texts and more, without a copy of these.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        GrownTexts

        Raises
        ------
        TypeError
            If an item is not a string.
        """
        return GrownTexts(self, PackedTexts.of(texts))

    def compacted(self) -> PackedTexts:
        """Return the same texts in two arrays."""
        return self

    def to_list(self) -> list[str]:
        """Return all texts."""
        return self.take(np.arange(len(self)))

    def __eq__(self, other):
        if isinstance(other, PackedTexts):
            same_offsets = np.array_equal(self.offsets, other.offsets)
            return same_offsets and np.array_equal(self.text, other.text)
        if isinstance(other, list):
            return len(self) == len(other) and self.to_list() == other
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        shown = [f"{text!r:.40}" for text in self[:_N_SHOWN]]
        if len(self) > _N_SHOWN:
            shown.append("...")
        return f"<{type(self).__name__} of {len(self)}: {', '.join(shown)}>"


class GrownTexts(PackedTexts):
    """Packed texts to which others were appended.

    Parameters
    ----------
    first, added : PackedTexts

    Attributes
    ----------
    text, offsets : ndarray
        Of all texts: copies, made when they are first read.
    """

    first: PackedTexts
    added: PackedTexts

    def __init__(self, first: PackedTexts, added: PackedTexts):
        self.first = first
        self.added = added

    def __getstate__(self):
        return {"first": self.first, "added": self.added}

    def _check_arrays(self):
        """Raise ValueError if the attributes of a loaded model are not consistent."""
        for name in ("first", "added"):
            value = getattr(self, name)
            if type(value) is not PackedTexts:
                refuse(f"GrownTexts.{name}", f"is a {type(value).__name__}")

    @property
    def is_mapped(self) -> bool:
        """Whether some of the texts are memory-mapped from a file."""
        return self.first.is_mapped or self.added.is_mapped

    @cached_property
    def text(self):  # type: ignore[override]
        """The concatenated texts."""
        return np.concatenate([self.first.text, self.added.text])

    @cached_property
    def offsets(self):  # type: ignore[override]
        """The start of each text, and the end of the last one."""
        added = self.added.offsets[1:] + self.first.offsets[-1]
        return np.concatenate([self.first.offsets, added])

    def __len__(self) -> int:
        return len(self.first) + len(self.added)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self))))
        position = operator.index(index)
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} texts")
        n_first = len(self.first)
        if position < n_first:
            return self.first[position]
        return self.added[position - n_first]

    def take(self, indices: Sequence[int] | NDArray) -> list[str]:
        """Return some of the texts, as `PackedTexts.take`."""
        numbers = np.asarray(indices, dtype=np.int64)
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        if (numbers < 0).any():
            raise IndexError(f"an index is out of range for {len(self)} texts")
        is_added = numbers >= len(self.first)
        if not is_added.any():
            return self.first.take(numbers)
        first = iter(self.first.take(numbers[~is_added]))
        added = iter(self.added.take(numbers[is_added] - len(self.first)))
        return [next(added if one else first) for one in is_added.tolist()]

    def appended(self, texts: Iterable[str]) -> GrownTexts:
        """Return the same texts and more, in time of the appended ones."""
        more = PackedTexts.of(texts)
        return GrownTexts(self.first, GrownTexts(self.added, more).compacted())

    def compacted(self) -> PackedTexts:
        """Return the same texts in two arrays."""
        return PackedTexts(self.text, self.offsets)


def are_mapped(texts):
    """Return whether texts are `PackedTexts` from a file."""
    return isinstance(texts, PackedTexts) and texts.is_mapped


def joined(first, second):
    """Return texts followed by others; in memory only if none are mapped.

    Parameters
    ----------
    first, second : list of str, or PackedTexts

    Returns
    -------
    list of str, or GrownTexts
    """
    if not (are_mapped(first) or are_mapped(second)):
        return [*first, *second]
    return GrownTexts(
        *(
            one if isinstance(one, PackedTexts) else PackedTexts.of(one)
            for one in (first, second)
        )
    )
