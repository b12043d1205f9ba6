import doctest
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skxmr import ranking
from skxmr.ranking import final_estimator, rank, top_k

SPARSE_FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


class FirstColumns(ClassifierMixin, BaseEstimator):
    """Ranks the k highest columns of X itself, after `shift`."""

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y=None):
        self.classes_ = np.arange(X.shape[1])
        return self

    def rank(self, X, k):
        if not hasattr(self, "classes_"):
            raise NotFittedError("fit first")
        return top_k(np.asarray(X) + self.shift, k)


class AddOne(TransformerMixin, BaseEstimator):
    """A transformer without any fitted attribute, as users write them."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X + 1


class Scores(ClassifierMixin, BaseEstimator):
    """Gives X back as its probabilities."""

    def fit(self, X, y=None):
        self.classes_ = np.arange(X.shape[1])
        return self

    def predict_proba(self, X):
        return X


class SignedScores(ClassifierMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.classes_ = np.arange(X.shape[1])
        return self

    def decision_function(self, X):
        return X


def slow_top_k(scores, k, is_found=lambda score: score != 0):
    """The obvious definition of `top_k`, row by row."""
    columns = np.full((len(scores), k), -1)
    top = np.zeros((len(scores), k))
    for i, row in enumerate(scores):
        found = [j for j in range(len(row)) if is_found(row[j])]
        for position, j in enumerate(sorted(found, key=lambda j: (-row[j], j))[:k]):
            columns[i, position], top[i, position] = j, row[j]
    return columns, top


score_matrices = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.sampled_from([0.0, 0.0, 0.25, 0.5, 0.5, 1.0, -1.0, -0.5]),
)


@given(scores=score_matrices, k=st.integers(1, 9))
def test_top_k_is_the_obvious_one(scores, k):
    columns, top = top_k(scores, k)
    expected_columns, expected = slow_top_k(scores, k)
    np.testing.assert_array_equal(columns, expected_columns)
    np.testing.assert_array_equal(top, expected)
    assert columns.dtype == np.int64
    assert top.dtype == scores.dtype


@given(
    scores=score_matrices,
    k=st.integers(1, 9),
    sparse_format=st.sampled_from(SPARSE_FORMATS),
)
def test_top_k_of_sparse_is_that_of_dense(scores, k, sparse_format):
    matrix = sparse.coo_array(scores).asformat(sparse_format)
    for given_ in (matrix, matrix.asformat("csr"), sparse.csr_matrix(scores)):
        for ours, dense in zip(top_k(given_, k), top_k(scores, k), strict=True):
            np.testing.assert_array_equal(ours, dense)


@given(scores=score_matrices, k=st.integers(1, 9))
def test_a_decision_function_finds_every_column(scores, k):
    model = SignedScores().fit(scores)
    columns, top = rank(model, scores, k)
    expected_columns, expected = slow_top_k(scores, k, lambda score: True)
    np.testing.assert_array_equal(columns, expected_columns)
    np.testing.assert_array_equal(top, expected)


def test_top_k_of_rows_of_very_different_lengths():
    rng = np.random.default_rng(0)
    counts = [0, 1, 2, 3, 4, 5, 0, 1000, 64, 65, 63, 0]
    scores = np.zeros((len(counts), 1000), dtype=np.float32)
    for row, count in zip(scores, counts, strict=True):
        row[rng.permutation(1000)[:count]] = rng.integers(1, 9, size=count)
    for k in (1, 4, 100, 1500):
        expected = slow_top_k(scores, k)
        for given_ in (scores, sparse.csr_array(scores)):
            columns, top = top_k(given_, k)
            np.testing.assert_array_equal(columns, expected[0])
            np.testing.assert_array_equal(top, expected[1])
    # One long row costs its own length, not that of the others as well.
    indptr = np.r_[0, np.arange(50_000), 149_999]
    long_and_short = sparse.csr_array(
        (np.ones(149_999), np.r_[np.zeros(49_999), np.arange(100_000)], indptr)
    )
    tracemalloc.start()
    columns, _ = top_k(long_and_short, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(
        columns[[0, 1, -1]], [[-1] * 3, [0, -1, -1], [0, 1, 2]]
    )
    assert peak < 50e6


def test_top_k_leaves_unsorted_input_with_duplicates_and_zeros_as_it_was():
    data, indices, indptr = [0.2, 0.0, 0.3, 0.2], [3, 1, 0, 3], [0, 4]
    scores = sparse.csr_array((data, indices, indptr), shape=(1, 4))
    columns, top = top_k(scores, 3)
    np.testing.assert_array_equal(columns, [[3, 0, -1]])
    np.testing.assert_allclose(top, [[0.4, 0.3, 0.0]])
    np.testing.assert_array_equal(scores.indices, indices)
    np.testing.assert_array_equal(scores.data, data)


X = np.array([[0.1, 0.9, 0.4], [0.5, 0.0, 0.0], [0.2, 0.2, 0.7]])
COLUMNS_OF_X = [[1, 2], [0, -1], [2, 0]]


def test_an_estimator_that_ranks_is_asked():
    columns, scores = rank(FirstColumns().fit(X), X, k=2)
    np.testing.assert_array_equal(columns, COLUMNS_OF_X)
    np.testing.assert_array_equal(scores, [[0.9, 0.4], [0.5, 0.0], [0.7, 0.2]])


def test_k_is_10_unless_given():
    columns, scores = rank(FirstColumns().fit(X), X)
    assert columns.shape == scores.shape == (3, 10)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        ["passthrough"],
        [None],
        [FunctionTransformer()],
        [None, FunctionTransformer(), "passthrough"],
        [Pipeline([("inner", FunctionTransformer())])],
    ],
    ids=str,
)
def test_a_pipeline_is_seen_through(steps):
    model = Pipeline(
        [(f"step{i}", step) for i, step in enumerate(steps)]
        + [("last", FirstColumns())]
    ).fit(X)
    np.testing.assert_array_equal(rank(model, X, 2)[0], COLUMNS_OF_X)


def test_earlier_steps_transform_in_their_order():
    halve = FunctionTransformer(lambda X: np.asarray(X) / 2)
    inner = make_pipeline(AddOne(), FirstColumns())
    model = make_pipeline(halve, inner).fit(X)
    np.testing.assert_allclose(rank(model, [[0.0, 0.4, 0.0]], 1)[1], [[1.2]])


def test_a_pipeline_of_text():
    class Words(FirstColumns):
        def rank(self, X, k):
            return top_k(X, k)

    model = make_pipeline(CountVectorizer(dtype=np.float32), Words())
    model.fit(["a red shoe", "a blue lamp"])
    columns, scores = rank(model, ["lamp lamp red"], 3)
    words = model[0].get_feature_names_out()
    assert words[columns[0, :2]].tolist() == ["lamp", "red"]
    assert columns[0, 2] == -1
    assert scores.dtype == np.float32


def scorer_of_nothing(estimator, X, y):
    return 0.0


def search(estimator, **parameters):
    return GridSearchCV(
        estimator,
        parameters,
        scoring=scorer_of_nothing,
        cv=KFold(2),
        error_score="raise",
    )


def test_searches_and_nested_pipelines_are_seen_through():
    inner = make_pipeline(FunctionTransformer(), FirstColumns())
    model = make_pipeline(
        FunctionTransformer(), search(inner, firstcolumns__shift=[1.0, 2.0])
    ).fit(X, X)
    np.testing.assert_array_equal(
        rank(model, X, 2)[1], [[1.9, 1.4], [1.5, 1.0], [1.7, 1.2]]
    )
    assert final_estimator(model) is model[-1].best_estimator_[-1]
    frozen = FrozenEstimator(FirstColumns().fit(X))
    np.testing.assert_array_equal(rank(frozen, X, 2)[0], COLUMNS_OF_X)


def test_an_own_rank_goes_before_all_else():
    class Both(FirstColumns):
        def predict_proba(self, X):
            raise AssertionError

        best_estimator_ = None

    np.testing.assert_array_equal(rank(Both().fit(X), X, 2)[0], COLUMNS_OF_X)


# Estimators of scikit-learn, which have no `rank`.

RNG = np.random.RandomState(0)
POINTS = RNG.normal(size=(60, 4))
CLASSES = np.array(["d", "a", "c", "b"])[np.argmax(POINTS, axis=1)]
INDICATOR = (POINTS > 0.3).astype(int)


@pytest.mark.parametrize(
    "classifier",
    [LogisticRegression(), KNeighborsClassifier(), DecisionTreeClassifier(max_depth=3)],
    ids=lambda e: type(e).__name__,
)
def test_probabilities_of_classes(classifier):
    classifier.fit(POINTS, CLASSES)
    columns, scores = rank(classifier, POINTS, 3)
    expected = slow_top_k(classifier.predict_proba(POINTS), 3)
    np.testing.assert_array_equal(columns, expected[0])
    np.testing.assert_array_equal(scores, expected[1])
    assert (classifier.classes_[columns[:, 0]] == classifier.predict(POINTS)).all()


@pytest.mark.parametrize("n_classes", [2, 4])
def test_decision_functions_of_classes(n_classes):
    y = CLASSES if n_classes == 4 else np.where(POINTS[:, 0] > 0, "yes", "no")
    classifier = LinearSVC().fit(POINTS, y)
    columns, scores = rank(classifier, POINTS, 3)
    assert (classifier.classes_[columns[:, 0]] == classifier.predict(POINTS)).all()
    assert (columns[:, : min(n_classes, 3)] >= 0).all()
    assert (np.diff(scores[:, :n_classes]) <= 0).all()
    if n_classes == 2:
        decision = classifier.decision_function(POINTS)
        np.testing.assert_array_equal(scores[:, 0], np.abs(decision))
        np.testing.assert_array_equal(scores[:, 1], -np.abs(decision))


@pytest.mark.parametrize(
    "classifier",
    [
        KNeighborsClassifier(),
        RandomForestClassifier(5, random_state=0),
        MultiOutputClassifier(LogisticRegression()),
        OneVsRestClassifier(LogisticRegression()),
    ],
    ids=lambda e: type(e).__name__,
)
def test_probabilities_of_labels(classifier):
    classifier.fit(POINTS, INDICATOR)
    probabilities = classifier.predict_proba(POINTS)
    if isinstance(probabilities, list):
        probabilities = np.transpose([p[:, 1] for p in probabilities])
    columns, scores = rank(classifier, POINTS, 4)
    expected = slow_top_k(probabilities, 4)
    np.testing.assert_array_equal(columns, expected[0])
    np.testing.assert_array_equal(scores, expected[1])


def test_decision_functions_of_labels():
    classifier = OneVsRestClassifier(LinearSVC()).fit(POINTS, INDICATOR)
    columns, _ = rank(classifier, POINTS, 4)
    expected = slow_top_k(classifier.decision_function(POINTS), 4)
    np.testing.assert_array_equal(columns, expected[0])


def test_labels_that_training_never_or_always_had():
    Y = INDICATOR.copy()
    Y[:, 1], Y[:, 2] = 0, 1
    columns, scores = rank(DecisionTreeClassifier().fit(POINTS, Y), POINTS, 4)
    assert (columns != 1).all()
    assert (scores[columns == 2] == 1).all()
    assert (columns == 2).sum() == len(POINTS)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.coo_array])
@pytest.mark.parametrize("model", [Scores(), SignedScores()], ids=["proba", "decision"])
def test_sparse_scores_stay_sparse(model, container):
    scores = sparse.random(4, 10**6, density=3e-6, random_state=0, dtype=np.float32)
    columns, top = rank(model.fit(scores), container(scores), 20)
    assert (columns >= 0).sum() == scores.nnz
    assert top.dtype == np.float32
    np.testing.assert_allclose(top.sum(), scores.sum(), rtol=1e-6)


def test_whole_numbers_become_floats():
    columns, scores = rank(Scores().fit(X), np.array([[1, 0, 2]]), 2)
    np.testing.assert_array_equal(columns, [[2, 0]])
    assert scores.dtype == np.float64


# Input that is refused.


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", None])
def test_k_must_be_a_positive_integer(k):
    with pytest.raises(ValueError, match="'k' parameter of rank must be an int"):
        rank(FirstColumns().fit(X), X, k)


def test_numpy_integers_are_integers():
    np.testing.assert_array_equal(
        rank(FirstColumns().fit(X), X, np.int32(2))[0], COLUMNS_OF_X
    )


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: LinearRegression().fit(X, X), "got LinearRegression"),
        (lambda: IsolationForest(n_estimators=5).fit(X), "got IsolationForest"),
        (lambda: FirstColumns, "got the class FirstColumns instead of an instance"),
        (object, "got object"),
        (lambda: None, "got NoneType"),
        (
            lambda: Pipeline([("a", FirstColumns()), ("b", "passthrough")]),
            "to 'passthrough'",
        ),
        (lambda: make_pipeline(LinearRegression()).fit(X, X), "to LinearRegression"),
        (
            lambda: search(FirstColumns(), shift=[1]).set_params(refit=False).fit(X, X),
            "refitted",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_rank_is_named(make, named):
    estimator = make()
    with pytest.raises(TypeError, match=named):
        rank(estimator, X)


@pytest.mark.parametrize(
    "estimator",
    [
        FirstColumns(),
        LogisticRegression(),
        make_pipeline(FunctionTransformer(), LogisticRegression()),
        make_pipeline(CountVectorizer(), FirstColumns().fit(X)),
        search(FirstColumns(), shift=[1]),
        make_pipeline(search(LogisticRegression(), C=[1])),
    ],
    ids=lambda e: type(e).__name__,
)
def test_unfitted(estimator):
    with pytest.raises(NotFittedError):
        rank(estimator, ["text"])


def test_scores_of_pairs_of_classes_are_refused():
    classifier = SVC(decision_function_shape="ovo").fit(POINTS, CLASSES)
    with pytest.raises(ValueError, match=r"SVC.decision_function .* \(60, 6\)"):
        rank(classifier, POINTS)


def test_several_outputs_that_are_no_labels_are_refused():
    classifier = KNeighborsClassifier().fit(POINTS, np.stack([CLASSES, CLASSES], 1))
    with pytest.raises(ValueError, match="indicator of 0 and 1"):
        rank(classifier, POINTS)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_must_be_finite(bad):
    for scores in (np.array([[0.1, bad]]), sparse.csr_array([[0.1, bad]])):
        with pytest.raises(ValueError, match="predict_proba"):
            rank(Scores().fit(scores), scores, 1)


@pytest.mark.parametrize(
    ("columns", "scores", "message"),
    [
        (np.zeros((3, 1), int), np.zeros((3, 1)), r"of shape \(n_samples, 2\)"),
        (np.zeros((3, 2), int), np.zeros((3, 1)), r"of shape \(n_samples, 2\)"),
        (np.zeros(2, int), np.zeros(2), r"of shape \(n_samples, 2\)"),
        (np.zeros((3, 2)), np.zeros((3, 2)), "integer columns"),
    ],
)
def test_a_malformed_rank_is_refused(columns, scores, message):
    class Malformed(BaseEstimator):
        def rank(self, X, k):
            return columns, scores

    with pytest.raises(ValueError, match=message):
        rank(Malformed(), X, 2)


def test_a_rank_of_lists_or_small_dtypes_becomes_arrays():
    class Lists(BaseEstimator):
        def rank(self, X, k):
            return np.array([[2, 0]], np.int32), [[2, 1]]

    columns, scores = rank(Lists(), X[:1], 2)
    assert columns.dtype == np.int64
    assert scores.dtype == np.float64


def test_examples_in_docstrings():
    assert doctest.testmod(ranking).failed == 0
