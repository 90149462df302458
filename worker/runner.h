/*
 * The runner: one claimed job from its bytes to its end.
 *
 *     (dead: too large) -> parse -> (dead: not a job) -> expired? -> find the handler -> run ->
 * outcome -> settlement
 *
 * It knows the rules (Sidekiq's retries, tracking, streams, timeouts) and no handler kind, and it
 * writes nothing itself but the "running" state of tracked jobs: ends go to the settler, output to
 * the streamer.
 *
 * Each executor has a slot in which the run under way can be seen and told to stop by others. A
 * run that was given back (worker stopping) ends without a settlement: its job is in its queue
 * again.
 *
 * Threads: runner_run() on the executors; the rest from any thread. Lock order: slot before
 * cancelled, and nothing else.
 */
#ifndef SLUICE_WORKER_RUNNER_H
#define SLUICE_WORKER_RUNNER_H

#include <stdatomic.h>

#include "handlers/handler.h"
#include "store/presence.h"
#include "worker/cancelled.h"
#include "worker/live.h"
#include "worker/output.h"
#include "worker/oversize.h"
#include "worker/settler.h"
#include "worker/tally.h"

struct slot {
    struct mutex mutex;
    /* guards: below, and in the run its stop reason and stop_fd */
    struct run *run; /* NULL between jobs */
};

struct runner {
    const struct store *store;
    struct redis_pool *pool;
    struct settler *settler;
    struct streamer *streamer;
    struct heartbeat *heartbeat;
    struct live *live;
    struct tally *tally;
    struct cancelled *cancelled;
    struct oversize *oversize;
    struct slot *slots; /* one per executor thread */
    int nslots;
    atomic_uint_fast64_t malformed, expired;
};

int runner_init(struct runner *r, int nslots) warn_unused_result; /* pointers set by the caller */
void runner_release(struct runner *r);

/* Runs a job and passes it on. Returns how long its handler ran, in ns. */
int64_t runner_run(struct runner *r, int slot, struct job *job);

/* Tells every run to stop, and with give_back also that its job is no longer its own. */
void runner_stop_all(struct runner *r, enum run_stop reason, bool give_back);

/* Tells the runs of cancelled jobs to stop. */
void runner_cancel(struct runner *r);

/* Copies of what runs now, at most max; release with runner_jobs_free(). */
int runner_jobs(struct runner *r, struct presence_job *ret, int max);
void runner_jobs_free(struct presence_job *jobs, int n);

#endif
