"""Averages the scores that several trees give to the labels of each row."""

from libc.math cimport INFINITY, exp, log, log1p
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from skxmr._cython._beam cimport Heap, push, sort
from skxmr._cython._scratch cimport take


cdef struct Sums:
    # A hash table from the columns of one row to the sums of their scores.
    int log_slots
    uint64_t factor
    int32_t* slots         # (2**log_slots,): index into distinct, from 1; 0 is free
    int64_t* distinct      # (n_entries,): columns
    double* sums           # (n_entries,): logarithms
    int64_t n_distinct


cdef class TreeAverager:
    """Adds up the scores of each column of a row.

    Parameters
    ----------
    n_entries : int
        Columns of a row, those of all trees together.
    factor : int
        Odd, of the hash function; no result depends on it.
    """

    cdef Sums table
    cdef int64_t n_entries

    def __cinit__(self, int64_t n_entries, uint64_t factor):
        cdef int64_t n_bytes = 0
        cdef Sums* table = &self.table
        self.n_entries = n_entries
        table.factor = factor
        table.log_slots = 2
        while n_entries >> (table.log_slots - 1):  # less than half are taken
            table.log_slots += 1
        table.slots = <int32_t*>take(
            <int64_t>1 << table.log_slots, sizeof(int32_t), &n_bytes
        )
        table.distinct = <int64_t*>take(n_entries, sizeof(int64_t), &n_bytes)
        table.sums = <double*>take(n_entries, sizeof(double), &n_bytes)

    def __dealloc__(self):
        free(self.table.slots)
        free(self.table.distinct)
        free(self.table.sums)

    def average(
        self,
        const int64_t[:, ::1] columns,     # IN (n_samples, n_entries); -1 is none
        const double[:, ::1] log_scores,   # IN of the same shape
        int64_t n_trees,
        int64_t[:, ::1] best,              # OUT (n_samples, k); -1 where none is found
        double[:, ::1] best_scores,        # OUT (n_samples, k): logarithms; -inf there
    ):
        """Keep the best k columns of each row."""
        cdef int64_t row, i
        cdef double share = log(<double>n_trees)
        cdef Sums* table = &self.table
        cdef Heap found
        if columns.shape[1] != self.n_entries or log_scores.shape[1] != self.n_entries:
            raise ValueError(
                f"A row has {columns.shape[1]} columns and {log_scores.shape[1]} "
                f"scores; expected {self.n_entries}."
            )
        found.capacity = best.shape[1]
        if found.capacity == 0:
            return
        if self.n_entries == 0:
            best[:, :] = -1
            best_scores[:, :] = -INFINITY
            return
        with nogil:
            for row in range(columns.shape[0]):
                _add_up(&columns[row, 0], &log_scores[row, 0], self.n_entries, table)
                # Only keys of the result are kept: they share the memory of the nodes.
                found.nodes = found.keys = &best[row, 0]
                found.scores = &best_scores[row, 0]
                found.size = 0
                for i in range(table.n_distinct):
                    push(
                        &found, table.distinct[i], table.distinct[i],
                        table.sums[i] - share,
                    )
                sort(&found)
                for i in range(found.size, found.capacity):
                    found.keys[i] = -1
                    found.scores[i] = -INFINITY


cdef inline void _add_up(
    const int64_t* columns, const double* log_scores, int64_t n_entries, Sums* table
) noexcept nogil:
    """List the columns of a row once each, with the logarithms of summed scores."""
    cdef int64_t i, slot, index, last = (<int64_t>1 << table.log_slots) - 1
    cdef int64_t* distinct = table.distinct
    memset(table.slots, 0, (last + 1) * sizeof(int32_t))
    table.n_distinct = 0
    for i in range(n_entries):
        if columns[i] < 0:
            continue
        # Multiplicative hashing, with linear probing.
        slot = <int64_t>(
            (<uint64_t>columns[i] * table.factor) >> (64 - table.log_slots)
        )
        while table.slots[slot] and distinct[table.slots[slot] - 1] != columns[i]:
            slot = (slot + 1) & last
        index = table.slots[slot] - 1
        if index < 0:
            distinct[table.n_distinct] = columns[i]
            table.sums[table.n_distinct] = log_scores[i]
            table.n_distinct += 1
            table.slots[slot] = <int32_t>table.n_distinct
        else:
            table.sums[index] = _add_logs(table.sums[index], log_scores[i])


cdef inline double _add_logs(double first, double second) noexcept nogil:
    """Return the logarithm of the sum of two numbers given by their logarithms."""
    cdef double larger = max(first, second)
    if larger == -INFINITY:
        return larger
    return larger + log1p(exp(min(first, second) - larger))
