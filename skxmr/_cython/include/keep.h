/* Which of a block's weights are kept. */
#ifndef SKXMR_KEEP_H
#define SKXMR_KEEP_H

#include <math.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "bits.h"
#include "levels.h"

/* Bit i is set where |scale * source[i]| is not 0 and at least `floor`, of `lanes`
 * floats, a multiple of 4. */
SKXMR_INLINE uint32_t skxmr_kept_lanes(const float *source, int lanes, float scale,
                                       float floor) {
    /* The smallest number that is not 0. */
    const float least = floor > 0 ? floor : 1.4e-45f;
    uint32_t bits = 0;
#if defined(__SSE2__)
    const __m128 magnitude = _mm_set1_ps(fabsf(scale)), low = _mm_set1_ps(least);
    const __m128 no_sign = _mm_castsi128_ps(_mm_set1_epi32(0x7fffffff));
    for (int first = 0; first < lanes; first += 4) {
        const __m128 value = _mm_and_ps(_mm_loadu_ps(source + first), no_sign);
        const __m128 kept = _mm_cmpge_ps(_mm_mul_ps(value, magnitude), low);
        bits |= (uint32_t)_mm_movemask_ps(kept) << first;
    }
#else
    for (int lane = 0; lane < lanes; lane++)
        bits |= (uint32_t)(fabsf(scale * source[lane]) >= least) << lane;
#endif
    return bits;
}

#endif
