"""One shard of a classifier."""

from typing import NamedTuple

import numpy as np

from skxmr._cython._search_inputs import TRANSFORMS, BeamOptions, StartNodes
from skxmr._inputs._validation import check_k
from skxmr._search._beam_search import beam_search, search_trees
from skxmr._search._subset import LabelNodes
from skxmr._utils._compressed import Compressed
from skxmr._utils._padding import check_size, pad_ranking
from skxmr._utils._sparse_structure import check_rows

__all__ = ["Description", "TreeShard", "description_of"]


class Description(NamedTuple):
    """The attributes of the whole model that a ranker needs."""

    n_features: int
    feature_names: np.ndarray | None
    n_labels: int
    level_sizes: list
    beam_width: int | None
    n_candidates: int
    score_transform: str


class TreeShard:
    """Some subtrees of a classifier's trees with their weights, for one server.

    Made by `split`. Shards can be pickled, and memory-mapped by
    `skxmr.persistence.load`.

    Parameters
    ----------
    description : dict
        The attributes of the whole model that a ranker needs.
    layouts : list of SearchLayout
        For each tree, its root and the subtrees; the labels are columns of the whole
        model.
    first_nodes : list of list of int
        For each tree and level, the number of the shard's first node in the whole tree.
    classes : ndarray of shape (n_labels,), default=None
        The class of each label of the first tree, in its order; None for an indicator.

    See Also
    --------
    ShardedRanker : Queries all shards of a classifier.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from skxmr import KMeansTree, XRLinearClassifier
    >>> from skxmr.sharding import split
    >>> X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    >>> classifier = XRLinearClassifier(KMeansTree(4, 2), C=0.01, random_state=0)
    >>> [shard.n_labels for shard in split(classifier.fit(X, Y), n_shards=3)]
    [6, 7, 7]
    """

    def __init__(self, description, layouts, first_nodes, classes=None):
        self.description = description
        self.layouts = layouts
        self.first_nodes = first_nodes
        self.classes = classes

    def __repr__(self):
        return f"{type(self).__name__}({self.n_labels} labels, {self.nbytes} bytes)"

    @property
    def n_labels(self) -> int:
        """Number of labels of the shard in each tree."""
        return self.layouts[0].n_labels

    @property
    def nbytes(self) -> int:
        """Size in bytes of the arrays that searches read."""
        return sum(layout.nbytes for layout in self.layouts)

    def describe(self) -> dict:
        """Return the attributes of the whole model, and this shard's part of it.

        Returns
        -------
        dict
            The attributes of the whole model; and ``ranges``: for each tree and level,
            the first node of this shard, and the one after its last; ``columns`` and
            ``classes``: for a 1-D target, the labels of this shard, otherwise None.
        """
        ranges = [
            list(zip(firsts, np.add(firsts, layout.level_sizes).tolist(), strict=True))
            for firsts, layout in zip(self.first_nodes, self.layouts, strict=True)
        ]
        return {
            **self.description,
            "ranges": ranges,
            "columns": None if self.classes is None else self.layouts[0].labels,
            "classes": self.classes,
        }

    def restrict(self, allowed, excluded):
        """Find the nodes of this shard that lead to some labels.

        Parameters
        ----------
        allowed : ndarray of int64, or None
            Columns of the whole model, ascending. None allows all.
        excluded : ndarray of int64
            Columns to remove from these.

        Returns
        -------
        list of ndarray of uint64
            For each tree, a bit for each node of this shard, which `expand` takes.

        Raises
        ------
        ValueError
            If the columns are not vectors of integers.
        """
        if allowed is not None:
            _check_columns(allowed, "allowed")
        _check_columns(excluded, "excluded")
        return [_bits(layout, allowed, excluded) for layout in self.layouts]

    def expand(self, tree, level, X, nodes, node_scores, k, allowed=None):
        """Find the best children of some nodes: one exchange of a search.

        Parameters
        ----------
        tree, level : int
            The index of the tree, and the level of the nodes, from 0, the root.
        X : tuple of ndarray
            The rows, as the offsets (int64), indices (int32) and values (float32) of a
            CSR matrix.
        nodes : ndarray of shape (n_rows, any), int64
            For each row, the nodes of the beam that belong to this shard, numbered as
            in the whole tree, best first, filled up with -1.
        node_scores : ndarray of the same shape, float64
            Their log scores.
        k : int
            The maximum number of children to return.
        allowed : ndarray of uint64, default=None
            The nodes to which the search is restricted, as `restrict` returns them for
            this tree. None allows all.

        Returns
        -------
        children : ndarray of shape (n_rows, k), int64
            The best children, numbered as in the whole tree; on the last level, columns
            of labels. Filled up with -1.
        scores : ndarray of shape (n_rows, k), float64
            Their log scores, filled up with -inf.

        Raises
        ------
        ValueError
            If nodes do not belong to this shard, X does not consist of CSR rows, or
            `allowed` is not for this tree.
        """
        layout, firsts = self.layouts[tree], self.first_nodes[tree]
        if allowed is not None:
            _check_bits(allowed, layout)
        X = check_rows(X, layout.n_features, "X")
        if len(X[0]) != len(nodes) + 1:
            raise ValueError(
                f"X has {len(X[0]) - 1} rows; expected {len(nodes)}, as nodes has."
            )
        k = check_k(k, "TreeShard.expand")
        k = max(1, min(k, layout.level_sizes[level + 1]))
        children = np.empty((len(nodes), k), dtype=np.int64)
        scores = np.empty((len(nodes), k), dtype=np.float64)
        own_nodes = np.where(nodes < 0, -1, nodes - firsts[level])
        layout.searcher.search(
            *X,
            BeamOptions(
                nodes.shape[1],
                TRANSFORMS[self.description["score_transform"]],
                allowed=allowed,
            ),
            StartNodes(level, level + 1, own_nodes, node_scores),
            children,
            scores,
        )
        if level + 1 < layout.n_levels:
            children[children >= 0] += firsts[level + 1]
        return children, scores

    def search(self, X, k: int = 10, *, allowed=None):
        """Search this shard alone, with the beam width of the whole model.

        Parameters
        ----------
        X : tuple of ndarray
            As in `expand`.
        k : int, default=10
            The number of labels per row.
        allowed : list of ndarray of uint64, default=None
            The nodes to which the search is restricted, as `restrict` returns them.
            None allows all.

        Returns
        -------
        columns : ndarray of shape (n_rows, k), int64
        log_scores : ndarray of shape (n_rows, k), float64
            To be combined by `merge`.

        Raises
        ------
        ValueError
            If X does not consist of CSR rows, or `allowed` is not for these trees.
        """
        k = check_k(k, "TreeShard.search")
        described = description_of(self.description)
        offsets, indices, values = check_rows(X, described.n_features, "X")
        rows = Compressed(offsets, indices, values, described.n_features)
        if allowed is not None:
            for bits, layout in zip(allowed, self.layouts, strict=True):
                _check_bits(bits, layout)
        n_found = check_size(rows.n_vectors, k, described.n_labels)

        def search(tree, k):
            return beam_search(
                rows,
                self.layouts[tree],
                k=k,
                beam_width=described.beam_width,
                score_transform=described.score_transform,
                allowed=None if allowed is None else allowed[tree],
            )

        columns, log_scores = search_trees(
            search, range(len(self.layouts)), n_found, described.n_candidates
        )
        columns, log_scores = pad_ranking(columns, log_scores, k)
        log_scores[columns < 0] = -np.inf
        return columns, log_scores


def description_of(description):
    return Description(*(description[name] for name in Description._fields))


def _check_columns(columns, name):
    """Raise ValueError unless columns are a vector of integers."""
    is_array = isinstance(columns, np.ndarray)
    if not (is_array and columns.ndim == 1 and columns.dtype.kind in "iu"):
        came = columns.dtype if is_array else type(columns).__name__
        raise ValueError(f"{name} must be a vector of int64; got {came}.")


def _check_bits(bits, layout):
    """Raise ValueError unless there is a bit for each node of a tree."""
    n_words = -(-(len(layout.intercepts) + 1) // 64)
    is_array = isinstance(bits, np.ndarray)
    if not (is_array and bits.dtype == np.uint64 and bits.shape == (n_words,)):
        came = f"{bits.dtype} of shape {bits.shape}" if is_array else type(bits)
        raise ValueError(
            f"allowed must be the result of TreeShard.restrict, uint64 of shape "
            f"({n_words},) for this tree; got {came}."
        )


def _bits(layout, allowed, excluded):
    """Mark the nodes of a shard's tree that lead to some columns of the whole model."""
    columns = np.sort(layout.labels)
    nodes = LabelNodes(layout, np.searchsorted(columns, layout.labels))
    if allowed is not None:
        allowed = _positions(allowed, columns)
    return nodes.bits(allowed, _positions(excluded, columns))


def _positions(wanted, columns):
    """Return the positions of wanted columns among ascending ones that contain some."""
    positions = np.searchsorted(columns, wanted)
    found = positions < len(columns)
    found[found] = columns[positions[found]] == wanted[found]
    return positions[found]
