"""Reranking of candidates with features of a row and a candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed

from skxmr._base._default_stages import DefaultStages
from skxmr._base._documentation import Documented
from skxmr._base._fitted_clone import FittedClone
from skxmr._base._ranking_classifier import RankingClassifier
from skxmr._base._stage_settings import with_settings
from skxmr._base._state import from_state, reads, writes
from skxmr._inputs._features import validate_target
from skxmr._inputs._known_classes import KnownClasses, known_classes
from skxmr._inputs._label_choice import check_choice, mask_of_choice
from skxmr._inputs._named_columns import read_columns
from skxmr._inputs._row_blocks import RowBlocks, with_rows
from skxmr._inputs._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_lengths,
    check_structure,
    fit_context,
)
from skxmr._parallel._parallel import is_serial
from skxmr._targets import (
    ClassTarget,
    IndicatorTarget,
    NamedTarget,
    Shortlists,
    make_target,
    scores_from_logs,
)
from skxmr._utils._typing import MatrixLike, SomeLabels
from skxmr.rankers._candidates import CandidateFeatures, Candidates
from skxmr.rankers._reranking import (
    LEAST_LOG,
    candidates_of_fold,
    describe,
    find_candidates,
    fit_features,
    fit_final,
    labels_of_ranker,
    score_candidates,
)
from skxmr.ranking import (
    LabelSubset,
    RowSubset,
    has_row_masks,
    resolve_row_subset,
    resolve_subset,
)
from skxmr.ranking import final_estimator as ranking_estimator

__all__ = ["Reranker"]

_MAX_INT32 = np.iinfo(np.int32).max
_N_SPLITS = 5
# Applies where pairs are found, described and sorted.
_NUMBERS_OF_A_CANDIDATE = 8


def _ranker_restricts(self):
    ranker = getattr(self, "ranker_", self.ranker)
    return hasattr(ranking_estimator(ranker), "subset")


@dataclass(frozen=True)
class RerankerState:
    """The fitted state of a `Reranker`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    classes : ndarray of shape (n_labels,)
    ranking : FittedClone
        The fitted ranker.
    describing : FittedClone
        The fitted features.
    final : FittedClone
        The final estimator, or None.
    """

    target: IndicatorTarget | ClassTarget
    classes: np.ndarray
    ranking: FittedClone
    describing: FittedClone
    final: FittedClone

    @property
    def ranker(self):
        """The fitted ranker."""
        return self.ranking.estimator

    @property
    def features(self):
        """The fitted features."""
        return self.describing.estimator

    @property
    def final_estimator(self):
        """The fitted final estimator, or None."""
        return self.final.estimator


class Reranker(Documented, RankingClassifier, DefaultStages, BaseEstimator):
    """Rerank the first candidates of a ranker.

    A ranker finds some dozens of candidates among up to millions of labels; a slower
    model of row and candidate together, such as gradient boosting, reorders them. It is
    trained on out-of-fold candidates of the training rows, because rankers overestimate
    the labels of rows that they were trained on. As in stacking [1]_, the ranker is
    fitted on all folds but one and finds candidates for that one, for each fold, and
    finally it is fitted on all rows.

    Parameters
    ----------
    ranker : estimator
        Any estimator that `skxmr.rank` supports.
    final_estimator : estimator, default=None
        Predicts from the features of a pair whether the candidate is a true label of
        the row: any regressor, or classifier with ``predict_proba`` or
        ``decision_function``. None stands for ``HistGradientBoostingClassifier()``.
    features : callable or transformer, default=None
        Returns an array of shape (n_pairs, n_pair_features), dense or sparse, for
        ``(X, candidates)``, where the second is a `Candidates`. A transformer is fitted
        on the training rows of its fold's ranker and their labels by ``fit(X, Y)``,
        where Y is a sparse indicator with the columns of the candidates, and then
        called by ``transform(X, candidates)``. None stands for `CandidateFeatures`.
    n_candidates : int, default=50
        The number of candidates from the ranker; no other labels are returned.
    cv : int, cross-validation generator, iterable or "prefit", default=5
        The folds; an int stands for shuffled ones. With "prefit", the ranker is already
        fitted, and `fit` needs rows that it was not trained on.
    decision_threshold : float, default=0.5
        For indicator targets, `predict` returns the labels whose score is above it.
    n_jobs : int, default=None
        The number of folds that are processed in parallel. Results do not depend on it.
    verbose : int, default=0
        Whether the progress of `fit` is printed.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds, and replaces `random_state` parameters of the estimators
        that are None. Use an integer if the ranker has `memory`.

    Attributes
    ----------
    ranker_ : estimator
        Fitted on all rows.
    features_ : callable or transformer
        Fitted on all rows.
    final_estimator_ : estimator or None
        None if all candidates were true labels, so that there was nothing to learn: the
        ranker's scores are then used.
    classes_ : ndarray of shape (n_labels,)
        The class labels of a 1-D target; the names of the labels, if rows of names or
        a data frame were given; or the column indices of an indicator.

    See Also
    --------
    RankFusion : Combines rankings by weights.
    sklearn.ensemble.StackingClassifier : The same for few classes.

    Notes
    -----
    The score of a candidate is the final estimator's probability; for a decision
    function d, 1 / (1 + exp(-d)); for a regressor, its prediction clipped to [0, 1].
    Ties keep the ranker's order.

    References
    ----------
    .. [1] D. H. Wolpert, "Stacked generalization", Neural Networks 5, 1992.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import normalize
    >>> from skxmr import Reranker, XRLinearClassifier
    >>> X, Y = make_multilabel_classification(n_classes=20, random_state=0)
    >>> X = normalize(X)
    >>> model = Reranker(
    ...     XRLinearClassifier(), LogisticRegression(), n_candidates=10, random_state=0
    ... ).fit(X, Y)
    >>> columns, scores = model.rank(X[:2], k=3)
    >>> columns.shape
    (2, 3)
    """

    _parameter_constraints: ClassVar[dict] = {
        "ranker": [HasMethods("fit")],
        "final_estimator": [HasMethods("fit"), None],
        "features": [callable, HasMethods("transform"), None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "decision_threshold": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    _search_parameters = ("n_candidates", "decision_threshold")
    _stage_parameters = ("ranker", "final_estimator", "features")
    _default_stages: ClassVar[dict] = {
        "final_estimator": HistGradientBoostingClassifier,
        "features": CandidateFeatures,
    }
    _hands_on = ("random_state",)

    def __init__(
        self,
        ranker: Any,
        final_estimator: Any = None,
        *,
        features: Callable | Any = None,
        n_candidates: int = 50,
        cv: Any = _N_SPLITS,
        decision_threshold: float = 0.5,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.ranker = ranker
        self.final_estimator = final_estimator
        self.features = features
        self.n_candidates = n_candidates
        self.cv = cv
        self.decision_threshold = decision_threshold
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    classes_ = from_state("classes", "Classes, names of labels, or column numbers.")
    ranker_ = from_state("ranker", "Fitted to all rows.")
    features_ = from_state("features", "Fitted to all rows.")
    final_estimator_ = from_state("final_estimator", "Orders candidates, or None.")

    # The estimators are validated by their own fits.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: MatrixLike) -> Self:
        """Fit the ranker, and the final estimator on its candidates.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the ranker.
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
            If an argument or the features are invalid, arguments do not match, or no
            candidate is a true label.
        """
        y, names = read_columns(y)
        y = validate_target(self, y)
        check_lengths(X, y)
        X = with_rows(check_structure(X, "X"))
        target, Y = make_target(y, None, names)
        random = check_random_state(self.random_state)
        ranker, final = self._seeded(random)
        is_prefit = self.cv == "prefit"
        how = self._how(target, ranker if is_prefit else None)
        tasks = [
            (ranker, is_prefit, self._features(), X, y, Y, fold, how)
            for fold in self._folds(y, random)
        ]
        parallel = Parallel(n_jobs=self.n_jobs)
        if is_serial(parallel):
            parts = [candidates_of_fold(*task) for task in tasks]
        else:
            parts = parallel(delayed(candidates_of_fold)(*task) for task in tasks)
        fitted_final = fit_final(final, parts)
        fitted_ranker = ranker if is_prefit else ranker.fit(X, y)
        self._state = RerankerState(
            target=target,
            classes=target.classes,
            ranking=FittedClone.of(fitted_ranker),
            describing=FittedClone.of(fit_features(self._features(), X, Y)),
            final=FittedClone.of(fitted_final),
        )
        return self

    def _seeded(self, random):
        """Clone the estimators, and set random states that are None."""
        final = self._clone_stage("final_estimator")
        ranker = self.ranker if self.cv == "prefit" else clone(self.ranker)
        if self.random_state is not None:
            seeds = random.randint(_MAX_INT32, size=2).tolist()
            final = with_settings(final, seed=seeds[0])
            if self.cv != "prefit":
                ranker = with_settings(ranker, seed=seeds[1])
        return ranker, final

    def _features(self):
        return self._stage_or_default("features")

    def _folds(self, y, random):
        cv = _N_SPLITS if self.cv == "prefit" else self.cv
        if isinstance(cv, Integral):
            cv = KFold(cv, shuffle=True, random_state=random.randint(_MAX_INT32))
        of_classes = None if sparse.issparse(y) or y.ndim == 2 else y
        return list(check_cv(cv).split(np.zeros(y.shape[0]), of_classes))

    def _rank_in_blocks(self, X, *choice):
        blocks = RowBlocks(X)
        restriction = self._restriction(*choice, n_rows=blocks.n_rows)

        def find(k):
            for columns, log_scores in self._ranked(blocks, k, restriction):
                yield columns, scores_from_logs(columns, log_scores)

        return blocks.n_rows, find

    @available_if(_ranker_restricts)
    @reads
    def subset(
        self,
        allowed: SomeLabels | None = None,
        excluded: SomeLabels | None = None,
        *,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> LabelSubset:
        """Make a set of allowed labels, if the ranker supports it.

        Parameters
        ----------
        allowed, excluded : iterable of labels, default=None
            As in `XRLinearClassifier.subset`.
        unknown : {"raise", "ignore"}, default="raise"
            Whether labels that the ranker does not know raise an error or are ignored.

        Returns
        -------
        LabelSubset
            To be passed to `rank`.
        """
        # A custom ranker may not have the argument.
        how = {} if unknown == "raise" else {"unknown": unknown}
        state = self._fitted()
        ranker = ranking_estimator(state.ranker)
        if isinstance(state.target, NamedTarget):  # the ranker may not know the names
            chosen = check_choice(known_classes(state), allowed, excluded, unknown)
            return ranker.subset(mask_of_choice(len(state.classes), *chosen))
        return ranker.subset(allowed, excluded, **how)

    def _n_listed(self):
        return self._n_candidates()

    def _restriction(self, allowed, excluded, unknown, *, n_rows):
        """Return the labels that the ranker may find, as `rank` takes them.

        A `RowSubset` instead, if they differ from row to row.
        """
        if has_row_masks(allowed, excluded):
            return self._restriction_by_row(allowed, excluded, unknown, n_rows)
        given = {"allowed": allowed, "excluded": excluded}
        given = {name: labels for name, labels in given.items() if labels is not None}
        if not given:
            return {}
        if hasattr(self, "subset"):
            subset = resolve_subset(self.subset, allowed, excluded, unknown)
            return {"allowed": subset}
        if isinstance(self._state.target, NamedTarget):
            known = known_classes(self._state)
            chosen = check_choice(known, allowed, excluded, unknown)
            labels = labels_of_ranker(self._state.target, self._state.ranker)
            return {"allowed": labels[mask_of_choice(len(known), *chosen)]}
        return given if unknown == "raise" else given | {"unknown": unknown}

    def _restriction_by_row(self, allowed, excluded, unknown, n_rows):
        """Return the labels of each row by the columns of the ranker."""
        state = self._state

        def of_ranker(allowed, unknown):
            return self._restriction(allowed, None, unknown, n_rows=n_rows)["allowed"]

        masks = n_rows, allowed, excluded, unknown
        subset = resolve_row_subset(of_ranker, known_classes(state), *masks)
        labels = labels_of_ranker(state.target, state.ranker)
        classes = ranking_estimator(state.ranker).classes_
        if isinstance(classes, list) or np.array_equal(classes, labels):
            return subset
        columns = KnownClasses.of(labels).find(np.asarray(classes))
        mask = sparse.csr_array(subset.mask[:, np.maximum(columns, 0)])
        mask.data &= columns[mask.indices] >= 0
        mask.eliminate_zeros()
        return replace(subset, mask=mask)

    def _how(self, target, ranker):
        """Return the labels of the ranker by column, and the number of candidates."""
        n_candidates = min(target.n_labels, int(self.n_candidates))
        return labels_of_ranker(target, ranker), n_candidates

    def _ranked(self, blocks, k, restriction=None):
        """Rank the rows in blocks."""
        n_candidates, start = self._n_candidates(), 0
        for rows in blocks.split(_NUMBERS_OF_A_CANDIDATE * n_candidates):
            of_rows = restriction or {}
            if isinstance(restriction, RowSubset):
                stop = start + RowBlocks(rows).n_rows
                of_rows = restriction.between(start, stop)
                of_rows, start = of_rows.arguments(of_rows.subset), stop
            yield self._shortlist(rows, k, of_rows)

    def _shortlist(self, X, k, restriction):
        state = self._state
        ranker = state.ranking.following(self.ranker)
        how = self._how(state.target, ranker)
        found = find_candidates(ranker, X, how, **restriction)
        candidates = Candidates.of_ranking(*found)
        if state.final_estimator is None or not len(candidates):
            scores = np.maximum(candidates.scores, np.exp(LEAST_LOG))
            log_scores = np.log(scores, dtype=np.float64)
        else:
            features = state.describing.following(self._stage_or_default("features"))
            final = state.final.following(self._stage_or_default("final_estimator"))
            log_scores = score_candidates(final, describe(features, X, candidates))
        order = np.lexsort((candidates.ranks, -log_scores, candidates.rows))
        rows = candidates.rows
        positions = np.arange(len(rows)) - np.searchsorted(rows, rows)
        kept = positions < k
        cells = rows[kept], positions[kept]
        columns = np.full((len(found[0]), k), -1, dtype=np.int64)
        columns[cells] = candidates.columns[order][kept]
        scores = np.full(columns.shape, -np.inf)
        scores[cells] = log_scores[order][kept]
        return columns, scores

    def _n_candidates(self):
        return min(int(self.n_candidates), len(self._state.classes))

    def _shortlists(self, X):
        blocks = RowBlocks(X)

        def find(k=None):
            return self._ranked(blocks, self._n_candidates() if k is None else k)

        return Shortlists(blocks.n_rows, find)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit, if the ranker has it."""
        return self._fitted().ranker.n_features_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.ranker).input_tags
        for name in ("sparse", "string", "two_d_array"):
            setattr(tags.input_tags, name, getattr(inner, name))
        tags.classifier_tags.multi_label = True
        return tags
