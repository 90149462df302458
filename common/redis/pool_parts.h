/*
 * What a pool is made of: for pool.c, which takes and gives, pool_call.c, where operations ride,
 * and pool_upkeep.c, which looks after it.
 */
#ifndef SLUICE_REDIS_POOL_PARTS_H
#define SLUICE_REDIS_POOL_PARTS_H

#include "redis/door.h"
#include "redis/pool.h"

struct idle {
    struct redis_conn *conn;
    int64_t since_ns;
};

struct redis_pool {
    struct redis_options redis; /* strings in `storage` */
    char *storage;
    int max_connections, reserved;
    int64_t idle_timeout_ms;
    struct permit permit;
    atomic_size_t bulk_max;
    struct histogram op; /* how long connections were lent out */
    /* Counts the times a server was found to be no master; a connection of an earlier epoch is not
     * used again. */
    atomic_uint epoch;
    atomic_ullong rode; /* operations that another one took along */

    struct mutex mutex; /* guards: all below */
    struct cond chance; /* a sleeping taker may find a connection or the way to open one */
    struct cond turn;   /* the door has changed its state */
    int sleepers;       /* threads waiting for `chance` */
    bool has_lookout;   /* one of them watches the clock */
    bool stopping;
    struct door door;
    int open;         /* all connections, private ones and those being opened included */
    int private_open; /* of these, the private ones */
    int in_use;       /* of these, those taken, private ones included */
    int peak;         /* highest `open` */
    int recent;       /* the same since redis_pool_recent_peaks() was asked last */
    uint64_t given, connects, connect_failures, discarded;
    uint64_t broken, reconnects; /* broken: and not yet replaced */
    int idle_count;
    struct idle idle[]; /* a stack: the longest unused lies at the bottom */
};

/* redis_pool_take(); with a waiter it may also be PERMIT_RODE, and there is no connection. */
int redis_pool_enter(struct redis_pool *pool, int64_t deadline_ns, struct permit_waiter *self,
                     struct redis_conn **ret, struct err *err) warn_unused_result;

/* Closes a connection that is counted, and uncounts it. */
void redis_pool_close(struct redis_pool *pool, enum lane lane, struct redis_conn *c);

#endif
