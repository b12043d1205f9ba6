"""scikit-learn's OneVsRestClassifier of LinearSVC: every label on every row."""

import warnings
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
import scipy.sparse as sp
from benchworker import run
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

ROWS_AT_ONCE = 1_000


class OneVsRest:
    """Fits only where labels times features weights have room: they are dense."""

    version = version("scikit-learn")

    def __init__(self, settings, threads, seed):
        self.threads = threads
        self.model = OneVsRestClassifier(
            LinearSVC(
                C=settings["C"],
                tol=settings["tol"],
                max_iter=settings["max_iter"],
                dual=True,
                random_state=seed,
            ),
            n_jobs=threads,
        )

    def prepare(self, X, Y):
        # Float64, else every single label's solver makes a copy of its own.
        self.X = X.astype(np.float64)
        self.Y = sp.csr_matrix(Y, dtype=np.int64)

    def fit(self):
        start = perf_counter()
        # Threads, since liblinear runs without the interpreter's lock: processes would
        # hide their memory from the measurement.
        with joblib.parallel_backend("threading"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # labels without rows, slow convergence
            self.model.fit(self.X, self.Y)
        return 0.0, perf_counter() - start

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        joblib.dump(self.model, Path(folder, "model.joblib"))

    def load(self, folder, layout):
        del layout
        self.model = joblib.load(Path(folder, "model.joblib"))

    def queries(self, X):
        return X.astype(np.float64)

    def predict(self, queries, k, threads):
        del threads  # decision_function walks over the labels in one thread
        parts = [
            self._best(queries[start : start + ROWS_AT_ONCE], k)
            for start in range(0, queries.shape[0], ROWS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def _best(self, queries, k):
        margins = self.model.decision_function(queries)
        k = min(k, margins.shape[1])
        best = np.argpartition(-margins, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(margins, best, axis=1), axis=1)
        return np.take_along_axis(best, order, axis=1)

    def columns(self, predicted, k):
        columns = np.full((len(predicted), k), -1, dtype=np.int64)
        columns[:, : predicted.shape[1]] = predicted
        return columns

    def one_by_one(self, X, k):
        rows = [X[row : row + 1].astype(np.float64) for row in range(X.shape[0])]

        def call(row):
            return self._best(rows[row], k)

        return call


if __name__ == "__main__":
    run(OneVsRest)
