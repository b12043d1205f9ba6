/* One sweep of dual coordinate descent over the rows of one parent, for 32, 16, 8
 * or 4 children side by side, each in a lane of its own. Compiled for each level of SIMD
 * instructions; the level is chosen at run time.
 *
 * The lanes are held in a few values of the compilers' vector types, each at most as wide
 * as a register. Every machine does the same operations on every lane, so without fused
 * multiply-adds (-ffp-contract=off) the results are the same to the bit. Compilers
 * without vector types run the same steps lane by lane.
 */
#ifndef SKXMR_SWEEP_H
#define SKXMR_SWEEP_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "levels.h"
#include "training_rows.h"

/* What differs between the children of a block, with the lane as the last axis. */
typedef struct {
    const int32_t *order; /* (n_rows): the rows in the order of this sweep */
    /* (n_rows, lanes): > 0 positive, < 0 negative, 0 ignored. The magnitude is the upper
     * bound of the dual variable; for the squared hinge, which has none, the diagonal
     * term 1 / (2 cost). */
    const float *costs;
    float *duals;        /* (n_rows, lanes) */
    const float *priors; /* (n_rows, lanes): factors of the rows in the prior mean
                                 of the weights, or NULL where that is 0 */
    float *weights;      /* (n_features, lanes), or margins (all rows, lanes) */
    float intercepts[SKXMR_MAX_LANES];
    int32_t active[SKXMR_MAX_LANES]; /* -1 for a lane that is still trained, else 0 */
    float highest[SKXMR_MAX_LANES]; /* IN and OUT: largest violation of a lane so far */
    float lowest[SKXMR_MAX_LANES];  /* IN and OUT: smallest; no violation is one of 0 */
    float gain[SKXMR_MAX_LANES];    /* IN and OUT: sum of curvature * step^2: twice the
                                     decrease of the objective, but for steps that end at
                                     a bound */
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
static float skxmr_log_step(double norm, double unshared, float signed_cost,
                            float margin, float *dual, float *violation) {
    double cost = fabs(signed_cost), sign = signed_cost > 0 ? 1 : -1;
    double before = cost * skxmr_sigmoid(*dual);
    double signed_margin = sign * margin + unshared * before;
    double low = -signed_margin - norm * (cost - before);
    double high = -signed_margin + norm * before;
    double logit = fmin(fmax(*dual, low), high);
    *violation = (float)fabs(*dual + signed_margin);
    for (int i = 0; i < 50; i++) {
        double s = skxmr_sigmoid(logit);
        double value = norm * (cost * s - before) + signed_margin + logit;
        if (fabs(value) < 1e-7 * (1 + fabs(logit))) break;
        if (value > 0) high = logit;
        else low = logit;
        logit -= value / (1 + norm * cost * s * (1 - s));
        if (!(low < logit && logit < high)) logit = (low + high) / 2;
    }
    *dual = (float)logit;
    /* The stored value is rounded: step to the dual variable that it stands for. */
    return (float)((cost * skxmr_sigmoid(*dual) - before) * sign);
}

#if defined(__GNUC__)
/* Into the second-level cache: bursts of prefetches into the first are partly dropped. */
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

/* Visit every row once, in `state->order`. */
static void skxmr_sweep(const skxmr_rows *rows, skxmr_state *state, int lanes,
                        int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) {
        skxmr_sweep_avx512(rows, state, lanes);
        return;
    }
    if (level == SKXMR_AVX2) {
        skxmr_sweep_avx2(rows, state, lanes);
        return;
    }
#endif
    (void)level;
    skxmr_sweep_baseline(rows, state, lanes);
}

/* Compute the weights (width, lanes) of dense rows from their signed dual variables. */
static void skxmr_add_up(const skxmr_rows *rows, const float *duals, int lanes,
                         int level, float *weights) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) {
        skxmr_add_up_avx512(rows, duals, lanes, weights);
        return;
    }
    if (level == SKXMR_AVX2) {
        skxmr_add_up_avx2(rows, duals, lanes, weights);
        return;
    }
#endif
    (void)level;
    skxmr_add_up_baseline(rows, duals, lanes, weights);
}

/* Fill `gram` (n_rows, n_rows) with the products of all pairs of dense rows. */
static void skxmr_fill_gram(const skxmr_rows *rows, float *gram, int level) {
#if defined(__GNUC__) && defined(__x86_64__)
    if (level == SKXMR_AVX512) {
        skxmr_fill_gram_avx512_16(rows, gram);
        return;
    }
    if (level == SKXMR_AVX2) {
        skxmr_fill_gram_avx2_16(rows, gram);
        return;
    }
#endif
    (void)level;
#if defined(__GNUC__)
    skxmr_fill_gram_baseline_16(rows, gram);
#else
    skxmr_fill_gram_baseline(rows, gram);
#endif
}

#endif
