/* The stop: what happens between the services' ends, and its bounds. worker.h tells the order. */
#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/child.h"
#include "store/lease.h"
#include "worker/services.h"

enum {
    FLUSH_MS = 5000,     /* for the acks of finished jobs */
    GIVE_BACK_MS = 5000, /* for the script that returns what is left */
    GRACE_MS = 3000,     /* for handlers that were told to stop */
    AT_ONCE_MS = 500,    /* for each of these, when asked to hurry */
    RETRY_MS = 50,
    /* For what services and then the heartbeat have under way at Redis: a connection and a reply.
     */
    UNDER_WAY_MS = 2 * (5000 + 5000),
};
static_assert(UNDER_WAY_MS + FLUSH_MS + GIVE_BACK_MS + GRACE_MS + GIVE_BACK_MS <
                  WORKER_FINISH_S * 1000,
              "the bounds of all steps");

void worker_begin_stop(struct worker *w)
{
    w->begun_stop = true;
    dispatch_open(&w->dispatch, false);
}

bool worker_wait_drained(struct worker *w, int64_t deadline_ns)
{
    return dispatch_wait_idle(&w->dispatch, deadline_ns);
}

/* All claims of ours, in Redis, back to their queues; and our name out of the books. */
static void give_back(struct worker *w, int64_t deadline)
{
    uint64_t moved = 0;
    int64_t max_payload = live_max_payload(&w->live);
    struct err err = {""};
    int rc;
    if (waker_has_ghosts(&w->waker)) {
        log_warn("a lost blocking wait may still take a job: others recover what is claimed when "
                 "the lease has lapsed");
        return;
    }
    do {
        struct redis_conn *conn = NULL;
        struct recovered got = {0};
        rc = redis_pool_take(w->pool, deadline, &conn, &err);
        if (rc == 0)
            rc = store_recover(w->store, conn, NULL, 0, max_payload, &got, &err);
        if (conn)
            redis_pool_give(w->pool, conn);
        if (rc != 0) { /* an error that comes at once must not make a busy loop */
            struct timespec pause = clock_timespec(RETRY_MS * NS_PER_MS);
            (void)nanosleep(&pause, NULL);
            continue;
        }
        moved += got.moved;
        oversize_note_unread(&w->oversize, got.unread, "", max_payload);
        for (size_t i = 0; i < got.nwrong; i++)
            log_error("jobs stay claimed: a key holds another type",
                      log_slice("key", recovered_wrong(&got, i)));
        bool more = got.state == RECOVER_MORE;
        reply_free(got.reply);
        if (!more)
            break;
    } while (clock_now_ns() < deadline);
    if (rc != 0)
        log_warn("could not give back what is left: others recover it when the lease has lapsed",
                 log_str("error", err.text[0] ? err.text : err_phrase(rc)));
    else if (moved > 0)
        log_warn("unfinished jobs went back to their queues", log_int("jobs", (int64_t)moved));
}

bool worker_finish(struct worker *w, bool at_once)
{
    worker_begin_stop(w);
    /* No more promotions, no more presence; executors live on, for jobs that still run. */
    services_stop_above(w, SERVICE_EXECUTORS);

    /* Whoever still runs loses its job now: after this its end writes nothing. */
    bool ended = dispatch_wait_idle(&w->dispatch, clock_now_ns());
    if (!ended)
        runner_stop_all(&w->runner, RUN_SHUTDOWN, true);
    /* No wait may outlive our name in the books: nobody would find the job that it takes. */
    if (services_has(w, SERVICE_WAKER))
        waker_stop(&w->waker);
    if (services_has(w, SERVICE_SETTLER) &&
        !settler_flush(&w->settler, clock_deadline_ms(at_once ? AT_ONCE_MS : FLUSH_MS)))
        log_warn("acks of finished jobs could not be written: these jobs run again",
                 log_int("jobs", settler_pending(&w->settler)));
    /* Before the lease is given up nobody may renew it; and who waits for it must not any more. */
    bool leased = services_has(w, SERVICE_HEARTBEAT);
    if (leased)
        heartbeat_stop(&w->heartbeat);
    if (!ended && leased) {
        give_back(w, clock_deadline_ms(at_once ? AT_ONCE_MS : GIVE_BACK_MS));
        ended =
            dispatch_wait_idle(&w->dispatch, clock_deadline_ms(at_once ? AT_ONCE_MS : GRACE_MS));
    }
    if (!ended) {
        log_warn("handlers do not return; leaving without them");
        child_kill_all(); /* else they would outlive us, beside the new runs of their jobs */
        return false;
    }
    services_stop_all(w);
    if (leased) /* what landed at the last moment, and our registration */
        give_back(w, clock_deadline_ms(at_once ? AT_ONCE_MS : GIVE_BACK_MS));
    redis_pool_stop(w->pool);
    return true;
}
