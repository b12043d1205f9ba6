"""N-gram counts: extraction of n-grams from texts."""

import operator
from collections import Counter
from functools import partial
from itertools import pairwise

import numpy as np
from joblib import effective_n_jobs

from skxmr._cython import _counting as kernel
from skxmr._memory._large import empty
from skxmr._parallel._parallel import current_stop, run_tasks
from skxmr._utils._loaded_state import refuse
from skxmr.text._vocabulary import GrowingVocabulary, Vocabulary, grown, run_kernel

__all__ = [
    "Cutting",
    "Rows",
    "Tokenising",
    "count_all",
    "count_calls",
    "fill_part",
    "learn_terms",
    "run_calls",
    "split_texts",
]

# Characters per task: enough to make the overhead small, few enough that a fit can be
# interrupted and that workspaces stay small.
MOST_CHARACTERS = 1 << 18
# The tasks of a worker in a block of texts that is read at a time: so many that no
# worker waits for long, and so few that their texts take little memory.
PARTS_PER_BLOCK = 16
# What a text costs besides its characters, in characters.
_OVERHEAD = 16
_MAX_INT32 = np.iinfo(np.int32).max


class Rows:
    """The n-grams of texts, as the arrays of a CSR matrix of counts.

    Attributes
    ----------
    ends : ndarray of shape (n_texts,), int64
        The end of the entries of each text in the other two arrays.
    indices : ndarray of shape (n_entries,), int32
        Numbers of terms.
    counts : ndarray of shape (n_entries,), int32 or float32
        Number of occurrences; a float if occurrences have weights.
    """

    def __init__(self, ends, indices, counts):
        self.ends = ends
        self.indices = indices
        self.counts = counts

    @classmethod
    def empty(cls, n_texts, n_entries, dtype):
        """Allocate space for the entries of texts; `dtype` is that of the counts."""
        return cls(
            np.zeros(n_texts, dtype=np.int64),
            np.empty(n_entries, dtype=np.int32),
            np.empty(n_entries, dtype=dtype),
        )

    @classmethod
    def joined(cls, parts):
        """Return the rows of consecutive texts as one, in memory of its own.

        Allocators keep the memory of the small arrays of many parts.
        """
        sizes = [len(rows.indices) for rows in parts]
        starts = np.cumsum([0, *sizes[:-1]])
        return cls(
            np.concatenate(
                [rows.ends + start for rows, start in zip(parts, starts, strict=True)]
            ),
            _concatenated([rows.indices for rows in parts], sum(sizes)),
            _concatenated([rows.counts for rows in parts], sum(sizes)),
        )

    def arrays(self):
        """Return the arrays for the kernels, which read counts as 32 bits."""
        return self.ends, self.indices, self.counts.view(np.int32)

    def grow(self):
        """Double the space for entries."""
        self.indices = grown(self.indices)
        self.counts = grown(self.counts)

    def trim(self):
        """Release unused space."""
        n_entries = self.ends[-1] if len(self.ends) else 0
        if n_entries < len(self.indices):
            self.indices = self.indices[:n_entries].copy()
            self.counts = self.counts[:n_entries].copy()

    def renumbered(self, numbers):
        """Renumber terms in place, and sort each row.

        Parameters
        ----------
        numbers : ndarray of shape (n_terms,), int32
            -1 for terms to remove.

        Returns
        -------
        Rows
            The object itself.
        """
        longest = np.diff(self.ends, prepend=0).max(initial=0)
        spare = np.empty((2, max(1, longest)), dtype=np.int32)
        kernel.renumber(*self.arrays(), numbers, spare, current_stop())
        self.trim()
        return self


def _concatenated(arrays, size):
    joined = empty(size, arrays[0].dtype)
    return np.concatenate(arrays, out=joined)


class Cutting:
    """Extracts n-grams by compiled code.

    Parameters
    ----------
    units : {"words", "tokens", "characters", "text"}
        What n-grams consist of: words, as runs of word characters or of any characters
        but white space; the characters of each word with the end marker "#"; or the
        characters of the whole text, with white space folded.
    position : {"text", "word"} or None
        For the characters of the whole text: an n-gram has the weight 1 / (1 + start)
        by its position in the text or the word. None for counts.
    ngram_range : tuple (min_n, max_n)
    shortest : int
        The minimum number of characters of a word, for n-grams of words.
    lowercase : bool
        Whether to convert all characters to lower case.
    normaliser : CountVectorizer or None
        Its preprocessor is used instead of `lowercase`.
    stop_words : Vocabulary or None
        Words to remove.
    """

    def __init__(
        self,
        *,
        units,
        position=None,
        ngram_range,
        shortest=1,
        lowercase,
        normaliser,
        stop_words=None,
    ):
        self.units = units
        self.position = position
        self.ngram_range = ngram_range
        self.shortest = shortest
        self.lowercase = lowercase
        self.normaliser = normaliser
        self.stop_words = stop_words

    def check(self):
        """Raise ValueError if an attribute of a loaded model is invalid."""
        low, high = self.ngram_range
        fits = (
            self.units in kernel.UNITS
            and self.position in kernel.POSITIONS
            and 1 <= low <= high
            and 1 <= self.shortest <= _MAX_INT32
            and isinstance(self.lowercase, bool)
            and isinstance(self.stop_words, Vocabulary | None)
        )
        if not fits:
            refuse("Cutting", f"has the attributes {vars(self)!r:.200}")

    def normalise(self, texts):
        """Return the normalised texts for the kernel: a list of str."""
        if self.normaliser is not None:
            return list(map(self.normaliser.build_preprocessor(), texts))
        return kernel.lower_wide(texts) if self.lowercase else texts

    def cutter(self, longest=0, stop=None):
        """Make what cuts texts of at most so many characters in the kernels."""
        low, high = self.ngram_range
        return kernel.Cutter(
            kernel.UNITS[self.units],
            kernel.POSITIONS[self.position],
            (min(low, _MAX_INT32), min(high, _MAX_INT32)),
            self.shortest,
            self.lowercase and self.normaliser is None,
            self.stop_words,
            np.empty(4 * longest + 8, dtype=np.int32),
            stop,
        )

    def prepare(self, texts):
        """Normalise texts, and allocate a workspace and space for their rows."""
        texts = self.normalise(texts)
        longest, total = kernel.measure(texts, None)
        cutter = self.cutter(longest, current_stop())
        dtype = np.int32 if self.position is None else np.float32
        return texts, cutter, Rows.empty(len(texts), 2 * total + 16, dtype)

    def count(self, texts, terms):
        """Count the occurrences of each term in each text.

        Parameters
        ----------
        texts : list of str
        terms : Vocabulary

        Returns
        -------
        Rows
            With sorted indices.
        """
        texts, cutter, rows = self.prepare(texts)

        def count_from(text):
            return kernel.count(cutter, texts, text, terms, rows)

        run_kernel(count_from, {"rows": rows.grow})
        rows.trim()
        return rows

    def learn(self, texts, terms, *, keep_rows):
        """Count all n-grams of texts, and add new ones to the terms.

        Parameters
        ----------
        texts : list of str
        terms : GrowingVocabulary
        keep_rows : bool
            Whether to return the counts of each text.

        Returns
        -------
        Rows or None
        """
        texts, cutter, rows = self.prepare(texts)

        def learn_from(text):
            return kernel.learn(cutter, texts, text, keep_rows, terms, rows)

        run_kernel(learn_from, {"rows": rows.grow, **terms.growers()})
        if not keep_rows:
            return None
        rows.trim()
        return rows


class Tokenising:
    """Extracts n-grams by a Python function that the kernels do not implement.

    Parameters
    ----------
    vectorizer : CountVectorizer
        Its analyzer returns the n-grams of a text.
    """

    def __init__(self, vectorizer):
        self.vectorizer = vectorizer

    def count(self, texts, terms):
        """Count the occurrences of each term in each text; see `Cutting.count`."""
        return self._count(texts, terms.numbers().get)

    def learn(self, texts, terms, *, keep_rows):
        """Count all n-grams of texts, and add new ones to the terms."""
        found: dict[str, int] = {}
        rows = self._count(texts, lambda term: found.setdefault(term, len(found)))
        in_documents = np.bincount(rows.indices, minlength=len(found))
        in_total = np.bincount(rows.indices, rows.counts, minlength=len(found))
        numbers = terms.add(
            Vocabulary.of(list(found)),
            in_documents,
            in_total.astype(np.int64),
        )
        if not keep_rows:
            return None
        return rows.renumbered(numbers)

    def _count(self, texts, number_of):
        analyze = self.vectorizer.build_analyzer()
        ends, indices, counts = [], [], []
        for text in texts:
            found = Counter(map(number_of, analyze(text)))
            found.pop(None, None)
            row = sorted(found.items())
            indices += [number for number, _ in row]
            counts += [count for _, count in row]
            ends.append(len(indices))
        return Rows(
            np.array(ends, dtype=np.int64),
            np.array(indices, dtype=np.int32),
            np.array(counts, dtype=np.int32),
        )


def count_all(texts, cutting):
    """Count all terms of texts.

    Parameters
    ----------
    texts : list of str
    cutting : Cutting or Tokenising

    Returns
    -------
    terms : list of str
        Sorted.
    rows : Rows
        Their indices are positions in the list.
    """
    growing = GrowingVocabulary()
    rows = cutting.learn(texts, growing, keep_rows=True)
    order = growing.sort(np.arange(len(growing)))
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    rows.indices = ranks[rows.indices]
    return growing.select(order).to_list(), rows


def run_calls(calls, *, n_jobs):
    """Run tasks, a single one in this thread, and return their results.

    Parameters
    ----------
    calls : list of callable
        Called without arguments; can be pickled.
    n_jobs : int or None
        As in scikit-learn.

    Returns
    -------
    list
    """
    if len(calls) == 1:
        return [calls[0]()]
    return run_tasks(operator.call, calls, n_jobs=n_jobs)


def count_calls(cutting, parts, terms):
    """Return calls that count terms in lists of texts.

    Parameters
    ----------
    cutting : Cutting or Tokenising
    parts : list of list of str
    terms : Vocabulary

    Returns
    -------
    list of callable
        Each returns `Rows`.
    """
    return [partial(cutting.count, texts, terms) for texts in parts]


def fill_part(texts):
    """Take texts from an iterator, as many as one task counts; none at the end.

    Parameters
    ----------
    texts : iterator of str

    Returns
    -------
    list of str
    """
    part, size = [], 0
    for text in texts:
        part.append(text)
        size += len(text) + _OVERHEAD
        if size >= MOST_CHARACTERS:
            break
    return part


def split_texts(texts):
    """Split a list of texts into consecutive lists of a bounded size."""
    lengths = np.empty(len(texts), dtype=np.int64)
    kernel.measure(texts, lengths)
    ends = np.cumsum(lengths + _OVERHEAD)
    total = int(ends[-1]) if len(ends) else 0
    starts = np.searchsorted(ends, np.arange(0, total, MOST_CHARACTERS), side="right")
    cuts = [*np.unique(starts).tolist(), len(texts)]
    return [texts[start:end] for start, end in pairwise(cuts)]


def _learn_parts(cutting, parts, terms, keep_rows):
    """Add the terms of lists of texts to others; return all, and the rows of each."""
    rows = [cutting.learn(texts, terms, keep_rows=keep_rows) for texts in parts]
    if not keep_rows:
        return terms, []
    starts = range(0, len(rows), PARTS_PER_BLOCK)
    return terms, [Rows.joined(rows[i : i + PARTS_PER_BLOCK]) for i in starts]


def learn_terms(cutting, blocks, *, keep_rows, n_jobs):
    """Count all n-grams of texts.

    Parameters
    ----------
    cutting : Cutting or Tokenising
    blocks : iterable of list of list of str
        Each block is released before the next one is read.
    keep_rows : bool
        Whether to return the counts of each text.
    n_jobs : int or None
        As in scikit-learn.

    Returns
    -------
    terms : GrowingVocabulary
        Every n-gram with its counts, in arbitrary order.
    rows : list of (int, Rows)
        For consecutive texts, the worker that counted them, and its counts. Empty
        unless `keep_rows`.
    numbers : list of ndarray
        For each worker, the number in `terms` of each of its own terms.
    """
    # Each worker has terms of its own until the end: to merge them takes time.
    of_workers: list = []
    kept = []
    for parts in blocks:
        n_workers = max(1, min(len(parts), effective_n_jobs(n_jobs)))
        while len(of_workers) < n_workers:
            of_workers.append(GrowingVocabulary())
        cuts = [len(parts) * i // n_workers for i in range(n_workers + 1)]
        calls = [
            partial(_learn_parts, cutting, parts[start:end], terms, keep_rows)
            for (start, end), terms in zip(pairwise(cuts), of_workers, strict=False)
        ]
        for worker, (terms, rows) in enumerate(run_calls(calls, n_jobs=n_jobs)):
            of_workers[worker] = terms  # another object, if it was in another process
            kept += [(worker, one) for one in rows]
        del parts, calls
    terms, *others = of_workers or [GrowingVocabulary()]
    numbers = [np.arange(len(terms), dtype=np.int32)]
    del of_workers
    while others:  # one at a time, to release each
        more = others.pop(0)
        numbers.append(terms.add(more, more.document_counts, more.total_counts))
        del more
    return terms, kept, numbers
