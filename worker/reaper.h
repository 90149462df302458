/*
 * The reaper: gives the jobs of dead workers to the living, and keeps our own books straight.
 *
 * Recovery. Every SWEEP_MS it looks for workers that may hold claims and have no lease, and gives
 * their claims back (store_recover). Not while Redis, or our way to it, has been in trouble within
 * the last full lease: a stall lets every lease lapse at once. A job that was delivered too often
 * (it kills its workers) is buried with that cause.
 *
 * Trials. A job on its last delivery lies in a list beside its queue. While we are calm, which a
 * worker that has just started is not, one such job at a time is claimed and run among the others.
 * If it kills us too, it is guilty; the innocent who died beside it before wait for their own
 * trial. (Rejected: to run it with nothing beside it, for that stops a worker until its longest
 * job has ended. So a job may still be buried for the deeds of another when its worker dies of
 * something else during its trial.)
 *
 * Reconciliation. A claim of our own that Redis has in the registry and we do not know came about
 * by a lost reply, by one that was refused for its size, or by the ghost of a broken connection:
 * its jobs are adopted; what is larger than max_payload is moved to dead instead, unread. An
 * unknown empty one may still be filled by a ghost and is forgotten only when it has been empty for
 * a full lease. It runs when somebody lost a reply, and whenever the heartbeat counts more claims
 * in the registry than we know.
 *
 * Threads: a ticker of its own; ticks pass the gate.
 */
#ifndef SLUICE_WORKER_REAPER_H
#define SLUICE_WORKER_REAPER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "redis/pool.h"
#include "worker/dispatch.h"
#include "worker/heartbeat.h"
#include "worker/inflight.h"
#include "worker/live.h"
#include "worker/oversize.h"
#include "worker/ticker.h"

struct doubt;

struct reaper {
    const struct store *store;
    struct redis_pool *pool;
    struct heartbeat *heartbeat;
    struct inflight *inflight;
    struct dispatch *dispatch;
    struct live *live;
    struct oversize *oversize;
    struct ticker ticker;
    atomic_bool reconcile; /* asked for */
    /* the ticker's own: */
    int64_t next_sweep_ns;
    uint64_t trial_seq;   /* the claim of the last job on trial; 0: there was none */
    struct doubt *doubts; /* unknown empty claims, since when */
    size_t ndoubts;
    atomic_uint_fast64_t recovered, buried, adopted;
};

int reaper_start(struct reaper *r) warn_unused_result; /* pointers set by the caller */
void reaper_stop(struct reaper *r);
/* A reply was lost: compare the books soon. */
void reaper_reconcile(void *reaper);

#endif
