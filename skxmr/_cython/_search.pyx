"""Beam search: walks the tree from the root and scores the labels that it reaches.

The weights of a level are read feature by feature: a feature of the query leads, by a
bitmap with ranks, to the parents whose children use it, and those in the beam to a run
of (child, weight) pairs. So a query touches memory once per feature and level, and then
only for what it needs; each step of many features asks the memory for the next.

Log scores add up along a path; products would underflow.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from skxmr._cython._beam cimport SIGMOID, Heap, push, sort, turn_into_scores

cdef extern from "include/bits.h" nogil:
    int count_bits "skxmr_count_bits"(uint64_t word)
    void prefetch "skxmr_prefetch"(const void* address)

# Children are counted from their parent's first: mostly a byte is enough.
ctypedef fused child_t:
    uint8_t
    int32_t

# Parents are counted in their level: mostly 16 bits are enough.
ctypedef fused parent_t:
    uint16_t
    int32_t

TRANSFORMS = {
    "sigmoid": SIGMOID,
    "l1-hinge": 1,
    "l2-hinge": 2,
    "l3-hinge": 3,
    "l4-hinge": 4,
}

cdef enum:
    N_LOOKED_UP = 64  # features looked up at a time
    N_HITS = 256      # runs that wait to be added
    LOG_ROWS_OF_MARK = 3

# Where a run starts is noted for one row in so many; from there, lengths add up.
ROWS_OF_MARK = 1 << LOG_ROWS_OF_MARK


cdef struct Tree:
    int64_t n_features
    int64_t n_words                # of the bitmap of a level
    int64_t n_kept                 # 0, or the length of kept_features
    const int32_t* kept_features   # features by their number in the bitmaps
    const int64_t* child_offsets   # of nodes that have children
    const int64_t* level_starts    # first node of each level
    const int64_t* bases           # (n_levels, 4): where each level begins
    const uint64_t* words          # (n_levels, n_words, 2): bits, and ones before them
    const uint32_t* row_starts     # of each used feature of a level, and the end
    const uint32_t* run_marks      # first weight of some rows of a level
    const float* weights
    const float* intercepts        # of every node but the root
    const int32_t* labels          # column of each node of the last level, or NULL


cdef struct Level:
    # The same for one level.
    const uint64_t* words
    const uint32_t* row_starts
    const uint32_t* run_marks
    int64_t first_row
    int64_t first_weight


cdef struct Query:
    const int32_t* features
    const float* values
    int64_t n_features


cdef struct Scratch:
    int32_t* slots      # (widest level of parents,): place in the beam, or -1
    int64_t* starts     # (beam_width + 1,): where a slot's margins begin
    double* margins     # (most children of a beam,)


cdef struct Hit:
    int64_t start
    int64_t stop
    double* margins
    double value


def search(
    const int64_t[::1] X_offsets,      # IN (n_samples + 1,)
    const int32_t[::1] X_indices,      # IN
    const float[::1] X_values,         # IN
    int64_t n_features,
    const int32_t[::1] kept_features,  # IN (n_kept,), ascending; empty: all
    const int64_t[::1] child_offsets,  # IN (n_parents + 1,)
    const int64_t[::1] level_starts,   # IN (n_levels + 1,)
    const int64_t[:, ::1] bases,       # IN (n_levels, 4)
    const uint64_t[:, :, ::1] words,   # IN (n_levels, n_words, 2)
    const uint32_t[::1] row_starts,    # IN
    const parent_t[::1] parents,       # IN (n_rows,)
    const child_t[::1] run_lengths,    # IN (n_rows,): less one
    const uint32_t[::1] run_marks,     # IN
    const child_t[::1] children,       # IN (n_weights,)
    const float[::1] weights,          # IN (n_weights,)
    const float[::1] intercepts,       # IN (n_nodes - 1,)
    const int32_t[::1] labels,         # IN (n_labels,), or empty: nodes are wanted
    int transform,
    int64_t[:, ::1] beam_nodes,        # SCRATCH (2, beam_width)
    int64_t[:, ::1] beam_keys,         # SCRATCH (2, beam_width)
    double[:, ::1] beam_scores,        # SCRATCH (2, beam_width)
    int32_t[::1] slots,                # SCRATCH (widest level of parents,), all -1
    int64_t[::1] starts,               # SCRATCH (beam_width + 1,)
    double[::1] margins,               # SCRATCH (most children of a beam,)
    int64_t[:, ::1] columns,           # OUT (n_samples, k); -1 where none is found
    double[:, ::1] scores,             # OUT (n_samples, k): logarithms; -inf there
):
    """Find the best k of the nodes or labels that a beam reaches, best first."""
    cdef Tree tree
    cdef Query query
    cdef Scratch scratch
    cdef Heap[2] beams
    cdef Heap found
    cdef const int32_t* X_features
    cdef const float* X_numbers
    cdef const parent_t* parents_pointer
    cdef const child_t* lengths_pointer
    cdef const child_t* children_pointer
    cdef int64_t i, j, k = columns.shape[1]
    cdef int64_t n_levels = level_starts.shape[0] - 1
    # Pointers to the first entry exist only where there is one.
    cdef bint any_weights = weights.shape[0] > 0
    cdef bint any_values = X_values.shape[0] > 0
    if k == 0 or columns.shape[0] == 0:
        return
    if X_offsets[columns.shape[0]] > min(X_indices.shape[0], X_values.shape[0]):
        raise ValueError("X has fewer indices or values than its offsets say.")
    if beam_nodes.shape[1] == 0:
        raise ValueError("The beam has no place for a node; expected one at least.")
    X_features = &X_indices[0] if any_values else NULL
    X_numbers = &X_values[0] if any_values else NULL
    tree.n_features = n_features
    tree.n_words = words.shape[1]
    tree.n_kept = kept_features.shape[0]
    tree.kept_features = &kept_features[0] if tree.n_kept else NULL
    tree.child_offsets = &child_offsets[0]
    tree.level_starts = &level_starts[0]
    tree.bases = &bases[0, 0]
    tree.words = &words[0, 0, 0] if tree.n_words else NULL
    tree.row_starts = &row_starts[0]
    tree.run_marks = &run_marks[0] if any_weights else NULL
    tree.weights = &weights[0] if any_weights else NULL
    tree.intercepts = &intercepts[0]
    tree.labels = &labels[0] if labels.shape[0] else NULL
    parents_pointer = &parents[0] if any_weights else NULL
    lengths_pointer = &run_lengths[0] if any_weights else NULL
    children_pointer = &children[0] if any_weights else NULL
    scratch.slots = &slots[0]
    scratch.starts = &starts[0]
    scratch.margins = &margins[0]
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
            query.features = X_features + X_offsets[i]
            query.values = X_numbers + X_offsets[i]
            found.nodes = &columns[i, 0]
            found.keys = &columns[i, 0]
            found.scores = &scores[i, 0]
            _search_one(
                &query, &tree, parents_pointer, lengths_pointer, children_pointer,
                transform, n_levels, beams, &scratch, &found,
            )
            for j in range(found.size, k):
                columns[i, j] = -1
                scores[i, j] = -INFINITY


cdef void _search_one(
    const Query* query, const Tree* tree, const parent_t* parents,
    const child_t* lengths, const child_t* children, int transform, int64_t n_levels,
    Heap* beams, Scratch* scratch, Heap* found,
) noexcept nogil:
    cdef Heap* beam = &beams[0]
    cdef Heap* reached
    cdef const int32_t* labels
    cdef int64_t level
    beam.size = 1
    beam.nodes[0] = 0
    beam.scores[0] = 0.0
    for level in range(n_levels):
        reached = found if level == n_levels - 1 else &beams[(level + 1) % 2]
        labels = tree.labels if level == n_levels - 1 else NULL
        _start_margins(tree, level, beam, scratch)
        _add_products(
            query, tree, parents, lengths, children, level, beam, scratch
        )
        _push_children(tree, transform, level, labels, beam, scratch, reached)
        sort(reached)
        beam = reached


cdef void _start_margins(
    const Tree* tree, int64_t level, const Heap* beam, Scratch* scratch
) noexcept nogil:
    """Give each node of the beam a slot, and its children their intercepts."""
    cdef int64_t slot, child, first, n_children, start = 0
    for slot in range(beam.size):
        first = tree.child_offsets[beam.nodes[slot]]
        n_children = tree.child_offsets[beam.nodes[slot] + 1] - first
        scratch.slots[beam.nodes[slot] - tree.level_starts[level]] = <int32_t>slot
        scratch.starts[slot] = start
        for child in range(n_children):
            scratch.margins[start + child] = tree.intercepts[first + child - 1]
        start += n_children
    scratch.starts[beam.size] = start


cdef void _add_products(
    const Query* query, const Tree* tree, const parent_t* parents,
    const child_t* lengths, const child_t* children, int64_t level, const Heap* beam,
    Scratch* scratch,
) noexcept nogil:
    """Add, for each feature of the query, value times weight to the margins."""
    cdef Level here
    cdef uint32_t used[N_LOOKED_UP]
    cdef uint32_t start[N_LOOKED_UP]
    cdef uint32_t stop[N_LOOKED_UP]
    cdef double values[N_LOOKED_UP]
    cdef Hit hits[N_HITS]
    cdef int64_t i, j, first, n_used, last = 0, n_hits = 0
    here.words = tree.words + level * tree.n_words * 2
    here.row_starts = tree.row_starts + tree.bases[4 * level]
    here.run_marks = tree.run_marks + tree.bases[4 * level + 2]
    here.first_row = tree.bases[4 * level + 1]
    here.first_weight = tree.bases[4 * level + 3]
    parents += here.first_row
    lengths += here.first_row
    while last < query.n_features:
        first = last
        last = min(first + <int64_t>N_LOOKED_UP, query.n_features)
        n_used = 0
        for i in range(first, last):
            if _look_up(tree, &here, query.features[i], &used[n_used]):
                prefetch(here.row_starts + used[n_used])
                values[n_used] = query.values[i]
                n_used += 1
        for j in range(n_used):
            start[j] = here.row_starts[used[j]]
            stop[j] = here.row_starts[used[j] + 1]
            prefetch(parents + start[j])
            prefetch(lengths + start[j])
            prefetch(here.run_marks + (start[j] >> LOG_ROWS_OF_MARK))
        for j in range(n_used):
            n_hits = _find_hits(
                &here, start[j], stop[j], values[j], tree.weights, parents, lengths,
                children, beam, tree.level_starts[level], scratch, hits, n_hits,
            )
    _add_hits(hits, n_hits, tree.weights, children)
    for i in range(beam.size):
        scratch.slots[beam.nodes[i] - tree.level_starts[level]] = -1


cdef inline bint _look_up(
    const Tree* tree, const Level* here, int32_t feature, uint32_t* used
) noexcept nogil:
    """Number of a feature among those that the level uses, if it is one."""
    cdef int64_t number = feature
    cdef uint64_t bits
    cdef int bit
    if number < 0 or number >= tree.n_features:
        return False
    if tree.n_kept:
        number = _find(tree.kept_features, 0, tree.n_kept, feature)
        if number == tree.n_kept or tree.kept_features[number] != feature:
            return False
    bits = here.words[2 * (number >> 6)]
    bit = number & 63
    if not (bits >> bit) & 1:
        return False
    bits &= (<uint64_t>1 << bit) - 1
    used[0] = <uint32_t>(here.words[2 * (number >> 6) + 1] + count_bits(bits))
    return True


cdef inline int64_t _find_hits(
    const Level* here, int64_t start, int64_t stop, double value,
    const float* weights, const parent_t* parents, const child_t* lengths,
    const child_t* children, const Heap* beam, int64_t level_start, Scratch* scratch,
    Hit* hits, int64_t n_hits,
) noexcept nogil:
    """List the rows of a feature whose parents are in the beam."""
    cdef int64_t row, slot
    cdef parent_t parent
    if stop - start <= 8 * beam.size:
        for row in range(start, stop):
            slot = scratch.slots[parents[row]]
            if slot >= 0:
                n_hits = _hit(
                    here, row, slot, value, weights, lengths, children, scratch, hits,
                    n_hits,
                )
        return n_hits
    for slot in range(beam.size):
        parent = <parent_t>(beam.nodes[slot] - level_start)
        row = _find(parents, start, stop, parent)
        if row < stop and parents[row] == parent:
            n_hits = _hit(
                here, row, slot, value, weights, lengths, children, scratch, hits,
                n_hits,
            )
    return n_hits


cdef inline int64_t _hit(
    const Level* here, int64_t row, int64_t slot, double value, const float* weights,
    const child_t* lengths, const child_t* children, Scratch* scratch, Hit* hits,
    int64_t n_hits,
) noexcept nogil:
    """Note a run to add, and ask for its memory; add all when the list is full."""
    cdef int64_t mark = row >> LOG_ROWS_OF_MARK
    cdef int64_t start = here.first_weight + here.run_marks[mark]
    cdef int64_t before
    for before in range(mark << LOG_ROWS_OF_MARK, row):
        start += lengths[before] + 1
    if n_hits == N_HITS:
        _add_hits(hits, n_hits, weights, children)
        n_hits = 0
    hits[n_hits].start = start
    hits[n_hits].stop = start + lengths[row] + 1
    hits[n_hits].margins = scratch.margins + scratch.starts[slot]
    hits[n_hits].value = value
    prefetch(weights + start)
    prefetch(children + start)
    return n_hits + 1


cdef inline void _add_hits(
    const Hit* hits, int64_t n_hits, const float* weights, const child_t* children
) noexcept nogil:
    cdef int64_t i, entry
    for i in range(n_hits):
        for entry in range(hits[i].start, hits[i].stop):
            hits[i].margins[children[entry]] += hits[i].value * weights[entry]


cdef inline int64_t _find(
    const parent_t* values, int64_t start, int64_t stop, parent_t wanted
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


cdef void _push_children(
    const Tree* tree, int transform, int64_t level, const int32_t* labels,
    const Heap* beam, Scratch* scratch, Heap* reached,
) noexcept nogil:
    """Score the children of the beam's nodes and keep the best."""
    cdef int64_t slot, child, first, key, n_children
    cdef double* scores
    reached.size = 0
    for slot in range(beam.size):
        # Children score no better than their parent.
        if reached.size == reached.capacity and beam.scores[slot] < reached.scores[0]:
            continue
        first = tree.child_offsets[beam.nodes[slot]]
        n_children = scratch.starts[slot + 1] - scratch.starts[slot]
        scores = scratch.margins + scratch.starts[slot]
        turn_into_scores(scores, n_children, beam.scores[slot], transform)
        for child in range(n_children):
            if scores[child] == -INFINITY:
                continue
            if reached.size == reached.capacity and scores[child] < reached.scores[0]:
                continue
            key = first + child - tree.level_starts[level + 1]
            if labels != NULL:
                key = labels[key]
            push(reached, first + child, key, scores[child])
