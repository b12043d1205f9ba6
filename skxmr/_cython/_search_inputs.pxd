"""What beam searches are given: the arrays of a laid-out tree, and options.

`SearchLayout` and `FeatureWeights` document the arrays. A *posting* is one feature of
one parent, with a run of (child, weight) pairs.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

# Children are counted from their parent's first: mostly a byte is enough.
ctypedef fused child_t:
    uint8_t
    int32_t

# Parents are counted among all nodes: mostly 16 bits are enough.
ctypedef fused parent_t:
    uint16_t
    int32_t

cdef enum:
    # The start of a run is stored for one posting in so many; from there, lengths add
    # up.
    LOG_POSTINGS_OF_MARK = 3


cdef struct ChangeView:
    # The children of a parent that differ from those of the layout; see `ParentDelta`.
    int64_t n_children             # with added ones
    int64_t n_base                 # those of the layout
    int64_t n_keys
    const float* intercepts        # (n_children,)
    const int32_t* labels          # (n_children,): columns; NULL above the last level
    const int32_t* keys            # (n_keys,): ascending
    const int64_t* offsets         # (n_keys + 1,)
    const uint8_t* replaces        # (n_keys,)
    const int32_t* items
    const float* weights
    const float* key_intercepts    # (n_keys,): of keys that are children, or NULL
    uint64_t[4] filter             # a bit for each key, modulo 256


cdef struct NodeView:
    int64_t n_levels
    int64_t n_nodes
    int64_t n_parents
    int64_t widest_level
    int64_t widest_parents         # most nodes of a level but the last
    int64_t most_children
    const int64_t* child_offsets   # of nodes that have children
    const int64_t* level_starts    # first node of each level
    const int32_t* labels          # column of each node of the last level
    const float* intercepts        # of every node but the root
    const ChangeView** changes     # of each parent, NULL without any; or NULL
    int64_t n_labels               # of the layout, without added ones
    int64_t n_added


cdef struct FeatureView:
    int64_t n_features
    int64_t n_kept                 # 0, or the length of kept_features
    const int32_t* kept_features   # features by their index in the bitmap
    const uint64_t* words          # (n_words, 4): bits, and ones before them, twice
    const uint32_t* posting_starts  # of each listed feature, and the end


cdef struct PostingView:
    int64_t n_postings
    int64_t n_blocks               # of 64 parents
    const void* parents            # of each listed posting
    const uint64_t* blocks         # (features, n_blocks, 2): bits; first posting
    const uint32_t* run_marks      # first weight of every 8th posting
    const void* run_lengths        # of each posting, less one
    const uint8_t* entries         # of each posting: children, then weights
    bint has_wide_parents
    bint has_wide_children
    bint has_half_weights
    int log_parent                 # of the bytes of an item
    int log_child
    int entry_size                 # bytes of a child and a weight


cdef class ParentChange:
    cdef ChangeView view
    cdef tuple arrays


cdef class ChangeTable:
    cdef const ChangeView** views
    cdef int64_t n_parents
    cdef dict changes
    cdef readonly int64_t n_added


cdef class TreeNodes:
    cdef NodeView view
    cdef tuple arrays


cdef class FeatureIndex:
    cdef FeatureView view
    cdef tuple arrays


cdef class Postings:
    cdef PostingView view
    cdef tuple arrays


cdef class BeamOptions:
    cdef int64_t beam_width
    cdef int transform
    cdef bint wants_labels
    cdef const uint64_t[::1] allowed
    cdef int64_t last_level        # -1: that of the labels


cdef class StartNodes:
    cdef int64_t first_level
    cdef int64_t last_level
    cdef const int64_t[:, ::1] nodes
    cdef const double[:, ::1] log_scores
