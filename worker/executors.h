/*
 * Executors: the threads that run jobs. Each asks dispatch for its turn and does it: runs a job, or
 * claims a batch for all.
 *
 * Threads: grow and stop from the main thread.
 */
#ifndef SLUICE_WORKER_EXECUTORS_H
#define SLUICE_WORKER_EXECUTORS_H

#include "worker/dispatch.h"
#include "worker/fetcher.h"
#include "worker/runner.h"

enum { EXECUTORS_MAX = 10000 };

struct executor;

struct executors {
    struct dispatch *dispatch;
    struct runner *runner;
    struct fetcher *fetcher;
    struct executor *place; /* EXECUTORS_MAX, most never touched */
    int n;                  /* places that were used */
};

int executors_init(struct executors *x) warn_unused_result; /* pointers set by the caller */
void executors_release(struct executors *x);

/* Starts threads until there are n, which is dispatch's limit. When the system has no room for all:
 * the reason, with those that could be started running; *ret_started is how many there are. Fewer
 * than before they become by dispatch_set_limit() alone. */
int executors_grow(struct executors *x, int n, int *ret_started) warn_unused_result;

/* Ends dispatch and joins all. */
void executors_stop(struct executors *x);

#endif
