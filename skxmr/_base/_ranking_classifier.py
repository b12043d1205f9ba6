"""The methods that all classifiers share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import ClassifierMixin

from skxmr._base._state import Stateful, reads
from skxmr._inputs._known_classes import known_classes
from skxmr._inputs._named_columns import given_rows, read_columns
from skxmr._inputs._validation import check_k, check_lengths, check_structure
from skxmr._targets import NamedTarget, Shortlists
from skxmr._utils._padding import check_size, pad_ranking
from skxmr._utils._typing import (
    ArrayLike,
    Matrix,
    MatrixLike,
    Ranking,
    SomeLabels,
    Texts,
)
from skxmr.ranking import LabelSubset, Pairs, look_up

__all__ = ["Classifier", "RankingClassifier", "RanksLabels"]


class Classifier(ClassifierMixin):
    """A classifier that validates sparse structure and does not convert labels."""

    @reads
    def score(
        self,
        X: MatrixLike | Texts,
        y: MatrixLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Return the accuracy on given rows and labels.

        For an indicator, this is the share of rows whose set of labels is predicted
        exactly, which says little of a ranking; see the scorers of `skxmr.metrics`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            The input of the estimator.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            In [0, 1].

        Raises
        ------
        ValueError
            If X or y is invalid, or they do not match.
        """
        X, y = check_structure(X, "X"), given_rows(check_structure(y, "y"))
        named = read_columns(y)
        if named.names is not None:
            state = self._fitted()
            if _has_names(state):
                return self._accuracy_by_name(
                    X, named, known_classes(state), sample_weight
                )
            if named.y is not y:
                raise ValueError(
                    "y has rows of label names, but the labels of fit had no names; "
                    "expected the kind of y in fit."
                )
        if np.ndim(y) == 1 and not sparse.issparse(y):
            return self._accuracy(X, y, sample_weight)
        return super().score(X, y, sample_weight)

    def _accuracy_by_name(self, X, named, known, sample_weight):
        """Compare sets of labels by their names; unknown ones are never predicted."""
        found, n_labels = sparse.csr_array(self.predict(X), dtype=bool), len(known)
        check_lengths(named.y, found, sample_weight)
        truth = sparse.coo_array(named.y).astype(bool)
        columns = known.find(named.names)[truth.col]
        columns[columns < 0] = n_labels
        shape = truth.shape[0], n_labels + 1
        truth = sparse.csr_array((truth.data, (truth.row, columns)), shape=shape)
        found.resize(shape)
        is_right = (truth != found).sum(axis=1) == 0
        return float(np.average(is_right, weights=sample_weight))

    def _accuracy(self, X, y, sample_weight):
        """Compare class labels exactly; scikit-learn would convert them."""
        known = known_classes(self._fitted())
        predicted = known.find(self.predict(X))
        check_lengths(y, predicted, sample_weight)
        is_right = known.find(y) == predicted
        return float(np.average(is_right, weights=sample_weight))


class RanksLabels(Stateful):
    """An estimator that ranks labels in blocks of rows.

    Its fitted state has the attribute `classes`. It implements `_rank_in_blocks`.
    """

    @abstractmethod
    def _rank_in_blocks(self, X, allowed, excluded, unknown):
        """Validate X; return its number of rows, and a function that ranks blocks.

        The function takes the number of labels per row, and yields (columns, scores) of
        one block of rows after the other.
        """

    def _n_labels(self):
        """Return the number of labels that can be ranked."""
        return len(self._fitted().classes)

    @reads
    def rank(
        self,
        X: MatrixLike | Texts,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> Ranking:
        """Find the best k labels of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            The input of the estimator.
        k : int, default=10
            The number of labels per row.
        allowed : LabelSubset, iterable of labels, or sparse matrix of shape \
                (n_samples, n_labels), default=None
            The labels to rank: the result of `subset`, which is fast, or labels or a
            mask as `subset` takes them; or a mask of the labels of each row, sparse or
            an ndarray of bool, whose labels are all scored. None allows all.
        excluded : iterable of labels, or sparse matrix of shape (n_samples, n_labels),\
                default=None
            Labels that are not ranked, in all rows or in each.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels in these arguments that the estimator does not know raise an
            error or are ignored.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
            Columns of y, or indices into `classes_`, best first; -1 if fewer labels are
            found.
        scores : ndarray of shape (n_samples, k), float32 or float64
            Between 0 and 1; 0 if fewer labels are found.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X contains NaN or infinity or has other features than in `fit`, if a mask
            has another shape, or if `k` is not positive, or so large that the arrays do
            not fit in memory.
        """
        self._ready()
        k = check_k(k, f"{type(self).__name__}.rank")
        n_rows, find = self._rank_in_blocks(X, allowed, excluded, unknown)
        n_found = check_size(n_rows, k, self._n_labels())
        columns, scores = _joined(list(find(n_found)))
        return pad_ranking(columns, scores, k)

    def _pair_scorer(self, X):
        """Validate X; return its number of rows, and a function that scores labels.

        The function takes a `RowSubset` of allowed labels, and returns the score of
        each entry of its mask, float32 or float64. This one looks them up in rankings.
        """
        n_rows, find = self._rank_in_blocks(X, None, None, "raise")

        def score(among):
            k, start, parts = self._n_listed(), 0, []
            for columns, scores in find(k):
                part = among.between(start, start + len(columns))
                parts.append(look_up(part.offsets, part.columns, columns, scores))
                start += len(columns)
            return np.concatenate(parts)

        return n_rows, score

    def _n_listed(self):
        """Return how many labels of a row can have a score in a ranking."""
        return self._n_labels()

    @reads
    def score_pairs(
        self,
        X: MatrixLike | Texts,
        rows: ArrayLike,
        labels: ArrayLike,
        *,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> NDArray:
        """Score given pairs of a row and a label.

        The score is the one with which `rank` finds the label, or would find it if its
        search reached the label: no beam limits which labels have a score, and the
        score of a pair does not depend on the others. Only these labels are scored.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            The input of the estimator.
        rows : array-like of shape (n_pairs,), int
            The row of X of each pair, in any order.
        labels : array-like of shape (n_pairs,)
            The label of each pair: columns of an indicator, or classes or names.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that the estimator does not know, or that were removed, raise
            an error or have the score 0.

        Returns
        -------
        ndarray of shape (n_pairs,), float32 or float64
            0 for labels that are never found.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X is invalid, a row or a label does not exist, or there are not as many
            rows as labels.

        See Also
        --------
        skxmr.score_pairs : The same for a Pipeline.
        """
        state = self._ready()
        n_rows, score = self._pair_scorer(X)
        shape = n_rows, self._n_labels()
        pairs = Pairs.of(rows, labels, shape, known_classes(state), unknown)
        return pairs.spread(score(pairs.among))


class RankingClassifier(RanksLabels, Classifier):
    """A classifier that predicts from the best candidates of each row, and ranks them.

    Its fitted state has the attributes `target` and `classes`. It implements
    `_shortlists` and what `RanksLabels` needs, and has a parameter
    `decision_threshold`.
    """

    decision_threshold: float

    @abstractmethod
    def _shortlists(self, X) -> Shortlists:
        """Validate X; return the candidates of its rows, computed in blocks."""

    @reads
    def predict(self, X: MatrixLike | Texts) -> Matrix:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            The input of the estimator.

        Returns
        -------
        csr_matrix, csr_array or ndarray of shape (n_samples, n_labels), or ndarray \
                of shape (n_samples,)
            In the form of y: the labels of an indicator whose score is above
            `decision_threshold`, or the best class. Rows of names give a sparse
            indicator, whose columns are those of `classes_`.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X contains NaN or infinity, or has other features than in `fit`.
        """
        target = self._ready().target
        return target.predict(self._shortlists(X), self.decision_threshold)

    @reads
    def predict_proba(self, X: MatrixLike | Texts) -> Matrix:
        """Return the scores of the candidates.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or texts
            The input of the estimator.

        Returns
        -------
        csr_matrix, csr_array or ndarray of shape (n_samples, n_labels)
            For an indicator or rows of names: sparse if y was, float32, with the scores
            of the candidates, each between 0 and 1, and 0 for all other labels. They
            order labels, and are no probabilities unless the estimator says so. For
            class labels: dense float64, rows sum to 1.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X contains NaN or infinity, or has other features than in `fit`.
        """
        return self._ready().target.predict_proba(self._shortlists(X))


def _has_names(state):
    """Return whether the columns of an indicator had names in fit."""
    return isinstance(getattr(state, "target", None), NamedTarget)


def _joined(blocks):
    """Concatenate (columns, scores) of blocks of rows; one block is not copied."""
    if len(blocks) == 1:
        return blocks[0]
    columns, scores = zip(*blocks, strict=True)
    return np.concatenate(columns), np.concatenate(scores)
