"""skxmr's default TextRetriever, without texts of labels, which PECOS does not take."""

import numpy as np
import scipy.sparse as sp
from common import run

import skxmr


class System:
    version = skxmr.__version__

    def __init__(self, names):
        self.names = names
        self.retriever = skxmr.TextRetriever(
            classifier=skxmr.XRLinearClassifier(random_state=0, n_jobs=2)
        )

    def fit(self, texts, labels):
        rows = np.repeat(np.arange(len(labels)), [len(row) for row in labels])
        columns = np.concatenate(labels)
        shape = len(labels), len(self.names)
        ones = np.ones(len(rows), dtype=np.int8)
        self.retriever.fit(texts, sp.csr_array((ones, (rows, columns)), shape=shape))

    def search(self, text):
        names = self.names
        return [
            (column, names[column]) for column, _, _ in self.retriever.search(text, 10)
        ]


if __name__ == "__main__":
    run(System)
