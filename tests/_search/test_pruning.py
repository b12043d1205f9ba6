import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from twins import weights_from_dense, weights_to_dense

from skxmr._search._pruning import prune

pytestmark = pytest.mark.kernels

OFFSETS = np.array([0, 3, 4, 9])
VALUES = st.sampled_from([0.0, -0.0, 0.05, -0.05, 0.1, -0.1, 0.5, -2.0])


def kept_by_twin(W, threshold, unit, unit_weight):
    """Prune one child after another, relative to its largest weight."""
    kept = np.zeros_like(W)
    for child, w in enumerate(W.T):
        floor = np.float32(threshold)
        if unit == "relative":
            floor = floor * min(np.abs(w).max(), np.float32(unit_weight))
        is_kept = (np.abs(w) >= floor) & (w != 0)
        kept[is_kept, child] = w[is_kept]
    return kept


@pytest.mark.parametrize("unit", ["relative", "absolute"])
@given(
    arrays(np.float32, (5, 9), elements=VALUES),
    st.sampled_from([0, 0.1, 0.25, 0.5, 1, 9]),
    st.sampled_from([0.1, 0.4, np.inf]),
)
def test_prune_agrees_with_its_twin(unit, W, threshold, unit_weight):
    threshold = min(threshold, 1) if unit == "relative" else threshold
    intercepts = np.linspace(-1, 1, 9, dtype=np.float32)
    weights = weights_from_dense(W, intercepts, OFFSETS)
    before = {name: array.copy() for name, array in vars(weights).items()}
    pruned = prune(weights, threshold, unit, unit_weight)
    kept = kept_by_twin(W, threshold, unit, unit_weight)
    np.testing.assert_array_equal(weights_to_dense(pruned, OFFSETS, 5), kept)
    np.testing.assert_array_equal(pruned.intercepts, intercepts)
    assert pruned.n_weights == np.count_nonzero(kept)
    assert (np.diff(pruned.run_offsets) > 0).all()
    for name, array in vars(pruned).items():
        assert array.dtype == before[name].dtype
        np.testing.assert_array_equal(getattr(weights, name), before[name])


RANDOM = arrays(
    np.float32, (6, 9), elements=st.floats(-4, 4, width=32, allow_subnormal=False)
)
SHARES = st.floats(0, 1, allow_subnormal=False)


@given(RANDOM, st.tuples(SHARES, SHARES).map(sorted), st.floats(0.01, 9))
def test_pruning_twice_is_pruning_once(W, shares, unit_weight):
    low, high = shares
    weights = weights_from_dense(W, np.zeros(9), OFFSETS)
    once = prune(weights, high, "relative", unit_weight)
    twice = prune(weights, low, "relative", unit_weight)
    twice = prune(twice, high, "relative", unit_weight)
    for name, array in vars(once).items():
        np.testing.assert_array_equal(getattr(twice, name), array, strict=True)
    # The largest of each child stays.
    dense = weights_to_dense(once, OFFSETS, 6)
    np.testing.assert_array_equal(np.abs(dense).max(axis=0), np.abs(W).max(axis=0))


@given(RANDOM, SHARES, st.floats(0, 4, allow_subnormal=False))
def test_units_can_be_combined_in_either_order(W, share, magnitude):
    weights = weights_from_dense(W, np.zeros(9), OFFSETS)
    one = prune(prune(weights, share, "relative"), magnitude, "absolute")
    other = prune(prune(weights, magnitude, "absolute"), share, "relative")
    for name, array in vars(one).items():
        np.testing.assert_array_equal(getattr(other, name), array, strict=True)


@given(RANDOM, SHARES, st.integers(-60, 60))
def test_the_unit_of_the_weights_does_not_matter(W, share, power):
    W = np.where(np.abs(W) < 1e-6, 0, W).astype(np.float32)
    few = prune(weights_from_dense(W, np.zeros(9), OFFSETS), share, "relative")
    scaled = np.ldexp(W, power)
    same = prune(weights_from_dense(scaled, np.zeros(9), OFFSETS), share, "relative")
    np.testing.assert_array_equal(same.features, few.features)
    np.testing.assert_array_equal(same.children, few.children)


def test_infinite_weights_are_not_lost():
    W = np.array([[np.inf, 1.0], [2.0, 0.5]], dtype=np.float32)
    weights = weights_from_dense(W, np.zeros(2), np.array([0, 2]))
    assert prune(weights, 0, "relative").n_weights == 4
    assert prune(weights, 0.5, "relative").n_weights == 3


def test_nothing_to_drop_copies_nothing():
    W = np.ones((2, 9), dtype=np.float32)
    weights = weights_from_dense(W, np.zeros(9), OFFSETS)
    assert prune(weights, 0.5, "absolute") is weights
    assert prune(weights, 1, "relative") is weights


def test_no_weights_are_pruned_to_none():
    weights = weights_from_dense(np.zeros((2, 9), np.float32), np.zeros(9), OFFSETS)
    for unit in ("relative", "absolute"):
        assert prune(weights, 1, unit).n_weights == 0
