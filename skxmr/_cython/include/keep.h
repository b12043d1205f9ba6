/* Which of a block's weights are kept. */
#ifndef SKXMR_KEEP_H
#define SKXMR_KEEP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "bits.h"
#include "levels.h"

/* Features between asking for a feature's weights and reading them. */
enum { SKXMR_SOURCES_AHEAD = 8 };

SKXMR_INLINE const float *skxmr_source(const float *weights, const float *duals,
                                       int width, int64_t source) {
    return source >= 0 ? weights + source * width : duals + (-1 - source) * width;
}

/* The most lanes of a block: of sweep.h. */
enum { SKXMR_KEPT_LANES = 32 };

/* What is kept: a weight whose magnitude is `share` or more; or, where it is relative,
 * that share or more of the largest magnitude among the weights of its child, of which
 * no more than `most` counts. */
typedef struct {
    float share;
    float most;
    int is_relative;
} skxmr_floor;

/* The smallest magnitude that is kept, given the largest. Never above it, since the
 * share is at most 1; and 0 for a share of 0, even of infinity. */
SKXMR_INLINE float skxmr_floor_of(skxmr_floor floor, float largest) {
    if (!floor.is_relative) return floor.share;
    if (largest > floor.most) largest = floor.most;
    return floor.share > 0 ? floor.share * largest : 0;
}

/* A weight is kept if its magnitude is `floor` or more and it is not 0. Whether it is 0 is
 * read from its bits: a processor that flushes denormal numbers to 0 compares all of
 * them as equal to 0, and would keep every 0 where `floor` is denormal. */
SKXMR_INLINE int skxmr_is_kept(float weight, float floor) {
    uint32_t bits;
    memcpy(&bits, &weight, sizeof bits);
    return (bits & 0x7fffffff) != 0 && fabsf(weight) >= floor;
}

/* Bit i is set where scale * source[i] is kept, of `n` floats, a multiple of 4; and of
 * `found` where it is not 0. */
SKXMR_INLINE uint32_t skxmr_kept_lanes(const float *source, int n, float scale,
                                       const float *floors, uint32_t *found) {
    uint32_t bits = 0, zeros = 0;
#if defined(__SSE2__)
    const __m128 magnitude = _mm_set1_ps(fabsf(scale));
    const __m128 no_sign = _mm_castsi128_ps(_mm_set1_epi32(0x7fffffff));
    const __m128i zero = _mm_setzero_si128();
    for (int first = 0; first < n; first += 4) {
        const __m128 value = _mm_and_ps(_mm_loadu_ps(source + first), no_sign);
        const __m128 scaled = _mm_mul_ps(value, magnitude);
        const __m128i is_zero = _mm_cmpeq_epi32(_mm_castps_si128(scaled), zero);
        const __m128 low = _mm_loadu_ps(floors + first);
        const __m128 kept =
            _mm_andnot_ps(_mm_castsi128_ps(is_zero), _mm_cmpge_ps(scaled, low));
        bits |= (uint32_t)_mm_movemask_ps(kept) << first;
        zeros |= (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(is_zero)) << first;
    }
#else
    for (int lane = 0; lane < n; lane++) {
        const float scaled = scale * source[lane];
        bits |= (uint32_t)skxmr_is_kept(scaled, floors[lane]) << lane;
        zeros |= (uint32_t)!skxmr_is_kept(scaled, 0) << lane;
    }
#endif
    *found = ~zeros;
    return bits;
}

SKXMR_INLINE int64_t skxmr_keep_any(const float *weights, const float *duals, int width,
                                    const int32_t *sources, const float *scales,
                                    int64_t n_features, const float *floors,
                                    uint32_t lanes, uint32_t *bits, int64_t stride,
                                    float *kept, int64_t *n_found) {
    int64_t n_kept = 0;
    for (int64_t i = 0; i < n_features; i++) {
        const float *source = skxmr_source(weights, duals, width, sources[i]);
        uint32_t left, found;
        if (i + SKXMR_SOURCES_AHEAD < n_features)
            skxmr_prefetch(skxmr_source(weights, duals, width,
                                        sources[i + SKXMR_SOURCES_AHEAD]));
        left = skxmr_kept_lanes(source, width, scales[i], floors, &found) & lanes;
        *n_found += skxmr_count_bits(found & lanes);
        bits[i * stride] = left;
        for (; left; left &= left - 1)
            kept[n_kept++] = scales[i] * source[skxmr_lowest_bit(left)];
    }
    return n_kept;
}

/* Raise `largest` to the magnitudes of a feature's weights, of `n` lanes, a multiple of 4. */
SKXMR_INLINE void skxmr_raise(const float *source, int n, float scale, float *largest) {
#if defined(__SSE2__)
    const __m128 magnitude = _mm_set1_ps(fabsf(scale));
    const __m128 no_sign = _mm_castsi128_ps(_mm_set1_epi32(0x7fffffff));
    for (int first = 0; first < n; first += 4) {
        const __m128 value = _mm_and_ps(_mm_loadu_ps(source + first), no_sign);
        const __m128 scaled = _mm_mul_ps(value, magnitude);
        _mm_storeu_ps(largest + first,
                      _mm_max_ps(scaled, _mm_loadu_ps(largest + first)));
    }
#else
    for (int lane = 0; lane < n; lane++) {
        const float scaled = fabsf(scale * source[lane]);
        if (scaled > largest[lane]) largest[lane] = scaled;
    }
#endif
}

SKXMR_INLINE void skxmr_find_largest_any(const float *weights, const float *duals,
                                         int width, const int32_t *sources,
                                         const float *scales, int64_t n_features,
                                         float *largest) {
    for (int64_t i = 0; i < n_features; i++) {
        if (i + SKXMR_SOURCES_AHEAD < n_features)
            skxmr_prefetch(skxmr_source(weights, duals, width,
                                        sources[i + SKXMR_SOURCES_AHEAD]));
        skxmr_raise(skxmr_source(weights, duals, width, sources[i]), width, scales[i],
                    largest);
    }
}

#if defined(__GNUC__) && defined(__x86_64__)
/* For 16 or 32 lanes. Whole registers are written: never beyond what all of the
 * features so far have room for. */
__attribute__((target("avx512f"))) static int64_t skxmr_keep_avx512(
    const float *weights, const float *duals, int width, const int32_t *sources,
    const float *scales, int64_t n_features, const float *floors, uint32_t lanes,
    uint32_t *bits, int64_t stride, float *kept, int64_t *n_found) {
    const __m512 lows[2] = {_mm512_loadu_ps(floors),
                            _mm512_loadu_ps(floors + width - 16)};
    int64_t n_kept = 0, n_used = 0;
    for (int64_t i = 0; i < n_features; i++) {
        const float *source = skxmr_source(weights, duals, width, sources[i]);
        const __m512 scale = _mm512_set1_ps(scales[i]);
        uint32_t all = 0, found = 0;
        if (i + SKXMR_SOURCES_AHEAD < n_features) {
            const float *ahead = skxmr_source(weights, duals, width,
                                              sources[i + SKXMR_SOURCES_AHEAD]);
            skxmr_prefetch(ahead);
            skxmr_prefetch(ahead + width - 1);
        }
        for (int first = 0; first < width; first += 16) {
            const __m512 scaled = _mm512_mul_ps(scale, _mm512_loadu_ps(source + first));
            const __m512 magnitudes = _mm512_abs_ps(scaled);
            const __m512i bits_of = _mm512_castps_si512(magnitudes);
            const __mmask16 used = _mm512_mask_test_epi32_mask(
                (__mmask16)(lanes >> first), bits_of, bits_of);
            const __mmask16 mask = _mm512_mask_cmp_ps_mask(
                used, magnitudes, lows[first / 16], _CMP_GE_OQ);
            all |= (uint32_t)mask << first;
            found |= (uint32_t)used << first;
            if (!mask) continue;
            _mm512_storeu_ps(kept + n_kept, _mm512_maskz_compress_ps(mask, scaled));
            n_kept += __builtin_popcount(mask);
        }
        bits[i * stride] = all;
        n_used += skxmr_count_bits(found);
    }
    *n_found += n_used;
    return n_kept;
}

__attribute__((target("avx512f"))) static void skxmr_find_largest_avx512(
    const float *weights, const float *duals, int width, const int32_t *sources,
    const float *scales, int64_t n_features, float *largest) {
    __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
    for (int64_t i = 0; i < n_features; i++) {
        const float *source = skxmr_source(weights, duals, width, sources[i]);
        const __m512 scale = _mm512_set1_ps(scales[i]);
        if (i + SKXMR_SOURCES_AHEAD < n_features) {
            const float *ahead = skxmr_source(weights, duals, width,
                                              sources[i + SKXMR_SOURCES_AHEAD]);
            skxmr_prefetch(ahead);
            skxmr_prefetch(ahead + width - 1);
        }
        low = _mm512_max_ps(
            low, _mm512_abs_ps(_mm512_mul_ps(scale, _mm512_loadu_ps(source))));
        high = _mm512_max_ps(
            high, _mm512_abs_ps(_mm512_mul_ps(
                      scale, _mm512_loadu_ps(source + width - 16))));
    }
    _mm512_storeu_ps(largest, low);
    _mm512_storeu_ps(largest + width - 16, high);
}
#endif

/* Find the smallest magnitude that is kept of each lane. */
static void skxmr_find_floors(const float *weights, const float *duals, int width,
                              const int32_t *sources, const float *scales,
                              int64_t n_features, skxmr_floor floor, int level,
                              float *floors) {
    memset(floors, 0, width * sizeof(float));
    if (floor.is_relative && floor.share > 0) {
#if defined(__GNUC__) && defined(__x86_64__)
        if (level == SKXMR_AVX512 && width >= 16)
            skxmr_find_largest_avx512(weights, duals, width, sources, scales,
                                      n_features, floors);
        else
#endif
            skxmr_find_largest_any(weights, duals, width, sources, scales, n_features,
                                   floors);
    }
    (void)level;
    for (int lane = 0; lane < width; lane++)
        floors[lane] = skxmr_floor_of(floor, floors[lane]);
}

/* Write a feature's kept lanes to `bits`, every `stride` words, and their weights to
 * `kept`; return how many there are, and add to `n_found` how many are not 0. Lanes that no bit of `lanes` stands for are padding. */
static int64_t skxmr_keep(const float *weights, const float *duals, int width,
                          const int32_t *sources, const float *scales,
                          int64_t n_features, skxmr_floor floor, uint32_t lanes,
                          int level, uint32_t *bits, int64_t stride, float *kept,
                          int64_t *n_found) {
    float floors[SKXMR_KEPT_LANES];
    skxmr_find_floors(weights, duals, width, sources, scales, n_features, floor, level,
                      floors);
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512 && width >= 16)
        return skxmr_keep_avx512(weights, duals, width, sources, scales, n_features,
                                 floors, lanes, bits, stride, kept, n_found);
#endif
    return skxmr_keep_any(weights, duals, width, sources, scales, n_features, floors,
                          lanes, bits, stride, kept, n_found);
}

#endif
