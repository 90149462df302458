/*
 * The heartbeat: renews this worker's lease from a thread and a connection of its own, so that no
 * amount of work, and no wait for the gate, can make a busy worker look dead.
 *
 * It is also how the worker knows about itself and about Redis:
 * - fresh: was the lease renewed lately? After a long pause (SIGSTOP, a frozen machine, a lost
 *   server) the answer is no, by the monotonic clock, and no job may start until it is yes again.
 * - generation: counts how often the lease lapsed, or may have while no answer came. Claims of an
 *   older generation may have been given to others.
 * - calm: how long Redis has answered without trouble. Recovering other workers' jobs waits for a
 *   full lease of calm, because a stall of Redis makes every lease lapse at once.
 * - now: Redis' clock, as an offset to the monotonic one, for due times and timestamps.
 * - the number of claims in our registry, to compare with what we know (worker/inflight).
 *
 * The lease is renewed every quarter of its length, mostly by a plain command that asks nothing.
 * What else is said above is asked for once in a lease, or in 15 s where that is less, and, since
 * it is mostly trouble that makes it news, with each renewal while there is no calm.
 *
 * A blocking wait starts only while the last renewal is younger than a third of the lease, and is
 * over when it would be nine tenths old: so no job can land for a worker whose lease is already
 * gone, not even by the ghost of its connection.
 *
 * Threads: all getters are safe from any thread.
 */
#ifndef SLUICE_WORKER_HEARTBEAT_H
#define SLUICE_WORKER_HEARTBEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "redis/pool.h"
#include "store/lease.h"

struct heartbeat {
    const struct store *store;
    struct redis_pool *pool;
    int64_t lease_ns;
    struct thread thread;
    struct mutex mutex;
    struct cond changed;            /* renewed, or stopping */
    bool stopping;                  /* guarded by mutex */
    int64_t asked_ns;               /* the thread's own: when it last asked for all; 0 = never */
    atomic_int_fast64_t renewed_ns; /* monotonic start of the last successful renewal; 0 = never */
    atomic_int_fast64_t calm_since_ns;
    atomic_int_fast64_t moved_ns;        /* when its thread last came round */
    atomic_int_fast64_t redis_offset_us; /* Redis' time - monotonic time */
    atomic_uint_fast64_t generation;
    atomic_uint_fast64_t registered; /* claims in our registry when last asked */
};

void heartbeat_init(struct heartbeat *h, const struct store *store, struct redis_pool *pool,
                    double lease_s);
void heartbeat_release(struct heartbeat *h);
int heartbeat_start(struct heartbeat *h) warn_unused_result;
/* Joins; may be called again. The lease is left to lapse or be removed; whoever waits for it to be
 * fresh is told no. */
void heartbeat_stop(struct heartbeat *h);

/* True while the lease has certainly not lapsed. */
bool heartbeat_fresh(const struct heartbeat *h);
bool heartbeat_fresh_at(const struct heartbeat *h, int64_t mono_ns);
/* Waits until it is fresh; false at the deadline or when stopping. */
bool heartbeat_wait_fresh(struct heartbeat *h, int64_t deadline_ns);
/* True when a blocking wait may start now, of heartbeat_wait_seconds() as of then. */
bool heartbeat_may_wait(const struct heartbeat *h);
double heartbeat_wait_seconds(const struct heartbeat *h);
/* True when Redis has been without trouble for a full lease, and long enough for every worker to
 * have come back, and the next renewal is not overdue. */
bool heartbeat_calm(const struct heartbeat *h);
/* Redis' time until which calm that was seen now proves that no lease has lapsed by a stall: the
 * last renewals of all workers and this moment lie within one lease. */
double heartbeat_calm_until(const struct heartbeat *h);
/* Somebody met trouble: a timeout, a lost connection. */
void heartbeat_note_trouble(struct heartbeat *h);

/* True while its thread comes round, whether Redis answers or not: for a watchdog. */
bool heartbeat_is_moving(const struct heartbeat *h);

uint64_t heartbeat_generation(const struct heartbeat *h);
/* Claims in our registry when it was last asked for; 0 once that has been looked into. */
uint64_t heartbeat_registered(const struct heartbeat *h);
void heartbeat_forget_registered(struct heartbeat *h);
/* Redis' time at a monotonic one, and now; the local clock's before the first renewal. */
double heartbeat_redis_at(const struct heartbeat *h, int64_t mono_ns);
double heartbeat_redis_now(const struct heartbeat *h);

#endif
