/* Included by sweep_level.h for each number of lanes: no include guard.
 *
 * Needs SKXMR_TARGET; SKXMR_STRIDE, the number of lanes; SKXMR_WIDTH, the floats of the
 * registers to use; and SKXMR_NAME, which gives names a suffix of their own.
 */

#define FLOATS SKXMR_NAME(skxmr_floats)
#define LOOSE SKXMR_NAME(skxmr_loose_floats)
#define MASKS SKXMR_NAME(skxmr_masks)
#define PARTS (SKXMR_STRIDE / SKXMR_WIDTH)
#define EACH_PART for (int p = 0; p < PARTS; p++)

typedef float FLOATS __attribute__((vector_size(4 * SKXMR_WIDTH)));
typedef int32_t MASKS __attribute__((vector_size(4 * SKXMR_WIDTH)));
/* The same, wherever it lies in memory. */
typedef float LOOSE __attribute__((vector_size(4 * SKXMR_WIDTH), aligned(4), may_alias));

#define LOAD(pointer, p) (*(const LOOSE *)((pointer) + (p)*SKXMR_WIDTH))
#define STORE(pointer, p, part) (*(LOOSE *)((pointer) + (p)*SKXMR_WIDTH) = (part))
#define MASKED(mask, part) ((FLOATS)((mask) & (MASKS)(part)))
#define CHOOSE(mask, yes, no) \
    ((FLOATS)(((mask) & (MASKS)(yes)) | (~(mask) & (MASKS)(no))))

/* a > b ? a : b and a < b ? a : b, which is what the instructions do. */
#if defined(__x86_64__) && SKXMR_WIDTH == 16
#define GREATER(a, b) ((FLOATS)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define SMALLER(a, b) ((FLOATS)_mm512_min_ps((__m512)(a), (__m512)(b)))
#elif defined(__x86_64__) && SKXMR_WIDTH == 8
#define GREATER(a, b) ((FLOATS)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SMALLER(a, b) ((FLOATS)_mm256_min_ps((__m256)(a), (__m256)(b)))
#elif defined(__x86_64__)
#define GREATER(a, b) ((FLOATS)_mm_max_ps((__m128)(a), (__m128)(b)))
#define SMALLER(a, b) ((FLOATS)_mm_min_ps((__m128)(a), (__m128)(b)))
#else
#define GREATER(a, b) CHOOSE((a) > (b), a, b)
#define SMALLER(a, b) CHOOSE((a) < (b), a, b)
#endif

/* Exact minimum of one dual variable of each lane of a part, between 0 and its bound;
 * returns the steps of the weights. */
SKXMR_TARGET SKXMR_INLINE FLOATS SKXMR_NAME(skxmr_hinge_step)(
    FLOATS margin, FLOATS signed_cost, MASKS active, float norm, float own,
    int is_squared, float *duals, FLOATS *highest, FLOATS *lowest) {
    const FLOATS zero = {0};
    const FLOATS dual = LOAD(duals, 0);
    const MASKS moves = active & (signed_cost != zero);
    const MASKS sign = (MASKS)signed_cost & (MASKS)-zero;
    const FLOATS cost = (FLOATS)((MASKS)signed_cost ^ sign);
    FLOATS gradient = (FLOATS)((MASKS)margin ^ sign) - 1.0f + own * dual;
    FLOATS violation, next;
    if (is_squared) {
        gradient += cost * dual;
        violation = CHOOSE(dual > zero, gradient, SMALLER(gradient, zero));
        next = GREATER(dual - gradient / (norm + cost), zero);
    } else {
        violation = CHOOSE(dual > zero, gradient, SMALLER(gradient, zero));
        violation = CHOOSE(dual < cost, violation, GREATER(violation, zero));
        next = SMALLER(GREATER(dual - gradient / norm, zero), cost);
    }
    violation = MASKED(moves, violation);
    *highest = GREATER(*highest, violation);
    *lowest = SMALLER(*lowest, violation);
    STORE(duals, 0, CHOOSE(moves, next, dual));
    return (FLOATS)((moves & (MASKS)(next - dual)) ^ (moves & sign));
}

/* The same for the logistic loss, lane by lane. */
SKXMR_TARGET SKXMR_INLINE FLOATS SKXMR_NAME(skxmr_log_steps)(
    FLOATS margin, FLOATS signed_cost, MASKS active, float norm, float own,
    float *duals, FLOATS *highest) {
    FLOATS steps = {0};
    for (int lane = 0; lane < SKXMR_WIDTH; lane++) {
        float violation;
        if (!active[lane] || signed_cost[lane] == 0) continue;
        steps[lane] = skxmr_log_step(norm, own, signed_cost[lane], margin[lane],
                                     &duals[lane], &violation);
        if (violation > (*highest)[lane]) (*highest)[lane] = violation;
    }
    return steps;
}

SKXMR_TARGET SKXMR_INLINE int SKXMR_NAME(skxmr_any)(const FLOATS *parts) {
    const FLOATS zero = {0};
    MASKS any = parts[0] != zero;
    for (int p = 1; p < PARTS; p++) any |= parts[p] != zero;
#if defined(__x86_64__) && SKXMR_WIDTH == 8
    return _mm256_movemask_ps((__m256)any);
#elif defined(__x86_64__) && SKXMR_WIDTH == 4
    return _mm_movemask_ps((__m128)any);
#else
    int32_t found = 0;
    for (int lane = 0; lane < SKXMR_WIDTH; lane++) found |= any[lane];
    return found != 0;
#endif
}

/* Ask for a row's own memory. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_prefetch_row)(
    const skxmr_problem *problem, const skxmr_state *state, int64_t next, int is_dense) {
    const skxmr_row row = skxmr_row_of(problem, next, is_dense);
    SKXMR_PREFETCH(problem->norms + next);
    SKXMR_PREFETCH(state->costs + next * SKXMR_STRIDE);
    SKXMR_PREFETCH(state->duals + next * SKXMR_STRIDE);
    for (int64_t entry = 0; entry < row.size; entry += 16) {
        SKXMR_PREFETCH(row.values + entry);
        if (!is_dense) SKXMR_PREFETCH(row.features + entry);
    }
    if (!is_dense) {
        SKXMR_PREFETCH(problem->own + next);
        SKXMR_PREFETCH(row.values + row.size);
        SKXMR_PREFETCH(row.features + row.size);
    }
}

/* Ask for the weights that a row reads; its features should be here by now. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_prefetch_weights)(
    const skxmr_problem *problem, const skxmr_state *state, int64_t next) {
    const skxmr_row row = skxmr_row_of(problem, next, 0);
    for (int64_t entry = 0; entry < row.size; entry++)
        SKXMR_PREFETCH(state->weights + (int64_t)row.features[entry] * SKXMR_STRIDE);
}

/* Rows come in random order: ask for the next ones early enough. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_prefetch)(
    const skxmr_problem *problem, const skxmr_state *state, int64_t i, int is_dense) {
    const int64_t n_rows = problem->n_rows;
    const int32_t *order = state->order;
    if (is_dense) {
        /* The weights of all features are in use all the time; the row is not. */
        if (i + 1 < n_rows)
            SKXMR_NAME(skxmr_prefetch_row)(problem, state, order[i + 1], 1);
    } else if (problem->is_large) {
        if (i + 12 < n_rows) SKXMR_PREFETCH(problem->offsets + order[i + 12]);
        if (i + 8 < n_rows)
            SKXMR_NAME(skxmr_prefetch_row)(problem, state, order[i + 8], 0);
        if (i + 2 < n_rows)
            SKXMR_NAME(skxmr_prefetch_weights)(problem, state, order[i + 2]);
    }
}

SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_sweep_rows)(
    const skxmr_problem *problem, skxmr_state *state, int is_dense) {
    float *weights = state->weights;
    const int is_log_loss = problem->loss == SKXMR_LOG_LOSS;
    const int is_squared = problem->loss == SKXMR_SQUARED_HINGE;
    const FLOATS zero = {0};
    FLOATS intercepts[PARTS], highest[PARTS], lowest[PARTS];
    MASKS active[PARTS];
    EACH_PART {
        intercepts[p] = LOAD(state->intercepts, p);
        highest[p] = LOAD(state->highest, p);
        lowest[p] = LOAD(state->lowest, p);
        for (int lane = 0; lane < SKXMR_WIDTH; lane++)
            active[p][lane] = state->active[p * SKXMR_WIDTH + lane];
    }
    for (int64_t i = 0; i < problem->n_rows; i++) {
        const int64_t row = state->order[i];
        const skxmr_row here = skxmr_row_of(problem, row, is_dense);
        SKXMR_NAME(skxmr_prefetch)(problem, state, i, is_dense);
        /* Two sums, so that an addition need not wait for the one before; the
         * intercept last, so that they need not wait for the row before. */
        FLOATS margin[PARTS], odd[PARTS], step[PARTS];
        EACH_PART margin[p] = odd[p] = zero;
        int64_t entry = 0;
        for (; entry + 1 < here.size; entry += 2) {
            const float *w = weights + (is_dense ? entry : here.features[entry]) * SKXMR_STRIDE;
            const float *v = weights + (is_dense ? entry + 1 : here.features[entry + 1]) * SKXMR_STRIDE;
            EACH_PART margin[p] += here.values[entry] * LOAD(w, p);
            EACH_PART odd[p] += here.values[entry + 1] * LOAD(v, p);
        }
        if (entry < here.size) {
            const float *w = weights + (is_dense ? entry : here.features[entry]) * SKXMR_STRIDE;
            EACH_PART margin[p] += here.values[entry] * LOAD(w, p);
        }
        EACH_PART margin[p] = (margin[p] + odd[p]) + intercepts[p];
        /* A row without entries and intercept moves no weight: its dual goes to an end. */
        const float norm = fmaxf(problem->norms[row], 1e-12f);
        const float own = is_dense ? 0.0f : problem->own[row];
        const float *costs = state->costs + row * SKXMR_STRIDE;
        float *duals = state->duals + row * SKXMR_STRIDE;
        if (is_log_loss) {
            EACH_PART step[p] = SKXMR_NAME(skxmr_log_steps)(
                margin[p], LOAD(costs, p), active[p], norm, own,
                duals + p * SKXMR_WIDTH, &highest[p]);
        } else {
            EACH_PART step[p] = SKXMR_NAME(skxmr_hinge_step)(
                margin[p], LOAD(costs, p), active[p], norm, own, is_squared,
                duals + p * SKXMR_WIDTH, &highest[p], &lowest[p]);
        }
        /* Once a block has settled, most rows move no lane at all. */
        if (!SKXMR_NAME(skxmr_any)(step)) continue;
        for (entry = 0; entry < here.size; entry++) {
            float *w = weights + (is_dense ? entry : here.features[entry]) * SKXMR_STRIDE;
            const float value = here.values[entry];
            EACH_PART STORE(w, p, LOAD(w, p) + value * step[p]);
        }
        if (problem->fit_intercept) EACH_PART intercepts[p] += step[p];
    }
    EACH_PART {
        STORE(state->intercepts, p, intercepts[p]);
        STORE(state->highest, p, highest[p]);
        STORE(state->lowest, p, lowest[p]);
    }
}

SKXMR_TARGET static void SKXMR_NAME(skxmr_sweep)(const skxmr_problem *problem,
                                                skxmr_state *state) {
    if (problem->dense) SKXMR_NAME(skxmr_sweep_rows)(problem, state, 1);
    else SKXMR_NAME(skxmr_sweep_rows)(problem, state, 0);
}

#undef FLOATS
#undef LOOSE
#undef MASKS
#undef PARTS
#undef EACH_PART
#undef LOAD
#undef STORE
#undef MASKED
#undef CHOOSE
#undef GREATER
#undef SMALLER
#undef SKXMR_STRIDE
#undef SKXMR_WIDTH
