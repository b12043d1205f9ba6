"""Invalid targets are refused with a clear message, and valid ones work."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from small_problem import (
    CLASSES,
    DENSE_X,
    DENSE_Y,
    N_LABELS,
    N_SAMPLES,
    X,
    Y,
    assert_refused,
    assert_same_answers,
    make_classifier,
)

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
    "lists": ([[1], [2, 3]] * 20, ValueError, "rows of 1 to 2 numbers; expected an i"),
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
