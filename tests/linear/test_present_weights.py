"""Present weights of single features, read without compacting the model."""

import numpy as np
import pytest
from fitted_classifiers import fit, make_data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from skxmr._cython._relearning import align
from twins import levels_from_dense, random_sparse, weights_to_dense

from skxmr import KMeansTree, LabelTree
from skxmr._growing._present_weights import present_weights
from skxmr._search._layout import SearchLayout
from skxmr._search._weights_by_feature import FeatureWeights
from skxmr._utils._compressed import Compressed


def slow_present_weights(layout, parents, wanted):
    """The twin: compacts the layout, and takes what is wanted from dense matrices."""
    layout = layout.compacted
    level = int(np.searchsorted(layout.level_starts, parents[0], side="right")) - 1
    first, stop = layout.level_starts[level : level + 2]
    offsets = layout.child_offsets[first : stop + 1]
    weights = layout.to_levels()[level]
    W = weights_to_dense(weights, offsets - offsets[0], layout.n_features).T
    parts, is_wanted = [], wanted.toarray() != 0
    for i, parent in enumerate(parents - first):
        part = W[slice(*(offsets[parent : parent + 2] - offsets[0]))]
        if layout.by_node is None:
            part = part * is_wanted[i]
        parts.append(part)
    return np.concatenate(parts).astype(np.float32)


def assert_equal_to_twin(layout, rng):
    for first, stop in zip(layout.level_starts, layout.level_starts[1:], strict=False):
        parents = np.flatnonzero(rng.random(stop - first) < 0.7) + first
        if not len(parents):
            continue
        wanted = random_sparse(rng, (len(parents), layout.n_features), 0.6)
        wanted.data[:] = 1
        found = present_weights(layout, parents, wanted)
        np.testing.assert_array_equal(
            found.toarray(), slow_present_weights(layout, parents, wanted)
        )
        assert found.has_canonical_format
        assert found.data.all()


def random_layout(rng, n_parents, n_children, n_features, precision):
    tree = LabelTree(
        [[0, n_parents], np.arange(n_parents + 1) * n_children],
        np.arange(n_parents * n_children),
    )
    dense = [
        (random_sparse(rng, (n_features, n), density).toarray(), rng.random(n))
        for n, density in ((n_parents, 0.3), (n_parents * n_children, 0.02))
    ]
    levels = levels_from_dense(tree, dense)
    return SearchLayout.from_levels(
        tree, levels, n_features, weight_precision=precision
    )


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(
    ("n_parents", "n_children", "n_features"),
    [
        pytest.param(3, 5, 40, id="small"),
        pytest.param(4, 300, 30, id="wide runs"),
        pytest.param(300, 3, 30, id="blocks and lists"),
        pytest.param(70_000, 1, 2, id="wide parents"),
    ],
)
def test_weights_of_any_layout(n_parents, n_children, n_features, precision):
    rng = np.random.default_rng(0)
    layout = random_layout(rng, n_parents, n_children, n_features, precision)
    assert_equal_to_twin(layout, rng)


def test_weights_of_few_among_very_many_features():
    X, Y = make_data()
    wide = sparse.csr_array((X.data, X.indices * 10_000, X.indptr), (X.shape[0], 10**6))
    classifier = fit(wide, Y)
    (layout,) = classifier.layouts_
    assert len(layout.by_feature.kept_features)
    rows = sparse.csr_array(wide[:3])
    parents = layout.level_starts[-2] + np.arange(3)
    found = present_weights(layout, parents, rows)
    narrow = fit(X, Y).layouts_[0]
    expected = present_weights(narrow, parents, sparse.csr_array(X[:3]))
    np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_array_equal(found.indices, expected.indices * 10_000)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.sampled_from(["add", "remove", "learn"]), max_size=5),
    st.sampled_from(["sparse", "half", "dense"]),
    st.integers(0, 1000),
)
def test_weights_after_changes(changes, form, seed):
    rng = np.random.default_rng(seed)
    X, Y = make_data()
    X = X.toarray() if form == "dense" else X
    precision = "float16" if form == "half" else "float32"
    classifier = fit(X, Y, weight_precision=precision)
    for change in changes:
        known = classifier._state.known
        left = np.setdiff1d(np.arange(len(known)), known.removed)
        if change == "add":
            classifier.add_labels(X[rng.integers(300, size=3)])
        elif change == "remove":
            classifier.remove_labels(rng.choice(left, 2, replace=False))
        else:
            rows = rng.integers(300, size=4)
            y = sparse.lil_array((4, len(known)), dtype=int)
            y[np.arange(4), rng.choice(left, 4)] = 1
            classifier.partial_fit(X[rows], y.tocsr())
    assert_equal_to_twin(classifier._state.layouts[0], rng)


def test_a_batch_does_not_read_the_whole_model(monkeypatch):
    X, Y = make_data()
    classifier = fit(X, Y)
    classifier.partial_fit(X[:5], Y[:5])

    def refuse(*args):
        raise AssertionError("All weights were read.")

    monkeypatch.setattr(FeatureWeights, "_split_runs", refuse)
    monkeypatch.setattr(SearchLayout, "compacted", property(refuse))
    classifier.remove_labels([3])
    rows = np.flatnonzero(Y[:, [3]].toarray()[:, 0] == 0)[:5]
    classifier.partial_fit(X[rows], Y[rows])
    classifier.add_labels(X[:1])
    with pytest.raises(AssertionError, match="All weights"):
        classifier.compact()


@pytest.mark.parametrize("n_classes", [50, 800])
def test_no_more_weights_are_read_than_are_wanted(n_classes):
    X, Y = make_data(n_classes=n_classes, n_samples=900)
    (layout,) = fit(X, Y, indexer=KMeansTree(8, 8, random_state=0)).layouts_
    reader = layout.run_reader
    parents = np.full(3, layout.level_starts[-2], dtype=np.int64)
    features = np.array([2, 4, 7], dtype=np.int32)
    n_children = int(np.diff(layout.child_offsets)[parents[0]])
    most = reader.count(parents, features)
    assert most <= 3 * n_children
    counts, children = np.empty(3, dtype=np.int64), np.empty(most, dtype=np.int32)
    weights = np.empty(most, dtype=np.float32)
    assert reader.read(parents, features, counts, children, weights) == most
    assert reader.n_read == most == counts.sum()


def test_wrong_pairs_are_refused():
    X, Y = make_data()
    (layout,) = fit(X, Y).layouts_
    reader, features = layout.run_reader, np.zeros(1, dtype=np.int32)
    for parent in (-1, len(layout.child_offsets) - 1):
        with pytest.raises(ValueError, match="no pair"):
            reader.count(np.array([parent]), features)
    with pytest.raises(ValueError, match="as many"):
        reader.count(np.arange(2), features)
    counts, nothing = np.empty(300, dtype=np.int64), np.empty(0, dtype=np.int32)
    root, features = np.zeros(30, dtype=np.int64), np.arange(30, dtype=np.int32)
    with pytest.raises(ValueError, match="room"):
        reader.read(root, features, counts[:30], nothing, nothing.astype(np.float32))
    with pytest.raises(ValueError, match="lengths"):
        reader.read(root, features, counts, nothing, nothing.astype(np.float32))
    beyond = np.full(30, 10**6, dtype=np.int32)
    assert reader.count(root, beyond) == 0


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 5), st.integers(1, 6))
def test_matrices_are_aligned_as_by_their_twin(seed, n_rows, n_columns):
    rng = np.random.default_rng(seed)
    one, other = (random_sparse(rng, (n_rows, n_columns), 0.5) for _ in range(2))
    first, second = Compressed.from_sparse(one), Compressed.from_sparse(other)
    most = one.nnz + other.nnz
    offsets = np.empty(n_rows + 1, dtype=np.int64)
    indices = np.empty(most, dtype=np.int32)
    values = np.empty((2, most), dtype=np.float32)
    n = align(*first[:3], *second[:3], offsets, indices, values)
    assert n == offsets[-1] == ((one.toarray() != 0) | (other.toarray() != 0)).sum()
    for part, expected in zip(values, (one, other), strict=True):
        found = sparse.csr_array((part[:n], indices[:n], offsets), expected.shape)
        np.testing.assert_array_equal(found.toarray(), expected.toarray())
    with pytest.raises(ValueError, match="fit together"):
        align(*first[:3], *second[:3], offsets, indices, values[:1])
