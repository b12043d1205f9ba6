"""Omikuji: one tree of balanced k-means with many branches, as its README has it."""

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import omikuji
import scipy.sparse as sp
from benchworker import run
from benchworker.matrices import row_slice
from omikuji import _ThreadPoolHandle
from omikuji._libomikuji import ffi, lib

# Share of non-zero weights above which a classifier is kept dense: the default of its
# own test command. It makes prediction a quarter faster.
DENSIFY = 0.1


def write_repository_format(path, X, Y):
    """Training reads a file only: a header, then ``labels feature:value …``."""
    with Path(path).open("w") as lines:
        lines.write(f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}\n")
        for row in range(X.shape[0]):
            labels = ",".join(map(str, row_slice(Y, row)[0]))
            pairs = zip(*row_slice(X, row), strict=True)
            # A row without features must not end in a space: it would be refused.
            features = "".join(f" {f}:{v:.9g}" for f, v in pairs)
            lines.write(f"{labels}{features}\n")


class Queries:
    """Rows as the pointers that the library takes: uint32 indices, float32 values."""

    def __init__(self, X):
        X = sp.csr_matrix(X)
        self.starts = X.indptr.tolist()
        self.indices = np.ascontiguousarray(X.indices, dtype=np.uint32)
        self.values = np.ascontiguousarray(X.data, dtype=np.float32)
        self.n_rows = X.shape[0]


class Omikuji:
    """Squared hinge, which it calls hinge. It has no seed: every run is another."""

    version = version("omikuji")

    def __init__(self, settings, threads, seed):
        self.settings, self.threads = settings, threads
        del seed

    def prepare(self, X, Y):
        self.pool = _ThreadPoolHandle(self.threads, initialize=True)
        with TemporaryDirectory() as folder:
            path = Path(folder, "train.txt")
            write_repository_format(path, sp.csr_matrix(X), Y)
            # `Model.train_on_data` reads and trains in one call; the reading is no
            # part of training, so the two calls that it makes are made here.
            name = ffi.new("char[]", str(path).encode())
            self.data = lib.load_omikuji_data_set(name, self.pool.ptr)
        if self.data == ffi.NULL:
            raise RuntimeError("could not read the training file")

    def fit(self):
        options = omikuji.Model.default_hyper_param()
        options.n_trees = self.settings.get("n_trees", 1)
        options.cluster_k = self.settings["branching_factor"]
        options.cluster_balanced = True
        options.min_branch_size = self.settings["max_leaf_size"]
        options.linear_c = self.settings["C"]
        options.linear_eps = self.settings["tol"]
        options.linear_max_iter = self.settings["max_iter"]
        options.linear_weight_threshold = self.settings["threshold"]
        start = perf_counter()
        model = lib.train_omikuji_model(self.data, options, self.pool.ptr)
        seconds = perf_counter() - start
        self.model = omikuji.Model(model, self.pool)
        # Trees and classifiers are made in one go, and `tree_structure_only`, which
        # would time the trees alone, ends the process with a failed assertion.
        return None, seconds

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.model.save(str(folder))

    def load(self, folder, layout):
        self.model = omikuji.Model.load(str(folder))
        if layout == "densified":
            self.model.densify_weights(DENSIFY, self.threads)

    def queries(self, X):
        return Queries(X)

    def predict(self, queries, k, threads):
        """All rows by the library's function for one row: it has no other.

        Called as `Model.predict` does, less that method's sorting and copying of
        Python objects, which would cost more than the prediction. The library's own
        threads serve the trees of a forest, of which there is one: so Python's threads
        share the rows; the calls release the interpreter's lock.
        """
        self.model.init_prediction_thread_pool(1)
        labels = np.zeros((queries.n_rows, k), dtype=np.uint32)
        found = np.zeros(queries.n_rows, dtype=np.int64)
        cuts = np.linspace(0, queries.n_rows, threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as workers:
            shares = pairwise(cuts)
            jobs = [
                workers.submit(self._predict_rows, queries, labels, found, *share)
                for share in shares
            ]
            for job in jobs:
                job.result()
        return labels, found

    def _predict_rows(self, queries, labels, found, start, end):
        k = labels.shape[1]
        model, pool = self.model._model_ptr, self.model._thread_pool.ptr
        indices = ffi.cast("uint32_t *", queries.indices.ctypes.data)
        values = ffi.cast("float *", queries.values.ctypes.data)
        out = ffi.cast("uint32_t *", labels.ctypes.data)
        scores = ffi.new("float[]", k)
        beam, starts = self.settings["beam_width"], queries.starts
        for row in range(start, end):
            at = starts[row]
            found[row] = lib.omikuji_predict(
                model,
                beam,
                starts[row + 1] - at,
                indices + at,
                values + at,
                k,
                out + row * k,
                scores,
                pool,
            )

    def columns(self, predicted, k):
        labels, found = predicted
        return np.where(np.arange(k) < found[:, None], labels.astype(np.int64), -1)

    def one_by_one(self, X, k):
        """Its public call: pairs of Python numbers in, pairs out."""
        X = sp.csr_matrix(X)
        rows = []
        for row in range(X.shape[0]):
            indices, values = row_slice(X, row)
            rows.append(list(zip(indices.tolist(), values.tolist(), strict=True)))
        self.model.init_prediction_thread_pool(1)
        predict, beam = self.model.predict, self.settings["beam_width"]

        def call(row):
            return predict(rows[row], beam, k)

        return call


if __name__ == "__main__":
    run(Omikuji)
