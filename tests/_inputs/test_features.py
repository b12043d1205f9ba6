"""Invalid features are refused with a clear message, and valid ones work."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from small_problem import (
    CLASSES,
    DENSE_X,
    DENSE_Y,
    N_FEATURES,
    N_LABELS,
    N_SAMPLES,
    X,
    Y,
    assert_refused,
    assert_same_answers,
    make_classifier,
)

import skxmr
from skxmr import XRLinearClassifier


def put(value):
    changed = DENSE_X.copy()
    changed[3, 2] = value
    return changed


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
# Scores of the smallest scales are equal but for rounding.
@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
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


def test_stored_zeros_are_no_labels_and_no_features():
    stored = DENSE_Y + 1.0
    stored = sparse.csr_array(stored)
    stored.data -= 1
    assert stored.nnz == Y.shape[0] * Y.shape[1]
    assert_same_answers(
        make_classifier().fit(X, stored), make_classifier().fit(X, Y), X
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
