/* What compilers offer for bits and memory under different names. */
#ifndef SKXMR_BITS_H
#define SKXMR_BITS_H

#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
static inline void skxmr_prefetch(const void *address) { __builtin_prefetch(address); }
#else
static inline void skxmr_prefetch(const void *address) { (void)address; }
#endif

#if defined(__GNUC__) && (defined(__POPCNT__) || !defined(__x86_64__))
static inline int skxmr_count_bits(uint64_t word) { return __builtin_popcountll(word); }
#else
/* Without the instruction, compilers call a function. */
static inline int skxmr_count_bits(uint64_t word) {
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)((word * 0x0101010101010101u) >> 56);
}
#endif

/* A finite half-precision number from its bits. Shifted to the place of a float's, its
 * exponent lacks 112; this holds for subnormal numbers too. */
static inline double skxmr_from_half(uint16_t half) {
    const uint32_t bits = ((uint32_t)(half & 0x8000u) << 16) | ((uint32_t)(half & 0x7fffu) << 13);
    float number;
    memcpy(&number, &bits, sizeof number);
    return number * 0x1p112;
}

#endif
