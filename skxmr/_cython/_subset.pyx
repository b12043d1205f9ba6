"""Sets of nodes that a restricted search may enter, one bit for each node."""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef class RowLabels:
    """The labels that each row of a search may find; or those that it may not.

    Parameters
    ----------
    offsets : ndarray of shape (n_rows + 1,), int64
        Row i has the labels from ``offsets[i]`` up to ``offsets[i + 1]``.
    labels : ndarray of int32
        Columns, ascending within a row.
    nodes : ndarray of shape (n_labels,), int32
        The node of each label.
    parents : ndarray of shape (n_nodes,), int32
        The parent of each node; of the root, itself.
    child_offsets : ndarray of int64, or None
        The children of each node that has any. None if not all children are known:
        nodes without allowed children may be entered then, in vain.
    base : ndarray of uint64, or None
        None: rows may find their labels only. Otherwise a bit for each node that all
        rows may enter; a row may not find its labels.
    bits : ndarray of uint64, of at least n_nodes bits
        Scratch: a copy of `base`, or zeros. The searches of one thread use it.
    """

    def __init__(
        self,
        const int64_t[::1] offsets,
        const int32_t[::1] labels,
        const int32_t[::1] nodes,
        const int32_t[::1] parents,
        const int64_t[::1] child_offsets,
        const uint64_t[::1] base,
        uint64_t[::1] bits,
    ):
        cdef RowLabelsView* view = &self.view
        cdef int64_t i, row, n_words = bits.shape[0]
        self.n_rows, self.n_nodes = offsets.shape[0] - 1, parents.shape[0]
        if self.n_nodes == 0 or 64 * n_words < self.n_nodes:
            raise ValueError(
                f"bits has {64 * n_words} bits; expected one for each of "
                f"{self.n_nodes} nodes."
            )
        if base is not None and base.shape[0] != n_words:
            raise ValueError(f"base has {base.shape[0]} words; expected {n_words}.")
        if self.n_rows < 0 or offsets[0] < 0 or offsets[self.n_rows] > labels.shape[0]:
            raise ValueError(f"offsets do not fit to {labels.shape[0]} labels.")
        self.most = 0
        for row in range(self.n_rows):
            if offsets[row] > offsets[row + 1]:
                raise ValueError(f"The offsets of row {row} do not ascend.")
            self.most = max(self.most, offsets[row + 1] - offsets[row])
            for i in range(offsets[row], offsets[row + 1]):
                if not 0 <= labels[i] < nodes.shape[0]:
                    raise ValueError(
                        f"There is no label {labels[i]}; expected one below "
                        f"{nodes.shape[0]}."
                    )
                if i > offsets[row] and labels[i] <= labels[i - 1]:
                    raise ValueError(f"The labels of row {row} do not ascend.")
        # Keeps alive what the pointers lead to.
        self.arrays = offsets, labels, nodes, parents, child_offsets, base, bits
        view.offsets = &offsets[0]
        view.labels = &labels[0] if labels.shape[0] else NULL
        view.nodes = &nodes[0] if nodes.shape[0] else NULL
        view.parents = &parents[0]
        view.n_parents = 0
        if child_offsets is not None and child_offsets.shape[0] > 1:
            view.n_parents = child_offsets.shape[0] - 1
            view.child_offsets = &child_offsets[0]
        view.base = NULL
        if base is not None:
            view.base = &base[0]
        view.bits = &bits[0]
        view.n_nodes = self.n_nodes


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
                while 0 <= node < n_nodes and not is_set(&allowed[0], node):
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
            while 0 <= node < n_nodes and is_set(&allowed[0], node):
                has_allowed = False
                if node < child_offsets.shape[0] - 1:
                    for child in range(child_offsets[node], child_offsets[node + 1]):
                        if child < n_nodes and is_set(&allowed[0], child):
                            has_allowed = True
                            break
                if has_allowed:
                    break
                allowed[node >> 6] &= ~(<uint64_t>1 << (node & 63))
                node = parents[node]
