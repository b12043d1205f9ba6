"""Label vectors for the indexers: PIFA or given vectors."""

from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize
from sklearn.utils import check_array

from skxmr._cython._label_vectors import Sums, add_rows
from skxmr._cython._vectors import Vectors
from skxmr._inputs._by_label import in_order_of_labels
from skxmr._inputs._features import check_width
from skxmr._inputs._validation import check_structure
from skxmr._memory._growing import GrowingArray
from skxmr._memory._large import empty
from skxmr._parallel._parallel import iterate_tasks
from skxmr._parallel._progress import step
from skxmr._utils._compressed import Compressed

__all__ = [
    "canonical_label_vectors",
    "check_one_for_each",
    "make_label_vectors",
    "pifa",
    "vectors_in_order",
]

# Entries per task: some milliseconds of work.
_TASK_WORK = 2**18
# With more columns, only columns that are used are counted.
_WIDE = 2**24


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
        Indicator, or relevance, by which rows are weighted.

    Returns
    -------
    csr_array or ndarray of shape (n_labels, n_features), float32
        Dense if X is. A label without rows has a row of zeros.

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
    >>> from skxmr.tree._label_vectors import pifa
    >>> X = np.array([[3.0, 0.0], [0.0, 4.0], [5.0, 0.0]])
    >>> Y = csr_array([[1, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> pifa(X, Y).tolist()
    [[0.6..., 0.8...], [1.0, 0.0], [0.0, 0.0]]
    """
    X, Y = check_structure(X, "X"), check_structure(Y, "Y")
    check_width(X, "X", "features")
    return _pifa(X, Y, n_jobs=None)


def _pifa(X, Y, n_jobs):
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"X has {X.shape[0]} rows and Y has {Y.shape[0]}; expected the same."
        )
    X = X.astype(np.float32, copy=False)
    Y = sparse.csr_array(Y).astype(np.float32, copy=False)
    if not sparse.issparse(X):
        return _normalized(Y.T @ X)
    X = Compressed.from_sparse(sparse.csr_array(X))
    rows = Compressed.from_sparse(Y.tocsc())
    if X.length <= _WIDE:
        return _add_rows(X, rows, n_jobs).to_csr()
    # Memory per task and time per label grow with the number of columns.
    used = np.unique(X.indices)
    sums = _add_rows(X.keep_indices(used), rows, n_jobs)
    return sums._replace(indices=used[sums.indices], length=X.length).to_csr()


def _add_rows(X, rows, n_jobs):
    """Compute PIFA in blocks of labels with about equal work."""
    entries = np.concatenate([[0], np.cumsum(X.sizes[rows.indices])])
    work = entries[rows.offsets] + np.arange(rows.n_vectors + 1)
    ends = np.arange(0, work[-1], _TASK_WORK)
    cuts = np.unique(np.append(np.searchsorted(work, ends), rows.n_vectors)).tolist()
    tasks = (_Task(X, rows.between(*cut)) for cut in pairwise(cuts))
    parts = [GrowingArray(np.int64), GrowingArray(np.int32), GrowingArray(np.float32)]
    done = iterate_tasks(_add_rows_of_labels, tasks, n_jobs=n_jobs)
    reported = step("averaging the rows of each label", rows.n_vectors, "labels")
    with closing(done), reported as advance:
        for part in done:
            for whole, piece in zip(parts, part, strict=True):
                whole.append(piece)
            advance(len(part[0]))
    counts, indices, values = (whole.finish() for whole in parts)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Compressed(offsets, indices, values, X.length)


@dataclass(frozen=True)
class _Task:
    """Some labels: the vectors of all rows, and the rows of each label."""

    X: Compressed
    rows: Compressed

    def detached(self):
        """Keep only the rows of these labels."""
        used = np.unique(self.rows.indices)
        return _Task(self.X.take(used), self.rows.keep_indices(used))


def _add_rows_of_labels(task):
    """Compute the vectors of labels: counts, indices and values; one joblib task."""
    X, rows = task.X, task.rows
    n_words = -(-X.length // 64)
    # A label has at most as many features as its rows, and as all columns.
    entries = np.concatenate([[0], np.cumsum(X.sizes[rows.indices])])[rows.offsets]
    n_most = int(np.minimum(np.diff(entries), X.length).sum())
    counts = np.empty(rows.n_vectors, dtype=np.int64)
    indices = empty(n_most, np.int32)
    values = empty(n_most, np.float32)
    scratch = Sums(
        words=np.zeros(n_words, dtype=np.uint64),
        summary=np.zeros(-(-n_words // 64), dtype=np.uint64),
        sums=np.zeros(X.length, dtype=np.float32),
    )
    n_entries = add_rows(Vectors(X), Vectors(rows), scratch, counts, indices, values)
    return counts, indices[:n_entries], values[:n_entries]


def canonical_label_vectors(label_vectors):
    """Validate the parameter `label_vectors`, as far as possible without data.

    Parameters
    ----------
    label_vectors : "pifa", {array-like, sparse matrix} of shape (n_labels, any), or \
            pair of both
        As in `XRLinearClassifier`.

    Returns
    -------
    str, ndarray, csr_array, or tuple
        The same, with vectors as an ndarray or a canonical csr_array of float32, so
        that equal vectors have equal hashes, whatever their container.

    Raises
    ------
    ValueError
        If it is none of these, or if vectors are not 2-D or not finite.
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


def check_one_for_each(label_vectors, n_labels):
    """Raise ValueError unless there is a vector for each label, if any are given.

    Parameters
    ----------
    label_vectors : str, ndarray, csr_array or pair
        As returned by `canonical_label_vectors`.
    n_labels : int
    """
    if isinstance(label_vectors, str):
        return
    vectors = label_vectors[1] if isinstance(label_vectors, tuple) else label_vectors
    if vectors.shape[0] != n_labels:
        raise ValueError(
            f"label_vectors has the shape {vectors.shape}; expected {n_labels} rows, "
            "one for each label."
        )


def make_label_vectors(label_vectors, X, Y, n_jobs=None):
    """Compute the vectors by which an indexer groups labels.

    Parameters
    ----------
    label_vectors : "pifa", {array-like, sparse matrix} of shape (n_labels, any), or \
            pair of both
        "pifa" for `pifa`; vectors are used as they are; of a pair, the rows of both
        parts are scaled to unit length and concatenated.
    X : {ndarray, sparse matrix, sparse array} of shape (n_samples, n_features)
        Features.
    Y : {sparse matrix, sparse array} of shape (n_samples, n_labels)
        Indicator, or relevance.
    n_jobs : int or None

    Returns
    -------
    csr_array or ndarray of shape (n_labels, any), float32
        Sparse if any of its parts is.

    Raises
    ------
    ValueError
        If `label_vectors` is invalid or does not have one row per label.
    """
    checked = canonical_label_vectors(label_vectors)
    if isinstance(checked, str):
        return _pifa(X, Y, n_jobs)
    check_one_for_each(checked, Y.shape[1])
    vectors = checked[1] if isinstance(checked, tuple) else checked
    if not isinstance(checked, tuple):
        return vectors
    parts = [_pifa(X, Y, n_jobs), _normalized(vectors.copy())]
    if any(map(sparse.issparse, parts)):
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")
    return np.hstack(parts)


def vectors_in_order(label_vectors, labels):
    """Put vectors that are given by label in the order of the labels.

    Parameters
    ----------
    label_vectors : "pifa", array-like, sparse matrix, mapping, or pair
        As for `make_label_vectors`; a mapping is from label to vector.
    labels : Labels

    Returns
    -------
    "pifa", array-like, sparse matrix, or pair
        Unchanged if it is in the order of the columns.

    Raises
    ------
    ValueError, TypeError
        If a label has no vector, or the order is arbitrary.
    """
    if isinstance(label_vectors, str):
        return label_vectors
    if _is_pair(label_vectors):
        return tuple(vectors_in_order(part, labels) for part in label_vectors)
    return in_order_of_labels(
        label_vectors, labels, "label_vectors", "vectors", may_hold_more=True
    )


def _normalized(vectors):
    """Scale rows to unit length, in place if they are floating."""
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
    with np.errstate(over="ignore"):  # overflows become infinite, which is an error
        vectors = check_array(
            check_structure(vectors, "label_vectors"),
            accept_sparse="csr",
            dtype=np.float32,
            ensure_min_features=0,
            input_name="label_vectors",
        )
    if not sparse.issparse(vectors):
        return np.ascontiguousarray(vectors)
    check_width(vectors, "label_vectors", "columns")
    vectors = sparse.csr_array(vectors)
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
