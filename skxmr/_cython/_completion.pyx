"""What a completion walks: ranges of sorted queries, and sums of sparse scores."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

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


cdef class CountChanges:
    """Counts that are others than those of the fitted queries, and of added ones.

    Parameters
    ----------
    ids : ndarray of shape (n_changed,), int64
        Ascending; those beyond the fitted queries are of added ones.
    counts : ndarray of shape (n_changed,), float64
    ties : ndarray of shape (n_added,), int64
        Where each added query belongs: a number between `stride` times the ranks of the
        fitted queries.
    stride : int
    """

    cdef const int64_t[::1] ids
    cdef const double[::1] counts
    cdef const int64_t[::1] ties
    cdef int64_t stride

    def __init__(self, ids, counts, ties, int64_t stride):
        self.ids, self.counts = ids, counts
        self.ties, self.stride = ties, stride
        if self.counts.shape[0] != self.ids.shape[0]:
            raise ValueError("There are not as many counts as ids.")

    cdef double count(self, int64_t query, double otherwise) noexcept nogil:
        cdef int64_t low = 0, high = self.ids.shape[0], middle
        while low < high:
            middle = (low + high) // 2
            if self.ids[middle] < query:
                low = middle + 1
            else:
                high = middle
        if low < self.ids.shape[0] and self.ids[low] == query:
            return self.counts[low]
        return otherwise

    cdef int64_t key(self, int64_t query, int64_t n_fitted) noexcept nogil:
        """Return a number by which queries are in alphabetical order."""
        if query < n_fitted:
            return (query + 1) * self.stride - 1
        return self.ties[query - n_fitted]


def best_of_sums(
    lists,                          # IN of (ranks int32, weights float32), ranks rising
    const double[::1] factors,      # IN (n_lists,): each list's weights are multiplied
    const double[::1] prior,        # IN (n_queries,)
    double prior_factor,
    int64_t[::1] cursors,           # SCRATCH (n_lists,)
    int64_t[::1] best,              # OUT (k,): ranks, best first
    double[::1] scores,             # OUT (k,)
    CountChanges changes=None,      # IN of the prior; ranks are then ids
    int64_t[::1] keys=None,         # SCRATCH (k,), with changes
):
    """Add up the weights of some lists and a prior; return how many ranks there are."""
    cdef Heap found
    cdef int64_t rank, key, n_lists = len(lists), i
    cdef int64_t n_fitted = prior.shape[0], n_queries = n_fitted
    cdef double total, count
    cdef bint is_changed = changes is not None
    cdef const int32_t[::1] ranks
    cdef const float[::1] weights
    cdef const int32_t* rank_of[MOST_LISTS]
    cdef const float* weight_of[MOST_LISTS]
    cdef int64_t size_of[MOST_LISTS]
    if n_lists > MOST_LISTS or min(factors.shape[0], cursors.shape[0]) < n_lists:
        raise ValueError("There are more lists than the arrays can hold.")
    if best.shape[0] == 0 or scores.shape[0] != best.shape[0]:
        raise ValueError("best and scores must be of one length, 1 at least.")
    if is_changed:
        n_queries += changes.ties.shape[0]
        if keys is None or keys.shape[0] < best.shape[0]:
            raise ValueError("keys must be as long as best.")
    for i in range(n_lists):
        ranks, weights = lists[i]
        if ranks.shape[0] != weights.shape[0]:
            raise ValueError("A list has not as many weights as ranks.")
        size_of[i] = ranks.shape[0]
        cursors[i] = 0
        if size_of[i]:
            if ranks[0] < 0 or ranks[size_of[i] - 1] >= n_queries:
                raise ValueError("A list has a rank that no query has.")
            rank_of[i] = &ranks[0]
            weight_of[i] = &weights[0]
    found.nodes = &best[0]
    found.keys = &keys[0] if is_changed else &best[0]
    found.scores = &scores[0]
    found.size = 0
    found.capacity = best.shape[0]
    with nogil:
        while True:
            rank = n_queries
            for i in range(n_lists):
                if cursors[i] < size_of[i]:
                    rank = min(rank, <int64_t>rank_of[i][cursors[i]])
            if rank == n_queries:
                break
            count, key = prior[rank] if rank < n_fitted else 0, rank
            if is_changed:
                count, key = changes.count(rank, count), changes.key(rank, n_fitted)
            total = prior_factor * count
            for i in range(n_lists):
                while cursors[i] < size_of[i] and rank_of[i][cursors[i]] <= rank:
                    total += factors[i] * weight_of[i][cursors[i]]
                    cursors[i] += 1
            push(&found, rank, key, total)
        sort(&found)
    return found.size


# Prefixes that are near in spelling
# ----------------------------------
# A walk down the trie that the sorted keys are, with the distances between what has
# been walked and what was typed: Levenshtein's, and a swap of two neighbours is one
# edit. They are between letters: a code point and the combining marks behind it. Only
# distances between strings whose lengths differ by the most edits allowed, or by less,
# can be small enough: a band around the diagonal.
#
# A number is never edited. A digit matches itself only. What was typed between two
# digits stays, and nothing is inserted between two neighbours. Nothing that was typed
# is left out between two neighbouring digits of a key: so it is only known with the
# next code point of the key what may be left out, and each row is kept twice, without
# and with what is left out at its end.

cdef enum:
    BLANK = 0x20
    END_OF_KEY = 0x1F  # see skxmr.text._normalization
    RANGE_START = 0
    RANGE_STOP = 1
    BEST = 2  # edits of the best beginning that all keys of the range have
    LETTER = 3  # depth at which their last letter begins
    N_LETTERS = 4
    LEAST = 5  # no beginning that goes on from here has fewer edits


cdef struct Letter:
    const uint32_t* code
    int64_t n_codes
    bint in_number  # it is a digit, or stands between two
    bint after_digit  # and is a digit itself: nothing comes between


SIZE_OF_LETTER = sizeof(Letter)


cdef struct Walk:
    const Letter* typed
    int64_t n_typed
    const uint32_t* codes
    const int64_t* offsets
    const uint8_t* classes
    int64_t n_classes
    int32_t most_edits
    int32_t width
    bint whole_words
    int32_t* rows  # by depth: without what is left out at the end
    int32_t* closed  # and with it


def find_near(
    const uint32_t[::1] typed,       # IN code points of what was typed
    uint8_t[::1] letters,            # SCRATCH (SIZE_OF_LETTER * (n typed + 1),)
    const uint32_t[::1] codes,       # IN code points of the keys, one after the other
    const int64_t[::1] offsets,      # IN (n_keys + 1,)
    const uint8_t[::1] classes,      # IN combining classes of the first code points
    int most_edits,
    bint whole_words,                # what was typed ends with a whole word
    int32_t[:, :, ::1] band,         # SCRATCH (2, depth, 2 * most_edits + 1)
    int64_t[:, ::1] path,            # SCRATCH (depth, 6)
    int64_t[:, ::1] ranges,          # OUT (n, 2)
    int64_t[::1] edits,              # OUT (n,)
):
    """Find the ranges of keys of which a beginning is near to what was typed.

    Returns how many ranges there are; if more than fit, call again with larger arrays.
    Returns -1 if scratch of a greater depth is needed.
    """
    cdef Walk walk
    cdef int64_t n_keys = offsets.shape[0] - 1, t, result
    if most_edits < 1 or band.shape[0] < 2 or band.shape[2] != 2 * most_edits + 1:
        raise ValueError("The scratch is too small for so many edits.")
    if path.shape[0] < 2 or band.shape[1] < path.shape[0] or path.shape[1] < 6:
        raise ValueError("The scratch is too small for its depth.")
    if letters.shape[0] < <int64_t>sizeof(Letter) * (typed.shape[0] + 1):
        raise ValueError("The scratch is too small for what was typed.")
    if n_keys < 0 or offsets[n_keys] > codes.shape[0]:
        raise ValueError("There are fewer code points than the offsets say.")
    if edits.shape[0] < ranges.shape[0]:
        raise ValueError("edits must be as long as ranges.")
    walk.typed = <Letter*>&letters[0]
    walk.codes = &codes[0] if codes.shape[0] else NULL
    walk.offsets = &offsets[0]
    walk.classes = &classes[0] if classes.shape[0] else NULL
    walk.n_classes = classes.shape[0]
    walk.most_edits = most_edits
    walk.width = 2 * most_edits + 1
    walk.whole_words = whole_words
    walk.rows = &band[0, 0, 0]
    walk.closed = &band[1, 0, 0]
    walk.n_typed = _cut_letters(&walk, typed, <Letter*>&letters[0])
    for t in range(walk.width):
        walk.rows[t] = 0 if t == most_edits else most_edits + 1
    path[0, RANGE_START] = 0
    path[0, RANGE_STOP] = n_keys
    path[0, BEST] = most_edits + 1
    path[0, LETTER] = -1
    path[0, N_LETTERS] = 0
    path[0, LEAST] = 0
    with nogil:
        result = _walk(&walk, path, ranges, edits)
    return result


cdef int64_t _cut_letters(
    Walk* walk, const uint32_t[::1] typed, Letter* letters
) noexcept nogil:
    """Cut what was typed into letters; return how many there are."""
    cdef int64_t n = 0, j
    cdef bint is_digit, before = False, behind
    for j in range(typed.shape[0]):
        if j == 0 or not _class_of(walk, typed[j]):
            letters[n].code = &typed[j]
            letters[n].n_codes = 0
            n += 1
        letters[n - 1].n_codes += 1
    for j in range(n):
        is_digit = _is_digit(letters[j].code[0])
        behind = j + 1 < n and _is_digit(letters[j + 1].code[0])
        letters[j].in_number = is_digit or (before and behind)
        letters[j].after_digit = is_digit and before
        before = is_digit
    return n


cdef int64_t _walk(
    Walk* walk, int64_t[:, ::1] path, int64_t[:, ::1] ranges, int64_t[::1] edits,
) noexcept nogil:
    cdef int64_t depth = 0, n_found = 0, start, stop, best, after
    cdef uint32_t code
    cdef bint ends
    while depth >= 0:
        start, stop = path[depth, RANGE_START], path[depth, RANGE_STOP]
        if start >= stop:
            depth -= 1
            continue
        best = path[depth, BEST]
        if not walk.whole_words:
            best = min(best, _last_of(walk, walk.rows, depth, path[depth, N_LETTERS]))
        if path[depth, LEAST] >= best:
            n_found = _note(ranges, edits, n_found, start, stop, best, walk.most_edits)
            path[depth, RANGE_START] = stop
            continue
        ends = walk.offsets[start + 1] - walk.offsets[start] <= depth
        code = END_OF_KEY if ends else walk.codes[walk.offsets[start] + depth]
        if not ends and path[depth, LEAST] == walk.most_edits:
            after = _next_match(walk, start, stop, depth, path[depth, N_LETTERS])
            if after > start:
                path[depth, RANGE_START] = after
                continue
        after = start + 1 if ends else _same_code(walk, start, stop, depth)
        path[depth, RANGE_START] = after
        if depth == 0 or ends or not _class_of(walk, code):
            _close(walk, path, depth, code)
            if not walk.whole_words or code == BLANK or code == END_OF_KEY:
                best = min(
                    best, _last_of(walk, walk.closed, depth, path[depth, N_LETTERS])
                )
            if code == END_OF_KEY:
                n_found = _note(
                    ranges, edits, n_found, start, after, best, walk.most_edits
                )
                continue
        if depth + 1 == path.shape[0]:
            return -1
        path[depth + 1, RANGE_START] = start
        path[depth + 1, RANGE_STOP] = after
        path[depth + 1, BEST] = best
        path[depth + 1, LETTER] = path[depth, LETTER]
        path[depth + 1, N_LETTERS] = path[depth, N_LETTERS]
        if depth == 0 or not _class_of(walk, code):
            path[depth + 1, LETTER] = depth
            path[depth + 1, N_LETTERS] += 1
        depth += 1
        path[depth, LEAST] = _step(walk, path, depth)
    return n_found


cdef int64_t _next_match(
    Walk* walk, int64_t start, int64_t stop, int64_t depth, int64_t n_letters
) noexcept nogil:
    """Find the first key of a range that can go on without a further edit.

    Its code at the depth is that of a letter typed nearby, or ends a word. All codes
    from the first combining mark on are taken for such ones.
    """
    cdef uint32_t code = walk.codes[walk.offsets[start] + depth], target = 0x300, typed
    cdef int64_t j, low = start - 1, high = stop, middle
    if code >= target:
        return start
    # A swap takes the letter before the band.
    for j in range(
        max(n_letters - walk.most_edits - 1, 0),
        min(n_letters + walk.most_edits + 1, walk.n_typed),
    ):
        typed = walk.typed[j].code[0]
        if code <= typed:
            target = min(target, typed)
    if walk.whole_words:
        if code <= BLANK:
            target = min(target, <uint32_t>BLANK)
        if code <= END_OF_KEY:
            target = min(target, <uint32_t>END_OF_KEY)
    if target == code:
        return start
    while high - low > 1:
        middle = (low + high) // 2
        if walk.codes[walk.offsets[middle] + depth] < target:
            low = middle
        else:
            high = middle
    return high


cdef inline int _class_of(Walk* walk, uint32_t code) noexcept nogil:
    """Give the combining class of a code point: not 0 for accents."""
    if code < 0x300 or code >= walk.n_classes:
        return 0
    return walk.classes[code]


cdef inline bint _is_digit(uint32_t code) noexcept nogil:
    return 48 <= code <= 57


cdef inline int64_t _last_of(
    Walk* walk, const int32_t* rows, int64_t depth, int64_t n_letters
) noexcept nogil:
    """Give the distance between all that has been walked and all that was typed."""
    cdef int64_t t = walk.n_typed - n_letters + walk.most_edits
    return rows[depth * walk.width + t] if 0 <= t < walk.width else walk.most_edits + 1


cdef inline void _close(
    Walk* walk, int64_t[:, ::1] path, int64_t depth, uint32_t code
) noexcept nogil:
    """Make the row at a depth with what is left out there; `code` comes next."""
    cdef const int32_t* row = walk.rows + depth * walk.width
    cdef int32_t* closed = walk.closed + depth * walk.width
    cdef int64_t letter = path[depth, LETTER], j
    cdef bint in_number = False
    cdef int32_t t
    if letter >= 0 and _is_digit(code):
        # All keys of the range have the letter before, the last of them too.
        in_number = _is_digit(
            walk.codes[walk.offsets[path[depth, RANGE_STOP] - 1] + letter]
        )
    for t in range(walk.width):
        closed[t] = row[t]
        j = path[depth, N_LETTERS] - walk.most_edits + t
        if t > 0 and not in_number and 0 < j <= walk.n_typed:
            if not walk.typed[j - 1].in_number:
                closed[t] = min(closed[t], closed[t - 1] + 1)


cdef inline int64_t _step(
    Walk* walk, int64_t[:, ::1] path, int64_t depth
) noexcept nogil:
    """Make the row at a depth; return the least that can come of it."""
    cdef const uint32_t* key = walk.codes + walk.offsets[path[depth, RANGE_START]]
    cdef int64_t letter = path[depth, LETTER], n_codes = depth - letter
    cdef int64_t j = path[depth, N_LETTERS] - walk.most_edits
    cdef const int32_t* closed = walk.closed + letter * walk.width
    cdef int32_t* row = walk.rows + depth * walk.width
    cdef int32_t most = walk.most_edits + 1, least = most, cost, t
    cdef bint is_digit = _is_digit(key[letter])
    cdef int match
    for t in range(walk.width):
        cost = most
        if 0 <= j <= walk.n_typed:
            if t + 1 < walk.width and not is_digit:
                if j == walk.n_typed or not walk.typed[j].after_digit:
                    cost = closed[t + 1] + 1
            if j > 0:
                match = _match(walk, j - 1, key + letter, n_codes, j == walk.n_typed)
                if match == 2:
                    cost = min(cost, closed[t])
                elif not is_digit and not walk.typed[j - 1].in_number:
                    cost = min(cost, closed[t] + 1)
                if match == 1:
                    least = min(least, closed[t])
        row[t] = min(cost, most)
        least = min(least, row[t])
        j += 1
    if path[letter, LETTER] >= 0 and not is_digit:
        least = min(least, _swap(walk, path, depth, row))
    return least


cdef inline int32_t _swap(
    Walk* walk, int64_t[:, ::1] path, int64_t depth, int32_t* row
) noexcept nogil:
    """Take a swap of the last two letters where it is less; as `_step` returns."""
    cdef const uint32_t* key = walk.codes + walk.offsets[path[depth, RANGE_START]]
    cdef int64_t letter = path[depth, LETTER], before = path[letter, LETTER]
    cdef int64_t j = path[depth, N_LETTERS] - walk.most_edits
    cdef const int32_t* closed = walk.closed + before * walk.width
    cdef int32_t least = walk.most_edits + 1, t
    cdef int match
    if _is_digit(key[before]):
        return least
    for t in range(walk.width):
        if 2 <= j <= walk.n_typed and closed[t] < walk.most_edits:
            if _match(walk, j - 1, key + before, letter - before, False) == 2:
                match = _match(
                    walk, j - 2, key + letter, depth - letter, j == walk.n_typed
                )
                if match == 2:
                    row[t] = min(row[t], closed[t] + 1)
                if match > 0:
                    least = min(least, closed[t] + 1)
        j += 1
    return least


cdef inline int _match(
    Walk* walk, int64_t j, const uint32_t* code, int64_t n_codes, bint is_last
) noexcept nogil:
    """Compare a letter typed with one of a key, of which there may be more to come.

    Returns 2 if they match, 1 if they can with accents to come, 0 if they cannot. The
    last letter typed may have fewer accents, but where whole words were typed.
    """
    cdef const uint32_t* typed = walk.typed[j].code
    cdef int64_t n = walk.typed[j].n_codes
    if typed[0] != code[0] and not (
        _class_of(walk, typed[0]) and _class_of(walk, code[0])
    ):
        return 0
    if n == 1 and n_codes == 1 and typed[0] == code[0]:
        return 2
    return _match_accents(
        walk, typed, n, code, n_codes, is_last and not walk.whole_words
    )


cdef int _match_accents(
    Walk* walk, const uint32_t* typed, int64_t n, const uint32_t* code,
    int64_t n_codes, bint may_be_fewer,
) noexcept nogil:
    # Accents without a letter are all accents.
    cdef int64_t i, first = _class_of(walk, typed[0]) == 0, m = first
    for i in range(first, n_codes):
        if m == n:
            return 2 if may_be_fewer else 0
        if code[i] == typed[m]:
            m += 1
        elif not may_be_fewer or (
            _class_of(walk, code[i]) >= _class_of(walk, typed[m])
        ):
            return 0
    return 2 if m == n else 1


cdef inline int64_t _note(
    int64_t[:, ::1] ranges, int64_t[::1] edits, int64_t n_found, int64_t start,
    int64_t stop, int64_t best, int32_t most_edits,
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
    Walk* walk, int64_t start, int64_t stop, int64_t depth
) noexcept nogil:
    """Find the first key of a range whose code at some depth is another.

    Mostly few keys share it: the steps grow from the start.
    """
    cdef const uint32_t* codes = walk.codes
    cdef const int64_t* offsets = walk.offsets
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
