/*
 * The door of the pool: who may connect, and when. While Redis is away that is the breaker's word
 * (one at a time, with back-off); when it has come back a ramp for each lane spreads the rest.
 *
 * Lanes. Gated and private connections come back side by side, each lane at a pace that lets all of
 * its connections be open after RAMP_MS. Three kinds of connects do not wait for the ramp, because
 * without them the process is of no use: the heartbeat's; the feed of an API, which all its viewers
 * share; and the first of the gated lane, which all threads then share. Whoever connects for one of
 * these says `at_once`.
 *
 * The ramps begin when the breaker closes, and also when an established connection turns out to be
 * lost: whatever stands between us and the server may drop all connections and take them all back
 * without a single connect that fails.
 *
 * Threads: none of its own, and no clock; whoever holds it guards it and says what time it is.
 */
#ifndef SLUICE_REDIS_DOOR_H
#define SLUICE_REDIS_DOOR_H

#include "redis/breaker.h"
#include "redis/ramp.h"

enum lane { LANE_GATED, LANE_PRIVATE, LANES };

struct door {
    struct breaker breaker;
    struct ramp ramp[LANES];
    int count[LANES]; /* connections that each lane may have open */
};

void door_init(struct door *d, int gated, int private_count);

/* Grants a ticket, to be paid back to the door. */
enum breaker_ticket door_enter(struct door *d, enum lane lane, bool at_once, int64_t now_ns);
/* When it is worth to ask again; CLOCK_NEVER while somebody's trial decides. */
int64_t door_opens_ns(const struct door *d, enum lane lane);

/* True when it was shut until now. */
bool door_succeed(struct door *d, int64_t now_ns);
void door_fail(struct door *d, enum breaker_ticket ticket, int64_t now_ns, int code,
               const struct err *why);
void door_abandon(struct door *d, enum breaker_ticket ticket);
void door_lost(struct door *d, int64_t now_ns); /* an established connection has broken */

bool door_is_shut(const struct door *d); /* by the breaker */
/* Why nobody may: the code (-EAGAIN when it is but not their turn) and the sentence. */
int door_refuse(const struct door *d, struct err *err);

#endif
