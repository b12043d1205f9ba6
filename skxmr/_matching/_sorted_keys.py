"""Sorted keys: those with the same prefix are contiguous."""

from bisect import bisect_left
from functools import cache
from unicodedata import combining

import numpy as np

from skxmr.text._normalization import END_OF_KEY

__all__ = ["SortedKeys", "combining_classes"]

_LARGEST = chr(0x10FFFF)


class SortedKeys:
    """Distinct keys, sorted.

    The position of a key in this order is its *rank*.

    Parameters
    ----------
    keys : list of str
        Keys as made by `Normalizer.key`, or words of such keys.
    """

    def __init__(self, keys):
        self.keys = keys

    def __len__(self):
        return len(self.keys)

    def key_of(self, rank):
        """Return the key of the query with a rank."""
        return self.keys[rank]

    def place_of(self, key):
        """Return the rank before which a query with a key belongs."""
        return bisect_left(self.keys, key)

    def rank_of(self, key):
        """Find the rank of the query with a key; -1 if it is not known."""
        rank = bisect_left(self.keys, key)
        return rank if rank < len(self.keys) and self.keys[rank] == key else -1

    def find(self, prefix):
        """Find the queries that start with a prefix.

        Parameters
        ----------
        prefix : str
            As made by `Normalizer.prefix`. If it ends with a space, its last word is
            complete; otherwise its last letter may have additional accents in a query.

        Returns
        -------
        ndarray of shape (n_ranges, 2), int64
            First rank of each range, and last rank plus one, ascending.
        """
        if prefix.endswith(" "):
            ranges = self._whole_words(prefix[:-1])
        elif prefix and combining(prefix[-1]):
            ranges = self._accented(prefix)
        else:
            ranges = [self._starting_with(prefix, 0, len(self.keys))]
        found = [one for one in ranges if one[0] < one[1]]
        return np.array(found, np.int64).reshape(-1, 2)

    def _starting_with(self, prefix, start, stop):
        """Find the keys of a range that start with a prefix."""
        start = bisect_left(self.keys, prefix, lo=start, hi=stop)
        # The range ends before the smallest text that is larger than all texts with
        # this prefix: the last character that is not the largest one is incremented.
        lower = prefix.rstrip(_LARGEST)
        if lower:
            beyond = lower[:-1] + chr(ord(lower[-1]) + 1)
            stop = bisect_left(self.keys, beyond, lo=start, hi=stop)
        return start, stop

    def _whole_words(self, words):
        """Find the keys that are equal to some words, or continue after a space."""
        first = bisect_left(self.keys, words)
        is_known = first < len(self.keys) and self.keys[first] == words
        # Only the space sorts between END_OF_KEY and the exclamation mark.
        start = bisect_left(self.keys, words + END_OF_KEY, lo=first)
        stop = bisect_left(self.keys, words + "!", lo=start)
        if is_known and start == first + 1:
            return [(first, stop)]
        return [(first, first + is_known), (start, stop)]

    def _accented(self, prefix):
        """Find the keys that start with a prefix and have accents on its last letter.

        Accents with a lower combining class may precede those of the prefix:
        normalisation sorts the accents of a letter by combining class.
        """
        n_before = len(prefix)
        while n_before and combining(prefix[n_before - 1]):
            n_before -= 1
        ranges = []
        waiting = [(prefix[:n_before], prefix[n_before:], 0, len(self.keys))]
        while waiting:
            beginning, accents, start, stop = waiting.pop()
            start, stop = self._starting_with(beginning, start, stop)
            if not accents:
                ranges.append((start, stop))
                continue
            for accent in self._accents_after(beginning, start, stop):
                if accent == accents[0]:
                    waiting.append((beginning + accent, accents[1:], start, stop))
                elif combining(accent) < combining(accents[0]):
                    waiting.append((beginning + accent, accents, start, stop))
        return sorted(ranges)

    def _accents_after(self, beginning, start, stop):
        """Yield the accents that follow the common beginning of the keys of a range."""
        marks = np.flatnonzero(combining_classes())
        position = 0
        while position < len(marks):
            sought = beginning + chr(marks[position])
            start = bisect_left(self.keys, sought, lo=start, hi=stop)
            if start == stop:
                return
            found = self.keys[start][len(beginning)]
            if combining(found):
                yield found
            position = int(np.searchsorted(marks, ord(found), side="right"))


@cache
def combining_classes():
    """Return the canonical combining class of each code point: 0 except for accents."""
    # There are none beyond this range, not even in unassigned planes.
    classes = map(combining, map(chr, range(0x1F000)))
    return np.fromiter(classes, dtype=np.uint8)
