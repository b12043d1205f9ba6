"""Index of the words of queries: which queries have some words, in any order."""

from itertools import chain

import numpy as np

from skxmr._cython._word_matching import BLOCK, WordPostings
from skxmr._matching._sorted_keys import SortedKeys
from skxmr.text._normalization import stem_of
from skxmr.text._word_forms import is_unspaced, words_of_key

__all__ = ["WordIndex"]


class WordIndex:
    """The words of the queries, and the queries of each word by count.

    A query has each of its words, and each part of a word from a letter on where a word
    may begin: in scripts without spaces between words, that is at each letter.

    Parameters
    ----------
    keys : list of str
        The keys of the queries, sorted.
    counts : ndarray of shape (n_queries,), float64

    Notes
    -----
    It depends on keys and counts alone and is not part of saved models. Postings are
    sorted by count, so that the search for the best queries ends early, as in the
    infix suggester of Apache Lucene.
    """

    def __init__(self, keys, counts):
        numbers: dict[str, int] = {}
        of_queries = [
            [numbers.setdefault(word, len(numbers)) for word in _all_words(key)]
            for key in keys
        ]
        vocabulary = sorted(numbers)
        ranks = np.empty(len(numbers), dtype=np.int64)
        ranks[[numbers[word] for word in vocabulary]] = np.arange(len(vocabulary))
        sizes = np.array([len(some) for some in of_queries], dtype=np.int64)
        words = np.fromiter(chain.from_iterable(of_queries), np.int64, sizes.sum())
        pairs = (np.repeat(np.arange(len(keys)), sizes) << 32) | ranks[words]
        pairs = np.unique(pairs)
        self._vocabulary = SortedKeys(vocabulary)
        self._postings = _postings(
            pairs >> 32, (pairs & 0xFFFFFFFF).astype(np.int32), len(vocabulary), counts
        )

    def seek(self, prefix):
        """Find the words that queries must have to match a prefix.

        Parameters
        ----------
        prefix : str
            As made by `Normalizer.prefix`.

        Returns
        -------
        ndarray of shape (n_ranges, 3), int64
            First word, last word plus one, and which word of the prefix these stand
            for, ascending: one of them is needed for each. Empty if nothing matches.
        """
        typed = words_of_key(prefix)
        found = []
        for which, (word, _) in enumerate(typed):
            # The last word may go on; so may each of a script without spaces.
            is_last = which == len(typed) - 1 and prefix.endswith(word)
            is_open = is_last or is_unspaced(word)
            ranges = self._open(word) if is_open else self._whole(word)
            if not len(ranges):
                return np.empty((0, 3), dtype=np.int64)
            found += [(start, stop, which) for start, stop in ranges]
        return np.array(found, dtype=np.int64).reshape(-1, 3)

    def _open(self, word):
        return self._vocabulary.find(word).tolist()

    def _whole(self, word):
        rank = self._vocabulary.rank_of(word)
        return [] if rank < 0 else [(rank, rank + 1)]

    def best(self, sought, allowed, k):
        """Find the most frequent queries that have some words.

        Parameters
        ----------
        sought : ndarray of shape (n_ranges, 3), int64
            As `seek` returns it; nothing has what is empty.
        allowed : ndarray of shape (n_ranges, 2), int64
            The ranks of the queries to choose from: ranges, ascending.
        k : int

        Returns
        -------
        ndarray of shape (at most k,), int64
            Ranks, best first; ties are broken in alphabetical order.
        """
        keys, best = np.empty((2, k), dtype=np.int64)
        n_found = self._postings.best(sought, allowed, keys, np.empty(k), best)
        return best[:n_found]

    def matches(self, sought, ranks):
        """Tell which queries have some words.

        Parameters
        ----------
        sought : ndarray of shape (n_ranges, 3), int64
            As `seek` returns it; nothing has what is empty.
        ranks : ndarray of shape (n_asked,), int64

        Returns
        -------
        ndarray of shape (n_asked,), bool
        """
        found = np.zeros(len(ranks), dtype=np.uint8)
        if len(sought):
            self._postings.matches(sought, ranks, found)
        return found.astype(bool)


def _all_words(key):
    for word, beginnings in words_of_key(stem_of(key)):
        for start in beginnings:
            yield word[start:]


def _postings(queries, words, n_words, counts):
    """Make postings of pairs of query and word, sorted by query and then by word."""
    by_count = np.argsort(-counts, kind="stable").astype(np.int32)
    positions = np.empty(len(counts), dtype=np.int32)
    positions[by_count] = np.arange(len(counts), dtype=np.int32)
    order = np.lexsort((positions[queries], words))
    postings = positions[queries[order]]
    blocks = np.arange(0, len(postings), BLOCK)
    block_best = np.minimum.reduceat(postings, blocks) if len(blocks) else postings
    starts = np.searchsorted(words[order], np.arange(n_words + 1)).astype(np.int64)
    offsets = np.searchsorted(queries, np.arange(len(counts) + 1)).astype(np.int64)
    return WordPostings(
        starts, postings, block_best, by_count, positions, offsets, words
    )
