/*
 * POST /v1/jobs. All requests that are waiting (api/crew.h) go to Redis with one permit, on one
 * connection, in one write; each has an idempotency key, a batch, a fate and an answer of its own.
 * A connection that breaks may so leave open what has become of several of them.
 */
#include <strings.h>

#include "api/jobs_body.h"
#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "http/digest.h"

/*
 * An idempotency key, and what is kept of the request under it: the digest of its body and how it
 * was read, and behind that the answer. A request under the same key with the same beginning gets
 * that answer, one with another is refused.
 */
enum { KEY_MAX = 255, MARK_BYTES = HTTP_DIGEST_HEX + 1 };

struct order {
    struct call call;
    const char *key;   /* NULL: none */
    struct buf record; /* with a key its mark; and the answer */
    struct job_batch batch;
    struct enqueue enqueue;
};

static bool key_ok(const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < n; i++)
        if (key[i] < 0x21 || key[i] > 0x7e)
            return false;
    return n >= 1 && n <= KEY_MAX;
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

/* All that needs no Redis, but its time now and then. False when the answer is there. */
static bool prepare(struct order *o)
{
    struct call *c = &o->call;
    const char *type = http_header(c->x, "Content-Type");
    bool lines = strncasecmp(type, CALL_NDJSON, sizeof CALL_NDJSON - 1) == 0, single;
    bool timed = read_key(o, lines) && redis_clock_now(c, &o->batch.now);
    call_give(c);
    if (!timed || !jobs_body_read(c->x->req.body, lines, &o->batch, &single, c->res))
        return false;
    put_answer(&o->record, &o->batch, single);
    int rc = buf_error(&o->record);
    if (rc != 0)
        call_fail(c, rc, &(struct err){""});
    o->enqueue =
        (struct enqueue){.batch = &o->batch, .key = o->key, .record = buf_slice(&o->record)};
    return rc == 0;
}

/* The answer to a request that was made before. */
static void answer_again(const struct order *o)
{
    struct http_response *res = o->call.res;
    struct slice text = reply_str(o->enqueue.was), mark = {o->record.p, MARK_BYTES};
    if (text.n < MARK_BYTES || !slice_eq((struct slice){text.p, MARK_BYTES}, mark)) {
        http_fail_at(res, HTTP_UNPROCESSABLE, "idempotency_key_reused",
                     "this Idempotency-Key was used within a day for another body",
                     "Idempotency-Key", -1);
        return;
    }
    res->status = HTTP_ACCEPTED;
    http_set_header(res, "Idempotent-Replayed", "true");
    buf_put(&res->body, (struct slice){text.p + MARK_BYTES, text.n - MARK_BYTES});
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
    atomic_fetch_add(&o->call.api->enqueued, o->batch.n);
    res->status = HTTP_ACCEPTED;
    if (o->key)
        buf_consume(&o->record, MARK_BYTES);
    res->body = o->record;
    o->record = (struct buf){0};
}

static void conclude(struct order *o)
{
    if (o->enqueue.rc != 0)
        answer_failed(o);
    else if (o->enqueue.was)
        answer_again(o);
    else
        answer_accepted(o);
}

/* Sends the answer. */
static void finish(struct order *o)
{
    reply_free(o->enqueue.was);
    buf_release(&o->record);
    job_batch_release(&o->batch);
    http_answer(o->call.x);
}

/* Who gets no turn in time is told so; the eldest waits least. Returns how many were. */
static int pass_gate(struct order *orders, int n, struct redis_conn **ret)
{
    for (int i = 0; i < n; i++) {
        struct call *c = &orders[i].call;
        if (call_redis(c)) {
            *ret = c->redis;
            return i;
        }
        finish(&orders[i]);
    }
    return n;
}

_Static_assert((int)CREW_GROUP <= (int)STORE_ENQUEUE_MAX, "a group is sent at once");

static void enqueue(struct order *orders, int n)
{
    struct enqueue *all[CREW_GROUP];
    struct api *a = orders[0].call.api;
    struct redis_conn *redis;
    int first = pass_gate(orders, n, &redis);
    if (first == n)
        return;
    for (int i = first; i < n; i++)
        all[i - first] = &orders[i].enqueue;
    store_enqueue_all(a->store, redis, all, n - first);
    redis_pool_give(a->pool, redis); /* the next may have it while these are answered */
    for (int i = first; i < n; i++) {
        conclude(&orders[i]);
        finish(&orders[i]);
    }
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
}
