/* Included by sweep.h once for each level of instructions: no include guard.
 *
 * Needs SKXMR_TARGET, the attribute that turns the instructions on; SKXMR_WIDTH, the
 * floats of a register; and SKXMR_NAME, which gives names the level's suffix.
 */

#define FLOATS SKXMR_NAME(skxmr_floats)
#define LOOSE SKXMR_NAME(skxmr_loose_floats)
#define MASKS SKXMR_NAME(skxmr_masks)
#define PARTS (SKXMR_LANES / SKXMR_WIDTH)
#define EACH_PART for (int p = 0; p < PARTS; p++)

typedef float FLOATS __attribute__((vector_size(4 * SKXMR_WIDTH)));
typedef int32_t MASKS __attribute__((vector_size(4 * SKXMR_WIDTH)));
/* The same, wherever it lies in memory. */
typedef float LOOSE __attribute__((vector_size(4 * SKXMR_WIDTH), aligned(4), may_alias));

#define LOAD(pointer, p) (*(const LOOSE *)((pointer) + (p)*SKXMR_WIDTH))
#define STORE(pointer, p, part) (*(LOOSE *)((pointer) + (p)*SKXMR_WIDTH) = (part))
#define CHOOSE(mask, yes, no) \
    ((FLOATS)(((mask) & (MASKS)(yes)) | (~(mask) & (MASKS)(no))))

/* Exact minimum of one dual variable of each lane of a part, between 0 and its bound;
 * returns the steps of the weights. */
SKXMR_TARGET SKXMR_INLINE FLOATS SKXMR_NAME(skxmr_hinge_step)(
    FLOATS margin, FLOATS signed_cost, MASKS active, float norm, int is_squared,
    float *duals, FLOATS *highest, FLOATS *lowest) {
    const FLOATS zero = {0};
    const FLOATS one = zero + 1.0f;
    const FLOATS dual = LOAD(duals, 0);
    const MASKS right = signed_cost > zero;
    const MASKS moves = active & (right | (signed_cost < zero));
    const FLOATS cost = CHOOSE(right, signed_cost, -signed_cost);
    const FLOATS sign = CHOOSE(right, one, -one);
    FLOATS diagonal = zero, bound = cost;
    if (is_squared) {
        diagonal = 0.5f / CHOOSE(moves, cost, one);
        bound = zero + INFINITY;
    }
    const FLOATS gradient = sign * margin - one + diagonal * dual;
    const MASKS can_fall = dual > zero, can_rise = dual < bound, falls = gradient > zero;
    const MASKS violates = (falls & can_fall) | (~falls & can_rise);
    const FLOATS violation = CHOOSE(violates, gradient, zero);
    *highest = CHOOSE(moves & (violation > *highest), violation, *highest);
    *lowest = CHOOSE(moves & (violation < *lowest), violation, *lowest);
    FLOATS next = dual - gradient / (norm + diagonal);
    next = CHOOSE(next > zero, next, zero);
    next = CHOOSE(next < bound, next, bound);
    next = CHOOSE(moves, next, dual);
    STORE(duals, 0, next);
    return (next - dual) * sign;
}

/* The same for the logistic loss, lane by lane. */
SKXMR_TARGET SKXMR_INLINE FLOATS SKXMR_NAME(skxmr_log_steps)(
    FLOATS margin, FLOATS signed_cost, MASKS active, float norm, float *duals,
    FLOATS *highest) {
    FLOATS steps = {0};
    for (int lane = 0; lane < SKXMR_WIDTH; lane++) {
        float violation;
        if (!active[lane] || signed_cost[lane] == 0) continue;
        steps[lane] = skxmr_log_step(norm, signed_cost[lane], margin[lane],
                                     &duals[lane], &violation);
        if (violation > (*highest)[lane]) (*highest)[lane] = violation;
    }
    return steps;
}

SKXMR_TARGET SKXMR_INLINE int SKXMR_NAME(skxmr_any)(const FLOATS *parts) {
    const FLOATS zero = {0};
    MASKS any = parts[0] != zero;
    for (int p = 1; p < PARTS; p++) any |= parts[p] != zero;
    int32_t found = 0;
    for (int lane = 0; lane < SKXMR_WIDTH; lane++) found |= any[lane];
    return found != 0;
}

/* Ask for the memory of the next row. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_prefetch_row)(
    const skxmr_problem *problem, const skxmr_state *state, int64_t next, int is_dense) {
    const skxmr_row row = skxmr_row_of(problem, next, is_dense);
    SKXMR_PREFETCH(problem->costs + next * SKXMR_LANES);
    SKXMR_PREFETCH(state->duals + next * SKXMR_LANES);
    if (is_dense) {
        /* The weights of all features are in use all the time; the row is not. */
        for (int64_t entry = 0; entry < row.size; entry += 16)
            SKXMR_PREFETCH(row.values + entry);
    } else {
        for (int64_t entry = 0; entry < row.size; entry++)
            SKXMR_PREFETCH(state->weights + (int64_t)row.features[entry] * SKXMR_LANES);
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
        highest[p] = is_log_loss ? zero : zero - INFINITY;
        lowest[p] = is_log_loss ? zero : zero + INFINITY;
        for (int lane = 0; lane < SKXMR_WIDTH; lane++)
            active[p][lane] = state->active[p * SKXMR_WIDTH + lane];
    }
    for (int64_t i = 0; i < problem->n_rows; i++) {
        const int64_t row = state->order[i];
        const skxmr_row here = skxmr_row_of(problem, row, is_dense);
        /* Rows come in random order: ask for the next one now. */
        if (i + 1 < problem->n_rows)
            SKXMR_NAME(skxmr_prefetch_row)(problem, state, state->order[i + 1], is_dense);
        FLOATS margin[PARTS], step[PARTS];
        EACH_PART margin[p] = intercepts[p];
        for (int64_t entry = 0; entry < here.size; entry++) {
            const float *w = weights + (is_dense ? entry : here.features[entry]) * SKXMR_LANES;
            const float value = here.values[entry];
            EACH_PART margin[p] += value * LOAD(w, p);
        }
        /* A row without entries and intercept moves no weight: its dual goes to an end. */
        const float norm = fmaxf(problem->norms[row], 1e-12f);
        const float *costs = problem->costs + row * SKXMR_LANES;
        float *duals = state->duals + row * SKXMR_LANES;
        if (is_log_loss) {
            EACH_PART step[p] = SKXMR_NAME(skxmr_log_steps)(
                margin[p], LOAD(costs, p), active[p], norm, duals + p * SKXMR_WIDTH,
                &highest[p]);
        } else {
            EACH_PART step[p] = SKXMR_NAME(skxmr_hinge_step)(
                margin[p], LOAD(costs, p), active[p], norm, is_squared,
                duals + p * SKXMR_WIDTH, &highest[p], &lowest[p]);
        }
        /* Once a block has settled, most rows move no lane at all. */
        if (!SKXMR_NAME(skxmr_any)(step)) continue;
        for (int64_t entry = 0; entry < here.size; entry++) {
            float *w = weights + (is_dense ? entry : here.features[entry]) * SKXMR_LANES;
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
#undef CHOOSE
#undef SKXMR_TARGET
#undef SKXMR_WIDTH
#undef SKXMR_NAME
