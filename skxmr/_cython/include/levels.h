/* Levels of SIMD instructions, chosen at run time. */
#ifndef SKXMR_LEVELS_H
#define SKXMR_LEVELS_H

#if defined(__GNUC__)
#define SKXMR_INLINE static inline __attribute__((always_inline))
#else
#define SKXMR_INLINE static inline
#endif

enum { SKXMR_BASELINE = 0, SKXMR_AVX2 = 1, SKXMR_AVX512 = 2 };

/* The best level that this machine has. */
SKXMR_INLINE int skxmr_best_level(void) {
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) return SKXMR_AVX512;
    if (__builtin_cpu_supports("avx2")) return SKXMR_AVX2;
#endif
    return SKXMR_BASELINE;
}

#endif
