"""Bad input is refused with a sentence that helps, or it works; never half of each."""

import copy
import inspect
import itertools
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from custom_indexers import Raises, Returns, TwoLevels
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, normalize
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import has_fit_parameter

import skxmr
from skxmr import KMeansTree, LabelTree, TextRetriever, XRLinearClassifier
from skxmr.metrics import recall_at_k_scorer

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


@pytest.fixture(scope="module")
def fitted():
    return make_classifier().fit(X, Y)


def assert_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert re.search(message, str(caught.value)), str(caught.value)


def put(value):
    changed = DENSE_X.copy()
    changed[3, 2] = value
    return changed


# Features

BAD_FEATURES = {
    "one dimension": (DENSE_X[0], "Expected 2D array, got 1D array"),
    "three dimensions": (DENSE_X[None], "array with dim 3"),
    "no rows": (X[:0], r"0 sample\(s\) \(shape=\(0, 10\)\)"),
    "no features": (X[:, :0], r"0 feature\(s\) \(shape=\(40, 0\)\)"),
    "no features, dense": (DENSE_X[:, :0], r"0 feature\(s\) \(shape=\(40, 0\)\)"),
    "NaN": (put(np.nan), "X contains NaN"),
    "infinity": (put(np.inf), "X contains infinity or a value too large"),
    "minus infinity": (put(-np.inf), "X contains infinity or a value too large"),
    "too large": (put(1e39), "X contains infinity or a value too large"),
    "NaN, sparse": (sparse.csr_array(put(np.nan)), "X contains NaN"),
    "infinity, sparse": (sparse.csc_array(put(np.inf)), "X contains infinity"),
    "too large, sparse": (sparse.csr_array(put(1e300)), "X contains infinity or a val"),
    "complex": (DENSE_X * 1j, "Complex data not supported"),
    "complex, sparse": (X * 1j, "Complex data not supported"),
    "words": (np.full(X.shape, "much"), "could not convert string to float"),
    "objects": (np.full(X.shape, "much", dtype=object), "could not convert string"),
    "texts": (["a text"] * N_SAMPLES, "could not convert string to float"),
}
bad_features = pytest.mark.parametrize(
    ("features", "message"), BAD_FEATURES.values(), ids=BAD_FEATURES
)


@bad_features
def test_bad_features_at_fit(features, message):
    y = Y[: len(features)] if isinstance(features, list) else Y[: features.shape[0]]
    assert_refused(lambda: make_classifier().fit(features, y), ValueError, message)


@bad_features
def test_bad_features_at_prediction(features, message, fitted):
    for method in ("predict", "predict_proba", "decision_function", "rank"):
        assert_refused(
            lambda m=method: getattr(fitted, m)(features), ValueError, message
        )


def test_columns_of_words():
    frame = pd.DataFrame(DENSE_X, columns=[f"feature {i}" for i in range(N_FEATURES)])
    classifier = make_classifier().fit(frame, Y)
    frame["feature 3"] = "much"
    for call in (classifier.predict, lambda X: make_classifier().fit(X, Y)):
        assert_refused(lambda c=call: c(frame), ValueError, "could not convert string")


def test_other_numbers_of_features(fitted):
    message = "X has 7 features, but XRLinearClassifier is expecting 10 features"
    for features in (X[:, :7], DENSE_X[:, :7]):
        for method in ("predict", "predict_proba", "decision_function", "rank"):
            assert_refused(
                lambda m=method, f=features: getattr(fitted, m)(f), ValueError, message
            )
        assert_refused(lambda f=features: skxmr.rank(fitted, f), ValueError, message)


def test_other_feature_names():
    frame = pd.DataFrame(DENSE_X, columns=[f"feature {i}" for i in range(N_FEATURES)])
    classifier = make_classifier().fit(frame, Y)
    renamed = frame.rename(columns={"feature 0": "another"})
    assert_refused(
        lambda: classifier.predict(renamed), ValueError, "feature names should match"
    )
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        classifier.predict(DENSE_X)


def test_numbers_of_rows_must_agree():
    for y in (Y, DENSE_Y, CLASSES):
        assert_refused(
            lambda y=y: make_classifier().fit(X[:5], y),
            ValueError,
            r"inconsistent numbers of samples: \[5, 40\]",
        )


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_float32_is_not_overflown(loss):
    """Whatever the scale of X and of C: refused, or finite scores."""
    n_refused = 0
    for scale, C in itertools.product(
        10.0 ** np.arange(-40, 36, 5), (1e-37, 1e-6, 1.0, 1e20, 1e35)
    ):
        classifier = make_classifier(loss=loss, C=C, max_iter=20, threshold=0)
        if max(C, 1) * scale**2 > 1e36:
            n_refused += 1
            assert_refused(
                lambda c=classifier, s=scale: c.fit(X * s, Y),
                ValueError,
                "X gets up to .*: together too large for training in float32. Scale X",
            )
            continue
        classifier.fit(X * scale, Y)
        assert np.isfinite(classifier.rank(X * scale, N_LABELS)[1]).all()
        assert np.isfinite(classifier.layouts_[0].by_feature.weights).all()
    assert n_refused > 10


def test_costs_too_small_for_float32():
    message = "C times weights and relevance gets down to .*, too small for float32"
    for parameters in (
        {"C": 1e-39},
        {"C": 1e-30, "positive_weight": 1e-10},
        {"C": 1e-30, "negative_weight": 1e-10},
    ):
        assert_refused(
            lambda p=parameters: make_classifier(**p).fit(X, Y), ValueError, message
        )
    assert_refused(
        lambda: make_classifier(C=1e-20).fit(X, Y, relevance=Y * 1e-20),
        ValueError,
        message,
    )


def test_empty_rows_work():
    empty = DENSE_X.copy()
    empty[[0, 7, 39]] = 0
    for features in (empty, sparse.csr_array(empty)):
        classifier = make_classifier().fit(features, Y)
        columns, scores = classifier.rank(features, 3)
        np.testing.assert_array_equal(columns[0], columns[7])
        assert (scores > 0).all()
    # Dense and sparse rows are summed in different orders: equal but for rounding.
    dense, compressed = (
        make_classifier().fit(features, Y).predict_proba(X).toarray()
        for features in (empty, sparse.csr_array(empty))
    )
    np.testing.assert_allclose(dense, compressed, rtol=1e-4, atol=1e-6)
    nothing = sparse.csr_array(X.shape)
    columns, _ = make_classifier().fit(nothing, Y).rank(nothing, 1)
    assert (columns == columns[0]).all()


def test_duplicate_entries_are_added_up_and_left_alone():
    half = sparse.csr_array(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), X.indptr * 2), X.shape
    )
    expected = make_classifier().fit(X, Y)
    before = half.copy()
    assert_same_answers(make_classifier().fit(half, Y), expected, X)
    np.testing.assert_array_equal(expected.rank(half)[0], expected.rank(X)[0])
    assert_untouched(half, before)
    coordinates = sparse.coo_array(
        (np.ones(2 * Y.nnz), (np.tile(Y.nonzero()[0], 2), np.tile(Y.nonzero()[1], 2))),
        Y.shape,
    )
    twice = sparse.csr_array(
        (np.ones(2 * Y.nnz), np.repeat(Y.indices, 2), Y.indptr * 2), Y.shape
    )
    assert_same_answers(make_classifier().fit(X, twice), expected, X)
    assert twice.nnz == 2 * Y.nnz
    # In coordinates, SciPy itself adds them up on the way to CSR: 2 is no indicator.
    assert_refused(
        lambda: make_classifier().fit(X, coordinates), ValueError, "hold only 0 and 1"
    )


def test_unsorted_indices_work_and_are_left_alone():
    backwards_x, backwards_y = backwards(X), backwards(Y)
    before_x, before_y = backwards_x.copy(), backwards_y.copy()
    assert not backwards_x.has_sorted_indices
    expected = make_classifier().fit(X, Y)
    classifier = make_classifier().fit(backwards_x, backwards_y, relevance=backwards_y)
    assert_same_answers(classifier, expected, X)
    np.testing.assert_array_equal(expected.rank(backwards_x)[1], expected.rank(X)[1])
    assert_untouched(backwards_x, before_x)
    assert_untouched(backwards_y, before_y)


def backwards(matrix):
    """The same matrix, each row's entries from the last to the first."""
    order = np.concatenate(
        [np.arange(*row)[::-1] for row in itertools.pairwise(matrix.indptr)]
    )
    return sparse.csr_array(
        (matrix.data[order], matrix.indices[order], matrix.indptr), matrix.shape
    )


def assert_untouched(matrix, before):
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(matrix, name), getattr(before, name))


def assert_same_answers(one, other, features):
    for ours, theirs in zip(
        one.rank(features, 4), other.rank(features, 4), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_stored_zeros_are_no_labels_and_no_features():
    stored = DENSE_Y + 1.0
    stored = sparse.csr_array(stored)
    stored.data -= 1
    assert stored.nnz == Y.shape[0] * Y.shape[1]
    assert_same_answers(
        make_classifier().fit(X, stored), make_classifier().fit(X, Y), X
    )


# Targets

BAD_TARGETS = {
    "none": (None, ValueError, "requires y to be passed, but the target y is None"),
    "weighted": (Y * 2.5, ValueError, r"0 and 1.*got .*2\.5.*argument relevance"),
    "weighted, dense": (
        DENSE_Y * 2.5,
        ValueError,
        "continuous-mul.*argument relevance",
    ),
    "twos": (DENSE_Y * 2, ValueError, "hold only 0 and 1 to be an indicator; got .*2"),
    "negative": (Y * -1, ValueError, "hold only 0 and 1 to be an indicator; got .*-1"),
    "NaN": (Y * np.nan, ValueError, "y contains NaN"),
    "NaN, dense": (DENSE_Y * np.nan, ValueError, "y contains NaN"),
    "three dimensions": (DENSE_Y[:, :, None], ValueError, "array with dim 3"),
    "sparse, one dimension": (
        sparse.coo_array(DENSE_Y[:, 0]),
        ValueError,
        r"sparse array of shape \(40,\)|1d sparse array",  # by SciPy, until 1.14
    ),
    "several outputs": (
        np.arange(80).reshape(40, 2),
        ValueError,
        "Unknown label type: multiclass-multioutput. y must be an indicator",
    ),
    "several outputs of words": (
        np.array([["a", "b"]] * 40),
        ValueError,
        "Unknown label type: multiclass-multioutput",
    ),
    "continuous": (DENSE_X[:, 0], ValueError, "Unknown label type: continuous. y must"),
    "NaN among numbers": (np.append(np.ones(39), np.nan), ValueError, "NaN"),
    "complex": (Y * 1j, ValueError, "Complex data not supported"),
    "complex, dense": (DENSE_Y * 1j, ValueError, "Complex data not supported"),
    "objects": (np.array([object()] * 40), ValueError, "Unknown label type: unknown"),
    "lists": ([["a"], ["b", "c"]] * 20, ValueError, "inhomogeneous|legacy multi-label"),
    "bytes": (
        np.array([b"a", b"b"] * 20),
        (TypeError, FutureWarning),  # a warning until scikit-learn 1.7
        "labels represented as bytes",
    ),
    "mixed": (
        np.array(["a", 1] * 20, dtype=object),
        TypeError,
        "class labels of one type, all strings or all numbers; got int and str",
    ),
    "None among words": (
        np.array(["a", None] * 20, dtype=object),
        TypeError,
        "one type.*got NoneType and str",
    ),
    "missing in pandas": (
        pd.Series(["a", None] * 20),
        (TypeError, ValueError),  # None until pandas 3, and now NaN
        "got NoneType and str|contains NaN",
    ),
    "a matrix": (
        sparse.csr_matrix(DENSE_Y).todense(),
        TypeError,
        "np.matrix is not supported",
    ),
    "no labels": (Y[:, :0], ValueError, r"0 feature\(s\) \(shape=\(40, 0\)\)"),
    "no label of any row": (
        sparse.csr_array(Y.shape, dtype=np.int64),
        ValueError,
        r"y of shape \(40, 6\) holds no label at all; expected one at least",
    ),
    "no label of any row, dense": (
        np.zeros_like(DENSE_Y),
        ValueError,
        "no label at all",
    ),
    "one label that no row has": (sparse.csr_array((40, 1)), ValueError, "no label at"),
}


@pytest.mark.parametrize(
    ("y", "error", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS
)
def test_bad_targets(y, error, message):
    assert_refused(lambda: make_classifier().fit(X, y), error, message)


GOOD_TARGETS = {
    "list": DENSE_Y.tolist(),
    "boolean": DENSE_Y.astype(bool),
    "float": DENSE_Y.astype(np.float64),
    "pandas": pd.DataFrame(DENSE_Y),
    "sparse pandas": pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(DENSE_Y)),
    "polars": pl.DataFrame(DENSE_Y),
    **{name: Y.asformat(name) for name in ("csc", "coo", "lil", "dok")},
    **{np.dtype(one).name: Y.astype(one) for one in (bool, np.uint8, np.float32)},
}


@pytest.mark.parametrize("y", GOOD_TARGETS.values(), ids=GOOD_TARGETS)
def test_indicators_in_any_container(y):
    classifier = make_classifier().fit(X, y)
    expected = make_classifier().fit(X, Y)
    assert_same_answers(classifier, expected, X)
    assert classifier.predict(X).dtype == getattr(y, "dtype", np.int64)
    assert sparse.issparse(classifier.predict(X)) == (
        sparse.issparse(y) or hasattr(y, "sparse")
    )


GOOD_CLASSES = {
    "list": CLASSES.tolist(),
    "object": CLASSES.astype(object),
    "pandas": pd.Series(CLASSES),
    "other index": pd.Series(CLASSES, index=np.arange(100, 140)),
    "category": pd.Series(CLASSES, dtype="category"),
    "polars": pl.Series(CLASSES),
}


@pytest.mark.parametrize("y", GOOD_CLASSES.values(), ids=GOOD_CLASSES)
def test_classes_in_any_container(y):
    classifier = make_classifier().fit(X, y)
    assert_same_answers(classifier, make_classifier().fit(X, CLASSES), X)
    assert classifier.classes_.tolist() == ["blue", "green", "red"]
    assert set(classifier.predict(X)) <= set(CLASSES)


def test_dates_are_classes_too():
    dates = np.array(["2020-02-29", "1999-12-31"], dtype="datetime64[D]")
    predicted = make_classifier().fit(X, dates[np.arange(40) % 2]).predict(X)
    assert set(predicted) <= set(dates)


def test_a_column_of_classes_is_one_dimension():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        classifier = make_classifier().fit(X, CLASSES[:, None])
    assert_same_answers(classifier, make_classifier().fit(X, CLASSES), X)
    assert classifier.predict(X).shape == (40,)


def test_empty_label_columns_are_never_found():
    empty = DENSE_Y.copy()
    empty[:, [0, 4]] = 0
    for y in (empty, sparse.csr_array(empty)):
        classifier = make_classifier(beam_width=None).fit(X, y)
        assert not np.isin(classifier.rank(X, N_LABELS)[0], [0, 4]).any()
        assert classifier.predict_proba(X).shape == Y.shape


def test_rows_without_labels_are_negatives():
    unlabelled = DENSE_Y.copy()
    unlabelled[20:] = 0
    classifier = make_classifier().fit(X, unlabelled)
    assert (classifier.predict(X[20:]).sum()) <= (classifier.predict(X[:20]).sum())


def test_more_labels_than_rows():
    many = sparse.eye_array(5, 1000, format="csr")
    for y in (many, many.toarray()):
        classifier = make_classifier(C=1000.0, max_iter=10_000).fit(X[:5], y)
        columns, _ = classifier.rank(X[:5], 5)
        assert (columns[:, 0] == np.arange(5)).mean() > 0.5
        # Labels that no row has are not found.
        assert (np.sort(columns) == np.arange(5)).all()


def test_one_row():
    # What is there in every row is there always; the rest was never seen.
    classifier = make_classifier().fit(DENSE_X[:1], DENSE_Y[:1])
    np.testing.assert_array_equal(classifier.predict(X[:3]), DENSE_Y[[0, 0, 0]])
    classifier = make_classifier().fit(X[:1], Y[:1])
    np.testing.assert_array_equal(
        classifier.predict(X[:3]).toarray(), DENSE_Y[[0, 0, 0]]
    )
    assert classifier.n_weights_ == 0
    assert make_classifier().fit(X[:1], ["only"]).predict(X).tolist() == ["only"] * 40


def test_one_class():
    classifier = make_classifier().fit(X, ["only"] * N_SAMPLES)
    np.testing.assert_array_equal(classifier.predict_proba(X), np.ones((40, 1)))
    assert set(classifier.predict(X)) == {"only"}


def test_one_label_that_some_rows_have():
    one = Y[:, [0]]
    classifier = make_classifier(C=100.0, max_iter=10_000).fit(X, one)
    scores = classifier.predict_proba(X)
    assert scores.shape == (40, 1)
    assert sparse.issparse(scores)
    has = one.toarray().ravel() == 1
    scores = scores.toarray().ravel()
    assert 0 < has.sum() < N_SAMPLES
    assert scores[has].mean() > 2 * scores[~has].mean()
    columns, _ = classifier.rank(X, 2)
    np.testing.assert_array_equal(columns, [[0, -1]] * 40)


def test_one_label_that_all_rows_have():
    classifier = make_classifier().fit(X, sparse.csr_array(np.ones((40, 1))))
    assert (classifier.predict(X).toarray() == 1).all()
    assert classifier.n_weights_ == 0


def test_all_labels_of_all_rows():
    classifier = make_classifier().fit(X, np.ones_like(DENSE_Y))
    np.testing.assert_array_equal(classifier.predict(X), np.ones_like(DENSE_Y))
    columns, _ = classifier.rank(X, 3)
    np.testing.assert_array_equal(columns, [[0, 1, 2]] * 40)


# Relevance and names

ELSEWHERE = "relevance must be positive wherever y has a label and 0 elsewhere"
SHAPE = r"relevance has the shape \({}\); expected \(40, 6\), rows by labels, or"
BAD_RELEVANCE = {
    "negative": (Y * -1.0, "positive wherever y has a label; got -1.0"),
    "zero": (Y * 0.0, f"{ELSEWHERE}; got 0 weights"),
    "lost in float32": (Y * 1e-60, f"{ELSEWHERE}; got 0 weights"),
    "missing": (Y * (np.arange(40)[:, None] > 0), f"{ELSEWHERE}; got .* the 91 labels"),
    "elsewhere": (DENSE_Y + 1.0, f"{ELSEWHERE}; got 240 weights"),
    "NaN": (Y * np.nan, "relevance contains NaN"),
    "infinite": (Y * np.inf, "relevance contains infinity or a value too large"),
    "too large": (Y * 1e39, "relevance contains infinity or a value too large"),
    "nearly too large": (Y * 1e38, "too large for training in float32"),
    "fewer labels": (Y[:, :3], SHAPE.format("40, 3")),
    "fewer rows": (Y[:9], SHAPE.format("9, 6")),
    "one dimension": (np.ones(39), SHAPE.format("39,")),
    "one dimension, sparse": (
        sparse.coo_array(np.ones(40)),
        r"relevance is a sparse array of shape \(40,\)|1d sparse array",
    ),
    "three dimensions": (np.ones((2, 2, 2)), "array with dim 3"),
    "words": (np.full(Y.shape, "much"), "could not convert string to float"),
    "complex": (Y * 1j, "Complex data not supported"),
}


@pytest.mark.parametrize(
    ("relevance", "message"), BAD_RELEVANCE.values(), ids=BAD_RELEVANCE
)
def test_bad_relevance(relevance, message):
    assert_refused(
        lambda: make_classifier().fit(X, Y, relevance=relevance), ValueError, message
    )


@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        (np.ones(39), r"has the shape \(39,\); expected \(40, 3\).*or \(40,\)"),
        (np.ones((40, 1)), r"has the shape \(40, 1\); expected \(40, 3\).*or \(40,\)"),
        (-np.ones(40), "must be positive wherever y has a label; got -1.0"),
        (np.zeros(40), "must be positive wherever y has a label; got 0.0"),
        (np.full(40, np.nan), "relevance contains NaN"),
        (["much"] * 40, "could not convert string to float"),
    ],
)
def test_bad_relevance_of_classes(relevance, message):
    assert_refused(
        lambda: make_classifier().fit(X, CLASSES, relevance=relevance),
        ValueError,
        message,
    )


RELEVANCE_OF_ROWS = np.linspace(0.5, 4, N_SAMPLES)
SOME_WITHOUT = DENSE_Y * (np.arange(N_SAMPLES) % 4 > 0)[:, None]


@pytest.mark.parametrize(
    "y", [Y, DENSE_Y, SOME_WITHOUT, sparse.csc_array(SOME_WITHOUT)], ids=str
)
@pytest.mark.parametrize("container", [np.array, list, pd.Series, pl.Series])
def test_a_weight_for_each_row_is_that_of_all_its_labels(y, container):
    dense = y.toarray() if sparse.issparse(y) else y
    expected = make_classifier().fit(
        X, y, relevance=dense * RELEVANCE_OF_ROWS[:, np.newaxis]
    )
    found = make_classifier().fit(X, y, relevance=container(RELEVANCE_OF_ROWS))
    assert_same_answers(found, expected, X)
    unweighted = make_classifier().fit(X, y)
    assert (unweighted.rank(X, 4)[1] != found.rank(X, 4)[1]).any()


def test_a_weight_for_each_row_without_labels_may_be_anything_finite():
    weights = np.where(SOME_WITHOUT.any(axis=1), RELEVANCE_OF_ROWS, 0)
    expected = make_classifier().fit(X, SOME_WITHOUT, relevance=RELEVANCE_OF_ROWS)
    found = make_classifier().fit(X, SOME_WITHOUT, relevance=weights)
    assert_same_answers(found, expected, X)


@pytest.mark.parametrize(
    "y", [Y[:4], DENSE_Y[:4], list("abcd")], ids=["sparse", "dense", "classes"]
)
@pytest.mark.parametrize("weight", [1, 3])
def test_a_weight_for_each_text_beside_texts_of_labels(y, weight):
    weights, names = [0.5, 1, 2, 4], ["one", "two", "", "four", "five", "six"]
    names = names[: 4 if isinstance(y, list) else 6]
    given = weights
    if not isinstance(y, list):
        dense = y.toarray() if sparse.issparse(y) else y
        given = dense * np.array(weights)[:, None]
    found, expected = (
        TextRetriever(classifier=make_classifier(), label_text_weight=weight).fit(
            TEXTS, y, label_texts=names, relevance=one
        )
        for one in (weights, given)
    )
    assert found.search("red apple two") == expected.search("red apple two")
    with pytest.raises(ValueError, match=r"relevance has the shape \(3,\); expected"):
        found.fit(TEXTS, y, label_texts=names, relevance=weights[:3])


# There is no sample_weight


@pytest.mark.parametrize(
    ("estimator", "data", "instead"),
    [
        (XRLinearClassifier(), (X, Y), " Give relevance, .* of shape"),
        (TextRetriever(), (list("abcd"), list("abcd")), " Give relevance, .* of shape"),
        (skxmr.QueryCompleter(), (None, list("abcd")), " Give counts, .* of shape"),
        (skxmr.baselines.PopularCompleter(), (None, list("abcd")), " Give counts, "),
        (skxmr.NeighborRanker(), (X, Y), ""),
        (KMeansTree(), (X,), ""),
        (skxmr.WordNgramTfidf(), (["a text"],), ""),
    ],
    ids=lambda one: type(one).__name__,
)
def test_sample_weight_is_refused_with_what_to_give_instead(estimator, data, instead):
    name = type(estimator).__name__
    for weights in (np.ones(4), None):
        with pytest.raises(
            TypeError, match=rf"{name}.fit takes no sample_weight\.{instead}"
        ) as error:
            estimator.fit(*data, sample_weight=weights)
        assert bool(instead) == ("Give " in str(error.value))
    # Nothing else believes that it could be given.
    assert not has_fit_parameter(estimator, "sample_weight")
    assert "sample_weight" not in inspect.signature(estimator.fit).parameters
    with config_context(enable_metadata_routing=True):
        assert "sample_weight" not in estimator.get_metadata_routing().fit.requests


def test_sample_weight_through_a_pipeline():
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier())
    with pytest.raises(TypeError, match=r"takes no sample_weight\. Give relevance"):
        pipeline.fit(X, Y, xrlinearclassifier__sample_weight=np.ones(N_SAMPLES))
    pipeline.fit(X, Y, xrlinearclassifier__relevance=np.ones(N_SAMPLES))


def test_relevance_in_any_container():
    weights = DENSE_Y * np.linspace(0.5, 2, N_LABELS)
    expected = make_classifier().fit(X, Y, relevance=weights)
    for relevance in (
        sparse.csr_array(weights),
        sparse.coo_array(weights),
        sparse.csc_matrix(weights),
        weights.tolist(),
        pd.DataFrame(weights),
    ):
        found = make_classifier().fit(X, Y, relevance=relevance)
        assert_same_answers(found, expected, X)


BAD_NAMES = {
    "too few": (NAMES[:5], ValueError, "label_names has 5 names; expected 6, one for"),
    "too many": ([*NAMES, "x"], ValueError, "label_names has 7 names; expected 6"),
    "as many as rows": (
        NAMES * 6 + NAMES[:4],
        ValueError,
        "has 40 names; expected 6.*There are as many names as rows of X: a search",
    ),
    "one string": ("abcdef", TypeError, "sequence of 6 names; got a str"),
    "a number": (6, TypeError, "sequence of 6 names; got a int"),
    "a generator": ((name for name in NAMES), TypeError, "names; got a generator"),
    "a set": (set(NAMES), TypeError, "sequence of 6 names; got a set"),
    "a dict": (dict.fromkeys(NAMES), TypeError, "sequence of 6 names; got a dict"),
    "two dimensions": (
        np.array([NAMES]).T,
        TypeError,
        "sequence of 6 names; got a nda",
    ),
    "no dimension": (np.array("abcdef"), TypeError, "sequence of 6 names; got a ndarr"),
}


@pytest.mark.parametrize(
    ("names", "error", "message"), BAD_NAMES.values(), ids=BAD_NAMES
)
def test_bad_label_names(names, error, message):
    assert_refused(
        lambda: make_classifier().fit(X, Y, label_names=names), error, message
    )


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pl.Series])
def test_label_names_in_any_container(container):
    seen = make_classifier(indexer=TwoLevels()).fit(X, Y, label_names=container(NAMES))
    assert seen.trees_[0].n_labels == N_LABELS


def test_names_that_a_search_has_cut():
    """As many labels as rows: scikit-learn splits whatever is as long as X."""
    square = sparse.eye_array(N_SAMPLES, format="csr")
    names = [f"label {i}" for i in range(N_SAMPLES)]
    search = GridSearchCV(
        make_classifier(),
        {"beam_width": [1, 2]},
        scoring=recall_at_k_scorer(1),
        cv=KFold(2),
        error_score="raise",
    )
    # The search has as many rows as labels, a fold half of them.
    assert_refused(
        lambda: search.fit(X, square, label_names=names),
        ValueError,
        "label_names has 20 names; expected 40.*a search that splits the rows",
    )
    more = sparse.hstack([square, sparse.csr_array((N_SAMPLES, 1))], format="csr")
    search.fit(X, more, label_names=[*names, "another"])


# Parameters

BAD_PARAMETERS = {
    "matcher": ["linear", 3],
    "matcher_level": [0, -1, 1.5, "1"],
    "ranker": ["linear", 3],
    "indexer": [3, "kmeans"],
    "label_vectors": ["PIFA", 3, None],
    "loss": ["squared hinge", None, 3],
    "C": [0, -1.0, "1", None, np.nan, np.inf],
    "prior_weight": [-1.0, "1", None, np.nan, np.inf],
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
    "n_trees": [0, -1, 1.5, "2", None],
    "memory": [3, object()],
    "n_jobs": [1.5, "2"],
    "random_state": ["0", -1, 1.5],
    "verbose": [-1, "much", None],
}
SEARCH_PARAMETERS = (
    "beam_width",
    "max_candidates",
    "decision_threshold",
    "score_transform",
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


# Methods


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
    "bad names": ({}, (FRAME, CLASSES), {"label_names": ["red"]}),
    "bad parameter": ({"tol": -1}, (FRAME, Y), {}),
    "bad vectors": ({"label_vectors": np.ones((2, 2))}, (FRAME, Y), {}),
    "costs too large": ({"C": 1e39}, (FRAME, Y), {}),
    "failing indexer": ({"indexer": Raises(RuntimeError("no"))}, (FRAME, CLASSES), {}),
    "wrong tree": ({"indexer": Returns(SMALL)}, (FRAME, Y), {}),
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


# Texts

RETRIEVER = {
    "one text": (("a text", CLASSES[:4]), {}, ValueError, "texts must be an iterable"),
    "numbers": (
        ([1, 2], ["a", "b"]),
        {},
        TypeError,
        r"texts\[0\] must be a str; got 1",
    ),
    "bytes": (([b"a"], ["a"]), {}, TypeError, r"texts\[0\] must be a str; got b'a'"),
    "other length": (
        (TEXTS, ["a"]),
        {},
        ValueError,
        r"inconsistent numbers of samples",
    ),
    "no y": ((TEXTS, None), {}, ValueError, "y to be passed, but the target y is None"),
    "empty": (([], []), {}, ValueError, "empty vocabulary"),
    "no words": ((["", " "], ["a", "b"]), {}, ValueError, "empty vocabulary"),
    "names as string": (
        (TEXTS, list("abcd")),
        {"label_texts": "abcd"},
        ValueError,
        "label_texts must be an iterable of str",
    ),
    "names of numbers": (
        (TEXTS, list("abcd")),
        {"label_texts": [1, 2, 3, 4]},
        TypeError,
        r"label_texts\[0\] must be a str",
    ),
    "too few names": (
        (TEXTS, list("abcd")),
        {"label_texts": ["a"]},
        ValueError,
        "label_texts has 1 texts; expected 4, one for each label of y",
    ),
}


@pytest.mark.parametrize(
    ("data", "arguments", "error", "message"), RETRIEVER.values(), ids=RETRIEVER
)
def test_bad_texts(data, arguments, error, message):
    retriever = TextRetriever()
    assert_refused(lambda: retriever.fit(*data, **arguments), error, message)
    assert not retriever.__sklearn_is_fitted__()
    retriever.fit(TEXTS, list("abcd"))
    before = dict(vars(retriever))
    assert_refused(lambda: retriever.fit(*data, **arguments), error, message)
    assert all(vars(retriever)[name] is before[name] for name in before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vectorizer": 3}, "The 'vectorizer' parameter of TextRetriever must be"),
        ({"vectorizer": KMeansTree()}, "implementing 'fit_transform' and 'transform'"),
        (
            {"classifier": "linear"},
            "The 'classifier' parameter of TextRetriever must be",
        ),
        (
            {"classifier": LogisticRegression()},
            "implementing 'fit' and 'rank'",
        ),
    ],
)
def test_bad_stages(parameters, message):
    assert_refused(
        lambda: TextRetriever(**parameters).fit(TEXTS, list("abcd")),
        InvalidParameterError,
        message,
    )


@pytest.mark.parametrize("part", ["indices", "indptr"])
@pytest.mark.parametrize("which", ["X", "y", "query"])
def test_corrupt_sparse_arrays_are_refused(which, part):
    """SciPy does not look again at arrays that were changed in place."""
    arrays = {name: sparse.csr_array(np.eye(4)) for name in ("X", "y", "query")}
    fitted = XRLinearClassifier().fit(arrays["X"], arrays["y"])
    getattr(arrays[which], part)[2] = 2**30

    def fit_and_ask():
        fitted.rank(arrays["query"])
        XRLinearClassifier().fit(arrays["X"], arrays["y"])

    with pytest.raises(ValueError, match=r"ind(ices|ex|ptr)"):
        fit_and_ask()
