/* Gathers some lanes of arrays with 32, 16 or 8 lanes, and scatters them back. */
#ifndef SKXMR_LANES_H
#define SKXMR_LANES_H

#include <stdint.h>

#include "levels.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

/* A mask of the first n floats of a register. */
#define SKXMR_FIRST(n) ((__mmask16)((n) >= 16 ? 0xffff : (1 << (n)) - 1))

__attribute__((target("avx512f"))) static void skxmr_pack_avx512(const float *wide,
                                                                 int all_lanes,
                                                                 const int *lanes,
                                                                 int width, int64_t n,
                                                                 float *narrow) {
    const __mmask16 in = SKXMR_FIRST(all_lanes), out = SKXMR_FIRST(width);
    const __m512i from = _mm512_maskz_loadu_epi32(out, lanes);
    for (int64_t i = 0; i < n; i++, wide += all_lanes, narrow += width) {
        const __m512 low = _mm512_maskz_loadu_ps(in, wide);
        const __m512 high = all_lanes > 16 ? _mm512_loadu_ps(wide + 16) : low;
        _mm512_mask_storeu_ps(narrow, out, _mm512_permutex2var_ps(low, from, high));
    }
}

__attribute__((target("avx512f"))) static void skxmr_spread_avx512(
    const float *narrow, int width, const int *lanes, int all_lanes, int64_t n,
    float *wide) {
    int slot_of[32] = {0};
    uint32_t moved = 0;
    for (int slot = 0; slot < width; slot++) {
        slot_of[lanes[slot]] = slot;
        moved |= (uint32_t)1 << lanes[slot];
    }
    const __m512i low = _mm512_loadu_si512(slot_of);
    const __m512i high = _mm512_loadu_si512(slot_of + 16);
    const __mmask16 in = SKXMR_FIRST(width);
    for (int64_t i = 0; i < n; i++, wide += all_lanes, narrow += width) {
        const __m512 row = _mm512_maskz_loadu_ps(in, narrow);
        _mm512_mask_storeu_ps(wide, (__mmask16)moved, _mm512_permutexvar_ps(low, row));
        if (all_lanes > 16)
            _mm512_mask_storeu_ps(wide + 16, (__mmask16)(moved >> 16),
                                  _mm512_permutexvar_ps(high, row));
    }
}
#endif

/* Copy `width` lanes, at most 16, of n rows: narrow[i][slot] = wide[i][lanes[slot]]. */
static void skxmr_pack(const float *wide, int all_lanes, const int *lanes, int width,
                       int64_t n, int level, float *narrow) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) {
        skxmr_pack_avx512(wide, all_lanes, lanes, width, n, narrow);
        return;
    }
#endif
    (void)level;
    for (int64_t i = 0; i < n; i++)
        for (int slot = 0; slot < width; slot++)
            narrow[i * width + slot] = wide[i * all_lanes + lanes[slot]];
}

/* Copy them back: wide[i][lanes[slot]] = narrow[i][slot]. */
static void skxmr_spread(const float *narrow, int width, const int *lanes,
                         int all_lanes, int64_t n, int level, float *wide) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) {
        skxmr_spread_avx512(narrow, width, lanes, all_lanes, n, wide);
        return;
    }
#endif
    (void)level;
    for (int64_t i = 0; i < n; i++)
        for (int slot = 0; slot < width; slot++)
            wide[i * all_lanes + lanes[slot]] = narrow[i * width + slot];
}

#endif
