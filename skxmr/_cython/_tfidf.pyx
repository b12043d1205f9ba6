"""Weights the values of sparse rows, and scales the rows to unit length."""

from libc.stdint cimport int32_t, int64_t

from skxmr._cython._tfidf cimport floating, scale_row


def scale(
    const int64_t[::1] row_ends,  # IN (n_rows,)
    const int32_t[::1] indices,   # IN
    const floating[::1] weights,  # IN (n_terms,); or of no terms for no weights
    int norm,                     # 1, 2, or 0 for none
    floating[::1] values,         # INOUT
):
    """Weigh the values of each row, and scale it to length 1 in a norm."""
    cdef int64_t row, begin = 0, end
    cdef int64_t n_weights = weights.shape[0]
    cdef const floating* first_weight = &weights[0] if n_weights else NULL
    cdef bint fits = True
    with nogil:
        for row in range(row_ends.shape[0]):
            end = row_ends[row]
            if not begin <= end <= min(indices.shape[0], values.shape[0]):
                fits = False
                break
            if end > begin and not scale_row(
                &indices[begin], end - begin, first_weight, n_weights, norm,
                &values[begin],
            ):
                fits = False
                break
            begin = end
    if not fits:
        raise ValueError("the arrays of the rows do not fit together")
