"""``python -m benchmarks.propensity``: what `propensity_weight` costs and gains.

Only training data are used, split into two parts: P@1, R@10 and propensity-scored P@1
with several weights of a retriever and of a classifier, beside those without.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.comparison import say
from benchmarks.paired import paired_bootstrap
from benchmarks.quality import hits, n_positives, recall
from benchmarks.regret.tasks import MOST_QUERIES, MOST_ROWS, texts_of
from benchmarks.run import CACHE
from skxmr import TextRetriever, XRLinearClassifier
from skxmr.metrics import propensities

K = 10


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.propensity", description=__doc__
    )
    add = parser.add_argument
    add("--tasks", nargs="+", default=["subjects", "places"])
    add("--weights", nargs="+", type=float, default=[0.5, 1.0, 1.5, 2.0, 4.0])
    add("--rows", type=int, default=MOST_ROWS)
    add("--threads", type=int, default=1)
    add("--cache", type=Path, default=CACHE, help="folder of the results")
    return parser.parse_args(argv)


def judge(columns, Y_test, p):
    """P@1, R@10 and propensity-scored P@1 of each query, in percent.

    Parameters
    ----------
    columns : ndarray of shape (n_queries, 10), int64
    Y_test : csr_array of shape (n_queries, n_labels)
    p : ndarray of shape (n_labels,)
        Propensities.

    Returns
    -------
    dict of str to ndarray of shape (n_queries,)
        The mean of "PSP@1" is the metric: each row is divided by the mean of the best.
    """
    found = hits(columns, Y_test)
    gains = found[:, 0] / p[np.maximum(columns[:, 0], 0)]
    best = np.zeros(len(columns))
    np.maximum.at(best, Y_test.nonzero()[0], 1 / p[Y_test.nonzero()[1]])
    return {
        "P@1": 100.0 * found[:, 0],
        "R@10": 100 * recall(found, n_positives(Y_test), K),
        "PSP@1": 100 * gains / best.mean(),
    }


def rankings(task, weights, n_jobs):
    """Yield the system, the weight, and the ranking of the test texts."""
    names = [" ".join(fields) for fields in task.label_texts]
    Y = task.Y.astype(np.int8)
    retriever = TextRetriever(random_state=0, n_jobs=n_jobs)
    retriever.fit(task.texts, Y, label_texts=names)
    for weight in (0.0, *weights):
        retriever.set_params(propensity_weight=weight)
        yield "retriever", weight, retriever.rank(task.test_texts, K)[0]
    X, X_test = map(retriever.vectorizer_.transform, (task.texts, task.test_texts))
    classifier = XRLinearClassifier(propensity_weight=1, random_state=0, n_jobs=n_jobs)
    classifier.fit(X, Y)
    for weight in (0.0, *weights):
        classifier.set_params(propensity_weight=weight)
        yield "classifier", weight, classifier.rank(X_test, K)[0]


def compare(task, weights, n_jobs):
    """Yield a record of each system and weight, with differences to a weight of 0."""
    p, before = propensities(task.Y.astype(np.int8)), {}
    for system, weight, columns in rankings(task, weights, n_jobs):
        quality = judge(columns, task.Y_test, p)
        first = before.setdefault(system, quality)
        yield {
            "system": system,
            "weight": weight,
            "quality": {name: float(one.mean()) for name, one in quality.items()},
            "differences": {
                name: vars(paired_bootstrap(one, first[name]))
                for name, one in quality.items()
            },
        }


def show(name, record):
    """A line of the table."""
    cells = [f"{name}: {record['system']}, {record['weight']:g}"]
    for measure, mean in record["quality"].items():
        one = record["differences"][measure]
        interval = f"{one['mean']:+.2f} [{one['low']:.2f}, {one['high']:.2f}]"
        cells.append(f"{measure} {mean:.2f} ({interval})")
    return " | ".join(cells)


def main(argv=None):
    """Measure the tasks and write the results."""
    given = arguments(argv)
    results = {}
    given.cache.mkdir(parents=True, exist_ok=True)
    for name in given.tasks:
        task = texts_of(name).cut(given.rows, MOST_QUERIES)
        results[name] = []
        for record in compare(task, given.weights, given.threads):
            results[name].append(record)
            say(show(name, record))
        (given.cache / "propensity.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
