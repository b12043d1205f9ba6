"""Drift: how far the labels of a tree have moved since it was built.

A tree that grows keeps its nodes. Two numbers tell what this costs:

- the *leaf size*, the number of labels in the leaf of a label on average: searches and
  trainings of the last level take time in proportion to it;
- the *cohesion*, what spherical k-means maximises [1]_: the mean length of the mean of
  the unit vectors of a leaf's labels. It depends on the labels, so that it is compared
  with that of the same labels when they are grouped anew into as many leaves.

References
----------
.. [1] I. S. Dhillon and D. S. Modha, "Concept decompositions for large sparse text data
   using clustering", Machine Learning 42, 2001.
"""

import numpy as np
from scipy import sparse

from skxmr.tree._kmeans_tree import KMeansTree
from skxmr.tree._label_vectors import pifa

__all__ = ["is_refit_due", "leaf_size_of", "mean_leaf_size", "relative_cohesion"]

# Leaves whose labels are grouped anew.
_MOST_LEAVES = 32

# How many times the leaf size of the first fit is too much. With 1.1 times, trees grown
# by a warm start ranked as well as new ones; with 1.45 times, worse by 1.5 points of
# recall@10 on one problem of two.
_MOST_GROWTH = 1.25
# The least cohesion, relative to that of the labels grouped anew. Of new trees, it is 1
# or a little more.
_LEAST_COHESION = 0.9


def mean_leaf_size(sizes):
    """Average the sizes of leaves over their labels.

    Parameters
    ----------
    sizes : ndarray of shape (n_leaves,), int

    Returns
    -------
    float
    """
    return float((sizes.astype(np.float64) ** 2).sum() / max(1, sizes.sum()))


def leaf_size_of(layout):
    """Average the sizes of leaves over their labels, without removed ones.

    Parameters
    ----------
    layout : SearchLayout

    Returns
    -------
    float
    """
    first = int(layout.level_starts[-2])
    is_alive = layout.intercepts > -np.inf
    n_before = np.concatenate([[0], np.cumsum(is_alive)])
    sizes = np.diff(n_before[layout.child_offsets[first:] - 1])
    if layout.delta is not None:
        for parent, one in layout.delta.parents.items():
            if parent >= first:
                sizes[parent - first] = np.count_nonzero(one.intercepts > -np.inf)
    return mean_leaf_size(sizes)


def relative_cohesion(tree, X, Y):
    """Compare the cohesion of some leaves with that of their labels grouped anew.

    Parameters
    ----------
    tree : LabelTree
    X : {ndarray, csr_array} of shape (n_samples, n_features)
    Y : csr_array of shape (n_samples, n_labels)
        Relevance.

    Returns
    -------
    float
        1 if the leaves are as cohesive as new ones. Labels without rows do not count.
    """
    offsets = tree.child_offsets[-1]
    leaves = np.linspace(0, len(offsets) - 2, _MOST_LEAVES).round().astype(np.int64)
    leaves = np.unique(leaves)
    ranges = [tree.labels[offsets[leaf] : offsets[leaf + 1]] for leaf in leaves]
    vectors = pifa(X, Y[:, np.concatenate(ranges)])
    owners = np.repeat(np.arange(len(leaves)), [len(labels) for labels in ranges])
    has_rows = np.asarray(abs(vectors).sum(axis=1)).ravel() > 0
    vectors, owners = vectors[np.flatnonzero(has_rows)], owners[has_rows]
    if len(leaves) < 2 or len(owners) < len(leaves):
        return 1.0
    most = -(-len(owners) // len(leaves))
    anew = KMeansTree(len(leaves), most, random_state=0).fit(vectors).tree_
    if anew.depth < 2:
        return 1.0
    groups = np.empty(len(owners), dtype=np.int64)
    groups[anew.labels] = anew.parents(anew.depth)
    return _cohesion(vectors, owners) / _cohesion(vectors, groups)


def _cohesion(vectors, owners):
    """Sum the lengths of the sums of several sets of vectors."""
    ones = np.ones(len(owners), dtype=np.float32)
    sums = sparse.csr_array((ones, (owners, np.arange(len(owners))))) @ vectors
    squares = sums.multiply(sums) if sparse.issparse(sums) else sums**2
    return float(np.sqrt(np.asarray(squares.sum(axis=1), dtype=np.float64)).sum())


def is_refit_due(first_leaf_sizes, cohesions, layouts):
    """Return whether a new tree would pay.

    Parameters
    ----------
    first_leaf_sizes : list of float
        Of each tree when it was built.
    cohesions : list of float or None
        What `relative_cohesion` was at the last fit of each tree. None for new trees.
    layouts : list of SearchLayout
        The present ones.

    Returns
    -------
    bool
    """
    sizes = [leaf_size_of(layout) for layout in layouts]
    return any(
        now > _MOST_GROWTH * first
        for now, first in zip(sizes, first_leaf_sizes, strict=True)
    ) or any(one < _LEAST_COHESION for one in cohesions or ())
