"""Second stage of a search: the postings of the beam's nodes, for each used feature.

Nodes are scored in groups, a *slot* for each. Blocks tell at once whether a node uses a
feature. Listed postings are found for the whole group: few are read through, many are
searched by bisection.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from skxmr._cython._search_inputs cimport (
    LOG_POSTINGS_OF_MARK, ChangeView, NodeView, PostingView, child_t, parent_t
)
from skxmr._cython._search_lookup cimport (
    count_bits, count_weights, lower_bound, prefetch, run_start
)
from skxmr._cython._search_state cimport (
    ChangedRun, Query, Run, SearchState, Tree, UsedFeature, cannot_enter, change_of,
    is_allowed
)

cdef extern from "include/runs.h" nogil:
    void find_runs_by_lanes "skxmr_find_runs_by_lanes"(
        Run* runs, int64_t n_runs, const uint8_t* lengths, const uint8_t* entries,
        int entry_size,
    )

cdef enum:
    POSTINGS_READ = 64       # at a time
    POSTINGS_OF_BISECTION = 32  # are read through in the time of one bisection
    NOT_THERE = 0            # lengths of runs that are listed but not yet found
    THERE = 1


cdef struct Group:
    # Nodes of the beam whose children are scored together.
    const Tree* tree
    SearchState* state
    const int64_t* nodes
    int64_t n_slots
    int64_t level_start
    int64_t level_stop


# Listed postings of all slots
# ----------------------------

cdef inline void find_listed_postings(
    const Tree* tree, int64_t level, SearchState* state
) noexcept nogil:
    """Find the postings of all slots for features whose parents are listed."""
    cdef const PostingView* postings = &tree.postings
    cdef const uint8_t* bytes = <const uint8_t*>postings.run_lengths
    cdef const int32_t* ints = <const int32_t*>postings.run_lengths
    cdef const uint16_t* parents = <const uint16_t*>postings.parents
    cdef const int32_t* wide_parents = <const int32_t*>postings.parents
    cdef int64_t i
    cdef Group group
    group.tree = tree
    group.state = state
    group.nodes = state.beam.nodes + state.first
    group.n_slots = state.last - state.first
    group.level_start = tree.nodes.level_starts[level]
    group.level_stop = tree.nodes.level_starts[level + 1]
    for i in range(group.n_slots):
        state.slots[group.nodes[i]] = <uint16_t>(i + 1)
    if postings.has_wide_parents:
        if postings.has_wide_children:
            _find_typed(&group, wide_parents, ints)
        else:
            _find_typed(&group, wide_parents, bytes)
    elif postings.has_wide_children:
        _find_typed(&group, parents, ints)
    else:
        _find_typed(&group, parents, bytes)
    for i in range(group.n_slots):
        state.slots[group.nodes[i]] = 0


cdef inline void _find_typed(
    Group* group, const parent_t* parents, const child_t* lengths
) noexcept nogil:
    cdef int64_t i, slot
    for i in range(group.state.n_used):
        if group.state.used[i].blocks == NULL:
            for slot in range(group.n_slots):
                _run_of(group, slot, i).length = NOT_THERE
            _find_of_feature(group, i, parents, lengths)


cdef inline Run* _run_of(const Group* group, int64_t slot, int64_t i) noexcept nogil:
    return group.state.runs + slot * group.state.max_used + i


cdef inline void _find_of_feature(
    Group* group, int64_t i, const parent_t* parents, const child_t* lengths
) noexcept nogil:
    """Find the postings of one used feature, by reading through or by bisection."""
    cdef UsedFeature* used = &group.state.used[i]
    cdef int64_t max_read = POSTINGS_OF_BISECTION * group.n_slots
    # Skip the postings of levels that needed no weights.
    while used.posting < used.stop and parents[used.posting] < group.level_start:
        used.weight += lengths[used.posting] + 1
        used.posting += 1
    cdef int64_t stop = used.stop
    if stop - used.posting > max_read:
        stop = lower_bound(parents, used.posting, stop, group.level_stop)
    if stop - used.posting <= max_read:
        _read_through(group, i, parents, lengths)
    else:
        _bisect(group, i, stop, parents, lengths)
        used.next_posting = <uint32_t>stop
        if stop < used.stop:
            used.next_weight = run_start(&group.tree.postings, stop, lengths)


cdef inline void _read_through(
    Group* group, int64_t i, const parent_t* parents, const child_t* lengths
) noexcept nogil:
    """Read the postings of a feature up to the end of the level."""
    cdef UsedFeature* used = &group.state.used[i]
    cdef uint32_t[POSTINGS_READ] starts, found
    cdef uint16_t[POSTINGS_READ] slots
    cdef uint32_t posting = used.posting, start = used.weight, stop
    cdef int64_t parent, n_found, j
    cdef uint16_t slot
    cdef const uint16_t* slot_of_node = group.state.slots
    cdef bint is_done = False
    cdef Run* run
    while not is_done:
        n_found = 0
        stop = used.stop
        if stop - posting > POSTINGS_READ:
            stop = posting + POSTINGS_READ
        is_done = stop == used.stop
        # Branch-free on whether a slot has the parent: it would be mispredicted.
        while posting < stop:
            parent = parents[posting]
            if parent >= group.level_stop:
                is_done = True
                break
            slot = slot_of_node[parent]
            starts[n_found] = start
            found[n_found] = posting
            slots[n_found] = slot
            n_found += slot != 0
            start += lengths[posting] + 1
            posting += 1
        for j in range(n_found):
            run = _run_of(group, slots[j] - 1, i)
            run.start = starts[j]
            run.posting = found[j]
            run.n_before = 0
            run.length = THERE
    used.next_posting = posting
    used.next_weight = start


cdef inline void _bisect(
    Group* group, int64_t i, int64_t stop, const parent_t* parents,
    const child_t* lengths,
) noexcept nogil:
    """Look up the posting of each slot among the many of a feature."""
    cdef const UsedFeature* used = &group.state.used[i]
    cdef int64_t slot, posting
    cdef Run* run
    for slot in range(group.n_slots):
        posting = lower_bound(parents, used.posting, stop, group.nodes[slot])
        if posting == stop or parents[posting] != group.nodes[slot]:
            continue
        run = _run_of(group, slot, i)
        run.posting = <uint32_t>posting
        run.n_before = posting & ((1 << LOG_POSTINGS_OF_MARK) - 1)
        run.start = group.tree.postings.run_marks[posting >> LOG_POSTINGS_OF_MARK]
        run.length = THERE
        prefetch(lengths + posting)


# Runs of one slot
# ----------------

cdef inline void list_runs(
    const Tree* tree, SearchState* state, int64_t index
) noexcept nogil:
    """List the runs of a beam node, in the order of the query's features.

    Branch-free on whether the node uses a feature: it would be mispredicted.
    """
    cdef int64_t i, n = 0, node = state.beam.nodes[index]
    cdef int64_t slot = index - state.first
    cdef uint64_t bits, starts, bit = <uint64_t>1 << (node & 63)
    cdef Run* runs = state.runs + slot * state.max_used
    cdef Run* run
    cdef const UsedFeature* used
    state.n_runs[slot] = 0
    if change_of(&tree.nodes, node) != NULL:
        _list_changed_runs(tree, state, index)
        return
    if cannot_enter(state.beam.scores[index], state.reached) or not _needs_weights(
        &state.query, &tree.nodes, node
    ):
        return
    for i in range(state.n_used):
        used = &state.used[i]
        run = &runs[n]
        if used.blocks == NULL:
            n += runs[i].length
            run[0] = runs[i]
        else:
            bits = used.blocks[2 * (node >> 6)]
            starts = used.blocks[2 * (node >> 6) + 1]
            n += (bits & bit) != 0
            run.start = <uint32_t>(starts >> 32)
            run.n_before = count_bits(bits & (bit - 1))
            run.posting = <uint32_t>starts + run.n_before
            if tree.postings.has_wide_children:
                prefetch(<const int32_t*>tree.postings.run_lengths + run.posting)
            else:
                prefetch(<const uint8_t*>tree.postings.run_lengths + run.posting)
        run.value = used.value
    state.n_runs[slot] = <int32_t>n


cdef inline void _list_changed_runs(
    const Tree* tree, SearchState* state, int64_t index
) noexcept nogil:
    """List the runs of a node with changes, those of the layout and the changed ones.
    """
    cdef int64_t i, key, u = 0, node = state.beam.nodes[index]
    cdef int64_t slot = index - state.first
    cdef const ChangeView* change = change_of(&tree.nodes, node)
    cdef Run* runs = state.runs + slot * state.max_used
    cdef ChangedRun* changed = state.changed + slot * state.max_used
    cdef int32_t n = 0, n_changed = 0
    cdef bint is_replaced
    state.n_changed[slot] = 0
    if cannot_enter(state.beam.scores[index], state.reached):
        return
    for i in range(state.query.n_features):
        is_replaced = False
        key = _key_of(change, state.query.features[i])
        if key >= 0:
            is_replaced = change.replaces[key]
            changed.children = change.items + change.offsets[key]
            changed.weights = change.weights + change.offsets[key]
            changed.length = change.offsets[key + 1] - change.offsets[key]
            changed.value = state.query.values[i]
            changed.n_before = n
            changed += 1
            n_changed += 1
        if u < state.n_used and state.used[u].index == i:
            if _start_run(tree, &state.used[u], node, &runs[u], &runs[n]):
                n += not is_replaced
            u += 1
    state.n_runs[slot], state.n_changed[slot] = n, n_changed


cdef inline int64_t _key_of(const ChangeView* change, int32_t feature) noexcept nogil:
    """Find a feature among those with changes; -1 if it has none."""
    cdef int64_t key
    if not (change.filter[(feature >> 6) & 3] >> (feature & 63)) & 1:
        return -1
    key = lower_bound(change.keys, 0, change.n_keys, feature)
    if key < change.n_keys and change.keys[key] == feature:
        return key
    return -1


cdef inline bint _start_run(
    const Tree* tree, const UsedFeature* used, int64_t node, const Run* listed, Run* run
) noexcept nogil:
    """Set up the run of a node's posting, if it has one for the feature.

    `listed` is the one that was found among listed postings, if these have the feature.
    """
    cdef uint64_t bits, starts, bit = <uint64_t>1 << (node & 63)
    if used.blocks == NULL:
        if listed.length == NOT_THERE:
            return False
        run[0] = listed[0]
    else:
        bits = used.blocks[2 * (node >> 6)]
        if not bits & bit:
            return False
        starts = used.blocks[2 * (node >> 6) + 1]
        run.start = <uint32_t>(starts >> 32)
        run.n_before = count_bits(bits & (bit - 1))
        run.posting = <uint32_t>starts + run.n_before
    run.value = used.value
    return True


cdef inline bint _needs_weights(
    const Query* query, const NodeView* nodes, int64_t node
) noexcept nogil:
    """Whether a child may be reached whose margin depends on the query."""
    cdef int64_t child
    cdef int64_t first = nodes.child_offsets[node], stop = nodes.child_offsets[node + 1]
    cdef float intercept
    if query.allowed == NULL and stop - first > 1:
        return True
    for child in range(first, stop):
        intercept = nodes.intercepts[child - 1]
        if -INFINITY < intercept < INFINITY and is_allowed(query, child):
            return True
    return False


cdef inline void find_runs(
    const Tree* tree, SearchState* state, int64_t index
) noexcept nogil:
    """Find where the runs of a beam node lie, and prefetch them."""
    cdef const PostingView* postings = &tree.postings
    cdef int64_t i, slot = index - state.first
    cdef Run* runs = state.runs + slot * state.max_used
    if cannot_enter(state.beam.scores[index], state.reached):
        return
    if tree.has_lanes:
        find_runs_by_lanes(
            runs, state.n_runs[slot], <const uint8_t*>postings.run_lengths,
            postings.entries, postings.entry_size,
        )
        return
    for i in range(state.n_runs[slot]):
        if postings.has_wide_children:
            _find_run(postings, &runs[i], <const int32_t*>postings.run_lengths)
        else:
            _find_run(postings, &runs[i], <const uint8_t*>postings.run_lengths)
        _prefetch_run(postings, &runs[i])


cdef inline void _find_run(
    const PostingView* postings, Run* run, const child_t* lengths
) noexcept nogil:
    cdef int64_t posting = run.posting
    run.start += count_weights(postings, posting - run.n_before, posting, lengths)
    run.length = lengths[posting] + 1


cdef inline void _prefetch_run(
    const PostingView* postings, const Run* run
) noexcept nogil:
    """Prefetch both ends of a run; the hardware fetches what lies between them."""
    cdef const uint8_t* first = (
        postings.entries + <size_t>run.start * postings.entry_size
    )
    prefetch(first)
    prefetch(first + run.length * postings.entry_size - 1)
