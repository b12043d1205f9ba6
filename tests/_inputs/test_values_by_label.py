"""Trees, vectors, weights and counts of labels, by label or by position."""

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from one_per_label import CLASSES, COLUMNS, FRAME, Recorder, Y, by_position
from scipy import sparse

from skxmr import (
    KMeansTree,
    LabelTexts,
    LabelTree,
    NeighborRanker,
    RankFusion,
    TrieTreeHybrid,
    XRLinearClassifier,
    metrics,
)
from skxmr.baselines import PopularCompleter

# Trees


@by_position
def test_names_of_a_trie_by_position(make):
    names = ["beta", "alpha", "gamma"]
    expected = TrieTreeHybrid(1, random_state=0).fit(label_names=names).tree_
    assert (
        TrieTreeHybrid(1, random_state=0).fit(label_names=make(names)).tree_ == expected
    )
    assert expected.to_text(make(names)) == expected.to_text(names)


def test_names_of_a_trie_by_number():
    names = ["beta", "alpha", "gamma", "almond"]
    by_number = {2: "gamma", 0: "beta", 3: "almond", 1: "alpha"}
    expected = TrieTreeHybrid(1, random_state=0).fit(label_names=names).tree_
    for given in (by_number, LabelTexts(by_number), pd.Series(names, list("wxyz"))):
        tree = TrieTreeHybrid(1, random_state=0).fit(label_names=given).tree_
        assert tree == expected
        assert tree.to_text(given) == tree.to_text(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param({"a", "b"}, "got a set whose items have no order", id="set"),
        pytest.param(
            frozenset("ab"), "got a frozenset whose items have no order", id="frozenset"
        ),
        ({"a": 1, "b": 2}, "got a dict that lacks 2 of the 2 labels, such as 0"),
        ({1: "a", 2: "b"}, "got a dict that lacks 1 of the 2 labels, such as 0"),
        (Counter("ab"), "got a Counter that lacks 2"),
        (["a", None], r"label_names\[1\]"),
    ],
    ids=str,
)
def test_names_of_a_trie_that_are_refused(names, message):
    with pytest.raises((ValueError, TypeError), match=message):
        TrieTreeHybrid().fit(label_names=names)
    tree = KMeansTree(2, 1).fit(np.eye(2)).tree_
    with pytest.raises((ValueError, TypeError), match=message):
        tree.to_text(names)


def test_parents_by_node():
    parents = [-1, 0, 0, 1, 1]
    expected = LabelTree.from_parents(parents)
    shuffled = [3, 0, 4, 2, 1]
    series = pd.Series([parents[node] for node in shuffled], index=shuffled)
    assert LabelTree.from_parents(series) == expected
    assert LabelTree.from_parents(series.to_dict()) == expected
    assert LabelTree.from_parents(pd.Series(parents)) == expected
    with pytest.raises(ValueError, match="index that lacks 1 of the 5 labels"):
        LabelTree.from_parents(pd.Series(parents, index=[0, 1, 2, 3, 9]))


# Vectors

VECTORS = np.array([[1.0, 0.5, 0], [0, 1, 0.25], [0.125, 0, 1]])  # car, fruit, phone


def vectors_given(y, label_vectors):
    XRLinearClassifier(Recorder(), label_vectors=label_vectors).fit(np.eye(4), y)
    Z = Recorder.seen[0]
    return Z.toarray() if sparse.issparse(Z) else np.asarray(Z)


def test_vectors_by_position():
    for vectors in (VECTORS, VECTORS.tolist(), sparse.csr_array(VECTORS),
                    pd.DataFrame(VECTORS), pl.DataFrame(VECTORS)):  # fmt: skip
        np.testing.assert_array_equal(vectors_given(CLASSES, vectors), VECTORS)
        np.testing.assert_array_equal(vectors_given(Y, vectors), VECTORS)
    strange = pd.DataFrame(VECTORS, index=["x", "y", "z"])
    np.testing.assert_array_equal(vectors_given(Y, strange), VECTORS)


def test_vectors_by_label():
    names = ["phone", "boat", "car", "fruit"]
    rows = np.vstack([VECTORS[2], np.full(3, 9), VECTORS[:2]])
    frame = pd.DataFrame(rows, index=names)
    mapping = dict(zip(names, rows, strict=True))
    of_sparse = {name: sparse.csr_array([row]) for name, row in mapping.items()}
    for vectors in (frame, mapping, of_sparse):
        np.testing.assert_array_equal(vectors_given(CLASSES, vectors), VECTORS)
        np.testing.assert_array_equal(vectors_given(FRAME, vectors), VECTORS[[2, 1, 0]])
        pair = vectors_given(CLASSES, ("pifa", vectors))
        expected = vectors_given(CLASSES, ("pifa", VECTORS))
        np.testing.assert_allclose(pair, expected, rtol=1e-6)
    by_number = {2: VECTORS[2], 0: VECTORS[0], 1: VECTORS[1]}
    np.testing.assert_array_equal(vectors_given(Y, by_number), VECTORS)
    with pytest.raises(ValueError, match=r"lacks 1 of the 3 labels.*'fruit'"):
        vectors_given(CLASSES, frame[:3])
    with pytest.raises(ValueError, match="dict that lacks 3 of the 3 labels"):
        vectors_given(Y, mapping)


# Weights and propensities


def test_weights_by_name():
    members = [("one", NeighborRanker(1)), ("two", NeighborRanker(3))]
    X = np.eye(4) + 0.1

    def fit(weights):
        return RankFusion(members, weights=weights).fit(X, CLASSES).rank(X, 3)[1]

    expected = fit([3, 1])
    assert not np.array_equal(expected, fit([1, 3]))
    for weights in (
        {"two": 1, "one": 3},
        pd.Series({"two": 1, "one": 3}),
        pd.Series([3, 1]),
        np.array([3, 1]),
    ):
        np.testing.assert_array_equal(fit(weights), expected)
    for weights in (
        {"one": 3},
        {"one": 3, "two": 1, "six": 1},
        {3, 1},
        {"a": 1, "b": 2},
        pd.Series([3, 1], index=["a", "b"]),
    ):
        with pytest.raises((ValueError, TypeError), match="weights"):
            fit(weights)


def test_propensities_by_number():
    ranking = np.array([[1, 0], [0, 2]]), np.array([[0.9, 0.5], [0.9, 0.5]])
    truth = np.array([[1, 0, 0], [0, 0, 1]])
    p = [0.9, 0.5, 0.25]

    def score(propensities):
        return metrics.propensity_scored_precision_at_k(
            truth, ranking, 2, propensities=propensities
        )

    assert score({2: 0.25, 0: 0.9, 1: 0.5}) == score(p)
    assert score(pd.Series(p, index=["x", "y", "z"])) == score(p)
    for wrong in (
        {"a": 0.9, "b": 0.5, "c": 0.25},
        {1: 0.9, 2: 0.5, 3: 0.25},
        {0.9, 0.5},
    ):
        with pytest.raises((ValueError, TypeError), match="propensities"):
            score(wrong)


def test_a_scorer_takes_propensities_by_label():
    make = metrics.propensity_scored_precision_at_k_scorer
    X = np.eye(4) + 0.1
    p = {"phone": 0.9, "fruit": 0.5, "car": 0.25}
    of_classes = NeighborRanker(1).fit(X, CLASSES)
    wrong = [*CLASSES[:2], "fruit", "car"]
    expected = make(2, propensities=p)(of_classes, X, wrong)
    assert make(2, propensities=pd.Series(p))(of_classes, X, wrong) == expected
    of_columns = NeighborRanker(1).fit(X, Y)
    in_columns = [p[name] for name in COLUMNS]
    truth = Y[[0, 1, 3, 2]]
    expected = make(2, propensities=in_columns)(of_columns, X, truth)
    for given, y in [
        (p, pd.DataFrame(truth, columns=COLUMNS)),
        (pd.Series(p), pd.DataFrame(truth, columns=COLUMNS)),
        (pd.Series(p)[["car", "phone", "fruit"]], pd.DataFrame(truth, columns=COLUMNS)),
        (pd.Series(p), truth),
        (pd.Series(in_columns, index=[5, 5, 5]), truth),
        (dict(enumerate(in_columns)), truth),
        (dict(enumerate(in_columns)), sparse.csr_array(truth)),
    ]:
        assert make(2, propensities=given)(of_columns, X, y) == expected
    with pytest.raises(ValueError, match=r"an array by column.*lacks 3 of the 3"):
        make(2, propensities=p)(of_columns, X, truth)
    with pytest.raises((ValueError, TypeError), match="propensities"):
        make(2, propensities={0.5, 0.25})


def test_counts_by_query():
    queries, counts = ["b", "a", "c"], {"a": 1, "b": 2, "c": 3}
    for given in (
        counts,
        pd.Series(counts),
        pd.Series([2, 1, 3]),
        pd.Series([2, 1, 3], index=[7, 8, 9]),
        pd.Series([2, 1, 3], index=queries),
        pd.Series([2, 1, 3], index=["x", "y", "z"]),
    ):
        completer = PopularCompleter().fit(None, queries, counts=given)
        assert dict(zip(completer.queries_, completer.counts_, strict=True)) == counts
    # Rows of one data frame, whatever they are called.
    frame = pd.DataFrame({"query": queries, "count": [2, 1, 3]}, index=["c", "b", "a"])
    completer = PopularCompleter().fit(None, frame["query"], counts=frame["count"])
    assert dict(zip(completer.queries_, completer.counts_, strict=True)) == counts
    for wrong in ({"a": 1, "b": 2}, counts | {"d": 1}, {1, 2, 3}):
        with pytest.raises((ValueError, TypeError), match="counts"):
            PopularCompleter().fit(None, queries, counts=wrong)
    with pytest.raises(ValueError, match="queries has duplicates"):
        PopularCompleter().fit(None, ["a", "a", "b"], counts={"a": 1, "b": 2})
