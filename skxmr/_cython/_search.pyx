"""Beam search: walks the tree from the root and scores the labels that it reaches.

Nodes are numbered level by level, the root 0, so that the children of a node are
consecutive. Log scores add up along a path; products would underflow.
"""

from libc.math cimport INFINITY, exp, log1p
from libc.stdint cimport int32_t, int64_t

cdef enum Transform:
    SIGMOID = 0  # the hinges are their power

TRANSFORMS = {
    "sigmoid": SIGMOID,
    "l1-hinge": 1,
    "l2-hinge": 2,
    "l3-hinge": 3,
    "l4-hinge": 4,
}

# A violation beyond this would overflow to a log score of -inf, which is kept for
# labels that are never retrieved.
cdef double LARGEST_VIOLATION = 1e60


cdef struct Tree:
    const int64_t* child_offsets  # of nodes that have children
    const int64_t* level_starts   # (n_levels + 1,): first node of each level
    const int64_t* row_offsets
    const int32_t* features
    const int64_t* run_offsets
    const int32_t* children
    const float* weights
    const float* intercepts       # of every node but the root
    const int32_t* labels         # column of each node of the last level


cdef struct Query:
    const int32_t* features
    const float* values
    int64_t n_features


cdef struct Heap:
    # The best `size` of all candidates pushed; the worst of them on top. A larger
    # score is better; of equal ones, the smaller key.
    int64_t* nodes
    int64_t* keys
    double* scores
    int64_t size
    int64_t capacity


def search(
    const int64_t[::1] X_offsets,      # IN (n_samples + 1,)
    const int32_t[::1] X_indices,      # IN
    const float[::1] X_values,         # IN
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,)
    const int64_t[::1] level_starts,   # IN (n_levels + 1,)
    const int64_t[::1] row_offsets,    # IN (n_parents + 1,)
    const int32_t[::1] features,       # IN (n_rows,)
    const int64_t[::1] run_offsets,    # IN (n_rows + 1,)
    const int32_t[::1] children,       # IN (n_weights,)
    const float[::1] weights,          # IN (n_weights,)
    const float[::1] intercepts,       # IN (n_nodes - 1,)
    const int32_t[::1] labels,         # IN (n_labels,), or empty: nodes are wanted
    int transform,
    int64_t n_levels,                  # how many levels below the root to walk
    int64_t[:, ::1] beam_nodes,        # SCRATCH (2, beam_width)
    int64_t[:, ::1] beam_keys,         # SCRATCH (2, beam_width)
    double[:, ::1] beam_scores,        # SCRATCH (2, beam_width)
    double[::1] margins,               # SCRATCH (most children of a parent,)
    int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
    double[:, ::1] scores,             # OUT (n_samples, k): logarithms; -inf there
):
    """Find the best k of the nodes or labels that a beam reaches, best first."""
    cdef Tree tree
    cdef Query query
    cdef Heap[2] beams
    cdef Heap found
    cdef int64_t i, j, k = columns.shape[1]
    # Pointers to the first entry exist only where there is one.
    cdef bint any_rows = features.shape[0] > 0
    cdef bint any_weights = weights.shape[0] > 0
    cdef bint any_values = X_values.shape[0] > 0
    if k == 0 or columns.shape[0] == 0:
        return
    tree.child_offsets = &child_offsets[0]
    tree.level_starts = &level_starts[0]
    tree.row_offsets = &row_offsets[0]
    tree.features = &features[0] if any_rows else NULL
    tree.run_offsets = &run_offsets[0]
    tree.children = &children[0] if any_weights else NULL
    tree.weights = &weights[0] if any_weights else NULL
    tree.intercepts = &intercepts[0]
    tree.labels = &labels[0] if labels.shape[0] else NULL
    for i in range(2):
        beams[i].nodes = &beam_nodes[i, 0]
        beams[i].keys = &beam_keys[i, 0]
        beams[i].scores = &beam_scores[i, 0]
        beams[i].capacity = beam_nodes.shape[1]
    # What is found is kept by key only: nodes and keys may share their memory.
    found.capacity = k
    with nogil:
        for i in range(columns.shape[0]):
            query.n_features = X_offsets[i + 1] - X_offsets[i]
            query.features = &X_indices[X_offsets[i]] if any_values else NULL
            query.values = &X_values[X_offsets[i]] if any_values else NULL
            found.nodes = &columns[i, 0]
            found.keys = &columns[i, 0]
            found.scores = &scores[i, 0]
            _search_one(&query, &tree, transform, n_levels, beams, &margins[0], &found)
            for j in range(found.size, k):
                columns[i, j] = -1
                scores[i, j] = -INFINITY


cdef void _search_one(
    const Query* query, const Tree* tree, int transform, int64_t n_levels,
    Heap* beams, double* margins, Heap* found,
) noexcept nogil:
    cdef Heap* beam = &beams[0]
    cdef Heap* reached
    cdef int64_t level, i
    beam.size = 1
    beam.nodes[0] = 0
    beam.scores[0] = 0.0
    for level in range(n_levels):
        reached = found if level == n_levels - 1 else &beams[(level + 1) % 2]
        reached.size = 0
        for i in range(beam.size):
            _score_children(
                query, tree, transform, beam.nodes[i], beam.scores[i],
                tree.level_starts[level + 1],
                tree.labels if level == n_levels - 1 else NULL,
                margins, reached,
            )
        beam = reached
    _sort(found)


cdef void _score_children(
    const Query* query, const Tree* tree, int transform, int64_t parent,
    double parent_score, int64_t level_start, const int32_t* labels,
    double* margins, Heap* reached,
) noexcept nogil:
    """Score the children of one node and push them."""
    cdef int64_t first = tree.child_offsets[parent]
    cdef int64_t n_children = tree.child_offsets[parent + 1] - first
    cdef int64_t child, key
    cdef double score
    for child in range(n_children):
        margins[child] = tree.intercepts[first + child - 1]
    _add_products(query, tree, parent, margins)
    for child in range(n_children):
        score = parent_score + _log_score(margins[child], transform)
        if score == -INFINITY:
            continue
        key = first + child - level_start
        if labels != NULL:
            key = labels[key]
        _push(reached, first + child, key, score)


cdef void _add_products(
    const Query* query, const Tree* tree, int64_t parent, double* margins
) noexcept nogil:
    """Add, for each feature of the query, value times weight of all children."""
    cdef int64_t start = tree.row_offsets[parent]
    cdef int64_t stop = tree.row_offsets[parent + 1]
    cdef int64_t i, row, entry
    cdef double value
    if start == stop:
        return
    for i in range(query.n_features):
        row = _find(tree.features, start, stop, query.features[i])
        if row == stop or tree.features[row] != query.features[i]:
            continue
        value = query.values[i]
        for entry in range(tree.run_offsets[row], tree.run_offsets[row + 1]):
            margins[tree.children[entry]] += value * tree.weights[entry]


cdef inline int64_t _find(
    const int32_t* values, int64_t start, int64_t stop, int32_t wanted
) noexcept nogil:
    """First place of a value that is not smaller than the wanted one."""
    cdef int64_t middle
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start


cdef inline double _log_score(double margin, int transform) noexcept nogil:
    cdef double violation
    if margin == -INFINITY:
        return -INFINITY
    if transform == SIGMOID:
        if margin >= 0:
            return -log1p(exp(-margin))
        return margin - log1p(exp(margin))
    violation = min(max(1 - margin, 0.0), LARGEST_VIOLATION)
    if transform == 1:
        return -violation
    if transform == 2:
        return -violation * violation
    if transform == 3:
        return -violation * violation * violation
    return -(violation * violation) * (violation * violation)


# A heap of candidates
# --------------------

cdef inline bint _worse(
    double score, int64_t key, double other_score, int64_t other_key
) noexcept nogil:
    return score < other_score or (score == other_score and key > other_key)


cdef inline void _place(
    Heap* heap, int64_t i, int64_t node, int64_t key, double score
) noexcept nogil:
    heap.nodes[i] = node
    heap.keys[i] = key  # last: it may share the memory of nodes
    heap.scores[i] = score


cdef inline void _push(
    Heap* heap, int64_t node, int64_t key, double score
) noexcept nogil:
    """Keep a candidate if it is among the best so far."""
    cdef int64_t i, up
    if heap.size == heap.capacity:
        if not _worse(heap.scores[0], heap.keys[0], score, key):
            return
        _sift_down(heap, node, key, score)
        return
    i = heap.size
    heap.size += 1
    while i > 0:
        up = (i - 1) // 2
        if not _worse(score, key, heap.scores[up], heap.keys[up]):
            break
        _place(heap, i, heap.nodes[up], heap.keys[up], heap.scores[up])
        i = up
    _place(heap, i, node, key, score)


cdef inline void _sift_down(
    Heap* heap, int64_t node, int64_t key, double score
) noexcept nogil:
    """Put a candidate in the place of the worst."""
    cdef int64_t i = 0, down
    while True:
        down = 2 * i + 1
        if down >= heap.size:
            break
        if down + 1 < heap.size and _worse(
            heap.scores[down + 1], heap.keys[down + 1],
            heap.scores[down], heap.keys[down],
        ):
            down += 1
        if not _worse(heap.scores[down], heap.keys[down], score, key):
            break
        _place(heap, i, heap.nodes[down], heap.keys[down], heap.scores[down])
        i = down
    _place(heap, i, node, key, score)


cdef inline void _sort(Heap* heap) noexcept nogil:
    """Empty the heap from its end, so that the best comes to stand first."""
    cdef int64_t size = heap.size
    cdef int64_t last_node, last_key, worst_node, worst_key
    cdef double last_score, worst_score
    while heap.size > 1:
        heap.size -= 1
        worst_node, worst_key = heap.nodes[0], heap.keys[0]
        worst_score = heap.scores[0]
        last_node, last_key = heap.nodes[heap.size], heap.keys[heap.size]
        last_score = heap.scores[heap.size]
        _sift_down(heap, last_node, last_key, last_score)
        _place(heap, heap.size, worst_node, worst_key, worst_score)
    heap.size = size
