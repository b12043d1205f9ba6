import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from twins import weights_from_dense, weights_to_dense

from skxmr.pruning import prune

OFFSETS = np.array([0, 3, 4, 9])
VALUES = st.sampled_from([0.0, -0.0, 0.05, -0.05, 0.1, -0.1, 0.5, -2.0])


@given(arrays(np.float32, (5, 9), elements=VALUES), st.sampled_from([0, 0.1, 0.5, 9]))
def test_prune_agrees_with_its_twin(W, threshold):
    intercepts = np.linspace(-1, 1, 9, dtype=np.float32)
    weights = weights_from_dense(W, intercepts, OFFSETS)
    before = {name: array.copy() for name, array in vars(weights).items()}
    pruned = prune(weights, threshold)
    kept = np.where(np.abs(W) >= np.float32(threshold), W, 0)
    np.testing.assert_array_equal(weights_to_dense(pruned, OFFSETS, 5), kept)
    np.testing.assert_array_equal(pruned.intercepts, intercepts)
    assert pruned.n_weights == np.count_nonzero(kept)
    assert (np.diff(pruned.run_offsets) > 0).all()
    for name, array in vars(pruned).items():
        assert array.dtype == before[name].dtype
        np.testing.assert_array_equal(getattr(weights, name), before[name])


def test_nothing_to_drop_copies_nothing():
    W = np.ones((2, 9), dtype=np.float32)
    weights = weights_from_dense(W, np.zeros(9), OFFSETS)
    assert prune(weights, 0.5) is weights
