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
from libc.float cimport FLT_MIN
from libc.math cimport INFINITY, fabsf, sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from skxmr._cython._compaction cimport Compactor
from skxmr._cython._cpu cimport AVX512, best_level
from skxmr._cython._placing cimport Floor, Placer
from skxmr._cython._watch cimport raise_ended

cdef extern from "include/sweep.h" nogil:
    enum:
        LANES "SKXMR_MAX_LANES"
        SQUARED_HINGE "SKXMR_SQUARED_HINGE"
        HINGE "SKXMR_HINGE"
        LOG_LOSS "SKXMR_LOG_LOSS"

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
        float bias_square
        int is_large

    ctypedef struct Row "skxmr_row":
        const int32_t* features
        const float* values
        int64_t size

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

    Row row_of "skxmr_row_of"(const Problem* problem, int64_t i, int is_dense)
    void sweep "skxmr_sweep"(
        const Problem* problem, State* state, int lanes, int level
    )
    void fill "skxmr_fill_gram"(const Problem* problem, float* gram, int level)
    void add_up "skxmr_add_up"(
        const Problem* problem, const float* duals, int lanes, int level,
        float* weights
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

# A block starts with as few lanes as its children need, of this many times a power of
# two, and takes fewer when half of them have stopped.
cdef enum:
    FEWEST_LANES = 4

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


cdef struct Settings:
    # What is minimised for each child, and how far.
    int loss
    float positive_cost
    float negative_cost
    double bias_square
    double tol
    int max_iter
    double prior_length       # of the prior means of the weights
    Floor floor
    int level                 # of instructions: index into SIMD_LEVELS


cdef class Prior:
    """The prior means of the weights of all children: sums of rows, of a given length.

    Parameters
    ----------
    length : float
        Of each mean; a child without rows has a mean of 0.
    offsets : ndarray of shape (n_children + 1,), int64
    rows : ndarray of int32
        Of each child, ascending, all among its parent's.
    values : ndarray of float32
        How much each row counts in the sum.
    """

    cdef double length
    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] rows
    cdef const float[::1] values

    def __init__(
        self, double length, const int64_t[::1] offsets, const int32_t[::1] rows,
        const float[::1] values,
    ):
        self.length, self.offsets, self.rows = length, offsets, rows
        self.values = values


cdef struct Block:
    # All lanes of a block, where they end; and the few that still move, side by side.
    int all_lanes
    int64_t n_rows
    int64_t n_moving          # columns, or rows where margins move
    int32_t* order
    float* costs
    float* duals
    float* weights
    float* moving             # what sweeps move: the weights or the rows' margins
    float* narrow_costs
    float* narrow_duals
    float* narrow_moving
    float* priors             # factors of the rows in the prior mean, or NULL
    float* narrow_priors
    float intercepts[LANES]
    float constants[LANES]    # infinite where there is nothing to learn, else 0
    int32_t n_sweeps[LANES]
    bint converged[LANES]
    int width                 # how many are side by side
    int lanes[LANES]          # which lane is at each of `width` places


cdef struct Targets:
    # What tells some children of a parent apart: `train_items` says more.
    int64_t n_rows
    int64_t n_children
    const int32_t* rows
    const float* row_values
    const int64_t* right_offsets
    const int32_t* right_rows
    const float* right_values
    const int64_t* prior_offsets
    const int32_t* prior_rows
    const float* prior_values


# The rows of a parent
# --------------------

cdef class Parents:
    """Rows that the children of a parent share, and where their features' weights are.

    A feature's weights are those of its column times its scale; of one that a single
    row has, the row's signed dual variables times its scale (`_compaction.pyx`).
    """

    cdef Problem problem
    cdef int64_t n_columns, n_features, n_entries
    cdef const int32_t[::1] features   # ascending
    cdef const int32_t[::1] sources    # column c, or row r as -1 - r
    cdef const float[::1] scales

    cdef int gather(
        self, const int32_t[::1] rows, double bias_square, int level
    ) except -1 nogil:
        """Make some rows, at least one, ready for sweeps."""
        return 0


cdef class SparseParents(Parents):
    """Rows of a sparse matrix, made compact."""

    cdef Compactor compactor

    def __init__(self, Compactor compactor):
        self.compactor = compactor
        self.features, self.sources = compactor.features, compactor.sources
        self.scales = compactor.scales
        self.problem.dense = NULL
        self.problem.gram = NULL

    cdef int gather(
        self, const int32_t[::1] rows, double bias_square, int level
    ) except -1 nogil:
        cdef Problem* problem = &self.problem
        self.compactor.run(rows, bias_square)
        if self.compactor.watch.ended:
            with gil:
                raise_ended(&self.compactor.watch)
        self.n_columns = self.compactor.n_columns
        self.n_features = self.compactor.n_features
        self.n_entries = self.compactor.offsets[rows.shape[0]]
        problem.offsets = &self.compactor.offsets[0]
        problem.features = &self.compactor.columns[0]
        problem.values = &self.compactor.values[0]
        problem.own = &self.compactor.own[0]
        problem.norms = &self.compactor.norms[0]
        return 0


cdef class DenseParents(Parents):
    """Rows of a dense matrix, where they are.

    Of few rows, the products of all pairs save work: steps move margins, and weights
    are added up at the end.
    """

    cdef const float[:, ::1] X
    cdef int64_t most_multiplied
    cdef readonly int64_t n_multiplied   # parents so far
    cdef float[::1] norms, gram

    def __init__(
        self,
        const float[:, ::1] X,           # IN (n_samples, n_features)
        const int32_t[::1] features,     # IN (n_features,): 0, 1, ...
        const float[::1] scales,         # IN (n_features,): ones
        int64_t most_multiplied,         # rows, so as to have their products
        float[::1] norms,                # SCRATCH (n_rows,) of any parent
        float[::1] gram,                 # SCRATCH (most_multiplied ** 2,)
    ):
        self.X, self.most_multiplied = X, most_multiplied
        self.norms, self.gram = norms, gram
        self.features, self.sources, self.scales = features, features, scales
        self.n_columns = self.n_features = X.shape[1]
        self.n_multiplied = 0
        # Of no features none is read, but NULL would stand for rows in CSR.
        self.problem.dense = &X[0, 0] if X.shape[1] else &norms[0]
        self.problem.width = X.shape[1]

    cdef int gather(
        self, const int32_t[::1] rows, double bias_square, int level
    ) except -1 nogil:
        cdef Problem* problem = &self.problem
        cdef int64_t n_rows = rows.shape[0]
        self.n_entries = n_rows * self.X.shape[1]
        _square_norms(self.X, rows, bias_square, self.norms)
        problem.norms = &self.norms[0]
        problem.rows = &rows[0]
        problem.n_rows = problem.n_gram = n_rows
        problem.gram = NULL
        if n_rows <= self.most_multiplied:
            fill(problem, &self.gram[0], level)
            problem.gram = &self.gram[0]
            self.n_multiplied += 1
        return 0

    def multiply(self, const int32_t[::1] rows, int level):
        """Leave the products of some rows in `gram`, if they are few enough."""
        if rows.shape[0]:
            self.gather(rows, 0, level)


cdef void _square_norms(
    const float[:, ::1] X, const int32_t[::1] rows, double bias_square,
    float[::1] norms
) noexcept nogil:
    cdef int64_t i, j
    cdef double norm
    for i in range(rows.shape[0]):
        norm = bias_square
        for j in range(X.shape[1]):
            norm += <double>X[rows[i], j] * X[rows[i], j]
        norms[i] = <float>norm


# Where rows go
# -------------

cdef class Probe:
    """Finds the children of their parents that some rows go to, by all weights.

    Parameters
    ----------
    offsets : ndarray of shape (n_parents + 1,), int64
    rows : ndarray of int32
        Of each parent, ascending.
    best : ndarray of int32, filled with -1
        Gets, for each item and each row of its parent, the child of the largest margin;
        of equal ones the first.
    margins : ndarray of float64
        Gets their margins.
    """

    cdef const int64_t[::1] offsets
    cdef const int32_t[::1] rows
    cdef int32_t[::1] best
    cdef double[::1] margins
    cdef int64_t n_done                  # rows of the items so far

    def __init__(
        self, const int64_t[::1] offsets, const int32_t[::1] rows, int32_t[::1] best,
        double[::1] margins,
    ):
        self.offsets, self.rows, self.best, self.margins = offsets, rows, best, margins
        self.n_done = 0

    cdef void take(
        self, int64_t parent, const Problem* problem, const Block* block,
        const Targets* targets, int32_t first_child, int64_t n_lanes,
    ) noexcept nogil:
        """Look at one block of an item's children, which has just been trained."""
        cdef int64_t row, at, i = 0, start = self.offsets[parent]
        for row in range(start, self.offsets[parent + 1]):
            i = _find(targets.rows, i, targets.n_rows, self.rows[row])
            if i == targets.n_rows or targets.rows[i] != self.rows[row]:
                continue
            at = self.n_done + row - start
            _raise_best(
                problem, block, i, n_lanes, first_child, &self.best[at],
                &self.margins[at],
            )

    cdef void finish_item(self, int64_t parent) noexcept nogil:
        self.n_done += self.offsets[parent + 1] - self.offsets[parent]


cdef void _raise_best(
    const Problem* problem, const Block* block, int64_t i, int64_t n_lanes,
    int32_t first_child, int32_t* best, double* largest,
) noexcept nogil:
    """Take the child of a row's largest margin, if it is larger than that so far."""
    cdef int64_t entry, lane, lanes = block.all_lanes
    cdef double[LANES] margins
    cdef const float* weights
    cdef const float* duals = &block.duals[i * lanes]
    cdef Row row = row_of(problem, i, problem.dense != NULL)
    # What no other row has: its weights are a multiple of the row.
    cdef double value, own = problem.own[i] if problem.dense == NULL else 0
    for lane in range(lanes):
        margins[lane] = block.intercepts[lane] + own * duals[lane]
    for entry in range(row.size):
        value = row.values[entry]
        weights = &block.weights[_column(&row, entry) * lanes]
        for lane in range(lanes):
            margins[lane] += value * weights[lane]
    for lane in range(n_lanes):
        if best[0] < 0 or margins[lane] > largest[0]:
            largest[0] = margins[lane]
            best[0] = first_child + <int32_t>lane


# Training
# --------

def workspace_size(
    int64_t n_rows, int64_t n_columns, int64_t n_margins, int lanes,
    bint has_prior=False,
):
    """How many floats a block of so many lanes needs at most, beside its rows.

    Parents with few rows may have margins of `n_margins` rows, others have none, but
    more rows: there is room for either.
    """
    cdef Block block
    return max(
        _lay_out(&block, NULL, n_rows, n_columns, n_margins, lanes, has_prior),
        _lay_out(&block, NULL, n_rows, n_columns, 0, lanes, has_prior),
    )


cdef int64_t _lay_out(
    Block* block, float* memory, int64_t n_rows, int64_t n_columns, int64_t n_margins,
    int lanes, bint has_prior,
) noexcept nogil:
    """Give a block its arrays, one after another; return how many floats they take."""
    cdef int64_t n_moving = n_margins if n_margins else n_columns
    cdef int64_t place = 0, narrow = lanes // 2
    block.all_lanes, block.n_rows, block.n_moving = lanes, n_rows, n_moving
    block.order = <int32_t*>(memory + _next(&place, n_rows))
    block.costs = memory + _next(&place, n_rows * lanes)
    block.duals = memory + _next(&place, n_rows * lanes)
    block.weights = memory + _next(&place, n_columns * lanes)
    block.moving = block.weights
    if n_margins:
        block.moving = memory + _next(&place, n_margins * lanes)
    block.narrow_costs = memory + _next(&place, n_rows * narrow)
    block.narrow_duals = memory + _next(&place, n_rows * narrow)
    block.narrow_moving = memory + _next(&place, n_moving * narrow)
    block.priors = block.narrow_priors = NULL
    if has_prior:
        block.priors = memory + _next(&place, n_rows * lanes)
        block.narrow_priors = memory + _next(&place, n_rows * narrow)
    return place


cdef inline int64_t _next(int64_t* place, int64_t size) noexcept nogil:
    """Take so many floats; what comes after them starts with a cache line."""
    cdef int64_t start = place[0]
    place[0] += (size + 15) // 16 * 16
    return start


def lanes_for(int64_t n_children):
    """How many lanes the blocks of some siblings have at most."""
    return _width(min(n_children, <int64_t>MOST_LANES))


cdef inline int _width(int64_t n_children) noexcept nogil:
    cdef int width = FEWEST_LANES
    while width < n_children:
        width *= 2
    return width


def train_items(
    Parents gathered,
    const int64_t[::1] parents,        # IN (n_items,)
    const int64_t[::1] starts,         # IN (n_items,): first of the parent's children
    const int64_t[::1] stops,          # IN (n_items,)
    const uint64_t[::1] seeds,         # IN (n_items,): of the random orders of rows
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,): children of each parent
    const int64_t[::1] row_offsets,    # IN (n_parents + 1,)
    const int32_t[::1] rows,           # IN: the rows of each parent, ascending
    const float[::1] row_values,       # IN: of the negative cost, for who lacks the row
    const int64_t[::1] right_offsets,  # IN (n_children + 1,)
    const int32_t[::1] right_rows,     # IN: the rows of each child, ascending
    const float[::1] right_values,     # IN: of the positive cost
    int loss,
    float positive_cost,
    float negative_cost,
    double bias_square,                # of the constant feature; 0: no intercept
    double tol,
    int max_iter,
    float floor,                       # magnitude of the smallest weight kept
    bint is_relative,                  # whether it is a share of the child's largest
    float most,                        # of the largest that counts
    int level,                         # of instructions: index into SIMD_LEVELS
    const unsigned char[::1] stop,     # IN (1,): not 0 as soon as nobody waits
    Prior prior,                       # IN: None where the prior mean is 0
    Probe probe,                       # OUT: None where no rows are looked at
    float[::1] workspace,              # SCRATCH (`workspace_size` of the largest,)
    Placer placer,                     # OUT: gets the weights
    int64_t[::1] run_counts,           # OUT (n_items,): features with weights
    float[::1] intercepts,             # OUT: of the children of all items
    int32_t[::1] n_sweeps,             # OUT: of the same
    unsigned char[::1] converged,      # OUT: of the same
):
    """Train some children of each of some parents and keep their larger weights.

    Minimises |w - m|^2 / 2 + sum of cost * loss for each child, m being its prior mean.
    A child without any negative row gets the intercept +inf (it is always there), one
    without any positive row or prior -inf (it never is); neither is trained.

    Every sweep visits the rows in a new random order, the same for all blocks of
    a parent; a lane stops by itself. So a child's weights do not depend on which
    children share its block.
    """
    cdef Settings settings
    cdef Targets targets
    cdef int64_t item, first, parent, before = -1, done = 0
    settings.loss, settings.bias_square, settings.tol = loss, bias_square, tol
    settings.positive_cost, settings.negative_cost = positive_cost, negative_cost
    settings.max_iter, settings.level = max_iter, level
    settings.floor.share, settings.floor.most = floor, most
    settings.floor.is_relative = is_relative
    targets.right_rows = &right_rows[0] if right_rows.shape[0] else NULL
    targets.right_values = &right_values[0] if right_values.shape[0] else NULL
    settings.prior_length = 0
    if prior is not None and prior.rows.shape[0]:
        settings.prior_length = prior.length
        targets.prior_rows, targets.prior_values = &prior.rows[0], &prior.values[0]
    with nogil:
        for item in range(parents.shape[0]):
            parent = parents[item]
            first = row_offsets[parent]
            targets.n_rows = row_offsets[parent + 1] - first
            targets.rows, targets.row_values = &rows[first], &row_values[first]
            targets.right_offsets = &right_offsets[child_offsets[parent] + starts[item]]
            targets.n_children = stops[item] - starts[item]
            if settings.prior_length != 0:
                targets.prior_offsets = &prior.offsets[
                    child_offsets[parent] + starts[item]
                ]
            if parent != before:
                gathered.gather(
                    rows[first:first + targets.n_rows], bias_square, level
                )
                before = parent
            run_counts[item] = -placer.n_runs
            _train_item(
                gathered, &targets, <int32_t>starts[item], &settings, seeds[item], stop,
                &workspace[0], placer, parent, probe, &intercepts[done],
                &n_sweeps[done], &converged[done],
            )
            if stop[0]:
                break
            if probe is not None:
                probe.finish_item(parent)
            run_counts[item] += placer.n_runs
            done += targets.n_children


cdef int _train_item(
    Parents gathered, Targets* targets, int32_t first_child,
    const Settings* settings, uint64_t seed, const unsigned char[::1] stop,
    float* workspace, Placer placer, int64_t parent, Probe probe,
    float* intercepts, int32_t* n_sweeps, unsigned char* converged,
) except -1 nogil:
    """Solve one block after another and keep its weights, in the order of features."""
    cdef Block block
    cdef Problem* problem = &gathered.problem
    cdef int64_t index, first, lane, n_lanes
    cdef int64_t n_blocks = (targets.n_children + MOST_LANES - 1) // MOST_LANES
    cdef int64_t n_margins = targets.n_rows if problem.gram != NULL else 0
    problem.loss, problem.bias_square = settings.loss, <float>settings.bias_square
    problem.is_large = (
        gathered.n_columns * MOST_LANES * 4 + targets.n_rows * MOST_LANES * 8
        + gathered.n_entries * 8
        > CACHE_BYTES
    )
    placer.start(gathered.n_features, n_blocks)
    for index in range(n_blocks):
        first = index * MOST_LANES
        n_lanes = min(<int64_t>MOST_LANES, targets.n_children - first)
        _lay_out(
            &block, workspace, targets.n_rows, gathered.n_columns, n_margins,
            _width(n_lanes), settings.prior_length != 0,
        )
        _fill_costs(
            targets[0], first, n_lanes, block.all_lanes, settings, block.costs
        )
        if block.priors != NULL:
            _fill_priors(targets[0], first, n_lanes, block.all_lanes, block.priors)
        _solve(&block, problem, gathered.n_entries, settings, seed, stop)
        if stop[0]:
            return 0
        for lane in range(n_lanes):
            intercepts[first + lane] = block.intercepts[lane]
            n_sweeps[first + lane] = block.n_sweeps[lane]
            converged[first + lane] = block.converged[lane]
        if n_margins:
            add_up(
                problem, block.duals, block.all_lanes, settings.level, block.weights
            )
        placer.keep(
            index, block.weights, block.duals, block.all_lanes, <int>n_lanes,
            gathered.sources, gathered.scales, settings.floor, settings.level,
        )
        if probe is not None:
            probe.take(
                parent, problem, &block, targets, first_child + <int32_t>first, n_lanes
            )
    placer.place(gathered.features, MOST_LANES, first_child)
    return 0


# Costs
# -----

cdef void _fill_costs(
    Targets targets, int64_t first, int64_t n_lanes, int width,
    const Settings* settings, float* costs,
) noexcept nogil:
    """Fill signed costs: > 0 where a child is right, < 0 where wrong, 0 to ignore.

    For the squared hinge loss, 1 / (2 cost) stands for a cost: the sweeps use that.
    """
    cdef int64_t i, entry, lane, n_rows = targets.n_rows
    cdef int loss = settings.loss
    cdef float wrong
    for i in range(n_rows):
        wrong = -_stored_cost(targets.row_values[i] * settings.negative_cost, loss)
        for lane in range(n_lanes):
            costs[i * width + lane] = wrong
        for lane in range(n_lanes, width):
            costs[i * width + lane] = 0
    for lane in range(n_lanes):
        i = 0
        for entry in range(
            targets.right_offsets[first + lane], targets.right_offsets[first + lane + 1]
        ):
            i = _find(targets.rows, i, n_rows, targets.right_rows[entry])
            if i < n_rows and targets.rows[i] == targets.right_rows[entry]:
                costs[i * width + lane] = _stored_cost(
                    targets.right_values[entry] * settings.positive_cost, loss
                )


cdef inline float _stored_cost(float cost, int loss) noexcept nogil:
    if loss != SQUARED_HINGE or cost == 0:
        return cost
    # Never denormal: processors that flush such numbers to 0 would ignore the row.
    return <float>max(0.5 / cost, <double>FLT_MIN)


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


cdef void _fill_priors(
    Targets targets, int64_t first, int64_t n_lanes, int width, float* priors
) noexcept nogil:
    """Fill how much each row counts in the prior mean of each child."""
    cdef int64_t i, entry, lane, n_rows = targets.n_rows
    memset(priors, 0, n_rows * width * sizeof(float))
    for lane in range(n_lanes):
        i = 0
        for entry in range(
            targets.prior_offsets[first + lane], targets.prior_offsets[first + lane + 1]
        ):
            i = _find(targets.rows, i, n_rows, targets.prior_rows[entry])
            if i < n_rows and targets.rows[i] == targets.prior_rows[entry]:
                priors[i * width + lane] = targets.prior_values[entry]


# Solving
# -------

cdef int _solve(
    Block* block, Problem* problem, int64_t n_entries, const Settings* settings,
    uint64_t seed, const unsigned char[::1] stop,
) except -1 nogil:
    """Sweep until each lane stops; the rows of the problem are set already."""
    cdef State state
    cdef int lane, place, _sweep
    cdef int n_active = 0
    cdef double[LANES] gains
    # Of many rows a few move for long after the rest has settled: their violations are
    # large, yet the objective hardly changes.
    cdef double least_gain = (settings.tol / 2)**2
    cdef int64_t first, n_rows = block.n_rows, work = 0
    cdef int64_t row_work = 1 + n_entries // n_rows
    cdef int64_t piece = 1 + STOP_WORK // row_work
    _start(block, settings.loss)
    _use_all_lanes(block, &state)
    for lane in range(block.all_lanes):
        block.n_sweeps[lane] = 0
        gains[lane] = 0
        block.constants[lane] = _constant(block, lane)
        block.converged[lane] = block.constants[lane] != 0.0
        state.active[lane] = 0 if block.converged[lane] else -1
        n_active += state.active[lane] != 0
    if block.priors != NULL:
        _begin_at_priors(block, problem, settings.prior_length)
    for _sweep in range(settings.max_iter):
        if n_active == 0:
            break
        if block.width > FEWEST_LANES and 2 * n_active <= block.width:
            _narrow(block, &state, n_active, settings.level)
        _shuffle(block.order, n_rows, &seed)
        memset(state.highest, 0, LANES * sizeof(float))
        memset(state.lowest, 0, LANES * sizeof(float))
        memset(state.gain, 0, LANES * sizeof(float))
        first = 0
        while first < n_rows and not stop[0]:
            problem.n_rows = min(piece, n_rows - first)
            state.order = &block.order[first]
            sweep(problem, &state, block.width, settings.level)
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
                block.n_sweeps[lane] += 1
                gains[lane] += state.gain[place]
                if (
                    state.highest[place] - state.lowest[place] <= settings.tol
                    or state.gain[place] <= least_gain * gains[lane]
                ):
                    state.active[place] = 0
                    block.converged[lane] = True
                    n_active -= 1
    _spread(block, &state, settings.level)
    for lane in range(block.all_lanes):
        if block.n_sweeps[lane] == 0:
            block.intercepts[lane] = block.constants[lane]
    _sign_duals(settings.loss, block, n_rows * block.all_lanes)
    return 0


cdef void _begin_at_priors(
    Block* block, const Problem* problem, double length
) noexcept nogil:
    """Scale the prior means to their length and let the weights begin there.

    They are sums of rows, like what the dual variables add, so what moves is set as if
    a step of that size had been taken on each row.
    """
    cdef int64_t i, lanes = block.all_lanes
    cdef int lane
    cdef float* prior
    cdef double[LANES] squares
    for lane in range(lanes):
        squares[lane] = 0
        if block.constants[lane] != 0.0:
            for i in range(block.n_rows):
                block.priors[i * lanes + lane] = 0
    _add_priors(block, problem)
    for i in range(block.n_rows):
        for lane in range(lanes):
            prior = &block.priors[i * lanes + lane]
            if prior[0] != 0:
                squares[lane] += prior[0] * _product_with_row(block, problem, i, lane)
    for i in range(block.n_rows):
        for lane in range(lanes):
            if squares[lane] > 0:
                prior = &block.priors[i * lanes + lane]
                prior[0] = <float>(prior[0] * (length / sqrt(squares[lane])))
    memset(block.moving, 0, block.n_moving * lanes * sizeof(float))
    _add_priors(block, problem)


cdef void _add_priors(Block* block, const Problem* problem) noexcept nogil:
    """Add each row to the weights of each lane, as often as its prior says."""
    cdef int64_t i, entry, lanes = block.all_lanes
    cdef int lane
    cdef float prior
    cdef Row row
    for i in range(block.n_rows):
        row = _row(problem, i)
        for lane in range(lanes):
            prior = block.priors[i * lanes + lane]
            if prior == 0:
                continue
            for entry in range(row.size):
                block.moving[_column(&row, entry) * lanes + lane] += (
                    prior * row.values[entry]
                )


cdef double _product_with_row(
    const Block* block, const Problem* problem, int64_t i, int lane
) noexcept nogil:
    """Product of a row and the prior mean of a lane."""
    cdef int64_t entry
    cdef Row row
    cdef double product = 0
    if problem.gram != NULL:
        return block.moving[i * block.all_lanes + lane]
    row = _row(problem, i)
    if problem.dense == NULL:
        product = <double>problem.own[i] * block.priors[i * block.all_lanes + lane]
    for entry in range(row.size):
        product += <double>row.values[entry] * (
            block.moving[_column(&row, entry) * block.all_lanes + lane]
        )
    return product


cdef inline Row _row(const Problem* problem, int64_t i) noexcept nogil:
    """What a step on a row adds to what moves: its entries, or all rows' margins."""
    cdef Row row
    if problem.gram != NULL:
        row.features = NULL
        row.values = problem.gram + i * problem.n_gram
        row.size = problem.n_gram
        return row
    return row_of(problem, i, problem.dense != NULL)


cdef inline int64_t _column(const Row* row, int64_t entry) noexcept nogil:
    return entry if row.features == NULL else row.features[entry]


cdef void _start(Block* block, int loss) noexcept nogil:
    """Make all dual variables, and what sweeps move, 0."""
    cdef int64_t i
    # A logit of -inf is a dual variable of 0.
    cdef float dual = <float>(-INFINITY) if loss == LOG_LOSS else 0.0
    for i in range(block.n_rows):
        block.order[i] = <int32_t>i
    for i in range(block.n_rows * block.all_lanes):
        block.duals[i] = dual
    memset(block.moving, 0, block.n_moving * block.all_lanes * sizeof(float))
    memset(block.intercepts, 0, LANES * sizeof(float))


cdef void _use_all_lanes(Block* block, State* state) noexcept nogil:
    cdef int lane
    block.width = block.all_lanes
    state.costs, state.duals, state.priors = block.costs, block.duals, block.priors
    state.weights = block.moving
    for lane in range(block.all_lanes):
        block.lanes[lane] = lane
        state.intercepts[lane] = 0


cdef void _narrow(
    Block* block, State* state, int n_active, int level
) noexcept nogil:
    """Move the lanes that are still active next to each other.

    Places that are left over get lanes at rest, which do not move.
    """
    cdef int place, n_first = 0, n_last = 0
    cdef int[LANES] first
    cdef int[LANES] last
    _spread(block, state, level)
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
    state.priors, state.weights = block.narrow_priors, block.narrow_moving
    _pack(block, block.costs, block.n_rows, level, block.narrow_costs)
    _pack(block, block.duals, block.n_rows, level, block.narrow_duals)
    _pack(block, block.moving, block.n_moving, level, block.narrow_moving)
    if block.priors != NULL:
        _pack(block, block.priors, block.n_rows, level, block.narrow_priors)


cdef void _spread(Block* block, State* state, int level) noexcept nogil:
    """Put the lanes in use back to where they end."""
    cdef int place
    for place in range(block.width):
        block.intercepts[block.lanes[place]] = state.intercepts[place]
    if block.width == block.all_lanes:
        return
    spread(
        state.duals, block.width, block.lanes, block.all_lanes, block.n_rows, level,
        block.duals,
    )
    spread(
        state.weights, block.width, block.lanes, block.all_lanes, block.n_moving,
        level, block.moving,
    )


cdef void _pack(
    const Block* block, const float* wide, int64_t n, int level, float* narrow
) noexcept nogil:
    pack(wide, block.all_lanes, block.lanes, block.width, n, level, narrow)


cdef void _sign_duals(int loss, Block* block, int64_t n) noexcept nogil:
    """Turn dual variables into the factors of their rows in the weights."""
    cdef int64_t i
    cdef float dual
    for i in range(n):
        dual = block.duals[i]
        if loss == LOG_LOSS:
            dual = <float>(fabsf(block.costs[i]) * sigmoid(dual))
        block.duals[i] = -dual if block.costs[i] < 0 else dual
    if block.priors != NULL:
        for i in range(n):
            block.duals[i] += block.priors[i]


cdef float _constant(const Block* block, int lane) noexcept nogil:
    """Infinite intercept of a lane that nothing can be learned for, else 0."""
    cdef int64_t i, position
    cdef bint any_right = False, any_wrong = False
    for i in range(block.n_rows):
        position = i * block.all_lanes + lane
        any_right |= block.costs[position] > 0
        if block.priors != NULL:
            any_right |= block.priors[position] != 0
        any_wrong |= block.costs[position] < 0
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


cdef inline void _shuffle(
    int32_t* order, int64_t n_rows, uint64_t* state
) noexcept nogil:
    """Fisher and Yates; the product maps 32 random bits to 0..i without division."""
    cdef int64_t i, j
    cdef int32_t kept
    for i in range(n_rows - 1, 0, -1):
        j = <int64_t>(((_next_random(state) >> 32) * <uint64_t>(i + 1)) >> 32)
        kept = order[i]
        order[i] = order[j]
        order[j] = kept
