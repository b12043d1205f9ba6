"""skxmr's TextRetriever, its search of the nearest rows and its BM25, on texts."""

from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from benchworker import run
from by_hand import Cosine, WordsAndCosine, encoders, held_out_texts
from label_rows import joined, split_label_rows
from sklearn.pipeline import make_pipeline, make_union

from skxmr import (
    CharNgramTfidf,
    LexicalRanker,
    NeighborRanker,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
    __version__,
)

WORDS = r"(?u)\b\w+\b"
STAMPS = {}


class StampedClassifier(XRLinearClassifier):
    """Notes when the texts are features, so that both can be told apart."""

    def fit(self, X, y, *, relevance=None):
        STAMPS.setdefault("features", perf_counter())
        return super().fit(X, y, relevance=relevance)


class StampedRanker(NeighborRanker):
    """The same for the nearest rows."""

    def fit(self, X, y):
        STAMPS.setdefault("features", perf_counter())
        return super().fit(X, y)


def make_vectorizer(family):
    """Words; words and pairs; or both with trigrams of characters."""
    longest = 1 if family == "words" else 2
    words = WordNgramTfidf(ngram_range=(1, longest), token_pattern=WORDS)
    if family == "characters":
        return make_union(words, CharNgramTfidf(ngram_range=(3, 3)))
    return words


class Retriever:
    """`TextRetriever`; the last rows may be the labels' own texts."""

    version = __version__

    def __init__(self, settings, threads, seed):
        self.n_label_rows = settings["label_rows"]
        classifier = StampedClassifier(
            n_trees=settings.get("n_trees", 1),
            n_jobs=threads,
            random_state=seed,
        )
        classifier.set_params(**settings.get("classifier", {}))
        family = settings.get("family")
        self.model = TextRetriever(
            None if family is None else make_vectorizer(family),
            classifier,
            n_jobs=threads,
            random_state=seed,
            **settings.get("retriever", {}),
        )

    def prepare(self, X, Y):
        self.texts, self.label_texts = split_label_rows(X, self.n_label_rows)
        self.Y = Y[: len(self.texts)]

    def fit(self):
        start = perf_counter()
        self.model.fit(self.texts, self.Y, label_texts=self.label_texts)
        end = perf_counter()
        self.facts = {"text_s": STAMPS["features"] - start}
        return None, end - start

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        joblib.dump(self.model, Path(folder, "model.joblib"))

    def load(self, folder, layout):
        del layout
        self.model = joblib.load(Path(folder, "model.joblib"))

    def set_threads(self, threads):
        self.model.set_params(n_jobs=threads)
        self.model.classifier_.set_params(n_jobs=threads)

    def queries(self, X):
        return X.tolist()

    def predict(self, queries, k, threads):
        self.set_threads(threads)
        return self.model.search_batch(queries, k)

    def columns(self, predicted, k):
        del k
        return np.asarray(predicted[0], dtype=np.int64)

    def one_by_one(self, X, k):
        texts = X.tolist()
        self.set_threads(1)
        search = self.model.search

        def call(row):
            return search(texts[row], k)

        return call


class Encoding(Retriever):
    """`TextRetriever` with an encoder, whose vectors are kept: its time is apart."""

    def __init__(self, settings, threads, seed):
        super().__init__(settings, threads, seed)
        self.seed = seed
        self.encode, self.encode_labels = encoders(settings["encoder"])
        self.model.set_params(encoder=self.encode, encoder_labels=self.encode_labels)

    def prepare(self, X, Y):
        super().prepare(X, Y)
        self.encode_labels(joined(self.label_texts))
        held_out = held_out_texts(self.texts, self.Y, self.label_texts, self.seed)
        if held_out is not None:
            self.encode(held_out.texts)

    def fit(self):
        result = super().fit()
        self.facts["encoder_ms"] = 1e3 * self.encode_labels.cpu_s_per_text
        return result

    def load(self, folder, layout):
        super().load(folder, layout)
        self.model.set_params(encoder=self.encode)

    def queries(self, X):
        self.encode(X.tolist())
        return X.tolist()


class Neighbors(Retriever):
    """The labels of the rows that are nearest by the cosine of the same features."""

    def __init__(self, settings, threads, seed):
        del threads, seed  # exact, on one thread
        self.n_label_rows = 0  # label rows are rows like any other
        ranker = StampedRanker(n_neighbors=settings["n_neighbors"])
        self.model = make_pipeline(make_vectorizer("characters"), ranker)

    def fit(self):
        start = perf_counter()
        self.model.fit(self.texts, self.Y)
        end = perf_counter()
        self.facts = {"text_s": STAMPS["features"] - start}
        return None, end - start

    def predict(self, queries, k, threads):
        del threads
        vectorizer, ranker = self.model[0], self.model[-1]
        return ranker.rank(vectorizer.transform(queries), k)

    def one_by_one(self, X, k):
        texts = X.tolist()

        def call(row):
            return self.predict([texts[row]], k, 1)

        return call


class Lexical(Retriever):
    """`LexicalRanker`: BM25 of the fields of the labels and of their training texts."""

    def __init__(self, settings, threads, seed):
        del threads, seed  # exact, on one thread
        self.n_label_rows = settings["label_rows"]
        self.model = LexicalRanker(**settings.get("ranker", {}))

    def fit(self):
        start = perf_counter()
        self.model.fit(self.texts, self.Y, label_texts=self.label_texts)
        return None, perf_counter() - start

    def predict(self, queries, k, threads):
        del threads
        return self.model.rank(queries, k)

    def one_by_one(self, X, k):
        texts = X.tolist()
        rank_one = self.model.rank_one

        def call(row):
            return rank_one(texts[row], k)

        return call


KINDS = {
    "retriever": Retriever,
    "neighbors": Neighbors,
    "lexical": Lexical,
    "encoding": Encoding,
    "cosine": Cosine,
    "words and cosine": WordsAndCosine,
}


def make(settings, threads, seed):
    """The system that the settings ask for."""
    return KINDS[settings.get("kind", "retriever")](settings, threads, seed)


if __name__ == "__main__":
    run(make)
