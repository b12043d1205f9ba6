"""Exact search for the label vectors that have the largest products with queries.

Label vectors are of half precision, queries of single precision. Blocks of labels that
stay in the cache are passed by one query after the other.
"""

from cython.view cimport array
from libc.math cimport log
from libc.stdint cimport int64_t, uint8_t, uint16_t

from skxmr._cython._beam cimport Heap, push
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef enum:
    LABELS_OF_BLOCK = 128  # some 100 kB of vectors

# The best level of instructions for products of halves: an index of SIMD_LEVELS.
HALVES_LEVEL = halves_level()


cdef class EmbeddingSearcher:
    """Search in an array of label vectors; any number of threads may search at once.

    Parameters
    ----------
    vectors : ndarray of shape (n_labels, length), uint16
        The bits of half-precision numbers. Vectors of zeros alone are not found.
    level : int
        The level of instructions, at most HALVES_LEVEL. Results do not depend on it.
    """

    cdef const uint16_t[:, ::1] vectors
    cdef int level

    def __init__(self, const uint16_t[:, ::1] vectors, int level):
        self.vectors = vectors
        self.level = level

    def find(
        self,
        const float[:, ::1] queries,   # IN (n_queries, length)
        const float[::1] factors,      # IN (n_labels,): from 0 to 1; None for all 1
        double scale,                  # IN: of the logarithms of factors
        int64_t[:, ::1] labels,        # OUT (n_queries, k); -1 for none
        double[:, ::1] scores,         # OUT (n_queries, k); 0 for none
        const uint8_t[::1] stop,       # IN: of the task, or None
    ):
        """List the labels of the largest sums of product and scale * log(factor).

        Best first; of equal sums, the smaller label comes first. A label with a factor
        of 0 is not found.
        """
        cdef int64_t row, first = 0, n = self.vectors.shape[0]
        cdef Heap best
        cdef Watch watch = watch_for(stop)
        cdef int64_t[::1] sizes
        check_search(queries, factors, n, self.vectors.shape[1])
        if not (queries.shape[0] and labels.shape[1]):
            return
        sizes = array(shape=(queries.shape[0],), itemsize=8, format="q")
        sizes[:] = 0
        with nogil:
            while first < n and not watch.ended:
                for row in range(queries.shape[0]):
                    best = heap_of(labels, scores, row, sizes[row])
                    self._push_block(first, &queries[row, 0], factors, scale, &best)
                    sizes[row] = best.size
                    if must_end(&watch, LABELS_OF_BLOCK * self.vectors.shape[1]):
                        break
                first += LABELS_OF_BLOCK
            for row in range(queries.shape[0]):
                best = heap_of(labels, scores, row, sizes[row])
                finish(&best)
        raise_ended(&watch)

    cdef void _push_block(
        self,
        int64_t first,
        const float* query,
        const float[::1] factors,
        double scale,
        Heap* best,
    ) noexcept nogil:
        cdef int64_t label, length = self.vectors.shape[1]
        cdef double score
        for label in range(first, min(first + LABELS_OF_BLOCK, self.vectors.shape[0])):
            score = half_product(&self.vectors[label, 0], query, length, self.level)
            # Factors make no score larger: few logarithms have to be computed. Only a
            # vector of zeros, of the label or of the query, has a product of 0.
            if score == 0 or best.size == best.capacity and score < best.scores[0]:
                continue
            if factors is not None:
                if factors[label] <= 0:
                    continue
                score += scale * log(<double>factors[label])
            push(best, label, label, score)
