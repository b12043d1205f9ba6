"""Uniting the postings of a layout with those that have changed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skxmr._search._merging import _united

CODES = st.sets(st.integers(0, 40), max_size=20).map(
    lambda codes: np.array(sorted(codes), dtype=np.int64)
)


@given(codes=CODES, added=CODES)
def test_united_codes_are_those_of_numpy(codes, added):
    together, at, at_added = _united(codes, added)
    np.testing.assert_array_equal(together, np.union1d(codes, added))
    np.testing.assert_array_equal(together[at], codes)
    np.testing.assert_array_equal(together[at_added], added)
