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

from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from skxmr._cython._bitmap cimport list_and_clear, mark
from skxmr._cython._watch cimport must_end, raise_ended, watch_for

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
cdef double ROUNDING = 1e-6

# Features whose values are further apart share no column: its scale, or what is divided
# by it, would come near the ends of float32's range.
cdef double MOST_RATIO = 1e15


cdef class Compactor:
    """Compacts the rows of one parent after another, in the same memory.

    Every array has room for the most rows and entries of any of them, and for one
    feature more than the most.
    """

    def __init__(
        self,
        const int64_t[::1] X_indptr,   # IN (n_samples + 1,)
        const int32_t[::1] X_indices,  # IN
        const float[::1] X_values,     # IN
        int32_t[::1] numbers,          # SCRATCH (n_all_features,), all -1
        uint64_t[::1] words,           # SCRATCH (n_all_features / 64,), zeros
        uint64_t[::1] summary,         # SCRATCH (n_words / 64,), zeros
        int64_t[::1] offsets,          # OUT (n_rows + 1,)
        float[::1] norms,              # OUT (n_rows,): squared, the constant's too
        float[::1] own,                # OUT (n_rows,): squared norm of a row's alone
        int32_t[::1] columns,          # OUT (n_entries,)
        float[::1] values,             # OUT (n_entries,)
        int32_t[:, ::1] integers,      # SCRATCH (5, n_features)
        float[:, ::1] reals,           # SCRATCH (2, n_features)
        uint64_t[::1] hashes,          # SCRATCH (n_features,)
        double[::1] sums,              # SCRATCH (n_features,)
        uint8_t[::1] are_alone,        # SCRATCH (n_features,)
        int32_t[::1] table,            # SCRATCH (`table_size(n_features)`,)
        int32_t[::1] features,         # OUT (n_features,), ascending
        int32_t[::1] sources,          # OUT (n_features,): column c, or row r as -1 - r
        float[::1] scales,             # OUT (n_features,)
        uint64_t key,                  # of hashes: random, no result depends on it
        const uint8_t[::1] stop=None,  # IN (1,): not 0 once nobody wants the result
    ):
        self.X_indptr, self.X_indices, self.X_values = X_indptr, X_indices, X_values
        self.numbers, self.words, self.summary = numbers, words, summary
        self.offsets, self.norms, self.own = offsets, norms, own
        self.columns, self.values = columns, values
        self.found, self.first_rows = integers[0], integers[1]
        self.leaders, self.columns_of, self.sources_of = (
            integers[2], integers[3], integers[4],
        )
        self.firsts, self.scales_of = reals[0], reals[1]
        self.hashes, self.sums, self.are_alone = hashes, sums, are_alone
        self.table = table
        self.features, self.sources, self.scales = features, sources, scales
        self.key = key
        self.stop, self.watch = stop, watch_for(stop)

    def compact(self, const int32_t[::1] rows, double bias_square):
        """Do what `run` does, from Python."""
        with nogil:
            self.run(rows, bias_square)
        raise_ended(&self.watch)

    cdef void run(self, const int32_t[::1] rows, double bias_square) noexcept nogil:
        """Gather rows and compact them; what is beyond their sizes is not theirs.

        Where it is ended early, nothing can be compacted in the same memory again.
        """
        self.n_rows = rows.shape[0]
        self.n_features = _list_features(self, rows, bias_square)
        if self.watch.ended:
            return
        _find_leaders(self)
        _check_ratios(self)
        if self.watch.ended:
            return
        self.n_columns = _number_columns(self)
        _write_rows(self)
        if not self.watch.ended:
            _order_features(self)


def table_size(int64_t n_features):
    """How long the table of so many features is."""
    return _table_size(n_features)


cdef inline int64_t _table_size(int64_t n_features) noexcept nogil:
    cdef int64_t size = 2
    while size < 2 * n_features:
        size *= 2
    return size


cdef int64_t _list_features(
    Compactor self, const int32_t[::1] rows, double bias_square
) noexcept nogil:
    """Number the features of some rows as they come; return how many there are.

    With the first row of each, its value there, and a hash of the set of its rows. The
    hash has a key, or else rows could be chosen whose features all meet in the table.
    """
    cdef int64_t i, entry, position = 0
    cdef int32_t feature, number, is_new, n_found = 0
    cdef uint64_t row_hash
    cdef float value
    cdef double norm
    self.offsets[0] = 0
    for i in range(rows.shape[0]):
        if must_end(&self.watch, self.X_indptr[rows[i] + 1] - self.X_indptr[rows[i]]):
            return 0
        if i + 2 * ROWS_AHEAD < rows.shape[0]:
            prefetch(&self.X_indptr[rows[i + 2 * ROWS_AHEAD]])
        if i + ROWS_AHEAD < rows.shape[0]:
            _prefetch_row(self, rows[i + ROWS_AHEAD])
        norm = bias_square
        row_hash = _mix(self.key + <uint64_t>i)
        for entry in range(self.X_indptr[rows[i]], self.X_indptr[rows[i] + 1]):
            feature, value = self.X_indices[entry], self.X_values[entry]
            # No processor can guess which features are new: written is what a new one
            # would get, and counts only if it is.
            self.found[n_found] = feature
            self.first_rows[n_found] = <int32_t>i
            self.firsts[n_found] = value
            self.hashes[n_found] = 0
            number = self.numbers[feature]
            is_new = number >> 31  # all bits of it, or none
            number = (number & ~is_new) | (n_found & is_new)
            n_found -= is_new
            self.numbers[feature] = number
            self.hashes[number] += row_hash
            self.columns[position], self.values[position] = number, value
            norm += <double>value * value
            position += 1
        self.offsets[i + 1] = position
        self.norms[i] = <float>norm
    return n_found


cdef inline void _prefetch_row(Compactor self, int32_t row) noexcept nogil:
    cdef int64_t entry
    # 16 indices or values lie in a cache line.
    for entry in range(self.X_indptr[row], self.X_indptr[row + 1], 16):
        prefetch(&self.X_indices[entry])
        prefetch(&self.X_values[entry])


cdef inline uint64_t _mix(uint64_t z) noexcept nogil:
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = (z + 1) * <uint64_t>0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef void _find_leaders(Compactor self) noexcept nogil:
    """Find for each feature the first one that the same rows have.

    One that a single row has, gets itself, as does one whose first value is 0, which
    has no ratio to others.
    """
    cdef int32_t number, other
    cdef int64_t size = _table_size(self.n_features)
    cdef uint64_t place, mask = <uint64_t>(size - 1)
    memset(&self.table[0], 0xFF, size * sizeof(int32_t))
    for number in range(<int32_t>self.n_features):
        self.leaders[number] = number
        self.are_alone[number] = (
            self.hashes[number] == _mix(self.key + <uint64_t>self.first_rows[number])
        )
        if self.are_alone[number] or self.firsts[number] == 0:
            continue
        place = self.hashes[number] & mask
        while True:
            other = self.table[place]
            if other < 0:
                self.table[place] = number
                break
            if self.hashes[other] == self.hashes[number]:
                self.leaders[number] = other
                break
            place = (place + 1) & mask


cdef void _check_ratios(Compactor self) noexcept nogil:
    """Let features stand alone whose values are in no fixed ratio to their leader's.

    A feature that is in the table but not in all the rows of its leader (two sets
    of rows with one hash) is found here too, unless chance gives it the ratio.
    """
    cdef int64_t i, entry
    cdef int32_t number, leader
    # Products of tiny values would be 0 in single precision, whatever their ratio.
    cdef double one, other
    # The value of each feature in the row at hand.
    cdef float[::1] here = self.scales_of
    for i in range(self.n_rows):
        if must_end(&self.watch, self.offsets[i + 1] - self.offsets[i]):
            return
        for entry in range(self.offsets[i], self.offsets[i + 1]):
            here[self.columns[entry]] = self.values[entry]
        for entry in range(self.offsets[i], self.offsets[i + 1]):
            number = self.columns[entry]
            leader = self.leaders[number]
            one = <double>here[number] * self.firsts[leader]
            other = <double>here[leader] * self.firsts[number]
            if not fabs(one - other) <= ROUNDING * fabs(other):
                self.leaders[number] = number


cdef int64_t _number_columns(Compactor self) noexcept nogil:
    """Give each leader a column and each feature its share of it; return how many."""
    cdef int32_t number, leader, n_columns = 0
    cdef double ratio
    for number in range(<int32_t>self.n_features):
        self.sums[number] = 0
        ratio = fabs(_ratio(self, number, self.leaders[number]))
        if not 1 / MOST_RATIO <= ratio <= MOST_RATIO:
            self.leaders[number] = number
    for number in range(<int32_t>self.n_features):
        leader = self.leaders[number]
        self.sums[leader] += _ratio(self, number, leader) ** 2
    for number in range(<int32_t>self.n_features):
        leader = self.leaders[number]
        if self.are_alone[number]:
            self.columns_of[number] = ALONE
            self.sources_of[number] = -1 - self.first_rows[number]
            self.scales_of[number] = self.firsts[number]
            continue
        if leader == number:
            self.columns_of[number] = self.sources_of[number] = n_columns
            n_columns += 1
        else:
            # The leader, which came first, has its column.
            self.columns_of[number] = FOLLOWS
            self.sources_of[number] = self.columns_of[leader]
        self.scales_of[number] = <float>(
            _ratio(self, number, leader) / sqrt(self.sums[leader])
        )
    return n_columns


cdef inline double _ratio(
    Compactor self, int32_t number, int32_t leader
) noexcept nogil:
    if number == leader:
        return 1
    return <double>self.firsts[number] / self.firsts[leader]


cdef void _write_rows(Compactor self) noexcept nogil:
    """Write the rows by columns, in place of the numbers of their features."""
    cdef int64_t i, entry, start, stop, position = 0
    cdef int32_t number, column
    cdef float value
    cdef double alone
    cdef double[2] counted = [0, 1]
    for i in range(self.n_rows):
        start, stop = self.offsets[i], self.offsets[i + 1]
        if must_end(&self.watch, stop - start):
            return
        self.offsets[i] = position
        alone = 0
        for entry in range(start, stop):
            number = self.columns[entry]
            value = self.values[entry]
            column = self.columns_of[number]
            # Again without a branch: the next one writes over what does not count.
            self.columns[position] = column
            self.values[position] = value / self.scales_of[number]
            position += column >= 0
            alone += <double>value * value * counted[column == ALONE]
        self.own[i] = <float>alone
    self.offsets[self.n_rows] = position


cdef void _order_features(Compactor self) noexcept nogil:
    """Put what was numbered as it came in the order of the features."""
    cdef int64_t place
    cdef int32_t number
    if self.n_features == 0:
        return
    for place in range(self.n_features):
        mark(self.words, self.summary, self.found[place])
    list_and_clear(self.words, self.summary, &self.features[0])
    for place in range(self.n_features):
        number = self.numbers[self.features[place]]
        self.numbers[self.features[place]] = -1
        self.sources[place] = self.sources_of[number]
        self.scales[place] = self.scales_of[number]
