"""Third stage of a search: the scores of a node's children, and the best of them.

Log scores add up along a path; products of scores would underflow.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from skxmr._cython._beam cimport SIGMOID, Heap, push, turn_into_scores
from skxmr._cython._search_inputs cimport ChangeView, NodeView, PostingView, child_t
from skxmr._cython._search_postings cimport find_runs, list_runs
from skxmr._cython._search_state cimport (
    SEARCH_LANES, ChangedRun, Run, SearchState, Tree, cannot_enter, change_of,
    is_allowed, least_score
)

cdef extern from "include/bits.h" nogil:
    int lowest_bit "skxmr_lowest_bit"(uint64_t word)
    double from_half "skxmr_from_half"(uint16_t half)

cdef extern from "include/runs.h" nogil:
    ctypedef struct Siblings "skxmr_siblings":
        int64_t first
        int64_t n_children
        double parent_score
        const Run* runs
        int64_t n_runs
        double* scores
        uint64_t found
    uint64_t score_lanes "skxmr_score_lanes"(
        const Siblings* siblings, const uint8_t* entries, int is_half,
        const float* intercepts, int power, double least_score,
    )
    uint64_t turn_by_lanes "skxmr_turn_by_lanes"(
        const Siblings* siblings, int power, double least_score,
    )

# uint16 are the bits of half-precision numbers.
ctypedef fused weight_t:
    float
    uint16_t

cdef enum:
    SLOTS_AHEAD = 2          # whose runs are prefetched while others are scored
    BITS = 64                # of the word that says which children are found


cdef inline void score_group(
    const Tree* tree, int64_t level, SearchState* state
) noexcept nogil:
    """Score the children of the group's nodes, the best nodes first.

    Runs of the next nodes are prefetched meanwhile, but for nodes whose children
    cannot enter the beam.
    """
    cdef int64_t i
    cdef Siblings siblings, previous
    previous.first = previous.n_children = 0
    for i in range(state.first, min(state.first + 2 * SLOTS_AHEAD, state.last)):
        list_runs(tree, state, i)
    for i in range(state.first, min(state.first + SLOTS_AHEAD, state.last)):
        find_runs(tree, state, i)
    for i in range(state.first, state.last):
        if cannot_enter(state.beam.scores[i], state.reached):
            break
        if i + 2 * SLOTS_AHEAD < state.last:
            list_runs(tree, state, i + 2 * SLOTS_AHEAD)
        if i + SLOTS_AHEAD < state.last:
            find_runs(tree, state, i + SLOTS_AHEAD)
        _start_siblings(tree, state, i, &siblings)
        if change_of(&tree.nodes, state.beam.nodes[i]) != NULL:
            _keep_best(tree, level, state, &previous)
            previous.n_children = 0
            _score_changed(tree, level, state, i, &siblings)
            continue
        if not _fit_lanes(tree, state, &siblings):
            _keep_best(tree, level, state, &previous)
            previous.n_children = 0
            _score_children(tree, level, state, &siblings)
            continue
        # Which children are kept is mispredicted: computing the next node's scores
        # first hides the wait for these.
        siblings.scores += SEARCH_LANES * (i & 1)
        siblings.found = score_lanes(
            &siblings, tree.postings.entries, tree.postings.has_half_weights,
            tree.nodes.intercepts + siblings.first - 1, state.query.transform,
            least_score(state.reached),
        )
        _keep_best(tree, level, state, &previous)
        previous = siblings
    _keep_best(tree, level, state, &previous)


cdef inline void _start_siblings(
    const Tree* tree, const SearchState* state, int64_t index, Siblings* siblings
) noexcept nogil:
    cdef int64_t node = state.beam.nodes[index], slot = index - state.first
    siblings.first = tree.nodes.child_offsets[node]
    siblings.n_children = tree.nodes.child_offsets[node + 1] - siblings.first
    siblings.parent_score = state.beam.scores[index]
    siblings.runs = state.runs + slot * state.max_used
    siblings.n_runs = state.n_runs[slot]
    siblings.scores = state.margins
    siblings.found = 0


cdef inline bint _fit_lanes(
    const Tree* tree, const SearchState* state, const Siblings* siblings
) noexcept nogil:
    """Whether the margins of all children fit into two vector registers."""
    return (
        siblings.n_children <= SEARCH_LANES
        and tree.has_lanes
        and state.query.transform != SIGMOID
    )


cdef inline void _score_children(
    const Tree* tree, int64_t level, SearchState* state, Siblings* siblings
) noexcept nogil:
    """Score the children of one node, however many, and keep the best."""
    cdef double* margins = siblings.scores
    cdef int64_t child, first = 0, n_children = siblings.n_children
    cdef int transform = state.query.transform
    cdef bint by_lanes = tree.has_lanes and transform != SIGMOID
    for child in range(n_children):
        margins[child] = tree.nodes.intercepts[siblings.first - 1 + child]
    _add_runs(&tree.postings, siblings, margins)
    if not by_lanes:
        turn_into_scores(margins, n_children, siblings.parent_score, transform)
    while first < n_children:
        siblings.n_children = min(n_children - first, <int64_t>BITS)
        siblings.scores = margins + first
        if by_lanes:
            siblings.found = turn_by_lanes(
                siblings, transform, least_score(state.reached)
            )
        else:
            siblings.found = _not_below(siblings, least_score(state.reached))
        _keep_best(tree, level, state, siblings)
        siblings.first += BITS
        first += BITS


cdef inline void _score_changed(
    const Tree* tree, int64_t level, SearchState* state, int64_t index,
    Siblings* siblings,
) noexcept nogil:
    """Score the children of one node with changes, and keep the best."""
    cdef const ChangeView* change = change_of(&tree.nodes, state.beam.nodes[index])
    cdef double* margins = siblings.scores
    cdef int64_t child, first = 0, n_children = change.n_children
    cdef int transform = state.query.transform
    cdef bint by_lanes = tree.has_lanes and transform != SIGMOID
    for child in range(n_children):
        margins[child] = change.intercepts[child]
    _add_changed_runs(tree, state, index, siblings, margins)
    if not by_lanes:
        turn_into_scores(margins, n_children, siblings.parent_score, transform)
    while first < n_children:
        siblings.n_children = min(n_children - first, <int64_t>BITS)
        siblings.scores = margins + first
        if by_lanes:
            siblings.found = turn_by_lanes(
                siblings, transform, least_score(state.reached)
            )
        else:
            siblings.found = _not_below(siblings, least_score(state.reached))
        _keep_best_changed(tree, level, state, change, first, siblings)
        first += BITS


cdef inline void _add_changed_runs(
    const Tree* tree, const SearchState* state, int64_t index, Siblings* siblings,
    double* margins,
) noexcept nogil:
    """Add the products of all runs to the margins, in the order of the features."""
    cdef int64_t i, j, slot = index - state.first, n_added = 0
    cdef int64_t n_runs = siblings.n_runs
    cdef const Run* runs = siblings.runs
    cdef const ChangedRun* changed = state.changed + slot * state.max_used
    cdef double value
    for i in range(state.n_changed[slot]):
        siblings.runs = runs + n_added
        siblings.n_runs = changed[i].n_before - n_added
        _add_runs(&tree.postings, siblings, margins)
        n_added = changed[i].n_before
        value = changed[i].value
        for j in range(changed[i].length):
            margins[changed[i].children[j]] += value * changed[i].weights[j]
    siblings.runs = runs + n_added
    siblings.n_runs = n_runs - n_added
    _add_runs(&tree.postings, siblings, margins)


cdef inline void _keep_best_changed(
    const Tree* tree, int64_t level, SearchState* state, const ChangeView* change,
    int64_t first, const Siblings* siblings,
) noexcept nogil:
    """Push the children found that are still among the best, as `_keep_best` does.

    An added label is numbered as a node after all others.
    """
    cdef Heap* reached = state.reached
    cdef const NodeView* nodes = &tree.nodes
    cdef int64_t child, node, key
    cdef uint64_t found = siblings.found
    cdef double score
    while found:
        child = lowest_bit(found)
        found &= found - 1
        score = siblings.scores[child]
        child += first
        node = siblings.first + child
        key = node - nodes.level_starts[level + 1]
        if change.labels != NULL:
            if child >= change.n_base:
                node = nodes.n_nodes + change.labels[child] - nodes.n_labels
            if state.query.wants_labels:
                key = change.labels[child]
        if score >= least_score(reached) and is_allowed(&state.query, node):
            push(reached, node, key, score)


cdef inline uint64_t _not_below(
    const Siblings* siblings, double least
) noexcept nogil:
    """Return a bit for each child whose score is not below the least."""
    cdef uint64_t bits = 0
    cdef int64_t i
    for i in range(siblings.n_children):
        bits |= <uint64_t>(not siblings.scores[i] < least) << i
    return bits


cdef inline void _keep_best(
    const Tree* tree, int64_t level, SearchState* state, const Siblings* siblings
) noexcept nogil:
    """Push the children found that are still among the best."""
    cdef Heap* reached = state.reached
    cdef int64_t child, key
    cdef int64_t first_key = siblings.first - tree.nodes.level_starts[level + 1]
    cdef uint64_t found = siblings.found if siblings.n_children else 0
    cdef double least = least_score(reached)
    cdef const int32_t* labels = NULL
    if level == tree.nodes.n_levels - 1 and state.query.wants_labels:
        labels = tree.nodes.labels
    while found:
        child = lowest_bit(found)
        found &= found - 1
        if siblings.scores[child] < least or not is_allowed(
            &state.query, siblings.first + child
        ):
            continue
        key = first_key + child
        if labels != NULL:
            key = labels[key]
        push(reached, siblings.first + child, key, siblings.scores[child])
        least = least_score(reached)


cdef inline void _add_runs(
    const PostingView* postings, const Siblings* siblings, double* margins
) noexcept nogil:
    """Add value times weight to the margins."""
    if postings.has_wide_children:
        if postings.has_half_weights:
            _add_typed(postings, siblings, <int32_t>0, <uint16_t>0, margins)
        else:
            _add_typed(postings, siblings, <int32_t>0, <float>0, margins)
    elif postings.has_half_weights:
        _add_typed(postings, siblings, <uint8_t>0, <uint16_t>0, margins)
    else:
        _add_typed(postings, siblings, <uint8_t>0, <float>0, margins)


cdef inline void _add_typed(
    const PostingView* postings, const Siblings* siblings, child_t child,
    weight_t weight, double* margins,
) noexcept nogil:
    """The types of `child` and `weight` are those of the entries."""
    cdef int64_t i
    cdef int64_t n_runs = siblings.n_runs
    cdef const Run* runs = siblings.runs
    cdef double value
    cdef const uint8_t* at
    cdef const uint8_t* stop
    cdef const uint8_t* weights
    for i in range(n_runs):
        at = (
            postings.entries
            + <size_t>runs[i].start * (sizeof(child_t) + sizeof(weight_t))
        )
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
