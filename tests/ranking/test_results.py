"""Searches and completions return named tuples."""

import pickle

import numpy as np
import pytest

from skxmr import Completion, QueryCompleter, SearchResult, SearchResults, TextRetriever

TEXTS = ["green tea", "rye bread", "tea and bread"]
NAMES = {"t": "tea", "b": "bread", "x": "both"}


@pytest.fixture(scope="module")
def retriever():
    return TextRetriever(random_state=0).fit(TEXTS, ["t", "b", "x"], label_texts=NAMES)


def test_search_returns_named_tuples(retriever):
    found = retriever.search("green tea", k=2)
    assert all(type(result) is SearchResult for result in found)
    best = found[0]
    assert best == (best.label, best.name, best.score) == ("t", "tea", best.score)
    assert [NAMES[label] for label, _, _ in found] == [result.name for result in found]


def test_batches_are_pairs_with_names(retriever):
    texts = ["green tea", "zzz", "bread"]
    found = retriever.search_batch(texts, k=5)
    columns, scores = found
    assert columns is found.columns
    assert scores is found.scores
    assert isinstance(found, tuple)
    assert columns.shape == scores.shape == (3, 5)
    by_text = found.by_text()
    assert [len(results) for results in by_text] == (columns >= 0).sum(axis=1).tolist()
    for text, results in zip(texts, by_text, strict=True):
        for result, alone in zip(results, retriever.search(text, k=5), strict=True):
            assert type(result) is SearchResult
            assert result[:2] == alone[:2]
            assert result.score == pytest.approx(alone.score)


def test_batches_are_pickled_without_the_model(retriever):
    found = retriever.search_batch(["green tea", "zzz"], k=2)
    data = pickle.dumps(found)
    assert len(data) < len(pickle.dumps(retriever)) / 4
    again = pickle.loads(data)
    assert type(again) is SearchResults
    assert again.by_text() == found.by_text()
    for one, other in zip(again, found, strict=True):
        assert np.array_equal(one, other)


def test_batches_of_columns_have_no_names():
    Y = np.eye(3, dtype=int)
    found = TextRetriever(random_state=0).fit(TEXTS, Y).search_batch(["green"], k=1)
    assert found.by_text()[0][0][:2] == (0, None)


def test_complete_returns_named_tuples():
    completer = QueryCompleter().fit(None, ["green tea", "green tea", "rye"])
    (best,) = completer.complete("gr", k=1)
    assert type(best) is Completion
    assert best == ("green tea", best.score)
    assert completer.complete_batch(["r"])[0][0].query == "rye"
