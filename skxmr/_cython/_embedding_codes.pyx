"""Approximate search for the label vectors that have the largest products with queries.

All vectors are compared by codes of 4 bits of their principal components
(include/codes.h), which is a tenth of their memory. Those of the largest sums are then
compared exactly.
"""

from cython.view cimport array
from libc.math cimport fabs, log, rint
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t

from skxmr._cython._beam cimport Heap, push
from skxmr._cython._embedding_search cimport (
    VECTORS_AHEAD, check_search, finish, half_product, heap_of, prefetch_vector
)
from skxmr._cython._selection cimport kth_largest
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef extern from "include/codes.h" nogil:
    enum:
        CODED "SKXMR_CODED"
        CODE_ENTRIES "SKXMR_CODE_ENTRIES"
        MOST_CODE_PAIRS "SKXMR_MOST_CODE_PAIRS"

    ctypedef struct CodedVectors "skxmr_coded_vectors":
        const uint8_t* codes
        int64_t n_blocks
        int64_t n_pairs

    ctypedef struct CodeScan "skxmr_code_scan":
        uint64_t* keys
        int64_t n_keys
        int64_t capacity
        int64_t block
        int32_t threshold

    uint64_t code_key "skxmr_code_key"(int32_t sum, int64_t position)
    int32_t sum_of_key "skxmr_sum_of_key"(uint64_t key)
    int64_t position_of_key "skxmr_position_of_key"(uint64_t key)
    void scan_codes "skxmr_scan_codes"(
        CodedVectors vectors, const int8_t* query, CodeScan* scan, int level
    )

cdef enum:
    LEAST_SUM = -(1 << 29)  # sums of codes are far larger

LARGEST_CODE = 15
ENTRIES_OF_CODES = MOST_CODE_PAIRS * CODE_ENTRIES  # at most, of a vector
CODED_TOGETHER = CODED                             # vectors of a block
DIVISOR_OF_ENTRIES = 4 * CODE_ENTRIES              # of the number of a vector's entries


def project(
    const uint16_t[:, ::1] components,  # IN (n_components, length): bits of halves
    const float[:, ::1] vectors,        # IN (n_vectors, length)
    int level,
    float[:, ::1] products,             # OUT (n_vectors, n_components)
):
    """Multiply vectors with components, in the same order as those of queries."""
    cdef int64_t i, j, length = components.shape[1]
    with nogil:
        for i in range(vectors.shape[0]):
            for j in range(components.shape[0]):
                products[i, j] = half_product(
                    &components[j, 0], &vectors[i, 0], length, level
                )


cdef class CodedSearcher:
    """Search in an array of label vectors; any number of threads may search at once.

    Parameters
    ----------
    vectors : ndarray of shape (n_labels, length), uint16
        The bits of half-precision numbers.
    labels : ndarray of shape (n_coded,), int32
        Those that have codes, ascending. Others are not found.
    codes : ndarray of uint8
        Of the vectors of these labels: (n_blocks, n_pairs, CODED_TOGETHER, 4).
    components : ndarray of shape (n_components, length), uint16
        The principal components, times the steps of codes, as halves; n_components is
        a multiple of DIVISOR_OF_ENTRIES, up to ENTRIES_OF_CODES.
    level : int
        The level of instructions, at most HALVES_LEVEL. Results do not depend on it.
    """

    cdef const uint16_t[:, ::1] vectors
    cdef const int32_t[::1] labels
    cdef const uint8_t[:, :, :, ::1] codes
    cdef const uint16_t[:, ::1] components
    cdef int level

    def __init__(
        self,
        const uint16_t[:, ::1] vectors,
        const int32_t[::1] labels,
        const uint8_t[:, :, :, ::1] codes,
        const uint16_t[:, ::1] components,
        int level,
    ):
        self.vectors = vectors
        self.labels = labels
        self.codes = codes
        self.components = components
        self.level = level

    def find(
        self,
        const float[:, ::1] queries,   # IN (n_queries, length)
        const float[::1] factors,      # IN (n_labels,): from 0 to 1; None for all 1
        double scale,                  # IN: of the logarithms of factors
        double step,                   # IN: of codes
        int64_t n_compared,            # IN: the number of labels that are compared
        int64_t[:, ::1] labels,        # OUT (n_queries, k); -1 for none
        double[:, ::1] scores,         # OUT (n_queries, k); 0 for none
        const uint8_t[::1] stop,       # IN: of the task, or None
    ):
        """List labels as `EmbeddingSearcher.find` does, among those compared."""
        cdef int64_t row
        cdef Heap best
        cdef CodeScan scan
        cdef Watch watch = watch_for(stop)
        cdef uint64_t[::1] keys
        check_search(
            queries, factors, self.vectors.shape[0], self.vectors.shape[1]
        )
        if not (queries.shape[0] and labels.shape[1]):
            return
        n_compared = max(n_compared, labels.shape[1])
        scan.capacity = 4 * n_compared + CODED
        keys = array(shape=(scan.capacity,), itemsize=8, format="Q")
        scan.keys = &keys[0]
        with nogil:
            for row in range(queries.shape[0]):
                best = heap_of(labels, scores, row, 0)
                self._scan(&queries[row, 0], factors, scale, step, n_compared, &scan)
                self._compare(&queries[row, 0], factors, scale, &scan, &best)
                finish(&best)
                if must_end(&watch, self.labels.shape[0] * MOST_CODE_PAIRS):
                    break
        raise_ended(&watch)

    cdef void _scan(
        self,
        const float* query,
        const float[::1] factors,
        double scale,
        double step,
        int64_t n_compared,
        CodeScan* scan,
    ) noexcept nogil:
        """Collect the labels of the largest sums of codes."""
        cdef int8_t[MOST_CODE_PAIRS * CODE_ENTRIES] rounded
        cdef CodedVectors vectors
        cdef int64_t n_known
        cdef double unit = step * self._round(query, rounded)
        vectors.codes = &self.codes[0, 0, 0, 0]
        vectors.n_blocks = self.codes.shape[0]
        vectors.n_pairs = self.codes.shape[1]
        scan.n_keys = scan.block = 0
        scan.threshold = LEAST_SUM
        if unit == 0:
            return
        while scan.block < vectors.n_blocks:
            n_known = scan.n_keys
            scan_codes(vectors, rounded, scan, self.level)
            self._weigh(n_known, factors, scale / unit, scan)
            if scan.n_keys > n_compared:
                keep_largest(scan, n_compared)

    cdef double _round(self, const float* query, int8_t* rounded) noexcept nogil:
        """Round the products of a query with the components; return their unit.

        The unit is 0 if all are 0.
        """
        cdef double[MOST_CODE_PAIRS * CODE_ENTRIES] products
        cdef double largest = 0
        cdef int64_t j, n = self.components.shape[0]
        for j in range(n):
            products[j] = half_product(
                &self.components[j, 0], query, self.vectors.shape[1], self.level
            )
            largest = max(largest, fabs(products[j]))
        if largest == 0:
            return 0
        for j in range(n):
            rounded[j] = <int8_t>rint(products[j] / largest * 127)
        return largest / 127

    cdef void _weigh(
        self, int64_t first, const float[::1] factors, double scale, CodeScan* scan
    ) noexcept nogil:
        """Add the logarithms of factors; drop padding, and labels that fall behind."""
        cdef int64_t i, position, label, kept = first
        cdef double weighed
        cdef float factor
        for i in range(first, scan.n_keys):
            position = position_of_key(scan.keys[i])
            if position >= self.labels.shape[0]:
                continue
            # Arrays of a mapped model are not checked before they are used.
            label = self.labels[position]
            if label < 0 or label >= self.vectors.shape[0]:
                continue
            if factors is not None:
                factor = factors[label]
                if factor <= 0:
                    continue
                weighed = sum_of_key(scan.keys[i]) + scale * log(<double>factor)
                # All that is so far behind is equal, and kept if there is space.
                weighed = max(rint(weighed), <double>(LEAST_SUM + 1))
                if weighed <= scan.threshold:
                    continue
                scan.keys[i] = code_key(<int32_t>weighed, position)
            scan.keys[kept] = scan.keys[i]
            kept += 1
        scan.n_keys = kept

    cdef void _compare(
        self,
        const float* query,
        const float[::1] factors,
        double scale,
        CodeScan* scan,
        Heap* best,
    ) noexcept nogil:
        """Push the labels that were collected with their exact scores."""
        cdef int64_t i, label, length = self.vectors.shape[1]
        cdef double score
        for i in range(scan.n_keys):
            if i + VECTORS_AHEAD < scan.n_keys:
                label = self.labels[position_of_key(scan.keys[i + VECTORS_AHEAD])]
                prefetch_vector(&self.vectors[label, 0], length)
            label = self.labels[position_of_key(scan.keys[i])]
            score = half_product(&self.vectors[label, 0], query, length, self.level)
            if factors is not None:
                score += scale * log(<double>factors[label])
            push(best, label, label, score)


cdef inline void keep_largest(CodeScan* scan, int64_t n) noexcept nogil:
    """Keep the n largest of more keys; later ones have to be larger than these."""
    cdef int64_t i, kept = 0
    cdef uint64_t smallest = kth_largest(scan.keys, scan.n_keys, n)
    for i in range(scan.n_keys):
        if scan.keys[i] >= smallest:
            scan.keys[kept] = scan.keys[i]
            kept += 1
    scan.n_keys = kept
    scan.threshold = sum_of_key(smallest)
