/*
 * The permit: a counting POSIX semaphore with deadlines, a stop and a live limit.
 *
 * This is the founding idea of Sluice. A pool that is merely large is exhausted by whoever wants
 * more than it holds; a semaphore in front of it makes the surplus wait for its turn instead.
 * Every Redis operation of a process acquires a permit before it may take a connection
 * (redis/pool.h), so that no number of concurrent operations can open more than the limit.
 *
 * Model. `limit` permits exist; in_use <= limit, except while a lowered limit is being paid back.
 * Until in_use fits again, `debt` says how many permits too many exist; a release then retires its
 * permit instead of passing it on, and so does an acquire that finds one left on the semaphore.
 * So semaphore + in_use = limit + debt at rest, and no permit is granted while there is debt.
 *
 * The line. Who finds no permit stands in line, first come first served, asleep on a semaphore of
 * its own. Whoever gives a permit back hands it to the first in line, so that nobody who comes is
 * faster.
 *
 * Riding. Two switches of threads for each permit that is handed on are more than a small operation
 * costs itself. So who wants no more than such a one may let somebody else do it: whoever has a
 * permit takes those who stand in front and may ride along (permit_board), does what they want
 * beside its own, and lets each off when that is done (permit_alight). What they share a permit for
 * goes in their order, too. (Flat combining: D. Hendler, I. Incze, N. Shavit, M. Tzafrir, 2010.
 * Rejected: that a thread which has a permit keeps it for several operations in a row. It is as
 * fast as long as threads go on and on, and the last in line waits for thousands of them.)
 *
 * Threads: all functions are safe from any thread; permit_acquire() blocks, the others do not.
 * Errors: -ETIMEDOUT past the deadline, -ECANCELED after permit_stop(). Neither befalls a rider who
 * is aboard.
 */
#ifndef SLUICE_BASE_PERMIT_H
#define SLUICE_BASE_PERMIT_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/thread.h"

/* One in line, owned by the thread that waits. */
struct permit_waiter {
    sem_t woken;
    atomic_int fate; /* what its acquire returns; -EAGAIN in line, -EINPROGRESS aboard */
    bool may_ride;
    int64_t boarded_ns;
    struct permit_waiter *before, *behind; /* in line; behind, too, among those aboard */
};

struct permit {
    sem_t sem;
    struct mutex mutex;
    /* guards: up to the blank line */
    struct permit_waiter *first, *last; /* the line … */
    atomic_int limit;                   /* … and what is read without, too */

    /* Who have come since the line was locked last, the last one first, by `before`. */
    _Atomic(struct permit_waiter *) coming;
    atomic_int debt; /* permits to retire at the next releases */
    atomic_int in_use;
    atomic_int waiting; /* threads in line; for an instant it may be too few, or negative */
    atomic_int peak;    /* highest in_use since the start */
    atomic_int recent;  /* the same since permit_recent_peak() was asked last */
    atomic_bool stopping;
    struct histogram wait; /* time from the call to the permit, or until it is aboard */
};

void permit_init(struct permit *p, int limit); /* limit >= 1 */
void permit_release_all(struct permit *p);     /* end of life: nobody may be waiting */

/* Waits for a permit until the monotonic deadline. */
int permit_acquire(struct permit *p, int64_t deadline_ns) warn_unused_result;
void permit_give(struct permit *p);

/* The same, or PERMIT_RODE: whoever had a permit has done what *self is part of. It says when it
 * may be let off, which the deadline does not bound. */
enum { PERMIT_RODE = 1 };
int permit_acquire_or_ride(struct permit *p, int64_t deadline_ns,
                           struct permit_waiter *self) warn_unused_result;

/* For whoever holds a permit: up to `max` who stand in front and may ride, a list by `behind`; NULL
 * when there are none. Each must be let off, and is gone then: read `behind` before. */
struct permit_waiter *permit_board(struct permit *p, int max) warn_unused_result;
void permit_alight(struct permit_waiter *w);

/* Changes the limit while in use; never waits. limit >= 1. */
void permit_resize(struct permit *p, int limit);

int permit_waiting(const struct permit *p); /* how many stand in line */

/* The highest in_use since the last call: for one caller, who asks at intervals. */
int permit_recent_peak(struct permit *p);

/* Wakes every waiter with -ECANCELED and refuses every later acquire. Permits that are held
 * stay valid until given back. */
void permit_stop(struct permit *p);

#endif
