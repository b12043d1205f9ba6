/* The same sweep for compilers without vector types; included by sweep.h. */

static float skxmr_hinge_step_scalar(int loss, float norm, float signed_cost,
                                     float margin, float *dual, float *violation) {
    const float cost = fabsf(signed_cost), sign = signed_cost > 0 ? 1.0f : -1.0f;
    const float diagonal = loss == SKXMR_SQUARED_HINGE ? 0.5f / cost : 0.0f;
    const float bound = loss == SKXMR_SQUARED_HINGE ? INFINITY : cost;
    const float gradient = sign * margin - 1 + diagonal * *dual, before = *dual;
    *violation = gradient;
    if (before <= 0) *violation = fminf(gradient, 0);
    else if (before >= bound) *violation = fmaxf(gradient, 0);
    *dual = before - gradient / (fmaxf(norm, 1e-12f) + diagonal);
    *dual = fminf(fmaxf(*dual, 0), bound);
    return (*dual - before) * sign;
}

static void skxmr_sweep_baseline(const skxmr_problem *problem, skxmr_state *state) {
    const int is_log_loss = problem->loss == SKXMR_LOG_LOSS;
    for (int lane = 0; lane < SKXMR_LANES; lane++) {
        state->highest[lane] = is_log_loss ? 0 : -INFINITY;
        state->lowest[lane] = is_log_loss ? 0 : INFINITY;
    }
    for (int64_t i = 0; i < problem->n_rows; i++) {
        const int64_t row = state->order[i];
        const int is_dense = problem->dense != NULL;
        const skxmr_row here = skxmr_row_of(problem, row, is_dense);
        float margin[SKXMR_LANES], step[SKXMR_LANES];
        for (int lane = 0; lane < SKXMR_LANES; lane++)
            margin[lane] = state->intercepts[lane];
        for (int64_t entry = 0; entry < here.size; entry++) {
            const float *w =
                state->weights + (is_dense ? entry : here.features[entry]) * SKXMR_LANES;
            for (int lane = 0; lane < SKXMR_LANES; lane++)
                margin[lane] += here.values[entry] * w[lane];
        }
        for (int lane = 0; lane < SKXMR_LANES; lane++) {
            const float cost = problem->costs[row * SKXMR_LANES + lane];
            float *dual = &state->duals[row * SKXMR_LANES + lane], violation;
            step[lane] = 0;
            if (!state->active[lane] || cost == 0) continue;
            step[lane] =
                is_log_loss
                    ? skxmr_log_step(problem->norms[row], cost, margin[lane], dual,
                                     &violation)
                    : skxmr_hinge_step_scalar(problem->loss, problem->norms[row], cost,
                                              margin[lane], dual, &violation);
            state->highest[lane] = fmaxf(state->highest[lane], violation);
            if (!is_log_loss) state->lowest[lane] = fminf(state->lowest[lane], violation);
        }
        for (int64_t entry = 0; entry < here.size; entry++) {
            float *w =
                state->weights + (is_dense ? entry : here.features[entry]) * SKXMR_LANES;
            for (int lane = 0; lane < SKXMR_LANES; lane++)
                w[lane] += here.values[entry] * step[lane];
        }
        if (problem->fit_intercept)
            for (int lane = 0; lane < SKXMR_LANES; lane++)
                state->intercepts[lane] += step[lane];
    }
}
