"""Centring of dense features in training."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.preprocessing import normalize

from skxmr import KMeansTree, XRLinearClassifier
from skxmr._search._centering import Centering
from skxmr._training._centering import (
    center_label_vectors,
    center_rows,
    find_centering,
)
from skxmr._utils._compressed import Compressed
from skxmr._utils._dense import DenseRows

N_SPARSE, N_DENSE = 40, 20
KINDS = {"dense": np.ascontiguousarray, "sparse": sparse.csr_array}


def make_vectors(n_rows=300, n_features=N_DENSE, *, seed=0):
    """Rows in a narrow cone around their mean, and the label of each."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(25, n_features))
    y = rng.integers(25, size=n_rows)
    noise = rng.normal(size=(n_rows, n_features))
    return (centers[y] + noise / 2 + 5).astype(np.float32), y


def make_blocks(n_rows=300, *, share_missing=0.0, seed=0):
    """Sparse rows and vectors, side by side."""
    vectors, y = make_vectors(n_rows, seed=seed)
    rng = np.random.default_rng(seed)
    vectors[rng.permutation(n_rows)[: int(share_missing * n_rows)]] = 0
    words = sparse.random_array(
        (n_rows, N_SPARSE), density=0.1, rng=rng, dtype=np.float32
    )
    halves = vectors[:, :7], words, vectors[:, 7:]
    X = sparse.hstack([sparse.csr_array(part) for part in halves], format="csr")
    return sparse.csr_array(X), y


def make_classifier(**changes):
    settings = {"threshold": 0, "random_state": 0} | changes
    return XRLinearClassifier(KMeansTree(4, 6, random_state=0), **settings)


def rows_of(X):
    return Compressed.from_sparse(X) if sparse.issparse(X) else DenseRows(X)


def to_array(rows):
    X = rows.to_matrix()
    return X.toarray() if sparse.issparse(X) else X


def is_vector():
    """Which columns of `make_blocks` are those of vectors."""
    columns = np.arange(N_SPARSE + N_DENSE)
    return (columns < 7) | (columns >= 7 + N_SPARSE)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0, 0.001, 0.04]))
def test_equals_numpy(seed, share):
    X, _ = make_blocks(share_missing=share, seed=seed)
    expected = X.toarray()
    means = expected.mean(axis=0, dtype=np.float64).astype(np.float32)
    expected[:, is_vector()] -= means[is_vector()]
    centering = find_centering(rows_of(X))
    np.testing.assert_array_equal(centering.features, np.flatnonzero(is_vector()))
    np.testing.assert_allclose(centering.means, means[is_vector()], rtol=1e-6)
    centered = center_rows(rows_of(X), centering)
    assert centered.to_csr().has_canonical_format
    np.testing.assert_allclose(to_array(centered), expected, atol=1e-5)
    dense = center_rows(DenseRows(X.toarray()), centering)
    np.testing.assert_allclose(to_array(dense), expected, atol=1e-5)


def test_features_that_some_rows_lack_are_not_dense():
    X, _ = make_blocks(share_missing=0.1)
    assert find_centering(rows_of(X)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_small_tables_are_not_centred(kind):
    X, _ = make_vectors()
    assert find_centering(rows_of(KINDS[kind](X))) is not None
    assert find_centering(rows_of(KINDS[kind](X[:99]))) is None
    assert find_centering(rows_of(KINDS[kind](X[:, :15]))) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.1, 1e4])
def test_constant_features_are_not_centred(kind, size):
    X, _ = make_vectors()
    X[:, 3] = size
    centering = find_centering(rows_of(KINDS[kind](X)))
    assert 3 not in centering.features
    assert len(centering.features) == N_DENSE - 1


def test_sparse_rows_are_not_copied():
    X = sparse.random_array((400, 500), density=0.2, rng=0, dtype=np.float32)
    rows = rows_of(sparse.csr_array(X))
    assert find_centering(rows) is None
    assert center_rows(rows, None) is rows


def test_the_rows_of_the_user_are_unchanged():
    for X in (make_vectors()[0], make_blocks(share_missing=0.02)[0]):
        y = make_vectors()[1]
        before = copy.deepcopy(X)
        make_classifier().fit(X, y)
        difference = abs(before - X)
        assert difference.max() == 0


# Fitted models
# -------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "log_loss"])
@pytest.mark.parametrize("negatives", ["parents", "both"])
def test_an_offset_changes_no_ranking(kind, loss, negatives):
    X, y = make_vectors()
    offset = np.linspace(-20, 20, N_DENSE, dtype=np.float32)
    classifier = make_classifier(loss=loss, negative_sampling=negatives)
    expected = classifier.fit(KINDS[kind](X), y).rank(X[:100], 3)
    moved = classifier.fit(KINDS[kind](X + offset), y).rank((X + offset)[:100], 3)
    assert (moved[0] == expected[0]).mean() > 0.99
    np.testing.assert_allclose(moved[1], expected[1], atol=1e-2)


def test_margins_are_those_of_centred_rows():
    X, y = make_vectors()
    centered = X - X.mean(axis=0, dtype=np.float64).astype(np.float32)
    found, expected = (
        make_classifier(score_transform="sigmoid").fit(rows, y).rank(rows, 4)
        for rows in (X, centered)
    )
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-3)


def test_both_containers_give_the_same():
    X, y = make_vectors()
    dense, stored = (make_classifier().fit(kind(X), y) for kind in KINDS.values())
    for ours, theirs in zip(dense.rank(X, 3), stored.rank(X, 3), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)


@pytest.mark.parametrize("share", [0, 0.02])
def test_blocks_are_learned_from_together(share):
    X, y = make_blocks(600, share_missing=share)
    classifier = make_classifier().fit(X[:500], y[:500])
    assert (classifier.predict(X[500:]) == y[500:]).mean() > 0.9


def test_with_a_number_for_C_the_problem_is_that_of_liblinear():
    X, y = make_vectors()
    assert make_classifier(C=1e-3).fit(X, y)._state.centering is None
    assert (
        make_classifier(fit_intercept=False, tol=1).fit(X, y)._state.centering is None
    )
    assert make_classifier().fit(X, y)._state.centering is not None


@pytest.mark.parametrize("make", [lambda: make_vectors()[0], lambda: make_blocks()[0]])
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(("unit", "threshold"), [("relative", 0.2), ("absolute", 0.04)])
def test_pruning_later_gives_the_same(make, precision, unit, threshold):
    X, y = make(), make_vectors()[1]
    settings = {"weight_precision": precision, "threshold_unit": unit}
    whole = make_classifier(**settings).fit(X, y)
    pruned = make_classifier(**settings | {"threshold": threshold}).fit(X, y)
    later = whole.prune(threshold)
    assert later.n_weights_ < whole.n_weights_
    tolerance = 1e-5 if precision == "float32" else 1e-2
    for mine, theirs in zip(later.layouts_, pruned.layouts_, strict=True):
        np.testing.assert_allclose(mine.intercepts, theirs.intercepts, atol=tolerance)
    found = later.rank(X[:50], 3)[1]
    expected = pruned.rank(X[:50], 3)[1]
    np.testing.assert_allclose(found, expected, atol=10 * tolerance)


@pytest.mark.parametrize("n_trees", [1, 2])
def test_a_saved_model_ranks_the_same(n_trees):
    X, y = make_blocks()
    classifier = make_classifier(n_trees=n_trees, n_jobs=2).fit(X, y)
    again = pickle.loads(pickle.dumps(classifier))
    alone = make_classifier(n_trees=n_trees).fit(X, y)
    for other in (again, alone):
        for ours, theirs in zip(classifier.rank(X), other.rank(X), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(
            classifier.prune(0.1).rank(X)[0], other.prune(0.1).rank(X)[0]
        )


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("features", lambda a: a[::-1].copy(), "ascend"),
        ("features", lambda a: a + np.int32(1), "expected 0 to"),
        ("features", lambda a: a.astype(np.int64), "dtype"),
        ("means", lambda a: a[:-1], "means"),
        ("means", lambda a: a * np.float32(np.nan), "finite"),
    ],
)
def test_damaged_arrays_are_refused(name, change, message):
    classifier = make_classifier().fit(*make_vectors())
    state = copy.copy(classifier._state)
    centering = state.centering
    damaged = centering._replace(**{name: change(getattr(centering, name))})
    object.__setattr__(state, "centering", damaged)
    classifier._state = state
    with pytest.raises(ValueError, match=message):
        pickle.loads(pickle.dumps(classifier))


# Label vectors
# -------------


@pytest.mark.parametrize("kind", KINDS)
def test_label_vectors_lose_their_own_mean(kind):
    vectors = np.vstack([make_vectors(30)[0] * 7, np.zeros((1, N_DENSE))])
    centering = Centering(
        np.arange(2, 18, dtype=np.int32), np.ones(16, dtype=np.float32)
    )
    expected = vectors.copy()
    expected[:30, 2:18] -= vectors[:30, 2:18].mean(axis=0)
    given_vectors = KINDS[kind](vectors.astype(np.float32))
    found = center_label_vectors(given_vectors, centering, N_DENSE)
    pair = center_label_vectors(("pifa", given_vectors), centering, N_DENSE)
    assert pair[0] == "pifa"
    for one in (found, pair[1]):
        array = one.toarray() if sparse.issparse(one) else one
        np.testing.assert_allclose(array, expected, atol=1e-4)
    assert center_label_vectors(given_vectors, centering, 99) is given_vectors
    assert center_label_vectors(given_vectors, None, N_DENSE) is given_vectors
    assert center_label_vectors("pifa", centering, N_DENSE) == "pifa"


@pytest.mark.parametrize("kind", KINDS)
def test_labels_without_rows_are_found_by_their_vectors(kind):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, N_DENSE)) + 5
    y = np.append(np.arange(60), rng.integers(60, size=600))
    X = normalize(vectors[y] + rng.normal(size=(660, N_DENSE)) / 8).astype(np.float32)
    is_seen = y % 3 > 0
    Y = np.eye(60, dtype=int)[y]
    classifier = make_classifier(label_vectors=KINDS[kind](vectors))
    columns, _ = classifier.fit(KINDS[kind](X[is_seen]), Y[is_seen]).rank(X, 3)
    # Without centring, none of them: the mean is nearly all of each vector.
    assert (columns == y[:, None]).any(axis=1)[~is_seen].mean() > 0.7
