/* The same sweep for compilers without vector types; included by sweep.h. */

static float skxmr_hinge_step_scalar(int loss, float norm, float own, float signed_cost,
                                     float margin, float *dual, float *violation) {
    const int is_squared = loss == SKXMR_SQUARED_HINGE;
    const float cost = fabsf(signed_cost), sign = signed_cost > 0 ? 1.0f : -1.0f;
    const float diagonal = is_squared ? cost : 0.0f, bound = is_squared ? INFINITY : cost;
    const float before = *dual;
    float gradient = sign * margin - 1 + own * before;
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
        const float *w = state->weights + (is_dense ? entry : row.features[entry]) * lanes;
        for (int lane = 0; lane < lanes; lane++) margins[lane] += row.values[entry] * w[lane];
    }
}

static void skxmr_sweep_baseline(const skxmr_problem *problem, skxmr_state *state,
                                 int lanes) {
    const int is_log_loss = problem->loss == SKXMR_LOG_LOSS;
    const int is_dense = problem->dense != NULL;
    for (int64_t i = 0; i < problem->n_rows; i++) {
        const int64_t row = state->order[i];
        const skxmr_row here = skxmr_row_of(problem, row, is_dense);
        const float norm = fmaxf(problem->norms[row], 1e-12f);
        const float own = is_dense ? 0 : problem->own[row];
        float even[SKXMR_LANES] = {0}, odd[SKXMR_LANES] = {0}, step[SKXMR_LANES];
        skxmr_add_margins(state, here, is_dense, lanes, 0, even);
        skxmr_add_margins(state, here, is_dense, lanes, 1, odd);
        for (int lane = 0; lane < lanes; lane++) {
            const float cost = state->costs[row * lanes + lane];
            const float margin = (even[lane] + odd[lane]) + state->intercepts[lane];
            float *dual = &state->duals[row * lanes + lane], violation;
            step[lane] = 0;
            if (!state->active[lane] || cost == 0) continue;
            step[lane] = is_log_loss ? skxmr_log_step(norm, own, cost, margin, dual,
                                                      &violation)
                                     : skxmr_hinge_step_scalar(problem->loss, norm, own, cost,
                                                               margin, dual, &violation);
            state->highest[lane] = fmaxf(state->highest[lane], violation);
            if (!is_log_loss) state->lowest[lane] = fminf(state->lowest[lane], violation);
        }
        for (int64_t entry = 0; entry < here.size; entry++) {
            float *w =
                state->weights + (is_dense ? entry : here.features[entry]) * lanes;
            for (int lane = 0; lane < lanes; lane++)
                w[lane] += here.values[entry] * step[lane];
        }
        if (problem->fit_intercept)
            for (int lane = 0; lane < lanes; lane++) state->intercepts[lane] += step[lane];
    }
}
