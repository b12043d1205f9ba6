"""What scikit-learn expects of every estimator, and what its checks skip."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from skxmr import (
    KMeansTree,
    LabelThresholdCV,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    Reranker,
    SparseCalibrator,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)

ESTIMATORS = [
    XRLinearClassifier(),
    XRLinearClassifier(loss="log_loss", score_transform="sigmoid", beam_width=None),
    XRLinearClassifier(KMeansTree(2, 1), n_trees=2, negative_sampling="both"),
    KMeansTree(),
    NeighborRanker(),
    RankFusion(
        [("linear", XRLinearClassifier(random_state=0)), ("near", NeighborRanker())]
    ),
    RankFusion([("near", NeighborRanker(3))], method="reciprocal_rank"),
    RankFusion(
        [("linear", XRLinearClassifier(random_state=0)), ("near", NeighborRanker())],
        weights="fit",
        random_state=0,
    ),
    XRLinearClassifier(
        KMeansTree(2, 1),
        matcher=RidgeClassifier(),
        ranker=DecisionTreeClassifier(max_depth=3),
    ),
    XRLinearClassifier(KMeansTree(2, 2), matcher=NeighborRanker(), matcher_level=1),
    Reranker(
        XRLinearClassifier(random_state=0),
        LogisticRegression(),
        n_candidates=5,
        cv=2,
        random_state=0,
    ),
    LabelThresholdCV(NeighborRanker(1), cv=3, random_state=0),
    SparseCalibrator(NeighborRanker(1), cv=3, random_state=0),
    LabelThresholdCV(
        XRLinearClassifier(random_state=0),
        scoring="f1_macro",
        thresholds="per_label",
        cv=3,
        random_state=0,
    ),
]
SKLEARN_VERSION = tuple(map(int, sklearn.__version__.split(".")[:2]))
CONFIGURATIONS = [{}]
if "sparse_interface" in sklearn.get_config():  # since scikit-learn 1.9
    CONFIGURATIONS = [{"sparse_interface": name} for name in ("spmatrix", "sparray")]
OF_CHECKS = [
    CONFIGURATIONS[0],
    *(pytest.param(other, marks=pytest.mark.slow) for other in CONFIGURATIONS[1:]),
]


@pytest.mark.parametrize("configuration", OF_CHECKS, ids=str)
@parametrize_with_checks(ESTIMATORS)
def test_passes_the_checks_of_scikit_learn(estimator, check, configuration):
    with sklearn.config_context(**configuration), warnings.catch_warnings():
        # The checks lower max_iter themselves.
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix])
def test_sparse_results_are_what_the_configuration_asks(configuration, container):
    X, Y = container(np.eye(6)), container(INDICATOR)
    classifier = XRLinearClassifier(random_state=0).fit(X, Y)
    retriever = make_retriever().fit(TEXTS, Y)
    lexical = LexicalRanker().fit(TEXTS, Y)
    asked = configuration.get("sparse_interface", "spmatrix")
    wanted = {"spmatrix": sparse.csr_matrix, "sparray": sparse.csr_array}[asked]
    with sklearn.config_context(**configuration):
        for fitted, data in ((classifier, X), (retriever, TEXTS), (lexical, TEXTS)):
            for method in ("predict", "predict_proba", "decision_function"):
                assert type(getattr(fitted, method)(data)) is wanted


# Estimators of texts: the checks above would test almost nothing of them.

TEXTS = [
    "red apple",
    "green apple, fresh",
    "smart phone",
    "phone case, red",
    "laptop case",
    "",
]
LABEL_TEXTS = ["apple", "phone", "case", "laptop"]
INDICATOR = np.array(
    [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [0] * 4]
)
TARGETS = {
    "sparse": sparse.csr_array(INDICATOR),
    "dense": INDICATOR,
    "classes": np.array(["fruit", "fruit", "phone", "case", "case", "nothing"]),
}
targets = pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)


def make_retriever(**parameters):
    classifier = XRLinearClassifier(KMeansTree(2, 1), random_state=0)
    return TextRetriever(**{"classifier": classifier} | parameters)


def dense(scores):
    return scores.toarray() if sparse.issparse(scores) else scores


OF_TEXTS = {
    "TextRetriever": make_retriever,
    "LexicalRanker": LexicalRanker,
}
of_texts = pytest.mark.parametrize("make", OF_TEXTS.values(), ids=OF_TEXTS)
OF_RANKERS = {
    "rank": (["apple"],),
    "predict": (["apple"],),
    "predict_proba": (["apple"],),
    "decision_function": (["apple"],),
    "score": (["apple"], ["fruit"]),
    "subset": (["fruit"],),
    "explain": ("apple", "fruit"),
}
METHODS = [
    *(("TextRetriever", *call) for call in OF_RANKERS.items()),
    ("TextRetriever", "search", ("apple",)),
    ("TextRetriever", "search_batch", (["apple"],)),
    *(("LexicalRanker", *call) for call in OF_RANKERS.items()),
    ("LexicalRanker", "rank_one", ("apple",)),
    ("LexicalRanker", "did_you_mean", ("apple",)),
]


@of_texts
def test_is_a_classifier_of_texts(make):
    tags = make().__sklearn_tags__()
    assert is_classifier(make())
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.classifier_tags.multi_label
    assert tags.target_tags.required


def stem(words):
    return [word.removesuffix("s") for word in words]


PARAMETERS = [
    lambda: make_retriever(vectorizer=WordNgramTfidf(min_df=1)),
    lambda: LexicalRanker(["word", "char"], token_filter=stem, field_weights=[2.0]),
]


@targets
@pytest.mark.parametrize("make", PARAMETERS)
def test_classifiers_of_texts_clone(make, y):
    fitted = make().fit(TEXTS, y)
    copied = clone(fitted)
    assert not [name for name in vars(copied) if name.endswith("_")]
    assert repr(copied) == repr(fitted)
    for name, value in fitted.get_params(deep=False).items():
        if hasattr(value, "fit"):
            assert getattr(copied, name) is not value
    before, after = fitted.rank(TEXTS, 3), copied.fit(TEXTS, y).rank(TEXTS, 3)
    np.testing.assert_array_equal(before, after)


def test_retriever_keeps_its_parameters_as_they_were():
    vectorizer = WordNgramTfidf()
    retriever = make_retriever(vectorizer=vectorizer).fit(TEXTS, INDICATOR)
    assert retriever.vectorizer is vectorizer
    assert not hasattr(vectorizer, "vocabulary_")
    assert not hasattr(retriever.classifier, "layouts_")
    assert retriever.classifier.indexer.random_state is None


def test_lexical_ranker_keeps_its_parameters_as_they_were():
    analyzer, weights = ["word"], [1, 2]
    ranker = LexicalRanker(analyzer, field_weights=weights)
    ranker.fit(TEXTS, INDICATOR, label_texts=LABEL_TEXTS).rank(TEXTS)
    assert ranker.analyzer is analyzer
    assert ranker.field_weights is weights
    assert analyzer == ["word"]
    assert weights == [1, 2]


def test_retriever_gets_and_sets_nested_parameters():
    retriever = make_retriever(vectorizer=WordNgramTfidf())
    names = set(retriever.get_params())
    assert {"vectorizer__min_df", "classifier__indexer__max_leaf_size"} <= names
    retriever.set_params(vectorizer__min_df=2, classifier__beam_width=3)
    assert retriever.vectorizer.min_df == 2
    assert retriever.classifier.beam_width == 3
    with pytest.raises(ValueError, match="Invalid parameter 'beam'"):
        retriever.set_params(beam=3)


@of_texts
@targets
def test_classifiers_of_texts_leave_their_input_alone(make, y):
    texts, labels = list(TEXTS), y.copy()
    label_texts = list(LABEL_TEXTS)
    make().fit(texts, labels, label_texts=label_texts).rank(texts)
    assert texts == TEXTS
    assert label_texts == LABEL_TEXTS
    assert type(labels) is type(y)
    np.testing.assert_array_equal(dense(labels), dense(y))


@of_texts
@targets
def test_classifiers_of_texts_pickle(make, y):
    fitted = make().fit(TEXTS, y, label_texts=LABEL_TEXTS)
    again = pickle.loads(pickle.dumps(fitted))
    if hasattr(fitted, "search"):
        assert again.search("red phone") == fitted.search("red phone")
    for method in ("predict", "predict_proba", "decision_function", "rank"):
        found = [dense(getattr(one, method)(TEXTS)) for one in (fitted, again)]
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(("name", "method", "arguments"), METHODS)
def test_unfitted_classifiers_of_texts_say_so(name, method, arguments):
    model = {"TextRetriever": TextRetriever, "LexicalRanker": LexicalRanker}[name]()
    with pytest.raises(NotFittedError, match=f"{name} instance is not fitted"):
        getattr(model, method)(*arguments)


@of_texts
@targets
def test_classifiers_of_texts_are_deterministic(make, y):
    first = make().fit(TEXTS, y)
    for second in (first.fit(TEXTS, y), make().fit(TEXTS, y)):
        np.testing.assert_array_equal(
            dense(first.predict_proba(TEXTS)), dense(second.predict_proba(TEXTS))
        )


@of_texts
@targets
def test_results_have_the_kind_of_the_target(make, y):
    fitted = make().fit(TEXTS, y)
    predicted, scores = fitted.predict(TEXTS), fitted.predict_proba(TEXTS)
    assert sparse.issparse(predicted) == sparse.issparse(y) == sparse.issparse(scores)
    assert predicted.shape == y.shape
    assert predicted.dtype == y.dtype or y.ndim == 1
    assert scores.shape == (len(TEXTS), len(fitted.classes_))
    assert scores.dtype == (np.float64 if y.ndim == 1 else np.float32)
    assert fitted.rank(TEXTS)[1].dtype == np.float32
    assert fitted.score(TEXTS, y) > 0.5


def test_one_text_or_many_any_split_of_them():
    retriever = make_retriever().fit(TEXTS, INDICATOR)
    columns, scores = retriever.rank(TEXTS, 4)
    for i, text in enumerate(TEXTS):
        alone = retriever.rank([text], 4)
        np.testing.assert_array_equal(alone[0][0], columns[i])
        np.testing.assert_array_equal(alone[1][0], scores[i])
        found = columns[i] >= 0
        assert [label for label, _, _ in retriever.search(text, 4)] == (
            columns[i][found].tolist()
        )


@pytest.mark.parametrize("parameters", [{}, {"prefix": True, "correct_spelling": True}])
def test_one_text_or_many_of_a_lexical_ranker(parameters):
    ranker = LexicalRanker(["word", "char"], **parameters).fit(TEXTS, INDICATOR)
    texts = [*TEXTS, "lapto cas", "aple"]
    columns, scores = ranker.rank(texts, 4)
    for i, text in enumerate(texts):
        for alone in (ranker.rank([text], 4), ranker.rank_one(text, 4)):
            np.testing.assert_array_equal(alone[0].ravel(), columns[i])
            np.testing.assert_array_equal(alone[1].ravel(), scores[i])


# How notebooks show them

shown = [
    *ESTIMATORS,
    make_retriever(vectorizer=WordNgramTfidf()),
    LexicalRanker(["word", "char"], token_filter=stem),
]


@pytest.mark.parametrize("estimator", shown, ids=lambda one: type(one).__name__)
def test_html_display(estimator):
    X = sparse.csr_array(np.eye(6, dtype=np.float32))
    data = TEXTS if isinstance(estimator, (TextRetriever, LexicalRanker)) else X
    unfitted = estimator_html_repr(estimator)
    estimator = clone(estimator).fit(data, TARGETS["sparse"])
    fitted = estimator_html_repr(estimator)
    name = type(estimator).__name__
    for html, status in ((unfitted, "Not fitted"), (fitted, "Fitted")):
        assert name in html
        assert f"<span>{status}</span>" in html
    if SKLEARN_VERSION >= (1, 7):  # shows a table of all parameters
        for parameter in estimator.get_params(deep=False):
            assert parameter in unfitted
