#include "worker/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

enum { POLL_MAX_MS = 2500, POLL_MIN_MS = 2, AFTER_ERROR_MS = 1000, TAKE_MS = 2000 };
enum { STUCK_MAX = 10000 }; /* entries without a way that are passed over to reach others */

static const char *const set_names[DUE_SETS] = {
    [DUE_SCHEDULE] = "schedule",
    [DUE_RETRY] = "retry",
};

/* Moves all that is due in one set. *ret_hold_s is set when something has to stay: until then. */
static int promote_all(struct scheduler *s, struct redis_conn *conn, enum due_set set,
                       double *ret_hold_s, struct err *err)
{
    struct promotion p = {0};
    uint64_t stuck = 0;
    int64_t max_payload = live_max_payload(s->live);
    do {
        int rc = store_promote(s->store, conn, set, stuck, max_payload, &p, err);
        if (rc != 0)
            return rc;
        oversize_note_unread(s->oversize, p.unread, set_names[set], max_payload);
        reply_free(p.reply);
        stuck += p.stuck;
        atomic_fetch_add(&s->promoted, p.moved);
        if (p.moved > 0)
            log_debug("due jobs went to their queues", log_str("set", set_names[set]),
                      log_int("jobs", (int64_t)p.moved));
        if (p.buried > 0)
            log_error("entries that are no jobs were moved to dead", log_str("set", set_names[set]),
                      log_int("entries", (int64_t)p.buried));
    } while (p.more && stuck < STUCK_MAX);
    if (stuck > 0) {
        log_error("due jobs cannot go to their queues: a key holds another type",
                  log_str("set", set_names[set]), log_int("jobs", (int64_t)stuck));
        *ret_hold_s = AFTER_ERROR_MS / 1000.0;
    }
    return 0;
}

/* Moves what is due and shortens *pause_s to what is due next. */
static int look(struct scheduler *s, struct redis_conn *conn, double *pause_s, struct err *err)
{
    double in[DUE_SETS], hold_s[DUE_SETS] = {-1, -1}; /* what stays due is not due at once */
    bool moved = false;
    int rc = store_next_due(s->store, conn, *pause_s, in, err);
    for (int set = 0; rc == 0 && set < DUE_SETS; set++) {
        if (in[set] != 0)
            continue;
        moved = true;
        rc = promote_all(s, conn, (enum due_set)set, &hold_s[set], err);
        if (rc == -EMEDIUMTYPE) { /* the other set goes on */
            log_error("a set of due jobs is of another type: passed over",
                      log_str("set", set_names[set]));
            rc = 0;
            hold_s[set] = *pause_s;
        }
    }
    if (rc == 0 && moved)
        rc = store_next_due(s->store, conn, *pause_s, in, err);
    for (int set = 0; rc == 0 && set < DUE_SETS; set++) {
        double next_s = hold_s[set] >= 0 ? hold_s[set] : in[set];
        if (next_s >= 0 && next_s < *pause_s)
            *pause_s = next_s;
    }
    return rc;
}

static int64_t tick(void *ctx)
{
    struct scheduler *s = ctx;
    struct redis_conn *conn = NULL;
    struct err err = {""};
    /* The jitter keeps the pollers of a fleet apart. */
    double pause_s = POLL_MAX_MS / 1000.0 * (0.9 + random_unit() / 10);
    /* Before the first renewal nobody here knows Redis' time. */
    if (!heartbeat_wait_fresh(s->heartbeat, clock_deadline_ms(TAKE_MS)))
        return AFTER_ERROR_MS;
    int rc = redis_pool_take(s->pool, clock_deadline_ms(TAKE_MS), &conn, &err);
    if (rc == 0) {
        rc = look(s, conn, &pause_s, &err);
        redis_pool_give(s->pool, conn);
    }
    if (rc == -ECANCELED || rc == -ETIMEDOUT)
        return AFTER_ERROR_MS;
    if (rc != 0) {
        log_warn("could not look at the schedule", log_str("error", err.text));
        return AFTER_ERROR_MS;
    }
    int64_t ms = (int64_t)(pause_s * 1000) + 1; /* our idea of Redis' clock may be a little early */
    return ms < POLL_MIN_MS ? POLL_MIN_MS : ms;
}

int scheduler_start(struct scheduler *s)
{
    return ticker_start(&s->ticker, "scheduler", tick, s);
}

void scheduler_stop(struct scheduler *s)
{
    ticker_stop(&s->ticker);
}
