"""The certificate of warm starts tells optimal nodes from others."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from benchmarks.living.relearning import count_optimal
from skxmr import KMeansTree, XRLinearClassifier
from skxmr.linear._relearning import TrainingState


def test_nodes_that_are_not_optimal_are_told():
    random = np.random.default_rng(0)
    X = sp.random_array((300, 30), density=0.2, format="csr", rng=random)
    X = sp.csr_array(X, dtype=np.float32)
    ones = np.ones(300, dtype=np.float32)
    Y = sp.csr_array((ones, (np.arange(300), random.integers(20, size=300))))
    classifier = XRLinearClassifier(KMeansTree(4, 5), warm_start=True, random_state=0)
    n_nodes, n_optimal = count_optimal(classifier.fit(X, Y), X, Y)
    assert n_nodes == n_optimal > 20
    (record,) = classifier.training_state_.records
    duals = tuple(one._replace(values=one.values * 3) for one in record.duals)
    classifier.set_training_state(TrainingState((replace(record, duals=duals),)))
    n_nodes, n_optimal = count_optimal(classifier, X, Y)
    assert n_optimal < n_nodes / 2
