"""The choice of `prior_weight` by held-out rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.naive_bayes import BernoulliNB
from sklearn.utils import shuffle

from skxmr import KMeansTree, XRLinearClassifier
from skxmr.linear._choice import are_label_vectors, best_scores, reciprocal_ranks

N_LABELS, N_FEATURES = 80, 24
KINDS = {"dense": np.ascontiguousarray, "sparse": sparse.csr_array}


def make_data(noise=1.0, n_rows=320, seed=0):
    """Rows near the vectors of their labels, of which each has a few."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(N_LABELS, N_FEATURES)) + 4
    y = np.append(np.arange(N_LABELS), rng.integers(N_LABELS, size=n_rows - N_LABELS))
    X = vectors[y] + noise * rng.normal(size=(n_rows, N_FEATURES))
    X, y = shuffle(X.astype(np.float32), y, random_state=seed)
    return X, y, vectors


def make_classifier(vectors, prior_weight="fit", **changes):
    indexer = KMeansTree(4, 20, random_state=0)
    settings = {"random_state": 0} | changes
    return XRLinearClassifier(
        indexer, label_vectors=vectors, prior_weight=prior_weight, **settings
    )


def assert_same_ranking(one, other, X):
    for ours, theirs in zip(one.rank(X, 5), other.rank(X, 5), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_strong_where_rows_are_few_and_noisy(kind):
    X, y, vectors = make_data(noise=1.5)
    Y = sparse.csr_array(np.eye(N_LABELS, dtype=int)[y])
    chosen = make_classifier(vectors).fit(KINDS[kind](X), Y)
    assert chosen.prior_weight_ > 1
    # Nothing else differs from a fit with this weight.
    given = make_classifier(vectors, chosen.prior_weight_).fit(KINDS[kind](X), Y)
    assert given.prior_weight_ == chosen.prior_weight_
    assert_same_ranking(chosen, given, X)
    queries, y, _ = make_data(noise=1.5, n_rows=2000, seed=0)
    hits = [
        (model.rank(queries, 1)[0][:, 0] == y).mean()
        for model in (chosen, make_classifier(vectors, 1.0).fit(KINDS[kind](X), Y))
    ]
    assert hits[0] > hits[1]


def test_one_where_rows_are_few():
    X, y, vectors = make_data(n_rows=199)
    assert make_classifier(vectors).fit(X, y).prior_weight_ == 1


def test_one_where_no_row_can_be_held_out():
    X, y, vectors = make_data(noise=0)
    X = X * np.linspace(1, 2, len(X), dtype=np.float32)[:, np.newaxis]
    assert make_classifier(vectors).fit(X, y).prior_weight_ == 1


def test_one_unless_a_gain_is_larger_than_its_errors():
    scores = np.zeros((4, 100))
    scores[0, :50] = 1
    assert best_scores(scores) == 0
    scores[2] = scores[0]
    scores[2, 50] = 0.5
    assert best_scores(scores) == 0
    scores[2, 50:60] = 0.5
    assert best_scores(scores) == 2
    assert best_scores(np.ones((4, 1))) == 0


def test_reciprocal_ranks():
    Y = sparse.csr_array(np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]]))
    columns = np.array([[0, 2], [1, 2], [-1, -1]])
    np.testing.assert_array_equal(reciprocal_ranks(columns, Y), [0.5, 0, 0])
    # -1 is no column, not the last one.
    np.testing.assert_array_equal(reciprocal_ranks(columns[2:], Y[2:]), [0])


@pytest.mark.parametrize("rows", KINDS)
@pytest.mark.parametrize("vectors", KINDS)
def test_rows_that_are_label_vectors_are_found(rows, vectors):
    X = np.array([[3.0, 4, 0], [3, 5, 0], [0, 0, 0], [-3, -4, 0], [0, 0, 2]])
    Z = np.array([[0.6, 0.8, 0], [0, 0, 1], [0, 0, 0]])
    Y = sparse.csr_array(
        np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0]])
    )
    X, Z = KINDS[rows](X), KINDS[vectors](Z)
    expected = [True, False, False, False, False]
    for given in (Z, ("pifa", Z)):
        np.testing.assert_array_equal(are_label_vectors(X, Y, given), expected)
    for other in ("pifa", Z[:, :2]):
        assert not are_label_vectors(X, Y, other).any()


def test_class_labels_relevance_and_vectors_by_label():
    X, y, vectors = make_data(noise=1.5)
    names = np.array([f"label {i:02}" for i in range(N_LABELS)])
    by_name = dict(zip(names.tolist(), vectors, strict=True))
    relevance = np.linspace(1, 2, len(y))
    fitted = [
        make_classifier(given, n_jobs=n_jobs).fit(X, names[y], relevance=relevance)
        for given, n_jobs in ((by_name, None), (pd.DataFrame(by_name).T, 2))
    ]
    assert fitted[0].prior_weight_ == fitted[1].prior_weight_ > 1
    assert_same_ranking(*fitted, X)


def test_parameters_and_random_state_are_unchanged():
    X, y, vectors = make_data()
    random = np.random.RandomState(3)
    classifier = make_classifier(vectors, random_state=random, n_trees=2)
    classifier.fit(X, y)
    assert classifier.prior_weight == "fit"
    assert clone(classifier).prior_weight == "fit"
    given = make_classifier(vectors, classifier.prior_weight_, n_trees=2)
    given.set_params(random_state=np.random.RandomState(3)).fit(X, y)
    assert_same_ranking(classifier, given, X)
    again = pickle.loads(pickle.dumps(classifier))
    assert again.prior_weight_ == classifier.prior_weight_
    assert again.prune(0.2).prior_weight_ == classifier.prior_weight_


def test_custom_rankers_have_no_prior():
    X, y, vectors = make_data(n_rows=240)
    classifier = make_classifier(vectors, ranker=BernoulliNB())
    assert classifier.fit(X, y).prior_weight_ == 1


@pytest.mark.parametrize("prior_weight", [0.0, 1.0, "fit"])
@pytest.mark.parametrize("pair", [False, True])
def test_vectors_of_more_or_fewer_labels_are_refused(prior_weight, pair):
    X, y, vectors = make_data()
    for n in (N_LABELS - 1, N_LABELS + 1):
        given = np.resize(vectors, (n, N_FEATURES))
        model = make_classifier(("pifa", given) if pair else given, prior_weight)
        with pytest.raises(ValueError, match=rf"shape \({n}, 24\); expected 80 rows"):
            model.fit(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_with_little_training_the_ranking_is_that_of_the_cosine(kind):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N_LABELS, N_FEATURES))
    y = np.append(np.arange(N_LABELS), rng.integers(N_LABELS, size=220))
    X, queries = (rng.normal(size=(n, N_FEATURES)) for n in (len(y), 50))
    unit_X, unit_queries, unit_vectors = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (X, queries, vectors)
    )
    # Labels in a single group: groups have no prior mean, so their order is learned.
    model = XRLinearClassifier(
        KMeansTree(2, N_LABELS),
        label_vectors=vectors,
        prior_weight=1.0,
        C=1e-9,
        threshold=0.0,
    ).fit(KINDS[kind](unit_X), y)
    columns, scores = model.rank(KINDS[kind](unit_queries), N_LABELS)
    order = np.argsort(-(unit_queries @ unit_vectors.T), axis=1)
    np.testing.assert_array_equal(columns, order)
    assert (np.diff(scores) < 0).all()  # no two margins are saturated
