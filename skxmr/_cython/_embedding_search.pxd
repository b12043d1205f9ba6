from libc.stdint cimport int64_t, uint16_t

from skxmr._cython._cpu cimport AVX2, BASELINE, best_level

cdef extern from "include/half_product.h" nogil:
    int has_halves "skxmr_has_halves"()
    float half_product "skxmr_half_product"(
        const uint16_t* halves, const float* floats, int64_t n, int level
    )


cdef inline int halves_level() noexcept nogil:
    """Return the best level of instructions for products of halves."""
    return AVX2 if has_halves() and best_level() >= AVX2 else BASELINE
