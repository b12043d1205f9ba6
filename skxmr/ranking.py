"""The best k labels of each row, from any fitted estimator."""

import inspect
from functools import partial

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import assert_all_finite

from skxmr._inputs._label_choice import check_choice, mask_of_choice
from skxmr._inputs._row_blocks import RowBlocks
from skxmr._inputs._validation import check_is_fitted, check_k, check_structure
from skxmr._utils._padding import check_size, pad_ranking

__all__ = [
    "LabelSubset",
    "best_k",
    "final_estimator",
    "rank",
    "resolve_subset",
    "scores_to_csr",
    "top_k",
    "top_k_signed",
]


def rank(estimator, X, k=10, *, allowed=None, excluded=None, unknown="raise"):
    """Find the `k` labels with the highest scores for each row, best first.

    The estimator may be within a `Pipeline`, a search such as `GridSearchCV`, or any
    nesting of the two.

    Parameters
    ----------
    estimator : object
        A fitted estimator. Either it has a method ``rank(X, k)``, such as
        `XRLinearClassifier`, which computes only ``n_samples x k`` numbers; or it is a
        `Pipeline` or a search whose final estimator can rank; or it is any other
        scikit-learn classifier with ``predict_proba`` or, otherwise,
        ``decision_function``. The last kind scores all labels, mostly in a dense array,
        and is called with blocks of rows.
    X : array-like, sparse matrix or list of str, of n_samples rows
        The input of the estimator; the earlier steps of a pipeline transform it.
    k : int, default=10
        How many labels to retrieve for each row, at least 1.
    allowed : LabelSubset, or iterable of labels, default=None
        The labels to rank, as columns of an indicator or classes, or a mask of them. An
        estimator that makes subsets by a method ``subset`` takes these as well.
        None allows all.
    excluded : iterable of labels, default=None
        Labels that are not ranked.
    unknown : {"raise", "ignore"}, default="raise"
        Whether labels in these arguments that the estimator does not know raise an
        error or are ignored.

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Columns of the indicator `Y` of fit, or indices into ``classes_`` for 1-D class
        labels; filled up with -1 if fewer than `k` labels are found. Ties are broken by
        column index. A label with a probability of 0 is not found; with a decision
        function, all labels are found.
    scores : ndarray of shape (n_samples, k), float32 or float64
        Their scores, highest first; 0 where the column is -1.

    Raises
    ------
    TypeError
        If `estimator` cannot rank, or its method `rank` cannot restrict the labels.
    ValueError
        If `k` is not a positive integer, a label does not exist, or the estimator's
        scores are invalid.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    XRLinearClassifier.rank : The method of the classifier.
    skxmr.metrics : Evaluation of rankings.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skxmr.ranking import rank
    >>> X = [[0.0], [1.0], [2.0], [10.0]]
    >>> Y = [[1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    >>> neighbors = KNeighborsClassifier(n_neighbors=2)
    >>> model = make_pipeline(StandardScaler(), neighbors).fit(X, Y)
    >>> columns, scores = rank(model, [[0.4], [7.0]], k=3)
    >>> columns
    array([[ 0,  3, -1],
           [ 1,  2,  3]])
    >>> scores
    array([[1. , 0.5, 0. ],
           [0.5, 0.5, 0.5]])
    """
    k = check_k(k, "rank")
    transformers, final = _descend(estimator)
    choice = _given(allowed=allowed, excluded=excluded)
    if choice and unknown != "raise":
        choice["unknown"] = unknown
    if not isinstance(final, type) and callable(getattr(final, "rank", None)):
        _check_takes(final, choice)
        ranked = partial(final.rank, **choice)
    else:
        ranked = partial(_ranker_of_scores(final, estimator), **choice)
    X = check_structure(X, "X")
    for transformer in transformers:
        name = f"{type(transformer).__name__}.transform"
        X = check_structure(transformer.transform(X), name)
    return _checked(ranked(X, k), k, final)


def final_estimator(estimator):
    """Follow pipelines and searches down to the estimator that ranks.

    Parameters
    ----------
    estimator : object
        As for `rank`.

    Returns
    -------
    object
        The estimator whose columns `rank` returns, and whose ``classes_`` they index.
    """
    return _descend(estimator)[1]


def top_k(scores, k):
    """Find the `k` largest non-zero scores of each row.

    Parameters
    ----------
    scores : ndarray or sparse matrix of shape (n_samples, n_labels)
        Finite; a label with a score of 0, stored or not, is not found.
    k : int
        At least 1.

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first; ties are broken by column index; filled up with -1.
    top_scores : ndarray of shape (n_samples, k), float32 or float64
    """
    scores = check_structure(scores, "scores")
    n_found = check_size(scores.shape[0], k, scores.shape[1])
    columns, top_scores = _largest(scores, n_found)
    return pad_ranking(columns, top_scores, k)


def best_k(columns, log_scores, k):
    """Keep the best `k` entries of each row's shortlist.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, any), int64
        In any order, each once; -1 where there is none.
    log_scores : ndarray of the same shape, float64
        Columns with -inf are not found.
    k : int

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int64
        Best first, of equal scores the smaller column; then -1.
    log_scores : ndarray of shape (n_samples, k), float64
        -inf where the column is -1.
    """
    columns = np.where(np.isneginf(log_scores), -1, columns)
    order = np.lexsort((columns, -log_scores), axis=1)[:, :k]
    best = np.full((len(columns), k), -1, dtype=np.int64)
    best_scores = np.full((len(columns), k), -np.inf)
    best[:, : order.shape[1]] = np.take_along_axis(columns, order, axis=1)
    best_scores[:, : order.shape[1]] = np.take_along_axis(log_scores, order, axis=1)
    return best, best_scores


def scores_to_csr(columns, scores, n_columns):
    """Put rankings into a sparse matrix.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, any), int64
        Each once in its row; those of -1 are left out.
    scores : ndarray of the same shape
    n_columns : int

    Returns
    -------
    csr_array of shape (n_samples, n_columns), of the dtype of scores
        With sorted indices.
    """
    found = columns >= 0
    offsets = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
    matrix = sparse.csr_array(
        (scores[found], columns[found], offsets), shape=(len(columns), n_columns)
    )
    matrix.sort_indices()
    return matrix


def _largest(scores, k):
    """Find the non-zero scores of `top_k`, of which there are no fewer than k."""
    if not sparse.issparse(scores):
        found = scores != 0
        leading = _leading(np.where(found, scores, -np.inf), k)
        return _top_k_of_mask(scores, leading & found, k)
    scores = sparse.csr_array(scores)
    if not scores.has_canonical_format:
        scores = scores.copy()  # the caller's stays as it was
        scores.sum_duplicates()
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    found = scores.data != 0
    entries = rows[found], scores.indices[found], scores.data[found]
    return _place(*entries, (scores.shape[0], k))


def _descend(estimator):
    """List the transformers on the way to the estimator that ranks, and that one."""
    transformers = []
    final = estimator
    while not hasattr(final, "rank"):
        if isinstance(final, Pipeline):
            *steps, (_, final) = final.steps
            transformers += [
                step for _, step in steps if step is not None and step != "passthrough"
            ]
        elif hasattr(final, "best_estimator_"):
            final = final.best_estimator_
        else:
            break
    return transformers, final


def _given(**arguments):
    return {name: value for name, value in arguments.items() if value is not None}


def _check_takes(final, choice):
    """Raise TypeError if an estimator's own `rank` cannot choose labels."""
    parameters = inspect.signature(final.rank).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    for name in choice:
        if name not in parameters:
            raise TypeError(
                f"{type(final).__name__}.rank has no argument {name}; it ranks all "
                f"labels."
            )


def _ranker_of_scores(final, estimator):
    """Give a classifier without `rank` the function that stands in for it."""
    if hasattr(final, "classes_"):
        if hasattr(final, "predict_proba"):
            return partial(_in_blocks, top_k, _probabilities, final)
        if hasattr(final, "decision_function"):
            return partial(_in_blocks, top_k_signed, _decisions, final)
    elif isinstance(final, BaseEstimator):
        check_is_fitted(final)
    came = _name(estimator)
    if final is not estimator:
        came += f" that leads to {_name(final)}"
    raise TypeError(
        "estimator must have a method rank(X, k), or be a classifier with "
        "predict_proba or decision_function, or a Pipeline or a search refitted to its "
        f"best parameters that leads to one of these; got {came}."
    )


def _in_blocks(best, scores_of, classifier, X, k, **choice):
    """Rank by scores of all labels, held for a block of rows at a time."""
    n_labels, blocks = len(classifier.classes_), RowBlocks(X)
    kept = _columns_of_choice(classifier, **choice) if choice else np.arange(n_labels)
    n_found = check_size(blocks.n_rows, k, len(kept))
    parts = []
    for rows in blocks.split(n_labels):
        scores = scores_of(classifier, rows)
        parts.append(best(scores[:, kept] if choice else scores, n_found))
    columns, scores = map(np.concatenate, zip(*parts, strict=True))
    columns[columns >= 0] = kept[columns[columns >= 0]]
    return pad_ranking(columns, scores, k)


def _columns_of_choice(classifier, allowed=None, excluded=None, unknown="raise"):
    """List the columns to rank; of an indicator, labels are columns."""
    classes = classifier.classes_
    if isinstance(classes, list):
        classes = np.arange(len(classes))
    columns = check_choice(classes, allowed, excluded, unknown)
    return np.flatnonzero(mask_of_choice(len(classes), *columns))


def _name(thing):
    if isinstance(thing, type):
        return f"the class {thing.__name__} instead of an instance"
    return repr(thing) if isinstance(thing, str) else type(thing).__name__


def _probabilities(classifier, X):
    """Probability of each column, as an ndarray or CSR array (n_samples, n_labels)."""
    scores = classifier.predict_proba(X)
    if isinstance(scores, list):  # one array per label, as forests and neighbors give
        pairs = zip(scores, classifier.classes_, strict=True)
        scores = np.column_stack([_positive(*pair) for pair in pairs])
    return _check_scores(scores, classifier, "predict_proba")


def _positive(probabilities, classes):
    """Take a label's column of "yes"; a label never seen as "yes" has none."""
    if not set(np.asarray(classes).tolist()) <= {0, 1}:
        raise ValueError(
            "estimator must have been fitted to labels that are there or not (0 and 1) "
            f"to rank them, got one with the classes {classes}."
        )
    yes = np.flatnonzero(np.asarray(classes) == 1)
    return probabilities[:, yes].sum(axis=1)


def _decisions(classifier, X):
    """Signed score of each column, as an ndarray or CSR array (n_samples, n_labels)."""
    scores = classifier.decision_function(X)
    if np.ndim(scores) == 1:  # of two classes, for the second
        scores = scores[:, np.newaxis]
        if len(classifier.classes_) == 2:
            scores = np.hstack([-scores, scores])
    return _check_scores(scores, classifier, "decision_function")


def _check_scores(scores, classifier, method):
    name = f"{type(classifier).__name__}.{method}"
    scores = check_structure(scores, name)
    if not sparse.issparse(scores):
        scores = np.asarray(scores)
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)
    n_labels = len(classifier.classes_)
    if scores.ndim != 2 or scores.shape[1] != n_labels:
        raise ValueError(
            f"{name} must give one score for each of its "
            f"{n_labels} classes, got an array of shape {scores.shape}."
        )
    assert_all_finite(scores, input_name=method)
    return scores


def top_k_signed(scores, k):
    """Find the `k` largest scores of each row, whatever their sign.

    Parameters and results are those of `top_k`, but that a score of 0 in an ndarray is
    found like any other.
    """
    if sparse.issparse(scores):  # not stored is not found
        return top_k(scores, k)
    n_found = check_size(scores.shape[0], k, scores.shape[1])
    leading = _leading(scores, n_found)
    columns, top_scores = _top_k_of_mask(scores, leading, n_found)
    return pad_ranking(columns, top_scores, k)


def _leading(scores, k):
    """Mark the scores (2-D ndarray) that reach their row's k-th highest."""
    n_labels = scores.shape[1]
    if k >= n_labels:
        return np.ones(scores.shape, dtype=bool)
    kth = np.partition(scores, n_labels - k, axis=1)[:, n_labels - k]
    return scores >= kth[:, np.newaxis]


def _top_k_of_mask(scores, mask, k):
    rows, columns = np.nonzero(mask)
    return _place(rows, columns, scores[rows, columns], (scores.shape[0], k))


def _place(rows, columns, scores, shape):
    """Lay entries, given row by row with rising columns, out as (n_samples, k)."""
    n_samples, k = shape
    top_columns = np.full(shape, -1, dtype=np.int64)
    top_scores = np.zeros(shape, dtype=scores.dtype)
    counts = np.bincount(rows, minlength=n_samples)
    starts = np.cumsum(counts) - counts
    # Rows are sorted beside others of like length: far quicker than one sort over all
    # entries, and padding to a power of two no more than doubles their number.
    widths = 2 ** np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)
    for width in np.unique(widths[counts > 0]):
        members = np.flatnonzero((widths == width) & (counts > 0))
        ends = counts[members, np.newaxis]
        places = np.arange(width)
        entries = np.minimum(starts[members, np.newaxis] + places, rows.size - 1)
        padded = np.where(places < ends, scores[entries], -np.inf)
        # Stable, so that ties keep the order of their columns.
        order = np.argsort(-padded, axis=1, kind="stable")[:, :k]
        best, found = np.take_along_axis(entries, order, axis=1), order < ends
        top_columns[members, : best.shape[1]] = np.where(found, columns[best], -1)
        top_scores[members, : best.shape[1]] = np.where(found, scores[best], 0)
    return top_columns, top_scores


def _checked(ranked, k, final):
    """Hold an estimator's own `rank` to the shapes and dtypes that ours promises."""
    columns, scores = map(np.asarray, ranked)
    if columns.ndim != 2 or columns.shape != scores.shape or columns.shape[1] != k:
        raise ValueError(
            f"{type(final).__name__}.rank must return columns and scores of shape "
            f"(n_samples, {k}), got {columns.shape} and {scores.shape}."
        )
    if columns.dtype.kind not in "iu":
        raise ValueError(
            f"{type(final).__name__}.rank must return integer columns, "
            f"got {columns.dtype}."
        )
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)
    return columns.astype(np.int64, copy=False), scores


class LabelSubset:
    """A subset of the labels of a fitted estimator, for restricted searches.

    Made by the method ``subset`` of an estimator, and can only be used with that
    estimator. It is immutable, and many threads can use it.

    Parameters
    ----------
    owner : tuple
        Objects that the estimator holds until it is fitted again.
    mask : ndarray of shape (n_labels,), bool, default=None
        Which labels are allowed, where estimators need that.
    bits : tuple of ndarray of uint64, default=()
        For each tree of a classifier, which nodes lead to an allowed label.
    members : tuple, default=()
        For each of several estimators whose rankings are combined, its own `allowed`.

    See Also
    --------
    skxmr.XRLinearClassifier.subset : Makes a subset.
    skxmr.TextRetriever.subset : Makes a subset.

    Examples
    --------
    >>> from skxmr import TextRetriever
    >>> texts = ["green tea", "black tea", "rye bread"]
    >>> retriever = TextRetriever().fit(texts, ["green", "black", "rye"])
    >>> drinks = retriever.subset(allowed=["black", "green"])
    >>> [label for label, _, _ in retriever.search("green bread", allowed=drinks)]
    ['green', 'black']
    """

    def __init__(self, owner, mask=None, bits=(), members=()):
        self.mask = mask
        self.bits = bits
        self.members = members
        self._owner = tuple(owner)

    def check_owner(self, owner):
        """Raise ValueError unless an estimator made this subset.

        Parameters
        ----------
        owner : sequence
            What the estimator holds.
        """
        same = len(owner) == len(self._owner) and all(
            one is other for one, other in zip(owner, self._owner, strict=True)
        )
        if not same:
            raise ValueError(
                "The subset of labels was made by another estimator, or before this "
                "one was fitted again; make it anew."
            )


def resolve_subset(make, allowed, excluded, unknown):
    """Return the subset that the arguments of a search describe; None for all labels.

    Parameters
    ----------
    make : callable
        The method `subset` of the estimator.
    allowed : LabelSubset, iterable of labels or None
    excluded : iterable of labels or None
    unknown : {"raise", "ignore"}

    Returns
    -------
    LabelSubset or None

    Raises
    ------
    ValueError
        If labels are excluded from a subset that is made already.
    """
    if allowed is None and excluded is None:
        return None
    if not isinstance(allowed, LabelSubset):
        # A custom estimator may not have the argument.
        how = {} if unknown == "raise" else {"unknown": unknown}
        return make(allowed, excluded, **how)
    if excluded is not None:
        raise ValueError(
            "excluded cannot be combined with a LabelSubset; pass both sets of labels "
            "to the method subset."
        )
    return allowed
