"""Beam search: walks the tree from the root and scores the labels that it reaches.

The weights are read feature by feature: a bitmap with ranks leads from a feature of the
query to its rows, one for each parent whose children use it, those of all levels
together; and each row of a parent in the beam to a run of (child, weight) pairs. Rows
of a rare feature are read through; a frequent one has a bit for each parent. A query
looks a feature up once. Parents are scored from the best to the worst, until none that
is left can have a child among the best; while one is, the memory is asked for what the
next ones need.

Log scores add up along a path; products would underflow.
"""

from libc.float cimport DBL_MAX
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from skxmr._cython._beam cimport (
    SIGMOID, Heap, as_score, push, sort, turn_into_scores
)
from skxmr._cython._scratch cimport (
    KEPT_SCRATCH, address_of_bytes, address_of_ints, address_of_shorts, take
)

from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef extern from "include/bits.h" nogil:
    int count_bits "skxmr_count_bits"(uint64_t word)
    int lowest_bit "skxmr_lowest_bit"(uint64_t word)
    int64_t sum_bytes "skxmr_sum_bytes"(
        const uint8_t* bytes, int64_t n, int64_t n_readable
    )
    double from_half "skxmr_from_half"(uint16_t half)
    void prefetch "skxmr_prefetch_many"(const void* address)

cdef extern from "include/runs.h" nogil:
    enum:
        LANES "SKXMR_SEARCH_LANES"
    ctypedef struct Run "skxmr_run":
        uint32_t start
        uint32_t row
        int32_t n_before
        int32_t length
        float value
    int find_lanes "skxmr_has_lanes"()
    void find_runs_by_lanes "skxmr_find_runs_by_lanes"(
        Run* runs, int64_t n_runs, const uint8_t* lengths, const uint8_t* entries,
        int entry_size,
    )
    uint64_t score_lanes "skxmr_score_lanes"(
        const Run* runs, int64_t n_runs, const uint8_t* entries, int is_half,
        const float* intercepts, int64_t n_children, double parent_score, int power,
        double bar, double* scores,
    )
    uint64_t turn_by_lanes "skxmr_turn_by_lanes"(
        double* margins, int64_t n_children, double parent_score, int power, double bar,
    )

# Children are counted from their parent's first: mostly a byte is enough.
ctypedef fused child_t:
    uint8_t
    int32_t

# Parents are counted among all nodes: mostly 16 bits are enough.
ctypedef fused parent_t:
    uint16_t
    int32_t

# uint16 are the bits of half-precision numbers.
ctypedef fused weight_t:
    float
    uint16_t

TRANSFORMS = {
    "sigmoid": SIGMOID,
    "l1-hinge": 1,
    "l2-hinge": 2,
    "l3-hinge": 3,
    "l4-hinge": 4,
}

# Whether this machine adds to the margins of few children at once; it is no matter of
# results.
HAS_LANES = bool(find_lanes())

cdef enum:
    LOG_ROWS_OF_MARK = 3
    N_SCANNED = 64           # rows looked through at a time
    BYTES_OF_LINE = 64       # of memory, as it comes into the cache
    MOST_ASKED = 512         # rows of a feature that are asked for at once
    BLOCKS_ASKED = 8         # blocks of a feature that are
    MOST_SLOTS = 65535       # of a group; what uint16 can number
    LEAST_SLOTS = 16
    NODE_WORK = 64           # of scoring a node's children, in features looked up
    LEAST_TERMS = 64
    RUNS_OF_A_GROUP = 65536  # about as many are listed before they are added
    ROWS_OF_SLOT = 32        # are read in the time that one is looked up
    LEAST_MARGINS = 256      # no child in a byte points beyond them
    SLOTS_AHEAD = 2          # whose runs are asked for while others are computed
    LOG_FLOAT = 2
    BITS = 64                # of a word that says which children are found
    NOT_THERE = 0            # lengths of runs that are listed but not yet found
    THERE = 1

# Where a run starts is noted for one row in so many; from there, lengths add up.
ROWS_OF_MARK = 1 << LOG_ROWS_OF_MARK


cdef struct Tree:
    int64_t n_features
    int64_t n_words                # of the bitmap
    int64_t n_kept                 # 0, or the length of kept_features
    int64_t n_rows
    int64_t n_blocks               # of 64 parents
    int64_t n_levels
    int64_t n_nodes
    const int32_t* kept_features   # features by their number in the bitmap
    const int64_t* child_offsets   # of nodes that have children
    const int64_t* level_starts    # first node of each level
    const uint64_t* words          # (n_words, 4): bits, and ones before them, twice
    const uint32_t* row_starts     # of each listed feature, and the end
    const void* parents            # of each listed row
    const uint64_t* blocks         # (features, n_blocks, 2): bits; first row and weight
    const uint32_t* run_marks      # first weight of every 8th row
    const void* run_lengths        # of each row, less one
    const uint8_t* entries         # of each row: children, then weights
    const float* intercepts        # of every node but the root
    const int32_t* labels          # column of each node of the last level
    bint has_wide_parents
    bint has_wide_children
    bint has_half_weights
    bint has_lanes                 # instructions that add to 16 margins at once
    int log_parent                 # of the bytes of an item
    int log_child
    int entry_size                 # of a child and a weight


cdef struct Query:
    const int32_t* features
    const float* values
    int64_t n_features
    const uint64_t* allowed        # a bit for each node, or NULL
    int transform
    bint wants_labels


cdef struct Stretch:
    # Levels to search, and where each row starts.
    int64_t first_level
    int64_t last_level
    int64_t n_nodes
    const int64_t* nodes    # (n_samples, n_nodes), counted in the level; NULL: the root
    const double* scores    # of the same shape


cdef struct Term:
    # A feature of the query that the tree uses: its blocks, or if that is NULL, its
    # rows that are still to come.
    const uint64_t* blocks
    uint32_t row
    uint32_t stop
    uint32_t weight                # first of that row
    uint32_t next_row              # first row of the next level
    uint32_t next_weight
    float value


cdef struct Walk:
    # A query on its way down.
    Query query
    Heap found
    Heap[2] beams
    Heap* beam
    Heap* reached
    Term* terms         # (most features of a query,)
    Run* runs           # (slots of a group, terms)
    int32_t* n_runs     # (slots of a group,)
    int64_t n_terms
    int64_t n_listed    # of them
    int64_t first       # of the beam's nodes that make the group
    int64_t last
    Watch watch


cdef struct Scratch:
    Walk walk
    uint16_t* slots     # (n_parents,): place in the group, from 1; 0 for all others
    double* margins     # (most children,)
    double* found       # (n_found,)
    int64_t n_found
    int64_t beam_width
    int64_t n_terms     # for which there is room: one more than are used
    int64_t n_slots
    int64_t n_bytes


cdef struct Group:
    # Nodes of the beam whose children are scored together.
    const Tree* tree
    Scratch* scratch
    Walk* walk
    const int64_t* nodes
    int64_t n_slots
    int64_t level_start
    int64_t level_stop


cdef struct Family:
    # The children of one node of the beam.
    int64_t first
    int64_t n_children
    double score        # of their parent
    const Run* runs
    int64_t n_runs
    double* scores
    uint64_t found      # a bit for each that may be among the best


cdef class _Memory:
    """What a search needs beside the tree and its result."""

    cdef Scratch scratch

    def __cinit__(
        self, int64_t beam_width, int64_t n_terms, int64_t n_found, int64_t n_parents,
        int64_t most_children,
    ):
        cdef Scratch* scratch = &self.scratch
        cdef Walk* walk = &scratch.walk
        cdef int64_t i
        scratch.beam_width = beam_width
        scratch.n_terms = n_terms
        scratch.n_found = n_found
        scratch.n_slots = min(
            beam_width, max(LEAST_SLOTS, RUNS_OF_A_GROUP // max(n_terms, 1)), MOST_SLOTS
        )
        for i in range(2):
            walk.beams[i].nodes = <int64_t*>self._take(beam_width, sizeof(int64_t))
            walk.beams[i].keys = <int64_t*>self._take(beam_width, sizeof(int64_t))
            walk.beams[i].scores = <double*>self._take(beam_width, sizeof(double))
        walk.terms = <Term*>self._take(n_terms, sizeof(Term))
        walk.runs = <Run*>self._take(scratch.n_slots * n_terms, sizeof(Run))
        walk.n_runs = <int32_t*>self._take(scratch.n_slots, sizeof(int32_t))
        scratch.slots = <uint16_t*>self._take(n_parents, sizeof(uint16_t))
        scratch.found = <double*>self._take(n_found, sizeof(double))
        scratch.margins = <double*>self._take(
            max(most_children, <int64_t>LEAST_MARGINS), sizeof(double)
        )

    cdef void* _take(self, int64_t n_items, size_t size) except NULL:
        return take(n_items, size, &self.scratch.n_bytes)

    def __dealloc__(self):
        cdef Walk* walk = &self.scratch.walk
        for i in range(2):
            free(walk.beams[i].nodes)
            free(walk.beams[i].keys)
            free(walk.beams[i].scores)
        free(walk.terms)
        free(walk.runs)
        free(walk.n_runs)
        free(self.scratch.slots)
        free(self.scratch.found)
        free(self.scratch.margins)


cdef class Searcher:
    """Searches one layout; any number of threads can use it at once.

    Holds the arrays of a `SearchLayout` and its `FeatureWeights`, which document them,
    and memory that calls take and give back, so that a call allocates nothing.
    """

    cdef Tree tree
    cdef tuple arrays
    cdef list pool
    cdef int64_t n_parents
    cdef int64_t widest_level
    cdef int64_t most_children

    def __init__(
        self,
        int64_t n_features,
        const int32_t[::1] kept_features,
        const int64_t[::1] child_offsets,
        const int64_t[::1] level_starts,
        const int32_t[::1] labels,
        const uint64_t[:, ::1] words,
        const uint32_t[::1] row_starts,
        parents,
        const uint32_t[::1] run_marks,
        const uint64_t[:, :, ::1] blocks,
        run_lengths,
        const uint8_t[::1] entries,
        const float[::1] intercepts,
        *,
        bint has_half_weights,
        bint has_lanes,
        int64_t widest_level,
        int64_t most_children,
    ):
        cdef Tree* tree = &self.tree
        self.pool = []
        # Pointers live as long as what they point to.
        self.arrays = (
            kept_features, child_offsets, level_starts, labels, words, row_starts,
            parents, run_marks, blocks, run_lengths, entries, intercepts,
        )
        self.n_parents = child_offsets.shape[0] - 1
        self.widest_level = widest_level
        self.most_children = most_children
        tree.n_features = n_features
        tree.n_words = words.shape[0]
        tree.n_kept = kept_features.shape[0]
        tree.n_rows = len(run_lengths)
        tree.n_blocks = blocks.shape[1]
        tree.n_levels = level_starts.shape[0] - 1
        tree.n_nodes = intercepts.shape[0] + 1
        tree.kept_features = &kept_features[0] if tree.n_kept else NULL
        tree.child_offsets = &child_offsets[0]
        tree.level_starts = &level_starts[0]
        tree.words = &words[0, 0] if tree.n_words else NULL
        tree.blocks = &blocks[0, 0, 0] if blocks.shape[0] else NULL
        tree.row_starts = &row_starts[0]
        tree.run_marks = &run_marks[0] if run_marks.shape[0] else NULL
        tree.intercepts = &intercepts[0]
        tree.labels = &labels[0] if labels.shape[0] else NULL
        tree.has_wide_parents = parents.dtype.itemsize > 2
        tree.has_wide_children = run_lengths.dtype.itemsize > 1
        tree.has_half_weights = has_half_weights
        tree.has_lanes = has_lanes and not tree.has_wide_children
        tree.log_parent = 2 if tree.has_wide_parents else 1
        tree.log_child = 2 if tree.has_wide_children else 0
        tree.entry_size = (1 << tree.log_child) + (2 if has_half_weights else 4)
        tree.entries = &entries[0] if entries.shape[0] else NULL
        if tree.has_wide_parents:
            tree.parents = address_of_ints(parents)
        else:
            tree.parents = address_of_shorts(parents)
        if tree.has_wide_children:
            tree.run_lengths = address_of_ints(run_lengths)
        else:
            tree.run_lengths = address_of_bytes(run_lengths)
        if (
            len(parents) > len(run_lengths)
            or len(parents) > ROWS_OF_MARK * run_marks.shape[0]
            or 64 * blocks.shape[1] < self.n_parents
            or words.shape[1] != 4
        ):
            raise ValueError("The arrays of the layout do not fit together.")

    def search(
        self,
        const int64_t[::1] X_offsets,      # IN (n_samples + 1,)
        const int32_t[::1] X_indices,      # IN
        const float[::1] X_values,         # IN
        int64_t beam_width,
        int transform,
        bint wants_labels,                 # or nodes, counted in the last level
        const uint64_t[::1] allowed,       # IN, a bit for each node; or None
        int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
        double[:, ::1] scores,             # OUT (n_samples, k): logarithms; -inf there
        const uint8_t[::1] stop=None,      # IN (1,): not 0 once nobody wants the result
    ):
        """Find the best k of the nodes or labels that a beam reaches, best first."""
        cdef Stretch stretch
        stretch.first_level, stretch.last_level = 0, self.tree.n_levels
        stretch.n_nodes, stretch.nodes, stretch.scores = 1, NULL, NULL
        self._search_rows(
            X_offsets, X_indices, X_values, &stretch, beam_width, transform,
            wants_labels, allowed, columns, scores, stop,
        )

    def search_between(
        self,
        int64_t first_level,               # of the nodes; 0 is that of the root
        int64_t last_level,                # of what is found
        const int64_t[:, ::1] nodes,       # IN (n_samples, any), counted in the level:
                                           # different ones, best first; -1 is none
        const double[:, ::1] node_scores,  # IN of the same shape: logarithms
        const int64_t[::1] X_offsets,      # IN (n_samples + 1,)
        const int32_t[::1] X_indices,      # IN
        const float[::1] X_values,         # IN
        int64_t beam_width,
        int transform,
        bint wants_labels,                 # at the last level of all; or nodes
        const uint64_t[::1] allowed,       # IN, a bit for each node; or None
        int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
        double[:, ::1] scores,             # OUT (n_samples, k): logarithms; -inf there
        const uint8_t[::1] stop=None,      # IN (1,): not 0 once nobody wants the result
    ):
        """Find the best k of a level as `search` does, from given nodes of another."""
        cdef Stretch stretch
        self._check_nodes(first_level, last_level, nodes, node_scores)
        if columns.shape[0] == 0:
            return
        if nodes.shape[0] < columns.shape[0]:
            raise ValueError(
                f"nodes has {nodes.shape[0]} rows; expected {columns.shape[0]}."
            )
        stretch.first_level, stretch.last_level = first_level, last_level
        stretch.n_nodes = nodes.shape[1]
        stretch.nodes, stretch.scores = &nodes[0, 0], &node_scores[0, 0]
        self._search_rows(
            X_offsets, X_indices, X_values, &stretch, beam_width, transform,
            wants_labels, allowed, columns, scores, stop,
        )

    cdef int _search_rows(
        self, const int64_t[::1] X_offsets, const int32_t[::1] X_indices,
        const float[::1] X_values, const Stretch* stretch, int64_t beam_width,
        int transform, bint wants_labels, const uint64_t[::1] allowed,
        int64_t[:, ::1] columns, double[:, ::1] scores, const uint8_t[::1] stop,
    ) except -1:
        cdef Query query
        cdef _Memory memory
        cdef Walk* walk
        cdef const int32_t* features = NULL
        cdef const float* values = NULL
        cdef int64_t i, longest = 0, n_samples = columns.shape[0]
        if columns.shape[1] == 0 or n_samples == 0:
            return 0
        if X_offsets[n_samples] > min(X_indices.shape[0], X_values.shape[0]):
            raise ValueError("X has fewer indices or values than its offsets say.")
        if X_indices.shape[0]:
            features = &X_indices[0]
            values = &X_values[0]
        query.allowed = self._check_allowed(allowed)
        query.transform = transform
        query.wants_labels = wants_labels
        for i in range(n_samples):
            longest = max(longest, X_offsets[i + 1] - X_offsets[i])
        memory = self._lend(beam_width, longest, 0)
        walk = &memory.scratch.walk
        walk.watch = watch_for(stop)
        with nogil:
            for i in range(n_samples):
                query.n_features = X_offsets[i + 1] - X_offsets[i]
                query.features = features + X_offsets[i]
                query.values = values + X_offsets[i]
                walk.query = query
                walk.found.capacity = columns.shape[1]
                # What is found is kept by key only: both may share their memory.
                walk.found.nodes = walk.found.keys = &columns[i, 0]
                walk.found.scores = &scores[i, 0]
                _search_one(&self.tree, stretch, i, &memory.scratch)
                if walk.watch.ended:
                    break
        raise_ended(&walk.watch)
        self._give_back(memory)
        return 0

    cdef int _check_nodes(
        self, int64_t first_level, int64_t last_level, const int64_t[:, ::1] nodes,
        const double[:, ::1] node_scores,
    ) except -1:
        """Refuse levels that are not there, and nodes that the first does not have."""
        cdef int64_t i, j, size
        if not 0 <= first_level < last_level <= self.tree.n_levels:
            raise ValueError(
                f"There is nothing between levels {first_level} and {last_level} of a "
                f"tree of {self.tree.n_levels} levels."
            )
        if nodes.shape[1] == 0:
            raise ValueError("There is no node to start from; expected room for one.")
        if (
            node_scores.shape[0] != nodes.shape[0]
            or node_scores.shape[1] != nodes.shape[1]
        ):
            raise ValueError("Nodes and their scores differ in shape.")
        size = self.tree.level_starts[first_level + 1]
        size -= self.tree.level_starts[first_level]
        for i in range(nodes.shape[0]):
            for j in range(nodes.shape[1]):
                if nodes[i, j] >= size or (j >= size and nodes[i, j] >= 0):
                    raise ValueError(
                        f"Level {first_level} has {size} nodes; got {nodes[i, j]} as "
                        f"number {j} of row {i}."
                    )
        return 0

    def search_one(
        self,
        const int32_t[::1] indices,        # IN (nnz,)
        const float[::1] values,           # IN (nnz,)
        int64_t beam_width,
        int transform,
        const uint64_t[::1] allowed,       # IN, a bit for each node; or None
        int64_t[::1] columns,              # OUT (k,)
        double[::1] scores,                # OUT (k,)
    ):
        """Find the best k labels of one row."""
        if columns.shape[0]:
            self._find_one(
                indices, values, beam_width, transform, self._check_allowed(allowed),
                columns.shape[0], &columns[0], &scores[0], NULL,
            )

    def rank_one(
        self,
        const int32_t[::1] indices,        # IN (nnz,)
        const float[::1] values,           # IN (nnz,)
        int64_t beam_width,
        int transform,
        int64_t[::1] columns,              # OUT (k,); -1 where none is found
        float[::1] scores,                 # OUT (k,): not logarithms; 0 there
    ):
        """Find the best k labels of one row, and their scores themselves."""
        if columns.shape[0]:
            self._find_one(
                indices, values, beam_width, transform, NULL,
                columns.shape[0], &columns[0], NULL, &scores[0],
            )

    cdef int _find_one(
        self, const int32_t[::1] indices, const float[::1] values, int64_t beam_width,
        int transform, const uint64_t* allowed, int64_t k, int64_t* columns,
        double* log_scores, float* scores,
    ) except -1:
        """Fill the log scores, or the scores if those are NULL."""
        cdef Query query
        cdef Stretch stretch
        cdef _Memory memory
        cdef Walk* walk
        cdef int64_t i, n_features = indices.shape[0]
        if values.shape[0] < n_features:
            raise ValueError("X has fewer indices or values than its offsets say.")
        query.n_features = n_features
        query.features = &indices[0] if n_features else NULL
        query.values = &values[0] if n_features else NULL
        query.allowed = allowed
        query.transform = transform
        query.wants_labels = True
        stretch.first_level, stretch.last_level = 0, self.tree.n_levels
        stretch.n_nodes, stretch.nodes, stretch.scores = 1, NULL, NULL
        memory = self._lend(beam_width, n_features, k if log_scores == NULL else 0)
        walk = &memory.scratch.walk
        walk.query = query
        walk.watch = watch_for(None)
        walk.found.capacity = k
        walk.found.nodes = walk.found.keys = columns
        walk.found.scores = memory.scratch.found if log_scores == NULL else log_scores
        with nogil:
            _search_one(&self.tree, &stretch, 0, &memory.scratch)
            if log_scores == NULL:
                for i in range(k):
                    scores[i] = as_score(columns[i], walk.found.scores[i])
        raise_ended(&walk.watch)
        self._give_back(memory)
        return 0

    cdef const uint64_t* _check_allowed(self, const uint64_t[::1] allowed) except? NULL:
        if allowed is None:
            return NULL
        if 64 * allowed.shape[0] < self.tree.n_nodes:
            raise ValueError(
                f"allowed has {allowed.shape[0]} words of 64 bits; expected a bit for "
                f"each of {self.tree.n_nodes} nodes."
            )
        return &allowed[0]

    cdef _Memory _lend(self, int64_t beam_width, int64_t n_terms, int64_t n_found):
        """Take memory that no other call uses, large enough for this one."""
        cdef _Memory memory = None
        if beam_width < 1:
            raise ValueError("The beam has no place for a node; expected one at least.")
        beam_width = min(beam_width, self.widest_level)
        try:
            memory = self.pool.pop()
        except IndexError:
            pass
        if (
            memory is None
            or memory.scratch.beam_width < beam_width
            or memory.scratch.n_terms <= n_terms
            or memory.scratch.n_found < n_found
        ):
            memory = _Memory(
                beam_width, max(2 * n_terms, <int64_t>LEAST_TERMS), n_found,
                self.n_parents, self.most_children,
            )
        memory.scratch.walk.beams[0].capacity = beam_width
        memory.scratch.walk.beams[1].capacity = beam_width
        return memory

    cdef _give_back(self, _Memory memory):
        if memory.scratch.n_bytes <= KEPT_SCRATCH:
            self.pool.append(memory)


cdef void _search_one(
    const Tree* tree, const Stretch* stretch, int64_t row, Scratch* scratch
) noexcept nogil:
    """Walk down from the first level to the last, unless it is ended early."""
    cdef Walk* walk = &scratch.walk
    cdef int64_t level, work
    _look_up_features(tree, walk)
    _ask_for_rows(tree, walk)
    _ask_for_first_runs(tree, walk)
    _start_beam(tree, stretch, row, walk)
    for level in range(stretch.first_level, stretch.last_level):
        _start_level(level, stretch.last_level, walk)
        while _start_group(tree, level, walk, scratch.n_slots):
            work = (walk.last - walk.first) * (walk.n_terms + NODE_WORK)
            if must_end(&walk.watch, work):
                return
            if walk.n_listed:
                _list_rows(tree, level, walk, scratch)
            _score_group(tree, level, walk, scratch)
        sort(walk.reached)
        walk.beam = walk.reached
    _fill_up(&walk.found)


cdef inline void _fill_up(Heap* found) noexcept nogil:
    """Say where nothing was found."""
    cdef int64_t i
    for i in range(found.size, found.capacity):
        found.keys[i] = -1
        found.scores[i] = -INFINITY


cdef inline void _start_beam(
    const Tree* tree, const Stretch* stretch, int64_t row, Walk* walk
) noexcept nogil:
    """Put the root into the beam, or the allowed ones of given nodes, if they fit."""
    cdef int64_t i, node
    cdef Heap* beam = &walk.beams[stretch.first_level % 2]
    walk.beam = beam
    beam.size = 0
    if stretch.nodes == NULL:
        beam.size = _is_allowed(&walk.query, 0)
        beam.nodes[0] = 0
        beam.scores[0] = 0.0
        return
    for i in range(row * stretch.n_nodes, (row + 1) * stretch.n_nodes):
        if beam.size == beam.capacity:
            break
        node = tree.level_starts[stretch.first_level] + stretch.nodes[i]
        if stretch.nodes[i] >= 0 and _is_allowed(&walk.query, node):
            beam.nodes[beam.size] = node
            beam.scores[beam.size] = stretch.scores[i]
            beam.size += 1


cdef inline bint _is_allowed(const Query* query, int64_t node) noexcept nogil:
    return query.allowed == NULL or (query.allowed[node >> 6] >> (node & 63)) & 1


# From features to rows
# ---------------------

cdef inline void _look_up_features(const Tree* tree, Walk* walk) noexcept nogil:
    """List the features that the tree uses."""
    cdef int64_t i
    cdef Term* term
    walk.n_terms = walk.n_listed = 0
    for i in range(walk.query.n_features):
        term = &walk.terms[walk.n_terms]
        if _look_up(tree, walk.query.features[i], term):
            term.value = walk.query.values[i]
            walk.n_terms += 1
            walk.n_listed += term.blocks == NULL


cdef inline void _ask_for_rows(const Tree* tree, Walk* walk) noexcept nogil:
    """Find the rows of listed features, and ask for their memory."""
    cdef int64_t i
    cdef uint32_t row, n_asked
    cdef Term* term
    for i in range(walk.n_terms):
        term = &walk.terms[i]
        if term.blocks != NULL:
            continue
        row = term.row
        term.stop = tree.row_starts[row + 1]
        row = tree.row_starts[row]
        term.row = term.next_row = row
        n_asked = min(term.stop - row, <uint32_t>MOST_ASKED)
        prefetch(tree.run_marks + (row >> LOG_ROWS_OF_MARK))
        _ask(tree.parents, row, n_asked, tree.log_parent)
        _ask(tree.run_lengths, row, n_asked, tree.log_child)


cdef inline void _ask_for_first_runs(const Tree* tree, Walk* walk) noexcept nogil:
    """Find the first weight of listed features, and ask for it."""
    cdef int64_t i
    cdef Term* term
    for i in range(walk.n_terms):
        term = &walk.terms[i]
        if term.blocks != NULL:
            continue
        if tree.has_wide_children:
            term.next_weight = _run_start(
                tree, term.row, <const int32_t*>tree.run_lengths
            )
        else:
            term.next_weight = _run_start(
                tree, term.row, <const uint8_t*>tree.run_lengths
            )
        prefetch(tree.entries + <size_t>term.next_weight * tree.entry_size)


cdef inline void _ask(
    const void* items, uint32_t first, uint32_t n_items, int log_size
) noexcept nogil:
    """Ask for the memory of some items, before it is needed."""
    cdef const uint8_t* address = <const uint8_t*>items + (<size_t>first << log_size)
    cdef const uint8_t* stop = address + (<size_t>n_items << log_size)
    while address < stop:
        prefetch(address)
        address += BYTES_OF_LINE


cdef inline bint _look_up(const Tree* tree, int32_t feature, Term* term) noexcept nogil:
    """Find the number of a feature among the listed ones, or its blocks, if any."""
    cdef int64_t number = feature, used
    cdef const uint64_t* word
    cdef uint64_t bit
    if number < 0 or number >= tree.n_features:
        return False
    if tree.n_kept:
        number = _find(tree.kept_features, 0, tree.n_kept, feature)
        if number == tree.n_kept or tree.kept_features[number] != feature:
            return False
    word = tree.words + 4 * (number >> 6)
    bit = <uint64_t>1 << (number & 63)
    if word[0] & bit:
        term.blocks = NULL
        term.row = <uint32_t>(word[1] + count_bits(word[0] & (bit - 1)))
        prefetch(tree.row_starts + term.row)
        return True
    if word[2] & bit:
        used = word[3] + count_bits(word[2] & (bit - 1))
        term.blocks = tree.blocks + 2 * tree.n_blocks * used
        _ask(term.blocks, 0, <uint32_t>min(tree.n_blocks, <int64_t>BLOCKS_ASKED), 4)
        return True
    return False


cdef inline int64_t _find(
    const parent_t* values, int64_t start, int64_t stop, int64_t wanted
) noexcept nogil:
    """First place of a value that is not smaller than the wanted one."""
    cdef const parent_t* first = values + start
    cdef int64_t half, n_left = stop - start
    # Without a branch on what is compared: nobody could guess it.
    while n_left > 1:
        half = n_left >> 1
        first += half * (first[half - 1] < wanted)
        n_left -= half
    if n_left == 1:
        first += first[0] < wanted
    return first - values


cdef inline uint32_t _run_start(
    const Tree* tree, int64_t row, const child_t* lengths
) noexcept nogil:
    """Find the first weight of a row of a listed feature."""
    cdef int64_t mark = row >> LOG_ROWS_OF_MARK
    cdef int64_t first = mark << LOG_ROWS_OF_MARK
    return tree.run_marks[mark] + _count_weights(tree, first, row, lengths)


cdef inline uint32_t _count_weights(
    const Tree* tree, int64_t first, int64_t last, const child_t* lengths
) noexcept nogil:
    """Count the weights of rows."""
    cdef int64_t row, n_weights = last - first
    if child_t is uint8_t:
        n_weights += sum_bytes(lengths + first, last - first, tree.n_rows - first)
    else:
        for row in range(first, last):
            n_weights += lengths[row]
    return <uint32_t>n_weights


# One level
# ---------

cdef inline void _start_level(
    int64_t level, int64_t last_level, Walk* walk
) noexcept nogil:
    cdef int64_t i
    walk.reached = &walk.beams[(level + 1) % 2]
    if level == last_level - 1:
        walk.reached = &walk.found
    walk.reached.size = 0
    walk.first = walk.last = 0
    for i in range(walk.n_terms):
        walk.terms[i].row = walk.terms[i].next_row
        walk.terms[i].weight = walk.terms[i].next_weight


cdef inline bint _start_group(
    const Tree* tree, int64_t level, Walk* walk, int64_t n_slots
) noexcept nogil:
    """Take the next nodes of the beam; none if no child could come among the best."""
    walk.first = walk.last
    if walk.first == walk.beam.size or _is_hopeless(
        walk.beam.scores[walk.first], walk.reached
    ):
        return False
    walk.last = min(walk.first + n_slots, walk.beam.size)
    _ask_for_group(tree, level, walk)
    return True


cdef inline void _ask_for_group(
    const Tree* tree, int64_t level, const Walk* walk
) noexcept nogil:
    """Ask for the blocks of the group's nodes, and for what their children need."""
    cdef int64_t i, j, node, child, n, block = -1
    for i in range(walk.first, walk.last):
        node = walk.beam.nodes[i]
        child = tree.child_offsets[node]
        n = min(tree.child_offsets[node + 1] - child, <int64_t>MOST_ASKED)
        _ask(tree.intercepts, child - 1, n, LOG_FLOAT)
        if level == tree.n_levels - 1 and walk.query.wants_labels:
            _ask(tree.labels, child - tree.level_starts[level + 1], n, LOG_FLOAT)
        if node >> 6 == block or tree.n_blocks <= BLOCKS_ASKED:
            continue
        block = node >> 6
        for j in range(walk.n_terms):
            if walk.terms[j].blocks != NULL:
                prefetch(walk.terms[j].blocks + 2 * block)


cdef inline bint _is_hopeless(double score, const Heap* reached) noexcept nogil:
    """Children score no better than their parent."""
    return score < _bar(reached)


cdef inline double _bar(const Heap* reached) noexcept nogil:
    """What a candidate must score; never -inf, the score of what is never found."""
    return reached.scores[0] if reached.size == reached.capacity else -DBL_MAX


cdef inline bint _needs_weights(
    const Query* query, const Tree* tree, int64_t node
) noexcept nogil:
    """Whether a child may be reached whose margin depends on the query."""
    cdef int64_t child
    cdef int64_t first = tree.child_offsets[node], stop = tree.child_offsets[node + 1]
    cdef float intercept
    if query.allowed == NULL and stop - first > 1:
        return True
    for child in range(first, stop):
        intercept = tree.intercepts[child - 1]
        if -INFINITY < intercept < INFINITY and _is_allowed(query, child):
            return True
    return False


cdef void _list_rows(
    const Tree* tree, int64_t level, Walk* walk, Scratch* scratch
) noexcept nogil:
    """Find the rows of all slots for features whose parents are listed."""
    cdef const uint8_t* bytes = <const uint8_t*>tree.run_lengths
    cdef const int32_t* ints = <const int32_t*>tree.run_lengths
    cdef const uint16_t* parents = <const uint16_t*>tree.parents
    cdef const int32_t* wide_parents = <const int32_t*>tree.parents
    cdef int64_t i
    cdef Group group
    group.tree = tree
    group.scratch = scratch
    group.walk = walk
    group.nodes = walk.beam.nodes + walk.first
    group.n_slots = walk.last - walk.first
    group.level_start = tree.level_starts[level]
    group.level_stop = tree.level_starts[level + 1]
    for i in range(group.n_slots):
        scratch.slots[group.nodes[i]] = <uint16_t>(i + 1)
    if tree.has_wide_parents:
        if tree.has_wide_children:
            _list(&group, wide_parents, ints)
        else:
            _list(&group, wide_parents, bytes)
    elif tree.has_wide_children:
        _list(&group, parents, ints)
    else:
        _list(&group, parents, bytes)
    for i in range(group.n_slots):
        scratch.slots[group.nodes[i]] = 0


cdef inline void _list(
    Group* group, const parent_t* parents, const child_t* lengths
) noexcept nogil:
    cdef int64_t i, slot
    for i in range(group.walk.n_terms):
        if group.walk.terms[i].blocks == NULL:
            for slot in range(group.n_slots):
                _run_of(group, slot, i).length = NOT_THERE
            _list_term(group, i, parents, lengths)


cdef inline Run* _run_of(const Group* group, int64_t slot, int64_t term) noexcept nogil:
    return group.walk.runs + slot * group.scratch.n_terms + term


cdef inline void _list_term(
    Group* group, int64_t i, const parent_t* parents, const child_t* lengths
) noexcept nogil:
    """Find the rows of one feature; all are read through, or each is looked up."""
    cdef Term* term = &group.walk.terms[i]
    cdef int64_t most_read = ROWS_OF_SLOT * group.n_slots
    # Levels that needed no weights left their rows.
    while term.row < term.stop and parents[term.row] < group.level_start:
        term.weight += lengths[term.row] + 1
        term.row += 1
    cdef int64_t stop = term.stop
    if stop - term.row > most_read:
        stop = _find(parents, term.row, stop, group.level_stop)
    if stop - term.row <= most_read:
        _scan(group, i, parents, lengths)
    else:
        _find_rows(group, i, stop, parents, lengths)
        term.next_row = <uint32_t>stop
        if stop < term.stop:
            term.next_weight = _run_start(group.tree, stop, lengths)


cdef inline void _scan(
    Group* group, int64_t place, const parent_t* parents, const child_t* lengths
) noexcept nogil:
    """Read the rows of a feature up to the end of the level."""
    cdef Term* term = &group.walk.terms[place]
    cdef uint32_t[N_SCANNED] starts, rows
    cdef uint16_t[N_SCANNED] slots
    cdef uint32_t row = term.row, start = term.weight, stop
    cdef int64_t parent, n_found, i
    cdef uint16_t slot
    cdef const uint16_t* group_slots = group.scratch.slots
    cdef bint is_done = False
    cdef Run* run
    while not is_done:
        n_found = 0
        stop = term.stop
        if stop - row > N_SCANNED:
            stop = row + N_SCANNED
        is_done = stop == term.stop
        # Without a branch on what is found: nobody could guess it.
        while row < stop:
            parent = parents[row]
            if parent >= group.level_stop:
                is_done = True
                break
            slot = group_slots[parent]
            starts[n_found] = start
            rows[n_found] = row
            slots[n_found] = slot
            n_found += slot != 0
            start += lengths[row] + 1
            row += 1
        for i in range(n_found):
            run = _run_of(group, slots[i] - 1, place)
            run.start = starts[i]
            run.row = rows[i]
            run.n_before = 0
            run.length = THERE
    term.next_row = row
    term.next_weight = start


cdef inline void _find_rows(
    Group* group, int64_t place, int64_t stop, const parent_t* parents,
    const child_t* lengths,
) noexcept nogil:
    """Look up the row of each slot among the many of a feature."""
    cdef const Term* term = &group.walk.terms[place]
    cdef int64_t slot, row
    cdef Run* run
    for slot in range(group.n_slots):
        row = _find(parents, term.row, stop, group.nodes[slot])
        if row == stop or parents[row] != group.nodes[slot]:
            continue
        run = _run_of(group, slot, place)
        run.row = <uint32_t>row
        run.n_before = row & ((1 << LOG_ROWS_OF_MARK) - 1)
        run.start = group.tree.run_marks[row >> LOG_ROWS_OF_MARK]
        run.length = THERE
        prefetch(lengths + row)


# The children of one node
# ------------------------

cdef void _score_group(
    const Tree* tree, int64_t level, Walk* walk, Scratch* scratch
) noexcept nogil:
    """Score the children of the group's nodes, the best nodes first.

    Memory comes while others are computed; what has no hope is not asked for.
    """
    cdef int64_t i
    cdef Family family, before
    before.n_children = 0
    for i in range(walk.first, min(walk.first + 2 * SLOTS_AHEAD, walk.last)):
        _list_runs(tree, walk, scratch, i)
    for i in range(walk.first, min(walk.first + SLOTS_AHEAD, walk.last)):
        _find_runs(tree, walk, scratch, i)
    for i in range(walk.first, walk.last):
        if _is_hopeless(walk.beam.scores[i], walk.reached):
            break
        if i + 2 * SLOTS_AHEAD < walk.last:
            _list_runs(tree, walk, scratch, i + 2 * SLOTS_AHEAD)
        if i + SLOTS_AHEAD < walk.last:
            _find_runs(tree, walk, scratch, i + SLOTS_AHEAD)
        _start_family(tree, walk, scratch, i, &family)
        if not _is_small(tree, walk, &family):
            _keep_best(tree, level, walk, &before)
            before.n_children = 0
            _score_children(tree, level, walk, scratch, &family)
            continue
        # Nobody can guess which of the children are kept: while that waits for their
        # scores, those of the next node's may be computed.
        family.scores += LANES * (i & 1)
        family.found = score_lanes(
            family.runs, family.n_runs, tree.entries, tree.has_half_weights,
            tree.intercepts + family.first - 1, family.n_children, family.score,
            walk.query.transform, _bar(walk.reached), family.scores,
        )
        _keep_best(tree, level, walk, &before)
        before = family
    _keep_best(tree, level, walk, &before)


cdef inline void _start_family(
    const Tree* tree, const Walk* walk, Scratch* scratch, int64_t place, Family* family
) noexcept nogil:
    cdef int64_t node = walk.beam.nodes[place], slot = place - walk.first
    family.first = tree.child_offsets[node]
    family.n_children = tree.child_offsets[node + 1] - family.first
    family.score = walk.beam.scores[place]
    family.runs = walk.runs + slot * scratch.n_terms
    family.n_runs = walk.n_runs[slot]
    family.scores = scratch.margins
    family.found = 0


cdef inline bint _is_small(
    const Tree* tree, const Walk* walk, const Family* family
) noexcept nogil:
    """Whether the margins of all children fit into vectors."""
    return (
        family.n_children <= LANES
        and tree.has_lanes
        and walk.query.transform != SIGMOID
    )


cdef inline void _list_runs(
    const Tree* tree, Walk* walk, const Scratch* scratch, int64_t place
) noexcept nogil:
    """List the runs of the query's features for a slot, in their order.

    Without a branch on what is found: nobody could guess it.
    """
    cdef int64_t i, n = 0, node = walk.beam.nodes[place]
    cdef int64_t slot = place - walk.first
    cdef uint64_t bits, starts, bit = <uint64_t>1 << (node & 63)
    cdef Run* runs = walk.runs + slot * scratch.n_terms
    cdef Run* run
    cdef const Term* term
    walk.n_runs[slot] = 0
    if _is_hopeless(walk.beam.scores[place], walk.reached) or not _needs_weights(
        &walk.query, tree, node
    ):
        return
    for i in range(walk.n_terms):
        term = &walk.terms[i]
        run = &runs[n]
        if term.blocks == NULL:
            n += runs[i].length
            run[0] = runs[i]
        else:
            bits = term.blocks[2 * (node >> 6)]
            starts = term.blocks[2 * (node >> 6) + 1]
            n += (bits & bit) != 0
            run.start = <uint32_t>(starts >> 32)
            run.n_before = count_bits(bits & (bit - 1))
            run.row = <uint32_t>starts + run.n_before
            if tree.has_wide_children:
                prefetch(<const int32_t*>tree.run_lengths + run.row)
            else:
                prefetch(<const uint8_t*>tree.run_lengths + run.row)
        run.value = term.value
    walk.n_runs[slot] = <int32_t>n


cdef inline void _find_runs(
    const Tree* tree, Walk* walk, const Scratch* scratch, int64_t place
) noexcept nogil:
    """Find where the runs of a slot lie, and ask for them."""
    cdef int64_t i, slot = place - walk.first
    cdef Run* runs = walk.runs + slot * scratch.n_terms
    if _is_hopeless(walk.beam.scores[place], walk.reached):
        return
    if tree.has_lanes:
        find_runs_by_lanes(
            runs, walk.n_runs[slot], <const uint8_t*>tree.run_lengths, tree.entries,
            tree.entry_size,
        )
        return
    for i in range(walk.n_runs[slot]):
        if tree.has_wide_children:
            _find_run(tree, &runs[i], <const int32_t*>tree.run_lengths)
        else:
            _find_run(tree, &runs[i], <const uint8_t*>tree.run_lengths)
        _ask_for_run(tree, &runs[i])


cdef inline void _find_run(
    const Tree* tree, Run* run, const child_t* lengths
) noexcept nogil:
    cdef int64_t row = run.row
    run.start += _count_weights(tree, row - run.n_before, row, lengths)
    run.length = lengths[row] + 1


cdef inline void _ask_for_run(const Tree* tree, const Run* run) noexcept nogil:
    """Ask for both ends of a run: what lies between those of a long one follows."""
    cdef const uint8_t* first = tree.entries + <size_t>run.start * tree.entry_size
    prefetch(first)
    prefetch(first + run.length * tree.entry_size - 1)


cdef void _score_children(
    const Tree* tree, int64_t level, Walk* walk, Scratch* scratch, Family* family
) noexcept nogil:
    """Score the children of one node and keep the best."""
    cdef double* margins = family.scores
    cdef int64_t child, first = 0, n_children = family.n_children
    cdef bint by_lanes = tree.has_lanes and walk.query.transform != SIGMOID
    for child in range(n_children):
        margins[child] = tree.intercepts[family.first - 1 + child]
    _add_runs(tree, family, margins)
    if not by_lanes:
        turn_into_scores(margins, n_children, family.score, walk.query.transform)
    while first < n_children:
        family.n_children = min(n_children - first, <int64_t>BITS)
        family.scores = margins + first
        if by_lanes:
            family.found = turn_by_lanes(
                family.scores, family.n_children, family.score, walk.query.transform,
                _bar(walk.reached),
            )
        else:
            family.found = _above(family, _bar(walk.reached))
        _keep_best(tree, level, walk, family)
        family.first += BITS
        first += BITS


cdef inline uint64_t _above(const Family* family, double bar) noexcept nogil:
    """Give a bit for each child whose score is not below the bar."""
    cdef uint64_t bits = 0
    cdef int64_t i
    for i in range(family.n_children):
        bits |= <uint64_t>(not family.scores[i] < bar) << i
    return bits


cdef inline void _keep_best(
    const Tree* tree, int64_t level, Walk* walk, const Family* family
) noexcept nogil:
    """Keep those children that are found, and still among the best."""
    cdef Heap* reached = walk.reached
    cdef int64_t child, key, first_key = family.first - tree.level_starts[level + 1]
    cdef uint64_t found = family.found if family.n_children else 0
    cdef double bar = _bar(reached)
    cdef const int32_t* labels = NULL
    if level == tree.n_levels - 1 and walk.query.wants_labels:
        labels = tree.labels
    while found:
        child = lowest_bit(found)
        found &= found - 1
        if family.scores[child] < bar or not _is_allowed(
            &walk.query, family.first + child
        ):
            continue
        key = first_key + child
        if labels != NULL:
            key = labels[key]
        push(reached, family.first + child, key, family.scores[child])
        bar = _bar(reached)


cdef inline void _add_runs(
    const Tree* tree, const Family* family, double* margins
) noexcept nogil:
    """Add value times weight to the margins."""
    cdef int64_t n_runs = family.n_runs
    cdef const Run* runs = family.runs
    if tree.has_wide_children:
        if tree.has_half_weights:
            _add(tree, runs, n_runs, <int32_t>0, <uint16_t>0, margins)
        else:
            _add(tree, runs, n_runs, <int32_t>0, <float>0, margins)
    elif tree.has_half_weights:
        _add(tree, runs, n_runs, <uint8_t>0, <uint16_t>0, margins)
    else:
        _add(tree, runs, n_runs, <uint8_t>0, <float>0, margins)


cdef inline void _add(
    const Tree* tree, const Run* runs, int64_t n_runs, child_t child, weight_t weight,
    double* margins,
) noexcept nogil:
    """The types of `child` and `weight` are those of the entries."""
    cdef int64_t i
    cdef double value
    cdef const uint8_t* at
    cdef const uint8_t* stop
    cdef const uint8_t* weights
    for i in range(n_runs):
        at = tree.entries + <size_t>runs[i].start * (sizeof(child_t) + sizeof(weight_t))
        stop = weights = at + runs[i].length * sizeof(child_t)
        value = runs[i].value
        while at < stop:
            memcpy(&child, at, sizeof(child_t))
            memcpy(&weight, weights, sizeof(weight_t))
            if weight_t is float:
                margins[child] += value * weight
            else:
                margins[child] += value * from_half(weight)
            at += sizeof(child_t)
            weights += sizeof(weight_t)
