"""Adds up the training rows of each label: PIFA vectors, features ascending.

Which features a label has is kept in a bitmap (`_bitmap.pxd`): so they come out in
order without being sorted, and only what was set is visited.
"""

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t

from skxmr._cython._bitmap cimport list_and_clear, mark
from skxmr._cython._vectors cimport Vectors

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

cdef enum:
    # Rows between what is read and what is fetched, which lies anywhere.
    ROWS_AHEAD = 4


cdef class Sums:
    """Scratch: the sum of each feature, and a bitmap of the features that have one.

    Parameters
    ----------
    words : ndarray of shape (ceil(n_features / 64),), uint64, of zeros
    summary : ndarray of shape (ceil(n_words / 64),), uint64, of zeros
    sums : ndarray of shape (n_features,), float32, of zeros
    """

    cdef uint64_t[::1] words
    cdef uint64_t[::1] summary
    cdef float[::1] sums

    def __init__(self, words, summary, sums):
        self.words, self.summary, self.sums = words, summary, sums
        if (
            self.words.shape[0] * 64 < self.sums.shape[0]
            or self.summary.shape[0] * 64 < self.words.shape[0]
        ):
            raise ValueError("the bitmap is too small for the sums")


def add_rows(
    Vectors X,             # IN the vectors of all rows
    Vectors members,       # IN for each label its rows, and what each row counts
    Sums scratch,          # of as many features as X
    int64_t[::1] counts,   # OUT (n_labels,): number of features of each label
    int32_t[::1] indices,  # OUT (as many as all rows have, or more)
    float[::1] values,     # OUT: sums of rows, scaled to unit length
):
    """Write the vectors of labels, one after the other.

    Returns
    -------
    int
        The number of entries that were written.
    """
    cdef const int64_t[::1] X_offsets = X.offsets, row_starts = members.offsets
    cdef const int32_t[::1] X_indices = X.indices, rows = members.indices
    cdef const float[::1] X_values = X.values, relevance = members.values
    cdef uint64_t[::1] words = scratch.words, summary = scratch.summary
    cdef float[::1] sums = scratch.sums
    cdef int64_t entry, source, label, row, start = 0, stop
    with nogil:
        for label in range(counts.shape[0]):
            for source in range(row_starts[label], row_starts[label + 1]):
                if source + 2 * ROWS_AHEAD < rows.shape[0]:
                    prefetch(&X_offsets[rows[source + 2 * ROWS_AHEAD]])
                    row = rows[source + ROWS_AHEAD]
                    # A cache line has 16 entries.
                    for entry in range(X_offsets[row], X_offsets[row + 1], 16):
                        prefetch(&X_indices[entry])
                        prefetch(&X_values[entry])
                row = rows[source]
                for entry in range(X_offsets[row], X_offsets[row + 1]):
                    mark(words, summary, X_indices[entry])
                    sums[X_indices[entry]] += relevance[source] * X_values[entry]
            stop = start
            if start < indices.shape[0]:
                stop += list_and_clear(words, summary, &indices[start])
            for entry in range(start, stop):
                values[entry] = sums[indices[entry]]
                sums[indices[entry]] = 0
            _normalize(values, start, stop)
            counts[label] = stop - start
            start = stop
    return start


cdef inline void _normalize(
    float[::1] values, int64_t start, int64_t stop
) noexcept nogil:
    """Scale to unit length; zeros stay."""
    cdef int64_t entry
    cdef double length = 0
    for entry in range(start, stop):
        length += <double>values[entry] * values[entry]
    if length == 0:
        return
    length = sqrt(length)
    for entry in range(start, stop):
        values[entry] = <float>(values[entry] / length)
