"""Cuts the rows of a matrix in two by balanced 2-means, once or down to the leaves.

A cut puts a given number of rows on side 0 and the rest on side 1. Rows are scored
along the line through the two centres; those with the best scores go to side 0, the
centres are updated, and so on until few rows change sides. The sums of each side are
updated by the rows that changed sides only.

A row is a range of entries. Rows of a sparse matrix have an index for each entry;
without indices the matrix is dense.
"""

from cython cimport floating
from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from skxmr._cython._seeds cimport draw_two
from skxmr._cython._selection cimport kth_largest, sortable
from skxmr._cython._watch cimport (
    WATCH_WORK, Watch, must_end, raise_ended, watch_for
)

cdef extern from "include/dense_product.h" nogil:
    double product_of_floats "skxmr_product_float"(
        const float* values, const double* sums, int64_t n, int level
    )
    double product_of_doubles "skxmr_product_double"(
        const double* values, const double* sums, int64_t n, int level
    )

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

# A sum this much shorter (squared) than that of the other side is zero up to rounding.
cdef double ROUNDING = 1e-12

# Rows this near to each other (squared, relative to their lengths) are equal up to
# rounding.
cdef double SAME = 1e-12

cdef enum:
    # Entries of the next row that are prefetched.
    ENTRIES_AHEAD = 64

# What the addresses of empty arrays point to.
cdef int32_t NO_INDEX = 0
cdef double NO_VALUE = 0.0


cdef struct Cut:
    int64_t n_rows
    int64_t n_features
    int64_t n_first             # how many rows side 0 gets
    int64_t first_centre        # the row that side 0 starts with
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
    int level                   # index into SIMD_LEVELS


cdef class Bisection:
    """Rows to be cut, and the memory for it.

    Parameters
    ----------
    rows : object
        With attributes `starts` and `stops` of shape (n_rows,), int64; `indices` of
        shape (nnz,), int32, or None; `values` of shape (nnz,), float32 or float64;
        and `length`, the number of features.
    allocate : callable
        Of a number of items and a dtype: makes an uninitialised array.
    spherical : bool
        Whether centres are scaled to unit length.
    simd_level : int
        Index into `SIMD_LEVELS`.
    stop : ndarray of shape (1,), uint8
        Not 0 when the task is cancelled.

    Attributes
    ----------
    sums : memoryview of shape (2, n_features), float64
        The sum of the rows of side 0, and that of all rows.
    products : memoryview of shape (2, n_rows), float64
        Of each row with those sums.
    sides : memoryview of shape (n_rows,), uint8
    """

    cdef Cut cut
    cdef const int64_t[::1] starts, stops
    cdef const int32_t[::1] indices
    cdef const float[::1] floats           # the values, or None
    cdef const double[::1] doubles         # the values, or None
    cdef readonly double[:, ::1] sums, products
    cdef uint64_t[:, ::1] keys
    cdef int64_t[::1] moved
    cdef readonly uint8_t[::1] sides
    cdef const uint8_t[::1] stop
    cdef object allocate
    cdef bint is_first                     # whether no row has been scored yet

    def __init__(
        self, rows, allocate, *, bint spherical, int simd_level,
        const uint8_t[::1] stop,
    ):
        cdef int64_t n_rows
        self.starts, self.stops, self.indices = rows.starts, rows.stops, rows.indices
        self.floats = self.doubles = None
        if rows.values.dtype.itemsize == sizeof(float):
            self.floats = rows.values
        else:
            self.doubles = rows.values
        self.allocate, self.stop, self.is_first = allocate, stop, True
        n_rows = self.starts.shape[0]
        self.sums = allocate((2, rows.length), "f8")
        self.products = allocate((2, n_rows), "f8")
        self.keys = allocate((2, n_rows), "u8")
        self.moved = allocate(n_rows, "i8")
        self.sides = allocate(n_rows, "u1")
        self.cut.n_features, self.cut.spherical = rows.length, spherical
        self.cut.level = simd_level
        self.bind(n_rows)

    cdef int bind(self, int64_t n_rows) except -1:
        """Bind the addresses of all arrays."""
        cdef Cut* cut = &self.cut
        cut.n_rows = n_rows
        cut.starts, cut.stops, cut.indices = &self.starts[0], &self.stops[0], NULL
        if self.indices is not None:
            cut.indices = &self.indices[0] if self.indices.shape[0] else &NO_INDEX
        cut.sums = cut.totals = &NO_VALUE
        if cut.n_features:
            cut.sums, cut.totals = &self.sums[0, 0], &self.sums[1, 0]
        cut.to_sums, cut.to_totals = &self.products[0, 0], &self.products[1, 0]
        cut.keys, cut.spare_keys = &self.keys[0, 0], &self.keys[1, 0]
        cut.moved, cut.sides = &self.moved[0], &self.sides[0]
        return 0


# One cut, step by step
# ---------------------


def begin_cut(
    Bisection bisection, int64_t n_first, int64_t first_centre, int64_t second_centre
):
    """Put all rows on side 1, and start with the line from one row to another.

    If the two rows are equal up to rounding, the next row that differs from the first,
    in a circle, takes the place of the second.
    """
    cdef Cut* cut = &bisection.cut
    cut.n_first = n_first
    cut.first_centre, cut.second_centre = first_centre, second_centre
    bisection.is_first = True
    with nogil:
        memset(cut.sides, 1, cut.n_rows)
        if bisection.floats is not None:
            begin(cut, first_of(bisection.floats))
        else:
            begin(cut, first_of(bisection.doubles))


def score_rows(Bisection bisection, int64_t first_row, int64_t last_row):
    """Compute the products of some of the rows with the sums.

    Several threads may do so at a time, each for other rows.

    Raises
    ------
    KeyboardInterrupt
    RuntimeError
        If the task is cancelled.
    """
    cdef Cut* cut = &bisection.cut
    cdef bint is_first = bisection.is_first
    cdef Watch watch = watch_for(bisection.stop)
    # So that the first row checks the stop flag.
    watch.work = WATCH_WORK
    with nogil:
        if bisection.floats is not None:
            score(
                cut, first_of(bisection.floats), first_row, last_row, is_first, &watch
            )
        else:
            score(
                cut, first_of(bisection.doubles), first_row, last_row, is_first, &watch
            )
    raise_ended(&watch)


def follow_scores(Bisection bisection):
    """Put the rows with the best scores on side 0, the rest on side 1; update the sums.

    Returns
    -------
    int
        The number of rows that have changed sides.
    """
    cdef Cut* cut = &bisection.cut
    cdef bint is_first = bisection.is_first
    cdef int64_t n_moved
    with nogil:
        n_moved = assign_sides(cut, is_first)
        if bisection.floats is not None:
            follow(cut, first_of(bisection.floats), n_moved, is_first)
        else:
            follow(cut, first_of(bisection.doubles), n_moved, is_first)
    bisection.is_first = False
    return n_moved


def line_of(Bisection bisection, double[::1] line):
    """Write the line between the two centres; rows must be scored by present sums."""
    cdef Cut* cut = &bisection.cut
    cdef int64_t feature
    cdef double weight
    with nogil:
        weight = weight_of_totals(cut)
        for feature in range(cut.n_features):
            line[feature] = cut.sums[feature] - weight * cut.totals[feature]


def begin_along(Bisection bisection, int64_t n_first, const double[::1] line):
    """Let rows be scored along a line, for `cut_once`."""
    cdef Cut* cut = &bisection.cut
    cut.n_first = n_first
    bisection.is_first = False
    with nogil:
        memset(cut.sides, 1, cut.n_rows)
        if cut.n_features:
            memcpy(cut.sums, &line[0], cut.n_features * sizeof(double))


def cut_once(Bisection bisection):
    """Put the rows with the best scores on side 0, the rest on side 1."""
    with nogil:
        assign_sides(&bisection.cut, True)


cdef inline const floating* first_of(const floating[::1] values) noexcept nogil:
    return &values[0] if values.shape[0] else <const floating*> &NO_VALUE


cdef void begin(Cut* cut, const floating* values) noexcept nogil:
    """Add up all rows, and set the sums to the difference of the two centres."""
    cdef int64_t row, n_bytes = cut.n_features * sizeof(double)
    if n_bytes:
        memset(cut.sums, 0, n_bytes)
        memset(cut.totals, 0, n_bytes)
    for row in range(cut.n_rows):
        add_row(cut, values, row, 1, cut.totals)
    find_other_centre(cut, values)
    add_row(cut, values, cut.first_centre, 1, cut.sums)
    add_row(cut, values, cut.second_centre, -1, cut.sums)


cdef void score(
    Cut* cut, const floating* values, int64_t first_row, int64_t last_row,
    bint is_first, Watch* watch,
) noexcept nogil:
    """Compute the products of rows with the sums and, at first, with the totals."""
    cdef int64_t row
    for row in range(first_row, last_row):
        if must_end(watch, cut.stops[row] - cut.starts[row] + 1):
            return
        if row + 1 < last_row:
            prefetch_row(cut, values, row + 1)
        cut.to_sums[row] = product(cut, values, row, cut.sums)
        if is_first:
            cut.to_totals[row] = product(cut, values, row, cut.totals)


cdef inline void prefetch_row(
    const Cut* cut, const floating* values, int64_t row
) noexcept nogil:
    """Prefetch the first entries of a row."""
    cdef int64_t entry, start = cut.starts[row]
    # A cache line has 16 entries.
    for entry in range(start, min(cut.stops[row], start + ENTRIES_AHEAD), 16):
        prefetch(&values[entry])
        if cut.indices != NULL:
            prefetch(&cut.indices[entry])


cdef int64_t assign_sides(Cut* cut, bint is_first) noexcept nogil:
    """Put the rows with the best scores on side 0; of equal scores the first row.

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
    """Return the weight of a row's product with the totals in its score.

    With s and t the sums of side 0 and of all rows, a row's score along the line from
    one centre to the other is its product with s / a - (t - s) / b, where a and b are
    the numbers of rows or, of spherical centres, the lengths of s and of t - s. This is
    proportional to s - t * a / (a + b). Squared lengths are sums of known products,
    since s is a sum of rows, so they do not depend on the numbering of features.
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
    # The sum of a side of zero vectors may be rounding errors, which have no direction.
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
    """Update the sums by the rows that have changed sides."""
    cdef int64_t position, row
    if is_first:
        clear_row(cut, cut.first_centre, cut.sums)
        clear_row(cut, cut.second_centre, cut.sums)
    for position in range(n_moved):
        row = cut.moved[position]
        add_row(cut, values, row, -1.0 if cut.sides[row] else 1.0, cut.sums)


cdef void find_other_centre(Cut* cut, const floating* values) noexcept nogil:
    """Make the second centre differ from the first; `sums` are zeros."""
    cdef int64_t first = cut.first_centre, shift, other, entry
    cdef double length = 0.0, squares, apart, value
    for entry in range(cut.starts[first], cut.stops[first]):
        length += <double> values[entry] * values[entry]
    add_row(cut, values, first, 1, cut.sums)
    for shift in range(cut.n_rows):
        other = (cut.second_centre + shift) % cut.n_rows
        squares = apart = length
        # |a - b|^2 differs from |a|^2 by the features of b.
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
    # Four sums hide the latency of dependent additions.
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


cdef class LeafRule:
    """How to cut rows down to the leaves of a tree.

    Parameters
    ----------
    plan : skxmr.clustering.Plan
    rule : skxmr.clustering.Rule
    """

    cdef Rule rule
    cdef const int64_t[::1] group_sizes

    def __init__(self, plan, rule):
        self.group_sizes = plan.group_sizes()
        self.rule.seed, self.rule.max_iter = rule.seed, rule.max_iter
        self.rule.tol = rule.tol
        self.rule.n_labels, self.rule.n_leaves = plan.n_labels, plan.n_leaves
        self.rule.group_sizes = &self.group_sizes[0]


cdef struct Rows:
    int64_t* starts                  # of the entries of each
    int64_t* stops
    int64_t* numbers                 # indices among the rows of the segment
    int32_t* indices                 # NULL of a dense matrix


cdef struct Part:
    # Rows that are consecutive, and the leaves that they are to be put in.
    int64_t start
    int64_t stop
    int64_t n_features
    int64_t first_leaf
    int64_t last_leaf


cdef struct Memory:
    Watch watch
    int32_t* feature_numbers         # (n_features,)
    int64_t* order                   # (n_rows,)


def cut_to_leaves(
    Bisection bisection, LeafRule rule, int64_t first_leaf, int64_t last_leaf,
    int64_t[::1] order,              # OUT (n_rows,)
):
    """Put the numbers of the rows of a segment in the order of its leaves.

    Each half is cut in turn. The rows of a half of a sparse matrix are copied, so that
    its features are few and near each other; the entries that were read are overwritten
    by halves of the halves. So the values of a sparse matrix are scratch as well.

    Raises
    ------
    KeyboardInterrupt
    RuntimeError
        If the task is cancelled.
    """
    cdef Cut* cut = &bisection.cut
    cdef bint is_sparse = bisection.indices is not None
    cdef int64_t nnz = bisection.indices.shape[0] if is_sparse else 0
    cdef int64_t[:, :, ::1] table = bisection.allocate((2, 3, cut.n_rows), "i8")
    cdef int32_t[::1] numbers = bisection.allocate(max(1, cut.n_features), "i4")
    cdef int32_t[::1] spare_indices = bisection.allocate(max(1, nnz), "i4")
    cdef float[::1] spare_floats
    cdef double[::1] spare_doubles
    cdef Rows own = rows_of(table[0]), spare = rows_of(table[1])
    cdef Memory memory
    cdef Part whole
    memory.watch = watch_for(bisection.stop)
    memory.feature_numbers, memory.order = &numbers[0], &order[0]
    whole.start, whole.stop, whole.n_features = 0, cut.n_rows, cut.n_features
    whole.first_leaf, whole.last_leaf = first_leaf, last_leaf
    list_rows(cut, &own)
    own.indices = <int32_t*> cut.indices
    spare.indices = &spare_indices[0] if is_sparse else NULL
    if bisection.floats is not None:
        spare_floats = bisection.allocate(max(1, nnz), "f4")
        with nogil:
            arrange(
                cut, &rule.rule, &memory, &own, &spare,
                <float*> first_of(bisection.floats), &spare_floats[0], whole,
            )
    else:
        spare_doubles = bisection.allocate(max(1, nnz), "f8")
        with nogil:
            arrange(
                cut, &rule.rule, &memory, &own, &spare,
                <double*> first_of(bisection.doubles), &spare_doubles[0], whole,
            )
    raise_ended(&memory.watch)


cdef Rows rows_of(int64_t[:, ::1] table) noexcept:
    cdef Rows rows
    rows.starts, rows.stops, rows.numbers = &table[0, 0], &table[1, 0], &table[2, 0]
    rows.indices = NULL
    return rows


cdef void list_rows(const Cut* cut, Rows* rows) noexcept nogil:
    cdef int64_t row
    for row in range(cut.n_rows):
        rows.starts[row], rows.stops[row] = cut.starts[row], cut.stops[row]
        rows.numbers[row] = row


cdef void arrange(
    Cut* cut, const Rule* rule, Memory* memory, Rows* own, Rows* spare,
    floating* values, floating* spare_values, Part part,
) noexcept nogil:
    """Arrange some rows, unless ended early."""
    cdef int64_t n_rows = part.stop - part.start, middle, n_first, next_entry
    cdef int half
    cdef Part[2] halves
    if part.last_leaf - part.first_leaf < 2 or n_rows < 2:
        memcpy(
            &memory.order[part.start], &own.numbers[part.start],
            n_rows * sizeof(int64_t),
        )
        return
    middle = middle_leaf(rule, part.first_leaf, part.last_leaf)
    n_first = first_position(rule, middle) - first_position(rule, part.first_leaf)
    cut.n_rows, cut.n_first, cut.n_features = n_rows, n_first, part.n_features
    cut.starts, cut.stops = &own.starts[part.start], &own.stops[part.start]
    cut.indices = own.indices
    memset(cut.sides, 1, n_rows)
    if n_first:
        bisect(cut, rule, <const floating*> values, part, &memory.watch)
    if memory.watch.ended:
        return
    halves[0] = halves[1] = part
    halves[0].stop = halves[1].start = part.start + n_first
    halves[0].last_leaf = halves[1].first_leaf = middle
    next_entry = own.starts[part.start]
    for half in range(2):
        list_side(cut, own, spare, part.start, <uint8_t> half, halves[half].start)
        if (
            own.indices != NULL
            and halves[half].last_leaf - halves[half].first_leaf > 1
        ):
            halves[half].n_features = gather_half(
                own, spare, <const floating*> values, spare_values, halves[half],
                &next_entry, memory.feature_numbers,
            )
    for half in range(2):
        arrange(
            cut, rule, memory, spare, own,
            values if own.indices == NULL else spare_values, values, halves[half],
        )


cdef void bisect(
    Cut* cut, const Rule* rule, const floating* values, Part part, Watch* watch
) noexcept nogil:
    """Cut rows once, unless ended early."""
    cdef uint64_t[2] drawn
    cdef int64_t n_moved, max_moved = <int64_t> (rule.tol * cut.n_rows)
    cdef int iteration
    # Two different rows, which depend on the position in the tree, not on tasks.
    draw_two(rule.seed, part.first_leaf, part.last_leaf, drawn)
    cut.first_centre = drawn[0] % <uint64_t> cut.n_rows
    cut.second_centre = drawn[1] % <uint64_t> (cut.n_rows - 1)
    cut.second_centre += cut.second_centre >= cut.first_centre
    begin(cut, values)
    for iteration in range(rule.max_iter):
        score(cut, values, 0, cut.n_rows, iteration == 0, watch)
        if watch.ended:
            return
        n_moved = assign_sides(cut, iteration == 0)
        if iteration and n_moved <= max_moved:
            break
        follow(cut, values, n_moved, iteration == 0)


cdef inline int64_t middle_leaf(
    const Rule* rule, int64_t first_leaf, int64_t last_leaf
) noexcept nogil:
    """Return the leaf at which to cut, between two groups of one level."""
    cdef const int64_t* size = rule.group_sizes
    cdef int64_t n_leaves = last_leaf - first_leaf
    while size[0] >= n_leaves:
        size += 1
    return first_leaf + n_leaves // size[0] // 2 * size[0]


cdef inline int64_t first_position(const Rule* rule, int64_t leaf) noexcept nogil:
    return leaf * rule.n_labels // rule.n_leaves


cdef void list_side(
    const Cut* cut, const Rows* own, Rows* spare, int64_t start, uint8_t side,
    int64_t position,
) noexcept nogil:
    """List the rows of one side from a position on."""
    cdef int64_t row
    for row in range(cut.n_rows):
        if cut.sides[row] == side:
            spare.starts[position] = own.starts[start + row]
            spare.stops[position] = own.stops[start + row]
            spare.numbers[position] = own.numbers[start + row]
            position += 1


cdef int64_t gather_half(
    const Rows* own, Rows* spare, const floating* values, floating* spare_values,
    Part half, int64_t* next_entry, int32_t* feature_numbers,
) noexcept nogil:
    """Copy the entries of the rows of a half; return how many features they have."""
    cdef int64_t row, entry, target = next_entry[0], last
    cdef int32_t feature, n_seen = 0
    memset(feature_numbers, 0, half.n_features * sizeof(int32_t))
    for row in range(half.start, half.stop):
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
