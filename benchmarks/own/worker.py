"""skxmr's XRLinearClassifier with KMeansTree."""

from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from benchworker import run
from benchworker.matrices import row_slice

from skxmr import __version__
from skxmr.linear._classifier import XRLinearClassifier
from skxmr.tree import KMeansTree


class StampedKMeansTree(KMeansTree):
    """Records when the tree is built, to time indexing and training separately.

    The times are in a list of the class, since the classifier fits a clone and keeps
    only its tree.
    """

    stamps = []  # noqa: RUF012 - shared by all clones on purpose

    def fit(self, Z, y=None, *, label_names=None):
        super().fit(Z, y, label_names=label_names)
        self.stamps.append(perf_counter())
        return self


class Skxmr:
    """The estimator as users call it."""

    version = __version__

    def __init__(self, settings, threads, seed):
        self.threads = threads
        self.classifier = XRLinearClassifier(
            indexer=StampedKMeansTree(
                branching_factor=settings["branching_factor"],
                max_leaf_size=settings["max_leaf_size"],
            ),
            loss="squared_hinge",
            C=settings["C"],
            prior_weight=0.0,
            tol=settings["tol"],
            max_iter=settings["max_iter"],
            threshold=settings["threshold"],
            threshold_unit="absolute",
            beam_width=settings["beam_width"],
            score_transform="l3-hinge",
            n_trees=settings.get("n_trees", 1),
            n_jobs=threads,
            random_state=seed,
        )

    def prepare(self, X, Y):
        self.X, self.Y = X, Y

    def fit(self):
        start = perf_counter()
        self.classifier.fit(self.X, self.Y)
        end = perf_counter()
        # Includes the checks of the input and the label vectors, which come before.
        indexed = StampedKMeansTree.stamps[-1]
        return indexed - start, end - indexed

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        joblib.dump(self.classifier, Path(folder, "model.joblib"))

    def load(self, folder, layout):
        del layout
        self.classifier = joblib.load(Path(folder, "model.joblib"))

    def queries(self, X):
        return X

    def predict(self, queries, k, threads):
        self.classifier.set_params(n_jobs=threads)
        return self.classifier.rank(queries, k)

    def columns(self, predicted, k):
        del k
        return np.asarray(predicted[0], dtype=np.int64)

    def one_by_one(self, X, k):
        self.classifier.set_params(n_jobs=1)
        rank_one = self.classifier.rank_one
        if isinstance(X, np.ndarray):
            rows = [(None, X[row]) for row in range(X.shape[0])]
        else:
            rows = [row_slice(X, row) for row in range(X.shape[0])]

        def call(row):
            return rank_one(*rows[row], k)

        return call


if __name__ == "__main__":
    run(Skxmr)
