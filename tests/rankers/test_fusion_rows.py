"""Single rows of a fusion: searched with little overhead, and explained."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skxmr import (
    KMeansTree,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    TextRetriever,
    WordNgramTfidf,
    XRLinearClassifier,
)

N_LABELS = 30
RANDOM = np.random.RandomState(0)
X = sparse.csr_array(sparse.random(300, 50, 0.2, random_state=RANDOM, dtype="f4"))
CODES = RANDOM.randint(N_LABELS, size=300)
Y = sparse.csr_array((np.ones(300), (np.arange(300), CODES)), shape=(300, N_LABELS))
NAMES = np.array([f"label {i:02d}" for i in range(N_LABELS)])
TEXTS = [" ".join(f"w{i}" for i in row.nonzero()[0]) for row in X.toarray()]
HOW = {
    "mean": {},
    "weighted": {"weights": [3, 1]},
    "ranks": {"method": "reciprocal_rank"},
    "fit": {"weights": "fit", "random_state": 0},
}


def linear():
    return XRLinearClassifier(KMeansTree(3, 4), random_state=0)


def fuse(**parameters):
    members = [("linear", linear()), ("near", NeighborRanker())]
    return RankFusion(members, n_candidates=12, **parameters)


def fuse_texts(**parameters):
    members = [
        ("words", LexicalRanker()),
        ("model", make_pipeline(WordNgramTfidf(), linear())),
    ]
    return RankFusion(members, n_candidates=12, **parameters)


def row_of(i):
    start, end = X.indptr[i : i + 2]
    return X.indices[start:end], X.data[start:end]


def assert_same(one, row):
    np.testing.assert_array_equal(one[0], row[0])
    np.testing.assert_allclose(one[1], row[1], rtol=1e-5)
    assert one[0].dtype == row[0].dtype == np.int64
    assert one[1].dtype == row[1].dtype == np.float64


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("k", [1, 10, 25, 40])
def test_rank_one_is_a_row_of_rank(how, k):
    fusion = fuse(**HOW[how]).fit(X, Y)
    allowed = fusion.subset(range(10))
    for choice in ({}, {"allowed": allowed}, {"excluded": [3, 4]}):
        columns, scores = fusion.rank(X[:20], k, **choice)
        for i in range(20):
            found = fusion.rank_one(*row_of(i), k, **choice)
            assert_same(found, (columns[i], scores[i]))


@pytest.mark.parametrize("how", HOW)
def test_rank_one_takes_texts(how):
    fusion = fuse_texts(**HOW[how]).fit(TEXTS, NAMES[CODES])
    unknown = {"excluded": ["label 02", "?"], "unknown": "ignore"}
    for choice in ({}, {"allowed": NAMES[:9]}, unknown):
        columns, scores = fusion.rank(TEXTS[:20], 6, **choice)
        for i in range(20):
            found = fusion.rank_one(TEXTS[i], k=6, **choice)
            assert_same(found, (columns[i], scores[i]))


def test_rank_one_takes_dense_rows():
    members = [("linear", linear()), ("other", LogisticRegression())]
    fusion = RankFusion(members).fit(X.toarray(), NAMES[CODES])
    columns, scores = fusion.rank(X.toarray()[:5], 6)
    for i in range(5):
        found = fusion.rank_one(None, X.toarray()[i], 6)
        assert_same(found, (columns[i], scores[i]))


def test_fusions_of_fusions():
    outer = RankFusion([("inner", fuse()), ("near", NeighborRanker())]).fit(X, Y)
    columns, scores = outer.rank(X[:5], 6)
    for i in range(5):
        assert_same(outer.rank_one(*row_of(i), 6), (columns[i], scores[i]))


@pytest.mark.parametrize("how", HOW)
def test_retrievers_search_by_a_fusion(how):
    retriever = TextRetriever(WordNgramTfidf(), fuse(**HOW[how])).fit(TEXTS, Y)
    allowed = retriever.subset(range(10))
    for choice in ({}, {"allowed": allowed}, {"allowed": [1, 2, 3]}):
        columns, scores = retriever.search_batch(TEXTS[:20], 5, **choice)
        for i in range(20):
            found = retriever.search(TEXTS[i], 5, **choice)
            kept = columns[i] >= 0
            assert [label for label, _, _ in found] == columns[i][kept].tolist()
            np.testing.assert_allclose(
                [score for _, _, score in found], scores[i][kept], rtol=1e-5
            )
            if choice:
                assert {label for label, _, _ in found} <= set(range(10))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("w1", np.ones(1)), TypeError, "takes a text, or the features"),
        (("w1", 5), TypeError, "Name the argument k"),
        ((np.zeros(1, dtype=np.int32),), TypeError, "takes a text, or the features"),
        (("w1", None, 0), ValueError, "'k' parameter"),
    ],
)
def test_bad_rows(arguments, error, message):
    fusion = fuse_texts().fit(TEXTS, Y)
    with pytest.raises(error, match=message):
        fusion.rank_one(*arguments)


def test_unfitted():
    for method in (lambda: fuse().rank_one(*row_of(0)), lambda: fuse().explain(X, 0)):
        with pytest.raises(NotFittedError):
            method()


def test_subsets_of_other_fusions_are_refused():
    fusion, other = fuse().fit(X, Y), fuse().fit(X, Y)
    with pytest.raises(ValueError, match="made by another estimator"):
        fusion.rank_one(*row_of(0), allowed=other.subset([1]))


@pytest.mark.parametrize("how", HOW)
def test_explanations_give_the_score_of_rank(how):
    fusion = fuse(**HOW[how]).fit(X, Y)
    columns, scores = fusion.rank(X[:5], 12)
    rankings = [one.rank(X[:5], 12) for one in fusion.estimators_]
    for i in range(5):
        for column, score in zip(columns[i].tolist(), scores[i], strict=True):
            explained = fusion.explain(X[[i]], column)
            assert explained.label == column
            assert explained.score == pytest.approx(score)
            for one, (listed, given) in zip(explained.members, rankings, strict=True):
                (places,) = np.nonzero(listed[i] == column)
                assert (one.rank is None) == (len(places) == 0)
                if len(places):
                    assert one.rank == places[0] + 1
                    assert one.score == pytest.approx(given[i, places[0]])
                    weights = {term.feature: term.weight for term in one.evidence}
                    assert weights == fusion.fusion_weights_[one.estimator]
            if how != "fit":
                total = sum(one.contribution for one in explained.members)
                assert total == pytest.approx(score)


def test_explanations_print():
    fusion = fuse_texts(weights=[1, 3]).fit(TEXTS, NAMES[CODES])
    column, score = (part[0] for part in fusion.rank_one(TEXTS[0], k=1))
    label = fusion.classes_[column]
    lines = str(fusion.explain(TEXTS[0], label)).splitlines()
    assert lines[0] == f"{label}: {score:.4f}"
    assert "words (rank" in lines[1]
    assert lines[2].strip().startswith("+0.2500 x score")
    missed = str(fusion.explain("nothing known", label))
    assert "words (not listed)" in missed


def test_bad_explanations():
    fusion = fuse().fit(X, Y)
    with pytest.raises(ValueError, match="X has 2 rows; expected one"):
        fusion.explain(X[:2], 0)
    with pytest.raises(ValueError, match="label holds 99"):
        fusion.explain(X[:1], 99)
