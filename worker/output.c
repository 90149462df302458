#include "worker/output.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

enum { APPEND_MAX_EVENTS = 1000 };
#define LOOK_UP_NS (100 * NS_PER_MS) /* while waiting for room: is the job to stop? */

/* ---- the job's side ---- */

void output_init(struct output *o, struct streamer *s, const struct stream_target *target,
                 int64_t attempt)
{
    *o = (struct output){.streamer = s, .target = *target, .attempt = attempt, .length = -1};
    mutex_init(&o->mutex);
    cond_init(&o->room);
}

void output_release(struct output *o)
{
    buf_release(&o->bytes);
    free(o->ends);
    cond_release(&o->room);
    mutex_release(&o->mutex);
}

static void get_in_line(struct output *o)
{
    struct streamer *s = o->streamer;
    mutex_lock(&s->mutex);
    o->next = NULL;
    if (s->tail)
        s->tail->next = o;
    else
        s->head = o;
    s->tail = o;
    cond_signal(&s->wake);
    mutex_unlock(&s->mutex);
}

static int append_locked(struct output *o, struct slice text)
{
    if (o->n == o->cap) {
        size_t cap = o->cap ? 2 * o->cap : 64;
        size_t *ends = realloc(o->ends, cap * sizeof *ends);
        if (!ends)
            return -ENOMEM;
        o->ends = ends;
        o->cap = cap;
    }
    size_t before = o->bytes.n;
    enum json_type type;
    if (json_scan(text, &type, NULL, NULL, NULL) == 0)
        buf_put(&o->bytes, text);
    else
        json_put_string(&o->bytes, text, SIZE_MAX);
    if (buf_error(&o->bytes) != 0) {
        o->bytes.n = before;
        o->bytes.failed = false;
        return -ENOMEM;
    }
    o->ends[o->n++] = o->bytes.n;
    return 0;
}

int output_emit(struct output *o, struct slice text, bool (*should_stop)(void *ctx), void *ctx)
{
    int rc = 0;
    bool first = false;
    mutex_lock(&o->mutex);
    while (o->bytes.n > OUTPUT_MAX_BYTES && o->failed == 0 && rc == 0)
        if (!cond_wait_until(&o->room, &o->mutex, clock_now_ns() + LOOK_UP_NS) && should_stop(ctx))
            rc = -ECANCELED;
    if (rc == 0)
        rc = o->failed ? o->failed : append_locked(o, text);
    if (rc == 0 && !o->in_line)
        first = o->in_line = true;
    mutex_unlock(&o->mutex);
    if (first)
        get_in_line(o);
    return rc;
}

int output_close(struct output *o, int64_t deadline_ns)
{
    int rc = 0;
    mutex_lock(&o->mutex);
    while (o->in_line && rc == 0)
        if (!cond_wait_until(&o->room, &o->mutex, deadline_ns)) {
            /* Redis is away: drop what waits, then wait for the streamer to let go of us. */
            o->failed = rc = -ETIMEDOUT;
        }
    while (o->in_line)
        cond_wait_until(&o->room, &o->mutex, CLOCK_NEVER);
    if (rc == 0)
        rc = o->failed;
    mutex_unlock(&o->mutex);
    return rc;
}

/* ---- the streamer's side ---- */

struct load {
    struct buf bytes;
    size_t *ends;
    size_t n;
};

static bool has_failed(struct output *o)
{
    mutex_lock(&o->mutex);
    bool failed = o->failed != 0;
    mutex_unlock(&o->mutex);
    return failed;
}

/* Appends events [from, from + n) of a load, until it is done, refused or given up. events: the
 * marker, and room for all of them behind it. */
static int append(struct streamer *s, struct output *o, const struct load *load, size_t from,
                  size_t n, struct slice *events)
{
    struct backoff backoff = {.base_ms = 20, .cap_ms = 1000};
    for (size_t i = 0; i < n; i++) {
        size_t at = from + i, begin = at ? load->ends[at - 1] : 0;
        events[1 + i] = (struct slice){load->bytes.p + begin, load->ends[at] - begin};
    }
    for (;;) {
        struct redis_conn *conn = NULL;
        struct err err = {""};
        int64_t length = o->length;
        int rc = redis_pool_take(s->pool, clock_deadline_ms(500), &conn, &err);
        /* Without knowing the length before, a lost reply could not be told from a lost write. */
        if (rc == 0 && length < 0)
            rc = store_stream_append(s->store, conn, &o->target, NULL, 0, -1, &length, &err);
        if (rc == 0) {
            bool mark = !o->begun && length > 0; /* an earlier run has been here */
            o->length = length;
            rc = store_stream_append(s->store, conn, &o->target, mark ? events : events + 1,
                                     mark ? n + 1 : n, length, &length, &err);
        }
        if (conn)
            redis_pool_give(s->pool, conn);
        if (rc == 0) {
            o->length = length;
            o->begun = true;
            atomic_fetch_add(&s->events, n);
            return 0;
        }
        bool again =
            rc == -ENOTCONN || rc == -ETIMEDOUT || rc == -EAGAIN || rc == -EROFS || rc == -ENOSPC;
        if (!again || has_failed(o)) {
            if (rc != -ESTALE)
                log_warn("output of a job was dropped", log_str("jid", o->target.jid),
                         log_str("error", err.text[0] ? err.text : err_phrase(rc)));
            return rc;
        }
        int64_t pause_ms = backoff_next_ms(&backoff);
        struct timespec pause = clock_timespec(pause_ms * NS_PER_MS);
        (void)nanosleep(&pause, NULL); /* a shorter pause does no harm */
    }
}

static struct load take_load(struct output *o)
{
    mutex_lock(&o->mutex);
    struct load load = {.bytes = o->bytes, .ends = o->ends, .n = o->n};
    o->bytes = (struct buf){0};
    o->ends = NULL;
    o->n = o->cap = 0;
    cond_broadcast(&o->room);
    mutex_unlock(&o->mutex);
    return load;
}

/* Serves one load of an output. If more has gathered it goes to the end of the line, so that a
 * flood from one job does not hold up the others. */
static void serve(struct streamer *s, struct output *o)
{
    char marker[sizeof STREAM_ATTEMPT_EVENT("") + 20];
    (void)snprintf(marker, sizeof marker, STREAM_ATTEMPT_EVENT("%lld"), (long long)o->attempt);
    struct slice events[1 + APPEND_MAX_EVENTS];
    events[0] = slice_of(marker);
    struct load load = take_load(o);
    int rc = 0;
    for (size_t from = 0; rc == 0 && from < load.n; from += APPEND_MAX_EVENTS) {
        size_t n = load.n - from < APPEND_MAX_EVENTS ? load.n - from : APPEND_MAX_EVENTS;
        rc = append(s, o, &load, from, n, events);
    }
    buf_release(&load.bytes);
    free(load.ends);

    mutex_lock(&o->mutex);
    if (rc != 0 && o->failed == 0)
        o->failed = rc;
    o->in_line = o->n > 0 && o->failed == 0;
    bool again = o->in_line;
    cond_broadcast(&o->room); /* under the mutex: afterwards the output may be gone */
    mutex_unlock(&o->mutex);
    if (again)
        get_in_line(o);
}

static void *streamer_main(void *arg)
{
    struct streamer *s = arg;
    mutex_lock(&s->mutex);
    for (;;) {
        struct output *o = s->head;
        if (!o && s->stopping)
            break;
        if (!o) {
            cond_wait_until(&s->wake, &s->mutex, CLOCK_NEVER);
            continue;
        }
        s->head = o->next;
        if (!s->head)
            s->tail = NULL;
        mutex_unlock(&s->mutex);
        serve(s, o);
        mutex_lock(&s->mutex);
    }
    mutex_unlock(&s->mutex);
    return NULL;
}

int streamer_start(struct streamer *s, const struct store *store, struct redis_pool *pool)
{
    *s = (struct streamer){.store = store, .pool = pool};
    mutex_init(&s->mutex);
    cond_init(&s->wake);
    int rc = 0;
    for (int i = 0; rc == 0 && i < STREAMERS; i++)
        rc = thread_start(&s->threads[i], "streamer", streamer_main, s);
    if (rc != 0)
        streamer_stop(s);
    return rc;
}

void streamer_stop(struct streamer *s)
{
    mutex_lock(&s->mutex);
    s->stopping = true;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->mutex);
    for (int i = 0; i < STREAMERS; i++)
        thread_join(&s->threads[i]);
    cond_release(&s->wake);
    mutex_release(&s->mutex);
}
