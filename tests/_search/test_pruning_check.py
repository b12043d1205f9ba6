"""When pruning or half precision costs ranking, and that it is told."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.naive_bayes import BernoulliNB
from sklearn.preprocessing import StandardScaler
from twins import weights_to_dense

from skxmr import KMeansTree, PruningWarning, WordNgramTfidf, XRLinearClassifier
from skxmr._training import _items
from skxmr.datasets import load_subjects
from skxmr.linear import _classifier as classifier_module

LOSSES = ["squared_hinge", "hinge", "log_loss"]


def make_data(n_samples=150, n_features=40, n_labels=30, n_second=1):
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(n_labels, n_features))
    y = rng.integers(n_labels, size=n_samples)
    y[:n_labels] = np.arange(n_labels)
    X = centers[y] + rng.normal(size=(n_samples, n_features))
    X *= rng.random(X.shape) < 0.6
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    Y = np.zeros((n_samples, n_labels), dtype=int)
    Y[np.arange(n_samples), y] = 1
    second = rng.integers(n_labels, size=n_samples)
    Y[np.arange(n_samples), second] |= n_second
    return X.astype(np.float32), Y


@pytest.fixture
def trained(monkeypatch):
    """Fit, and give what training returned."""

    def fit(X, Y, **parameters):
        found = []

        def spy(*arguments):
            found.append(cached_call(*arguments))
            return found[-1]

        cached_call = classifier_module.cached_call
        with monkeypatch.context() as patch:
            patch.setattr(classifier_module, "cached_call", spy)
            defaults = {"threshold": 0, "random_state": 0}
            model = XRLinearClassifier(KMeansTree(4, 5), **defaults | parameters)
            model.fit(X, Y)
        return model, found[0]

    return fit


# The sample


def hits_by_twin(model, one, X, Y):
    """Follow the largest margins down the tree, one row after another."""
    levels = model.layouts_[0].to_levels()
    dense = [
        weights_to_dense(weights, offsets, X.shape[1]).astype(float)
        for weights, offsets in zip(levels, one.tree.child_offsets, strict=True)
    ]
    hits = []
    for row in one.probed.rows:
        node, labels = 0, np.flatnonzero(Y[row])
        for weights, W, offsets in zip(
            levels, dense, one.tree.child_offsets, strict=True
        ):
            children = slice(offsets[node], offsets[node + 1])
            margins = X[row] @ W[:, children] + weights.intercepts[children]
            node = offsets[node] + np.argmax(margins)
        hits.append(one.tree.labels[node] in labels)
    return np.array(hits)


@pytest.mark.parametrize("negative_sampling", ["parents", "both", "matcher"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["sparse", "dense", "few dense"])
@pytest.mark.parametrize("prior_weight", [0.0, 1.0])
def test_rows_go_where_the_twin_sends_them(
    trained, loss, kind, negative_sampling, prior_weight
):
    # Of one label each, so that there is one path only.
    X, Y = make_data(n_second=0)
    if kind == "dense":  # more rows than features: no products of pairs
        X = X[:, :20]
    model, one = trained(
        X if "dense" in kind else sparse.csr_array(X),
        Y,
        loss=loss,
        negative_sampling=negative_sampling,
        prior_weight=prior_weight,
    )
    expected = hits_by_twin(model, one, X, Y)
    np.testing.assert_array_equal(one.probed.hits, expected)
    assert 0.1 < expected.mean() <= 1


@pytest.mark.parametrize("negative_sampling", ["parents", "both"])
def test_labels_that_start_at_given_vectors(trained, negative_sampling):
    X, Y = make_data(n_second=0)
    vectors = np.stack([X[y == 1].sum(axis=0) for y in Y.T])
    model, one = trained(
        sparse.csr_array(X),
        Y,
        negative_sampling=negative_sampling,
        label_vectors=vectors,
        prior_weight=1.0,
    )
    expected = hits_by_twin(model, one, X, Y)
    np.testing.assert_array_equal(one.probed.hits, expected)
    assert expected.mean() < 1


def test_rows_of_several_labels_are_right_with_any_child_of_their_path(trained):
    X, Y = make_data()
    model, one = trained(X, Y)
    twin = hits_by_twin(model, one, X, Y)
    # A row may leave its path for another of its labels.
    assert abs(one.probed.hits.mean() - twin.mean()) < 0.15
    assert one.probed.hits.mean() > 0.5


def test_rows_without_labels_are_not_drawn(trained):
    X, Y = make_data()
    Y[40:100] = 0
    _, one = trained(X, Y)
    assert one.probed.rows.tolist() == [*range(40), *range(100, 150)]


def test_at_most_a_thousand_rows_are_drawn(trained):
    X, Y = make_data(n_samples=3000)
    _, one = trained(X, Y)
    assert len(one.probed.rows) == 300
    many = np.tile(np.arange(3000), 4)
    _, one = trained(X[many], Y[many], max_iter=3, tol=10)
    assert len(one.probed.rows) == 1000
    assert (np.diff(one.probed.rows) > 0).all()


@pytest.mark.parametrize("changes", [{"n_jobs": 2}, {"task work": 1}])
def test_what_rows_find_does_not_depend_on_how_work_is_cut(
    monkeypatch, trained, changes
):
    X, Y = make_data(n_labels=90)
    _, expected = trained(X, Y)
    if "task work" in changes:
        monkeypatch.setattr(_items, "_TASK_WORK", 1)
        changes = {}
    _, found = trained(X, Y, **changes)
    np.testing.assert_array_equal(found.probed.rows, expected.probed.rows)
    np.testing.assert_array_equal(found.probed.hits, expected.probed.hits)
    assert found.n_found == expected.n_found


@pytest.mark.parametrize("threshold", [0, 0.3])
def test_all_weights_are_counted(trained, threshold):
    X, Y = make_data()
    whole, _ = trained(X, Y)
    _, one = trained(sparse.csr_array(X), Y, threshold=threshold)
    n_weights = [weights.n_weights for weights in whole.layouts_[0].to_levels()]
    assert list(one.n_found) == n_weights


# Warnings


def warnings_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [
        str(one.message) for one in caught if one.category is PruningWarning
    ]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize("C", [1.0, "scale"])
def test_a_level_that_loses_all_weights_warns(load, C):
    X, y = load(return_X_y=True)
    model, (message,) = warnings_of(
        lambda: XRLinearClassifier(
            C=C, threshold=0.1, threshold_unit="absolute", random_state=0
        ).fit(X, y)
    )
    assert model.n_weights_ == 0
    assert message.startswith("Pruning leaves no weight in level 1 of the tree.")
    assert "0 of " in message
    assert "threshold=0.1, threshold_unit='absolute'" in message
    assert "set threshold_unit='relative'" in message
    model, messages = warnings_of(
        lambda: XRLinearClassifier(C="scale", random_state=0).fit(X, y)
    )
    assert messages == []
    assert model.n_weights_ > 0


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_numbers_are_told(n_jobs):
    X, Y = make_data(n_samples=400)
    # Of weights that are all small, a share of the largest counts.
    model = XRLinearClassifier(KMeansTree(4, 5), C=0.05, random_state=0, n_jobs=n_jobs)
    match = (
        r"^Pruning changes P@1 on a sample of 200 training rows from 0\.\d{3} to "
        r"0\.\d{3}\. [\d,]+ of ([\d,]+) weights \(\d+\.\d\d%\) are left by "
        r"threshold=0\.9, threshold_unit='relative' and weight_precision='float32'\. "
        r"Lower threshold\.$"
    )
    with pytest.warns(PruningWarning, match=match) as caught:
        model.set_params(threshold=0.9).fit(X, Y)
    assert caught[0].filename == __file__
    whole = model.set_params(threshold=0).fit(X, Y)
    message = str(caught[0].message)
    with pytest.warns(PruningWarning, match=match) as caught:
        pruned = whole.prune(0.9)
    assert caught[0].filename == __file__
    # The same model, the same loss.
    assert str(caught[0].message) == message
    assert f" {pruned.n_weights_:,} of {whole.n_weights_:,} weights" in message


def test_a_loss_of_several_trees_is_told_once():
    X, Y = make_data(n_samples=400)
    _, messages = warnings_of(
        lambda: XRLinearClassifier(threshold=0.9, n_trees=2, random_state=0).fit(X, Y)
    )
    assert len(messages) == 1
    assert "a sample of 400 training rows" in messages[0]


def test_half_precision_is_told():
    X, Y = make_data(n_samples=400)
    half = XRLinearClassifier(C="scale", weight_precision="float16", random_state=0)
    assert warnings_of(lambda: half.fit(X, Y))[1] == []
    _, (message,) = warnings_of(lambda: half.fit(X * np.float32(2e7), Y))
    assert "Half precision" in message
    assert message.endswith(
        "Set weight_precision='float32', or scale X to rows of unit length."
    )
    whole = half.set_params(weight_precision="float32")
    assert warnings_of(lambda: whole.fit(X * np.float32(2e7), Y))[1] == []


def test_a_cached_fit_warns_as_the_first(tmp_path):
    X, Y = make_data(n_samples=400)
    model = XRLinearClassifier(memory=tmp_path, random_state=0, threshold=0.9)
    _, (first,) = warnings_of(lambda: model.fit(X, Y))
    _, (again,) = warnings_of(lambda: model.fit(X, Y))
    _, (uncached,) = warnings_of(lambda: model.set_params(memory=None).fit(X, Y))
    assert first == again == uncached
    assert warnings_of(lambda: model.set_params(threshold=0.05).fit(X, Y))[1] == []


def test_training_rows_are_not_saved():
    X, Y = make_data(n_samples=400)
    model = XRLinearClassifier(KMeansTree(4, 5), random_state=0).fit(X, Y)
    assert model._state.samples is not None
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded._state.samples is None
    # So a model that was loaded does not know what pruning costs it ...
    assert warnings_of(lambda: loaded.prune(0.9))[1] == []
    # ... but for a level that loses all.
    _, (message,) = warnings_of(lambda: loaded.prune(9, threshold_unit="absolute"))
    assert message.startswith("Pruning leaves no weight in level 1 of the tree.")
    assert "P@1" not in message


def test_custom_stages_are_passed_over():
    X, Y = make_data(n_samples=400)
    model = XRLinearClassifier(
        KMeansTree(4, 5), ranker=BernoulliNB(), random_state=0, threshold=0.05
    ).fit(X, Y)
    assert model._state.samples == [None]
    model.prune(1.0)
    with pytest.warns(PruningWarning, match="no weight in level 1 of the tree"):
        model.prune(99, threshold_unit="absolute")


# What is ordinary warns of nothing


@pytest.mark.parametrize(
    "load", [load_wine, load_breast_cancer, load_digits, load_iris]
)
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("n_trees", [1, 3])
def test_small_data_sets_do_not_warn(load, precision, n_trees):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    XRLinearClassifier(
        C="scale", weight_precision=precision, n_trees=n_trees, random_state=0
    ).fit(X, y)


@pytest.mark.parametrize("C", [1.0, "scale"])
def test_texts_do_not_warn(C):
    texts, Y = load_subjects(return_X_y=True)
    X = WordNgramTfidf().fit_transform(texts[:4000])
    XRLinearClassifier(C=C, random_state=0).fit(X, Y[:4000])


def test_unscaled_texts_warn_where_the_threshold_is_absolute():
    texts, Y = load_subjects(return_X_y=True)
    X = WordNgramTfidf(norm=None).fit_transform(texts[:4000])
    model = XRLinearClassifier(C="scale", random_state=0)
    assert warnings_of(lambda: model.fit(X, Y[:4000]))[1] == []
    model.set_params(threshold_unit="absolute")
    _, (message,) = warnings_of(lambda: model.fit(X, Y[:4000]))
    assert "P@1" in message


def test_no_rows_or_weights_are_no_matter():
    X = np.zeros((4, 3), dtype=np.float32)
    Y = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    XRLinearClassifier(C="scale", max_iter=1000).fit(X, Y)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("C", [0.1, 1.0, "scale"])
def test_what_is_not_pruned_does_not_warn(loss, C):
    """Not even where a beam finds less than a greedy search."""
    X, Y = make_data(n_samples=300)
    for seed in range(3):
        XRLinearClassifier(
            KMeansTree(4, 5), C=C, loss=loss, threshold=0, random_state=seed
        ).fit(X, Y)
