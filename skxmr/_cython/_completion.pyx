"""What a completion walks: ranges of sorted queries, and sums of sparse scores."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from skxmr._cython._beam cimport Heap, push, sort

cdef enum:
    N_OF_BLOCK = 256  # queries that share an entry in the table of the best
    MOST_LISTS = 64

BLOCK = N_OF_BLOCK


def best_in_ranges(
    const int64_t[:, ::1] ranges,   # IN (n_ranges, 2): first rank, and beyond the last
    const double[::1] values,       # IN (n_queries,)
    const double[::1] block_best,   # IN (n_blocks,): the largest value of each block
    double[::1] scores,             # SCRATCH (k,)
    int64_t[::1] best,              # OUT (k,): ranks, of equal values the smaller first
):
    """Find the k largest values in some ranges; return how many there are."""
    cdef Heap found
    cdef int64_t i, start, stop, n_queries = values.shape[0]
    if best.shape[0] == 0 or scores.shape[0] < best.shape[0]:
        return 0
    if block_best.shape[0] * N_OF_BLOCK < n_queries:
        raise ValueError("block_best has fewer blocks than values has.")
    found.nodes = &best[0]
    found.keys = &best[0]
    found.scores = &scores[0]
    found.size = 0
    found.capacity = best.shape[0]
    for i in range(ranges.shape[0]):
        start, stop = ranges[i, 0], ranges[i, 1]
        if start < 0 or stop > n_queries:
            raise ValueError("A range goes beyond the queries.")
        with nogil:
            _best_in_range(start, stop, &values[0], &block_best[0], &found)
    with nogil:
        sort(&found)
    return found.size


cdef void _best_in_range(
    int64_t start, int64_t stop, const double* values, const double* block_best,
    Heap* found,
) noexcept nogil:
    cdef int64_t i = start, block, end
    while i < stop:
        block = i // N_OF_BLOCK
        end = min((block + 1) * N_OF_BLOCK, stop)
        # Of equal values the smaller rank is better, and those came before.
        if found.size < found.capacity or block_best[block] > found.scores[0]:
            while i < end:
                if found.size < found.capacity or values[i] > found.scores[0]:
                    push(found, i, i, values[i])
                i += 1
        i = end


def best_of_sums(
    lists,                          # IN of (ranks int32, weights float32), ranks rising
    const double[::1] factors,      # IN (n_lists,): each list's weights are multiplied
    const double[::1] prior,        # IN (n_queries,)
    double prior_factor,
    int64_t[::1] cursors,           # SCRATCH (n_lists,)
    int64_t[::1] best,              # OUT (k,): ranks, best first
    double[::1] scores,             # OUT (k,)
):
    """Add up the weights of some lists and a prior; return how many ranks there are."""
    cdef Heap found
    cdef int64_t rank, n_lists = len(lists), i
    cdef double total
    cdef const int32_t[::1] ranks
    cdef const float[::1] weights
    cdef const int32_t* rank_of[MOST_LISTS]
    cdef const float* weight_of[MOST_LISTS]
    cdef int64_t size_of[MOST_LISTS]
    if n_lists > MOST_LISTS or min(factors.shape[0], cursors.shape[0]) < n_lists:
        raise ValueError("There are more lists than there is room for.")
    if best.shape[0] == 0 or scores.shape[0] != best.shape[0]:
        raise ValueError("best and scores must be of one length, 1 at least.")
    for i in range(n_lists):
        ranks, weights = lists[i]
        if ranks.shape[0] != weights.shape[0]:
            raise ValueError("A list has not as many weights as ranks.")
        size_of[i] = ranks.shape[0]
        cursors[i] = 0
        if size_of[i]:
            if ranks[0] < 0 or ranks[size_of[i] - 1] >= prior.shape[0]:
                raise ValueError("A list has a rank that no query has.")
            rank_of[i] = &ranks[0]
            weight_of[i] = &weights[0]
    found.nodes = &best[0]
    found.keys = &best[0]
    found.scores = &scores[0]
    found.size = 0
    found.capacity = best.shape[0]
    with nogil:
        while True:
            rank = prior.shape[0]
            for i in range(n_lists):
                if cursors[i] < size_of[i]:
                    rank = min(rank, <int64_t>rank_of[i][cursors[i]])
            if rank == prior.shape[0]:
                break
            total = prior_factor * prior[rank]
            for i in range(n_lists):
                while cursors[i] < size_of[i] and rank_of[i][cursors[i]] <= rank:
                    total += factors[i] * weight_of[i][cursors[i]]
                    cursors[i] += 1
            push(&found, rank, rank, total)
        sort(&found)
    return found.size


# Prefixes that are near in spelling
# ----------------------------------
# A walk down the trie that the sorted keys are, with the Levenshtein distances between
# what has been walked and what was typed. Only distances between strings whose lengths
# differ by the most edits allowed, or by less, can be small enough: a band around the
# diagonal.

def find_near(
    const uint32_t[::1] typed,       # IN (n_typed,), code points
    const uint32_t[::1] codes,       # IN code points of the keys, one after the other
    const int64_t[::1] offsets,      # IN (n_keys + 1,)
    int most_edits,
    int32_t[:, ::1] band,            # SCRATCH (n_typed + most_edits + 2, 2 * edits + 1)
    int64_t[:, ::1] path,            # SCRATCH (n_typed + most_edits + 2, 3)
    int64_t[:, ::1] ranges,          # OUT (n, 2)
    int64_t[::1] edits,              # OUT (n,)
):
    """Find the ranges of keys of which a beginning is near to what was typed.

    Returns how many ranges there are; if that is more than fit, call again with room.
    """
    cdef int64_t n_typed = typed.shape[0], n_found = 0, depth = 0, start, stop, after
    cdef int64_t j, best, t, most_depth = n_typed + most_edits
    cdef int width = 2 * most_edits + 1, least
    if most_edits < 1 or band.shape[0] < most_depth + 2 or band.shape[1] < width:
        raise ValueError("The scratch is too small for what was typed.")
    if path.shape[0] < most_depth + 2 or path.shape[1] < 3:
        raise ValueError("The scratch is too small for what was typed.")
    if offsets[offsets.shape[0] - 1] > codes.shape[0]:
        raise ValueError("There are fewer code points than the offsets say.")
    if edits.shape[0] < ranges.shape[0]:
        raise ValueError("edits has less room than ranges has.")
    for t in range(width):
        j = t - most_edits
        band[0, t] = <int32_t>j if 0 <= j <= n_typed else most_edits + 1
    path[0, 0] = 0
    path[0, 1] = offsets.shape[0] - 1
    path[0, 2] = min(n_typed, <int64_t>most_edits + 1)
    with nogil:
        while depth >= 0:
            start, stop, best = path[depth, 0], path[depth, 1], path[depth, 2]
            if start >= stop:
                depth -= 1
                continue
            least = most_edits + 1
            for t in range(width):
                least = min(least, band[depth, t])
            if least >= best or depth == most_depth:
                n_found = _note(ranges, edits, n_found, start, stop, best, most_edits)
                path[depth, 0] = stop
                continue
            if offsets[start + 1] - offsets[start] <= depth:
                n_found = _note(
                    ranges, edits, n_found, start, start + 1, best, most_edits
                )
                path[depth, 0] = start + 1
                continue
            after = _same_code(codes, offsets, start, stop, depth)
            path[depth, 0] = after
            _step(
                typed, codes[offsets[start] + depth], most_edits, depth, band
            )
            path[depth + 1, 0] = start
            path[depth + 1, 1] = after
            t = n_typed - (depth + 1) + most_edits
            if 0 <= t < width:
                best = min(best, <int64_t>band[depth + 1, t])
            path[depth + 1, 2] = best
            depth += 1
    return n_found


cdef inline int64_t _note(
    int64_t[:, ::1] ranges, int64_t[::1] edits, int64_t n_found, int64_t start,
    int64_t stop, int64_t best, int most_edits,
) noexcept nogil:
    """Note a range; one that goes on from the last becomes one with it."""
    if best > most_edits:
        return n_found
    if 0 < n_found <= ranges.shape[0]:
        if ranges[n_found - 1, 1] == start and edits[n_found - 1] == best:
            ranges[n_found - 1, 1] = stop
            return n_found
    if n_found < ranges.shape[0]:
        ranges[n_found, 0] = start
        ranges[n_found, 1] = stop
        edits[n_found] = best
    return n_found + 1


cdef inline int64_t _same_code(
    const uint32_t[::1] codes, const int64_t[::1] offsets, int64_t start,
    int64_t stop, int64_t depth,
) noexcept nogil:
    """Find the first key of a range whose code at some depth is another.

    Mostly few keys share it: the steps grow from the start.
    """
    cdef uint32_t code = codes[offsets[start] + depth]
    cdef int64_t step = 1, low = start, high
    while low + step < stop and codes[offsets[low + step] + depth] == code:
        low += step
        step *= 2
    high = min(low + step, stop)
    while high - low > 1:
        step = (low + high) // 2
        if codes[offsets[step] + depth] == code:
            low = step
        else:
            high = step
    return high


cdef inline void _step(
    const uint32_t[::1] typed, uint32_t code, int most_edits, int64_t depth,
    int32_t[:, ::1] band,
) noexcept nogil:
    """Go from the distances at a depth to those one character further down."""
    cdef int width = 2 * most_edits + 1
    cdef int64_t j
    cdef int32_t distance
    cdef int t
    for t in range(width):
        j = depth + 1 - most_edits + t
        distance = most_edits + 1
        if 0 <= j <= typed.shape[0]:
            if j > 0:
                distance = band[depth, t] + (typed[j - 1] != code)
            if t + 1 < width:
                distance = min(distance, band[depth, t + 1] + 1)
            if t > 0:
                distance = min(distance, band[depth + 1, t - 1] + 1)
        band[depth + 1, t] = min(distance, most_edits + 1)
