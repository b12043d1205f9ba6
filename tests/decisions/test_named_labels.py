"""Rows of label names and data frames as targets of meta-estimators."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from skxmr import (
    LabelThresholdCV,
    SparseCalibrator,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
    rank,
)

WORDS = ["web", "api", "sofa", "lamp", "rug"]
RNG = np.random.default_rng(0)
TAGS = [
    [WORDS[i] for i in RNG.choice(5, RNG.integers(1, 4), replace=False)]
    for _ in range(90)
]
TEXTS = [" ".join([*row, *RNG.choice(WORDS, 1)]) for row in TAGS]
NAMES = sorted(WORDS)
Y = sparse.csr_array([[int(name in row) for name in NAMES] for row in TAGS])

META = {
    "thresholds": lambda estimator, **how: LabelThresholdCV(
        estimator, random_state=0, **how
    ),
    "calibrator": lambda estimator, **how: SparseCalibrator(
        estimator, random_state=0, **how
    ),
}
ESTIMATORS = {
    "retriever": TextRetriever(random_state=0),
    "pipeline": make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0)),
    "scikit-learn": make_pipeline(
        WordNgramTfidf(), OneVsRestClassifier(LogisticRegression())
    ),
}
each = pytest.mark.parametrize("make", META.values(), ids=META)


@each
@pytest.mark.parametrize("name", ESTIMATORS)
def test_names_are_the_columns_of_an_indicator(make, name):
    named = make(ESTIMATORS[name], cv=3).fit(TEXTS, TAGS)
    expected = make(ESTIMATORS[name], cv=3).fit(TEXTS, Y)
    assert named.classes_.tolist() == NAMES
    for found, wanted in zip(
        rank(named, TEXTS, 3), rank(expected, TEXTS, 3), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    assert (named.predict(TEXTS) != expected.predict(TEXTS)).nnz == 0
    assert named.score(TEXTS, TAGS) == expected.score(TEXTS, Y)


@each
@pytest.mark.parametrize("name", ["retriever", "pipeline"])
def test_rankings_are_restricted_by_name(make, name):
    meta = make(ESTIMATORS[name], cv=3).fit(TEXTS, TAGS)
    columns, _ = meta.rank(TEXTS, 5, allowed=["web", "lamp"])
    assert set(columns.ravel()) == {-1, 1, 4}
    columns, _ = meta.rank(TEXTS, 5, excluded=["web"])
    assert 4 not in columns
    with pytest.raises(ValueError, match="allowed holds 'tea', which is no label"):
        meta.rank(TEXTS, allowed=["tea"])
    columns, _ = meta.rank(TEXTS, 5, allowed=["tea", "rug"], unknown="ignore")
    assert set(columns.ravel()) == {-1, 2}


@each
def test_names_of_a_fitted_estimator_keep_their_columns(make):
    fitted = TextRetriever(random_state=0).fit(TEXTS, TAGS)
    rows = [i for i, tags in enumerate(TAGS) if "api" not in tags]
    texts, tags = [TEXTS[i] for i in rows], [TAGS[i] for i in rows]
    for estimator, how in (
        (fitted, {"cv": "prefit", "refit": False}),
        (FrozenEstimator(fitted), {"cv": 3}),
    ):
        meta = make(estimator, **how).fit(texts, tags)
        assert meta.classes_.tolist() == fitted.classes_.tolist()
        expected = make(estimator, **how).fit(texts, Y[rows])
        assert (meta.predict(TEXTS) != expected.predict(TEXTS)).nnz == 0
        with pytest.raises(ValueError, match="y has the label 'tea'; expected labels"):
            make(estimator, **how).fit(texts, [["tea"], *tags[1:]])


@each
def test_an_estimator_without_names_refuses_rows_of_names(make):
    fitted = TextRetriever(random_state=0).fit(TEXTS, Y)
    meta = make(fitted, cv="prefit", refit=False)
    with pytest.raises(ValueError, match="fitted to columns without names"):
        meta.fit(TEXTS, TAGS)
    frame = pd.DataFrame(Y.toarray(), columns=NAMES)
    assert meta.fit(TEXTS, frame).classes_.tolist() == NAMES


@each
def test_a_frame_in_another_order_is_read_by_its_names(make):
    fitted = TextRetriever(random_state=0).fit(TEXTS, TAGS)
    frame = pd.DataFrame(Y.toarray(), columns=NAMES)
    meta = make(fitted, cv="prefit", refit=False)
    wanted = meta.fit(TEXTS, frame).predict(TEXTS)
    found = meta.fit(TEXTS, frame[frame.columns[::-1]]).predict(TEXTS)
    np.testing.assert_array_equal(found, wanted)
    assert meta.classes_.tolist() == fitted.classes_.tolist()
