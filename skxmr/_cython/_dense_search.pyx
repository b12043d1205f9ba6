"""Beam search for dense queries, level by level for many queries at a time.

Queries whose beams hold the same node are put side by side, one to a lane, and the
sparse weights of the node's children are multiplied with all of them at once
(include/products.h): weights are read once for several queries, and pruned weights
cost nothing.

Sums, scores and ties are those of the search for sparse queries, to the bit.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free
from libc.string cimport memset

from skxmr._cython._beam cimport Heap, as_score, push, sort, turn_into_scores
from skxmr._cython._cpu cimport BASELINE
from skxmr._cython._scratch cimport (
    KEPT_SCRATCH, address_of_ints, address_of_shorts, take
)
from skxmr._cython._search_inputs cimport (
    BeamOptions, ChangeView, NodeView, TreeNodes
)
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef extern from "include/products.h" nogil:
    enum:
        QUERIES "SKXMR_QUERIES"

    ctypedef struct Nodes "skxmr_nodes":
        int64_t n_nodes
        const int64_t* offsets
        const void* features
        int is_wide
        const float* weights
        const float* intercepts

    void margins_of_one "skxmr_margins_one"(
        const Nodes* nodes, const double* query, double* margins
    )
    void margins_of_many "skxmr_margins"(
        const Nodes* nodes, const double* queries, double* margins, int level
    )


cdef struct Tree:
    NodeView nodes
    const int64_t* node_offsets    # of every node but the root: its first weight
    const void* features
    int is_wide
    const float* weights


cdef struct Queries:
    const float* values            # (n_queries, n_features)
    int64_t n_queries
    int64_t n_features
    int64_t last_level             # of what is to be found
    int transform
    int instructions               # index into SIMD_LEVELS


cdef struct Beams:
    # The best nodes of one level for each query of a block.
    int64_t* nodes                 # (n_queries, capacity)
    int64_t* keys
    double* scores
    int64_t* sizes                 # (n_queries,)
    int64_t capacity
    int64_t level_start            # the key of a node is its index from here on
    const int32_t* labels          # or what this maps the index to; or NULL


cdef struct Buffers:
    Beams[2] beams                 # each of (block, beam_width)
    int64_t* found_sizes           # (block,)
    int64_t* heads                 # (widest_parents,): first pair of a parent, or -1
    int64_t* touched               # (n_pairs,): parents that have pairs
    int64_t* next_pairs            # (n_pairs,)
    double* packed                 # (n_features, QUERIES)
    double* margins                # (most_children, QUERIES)
    double* changed                # of the same shape, or NULL
    double* row                    # (most_children,)
    double* found_scores           # (n_found,)
    Watch watch


cdef class Workspace:
    """What one search at a time writes, besides its result.

    Parameters
    ----------
    n_features, widest_parents, most_children : int
        Of the layout.
    has_changes : bool
        Whether any of its parents has changes.
    """

    cdef Buffers buffers
    cdef int64_t n_features
    cdef int64_t widest_parents
    cdef int64_t most_children
    cdef bint has_changes
    cdef int64_t block             # queries
    cdef int64_t n_pairs           # of a query and a node of its beam
    cdef int64_t n_found
    cdef int64_t n_bytes

    def __cinit__(
        self, int64_t n_features, int64_t widest_parents, int64_t most_children,
        bint has_changes,
    ):
        self.has_changes = has_changes
        self.n_features = n_features
        self.widest_parents = widest_parents
        self.most_children = most_children

    cdef int ensure(
        self, int64_t block, int64_t beam_width, int64_t n_found
    ) except -1:
        """Allocate the beams of a block, and the scores of what is found."""
        if (
            self.block < block
            or self.n_pairs < block * beam_width
            or self.n_found < n_found
        ):
            self._free()
            self.block = max(self.block, block)
            self.n_pairs = max(self.n_pairs, block * beam_width)
            self.n_found = max(self.n_found, n_found)
            self._allocate()
        self.buffers.beams[0].capacity = beam_width
        self.buffers.beams[1].capacity = beam_width
        return 0

    cdef int _allocate(self) except -1:
        cdef Buffers* buffers = &self.buffers
        cdef int64_t i, n_pairs = self.n_pairs, block = self.block
        for i in range(2):
            buffers.beams[i].nodes = <int64_t*>self._take(n_pairs, sizeof(int64_t))
            buffers.beams[i].keys = <int64_t*>self._take(n_pairs, sizeof(int64_t))
            buffers.beams[i].scores = <double*>self._take(n_pairs, sizeof(double))
            buffers.beams[i].sizes = <int64_t*>self._take(block, sizeof(int64_t))
        buffers.found_sizes = <int64_t*>self._take(block, sizeof(int64_t))
        buffers.heads = <int64_t*>self._take(self.widest_parents, sizeof(int64_t))
        for i in range(self.widest_parents):
            buffers.heads[i] = -1
        buffers.touched = <int64_t*>self._take(n_pairs, sizeof(int64_t))
        buffers.next_pairs = <int64_t*>self._take(n_pairs, sizeof(int64_t))
        buffers.packed = <double*>self._take(self.n_features * QUERIES, sizeof(double))
        buffers.margins = <double*>self._take(
            self.most_children * QUERIES, sizeof(double)
        )
        if self.has_changes:
            buffers.changed = <double*>self._take(
                self.most_children * QUERIES, sizeof(double)
            )
        buffers.row = <double*>self._take(self.most_children, sizeof(double))
        buffers.found_scores = <double*>self._take(self.n_found, sizeof(double))
        return 0

    cdef void* _take(self, int64_t n_items, size_t size) except NULL:
        return take(n_items, size, &self.n_bytes)

    cdef void _free(self) noexcept:
        cdef Buffers* buffers = &self.buffers
        cdef int i
        for i in range(2):
            free(buffers.beams[i].nodes)
            free(buffers.beams[i].keys)
            free(buffers.beams[i].scores)
            free(buffers.beams[i].sizes)
        free(buffers.found_sizes)
        free(buffers.heads)
        free(buffers.touched)
        free(buffers.next_pairs)
        free(buffers.packed)
        free(buffers.margins)
        free(buffers.changed)
        free(buffers.row)
        free(buffers.found_scores)
        memset(buffers, 0, sizeof(Buffers))
        self.n_bytes = 0

    def __dealloc__(self):
        self._free()


cdef class DenseSearcher:
    """Searches one layout by node; any number of threads can use it at once.

    Binds the arrays of a `SearchLayout` and its `NodeWeights`, which document them.
    Calls take a workspace from a pool and give it back.
    """

    cdef Tree tree
    cdef tuple arrays
    cdef list pool
    cdef int64_t n_features

    def __init__(
        self,
        TreeNodes nodes not None,
        const int64_t[::1] node_offsets,
        features,
        const float[::1] weights,
        *,
        int64_t n_features,
    ):
        cdef Tree* tree = &self.tree
        if (
            len(features) != len(weights)
            or node_offsets.shape[0] != nodes.view.n_nodes
        ):
            raise ValueError(
                f"There are {len(features)} features, {len(weights)} weights and "
                f"{node_offsets.shape[0]} offsets for {nodes.view.n_nodes} nodes; "
                f"expected as many features as weights, and offsets as nodes."
            )
        self.pool = []
        # Keeps alive what the pointers lead to.
        self.arrays = nodes, node_offsets, features, weights
        self.n_features = n_features
        tree.nodes = nodes.view
        tree.node_offsets = &node_offsets[0]
        tree.is_wide = features.dtype.itemsize > 2
        if tree.is_wide:
            tree.features = address_of_ints(features)
        else:
            tree.features = address_of_shorts(features)
        tree.weights = &weights[0] if weights.shape[0] else NULL

    def search(
        self,
        const float[:, ::1] X,             # IN (n_samples, n_features)
        BeamOptions options not None,      # IN
        int64_t block,                     # number of queries at a time
        int instructions,                  # index into SIMD_LEVELS
        int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
        double[:, ::1] log_scores,         # OUT (n_samples, k); -inf there
        const uint8_t[::1] stop=None,      # IN (1,): not 0 once the result is unwanted
    ):
        """Find the best k of the nodes or labels that a beam reaches, best first."""
        cdef Queries queries
        cdef Beams found
        cdef Workspace workspace
        cdef int64_t first = 0
        if options.allowed is not None:
            raise ValueError("Dense rows are searched among all nodes only.")
        queries.transform, queries.instructions = options.transform, instructions
        queries.last_level = self.tree.nodes.n_levels
        if 0 < options.last_level < queries.last_level:
            queries.last_level = options.last_level
        queries.n_features = self._check_length(X.shape[1])
        if columns.shape[1] == 0 or X.shape[0] == 0 or X.shape[1] == 0:
            return
        workspace = self._lend(block, options.beam_width, 0)
        # Only keys of the result are kept: they share the memory of the nodes.
        found.sizes = workspace.buffers.found_sizes
        found.capacity = columns.shape[1]
        found.labels = self.tree.nodes.labels if options.wants_labels else NULL
        workspace.buffers.watch = watch_for(stop)
        with nogil:
            while first < X.shape[0] and not workspace.buffers.watch.ended:
                queries.values = &X[first, 0]
                queries.n_queries = min(block, X.shape[0] - first)
                found.nodes = found.keys = &columns[first, 0]
                found.scores = &log_scores[first, 0]
                _search_block(&queries, &self.tree, &workspace.buffers, &found)
                first += block
        raise_ended(&workspace.buffers.watch)
        self._give_back(workspace)

    def search_one(
        self,
        const float[::1] values,           # IN (n_features,)
        int64_t beam_width,
        int transform,
        int64_t[::1] columns,              # OUT (k,); -1 where none is found
        double[::1] log_scores,            # OUT (k,); -inf there; or None
        float[::1] scores,                 # OUT (k,); 0 there; if log_scores is None
    ):
        """Find the best k labels of one row, and their scores or logarithms of these.
        """
        cdef Queries queries
        cdef Beams found
        cdef Workspace workspace
        cdef int64_t i, k = columns.shape[0]
        cdef bint wants_logs = log_scores is not None
        queries.transform, queries.instructions = transform, BASELINE
        queries.last_level = self.tree.nodes.n_levels
        queries.n_features = self._check_length(values.shape[0])
        queries.n_queries = 1
        if k == 0 or values.shape[0] == 0:
            return
        queries.values = &values[0]
        workspace = self._lend(1, beam_width, 0 if wants_logs else k)
        found.sizes = workspace.buffers.found_sizes
        found.capacity = k
        found.labels = self.tree.nodes.labels
        found.nodes = found.keys = &columns[0]
        found.scores = (
            &log_scores[0] if wants_logs else workspace.buffers.found_scores
        )
        workspace.buffers.watch = watch_for(None)
        with nogil:
            _search_block(&queries, &self.tree, &workspace.buffers, &found)
            if not wants_logs:
                for i in range(k):
                    scores[i] = as_score(found.keys[i], found.scores[i])
        raise_ended(&workspace.buffers.watch)
        self._give_back(workspace)

    cdef int64_t _check_length(self, int64_t length) except -1:
        if length != self.n_features:
            raise ValueError(
                f"A row has {length} features; expected {self.n_features}."
            )
        return length

    cdef Workspace _lend(self, int64_t block, int64_t beam_width, int64_t n_found):
        """Take a workspace that no other call uses, large enough for this one."""
        cdef Workspace workspace
        cdef const NodeView* nodes = &self.tree.nodes
        if beam_width < 1 or block < 1:
            raise ValueError(
                f"beam_width={beam_width}, block={block}; expected 1 or more."
            )
        try:
            workspace = self.pool.pop()
        except IndexError:
            workspace = Workspace(
                self.n_features, nodes.widest_parents, nodes.most_children,
                nodes.changes != NULL,
            )
        workspace.ensure(block, min(beam_width, nodes.widest_level), n_found)
        return workspace

    cdef _give_back(self, Workspace workspace):
        if workspace.n_bytes <= KEPT_SCRATCH:
            self.pool.append(workspace)


cdef void _search_block(
    const Queries* queries, const Tree* tree, Buffers* buffers, Beams* found
) noexcept nogil:
    cdef Beams* beam = &buffers.beams[0]
    cdef Beams* reached
    cdef Heap heap
    cdef int64_t level, first, last, i
    for i in range(queries.n_queries):
        beam.sizes[i] = 1
        beam.nodes[i * beam.capacity] = 0
        beam.scores[i * beam.capacity] = 0.0
    for level in range(queries.last_level):
        reached = &buffers.beams[(level + 1) % 2]
        reached.labels = NULL
        if level == queries.last_level - 1:
            reached = found
        reached.level_start = tree.nodes.level_starts[level + 1]
        for i in range(queries.n_queries):
            reached.sizes[i] = 0
        # The best nodes first: the scores of their children often rule out the others.
        first, last = 0, 1
        while first < beam.capacity:
            last = min(last, beam.capacity)
            _group_by_parent(
                queries, tree, tree.nodes.level_starts[level], beam, first, last,
                reached, buffers,
            )
            if buffers.watch.ended:
                return
            first, last = last, 2 * last + 1
        for i in range(queries.n_queries):
            heap = _heap(reached, i)
            sort(&heap)
        beam = reached
    _mark_missing(found, queries.n_queries)


cdef void _mark_missing(const Beams* found, int64_t n_queries) noexcept nogil:
    """Fill the positions where nothing was found."""
    cdef int64_t query, position
    for query in range(n_queries):
        for position in range(found.sizes[query], found.capacity):
            found.keys[query * found.capacity + position] = -1
            found.scores[query * found.capacity + position] = -INFINITY


cdef inline Heap _heap(const Beams* beams, int64_t query) noexcept nogil:
    cdef Heap heap
    heap.nodes = beams.nodes + query * beams.capacity
    heap.keys = beams.keys + query * beams.capacity
    heap.scores = beams.scores + query * beams.capacity
    heap.size = beams.sizes[query]
    heap.capacity = beams.capacity
    return heap


cdef void _group_by_parent(
    const Queries* queries, const Tree* tree, int64_t level_start, const Beams* beam,
    int64_t first, int64_t last, Beams* reached, Buffers* buffers,
) noexcept nogil:
    """Score the children of positions `first` to `last` of all beams, by parent.

    A *pair* is a query and a node of its beam; those of one parent are a linked list.
    """
    cdef int64_t query, position, pair, parent, i, n_touched = 0, n_together
    cdef int64_t[QUERIES] together
    for query in range(queries.n_queries):
        for position in range(first, min(last, beam.sizes[query])):
            pair = query * beam.capacity + position
            # No child outscores its parent, and later parents are worse.
            if _cannot_enter(beam.scores[pair], reached, query):
                break
            parent = beam.nodes[pair] - level_start
            if buffers.heads[parent] < 0:
                buffers.touched[n_touched] = parent
                n_touched += 1
            buffers.next_pairs[pair] = buffers.heads[parent]
            buffers.heads[parent] = pair
    for i in range(n_touched):
        parent = buffers.touched[i]
        pair = buffers.heads[parent]
        buffers.heads[parent] = -1
        n_together = 0
        while pair >= 0:
            together[n_together] = pair
            n_together += 1
            pair = buffers.next_pairs[pair]
            if n_together == QUERIES or pair < 0:
                if must_end(&buffers.watch, _work(tree, level_start + parent)):
                    return
                _score_children(
                    queries, tree, level_start + parent, together, n_together, beam,
                    reached, buffers,
                )
                n_together = 0


cdef inline int64_t _work(const Tree* tree, int64_t parent) noexcept nogil:
    """Count the weights of a node's children, and the children."""
    cdef int64_t first = tree.nodes.child_offsets[parent]
    cdef int64_t last = tree.nodes.child_offsets[parent + 1]
    return tree.node_offsets[last - 1] - tree.node_offsets[first - 1] + last - first


cdef inline bint _cannot_enter(
    double score, const Beams* reached, int64_t query
) noexcept nogil:
    return (
        reached.sizes[query] == reached.capacity
        and score < reached.scores[query * reached.capacity]
    )


cdef void _score_children(
    const Queries* queries, const Tree* tree, int64_t parent, const int64_t* pairs,
    int64_t n_pairs, const Beams* beam, Beams* reached, Buffers* buffers,
) noexcept nogil:
    """Score the children of one node for up to QUERIES queries."""
    cdef Nodes nodes
    cdef const ChangeView* change = NULL
    cdef int64_t lane, child, first = tree.nodes.child_offsets[parent]
    cdef int64_t n_children = tree.nodes.child_offsets[parent + 1] - first
    nodes.n_nodes = n_children
    nodes.offsets = tree.node_offsets + first - 1
    nodes.features = tree.features
    nodes.is_wide = tree.is_wide
    nodes.weights = tree.weights
    nodes.intercepts = tree.nodes.intercepts + first - 1
    if tree.nodes.changes != NULL and tree.nodes.changes[parent] != NULL:
        change = tree.nodes.changes[parent]
        nodes.intercepts = change.intercepts
        n_children = change.n_children
    if n_pairs == 1:
        _widen(queries, pairs[0] // beam.capacity, buffers.packed)
        margins_of_one(&nodes, buffers.packed, buffers.row)
        if change != NULL:
            _change_margins(change, queries, 1, buffers, buffers.row)
        _push_children(
            queries, first, n_children, change, pairs[0], beam, reached, buffers.row
        )
        return
    _pack(queries, pairs, n_pairs, beam.capacity, buffers.packed)
    margins_of_many(
        &nodes, buffers.packed, buffers.margins, queries.instructions
    )
    if change != NULL:
        _change_margins(change, queries, QUERIES, buffers, buffers.margins)
    for lane in range(n_pairs):
        for child in range(n_children):
            buffers.row[child] = buffers.margins[child * QUERIES + lane]
        _push_children(
            queries, first, n_children, change, pairs[lane], beam, reached, buffers.row
        )


cdef void _change_margins(
    const ChangeView* change, const Queries* queries, int64_t width, Buffers* buffers,
    double* margins,
) noexcept nogil:
    """Compute the margins of children whose weights have changed, and of added ones.
    """
    cdef Nodes nodes
    cdef int64_t i, lane
    for i in range(change.n_base, change.n_children):
        for lane in range(width):
            margins[i * width + lane] = change.intercepts[i]
    nodes.n_nodes = change.n_keys
    nodes.offsets = change.offsets
    nodes.features = change.items
    nodes.is_wide = True
    nodes.weights = change.weights
    nodes.intercepts = change.key_intercepts
    if change.n_keys == 0:
        return
    if width == 1:
        margins_of_one(&nodes, buffers.packed, buffers.changed)
    else:
        margins_of_many(
            &nodes, buffers.packed, buffers.changed, queries.instructions
        )
    for i in range(change.n_keys):
        for lane in range(width):
            margins[change.keys[i] * width + lane] = buffers.changed[i * width + lane]


cdef inline void _widen(
    const Queries* queries, int64_t query, double* wide
) noexcept nogil:
    """Copy a query in double precision."""
    cdef const float* values = queries.values + query * queries.n_features
    cdef int64_t feature
    for feature in range(queries.n_features):
        wide[feature] = values[feature]


cdef void _pack(
    const Queries* queries, const int64_t* pairs, int64_t n_pairs, int64_t capacity,
    double* packed,
) noexcept nogil:
    """Put queries side by side; lanes without one repeat the last."""
    cdef int64_t lane, feature
    cdef const float *values[QUERIES]
    for lane in range(QUERIES):
        values[lane] = queries.values + (
            pairs[min(lane, n_pairs - 1)] // capacity * queries.n_features
        )
    for feature in range(queries.n_features):
        for lane in range(QUERIES):
            packed[feature * QUERIES + lane] = values[lane][feature]


cdef void _push_children(
    const Queries* queries, int64_t first, int64_t n_children,
    const ChangeView* change, int64_t pair, const Beams* beam, Beams* reached,
    double* scores,
) noexcept nogil:
    """Keep the best of a query's new candidates."""
    cdef int64_t child, key, query = pair // beam.capacity
    cdef Heap heap = _heap(reached, query)
    turn_into_scores(scores, n_children, beam.scores[pair], queries.transform)
    for child in range(n_children):
        if scores[child] == -INFINITY:
            continue
        if heap.size == heap.capacity and scores[child] < heap.scores[0]:
            continue
        key = first + child - reached.level_start
        if reached.labels != NULL:
            if change != NULL:
                key = change.labels[child]
            else:
                key = reached.labels[key]
        push(&heap, first + child, key, scores[child])
    reached.sizes[query] = heap.size
