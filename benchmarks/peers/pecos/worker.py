"""PECOS's XLinearModel on a tree by HierarchicalKMeans of PIFA vectors."""

from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import scipy.sparse as sp
from benchworker import run
from benchworker.matrices import best_columns

# This path imports no torch; pecos.xmc.xtransformer does.
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel

# What each of several trees is asked for, before their scores are averaged.
CANDIDATES = 100
# So that the trees of one repetition are not those of another.
SEEDS_APART = 1_000


def as_pecos(X):
    """Float32 csr_matrix (csr_array is refused), or dense in C order.

    Prediction raises on a matrix that does not say that its indices are sorted.
    """
    if isinstance(X, np.ndarray):
        return np.ascontiguousarray(X, dtype=np.float32)
    X = sp.csr_matrix(X, dtype=np.float32)
    X.sort_indices()
    return X


class Pecos:
    """Layouts: BINARY_SEARCH_CHUNKED, HASH_CHUNKED, CSC (the only one for dense X)."""

    version = version("libpecos")

    def __init__(self, settings, threads, seed):
        self.settings, self.threads, self.seed = settings, threads, seed

    def prepare(self, X, Y):
        self.X, self.Y = as_pecos(X), as_pecos(Y)
        self.Y_columns = self.Y.tocsc()  # training reads Y by columns

    def fit(self):
        """Train a model on each tree: those that follow have seeds of their own."""
        start = perf_counter()
        label_vectors = LabelEmbeddingFactory.create(
            self.Y, self.X, method="pifa", threads=self.threads
        )
        trees = [
            Indexer.gen(
                label_vectors,
                indexer_type="hierarchicalkmeans",
                nr_splits=self.settings["branching_factor"],
                max_leaf_size=self.settings["max_leaf_size"],
                seed=self.seed + SEEDS_APART * tree,
                threads=self.threads,
            )
            for tree in range(self.settings.get("n_trees", 1))
        ]
        indexed = perf_counter()
        self.models = [self.train(clusters) for clusters in trees]
        return indexed - start, perf_counter() - indexed

    def train(self, clusters):
        return XLinearModel.train(
            self.X,
            self.Y_columns,
            C=clusters,
            solver_type="L2R_L2LOSS_SVC_DUAL",
            Cp=self.settings["C"] * self.settings.get("positive_weight", 1.0),
            Cn=self.settings["C"],
            eps=self.settings["tol"],
            max_iter=self.settings["max_iter"],
            threshold=self.settings["threshold"],
            bias=1.0,
            threads=self.threads,
            # Given here, else the saved model keeps a beam of 20 at every level.
            beam_size=self.settings["beam_width"],
            only_topk=10,
            post_processor=self.settings.get("score_transform", "l3-hinge"),
        )

    def save(self, folder):
        for tree, model in enumerate(self.models):
            model.save(str(Path(folder, str(tree))))

    def load(self, folder, layout):
        # Without is_predict_only prediction runs level by level through Python and is
        # ten times slower.
        self.models = [
            XLinearModel.load(
                str(part), is_predict_only=True, weight_matrix_type=layout
            )
            for part in sorted(Path(folder).iterdir())
        ]

    def queries(self, X):
        return as_pecos(X)

    def predict(self, queries, k, threads):
        return self.ask(queries, k, threads)

    def ask(self, queries, k, threads):
        """The best of the only tree, or of the mean of several, as skxmr takes it."""
        if len(self.models) == 1:
            return self.models[0].predict(queries, only_topk=k, threads=threads)
        found = [
            model.predict(queries, only_topk=max(k, CANDIDATES), threads=threads)
            for model in self.models
        ]
        return sum(found[1:], start=found[0])

    def columns(self, predicted, k):
        return best_columns(predicted, k)  # rows come sorted by score, but say so not

    def one_by_one(self, X, k):
        rows = [as_pecos(X[row : row + 1]) for row in range(X.shape[0])]
        ask = self.ask

        # More threads than one row can use only cost time.
        def call(row):
            return ask(rows[row], k, 1)

        return call


if __name__ == "__main__":
    run(Pecos)
