/* The training rows that all children of a parent share. */
#ifndef SKXMR_TRAINING_ROWS_H
#define SKXMR_TRAINING_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "levels.h"

/* The most children that are solved side by side. */
#define SKXMR_MAX_LANES 32

enum { SKXMR_SQUARED_HINGE = 0, SKXMR_HINGE = 1, SKXMR_LOG_LOSS = 2 };

/* Rows in CSR, or of a dense matrix. What the sweeps need to know of the loss stands here
 * too, so that they take one constant argument. */
typedef struct {
    int64_t n_rows;
    const int64_t *offsets; /* (n_rows + 1) */
    const int32_t *features;
    const float *values;
    const float *unshared;  /* (n_rows): squared norm of the features that no other row
                                 has; they are not among the entries */
    const float *dense;     /* (n_samples, width), or NULL: rows are in CSR */
    const int32_t *samples; /* (n_rows): their indices in `dense` */
    int64_t width;
    const float *gram; /* (n_gram, n_gram): products of all pairs of dense rows, or
                                 NULL; always NULL for the logistic loss */
    int64_t n_gram;
    const float *norms; /* (n_rows): squared, that of the constant included */
    int loss;
    float bias_square; /* of the constant feature of the intercept; 0: none */
    int is_large;      /* weights and rows do not stay in a core's cache */
} skxmr_rows;

/* One row: `features` is NULL for a dense one, which has all. */
typedef struct {
    const int32_t *features;
    const float *values;
    int64_t size;
} skxmr_row;

SKXMR_INLINE skxmr_row skxmr_row_of(const skxmr_rows *rows, int64_t i, int is_dense) {
    skxmr_row row;
    if (is_dense) {
        row.features = NULL;
        row.values = rows->dense + rows->samples[i] * rows->width;
        row.size = rows->width;
    } else {
        row.features = rows->features + rows->offsets[i];
        row.values = rows->values + rows->offsets[i];
        row.size = rows->offsets[i + 1] - rows->offsets[i];
    }
    return row;
}

#endif
