/* One sweep of dual coordinate descent over the rows of one parent, for 32, 16, 8
 * or 4 children side by side, compiled for each level of vector instructions and chosen
 * at run time.
 *
 * The lanes are a few values of the compilers' vector types, each at most as wide as a
 * register. So every machine does the same operations on every lane, and without
 * fused multiply-adds (-ffp-contract=off) gets the same bits. Compilers without vector
 * types run the same steps lane by lane.
 */
#ifndef SKXMR_SWEEP_H
#define SKXMR_SWEEP_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "levels.h"

#define SKXMR_MAX_LANES 32

enum { SKXMR_SQUARED_HINGE = 0, SKXMR_HINGE = 1, SKXMR_LOG_LOSS = 2 };

/* The rows that the children of a block share, in CSR or dense. */
typedef struct {
    int64_t n_rows;
    const int64_t *offsets;   /* (n_rows + 1) */
    const int32_t *features;
    const float *values;
    const float *own;         /* (n_rows): squared norm of what no other row has */
    const float *dense;       /* (n_samples, width), or NULL: rows are in CSR */
    const int32_t *rows;      /* (n_rows): where among the samples */
    int64_t width;
    const float *gram;        /* (all rows, all rows): products of dense rows, or NULL;
                                 NULL for the logistic loss */
    int64_t n_gram;
    const float *norms;       /* (n_rows): squared, that of the constant included */
    int loss;
    float bias_square;        /* of the constant feature of the intercept; 0: none */
    int is_large;             /* weights and rows do not stay in a core's cache */
} skxmr_problem;

/* One row: `features` is NULL for a dense one, which has all. */
typedef struct {
    const int32_t *features;
    const float *values;
    int64_t size;
} skxmr_row;

SKXMR_INLINE skxmr_row skxmr_row_of(const skxmr_problem *problem, int64_t i,
                                    int is_dense) {
    skxmr_row row;
    if (is_dense) {
        row.features = NULL;
        row.values = problem->dense + problem->rows[i] * problem->width;
        row.size = problem->width;
    } else {
        row.features = problem->features + problem->offsets[i];
        row.values = problem->values + problem->offsets[i];
        row.size = problem->offsets[i + 1] - problem->offsets[i];
    }
    return row;
}

/* The lanes of a block: what differs by child, with the lane last. */
typedef struct {
    const int32_t *order;     /* (n_rows): the rows in the order of this sweep */
    /* (n_rows, lanes): > 0 right, < 0 wrong, 0 ignored. The magnitude is the upper
     * bound of the dual variable; for the squared hinge, which has none, the diagonal
     * term 1 / (2 cost). */
    const float *costs;
    float *duals;             /* (n_rows, lanes) */
    const float *priors;      /* (n_rows, lanes): factors of the rows in the prior mean
                                 of the weights, or NULL where that is 0 */
    float *weights;           /* (n_features, lanes), or margins (all rows, lanes) */
    float intercepts[SKXMR_MAX_LANES];
    int32_t active[SKXMR_MAX_LANES];  /* -1 for a lane that still moves, 0 for one at rest */
    float highest[SKXMR_MAX_LANES];   /* IN and OUT: largest violation of a lane so far */
    float lowest[SKXMR_MAX_LANES];    /* IN and OUT: smallest; no violation is one of 0 */
    float gain[SKXMR_MAX_LANES];      /* IN and OUT: sum of curvature * step^2, which is twice
                                     what the steps lower the objective by, unless they end
                                     at a bound */
} skxmr_state;

static double skxmr_sigmoid(double x) {
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* The step of one lane on one row for the logistic loss.
 *
 * The dual variable is cost * sigmoid(u); stored is u. With b the signed margin and
 * a0 the dual variable before, the minimum is where
 * f(u) = norm * (cost * sigmoid(u) - a0) + b + u is 0. The slope of f lies between 1
 * and 1 + norm * cost / 4 and the root between the ends below, so Newton's method
 * needs a few steps; one that leaves the bracket is bisected.
 */
static float skxmr_log_step(double norm, double own, float signed_cost, float margin,
                            float *dual, float *violation) {
    double cost = fabs(signed_cost), sign = signed_cost > 0 ? 1 : -1;
    double before = cost * skxmr_sigmoid(*dual);
    double signed_margin = sign * margin + own * before;
    double low = -signed_margin - norm * (cost - before);
    double high = -signed_margin + norm * before;
    double logit = fmin(fmax(*dual, low), high);
    *violation = (float)fabs(*dual + signed_margin);
    for (int i = 0; i < 50; i++) {
        double s = skxmr_sigmoid(logit);
        double value = norm * (cost * s - before) + signed_margin + logit;
        if (fabs(value) < 1e-7 * (1 + fabs(logit))) break;
        if (value > 0) high = logit; else low = logit;
        logit -= value / (1 + norm * cost * s * (1 - s));
        if (!(low < logit && logit < high)) logit = (low + high) / 2;
    }
    *dual = (float)logit;
    /* What is stored is rounded: step to the dual variable that is stored. */
    return (float)((cost * skxmr_sigmoid(*dual) - before) * sign);
}

#if defined(__GNUC__)
/* Into the second cache: processors drop a part of what comes in bursts for the first. */
#define SKXMR_PREFETCH(address) __builtin_prefetch(address, 0, 2)
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define SKXMR_TARGET
#define SKXMR_REGISTER 4
#define SKXMR_LEVEL baseline
#include "sweep_level.h"

#if defined(__x86_64__)
#define SKXMR_TARGET __attribute__((target("avx2")))
#define SKXMR_REGISTER 8
#define SKXMR_LEVEL avx2
#include "sweep_level.h"

#define SKXMR_TARGET __attribute__((target("avx512f")))
#define SKXMR_REGISTER 16
#define SKXMR_LEVEL avx512
#include "sweep_level.h"
#endif

#else
#include "sweep_scalar.h"
#endif

/* Visit every row once, for that many lanes, with at most that level of instructions. */
static void skxmr_sweep(const skxmr_problem *problem, skxmr_state *state, int lanes,
                        int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) { skxmr_sweep_avx512(problem, state, lanes); return; }
    if (level == SKXMR_AVX2) { skxmr_sweep_avx2(problem, state, lanes); return; }
#endif
    (void)level;
    skxmr_sweep_baseline(problem, state, lanes);
}

/* Add up the weights (width, lanes) of dense rows from their signed dual variables. */
static void skxmr_add_up(const skxmr_problem *problem, const float *duals, int lanes,
                         int level, float *weights) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) {
        skxmr_add_up_avx512(problem, duals, lanes, weights);
        return;
    }
    if (level == SKXMR_AVX2) {
        skxmr_add_up_avx2(problem, duals, lanes, weights);
        return;
    }
#endif
    (void)level;
    skxmr_add_up_baseline(problem, duals, lanes, weights);
}

/* Products of all pairs of the rows of a dense problem. */
static void skxmr_fill_gram(const skxmr_problem *problem, float *gram, int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) { skxmr_fill_gram_avx512_16(problem, gram); return; }
    if (level == SKXMR_AVX2) { skxmr_fill_gram_avx2_16(problem, gram); return; }
#endif
    (void)level;
#if defined(__GNUC__)
    skxmr_fill_gram_baseline_16(problem, gram);
#else
    skxmr_fill_gram_baseline(problem, gram);
#endif
}

#endif
