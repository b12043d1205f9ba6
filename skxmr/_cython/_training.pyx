"""Trains the linear models of one parent's children by dual coordinate descent.

All children of a parent share their training rows (`_compaction.pyx`). Blocks of
N_LANES of them are solved side by side (include/sweep.h): weights and dual variables
are stored row-major with the child last, so that one pass over a row computes all
margins and one more updates all weights. Children stop at different times: when half of
a block has, the rest move closer together.

Hinge losses: Hsieh et al., "A dual coordinate descent method for large-scale
linear SVM", ICML 2008. Logistic loss: the dual of Yu, Huang and Lin, "Dual
coordinate descent methods for logistic regression and maximum entropy models",
Machine Learning 85, 2011; here each one-variable problem is solved for the logit
of the dual variable, where Newton's method is well conditioned.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY, fabsf
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
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
        const float* own
        const float* dense
        const int32_t* rows
        int64_t width
        const float* gram
        int64_t n_gram
        const float* norms
        int loss
        int fit_intercept
        int is_large

    ctypedef struct State "skxmr_state":
        const int32_t* order
        const float* costs
        float* duals
        float* weights
        float* intercepts
        int32_t* active
        float* highest
        float* lowest

    int best_level "skxmr_best_level"()
    void sweep "skxmr_sweep"(
        const Problem* problem, State* state, int lanes, int level
    )
    void fill "skxmr_fill_gram"(const Problem* problem, float* gram, int level)
    void add_up "skxmr_add_up"(
        const Problem* problem, const float* duals, int lanes, int level,
        float* weights
    )
    double sigmoid "skxmr_sigmoid"(double x)

cdef extern from "include/keep.h" nogil:
    uint32_t kept_lanes "skxmr_kept_lanes"(
        const float* source, int lanes, float scale, float floor
    )
    int lowest_bit "skxmr_lowest_bit"(uint64_t bits)

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch"(const void* address)

# A block starts with as few lanes as its children need, of this many times a power of
# two, and takes fewer when half of them have stopped.
cdef enum:
    FEWEST_LANES = 4

# Features between asking for a feature's weights and reading them.
cdef enum:
    SOURCES_AHEAD = 8

# Entries between two looks at whether to stop: some milliseconds.
cdef int64_t STOP_WORK = 2_000_000

# Weights and rows of more bytes than this are read ahead: about what is left of a
# core's own cache. Reading ahead what is there already costs a tenth.
cdef int64_t CACHE_BYTES = 1_500_000

# Two registers of the widest hide better how long each step takes; more of narrower
# ones than that do not fit.
cdef int MOST_LANES = LANES if best_level() == AVX512 else LANES // 2

N_LANES = MOST_LANES
LOSSES = {"squared_hinge": SQUARED_HINGE, "hinge": HINGE, "log_loss": LOG_LOSS}

# Levels of vector instructions that this machine has; the last is the best.
LEVELS = [
    name
    for name, level in {"baseline": BASELINE, "avx2": AVX2, "avx512": AVX512}.items()
    if level <= best_level()
]


# Preparing
# ---------

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


def fill_gram(
    const float[:, ::1] X,         # IN (n_samples, n_features)
    const int32_t[::1] rows,       # IN (n_rows,)
    int level,                     # of instructions: a place in LEVELS
    float[:, ::1] gram,            # OUT (n_rows, n_rows)
):
    """Multiply some dense rows with each other."""
    cdef Problem problem
    if gram.shape[0] == 0 or X.shape[1] == 0:
        return
    problem.dense = &X[0, 0]
    problem.rows = &rows[0]
    problem.width = X.shape[1]
    problem.n_rows = rows.shape[0]
    with nogil:
        fill(&problem, &gram[0, 0], level)


cdef struct Targets:
    # What tells the children of a parent apart: `solve_children` says more.
    int64_t n_rows
    int64_t n_children
    const int32_t* rows
    const float* negative_costs
    const int64_t* child_offsets
    const int32_t* child_rows
    const float* child_costs


cdef void _fill_costs(
    Targets targets, int64_t first, int64_t n_lanes, int width, int loss, float* costs
) noexcept nogil:
    """Fill signed costs: > 0 where a child is right, < 0 where wrong, 0 to ignore.

    For the squared hinge loss, 1 / (2 cost) stands for a cost: the sweeps use that.
    """
    cdef int64_t i, entry, lane, n_rows = targets.n_rows
    cdef float wrong
    for i in range(n_rows):
        wrong = -_stored_cost(targets.negative_costs[i], loss)
        for lane in range(width):
            costs[i * width + lane] = wrong if lane < n_lanes else 0.0
    for lane in range(n_lanes):
        i = 0
        for entry in range(
            targets.child_offsets[first + lane], targets.child_offsets[first + lane + 1]
        ):
            i = _find(targets.rows, i, n_rows, targets.child_rows[entry])
            if i < n_rows and targets.rows[i] == targets.child_rows[entry]:
                costs[i * width + lane] = _stored_cost(targets.child_costs[entry], loss)


cdef inline float _stored_cost(float cost, int loss) noexcept nogil:
    return <float>(0.5 / cost) if loss == SQUARED_HINGE and cost != 0 else cost


cdef inline int64_t _find(
    const int32_t* values, int64_t start, int64_t stop, int32_t wanted
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

def lanes_for(int64_t n_children):
    """How many lanes the blocks of some siblings have at most."""
    return _width(min(n_children, <int64_t>MOST_LANES))


cdef inline int _width(int64_t n_children) noexcept nogil:
    cdef int width = FEWEST_LANES
    while width < n_children:
        width *= 2
    return width


cdef Targets _targets_of(
    const int32_t[::1] rows, const float[::1] negative_costs,
    const int64_t[::1] child_offsets, const int32_t[::1] child_rows,
    const float[::1] child_costs,
) noexcept:
    cdef Targets targets
    targets.n_rows = rows.shape[0]
    targets.n_children = child_offsets.shape[0] - 1
    targets.rows = &rows[0]
    targets.negative_costs = &negative_costs[0]
    targets.child_offsets = &child_offsets[0]
    targets.child_rows = &child_rows[0] if child_rows.shape[0] else NULL
    targets.child_costs = &child_costs[0] if child_costs.shape[0] else NULL
    return targets


def solve_children(
    const int64_t[::1] offsets,        # IN (n_rows + 1,)
    const int32_t[::1] columns,        # IN (nnz,)
    const float[::1] values,           # IN (nnz,)
    const float[::1] own,              # IN (n_rows,): squared norm of what it has alone
    const float[::1] norms,            # IN (n_rows,): squared, the intercept's 1 too
    const int32_t[::1] rows,           # IN (n_rows,), ascending
    const float[::1] negative_costs,   # IN (n_rows,): of a row that lacks the label
    const int64_t[::1] child_offsets,  # IN (n_children + 1,)
    const int32_t[::1] child_rows,     # IN: the rows of each child, ascending
    const float[::1] child_costs,      # IN: the cost of each
    int loss,
    bint fit_intercept,
    double tol,
    int max_iter,
    uint64_t seed,
    int level,                         # of instructions: a place in LEVELS
    const unsigned char[::1] stop,     # IN (1,): not 0 as soon as nobody waits
    float floor,                       # magnitude of the smallest weight kept
    const int32_t[::1] sources,        # IN (n_used,): column c, or row r as -1 - r
    const float[::1] scales,           # IN (n_used,)
    int32_t[::1] order,                # SCRATCH (n_rows,)
    float[::1] narrow,                 # SCRATCH n_lanes / 2 * (2 * n_rows + n_columns)
    float[:, ::1] costs,               # SCRATCH (n_rows, n_lanes)
    float[:, ::1] duals,               # SCRATCH (n_rows, n_lanes)
    float[:, ::1] weights,             # SCRATCH (n_columns, n_lanes)
    uint32_t[:, ::1] kept_bits,        # OUT (n_used, n_blocks): a bit for each lane
    float[::1] kept,                   # OUT (enough,): block by block
    int64_t[::1] kept_offsets,         # OUT (n_blocks + 1,)
    float[::1] intercepts,             # OUT (n_blocks * N_LANES,)
    int32_t[::1] n_sweeps,             # OUT (n_blocks * N_LANES,)
    unsigned char[::1] converged,      # OUT (n_blocks * N_LANES,)
):
    """Minimise |w|^2 / 2 + sum of cost * loss for each child; keep the larger weights.

    A child without any wrong row gets the intercept +inf (it is always there), one
    without any right row -inf (it never is); neither is trained.

    Every sweep visits the rows in a new random order, the same for all blocks of
    a parent; a lane stops by itself. So a child's weights do not depend on which
    children share its block.

    Scratch is for `lanes_for(n_children)` lanes.

    A feature's weights are those of its column times its scale; of one that a single
    row has, the row's signed dual variables times its scale (`_compaction.pyx`).
    """
    cdef Problem problem
    cdef Targets targets
    if norms.shape[0] == 0:
        return
    problem.dense = NULL
    problem.gram = NULL
    problem.offsets = &offsets[0]
    problem.features = &columns[0] if columns.shape[0] else NULL
    problem.values = &values[0] if values.shape[0] else NULL
    problem.own = &own[0]
    problem.norms = &norms[0]
    targets = _targets_of(
        rows, negative_costs, child_offsets, child_rows, child_costs
    )
    _solve_blocks(
        &problem, columns.shape[0], &targets, loss, fit_intercept, tol, max_iter,
        seed, level, stop, floor, sources, scales, order, narrow, costs, duals, weights,
        weights, kept_bits, kept, kept_offsets, intercepts, n_sweeps, converged,
    )


def solve_dense_children(
    const float[:, ::1] X,             # IN (n_samples, n_features)
    const float[:, ::1] gram,          # IN (n_rows, n_rows); none for the logistic loss
    float[:, ::1] margins,             # SCRATCH (n_rows, n_lanes), or without entries
    const float[::1] norms,            # IN (n_rows,): squared, the intercept's 1 too
    const int32_t[::1] rows,           # IN (n_rows,), ascending
    const float[::1] negative_costs,   # IN (n_rows,): of a row that lacks the label
    const int64_t[::1] child_offsets,  # IN (n_children + 1,)
    const int32_t[::1] child_rows,     # IN: the rows of each child, ascending
    const float[::1] child_costs,      # IN: the cost of each
    int loss,
    bint fit_intercept,
    double tol,
    int max_iter,
    uint64_t seed,
    int level,                         # of instructions: a place in LEVELS
    const unsigned char[::1] stop,     # IN (1,): not 0 as soon as nobody waits
    float floor,                       # magnitude of the smallest weight kept
    const int32_t[::1] sources,        # IN (n_used,): column c, or row r as -1 - r
    const float[::1] scales,           # IN (n_used,)
    int32_t[::1] order,                # SCRATCH (n_rows,)
    float[::1] narrow,                 # SCRATCH n_lanes / 2 * (2 * n_rows + n_columns)
    float[:, ::1] costs,               # SCRATCH (n_rows, n_lanes)
    float[:, ::1] duals,               # SCRATCH (n_rows, n_lanes)
    float[:, ::1] weights,             # SCRATCH (n_columns, n_lanes)
    uint32_t[:, ::1] kept_bits,        # OUT (n_used, n_blocks): a bit for each lane
    float[::1] kept,                   # OUT (enough,): block by block
    int64_t[::1] kept_offsets,         # OUT (n_blocks + 1,)
    float[::1] intercepts,             # OUT (n_blocks * N_LANES,)
    int32_t[::1] n_sweeps,             # OUT (n_blocks * N_LANES,)
    unsigned char[::1] converged,      # OUT (n_blocks * N_LANES,)
):
    """Do what `solve_children` does on some rows of a dense matrix.

    Where the rows are few, the products of all pairs of them, `gram`, save work: steps
    move margins, and weights are added up at the end. It may be without entries.
    """
    cdef Problem problem
    cdef Targets targets
    if norms.shape[0] == 0:
        return
    # Of no features none is read, but NULL would stand for rows in CSR.
    problem.dense = &X[0, 0] if X.shape[1] else &norms[0]
    problem.rows = &rows[0]
    problem.width = X.shape[1]
    problem.gram = &gram[0, 0] if gram.shape[0] else NULL
    problem.n_gram = gram.shape[0]
    problem.norms = &norms[0]
    targets = _targets_of(
        rows, negative_costs, child_offsets, child_rows, child_costs
    )
    _solve_blocks(
        &problem, norms.shape[0] * X.shape[1], &targets, loss, fit_intercept, tol,
        max_iter, seed, level, stop, floor, sources, scales, order, narrow, costs,
        duals, weights, margins if gram.shape[0] else weights, kept_bits, kept,
        kept_offsets, intercepts, n_sweeps, converged,
    )


cdef int _solve_blocks(
    Problem* problem, int64_t n_entries, Targets* targets, int loss, bint fit_intercept,
    double tol, int max_iter, uint64_t seed, int level, const unsigned char[::1] stop,
    float floor, const int32_t[::1] sources, const float[::1] scales,
    int32_t[::1] order, float[::1] narrow, float[:, ::1] costs, float[:, ::1] duals,
    float[:, ::1] weights, float[:, ::1] moving, uint32_t[:, ::1] kept_bits,
    float[::1] kept, int64_t[::1] kept_offsets, float[::1] intercepts,
    int32_t[::1] n_sweeps, unsigned char[::1] converged,
) except -1:
    """Solve one block after another and keep its weights, in the order of features.

    What sweeps move is the weights themselves or the margins of all rows.
    """
    cdef int64_t block, first, n_lanes, n_blocks = kept_bits.shape[1]
    problem.loss = loss
    problem.fit_intercept = fit_intercept
    problem.is_large = (
        weights.shape[0] * MOST_LANES * 4 + targets.n_rows * MOST_LANES * 8
        + n_entries * 8
        > CACHE_BYTES
    )
    with nogil:
        kept_offsets[0] = 0
        for block in range(n_blocks):
            first = block * MOST_LANES
            n_lanes = min(<int64_t>MOST_LANES, targets.n_children - first)
            _fill_costs(
                targets[0], first, n_lanes, _width(n_lanes), loss, &costs[0, 0]
            )
            _solve(
                problem, n_entries, _width(n_lanes), &costs[0, 0], tol, max_iter, seed,
                level, stop, order, narrow, &duals[0, 0], moving, intercepts[first:],
                n_sweeps[first:], converged[first:],
            )
            if problem.gram != NULL:
                add_up(problem, &duals[0, 0], _width(n_lanes), level, &weights[0, 0])
            kept_offsets[block + 1] = kept_offsets[block] + _keep(
                &weights[0, 0] if weights.shape[0] else NULL, &duals[0, 0],
                _width(n_lanes), sources, scales, floor, block, kept_bits,
                kept[kept_offsets[block]:],
            )
            if stop[0]:
                break
    return 0


cdef struct Block:
    # All lanes of a block, where they end; and the few that still move, side by side.
    int all_lanes
    int64_t n_rows
    int64_t n_weights
    const float* costs
    float* duals
    float* weights
    float* narrow_costs
    float* narrow_duals
    float* narrow_weights
    float intercepts[LANES]
    int width                 # how many are side by side
    int lanes[LANES]          # which lane is at each of `width` places


cdef int _solve(
    Problem* problem, int64_t n_entries, int width, const float* costs, double tol,
    int max_iter, uint64_t seed, int level, const unsigned char[::1] stop,
    int32_t[::1] order, float[::1] narrow, float* duals, float[:, ::1] weights,
    float[::1] intercepts, int32_t[::1] n_sweeps, unsigned char[::1] converged,
) except -1 nogil:
    """Sweep until each lane stops; the rows of the problem are set already."""
    cdef State state
    cdef Block block
    cdef int lane, place, _sweep
    cdef int n_active = 0
    cdef int64_t first, n_rows = order.shape[0], work = 0
    cdef int64_t row_work = 1 + n_entries // n_rows
    cdef int64_t piece = 1 + STOP_WORK // row_work
    _start(&block, problem.loss, width, costs, duals, weights, narrow, order)
    _use_all_lanes(&block, &state)
    for lane in range(MOST_LANES):
        n_sweeps[lane] = 0
        # What is beyond the last child is never read.
        intercepts[lane] = (
            _constant(costs, n_rows, width, lane) if lane < width
            else <float>(-INFINITY)
        )
        converged[lane] = intercepts[lane] != 0.0
        if lane < width:
            state.active[lane] = 0 if converged[lane] else -1
            n_active += state.active[lane] != 0
    for _sweep in range(max_iter):
        if n_active == 0:
            break
        if block.width > FEWEST_LANES and 2 * n_active <= block.width:
            _narrow(&block, &state, n_active)
        _shuffle(order, &seed)
        memset(state.highest, 0, LANES * sizeof(float))
        memset(state.lowest, 0, LANES * sizeof(float))
        first = 0
        while first < n_rows and not stop[0]:
            problem.n_rows = min(piece, n_rows - first)
            state.order = &order[first]
            sweep(problem, &state, block.width, level)
            first += piece
            work += problem.n_rows * row_work
            if work >= STOP_WORK:
                work = 0
                # Ctrl-C, where this is the main thread.
                with gil:
                    PyErr_CheckSignals()
        if stop[0]:
            break
        for place in range(block.width):
            lane = block.lanes[place]
            if state.active[place]:
                n_sweeps[lane] += 1
                if state.highest[place] - state.lowest[place] <= tol:
                    state.active[place] = 0
                    converged[lane] = True
                    n_active -= 1
    _spread(&block, &state)
    for lane in range(width):
        if n_sweeps[lane]:
            intercepts[lane] = block.intercepts[lane]
    _sign_duals(problem.loss, costs, duals, n_rows * width)
    return 0


cdef void _start(
    Block* block, int loss, int width, const float* costs, float* duals,
    float[:, ::1] weights, float[::1] narrow, int32_t[::1] order,
) noexcept nogil:
    """Point at the arrays of a block; all dual variables and weights are 0."""
    cdef int64_t i
    # A logit of -inf is a dual variable of 0.
    cdef float dual = <float>(-INFINITY) if loss == LOG_LOSS else 0.0
    block.all_lanes = width
    block.n_rows = order.shape[0]
    block.n_weights = weights.shape[0]
    block.costs = costs
    block.duals = duals
    block.weights = &weights[0, 0] if weights.shape[0] else NULL
    block.narrow_weights = &narrow[0]
    block.narrow_costs = block.narrow_weights + block.n_weights * (width // 2)
    block.narrow_duals = block.narrow_costs + block.n_rows * (width // 2)
    for i in range(block.n_rows):
        order[i] = <int32_t>i
    for i in range(block.n_rows * width):
        duals[i] = dual
    if block.n_weights:
        memset(block.weights, 0, block.n_weights * width * sizeof(float))
    memset(block.intercepts, 0, LANES * sizeof(float))


cdef void _use_all_lanes(Block* block, State* state) noexcept nogil:
    cdef int lane
    block.width = block.all_lanes
    state.costs, state.duals = block.costs, block.duals
    state.weights = block.weights
    for lane in range(block.all_lanes):
        block.lanes[lane] = lane
        state.intercepts[lane] = 0


cdef void _narrow(Block* block, State* state, int n_active) noexcept nogil:
    """Move the lanes that are still active next to each other.

    Places that are left over get lanes at rest, which do not move.
    """
    cdef int place, n_first = 0, n_last = 0
    cdef int[LANES] first
    cdef int[LANES] last
    _spread(block, state)
    for place in range(block.width):
        if state.active[place]:
            first[n_first] = block.lanes[place]
            n_first += 1
        else:
            last[n_last] = block.lanes[place]
            n_last += 1
    while block.width > FEWEST_LANES and 2 * n_active <= block.width:
        block.width //= 2
    for place in range(block.width):
        block.lanes[place] = first[place] if place < n_first else last[place - n_first]
        state.active[place] = -1 if place < n_first else 0
        state.intercepts[place] = block.intercepts[block.lanes[place]]
    state.costs, state.duals = block.narrow_costs, block.narrow_duals
    state.weights = block.narrow_weights
    _pack(block, block.costs, block.n_rows, block.narrow_costs)
    _pack(block, block.duals, block.n_rows, block.narrow_duals)
    _pack(block, block.weights, block.n_weights, state.weights)


cdef void _spread(Block* block, State* state) noexcept nogil:
    """Put the lanes in use back to where they end."""
    cdef int64_t i
    cdef int place, width = block.width, all_lanes = block.all_lanes
    for place in range(width):
        block.intercepts[block.lanes[place]] = state.intercepts[place]
    if width == all_lanes:
        return
    for i in range(block.n_rows):
        for place in range(width):
            block.duals[i * all_lanes + block.lanes[place]] = (
                state.duals[i * width + place]
            )
    for i in range(block.n_weights):
        for place in range(width):
            block.weights[i * all_lanes + block.lanes[place]] = (
                state.weights[i * width + place]
            )


cdef void _pack(
    const Block* block, const float* wide, int64_t n, float* narrow
) noexcept nogil:
    cdef int64_t i
    cdef int place, width = block.width, all_lanes = block.all_lanes
    for i in range(n):
        for place in range(width):
            narrow[i * width + place] = wide[i * all_lanes + block.lanes[place]]


cdef void _sign_duals(
    int loss, const float* costs, float* duals, int64_t n
) noexcept nogil:
    """Turn dual variables into the factors of their rows in the weights."""
    cdef int64_t i
    cdef float dual
    for i in range(n):
        dual = duals[i]
        if loss == LOG_LOSS:
            dual = <float>(fabsf(costs[i]) * sigmoid(dual))
        duals[i] = -dual if costs[i] < 0 else dual


cdef float _constant(
    const float* costs, int64_t n_rows, int width, int lane
) noexcept nogil:
    """Infinite intercept of a lane that nothing can be learned for, else 0."""
    cdef int64_t i
    cdef bint any_right = False, any_wrong = False
    for i in range(n_rows):
        any_right |= costs[i * width + lane] > 0
        any_wrong |= costs[i * width + lane] < 0
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

cdef int64_t _keep(
    const float* weights, const float* duals, int width,
    const int32_t[::1] sources, const float[::1] scales, float floor,
    int64_t block, uint32_t[:, ::1] kept_bits, float[::1] kept,
) noexcept nogil:
    """Write the weights of magnitude `floor` or more; return how many there are."""
    cdef int64_t i, n_kept = 0, n_features = sources.shape[0]
    cdef uint32_t bits
    cdef const float* source
    for i in range(n_features):
        if i + SOURCES_AHEAD < n_features:
            prefetch(_source(weights, duals, width, sources[i + SOURCES_AHEAD]))
        source = _source(weights, duals, width, sources[i])
        bits = kept_lanes(source, width, scales[i], floor)
        kept_bits[i, block] = bits
        while bits:
            kept[n_kept] = scales[i] * source[lowest_bit(bits)]
            bits &= bits - 1
            n_kept += 1
    return n_kept


cdef inline const float* _source(
    const float* weights, const float* duals, int width, int64_t source
) noexcept nogil:
    return weights + source * width if source >= 0 else duals + (-1 - source) * width


def count_runs(const uint32_t[:, ::1] kept_bits):
    """Count the features of which any weight is kept."""
    cdef int64_t i, block, n_runs = 0
    cdef uint32_t bits
    with nogil:
        for i in range(kept_bits.shape[0]):
            bits = 0
            for block in range(kept_bits.shape[1]):
                bits |= kept_bits[i, block]
            n_runs += bits != 0
    return n_runs


def place_kept(
    const int32_t[::1] distinct,        # IN (n_used,), ascending
    const uint32_t[:, ::1] kept_bits,   # IN (n_used, n_blocks)
    const float[::1] kept,              # IN (n_kept,): block by block
    int64_t[::1] next_kept,             # IN and OUT (n_blocks,): place of each block's
    int32_t first_child,
    int32_t[::1] features,              # OUT (n_runs,)
    int64_t[::1] run_offsets,           # OUT (n_runs + 1,)
    int32_t[::1] children,              # OUT (n_kept,)
    float[::1] weights,                 # OUT (n_kept,)
):
    """Put the weights of all blocks of a parent together, feature by feature."""
    cdef int64_t i, block, run = 0, position = 0, before
    cdef uint32_t bits
    cdef int32_t child
    with nogil:
        run_offsets[0] = 0
        for i in range(distinct.shape[0]):
            before = position
            for block in range(kept_bits.shape[1]):
                bits = kept_bits[i, block]
                child = first_child + <int32_t>(block * MOST_LANES)
                while bits:
                    children[position] = child + lowest_bit(bits)
                    weights[position] = kept[next_kept[block]]
                    bits &= bits - 1
                    next_kept[block] += 1
                    position += 1
            if position > before:
                features[run] = distinct[i]
                run += 1
                run_offsets[run] = position
