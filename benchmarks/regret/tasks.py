"""The tasks that defaults are chosen on: parts of training data, no test data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from benchmarks.completion import tasks as completion
from benchmarks.datasets import indicator, read_table
from benchmarks.features import embedded
from benchmarks.quality import hits, n_positives, recall
from benchmarks.retrieval.tasks import Task, read_task
from skxmr import QueryCompleter
from skxmr.retrieval._fitting import default_vectorizer

MOST_ROWS = 60_000
MOST_QUERIES = 3_000
# Features of a task as embeddings, and labels of the part of the catalogue.
N_DIMENSIONS = 100
N_PACKAGES = 20_000
# The score of a query's answer: its first label, and its first ten.
K = 10


@dataclass(frozen=True)
class Rows:
    """Matrices to learn from and to judge by.

    Attributes
    ----------
    X, X_test : csr_array or ndarray
    Y, Y_test : csr_array of ones
    n_label_rows : int
        How many of the last rows are texts of labels.
    """

    X: object
    Y: sp.csr_array
    X_test: object
    Y_test: sp.csr_array
    n_label_rows: int

    def fit(self, classifier, label_text_weight):
        """Fit a clone; the rows of labels' texts have their own weight."""
        weights = np.ones(len(self.Y.indptr) - 1)
        weights[len(weights) - self.n_label_rows :] = label_text_weight
        pattern = self.Y.astype(np.int8)
        return clone(classifier).fit(self.X, pattern, relevance=weights)

    def judge(self, classifier):
        """P@1 and R@10 of each query, and their mean, in percent."""
        columns, _ = classifier.rank(self.X_test, K)
        found, positives = hits(columns, self.Y_test), n_positives(self.Y_test)
        return 100 * np.stack([found[:, 0], recall(found, positives, K)])


@dataclass(frozen=True)
class Sessions:
    """Previous and next queries, to evaluate the classifier of a completer."""

    train: completion.Pairs
    test: completion.Pairs

    def fit(self, classifier, label_text_weight):  # noqa: ARG002 - labels have none
        """Fit a completer with a clone of the classifier."""
        completer = QueryCompleter(clone(classifier), random_state=0)
        return completer.fit(self.train.previous, self.train.queries)

    def judge(self, completer):
        """Success@1 and reciprocal rank of each call."""
        calls = completion.make_calls(self.test.part(slice(MOST_QUERIES // 5)))
        rows = []
        for row, prefix in zip(calls.rows.tolist(), calls.prefixes, strict=True):
            found = completer.complete(prefix, self.test.previous[row], K)
            queries = [query for query, _ in found]
            wanted = self.test.queries[row]
            rank = queries.index(wanted) + 1 if wanted in queries else np.inf
            rows.append((rank == 1, 1 / rank))
        return 100 * np.array(rows).T


def texts_of(name):
    """The training part of a text problem, split in two."""
    return read_task(name).split_for_tuning().cut(MOST_ROWS, MOST_QUERIES)


def packages():
    """The first packages of the catalogue, with their names and summaries as texts."""
    labels = read_table("catalogue", "labels")[:N_PACKAGES]
    rows = [
        (text, label)
        for text, label in read_table("catalogue", "train")
        if int(label) < len(labels)
    ]
    column_of = {str(column): column for column in range(len(labels))}
    Y = indicator([[label] for _, label in rows], column_of)
    task = Task("catalogue", [text for text, _ in rows], Y, [], Y[:0], labels)
    return task.split_for_tuning().cut(MOST_ROWS, MOST_QUERIES)


def featurize(make_task, *, has_label_texts=True):
    """The default features of a retriever."""
    task = make_task()
    n_rows = len(task.texts)
    if has_label_texts:
        task = task.with_label_rows()
    vectorizer = default_vectorizer()
    X = sp.csr_array(vectorizer.fit_transform(task.texts))
    X_test = sp.csr_array(vectorizer.transform(task.test_texts))
    return Rows(X, task.Y, X_test, task.Y_test, len(task.texts) - n_rows)


def embed(make_task):
    """The same as embeddings: dense rows of unit length."""
    rows = featurize(make_task)
    X, X_test = embedded(rows.X, rows.X_test, N_DIMENSIONS)
    return Rows(X, rows.Y, X_test, rows.Y_test, rows.n_label_rows)


def sessions():
    """Articles by the article before, cut by time."""
    return Sessions(*completion.split_for_tuning(completion.article_paths("train")))


TASKS: dict[str, Callable] = {
    "products": partial(featurize, partial(texts_of, "products")),
    "products, no label texts": partial(
        featurize, partial(texts_of, "products"), has_label_texts=False
    ),
    "subjects": partial(featurize, partial(texts_of, "subjects")),
    "places": partial(featurize, partial(texts_of, "places")),
    "catalogue": partial(featurize, packages),
    "products, dense": partial(embed, partial(texts_of, "products")),
    "article paths": sessions,
}
