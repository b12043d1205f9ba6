"""PECOS's vectoriser in C++; runs in the environment of the peer."""

from importlib.metadata import version

from common import run
from pecos.utils.featurization.text import vectorizers


class Vectorizer:
    """Words are sequences of characters other than white space, of any length."""

    version = version("libpecos")

    def __init__(self, features, threads):
        # scikit-learn's idf has a 1 that PECOS leaves out by default.
        shared = {"add_one_idf": True, "threads": threads}
        words = {"analyzer": "word", "ngram_range": [1, 2], **shared}
        trigrams = {"analyzer": "char_wb", "ngram_range": [3, 3], **shared}
        parts = {"words": [words], "trigrams": [trigrams], "both": [words, trigrams]}
        config = {"base_vect_configs": parts[features], "threads": threads}
        self.config = {"type": "tfidf", "kwargs": config}
        self.threads = threads

    def fit(self, texts):
        self.model = vectorizers.Vectorizer.train(texts, config=self.config)

    def transform(self, texts):
        return self.model.predict(texts, threads=self.threads)

    def transform_one(self, text):
        return self.model.predict([text], threads=1)


if __name__ == "__main__":
    run(Vectorizer)
