"""PECOS's XLinearModel: k-means on PIFA, suggestions filtered after the search."""

import json
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import scipy.sparse as sp
from common import run
from pecos.utils.featurization.text.vectorizers import Vectorizer
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel

WORDS = {"analyzer": "word", "ngram_range": [1, 1]}
CHARACTERS = {"analyzer": "char", "ngram_range": [1, 3]}


def tfidf(part):
    config = {"base_vect_configs": [part | {"add_one_idf": True}], "threads": 1}
    return {"type": "tfidf", "kwargs": config}


class Pecos:
    """The settings that skxmr's default has, in PECOS's own words.

    PECOS has no way to search among the labels that match: as many as `n_asked` of
    the beam's best are asked for, and those that start with the prefix are kept.
    """

    facts = {"version": version("libpecos")}  # noqa: RUF012

    def __init__(self, settings, seed):
        self.n_asked, self.seed = settings["n_asked"], seed

    def fit(self, data):
        queries, self.known = data["queries"], data["known"]
        drawn = list(zip(data["prefix_rows"], data["prefix_lengths"], strict=True))
        prefixes = [queries[row][:length] for row, length in drawn]
        start = perf_counter()
        self.words = Vectorizer.train(data["previous"], config=tfidf(WORDS))
        self.characters = Vectorizer.train(prefixes, config=tfidf(CHARACTERS))
        X = self.features(prefixes, [data["previous"][row] for row, _ in drawn])
        number = {query: place for place, query in enumerate(self.known)}
        columns = [number[queries[row]] for row, _ in drawn]
        ones = np.ones(len(columns), dtype=np.float32)
        shape = len(columns), len(self.known)
        Y = sp.csr_matrix((ones, (range(len(columns)), columns)), shape=shape)
        made = perf_counter()
        Z = LabelEmbeddingFactory.create(Y, X, method="pifa", threads=1)
        clusters = Indexer.gen(
            Z,
            indexer_type="hierarchicalkmeans",
            nr_splits=16,
            max_leaf_size=100,
            seed=self.seed,
            threads=1,
        )
        indexed = perf_counter()
        self.model = XLinearModel.train(
            X,
            Y.tocsc(),
            C=clusters,
            solver_type="L2R_L2LOSS_SVC_DUAL",
            Cp=1.0,
            Cn=1.0,
            eps=0.1,
            max_iter=100,
            threshold=0.1,
            bias=1.0,
            threads=1,
            beam_size=10,
            only_topk=self.n_asked,
            post_processor="l3-hinge",
        )
        return indexed - made, perf_counter() - indexed + made - start

    def save(self, folder):
        """Save, and go on with the model that is read back: it predicts faster."""
        for name in ("words", "characters", "model"):
            getattr(self, name).save(str(Path(folder, name)))
        Path(folder, "known.json").write_text(json.dumps(self.known))
        self.model = XLinearModel.load(
            str(Path(folder, "model")),
            is_predict_only=True,
            weight_matrix_type="HASH_CHUNKED",
        )

    def vary(self, settings):
        del settings

    def features(self, prefixes, previous):
        parts = [
            self.words.predict(previous, threads=1),
            self.characters.predict(prefixes, threads=1),
        ]
        X = sp.csr_matrix(sp.hstack(parts, format="csr"), dtype=np.float32)
        X.sort_indices()
        return X

    def complete(self, prefix, previous, k):
        return self.filtered(self.features([prefix], [previous]), [prefix], k)[0]

    def complete_batch(self, prefixes, previous, k):
        return self.filtered(self.features(prefixes, previous), prefixes, k)

    def filtered(self, X, prefixes, k):
        found = self.model.predict(X, only_topk=self.n_asked, threads=1)
        return [
            self.matching(found[row], prefix, k) for row, prefix in enumerate(prefixes)
        ]

    def matching(self, row, prefix, k):
        best = row.indices[np.argsort(-row.data, kind="stable")]
        names = (self.known[column] for column in best.tolist())
        return [name for name in names if name.startswith(prefix)][:k]


if __name__ == "__main__":
    run(Pecos)
