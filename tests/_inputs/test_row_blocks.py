import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC
from twins import nearest_neighbor_scores

import skxmr
from skxmr import (
    KMeansTree,
    LabelThresholdCV,
    NeighborRanker,
    RankFusion,
    Reranker,
    SparseCalibrator,
    TextRetriever,
    XRLinearClassifier,
)
from skxmr._inputs import _row_blocks
from skxmr._inputs._row_blocks import RowBlocks, split_by_size, split_by_sizes
from skxmr.rankers._candidates import CandidateFeatures, Candidates
from skxmr.tree._label_vectors import pifa

RANDOM = np.random.RandomState(0)
N_LABELS = 60
X = sparse.csr_array(sparse.random(200, 40, 0.1, random_state=RANDOM, dtype=np.float32))
Y = sparse.csr_array(
    sparse.random(200, N_LABELS, 0.05, random_state=RANDOM, dtype=np.float32) > 0
).astype(np.int8)
NAMES = RANDOM.randint(N_LABELS, size=200).astype(str)
CLASSIFIER = XRLinearClassifier(KMeansTree(4, 6), random_state=0)
NEAR = NeighborRanker()
ESTIMATORS = {
    "linear": CLASSIFIER,
    "trees": XRLinearClassifier(KMeansTree(4, 6), n_trees=3, random_state=0),
    "wide": XRLinearClassifier(KMeansTree(4, 6), beam_width=None, random_state=0),
    "own ranker": XRLinearClassifier(
        KMeansTree(4, 20), ranker=MultinomialNB(), random_state=0
    ),
    "own matcher": XRLinearClassifier(
        KMeansTree(4, 20), matcher=NEAR, beam_width=None, random_state=0
    ),
    "near": NEAR,
    "fusion": RankFusion([("linear", CLASSIFIER), ("near", NEAR)]),
    "thresholds": LabelThresholdCV(NEAR, cv=2, random_state=0),
    "calibrator": SparseCalibrator(NEAR, cv=2, random_state=0),
    "reranker": Reranker(NEAR, final_estimator=LogisticRegression(), random_state=0),
}


def equal(ours, theirs):
    if isinstance(ours, tuple):
        return all(map(equal, ours, theirs))
    if sparse.issparse(ours):
        parts = ("data", "indices", "indptr")
        return ours.shape == theirs.shape and all(
            np.array_equal(getattr(ours, part), getattr(theirs, part)) for part in parts
        )
    return ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


def answers(estimator, X):
    yield estimator.predict(X)
    yield estimator.predict_proba(X)
    yield skxmr.rank(estimator, X, 7)
    yield skxmr.rank(estimator, X, N_LABELS + 3)


@pytest.mark.parametrize("target", ["sparse", "dense", "classes"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_answers_do_not_depend_on_blocks(name, target, monkeypatch):
    y = {"sparse": Y, "dense": Y.toarray(), "classes": NAMES}[target]
    estimator = ESTIMATORS[name].fit(X, y)
    rows = X[:50]
    whole = list(answers(estimator, rows))
    monkeypatch.setattr(_row_blocks, "_ENTRIES", 700)
    for ours, theirs in zip(answers(estimator, rows), whole, strict=True):
        assert equal(ours, theirs)


@pytest.mark.parametrize("kind", ["probabilities", "decisions"])
def test_classifiers_of_others_are_asked_by_blocks(kind, monkeypatch):
    sizes = []

    class Counting(MultinomialNB):
        def predict_proba(self, X):
            sizes.append(X.shape[0])
            return super().predict_proba(X)

    class Deciding(LinearSVC):
        def decision_function(self, X):
            sizes.append(X.shape[0])
            return super().decision_function(X)

    model = (Counting() if kind == "probabilities" else Deciding()).fit(X, NAMES)
    whole = skxmr.rank(model, X, 5)
    assert sizes == [200]
    sizes.clear()
    monkeypatch.setattr(_row_blocks, "_ENTRIES", 100 * len(model.classes_))
    columns, scores = skxmr.rank(model, X, 5)
    assert max(sizes) <= 100
    assert sum(sizes) == 200
    np.testing.assert_array_equal(columns, whole[0])
    np.testing.assert_allclose(scores, whole[1])


def test_texts_in_any_container(monkeypatch):
    texts = [f"word{i % 7} other{i % 5} third{i}" for i in range(60)]
    retriever = TextRetriever(classifier=XRLinearClassifier(random_state=0))
    fusion = RankFusion([("linear", retriever)]).fit(texts, NAMES[:60])
    reranker = Reranker(
        retriever, final_estimator=LogisticRegression(), random_state=0
    ).fit(texts, NAMES[:60])
    monkeypatch.setattr(_row_blocks, "_ENTRIES", 200)
    for model in (fusion, reranker):
        wanted = model.predict(texts)
        for container in (tuple, np.array, iter):
            assert (model.predict(container(texts)) == wanted).all()
        with pytest.raises((TypeError, ValueError), match="a single str"):
            model.predict("a single text, of many letters")


def peak_of(function, *arguments):
    tracemalloc.start()
    result = function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, result


@pytest.mark.parametrize("name", ["linear", "trees", "near", "fusion", "reranker"])
def test_memory_follows_the_result(name, monkeypatch):
    monkeypatch.setattr(_row_blocks, "_ENTRIES", 2**14)
    estimator = ESTIMATORS[name].set_params(decision_threshold=0.9).fit(X, Y)
    many = sparse.vstack([X] * 20, format="csr")
    few_rows, _ = peak_of(estimator.predict, many[:2000])
    all_rows, predicted = peak_of(estimator.predict, many)
    assert predicted.shape == (4000, N_LABELS)
    # A row more takes its offsets, its labels and a copy of its features, rather than
    # 16 bytes for each of 60 candidates.
    assert all_rows - few_rows < 2000 * 150
    assert all_rows < 6e6


def test_wide_candidates_keep_memory():
    n_rows, n_labels = 400, 40_000
    y = np.arange(n_labels)
    features = sparse.csr_array(np.ones((n_labels, 1), dtype=np.float32))
    model = NeighborRanker().fit(features, y)
    peak, (columns, _) = peak_of(model.rank, features[:n_rows], 3)
    assert (columns[:, 0] == 0).all()
    # Rows x known rows would be 16 million similarities.
    assert peak < 8e6


def test_a_label_rich_neighbour_makes_small_blocks():
    Y = np.zeros((50, 20_000), dtype=np.int8)
    Y[np.arange(50), np.arange(50)] = 1
    Y[7] = 1
    features = sparse.csr_array(np.eye(50, dtype=np.float32) + 0.01)
    model = NeighborRanker(n_neighbors=1).fit(features, sparse.csr_array(Y))
    rows = features[np.tile(np.delete(np.arange(50), 7), 200)]
    rows = sparse.vstack([features[[7]], rows], format="csr")
    peak, predicted = peak_of(model.predict, rows)
    assert predicted.nnz == 20_000 + len(range(rows.shape[0] - 1))
    # Padded to the richest row they would be 200 million.
    assert peak < 150e6


@pytest.mark.parametrize("n_features", [40, 2**31 - 1])
def test_neighbours_and_their_twin(n_features):
    random = np.random.RandomState(1)
    chosen = np.linspace(0, n_features - 1, 40).astype(np.int64)

    def widened(rows):
        return sparse.csr_array(
            (rows.data, chosen[rows.indices], rows.indptr), (rows.shape[0], n_features)
        )

    known = sparse.csr_array(sparse.random(120, 40, 0.2, random_state=random))
    known.data = np.round(known.data * 4) - 1  # ties, negative ones and zeros
    known.data[::9] = 0
    queries = sparse.csr_array(sparse.random(30, 40, 0.3, random_state=random))
    labels = sparse.csr_array(sparse.random(120, 15, 0.2, random_state=random) > 0)
    for n_neighbors in (1, 5, 50, 500):
        model = NeighborRanker(n_neighbors)
        if n_features > 40:
            peak, _ = peak_of(model.fit, widened(known), labels.astype(int))
            assert peak < 2e6
            peak, (columns, scores) = peak_of(model.rank, widened(queries), 15)
            assert peak < 2e6
        else:
            columns, scores = model.fit(known, labels.astype(int)).rank(queries, 15)
        expected = nearest_neighbor_scores(
            known.toarray(), labels.toarray(), queries.toarray(), n_neighbors
        )
        found = np.zeros_like(expected)
        rows, positions = np.nonzero(columns >= 0)
        found[rows, columns[rows, positions]] = scores[rows, positions]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_blocks_are_all_rows_in_order():
    for n_rows, row_size in ((0, 5), (1, 10**9), (1000, 10**4), (10**6, 100)):
        slices = split_by_size(n_rows, row_size)
        assert np.concatenate([np.r_[rows] for rows in slices]).tolist() == list(
            range(n_rows)
        )
    sizes = RANDOM.randint(1, 2**15, size=500)
    sizes[100] = 2**22
    slices = list(split_by_sizes(sizes))
    assert [rows.start for rows in slices] == [0, *(rows.stop for rows in slices[:-1])]
    assert slices[-1].stop == 500
    for rows in slices:
        n_rows = rows.stop - rows.start
        assert n_rows == 1 or n_rows * sizes[rows].max() <= _row_blocks._ENTRIES
    assert len(slices) < 200
    assert RowBlocks(np.zeros((3, 2))).n_rows == 3


def widened(rows, n_columns):
    """Give rows the same entries in some of very many columns."""
    chosen = np.linspace(0, n_columns - 1, rows.shape[1]).astype(np.int64)
    shape = (rows.shape[0], n_columns)
    return sparse.csr_array((rows.data, chosen[rows.indices], rows.indptr), shape)


def test_label_vectors_and_centroids_do_not_grow_with_columns():
    wide = widened(X, 2**31 - 1)
    for make in (pifa, lambda X, Y: CandidateFeatures().fit(X, Y).centroids_):
        peak, vectors = peak_of(make, wide, Y)
        assert peak < 3e6
        expected = widened(sparse.csr_array(make(X, Y)).sorted_indices(), 2**31 - 1)
        vectors.sort_indices()
        assert equal(vectors, expected)


def test_candidates_of_very_many_columns_are_described():
    found = Candidates.of_ranking(*ESTIMATORS["near"].fit(X, Y).rank(X[:20], 5))
    narrow = CandidateFeatures().fit(X, Y).transform(X[:20], found)
    wide = widened(X, 2**31 - 1)
    features = CandidateFeatures().fit(wide, Y)
    peak, described = peak_of(features.transform, wide[:20], found)
    assert peak < 3e6
    np.testing.assert_allclose(described, narrow, rtol=1e-6)
