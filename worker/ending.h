/*
 * Endings: what the outcome of a run means for its job, by Sidekiq's rules for retries and this
 * project's for tracking. Decides only; the settler writes.
 */
#ifndef SLUICE_WORKER_ENDING_H
#define SLUICE_WORKER_ENDING_H

#include "worker/job.h"
#include "worker/run.h"

enum ending {
    ENDING_DONE,
    ENDING_RETRY,
    ENDING_DEAD,
    ENDING_DROPPED,  /* failed, and asked not to be kept */
    ENDING_STOPPED,  /* cancelled: never retried */
    ENDING_NO_MEMORY /* cannot be settled now: leave it claimed */
};

/* *ret_end: the settlement, or NULL for a plain ack. now: Redis' time. */
enum ending ending_plan(const struct run *run, const struct outcome *out, double now,
                        struct settlement **ret_end);

/* The end of a tracked job that expired before it ran: acked, and recorded as stopped. NULL when
 * out of memory. */
struct settlement *ending_expired(const struct envelope *envelope, bool tracked, int64_t ttl_s,
                                  double now);

#endif
