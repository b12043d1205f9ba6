from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from skxmr._cython._watch cimport Watch

cdef class Compactor:
    cdef const int64_t[::1] X_indptr
    cdef const int32_t[::1] X_indices
    cdef const float[::1] X_values
    cdef uint64_t key
    cdef const uint8_t[::1] stop
    cdef Watch watch
    # Of all features.
    cdef int32_t[::1] numbers
    cdef uint64_t[::1] words, summary
    # Of the features found, by number.
    cdef int32_t[::1] found, first_rows, leaders, columns_of, sources_of
    cdef float[::1] firsts, scales_of
    cdef uint64_t[::1] hashes
    cdef double[::1] sums
    cdef uint8_t[::1] are_alone
    cdef int32_t[::1] table
    # The rows, compact.
    cdef readonly int64_t n_rows, n_columns, n_features
    cdef readonly int64_t[::1] offsets
    cdef readonly int32_t[::1] columns
    cdef readonly float[::1] values, norms, own
    cdef readonly int32_t[::1] features, sources
    cdef readonly float[::1] scales

    cdef void run(self, const int32_t[::1] rows, double bias_square) noexcept nogil
