/* Products of one query with many vectors whose entries are codes of 4 bits.
 *
 * SKXMR_CODED vectors side by side make a block. Entries are in quads; byte j of vector v
 * in pair p of quads has entry j of quad 2p in its low half, and entry j of quad 2p + 1 in
 * its high half: codes (n_blocks, n_pairs, SKXMR_CODED, 4). The sums are integers, so
 * that all SIMD levels find the same.
 */
#ifndef SKXMR_CODES_H
#define SKXMR_CODES_H

#include <stdint.h>
#include <string.h>

#include "levels.h"

#define SKXMR_CODED 8
#define SKXMR_CODE_ENTRIES 8     /* of a vector in a pair of quads */
#define SKXMR_MOST_CODE_PAIRS 20 /* of quads of a query */

typedef struct {
    const uint8_t *codes;
    int64_t n_blocks;
    int64_t n_pairs; /* a multiple of 4 up to SKXMR_MOST_CODE_PAIRS */
} skxmr_coded_vectors;

/* The vectors found so far, and how to go on. */
typedef struct {
    uint64_t *keys; /* by descending sum, of equal ones by ascending position */
    int64_t n_keys;
    int64_t capacity;
    int64_t block;     /* the next */
    int32_t threshold; /* sums are found that are larger */
} skxmr_code_scan;

SKXMR_INLINE uint64_t skxmr_code_key(int32_t sum, int64_t position) {
    return (uint64_t)((int64_t)sum + 0x40000000) << 32 | (0xffffffff - position);
}

SKXMR_INLINE int32_t skxmr_sum_of_key(uint64_t key) {
    return (int32_t)((int64_t)(key >> 32) - 0x40000000);
}

SKXMR_INLINE int64_t skxmr_position_of_key(uint64_t key) {
    return 0xffffffff - (int64_t)(key & 0xffffffff);
}

/* Continue until all blocks are scanned, or there is no space for another. */
static void skxmr_scan_codes_baseline(skxmr_coded_vectors vectors, const int8_t *query,
                                      skxmr_code_scan *scan) {
    const int64_t n_bytes = vectors.n_pairs * SKXMR_CODED * 4;
    for (; scan->block < vectors.n_blocks; scan->block++) {
        const uint8_t *codes = vectors.codes + scan->block * n_bytes;
        if (scan->n_keys + SKXMR_CODED > scan->capacity) return;
        for (int v = 0; v < SKXMR_CODED; v++) {
            int32_t sum = 0;
            for (int64_t p = 0; p < vectors.n_pairs; p++)
                for (int j = 0; j < 4; j++) {
                    const uint8_t both = codes[(p * SKXMR_CODED + v) * 4 + j];
                    sum += (both & 15) * query[8 * p + j];
                    sum += (both >> 4) * query[8 * p + 4 + j];
                }
            if (sum > scan->threshold)
                scan->keys[scan->n_keys++] =
                    skxmr_code_key(sum, scan->block * SKXMR_CODED + v);
        }
    }
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

/* Up to 8 products of two codes with two entries of a query fit into 16 bits:
 * 8 * 2 * 15 * 127 < 2^15. */
#define SKXMR_PAIRS_OF_SHORTS 4

/* The distance at which codes are prefetched: processors stop at the ends of pages. */
#define SKXMR_BYTES_AHEAD 2048

__attribute__((target("avx2"))) static void skxmr_scan_codes_avx2(
    skxmr_coded_vectors vectors, const int8_t *query, skxmr_code_scan *scan) {
    const __m256i low_half = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    const __m256i threshold = _mm256_set1_epi32(scan->threshold);
    __m256i quads[2 * SKXMR_MOST_CODE_PAIRS];
    for (int64_t q = 0; q < 2 * vectors.n_pairs; q++) {
        int32_t quad;
        memcpy(&quad, query + 4 * q, 4);
        quads[q] = _mm256_set1_epi32(quad);
    }
    const __m256i *codes = (const __m256i *)vectors.codes;
    codes += scan->block * vectors.n_pairs;
    for (; scan->block < vectors.n_blocks; scan->block++) {
        __m256i sums = _mm256_setzero_si256();
        if (scan->n_keys + SKXMR_CODED > scan->capacity) return;
        for (int64_t first = 0; first < vectors.n_pairs;
             first += SKXMR_PAIRS_OF_SHORTS) {
            __m256i shorts = _mm256_setzero_si256();
            _mm_prefetch((const char *)codes + SKXMR_BYTES_AHEAD, _MM_HINT_T0);
            _mm_prefetch((const char *)codes + SKXMR_BYTES_AHEAD + 64, _MM_HINT_T0);
            for (int p = 0; p < SKXMR_PAIRS_OF_SHORTS; p++) {
                const __m256i both = _mm256_loadu_si256(codes++);
                const __m256i low = _mm256_and_si256(both, low_half);
                const __m256i high =
                    _mm256_and_si256(_mm256_srli_epi16(both, 4), low_half);
                const __m256i *of_query = quads + 2 * (first + p);
                shorts =
                    _mm256_add_epi16(shorts, _mm256_maddubs_epi16(low, of_query[0]));
                shorts =
                    _mm256_add_epi16(shorts, _mm256_maddubs_epi16(high, of_query[1]));
            }
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(shorts, ones));
        }
        const __m256i larger = _mm256_cmpgt_epi32(sums, threshold);
        unsigned int found =
            (unsigned int)_mm256_movemask_ps(_mm256_castsi256_ps(larger));
        if (!found) continue;
        int32_t of_vectors[SKXMR_CODED];
        _mm256_storeu_si256((__m256i *)of_vectors, sums);
        for (; found; found &= found - 1) {
            const int v = __builtin_ctz(found);
            scan->keys[scan->n_keys++] =
                skxmr_code_key(of_vectors[v], scan->block * SKXMR_CODED + v);
        }
    }
}
#endif

static void skxmr_scan_codes(skxmr_coded_vectors vectors, const int8_t *query,
                             skxmr_code_scan *scan, int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level >= SKXMR_AVX2) {
        skxmr_scan_codes_avx2(vectors, query, scan);
        return;
    }
#endif
    (void)level;
    skxmr_scan_codes_baseline(vectors, query, scan);
}

#endif
