/*
 * The crew: threads that answer requests which have to wait for Redis, first come, first served.
 *
 * The line needs no bound of its own: a connection has one request under way, and their number is
 * bounded.
 *
 * Threads: crew_submit() from any; start and stop from one. Ownership: a submitted exchange belongs
 * to the crew until `run` has answered it.
 */
#ifndef SLUICE_API_CREW_H
#define SLUICE_API_CREW_H

#include "base/thread.h"
#include "http/server.h"

struct crew {
    void (*run)(void *ctx, struct http_exchange *x); /* answers it */
    void *ctx;
    struct thread *threads;
    int n;

    struct mutex mutex; /* guards: below */
    struct cond work;
    struct http_exchange *first, *last; /* the line */
    int waiting;                        /* its length */
    bool stopping;
};

/* -ENOMEM, -EAGAIN: then crew_stop() ends those that did start. */
int crew_start(struct crew *c, int threads, void (*run)(void *ctx, struct http_exchange *x),
               void *ctx) warn_unused_result;

void crew_submit(struct crew *c, struct http_exchange *x);
int crew_waiting(struct crew *c);

/* Returns when all that was submitted has been answered. Harmless on a zeroed one. */
void crew_stop(struct crew *c);

#endif
