"""Every estimator that may take seconds shows its progress, if asked to."""

import logging

import pytest
from scipy import sparse

from skxmr import (
    KMeansTree,
    LabelThresholdCV,
    LexicalRanker,
    NeighborRanker,
    QueryCompleter,
    RankFusion,
    Reranker,
    TextRetriever,
    TrieTreeHybrid,
    XRLinearClassifier,
)
from skxmr.text import CharNgramTfidf, PrefixWeightedCharTfidf, WordNgramTfidf

TEXTS = ["green tea", "black tea", "rye bread", "white bread"] * 3
LABELS = ["tea", "tea", "bread", "bread"] * 3
X = sparse.csr_array([[1.0, 0, 1], [0, 1, 1], [1, 1, 0], [0, 1, 0]] * 3)
Y = sparse.csr_array([[1, 0], [1, 0], [0, 1], [0, 1]] * 3)

FITS = {
    WordNgramTfidf: (TEXTS,),
    CharNgramTfidf: (TEXTS,),
    PrefixWeightedCharTfidf: (TEXTS,),
    KMeansTree: (X,),
    XRLinearClassifier: (X, Y),
    TextRetriever: (TEXTS, LABELS),
    LexicalRanker: (TEXTS, LABELS),
    QueryCompleter: (TEXTS,),
}


def make(kind, **parameters):
    if kind is RankFusion:
        members = [("a", XRLinearClassifier()), ("b", NeighborRanker())]
        return RankFusion(members, **parameters)
    if kind in (LabelThresholdCV, Reranker):
        return kind(XRLinearClassifier(), **parameters)
    return kind(**parameters)


def fit(estimator):
    if isinstance(estimator, TrieTreeHybrid):
        return estimator.fit(label_names=["a", "b"])
    return estimator.fit(*FITS.get(type(estimator), (X, Y)))


KINDS = [*FITS, TrieTreeHybrid, RankFusion, LabelThresholdCV, Reranker]


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_shown_and_changes_nothing(kind, capsys, caplog):
    assert make(kind).verbose == 0
    fit(make(kind))
    assert capsys.readouterr().out == ""
    fit(make(kind, verbose=1))
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("[skxmr] ") for line in lines)
    with caplog.at_level(logging.INFO, logger="skxmr"):
        fit(make(kind))
    assert len(caplog.records) == len(lines)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", KINDS)
def test_verbose_is_checked(kind):
    for bad in (-1, "much", None):
        with pytest.raises(ValueError, match="The 'verbose' parameter"):
            fit(make(kind, verbose=bad))


def test_a_retriever_tells_what_its_stages_do(capsys):
    texts = [f"{word} {i}" for i, word in enumerate(TEXTS * 200)]
    label_texts = {"tea": "leaves to drink", "bread": "a loaf to eat"}
    TextRetriever(verbose=1).fit(texts, LABELS * 200, label_texts=label_texts)
    told = capsys.readouterr().out
    for part in (
        "counting n-grams: 2,402 texts",
        "texts are held out",
        "grouping labels",
        "training",
        "indexing words of labels: 2 labels",
        "combining model and words",
    ):
        assert part in told
