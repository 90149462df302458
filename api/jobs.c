/* POST /v1/jobs, GET and DELETE /v1/jobs/{jid}. */
#include <strings.h>

#include "api/jobs_body.h"
#include "api/parts.h"
#include "api/routes.h"
#include "base/json.h"
#include "http/digest.h"
#include "store/inspect_json.h"

/* ---- enqueueing ---- */

/*
 * An idempotency key, and what is kept of the request under it: the digest of its body and how it
 * was read, and behind that the answer. A request under the same key with the same beginning gets
 * that answer, one with another is refused.
 */
enum { KEY_MAX = 255, MARK_BYTES = HTTP_DIGEST_HEX + 1 };

struct once {
    const char *key; /* NULL: none */
    struct buf record;
};

static bool key_ok(const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < n; i++)
        if (key[i] < 0x21 || key[i] > 0x7e)
            return false;
    return n >= 1 && n <= KEY_MAX;
}

static bool read_key(struct call *c, struct once *once, bool lines)
{
    char digest[HTTP_DIGEST_HEX + 1];
    once->key = http_header(c->x, "Idempotency-Key");
    if (!once->key)
        return true;
    if (!key_ok(once->key)) {
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
    buf_puts(&once->record, digest);
    buf_putc(&once->record, lines ? 'l' : 'j');
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

/* The answer to a request that was made before. */
static void answer_again(struct call *c, const struct once *once, const struct reply *was)
{
    struct slice text = reply_str(was), mark = {once->record.p, MARK_BYTES};
    if (text.n < MARK_BYTES || !slice_eq((struct slice){text.p, MARK_BYTES}, mark)) {
        http_fail_at(c->res, HTTP_UNPROCESSABLE, "idempotency_key_reused",
                     "this Idempotency-Key was used within a day for another body",
                     "Idempotency-Key", -1);
        return;
    }
    c->res->status = HTTP_ACCEPTED;
    http_set_header(c->res, "Idempotent-Replayed", "true");
    buf_put(&c->res->body, (struct slice){text.p + MARK_BYTES, text.n - MARK_BYTES});
}

/* A connection that breaks leaves open what has become of the jobs, and only a key makes it safe to
 * ask again. */
static void fail_enqueue(struct call *c, const struct once *once, int rc, struct err *err)
{
    if (rc == -ENOTCONN && once->key)
        rc = err_set(err, rc, "%s; send it again with the same Idempotency-Key", err->text);
    if (rc != -ENOTCONN || once->key)
        call_fail(c, rc, err);
    else
        http_fail(c->res, HTTP_UNAVAILABLE, "outcome_unknown",
                  "Redis was lost before it answered: the jobs may have been enqueued or not (an "
                  "Idempotency-Key makes it safe to send them again)");
}

static void enqueue(struct call *c, struct once *once, const struct job_batch *b, bool single)
{
    struct err err = {""};
    struct reply *was = NULL;
    put_answer(&once->record, b, single);
    int rc = buf_error(&once->record);
    if (rc == 0 && !call_redis(c))
        return;
    if (rc == 0)
        rc = store_enqueue(c->api->store, c->redis, b, once->key, buf_slice(&once->record), &was,
                           &err);
    if (rc != 0) {
        fail_enqueue(c, once, rc, &err);
    } else if (was) {
        answer_again(c, once, was);
    } else {
        size_t mark = once->key ? MARK_BYTES : 0;
        atomic_fetch_add(&c->api->enqueued, b->n);
        c->res->status = HTTP_ACCEPTED;
        buf_append(&c->res->body, once->record.p + mark, once->record.n - mark);
    }
    reply_free(was);
}

void answer_enqueue(struct call *c)
{
    struct job_batch batch = {.max_payload = c->api->conf->max_payload};
    struct once once = {0};
    const char *type = http_header(c->x, "Content-Type");
    bool lines = strncasecmp(type, CALL_NDJSON, sizeof CALL_NDJSON - 1) == 0, single;
    if (read_key(c, &once, lines) && redis_clock_now(c, &batch.now) &&
        jobs_body_read(c->x->req.body, lines, &batch, &single, c->res))
        enqueue(c, &once, &batch, single);
    buf_release(&once.record);
    job_batch_release(&batch);
}

/* ---- one job ---- */

void answer_job(struct call *c)
{
    struct err err = {""};
    struct reply *record = NULL;
    if (!call_redis(c))
        return;
    int rc = store_job_read(c->api->store, c->redis, c->param, &record, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
    } else if (reply_count(record) == 0) {
        http_fail(c->res, HTTP_NOT_FOUND, "not_recorded",
                  "nothing is recorded of this job: it is not tracked, has not started, or ended "
                  "too long ago");
    } else {
        inspect_put_job(&c->res->body, c->param, record);
        buf_putc(&c->res->body, '\n');
    }
    reply_free(record);
}

void answer_cancel(struct call *c)
{
    struct err err = {""};
    struct cancellation done = {0};
    if (!call_redis(c))
        return;
    int rc = store_cancel_job(c->api->store, c->redis, c->param, (int64_t)c->api->conf->stream_ttl,
                              c->api->conf->max_payload, &done, &err);
    if (rc != 0) {
        call_fail(c, rc, &err);
        return;
    }
    c->res->status = *done.where ? HTTP_OK : HTTP_ACCEPTED; /* or the order stands for a day */
    inspect_put_cancellation(&c->res->body, c->param, &done);
    buf_putc(&c->res->body, '\n');
    cancellation_release(&done);
}
