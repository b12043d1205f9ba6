"""Approximate search for the label vectors that have the largest products with queries.

All vectors are compared by rough codes (include/codes.h), of half a byte for four of
their principal components, which is a fortieth of their memory. Those of the largest
sums are compared by fine codes of 4 bits of each component, and the best of these
exactly.
"""

from cython.view cimport array
from libc.math cimport fabs, log, rint
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memset

from skxmr._cython._beam cimport Heap, push
from skxmr._cython._cpu cimport AVX2, AVX512, best_level
from skxmr._cython._embedding_search cimport (
    VECTORS_AHEAD, check_search, finish, half_product, halves_level, heap_of, prefetch,
    prefetch_vector
)
from skxmr._cython._selection cimport kth_largest
from skxmr._cython._watch cimport Watch, must_end, raise_ended, watch_for

cdef extern from "include/codes.h" nogil:
    enum:
        FINE_BYTES "SKXMR_FINE_BYTES"
        ROUGH "SKXMR_ROUGH"
        ROUGH_VALUES "SKXMR_ROUGH_VALUES"
        LARGEST_ROUGH_VALUE "SKXMR_LARGEST_ROUGH_VALUE"
        MOST_TABLES "SKXMR_MOST_TABLES"

    ctypedef struct RoughCodes "skxmr_rough_codes":
        const uint8_t* codes
        int64_t n_blocks
        int64_t n_tables

    ctypedef struct RoughScan "skxmr_rough_scan":
        uint64_t* keys
        int64_t n_keys
        int64_t capacity
        int64_t block
        int64_t stride
        int32_t threshold

    uint64_t code_key "skxmr_code_key"(int32_t sum, int64_t position)
    int32_t sum_of_key "skxmr_sum_of_key"(uint64_t key)
    int64_t position_of_key "skxmr_position_of_key"(uint64_t key)
    void scan_rough "skxmr_scan_rough"(
        RoughCodes vectors, const uint8_t* tables, RoughScan* scan, int level
    )
    int has_wide_bytes "skxmr_has_wide_bytes"()
    int32_t fine_sum "skxmr_fine_sum"(
        const uint8_t* code, const int8_t* query, int64_t n_bytes, int level
    )

cdef enum:
    LEAST_SUM = -(1 << 29)     # fine sums are far larger
    ROUGH_AT_ONCE = 512        # keys of rough sums, between two choices by fine ones
    BLOCKS_OF_SAMPLE = 256
    LEAST_STRIDE = 4           # of the blocks of a sample
    LABELS_AHEAD = 12          # the distance at which fine codes are prefetched
    ENTRIES_OF_TABLE = 4
    MOST_ENTRIES = MOST_TABLES * ENTRIES_OF_TABLE
    N_SUMS = MOST_TABLES * LARGEST_ROUGH_VALUE + 1

LARGEST_CODE = 15
ENTRIES_OF_CODES = MOST_ENTRIES      # at most, of a vector
DIVISOR_OF_ENTRIES = 2 * FINE_BYTES  # of the number of a vector's entries
CODED_TOGETHER = ROUGH               # vectors of a block of rough codes
VALUES_OF_TABLE = ROUGH_VALUES
COMPONENTS_OF_TABLE = ENTRIES_OF_TABLE

# The best level of instructions for codes and halves: an index of SIMD_LEVELS.
CODES_LEVEL = codes_level()


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


def find_nearest(
    const float[:, ::1] points,       # IN (n_points, n_tables * 4)
    const float[:, :, ::1] centres,   # IN (n_tables, 4, 16)
    uint8_t[:, ::1] numbers,          # OUT (n_points, n_tables)
):
    """Number the centres that are nearest to points, of equal ones the first.

    Entry j of the centres of table t is compared with entry j * n_tables + t of points.
    """
    cdef int64_t i, t, n_tables = centres.shape[0]
    cdef int c, j
    cdef float[ROUGH_VALUES] squares
    cdef float difference
    with nogil:
        for t in range(n_tables):
            for i in range(points.shape[0]):
                memset(squares, 0, sizeof(squares))
                for j in range(ENTRIES_OF_TABLE):
                    for c in range(ROUGH_VALUES):
                        difference = points[i, j * n_tables + t] - centres[t, j, c]
                        squares[c] += difference * difference
                numbers[i, t] = 0
                for c in range(1, ROUGH_VALUES):
                    if squares[c] < squares[numbers[i, t]]:
                        numbers[i, t] = c


cdef struct Query:
    # A query as the codes are compared with it.
    const float* vector
    float[MOST_ENTRIES] products              # with the components
    int8_t[MOST_ENTRIES] rounded              # the same, for fine codes
    double unit                               # of fine sums; 0 if all products are 0
    uint8_t[MOST_TABLES * ROUGH_VALUES] tables
    double rough_unit                         # of rough sums; 0 if all are equal


cdef struct Chosen:
    # The labels with the largest fine sums so far.
    uint64_t* keys
    int64_t n_keys
    int64_t n_compared
    int32_t threshold


cdef class CodedSearcher:
    """Search in an array of label vectors; any number of threads may search at once.

    Parameters
    ----------
    vectors : ndarray of shape (n_labels, length), uint16
        The bits of half-precision numbers.
    labels : ndarray of shape (n_coded,), int32
        Those that have codes, ascending. Others are not found.
    rough : ndarray of shape (n_blocks, n_tables / 2, CODED_TOGETHER), uint8
        The rough codes of the vectors of these labels.
    fine : ndarray of shape (n_coded, n_components / 2), uint8
        Their fine codes.
    components : ndarray of shape (n_components, length), uint16
        The principal components, times the steps of codes, as halves; n_components is
        4 * n_tables, a multiple of DIVISOR_OF_ENTRIES, up to ENTRIES_OF_CODES.
    centres : ndarray of shape (n_tables, 4, 16), float32
        What the numbers of rough codes stand for, in steps of fine codes: entry j of
        table t is of component j * n_tables + t.
    level : int
        The level of instructions, at most CODES_LEVEL. Results do not depend on it.
    """

    cdef const uint16_t[:, ::1] vectors
    cdef const int32_t[::1] labels
    cdef const uint8_t[:, :, ::1] rough
    cdef const uint8_t[:, ::1] fine
    cdef const uint16_t[:, ::1] components
    cdef const float[:, :, ::1] centres
    cdef int level

    def __init__(
        self,
        const uint16_t[:, ::1] vectors,
        const int32_t[::1] labels,
        const uint8_t[:, :, ::1] rough,
        const uint8_t[:, ::1] fine,
        const uint16_t[:, ::1] components,
        const float[:, :, ::1] centres,
        int level,
    ):
        self.vectors = vectors
        self.labels = labels
        self.rough = rough
        self.fine = fine
        self.components = components
        self.centres = centres
        self.level = level

    def find(
        self,
        const float[:, ::1] queries,   # IN (n_queries, length)
        const float[::1] factors,      # IN (n_labels,): from 0 to 1; None for all 1
        double scale,                  # IN: of the logarithms of factors
        double step,                   # IN: of codes
        int64_t n_chosen,              # IN: by rough codes, about so many
        int64_t n_compared,            # IN: the number of labels that are compared
        int64_t[:, ::1] labels,        # OUT (n_queries, k); -1 for none
        double[:, ::1] scores,         # OUT (n_queries, k); 0 for none
        const uint8_t[::1] stop,       # IN: of the task, or None
    ):
        """List labels as `EmbeddingSearcher.find` does, among those compared."""
        cdef int64_t row
        cdef Heap best
        cdef Query query
        cdef Chosen chosen
        cdef Watch watch = watch_for(stop)
        cdef uint64_t[::1] keys
        check_search(
            queries, factors, self.vectors.shape[0], self.vectors.shape[1]
        )
        if not (queries.shape[0] and labels.shape[1]):
            return
        chosen.n_compared = max(n_compared, labels.shape[1])
        keys = array(
            shape=(4 * chosen.n_compared + ROUGH_AT_ONCE,), itemsize=8, format="Q"
        )
        chosen.keys = &keys[0]
        with nogil:
            for row in range(queries.shape[0]):
                best = heap_of(labels, scores, row, 0)
                query.vector = &queries[row, 0]
                self._prepare(&query, step)
                self._choose(&query, factors, scale, n_chosen, &chosen)
                self._compare(&query, factors, scale, &chosen, &best)
                finish(&best)
                if must_end(&watch, self.labels.shape[0] * MOST_TABLES):
                    break
        raise_ended(&watch)

    cdef void _prepare(self, Query* query, double step) noexcept nogil:
        """Multiply a query with the components, and fill its tables."""
        cdef double largest = 0
        cdef int64_t j, n = self.components.shape[0]
        for j in range(n):
            query.products[j] = half_product(
                &self.components[j, 0], query.vector, self.vectors.shape[1], self.level
            )
            largest = max(largest, fabs(query.products[j]))
        query.unit = step * largest / 127
        if largest == 0:
            return
        for j in range(n):
            query.rounded[j] = <int8_t>rint(query.products[j] / largest * 127)
        self._fill_tables(query)
        query.rough_unit *= step

    cdef void _fill_tables(self, Query* query) noexcept nogil:
        """Round what each number of a table adds to the sum, from 0 for the least."""
        cdef float[MOST_TABLES][ROUGH_VALUES] values
        cdef float[MOST_TABLES] least
        cdef float widest = 0, product
        cdef int64_t t, n_tables = self.centres.shape[0]
        cdef int c, j
        for t in range(n_tables):
            memset(values[t], 0, sizeof(values[t]))
            for j in range(ENTRIES_OF_TABLE):
                product = query.products[j * n_tables + t]
                for c in range(ROUGH_VALUES):
                    values[t][c] += product * self.centres[t, j, c]
            least[t] = product = values[t][0]
            for c in range(1, ROUGH_VALUES):
                least[t] = min(least[t], values[t][c])
                product = max(product, values[t][c])
            widest = max(widest, product - least[t])
        query.rough_unit = widest / LARGEST_ROUGH_VALUE
        for t in range(n_tables):
            for c in range(ROUGH_VALUES):
                query.tables[t * ROUGH_VALUES + c] = (
                    <int>rint((values[t][c] - least[t]) / query.rough_unit)
                    & LARGEST_ROUGH_VALUE  # also in damaged arrays with NaN
                    if widest > 0 else 0
                )

    cdef void _choose(
        self,
        const Query* query,
        const float[::1] factors,
        double scale,
        int64_t n_chosen,
        Chosen* chosen,
    ) noexcept nogil:
        """Choose labels by rough codes, and the best of them by fine codes."""
        cdef uint64_t[ROUGH_AT_ONCE] keys
        cdef RoughScan scan
        scan.keys = keys
        scan.capacity = ROUGH_AT_ONCE
        chosen.n_keys = 0
        if query.unit == 0:
            return
        scan.threshold = self._threshold(query, factors, scale, n_chosen, &scan)
        self._choose_above(query, factors, scale, &scan, chosen)
        if chosen.n_keys < chosen.n_compared and scan.threshold >= 0:
            # The sample was of other labels than the rest.
            scan.threshold = -1
            self._choose_above(query, factors, scale, &scan, chosen)

    cdef int32_t _threshold(
        self,
        const Query* query,
        const float[::1] factors,
        double scale,
        int64_t n_chosen,
        RoughScan* scan,
    ) noexcept nogil:
        """Return a bound that about so many labels have larger rough sums than.

        It is -1, below all sums, if there are no more labels.
        """
        cdef int32_t[N_SUMS] counts
        cdef int64_t i, label, n_sample = 0, n = self.labels.shape[0]
        cdef double left
        cdef int32_t sum
        cdef float factor
        memset(counts, 0, sizeof(counts))
        scan.threshold = -1
        scan.block = 0
        scan.stride = max(LEAST_STRIDE, self.rough.shape[0] // BLOCKS_OF_SAMPLE)
        while scan.block < self.rough.shape[0]:
            scan.n_keys = 0
            scan_rough(self._rough_codes(), query.tables, scan, self.level)
            for i in range(scan.n_keys):
                label = self._label_at(position_of_key(scan.keys[i]))
                n_sample += 1
                sum = sum_of_key(scan.keys[i])
                if factors is not None and label >= 0:
                    factor = factors[label]
                    sum = weighed_sum(sum, factor, scale, query.rough_unit, 0)
                    label = label if factor > 0 else -1
                if label >= 0 and 0 <= sum < N_SUMS:
                    counts[sum] += 1
        left = <double>n_chosen / n * n_sample
        for sum in range(N_SUMS - 1, -1, -1):
            left -= counts[sum]
            if left <= 0:
                return sum - 1
        return -1

    cdef RoughCodes _rough_codes(self) noexcept nogil:
        cdef RoughCodes codes
        codes.codes = &self.rough[0, 0, 0]
        codes.n_blocks = self.rough.shape[0]
        codes.n_tables = self.centres.shape[0]
        return codes

    cdef int64_t _label_at(self, int64_t position) noexcept nogil:
        """Return the label of a position; -1 for padding, and in damaged arrays.

        Arrays of a mapped model are not checked before they are used.
        """
        cdef int64_t label
        if position >= self.labels.shape[0]:
            return -1
        label = self.labels[position]
        return label if label < self.vectors.shape[0] else -1

    cdef void _choose_above(
        self,
        const Query* query,
        const float[::1] factors,
        double scale,
        RoughScan* scan,
        Chosen* chosen,
    ) noexcept nogil:
        """Choose by fine codes from the labels with rough sums above the threshold."""
        scan.block = 0
        scan.stride = 1
        chosen.n_keys = 0
        chosen.threshold = LEAST_SUM
        while scan.block < self.rough.shape[0]:
            scan.n_keys = 0
            scan_rough(self._rough_codes(), query.tables, scan, self.level)
            self._add(query, factors, scale, scan, chosen)
            if chosen.n_keys > 4 * chosen.n_compared:
                keep_largest(chosen)
        if chosen.n_keys > chosen.n_compared:
            keep_largest(chosen)

    cdef void _add(
        self,
        const Query* query,
        const float[::1] factors,
        double scale,
        const RoughScan* scan,
        Chosen* chosen,
    ) noexcept nogil:
        """Add labels with large fine sums, by their logarithms of factors."""
        cdef int64_t i, position, label, n_bytes = self.fine.shape[1]
        cdef int32_t sum
        for i in range(min(LABELS_AHEAD, scan.n_keys)):
            self._prefetch_fine(position_of_key(scan.keys[i]))
        for i in range(scan.n_keys):
            if i + LABELS_AHEAD < scan.n_keys:
                self._prefetch_fine(position_of_key(scan.keys[i + LABELS_AHEAD]))
            position = position_of_key(scan.keys[i])
            label = self._label_at(position)
            if label < 0 or factors is not None and factors[label] <= 0:
                continue
            sum = fine_sum(&self.fine[position, 0], query.rounded, n_bytes, self.level)
            if factors is not None:
                sum = weighed_sum(
                    sum, factors[label], scale, query.unit, LEAST_SUM + 1
                )
            if sum > chosen.threshold:
                chosen.keys[chosen.n_keys] = code_key(sum, position)
                chosen.n_keys += 1

    cdef void _prefetch_fine(self, int64_t position) noexcept nogil:
        cdef const uint8_t* code
        if position < self.fine.shape[0]:
            code = &self.fine[position, 0]
            prefetch(code)
            # The last byte may lie in another line.
            prefetch(code + self.fine.shape[1] - 1)

    cdef void _compare(
        self,
        const Query* query,
        const float[::1] factors,
        double scale,
        const Chosen* chosen,
        Heap* best,
    ) noexcept nogil:
        """Push the chosen labels with their exact scores."""
        cdef int64_t i, label, length = self.vectors.shape[1]
        cdef double score
        for i in range(chosen.n_keys):
            if i + VECTORS_AHEAD < chosen.n_keys:
                label = self.labels[position_of_key(chosen.keys[i + VECTORS_AHEAD])]
                prefetch_vector(&self.vectors[label, 0], length)
            label = self.labels[position_of_key(chosen.keys[i])]
            score = half_product(
                &self.vectors[label, 0], query.vector, length, self.level
            )
            if factors is not None:
                score += scale * log(<double>factors[label])
            push(best, label, label, score)


cdef int codes_level() noexcept:
    cdef int level = halves_level()
    if level >= AVX2 and best_level() >= AVX512 and has_wide_bytes():
        return AVX512
    return level


cdef inline int32_t weighed_sum(
    int32_t sum, float factor, double scale, double unit, int32_t least
) noexcept nogil:
    """Add the logarithm of a factor from 0 to 1, in a unit of sums, down to a bound."""
    if factor == 1:
        return sum
    if factor <= 0 or unit <= 0:
        return least
    # All that is so far behind is equal, and kept if there is space.
    return <int32_t>max(rint(sum + scale / unit * log(<double>factor)), <double>least)


cdef inline void keep_largest(Chosen* chosen) noexcept nogil:
    """Keep the largest of more keys; later ones have to be larger than these."""
    cdef int64_t i, kept = 0
    cdef uint64_t smallest = kth_largest(
        chosen.keys, chosen.n_keys, chosen.n_compared
    )
    for i in range(chosen.n_keys):
        if chosen.keys[i] >= smallest:
            chosen.keys[kept] = chosen.keys[i]
            kept += 1
    chosen.n_keys = kept
    chosen.threshold = sum_of_key(smallest)
