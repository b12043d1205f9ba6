import pickle
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from fitted_classifiers import make_data
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from skxmr._cython._search import HAS_LANES
from skxmr._cython._search_inputs import TRANSFORMS as TRANSFORMS_BY_NAME
from skxmr._cython._search_inputs import BeamOptions, StartNodes
from twins import (
    assert_found,
    compress,
    levels_from_dense,
    random_levels,
    random_tree,
    search_twin,
    weights_from_dense,
    weights_to_dense,
)

from skxmr import KMeansTree, XRLinearClassifier
from skxmr._search import _beam_search
from skxmr._search._beam_search import beam_search, search_one
from skxmr._search._layout import LAYOUT_VERSION, SearchLayout
from skxmr._search._weights import LinearWeights
from skxmr.tree import LabelTree

pytestmark = pytest.mark.kernels

TRANSFORMS = ["sigmoid", "l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge"]
N_FEATURES = 6


def lay_out(tree, dense_levels):
    levels = levels_from_dense(tree, dense_levels)
    return SearchLayout.from_levels(tree, levels, len(dense_levels[0][0]))


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tree = random_tree(rng)
    levels = random_levels(
        tree, rng, draw(st.sampled_from([0.25, 1.0, 100.0])), N_FEATURES
    )
    X = rng.integers(-2, 3, size=(4, N_FEATURES)) * (rng.random((4, N_FEATURES)) < 0.6)
    return tree, levels, X.astype(np.float32)


def search_by_levels(X, layout, *, k, beam_width, transform):
    """Search one level after the other, by one call each."""
    nodes, scores = np.zeros((len(X), 1), dtype=np.int64), np.zeros((len(X), 1))
    for level in range(layout.n_levels):
        width = k if level == layout.n_levels - 1 else beam_width
        children = np.empty((len(X), width), dtype=np.int64)
        child_scores = np.empty((len(X), width))
        layout.searcher.search(
            *compress(X)[:3],
            BeamOptions(beam_width, TRANSFORMS_BY_NAME[transform]),
            StartNodes(level, level + 1, nodes, scores),
            children,
            child_scores,
        )
        width = min(width, layout.level_sizes[level + 1])
        nodes, scores = children[:, :width].copy(), child_scores[:, :width].copy()
    return children, child_scores


@settings(deadline=None, max_examples=150)
@given(
    problems(),
    st.integers(1, 40),
    st.integers(1, 12),
    st.sampled_from(TRANSFORMS),
)
def test_levels_one_by_one_are_the_whole_search(problem, k, beam_width, transform):
    tree, levels, X = problem
    layout = lay_out(tree, levels)
    expected = beam_search(
        compress(X), layout, k=k, beam_width=beam_width, score_transform=transform
    )
    found = search_by_levels(X, layout, k=k, beam_width=beam_width, transform=transform)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=150)
@given(
    problems(),
    st.integers(1, 40),
    st.integers(1, 12),
    st.sampled_from(TRANSFORMS),
)
def test_search_agrees_with_its_twin(problem, k, beam_width, transform):
    tree, levels, X = problem
    columns, scores = beam_search(
        compress(X),
        lay_out(tree, levels),
        k=k,
        beam_width=beam_width,
        score_transform=transform,
    )
    assert columns.shape == scores.shape == (len(X), k)
    for i, x in enumerate(X.astype(np.float64)):
        expected = search_twin(
            x, tree, levels, k=k, beam_width=beam_width, transform=transform
        )
        assert_found(columns[i], scores[i], expected)


@settings(deadline=None)
@given(problems(), st.integers(1, 12), st.sampled_from(TRANSFORMS))
def test_half_precision_agrees_with_the_twin_of_its_weights(
    problem, beam_width, transform
):
    tree, levels, X = problem
    levels = [(W * np.float32(1.001), intercepts) for W, intercepts in levels]
    layout = SearchLayout.from_levels(
        tree, levels_from_dense(tree, levels), N_FEATURES, weight_precision="float16"
    )
    rounded = [(W.astype(np.float16), intercepts) for W, intercepts in levels]
    for i, weights in enumerate(layout.to_levels()):
        W, intercepts = rounded[i]
        expected = weights_from_dense(
            W.astype(np.float32), intercepts, tree.child_offsets[i]
        )
        assert_same_arrays(weights, expected)
    columns, scores = beam_search(
        compress(X), layout, k=10, beam_width=beam_width, score_transform=transform
    )
    for i, x in enumerate(X.astype(np.float64)):
        expected = search_twin(
            x, tree, rounded, k=10, beam_width=beam_width, transform=transform
        )
        assert_found(columns[i], scores[i], expected)


@settings(deadline=None)
@given(
    problems(),
    st.integers(1, 12),
    st.sampled_from(TRANSFORMS),
    st.sampled_from(["float32", "float16"]),
)
def test_search_does_not_depend_on_the_instructions(
    problem, beam_width, transform, precision
):
    tree, levels, X = problem
    levels = levels_from_dense(tree, levels)
    found = []
    for has_lanes in {HAS_LANES, False}:
        layout = SearchLayout.from_levels(
            tree, levels, N_FEATURES, weight_precision=precision
        )
        with mock.patch("skxmr._search._layout.HAS_LANES", has_lanes):
            found.append(
                beam_search(
                    compress(X),
                    layout,
                    k=10,
                    beam_width=beam_width,
                    score_transform=transform,
                )
            )
    for one, other in pairwise(found):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1].view(np.int64), other[1].view(np.int64))


@pytest.mark.parametrize("n_groups", [1, 5000])
def test_every_half_is_read(n_groups):
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves) & (halves != 0)]
    ends = np.linspace(0, len(halves), n_groups + 1).astype(np.int64)
    offsets = [[0, n_groups], ends] if n_groups > 1 else [ends]
    tree = LabelTree(offsets, labels=np.arange(len(halves)))
    W = halves.astype(np.float32)[np.newaxis]
    levels = [(W, np.zeros(W.shape[1], np.float32))]
    if n_groups > 1:
        levels.insert(0, (np.ones((1, n_groups)), np.zeros(n_groups)))
    layout = SearchLayout.from_levels(
        tree,
        levels_from_dense(
            tree, [tuple(np.asarray(a, np.float32) for a in level) for level in levels]
        ),
        1,
        weight_precision="float16",
    )
    columns, scores = beam_search(
        compress(np.ones((1, 1))),
        layout,
        k=W.shape[1],
        beam_width=n_groups,
        score_transform="l1-hinge",
    )
    margins = halves.astype(np.float64)[columns[0]]
    np.testing.assert_array_equal(scores[0], -np.maximum(0, 1 - margins))


def test_weights_that_no_half_can_hold():
    tree = LabelTree([[0, 2]], labels=[0, 1])
    W = np.array([[1e30, -1e30]], dtype=np.float32)
    layout = SearchLayout.from_levels(
        tree,
        levels_from_dense(tree, [(W, np.zeros(2, np.float32))]),
        1,
        weight_precision="float16",
    )
    assert layout.by_feature.weights.tolist() == [65504, -65504]


def as_bits(allowed):
    """A bit for each node, as `search_one` takes them."""
    padded = np.zeros(-(-len(allowed) // 64) * 64, dtype=bool)
    padded[: len(allowed)] = allowed
    return np.packbits(padded, bitorder="little").view(np.uint64)


@settings(deadline=None, max_examples=150)
@given(
    problems(),
    st.integers(1, 40),
    st.integers(1, 12),
    st.sampled_from(TRANSFORMS),
    st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_restricted_search_agrees_with_its_twin(
    problem, k, beam_width, transform, share, seed
):
    tree, levels, X = problem
    layout = lay_out(tree, levels)
    allowed = np.random.default_rng(seed).random(sum(tree.level_sizes)) < share
    allowed[0] |= seed % 8 > 0
    for x, row in zip(X.astype(np.float64), sparse.csr_array(X), strict=True):
        columns, scores = search_one(
            layout,
            row.indices,
            row.data,
            k=k,
            beam_width=beam_width,
            score_transform=transform,
            allowed=as_bits(allowed),
            as_logs=True,
        )
        assert columns.shape == scores.shape == (k,)
        expected = search_twin(
            x,
            tree,
            levels,
            k=k,
            beam_width=beam_width,
            transform=transform,
            allowed=allowed,
        )
        assert_found(columns, scores, expected)


def test_a_restriction_with_too_few_bits_is_refused():
    tree, levels, X = wide_problem(5, 40, 90)
    layout = lay_out(tree, levels)
    indices = np.arange(5, dtype=np.int32)
    arguments = {"k": 3, "beam_width": 3, "score_transform": "sigmoid"}
    whole = search_one(layout, indices, X[0], **arguments)
    found = search_one(
        layout, indices, X[0], **arguments, allowed=as_bits(np.ones(131))
    )
    np.testing.assert_array_equal(found, whole)
    for n_bits in (0, 128):
        with pytest.raises(ValueError, match=rf"{n_bits // 64} words .* of 131 nodes"):
            search_one(
                layout, indices, X[0], **arguments, allowed=as_bits(np.ones(n_bits))
            )


@settings(deadline=None)
@given(problems(), st.sampled_from(TRANSFORMS))
def test_exhaustive_search_scores_every_label(problem, transform):
    tree, levels, X = problem
    columns, log_scores = beam_search(
        compress(X),
        lay_out(tree, levels),
        k=tree.n_labels,
        beam_width=None,
        score_transform=transform,
    )
    expected = np.zeros((len(X), 1))
    with np.errstate(over="ignore", invalid="ignore"):
        for level, (W, intercepts) in enumerate(levels, start=1):
            margins = X.astype(np.float64) @ W + intercepts
            if transform == "sigmoid":
                scores = -np.logaddexp(0, -margins)
            else:
                scores = -(np.maximum(0, 1 - margins) ** int(transform[1]))
            expected = expected[:, tree.parents(level)] + scores
    by_label = np.empty_like(expected)
    by_label[:, tree.labels] = expected
    for i in range(len(X)):
        found = columns[i] >= 0
        assert found.sum() == np.isfinite(by_label[i]).sum()
        np.testing.assert_allclose(
            log_scores[i, found], by_label[i, columns[i, found]], rtol=1e-6
        )
        order = np.lexsort((np.arange(tree.n_labels), -by_label[i]))
        assert columns[i, found].tolist() == order[: found.sum()].tolist()


def wide_problem(n_features, n_groups, n_labels, seed=0, share=0.3):
    """Two levels, many features a row, all weights other than 0 with some luck."""
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.choice(np.arange(1, n_labels), n_groups - 1, replace=False))
    tree = LabelTree(
        [[0, n_groups], np.concatenate([[0], ends, [n_labels]])],
        rng.permutation(n_labels),
    )
    levels = []
    for size in tree.level_sizes[1:]:
        W = rng.normal(size=(n_features, size))
        W *= rng.random((n_features, size)) < share
        levels.append((W.astype(np.float32), rng.normal(size=size).astype(np.float32)))
    X = rng.normal(size=(3, n_features)) * (rng.random((3, n_features)) < 0.7)
    return tree, levels, X.astype(np.float32)


@pytest.mark.parametrize("beam_width", [2, 30])
@pytest.mark.parametrize(
    ("n_features", "n_groups", "n_labels", "share", "has_bits"),
    [
        (200, 40, 90, 0.3, True),  # more features and hits than are looked up at a time
        (5, 2, 700, 0.3, False),  # more children of a parent than a byte can number
        (3, 50, 60, 0.3, True),
        (4, 700, 1500, 0.3, True),  # more bits than are asked for at once
        (4, 2500, 5100, 0.02, False),  # lists too long to be read through
    ],
)
def test_large_queries_and_levels(
    n_features, n_groups, n_labels, share, has_bits, beam_width
):
    tree, levels, X = wide_problem(n_features, n_groups, n_labels, share=share)
    layout = lay_out(tree, levels)
    by_feature = layout.by_feature
    assert by_feature.children.dtype == (np.int32 if n_labels >= 700 else np.uint8)
    assert (len(by_feature.blocks) > 0) == has_bits
    assert (len(by_feature.parents) > 0) == (not has_bits)
    for one, (W, _), offsets in zip(
        layout.to_levels(), levels, tree.child_offsets, strict=True
    ):
        np.testing.assert_array_equal(weights_to_dense(one, offsets, n_features), W)
    columns, scores = beam_search(
        compress(X), layout, k=20, beam_width=beam_width, score_transform="l2-hinge"
    )
    for i, x in enumerate(X.astype(np.float64)):
        expected = search_twin(
            x, tree, levels, k=20, beam_width=beam_width, transform="l2-hinge"
        )
        found = columns[i][columns[i] >= 0].tolist()
        assert found == [column for column, _ in expected]
        np.testing.assert_allclose(
            scores[i, : len(found)], [score for _, score in expected], atol=1e-5
        )


def test_runs_are_found_one_by_one():
    tree, levels, _ = wide_problem(40, 12, 60, share=0.06)
    layout = lay_out(tree, levels)
    by_feature = layout.by_feature
    assert len(by_feature.blocks)
    assert len(by_feature.parents)
    for level, (W, _) in enumerate(levels):
        ends = tree.child_offsets[level]
        for parent, (first, stop) in enumerate(pairwise(ends)):
            for feature in range(40):
                children, weights = by_feature.run_of(
                    feature, int(layout.level_starts[level]) + parent
                )
                expected = np.flatnonzero(W[feature, first:stop])
                np.testing.assert_array_equal(children, expected)
                np.testing.assert_array_equal(weights, W[feature, first:stop][expected])


@pytest.mark.parametrize(
    ("indices", "values", "message"),
    [
        (np.arange(2), np.ones(2, np.float32), "indices is an array of int64"),
        (np.arange(2, dtype=np.int32), np.ones(2), "values is an array of float64"),
        ([0, 1], np.ones(2, np.float32), "indices is of type list"),
        (
            np.zeros((1, 2), np.int32),
            np.ones(2, np.float32),
            r"indices is an array of int32 and of shape \(1, 2\)",
        ),
    ],
)
@pytest.mark.parametrize("as_logs", [True, False])
def test_a_row_of_other_types_is_refused(as_logs, indices, values, message):
    tree, levels, _ = wide_problem(5, 2, 10)
    with pytest.raises(TypeError, match=message):
        search_one(
            lay_out(tree, levels),
            indices,
            values,
            k=1,
            beam_width=1,
            score_transform="sigmoid",
            as_logs=as_logs,
        )


def test_few_of_very_many_features():
    """As `HashingVectorizer` makes them: the layout grows with those that are used."""
    tree, levels, X = wide_problem(30, 5, 20)
    dense = lay_out(tree, levels)
    places = np.sort(np.random.default_rng(1).choice(2**31 - 1, 30, replace=False))
    many = [
        LinearWeights(
            weights.posting_offsets,
            places[weights.features].astype(np.int32),
            weights.run_offsets,
            weights.children,
            weights.weights,
            weights.intercepts,
        )
        for weights in dense.to_levels()
    ]
    layout = SearchLayout.from_levels(tree, many, 2**31 - 1)
    assert layout.nbytes < 2 * dense.nbytes
    arguments = {"k": 20, "beam_width": 3, "score_transform": "sigmoid"}
    known = compress(X)
    wide = known._replace(indices=places[known.indices].astype(np.int32))
    others = wide._replace(indices=wide.indices - 1)
    expected = beam_search(known, dense, **arguments)
    for one, other in zip(
        beam_search(wide, layout, **arguments), expected, strict=True
    ):
        np.testing.assert_array_equal(one, other)
    nothing = known._replace(values=np.zeros_like(known.values))
    np.testing.assert_array_equal(
        beam_search(others, layout, **arguments)[1],
        beam_search(nothing, dense, **arguments)[1],
    )
    for one, other in zip(layout.to_levels(), many, strict=True):
        assert_same_arrays(one, other)


@settings(deadline=None)
@given(problems())
def test_a_layout_gives_its_weights_back(problem):
    tree, dense_levels, _ = problem
    for level, weights in enumerate(lay_out(tree, dense_levels).to_levels()):
        W, intercepts = dense_levels[level]
        expected = weights_from_dense(W, intercepts, tree.child_offsets[level])
        assert_same_arrays(weights, expected)


def assert_same_arrays(one, other):
    for name, array in vars(one).items():
        np.testing.assert_array_equal(array, getattr(other, name), strict=True)


def test_nodes_of_an_upper_level():
    rng = np.random.default_rng(3)
    tree = LabelTree.from_parents([-1, 0, 0, 0, 1, 1, 2, 3, 3])
    levels = random_levels(tree, rng, 1.0, N_FEATURES)[:1]
    x = np.ones((1, N_FEATURES), dtype=np.float32)
    nodes, _ = beam_search(
        compress(x),
        lay_out(tree, levels),
        k=3,
        beam_width=3,
        score_transform="l3-hinge",
        wanted="nodes",
    )
    expected = search_twin(
        x[0], tree, levels, k=3, beam_width=3, transform="l3-hinge", nodes=True
    )
    assert nodes[0, : len(expected)].tolist() == [node for node, _ in expected]


def test_ties_are_broken_by_label():
    tree = LabelTree([[0, 2], [0, 2, 4]], labels=[3, 1, 2, 0])
    zeros = [(np.zeros((1, n), np.float32), np.zeros(n, np.float32)) for n in (2, 4)]
    columns, _ = beam_search(
        compress(np.ones((1, 1))),
        lay_out(tree, zeros),
        k=3,
        beam_width=2,
        score_transform="sigmoid",
    )
    assert columns.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_products_that_underflow_are_still_ranked(transform):
    depth = 12
    tree = LabelTree([[0, 2]] + [[0, 1, 2]] * (depth - 1), labels=[0, 1])
    intercepts = np.array([-400.0, -399.0], dtype=np.float32)
    level = (np.zeros((1, 2), dtype=np.float32), intercepts)
    columns, scores = beam_search(
        compress(np.zeros((1, 1))),
        lay_out(tree, [level] * depth),
        k=2,
        beam_width=2,
        score_transform=transform,
    )
    assert columns.tolist() == [[1, 0]]
    assert (scores < -4000).all()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("margin", [-3e38, 3e38])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_huge_margins_stay_finite(transform, margin):
    tree = LabelTree([[0, 1]], labels=[0])
    W = np.array([[margin]], dtype=np.float32)
    columns, scores = beam_search(
        compress(np.full((1, 1), 3e38)),
        lay_out(tree, [(W, np.zeros(1, np.float32))]),
        k=1,
        beam_width=1,
        score_transform=transform,
    )
    assert columns.tolist() == [[0]]
    assert np.isfinite(scores).all()


def test_features_that_no_model_knows_are_ignored():
    tree = LabelTree([[0, 2]], labels=[0, 1])
    layout = lay_out(tree, [(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))])
    known = compress(np.array([[1.0, 0.0]]))
    strange = known._replace(
        offsets=np.array([0, 6]),
        indices=np.array([-7, 0, 2, 63, 64, 2**31 - 1], dtype=np.int32),
        values=np.ones(6, dtype=np.float32),
    )
    arguments = {"k": 2, "beam_width": 1, "score_transform": "sigmoid"}
    expected = beam_search(known, layout, **arguments)
    found = beam_search(strange, layout, **arguments)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_results_do_not_depend_on_n_jobs(monkeypatch, n_jobs):
    monkeypatch.setattr(_beam_search, "_MIN_ROWS_OF_A_TASK", 16)
    rng = np.random.default_rng(0)
    tree = random_tree(rng)
    layout = lay_out(tree, random_levels(tree, rng, 1.0, N_FEATURES))
    X = compress(rng.normal(size=(300, N_FEATURES)))
    arguments = {"k": 5, "beam_width": 2, "score_transform": "l3-hinge"}
    expected = beam_search(X, layout, **arguments)
    found = beam_search(X, layout, **arguments, n_jobs=n_jobs)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_no_rows():
    tree = LabelTree([[0, 2]], labels=[0, 1])
    layout = lay_out(tree, [(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))])
    columns, scores = beam_search(
        compress(np.empty((0, 2))),
        layout,
        k=4,
        beam_width=1,
        score_transform="sigmoid",
    )
    assert columns.shape == scores.shape == (0, 4)


def test_a_newer_layout_is_refused():
    tree = LabelTree([[0, 2]], labels=[0, 1])
    layout = lay_out(tree, [(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))])
    layout.version = LAYOUT_VERSION + 1
    saved = pickle.dumps(layout)
    with pytest.raises(ValueError, match=r"newer skxmr .* Upgrade skxmr"):
        pickle.loads(saved)


def test_an_older_layout_is_refused():
    tree = LabelTree([[0, 2]], labels=[0, 1])
    layout = lay_out(tree, [(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))])
    layout.version = LAYOUT_VERSION - 1
    saved = pickle.dumps(layout)
    with pytest.raises(ValueError, match=r"no longer reads.*Fit it again"):
        pickle.loads(saved)


# From given nodes on


@settings(deadline=None)
@given(problems(), st.integers(1, 12), st.sampled_from(TRANSFORMS), st.data())
def test_a_search_below_the_nodes_of_a_level_is_a_search(
    problem, beam_width, transform, data
):
    tree, levels, X = problem
    layout = lay_out(tree, levels)
    level = data.draw(st.integers(0, tree.depth - 1))
    how = {"beam_width": beam_width, "score_transform": transform}
    if level == 0:
        start = np.zeros((len(X), 1), dtype=np.int64), np.zeros((len(X), 1))
    else:
        upper = SearchLayout.from_levels(
            tree, levels_from_dense(tree, levels)[:level], N_FEATURES
        )
        start = beam_search(compress(X), upper, k=beam_width, wanted="nodes", **how)
    expected = beam_search(compress(X), layout, k=9, **how)
    for n_jobs in (1, 2):
        found = beam_search(
            compress(X), layout, k=9, start=(level, *start), n_jobs=n_jobs, **how
        )
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def test_a_search_below_refuses_what_would_lead_astray():
    tree = LabelTree([[0, 2], [0, 1, 3]], labels=[2, 0, 1])
    W = [(np.ones((1, size), np.float32), np.zeros(size)) for size in (2, 3)]
    layout = lay_out(tree, W)
    X = compress(np.ones((1, 1)))

    def search_from(level, nodes, scores, beam_width=5):
        start = level, np.array([nodes], dtype=np.int64), np.array([scores])
        how = {"k": 3, "beam_width": beam_width, "score_transform": "l1-hinge"}
        return beam_search(X, layout, start=start, **how)

    # Places without a node are passed over; no more are taken than the beam holds.
    columns, scores = search_from(1, [1, 0, -1, -1], [-1.0] * 4)
    assert set(columns[0].tolist()) == {0, 1, 2}
    np.testing.assert_array_equal(scores, [[-1.0] * 3])
    columns, _ = search_from(1, [-1, 1], [-1.0] * 2, beam_width=1)
    assert sorted(columns[0].tolist()) == [-1, 0, 1]
    for level in (-1, 2):
        with pytest.raises(ValueError, match="Cannot search from level"):
            search_from(level, [0], [0.0])
    with pytest.raises(ValueError, match="Level 1 has 2 nodes; got 2"):
        search_from(1, [0, 2], [0.0, 0.0])
    with pytest.raises(ValueError, match="got 0 at position 2"):
        search_from(1, [0, 1, 0], [0.0] * 3)
    with pytest.raises(ValueError, match="different shapes"):
        search_from(1, [0, 1], [0.0])
    with pytest.raises(ValueError, match="nodes has no column"):
        search_from(1, [], np.empty(0))
    with pytest.raises(ValueError, match="nodes has 0 rows; expected 1"):
        layout.searcher.search(
            *X[:3],
            BeamOptions(5, TRANSFORMS_BY_NAME["l1-hinge"]),
            StartNodes(1, 2, np.empty((0, 1), dtype=np.int64), np.empty((0, 1))),
            np.empty((1, 3), dtype=np.int64),
            np.empty((1, 3)),
        )


@pytest.mark.parametrize("by_node", [False, True])
def test_upper_levels_alone_are_those_of_all_levels(by_node):
    X, Y = make_data()
    X = X.toarray() + 1 if by_node else X
    layout = XRLinearClassifier(KMeansTree(3, 2), random_state=0).fit(X, Y).layouts_[0]
    assert (layout.by_node is not None) == by_node
    levels = layout.to_levels()
    for n_levels in range(1, len(levels) + 1):
        upper = layout.to_levels(n_levels)
        assert len(upper) == n_levels
        for one, other in zip(upper, levels, strict=False):
            for name, array in vars(one).items():
                np.testing.assert_array_equal(array, getattr(other, name))
