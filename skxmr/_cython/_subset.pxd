"""Sets of nodes that a restricted search may enter, one bit for each node."""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef struct RowLabelsView:
    const int64_t* offsets   # (n_rows + 1,)
    const int32_t* labels    # of all rows; ascending within a row
    const int32_t* nodes     # (n_labels,): the node of each label
    const int32_t* parents   # (n_nodes,): of the root, 0
    const int64_t* child_offsets  # (n_parents + 1,)
    int64_t n_parents        # 0 if ancestors are to keep their bits
    const uint64_t* base     # bits of the nodes that all rows may enter; or NULL
    uint64_t* bits           # those of one row
    int64_t n_nodes


cdef class RowLabels:
    cdef RowLabelsView view
    cdef tuple arrays
    cdef readonly int64_t n_rows
    cdef readonly int64_t n_nodes
    cdef readonly int64_t most


cdef inline bint is_set(const uint64_t* bits, int64_t node) noexcept nogil:
    return (bits[node >> 6] >> (node & 63)) & 1


cdef inline void enter_row(const RowLabelsView* view, int64_t row) noexcept nogil:
    """Set the bits of a row: its labels and their ancestors, or all but its labels."""
    cdef int64_t i, node
    for i in range(view.offsets[row], view.offsets[row + 1]):
        node = view.nodes[view.labels[i]]
        if view.base != NULL:
            _clear(view, node)
            continue
        while 0 <= node < view.n_nodes and not is_set(view.bits, node):
            view.bits[node >> 6] |= <uint64_t>1 << (node & 63)
            node = view.parents[node]


cdef inline void _clear(const RowLabelsView* view, int64_t node) noexcept nogil:
    """Clear the bits of a node, and of ancestors that now lead to no label."""
    cdef int64_t child
    while 0 <= node < view.n_nodes:
        if node < view.n_parents:
            for child in range(view.child_offsets[node], view.child_offsets[node + 1]):
                if child < view.n_nodes and is_set(view.bits, child):
                    return
        view.bits[node >> 6] &= ~(<uint64_t>1 << (node & 63))
        if view.n_parents == 0 or node == 0:
            return
        node = view.parents[node]


cdef inline void leave_row(const RowLabelsView* view, int64_t row) noexcept nogil:
    """Undo what `enter_row` did, in the time of what it changed."""
    cdef int64_t i, node
    for i in range(view.offsets[row], view.offsets[row + 1]):
        node = view.nodes[view.labels[i]]
        if view.base == NULL:
            while 0 <= node < view.n_nodes and is_set(view.bits, node):
                view.bits[node >> 6] &= ~(<uint64_t>1 << (node & 63))
                node = view.parents[node]
            continue
        # Parents have smaller numbers than their children, up to the root.
        while 0 <= node < view.n_nodes:
            view.bits[node >> 6] = view.base[node >> 6]
            if view.parents[node] >= node:
                break
            node = view.parents[node]
