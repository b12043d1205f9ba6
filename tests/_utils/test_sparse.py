import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skxmr._utils._sparse import keep_largest


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([3, 1000]))
def test_the_largest_of_each_row_are_kept(seed, n_kept, n_values):
    rng = np.random.default_rng(seed)
    dense = rng.integers(-n_values, n_values, size=(5, 12)) * (
        rng.random((5, 12)) < 0.7
    )
    matrix = sparse.csr_array(dense.astype(np.float64))
    # Columns of a row in any order, as products of matrices have them.
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        order = start + rng.permutation(stop - start)
        matrix.indices[start:stop] = matrix.indices[order]
        matrix.data[start:stop] = matrix.data[order]
    matrix.has_sorted_indices = False
    kept = keep_largest(matrix, n_kept).toarray()
    for row, found in zip(dense, kept, strict=True):
        columns = [column for column in range(12) if row[column]]
        columns.sort(key=lambda column: (-row[column], column))
        expected = np.zeros(12)
        expected[columns[:n_kept]] = row[columns[:n_kept]]
        np.testing.assert_array_equal(found, expected)
