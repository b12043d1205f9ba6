"""Texts that are read block by block, from any iterable."""

from collections.abc import Iterator
from inspect import GEN_CLOSED, getgeneratorstate, isgenerator
from itertools import chain, islice

from joblib import effective_n_jobs

from skxmr._inputs._columns import InvalidInputError
from skxmr._inputs._documents import check_documents, iterate_documents
from skxmr._parallel._parallel import count_threads
from skxmr._parallel._progress import step
from skxmr.text._counting import PARTS_PER_BLOCK, fill_part, split_texts

__all__ = ["TextStream"]


class TextStream:
    """Texts in blocks, each of which is released before the next one is read.

    Lists, arrays and columns of data frames are in memory anyway, and are checked at
    once. Any other iterable is read once, in the thread of the caller.

    Parameters
    ----------
    documents : iterable of str
        As for `check_documents`.
    n_jobs : int or None
        As in scikit-learn.
    name : str, default="raw_documents"
        Name of the argument, for messages.

    Attributes
    ----------
    n_read : int
        The number of texts in the blocks so far.

    Raises
    ------
    ValueError, TypeError
        As `check_documents`; for an item of an iterable, when its block is read.
    InvalidInputError
        If `documents` is a generator that has ended: a ValueError and a TypeError.
    """

    def __init__(self, documents, n_jobs, name="raw_documents"):
        self.n_read = 0
        self._name = name
        self._block_size = PARTS_PER_BLOCK * effective_n_jobs(n_jobs)
        self._share_memory = count_threads(n_jobs) > 0
        if isgenerator(documents) and getgeneratorstate(documents) == GEN_CLOSED:
            self._refuse_read("a generator")
        self._is_iterator = isinstance(documents, Iterator)
        self._is_in_memory = (
            isinstance(documents, (list, tuple))
            or hasattr(documents, "shape")
            or hasattr(documents, "to_pylist")  # Arrow
        )
        check = check_documents if self._is_in_memory else iterate_documents
        self._documents = check(documents, name)

    def blocks(self):
        """Yield lists of parts: lists of texts that are one task each.

        Delete a block, and what refers to it, before the next one is taken; it counts
        as done then.
        """
        if self._is_in_memory:
            parts = iter(split_texts(self._documents))
        else:
            parts = iter(lambda: fill_part(self._documents), [])
        total = len(self._documents) if self._is_in_memory else None
        with step("counting n-grams", total, "texts") as advance:
            while block := list(islice(parts, self._block_size)):
                n_texts = sum(map(len, block))
                self.n_read += n_texts
                yield block
                del block  # before the next one is read
                advance(n_texts)

    def blocks_to_learn(self):
        """Yield the same; one block, if workers do not share the memory it is in.

        Workers in other processes send their terms back for each block.
        """
        blocks = self.blocks()
        if self._share_memory or not self._is_in_memory:
            return blocks
        return [list(chain.from_iterable(blocks))]

    def refuse_nothing_read(self):
        """Raise an error if these are from an iterator, and there were none.

        Raises
        ------
        InvalidInputError
            A ValueError and a TypeError.
        """
        if self._is_iterator and not self.n_read:
            self._refuse_read("an iterator")

    def _refuse_read(self, kind):
        raise InvalidInputError(
            f"{self._name} is {kind} that yields no text; it has probably been read "
            f"before. Make a new one for each fit and each transform, or pass a "
            f"container that can be read again, such as a list or the result of "
            f"skxmr.streaming.load_texts."
        )
