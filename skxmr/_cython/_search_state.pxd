"""The state of a beam search for one sparse query, and the buffers that it fills."""

from libc.float cimport DBL_MAX
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

from skxmr._cython._beam cimport Heap
from skxmr._cython._search_inputs cimport (
    ChangeView, FeatureView, NodeView, PostingView
)
from skxmr._cython._watch cimport Watch

cdef extern from "include/runs.h" nogil:
    enum:
        SEARCH_LANES "SKXMR_SEARCH_LANES"
    ctypedef struct Run "skxmr_run":
        uint32_t start
        uint32_t posting
        int32_t n_before
        int32_t length
        float value


cdef struct Tree:
    NodeView nodes
    FeatureView features
    PostingView postings
    bint has_lanes                 # instructions that add to 16 margins at once


cdef struct Query:
    const int32_t* features
    const float* values
    int64_t n_features
    const uint64_t* allowed        # a bit for each node, or NULL
    int transform
    bint wants_labels              # columns, or nodes counted in the last level


cdef struct LevelRange:
    # Levels to search, and the nodes that each row starts from.
    int64_t first_level
    int64_t last_level
    int64_t n_nodes
    const int64_t* nodes    # (n_samples, n_nodes), counted in the level; NULL: the root
    const double* scores    # of the same shape


cdef struct ChangedRun:
    # The changed weights of a feature for the children of a node.
    const int32_t* children
    const float* weights
    int64_t length
    int32_t n_before               # runs of the layout that come before it
    float value


cdef struct UsedFeature:
    # A feature of the query that the tree uses: its blocks or, where those are NULL,
    # its listed postings that are still to come.
    const uint64_t* blocks
    uint32_t posting
    uint32_t stop
    uint32_t weight                # first of that posting
    uint32_t next_posting          # first posting of the next level
    uint32_t next_weight
    float value
    int32_t index                  # among the query's features


cdef struct SearchState:
    Query query
    Heap found
    Heap[2] beams
    Heap* beam             # nodes of the level above
    Heap* reached          # the best of their children so far
    UsedFeature* used      # (max_used,)
    Run* runs              # (n_slots, max_used)
    int32_t* n_runs        # (n_slots,)
    ChangedRun* changed    # (n_slots, max_used); NULL where no parent has changes
    int32_t* n_changed     # (n_slots,)
    uint16_t* slots        # (n_parents,): slot in the group, from 1; 0 for all others
    double* margins        # (most children,)
    double* found_scores   # (n_found,)
    int64_t n_used
    int64_t n_listed       # of the used features, those without blocks
    int64_t first          # of the beam's nodes that make up the group
    int64_t last
    int64_t max_used       # one more than can be used
    int64_t n_slots        # nodes of a group
    Watch watch


cdef inline double least_score(const Heap* reached) noexcept nogil:
    """Return what a candidate must score; never -inf, the score of what is not found.
    """
    return reached.scores[0] if reached.size == reached.capacity else -DBL_MAX


cdef inline bint cannot_enter(double score, const Heap* reached) noexcept nogil:
    """Whether no child of a node can be among the best: none outscores its parent."""
    return score < least_score(reached)


cdef inline const ChangeView* change_of(
    const NodeView* nodes, int64_t node
) noexcept nogil:
    """Return the changes to a node's children, or NULL."""
    if nodes.changes == NULL:
        return NULL
    return nodes.changes[node]


cdef inline bint is_allowed(const Query* query, int64_t node) noexcept nogil:
    return query.allowed == NULL or (query.allowed[node >> 6] >> (node & 63)) & 1
