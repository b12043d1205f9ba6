"""Texts, names and vectors of labels in cross-validation, and LabelTexts."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from one_per_label import (
    BY_CLASS,
    BY_NUMBER,
    CLASSES,
    FRAME,
    IN_COLUMNS,
    IN_ORDER,
    TEXTS,
    Y,
    names_given,
    readers,
)
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skxmr import (
    LabelTexts,
    TextRetriever,
    TrieTreeHybrid,
    XRLinearClassifier,
    metrics,
)

# Cross-validation

PLACES = ["alder", "birch", "cedar", "dogwood", "elm", "fir"]
ABOUT = [f"the {place} tree" for place in PLACES]
SHUFFLED = np.array([3, 0, 5, 1, 4, 2])
scorer = metrics.recall_at_k_scorer(1)
SPLITS = {
    "KFold": KFold(2),
    "shuffled": KFold(3, shuffle=True, random_state=0),
    "ShuffleSplit": ShuffleSplit(2, test_size=2, random_state=0),
}


@pytest.mark.parametrize("cv", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("kind", ["classes", "indicator", "data frame"])
def test_label_texts_that_no_fold_cuts(kind, cv):
    """As many labels as rows, each of one row: what a fold lacks has its text."""
    y, texts = {
        "classes": (np.array(PLACES)[SHUFFLED], dict(zip(PLACES, ABOUT, strict=True))),
        "indicator": (np.eye(6, dtype=int)[SHUFFLED], dict(enumerate(ABOUT))),
        "data frame": (
            pd.DataFrame(np.eye(6, dtype=int)[SHUFFLED], columns=PLACES),
            dict(zip(PLACES, ABOUT, strict=True)),
        ),
    }[kind]
    rows = [f"a {PLACES[i]}" for i in SHUFFLED]
    for given in (LabelTexts(texts), LabelTexts(dict(reversed(texts.items())))):
        results = cross_validate(
            TextRetriever(), rows, y, params={"label_texts": given}, cv=cv,
            scoring=scorer, error_score="raise",
        )  # fmt: skip
        assert (results["test_score"] == 1).all()


@pytest.mark.parametrize("kind", ["classes", "indicator"])
def test_a_search_and_its_refit(kind):
    y = np.array(PLACES)[SHUFFLED] if kind == "classes" else np.eye(6)[SHUFFLED]
    names = PLACES if kind == "classes" else range(6)
    rows = [f"a {PLACES[i]}" for i in SHUFFLED]
    pipeline = make_pipeline(FunctionTransformer(), TextRetriever())
    search = GridSearchCV(
        pipeline,
        {"textretriever__label_text_weight": [1, 4]},
        scoring=scorer,
        cv=KFold(2),
        error_score="raise",
    )
    texts = LabelTexts(dict(zip(names, ABOUT, strict=True)))
    search.fit(rows, y, textretriever__label_texts=texts)
    assert (search.cv_results_["mean_test_score"] == 1).all()
    assert search.best_estimator_[-1].label_texts_ == ABOUT


@pytest.mark.parametrize(
    "plain",
    [
        list,
        np.array,
        pd.Series,
        lambda texts: pd.Series(texts, index=list("uvwxyz")),
        lambda texts: dict(enumerate(texts)),
        pl.Series,
    ],
    ids=["list", "array", "Series", "Series with an index", "dict", "polars"],
)
def test_plain_texts_that_a_fold_cuts_are_refused(plain):
    with pytest.raises(ValueError, match=r"label_texts.*expected 6.*skxmr\.LabelTexts"):
        cross_validate(
            TextRetriever(), ABOUT, np.eye(6), params={"label_texts": plain(ABOUT)},
            cv=KFold(2), error_score="raise",
        )  # fmt: skip


def test_plain_texts_of_more_classes_than_a_fold_has_are_refused():
    for plain in (BY_CLASS, pd.Series(BY_CLASS), IN_ORDER):
        with pytest.raises(ValueError, match=r"label_texts.*skxmr\.LabelTexts"):
            cross_validate(
                TextRetriever(), TEXTS, CLASSES, params={"label_texts": plain},
                cv=KFold(2), error_score="raise",
            )  # fmt: skip


def test_names_that_no_fold_cuts():
    y, rows = np.eye(6)[SHUFFLED], np.eye(6)
    classifier = XRLinearClassifier(TrieTreeHybrid(1), random_state=0)
    names = LabelTexts(dict(enumerate(PLACES)))
    results = cross_validate(
        classifier, rows, y, params={"label_names": names}, cv=KFold(2),
        scoring=scorer, error_score="raise",
    )  # fmt: skip
    assert not np.isnan(results["test_score"]).any()
    with pytest.raises(ValueError, match=r"label_names.*skxmr\.LabelTexts"):
        cross_validate(
            classifier, rows, y, params={"label_names": PLACES}, cv=KFold(2),
            error_score="raise",
        )  # fmt: skip


def test_vectors_of_more_classes_than_a_fold_has():
    vectors = pd.DataFrame(np.eye(6), index=PLACES)
    classifier = XRLinearClassifier(label_vectors=vectors, random_state=0)
    y = np.array(PLACES)[SHUFFLED]
    found = cross_val_predict(clone(classifier), np.eye(6), y, cv=KFold(2))
    assert set(found) <= set(PLACES)


# LabelTexts


def test_label_texts_may_hold_fewer_labels():
    retriever = TextRetriever().fit(
        TEXTS, CLASSES, label_texts=LabelTexts({"car": "cars to drive"})
    )
    assert retriever.label_texts_ == ["cars to drive", "", ""]
    assert names_given(CLASSES, LabelTexts({"car": "x"})) == ["x", "", ""]
    assert texts_given_for(Y, {2: "x"}) == ["", "", "x"]


def texts_given_for(y, texts):
    retriever = TextRetriever().fit(TEXTS, y, label_texts=LabelTexts(texts))
    return retriever.label_texts_


def test_label_texts_may_hold_more_labels():
    more = BY_CLASS | {"boat": "boats to sail", "air": " "}
    assert names_given(CLASSES, LabelTexts(more)) == IN_ORDER
    assert texts_given_for(FRAME, more) == IN_COLUMNS
    assert texts_given_for(Y, BY_NUMBER | {3: "x", "boat": "y"}) == IN_COLUMNS
    # A class without rows is learnt from its text, if it has one.
    retriever = TextRetriever().fit(TEXTS, CLASSES, label_texts=LabelTexts(more))
    assert retriever.classes_.tolist() == ["boat", "car", "fruit", "phone"]
    assert retriever.search("sail", k=1)[0][:2] == ("boat", "boats to sail")


@readers
def test_label_texts_of_no_column(read):
    with pytest.raises(ValueError, match="none of the labels of y: expected some of"):
        read(Y, LabelTexts(BY_CLASS))


def test_label_texts_of_another_type_than_the_classes():
    with pytest.raises(TypeError, match=r"of one type.*got int and str"):
        TextRetriever().fit(TEXTS, CLASSES, label_texts=LabelTexts({1: "one"}))


def test_missing_texts_are_as_good_as_none():
    for value in (None, np.nan, pd.NA):
        assert LabelTexts({"a": "x", "b": value}).to_dict() == {"a": "x"}
    assert LabelTexts(pd.Series({"a": "x", "b": None})).to_dict() == {"a": "x"}


def test_label_texts_is_no_sequence():
    """Else scikit-learn would cut it."""
    texts = LabelTexts(BY_CLASS)
    for name in ("__len__", "__iter__", "__getitem__", "shape", "__array__"):
        assert not hasattr(texts, name)
    assert repr(texts) == "LabelTexts(3 labels)"
    assert pickle.loads(pickle.dumps(texts)).to_dict() == BY_CLASS
    copied = dict(BY_CLASS)
    texts = LabelTexts(copied)
    copied.clear()
    assert texts.to_dict() == BY_CLASS


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        (IN_ORDER, TypeError, "must be a mapping.*got a list"),
        (pd.Series(IN_ORDER), TypeError, "must be a mapping.*got a Series"),
        pytest.param(
            set(IN_ORDER), TypeError, "must be a mapping.*got a set", id="set"
        ),
        ("abc", TypeError, "must be a mapping.*got a str"),
        (None, TypeError, "must be a mapping.*got a NoneType"),
        ({"a": 3}, TypeError, r"texts\['a'\] must be a str; got 3"),
        ({"a": b"x"}, TypeError, r"texts\['a'\] must be a str; got b'x'"),
        ({None: "x"}, ValueError, "missing label, None"),
        ({np.nan: "x"}, ValueError, "missing label, nan"),
        (pd.Series(["x", "y"], ["a", "a"]), ValueError, "'a' more than once"),
    ],
    ids=str,
)
def test_what_is_no_mapping_of_texts(texts, error, message):
    with pytest.raises(error, match=message):
        LabelTexts(texts)
