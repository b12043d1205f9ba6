"""Index of the known queries: those with the same prefix are contiguous."""

import re
from functools import cached_property
from itertools import pairwise
from unicodedata import combining

import numpy as np

from skxmr._cython._completion import (
    BLOCK,
    SIZE_OF_LETTER,
    best_in_ranges,
    find_near,
)
from skxmr._matching._sorted_keys import SortedKeys, combining_classes
from skxmr._matching._words import WordIndex
from skxmr._utils._loaded_state import (
    as_value_errors,
    check_finite,
    check_list,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._version import refuse_newer
from skxmr.text._normalization import END_OF_KEY

__all__ = [
    "PREFIX_INDEX_VERSION",
    "PrefixIndex",
    "best_of",
    "block_best_of",
    "count_letters",
]

# What words are joined or separated by.
_JOINTS = " &'+-./_"
_JOINT_OF_LETTERS = re.compile(
    r"(?<![\d &'+./_-])[ &'+./_-]+|[ &'+./_-]+(?![\d &'+./_-])"
)

# Increase this when the meaning of an attribute of PrefixIndex changes.
PREFIX_INDEX_VERSION = 1


class PrefixIndex(SortedKeys):
    """The sorted keys of the queries, and their counts.

    The position of a query in this order is its *rank*.

    Parameters
    ----------
    keys : list of str
        Keys as made by `Normalizer.key`: distinct and sorted.
    counts : ndarray of shape (n_queries,), float64
        By rank.
    """

    def __init__(self, keys, counts):
        self.version = PREFIX_INDEX_VERSION
        self.keys = keys
        self.codes, self.offsets = _code_points(keys)
        self._set_counts(counts)

    def __getstate__(self):
        state = dict(self.__dict__)
        state.pop("words", None)  # made again when it is needed
        return state

    def __setstate__(self, state):
        refuse_newer(state, PREFIX_INDEX_VERSION, "This completer")
        self.__dict__.update(state)
        with as_value_errors("PrefixIndex"):
            self._check_arrays()

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        keys, n_queries = self.keys, len(self.keys)
        check_list(keys, str, n_queries, "PrefixIndex.keys")
        if not all(one < other for one, other in pairwise(keys)):
            refuse("PrefixIndex.keys", "is not sorted, or repeats a query")
        made = PrefixIndex.__new__(PrefixIndex)
        made.codes, made.offsets = _code_points(keys)
        check_vector(self.counts, (np.float64,), n_queries, "PrefixIndex.counts")
        if to_be_read(self.counts):
            check_finite(self.counts, "PrefixIndex.counts")
            if self.counts.min(initial=1) <= 0:
                refuse("PrefixIndex.counts", "has counts that are not positive")
        made._set_counts(self.counts)
        for name, expected in vars(made).items():
            array = getattr(self, name)
            check_vector(array, (expected.dtype,), len(expected), f"PrefixIndex.{name}")
            if to_be_read(array) and not np.array_equal(array, expected):
                refuse(
                    f"PrefixIndex.{name}", "is not consistent with its keys and counts"
                )

    def _set_counts(self, counts):
        self.counts = counts
        self.block_best = block_best_of(counts)
        self.cumulated = np.concatenate([[0.0], np.cumsum(counts)])

    def scaled(self, factor):
        """Return an index with all counts multiplied by a factor; none becomes 0."""
        index = PrefixIndex.__new__(PrefixIndex)
        index.__dict__.update(self.__dict__)
        index._set_counts(np.maximum(self.counts * factor, np.finfo(np.float64).tiny))
        return index

    def inserted(self, positions, keys, counts):
        """Return an index with further queries.

        Parameters
        ----------
        positions : list of int
            The rank before which each is inserted.
        keys : list of str
            Sorted, and not known.
        counts : ndarray of shape (n_new,), float64
        """
        index = PrefixIndex.__new__(PrefixIndex)
        index.version = self.version
        index.keys, parts, last = [], [], 0
        codes, offsets = _code_points(keys)
        for i, (position, key) in enumerate(zip(positions, keys, strict=True)):
            index.keys += self.keys[last:position]
            index.keys.append(key)
            parts.append(self.codes[self.offsets[last] : self.offsets[position]])
            parts.append(codes[offsets[i] : offsets[i + 1]])
            last = position
        index.keys += self.keys[last:]
        index.codes = np.concatenate([*parts, self.codes[self.offsets[last] :]])
        sizes = np.insert(np.diff(self.offsets), positions, np.diff(offsets))
        index.offsets = np.concatenate([[0], np.cumsum(sizes)])
        index._set_counts(np.insert(self.counts, positions, counts))
        return index

    def without(self, ranks):
        """Return an index without the queries of some ranks, which ascend."""
        index = PrefixIndex.__new__(PrefixIndex)
        index.version = self.version
        index.keys, parts, last = [], [], 0
        for rank in ranks.tolist():
            index.keys += self.keys[last:rank]
            parts.append(self.codes[self.offsets[last] : self.offsets[rank]])
            last = rank + 1
        index.keys += self.keys[last:]
        index.codes = np.concatenate([*parts, self.codes[self.offsets[last] :]])
        sizes = np.delete(np.diff(self.offsets), ranks)
        index.offsets = np.concatenate([[0], np.cumsum(sizes)])
        index._set_counts(np.delete(self.counts, ranks))
        return index

    @property
    def total(self):
        """The sum of all counts."""
        return float(self.cumulated[-1])

    def find_joined(self, prefix):
        """Find the queries that start with a prefix, however words are joined.

        Spaces and punctuation that joins words make no difference: "tshirt" is a prefix
        of "t-shirt red" and of "t shirt". Between digits they do: 1.2 is not 12.

        Parameters
        ----------
        prefix : str
            As for `find`.

        Returns
        -------
        ndarray of shape (n_ranges, 2), int64
            First rank of each range, and last rank plus one, ascending.
        """
        letters, is_fixed = _typed_letters(prefix)
        ranges, waiting = [], [("", 0, 0, len(self.keys))]
        while letters and waiting:
            beginning, n_found, *within = waiting.pop()
            if n_found == len(letters):
                if prefix.endswith(" "):
                    ranges += self._ending_a_word(beginning, *within)
                else:
                    ranges.append(within)
                continue
            start, stop = self._starting_with(beginning + letters[n_found], *within)
            if start < stop:
                next_one = beginning + letters[n_found]
                waiting.append((next_one, n_found + 1, start, stop))
            for one in "" if is_fixed[n_found] else _JOINTS:
                start, stop = self._starting_with(beginning + one, *within)
                if start < stop:
                    waiting.append((beginning + one, n_found, start, stop))
        return np.array(sorted(ranges), np.int64).reshape(-1, 2)

    def _ending_a_word(self, beginning, start, stop):
        """Find the keys of a range that are a beginning or continue with a joint."""
        found = [(start, start + (self.keys[start] == beginning))]
        found += [
            self._starting_with(beginning + one, start, stop)
            for one in (END_OF_KEY, *_JOINTS)
        ]
        return [one for one in found if one[0] < one[1]]

    def find_near(self, prefix, most_edits):
        """Find the queries with a beginning that is a few edits away from a prefix.

        An edit inserts, deletes or replaces a letter with its accents, or swaps two
        adjacent ones. Digits, and characters between digits, are never edited.

        Parameters
        ----------
        prefix : str
            As for `find`.
        most_edits : int
            At least 1.

        Returns
        -------
        ranges : ndarray of shape (n_ranges, 2), int64
        edits : ndarray of shape (n_ranges,), int64
            The ranges with 0 edits are those of `find`.
        """
        whole_words = prefix.endswith(" ")
        typed, _ = _code_points([prefix[:-1] if whole_words else prefix])
        classes = combining_classes()
        capacity, needed, depth = 0, 64, len(typed) + most_edits + 2
        while needed > capacity or needed < 0:
            if needed < 0:  # letters with additional accents
                depth *= 2
            capacity = max(capacity, needed)
            ranges = np.empty((capacity, 2), dtype=np.int64)
            edits = np.empty(capacity, dtype=np.int64)
            needed = find_near(
                typed,
                np.empty(SIZE_OF_LETTER * (len(typed) + 1), dtype=np.uint8),
                self.codes,
                self.offsets,
                classes,
                most_edits,
                whole_words,
                np.empty((2, depth, 2 * most_edits + 1), dtype=np.int32),
                np.empty((depth, 6), dtype=np.int64),
                ranges,
                edits,
            )
        return ranges[:needed], edits[:needed]

    @cached_property
    def words(self):
        """The words of the queries, as a `WordIndex`."""
        return WordIndex(self.keys, self.counts)

    def mass(self, ranges):
        """Return the sum of the counts of the queries in some ranges."""
        return float(
            (self.cumulated[ranges[:, 1]] - self.cumulated[ranges[:, 0]]).sum()
        )

    def most_frequent(self, ranges, k):
        """Find the ranks of the k most frequent queries in some ranges, best first.

        Ties are broken in alphabetical order.

        Returns
        -------
        ndarray of shape (at most k,), int64
        """
        return best_of(self.counts, self.block_best, ranges, min(k, len(self.keys)))

    @property
    def has_words(self):
        """Whether the words of the queries were indexed."""
        return "words" in self.__dict__

    def index_words(self):
        """Index the words of the queries now, not in the first search for words."""
        return self.words

    def seek_words(self, prefix):
        """Find the words that queries must have, as `WordIndex.seek`."""
        return self.words.seek(prefix)

    def have_words(self, sought, ranks):
        """Tell which queries have the words that `seek_words` found."""
        return self.words.matches(sought, ranks)

    def most_frequent_with(self, sought, ranges, k):
        """Find as `most_frequent`, of the queries that have some words."""
        return self.words.best(sought, ranges, min(k, len(self.keys)))

    @property
    def n_ids(self):
        """The number of ids, which are the ranks."""
        return len(self.keys)

    @property
    def order(self):
        """The ranks in alphabetical order: ascending."""
        return np.arange(len(self.keys))

    @property
    def fitted_counts(self):
        """The counts: none has changed since the fit."""
        return self.counts

    @property
    def count_changes(self):
        """None."""
        return None


def block_best_of(counts):
    """Return the largest count of each block of an index."""
    if not len(counts):
        return np.empty(0)
    return np.maximum.reduceat(counts, np.arange(0, len(counts), BLOCK))


def best_of(counts, block_best, ranges, k):
    """Find the positions of the k largest counts in some ranges, best first."""
    best = np.empty(k, dtype=np.int64)
    n_found = best_in_ranges(ranges, counts, block_best, np.empty(k), best)
    return best[:n_found]


def _typed_letters(prefix):
    """Return the letters of a prefix, and whether nothing may come before each.

    Spaces and joining punctuation are no letters, except between digits.
    """
    letters = _JOINT_OF_LETTERS.sub("", prefix)
    is_of_number = [one in _JOINTS or one.isdecimal() for one in letters]
    return letters, [False, *map(all, pairwise(is_of_number))]


def count_letters(prefix):
    """Count characters with their accents, without a space at the end."""
    prefix = prefix.removesuffix(" ")
    if prefix.isascii():
        return len(prefix)
    return sum(combining(one) == 0 for one in prefix)


def _code_points(texts):
    """Code points of concatenated texts, and the offset of each text."""
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(joined, dtype="<u4").astype(np.uint32), offsets
