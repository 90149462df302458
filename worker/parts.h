/*
 * The parts of a worker, for the files that put them together: worker.c (start and stop), reload.c
 * (settings), dump.c (what a person sees), checks.c (warnings about the server). The parts
 * themselves never include this: each knows only what it was given.
 */
#ifndef SLUICE_WORKER_PARTS_H
#define SLUICE_WORKER_PARTS_H

#include "worker/beacon.h"
#include "worker/dispatch.h"
#include "worker/fetcher.h"
#include "worker/heartbeat.h"
#include "worker/inflight.h"
#include "worker/live.h"
#include "worker/output.h"
#include "worker/reaper.h"
#include "worker/runner.h"
#include "worker/scheduler.h"
#include "worker/settler.h"
#include "worker/tally.h"
#include "worker/waker.h"
#include "worker/worker.h"

enum { EXECUTORS_MAX = 10000 };

struct executor {
    struct worker *worker;
    struct sleeper sleeper;
    struct thread thread;
};

struct worker {
    char identity[300];
    struct redis_pool *pool;
    struct store *store;
    struct live live;
    struct inflight inflight;
    struct heartbeat heartbeat;
    struct tally tally;
    struct streamer streamer;
    struct settler settler;
    struct runner runner;
    struct dispatch dispatch;
    struct fetcher fetcher;
    struct waker waker;
    struct scheduler scheduler;
    struct reaper reaper;
    struct beacon beacon;
    struct http_server *http; /* NULL when metrics.listen is off */

    struct executor *executors; /* EXECUTORS_MAX places, most never touched */
    int nexecutors;             /* started */
    int started;                /* services that worker_finish() has to stop, in start order */
    atomic_bool begun_stop;
    double born_at; /* Unix time */
    struct err why; /* a service could not start, where it has words for it */
};

/* Starts executors until there are n; fewer when the system has no room (a warning). */
int worker_grow(struct worker *w, int n) warn_unused_result;

#endif
