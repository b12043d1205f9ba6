/* The product of a dense row with a dense vector of doubles.
 *
 * Entry i is added to partial sum i % SKXMR_PARTIAL_SUMS, in the order of the entries, and
 * the partial sums are then added pairwise: all SIMD levels give the same bits.
 */
#ifndef SKXMR_DENSE_PRODUCT_H
#define SKXMR_DENSE_PRODUCT_H

#include <stdint.h>

#include "levels.h"

#define SKXMR_PARTIAL_SUMS 16

/* Adds the remaining entries to the partial sums, and those pairwise. */
#define SKXMR_FINISH(rest) \
    for (int lane = 0; lane < (rest); lane++) \
        lanes[lane] += (double)values[first + lane] * sums[first + lane]; \
    for (int half = SKXMR_PARTIAL_SUMS / 2; half; half /= 2) \
        for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half]; \
    return lanes[0];

#if defined(__GNUC__)
#define SKXMR_TARGET
#define SKXMR_WIDTH 2
#define SKXMR_LEVEL baseline
#include "dense_product_level.h"

#if defined(__x86_64__)
#define SKXMR_TARGET __attribute__((target("avx2")))
#define SKXMR_WIDTH 4
#define SKXMR_LEVEL avx2
#include "dense_product_level.h"

#define SKXMR_TARGET __attribute__((target("avx512f")))
#define SKXMR_WIDTH 8
#define SKXMR_LEVEL avx512
#include "dense_product_level.h"
#endif

#else
#define SKXMR_DENSE_PRODUCT(name, real) \
    static double name(const real *values, const double *sums, int64_t n) { \
        double lanes[SKXMR_PARTIAL_SUMS] = {0}; \
        int64_t first = 0; \
        for (; first + SKXMR_PARTIAL_SUMS <= n; first += SKXMR_PARTIAL_SUMS) \
            for (int lane = 0; lane < SKXMR_PARTIAL_SUMS; lane++) \
                lanes[lane] += (double)values[first + lane] * sums[first + lane]; \
        SKXMR_FINISH(n - first) \
    }
SKXMR_DENSE_PRODUCT(skxmr_product_float_baseline, float)
SKXMR_DENSE_PRODUCT(skxmr_product_double_baseline, double)
#endif

#if defined(__GNUC__) && defined(__x86_64__)
#define SKXMR_DISPATCH(real) \
    if (level == SKXMR_AVX512) return skxmr_product_##real##_avx512(values, sums, n); \
    if (level == SKXMR_AVX2) return skxmr_product_##real##_avx2(values, sums, n);
#else
#define SKXMR_DISPATCH(real) (void)level;
#endif

static inline double skxmr_product_float(const float *values, const double *sums,
                                         int64_t n, int level) {
    SKXMR_DISPATCH(float)
    return skxmr_product_float_baseline(values, sums, n);
}

static inline double skxmr_product_double(const double *values, const double *sums,
                                          int64_t n, int level) {
    SKXMR_DISPATCH(double)
    return skxmr_product_double_baseline(values, sums, n);
}

#endif
