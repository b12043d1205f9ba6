from libc.stdint cimport int64_t, uint16_t

from skxmr._cython._beam cimport Heap, sort
from skxmr._cython._cpu cimport AVX2, BASELINE, best_level

cdef extern from "include/bits.h" nogil:
    void prefetch "skxmr_prefetch_many"(const void* address)

cdef extern from "include/half_product.h" nogil:
    int has_halves "skxmr_has_halves"()
    float half_product "skxmr_half_product"(
        const uint16_t* halves, const float* floats, int64_t n, int level
    )


cdef enum:
    VECTORS_AHEAD = 4          # the distance at which vectors are prefetched
    HALVES_OF_LINE = 32        # of the cache


cdef inline void prefetch_vector(const uint16_t* vector, int64_t length) noexcept nogil:
    cdef int64_t entry = 0
    while entry < length:
        prefetch(vector + entry)
        entry += HALVES_OF_LINE


cdef inline int halves_level() noexcept nogil:
    """Return the best level of instructions for products of halves."""
    return AVX2 if has_halves() and best_level() >= AVX2 else BASELINE


cdef inline int check_search(
    const float[:, ::1] queries, const float[::1] factors, int64_t n, int64_t length
) except -1:
    """Raise ValueError unless these fit n vectors of a length."""
    if queries.shape[1] != length or not length:
        raise ValueError(
            f"queries have {queries.shape[1]} entries; expected {length}, and at "
            f"least one."
        )
    if factors is not None and factors.shape[0] != n:
        raise ValueError(f"factors has {factors.shape[0]} entries; expected {n}.")
    return 0


cdef inline Heap heap_of(
    int64_t[:, ::1] labels, double[:, ::1] scores, int64_t row, int64_t size
) noexcept nogil:
    """Return the heap of a row; only keys are kept, which share the nodes' memory."""
    cdef Heap best
    best.nodes = best.keys = &labels[row, 0]
    best.scores = &scores[row, 0]
    best.size = size
    best.capacity = labels.shape[1]
    return best


cdef inline void finish(Heap* best) noexcept nogil:
    """Sort the best, and mark the rest of the row as missing."""
    cdef int64_t i
    sort(best)
    for i in range(best.size, best.capacity):
        best.keys[i] = -1
        best.scores[i] = 0
