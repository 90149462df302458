/*
 * The beacon: keeps this worker visible to Sidekiq's dashboard and to `sluice workers`
 * (store/presence), shows its gauges (store/gauges.h), and takes the signals that the dashboard's
 * Quiet and Stop buttons leave.
 *
 * A report that says what the one before said, of an idle worker, writes only what changes by
 * itself (store_presence_again); once in a minute it is whole all the same, should somebody have
 * deleted a part of it.
 *
 * Display only. It has nothing to do with the lease, so it may be late or fail without harm.
 *
 * Threads: a ticker of its own; ticks pass the gate.
 */
#ifndef SLUICE_WORKER_BEACON_H
#define SLUICE_WORKER_BEACON_H

#include "worker/dispatch.h"
#include "worker/live.h"
#include "worker/runner.h"
#include "worker/ticker.h"

struct beacon {
    const struct store *store;
    struct redis_pool *pool;
    struct heartbeat *heartbeat;
    struct dispatch *dispatch;
    struct runner *runner;
    struct live *live;
    struct tally *tally;
    void (*signalled)(void *ctx, enum presence_signal signal);
    void *signalled_ctx;
    struct ticker ticker;
    /* the ticker's own: */
    double started_at; /* Redis' time; 0 before the first tick */
    uint64_t conf_version;
    int threads; /* that may work, at the last look: settings, or an order */
    struct buf info;
    int64_t rtt_us;
    struct tally_sums told;             /* as of the last report that Redis has */
    int permits_peak, connections_peak; /* since then */
    int busy;                           /* jobs at the last report */
    bool quiet;                         /* as of the last report */
    int repeats;                        /* reports until the next must be whole */
    int64_t next_ns;                    /* when the next report is due by itself */
};

int beacon_start(struct beacon *b) warn_unused_result; /* pointers set by the caller */
void beacon_stop(struct beacon *b);

#endif
