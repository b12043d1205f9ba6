/* The product of a vector of half-precision numbers with one of floats.
 *
 * Entry i is added to partial sum i % SKXMR_HALF_SUMS, in the order of the entries, and
 * the partial sums are then added pairwise: all SIMD levels give the same bits.
 */
#ifndef SKXMR_HALF_PRODUCT_H
#define SKXMR_HALF_PRODUCT_H

#include <stdint.h>
#include <string.h>

#include "levels.h"

#define SKXMR_HALF_SUMS 32

/* No step has a subnormal float, which some processes flush to 0. */
SKXMR_INLINE float skxmr_float_of_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 31, mantissa = half & 1023;
    uint32_t bits;
    float value =
        (float)mantissa * 5.9604644775390625e-8f; /* 2^-24: a subnormal half */
    if (exponent) {
        bits = (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13;
        memcpy(&value, &bits, sizeof value);
    }
    return sign ? -value : value;
}

/* Adds the remaining entries to the partial sums, and those pairwise. */
SKXMR_INLINE float skxmr_finish_half(float *sums, const uint16_t *halves,
                                     const float *floats, int64_t rest) {
    for (int64_t i = 0; i < rest; i++)
        sums[i] += skxmr_float_of_half(halves[i]) * floats[i];
    for (int half = SKXMR_HALF_SUMS / 2; half; half /= 2)
        for (int i = 0; i < half; i++) sums[i] += sums[i + half];
    return sums[0];
}

static float skxmr_half_product_baseline(const uint16_t *halves, const float *floats,
                                         int64_t n) {
    float sums[SKXMR_HALF_SUMS] = {0};
    int64_t first = 0;
    for (; first + SKXMR_HALF_SUMS <= n; first += SKXMR_HALF_SUMS)
        for (int i = 0; i < SKXMR_HALF_SUMS; i++)
            sums[i] += skxmr_float_of_half(halves[first + i]) * floats[first + i];
    return skxmr_finish_half(sums, halves + first, floats + first, n - first);
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define SKXMR_CHAINS_OF_HALVES (SKXMR_HALF_SUMS / 8)

__attribute__((target("avx2,f16c"))) static float skxmr_half_product_avx2(
    const uint16_t *halves, const float *floats, int64_t n) {
    float sums[SKXMR_HALF_SUMS];
    __m256 parts[SKXMR_CHAINS_OF_HALVES];
    int64_t first = 0;
    for (int p = 0; p < SKXMR_CHAINS_OF_HALVES; p++) parts[p] = _mm256_setzero_ps();
    for (; first + SKXMR_HALF_SUMS <= n; first += SKXMR_HALF_SUMS)
        for (int p = 0; p < SKXMR_CHAINS_OF_HALVES; p++) {
            const int64_t entry = first + 8 * p;
            const __m256 values =
                _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(halves + entry)));
            parts[p] = _mm256_add_ps(
                parts[p], _mm256_mul_ps(values, _mm256_loadu_ps(floats + entry)));
        }
    for (int p = 0; p < SKXMR_CHAINS_OF_HALVES; p++)
        _mm256_storeu_ps(sums + 8 * p, parts[p]);
    return skxmr_finish_half(sums, halves + first, floats + first, n - first);
}

/* Not every compiler knows the name f16c for __builtin_cpu_supports. */
static int skxmr_has_halves(void) {
    unsigned int eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx >> 29 & 1;
}
#else
static int skxmr_has_halves(void) { return 0; }
#endif

/* `level` is SKXMR_BASELINE where skxmr_has_halves() is 0. */
static inline float skxmr_half_product(const uint16_t *halves, const float *floats,
                                       int64_t n, int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level >= SKXMR_AVX2) return skxmr_half_product_avx2(halves, floats, n);
#endif
    (void)level;
    return skxmr_half_product_baseline(halves, floats, n);
}

#endif
