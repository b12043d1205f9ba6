"""Vectors of labels, for the indexers: from training rows (PIFA) or given."""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize
from sklearn.utils import check_array

__all__ = ["canonical_label_vectors", "make_label_vectors", "pifa"]


def pifa(X, Y):
    """Compute positive instance feature aggregation.

    The vector of a label is the sum of the rows that have it, scaled to unit
    (Euclidean) length::

        Z = normalize(Y.T @ X)

    Parameters
    ----------
    X : {ndarray, sparse matrix, sparse array} of shape (n_samples, n_features)
        Features.
    Y : {sparse matrix, sparse array} of shape (n_samples, n_labels)
        Indicator, or relevance, which weighs the rows.

    Returns
    -------
    csr_array or ndarray of shape (n_labels, n_features), float32
        Dense where X is. A label without rows has a row of zeros.

    Raises
    ------
    ValueError
        If X and Y have different numbers of rows.

    References
    ----------
    H.-F. Yu, K. Zhong, J. Zhang, W.-C. Chang and I. S. Dhillon, "PECOS: Prediction
    for Enormous and Correlated Output Spaces", arXiv 2010.05878.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skxmr.label_vectors import pifa
    >>> X = np.array([[3.0, 0.0], [0.0, 4.0], [5.0, 0.0]])
    >>> Y = csr_array([[1, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> pifa(X, Y).tolist()
    [[0.6..., 0.8...], [1.0, 0.0], [0.0, 0.0]]
    """
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"X has {X.shape[0]} rows and Y has {Y.shape[0]}; expected the same."
        )
    X = X.astype(np.float32, copy=False)
    Y = sparse.csr_array(Y).astype(np.float32, copy=False)
    if sparse.issparse(X):
        X = sparse.csr_array(X)
    return _normalized(Y.T @ X)


def canonical_label_vectors(label_vectors):
    """Check the parameter `label_vectors`, as far as it can be without data.

    Parameters
    ----------
    label_vectors : "pifa", {array-like, sparse matrix} of shape (n_labels, any), or \
            pair of both
        As in `XRLinearClassifier`.

    Returns
    -------
    str, ndarray, csr_array, or tuple
        The same, with vectors as an ndarray or a canonical csr_array, of float32:
        equal vectors are equal, whatever container they came in.

    Raises
    ------
    ValueError
        If it is none of these; if vectors are not two-dimensional or not finite.
    """
    if isinstance(label_vectors, str):
        if label_vectors != "pifa":
            raise ValueError(
                f"label_vectors={label_vectors!r} is unknown; expected 'pifa', vectors "
                "of shape (n_labels, any), or ('pifa', vectors)."
            )
        return label_vectors
    if not _is_pair(label_vectors):
        return _check_vectors(label_vectors)
    first, second = label_vectors
    if not isinstance(first, str) or first != "pifa" or isinstance(second, str):
        raise ValueError(
            f"label_vectors is the pair ({_brief(first)}, {_brief(second)}); expected "
            "('pifa', vectors)."
        )
    return first, _check_vectors(second)


def make_label_vectors(label_vectors, X, Y):
    """Make the vectors that an indexer groups labels by.

    Parameters
    ----------
    label_vectors : "pifa", {array-like, sparse matrix} of shape (n_labels, any), or \
            pair of both
        "pifa" for `pifa`; vectors are taken as they are; of a pair, both parts are
        scaled to unit length, row by row, and put side by side.
    X : {ndarray, sparse matrix, sparse array} of shape (n_samples, n_features)
        Features.
    Y : {sparse matrix, sparse array} of shape (n_samples, n_labels)
        Indicator, or relevance.

    Returns
    -------
    csr_array or ndarray of shape (n_labels, any), float32
        Sparse if any of its parts is.

    Raises
    ------
    ValueError
        If `label_vectors` is malformed or has no row for each label.
    """
    checked = canonical_label_vectors(label_vectors)
    if isinstance(checked, str):
        return pifa(X, Y)
    vectors = checked[1] if isinstance(checked, tuple) else checked
    if vectors.shape[0] != Y.shape[1]:
        raise ValueError(
            f"label_vectors has the shape {vectors.shape}; expected {Y.shape[1]} rows, "
            "one for each label."
        )
    if not isinstance(checked, tuple):
        return vectors
    parts = [pifa(X, Y), _normalized(vectors.copy())]
    if any(map(sparse.issparse, parts)):
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")
    return np.hstack(parts)


def _normalized(vectors):
    """Scale rows to unit length, in place where they are of floats."""
    if 0 in vectors.shape:
        return vectors
    return normalize(vectors, copy=False)


def _is_pair(label_vectors):
    return (
        isinstance(label_vectors, (tuple, list))
        and len(label_vectors) == 2
        and any(isinstance(part, str) for part in label_vectors)
    )


def _check_vectors(vectors):
    if not sparse.issparse(vectors) and np.ndim(vectors) != 2:
        raise ValueError(
            f"label_vectors is {_brief(vectors)}; expected vectors of shape "
            "(n_labels, any)."
        )
    with np.errstate(over="ignore"):  # too large for float32 is refused as infinite
        vectors = check_array(
            vectors,
            accept_sparse="csr",
            dtype=np.float32,
            ensure_min_features=0,
            input_name="label_vectors",
        )
    if not sparse.issparse(vectors):
        return np.ascontiguousarray(vectors)
    vectors = sparse.csr_array(vectors)
    vectors.check_format()
    if not vectors.has_canonical_format:
        vectors = vectors.copy()
        vectors.sum_duplicates()
    if max(vectors.nnz, *vectors.shape) <= np.iinfo(np.int32).max:
        vectors.indices = vectors.indices.astype(np.int32, copy=False)
        vectors.indptr = vectors.indptr.astype(np.int32, copy=False)
    return vectors


def _brief(part):
    if isinstance(part, str):
        return repr(part)
    return f"a {type(part).__name__} of shape {np.shape(part)}"
