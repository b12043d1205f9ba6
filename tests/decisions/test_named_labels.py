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
    KMeansTree,
    LabelTexts,
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


NAME_TEXTS = {name: f"{name} for the house" for name in WORDS}
BY_COLUMN = [NAME_TEXTS[name] for name in NAMES]
REFERENCES = {
    "mapping": NAME_TEXTS,
    "label texts": LabelTexts(NAME_TEXTS),
    "series": pd.Series(NAME_TEXTS),
    "fields": {name: [name, text] for name, text in NAME_TEXTS.items()},
}


@each
@pytest.mark.parametrize("kind", REFERENCES)
def test_label_texts_are_read_by_name(make, kind):
    texts = REFERENCES[kind]
    by_column = [
        texts.to_dict()[n] if kind == "label texts" else texts[n] for n in NAMES
    ]
    retriever = TextRetriever(random_state=0)
    expected = make(retriever, cv=3).fit(TEXTS, Y, label_texts=by_column)
    frame = pd.DataFrame(Y.toarray(), columns=NAMES)
    for y in (TAGS, frame):
        meta = make(retriever, cv=3).fit(TEXTS, y, label_texts=texts)
        assert meta.classes_.tolist() == NAMES
        assert list(meta.estimator_.label_texts_) == list(
            expected.estimator_.label_texts_
        )
        found, wanted = meta.rank(TEXTS, 3), expected.rank(TEXTS, 3)
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])


@each
def test_as_many_label_texts_as_rows_are_not_divided(make):
    rows = [TAGS.index(next(row for row in TAGS if name in row)) for name in NAMES]
    texts, tags = [TEXTS[i] for i in rows], [TAGS[i] for i in rows]
    meta = make(TextRetriever(random_state=0), cv=2)
    meta.fit(texts, tags, label_texts=NAME_TEXTS)
    assert list(meta.estimator_.label_texts_) == BY_COLUMN


@each
@pytest.mark.parametrize("y", [TAGS, [row[0] for row in TAGS]], ids=["rows", "classes"])
def test_labels_without_rows_may_have_texts(make, y):
    texts = LabelTexts({**NAME_TEXTS, "tea": "hot tea"})
    meta = make(TextRetriever(random_state=0), cv=3).fit(TEXTS, y, label_texts=texts)
    assert meta.classes_.tolist() == sorted([*WORDS, "tea"])
    columns, _ = meta.rank(["hot tea"], 1)
    assert meta.classes_[columns[0, 0]] == "tea"


def test_classes_without_rows_in_a_fold_keep_their_texts():
    texts = ["red tea", "red tea bags", "green cup", "one lamp"]
    y = ["tea", "tea", "cup", "lamp"]
    names = {"tea": "teas", "cup": "cups", "lamp": "lamps"}
    meta = SparseCalibrator(TextRetriever(random_state=0), cv=2, random_state=0)
    meta.fit(texts, y, label_texts=names)
    assert meta.classes_.tolist() == sorted(names)
    with pytest.raises(ValueError, match="label_texts has texts for labels that there"):
        meta.fit(texts, y, label_texts={**names, "sofa": "sofas"})


@each
def test_label_texts_of_other_labels_are_refused(make):
    meta = make(TextRetriever(random_state=0), cv=3)
    with pytest.raises(ValueError, match="lacks 1 of the 5 labels, such as 'web'"):
        meta.fit(TEXTS, TAGS, label_texts={name: name for name in NAMES[:-1]})
    with pytest.raises(ValueError, match="for labels that there are not: 1, such as"):
        meta.fit(TEXTS, TAGS, label_texts={**NAME_TEXTS, "tea": "tea"})


class Recorder(KMeansTree):
    """Keeps the label names that its fits got."""

    seen = []  # noqa: RUF012 - shared by clones on purpose

    def fit(self, Z, y=None, *, label_names=None):
        self.seen.append(label_names)
        return super().fit(Z, y)


@each
def test_label_names_are_read_by_name(make, monkeypatch):
    monkeypatch.setattr(Recorder, "seen", [])
    tagger = make_pipeline(
        WordNgramTfidf(), XRLinearClassifier(Recorder(), random_state=0)
    )
    for names in (NAME_TEXTS, LabelTexts(NAME_TEXTS)):
        meta = make(tagger, cv=2)
        meta.fit(TEXTS, TAGS, xrlinearclassifier__label_names=names)
    assert Recorder.seen == [BY_COLUMN] * 6
