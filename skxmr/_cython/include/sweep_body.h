/* Included by sweep_level.h for each number of lanes: no include guard.
 *
 * Needs SKXMR_TARGET; SKXMR_STRIDE, the number of lanes; SKXMR_WIDTH, the number of floats
 * in a register; and SKXMR_NAME, which adds a suffix to names.
 */

#define FLOATS SKXMR_NAME(skxmr_floats)
#define LOOSE SKXMR_NAME(skxmr_loose_floats)
#define MASKS SKXMR_NAME(skxmr_masks)
#define PARTS (SKXMR_STRIDE / SKXMR_WIDTH)
#define EACH_PART for (int p = 0; p < PARTS; p++)

typedef float FLOATS __attribute__((vector_size(4 * SKXMR_WIDTH)));
typedef int32_t MASKS __attribute__((vector_size(4 * SKXMR_WIDTH)));
/* The same without alignment. */
typedef float LOOSE
    __attribute__((vector_size(4 * SKXMR_WIDTH), aligned(4), may_alias));

#define LOAD(pointer, p) (*(const LOOSE *)((pointer) + (p) * SKXMR_WIDTH))
#define STORE(pointer, p, part) (*(LOOSE *)((pointer) + (p) * SKXMR_WIDTH) = (part))
#define MASKED(mask, part) ((FLOATS)((mask) & (MASKS)(part)))
#define CHOOSE(mask, yes, no) \
    ((FLOATS)(((mask) & (MASKS)(yes)) | (~(mask) & (MASKS)(no))))

/* a > b ? a : b and a < b ? a : b: b where either is NaN, as the instructions give. */
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
    FLOATS margin, FLOATS signed_cost, MASKS active, float norm, float unshared,
    int is_squared, float *duals, FLOATS *highest, FLOATS *lowest, FLOATS *gain) {
    const FLOATS zero = {0};
    const FLOATS dual = LOAD(duals, 0);
    const MASKS moves = active & (signed_cost != zero);
    const MASKS sign = (MASKS)signed_cost & (MASKS)-zero;
    const FLOATS cost = (FLOATS)((MASKS)signed_cost ^ sign);
    FLOATS gradient = (FLOATS)((MASKS)margin ^ sign) - 1.0f + unshared * dual;
    FLOATS violation, next, step, curvature = zero + norm;
    if (is_squared) {
        gradient += cost * dual;
        curvature += cost;
        violation = CHOOSE(dual > zero, gradient, SMALLER(gradient, zero));
        next = GREATER(dual - gradient / curvature, zero);
    } else {
        violation = CHOOSE(dual > zero, gradient, SMALLER(gradient, zero));
        violation = CHOOSE(dual < cost, violation, GREATER(violation, zero));
        next = SMALLER(GREATER(dual - gradient / norm, zero), cost);
    }
    violation = MASKED(moves, violation);
    *highest = GREATER(*highest, violation);
    *lowest = SMALLER(*lowest, violation);
    STORE(duals, 0, CHOOSE(moves, next, dual));
    step = MASKED(moves, next - dual);
    *gain += curvature * step * step;
    return (FLOATS)((MASKS)step ^ (moves & sign));
}

/* The same for the logistic loss, lane by lane. */
SKXMR_TARGET SKXMR_INLINE FLOATS SKXMR_NAME(skxmr_log_steps)(
    FLOATS margin, FLOATS signed_cost, MASKS active, float norm, float unshared,
    float *duals, FLOATS *highest, FLOATS *gain) {
    FLOATS steps = {0};
    for (int lane = 0; lane < SKXMR_WIDTH; lane++) {
        float violation;
        if (!active[lane] || signed_cost[lane] == 0) continue;
        steps[lane] = skxmr_log_step(norm, unshared, signed_cost[lane], margin[lane],
                                     &duals[lane], &violation);
        if (violation > (*highest)[lane]) (*highest)[lane] = violation;
    }
    *gain += norm * steps * steps;
    return steps;
}

SKXMR_TARGET SKXMR_INLINE int SKXMR_NAME(skxmr_any)(const FLOATS *parts) {
    const FLOATS zero = {0};
    MASKS any = parts[0] != zero;
    for (int p = 1; p < PARTS; p++) any |= parts[p] != zero;
#if defined(__x86_64__) && SKXMR_WIDTH == 16
    return _mm512_test_epi32_mask((__m512i)any, (__m512i)any);
#elif defined(__x86_64__) && SKXMR_WIDTH == 8
    return _mm256_movemask_ps((__m256)any);
#elif defined(__x86_64__) && SKXMR_WIDTH == 4
    return _mm_movemask_ps((__m128)any);
#else
    int32_t found = 0;
    for (int lane = 0; lane < SKXMR_WIDTH; lane++) found |= any[lane];
    return found != 0;
#endif
}

/* Prefetch a row, its costs and its dual variables. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_prefetch_row)(const skxmr_rows *rows,
                                                              const skxmr_state *state,
                                                              int64_t next,
                                                              int is_dense) {
    const skxmr_row row = skxmr_row_of(rows, next, is_dense);
    SKXMR_PREFETCH(rows->norms + next);
    for (int lane = 0; lane < SKXMR_STRIDE; lane += 16) {
        SKXMR_PREFETCH(state->costs + next * SKXMR_STRIDE + lane);
        SKXMR_PREFETCH(state->duals + next * SKXMR_STRIDE + lane);
    }
    for (int64_t entry = 0; entry < row.size; entry += 16) {
        SKXMR_PREFETCH(row.values + entry);
        if (!is_dense) SKXMR_PREFETCH(row.features + entry);
    }
    if (!is_dense) {
        SKXMR_PREFETCH(rows->unshared + next);
        SKXMR_PREFETCH(row.values + row.size);
        SKXMR_PREFETCH(row.features + row.size);
    }
}

/* Prefetch the weights that a row reads; its features are in the cache by now. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_prefetch_weights)(
    const skxmr_rows *rows, const skxmr_state *state, int64_t next) {
    const skxmr_row row = skxmr_row_of(rows, next, 0);
    for (int64_t entry = 0; entry < row.size; entry++)
        for (int lane = 0; lane < SKXMR_STRIDE; lane += 16)
            SKXMR_PREFETCH(state->weights +
                           (int64_t)row.features[entry] * SKXMR_STRIDE + lane);
}

/* Rows are visited in random order, which hardware prefetchers cannot follow. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_prefetch)(const skxmr_rows *rows,
                                                          const skxmr_state *state,
                                                          int64_t i) {
    const int64_t n_rows = rows->n_rows;
    const int32_t *order = state->order;
    if (i + 12 < n_rows) SKXMR_PREFETCH(rows->offsets + order[i + 12]);
    if (i + 8 < n_rows) SKXMR_NAME(skxmr_prefetch_row)(rows, state, order[i + 8], 0);
    if (i + 2 < n_rows) SKXMR_NAME(skxmr_prefetch_weights)(rows, state, order[i + 2]);
}

/* What every row changes: kept in registers during a sweep. */
typedef struct {
    FLOATS intercepts[PARTS], highest[PARTS], lowest[PARTS], gain[PARTS];
    MASKS active[PARTS];
} SKXMR_NAME(skxmr_moving);

SKXMR_TARGET SKXMR_INLINE SKXMR_NAME(skxmr_moving)
    SKXMR_NAME(skxmr_load)(const skxmr_state *state) {
    SKXMR_NAME(skxmr_moving) moving;
    EACH_PART {
        moving.intercepts[p] = LOAD(state->intercepts, p);
        moving.highest[p] = LOAD(state->highest, p);
        moving.lowest[p] = LOAD(state->lowest, p);
        moving.gain[p] = LOAD(state->gain, p);
        for (int lane = 0; lane < SKXMR_WIDTH; lane++)
            moving.active[p][lane] = state->active[p * SKXMR_WIDTH + lane];
    }
    return moving;
}

SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_store)(skxmr_state *state,
                                                       const SKXMR_NAME(skxmr_moving) *
                                                           moving) {
    EACH_PART {
        STORE(state->intercepts, p, moving->intercepts[p]);
        STORE(state->highest, p, moving->highest[p]);
        STORE(state->lowest, p, moving->lowest[p]);
        STORE(state->gain, p, moving->gain[p]);
    }
}

/* Update the dual variables of a row; return whether any has changed. `margin` is without
 * the intercept. */
SKXMR_TARGET SKXMR_INLINE int SKXMR_NAME(skxmr_step)(
    const skxmr_rows *rows, const skxmr_state *state, int64_t row, int is_dense,
    int is_log_loss, const FLOATS *margin, SKXMR_NAME(skxmr_moving) * moving,
    FLOATS *step) {
    /* Without entries and intercept the norm is 0: the dual variable goes to a bound. */
    const float norm = fmaxf(rows->norms[row], 1e-30f);
    const float unshared = is_dense ? 0.0f : rows->unshared[row];
    const int is_squared = rows->loss == SKXMR_SQUARED_HINGE;
    const float *costs = state->costs + row * SKXMR_STRIDE;
    float *duals = state->duals + row * SKXMR_STRIDE;
    const float *priors = state->priors ? state->priors + row * SKXMR_STRIDE : NULL;
    EACH_PART {
        FLOATS whole = margin[p] + moving->intercepts[p];
        if (priors) whole += unshared * LOAD(priors, p);
        if (is_log_loss)
            step[p] = SKXMR_NAME(skxmr_log_steps)(
                whole, LOAD(costs, p), moving->active[p], norm, unshared,
                duals + p * SKXMR_WIDTH, &moving->highest[p], &moving->gain[p]);
        else
            step[p] = SKXMR_NAME(skxmr_hinge_step)(
                whole, LOAD(costs, p), moving->active[p], norm, unshared, is_squared,
                duals + p * SKXMR_WIDTH, &moving->highest[p], &moving->lowest[p],
                &moving->gain[p]);
    }
    if (rows->bias_square != 0)
        EACH_PART moving->intercepts[p] += rows->bias_square * step[p];
    /* Near convergence most rows change no lane at all. */
    return SKXMR_NAME(skxmr_any)(step);
}

SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_sweep_sparse)(const skxmr_rows *rows,
                                                              skxmr_state *state,
                                                              int is_log_loss) {
    float *weights = state->weights;
    const FLOATS zero = {0};
    SKXMR_NAME(skxmr_moving) moving = SKXMR_NAME(skxmr_load)(state);
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const int64_t row = state->order[i];
        const skxmr_row here = skxmr_row_of(rows, row, 0);
        if (rows->is_large) SKXMR_NAME(skxmr_prefetch)(rows, state, i);
        /* Two sums halve the latency of dependent additions. The intercept is added last,
         * so that the sums do not depend on the row before. */
        FLOATS margin[PARTS], odd[PARTS], step[PARTS];
        EACH_PART margin[p] = odd[p] = zero;
        int64_t entry = 0;
        for (; entry + 1 < here.size; entry += 2) {
            const float *w = weights + (int64_t)here.features[entry] * SKXMR_STRIDE;
            const float *v = weights + (int64_t)here.features[entry + 1] * SKXMR_STRIDE;
            EACH_PART margin[p] += here.values[entry] * LOAD(w, p);
            EACH_PART odd[p] += here.values[entry + 1] * LOAD(v, p);
        }
        if (entry < here.size) {
            const float *w = weights + (int64_t)here.features[entry] * SKXMR_STRIDE;
            EACH_PART margin[p] += here.values[entry] * LOAD(w, p);
        }
        EACH_PART margin[p] += odd[p];
        if (!SKXMR_NAME(skxmr_step)(rows, state, row, 0, is_log_loss, margin, &moving,
                                    step))
            continue;
        for (entry = 0; entry < here.size; entry++) {
            float *w = weights + (int64_t)here.features[entry] * SKXMR_STRIDE;
            const float value = here.values[entry];
            EACH_PART STORE(w, p, LOAD(w, p) + value * step[p]);
        }
    }
    SKXMR_NAME(skxmr_store)(state, &moving);
}

/* Products of a dense row with `n` others, a constant at compile time. Each has 16 partial
 * sums whatever the width of registers, which are then added pairwise. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_products)(const float *one,
                                                          const float *const *others,
                                                          int n, int64_t size,
                                                          float *products) {
    FLOATS parts[4][16 / SKXMR_WIDTH];
    int64_t whole = size / 16 * 16;
    for (int row = 0; row < n; row++)
        for (int p = 0; p < 16 / SKXMR_WIDTH; p++) parts[row][p] = (FLOATS){0};
    for (int64_t entry = 0; entry < whole; entry += 16)
        for (int row = 0; row < n; row++)
            for (int p = 0; p < 16 / SKXMR_WIDTH; p++)
                parts[row][p] += LOAD(one + entry, p) * LOAD(others[row] + entry, p);
    for (int row = 0; row < n; row++) {
        float sums[16];
        for (int p = 0; p < 16 / SKXMR_WIDTH; p++) STORE(sums, p, parts[row][p]);
        for (int64_t entry = whole; entry < size; entry++)
            sums[entry - whole] += one[entry] * others[row][entry];
        for (int half = 8; half; half /= 2)
            for (int i = 0; i < half; i++) sums[i] += sums[i + half];
        products[row] = sums[0];
    }
}

SKXMR_TARGET SKXMR_INLINE float SKXMR_NAME(skxmr_product)(const float *one,
                                                          const float *other,
                                                          int64_t size) {
    float product;
    SKXMR_NAME(skxmr_products)(one, &other, 1, size, &product);
    return product;
}

/* Margins of two dense rows, each weight read once; `other` may be `one`. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_dense_margins)(
    const float *weights, const float *one, const float *other, int64_t size,
    FLOATS *margin, FLOATS *next_margin) {
    FLOATS odd[PARTS], next_odd[PARTS];
    int64_t entry = 0;
    EACH_PART margin[p] = odd[p] = next_margin[p] = next_odd[p] = (FLOATS){0};
    for (; entry + 1 < size; entry += 2) {
        const float *w = weights + entry * SKXMR_STRIDE, *v = w + SKXMR_STRIDE;
        EACH_PART {
            const FLOATS even_weights = LOAD(w, p), odd_weights = LOAD(v, p);
            margin[p] += one[entry] * even_weights;
            next_margin[p] += other[entry] * even_weights;
            odd[p] += one[entry + 1] * odd_weights;
            next_odd[p] += other[entry + 1] * odd_weights;
        }
    }
    if (entry < size) {
        const float *w = weights + entry * SKXMR_STRIDE;
        EACH_PART margin[p] += one[entry] * LOAD(w, p);
        EACH_PART next_margin[p] += other[entry] * LOAD(w, p);
    }
    EACH_PART margin[p] += odd[p];
    EACH_PART next_margin[p] += next_odd[p];
}

/* Two rows at a time, so that all weights are read and written half as often. The margin
 * of the second row is computed before the step of the first, and then corrected by
 * that step times the product of the rows. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_sweep_dense)(const skxmr_rows *rows,
                                                             skxmr_state *state,
                                                             int is_log_loss) {
    float *weights = state->weights;
    const int64_t size = rows->width;
    SKXMR_NAME(skxmr_moving) moving = SKXMR_NAME(skxmr_load)(state);
    for (int64_t i = 0; i < rows->n_rows; i += 2) {
        const int is_pair = i + 1 < rows->n_rows;
        const int64_t row = state->order[i], next = state->order[i + is_pair];
        const float *one = skxmr_row_of(rows, row, 1).values;
        const float *other = skxmr_row_of(rows, next, 1).values;
        FLOATS margin[PARTS], next_margin[PARTS], step[PARTS], next_step[PARTS];
        EACH_PART next_step[p] = (FLOATS){0};
        int has_moved, has_next_moved = 0;
        /* The weights stay in the cache; the rows do not. */
        for (int64_t ahead = i + 2; ahead < i + 4 && ahead < rows->n_rows; ahead++)
            SKXMR_NAME(skxmr_prefetch_row)(rows, state, state->order[ahead], 1);
        SKXMR_NAME(skxmr_dense_margins)(weights, one, other, size, margin, next_margin);
        has_moved = SKXMR_NAME(skxmr_step)(rows, state, row, 1, is_log_loss, margin,
                                           &moving, step);
        if (is_pair) {
            if (has_moved) {
                const float product = SKXMR_NAME(skxmr_product)(one, other, size);
                EACH_PART next_margin[p] += product * step[p];
            }
            has_next_moved = SKXMR_NAME(skxmr_step)(rows, state, next, 1, is_log_loss,
                                                    next_margin, &moving, next_step);
        }
        if (has_moved && has_next_moved) {
            for (int64_t entry = 0; entry < size; entry++) {
                float *w = weights + entry * SKXMR_STRIDE;
                EACH_PART STORE(w, p,
                                (LOAD(w, p) + one[entry] * step[p]) +
                                    other[entry] * next_step[p]);
            }
        } else if (has_moved || has_next_moved) {
            const float *values = has_moved ? one : other;
            EACH_PART step[p] = has_moved ? step[p] : next_step[p];
            for (int64_t entry = 0; entry < size; entry++) {
                float *w = weights + entry * SKXMR_STRIDE;
                EACH_PART STORE(w, p, LOAD(w, p) + values[entry] * step[p]);
            }
        }
    }
    SKXMR_NAME(skxmr_store)(state, &moving);
}

/* The same where the products of all pairs of rows are known: the margins of all rows are
 * kept up to date in place of the weights. A row without a step costs next to nothing.
 * Not for the logistic loss, whose weights would suffer too much from rounding. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_sweep_gram)(const skxmr_rows *rows,
                                                            skxmr_state *state) {
    const int64_t size = rows->n_gram;
    SKXMR_NAME(skxmr_moving) moving = SKXMR_NAME(skxmr_load)(state);
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const int64_t row = state->order[i];
        const float *products = rows->gram + row * size;
        FLOATS margin[PARTS], step[PARTS];
        EACH_PART margin[p] = LOAD(state->weights + row * SKXMR_STRIDE, p);
        if (!SKXMR_NAME(skxmr_step)(rows, state, row, 1, 0, margin, &moving, step))
            continue;
        for (int64_t other = 0; other < size; other++) {
            float *margins = state->weights + other * SKXMR_STRIDE;
            EACH_PART STORE(margins, p, LOAD(margins, p) + products[other] * step[p]);
        }
    }
    SKXMR_NAME(skxmr_store)(state, &moving);
}

/* Compute the weights of `n` features from `first` on from signed dual variables. */
SKXMR_TARGET SKXMR_INLINE void SKXMR_NAME(skxmr_add_up_some)(const skxmr_rows *rows,
                                                             const float *duals,
                                                             int64_t first, int n,
                                                             float *weights) {
    FLOATS sums[4][PARTS];
    for (int f = 0; f < n; f++) EACH_PART sums[f][p] = (FLOATS){0};
    for (int64_t row = 0; row < rows->n_gram; row++) {
        const float *values = skxmr_row_of(rows, row, 1).values + first;
        for (int f = 0; f < n; f++)
            EACH_PART sums[f][p] += values[f] * LOAD(duals + row * SKXMR_STRIDE, p);
    }
    for (int f = 0; f < n; f++)
        EACH_PART STORE(weights + (first + f) * SKXMR_STRIDE, p, sums[f][p]);
}

SKXMR_TARGET static void SKXMR_NAME(skxmr_add_up)(const skxmr_rows *rows,
                                                  const float *duals, float *weights) {
    int64_t first = 0;
    for (; first + 4 <= rows->width; first += 4)
        SKXMR_NAME(skxmr_add_up_some)(rows, duals, first, 4, weights);
    for (; first < rows->width; first++)
        SKXMR_NAME(skxmr_add_up_some)(rows, duals, first, 1, weights);
}

#if SKXMR_STRIDE == 16
/* Four products at a time hide the latency of additions. */
SKXMR_TARGET static void SKXMR_NAME(skxmr_fill_gram)(const skxmr_rows *rows,
                                                     float *gram) {
    const int64_t size = rows->n_rows, width = rows->width;
    for (int64_t i = 0; i < size; i++) {
        const float *one = rows->dense + rows->samples[i] * width;
        float *products = gram + i * size;
        int64_t j = 0;
        for (; j + 4 <= i + 1; j += 4) {
            const float *others[4];
            for (int row = 0; row < 4; row++)
                others[row] = rows->dense + rows->samples[j + row] * width;
            SKXMR_NAME(skxmr_products)(one, others, 4, width, products + j);
        }
        for (; j <= i; j++)
            products[j] = SKXMR_NAME(skxmr_product)(
                one, rows->dense + rows->samples[j] * width, width);
        for (j = 0; j < i; j++) gram[j * size + i] = products[j];
    }
}
#endif

/* The logistic loss calls functions, before which registers are spilled to memory: its
 * loops are compiled apart. */
SKXMR_TARGET static void SKXMR_NAME(skxmr_sweep)(const skxmr_rows *rows,
                                                 skxmr_state *state) {
    const int is_log_loss = rows->loss == SKXMR_LOG_LOSS;
    if (rows->gram) SKXMR_NAME(skxmr_sweep_gram)(rows, state);
    else if (rows->dense && is_log_loss) SKXMR_NAME(skxmr_sweep_dense)(rows, state, 1);
    else if (rows->dense) SKXMR_NAME(skxmr_sweep_dense)(rows, state, 0);
    else if (is_log_loss) SKXMR_NAME(skxmr_sweep_sparse)(rows, state, 1);
    else SKXMR_NAME(skxmr_sweep_sparse)(rows, state, 0);
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
