"""A small problem that tests of input share, and checks of what is refused."""

import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.preprocessing import normalize

from skxmr import KMeansTree, XRLinearClassifier

N_SAMPLES, N_FEATURES, N_LABELS = 40, 10, 6
DENSE_X, DENSE_Y = make_multilabel_classification(
    N_SAMPLES, N_FEATURES, n_classes=N_LABELS, allow_unlabeled=False, random_state=0
)
DENSE_X = normalize(DENSE_X)
X, Y = sparse.csr_array(DENSE_X), sparse.csr_array(DENSE_Y)
CLASSES = np.array(["red", "green", "blue"])[np.arange(N_SAMPLES) % 3]
NAMES = [f"label {i}" for i in range(N_LABELS)]
TEXTS = ["red apple", "green pear", "phone", "phone case"]


def make_classifier(**parameters):
    defaults = {"indexer": KMeansTree(2, 2), "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


def assert_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert re.search(message, str(caught.value)), str(caught.value)


def assert_same_answers(one, other, features):
    for ours, theirs in zip(
        one.rank(features, 4), other.rank(features, 4), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
