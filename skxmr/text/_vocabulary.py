"""Terms, such as n-grams, as plain arrays: their text and a hash table."""

import hashlib
import os

import numpy as np

from skxmr._cython import _vocabulary as kernel
from skxmr._utils._loaded_state import (
    check_ascending,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._utils._packed_texts import PackedTexts
from skxmr._version import refuse_newer

__all__ = [
    "GrowingVocabulary",
    "LaterVocabulary",
    "Vocabulary",
    "find_terms",
    "grown",
    "run_kernel",
]

STATUS = {number: name for name, number in kernel.STATUS.items()}
# Increase this when the meaning of the arrays of `Vocabulary` changes.
TERMS_VERSION = 2
MOST_TERMS = np.iinfo(np.int32).max - 1


def grown(array):
    """Copy an array into one twice as long."""
    larger = np.empty(2 * len(array), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def run_kernel(kernel_from, growers):
    """Call a kernel until it is done; whenever an array is full, grow it.

    Parameters
    ----------
    kernel_from : callable
        Takes the item to start from; returns a status and the item to continue from.
    growers : dict of callable
        For each status name of a full array.
    """
    status, item = kernel_from(0)
    while STATUS[status] != "done":
        growers[STATUS[status]]()
        status, item = kernel_from(item)


def _key_from(data):
    """Make the key of a hash table from 16 bytes."""
    return np.frombuffer(data, dtype="<u8").astype(np.uint64)


def _key_of(text, offsets):
    """Derive the key of a table from all of its terms.

    So equal vocabularies have equal tables, but terms cannot be chosen to collide:
    changing one changes the key.
    """
    digest = hashlib.blake2b(offsets.astype("<i8").tobytes(), digest_size=16)
    digest.update(text.tobytes())
    return _key_from(digest.digest())


def _make_slots(text, offsets, key):
    """Build a hash table that is at most half full."""
    slots = np.zeros(1 << (2 * len(offsets) - 1).bit_length(), dtype=np.uint64)
    kernel.fill_slots(text, offsets, key, slots)
    return slots


class Vocabulary(PackedTexts):
    """Distinct strings with numbers, which can be looked up by their UTF-8.

    Parameters
    ----------
    text : ndarray of shape (n_bytes,), uint8
    offsets : ndarray of shape (n_terms + 1,), int64
        The terms, as in `PackedTexts`.
    slots : ndarray of shape (n_slots,), uint64
        Hash table: 0, or the upper half of a term's hash and its number plus 1. The
        number of slots is a power of 2, at least twice the number of terms.
    key : ndarray of shape (2,), uint64
        The key of the hash, derived from the terms.
    """

    def __init__(self, text, offsets, slots, key):
        super().__init__(text, offsets)
        self.slots = slots
        self.key = key
        self.version = TERMS_VERSION
        self._numbers = None

    @classmethod
    def from_arrays(cls, text, offsets):
        """Make a vocabulary of terms, which have to be distinct.

        Parameters
        ----------
        text : ndarray of shape (n_bytes,), uint8
        offsets : ndarray of shape (n_terms + 1,), int64
        """
        key = _key_of(text, offsets)
        return cls(text, offsets, _make_slots(text, offsets, key), key)

    def __getstate__(self):
        return {**self.__dict__, "_numbers": None}

    def __setstate__(self, state):
        refuse_newer(state, TERMS_VERSION, "This vocabulary")
        super().__setstate__(state)

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        super()._check_arrays()
        if self.version == 1:
            self._add_key()
        check_vector(self.slots, (np.uint64,), None, "Vocabulary.slots")
        check_vector(self.key, (np.uint64,), 2, "Vocabulary.key")
        if to_be_read(*self.arrays()):
            # With a table that is too full or of other terms, lookups would be slow or
            # fail.
            if not np.array_equal(self.key, _key_of(self.text, self.offsets)):
                refuse("Vocabulary.key", "is not the key of its terms")
            slots = _make_slots(self.text, self.offsets, self.key)
            if not np.array_equal(self.slots, slots):
                refuse("Vocabulary.slots", "is not the hash table of its terms")

    def _add_key(self):
        """Make the table anew, as before version 2 there was no key."""
        size = len(self.text)
        check_ascending(self.offsets, 0, size, "Vocabulary.offsets", strictly=False)
        self.key = _key_of(self.text, self.offsets)
        self.slots = _make_slots(self.text, self.offsets, self.key)
        self.version = TERMS_VERSION

    def arrays(self):
        """Return the arrays for the kernels."""
        return self.text, self.offsets, self.slots, self.key

    def select(self, order):
        """Make a vocabulary of some of the terms, as `GrowingVocabulary.select`."""
        return _select(self.text, self.offsets, order)

    def numbers(self):
        """Map each term to its number: a dict, built on first access."""
        if self._numbers is None:
            self._numbers = {term: i for i, term in enumerate(self.to_list())}
        return self._numbers


class LaterVocabulary(Vocabulary):
    """A vocabulary that grows: its hash table is made anew when it is loaded.

    Each further term changes the whole table, which would be saved with each change.
    """

    def __getstate__(self):
        return {**super().__getstate__(), "slots": None, "key": None}

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        PackedTexts._check_arrays(self)
        check_ascending(
            self.offsets, 0, len(self.text), "Vocabulary.offsets", strictly=False
        )
        self.key = _key_of(self.text, self.offsets)
        self.slots = _make_slots(self.text, self.offsets, self.key)


def find_terms(terms, vocabulary):
    """Find strings in a vocabulary.

    Parameters
    ----------
    terms : list of str
    vocabulary : Vocabulary

    Returns
    -------
    ndarray of shape (n_terms,), int32
        -1 for those that it does not have.
    """
    numbers = np.empty(len(terms), dtype=np.int32)
    kernel.find_terms(terms, vocabulary, numbers)
    return numbers


class GrowingVocabulary:
    """A vocabulary that is being collected, with the counts of its terms.

    The kernels that add terms read the arrays by their names.

    Attributes
    ----------
    sizes : ndarray of shape (2,), int64
        Number of terms, and of bytes of their text.
    text, offsets, slots : ndarray
        As in `Vocabulary`, with additional space.
    key : ndarray of shape (2,), uint64
        The key of the hash: random, since the numbers of terms do not depend on it.
    document_counts, total_counts : ndarray of shape (max_terms,), int64
        Number of documents that contain the term, and of occurrences.
    entries : ndarray of shape (max_terms,), int64
        Workspace of the kernel.
    """

    def __init__(self):
        self.sizes = np.zeros(2, dtype=np.int64)
        self.text = np.empty(1 << 13, dtype=np.uint8)
        self.offsets = np.zeros((1 << 10) + 1, dtype=np.int64)
        self.slots = np.zeros(1 << 11, dtype=np.uint64)
        self.key = _key_from(os.urandom(16))
        self.document_counts = np.empty(1 << 10, dtype=np.int64)
        self.total_counts = np.empty(1 << 10, dtype=np.int64)
        self.entries = np.empty(1 << 10, dtype=np.int64)

    def __len__(self):
        return int(self.sizes[0])

    def growers(self):
        """Map each status of the kernels to the function that grows the full array."""
        return {"bytes": self._grow_text, "terms": self._grow_terms}

    def _grow_text(self):
        self.text = grown(self.text)

    def _grow_terms(self):
        n_terms = len(self)
        if n_terms >= MOST_TERMS:
            raise OverflowError(f"there are more than {MOST_TERMS} different n-grams")
        for name in ("document_counts", "total_counts", "entries"):
            setattr(self, name, grown(getattr(self, name)))
        offsets = np.zeros(len(self.entries) + 1, dtype=np.int64)
        offsets[: n_terms + 1] = self.offsets[: n_terms + 1]
        self.offsets = offsets
        self.slots = np.zeros(2 * len(self.slots), dtype=np.uint64)
        kernel.fill_slots(self.text, offsets[: n_terms + 1], self.key, self.slots)

    def add(self, terms, document_counts, total_counts):
        """Add terms and their counts; equal terms are merged.

        Parameters
        ----------
        terms : Vocabulary or GrowingVocabulary
        document_counts, total_counts : ndarray of shape (n_terms,), int64

        Returns
        -------
        ndarray of shape (n_terms,), int32
            The number of each term in this object.
        """
        offsets = terms.offsets[: len(terms) + 1]
        numbers = np.empty(len(terms), dtype=np.int32)

        def add_from(term):
            return kernel.add_terms(
                terms.text,
                offsets,
                document_counts,
                total_counts,
                term,
                self,
                numbers,
            )

        run_kernel(add_from, self.growers())
        return numbers

    def sort(self, order):
        """Sort some terms by their characters.

        Parameters
        ----------
        order : ndarray of shape (n_kept,), int64
            Their numbers.

        Returns
        -------
        ndarray of shape (n_kept,), int64
        """
        order = np.ascontiguousarray(order, dtype=np.int64)
        scratch = np.empty((len(order), 4), dtype=np.uint64)
        kernel.sort_terms(self.text, self.offsets[: len(self) + 1], order, scratch)
        return order

    def select(self, order):
        """Make a `Vocabulary` of some of the terms.

        Parameters
        ----------
        order : ndarray of shape (n_kept,), int64
            The numbers of the terms to take, in their new order.

        Returns
        -------
        Vocabulary
        """
        return _select(self.text, self.offsets[: len(self) + 1], order)


def _select(text, offsets, order):
    """Make a `Vocabulary` of some of the terms of an array of texts."""
    starts = np.zeros(len(order) + 1, dtype=np.int64)
    np.cumsum(offsets[order + 1] - offsets[order], out=starts[1:])
    selected = np.empty(starts[-1], dtype=np.uint8)
    kernel.gather_terms(text, offsets, order, starts, selected)
    return Vocabulary.from_arrays(selected, starts)
