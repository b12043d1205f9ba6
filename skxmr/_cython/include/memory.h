/* Returns freed memory to the system. */
#ifndef SKXMR_MEMORY_H
#define SKXMR_MEMORY_H

#include <stddef.h>

#if defined(__GLIBC__)
#include <malloc.h>
static void skxmr_give_back(void) { malloc_trim(0); }
#else
static void skxmr_give_back(void) {}
#endif

#endif
