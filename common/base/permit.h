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
 * its own: to wake one is to wake that one, and it needs no lock to go. Whoever gives a permit back
 * rouses the first, to take it. But a thread that wants it again at once is faster than one that
 * has to wake, and may have it: two switches of threads for each operation would cost more than a
 * small operation itself. So the one that came too late becomes the lookout: nobody else is roused,
 * it looks again within PERMIT_LOOK_NS, and of the permits given back meanwhile every
 * PERMIT_SHAREth, and each that finds others lying about, is handed to the first in line (and of
 * those every PERMIT_TERMth to the lookout). A permit is thus free for PERMIT_LOOK_NS at most while
 * somebody wants it, and the line moves by one for every PERMIT_SHARE operations at least. Where
 * permits are not taken again at once there is no lookout, and who waits is roused without delay.
 * (Rejected: rousing one for every permit. Most came too late and slept again, and with thousands
 * waiting the throughput was 0.4 of what a few threads have.)
 *
 * Threads: all functions are safe from any thread; permit_acquire() blocks, the others do not.
 * Errors: -ETIMEDOUT past the deadline, -ECANCELED after permit_stop().
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

#define PERMIT_LOOK_NS (1 * NS_PER_MS)
enum { PERMIT_SHARE = 64, PERMIT_TERM = 16 };

struct permit_waiter; /* one in line, on its own stack */

struct permit {
    sem_t sem;
    struct mutex mutex;
    /* guards: up to the blank line */
    unsigned handed;                         /* permits handed to the line */
    struct permit_waiter *first, *last;      /* the line … */
    _Atomic(struct permit_waiter *) lookout; /* … and who stands beside it; read without, too … */
    atomic_int limit;                        /* … as is this */

    atomic_int roused;  /* who were told to look for a permit, and have not yet */
    atomic_uint passed; /* permits given back while there was a lookout */
    atomic_int debt;    /* permits to retire at the next releases */
    atomic_int in_use;
    atomic_int waiting; /* threads in line, the lookout too */
    atomic_int peak;    /* highest in_use since the start */
    atomic_int recent;  /* the same since permit_recent_peak() was asked last */
    atomic_bool stopping;
    struct histogram wait; /* time from the call to the permit */
};

void permit_init(struct permit *p, int limit); /* limit >= 1 */
void permit_release_all(struct permit *p);     /* end of life: nobody may be waiting */

/* Waits for a permit until the monotonic deadline. */
int permit_acquire(struct permit *p, int64_t deadline_ns) warn_unused_result;
void permit_give(struct permit *p);

/* Changes the limit while in use; never waits. limit >= 1. */
void permit_resize(struct permit *p, int limit);

/* The highest in_use since the last call: for one caller, who asks at intervals. */
int permit_recent_peak(struct permit *p);

/* Wakes every waiter with -ECANCELED and refuses every later acquire. Permits that are held
 * stay valid until given back. */
void permit_stop(struct permit *p);

#endif
