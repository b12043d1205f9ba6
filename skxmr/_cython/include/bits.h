/* What compilers offer for bits and memory under different names. */
#ifndef SKXMR_BITS_H
#define SKXMR_BITS_H

#include <stdint.h>

#if defined(__GNUC__)
static inline int skxmr_count_bits(uint64_t word) { return __builtin_popcountll(word); }
static inline void skxmr_prefetch(const void *address) { __builtin_prefetch(address); }
#else
static inline int skxmr_count_bits(uint64_t word) {
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int)((word * 0x0101010101010101u) >> 56);
}
static inline void skxmr_prefetch(const void *address) { (void)address; }
#endif

#endif
