/* The smallest magnitude of the weights that are kept. */
#ifndef SKXMR_FLOOR_H
#define SKXMR_FLOOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "levels.h"

/* Weights whose magnitude is `share` or more are kept. If `is_relative`, `share` is a
 * fraction of the largest magnitude among the weights of the same child, of which no more
 * than `most` counts. */
typedef struct {
    float share;
    float most;
    int is_relative;
} skxmr_floor;

/* The smallest magnitude that is kept, given the largest magnitude of the child. Never
 * above it, since the share is at most 1; and 0 for a share of 0, even of infinity. */
SKXMR_INLINE float skxmr_floor_of(skxmr_floor floor, float largest) {
    if (!floor.is_relative) return floor.share;
    if (largest > floor.most) largest = floor.most;
    return floor.share > 0 ? floor.share * largest : 0;
}

/* A weight is kept if its magnitude is `floor` or more and it is not 0. Zeros are detected
 * by their bits: a processor that flushes denormal numbers to 0 compares all of them as
 * equal to 0, and would keep every 0 where `floor` is denormal. */
SKXMR_INLINE int skxmr_is_kept(float weight, float floor) {
    uint32_t bits;
    memcpy(&bits, &weight, sizeof bits);
    return (bits & 0x7fffffff) != 0 && fabsf(weight) >= floor;
}

#endif
