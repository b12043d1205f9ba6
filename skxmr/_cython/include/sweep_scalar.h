/* The same sweep for compilers without vector types; included by sweep.h. */

static float skxmr_hinge_step_scalar(int loss, float norm, float unshared,
                                     float signed_cost, float margin, float *dual,
                                     float *violation) {
    const int is_squared = loss == SKXMR_SQUARED_HINGE;
    const float cost = fabsf(signed_cost), sign = signed_cost > 0 ? 1.0f : -1.0f;
    const float diagonal = is_squared ? cost : 0.0f,
                bound = is_squared ? INFINITY : cost;
    const float before = *dual;
    float gradient = sign * margin - 1 + unshared * before;
    if (is_squared) gradient += diagonal * before;
    *violation = gradient;
    if (before <= 0) *violation = fminf(gradient, 0);
    else if (before >= bound) *violation = fmaxf(gradient, 0);
    *dual = before - gradient / (norm + diagonal);
    *dual = fminf(fmaxf(*dual, 0), bound);
    return (*dual - before) * sign;
}

static void skxmr_add_margins(const skxmr_state *state, skxmr_row row, int is_dense,
                              int lanes, int parity, float *margins) {
    for (int64_t entry = parity; entry < row.size; entry += 2) {
        const float *w =
            state->weights + (is_dense ? entry : row.features[entry]) * lanes;
        for (int lane = 0; lane < lanes; lane++)
            margins[lane] += row.values[entry] * w[lane];
    }
}

/* Product of two dense rows, added in the order of the vector code. */
static float skxmr_product(const float *one, const float *other, int64_t size) {
    float sums[16] = {0};
    for (int64_t entry = 0; entry < size; entry++)
        sums[entry % 16] += one[entry] * other[entry];
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) sums[i] += sums[i + half];
    return sums[0];
}

static void skxmr_margins(const skxmr_state *state, skxmr_row row, int is_dense,
                          int lanes, float *margins) {
    float even[SKXMR_MAX_LANES] = {0}, odd[SKXMR_MAX_LANES] = {0};
    skxmr_add_margins(state, row, is_dense, lanes, 0, even);
    skxmr_add_margins(state, row, is_dense, lanes, 1, odd);
    for (int lane = 0; lane < lanes; lane++) margins[lane] = even[lane] + odd[lane];
}

/* Update the dual variables of a row; `margins` are without the intercepts. */
static void skxmr_step_scalar(const skxmr_rows *rows, skxmr_state *state, int64_t row,
                              int lanes, const float *margins, float *step) {
    const int is_log_loss = rows->loss == SKXMR_LOG_LOSS;
    const float norm = fmaxf(rows->norms[row], 1e-30f);
    const float unshared = rows->dense ? 0 : rows->unshared[row];
    for (int lane = 0; lane < lanes; lane++) {
        const float cost = state->costs[row * lanes + lane];
        const float prior = state->priors ? state->priors[row * lanes + lane] : 0;
        const float margin = margins[lane] + state->intercepts[lane] + unshared * prior;
        float *dual = &state->duals[row * lanes + lane], violation, curvature;
        step[lane] = 0;
        if (!state->active[lane] || cost == 0) continue;
        step[lane] =
            is_log_loss ? skxmr_log_step(norm, unshared, cost, margin, dual, &violation)
                        : skxmr_hinge_step_scalar(rows->loss, norm, unshared, cost,
                                                  margin, dual, &violation);
        curvature = rows->loss == SKXMR_SQUARED_HINGE ? norm + fabsf(cost) : norm;
        state->gain[lane] += curvature * step[lane] * step[lane];
        state->highest[lane] = fmaxf(state->highest[lane], violation);
        if (!is_log_loss) state->lowest[lane] = fminf(state->lowest[lane], violation);
    }
    for (int lane = 0; lane < lanes; lane++)
        state->intercepts[lane] += rows->bias_square * step[lane];
}

static void skxmr_add_row(skxmr_state *state, skxmr_row row, int is_dense, int lanes,
                          const float *step) {
    for (int64_t entry = 0; entry < row.size; entry++) {
        float *w = state->weights + (is_dense ? entry : row.features[entry]) * lanes;
        for (int lane = 0; lane < lanes; lane++)
            w[lane] += row.values[entry] * step[lane];
    }
}

/* Rows whose products of all pairs are known. */
static void skxmr_sweep_gram(const skxmr_rows *rows, skxmr_state *state, int lanes) {
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const int64_t row = state->order[i];
        skxmr_row products;
        float step[SKXMR_MAX_LANES];
        products.features = NULL;
        products.values = rows->gram + row * rows->n_gram;
        products.size = rows->n_gram;
        skxmr_step_scalar(rows, state, row, lanes, state->weights + row * lanes, step);
        skxmr_add_row(state, products, 1, lanes, step);
    }
}

static void skxmr_add_up_baseline(const skxmr_rows *rows, const float *duals, int lanes,
                                  float *weights) {
    for (int64_t i = 0; i < rows->width * lanes; i++) weights[i] = 0;
    for (int64_t row = 0; row < rows->n_gram; row++) {
        const float *values = skxmr_row_of(rows, row, 1).values;
        for (int64_t i = 0; i < rows->width; i++)
            for (int lane = 0; lane < lanes; lane++)
                weights[i * lanes + lane] += values[i] * duals[row * lanes + lane];
    }
}

static void skxmr_fill_gram_baseline(const skxmr_rows *rows, float *gram) {
    const int64_t size = rows->n_rows;
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < size; j++)
            gram[i * size + j] = skxmr_product(
                rows->dense + rows->samples[i] * rows->width,
                rows->dense + rows->samples[j] * rows->width, rows->width);
}

/* Dense rows two at a time, in the order of the vector code. */
static void skxmr_sweep_baseline(const skxmr_rows *rows, skxmr_state *state,
                                 int lanes) {
    if (rows->gram) {
        skxmr_sweep_gram(rows, state, lanes);
        return;
    }
    const int is_dense = rows->dense != NULL;
    for (int64_t i = 0; i < rows->n_rows; i += 1 + is_dense) {
        const int is_pair = is_dense && i + 1 < rows->n_rows;
        const int64_t row = state->order[i], next = state->order[i + is_pair];
        const skxmr_row here = skxmr_row_of(rows, row, is_dense);
        const skxmr_row there = skxmr_row_of(rows, next, is_dense);
        float margins[SKXMR_MAX_LANES], next_margins[SKXMR_MAX_LANES];
        float step[SKXMR_MAX_LANES], next_step[SKXMR_MAX_LANES];
        skxmr_margins(state, here, is_dense, lanes, margins);
        if (is_pair) skxmr_margins(state, there, is_dense, lanes, next_margins);
        skxmr_step_scalar(rows, state, row, lanes, margins, step);
        if (is_pair) {
            const float product = skxmr_product(here.values, there.values, here.size);
            for (int lane = 0; lane < lanes; lane++)
                next_margins[lane] += product * step[lane];
            skxmr_step_scalar(rows, state, next, lanes, next_margins, next_step);
        }
        skxmr_add_row(state, here, is_dense, lanes, step);
        if (is_pair) skxmr_add_row(state, there, is_dense, lanes, next_step);
    }
}
