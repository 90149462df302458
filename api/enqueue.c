/*
 * POST /v1/jobs: to Redis, or into the spool (api/spool.h) when there is one and Redis is away.
 *
 * All requests that are waiting (api/crew.h) go to Redis with one permit, on one connection, in one
 * write; each has an idempotency key, a batch, a fate and an answer of its own. A connection that
 * breaks may so leave open what has become of several of them.
 */
#include <strings.h>

#include "api/jobs_body.h"
#include "api/once.h"
#include "api/parts.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/json.h"
#include "job/envelope.h"

struct order {
    struct call call;
    const char *key;   /* NULL: none */
    struct buf record; /* with a key its mark; and the answer */
    struct job_batch batch;
    struct enqueue enqueue;
    struct spool_turn turn;       /* "": it has not been sent under one */
    struct spool_request spooled; /* with why: it goes into the spool */
    struct err why;
};

static bool key_ok(const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < n; i++)
        if (key[i] < 0x21 || key[i] > 0x7e)
            return false;
    return n >= 1 && n <= ONCE_KEY_MAX;
}

static bool read_key(struct order *o, bool lines)
{
    struct call *c = &o->call;
    char digest[HTTP_DIGEST_HEX + 1];
    o->key = http_header(c->x, "Idempotency-Key");
    if (!o->key)
        return true;
    if (!key_ok(o->key)) {
        http_fail_at(c->res, HTTP_BAD_REQUEST, "bad_idempotency_key",
                     "the Idempotency-Key must be 1 to 255 printable ASCII characters without "
                     "spaces",
                     "Idempotency-Key", -1);
        return false;
    }
    int rc = http_digest_hex(c->x->req.body, digest);
    if (rc != 0) {
        call_fail(c, rc, &(struct err){""});
        return false;
    }
    buf_puts(&o->record, digest);
    buf_putc(&o->record, lines ? 'l' : 'j');
    return true;
}

static void put_answer(struct buf *out, const struct job_batch *b, bool single)
{
    buf_puts(out, single ? "{\"jid\":" : "{\"jids\":[");
    for (size_t i = 0; i < b->n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        json_put_string(out, slice_of(job_batch_jid(b, i)), SIZE_MAX);
    }
    buf_puts(out, single ? "}\n" : "]}\n");
}

/* That of the request, for those of its jobs that bring none of their own. A wrong one counts as
 * absent, as W3C Trace Context wants it (https://www.w3.org/TR/trace-context/, 3.2 and 4.3). */
static const char *read_traceparent(const struct order *o)
{
    static const char shape[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    enum { TRACE = 3, TRACE_DIGITS = 32, PARENT = 36, PARENT_DIGITS = 16 };
    const char *text = http_header(o->call.x, "traceparent");
    size_t n = sizeof shape - 1;
    if (!text || strnlen(text, n) < n || strncmp(text, "ff", 2) == 0 ||
        (text[n] != '\0' && (text[n] != '-' || strncmp(text, "00", 2) == 0)))
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (shape[i] == 'x' ? !strchr("0123456789abcdef", text[i]) : text[i] != '-')
            return NULL;
    bool zero =
        strspn(text + TRACE, "0") == TRACE_DIGITS || strspn(text + PARENT, "0") == PARENT_DIGITS;
    return zero || strlen(text) > JOB_TRACEPARENT_MAX ? NULL : text;
}

/* The time of its jobs. What goes into the spool does not ask for it. */
static bool read_time(struct order *o)
{
    struct call *c = &o->call;
    struct spool *spool = c->api->spool;
    bool behind = spool_in_use(spool, call_deadline_ns(c));
    int rc = behind ? err_set(&o->why, 0, "others wait in the spool")
                    : redis_clock_now(c, &o->batch.now, &o->why);
    call_give(c);
    if (rc != 0 && !spool_takes(spool, rc)) {
        call_fail(c, rc, &o->why);
        return false;
    }
    if (behind || rc != 0) {
        o->spooled.why = o->why.text;
        o->batch.now = redis_clock_guess(&c->api->clock);
    }
    return true;
}

/* All that needs no Redis, but its time now and then. False when the answer is there. */
static bool prepare(struct order *o)
{
    struct call *c = &o->call;
    const char *type = http_header(c->x, "Content-Type");
    o->batch.traceparent = read_traceparent(o);
    bool lines = strncasecmp(type, CALL_NDJSON, sizeof CALL_NDJSON - 1) == 0, single;
    if (!read_key(o, lines) || !read_time(o) ||
        !jobs_body_read(c->x->req.body, lines, &o->batch, &single, c->res))
        return false;
    put_answer(&o->record, &o->batch, single);
    int rc = buf_error(&o->record);
    if (rc != 0)
        call_fail(c, rc, &(struct err){""});
    o->enqueue =
        (struct enqueue){.batch = &o->batch, .key = o->key, .record = buf_slice(&o->record)};
    return rc == 0;
}

/* ---- answers ---- */

/* The answer to a request that was made before. */
static void answer_again(const struct order *o, struct slice was)
{
    struct http_response *res = o->call.res;
    if (!once_same(was, buf_slice(&o->record))) {
        http_fail_at(res, HTTP_UNPROCESSABLE, "idempotency_key_reused",
                     "this Idempotency-Key was used within a day for another body",
                     "Idempotency-Key", -1);
        return;
    }
    res->status = HTTP_ACCEPTED;
    http_set_header(res, "Idempotent-Replayed", "true");
    buf_put(&res->body, once_answer(was));
}

/* A connection that breaks leaves open what has become of the jobs, and only a key makes it safe to
 * ask again. */
static void answer_failed(struct order *o)
{
    struct call *c = &o->call;
    int rc = o->enqueue.rc;
    struct err *err = &o->enqueue.err;
    if (rc == -ENOTCONN && o->key)
        rc = err_set(err, rc, "%s; send it again with the same Idempotency-Key", err->text);
    if (rc != -ENOTCONN || o->key)
        call_fail(c, rc, err);
    else
        http_fail(c->res, HTTP_UNAVAILABLE, "outcome_unknown",
                  "Redis was lost before it answered: the jobs may have been enqueued or not (an "
                  "Idempotency-Key makes it safe to send them again)");
}

static void answer_accepted(struct order *o)
{
    struct http_response *res = o->call.res;
    res->status = HTTP_ACCEPTED;
    if (o->key)
        buf_consume(&o->record, ONCE_MARK);
    res->body = o->record;
    o->record = (struct buf){0};
}

static void conclude(struct order *o)
{
    if (o->enqueue.rc != 0) {
        answer_failed(o);
    } else if (o->enqueue.stopped) {
        call_fail(&o->call, -EPROTO, &(struct err){"the number it was sent under was not new"});
    } else if (o->enqueue.was) {
        answer_again(o, reply_str(o->enqueue.was));
    } else {
        atomic_fetch_add(&o->call.api->enqueued, o->batch.n);
        answer_accepted(o);
    }
}

/* Sends the answer. */
static void finish(struct order *o)
{
    if (*o->turn.name)
        spool_turn_give(o->call.api->spool, &o->turn);
    reply_free(o->enqueue.was);
    buf_release(&o->record);
    job_batch_release(&o->batch);
    http_answer(o->call.x);
}

/* ---- the spool ---- */

/* Whether Redis, as the replay goes on, knows the key of a request that goes into the spool: what
 * was enqueued under it may have left the spool already. Then it is answered. */
static bool is_known_to_redis(struct order *o)
{
    struct call *c = &o->call;
    struct reply *was = NULL;
    struct err err = {""};
    if (o->key && spool_is_replaying(c->api->spool) && call_gate(c, &err) == 0 &&
        store_enqueued_before(c->api->store, c->redis, o->key, &was, &err) != 0)
        was = NULL; /* away again: the spool finds out */
    call_give(c);
    bool known = was != NULL;
    if (known)
        answer_again(o, reply_str(was));
    reply_free(was);
    return known;
}

static void answer_not_spooled(struct order *o)
{
    struct spool_request *r = &o->spooled;
    if (r->sent) { /* what came of that is as open as it would be without a spool */
        o->enqueue.rc = err_set(&o->enqueue.err, -ENOTCONN, "%s (and %s)", r->why, r->err.text);
        answer_failed(o);
        return;
    }
    http_fail(o->call.res, HTTP_UNAVAILABLE, r->rc == -ENOSPC ? "spool_full" : "spool_failed",
              r->err.text);
    http_set_header(o->call.res, "Retry-After", "1");
}

static void conclude_spooled(struct order *o)
{
    if (o->spooled.rc != 0) {
        answer_not_spooled(o);
    } else if (o->spooled.was.n > 0) {
        answer_again(o, buf_slice(&o->spooled.was));
    } else {
        answer_accepted(o);
        http_set_header(o->call.res, "Sluice-Spooled", "true");
    }
    buf_release(&o->spooled.was);
}

/* Those that have a reason to. */
static void spool_them(struct order *orders, int n)
{
    struct spool_request *all[CREW_GROUP];
    struct order *of[CREW_GROUP];
    int spooled = 0;
    for (int i = 0; i < n; i++) {
        struct order *o = &orders[i];
        if (!o->spooled.why || is_known_to_redis(o))
            continue;
        o->spooled.batch = &o->batch;
        o->spooled.key = o->key;
        o->spooled.kept = buf_slice(&o->record);
        of[spooled] = o;
        all[spooled++] = &o->spooled;
    }
    if (spooled == 0)
        return;
    const struct api *a = orders[0].call.api;
    spool_add(a->spool, all, spooled, clock_deadline_ms((int64_t)(a->conf->api_max_wait * 1000)));
    for (int i = 0; i < spooled; i++)
        conclude_spooled(of[i]);
}

/* Redis was away when its turn came, or when it was sent. */
static bool turn_to_spool(struct order *o, bool sent)
{
    struct enqueue *e = &o->enqueue;
    bool open = sent && e->rc == -ENOTCONN; /* whether it has been enqueued */
    if (!spool_takes(o->call.api->spool, e->rc) || (open && !o->key && !*o->turn.name))
        return false;
    o->why = e->err;
    o->spooled.why = o->why.text;
    o->spooled.sent = open && *o->turn.name ? &o->turn : NULL;
    return true;
}

/* ---- Redis ---- */

/* Who gets no turn in time is told so; the eldest waits least. Returns how many were. */
static int pass_gate(struct order *orders, int n, struct redis_conn **ret)
{
    for (int i = 0; i < n; i++) {
        struct order *o = &orders[i];
        if (o->spooled.why)
            continue;
        o->enqueue.rc = call_gate(&o->call, &o->enqueue.err);
        if (o->enqueue.rc == 0) {
            *ret = o->call.redis;
            return i;
        }
        if (!turn_to_spool(o, false))
            call_fail(&o->call, o->enqueue.rc, &o->enqueue.err);
    }
    return n;
}

_Static_assert((int)CREW_GROUP <= (int)STORE_ENQUEUE_MAX, "a group is sent at once");

static void enqueue(struct order *orders, int n)
{
    struct enqueue *all[CREW_GROUP];
    struct order *of[CREW_GROUP];
    struct api *a = orders[0].call.api;
    struct redis_conn *redis = NULL;
    int sent = 0;
    for (int i = pass_gate(orders, n, &redis); i < n; i++) {
        struct order *o = &orders[i];
        if (o->spooled.why)
            continue;
        if (a->spool)
            o->enqueue.guard = spool_turn_take(a->spool, &o->turn);
        of[sent] = o;
        all[sent++] = &o->enqueue;
    }
    if (sent > 0) {
        store_enqueue_all(a->store, redis, all, sent);
        call_give(&of[0]->call); /* the next may have it while these are answered */
    }
    for (int i = 0; i < sent; i++)
        if (!turn_to_spool(of[i], true))
            conclude(of[i]);
    spool_them(orders, n);
}

void answer_enqueue(struct api *a, struct http_exchange *first)
{
    struct order orders[CREW_GROUP];
    int n = 0;
    for (struct http_exchange *x = first, *next; x; x = next) {
        struct order *o = &orders[n];
        next = x->next; /* an answered one is the server's again */
        *o = (struct order){.call = {.api = a, .x = x, .res = &x->res},
                            .batch = {.max_payload = a->conf->max_payload}};
        if (prepare(o))
            n++;
        else
            finish(o);
    }
    if (n > 0)
        enqueue(orders, n);
    for (int i = 0; i < n; i++)
        finish(&orders[i]);
}
