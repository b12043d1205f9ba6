import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate import bleu_score

from skxmr import metrics

WORDS = st.lists(st.sampled_from(["a", "b", "c", "ä"]), max_size=8)
PHRASES = WORDS.map(" ".join)
ROWS = st.lists(
    st.tuples(PHRASES, st.lists(PHRASES, max_size=12)), min_size=1, max_size=4
)
OF_ROWS = [
    metrics.completion_ranks,
    metrics.completion_reciprocal_rank,
    metrics.completion_success,
    metrics.bleu_reciprocal_rank,
    metrics.bleu_reciprocal_ranks,
]


def nltk_bleu(truth, suggestion):
    smoothing = bleu_score.SmoothingFunction().method1
    return bleu_score.sentence_bleu(
        [truth.split()], suggestion.split(), smoothing_function=smoothing
    )


def slow_bleu_reciprocal_rank(truth, suggestions):
    gain = sum(nltk_bleu(truth, s) / i for i, s in enumerate(suggestions, start=1))
    best = sum(1 / i for i, _ in enumerate(suggestions, start=1))
    return gain / best if suggestions else 0.0


@given(PHRASES, PHRASES)
def test_bleu_is_that_of_nltk(truth, suggestion):
    found = metrics.bleu_reciprocal_rank([truth], [[suggestion]])
    assert found == pytest.approx(nltk_bleu(truth, suggestion), abs=1e-9)


@given(ROWS, st.integers(1, 12))
def test_bleu_is_weighed_by_rank(rows, k):
    truths, suggestions = zip(*rows, strict=True)
    expected = [slow_bleu_reciprocal_rank(truth, found[:k]) for truth, found in rows]
    by_row = metrics.bleu_reciprocal_ranks(truths, suggestions, k)
    np.testing.assert_allclose(by_row, expected, rtol=0, atol=1e-9)
    mean = metrics.bleu_reciprocal_rank(truths, suggestions, k)
    assert mean == pytest.approx(np.mean(expected), abs=1e-9)


@given(ROWS, st.integers(1, 12))
def test_ranks_follow_the_definitions(rows, k):
    truths, suggestions = zip(*rows, strict=True)
    reciprocal, success = [], []
    for truth, found in rows:
        ranks = [i for i, s in enumerate(found[:k], start=1) if s == truth]
        reciprocal.append(1 / ranks[0] if ranks else 0)
        success.append(bool(ranks))
    found = metrics.completion_reciprocal_rank(truths, suggestions, k)
    assert found == pytest.approx(np.mean(reciprocal))
    found = metrics.completion_success(truths, suggestions, k)
    assert found == pytest.approx(np.mean(success))


@pytest.mark.parametrize("metric", OF_ROWS)
def test_scores_beside_the_strings_change_nothing(metric):
    truths = np.array(["echo show", "kindle"])
    suggestions = [["echo", "echo show"], ["kindle fire"]]
    scored = [[(s, 0.5) for s in row] for row in suggestions]
    np.testing.assert_array_equal(metric(truths, scored), metric(truths, suggestions))
    rows = (tuple(row) for row in suggestions)
    np.testing.assert_array_equal(metric(truths, rows), metric(truths, suggestions))


@pytest.mark.parametrize("metric", OF_ROWS)
@pytest.mark.parametrize(
    ("truths", "suggestions", "error", "message"),
    [
        (["a"], [], ValueError, "same number of rows, got 1 and 0"),
        ([], [], ValueError, "at least one row"),
        ("a", [["a"]], TypeError, "truths must hold one item for each row"),
        (["a"], "a", TypeError, "suggestions must hold one item for each row"),
        ([1], [["a"]], TypeError, "truths must be strings, got 1 in row 0"),
        (["a", "b"], [["a"], "b"], TypeError, "got the str 'b' in row 1"),
        (["a"], [[1]], TypeError, "pairs \\(string, score\\), got 1 in row 0"),
        (["a"], [[("a", 1, 2)]], TypeError, "pairs \\(string, score\\)"),
    ],
)
def test_bad_rows_are_refused(metric, truths, suggestions, error, message):
    with pytest.raises(error, match=message):
        metric(truths, suggestions)


@pytest.mark.parametrize("metric", OF_ROWS[1:])
@pytest.mark.parametrize("k", [0, 1.5, None])
def test_bad_k_is_refused(metric, k):
    with pytest.raises(ValueError, match="'k' parameter"):
        metric(["a"], [["a"]], k)


def test_mean_by_takes_any_groups_in_order():
    found = metrics.mean_by([1, 0, 0.5], ["b", "a", "b"])
    assert list(found.items()) == [("a", 0.0), ("b", 0.75)]
    assert metrics.mean_by(np.array([True, False]), [3, 3]) == {3: 0.5}
    assert metrics.mean_by([], []) == {}


@pytest.mark.parametrize(("values", "groups"), [([1, 2], [1]), ([[1]], [[1]]), (1, 1)])
def test_mean_by_refuses_what_does_not_fit(values, groups):
    with pytest.raises(ValueError, match="values and groups must be 1-D"):
        metrics.mean_by(values, groups)


def test_frequency_bins_are_named_by_their_lowest_count():
    counts = [0, 1, 2, 3, 4, 10, 11, 30, 31, 100, 101, 300, 301, 1_000, 1_001]
    bins = [0, 1, 2, 2, 4, 4, 11, 11, 31, 31, 101, 101, 301, 301, 1_001]
    assert metrics.frequency_bins(counts).tolist() == bins
    assert metrics.frequency_bins([]).tolist() == []


@pytest.mark.parametrize("counts", [[-1], [0.5], [[1]], ["1"]])
def test_frequency_bins_refuse_what_is_no_count(counts):
    with pytest.raises(ValueError, match="counts must"):
        metrics.frequency_bins(counts)
