"""Custom matchers and rankers, compared with the estimators that they wrap."""

import pickle

import joblib
import numpy as np
import pytest
from custom_indexers import TwoLevels
from custom_stages import LoggedLogistic, NearestRow, Told
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.tree import DecisionTreeClassifier
from toy_data import make_multilabel

from skxmr import KMeansTree, LabelTree, TextRetriever, XRLinearClassifier
from skxmr.interop import save_pecos
from skxmr.metrics import recall_at_k_scorer

N_LABELS = 12
X, DENSE_Y = make_multilabel(90, N_LABELS)
Y = sparse.csr_array(DENSE_Y)
DENSE_X = X.toarray()


class ThreeLevels(TwoLevels):
    """Groups of two in groups of four."""

    def fit(self, Z, y=None, *, label_names=None):
        self.tree_ = LabelTree(
            [[0, 3], [0, 2, 4, 6], range(0, N_LABELS + 1, 2)], np.arange(N_LABELS)
        )
        return self


def make_classifier(**parameters):
    defaults = {"indexer": TwoLevels(3), "random_state": 0, "max_iter": 500}
    return XRLinearClassifier(**defaults | parameters)


def groups(size):
    return np.add.reduceat(DENSE_Y, np.arange(0, N_LABELS, size), axis=1) > 0


def scores_of(classifier, rows):
    return classifier.predict_proba(rows).toarray()


# What comes out is the product of what the stages say


def by_hand(matched, ranked, group_size, beam_width):
    """Products of the scores of groups and labels, in the best groups only."""
    scores = np.zeros(ranked.shape)
    for row in range(len(ranked)):
        for group in np.argsort(-matched[row], kind="stable")[:beam_width]:
            labels = slice(group * group_size, (group + 1) * group_size)
            scores[row, labels] = matched[row, group] * ranked[row, labels]
    return scores


def hinge(margins):
    return np.exp(-(np.maximum(0, 1 - margins) ** 4))


MATCHERS = {
    "probabilities": (
        OneVsRestClassifier(LogisticRegression()),
        lambda fitted, rows: fitted.predict_proba(rows),
    ),
    "decision values": (
        RidgeClassifier(),
        lambda fitted, rows: hinge(fitted.decision_function(rows)),
    ),
    "dense targets only": (
        DecisionTreeClassifier(max_depth=2, random_state=0),
        lambda fitted, rows: np.column_stack(
            [one[:, 1] for one in fitted.predict_proba(rows)]
        ),
    ),
    "sparse targets misread": (
        KNeighborsClassifier(),
        lambda fitted, rows: np.column_stack(
            [one[:, 1] for one in fitted.predict_proba(rows)]
        ),
    ),
    "sparse scores": (
        NearestRow(),
        lambda fitted, rows: fitted.predict_proba(rows).toarray(),
    ),
}


def rank_by_hand(ranker, score, group_size=3):
    """Scores of all labels by a classifier for each, on the rows of its group."""
    ranked = np.zeros(DENSE_Y.shape)
    of_groups = groups(group_size)
    for label in range(N_LABELS):
        rows = np.flatnonzero(of_groups[:, label // group_size])
        fitted = clone(ranker).fit(X[rows], DENSE_Y[rows, label])
        ranked[:, label] = score(fitted, X)
    return ranked


@pytest.mark.parametrize("kind", MATCHERS)
def test_a_matcher_in_the_place_of_the_upper_tree(kind):
    matcher, score = MATCHERS[kind]
    matched = score(clone(matcher).fit(X, groups(3).astype(np.int8)), X)
    linear = make_classifier().fit(X, Y)
    # What the linear ranker says alone: where the matcher is always sure.
    sure = make_classifier(matcher=Told(np.ones((90, 4))), beam_width=None).fit(X, Y)
    ranked = scores_of(sure, X)
    found = make_classifier(matcher=matcher, beam_width=2).fit(X, Y)
    expected = by_hand(matched, ranked, 3, 2)
    np.testing.assert_allclose(scores_of(found, X), expected, rtol=1e-5, atol=1e-7)
    assert 0 < found.n_weights_ < linear.n_weights_


RANKERS = {
    "probabilities": (
        LogisticRegression(),
        lambda fitted, rows: fitted.predict_proba(rows)[:, 1],
    ),
    "decision values": (
        RidgeClassifier(),
        lambda fitted, rows: hinge(fitted.decision_function(rows)),
    ),
    "not linear": (
        DecisionTreeClassifier(max_depth=2, random_state=0),
        lambda fitted, rows: fitted.predict_proba(rows)[:, 1],
    ),
}


@pytest.mark.parametrize("kind", RANKERS)
def test_a_ranker_in_the_leaves(kind):
    ranker, score = RANKERS[kind]
    ranked = rank_by_hand(ranker, score)
    matched = np.tile([0.9, 0.5, 0.3, 0.7], (90, 1))
    found = make_classifier(matcher=Told(matched), ranker=ranker, beam_width=2)
    found = scores_of(found.fit(X, Y), X)
    np.testing.assert_allclose(found, by_hand(matched, ranked, 3, 2), atol=1e-5)
    # And below linear models, all of which are followed:
    upper = make_classifier(ranker=ranker, beam_width=None).fit(X, Y)
    above = make_classifier(ranker=Told(np.array([[0, 1.0]] * 90)), beam_width=None)
    above = scores_of(above.fit(X, Y), X)[:, ::3]
    expected = by_hand(above, ranked, 3, 4)
    np.testing.assert_allclose(scores_of(upper, X), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("beam_width", [1, 2, None])
def test_linear_levels_between(beam_width):
    tree = ThreeLevels()
    matched = np.tile([0.9, 0.5, 0.3], (90, 1))
    found = make_classifier(
        indexer=tree, matcher=Told(matched), matcher_level=1, beam_width=beam_width
    ).fit(X, Y)
    exact = make_classifier(
        indexer=tree, matcher=Told(np.ones((90, 3))), matcher_level=1, beam_width=None
    ).fit(X, Y)
    below = scores_of(exact, X)
    if beam_width is None:
        expected = below * np.repeat([0.9, 0.5, 0.3], 4)
        np.testing.assert_allclose(scores_of(found, X), expected, rtol=1e-5)
        return
    best = scores_of(found, X) > 0
    assert best.sum(axis=1).max() <= 2 * beam_width
    # A beam of one follows the matcher's best node only.
    assert beam_width > 1 or not best[:, 4:].any()


def test_an_own_indexer_matcher_and_ranker_on_class_labels():
    y = np.array([f"class {i:02d}" for i in DENSE_Y.argmax(axis=1)])
    model = make_classifier(
        matcher=RidgeClassifier(), ranker=DecisionTreeClassifier(random_state=0)
    ).fit(X, y)
    assert model.n_weights_ == 0
    assert (model.predict(X) == y).mean() > 0.5
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


# What stages are given


def test_what_a_matcher_is_given():
    tree = KMeansTree(2, 3, random_state=0)
    model = make_classifier(indexer=tree, matcher=Told()).fit(X, Y)
    level = model.trees_[0].depth - 1
    *_, M = list(model.trees_[0].roll_up(Y))[:level]
    told = model.stages_[0].matcher.estimator
    assert sparse.issparse(told.seen_y_)
    assert told.seen_y_.dtype == np.int8
    np.testing.assert_array_equal(told.seen_y_.toarray(), M.toarray() > 0)
    assert sparse.issparse(told.seen_X_)
    assert told.seen_X_.dtype == np.float32
    assert (told.seen_X_ != X).nnz == 0


def test_rows_come_as_they_were_given():
    # Few entries are not 0: ours would rather have them sparse.
    thin = DENSE_X * (DENSE_X > 0.4)
    model = make_classifier(matcher=Told(), ranker=GaussianNB()).fit(thin, DENSE_Y)
    seen = model.stages_[0].matcher.estimator.seen_X_
    assert isinstance(seen, np.ndarray)
    np.testing.assert_array_equal(seen, thin)
    model = make_classifier(ranker=GaussianNB()).fit(thin, DENSE_Y)
    dense, given_sparse = model.rank(thin, 3), model.rank(sparse.csr_array(thin), 3)
    np.testing.assert_array_equal(dense, given_sparse)


def test_a_ranker_gets_the_columns_that_its_rows_have():
    wide = sparse.hstack([X, sparse.csr_array((90, 5000))], format="csr")
    model = make_classifier(ranker=LogisticRegression()).fit(wide, Y)
    rankers = model.stages_[0].ranker
    assert {one.n_features_in_ for one in rankers.estimators} <= set(range(1, 21))
    narrow = make_classifier(ranker=LogisticRegression()).fit(X, Y)
    np.testing.assert_array_equal(model.rank(wide, 5), narrow.rank(X, 5))
    # A column that none of them had in training means nothing.
    strange = sparse.csr_array(([1000.0], ([0], [4999])), shape=(90, 5000))
    wide = sparse.hstack([X, strange], format="csr")
    np.testing.assert_array_equal(model.rank(wide, 5), narrow.rank(X, 5))


def test_nodes_and_labels_with_nothing_to_learn():
    always = DENSE_Y.copy()
    always[:, 0] = 1  # and its group
    always[:, 4] = always[:, 3:6].max(axis=1)  # whenever the group is there
    always[:, 6:9] = 0
    always[:, 7] = 0
    model = make_classifier(
        matcher=OneVsRestClassifier(LogisticRegression()),
        ranker=LogisticRegression(),
        beam_width=None,
    ).fit(X, sparse.csr_array(always))
    scores = scores_of(model, X)
    matcher = model.stages_[0].matcher
    assert matcher.always.tolist() == [0]
    assert matcher.learnt.tolist() == [1, 3]
    np.testing.assert_allclose(scores[:, 0], 1)
    of_group = matcher.estimator.predict_proba(X)[:, 0]
    np.testing.assert_allclose(scores[:, 4], of_group, rtol=1e-5)
    assert not scores[:, 6:9].any()


def test_a_single_node_to_learn_is_a_multilabel_target_still():
    always = np.ones((90, 6), dtype=int)
    always[:, 3:] = DENSE_Y[:, :3]
    model = make_classifier(matcher=OneVsRestClassifier(LogisticRegression()))
    model.fit(X, always)
    assert model.stages_[0].matcher.estimator.n_classes_ == 2
    assert model.rank(X, 6)[1].max() < 1.0


def test_relevance_becomes_sample_weights():
    relevance = Y.astype(float)
    relevance.data = np.linspace(0.1, 9, Y.nnz)
    model = make_classifier(ranker=LogisticRegression())
    plain, weighted = clone(model).fit(X, Y), clone(model)
    weighted.fit(X, Y, relevance=relevance)
    rows = np.flatnonzero(groups(3)[:, 0])
    weights = np.where(DENSE_Y[rows, 0], relevance.toarray()[rows, 0], 1.0)
    by_hand = LogisticRegression().fit(X[rows], DENSE_Y[rows, 0], weights)
    found = weighted.stages_[0].ranker.estimators[0]
    np.testing.assert_allclose(found.intercept_, by_hand.intercept_, rtol=1e-3)
    assert (
        abs(plain.stages_[0].ranker.estimators[0].intercept_ - found.intercept_) > 0.1
    )


def test_negatives_that_an_own_matcher_brings():
    # It brings every row to the second and third group, whatever its labels are.
    matcher = Told(np.tile([0.1, 0.9, 0.8, 0.2], (90, 1)))
    in_second = groups(3)[:, 1]
    for negative_sampling, expected in [
        ("parents", in_second.sum()),
        ("matcher", 90),
        ("both", 90),
    ]:
        model = make_classifier(
            matcher=matcher,
            ranker=Told(),
            negative_sampling=negative_sampling,
            negative_beam_width=2,
        ).fit(X, Y)
        seen = model.stages_[0].ranker.estimators[3].seen_y_
        assert len(seen) == expected
        assert seen.sum() == DENSE_Y[:, 3].sum()
    # Of the first group only those that have the label: others are left out.
    model.set_params(negative_sampling="matcher").fit(X, Y)
    assert model.stages_[0].ranker.estimators[0] is None


# How they behave among scikit-learn's tools

BOTH = {"matcher": OneVsRestClassifier(LogisticRegression()), "ranker": GaussianNB()}
OF_SPARSE = BOTH | {"ranker": DecisionTreeClassifier(max_depth=3)}


@pytest.mark.parametrize("data", [X, DENSE_X], ids=["sparse", "dense"])
def test_one_row_is_a_batch_of_one(data):
    model = make_classifier(**OF_SPARSE, n_trees=2).fit(data, Y)
    columns, scores = model.rank(data[:5], 4)
    for row in range(5):
        given = X[[row]].indices.astype(np.int32), X[[row]].data
        found = model.rank_one(*given, 4)
        np.testing.assert_array_equal(found[0], columns[row])
        np.testing.assert_allclose(found[1], scores[row], rtol=1e-5)
        found = model.rank_one(None, DENSE_X[row], 4)
        np.testing.assert_array_equal(found[0], columns[row])


@pytest.mark.parametrize("stages", [("matcher",), ("ranker",), ("matcher", "ranker")])
def test_searches_among_some_labels(stages):
    own = {name: OF_SPARSE[name] for name in stages}
    model = make_classifier(beam_width=None, **own).fit(X, Y)
    allowed = [1, 4, 5, 11]
    subset = model.subset(allowed, excluded=[5])
    columns, scores = model.rank(X, 4, allowed=subset)
    everything = scores_of(model, X)
    expected = everything[:, [1, 4, 11]]
    for row in range(90):
        found = columns[row] >= 0
        assert set(columns[row][found]) == {
            [1, 4, 11][i] for i in np.flatnonzero(expected[row])
        }
        np.testing.assert_allclose(
            scores[row][found],
            np.sort(expected[row][expected[row] > 0])[::-1],
            rtol=1e-5,
        )
    narrow = model.set_params(beam_width=1).rank(X, 4, allowed=model.subset([11]))
    # No position of the beam is lost; a ranker may return 0.
    np.testing.assert_array_equal(narrow[0][:, 0] == 11, everything[:, 11] > 0)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_number_of_workers_does_not_matter(backend):
    stages = {"matcher": BOTH["matcher"], "ranker": DecisionTreeClassifier()}
    one = make_classifier(**stages).fit(X, Y)
    with joblib.parallel_config(backend=backend):
        two = make_classifier(n_jobs=2, **stages).fit(X, Y)
        found = two.rank(X, 5)
    np.testing.assert_array_equal(found, one.rank(X, 5))


def test_seeds_come_from_the_classifier():
    def fit(seed):
        tree = DecisionTreeClassifier(max_features=1)
        return make_classifier(ranker=tree, random_state=seed).fit(X, Y)

    np.testing.assert_array_equal(fit(0).rank(X, 5), fit(0).rank(X, 5))
    assert (fit(0).rank(X, 5)[1] != fit(1).rank(X, 5)[1]).any()
    assert fit(0).ranker.random_state is None


def test_clones_pickles_and_parameters():
    model = make_classifier(**OF_SPARSE).fit(X, Y)
    assert {"matcher__estimator__C", "ranker__max_depth"} <= set(model.get_params())
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.rank(X, 5), model.rank(X, 5))
    copied = clone(model)
    assert not hasattr(copied, "stages_")
    np.testing.assert_array_equal(copied.fit(X, Y).rank(X, 5), model.rank(X, 5))
    assert not hasattr(model.matcher, "classes_")


def n_fits(log):
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def test_stages_tune_and_a_search_trains_them_once(tmp_path):
    log = tmp_path / "fits"
    memory = tmp_path / "cache"
    pipeline = make_pipeline(
        MaxAbsScaler(),
        make_classifier(
            matcher=OneVsRestClassifier(LoggedLogistic(log=str(log))), memory=memory
        ),
    )
    search = GridSearchCV(
        pipeline,
        {
            "xrlinearclassifier__beam_width": [1, 3],
            "xrlinearclassifier__score_transform": ["l2-hinge", "l3-hinge"],
        },
        scoring=recall_at_k_scorer(3),
        cv=KFold(3),
        error_score="raise",
    ).fit(X, Y)
    once = 4 * (3 + 1)  # four nodes; the folds, and the refit
    assert n_fits(log) == once
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    search.set_params(
        param_grid={"xrlinearclassifier__matcher__estimator__C": [1.0, 0.01]}
    ).fit(X, Y)
    assert n_fits(log) in (once + 12, once + 12 + 4)  # one C is known already


def test_pruning_leaves_the_stages():
    model = make_classifier(matcher=BOTH["matcher"]).fit(X, Y)
    pruned = model.prune(0.5)
    assert pruned.n_weights_ < model.n_weights_
    assert pruned.stages_ is model.stages_
    pruned.rank(X, 3)
    whole = make_classifier(**OF_SPARSE).fit(X, Y).prune(1.0)
    assert whole.rank(X, 3)[0].shape == (90, 3)


def test_few_labels_need_no_matcher():
    model = XRLinearClassifier(matcher=Told(), random_state=0, max_iter=500).fit(X, Y)
    linear = XRLinearClassifier(random_state=0, max_iter=500).fit(X, Y)
    np.testing.assert_array_equal(model.rank(X, 3), linear.rank(X, 3))


@pytest.mark.parametrize("level", [1, 2, 5])
def test_a_level_below_the_lowest_is_the_lowest(level):
    told = Told(np.tile([0.9, 0.5, 0.3, 0.7], (90, 1)))
    found = make_classifier(matcher=told, matcher_level=level).fit(X, Y)
    assert found.stages_[0].matcher.level == 1
    expected = make_classifier(matcher=told).fit(X, Y)
    np.testing.assert_array_equal(found.rank(X, 5), expected.rank(X, 5))


def test_texts():
    texts = [f"word{i % 12} and word{i % 7}" for i in range(60)]
    labels = [i % 12 for i in range(60)]
    retriever = TextRetriever(classifier=make_classifier(**OF_SPARSE))
    retriever.fit(texts, labels)
    columns, _ = retriever.search_batch(texts[:3], 3)
    for row in range(3):
        found = retriever.search(texts[row], 3)
        assert [label for label, _, _ in found] == columns[row][: len(found)].tolist()
    with pytest.raises(ValueError, match="explain wants linear models on all levels"):
        retriever.explain(texts[0], 0)


# What is refused


class NoScores(Told):
    method = None


BAD_MATCHERS = {
    "shape": (Told(np.ones((90, 3))), r"matcher.predict_proba must .* \(90, 4\); Told"),
    "NaN": (Told(np.full((90, 4), np.nan)), "predict_proba contains NaN"),
    "too large": (Told(np.full((90, 4), 2.0)), "from 0 to 1; got values from 0 to 2"),
    "negative": (Told(np.full((90, 4), -0.5)), "from 0 to 1; got values from -0.5 to"),
    "one number a row": (
        Told(np.ones(90), "decision_function"),
        r"matcher.decision_function must give an array of shape \(90, 4\)",
    ),
}


@pytest.mark.parametrize("kind", BAD_MATCHERS)
def test_scores_of_matchers_that_are_none(kind):
    matcher, message = BAD_MATCHERS[kind]
    model = make_classifier(matcher=matcher).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.predict(X)


BAD_RANKERS = {
    "shape": (Told(np.ones(7)), r"ranker.predict_proba must .* Told gave one of"),
    "NaN": (Told(np.full((90, 2), np.nan)), "predict_proba contains NaN"),
    "three classes": (Told(np.ones((90, 3))), "ranker.predict_proba must"),
}


@pytest.mark.parametrize("kind", BAD_RANKERS)
def test_scores_of_rankers_that_are_none(kind):
    ranker, message = BAD_RANKERS[kind]
    model = make_classifier(ranker=ranker, beam_width=None).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.predict(X)


@pytest.mark.parametrize("stage", ["matcher", "ranker"])
def test_stages_without_scores(stage):
    with pytest.raises(
        TypeError, match=f"{stage} must have predict_proba or decision_f"
    ):
        make_classifier(**{stage: Told(method="predict")}).fit(X, Y)
    with pytest.raises(ValueError, match=f"'{stage}' parameter"):
        make_classifier(**{stage: "svm"}).fit(X, Y)


def test_a_stage_whose_fit_fails_is_named():
    with pytest.raises(TypeError, match="dense data is required") as caught:
        make_classifier(matcher=OneVsRestClassifier(GaussianNB())).fit(X, Y)
    assert "matcher=OneVsRestClassifier" in caught.value.__notes__[0]
    with pytest.raises(TypeError, match="dense data is required") as caught:
        make_classifier(ranker=GaussianNB()).fit(X, Y)
    assert "ranker=GaussianNB()" in caught.value.__notes__[0]


def test_relevance_that_a_stage_cannot_take():
    relevance = Y * 2.0
    with pytest.raises(ValueError, match=r"relevance weighs .* leave relevance out"):
        make_classifier(matcher=RidgeClassifier()).fit(X, Y, relevance=relevance)
    with pytest.raises(ValueError, match=r"ranker=KNei.* takes no sample_weight"):
        make_classifier(ranker=KNeighborsClassifier()).fit(X, Y, relevance=relevance)


def test_what_wants_linear_models(tmp_path):
    model = make_classifier(ranker=LogisticRegression()).fit(X, Y)
    with pytest.raises(
        ValueError, match="save_pecos wants linear models on all levels"
    ):
        save_pecos(model, tmp_path / "model")
