"""The training rows of one parent after another, as the solver reads them.

The weights of a feature are `scales` times those of its column in `sources`; or, where
a single row has the feature, times the row's signed dual variables (`_compaction.pyx`).
"""

from libc.stdint cimport int32_t, int64_t

from skxmr._cython._solver cimport multiply_pairs
from skxmr._cython._watch cimport raise_ended


cdef class TrainingRows:
    """Rows that the children of a parent share.

    Attributes
    ----------
    most_rows, most_columns : int
        The most that a parent has.
    most_margins : int
        Of parents with more rows, weights are updated; of others, margins of the rows.
    """

    cdef int ensure(self) except -1:
        """Allocate memory for the largest parent."""
        raise NotImplementedError

    cdef int gather(
        self, const int32_t[::1] samples, const SolverParameters* parameters
    ) except -1 nogil:
        """Prepare the rows of a parent, at least one, for sweeps.

        Parameters
        ----------
        samples : memoryview of shape (n_rows,), int32
            Their indices, ascending.
        """
        return 0


cdef class SparseTrainingRows(TrainingRows):
    """Rows of a sparse matrix, compacted.

    Parameters
    ----------
    compactor : Compactor
    most_columns : int
    """

    def __init__(self, Compactor compactor, int64_t most_columns):
        self.compactor = compactor
        self.most_rows, self.most_columns = compactor.most_rows, most_columns
        self.most_margins = 0
        self.rows.dense = self.rows.gram = NULL

    cdef int ensure(self) except -1:
        self.compactor.ensure()
        self.features, self.sources = self.compactor.features, self.compactor.sources
        self.scales = self.compactor.scales
        return 0

    cdef int gather(
        self, const int32_t[::1] samples, const SolverParameters* parameters
    ) except -1 nogil:
        cdef Rows* rows = &self.rows
        self.compactor.run(samples, parameters.bias_square)
        if self.compactor.watch.ended:
            with gil:
                raise_ended(&self.compactor.watch)
        self.n_columns = self.compactor.n_columns
        self.n_features = self.compactor.n_features
        self.n_entries = self.compactor.offsets[samples.shape[0]]
        rows.offsets = &self.compactor.offsets[0]
        rows.features = &self.compactor.columns[0]
        rows.values = &self.compactor.values[0]
        rows.unshared = &self.compactor.unshared[0]
        rows.norms = &self.compactor.norms[0]
        return 0


cdef class DenseTrainingRows(TrainingRows):
    """Rows of a dense matrix, read where they lie.

    With few rows, knowing the products of all pairs saves work: sweeps update margins,
    and the weights are computed at the end.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
    workspace : Workspace
    most_rows, most_margins : int

    Attributes
    ----------
    n_multiplied : int
        Of how many parents the products were computed.
    """

    def __init__(
        self, const float[:, ::1] X, Workspace workspace, *, int64_t most_rows,
        int64_t most_margins,
    ):
        self.X, self.workspace = X, workspace
        self.most_rows, self.most_margins = most_rows, most_margins
        self.most_columns = self.n_columns = self.n_features = X.shape[1]
        self.n_multiplied = 0

    cdef int ensure(self) except -1:
        cdef Arena arena = Arena()
        cdef int64_t feature
        self.lay_out(arena)
        self.workspace.rows.reserve(arena.n_bytes)
        self.lay_out(Arena(self.workspace.rows.memory))
        for feature in range(self.n_features):
            self.numbers[feature] = <int32_t>feature
            self.ones[feature] = 1
        self.features = self.sources = self.numbers
        self.scales = self.ones
        # Without features nothing is read, but NULL would mean rows in CSR.
        self.rows.dense = &self.X[0, 0] if self.n_features else &self.norms[0]
        self.rows.width = self.n_features
        return 0

    cdef int lay_out(self, Arena arena) except -1:
        self.norms = arena.take(max(1, self.most_rows), "f4")
        self.gram = arena.take(self.most_margins * self.most_margins, "f4")
        self.numbers = arena.take(self.n_features, "i4")
        self.ones = arena.take(self.n_features, "f4")
        return 0

    cdef int gather(
        self, const int32_t[::1] samples, const SolverParameters* parameters
    ) except -1 nogil:
        cdef Rows* rows = &self.rows
        cdef int64_t n_rows = samples.shape[0]
        self.n_entries = n_rows * self.X.shape[1]
        _square_norms(self.X, samples, parameters.bias_square, self.norms)
        rows.norms = &self.norms[0]
        rows.samples = &samples[0]
        rows.n_rows = rows.n_gram = n_rows
        rows.gram = NULL
        if n_rows <= self.most_margins:
            multiply_pairs(rows, &self.gram[0], parameters.simd_level)
            rows.gram = &self.gram[0]
            self.n_multiplied += 1
        return 0

    def multiply(self, const int32_t[::1] samples, int simd_level):
        """Return the products of all pairs of some rows.

        Parameters
        ----------
        samples : ndarray of shape (n_rows,), int32
            At most `most_margins`.
        simd_level : int
            Index into `SIMD_LEVELS`.

        Returns
        -------
        memoryview of shape (n_rows ** 2,), float32
        """
        cdef SolverParameters parameters
        cdef int64_t n_rows = samples.shape[0]
        parameters.bias_square, parameters.simd_level = 0, simd_level
        self.ensure()
        if n_rows:
            self.gather(samples, &parameters)
        return self.gram[:n_rows * n_rows]


cdef void _square_norms(
    const float[:, ::1] X, const int32_t[::1] samples, double bias_square,
    float[::1] norms
) noexcept nogil:
    cdef int64_t i, j
    cdef double norm
    for i in range(samples.shape[0]):
        norm = bias_square
        for j in range(X.shape[1]):
            norm += <double>X[samples[i], j] * X[samples[i], j]
        norms[i] = <float>norm
