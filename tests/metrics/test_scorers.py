"""Scorers of the metrics in grid searches."""

import math
import pickle
import tracemalloc
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    ndcg_score,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from slow_metrics import (
    DEFINITIONS,
    METRICS,
    PROPENSITY_METRICS,
    sets_of,
    slow_psp,
)

from skxmr import metrics
from skxmr.ranking import rank, top_k


class NeighborRanker(ClassifierMixin, BaseEstimator):
    """Ranks the labels of the nearest training rows; classes may be of any type."""

    def __init__(self, n_neighbors=3):
        self.n_neighbors = n_neighbors

    def fit(self, X, y, *, relevance=None):
        self.X_ = np.asarray(X)
        if sparse.issparse(y) or np.ndim(y) == 2:
            self.Y_ = np.asarray(y.todense() if sparse.issparse(y) else y)
            self.classes_ = np.arange(self.Y_.shape[1])
            return self
        y = list(y)
        # np.unique cannot sort numbers among strings.
        distinct = sorted(set(y), key=lambda label: (type(label).__name__, label))
        self.classes_ = np.empty(len(distinct), dtype=object)
        self.classes_[:] = distinct
        self.Y_ = np.array([[label == c for c in distinct] for label in y])
        return self

    def rank(self, X, k):
        distances = np.abs(np.asarray(X)[:, np.newaxis, :] - self.X_).sum(axis=2)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, : self.n_neighbors]
        return top_k(self.Y_[nearest].mean(axis=1), k)


RNG = np.random.default_rng(0)
X = RNG.integers(0, 3, size=(40, 3)).astype(float)
Y = (RNG.random((40, 6)) < np.where(X[:, [0, 0, 1, 1, 2, 2]] > 1, 0.7, 0.1)).astype(int)
# Every third class occurs once: unseen where its row is held out.
CODES = np.where(np.arange(40) % 3 == 0, np.arange(40), X[:, 0].astype(int))
NAMES = [f"query {code}" for code in CODES]
MIXED = np.empty(40, dtype=object)
MIXED[:] = [
    None if code == 0 else int(code) if code % 2 else f"q{code}" for code in CODES
]
PSP = metrics.propensities(Y)

SCORERS = {name: getattr(metrics, f"{name}_scorer") for name in METRICS}


def held_out_score(definition, y, k, n_neighbors):
    """Mean over five folds by the slow definitions, class for class."""
    values = []
    for train, test in KFold(5).split(X):
        model = NeighborRanker(n_neighbors).fit(X[train], [y[i] for i in train])
        columns, _ = model.rank(X[test], k)
        rankings = [[model.classes_[c] for c in row if c >= 0] for row in columns]
        values.append(definition([{y[i]} for i in test], rankings, k))
    return np.mean(values)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "container",
    [np.asarray, sparse.csr_matrix, sparse.csr_array, pd.DataFrame],
    ids=lambda c: c.__name__,
)
def test_grid_search_on_labels(name, container):
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), NeighborRanker()),
        {"neighborranker__n_neighbors": [1, 5]},
        scoring=SCORERS[name](2),
        cv=KFold(5),
        error_score="raise",
    ).fit(X, container(Y))
    for n_neighbors, value in zip(
        [1, 5], search.cv_results_["mean_test_score"], strict=True
    ):
        folds = []
        for train, test in KFold(5).split(X):
            model = NeighborRanker(n_neighbors).fit(X[train], Y[train])
            rankings = [[c for c in row if c >= 0] for row in model.rank(X[test], 2)[0]]
            folds.append(DEFINITIONS[name](sets_of(Y[test]), rankings, 2))
        assert value == pytest.approx(np.mean(folds))
    assert SCORERS[name](2)(search, X, container(Y)) == pytest.approx(
        METRICS[name](Y, rank(search, X, 2), 2)
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "y",
    [
        CODES,
        CODES.astype(np.float32),
        NAMES,
        np.array(NAMES),
        np.array(NAMES, dtype=object),
        pd.Series(NAMES, index=np.arange(40)[::-1]),
        pd.Series(NAMES, dtype="category"),
        MIXED,
        MIXED.tolist(),
        CODES > 1,
    ],
    ids=["int", "float", "list", "U", "O", "series", "categorical", "mixed", "ml", "b"],
)
def test_grid_search_on_classes(name, y):
    search = GridSearchCV(
        make_pipeline(FunctionTransformer(), NeighborRanker()),
        {"neighborranker__n_neighbors": [1, 5]},
        scoring=SCORERS[name](2),
        cv=KFold(5),
        error_score="raise",
    ).fit(X, y)
    plain = list(y)
    expected = [held_out_score(DEFINITIONS[name], plain, 2, n) for n in (1, 5)]
    assert search.cv_results_["mean_test_score"] == pytest.approx(expected)


def test_classes_of_other_classifiers():
    model = make_pipeline(FunctionTransformer(), LogisticRegression())
    model.fit(X, np.array(NAMES))
    value = metrics.recall_at_k_scorer(1)(model, X, NAMES)
    assert value == pytest.approx(model.score(X, NAMES))
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    value = metrics.ndcg_at_k_scorer(3)(model, X, Y)
    assert value == pytest.approx(ndcg_score(Y, model.predict_proba(X), k=3))


def test_one_column_of_classes_is_a_list_of_classes():
    model = NeighborRanker().fit(X, NAMES)
    scorer = metrics.recall_at_k_scorer(3)
    one_column = np.array(NAMES)[:, np.newaxis]
    assert scorer(model, X, one_column) == scorer(model, X, NAMES)
    assert scorer(model, X, pd.DataFrame(one_column)) == scorer(model, X, NAMES)


def test_each_unseen_class_is_a_label_of_its_own():
    model = NeighborRanker(1).fit([[0.0], [1.0]], ["a", "b"])
    y = ["a", "new", "newer", "newer", 3]
    for name, expected in [("coverage_at_k", 1 / 4), ("recall_at_k", 1 / 5)]:
        assert SCORERS[name](1)(model, np.zeros((5, 1)), y) == pytest.approx(expected)


def test_nothing_known_is_no_error():
    model = NeighborRanker().fit(X, NAMES)
    for make in SCORERS.values():
        assert make(2)(model, X, np.arange(40)) == 0.0


def test_classes_need_an_estimator_that_has_them():
    class Nameless(BaseEstimator):
        def rank(self, X, k):
            return np.zeros((len(X), k), int), np.zeros((len(X), k))

    with pytest.raises(TypeError, match=r"must have classes_.*got Nameless"):
        metrics.recall_at_k_scorer(1)(Nameless(), X, NAMES)


def test_propensities_by_column():
    scorer = metrics.propensity_scored_precision_at_k_scorer(2, propensities=PSP)
    model = NeighborRanker().fit(X, Y)
    expected = metrics.propensity_scored_precision_at_k(
        Y, rank(model, X, 2), 2, propensities=PSP
    )
    for same in (Y, sparse.csr_matrix(Y)):
        assert scorer(model, X, same) == expected
    with pytest.raises(ValueError, match="must be a dict from class to propensity"):
        scorer(NeighborRanker().fit(X, NAMES), X, NAMES)


def test_propensities_by_class():
    p = dict(zip(np.unique(NAMES), metrics.propensities(NAMES), strict=True))
    scorer = metrics.propensity_scored_precision_at_k_scorer(2, propensities=p)
    train, test = np.arange(30), np.arange(30, 40)
    names = np.array(NAMES)
    model = NeighborRanker().fit(X[train], names[train])
    rankings = [
        [model.classes_[c] for c in row if c >= 0] for row in model.rank(X[test], 2)[0]
    ]
    truths = [{name} for name in names[test]]
    assert not {*names[test]} <= {*names[train]}
    expected = slow_psp(truths, rankings, 2, p)
    assert 0 < expected < 1
    assert scorer(model, X[test], names[test]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="must be an array by column"):
        scorer(NeighborRanker().fit(X, Y), X, Y)


def test_a_class_without_a_propensity_has_the_smallest():
    model = NeighborRanker(1).fit([[0.0], [1.0]], ["a", "b"])
    p = {"a": 0.5, "b": 0.25}
    scorer = metrics.propensity_scored_precision_at_k_scorer(1, propensities=p)
    # "a" gains 2 of the 2 + 4 there were.
    assert scorer(model, [[0.0], [0.0]], ["a", "new"]) == pytest.approx(2 / 6)


def test_a_scorer_keeps_propensities_of_its_own():
    p, by_class = PSP.copy(), {"a": 0.5}
    make = metrics.propensity_scored_precision_at_k_scorer
    scorers = make(2, propensities=p), make(2, propensities=by_class)
    p[:], by_class["a"] = 1, 1
    np.testing.assert_array_equal(scorers[0].propensities, PSP)
    assert scorers[1].propensities == {"a": 0.5}


@pytest.mark.parametrize("p", [[], [0.0], {"a": 2.0}, {}, {"a": "x"}, [[0.5]]])
def test_scorers_refuse_malformed_propensities(p):
    with pytest.raises(ValueError, match=r"propensities|minimum of 1|float"):
        metrics.propensity_scored_precision_at_k_scorer(1, propensities=p)


ALL_SCORERS = [
    *(make(10) for make in SCORERS.values()),
    *(metrics.f1_at_k_scorer(10, average=a) for a in ("micro", "macro", "samples")),
    metrics.precision_at_k_scorer(10, average="macro"),
    metrics.recall_at_k_scorer(10, average="macro"),
    metrics.propensity_scored_recall_at_k_scorer(10, propensities=PSP),
    metrics.propensity_scored_ndcg_at_k_scorer(10, propensities={"a": 0.5}),
    metrics.propensity_scored_precision_at_k_scorer(10, propensities=PSP),
    metrics.propensity_scored_precision_at_k_scorer(10, propensities={"a": 0.5}),
]


@pytest.mark.parametrize("scorer", ALL_SCORERS, ids=repr)
def test_scorers_are_values(scorer):
    same = pickle.loads(pickle.dumps(scorer))
    assert same == scorer
    assert hash(same) == hash(scorer)
    assert repr(same) == repr(scorer)
    assert [other == scorer for other in ALL_SCORERS].count(True) == 1
    assert type(scorer)(*vars(scorer).values()) == scorer
    assert scorer != scorer.metric
    copied = clone(GridSearchCV(NeighborRanker(), {}, scoring=scorer)).scoring
    assert copied == scorer


@pytest.mark.parametrize(
    ("name", "average"),
    [
        ("f1_at_k", "micro"),
        ("f1_at_k", "macro"),
        ("f1_at_k", "samples"),
        ("precision_at_k", "macro"),
        ("recall_at_k", "macro"),
    ],
)
def test_scorers_of_averages(name, average):
    metric, make = getattr(metrics, name), getattr(metrics, f"{name}_scorer")
    scorer = make(2, average=average)
    model = NeighborRanker().fit(X, Y)
    expected = metric(Y, rank(model, X, 2), 2, average=average)
    for same in (Y, sparse.csr_matrix(Y)):
        assert scorer(model, X, same) == expected
    names = np.array(NAMES)
    model = NeighborRanker().fit(X[:30], names[:30])
    # Each class that is not known is a label of its own.
    known = {name: column for column, name in enumerate(model.classes_)}
    others = sorted(set(NAMES) - set(known))
    known |= {name: len(known) + i for i, name in enumerate(others)}
    columns = [known[name] for name in names[30:]]
    expected = metric(columns, model.rank(X[30:], 2), 2, average=average)
    assert scorer(model, X[30:], names[30:]) == expected


@pytest.mark.parametrize("name", ["f1_at_k", "precision_at_k", "recall_at_k"])
def test_unknown_averages(name):
    for average in ("weighted", None, "Macro", *(["micro"] if name[0] != "f" else [])):
        message = f"'average' parameter of {name} must be"
        with pytest.raises(ValueError, match=message):
            getattr(metrics, name)(Y, [[0, 1]] * 40, 2, average=average)
        with pytest.raises(ValueError, match=message.replace(name, f"{name}_scorer")):
            getattr(metrics, f"{name}_scorer")(2, average=average)


def test_scorers_of_other_k_or_propensities_differ():
    assert metrics.recall_at_k_scorer(5) != metrics.recall_at_k_scorer(10)
    assert metrics.recall_at_k_scorer() == metrics.recall_at_k_scorer(5)
    make = partial(metrics.propensity_scored_precision_at_k_scorer, 5)
    assert make(propensities=PSP) != make(propensities=PSP**2)
    assert make(propensities={"a": 0.5}) != make(propensities={"a": 0.25})
    assert make(propensities=PSP) == make(propensities=PSP.tolist())


def test_repr_is_how_to_make_it():
    assert repr(metrics.recall_at_k_scorer(10)) == "recall_at_k_scorer(10)"
    for scorer in ALL_SCORERS[: len(SCORERS) + 5]:
        assert eval(repr(scorer), vars(metrics)) == scorer
    assert repr(ALL_SCORERS[-1]) == (
        "propensity_scored_precision_at_k_scorer(10, propensities=<1 classes>)"
    )


@pytest.mark.parametrize("routing", [False, True])
def test_several_metrics_with_and_without_metadata_routing(routing):
    scoring = {"recall": SCORERS["recall_at_k"](3), "ndcg": SCORERS["ndcg_at_k"](3)}
    relevance = np.ones(40)
    with sklearn.config_context(enable_metadata_routing=routing):
        model, parameters = NeighborRanker(), {"relevance": relevance}
        if routing:
            model.set_fit_request(relevance=True)
        search = GridSearchCV(
            model,
            {"n_neighbors": [1, 5]},
            scoring=scoring,
            refit="ndcg",
            cv=KFold(3),
            error_score="raise",
        ).fit(X, sparse.csr_matrix(Y), **parameters)
        single = GridSearchCV(
            model, {"n_neighbors": [1, 5]}, scoring=scoring["recall"], cv=KFold(3)
        ).fit(X, sparse.csr_matrix(Y), **parameters)
        best = search.score(X, sparse.csr_matrix(Y))
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_recall"], single.cv_results_["mean_test_score"]
    )
    assert best == scoring["ndcg"](search.best_estimator_, X, Y)


def test_cross_validate():
    found = cross_validate(
        NeighborRanker(), X, Y, scoring=metrics.recall_at_k_scorer(2), cv=KFold(4)
    )
    assert found["test_score"].shape == (4,)
    assert (found["test_score"] > 0).all()


class Constant(BaseEstimator):
    """Ranks the row's own number and the nine after it, among many classes."""

    def __init__(self, classes):
        self.classes_ = classes

    def rank(self, X, k):
        columns = X[:, :1] + np.arange(k)
        return columns, np.ones(columns.shape, dtype=np.float32)


@pytest.mark.parametrize("kind", ["strings", "integers", "indicator"])
def test_scoring_never_holds_rows_by_classes(kind):
    n_samples, n_classes, k = 20_000, 100_000, 10
    truth = np.arange(n_samples) + 3
    numbers = np.arange(n_classes)
    classes = numbers.astype("U6") if kind == "strings" else numbers
    y, p = classes[truth], dict.fromkeys(classes[:100].tolist(), 0.5)
    if kind == "indicator":
        indptr, ones = np.arange(n_samples + 1), np.ones(n_samples)
        y = sparse.csr_array((ones, truth, indptr), shape=(n_samples, n_classes))
        p = np.full(n_classes, 0.5)
    model, rows = Constant(classes), np.arange(n_samples)[:, np.newaxis]
    scorers = [make(k) for make in SCORERS.values()]
    scorers += [
        getattr(metrics, f"{name}_scorer")(k, propensities=p)
        for name in PROPENSITY_METRICS
    ]
    scorers += [metrics.f1_at_k_scorer(k), metrics.f1_at_k_scorer(k, average="samples")]
    scorers.append(metrics.precision_at_k_scorer(k, average="macro"))
    scorers.append(metrics.recall_at_k_scorer(k, average="macro"))
    tracemalloc.start()
    values = [scorer(model, rows, y) for scorer in scorers]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    ndcg = 1 / math.log2(5)
    expected = [0.1, 1, ndcg, 0.25, 1, 1, 1, ndcg, 2 / 11, 2 / 11]
    assert values[:-2] == pytest.approx(expected)
    # Labels 0 to 2 and six after the last true one are retrieved, but never true.
    n_labels = n_classes if kind == "indicator" else n_samples + 9
    assert values[-1] == pytest.approx(n_samples / n_labels)
    assert values[-2] < 0.11
    # One bit for each row and class would be 250 MB.
    assert peak < 60e6
