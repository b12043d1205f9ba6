"""Calibrated probabilities for the labels that are ranked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from skxmr._base._documentation import Documented
from skxmr._base._fitted_clone import FittedClone
from skxmr._base._ranking_classifier import RankingClassifier
from skxmr._base._state import from_state, writes
from skxmr._inputs._known_classes import known_classes
from skxmr._inputs._row_blocks import RowBlocks, with_rows
from skxmr._inputs._validation import (
    Interval,
    StrOptions,
    check_structure,
    fit_context,
)
from skxmr._targets import ClassTarget, IndicatorTarget, Shortlists, logs_of_scores
from skxmr._utils._typing import MatrixLike
from skxmr.decisions._meta_estimator import LearnsFromHeldOutRows
from skxmr.decisions._score_maps import LabelMaps, fit_maps
from skxmr.ranking import RowSubset, has_row_masks, rank, resolve_row_subset

__all__ = ["SparseCalibrator"]


@dataclass(frozen=True)
class CalibratorState:
    """The fitted state of a `SparseCalibrator`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    classes : ndarray of shape (n_labels,)
    deciding : FittedClone
        The fitted estimator.
    maps : LabelMaps
    """

    target: IndicatorTarget | ClassTarget
    classes: np.ndarray
    deciding: FittedClone
    maps: LabelMaps

    @property
    def estimator(self):
        """The fitted estimator."""
        return self.deciding.estimator


class SparseCalibrator(
    Documented, LearnsFromHeldOutRows, RankingClassifier, BaseEstimator
):
    r"""Turn the scores of ranked labels into probabilities.

    Of the labels that get a probability of .7, about 70% should be true. This estimator
    wraps one that ranks labels, scores rows that its clones were not fitted to, and
    fits a map from score to probability to their best labels. It is for many labels
    what `sklearn.calibration.CalibratedClassifierCV` with ``ensemble=False`` is for a
    few classes: time and memory grow with the candidates, not with rows times labels.

    Parameters
    ----------
    estimator : estimator
        Any estimator that `skxmr.rank` supports, such as `XRLinearClassifier`,
        `TextRetriever`, `RankFusion`, a pipeline, or another classifier of
        scikit-learn.
    method : {"isotonic", "sigmoid", "temperature"}, default="isotonic"
        The map: the best function that does not fall ("isotonic"), which gives ties;
        the logistic function of a linear function of the score's log odds ("sigmoid"),
        or of a multiple of them ("temperature"). Scores that are not between 0 and 1
        take the place of the log odds. The last two need fewer rows.
    k : int, default=5
        How many of the best labels of each held-out row the map is fitted to. It is
        right on average over the first k labels; of the same score, those at a lower
        rank are less often true.
    n_groups : int, default=1
        With more than one, labels are divided by their number of rows into groups with
        about the same number of candidates, and each has a map of its own. The labels
        of a row are then ranked by their probabilities. With one group, rankings are
        those of `estimator`.
    n_candidates : int, default=100
        The most labels of a row that get a probability in `predict_proba`, and that
        are ranked by it if there are groups.
    decision_threshold : float, default=0.5
        `predict` returns the labels whose probability is above it; see
        `LabelThresholdCV`, which can be wrapped around this.
    cv : int, float, cross-validation generator, iterable or "prefit", default=None
        How rows are held out, as in `LabelThresholdCV`.
    refit : bool, default=True
        Whether the estimator is fitted to all rows in the end. False keeps the one that
        the scores are from; it needs a single split.
    n_jobs : int or None, default=None
        The number of folds that are fitted at a time.
    verbose : int, default=0
        Whether the progress of `fit` is printed.
    random_state : int, RandomState or None, default=None
        Shuffles the rows, if `cv` is a number.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    classes_ : ndarray of shape (n_labels,)
        Class labels, names of columns, or column numbers of an indicator.
    n_features_in_ : int
        Number of features seen during fit, if the estimator has it.

    See Also
    --------
    skxmr.metrics.expected_calibration_error : Measures calibration.
    LabelThresholdCV : Decides how many labels a row gets.
    sklearn.calibration.CalibratedClassifierCV : For few classes.

    Notes
    -----
    For a 1-D `y`, all classes have one map, and `predict_proba` divides the values of a
    row by their sum.

    References
    ----------
    .. [1] B. Zadrozny and C. Elkan, "Transforming classifier scores into accurate
       multiclass probability estimates", KDD 2002.
    .. [2] N. Ullah, E. Schultheis, J. Zhang and R. Babbar, "How well calibrated are
       extreme multi-label classifiers? An empirical analysis", KDD 2025,
       arXiv 2411.04276.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skxmr import SparseCalibrator, WordNgramTfidf, XRLinearClassifier, rank
    >>> from skxmr.datasets import load_subjects
    >>> from skxmr.metrics import expected_calibration_error
    >>> titles, subjects = load_subjects(return_X_y=True)
    >>> train, test = slice(0, 3000), slice(3000, 4000)
    >>> tagger = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0))
    >>> tagger = tagger.fit(titles[train], subjects[train])
    >>> calibrated = SparseCalibrator(tagger, cv=3, random_state=0)
    >>> calibrated = calibrated.fit(titles[train], subjects[train])
    >>> for model in (tagger, calibrated):
    ...     ranking = rank(model, titles[test], k=5)
    ...     error = expected_calibration_error(subjects[test], ranking, k=5)
    ...     print(f"{error:.2f}")
    0.03
    0.01
    """

    _parameter_constraints: ClassVar[dict] = {
        **LearnsFromHeldOutRows._parameter_constraints,
        "method": [StrOptions({"isotonic", "sigmoid", "temperature"})],
        "k": [Interval(Integral, 1, None, closed="left")],
        "n_groups": [Interval(Integral, 1, None, closed="left")],
        "decision_threshold": [Interval(Real, 0, 1, closed="both")],
    }

    _search_parameters = ("n_candidates", "decision_threshold")

    def __init__(
        self,
        estimator: Any,
        *,
        method: str = "isotonic",
        k: int = 5,
        n_groups: int = 1,
        n_candidates: int = 100,
        decision_threshold: float = 0.5,
        cv: Any = None,
        refit: bool = True,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.method = method
        self.k = k
        self.n_groups = n_groups
        self.n_candidates = n_candidates
        self.decision_threshold = decision_threshold
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    classes_ = from_state("classes", "Class labels, or column numbers of an indicator.")
    estimator_ = from_state("estimator", "The fitted estimator.")

    # The estimator is validated by its own fit.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: MatrixLike, **fit_params: Any) -> Self:
        """Fit the map to held-out rows, and the estimator to all.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimator.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1, rows of label names, or class labels of any type.
        **fit_params : dict
            Passed to ``estimator.fit``, as in `LabelThresholdCV`.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If `cv` is "prefit" and `estimator` is not fitted.
        ValueError
            If an argument is invalid, arguments do not match, or `refit` and `cv` do
            not go together.
        """
        data = self._held_out_rows(X, y, fit_params)
        pairs, fitted = self._score_held_out(data, self.k)
        maps = fit_maps(pairs, self.method, int(self.n_groups))
        fitted = FittedClone.of(self._fit_finally(data, fitted))
        self._state = CalibratorState(data.target, data.target.classes, fitted, maps)
        return self

    def _rank_in_blocks(self, X, allowed, excluded, unknown):
        blocks = RowBlocks(X)
        if has_row_masks(allowed, excluded):
            masks = blocks.n_rows, allowed, excluded, unknown
            choice = self._choice_by_row(*masks)
        else:
            choice = self._choice(allowed, excluded, unknown)
        return blocks.n_rows, partial(self._calibrated, blocks, choice=choice)

    def _choice_by_row(self, n_rows, allowed, excluded, unknown):
        """Return the labels of each row; columns are those of the estimator."""

        def of_estimator(allowed, unknown):
            return self._choice(allowed, None, unknown)["allowed"]

        known = known_classes(self._state)
        return resolve_row_subset(
            of_estimator, known, n_rows, allowed, excluded, unknown
        )

    def _pair_scorer(self, X):
        X = with_rows(check_structure(X, "X"))

        def score(among):
            scores = self._scores_among(X, among)[:, np.newaxis]
            columns = np.where(scores != 0, among.columns[:, np.newaxis], -1)
            return self._state.maps.calibrate(columns, scores, 1)[1][:, 0]

        return RowBlocks(X).n_rows, score

    def _shortlists(self, X):
        blocks = RowBlocks(X)
        n_candidates = min(int(self.n_candidates), self._n_labels())

        def find(k=None):
            k = n_candidates if k is None else k
            for columns, scores in self._calibrated(blocks, k):
                yield logs_of_scores(columns, scores)

        return Shortlists(blocks.n_rows, find)

    def _calibrated(self, blocks, k, choice=None):
        """Rank the rows in blocks."""
        maps, estimator, n_ranked = self._state.maps, self._following(), k
        if maps.group_of_label is not None:
            n_ranked = max(k, min(int(self.n_candidates), self._n_labels()))
        start = 0
        for rows in blocks.split(n_ranked):
            of_rows = choice or {}
            if isinstance(choice, RowSubset):
                stop = start + RowBlocks(rows).n_rows
                of_rows = choice.between(start, stop)
                of_rows, start = of_rows.arguments(of_rows.subset), stop
            ranking = rank(estimator, rows, n_ranked, **of_rows)
            yield maps.calibrate(*ranking, k)
