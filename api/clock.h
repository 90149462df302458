/*
 * Redis' time for all requests: one clock (store/store_clock.h) that they share.
 *
 * Threads: safe from any; the mutex is not held while Redis is asked.
 */
#ifndef SLUICE_API_CLOCK_H
#define SLUICE_API_CLOCK_H

#include "api/call.h"
#include "base/thread.h"
#include "store/store_clock.h"

struct redis_clock {
    struct mutex mutex; /* guards: below */
    struct store_clock last;
};

void redis_clock_init(struct redis_clock *c);
void redis_clock_release(struct redis_clock *c);

/* Passes the gate when it has to look. */
int redis_clock_now(struct call *c, double *ret, struct err *err) warn_unused_result;
/* What it must be by the last look, however long ago; without any, this machine's clock. */
double redis_clock_guess(struct redis_clock *c);

#endif
