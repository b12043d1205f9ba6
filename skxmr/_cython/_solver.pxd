from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from skxmr._cython._watch cimport Watch
from skxmr._cython._workspace cimport Buffer

cdef extern from "include/training_rows.h" nogil:
    enum:
        MAX_LANES "SKXMR_MAX_LANES"
        SQUARED_HINGE "SKXMR_SQUARED_HINGE"
        HINGE "SKXMR_HINGE"
        LOG_LOSS "SKXMR_LOG_LOSS"

    ctypedef struct Rows "skxmr_rows":
        int64_t n_rows
        const int64_t* offsets
        const int32_t* features
        const float* values
        const float* unshared
        const float* dense
        const int32_t* samples
        int64_t width
        const float* gram
        int64_t n_gram
        const float* norms
        int loss
        float bias_square
        int is_large

    ctypedef struct Row "skxmr_row":
        const int32_t* features
        const float* values
        int64_t size

    Row row_of "skxmr_row_of"(const Rows* rows, int64_t i, int is_dense)

cdef struct SolverParameters:
    # Documented in the Python class of this name.
    int loss
    float positive_cost
    float negative_cost
    double bias_square
    double tol
    int max_iter
    double prior_length
    int64_t n_training_rows   # negative: all
    int simd_level

cdef struct Block:
    # Children that are solved side by side. Arrays have the lane as the last axis.
    int n_lanes
    int64_t n_rows
    int64_t n_swept           # rows, the first ones; others are in prior means only
    int64_t n_states          # features, or rows where margins are updated
    int32_t* order
    int32_t* new_rows         # the first `n_new`: rows without duals before
    int64_t n_new
    float* costs
    float* duals
    float* weights
    float* states             # what sweeps update: the weights, or margins of the rows
    float* priors             # factors of the rows in the prior mean, or NULL
    float[MAX_LANES] intercepts
    float[MAX_LANES] constants  # infinite with nothing to learn, else 0
    double[MAX_LANES] gains   # twice the decrease of the dual objective so far
    # Of the last sweep: the extreme violations, and its part of the gains.
    float[MAX_LANES] highest
    float[MAX_LANES] lowest
    float[MAX_LANES] last_gains
    bint is_warm              # starts at `duals`, the signed factors of the rows
    int32_t[MAX_LANES] n_sweeps
    bint[MAX_LANES] converged
    # Copies of the lanes that are still trained: lane `lanes[slot]` is in `slot`, of
    # `width`.
    int width
    int[MAX_LANES] lanes
    float* narrow_costs
    float* narrow_duals
    float* narrow_states
    float* narrow_priors

cdef struct BlockShape:
    int64_t n_rows
    int64_t n_columns
    int64_t n_margins         # rows whose margins are updated; 0: weights are
    int n_lanes
    bint has_prior

cdef class BlockSolver:
    cdef SolverParameters parameters
    cdef Buffer memory
    cdef Block block
    cdef const uint8_t[::1] stop
    cdef Watch watch

    cdef int ensure(self, BlockShape shape) except -1 nogil
    cdef int solve(self, Rows* rows, int64_t n_entries, uint64_t seed) except -1 nogil

cdef BlockSolver make_solver(
    SolverParameters parameters, Buffer memory, const uint8_t[::1] stop
)

cdef inline int64_t index_of(const Row* row, int64_t entry) noexcept nogil:
    """Return the column of an entry."""
    return entry if row.features == NULL else row.features[entry]

cdef void multiply_pairs(const Rows* rows, float* gram, int level) noexcept nogil
cdef void compute_weights(const Rows* rows, Block* block, int level) noexcept nogil
cdef void add_prior_factors(Block* block) noexcept nogil
cdef int lanes_of(int64_t n_children) noexcept nogil
