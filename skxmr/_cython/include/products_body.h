/* Included by products.h once for each SIMD level: no include guard.
 *
 * Needs SKXMR_TARGET, the attribute that enables the instructions; SKXMR_WIDTH, the
 * number of doubles in a register; and SKXMR_NAME, which adds the level to names.
 */

#define DOUBLES SKXMR_NAME(skxmr_doubles)
#define LOOSE SKXMR_NAME(skxmr_loose_doubles)
#define PARTS (SKXMR_QUERIES / SKXMR_WIDTH)
#define EACH_PART for (int p = 0; p < PARTS; p++)

typedef double DOUBLES __attribute__((vector_size(8 * SKXMR_WIDTH)));
/* The same without alignment. */
typedef double LOOSE
    __attribute__((vector_size(8 * SKXMR_WIDTH), aligned(8), may_alias));

SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_margins_of)(const skxmr_nodes *nodes,
                                                            const double *queries,
                                                            double *margins,
                                                            int is_wide) {
    const DOUBLES zero = {0};
    for (int64_t node = 0; node < nodes->n_nodes; node++) {
        const int64_t stop = nodes->offsets[node + 1];
        DOUBLES margin[PARTS];
        EACH_PART margin[p] = zero + (double)nodes->intercepts[node];
        for (int64_t i = nodes->offsets[node]; i < stop; i++) {
            const double *values =
                queries + skxmr_feature(nodes, i, is_wide) * SKXMR_QUERIES;
            const double weight = nodes->weights[i];
            EACH_PART margin[p] += weight * *(const LOOSE *)(values + p * SKXMR_WIDTH);
        }
        EACH_PART *(LOOSE *)(margins + node * SKXMR_QUERIES + p * SKXMR_WIDTH) =
            margin[p];
    }
}

SKXMR_TARGET static void SKXMR_NAME(skxmr_margins)(const skxmr_nodes *nodes,
                                                   const double *queries,
                                                   double *margins) {
    if (nodes->is_wide) SKXMR_NAME(skxmr_margins_of)(nodes, queries, margins, 1);
    else SKXMR_NAME(skxmr_margins_of)(nodes, queries, margins, 0);
}

#undef DOUBLES
#undef LOOSE
#undef PARTS
#undef EACH_PART
#undef SKXMR_TARGET
#undef SKXMR_WIDTH
#undef SKXMR_NAME
