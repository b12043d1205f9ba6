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
    "Rows",
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
    """Counts of transitions that were added after the fit.

    Parameters
    ----------
    numbers : dict of str to int
        Rows that were added; their numbers follow the others.
    pairs : ndarray of shape (n_pairs,), int64
        The row of each transition times 2**32, and the id of the next query; ascending.
    counts : ndarray of shape (n_pairs,), float64
        What was added to the count of each.
    """

    numbers: dict
    pairs: np.ndarray
    counts: np.ndarray

    @classmethod
    def none(cls):
        """Return no rows."""
        return cls({}, np.empty(0, dtype=np.int64), np.empty(0))

    def row(self, row):
        """Return the ids of the changed transitions of a row, and what was added."""
        start, stop = np.searchsorted(self.pairs, [row << 32, (row + 1) << 32])
        return (self.pairs[start:stop] & _LOW).astype(np.int32), self.counts[start:stop]


class Rows(dict):
    """Rows by previous query: one object, which changed transitions share."""


class Transitions(NamedTuple):
    """Counts of the transitions from each previous query to the next one.

    Next queries have the ids of `LivingIndex`: their ranks, if none were added since
    the fit.

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
        return cls(Rows(rows), Compressed.from_sparse(counts), counts.sum(axis=1))

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
        numbers, pairs, counts = self.changed
        n_rows = len(self.rows) + len(numbers)
        if not all(type(row) is int and 0 <= row < n_rows for row in numbers.values()):
            refuse(name, f"holds other than the rows 0 to {n_rows - 1}")
        check_vector(pairs, (np.int64,), None, f"{name}.pairs")
        check_vector(counts, (np.float64,), len(pairs), f"{name}.counts")
        if to_be_read(pairs, counts):
            check_finite(counts, f"{name}.counts")
            if (np.diff(pairs, prepend=-1, append=n_rows << 32) <= 0).any():
                refuse(f"{name}.pairs", f"do not ascend through the {n_rows} rows")
            if (pairs & _LOW).max(initial=-1) >= n_ids:
                refuse(f"{name}.pairs", f"have other ids than 0 to {n_ids - 1}")

    def has_row(self, previous):
        """Return whether anything is known to have followed a query."""
        return self._row_of(previous) is not None

    def _row_of(self, previous):
        row = self.rows.get(previous)
        if row is None and self.changed is not None:
            return self.changed.numbers.get(previous)
        return row

    def _fitted_entries(self, row):
        """Return the ids and counts of a row before changes, and their sum."""
        if row >= len(self.totals):
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32), 0.0
        found = self.counts.between(row, row + 1)
        return found.indices, found.values, float(self.totals[row])

    def after(self, session, ranges):
        """Return the transitions from the queries of a session into some ranges.

        Parameters
        ----------
        session : sequence of str
        ranges : ndarray of shape (n_ranges, 2), int64
            Of ids.

        Returns
        -------
        list of (age, ids, weights)
            The number of steps back (0 for the newest query), ids (int32, ascending)
            and counts (float32).
        """
        found = []
        for age, previous in enumerate(reversed(session[-_MOST_REMEMBERED:])):
            row = self._row_of(previous)
            if row is None:
                continue
            ids, weights, _ = self._fitted_entries(row)
            ids, weights = _within(ids, weights, ranges)
            if self.changed is not None:
                more_ids, more = self.changed.row(row)
                more_ids, more = _within(more_ids, more, ranges)
                ids, weights = _added_up(ids, weights, more_ids, more)
            if len(ids):
                found.append((age, ids, weights))
        return found

    def total_after(self, session, decay):
        """Return the sum of all transitions from a session's queries, with decay."""
        total = 0.0
        for age, previous in enumerate(reversed(session[-_MOST_REMEMBERED:])):
            row = self._row_of(previous)
            if row is not None:
                total += decay**age * self._total(row)
        return total

    def _total(self, row):
        """Return the sum of the counts of a row."""
        total = float(self.totals[row]) if row < len(self.totals) else 0.0
        if self.changed is not None:
            total += float(self.changed.row(row)[1].sum())
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
        changed = self.changed or ChangedRows(
            {}, np.empty(0, dtype=np.int64), np.empty(0)
        )
        numbers = dict(changed.numbers)
        rows = []
        for previous in sessions:
            row = self.rows.get(previous)
            if row is None:
                row = numbers.setdefault(previous, len(self.rows) + len(numbers))
            rows.append(row)
        pairs = (np.array(rows, dtype=np.int64) << 32) | np.asarray(queries, np.int64)
        # In the order of the calls, so that sums are the same in any division of these.
        pairs, pair = np.unique(
            np.concatenate([changed.pairs, pairs]), return_inverse=True
        )
        counts = np.bincount(pair, np.concatenate([changed.counts, weights]))
        return self._replace(changed=ChangedRows(numbers, pairs, counts))

    def scaled(self, factor):
        """Return the same with all counts multiplied by a factor."""
        changed = self.changed
        if changed is not None:
            changed = changed._replace(counts=changed.counts * factor)
        values = self.counts.values * np.float32(factor)
        return self._replace(
            counts=self.counts._replace(values=values),
            totals=self.totals * factor,
            changed=changed,
        )

    def compacted(self, ids, n_ids):
        """Return the same counts without changed rows.

        Parameters
        ----------
        ids : ndarray of int32, or None
            The next id of each query, by the id before; -1 for those to leave out. None
            if they stay.
        n_ids : int
        """
        changed = self.changed
        if changed is None and ids is None:
            return self._replace(counts=self.counts._replace(length=n_ids))
        if changed is None:
            changed = ChangedRows.none()
        rows = Rows(self.rows | changed.numbers)
        of_rows = np.repeat(np.arange(len(self.totals)), self.counts.sizes)
        pairs = np.concatenate([(of_rows << 32) | self.counts.indices, changed.pairs])
        counts = np.concatenate([self.counts.values.astype(np.float64), changed.counts])
        if ids is not None:
            moved = ids[pairs & _LOW].astype(np.int64)
            pairs, counts = (
                ((pairs >> 32 << 32) | moved)[moved >= 0],
                counts[moved >= 0],
            )
        pairs, pair = np.unique(pairs, return_inverse=True)
        counts = np.bincount(pair, counts, minlength=len(pairs))
        bounds = np.arange(len(rows) + 1, dtype=np.int64) << 32
        merged = Compressed(
            np.searchsorted(pairs, bounds).astype(np.int64),
            (pairs & _LOW).astype(np.int32),
            counts.astype(np.float32),
            n_ids,
        )
        totals = [self._total(row) for row in range(len(rows))]
        return Transitions(rows, merged, np.array(totals, dtype=np.float64))


def _added_up(ids, weights, more_ids, more):
    """Add up two vectors: ids (int32), and weights (float32; float64 of the other)."""
    if not len(more_ids):
        return ids, weights
    both, places = np.unique(np.concatenate([ids, more_ids]), return_inverse=True)
    summed = np.bincount(places, np.concatenate([weights, more]))
    return both, summed.astype(np.float32)


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
