"""Features of candidates, by the kernel and by plain Python."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skxmr._cython._candidates import CandidateScorer

from skxmr import LexicalRanker
from skxmr._fusion._evidence import (
    FEATURES,
    Findings,
    LabelEvidence,
    pack_names,
    words_spaced,
)
from skxmr._lexical._expansion import Expansion

NAMES = ["green tea", "black tea with lemon", "rye bread", "Rye-bread, sliced", "tea"]
TEXTS = ["a hot drink", "lemon tea", "toast", "toast and tea", "a drink"]
LABELS = [0, 1, 2, 3, 4]
WORDS = ["tea", "rye", "bread", "lemon", "toast", "drink", "zzz", "gren", "hot"]


@pytest.fixture(scope="module", params=[True, False])
def ranker(request):
    if request.param:
        return LexicalRanker().fit(TEXTS, LABELS, label_texts=NAMES)
    return LexicalRanker().fit([], np.zeros((0, 5)), label_texts=NAMES)


def make_evidence(ranker, counts=(1, 2, 3, 4, 0)):
    log_counts = np.log1p(counts).astype(np.float32)
    return LabelEvidence(ranker._state, pack_names(NAMES), log_counts)


def find(ranker, texts, model, lexical):
    queries = ranker._state.terms.of_texts(texts, Expansion(True, False))
    return Findings.of(texts, queries, model, lexical)


def trigrams(spaced):
    cut = [spaced[i : i + 3] for i in range(len(spaced) - 2)]
    return [one for one in cut if one[1] != " "]


def expected_features(
    ranker, text, label, log_score, names=NAMES, counts=(1, 2, 3, 4, 0)
):
    """The features by their definitions, one after the other."""
    index, terms = ranker._state.index, ranker._state.terms
    query = terms.of_text(text, Expansion(True, False))
    bm25, shares, weights = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for term, count in zip(query.terms.tolist(), query.counts.tolist(), strict=True):
        for field in range(index.n_fields):
            idf = index.inverse_document_frequency(term, field)
            weights[field] += count * idf
            if posting := index.posting(term, field, label):
                shares[field] += count * idf
                bm25[field] += count * idf * posting[1]
    spaced, name = words_spaced(text), words_spaced(names[label])
    of_text, of_name = set(trigrams(spaced)), trigrams(name)
    n_common = len(of_text & set(of_name))
    coverage = [
        part / whole if whole else 0
        for part, whole in zip(shares, weights, strict=True)
    ]
    return {
        "model": log_score or 0,
        "reached": float(log_score is not None),
        "text": bm25[0],
        "training": bm25[1],
        "log_text": math.log1p(bm25[0]),
        "log_training": math.log1p(bm25[1]),
        "text_gain": math.log((1 + sum(bm25)) / (1 + bm25[1])),
        "text_coverage": coverage[0],
        "training_coverage": coverage[1],
        "similarity": n_common / math.sqrt(max(1, len(of_text) * len(of_name))),
        "containment": n_common / max(1, len(of_name)),
        "same_name": float(spaced == name),
        "log_count": math.log1p(counts[label]),
    }


@given(
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    model=st.lists(st.sampled_from(range(5)), unique=True),
    lexical=st.lists(st.sampled_from(range(5)), unique=True),
)
def test_features_are_as_defined(ranker, words, model, lexical):
    text = " ".join(words)
    scores = np.linspace(0.9, 0.1, len(model) + 1)
    ranking = np.array([[*model, -1]]), scores[np.newaxis]
    findings = find(ranker, [text], ranking, np.array([[*lexical, -1]]))
    candidates = make_evidence(ranker).describe(findings)
    assert candidates.columns.tolist() == sorted({*model, *lexical})
    assert candidates.offsets.tolist() == [0, len(candidates.columns)]
    for column, row in zip(
        candidates.columns.tolist(), candidates.features, strict=True
    ):
        log_score = None
        if column in model:
            log_score = math.log(scores[model.index(column)])
        expected = expected_features(ranker, text, column, log_score)
        assert tuple(expected) == FEATURES
        np.testing.assert_allclose(row, list(expected.values()), rtol=1e-5, atol=1e-7)


def test_features_of_many_labels_are_as_defined():
    """Short and long lists, labels of equal hashes, and texts of many trigrams."""
    names = [f"tea {i % 3} {'rye' * (i % 100 == 7)} {i}" for i in range(9000)]
    ranker = LexicalRanker().fit([], np.zeros((0, 9000)), label_texts=names)
    packed, log_counts = pack_names(names), np.zeros(9000, dtype=np.float32)
    evidence = LabelEvidence(ranker._state, packed, log_counts)
    columns = np.array([[0, 7, 8192, 8199, 8307, 8999]])
    model = columns, np.full(columns.shape, 0.5)
    none = np.full((1, 1), -1)
    for text in ["tea rye 7 8192", "tea " + " ".join(names[7:60])]:
        found = evidence.describe(find(ranker, [text], model, none))
        assert found.columns.tolist() == columns[0].tolist()
        for column, features in zip(columns[0], found.features, strict=True):
            described = text, column, math.log(0.5), names, log_counts
            expected = list(expected_features(ranker, *described).values())
            np.testing.assert_allclose(features, expected, rtol=1e-5)


def test_ranking_is_by_weighted_sums_and_ties_by_column(ranker):
    texts = ["rye bread", "tea", "zzz"]
    every = np.tile(np.arange(5), (3, 1))
    findings = find(ranker, texts, (every, np.full((3, 5), 0.5)), every[:, ::-1])
    evidence, weights = make_evidence(ranker), np.zeros(len(FEATURES))
    columns, scores = evidence.rank(findings, 5, weights, np.array([0.0, 1.0, 0.0]))
    assert columns.tolist() == [[0, 1, 2, 3, 4]] * 3
    np.testing.assert_allclose(scores, 0.2)  # the share of one of five
    weights = np.random.default_rng(0).normal(size=len(FEATURES))
    columns, _ = evidence.rank(findings, 3, weights, np.array([0.0, 1.0, 0.0]))
    candidates = evidence.describe(findings)
    sums = (candidates.features @ weights).reshape(3, 5)
    assert columns.tolist() == np.argsort(-sums, axis=1)[:, :3].tolist()


def test_probability_is_a_logistic_function_of_log_odds_and_total(ranker):
    every = np.arange(5)[np.newaxis]
    findings = find(ranker, ["rye bread"], (every, np.full((1, 5), 0.5)), every)
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index("text")] = 2.0
    evidence, line = make_evidence(ranker), (0.3, 0.8, -0.1)
    columns, scores = evidence.rank(findings, 5, weights, np.array(line))
    sums = evidence.describe(findings).features @ weights
    total = np.log(np.exp(sums).sum())
    shares = np.exp(sums - total)
    margins = line[0] + line[1] * np.log(shares / (1 - shares)) + line[2] * total
    expected = 1 / (1 + np.exp(-margins))
    np.testing.assert_allclose(scores[0], expected[columns[0]], rtol=1e-6)


def test_a_single_candidate_and_none(ranker):
    nothing = np.full((2, 1), -1)
    findings = find(ranker, ["tea"] * 2, (nothing, np.zeros((2, 1))), [[4], [-1]])
    columns, scores = make_evidence(ranker).rank(
        findings, 3, np.ones(len(FEATURES)), np.array([0.0, 1.0, 0.0])
    )
    assert columns.tolist() == [[4, -1, -1], [-1, -1, -1]]
    assert 0.99 < scores[0, 0] < 1
    assert not scores[:, 1:].any()


@pytest.mark.kernels
def test_kernel_refuses_an_empty_ranking(ranker):
    index, none = ranker._state.index.for_kernels, np.zeros(0, dtype=np.int64)
    names = make_evidence(ranker).names
    scorer = CandidateScorer(
        index, False, names.text, names.offsets, np.zeros(5, dtype=np.float32)
    )
    with pytest.raises(ValueError, match="labels is empty"):
        scorer.rank(np.zeros(len(FEATURES)), np.zeros(3), none, np.zeros(0))


def test_of_a_label_that_is_listed_twice_the_best_score_counts(ranker):
    model = np.array([[4, 1, 4, 1]]), np.array([[0.5, 0.9, 0.7, 0.2]])
    findings = find(ranker, ["tea"], model, [[1, 0, 4, 0]])
    candidates = make_evidence(ranker).describe(findings)
    assert candidates.columns.tolist() == [0, 1, 4]
    scores = candidates.features[:, FEATURES.index("model")]
    np.testing.assert_allclose(scores, [0, math.log(0.9), math.log(0.7)])


@pytest.mark.kernels
def test_many_candidates_are_sorted():
    labels = np.random.default_rng(0).permutation(70_000)[:500]
    index = LexicalRanker().fit([], np.zeros((0, 1)), label_texts=["tea"])._state.index
    offsets = np.zeros(70_001, dtype=np.int64)
    log_counts = np.arange(70_000, dtype=np.float32)
    scorer = CandidateScorer(
        index.for_kernels, False, np.zeros(0, np.uint8), offsets, log_counts
    )
    terms = np.zeros(0, np.int32), np.zeros(0, np.float32)
    assert scorer.describe(labels[:200], np.ones(200), labels[100:], *terms, b"") == 500
    columns, features = np.empty(500, np.int64), np.empty((500, len(FEATURES)))
    scorer.copy(columns, features)
    assert columns.tolist() == sorted(labels.tolist())
    assert features[:, FEATURES.index("log_count")].tolist() == columns.tolist()
    assert features[:, FEATURES.index("reached")].sum() == 200


def test_candidates_that_do_not_exist_are_refused(ranker):
    texts, nothing = ["tea"], np.full((1, 1), -1)
    for beyond in (5, 2**31, 2**40, 2**63 - 1):
        model = np.array([[beyond]]), np.ones((1, 1))
        findings = find(ranker, texts, model, nothing)
        with pytest.raises(ValueError, match="not one of the 5 labels"):
            make_evidence(ranker).describe(findings)


@pytest.mark.parametrize("position", [0, 2, 5])
@pytest.mark.parametrize("value", [-1, 10**9])
def test_damaged_offsets_of_names_are_refused(ranker, position, value):
    """Those of a memory-mapped model are not read when it is loaded."""
    evidence = make_evidence(ranker)
    evidence.names.offsets[position] = value
    every = np.arange(5)[np.newaxis]
    findings = find(ranker, ["tea"], (every, np.ones((1, 5))), every)
    with pytest.raises(ValueError, match="damaged"):
        evidence.describe(findings)


def test_words_are_spaced():
    assert words_spaced("Rye-Bread,  sliced!") == " rye bread sliced "
    assert words_spaced(" ?! ") == ""


def describe_all(ranker, evidence, texts):
    """The features of all labels that were not removed, by each text."""
    known = ranker._state.known
    alive = np.setdiff1d(np.arange(len(known)), known.removed)
    every = np.tile(alive, (len(texts), 1))
    model = every, np.full(every.shape, 0.5)
    return evidence.describe(find(ranker, texts, model, every))


def test_features_of_added_labels_do_not_depend_on_compaction(ranker):
    ranker = pickle.loads(pickle.dumps(ranker))
    texts = ["green tea", "oolong gren tea", "bread from Taiwan", "toast"]
    evidence = make_evidence(ranker)
    before = describe_all(ranker, evidence, texts)
    is_class = ranker._state.target.names is not None
    for names in (["oolong tea", "Bread, Taiwan"], ["toast"]):
        labels = None
        if is_class:
            labels = [len(ranker.classes_) + i for i in range(len(names))]
        ranker.add_labels(names, labels)
        evidence = evidence.grown(ranker._state, names, [3] * len(names))
    ranker.remove_labels([1, 6])
    evidence = pickle.loads(pickle.dumps(evidence.with_lexical(ranker._state)))
    assert len(evidence.names) == 8
    after = describe_all(ranker, evidence, texts)
    kept = np.isin(before.columns, [0, 2, 3, 4])
    is_old = after.columns < 5
    # Of new words, the others have none: they cover less of the text.
    same = [i for i, name in enumerate(FEATURES) if "coverage" not in name]
    first, second = after.features[is_old], before.features[kept]
    np.testing.assert_array_equal(first[:, same], second[:, same])
    of_new = dict(zip(FEATURES, after.features[after.columns == 5][1], strict=True))
    assert of_new["log_count"] == pytest.approx(math.log(4))
    assert of_new["containment"] == 1
    assert of_new["text"] > 0
    ranker.compact()
    for one in (
        evidence.with_lexical(ranker._state),
        evidence.compacted(ranker._state),
    ):
        again = describe_all(ranker, one, texts)
        for first, second in zip(after, again, strict=True):
            np.testing.assert_array_equal(first, second)


def test_counts_of_added_and_of_other_labels_change():
    ranker = LexicalRanker().fit([], np.zeros((0, 5)), label_texts=NAMES)
    evidence = make_evidence(ranker)
    ranker.add_labels(["toast"])
    grown = evidence.grown(ranker._state, ["toast"])
    changed = grown.with_counts(ranker._state, np.array([5, 1]), np.array([2, 4]))
    counts = describe_all(ranker, changed, ["tea"]).features[:, -1]
    np.testing.assert_allclose(np.expm1(counts), [1, 6, 3, 4, 0, 2], rtol=1e-6)
    counts = describe_all(ranker, grown, ["tea"]).features[:, -1]
    np.testing.assert_allclose(np.expm1(counts), [1, 2, 3, 4, 0, 0], rtol=1e-6)
