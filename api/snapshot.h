/*
 * A snapshot of what everybody asks about: figures and queues, read at most once a second.
 *
 * However many clients poll, Redis is asked once: the first whose snapshot is too old reads the
 * next one, and whoever comes meanwhile waits for it.
 *
 * Threads: safe from any; the mutex is not held while Redis is read. Ownership: snapshots are
 * counted by reference and never change.
 */
#ifndef SLUICE_API_SNAPSHOT_H
#define SLUICE_API_SNAPSHOT_H

#include <stdatomic.h>

#include "api/call.h"
#include "base/thread.h"
#include "store/inspect.h"

struct snapshot {
    atomic_int refs;
    int64_t at_ns; /* monotonic */
    struct store_stats stats;
    struct queue_info *queues;
    size_t nqueues;
};

struct snapshots {
    struct mutex mutex; /* guards: below */
    struct cond changed;
    struct snapshot *last; /* NULL: none yet */
    bool reading;
};

void snapshots_init(struct snapshots *s);
void snapshots_release(struct snapshots *s);

/* Passes the gate when it has to read. Fails as that or the store does; -ETIMEDOUT when somebody
 * else reads for longer than the call may wait. */
int snapshot_get(struct call *c, struct snapshot **ret, struct err *err) warn_unused_result;
void snapshot_unref(struct snapshot *s);

#endif
