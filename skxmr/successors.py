"""What was asked after what: counts of pairs, and what they tell of rarer ones."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._compressed import Compressed
from skxmr._integrity import (
    check_compressed,
    check_finite,
    check_vector,
    refuse,
    to_be_read,
)
from skxmr._sparse import keep_largest

__all__ = ["Successors", "count_successors", "reversed_links", "smooth"]

# A query that follows very many others says little of how alike they are: so many of
# those that it follows most often are compared by it.
_MOST_COMPARED = 1000

# Of a session, so many of the newest queries count.
_MOST_REMEMBERED = 16

# Rows whose neighbours are looked for at a time.
_CHUNK = 1024


class Successors(NamedTuple):
    """How often each query followed each previous one, by rank.

    Parameters
    ----------
    rows : dict of str to int
        The row of each normalised previous query.
    counts : Compressed, a vector for each row
        Ranks, ascending, and how often they followed.
    totals : ndarray of shape (n_rows,), float64
        The sum of each row.
    """

    rows: dict
    counts: Compressed
    totals: np.ndarray

    @classmethod
    def of(cls, rows, counts):
        """Make them of the rows of a sparse matrix."""
        counts = sparse.csr_array(counts)
        counts.sum_duplicates()
        return cls(rows, Compressed.from_sparse(counts), counts.sum(axis=1))

    def check(self, n_queries):
        """Raise ValueError where a damaged file brought what cannot be."""
        name, n_rows = "Successors", len(self.rows)
        check_compressed(self.counts, n_rows, n_queries, f"{name}.counts")
        check_vector(self.totals, (np.float64,), n_rows, f"{name}.totals")
        if to_be_read(self.totals):
            check_finite(self.totals, f"{name}.totals")
        numbers = self.rows.values()
        if not all(type(row) is int and 0 <= row < n_rows for row in numbers):
            refuse(f"{name}.rows", f"holds other than the rows 0 to {n_rows - 1}")

    def after(self, session, ranges):
        """Give what followed the queries of a session, of those in some ranges.

        Returns
        -------
        list of (age, ranks, weights)
            How many queries ago; int32, ascending; float32.
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
        """Add up all that followed the queries of a session."""
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
            All that are here, with the same numbers, and maybe more.
        counts : csr_array of shape (len(rows), n_queries)

        Returns
        -------
        Successors
        """
        old = self.counts.to_csr()
        old.resize(counts.shape)
        return Successors.of(rows, old + counts)


def _within(row, ranges):
    """Give the entries of a single vector whose indices are in some ranges."""
    bounds = np.searchsorted(row.indices, ranges).tolist()
    if len(bounds) == 1:
        part = slice(*bounds[0])
        return row.indices[part], row.values[part]
    parts = [np.arange(start, stop) for start, stop in bounds]
    entries = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    return row.indices[entries], row.values[entries]


def count_successors(sessions, ranks, counts, rows, n_queries, decay):
    """Count what followed what; an older query of a session counts less.

    Parameters
    ----------
    sessions : sequence of tuple of str
        Normalised, newest last.
    ranks : ndarray of shape (n_sessions,), int64
        The query that followed.
    counts : ndarray of shape (n_sessions,), float64
        How often it did.
    rows : dict of str to int
        The rows known so far; those that are not are added.
    n_queries : int
    decay : float
        Each step back multiplies by it.

    Returns
    -------
    csr_array of shape (len(rows), n_queries), float64
    """
    asked_by, seen, ages = [], [], []
    for place, session in enumerate(sessions):
        for age, previous in enumerate(reversed(session)):
            seen.append(rows.setdefault(previous, len(rows)))
            asked_by.append(place)
            ages.append(age)
    places = np.array(asked_by, dtype=np.int64)
    # Powers by products, which are the same on every processor.
    powers = np.cumprod([1.0] + [float(decay)] * max(ages, default=0))
    weights = counts[places] * powers[np.array(ages, dtype=np.int64)]
    return _sum_pairs(weights, seen, ranks[places], (len(rows), n_queries))


def reversed_links(counts, row_keys, keys):
    """Turn round the pairs of which both can come first and second.

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


def smooth(counts, *, n_neighbors, weight, most_successors):
    """Add what followed queries that are followed by the same ones.

    Rows are alike by the cosine of the square roots of their counts times inverse
    document frequency; each gets `weight` more counts, spread as those of its nearest
    neighbours are.

    Parameters
    ----------
    counts : csr_array of shape (n_rows, n_queries), float64
    n_neighbors : int
    weight : float
    most_successors : int
        Of what is added, so many of a row are kept.

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
        spread = keep_largest(sparse.csr_array(nearest @ shares), int(most_successors))
        parts.append(counts[rows] + weight * spread)
    return sparse.vstack(parts, format="csr")


def _row_vectors(counts):
    """Square roots of counts times inverse document frequency, of unit length."""
    n_rows, n_queries = counts.shape
    frequency = np.bincount(counts.indices, minlength=n_queries)
    # Rounded: the last bit of a logarithm may differ between processors.
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
    """Make a matrix of entries, of which those in the same place add up."""
    matrix = sparse.csr_array((values, (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    return matrix
