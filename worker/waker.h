/*
 * The waker: watches dry queues, so that a pushed job starts at once and an idle worker costs
 * Redis next to nothing.
 *
 * When the queues are dry and a thread is free, one private connection per queue (the first
 * CONF_BLOCKING_MAX; further ones, and after an outage those whose connection is not back yet, are
 * looked at every POLL_MS) waits in
 * `BLMOVE queue -> a claim of ours`: a job that wakes us is safe already. It goes to dispatch; if
 * no thread is free for it, or the queue is paused, it goes straight back to its queue. Waits are
 * not renewed while all threads are busy, so at most one job per queue makes that detour.
 *
 * One thread polls all of these connections. It also returns claimed jobs that have found no
 * thread (dispatch_surplus), because it is the one that is never busy with a job.
 *
 * A wait whose connection breaks may have moved a job all the same, and until the server notices,
 * its ghost may still do so: the claim's number is dropped from inflight and `lost_reply` asks for
 * reconciliation; the old client is killed by its id. A job above the cap of the connection
 * (redis/bulk_cap.h) breaks it likewise, but leaves no ghost, since its wait has ended. Where that
 * fails, the ghost may live on when this process has ended: waker_has_ghosts() then says that our
 * name must stay in the books.
 *
 * Threads: waker_notify() from any thread.
 */
#ifndef SLUICE_WORKER_WAKER_H
#define SLUICE_WORKER_WAKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "worker/dispatch.h"
#include "worker/live.h"
#include "worker/settler.h"

struct wait_slot; /* one watched queue */

struct waker {
    const struct store *store;
    struct redis_pool *pool;
    struct dispatch *dispatch;
    struct settler *settler;
    struct inflight *inflight;
    struct heartbeat *heartbeat;
    struct live *live;
    void (*lost_reply)(void *ctx);
    void *lost_reply_ctx;

    int event_fd;
    atomic_bool stopping;
    struct thread thread;
    /* the thread's own: */
    uint64_t conf_version;
    struct wait_slot *slots;
    int nslots;
    bool more_queues;        /* than slots */
    bool unwatched;          /* some queue has no wait: it is looked at every POLL_MS */
    int64_t ghosts_until_ns; /* of slots that are closed */
    atomic_uint_fast64_t landed;
};

int waker_init(struct waker *w) warn_unused_result; /* the pointers above are set by the caller */
int waker_start(struct waker *w) warn_unused_result;
/* Ends all waits, gives back what they brought, joins. May be called again. */
void waker_stop(struct waker *w);
/* Only after the stop: a lost wait may still move a job into a claim of ours. */
bool waker_has_ghosts(const struct waker *w);
void waker_release(struct waker *w);
void waker_notify(void *waker);

#endif
