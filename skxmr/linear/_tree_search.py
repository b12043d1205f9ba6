"""Prediction by beam search in the trees of a fitted classifier."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skxmr._base._ranking_classifier import RankingClassifier
from skxmr._base._state import reads
from skxmr._cython._search_inputs import TRANSFORMS
from skxmr._inputs._features import validate_features
from skxmr._inputs._row_blocks import split_by_size
from skxmr._inputs._validation import check_k
from skxmr._search._beam_search import (
    average_trees,
    beam_search,
    search_one,
    search_trees,
)
from skxmr._search._row_labels import RowLabels, score_labels
from skxmr._search._subset import MakesSubsets
from skxmr._targets import Shortlists, scores_from_logs
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr._utils._padding import check_size, pad_ranking
from skxmr._utils._typing import Matrix, MatrixLike, Ranking, SomeLabels
from skxmr.ranking import LabelSubset, RowSubset, look_up
from skxmr.stages._stages import search_stages, search_stages_by_row

__all__ = ["TreeSearchClassifier"]

_MAX_INT32 = np.iinfo(np.int32).max


class TreeSearchClassifier(MakesSubsets, RankingClassifier):
    """A classifier that searches all its trees and averages their scores.

    Its state is a `ClassifierState`, and its parameters of prediction and the stages
    are attributes.
    """

    beam_width: int | None
    max_candidates: int | None
    score_transform: str
    propensity_weight: float
    matcher: Any
    ranker: Any
    n_jobs: int | None

    @reads
    def decision_function(self, X: MatrixLike) -> Matrix:
        """Return the scores of the labels that the search reaches.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        csr_matrix, csr_array or ndarray of shape (n_samples, n_labels), or ndarray \
                of shape (n_samples,)
            As from `predict_proba`; for two classes, the score of the second minus that
            of the first.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X contains NaN or infinity, or has other features than in `fit`.
        """
        found = self._shortlists(X)
        return self._state.target.decision_function(found)

    def _rank_in_blocks(self, X, *choice):
        X = self._check_features(X)
        subset = self._restricted(*choice, n_rows=X.n_vectors)

        def find(k):
            columns, log_scores = self._find(X, k, subset)
            yield columns, scores_from_logs(columns, log_scores)

        return X.n_vectors, find

    def _pair_scorer(self, X):
        X = self._check_features(X)
        return X.n_vectors, partial(self._score, X)

    def _subset_of(self, state, allowed, excluded):
        bits = (one.label_nodes.bits(allowed, excluded) for one in state.layouts)
        return LabelSubset(state.layouts, bits=tuple(bits))

    def rank_one(
        self,
        indices: NDArray,
        values: NDArray,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> Ranking:
        """Find the best k labels of one row, without validation, for serving.

        Parameters
        ----------
        indices : ndarray of shape (nnz,), int32, or None
            The row's features, without duplicates. None for a dense row, which is
            faster for an estimator that was fitted on dense X.
        values : ndarray of shape (nnz,), float32
            Their values; for a dense row, of shape (`n_features_in_`,).
        k : int, default=10
            The number of labels.
        allowed : LabelSubset, or iterable of labels, default=None
            The labels to rank: the result of `subset`, which is fast, or labels or a
            mask as `subset` takes them. None allows all.
        excluded : iterable of labels, default=None
            Labels that are not ranked.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels in these arguments that the estimator does not know raise an
            error or are ignored.

        Returns
        -------
        columns : ndarray of shape (k,), int64
            As in a row of `rank`.
        scores : ndarray of shape (k,), float32

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If an array has another dtype, or `k` is so large that the arrays do not fit
            in memory.
        """
        state, beam_width, transform = self._searching()
        layout = state.layouts[0]
        if type(k) is not int or k < 0:
            k = check_k(k, "XRLinearClassifier.rank_one")
        n_found = k
        if k > layout.n_labels:
            n_found = check_size(1, k, layout.n_labels)
        is_restricted = allowed is not None or excluded is not None
        is_plain = not is_restricted and not self.propensity_weight
        if len(state.layouts) == 1 and is_plain and not state.stages[0]:
            columns, scores = search_one(
                layout,
                indices,
                values,
                k=n_found,
                beam_width=beam_width,
                score_transform=transform,
            )
        else:
            subset = self._restricted(allowed, excluded, unknown)
            columns, scores = self._rank_one(indices, values, n_found, subset)
        if n_found < k:
            columns, scores = pad_ranking(columns, scores, k)
        return columns, scores

    def _searching(self):
        """Return the state that a search for one row reads, at one point in time."""
        # `reads` and scikit-learn's validation are skipped: a search takes
        # microseconds.
        state, width, transform = self._fitted(), self.beam_width, self.score_transform
        is_plain = width is None or (type(width) is int and 0 < width <= _MAX_INT32)
        if not is_plain or type(transform) is not str or transform not in TRANSFORMS:
            self._check_search_parameters()
            width = self._width()
        return state, width, transform

    def _width(self):
        """Return the beam width for the kernels, limited to int32; None for all."""
        return self.beam_width and min(int(self.beam_width), _MAX_INT32)

    @reads
    def _rank_one(self, indices, values, k, subset):
        """Rank one row by all trees, optionally in a subset or by custom stages."""

        def search(tree, k):
            layout, stages, allowed = tree
            if stages:
                found = self._search(self._one_row(indices, values), tree, k)
                return tuple(part[0] for part in found)
            return search_one(
                layout,
                indices,
                values,
                k=k,
                beam_width=self._width(),
                score_transform=self.score_transform,
                allowed=allowed,
                as_logs=True,
            )

        trees, n_candidates = self._trees(subset), self._n_candidates()
        if not self.propensity_weight:
            columns, log_scores = search_trees(search, trees, k, n_candidates)
            return columns, scores_from_logs(columns, log_scores)
        n_found = max(k, n_candidates)
        columns, log_scores = search_trees(search, trees, n_found, n_candidates)
        columns, log_scores = self._weigh(
            columns[np.newaxis], log_scores[np.newaxis], k
        )
        return columns[0], scores_from_logs(columns, log_scores)[0]

    def _shortlists(self, X):
        """Validate X; return a function that finds the candidates, or the k best."""
        X = self._check_features(X)

        def find(k=None):
            wanted = self._n_candidates() if k is None else k
            size = self._size_of_row(wanted)
            for rows in split_by_size(X.n_vectors, size, self.n_jobs):
                yield self._find(X.between(rows.start, rows.stop), wanted)

        return Shortlists(X.n_vectors, find)

    def _check_features(self, X):
        """Validate X, and parameters that may have been set after fit."""
        state = self._ready()
        return validate_features(self, X, state.features)

    def _n_candidates(self):
        """Return the maximum number of labels with a score per row."""
        layouts = self._state.layouts
        reached = max(layout.most_reached(self._width()) for layout in layouts)
        wanted = self._state.target.n_labels
        if self.max_candidates is not None:
            wanted = min(wanted, int(self.max_candidates))
        return min(wanted, len(layouts) * reached)

    def _size_of_row(self, k):
        """Return the number of labels that all trees together find for a row."""
        n_trees = len(self._state.layouts)
        return k if n_trees == 1 else n_trees * max(k, self._n_candidates())

    def _one_row(self, indices, values):
        if indices is None:
            return DenseRows(values[np.newaxis])
        ends = np.array([0, len(indices)])
        return Compressed(ends, indices, values, self.n_features_in_)

    def _trees(self, subset):
        """Return the layout, custom stages and allowed nodes of each tree.

        Instead of nodes, `RowLabels` if rows are restricted one by one.
        """
        state = self._state
        allowed: list = [None] * len(state.layouts)
        if isinstance(subset, RowSubset):
            bases = self._bases(subset.subset) if subset.is_excluded else allowed
            allowed = [
                RowLabels(subset.offsets, subset.columns, base) for base in bases
            ]
        elif subset is not None:
            subset.check_owner(state.layouts)
            allowed = subset.bits
        stages = [
            one.following(self.matcher, self.ranker, self.n_jobs)
            for one in self.stages_
        ]
        return list(zip(state.layouts, stages, allowed, strict=True))

    def _bases(self, subset):
        """Return the nodes of each tree that rows with excluded labels may enter."""
        if subset is None:
            subset = self._subset_of(self._state, None, self._state.known.removed)
        subset.check_owner(self._state.layouts)
        return subset.bits

    def _search(self, X, tree, k):
        """Search one of `_trees`."""
        layout, stages, allowed = tree
        is_by_row = isinstance(allowed, RowLabels)
        how = {
            "k": k,
            "beam_width": self._width(),
            "score_transform": self.score_transform,
            "n_jobs": self.n_jobs,
        }
        if stages and is_by_row:
            return search_stages_by_row(X, layout, stages, among=allowed, **how)
        how["among" if is_by_row else "allowed"] = allowed
        if stages:
            return search_stages(X, layout, stages, **how)
        return beam_search(X, layout, **how)

    def _find(self, X, k, subset=None):
        """Search all trees, average their scores, and weigh them by propensities."""
        trees = self._trees(subset)
        # Each of several trees finds more labels than are returned.
        n_candidates = self._n_candidates()
        if isinstance(subset, RowSubset) and not subset.is_excluded:
            n_candidates = subset.most
        if not self.propensity_weight:
            return self._find_in(X, trees, k, n_candidates)
        n_found = max(k, n_candidates)
        columns = np.empty((X.n_vectors, k), dtype=np.int64)
        log_scores = np.empty((X.n_vectors, k))
        size = len(trees) * n_found
        for rows in split_by_size(X.n_vectors, size, self.n_jobs):
            some, among = X.between(rows.start, rows.stop), _between(trees, rows)
            found, scores = self._find_in(some, among, n_found, n_candidates)
            columns[rows], log_scores[rows] = self._weigh(found, scores, k)
        return columns, log_scores

    def _find_in(self, X, trees, k, n_candidates):
        """Search some trees and average their scores."""
        if len(trees) == 1:
            return self._search(X, trees[0], k)
        columns = np.empty((X.n_vectors, k), dtype=np.int64)
        log_scores = np.empty((X.n_vectors, k))
        size = len(trees) * max(k, n_candidates)
        for rows in split_by_size(X.n_vectors, size, self.n_jobs):
            search = partial(self._search, X.between(rows.start, rows.stop))
            columns[rows], log_scores[rows] = search_trees(
                search, _between(trees, rows), k, n_candidates
            )
        return columns, log_scores

    def _counts(self):
        """Return the counts of labels by which scores are weighed."""
        counts = self._state.counts
        if counts is None:
            raise ValueError(
                f"propensity_weight={self.propensity_weight} needs a fit with a "
                f"propensity_weight above 0, which counts the rows of each label."
            )
        return counts

    def _weigh(self, columns, log_scores, k):
        """Weigh scores by propensities, and keep the best k of each row."""
        weight = float(self.propensity_weight)
        return self._counts().best(columns, log_scores, weight, k)

    def _score(self, X, among):
        """Score the labels of each row in all trees and average the scores."""
        log_scores = [
            self._score_in_tree(X, tree)[:, np.newaxis] for tree in self._trees(among)
        ]
        columns = [np.where(np.isneginf(one), -1, 0) for one in log_scores]
        columns, averages = average_trees(columns, log_scores, 1)
        if self.propensity_weight:
            weights = self._counts().log_weights(among.columns)
            averages = averages + float(self.propensity_weight) * weights[:, np.newaxis]
        return scores_from_logs(columns, averages)[:, 0]

    def _score_in_tree(self, X, tree):
        layout, stages, among = tree
        if not stages:
            return score_labels(X, layout, among, self.score_transform, self.n_jobs)
        columns, log_scores = self._search(X, tree, max(1, among.most))
        return look_up(among.offsets, among.columns, columns, log_scores, -np.inf)


def _between(trees, rows):
    """Return the trees of a search for some of the rows."""
    return [
        (
            layout,
            stages,
            allowed.between(rows.start, rows.stop)
            if isinstance(allowed, RowLabels)
            else allowed,
        )
        for layout, stages, allowed in trees
    ]
