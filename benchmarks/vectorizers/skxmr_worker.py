"""skxmr's vectorisers."""

from common import run
from sklearn.pipeline import make_union

import skxmr


class Vectorizer:
    version = skxmr.__version__

    def __init__(self, features, threads):
        self.parts = []
        if features != "trigrams":
            words = skxmr.WordNgramTfidf(ngram_range=(1, 2), n_jobs=threads)
            self.parts.append(words)
        if features != "words":
            self.parts.append(skxmr.CharNgramTfidf(n_jobs=threads))
        self.union = make_union(*self.parts)

    def fit(self, texts):
        self.union.fit(texts)
        self.parts = [part for _, part in self.union.transformer_list]

    def transform(self, texts):
        return self.union.transform(texts)

    def transform_one(self, text):
        return [part.transform_one(text) for part in self.parts]


if __name__ == "__main__":
    run(Vectorizer)
