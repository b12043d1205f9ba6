/* Limits of the hinge losses. */
#ifndef SKXMR_HINGE_H
#define SKXMR_HINGE_H

/* Larger violations would overflow to a log score of -inf, which is reserved for labels
 * that are never retrieved. */
#define SKXMR_LARGEST_VIOLATION 1e60

#endif
