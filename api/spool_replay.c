/*
 * The replay: a thread that sends to Redis what lies in the spool, in order, many at a time.
 *
 * A batch (api/spool_batch.h) is one pipeline. From the first that Redis has not taken on, its
 * requests are read and sent again, after a while if it is away.
 *
 * After each batch the position is written, before the next begins. It is on disk after so many
 * only, and when there is nothing left: what would be sent again after a loss of power is not
 * enqueued again, and waiting for the disk each time took half of the replay.
 */
#include <stdlib.h>

#include "api/spool_batch.h"
#include "api/spool_refused.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"

enum { SYNC_EVERY = 32, GATE_MS = 5000, BACKOFF_MS = 50, BACKOFF_CAP_MS = 2000 };

struct replay {
    struct spool *s;
    struct spool_batch batch;
    int unsynced; /* batches that the position on disk does not know */
};

/* ---- what came of it ---- */

/* What time does not heal. */
static bool is_refusal(int rc)
{
    return rc == -EMEDIUMTYPE || rc == -EACCES || rc == -EPROTO;
}

/* Why Redis does not want a request, and will not; NULL: it does. */
static const char *refusal(const struct enqueue *e)
{
    if (is_refusal(e->rc))
        return e->err.text;
    if (e->rc == 0 && e->was && !once_same(reply_str(e->was), e->record))
        return "its Idempotency-Key was used for another body before";
    return NULL;
}

/* Of one of the batch. 0: it is done with. -EAGAIN with nothing said: the one before it was not
 * enqueued, and neither was this. Else the error that it will be tried again after. */
static int conclude(struct replay *r, int i, bool *ret_refused, struct err *err)
{
    const struct enqueue *e = &r->batch.each[i];
    const char *why = refusal(e);
    *ret_refused = why != NULL;
    if (why)
        return spool_refuse(&r->s->folder, &r->batch.item[i].record, e->batch, why, err);
    if (e->rc != 0)
        return err_set(err, e->rc, "%s", e->err.text);
    return e->stopped && e->reached < e->guard.number ? -EAGAIN : 0;
}

/* Notes how far it has come. */
static void set_position(struct replay *r, bool sync)
{
    struct err err = {""};
    sync = sync || ++r->unsynced >= SYNC_EVERY;
    if (sync)
        r->unsynced = 0;
    if (spool_folder_set_position(&r->s->folder, r->s->done, sync, &err) != 0)
        log_warn("the spool cannot note how far it has been replayed; at a start it looks again",
                 log_str("error", err.text));
}

/* The first n of the batch are done with. */
static void advance(struct replay *r, int n, const bool *refused)
{
    struct spool *s = r->s;
    bool over, any_refused = false;
    mutex_lock(&s->mutex);
    for (int i = 0; i < n; i++) {
        const struct spool_item *item = &r->batch.item[i];
        s->done = item->next;
        s->records--;
        s->jobs -= item->record.njobs;
        *(refused[i] ? &s->refused : &s->replayed) += item->record.njobs;
        s->oldest_us = item->record.accepted_us;
        any_refused = any_refused || refused[i];
    }
    over = s->records == 0;
    if (over)
        memset(s->kept, 0, sizeof s->kept);
    int64_t took_ns = clock_now_ns() - s->began_ns;
    int64_t jobs = (int64_t)s->outage;
    mutex_unlock(&s->mutex);
    set_position(r, over || any_refused);
    if (over)
        log_info("the spool has been replayed", log_int("jobs", jobs),
                 log_real("s", (double)(took_ns / NS_PER_MS) / 1000));
}

/* ---- a batch ---- */

/* It has caught up with the disk, and Redis has taken what was sent before: newcomers wait. */
static void close_maybe(struct replay *r)
{
    struct spool *s = r->s;
    mutex_lock(&s->mutex);
    if (s->replaying && s->records == (size_t)r->batch.n)
        s->closing = true;
    mutex_unlock(&s->mutex);
}

static int send_batch(struct replay *r, struct err *err)
{
    struct spool_batch *b = &r->batch;
    struct redis_pool *pool = r->s->pool;
    struct redis_conn *c;
    struct enqueue *all[SPOOL_BATCH];
    bool refused[SPOOL_BATCH];
    int done = 0, why = 0;
    int rc = redis_pool_take(pool, clock_deadline_ms(GATE_MS), &c, err);
    if (rc != 0)
        return rc;
    close_maybe(r);
    for (int i = 0; i < b->n; i++)
        all[i] = &b->each[i];
    store_enqueue_all(r->s->store, c, all, b->n);
    redis_pool_give(pool, c);
    while (done < b->n && (why = conclude(r, done, &refused[done], err)) == 0)
        done++;
    if (done > 0)
        advance(r, done, refused);
    return why == -EAGAIN && done > 0 ? 0 : why;
}

static int replay_some(struct replay *r, struct err *err)
{
    int rc = spool_batch_read(&r->batch, err);
    if (rc == 0 && r->batch.n > 0)
        rc = send_batch(r, err);
    spool_batch_clear(&r->batch);
    return rc;
}

/* ---- the thread ---- */

/* Something lies there, be it only an empty segment that nobody writes to. */
static bool has_work_locked(const struct spool *s)
{
    return s->nsegments > 0 && (s->records > 0 || (!s->writing && !s->waiting));
}

/* Newcomers need not wait any more: nothing is left, or Redis is away again. */
static void open_locked(struct spool *s)
{
    s->closing = false;
    cond_broadcast(&s->changed);
}

/* Until it is worth another try. */
static void wait_locked(struct spool *s, int64_t ms)
{
    int64_t deadline_ns = clock_deadline_ms(ms);
    while (!s->stopping && cond_wait_until(&s->work, &s->mutex, deadline_ns))
        ;
}

/* A failure is told once, until something succeeds. */
static void tell(bool was_fine, int rc, const struct err *err)
{
    if (rc != 0 && rc != -ECANCELED && was_fine)
        log_warn("the spool waits", log_str("why", err->text));
}

static void *replay_main(void *arg)
{
    struct replay *r = arg;
    struct spool *s = r->s;
    struct backoff backoff = {.base_ms = BACKOFF_MS, .cap_ms = BACKOFF_CAP_MS};
    mutex_lock(&s->mutex);
    while (!s->stopping) {
        struct err err = {""};
        if (s->closing && !spool_in_use_locked(s))
            open_locked(s);
        if (!has_work_locked(s)) {
            (void)cond_wait_until(&s->work, &s->mutex, CLOCK_NEVER); /* the loop looks again */
            continue;
        }
        bool was_fine = s->replaying;
        mutex_unlock(&s->mutex);
        int rc = replay_some(r, &err);
        tell(was_fine, rc, &err);
        mutex_lock(&s->mutex);
        s->replaying = rc == 0;
        if (rc == 0) {
            backoff_reset(&backoff);
            continue;
        }
        open_locked(s);
        wait_locked(s, backoff_next_ms(&backoff));
    }
    mutex_unlock(&s->mutex);
    spool_batch_release(&r->batch);
    free(r);
    return NULL;
}

int spool_start(struct spool *s)
{
    struct replay *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->s = s;
    spool_batch_init(&r->batch, s);
    int rc = thread_start(&s->replayer, "spool", replay_main, r);
    if (rc != 0)
        free(r);
    return rc;
}
