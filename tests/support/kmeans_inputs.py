"""Vectors of labels for the tests of balanced k-means."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def matrices(draw, values=(0, 0, 0, -1.25, 0.5, 1.0, 3.0), min_rows=2):
    """Sums of these values are exact in any order; rows repeat, or are empty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_features = draw(st.integers(min_rows, 14)), draw(st.integers(1, 9))
    Z = rng.choice(values, (n_rows, n_features))
    if draw(st.booleans()):
        Z = Z[rng.integers(0, n_rows, n_rows)]
    return Z.astype(draw(st.sampled_from([np.float32, np.float64])))
