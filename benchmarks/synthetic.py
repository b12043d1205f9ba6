"""Synthetic problems of any size that look like text: power laws and shared topics.

Labels belong to topics. Each label has a short list of features of its own, some of
them its topic's, some drawn from all features; a row draws most of its features from
the lists of its labels and the rest from the background. Labels and features are as
frequent as rank to a negative power. Values are TF-IDF, rows have unit length.

``python -m benchmarks.synthetic 20000 20000 2000`` makes one and prints statistics to
compare with real data: the shares of frequent labels and features, and the precision of
the nearest neighbour, which should be neither close to 0 nor to 1.
"""

import argparse

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfTransformer

from benchmarks.problem import Problem, canonical

LABELS_PER_TOPIC = 40
FEATURES_PER_TOPIC = 60
FEATURES_PER_LABEL = 12
TOPIC_SHARE = 0.75  # share of a label's features that are its topic's
EXTRA_LABELS = 1.0  # mean number of labels of a row beyond the first
SAME_TOPIC = 0.7  # chance that a further label comes from the first one's topic
SIGNAL = 0.3  # chance that a feature of a row comes from its labels
MEAN_LENGTH = 20.0
LABEL_EXPONENT = 0.75
FEATURE_EXPONENT = 1.05


class PowerLaw:
    """Draws from 0 … n - 1, each with weight (rank + shift) ** -exponent."""

    def __init__(self, n, exponent, shift=2.0):
        weights = (np.arange(n) + shift) ** -exponent
        self.ends = np.cumsum(weights / weights.sum())
        self.ends[-1] = 1.0

    def draw(self, rng, size):
        """`size` independent draws."""
        return np.searchsorted(self.ends, rng.random(size), side="right")


class TopicModel:
    """The fixed part of a problem: topics, labels and their features."""

    def __init__(self, n_features, n_labels, rng):
        self.n_features, self.n_labels = n_features, n_labels
        self.n_topics = max(1, n_labels // LABELS_PER_TOPIC)
        self.background = PowerLaw(n_features, FEATURE_EXPONENT)
        # Rank of a label's popularity, shuffled over the topics.
        popularity = (rng.permutation(n_labels) + 2.0) ** -LABEL_EXPONENT
        self.label_ends = np.concatenate(([0.0], np.cumsum(popularity)))
        self.topic_starts = np.arange(self.n_topics + 1) * n_labels // self.n_topics
        self.features_of_label = self._features_of_labels(rng)

    def _features_of_labels(self, rng):
        topic_of = self.topic_of(np.arange(self.n_labels))
        topical = self.background.draw(rng, (self.n_topics, FEATURES_PER_TOPIC))
        shape = (self.n_labels, FEATURES_PER_LABEL)
        lent = topical[
            topic_of[:, None], rng.integers(0, FEATURES_PER_TOPIC, size=shape)
        ]
        # The other features of a label are drawn from all; most are rare, like names.
        own = rng.integers(0, self.n_features, size=shape)
        return np.where(rng.random(shape) < TOPIC_SHARE, lent, own)

    def topic_of(self, labels):
        """Topic of each label."""
        return np.searchsorted(self.topic_starts, labels, side="right") - 1

    def draw_labels(self, rng, low, high):
        """One label for each pair of ends of a range of labels, by popularity."""
        start, end = self.label_ends[low], self.label_ends[high]
        drawn = np.searchsorted(
            self.label_ends, start + rng.random(len(low)) * (end - start), side="right"
        )
        return np.clip(drawn - 1, low, high - 1)


def draw_targets(model, rng, n_rows):
    """Rows and labels of all positives, the rows in order."""
    everything = np.zeros(n_rows, dtype=np.int64)
    first = model.draw_labels(rng, everything, everything + model.n_labels)
    extra = rng.poisson(EXTRA_LABELS, n_rows)
    rows = np.repeat(np.arange(n_rows), extra)
    topic = model.topic_of(first)[rows]
    near = rng.random(len(rows)) < SAME_TOPIC
    low = np.where(near, model.topic_starts[topic], 0)
    high = np.where(near, model.topic_starts[topic + 1], model.n_labels)
    rows = np.concatenate((np.arange(n_rows), rows))
    labels = np.concatenate((first, model.draw_labels(rng, low, high)))
    return as_indicator(rows, labels, (n_rows, model.n_labels))


def as_indicator(rows, columns, shape):
    """CSR of ones; entries that occur twice count once."""
    Y = sp.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    Y.sum_duplicates()
    Y.data[:] = 1
    return Y


def draw_counts(model, rng, Y):
    """How often each feature occurs in each row, given the row's labels."""
    n_rows = Y.shape[0]
    lengths = 3 + rng.poisson(rng.gamma(3.0, (MEAN_LENGTH - 3) / 3.0, n_rows))
    rows = np.repeat(np.arange(n_rows), lengths)
    signal = rng.random(len(rows)) < SIGNAL
    features = model.background.draw(rng, len(rows))
    speaking = rows[signal]
    n_labels = np.diff(Y.indptr)[speaking]
    chosen = Y.indptr[speaking] + (rng.random(len(speaking)) * n_labels).astype(int)
    # The first features of a label's list are its most frequent ones.
    place = (rng.random(len(speaking)) ** 1.5 * FEATURES_PER_LABEL).astype(int)
    features[signal] = model.features_of_label[Y.indices[chosen], place]
    ones = np.ones(len(rows), dtype=np.float32)
    counts = sp.csr_array((ones, (rows, features)), shape=(n_rows, model.n_features))
    counts.sum_duplicates()
    return counts


def make_problem(n_rows, n_features, n_labels, *, n_test=5_000, seed=0, name=None):
    """Draw a problem.

    Parameters
    ----------
    n_rows, n_features, n_labels : int
        Sizes of the training part.
    n_test : int
        Number of test rows, from the same model.
    seed : int
        The same arguments give the same problem.
    name : str or None

    Returns
    -------
    Problem
    """
    rng = np.random.default_rng(seed)
    model = TopicModel(n_features, n_labels, rng)
    Y = draw_targets(model, rng, n_rows + n_test)
    X = draw_counts(model, rng, Y)
    tfidf = TfidfTransformer(sublinear_tf=True).fit(X[:n_rows])
    X = canonical(tfidf.transform(X))
    name = name or f"synthetic:{n_rows}x{n_features}x{n_labels}"
    Y = canonical(Y)
    return Problem(name, X[:n_rows], Y[:n_rows], X[n_rows:], Y[n_rows:])


def nearest_neighbour_precision(problem, n_queries=1_000):
    """Return the share of queries with the first label of the nearest training row."""
    hits = 0
    X, Y = problem.X_train, problem.Y_train
    transposed = sp.csr_array(X.T)
    n_queries = min(n_queries, problem.X_test.shape[0])
    for query in range(n_queries):
        similar = (problem.X_test[query : query + 1] @ transposed).tocoo()
        if similar.nnz == 0:
            continue
        nearest = similar.coords[-1][np.argmax(similar.data)]
        guess = Y.indices[Y.indptr[nearest]]
        start, end = problem.Y_test.indptr[query : query + 2]
        hits += guess in problem.Y_test.indices[start:end]
    return hits / n_queries


def realism(problem):
    """Return statistics that are similar for all real text tasks."""
    frequency = np.sort(np.bincount(problem.Y_train.indices))[::-1]
    used = np.sort(np.bincount(problem.X_train.indices))[::-1]
    top = max(1, problem.Y_train.shape[1] // 100)
    return {
        **problem.describe(),
        "share_of_top_1%_labels": float(frequency[:top].sum() / frequency.sum()),
        "labels_without_row": int(problem.Y_train.shape[1] - (frequency > 0).sum()),
        "share_of_top_100_features": float(used[:100].sum() / used.sum()),
        "features_seen_once": float((used == 1).mean()),
        "nearest_neighbour_precision": nearest_neighbour_precision(problem),
    }


def main():
    """Print the statistics of a synthetic problem."""
    parser = argparse.ArgumentParser(description="Make a synthetic problem.")
    for size in ("rows", "features", "labels"):
        parser.add_argument(size, type=int)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    problem = make_problem(args.rows, args.features, args.labels, seed=args.seed)
    for name, value in realism(problem).items():
        print(f"{name:30} {value:.4g}" if name != "dense" else f"{name:30} {value}")


if __name__ == "__main__":
    main()
