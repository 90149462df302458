/*
 * job/envelope against any bytes: a payload is refused with one clear line, or each of its
 * rewritings is a job again. Of that job every member which the rewriting does not own has the
 * bytes and the place it had, and every member which it does own reads back as it was set.
 */
#include "fuzz.h"

#include <math.h>

#include "base/json.h"
#include "job/envelope.h"

static const double now = 1795478712.5;

/* The members that a rewriting owns; all others belong to the user. */
static const char *const failure_owns[] = {
    "retry_count", "failed_at", "retried_at", "error_class", "error_message", "jid", "queue", NULL};
static const char *const enqueued_owns[] = {"jid",         "queue", "created_at",
                                            "enqueued_at", "at",    NULL};

static bool is_owned(const char *const *owned, struct slice key)
{
    while (*owned && !json_key_is(key, *owned))
        owned++;
    return *owned;
}

/* ---- What a payload is made of. ---- */

enum { MEMBERS_MAX = 4096 };

struct members {
    struct json_member list[MEMBERS_MAX];
    size_t n;
};

static int collect(void *ctx, const struct json_member *member)
{
    struct members *all = ctx;
    if (all->n == MEMBERS_MAX)
        return -E2BIG;
    all->list[all->n++] = *member;
    return 0;
}

static bool take_apart(struct slice payload, struct members *ret)
{
    enum json_type type;
    ret->n = 0;
    return json_scan(payload, &type, collect, ret, NULL) == 0;
}

/* The last of that name, as readers take it; NULL when there is none. */
static const struct json_member *find(const struct members *all, const char *key)
{
    for (size_t i = all->n; i > 0; i--)
        if (json_key_is(all->list[i - 1].key, key))
            return &all->list[i - 1];
    return NULL;
}

/* Foreign members keep their bytes and their order; so do those that the rewriting owns and has
 * left alone this time. What it has set comes last, and replaces all that had the name. */
static void check_members(const struct members *before, const struct members *after,
                          const char *const *owned)
{
    size_t at = 0;
    for (size_t i = 0; i < before->n; i++) {
        bool kept = at < after->n && slice_eq(after->list[at].whole, before->list[i].whole);
        must(kept || is_owned(owned, before->list[i].key));
        at += kept;
    }
    for (size_t i = at; i < after->n; i++) {
        must(is_owned(owned, after->list[i].key));
        for (size_t j = 0; j < i; j++)
            must(!slice_eq(after->list[j].key, after->list[i].key));
    }
}

static void check_text(const struct members *all, const char *key, struct slice want)
{
    const struct json_member *m = find(all, key);
    struct buf text = {0};
    must(m && m->type == JSON_STRING && json_decode_string(m->value, &text) == 0);
    must(slice_eq(buf_slice(&text), want));
    buf_release(&text);
}

static void check_time(const struct members *all, const char *key, double want)
{
    const struct json_member *m = find(all, key);
    double time;
    must(m && m->type == JSON_NUMBER && json_decode_real(m->value, &time) == 0);
    must(fabs(time - want) < 1e-5);
}

/* ---- The rewritings. ---- */

/* What holds of all: `out` is a job with the same args and names, in the queue asked for. */
static void check_job(const struct envelope *before, const char *queue, const struct envelope *e)
{
    must(slice_eq(e->args, before->args));
    must(strcmp(e->klass, before->klass) == 0);
    must(strcmp(e->jid, before->jid) == 0 && !e->jid_is_new);
    must(e->queue && strcmp(e->queue, queue) == 0);
    must(e->retry == before->retry && e->max_retries == before->max_retries);
    must(e->keep_dead == before->keep_dead && e->track == before->track);
    must(e->timeout_s == before->timeout_s && e->retry_for_s == before->retry_for_s);
    must(e->expires_at == before->expires_at);
    must(!e->traceparent == !before->traceparent);
    must(!e->retry_queue == !before->retry_queue);
}

static void check_failure(const struct envelope *before, const struct members *was,
                          struct slice message, struct buf *out)
{
    static struct members is;
    struct envelope e;
    const char *queue = before->retry_queue ? before->retry_queue : "q";
    must(envelope_put_failure(before, "q", "Oops", message, now, out) == 0);
    must(envelope_parse(buf_slice(out), &e, NULL) == 0);
    check_job(before, queue, &e);
    must(e.retry_count == before->retry_count + 1 || e.retry_count == INT32_MAX);
    must(e.created_at == before->created_at && e.enqueued_at == before->enqueued_at);

    must(take_apart(buf_slice(out), &is));
    check_members(was, &is, failure_owns);
    check_text(&is, "error_class", slice_of("Oops"));
    if (message.n <= JOB_ERROR_MESSAGE_MAX && utf8_ok(message) && !memchr(message.p, 0, message.n))
        check_text(&is, "error_message", message);
    if (before->failed_at == 0)
        check_time(&is, "failed_at", now);
    else
        check_time(&is, "retried_at", now);
    must(before->failed_at == 0 || e.failed_at == before->failed_at);
    envelope_release(&e);
    buf_clear(out);
}

static void check_enqueued(const struct envelope *before, const struct members *was, bool scheduled,
                           struct buf *out)
{
    static struct members is;
    struct envelope e;
    must((scheduled ? envelope_put_scheduled : envelope_put_enqueued)(before, "q", now, out) == 0);
    must(envelope_parse(buf_slice(out), &e, NULL) == 0);
    check_job(before, "q", &e);
    must(e.retry_count == before->retry_count && e.failed_at == before->failed_at);
    must(e.at == 0);

    must(take_apart(buf_slice(out), &is));
    check_members(was, &is, enqueued_owns);
    must(!find(&is, "at"));
    if (scheduled)
        must(!find(&is, "enqueued_at"));
    else
        check_time(&is, "enqueued_at", now);
    if (before->created_at == 0)
        check_time(&is, "created_at", now);
    must(before->created_at == 0 || e.created_at == before->created_at);
    envelope_release(&e);
    buf_clear(out);
}

static void check_fields(const struct envelope *e)
{
    must(e->klass[0] && strlen(e->klass) <= JOB_CLASS_MAX);
    must(e->jid[0] && strlen(e->jid) <= JOB_JID_MAX);
    must(!e->queue || job_queue_name_ok(e->queue));
    must(!e->retry_queue || job_queue_name_ok(e->retry_queue));
    must(e->args.n >= 2 && e->args.p[0] == '[' && e->args.p[e->args.n - 1] == ']');
    must(e->retry_count >= -1 && e->retry_count <= INT32_MAX && envelope_attempt(e) >= 1);
    must(e->max_retries >= 0 && e->timeout_s >= 0 && e->retry_for_s >= 0);

    double delay_s = -1;
    enum job_fate fate = envelope_fate(e, -1, now, &delay_s);
    must((fate == JOB_FATE_RETRY) == (delay_s >= 15));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct members was;
    struct slice payload = {(const char *)data, n};
    struct envelope e;
    struct err err = {0};
    int rc = envelope_parse(payload, &e, &err);
    if (rc != 0) {
        must(rc == -EBADMSG);
        must_be_sentence(&err);
        return 0;
    }
    check_fields(&e);

    struct buf out = {0};
    if (take_apart(payload, &was)) {
        check_failure(&e, &was, payload, &out); /* any bytes will do for a message */
        check_failure(&e, &was, e.args, &out);
        check_enqueued(&e, &was, false, &out);
        check_enqueued(&e, &was, true, &out);
    }
    buf_release(&out);
    envelope_release(&e);
    return 0;
}
