"""Estimators, how each is fitted to two sets of data, and what it is asked.

The sets differ in all that a mixture could confuse: numbers of rows, features and
labels, and the names of labels.
"""

import copy

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from twins import random_sparse

from skxmr import (
    CandidateFeatures,
    CharNgramTfidf,
    KMeansTree,
    LabelThresholdCV,
    LexicalRanker,
    NeighborRanker,
    PrefixWeightedCharTfidf,
    QueryCompleter,
    RankFusion,
    Reranker,
    SparseCalibrator,
    TextRetriever,
    TrieTreeHybrid,
    WordNgramTfidf,
    XRLinearClassifier,
    baselines,
)
from skxmr.rankers._candidates import Candidates

RNG = np.random.default_rng(0)
X = random_sparse(RNG, (30, 9), density=0.5), random_sparse(RNG, (40, 14), density=0.4)
Y = tuple(
    sparse.csr_array((np.ones(n), (np.arange(n), np.arange(n) % n_labels)))
    for n, n_labels in ((30, 5), (40, 8))
)
CLASSES = (
    np.array([f"few {i % 5}" for i in range(30)]),
    np.array([f"many {i % 8}" for i in range(40)]),
)
TEXTS = (
    [f"red{i % 5} apple{i % 3} of {i}" for i in range(30)],
    [f"blue{i % 8} pear{i % 7} apple{i % 4}" for i in range(40)],
)
NAMES = [f"first {i}" for i in range(5)], [f"second {i}" for i in range(8)]
# Of other numbers of fields.
FIELDS = list(zip(NAMES[0], NAMES[0][::-1], strict=True)), NAMES[1]
LINEAR = XRLinearClassifier(KMeansTree(2, 2), C=0.1, random_state=0)


def lists(answer):
    """Make an answer comparable."""
    if sparse.issparse(answer):
        return answer.shape, answer.toarray().tolist()
    if isinstance(answer, np.ndarray):
        return answer.tolist()
    if isinstance(answer, (list, tuple)):
        return [lists(one) for one in answer]
    return answer


class Case:
    """An estimator, how it is fitted to either set of data, and what it is asked."""

    def __init__(self, estimator, fit, *asks):
        self.estimator = estimator
        self.fit = fit
        self.asks = asks


def on_matrices(estimator, *asks):
    return Case(estimator, lambda one, i: one.fit(X[i], Y[i]), *asks)


def on_texts(estimator, *asks):
    return Case(estimator, lambda one, i: one.fit(TEXTS[i], CLASSES[i]), *asks)


def of_matrices(method, **options):
    """Ask about rows that one of the two models refuses: they have other features."""

    def ask(estimator):
        try:
            return lists(getattr(estimator, method)(X[0][:4], **options))
        except ValueError as error:
            return str(error)

    return ask


def explained(estimator):
    try:
        return str(estimator.explain(X[0][:1], 3))
    except ValueError as error:
        return str(error)


def at_once(*names):
    """Read several attributes of one moment."""
    return lambda estimator: [
        lists(getattr(one, name)) for one in [copy.copy(estimator)] for name in names
    ]


def of_texts(method, *arguments):
    questions = [*TEXTS[0][:2], *TEXTS[1][:2]]
    return lambda estimator: lists(getattr(estimator, method)(questions, *arguments))


def fit_completer(completer, i):
    return completer.fit(TEXTS[i][::-1], TEXTS[i])


PAIRS = Candidates.of_ranking(np.array([[1, 0], [2, 3]]), np.full((2, 2), 0.5))
RANKERS = [
    of_matrices("predict"),
    of_matrices("predict_proba"),
    of_matrices("rank", k=4),
]
OF_COMPLETERS = [
    lambda one: one.complete("r", TEXTS[0][3]),
    lambda one: one.complete("", [TEXTS[1][3]], k=60),
    lambda one: one.complete_batch(["", "b"], [TEXTS[0][0], TEXTS[1][0]]),
    lambda one: one.score(TEXTS[0][:5], TEXTS[0][5:10]),
]
OF_VECTORIZERS = [
    of_texts("transform"),
    lambda one: lists(one.transform_one(TEXTS[0][0])),
    lambda one: lists(one.get_feature_names_out()),
]
CASES = {
    "classifier": on_matrices(
        LINEAR,
        *RANKERS,
        of_matrices("decision_function"),
        at_once("n_weights_", "nbytes_", "n_features_in_", "classes_"),
        lambda one: one.prune(0.3).n_weights_,
        lambda one: lists(
            one.rank_one(np.arange(9, dtype=np.int32), np.ones(9, np.float32), 9)
        ),
    ),
    "ensemble": on_matrices(clone(LINEAR).set_params(n_trees=2), *RANKERS),
    "classes": Case(
        LINEAR, lambda one, i: one.fit(X[i], CLASSES[i]), of_matrices("predict")
    ),
    "stages": on_matrices(
        clone(LINEAR).set_params(
            matcher=NeighborRanker(3), ranker=LogisticRegression()
        ),
        *RANKERS,
    ),
    "neighbors": on_matrices(NeighborRanker(3), *RANKERS),
    "lexical": Case(
        LexicalRanker(["word", "char"], prefix=True, correct_spelling=True),
        lambda one, i: one.fit(TEXTS[i], CLASSES[i], label_texts=FIELDS[i]),
        lambda one: lists(one.rank_one("red1 aple2 blue3 p", 8)),
        lambda one: lists(one.rank_one("second first", 8)),
        of_texts("predict"),
        of_texts("predict_proba"),
        of_texts("decision_function"),
        of_texts("rank", 8),
    ),
    "words of labels": on_texts(
        LexicalRanker(),
        lambda one: lists(one.rank_one("red1 apple2 blue3", 8)),
        lambda one: lists(
            one.rank_one("apple1", 8, excluded=["few 1", "many 1"], unknown="ignore")
        ),
        lambda one: lists(one.did_you_mean("red1 aple2 blu3")),
        at_once("classes_"),
    ),
    "fusion": on_matrices(
        RankFusion([("linear", LINEAR), ("near", NeighborRanker())]),
        *RANKERS,
        lambda one: lists(one.rank_one(X[0][:1].indices, X[0][:1].data, 8)),
        explained,
        at_once("fusion_weights_", "classes_"),
    ),
    "reranker": on_matrices(
        Reranker(LINEAR, LogisticRegression(), n_candidates=3, cv=2, random_state=0),
        *RANKERS,
    ),
    "calibrator": on_matrices(
        SparseCalibrator(LINEAR, cv=2, random_state=0),
        *RANKERS,
    ),
    "thresholds": on_matrices(
        LabelThresholdCV(LINEAR, thresholds="per_label", cv=2, random_state=0),
        *RANKERS,
        at_once("best_threshold_", "classes_"),
    ),
    "candidates": Case(
        CandidateFeatures(),
        lambda one, i: one.fit(X[0], Y[0] if i == 0 else Y[1][:30]),
        lambda one: lists(one.transform(X[0][:2], PAIRS)),
    ),
    "retriever": Case(
        TextRetriever(classifier=LINEAR),
        lambda one, i: one.fit(TEXTS[i], Y[i], label_texts=NAMES[i]),
        lambda one: one.search("red1 apple2 blue3", 8),
        lambda one: one.search("apple1", 8, allowed=[0, 2, 4]),
        lambda one: str(one.explain("red1 apple2 blue3", 3)),
        of_texts("search_batch", 8),
        of_texts("predict_proba"),
    ),
    "retriever of classes": on_texts(
        TextRetriever(classifier=LINEAR),
        lambda one: one.search("red1 apple2 blue3", 8),
        of_texts("predict"),
    ),
    "retriever by fusion": on_texts(
        TextRetriever(
            WordNgramTfidf(),
            RankFusion([("linear", LINEAR), ("near", NeighborRanker())]),
        ),
        lambda one: one.search("red1 apple2 blue3", 8),
    ),
    "k-means": on_matrices(
        KMeansTree(2, 2, random_state=0), lambda one: one.tree_.to_text()
    ),
    "hybrid": Case(
        TrieTreeHybrid(1, 3, 2, random_state=0),
        lambda one, i: one.fit(label_names=TEXTS[i]),
        lambda one: one.tree_.to_text(),
    ),
    "words": on_texts(WordNgramTfidf(), *OF_VECTORIZERS),
    "characters": on_texts(CharNgramTfidf(), *OF_VECTORIZERS),
    "prefixes": on_texts(PrefixWeightedCharTfidf(), *OF_VECTORIZERS),
    "completer": Case(
        QueryCompleter(random_state=0, prefixes_per_query=1),
        fit_completer,
        *OF_COMPLETERS,
    ),
    "fuzzy": Case(
        QueryCompleter(match="fuzzy", classifier_weight=0),
        fit_completer,
        *OF_COMPLETERS,
    ),
    "popular": Case(baselines.PopularCompleter(), fit_completer, *OF_COMPLETERS),
    "bigram": Case(baselines.BigramCompleter(), fit_completer, *OF_COMPLETERS),
}
