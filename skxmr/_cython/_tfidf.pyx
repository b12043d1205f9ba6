"""Weights the values of sparse rows, and scales the rows to unit length."""

from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t

ctypedef fused floating:
    float
    double


def scale(
    const int64_t[::1] row_ends,  # IN (n_rows,)
    const int32_t[::1] indices,   # IN
    const floating[::1] weights,  # IN (n_terms,); or of no terms for no weights
    int norm,                     # 1, 2, or 0 for none
    floating[::1] values,         # INOUT
):
    """Weigh the values of each row, and scale it to length 1 in a norm."""
    cdef int64_t row, entry, begin = 0, end
    cdef double length
    cdef bint weighs = weights.shape[0] > 0, fits = True
    with nogil:
        for row in range(row_ends.shape[0]):
            end = row_ends[row]
            if not begin <= end <= min(indices.shape[0], values.shape[0]):
                fits = False
                break
            if weighs:
                for entry in range(begin, end):
                    if not 0 <= indices[entry] < weights.shape[0]:
                        fits = False
                        break
                    values[entry] *= weights[indices[entry]]
            if norm and fits:
                length = 0
                for entry in range(begin, end):
                    # In the precision of the values, as scikit-learn has it.
                    length += (
                        fabs(values[entry]) if norm == 1
                        else values[entry] * values[entry]
                    )
                if norm == 2:
                    length = sqrt(length)
                if length > 0:
                    for entry in range(begin, end):
                        values[entry] = <floating> (values[entry] / length)
            begin = end
    if not fits:
        raise ValueError("the arrays of the rows do not fit together")
