/* Finds runs of (child, weight) pairs, and scores up to 16 children at once with AVX-512.
 *
 * Children ascend in a run, so that a bit mask of the children tells which lanes the
 * weights expand to, in vectors that hold the margins of all. Each margin adds the same
 * products in the same order as the scalar code, so that the results are the same bits.
 */
#ifndef SKXMR_RUNS_H
#define SKXMR_RUNS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "bits.h"
#include "hinge.h"
#include "levels.h"

/* The weights of a feature for the children of a parent: the run of one posting. */
typedef struct {
    uint32_t start; /* its first weight; before it is found, that of a posting before */
    uint32_t posting;
    int32_t n_before; /* postings between that one and this */
    int32_t length;   /* number of weights, once it is found */
    float value;      /* of the feature in the query */
} skxmr_run;

/* Children of one node, all or some, to be scored. */
typedef struct {
    int64_t first; /* node */
    int64_t n_children;
    double parent_score;
    const skxmr_run *runs; /* that add to their margins */
    int64_t n_runs;
    double *scores; /* OUT (n_children,) */
    uint64_t found; /* OUT: a bit for each child that may be among the best */
} skxmr_siblings;

enum { SKXMR_SEARCH_LANES = 16 };

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

SKXMR_INLINE int skxmr_has_lanes(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

/* Unused by kernels that need the other half of this file. */
#define SKXMR_LANES_TARGET __attribute__((unused, target("avx512f,avx512bw,avx512vl")))

/* A bit for each child below 16; bytes with the highest bit set give none. */
SKXMR_LANES_TARGET SKXMR_INLINE unsigned skxmr_child_bits(__m128i children) {
    const __m128i low =
        _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i high =
        _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, -128);
    const __m128i zero = _mm_setzero_si128();
    const __m128i lows = _mm_sad_epu8(_mm_shuffle_epi8(low, children), zero);
    const __m128i highs = _mm_sad_epu8(_mm_shuffle_epi8(high, children), zero);
    const __m128i bits = _mm_or_si128(lows, _mm_slli_epi64(highs, 8));
    return (unsigned)(_mm_cvtsi128_si64(bits) | _mm_extract_epi64(bits, 1));
}

/* The sum of the first n bytes, 63 at most. Branch-free: n would be mispredicted. */
SKXMR_LANES_TARGET SKXMR_INLINE uint32_t skxmr_sum_by_lanes(const uint8_t *bytes,
                                                            int n) {
    const __m512i taken = _mm512_maskz_loadu_epi8(((__mmask64)1 << n) - 1, bytes);
    const __m512i sums = _mm512_sad_epu8(taken, _mm512_setzero_si512());
    const __m256i half = _mm256_add_epi64(_mm512_castsi512_si256(sums),
                                          _mm512_extracti64x4_epi64(sums, 1));
    const __m128i rest =
        _mm_add_epi64(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    return (uint32_t)(_mm_cvtsi128_si32(rest) + _mm_extract_epi32(rest, 2));
}

/* Finds where runs begin and how long they are, and prefetches both ends of each. */
SKXMR_LANES_TARGET static void skxmr_find_runs_by_lanes(skxmr_run *runs, int64_t n_runs,
                                                        const uint8_t *lengths,
                                                        const uint8_t *entries,
                                                        int entry_size) {
    for (int64_t i = 0; i < n_runs; i++) {
        const int n = runs[i].n_before;
        const uint8_t *length = lengths + runs[i].posting;
        const uint32_t start = runs[i].start + n + skxmr_sum_by_lanes(length - n, n);
        const uint8_t *run = entries + (size_t)start * entry_size;
        runs[i].start = start;
        runs[i].length = *length + 1;
        skxmr_prefetch_many(run);
        skxmr_prefetch_many(run + (*length + 1) * entry_size - 1);
    }
}

/* Scores of margins, as `turn_into_scores` computes them; NaN stays NaN. */
SKXMR_LANES_TARGET SKXMR_INLINE __m512d skxmr_hinge(__m512d margins, __m512d parent,
                                                    int power) {
    const __m512d one = _mm512_set1_pd(1.0);
    const __m512d most = _mm512_set1_pd(SKXMR_LARGEST_VIOLATION);
    const __m512d infinity = _mm512_set1_pd(INFINITY);
    __m512d violation = _mm512_max_pd(_mm512_setzero_pd(), _mm512_sub_pd(one, margins));
    const __mmask8 is_finite = _mm512_cmp_pd_mask(violation, infinity, _CMP_LT_OQ);
    violation = _mm512_mask_min_pd(violation, is_finite, violation, most);
    __m512d result = violation;
    if (power > 1) result = _mm512_mul_pd(violation, violation);
    if (power == 3) result = _mm512_mul_pd(result, violation);
    if (power == 4) result = _mm512_mul_pd(result, result);
    return _mm512_sub_pd(parent, result);
}

SKXMR_LANES_TARGET SKXMR_INLINE uint64_t skxmr_score_lanes_of(
    const skxmr_siblings *siblings, const uint8_t *entries, int is_half,
    const float *intercepts, int power, double least_score) {
    const int64_t n_runs = siblings->n_runs;
    const skxmr_run *runs = siblings->runs;
    const int entry_size = is_half ? 3 : 5;
    const __mmask16 all = (__mmask16)((1u << siblings->n_children) - 1);
    const __m512 starts = _mm512_maskz_loadu_ps(all, intercepts);
    __m512d first = _mm512_cvtps_pd(_mm512_castps512_ps256(starts));
    __m512d last = _mm512_cvtps_pd(
        _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(starts), 1)));
    for (int64_t i = 0; i < n_runs; i++) {
        const uint8_t *run = entries + (size_t)runs[i].start * entry_size;
        const int length = runs[i].length;
        const __mmask16 used = (__mmask16)((1u << (length < 16 ? length : 16)) - 1);
        const __m128i children = _mm_mask_loadu_epi8(_mm_set1_epi8(-128), used, run);
        const unsigned bits = skxmr_child_bits(children);
        const __m512d value = _mm512_set1_pd(runs[i].value);
        __m512 weights =
            is_half ? _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(used, run + length))
                    : _mm512_maskz_loadu_ps(used, run + length);
        weights = _mm512_maskz_expand_ps((__mmask16)bits, weights);
        const __m256 half =
            _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(weights), 1));
        first = _mm512_mask_add_pd(
            first, (__mmask8)bits, first,
            _mm512_mul_pd(value, _mm512_cvtps_pd(_mm512_castps512_ps256(weights))));
        last = _mm512_mask_add_pd(last, (__mmask8)(bits >> 8), last,
                                  _mm512_mul_pd(value, _mm512_cvtps_pd(half)));
    }
    const __m512d parent = _mm512_set1_pd(siblings->parent_score);
    const __m512d least = _mm512_set1_pd(least_score);
    first = skxmr_hinge(first, parent, power);
    last = skxmr_hinge(last, parent, power);
    _mm512_storeu_pd(siblings->scores, first);
    _mm512_storeu_pd(siblings->scores + 8, last);
    return all & ((unsigned)_mm512_cmp_pd_mask(first, least, _CMP_NLT_UQ) |
                  (unsigned)_mm512_cmp_pd_mask(last, least, _CMP_NLT_UQ) << 8);
}

/* Scores 16 children at most, with the intercepts given; returns a bit for each whose
 * score is not below the least. Always writes 16 scores. */
SKXMR_LANES_TARGET static uint64_t skxmr_score_lanes(const skxmr_siblings *siblings,
                                                     const uint8_t *entries,
                                                     int is_half,
                                                     const float *intercepts, int power,
                                                     double least_score) {
    if (is_half)
        return skxmr_score_lanes_of(siblings, entries, 1, intercepts, power,
                                    least_score);
    return skxmr_score_lanes_of(siblings, entries, 0, intercepts, power, least_score);
}

/* Turns the margins of 64 children at most into scores; returns bits as above. */
SKXMR_LANES_TARGET static uint64_t skxmr_turn_by_lanes(const skxmr_siblings *siblings,
                                                       int power, double least_score) {
    const __m512d parent = _mm512_set1_pd(siblings->parent_score);
    const __m512d least = _mm512_set1_pd(least_score);
    double *margins = siblings->scores;
    uint64_t bits = 0;
    for (int64_t i = 0; i < siblings->n_children; i += 8) {
        const int64_t n = siblings->n_children - i;
        const __mmask8 all = (__mmask8)(n < 8 ? (1u << n) - 1 : 255);
        const __m512d scores =
            skxmr_hinge(_mm512_maskz_loadu_pd(all, margins + i), parent, power);
        _mm512_mask_storeu_pd(margins + i, all, scores);
        bits |= (uint64_t)_mm512_mask_cmp_pd_mask(all, scores, least, _CMP_NLT_UQ) << i;
    }
    return bits;
}

#else
SKXMR_INLINE int skxmr_has_lanes(void) { return 0; }
SKXMR_INLINE void skxmr_find_runs_by_lanes(skxmr_run *runs, int64_t n_runs,
                                           const uint8_t *lengths,
                                           const uint8_t *entries, int entry_size) {
    (void)runs, (void)n_runs, (void)lengths, (void)entries, (void)entry_size;
}
SKXMR_INLINE uint64_t skxmr_score_lanes(const skxmr_siblings *siblings,
                                        const uint8_t *entries, int is_half,
                                        const float *intercepts, int power,
                                        double least_score) {
    (void)siblings, (void)entries, (void)is_half, (void)intercepts;
    (void)power, (void)least_score;
    return 0;
}
SKXMR_INLINE uint64_t skxmr_turn_by_lanes(const skxmr_siblings *siblings, int power,
                                          double least_score) {
    (void)siblings, (void)power, (void)least_score;
    return 0;
}
#endif

#endif
