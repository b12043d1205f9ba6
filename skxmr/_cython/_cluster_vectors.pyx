"""Prepares vectors for clustering: copies, renumbers and normalizes them."""

from cython cimport floating
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

# Squared lengths between these are exact enough without scaling.
cdef double LEAST_SQUARE = 1e-200
cdef double MOST_SQUARE = 1e200


def count_features(
    const int32_t[::1] indices,  # IN (nnz,)
    int32_t[::1] counts,         # IN, OUT (n_features,)
):
    """Count how often features occur."""
    cdef int64_t entry
    with nogil:
        for entry in range(indices.shape[0]):
            counts[indices[entry]] += 1


def number_by_counts(
    const int32_t[::1] counts,   # IN (n_features,)
    int32_t[::1] numbers,        # OUT (n_features,)
):
    """Number features by descending frequency, rounded down to a power of two."""
    cdef int64_t feature
    cdef int32_t[33] starts
    cdef int32_t rank, start = 0, size
    memset(starts, 0, sizeof(starts))
    with nogil:
        for feature in range(counts.shape[0]):
            starts[n_bits(counts[feature])] += 1
        for rank in range(32, -1, -1):
            size = starts[rank]
            starts[rank] = start
            start += size
        for feature in range(counts.shape[0]):
            rank = n_bits(counts[feature])
            numbers[feature] = starts[rank]
            starts[rank] += 1


cdef inline int32_t n_bits(int32_t number) noexcept nogil:
    cdef int32_t size = 0
    while number:
        size += 1
        number >>= 1
    return size


def renumber(
    const int32_t[::1] indices,  # IN (nnz,)
    const int32_t[::1] numbers,  # IN (n_features,)
    int32_t[::1] renumbered,     # OUT (nnz,)
):
    """Replace each index by the number of its feature."""
    cdef int64_t entry
    with nogil:
        for entry in range(indices.shape[0]):
            renumbered[entry] = numbers[indices[entry]]


def gather_rows(
    const int64_t[::1] offsets,       # IN (n_vectors + 1,)
    const int32_t[::1] indices,       # IN (nnz,)
    const floating[::1] values,       # IN (nnz,)
    const int64_t[::1] rows,          # IN (n_rows,)
    int32_t[::1] numbers,             # IN, OUT (n_features,), zeros at first
    const int64_t[::1] row_offsets,   # IN (n_rows + 1,)
    int32_t[::1] row_indices,         # OUT (rows' nnz,)
    floating[::1] row_values,         # OUT (rows' nnz,)
):
    """Copy rows and number their features by first occurrence.

    Returns
    -------
    int
        How many different features the rows have.
    """
    cdef int64_t row, entry, source, shift
    cdef int32_t feature, n_features = 0
    with nogil:
        for row in range(rows.shape[0]):
            shift = offsets[rows[row]] - row_offsets[row]
            for entry in range(row_offsets[row], row_offsets[row + 1]):
                source = entry + shift
                feature = indices[source]
                if numbers[feature] == 0:
                    n_features += 1
                    numbers[feature] = n_features
                row_indices[entry] = numbers[feature] - 1
                row_values[entry] = values[source]
    return n_features


def normalize_rows(
    const int64_t[::1] offsets,  # IN (n_rows + 1,)
    floating[::1] values,        # IN, OUT (nnz,)
):
    """Scale the rows to unit length, but those of zeros."""
    cdef int64_t row, start, stop
    with nogil:
        for row in range(offsets.shape[0] - 1):
            start, stop = offsets[row], offsets[row + 1]
            if stop > start:
                normalize_row(&values[start], stop - start)


def have_unit_length(
    const int64_t[::1] offsets,  # IN (n_rows + 1,)
    const floating[::1] values,  # IN (nnz,)
):
    """Return whether `normalize_rows` would change no row."""
    cdef int64_t row, start, stop
    cdef bint all_have = True
    with nogil:
        for row in range(offsets.shape[0] - 1):
            start, stop = offsets[row], offsets[row + 1]
            if stop > start and not (
                has_unit_length(
                    &values[start], squared_length(&values[start], stop - start)
                )
                or largest_of(&values[start], stop - start) == 0.0
            ):
                all_have = False
                break
    return all_have


cdef inline double largest_of(const floating* values, int64_t length) noexcept nogil:
    """Return the largest of the magnitudes."""
    cdef int64_t entry
    cdef double largest = 0.0
    for entry in range(length):
        largest = max(largest, fabs(values[entry]))
    return largest


cdef inline bint has_unit_length(
    const floating* values, double sum_of_squares
) noexcept nogil:
    """Return whether a squared length is 1 up to rounding."""
    if floating is float:
        return fabs(sum_of_squares - 1.0) < 1e-6
    else:
        return fabs(sum_of_squares - 1.0) < 1e-13


cdef inline void normalize_row(floating* values, int64_t length) noexcept nogil:
    cdef int64_t entry
    cdef double largest, scale, sum_of_squares = squared_length(values, length)
    if has_unit_length(values, sum_of_squares):
        # Scaling again would change the last bits.
        return
    if not LEAST_SQUARE < sum_of_squares < MOST_SQUARE:
        # The squares overflow or underflow, or all are 0.
        largest = largest_of(values, length)
        if largest == 0.0:
            return
        for entry in range(length):
            values[entry] = <floating> (values[entry] / largest)
        sum_of_squares = squared_length(values, length)
    scale = 1.0 / sqrt(sum_of_squares)
    for entry in range(length):
        values[entry] = <floating> (values[entry] * scale)


cdef inline double squared_length(
    const floating* values, int64_t length
) noexcept nogil:
    cdef double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0
    cdef int64_t entry
    for entry in range(0, length - 3, 4):
        first += <double> values[entry] * values[entry]
        second += <double> values[entry + 1] * values[entry + 1]
        third += <double> values[entry + 2] * values[entry + 2]
        fourth += <double> values[entry + 3] * values[entry + 3]
    for entry in range(length - length % 4, length):
        first += <double> values[entry] * values[entry]
    return (first + second) + (third + fourth)
