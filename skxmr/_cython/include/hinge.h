/* What the hinges are held to. */
#ifndef SKXMR_HINGE_H
#define SKXMR_HINGE_H

/* A violation beyond this would overflow to a log score of -inf, which is kept for labels
 * that are never retrieved. */
#define SKXMR_LARGEST_VIOLATION 1e60

#endif
