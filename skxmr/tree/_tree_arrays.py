"""Checks and conversions of the arrays that describe a label tree."""

import numpy as np
from scipy import sparse

from skxmr._inputs._by_label import Labels, in_order_of_labels, labels_of_index
from skxmr._inputs._validation import check_structure

__all__ = [
    "check_offsets",
    "check_parents",
    "check_permutation",
    "in_order_of_nodes",
    "index_dtype",
    "integer_vector",
    "inverse",
    "merge_siblings",
    "only_columns",
]


def in_order_of_nodes(parents):
    """Return parents in the order of the nodes, if these are the keys or index."""
    keys = labels_of_index(parents)
    if keys is None:
        return parents
    nodes = Labels(len(keys), list(range(len(keys))), has_numbers=False)
    return in_order_of_labels(parents, nodes, "parents", "nodes")


def integer_vector(given, name):
    """Convert to a contiguous integer vector, without a copy if possible."""
    vector = np.ascontiguousarray(given)
    if vector.dtype.kind not in "iu" and vector.size:
        raise TypeError(f"{name} has the dtype {vector.dtype}; expected integers.")
    if np.ndim(given) != 1:
        raise ValueError(f"{name} has the shape {np.shape(given)}; expected a vector.")
    return vector


def index_dtype(n):
    return np.int32 if n <= np.iinfo(np.int32).max else np.int64


def inverse(permutation):
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(permutation.shape[0], dtype=permutation.dtype)
    return inverse


def check_permutation(labels):
    """Return the labels in the smallest sufficient integer dtype."""
    n_labels = labels.shape[0]
    if n_labels == 0:
        raise ValueError("labels is empty; a tree has one label at least.")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= n_labels:
        raise ValueError(
            f"labels runs from {lowest} to {highest}; expected each of 0 to "
            f"{n_labels - 1} once."
        )
    labels = labels.astype(index_dtype(n_labels), copy=False)
    times = np.bincount(labels, minlength=n_labels)
    if (times != 1).any():
        missing = int(np.flatnonzero(times == 0)[0])
        repeated = int(np.flatnonzero(times > 1)[0])
        raise ValueError(
            f"labels has {repeated} more than once and {missing} not at all; expected "
            f"each of 0 to {n_labels - 1} once."
        )
    return labels


def check_offsets(offsets, n_nodes, name):
    if offsets.shape[0] != n_nodes + 1:
        raise ValueError(
            f"{name} has {offsets.shape[0]} entries; expected {n_nodes + 1}, one more "
            "than its level has nodes."
        )
    if offsets[0] != 0:
        raise ValueError(f"{name} starts at {offsets[0]}; expected 0.")
    childless = np.flatnonzero(offsets[1:] <= offsets[:-1])
    if childless.size:
        node = int(childless[0])
        raise ValueError(
            f"{name} goes from {offsets[node]} to {offsets[node + 1]} at node {node}; "
            "it must increase, since every node needs a child."
        )


def check_parents(parents):
    """Validate the entries of a parent array and return the root."""
    n_nodes = parents.shape[0]
    roots = np.flatnonzero(parents == -1)
    if roots.shape[0] != 1:
        raise ValueError(
            f"parents has {roots.shape[0]} roots (entries of -1); expected one."
        )
    wrong = np.flatnonzero((parents < -1) | (parents >= n_nodes))
    if wrong.size:
        node = int(wrong[0])
        raise ValueError(
            f"parents gives node {node} the parent {parents[node]}; expected -1 to "
            f"{n_nodes - 1}."
        )
    return int(roots[0])


def only_columns(matrix, n_columns, name):
    """Return the column of the single entry of each row."""
    if not sparse.issparse(matrix):
        raise TypeError(f"{name} is {type(matrix).__name__}; expected a sparse matrix.")
    matrix = check_structure(matrix, name)
    if matrix.shape[1] != n_columns:
        raise ValueError(
            f"{name} has {matrix.shape[1]} columns; expected {n_columns}, one for each "
            "node of the level above."
        )
    rows = sparse.csr_array(matrix, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    n_parents = np.diff(rows.indptr)
    if (n_parents != 1).any():
        row = int(np.flatnonzero(n_parents != 1)[0])
        raise ValueError(
            f"{name} has {n_parents[row]} entries in row {row}; expected one, the "
            "node's parent."
        )
    return rows.indices


def merge_siblings(targets, parents):
    """Aggregate canonical targets by one level.

    Siblings are contiguous, so the parents of a sorted row are sorted too, and
    duplicates are adjacent.
    """
    n_samples = targets.shape[0]
    above = parents[targets.indices]
    starts_group = np.empty(above.shape[0], dtype=np.bool_)
    starts_group[1:] = above[1:] != above[:-1]
    row_starts = targets.indptr[:-1]
    starts_group[row_starts[row_starts < targets.nnz]] = True
    first = np.flatnonzero(starts_group)
    data = np.maximum.reduceat(targets.data, first) if first.size else targets.data
    indptr = np.searchsorted(first, targets.indptr).astype(targets.indptr.dtype)
    shape = (n_samples, int(parents[-1]) + 1)
    indices = above[first].astype(targets.indices.dtype, copy=False)
    return sparse.csr_array((data, indices, indptr), shape=shape)


def targets_in_order(Y, labels):
    """Copy Y as canonical CSR, with a column for each node of the last level.

    Parameters
    ----------
    Y : sparse matrix or sparse array of shape (n_samples, n_labels)
    labels : ndarray of shape (n_labels,)
        The label of each node.

    Raises
    ------
    ValueError
        If Y has another number of columns, negative values or NaN.
    """
    Y = sparse.csr_array(check_structure(Y, "Y"))
    if Y.ndim != 2 or Y.shape[1] != len(labels):
        raise ValueError(
            f"Y has the shape {Y.shape}; expected a column for each of the "
            f"{len(labels)} labels of the tree."
        )
    Y = Y.astype(np.bool_ if Y.dtype == np.bool_ else np.float32, copy=True)
    # NaN fails both comparisons.
    if not (Y.data >= 0).all():
        raise ValueError("Y has negative values or NaN; expected 0 or more.")
    Y.sum_duplicates()
    Y.eliminate_zeros()
    positions = inverse(labels)
    # SciPy requires the same dtype for both index arrays; int64 only if necessary.
    indptr = Y.indptr.astype(index_dtype(Y.nnz))
    in_order = sparse.csr_array((Y.data, positions[Y.indices], indptr), shape=Y.shape)
    in_order.sort_indices()
    return in_order
