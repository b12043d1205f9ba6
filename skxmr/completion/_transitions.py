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

__all__ = ["Transitions", "count_transitions", "reversed_links", "smooth"]

# The number of transitions into a query, the largest first, that are compared: queries
# that follow very many others say little about their similarity.
_MOST_COMPARED = 1000

# The number of queries of a session that are used, from the newest.
_MOST_REMEMBERED = 16

# The number of rows whose neighbours are computed at a time.
_CHUNK = 1024


class Transitions(NamedTuple):
    """Counts of the transitions from each previous query to the next one, by rank.

    Parameters
    ----------
    rows : dict of str to int
        Maps each normalised previous query to its row.
    counts : Compressed, a vector for each row
        The ranks of the next queries, ascending, and their counts.
    totals : ndarray of shape (n_rows,), float64
        The sum of each row.
    """

    rows: dict
    counts: Compressed
    totals: np.ndarray

    @classmethod
    def of(cls, rows, counts):
        """Build them from the rows of a sparse matrix."""
        counts = sparse.csr_array(counts)
        counts.sum_duplicates()
        return cls(rows, Compressed.from_sparse(counts), counts.sum(axis=1))

    def check(self, n_queries):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        name, n_rows = "Transitions", len(self.rows)
        check_compressed(self.counts, n_rows, n_queries, f"{name}.counts")
        check_vector(self.totals, (np.float64,), n_rows, f"{name}.totals")
        if to_be_read(self.totals):
            check_finite(self.totals, f"{name}.totals")
        numbers = self.rows.values()
        if not all(type(row) is int and 0 <= row < n_rows for row in numbers):
            refuse(f"{name}.rows", f"holds other than the rows 0 to {n_rows - 1}")

    def after(self, session, ranges):
        """Return the transitions from the queries of a session into some ranges.

        Returns
        -------
        list of (age, ranks, weights)
            The number of steps back (0 for the newest query), ranks (int32, ascending)
            and counts (float32).
        """
        found = []
        for age, previous in enumerate(reversed(session[-_MOST_REMEMBERED:])):
            row = self.rows.get(previous)
            if row is None:
                continue
            ranks, weights = _within(self.counts.between(row, row + 1), ranges)
            if len(ranks):
                found.append((age, ranks, weights))
        return found

    def total_after(self, session, decay):
        """Return the sum of all transitions from a session's queries, with decay."""
        total = 0.0
        for age, previous in enumerate(reversed(session[-_MOST_REMEMBERED:])):
            row = self.rows.get(previous)
            if row is not None:
                total += decay**age * float(self.totals[row])
        return total

    def plus(self, rows, counts):
        """Add counts.

        Parameters
        ----------
        rows : dict of str to int
            The present rows, with the same numbers, and possibly new ones.
        counts : csr_array of shape (len(rows), n_queries)

        Returns
        -------
        Transitions
        """
        old = self.counts.to_csr()
        old.resize(counts.shape)
        return Transitions.of(rows, old + counts)


def _within(row, ranges):
    """Return the entries of a vector whose indices are in some ranges."""
    bounds = np.searchsorted(row.indices, ranges).tolist()
    if len(bounds) == 1:
        part = slice(*bounds[0])
        return row.indices[part], row.values[part]
    parts = [np.arange(start, stop) for start, stop in bounds]
    entries = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    return row.indices[entries], row.values[entries]


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


def smooth(counts, *, n_neighbors, weight, most_transitions):
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

    Returns
    -------
    csr_array of the same shape
    """
    if n_neighbors == 0 or weight == 0 or counts.nnz == 0:
        return counts
    vectors = _row_vectors(counts)
    compared = keep_largest(sparse.csr_array(vectors.T), _MOST_COMPARED)
    shares = _scaled_rows(counts, counts.sum(axis=1))
    parts = []
    for start in range(0, counts.shape[0], _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, counts.shape[0]))
        alike = sparse.csr_array(vectors[rows] @ compared)
        alike = _without_self(alike, rows)
        nearest = keep_largest(alike, int(n_neighbors))
        nearest = _scaled_rows(nearest, nearest.sum(axis=1))
        spread = keep_largest(sparse.csr_array(nearest @ shares), int(most_transitions))
        parts.append(counts[rows] + weight * spread)
    return sparse.vstack(parts, format="csr")


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
