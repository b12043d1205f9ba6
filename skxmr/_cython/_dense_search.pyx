"""Beam search for dense queries, level by level for many queries at a time.

Queries whose beams hold the same node are put side by side, one to a lane, and the
sparse weights of the node's children are multiplied with all of them at once
(include/products.h). So weights are read once for several queries, and no weight that
was pruned costs anything.

Sums, scores and ties are those of the search for sparse queries, to the bit.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport free

from skxmr._cython._beam cimport Heap, as_score, push, sort, turn_into_scores
from skxmr._cython._cpu cimport BASELINE
from skxmr._cython._scratch cimport (
    KEPT_SCRATCH, address_of_ints, address_of_shorts, take
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

# Features are counted in 16 bits where those are enough.
ctypedef fused feature_t:
    uint16_t
    int32_t


cdef struct Tree:
    int64_t n_levels
    const int64_t* child_offsets   # of nodes that have children
    const int64_t* level_starts    # first node of each level
    const int64_t* node_offsets    # of every node but the root: its first weight
    const void* features
    int is_wide
    const float* weights
    const float* intercepts        # of every node but the root
    const int32_t* labels          # column of each node of the last level


cdef struct Queries:
    const float* values            # (n_queries, n_features)
    int64_t n_queries
    int64_t n_features
    int transform
    int instructions               # index into SIMD_LEVELS


cdef struct Beams:
    # The best nodes of one level for each query of a block.
    int64_t* nodes                 # (n_queries, capacity)
    int64_t* keys
    double* scores
    int64_t* sizes                 # (n_queries,)
    int64_t capacity
    int64_t level_start            # what is taken from a node for its key
    const int32_t* labels          # what then stands for it, or NULL


cdef struct Scratch:
    Beams[2] beams                 # each of (block, beam_width)
    int64_t* found_sizes           # (block,)
    int64_t* heads                 # (widest level of parents,): first pair, or -1
    int64_t* touched               # (beam_width * block,): parents that have pairs
    int64_t* next_pairs            # (beam_width * block,)
    double* packed                 # (n_features, QUERIES)
    double* margins                # (most children, QUERIES)
    double* row                    # (most children,)
    double* found                  # (n_found,)
    int64_t block                  # queries
    int64_t n_places               # of all their beams
    int64_t n_found
    int64_t n_bytes
    Watch watch


cdef class _Memory:
    """What a search needs beside the tree and its result."""

    cdef Scratch scratch

    def __cinit__(
        self, int64_t block, int64_t beam_width, int64_t n_found, int64_t n_features,
        int64_t widest_parents, int64_t most_children,
    ):
        cdef Scratch* scratch = &self.scratch
        cdef int64_t i, n_places = block * beam_width
        scratch.block, scratch.n_places, scratch.n_found = block, n_places, n_found
        for i in range(2):
            scratch.beams[i].nodes = <int64_t*>self._take(n_places, sizeof(int64_t))
            scratch.beams[i].keys = <int64_t*>self._take(n_places, sizeof(int64_t))
            scratch.beams[i].scores = <double*>self._take(n_places, sizeof(double))
            scratch.beams[i].sizes = <int64_t*>self._take(block, sizeof(int64_t))
        scratch.found_sizes = <int64_t*>self._take(block, sizeof(int64_t))
        scratch.heads = <int64_t*>self._take(widest_parents, sizeof(int64_t))
        for i in range(widest_parents):
            scratch.heads[i] = -1
        scratch.touched = <int64_t*>self._take(n_places, sizeof(int64_t))
        scratch.next_pairs = <int64_t*>self._take(n_places, sizeof(int64_t))
        scratch.packed = <double*>self._take(n_features * QUERIES, sizeof(double))
        scratch.margins = <double*>self._take(most_children * QUERIES, sizeof(double))
        scratch.row = <double*>self._take(most_children, sizeof(double))
        scratch.found = <double*>self._take(n_found, sizeof(double))

    cdef void* _take(self, int64_t n_items, size_t size) except NULL:
        return take(n_items, size, &self.scratch.n_bytes)

    def __dealloc__(self):
        for i in range(2):
            free(self.scratch.beams[i].nodes)
            free(self.scratch.beams[i].keys)
            free(self.scratch.beams[i].scores)
            free(self.scratch.beams[i].sizes)
        free(self.scratch.found_sizes)
        free(self.scratch.heads)
        free(self.scratch.touched)
        free(self.scratch.next_pairs)
        free(self.scratch.packed)
        free(self.scratch.margins)
        free(self.scratch.row)
        free(self.scratch.found)


cdef class DenseSearcher:
    """Searches one layout by node; any number of threads can use it at once.

    Holds the arrays of a `SearchLayout` and its `NodeWeights`, which document them, and
    memory that calls take and give back.
    """

    cdef Tree tree
    cdef tuple arrays
    cdef list pool
    cdef int64_t n_features
    cdef int64_t widest_level
    cdef int64_t widest_parents
    cdef int64_t most_children

    def __init__(
        self,
        int64_t n_features,
        const int64_t[::1] child_offsets,
        const int64_t[::1] level_starts,
        const int32_t[::1] labels,
        const float[::1] intercepts,
        const int64_t[::1] node_offsets,
        features,
        const float[::1] weights,
        *,
        int64_t widest_level,
        int64_t widest_parents,
        int64_t most_children,
    ):
        cdef Tree* tree = &self.tree
        self.pool = []
        # Pointers live as long as what they point to.
        self.arrays = (
            child_offsets, level_starts, labels, intercepts, node_offsets, features,
            weights,
        )
        self.n_features = n_features
        self.widest_level = widest_level
        self.widest_parents = widest_parents
        self.most_children = most_children
        tree.n_levels = level_starts.shape[0] - 1
        tree.child_offsets = &child_offsets[0]
        tree.level_starts = &level_starts[0]
        tree.labels = &labels[0] if labels.shape[0] else NULL
        tree.intercepts = &intercepts[0]
        tree.node_offsets = &node_offsets[0]
        tree.is_wide = features.dtype.itemsize > 2
        if tree.is_wide:
            tree.features = address_of_ints(features)
        else:
            tree.features = address_of_shorts(features)
        tree.weights = &weights[0] if weights.shape[0] else NULL
        if (
            len(features) != len(weights)
            or node_offsets.shape[0] != intercepts.shape[0] + 1
        ):
            raise ValueError("The arrays of the layout do not fit together.")

    def search(
        self,
        const float[:, ::1] X,             # IN (n_samples, n_features)
        int64_t beam_width,
        int64_t block,                     # so many queries at a time
        int transform,
        int instructions,                  # index into SIMD_LEVELS
        bint wants_labels,                 # or nodes, counted in the last level
        int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
        double[:, ::1] scores,             # OUT (n_samples, k): logarithms; -inf there
        const uint8_t[::1] stop=None,      # IN (1,): not 0 once nobody wants the result
    ):
        """Find the best k of the nodes or labels that a beam reaches, best first."""
        cdef Queries queries
        cdef Beams found
        cdef _Memory memory
        cdef int64_t first = 0
        queries.transform, queries.instructions = transform, instructions
        queries.n_features = self._check_length(X.shape[1])
        if columns.shape[1] == 0 or X.shape[0] == 0 or X.shape[1] == 0:
            return
        memory = self._lend(block, beam_width, 0)
        # What is found is kept by key only: nodes and keys may share their memory.
        found.sizes = memory.scratch.found_sizes
        found.capacity = columns.shape[1]
        found.labels = self.tree.labels if wants_labels else NULL
        memory.scratch.watch = watch_for(stop)
        with nogil:
            while first < X.shape[0] and not memory.scratch.watch.ended:
                queries.values = &X[first, 0]
                queries.n_queries = min(block, X.shape[0] - first)
                found.nodes = found.keys = &columns[first, 0]
                found.scores = &scores[first, 0]
                _search_block(&queries, &self.tree, &memory.scratch, &found)
                first += block
        raise_ended(&memory.scratch.watch)
        self._give_back(memory)

    def rank_one(
        self,
        const float[::1] values,           # IN (n_features,)
        int64_t beam_width,
        int transform,
        int64_t[::1] columns,              # OUT (k,); -1 where none is found
        float[::1] scores,                 # OUT (k,): not logarithms; 0 there
    ):
        """Find the best k labels of one row, and their scores themselves."""
        cdef Queries queries
        cdef Beams found
        cdef _Memory memory
        cdef int64_t i, k = columns.shape[0]
        queries.transform, queries.instructions = transform, BASELINE
        queries.n_features = self._check_length(values.shape[0])
        queries.n_queries = 1
        if k == 0 or values.shape[0] == 0:
            return
        queries.values = &values[0]
        memory = self._lend(1, beam_width, k)
        found.sizes = memory.scratch.found_sizes
        found.capacity = k
        found.labels = self.tree.labels
        found.nodes = found.keys = &columns[0]
        found.scores = memory.scratch.found
        memory.scratch.watch = watch_for(None)
        with nogil:
            _search_block(&queries, &self.tree, &memory.scratch, &found)
            for i in range(k):
                scores[i] = as_score(found.keys[i], found.scores[i])
        raise_ended(&memory.scratch.watch)
        self._give_back(memory)

    cdef int64_t _check_length(self, int64_t length) except -1:
        if length != self.n_features:
            raise ValueError(
                f"A row has {length} features; expected {self.n_features}."
            )
        return length

    cdef _Memory _lend(self, int64_t block, int64_t beam_width, int64_t n_found):
        """Take memory that no other call uses, large enough for this one."""
        cdef _Memory memory = None
        if beam_width < 1 or block < 1:
            raise ValueError("The beam has no place for a node; expected one at least.")
        beam_width = min(beam_width, self.widest_level)
        try:
            memory = self.pool.pop()
        except IndexError:
            pass
        if (
            memory is None
            or memory.scratch.block < block
            or memory.scratch.n_places < block * beam_width
            or memory.scratch.n_found < n_found
        ):
            memory = _Memory(
                block, beam_width, n_found, self.n_features, self.widest_parents,
                self.most_children,
            )
        memory.scratch.beams[0].capacity = beam_width
        memory.scratch.beams[1].capacity = beam_width
        return memory

    cdef _give_back(self, _Memory memory):
        if memory.scratch.n_bytes <= KEPT_SCRATCH:
            self.pool.append(memory)


cdef void _search_block(
    const Queries* queries, const Tree* tree, Scratch* scratch, Beams* found
) noexcept nogil:
    cdef Beams* beam = &scratch.beams[0]
    cdef Beams* reached
    cdef Heap heap
    cdef int64_t level, first, last, i
    for i in range(queries.n_queries):
        beam.sizes[i] = 1
        beam.nodes[i * beam.capacity] = 0
        beam.scores[i * beam.capacity] = 0.0
    for level in range(tree.n_levels):
        reached = &scratch.beams[(level + 1) % 2]
        reached.labels = NULL
        if level == tree.n_levels - 1:
            reached = found
        reached.level_start = tree.level_starts[level + 1]
        for i in range(queries.n_queries):
            reached.sizes[i] = 0
        # The best nodes first: what their children score often rules out the others.
        first, last = 0, 1
        while first < beam.capacity:
            last = min(last, beam.capacity)
            _group_by_parent(
                queries, tree, tree.level_starts[level], beam, first, last, reached,
                scratch,
            )
            if scratch.watch.ended:
                return
            first, last = last, 2 * last + 1
        for i in range(queries.n_queries):
            heap = _heap(reached, i)
            sort(&heap)
        beam = reached
    _mark_missing(found, queries.n_queries)


cdef void _mark_missing(const Beams* found, int64_t n_queries) noexcept nogil:
    cdef int64_t query, place
    for query in range(n_queries):
        for place in range(found.sizes[query], found.capacity):
            found.keys[query * found.capacity + place] = -1
            found.scores[query * found.capacity + place] = -INFINITY


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
    int64_t first, int64_t last, Beams* reached, Scratch* scratch,
) noexcept nogil:
    """Score the children of places `first` to `last` of all beams, by parent."""
    cdef int64_t query, place, pair, parent, i, n_touched = 0, n_together
    cdef int64_t[QUERIES] together
    for query in range(queries.n_queries):
        for place in range(first, min(last, beam.sizes[query])):
            pair = query * beam.capacity + place
            # Children score no better than their parent; later ones are worse.
            if _is_hopeless(beam.scores[pair], reached, query):
                break
            parent = beam.nodes[pair] - level_start
            if scratch.heads[parent] < 0:
                scratch.touched[n_touched] = parent
                n_touched += 1
            scratch.next_pairs[pair] = scratch.heads[parent]
            scratch.heads[parent] = pair
    for i in range(n_touched):
        parent = scratch.touched[i]
        pair = scratch.heads[parent]
        scratch.heads[parent] = -1
        n_together = 0
        while pair >= 0:
            together[n_together] = pair
            n_together += 1
            pair = scratch.next_pairs[pair]
            if n_together == QUERIES or pair < 0:
                if must_end(&scratch.watch, _work(tree, level_start + parent)):
                    return
                _score_children(
                    queries, tree, level_start + parent, together, n_together, beam,
                    reached, scratch,
                )
                n_together = 0


cdef inline int64_t _work(const Tree* tree, int64_t parent) noexcept nogil:
    """Count the weights of a node's children, and the children."""
    cdef int64_t first = tree.child_offsets[parent]
    cdef int64_t last = tree.child_offsets[parent + 1]
    return tree.node_offsets[last - 1] - tree.node_offsets[first - 1] + last - first


cdef inline bint _is_hopeless(
    double score, const Beams* reached, int64_t query
) noexcept nogil:
    return (
        reached.sizes[query] == reached.capacity
        and score < reached.scores[query * reached.capacity]
    )


cdef void _score_children(
    const Queries* queries, const Tree* tree, int64_t parent, const int64_t* pairs,
    int64_t n_pairs, const Beams* beam, Beams* reached, Scratch* scratch,
) noexcept nogil:
    """Score the children of one node for up to QUERIES queries."""
    cdef Nodes nodes
    cdef int64_t lane, child, first = tree.child_offsets[parent]
    nodes.n_nodes = tree.child_offsets[parent + 1] - first
    nodes.offsets = tree.node_offsets + first - 1
    nodes.features = tree.features
    nodes.is_wide = tree.is_wide
    nodes.weights = tree.weights
    nodes.intercepts = tree.intercepts + first - 1
    if n_pairs == 1:
        _widen(queries, pairs[0] // beam.capacity, scratch.packed)
        margins_of_one(&nodes, scratch.packed, scratch.row)
        _push_children(
            queries, first, nodes.n_nodes, pairs[0], beam, reached, scratch.row
        )
        return
    _pack(queries, pairs, n_pairs, beam.capacity, scratch.packed)
    margins_of_many(
        &nodes, scratch.packed, scratch.margins, queries.instructions
    )
    for lane in range(n_pairs):
        for child in range(nodes.n_nodes):
            scratch.row[child] = scratch.margins[child * QUERIES + lane]
        _push_children(
            queries, first, nodes.n_nodes, pairs[lane], beam, reached, scratch.row
        )


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
    const Queries* queries, int64_t first, int64_t n_children, int64_t pair,
    const Beams* beam, Beams* reached, double* scores,
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
            key = reached.labels[key]
        push(&heap, first + child, key, scores[child])
    reached.sizes[query] = heap.size


# From runs of children to features of nodes
# ------------------------------------------

def count_by_node(
    const int64_t[::1] row_offsets,    # IN (n_parents + 1,)
    const int64_t[::1] run_offsets,    # IN (n_rows + 1,)
    const int32_t[::1] children,       # IN (n_weights,)
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,): children in their level
    int64_t[::1] counts,               # IN and OUT (n_children,)
):
    """Add to each node's count its weights."""
    cdef int64_t parent, entry
    with nogil:
        for parent in range(row_offsets.shape[0] - 1):
            for entry in range(
                run_offsets[row_offsets[parent]], run_offsets[row_offsets[parent + 1]]
            ):
                counts[child_offsets[parent] + children[entry]] += 1


def order_by_node(
    const int64_t[::1] row_offsets,    # IN (n_parents + 1,)
    const int32_t[::1] row_features,   # IN (n_rows,), ascending in a parent
    const int64_t[::1] run_offsets,    # IN (n_rows + 1,)
    const int32_t[::1] children,       # IN (n_weights,)
    const float[::1] weights,          # IN (n_weights,)
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,): children in their level
    int64_t[::1] next_place,           # IN and OUT (n_children,): where each begins
    feature_t[::1] features,           # OUT: of each node, ascending
    float[::1] ordered,                # OUT: of each node, the weights
):
    """Put the weights of each node one after another."""
    cdef int64_t parent, row, entry, child, place
    with nogil:
        for parent in range(row_offsets.shape[0] - 1):
            for row in range(row_offsets[parent], row_offsets[parent + 1]):
                for entry in range(run_offsets[row], run_offsets[row + 1]):
                    child = child_offsets[parent] + children[entry]
                    place = next_place[child]
                    next_place[child] = place + 1
                    features[place] = <feature_t>row_features[row]
                    ordered[place] = weights[entry]
