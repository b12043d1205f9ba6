"""Beam search for dense queries, level by level for many queries at a time.

Queries whose beams hold the same node are put side by side, one to a lane, and the
sparse weights of the node's children are multiplied with all of them at once
(include/products.h). So weights are read once for several queries, and no weight that
was pruned costs anything.

Sums, scores and ties are those of the search for sparse queries, to the bit.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint16_t

from skxmr._cython._beam cimport Heap, push, sort, turn_into_scores

cdef extern from "include/products.h" nogil:
    enum:
        QUERIES "SKXMR_QUERIES"
        BASELINE "SKXMR_BASELINE"
        AVX2 "SKXMR_AVX2"
        AVX512 "SKXMR_AVX512"

    ctypedef struct Nodes "skxmr_nodes":
        int64_t n_nodes
        const int64_t* offsets
        const void* features
        int is_wide
        const float* weights
        const float* intercepts

    int best_level "skxmr_best_level"()
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

N_LANES = QUERIES

# Levels of vector instructions that this machine has; the last is the best.
LEVELS = [
    name
    for name, level in {"baseline": BASELINE, "avx2": AVX2, "avx512": AVX512}.items()
    if level <= best_level()
]


cdef struct Tree:
    const int64_t* child_offsets   # of nodes that have children
    const int64_t* node_offsets    # of every node but the root: its first weight
    const void* features
    int is_wide
    const float* weights
    const float* intercepts        # of every node but the root
    int transform
    int instructions


cdef struct Queries:
    # A block of queries, and the best nodes of a level of each.
    const float* values            # (n_queries, n_features)
    int64_t n_queries
    int64_t n_features


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
    int64_t* heads                 # (widest level of parents,): first pair, or -1
    int64_t* touched               # (beam_width * block,): parents that have pairs
    int64_t* next_pairs            # (beam_width * block,)
    double* packed                 # (n_features, QUERIES)
    double* margins                # (most children, QUERIES)
    double* row                    # (most children,)


def search_dense(
    const float[:, ::1] X,             # IN (n_samples, n_features)
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,)
    const int64_t[::1] level_starts,   # IN (n_levels + 1,)
    const float[::1] intercepts,       # IN (n_nodes - 1,)
    const int32_t[::1] labels,         # IN (n_labels,), or empty: nodes are wanted
    const int64_t[::1] node_offsets,   # IN (n_nodes,): of every node but the root
    const feature_t[::1] features,     # IN (n_weights,), ascending in a node
    const float[::1] weights,          # IN (n_weights,)
    int transform,
    int instructions,                  # a place in LEVELS
    int64_t[:, :, ::1] beam_nodes,     # SCRATCH (2, block, beam_width)
    int64_t[:, :, ::1] beam_keys,      # SCRATCH (2, block, beam_width)
    double[:, :, ::1] beam_scores,     # SCRATCH (2, block, beam_width)
    int64_t[:, ::1] beam_sizes,        # SCRATCH (3, block)
    int64_t[::1] heads,                # SCRATCH (widest level of parents,), all -1
    int64_t[:, ::1] pairs,             # SCRATCH (2, block * beam_width)
    double[:, ::1] packed,             # SCRATCH (n_features, N_LANES)
    double[:, ::1] margins,            # SCRATCH (most children, N_LANES)
    double[::1] row,                   # SCRATCH (most children,)
    int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
    double[:, ::1] scores,             # OUT (n_samples, k): logarithms; -inf there
):
    """Find the best k of the nodes or labels that a beam reaches, best first."""
    cdef Tree tree
    cdef Queries queries
    cdef Scratch scratch
    cdef Beams[2] beams
    cdef Beams found
    cdef int64_t i, j, first, k = columns.shape[1], block = beam_nodes.shape[1]
    if k == 0 or X.shape[0] == 0 or X.shape[1] == 0:
        return
    if block == 0 or beam_nodes.shape[2] == 0:
        raise ValueError("The beam has no place for a node; expected one at least.")
    tree.child_offsets = &child_offsets[0]
    tree.node_offsets = &node_offsets[0]
    tree.features = &features[0] if features.shape[0] else NULL
    tree.is_wide = feature_t is int32_t
    tree.weights = &weights[0] if weights.shape[0] else NULL
    tree.intercepts = &intercepts[0]
    tree.transform = transform
    tree.instructions = instructions
    queries.n_features = X.shape[1]
    scratch.heads = &heads[0]
    scratch.touched = &pairs[0, 0]
    scratch.next_pairs = &pairs[1, 0]
    scratch.packed = &packed[0, 0]
    scratch.margins = &margins[0, 0]
    scratch.row = &row[0]
    for i in range(2):
        beams[i].nodes = &beam_nodes[i, 0, 0]
        beams[i].keys = &beam_keys[i, 0, 0]
        beams[i].scores = &beam_scores[i, 0, 0]
        beams[i].sizes = &beam_sizes[i, 0]
        beams[i].capacity = beam_nodes.shape[2]
        beams[i].labels = NULL
    # What is found is kept by key only: nodes and keys may share their memory.
    found.sizes = &beam_sizes[2, 0]
    found.capacity = k
    found.labels = &labels[0] if labels.shape[0] else NULL
    with nogil:
        first = 0
        while first < X.shape[0]:
            queries.values = &X[first, 0]
            queries.n_queries = min(block, X.shape[0] - first)
            found.nodes = &columns[first, 0]
            found.keys = &columns[first, 0]
            found.scores = &scores[first, 0]
            _search_block(
                &queries, &tree, &level_starts[0], level_starts.shape[0] - 1, beams,
                &found, &scratch,
            )
            for i in range(queries.n_queries):
                for j in range(found.sizes[i], k):
                    columns[first + i, j] = -1
                    scores[first + i, j] = -INFINITY
            first += block


cdef void _search_block(
    const Queries* queries, const Tree* tree, const int64_t* level_starts,
    int64_t n_levels, Beams* beams, Beams* found, Scratch* scratch,
) noexcept nogil:
    cdef Beams* beam = &beams[0]
    cdef Beams* reached
    cdef Heap heap
    cdef int64_t level, first, last, i
    for i in range(queries.n_queries):
        beam.sizes[i] = 1
        beam.nodes[i * beam.capacity] = 0
        beam.scores[i * beam.capacity] = 0.0
    for level in range(n_levels):
        reached = found if level == n_levels - 1 else &beams[(level + 1) % 2]
        reached.level_start = level_starts[level + 1]
        for i in range(queries.n_queries):
            reached.sizes[i] = 0
        # The best nodes first: what their children score often rules out the others.
        first, last = 0, 1
        while first < beam.capacity:
            last = min(last, beam.capacity)
            _group_by_parent(
                queries, tree, level_starts[level], beam, first, last, reached, scratch
            )
            first, last = last, 2 * last + 1
        for i in range(queries.n_queries):
            heap = _heap(reached, i)
            sort(&heap)
        beam = reached


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
                _score_children(
                    queries, tree, level_start + parent, together, n_together, beam,
                    reached, scratch,
                )
                n_together = 0


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
        _push_children(tree, first, nodes.n_nodes, pairs[0], beam, reached, scratch.row)
        return
    _pack(queries, pairs, n_pairs, beam.capacity, scratch.packed)
    margins_of_many(&nodes, scratch.packed, scratch.margins, tree.instructions)
    for lane in range(n_pairs):
        for child in range(nodes.n_nodes):
            scratch.row[child] = scratch.margins[child * QUERIES + lane]
        _push_children(
            tree, first, nodes.n_nodes, pairs[lane], beam, reached, scratch.row
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
    const Tree* tree, int64_t first, int64_t n_children, int64_t pair,
    const Beams* beam, Beams* reached, double* scores,
) noexcept nogil:
    """Keep the best of a query's new candidates."""
    cdef int64_t child, key, query = pair // beam.capacity
    cdef Heap heap = _heap(reached, query)
    turn_into_scores(scores, n_children, beam.scores[pair], tree.transform)
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
