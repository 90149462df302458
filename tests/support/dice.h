/*
 * Random numbers that can be had again: all of them follow from a seed and a number of the throw
 * series, so that what one part throws does not change what another gets (splitmix64).
 *
 * base/random.h is for the product, and has no seed. Threads: one per struct dice.
 */
#ifndef SLUICE_TESTS_DICE_H
#define SLUICE_TESTS_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

struct dice dice_of(uint64_t seed, uint64_t series);
uint64_t dice_below(struct dice *d, uint64_t bound);             /* [0, bound); 0 when bound is 0 */
int64_t dice_between(struct dice *d, int64_t low, int64_t high); /* both included */
bool dice_percent(struct dice *d, unsigned percent);

#endif
