/*
 * Randomness: getrandom(2) for identifiers, a small fast generator per thread for jitter and
 * weighted choice. Nothing here is a key or a token.
 *
 * Threads: safe from any thread.
 */
#ifndef SLUICE_BASE_RANDOM_H
#define SLUICE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Writes 2 * bytes lowercase hex digits and a NUL (ret holds 2 * bytes + 1). Aborts if the
 * kernel has no randomness, which Linux after boot always has. */
void random_hex(char *ret, size_t bytes);

/* A number in [0, bound); 0 when bound is 0. Not for secrets. */
uint64_t random_below(uint64_t bound);

/* A number in [0, 1). Not for secrets. */
double random_unit(void);

#endif
