/*
 * The parts of a worker, for the files that put them together: worker.c and services.c
 * (making, start), stop.c, reload.c (settings), orders.c (orders), dump.c (what a person sees),
 * checks.c (warnings about the server). The parts themselves never include this: each knows only
 * what it was given.
 */
#ifndef SLUICE_WORKER_PARTS_H
#define SLUICE_WORKER_PARTS_H

#include "worker/beacon.h"
#include "worker/control.h"
#include "worker/dispatch.h"
#include "worker/executors.h"
#include "worker/fetcher.h"
#include "worker/heartbeat.h"
#include "worker/inflight.h"
#include "worker/live.h"
#include "worker/output.h"
#include "worker/oversize.h"
#include "worker/reaper.h"
#include "worker/runner.h"
#include "worker/scheduler.h"
#include "worker/settler.h"
#include "worker/tally.h"
#include "worker/waker.h"
#include "worker/worker.h"

struct worker {
    char identity[300];
    struct redis_pool *pool;
    struct store *store;
    struct live live;
    struct inflight inflight;
    struct heartbeat heartbeat;
    struct tally tally;
    struct cancelled cancelled;
    struct oversize oversize;
    struct streamer streamer;
    struct settler settler;
    struct runner runner;
    struct dispatch dispatch;
    struct fetcher fetcher;
    struct waker waker;
    struct scheduler scheduler;
    struct reaper reaper;
    struct control control;
    struct inbox inbox;
    struct beacon beacon;
    struct http_server *http; /* NULL when metrics.listen is off */

    struct executors executors;
    int started; /* services, in the order of worker/services.h */
    atomic_bool begun_stop;
    atomic_int_fast64_t stop_deadline_ns; /* of the drain, once it is begun */
    double born_at;                       /* Unix time */
    int64_t born_ns;                      /* monotonic */
    /* The main thread's own: */
    struct {
        uint64_t state; /* numbers of the last orders (store/wanted.h) */
        uint64_t setting[ORDER_SETTINGS];
    } obeyed;
    int tuned[ORDER_SETTINGS]; /* by order; ORDER_DEFAULT: the setting is in force */
    struct err *why;           /* while starting: where a service puts its own words */
};

/* Sets one thing live, in place of what the settings say. */
int worker_tune(struct worker *w, enum order_setting setting, int value,
                struct err *err) warn_unused_result;
/* The answer to a ping: members of a JSON object. From any thread. */
void worker_describe(void *worker, struct buf *out);

#endif
