/* Which weights of a block of children are kept. */
#ifndef SKXMR_KEEP_H
#define SKXMR_KEEP_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "bits.h"
#include "floor.h"
#include "levels.h"

/* The distance, in features, at which weights are prefetched. */
enum { SKXMR_FEATURES_AHEAD = 8 };

/* SKXMR_MAX_LANES of sweep.h. */
enum { SKXMR_MOST_KEPT_LANES = 32 };

/* The weights of a block of children: those of feature i are scales[i] times a column of
 * the block's weights or, where a single row has the feature, a row of its signed dual
 * variables. */
typedef struct {
    const float *weights;   /* (n_columns, width) */
    const float *duals;     /* (n_rows, width) */
    int width;              /* lanes, a multiple of 4 */
    uint32_t lanes;         /* a bit for each child; the other lanes are padding */
    const int32_t *sources; /* (n_features): column c, or row r as -1 - r */
    const float *scales;    /* (n_features) */
    int64_t n_features;
} skxmr_block_weights;

SKXMR_INLINE const float *skxmr_source(skxmr_block_weights block, int64_t i) {
    const int64_t source = block.sources[i];
    return source >= 0 ? block.weights + source * block.width
                       : block.duals + (-1 - source) * block.width;
}

/* Set bit i where scale * source[i] is kept, of `n` floats, a multiple of 4; and that of
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

SKXMR_INLINE int64_t skxmr_keep_any(skxmr_block_weights block, const float *floors,
                                    uint32_t *bits, int64_t stride, float *kept,
                                    int64_t *n_found) {
    int64_t n_kept = 0;
    for (int64_t i = 0; i < block.n_features; i++) {
        const float *source = skxmr_source(block, i);
        uint32_t left, found;
        if (i + SKXMR_FEATURES_AHEAD < block.n_features)
            skxmr_prefetch(skxmr_source(block, i + SKXMR_FEATURES_AHEAD));
        left = skxmr_kept_lanes(source, block.width, block.scales[i], floors, &found) &
               block.lanes;
        *n_found += skxmr_count_bits(found & block.lanes);
        bits[i * stride] = left;
        for (; left; left &= left - 1)
            kept[n_kept++] = block.scales[i] * source[skxmr_lowest_bit(left)];
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

SKXMR_INLINE void skxmr_find_largest_any(skxmr_block_weights block, float *largest) {
    for (int64_t i = 0; i < block.n_features; i++) {
        if (i + SKXMR_FEATURES_AHEAD < block.n_features)
            skxmr_prefetch(skxmr_source(block, i + SKXMR_FEATURES_AHEAD));
        skxmr_raise(skxmr_source(block, i), block.width, block.scales[i], largest);
    }
}

#if defined(__GNUC__) && defined(__x86_64__)
SKXMR_INLINE void skxmr_prefetch_wide_source(skxmr_block_weights block, int64_t i) {
    const float *source;
    if (i >= block.n_features) return;
    source = skxmr_source(block, i);
    skxmr_prefetch(source);
    skxmr_prefetch(source + block.width - 1);
}

/* For 16 or 32 lanes. Whole registers are stored, but never beyond the end of `kept`, which
 * has an item for every weight of the block. */
__attribute__((target("avx512f"))) static int64_t skxmr_keep_avx512(
    skxmr_block_weights block, const float *floors, uint32_t *bits, int64_t stride,
    float *kept, int64_t *n_found) {
    const int width = block.width;
    const __m512 lows[2] = {_mm512_loadu_ps(floors),
                            _mm512_loadu_ps(floors + width - 16)};
    int64_t n_kept = 0, n_used = 0;
    for (int64_t i = 0; i < block.n_features; i++) {
        const float *source = skxmr_source(block, i);
        const __m512 scale = _mm512_set1_ps(block.scales[i]);
        uint32_t all = 0, found = 0;
        skxmr_prefetch_wide_source(block, i + SKXMR_FEATURES_AHEAD);
        for (int first = 0; first < width; first += 16) {
            const __m512 scaled = _mm512_mul_ps(scale, _mm512_loadu_ps(source + first));
            const __m512 magnitudes = _mm512_abs_ps(scaled);
            const __m512i bits_of = _mm512_castps_si512(magnitudes);
            const __mmask16 used = _mm512_mask_test_epi32_mask(
                (__mmask16)(block.lanes >> first), bits_of, bits_of);
            const __mmask16 mask =
                _mm512_mask_cmp_ps_mask(used, magnitudes, lows[first / 16], _CMP_GE_OQ);
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
    skxmr_block_weights block, float *largest) {
    __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
    for (int64_t i = 0; i < block.n_features; i++) {
        const float *source = skxmr_source(block, i);
        const __m512 scale = _mm512_set1_ps(block.scales[i]);
        skxmr_prefetch_wide_source(block, i + SKXMR_FEATURES_AHEAD);
        low = _mm512_max_ps(
            low, _mm512_abs_ps(_mm512_mul_ps(scale, _mm512_loadu_ps(source))));
        high = _mm512_max_ps(high,
                             _mm512_abs_ps(_mm512_mul_ps(
                                 scale, _mm512_loadu_ps(source + block.width - 16))));
    }
    _mm512_storeu_ps(largest, low);
    _mm512_storeu_ps(largest + block.width - 16, high);
}
#endif

/* Find the smallest magnitude that is kept of each lane. */
static void skxmr_find_floors(skxmr_block_weights block, skxmr_floor floor, int level,
                              float *floors) {
    memset(floors, 0, block.width * sizeof(float));
    if (floor.is_relative && floor.share > 0) {
#if defined(__GNUC__) && defined(__x86_64__)
        if (level == SKXMR_AVX512 && block.width >= 16)
            skxmr_find_largest_avx512(block, floors);
        else
#endif
            skxmr_find_largest_any(block, floors);
    }
    (void)level;
    for (int lane = 0; lane < block.width; lane++)
        floors[lane] = skxmr_floor_of(floor, floors[lane]);
}

/* Write which lanes of each feature are kept to `bits`, every `stride` words, and their
 * weights to `kept`. Return how many are kept; add to `n_found` how many are not 0. */
static int64_t skxmr_keep(skxmr_block_weights block, skxmr_floor floor, int level,
                          uint32_t *bits, int64_t stride, float *kept,
                          int64_t *n_found) {
    float floors[SKXMR_MOST_KEPT_LANES];
    skxmr_find_floors(block, floor, level, floors);
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512 && block.width >= 16)
        return skxmr_keep_avx512(block, floors, bits, stride, kept, n_found);
#endif
    return skxmr_keep_any(block, floors, bits, stride, kept, n_found);
}

#endif
