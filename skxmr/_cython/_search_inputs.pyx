"""What beam searches are given: each array is bound once, by name."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from skxmr._cython._beam cimport SIGMOID
from skxmr._cython._scratch cimport (
    address_of_bytes, address_of_ints, address_of_shorts
)

TRANSFORMS = {
    "sigmoid": SIGMOID,
    "l1-hinge": 1,
    "l2-hinge": 2,
    "l3-hinge": 3,
    "l4-hinge": 4,
}

# How many postings share one stored start of a run.
POSTINGS_OF_MARK = 1 << LOG_POSTINGS_OF_MARK


cdef class ParentChange:
    """The changes to the children of one parent, as `ParentDelta` documents them.

    Parameters
    ----------
    n_base : int
        The number of its children in the layout.
    intercepts, labels : ndarray
    weights : ChangedWeights
    key_intercepts : ndarray of float32, or None
        The intercepts of the children with changed weights, where these are by node.
    """

    def __init__(
        self,
        int64_t n_base,
        const float[::1] intercepts,
        const int32_t[::1] labels,
        weights,
        const float[::1] key_intercepts,
    ):
        cdef ChangeView* view = &self.view
        cdef const int32_t[::1] keys = weights.keys
        cdef const int64_t[::1] offsets = weights.offsets
        cdef const uint8_t[::1] replaces = weights.replaces
        cdef const int32_t[::1] items = weights.items
        cdef const float[::1] values = weights.weights
        cdef int64_t i, n_keys = keys.shape[0]
        if (
            intercepts.shape[0] < n_base
            or labels.shape[0] not in (0, intercepts.shape[0])
            or offsets.shape[0] != n_keys + 1
            or replaces.shape[0] != n_keys
            or items.shape[0] != values.shape[0]
            or offsets[n_keys] != items.shape[0]
        ):
            raise ValueError("The arrays of a changed parent do not fit together.")
        # Keeps alive what the pointers lead to.
        self.arrays = (
            intercepts, labels, keys, offsets, replaces, items, values, key_intercepts
        )
        view.n_base, view.n_children = n_base, intercepts.shape[0]
        view.n_keys = n_keys
        view.intercepts = &intercepts[0] if intercepts.shape[0] else NULL
        view.labels = &labels[0] if labels.shape[0] else NULL
        view.keys = &keys[0] if n_keys else NULL
        view.offsets = &offsets[0]
        view.replaces = &replaces[0] if n_keys else NULL
        view.items = &items[0] if items.shape[0] else NULL
        view.weights = &values[0] if values.shape[0] else NULL
        view.key_intercepts = NULL
        if key_intercepts is not None and n_keys:
            view.key_intercepts = &key_intercepts[0]
        for i in range(4):
            view.filter[i] = 0
        for i in range(n_keys):
            view.filter[(keys[i] >> 6) & 3] |= <uint64_t>1 << (keys[i] & 63)


cdef class ChangeTable:
    """The changed parents of a tree.

    Parameters
    ----------
    n_parents : int
    n_added : int
        The number of added labels.
    changes : dict of int to ParentChange
        By parent.
    """

    def __cinit__(self, int64_t n_parents, int64_t n_added, dict changes):
        cdef ParentChange change
        self.n_parents, self.n_added, self.changes = n_parents, n_added, changes
        self.views = <const ChangeView**>calloc(
            max(n_parents, <int64_t>1), sizeof(ChangeView*)
        )
        if self.views == NULL:
            raise MemoryError
        for parent, change in changes.items():
            if not 0 <= parent < n_parents:
                raise ValueError(f"There is no parent {parent}.")
            self.views[<int64_t>parent] = &change.view

    def __dealloc__(self):
        free(self.views)


cdef class TreeNodes:
    """The nodes of a `SearchLayout`."""

    def __init__(
        self,
        const int64_t[::1] child_offsets,
        const int64_t[::1] level_starts,
        const int32_t[::1] labels,
        const float[::1] intercepts,
        *,
        int64_t widest_level,
        int64_t widest_parents,
        int64_t most_children,
        ChangeTable changes=None,
    ):
        cdef NodeView* view = &self.view
        # Keeps alive what the pointers lead to.
        self.arrays = child_offsets, level_starts, labels, intercepts, changes
        view.changes = NULL if changes is None else changes.views
        view.n_added = 0 if changes is None else changes.n_added
        view.n_labels = labels.shape[0]
        view.n_levels = level_starts.shape[0] - 1
        view.n_nodes = intercepts.shape[0] + 1
        view.n_parents = child_offsets.shape[0] - 1
        view.widest_level = widest_level
        view.widest_parents = widest_parents
        view.most_children = most_children
        view.child_offsets = &child_offsets[0]
        view.level_starts = &level_starts[0]
        view.labels = &labels[0] if labels.shape[0] else NULL
        view.intercepts = &intercepts[0]


cdef class FeatureIndex:
    """The bitmaps of `FeatureWeights` that lead from a feature to its postings."""

    def __init__(
        self,
        int64_t n_features,
        const int32_t[::1] kept_features,
        const uint64_t[:, ::1] words,
        const uint32_t[::1] posting_starts,
    ):
        cdef FeatureView* view = &self.view
        if words.shape[1] != 4:
            raise ValueError(f"words has {words.shape[1]} columns; expected 4.")
        self.arrays = kept_features, words, posting_starts
        view.n_features = n_features
        view.n_kept = kept_features.shape[0]
        view.kept_features = &kept_features[0] if view.n_kept else NULL
        view.words = &words[0, 0] if words.shape[0] else NULL
        view.posting_starts = &posting_starts[0]


cdef class Postings:
    """The postings of `FeatureWeights` and their runs of (child, weight) pairs."""

    def __init__(
        self,
        parents,
        const uint64_t[:, :, ::1] blocks,
        const uint32_t[::1] run_marks,
        run_lengths,
        const uint8_t[::1] entries,
        *,
        bint has_half_weights,
    ):
        cdef PostingView* view = &self.view
        if (
            len(parents) > len(run_lengths)
            or len(parents) > POSTINGS_OF_MARK * run_marks.shape[0]
        ):
            raise ValueError(
                f"There are {len(parents)} parents for {len(run_lengths)} run_lengths "
                f"and {run_marks.shape[0]} run_marks; expected no more than these have."
            )
        self.arrays = parents, blocks, run_marks, run_lengths, entries
        view.n_postings = len(run_lengths)
        view.n_blocks = blocks.shape[1]
        view.blocks = &blocks[0, 0, 0] if blocks.shape[0] else NULL
        view.run_marks = &run_marks[0] if run_marks.shape[0] else NULL
        view.entries = &entries[0] if entries.shape[0] else NULL
        view.has_wide_parents = parents.dtype.itemsize > 2
        view.has_wide_children = run_lengths.dtype.itemsize > 1
        view.has_half_weights = has_half_weights
        view.log_parent = 2 if view.has_wide_parents else 1
        view.log_child = 2 if view.has_wide_children else 0
        view.entry_size = (1 << view.log_child) + (2 if has_half_weights else 4)
        if view.has_wide_parents:
            view.parents = address_of_ints(parents)
        else:
            view.parents = address_of_shorts(parents)
        if view.has_wide_children:
            view.run_lengths = address_of_ints(run_lengths)
        else:
            view.run_lengths = address_of_bytes(run_lengths)


cdef class BeamOptions:
    """Options of a search for many rows.

    Parameters
    ----------
    beam_width : int
    transform : int
        One of the values of `TRANSFORMS`.
    wants_labels : bool
        Whether columns of labels are to be found, or nodes counted in their level.
    allowed : ndarray of uint64, or None
        A bit for each node that may be entered.
    last_level : int, default=-1
        The level whose nodes are to be found; -1 is the last one.
    """

    def __init__(
        self,
        int64_t beam_width,
        int transform,
        *,
        bint wants_labels=True,
        const uint64_t[::1] allowed=None,
        int64_t last_level=-1,
    ):
        self.last_level = last_level
        self.beam_width = beam_width
        self.transform = transform
        self.wants_labels = wants_labels
        self.allowed = allowed


cdef class StartNodes:
    """Nodes that a search starts from, in place of the root.

    Parameters
    ----------
    first_level, last_level : int
        The level of the nodes, 0 for the root's, and that of what is to be found.
    nodes : ndarray of shape (n_samples, any), int64
        Distinct nodes of each row, counted in their level, best first; -1 is none.
    log_scores : ndarray of the same shape, float64
    """

    def __init__(
        self,
        int64_t first_level,
        int64_t last_level,
        const int64_t[:, ::1] nodes,
        const double[:, ::1] log_scores,
    ):
        if nodes.shape[1] == 0:
            raise ValueError("nodes has no column; expected one or more.")
        if (
            log_scores.shape[0] != nodes.shape[0]
            or log_scores.shape[1] != nodes.shape[1]
        ):
            raise ValueError("nodes and log_scores have different shapes.")
        self.first_level = first_level
        self.last_level = last_level
        self.nodes = nodes
        self.log_scores = log_scores
