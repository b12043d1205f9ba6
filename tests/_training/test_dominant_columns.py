"""Columns on another scale than all others are named."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skxmr import PruningWarning, WordNgramTfidf, XRLinearClassifier
from skxmr._training._dominant_columns import dominant_columns
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows
from skxmr.datasets import load_subjects

TITLES, SUBJECTS = load_subjects(return_X_y=True)
TITLES, SUBJECTS = TITLES[:1000], SUBJECTS[:1000]


def found_in(X):
    X = sparse.csr_array(X, dtype=np.float32)
    found = dominant_columns(Compressed.from_sparse(X)).tolist()
    dense = DenseRows(np.ascontiguousarray(X.toarray()))
    assert dominant_columns(dense).tolist() == found
    return found


def beside_prices(X, *scales):
    rng = np.random.default_rng(0)
    prices = [rng.random((X.shape[0], 1)) * scale for scale in scales]
    return sparse.hstack([X, *(sparse.csr_array(one) for one in prices)]).tocsr()


def test_a_few_large_columns_are_found():
    X = WordNgramTfidf().fit_transform(TITLES)
    n = X.shape[1]
    assert found_in(beside_prices(X, 1e5)) == [n]
    assert found_in(beside_prices(X, 100)) == [n]
    assert found_in(beside_prices(X, 1e4, 1e5)) == [n + 1, n]
    # At most three; the fourth is small beside them.
    assert found_in(beside_prices(X, 1e5, 1e6, 2e6, 3e6)) == [n + 3, n + 2, n + 1]


def one_hot():
    rng = np.random.default_rng(0)
    return OneHotEncoder().fit_transform(rng.integers(20, size=(500, 4)))


ORDINARY = {
    "tfidf": lambda: WordNgramTfidf().fit_transform(TITLES),
    "no norm": lambda: WordNgramTfidf(norm=None).fit_transform(TITLES),
    "counts": lambda: CountVectorizer().fit_transform(TITLES),
    "one-hot": one_hot,
    "constant": lambda: beside_prices(one_hot(), 0, 1),
    "embeddings": lambda: np.random.default_rng(0).normal(size=(300, 64)) * 10.6,
    "digits": lambda: load_digits().data,
    "iris": lambda: load_iris().data,
    "wine": lambda: StandardScaler().fit_transform(load_wine().data),
    "cancer": lambda: StandardScaler().fit_transform(load_breast_cancer().data),
    "one column": lambda: np.ones((9, 1)) * 1e6,
    "nothing": lambda: np.zeros((9, 3)),
}


@pytest.mark.parametrize("make", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_features_have_none(make):
    assert found_in(make()) == []


def messages_of(model, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    return [one for one in caught if one.category is not PruningWarning]


def test_training_that_does_not_converge_names_the_columns():
    X = beside_prices(WordNgramTfidf().fit_transform(TITLES), 1e5)
    model = XRLinearClassifier(C=1.0, random_state=0)
    (caught,) = messages_of(model, X, SUBJECTS)
    assert caught.category is ConvergenceWarning
    message = str(caught.message)
    assert f"column {X.shape[1] - 1} of X" in message
    assert "scale X" in message
    assert "lower C" not in message
    assert caught.filename == __file__


def test_training_that_converges_names_them_too():
    wine = load_wine(as_frame=True)
    model = XRLinearClassifier(C="scale", random_state=0)
    (caught,) = messages_of(model, wine.data, wine.target)
    assert caught.category is UserWarning
    assert str(caught.message).startswith("Entries of columns 'proline', 'magnesium'")
    assert caught.filename == __file__
    scaled = StandardScaler().fit_transform(wine.data)
    assert messages_of(model, scaled, wine.target) == []
    frame = pd.DataFrame(scaled, columns=wine.data.columns)
    assert messages_of(model, frame, wine.target) == []


def test_other_training_that_does_not_converge_is_told_as_before():
    X = WordNgramTfidf().fit_transform(TITLES)
    (caught,) = messages_of(XRLinearClassifier(max_iter=1, tol=1e-6), X, SUBJECTS)
    assert str(caught.message).endswith("Increase max_iter or tol, or lower C.")
