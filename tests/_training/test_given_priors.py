"""Prior means from given vectors of labels, and labels that no training row has."""

import numpy as np
import pandas as pd
import pytest
from custom_indexers import Returns
from scipy import sparse
from scipy.optimize import minimize
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import normalize
from training_problems import smooth_objective

from skxmr import KMeansTree, XRLinearClassifier
from skxmr.metrics import recall_at_k_scorer

N_FEATURES, N_LABELS = 50, 60
KINDS = {"sparse": sparse.csr_array, "dense": np.ascontiguousarray}
LOSSES = ["squared_hinge", "hinge", "log_loss"]
UNSEEN = np.arange(N_LABELS) % 3 == 0


def make_data(n_rows=400, *, seed=0):
    """Rows near the vectors of their labels; a third of the labels have none."""
    X, y, vectors = make_rows(n_rows, seed)
    is_seen = ~UNSEEN[y]
    return X[is_seen], np.eye(N_LABELS, dtype=int)[y[is_seen]], vectors


def make_rows(n_rows, seed=0):
    """Rows, the label of each, and the vectors of labels."""
    rng = np.random.default_rng(seed)
    vectors = rng.random((N_LABELS, N_FEATURES))
    vectors *= rng.random(vectors.shape) < 0.2
    vectors[:, 0] += 0.1
    y = np.append(np.arange(N_LABELS), rng.integers(N_LABELS, size=n_rows - N_LABELS))
    X = normalize(normalize(vectors)[y] + 0.03 * rng.random((n_rows, N_FEATURES)))
    return X.astype(np.float32), y, vectors


def make_classifier(vectors, prior_weight=1.0, *, indexer=None, **changes):
    return XRLinearClassifier(
        KMeansTree(4, 10, random_state=0) if indexer is None else indexer,
        label_vectors=vectors,
        prior_weight=prior_weight,
        **{"threshold": 0, "random_state": 0} | changes,
    )


def flat(vectors, prior_weight=1.0, **changes):
    """A classifier of one level."""
    return make_classifier(
        vectors, prior_weight, indexer=KMeansTree(2, N_LABELS), **changes
    )


def weights_of(classifier, n_features=N_FEATURES):
    """Weights and intercepts of a classifier of one level, by label."""
    margins = np.log(
        classifier.set_params(
            score_transform="sigmoid", beam_width=None, max_candidates=None
        )
        .predict_proba(np.vstack([np.zeros(n_features), np.eye(n_features)]))
        .astype(float)
    )
    margins = margins - np.log1p(-np.exp(margins))
    return (margins[1:] - margins[0]).T, margins[0]


def same_model(one, other):
    for mine, theirs in zip(one.layouts_, other.layouts_, strict=True):
        left, right = vars(mine.by_feature or mine), vars(theirs.by_feature or theirs)
        for name, value in left.items():
            np.testing.assert_array_equal(value, right[name])
    return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_without_costs_labels_are_ranked_by_their_vectors(kind, loss):
    X, Y, vectors = make_data()
    classifier = flat(vectors, C=1e-7, loss=loss).fit(KINDS[kind](X), Y)
    queries = normalize(np.random.default_rng(1).random((40, N_FEATURES)))
    columns, _ = classifier.rank(queries, 5)
    expected = np.argsort(-(queries @ normalize(vectors).T))[:, :5]
    np.testing.assert_array_equal(columns, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
def test_optimum_of_the_shifted_problem(kind, loss):
    X, Y, vectors = make_data(n_rows=150)
    classifier = flat(vectors, 1.5, C=0.7, loss=loss, tol=1e-6, max_iter=20_000)
    W, intercepts = weights_of(classifier.fit(KINDS[kind](X), Y))
    # Of the vectors, those of labels without rows are trained on.
    length = np.sqrt(np.square(X).sum(axis=1).mean())
    unit = normalize(vectors)
    rows = np.vstack([X, length * unit[UNSEEN]])
    Y = np.vstack([Y, np.eye(N_LABELS, dtype=int)[UNSEEN]])
    for label in (0, 1, 2, 3):
        signs = np.where(Y[:, label], 1, -1)
        arguments = (1.5 / length * unit[label], rows, signs, 0.7, loss)
        start = np.zeros(N_FEATURES + 1)
        best = minimize(smooth_objective, start, arguments, jac=True, tol=1e-10).x
        np.testing.assert_allclose(
            np.append(W[label], intercepts[label]), best, atol=2e-3
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("negatives", ["parents", "matcher", "both"])
def test_labels_without_rows_are_found(kind, loss, negatives):
    X, Y, vectors = make_data()
    classifier = make_classifier(
        vectors, loss=loss, negative_sampling=negatives, C="scale"
    ).fit(KINDS[kind](X), Y)
    queries, y, _ = make_rows(400)
    columns, _ = classifier.rank(queries, 3)
    is_found = (columns == y[:, None]).any(axis=1)
    assert is_found[UNSEEN[y]].mean() > 0.75
    assert is_found[~UNSEEN[y]].mean() > 0.9
    before = make_classifier(vectors, 0.0).fit(KINDS[kind](X), Y)
    assert not before.predict_proba(queries)[:, UNSEEN].any()


@pytest.mark.parametrize("kind", KINDS)
def test_branches_that_no_row_has_are_found(kind):
    X, Y, vectors = make_data()
    # All labels on the first axis lack rows, so their branch has no row at all.
    vectors[UNSEEN] = 0
    vectors[UNSEEN, 1] = 1
    vectors[UNSEEN, 2] = np.linspace(0, 0.5, UNSEEN.sum())
    classifier = make_classifier(vectors).fit(KINDS[kind](X), Y)
    columns, scores = classifier.rank(vectors[UNSEEN], 3)
    assert UNSEEN[columns].all()
    assert (scores > 0).all()


def test_a_label_without_vector_starts_at_its_rows():
    X, Y, vectors = make_data()
    seen = np.flatnonzero(~UNSEEN)[:4]
    vectors[seen] = 0
    vectors[0] = 0  # neither rows nor a vector
    classifier = flat(vectors, C=1e-7).fit(X, Y)
    queries = normalize(np.random.default_rng(1).random((40, N_FEATURES)))
    columns, _ = classifier.rank(queries, N_LABELS)
    means = normalize(np.where(vectors.any(axis=1)[:, None], vectors, Y.T @ X))
    expected = np.argsort(-(queries @ means.T))[:, :5]
    np.testing.assert_array_equal(columns[:, :5], expected)
    assert (columns[:, -1] == -1).all()
    assert not (columns == 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_gives_the_sum_of_both(kind):
    X, Y, vectors = make_data()
    classifier = flat(("pifa", 100 * vectors), C=1e-7).fit(KINDS[kind](X), Y)
    queries = normalize(np.random.default_rng(1).random((40, N_FEATURES)))
    means = normalize(normalize(Y.T @ X) + normalize(vectors))
    expected = np.argsort(-(queries @ means.T))[:, :5]
    np.testing.assert_array_equal(classifier.rank(queries, 5)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_any_container_and_length_of_vectors_is_the_same(kind):
    X, Y, vectors = make_data()
    X = KINDS[kind](X)
    expected = flat(vectors, C="scale").fit(X, Y)
    frame = pd.DataFrame(vectors)
    for given in (sparse.csc_matrix(vectors), dict(enumerate(vectors)), frame):
        assert same_model(flat(given, C="scale").fit(X, Y), expected)
    for factor in (2.0**-100, 2.0**60):
        assert same_model(flat(factor * vectors, C="scale").fit(X, Y), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_in_another_space_only_shape_the_tree(kind):
    X, Y, vectors = make_data()
    X, other = KINDS[kind](X), vectors[:, :-1]
    classifier = make_classifier(other).fit(X, Y)
    same_tree = Returns(classifier.trees_[0])
    by_rows = make_classifier("pifa", indexer=same_tree).fit(X, Y)
    assert same_model(classifier, by_rows)
    without = make_classifier(other, 0.0).fit(X, Y)
    assert not np.array_equal(without.rank(X, 5)[1], classifier.rank(X, 5)[1])


def test_rows_in_files_are_extended(tmp_path):
    X, Y, vectors = make_data()
    X, Y = np.vstack([X] * 40), np.vstack([Y] * 40)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert same_model(flat(vectors).fit(mapped, Y), flat(vectors).fit(X, Y))


@pytest.mark.parametrize("kind", KINDS)
def test_all_labels_may_have_rows_or_none_a_vector(kind):
    X, Y, vectors = make_data()
    X, seen = KINDS[kind](X), ~UNSEEN
    classifier = flat(vectors[seen]).fit(X, Y[:, seen])
    assert (classifier.rank(X, 1)[0][:, 0] == Y[:, seen].argmax(axis=1)).all()
    by_class = make_classifier(vectors[seen]).fit(X, Y.argmax(axis=1))
    assert by_class.score(X, Y.argmax(axis=1)) == 1
    assert same_model(flat(0 * vectors).fit(X, Y), flat("pifa").fit(X, Y))


@pytest.mark.parametrize("kind", KINDS)
def test_models_do_not_depend_on_threads(kind):
    X, Y, vectors = make_data()
    X = KINDS[kind](X)
    one = make_classifier(vectors, n_jobs=1).fit(X, Y)
    assert same_model(make_classifier(vectors, n_jobs=2).fit(X, Y), one)


def test_the_unit_of_the_rows_changes_no_ranking():
    X, Y, vectors = make_data()
    expected = make_classifier(vectors, C="scale", tol=1e-4, max_iter=5000).fit(X, Y)
    longer = make_classifier(vectors, C="scale", tol=1e-4, max_iter=5000).fit(8 * X, Y)
    np.testing.assert_allclose(
        longer.rank(8 * X, 5)[1], expected.rank(X, 5)[1], rtol=2e-3, atol=1e-4
    )


def test_features_that_no_row_has_count_in_a_mean():
    # So many that those without rows are dropped before training.
    X, Y, vectors = make_data()
    more = np.zeros((N_LABELS, 3))
    more[:, 2] = np.arange(N_LABELS) % 2
    width = 100_000
    wide = sparse.hstack(
        [sparse.csr_array(np.hstack([vectors, more])), sparse.csr_array((60, width))]
    )
    X = sparse.hstack([sparse.csr_array(X), sparse.csr_array((len(Y), width + 3))])
    classifier = flat(wide, C=1e-7).fit(X.tocsr(), Y)
    query = sparse.csr_array(([1.0], ([0], [N_FEATURES + 2])), shape=(1, X.shape[1]))
    columns, _ = classifier.rank(query, 5)
    assert (columns % 2 == 1).all()


def test_relevance_counts_for_labels_without_rows_as_usual():
    X, Y, vectors = make_data()
    expected = flat(vectors, C=0.7).fit(X, Y)
    # Multiplied by 4 and divided by it.
    weighed = flat(vectors, C=0.7, positive_weight=0.25)
    weighed.fit(X, Y, relevance=np.full(len(Y), 4.0))
    assert same_model(weighed, expected)


@pytest.mark.parametrize("name", ["prior_weight", "C"])
def test_a_cached_search_trains_for_each_value(name, tmp_path):
    X, Y, vectors = make_data(n_rows=120)
    grid = {name: [0.5, 2.0], "beam_width": [1, 5]}
    found = {}
    for memory in (None, str(tmp_path)):
        search = GridSearchCV(
            make_classifier(vectors, memory=memory, threshold=0.01),
            grid,
            scoring=recall_at_k_scorer(1),
            cv=KFold(2),
        ).fit(X, Y)
        found[memory is None] = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found[True], found[False])
    cached = [
        make_classifier(vectors, memory=str(tmp_path), threshold=0.01)
        .set_params(**{name: value})
        .fit(X, Y)
        for value in grid[name]
    ]
    W = [weights_of(one.set_params(loss="squared_hinge"))[0] for one in cached]
    assert not np.array_equal(*W)
