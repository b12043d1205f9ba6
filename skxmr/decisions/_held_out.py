"""Scores of held-out rows by estimators that are fitted to the others."""

from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._validation import take_rows
from skxmr._targets import ClassTarget, IndicatorTarget
from skxmr.decisions._pairs import ScoredPairs
from skxmr.ranking import final_estimator, rank

__all__ = ["HeldOutRows", "folds_of", "pairs_of_fold", "scores_of_second"]

_N_SPLITS = 5
_MAX_INT32 = np.iinfo(np.int32).max


@dataclass(frozen=True)
class HeldOutRows:
    """Rows of which some are held out in turn.

    Attributes
    ----------
    X : sparse matrix, array-like, data frame or list of n_samples rows
    y : ndarray or sparse matrix
        As estimators take it.
    Y : csr_array of shape (n_samples, n_labels)
        Stored for each label of a row.
    target : IndicatorTarget or ClassTarget
    fit_params : dict of str to object
        Further arguments of fit.
    split_params : dict of str to object
        Further arguments of the splitter, such as ``groups``.
    is_binary : bool
        Whether only the second of two classes is scored.
    """

    X: Any
    y: Any
    Y: sparse.csr_array
    target: IndicatorTarget | ClassTarget
    fit_params: dict = field(default_factory=dict)
    split_params: dict = field(default_factory=dict)
    is_binary: bool = False

    @property
    def n_rows(self):
        """The number of rows."""
        return self.Y.shape[0]

    @property
    def n_labels(self):
        """The number of labels."""
        return self.Y.shape[1]

    def of_second(self):
        """Return the same data, of whose two classes only the second is scored."""
        return replace(self, is_binary=True)

    def fit(self, estimator, rows):
        """Fit an estimator to some rows, with their part of the further arguments.

        Parameters
        ----------
        estimator : estimator
            Fitted in place.
        rows : ndarray of int64

        Returns
        -------
        estimator
        """
        params = {
            name: take_rows(value, rows) if self._has_rows(value) else value
            for name, value in self.fit_params.items()
        }
        return estimator.fit(take_rows(self.X, rows), take_rows(self.y, rows), **params)

    def score(self, estimator, rows, n_candidates):
        """Score the candidates of some rows by a fitted estimator.

        Parameters
        ----------
        estimator : estimator
        rows : ndarray of int64
        n_candidates : int

        Returns
        -------
        ScoredPairs

        Raises
        ------
        ValueError
            If the estimator was fitted to other labels.
        """
        X, Y = take_rows(self.X, rows), self.Y[rows]
        if self.is_binary:
            scores = scores_of_second(estimator, X, self.target)[:, np.newaxis]
            columns = np.zeros(scores.shape, dtype=np.int64)
            return ScoredPairs.of_ranking(columns, scores, Y[:, [1]])
        columns, scores = rank(estimator, X, n_candidates)
        if isinstance(self.target, ClassTarget):
            columns = self._columns_of_classes(columns, estimator)
        if columns.max(initial=-1) >= self.n_labels:
            raise ValueError(
                f"y has {self.n_labels} columns; expected those that estimator was "
                f"fitted to, of which it found number {columns.max()}."
            )
        return ScoredPairs.of_ranking(columns, scores, Y)

    def check_classes(self, estimator):
        """Raise ValueError if a fitted estimator has not all classes of y.

        Its columns would stand for other ones.

        Parameters
        ----------
        estimator : estimator
        """
        if not isinstance(self.target, ClassTarget):
            return
        classes = np.asarray(final_estimator(estimator).classes_)
        if len(classes) != self.n_labels:
            raise ValueError(
                f"estimator was fitted to {len(classes)} classes; expected the "
                f"{self.n_labels} of y."
            )
        self._columns_of_classes(np.zeros(0, dtype=np.int64), estimator)

    def _columns_of_classes(self, columns, estimator):
        """Replace columns of a fold's classes by those of all classes."""
        classes = np.asarray(final_estimator(estimator).classes_)
        own = KnownClasses(self.target.classes).find(classes)
        if (own < 0).any():
            raise ValueError(
                f"estimator was fitted to other classes than those of y, such as "
                f"{classes[own < 0][:1].tolist()[0]!r:.50}."
            )
        return np.where(columns >= 0, own[columns], -1)

    def _has_rows(self, value):
        if isinstance(value, (str, bytes, dict)):
            return False
        shape = getattr(value, "shape", None)
        if shape is not None:
            return len(shape) > 0 and shape[0] == self.n_rows
        return isinstance(value, (list, tuple)) and len(value) == self.n_rows


def pairs_of_fold(estimator, data, fold, n_candidates):
    """Fit an estimator to the training rows of a fold, and score its other rows.

    Parameters
    ----------
    estimator : estimator
        Fitted in place.
    data : HeldOutRows
    fold : (train, held_out)
        Row indices.
    n_candidates : int

    Returns
    -------
    estimator
    ScoredPairs
    """
    train, held_out = fold
    data.fit(estimator, train)
    return estimator, data.score(estimator, held_out, n_candidates)


def scores_of_second(estimator, X, target):
    """Return the probability of the second of two classes, or the decision for it.

    Parameters
    ----------
    estimator : estimator
        Fitted; it has ``predict_proba`` or ``decision_function``.
    X : sparse matrix, array-like, data frame or list of n_samples rows
    target : ClassTarget
        Of two classes.

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError
        If the estimator was fitted to other classes.
    """
    known = KnownClasses(np.asarray(final_estimator(estimator).classes_))
    if known.find(target.classes).tolist() != [0, 1]:
        raise ValueError(
            f"estimator was fitted to other classes than those of y, "
            f"{target.classes.tolist()!r:.80}."
        )
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(X), dtype=np.float64)[:, 1]
    return np.asarray(estimator.decision_function(X), dtype=np.float64)


def folds_of(cv, data, random):
    """List the splits into training and held-out rows.

    Parameters
    ----------
    cv : int, float, cross-validation generator, iterable or None
    data : HeldOutRows
    random : RandomState

    Returns
    -------
    list of (train, held_out)
        Row indices.
    """
    # Many classes have too few rows to be divided.
    is_class = isinstance(data.target, ClassTarget) and data.target.n_labels == 2
    of_classes = data.Y.indices if is_class else None
    cv = _N_SPLITS if cv is None else cv
    seed = random.randint(_MAX_INT32)
    if isinstance(cv, Integral):
        kind = StratifiedKFold if is_class else KFold
        cv = kind(cv, shuffle=True, random_state=seed)
    elif isinstance(cv, Real):
        kind = StratifiedShuffleSplit if is_class else ShuffleSplit
        cv = kind(1, test_size=cv, random_state=seed)
    splits = check_cv(cv).split(np.zeros(data.n_rows), of_classes, **data.split_params)
    return list(splits)
