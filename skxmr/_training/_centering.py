"""Centring of dense features before training.

The vectors of an encoder have a large mean: all lie in a narrow cone, and the mean
takes most of their length. Regularisation then limits what distinguishes them, as if
the rows were much shorter, and the cosines of the prior means hardly differ. Without
the mean, both have the scale of the differences. Sparse features are not centred: they
would no longer be sparse.
"""

import numpy as np
from scipy import sparse

from skxmr._memory._large import empty_beside
from skxmr._search._centering import Centering
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

__all__ = [
    "center_label_vectors",
    "center_rows",
    "find_centering",
    "undo_centering",
]

# Features are dense if at least this share of the rows has them ...
_SHARE = 0.95
# ... and there are so many of them and of rows: not for small tables, whose few columns
# may be of any kind, nor for rows too few to know the mean.
_FEWEST_FEATURES = 16
_FEWEST_ROWS = 100
# A feature whose standard deviation is a smaller share of its mean is constant up to
# rounding: it is another intercept, and rounding errors would be all that is left.
_LEAST_DEVIATION = 1e-5

# Rows in which dense features of sparse rows are looked for first.
_N_SAMPLED = 64
_SHARE_OF_SAMPLE = 0.8
# Entries per block.
_BLOCK = 2**20


def find_centering(X):
    """Find the dense features and their means.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each training row

    Returns
    -------
    Centering or None
        None if there are too few dense features.
    """
    n_rows = X.n_vectors
    if n_rows < _FEWEST_ROWS:
        return None
    features = _frequent_features(X)
    if len(features) < _FEWEST_FEATURES:
        return None
    counts, sums, squares = _moments(X, features)
    means = sums / n_rows
    variances = np.maximum(0, squares / n_rows - means**2)
    is_dense = counts >= _SHARE * n_rows
    is_dense &= variances > (_LEAST_DEVIATION * means) ** 2
    if is_dense.sum() < _FEWEST_FEATURES:
        return None
    return Centering(features[is_dense], means[is_dense].astype(np.float32))


def _frequent_features(X):
    """List features that are dense in a sample of the rows, ascending.

    So the cost of rows without dense features does not grow with their number.
    """
    if isinstance(X, DenseRows):
        return np.arange(X.length, dtype=np.int32)
    sample = np.linspace(0, X.n_vectors - 1, _N_SAMPLED).astype(np.int64)
    features, counts = np.unique(X.take(sample).indices, return_counts=True)
    return features[counts >= _SHARE_OF_SAMPLE * len(sample)]


def _moments(X, features):
    """Compute the number of entries, the sum and the sum of squares of features."""
    moments = np.zeros((3, len(features)))
    if isinstance(X, DenseRows):
        step = max(1, _BLOCK // X.length)
        for start in range(0, X.n_vectors, step):
            values = X.values[start : start + step].astype(np.float64)
            moments[0] += np.count_nonzero(values, axis=0)
            moments[1] += values.sum(axis=0)
            moments[2] += np.square(values, out=values).sum(axis=0)
        return moments
    for start in range(0, len(X.indices), _BLOCK):
        some = slice(start, start + _BLOCK)
        positions = np.searchsorted(features, X.indices[some])
        positions = np.minimum(positions, len(features) - 1)
        is_frequent = features[positions] == X.indices[some]
        positions = positions[is_frequent]
        values = X.values[some][is_frequent].astype(np.float64)
        for row, weights in enumerate((None, values, values**2)):
            moments[row] += np.bincount(positions, weights, len(features))
    return moments


def center_rows(X, centering):
    """Subtract the means from rows, and multiply them by the weight of their block.

    Parameters
    ----------
    X : Compressed or DenseRows, a vector for each row
        Unchanged.
    centering : Centering or None

    Returns
    -------
    Compressed or DenseRows
        In a file if X is.
    """
    if centering is None:
        return X
    if isinstance(X, DenseRows):
        means = centering.means_of(np.arange(X.length, dtype=np.int32))
        values = empty_beside(X.values, X.values.shape, np.float32)
        np.subtract(X.values, means, out=values)
        _multiply(values, np.arange(X.length, dtype=np.int32), centering)
        return DenseRows(values)
    values = empty_beside(X.values, len(X.values), np.float32)
    for start in range(0, len(values), _BLOCK):
        some = slice(start, start + _BLOCK)
        means = centering.means_of(X.indices[some])
        np.subtract(X.values[some], means, out=values[some])
        _multiply(values[some], X.indices[some], centering)
    centered = X._replace(values=values)
    missing = _missing_entries(X, centering)
    if not missing.nnz:
        return centered
    return Compressed.from_sparse(centered.to_csr() + missing)


def _missing_entries(X, centering):
    """Make the entries of rows that lack some of the centred features."""
    features = centering.features
    is_centered = np.zeros(len(X.indices) + 1, dtype=np.int64)
    for start in range(0, len(X.indices), _BLOCK):
        found = X.indices[start : start + _BLOCK]
        positions = np.minimum(np.searchsorted(features, found), len(features) - 1)
        is_centered[start + 1 : start + 1 + _BLOCK] = features[positions] == found
    n_before = np.cumsum(is_centered, out=is_centered)
    lacking = np.flatnonzero(np.diff(n_before[X.offsets]) < len(features))
    rows = X.take(lacking)
    is_there = np.zeros((len(lacking), len(features)), dtype=bool)
    positions = np.minimum(np.searchsorted(features, rows.indices), len(features) - 1)
    matches = features[positions] == rows.indices
    owners = np.repeat(np.arange(len(lacking)), rows.sizes)
    is_there[owners[matches], positions[matches]] = True
    which, columns = np.nonzero(~is_there)
    values = -centering.means[columns]
    _multiply(values, features[columns], centering)
    entries = values, (lacking[which], features[columns])
    return sparse.csr_array(entries, shape=(X.n_vectors, X.length))


def _multiply(values, features, centering):
    """Multiply entries of features by the weight of their block, in place."""
    if centering.block_weight != 1:
        values *= centering.factors_of(features)


def center_label_vectors(label_vectors, centering, n_features):
    """Subtract from label vectors in the space of X their own means, as from rows.

    They are multiplied by the weight of the block, too. Their unit need not be that of
    the rows, nor their mean: encoders may treat queries and titles differently.

    Parameters
    ----------
    label_vectors : str, ndarray, csr_array or pair
        As returned by `canonical_label_vectors`.
    centering : Centering or None
    n_features : int

    Returns
    -------
    str, ndarray, csr_array or pair
        Labels without any of the features keep their vectors.
    """
    if centering is None or isinstance(label_vectors, str):
        return label_vectors
    if isinstance(label_vectors, tuple):
        kind, vectors = label_vectors
        return kind, center_label_vectors(vectors, centering, n_features)
    vectors = label_vectors
    if vectors.shape[1] != n_features:
        return vectors
    features = centering.features
    columns = vectors[:, features]
    columns = columns.toarray() if sparse.issparse(columns) else columns
    has_any = columns.any(axis=1)
    means = columns[has_any].mean(axis=0, dtype=np.float64) if has_any.any() else 0
    shifts = -(has_any[:, np.newaxis] * means).astype(np.float32)
    if not sparse.issparse(vectors):
        vectors = vectors.copy()
        vectors[:, features] += shifts
        _multiply(vectors, np.arange(n_features, dtype=np.int32), centering)
        return vectors
    rows, positions = np.nonzero(shifts)
    added = (shifts[rows, positions], (rows, features[positions]))
    vectors = vectors + sparse.csr_array(added, shape=vectors.shape)
    _multiply(vectors.data, vectors.indices, centering)
    return vectors


def undo_centering(vectors, centering):
    """Turn centred vectors into rows as they are searched for.

    Parameters
    ----------
    vectors : ndarray or csr_array of shape (n_vectors, n_features)
        Of `center_label_vectors`.
    centering : Centering or None

    Returns
    -------
    ndarray or csr_array
        With the means of rows in place of their own. Vectors without any of the
        features remain.
    """
    if centering is None:
        return vectors
    features = centering.features
    columns = vectors[:, features]
    columns = columns.toarray() if sparse.issparse(columns) else columns
    rows = columns / np.float32(centering.block_weight) + centering.means
    added = (columns.any(axis=1)[:, np.newaxis] * (rows - columns)).astype(np.float32)
    if not sparse.issparse(vectors):
        vectors = vectors.copy()
        vectors[:, features] += added
        return vectors
    at, positions = np.nonzero(added)
    entries = added[at, positions], (at, features[positions])
    return vectors + sparse.csr_array(entries, shape=vectors.shape)
