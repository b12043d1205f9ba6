"""A fit that fails or is interrupted leaves the estimator as it was: all of them."""

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from twins import random_sparse

import skxmr
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

TEXTS = [f"word{i % 5} and word{i % 7} of {i}" for i in range(40)]
X = random_sparse(np.random.default_rng(0), (40, 12), density=0.4)
Y = sparse.csr_array((np.ones(40), (np.arange(40), np.arange(40) % 9)))
NAMES = [f"label {i}" for i in range(9)]
CLASSIFIER = XRLinearClassifier(KMeansTree(2, 2), C=0.1, random_state=0)

# What to fit, and what fit takes: first, then again.
CASES = {
    "classifier": (CLASSIFIER, (X, Y), (X[1:], Y[1:])),
    "classes": (CLASSIFIER, (X, TEXTS), (X[1:], TEXTS[1:])),
    "ensemble": (
        clone(CLASSIFIER).set_params(n_trees=2, negative_sampling="matcher"),
        (X, Y),
        (X[1:], Y[1:]),
    ),
    "k-means": (KMeansTree(2, 2, random_state=0), (X,), (X[1:],)),
    "hybrid": (TrieTreeHybrid(7, 3, 4, random_state=0), (X,), (X[1:],)),
    "words": (WordNgramTfidf(), (TEXTS,), (TEXTS[1:],)),
    "characters": (CharNgramTfidf(), (TEXTS,), (TEXTS[1:],)),
    "prefixes": (PrefixWeightedCharTfidf(), (TEXTS,), (TEXTS[1:],)),
    "retriever": (
        TextRetriever(classifier=CLASSIFIER),
        (TEXTS, Y),
        (TEXTS[1:], Y[1:]),
    ),
    "completer": (
        QueryCompleter(random_state=0),
        (TEXTS, TEXTS[::-1]),
        (TEXTS[1:], TEXTS[1:]),
    ),
    "neighbors": (NeighborRanker(), (X, Y), (X[1:], Y[1:])),
    "lexical": (
        LexicalRanker(["word", "char"], correct_spelling=True),
        (TEXTS, Y),
        (TEXTS[1:], Y[1:]),
    ),
    "fusion": (
        RankFusion([("linear", CLASSIFIER), ("near", NeighborRanker())]),
        (X, Y),
        (X[1:], Y[1:]),
    ),
    "reranker": (
        Reranker(
            CLASSIFIER, LogisticRegression(), n_candidates=3, cv=2, random_state=0
        ),
        (X, Y),
        (X[1:], Y[1:]),
    ),
    "calibrator": (
        SparseCalibrator(CLASSIFIER, cv=2, random_state=0),
        (X, Y),
        (X[1:], Y[1:]),
    ),
    "thresholds": (
        LabelThresholdCV(CLASSIFIER, cv=2, random_state=0),
        (X, Y),
        (X[1:], Y[1:]),
    ),
    "candidates": (CandidateFeatures(), (X, Y), (X[1:], Y[1:])),
    "popular": (
        baselines.PopularCompleter(),
        (TEXTS, TEXTS[::-1]),
        (TEXTS[1:], TEXTS[1:]),
    ),
    "bigram": (
        baselines.BigramCompleter(),
        (TEXTS, TEXTS[::-1]),
        (TEXTS[1:], TEXTS[1:]),
    ),
}
OPTIONS = {
    "hybrid": ({"label_names": TEXTS}, {"label_names": TEXTS[1:]}),
    "lexical": ({"label_texts": NAMES}, {"label_texts": NAMES[::-1]}),
}
FOLDER = str(Path(skxmr.__file__).parent)
cases = pytest.mark.parametrize("name", CASES)

# Ctrl-C comes at so many moments of a fit, evenly spread over its calls.
N_MOMENTS = 12


def test_no_estimator_is_forgotten():
    public = {getattr(skxmr, name) for name in skxmr.__all__}
    public |= {getattr(baselines, name) for name in baselines.__all__}
    estimators = {
        one for one in public if isinstance(one, type) and hasattr(one, "fit")
    }
    assert {type(estimator) for estimator, *_ in CASES.values()} == estimators


GENERATOR = inspect.CO_GENERATOR


class Interruption:
    """Raises KeyboardInterrupt at a call of a function of ours; counts them all.

    Generators are left alone: Python calls them to close them too, where nobody sees
    an error.
    """

    def __init__(self, at=None):
        self.at = at
        self.n_calls = 0

    def __call__(self, frame, event, argument):
        code = frame.f_code
        if event != "call" or code.co_flags & GENERATOR or not is_ours(code):
            return
        self.n_calls += 1
        if self.n_calls == self.at:
            sys.setprofile(None)
            raise KeyboardInterrupt

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)


def is_ours(code):
    return code.co_filename.startswith(FOLDER)


def state_of(estimator):
    """All attributes but locks, those of estimators among the parameters too."""
    nested = estimator.get_params(deep=True).values()
    return [
        dict(one.__getstate__())
        for one in (estimator, *nested)
        if hasattr(one, "get_params")
    ]


def assert_unchanged(estimator, before):
    for now, then in zip(state_of(estimator), before, strict=True):
        assert now.keys() == then.keys()
        assert [name for name in now if now[name] is not then[name]] == []


def fit(estimator, name, again):
    options = OPTIONS.get(name, ({}, {}))[again]
    return estimator.fit(*CASES[name][1 + again], **options)


@pytest.mark.parametrize("again", [False, True])
@cases
def test_an_interrupted_fit_changes_nothing(name, again):
    estimator = clone(CASES[name][0])
    whole = clone(estimator)
    for one in (estimator, whole)[not again :]:
        fit(one, name, again=False)
    before = state_of(estimator)
    fit(whole, name, again)  # what is only made once is made
    if not again:
        whole = clone(whole)
    with Interruption() as counted:
        fit(whole, name, again)
    moments = np.linspace(1, counted.n_calls - 1, N_MOMENTS).astype(int)
    for at in np.unique(moments).tolist():
        with pytest.raises(KeyboardInterrupt), Interruption(at):
            fit(estimator, name, again)
        assert_unchanged(estimator, before)
    fit(estimator, name, again)
    with pytest.raises(AssertionError):
        assert_unchanged(estimator, before)


@cases
def test_a_fit_of_bad_input_changes_nothing(name):
    estimator = fit(clone(CASES[name][0]), name, again=False)
    before = state_of(estimator)
    for bad in (None, 3, [[[1]]], ["a", 1]):
        with pytest.raises((ValueError, TypeError)):
            estimator.fit(*[bad] * len(CASES[name][1]))
        assert_unchanged(estimator, before)
