"""Lexical rankers in pipelines, searches, fusions and rerankers, and in blocks."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skxmr
from skxmr import (
    KMeansTree,
    LabelTexts,
    LexicalRanker,
    RankFusion,
    Reranker,
    TextRetriever,
    XRLinearClassifier,
)
from skxmr._inputs import _row_blocks
from skxmr.metrics import recall_at_k_scorer
from skxmr.sharding import split
from skxmr.streaming import rank_batches, row_batches

KINDS = ["tea", "bread", "lemon", "apple", "cheese", "water"]
TEXTS = [f"{['red', 'green', 'old'][i % 3]} {KINDS[i % 6]} {i % 5}" for i in range(60)]
CLASSES = [KINDS[i % 6] for i in range(60)]
Y = sparse.csr_array((np.ones(60, dtype=int), (np.arange(60), np.arange(60) % 6)))
TARGETS = {"sparse": Y, "dense": Y.toarray(), "classes": CLASSES}
targets = pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)


def answers(model, texts):
    yield model.predict(texts)
    yield model.predict_proba(texts)
    yield from skxmr.rank(model, texts, 3)
    yield from skxmr.rank(model, texts, 9)


def assert_equal(found, expected):
    for pair in zip(found, expected, strict=True):
        np.testing.assert_array_equal(
            *(one.toarray() if sparse.issparse(one) else one for one in pair)
        )


@targets
def test_pipelines_are_seen_through(y):
    ranker = LexicalRanker().fit(TEXTS, y)
    pipeline = make_pipeline(FunctionTransformer(), LexicalRanker()).fit(TEXTS, y)
    assert_equal(answers(pipeline, TEXTS), answers(ranker, TEXTS))
    columns, _ = skxmr.rank(pipeline, TEXTS[:6], 1)
    names = np.array(KINDS) if y is not CLASSES else ranker.classes_
    assert names[columns.ravel()].tolist() == KINDS


@targets
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_parameters_are_searched_for(y, n_jobs):
    search = GridSearchCV(
        LexicalRanker(),
        {"k1": [0.5, 1.2], "analyzer": ["word", ["word", "char"]]},
        cv=KFold(2),
        scoring=recall_at_k_scorer(1),
        n_jobs=n_jobs,
    )
    names = sorted(KINDS) if y is CLASSES else KINDS
    labels = names if y is CLASSES else range(6)
    texts = LabelTexts(dict(zip(labels, names, strict=True)))
    search.fit(TEXTS, y, label_texts=texts)
    assert search.best_score_ == 1.0
    columns, scores = skxmr.rank(search, ["old bread", "nothing"], 2)
    assert names[columns[0, 0]] == "bread"
    assert (columns[1] == -1).all()
    assert (scores[1] == 0).all()


def test_batches_of_texts():
    ranker = LexicalRanker().fit(TEXTS, CLASSES)
    whole = ranker.rank(TEXTS, 3)
    parts = list(rank_batches(ranker, row_batches(TEXTS, 7), 3))
    assert len(parts) == 9
    for found, expected in zip(zip(*parts, strict=True), whole, strict=True):
        np.testing.assert_array_equal(np.concatenate(found), expected)


@targets
@pytest.mark.parametrize("method", ["mean", "reciprocal_rank"])
def test_fusions_of_words_and_a_model(y, method):
    model = TextRetriever(classifier=XRLinearClassifier(KMeansTree(2, 2)))
    fusion = RankFusion(
        [("words", LexicalRanker(["word", "char"])), ("model", model)], method=method
    ).fit(TEXTS, y)
    names = np.array(KINDS) if y is not CLASSES else fusion.classes_
    columns, scores = fusion.rank(["old bread", "tea"], 2)
    assert names[columns[:, 0]].tolist() == ["bread", "tea"]
    assert ((scores > 0) & (scores <= 1)).all()
    allowed = fusion.subset(np.array(names) != "tea")
    assert "tea" not in names[fusion.rank(["tea"], 5, allowed=allowed)[0]]


@targets
def test_rerankers_of_words(y):
    reranker = Reranker(
        LexicalRanker("char"),
        LogisticRegression(),
        n_candidates=4,
        cv=2,
        random_state=0,
    ).fit(TEXTS, y)
    names = np.array(KINDS) if y is not CLASSES else reranker.classes_
    columns, scores = reranker.rank(["old bread", "tea"], 2)
    assert names[columns[:, 0]].tolist() == ["bread", "tea"]
    assert ((scores >= 0) & (scores <= 1)).all()
    assert reranker.score(TEXTS, y) > 0.9


@targets
@pytest.mark.parametrize("parameters", [{}, {"prefix": True, "correct_spelling": True}])
def test_answers_do_not_depend_on_blocks(y, parameters, monkeypatch):
    ranker = LexicalRanker(["word", "char"], **parameters).fit(TEXTS, y)
    texts = [*TEXTS, "lemn te", "", "unknown"]
    whole = list(answers(ranker, texts))
    monkeypatch.setattr(_row_blocks, "_ENTRIES", 20)
    assert_equal(answers(ranker, texts), whole)
    assert_equal(answers(ranker, tuple(texts)), whole)


def test_shards_are_those_of_linear_classifiers():
    with pytest.raises(TypeError, match="must be an XRLinearClassifier; got a Lexical"):
        split(LexicalRanker().fit(TEXTS, CLASSES), 2)


BAD = {
    "one text": (("a text", CLASSES[:4]), {}, ValueError, "texts must be an iterable"),
    "numbers": (([1, 2], ["a", "b"]), {}, TypeError, r"texts\[0\] must be a str"),
    "bytes": (([b"a"], ["a"]), {}, TypeError, r"texts\[0\] must be a str; got b'a'"),
    "other length": ((TEXTS, ["a"]), {}, ValueError, "inconsistent numbers of samples"),
    "no y": ((TEXTS, None), {}, ValueError, "y to be passed, but the target y is None"),
    "no words": ((["", " "], ["a", "b"]), {}, ValueError, "None of the 2 texts"),
    "weights": ((TEXTS, Y * 2), {}, ValueError, "y must hold only 0 and 1"),
    "fractions": ((TEXTS[:2], [0.5, 1.0]), {}, ValueError, "Unknown label type"),
    "text for labels": ((TEXTS, Y), {"label_texts": "abcdef"}, ValueError, "label_tex"),
    "names of numbers": (
        (TEXTS, Y),
        {"label_texts": [1] * 6},
        TypeError,
        r"label_texts\[0\] must be a str",
    ),
    "too few names": ((TEXTS, Y), {"label_texts": ["a"]}, ValueError, "has 1 texts; e"),
}


@pytest.mark.parametrize(
    ("data", "arguments", "error", "message"), BAD.values(), ids=BAD
)
def test_bad_texts_are_refused_and_change_nothing(data, arguments, error, message):
    ranker = LexicalRanker()
    with pytest.raises(error, match=message):
        ranker.fit(*data, **arguments)
    assert not ranker.__sklearn_is_fitted__()
    before = dict(vars(ranker.fit(TEXTS, Y)))
    with pytest.raises(error, match=message):
        ranker.fit(*data, **arguments)
    assert all(vars(ranker)[name] is before[name] for name in before)
