"""Label vectors in the format of the k-means kernels."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._cython._cluster_vectors import (
    count_features,
    gather_rows,
    have_unit_length,
    normalize_rows,
    number_by_counts,
    renumber,
)
from skxmr._inputs._features import check_width
from skxmr._inputs._validation import check_structure
from skxmr._memory._large import empty
from skxmr._utils._compressed import Compressed

__all__ = ["DenseVectors", "Rows", "SparseVectors", "vectors_of"]

# Entries per part of the work: less than a millisecond.
_PART = 2**18
_LONGEST_PART = 2**26
# The number of entries that are sampled to find frequent features.
_SAMPLE = 2**19


class Rows(NamedTuple):
    """Rows to be split.

    Parameters
    ----------
    starts, stops : ndarray of shape (n_rows,), int64
        The first entry of each row, and the one after its last.
    indices : ndarray of shape (nnz,), int32, or None
        The features of all entries. None for a dense matrix.
    values : ndarray of shape (nnz,), float32 or float64
    length : int
        The number of features.
    """

    starts: np.ndarray
    stops: np.ndarray
    indices: np.ndarray | None
    values: np.ndarray
    length: int

    def some(self, rows):
        """Return some of the rows."""
        return self._replace(starts=self.starts[rows], stops=self.stops[rows])

    def parts(self, n_threads):
        """Call `parts_of`."""
        sizes = self.stops - self.starts
        return parts_of(np.concatenate([[0], np.cumsum(sizes)]), n_threads)


def parts_of(offsets, n_threads):
    """Divide vectors into ranges of about equal work for a number of threads.

    Parameters
    ----------
    offsets : ndarray of shape (n_vectors + 1,), int64
        Cumulative numbers of entries.
    n_threads : int

    Returns
    -------
    list of (int, int)
        The first vector of each part, and its last plus one.
    """
    n_vectors, n_entries = len(offsets) - 1, int(offsets[-1])
    # A single thread gets several parts too, to check for interrupts between them.
    size = max(_PART, min(_LONGEST_PART, n_entries // (4 * n_threads)))
    cuts = np.searchsorted(offsets, np.arange(size, n_entries, size))
    return list(pairwise(np.unique([0, *cuts, n_vectors]).tolist()))


def vectors_of(Z):
    """Return the rows of a sparse or dense matrix as vectors to cluster."""
    return SparseVectors.of(Z) if sparse.issparse(Z) else DenseVectors(Z)


class SparseVectors(Compressed):
    """Rows of a sparse matrix."""

    @classmethod
    def of(cls, Z):
        """Wrap the rows; only arrays in other formats than the kernels are copied."""
        Z = sparse.csr_array(check_structure(Z, "Z"))
        check_width(Z, "Z", "columns")
        if not Z.has_canonical_format:
            Z = Z.copy()
            Z.sum_duplicates()
        return cls(
            np.ascontiguousarray(Z.indptr, dtype=np.int64),
            np.ascontiguousarray(Z.indices, dtype=np.int32),
            np.ascontiguousarray(Z.data),
            Z.shape[1],
        )

    def take(self, vectors):
        """Copy rows, without the features that occur in none of them."""
        offsets = np.zeros(len(vectors) + 1, dtype=np.int64)
        np.cumsum(self.offsets[vectors + 1] - self.offsets[vectors], out=offsets[1:])
        indices = empty(offsets[-1], np.int32)
        values = empty(offsets[-1], self.values.dtype)
        numbers = np.zeros(self.length, dtype=np.int32)
        length = gather_rows(
            self.offsets,
            self.indices,
            self.values,
            vectors,
            numbers,
            offsets,
            indices,
            values,
        )
        return SparseVectors(offsets, indices, values, length)

    def lie_well(self, vectors):
        """Return whether reading rows in place is faster than copying them.

        It is if a sum over all features is small compared to the entries of the rows.
        """
        n_entries = (self.offsets[vectors + 1] - self.offsets[vectors]).sum()
        return 2 * self.length <= n_entries

    def normalize(self):
        """Scale rows to unit length in place."""
        normalize_rows(self.offsets, self.values)

    def view(self, vectors=None):
        """Return rows to be split, without copying entries."""
        starts, stops = self.offsets[:-1], self.offsets[1:]
        if vectors is not None:
            starts, stops = starts[vectors], stops[vectors]
        return Rows(starts, stops, self.indices, self.values, self.length)

    def prepared(self, spherical, work):
        """Renumber the features, so that frequent ones are adjacent.

        Parameters
        ----------
        spherical : bool
            Whether the rows of the result have unit length.
        work : Work
            The work whose threads may help.

        Returns
        -------
        SparseVectors
            The values are copied only if the rows do not have unit length.
        """
        if not self.lie_well(np.arange(self.n_vectors)):
            own = self.take(np.arange(self.n_vectors))
        else:
            own = self._replace(indices=self._renumbered(work))
        if not spherical:
            return own
        return own._replace(values=_of_unit_length(own.offsets, own.values, work))

    def _renumbered(self, work):
        """Renumber the features of indices, frequent ones first."""
        counts = np.zeros(self.length, dtype=np.int32)
        count_features(self.indices[:_SAMPLE], counts)
        numbers = np.empty(self.length, dtype=np.int32)
        number_by_counts(counts, numbers)
        renumbered = empty(len(self.indices), np.int32)

        def renumber_rows(part):
            entries = slice(*self.offsets[list(part)])
            renumber(self.indices[entries], numbers, renumbered[entries])

        work.do_each(renumber_rows, parts_of(self.offsets, work.n_threads))
        return renumbered


class DenseVectors(NamedTuple):
    """Rows of a dense matrix."""

    rows: np.ndarray

    @property
    def length(self):
        """The number of features."""
        return self.rows.shape[1]

    @property
    def offsets(self):
        """The start of each row, and the end of the last."""
        return np.arange(self.rows.shape[0] + 1, dtype=np.int64) * self.length

    def to_matrix(self):
        """Return the vectors as the rows of a matrix."""
        return self.rows

    def take(self, vectors):
        """Copy rows."""
        return DenseVectors(self.rows[vectors])

    def lie_well(self, vectors):
        """Return True: dense rows are always read in place."""
        return len(vectors) == len(self.rows)

    def normalize(self):
        """Scale rows to unit length in place."""
        normalize_rows(self.offsets, self.rows.reshape(-1))

    def view(self, vectors=None):
        """Return rows to be split, without copying entries."""
        starts = self.offsets[:-1]
        if vectors is not None:
            starts = starts[vectors]
        values = self.rows.reshape(-1)
        return Rows(starts, starts + self.length, None, values, self.length)

    def prepared(self, spherical, work):
        """Return the vectors if they need no scaling, otherwise None.

        A scaled copy of all would be in memory together with those of segments.
        """
        values = self.rows.reshape(-1)
        if spherical and not _have_unit_length(self.offsets, values, work):
            return None
        return self


def _have_unit_length(offsets, values, work):
    """Return whether all rows have unit length or are zero."""
    other_parts: list[tuple] = []

    def check(part):
        first, stop = part
        if not other_parts and not have_unit_length(offsets[first : stop + 1], values):
            other_parts.append(part)

    work.do_each(check, parts_of(offsets, work.n_threads))
    return not other_parts


def _of_unit_length(offsets, values, work):
    """Scale rows to unit length; they are copied unless they already have it."""
    if _have_unit_length(offsets, values, work):
        return values
    own = empty(len(values), values.dtype)

    def normalize(part):
        first, stop = part
        entries = slice(offsets[first], offsets[stop])
        own[entries] = values[entries]
        normalize_rows(offsets[first : stop + 1], own)

    work.do_each(normalize, parts_of(offsets, work.n_threads))
    return own
