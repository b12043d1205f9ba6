"""Invalid calls are refused, and a fit that fails changes nothing."""

import copy

import numpy as np
import pandas as pd
import pytest
from custom_indexers import Raises, Returns
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError
from small_problem import (
    CLASSES,
    DENSE_X,
    DENSE_Y,
    N_FEATURES,
    X,
    Y,
    assert_refused,
    make_classifier,
)

import skxmr
from skxmr import LabelTree, XRLinearClassifier


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("predict", (X,)),
        ("predict_proba", (X,)),
        ("decision_function", (X,)),
        ("rank", (X,)),
        ("rank_one", (X.indices[:2], X.data[:2])),
        ("prune", (0.2,)),
        ("score", (X, Y)),
    ],
)
def test_unfitted(method, arguments):
    with pytest.raises(
        NotFittedError, match="XRLinearClassifier instance is not fitted"
    ):
        getattr(XRLinearClassifier(), method)(*arguments)
    with pytest.raises(NotFittedError):
        getattr(clone(make_classifier().fit(X, Y)), method)(*arguments)


def test_unfitted_through_the_function():
    with pytest.raises(NotFittedError):
        skxmr.rank(XRLinearClassifier(), X)


@pytest.mark.parametrize("k", [0, -1, 1.5, "3", None])
def test_bad_numbers_of_labels_to_find(k, fitted):
    message = r"The 'k' parameter of .*rank must be an int in the range \[1, inf\)"
    assert_refused(lambda: fitted.rank(X, k), InvalidParameterError, message)
    assert_refused(lambda: skxmr.rank(fitted, X, k), InvalidParameterError, message)


def test_the_unchecked_call_never_reads_or_writes_what_is_not_its_own(fitted):
    indices, values = X.indices[:3].astype(np.int32), X.data[:3].astype(np.float32)
    with pytest.raises(ValueError, match="1 values for 3 indices"):
        fitted.rank_one(indices, values[:1])
    with pytest.raises(TypeError, match="indices is an array of int64"):
        fitted.rank_one(indices.astype(np.int64), values)
    with pytest.raises(TypeError, match="values is an array of float64"):
        fitted.rank_one(indices, values.astype(np.float64))
    with pytest.raises(ValueError, match="'beam_width' parameter"):
        copy.copy(fitted).set_params(beam_width=0).rank_one(indices, values)
    outside = np.array([-7, N_FEATURES, 2**31 - 1], dtype=np.int32)
    nothing = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    for found, expected in zip(
        fitted.rank_one(outside, values), fitted.rank_one(*nothing), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    columns, scores = fitted.rank_one(indices, values, 0)
    assert len(columns) == len(scores) == 0


# A fit that fails changes nothing


class Interrupted(Raises):
    def __init__(self):
        super().__init__(KeyboardInterrupt())

    def get_params(self, deep=True):
        return {}


FRAME = pd.DataFrame(DENSE_X[:, :7], columns=[f"other {i}" for i in range(7)])
FAILING = {
    "bad y": ({}, (FRAME, DENSE_Y * 2.5), {}),
    "y of another length": ({}, (FRAME, CLASSES[:9]), {}),
    "no label": ({}, (FRAME, DENSE_Y * 0), {}),
    "bad relevance": ({}, (FRAME, Y), {"relevance": -Y}),
    "bad negatives": ({}, (FRAME, Y), {"negatives": Y}),
    "bad names": ({}, (FRAME, CLASSES), {"label_names": ["red"]}),
    "bad parameter": ({"tol": -1}, (FRAME, Y), {}),
    "bad vectors": ({"label_vectors": np.ones((2, 2))}, (FRAME, Y), {}),
    "costs too large": ({"C": 1e39}, (FRAME, Y), {}),
    "failing indexer": ({"indexer": Raises(RuntimeError("no"))}, (FRAME, CLASSES), {}),
    "wrong tree": (
        {"indexer": Returns(LabelTree([[0, 3]], [0, 1, 2]))},
        (FRAME, Y),
        {},
    ),
    "interrupted": ({"indexer": Interrupted()}, (FRAME, CLASSES), {}),
    "more than the whole": ({"threshold": 1.5}, (FRAME, Y), {}),
    "memory and threshold": (
        {"memory": "never made", "threshold": 0.001},
        (FRAME, CLASSES),
        {},
    ),
}


@pytest.mark.parametrize(
    ("parameters", "data", "arguments"), FAILING.values(), ids=FAILING
)
def test_a_fit_that_fails_leaves_the_earlier_one(parameters, data, arguments):
    frame = pd.DataFrame(DENSE_X, columns=[f"feature {i}" for i in range(N_FEATURES)])
    classifier = make_classifier(n_trees=2).fit(frame, Y)
    before = dict(vars(classifier))
    answers = classifier.predict_proba(frame).toarray()
    with pytest.raises((ValueError, RuntimeError, KeyboardInterrupt)):
        classifier.set_params(**parameters).fit(*data, **arguments)
    classifier.set_params(**{name: before[name] for name in parameters})
    assert vars(classifier).keys() == before.keys()
    assert all(vars(classifier)[name] is before[name] for name in before)
    assert classifier.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_array_equal(classifier.predict_proba(frame).toarray(), answers)
    with pytest.raises(ValueError, match=r"below 0\.1"):
        classifier.prune(0.05)


@pytest.mark.parametrize(
    ("parameters", "data", "arguments"), FAILING.values(), ids=FAILING
)
def test_a_first_fit_that_fails_leaves_nothing(parameters, data, arguments):
    classifier = make_classifier(**parameters)
    before = classifier.__getstate__().keys()
    with pytest.raises((ValueError, RuntimeError, KeyboardInterrupt)):
        classifier.fit(*data, **arguments)
    assert classifier.__getstate__().keys() == before
    with pytest.raises(NotFittedError):
        classifier.predict(X)


def test_a_fit_without_names_forgets_those_of_the_earlier_one():
    frame = pd.DataFrame(DENSE_X, columns=[f"feature {i}" for i in range(N_FEATURES)])
    classifier = make_classifier().fit(frame, Y).fit(X[:, :4], CLASSES)
    assert not hasattr(classifier, "feature_names_in_")
    assert classifier.n_features_in_ == 4
    assert classifier.classes_.tolist() == ["blue", "green", "red"]
