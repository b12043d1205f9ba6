from libc.stdint cimport int32_t, int64_t

from skxmr._cython._compaction cimport Compactor
from skxmr._cython._solver cimport Rows, SolverParameters
from skxmr._cython._workspace cimport Arena, Workspace

cdef class TrainingRows:
    # Of the current parent.
    cdef Rows rows
    cdef int64_t n_columns, n_features, n_entries
    cdef const int32_t[::1] features, sources
    cdef const float[::1] scales
    # Of the largest parent.
    cdef readonly int64_t most_rows, most_columns, most_margins

    cdef int ensure(self) except -1
    cdef int gather(
        self, const int32_t[::1] samples, const SolverParameters* parameters
    ) except -1 nogil

cdef class SparseTrainingRows(TrainingRows):
    cdef Compactor compactor

cdef class DenseTrainingRows(TrainingRows):
    cdef const float[:, ::1] X
    cdef Workspace workspace
    cdef readonly int64_t n_multiplied
    cdef float[::1] norms, gram, ones
    cdef int32_t[::1] numbers

    cdef int lay_out(self, Arena arena) except -1
