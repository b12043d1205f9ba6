"""Compressed sparse vectors as one argument of a kernel."""


cdef class Vectors:
    """The arrays of compressed sparse vectors.

    Parameters
    ----------
    vectors : object
        With attributes `offsets` of shape (n_vectors + 1,), int64; `indices` of shape
        (nnz,), int32; `values` of shape (nnz,), float32; and `length`, the number of
        entries of a vector, stored or not.
    """

    def __init__(self, vectors):
        self.offsets, self.indices = vectors.offsets, vectors.indices
        self.values, self.length = vectors.values, vectors.length
        self.n_vectors = self.offsets.shape[0] - 1
