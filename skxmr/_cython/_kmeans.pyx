"""Cuts the rows of a matrix in two by balanced 2-means, once or down to the leaves.

A cut puts a given number of rows on side 0 and the rest on side 1. Rows are scored
along the line through the two centres, the best go to side 0, centres follow, until
rows stay where they are. The sums of each side are kept up to date by the rows that
changed sides, which soon are few.

A row is a range of entries. Rows of a sparse matrix have an index for each entry; where
there are no indices, the matrix is dense.
"""

from cpython.exc cimport PyErr_CheckSignals
from cython cimport floating
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from skxmr._cython._seeds cimport draw_two
from skxmr._cython._selection cimport kth_largest, sortable

cdef extern from "include/dense_product.h" nogil:
    double product_of_floats "skxmr_product_float"(
        const float* values, const double* sums, int64_t n, int level
    )
    double product_of_doubles "skxmr_product_double"(
        const double* values, const double* sums, int64_t n, int level
    )

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

# A sum this much shorter (squared) than the other side's is nothing but rounding.
cdef double ROUNDING = 1e-12

# Rows this near to each other (squared, beside their lengths) are one, up to rounding.
cdef double SAME = 1e-12

# Squared lengths between these are exact enough, without scaling.
cdef double LEAST_SQUARE = 1e-200
cdef double MOST_SQUARE = 1e200

cdef enum:
    # Entries between two looks at whether to stop: some milliseconds.
    ENTRIES_TO_STOP = 4194304
    # Entries of the next row that are fetched ahead.
    ENTRIES_AHEAD = 64


cdef struct Cut:
    int64_t n_rows
    int64_t n_features
    int64_t n_first             # how many rows side 0 gets
    int64_t first_centre        # the row that side 0 begins with
    int64_t second_centre
    bint spherical
    const int64_t* starts       # (n_rows,)
    const int64_t* stops        # (n_rows,)
    const int32_t* indices      # (nnz,), NULL of a dense matrix
    double* totals              # (n_features,) sum of all rows
    double* sums                # (n_features,) sum of the rows of side 0
    double* to_sums             # (n_rows,) products of the rows with the sums
    double* to_totals           # (n_rows,) the same with the totals
    uint64_t* keys              # (n_rows,)
    uint64_t* spare_keys        # (n_rows,)
    int64_t* moved              # (n_rows,)
    uint8_t* sides              # (n_rows,)
    const uint8_t* stop         # not 0 as soon as nobody wants the result
    int64_t n_unwatched         # entries since the last look at whether to stop
    int level                   # of instructions


# Preparing rows
# --------------


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
    """Number features so that frequent ones, up to powers of two, come first."""
    cdef int64_t feature
    cdef int32_t[33] places
    cdef int32_t rank, place = 0, size
    memset(places, 0, sizeof(places))
    with nogil:
        for feature in range(counts.shape[0]):
            places[n_bits(counts[feature])] += 1
        for rank in range(32, -1, -1):
            size = places[rank]
            places[rank] = place
            place += size
        for feature in range(counts.shape[0]):
            rank = n_bits(counts[feature])
            numbers[feature] = places[rank]
            places[rank] += 1


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
    """Give each index the number of its feature."""
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


def have_unit_length(
    const int64_t[::1] offsets,  # IN (n_rows + 1,)
    const floating[::1] values,  # IN (nnz,)
):
    """Tell whether `normalize_rows` would leave all rows as they are."""
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
    """Tell whether nothing but rounding is between a length and 1."""
    if floating is float:
        return fabs(sum_of_squares - 1.0) < 1e-6
    else:
        return fabs(sum_of_squares - 1.0) < 1e-13


cdef inline void normalize_row(floating* values, int64_t length) noexcept nogil:
    cdef int64_t entry
    cdef double largest, scale, sum_of_squares = squared_length(values, length)
    if has_unit_length(values, sum_of_squares):
        # Scaled once more, it would change.
        return
    if not LEAST_SQUARE < sum_of_squares < MOST_SQUARE:
        # Squares are out of range, or all are 0.
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


# One cut, step by step
# ---------------------


def begin_cut(
    const int64_t[::1] starts,     # IN (n_rows,)
    const int64_t[::1] stops,      # IN (n_rows,)
    const int32_t[::1] indices,    # IN (nnz,), or None
    const floating[::1] values,    # IN (nnz,)
    int64_t first_centre,
    int64_t second_centre,
    double[:, ::1] sums,           # IN, OUT (2, n_features), zeros at first
):
    """Add up all rows in ``sums[1]`` and point from one row to another in ``sums[0]``.

    If they are the same, up to rounding, the second is the next row, in a circle, that
    is another.

    Returns
    -------
    int
        The second row.
    """
    cdef Cut cut = cut_of(starts, stops, indices, sums)
    cut.first_centre, cut.second_centre = first_centre, second_centre
    if values.shape[0]:
        with nogil:
            begin(&cut, &values[0])
    return cut.second_centre


def score_rows(
    const int64_t[::1] starts,     # IN (n_rows,)
    const int64_t[::1] stops,      # IN (n_rows,)
    const int32_t[::1] indices,    # IN (nnz,), or None
    const floating[::1] values,    # IN (nnz,)
    double[:, ::1] sums,           # IN (2, n_features)
    int64_t first_row,
    int64_t last_row,
    bint is_first,
    int level,                     # of instructions: index into SIMD_LEVELS
    const uint8_t[::1] stop,       # IN (1,): not 0 as soon as nobody wants the result
    double[:, ::1] products,       # OUT (2, n_rows)
):
    """Multiply some of the rows with the sums; with the totals for the first time."""
    cdef Cut cut = cut_of(starts, stops, indices, sums)
    cut.to_sums, cut.to_totals = &products[0, 0], &products[1, 0]
    cut.level, cut.stop = level, &stop[0]
    # A first look at once.
    cut.n_unwatched = ENTRIES_TO_STOP
    with nogil:
        score(&cut, first_of(values), first_row, last_row, is_first)


def follow_scores(
    const int64_t[::1] starts,     # IN (n_rows,)
    const int64_t[::1] stops,      # IN (n_rows,)
    const int32_t[::1] indices,    # IN (nnz,), or None
    const floating[::1] values,    # IN (nnz,)
    int64_t first_centre,
    int64_t second_centre,
    int64_t n_first,
    int64_t max_moved,
    bint spherical,
    bint is_first,
    double[:, ::1] sums,           # IN, OUT (2, n_features)
    double[:, ::1] products,       # IN (2, n_rows)
    uint64_t[:, ::1] keys,         # SCRATCH (2, n_rows)
    int64_t[::1] moved,            # SCRATCH (n_rows,)
    uint8_t[::1] sides,            # IN, OUT (n_rows,), ones at first
):
    """Put `n_first` rows of the best scores on side 0, the rest on side 1.

    The sums follow if more than `max_moved` rows have changed sides, or at first.

    Returns
    -------
    int
        The number of rows that have changed sides.
    """
    cdef Cut cut = cut_of(starts, stops, indices, sums)
    cdef int64_t n_moved
    cut.first_centre, cut.second_centre = first_centre, second_centre
    cut.n_first, cut.spherical = n_first, spherical
    cut.to_sums, cut.to_totals = &products[0, 0], &products[1, 0]
    cut.keys, cut.spare_keys = &keys[0, 0], &keys[1, 0]
    cut.moved, cut.sides = &moved[0], &sides[0]
    with nogil:
        n_moved = assign_sides(&cut, is_first)
        if is_first or n_moved > max_moved:
            follow(&cut, first_of(values), n_moved, is_first)
    return n_moved


cdef Cut cut_of(
    const int64_t[::1] starts, const int64_t[::1] stops, const int32_t[::1] indices,
    double[:, ::1] sums,
):
    """Describe a cut, as far as all steps need it."""
    cdef Cut cut
    memset(&cut, 0, sizeof(cut))
    cut.n_rows = starts.shape[0]
    cut.n_features = sums.shape[1]
    cut.starts, cut.stops = &starts[0], &stops[0]
    if cut.n_features:
        cut.sums, cut.totals = &sums[0, 0], &sums[1, 0]
    if indices is not None:
        cut.indices = &indices[0] if indices.shape[0] else &NO_INDEX
    return cut


# What arrays that are empty point to.
cdef int32_t NO_INDEX = 0
cdef double NO_VALUE = 0.0


cdef inline const floating* first_of(const floating[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] else <const floating*> &NO_VALUE


cdef void begin(Cut* cut, const floating* values) noexcept nogil:
    cdef int64_t row
    for row in range(cut.n_rows):
        add_row(cut, values, row, 1, cut.totals)
    find_other_centre(cut, values)
    add_row(cut, values, cut.first_centre, 1, cut.sums)
    add_row(cut, values, cut.second_centre, -1, cut.sums)


cdef int score(
    Cut* cut, const floating* values, int64_t first_row, int64_t last_row, bint is_first
) except -1 nogil:
    """Multiply rows with the sums; returns 1 if it was stopped."""
    cdef int64_t row
    for row in range(first_row, last_row):
        cut.n_unwatched += cut.stops[row] - cut.starts[row] + 1
        if cut.n_unwatched > ENTRIES_TO_STOP:
            cut.n_unwatched = 0
            # Ctrl-C, where this is the main thread.
            with gil:
                PyErr_CheckSignals()
            if cut.stop[0]:
                return 1
        if row + 1 < last_row:
            fetch_row(cut, values, row + 1)
        cut.to_sums[row] = product(cut, values, row, cut.sums)
        if is_first:
            cut.to_totals[row] = product(cut, values, row, cut.totals)
    return 0


cdef inline void fetch_row(
    const Cut* cut, const floating* values, int64_t row
) noexcept nogil:
    """Have the processor fetch the first entries of a row, which may lie anywhere."""
    cdef int64_t entry, start = cut.starts[row]
    # A cache line has 16 entries.
    for entry in range(start, min(cut.stops[row], start + ENTRIES_AHEAD), 16):
        prefetch(&values[entry])
        if cut.indices != NULL:
            prefetch(&cut.indices[entry])


cdef int64_t assign_sides(Cut* cut, bint is_first) noexcept nogil:
    """Put the best rows on side 0, of equally good ones the first.

    Returns the number of rows that changed sides, listed in `moved`.
    """
    cdef int64_t n_moved = 0, n_ties = cut.n_first, row
    cdef double weight = 0.0 if is_first else weight_of_totals(cut)
    cdef uint64_t least
    cdef uint8_t side
    for row in range(cut.n_rows):
        cut.keys[row] = sortable(cut.to_sums[row] - weight * cut.to_totals[row])
    memcpy(cut.spare_keys, cut.keys, cut.n_rows * sizeof(uint64_t))
    least = kth_largest(cut.spare_keys, cut.n_rows, cut.n_first)
    for row in range(cut.n_rows):
        n_ties -= cut.keys[row] > least
    for row in range(cut.n_rows):
        side = cut.keys[row] < least
        if cut.keys[row] == least:
            side = n_ties <= 0
            n_ties -= 1
        if side != cut.sides[row]:
            cut.sides[row] = side
            cut.moved[n_moved] = row
            n_moved += 1
    return n_moved


cdef double weight_of_totals(const Cut* cut) noexcept nogil:
    """Say how to score a row by its products with the sums and with the totals.

    With s and t the sums of side 0 and of all rows, a row's score along the line from
    one centre to the other is that with s / a - (t - s) / b, where a and b are the
    numbers of rows or, of spherical centres, the lengths of s and of t - s. This is
    proportional to s - t * a / (a + b). Squared lengths are sums of products that are
    known, since s adds up rows: the numbering of features makes no difference.
    """
    cdef double first = 0.0, both = 0.0, whole = 0.0, second, least
    cdef int64_t row
    if not cut.spherical:
        return <double> cut.n_first / cut.n_rows
    for row in range(cut.n_rows):
        whole += cut.to_totals[row]
        if cut.sides[row] == 0:
            first += cut.to_sums[row]
            both += cut.to_totals[row]
    second = (whole - both) - (both - first)
    # A side of zero vectors has what rounding leaves; scaled to unit length, that would
    # be a direction like any other.
    least = ROUNDING * (first + second)
    if second <= least:
        return 0.0
    if first <= least:
        return 1.0
    first, second = sqrt(first), sqrt(second)
    return first / (first + second)


cdef void follow(
    Cut* cut, const floating* values, int64_t n_moved, bint is_first
) noexcept nogil:
    """Let the sums follow the rows that have moved."""
    cdef int64_t position, row
    if is_first:
        clear_row(cut, cut.first_centre, cut.sums)
        clear_row(cut, cut.second_centre, cut.sums)
    for position in range(n_moved):
        row = cut.moved[position]
        add_row(cut, values, row, -1.0 if cut.sides[row] else 1.0, cut.sums)


cdef void find_other_centre(Cut* cut, const floating* values) noexcept nogil:
    """Let the second centre be another than the first; `sums` are zeros."""
    cdef int64_t first = cut.first_centre, shift, other, entry
    cdef double length = 0.0, squares, apart, value
    for entry in range(cut.starts[first], cut.stops[first]):
        length += <double> values[entry] * values[entry]
    add_row(cut, values, first, 1, cut.sums)
    for shift in range(cut.n_rows):
        other = (cut.second_centre + shift) % cut.n_rows
        squares = apart = length
        # |a - b|^2 is |a|^2 but for the features of b.
        for entry in range(cut.starts[other], cut.stops[other]):
            value = values[entry]
            squares += value * value
            apart += value * (value - 2.0 * cut.sums[feature_of(cut, other, entry)])
        if apart > SAME * squares:
            cut.second_centre = other
            break
    clear_row(cut, first, cut.sums)


cdef inline int64_t feature_of(
    const Cut* cut, int64_t row, int64_t entry
) noexcept nogil:
    return entry - cut.starts[row] if cut.indices == NULL else cut.indices[entry]


cdef inline void clear_row(const Cut* cut, int64_t row, double* target) noexcept nogil:
    cdef int64_t entry
    for entry in range(cut.starts[row], cut.stops[row]):
        target[feature_of(cut, row, entry)] = 0.0


cdef inline void add_row(
    Cut* cut, const floating* values, int64_t row, double factor, double* target
) noexcept nogil:
    cdef int64_t entry, start = cut.starts[row], size = cut.stops[row] - start
    cdef const int32_t* indices
    values += start
    if cut.indices == NULL:
        for entry in range(size):
            target[entry] += factor * values[entry]
    else:
        indices = cut.indices + start
        for entry in range(size):
            target[indices[entry]] += factor * values[entry]


cdef inline double product(
    const Cut* cut, const floating* values, int64_t row, const double* sums
) noexcept nogil:
    cdef int64_t start = cut.starts[row], size = cut.stops[row] - start
    if cut.indices == NULL:
        if floating is float:
            return product_of_floats(values + start, sums, size, cut.level)
        else:
            return product_of_doubles(values + start, sums, size, cut.level)
    return sparse_product(cut.indices + start, values + start, sums, size)


cdef inline double sparse_product(
    const int32_t* indices, const floating* values, const double* sums, int64_t n
) noexcept nogil:
    # Four sums at a time: one alone would wait for each addition to finish.
    cdef double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0
    cdef int64_t entry
    for entry in range(0, n - 3, 4):
        first += values[entry] * sums[indices[entry]]
        second += values[entry + 1] * sums[indices[entry + 1]]
        third += values[entry + 2] * sums[indices[entry + 2]]
        fourth += values[entry + 3] * sums[indices[entry + 3]]
    for entry in range(n - n % 4, n):
        first += values[entry] * sums[indices[entry]]
    return (first + second) + (third + fourth)


# Cuts down to the leaves
# -----------------------


cdef struct Rule:
    uint32_t seed
    int max_iter
    double tol
    int64_t n_labels                 # of the whole tree, as its leaves
    int64_t n_leaves
    const int64_t* group_sizes       # leaves of a group, level by level, descending


cdef struct Rows:
    int64_t* starts                  # where the entries of each begin
    int64_t* stops
    int64_t* numbers                 # its place among the rows of the segment
    int32_t* indices                 # NULL of a dense matrix


def cut_to_leaves(
    int64_t[:, :, ::1] rows,         # IN, OUT (2, 3, n_rows): starts, stops, numbers
    const int32_t[::1] indices,      # IN, OUT (nnz,), or None
    const floating[::1] values,      # IN, OUT (nnz,); of a dense matrix IN
    int32_t[::1] spare_indices,      # SCRATCH (nnz,), or None
    floating[::1] spare_values,      # SCRATCH (nnz,), or None
    int64_t first_leaf,
    int64_t last_leaf,
    int64_t n_labels,
    const int64_t[::1] group_sizes,  # IN (n_levels,): leaves of a group of each level
    int64_t n_leaves,
    uint32_t seed,
    int max_iter,
    double tol,
    bint spherical,
    int level,                       # of instructions: index into SIMD_LEVELS
    const uint8_t[::1] stop,         # IN (1,): not 0 as soon as nobody wants the result
    double[:, ::1] sums,             # SCRATCH (2, n_features)
    double[:, ::1] products,         # SCRATCH (2, n_rows)
    uint64_t[:, ::1] keys,           # SCRATCH (2, n_rows)
    int64_t[::1] moved,              # SCRATCH (n_rows,)
    uint8_t[::1] sides,              # SCRATCH (n_rows,)
    int32_t[::1] feature_numbers,    # SCRATCH (n_features,)
    int64_t[::1] order,              # OUT (n_rows,)
):
    """Put the numbers of the rows of a segment in the order of its leaves.

    Halves are cut in their turn. The rows of a sparse half are gathered, so that its
    features are few and near; what was read is written over by the halves' halves.
    """
    cdef Cut cut = cut_of(rows[0, 0], rows[0, 1], indices, sums)
    cdef Rule rule
    cdef Rows own, spare
    cdef floating* first_value = <floating*> first_of(values)
    cdef floating* spare_value = NULL
    cdef int32_t* number = &feature_numbers[0] if cut.n_features else &NO_INDEX
    cut.spherical, cut.level = spherical, level
    cut.to_sums, cut.to_totals = &products[0, 0], &products[1, 0]
    cut.keys, cut.spare_keys = &keys[0, 0], &keys[1, 0]
    cut.moved, cut.sides, cut.stop = &moved[0], &sides[0], &stop[0]
    rule.seed, rule.max_iter, rule.tol = seed, max_iter, tol
    rule.n_labels, rule.n_leaves = n_labels, n_leaves
    rule.group_sizes = &group_sizes[0]
    own.starts, own.stops, own.numbers = &rows[0, 0, 0], &rows[0, 1, 0], &rows[0, 2, 0]
    spare.starts, spare.stops = &rows[1, 0, 0], &rows[1, 1, 0]
    spare.numbers = &rows[1, 2, 0]
    own.indices, spare.indices = <int32_t*> cut.indices, NULL
    if spare_indices is not None and spare_indices.shape[0]:
        spare.indices, spare_value = &spare_indices[0], &spare_values[0]
    with nogil:
        arrange(
            &cut, &rule, &own, &spare, first_value, spare_value, number,
            0, rows.shape[2], cut.n_features, first_leaf, last_leaf, &order[0],
        )


cdef int arrange(
    Cut* cut, const Rule* rule, Rows* own, Rows* spare,
    floating* values, floating* spare_values, int32_t* feature_numbers,
    int64_t start, int64_t stop, int64_t n_features, int64_t first_leaf,
    int64_t last_leaf, int64_t* order,
) except -1 nogil:
    """Arrange the rows from `start` to `stop`; returns 1 if it was stopped."""
    cdef int64_t n_rows = stop - start, middle, n_first, half
    cdef int64_t next_entry
    cdef int64_t[3] ends
    cdef int64_t[3] leaves
    cdef int64_t[2] n_own_features
    if last_leaf - first_leaf < 2 or n_rows < 2:
        memcpy(&order[start], &own.numbers[start], n_rows * sizeof(int64_t))
        return 0
    middle = middle_leaf(rule, first_leaf, last_leaf)
    n_first = first_place(rule, middle) - first_place(rule, first_leaf)
    cut.n_rows, cut.n_first, cut.n_features = n_rows, n_first, n_features
    cut.starts, cut.stops = &own.starts[start], &own.stops[start]
    cut.indices = own.indices
    memset(cut.sides, 1, n_rows)
    if n_first and bisect(cut, rule, values, first_leaf, last_leaf):
        return 1
    ends[0], ends[1], ends[2] = start, start + n_first, stop
    leaves[0], leaves[1], leaves[2] = first_leaf, middle, last_leaf
    next_entry = own.starts[start]
    for half in range(2):
        n_own_features[half] = n_features
        place_rows(cut, own, spare, start, half, ends[half])
        if own.indices != NULL and leaves[half + 1] - leaves[half] > 1:
            n_own_features[half] = gather_half(
                own, spare, ends[half], ends[half + 1], values, spare_values,
                &next_entry, feature_numbers, n_features,
            )
    for half in range(2):
        if arrange(
            cut, rule, spare, own,
            values if own.indices == NULL else spare_values, values, feature_numbers,
            ends[half], ends[half + 1], n_own_features[half],
            leaves[half], leaves[half + 1], order,
        ):
            return 1
    return 0


cdef int bisect(
    Cut* cut, const Rule* rule, const floating* values, int64_t first_leaf,
    int64_t last_leaf,
) except -1 nogil:
    """Cut once; returns 1 if it was stopped."""
    cdef uint64_t[2] drawn
    cdef int64_t n_moved, n_bytes = cut.n_features * sizeof(double)
    cdef int64_t max_moved = <int64_t> (rule.tol * cut.n_rows)
    cdef int iteration
    # Two different rows; they depend on the place in the tree, not on tasks.
    draw_two(rule.seed, first_leaf, last_leaf, drawn)
    cut.first_centre = drawn[0] % <uint64_t> cut.n_rows
    cut.second_centre = drawn[1] % <uint64_t> (cut.n_rows - 1)
    cut.second_centre += cut.second_centre >= cut.first_centre
    if n_bytes:
        memset(cut.sums, 0, n_bytes)
        memset(cut.totals, 0, n_bytes)
    begin(cut, values)
    for iteration in range(rule.max_iter):
        if score(cut, values, 0, cut.n_rows, iteration == 0):
            return 1
        n_moved = assign_sides(cut, iteration == 0)
        if iteration and n_moved <= max_moved:
            break
        follow(cut, values, n_moved, iteration == 0)
    return 0


cdef inline int64_t middle_leaf(
    const Rule* rule, int64_t first_leaf, int64_t last_leaf
) noexcept nogil:
    """Leaf at which to cut a range of leaves, between groups of one level."""
    cdef const int64_t* size = rule.group_sizes
    cdef int64_t n_leaves = last_leaf - first_leaf
    while size[0] >= n_leaves:
        size += 1
    return first_leaf + n_leaves // size[0] // 2 * size[0]


cdef inline int64_t first_place(const Rule* rule, int64_t leaf) noexcept nogil:
    return leaf * rule.n_labels // rule.n_leaves


cdef void place_rows(
    const Cut* cut, const Rows* own, Rows* spare, int64_t start, uint8_t side,
    int64_t place,
) noexcept nogil:
    """List the rows of one side from a place on."""
    cdef int64_t row
    for row in range(cut.n_rows):
        if cut.sides[row] == side:
            spare.starts[place] = own.starts[start + row]
            spare.stops[place] = own.stops[start + row]
            spare.numbers[place] = own.numbers[start + row]
            place += 1


cdef int64_t gather_half(
    const Rows* own, Rows* spare, int64_t start, int64_t stop, const floating* values,
    floating* spare_values, int64_t* next_entry, int32_t* feature_numbers,
    int64_t n_features,
) noexcept nogil:
    """Copy the entries of rows that are listed; returns how many features they have."""
    cdef int64_t row, entry, target = next_entry[0], last
    cdef int32_t feature, n_seen = 0
    memset(feature_numbers, 0, n_features * sizeof(int32_t))
    for row in range(start, stop):
        entry, last = spare.starts[row], spare.stops[row]
        spare.starts[row] = target
        for entry in range(entry, last):
            feature = own.indices[entry]
            if feature_numbers[feature] == 0:
                n_seen += 1
                feature_numbers[feature] = n_seen
            spare.indices[target] = feature_numbers[feature] - 1
            spare_values[target] = values[entry]
            target += 1
        spare.stops[row] = target
    next_entry[0] = target
    return n_seen
