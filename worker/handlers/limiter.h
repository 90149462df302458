/*
 * A limiter: so many at once; who comes on top waits in line, on its own thread, and can be told to
 * stop meanwhile.
 *
 * It is a counting semaphore with what a run needs beside that: the line is first come, first
 * served, and a wait ends when the run should (cancelled, worker leaving, job lost). The time spent
 * in line does not count as the run's: a job that nobody has begun cannot have run too long. (A
 * deadline that went on would fail jobs for the length of the line they stand in.) Rejected: the
 * gate's permit (base/permit.h), which cannot be interrupted.
 *
 * Threads: safe from any thread. A place goes straight to the first in line, so nobody overtakes.
 */
#ifndef SLUICE_WORKER_HANDLERS_LIMITER_H
#define SLUICE_WORKER_HANDLERS_LIMITER_H

#include "base/thread.h"
#include "handlers/handler.h"

struct limiter_waiter;

struct limiter {
    struct mutex mutex;
    /* guards: below, and the waiters */
    int free; /* while it is above 0 nobody waits */
    struct limiter_waiter *first;
    struct limiter_waiter **last; /* the link that the next to come is put into */
};

void limiter_init(struct limiter *l, int places);
void limiter_release(struct limiter *l); /* nobody waits */

/* Takes a place. give_up, which may be NULL, is asked now and then whether to wait any longer.
 * -ECANCELED: the run should stop; -ETIMEDOUT: give_up said so. */
int limiter_enter(struct limiter *l, struct run *run, const struct run_ops *ops,
                  bool (*give_up)(void *ctx), void *ctx) warn_unused_result;

/* Takes a place if one is free. */
bool limiter_try(struct limiter *l) warn_unused_result;

/* Gives a place back, or adds one. */
void limiter_leave(struct limiter *l);

#endif
