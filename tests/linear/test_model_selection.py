"""Searches, pipelines and routing, as scikit-learn's users put them together."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from custom_indexers import TwoLevels
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_multilabel_classification
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - as it asks
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler

import skxmr
from skxmr import CharNgramTfidf, KMeansTree, WordNgramTfidf, XRLinearClassifier
from skxmr.metrics import (
    ndcg_at_k_scorer,
    precision_at_k_scorer,
    recall_at_k,
    recall_at_k_scorer,
)

N_SAMPLES, N_LABELS = 90, 12
X, DENSE_Y = make_multilabel_classification(
    N_SAMPLES,
    20,
    n_classes=N_LABELS,
    n_labels=2,
    allow_unlabeled=False,
    random_state=0,
)
X = sparse.csr_array(X / np.linalg.norm(X, axis=1, keepdims=True))
Y = sparse.csr_array(DENSE_Y)
WORDS = np.array([f"class {i}" for i in range(N_LABELS)])
CLASSES = WORDS[DENSE_Y.argmax(axis=1)]
# Every class once: those of a test fold are never seen in training.
ONCE = np.array([f"item {i}" for i in range(N_SAMPLES)])
FOLDS = KFold(3, shuffle=True, random_state=0)


def make_classifier(**parameters):
    defaults = {"indexer": KMeansTree(2, 3), "random_state": 0}
    return XRLinearClassifier(**defaults | parameters)


def by_hand(classifier, y, scorer, features=X):
    """Scores of the folds, without any search."""
    scores = []
    for train, test in FOLDS.split(features):
        fitted = clone(classifier).fit(features[train], y[train])
        scores.append(scorer(fitted, features[test], y[test]))
    return scores


# Searches

TARGETS = {"sparse": Y, "matrix": sparse.csr_matrix(Y), "dense": DENSE_Y}
TARGETS |= {"integers": DENSE_Y.argmax(axis=1), "words": CLASSES}
SCORERS = [recall_at_k_scorer(3), precision_at_k_scorer(1), ndcg_at_k_scorer(5)]


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_grid_search(y, scorer):
    search = GridSearchCV(
        make_classifier(),
        {"beam_width": [1, 4], "threshold": [0.1, 0.5]},
        scoring=scorer,
        cv=FOLDS,
        error_score="raise",
    ).fit(X, y)
    results = search.cv_results_
    for i, parameters in enumerate(results["params"]):
        expected = by_hand(make_classifier(**parameters), y, scorer)
        found = [results[f"split{fold}_test_score"][i] for fold in range(3)]
        assert found == pytest.approx(expected)
    assert search.best_score_ == max(results["mean_test_score"]) > 0.2
    columns, scores = skxmr.rank(search, X, 3)
    best = clone(make_classifier(**search.best_params_)).fit(X, y)
    np.testing.assert_array_equal(columns, best.rank(X, 3)[0])
    np.testing.assert_array_equal(scores, best.rank(X, 3)[1])


def test_several_scorers_at_once():
    scoring = {"recall": recall_at_k_scorer(3), "precision": precision_at_k_scorer(1)}
    search = GridSearchCV(
        make_classifier(),
        {"C": [0.1, 1.0]},
        scoring=scoring,
        refit="recall",
        cv=FOLDS,
        error_score="raise",
    ).fit(X, Y)
    for name, scorer in scoring.items():
        alone = GridSearchCV(
            make_classifier(), {"C": [0.1, 1.0]}, scoring=scorer, cv=FOLDS
        ).fit(X, Y)
        np.testing.assert_array_equal(
            search.cv_results_[f"mean_test_{name}"],
            alone.cv_results_["mean_test_score"],
        )


def test_nested_parameters_of_the_indexer_tune():
    grid = {
        "indexer__branching_factor": [2, 4],
        "indexer": [KMeansTree(max_leaf_size=3), TwoLevels(4)],
    }
    with pytest.raises(ValueError, match="Invalid parameter 'branching_factor'"):
        GridSearchCV(make_classifier(), grid, cv=FOLDS, error_score="raise").fit(
            X, DENSE_Y
        )
    grid = [
        {"indexer__branching_factor": [2, 4], "indexer__max_leaf_size": [2, 12]},
        {"indexer": [TwoLevels(4), TwoLevels(6)]},
    ]
    search = GridSearchCV(
        make_classifier(beam_width=1),
        grid,
        scoring=recall_at_k_scorer(3),
        cv=FOLDS,
        error_score="raise",
    ).fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) > 2
    assert search.best_estimator_.get_params()["indexer"] is not None


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
def test_classes_that_occur_once_are_misses_where_they_were_never_seen():
    search = GridSearchCV(
        make_classifier(),
        {"beam_width": [1, 4]},
        scoring=recall_at_k_scorer(5),
        cv=FOLDS,
        error_score="raise",
    ).fit(X, ONCE)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], [0, 0])
    half = ONCE.copy()
    half[::2] = "often"
    search.fit(X, half)
    assert 0.4 < search.best_score_ < 0.6
    assert search.best_estimator_.classes_.tolist() == np.unique(half).tolist()


def test_the_default_folds_ask_for_other_folds():
    """For classes, scikit-learn stratifies; what occurs once cannot be."""
    search = GridSearchCV(
        make_classifier(), {"beam_width": [1]}, scoring=recall_at_k_scorer(1)
    )
    with pytest.raises(ValueError, match="greater than the number of members in each"):
        search.fit(X, ONCE)


def test_randomised_and_halving_searches():
    randomised = RandomizedSearchCV(
        make_classifier(),
        {"beam_width": [1, 2, 4], "threshold": [0.1, 0.3]},
        n_iter=3,
        scoring=recall_at_k_scorer(3),
        cv=FOLDS,
        random_state=0,
        error_score="raise",
    ).fit(X, Y)
    assert randomised.best_score_ > 0.3
    for y in (Y, DENSE_Y, CLASSES):
        halving = HalvingGridSearchCV(
            make_classifier(),
            {"beam_width": [1, 2, 4, 8]},
            scoring=recall_at_k_scorer(3),
            cv=FOLDS,
            min_resources=30,
            factor=2,
            random_state=0,
            error_score="raise",
        ).fit(X, y)
        assert halving.n_resources_ == [30, 60]
        assert halving.best_score_ > 0.3


def test_parallel_searches_find_the_same():
    def search(n_jobs):
        return GridSearchCV(
            make_classifier(n_jobs=2),
            {"beam_width": [1, 4]},
            scoring=recall_at_k_scorer(3),
            cv=FOLDS,
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(X, Y)

    with joblib.parallel_config(backend="threading"):
        found = search(2)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], search(1).cv_results_["mean_test_score"]
    )


# Sparse Y: what scikit-learn refuses, and what works instead


@pytest.mark.parametrize("refused", [cross_val_score, cross_validate, learning_curve])
def test_what_scikit_learn_refuses(refused):
    scorer = recall_at_k_scorer(3)
    with pytest.raises(
        ValueError, match=r"The 'y' parameter of .* must be an array-lik"
    ):
        refused(make_classifier(), X, Y, scoring=scorer, cv=FOLDS)
    for y in (DENSE_Y, CLASSES):
        refused(make_classifier(), X, y, scoring=scorer, cv=FOLDS)


def test_a_search_over_nothing_gives_the_scores_of_the_folds():
    scorer = recall_at_k_scorer(3)
    search = GridSearchCV(make_classifier(), {}, scoring=scorer, cv=FOLDS).fit(X, Y)
    found = [search.cv_results_[f"split{fold}_test_score"][0] for fold in range(3)]
    expected = cross_val_score(make_classifier(), X, DENSE_Y, scoring=scorer, cv=FOLDS)
    assert found == pytest.approx(expected)


def test_a_search_with_shorter_folds_gives_a_learning_curve():
    scorer = recall_at_k_scorer(3)
    sizes = [30, 60]
    found = [
        GridSearchCV(
            make_classifier(),
            {},
            scoring=scorer,
            cv=[(train[:size], test) for train, test in FOLDS.split(X)],
        )
        .fit(X, Y)
        .best_score_
        for size in sizes
    ]
    _, _, expected = learning_curve(
        make_classifier(), X, DENSE_Y, train_sizes=sizes, cv=FOLDS, scoring=scorer
    )
    assert found == pytest.approx(expected.mean(axis=1))


def test_predictions_of_the_folds():
    predicted = cross_val_predict(make_classifier(), X, Y, cv=FOLDS)
    expected = cross_val_predict(make_classifier(), X, DENSE_Y, cv=FOLDS)
    assert sparse.issparse(predicted)
    np.testing.assert_array_equal(predicted.toarray(), expected)
    scores = cross_val_predict(
        make_classifier(), X, DENSE_Y, cv=FOLDS, method="predict_proba"
    )
    assert recall_at_k(DENSE_Y, scores, 3) > 0.5
    classes = cross_val_predict(make_classifier(), X, CLASSES, cv=FOLDS)
    assert set(classes) <= set(CLASSES)


def test_rows_can_be_split():
    train_x, test_x, train_y, test_y = train_test_split(X, Y, random_state=0)
    columns, _ = make_classifier().fit(train_x, train_y).rank(test_x, 3)
    assert recall_at_k(test_y, columns, 3) > 0.5


# Pipelines

KINDS = ["apple pie", "pear cake", "phone case", "laptop bag", "red shoes", "blue hat"]
TITLES = [f"{KINDS[i % 6]} no{i // 6} {'ab'[i % 2]}" for i in range(60)]
KIND_Y = sparse.eye_array(6, format="csr")[np.arange(60) % 6]


def make_text_pipeline(**parameters):
    return make_pipeline(
        make_union(WordNgramTfidf(ngram_range=(1, 2)), CharNgramTfidf()),
        make_classifier(**parameters),
    )


def test_a_pipeline_ranks_as_its_steps_do():
    pipeline = make_text_pipeline().fit(TITLES, KIND_Y)
    union, classifier = pipeline[0], pipeline[-1]
    columns, scores = skxmr.rank(pipeline, TITLES, k=2)
    again = classifier.rank(union.transform(TITLES), 2)
    np.testing.assert_array_equal(columns, again[0])
    np.testing.assert_array_equal(scores, again[1])
    np.testing.assert_array_equal(columns[:, 0], np.arange(60) % 6)
    assert sparse.issparse(pipeline.predict_proba(TITLES))
    assert union.get_feature_names_out().shape == (classifier.n_features_in_,)


@pytest.mark.parametrize(
    "y",
    [KIND_Y, KIND_Y.toarray(), np.array(KINDS * 10)],
    ids=["sparse", "dense", "1-D"],
)
def test_a_pipeline_of_texts_tunes(y):
    grid = {
        "xrlinearclassifier__beam_width": [1, 5],
        "xrlinearclassifier__threshold": [0.05, 0.3],
        "xrlinearclassifier__indexer__max_leaf_size": [2],
        "featureunion__wordngramtfidf__ngram_range": [(1, 1), (1, 2)],
    }
    search = GridSearchCV(
        make_text_pipeline(),
        grid,
        scoring=recall_at_k_scorer(2),
        cv=FOLDS,
        error_score="raise",
    ).fit(TITLES, y)
    assert search.best_score_ > 0.9
    columns, _ = skxmr.rank(search, ["a red shoe, shoes"], k=1)
    best = search.best_estimator_[-1]
    assert best.classes_[columns[0, 0]] in (4, "red shoes")
    assert set(best.trees_[0].n_children(best.trees_[0].depth - 1)) <= {1, 2}


def test_a_step_can_be_replaced_or_passed_through():
    pipeline = Pipeline([("scale", MaxAbsScaler()), ("rank", make_classifier())])
    search = GridSearchCV(
        pipeline,
        {"scale": [MaxAbsScaler(), "passthrough", None]},
        scoring=recall_at_k_scorer(3),
        cv=FOLDS,
        error_score="raise",
    ).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[1] == scores[2] != scores[0]
    skxmr.rank(search, X, 3)


def test_transformers_of_others_feed_it_too():
    union = FeatureUnion([("theirs", TfidfVectorizer()), ("ours", CharNgramTfidf())])
    pipeline = make_pipeline(union, make_classifier()).fit(TITLES, KIND_Y)
    columns, _ = skxmr.rank(pipeline, TITLES, 1)
    np.testing.assert_array_equal(columns.ravel(), np.arange(60) % 6)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_columns_of_texts(library):
    frame = library.DataFrame(
        {
            "title": TITLES,
            "shop": [["here", "there", "online"][i % 3] for i in range(60)],
            "price": np.linspace(1, 2, 60),
        }
    )
    columns = ColumnTransformer(
        [
            ("words", WordNgramTfidf(), "title"),
            ("characters", CharNgramTfidf(), "title"),
            ("shop", WordNgramTfidf(), "shop"),
            ("numbers", MaxAbsScaler(), ["price"]),
        ]
    )
    pipeline = make_pipeline(columns, make_classifier()).fit(frame, KIND_Y)
    assert pipeline[-1].n_features_in_ == sum(
        len(columns_.get_feature_names_out())
        for columns_ in pipeline[0].named_transformers_.values()
    )
    best, _ = skxmr.rank(pipeline, frame, k=1)
    np.testing.assert_array_equal(best.ravel(), np.arange(60) % 6)
    search = GridSearchCV(
        make_pipeline(columns, make_classifier()),
        {"columntransformer__words__min_df": [1, 2]},
        scoring=recall_at_k_scorer(1),
        cv=FOLDS,
        error_score="raise",
    ).fit(frame, KIND_Y)
    assert search.best_score_ > 0.9
    alone = make_text_pipeline().fit(frame["title"], KIND_Y)
    expected = make_text_pipeline().fit(TITLES, KIND_Y)
    np.testing.assert_array_equal(
        skxmr.rank(alone, frame["title"], 3)[1], skxmr.rank(expected, TITLES, 3)[1]
    )


# Relevance and names on the way to fit

RELEVANCE = Y.astype(np.float64)
RELEVANCE.data = np.linspace(0.1, 5, Y.nnz)


def assert_weighted(fitted, relevance=RELEVANCE, y=Y):
    expected = make_classifier().fit(MaxAbsScaler().fit_transform(X), y)
    weighted = make_classifier().fit(
        MaxAbsScaler().fit_transform(X), y, relevance=relevance
    )
    features = MaxAbsScaler().fit_transform(X)
    np.testing.assert_array_equal(
        fitted.rank(features, 5)[1], weighted.rank(features, 5)[1]
    )
    assert (fitted.rank(features, 5)[1] != expected.rank(features, 5)[1]).any()


def test_relevance_by_the_name_of_the_step():
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier())
    pipeline.fit(X, Y, xrlinearclassifier__relevance=RELEVANCE)
    assert_weighted(pipeline[-1])


def test_relevance_is_split_with_the_rows():
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier())
    search = GridSearchCV(
        pipeline, {}, scoring=recall_at_k_scorer(3), cv=FOLDS, error_score="raise"
    ).fit(X, Y, xrlinearclassifier__relevance=RELEVANCE)
    assert_weighted(search.best_estimator_[-1])
    for fold, (train, test) in enumerate(FOLDS.split(X)):
        fitted = clone(pipeline).fit(
            X[train], Y[train], xrlinearclassifier__relevance=RELEVANCE[train]
        )
        found = search.cv_results_[f"split{fold}_test_score"][0]
        assert found == recall_at_k_scorer(3)(fitted, X[test], Y[test])


def test_relevance_of_classes_is_split_with_the_rows():
    relevance = np.linspace(0.1, 5, N_SAMPLES)
    pipeline = make_pipeline(MaxAbsScaler(), make_classifier())
    search = GridSearchCV(
        pipeline, {}, scoring=recall_at_k_scorer(3), cv=FOLDS, error_score="raise"
    ).fit(X, CLASSES, xrlinearclassifier__relevance=relevance)
    assert_weighted(search.best_estimator_[-1], relevance, CLASSES)


def test_relevance_and_names_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = make_classifier().set_fit_request(relevance=True, label_names=True)
        pipeline = make_pipeline(MaxAbsScaler(), classifier)
        pipeline.fit(X, Y, relevance=RELEVANCE, label_names=WORDS.tolist())
        assert_weighted(pipeline[-1])
        search = GridSearchCV(
            pipeline, {}, scoring=recall_at_k_scorer(3), cv=FOLDS, error_score="raise"
        ).fit(X, Y, relevance=RELEVANCE, label_names=WORDS.tolist())
        assert_weighted(search.best_estimator_[-1])
        expected = GridSearchCV(
            pipeline, {}, scoring=recall_at_k_scorer(3), cv=FOLDS
        ).fit(X, Y)
        assert search.best_score_ != expected.best_score_


def test_relevance_that_nobody_asked_for_is_not_lost_silently():
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(MaxAbsScaler(), make_classifier())
        with pytest.raises(ValueError, match=r"\[relevance\] are passed but are not"):
            pipeline.fit(X, Y, relevance=RELEVANCE)
        pipeline[-1].set_fit_request(relevance=False)
        with pytest.raises(
            TypeError, match="'relevance'}, which are not routed to any"
        ):
            pipeline.fit(X, Y, relevance=RELEVANCE)
