"""Searches for one text and within a subset of the labels, by any classifier."""

from scipy import sparse

from skxmr._inputs._validation import public_csr
from skxmr.ranking import resolve_subset

__all__ = ["find_subset", "rank_one", "subset_method"]


def subset_method(classifier):
    """Return the method of a classifier that makes subsets.

    Raises
    ------
    TypeError
        If it has none.
    """
    if not hasattr(classifier, "subset"):
        raise TypeError(
            f"classifier must have a method subset to restrict a search; "
            f"got a {type(classifier).__name__}."
        )
    return classifier.subset


def find_subset(classifier, allowed, excluded, unknown):
    """Return the subset of a search; None for all labels."""
    if allowed is None and excluded is None:
        return None
    return resolve_subset(subset_method(classifier), allowed, excluded, unknown)


def rank_one(state, classifier, features, k, subset):
    """Rank the labels for the features of one text.

    Parameters
    ----------
    state : RetrieverState
    classifier : estimator
        The fitted classifier, with current parameters of prediction.
    features : pair of ndarray
        Indices and values.
    k : int
    subset : LabelSubset or None

    Returns
    -------
    columns, scores : ndarray of shape (k,)
    """
    restricted = {} if subset is None else {"allowed": subset}
    if hasattr(classifier, "rank_one"):
        return classifier.rank_one(*features, k, **restricted)
    indices, values = features
    ends, shape = [0, len(indices)], (1, state.lean.n_features)
    row = public_csr(sparse.csr_array((values, indices, ends), shape=shape))
    columns, scores = classifier.rank(row, k, **restricted)
    return columns[0], scores[0]
