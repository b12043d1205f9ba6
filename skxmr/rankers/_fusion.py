"""Fusion of the rankings of several estimators."""

from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags

from skxmr._base._documentation import Documented
from skxmr._base._fitted_clone import FittedClone, children
from skxmr._base._ranking_classifier import RankingClassifier
from skxmr._base._state import from_state, writes
from skxmr._inputs._features import validate_target
from skxmr._inputs._label_choice import mask_of_choice
from skxmr._inputs._row_blocks import RowBlocks
from skxmr._inputs._validation import (
    Composition,
    Interval,
    StrOptions,
    check_lengths,
    check_structure,
    check_weights,
    fit_context,
)
from skxmr._search._subset import MakesSubsets
from skxmr._targets import (
    ClassTarget,
    IndicatorTarget,
    Shortlists,
    logs_of_scores,
    make_target,
)
from skxmr._utils._loaded_state import CheckedWhenLoaded, refuse
from skxmr._utils._typing import ArrayLike, MatrixLike
from skxmr.ranking import LabelSubset, final_estimator, rank, scores_to_csr, top_k

__all__ = ["RankFusion"]


@dataclass(frozen=True)
class FusionState:
    """The fitted state of a `RankFusion`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    classes : ndarray of shape (n_labels,)
    members : dict of str to FittedClone
        The estimators by name, in their order.
    """

    target: IndicatorTarget | ClassTarget
    classes: np.ndarray
    members: dict

    @property
    def named_estimators(self):
        """The fitted estimators by name."""
        return {name: member.estimator for name, member in self.members.items()}

    @property
    def estimators(self):
        """The fitted estimators."""
        return list(self.named_estimators.values())


class RankFusion(
    Documented,
    CheckedWhenLoaded,
    MakesSubsets,
    RankingClassifier,
    Composition,
    BaseEstimator,
):
    """Combine the rankings of several estimators.

    Each estimator is fitted to the same data. Rankings are combined by the mean of
    their scores, or by reciprocal ranks [1]_. The latter do not use the scores, so that
    a lexical ranking with scores on another scale can be combined with a classifier. No
    array is as wide as the number of labels.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Any estimators that `skxmr.rank` supports: classifiers, pipelines, retrievers.
    method : {"mean", "reciprocal_rank"}, default="mean"
        What is averaged: "mean", the scores, which are 0 if an estimator does not find
        the label, and those of a `LexicalRanker` relative to the best of the row;
        "reciprocal_rank", 1 / (`rank_constant` + rank), with ranks from 1, divided by
        its maximum.
    weights : array-like of shape (n_estimators,) or mapping, default=None
        The weights of the estimators, in their order or by name; None weights all the
        same.
    rank_constant : float, default=60.0
        Larger values reduce the influence of the first ranks.
    n_candidates : int, default=100
        The number of labels from each estimator.
    decision_threshold : float, default=0.5
        For indicator targets, `predict` returns the labels whose score is above it.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted estimators.
    named_estimators_ : dict of str to estimator
        The fitted estimators by name.
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target, or the column indices of an indicator.

    See Also
    --------
    NeighborRanker : A lexical ranker to combine with.
    sklearn.ensemble.VotingClassifier : The same for few classes.

    References
    ----------
    .. [1] G. V. Cormack, C. L. A. Clarke and S. Büttcher, "Reciprocal rank fusion
       outperforms Condorcet and individual rank learning methods", SIGIR 2009.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skxmr import NeighborRanker, RankFusion, TextRetriever, WordNgramTfidf
    >>> offers = ["red apple", "green apple", "apple phone", "smart phone case"]
    >>> products = ["fruit", "fruit", "phone", "case"]
    >>> lexical = make_pipeline(WordNgramTfidf(), NeighborRanker())
    >>> fusion = RankFusion(
    ...     [("retriever", TextRetriever()), ("lexical", lexical)],
    ...     method="reciprocal_rank",
    ... ).fit(offers, products)
    >>> fusion.predict(["a green apple"]).tolist()
    ['fruit']
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimators": [list],
        "method": [StrOptions({"mean", "reciprocal_rank"})],
        "weights": ["array-like", None],
        "rank_constant": [Interval(Real, 0, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "decision_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    _search_parameters = (
        "method",
        "weights",
        "rank_constant",
        "n_candidates",
        "decision_threshold",
    )
    _stage_parameters = ("estimators",)

    def __init__(
        self,
        estimators: list,
        *,
        method: str = "mean",
        weights: ArrayLike | None = None,
        rank_constant: float = 60.0,
        n_candidates: int = 100,
        decision_threshold: float = 0.5,
    ):
        self.estimators = estimators
        self.method = method
        self.weights = weights
        self.rank_constant = rank_constant
        self.n_candidates = n_candidates
        self.decision_threshold = decision_threshold

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of this estimator and of the combined estimators.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the combined estimators.

        Returns
        -------
        dict
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters of this estimator or of the combined estimators.

        Parameters
        ----------
        **parameters : dict
            Parameters by name, such as ``method`` or ``lexical__n_neighbors``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or an estimator does not exist.
        """
        self._set_params("estimators", **parameters)
        return self

    classes_ = from_state("classes", "Class labels, or column numbers of an indicator.")
    estimators_ = from_state("estimators", "The fitted estimators.")
    named_estimators_ = from_state("named_estimators", "The same by their names.")

    # The estimators are validated by their own fits.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: MatrixLike) -> Self:
        """Fit all estimators.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimators.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1, or class labels of any type.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are no estimators, two have the same name, or arguments do not
            match.
        """
        names = [name for name, _ in self.estimators]
        if not names:
            raise ValueError("estimators is empty; expected at least one.")
        self._validate_names(names)
        check_weights(self.weights, names)
        X, y = check_structure(X, "X"), validate_target(self, y)
        check_lengths(X, y)
        target, _ = make_target(y, None)
        fitted = [clone(estimator).fit(X, y) for _, estimator in self.estimators]
        members = dict(zip(names, map(FittedClone.of, fitted), strict=True))
        self._state = FusionState(target, target.classes, members)
        return self

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if not self.__sklearn_is_fitted__():
            return
        state = self._state
        n_labels = len(state.classes)
        members = [one.classes_ for one in state.estimators if hasattr(one, "classes_")]
        if state.target.n_labels != n_labels or any(
            len(classes) != n_labels for classes in members
        ):
            refuse("RankFusion.classes_", "has other labels than its estimators")

    def _rank_in_blocks(self, X, *choice):
        blocks, subset = RowBlocks(X), self._restricted(*choice)
        if subset is not None:
            subset.check_owner((self._state,))
        return blocks.n_rows, partial(self._ranked, blocks, subset=subset)

    def _subset_of(self, state, allowed, excluded):
        mask = mask_of_choice(len(state.classes), allowed, excluded)
        labels = state.classes[mask]
        finals = map(final_estimator, state.estimators)
        members = tuple(
            one.subset(labels) if hasattr(one, "subset") else labels for one in finals
        )
        return LabelSubset((state,), mask, members=members)

    def _ranked(self, blocks, k, subset=None):
        """Rank the rows in blocks."""
        n_candidates = min(max(k, int(self.n_candidates)), len(self._state.classes))
        for rows in blocks.split(n_candidates * len(self._state.members)):
            yield top_k(self._fused(rows, n_candidates, subset), k)

    def _fused(self, X, n_candidates, subset):
        """Combine the rankings: CSR of shape (n_samples, n_labels)."""
        state = self._state
        weights = check_weights(self.weights, list(state.members))
        parameters = dict(children(self))
        of_members = [None] * len(weights) if subset is None else subset.members
        total: Any = 0
        for weight, allowed, (name, member) in zip(
            weights, of_members, state.members.items(), strict=True
        ):
            estimator = member.following(parameters.get(name))
            columns, scores = rank(estimator, X, n_candidates, allowed=allowed)
            if self.method == "reciprocal_rank":
                scores = self._reciprocal_ranks(columns)
            elif getattr(final_estimator(estimator), "_scores_exceed_1", False):
                best = scores.max(axis=1, initial=0, keepdims=True)
                scores = scores / np.where(best > 0, best, 1)
            matrix = scores_to_csr(
                columns, scores.astype(np.float64), len(state.classes)
            )
            total = total + weight * matrix
        return sparse.csr_array(total)

    def _reciprocal_ranks(self, columns):
        ranks = 1 + np.arange(columns.shape[1])
        shares = (self.rank_constant + 1) / (self.rank_constant + ranks)
        return np.broadcast_to(shares, columns.shape)

    def _shortlists(self, X):
        blocks = RowBlocks(X)

        def find(k=None):
            most = min(int(self.n_candidates), len(self._state.classes))
            wanted = most if k is None else k
            return (logs_of_scores(*found) for found in self._ranked(blocks, wanted))

        return Shortlists(blocks.n_rows, find)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit, if the estimators have it."""
        return self._fitted().estimators[0].n_features_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        members = [get_tags(estimator).input_tags for _, estimator in self.estimators]
        for name in ("sparse", "string", "two_d_array"):
            setattr(tags.input_tags, name, all(getattr(one, name) for one in members))
        tags.classifier_tags.multi_label = True
        return tags
