"""First stage of a search: from the features of a query to their postings.

A bitmap with ranks leads from a feature to its postings, those of all levels together,
so that a query looks a feature up once. Postings of a rare feature are listed by
parent; a frequent feature has blocks, with a bit for each parent.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from skxmr._cython._search_inputs cimport (
    LOG_POSTINGS_OF_MARK, FeatureView, PostingView, child_t, parent_t
)
from skxmr._cython._search_state cimport SearchState, Tree, UsedFeature

cdef extern from "include/bits.h" nogil:
    int count_bits "skxmr_count_bits"(uint64_t word)
    int64_t sum_bytes "skxmr_sum_bytes"(
        const uint8_t* bytes, int64_t n, int64_t n_readable
    )
    void prefetch "skxmr_prefetch_many"(const void* address)

cdef enum:
    BYTES_OF_LINE = 64       # of the cache
    MAX_PREFETCHED = 512     # postings of a feature, or children of a node
    BLOCKS_PREFETCHED = 8    # of a feature


cdef inline void look_up_features(const Tree* tree, SearchState* state) noexcept nogil:
    """List the query's features that the tree uses, and prefetch their postings."""
    cdef int64_t i
    cdef UsedFeature* used
    state.n_used = state.n_listed = 0
    for i in range(state.query.n_features):
        used = &state.used[state.n_used]
        if _look_up(tree, state.query.features[i], used):
            used.value = state.query.values[i]
            used.index = <int32_t>i
            state.n_used += 1
            state.n_listed += used.blocks == NULL
    _prefetch_postings(tree, state)
    _prefetch_first_runs(&tree.postings, state)


cdef inline bint _look_up(
    const Tree* tree, int32_t feature, UsedFeature* used
) noexcept nogil:
    """Find the rank of a feature among the listed ones, or its blocks, if any."""
    cdef const FeatureView* features = &tree.features
    cdef int64_t number = feature, rank, n_blocks = tree.postings.n_blocks
    cdef const uint64_t* word
    cdef uint64_t bit
    if number < 0 or number >= features.n_features:
        return False
    if features.n_kept:
        number = lower_bound(features.kept_features, 0, features.n_kept, feature)
        if number == features.n_kept or features.kept_features[number] != feature:
            return False
    word = features.words + 4 * (number >> 6)
    bit = <uint64_t>1 << (number & 63)
    if word[0] & bit:
        used.blocks = NULL
        used.posting = <uint32_t>(word[1] + count_bits(word[0] & (bit - 1)))
        prefetch(features.posting_starts + used.posting)
        return True
    if word[2] & bit:
        rank = word[3] + count_bits(word[2] & (bit - 1))
        used.blocks = tree.postings.blocks + 2 * n_blocks * rank
        prefetch_items(
            used.blocks, 0, <uint32_t>min(n_blocks, <int64_t>BLOCKS_PREFETCHED), 4
        )
        return True
    return False


cdef inline void _prefetch_postings(
    const Tree* tree, SearchState* state
) noexcept nogil:
    """Find the postings of listed features, and prefetch them."""
    cdef const PostingView* postings = &tree.postings
    cdef int64_t i
    cdef uint32_t first, n_prefetched
    cdef UsedFeature* used
    for i in range(state.n_used):
        used = &state.used[i]
        if used.blocks != NULL:
            continue
        # Until here, the rank of the feature.
        first = used.posting
        used.stop = tree.features.posting_starts[first + 1]
        first = tree.features.posting_starts[first]
        used.posting = used.next_posting = first
        n_prefetched = min(used.stop - first, <uint32_t>MAX_PREFETCHED)
        prefetch(postings.run_marks + (first >> LOG_POSTINGS_OF_MARK))
        prefetch_items(postings.parents, first, n_prefetched, postings.log_parent)
        prefetch_items(postings.run_lengths, first, n_prefetched, postings.log_child)


cdef inline void _prefetch_first_runs(
    const PostingView* postings, SearchState* state
) noexcept nogil:
    """Find the first weight of listed features, and prefetch it."""
    cdef int64_t i
    cdef UsedFeature* used
    for i in range(state.n_used):
        used = &state.used[i]
        if used.blocks != NULL:
            continue
        if postings.has_wide_children:
            used.next_weight = run_start(
                postings, used.posting, <const int32_t*>postings.run_lengths
            )
        else:
            used.next_weight = run_start(
                postings, used.posting, <const uint8_t*>postings.run_lengths
            )
        prefetch(postings.entries + <size_t>used.next_weight * postings.entry_size)


cdef inline void prefetch_items(
    const void* items, uint32_t first, uint32_t n_items, int log_size
) noexcept nogil:
    cdef const uint8_t* address = <const uint8_t*>items + (<size_t>first << log_size)
    cdef const uint8_t* stop = address + (<size_t>n_items << log_size)
    while address < stop:
        prefetch(address)
        address += BYTES_OF_LINE


cdef inline int64_t lower_bound(
    const parent_t* values, int64_t start, int64_t stop, int64_t wanted
) noexcept nogil:
    """First index of a value that is not smaller than the wanted one."""
    cdef const parent_t* first = values + start
    cdef int64_t half, n_left = stop - start
    # Branch-free: the comparisons would be mispredicted.
    while n_left > 1:
        half = n_left >> 1
        first += half * (first[half - 1] < wanted)
        n_left -= half
    if n_left == 1:
        first += first[0] < wanted
    return first - values


cdef inline uint32_t run_start(
    const PostingView* postings, int64_t posting, const child_t* lengths
) noexcept nogil:
    """Find the first weight of a posting of a listed feature."""
    cdef int64_t mark = posting >> LOG_POSTINGS_OF_MARK
    cdef int64_t first = mark << LOG_POSTINGS_OF_MARK
    return postings.run_marks[mark] + count_weights(postings, first, posting, lengths)


cdef inline uint32_t count_weights(
    const PostingView* postings, int64_t first, int64_t last, const child_t* lengths
) noexcept nogil:
    """Count the weights of postings `first` to `last`, the last not included."""
    cdef int64_t posting, n_weights = last - first
    if child_t is uint8_t:
        n_weights += sum_bytes(
            lengths + first, last - first, postings.n_postings - first
        )
    else:
        for posting in range(first, last):
            n_weights += lengths[posting]
    return <uint32_t>n_weights
