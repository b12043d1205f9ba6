"""Cuts the rows of a matrix in two by balanced 2-means.

A cut puts a given number of rows on side 0 and the rest on side 1. Rows are scored
along the line through the two centres, the best go to side 0, centres follow, until
rows stay where they are. The sums of each side are kept up to date by the rows that
changed sides, which soon are few; they stand next to each other, feature by feature.
"""

from cpython.exc cimport PyErr_CheckSignals
from cython cimport floating
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy


# A sum this much shorter (squared) than the other side's is nothing but rounding.
cdef double ROUNDING = 1e-24

# Rows this near to each other (squared, beside their lengths) are one, up to rounding.
cdef double SAME = 1e-12


# Rows between two looks at whether to stop.
cdef enum:
    ROWS_TO_STOP = 16384


# Gathering rows
# --------------


def gather_rows(
    const int64_t[::1] offsets,       # IN (n_vectors + 1,)
    const int32_t[::1] indices,       # IN (nnz,)
    const floating[::1] values,       # IN (nnz,)
    const int64_t[::1] rows,          # IN (n_rows,)
    int32_t[::1] numbers,             # IN, OUT (n_features,), zeros at first
    const int64_t[::1] own_offsets,   # IN (n_rows + 1,)
    int32_t[::1] own_indices,         # OUT (own nnz,)
    floating[::1] own_values,         # OUT (own nnz,)
):
    """Copy rows and number the features that they have in the order of their coming.

    Returns
    -------
    int
        How many different features the rows have.
    """
    cdef int64_t row, entry, source, shift
    cdef int32_t feature, n_features = 0
    with nogil:
        for row in range(rows.shape[0]):
            shift = offsets[rows[row]] - own_offsets[row]
            for entry in range(own_offsets[row], own_offsets[row + 1]):
                source = entry + shift
                feature = indices[source]
                if numbers[feature] == 0:
                    n_features += 1
                    numbers[feature] = n_features
                own_indices[entry] = numbers[feature] - 1
                own_values[entry] = values[source]
    return n_features


def normalize_rows(
    const int64_t[::1] offsets,  # IN (n_rows + 1,)
    floating[::1] values,        # IN, OUT (nnz,)
):
    """Scale the rows to unit length; rows of zeros stay."""
    cdef int64_t row, start, stop
    with nogil:
        for row in range(offsets.shape[0] - 1):
            start, stop = offsets[row], offsets[row + 1]
            if stop > start:
                normalize_row(&values[start], stop - start)


cdef inline void normalize_row(floating* values, int64_t length) noexcept nogil:
    cdef int64_t entry
    cdef double largest = 0.0, sum_of_squares = 0.0, scale
    for entry in range(length):
        largest = max(largest, fabs(values[entry]))
    if largest == 0.0:
        return
    if not 1e-100 < largest < 1e100:
        # Squares would be out of range.
        for entry in range(length):
            values[entry] = <floating> (values[entry] / largest)
    for entry in range(length):
        sum_of_squares += <double> values[entry] * values[entry]
    scale = 1.0 / sqrt(sum_of_squares)
    for entry in range(length):
        values[entry] = <floating> (values[entry] * scale)


# Bisection
# ---------


def bisect_sparse(
    const int64_t[::1] offsets,  # IN (n_rows + 1,)
    const int32_t[::1] indices,  # IN (nnz,)
    const floating[::1] values,  # IN (nnz,)
    int64_t first_centre,
    int64_t second_centre,
    int64_t n_first,
    int max_iter,
    int64_t max_moved,
    bint spherical,
    const uint8_t[::1] stop,     # IN (1,): not 0 as soon as nobody wants the result
    double[:, ::1] sums,         # IN, OUT (n_features, 2), zeros at first
    double[::1] direction,       # IN, OUT (n_features,), zeros at first
    uint64_t[:, ::1] keys,       # OUT (2, n_rows)
    int64_t[::1] moved,          # OUT (n_rows,)
    uint8_t[::1] sides,          # IN, OUT (n_rows,), ones at first
):
    """Put `n_first` rows of a compressed matrix on side 0, the rest on side 1.

    The centres are those two rows at first; if they are the same, up to rounding, the
    second is the next row, in a circle, that is another. Stops after `max_iter`
    assignments, or when no more than `max_moved` rows have changed sides.

    Returns
    -------
    int
        The number of assignments made.
    """
    cdef int64_t n_rows = sides.shape[0]
    cdef int64_t row, start, entry, position, n_moved
    cdef int iteration = 0
    cdef const int32_t* first_index = &indices[0] if indices.shape[0] else NULL
    cdef const floating* first_value = &values[0] if values.shape[0] else NULL
    cdef const double* first_axis = &direction[0] if direction.shape[0] else NULL
    if n_rows == 0:
        return 0
    with nogil:
        for entry in range(offsets[n_rows]):
            sums[indices[entry], 1] += values[entry]
        second_centre = other_centre_sparse(
            offsets, indices, values, first_centre, second_centre, direction
        )
        add_row(offsets, indices, values, first_centre, 1, direction)
        add_row(offsets, indices, values, second_centre, -1, direction)
        while iteration < max_iter:
            iteration += 1
            for row in range(n_rows):
                if row % ROWS_TO_STOP == 0:
                    # Ctrl-C, where this is the main thread.
                    with gil:
                        PyErr_CheckSignals()
                    if stop[0]:
                        break
                start = offsets[row]
                keys[0, row] = sortable(
                    sparse_dot(
                        first_index + start,
                        first_value + start,
                        first_axis,
                        offsets[row + 1] - start,
                    )
                )
            if stop[0]:
                break
            n_moved = assign_sides(keys, n_first, moved, sides)
            if iteration > 1 and n_moved <= max_moved:
                break
            for position in range(n_moved):
                row = moved[position]
                for entry in range(offsets[row], offsets[row + 1]):
                    sums[indices[entry], sides[row]] += values[entry]
                    sums[indices[entry], 1 - sides[row]] -= values[entry]
            point_direction(sums, n_first, n_rows, spherical, direction)
    return iteration


def bisect_dense(
    const floating[:, ::1] rows,  # IN (n_rows, n_features)
    int64_t first_centre,
    int64_t second_centre,
    int64_t n_first,
    int max_iter,
    int64_t max_moved,
    bint spherical,
    const uint8_t[::1] stop,     # IN (1,): not 0 as soon as nobody wants the result
    double[:, ::1] sums,          # IN, OUT (n_features, 2), zeros at first
    double[::1] direction,        # IN, OUT (n_features,), zeros at first
    uint64_t[:, ::1] keys,        # OUT (2, n_rows)
    int64_t[::1] moved,           # OUT (n_rows,)
    uint8_t[::1] sides,           # IN, OUT (n_rows,), ones at first
):
    """Do what `bisect_sparse` does for a dense matrix."""
    cdef int64_t n_rows = rows.shape[0], n_features = rows.shape[1]
    cdef int64_t row, feature, position, n_moved
    cdef int iteration = 0
    cdef const floating* first_value = &rows[0, 0] if n_rows * n_features else NULL
    cdef const double* first_axis = &direction[0] if n_features else NULL
    if n_rows == 0:
        return 0
    with nogil:
        for row in range(n_rows):
            for feature in range(n_features):
                sums[feature, 1] += rows[row, feature]
        second_centre = other_centre_dense(rows, first_centre, second_centre)
        for feature in range(n_features):
            direction[feature] = (
                <double> rows[first_centre, feature] - rows[second_centre, feature]
            )
        while iteration < max_iter:
            iteration += 1
            for row in range(n_rows):
                if row % ROWS_TO_STOP == 0:
                    with gil:
                        PyErr_CheckSignals()
                    if stop[0]:
                        break
                keys[0, row] = sortable(
                    dense_dot(first_value + row * n_features, first_axis, n_features)
                )
            if stop[0]:
                break
            n_moved = assign_sides(keys, n_first, moved, sides)
            if iteration > 1 and n_moved <= max_moved:
                break
            for position in range(n_moved):
                row = moved[position]
                for feature in range(n_features):
                    sums[feature, sides[row]] += rows[row, feature]
                    sums[feature, 1 - sides[row]] -= rows[row, feature]
            point_direction(sums, n_first, n_rows, spherical, direction)
    return iteration


# Four sums at a time: one alone would wait for each addition to finish.


cdef int64_t other_centre_sparse(
    const int64_t[::1] offsets, const int32_t[::1] indices, const floating[::1] values,
    int64_t first, int64_t second, double[::1] direction,
) noexcept nogil:
    """Find the next row that is not the first centre again; `direction` is zeros."""
    cdef int64_t n_rows = offsets.shape[0] - 1, shift, other, entry, found = second
    cdef double length = 0.0, squares, apart, value
    for entry in range(offsets[first], offsets[first + 1]):
        length += <double> values[entry] * values[entry]
    add_row(offsets, indices, values, first, 1, direction)
    for shift in range(n_rows):
        other = (second + shift) % n_rows
        squares = apart = length
        # |a - b|^2 is |a|^2 but for the features of b.
        for entry in range(offsets[other], offsets[other + 1]):
            value = values[entry]
            squares += value * value
            apart += value * (value - 2.0 * direction[indices[entry]])
        if apart > SAME * squares:
            found = other
            break
    add_row(offsets, indices, values, first, -1, direction)
    return found


cdef int64_t other_centre_dense(
    const floating[:, ::1] rows, int64_t first, int64_t second
) noexcept nogil:
    """Do what `other_centre_sparse` does for a dense matrix."""
    cdef int64_t n_rows = rows.shape[0], shift, other, feature
    cdef double squares, apart, value
    for shift in range(n_rows):
        other = (second + shift) % n_rows
        squares = apart = 0.0
        for feature in range(rows.shape[1]):
            value = <double> rows[first, feature] - rows[other, feature]
            apart += value * value
            squares += <double> rows[first, feature] * rows[first, feature]
            squares += <double> rows[other, feature] * rows[other, feature]
        if apart > SAME * squares:
            return other
    return second


cdef inline void add_row(
    const int64_t[::1] offsets, const int32_t[::1] indices, const floating[::1] values,
    int64_t row, double factor, double[::1] direction,
) noexcept nogil:
    cdef int64_t entry
    for entry in range(offsets[row], offsets[row + 1]):
        direction[indices[entry]] += factor * values[entry]


cdef inline double sparse_dot(
    const int32_t* indices, const floating* values, const double* direction, int64_t n
) noexcept nogil:
    cdef double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0
    cdef int64_t entry
    for entry in range(0, n - 3, 4):
        first += values[entry] * direction[indices[entry]]
        second += values[entry + 1] * direction[indices[entry + 1]]
        third += values[entry + 2] * direction[indices[entry + 2]]
        fourth += values[entry + 3] * direction[indices[entry + 3]]
    for entry in range(n - n % 4, n):
        first += values[entry] * direction[indices[entry]]
    return (first + second) + (third + fourth)


cdef inline double dense_dot(
    const floating* values, const double* direction, int64_t n
) noexcept nogil:
    cdef double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0
    cdef int64_t entry
    for entry in range(0, n - 3, 4):
        first += values[entry] * direction[entry]
        second += values[entry + 1] * direction[entry + 1]
        third += values[entry + 2] * direction[entry + 2]
        fourth += values[entry + 3] * direction[entry + 3]
    for entry in range(n - n % 4, n):
        first += values[entry] * direction[entry]
    return (first + second) + (third + fourth)


cdef void point_direction(
    const double[:, ::1] sums,
    int64_t n_first,
    int64_t n_rows,
    bint spherical,
    double[::1] direction,
) noexcept nogil:
    """Point from the second centre to the first; centres are means of the sides."""
    cdef double first = 0.0, second = 0.0, least
    cdef int64_t feature
    if spherical:
        for feature in range(sums.shape[0]):
            first += sums[feature, 0] * sums[feature, 0]
            second += sums[feature, 1] * sums[feature, 1]
        # A side of zero vectors keeps what rounding left of the rows that were there
        # before; scaled to unit length, that would be a direction like any other.
        least = ROUNDING * (first + second)
        first = 1.0 / sqrt(first) if first > least else 0.0
        second = 1.0 / sqrt(second) if second > least else 0.0
    else:
        first = 1.0 / n_first
        second = 1.0 / (n_rows - n_first)
    for feature in range(sums.shape[0]):
        direction[feature] = sums[feature, 0] * first - sums[feature, 1] * second


# Selection
# ---------


cdef inline uint64_t sortable(double score) noexcept nogil:
    """Turn a score into an integer of the same order; even NaN has a place in it."""
    cdef uint64_t bits = 0
    memcpy(&bits, &score, sizeof(bits))
    return ~bits if bits >> 63 else bits | (<uint64_t> 1 << 63)


cdef int64_t assign_sides(
    uint64_t[:, ::1] keys, int64_t n_first, int64_t[::1] moved, uint8_t[::1] sides
) noexcept nogil:
    """Put the rows of the largest keys on side 0, of equal ones the first.

    Returns the number of rows that changed sides, listed in `moved`.
    """
    cdef int64_t n_rows = sides.shape[0], n_moved = 0, n_ties = n_first, row
    cdef uint64_t least
    cdef uint8_t side
    memcpy(&keys[1, 0], &keys[0, 0], n_rows * sizeof(uint64_t))
    least = kth_largest(&keys[1, 0], n_rows, n_first)
    for row in range(n_rows):
        n_ties -= keys[0, row] > least
    for row in range(n_rows):
        side = keys[0, row] < least
        if keys[0, row] == least:
            side = n_ties <= 0
            n_ties -= 1
        if side != sides[row]:
            sides[row] = side
            moved[n_moved] = row
            n_moved += 1
    return n_moved


cdef uint64_t kth_largest(uint64_t* keys, int64_t n_keys, int64_t k) noexcept nogil:
    """Return the k-th largest of the keys, k from 1 on, leaving them in disorder."""
    cdef int64_t start = 0, stop = n_keys, larger, equal, position
    cdef uint64_t pivot, key, state = n_keys
    k -= 1
    while True:
        # Positions at random: no order of the rows is slow.
        pivot = median(
            keys[start + draw(&state, stop - start)],
            keys[start + draw(&state, stop - start)],
            keys[start + draw(&state, stop - start)],
        )
        # Larger keys go to [start, larger), equal ones to [larger, equal).
        larger = equal = start
        for position in range(start, stop):
            key = keys[position]
            if key >= pivot:
                keys[position] = keys[equal]
                keys[equal] = key
                if key > pivot:
                    keys[equal] = keys[larger]
                    keys[larger] = key
                    larger += 1
                equal += 1
        if k < larger:
            stop = larger
        elif k < equal:
            return pivot
        else:
            start = equal


cdef inline int64_t draw(uint64_t* state, int64_t below) noexcept nogil:
    """Draw a number from 0 on; Knuth's linear congruential generator."""
    state[0] = state[0] * 6364136223846793005ULL + 1442695040888963407ULL
    return <int64_t> ((state[0] >> 33) % <uint64_t> below)


cdef inline uint64_t median(uint64_t a, uint64_t b, uint64_t c) noexcept nogil:
    return max(min(a, b), min(max(a, b), c))
