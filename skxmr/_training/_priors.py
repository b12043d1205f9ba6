"""Prior means of the weights of labels with given vectors.

The kernels take a prior mean as a weighted sum of rows of X. A given vector becomes an
additional row, which is a training row only if its label has no other.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skxmr._memory._large import empty_beside
from skxmr._training._regularization import usual_length
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.tree._label_vectors import pifa

__all__ = ["PriorRows", "add_prior_rows", "add_priors"]


class PriorRows(NamedTuple):
    """The label vectors that follow the training rows.

    Parameters
    ----------
    labels : ndarray of shape (n_vectors,)
        The label of each vector, first the labels without training rows.
    first : int
        The row of the first vector.
    first_untrained : int
        The row of the first vector whose label has training rows.
    """

    labels: np.ndarray
    first: int
    first_untrained: int


def add_prior_rows(X, Y, label_vectors, length=None):
    """Append given label vectors to the training rows, scaled to the same length.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each training row
    Y : csr_array of shape (n_samples, n_labels)
        Relevance.
    label_vectors : str, ndarray, csr_array or pair
        As returned by `canonical_label_vectors`.
    length : float, default=None
        The length of these rows; None for that of the training rows.

    Returns
    -------
    X : Compressed or DenseRows
        The training rows, the vectors of labels without training rows, and those of all
        others.
    Y : csr_array
        For the training rows and the vectors of labels without training rows, which
        become training rows of their label.
    priors : PriorRows or None
        None if nothing was added: no vectors are given in the space of X.
    """
    directions = _directions(label_vectors, X, Y)
    if directions is None:
        return X, Y, None
    has_vector = _squared_lengths(directions) > 0
    is_seen = np.bincount(Y.indices, minlength=Y.shape[1]) > 0
    unseen = np.flatnonzero(has_vector & ~is_seen)
    labels = np.concatenate([unseen, np.flatnonzero(has_vector & is_seen)])
    length = usual_length(X) if length is None else length
    vectors = (directions[labels] * length).astype(np.float32)
    is_dense = isinstance(X, DenseRows)
    added = DenseRows(vectors) if is_dense else Compressed.from_sparse(vectors)
    usual = Y.data.mean(dtype=np.float64) if Y.nnz else 1.0
    own = sparse.csr_array(
        (np.full(len(unseen), usual, dtype=np.float32), (range(len(unseen)), unseen)),
        shape=(len(unseen), Y.shape[1]),
    )
    priors = PriorRows(labels, X.n_vectors, X.n_vectors + len(unseen))
    return _stack(X, added), sparse.vstack([Y, own], format="csr"), priors


def add_priors(targets, tree, priors):
    """Set the prior means of labels to their vectors, or else to their PIFA vectors.

    Parameters
    ----------
    targets : LevelTargets
        Of the last level.
    tree : LabelTree
    priors : PriorRows

    Returns
    -------
    LevelTargets
    """
    row_of = np.full(tree.n_labels, -1)
    row_of[priors.labels] = np.arange(len(priors.labels)) + priors.first
    row_of = row_of[tree.labels]
    children = np.flatnonzero(row_of >= 0)
    added = np.flatnonzero(row_of >= priors.first_untrained)
    parents = np.searchsorted(targets.child_offsets, added, side="right") - 1
    n_rows = priors.first + len(priors.labels)
    rows, positives = (
        vectors._replace(length=n_rows) for vectors in (targets.rows, targets.positives)
    )
    own = _emptied(positives, children)
    return LevelTargets(
        targets.child_offsets,
        _append(rows, parents, row_of[added], 0.0),
        positives,
        _append(own, children, row_of[children], 1.0),
    )


def _directions(label_vectors, X, Y):
    """Find unit vectors in the space of X, or None; 0 for labels without a vector."""
    if isinstance(label_vectors, str):
        return None
    is_pair = isinstance(label_vectors, tuple)
    vectors = label_vectors[1] if is_pair else label_vectors
    if vectors.shape[1] != X.length:
        return None
    if isinstance(X, DenseRows):
        vectors = vectors.toarray() if sparse.issparse(vectors) else vectors
    else:
        vectors = sparse.csr_array(vectors)
    if 0 in vectors.shape:
        return None
    directions = _unit_rows(vectors.astype(np.float64))
    return directions + pifa(X.to_matrix(), Y) if is_pair else directions


def _unit_rows(vectors):
    """Scale vectors to unit length, except zeros."""
    # scikit-learn's normalize does not scale very short ones.
    lengths = np.sqrt(_squared_lengths(vectors))
    scales = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    if sparse.issparse(vectors):
        return sparse.csr_array(sparse.diags_array(scales) @ vectors)
    return vectors * scales[:, np.newaxis]


def _squared_lengths(vectors):
    if not sparse.issparse(vectors):
        return (vectors**2).sum(axis=1)
    squares = sparse.csr_array(
        (vectors.data**2, vectors.indices, vectors.indptr), shape=vectors.shape
    )
    return np.asarray(squares.sum(axis=1)).ravel()


def _stack(first, second):
    """Stack rows, in a file if the first are in one."""
    values = _concatenate(first.values, second.values)
    if isinstance(first, DenseRows):
        return DenseRows(values)
    return Compressed(
        np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        _concatenate(first.indices, second.indices),
        values,
        first.length,
    )


def _concatenate(first, second):
    shape = (len(first) + len(second), *first.shape[1:])
    whole = empty_beside(first, shape, first.dtype)
    return np.concatenate([first, second], out=whole)


def _emptied(vectors, which):
    """Remove all entries of some vectors."""
    is_kept = np.ones(vectors.n_vectors, dtype=bool)
    is_kept[which] = False
    entries = np.repeat(is_kept, vectors.sizes)
    return vectors._replace(
        offsets=np.concatenate([[0], np.cumsum(vectors.sizes * is_kept)]),
        indices=vectors.indices[entries],
        values=vectors.values[entries],
    )


def _append(vectors, which, indices, value):
    """Append entries with larger indices to sorted vectors."""
    order = np.lexsort((indices, which))
    n_added = np.bincount(which, minlength=vectors.n_vectors)
    ends = vectors.offsets[which + 1]
    return vectors._replace(
        offsets=vectors.offsets + np.concatenate([[0], np.cumsum(n_added)]),
        indices=np.insert(vectors.indices, ends, indices[order]),
        values=np.insert(vectors.values, ends, np.float32(value)),
    )
