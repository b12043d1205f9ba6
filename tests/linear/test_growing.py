"""Labels added to and removed from fitted classifiers, and training on further rows."""

import pickle

import numpy as np
import pytest
from fitted_classifiers import assert_same_model, fit, make_data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from twins import weights_to_dense

from skxmr import LabelTree, XRLinearClassifier
from skxmr.interop import save_pecos
from skxmr.sharding import split

N_OLD = 20
FORMS = ["sparse", "dense", "half", "trees", "one level"]


def make_fitted(form="sparse", **parameters):
    X, Y = make_data(n_classes=N_OLD)
    if form == "dense":
        X = X.toarray()
    parameters = {
        "half": {"weight_precision": "float16"},
        "trees": {"n_trees": 3},
        "one level": {"indexer": None},
    }.get(form, {}) | parameters
    return fit(X, Y, beam_width=None, max_candidates=None, **parameters), X, Y


def assert_same_results(one, other, X):
    k = len(one.classes_)
    for a, b in zip(one.rank(X, k), other.rank(X, k), strict=True):
        np.testing.assert_array_equal(a, b)


# Labels added and removed


@pytest.mark.parametrize("form", FORMS)
def test_known_labels_keep_their_scores_beside_new_ones(form):
    classifier, X, _ = make_fitted(form)
    before = classifier.predict_proba(X)
    columns = classifier.add_labels(X[:5])
    np.testing.assert_array_equal(columns, np.arange(N_OLD, N_OLD + 5))
    np.testing.assert_array_equal(classifier.classes_, np.arange(N_OLD + 5))
    after = classifier.predict_proba(X)
    assert after.shape == (X.shape[0], N_OLD + 5)
    np.testing.assert_array_equal(after[:, :N_OLD].toarray(), before.toarray())


@pytest.mark.parametrize("form", FORMS)
def test_new_labels_are_found_by_their_vectors(form):
    classifier, X, _ = make_fitted(form, threshold=0.0)
    columns = classifier.add_labels(X[:5])
    found, scores = classifier.rank(X[:5], N_OLD)
    of_new = scores[found == columns[:, np.newaxis]]
    assert len(of_new) == 5
    assert (of_new > 0.25 * scores[:, 0]).all()
    one = classifier.rank_one(*_row(X, 0), k=N_OLD + 5)
    np.testing.assert_array_equal(one[0], classifier.rank(X[:1], N_OLD + 5)[0][0])


def _row(X, i):
    if not sparse.issparse(X):
        return None, X[i]
    row = X[[i]]
    return row.indices.astype(np.int32), row.data


def test_the_weights_of_new_labels_are_of_the_usual_length():
    classifier, X, _ = make_fitted(threshold=0.0)
    before = classifier.layouts_[0].to_levels()[-1]
    classifier.add_labels(X[:1])
    tree, layout = classifier.trees_[0], classifier.layouts_[0]
    node = int(np.flatnonzero(tree.labels == N_OLD)[0])
    parent = tree.parents(tree.depth)[node]
    level = layout.to_levels()[-1]
    child = node - tree.child_offsets[-1][parent]
    weights = np.zeros(X.shape[1])
    for posting in range(*level.posting_offsets[parent : parent + 2]):
        run = slice(*level.run_offsets[posting : posting + 2])
        is_child = level.children[run] == child
        weights[level.features[posting]] = level.weights[run][is_child].sum()
    vector = X[[0]].toarray()[0]
    assert weights @ vector == pytest.approx(np.linalg.norm(weights), rel=1e-5)
    assert np.quantile(before.intercepts, 0.25) == pytest.approx(level.intercepts[node])


@pytest.mark.parametrize("form", FORMS)
def test_removed_labels_are_never_found(form):
    classifier, X, _ = make_fitted(form)
    classifier.add_labels(X[:3])
    before = classifier.predict_proba(X).toarray()
    removed = [2, 5, N_OLD + 1]
    assert classifier.remove_labels(removed) is classifier
    before[:, removed] = 0
    np.testing.assert_array_equal(classifier.predict_proba(X).toarray(), before)
    columns, _ = classifier.rank(X, N_OLD + 3)
    assert not np.isin(columns, removed).any()
    assert not classifier.predict(X)[:, removed].nnz
    subset = classifier.subset([*removed, 1, N_OLD], unknown="ignore")
    columns, _ = classifier.rank(X, 5, allowed=subset)
    assert set(columns.ravel().tolist()) == {1, N_OLD, -1}
    columns, _ = classifier.rank_one(*_row(X, 0), k=N_OLD + 3)
    assert not np.isin(columns, removed).any()


def test_class_labels_keep_their_columns():
    X, Y = make_data()
    names = np.array([f"label {i:02}" for i in range(N_OLD)])
    y = names[Y.toarray().argmax(axis=1)]
    classifier = fit(X, y, beam_width=None)
    known = classifier.classes_.copy()
    columns = classifier.add_labels(X[:2], ["zebra crossing", "ant"])
    assert classifier.classes_[columns].tolist() == ["zebra crossing", "ant"]
    np.testing.assert_array_equal(classifier.classes_[: len(known)], known)
    classifier.remove_labels(["ant", known[0]])
    assert not np.isin(classifier.predict(X), ["ant", known[0]]).any()
    (again,) = classifier.add_labels(X[1:2], ["ant"]).tolist()
    assert again == len(known) + 2
    classifier.remove_labels(["ant"])
    assert not np.isin(classifier.rank(X, 30)[0], [columns[1], again]).any()
    with pytest.raises(ValueError, match="no label"):
        classifier.remove_labels(["ant"])
    scores = classifier.predict_proba(X)
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_errors_change_nothing():
    classifier, X, Y = make_fitted()
    classifier.remove_labels([3])
    state = classifier._state
    for message, change in [
        ("features", lambda: classifier.add_labels(X[:2, :5])),
        ("labels must be None", lambda: classifier.add_labels(X[:2], ["a", "b"])),
        ("no label", lambda: classifier.remove_labels([2, 3])),
        ("no label", lambda: classifier.remove_labels([2, 99])),
        ("features", lambda: classifier.partial_fit(X[:, :5], Y)),
        ("columns", lambda: classifier.partial_fit(X, Y[:, :5])),
        ("removed", lambda: classifier.partial_fit(X, Y)),
        ("inconsistent", lambda: classifier.partial_fit(X[:5], Y)),
        ("class labels", lambda: classifier.partial_fit(X, np.arange(X.shape[0]))),
    ]:
        with pytest.raises(ValueError, match=message):
            change()
        assert classifier._state is state


def test_class_labels_that_cannot_be_added():
    X, Y = make_data()
    classifier = fit(X, Y.toarray().argmax(axis=1))
    state = classifier._state
    for message, labels in [
        ("required", None),
        ("expected 2", [100]),
        ("more than once", [100, 100]),
        ("already", [100, int(classifier.classes_[0])]),
    ]:
        with pytest.raises(ValueError, match=message):
            classifier.add_labels(X[:2], labels)
        assert classifier._state is state


def test_custom_stages_learn_no_labels():
    X, Y = make_data()
    classifier = fit(X, Y, ranker=LogisticRegression())
    with pytest.raises(ValueError, match="ranker"):
        classifier.add_labels(X[:1])
    assert not hasattr(classifier, "partial_fit")
    classifier.remove_labels([1])
    assert not (classifier.rank(X, N_OLD)[0] == 1).any()


# Training on further rows


def test_the_first_call_fits():
    X, Y = make_data()
    fitted, _, _ = make_fitted()
    assert_same_model(clone(fitted).partial_fit(X, Y), fitted)
    names = Y.toarray().argmax(axis=1)
    classifier = clone(fitted).partial_fit(X, names, classes=np.arange(-1, 25))
    np.testing.assert_array_equal(classifier.classes_, np.arange(-1, 25))
    alone = clone(fitted).fit(X, names)
    np.testing.assert_array_equal(
        classifier.classes_[classifier.rank(X, 5)[0]],
        alone.classes_[alone.rank(X, 5)[0]],
    )
    with pytest.raises(ValueError, match="not in classes"):
        clone(fitted).partial_fit(X, names, classes=[1, 2])


@pytest.mark.parametrize("form", FORMS)
def test_further_rows_are_learned(form):
    classifier, X, Y = make_fitted(form)
    rows = slice(0, 20)
    shifted = sparse.csr_array(np.roll(Y.toarray(), 1, axis=1))

    def precision():
        columns, _ = classifier.rank(X[rows], 1)
        return shifted.toarray()[np.arange(20), columns[:, 0]].mean()

    before = precision()
    for _ in range(6):
        classifier.partial_fit(X[rows], shifted[rows])
    assert precision() > before + 0.3


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_weights_are_optimal_around_those_of_before(form, loss):
    parameters = {"indexer": OneLevel(), "threshold": 0.0, "C": 1.0, "loss": loss}
    parameters |= {"tol": 1e-6, "max_iter": 20_000, "negative_weight": 0.5}
    classifier, X, Y = make_fitted(form, **parameters)
    W, b = dense_weights(classifier, X)
    rows = slice(0, 40)
    relevance = Y[rows].astype(np.float64)
    relevance.data[:] = np.linspace(0.5, 2, relevance.nnz)
    classifier.partial_fit(X[rows], Y[rows], relevance=relevance)
    after, intercepts = dense_weights(classifier, X)
    X = sparse.csr_array(X[rows]).toarray()
    y = 2.0 * Y[rows].toarray() - 1
    costs = np.where(y > 0, relevance.toarray(), 0.5)

    def objective(W_, b_):
        margins = y * (X @ W_ + b_)
        losses = {
            "squared_hinge": np.maximum(0, 1 - margins) ** 2,
            "hinge": np.maximum(0, 1 - margins),
            "log_loss": np.logaddexp(0, -margins),
        }[loss]
        change = ((W_ - W) ** 2).sum(axis=0) + ((b_ - b) / 0.01) ** 2
        return change / 2 + (costs * losses).sum(axis=0)

    best = objective(after, intercepts)
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            nearby = after + scale * rng.normal(size=after.shape)
            moved = intercepts + 0.01 * scale * rng.normal(size=intercepts.shape)
            assert (objective(nearby, moved) >= best - 1e-5).all()
    assert (best < objective(W, b) - 1e-3).any()


class OneLevel(BaseEstimator):
    """A custom indexer: all labels are children of the root."""

    def fit(self, Z, y=None, *, label_names=None):
        self.tree_ = LabelTree([[0, Z.shape[0]]], np.arange(Z.shape[0]))
        return self


def dense_weights(classifier, X):
    (level,) = classifier.layouts_[0].to_levels()
    offsets = classifier.trees_[0].child_offsets[0]
    weights = weights_to_dense(level, offsets, X.shape[1]).astype(np.float64)
    return weights, level.intercepts.astype(np.float64)


def test_labels_of_further_rows_are_added():
    classifier, X, Y = make_fitted()
    wider = sparse.lil_array((10, N_OLD + 2), dtype=int)
    wider[:, :N_OLD] = Y[:10]
    wider[:5, N_OLD + 1] = 1
    classifier.partial_fit(X[:10], wider.tocsr())
    assert len(classifier.classes_) == N_OLD + 2
    columns, _ = classifier.rank(X[:5], N_OLD + 2)
    assert (columns == N_OLD + 1).any(axis=1).all()
    assert not (columns == N_OLD).any()


def test_labels_without_rows_are_learned_from_later_ones():
    X, Y = make_data()
    y = Y.toarray().argmax(axis=1)
    seen = y < 15
    classifier = fit(X[seen], y[seen], beam_width=None)
    classifier = clone(classifier).partial_fit(X[seen], y[seen], classes=np.arange(20))
    later = y >= 15
    for _ in range(3):
        classifier.partial_fit(X[later], y[later])
    columns, _ = classifier.rank(X[later], 5)
    assert (columns == y[later][:, np.newaxis]).any(axis=1).mean() > 0.5


def test_a_batch_moves_only_the_nodes_that_its_rows_reach():
    classifier, X, Y = make_fitted()
    before = classifier.layouts_[0].to_levels()
    classifier.partial_fit(X[:1], Y[:1])
    after = classifier.layouts_[0].to_levels()
    tree = classifier.trees_[0]
    reached = set(np.flatnonzero(np.isin(tree.labels, Y[[0]].indices)))
    parents = {int(tree.parents(tree.depth)[node]) for node in reached}
    old, new = before[-1], after[-1]
    for parent in range(old.n_parents):
        is_same = np.array_equal(
            old.between(parent, parent + 1).weights,
            new.between(parent, parent + 1).weights,
        )
        assert is_same or parent in parents


@pytest.mark.parametrize("form", ["sparse", "dense", "trees"])
def test_results_do_not_depend_on_the_number_of_jobs(form):
    results = []
    for n_jobs in (1, 2):
        classifier, X, Y = make_fitted(form, n_jobs=n_jobs)
        classifier.add_labels(X[:7])
        classifier.partial_fit(X, sparse.hstack([Y, Y[:, :7]], format="csr"))
        results.append(classifier)
    assert_same_model(*results)


# Sequences of changes


def test_changes_survive_pickles_and_what_compacts_first(tmp_path):
    classifier, X, Y = make_fitted(n_trees=1)
    classifier.add_labels(X[:4])
    classifier.remove_labels([1, N_OLD])
    wider = sparse.hstack([Y[:9], sparse.csr_array((9, 4))], format="lil")
    wider[:, [1, N_OLD]] = 0
    classifier.partial_fit(X[:9], wider.tocsr().astype(int))
    loaded = pickle.loads(pickle.dumps(classifier))
    assert_same_results(loaded, classifier, X)
    assert_same_results(pickle.loads(pickle.dumps(classifier)).compact(), classifier, X)
    pruned = classifier.prune(0.1)
    assert_same_results(pruned, classifier, X)
    save_pecos(classifier, tmp_path / "pecos")
    assert len(split(classifier, 2)) == 2
    assert clone(classifier).fit(X, Y).classes_.tolist() == list(range(N_OLD))


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4), st.integers(0, 250)),
        st.tuples(st.just("remove"), st.integers(0, 1000), st.integers(1, 3)),
        st.tuples(st.just("learn"), st.integers(1, 30), st.integers(0, 250)),
        st.tuples(st.just("compact"), st.just(0), st.just(0)),
        st.tuples(st.just("pickle"), st.just(0), st.just(0)),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=30)
@given(CHANGES, st.sampled_from(["sparse", "dense", "half"]))
def test_results_do_not_depend_on_when_changes_are_compacted(changes, form):
    classifier, X, Y = make_fitted(form)
    always = pickle.loads(pickle.dumps(classifier))
    for change, a, b in changes:
        if change == "compact":
            classifier.compact()
        elif change == "pickle":
            classifier = pickle.loads(pickle.dumps(classifier))
        else:
            for one in (classifier, always):
                apply(one, X, Y, change, a, b)
        always.compact()
        assert_same_results(classifier, always, X[:40])
    removed = classifier._state.known.removed
    assert not np.isin(classifier.rank(X, 60)[0], removed).any()


def apply(classifier, X, Y, change, a, b):
    n_labels, removed = len(classifier.classes_), classifier._state.known.removed
    if change == "add":
        classifier.add_labels(X[b : b + a])
    elif change == "remove":
        left = np.setdiff1d(np.arange(n_labels), removed)
        classifier.remove_labels(left[(a + np.arange(b)) % len(left)])
    else:
        rng = np.random.default_rng([a, b])
        left = np.setdiff1d(np.arange(n_labels), removed)
        rows = np.arange(a).repeat(2)
        y = sparse.csr_array(
            (np.ones(2 * a, dtype=int), (rows, rng.choice(left, 2 * a))),
            shape=(a, n_labels),
        )
        y.data[:] = 1
        classifier.partial_fit(X[b : b + a], y)


def test_dense_rows_teach_a_model_of_sparse_ones():
    X = sparse.eye_array(12, format="csr", dtype=np.float32)
    models = [XRLinearClassifier(random_state=0).fit(X, np.arange(12)) for _ in "12"]
    rows = np.linspace(0.1, 1, 24, dtype=np.float32).reshape(2, 12)
    models[0].partial_fit(rows, [3, 12])
    models[1].partial_fit(sparse.csr_array(rows), [3, 12])
    expected = models[1].rank(X, 12)
    for found, wanted in zip(models[0].rank(X, 12), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_no_labels_may_be_added():
    X = sparse.eye_array(12, format="csr", dtype=np.float32)
    model = XRLinearClassifier(random_state=0).fit(X, np.arange(12))
    assert model.add_labels(X[:0], []).tolist() == []
    with pytest.raises(ValueError, match="X has 5 features"):
        model.add_labels(X[:0, :5], [])
