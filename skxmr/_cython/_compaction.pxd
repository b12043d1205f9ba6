from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from skxmr._cython._watch cimport Watch
from skxmr._cython._workspace cimport Arena, Workspace

cdef class FeatureTable:
    cdef int32_t[::1] numbers
    cdef uint64_t[::1] words, summary

cdef class Compactor:
    cdef const int64_t[::1] X_offsets
    cdef const int32_t[::1] X_indices
    cdef const float[::1] X_values
    cdef int64_t X_length, most_rows, most_entries
    cdef bint has_given_entries
    cdef Workspace workspace
    cdef uint64_t key
    cdef const uint8_t[::1] stop
    cdef Watch watch
    # Of all features, cleared after each parent.
    cdef int32_t[::1] numbers
    cdef uint64_t[::1] words, summary
    # Of the features found, by number.
    cdef int32_t[::1] found, first_rows, leaders, columns_of, sources_of
    cdef float[::1] first_values, scales_of
    cdef uint64_t[::1] hashes
    cdef double[::1] sums
    cdef uint8_t[::1] is_unshared
    cdef readonly int32_t[::1] table
    # The compact rows.
    cdef readonly int64_t n_rows, n_columns, n_features
    cdef readonly int64_t[::1] offsets
    cdef readonly int32_t[::1] columns
    cdef readonly float[::1] values, norms, unshared
    cdef readonly int32_t[::1] features, sources
    cdef readonly float[::1] scales

    cdef int ensure(self) except -1
    cdef int lay_out_rows(self, Arena arena) except -1
    cdef int lay_out_scratch(self, Arena arena) except -1
    cdef int64_t most_features(self) noexcept
    cdef void run(self, const int32_t[::1] rows, double bias_square) noexcept nogil

cpdef int64_t table_size(int64_t n_features) noexcept nogil
