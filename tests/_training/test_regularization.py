"""Regularisation that follows the scale of X."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import normalize

from skxmr import KMeansTree, XRLinearClassifier
from skxmr._training._regularization import Regularization, resolve_regularization
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows


def data(n_rows=300, n_features=40, n_labels=30):
    rng = np.random.default_rng(0)
    X = sparse.random_array((n_rows, n_features), density=0.2, rng=rng, dtype=float)
    X = sparse.csr_array(X + sparse.eye_array(n_rows, n_features) * 0.1)
    Y = np.zeros((n_rows, n_labels), dtype=int)
    Y[np.arange(n_rows), rng.integers(n_labels, size=n_rows)] = 1
    return X, Y


def make_classifier(C="scale", **changes):
    return XRLinearClassifier(
        KMeansTree(4, 5, random_state=0), C=C, threshold=0, random_state=0, **changes
    )


@pytest.mark.parametrize("kind", [Compressed.from_sparse, None])
def test_scale_follows_the_mean_squared_length(kind):
    X = sparse.csr_array(np.array([[3, 4], [0, 1], [0, 0]], dtype=np.float32))
    rows = kind(X) if kind else DenseRows(X.toarray())
    mean_square = (25 + 1 + 0) / 3
    found = resolve_regularization(rows, "scale", 2.0, fit_intercept=True)
    length = np.sqrt(mean_square)
    unit_weight = pytest.approx(1 / length)
    expected = 1 / mean_square, length, 2 / length, 1 / length
    assert found == pytest.approx(expected)
    assert resolve_regularization(rows, "scale", 0.0, fit_intercept=False).bias == 0
    given = resolve_regularization(rows, 0.3, 0.0, fit_intercept=True)
    assert given == (0.3, 1, 0, unit_weight)


def test_rows_without_entries_have_no_scale():
    rows = Compressed.from_sparse(sparse.csr_array((3, 4), dtype=np.float32))
    found = resolve_regularization(rows, "scale", 1.0, fit_intercept=True)
    assert found == Regularization(1.0, 1.0, 1.0, 1.0)


def test_rows_too_short_for_float32_have_no_prior_mean():
    X = sparse.csr_array(np.full((2, 2), 1e-20, dtype=np.float32))
    rows = Compressed.from_sparse(X)
    assert resolve_regularization(rows, 1.0, 1.0, fit_intercept=True).prior_length == 0


@pytest.mark.parametrize("scale", [2.0**-20, 0.037, 8.0, 1e4])
@pytest.mark.parametrize("prior_weight", [0.0, 1.5])
@pytest.mark.parametrize("is_dense", [False, True])
@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
def test_the_unit_of_X_changes_no_ranking(scale, prior_weight, is_dense, loss):
    X, Y = data()
    X = X.toarray() if is_dense else X
    given = {"prior_weight": prior_weight, "loss": loss, "tol": 1e-4}
    classifier = make_classifier(max_iter=20_000, **given).fit(X, Y)
    scaled = make_classifier(max_iter=20_000, **given).fit(X * scale, Y)
    columns, scores = classifier.rank(X, 5)
    scaled_columns, scaled_scores = scaled.rank(X * scale, 5)
    np.testing.assert_allclose(scaled_scores, scores, rtol=2e-3, atol=1e-4)
    assert (columns == scaled_columns).mean() > 0.98
    assert pytest.approx(classifier.C_ / scale**2) == scaled.C_


def test_a_number_is_that_of_liblinear():
    X, Y = data()
    scale = make_classifier().fit(X, Y)
    assert make_classifier(C=0.3).fit(X, Y).C_ == 0.3
    unit = normalize(X)
    assert pytest.approx(1) == make_classifier().fit(unit, Y).C_
    assert pytest.approx(len(Y) / (X**2).sum()) == scale.C_


@pytest.mark.parametrize("is_dense", [False, True])
def test_labels_that_learn_little_are_ranked_by_their_mean(is_dense):
    X, _ = data(n_rows=200, n_features=30)
    y = np.arange(200) // 2
    means = normalize(
        np.array([X.toarray()[y == label].sum(0) for label in range(100)])
    )
    classifier = XRLinearClassifier(
        KMeansTree(4, 100), threshold=0, C=1e-7, prior_weight=1.0, random_state=0
    ).fit(X.toarray() if is_dense else X, y)
    queries = normalize(sparse.random_array((50, 30), density=0.3, rng=1)).toarray()
    columns, _ = classifier.rank(queries, 3)
    np.testing.assert_array_equal(columns, np.argsort(-(queries @ means.T))[:, :3])


@pytest.mark.parametrize("value", ["auto", 0, -1.0, None, np.nan])
def test_other_values_of_C_are_refused(value):
    X, Y = data()
    with pytest.raises(ValueError, match="The 'C' parameter"):
        make_classifier(C=value).fit(X, Y)
