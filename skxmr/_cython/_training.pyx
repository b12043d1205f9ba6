"""Trains the linear models of some children of some parents: the work of one task.

All children of a parent share their training rows (`_training_rows.pyx`). They are
solved in blocks (`_solver.pyx`), whose larger weights are kept (`_placing.pyx`).
"""

from libc.float cimport FLT_MIN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from skxmr._cython._dual_writer cimport DualWriter
from skxmr._cython._placing cimport WeightsWriter
from skxmr._cython._solver cimport (
    SQUARED_HINGE, Block, BlockShape, BlockSolver, Rows, SolverParameters,
    add_prior_factors, compute_weights, lanes_of, make_solver
)
from skxmr._cython._sorted cimport lower_bound
from skxmr._cython._training_probe cimport ChildRange, Probe
from skxmr._cython._training_rows cimport TrainingRows
from skxmr._cython._vectors cimport Vectors
from skxmr._cython._workspace cimport Workspace

from skxmr._cython._solver import LOSSES, N_LANES

# Weights and rows of more bytes than this are prefetched: about what is left of the
# cache of a core. Prefetching what is there already costs a tenth.
cdef int64_t CACHE_BYTES = 1_500_000

cdef int64_t MOST_LANES = N_LANES


cdef class Items:
    """Parents, and for each of them a range of its children to train.

    Parameters
    ----------
    parents, starts, stops : ndarray of shape (n_items,), int64
        Children are counted from the parent's first. Items of one parent come one
        after another.
    seeds : ndarray of shape (n_items,), uint64
        Of the random orders of rows.
    """

    cdef const int64_t[::1] parents, starts, stops
    cdef const uint64_t[::1] seeds

    def __init__(
        self, *, const int64_t[::1] parents, const int64_t[::1] starts,
        const int64_t[::1] stops, const uint64_t[::1] seeds,
    ):
        self.parents, self.starts, self.stops = parents, starts, stops
        self.seeds = seeds


cdef class Task:
    """What a task trains.

    Parameters
    ----------
    items : Items
    targets : skxmr._training._targets.LevelTargets
        Of the parents of the items.
    parameters : skxmr._training._solver.SolverParameters
    simd_level : int
        Index into `SIMD_LEVELS`.
    """

    cdef Items items
    cdef const int64_t[::1] child_offsets
    cdef Vectors rows, positives
    cdef Vectors priors                # None where the prior mean is 0
    cdef Vectors duals                 # None where the dual variables start at 0
    cdef Vectors new_rows              # with duals: of each parent
    cdef SolverParameters parameters

    def __init__(self, Items items, targets, parameters, *, int simd_level):
        cdef SolverParameters* solver = &self.parameters
        self.items = items
        self.child_offsets = targets.child_offsets
        self.rows, self.positives = Vectors(targets.rows), Vectors(targets.positives)
        solver.loss = LOSSES[parameters.loss]
        solver.positive_cost = parameters.positive_cost
        solver.negative_cost = parameters.negative_cost
        solver.bias_square = parameters.bias**2
        solver.tol, solver.max_iter = parameters.tol, parameters.max_iter
        solver.simd_level = simd_level
        solver.n_training_rows = -1
        if parameters.n_training_rows is not None:
            solver.n_training_rows = parameters.n_training_rows
        solver.prior_length = 0
        if parameters.prior_length and len(targets.priors.indices):
            self.priors = Vectors(targets.priors)
            solver.prior_length = parameters.prior_length
        if targets.duals is not None:
            self.duals = Vectors(targets.duals)
            self.new_rows = Vectors(targets.new_rows)


cdef class Results:
    """What a task gives: of the children of all items, one after another.

    Parameters
    ----------
    writer : WeightsWriter
        Gets the weights.
    probe : Probe or None
        Gets the best children of some rows.
    duals : DualWriter or None
        Gets the dual variables.
    run_counts : ndarray of shape (n_items,), int64
        Gets the number of features with weights.
    intercepts : ndarray of shape (n_all_children,), float32
    n_sweeps : ndarray of shape (n_all_children,), int32
    measures : ndarray of shape (n_all_children, 4), float32
        Gets violations and gains, as in `skxmr._training._results.LevelResult`.
    converged : ndarray of shape (n_all_children,), uint8
    """

    cdef WeightsWriter writer
    cdef Probe probe
    cdef DualWriter duals
    cdef int64_t[::1] run_counts
    cdef float[::1] intercepts
    cdef int32_t[::1] n_sweeps
    cdef float[:, ::1] measures
    cdef uint8_t[::1] converged
    cdef int64_t n_done                # children of the items so far

    def __init__(
        self, WeightsWriter writer, Probe probe, DualWriter duals=None, *,
        int64_t[::1] run_counts, float[::1] intercepts, int32_t[::1] n_sweeps,
        float[:, ::1] measures, uint8_t[::1] converged,
    ):
        self.writer, self.probe, self.duals = writer, probe, duals
        self.run_counts, self.intercepts = run_counts, intercepts
        self.n_sweeps, self.measures = n_sweeps, measures
        self.converged, self.n_done = converged, 0


cdef struct Targets:
    # Of the children of one item.
    int64_t n_rows
    int64_t n_children
    const int32_t* rows             # (n_rows,), ascending
    const float* negative_values    # (n_rows,): factors of the negative cost
    const int64_t* positive_offsets  # (n_children + 1,)
    const int32_t* positive_rows
    const float* positive_values    # factors of the positive cost
    const int64_t* prior_offsets    # (n_children + 1,)
    const int32_t* prior_rows
    const float* prior_values
    const int64_t* dual_offsets     # (n_children + 1,)
    const int32_t* dual_rows
    const float* dual_values


def train_items(
    Task task, TrainingRows rows, Workspace workspace, Results results,
    const uint8_t[::1] stop,
):
    """Train some children of each of some parents and keep their larger weights.

    Minimises |w - m|^2 / 2 + sum of cost * loss for each child, m being its prior mean.
    A child without any negative row gets the intercept +inf (it is always predicted),
    one without any positive row or prior -inf (it never is); neither is trained.

    Every sweep visits the rows in a new random order, the same for all blocks of
    a parent, and each lane stops by itself. So the weights of a child do not depend on
    which children share its block.

    Parameters
    ----------
    task : Task
    rows : TrainingRows
        Large enough for the largest parent.
    workspace : Workspace
        That of the rows.
    results : Results
    stop : ndarray of shape (1,), uint8
        Not 0 when the task is cancelled.

    Raises
    ------
    KeyboardInterrupt
    RuntimeError
        If the task is cancelled.
    """
    cdef Items items = task.items
    cdef BlockSolver solver = make_solver(task.parameters, workspace.shared, stop)
    cdef int64_t item, before = -1
    _ensure(solver, task, rows)
    with nogil:
        for item in range(items.parents.shape[0]):
            if items.parents[item] != before:
                before = items.parents[item]
                rows.gather(
                    task.rows.indices[
                        task.rows.offsets[before]:task.rows.offsets[before + 1]
                    ],
                    &task.parameters,
                )
            results.run_counts[item] = -results.writer.n_runs
            _train_item(task, item, rows, solver, results)
            results.run_counts[item] += results.writer.n_runs


cdef int _ensure(BlockSolver solver, Task task, TrainingRows rows) except -1:
    """Allocate memory for the largest block, and the rows of the largest parent."""
    cdef Items items = task.items
    cdef BlockShape shape
    cdef int64_t item, n_children = 0
    for item in range(items.parents.shape[0]):
        n_children = max(n_children, items.stops[item] - items.starts[item])
    shape.n_rows, shape.n_columns = rows.most_rows, rows.most_columns
    shape.n_lanes, shape.has_prior = lanes_of(n_children), task.priors is not None
    # Parents with few rows have margins, others have none, but more rows.
    for shape.n_margins in (rows.most_margins, 0):
        solver.ensure(shape)
    # Last, since blocks are solved when the memory for preparing the rows is free.
    return rows.ensure()


cdef int _train_item(
    Task task, int64_t item, TrainingRows gathered, BlockSolver solver, Results results
) except -1 nogil:
    """Solve one block after another and keep its weights, in the order of features."""
    cdef Targets targets = _targets_of(task, item)
    cdef int64_t first_child = task.items.starts[item]
    cdef int64_t parent = task.items.parents[item]
    cdef int64_t index, n_blocks = (targets.n_children + MOST_LANES - 1) // MOST_LANES
    cdef ChildRange children
    _describe_rows(&gathered.rows, gathered, task, targets.n_rows)
    results.writer.start(
        gathered.features, gathered.sources, gathered.scales, gathered.n_features,
        n_blocks,
    )
    for index in range(n_blocks):
        children.parent = parent
        children.first_child = <int32_t>(first_child + index * MOST_LANES)
        children.n_children = min(MOST_LANES, targets.n_children - index * MOST_LANES)
        _train_block(
            task, item, &targets, index * MOST_LANES, children.n_children, gathered,
            solver,
        )
        _finish_block(&targets, task, children.n_children, gathered, solver, results)
        _store(&solver.block, children.n_children, results)
        results.writer.keep(
            index, solver.block.weights, solver.block.duals, solver.block.n_lanes,
            <int>children.n_children,
        )
        if results.probe is not None:
            results.probe.add_block(
                children, &gathered.rows, &solver.block, targets.rows
            )
    results.writer.write(<int>MOST_LANES, <int32_t>first_child)
    if results.probe is not None:
        results.probe.finish_item(parent)
    return 0


cdef Targets _targets_of(Task task, int64_t item) noexcept nogil:
    cdef Targets targets
    cdef int64_t parent = task.items.parents[item], start = task.items.starts[item]
    cdef int64_t first = task.rows.offsets[parent]
    cdef int64_t child = task.child_offsets[parent] + start
    targets.n_rows = task.rows.offsets[parent + 1] - first
    targets.n_children = task.items.stops[item] - start
    targets.rows = &task.rows.indices[first]
    targets.negative_values = &task.rows.values[first]
    targets.positive_offsets = &task.positives.offsets[child]
    targets.positive_rows = targets.prior_rows = NULL
    targets.positive_values = targets.prior_values = NULL
    targets.prior_offsets = targets.dual_offsets = NULL
    targets.dual_rows = NULL
    targets.dual_values = NULL
    if task.positives.indices.shape[0]:
        targets.positive_rows = &task.positives.indices[0]
        targets.positive_values = &task.positives.values[0]
    if task.priors is not None:
        targets.prior_offsets = &task.priors.offsets[child]
        targets.prior_rows = &task.priors.indices[0]
        targets.prior_values = &task.priors.values[0]
    if task.duals is not None:
        targets.dual_offsets = &task.duals.offsets[child]
        if task.duals.indices.shape[0]:
            targets.dual_rows = &task.duals.indices[0]
            targets.dual_values = &task.duals.values[0]
    return targets


cdef void _describe_rows(
    Rows* rows, TrainingRows gathered, Task task, int64_t n_rows
) noexcept nogil:
    """Set what the sweeps need to know beside the rows themselves."""
    rows.loss = task.parameters.loss
    rows.bias_square = <float>task.parameters.bias_square
    rows.is_large = (
        gathered.n_columns * MOST_LANES * 4 + n_rows * MOST_LANES * 8
        + gathered.n_entries * 8
        > CACHE_BYTES
    )


cdef int _train_block(
    Task task, int64_t item, const Targets* targets, int64_t first, int64_t n_children,
    TrainingRows gathered, BlockSolver solver,
) except -1 nogil:
    """Set up a block of the children from `first` on, and solve it."""
    cdef Block* block = &solver.block
    cdef BlockShape shape
    shape.n_rows, shape.n_columns = targets.n_rows, gathered.n_columns
    shape.n_margins = targets.n_rows if gathered.rows.gram != NULL else 0
    shape.n_lanes, shape.has_prior = lanes_of(n_children), task.priors is not None
    solver.ensure(shape)
    if task.parameters.n_training_rows >= 0:
        block.n_swept = lower_bound(
            targets.rows, 0, targets.n_rows, task.parameters.n_training_rows
        )
    _fill_costs(targets, first, n_children, &task.parameters, block)
    if shape.has_prior:
        _fill(
            targets, targets.prior_offsets, targets.prior_rows, targets.prior_values,
            first, n_children, block.n_lanes, block.priors,
        )
    block.is_warm, block.n_new = task.duals is not None, 0
    if block.is_warm:
        _list_new_rows(targets, task.new_rows, task.items.parents[item], block)
        _fill(
            targets, targets.dual_offsets, targets.dual_rows, targets.dual_values,
            first, n_children, block.n_lanes, block.duals,
        )
    solver.solve(&gathered.rows, gathered.n_entries, task.items.seeds[item])
    return 0


cdef int _finish_block(
    const Targets* targets, Task task, int64_t n_children, TrainingRows gathered,
    BlockSolver solver, Results results,
) except -1 nogil:
    """Keep the dual variables of a trained block, and complete its weights."""
    cdef Block* block = &solver.block
    if results.duals is not None:
        results.duals.keep(block.duals, block.n_lanes, n_children, targets.rows,
                           targets.n_rows)
    add_prior_factors(block)
    if gathered.rows.gram != NULL:
        compute_weights(&gathered.rows, block, task.parameters.simd_level)
    return 0


cdef void _store(
    const Block* block, int64_t n_children, Results results
) noexcept nogil:
    cdef int64_t lane
    for lane in range(n_children):
        results.intercepts[results.n_done] = block.intercepts[lane]
        results.n_sweeps[results.n_done] = block.n_sweeps[lane]
        results.converged[results.n_done] = block.converged[lane]
        if block.n_sweeps[lane]:
            results.measures[results.n_done, 0] = block.highest[lane]
            results.measures[results.n_done, 1] = block.lowest[lane]
            results.measures[results.n_done, 2] = block.last_gains[lane]
            results.measures[results.n_done, 3] = <float>block.gains[lane]
        results.n_done += 1


# Costs and priors
# ----------------

cdef void _fill_costs(
    const Targets* targets, int64_t first, int64_t n_children,
    const SolverParameters* parameters, Block* block,
) noexcept nogil:
    """Fill signed costs: > 0 where a child is positive, < 0 where negative, else 0.

    For the squared hinge loss the sweeps use 1 / (2 cost) in place of a cost.
    """
    cdef int64_t i, entry, lane, n_rows = targets.n_rows, n_lanes = block.n_lanes
    cdef int loss = parameters.loss
    cdef float* costs = block.costs
    cdef float negative
    for i in range(n_rows):
        negative = -_stored_cost(
            targets.negative_values[i] * parameters.negative_cost, loss
        )
        for lane in range(n_children):
            costs[i * n_lanes + lane] = negative
        for lane in range(n_children, n_lanes):
            costs[i * n_lanes + lane] = 0
    for lane in range(n_children):
        i = 0
        for entry in range(
            targets.positive_offsets[first + lane],
            targets.positive_offsets[first + lane + 1],
        ):
            i = lower_bound(targets.rows, i, n_rows, targets.positive_rows[entry])
            if i < n_rows and targets.rows[i] == targets.positive_rows[entry]:
                costs[i * n_lanes + lane] = _stored_cost(
                    targets.positive_values[entry] * parameters.positive_cost, loss
                )


cdef inline float _stored_cost(float cost, int loss) noexcept nogil:
    if loss != SQUARED_HINGE or cost == 0:
        return cost
    # Never denormal: processors that flush such numbers to 0 would ignore the row.
    return <float>max(0.5 / cost, <double>FLT_MIN)


cdef void _fill(
    const Targets* targets, const int64_t* offsets, const int32_t* rows,
    const float* values, int64_t first, int64_t n_children, int64_t n_lanes,
    float* filled,
) noexcept nogil:
    """Fill what is given for some rows of each child, from the first on."""
    cdef int64_t i, entry, lane, n_rows = targets.n_rows
    memset(filled, 0, n_rows * n_lanes * sizeof(float))
    for lane in range(n_children):
        i = 0
        for entry in range(offsets[first + lane], offsets[first + lane + 1]):
            i = lower_bound(targets.rows, i, n_rows, rows[entry])
            if i < n_rows and targets.rows[i] == rows[entry]:
                filled[i * n_lanes + lane] = values[entry]


cdef void _list_new_rows(
    const Targets* targets, Vectors new_rows, int64_t parent, Block* block
) noexcept nogil:
    """List the positions of the new rows among those of the parent."""
    cdef int64_t entry, i = 0, n_rows = targets.n_rows
    block.n_new = 0
    for entry in range(new_rows.offsets[parent], new_rows.offsets[parent + 1]):
        i = lower_bound(targets.rows, i, n_rows, new_rows.indices[entry])
        if i < n_rows and targets.rows[i] == new_rows.indices[entry]:
            block.new_rows[block.n_new] = <int32_t>i
            block.n_new += 1
