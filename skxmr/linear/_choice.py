"""The choice of parameters by the ranking of held-out rows."""

import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from skxmr._fusion._held_out import held_out_folds
from skxmr._inputs._negatives import take_negatives

__all__ = [
    "GivenTree",
    "HeldOutRanking",
    "are_label_vectors",
    "best_scores",
    "reciprocal_ranks",
]

# Rows with a larger cosine to the vector of one of their labels are that vector: a
# label text that was appended to the rows says nothing on queries.
_SAME = 0.9999
_K = 10


class GivenTree(BaseEstimator):
    """An indexer that returns a tree which was built before."""

    needs_label_vectors = False

    def __init__(self, tree=None):
        self.tree = tree

    def fit(self, Z=None, y=None, *, label_names=None):  # noqa: ARG002
        self.tree_ = self.tree
        return self


class HeldOutRanking(NamedTuple):
    """Rows to fit to with different parameters, and held-out ones to judge by.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Unchanged; a RandomState is not drawn from.
    X, Y : csr_array or ndarray
        The rows to fit to, and their relevance.
    negatives : csr_array or None
        Labels that these rows were shown.
    X_held_out, Y_held_out : csr_array or ndarray
    label_names : sequence of str or None
    parameters : dict
        Of all fits.
    """

    classifier: Any
    X: Any
    Y: sparse.csr_array
    negatives: sparse.csr_array | None
    X_held_out: Any
    Y_held_out: sparse.csr_array
    label_names: Any
    parameters: dict

    @classmethod
    def of(cls, classifier, X, targets, label_names, label_vectors):
        """Hold out a fifth of the distinct rows, 2,000 at most.

        Parameters
        ----------
        classifier : XRLinearClassifier
        X : ndarray or csr_array of shape (n_samples, n_features)
        targets : pair of csr_array of shape (n_samples, n_labels)
            Relevance, and the labels that rows were shown; None instead of the second
            if there are none.
        label_names : sequence of str or None
        label_vectors : str, ndarray, csr_array or pair
            As returned by `canonical_label_vectors`.

        Returns
        -------
        HeldOutRanking or None
            None with fewer than 200 distinct rows, or if none is held out.
        """
        Y, shown = targets
        is_seed = isinstance(classifier.random_state, Integral)
        seed = int(classifier.random_state) if is_seed else 0
        folds = held_out_folds(X, np.random.RandomState(seed))
        if not folds:
            return None
        train, held_out = folds[0]
        are_vectors = are_label_vectors(X[held_out], Y[held_out], label_vectors)
        held_out = held_out[~are_vectors]
        if not len(held_out):
            return None
        fixed = {
            "label_vectors": label_vectors,
            "memory": None,
            "n_trees": 1,
            "random_state": seed,
            "verbose": 0,
            "warm_start": False,
        }
        parameters = classifier.get_params(deep=False) | fixed
        of_train = X[train], Y[train], take_negatives(shown, train)
        rows = *of_train, X[held_out], Y[held_out]
        return cls(classifier, *rows, label_names, parameters)

    def scores(self, **parameters):
        """Fit with some parameters, and rank the held-out rows.

        Returns
        -------
        scores : ndarray of shape (n_held_out,)
            The reciprocal rank of the first positive label of each row among ten.
        model : XRLinearClassifier
        """
        model = type(self.classifier)(**self.parameters | parameters)
        _fit_quietly(model, self.X, self.Y, self.negatives, self.label_names)
        columns, _ = model.rank(self.X_held_out, k=_K)
        return reciprocal_ranks(columns, self.Y_held_out), model


def best_scores(scores):
    """Return the row with the largest mean, or 0 if that may be by chance.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_held_out)

    Returns
    -------
    int
        0 unless the mean of another row is larger than that of row 0 by more than two
        standard errors of the difference.
    """
    best = int(scores.mean(axis=1).argmax())
    gains = scores[best] - scores[0]
    error = gains.std() / np.sqrt(len(gains))
    return best if gains.mean() > 2 * error else 0


def _fit_quietly(model, X, Y, negatives, label_names):
    """Fit without the warnings that the final fit gives."""
    ones = np.ones(Y.nnz, dtype=np.int8)
    pattern = sparse.csr_array((ones, Y.indices, Y.indptr), shape=Y.shape)
    relevance = Y if (Y.data != 1).any() else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(
            X,
            pattern,
            relevance=relevance,
            negatives=negatives,
            label_names=label_names,
        )


def are_label_vectors(X, Y, label_vectors):
    """Return which rows point where the vector of one of their labels does."""
    vectors = label_vectors[1] if isinstance(label_vectors, tuple) else label_vectors
    if isinstance(vectors, str) or vectors.shape[1] != X.shape[1]:
        return np.zeros(X.shape[0], dtype=bool)
    rows, labels = Y.nonzero()
    X, Z = sparse.csr_array(X[rows]), sparse.csr_array(vectors[labels])
    products = X.multiply(Z).sum(axis=1)
    squares = X.multiply(X).sum(axis=1) * Z.multiply(Z).sum(axis=1)
    is_same = (products > 0) & (products >= _SAME * np.sqrt(squares))
    return np.bincount(rows, is_same, Y.shape[0]) > 0


def reciprocal_ranks(columns, Y):
    """Compute 1 / the rank of the first positive label of each row; 0 without one."""
    n_rows, k = columns.shape
    rows = np.repeat(np.arange(n_rows), k)
    found = np.asarray(Y[rows, np.maximum(columns.ravel(), 0)] != 0)
    hits = found.reshape(n_rows, k) & (columns >= 0)
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0)
