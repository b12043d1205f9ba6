"""Rows of label names and data frames with named columns, in all estimators."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from skxmr import (
    LabelTexts,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    Reranker,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
    persistence,
)
from skxmr._inputs._named_columns import read_columns

TEXTS = [
    "a web api in django",
    "forms of django",
    "a small web server in flask",
    "arrays of numpy",
    "sparse arrays of scipy on numpy",
    "an api in flask",
    "nothing of note",
] * 3
TAGS = [
    ["web", "api", "django"],
    ["django"],
    ["web", "flask"],
    ["numpy"],
    ["scipy", "numpy", "numpy"],
    ["api", "flask"],
    [],
] * 3
NAMES = ["api", "django", "flask", "numpy", "scipy", "web"]

CONTAINERS = {
    "lists": TAGS,
    "tuples": tuple(map(tuple, TAGS)),
    "sets": list(map(set, TAGS)),
    "frozensets": list(map(frozenset, TAGS)),
    "arrays": [np.array(tags, dtype=object) for tags in TAGS],
    "an array of lists": pd.Series(TAGS).to_numpy(),
    "a column of pandas": pd.Series(TAGS, index=range(5, 26)),
    "a column of polars": pl.Series(TAGS),
    "an iterator": "iterator",
}


def made(container):
    return iter(TAGS) if isinstance(container, str) else container


def binarized(rows):
    binarizer = MultiLabelBinarizer(sparse_output=True)
    return sparse.csr_array(binarizer.fit_transform(rows)), binarizer.classes_


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_rows_of_names_are_as_scikit_learn_binarizes_them(container):
    y, names = read_columns(made(container))
    expected, classes = binarized(TAGS)
    assert names.tolist() == classes.tolist() == NAMES
    assert (y != expected).nnz == 0
    assert y.data.tolist() == [1] * expected.nnz


def test_numbers_in_sets_are_names():
    y, names = read_columns([{30, 7}, {7}, set()])
    assert names.tolist() == [7, 30]
    assert y.toarray().tolist() == [[1, 1], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    "y",
    [
        [[0, 1], [1, 0]],
        np.array([[0, 1], [1, 0]]),
        sparse.csr_array([[0, 1], [1, 0]]),
        ["a", "b"],
        pd.DataFrame([[0, 1], [1, 0]]),
        pd.DataFrame({"label": ["a", "b"]}),
        pd.DataFrame([[0, 1], [1, 0]], columns=[0, 1]),
    ],
    ids=str,
)
def test_other_targets_have_no_names(y):
    found, names = read_columns(y)
    assert found is y
    assert names is None


WRONG = {
    "a name among rows": (
        [["a"], "b"],
        r"y\[1\] is of type str: got 'b'; expected a l",
    ),
    "a missing row": ([["a"], None], r"y\[1\] is missing: got None; .*empty for no la"),
    "NaN for a row": (pd.Series([["a"], np.nan]), r"y\[1\] is missing: got nan"),
    "a number among rows": ([{"a"}, 3], r"y\[1\] is of type int"),
    "a dict": ([["a"], {"b": 1}], r"y\[1\] is of type dict"),
    "a missing name": ([["a", None]], r"y\[0\] holds a missing label, None"),
    "NaN for a name": ([["a"], ["a", np.nan]], r"y\[1\] holds a missing label, nan"),
    "nested": ([["a", ["b"]]], r"y\[0\] holds \['b'\] of type list; expected a list, "),
    "no label": ([[], [], []], "y holds no label at all in 3 rows; expected one at"),
    "several types": ([["a", 1], ["b"]], "y must hold class labels of one type"),
    "a table in a row": ([np.array([["a"], ["b"]]), {"a"}], r"y\[0\] is an array of s"),
    "numbers": ([[3, 17], [3]], "y has rows of 1 to 2 numbers; expected an indicator"),
    "columns of one name": (
        pd.DataFrame([[0, 1, 1]], columns=["a", "b", "b"]),
        "y has several columns of the name 'b'",
    ),
    "columns of several types": (
        pd.DataFrame([[0, 1]], columns=["a", 1]),
        "the columns of y must hold class labels of one type",
    ),
}


@pytest.mark.parametrize(("y", "message"), WRONG.values(), ids=WRONG)
def test_wrong_rows_are_refused(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_columns(y)
    texts = TEXTS[: len(y)]
    with pytest.raises((ValueError, TypeError), match=message):
        TextRetriever().fit(texts, y)
    with pytest.raises((ValueError, TypeError), match=message):
        XRLinearClassifier().fit(np.eye(len(y)), y)


def test_refusals_name_the_binarizer():
    for y in ([[3, 17], [3]], [[3, 17], [17, 3]]):
        with pytest.raises(
            ValueError, match=r"MultiLabelBinarizer\(sparse_output=True"
        ):
            XRLinearClassifier().fit([[1.0], [2.0]], y)


# Estimators
# ----------


@pytest.fixture(scope="module")
def X():
    return WordNgramTfidf().fit(TEXTS).transform(TEXTS)


CLASSIFIERS = {
    "classifier": XRLinearClassifier(random_state=0),
    "neighbors": NeighborRanker(),
    "fusion": RankFusion(
        [("linear", XRLinearClassifier(random_state=0)), ("near", NeighborRanker())],
        random_state=0,
    ),
    "reranker": Reranker(NeighborRanker(), LogisticRegression(), random_state=0),
}


@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_names_give_what_their_indicator_gives(make, X):
    by_name, by_column = (make.__class__(**make.get_params(deep=False)) for _ in "ab")
    by_name.fit(X, TAGS)
    by_column.fit(X, binarized(TAGS)[0])
    assert by_name.classes_.tolist() == NAMES
    assert (by_name.predict(X) != by_column.predict(X)).nnz == 0
    assert by_name.score(X, TAGS) == by_column.score(X, binarized(TAGS)[0])
    for found, expected in zip(by_name.rank(X, 3), by_column.rank(X, 3), strict=True):
        assert found.tolist() == expected.tolist()
    columns, _ = by_name.rank(X, 3, allowed=["web", "flask"])
    expected, _ = by_column.rank(X, 3, allowed=[5, 2])
    assert columns.tolist() == expected.tolist()
    columns, _ = by_name.rank(X, 6, excluded={"numpy"})
    assert NAMES.index("numpy") not in columns
    with pytest.raises(ValueError, match="allowed holds 'perl', which is no label"):
        by_name.rank(X, allowed=["perl"])


def test_a_reranker_takes_a_ranker_that_knows_the_names(X):
    ranker = NeighborRanker().fit(X, TAGS)
    reranker = Reranker(ranker, LogisticRegression(), cv="prefit").fit(X, TAGS)
    assert reranker.classes_.tolist() == NAMES
    assert NAMES[reranker.rank(X[:2], 1)[0][1, 0]] == "django"


def test_columns_of_a_data_frame_name_the_labels(X):
    order = ["web", "api", "scipy", "django", "numpy", "flask"]
    Y, names = binarized(TAGS)
    frame = pd.DataFrame(Y.toarray(), columns=names)[order]
    classifier = XRLinearClassifier(random_state=0).fit(X, frame)
    assert classifier.classes_.tolist() == order
    predicted = classifier.predict(X)
    assert isinstance(predicted, np.ndarray)
    assert classifier.score(X, frame) == classifier.score(X, frame[names])
    columns, _ = classifier.rank(X, 2, allowed=["django", "web"])
    assert set(np.unique(columns)) <= {-1, 0, 3}
    # Later rows may have the columns in any order, some of them, and others.
    classifier.partial_fit(X, frame[names[:3]].assign(perl=1))
    assert classifier.classes_.tolist() == [*order, "perl"]


def test_partial_fit_and_changes_of_labels(X):
    classifier = XRLinearClassifier(random_state=0).partial_fit(X, TAGS)
    classifier.partial_fit(X[:2], [["perl"], {"web", "perl"}])
    assert classifier.classes_.tolist() == [*NAMES, "perl"]
    classifier.add_labels(X[:1], labels=["rust"])
    classifier.remove_labels(["django"])
    assert "django" not in classifier.classes_[classifier.rank(X, 8)[0]]
    with pytest.raises(ValueError, match="y has the label 'django', which was removed"):
        classifier.partial_fit(X[:1], [["django"]])
    with pytest.raises(ValueError, match="y has class labels; expected rows of label"):
        classifier.partial_fit(X[:1], ["web"])
    with pytest.raises(ValueError, match="y has an indicator; expected rows of label"):
        classifier.partial_fit(X[:1], sparse.csr_array(np.ones((1, 8))))
    with pytest.raises(ValueError, match="labels is required"):
        classifier.add_labels(X[:1])


def test_partial_fit_takes_names_that_come_later(X):
    classifier = XRLinearClassifier().partial_fit(X, TAGS, classes=[*NAMES, "perl"])
    assert classifier.classes_.tolist() == sorted([*NAMES, "perl"])


def test_a_warm_start_keeps_names(X):
    classifier = XRLinearClassifier(warm_start=True, random_state=0).fit(X, TAGS)
    classifier.fit(X, [[*tags, "all"] for tags in TAGS])
    assert classifier.classes_.tolist() == [*NAMES, "all"]


def test_score_refuses_names_that_fit_has_not_seen(X):
    classifier = XRLinearClassifier().fit(X, binarized(TAGS)[0])
    with pytest.raises(
        ValueError, match="y has rows of label names, but the labels of"
    ):
        classifier.score(X, TAGS)
    assert XRLinearClassifier().fit(X, TAGS).score(X, [["perl"]] * len(TAGS)) == 0


# Retriever
# ---------


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_retriever_returns_names(container):
    retriever = TextRetriever(random_state=0).fit(TEXTS, made(container))
    assert retriever.classes_.tolist() == NAMES
    (best,) = retriever.search("django", k=1)
    assert best == ("django", "django", best.score)
    assert (best.label, best.name) == ("django", "django")


def test_a_retriever_of_names_and_label_texts():
    texts = LabelTexts({"web": "pages and servers", "go": "the golang language"})
    retriever = TextRetriever(random_state=0).fit(TEXTS, TAGS, label_texts=texts)
    assert retriever.classes_.tolist() == sorted([*NAMES, "go"])
    assert retriever.search("golang", k=1)[0][:2] == ("go", "the golang language")
    assert {
        found.label for found in retriever.search("web", allowed=["go", "web"])
    } <= {
        "go",
        "web",
    }
    assert "web" in str(retriever.explain("a web server", "web"))
    added = retriever.add_labels({"rust": "the language rust"})
    assert added.tolist() == [7]
    assert retriever.search("rust", k=1)[0].label == "rust"
    retriever.remove_labels(["go"])
    assert all(found.label != "go" for found in retriever.search("golang"))
    retriever.partial_fit(["regular expressions"], [{"perl", "web"}], relevance=[2.0])
    assert retriever.classes_[-1] == "perl"
    assert "perl" in [found.label for found in retriever.search("regular expression")]
    predicted = retriever.predict(TEXTS)
    assert sparse.issparse(predicted)
    assert predicted.shape == (len(TEXTS), 9)


def test_a_retriever_of_another_classifier_knows_names():
    retriever = TextRetriever(classifier=NeighborRanker()).fit(TEXTS, TAGS)
    assert retriever.search("forms", k=1)[0].label == "django"
    assert retriever.search("forms", k=1, excluded=["django"])[0].label != "django"


def test_from_fitted_keeps_names(X):
    vectorizer = WordNgramTfidf().fit(TEXTS)
    classifier = XRLinearClassifier(random_state=0).fit(X, TAGS)
    retriever = TextRetriever.from_fitted(vectorizer, classifier)
    assert retriever.search("django", k=1)[0].label == "django"
    texts = {name: f"all of {name}" for name in NAMES}
    retriever = TextRetriever.from_fitted(vectorizer, classifier, texts)
    assert retriever.search("scipy", k=1)[0][:2] == ("scipy", "all of scipy")
    retriever.partial_fit(["a text of perl"], [["perl"]])
    assert retriever.search("perl", k=1)[0].label == "perl"


def test_saved_models_keep_names(tmp_path):
    retriever = TextRetriever(random_state=0).fit(TEXTS, TAGS)
    for name, again in {
        "pickle": pickle.loads(pickle.dumps(retriever)),
        "folder": (
            persistence.save(retriever, tmp_path / "model"),
            persistence.load(tmp_path / "model"),
        )[1],
    }.items():
        assert again.search("web") == retriever.search("web"), name
        assert again.classes_.tolist() == NAMES


def test_lexical_rankers_know_names():
    ranker = LexicalRanker().fit(TEXTS, TAGS, label_texts=LabelTexts({"web": "www"}))
    assert ranker.classes_[ranker.rank(["www"], 1)[0][0, 0]] == "web"
    ranker.partial_fit(["regular expressions"], [["perl", "web"]])
    assert ranker.classes_.tolist() == [*NAMES, "perl"]
    ranker.add_labels({"rust": "rust"})
    ranker.remove_labels(["web"])
    assert ranker.rank(["www"], 1)[0].tolist() == [[-1]]


def test_cross_validation_takes_lists():
    pipeline = make_pipeline(WordNgramTfidf(), XRLinearClassifier(random_state=0))
    search = GridSearchCV(
        pipeline,
        {"xrlinearclassifier__beam_width": [1, 10]},
        cv=KFold(3, shuffle=True, random_state=0),
    ).fit(TEXTS, TAGS)
    assert search.best_score_ > 0
    assert search.best_estimator_[-1].classes_.tolist() == NAMES
