/*
 * job/envelope against any bytes: a payload is refused with one clear line, or each of its
 * rewritings is a job again, with the same class, jid and args, in the queue that was asked for.
 */
#include "fuzz.h"

#include "base/json.h"
#include "job/envelope.h"

static const double now = 1795478712.5;

static void check_sentence(const struct err *err)
{
    must(err->text[0] != '\0');
    for (const char *p = err->text; *p; p++)
        must((unsigned char)*p >= 0x20);
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

/* The job that a rewriting of `before` has left in out, which it empties. */
static void check_rewritten(const struct envelope *before, const char *queue, int64_t retry_count,
                            struct buf *out)
{
    struct envelope e;
    must(envelope_parse(buf_slice(out), &e, NULL) == 0);
    must(slice_eq(e.args, before->args));
    must(strcmp(e.klass, before->klass) == 0);
    must(strcmp(e.jid, before->jid) == 0 && !e.jid_is_new);
    must(e.queue && strcmp(e.queue, queue) == 0);
    must(e.retry_count == retry_count || e.retry_count == INT32_MAX);
    must(e.retry == before->retry && e.max_retries == before->max_retries);
    must(e.keep_dead == before->keep_dead && e.track == before->track);
    envelope_release(&e);
    buf_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice payload = {(const char *)data, n};
    struct envelope e;
    struct err err = {0};
    int rc = envelope_parse(payload, &e, &err);
    if (rc != 0) {
        must(rc == -EBADMSG);
        check_sentence(&err);
        return 0;
    }
    check_fields(&e);

    struct buf out = {0};
    must(envelope_put_failure(&e, "q", "Oops", payload, now, &out) == 0);
    check_rewritten(&e, e.retry_queue ? e.retry_queue : "q", e.retry_count + 1, &out);
    must(envelope_put_enqueued(&e, "q", now, &out) == 0);
    check_rewritten(&e, "q", e.retry_count, &out);
    must(envelope_put_scheduled(&e, "q", now, &out) == 0);
    check_rewritten(&e, "q", e.retry_count, &out);
    buf_release(&out);
    envelope_release(&e);
    return 0;
}
