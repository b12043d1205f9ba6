"""Trains the linear models of one parent's children by dual coordinate descent.

All children of a parent share their training rows. The rows are gathered once,
with features renumbered 0, 1, ...; then blocks of LANES children are solved side
by side (include/sweep.h): weights and dual variables are stored row-major with the
child last, so that one pass over a row computes all margins and one more updates all
weights.

Hinge losses: Hsieh et al., "A dual coordinate descent method for large-scale
linear SVM", ICML 2008. Logistic loss: the dual of Yu, Huang and Lin, "Dual
coordinate descent methods for logistic regression and maximum entropy models",
Machine Learning 85, 2011; here each one-variable problem is solved for the logit
of the dual variable, where Newton's method is well conditioned.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY, fabsf
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

cdef extern from "include/sweep.h" nogil:
    enum:
        LANES "SKXMR_LANES"
        SQUARED_HINGE "SKXMR_SQUARED_HINGE"
        HINGE "SKXMR_HINGE"
        LOG_LOSS "SKXMR_LOG_LOSS"
        BASELINE "SKXMR_BASELINE"
        AVX2 "SKXMR_AVX2"
        AVX512 "SKXMR_AVX512"

    ctypedef struct Problem "skxmr_problem":
        int64_t n_rows
        const int64_t* offsets
        const int32_t* features
        const float* values
        const float* dense
        const int32_t* rows
        int64_t width
        const float* norms
        const float* costs
        int loss
        int fit_intercept

    ctypedef struct State "skxmr_state":
        const int32_t* order
        float* duals
        float* weights
        float* intercepts
        int32_t* active
        float* highest
        float* lowest

    int best_level "skxmr_best_level"()
    void sweep "skxmr_sweep"(const Problem* problem, State* state, int level)

N_LANES = LANES
LOSSES = {"squared_hinge": SQUARED_HINGE, "hinge": HINGE, "log_loss": LOG_LOSS}

# Levels of vector instructions that this machine has; the last is the best.
LEVELS = [
    name
    for name, level in {"baseline": BASELINE, "avx2": AVX2, "avx512": AVX512}.items()
    if level <= best_level()
]


# Gathering
# ---------

def gather_rows(
    const int64_t[::1] X_indptr,   # IN (n_samples + 1,)
    const int32_t[::1] X_indices,  # IN
    const float[::1] X_values,     # IN
    const int32_t[::1] rows,       # IN (n_rows,)
    bint fit_intercept,
    int32_t[::1] marker,           # SCRATCH (n_features,), all -1
    int64_t[::1] offsets,          # OUT (n_rows + 1,)
    int32_t[::1] features,         # OUT (nnz of the rows,)
    float[::1] values,             # OUT (nnz of the rows,)
    float[::1] norms,              # OUT (n_rows,): squared, the intercept's 1 too
    int32_t[::1] distinct,         # OUT (nnz of the rows,)
):
    """Copy rows and list their distinct features as they come; return how many."""
    cdef int64_t i, entry, position = 0, n_distinct = 0
    cdef int32_t feature
    cdef double norm
    with nogil:
        offsets[0] = 0
        for i in range(rows.shape[0]):
            norm = fit_intercept
            for entry in range(X_indptr[rows[i]], X_indptr[rows[i] + 1]):
                feature = X_indices[entry]
                if marker[feature] < 0:
                    marker[feature] = 0
                    distinct[n_distinct] = feature
                    n_distinct += 1
                features[position] = feature
                values[position] = X_values[entry]
                norm += <double>X_values[entry] * X_values[entry]
                position += 1
            offsets[i + 1] = position
            norms[i] = <float>norm
    return n_distinct


def renumber_features(
    const int32_t[::1] distinct,   # IN (n_distinct,), ascending
    int32_t[::1] marker,           # SCRATCH (n_features,); all -1 again at the end
    int32_t[::1] features,         # IN and OUT (nnz of the rows,)
):
    """Replace each feature by its place in `distinct`."""
    cdef int64_t i
    with nogil:
        for i in range(distinct.shape[0]):
            marker[distinct[i]] = <int32_t>i
        for i in range(features.shape[0]):
            features[i] = marker[features[i]]
        for i in range(distinct.shape[0]):
            marker[distinct[i]] = -1


def square_norms(
    const float[:, ::1] X,         # IN (n_samples, n_features)
    const int32_t[::1] rows,       # IN (n_rows,)
    bint fit_intercept,
    float[::1] norms,              # OUT (n_rows,): squared, the intercept's 1 too
):
    """Square the norms of some dense rows, feature by feature as `gather_rows` does."""
    cdef int64_t i, j
    cdef double norm
    with nogil:
        for i in range(rows.shape[0]):
            norm = fit_intercept
            for j in range(X.shape[1]):
                norm += <double>X[rows[i], j] * X[rows[i], j]
            norms[i] = <float>norm


def fill_costs(
    const int32_t[::1] rows,           # IN (n_rows,), ascending
    const float[::1] negative_costs,   # IN (n_rows,): of a row that lacks the label
    const int64_t[::1] child_offsets,  # IN (n_children + 1,), at most LANES children
    const int32_t[::1] child_rows,     # IN: the rows of each child, ascending
    const float[::1] child_costs,      # IN: the cost of each
    float[:, ::1] costs,               # OUT (n_rows, LANES)
):
    """Fill signed costs: > 0 where a child is right, < 0 where wrong, 0 to ignore."""
    cdef int64_t i, entry, lane, n_lanes = child_offsets.shape[0] - 1
    cdef int64_t n_rows = rows.shape[0]
    with nogil:
        for i in range(n_rows):
            for lane in range(LANES):
                costs[i, lane] = -negative_costs[i] if lane < n_lanes else 0.0
        for lane in range(n_lanes):
            i = 0
            for entry in range(child_offsets[lane], child_offsets[lane + 1]):
                i = _find(rows, i, n_rows, child_rows[entry])
                if i < n_rows and rows[i] == child_rows[entry]:
                    costs[i, lane] = child_costs[entry]


cdef inline int64_t _find(
    const int32_t[::1] values, int64_t start, int64_t stop, int32_t wanted
) noexcept nogil:
    """First place of a value that is not smaller than the wanted one."""
    cdef int64_t step = 1, middle
    # Gallop: the places sought one after another are near each other.
    while start + step < stop and values[start + step] < wanted:
        start += step
        step *= 2
    stop = min(stop, start + step)
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start


# Solving
# -------

def solve_block(
    const int64_t[::1] offsets,    # IN (n_rows + 1,)
    const int32_t[::1] features,   # IN (nnz,)
    const float[::1] values,       # IN (nnz,)
    const float[::1] norms,        # IN (n_rows,): squared, the intercept's 1 included
    const float[:, ::1] costs,     # IN (n_rows, LANES): signed; 0 is ignored
    int loss,
    bint fit_intercept,
    double tol,
    int max_iter,
    uint64_t seed,
    int level,                     # of instructions: a place in LEVELS
    int32_t[::1] order,            # SCRATCH (n_rows,)
    float[:, ::1] duals,           # SCRATCH (n_rows, LANES)
    float[:, ::1] weights,         # OUT (n_features, LANES)
    float[::1] intercepts,         # OUT (LANES,)
    int32_t[::1] n_sweeps,         # OUT (LANES,)
    unsigned char[::1] converged,  # OUT (LANES,)
):
    """Minimise |w|^2 / 2 + sum of cost * loss for each lane.

    A lane without any wrong row gets the intercept +inf (it is always there), one
    without any right row -inf (it never is); neither is trained.

    Every sweep visits the rows in a new random order, the same for all blocks of
    a parent; a lane stops by itself. So a child's weights do not depend on which
    children share its block.
    """
    cdef Problem problem
    if norms.shape[0] == 0:
        return
    problem.dense = NULL
    problem.offsets = &offsets[0]
    problem.features = &features[0] if features.shape[0] else NULL
    problem.values = &values[0] if values.shape[0] else NULL
    _solve(
        &problem, features.shape[0], norms, costs, loss, fit_intercept, tol, max_iter,
        seed, level, order, duals, weights, intercepts, n_sweeps, converged,
    )


def solve_dense_block(
    const float[:, ::1] X,         # IN (n_samples, n_features)
    const int32_t[::1] rows,       # IN (n_rows,): those to train on
    const float[::1] norms,        # IN (n_rows,): squared, the intercept's 1 included
    const float[:, ::1] costs,     # IN (n_rows, LANES): signed; 0 is ignored
    int loss,
    bint fit_intercept,
    double tol,
    int max_iter,
    uint64_t seed,
    int level,                     # of instructions: a place in LEVELS
    int32_t[::1] order,            # SCRATCH (n_rows,)
    float[:, ::1] duals,           # SCRATCH (n_rows, LANES)
    float[:, ::1] weights,         # OUT (n_features, LANES)
    float[::1] intercepts,         # OUT (LANES,)
    int32_t[::1] n_sweeps,         # OUT (LANES,)
    unsigned char[::1] converged,  # OUT (LANES,)
):
    """Do what `solve_block` does, on dense rows: the same sums in the same order."""
    cdef Problem problem
    if norms.shape[0] == 0:
        return
    # Of no features none is read, but NULL would stand for rows in CSR.
    problem.dense = &X[0, 0] if X.shape[1] else &norms[0]
    problem.rows = &rows[0]
    problem.width = X.shape[1]
    _solve(
        &problem, norms.shape[0] * X.shape[1], norms, costs, loss, fit_intercept, tol,
        max_iter, seed, level, order, duals, weights, intercepts, n_sweeps, converged,
    )


cdef int _solve(
    Problem* problem, int64_t n_entries, const float[::1] norms,
    const float[:, ::1] costs, int loss, bint fit_intercept, double tol, int max_iter,
    uint64_t seed, int level, int32_t[::1] order, float[:, ::1] duals,
    float[:, ::1] weights, float[::1] intercepts, int32_t[::1] n_sweeps,
    unsigned char[::1] converged,
) except -1:
    """Sweep until each lane stops; the rows of the problem are set already."""
    cdef State state
    cdef int64_t lane
    cdef int _sweep
    cdef int n_active = 0
    # Sweeps of some milliseconds; asking after shorter ones would cost more.
    cdef bint is_long = n_entries > 1_000_000
    problem.n_rows = norms.shape[0]
    problem.norms = &norms[0]
    problem.costs = &costs[0, 0]
    problem.loss = loss
    problem.fit_intercept = fit_intercept
    state.order = &order[0]
    state.duals = &duals[0, 0]
    state.weights = &weights[0, 0] if weights.shape[0] else NULL
    state.intercepts = &intercepts[0]
    with nogil:
        _start(loss, problem.n_rows, order, duals, weights)
        for lane in range(LANES):
            n_sweeps[lane] = 0
            intercepts[lane] = _constant(costs, lane)
            state.active[lane] = -1 if intercepts[lane] == 0.0 else 0
            converged[lane] = state.active[lane] == 0
            n_active += state.active[lane] != 0
        for _sweep in range(max_iter):
            if n_active == 0:
                break
            _shuffle(order, &seed)
            sweep(problem, &state, level)
            if is_long:
                # Ctrl-C, where this is the main thread.
                with gil:
                    PyErr_CheckSignals()
            for lane in range(LANES):
                if state.active[lane]:
                    n_sweeps[lane] += 1
                    if state.highest[lane] - state.lowest[lane] <= tol:
                        state.active[lane] = 0
                        converged[lane] = True
                        n_active -= 1
    return 0


cdef void _start(
    int loss, int64_t n_rows, int32_t[::1] order, float[:, ::1] duals,
    float[:, ::1] weights,
) noexcept nogil:
    cdef int64_t i, lane
    # A logit of -inf is a dual variable of 0.
    cdef float dual = <float>(-INFINITY) if loss == LOG_LOSS else 0.0
    for i in range(n_rows):
        order[i] = <int32_t>i
        for lane in range(LANES):
            duals[i, lane] = dual
    if weights.shape[0]:
        memset(&weights[0, 0], 0, weights.shape[0] * LANES * sizeof(float))


cdef float _constant(const float[:, ::1] costs, int64_t lane) noexcept nogil:
    """Infinite intercept of a lane that nothing can be learned for, else 0."""
    cdef int64_t i
    cdef bint any_right = False, any_wrong = False
    for i in range(costs.shape[0]):
        any_right |= costs[i, lane] > 0
        any_wrong |= costs[i, lane] < 0
        if any_right and any_wrong:
            return 0.0
    return <float>INFINITY if any_right else <float>(-INFINITY)


cdef inline uint64_t _next_random(uint64_t* state) noexcept nogil:
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    cdef uint64_t z
    state[0] += <uint64_t>0x9E3779B97F4A7C15
    z = state[0]
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline void _shuffle(int32_t[::1] order, uint64_t* state) noexcept nogil:
    """Fisher and Yates; the product maps 32 random bits to 0..i without division."""
    cdef int64_t i, j
    cdef int32_t kept
    for i in range(order.shape[0] - 1, 0, -1):
        j = <int64_t>(((_next_random(state) >> 32) * <uint64_t>(i + 1)) >> 32)
        kept = order[i]
        order[i] = order[j]
        order[j] = kept


# Collecting
# ----------

def count_weights(
    const float[:, ::1] weights,  # IN (n_features, LANES)
    int64_t n_lanes,
    float floor,
    int64_t[::1] counts,          # IN and OUT (n_features,)
):
    """Add to each feature's count its weights of magnitude `floor` or more."""
    cdef int64_t feature, lane, n_kept = 0
    with nogil:
        for feature in range(weights.shape[0]):
            for lane in range(n_lanes):
                if _kept(weights[feature, lane], floor):
                    counts[feature] += 1
                    n_kept += 1
    return n_kept


def copy_weights(
    const float[:, ::1] weights,  # IN (n_features, LANES)
    int64_t n_lanes,
    float floor,
    int32_t[::1] features,        # OUT (n_kept,)
    int32_t[::1] lanes,           # OUT (n_kept,)
    float[::1] kept,              # OUT (n_kept,)
):
    """Copy the weights that `count_weights` counted, feature by feature."""
    cdef int64_t feature, lane, position = 0
    with nogil:
        for feature in range(weights.shape[0]):
            for lane in range(n_lanes):
                if _kept(weights[feature, lane], floor):
                    features[position] = <int32_t>feature
                    lanes[position] = <int32_t>lane
                    kept[position] = weights[feature, lane]
                    position += 1


cdef inline bint _kept(float weight, float floor) noexcept nogil:
    return weight != 0 and fabsf(weight) >= floor


def order_by_feature(
    const int32_t[::1] features,       # IN (n_kept,)
    const int32_t[::1] children,       # IN (n_kept,)
    const float[::1] weights,          # IN (n_kept,)
    int64_t[::1] next_place,           # IN and OUT (n_features,): start of each run
    int32_t[::1] ordered_children,     # OUT (n_kept,)
    float[::1] ordered_weights,        # OUT (n_kept,)
):
    """Counting sort of (child, weight) pairs by feature, stable."""
    cdef int64_t i, place
    with nogil:
        for i in range(features.shape[0]):
            place = next_place[features[i]]
            next_place[features[i]] = place + 1
            ordered_children[place] = children[i]
            ordered_weights[place] = weights[i]
