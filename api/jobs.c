/* POST /v1/jobs, GET and DELETE /v1/jobs/{jid}. */
#include <strings.h>

#include "api/jobs_body.h"
#include "api/once.h"
#include "api/parts.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/inspect_json.h"

/* ---- enqueueing ---- */

/* An idempotency key, and what is kept of the request under it (api/once.h). A request under the
 * same key with the same mark gets that answer, one with another is refused. */
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
    return n >= 1 && n <= ONCE_KEY_MAX;
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
static void answer_again(struct call *c, const struct once *once, struct slice was)
{
    if (!once_same(was, buf_slice(&once->record))) {
        http_fail_at(c->res, HTTP_UNPROCESSABLE, "idempotency_key_reused",
                     "this Idempotency-Key was used within a day for another body",
                     "Idempotency-Key", -1);
        return;
    }
    c->res->status = HTTP_ACCEPTED;
    http_set_header(c->res, "Idempotent-Replayed", "true");
    buf_put(&c->res->body, once_answer(was));
}

/* The answer to one that is enqueued, or will be. */
static void accept(struct call *c, const struct once *once)
{
    struct slice answer = buf_slice(&once->record);
    c->res->status = HTTP_ACCEPTED;
    buf_put(&c->res->body, once->key ? once_answer(answer) : answer);
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

/* Into the spool. `sent`: under which turn Redis may have got it already, or NULL. */
static void spool_jobs(struct call *c, const struct once *once, const struct job_batch *b,
                       const struct spool_turn *sent, const struct err *why)
{
    struct err err = {""}, text;
    struct buf was = {0};
    struct spool_request r = {.batch = b,
                              .key = once->key,
                              .kept = buf_slice(&once->record),
                              .sent = sent,
                              .why = why->text,
                              .deadline_ns =
                                  clock_deadline_ms((int64_t)(c->api->conf->api_max_wait * 1000))};
    call_leave(c);
    int rc = spool_add(c->api->spool, &r, &was, &err);
    if (rc == 0 && was.n > 0) {
        answer_again(c, once, buf_slice(&was));
    } else if (rc == 0) {
        accept(c, once);
        http_set_header(c->res, "Sluice-Spooled", "true");
    } else if (sent) {
        (void)err_set(&text, 0, "%s (and the spool: %s)", why->text, err.text);
        fail_enqueue(c, once, -ENOTCONN, &text);
    } else {
        (void)err_prefix(&err, rc, "the spool");
        http_fail(c->res, HTTP_UNAVAILABLE, rc == -ENOSPC ? "spool_full" : "spool_failed",
                  err.text);
        http_set_header(c->res, "Retry-After", "1");
    }
    buf_release(&was);
}

/* Whether Redis, as the replay goes on, knows the key of a request that goes into the spool: what
 * was enqueued under it may have left the spool already. Then it is answered. */
static bool known_to_redis(struct call *c, const struct once *once)
{
    struct reply *was = NULL;
    struct err err = {""};
    if (!once->key || !spool_is_replaying(c->api->spool) || call_gate(c, &err) != 0 ||
        store_enqueued_before(c->api->store, c->redis, once->key, &was, &err) != 0)
        return false;
    bool known = was != NULL;
    if (known)
        answer_again(c, once, reply_str(was));
    reply_free(was);
    return known;
}

/* What came of sending under this turn; NULL: it did not come to that. */
static void conclude(struct call *c, const struct once *once, const struct job_batch *b,
                     const struct spool_turn *turn, const struct reply *was, int rc,
                     struct err *err)
{
    bool may_be_there = rc == -ENOTCONN && turn;
    if (rc == 0 && !was) {
        atomic_fetch_add(&c->api->enqueued, b->n);
        accept(c, once);
    } else if (rc == 0 && reply_type(was) == REPLY_STRING) {
        answer_again(c, once, reply_str(was));
    } else if (rc == 0) {
        call_fail(c, -EPROTO, &(struct err){"the number it was sent under was not new"});
    } else if (spool_takes(c->api->spool, rc) && (!may_be_there || once->key || *turn->name)) {
        spool_jobs(c, once, b, may_be_there ? turn : NULL, err);
    } else if (turn) {
        fail_enqueue(c, once, rc, err);
    } else {
        call_fail(c, rc, err);
    }
}

/* To Redis, and from there into the spool when it is away. */
static void send_jobs(struct call *c, const struct once *once, struct job_batch *b)
{
    struct spool_turn turn = {.name = ""};
    struct err err = {""};
    struct reply *was = NULL;
    int rc = call_gate(c, &err);
    if (rc != 0) {
        conclude(c, once, b, NULL, NULL, rc, &err);
        return;
    }
    if (c->api->spool)
        b->guard = spool_turn_take(c->api->spool, &turn);
    rc = store_enqueue(c->api->store, c->redis, b, once->key, buf_slice(&once->record), &was, &err);
    conclude(c, once, b, &turn, was, rc, &err);
    if (c->api->spool)
        spool_turn_give(c->api->spool, &turn);
    reply_free(was);
}

/* The time of its jobs. With a spool, Redis need not say it: then *spooled gets why. */
static bool read_time(struct call *c, double *ret, struct err *spooled)
{
    struct err err = {""};
    int rc = *spooled->text ? 0 : redis_clock_now(c, ret, &err);
    if (rc != 0 && !spool_takes(c->api->spool, rc)) {
        call_fail(c, rc, &err);
        return false;
    }
    if (rc != 0)
        *spooled = err;
    if (*spooled->text)
        *ret = redis_clock_guess(&c->api->clock);
    return true;
}

void answer_enqueue(struct call *c)
{
    struct job_batch batch = {.max_payload = c->api->conf->max_payload};
    struct once once = {0};
    struct err spooled = {""}; /* why it does not go to Redis */
    const char *type = http_header(c->x, "Content-Type");
    bool lines = strncasecmp(type, CALL_NDJSON, sizeof CALL_NDJSON - 1) == 0, single;
    if (spool_in_use(c->api->spool, call_deadline_ns(c)))
        (void)err_set(&spooled, 0, "others wait in the spool");
    if (read_key(c, &once, lines) && read_time(c, &batch.now, &spooled) &&
        jobs_body_read(c->x->req.body, lines, &batch, &single, c->res)) {
        put_answer(&once.record, &batch, single);
        int rc = buf_error(&once.record);
        if (rc != 0)
            call_fail(c, rc, &(struct err){""});
        else if (!*spooled.text)
            send_jobs(c, &once, &batch);
        else if (!known_to_redis(c, &once))
            spool_jobs(c, &once, &batch, NULL, &spooled);
    }
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
