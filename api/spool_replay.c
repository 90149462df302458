/*
 * The replay: a thread that sends to Redis what lies in the spool, in order, many at a time.
 *
 * A batch is one pipeline (store_enqueue()). Its requests form a chain: each has its place in
 * the folder for its number, and the number before it for its floor, so that none is enqueued when
 * the one before it was not; the rest of the batch is then sent again. What was sent under a slot
 * before it was spooled has that as its guard and goes alone.
 *
 * After each batch the position is on disk before the next begins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/once.h"
#include "api/spool_parts.h"
#include "api/spool_refused.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"

enum { BATCH = STORE_ENQUEUE_MAX, GATE_MS = 5000, BACKOFF_MS = 50, BACKOFF_CAP_MS = 2000 };

/* One request of a batch. */
struct item {
    struct spool_record record;
    struct spool_position at, next; /* where it lies, and the one behind it */
    struct job_batch batch;
    char guard[SPOOL_RUN + 16];
    char key[ONCE_KEY_MAX + 1];
};

struct replay {
    struct spool *s;
    struct spool_cursor cursor; /* fd -1: not open */
    uint64_t segment;           /* that it reads */
    struct item item[BATCH];
    struct enqueue each[BATCH];
    int n;
};

/* ---- reading a batch ---- */

static void close_cursor(struct replay *r)
{
    if (r->cursor.fd >= 0)
        (void)close(r->cursor.fd); /* only read */
    spool_cursor_release(&r->cursor);
    r->cursor = (struct spool_cursor){.fd = -1};
}

static void clear_batch(struct replay *r)
{
    for (int i = 0; i < r->n; i++) {
        job_batch_release(&r->item[i].batch);
        reply_free(r->each[i].was);
    }
    r->n = 0;
}

/* The cursor is where the replay goes on. */
static int open_cursor(struct replay *r, struct err *err)
{
    struct spool *s = r->s;
    int64_t size;
    mutex_lock(&s->mutex);
    struct spool_segment first = s->segment[0];
    struct spool_position done = s->done;
    mutex_unlock(&s->mutex);
    if (r->cursor.fd >= 0 && r->segment != first.number)
        close_cursor(r);
    if (r->cursor.fd < 0) {
        int rc = spool_segment_open(s->folder.fd, first.number, &r->cursor.fd, &size, err);
        if (rc != 0)
            return rc;
        r->segment = first.number;
    }
    int64_t at = done.segment == first.number ? done.offset : 0;
    if (r->cursor.at != at) {
        buf_clear(&r->cursor.window);
        r->cursor.used = 0;
        r->cursor.at = at;
    }
    r->cursor.end = first.end;
    return 0;
}

/* The guard of a request, and its place in the chain. */
static void set_guard(struct replay *r, struct item *item, struct enqueue *e)
{
    const struct spool_record *record = &item->record;
    int run = SPOOL_RUN;
    bool sent = record->slot != SPOOL_NO_SLOT;
    if (sent) /* as spool_turn_take() names it */
        (void)snprintf(item->guard, sizeof item->guard, "%.*s:%u", run, record->run.p,
                       record->slot);
    else
        (void)snprintf(item->guard, sizeof item->guard, "%.*s:spool", run, record->run.p);
    e->guard = (struct enqueue_guard){
        .name = item->guard,
        .floor = sent || r->n == 0 ? 0 : r->each[r->n - 1].guard.number,
        .number = sent ? record->number : (int64_t)(item->at.segment << 30) + item->at.offset,
    };
}

/* Takes a record into the batch. False when it has to begin the next one. -EBADMSG when it is none.
 */
static int take(struct replay *r, const struct spool_found *found, bool *ret_taken)
{
    struct item *item = &r->item[r->n];
    struct enqueue *e = &r->each[r->n];
    const struct spool_record *first = &r->item[0].record, *record = &item->record;
    *item = (struct item){.at = {0}};
    *e = (struct enqueue){.batch = &item->batch};
    int rc = spool_record_read(found->body, &item->record, &item->batch);
    if (rc == 0 && record->key.n >= sizeof item->key)
        rc = -EBADMSG;
    bool alone = record->slot != SPOOL_NO_SLOT;
    *ret_taken = rc == 0 && (r->n == 0 || (!alone && slice_eq(first->run, record->run)));
    if (!*ret_taken) {
        job_batch_release(&item->batch);
        return rc;
    }
    item->at = (struct spool_position){r->segment, found->begin};
    item->next = (struct spool_position){r->segment, found->begin + found->size};
    if (record->key.n > 0) {
        memcpy(item->key, record->key.p, record->key.n);
        item->key[record->key.n] = '\0';
        e->key = item->key;
        e->record = record->kept;
    }
    set_guard(r, item, e);
    r->n++;
    return 0;
}

/* More records behind the first, without reading. */
static void fill_batch(struct replay *r)
{
    struct spool_found found;
    bool taken = r->item[0].record.slot == SPOOL_NO_SLOT;
    while (taken && r->n < BATCH) {
        int64_t at = r->cursor.at;
        size_t used = r->cursor.used;
        spool_cursor_next_held(&r->cursor, &found);
        if (found.kind != FOUND_BODY)
            break;
        int rc = take(r, &found, &taken);
        if (rc != 0 || !taken) { /* it begins the next batch, or is what that finds damaged */
            r->cursor.at = at;
            r->cursor.used = used;
            break;
        }
    }
}

/* ---- the end of a segment, and of the spool ---- */

/* Takes the oldest segment off the list, unless it has grown meanwhile. */
static bool drop_segment(struct replay *r, struct spool_segment *ret)
{
    struct spool *s = r->s;
    bool dropped = false;
    int fd = -1;
    mutex_lock(&s->mutex);
    bool newest = s->nsegments == 1;
    bool grown = s->segment[0].end > r->cursor.at;
    if (!grown && !(newest && (s->writing || s->waiting))) {
        *ret = s->segment[0];
        s->nsegments--;
        memmove(s->segment, s->segment + 1, s->nsegments * sizeof *s->segment);
        s->bytes -= ret->end;
        if (newest) { /* nobody writes, so it is ours to close */
            fd = s->fd;
            s->fd = -1;
        }
        dropped = true;
    }
    mutex_unlock(&s->mutex);
    if (fd >= 0)
        (void)close(fd); /* all of it has been replayed */
    return dropped;
}

static int end_segment(struct replay *r, struct err *err)
{
    struct spool_segment segment;
    if (!drop_segment(r, &segment))
        return 0;
    spool_keys_release(&segment.keys);
    close_cursor(r);
    return spool_folder_retire(&r->s->folder, segment.number, segment.damaged, err);
}

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
    const struct enqueue *e = &r->each[i];
    const char *why = refusal(e);
    *ret_refused = why != NULL;
    if (why)
        return spool_refuse(&r->s->folder, &r->item[i].record, e->batch, why, err);
    if (e->rc != 0)
        return err_set(err, e->rc, "%s", e->err.text);
    return e->stopped && e->reached < e->guard.number ? -EAGAIN : 0;
}

/* The first n of the batch are done with. */
static void advance(struct replay *r, int n, const bool *refused)
{
    struct spool *s = r->s;
    bool over;
    mutex_lock(&s->mutex);
    for (int i = 0; i < n; i++) {
        const struct item *item = &r->item[i];
        s->done = item->next;
        s->records--;
        s->jobs -= item->record.njobs;
        *(refused[i] ? &s->refused : &s->replayed) += item->record.njobs;
        s->oldest_us = item->record.accepted_us;
    }
    over = s->records == 0;
    int64_t took_ns = clock_now_ns() - s->began_ns;
    int64_t jobs = (int64_t)s->outage;
    mutex_unlock(&s->mutex);
    if (over)
        log_info("the spool has been replayed", log_int("jobs", jobs),
                 log_real("s", (double)(took_ns / NS_PER_MS) / 1000));
}

/* ---- a batch ---- */

/* Something that is no record: what is done with it is in its segment's name. */
static void skip(struct replay *r, const struct spool_found *found)
{
    struct spool *s = r->s;
    mutex_lock(&s->mutex);
    bool told = s->segment[0].damaged;
    s->done = (struct spool_position){r->segment, r->cursor.at};
    mutex_unlock(&s->mutex);
    if (!told) /* else by spool_load() */
        spool_report_damage(s, r->segment, found);
}

/* A batch, of at least one; none when something else had to be done first. */
static int read_batch(struct replay *r, struct err *err)
{
    struct spool_found found;
    bool taken = false;
    int rc = open_cursor(r, err);
    if (rc == 0)
        rc = spool_cursor_next(&r->cursor, &found, err);
    if (rc != 0)
        return rc;
    if (found.kind == FOUND_END)
        return end_segment(r, err);
    if (found.kind == FOUND_BODY) {
        rc = take(r, &found, &taken);
        if (rc != 0 && rc != -EBADMSG)
            return err_set(err, rc, "%s", err_phrase(rc));
    }
    if (taken)
        fill_batch(r);
    else
        skip(r, &found);
    return 0;
}

static int send_batch(struct replay *r, struct err *err)
{
    struct spool *s = r->s;
    struct redis_conn *c;
    struct enqueue *all[BATCH];
    struct err position = {""};
    bool refused[BATCH];
    int done = 0, why = 0;
    int rc = redis_pool_take(s->pool, clock_deadline_ms(GATE_MS), &c, err);
    if (rc != 0)
        return rc;
    mutex_lock(&s->mutex);
    /* It has caught up with the disk, and Redis has taken what was sent before. */
    if (s->replaying && s->records == (size_t)r->n)
        s->closing = true;
    mutex_unlock(&s->mutex);
    for (int i = 0; i < r->n; i++)
        all[i] = &r->each[i];
    store_enqueue(s->store, c, all, r->n);
    redis_pool_give(s->pool, c);
    while (done < r->n && (why = conclude(r, done, &refused[done], err)) == 0)
        done++;
    advance(r, done, refused);
    if (done > 0 && spool_folder_set_position(&s->folder, s->done, &position) != 0)
        log_warn("the spool cannot note how far it has been replayed; at a start it looks again",
                 log_str("error", position.text));
    return why == -EAGAIN && done > 0 ? 0 : why;
}

static int replay_some(struct replay *r, struct err *err)
{
    int rc = read_batch(r, err);
    if (rc == 0 && r->n > 0)
        rc = send_batch(r, err);
    clear_batch(r);
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
    close_cursor(r);
    free(r);
    return NULL;
}

int spool_start(struct spool *s)
{
    struct replay *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->s = s;
    r->cursor.fd = -1;
    int rc = thread_start(&s->replayer, "spool", replay_main, r);
    if (rc != 0)
        free(r);
    return rc;
}
