"""scikit-learn's TfidfVectorizer, which has one thread."""

import numpy as np
import sklearn
from common import run
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_union


class Vectorizer:
    version = sklearn.__version__

    def __init__(self, features, threads):
        words = TfidfVectorizer(ngram_range=(1, 2), dtype=np.float32)
        trigrams = TfidfVectorizer(
            ngram_range=(3, 3), analyzer="char_wb", dtype=np.float32
        )
        parts = {"words": [words], "trigrams": [trigrams], "both": [words, trigrams]}
        self.union = make_union(*parts[features], n_jobs=threads)

    def fit(self, texts):
        self.union.fit(texts)

    def transform(self, texts):
        return self.union.transform(texts)

    def transform_one(self, text):
        return self.union.transform([text])


if __name__ == "__main__":
    run(Vectorizer)
