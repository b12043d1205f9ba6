/* Included by dense_product.h once for each SIMD level: no include guard.
 *
 * Needs SKXMR_TARGET, the attribute that enables the instructions; SKXMR_WIDTH, the
 * number of doubles in a register; and SKXMR_LEVEL, the name of the level.
 */

#define SKXMR_JOIN_(name, level) name##_##level
#define SKXMR_JOIN(name, level) SKXMR_JOIN_(name, level)
#define SKXMR_NAME(name) SKXMR_JOIN(name, SKXMR_LEVEL)

#define DOUBLES SKXMR_NAME(skxmr_product_doubles)
#define LOOSE SKXMR_NAME(skxmr_product_loose_doubles)
#define LOOSE_FLOATS SKXMR_NAME(skxmr_product_loose_floats)
#define PARTS (SKXMR_PARTIAL_SUMS / SKXMR_WIDTH)

typedef double DOUBLES __attribute__((vector_size(8 * SKXMR_WIDTH)));
/* The same without alignment, and as many floats. */
typedef double LOOSE
    __attribute__((vector_size(8 * SKXMR_WIDTH), aligned(8), may_alias));
typedef float LOOSE_FLOATS
    __attribute__((vector_size(4 * SKXMR_WIDTH), aligned(4), may_alias));

#define SKXMR_DENSE_PRODUCT(name, real, loose) \
    SKXMR_TARGET static double SKXMR_NAME(name)(const real *values, \
                                                const double *sums, int64_t n) { \
        double lanes[SKXMR_PARTIAL_SUMS]; \
        DOUBLES parts[PARTS] = {{0}}; \
        int64_t first = 0; \
        for (; first + SKXMR_PARTIAL_SUMS <= n; first += SKXMR_PARTIAL_SUMS) \
            for (int p = 0; p < PARTS; p++) { \
                const int64_t entry = first + p * SKXMR_WIDTH; \
                parts[p] += __builtin_convertvector(*(const loose *)(values + entry), \
                                                    DOUBLES) * \
                            *(const LOOSE *)(sums + entry); \
            } \
        for (int p = 0; p < PARTS; p++) \
            *(LOOSE *)(lanes + p * SKXMR_WIDTH) = parts[p]; \
        SKXMR_FINISH(n - first) \
    }

SKXMR_DENSE_PRODUCT(skxmr_product_float, float, LOOSE_FLOATS)
SKXMR_DENSE_PRODUCT(skxmr_product_double, double, LOOSE)

#undef SKXMR_DENSE_PRODUCT
#undef DOUBLES
#undef LOOSE
#undef LOOSE_FLOATS
#undef PARTS
#undef SKXMR_NAME
#undef SKXMR_JOIN
#undef SKXMR_JOIN_
#undef SKXMR_LEVEL
#undef SKXMR_TARGET
#undef SKXMR_WIDTH
