"""The weight of dense features beside sparse ones."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skxmr import KMeansTree, XRLinearClassifier
from skxmr._search._centering import Centering
from skxmr._training._centering import center_label_vectors, undo_centering
from skxmr.linear import _block_weights
from skxmr.linear._block_weights import choose_block_weight

N_ROWS, N_LABELS, N_WORDS, N_DENSE = 300, 40, 120, 24


def make_data(weight=1.0, seed=0):
    """Words of labels beside noisy vectors of them, these times a weight."""
    rng = np.random.default_rng(seed)
    y = np.append(np.arange(N_LABELS), rng.integers(N_LABELS, size=N_ROWS - N_LABELS))
    words = np.zeros((N_ROWS, N_WORDS))
    for row, label in enumerate(y):
        words[row, [3 * label, 3 * label + 1 + row % 2, rng.integers(N_WORDS)]] = 0.5
    vectors = rng.normal(size=(N_LABELS, N_DENSE)) + 2
    dense = vectors[y] + rng.normal(size=(N_ROWS, N_DENSE))
    X = np.hstack([words, weight * dense]).astype(np.float32)
    return sparse.csr_array(X), sparse.csr_array(np.eye(N_LABELS, dtype=int)[y])


def make_classifier(block_weights, **changes):
    indexer = KMeansTree(4, 12, random_state=0)
    settings = {"block_weights": block_weights, "random_state": 0} | changes
    return XRLinearClassifier(indexer, **settings)


def assert_same(given, scaled, X, weight):
    """Check that two models agree, of which one gets rows times the weight."""
    Z = sparse.csr_array(X, copy=True)
    Z.data[Z.indices >= N_WORDS] *= np.float32(weight)
    for ours, theirs in zip(given.rank(X, 5), scaled.rank(Z, 5), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("weight", [0.25, 2.0])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_same_as_rows_times_the_weight(weight, precision):
    (X, Y), (Z, _) = make_data(), make_data(weight)
    given, scaled = (
        make_classifier(w, weight_precision=precision, n_jobs=n).fit(rows, Y)
        for w, rows, n in ((weight, X, None), (1.0, Z, 2))
    )
    assert given.block_weights_ == weight
    assert scaled.block_weights_ == 1
    assert given.C_ == scaled.C_
    assert_same(given, scaled, X, weight)
    assert_same(given.prune(0.4), scaled.prune(0.4), X, weight)
    assert given.prune(0.4).n_weights_ == scaled.prune(0.4).n_weights_
    loaded = pickle.loads(pickle.dumps(given))
    assert loaded.block_weights_ == weight
    assert_same(loaded, scaled, X, weight)


@pytest.mark.parametrize("weight", [0.25, 4.0])
def test_changes_take_rows_as_they_are(weight):
    (X, Y), (Z, _) = make_data(), make_data(weight)
    models = []
    for w, rows in ((weight, X), (1.0, Z)):
        model = make_classifier(w).fit(rows[:250], Y[:250, :36])
        model.add_labels(rows[296:])
        model.partial_fit(rows[250:], Y[250:])
        models.append(model)
    assert_same(*models, X, weight)
    # After a compaction and a loss of what was measured in fit, too.
    again = [pickle.loads(pickle.dumps(model)) for model in models]
    for model, rows in zip(again, (X, Z), strict=True):
        model._state.__dict__["scales"] = None
        model.compact()
        model.add_labels(rows[:1])
    assert_same(*again, X, weight)


def test_a_warm_start_keeps_the_weight():
    (X, Y), (Z, _) = make_data(), make_data(0.25)
    models = []
    for w, rows in (("fit", X), (1.0, Z)):
        model = make_classifier(w, warm_start=True)
        if w == "fit":
            model.set_params(block_weights=0.25)
        model.fit(rows[:250], Y[:250])
        models.append(model.set_params(block_weights=w).fit(rows, Y))
    assert models[0].block_weights_ == 0.25
    assert_same(*models, X, 0.25)


def test_a_warm_start_leads_new_label_vectors_to_the_same_leaves():
    (X, Y), (Z, _) = make_data(), make_data(0.25)
    models = []
    for w, rows in ((0.25, X), (1.0, Z)):
        vectors = sparse.csr_array(rows[:N_LABELS])
        model = make_classifier(w, warm_start=True, label_vectors=vectors[:30])
        is_known = Y.indices < 30
        model.fit(rows[is_known], Y[is_known][:, :30])
        few = Y[is_known].tolil()
        models.append(model.set_params(label_vectors=vectors).fit(rows[is_known], few))
    assert_same(*models, X, 0.25)
    columns, _ = models[0].rank(X, 5)
    is_new = Y.indices >= 30
    assert (columns[is_new] == Y.indices[is_new, np.newaxis]).any(axis=1).mean() > 0.8


@pytest.mark.parametrize("kind", [np.ascontiguousarray, sparse.csr_array])
def test_centred_vectors_are_turned_into_rows(kind):
    features = np.array([1, 3], dtype=np.int32)
    centering = Centering(features, np.array([5, 7], dtype=np.float32), 0.25)
    vectors = np.array([[1, 2, 3, 4], [0, 6, 0, 8], [9, 0, 0, 0]], dtype=np.float32)
    centred = center_label_vectors(kind(vectors), centering, 4)
    found = undo_centering(centred, centering)
    found = found.toarray() if sparse.issparse(found) else found
    # The means of the vectors that have these features are 4 and 6.
    expected = vectors + np.array([[0, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(found, expected)
    assert undo_centering(centred, None) is centred


@pytest.mark.parametrize("kind", ["array", "pair"])
def test_label_vectors_are_weighed_as_rows(kind):
    (X, Y), (Z, _) = make_data(), make_data(0.25)
    models = []
    for w, rows in ((0.25, X), (1.0, Z)):
        vectors = sparse.csr_array(rows[:N_LABELS])
        given = vectors if kind == "array" else ("pifa", vectors)
        model = make_classifier(w, label_vectors=given, prior_weight=2.0)
        models.append(model.fit(rows, Y))
    if kind == "array":
        assert_same(*models, X, 0.25)
    else:
        # PIFA vectors and given ones are at unit length each.
        assert models[0].block_weights_ == 0.25


@pytest.mark.parametrize("weight", [0.3, 3.0])
def test_weights_that_round_rank_alike(weight):
    (X, Y), (Z, _) = make_data(), make_data(weight)
    given = make_classifier(weight).fit(X, Y)
    scaled = make_classifier(1.0).fit(Z, Y)
    hits = [
        (model.rank(rows, 1)[0][:, 0] == Y.indices).mean()
        for model, rows in ((given, X), (scaled, Z))
    ]
    assert abs(hits[0] - hits[1]) < 0.02


def make_noisy(weight):
    """Make rows whose vectors say nothing, times a weight."""
    rng = np.random.default_rng(1)
    X, Y = make_data()
    X = X.toarray()
    X[:, N_WORDS:] = weight * (1 + rng.normal(size=(N_ROWS, N_DENSE)))
    return sparse.csr_array(X.astype(np.float32)), Y


def test_little_weight_for_vectors_that_say_nothing():
    X, Y = make_noisy(2.0)
    chosen = make_classifier("fit").fit(X, Y)
    assert chosen.block_weights_ < 1
    # Nothing else differs from a fit with this weight.
    given = make_classifier(chosen.block_weights_).fit(X, Y)
    for ours, theirs in zip(given.rank(X, 5), chosen.rank(X, 5), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert clone(chosen).block_weights == "fit"


def test_much_weight_for_vectors_that_are_short():
    X, Y = make_data(0.01)
    X.data[X.indices < N_WORDS] = np.random.default_rng(0).permutation(
        X.data[X.indices < N_WORDS]
    )
    shuffled = sparse.csr_array(X[:, :N_WORDS])
    shuffled.indices[:] = np.random.default_rng(0).permutation(shuffled.indices)
    shuffled.sum_duplicates()
    X = sparse.csr_array(sparse.hstack([shuffled, X[:, N_WORDS:]]))
    assert make_classifier("fit").fit(X, Y).block_weights_ > 1


def test_both_weights_are_fitted_one_after_the_other():
    X, Y = make_noisy(2.0)
    both = make_classifier("fit", prior_weight="fit").fit(X, Y)
    weight = both.block_weights_
    given = make_classifier(weight, prior_weight="fit").fit(X, Y)
    assert both.prior_weight_ == given.prior_weight_


@pytest.mark.parametrize("kind", ["sparse", "dense", "few rows"])
def test_one_without_blocks_or_held_out_rows(kind):
    X, Y = make_noisy(2.0)
    X = {
        "sparse": X[:, :N_WORDS],
        "dense": np.ascontiguousarray(X[:, N_WORDS:].toarray()),
        "few rows": X[:150],
    }[kind]
    model = make_classifier("fit").fit(X, Y[: X.shape[0]])
    assert model.block_weights_ == 1


def test_dense_arrays_have_blocks_too():
    X, Y = make_noisy(2.0)
    sparse_model = make_classifier("fit").fit(X, Y)
    dense_model = make_classifier("fit").fit(X.toarray(), Y)
    assert dense_model.block_weights_ == sparse_model.block_weights_ < 1


class _FakeRanking:
    """Scores of exponents, and which were asked for."""

    def __init__(self, means):
        self.means, self.asked = means, []

    def scores(self, *, block_weights, prior_weight):
        del prior_weight
        exponent = int(np.log2(block_weights))
        self.asked.append(exponent)
        rng = np.random.default_rng(0)
        return self.means.get(exponent, 0) + 0.01 * rng.normal(size=100), None


@pytest.mark.parametrize("sign", [-1, 1])
def test_climbs_to_the_next_best(sign):
    ranking = _FakeRanking({0: 0.1, sign: 0.2, 2 * sign: 0.3, 3 * sign: 0.25, -sign: 0})
    assert choose_block_weight(ranking, 1.0) == 4.0**sign
    assert sorted(ranking.asked) == sorted([-sign, 0, sign, 2 * sign, 3 * sign])


@pytest.mark.parametrize("sign", [-1, 1])
def test_stops_at_the_last(sign):
    means = {e: 0.1 * sign * e for e in range(-9, 9)}
    ranking = _FakeRanking(means)
    best = _block_weights._EXPONENTS[-1 if sign > 0 else 0]
    assert choose_block_weight(ranking, 1.0) == 2.0**best


def test_one_unless_a_gain_is_larger_than_its_errors():
    ranking = _FakeRanking({0: 0.1, -1: 0.1, 1: 0.1})
    assert choose_block_weight(ranking, "fit") == 1


@pytest.mark.parametrize("block_weights", [0.5, "fit"])
@pytest.mark.parametrize(
    "changes",
    [{"C": 1.0}, {"fit_intercept": False}, {"ranker": LogisticRegression()}],
)
def test_refused_where_features_are_not_centred(block_weights, changes):
    X, Y = make_data()
    with pytest.raises(ValueError, match=r"block_weights=.* needs C='scale'"):
        make_classifier(block_weights, **changes).fit(X, Y)
    make_classifier(1.0, **changes).fit(X, Y)


@pytest.mark.parametrize("weight", [0.0, -1.0, np.inf, np.nan, "1"])
def test_damaged_weights_are_refused(weight):
    X, Y = make_data()
    model = make_classifier(0.5).fit(X, Y)
    centering = model._state.centering._replace(block_weight=weight)
    model._state.__dict__["centering"] = centering
    saved = pickle.dumps(model)
    with pytest.raises(ValueError, match=r"centering\.block_weight is"):
        pickle.loads(saved)
