"""Searches among some of the labels."""

import pickle
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skxmr import (
    KMeansTree,
    NeighborRanker,
    RankFusion,
    Reranker,
    TextRetriever,
    XRLinearClassifier,
    rank,
)
from skxmr._cython import _subset as kernel
from skxmr._inputs._known_classes import KnownClasses
from skxmr._inputs._validation import check_labels
from skxmr.streaming import rank_batches

pytestmark = pytest.mark.kernels

N_LABELS = 60
RANDOM = np.random.RandomState(0)
X = sparse.csr_array(sparse.random(400, 80, 0.1, random_state=RANDOM, dtype=np.float32))
# Label 17 is never there.
CODES = RANDOM.choice(np.delete(np.arange(N_LABELS), 17), size=400)
Y = sparse.csr_array((np.ones(400), (np.arange(400), CODES)), shape=(400, N_LABELS))
NAMES = np.array([f"label {i:02d}" for i in range(N_LABELS)])


def fit(y=Y, X=X, **parameters):
    defaults = {"indexer": KMeansTree(3, 4), "random_state": 0, "threshold": 0.0}
    return XRLinearClassifier(**defaults | parameters).fit(X, y)


def fit_fusion():
    members = [
        ("linear", make_pipeline("passthrough", fitted("exact"))),
        ("near", NeighborRanker(20)),
        ("foreign", KNeighborsClassifier(20)),
    ]
    return RankFusion(members, n_candidates=N_LABELS).fit(X, Y.toarray())


def fit_reranker():
    reranker = Reranker(
        fitted("exact"),
        LogisticRegression(),
        cv="prefit",
        n_candidates=N_LABELS,
        random_state=0,
    )
    return reranker.fit(X, Y)


# Fitted when first used, not when the tests are collected.
RANKERS = {
    "exact": lambda: fit(beam_width=None),
    "narrow": lambda: fit(beam_width=2),
    "forest": lambda: fit(beam_width=None, n_trees=3, max_candidates=None),
    "names": lambda: fit(y=NAMES[CODES], beam_width=None),
    "neighbors": lambda: NeighborRanker(20).fit(X, Y),
    "fusion": fit_fusion,
    "reranker": fit_reranker,
    "pipeline": lambda: make_pipeline("passthrough", fitted("exact")),
    "foreign": lambda: KNeighborsClassifier(20).fit(X, Y.toarray()),
}


@cache
def fitted(name):
    return RANKERS[name]()


# Kernels


@st.composite
def trees(draw):
    """Parents of nodes, level by level, and labels at the nodes of the last level."""
    offsets, parents, level = [], [0], [0]
    for _ in range(draw(st.integers(1, 3))):
        below = []
        for node in level:
            offsets.append(len(parents))
            for _ in range(draw(st.integers(1, 4))):
                below.append(len(parents))
                parents.append(node)
        level = below
    offsets.append(len(parents))
    nodes = draw(st.permutations(level))
    return (
        np.array(nodes, dtype=np.int32),
        np.array(parents, dtype=np.int32),
        np.array(offsets, dtype=np.int64),
    )


def nodes_above(nodes, parents, labels):
    found = set()
    for label in labels:
        node = nodes[label]
        found |= {node, 0}
        while node:
            node = parents[node]
            found.add(node)
    return found


def set_bits(allowed, n_nodes):
    bits = np.unpackbits(allowed.view(np.uint8), bitorder="little")[:n_nodes]
    return set(np.flatnonzero(bits).tolist())


@settings(deadline=None)
@given(trees(), st.data())
def test_allowed_and_forbidden_bits_equal_a_slow_twin(tree, data):
    nodes, parents, offsets = tree
    n_labels = len(nodes)
    bounds = sorted(data.draw(st.lists(st.integers(0, n_labels), max_size=4)))
    ranges = np.array(bounds[: len(bounds) // 2 * 2], dtype=np.int64).reshape(-1, 2)
    allowed = np.zeros(-(-len(parents) // 64), dtype=np.uint64)
    kernel.allow_ranges(ranges, nodes, parents, allowed)
    chosen = {label for start, stop in ranges.tolist() for label in range(start, stop)}
    assert set_bits(allowed, len(parents)) == nodes_above(nodes, parents, chosen)

    labels = data.draw(st.lists(st.integers(0, n_labels - 1)))
    kernel.forbid(np.array(labels, dtype=np.int64), nodes, parents, offsets, allowed)
    left = nodes_above(nodes, parents, chosen - set(labels))
    assert set_bits(allowed, len(parents)) == left


def test_kernels_refuse_what_does_not_fit():
    nodes, parents = np.arange(1, 4, dtype=np.int32), np.zeros(4, dtype=np.int32)
    offsets, bits = np.array([1, 4]), np.zeros(1, dtype=np.uint64)
    with pytest.raises(ValueError, match="within the 3 labels"):
        kernel.allow_ranges(np.array([[0, 4]]), nodes, parents, bits)
    with pytest.raises(ValueError, match="allowed has 0 bits"):
        kernel.allow_ranges(np.array([[0, 1]]), nodes, parents, bits[:0])
    for label in (-1, 3):
        with pytest.raises(ValueError, match="There is no label"):
            kernel.forbid(np.array([label]), nodes, parents, offsets, bits)
    with pytest.raises(ValueError, match="allowed has 0 bits"):
        kernel.forbid(np.array([0]), nodes, parents, offsets, bits[:0])


# Searches

some_labels = st.lists(st.integers(0, N_LABELS - 1), unique=True)


def expected_rank(classifier, row, k, kept):
    """All labels, ranked exactly, and filtered afterwards."""
    columns, scores = classifier.rank(X[[row]], N_LABELS)
    pairs = [
        (column, score)
        for column, score in zip(columns[0], scores[0], strict=True)
        if column >= 0 and column in kept
    ][:k]
    pairs += [(-1, 0.0)] * (k - len(pairs))
    return [column for column, _ in pairs], [score for _, score in pairs]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 399),
    st.integers(1, 12),
    st.one_of(st.none(), some_labels),
    some_labels,
)
@pytest.mark.parametrize("name", ["exact", "forest"])
def test_a_subset_is_ranked_as_the_whole_is(name, row, k, allowed, excluded):
    classifier = fitted(name)
    subset = classifier.subset(allowed, excluded)
    kept = set(range(N_LABELS) if allowed is None else allowed) - set(excluded)
    columns, scores = classifier.rank(X[[row]], k, allowed=subset)
    wanted, wanted_scores = expected_rank(classifier, row, k, kept)
    assert columns[0].tolist() == wanted
    np.testing.assert_allclose(scores[0], wanted_scores, rtol=1e-6)
    one = X[[row]]
    single, single_scores = classifier.rank_one(
        one.indices.astype(np.int32), one.data, k, allowed=subset
    )
    np.testing.assert_array_equal(single, columns[0])
    np.testing.assert_allclose(single_scores, scores[0], rtol=1e-6)


def test_no_place_in_the_beam_is_lost():
    # Two nodes of a level would hardly ever lead to these few labels.
    allowed = [3, 17, 40, 58]
    columns, _ = fitted("narrow").rank(X, 4, allowed=fitted("narrow").subset(allowed))
    found = columns[columns >= 0]
    assert set(found.tolist()) == {3, 40, 58}
    # Two nodes of the last level but one lead to two of them at least, unless one node
    # is above all: never to 17 alone, which no search finds.
    assert (columns[:, 1] >= 0).all()
    unrestricted, _ = fitted("narrow").rank(X, 4)
    assert np.isin(unrestricted, allowed).sum() < len(found) / 2


def test_dense_rows():
    rows = X.toarray() + 0.1
    dense = fit(X=rows, beam_width=None)
    rows = rows[:20]
    subset = dense.subset(excluded=[0, 1, 2])
    columns, scores = dense.rank(rows, 5, allowed=subset)
    whole, _ = dense.rank(rows, N_LABELS)
    for found, all_found in zip(columns, whole, strict=True):
        assert found.tolist() == [c for c in all_found if c not in (0, 1, 2)][:5]
    single, single_scores = dense.rank_one(
        None, rows[0].astype(np.float32), 5, allowed=subset
    )
    np.testing.assert_array_equal(single, columns[0])
    np.testing.assert_allclose(single_scores, scores[0], rtol=1e-6)


def test_classes_masks_and_columns_say_the_same():
    by_name = fitted("names").subset(NAMES[[5, 9]])
    by_mask = fitted("names").subset(
        np.isin(np.arange(len(fitted("names").classes_)), [5, 9])
    )
    by_list = fitted("names").subset(["label 09", "label 05", "label 05"])
    for subset in (by_mask, by_list):
        for one, other in zip(subset.bits, by_name.bits, strict=True):
            np.testing.assert_array_equal(one, other)
    columns, _ = fitted("names").rank(X[:5], 3, allowed=by_name)
    assert set(columns.ravel().tolist()) == {5, 9, -1}


def test_nothing_allowed_finds_nothing():
    for subset in (
        fitted("exact").subset([]),
        fitted("exact").subset(excluded=np.ones(N_LABELS, bool)),
    ):
        columns, scores = fitted("exact").rank(X[:3], 4, allowed=subset)
        assert (columns == -1).all()
        assert (scores == 0).all()


def test_the_order_does_not_depend_on_threads():
    subset = fitted("exact").subset(excluded=[7])
    expected = fitted("exact").rank(X, 5, allowed=subset)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(
            lambda _: fitted("exact").rank(X, 5, allowed=subset), range(8)
        ):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ([N_LABELS], "allowed holds 60, which is no label"),
        ([-1], "allowed holds -1, which is no label"),
        ([1.5], "allowed holds 1.5, which is no label"),
        (["tea"], "allowed holds 'tea', which is no label"),
        ([[1]], r"allowed must be a vector of labels; got the shape \(1, 1\)"),
        (3, "allowed must be an iterable of labels; got 3"),
        (True, "allowed must be an iterable of labels; got True"),
        (np.ones(3, dtype=bool), "allowed is a mask of 3 labels; expected 60"),
    ],
)
def test_labels_that_there_are_not(allowed, message):
    with pytest.raises(ValueError, match=message):
        fitted("exact").subset(allowed)


def test_a_subset_of_a_subset_is_refused():
    subset = fitted("exact").subset([1])
    with pytest.raises(ValueError, match=r"iterable of labels; got <.*LabelSubset"):
        fitted("exact").subset(subset)


MASK = np.arange(N_LABELS) < 5


@pytest.mark.parametrize(
    "mask",
    [
        pd.Series(MASK).astype("boolean").where(np.arange(N_LABELS) != 2),
        pd.Series([None, *MASK[1:]], dtype=object),
        [*MASK[1:], np.nan],
    ],
    ids=["nullable", "objects", "list"],
)
@pytest.mark.parametrize("name", ["exact", "names", "neighbors", "fusion"])
def test_a_mask_with_missing_values_is_refused(name, mask):
    for argument in ("allowed", "excluded"):
        with pytest.raises(ValueError, match=f"{argument} is a mask with missing"):
            fitted(name).subset(**{argument: mask})


def test_subsets_of_other_classifiers_are_refused():
    with pytest.raises(ValueError, match="made by another estimator"):
        fitted("exact").rank(X[:1], allowed=fitted("narrow").subset([1]))
    loaded = pickle.loads(pickle.dumps(fitted("exact")))
    with pytest.raises(ValueError, match="another estimator"):
        loaded.rank(X[:1], allowed=fitted("exact").subset([1]))
    for one in (fitted("neighbors"), fitted("fusion")):
        with pytest.raises(ValueError, match="another estimator"):
            one.rank(X[:1], allowed=fitted("exact").subset([1]))
    with pytest.raises(ValueError, match="excluded cannot be combined"):
        fitted("exact").rank(X[:1], allowed=fitted("exact").subset([1]), excluded=[2])


# Every estimator that ranks


@pytest.mark.parametrize("name", sorted(RANKERS.keys() - {"narrow"}))
def test_every_estimator_ranks_the_labels_allowed(name):
    model = fitted(name)
    labels = fitted("names").classes_ if name == "names" else np.arange(N_LABELS)
    allowed, excluded = labels[3:40], labels[[5, 9, 57]]
    kept = np.setdiff1d(np.arange(3, 40), [5, 9])
    columns, scores = rank(model, X[:20], 6, allowed=allowed, excluded=excluded)
    if name not in {"reranker", "names"}:
        whole, _ = rank(model, X[:20], N_LABELS)
        for found, row in zip(columns, whole, strict=True):
            expected = row[np.isin(row, kept)][:6].tolist()
            assert found.tolist() == expected + [-1] * (6 - len(expected))
    assert set(np.unique(columns)) <= {-1, *kept.tolist()}
    assert (columns >= 0).any()
    assert (scores[columns < 0] == 0).all()
    mask = np.isin(labels, allowed)
    again = rank(model, X[:20], 6, allowed=mask, excluded=excluded)
    np.testing.assert_array_equal(again, (columns, scores))
    if hasattr(model, "subset"):
        subset = model.subset(allowed, excluded)
        for found in (
            model.rank(X[:20], 6, allowed=subset),
            *rank_batches(model, [X[:20]], 6, allowed=subset),
        ):
            np.testing.assert_array_equal(found, (columns, scores))
    nothing, _ = rank(model, X[:20], 6, allowed=[])
    assert (nothing == -1).all()
    with pytest.raises(ValueError, match="no label of this"):
        rank(
            model, X[:1], 6, allowed=["gone", *labels[:2]] if name == "names" else [99]
        )
    for argument in ("allowed", "excluded"):
        rank(model, X[:1], 6, **{argument: [*labels[:2]]}, unknown="ignore")


def test_an_estimator_that_cannot_choose_says_so():
    class Ranks:
        classes_ = np.arange(3)

        def rank(self, X, k):
            return np.zeros((X.shape[0], k), np.int64), np.ones((X.shape[0], k))

    with pytest.raises(TypeError, match=r"Ranks\.rank has no argument excluded"):
        rank(Ranks(), X[:1], 2, excluded=[1])


# Any iterable of labels, known or not

CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "generator": lambda labels: (label for label in labels),
    "map": lambda labels: map(type(labels[0]), labels),
    "keys": lambda labels: dict.fromkeys(labels).keys(),
    "dict": dict.fromkeys,
    "counter": Counter,
    "array": np.array,
    "objects": lambda labels: np.array(labels, dtype=object),
    "series": pd.Series,
    "series of objects": lambda labels: pd.Series(labels, dtype=object),
    "index": pd.Index,
    "category": lambda labels: pd.Series(labels, dtype="category"),
    "nullable": lambda labels: pd.Series(labels).convert_dtypes(),
    "polars": pl.Series,
    "deque": deque,
}


def columns_of(subset):
    found = fitted("exact").rank(X[:1], N_LABELS, allowed=subset)[0]
    return sorted(found[found >= 0].tolist())


def names_of(subset):
    found = fitted("names").rank(X[:1], N_LABELS, allowed=subset)[0]
    return fitted("names").classes_[np.sort(found[found >= 0])].tolist()


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_labels_in_any_container(container):
    assert columns_of(fitted("exact").subset(container([9, 3, 40]))) == [3, 9, 40]
    names = ["label 09", "label 03"]
    assert names_of(fitted("names").subset(container(names))) == names[::-1]
    without = columns_of(fitted("exact").subset(excluded=container([9, 3, 40])))
    found = columns_of(fitted("exact").subset(range(N_LABELS)))
    assert without == [column for column in found if column not in (3, 9, 40)]


def test_ranges_and_empty_containers():
    assert columns_of(fitted("exact").subset(range(20, 30, 3))) == [20, 23, 26, 29]
    for empty in ([], set(), {}, iter(()), range(0), np.array([]), pd.Series([])):
        assert columns_of(fitted("exact").subset(empty)) == []
        assert names_of(fitted("names").subset(empty)) == []


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_unknown_labels_are_refused_or_passed_over(container):
    for classifier, labels, unknown in (
        (fitted("exact"), [3, 9], 60),
        (fitted("exact"), [3, 9], -1),
        (fitted("names"), ["label 03", "label 09"], "label 99"),
        (fitted("names"), ["label 03", "label 09"], ""),
    ):
        given = [labels[0], unknown, labels[1]]
        for argument in ("allowed", "excluded"):
            with pytest.raises(
                ValueError, match=f"{argument} holds .*, which is no lab"
            ):
                classifier.subset(**{argument: container(given)})
            found = classifier.subset(**{argument: container(given)}, unknown="ignore")
            expected = classifier.subset(**{argument: labels})
            for ours, theirs in zip(found.bits, expected.bits, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_labels_of_other_types_are_not_converted():
    for labels in (["label 03", 3], ["label 03", None], ["label 03", np.nan, 2.5]):
        with pytest.raises(ValueError, match="which is no label"):
            fitted("names").subset(labels)
        assert names_of(fitted("names").subset(labels, unknown="ignore")) == [
            "label 03"
        ]
    for labels in (
        [3, "4"],
        {3, None},
        [3, 4.5],
        [3.0, np.nan],
        [3, 10**30],
        [3, True],
    ):
        with pytest.raises(ValueError, match="which is no label"):
            fitted("exact").subset(labels)
        assert columns_of(fitted("exact").subset(labels, unknown="ignore")) == [3]
    # None of the right type is a mistake, not a catalogue that has changed.
    for classifier, labels in (
        (fitted("exact"), ["3", "4"]),
        (fitted("names"), [3, 4]),
        (fitted("names"), [None]),
    ):
        with pytest.raises(
            ValueError, match=r"holds labels like .*; expected some like"
        ):
            classifier.subset(labels, unknown="ignore")
    assert columns_of(fitted("exact").subset([99], unknown="ignore")) == []


def test_large_integers_are_compared_exactly():
    classes = np.array([2**60, 2**60 + 2, 2**62])
    for labels in (
        [2**60 + 1],
        np.array([2**60 + 1], dtype=np.uint64),
        [2**63],
        [2**64],
    ):
        with pytest.raises(ValueError, match="which is no label"):
            check_labels(labels, KnownClasses(classes), "allowed")
    for labels in ([2**60 + 2], np.array([2**60 + 2], dtype=np.uint64)):
        assert check_labels(labels, KnownClasses(classes), "allowed").tolist() == [1]
    assert check_labels(
        [2.0**60, 2.0**63], KnownClasses(classes), "a", "ignore"
    ).tolist() == [0]


@pytest.mark.parametrize(
    "container", [list, tuple, np.array, pd.Series, pl.Series, iter]
)
def test_masks_in_any_ordered_container(container):
    mask = [i in (3, 9) for i in range(N_LABELS)]
    assert columns_of(fitted("exact").subset(container(mask))) == [3, 9]
    with pytest.raises(ValueError, match="is a mask of 59 labels; expected 60"):
        fitted("exact").subset(container(mask[1:]), unknown="ignore")


def test_a_mask_with_an_index_is_read_by_it():
    names = fitted("names").classes_
    mask = pd.Series(np.isin(names, ["label 03", "label 09"]), index=names)
    for one in (mask, mask[::-1], mask.sample(frac=1, random_state=0), mask[mask]):
        assert names_of(fitted("names").subset(one)) == ["label 03", "label 09"]
    assert names_of(fitted("names").subset(mask.reset_index(drop=True))) == [
        "label 03",
        "label 09",
    ]
    mask.index = [*names[:-1], "label 99"]
    assert names_of(fitted("names").subset(mask)) == ["label 03", "label 09"]
    mask["label 99"] = True
    with pytest.raises(ValueError, match="holds 'label 99', which is no label"):
        fitted("names").subset(mask)
    by_row = pd.Series(mask.to_numpy(), index=np.arange(100, 100 + len(mask)))
    with pytest.raises(ValueError, match="which is no label"):
        fitted("names").subset(by_row)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("label 03", "must be an iterable of labels; got the single str 'label 03'"),
        (b"label 03", "must be an iterable of labels; got the single bytes"),
        ({"label 03": True, "label 04": False}, "is a dict of booleans; expected lab"),
        ({True, False}, "is a set of booleans; expected labels"),
        (3, "must be an iterable of labels; got 3"),
        (object(), "must be an iterable of labels; got <object"),
        (sparse.csr_array(np.eye(2)), "must be an iterable of labels; got <"),
        (
            pd.DataFrame({"a": ["label 03"]}),
            "must be a vector of labels; got the shape",
        ),
        ([["label 03"]], "must be a vector of labels; got the shape"),
    ],
)
def test_what_is_no_iterable_of_labels(labels, message):
    for unknown in ("raise", "ignore"):
        with pytest.raises(ValueError, match=f"allowed {message}"):
            fitted("names").subset(labels, unknown=unknown)


def test_what_is_done_with_unknown_labels_is_checked():
    for wrong in ("skip", None, True, ["ignore"]):
        with pytest.raises(
            ValueError, match=r"unknown=.*; expected 'raise' or 'ignore'"
        ):
            fitted("exact").subset([1], unknown=wrong)


def test_everyone_who_takes_labels_takes_unknown_ones():
    texts = ["green tea", "black tea", "rye bread"]
    retriever = TextRetriever().fit(texts, ["green", "black", "rye"])
    allowed = {"green", "black", "gone"}
    for call in (
        lambda **how: retriever.search("green bread", allowed=allowed, **how),
        lambda **how: retriever.search_batch(["tea"], allowed=allowed, **how),
        lambda **how: retriever.rank(["tea"], allowed=allowed, **how),
        lambda **how: retriever.search("tea", excluded=(one for one in allowed), **how),
        lambda **how: retriever.subset(allowed, **how),
    ):
        with pytest.raises(ValueError, match="holds 'gone', which is no label"):
            call()
        call(unknown="ignore")
    found = retriever.search("green bread", allowed=allowed, unknown="ignore")
    assert [label for label, _, _ in found] == ["green", "black"]
    found = retriever.search("green tea", excluded=allowed, unknown="ignore")
    assert [label for label, _, _ in found] == ["rye"]
    reranker = Reranker(fit(), LogisticRegression(), cv=2).fit(X, Y)
    subset = reranker.subset([3, 99], unknown="ignore")
    assert set(np.unique(reranker.rank(X[:4], 3, allowed=subset)[0])) == {-1, 3}
