"""When a new tree would pay."""

import pickle

import numpy as np
import pytest
from fitted_classifiers import fit, make_data
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skxmr import KMeansTree, LabelTexts, LabelTree, TextRetriever, XRLinearClassifier
from skxmr.interop import load_pecos, save_pecos
from skxmr.linear._drift import (
    _cohesion,
    leaf_size_of,
    mean_leaf_size,
    relative_cohesion,
)
from skxmr.tree._label_vectors import pifa

N_TOPICS, N_LABELS = 8, 64


def make_topics(seed=0):
    """Rows of labels that share features with the labels of their topic."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(N_LABELS), 5)
    X = np.zeros((len(labels), N_TOPICS + N_LABELS), dtype=np.float32)
    X[np.arange(len(labels)), labels % N_TOPICS] = 1
    X[np.arange(len(labels)), N_TOPICS + labels] = 0.5 + 0.1 * rng.random(len(labels))
    Y = sparse.csr_array(
        (np.ones(len(labels), dtype=int), (np.arange(len(labels)), labels))
    )
    return sparse.csr_array(X), Y


class GivenTree(BaseEstimator):
    """A custom indexer: leaves of eight labels, in a given order."""

    def __init__(self, order=None):
        self.order = order

    def fit(self, Z, y=None, *, label_names=None):
        n = Z.shape[0]
        order = np.arange(n) if self.order is None else self.order
        self.tree_ = LabelTree([[0, n // 8], np.arange(0, n + 1, 8)], order)
        return self


TOPICAL = np.argsort(np.arange(N_LABELS) % N_TOPICS, kind="stable")


def slow_cohesion(tree, X, Y):
    """The twin: the mean length of the mean of the vectors of each leaf."""
    Z = (Y.T @ X).toarray()
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    parts = np.split(tree.labels, tree.child_offsets[-1][1:-1])
    return sum(np.linalg.norm(Z[part].sum(axis=0)) for part in parts) / len(Z)


def test_the_size_of_leaves_is_weighted_by_labels():
    sizes = np.array([1, 3, 0, 6])
    assert mean_leaf_size(sizes) == np.repeat(sizes, sizes).mean()
    assert mean_leaf_size(np.zeros(2, dtype=int)) == 0


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_cohesion_is_that_of_the_twin(form):
    X, Y = make_topics()
    rows = X.toarray() if form == "dense" else X
    best = GivenTree(TOPICAL).fit(X[:N_LABELS]).tree_
    for tree in (best, GivenTree().fit(X[:N_LABELS]).tree_):
        owners = tree.parents(tree.depth)
        sums = _cohesion(pifa(rows, Y[:, tree.labels]), owners)
        assert sums / N_LABELS == pytest.approx(slow_cohesion(tree, X, Y), rel=1e-5)


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_leaves_are_compared_with_new_ones(form):
    X, Y = make_topics()
    rows = X.toarray() if form == "dense" else X
    best = GivenTree(TOPICAL).fit(X[:N_LABELS]).tree_
    worst = GivenTree().fit(X[:N_LABELS]).tree_
    assert relative_cohesion(best, rows, Y) >= 1 - 1e-6
    assert relative_cohesion(worst, rows, Y) < 0.7
    # Labels without rows do not count.
    more = sparse.hstack([Y, sparse.csr_array((Y.shape[0], 8), dtype=int)]).tocsr()
    grown = LabelTree(
        [[0, 9], np.arange(0, N_LABELS + 9, 8)],
        np.append(TOPICAL, N_LABELS + np.arange(8)),
    )
    assert relative_cohesion(grown, rows, more) > 0.95


def test_a_tree_of_one_leaf_is_as_cohesive_as_can_be():
    X, Y = make_topics()
    one = LabelTree([[0, N_LABELS]], np.arange(N_LABELS))
    assert relative_cohesion(one, X, Y) == 1


def test_leaf_sizes_do_not_depend_on_compaction():
    X, Y = make_data()
    classifier = fit(X, Y)
    tree = classifier.trees_[0]
    sizes = tree.n_children(tree.depth - 1)
    assert leaf_size_of(classifier._state.layouts[0]) == mean_leaf_size(sizes)
    classifier.add_labels(X[:9])
    classifier.remove_labels([1, 2, 21])
    before = leaf_size_of(classifier._state.layouts[0])
    assert before == leaf_size_of(classifier.compact()._state.layouts[0])
    tree, removed = classifier.trees_[0], [1, 2, 21]
    parts = np.split(tree.labels, tree.child_offsets[-1][1:-1])
    alive = np.array([np.setdiff1d(part, removed).size for part in parts])
    assert before == mean_leaf_size(alive)


@pytest.mark.parametrize("n_trees", [1, 2])
def test_many_added_labels_are_worth_a_new_tree(n_trees):
    X, Y = make_topics()
    classifier = fit(X, Y, indexer=KMeansTree(8, 8, random_state=0), n_trees=n_trees)
    assert classifier.refit_due_ is False
    classifier.add_labels(X[:1])
    assert not classifier.refit_due_
    columns = classifier.add_labels(X[:40])
    assert classifier.refit_due_
    assert pickle.loads(pickle.dumps(classifier)).refit_due_
    assert classifier.compact().refit_due_
    classifier.remove_labels(columns)
    assert not classifier.refit_due_
    assert not classifier.fit(X, Y).refit_due_


def test_a_warm_start_finds_labels_that_do_not_belong_together():
    X, Y = make_topics()
    for order, is_due in ((TOPICAL, False), (None, True)):
        classifier = fit(X, Y, indexer=GivenTree(order), warm_start=True)
        # Of a new tree, the user wants this order.
        assert not classifier.refit_due_
        assert classifier.fit(X, Y).refit_due_ is is_due
        classifier.set_params(warm_start=False, indexer=None)
        assert not classifier.fit(X, Y).refit_due_


def test_a_warm_start_after_few_changes_is_no_reason():
    X, Y = make_topics()
    few = Y[:, :-1][: X.shape[0] - 5]
    classifier = fit(
        X[: X.shape[0] - 5], few, indexer=KMeansTree(8, 8), warm_start=True
    )
    assert not classifier.fit(X, Y).refit_due_


def test_models_without_a_known_first_tree(tmp_path):
    with pytest.raises(NotFittedError):
        _ = XRLinearClassifier().refit_due_
    save_pecos(fit(*make_data()), tmp_path / "pecos")
    imported = load_pecos(tmp_path / "pecos")
    assert not hasattr(imported, "refit_due_")


def test_a_retriever_asks_its_classifier():
    names = LabelTexts({f"l{i}": f"label {i}" for i in range(20)})
    retriever = TextRetriever().fit([], [], label_texts=names)
    assert retriever.refit_due_ is False
    retriever.add_labels({f"m{i}": f"more {i}" for i in range(30)})
    assert retriever.refit_due_
