"""Collects the dual variables of trained children, from which a later fit starts."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from skxmr._cython._solver cimport MAX_LANES


cdef class DualWriter:
    """Takes the signed dual variables of one block of children after another.

    Parameters
    ----------
    make_array : callable
        Makes a growing array of a dtype, such as `skxmr._memory._growing.GrowingArray`.
    counts : ndarray of shape (n_all_children,), int64
        Gets the number of dual variables of each child that are not 0.
    """

    def __init__(self, make_array, int64_t[::1] counts):
        self.counts = counts
        self.n_children = self.n_duals = 0
        self.growing_rows, self.growing_values = make_array("i4"), make_array("f4")
        self._lengthen(0)

    cdef int _lengthen(self, int64_t length) except -1:
        # An array can be lengthened in place only if no view of it is left.
        self.rows = None
        self.values = None
        self.rows = self.growing_rows.lengthen(length, self.n_duals)
        self.values = self.growing_values.lengthen(length, self.n_duals)
        return 0

    def finish(self):
        """Return all that was taken; nothing can be added any more.

        Returns
        -------
        rows : ndarray of shape (n_duals,), int32
            Ascending for each child.
        values : ndarray of shape (n_duals,), float32
        """
        self.rows = None
        self.values = None
        return (
            self.growing_rows.cut(self.n_duals), self.growing_values.cut(self.n_duals)
        )

    cdef int keep(
        self, const float* duals, int64_t n_lanes, int64_t n_children,
        const int32_t* rows, int64_t n_rows,
    ) except -1 nogil:
        """Take the dual variables (n_rows, n_lanes) of the next children."""
        cdef int64_t i, lane
        cdef int64_t[MAX_LANES] positions
        memset(&positions[0], 0, MAX_LANES * sizeof(int64_t))
        for i in range(n_rows):
            for lane in range(n_children):
                positions[lane] += duals[i * n_lanes + lane] != 0
        i = self.n_duals
        for lane in range(n_children):
            self.counts[self.n_children + lane] = positions[lane]
            i += positions[lane]
            positions[lane] = i - positions[lane]
        if self.rows.shape[0] < i or self.values.shape[0] < i:
            with gil:
                self._lengthen(i)
        self.n_duals = i
        self.n_children += n_children
        for i in range(n_rows):
            for lane in range(n_children):
                if duals[i * n_lanes + lane] != 0:
                    self.rows[positions[lane]] = rows[i]
                    self.values[positions[lane]] = duals[i * n_lanes + lane]
                    positions[lane] += 1
        return 0
