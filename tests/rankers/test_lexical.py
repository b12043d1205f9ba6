"""Lexical ranking: BM25 against a slow twin, restrictions, fields, errors."""

import functools
import pickle
import re
from collections import Counter

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skxmr import LabelTexts, LexicalRanker, TextRetriever, rank
from skxmr._lexical import _searching

NAMES = ["green tea", "black tea with lemon", "rye bread", "Tea, tea and more tea"]
WORDS = ["tea", "rye", "a", "öl", "lemon", "茶"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


def letters(number):
    """Write a number as a word without digits, which is a single term."""
    return "w" + str(number).translate(str.maketrans("0123456789", "abcdefghij"))


def no_labels(n_labels):
    return sparse.csr_array((0, n_labels), dtype=np.int8)


def index(label_texts, **parameters):
    """A ranker of label texts alone."""
    ranker = LexicalRanker(**parameters)
    return ranker.fit([], no_labels(len(label_texts)), label_texts=label_texts)


def slow_bm25(fields, query, k1=1.2, b=0.75, weights=None):
    """Score each label by the formula: a list of documents for each field."""
    scores = np.zeros(len(fields[0]))
    for documents, weight in zip(fields, weights or [1] * len(fields), strict=True):
        counts = [Counter(re.findall(r"\w+", one.lower())) for one in documents]
        lengths = np.array([sum(count.values()) for count in counts])
        for term in re.findall(r"\w+", query.lower()):
            tf = np.array([count[term] for count in counts])
            df = (tf > 0).sum()
            idf = np.log(1 + (len(tf) - df + 0.5) / (df + 0.5))
            norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9))
            scores += weight * idf * tf * (k1 + 1) / np.where(tf, tf + norm, 1)
    return scores


def check_ranking(found, expected, k):
    """Compare with the scores of all labels: equal up to the order of near-ties."""
    columns, scores = found
    assert (columns >= 0).sum() == min(k, (expected > 0).sum())
    kept = columns[columns >= 0]
    assert len(set(kept.tolist())) == len(kept)
    best = np.sort(expected)[::-1][: len(kept)]
    np.testing.assert_allclose(scores[: len(kept)], best, rtol=1e-5)
    np.testing.assert_allclose(scores[: len(kept)], expected[kept], rtol=1e-5)
    assert (scores[len(kept) :] == 0).all()


@settings(deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=30),
    st.lists(TEXTS, min_size=1, max_size=4),
    st.integers(1, 40),
    st.sampled_from([(1.2, 0.75), (0.0, 0.5), (2.0, 0.0), (0.9, 1.0)]),
)
def test_scores_are_bm25(label_texts, queries, k, parameters):
    label_texts = [*label_texts, "tea"]
    k1, b = parameters
    ranker = index(label_texts, k1=k1, b=b)
    for query, *found in zip(queries, *ranker.rank(queries, k), strict=True):
        expected = slow_bm25([label_texts], query, k1, b)
        check_ranking(found, expected, k)
        for one, other in zip(ranker.rank_one(query, k), found, strict=True):
            np.testing.assert_array_equal(one, other)


@settings(deadline=None)
@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=2, max_size=12),
    st.lists(st.tuples(TEXTS, st.integers(0, 1)), min_size=1, max_size=9),
    TEXTS,
)
def test_fields_are_added_with_their_weights(label_texts, rows, query):
    label_texts[0] = ("tea rye", "lemon")
    texts, labels = map(list, zip(*rows, strict=True))
    Y = sparse.csr_array(np.eye(len(label_texts), dtype=np.int8)[labels])
    weights = [2.0, 0.5, 0.25]
    ranker = LexicalRanker(field_weights=weights).fit(texts, Y, label_texts=label_texts)
    fields = [list(field) for field in zip(*label_texts, strict=True)]
    of_labels = ["" for _ in label_texts]
    for text, label in rows:
        of_labels[label] += f" {text}"
    expected = slow_bm25([*fields, of_labels], query, weights=weights)
    check_ranking(ranker.rank_one(query, 20), expected, 20)


@functools.cache
def pruned_searches():
    """Give a ranker, the scores of all labels for each query, and a mask of labels."""
    # Frequent and rare words, so that labels are skipped.
    rng = np.random.default_rng(0)
    frequencies = 1 / np.arange(1, 301)
    frequencies /= frequencies.sum()
    words = [letters(i) for i in range(300)]
    label_texts = [
        " ".join(rng.choice(words, rng.integers(1, 12), p=frequencies))
        for _ in range(4_000)
    ]
    ranker = index(label_texts)
    assert ranker._state.index.offsets[-1] > 10_000
    queries = [" ".join(rng.choice(words, 4, replace=False)) for _ in range(60)]
    queries += [f"{words[0]} {words[1]} {words[2]}", f"{words[0]} {words[299]}"]
    queries += [f"{words[0]} {words[0]} {words[250]}"]
    expected = {query: slow_bm25([label_texts], query) for query in queries}
    return ranker, expected, rng.random(len(label_texts)) < 0.1


@pytest.mark.parametrize("k", [1, 3, 10, 100])
def test_pruned_searches_are_exact(k):
    ranker, expected, mask = pruned_searches()
    for query, scores in expected.items():
        check_ranking(ranker.rank_one(query, k), scores, k)
    for query, scores in list(expected.items())[-20:]:
        found = ranker.rank_one(query, k, allowed=mask)
        check_ranking(found, np.where(mask, scores, 0), k)


def test_frequent_words_are_not_read_where_rare_ones_decide():
    label_texts = ["common"] * 20_000 + ["common rare"] * 20
    ranker = index(label_texts)
    ranker.rank_one("common rare", 10)
    with ranker._state.index.searchers.lend() as searcher:
        assert searcher.n_read < 1_000


def test_label_weights_multiply_scores():
    ranker = index(NAMES)
    popularity = np.array([3.0, 0.5, 1.0, 0.0])
    expected = slow_bm25([NAMES], "tea lemon") * popularity
    check_ranking(ranker.rank_one("tea lemon", label_weights=popularity), expected, 10)
    columns, scores = ranker.rank(["tea lemon"], label_weights=popularity.tolist())
    check_ranking((columns[0], scores[0]), expected, 10)
    found = ranker.rank_one("tea lemon", excluded=[0], label_weights=popularity)
    check_ranking(found, np.where([0, 1, 1, 1], expected, 0), 10)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], r"shape \(2,\); expected \(4,\)"),
        ([1.0, -1.0, 0.0, 1.0], r"label_weights\[1\] is -1.0"),
        ([1.0, np.nan, 0.0, 1.0], r"label_weights\[1\] is nan"),
        ("abcd", "label_weights must be numbers"),
    ],
)
def test_bad_label_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        index(NAMES).rank_one("tea", label_weights=weights)


def test_restricted_rankings():
    ranker = index(NAMES)
    subset = ranker.subset([0, 2])
    for allowed in (subset, [2, 0], np.array([True, False, True, False])):
        columns, _ = rank(ranker, ["tea bread"], 4, allowed=allowed)
        assert sorted(columns[0].tolist()) == [-1, -1, 0, 2]
    assert ranker.rank_one("tea", excluded=[3, 1])[0].tolist()[:2] == [0, -1]
    with pytest.raises(ValueError, match="another estimator"):
        index(NAMES).rank(["tea"], allowed=subset)


def test_a_text_without_a_known_term_finds_nothing():
    columns, scores = index(NAMES).rank(["coffee", "", "tea"], 2)
    assert (columns[:2] == -1).all()
    assert (scores[:2] == 0).all()
    assert columns[2, 0] == 3


def test_ties_are_broken_by_label():
    columns, _ = index(["tea"] * 50).rank(["tea"], 20)
    assert columns[0].tolist() == list(range(20))


def test_training_texts_alone():
    ranker = LexicalRanker().fit(["an apple", "one beer", "dark beer"], list("fdd"))
    assert ranker.predict(["dark apple beer", "apple"]).tolist() == ["d", "f"]
    decision = ranker.decision_function(["beer", "apple", "x"])
    assert decision[0] < 0 < decision[1]
    assert decision[2] == 0
    assert np.isclose(ranker.predict_proba(["beer"]).sum(), 1)


def test_classes_without_training_texts():
    texts = LabelTexts({"g": ("grain", "corn"), "f": "fruit"})
    ranker = LexicalRanker().fit(["an apple", "beer"], ["f", "d"], label_texts=texts)
    assert ranker.classes_.tolist() == ["d", "f", "g"]
    assert ranker.predict(["corn", "apple"]).tolist() == ["g", "f"]
    ranker = LexicalRanker().fit([], [], label_texts=texts)
    assert ranker.predict(["corn"]).tolist() == ["g"]


@pytest.mark.parametrize("as_target", [np.asarray, sparse.csr_array])
def test_indicators_come_out_as_they_went_in(as_target):
    ranker = LexicalRanker().fit(["green tea", "rye bread"], as_target(np.eye(2)))
    for method in ("predict", "predict_proba", "decision_function"):
        made = getattr(ranker, method)(["tea", "rye bread"])
        assert sparse.issparse(made) == (as_target is not np.asarray)
        assert made.shape == (2, 2)
    raw = ranker.decision_function(["tea", "rye bread"])
    raw = raw.toarray() if sparse.issparse(raw) else raw
    _, scores = ranker.rank(["tea", "rye bread"], 1)
    np.testing.assert_array_equal(raw.max(axis=1), scores[:, 0])
    shares = ranker.predict_proba(["tea", "rye bread"])
    shares = shares.toarray() if sparse.issparse(shares) else shares
    assert (shares.max(axis=1) > 0.99).all()
    assert (shares.min(axis=1) == 0).all()


def test_characters_find_misspelt_words():
    ranker = index(["refrigerator", "lemonade", "bread"], analyzer="char")
    assert ranker.rank_one("refrigrator")[0][0] == 0
    both = index(NAMES, analyzer=["word", "char"])
    words, trigrams = index(NAMES), index(NAMES, analyzer="char")
    dense = [one.decision_function(["black tea"]) for one in (both, words, trigrams)]
    dense = [one.toarray() for one in dense]
    np.testing.assert_allclose(dense[0], dense[1] + dense[2], rtol=1e-5)


def stem(words):
    return [word.removesuffix("s") for word in words]


def test_a_filter_of_tokens_applies_to_labels_and_queries():
    ranker = index(["green teas", "bread"], token_filter=stem)
    assert ranker.rank_one("tea breads")[0].tolist()[:2] == [1, 0]
    assert pickle.loads(pickle.dumps(ranker)).rank_one("tea")[0][0] == 0
    with pytest.raises(ValueError, match="token_filter must return a list of str"):
        index(["green teas", "bread"], token_filter=len)


def test_explanations_add_up():
    ranker = LexicalRanker(field_weights=[3.0, 1.0]).fit(
        ["hot drink"],
        [[1, 0, 0, 0]],
        label_texts=NAMES,
    )
    query = "hot hot green tea"
    columns, scores = ranker.rank_one(query)
    for column, score in zip(columns[:3], scores, strict=False):
        why = ranker.explain(query, column)
        assert np.isclose(why.score, score, rtol=1e-5)
        parts = [term.score for term in why.terms]
        assert parts == sorted(parts, reverse=True)
    why = ranker.explain(query, 0)
    assert {(term.term, term.field) for term in why.terms} == {
        ("hot", "training"),
        ("green", "text"),
        ("tea", "text"),
    }
    assert [term.query_count for term in why.terms if term.term == "hot"] == [2]
    assert "green (text, 1 time" in str(why)
    assert ranker.explain(query, 2).score == 0
    with pytest.raises(ValueError, match="label holds 9"):
        ranker.explain(query, 9)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(_searching, "_ROWS_OF_TASK", 3)
    queries = [f"{first} {second}" for first in WORDS for second in WORDS]
    one = index(NAMES, n_jobs=1)
    two = index(NAMES, n_jobs=2)
    for found, other in zip(one.rank(queries), two.rank(queries), strict=True):
        np.testing.assert_array_equal(found, other)


def test_a_mapped_model_gives_the_same_answers(tmp_path):
    ranker = LexicalRanker(["word", "char"]).fit(NAMES, list("abca"))
    joblib.dump(ranker, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert isinstance(mapped._state.index.labels, np.memmap)
    for found, other in zip(mapped.rank(NAMES), ranker.rank(NAMES), strict=True):
        np.testing.assert_array_equal(found, other)


def test_many_different_lengths_have_wide_codes(monkeypatch):
    narrow = index(NAMES)
    monkeypatch.setattr("skxmr._lexical._bm25._MOST_NARROW", 1)
    monkeypatch.setattr("skxmr._lexical._bm25._MOST_MARKS", 1)
    wide = index(NAMES)
    assert wide._state.index.codes.dtype == np.uint32
    for found, other in zip(narrow.rank(NAMES), wide.rank(NAMES), strict=True):
        np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"analyzer": "letters"}, "analyzer must be 'word', 'char'"),
        ({"analyzer": []}, "analyzer must be 'word', 'char'"),
        ({"analyzer": ["word", "word"]}, "each once"),
        ({"k1": -1.0}, "k1"),
        ({"b": 1.5}, "b"),
        ({"field_weights": [1.0, 2.0, 3.0]}, "has 3 weights; expected 1"),
        ({"field_weights": [-1.0]}, r"field_weights\[0\]"),
        ({"field_weights": [0.0]}, "all 0"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        index(NAMES, **parameters)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="neither texts nor label_texts"):
        LexicalRanker().fit([], no_labels(3))
    with pytest.raises(ValueError, match="None of the 2 texts"):
        index(["", "?!"])
    with pytest.raises(ValueError, match="single"):
        index(NAMES).rank("tea")
    with pytest.raises(TypeError, match="text"):
        index(NAMES).rank_one(3)


@pytest.mark.parametrize("name", ["labels", "codes", "offsets", "table", "peaks"])
def test_damaged_arrays_are_refused(name):
    ranker = index(NAMES)
    arrays = ranker._state.index
    damaged = getattr(arrays, name).copy()
    damaged[0] = 250 if name != "peaks" else np.nan
    if name == "table":
        damaged[0] = -1
    setattr(arrays, name, damaged)
    with pytest.raises(ValueError, match="damaged"):
        pickle.loads(pickle.dumps(ranker))


def test_unknown_words_are_corrected():
    ranker = index(NAMES)
    assert ranker.rank_one("lemmon")[0][0] == -1
    ranker.set_params(correct_spelling=True)
    columns, scores = ranker.rank_one("bleck lemmon")
    assert columns.tolist()[:2] == [1, -1]
    exact = ranker.rank_one("black lemon")[1][0]
    assert np.isclose(scores[0], 0.8 * exact)
    for found, other in zip(
        ranker.rank(["bleck lemmon", "tea"]), (columns, scores), strict=True
    ):
        np.testing.assert_array_equal(found[0], other)
    assert [term.query_count for term in ranker.explain("lemmon", 1).terms] == [
        pytest.approx(0.8)
    ]
    # Known words stay what they are.
    plain = index(NAMES)
    for one, other in zip(
        ranker.rank(["black tea"]), plain.rank(["black tea"]), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_did_you_mean():
    ranker = index([*NAMES, "Crème brûlée"])
    assert ranker.did_you_mean("Gren  Tea!") == "green tea"
    assert ranker.did_you_mean("creme brulée") == "crème brûlée"
    assert ranker.did_you_mean("green tea") is None
    assert ranker.did_you_mean("xyz qqqqqq") is None
    assert ranker.did_you_mean("") is None
    with pytest.raises(ValueError, match="analyzer 'word'"):
        index(NAMES, analyzer="char").did_you_mean("tea")


def test_the_last_word_may_be_a_prefix():
    ranker = index(["green tea", "green teapot", "bread", "breadcrumb"], prefix=True)
    for text in ("tea", "gree tea"):
        columns, scores = ranker.rank_one(text)
        assert columns.tolist()[:3] == [0, 1, -1]
        assert scores[1] > 0
    assert ranker.rank_one("tea ")[0].tolist()[:2] == [0, -1]
    assert ranker.rank_one("brea green")[0].tolist()[:3] == [0, 1, -1]
    assert ranker.rank_one("b")[0].tolist()[:3] == [2, 3, -1]
    both = index(NAMES, prefix=True, correct_spelling=True)
    assert both.rank_one("lemmon")[0][0] == 1
    assert both.rank_one("gree")[0][0] == 0


def test_only_the_most_frequent_completions_are_searched_for():
    label_texts = [letters(f"{i:03}") for i in range(200)] + [letters(150)]
    columns, _ = index(label_texts, prefix=True).rank_one("w", 200)
    assert (columns >= 0).sum() == 64 + 1
    assert {150, 200} <= set(columns.tolist())


@pytest.mark.parametrize("name", ["correct_spelling", "prefix"])
def test_expansion_needs_words(name):
    ranker = index(NAMES, analyzer="char").set_params(**{name: True})
    with pytest.raises(ValueError, match="need the analyzer 'word'"):
        ranker.rank(["tea"])


def test_expansion_with_several_analyzers():
    ranker = index(NAMES, analyzer=["char", "word"], correct_spelling=True)
    why = ranker.explain("lemmon", 1)
    assert ("lemon", "word") in [(term.term, term.analyzer) for term in why.terms]


JOINED = [
    *("B-12/3 valve", "A-12/3 valve", "T-shirt", "teapot", "Screw 10 mm"),
    *("Wi-Fi router", "Ürün-7 Çay", "東京都庁舎", "ที่ดินสวย", "서울특별시청"),
]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("A12/3 valve", "A-12/3 valve"),
        ("a 12/3", "A-12/3 valve"),
        ("B12/3", "B-12/3 valve"),
        ("tshirt", "T-shirt"),
        ("t shirt", "T-shirt"),
        ("tea-pot", "teapot"),
        ("tea/pot", None),
        ("wifi", "Wi-Fi router"),
        ("wi fi", "Wi-Fi router"),
        ("10mm", "Screw 10 mm"),
        ("screw 10-mm", "Screw 10 mm"),
        ("ürün7", "Ürün-7 Çay"),
        ("都庁", "東京都庁舎"),
        ("ดิน", "ที่ดินสวย"),
        ("특별시", "서울특별시청"),
    ],
)
@pytest.mark.parametrize("correct_spelling", [False, True])
def test_words_are_found_however_they_are_joined(query, best, correct_spelling):
    ranker = index(JOINED, correct_spelling=correct_spelling)
    columns, scores = ranker.rank_one(query, 1)
    assert columns[0] == (-1 if best is None else JOINED.index(best))
    many_columns, many_scores = ranker.rank([query], 1)
    np.testing.assert_array_equal(many_columns[0], columns)
    np.testing.assert_array_equal(many_scores[0], scores)


def test_units_are_the_same_with_and_without_a_space():
    ranker = index(["Screw 10 mm", "Screw 10mm", "Screw 12 mm"])
    for query in ("10 mm", "10mm"):
        columns, scores = ranker.rank_one(query, 3)
        assert columns.tolist() == [0, 1, 2]
        assert scores[0] == scores[1] > scores[2]


def test_misspelt_words_among_joined_ones():
    ranker = index(JOINED, correct_spelling=True)
    for query, best in [("vlave a12", "A-12/3 valve"), ("tshrt", "T-shirt")]:
        assert ranker.rank_one(query, 1)[0][0] == JOINED.index(best)
    assert ranker.did_you_mean("A12/3 vlave 10mm") == "a12 3 valve 10mm"
    assert ranker.did_you_mean("t-shrt") == "t shirt"
    assert ranker.did_you_mean("tshrt 京都") == "tshirt 京都"
    assert ranker.did_you_mean("東京都庁舍 ที่ดน A-12/3") is None


def test_the_last_word_may_be_incomplete_among_joined_ones():
    ranker = index(JOINED, prefix=True)
    for query, best in [
        ("a12/3 va", "A-12/3 valve"),
        ("tsh", "T-shirt"),
        ("t-sh", "T-shirt"),
        ("10m", "Screw 10 mm"),
        ("東", "東京都庁舎"),
        ("東京", "東京都庁舎"),
    ]:
        assert ranker.rank_one(query, 1)[0][0] == JOINED.index(best)


def test_token_filters_get_joined_words_and_their_parts():
    seen = []

    def filtered(words):
        seen.append(words)
        return ["screw" if word == "bolt" else word for word in words]

    ranker = index(JOINED, token_filter=filtered)
    columns, _ = ranker.rank_one("Bolt, 10mm", 1)
    assert columns[0] == JOINED.index("Screw 10 mm")
    assert seen[-1] == ["bolt", "10", "mm", "10mm"]


def test_explanations_show_words_that_can_be_read():
    ranker = index(JOINED, analyzer=["word", "char"])
    explained = ranker.explain("A12/3 東京都", JOINED.index("A-12/3 valve"))
    words = {term.term for term in explained.terms if term.analyzer == "word"}
    assert words == {"a", "12", "3", "a12"}
    explained = ranker.explain("A12/3 東京都", JOINED.index("東京都庁舎"))
    words = {term.term for term in explained.terms if term.analyzer == "word"}
    assert words == {"東京", "京都"}


@pytest.mark.parametrize("Ranker", [LexicalRanker, TextRetriever])
def test_label_weights_are_read_by_their_index(Ranker):
    texts = ["red sofa", "red lamp", "red rug"]
    names = {"a": "sofa red", "b": "lamp red", "c": "rug red"}
    ranker = Ranker().fit(texts, list(names), label_texts=names)
    weights = pd.Series({"c": 1.0, "z": 9.0, "b": 0.0, "a": 0.5})
    expected = ranker.rank(["red"], 3, label_weights=[0.5, 0.0, 1.0])
    for found in (
        ranker.rank(["red"], 3, label_weights=weights),
        ranker.rank(["red"], 3, label_weights=pd.Series([0.5, 0.0, 1.0])),
    ):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"label_weights.*lacks the label 'a'"):
        ranker.rank(["red"], 3, label_weights=weights.drop("a"))
    twice = pd.concat([weights, weights])
    with pytest.raises(ValueError, match=r"label_weights.*holds a label twice"):
        ranker.rank(["red"], 3, label_weights=twice)


def test_single_searches_follow_the_parameters():
    names = [("green tea", "bread"), ("bread", "green tea")]
    ranker = LexicalRanker(field_weights=(1, 0)).fit(
        [], np.zeros((0, 2)), label_texts=names
    )
    assert ranker.rank_one("tea", 1)[0].tolist() == [0]
    assert "_last_search" not in ranker._state.__getstate__()
    for weights in ((0, 1), [0, 1], None, np.array([0.0, 1.0])):
        ranker.set_params(field_weights=weights)
        for _ in range(2):
            expected = ranker.rank(["tea"], 2)
            for got, wanted in zip(ranker.rank_one("tea", 2), expected, strict=True):
                np.testing.assert_array_equal(got, wanted[0])
    weights = [0, 1]
    ranker.set_params(field_weights=weights)
    assert ranker.rank_one("tea", 1)[0].tolist() == [1]
    weights.reverse()
    assert ranker.rank_one("tea", 1)[0].tolist() == [0]
    ranker.set_params(field_weights=None)
    assert ranker.rank_one("gren", 1)[0].tolist() == [-1]
    ranker.set_params(correct_spelling=True)
    assert ranker.rank_one("gren", 1)[0].tolist() == [0]
    ranker.set_params(prefix="no")
    with pytest.raises(ValueError, match="prefix"):
        ranker.rank_one("tea")
