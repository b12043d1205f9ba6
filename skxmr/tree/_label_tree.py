"""The label tree, as plain arrays for each level."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skxmr._inputs._validation import public_csr
from skxmr._utils._loaded_state import as_value_errors, check_vector, to_be_read
from skxmr._utils._sparse_structure import refuse_sparse
from skxmr.tree import _drawing
from skxmr.tree._tree_arrays import (
    check_offsets,
    check_permutation,
    integer_vector,
    inverse,
    merge_siblings,
    targets_in_order,
)
from skxmr.tree._tree_conversion import (
    arrays_of_cluster_chain,
    arrays_of_parents,
    arrays_of_starts,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LabelTree"]


class LabelTree:
    """A tree whose leaves are the labels, all at the same depth.

    The nodes of each level are numbered from 0, and the children of a node are
    contiguous: the children of node `p` of level `d` are the nodes
    ``child_offsets[d][p]`` to ``child_offsets[d][p + 1] - 1`` of level `d` + 1. Level 0
    is the root; the nodes of the last level are the labels. A branch that ends early is
    extended by nodes with a single child, which cost nothing in training and in search.

    Trees are made by an indexer such as `KMeansTree`, by `from_parents` or by
    `from_cluster_chain`.

    Parameters
    ----------
    child_offsets : sequence of ndarray of int64
        One array for each level but the last, from the root down, of length number of
        nodes of the level + 1. It starts at 0, is strictly increasing (every node has a
        child), and ends at the number of nodes of the next level.
    labels : ndarray of int32 or int64 of shape (n_labels,)
        The label, as a column of Y, of each node of the last level: a permutation of 0
        to n_labels - 1.

    Attributes
    ----------
    child_offsets : tuple of ndarray of int64
        As given; copied only if the dtype or the memory layout requires it.
    labels : ndarray of shape (n_labels,)
        As given, int32 (int64 only if there are too many labels for int32).
    depth : int
        Number of levels below the root, at least 1.
    level_sizes : tuple of int
        Number of nodes of each level, from 1 for the root to `n_labels`.
    n_labels : int
        Number of labels.
    n_nodes : int
        Number of nodes of all levels, including the root and the labels.

    Raises
    ------
    ValueError
        If the arrays do not describe such a tree.
    TypeError
        If an array does not have an integer dtype.

    See Also
    --------
    KMeansTree : Builds a tree by balanced k-means.

    Examples
    --------
    Four labels in two groups, {2, 0} and {3, 1}:

    >>> from skxmr.tree import LabelTree
    >>> tree = LabelTree([[0, 2], [0, 2, 4]], labels=[2, 0, 3, 1])
    >>> tree
    LabelTree(level_sizes=(1, 2, 4))
    >>> tree.n_children(1).tolist()
    [2, 2]
    >>> print(tree.to_text(["ant", "bee", "cat", "dog"]))
    root (4 labels)
    ├── 0 (2 labels)
    │   ├── cat
    │   └── ant
    └── 1 (2 labels)
        ├── dog
        └── bee
    """

    def __init__(self, child_offsets: Sequence[ArrayLike], labels: ArrayLike):
        refuse_sparse(child_offsets, "child_offsets", "a sequence of vectors")
        if len(child_offsets) == 0:
            raise ValueError(
                "child_offsets is empty; expected at least one array, one for each "
                "level but the last."
            )
        leaves = check_permutation(integer_vector(labels, "labels"))
        checked = []
        n_nodes = 1
        for level, given in enumerate(child_offsets):
            name = f"child_offsets[{level}]"
            offsets = integer_vector(given, name).astype(np.int64, copy=False)
            check_offsets(offsets, n_nodes, name)
            n_nodes = int(offsets[-1])
            checked.append(offsets)
        if n_nodes != leaves.shape[0]:
            raise ValueError(
                f"child_offsets[{len(checked) - 1}] ends at {n_nodes}; expected the "
                f"number of labels, {leaves.shape[0]}."
            )
        self.child_offsets = tuple(checked)
        self.labels = leaves

    def __setstate__(self, state):
        self.__dict__.update(state)
        with as_value_errors("LabelTree"):
            self._check_arrays()

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        for level, offsets in enumerate(self.child_offsets):
            name = f"LabelTree.child_offsets[{level}]"
            check_vector(offsets, (np.int64,), None, name)
        check_vector(self.labels, (np.int32, np.int64), None, "LabelTree.labels")
        if to_be_read(*self.child_offsets, self.labels):
            LabelTree(self.child_offsets, self.labels)

    @classmethod
    def from_parents(cls, parents: ArrayLike) -> Self:
        """Build a tree from the parent of every node.

        Parameters
        ----------
        parents : array-like of int of shape (n_nodes,), or mapping
            The parent of each node, -1 for the root; a mapping, or a column with an
            index, maps nodes to parents. Nodes may be numbered in any order. Nodes
            without children are the labels, in ascending order of their numbers: the
            first is column 0 of Y. Siblings keep the order of their numbers.

        Returns
        -------
        LabelTree
            A label above the deepest level is extended by nodes with a single child.

        Raises
        ------
        ValueError
            If there is not exactly one root, a parent does not exist, or there is a
            cycle.
        TypeError
            If `parents` does not have an integer dtype.

        Examples
        --------
        >>> from skxmr.tree import LabelTree
        >>> tree = LabelTree.from_parents([-1, 0, 0, 1, 1])
        >>> tree.level_sizes
        (1, 2, 3)
        >>> tree.labels.tolist()  # nodes 3, 4 and 2 are labels 1, 2 and 0
        [1, 2, 0]
        """
        return cls(*arrays_of_parents(parents))

    @classmethod
    def from_cluster_chain(cls, chain: Sequence) -> Self:
        """Build a tree from a chain of cluster matrices, the format of PECOS.

        Parameters
        ----------
        chain : sequence of sparse matrix or sparse array
            From the root down: ``chain[i]`` has a row for each node of level i + 1 and
            a column for each node of level i, and one non-zero entry per row, in the
            column of the node's parent. The first matrix has one column; the rows of
            the last one are the labels, in the order of Y's columns.

        Returns
        -------
        LabelTree
            Nodes are renumbered if children of a parent are not contiguous; siblings
            keep their order.

        Raises
        ------
        ValueError
            If shapes do not match, a row has no or several parents, or a node has no
            child.

        Examples
        --------
        >>> from scipy.sparse import csr_array
        >>> from skxmr.tree import LabelTree
        >>> chain = [csr_array([[1], [1]]), csr_array([[1, 0], [0, 1], [1, 0]])]
        >>> LabelTree.from_cluster_chain(chain).labels.tolist()
        [0, 2, 1]
        """
        return cls(*arrays_of_cluster_chain(chain))

    @classmethod
    def from_starts(cls, starts: Sequence[ArrayLike], labels: ArrayLike) -> Self:
        """Build a tree from the position of the first label of each group.

        Parameters
        ----------
        starts : sequence of array-like of int
            For each level between root and labels, from the root down: the position in
            `labels` of the first label of each node, ascending from 0. A group must not
            span several groups of the level above.
        labels : array-like of int of shape (n_labels,)
            The label, as a column of Y, at each position: a permutation.

        Returns
        -------
        LabelTree

        Raises
        ------
        ValueError
            If the starts do not describe a tree.
        TypeError
            If an array does not have an integer dtype.

        Examples
        --------
        >>> from skxmr.tree import LabelTree
        >>> tree = LabelTree.from_starts([[0, 3], [0, 1, 3]], labels=[0, 4, 2, 1, 3])
        >>> print(tree.to_text())
        root (5 labels)
        ├── 0 (3 labels)
        │   ├── label 0
        │   └── 1 (2 labels)
        │       ├── label 4
        │       └── label 2
        └── 2 (2 labels)
            ├── label 1
            └── label 3
        """
        return cls(*arrays_of_starts(starts, labels))

    @property
    def depth(self) -> int:
        """Number of levels below the root."""
        return len(self.child_offsets)

    @property
    def level_sizes(self) -> tuple[int, ...]:
        """Number of nodes of each level, from the root down."""
        return (1, *(int(offsets[-1]) for offsets in self.child_offsets))

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return self.labels.shape[0]

    @property
    def n_nodes(self) -> int:
        """Number of nodes of all levels."""
        return sum(self.level_sizes)

    def n_children(self, level: int) -> NDArray[np.int64]:
        """Count the children of each node of a level.

        Parameters
        ----------
        level : int
            From 0, the root, to `depth` - 1.

        Returns
        -------
        ndarray of int64 of shape (level_sizes[level],)

        Raises
        ------
        ValueError
            If the level does not exist.
        TypeError
            If `level` is not an integer.
        """
        return np.diff(self.child_offsets[self._check_level(level, 0, self.depth - 1)])

    def parents(self, level: int) -> NDArray[np.int64]:
        """Find the parent of each node of a level.

        Parameters
        ----------
        level : int
            From 0, the root, to `depth`, the labels.

        Returns
        -------
        ndarray of int64 of shape (level_sizes[level],)
            Nodes of the level above; -1 for the root.

        Raises
        ------
        ValueError
            If the level does not exist.
        TypeError
            If `level` is not an integer.
        """
        if self._check_level(level, 0, self.depth) == 0:
            return np.array([-1], dtype=np.int64)
        n_children = self.n_children(level - 1)
        return np.repeat(np.arange(n_children.shape[0], dtype=np.int64), n_children)

    def leaf_ranges(self, level: int) -> NDArray[np.int64]:
        """Find the nodes of the last level below each node of a level.

        Parameters
        ----------
        level : int
            From 0, the root, to `depth`, the labels.

        Returns
        -------
        ndarray of int64 of shape (level_sizes[level] + 1,)
            Offsets: below node `p` are the nodes ``ranges[p]`` to
            ``ranges[p + 1] - 1`` of the last level, so the labels
            ``labels[ranges[p]:ranges[p + 1]]``.

        Raises
        ------
        ValueError
            If the level does not exist.
        TypeError
            If `level` is not an integer.
        """
        level = self._check_level(level, 0, self.depth)
        ranges = np.arange(self.level_sizes[level] + 1, dtype=np.int64)
        for offsets in self.child_offsets[level:]:
            ranges = offsets[ranges]
        return ranges

    def roll_up(self, Y: sparse.sparray | sparse.spmatrix) -> list[sparse.csr_array]:
        """Aggregate targets over labels to targets over the nodes of every level.

        A node is positive for a row if any of its labels is. If Y is not boolean, the
        value of a node is the maximum over its labels.

        Parameters
        ----------
        Y : sparse matrix or sparse array of shape (n_samples, n_labels)
            Indicator or relevance: non-negative, explicit zeros are ignored.

        Returns
        -------
        list of csr_array
            One for each level below the root, from level 1 to `depth`: entry i has the
            shape (n_samples, level_sizes[i + 1]), sorted indices, no explicit zeros,
            and dtype bool if Y is bool, otherwise float32. The last is Y with its
            columns in the order of the nodes.

        Raises
        ------
        ValueError
            If Y has another number of columns, negative values or NaN.
        """
        rolled = [targets_in_order(Y, self.labels)]
        for level in range(self.depth, 1, -1):
            rolled.append(merge_siblings(rolled[-1], self.parents(level)))
        return rolled[::-1]

    def to_cluster_chain(self) -> list[sparse.csc_array | sparse.csc_matrix]:
        """Convert the tree to a chain of cluster matrices, the format of PECOS.

        Returns
        -------
        list of csc_array or csc_matrix of float32
            As for `from_cluster_chain`; arrays with scikit-learn's configuration
            ``sparse_interface="sparray"``, otherwise matrices. The rows of the last one
            are the labels in the order of Y's columns.
        """
        chain = []
        for level in range(1, self.depth + 1):
            parents = self.parents(level)
            if level == self.depth:
                parents = parents[inverse(self.labels)]
            n_nodes = parents.shape[0]
            cells = (np.arange(n_nodes), parents)
            cluster = sparse.csr_array(
                (np.ones(n_nodes, dtype=np.float32), cells),
                shape=(n_nodes, self.level_sizes[level - 1]),
            )
            chain.append(public_csr(cluster).tocsc())
        return chain

    def to_text(
        self,
        label_names: Sequence[str] | None = None,
        *,
        max_depth: int | None = None,
        max_children: int | None = 10,
    ) -> str:
        """Format the tree as text, one node per line.

        Nodes with a single child are skipped and replaced by the child. With names, a
        group shows the common prefix of its names, if there is one.

        Parameters
        ----------
        label_names : sequence of str of shape (n_labels,), default=None
            Shown instead of the labels' column indices.
        max_depth : int, default=None
            Maximum number of levels below the root; None shows all.
        max_children : int, default=10
            Maximum number of children shown per node; the rest are counted. None shows
            all.

        Returns
        -------
        str
            Without a trailing newline.

        Raises
        ------
        ValueError
            If the number of `label_names` is not that of the labels, or a limit is too
            small.
        """
        return _drawing.to_text(self, label_names, max_depth, max_children)

    def plot(
        self,
        ax: Axes | None = None,
        label_names: Sequence[str] | None = None,
        *,
        max_depth: int | None = None,
        max_children: int | None = 5,
    ) -> Axes:
        """Plot the tree with matplotlib, with the root at the left.

        Nodes with a single child are skipped and replaced by the child. With names, a
        group shows the common prefix of its names, if there is one.

        The text of each node has a `gid`, for example to change its colour: "node-2-5"
        is node 5 of level 2.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to plot; None makes a new figure.
        label_names : sequence of str of shape (n_labels,), default=None
            Shown instead of the labels' column indices.
        max_depth : int, default=None
            Maximum number of levels below the root; None shows all.
        max_children : int, default=5
            Maximum number of children shown per node; the rest are counted. None shows
            all.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return _drawing.plot(self, ax, label_names, max_depth, max_children)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelTree):
            return NotImplemented
        return (
            self.depth == other.depth
            and np.array_equal(self.labels, other.labels)
            and all(map(np.array_equal, self.child_offsets, other.child_offsets))
        )

    # Compared by content, and its arrays are mutable: not hashable.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LabelTree(level_sizes={self.level_sizes})"

    def _check_level(self, level, lowest, highest):
        if isinstance(level, bool):
            raise TypeError(f"level={level} must be an integer.")
        level = operator.index(level)
        if not lowest <= level <= highest:
            raise ValueError(
                f"level={level} is out of range; expected {lowest} to {highest}."
            )
        return level
