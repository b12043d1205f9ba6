"""Scores of given pairs, and rankings among labels that differ from row to row."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from skxmr._cython._subset import RowLabels

from skxmr import (
    KMeansTree,
    LabelThresholdCV,
    LexicalRanker,
    NeighborRanker,
    RankFusion,
    Reranker,
    SparseCalibrator,
    TextRetriever,
    XRLinearClassifier,
    rank,
    score_pairs,
)
from skxmr.sharding import ShardedRanker, split

pytestmark = pytest.mark.kernels

N_LABELS, N_ROWS = 60, 12
RANDOM = np.random.RandomState(0)
X = sparse.csr_array(sparse.random(300, 80, 0.1, random_state=RANDOM, dtype=np.float32))
# Label 17 is never there.
CODES = RANDOM.choice(np.delete(np.arange(N_LABELS), 17), size=300)
CODES[: N_LABELS - 1] = np.delete(np.arange(N_LABELS), 17)
Y = sparse.csr_array((np.ones(300), (np.arange(300), CODES)), shape=(300, N_LABELS))
NAMES = np.array([f"label {i:02d}" for i in range(N_LABELS)])
WORDS = np.array(
    ["red", "green", "blue", "apple", "pear", "tea", "bread", "phone", "case", "juice"]
)
TEXTS = [" ".join(WORDS[np.unique([code % 8, code % 7, code % 3])]) for code in CODES]
LABEL_TEXTS = [f"{WORDS[i % 8]} {WORDS[i // 8]}" for i in range(N_LABELS)]


def fit(y=Y, X=X, **parameters):
    defaults = {"beam_width": None, "max_candidates": None, "threshold": 0.0}
    how = {"indexer": KMeansTree(3, 4), "random_state": 0} | defaults | parameters
    return XRLinearClassifier(**how).fit(X, y)


def fit_fusion():
    members = [
        ("linear", make_pipeline("passthrough", fitted("exact"))),
        ("near", NeighborRanker(20)),
        ("foreign", KNeighborsClassifier(20)),
    ]
    return RankFusion(members, n_candidates=N_LABELS).fit(X, Y.toarray())


def fit_reranker():
    how = {"cv": "prefit", "n_candidates": N_LABELS, "random_state": 0}
    return Reranker(fitted("exact"), LogisticRegression(), **how).fit(X, Y)


def calibrate(**parameters):
    how = {"cv": "prefit", "refit": False, "n_candidates": N_LABELS}
    return SparseCalibrator(fitted("exact"), **how, **parameters).fit(X, Y)


def fit_changed():
    """Labels added and removed since the fit."""
    changed = fit()
    changed.remove_labels([3, 20])
    changed.add_labels(X[:5])
    return changed


# Fitted when first used, not when the tests are collected.
RANKERS = {
    "exact": fit,
    "narrow": lambda: fit(beam_width=2, max_candidates=3),
    "forest": lambda: fit(n_trees=3),
    "sigmoid": lambda: fit(score_transform="sigmoid", weight_precision="float16"),
    "names": lambda: fit(y=NAMES[CODES]),
    "stages": lambda: fit(ranker=LogisticRegression()),
    "changed": fit_changed,
    "neighbors": lambda: NeighborRanker(20).fit(X, Y),
    "fusion": fit_fusion,
    "reranker": fit_reranker,
    "calibrated": calibrate,
    "calibrated by groups": lambda: calibrate(n_groups=3),
    "thresholds": lambda: LabelThresholdCV(
        fitted("exact"), cv="prefit", refit=False
    ).fit(X, Y),
    "sharded": lambda: ShardedRanker(split(fitted("exact"), 2)),
    "pipeline": lambda: make_pipeline("passthrough", fitted("exact")),
    "probabilities": lambda: KNeighborsClassifier(20).fit(X, Y.toarray()),
    "decisions": lambda: OneVsRestClassifier(LinearSVC()).fit(X, CODES),
    "dense": lambda: fit(X=X.toarray()),
    "lexical": lambda: LexicalRanker(n_jobs=2).fit(TEXTS, Y, label_texts=LABEL_TEXTS),
    "retriever": lambda: TextRetriever(
        classifier=XRLinearClassifier(beam_width=None, random_state=0)
    ).fit(TEXTS, Y),
}
SLOW = ["stages", "sharded", "fusion", "reranker", "decisions", "probabilities"]


@cache
def fitted(name):
    return RANKERS[name]()


def rows_for(name):
    if name in ("lexical", "retriever"):
        return TEXTS[:N_ROWS]
    return X[:N_ROWS].toarray() if name == "dense" else X[:N_ROWS]


def row_of(rows, row):
    return rows[row : row + 1]


def labels_of(name):
    """The labels by column; removed ones have one that is never found."""
    if name == "names":
        return np.delete(NAMES, 17)
    if name == "decisions":
        return fitted(name).classes_
    return np.arange(N_LABELS + (5 if name == "changed" else 0))


@cache
def dense_scores(name):
    """The slow twin: the scores of all labels, by rankings of the whole model."""
    model, n_labels = fitted(name), len(labels_of(name))
    if name == "narrow":
        model = fitted("exact")
    columns, scores = rank(model, rows_for(name), n_labels)
    dense = np.zeros((N_ROWS, n_labels), dtype=scores.dtype)
    for row in range(N_ROWS):
        found = columns[row] >= 0
        dense[row, columns[row, found]] = scores[row, found]
    return dense


def pairs_of(name):
    columns = np.arange(len(labels_of(name)))
    if name == "changed":
        columns = np.setdiff1d(columns, [3, 20])
    pair = st.tuples(st.integers(0, N_ROWS - 1), st.sampled_from(columns.tolist()))
    return st.lists(pair, max_size=80)


@pytest.mark.parametrize("name", RANKERS)
def test_pairs_have_the_scores_of_the_whole_ranking(name):
    @settings(deadline=None, max_examples=2 if name in SLOW else 10)
    @given(pairs_of(name), st.sampled_from([None, 2]))
    def check(pairs, n_jobs):
        rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        model = fitted(name)
        if hasattr(model, "n_jobs"):
            model.set_params(n_jobs=n_jobs)
        labels = labels_of(name)[columns]
        scores = score_pairs(model, rows_for(name), rows, labels)
        expected = dense_scores(name)[rows, columns]
        assert scores.dtype == expected.dtype
        np.testing.assert_array_equal(scores, expected)

    check()


masks = st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.02, 0.3, 0.9]))


def draw_mask(drawn, n_labels):
    seed, density = drawn
    random = np.random.RandomState(seed)
    mask = sparse.random(N_ROWS, n_labels, density, format="csr", random_state=random)
    return sparse.csr_array(mask)


def expected_of_rows(name, mask, how, k, **choice):
    """The slow twin: a ranking of its own for each row."""
    model, labels = fitted(name), labels_of(name)
    if name == "narrow" and how == "allowed":
        model = fitted("exact")
    parts = []
    for row in range(N_ROWS):
        marked = labels[mask[[row]].indices]
        if name == "changed":
            marked = np.setdiff1d(marked, [3, 20])
        one = row_of(rows_for(name), row)
        parts.append(rank(model, one, k, **{how: marked}, **choice))
    return map(np.concatenate, zip(*parts, strict=True))


@pytest.mark.parametrize("how", ["allowed", "excluded"])
@pytest.mark.parametrize("name", RANKERS)
def test_masks_rank_each_row_among_its_own_labels(name, how):
    @settings(deadline=None, max_examples=1 if name in SLOW else 3)
    @given(masks, st.sampled_from([1, 7]))
    def check(drawn, k):
        mask = draw_mask(drawn, len(labels_of(name)))
        columns, scores = rank(fitted(name), rows_for(name), k, **{how: mask})
        expected, expected_scores = expected_of_rows(name, mask, how, k)
        np.testing.assert_array_equal(columns, expected)
        np.testing.assert_array_equal(scores, expected_scores)

    check()


@pytest.mark.parametrize("name", [*RANKERS])
def test_excluded_masks_go_with_labels_that_are_allowed_in_all_rows(name):
    labels, model = labels_of(name), fitted(name)
    mask = draw_mask((0, 0.3), len(labels))
    some = labels[5:40] if name != "changed" else np.setdiff1d(labels[5:40], [20])
    expected = expected_of_rows(name, mask, "excluded", 5, allowed=some)
    choices = [some]
    if hasattr(model, "subset"):
        choices.append(model.subset(some))
    expected, expected_scores = expected
    for allowed in choices:
        given = {"allowed": allowed, "excluded": mask}
        columns, scores = rank(model, rows_for(name), 5, **given)
        np.testing.assert_array_equal(columns, expected)
        np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("name", ["exact", "neighbors", "lexical", "probabilities"])
def test_allowed_masks_go_with_excluded_labels(name):
    model, rows = fitted(name), rows_for(name)
    mask, other = draw_mask((0, 0.5), N_LABELS), draw_mask((1, 0.3), N_LABELS)
    dense = mask.toarray() != 0
    for excluded, left in [
        (other, dense & (other.toarray() == 0)),
        ([1, 2, 30], dense & ~np.isin(np.arange(N_LABELS), [1, 2, 30])),
    ]:
        columns, scores = rank(model, rows, 8, allowed=mask, excluded=excluded)
        expected, expected_scores = rank(model, rows, 8, allowed=left)
        np.testing.assert_array_equal(columns, expected)
        np.testing.assert_array_equal(scores, expected_scores)


def test_masks_are_read_in_any_form():
    model, rows = fitted("exact"), rows_for("exact")
    mask = draw_mask((3, 0.2), N_LABELS)
    expected, _ = rank(model, rows, 5, allowed=mask)
    # Zeros that are stored, unsorted indices, and entries that are there twice.
    zeros = mask + sparse.csr_array(mask.shape)
    outside = np.setdiff1d(np.arange(N_LABELS), zeros[[0]].indices)[:3]
    coo = zeros.tocoo()
    stored = sparse.coo_array(
        (
            np.concatenate([coo.data, coo.data, np.zeros(3)]),
            (
                np.concatenate([coo.coords[0], coo.coords[0], np.zeros(3, dtype=int)]),
                np.concatenate([coo.coords[1], coo.coords[1], outside]),
            ),
        ),
        shape=mask.shape,
    )
    before = mask.copy()
    forms = [stored, mask.toarray() != 0, mask.toarray(), mask.tocsc(), mask.tolil()]
    forms += [mask.astype(bool), (mask * 255).astype(np.uint8) + 0 * mask.astype(bool)]
    for form in forms[:-1]:
        columns, _ = rank(model, rows, 5, allowed=form)
        np.testing.assert_array_equal(columns, expected)
    assert (mask != before).nnz == 0


BAD_MASKS = {
    "shape": (sparse.csr_array((N_ROWS, N_LABELS - 1)), r"expected \(n_samples"),
    "rows": (sparse.csr_array((N_ROWS - 1, N_LABELS)), r"shape \(11, 60\)"),
    "dense": (np.ones((N_ROWS + 1, N_LABELS), dtype=bool), r"shape \(13, 60\)"),
    "objects": (np.full((N_ROWS, N_LABELS), "yes"), "is a mask of <U3"),
    "complex": (sparse.csr_array((N_ROWS, N_LABELS), dtype=complex), "mask of complex"),
    "nan": (np.full((N_ROWS, N_LABELS), np.nan), "mask with NaN"),
    "frame": (pd.DataFrame(np.ones((N_ROWS, N_LABELS), dtype=bool)), "vector of label"),
}


@pytest.mark.parametrize("how", ["allowed", "excluded"])
@pytest.mark.parametrize("bad", BAD_MASKS)
@pytest.mark.parametrize("name", ["exact", "neighbors", "fusion", "probabilities"])
def test_masks_that_do_not_fit_are_refused(name, bad, how):
    mask, message = BAD_MASKS[bad]
    with pytest.raises(ValueError, match=f"{how}.*{message}"):
        rank(fitted(name), rows_for(name), 3, **{how: mask})


def test_a_single_row_takes_no_mask_of_rows():
    mask = draw_mask((0, 0.5), N_LABELS)[[0]]
    row = X[[0]]
    one = fitted("exact").rank_one
    with pytest.raises(ValueError, match=r"(iterable|vector) of labels"):
        one(row.indices.astype(np.int32), row.data, allowed=mask)
    with pytest.raises(ValueError, match=r"(iterable|vector) of labels"):
        fitted("retriever").search("red", allowed=mask)


@pytest.mark.parametrize("name", ["exact", "lexical", "retriever", "probabilities"])
def test_pairs_that_do_not_fit_are_refused(name):
    model, rows = fitted(name), rows_for(name)
    for numbers, labels, message in [
        ([0, 1], [1], "2 rows and 1 labels"),
        ([N_ROWS], [1], f"rows has {N_ROWS}; expected rows from 0 to {N_ROWS - 1}"),
        ([-1], [1], "rows has -1"),
        ([0.5], [1], "vector of integers"),
        ([[0]], [1], "vector of integers"),
        ([0], [N_LABELS], f"labels holds {N_LABELS}"),
        ([0], ["no"], "labels holds 'no'"),
        ([0], [True], "mask of booleans"),
        ([0], {1}, "in an order"),
        ([0], "1", "single str"),
    ]:
        with pytest.raises(ValueError, match=message):
            score_pairs(model, rows, numbers, labels)
    with pytest.raises(ValueError, match="unknown='perhaps'"):
        score_pairs(model, rows, [0], [1], unknown="perhaps")


def test_unknown_and_removed_labels_have_the_score_0_on_demand():
    model, rows = fitted("changed"), rows_for("changed")
    with pytest.raises(ValueError, match="labels holds 20"):
        score_pairs(model, rows, [0, 1], [1, 20])
    scores = score_pairs(model, rows, [0, 1, 2], [1, 20, 999], unknown="ignore")
    assert scores[0] == dense_scores("changed")[0, 1]
    assert scores[1:].tolist() == [0, 0]
    # A mask is by columns, of which those of removed labels remain.
    everything = np.ones((N_ROWS, N_LABELS + 5), dtype=bool)
    columns, _ = rank(model, rows, N_LABELS, allowed=everything)
    assert not np.isin(columns, [3, 20, 17]).any()
    assert (columns >= N_LABELS).any()


def test_what_cannot_score_pairs_is_refused():
    class Custom:
        def rank(self, X, k):
            return np.zeros((1, k), dtype=int), np.zeros((1, k))

    with pytest.raises(TypeError, match="Custom has its own method rank"):
        score_pairs(Custom(), X, [0], [0])
    with pytest.raises(TypeError, match="got 'no'"):
        score_pairs("no", X, [0], [0])


def encode(texts):
    vectors = np.array([[text.count(word) for word in WORDS] for text in texts])
    return vectors.astype(np.float32) + 0.1


@cache
def fused(kind):
    classifier = XRLinearClassifier(KMeansTree(3, 4), beam_width=2, random_state=0)
    how = {"encoder": encode} if kind == "embeddings" else {}
    retriever = TextRetriever(classifier=classifier, random_state=0, **how)
    return retriever.fit(TEXTS, Y, label_texts=LABEL_TEXTS)


@pytest.mark.parametrize("kind", ["words", "embeddings"])
def test_fused_pairs_have_the_scores_of_rankings_and_explanations(kind):
    retriever, texts = fused(kind), TEXTS[:8]
    rows, columns = np.divmod(np.arange(8 * N_LABELS), N_LABELS)
    order = np.random.RandomState(0).permutation(len(rows))
    scores = np.empty(len(rows), dtype=np.float32)
    found = score_pairs(retriever, texts, rows[order], columns[order])
    assert found.dtype == np.float32
    scores[order] = found
    scores = scores.reshape(8, N_LABELS)
    ranked, ranked_scores = retriever.rank(texts, N_LABELS)
    for row, text in enumerate(texts):
        listed = ranked[row][ranked[row] >= 0]
        np.testing.assert_array_equal(
            scores[row, listed], ranked_scores[row][: len(listed)]
        )
        for label in np.setdiff1d(np.arange(N_LABELS), listed)[:10].tolist():
            why = retriever.explain(text, label)
            np.testing.assert_allclose(scores[row, label], why.score, rtol=1e-5)
    # A pair has the same score without the others.
    alone = score_pairs(retriever, texts, [5], [7])
    assert alone[0] == scores[5, 7]


@pytest.mark.parametrize("how", ["allowed", "excluded"])
@pytest.mark.parametrize("kind", ["words", "embeddings"])
def test_fused_masks_rank_each_text_among_its_own_labels(kind, how):
    retriever, texts = fused(kind), TEXTS[:N_ROWS]
    retriever.classifier_.set_params(beam_width=None)
    mask = draw_mask((5, 0.3), N_LABELS)
    weights = np.linspace(0.5, 1, N_LABELS)
    for more in ({}, {"label_weights": weights}):
        found = retriever.search_batch(texts, 6, **{how: mask}, **more)
        for row, text in enumerate(texts):
            marked = mask[[row]].indices
            alone = retriever.search_batch([text], 6, **{how: marked}, **more)
            np.testing.assert_array_equal(found.columns[row], alone.columns[0])
            np.testing.assert_array_equal(found.scores[row], alone.scores[0])


def test_lexical_masks_go_with_weights_of_labels():
    ranker, mask = fitted("lexical"), draw_mask((5, 0.4), N_LABELS)
    weights = np.linspace(0, 2, N_LABELS)
    how = {"label_weights": weights}
    columns, scores = ranker.rank(TEXTS[:N_ROWS], 6, allowed=mask, **how)
    for row, text in enumerate(TEXTS[:N_ROWS]):
        marked = mask[[row]].indices
        expected = ranker.rank([text], 6, allowed=marked, **how)
        np.testing.assert_array_equal(columns[row], expected[0][0])
        np.testing.assert_array_equal(scores[row], expected[1][0])


def test_kernel_refuses_what_does_not_fit():
    nodes, parents = np.arange(1, 4, dtype=np.int32), np.zeros(4, dtype=np.int32)
    bits, labels = np.zeros(1, dtype=np.uint64), np.array([0, 2], dtype=np.int32)
    ends = np.array([0, 2])

    def make(offsets=ends, labels=labels, base=None, bits=bits):
        return RowLabels(offsets, labels, nodes, parents, None, base, bits)

    assert make().most == 2
    for arguments, message in [
        ({"bits": bits[:0]}, "bits has 0 bits"),
        ({"base": np.zeros(2, dtype=np.uint64)}, "base has 2 words"),
        ({"offsets": np.array([0, 3])}, "offsets do not fit"),
        ({"offsets": np.array([-1, 2])}, "offsets do not fit"),
        ({"offsets": np.array([0, 2, 1])}, "offsets of row 1 do not ascend"),
        ({"offsets": ends[:0]}, "offsets do not fit"),
        ({"labels": np.array([0, 3], dtype=np.int32)}, "no label 3"),
        ({"labels": np.array([-1, 0], dtype=np.int32)}, "no label -1"),
        ({"labels": np.array([1, 1], dtype=np.int32)}, "labels of row 0 do not asc"),
    ]:
        with pytest.raises(ValueError, match=message):
            make(**arguments)
