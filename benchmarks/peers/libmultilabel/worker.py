"""LibMultiLabel's one-vs-rest classifiers with thresholds from cross-validation.

They maximise the sum of micro and macro F1, label by label, the most frequent first.
"""

import importlib
import sys
import types
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import libmultilabel
import numpy as np
import scipy.sparse as sp
from benchworker import run


def import_flat_models():
    """Import the module of flat models without those of its package.

    These need packages for trees and for reading files, which are not installed.
    """
    package = types.ModuleType("libmultilabel.linear")
    package.__path__ = [str(Path(libmultilabel.__path__[0], "linear"))]
    sys.modules["libmultilabel.linear"] = package
    return importlib.import_module("libmultilabel.linear.linear")


class LibMultiLabel:
    """Its only layout returns the labels whose values are above their thresholds."""

    version = version("libmultilabel")

    def __init__(self, settings, threads, seed):
        self.settings, self.threads, self.seed = settings, threads, seed
        self.linear = import_flat_models()

    def prepare(self, X, Y):
        self.X, self.Y = sp.csr_matrix(X, dtype=np.float64), sp.csr_matrix(Y)

    def fit(self):
        # One thread: with more, LIBLINEAR's wait for each other actively.
        options = f"-s 1 -c {self.settings['C']} -e {self.settings['tol']} -B 1 -m 1 -q"
        np.random.seed(self.seed)  # noqa: NPY002 - it draws its folds with this
        start = perf_counter()
        self.model = self.linear.train_thresholding(
            self.Y, self.X, options=options, verbose=False
        )
        return None, perf_counter() - start

    def save(self, folder):
        Path(folder).mkdir(parents=True)
        np.save(Path(folder, "weights.npy"), np.asarray(self.model.weights))
        np.save(Path(folder, "thresholds.npy"), self.model.thresholds)

    def load(self, folder, layout):
        del layout
        self.model = self.linear.FlatModel(
            name="thresholding",
            weights=np.asmatrix(np.load(Path(folder, "weights.npy"))),
            bias=1.0,
            thresholds=np.load(Path(folder, "thresholds.npy")),
            multiclass=False,
        )

    def queries(self, X):
        return sp.csr_matrix(X, dtype=np.float64)

    def predict(self, queries, k, threads):
        del k, threads
        return self.model.predict_values(queries)

    def columns(self, predicted, k):
        best = np.argsort(-predicted, axis=1, kind="stable")[:, :k]
        values = np.take_along_axis(predicted, best, axis=1)
        return np.where(values > 0, best, -1)


if __name__ == "__main__":
    run(LibMultiLabel)
