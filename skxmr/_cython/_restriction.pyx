"""Bits of the nodes that a search may enter."""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef inline bint _is_set(const uint64_t* bits, int64_t node) noexcept nogil:
    return (bits[node >> 6] >> (node & 63)) & 1


def allow_ranges(
    const int64_t[:, ::1] ranges,   # IN (n_ranges, 2)
    const int32_t[::1] nodes,       # IN (n_labels,): the node of each label
    const int32_t[::1] parents,     # IN (n_nodes,): of the root, 0
    uint64_t[::1] allowed,          # OUT (n_words,), zeros: bits of nodes
):
    """Set the bits of the nodes of some ranges of labels, and of all above them."""
    cdef int64_t i, label, node, n_nodes = parents.shape[0]
    if allowed.shape[0] * 64 < n_nodes or n_nodes == 0:
        raise ValueError("allowed has fewer bits than there are nodes.")
    for i in range(ranges.shape[0]):
        if ranges[i, 0] < 0 or ranges[i, 1] > nodes.shape[0]:
            raise ValueError("A range goes beyond the labels.")
        with nogil:
            for label in range(ranges[i, 0], ranges[i, 1]):
                node = nodes[label]
                while 0 <= node < n_nodes and not _is_set(&allowed[0], node):
                    allowed[node >> 6] |= <uint64_t>1 << (node & 63)
                    node = parents[node]


def forbid(
    const int64_t[::1] labels,        # IN (n_forbidden,)
    const int32_t[::1] nodes,         # IN (n_labels,): the node of each label
    const int32_t[::1] parents,       # IN (n_nodes,): of the root, 0
    const int64_t[::1] child_offsets,  # IN: the children of each node that has any
    uint64_t[::1] allowed,            # IN and OUT (n_words,): bits of nodes
):
    """Clear the bits of some labels' nodes, and of nodes that lead to none any more."""
    cdef int64_t i, node, child, n_nodes = parents.shape[0]
    cdef bint leads_on
    if allowed.shape[0] * 64 < n_nodes or n_nodes == 0:
        raise ValueError("allowed has fewer bits than there are nodes.")
    for i in range(labels.shape[0]):
        if not 0 <= labels[i] < nodes.shape[0]:
            raise ValueError("A label goes beyond the labels.")
    with nogil:
        for i in range(labels.shape[0]):
            node = nodes[labels[i]]
            while 0 <= node < n_nodes and _is_set(&allowed[0], node):
                leads_on = False
                if node < child_offsets.shape[0] - 1:
                    for child in range(child_offsets[node], child_offsets[node + 1]):
                        if child < n_nodes and _is_set(&allowed[0], child):
                            leads_on = True
                            break
                if leads_on:
                    break
                allowed[node >> 6] &= ~(<uint64_t>1 << (node & 63))
                node = parents[node]
