"""Adds up the training rows of each label: PIFA vectors, features ascending.

A first pass counts the features of each label, a second one adds. Which features a
label has is kept in a bitmap (`_bitmap.pxd`): so they come out in order without being
sorted, and only what was set is visited.
"""

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t

from skxmr._cython._bitmap cimport list_and_clear, lowest_bit, mark

cdef extern from "include/bits.h" nogil:
    int count_bits "skxmr_count_bits"(uint64_t word)


def count_features(
    const int64_t[::1] X_offsets,   # IN (n_samples + 1,)
    const int32_t[::1] X_indices,   # IN
    const int64_t[::1] row_starts,  # IN (n_labels + 1,)
    const int32_t[::1] rows,        # IN: the rows of each label
    uint64_t[::1] words,            # SCRATCH (n_features / 64,), zeros
    uint64_t[::1] summary,          # SCRATCH (n_words / 64,), zeros
    int64_t[::1] counts,            # OUT (n_labels,)
):
    """Count the different features of the rows of each label."""
    cdef int64_t label
    with nogil:
        for label in range(counts.shape[0]):
            _mark(X_offsets, X_indices, row_starts, rows, label, words, summary)
            counts[label] = _count_and_clear(words, summary)


def add_rows(
    const int64_t[::1] X_offsets,   # IN (n_samples + 1,)
    const int32_t[::1] X_indices,   # IN
    const float[::1] X_values,      # IN
    const int64_t[::1] row_starts,  # IN (n_labels + 1,)
    const int32_t[::1] rows,        # IN: the rows of each label
    const float[::1] relevance,     # IN: what each row counts
    uint64_t[::1] words,            # SCRATCH (n_features / 64,), zeros
    uint64_t[::1] summary,          # SCRATCH (n_words / 64,), zeros
    float[::1] sums,                # SCRATCH (n_features,), zeros
    const int64_t[::1] offsets,     # IN (n_labels + 1,): sums of the counts
    int32_t[::1] indices,           # OUT (nnz,)
    float[::1] values,              # OUT (nnz,): sums of rows, scaled to unit length
):
    """Write the vectors of labels, whose sizes `count_features` has found."""
    cdef int64_t entry, source, label, row
    with nogil:
        for label in range(offsets.shape[0] - 1):
            _mark(X_offsets, X_indices, row_starts, rows, label, words, summary)
            for source in range(row_starts[label], row_starts[label + 1]):
                row = rows[source]
                for entry in range(X_offsets[row], X_offsets[row + 1]):
                    sums[X_indices[entry]] += relevance[source] * X_values[entry]
            if offsets[label] < offsets[label + 1]:
                list_and_clear(words, summary, &indices[offsets[label]])
            for entry in range(offsets[label], offsets[label + 1]):
                values[entry] = sums[indices[entry]]
                sums[indices[entry]] = 0
            _normalize(values, offsets[label], offsets[label + 1])


cdef inline void _mark(
    const int64_t[::1] X_offsets, const int32_t[::1] X_indices,
    const int64_t[::1] row_starts, const int32_t[::1] rows, int64_t label,
    uint64_t[::1] words, uint64_t[::1] summary,
) noexcept nogil:
    cdef int64_t entry, source
    for source in range(row_starts[label], row_starts[label + 1]):
        for entry in range(X_offsets[rows[source]], X_offsets[rows[source] + 1]):
            mark(words, summary, X_indices[entry])


cdef inline int64_t _count_and_clear(
    uint64_t[::1] words, uint64_t[::1] summary
) noexcept nogil:
    cdef int64_t i, word, count = 0
    for i in range(summary.shape[0]):
        while summary[i]:
            word = i * 64 + lowest_bit(summary[i])
            summary[i] &= summary[i] - 1
            count += count_bits(words[word])
            words[word] = 0
    return count


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
