"""Custom matchers: a multilabel classifier that replaces the upper levels."""

import numpy as np
from scipy import sparse
from sklearn.base import clone

from skxmr._base._fitted_clone import FittedClone
from skxmr._inputs._validation import public_csr
from skxmr.ranking import top_k_signed
from skxmr.stages._scores import log_scores_of_columns, rows_for

__all__ = ["FittedMatcher", "fit_matcher"]

# The dense scores of a block of rows, rows times nodes: 32 MB.
_SCORES_AT_ONCE = 2**22


class FittedMatcher:
    """Finds the best nodes of one level of a tree.

    Parameters
    ----------
    fitted : FittedClone
        The custom estimator, fitted on the nodes with positives and negatives; None if
        there are none.
    level : int
        The level of the nodes: 1 for the children of the root.
    n_nodes : int
        Number of nodes of the level.
    learnt : ndarray of int64
        The nodes of the estimator's columns.
    always : ndarray of int64
        The nodes that all training rows had. All others are never found.
    is_dense : bool
        Whether the estimator gets dense rows.
    """

    def __init__(self, fitted, level, n_nodes, learnt, always, is_dense):
        self.fitted = fitted
        self.level = level
        self.n_nodes = n_nodes
        self.learnt = learnt
        self.always = always
        self.is_dense = is_dense

    @property
    def estimator(self):
        """The fitted estimator, or None."""
        return self.fitted.estimator

    def following(self, parameter, n_jobs):
        """Return the matcher with the current parameters of prediction.

        Parameters
        ----------
        parameter : estimator or None
            The estimator that was cloned, with its current parameters.
        n_jobs : int or None
            For an estimator whose own is None.

        Returns
        -------
        FittedMatcher
        """
        estimator = self.fitted.following(parameter, n_jobs)
        if estimator is self.estimator:
            return self
        return FittedMatcher(
            FittedClone.of(estimator),
            self.level,
            self.n_nodes,
            self.learnt,
            self.always,
            self.is_dense,
        )

    def match(self, X, n_best, transform, allowed=None):
        """Find the best nodes of each row.

        Parameters
        ----------
        X : Compressed or DenseRows
        n_best : int or None
            The maximum number of nodes per row; None finds all.
        transform : str
            For decision values, if there are no probabilities.
        allowed : ndarray of shape (n_nodes,), bool, default=None
            Which nodes may be found.

        Returns
        -------
        nodes : ndarray of shape (n_samples, n_best), int64
            Best first; ties are broken by number; -1 if fewer are found.
        log_scores : ndarray of shape (n_samples, n_best), float64
            -inf if fewer are found.
        """
        n_best = self.n_nodes if n_best is None else min(n_best, self.n_nodes)
        step = max(1, _SCORES_AT_ONCE // self.n_nodes)
        parts = []
        for start in range(0, X.n_vectors, step):
            rows = X.between(start, min(start + step, X.n_vectors))
            scores = self._log_scores(rows, transform)
            if allowed is not None:
                scores[:, ~allowed] = -np.inf
            parts.append(top_k_signed(scores, n_best))
        nodes, log_scores = map(np.concatenate, zip(*parts, strict=True))
        nodes[np.isneginf(log_scores)] = -1
        return nodes, log_scores

    def _log_scores(self, X, transform):
        scores = np.full((X.n_vectors, self.n_nodes), -np.inf)
        scores[:, self.always] = 0.0
        if self.estimator is not None:
            rows = rows_for(X, self.is_dense)
            n_columns = max(2, len(self.learnt))
            found = log_scores_of_columns(
                self.estimator, rows, n_columns, transform, "matcher"
            )
            scores[:, self.learnt] = found[:, : len(self.learnt)]
        return scores


def fit_matcher(matcher, X, M, level, is_dense):
    """Fit a custom matcher on the nodes of a level.

    Parameters
    ----------
    matcher : estimator
        A clone of it is fitted.
    X : Compressed or DenseRows, a vector for each row
    M : csr_array of shape (n_samples, n_nodes)
        Stored for each node of a row.
    level : int
        The level of the nodes.
    is_dense : bool
        Whether the matcher gets dense rows.

    Returns
    -------
    FittedMatcher
    """
    n_samples, n_nodes = M.shape
    counts = np.bincount(M.indices, minlength=n_nodes)
    learnt = np.flatnonzero((counts > 0) & (counts < n_samples))
    always = np.flatnonzero(counts == n_samples)
    fitted = None
    if len(learnt):
        fitted = _fitted(matcher, rows_for(X, is_dense), _target(M, learnt))
    return FittedMatcher(
        FittedClone.of(fitted), level, n_nodes, learnt, always, is_dense
    )


def _target(M, learnt):
    """Make an indicator of the nodes with positives and negatives."""
    pattern = np.ones(M.nnz, dtype=np.int8)
    target = sparse.csr_array((pattern, M.indices, M.indptr), shape=M.shape)
    target = sparse.csr_array(target[:, learnt])
    if len(learnt) == 1:
        # With a single column, the target would be binary.
        target = sparse.csr_array(np.hstack([target.toarray(), 1 - target.toarray()]))
    target.sort_indices()
    return target


def _fitted(matcher, X, target):
    """Fit a clone on a sparse target, or on a dense one if that is not supported."""
    try:
        fitted = _fitted_to_sparse(matcher, X, target)
        return clone(matcher).fit(X, target.toarray()) if fitted is None else fitted
    except Exception as error:
        error.add_note(f"While fitting matcher={matcher!r:.80}.")
        raise


def _fitted_to_sparse(matcher, X, target):
    """Fit a clone; None if it does not support a sparse target.

    Nearest neighbours accept it but use the matrix as the classes of one column.
    """
    try:
        fitted = clone(matcher).fit(X, public_csr(target))
    except (TypeError, ValueError) as error:
        if "sparse" not in str(error).lower():
            raise
        return None
    classes = getattr(fitted, "classes_", None)
    if isinstance(classes, list) and any(one.dtype == object for one in classes):
        return None
    return fitted
