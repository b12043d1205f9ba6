/* Products of the sparse weights of some nodes with SKXMR_QUERIES dense queries side by
 * side, one query per lane.
 *
 * A product of two floats is exact in double precision, and each lane adds in the order
 * of the features, so all SIMD levels give the same bits.
 */
#ifndef SKXMR_PRODUCTS_H
#define SKXMR_PRODUCTS_H

#include <stdint.h>

#include "levels.h"

#define SKXMR_QUERIES 8

/* The nodes of one parent. Features have 16 bits, or 32 if they are wide. */
typedef struct {
    int64_t n_nodes;
    const int64_t *offsets; /* (n_nodes + 1): the first weight of each */
    const void *features;
    int is_wide;
    const float *weights;
    const float *intercepts; /* (n_nodes) */
} skxmr_nodes;

SKXMR_INLINE int64_t skxmr_feature(const skxmr_nodes *nodes, int64_t entry,
                                   int is_wide) {
    return is_wide ? ((const int32_t *)nodes->features)[entry]
                   : ((const uint16_t *)nodes->features)[entry];
}

/* Nodes whose margins are added up side by side, which hides the latency of additions;
 * each is added up in the order of its features. */
#define SKXMR_CHAINS 4

SKXMR_INLINE double skxmr_add_rest(const skxmr_nodes *nodes, const double *query,
                                   int64_t first, int64_t stop, double margin,
                                   int is_wide) {
    for (int64_t i = first; i < stop; i++)
        margin += (double)nodes->weights[i] * query[skxmr_feature(nodes, i, is_wide)];
    return margin;
}

SKXMR_INLINE void skxmr_margins_of_some(const skxmr_nodes *nodes, const double *query,
                                        int64_t node, double *margins, int is_wide) {
    const int64_t *starts = nodes->offsets + node;
    int64_t shortest = starts[1] - starts[0];
    double sums[SKXMR_CHAINS];
    for (int c = 0; c < SKXMR_CHAINS; c++) {
        const int64_t size = starts[c + 1] - starts[c];
        if (size < shortest) shortest = size;
        sums[c] = nodes->intercepts[node + c];
    }
    for (int64_t i = 0; i < shortest; i++) {
        for (int c = 0; c < SKXMR_CHAINS; c++) {
            const int64_t entry = starts[c] + i;
            sums[c] += (double)nodes->weights[entry] *
                       query[skxmr_feature(nodes, entry, is_wide)];
        }
    }
    for (int c = 0; c < SKXMR_CHAINS; c++)
        margins[node + c] = skxmr_add_rest(nodes, query, starts[c] + shortest,
                                           starts[c + 1], sums[c], is_wide);
}

/* Margins of all nodes for one query. */
SKXMR_INLINE void skxmr_margins_of_one(const skxmr_nodes *nodes, const double *query,
                                       double *margins, int is_wide) {
    int64_t node = 0;
    for (; node + SKXMR_CHAINS <= nodes->n_nodes; node += SKXMR_CHAINS)
        skxmr_margins_of_some(nodes, query, node, margins, is_wide);
    for (; node < nodes->n_nodes; node++)
        margins[node] =
            skxmr_add_rest(nodes, query, nodes->offsets[node], nodes->offsets[node + 1],
                           nodes->intercepts[node], is_wide);
}

static void skxmr_margins_one(const skxmr_nodes *nodes, const double *query,
                              double *margins) {
    if (nodes->is_wide) skxmr_margins_of_one(nodes, query, margins, 1);
    else skxmr_margins_of_one(nodes, query, margins, 0);
}

#if defined(__GNUC__)
#define SKXMR_TARGET
#define SKXMR_WIDTH 2
#define SKXMR_NAME(name) name##_baseline
#include "products_body.h"

#if defined(__x86_64__)
#define SKXMR_TARGET __attribute__((target("avx2")))
#define SKXMR_WIDTH 4
#define SKXMR_NAME(name) name##_avx2
#include "products_body.h"

#define SKXMR_TARGET __attribute__((target("avx512f")))
#define SKXMR_WIDTH 8
#define SKXMR_NAME(name) name##_avx512
#include "products_body.h"
#endif

#else
static void skxmr_margins_baseline(const skxmr_nodes *nodes, const double *queries,
                                   double *margins) {
    for (int64_t node = 0; node < nodes->n_nodes; node++) {
        double *margin = margins + node * SKXMR_QUERIES;
        for (int lane = 0; lane < SKXMR_QUERIES; lane++)
            margin[lane] = nodes->intercepts[node];
        for (int64_t i = nodes->offsets[node]; i < nodes->offsets[node + 1]; i++) {
            const double *values =
                queries + skxmr_feature(nodes, i, nodes->is_wide) * SKXMR_QUERIES;
            for (int lane = 0; lane < SKXMR_QUERIES; lane++)
                margin[lane] += (double)nodes->weights[i] * values[lane];
        }
    }
}
#endif

/* Margins (n_nodes, SKXMR_QUERIES) for queries (n_features, SKXMR_QUERIES). */
static void skxmr_margins(const skxmr_nodes *nodes, const double *queries,
                          double *margins, int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) {
        skxmr_margins_avx512(nodes, queries, margins);
        return;
    }
    if (level == SKXMR_AVX2) {
        skxmr_margins_avx2(nodes, queries, margins);
        return;
    }
#endif
    (void)level;
    skxmr_margins_baseline(nodes, queries, margins);
}

#endif
