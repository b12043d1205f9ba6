/* Sums for one query over many vectors that are coded twice.
 *
 * The fine code of a vector has 4 bits for each entry. In each SKXMR_FINE_BYTES bytes,
 * byte j has entry j in its low half, and entry SKXMR_FINE_BYTES + j in its high half.
 *
 * The rough code has 4 bits for each table, the number of the table's value that is
 * added for the query. SKXMR_ROUGH vectors side by side make a block; byte v of pair p
 * has the number of vector v in table 2p in its low half, and in table 2p + 1 in its high
 * half: (n_blocks, n_tables / 2, SKXMR_ROUGH).
 *
 * The sums are integers, so that all SIMD levels find the same.
 */
#ifndef SKXMR_CODES_H
#define SKXMR_CODES_H

#include <stdint.h>
#include <string.h>

#include "levels.h"

#define SKXMR_FINE_BYTES 16
#define SKXMR_ROUGH 32
#define SKXMR_ROUGH_VALUES 16        /* of a table */
#define SKXMR_LARGEST_ROUGH_VALUE 63 /* four of them fit into a byte */
#define SKXMR_MOST_TABLES 40         /* a multiple of 8 */

typedef struct {
    const uint8_t *codes;
    int64_t n_blocks;
    int64_t n_tables; /* a multiple of 8 up to SKXMR_MOST_TABLES */
} skxmr_rough_codes;

/* The vectors found so far, and how to go on. */
typedef struct {
    uint64_t *keys; /* by descending sum, of equal ones by ascending position */
    int64_t n_keys;
    int64_t capacity;
    int64_t block;     /* the next */
    int64_t stride;    /* blocks from one to the next */
    int32_t threshold; /* sums are found that are larger */
} skxmr_rough_scan;

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
static void skxmr_scan_rough_baseline(skxmr_rough_codes vectors, const uint8_t *tables,
                                      skxmr_rough_scan *scan) {
    const int64_t n_pairs = vectors.n_tables / 2;
    for (; scan->block < vectors.n_blocks; scan->block += scan->stride) {
        const uint8_t *codes = vectors.codes + scan->block * n_pairs * SKXMR_ROUGH;
        if (scan->n_keys + SKXMR_ROUGH > scan->capacity) return;
        for (int v = 0; v < SKXMR_ROUGH; v++) {
            int32_t sum = 0;
            for (int64_t p = 0; p < n_pairs; p++) {
                const uint8_t both = codes[p * SKXMR_ROUGH + v];
                sum += tables[2 * p * SKXMR_ROUGH_VALUES + (both & 15)];
                sum += tables[(2 * p + 1) * SKXMR_ROUGH_VALUES + (both >> 4)];
            }
            if (sum > scan->threshold)
                scan->keys[scan->n_keys++] =
                    skxmr_code_key(sum, scan->block * SKXMR_ROUGH + v);
        }
    }
}

/* The sum of the products of a fine code with the entries of a query. */
static int32_t skxmr_fine_sum_baseline(const uint8_t *code, const int8_t *query,
                                       int64_t n_bytes) {
    int32_t sum = 0;
    for (int64_t first = 0; first < n_bytes; first += SKXMR_FINE_BYTES)
        for (int64_t j = first; j < first + SKXMR_FINE_BYTES; j++) {
            sum += (code[j] & 15) * query[first + j];
            sum += (code[j] >> 4) * query[first + SKXMR_FINE_BYTES + j];
        }
    return sum;
}

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

/* The distance at which codes are prefetched: processors stop at the ends of pages. */
#define SKXMR_BYTES_AHEAD 2048

#define SKXMR_AVX2_CODE __attribute__((target("avx2"), always_inline)) static inline

/* Numbers of two tables, of 32 vectors: add the tables' values to bytes. */
SKXMR_AVX2_CODE __m256i skxmr_add_two_tables(__m256i bytes, const uint8_t *codes,
                                             const uint8_t *tables) {
    const __m256i low_half = _mm256_set1_epi8(15);
    const __m256i both = _mm256_loadu_si256((const __m256i *)codes);
    const __m256i first =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)tables));
    const __m256i second =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)tables + 1));
    const __m256i low = _mm256_and_si256(both, low_half);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_half);
    bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(first, low));
    return _mm256_add_epi8(bytes, _mm256_shuffle_epi8(second, high));
}

/* Keep the vectors of a block whose sums, of even and of odd ones, are larger. */
SKXMR_AVX2_CODE void skxmr_keep_larger(__m256i even, __m256i odd, __m256i threshold,
                                       skxmr_rough_scan *scan) {
    const __m256i larger =
        _mm256_blendv_epi8(_mm256_cmpgt_epi16(odd, threshold),
                           _mm256_cmpgt_epi16(even, threshold), _mm256_set1_epi16(255));
    unsigned int found = (unsigned int)_mm256_movemask_epi8(larger);
    if (!found) return;
    uint16_t sums[2][SKXMR_ROUGH / 2];
    _mm256_storeu_si256((__m256i *)sums[0], even);
    _mm256_storeu_si256((__m256i *)sums[1], odd);
    for (; found; found &= found - 1) {
        const int v = __builtin_ctz(found);
        scan->keys[scan->n_keys++] =
            skxmr_code_key(sums[v & 1][v >> 1], scan->block * SKXMR_ROUGH + v);
    }
}

__attribute__((target("avx2"))) static void skxmr_scan_rough_avx2(
    skxmr_rough_codes vectors, const uint8_t *tables, skxmr_rough_scan *scan) {
    const int64_t n_pairs = vectors.n_tables / 2;
    const __m256i threshold = _mm256_set1_epi16((short)scan->threshold);
    const __m256i low_byte = _mm256_set1_epi16(255);
    for (; scan->block < vectors.n_blocks; scan->block += scan->stride) {
        const uint8_t *codes = vectors.codes + scan->block * n_pairs * SKXMR_ROUGH;
        /* Of the vectors with even numbers, and with odd ones: sums of 16 bits. */
        __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
        if (scan->n_keys + SKXMR_ROUGH > scan->capacity) return;
        for (int64_t p = 0; p < n_pairs; p += 2) {
            const uint8_t *of_pair = tables + 2 * p * SKXMR_ROUGH_VALUES;
            __m256i bytes = _mm256_setzero_si256();
            _mm_prefetch((const char *)codes + SKXMR_BYTES_AHEAD, _MM_HINT_T0);
            bytes = skxmr_add_two_tables(bytes, codes, of_pair);
            bytes = skxmr_add_two_tables(bytes, codes + SKXMR_ROUGH,
                                         of_pair + 2 * SKXMR_ROUGH_VALUES);
            even = _mm256_add_epi16(even, _mm256_and_si256(bytes, low_byte));
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
            codes += 2 * SKXMR_ROUGH;
        }
        skxmr_keep_larger(even, odd, threshold, scan);
    }
}

/* The two tables of each of two pairs, each for a half of a register. */
typedef struct {
    __m512i first, second;
} skxmr_wide_tables;

#define SKXMR_AVX512_CODE \
    __attribute__((target("avx512f,avx512bw"), always_inline)) static inline

/* The values of four tables for 32 vectors: the sums of two of them in each half. */
SKXMR_AVX512_CODE __m512i skxmr_wide_sums(const uint8_t *codes,
                                          const skxmr_wide_tables *tables) {
    const __m512i low_half = _mm512_set1_epi8(15);
    const __m512i both = _mm512_loadu_si512(codes);
    const __m512i low = _mm512_and_si512(both, low_half);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), low_half);
    return _mm512_add_epi8(_mm512_shuffle_epi8(tables->first, low),
                           _mm512_shuffle_epi8(tables->second, high));
}

SKXMR_AVX512_CODE __m512i skxmr_wide_table(const uint8_t *low, const uint8_t *high) {
    const __m128i of_low = _mm_loadu_si128((const __m128i *)low);
    const __m128i of_high = _mm_loadu_si128((const __m128i *)high);
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(_mm256_broadcastsi128_si256(of_low)),
        _mm256_broadcastsi128_si256(of_high), 1);
}

__attribute__((target("avx512f,avx512bw"))) static void skxmr_scan_rough_avx512(
    skxmr_rough_codes vectors, const uint8_t *tables, skxmr_rough_scan *scan) {
    const int64_t n_quads = vectors.n_tables / 4; /* two pairs: an even number */
    const __m256i threshold = _mm256_set1_epi16((short)scan->threshold);
    const __m512i low_byte = _mm512_set1_epi16(255);
    skxmr_wide_tables wide[SKXMR_MOST_TABLES / 4];
    for (int64_t q = 0; q < n_quads; q++) {
        const uint8_t *of_quad = tables + 4 * q * SKXMR_ROUGH_VALUES;
        wide[q].first = skxmr_wide_table(of_quad, of_quad + 2 * SKXMR_ROUGH_VALUES);
        wide[q].second = skxmr_wide_table(of_quad + SKXMR_ROUGH_VALUES,
                                          of_quad + 3 * SKXMR_ROUGH_VALUES);
    }
    for (; scan->block < vectors.n_blocks; scan->block += scan->stride) {
        const uint8_t *codes = vectors.codes + scan->block * n_quads * 2 * SKXMR_ROUGH;
        __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
        if (scan->n_keys + SKXMR_ROUGH > scan->capacity) return;
        for (int64_t q = 0; q < n_quads; q += 2) {
            _mm_prefetch((const char *)codes + SKXMR_BYTES_AHEAD, _MM_HINT_T0);
            _mm_prefetch((const char *)codes + SKXMR_BYTES_AHEAD + 64, _MM_HINT_T0);
            const __m512i bytes =
                _mm512_add_epi8(skxmr_wide_sums(codes, wide + q),
                                skxmr_wide_sums(codes + 2 * SKXMR_ROUGH, wide + q + 1));
            even = _mm512_add_epi16(even, _mm512_and_si512(bytes, low_byte));
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
            codes += 4 * SKXMR_ROUGH;
        }
        skxmr_keep_larger(_mm256_add_epi16(_mm512_castsi512_si256(even),
                                           _mm512_extracti64x4_epi64(even, 1)),
                          _mm256_add_epi16(_mm512_castsi512_si256(odd),
                                           _mm512_extracti64x4_epi64(odd, 1)),
                          threshold, scan);
    }
}

__attribute__((target("avx2"))) static int32_t skxmr_fine_sum_avx2(const uint8_t *code,
                                                                   const int8_t *query,
                                                                   int64_t n_bytes) {
    const __m128i low_half = _mm_set1_epi8(15), ones = _mm_set1_epi16(1);
    __m128i sums = _mm_setzero_si128();
    for (int64_t first = 0; first < n_bytes; first += SKXMR_FINE_BYTES) {
        const __m128i *of_query = (const __m128i *)(query + 2 * first);
        const __m128i both = _mm_loadu_si128((const __m128i *)(code + first));
        const __m128i low = _mm_and_si128(both, low_half);
        const __m128i high = _mm_and_si128(_mm_srli_epi16(both, 4), low_half);
        /* 4 * 15 * 127 < 2^15 */
        const __m128i shorts =
            _mm_add_epi16(_mm_maddubs_epi16(low, _mm_loadu_si128(of_query)),
                          _mm_maddubs_epi16(high, _mm_loadu_si128(of_query + 1)));
        sums = _mm_add_epi32(sums, _mm_madd_epi16(shorts, ones));
    }
    sums = _mm_add_epi32(sums, _mm_srli_si128(sums, 8));
    sums = _mm_add_epi32(sums, _mm_srli_si128(sums, 4));
    return _mm_cvtsi128_si32(sums);
}
#endif

/* Whether the machine has AVX-512 for bytes; SKXMR_AVX512 is not used without. */
static int skxmr_has_wide_bytes(void) {
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bw") != 0;
#else
    return 0;
#endif
}

static void skxmr_scan_rough(skxmr_rough_codes vectors, const uint8_t *tables,
                             skxmr_rough_scan *scan, int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level >= SKXMR_AVX512) {
        skxmr_scan_rough_avx512(vectors, tables, scan);
        return;
    }
    if (level >= SKXMR_AVX2) {
        skxmr_scan_rough_avx2(vectors, tables, scan);
        return;
    }
#endif
    (void)level;
    skxmr_scan_rough_baseline(vectors, tables, scan);
}

static int32_t skxmr_fine_sum(const uint8_t *code, const int8_t *query, int64_t n_bytes,
                              int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level >= SKXMR_AVX2) return skxmr_fine_sum_avx2(code, query, n_bytes);
#endif
    (void)level;
    return skxmr_fine_sum_baseline(code, query, n_bytes);
}

#endif
