"""PECOS: its vectoriser in C++, then XLinearModel; runs in the peer's environment."""

import tempfile
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from common import run
from pecos.utils.featurization.text import vectorizers
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel


class System:
    version = version("libpecos")

    def __init__(self, names):
        self.names = names

    def fit(self, texts, labels):
        shared = {"add_one_idf": True, "threads": 2}
        words = {"analyzer": "word", "ngram_range": [1, 2], **shared}
        trigrams = {"analyzer": "char_wb", "ngram_range": [3, 3], **shared}
        config = {"base_vect_configs": [words, trigrams], "threads": 2}
        self.vectorizer = vectorizers.Vectorizer.train(
            texts, config={"type": "tfidf", "kwargs": config}
        )
        X = self.vectorizer.predict(texts, threads=2)
        X.sort_indices()
        rows = np.repeat(np.arange(len(labels)), [len(row) for row in labels])
        shape = len(labels), len(self.names)
        ones = np.ones(len(rows), dtype=np.float32)
        Y = sp.csr_matrix((ones, (rows, np.concatenate(labels))), shape=shape)
        vectors = LabelEmbeddingFactory.create(Y, X, method="pifa", threads=2)
        clusters = Indexer.gen(
            vectors, indexer_type="hierarchicalkmeans", nr_splits=16, max_leaf_size=100
        )
        trained = XLinearModel.train(
            X, Y.tocsc(), C=clusters, bias=1.0, threads=2, threshold=0.1,
            beam_size=10, only_topk=10, post_processor="l3-hinge",
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            trained.save(folder)
            # Else prediction runs level by level through Python, ten times slower.
            self.model = XLinearModel.load(
                folder, is_predict_only=True, weight_matrix_type="BINARY_SEARCH_CHUNKED"
            )

    def search(self, text):
        X = self.vectorizer.predict([text], threads=1)
        X.sort_indices()
        found = self.model.predict(X, only_topk=10, threads=1)
        return [(column, self.names[column]) for column in found.indices.tolist()]


if __name__ == "__main__":
    run(System)
