"""Many texts as two arrays, which are memory-mapped instead of read.

A list of a million strings takes a second to unpickle, and its memory belongs to one
process. Two arrays open at once, and processes that map their file share the memory.
"""

from collections.abc import Iterable, Sequence
from typing import NoReturn, Self, overload

import numpy as np
from numpy.typing import NDArray

from skxmr._cython._packed_texts import decode_text, decode_texts
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_ascending,
    check_vector,
    refuse,
    to_be_read,
)

__all__ = ["PackedTexts"]

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
