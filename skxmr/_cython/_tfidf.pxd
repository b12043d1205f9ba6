"""Weights and scales the values of one row, for kernels that make rows."""

from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t

ctypedef fused floating:
    float
    double


cdef inline bint scale_row(
    const int32_t* indices,
    int64_t size,
    const floating* weights,  # or NULL
    int64_t n_weights,
    int norm,                 # 1, 2, or 0 for none
    floating* values,         # INOUT
) noexcept nogil:
    """Weigh values, and scale them to length 1; return whether all have weights."""
    cdef int64_t i
    cdef double length = 0
    if weights != NULL:
        for i in range(size):
            if not 0 <= indices[i] < n_weights:
                return False
            values[i] *= weights[indices[i]]
    if norm:
        for i in range(size):
            # In the precision of the values, as scikit-learn has it.
            length += fabs(values[i]) if norm == 1 else values[i] * values[i]
        if norm == 2:
            length = sqrt(length)
        if length > 0:
            for i in range(size):
                values[i] = <floating> (values[i] / length)
    return True
