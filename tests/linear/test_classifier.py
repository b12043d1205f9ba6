import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import joblib
import numpy as np
import pytest
from fitted_classifiers import (
    SMALL_TREE,
    assert_same_model,
    brute_force_log_scores,
    fit,
    make_data,
)
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import HashingVectorizer
from twins import objective, weights_to_dense

from skxmr import KMeansTree, LabelTree, XRLinearClassifier


class OneLevel(BaseEstimator):
    """A custom indexer: all labels are children of the root."""

    def fit(self, Z, y=None, *, label_names=None):
        n_labels = Z.shape[0]
        self.tree_ = LabelTree([[0, n_labels]], np.arange(n_labels))
        return self


class Recorder(OneLevel):
    seen: list = []  # noqa: RUF012

    def fit(self, Z, y=None, *, label_names=None):
        self.seen.append((Z, label_names))
        return super().fit(Z)


@pytest.mark.parametrize("transform", ["sigmoid", "l1-hinge", "l3-hinge"])
def test_exhaustive_search_equals_brute_force(transform):
    X, Y = make_data()
    classifier = fit(
        X,
        Y,
        threshold=0,
        beam_width=None,
        max_candidates=None,
        score_transform=transform,
    )
    assert classifier.trees_[0].depth > 2
    expected = np.exp(brute_force_log_scores(classifier, X, transform))
    np.testing.assert_allclose(
        classifier.predict_proba(X).toarray(), expected, atol=1e-6
    )


def test_one_level_is_one_versus_rest():
    X, Y = make_data()
    plain = {"C": 1.0, "prior_weight": 0.0, "threshold": 0}
    classifier = fit(X, Y, indexer=OneLevel(), tol=1e-4, max_iter=5000, **plain)
    (weights,) = classifier.layouts_[0].to_levels()
    W = weights_to_dense(weights, np.array([0, Y.shape[1]]), X.shape[1])
    from sklearn.svm import LinearSVC

    for label in range(3):
        y = 2 * Y.toarray()[:, label] - 1
        model = LinearSVC(tol=1e-6, max_iter=100_000, random_state=0).fit(X, y)
        expected = objective(
            model.coef_[0], model.intercept_[0], X, y, np.ones(len(y)), "squared_hinge"
        )
        found = objective(
            W[:, label],
            weights.intercepts[label],
            X,
            y,
            np.ones(len(y)),
            "squared_hinge",
        )
        assert found == pytest.approx(expected, rel=1e-3)


def test_a_wider_beam_is_nearer_to_the_exact_ranking():
    X, Y = make_data(n_classes=60)
    exact, _ = fit(X, Y, beam_width=None).rank(X, 5)
    agreement = [
        (fit(X, Y, beam_width=width).rank(X, 5)[0] == exact).mean()
        for width in (1, 4, 16)
    ]
    assert agreement == sorted(agreement)
    assert agreement[0] < agreement[-1]


def test_learns():
    X, Y = make_data(n_samples=1000)
    columns, scores = fit(X[:800], Y[:800]).rank(X[800:], 1)
    truth = Y[800:].toarray()
    precision = truth[np.arange(len(truth)), columns[:, 0]].mean()
    assert precision > 1.4 * truth.mean(axis=0).max()
    assert ((scores > 0) & (scores < 1)).all()


# What comes out


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix])
def test_sparse_targets_give_sparse_results(container):
    X, Y = make_data()
    classifier = fit(X, container(Y), max_candidates=4)
    for result in (
        classifier.predict(X),
        classifier.predict_proba(X),
        classifier.decision_function(X),
    ):
        assert sparse.issparse(result)
        assert result.format == "csr"
        assert result.shape == Y.shape
        assert result.has_canonical_format
        assert np.diff(result.indptr).max() <= 4
        assert (result.data > 0).all()


def test_dense_targets_give_dense_results():
    X, Y = make_data()
    for dtype in (np.int64, np.uint8, bool, np.float64):
        classifier = fit(X, Y.toarray().astype(dtype))
        predicted = classifier.predict(X)
        assert isinstance(predicted, np.ndarray)
        assert predicted.dtype == dtype
        expected = fit(X, Y).predict_proba(X).toarray()
        np.testing.assert_array_equal(classifier.predict_proba(X), expected)


def test_decision_threshold_cuts_scores():
    X, Y = make_data()
    classifier = fit(X, Y, decision_threshold=0.3)
    scores = classifier.predict_proba(X).toarray()
    np.testing.assert_array_equal(classifier.predict(X).toarray(), scores > 0.3)


def test_rank_and_scores_agree():
    X, Y = make_data()
    classifier = fit(X, Y)
    columns, ranked = classifier.rank(X, 3)
    scores = classifier.predict_proba(X).toarray()
    for row, best, found in zip(scores, columns, ranked, strict=True):
        order = np.lexsort((np.arange(len(row)), -row))
        assert best.tolist() == order[:3].tolist()
        np.testing.assert_array_equal(found, row[best])


def test_rank_pads():
    X, Y = make_data()
    columns, scores = fit(X, Y, beam_width=1).rank(X, 50)
    assert columns.shape == scores.shape == (X.shape[0], 50)
    assert (columns[:, 20:] == -1).all()
    assert (scores[columns == -1] == 0).all()
    assert (scores[columns >= 0] > 0).all()


def test_rank_one_equals_rank():
    X, Y = make_data()
    classifier = fit(X, Y)
    columns, scores = classifier.rank(X, 7)
    for i in range(20):
        row = X[[i]]
        one = classifier.rank_one(row.indices, row.data, 7)
        np.testing.assert_array_equal(one[0], columns[i])
        np.testing.assert_array_equal(one[1], scores[i])


def test_rank_one_from_many_threads():
    X, Y = make_data()
    classifier = fit(X, Y)
    expected = classifier.rank(X, 7)

    def rank_rows(_):
        rows = [X[[i]] for i in range(X.shape[0])]
        return [classifier.rank_one(row.indices, row.data, 7) for row in rows]

    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(rank_rows, range(16)):
            np.testing.assert_array_equal([one[0] for one in found], expected[0])
            np.testing.assert_array_equal([one[1] for one in found], expected[1])


def test_half_precision():
    X, Y = make_data()
    whole, half = fit(X, Y), fit(X, Y, weight_precision="float16")
    assert half.layouts_[0].by_feature.weights.dtype == np.float16
    assert half.nbytes_ == whole.nbytes_ - 2 * whole.n_weights_
    expected, scores = whole.predict_proba(X), half.predict_proba(X)
    np.testing.assert_allclose(scores.toarray(), expected.toarray(), atol=0.01)
    pruned = half.prune(0.3)
    assert pruned.layouts_[0].by_feature.weights.dtype == np.float16
    assert pruned.n_weights_ < half.n_weights_


def test_half_precision_of_dense_features():
    X, Y = make_data()
    sparse_model = fit(X, Y, weight_precision="float16")
    dense_model = fit(X.toarray(), Y, weight_precision="float16")
    # As it is for whole precision: the same weights, kept twice.
    sparse_model._state = replace(sparse_model._state, layouts=dense_model.layouts_)
    expected, found = sparse_model.rank(X, 7), dense_model.rank(X.toarray(), 7)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


# Class labels


@pytest.mark.parametrize(
    "classes",
    [np.array(["b", "a", "ä", ""]), np.array([7, -2, 3, 10]), np.arange(4) / 2 * 2.0],
)
def test_class_labels(classes):
    X, Y = make_data()
    y = classes[Y[:, :4].toarray().argmax(axis=1)]
    classifier = fit(X, y)
    np.testing.assert_array_equal(classifier.classes_, np.unique(y))
    probabilities = classifier.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    best = classifier.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(classifier.predict(X), best)
    assert (best == y).mean() > 0.6


def test_two_classes_have_a_signed_decision_function():
    X, Y = make_data()
    y = np.where(Y[:, [0]].toarray().ravel() > 0, "yes", "no")
    classifier = fit(X, y)
    decision = classifier.decision_function(X)
    assert decision.shape == (X.shape[0],)
    np.testing.assert_array_equal(
        classifier.predict(X), np.where(decision > 0, "yes", "no")
    )


def test_predicting_many_classes_builds_no_dense_array():
    n_samples, n_classes = 20_000, 100_000
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 500, size=(n_classes, 3))
    offsets = np.arange(n_classes + 1) * 3
    values = np.ones(3 * n_classes, dtype=np.float32)
    X = sparse.csr_array((values, indices.ravel(), offsets), shape=(n_classes, 500))
    y = np.array([f"class {i}" for i in range(n_classes)])
    classifier = XRLinearClassifier(max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning):
        classifier.fit(X, y)
    tracemalloc.start()
    predicted = classifier.predict(X[:n_samples])
    columns, _ = classifier.rank(X[:n_samples], 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    np.testing.assert_array_equal(predicted, classifier.classes_[columns[:, 0]])


# Determinism


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_models_do_not_depend_on_parallelism(backend):
    X, Y = make_data(n_classes=100)
    expected = fit(X, Y, indexer=KMeansTree(4, 5), n_trees=2)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = fit(X, Y, indexer=KMeansTree(4, 5), n_trees=2)
        columns, scores = found.rank(X, 5)
    assert_same_model(found, expected)
    np.testing.assert_array_equal(columns, expected.rank(X, 5)[0])
    np.testing.assert_array_equal(scores, expected.rank(X, 5)[1])


def test_the_kind_of_input_does_not_matter():
    X, Y = make_data()
    expected = fit(X, Y)
    wide = sparse.csr_array(X)
    wide.indices = wide.indices.astype(np.int64)
    wide.indptr = wide.indptr.astype(np.int64)
    backwards = sparse.csr_array(
        (X.data[::-1], X.indices[::-1], X.nnz - X.indptr[::-1]), shape=X.shape
    )
    unsorted = backwards[::-1]
    assert not unsorted.has_sorted_indices
    halves = sparse.csr_array(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), X.indptr * 2), shape=X.shape
    )
    for other in (
        X.astype(np.float64),
        X.tocsc(),
        sparse.csr_matrix(X),
        wide,
        unsorted,
        halves,
    ):
        assert_same_model(fit(other, Y), expected)
        np.testing.assert_array_equal(expected.rank(other)[0], expected.rank(X)[0])
    dense = fit(X.toarray(), Y)
    assert_same_model(fit(np.asfortranarray(X.toarray()), Y), dense)
    # Dense and sparse rows are summed in different orders: equal but for rounding.
    for ours, theirs in zip(dense.rank(X), expected.rank(X), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    # The arrays of the user are unchanged.
    assert not unsorted.has_sorted_indices
    assert halves.nnz == 2 * X.nnz


def test_hashed_features_cost_no_more_than_those_that_are_used():
    texts = [f"word{i % 11} filler{i % 3}" for i in range(60)]
    y = np.arange(60) % 11
    many = HashingVectorizer(n_features=2**31 - 1, norm=None, alternate_sign=False)
    tracemalloc.start()
    classifier = fit(many.transform(texts), y)
    columns, _ = classifier.rank(many.transform(texts), 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert (columns[:, 0] == y).all()


# Training options


def test_relevance_changes_what_is_learned_and_ones_do_not():
    X, Y = make_data()
    expected = fit(X, Y)
    ones = Y.astype(np.float64)
    same = XRLinearClassifier(SMALL_TREE, random_state=0).fit(X, Y, relevance=ones)
    assert_same_model(same, expected)
    more = ones.copy()
    more.data[:] = 9
    # A prior mean of nine times the rows has the same direction, but for rounding.
    plain = {"C": 1.0, "prior_weight": 0.0}
    no_prior = XRLinearClassifier(SMALL_TREE, random_state=0, **plain)
    heavier = no_prior.fit(X, Y, relevance=more)
    weighted = fit(X, Y, positive_weight=9, **plain)
    assert_same_model(heavier, weighted)
    assert (heavier.predict_proba(X).sum()) > expected.predict_proba(X).sum()


def test_relevance_of_class_labels():
    X, Y = make_data()
    y = Y.toarray().argmax(axis=1)
    weights = np.full(len(y), 4.0)
    no_prior = XRLinearClassifier(SMALL_TREE, prior_weight=0, random_state=0)
    model = no_prior.fit(X, y, relevance=weights)
    assert_same_model(model, fit(X, y, positive_weight=4, prior_weight=0))


@pytest.mark.parametrize("negative_sampling", ["matcher", "both"])
def test_negatives_of_the_matcher(negative_sampling):
    X, Y = make_data(n_classes=40)
    plain = fit(X, Y)
    hard = fit(X, Y, negative_sampling=negative_sampling, negative_beam_width=3)
    root = slice(0, plain.trees_[0].level_sizes[1])
    for one, other in ((plain, hard), (hard, plain)):
        np.testing.assert_array_equal(
            one.layouts_[0].intercepts[root],
            other.layouts_[0].intercepts[root],
        )
    assert plain.n_weights_ != hard.n_weights_
    columns, _ = hard.rank(X, 1)
    assert Y.toarray()[np.arange(len(columns)), columns[:, 0]].mean() > 0.6


def test_negatives_of_an_exhaustive_matcher_are_all_rows():
    X, Y = make_data()
    hard = fit(
        X,
        Y,
        negative_sampling="both",
        negative_beam_width=1000,
        threshold=0,
        tol=1e-4,
        max_iter=5000,
    )
    # Then every label is trained on all rows, as without a tree.
    flat = fit(X, Y, indexer=OneLevel(), threshold=0, tol=1e-4, max_iter=5000)
    labels = hard.trees_[0].labels
    intercepts = hard.layouts_[0].intercepts[-len(labels) :]
    expected = flat.layouts_[0].intercepts[labels]
    np.testing.assert_allclose(intercepts, expected, atol=5e-3)


def test_labels_that_never_occur_are_never_found():
    X, Y = make_data()
    Y = Y.toarray()
    Y[:, [2, 11]] = 0
    classifier = fit(X, sparse.csr_array(Y), beam_width=None, max_candidates=None)
    columns, _ = classifier.rank(X, 20)
    assert not np.isin(columns, [2, 11]).any()
    assert classifier.predict_proba(X)[:, [2, 11]].nnz == 0


def test_unconverged_nodes_warn():
    X, Y = make_data()
    with pytest.warns(ConvergenceWarning, match=r"\d+ of \d+ nodes did not converge"):
        fit(X, Y, max_iter=1, tol=1e-6)


def test_label_vectors_reach_the_indexer():
    X, Y = make_data()
    Recorder.seen.clear()
    vectors = np.random.default_rng(0).normal(size=(Y.shape[1], 4))
    fit(X, Y, indexer=Recorder())
    fit(X, Y, indexer=Recorder(), label_vectors=vectors)
    fit(X, Y, indexer=Recorder(), label_vectors=("pifa", vectors))
    shapes = [Z.shape for Z, _ in Recorder.seen]
    assert shapes == [(20, 30), (20, 4), (20, 34)]


def test_label_names_reach_the_indexer():
    X, Y = make_data()
    Recorder.seen.clear()
    names = [f"label {i}" for i in range(Y.shape[1])]
    XRLinearClassifier(Recorder()).fit(X, Y, label_names=names)
    y = np.array(names)[Y.toarray().argmax(axis=1)]
    XRLinearClassifier(Recorder()).fit(X, y)
    assert list(Recorder.seen[0][1]) == names
    assert list(Recorder.seen[1][1]) == np.unique(y).tolist()


def test_the_given_indexer_is_not_fitted():
    X, Y = make_data()
    indexer = KMeansTree(2, 3)
    classifier = XRLinearClassifier(indexer).fit(X, Y)
    assert not hasattr(indexer, "tree_")
    assert indexer.random_state is None
    assert classifier.get_params()["indexer__branching_factor"] == 2
    classifier.set_params(indexer__branching_factor=3)
    assert clone(classifier).indexer.branching_factor == 3


def test_verbose_reports_each_level(capsys):
    X, Y = make_data()
    classifier = fit(X, Y, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    depth = classifier.trees_[0].depth
    averaged, grouped, indexed, trained, *levels = lines
    assert averaged.startswith("[skxmr] averaging the rows of each label: 20 labels")
    assert grouped.startswith("[skxmr] grouping labels")
    assert indexed.startswith("[skxmr] indexed 20 labels")
    assert trained.startswith("[skxmr] training")
    assert len(levels) == depth
    assert f"level {depth} of {depth}: 20 nodes" in levels[-1]
    assert "weights" in levels[-1]
    fit(X, Y)
    assert capsys.readouterr().out == ""
