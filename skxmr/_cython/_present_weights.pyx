"""Reads the present weights of some features of some parents.

From the arrays that searches read, and from the changes beside them: in time of what is
asked for, whatever the size of the model.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from skxmr._cython._search_inputs cimport (
    ChangeView, FeatureIndex, FeatureView, NodeView, Postings, PostingView, TreeNodes,
    child_t, parent_t
)
from skxmr._cython._search_lookup cimport (
    count_bits, count_weights, lower_bound, run_start
)

cdef extern from "include/bits.h" nogil:
    double from_half "skxmr_from_half"(uint16_t half)


cdef struct Found:
    # The weights of a feature for the children of a parent.
    const uint8_t* children        # of the layout's run, and then its weights
    int64_t size                   # of that run; 0 if there is none
    const int32_t* changed_children
    const float* changed_weights
    int64_t n_changed


cdef class RunReader:
    """Reads the weights of (parent, feature) pairs.

    Parameters
    ----------
    nodes : TreeNodes
    features : FeatureIndex
    postings : Postings

    Attributes
    ----------
    n_read : int
        How many weights were read so far.
    """

    cdef TreeNodes nodes
    cdef FeatureIndex features
    cdef Postings postings
    cdef readonly int64_t n_read

    def __init__(
        self, TreeNodes nodes not None, FeatureIndex features not None,
        Postings postings not None,
    ):
        self.nodes, self.features, self.postings = nodes, features, postings
        self.n_read = 0

    def count(
        self,
        const int64_t[::1] parents,    # IN (n_pairs,)
        const int32_t[::1] features,   # IN (n_pairs,)
    ):
        """Return how many weights the pairs have at most."""
        cdef Found found
        cdef int64_t pair, n_weights = 0
        _check_pairs(&self.nodes.view, parents, features)
        with nogil:
            for pair in range(parents.shape[0]):
                found = self._find(parents[pair], features[pair])
                n_weights += found.size + found.n_changed
        return n_weights

    def read(
        self,
        const int64_t[::1] parents,    # IN (n_pairs,)
        const int32_t[::1] features,   # IN (n_pairs,)
        int64_t[::1] counts,           # OUT (n_pairs,)
        int32_t[::1] children,         # OUT: of one pair after another
        float[::1] weights,            # OUT, likewise
    ):
        """Copy the weights of the pairs; return how many there are.

        Children that are never found have none, as after a compaction. There must be
        room for as many as `count` returns.
        """
        cdef Found found
        cdef int64_t pair, before, n_weights = 0
        cdef const float* intercepts
        _check_pairs(&self.nodes.view, parents, features)
        if counts.shape[0] != parents.shape[0] or weights.shape[0] != children.shape[0]:
            raise ValueError("The arrays of results have other lengths.")
        with nogil:
            for pair in range(parents.shape[0]):
                found = self._find(parents[pair], features[pair])
                before = n_weights
                if n_weights + found.size + found.n_changed > children.shape[0]:
                    with gil:
                        raise ValueError("There is no room for all weights.")
                intercepts = _intercepts_of(&self.nodes.view, parents[pair])
                if found.size:
                    if self.postings.view.has_wide_children:
                        n_weights += _copy_run(
                            &self.postings.view, &found,
                            <const int32_t*>found.children, intercepts,
                            &children[n_weights], &weights[n_weights],
                        )
                    else:
                        n_weights += _copy_run(
                            &self.postings.view, &found, found.children, intercepts,
                            &children[n_weights], &weights[n_weights],
                        )
                if found.n_changed:
                    n_weights += _copy_changed(
                        &found, intercepts, &children[n_weights], &weights[n_weights]
                    )
                counts[pair] = n_weights - before
        self.n_read += n_weights
        return n_weights

    cdef Found _find(self, int64_t parent, int32_t feature) noexcept nogil:
        """Find the run of the layout and the changed weights."""
        cdef Found found
        cdef const ChangeView* change = NULL
        cdef int64_t key
        found.size = found.n_changed = 0
        found.children = NULL
        found.changed_children, found.changed_weights = NULL, NULL
        if self.nodes.view.changes != NULL:
            change = self.nodes.view.changes[parent]
        if change != NULL:
            key = lower_bound(change.keys, 0, change.n_keys, feature)
            if key < change.n_keys and change.keys[key] == feature:
                found.changed_children = change.items + change.offsets[key]
                found.changed_weights = change.weights + change.offsets[key]
                found.n_changed = change.offsets[key + 1] - change.offsets[key]
                if change.replaces[key]:
                    return found
        if self.postings.view.has_wide_children:
            self._find_run(
                parent, feature, <const int32_t*>self.postings.view.run_lengths, &found
            )
        else:
            self._find_run(
                parent, feature, <const uint8_t*>self.postings.view.run_lengths, &found
            )
        return found

    cdef void _find_run(
        self, int64_t parent, int32_t feature, const child_t* lengths, Found* found
    ) noexcept nogil:
        """Find the run of the layout, if there is one."""
        cdef const PostingView* postings = &self.postings.view
        cdef const FeatureView* features = &self.features.view
        cdef const uint64_t* word
        cdef int64_t number = feature, posting
        cdef uint64_t bit, start
        if number >= features.n_features:
            return
        if features.n_kept:
            number = lower_bound(features.kept_features, 0, features.n_kept, feature)
            if number == features.n_kept or features.kept_features[number] != feature:
                return
        word = features.words + 4 * (number >> 6)
        bit = <uint64_t>1 << (number & 63)
        if word[0] & bit:
            number = word[1] + count_bits(word[0] & (bit - 1))
            posting = _posting_of_parent(features, postings, number, parent)
            if posting < 0:
                return
            start = run_start(postings, posting, lengths)
        elif word[2] & bit:
            number = word[3] + count_bits(word[2] & (bit - 1))
            word = postings.blocks + 2 * (postings.n_blocks * number + (parent >> 6))
            bit = <uint64_t>1 << (parent & 63)
            if not word[0] & bit:
                return
            number = <uint32_t>word[1]
            posting = number + count_bits(word[0] & (bit - 1))
            start = (word[1] >> 32) + count_weights(postings, number, posting, lengths)
        else:
            return
        found.children = postings.entries + start * <uint64_t>postings.entry_size
        found.size = lengths[posting] + <int64_t>1


cdef int _check_pairs(
    const NodeView* nodes, const int64_t[::1] parents, const int32_t[::1] features
) except -1:
    """Raise ValueError for pairs that cannot be."""
    cdef int64_t pair
    if parents.shape[0] != features.shape[0]:
        raise ValueError("There are not as many parents as features.")
    for pair in range(parents.shape[0]):
        if not 0 <= parents[pair] < nodes.n_parents or features[pair] < 0:
            raise ValueError(
                f"There is no pair of {parents[pair]} and {features[pair]}."
            )
    return 0


cdef int64_t _posting_of_parent(
    const FeatureView* features, const PostingView* postings, int64_t number,
    int64_t parent,
) noexcept nogil:
    """Find the posting of a listed feature; -1 if the parent has none."""
    cdef int64_t first = features.posting_starts[number]
    cdef int64_t stop = features.posting_starts[number + 1]
    if postings.has_wide_parents:
        return _search(<const int32_t*>postings.parents, first, stop, parent)
    return _search(<const uint16_t*>postings.parents, first, stop, parent)


cdef int64_t _search(
    const parent_t* parents, int64_t first, int64_t stop, int64_t parent
) noexcept nogil:
    cdef int64_t posting = lower_bound(parents, first, stop, parent)
    return posting if posting < stop and parents[posting] == parent else -1


cdef const float* _intercepts_of(const NodeView* nodes, int64_t parent) noexcept nogil:
    """Return the present intercepts of the children of a parent."""
    if nodes.changes != NULL and nodes.changes[parent] != NULL:
        return nodes.changes[parent].intercepts
    return nodes.intercepts + nodes.child_offsets[parent] - 1


cdef int64_t _copy_run(
    const PostingView* postings, const Found* found, const child_t* run,
    const float* intercepts, int32_t* children, float* weights,
) noexcept nogil:
    """Copy a run of the layout but for children that are never found."""
    cdef const uint8_t* values = found.children + found.size * sizeof(child_t)
    cdef int64_t i, n = 0
    cdef child_t child
    cdef uint16_t half
    cdef float weight
    for i in range(found.size):
        # Runs are packed: neither their children nor their weights are aligned.
        memcpy(&child, run + i, sizeof(child_t))
        if intercepts[child] == -INFINITY:
            continue
        if postings.has_half_weights:
            memcpy(&half, values + 2 * i, 2)
            weight = <float>from_half(half)
        else:
            memcpy(&weight, values + 4 * i, 4)
        children[n], weights[n] = child, weight
        n += 1
    return n


cdef int64_t _copy_changed(
    const Found* found, const float* intercepts, int32_t* children, float* weights
) noexcept nogil:
    """Copy changed weights but for those of children that are never found."""
    cdef int64_t i, n = 0
    for i in range(found.n_changed):
        if intercepts[found.changed_children[i]] != -INFINITY:
            children[n] = found.changed_children[i]
            weights[n] = found.changed_weights[i]
            n += 1
    return n
