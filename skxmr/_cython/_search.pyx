"""Beam search: walks the tree from the root and scores the labels that it reaches.

The weights are read feature by feature (`_search_lookup`, `_search_postings`), and
parents are scored from the best to the worst (`_search_scoring`) until none of the rest
can have a child among the best.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free

from skxmr._cython._beam cimport Heap, as_score, sort
from skxmr._cython._scratch cimport KEPT_SCRATCH, take
from skxmr._cython._search_inputs cimport (
    BeamOptions, FeatureIndex, NodeView, Postings, StartNodes, TreeNodes
)
from skxmr._cython._search_lookup cimport (
    BLOCKS_PREFETCHED, MAX_PREFETCHED, look_up_features, prefetch, prefetch_items
)
from skxmr._cython._search_lookup cimport lower_bound
from skxmr._cython._search_postings cimport find_listed_postings
from skxmr._cython._search_scoring cimport score_group
from skxmr._cython._search_state cimport (
    ChangedRun, LevelRange, Query, Run, SearchState, Tree, UsedFeature, cannot_enter,
    is_allowed,
)
from skxmr._cython._subset cimport RowLabels, RowLabelsView, enter_row, leave_row
from skxmr._cython._watch cimport must_end, raise_ended, watch_for

cdef extern from "include/runs.h" nogil:
    int find_lanes "skxmr_has_lanes"()

# Whether this machine scores several children of a node at once, by AVX-512; the
# results are the same.
HAS_LANES = bool(find_lanes())

cdef enum:
    NODE_WORK = 64           # of scoring a node's children, in features looked up
    LOG_FLOAT = 2
    MAX_SLOTS = 65535        # of a group; what uint16 can number
    MIN_SLOTS = 16
    RUNS_OF_GROUP = 65536    # about as many are listed before they are added
    MIN_USED = 64
    MIN_MARGINS = 256        # whatever child a byte numbers has a margin


cdef class Workspace:
    """What one search at a time writes, besides its result.

    Parameters
    ----------
    n_parents, most_children : int
        Of the tree.
    has_changes : bool
        Whether any of its parents has changes.
    """

    cdef SearchState state
    cdef int64_t n_parents
    cdef int64_t most_children
    cdef bint has_changes
    cdef int64_t beam_width
    cdef int64_t n_found
    cdef int64_t n_bytes

    def __cinit__(self, int64_t n_parents, int64_t most_children, bint has_changes):
        self.has_changes = has_changes
        self.n_parents = n_parents
        self.most_children = most_children

    cdef int ensure(
        self, int64_t beam_width, int64_t n_features, int64_t n_found
    ) except -1:
        """Allocate a beam, the features of a query, and the scores of what is found.
        """
        cdef SearchState* state = &self.state
        if (
            self.beam_width < beam_width
            or state.max_used <= n_features
            or self.n_found < n_found
        ):
            self._free()
            self.beam_width = max(self.beam_width, beam_width)
            self.n_found = max(self.n_found, n_found)
            if state.max_used <= n_features:
                state.max_used = max(2 * n_features, <int64_t>MIN_USED)
            self._allocate()
        state.beams[0].capacity = beam_width
        state.beams[1].capacity = beam_width
        return 0

    cdef int _allocate(self) except -1:
        cdef SearchState* state = &self.state
        cdef int64_t i
        state.n_slots = min(
            self.beam_width,
            max(MIN_SLOTS, RUNS_OF_GROUP // max(state.max_used, 1)),
            MAX_SLOTS,
        )
        for i in range(2):
            state.beams[i].nodes = <int64_t*>self._take(
                self.beam_width, sizeof(int64_t)
            )
            state.beams[i].keys = <int64_t*>self._take(self.beam_width, sizeof(int64_t))
            state.beams[i].scores = <double*>self._take(
                self.beam_width, sizeof(double)
            )
        state.used = <UsedFeature*>self._take(state.max_used, sizeof(UsedFeature))
        state.runs = <Run*>self._take(state.n_slots * state.max_used, sizeof(Run))
        state.n_runs = <int32_t*>self._take(state.n_slots, sizeof(int32_t))
        if self.has_changes:
            state.changed = <ChangedRun*>self._take(
                state.n_slots * state.max_used, sizeof(ChangedRun)
            )
            state.n_changed = <int32_t*>self._take(state.n_slots, sizeof(int32_t))
        state.slots = <uint16_t*>self._take(self.n_parents, sizeof(uint16_t))
        state.margins = <double*>self._take(
            max(self.most_children, <int64_t>MIN_MARGINS), sizeof(double)
        )
        state.found_scores = <double*>self._take(self.n_found, sizeof(double))
        return 0

    cdef void* _take(self, int64_t n_items, size_t size) except NULL:
        return take(n_items, size, &self.n_bytes)

    cdef void _free(self) noexcept:
        cdef SearchState* state = &self.state
        cdef int i
        for i in range(2):
            free(state.beams[i].nodes)
            free(state.beams[i].keys)
            free(state.beams[i].scores)
            state.beams[i].nodes = state.beams[i].keys = NULL
            state.beams[i].scores = NULL
        free(state.used)
        free(state.runs)
        free(state.n_runs)
        free(state.changed)
        free(state.n_changed)
        free(state.slots)
        free(state.margins)
        free(state.found_scores)
        state.used = NULL
        state.runs = NULL
        state.n_runs = state.n_changed = NULL
        state.changed = NULL
        state.slots = NULL
        state.margins = state.found_scores = NULL
        self.n_bytes = 0

    def __dealloc__(self):
        self._free()


cdef class Searcher:
    """Searches one layout for sparse rows; any number of threads can use it at once.

    Calls take a workspace from a pool and give it back, so that most allocate nothing.

    Parameters
    ----------
    nodes : TreeNodes
    features : FeatureIndex
    postings : Postings
    has_lanes : bool
        Whether to score children by AVX-512, as far as `HAS_LANES`.
    """

    cdef Tree tree
    cdef tuple arrays
    cdef list pool

    def __init__(
        self,
        TreeNodes nodes not None,
        FeatureIndex features not None,
        Postings postings not None,
        *,
        bint has_lanes,
    ):
        if 64 * postings.view.n_blocks < nodes.view.n_parents:
            raise ValueError(
                f"blocks have bits of {64 * postings.view.n_blocks} parents; expected "
                f"{nodes.view.n_parents} or more."
            )
        self.pool = []
        # Keeps alive what the pointers lead to.
        self.arrays = nodes, features, postings
        self.tree.nodes = nodes.view
        self.tree.features = features.view
        self.tree.postings = postings.view
        self.tree.has_lanes = has_lanes and not postings.view.has_wide_children

    def search(
        self,
        const int64_t[::1] X_offsets,      # IN (n_samples + 1,)
        const int32_t[::1] X_indices,      # IN
        const float[::1] X_values,         # IN
        BeamOptions options not None,      # IN
        StartNodes start,                  # IN, of each row; None: the root
        int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
        double[:, ::1] log_scores,         # OUT (n_samples, k); -inf there
        const uint8_t[::1] stop=None,      # IN (1,): not 0 once the result is unwanted
        RowLabels among=None,              # IN, in place of the nodes in the options
    ):
        """Find the best k of the nodes or labels that a beam reaches, best first."""
        cdef RowLabelsView* row_labels = self._check_rows(among, columns.shape[0])
        cdef Workspace workspace
        cdef SearchState* state
        cdef LevelRange levels = self._levels(start, columns.shape[0])
        cdef Query query
        cdef const int32_t* features = NULL
        cdef const float* values = NULL
        cdef int64_t i, longest = 0, n_samples = columns.shape[0]
        if columns.shape[1] == 0 or n_samples == 0:
            return
        self._check_features(X_offsets, X_indices, X_values, n_samples)
        if X_indices.shape[0]:
            features = &X_indices[0]
            values = &X_values[0]
        if 0 < options.last_level < levels.last_level:
            levels.last_level = options.last_level
        query.allowed = self._check_allowed(options.allowed)
        query.transform = options.transform
        query.wants_labels = options.wants_labels
        for i in range(n_samples):
            longest = max(longest, X_offsets[i + 1] - X_offsets[i])
        workspace = self._lend(options.beam_width, longest, 0)
        state = &workspace.state
        state.watch = watch_for(stop)
        with nogil:
            for i in range(n_samples):
                query.n_features = X_offsets[i + 1] - X_offsets[i]
                query.features = features + X_offsets[i]
                query.values = values + X_offsets[i]
                state.query = query
                state.found.capacity = columns.shape[1]
                # Only keys of the result are kept: they share the memory of the nodes.
                state.found.nodes = state.found.keys = &columns[i, 0]
                state.found.scores = &log_scores[i, 0]
                if row_labels != NULL:
                    state.query.allowed = row_labels.bits
                    enter_row(row_labels, i)
                _search_row(&self.tree, &levels, i, state)
                if row_labels != NULL:
                    leave_row(row_labels, i)
                if state.watch.ended:
                    break
        raise_ended(&state.watch)
        self._give_back(workspace)

    def score(
        self,
        const int64_t[::1] X_offsets,      # IN (n_samples + 1,)
        const int32_t[::1] X_indices,      # IN
        const float[::1] X_values,         # IN
        int transform,
        RowLabels among not None,          # IN: what the rows may find
        int64_t[::1] columns,              # scratch: for the most labels of a row
        double[::1] log_scores,            # OUT: of each label; -inf if never found
        const uint8_t[::1] stop=None,      # IN (1,): not 0 once the result is unwanted
    ):
        """Score the labels of each row by walking the paths to them, and no others."""
        cdef Workspace workspace
        cdef SearchState* state
        cdef LevelRange levels = self._levels(None, 0)
        cdef RowLabelsView* row_labels = self._check_rows(among, X_offsets.shape[0] - 1)
        cdef int64_t i, longest = 0, n_samples = among.n_rows, n_found = among.most
        if n_found == 0:
            return
        self._check_features(X_offsets, X_indices, X_values, n_samples)
        if (
            columns.shape[0] < n_found
            or log_scores.shape[0] < row_labels.offsets[n_samples]
        ):
            raise ValueError(
                f"columns or log_scores is too short for {n_found} labels."
            )
        if row_labels.base != NULL:
            raise ValueError("among has labels that are not to be found.")
        for i in range(n_samples):
            longest = max(longest, X_offsets[i + 1] - X_offsets[i])
        # No level has more nodes that lead to the labels of a row.
        workspace = self._lend(n_found, longest, n_found)
        state = &workspace.state
        state.watch = watch_for(stop)
        state.query.allowed = row_labels.bits
        state.query.transform = transform
        state.query.wants_labels = True
        state.found.nodes = state.found.keys = &columns[0]
        state.found.scores = state.found_scores
        with nogil:
            for i in range(n_samples):
                state.query.n_features = X_offsets[i + 1] - X_offsets[i]
                if state.query.n_features:
                    state.query.features = &X_indices[X_offsets[i]]
                    state.query.values = &X_values[X_offsets[i]]
                state.found.capacity = row_labels.offsets[i + 1] - row_labels.offsets[i]
                if state.found.capacity == 0:
                    continue
                enter_row(row_labels, i)
                _search_row(&self.tree, &levels, i, state)
                leave_row(row_labels, i)
                if state.watch.ended:
                    break
                _put_scores(state, row_labels, i, &log_scores[0])
        raise_ended(&state.watch)
        self._give_back(workspace)

    def search_one(
        self,
        const int32_t[::1] indices,        # IN (nnz,)
        const float[::1] values,           # IN (nnz,)
        int64_t beam_width,
        int transform,
        const uint64_t[::1] allowed,       # IN, a bit for each node; or None
        int64_t[::1] columns,              # OUT (k,); -1 where none is found
        double[::1] log_scores,            # OUT (k,); -inf there; or None
        float[::1] scores,                 # OUT (k,); 0 there; if log_scores is None
    ):
        """Find the best k labels of one row, and their scores or logarithms of these.

        Plain arguments, since making an object costs as much as a small search.
        """
        cdef Workspace workspace
        cdef SearchState* state
        cdef LevelRange levels
        cdef int64_t i, k = columns.shape[0], n_features = indices.shape[0]
        cdef bint wants_logs = log_scores is not None
        if k == 0:
            return
        if values.shape[0] < n_features:
            raise ValueError(
                f"There are {values.shape[0]} values for {n_features} indices."
            )
        workspace = self._lend(beam_width, n_features, 0 if wants_logs else k)
        state = &workspace.state
        state.query.n_features = n_features
        state.query.features = &indices[0] if n_features else NULL
        state.query.values = &values[0] if n_features else NULL
        state.query.allowed = self._check_allowed(allowed)
        state.query.transform = transform
        state.query.wants_labels = True
        state.watch = watch_for(None)
        state.found.capacity = k
        state.found.nodes = state.found.keys = &columns[0]
        state.found.scores = &log_scores[0] if wants_logs else state.found_scores
        levels.first_level, levels.last_level = 0, self.tree.nodes.n_levels
        levels.n_nodes, levels.nodes, levels.scores = 1, NULL, NULL
        with nogil:
            _search_row(&self.tree, &levels, 0, state)
            if not wants_logs:
                for i in range(k):
                    scores[i] = as_score(columns[i], state.found.scores[i])
        raise_ended(&state.watch)
        self._give_back(workspace)

    cdef LevelRange _levels(self, StartNodes start, int64_t n_samples) except *:
        """Return the levels to search; refuse nodes that the first does not have."""
        cdef const NodeView* tree = &self.tree.nodes
        cdef LevelRange levels
        cdef int64_t i, j, size
        levels.first_level, levels.last_level = 0, tree.n_levels
        levels.n_nodes, levels.nodes, levels.scores = 1, NULL, NULL
        if start is None:
            return levels
        if not 0 <= start.first_level < start.last_level <= tree.n_levels:
            raise ValueError(
                f"Cannot search from level {start.first_level} to level "
                f"{start.last_level} of a tree of {tree.n_levels} levels."
            )
        size = tree.level_starts[start.first_level + 1]
        size -= tree.level_starts[start.first_level]
        for i in range(start.nodes.shape[0]):
            for j in range(start.nodes.shape[1]):
                if start.nodes[i, j] >= size or (j >= size and start.nodes[i, j] >= 0):
                    raise ValueError(
                        f"Level {start.first_level} has {size} nodes; got "
                        f"{start.nodes[i, j]} at position {j} of row {i}."
                    )
        if start.nodes.shape[0] < n_samples:
            raise ValueError(
                f"nodes has {start.nodes.shape[0]} rows; expected {n_samples}."
            )
        levels.first_level, levels.last_level = start.first_level, start.last_level
        levels.n_nodes = start.nodes.shape[1]
        if n_samples:
            levels.nodes, levels.scores = &start.nodes[0, 0], &start.log_scores[0, 0]
        return levels

    cdef int _check_features(
        self, const int64_t[::1] X_offsets, const int32_t[::1] X_indices,
        const float[::1] X_values, int64_t n_samples,
    ) except -1:
        if X_offsets[n_samples] > min(X_indices.shape[0], X_values.shape[0]):
            raise ValueError("X has fewer indices or values than its offsets say.")
        return 0

    cdef RowLabelsView* _check_rows(
        self, RowLabels among, int64_t n_samples
    ) except? NULL:
        if among is None:
            return NULL
        cdef int64_t n_nodes = self.tree.nodes.n_nodes + self.tree.nodes.n_added
        if among.n_rows != n_samples or among.n_nodes != n_nodes:
            raise ValueError(
                f"among has {among.n_rows} rows and {among.n_nodes} nodes; expected "
                f"{n_samples} and {n_nodes}."
            )
        return &among.view

    cdef const uint64_t* _check_allowed(self, const uint64_t[::1] allowed) except? NULL:
        if allowed is None:
            return NULL
        cdef int64_t n_nodes = self.tree.nodes.n_nodes + self.tree.nodes.n_added
        if 64 * allowed.shape[0] < n_nodes:
            raise ValueError(
                f"allowed has {allowed.shape[0]} words of 64 bits; expected a bit for "
                f"each of {n_nodes} nodes."
            )
        return &allowed[0]

    cdef Workspace _lend(self, int64_t beam_width, int64_t n_features, int64_t n_found):
        """Take a workspace that no other call uses, large enough for this one."""
        cdef Workspace workspace
        if beam_width < 1:
            raise ValueError(f"beam_width={beam_width}; expected 1 or more.")
        try:
            workspace = self.pool.pop()
        except IndexError:
            workspace = Workspace(
                self.tree.nodes.n_parents,
                self.tree.nodes.most_children,
                self.tree.nodes.changes != NULL,
            )
        workspace.ensure(
            min(beam_width, self.tree.nodes.widest_level), n_features, n_found
        )
        return workspace

    cdef _give_back(self, Workspace workspace):
        if workspace.n_bytes <= KEPT_SCRATCH:
            self.pool.append(workspace)


# One row
# -------

cdef void _search_row(
    const Tree* tree, const LevelRange* levels, int64_t row, SearchState* state
) noexcept nogil:
    """Search from the first level to the last, unless interrupted."""
    cdef int64_t level, work
    look_up_features(tree, state)
    _start_beam(tree, levels, row, state)
    for level in range(levels.first_level, levels.last_level):
        _start_level(level, levels.last_level, state)
        while _start_group(tree, level, state):
            work = (state.last - state.first) * (state.n_used + NODE_WORK)
            if must_end(&state.watch, work):
                return
            if state.n_listed:
                find_listed_postings(tree, level, state)
            score_group(tree, level, state)
        sort(state.reached)
        state.beam = state.reached
    _mark_missing(&state.found)


cdef inline void _start_beam(
    const Tree* tree, const LevelRange* levels, int64_t row, SearchState* state
) noexcept nogil:
    """Put the root, or the allowed ones of the given nodes, into the beam."""
    cdef int64_t i, node
    cdef Heap* beam = &state.beams[levels.first_level % 2]
    state.beam = beam
    beam.size = 0
    if levels.nodes == NULL:
        beam.size = is_allowed(&state.query, 0)
        beam.nodes[0] = 0
        beam.scores[0] = 0.0
        return
    for i in range(row * levels.n_nodes, (row + 1) * levels.n_nodes):
        if beam.size == beam.capacity:
            break
        node = tree.nodes.level_starts[levels.first_level] + levels.nodes[i]
        if levels.nodes[i] >= 0 and is_allowed(&state.query, node):
            beam.nodes[beam.size] = node
            beam.scores[beam.size] = levels.scores[i]
            beam.size += 1


cdef inline void _start_level(
    int64_t level, int64_t last_level, SearchState* state
) noexcept nogil:
    cdef int64_t i
    state.reached = &state.beams[(level + 1) % 2]
    if level == last_level - 1:
        state.reached = &state.found
    state.reached.size = 0
    state.first = state.last = 0
    for i in range(state.n_used):
        state.used[i].posting = state.used[i].next_posting
        state.used[i].weight = state.used[i].next_weight


cdef inline bint _start_group(
    const Tree* tree, int64_t level, SearchState* state
) noexcept nogil:
    """Take the next nodes of the beam; none if no child could be among the best."""
    state.first = state.last
    if state.first == state.beam.size or cannot_enter(
        state.beam.scores[state.first], state.reached
    ):
        return False
    state.last = min(state.first + state.n_slots, state.beam.size)
    _prefetch_group(tree, level, state)
    return True


cdef inline void _prefetch_group(
    const Tree* tree, int64_t level, const SearchState* state
) noexcept nogil:
    """Prefetch the blocks of the group's nodes, and the arrays of their children."""
    cdef int64_t i, j, node, child, n, block = -1
    for i in range(state.first, state.last):
        node = state.beam.nodes[i]
        child = tree.nodes.child_offsets[node]
        n = min(tree.nodes.child_offsets[node + 1] - child, <int64_t>MAX_PREFETCHED)
        prefetch_items(tree.nodes.intercepts, child - 1, n, LOG_FLOAT)
        if level == tree.nodes.n_levels - 1 and state.query.wants_labels:
            prefetch_items(
                tree.nodes.labels, child - tree.nodes.level_starts[level + 1], n,
                LOG_FLOAT,
            )
        if node >> 6 == block or tree.postings.n_blocks <= BLOCKS_PREFETCHED:
            continue
        block = node >> 6
        for j in range(state.n_used):
            if state.used[j].blocks != NULL:
                prefetch(state.used[j].blocks + 2 * block)


cdef inline void _put_scores(
    const SearchState* state, const RowLabelsView* among, int64_t row,
    double* log_scores,
) noexcept nogil:
    """Put the scores of what was found at the positions of these labels."""
    cdef int64_t i, first = among.offsets[row], stop = among.offsets[row + 1]
    for i in range(first, stop):
        log_scores[i] = -INFINITY
    for i in range(state.found.size):
        first = lower_bound(among.labels, among.offsets[row], stop, state.found.keys[i])
        if first < stop:
            log_scores[first] = state.found.scores[i]


cdef inline void _mark_missing(Heap* found) noexcept nogil:
    """Fill the positions where nothing was found."""
    cdef int64_t i
    for i in range(found.size, found.capacity):
        found.keys[i] = -1
        found.scores[i] = -INFINITY
