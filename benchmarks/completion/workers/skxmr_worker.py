"""skxmr's completers."""

from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
from common import run
from sklearn.feature_extraction.text import TfidfVectorizer

from skxmr import QueryCompleter, TrieTreeHybrid, XRLinearClassifier
from skxmr.baselines import BigramCompleter, PopularCompleter


class TimedTree(TrieTreeHybrid):
    """Records the time of `fit` in a list of the class: the classifier fits a clone."""

    seconds = []  # noqa: RUF012 - shared by all clones on purpose

    def fit(self, Z=None, y=None, *, label_names=None):
        start = perf_counter()
        super().fit(Z, y, label_names=label_names)
        self.seconds.append(perf_counter() - start)
        return self


def plain_characters():
    """N-grams of the whole text as `PrefixWeightedCharTfidf` has, without weights."""
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), dtype=np.float32)


def make_completer(settings, seed):
    """The completer that settings describe."""
    settings = dict(settings)
    kind = settings.pop("kind")
    if kind != "query":
        return {"popular": PopularCompleter, "bigram": BigramCompleter}[kind]()
    tree = settings.pop("tree", None)
    if tree is None:
        return QueryCompleter(random_state=seed, **settings)
    tree = dict(tree)
    if tree.pop("plain", False):
        tree["vectorizer"] = plain_characters()
    search = settings.pop("search", {})
    classifier = XRLinearClassifier(
        indexer=TimedTree(**tree), max_iter=1000, random_state=seed, **search
    )
    return QueryCompleter(classifier, random_state=seed, **settings)


class Skxmr:
    """A variant sets parameters, or asks for "n_asked".

    That is the way of other systems: the classifier's best queries of all, so many, of
    which those that match are kept.
    """

    def __init__(self, settings, seed):
        self.completer = make_completer(settings, seed)

    def fit(self, data):
        start = perf_counter()
        self.completer.fit(data["previous"], data["queries"])
        seconds = perf_counter() - start
        index = sum(TimedTree.seconds)
        return index or None, seconds - index

    def save(self, folder):
        joblib.dump(self.completer, Path(folder, "model.joblib"))

    def vary(self, settings):
        if "n_asked" in settings:
            self.n_asked = settings["n_asked"]
            self.complete = self.complete_filtered
        else:
            self.completer.set_params(**settings)
            self.complete = self.complete_all

    def complete_all(self, prefix, previous, k):
        return [query for query, _ in self.completer.complete(prefix, previous, k)]

    def complete_filtered(self, prefix, previous, k):
        ranker, names = self.completer.ranker_, self.completer.queries_
        features = ranker._features(prefix, (previous,))
        if features is None:
            return []  # no term of the previous query is known
        columns, _ = ranker.classifier.rank_one(*features, self.n_asked)
        found = (names[column] for column in columns.tolist() if column >= 0)
        return [name for name in found if name.startswith(prefix)][:k]


if __name__ == "__main__":
    run(Skxmr)
