/*
 * The gate: first a permit, then a connection; given back in reverse.
 *
 * Model. `max_connections` bounds all connections of the process to Redis. Of these, private ones
 * (blocking waits, heartbeat, control) are reserved for their owners, and the rest serve the gated
 * operations. Since permits + reserved <= max_connections, a thread that holds a permit always
 * finds a connection or room to open one: the pool cannot be exhausted, it can only make callers
 * wait for a permit. (Rejected: a bigger pool without a gate. It moves the failure to the server's
 * maxclients.)
 *
 * Connections open lazily, are reused last-in first-out (so that surplus ones grow old), are
 * checked for staleness before each reuse, closed when broken and, by redis_pool_tend(), when
 * unused for idle_timeout. A connection that was given back broken is closed, never reused.
 *
 * Failover. When a connection is given back because its server is no master any more, all others
 * that were opened before are of no use either: idle ones are closed before they are reused, those
 * in use when they come back. A pool whose options want a master never opens one to a replica, so
 * waiting for the new master is an outage like any other.
 *
 * Outage. A failed connect opens a circuit breaker (redis/breaker.h): until its jittered back-off
 * (50 ms doubling to 5 s) has passed nobody connects; callers wait asleep for it, without a permit
 * and up to their own deadline, and then exactly one of them tries. So an outage costs a handful
 * of system calls a second however many threads want Redis, and recovery is noticed within the
 * back-off. Connections that still work are used meanwhile: a server at its maxclients refuses
 * new ones and serves the old.
 *
 * After it, connections come back by a slow start (redis/door.h), and likewise when established
 * ones turn out to be lost: over some four seconds the pool lets as many be opened as it may have.
 * The first is let through at once and shared by all; whoever finds none idle sleeps as in the
 * outage, without a permit, until one is given back or it is time for another. So nobody waits
 * longer than the operations of those before it take, and a fleet is no herd.
 *
 * Threads: all functions are safe from any thread. A thread never holds two pooled connections
 * and never takes one while holding a mutex (docs/LOCKING.md).
 * Blocking: redis_pool_take() until its deadline, plus at most one connect timeout.
 * Errors: -ETIMEDOUT (no permit before the deadline), -ENOTCONN, -EAGAIN or -EROFS (server
 * unreachable, loading and the like or just back, or no master, until the deadline), -ECANCELED
 * (stopped); at once, though they open the breaker too: -EACCES (refused credentials), -EINVAL
 * (settings that cannot work), -EPROTO, -ENOMEM.
 */
#ifndef SLUICE_REDIS_POOL_H
#define SLUICE_REDIS_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/permit.h"
#include "redis/conn.h"

struct redis_pool; /* opaque */

struct redis_pool_options {
    struct redis_options redis; /* copied, strings included */
    int permits;                /* >= 1 */
    int max_connections;        /* >= permits + reserved */
    int reserved;               /* private connections that may be open at once */
    int64_t idle_timeout_ms;    /* close pooled connections unused for this long; <= 0 never */
};

/* 0 when permits + reserved fit; else -EINVAL with the sum spelled out. */
int redis_pool_check(int permits, int reserved, int max_connections,
                     struct err *err) warn_unused_result;

int redis_pool_new(const struct redis_pool_options *o, struct redis_pool **ret,
                   struct err *err) warn_unused_result;
/* Closes all idle connections. Every taken connection must have been given back. */
void redis_pool_free(struct redis_pool *pool);

/* Passes the gate. On success the caller owns *ret until redis_pool_give(), which closes it when
 * it is broken or replies are outstanding. */
int redis_pool_take(struct redis_pool *pool, int64_t deadline_ns, struct redis_conn **ret,
                    struct err *err) warn_unused_result;
void redis_pool_give(struct redis_pool *pool, struct redis_conn *c);

/* One operation of n commands (n >= 1), sent in one pipeline: the gate, the connection and the
 * replies in one call, for whoever needs no connection of its own. When no permit is free, small
 * ones do not wait for one: whoever has a connection for such a call takes them along, so that many
 * that come at once cost Redis and this process less each, not more.
 *
 * ret: room for n replies, which the caller frees; NULL when they do not matter. All are NULL after
 * a failure, also when the failure is an error reply to one of them (its code is returned then, and
 * the other commands may have taken effect). What a failed connection leaves unknown is unknown for
 * all who rode on it. Only for commands that Redis answers at once: others may stand behind them.
 * The deadline is for the gate, as with redis_pool_take(). */
int redis_pool_call(struct redis_pool *pool, int64_t deadline_ns, const struct command *cmd, int n,
                    struct reply **ret, struct err *err) warn_unused_result;

/* Whether a private connection has to wait for its turn in the slow start. */
enum redis_haste { REDIS_IN_TURN, REDIS_AT_ONCE };

/* A private connection, outside the permits and inside the budget: at most `reserved` at once
 * (-EBUSY beyond that). It does not wait: -ENOTCONN at once while the breaker is open, -EAGAIN when
 * its turn has not come (ask again soon); its own failure to connect opens the breaker. `role` is
 * appended to the client name. */
int redis_pool_take_private(struct redis_pool *pool, const char *role, enum redis_haste haste,
                            struct redis_conn **ret, struct err *err) warn_unused_result;
void redis_pool_give_private(struct redis_pool *pool, struct redis_conn *c); /* closes it */

/* Live change of the cap on strings in replies (redis/conn.h), for all that is taken from now on;
 * 0, as it is at first: none. */
void redis_pool_set_bulk_max(struct redis_pool *pool, size_t bytes);

/* True when a server has been found to be no master since this connection was opened: whoever holds
 * one that hears no errors (a subscription) has to ask. Gated ones are replaced by themselves. */
bool redis_pool_outdated(struct redis_pool *pool, struct redis_conn *c);

/* Sleeps until the breaker lets somebody try, the deadline passes or the pool stops. */
void redis_pool_wait_ready(struct redis_pool *pool, int64_t deadline_ns);

/* Closes connections that have been idle too long. Call it every second or so. */
void redis_pool_tend(struct redis_pool *pool);

/* Live change of the permits; -EINVAL when permits + reserved do not fit the pool. */
int redis_pool_resize(struct redis_pool *pool, int permits, struct err *err) warn_unused_result;

/* Every waiter and later taker gets -ECANCELED; connections in use stay usable. */
void redis_pool_stop(struct redis_pool *pool);

struct redis_pool_stats {
    int permits_limit, permits_in_use, permits_waiting, permits_peak;
    /* Private connections included. */
    int connections_limit, connections_open, connections_in_use, connections_peak;
    int reserved, reserved_open;
    /* Since the start. */
    uint64_t takes, rode; /* operations with a connection of their own, and those without */
    uint64_t connects, connect_failures, discarded;
    uint64_t reconnects; /* of the connects, those in place of connections that broke */
    uint64_t permit_wait_p50_us, permit_wait_p99_us;
    /* The pool's own: they go on counting, and live as long as it. */
    const struct histogram *permit_wait;
    const struct histogram *op; /* from the return of a take to the give */
    bool breaker_open;
};
void redis_pool_stats(struct redis_pool *pool, struct redis_pool_stats *ret);

/* The highest permits in use and connections open since the last call, since what is reported at
 * intervals shows nothing of what lies between them. For one caller. */
void redis_pool_recent_peaks(struct redis_pool *pool, int *ret_permits, int *ret_connections);

#endif
