"""Sets of nodes that a restricted search may enter, one bit for each node."""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef inline bint _is_set(const uint64_t* bits, int64_t node) noexcept nogil:
    return (bits[node >> 6] >> (node & 63)) & 1


def allow_ranges(
    const int64_t[:, ::1] ranges,   # IN (n_ranges, 2)
    const int32_t[::1] nodes,       # IN (n_labels,): the node of each label
    const int32_t[::1] parents,     # IN (n_nodes,): of the root, 0
    uint64_t[::1] allowed,          # OUT (n_words,), zeros: bits of nodes
):
    """Set the bits of the nodes of ranges of labels, and of their ancestors."""
    cdef int64_t i, label, node, n_nodes = parents.shape[0]
    if allowed.shape[0] * 64 < n_nodes or n_nodes == 0:
        raise ValueError(
            f"allowed has {64 * allowed.shape[0]} bits; expected one for each of "
            f"{n_nodes} nodes."
        )
    for i in range(ranges.shape[0]):
        if ranges[i, 0] < 0 or ranges[i, 1] > nodes.shape[0]:
            raise ValueError(
                f"A range is {ranges[i, 0]} to {ranges[i, 1]}; expected it within the "
                f"{nodes.shape[0]} labels."
            )
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
    """Clear the bits of the nodes of labels, and of ancestors without allowed children.
    """
    cdef int64_t i, node, child, n_nodes = parents.shape[0]
    cdef bint has_allowed
    if allowed.shape[0] * 64 < n_nodes or n_nodes == 0:
        raise ValueError(
            f"allowed has {64 * allowed.shape[0]} bits; expected one for each of "
            f"{n_nodes} nodes."
        )
    for i in range(labels.shape[0]):
        if not 0 <= labels[i] < nodes.shape[0]:
            raise ValueError(
                f"There is no label {labels[i]}; expected one below {nodes.shape[0]}."
            )
    with nogil:
        for i in range(labels.shape[0]):
            node = nodes[labels[i]]
            while 0 <= node < n_nodes and _is_set(&allowed[0], node):
                has_allowed = False
                if node < child_offsets.shape[0] - 1:
                    for child in range(child_offsets[node], child_offsets[node + 1]):
                        if child < n_nodes and _is_set(&allowed[0], child):
                            has_allowed = True
                            break
                if has_allowed:
                    break
                allowed[node >> 6] &= ~(<uint64_t>1 << (node & 63))
                node = parents[node]
