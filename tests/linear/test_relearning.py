"""Fits with a warm start: every node is as optimal as after a fit from nothing."""

import pickle
import tracemalloc
from functools import partial

import joblib
import numpy as np
import pytest
from fitted_classifiers import SMALL_TREE, make_data
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression

from skxmr import KMeansTree, XRLinearClassifier


class GivenTree(BaseEstimator):
    """An indexer that returns a tree."""

    needs_label_vectors = False

    def __init__(self, tree=None):
        self.tree = tree

    def fit(self, Z=None, y=None, *, label_names=None):
        self.tree_ = self.tree
        return self


class Node:
    """The dual problem of one node, in double precision."""

    def __init__(self, X, signs, costs, mean, duals, bias):
        self.X, self.signs, self.bias = X, signs, bias
        self.diagonal = 1 / (2 * costs)
        self.duals = np.abs(duals)
        step = signs * self.duals
        self.w, self.b = mean + step @ X, bias**2 * step.sum()
        v, b = step @ X, step.sum() * bias
        self.decrease = 2 * self.duals.sum() - 2 * mean @ v - v @ v - b * b
        self.decrease -= self.diagonal @ self.duals**2

    def gradients(self):
        margins = self.signs * (self.X @ self.w + self.b)
        return margins - 1 + self.diagonal * self.duals

    def violation_range(self):
        gradients = self.gradients()
        violations = np.where(self.duals > 0, gradients, np.minimum(gradients, 0))
        return max(0, violations.max()) - min(0, violations.min())

    def gain_of_sweep(self):
        """What one sweep of coordinate descent would gain, at most."""
        gain, w, b = 0.0, self.w.copy(), self.b
        for i, x in enumerate(self.X):
            sign, dual = self.signs[i], self.duals[i]
            curvature = x @ x + self.bias**2 + self.diagonal[i]
            gradient = sign * (x @ w + b) - 1 + self.diagonal[i] * dual
            step = max(0, dual - gradient / curvature) - dual
            w, b = w + sign * step * x, b + sign * step * self.bias**2
            gain += curvature * step * step
        return gain

    def is_optimal(self, tol):
        return (
            self.violation_range() <= tol
            or self.gain_of_sweep() <= (tol / 2) ** 2 * self.decrease
        )


def nodes_of(classifier, X, Y):
    """Yield the nodes with something to learn, and their weights."""
    record = classifier.training_state_.records[0]
    tree, solver = record.tree, record.solver
    X = X.toarray().astype(float) if sparse.issparse(X) else X.astype(float)
    parents = np.ones((X.shape[0], 1))
    for level, rolled in enumerate(tree.roll_up(Y), start=1):
        children = rolled.toarray().astype(float)
        duals = record.duals[level - 1].to_csr().toarray()
        for node, parent in enumerate(tree.parents(level)):
            rows = np.flatnonzero(parents[:, parent])
            relevance = children[rows, node]
            if not relevance.any() or relevance.all():
                continue
            mean = np.zeros(X.shape[1])
            if level == tree.depth and solver.prior_length:
                mean = relevance @ X[rows]
                mean *= solver.prior_length / np.linalg.norm(mean)
            signs = np.where(relevance > 0, 1.0, -1.0)
            costs = np.where(
                relevance > 0, solver.positive_cost * relevance, solver.negative_cost
            )
            yield Node(X[rows], signs, costs, mean, duals[node, rows], solver.bias)
        parents = children


def assert_certified(classifier, X, Y):
    nodes = list(nodes_of(classifier, X, Y))
    assert len(nodes) > 20
    tol = classifier.tol
    missed = [node for node in nodes if not node.is_optimal(1.5 * tol)]
    assert not missed, [
        (n.violation_range(), n.gain_of_sweep() / n.decrease) for n in missed
    ]


def fit(X, Y, **parameters):
    settings = {"indexer": SMALL_TREE, "random_state": 0, "warm_start": True}
    return XRLinearClassifier(**settings | parameters).fit(X, Y)


def fresh_fit(classifier, X, Y, **parameters):
    """Fit from nothing with the same tree."""
    given = clone(classifier).set_params(
        indexer=GivenTree(classifier.trees_[0]), C=classifier.C_, **parameters
    )
    return given.fit(X, Y)


def changes(X, Y):
    """Ways in which rows and labels change: (before, after) of X and Y."""
    X, Y = X.tocsr(), Y.tocsr()
    n_rows, n_labels = Y.shape
    random = np.random.default_rng(0)
    order = random.permutation(n_rows)
    some = np.sort(random.permutation(n_rows)[: n_rows * 9 // 10])
    before = np.flatnonzero(Y[:, -2:].sum(axis=1) == 0)
    moved = Y[random.permutation(n_rows)]
    changed = sparse.vstack([moved[:10], Y[10:]], format="csr")
    # Rows of the same length, ten of which are there twice.
    other = sparse.vstack([X[10:20], X[10:]], format="csr")
    return {
        "no change": ((X, Y), (X, Y)),
        "another order": ((X, Y), (X[order], Y[order])),
        "rows added": ((X[some], Y[some]), (X, Y)),
        "rows removed": ((X, Y), (X[some], Y[some])),
        "labels added": ((X[before], Y[before][:, : n_labels - 2]), (X, Y)),
        "labels emptied": ((X, Y), (X[before], Y[before])),
        "other labels": ((X, Y), (X, changed)),
        "other features": ((X, Y), (other, Y)),
        "all of it": ((X[before], Y[before][:, : n_labels - 2]), (other, changed)),
        "nothing in common": ((X[:150], Y[:150]), (X[150:], Y[150:])),
    }


CHANGES = list(changes(*make_data()))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("prior_weight", [1.0, 0.0])
def test_every_node_is_optimal(change, prior_weight):
    (X, Y), (now_X, now_Y) = changes(*make_data())[change]
    classifier = fit(X, Y, prior_weight=prior_weight)
    assert_certified(classifier, X, Y)
    classifier.fit(now_X, now_Y)
    assert_certified(classifier, now_X, now_Y)
    counts = classifier.relearning_
    sizes = classifier.trees_[0].level_sizes[1:]
    totals = counts["n_kept"] + counts["n_solved"] + counts["n_new"]
    assert totals.tolist() == list(sizes)


@pytest.mark.parametrize("change", CHANGES)
def test_weights_are_those_of_a_fresh_fit(change):
    (X, Y), (now_X, now_Y) = changes(*make_data())[change]
    exact = {"tol": 1e-5, "max_iter": 20_000, "threshold": 0}
    classifier = fit(X, Y, **exact).fit(now_X, now_Y)
    expected = fresh_fit(classifier, now_X, now_Y)
    for one, other in zip(
        classifier.layouts_[0].to_levels(),
        expected.layouts_[0].to_levels(),
        strict=True,
    ):
        np.testing.assert_allclose(one.intercepts, other.intercepts, atol=2e-3)
        np.testing.assert_array_equal(one.features, other.features)
        np.testing.assert_allclose(one.weights, other.weights, atol=2e-3)


@pytest.mark.parametrize("change", ["no change", "another order"])
def test_unchanged_problems_keep_their_weights_to_the_bit(change):
    (X, Y), (now_X, now_Y) = changes(*make_data())[change]
    classifier = fit(X, Y)
    before = classifier.layouts_[0].to_levels()
    classifier.fit(now_X, now_Y)
    for one, other in zip(before, classifier.layouts_[0].to_levels(), strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)
        np.testing.assert_array_equal(one.intercepts, other.intercepts)
    assert not classifier.relearning_["n_solved"].any()
    assert not classifier.relearning_["n_new"].any()


def test_without_warm_start_nothing_is_kept():
    X, Y = make_data()
    classifier = fit(X, Y, warm_start=False)
    assert not hasattr(classifier, "training_state_")
    assert not hasattr(classifier, "relearning_")


def test_warm_start_does_not_change_the_first_fit():
    X, Y = make_data()
    one, other = fit(X, Y), fit(X, Y, warm_start=False)
    for first, second in zip(
        one.layouts_[0].to_levels(), other.layouts_[0].to_levels(), strict=True
    ):
        np.testing.assert_array_equal(first.weights, second.weights)
        np.testing.assert_array_equal(first.intercepts, second.intercepts)


@pytest.mark.parametrize("n_jobs", [2])
def test_result_does_not_depend_on_jobs_or_backend(n_jobs):
    (X, Y), (now_X, now_Y) = changes(*make_data())["all of it"]
    one = fit(X, Y).fit(now_X, now_Y)
    threads = fit(X, Y, n_jobs=n_jobs).fit(now_X, now_Y)
    with joblib.parallel_config(backend="loky", n_jobs=n_jobs):
        processes = fit(X, Y).fit(now_X, now_Y)
    for other in (threads, processes):
        for first, second in zip(
            one.layouts_[0].to_levels(), other.layouts_[0].to_levels(), strict=True
        ):
            np.testing.assert_array_equal(first.weights, second.weights)
        for first, second in zip(
            one.training_state_.records[0].duals,
            other.training_state_.records[0].duals,
            strict=True,
        ):
            np.testing.assert_array_equal(first.indices, second.indices)
            np.testing.assert_array_equal(first.values, second.values)


def test_model_is_saved_without_its_training_state():
    X, Y = make_data()
    classifier = fit(X, Y)
    loaded = pickle.loads(pickle.dumps(classifier))
    assert not hasattr(loaded, "training_state_")
    tree = loaded.trees_[0]
    loaded.fit(X[20:], Y[20:])
    assert loaded.trees_[0].labels.tolist() == tree.labels.tolist()
    assert not loaded.relearning_["n_new"].any()
    assert loaded.relearning_["n_solved"].sum() > 20
    assert_certified(loaded, X[20:], Y[20:])


def test_training_state_is_given_back():
    X, Y = make_data()
    classifier = fit(X, Y)
    loaded = pickle.loads(pickle.dumps(classifier))
    state = pickle.loads(pickle.dumps(classifier.training_state_))
    assert loaded.set_training_state(state) is loaded
    classifier.fit(X[5:], Y[5:])
    loaded.fit(X[5:], Y[5:])
    assert loaded.relearning_["n_kept"].sum() > 0
    for name, counts in classifier.relearning_.items():
        np.testing.assert_array_equal(counts, loaded.relearning_[name])


def test_training_state_of_another_model_is_refused():
    X, Y = make_data()
    classifier = fit(X, Y)
    with pytest.raises(TypeError, match="must be a TrainingState; got a dict"):
        classifier.set_training_state({})
    other = fit(X, Y, indexer=KMeansTree(4, 3))
    with pytest.raises(ValueError, match="nodes above the leaves"):
        classifier.set_training_state(other.training_state_)


def test_new_classes_follow():
    X, _ = make_data()
    y = np.array(list("bcdefgbcdefg"))[np.arange(300) % 12]
    classifier = fit(X, y)
    now = y.copy()
    now[::10] = "a"
    now[y == "c"] = "d"
    classifier.fit(X, now)
    assert classifier.classes_.tolist() == list("bcdefga")
    assert set(classifier.predict(X)) <= set("bdefga")
    fresh = fit(X, now)
    hits, fresh_hits = ((one.predict(X) == now).mean() for one in (classifier, fresh))
    assert hits > fresh_hits - 0.05


def test_full_leaf_is_split():
    X, Y = make_data(n_classes=60)
    rare = np.arange(60) >= 20
    before = np.asarray(Y[:, 20:].sum(axis=1) == 0).ravel()
    assert before.sum() > 20
    indexer = KMeansTree(branching_factor=4, max_leaf_size=5, random_state=0)
    classifier = fit(X[before], Y[before][:, ~rare], indexer=indexer)
    n_leaves = classifier.trees_[0].level_sizes[-2]
    classifier.fit(X, Y)
    tree = classifier.trees_[0]
    assert tree.level_sizes[-2] > n_leaves
    assert tree.n_children(tree.depth - 1).max() <= 2 * 5
    assert classifier.relearning_["n_new"][-1] == 40
    assert_certified(classifier, X, Y)


def test_label_without_rows_goes_where_its_vector_leads():
    X, Y = make_data()
    vectors = sparse.csr_array(Y.T @ X)
    classifier = fit(X, Y[:, :18], label_vectors=vectors[:18], prior_weight=2.0)
    wider = sparse.csr_array(
        (Y[:, :18].data, Y[:, :18].indices, Y[:, :18].indptr), (300, 19)
    )
    classifier.set_params(label_vectors=sparse.vstack([vectors[:18], vectors[:1]]))
    classifier.fit(X, wider)
    columns, _ = classifier.rank(vectors[:1], 19)
    assert 18 in columns[0, :5]


def test_unsupported_parameters_are_refused():
    X, Y = make_data()
    with pytest.raises(ValueError, match="supports no custom stages"):
        fit(X, Y, ranker=LogisticRegression())
    with pytest.raises(ValueError, match="negative_sampling='parents' only"):
        fit(X, Y, negative_sampling="both")


def test_inputs_that_do_not_follow_the_earlier_ones_are_refused():
    X, Y = make_data()
    classifier = fit(X, Y)
    state = classifier._state
    refused = partial(pytest.raises, ValueError)
    with refused(match="y has 19 columns; expected 20 or more"):
        classifier.fit(X, Y[:, :19])
    with refused(match="X has 29 features; warm_start=True expects the 30"):
        classifier.fit(X[:, :29], Y)
    with refused(match="X is dense; warm_start=True expects it to be sparse"):
        classifier.fit(np.abs(X.toarray()) + 1, Y)
    with refused(match="y has class labels; expected an indicator, as before"):
        classifier.fit(X, np.arange(300) % 7)
    with refused(match="n_trees=2, but warm_start=True keeps the 1 trees"):
        clone(classifier).set_params(n_trees=1).fit(X, Y).set_params(n_trees=2).fit(
            X, Y
        )
    assert classifier._state is state


def test_more_features_may_follow():
    X, Y = make_data()
    classifier = fit(X, Y)
    wider = sparse.csr_array(sparse.hstack([X, X[:, :3]]))
    classifier.fit(wider, Y)
    assert classifier.n_features_in_ == 33
    assert_certified(classifier, wider, Y)


# Other parameters
# ----------------

EXACT = {"tol": 1e-5, "max_iter": 20_000, "threshold": 0}


def assert_same_weights(one, other, atol=3e-3):
    for first, second in zip(
        one.layouts_[0].to_levels(), other.layouts_[0].to_levels(), strict=True
    ):
        np.testing.assert_array_equal(first.features, second.features)
        np.testing.assert_allclose(first.intercepts, second.intercepts, atol=atol)
        np.testing.assert_allclose(first.weights, second.weights, atol=atol)


@pytest.mark.parametrize("loss", ["hinge", "log_loss"])
@pytest.mark.parametrize("change", ["rows added", "rows removed", "all of it"])
def test_other_losses_end_at_the_weights_of_a_fresh_fit(loss, change):
    (X, Y), (now_X, now_Y) = changes(*make_data())[change]
    classifier = fit(X, Y, loss=loss, **EXACT | {"tol": 1e-4}).fit(now_X, now_Y)
    assert_same_weights(classifier, fresh_fit(classifier, now_X, now_Y), atol=1e-2)


@pytest.mark.parametrize("C", [0.5, "scale"])
def test_dense_rows(C):
    X, Y = make_data()
    X = X.toarray() + 0.3
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    classifier = fit(X[20:], Y[20:], C=C, **EXACT)
    classifier.fit(X, Y)
    counts = classifier.relearning_
    assert counts["n_new"].sum() == 0
    fresh = clone(classifier).set_params(indexer=GivenTree(classifier.trees_[0]))
    scores = classifier.predict_proba(X).toarray()
    expected = fresh.fit(X, Y).predict_proba(X).toarray()
    # The means and the scale are those of the earlier fit.
    np.testing.assert_allclose(scores, expected, atol=0.03 if C == "scale" else 2e-3)


def test_given_vectors_are_prior_means():
    X, Y = make_data()
    vectors = sparse.csr_array(Y.T @ X)
    given = {"label_vectors": vectors, "prior_weight": 2.0, "C": 1.0}
    classifier = fit(X[20:], Y[20:], **given, **EXACT).fit(X, Y)
    assert_same_weights(classifier, fresh_fit(classifier, X, Y))
    changed = sparse.csr_array(vectors[np.arange(20)[::-1]])
    classifier.set_params(label_vectors=changed).fit(X, Y)
    assert_same_weights(classifier, fresh_fit(classifier, X, Y))


def test_relevance_may_change():
    X, Y = make_data()
    random = np.random.default_rng(0)
    first, second = (
        Y.multiply(random.choice([1, 8], 300)[:, np.newaxis]).tocsr() for _ in range(2)
    )
    classifier = XRLinearClassifier(
        SMALL_TREE, warm_start=True, C=1.0, random_state=0, **EXACT
    )
    classifier.fit(X, Y, relevance=first).fit(X, Y, relevance=second)
    assert classifier.relearning_["n_solved"].sum() > 20
    fresh = clone(classifier).set_params(indexer=GivenTree(classifier.trees_[0]))
    assert_same_weights(classifier, fresh.fit(X, Y, relevance=second))


@pytest.mark.parametrize("changed", [{"C": 3.0}, {"threshold": 0.0}, {"tol": 1e-5}])
def test_parameters_may_change(changed):
    X, Y = make_data()
    classifier = fit(X, Y, **EXACT | {"C": 1.0, "threshold": 0.01, "tol": 1e-4})
    classifier.set_params(**changed).fit(X, Y)
    expected = clone(classifier).set_params(indexer=GivenTree(classifier.trees_[0]))
    assert_same_weights(classifier, expected.fit(X, Y))


def test_several_trees():
    X, Y = make_data()
    indexer = KMeansTree(branching_factor=2, max_leaf_size=3)
    classifier = fit(X[20:], Y[20:, :18], n_trees=2, indexer=indexer)
    before = classifier.trees_
    classifier.fit(X, Y)
    assert len(classifier.training_state_.records) == 2
    assert set(classifier.relearning_["tree"]) == {0, 1}
    assert [tree.n_labels for tree in classifier.trees_] == [20, 20]
    for tree, earlier in zip(classifier.trees_, before, strict=True):
        assert tree.level_sizes[:-2] == earlier.level_sizes[:-2]
    assert_certified(classifier, X, Y)


def test_memory_caches_the_first_fit_only(tmp_path):
    X, Y = make_data()
    classifier = fit(X[20:], Y[20:], memory=str(tmp_path))
    again = fit(X[20:], Y[20:], memory=str(tmp_path))
    for one in (classifier, again):
        one.fit(X, Y)
        assert_certified(one, X, Y)
    for name, counts in classifier.relearning_.items():
        np.testing.assert_array_equal(counts, again.relearning_[name])


def test_half_precision_is_not_rounded_twice():
    X, Y = make_data()
    classifier = fit(X, Y, weight_precision="float16")
    before = classifier.predict_proba(X)
    classifier.fit(X, Y)
    assert (classifier.predict_proba(X) != before).nnz == 0


@pytest.mark.parametrize("trains", [False, True])
def test_changes_between_fits_are_relearned(trains):
    X, Y = make_data()
    classifier = fit(X, Y[:, :18])
    classifier.add_labels((Y.T @ X)[18:])
    if trains:
        classifier.partial_fit(X[:20], Y[:20])
    leaves = _leaves_of(classifier.trees_[0])
    classifier.fit(X, Y)
    assert classifier.trees_[0].n_labels == 20
    np.testing.assert_array_equal(leaves, _leaves_of(classifier.trees_[0]))
    assert_certified(classifier, X, Y)


def _leaves_of(tree):
    """Return the leaf of each label."""
    return tree.parents(tree.depth)[np.argsort(tree.labels)]


def test_positives_on_a_removed_label_are_refused():
    X, Y = make_data()
    classifier = fit(X, Y)
    classifier.remove_labels([3])
    with pytest.raises(ValueError, match="y has the label 3, which was removed"):
        classifier.fit(X, Y)
    without = Y.tolil()
    without[:, 3] = 0
    classifier.fit(X, sparse.csr_array(without))
    assert 3 not in classifier.rank(X, 20)[0]
    assert_certified(classifier, X, sparse.csr_array(without))


def test_a_failed_fit_changes_nothing():
    X, Y = make_data()
    classifier = fit(X, Y)
    state = classifier._state
    with pytest.raises(ValueError, match="NaN"):
        classifier.fit(X * np.nan, Y)
    assert classifier._state is state


def test_new_labels_with_vectors_stay_sparse():
    X, Y = make_data()
    n_features = 500_000
    X = sparse.csr_array((X.data, X.indices, X.indptr), shape=(300, n_features))
    vectors = sparse.csr_array(Y.T @ X)
    classifier = fit(X, Y[:, :10], label_vectors=vectors[:10], prior_weight=2.0)
    classifier.set_params(label_vectors=vectors)
    tracemalloc.start()
    classifier.fit(X, Y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The ten vectors alone would take 20 MB or 40 MB in rows with all features.
    assert peak < 15e6


def test_few_nodes_are_solved_for_a_few_rows():
    X, Y = make_data()
    classifier = fit(X, Y, threshold=0)
    labels = np.flatnonzero(Y[[7]].toarray())
    before, tree = classifier.layouts_[0].to_levels()[-1], classifier.trees_[0]
    again = sparse.vstack([X, X[[7]]]).tocsr(), sparse.vstack([Y, Y[[7]]]).tocsr()
    classifier.fit(*again)
    assert_certified(classifier, *again)
    counts = classifier.relearning_
    assert counts["n_solved"].sum() < counts["n_kept"].sum()
    after = classifier.layouts_[0].to_levels()[-1]
    has_label = np.isin(tree.labels, labels)
    is_same = before.intercepts == after.intercepts
    assert not is_same[has_label].any()
    assert is_same[~has_label].sum() > 8


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
def test_small_changes_add_up(loss):
    X, Y = make_data()
    exact = {"tol": 1e-3, "max_iter": 5000, "threshold": 0}
    classifier = fit(X[:200], Y[:200], loss=loss, **exact)
    for stop in range(205, 301, 5):
        classifier.fit(X[stop - 200 : stop], Y[stop - 200 : stop])
        if loss == "squared_hinge":
            assert_certified(classifier, X[stop - 200 : stop], Y[stop - 200 : stop])
    fresh = fresh_fit(classifier, X[100:], Y[100:])
    scores, expected = (one.predict_proba(X[100:]) for one in (classifier, fresh))
    assert abs(scores - expected).max() < 0.02
