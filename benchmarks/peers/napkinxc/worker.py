"""napkinXC's probabilistic label tree on hierarchical k-means."""

import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import scipy.sparse as sp
from benchworker import run
from benchworker.matrices import row_slice
from napkinxc.models import PLT


def as_napkinxc(X):
    """csr_matrix (csr_array is not known) or a dense array; it normalises the rows."""
    return X if isinstance(X, np.ndarray) else sp.csr_matrix(X)


class NapkinXC:
    """Layouts are its two searches: "beam", and "exact" for the best k for certain.

    Weights are read as hash maps, its default; asked for sorted vectors
    (``load_as="sparse"``) it corrupted its heap.
    """

    version = version("napkinxc")

    def __init__(self, settings, threads, seed):
        self.settings, self.threads, self.seed = settings, threads, seed
        self.n_trees = settings.get("n_trees", 1)

    def prepare(self, X, Y):
        self.X = as_napkinxc(X)
        self.Y = [row_slice(Y, row)[0].tolist() for row in range(Y.shape[0])]
        self.folder = TemporaryDirectory()
        settings = self.settings
        self.model = PLT(
            self.folder.name,
            arity=settings["branching_factor"],
            max_leaves=settings["max_leaf_size"],
            loss="l2",
            liblinear_c=settings["C"],
            liblinear_eps=settings["tol"],
            liblinear_max_iter=settings["max_iter"],
            weights_threshold=settings["threshold"],
            bias=1.0,
            ensemble=self.n_trees,
            seed=self.seed,
            threads=self.threads,
        )

    def fit(self):
        # Both calls copy the matrices into its own structures; `fit` goes on with the
        # tree that it finds. Weights go to the folder while it trains. Several trees
        # are made as they are trained.
        start = perf_counter()
        if self.n_trees > 1:
            self.model.fit(self.X, self.Y)
            return None, perf_counter() - start
        self.model.build_tree(self.X, self.Y)
        indexed = perf_counter()
        self.model.fit(self.X, self.Y)
        return indexed - start, perf_counter() - indexed

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path in Path(self.folder.name).iterdir():
            # tree.txt repeats tree.bin for human eyes and is not read.
            if path.is_dir():
                shutil.copytree(path, Path(folder, path.name))
            elif path.name != "tree.txt":
                shutil.copy2(path, folder)
        self.folder.cleanup()

    def load(self, folder, layout):
        self.model = PLT(
            str(folder),
            tree_search_type=layout,
            beam_search_width=self.settings["beam_width"],
            load_as="map",
            ensemble=self.n_trees,
            threads=1,
        )
        self.model.load()
        # Loading puts the arguments of training back.
        self.search = {
            "tree_search_type": layout,
            "beam_search_width": self.settings["beam_width"],
        }

    def queries(self, X):
        return as_napkinxc(X)

    def predict(self, queries, k, threads):
        self.model.set_params(threads=threads, **self.search)
        return self.model.predict(queries, top_k=k)

    def columns(self, predicted, k):
        columns = np.full((len(predicted), k), -1, dtype=np.int64)
        for row, labels in enumerate(predicted):
            # Beam search gives more than were asked for.
            columns[row, : min(k, len(labels))] = labels[:k]
        return columns

    def one_by_one(self, X, k):
        self.model.set_params(threads=1, **self.search)
        rows = [as_napkinxc(X[row : row + 1]) for row in range(X.shape[0])]
        predict = self.model.predict

        def call(row):
            return predict(rows[row], top_k=k)

        return call


if __name__ == "__main__":
    run(NapkinXC)
