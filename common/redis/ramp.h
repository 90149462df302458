/*
 * The ramp: spreads the connects of a process after an outage, so that a fleet which lost the same
 * server does not come back in one instant.
 *
 * Model. A slow start: at the time t after its beginning count × (t / RAMP_MS)² connects have been
 * let through, each at a random moment of its own step of that curve. Who comes late finds the
 * moments that have passed still granted, so a slow asker is not held up twice. When RAMP_MS have
 * passed the ramp is over, and everybody may.
 *
 * The curve starts flat because most processes have a fraction of their limit open: at a steady
 * rate they would have all of it back at once (rejected). The random moments matter for small ones:
 * a thousand processes with two connections each are a herd, too.
 *
 * Threads: none of its own, and no clock; whoever holds it guards it and says what time it is.
 */
#ifndef SLUICE_REDIS_RAMP_H
#define SLUICE_REDIS_RAMP_H

#include <stdbool.h>
#include <stdint.h>

enum { RAMP_MS = 4000 };

/* Zeroed: over. */
struct ramp {
    int64_t begin_ns, end_ns;
    int count, granted;
    int64_t next_ns; /* the moment of the next connect */
};

void ramp_begin(struct ramp *r, int64_t now_ns, int count); /* from the start; 0 counts as 1 */
bool ramp_is_over(const struct ramp *r, int64_t now_ns);

/* When the next connect may start: a time that has passed means at once. */
int64_t ramp_next_ns(const struct ramp *r);
/* That one starts. */
void ramp_take(struct ramp *r, int64_t now_ns);

#endif
