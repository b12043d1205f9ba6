import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer
from twins import assert_same_layout, objective, weights_to_dense

from skxmr import KMeansTree, LabelTree, XRLinearClassifier
from skxmr._search._beam_search import average_trees

SMALL_TREE = KMeansTree(branching_factor=2, max_leaf_size=3, random_state=0)


def make_data(seed=0, n_samples=300, n_classes=20):
    X, Y = make_multilabel_classification(
        n_samples,
        n_features=30,
        n_classes=n_classes,
        n_labels=3,
        length=20,
        allow_unlabeled=False,
        random_state=seed,
    )
    X = sparse.csr_array(X / np.linalg.norm(X, axis=1, keepdims=True))
    return X.astype(np.float32), sparse.csr_array(Y)


def fit(X, Y, **parameters):
    settings = {"indexer": SMALL_TREE, "random_state": 0} | parameters
    return XRLinearClassifier(**settings).fit(X, Y)


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


def brute_force_log_scores(classifier, X, transform="l4-hinge"):
    """Scores of all labels: every node's margin, times the scores of its ancestors."""
    tree, layout = classifier.trees_[0], classifier.layouts_[0]
    levels = layout.to_levels()
    W = np.hstack(
        [
            weights_to_dense(level, offsets, X.shape[1])
            for level, offsets in zip(levels, tree.child_offsets, strict=True)
        ]
    )
    margins = X.toarray().astype(np.float64) @ W + layout.intercepts
    if transform == "sigmoid":
        scores = -np.logaddexp(0, -margins)
    else:
        scores = -(np.maximum(0, 1 - margins) ** int(transform[1]))
    total = np.zeros((X.shape[0], 1))
    starts = [*(layout.level_starts - 1), len(layout.intercepts)]
    for level in range(1, tree.depth + 1):
        nodes = slice(starts[level], starts[level + 1])
        total = total[:, tree.parents(level)] + scores[:, nodes]
    by_label = np.empty_like(total)
    by_label[:, tree.labels] = total
    return by_label


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


def assert_same_model(one, other):
    for a, b in zip(one.layouts_, other.layouts_, strict=True):
        assert_same_layout(a, b)


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
    assert len(lines) == depth + 1
    assert f"level {depth} of {depth}: 20 nodes" in lines[-1]
    assert "weights" in lines[-1]
    fit(X, Y)
    assert capsys.readouterr().out == ""


# Pruning


def test_prune_equals_fitting_with_that_threshold():
    X, Y = make_data()
    loose, tight = fit(X, Y, threshold=0.05), fit(X, Y, threshold=0.4)
    pruned = loose.prune(0.4)
    assert_same_model(pruned, tight)
    assert pruned.threshold == 0.4
    assert loose.threshold == 0.05
    assert pruned.n_weights_ < loose.n_weights_
    assert pruned.nbytes_ < loose.nbytes_
    whole = dense_levels(fit(X, Y, threshold=0))
    # A margin of 1 for a row of the root mean squared length with this feature alone.
    unit_weight = 1 / np.sqrt((X.toarray() ** 2).sum(axis=1).mean())
    for kept, weights in zip(dense_levels(pruned), whole, strict=True):
        largest = np.abs(weights).max(axis=0)
        assert (largest > unit_weight).any()
        floors = np.float32(0.4) * np.minimum(largest, np.float32(unit_weight))
        expected = np.where(np.abs(weights) >= floors, weights, 0)
        np.testing.assert_array_equal(kept, expected)


def dense_levels(model):
    tree, layout = model.trees_[0], model.layouts_[0]
    return [
        weights_to_dense(weights, offsets, layout.n_features)
        for weights, offsets in zip(layout.to_levels(), tree.child_offsets, strict=True)
    ]


@pytest.mark.parametrize("unit", ["relative", "absolute"])
def test_pruning_at_what_was_pruned_at_changes_nothing(unit):
    """Half precision rounds some weights below what they were pruned at."""
    X, Y = make_data()
    model = fit(X, Y, weight_precision="float16", threshold_unit=unit)
    assert model.prune(model.threshold).layouts_ is model.layouts_


def test_an_absolute_threshold_is_one_for_all_weights():
    X, Y = make_data()
    whole = fit(X, Y, threshold=0)
    for model in (
        fit(X, Y, threshold=0.4, threshold_unit="absolute"),
        whole.prune(0.4, threshold_unit="absolute"),
        whole.set_params(threshold_unit="absolute").prune(0.4),
    ):
        assert (model.threshold, model.threshold_unit) == (0.4, "absolute")
        weights = model.layouts_[0].by_feature.weights
        all_of_them = whole.layouts_[0].by_feature.weights
        np.testing.assert_array_equal(
            np.sort(weights), np.sort(all_of_them[np.abs(all_of_them) >= 0.4])
        )


def test_a_model_is_pruned_in_both_units():
    X, Y = make_data()
    model = fit(X, Y, threshold=0.05)
    one = model.prune(0.3, threshold_unit="absolute").prune(
        0.2, threshold_unit="relative"
    )
    other = model.prune(0.2).prune(0.3, threshold_unit="absolute")
    assert_same_model(one, other)
    assert 0 < one.n_weights_ < model.n_weights_
    for pruned in (one, other):
        with pytest.raises(ValueError, match=r"threshold=0\.1 is below 0\.2"):
            pruned.prune(0.1, threshold_unit="relative")
        with pytest.raises(ValueError, match=r"threshold=0\.2 is below 0\.3"):
            pruned.prune(0.2, threshold_unit="absolute")


def test_the_unit_of_features_does_not_change_what_is_kept():
    X, Y = make_data()
    expected, *scaled = (
        fit(X * np.float32(2.0**power), Y, C="scale") for power in (0, -8, 8)
    )
    for model in scaled:
        for one, other in zip(
            model.layouts_[0].to_levels(),
            expected.layouts_[0].to_levels(),
            strict=True,
        ):
            np.testing.assert_array_equal(one.features, other.features)
            np.testing.assert_array_equal(one.children, other.children)


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
@pytest.mark.parametrize("name", ["threshold", "weight_floor"])
def test_a_relative_threshold_is_a_share(name):
    X, Y = make_data()
    match = rf"{name}=1\.5 must be between 0 and 1.*threshold_unit='relative'"
    with pytest.raises(ValueError, match=match):
        fit(X, Y, **{name: 1.5})
    fit(X, Y, **{name: 1.5}, threshold_unit="absolute")
    with pytest.raises(ValueError, match=r"threshold=1\.5 must be between 0 and 1"):
        fit(X, Y).prune(1.5)
    with pytest.raises(ValueError, match=r"threshold_unit='percent' must be one of"):
        fit(X, Y).prune(0.5, threshold_unit="percent")


@pytest.mark.filterwarnings("ignore::skxmr.PruningWarning")
def test_the_largest_weight_of_each_node_stays():
    X, Y = make_data()
    for kept, whole in zip(
        dense_levels(fit(X, Y, threshold=1)),
        dense_levels(fit(X, Y, threshold=0)),
        strict=True,
    ):
        largest = np.abs(whole).max(axis=0)
        np.testing.assert_array_equal(np.abs(kept).max(axis=0), largest)
        assert np.count_nonzero(kept) < np.count_nonzero(whole)


def test_prune_cannot_bring_weights_back():
    X, Y = make_data()
    with pytest.raises(ValueError, match=r"threshold=0\.05 is below 0\.1"):
        fit(X, Y).prune(0.05)
    with pytest.raises(ValueError, match="threshold=nan"):
        fit(X, Y).prune(float("nan"))
    with pytest.raises(TypeError, match="threshold must be a number"):
        fit(X, Y).prune("much")
    with pytest.raises(NotFittedError):
        XRLinearClassifier().prune(1)


def test_size_of_the_model():
    X, Y = make_data()
    classifier = fit(X, Y)
    by_feature = classifier.layouts_[0].by_feature
    assert classifier.n_weights_ == len(by_feature.weights) > 0
    assert classifier.nbytes_ > by_feature.entries.nbytes


# Ensembles


def test_trees_are_averaged():
    X, Y = make_data(n_classes=40)
    everything = {"beam_width": None, "max_candidates": None}
    ensemble = fit(X, Y, n_trees=3, **everything)
    scores = np.mean(
        [np.exp(brute_force_log_scores(single_tree(ensemble, i), X)) for i in range(3)],
        axis=0,
    )
    np.testing.assert_allclose(ensemble.predict_proba(X).toarray(), scores, atol=1e-6)
    assert ensemble.trees_[0] != ensemble.trees_[1]


def single_tree(ensemble, i):
    state = ensemble._state
    parts = {name: [getattr(state, name)[i]] for name in ("trees", "layouts", "stages")}
    single = clone(ensemble)
    single._state = replace(state, **parts)
    return single


def test_average_of_shortlists():
    columns = [np.array([[3, 1], [0, -1]]), np.array([[1, 2], [-1, -1]])]
    scores = [np.array([[0.5, 0.4], [0.8, 0]]), np.array([[0.6, 0.5], [0, 0]])]
    with np.errstate(divide="ignore"):
        best, log_scores = average_trees(columns, [np.log(s) for s in scores], 3)
    # Labels 2 and 3 tie: the smaller comes first.
    assert best.tolist() == [[1, 2, 3], [0, -1, -1]]
    np.testing.assert_allclose(
        np.exp(log_scores), [[0.5, 0.25, 0.25], [0.4, 0, 0]], rtol=1e-12
    )


def test_average_of_nothing():
    nothing = np.full((2, 3), -1), np.full((2, 3), -np.inf)
    best, log_scores = average_trees(*zip(nothing, nothing, strict=True), 2)
    assert (best == -1).all()
    assert np.isneginf(log_scores).all()
