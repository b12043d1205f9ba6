"""Makes the training rows of one parent small before its children are trained.

Only the features that the rows have are kept, numbered 0, 1, ... And what stands for
the same information is stored once, without changing the problem:

- A feature that one row alone has adds the same to the row's margin whatever the
  other rows do: its weight is the row's signed dual variable times its value. All such
  features of a row become one number, their squared norm (`own`).
- Features that the same rows have, with values in the same ratio (the n-grams of one
  word, say), have weights in that ratio: they become one column of their joint norm.

Then a feature's weights are `scale` times those of its column, or times the signed dual
variables of its row.
"""

from libc.math cimport fabsf, sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t

from skxmr._cython._bitmap cimport list_and_clear, mark

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

cdef enum:
    ROWS_AHEAD = 6

# In the place of a column: of a feature that shares its leader's, of one that a single
# row has.
cdef enum:
    FOLLOWS = -1
    ALONE = -2

# Ratios that differ by less are those of rounded values.
cdef float ROUNDING = 1e-6


def list_features(
    const int64_t[::1] X_indptr,   # IN (n_samples + 1,)
    const int32_t[::1] X_indices,  # IN
    const float[::1] X_values,     # IN
    const int32_t[::1] rows,       # IN (n_rows,)
    bint fit_intercept,
    int32_t[::1] numbers,          # IN (n_all_features,), all -1; OUT of those found
    int64_t[::1] offsets,          # OUT (n_rows + 1,)
    int32_t[::1] entries,          # OUT (nnz of the rows,): number of each feature
    float[::1] norms,              # OUT (n_rows,): squared, the intercept's 1 too
    int32_t[::1] features,         # OUT (enough,): those found, by number
    int32_t[::1] first_rows,       # OUT (enough,): first row of each
    float[::1] firsts,             # OUT (enough,): its value there
    uint64_t[::1] hashes,          # OUT (enough,): of the set of its rows
):
    """Number the features of some rows as they come; return how many there are."""
    cdef int64_t i, entry, position = 0
    cdef int32_t feature, number, n_found = 0
    cdef uint64_t row_hash
    cdef double norm
    with nogil:
        offsets[0] = 0
        for i in range(rows.shape[0]):
            if i + ROWS_AHEAD < rows.shape[0]:
                _prefetch_row(X_indptr, X_indices, X_values, rows[i + ROWS_AHEAD])
            norm = fit_intercept
            row_hash = _mix(<uint64_t>i)
            for entry in range(X_indptr[rows[i]], X_indptr[rows[i] + 1]):
                feature = X_indices[entry]
                number = numbers[feature]
                if number < 0:
                    number = n_found
                    n_found += 1
                    numbers[feature] = number
                    features[number] = feature
                    first_rows[number] = <int32_t>i
                    firsts[number] = X_values[entry]
                    hashes[number] = 0
                hashes[number] += row_hash
                entries[position] = number
                norm += <double>X_values[entry] * X_values[entry]
                position += 1
            offsets[i + 1] = position
            norms[i] = <float>norm
    return n_found


cdef inline void _prefetch_row(
    const int64_t[::1] X_indptr, const int32_t[::1] X_indices,
    const float[::1] X_values, int32_t row,
) noexcept nogil:
    cdef int64_t entry
    # 16 indices or values lie in a cache line.
    for entry in range(X_indptr[row], X_indptr[row + 1], 16):
        prefetch(&X_indices[entry])
        prefetch(&X_values[entry])


cdef inline uint64_t _mix(uint64_t z) noexcept nogil:
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = (z + 1) * <uint64_t>0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


def find_leaders(
    const int32_t[::1] first_rows,  # IN (n_found,)
    const float[::1] firsts,       # IN (n_found,)
    const uint64_t[::1] hashes,    # IN (n_found,)
    int32_t[::1] table,            # SCRATCH (power of two above n_found,), all -1
    int32_t[::1] leaders,          # OUT (n_found,)
):
    """Find for each feature the first one that the same rows have.

    A feature that one row alone has, gets -1; one whose first value is 0, which
    has no ratio to others, gets itself.
    """
    cdef int32_t number, other
    cdef uint64_t place, mask = <uint64_t>(table.shape[0] - 1)
    with nogil:
        for number in range(<int32_t>hashes.shape[0]):
            if hashes[number] == _mix(<uint64_t>first_rows[number]):
                leaders[number] = -1
                continue
            leaders[number] = number
            if firsts[number] == 0:
                continue
            place = hashes[number] & mask
            while True:
                other = table[place]
                if other < 0:
                    table[place] = number
                    break
                if hashes[other] == hashes[number]:
                    leaders[number] = other
                    break
                place = (place + 1) & mask


def check_ratios(
    const int64_t[::1] X_indptr,   # IN (n_samples + 1,)
    const float[::1] X_values,     # IN
    const int32_t[::1] rows,       # IN (n_rows,)
    const int64_t[::1] offsets,    # IN (n_rows + 1,)
    const int32_t[::1] entries,    # IN (nnz of the rows,)
    const float[::1] firsts,       # IN (n_found,)
    float[::1] values,             # SCRATCH (n_found,)
    int32_t[::1] leaders,          # IN and OUT (n_found,)
):
    """Let features stand alone whose values are in no fixed ratio to their leader's.

    A feature that is in the table but not in all the rows of its leader (two sets
    of rows with one hash) is found here too, unless chance gives it the ratio.
    """
    cdef int64_t i, j, n, start
    cdef int32_t number, leader
    cdef float one, other
    with nogil:
        for i in range(rows.shape[0]):
            start = X_indptr[rows[i]]
            n = offsets[i + 1] - offsets[i]
            for j in range(n):
                values[entries[offsets[i] + j]] = X_values[start + j]
            for j in range(n):
                number = entries[offsets[i] + j]
                leader = leaders[number]
                if leader < 0 or leader == number:
                    continue
                one = values[number] * firsts[leader]
                other = values[leader] * firsts[number]
                if not fabsf(one - other) <= ROUNDING * fabsf(other):
                    leaders[number] = number


def number_columns(
    const float[::1] firsts,       # IN (n_found,)
    const int32_t[::1] leaders,    # IN (n_found,)
    double[::1] norms,             # SCRATCH (n_found,)
    int32_t[::1] columns,          # OUT (n_found,): of leaders; FOLLOWS or ALONE
    float[::1] scales,             # OUT (n_found,): of all but those of single rows
):
    """Give each leader a column and each feature its share of it; return how many."""
    cdef int32_t number, leader, n_columns = 0
    cdef double ratio
    with nogil:
        for number in range(<int32_t>leaders.shape[0]):
            norms[number] = 0
        for number in range(<int32_t>leaders.shape[0]):
            leader = leaders[number]
            if leader >= 0:
                norms[leader] += _ratio(firsts, number, leader) ** 2
        for number in range(<int32_t>leaders.shape[0]):
            leader = leaders[number]
            columns[number] = FOLLOWS if leader >= 0 else ALONE
            if leader >= 0:
                ratio = _ratio(firsts, number, leader)
                scales[number] = <float>(ratio / sqrt(norms[leader]))
            if leader == number:
                columns[number] = n_columns
                n_columns += 1
    return n_columns


cdef inline double _ratio(
    const float[::1] firsts, int32_t number, int32_t leader
) noexcept nogil:
    return 1 if number == leader else <double>firsts[number] / firsts[leader]


def write_rows(
    const int64_t[::1] X_indptr,   # IN (n_samples + 1,)
    const float[::1] X_values,     # IN
    const int32_t[::1] rows,       # IN (n_rows,)
    const int32_t[::1] leaders,    # IN (n_found,)
    const int32_t[::1] columns,    # IN (n_found,): of leaders; FOLLOWS or ALONE
    float[::1] scales,             # IN and OUT (n_found,)
    int32_t[::1] sources,          # OUT (n_found,): column c, or row r as -1 - r
    int64_t[::1] offsets,          # IN and OUT (n_rows + 1,)
    int32_t[::1] entries,          # IN numbers, OUT columns, as many as are left
    float[::1] values,             # OUT (nnz of the rows,)
    float[::1] own,                # OUT (n_rows,)
):
    """Write the rows by columns, in place; return how many entries are left."""
    cdef int64_t i, j, n, start, first, position = 0
    cdef int32_t number, column
    cdef float value
    cdef double alone
    with nogil:
        for number in range(<int32_t>leaders.shape[0]):
            if leaders[number] >= 0:
                sources[number] = columns[leaders[number]]
        for i in range(rows.shape[0]):
            start, first = X_indptr[rows[i]], offsets[i]
            n = X_indptr[rows[i] + 1] - start
            offsets[i] = position
            alone = 0
            for j in range(n):
                number = entries[first + j]
                value = X_values[start + j]
                column = columns[number]
                if column == ALONE:
                    alone += <double>value * value
                    sources[number] = -1 - <int32_t>i
                    scales[number] = value
                elif column != FOLLOWS:
                    entries[position] = column
                    values[position] = value / scales[number]
                    position += 1
            own[i] = <float>alone
        offsets[rows.shape[0]] = position
    return position


def order_features(
    const int32_t[::1] found,      # IN (n_found,): features by number
    int32_t[::1] numbers,          # IN of the features, OUT all -1 again
    uint64_t[::1] words,           # SCRATCH (n_all_features / 64,), zeros
    uint64_t[::1] summary,         # SCRATCH (n_words / 64,), zeros
    const int32_t[::1] sources,    # IN (n_found,): by number
    const float[::1] scales,       # IN (n_found,): by number
    int32_t[::1] features,         # OUT (n_found,), ascending
    int32_t[::1] ordered_sources,  # OUT (n_found,): as the features stand
    float[::1] ordered_scales,     # OUT (n_found,)
):
    """Put what was numbered as it came in the order of the features."""
    cdef int64_t place
    cdef int32_t number
    if found.shape[0] == 0:
        return
    with nogil:
        for place in range(found.shape[0]):
            mark(words, summary, found[place])
        list_and_clear(words, summary, &features[0])
        for place in range(features.shape[0]):
            number = numbers[features[place]]
            numbers[features[place]] = -1
            ordered_sources[place] = sources[number]
            ordered_scales[place] = scales[number]
