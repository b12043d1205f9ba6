/* Compiler built-ins for bits and memory, with portable substitutes. */
#ifndef SKXMR_BITS_H
#define SKXMR_BITS_H

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
static inline void skxmr_prefetch(const void *address) { __builtin_prefetch(address); }

/* For bursts of prefetches: into the second-level cache, since processors drop a third of
 * a burst into the first. */
static inline void skxmr_prefetch_many(const void *address) {
    __builtin_prefetch(address, 0, 2);
    /* Without a visible effect, GCC would remove calls of functions that only prefetch. */
    __asm__ volatile("" : : "r"(address));
}
#else
static inline void skxmr_prefetch(const void *address) { (void)address; }
static inline void skxmr_prefetch_many(const void *address) { (void)address; }
#endif

#if defined(__GNUC__) && (defined(__POPCNT__) || !defined(__x86_64__))
static inline int skxmr_count_bits(uint64_t word) { return __builtin_popcountll(word); }
#else
static inline int skxmr_count_bits_by_sums(uint64_t word) {
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)((word * 0x0101010101010101u) >> 56);
}
#if defined(__GNUC__)
/* The oldest x86-64 processors lack the instruction, so without this branch, which is
 * always predicted, compilers would call a function. */
static int skxmr_has_popcnt;
__attribute__((constructor)) static void skxmr_find_popcnt(void) {
    __builtin_cpu_init();
    skxmr_has_popcnt = __builtin_cpu_supports("popcnt");
}
static inline int skxmr_count_bits(uint64_t word) {
    if (__builtin_expect(!skxmr_has_popcnt, 0)) return skxmr_count_bits_by_sums(word);
    __asm__("popcnt %0, %0" : "+r"(word) : : "cc");
    return (int)word;
}
#else
static inline int skxmr_count_bits(uint64_t word) {
    return skxmr_count_bits_by_sums(word);
}
#endif
#endif

/* The index of the lowest bit that is set; at least one must be. */
static inline int skxmr_lowest_bit(uint64_t word) {
#if defined(__GNUC__)
    return __builtin_ctzll(word);
#else
    return skxmr_count_bits((word & (~word + 1)) - 1);
#endif
}

/* The sum of the first n bytes. A few more may be read, but none beyond n_readable. Eight
 * are added at a time, in any byte order. */
static inline int64_t skxmr_sum_bytes(const uint8_t *bytes, int64_t n,
                                      int64_t n_readable) {
    const uint64_t odd = 0x00ff00ff00ff00ffu;
    int64_t sum = 0;
    uint64_t word;
    for (; n >= 8; n -= 8, n_readable -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        word = (word & odd) + ((word >> 8) & odd);
        sum += (int64_t)((word * 0x0001000100010001u) >> 48);
    }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (n > 0 && n_readable >= 8) {
        memcpy(&word, bytes, 8);
        word <<= 64 - 8 * n; /* shifts the others out */
        word = (word & odd) + ((word >> 8) & odd);
        return sum + (int64_t)((word * 0x0001000100010001u) >> 48);
    }
#endif
    for (int64_t i = 0; i < n; i++) sum += bytes[i];
    return sum;
}

/* A finite half-precision number from its bits. Shifted to the position of a float's, its
 * exponent is too small by 112. Subnormal numbers are computed from their mantissa:
 * shifted, they would be denormal floats, which processors may flush to 0. */
static inline double skxmr_from_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t magnitude = half & 0x7fffu;
    uint32_t bits = magnitude << 13;
    float number;
    if (magnitude < 0x400u) return (sign ? -0x1p-24 : 0x1p-24) * (double)magnitude;
    bits |= sign;
    memcpy(&number, &bits, sizeof number);
    return number * 0x1p112;
}

#endif
