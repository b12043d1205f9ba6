/* Included by sweep.h once for each SIMD level: no include guard.
 *
 * Needs SKXMR_TARGET, the attribute that enables the instructions; SKXMR_REGISTER, the
 * number of floats in a register; and SKXMR_LEVEL, the name of the level.
 */

#define SKXMR_JOIN_(name, level, lanes) name##_##level##_##lanes
#define SKXMR_JOIN(name, level, lanes) SKXMR_JOIN_(name, level, lanes)
#define SKXMR_NAME(name) SKXMR_JOIN(name, SKXMR_LEVEL, SKXMR_STRIDE)

#define SKXMR_STRIDE 32
#define SKXMR_WIDTH SKXMR_REGISTER
#include "sweep_body.h"

#define SKXMR_STRIDE 16
#define SKXMR_WIDTH SKXMR_REGISTER
#include "sweep_body.h"

#define SKXMR_STRIDE 8
#if SKXMR_REGISTER < 8
#define SKXMR_WIDTH SKXMR_REGISTER
#else
#define SKXMR_WIDTH 8
#endif
#include "sweep_body.h"

#define SKXMR_STRIDE 4
#define SKXMR_WIDTH 4
#include "sweep_body.h"

#define SKXMR_FULL_(name, level) name##_##level
#define SKXMR_FULL(name, level) SKXMR_FULL_(name, level)
#define SKXMR_OF(lanes) SKXMR_JOIN(skxmr_sweep, SKXMR_LEVEL, lanes)

SKXMR_TARGET static void SKXMR_FULL(skxmr_sweep, SKXMR_LEVEL)(const skxmr_rows *rows,
                                                              skxmr_state *state,
                                                              int lanes) {
    if (lanes == 32) SKXMR_OF(32)(rows, state);
    else if (lanes == 16) SKXMR_OF(16)(rows, state);
    else if (lanes == 8) SKXMR_OF(8)(rows, state);
    else SKXMR_OF(4)(rows, state);
}

#undef SKXMR_OF
#define SKXMR_OF(lanes) SKXMR_JOIN(skxmr_add_up, SKXMR_LEVEL, lanes)

SKXMR_TARGET static void SKXMR_FULL(skxmr_add_up, SKXMR_LEVEL)(const skxmr_rows *rows,
                                                               const float *duals,
                                                               int lanes,
                                                               float *weights) {
    if (lanes == 32) SKXMR_OF(32)(rows, duals, weights);
    else if (lanes == 16) SKXMR_OF(16)(rows, duals, weights);
    else if (lanes == 8) SKXMR_OF(8)(rows, duals, weights);
    else SKXMR_OF(4)(rows, duals, weights);
}

#undef SKXMR_OF
#undef SKXMR_FULL
#undef SKXMR_FULL_
#undef SKXMR_NAME
#undef SKXMR_JOIN
#undef SKXMR_JOIN_
#undef SKXMR_TARGET
#undef SKXMR_REGISTER
#undef SKXMR_LEVEL
