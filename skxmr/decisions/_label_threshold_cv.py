"""Decisions by thresholds that are tuned on held-out rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from skxmr._base._documentation import Documented
from skxmr._base._fitted_clone import FittedClone
from skxmr._base._ranking_classifier import Classifier
from skxmr._base._state import from_state, reads, writes
from skxmr._inputs._known_classes import known_classes
from skxmr._inputs._row_blocks import RowBlocks, with_rows
from skxmr._inputs._validation import (
    Interval,
    StrOptions,
    check_structure,
    fit_context,
)
from skxmr._targets import ClassTarget, IndicatorTarget, Shortlists
from skxmr._utils._typing import (
    ArrayLike,
    Matrix,
    MatrixLike,
    Ranking,
    SomeLabels,
    Texts,
)
from skxmr.decisions._held_out import scores_of_second
from skxmr.decisions._meta_estimator import LearnsFromHeldOutRows, estimator_has
from skxmr.decisions._pairs import relative_scores, shares_of_scores
from skxmr.decisions._thresholds import Thresholds, best_global, best_per_label
from skxmr.ranking import LabelSubset, Pairs, rank

__all__ = ["LabelThresholdCV"]

_AVERAGES = {"f1_micro": "micro", "f1_macro": "macro", "f1_samples": "samples"}
# What a threshold is compared with instead of the scores.
_RESCORE = {"relative": relative_scores, "expected_count": shares_of_scores}


@dataclass(frozen=True)
class ThresholdState:
    """The fitted state of a `LabelThresholdCV`.

    Parameters
    ----------
    target : IndicatorTarget or ClassTarget
    classes : ndarray of shape (n_labels,)
    deciding : FittedClone
        The fitted estimator.
    kind : {"global", "per_label", "relative", "expected_count"}
    tuned : Thresholds or None
        None if there are more than two classes.
    """

    target: IndicatorTarget | ClassTarget
    classes: np.ndarray
    deciding: FittedClone
    kind: str
    tuned: Thresholds | None

    @property
    def estimator(self):
        """The fitted estimator."""
        return self.deciding.estimator

    @property
    def best_threshold(self):
        """The threshold of all labels, or None."""
        return None if self.tuned is None else self.tuned.best

    @property
    def thresholds(self):
        """The thresholds of each label, or None."""
        return None if self.tuned is None else self.tuned.by_label

    @property
    def best_score(self):
        """The F1 of held-out rows, or None."""
        return None if self.tuned is None else self.tuned.score


class LabelThresholdCV(Documented, LearnsFromHeldOutRows, Classifier, BaseEstimator):
    """Decide how many labels each row gets, by thresholds tuned on held-out rows.

    A ranking does not say where to stop. This estimator wraps one that ranks labels,
    scores rows that its clones were not fitted to, and finds the thresholds of these
    scores with the best F1; `predict` then gives the labels that reach them. It is for
    many labels what `sklearn.model_selection.TunedThresholdClassifierCV` is for two
    classes. Every possible threshold is compared, in one pass over the sorted scores of
    the candidates: time and memory grow with their number, not with rows times labels.

    Parameters
    ----------
    estimator : estimator
        Any estimator that `skxmr.rank` supports, such as `XRLinearClassifier`,
        `TextRetriever`, `RankFusion`, a pipeline, or another classifier of
        scikit-learn.
    scoring : {"f1_micro", "f1_macro", "f1_samples"}, default="f1_micro"
        What the thresholds maximise: F1 over all pairs of a row and a label, the mean
        of the labels' F1, or that of the rows' F1.
    thresholds : {"auto", "global", "per_label", "relative", "expected_count"}, \
            default="auto"
        Which thresholds are tuned:

        - "global": one for the scores of all labels;
        - "per_label": one for each label, with `smoothing` for labels with few rows;
          not with "f1_samples";
        - "relative": one for the scores divided by the highest score of their row, so
          that each row gets at least one label. Scores must not be negative;
        - "expected_count": each row gets as many labels as its probabilities add up to,
          times a factor that is tuned: a label is chosen if the sum, divided by its
          rank less one half, reaches `best_threshold_`. Scores must not be negative.
        - "auto": "per_label" for "f1_micro" and "f1_macro"; for "f1_samples" that of
          "global", "relative" and "expected_count" with the best F1 of the held-out
          rows ("global" if scores are negative).
    smoothing : float, default=100.0
        With "per_label", how many rows like those of all labels are added to the rows
        of each label when its threshold is chosen.
    n_candidates : int, default=100
        The most labels that a row can get; those with the highest scores.
    cv : int, float, cross-validation generator, iterable or "prefit", default=None
        How rows are held out: the number of shuffled folds (None stands for 5), the
        share of rows in a single held-out set, an object that splits rows, or an
        iterable of splits. "prefit" takes `estimator` as it is, fitted to other rows
        than those of `fit`; `refit` must then be False. So does a `FrozenEstimator` of
        scikit-learn, with any `cv`.
    refit : bool, default=True
        Whether the estimator is fitted to all rows in the end. False keeps the one that
        the thresholds were tuned on; it needs a single split.
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
    best_threshold_ : float or None
        The threshold of all labels; with "per_label", of labels that have no rows; None
        for more than two classes.
    thresholds_ : ndarray of shape (n_labels,), float64, or None
        With "per_label", the threshold of each label.
    best_score_ : float or None
        The F1 of all held-out rows at these thresholds.
    kind_ : {"global", "per_label", "relative", "expected_count"}
        Which of `thresholds` were tuned.
    classes_ : ndarray of shape (n_labels,)
        Class labels, names of columns, or column numbers of an indicator.
    n_features_in_ : int
        Number of features seen during fit, if the estimator has it.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : For two classes.
    skxmr.metrics.f1_at_k : F1 of a fixed number of labels per row.

    Notes
    -----
    For a 1-D `y` with two classes, the threshold is that of the second class, and
    maximises its F1, whatever the scoring. With more than two classes there is nothing
    to tune: each row gets the class that the estimator predicts.

    Rows count as held-out once; scores of several folds are compared with each other as
    they are. True labels that are not among the candidates of a row count as missed.

    References
    ----------
    .. [1] Y. Yang, "A study on thresholding strategies for text categorization", SIGIR
       2001.
    .. [2] R.-E. Fan and C.-J. Lin, "A study on threshold selection for multi-label
       classification", National Taiwan University, 2007.
    .. [3] Z. C. Lipton, C. Elkan and B. Naryanaswamy, "Optimal thresholding of
       classifiers to maximize F1 measure", ECML PKDD 2014.

    Examples
    --------
    >>> from sklearn.metrics import f1_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from skxmr import LabelThresholdCV, WordNgramTfidf, XRLinearClassifier
    >>> from skxmr.datasets import load_subjects
    >>> titles, subjects = load_subjects(return_X_y=True)
    >>> tagger = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0))
    >>> tuned = LabelThresholdCV(tagger, cv=0.2, random_state=0)
    >>> tuned = tuned.fit(titles[:3000], subjects[:3000])
    >>> tuned.best_threshold_ < 0.5
    True
    >>> predicted = tuned.predict(titles[3000:4000])
    >>> predicted.shape == subjects[3000:4000].shape
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **LearnsFromHeldOutRows._parameter_constraints,
        "scoring": [StrOptions(set(_AVERAGES))],
        "thresholds": [StrOptions({"auto", "global", "per_label", *_RESCORE})],
        "smoothing": [Interval(Real, 0, None, closed="left")],
    }

    _search_parameters = ("n_candidates",)

    def __init__(
        self,
        estimator: Any,
        *,
        scoring: str = "f1_micro",
        thresholds: str = "auto",
        smoothing: float = 100.0,
        n_candidates: int = 100,
        cv: Any = None,
        refit: bool = True,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.scoring = scoring
        self.thresholds = thresholds
        self.smoothing = smoothing
        self.n_candidates = n_candidates
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    classes_ = from_state("classes", "Class labels, or column numbers of an indicator.")
    estimator_ = from_state("estimator", "The fitted estimator.")
    best_threshold_ = from_state("best_threshold", "The threshold of all labels.")
    thresholds_ = from_state("thresholds", "The threshold of each label, or None.")
    best_score_ = from_state("best_score", "The F1 of the held-out rows.")
    kind_ = from_state("kind", "Which thresholds were tuned.")

    # The estimator is validated by its own fit.
    @writes
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: MatrixLike, **fit_params: Any) -> Self:
        """Tune the thresholds on held-out rows, and fit the estimator.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimator.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or array-like \
                of shape (n_samples,)
            An indicator of 0 and 1, rows of label names, or class labels of any type.
        **fit_params : dict
            Passed to ``estimator.fit``, such as ``label_texts`` of `TextRetriever`. Of
            lists and arrays with n_samples rows, each fold gets its rows; mappings and
            `LabelTexts` are never divided. Rows of names and data frames reach the
            estimator as an indicator without names: ``label_texts`` and ``label_names``
            may be a mapping from name to text, or a sequence in the order of the
            columns, which for rows of names are the sorted names. With metadata
            routing, what `estimator` requests goes there, and ``groups`` to `cv`.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            If `cv` is "prefit" and `estimator` is not fitted.
        ValueError
            If an argument is invalid, arguments do not match, `refit` and `cv` do not
            go together, or "per_label" meets "f1_samples".

        Warns
        -----
        UserWarning
            If no true label of an indicator is a candidate of its held-out row.
        """
        self._check_kind()
        data = self._held_out_rows(X, y, fit_params)
        kind, tuned, fitted = "global", None, None
        is_class = isinstance(data.target, ClassTarget)
        if not is_class or data.target.n_labels == 2:
            pairs, fitted = self._score_held_out(
                data.of_second() if is_class else data, self.n_candidates
            )
            kind, tuned = ("global", best_global(pairs, "micro"))
            if not is_class:
                kind, tuned = self._tune(pairs)
        fitted = FittedClone.of(self._fit_finally(data, fitted))
        classes = data.target.classes
        self._state = ThresholdState(data.target, classes, fitted, kind, tuned)
        return self

    def _check_kind(self):
        """Raise ValueError if the parameters do not go together."""
        if self.thresholds == "per_label" and self.scoring == "f1_samples":
            raise ValueError(
                "thresholds='per_label' cannot maximise scoring='f1_samples', in which "
                "labels depend on each other; use 'global', 'relative' or "
                "'expected_count'."
            )

    def _tune(self, pairs):
        """Return which thresholds are used, and the best of them."""
        if not pairs.is_true.any():
            warnings.warn(
                "No label of the held-out rows is among their candidates, so that no "
                "threshold has an F1 above 0; the one that is used is above all their "
                "scores. Most labels need rows in several folds.",
                UserWarning,
                stacklevel=6,
            )
        kinds = [self.thresholds]
        if self.thresholds == "auto":
            kinds = ["per_label"]
            if self.scoring == "f1_samples":
                is_signed = pairs.scores.min(initial=0) < 0
                # Each has a single number, so that their F1 can be compared.
                kinds = ["global"] if is_signed else ["global", *_RESCORE]
        tuned = [(kind, self._best(kind, pairs)) for kind in kinds]
        return max(tuned, key=lambda pair: pair[1].score)

    def _best(self, kind, pairs):
        average = _AVERAGES[self.scoring]
        if kind == "per_label":
            return best_per_label(pairs, average, float(self.smoothing))
        if kind in _RESCORE:
            lowest = pairs.scores.min(initial=0)
            if lowest < 0:
                raise ValueError(
                    f"thresholds={kind!r} needs scores that are not negative; "
                    f"estimator gives scores from {lowest:.6g}."
                )
            pairs = pairs.rescored(_RESCORE[kind])
        return best_global(pairs, average)

    @reads
    def predict(self, X: MatrixLike | Texts) -> Matrix:
        """Predict the labels whose scores reach the thresholds.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimator.

        Returns
        -------
        csr_matrix, csr_array or ndarray of shape (n_samples, n_labels), or ndarray \
                of shape (n_samples,)
            In the form of y.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X is invalid.
        """
        state = self._ready()
        estimator = self._following()
        if state.tuned is None:
            return estimator.predict(X)
        if not isinstance(state.target, IndicatorTarget):
            scores = scores_of_second(estimator, X, state.target)
            return state.classes[(scores >= state.tuned.best).astype(np.int64)]
        blocks = RowBlocks(X)
        n_candidates = min(int(self.n_candidates), len(state.classes))

        def chosen(_):
            for rows in blocks.split(n_candidates):
                columns, scores = rank(estimator, rows, n_candidates)
                columns = _chosen(state, columns, scores)
                yield columns, np.where(columns >= 0, 0.0, -np.inf)

        return state.target.predict(Shortlists(blocks.n_rows, chosen), 0.5)

    @available_if(estimator_has("predict_proba"))
    @reads
    def predict_proba(self, X: MatrixLike | Texts) -> Matrix:
        """Return the probabilities that the estimator predicts.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimator.

        Returns
        -------
        sparse matrix or ndarray of shape (n_samples, n_labels)
        """
        self._ready()
        return self._following().predict_proba(X)

    @available_if(estimator_has("decision_function"))
    @reads
    def decision_function(self, X: MatrixLike | Texts) -> Matrix:
        """Return the scores that the estimator gives.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimator.

        Returns
        -------
        sparse matrix or ndarray of shape (n_samples, n_labels), or (n_samples,)
            Of two classes, by how much the second one's probability exceeds its
            threshold.
        """
        state = self._ready()
        if state.tuned is None or isinstance(state.target, IndicatorTarget):
            return self._following().decision_function(X)
        scores = scores_of_second(self._following(), X, state.target)
        return scores - state.tuned.best

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
        """Find the best k labels of each row, whatever the thresholds.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimator.
        k : int, default=10
            The number of labels per row.
        allowed : LabelSubset, iterable of labels, or sparse matrix, default=None
            As in `skxmr.rank`.
        excluded : iterable of labels, or sparse matrix, default=None
            As in `skxmr.rank`.
        unknown : {"raise", "ignore"}, default="raise"
            As in `skxmr.rank`.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int64
            Columns of y, or indices into `classes_`, best first; -1 if fewer labels are
            found.
        scores : ndarray of shape (n_samples, k)

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If X is invalid, or `k` is not positive.
        """
        self._ready()
        choice = self._choice(allowed, excluded, unknown)
        return rank(self._following(), X, k, **choice)

    @reads
    def score_pairs(
        self,
        X: MatrixLike | Texts,
        rows: ArrayLike,
        labels: ArrayLike,
        *,
        unknown: Literal["raise", "ignore"] = "raise",
    ) -> NDArray:
        """Score given pairs of a row and a label, whatever the thresholds.

        Parameters
        ----------
        X : array-like, sparse matrix or list of str, of n_samples rows
            The input of the estimator.
        rows : array-like of shape (n_pairs,), int
            The row of X of each pair, in any order.
        labels : array-like of shape (n_pairs,)
            The label of each pair.
        unknown : {"raise", "ignore"}, default="raise"
            As in `skxmr.score_pairs`.

        Returns
        -------
        ndarray of shape (n_pairs,)
            As from `skxmr.score_pairs` of the estimator.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        ValueError
            If a row or a label does not exist, or there are not as many rows as labels.
        """
        state = self._ready()
        X = with_rows(check_structure(X, "X"))
        shape = RowBlocks(X).n_rows, len(state.classes)
        pairs = Pairs.of(rows, labels, shape, known_classes(state), unknown)
        return pairs.spread(self._scores_among(X, pairs.among))


def _chosen(state, columns, scores):
    """Replace the columns that are not chosen by -1."""
    thresholds = state.tuned.best
    if state.kind in _RESCORE:
        scores = _RESCORE[state.kind](scores)
    elif state.kind == "per_label":
        thresholds = state.tuned.by_label[columns]
    return np.where(scores.astype(np.float64) >= thresholds, columns, -1)
