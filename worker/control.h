/*
 * Control: orders that come while the worker runs, on the channels `sluice:control` (to all) and
 * `sluice:control:<identity>` (to this one), as JSON: {"cmd":"cancel","jid":…}, {"cmd":"quiet"},
 * {"cmd":"resume"}, {"cmd":"stop"}.
 *
 * Pub/sub promises nothing, so a message is a hint. What must hold is in Redis and read again after
 * each subscription: first subscribe, then read, so that nothing falls between. Where subscribing
 * is refused (an ACL without channels), the state is read every two seconds instead.
 *
 * A connection of its own, outside the permits, since it waits for ever. Every ten seconds it
 * proves that it still works (PING), else it is opened anew.
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

enum control_order { CONTROL_QUIET, CONTROL_RESUME, CONTROL_STOP };

struct control {
    const struct store *store;
    struct redis_pool *pool;
    struct cancelled *cancelled;
    void (*cancel)(void *ctx); /* the set has grown: look at what runs */
    void *cancel_ctx;
    void (*order)(void *ctx, enum control_order order);
    void *order_ctx;
    struct thread thread;
    int wake; /* eventfd: stop */
    atomic_bool stopping;
    /* the thread's own: */
    struct redis_conn *conn;
    int64_t heard_ns, pinged_ns;
};

int control_start(struct control *c) warn_unused_result; /* pointers set by the caller */
void control_stop(struct control *c);

#endif
