"""BM25 by bm25s: a document for each label, of all texts that are known of it."""

from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import bm25s
import numpy as np
from benchworker import run


class Bm25:
    """Its defaults (Lucene's formula, k1 = 1.5, b = 0.75, NumPy); no stop words.

    The texts come cut into words that white space divides.
    """

    version = version("bm25s")

    def __init__(self, settings, threads, seed):
        del settings, threads, seed

    def prepare(self, X, Y):
        self.documents = [[] for _ in range(Y.shape[1])]
        for row, text in enumerate(X.tolist()):
            for column in Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist():
                self.documents[column] += text.split()

    def fit(self):
        start = perf_counter()
        self.index = bm25s.BM25()
        self.index.index(self.documents, show_progress=False)
        return None, perf_counter() - start

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.index.save(str(folder), show_progress=False)

    def load(self, folder, layout):
        del layout
        self.index = bm25s.BM25.load(str(folder))

    def queries(self, X):
        return [text.split() for text in X.tolist()]

    def predict(self, queries, k, threads):
        del threads  # its threads made it slower here
        found = self.index.retrieve(queries, k=k, show_progress=False)
        # Documents that share no word with the query fill its rows up.
        return np.where(found.scores > 0, found.documents, -1)

    def columns(self, predicted, k):
        del k
        return predicted

    def one_by_one(self, X, k):
        queries = self.queries(X)

        def call(row):
            return self.predict([queries[row]], k, 1)

        return call


if __name__ == "__main__":
    run(Bm25)
