"""Compacts the training rows of one parent before its children are trained.

Only the features that the rows have are kept, numbered 0, 1, ... And two kinds of
features are stored once, without changing the problem:

- A feature that a single row has adds the same to the row's margin whatever the other
  rows do: its weight is the row's signed dual variable times its value. All such
  features of a row become one number, their squared norm (`unshared`).
- Features that the same rows have, with values in the same ratio (the n-grams of one
  word, say), have weights in that ratio: they become one column of their joint norm.

A feature's weights are then `scale` times those of its column, or times the signed dual
variables of its row.
"""

from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from skxmr._cython._bitmap cimport list_and_clear, mark
from skxmr._cython._vectors cimport Vectors
from skxmr._cython._watch cimport must_end, raise_ended, watch_for

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

cdef enum:
    ROWS_AHEAD = 6

# In place of a column number: the feature has the column of its leader, or a single row
# has the feature.
cdef enum:
    FOLLOWS = -1
    UNSHARED = -2

# Ratios that differ by less are equal up to rounding.
cdef double ROUNDING = 1e-6

# Features whose values differ by a larger factor share no column: the scale, or a value
# divided by it, would come near the ends of float32's range.
cdef double MOST_RATIO = 1e15


cdef class FeatureTable:
    """What compaction stores for each feature of X, cleared after each parent."""

    def __init__(self, Workspace workspace, int64_t n_features):
        cdef int64_t n_words = (n_features + 63) // 64
        # At least one item each, so that there is an address.
        self.numbers = workspace.empty(max(1, n_features), "i4")
        self.words = workspace.empty(max(1, n_words), "u8")
        self.summary = workspace.empty((n_words + 63) // 64, "u8")
        self.numbers[:] = -1
        self.words[:] = 0
        self.summary[:] = 0


cdef FeatureTable _table_of(Workspace workspace, int64_t n_features):
    """Give the table that tasks on as many features have in common."""
    table = workspace.tables.get(n_features)
    if table is None:
        table = workspace.tables[n_features] = FeatureTable(workspace, n_features)
    return table


cdef class Compactor:
    """Compacts the rows of one parent after another, in the same memory.

    The attributes are those of the last parent, undefined beyond their sizes.

    Parameters
    ----------
    X : Vectors
        A vector for each row.
    workspace : Workspace
    key : int
        Of the hashes of sets of rows. With a random one, nobody can choose sets whose
        hashes are equal; no result depends on it.
    most_rows, most_entries : int
        Of any parent.
    stop : ndarray of shape (1,), uint8, optional
        Not 0 when the task is cancelled.
    columns, values : ndarray of shape (most_entries,), int32 and float32, optional
        In place of memory of the workspace.

    Attributes
    ----------
    n_rows, n_columns, n_features : int
    offsets : memoryview of shape (n_rows + 1,), int64
    columns, values : memoryview of shape (offsets[n_rows],), int32 and float32
        The rows, by columns.
    norms : memoryview of shape (n_rows,), float32
        Squared, that of the constant feature included.
    unshared : memoryview of shape (n_rows,), float32
        Squared norm of the features that no other row has.
    features, sources : memoryview of shape (n_features,), int32
        The features, ascending; and the column c of each, or row r as -1 - r.
    scales : memoryview of shape (n_features,), float32
    """

    def __init__(
        self, Vectors X, Workspace workspace, *, uint64_t key, int64_t most_rows,
        int64_t most_entries, const uint8_t[::1] stop=None, int32_t[::1] columns=None,
        float[::1] values=None,
    ):
        cdef FeatureTable all_features = _table_of(workspace, X.length)
        self.X_offsets, self.X_indices, self.X_values = X.offsets, X.indices, X.values
        self.X_length = X.length
        self.numbers, self.words = all_features.numbers, all_features.words
        self.summary = all_features.summary
        self.workspace, self.key = workspace, key
        self.most_rows, self.most_entries = most_rows, most_entries
        self.columns, self.values = columns, values
        self.has_given_entries = columns is not None
        self.stop, self.watch = stop, watch_for(stop)

    cdef int ensure(self) except -1:
        """Allocate memory for the largest parent."""
        cdef Arena rows = Arena(), scratch = Arena()
        self.lay_out_rows(rows)
        self.lay_out_scratch(scratch)
        self.workspace.rows.reserve(rows.n_bytes)
        self.workspace.shared.reserve(scratch.n_bytes)
        self.lay_out_rows(Arena(self.workspace.rows.memory))
        self.lay_out_scratch(Arena(self.workspace.shared.memory))
        return 0

    cdef int lay_out_rows(self, Arena arena) except -1:
        cdef int64_t n_features = self.most_features()
        self.offsets = arena.take(self.most_rows + 1, "i8")
        self.norms = arena.take(max(1, self.most_rows), "f4")
        self.unshared = arena.take(max(1, self.most_rows), "f4")
        if not self.has_given_entries:
            self.columns = arena.take(max(1, self.most_entries), "i4")
            self.values = arena.take(max(1, self.most_entries), "f4")
        self.features = arena.take(n_features, "i4")
        self.sources = arena.take(n_features, "i4")
        self.scales = arena.take(n_features, "f4")
        return 0

    cdef int lay_out_scratch(self, Arena arena) except -1:
        cdef int64_t n_features = self.most_features()
        self.found = arena.take(n_features, "i4")
        self.first_rows = arena.take(n_features, "i4")
        self.leaders = arena.take(n_features, "i4")
        self.columns_of = arena.take(n_features, "i4")
        self.sources_of = arena.take(n_features, "i4")
        self.first_values = arena.take(n_features, "f4")
        self.scales_of = arena.take(n_features, "f4")
        self.hashes = arena.take(n_features, "u8")
        self.sums = arena.take(n_features, "f8")
        self.is_unshared = arena.take(n_features, "u1")
        self.table = arena.take(table_size(n_features), "i4")
        return 0

    cdef int64_t most_features(self) noexcept:
        # One more: a feature is written before it is known to be new.
        return min(self.most_entries, self.X_length) + 1

    def compact(self, const int32_t[::1] rows, double bias_square):
        """Gather rows of X and compact them.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), int32
        bias_square : float
            Added to each squared norm.

        Raises
        ------
        KeyboardInterrupt
        RuntimeError
            If the task is cancelled.
        """
        self.ensure()
        with nogil:
            self.run(rows, bias_square)
        raise_ended(&self.watch)

    cdef void run(self, const int32_t[::1] rows, double bias_square) noexcept nogil:
        """Do what `compact` does, without raising.

        If `watch.ended` is set, the table of features is not cleared: the workspace
        cannot be used again.
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


cpdef int64_t table_size(int64_t n_features) noexcept nogil:
    """Return the size of the hash table for so many features, a power of two."""
    cdef int64_t size = 2
    while size < 2 * n_features:
        size *= 2
    return size


cdef int64_t _list_features(
    Compactor self, const int32_t[::1] rows, double bias_square
) noexcept nogil:
    """Number the features of some rows as they come; return how many there are.

    For each, the first row, the value there and a keyed hash of its set of rows are
    stored. Without the key, rows could be chosen whose features collide in the table.
    """
    cdef int64_t i, entry, position = 0
    cdef int32_t feature, number, is_new, n_found = 0
    cdef uint64_t row_hash
    cdef float value
    cdef double norm
    self.offsets[0] = 0
    for i in range(rows.shape[0]):
        if must_end(&self.watch, self.X_offsets[rows[i] + 1] - self.X_offsets[rows[i]]):
            return 0
        if i + 2 * ROWS_AHEAD < rows.shape[0]:
            prefetch(&self.X_offsets[rows[i + 2 * ROWS_AHEAD]])
        if i + ROWS_AHEAD < rows.shape[0]:
            _prefetch_row(self, rows[i + ROWS_AHEAD])
        norm = bias_square
        row_hash = _mix(self.key + <uint64_t>i)
        for entry in range(self.X_offsets[rows[i]], self.X_offsets[rows[i] + 1]):
            feature, value = self.X_indices[entry], self.X_values[entry]
            # Branch-free, since whether a feature is new would be mispredicted: what a
            # new one gets is written always, and counted only if it is new.
            self.found[n_found] = feature
            self.first_rows[n_found] = <int32_t>i
            self.first_values[n_found] = value
            self.hashes[n_found] = 0
            number = self.numbers[feature]
            is_new = number >> 31  # all bits set, or none
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
    # A cache line holds 16 indices or values.
    for entry in range(self.X_offsets[row], self.X_offsets[row + 1], 16):
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

    A feature that a single row has is its own leader, as is one whose first value is 0,
    which has no ratio to others.
    """
    cdef int32_t number, other
    cdef int64_t size = table_size(self.n_features)
    cdef uint64_t slot, mask = <uint64_t>(size - 1)
    memset(&self.table[0], 0xFF, size * sizeof(int32_t))
    for number in range(<int32_t>self.n_features):
        self.leaders[number] = number
        self.is_unshared[number] = (
            self.hashes[number] == _mix(self.key + <uint64_t>self.first_rows[number])
        )
        if self.is_unshared[number] or self.first_values[number] == 0:
            continue
        slot = self.hashes[number] & mask
        while True:
            other = self.table[slot]
            if other < 0:
                self.table[slot] = number
                break
            if self.hashes[other] == self.hashes[number]:
                self.leaders[number] = other
                break
            slot = (slot + 1) & mask


cdef void _check_ratios(Compactor self) noexcept nogil:
    """Make features whose values are in no fixed ratio to their leader's own leaders.

    This also finds features whose set of rows differs from the leader's in spite of the
    same hash, unless their values happen to have the ratio.
    """
    cdef int64_t i, entry
    cdef int32_t number, leader
    # Products of tiny values would be 0 in single precision, whatever their ratio.
    cdef double one, other
    # The value of each feature in the current row.
    cdef float[::1] row_values = self.scales_of
    for i in range(self.n_rows):
        if must_end(&self.watch, self.offsets[i + 1] - self.offsets[i]):
            return
        for entry in range(self.offsets[i], self.offsets[i + 1]):
            row_values[self.columns[entry]] = self.values[entry]
        for entry in range(self.offsets[i], self.offsets[i + 1]):
            number = self.columns[entry]
            leader = self.leaders[number]
            one = <double>row_values[number] * self.first_values[leader]
            other = <double>row_values[leader] * self.first_values[number]
            if not fabs(one - other) <= ROUNDING * fabs(other):
                self.leaders[number] = number


cdef int64_t _number_columns(Compactor self) noexcept nogil:
    """Number a column for each leader, and scale the features."""
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
        if self.is_unshared[number]:
            self.columns_of[number] = UNSHARED
            self.sources_of[number] = -1 - self.first_rows[number]
            self.scales_of[number] = self.first_values[number]
            continue
        if leader == number:
            self.columns_of[number] = self.sources_of[number] = n_columns
            n_columns += 1
        else:
            # The leader has a smaller number: its column is known.
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
    return <double>self.first_values[number] / self.first_values[leader]


cdef void _write_rows(Compactor self) noexcept nogil:
    """Replace the features of the rows by their columns."""
    cdef int64_t i, entry, start, stop, position = 0
    cdef int32_t number, column
    cdef float value
    cdef double unshared
    cdef double[2] counted = [0, 1]
    for i in range(self.n_rows):
        start, stop = self.offsets[i], self.offsets[i + 1]
        if must_end(&self.watch, stop - start):
            return
        self.offsets[i] = position
        unshared = 0
        for entry in range(start, stop):
            number = self.columns[entry]
            value = self.values[entry]
            column = self.columns_of[number]
            # Branch-free: an entry that has no column is overwritten by the next one.
            self.columns[position] = column
            self.values[position] = value / self.scales_of[number]
            position += column >= 0
            unshared += <double>value * value * counted[column == UNSHARED]
        self.unshared[i] = <float>unshared
    self.offsets[self.n_rows] = position


cdef void _order_features(Compactor self) noexcept nogil:
    """Sort the features, and clear the table of all features."""
    cdef int64_t i
    cdef int32_t number
    if self.n_features == 0:
        return
    for i in range(self.n_features):
        mark(self.words, self.summary, self.found[i])
    list_and_clear(self.words, self.summary, &self.features[0])
    for i in range(self.n_features):
        number = self.numbers[self.features[i]]
        self.numbers[self.features[i]] = -1
        self.sources[i] = self.sources_of[number]
        self.scales[i] = self.scales_of[number]
