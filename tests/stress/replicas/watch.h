/*
 * Watch: what can be seen from the server, and who ran what.
 *
 * Connections are counted in CLIENT LIST by the address they come from. A replica that was cut off
 * may show more than its pool for a while: those that it has given up, of which the server has not
 * heard. These are counted apart.
 */
#ifndef SLUICE_TESTS_STRESS_REPLICAS_WATCH_H
#define SLUICE_TESTS_STRESS_REPLICAS_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "net.h"

struct fleet;

struct watch {
    int64_t next_ns;
    unsigned looks;
    int most_of_one; /* connections of a replica */
    int most_live;   /* … of all */
    int most_ghosts;
    int most_at_once; /* of both */
};

/* Looks when it is due; complains about connections beyond the pools. */
void watch_step(struct fleet *f);

/* Who has begun how many jobs. */
struct shares {
    size_t least, median, most;
};
/* Of the replicas, since the log of the oracle had this size. */
struct shares watch_shares(struct fleet *f, size_t from);

#endif
