"""Thresholds of skxmr on one classifier."""

from time import process_time

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import KFold

from benchmarks.decisions.evaluation import MEASURES
from benchmarks.decisions.peers import MOST_LABELS, Decided
from benchmarks.jobs import SETTINGS
from skxmr import KMeansTree, LabelThresholdCV, XRLinearClassifier, rank

KINDS = ("global", "per_label", "relative", "expected_count")


def classifier(seed, threads):
    """The classifier, with the parameters that the peers get, too."""
    return XRLinearClassifier(
        indexer=KMeansTree(
            branching_factor=SETTINGS["branching_factor"],
            max_leaf_size=SETTINGS["max_leaf_size"],
        ),
        C=SETTINGS["C"],
        tol=SETTINGS["tol"],
        max_iter=SETTINGS["max_iter"],
        beam_width=SETTINGS["beam_width"],
        n_jobs=threads,
        random_state=seed,
    )


class Stored(BaseEstimator):
    """An estimator that has ranked all rows: its X are row numbers.

    Parameters
    ----------
    columns, scores : ndarray of shape (n_rows, k)
        As `skxmr.rank` returns them.
    n_labels : int
    """

    def __init__(self, columns, scores, n_labels):
        self.columns, self.scores, self.n_labels = columns, scores, n_labels
        self.classes_ = np.arange(n_labels)

    def fit(self, X, y):
        """Return the estimator, which is fitted."""
        del X, y
        return self

    def rank(self, X, k):
        """Return the best k labels of some rows."""
        rows = np.ravel(X)
        return self.columns[rows, :k], self.scores[rows, :k]


def decide_all(problem, seed, threads, n_folds=5):
    """Decide by all kinds of thresholds.

    The classifiers of the folds are trained once, and their seconds count for every
    kind.

    Parameters
    ----------
    problem : Problem
    seed : int
        Of the tree and of the folds.
    threads : int
    n_folds : int

    Returns
    -------
    dict of str to Decided
    """
    X, Y = problem.X_train, problem.Y_train
    base = classifier(seed, threads)
    fitted, train_s = _timed(clone(base).fit, X, Y)
    held_out, folds_s = _timed(rank_held_out, base, X, Y, n_folds)
    test, rank_s = _timed(rank, fitted, problem.X_test, MOST_LABELS)
    half, half_s = _timed(fitted.predict, problem.X_test)
    n_test = problem.X_test.shape[0]
    whole = dict.fromkeys(MEASURES, sp.csr_array(half))
    found = {"0.5": Decided(whole, train_s, half_s / n_test)}
    for kind in KINDS:
        chosen, seconds = {}, []
        for measure in MEASURES:
            if (kind, measure) == ("per_label", "f1_samples"):
                continue
            tuned, tune_s = _timed(tune, held_out, Y, kind, measure)
            tuned.estimator_.columns, tuned.estimator_.scores = test
            rows = np.arange(n_test)[:, np.newaxis]
            chosen[measure], predict_s = _timed(tuned.predict, rows)
            chosen[measure] = sp.csr_array(chosen[measure])
            seconds.append((train_s + folds_s + tune_s, (rank_s + predict_s) / n_test))
        found[kind] = Decided(chosen, *seconds[0])
    return found


def rank_held_out(base, X, Y, n_folds):
    """Rank each row by a clone that is fitted to the rows of the other folds.

    Returns
    -------
    columns, scores : ndarray of shape (n_rows, k)
    """
    k = min(MOST_LABELS, Y.shape[1])
    columns = np.full((X.shape[0], k), -1, dtype=np.int64)
    scores = np.zeros((X.shape[0], k), dtype=np.float32)
    folds = KFold(n_folds, shuffle=True, random_state=base.random_state)
    for train, test in folds.split(X):
        fitted = clone(base).fit(X[train], Y[train])
        columns[test], scores[test] = rank(fitted, X[test], k)
    return columns, scores


def tune(held_out, Y, kind, measure):
    """Tune one kind of thresholds to rows that are ranked."""
    stored = Stored(*held_out, Y.shape[1])
    tuned = LabelThresholdCV(
        stored, scoring=measure, thresholds=kind, cv="prefit", refit=False
    )
    return tuned.fit(np.arange(Y.shape[0])[:, np.newaxis], Y)


def _timed(function, *args):
    """The result of a call, and its seconds of CPU."""
    start = process_time()
    result = function(*args)
    return result, process_time() - start
