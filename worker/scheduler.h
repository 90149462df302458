/*
 * The scheduler: moves what is due in `schedule` and `retry` to its queue (store/schedule).
 *
 * Every worker polls; the scripts make each entry move once however many do. It asks for the next
 * due times at least every POLL_MAX_MS and otherwise sleeps until the next one is due, so a job
 * that was known is on time to a few milliseconds, and one that another process has just scheduled
 * for sooner is late by at most that pause. Due is what Redis' clock says.
 *
 * Threads: a ticker of its own; ticks pass the gate.
 */
#ifndef SLUICE_WORKER_SCHEDULER_H
#define SLUICE_WORKER_SCHEDULER_H

#include <stdatomic.h>

#include "redis/pool.h"
#include "store/schedule.h"
#include "worker/heartbeat.h"
#include "worker/live.h"
#include "worker/oversize.h"
#include "worker/ticker.h"

struct scheduler {
    const struct store *store;
    struct redis_pool *pool;
    struct heartbeat *heartbeat;
    struct live *live;
    struct oversize *oversize;
    struct ticker ticker;
    atomic_uint_fast64_t promoted;
};

int scheduler_start(struct scheduler *s) warn_unused_result; /* pointers set by the caller */
void scheduler_stop(struct scheduler *s);

#endif
