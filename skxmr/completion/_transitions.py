"""Counts of transitions between queries, smoothed over similar queries."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._utils._compressed import Compressed
from skxmr._utils._loaded_state import (
    check_compressed,
    check_finite,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._utils._sparse import keep_largest
from skxmr.text._normalization import Normalizer

__all__ = [
    "ChangedRows",
    "TransitionLearner",
    "Transitions",
    "count_transitions",
    "reversed_links",
    "smooth",
]

# The number of transitions into a query, the largest first, that are compared: queries
# that follow very many others say little about their similarity.
_MOST_COMPARED = 1000

# The number of queries of a session that are used, from the newest.
_MOST_REMEMBERED = 16

_LOW = (1 << 32) - 1

# The number of rows whose neighbours are computed at a time.
_CHUNK = 1024


class ChangedRows(NamedTuple):
    """Rows of transitions that were added or changed after the fit.

    Parameters
    ----------
    numbers : dict of str to int
        Rows that were added; their numbers follow the others.
    entries : dict of int to (ndarray, ndarray, float)
        The ids of the next queries (int32, ascending), their counts (float32) and the
        sum of the counts, by row.
    """

    numbers: dict
    entries: dict


class Transitions(NamedTuple):
    """Counts of the transitions from each previous query to the next one.

    Next queries have the numbers of `QueryIds`: their ranks, if none were added or
    removed since the fit.

    Parameters
    ----------
    rows : dict of str to int
        Maps each normalised previous query to its row.
    counts : Compressed, a vector for each row
        The ids of the next queries, ascending, and their counts.
    totals : ndarray of shape (n_rows,), float64
        The sum of each row.
    changed : ChangedRows or None, default=None
    """

    rows: dict
    counts: Compressed
    totals: np.ndarray
    changed: ChangedRows | None = None

    @classmethod
    def of(cls, rows, counts):
        """Build them from the rows of a sparse matrix."""
        counts = sparse.csr_array(counts)
        counts.sum_duplicates()
        return cls(rows, Compressed.from_sparse(counts), counts.sum(axis=1))

    def check(self, n_ids, *, n_least=None):
        """Raise ValueError if the arrays of a loaded model are not consistent.

        Parameters
        ----------
        n_ids : int
        n_least : int or None, default=None
            The least number of ids of `counts`, if there may be less than `n_ids`.
        """
        name, n_rows = "Transitions", len(self.rows)
        n_counted = n_ids
        if n_least is not None and isinstance(self.counts, Compressed):
            n_counted = min(max(int(self.counts.length), n_least), n_ids)
        check_compressed(self.counts, n_rows, n_counted, f"{name}.counts")
        check_vector(self.totals, (np.float64,), n_rows, f"{name}.totals")
        if to_be_read(self.totals):
            check_finite(self.totals, f"{name}.totals")
        numbers = self.rows.values()
        if not all(type(row) is int and 0 <= row < n_rows for row in numbers):
            refuse(f"{name}.rows", f"holds other than the rows 0 to {n_rows - 1}")
        if self.changed is not None:
            self._check_changed(n_ids)

    def _check_changed(self, n_ids):
        name = "Transitions.changed"
        if not isinstance(self.changed, ChangedRows):
            refuse(name, f"is a {type(self.changed).__name__}")
        numbers, entries = self.changed
        n_rows = len(self.rows) + len(numbers)
        rows = [*numbers.values(), *entries]
        if not all(type(row) is int and 0 <= row < n_rows for row in rows):
            refuse(name, f"holds other than the rows 0 to {n_rows - 1}")
        for ids, values, total in entries.values():
            check_vector(ids, (np.int32,), None, f"{name} ids")
            check_vector(values, (np.float32,), len(ids), f"{name} counts")
            if type(total) is not float:
                refuse(name, f"holds a sum of type {type(total).__name__}")
            if to_be_read(ids, values):
                check_finite(values, f"{name} counts")
                bounds = np.concatenate([[-1], ids, [n_ids]])
                if (np.diff(bounds) <= 0).any():
                    refuse(f"{name} ids", f"do not ascend from 0 to {n_ids - 1}")

    def has_row(self, previous):
        """Return whether anything is known to have followed a query."""
        return self._row_of(previous) is not None

    def _row_of(self, previous):
        row = self.rows.get(previous)
        if row is None and self.changed is not None:
            return self.changed.numbers.get(previous)
        return row

    def _entries(self, row):
        """Return the ids and counts of a row, and their sum."""
        if self.changed is not None and row in self.changed.entries:
            return self.changed.entries[row]
        if row >= len(self.totals):
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32), 0.0
        found = self.counts.between(row, row + 1)
        return found.indices, found.values, float(self.totals[row])

    def after(self, session, ranges, query_ids=None):
        """Return the transitions from the queries of a session into some ranges.

        Parameters
        ----------
        session : sequence of str
        ranges : ndarray of shape (n_ranges, 2), int64
            Of ranks.
        query_ids : QueryIds or None, default=None
            None if ids are ranks.

        Returns
        -------
        list of (age, ranks, weights)
            The number of steps back (0 for the newest query), ranks (int32, ascending)
            and counts (float32).
        """
        found = []
        for age, previous in enumerate(reversed(session[-_MOST_REMEMBERED:])):
            row = self._row_of(previous)
            if row is None:
                continue
            ranks, weights, _ = self._entries(row)
            if query_ids is not None:
                ranks, weights = query_ids.ranked(ranks, weights)
            ranks, weights = _within(ranks, weights, ranges)
            if len(ranks):
                found.append((age, ranks, weights))
        return found

    def total_after(self, session, decay):
        """Return the sum of all transitions from a session's queries, with decay."""
        total = 0.0
        for age, previous in enumerate(reversed(session[-_MOST_REMEMBERED:])):
            row = self._row_of(previous)
            if row is not None:
                total += decay**age * self._entries(row)[2]
        return total

    def with_pairs(self, sessions, queries, weights):
        """Add counts, in time of the rows that they change.

        Parameters
        ----------
        sessions : list of str of length n_pairs
            The normalised previous query of each pair.
        queries : list of int of length n_pairs
            The id of the next query of each.
        weights : list of float of length n_pairs

        Returns
        -------
        Transitions
        """
        if not sessions:
            return self
        numbers, entries = self.changed or ChangedRows({}, {})
        numbers, entries = dict(numbers), dict(entries)
        rows = []
        for previous in sessions:
            row = self.rows.get(previous)
            if row is None:
                row = numbers.setdefault(previous, len(self.rows) + len(numbers))
            rows.append(row)
        changed = sorted(set(rows))
        before = [self._entries(row) for row in changed]
        sizes = [len(ids) for ids, _, _ in before]
        # In the order of the calls, so that sums are the same in any division of these.
        of_rows = np.concatenate([np.repeat(changed, sizes), rows])
        ids = np.concatenate([*(ids for ids, _, _ in before), queries])
        counts = np.concatenate([*(values for _, values, _ in before), weights])
        keys, pair = np.unique(
            (of_rows << 32) | ids.astype(np.int64), return_inverse=True
        )
        sums = np.bincount(pair, counts)
        starts = np.searchsorted(keys >> 32, [*changed, np.iinfo(np.int32).max])
        ids = (keys & _LOW).astype(np.int32)
        values = sums.astype(np.float32)
        totals = np.bincount(
            np.repeat(np.arange(len(changed)), np.diff(starts)), sums
        ).tolist()
        for row, start, stop, total in zip(
            changed, starts[:-1].tolist(), starts[1:].tolist(), totals, strict=True
        ):
            # Copies, so that later changes release all of these.
            entries[row] = ids[start:stop].copy(), values[start:stop].copy(), total
        return self._replace(changed=ChangedRows(numbers, entries))

    def compacted(self, n_ids):
        """Return the same counts without changed rows, for so many ids."""
        if self.changed is None:
            return self._replace(counts=self.counts._replace(length=n_ids))
        numbers = self.changed.numbers
        rows = [self._entries(row) for row in range(len(self.rows) + len(numbers))]
        counts = Compressed(
            np.cumsum([0, *(len(ids) for ids, _, _ in rows)]),
            np.concatenate([np.empty(0, "i4"), *(ids for ids, _, _ in rows)]),
            np.concatenate([np.empty(0, "f4"), *(values for _, values, _ in rows)]),
            n_ids,
        )
        totals = np.array([total for _, _, total in rows], dtype=np.float64)
        return Transitions({**self.rows, **numbers}, counts, totals)


class TransitionLearner(NamedTuple):
    """Learns transitions from logs.

    Parameters
    ----------
    normalizer : Normalizer
        Makes the key of a query of the text of a previous one.
    n_neighbors, max_transitions : int
        As in `QueryCompleter`.
    """

    normalizer: Normalizer
    n_neighbors: int
    max_transitions: int

    def learn(self, log, weights, sessions=None):
        """Count the transitions of a log, also in reverse order, and smooth them.

        Parameters
        ----------
        log : QueryLog
        weights : dict of str to float
            "decay", "reversed_weight" and "smoothing".
        sessions : list of tuple of str, or None, default=None
            The sessions for which transitions are needed: only their rows are smoothed.
            None for all.

        Returns
        -------
        Transitions
        """
        rows: dict[str, int] = {}
        n_queries = len(log.keys)
        followed = count_transitions(
            log.sessions, log.ranks, log.counts, rows, n_queries, weights["decay"]
        )
        if weights["reversed_weight"] > 0:
            row_keys = list(map(self.normalizer.spell, rows))
            backwards = reversed_links(followed, row_keys, log.keys)
            followed = followed + weights["reversed_weight"] * backwards
        smoothed = smooth(
            followed,
            n_neighbors=self.n_neighbors,
            weight=weights["smoothing"],
            most_transitions=self.max_transitions,
            rows=None if sessions is None else _rows_of(sessions, rows),
        )
        return Transitions.of(rows, smoothed)


def _rows_of(sessions, rows):
    """Return the rows of the previous queries of sessions that have one, ascending."""
    found = {rows.get(one, -1) for session in sessions for one in session}
    return np.array(sorted(found - {-1}), dtype=np.int64)


def _within(indices, values, ranges):
    """Return the entries of a vector whose indices are in some ranges."""
    bounds = np.searchsorted(indices, ranges)
    if len(bounds) == 1:
        part = slice(*bounds[0].tolist())
        return indices[part], values[part]
    bounds = bounds[bounds[:, 0] < bounds[:, 1]]
    parts = [np.arange(start, stop) for start, stop in bounds.tolist()]
    entries = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    return indices[entries], values[entries]


def count_transitions(sessions, ranks, counts, rows, n_queries, decay):
    """Count transitions; those from older queries of a session have less weight.

    Parameters
    ----------
    sessions : sequence of tuple of str
        Normalised, newest last.
    ranks : ndarray of shape (n_sessions,), int64
        The rank of the query that followed.
    counts : ndarray of shape (n_sessions,), float64
        How often it did.
    rows : dict of str to int
        The known rows; new ones are added.
    n_queries : int
    decay : float
        The factor for each step back.

    Returns
    -------
    csr_array of shape (len(rows), n_queries), float64
    """
    asked_by, seen, ages = [], [], []
    for index, session in enumerate(sessions):
        for age, previous in enumerate(reversed(session)):
            seen.append(rows.setdefault(previous, len(rows)))
            asked_by.append(index)
            ages.append(age)
    sessions_of = np.array(asked_by, dtype=np.int64)
    # Powers by repeated products, which are the same on every CPU.
    powers = np.cumprod([1.0] + [float(decay)] * max(ages, default=0))
    weights = counts[sessions_of] * powers[np.array(ages, dtype=np.int64)]
    return _sum_pairs(weights, seen, ranks[sessions_of], (len(rows), n_queries))


def reversed_links(counts, row_keys, keys):
    """Return the reverse transitions between queries that have both a row and a rank.

    Parameters
    ----------
    counts : csr_array of shape (len(rows), n_queries)
    row_keys : list of str of length n_rows
        The key of the previous query of each row.
    keys : list of str
        The key of the query of each rank.

    Returns
    -------
    csr_array of the same shape
    """
    rank_of = {key: rank for rank, key in enumerate(keys)}
    ranks = np.array([rank_of.get(key, -1) for key in row_keys], dtype=np.int64)
    rows = {key: row for row, key in enumerate(row_keys)}
    row_of = np.array([rows.get(key, -1) for key in keys], dtype=np.int64)
    pairs = counts.tocoo()
    first, then = pairs.coords
    both = (ranks[first] >= 0) & (row_of[then] >= 0)
    return _sum_pairs(
        pairs.data[both], row_of[then[both]], ranks[first[both]], counts.shape
    )


def smooth(counts, *, n_neighbors, weight, most_transitions, rows=None):
    """Add counts of the transitions from the nearest neighbours of each row.

    Similarity is the cosine of the square roots of the counts times the inverse
    document frequency. Each row gets `weight` additional counts, distributed as those
    of its nearest neighbours.

    Parameters
    ----------
    counts : csr_array of shape (n_rows, n_queries), float64
    n_neighbors : int
    weight : float
    most_transitions : int
        The maximum number of counts that are added to a row.
    rows : ndarray of int64, or None, default=None
        Ascending: those that are smoothed, the others have no counts. None for all.

    Returns
    -------
    csr_array of the same shape
    """
    if n_neighbors == 0 or weight == 0 or counts.nnz == 0:
        return counts
    if rows is not None and not len(rows):
        return counts
    vectors = _row_vectors(counts)
    compared = keep_largest(sparse.csr_array(vectors.T), _MOST_COMPARED)
    shares = _scaled_rows(counts, counts.sum(axis=1))
    parts = []
    rows = np.arange(counts.shape[0]) if rows is None else rows
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        alike = sparse.csr_array(vectors[chunk] @ compared)
        alike = _without_self(alike, chunk)
        nearest = keep_largest(alike, int(n_neighbors))
        nearest = _scaled_rows(nearest, nearest.sum(axis=1))
        spread = keep_largest(sparse.csr_array(nearest @ shares), int(most_transitions))
        parts.append(counts[chunk] + weight * spread)
    smoothed = sparse.vstack(parts, format="csr")
    return _with_empty_rows(smoothed, rows, counts.shape[0])


def _with_empty_rows(matrix, rows, n_rows):
    """Put rows, which ascend, among rows without entries."""
    sizes = np.zeros(n_rows, dtype=np.int64)
    sizes[rows] = np.diff(matrix.indptr)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_array(
        (matrix.data, matrix.indices, indptr), shape=(n_rows, matrix.shape[1])
    )


def _row_vectors(counts):
    """Square roots of counts times inverse document frequency, of unit length."""
    n_rows, n_queries = counts.shape
    frequency = np.bincount(counts.indices, minlength=n_queries)
    # Rounded, since the last bit of a logarithm may differ between CPUs.
    idf = np.log(1 + n_rows / (1 + frequency)).astype(np.float32)
    vectors = counts.copy()
    vectors.data = np.sqrt(vectors.data) * idf[vectors.indices]
    return _scaled_rows(vectors, np.sqrt((vectors * vectors).sum(axis=1)))


def _scaled_rows(matrix, divisors):
    scaled = matrix.copy()
    divisors = np.where(divisors == 0, 1, divisors)
    scaled.data = scaled.data / np.repeat(divisors, np.diff(scaled.indptr))
    return scaled


def _without_self(alike, rows):
    pairs = alike.tocoo()
    row, column = pairs.coords
    other = rows[row] != column
    return _sum_pairs(pairs.data[other], row[other], column[other], alike.shape)


def _sum_pairs(values, rows, columns, shape):
    """Build a matrix of entries; duplicate entries are added."""
    matrix = sparse.csr_array((values, (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    return matrix
