/*
 * Turmoil: what happens to the replicas, decided by the seed.
 *
 * Every now and then one of: some are killed; the cables of some are pulled, for less than a lease
 * or for more; the fleet is made smaller (SIGTERM), or as large as it can be. Whoever is cut off
 * may be killed or stopped, too. Two replicas are left at work. The first deeds are one of each
 * kind.
 */
#ifndef SLUICE_TESTS_STRESS_REPLICAS_TURMOIL_H
#define SLUICE_TESTS_STRESS_REPLICAS_TURMOIL_H

#include <stdbool.h>
#include <stdint.h>

#include "support/dice.h"

struct fleet;

enum { TURMOIL_KINDS = 4 };

struct turmoil {
    struct dice dice;
    unsigned deeds, first; /* first: kind of the first one */
    int64_t next_ns;
    unsigned grows;   /* of the fleet */
    int fewest, most; /* replicas that were up */
};

void turmoil_init(struct fleet *f);
void turmoil_step(struct fleet *f);
/* Each kind of it has happened to somebody. */
bool turmoil_was_had(const struct fleet *f);
/* Cables are plugged in, and who is down starts, at once. */
void turmoil_end(struct fleet *f);

#endif
