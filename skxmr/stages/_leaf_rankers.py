"""Custom rankers: a binary classifier for each label, trained on its parent's rows."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from skxmr._base._fitted_clone import FittedClone
from skxmr._inputs._validation import public_csr
from skxmr._parallel._parallel import run_tasks
from skxmr._training._targets import LevelTargets
from skxmr._utils._compressed import Compressed
from skxmr.stages._scores import log_scores_of_yes, rows_for

__all__ = ["LeafRankers", "fit_leaf_rankers"]


class LeafRankers:
    """The fitted rankers of all labels.

    Parameters
    ----------
    child_offsets : ndarray of shape (n_parents + 1,), int64
        The labels of each parent, as nodes of the last level.
    estimators : list of (estimator or None)
        For each node of the last level; None if all rows are positive or all negative,
        so that the label has its parent's score.
    features : list of (ndarray of int32 or None)
        For each parent, the features that occur in its training rows: the columns of
        its rankers. None for dense rows, of which rankers get all columns.
    is_dense : bool
        Whether rankers get dense rows.
    """

    def __init__(self, child_offsets, estimators, features, is_dense):
        self.child_offsets = child_offsets
        self.estimators = estimators
        self.features = features
        self.is_dense = is_dense
        # All are clones of one estimator.
        fitted = (one for one in estimators if one is not None)
        self.first = FittedClone.of(next(fitted, None))

    def following(self, parameter):
        """Return the rankers with the current parameters of prediction.

        Parameters
        ----------
        parameter : estimator or None
            The estimator that was cloned, with its current parameters.

        Returns
        -------
        LeafRankers
        """
        fitted = self.first
        if fitted.following(parameter) is fitted.estimator:
            return self
        estimators = [
            None if one is None else fitted.like(one).following(parameter)
            for one in self.estimators
        ]
        return LeafRankers(self.child_offsets, estimators, self.features, self.is_dense)

    def log_scores(self, X, nodes, transform, n_jobs):
        """Score labels for rows.

        Parameters
        ----------
        X : Compressed or DenseRows
        nodes : ndarray of shape (n_samples, n_candidates), int64
            Nodes of the last level, counted from 0; -1 for none.
        transform : str
            For decision values, if there are no probabilities.
        n_jobs : int or None

        Returns
        -------
        ndarray of shape (n_samples, n_candidates), float64
            -inf if there is no candidate.
        """
        rows, positions = np.nonzero(nodes >= 0)
        wanted = nodes[rows, positions]
        order = np.lexsort((rows, wanted))
        parents = np.searchsorted(self.child_offsets, wanted[order], side="right") - 1
        cuts = np.flatnonzero(np.diff(parents)) + 1
        groups = np.split(order, cuts) if len(order) else []
        tasks = (
            self._task(X, int(parents[first]), rows[group], wanted[group], transform)
            for first, group in zip([0, *cuts.tolist()], groups, strict=False)
        )
        scores = np.full(nodes.shape, -np.inf)
        found = run_tasks(_score_leaf, tasks, n_jobs=n_jobs)
        if found:
            scores[rows[order], positions[order]] = np.concatenate(found)
        return scores

    def _task(self, X, parent, rows, nodes, transform):
        """Make the task that scores the labels of one parent; nodes are ascending."""
        used, rows = np.unique(rows, return_inverse=True)
        taken = _columns_of(X.take(used), self.features[parent], self.is_dense)
        labels, starts = np.unique(nodes, return_index=True)
        return _ScoringTask(
            taken,
            [self.estimators[label] for label in labels.tolist()],
            np.split(rows, starts[1:]),
            transform,
        )


def fit_leaf_rankers(ranker, X, targets, is_dense, is_weighted, n_jobs):
    """Fit a clone of a custom ranker for each label with positives and negatives.

    Parameters
    ----------
    ranker : estimator
    X : Compressed or DenseRows, a vector for each row
    targets : LevelTargets
        Of the last level.
    is_dense : bool
        Whether rankers get dense rows.
    is_weighted : bool
        Whether the relevance of the rows is passed as ``sample_weight``.
    n_jobs : int or None

    Returns
    -------
    LeafRankers
    """
    tasks = (
        _FittingTask(ranker, one, X.take(one.rows.indices), is_dense, is_weighted)
        for parent in range(len(targets.child_offsets) - 1)
        for one in [targets.between(parent, parent + 1)]
    )
    features, fitted = zip(*run_tasks(_fit_leaf, tasks, n_jobs=n_jobs), strict=True)
    estimators = [estimator for leaf in fitted for estimator in leaf]
    return LeafRankers(targets.child_offsets, estimators, list(features), is_dense)


def _columns_of(X, features, is_dense):
    """Convert rows for rankers; sparse ones to the columns of the training rows."""
    if is_dense:
        return rows_for(X, is_dense)
    X = _compressed(X)
    positions = np.searchsorted(features, X.indices)
    known = positions < len(features)
    known[known] = features[positions[known]] == X.indices[known]
    before = np.concatenate([[0], np.cumsum(known)])
    kept = Compressed(
        before[X.offsets],
        positions[known].astype(np.int32),
        X.values[known],
        max(1, len(features)),
    )
    return public_csr(kept.to_csr())


def _compressed(X):
    return X if isinstance(X, Compressed) else X.to_compressed()


@dataclass(frozen=True)
class _FittingTask:
    """The rows of a parent, and which of them have each of its labels."""

    ranker: object
    targets: LevelTargets
    X: object
    is_dense: bool
    is_weighted: bool


def _fit_leaf(task):
    """Fit the rankers of one parent's labels; None without positives or negatives.

    Returns
    -------
    features : ndarray of int32, or None
    estimators : list of (estimator or None)
    """
    features = None if task.is_dense else np.unique(_compressed(task.X).indices)
    X = _columns_of(task.X, features, task.is_dense)
    labels = task.targets.positives
    return features, [
        _fit_label(task, X, labels.between(child, child + 1))
        for child in range(labels.n_vectors)
    ]


def _fit_label(task, X, right):
    rows = task.targets.rows
    is_right = np.zeros(len(rows.indices), dtype=np.int8)
    positions = np.searchsorted(rows.indices, right.indices)
    is_right[positions] = 1
    # Other rows are not in the training data of the label: negatives are from the
    # matcher.
    kept = (is_right == 1) | (rows.values > 0)
    target = is_right[kept]
    if target.all() or not target.any():
        return None
    X = X if kept.all() else X[kept]
    try:
        if not task.is_weighted:
            return clone(task.ranker).fit(X, target)
        weights = np.ones(len(rows.indices))
        weights[positions] = right.values
        return clone(task.ranker).fit(X, target, sample_weight=weights[kept])
    except Exception as error:
        error.add_note(f"While fitting ranker={task.ranker!r:.80}.")
        raise


@dataclass(frozen=True)
class _ScoringTask:
    """Rows, and the rankers of some labels of one parent, with the rows of each."""

    X: object
    estimators: list
    rows: list
    transform: str


def _score_leaf(task):
    """Score each label for its rows, one label after the other."""
    everyone = np.arange(task.X.shape[0])
    scores = []
    for estimator, rows in zip(task.estimators, task.rows, strict=True):
        if estimator is None:
            scores.append(np.zeros(len(rows)))
            continue
        X = task.X if np.array_equal(rows, everyone) else task.X[rows]
        scores.append(log_scores_of_yes(estimator, X, task.transform, "ranker"))
    return np.concatenate(scores)
