"""Lays the weights of before and after a training side by side."""

from libc.stdint cimport int32_t, int64_t


def align(
    const int64_t[::1] first_offsets,   # IN (n_rows + 1,)
    const int32_t[::1] first_indices,   # IN: ascending in each row
    const float[::1] first_values,      # IN
    const int64_t[::1] second_offsets,  # IN (n_rows + 1,)
    const int32_t[::1] second_indices,  # IN: ascending in each row
    const float[::1] second_values,     # IN
    int64_t[::1] offsets,               # OUT (n_rows + 1,)
    int32_t[::1] indices,               # OUT: with room for all entries of both
    float[:, ::1] values,               # OUT (2, n_entries): 0 for what is not stored
):
    """Merge the rows of two sparse matrices; return the number of entries."""
    cdef int64_t row, i, j, stop_i, stop_j, n = 0
    cdef int32_t index
    cdef int64_t n_rows = offsets.shape[0] - 1
    if (
        first_offsets.shape[0] != n_rows + 1
        or second_offsets.shape[0] != n_rows + 1
        or first_indices.shape[0] != first_values.shape[0]
        or second_indices.shape[0] != second_values.shape[0]
        or first_offsets[n_rows] > first_indices.shape[0]
        or second_offsets[n_rows] > second_indices.shape[0]
        or indices.shape[0] < first_indices.shape[0] + second_indices.shape[0]
        or values.shape[0] != 2 or values.shape[1] != indices.shape[0]
    ):
        raise ValueError("The arrays of the matrices do not fit together.")
    with nogil:
        offsets[0] = 0
        for row in range(n_rows):
            i, stop_i = first_offsets[row], first_offsets[row + 1]
            j, stop_j = second_offsets[row], second_offsets[row + 1]
            while i < stop_i or j < stop_j:
                if j == stop_j or (
                    i < stop_i and first_indices[i] <= second_indices[j]
                ):
                    index = first_indices[i]
                else:
                    index = second_indices[j]
                indices[n] = index
                values[0, n] = values[1, n] = 0
                if i < stop_i and first_indices[i] == index:
                    values[0, n] = first_values[i]
                    i += 1
                if j < stop_j and second_indices[j] == index:
                    values[1, n] = second_values[j]
                    j += 1
                n += 1
            offsets[row + 1] = n
    return n
