"""What a user would build by hand of embeddings: their cosine, alone or with BM25."""

from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from benchworker.encoding import CachedEncoder
from label_rows import joined, split_label_rows

from skxmr import LexicalRanker, __version__
from skxmr.retrieval._held_out import HeldOut

ROWS_AT_ONCE = 256
# Labels that BM25 gives a score; it counts as 0 for all others.
FOUND_BY_WORDS = 500
# Weights of the cosine, beside BM25 relative to the best of the text.
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
K = 10


def encoders(settings):
    """The encoders of queries and of label texts, which keep their vectors."""
    return CachedEncoder(**settings, are_queries=True), CachedEncoder(
        **settings, are_queries=False
    )


def held_out_texts(texts, Y, label_texts, seed):
    """The texts that a `TextRetriever` holds out, or None."""
    has_text = np.array([bool(text.strip()) for text in joined(label_texts)])
    return HeldOut.draw(texts, Y, has_text, seed)


def unit_rows(vectors):
    """Rows of length 1, or 0."""
    vectors = vectors.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


class Cosine:
    """The labels whose texts have the nearest vectors, by exact products."""

    version = __version__
    kept = ("vectors",)  # attributes that are the model

    def __init__(self, settings, threads, seed):
        del threads
        self.n_label_rows = settings["label_rows"]
        self.seed = seed
        self.encode, self.encode_labels = encoders(settings["encoder"])

    def prepare(self, X, Y):
        self.texts, self.label_texts = split_label_rows(X, self.n_label_rows)
        self.Y = Y[: len(self.texts)]
        # Not timed: the vectors are kept.
        self.encode_labels(joined(self.label_texts))

    def fit(self):
        start = perf_counter()
        self.vectors = unit_rows(self.encode_labels(joined(self.label_texts)))
        self.facts = {"encoder_ms": 1e3 * self.encode_labels.cpu_s_per_text}
        return None, perf_counter() - start

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        model = {key: value for key, value in vars(self).items() if key in self.kept}
        joblib.dump(model, Path(folder, "model.joblib"))

    def load(self, folder, layout):
        del layout
        vars(self).update(joblib.load(Path(folder, "model.joblib")))

    def queries(self, X):
        self.encode(X.tolist())
        return X.tolist()

    def predict(self, queries, k, threads):
        del threads
        parts = [
            self.rank(queries[first : first + ROWS_AT_ONCE], k)
            for first in range(0, len(queries), ROWS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def rank(self, texts, k):
        """The best labels of some texts."""
        return best(unit_rows(self.encode(texts)) @ self.vectors.T, k)

    def columns(self, predicted, k):
        del k
        return predicted

    def one_by_one(self, X, k):
        texts = X.tolist()

        def call(row):
            return self.rank([texts[row]], k)

        return call


class WordsAndCosine(Cosine):
    """BM25, relative to the best label of the text, plus the weighted cosine.

    BM25 is `LexicalRanker`'s, of label texts and training texts. The weight is the one
    with the best recall@10 of the texts that `TextRetriever` holds out, which the BM25
    index does not have meanwhile.
    """

    kept = ("vectors", "ranker", "weight")

    def prepare(self, X, Y):
        super().prepare(X, Y)
        self.held_out = held_out_texts(self.texts, self.Y, self.label_texts, self.seed)
        if self.held_out is not None:
            self.encode(self.held_out.texts)

    def fit(self):
        start = perf_counter()
        super().fit()
        self.weight = 1.0
        if self.held_out is not None:
            self._tune(self.held_out)
        self._index(self.texts, self.Y)
        self.facts |= {"weight": self.weight}
        return None, perf_counter() - start

    def _index(self, texts, Y):
        self.ranker = LexicalRanker().fit(texts, Y, label_texts=self.label_texts)

    def _tune(self, held_out):
        kept = np.flatnonzero(held_out.is_kept)
        self._index([self.texts[row] for row in kept.tolist()], self.Y[kept])
        recalls = np.zeros(len(WEIGHTS))
        for first in range(0, len(held_out.texts), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            by_words, cosines = self._parts(held_out.texts[rows])
            for i, weight in enumerate(WEIGHTS):
                columns = best(by_words + weight * cosines, K)
                recalls[i] += recalls_of(columns, held_out.Y[rows]).sum()
        self.weight = WEIGHTS[int(np.argmax(recalls))]

    def rank(self, texts, k):
        by_words, cosines = self._parts(texts)
        return best(by_words + self.weight * cosines, k)

    def _parts(self, texts):
        """The relative scores of BM25 and the cosines, for all labels."""
        cosines = unit_rows(self.encode(texts)) @ self.vectors.T
        by_words = np.zeros_like(cosines)
        columns, found = self.ranker.rank(texts, min(FOUND_BY_WORDS, cosines.shape[1]))
        found = found / np.maximum(found[:, :1], np.finfo(np.float32).tiny)
        rows, positions = np.nonzero(columns >= 0)
        by_words[rows, columns[rows, positions]] = found[rows, positions]
        return by_words, cosines


def best(scores, k):
    """The columns of the largest scores of each row, best first."""
    k = min(k, scores.shape[1])
    columns = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1)
    return np.take_along_axis(columns, order, axis=1)


def recalls_of(columns, Y):
    """The share of the labels of each row that are among its columns."""
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    hits = np.asarray(Y[rows, columns.ravel()] != 0).reshape(columns.shape)
    return hits.sum(axis=1) / np.diff(Y.indptr)
