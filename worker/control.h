/*
 * Control: orders that come while the worker runs (store/order.h), on the channels `sluice:control`
 * (to all) and `sluice:control:<identity>` (to this one).
 *
 * Pub/sub promises nothing, so a message is a hint. What must hold is in Redis and read again after
 * each subscription: first subscribe, then read, so that nothing falls between. Where subscribing
 * is refused (an ACL without channels), the state is read every two seconds instead.
 *
 * A connection of its own, outside the permits, since it waits for ever. Every ten seconds it
 * proves that it still works (PING), else it is opened anew. What has to be written for an order
 * (its answer, say) passes the gate like anything else.
 *
 * This file is the connection; what becomes of what it hears is in obey.c, and what the main thread
 * does of it in orders.c.
 *
 * Threads: one of its own. It calls back from it; the callbacks must not block.
 */
#ifndef SLUICE_WORKER_CONTROL_H
#define SLUICE_WORKER_CONTROL_H

#include <stdatomic.h>

#include "base/thread.h"
#include "redis/pool.h"
#include "store/store.h"
#include "worker/cancelled.h"
#include "worker/inbox.h"

struct control {
    const struct store *store;
    struct redis_pool *pool;
    struct cancelled *cancelled;
    void (*cancel)(void *ctx); /* the set has grown: look at what runs */
    void *cancel_ctx;
    void (*unpaused)(void *ctx); /* a queue: look whether it holds jobs */
    void *unpaused_ctx;
    void (*describe)(void *ctx, struct buf *out); /* for a ping: members of a JSON object */
    void *describe_ctx;
    struct inbox *inbox;
    struct thread thread;
    int wake; /* eventfd: stop */
    atomic_bool stopping;
    /* the thread's own: */
    struct redis_conn *conn;
    int64_t heard_ns, pinged_ns;
    bool behind;         /* there is more to read */
    bool cancels;        /* the set of cancelled jobs has grown by what was read */
    struct errands todo; /* what has to be written, obey.h */
};

int control_start(struct control *c) warn_unused_result; /* pointers set by the caller */
void control_stop(struct control *c);

#endif
