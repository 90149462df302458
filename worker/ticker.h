/*
 * A ticker: a thread that calls a function again and again, with a pause the function chooses each
 * time, and that can be woken early and stopped at once. For the services that look after things:
 * schedule, recovery, presence.
 *
 * Threads: ticker_wake() from any thread; start and stop from one.
 */
#ifndef SLUICE_WORKER_TICKER_H
#define SLUICE_WORKER_TICKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

struct ticker {
    int64_t (*tick)(void *ctx); /* returns the pause in ms */
    void *ctx;
    struct thread thread;
    struct mutex mutex;
    /* guards: below */
    struct cond wake;
    bool woken;
    bool stopping;
};

int ticker_start(struct ticker *t, const char *name, int64_t (*tick)(void *),
                 void *ctx) warn_unused_result;
void ticker_wake(struct ticker *t);
void ticker_stop(struct ticker *t); /* waits for a tick under way */

#endif
