"""Invalid parameters are refused with a clear message, and valid ones work."""

import copy

import numpy as np
import pytest
from custom_indexers import Raises, Returns
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import InvalidParameterError
from small_problem import (
    X,
    Y,
    assert_refused,
    make_classifier,
)

from skxmr import KMeansTree, LabelTree, XRLinearClassifier

BAD_PARAMETERS = {
    "matcher": ["linear", 3],
    "matcher_level": [0, -1, 1.5, "1"],
    "ranker": ["linear", 3],
    "indexer": [3, "kmeans"],
    "label_vectors": ["PIFA", 3, None],
    "loss": ["squared hinge", None, 3],
    "C": [0, -1.0, "1", None, np.nan, np.inf],
    "prior_weight": [-1.0, "1", None, np.nan, np.inf],
    "block_weights": [0.0, -1.0, "1", None, np.nan, np.inf],
    "positive_weight": [0, -1.0, "1", None, np.nan, np.inf],
    "negative_weight": [0, -1.0, "1", None, np.nan, np.inf],
    "fit_intercept": ["yes", None, 2],
    "tol": [0, -1.0, "1", None, np.nan, np.inf],
    "max_iter": [0, -1, 1.5, "3", 2**31, None],
    "negative_sampling": ["none", None],
    "negative_beam_width": [0, -1, 1.5, "3", None],
    "threshold": [-0.1, "0.1", None, np.nan, np.inf],
    "threshold_unit": ["percent", None, 1],
    "weight_floor": [-0.1, "0.1", None, np.nan, np.inf],
    "weight_precision": ["float64", np.float16, None],
    "beam_width": [0, -1, 1.5, "3", np.nan],
    "max_candidates": [0, -1, 1.5, "3", np.nan],
    "decision_threshold": [-0.1, 1.1, "0.5", None, np.nan],
    "score_transform": ["l5-hinge", "softmax", None, 3],
    "propensity_weight": [-1.0, "1", None, np.nan, np.inf],
    "n_trees": [0, -1, 1.5, "2", None],
    "memory": [3, object()],
    "n_jobs": [1.5, "2"],
    "random_state": ["0", -1, 1.5],
    "verbose": [-1, "much", None],
    "warm_start": ["yes", None, 2],
}
SEARCH_PARAMETERS = (
    "beam_width",
    "max_candidates",
    "decision_threshold",
    "score_transform",
    "propensity_weight",
    "n_jobs",
)


def test_every_parameter_has_invalid_values():
    assert set(BAD_PARAMETERS) == set(XRLinearClassifier().get_params(deep=False))


@pytest.mark.parametrize("name", BAD_PARAMETERS)
def test_bad_parameters(name):
    for value in BAD_PARAMETERS[name]:
        classifier = make_classifier().set_params(**{name: value})
        assert_refused(
            lambda c=classifier: c.fit(X, Y),
            InvalidParameterError,
            f"The '{name}' parameter of XRLinearClassifier must be",
        )
        assert not hasattr(classifier, "n_features_in_")


@pytest.mark.parametrize("name", SEARCH_PARAMETERS)
def test_bad_parameters_set_after_fit(name, fitted):
    for value in BAD_PARAMETERS[name]:
        changed = copy.copy(fitted).set_params(**{name: value})
        for method in ("predict", "predict_proba", "decision_function", "rank"):
            assert_refused(
                lambda c=changed, m=method: getattr(c, m)(X),
                InvalidParameterError,
                f"The '{name}' parameter of XRLinearClassifier must be",
            )


def test_no_workers_at_all(fitted):
    message = "n_jobs == 0 in Parallel has no meaning"
    assert_refused(lambda: make_classifier(n_jobs=0).fit(X, Y), ValueError, message)
    none = copy.copy(fitted).set_params(n_jobs=0)
    assert_refused(lambda: none.predict(X), ValueError, message)


def test_unknown_parameters():
    with pytest.raises(TypeError, match="unexpected keyword argument 'beam'"):
        XRLinearClassifier(beam=3)
    for name in ("beam", "indexer__beam"):
        with pytest.raises(ValueError, match="Invalid parameter 'beam' for estimator"):
            make_classifier().set_params(**{name: 3})


BAD_VECTORS = {
    "too few": (
        np.ones((5, 2)),
        r"has the shape \(5, 2\); expected 6 rows, one for eac",
    ),
    "too few, sparse": (
        sparse.csr_array(np.ones((5, 2))),
        r"\(5, 2\); expected 6 rows",
    ),
    "too few in a pair": (("pifa", np.ones((5, 2))), r"\(5, 2\); expected 6 rows"),
    "unknown pair": (
        ("tfidf", np.ones((6, 2))),
        r"pair \('tfidf', .*; expected \('pifa'",
    ),
    "pair of names": (("pifa", "pifa"), r"expected \('pifa', vectors\)"),
    "one dimension": (
        np.ones(6),
        r"of shape \(6,\); expected vectors of shape \(n_lab",
    ),
    "NaN": (np.full((6, 2), np.nan), "label_vectors contains NaN"),
    "infinite": (
        sparse.csr_array(np.full((6, 2), np.inf)),
        "label_vectors contains inf",
    ),
    "words": (np.full((6, 2), "word"), "could not convert string to float"),
}


@pytest.mark.parametrize(("vectors", "message"), BAD_VECTORS.values(), ids=BAD_VECTORS)
def test_bad_label_vectors(vectors, message):
    classifier = make_classifier(label_vectors=vectors)
    assert_refused(lambda: classifier.fit(X, Y), ValueError, message)


SMALL = LabelTree([[0, 3]], [0, 1, 2])
BAD_INDEXERS = {
    "no instance": (KMeansTree, TypeError, "an instance of scikit-learn estimator"),
    "no estimator": (SMALL, InvalidParameterError, "an object implementing 'fit'"),
    "no indexer": (LogisticRegression(), TypeError, "label_names"),
    "bad parameters": (
        KMeansTree(max_leaf_size=0),
        InvalidParameterError,
        "The 'max_leaf_size' parameter of KMeansTree must be",
    ),
    "no tree": (Returns(None), TypeError, r"Returns\(.*set tree_ to a NoneType; exp"),
    "another tree": (
        Returns([1, 2]),
        TypeError,
        "set tree_ to a list; expected a Label",
    ),
    "other labels": (
        Returns(SMALL),
        ValueError,
        r"built a tree over 3 labels; expected one over the 6 labels of y",
    ),
    "failing": (Raises(RuntimeError("no memory")), RuntimeError, "no memory"),
}


@pytest.mark.parametrize(
    ("indexer", "error", "message"), BAD_INDEXERS.values(), ids=BAD_INDEXERS
)
def test_bad_indexers(indexer, error, message):
    assert_refused(lambda: make_classifier(indexer=indexer).fit(X, Y), error, message)
