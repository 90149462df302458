/*
 * Redis' time, asked for now and then instead of with every request: between two looks the
 * monotonic clock carries it on.
 *
 * Threads: safe from any; the mutex is not held while Redis is asked.
 */
#ifndef SLUICE_API_CLOCK_H
#define SLUICE_API_CLOCK_H

#include "api/call.h"
#include "base/thread.h"

struct redis_clock {
    struct mutex mutex; /* guards: below */
    double redis_s;     /* Redis' time … */
    int64_t at_ns;      /* … at this monotonic time; 0: not known yet */
};

void redis_clock_init(struct redis_clock *c);
void redis_clock_release(struct redis_clock *c);

/* Passes the gate when it has to look. */
int redis_clock_now(struct call *c, double *ret, struct err *err) warn_unused_result;
/* What it must be by the last look, however long ago; without any, this machine's clock. */
double redis_clock_guess(struct redis_clock *c);

#endif
