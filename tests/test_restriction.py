"""Searches among some of the labels."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skxmr import KMeansTree, XRLinearClassifier
from skxmr._cython import _restriction as kernel

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


EXACT = fit(beam_width=None)
NARROW = fit(beam_width=2)
FOREST = fit(beam_width=None, n_trees=3, max_candidates=None)
DENSE = fit(X=X.toarray() + 0.1, beam_width=None)
WORDS = fit(y=NAMES[CODES], beam_width=None)


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
    with pytest.raises(ValueError, match="beyond the labels"):
        kernel.allow_ranges(np.array([[0, 4]]), nodes, parents, bits)
    with pytest.raises(ValueError, match="fewer bits"):
        kernel.allow_ranges(np.array([[0, 1]]), nodes, parents, bits[:0])
    for label in (-1, 3):
        with pytest.raises(ValueError, match="beyond the labels"):
            kernel.forbid(np.array([label]), nodes, parents, offsets, bits)
    with pytest.raises(ValueError, match="fewer bits"):
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
@pytest.mark.parametrize("classifier", [EXACT, FOREST], ids=["exact", "forest"])
def test_a_subset_is_ranked_as_the_whole_is(classifier, row, k, allowed, excluded):
    subset = classifier.subset(allowed, excluded)
    kept = set(range(N_LABELS) if allowed is None else allowed) - set(excluded)
    columns, scores = classifier.rank(X[[row]], k, subset=subset)
    wanted, wanted_scores = expected_rank(classifier, row, k, kept)
    assert columns[0].tolist() == wanted
    np.testing.assert_allclose(scores[0], wanted_scores, rtol=1e-6)
    one = X[[row]]
    single, single_scores = classifier.rank_one(
        one.indices.astype(np.int32), one.data, k, subset=subset
    )
    np.testing.assert_array_equal(single, columns[0])
    np.testing.assert_allclose(single_scores, scores[0], rtol=1e-6)


def test_no_place_in_the_beam_is_lost():
    # Two nodes of a level would hardly ever lead to these few labels.
    allowed = [3, 17, 40, 58]
    columns, _ = NARROW.rank(X, 4, subset=NARROW.subset(allowed))
    found = columns[columns >= 0]
    assert set(found.tolist()) == {3, 40, 58}
    # Two nodes of the last level but one lead to two of them at least, unless one node
    # is above all: never to 17 alone, which no search finds.
    assert (columns[:, 1] >= 0).all()
    unrestricted, _ = NARROW.rank(X, 4)
    assert np.isin(unrestricted, allowed).sum() < len(found) / 2


def test_dense_rows():
    rows = X.toarray()[:20] + 0.1
    subset = DENSE.subset(excluded=[0, 1, 2])
    columns, scores = DENSE.rank(rows, 5, subset=subset)
    whole, _ = DENSE.rank(rows, N_LABELS)
    for found, all_found in zip(columns, whole, strict=True):
        assert found.tolist() == [c for c in all_found if c not in (0, 1, 2)][:5]
    single, single_scores = DENSE.rank_one(
        None, rows[0].astype(np.float32), 5, subset=subset
    )
    np.testing.assert_array_equal(single, columns[0])
    np.testing.assert_allclose(single_scores, scores[0], rtol=1e-6)


def test_classes_masks_and_columns_say_the_same():
    by_name = WORDS.subset(NAMES[[5, 9]])
    by_mask = WORDS.subset(np.isin(np.arange(len(WORDS.classes_)), [5, 9]))
    by_list = WORDS.subset(["label 09", "label 05", "label 05"])
    for subset in (by_mask, by_list):
        for one, other in zip(subset.bits, by_name.bits, strict=True):
            np.testing.assert_array_equal(one, other)
    columns, _ = WORDS.rank(X[:5], 3, subset=by_name)
    assert set(columns.ravel().tolist()) == {5, 9, -1}


def test_nothing_allowed_finds_nothing():
    for subset in (EXACT.subset([]), EXACT.subset(excluded=np.ones(N_LABELS, bool))):
        columns, scores = EXACT.rank(X[:3], 4, subset=subset)
        assert (columns == -1).all()
        assert (scores == 0).all()


def test_the_order_does_not_depend_on_threads():
    subset = EXACT.subset(excluded=[7])
    expected = EXACT.rank(X, 5, subset=subset)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: EXACT.rank(X, 5, subset=subset), range(8)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ([N_LABELS], "allowed holds 60, which is no label"),
        ([-1], "allowed holds -1, which is no label"),
        ([1.5], "allowed holds 1.5, which is no label"),
        (["tea"], "allowed holds 'tea', which is no label"),
        ([[1]], r"allowed must be a vector of labels; got the shape \(1, 1\)"),
        (3, r"got the shape \(\)"),
        (np.ones(3, dtype=bool), "allowed is a mask of 3 labels; expected 60"),
    ],
)
def test_labels_that_there_are_not(allowed, message):
    with pytest.raises(ValueError, match=message):
        EXACT.subset(allowed)


def test_subsets_of_other_classifiers_are_refused():
    with pytest.raises(ValueError, match="made by another classifier"):
        EXACT.rank(X[:1], subset=NARROW.subset([1]))
    with pytest.raises(TypeError, match="subset must be made by the method subset"):
        EXACT.rank(X[:1], subset=[1, 2])
    loaded = pickle.loads(pickle.dumps(EXACT))
    with pytest.raises(ValueError, match="another classifier"):
        loaded.rank(X[:1], subset=EXACT.subset([1]))
