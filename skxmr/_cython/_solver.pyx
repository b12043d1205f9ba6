"""Trains blocks of children by dual coordinate descent.

The children of a parent share their training rows. Blocks of at most MAX_LANES of them
are solved side by side (include/sweep.h): weights and dual variables are stored with
the child as the last axis, so that one pass over a row computes all margins and another
updates all weights. Children stop at different times: when half of the lanes have
stopped, the others are copied into narrower arrays.

Hinge losses: Hsieh et al., "A dual coordinate descent method for large-scale
linear SVM", ICML 2008. Logistic loss: the dual of Yu, Huang and Lin, "Dual
coordinate descent methods for logistic regression and maximum entropy models",
Machine Learning 85, 2011; here each one-variable problem is solved for the logit
of the dual variable, where Newton's method is well conditioned.
"""

from libc.math cimport INFINITY, fabsf, log, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from skxmr._cython._cpu cimport AVX512, best_level
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for
from skxmr._cython._workspace cimport Buffer

cdef extern from "include/sweep.h" nogil:
    ctypedef struct State "skxmr_state":
        const int32_t* order
        const float* costs
        float* duals
        const float* priors
        float* weights
        float* intercepts
        int32_t* active
        float* highest
        float* lowest
        float* gain

    void sweep "skxmr_sweep"(const Rows* rows, State* state, int lanes, int level)
    void fill_gram "skxmr_fill_gram"(const Rows* rows, float* gram, int level)
    void add_up "skxmr_add_up"(
        const Rows* rows, const float* duals, int lanes, int level, float* weights
    )
    double sigmoid "skxmr_sigmoid"(double x)

cdef extern from "include/lanes.h" nogil:
    void pack "skxmr_pack"(
        const float* wide, int all_lanes, const int* lanes, int width, int64_t n,
        int level, float* narrow
    )
    void spread "skxmr_spread"(
        const float* narrow, int width, const int* lanes, int all_lanes, int64_t n,
        int level, float* wide
    )

# The numbers of lanes are this times a power of two.
cdef enum:
    FEWEST_LANES = 4

# Sweeps over the rows that are new to a warm block.
cdef int NEW_ROW_SWEEPS = 4

# Entries between two checks of the watch: some milliseconds.
cdef int64_t STOP_WORK = 2_000_000

# Two of the widest registers hide the latency of each step better than one;
# with narrower registers, so many lanes do not fit.
cdef int MOST_LANES = MAX_LANES if best_level() == AVX512 else MAX_LANES // 2

N_LANES = MOST_LANES
LOSSES = {"squared_hinge": SQUARED_HINGE, "hinge": HINGE, "log_loss": LOG_LOSS}


cdef int lanes_of(int64_t n_children) noexcept nogil:
    """Return how many lanes a block of some siblings has."""
    cdef int width = FEWEST_LANES
    while width < min(n_children, <int64_t>MOST_LANES):
        width *= 2
    return width


cdef void multiply_pairs(const Rows* rows, float* gram, int level) noexcept nogil:
    """Fill the products of all pairs of dense rows."""
    fill_gram(rows, gram, level)


cdef void compute_weights(const Rows* rows, Block* block, int level) noexcept nogil:
    """Compute the weights of dense rows whose margins were updated."""
    add_up(rows, block.duals, block.n_lanes, level, block.weights)


cdef BlockSolver make_solver(
    SolverParameters parameters, Buffer memory, const uint8_t[::1] stop
):
    """Make a solver that ends early on Ctrl-C, or when the task is cancelled."""
    cdef BlockSolver solver = BlockSolver()
    solver.parameters, solver.memory = parameters, memory
    solver.stop, solver.watch = stop, watch_for(stop)
    return solver


cdef class BlockSolver:
    """Solves one block after another in the same memory."""

    cdef int ensure(self, BlockShape shape) except -1 nogil:
        """Lay out a block of some shape, and take more memory if it needs it."""
        cdef int64_t n_bytes = 4 * _lay_out(&self.block, NULL, shape)
        if self.memory.n_bytes < n_bytes:
            with gil:
                self.memory.reserve(n_bytes)
        _lay_out(&self.block, <float*>&self.memory.bytes[0], shape)
        return 0

    cdef int solve(self, Rows* rows, int64_t n_entries, uint64_t seed) except -1 nogil:
        """Train the block, whose costs and priors are set, on its rows.

        It starts at dual variables of 0 or, if the block is warm, at those whose signed
        values are in `duals`. Sets the weights or, where margins are updated, leaves
        them to `compute_weights`; gives the dual variables the signs of their rows.

        Parameters
        ----------
        rows : Rows
        n_entries : int
            Of all rows.
        seed : int
            Of the random orders of rows.

        Raises
        ------
        KeyboardInterrupt
        RuntimeError
            If the task is cancelled.
        """
        cdef State state
        cdef Block* block = &self.block
        cdef int lane
        for lane in range(block.n_lanes):
            block.n_sweeps[lane] = 0
            block.gains[lane] = 0
            block.constants[lane] = 0
            if self.parameters.n_training_rows < 0:
                block.constants[lane] = _constant(block, lane)
            block.converged[lane] = block.constants[lane] != 0.0
        _start(block, self.parameters.loss)
        _use_all_lanes(block, &state)
        for lane in range(block.n_lanes):
            state.active[lane] = 0 if block.converged[lane] else -1
        if block.priors != NULL:
            _scale_priors(block, rows, &self.parameters, &self.watch)
        if block.is_warm:
            _start_at_duals(block, &state, rows, self.parameters.loss, &self.watch)
        if block.priors != NULL:
            _add_priors(block, rows, &self.watch)
        if block.n_new and not self.watch.ended:
            _sweep_new_rows(self, &state, rows, n_entries, seed)
        if not self.watch.ended:
            _sweep_until_converged(self, &state, rows, n_entries, seed)
        if self.watch.ended:
            with gil:
                raise_ended(&self.watch)
        _spread(block, &state, self.parameters.simd_level)
        for lane in range(block.n_lanes):
            if block.n_sweeps[lane] == 0:
                block.intercepts[lane] = block.constants[lane]
        _sign_duals(self.parameters.loss, block, block.n_rows * block.n_lanes)
        return 0


cdef int64_t _lay_out(
    Block* block, float* memory, BlockShape shape
) noexcept nogil:
    """Set the arrays of a block; return how many floats they take."""
    cdef int lanes = shape.n_lanes, narrow = lanes // 2
    cdef int64_t n_rows = shape.n_rows, position = 0
    cdef int64_t n_states = shape.n_margins if shape.n_margins else shape.n_columns
    block.n_lanes, block.n_rows, block.n_states = lanes, n_rows, n_states
    block.n_swept = n_rows
    block.order = <int32_t*>(memory + _take(&position, n_rows))
    block.new_rows = <int32_t*>(memory + _take(&position, n_rows))
    block.costs = memory + _take(&position, n_rows * lanes)
    block.duals = memory + _take(&position, n_rows * lanes)
    block.weights = memory + _take(&position, shape.n_columns * lanes)
    block.states = block.weights
    if shape.n_margins:
        block.states = memory + _take(&position, shape.n_margins * lanes)
    block.narrow_costs = memory + _take(&position, n_rows * narrow)
    block.narrow_duals = memory + _take(&position, n_rows * narrow)
    block.narrow_states = memory + _take(&position, n_states * narrow)
    block.priors = block.narrow_priors = NULL
    if shape.has_prior:
        block.priors = memory + _take(&position, n_rows * lanes)
        block.narrow_priors = memory + _take(&position, n_rows * narrow)
    return position


cdef inline int64_t _take(int64_t* position, int64_t size) noexcept nogil:
    """Take so many floats; the next array starts at a cache line."""
    cdef int64_t start = position[0]
    position[0] += (size + 15) // 16 * 16
    return start


# Sweeps
# ------

cdef void _sweep_until_converged(
    BlockSolver self, State* state, Rows* rows, int64_t n_entries, uint64_t seed
) noexcept nogil:
    """Sweep until every lane has converged, or `max_iter` times, or ended early."""
    cdef Block* block = &self.block
    cdef SolverParameters* parameters = &self.parameters
    cdef int64_t row_work = 1 + n_entries // block.n_rows
    if block.n_swept == 0:
        return
    cdef int _sweep, lane, n_active = 0
    for lane in range(block.n_lanes):
        n_active += state.active[lane] != 0
    for _sweep in range(parameters.max_iter):
        if n_active == 0:
            break
        if block.width > FEWEST_LANES and 2 * n_active <= block.width:
            _narrow(block, state, n_active, parameters.simd_level)
        _shuffle(block.order, block.n_swept, &seed)
        _sweep_once(self, state, rows, row_work, block.n_swept)
        if self.watch.ended:
            break
        n_active -= _stop_converged(block, state, parameters.tol)


cdef void _sweep_new_rows(
    BlockSolver self, State* state, Rows* rows, int64_t n_entries, uint64_t seed
) noexcept nogil:
    """Visit the new rows of a warm block a few times before the others.

    They cause most violations, and take a small share of the work. Lanes to which
    they are no violation, by the measure for all rows, do not count it as a sweep.
    """
    cdef Block* block = &self.block
    cdef int64_t i
    cdef int lane, number
    cdef int64_t row_work = 1 + n_entries // block.n_rows
    cdef double tol = self.parameters.tol
    for i in range(block.n_new):
        block.order[i] = block.new_rows[i]
    for number in range(NEW_ROW_SWEEPS):
        _shuffle(block.order, block.n_new, &seed)
        _sweep_once(self, state, rows, row_work, block.n_new)
        if self.watch.ended:
            break
        for lane in range(block.n_lanes):
            if state.active[lane]:
                block.gains[lane] += state.gain[lane]
                if number == 0 and (
                    state.highest[lane] - state.lowest[lane] > tol
                    and state.gain[lane] > (tol / 2)**2 * block.gains[lane]
                ):
                    block.n_sweeps[lane] = 1
    for i in range(block.n_rows):
        block.order[i] = <int32_t>i


cdef void _sweep_once(
    BlockSolver self, State* state, Rows* rows, int64_t row_work, int64_t n_rows
) noexcept nogil:
    """Visit rows in their order, in pieces between which the watch is checked."""
    cdef Block* block = &self.block
    cdef int64_t first = 0, piece = 1 + STOP_WORK // row_work
    memset(state.highest, 0, MAX_LANES * sizeof(float))
    memset(state.lowest, 0, MAX_LANES * sizeof(float))
    memset(state.gain, 0, MAX_LANES * sizeof(float))
    while first < n_rows:
        rows.n_rows = min(piece, n_rows - first)
        state.order = &block.order[first]
        sweep(rows, state, block.width, self.parameters.simd_level)
        first += piece
        if must_end(&self.watch, 2 * rows.n_rows * row_work):
            break


cdef int _stop_converged(Block* block, State* state, double tol) noexcept nogil:
    """Count a sweep, and stop the lanes that have converged; return how many have.

    A lane has if its violations differ by `tol` at most. With many rows, a few of them
    have large violations for long after the rest has settled, although the objective
    hardly decreases any more: so a lane also stops when a sweep contributes no more
    than (tol / 2)^2 of the decrease so far.
    """
    cdef int slot, lane, n_converged = 0
    cdef double least_gain = (tol / 2)**2
    for slot in range(block.width):
        lane = block.lanes[slot]
        if state.active[slot]:
            block.n_sweeps[lane] += 1
            block.gains[lane] += state.gain[slot]
            block.highest[lane] = state.highest[slot]
            block.lowest[lane] = state.lowest[slot]
            block.last_gains[lane] = state.gain[slot]
            if (
                state.highest[slot] - state.lowest[slot] <= tol
                or state.gain[slot] <= least_gain * block.gains[lane]
            ):
                state.active[slot] = 0
                block.converged[lane] = True
                n_converged += 1
    return n_converged


cdef inline uint64_t _next_random(uint64_t* state) noexcept nogil:
    """SplitMix64 (Steele, Lea and Flood, 2014)."""
    cdef uint64_t z
    state[0] += <uint64_t>0x9E3779B97F4A7C15
    z = state[0]
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline void _shuffle(
    int32_t* order, int64_t n_rows, uint64_t* state
) noexcept nogil:
    """Fisher-Yates; a product maps 32 random bits to 0..i without a division."""
    cdef int64_t i, j
    cdef int32_t swapped
    for i in range(n_rows - 1, 0, -1):
        j = <int64_t>(((_next_random(state) >> 32) * <uint64_t>(i + 1)) >> 32)
        swapped = order[i]
        order[i] = order[j]
        order[j] = swapped


# Lanes
# -----

cdef void _start(Block* block, int loss) noexcept nogil:
    """Set what sweeps update to 0, and the dual variables unless the block is warm."""
    cdef int64_t i
    # A logit of -inf is a dual variable of 0.
    cdef float dual = <float>(-INFINITY) if loss == LOG_LOSS else 0.0
    for i in range(block.n_rows):
        block.order[i] = <int32_t>i
    if not block.is_warm:
        for i in range(block.n_rows * block.n_lanes):
            block.duals[i] = dual
    memset(block.states, 0, block.n_states * block.n_lanes * sizeof(float))
    memset(block.intercepts, 0, MAX_LANES * sizeof(float))


cdef void _use_all_lanes(Block* block, State* state) noexcept nogil:
    cdef int lane
    block.width = block.n_lanes
    state.costs, state.duals, state.priors = block.costs, block.duals, block.priors
    state.weights = block.states
    for lane in range(block.n_lanes):
        block.lanes[lane] = lane
        state.intercepts[lane] = 0


cdef void _narrow(
    Block* block, State* state, int n_active, int level
) noexcept nogil:
    """Copy the lanes that are still active into narrower arrays.

    The remaining slots get lanes that have stopped, which sweeps leave as they are.
    """
    cdef int slot, n_first = 0, n_last = 0
    cdef int[MAX_LANES] first
    cdef int[MAX_LANES] last
    _spread(block, state, level)
    for slot in range(block.width):
        if state.active[slot]:
            first[n_first] = block.lanes[slot]
            n_first += 1
        else:
            last[n_last] = block.lanes[slot]
            n_last += 1
    while block.width > FEWEST_LANES and 2 * n_active <= block.width:
        block.width //= 2
    for slot in range(block.width):
        block.lanes[slot] = first[slot] if slot < n_first else last[slot - n_first]
        state.active[slot] = -1 if slot < n_first else 0
        state.intercepts[slot] = block.intercepts[block.lanes[slot]]
    state.costs, state.duals = block.narrow_costs, block.narrow_duals
    state.priors, state.weights = block.narrow_priors, block.narrow_states
    _pack(block, block.costs, block.n_rows, level, block.narrow_costs)
    _pack(block, block.duals, block.n_rows, level, block.narrow_duals)
    _pack(block, block.states, block.n_states, level, block.narrow_states)
    if block.priors != NULL:
        _pack(block, block.priors, block.n_rows, level, block.narrow_priors)


cdef void _spread(Block* block, State* state, int level) noexcept nogil:
    """Copy the lanes in use back to the arrays of all lanes."""
    cdef int slot
    for slot in range(block.width):
        block.intercepts[block.lanes[slot]] = state.intercepts[slot]
    if block.width == block.n_lanes:
        return
    spread(
        state.duals, block.width, block.lanes, block.n_lanes, block.n_rows, level,
        block.duals,
    )
    spread(
        state.weights, block.width, block.lanes, block.n_lanes, block.n_states,
        level, block.states,
    )


cdef void _pack(
    const Block* block, const float* wide, int64_t n, int level, float* narrow
) noexcept nogil:
    pack(wide, block.n_lanes, block.lanes, block.width, n, level, narrow)


cdef void _sign_duals(int loss, Block* block, int64_t n) noexcept nogil:
    """Give dual variables the signs of their rows."""
    cdef int64_t i
    cdef float dual
    for i in range(n):
        dual = block.duals[i]
        if loss == LOG_LOSS:
            dual = <float>(fabsf(block.costs[i]) * sigmoid(dual))
        block.duals[i] = -dual if block.costs[i] < 0 else dual


cdef void add_prior_factors(Block* block) noexcept nogil:
    """Turn signed dual variables into the factors of their rows in the weights."""
    cdef int64_t i
    if block.priors != NULL:
        for i in range(block.n_rows * block.n_lanes):
            block.duals[i] += block.priors[i]


cdef float _constant(const Block* block, int lane) noexcept nogil:
    """Return the infinite intercept of a lane with nothing to learn, or else 0."""
    cdef int64_t i, position
    cdef bint any_positive = False, any_negative = False
    for i in range(block.n_rows):
        position = i * block.n_lanes + lane
        any_positive |= block.costs[position] > 0
        if block.priors != NULL:
            any_positive |= block.priors[position] != 0
        any_negative |= block.costs[position] < 0
        if any_positive and any_negative:
            return 0.0
    return <float>INFINITY if any_positive else <float>(-INFINITY)


# Warm start
# ----------

cdef void _start_at_duals(
    Block* block, State* state, const Rows* rows, int loss, Watch* watch
) noexcept nogil:
    """Let the weights start at the sum of all rows times their signed duals.

    Sets the gains to what sweeps from 0 to the same dual variables would have gained,
    so that lanes stop by the same measure as without a warm start.
    """
    cdef int64_t i, lanes = block.n_lanes
    cdef int lane
    cdef float* steps
    cdef float[MAX_LANES] sums
    cdef Row row
    memset(&sums[0], 0, MAX_LANES * sizeof(float))
    for i in range(block.n_rows):
        steps = &block.duals[i * lanes]
        if _any(steps, lanes):
            _check_duals(block, i, loss)
            row = _direction(rows, i)
            _add_row(&row, steps, block.states, lanes)
            for lane in range(lanes):
                sums[lane] += steps[lane]
            if must_end(watch, lanes + row.size * lanes // 8):
                return
    for lane in range(lanes):
        state.intercepts[lane] = rows.bias_square * sums[lane]
        block.gains[lane] = -<double>sums[lane] * sums[lane] * rows.bias_square
    _subtract_squares(block, rows)
    _subtract_prior_products(block, rows)
    for i in range(block.n_rows):
        _take_duals(block, i, loss)


cdef inline bint _any(const float* values, int64_t n) noexcept nogil:
    cdef int64_t i
    cdef bint found = False
    for i in range(n):
        found |= values[i] != 0
    return found


cdef inline void _add_row(
    const Row* row, const float* steps, float* states, int64_t lanes
) noexcept nogil:
    """Add a row times the step of each lane: lane by lane if few have one."""
    cdef int64_t entry, lane, slot, n_steps = 0
    cdef int64_t[MAX_LANES] moved
    cdef float* weights
    for lane in range(lanes):
        moved[n_steps] = lane
        n_steps += steps[lane] != 0
    for entry in range(row.size):
        weights = &states[index_of(row, entry) * lanes]
        if 4 * n_steps <= lanes:
            for slot in range(n_steps):
                weights[moved[slot]] += row.values[entry] * steps[moved[slot]]
        else:
            for lane in range(lanes):
                weights[lane] += row.values[entry] * steps[lane]


cdef void _check_duals(Block* block, int64_t i, int loss) noexcept nogil:
    """Set duals of a row to 0 that are not of its side, and limit the others."""
    cdef int64_t lane
    cdef const float* costs = &block.costs[i * block.n_lanes]
    cdef float* duals = &block.duals[i * block.n_lanes]
    cdef float bound
    for lane in range(block.n_lanes):
        if (
            costs[lane] == 0
            or (costs[lane] > 0) != (duals[lane] > 0)
            or block.constants[lane] != 0.0
        ):
            duals[lane] = 0
        elif loss != SQUARED_HINGE:
            # Within a bound of the logistic loss, which is never attained.
            bound = fabsf(costs[lane]) * <float>(1 - 1e-6 if loss == LOG_LOSS else 1)
            duals[lane] = max(-bound, min(bound, duals[lane]))


cdef void _subtract_squares(Block* block, const Rows* rows) noexcept nogil:
    """Subtract the squared length of the sums of rows from the gains."""
    cdef int64_t i, lanes = block.n_lanes
    cdef int64_t lane
    cdef double[MAX_LANES] squares
    cdef const float* weights
    cdef const float* duals
    memset(&squares[0], 0, MAX_LANES * sizeof(double))
    for i in range(block.n_states):
        weights = &block.states[i * lanes]
        duals = weights if rows.gram == NULL else &block.duals[i * lanes]
        for lane in range(lanes):
            squares[lane] += <double>(weights[lane] * duals[lane])
    if rows.dense == NULL:
        for i in range(block.n_rows):
            duals = &block.duals[i * lanes]
            for lane in range(lanes):
                squares[lane] += <double>(duals[lane] * duals[lane] * rows.unshared[i])
    for lane in range(lanes):
        block.gains[lane] -= squares[lane]


cdef void _subtract_prior_products(Block* block, const Rows* rows) noexcept nogil:
    """Subtract twice the product of the sums of rows with the prior means."""
    cdef int64_t i, position, lanes = block.n_lanes
    cdef int lane
    if block.priors == NULL:
        return
    for i in range(block.n_rows):
        for lane in range(lanes):
            position = i * lanes + lane
            if block.priors[position] != 0:
                block.gains[lane] -= 2 * <double>block.priors[position] * (
                    _product_with_row(block, block.duals, rows, i, lane)
                )


cdef void _take_duals(Block* block, int64_t i, int loss) noexcept nogil:
    """Turn signed duals of a row into what sweeps update; add their part of the gains.
    """
    cdef int64_t lane
    cdef const float* costs = &block.costs[i * block.n_lanes]
    cdef float* duals = &block.duals[i * block.n_lanes]
    cdef double dual, share
    if loss == LOG_LOSS:
        for lane in range(block.n_lanes):
            dual = fabsf(duals[lane])
            duals[lane] = <float>(-INFINITY)
            if dual > 0:
                share = dual / fabsf(costs[lane])
                duals[lane] = <float>log(share / (1 - share))
                block.gains[lane] -= 2 * dual * (
                    log(share) + (1 / share - 1) * log(1 - share)
                )
        return
    for lane in range(block.n_lanes):
        duals[lane] = fabsf(duals[lane])
        dual = duals[lane]
        block.gains[lane] += 2 * dual
        if loss == SQUARED_HINGE:
            block.gains[lane] -= fabsf(costs[lane]) * dual * dual


# Prior means
# -----------

cdef void _scale_priors(
    Block* block, const Rows* rows, const SolverParameters* parameters, Watch* watch
) noexcept nogil:
    """Scale the prior means to their length.

    They keep their length if they are given by rows that are not trained on.

    They are sums of rows, as is what the dual variables add, so `_add_priors` sets
    weights or margins as if a step of that size had been taken on each row.
    """
    cdef int64_t i, lanes = block.n_lanes
    cdef int lane
    cdef float* prior
    cdef double[MAX_LANES] squares
    cdef double length = parameters.prior_length
    for lane in range(lanes):
        if block.constants[lane] != 0.0:
            for i in range(block.n_rows):
                block.priors[i * lanes + lane] = 0
    if parameters.n_training_rows >= 0:
        return
    _add_priors(block, rows, watch)
    _square_priors(block, rows, squares, watch)
    if watch.ended:
        return
    for i in range(block.n_rows):
        for lane in range(lanes):
            if squares[lane] > 0:
                prior = &block.priors[i * lanes + lane]
                prior[0] = <float>(prior[0] * (length / sqrt(squares[lane])))
    memset(block.states, 0, block.n_states * lanes * sizeof(float))


cdef void _add_priors(Block* block, const Rows* rows, Watch* watch) noexcept nogil:
    """Add each row times its prior factor to the weights, or margins, of each lane."""
    cdef int64_t i, entry, work, lanes = block.n_lanes
    cdef int lane
    cdef float prior
    cdef Row row
    for i in range(block.n_rows):
        row = _direction(rows, i)
        work = lanes
        for lane in range(lanes):
            prior = block.priors[i * lanes + lane]
            if prior == 0:
                continue
            work += row.size
            for entry in range(row.size):
                block.states[index_of(&row, entry) * lanes + lane] += (
                    prior * row.values[entry]
                )
        if must_end(watch, work):
            return


cdef void _square_priors(
    Block* block, const Rows* rows, double* squares, Watch* watch
) noexcept nogil:
    """Compute the squared lengths of the prior means that `_add_priors` has added."""
    cdef int64_t i, work, lanes = block.n_lanes
    cdef int lane
    cdef float prior
    for lane in range(lanes):
        squares[lane] = 0
    for i in range(block.n_rows):
        work = lanes
        for lane in range(lanes):
            prior = block.priors[i * lanes + lane]
            if prior != 0:
                work += _direction(rows, i).size
                squares[lane] += prior * (
                    _product_with_row(block, block.priors, rows, i, lane)
                )
        if must_end(watch, work):
            return


cdef double _product_with_row(
    const Block* block, const float* factors, const Rows* rows, int64_t i, int lane
) noexcept nogil:
    """Return the product of a row and the sum of all rows by their factors.

    `states` has been set for the factors.
    """
    cdef int64_t entry
    cdef Row row
    cdef double product = 0
    if rows.gram != NULL:
        return block.states[i * block.n_lanes + lane]
    row = _direction(rows, i)
    if rows.dense == NULL:
        product = <double>rows.unshared[i] * factors[i * block.n_lanes + lane]
    for entry in range(row.size):
        product += <double>row.values[entry] * (
            block.states[index_of(&row, entry) * block.n_lanes + lane]
        )
    return product


cdef inline Row _direction(const Rows* rows, int64_t i) noexcept nogil:
    """Return what a step on a row adds, times the step: to weights or to margins."""
    cdef Row row
    if rows.gram != NULL:
        row.features = NULL
        row.values = rows.gram + i * rows.n_gram
        row.size = rows.n_gram
        return row
    return row_of(rows, i, rows.dense != NULL)
