/*
 * Snapshots of what everybody asks about, each read at most once a second: figures with the queues,
 * the workers, and the jobs that run.
 *
 * However many clients poll, Redis is asked once: the first whose snapshot is too old reads the
 * next one, and whoever comes meanwhile waits for it. What nobody asks for is not read.
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
#include "store/running.h"

enum snapshot_kind { SNAPSHOT_FIGURES, SNAPSHOT_WORKERS, SNAPSHOT_RUNNING, SNAPSHOT_KINDS };

/* Of one kind: what belongs to the others is empty. */
struct snapshot {
    atomic_int refs;
    int64_t at_ns; /* monotonic */
    struct store_stats stats;
    struct queue_info *queues;
    size_t nqueues;
    struct worker_info *workers;
    size_t nworkers;
    struct running running;
};

struct snapshots {
    struct mutex mutex; /* guards: below */
    struct cond changed;
    struct {
        struct snapshot *last; /* NULL: none yet */
        bool reading;
        int fd; /* of the connection that it is read from, or -1 */
    } of[SNAPSHOT_KINDS];
    bool interrupted;
};

void snapshots_init(struct snapshots *s);
void snapshots_release(struct snapshots *s);
/* For the stop, once the pool has been stopped: reading fails now, however long Redis would take to
 * answer. */
void snapshots_interrupt(struct snapshots *s);

/* Passes the gate for itself when it has to read, so the caller holds no connection. Fails as that
 * or the store does; -ETIMEDOUT when somebody else reads for longer than the caller may wait. */
int snapshot_get(struct api *a, enum snapshot_kind kind, int64_t deadline_ns, struct snapshot **ret,
                 struct err *err) warn_unused_result;
void snapshot_unref(struct snapshot *s); /* accepts NULL */

/* The same for a route; NULL when the answer is that it failed. */
struct snapshot *snapshot_for(struct call *c, enum snapshot_kind kind) warn_unused_result;

#endif
