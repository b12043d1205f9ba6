"""Fusion of the rankings of several estimators."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state, get_tags

from skxmr._base._documentation import Documented
from skxmr._base._fitted_clone import FittedClone, children
from skxmr._base._ranking_classifier import RankingClassifier
from skxmr._base._state import from_state, reads, snapshot, writes
from skxmr._inputs._features import validate_target
from skxmr._inputs._known_classes import known_classes
from skxmr._inputs._label_choice import mask_of_choice
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._row_blocks import RowBlocks, with_rows
from skxmr._inputs._validation import (
    Composition,
    Interval,
    StrOptions,
    check_k,
    check_labels,
    check_lengths,
    check_structure,
    check_weights,
    fit_context,
)
from skxmr._search._subset import MakesSubsets
from skxmr._targets import (
    Shortlists,
    logs_of_scores,
    make_target,
)
from skxmr._utils._loaded_state import CheckedWhenLoaded
from skxmr._utils._padding import check_size
from skxmr._utils._typing import ArrayLike, MatrixLike, Ranking, SomeLabels
from skxmr.rankers._fusion_explanation import FusionExplanation, explain_fusion
from skxmr.rankers._fusion_fitting import TrainingRows, learn_weights
from skxmr.rankers._fusion_state import FusionState
from skxmr.rankers._fusion_weights import GivenWeights
from skxmr.rankers._listings import Listings, best_candidates, rank_row
from skxmr.ranking import (
    LabelSubset,
    RowSubset,
    final_estimator,
    look_up_entries,
    rank,
)

__all__ = ["RankFusion"]


class RankFusion(
    Documented,
    CheckedWhenLoaded,
    MakesSubsets,
    RankingClassifier,
    Composition,
    BaseEstimator,
):
    r"""Combine the rankings of several estimators.

    Each estimator is fitted to the same data. Rankings are combined by the mean of
    their scores, by reciprocal ranks [1]_, or with weights that are learned from
    held-out rows. Reciprocal ranks and learned weights can combine a lexical ranking
    with scores on another scale with a classifier. No array is as wide as the number of
    labels.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Any estimators that `skxmr.rank` supports: classifiers, pipelines, retrievers.
    method : {"mean", "reciprocal_rank"}, default="mean"
        What is averaged: "mean", the scores, which are 0 if an estimator does not find
        the label, and those of a `LexicalRanker` relative to the best of the row;
        "reciprocal_rank", 1 / (`rank_constant` + rank), with ranks from 1, divided by
        its maximum. Not used with learned weights.
    weights : array-like of shape (n_estimators,), mapping or "fit", default=None
        The weights of the estimators, in their order or by name; None weights all the
        same. "fit" learns weights; see Notes.
    rank_constant : float, default=60.0
        Larger values reduce the influence of the first ranks.
    n_candidates : int, default=100
        The number of labels from each estimator.
    decision_threshold : float, default=0.5
        For indicator targets, `predict` returns the labels whose score is above it.
    random_state : int, RandomState instance or None, default=None
        Draws the rows that are held out to learn weights. With None, each fit draws
        others. The estimators have seeds of their own.
    verbose : int, default=0
        Whether the progress of `fit` is printed.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted estimators.
    named_estimators_ : dict of str to estimator
        The fitted estimators by name.
    fusion_weights_ : dict of str to dict of str to float
        The weights of each estimator, by its name and a feature: "score" or
        "reciprocal_rank", or the features of learned weights (see Notes).
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the names of the labels, if rows of names or
        a data frame were given; or the column indices of an indicator.

    See Also
    --------
    NeighborRanker : A lexical ranker to combine with.
    sklearn.ensemble.VotingClassifier : The same for few classes.

    Notes
    -----
    With ``weights="fit"``, each estimator is also fitted without a fifth of the
    distinct rows, which it then ranks, until 2,000 rows or all were held out: one
    additional fit for 10,000 rows or more, at most five for fewer. The candidates of a
    row are the labels that any estimator lists. A log-linear model [2]_ gives each the
    score

    .. math:: s(l) = \sum_{e \text{ lists } l} w_e^\top x_e(l)

    where :math:`x_e(l)` are four features of the label in the list of the estimator:
    the logarithm of its score ("log_score"; the score itself, if the estimator has
    negative ones), the score divided by that of the first ("relative_score"), one
    divided by the rank ("reciprocal_rank"), and 1 ("listed"). The weights maximise the
    likelihood of the true labels under a softmax over the candidates of each held-out
    row. The scores of `rank` are probabilities: of the softmax, mapped by a logistic
    regression on its log odds, also fitted to the held-out rows. In a search among some
    of the labels, the softmax is over these.

    If fewer than 200 rows are distinct, or no estimator lists a true label of a
    held-out row, nothing is learned: all estimators have the same weights, as with
    None.

    References
    ----------
    .. [1] G. V. Cormack, C. L. A. Clarke and S. Büttcher, "Reciprocal rank fusion
       outperforms Condorcet and individual rank learning methods", SIGIR 2009.
    .. [2] D. McFadden, "Conditional logit analysis of qualitative choice behavior",
       Frontiers in Econometrics, 1974.

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
    >>> why = fusion.explain("a smart phone", "case")
    >>> [(one.estimator, one.rank) for one in why.members]
    [('retriever', 1), ('lexical', 1)]
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimators": [list],
        "method": [StrOptions({"mean", "reciprocal_rank"})],
        "weights": ["array-like", StrOptions({"fit"}), None],
        "rank_constant": [Interval(Real, 0, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "decision_threshold": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
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
        weights: ArrayLike | Mapping | Literal["fit"] | None = None,
        rank_constant: float = 60.0,
        n_candidates: int = 100,
        decision_threshold: float = 0.5,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.estimators = estimators
        self.method = method
        self.weights = weights
        self.rank_constant = rank_constant
        self.n_candidates = n_candidates
        self.decision_threshold = decision_threshold
        self.random_state = random_state
        self.verbose = verbose

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

    classes_ = from_state("classes", "Classes, names of labels, or column numbers.")
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
            An indicator of 0 and 1; or a list, tuple or set of label names for each
            row, such as ``[["web", "api"], ["django"]]``; or class labels of any type.
            The columns of a data frame name the labels.

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
        is_learned = isinstance(self.weights, str)
        check_weights(None if is_learned else self.weights, names)
        y, of_columns = read_columns(y)
        X, y = check_structure(X, "X"), validate_target(self, y)
        check_lengths(X, y)
        target, Y = make_target(y, None, of_columns)
        learned = self._learn(X, y, target, Y) if is_learned else None
        fitted = [clone(estimator).fit(X, y) for _, estimator in self.estimators]
        members = dict(zip(names, map(FittedClone.of, fitted), strict=True))
        self._state = FusionState(target, target.classes, members, is_learned, learned)
        return self

    def _learn(self, X, y, target, Y):
        """Learn the weights; None if there are too few rows."""
        data = TrainingRows(with_rows(X), y, Y, target)
        n_candidates = min(int(self.n_candidates), target.n_labels)
        random = check_random_state(self.random_state)
        estimators = [estimator for _, estimator in self.estimators]
        return learn_weights(estimators, data, n_candidates, random)

    def _check_arrays(self):
        """Raise ValueError if the arrays of a loaded model are not consistent."""
        if not self.__sklearn_is_fitted__():
            return
        self._state.check()

    def _rank_in_blocks(self, X, *choice):
        blocks = RowBlocks(X)
        subset = self._owned(self._restricted(*choice, n_rows=blocks.n_rows))
        return blocks.n_rows, partial(self._ranked, blocks, subset=subset)

    def _pair_scorer(self, X):
        blocks, weights = RowBlocks(X), self._weights()
        n_candidates = self._n_candidates(1)

        def score(among):
            start, parts = 0, [np.empty(0)]
            rows = blocks.split(n_candidates * len(self._state.members))
            for listings in self._listings(rows, n_candidates, None):
                stop = start + len(listings.offsets) - 1
                part, scores = among.between(start, stop), weights.score(listings)
                listed = listings.rows, listings.columns, scores
                parts.append(look_up_entries(part.offsets, part.columns, *listed))
                start = stop
            return np.concatenate(parts)

        return blocks.n_rows, score

    def rank_one(
        self,
        row: str | NDArray | None,
        values: NDArray | None = None,
        k: int = 10,
        *,
        allowed: LabelSubset | SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> Ranking:
        """Find the best k labels of one row, with little overhead.

        Estimators with a method `rank_one` are called by it, others by `rank`.

        Parameters
        ----------
        row : str, or ndarray of shape (nnz,), int32, or None
            A text; or the features of the row, without duplicates. None for a dense
            row.
        values : ndarray of shape (nnz,), float32, default=None
            The values of the features; for a dense row, of shape (`n_features_in_`,).
            None for a text.
        k : int, default=10
            The number of labels.
        allowed : LabelSubset, or iterable of labels, default=None
            As in `rank`.
        excluded : iterable of labels, default=None
            As in `rank`.
        unknown : {"raise", "ignore"}, default="raise"
            As in `rank`.

        Returns
        -------
        columns : ndarray of shape (k,), int64
            The row that `rank` returns.
        scores : ndarray of shape (k,), float64

        Raises
        ------
        NotFittedError
            If called before `fit`.
        TypeError
            If there are both a text and values, or neither features nor values.
        ValueError
            If a label does not exist, or `k` is not positive.
        """
        k = check_k(k, "RankFusion.rank_one")
        if isinstance(row, str) != (values is None):
            raise TypeError(
                "rank_one takes a text, or the features of a row and their values; got "
                f"{type(row).__name__} and {type(values).__name__}. Name the argument "
                f"k after a text."
            )
        features = (row,) if values is None else (row, values)
        fusion = snapshot(self)  # `reads` takes longer
        n_labels = len(fusion._ready().classes)
        n_found = check_size(1, k, n_labels)
        subset = fusion._owned(fusion._restricted(allowed, excluded, unknown))
        n_candidates = fusion._n_candidates(n_found)
        listings = Listings.of(
            [
                rank_row(estimator, features, n_candidates, of_member)
                for estimator, of_member in fusion._searched(subset)
            ],
            n_labels,
        )
        scores = fusion._weights().score(listings)
        columns, scores = best_candidates(listings, scores, k, n_labels)
        return columns[0], scores[0]

    @reads
    def explain(self, X: Any, label: object) -> FusionExplanation:
        """Explain the score of a label by the estimators that list it.

        Parameters
        ----------
        X : str, or the input of `rank` with a single row
            A text, or a row.
        label : object
            A column index of an indicator, or a class.

        Returns
        -------
        FusionExplanation
            The rank and score that each estimator gives the label, and what it adds to
            the score that `rank` gives it. Use ``print`` to show it.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X has several rows, or the label does not exist.
        """
        state = self._ready()
        (column,) = check_labels([label], known_classes(state), "label").tolist()
        X = RowBlocks([X] if isinstance(X, str) else X)
        if X.n_rows != 1:
            raise ValueError(f"X has {X.n_rows} rows; expected one to be explained.")
        (rows,) = X.split(1)
        (listings,) = self._listings([rows], self._n_candidates(1), None)
        return explain_fusion(
            listings, self._weights(), list(state.members), label, column
        )

    def _owned(self, subset):
        """Check that this estimator made the subset, and return it."""
        common = subset.subset if isinstance(subset, RowSubset) else subset
        if common is not None:
            common.check_owner((self._state,))
        return subset

    def _subset_of(self, state, allowed, excluded):
        mask = mask_of_choice(len(state.classes), allowed, excluded)
        labels = state.target.labels_of_indicator[mask]
        finals = map(final_estimator, state.estimators)
        members = tuple(
            one.subset(labels) if hasattr(one, "subset") else labels for one in finals
        )
        return LabelSubset((state,), mask, members=members)

    def _ranked(self, blocks, k, subset=None):
        """Rank the rows in blocks."""
        n_labels, weights = len(self._state.classes), self._weights()
        n_candidates = self._n_candidates(k)
        parts = blocks.split(n_candidates * len(self._state.members))
        for listings in self._listings(parts, n_candidates, subset):
            yield best_candidates(listings, weights.score(listings), k, n_labels)

    def _listings(self, parts, n_candidates, subset):
        """Rank blocks of rows by each estimator."""
        is_by_row, start = isinstance(subset, RowSubset), 0
        members = self._searched(subset.subset if is_by_row else subset)
        for rows in parts:
            part = None
            if is_by_row:
                stop = start + RowBlocks(rows).n_rows
                part, start = subset.between(start, stop), stop
            rankings = [
                rank(estimator, rows, n_candidates, **_restriction(allowed, part))
                for estimator, allowed in members
            ]
            yield Listings.of(rankings, len(self._state.classes))

    def _n_candidates(self, k):
        """Return the number of labels that each estimator lists."""
        return min(max(k, int(self.n_candidates)), len(self._state.classes))

    def _searched(self, subset):
        """Return each estimator with current parameters, and its allowed labels."""
        parameters = dict(children(self))
        members = self._state.members
        of_members = [None] * len(members) if subset is None else subset.members
        return [
            (member.following(parameters.get(name)), allowed)
            for (name, member), allowed in zip(members.items(), of_members, strict=True)
        ]

    def _weights(self):
        """Return the weights of the scores of the estimators."""
        state, weights = self._state, self.weights
        if isinstance(weights, str):
            if not state.is_learned:
                raise ValueError(
                    "weights='fit' was set after fit; call fit again to learn weights."
                )
            if state.learned is not None:
                return state.learned
            weights = None
        is_relative = [
            getattr(final_estimator(one), "_scores_exceed_1", False)
            for one in state.estimators
        ]
        return GivenWeights(
            method=self.method,
            weights=check_weights(weights, list(state.members)),
            rank_constant=float(self.rank_constant),
            is_relative=np.array(is_relative),
        )

    def _shortlists(self, X):
        blocks = RowBlocks(X)

        def find(k=None):
            most = min(int(self.n_candidates), len(self._state.classes))
            wanted = most if k is None else k
            return (logs_of_scores(*found) for found in self._ranked(blocks, wanted))

        return Shortlists(blocks.n_rows, find)

    @property
    def fusion_weights_(self) -> dict:
        """The weights of each estimator by feature."""
        names = list(self._fitted().members)
        return dict(zip(names, self._weights().named(), strict=True))

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


def _restriction(allowed, by_row):
    """Return the labels that a member may list, as `rank` takes them."""
    return {"allowed": allowed} if by_row is None else by_row.arguments(allowed)
