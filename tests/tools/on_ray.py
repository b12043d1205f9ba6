"""The same models on Ray: ``python tests/tools/on_ray.py``, where Ray is installed.

Ray starts two processes on this machine; models fitted there and here are compared, bit
by bit, and so are rankings.
"""

import time

import joblib
import numpy as np
from twins import assert_same_layout

from skxmr import KMeansTree, TextRetriever, XRLinearClassifier
from skxmr.datasets import load_subjects

CLASSIFIERS = {
    "default": XRLinearClassifier(random_state=0),
    "negatives of the matcher, two trees": XRLinearClassifier(
        KMeansTree(4, 8), negative_sampling="matcher", n_trees=2, random_state=0
    ),
}


def compare(name, classifier, titles, Y):
    """Fit and rank here and there; tell how long it took there."""
    here = TextRetriever(classifier=classifier).fit(titles, Y)
    expected = here.rank(titles[:500], 5)
    start = time.perf_counter()
    with joblib.parallel_config(backend="ray", n_jobs=2):
        there = TextRetriever(classifier=classifier).fit(titles, Y)
        found = there.rank(titles[:500], 5)
    seconds = time.perf_counter() - start
    for one, other in zip(
        there.classifier_.layouts_, here.classifier_.layouts_, strict=True
    ):
        assert_same_layout(one, other)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    print(f"{name}: the same on Ray, {seconds:.0f} s")


def main():
    """Start Ray, compare, stop it."""
    import ray  # here, as the tests are collected without it
    from ray.util.joblib import register_ray

    titles, Y = load_subjects(return_X_y=True)
    ray.init(num_cpus=2, include_dashboard=False)
    register_ray()
    try:
        for name, classifier in CLASSIFIERS.items():
            compare(name, classifier, titles[:2000], Y[:2000])
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
