/*
 * The crew: threads that answer requests which have to wait for Redis, first come, first served.
 *
 * Requests that one trip to Redis can serve, as enqueueing is, are taken together: a thread that
 * goes to the line takes with the first all that stand right behind it and may join it, up to a
 * bound. It takes who is there and waits for nobody, so a request that comes alone goes alone; many
 * come together exactly when threads and Redis have more to do than they can, and then it makes the
 * difference of a system call, a switch of threads and a round trip for each.
 *
 * For the same reason one thread is woken at a time, which wakes the next when it has left somebody
 * in the line: while it is on its way, those that come are company.
 *
 * The line needs no bound of its own: a connection has one request under way, and their number is
 * bounded.
 *
 * Threads: crew_submit() from any; start to release from one. Ownership: a submitted exchange
 * belongs to the crew until `run` has answered it.
 */
#ifndef SLUICE_API_CREW_H
#define SLUICE_API_CREW_H

#include "base/thread.h"
#include "http/server.h"

enum { CREW_GROUP = 32 }; /* requests that are taken together */

struct crew_work {
    /* Answers a request, or a group: a list by `next`, of at most CREW_GROUP. */
    void (*run)(void *ctx, struct http_exchange *first);
    /* Whether the second may be in one group with the first. */
    bool (*joins)(const struct http_exchange *first, const struct http_exchange *second);
    void *ctx;
};

struct crew {
    struct crew_work work;
    struct thread *threads;
    int n;

    struct mutex mutex; /* guards: below */
    struct cond wake;
    struct http_exchange *first, *last; /* the line */
    int waiting;                        /* its length */
    int asleep;                         /* threads */
    bool coming;                        /* one of them has been woken */
    bool stopping;
};

/* -ENOMEM, -EAGAIN: then crew_stop() ends those that did start. */
int crew_start(struct crew *c, int threads, const struct crew_work *work) warn_unused_result;

/* False when the crew has stopped: then x is the caller's to answer. */
bool crew_submit(struct crew *c, struct http_exchange *x) warn_unused_result;
int crew_waiting(struct crew *c);

/* Returns when all that was submitted has been answered. Harmless on a zeroed one, as is the next.
 */
void crew_stop(struct crew *c);
/* When nobody submits any more. */
void crew_release(struct crew *c);

#endif
