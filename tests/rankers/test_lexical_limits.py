"""Lexical ranking at its limits: sizes, weights, characters, threads, processes."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skxmr import LexicalRanker
from skxmr._lexical import _searching

NAMES = ["green tea", "black tea with lemon", "rye bread", "Tea, tea and more tea"]
WORDS = ["tea", "rye", "a", "öl", "lemon", "茶"]


def no_labels(n_labels):
    return sparse.csr_array((0, n_labels), dtype=np.int8)


def index(label_texts, **parameters):
    """A ranker of label texts alone."""
    ranker = LexicalRanker(**parameters)
    return ranker.fit([], no_labels(len(label_texts)), label_texts=label_texts)


@pytest.mark.parametrize("y", [np.zeros((0, 1)), sparse.csr_array((0, 1))], ids=repr)
def test_a_single_label(y):
    ranker = LexicalRanker().fit([], y, label_texts=["green tea"])
    columns, _ = ranker.rank(["tea", "rye"], 2)
    assert columns.tolist() == [[0, -1], [-1, -1]]
    assert ranker.predict(["tea", "rye"]).shape == (2, 1)
    ranker = LexicalRanker().fit(["green tea"], ["a"])
    assert ranker.predict_proba(["tea", "rye"]).tolist() == [[1.0], [1.0]]
    assert ranker.decision_function(["tea"]).shape == (1, 1)


@pytest.mark.parametrize(
    "y",
    [
        pd.DataFrame(columns=list("abcd")),
        pd.DataFrame(columns=list("abcd"), dtype=int),
        np.empty((0, 4), dtype=object),
        np.empty((0, 4), dtype=str),
        sparse.coo_matrix((0, 4), dtype=bool),
    ],
    ids=["frame", "frame of int", "objects", "strings", "coo"],
)
def test_targets_without_rows(y):
    ranker = LexicalRanker().fit([], y, label_texts=NAMES)
    predicted = ranker.set_params(decision_threshold=0.01).predict(["rye"])
    assert predicted.shape == (1, 4)
    assert predicted.sum() == 1


def test_label_texts_need_labels():
    for texts in ([], NAMES):
        with pytest.raises(ValueError, match="y to be passed, but the target y is No"):
            LexicalRanker().fit(texts, None, label_texts=NAMES)
    with pytest.raises(ValueError, match="label_texts has 4 texts; expected 0"):
        LexicalRanker().fit([], [], label_texts=NAMES)


def test_labels_without_texts_are_never_found():
    ranker = LexicalRanker(prefix=True).fit(
        [], no_labels(4), label_texts=["", "tea", "?!", ("", "rye")]
    )
    assert ranker.rank_one("te")[0].tolist()[:2] == [1, -1]
    assert ranker.rank_one("rye")[0].tolist()[:2] == [3, -1]


def test_counts_beyond_16_bits():
    many = 70_000
    ranker = index(["tea " * many, "tea rye"])
    columns, scores = ranker.rank(["tea", "tea " * many], 2)
    assert columns.tolist() == [[0, 1], [0, 1]]
    np.testing.assert_allclose(scores[1], scores[0] * many, rtol=1e-5)
    assert ranker.explain("tea", 0).terms[0].count == many
    trained = LexicalRanker().fit(["tea " * many] * 2, ["a", "a"])
    assert trained.explain("tea", "a").terms[0].count == 2 * many


STRANGE = ["a\0bcde tea", "x\ud800yzu tea", "😀😀😀 tea", "e\u0301\u0301clair"]


@pytest.mark.parametrize("analyzer", ["word", "char", ["word", "char"]])
def test_texts_of_any_characters(analyzer):
    ranker = index(STRANGE, analyzer=analyzer)
    if analyzer != "char":
        ranker.set_params(prefix=True, correct_spelling=True)
        for text in (*STRANGE, "a\0bcd", "x\udfffyzu", "abcd\udc00", "\0", ""):
            assert isinstance(ranker.did_you_mean(text), (str, type(None)))
    columns, _ = ranker.rank([*STRANGE, "\0", "\ud800\udc00", "a\0bcd"], 4)
    assert columns[[0, 1, 3], 0].tolist() == [0, 1, 3]
    again = pickle.loads(pickle.dumps(ranker))
    np.testing.assert_array_equal(again.rank(STRANGE), ranker.rank(STRANGE))


@pytest.mark.parametrize("k", [10**13, 10**30])
def test_a_k_far_too_large_is_refused_before_anything_is_allocated(k):
    ranker = index(NAMES)
    for call in (lambda: ranker.rank(["tea"], k), lambda: ranker.rank_one("tea", k)):
        with pytest.raises(ValueError, match="far more than the 4 labels"):
            call()


def test_more_labels_asked_for_than_there_are():
    ranker = index(NAMES)
    columns, scores = ranker.rank(["tea"], 9)
    assert columns[0].tolist() == [3, 0, 1, *[-1] * 6]
    assert (scores[0, 3:] == 0).all()
    for one, row in zip(ranker.rank_one("tea", 9), (columns, scores), strict=True):
        np.testing.assert_array_equal(one, row[0])


@pytest.mark.parametrize("parameters", [{}, {"prefix": True}])
def test_no_texts_at_all(parameters):
    for target in (sparse.csr_array(np.eye(4)), np.eye(4), list("abca")):
        ranker = LexicalRanker(**parameters).fit(NAMES, target)
        columns, scores = ranker.rank([], 3)
        assert columns.shape == scores.shape == (0, 3)
        assert ranker.predict([]).shape[0] == 0
        width = len(ranker.classes_)
        for method in (ranker.predict_proba, ranker.decision_function):
            assert method([]).shape == (0, width)


def test_processes_give_the_same_answers(monkeypatch):
    queries = [f"{first} {second}" for first in WORDS for second in WORDS] * 10
    ranker = index(NAMES, correct_spelling=True, prefix=True)
    expected = ranker.rank(queries)
    monkeypatch.setattr(_searching, "_ROWS_OF_TASK", 100)
    with joblib.parallel_config("loky", n_jobs=2):
        ranker.set_params(n_jobs=2)
        np.testing.assert_array_equal(ranker.rank(queries), expected)
        fitted = index(NAMES, n_jobs=2)
    np.testing.assert_array_equal(fitted.rank(queries), index(NAMES).rank(queries))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1e16], r"field_weights\[0\] must be a number from 0 to 1e\+15"),
        ([True], r"field_weights\[0\] must be a number"),
        ([1, [2]], r"field_weights\[1\] must be a number"),
        ({1.0}, "field_weights must be a sequence"),
        ({1.0: 2}, "field_weights must be a sequence"),
        (np.array(1.0), "field_weights must be a sequence"),
        ([1e-60], "field_weights are all 0"),
    ],
)
def test_field_weights_that_are_refused(weights, message):
    ranker = index(NAMES)
    ranker.field_weights = weights
    for call in (lambda: ranker.rank(["tea"]), lambda: ranker.rank_one("tea")):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=message):
        ranker.fit(NAMES, list("abcd"))


def test_the_largest_weights():
    ranker = index(NAMES, field_weights=pd.Series([1e15]))
    weights = [1e15, 0, 1, 1e-15]
    columns, scores = ranker.rank(["tea lemon rye"], label_weights=weights)
    assert columns[0].tolist()[:4] == [0, 2, 3, -1]
    assert np.isfinite(scores).all()
    for bad in (["1"] * 4, [1j] * 4, [None] * 4, [1e16] * 4, {1: 2}):
        with pytest.raises(ValueError, match="label_weights"):
            ranker.rank(["tea"], label_weights=bad)


def test_an_order_of_analyzers_is_needed():
    for analyzer in ({"word", "char"}, {"word": 1}):
        with pytest.raises(ValueError, match="analyzer must be 'word', 'char'"):
            index(NAMES, analyzer=analyzer)


def test_completions_that_all_labels_have_in_all_fields_count():
    fields = [("teapot", "teapot"), ("teapot", "teapot")]
    ranker = LexicalRanker(prefix=True).fit([], no_labels(2), label_texts=fields)
    columns, scores = ranker.rank_one("tea")
    assert columns.tolist()[:2] == [0, 1]
    exact = ranker.set_params(prefix=False).rank_one("teapot")[1]
    np.testing.assert_allclose(scores, exact, rtol=1e-6)
    with pytest.raises(ValueError, match="k1"):
        index(NAMES, k1=1e300)


def test_models_are_saved_while_others_search():
    ranker = index(NAMES, analyzer=["word", "char"], prefix=True)
    expected = ranker.rank_one("lemon t")

    def search():
        for _ in range(200):
            np.testing.assert_array_equal(ranker.rank_one("lemon t"), expected)

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(3)]
        for _ in range(50):
            again = pickle.loads(pickle.dumps(ranker))
            np.testing.assert_array_equal(again.rank_one("lemon t"), expected)
        for one in searches:
            one.result()
